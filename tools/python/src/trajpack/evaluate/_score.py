"""What an evaluator answers."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import DataError, UsageError, nearest


@dataclass(frozen=True)
class Score:
    """One figure, or why there is none. It is never NaN."""

    #: The full name, ``"camera.ate.rmse"``.
    name: str
    #: The figure, or None.
    value: float | None
    #: How many values (frames, pairs, keypoints) it was computed from.
    count: int
    #: Why there is no figure: a sentence, or None.
    reason: str | None = None
    #: Every option it was computed under, defaults included.
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    #: What else is worth knowing: values by clip, intervals, fitted transforms.
    details: dict[str, Any] = field(default_factory=dict, repr=False)

    def __float__(self) -> float:
        """The figure; a :class:`trajpack.DataError` with the reason where there is none."""
        if self.value is None:
            raise DataError(f"{self.name} has no value: {self.reason}")
        return self.value

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name}: none, {self.reason}"
        return f"{self.name} = {self.value:.6g}{self._interval()} (of {self.count:,}{self._marked()})"

    @property
    def failed(self) -> dict[str, Any] | None:
        """The predictions that failed: ``count``, ``of``, ``unit``, ``ids`` (the first 1,000, from 0), ``cause`` and
        the ``rule`` that was applied; None where none did."""
        return self.details.get("failed")

    def _marked(self) -> str:
        lost = self.failed
        if lost is None:
            return ""
        if lost["rule"] == "skip":
            return f", {lost['of'] - lost['count']} of {lost['of']} {lost['unit']}"
        return f", {lost['count']} of {lost['of']} {lost['unit']} failed, counted as the worst"

    def _interval(self) -> str:
        low, high = self.details.get("low"), self.details.get("high")
        return f" [{low:.6g}, {high:.6g}]" if low is not None and high is not None else ""

    def __repr__(self) -> str:
        return f"<Score {self}>"


class Scores(Mapping[str, Score]):
    """The scores of one call by name, in the evaluator's order."""

    def __init__(self, evaluator: str, scores: list[Score]) -> None:
        #: The evaluator's name.
        self.evaluator = evaluator
        self._scores = {s.name: s for s in scores}

    @property
    def options(self) -> dict[str, Any]:
        """Every option of the call, defaults included."""
        return next((s.options for s in self._scores.values()), {})

    @property
    def values_by_name(self) -> dict[str, float | None]:
        """The bare figures, None where there is none."""
        return {name: s.value for name, s in self._scores.items()}

    def __getitem__(self, name: str) -> Score:
        if name not in self._scores:
            raise _NoScore(f"{self.evaluator} gives no score '{name}'" + nearest(name, self._scores))
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __repr__(self) -> str:
        return "\n".join([f"<Scores of {self.evaluator}>", *(f"  {s}" for s in self._scores.values())])

    def _repr_html_(self) -> str:
        from html import escape
        rows = "".join(
            f"<tr><td>{escape(s.name)}</td><td>{'' if s.value is None else f'{s.value:.6g}{s._interval()}'}</td>"
            f"<td>{s.count:,}</td><td>{escape(s.reason or '')}</td></tr>" for s in self._scores.values())
        return f"<table><tr><th>score</th><th>value</th><th>of</th><th></th></tr>{rows}</table>"


class _NoScore(UsageError, KeyError):
    """A UsageError that mappings understand."""

    def __str__(self) -> str:
        return str(self.args[0])
