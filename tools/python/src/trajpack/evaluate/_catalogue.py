"""The catalogue of evaluators, and the one function that calls them."""
from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .._errors import UsageError, nearest
from . import _arrays, _native
from ._arrays import Input
from ._score import Score, Scores


@dataclass(frozen=True)
class Setting:
    """An option that an evaluator takes."""

    name: str
    default: Any
    help: str
    #: The words that it takes, where it takes words.
    choices: tuple[str, ...] = ()


class Evaluator:
    """One evaluator: call it with its arrays and options by keyword.

    An option that has the name of an array is written ``NAME_option``.
    """

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        self.summary: str = entry["summary"]
        self.inputs: dict[str, Input] = {i["name"]: Input(**i) for i in entry["inputs"]}
        self.options: dict[str, Setting] = {
            o["name"]: Setting(o["name"], o["default"], o["help"], tuple(o["choices"])) for o in entry["options"]}
        #: The names of its scores, or what they begin with where they end in ``_`` or ``.``.
        self.scores: tuple[str, ...] = tuple(entry["scores"])
        self._keywords = {self._keyword(name): name for name in self.options}
        self.__doc__ = self.explained
        kind = inspect.Parameter.KEYWORD_ONLY
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(i.name, kind) if i.required else inspect.Parameter(i.name, kind, default=None)
             for i in self.inputs.values()]
            + [inspect.Parameter(k, kind, default=self.options[name].default) for k, name in self._keywords.items()],
            return_annotation=Scores)

    def _keyword(self, option: str) -> str:
        return f"{option}_option" if option in self.inputs else option

    def makes(self, score: str) -> bool:
        """Whether it has a score of that name, or scores whose names begin with it and a point."""
        return any(own == score or score.startswith(f"{own}.") or (own[-1:] in "_." and score.startswith(own))
                   for own in self.scores)

    def __call__(self, **given: Any) -> Scores:
        return self.only(self.name, given)

    def only(self, score: str, given: Mapping[str, Any]) -> Scores:
        """The score of that name alone, and no other is computed where they are apart; all for the evaluator's name."""
        arrays, options = {}, {}
        for name, value in given.items():
            if name in self.inputs:
                if value is not None:
                    arrays[name] = value
            elif name in self._keywords:
                options[self._keywords[name]] = value
            else:
                raise UsageError(f"{self.name} takes no '{name}'" + nearest(name, [*self.inputs, *self._keywords]))
        for needed in self.inputs.values():
            if needed.required and needed.name not in arrays:
                raise UsageError(f"{self.name} needs '{needed.name}': {needed.shape}, {needed.help}")
        found = _native.evaluate(score, _arrays.split(arrays, self.inputs, self.name), options)
        return Scores(self.name, [Score(**score) for score in found])

    @property
    def explained(self) -> str:
        """What it measures, its arrays and its options: a page of text."""
        lines = [self.summary, "", "arrays:"]
        for item in self.inputs.values():
            need = "" if item.required else " (optional)"
            lines.append(f"  {item.name}: {item.shape}{need}; {item.help}")
        if self.options:
            lines += ["", "options:"]
            lines += [f"  {keyword}={self.options[name].default!r}: {self.options[name].help}"
                      + (f" ({', '.join(self.options[name].choices)})" if self.options[name].choices else "")
                      for keyword, name in self._keywords.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Evaluator {self.name}>\n{self.explained}"


class Catalogue(Mapping[str, Evaluator]):
    """The evaluators by name, in the order of the reports."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._evaluators = {e["name"]: Evaluator(e) for e in entries}

    def __getitem__(self, name: str) -> Evaluator:
        if name not in self._evaluators:
            raise UnknownEvaluator(f"there is no evaluator '{name}'" + nearest(name, self._evaluators))
        return self._evaluators[name]

    def __contains__(self, name: object) -> bool:
        return name in self._evaluators

    def __iter__(self) -> Iterator[str]:
        return iter(self._evaluators)

    def __len__(self) -> int:
        return len(self._evaluators)

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {e.summary}" for name, e in self._evaluators.items())

    def _repr_html_(self) -> str:
        from html import escape
        rows = "".join(f"<tr><td>{escape(n)}</td><td>{escape(e.summary)}</td></tr>" for n, e in self.items())
        return f"<table><tr><th>evaluator</th><th></th></tr>{rows}</table>"


class UnknownEvaluator(UsageError, KeyError):
    """A UsageError that mappings understand."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def catalogue() -> Catalogue:
    """Every evaluator of the library that is loaded."""
    return Catalogue(_native.evaluators())


def score(evaluator: str, /, **arrays_and_options: Any) -> Scores:
    """The scores of one evaluator: ``score("forecast.errors", truth=y, prediction=z, smape_scale="0_100")``, or one
    score by its own name, without the work for the others: ``score("forecast.mse", truth=y, prediction=z)``.

    Arrays are anything numpy understands. Masked arrays hand their masks to the evaluator. ``catalogue()[name]`` says
    which arrays and options there are. A score that cannot be computed from good input has a reason instead of a value;
    input that cannot be right raises :class:`trajpack.UsageError` or :class:`trajpack.DataError`.
    """
    return _owner(evaluator).only(evaluator, arrays_and_options)


@cache
def _owner(name: str) -> Evaluator:
    """The evaluator of that name, or the one that makes the score of that name."""
    known = catalogue()
    if name not in known:
        owner = next((e for e in known.values() if e.makes(name)), None)
        if owner is not None:
            return owner
    return known[name]
