"""Statistics of a dataset: those of its index, and those of any part of it, measured."""
from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _ffi, _options
from ._errors import UsageError
from ._patience import patiently

if TYPE_CHECKING:
    from .dataset import Dataset


class Statistics(dict[str, dict[str, dict[str, Any]]]):
    """The statistics of the index, by split and channel; called, those of any part of the data."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(_ffi.text("tp_dataset_statistics", dataset._pointer))
        self._dataset = dataset

    @_options.named
    def __call__(
        self, *, channels: str | Iterable[str | Mapping[str, str]] | None = None,
        exclude: str | Iterable[str] | None = None, split: str | Iterable[str] | None = None,
        scheme: str | None = None, fold: int | None = None,
        episodes: str | Iterable[str] | None = None, where: Mapping[str, Any] | None = None,
        rows: slice | tuple[int | None, int | None] | None = None, reference: str | None = None,
        axes: int | Iterable[int] | Mapping[str, int | Iterable[int]] | None = None, by: str | None = None,
        quantiles: bool | None = None, threads: int | None = None, save: bool | None = None,
    ) -> Measured:
        """Measures a part of the data in one pass over its values: ``{"stream/channel": {"count", "missing", "min",
        "max", "mean", "std", "quantiles", "quantiles_exact", ...}}``, a list with a number for each component.

        ``channels``, ``exclude``, ``split``, ``scheme``, ``fold``, ``episodes`` and ``where`` are those of
        :class:`trajpack.Loader`; of a split that cuts recordings, its target rows count, without the context.

        rows
            ``slice(0, 8640)`` or ``(0, 8640)``: these rows of each episode, counted on the stream ``reference`` (by
            default the first that is chosen and has no entities); of other streams, the rows of that time.
        axes
            The axes of a row's shape that keep statistics of their own, a number or a list, or by pattern; all others
            are taken together: ``axes=0`` for rows ``[C, H, W]`` gives C components.
        by
            "episode", or the name of a value of the episodes: ``{value: {channel: ...}}`` comes back.
        quantiles
            Whether there are some; by default of channels with at most 64 components.
        save
            True: keep them in a side file of the dataset. The same question, and loaders that normalize by these rows,
            find them there once the dataset is opened again (``saved`` of the result).

        Mean and standard deviation (of the population) come from exact sums; ``threads``, shards and order change no
        bit. Quantiles, at ``probabilities``, are those of ``numpy.quantile`` up to 100,000 values of a component;
        beyond, a rank is off by less than 0.1 % (``quantiles_exact``).
        """
        if isinstance(rows, slice):
            if rows.step not in (None, 1):
                raise UsageError(f"'rows' has a step of {rows.step}, but must be all rows of a range")
            rows = rows.start, rows.stop
        bounds = None
        if rows is not None:
            if not isinstance(rows, (tuple, list)) or len(rows) != 2:
                raise UsageError(f"'rows' is {rows!r}, but must be a range of rows, as slice(0, 100) or (0, 100)")
            bounds = [0 if rows[0] is None else rows[0], rows[1]]
        options = _options.encode({
            "channels": _options.listed(channels), "exclude": _options.listed(exclude), "split": split,
            "scheme": scheme, "fold": fold, "episodes": _options.episodes(episodes), "where": _options.where(where),
            "rows": bounds, "reference": reference,
            "axes": axes, "by": by, "quantiles": quantiles, "threads": threads,
            "save": save})
        found: dict[str, Any] = {}

        def measure() -> None:
            found.update(_ffi.text("tp_dataset_measure", self._dataset._pointer, options))

        patiently(measure, lambda: None)
        return Measured(found)

    def __copy__(self) -> Statistics:
        out = type(self).__new__(type(self))
        out.update(self)
        out._dataset = self._dataset
        return out

    def __deepcopy__(self, memo: dict[int, Any]) -> Statistics:
        out = self.__copy__()
        out.update(copy.deepcopy(dict(self), memo))
        return out

    def __reduce__(self) -> Any:
        """Pickled, they are the numbers alone: a dict, which needs no data set."""
        return dict, (dict(self),)


class Measured(dict[Any, Any]):
    """Statistics of a part of a dataset: by channel, or by value and channel where ``by`` was given."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        groups = found["groups"]
        if found["by"] is None:
            super().__init__(groups[0]["channels"])
        else:
            super().__init__((_hashable(group["value"]), group["channels"]) for group in groups)
        #: What the groups are of; None where all is one.
        self.by: str | None = found["by"]
        #: How many episodes were measured.
        self.episodes: int = sum(group["episodes"] for group in groups)
        #: Rows of each stream that were measured.
        self.rows: dict[str, int] = {}
        for group in groups:
            for stream, count in group["rows"].items():
                self.rows[stream] = self.rows.get(stream, 0) + count
        #: The probabilities of the quantiles.
        self.probabilities: list[float] = found["probabilities"]
        #: Channels that were chosen and have no numbers.
        self.left_out: list[str] = found["left_out"]
        #: Whether a side file had them, so that nothing was measured.
        self.saved: bool = found["saved"]
        #: What identifies the data, and the rows of it.
        self.digests: tuple[str, str] = found["data_digest"], found["rows_digest"]

    def to_pandas(self) -> Any:
        """A ``DataFrame`` with a row a component: the value of the group, channel and component are the index."""
        import pandas
        rows = []
        for value, channels in self.items() if self.by is not None else [(None, self)]:
            for path, channel in channels.items():
                for i, count in enumerate(channel["count"]):
                    row = {} if self.by is None else {self.by: value}
                    row |= {"channel": path, "component": i, "count": count, "missing": channel["missing"][i]}
                    row |= {key: channel[key][i] for key in ("mean", "std", "min", "max")}
                    if "quantiles" in channel and channel["quantiles"][i]:
                        row |= {f"q{p:g}": q for p, q in zip(self.probabilities, channel["quantiles"][i], strict=True)}
                    rows.append(row)
        index = ["channel", "component"] if self.by is None else [self.by, "channel", "component"]
        return pandas.DataFrame(rows).set_index(index)


def _hashable(value: Any) -> Any:
    """A value as a key: lists as tuples."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


__all__ = ["Measured", "Statistics"]
