"""Rows of one stream and entity while they are recorded."""
from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _clocks, _columns, _options
from ._errors import DataError, UsageError
from ._given import kept
from ._words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._columns import Rows
    from .episode import Entity

_PIECE_BYTES, _PIECE_ROWS = 1 << 20, 4096


@dataclass
class Piece:
    """Some rows of a lane. ``first``: the row of the clock where a new track begins, None where the last goes on."""

    rows: dict[str, Rows]
    count: int
    times: Any = None
    first: int | None = None


@dataclass
class Lane:
    """The rows of one stream and entity, in their order."""

    episode: str
    stream: str
    entity: Entity | None
    rate: Fraction | None
    #: The channels that every row has.
    names: list[str] = field(default_factory=list)
    #: The row of the clock after the last.
    next: int = 0
    #: The library's number of the track that is being written.
    track: int | None = None
    #: Whether the next row begins a track.
    fresh: bool = True
    #: The last row of the last frame that had an index of times and no time=; None where there was none, or where
    #: extend got a time= or row= without one since.
    mark: _clocks.Mark | None = None
    # Rows that are held until they are worth a piece.
    values: dict[str, list[Any]] = field(default_factory=dict)
    times: list[Any] = field(default_factory=list)
    first: int | None = None
    count: int = 0
    limit: int = 0

    def where(self, name: str = "") -> str:
        """The episode, the stream or its channel, and the entity, to begin a sentence with."""
        who = f", entity {self.entity}" if self.entity else ""
        what = f"channel {self.stream}/{name}" if name else f"stream {self.stream}"
        return f"episode '{self.episode}', {what}{who}"

    def place(self, time: Any, row: int | None, given: Mapping[str, Any], start: Fraction, needs: bool) -> int | None:
        """The row of a regular clock that is meant; None for explicit times. ``needs``: whether it must be said."""
        where = self.where()
        if self.rate is None:
            if row is not None:
                raise UsageError(f"{where}: 'row' counts rows of a regular clock, and the stream has explicit times")
            if time is None and "time" not in given:
                raise UsageError(f"{where}: give the time of each row (time=...), or the stream a rate")
            return 0 if self.fresh else None
        if row is not None and time is not None:
            raise UsageError(f"{where}: 'row' and 'time' both say when; give one")
        if row is None and time is None:
            if needs:
                raise UsageError(f"{where}: entities come and go, so say when: row=... or time=...")
            return self.next
        at = _options.whole(row, "row", 0) if row is not None else _clocks.rows_of(time, start, self.rate, where)
        if at < self.next:
            raise DataError(f"{where}: row {at} of the clock comes after row {self.next - 1}; rows come in their order")
        return at

    def hold(self, given: Mapping[str, Any], time: Any) -> bool:
        """Holds one row; whether those that are held are worth a piece."""
        for name in self.names:
            self.values.setdefault(name, []).append(kept(given[name]))
        if self.rate is None:
            self.times.append(time if time is not None else given["time"])
        self.count += 1
        if not self.limit:
            size = sum(getattr(v[0], "nbytes", 32) for v in self.values.values())
            self.limit = max(min(_PIECE_BYTES // max(size, 1), _PIECE_ROWS), 1)
        return self.count >= self.limit

    def piece(self, given: Mapping[str, Any], times: Any, at: int | None) -> Piece:
        """Many rows as they were given, the first at a row of the clock."""
        rows = {name: _columns.rows(given[name], self.where(name)) for name in self.names}
        counts = {name: len(r) for name, r in rows.items()}
        if self.rate is None:
            counts["time"] = len(times) if hasattr(times, "__len__") else 1
        count = next(iter(counts.values()))
        odd = next((n for n, c in counts.items() if c != count), None)
        if self.rate is not None and np.ndim(times) == 1 and len(times) != count:
            raise DataError(f"{self.where()}: there are {counted(count, 'row')} and {counted(len(times), 'time')}; "
                            "give a time for each, or that of the first")
        if odd is not None:
            raise DataError(f"{self.where()}: '{next(iter(counts))}' has {count} rows and '{odd}' has {counts[odd]}; "
                            "the channels of a stream have equally many")
        new = self.fresh or (at is not None and at != self.next)
        return Piece(rows, count, times if self.rate is None else None, (at or 0) if new else None)

    def goes_on(self, at: int | None, count: int) -> None:
        """Rows were taken, the first at a row of the clock, or where the last ended."""
        self.next = (self.next if at is None else at) + count
        self.fresh = False

    def cut(self) -> Piece:
        """The rows that are held, which are then held no longer."""
        rows = {name: _columns.stack(self.values[name], self.where(name)) for name in self.names}
        piece = Piece(rows, self.count, self.times if self.rate is None else None, self.first)
        self.values, self.times, self.count, self.first = {}, [], 0, None
        return piece


__all__ = ["Lane", "Piece"]
