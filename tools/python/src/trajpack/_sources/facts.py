"""What a recording of a source holds, gathered while it is read: streams, channels, types, times."""
from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .. import _clocks, _columns, _declare, _options
from .._columns import Rows as Column
from .._errors import DataError, UsageError
from .._schema import Channel
from ..sources import Rows, Video


def column(value: Any, where: str) -> Column | list[bytes | None]:
    """Rows as a column of numbers or texts, or a list of bytes; None in lists of texts and bytes is not observed."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO" and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, (list, tuple)) and value:
        there = [v for v in value if v is not None]
        if there and all(isinstance(v, (bytes, bytearray, memoryview)) for v in there):
            return [None if v is None else bytes(v) for v in value]
        if there and len(there) < len(value) and all(isinstance(v, str) for v in there):
            return Column(list(value))
        if not there:
            raise DataError(f"{where}: all rows are None, so nothing says what they are; leave the channel out")
        if len(there) < len(value):
            value = [np.ma.masked if v is None else v for v in value]
    return _columns.rows(value, where)


def texts(values: list[Any], where: str) -> tuple[Any, bytes]:
    """Pairs of offset and length, offset -1 for what was not observed, and the bytes they point into."""
    try:
        raw = [v if v is None or isinstance(v, bytes) else v.encode() for v in values]
    except UnicodeEncodeError:
        raise DataError(f"{where}: holds text that is no Unicode (a lone surrogate)") from None
    pairs = np.zeros((len(raw), 2), "<i8")
    lengths = np.fromiter((0 if v is None else len(v) for v in raw), np.int64, len(raw))
    pairs[1:, 0] = np.cumsum(lengths)[:-1]
    pairs[:, 1] = lengths
    pairs[[v is None for v in raw], 0] = -1
    return pairs, b"".join(v for v in raw if v is not None)


@dataclass
class Fact:
    """What the rows of a channel have shown so far."""

    channel: Channel
    weak: bool = False

    def merge(self, other: Channel, where: str) -> None:
        """Takes in a later piece."""
        mine = self.channel
        if (mine.type == "bytes") != (other.type == "bytes"):
            raise DataError(f"{where}: some rows are numbers and some are text or bytes")
        if mine.shape != other.shape:
            raise DataError(f"{where}: rows have different shapes, {mine.shape} and {other.shape}")
        if mine.type != other.type:
            mine = replace(mine, type=np.promote_types(mine.type, other.type).name)
        if other.missing != "never" and mine.missing == "never":
            mine = replace(mine, missing=other.missing)
        if mine.type.startswith("float"):
            mine = replace(mine, missing="nan")
        elif mine.missing != "never":
            mine = replace(mine, missing="sentinel", type=_signed(mine.type))
        self.channel = mine


def _signed(name: str) -> str:
    """The whole numbers whose least stands for what was not observed."""
    return name if name in ("int32", "int64") else "int32" if np.dtype(name).itemsize < 4 and name != "uint32" else \
        "int64"


@dataclass
class StreamFacts:
    """A stream of a recording."""

    name: str
    clock: dict[str, Any]
    unit: str
    attributes: dict[str, Any]
    channels: dict[str, Fact] = field(default_factory=dict)
    count: int = 0
    video: dict[str, Any] | None = None

    def json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "name": self.name, "count": self.count, "time": self.clock, "time_unit": self.unit,
            "attributes": self.attributes,
            "channels": [
                _there({"name": c.name, "kind": c.kind, "type": c.type, "shape": list(c.shape), "units": c.units,
                        "description": c.description, "conventions": _options.plain(dict(c.conventions)),
                        "categories": None if c.categories is None else list(c.categories), "missing": c.missing,
                        "block": 0, "column": 0})
                for c in (fact.channel for fact in self.channels.values())],
            "video": None if self.video is None else _there(self.video)}
        return _there(out)


def _there(members: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in members.items() if v is not None}


@dataclass
class Piece:
    """A piece of a stream, checked: its columns and times."""

    stream: StreamFacts
    columns: dict[str, Column | list[bytes | None]]
    times: Any
    count: int


class Facts:
    """The streams of a recording as its pieces come."""

    def __init__(self, episode: str) -> None:
        self.episode = episode
        self.streams: dict[str, StreamFacts] = {}

    def where(self, stream: str, channel: str = "") -> str:
        return f"stream '{stream}'" + (f", channel '{channel}'" if channel else "")

    def add(self, given: Rows) -> Piece:
        """Takes in rows."""
        where = self.where(given.stream)
        if not isinstance(given.channels, Mapping) or not given.channels:
            raise UsageError(f"{where}: rows have no channel; give {{channel: rows}}")
        columns = {str(name): column(value, self.where(given.stream, str(name)))
                   for name, value in given.channels.items()}
        count = len(next(iter(columns.values())))
        for name, rows in columns.items():
            if len(rows) != count:
                raise DataError(f"{self.where(given.stream, name)}: has {len(rows)} rows where "
                                f"'{next(iter(columns))}' has {count}")
        clock, times = self._times(given, count, where)
        stream = self._stream(given, clock, where)
        if stream.video is not None:
            raise UsageError(f"{where}: is a video already; give its rows another stream")
        fresh = not stream.channels
        if not fresh and set(stream.channels) != set(columns):
            odd = sorted(set(stream.channels) ^ set(columns))[0]
            raise DataError(f"{self.where(given.stream, odd)}: is in some pieces of the stream and not in others")
        for name, rows in columns.items():
            where = self.where(given.stream, name)
            if name == "time":
                raise UsageError(f"{where}: a channel cannot be called 'time'; give Rows(time=...)")
            found = self._channel(given, name, rows)
            if fresh:
                stream.channels[name] = Fact(found)
                stream.channels[name].merge(found, where)
            else:
                stream.channels[name].merge(found, where)
        stream.count += count
        return Piece(stream, columns, times, count)

    def video(self, given: Video) -> Piece:
        """Takes in a video."""
        where = self.where(given.stream)
        if given.stream in self.streams:
            raise UsageError(f"{where}: is there already; a video is a stream of its own")
        count = -1 if given.count is None else int(given.count)
        pts = None
        if given.pts is not None:
            pts = [int(v) for v in given.pts]
            count = len(pts) if count < 0 else count
            if len(pts) != count:
                raise DataError(f"{where}: has {len(pts)} times of presentation for {count} rows")
        clock, times = self._times(given, count, where)
        if times is not None and count < 0:
            count = len(times)
        stream = self._stream(given, clock, where)
        stream.count = count
        stream.video = {"path": os.fspath(given.path), "first": int(given.first), "pts": pts}
        return Piece(stream, {}, times, max(count, 0))

    def _stream(self, given: Rows | Video, clock: dict[str, Any], where: str) -> StreamFacts:
        known = self.streams.get(given.stream)
        if known is None:
            if not isinstance(given.stream, str) or not given.stream:
                raise UsageError(f"a stream's name is a text, not {given.stream!r}")
            known = StreamFacts(given.stream, clock, given.time_unit if "type" in clock or given.rate is not None
                                else "step", _options.plain(dict(given.attributes)))
            self.streams[given.stream] = known
        elif known.clock != clock:
            raise DataError(f"{where}: its pieces have different clocks, {_clock(known.clock)} and {_clock(clock)}")
        return known

    def _times(self, given: Rows | Video, count: int, where: str) -> tuple[dict[str, Any], Any]:
        """The clock of rows, and their own times where they have some."""
        if given.time is None:
            rate = Fraction(1) if given.rate is None else _clocks.positive(given.rate, f"rate of {where}")
            return {"rate": str(rate), "start": str(_clocks.exact(given.start, f"start of {where}"))}, None
        if given.rate is not None:
            raise UsageError(f"{where}: give its times or its rate, not both")
        times, tick = _clocks.explicit(given.time, where)
        if count >= 0 and len(times) != count:
            raise DataError(f"{where}: has {len(times)} times for {count} rows")
        if times.dtype == np.float64:
            return {"type": "float64"}, times
        own = tick if given.tick is None else _clocks.positive(given.tick, f"tick of {where}")
        if own is None:
            own = Fraction(1)
        return {"type": "int64", "tick": str(own)}, _clocks.in_ticks(times, tick, own, where)

    def _channel(self, given: Rows, name: str, rows: Column | list[bytes | None]) -> Channel:
        hint = {key: value for key, value in (
            ("units", given.units.get(name)), ("kind", given.kinds.get(name)),
            ("description", given.descriptions.get(name)), ("categories", given.categories.get(name)),
            ("conventions", given.conventions.get(name))) if value is not None}
        if isinstance(rows, list):
            if (kind := hint.pop("kind", "packet")) != "packet":
                raise UsageError(f"{self.where(given.stream, name)}: bytes are of kind 'packet', not '{kind}'")
            return replace(_declare.channel(given.stream, name, "bytes", (), hint), kind="packet")
        if rows.is_text:
            if "categories" not in hint:
                return _declare.channel(given.stream, name, "bytes", (), hint)
            return _declare.inferred(given.stream, name, rows, hint)
        return _declare.inferred(given.stream, name, rows, hint)


def _clock(clock: dict[str, Any]) -> str:
    return f"{clock['rate']} rows a second from {clock['start']}" if "rate" in clock else \
        f"times of type {clock['type']}" + (f" in ticks of {clock['tick']} s" if "tick" in clock else "")
