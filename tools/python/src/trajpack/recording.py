"""One episode as it is recorded: rows that come one by one or in pieces, until it is committed."""
from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from ctypes import byref, c_int64, c_void_p
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from . import _clocks, _columns, _declare, _options, _write_ffi
from ._columns import Rows
from ._errors import DataError, UsageError, nearest
from .episode import Entity

if TYPE_CHECKING:
    from typing_extensions import Self

    from .writer import Writer

EntityLike = Union[Entity, str, "tuple[str, int]", "tuple[str, int, int]", None]


@dataclass
class _Piece:
    """Some rows of a lane. ``first``: the row of the clock where a new track begins, None where the last goes on."""

    rows: dict[str, Rows]
    count: int
    times: Any = None
    first: int | None = None


@dataclass
class _Lane:
    """The rows of one stream and entity, in their order."""

    stream: str
    entity: Entity | None
    rate: Fraction | None
    names: list[str] = field(default_factory=list)
    next: int = 0
    track: int | None = None
    fresh: bool = True
    values: dict[str, list[Any]] = field(default_factory=dict)
    times: list[Any] = field(default_factory=list)
    first: int | None = None
    count: int = 0
    limit: int = 0


class Recording:
    """An episode that is being recorded, from :meth:`Writer.episode`. Nothing of it is seen before it is committed."""

    def __init__(self, writer: Writer, id: str, split: str, metadata: Any, start: Fraction) -> None:
        self._writer = writer
        #: The episode's id.
        self.id = id
        self._document = {"id": id, "split": split, "metadata": metadata}
        self._start = start
        self._lanes: dict[tuple[str, Entity | None], _Lane] = {}
        self._entities: dict[tuple[str, int], Entity] = {}
        self._kept: list[tuple[_Lane, _Piece]] = []
        self._lock = threading.RLock()
        self._state = "open"
        self._rows = 0
        self._pointer = c_void_p()
        self._free = weakref.finalize(self, _free, writer._lock, self._pointer)
        pointer = writer._mine()
        if any(r.id == id and r._state == "open" for r in writer._recordings):
            raise UsageError(f"{writer.path}: episode '{id}' is being recorded already; give another id")
        if writer._channels:
            self._begin()
        else:
            _write_ffi.call("tpw_writer_refuse_taken", pointer, _options_text(id))
            _options.encode(self._document)
        writer._recordings.add(self)

    def _begin(self) -> None:
        with self._writer._lock:
            _write_ffi.call("tpw_episode_begin", self._writer._mine(), _options.encode(self._document),
                            byref(self._pointer))

    @property
    def rows(self) -> int:
        """Rows so far, of all streams."""
        return self._rows

    # Rows.

    def append(self, values: Any = None, /, *, time: Any = None, row: int | None = None, entity: EntityLike = None,
               **channels: Any) -> None:
        """One row of one stream or several: ``append(state=x, action=u)``, ``append({"arm/q": q, "arm/dq": dq})`` or
        ``append({"arm": {"q": q, "dq": dq}})``. All channels of a stream come together.

        ``time``: when; needed for streams without a rate. On a regular clock the row after the last one is meant, and a
        later ``time`` (or ``row`` of the clock, from 0) leaves a gap. ``entity``: whose row it is, ``("npc", 0)`` or
        ``("npc", 0, type)``; since entities come and go, their rows always say when.

        Raises ``DataError`` where the row does not fit the schema, ``UsageError`` for unknown names.
        """
        with self._lock:
            self._usable()
            who = self._who(entity)
            for stream, given in self._grouped(values, channels).items():
                lane = self._lane(stream, who, given)
                at = self._place(lane, time, row, given, needs=who is not None)
                if at is not None and (lane.fresh or at != lane.next):
                    self._flush(lane)
                    lane.first = at
                for name in lane.names:
                    lane.values.setdefault(name, []).append(_held(given[name]))
                if lane.rate is None:
                    lane.times.append(time if time is not None else given["time"])
                lane.next = (lane.next if at is None else at) + 1
                lane.fresh = False
                lane.count += 1
                self._rows += 1
                if not lane.limit:
                    size = sum(getattr(v[0], "nbytes", 32) for v in lane.values.values())
                    lane.limit = max(min((1 << 20) // max(size, 1), 4096), 1)
                if lane.count >= lane.limit and self._writer._channels:
                    self._flush(lane)

    def extend(self, values: Any = None, /, *, time: Any = None, row: int | None = None, entity: EntityLike = None,
               **channels: Any) -> None:
        """Many rows at once: arrays ``[rows, ...]``, masked arrays, lists, columns or a ``DataFrame`` of pandas or polars.

        ``time``: for streams without a rate the times of the rows (numbers, dates), or ``{stream: times}``; a frame's
        index of dates is taken, too. On a regular clock the time of the first row. Streams may have different numbers of
        rows. The arrays are taken over at once.
        """
        with self._lock:
            self._usable()
            who = self._who(entity)
            for stream, given in self._grouped(values, channels).items():
                lane = self._lane(stream, who, given)
                own = time.get(stream) if isinstance(time, Mapping) else time
                if own is None and lane.rate is None:
                    own = given.get("time", _index(values, stream))
                at = self._place(lane, own, row, given, needs=who is not None and not lane.fresh)
                self._flush(lane)
                rows = {name: _columns.rows(given[name], self._where(lane, name)) for name in lane.names}
                counts = {name: len(r) for name, r in rows.items()}
                if lane.rate is None:
                    counts["time"] = len(own) if hasattr(own, "__len__") else 1
                count = next(iter(counts.values()))
                odd = next((n for n, c in counts.items() if c != count), None)
                if odd is not None:
                    raise DataError(f"{self._where(lane)}: '{next(iter(counts))}' has {count} rows and '{odd}' has "
                                    f"{counts[odd]}; the channels of a stream have equally many")
                if count == 0:
                    continue
                new = lane.fresh or (at is not None and at != lane.next)
                self._take(lane, _Piece(rows, count, own if lane.rate is None else None, (at or 0) if new else None),
                           copied=False)
                lane.next = (lane.next if at is None else at) + count
                lane.fresh = False
                self._rows += count

    def leave(self, entity: EntityLike) -> None:
        """Says that an entity is not there any more; rows that come later begin another track of it."""
        with self._lock:
            self._usable()
            who = self._who(entity)
            for lane in self._lanes.values():
                if lane.entity == who:
                    self._flush(lane)
                    lane.fresh = True

    def _who(self, value: EntityLike) -> Entity | None:
        """The entity that is meant: its type need be said once only."""
        who = _entity(value)
        if who is None:
            return None
        known = self._entities.setdefault((who.kind, who.index), who)
        if who.type not in (-1, known.type):
            raise UsageError(f"episode '{self.id}': entity {known} is of type {known.type}, not {who.type}; another one has "
                             "another index")
        return known

    def _grouped(self, values: Any, channels: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """``{stream: {channel: value}}`` of what was given under whatever names."""
        if values is None:
            items = dict(channels)
        elif isinstance(values, Mapping) or _is_frame(values):
            items = {**_members(values), **channels}
        else:
            raise UsageError(f"rows are given by name, as a dict, a DataFrame or keywords, not {type(values).__name__}")
        if not items:
            raise UsageError("no channel was given")
        out: dict[str, dict[str, Any]] = {}
        for key, value in items.items():
            if isinstance(value, Mapping) or _is_frame(value):
                for name, one in _members(value).items():
                    out.setdefault(str(key), {})[str(name)] = one
            else:
                stream, name = self._resolve(str(key))
                out.setdefault(stream, {})[name] = value
        return out

    def _resolve(self, path: str) -> tuple[str, str]:
        known = self._writer._paths
        if not known:
            return _declare.split(path)
        streams = self._writer._channels
        only = next(iter(streams)) if len(streams) == 1 else _declare.FRAMES
        for candidate in (path, f"{only}/{path}"):
            if candidate in known:
                return known[candidate]
        stream, name = _declare.split(path)
        if name == "time" and stream in streams:
            return stream, name
        names = [*known, *(c.name for c in streams.get(only, []))]
        raise UsageError(f"{self._writer.path} has no channel '{path}'{nearest(path, names)}")

    def _lane(self, stream: str, entity: Entity | None, given: Mapping[str, Any]) -> _Lane:
        """The lane of a stream and entity, once it is sure that all of its channels are given."""
        lane = self._lanes.get((stream, entity))
        rate = self._writer._rate(stream)
        if self._writer._channels:
            if stream not in self._writer._channels:
                raise UsageError(f"{self._writer.path} has no stream '{stream}'{nearest(stream, self._writer._channels)}")
            wanted = [c.name for c in self._writer._channels[stream] if rate is not None or c.name != "time"]
        elif lane is not None:
            wanted = lane.names
        else:
            wanted = [name for name in given if rate is not None or name != "time"]
            if not wanted:
                raise UsageError(f"stream '{stream}': times alone are no rows; give a channel")
        where = f"episode '{self.id}', stream '{stream}'"
        for name in given:
            if name not in wanted and not (name == "time" and rate is None):
                raise UsageError(f"{where}: there is no channel '{name}'{nearest(name, wanted)}")
        lacking = [name for name in wanted if name not in given]
        if lacking:
            raise UsageError(f"{where}: channel '{lacking[0]}' is lacking; all channels of a stream come together")
        if lane is None:
            lane = self._lanes[stream, entity] = _Lane(stream, entity, rate)
        lane.names = wanted
        return lane

    def _place(self, lane: _Lane, time: Any, row: int | None, given: Mapping[str, Any], needs: bool) -> int | None:
        """The row of a regular clock that is meant; None for explicit times."""
        where = self._where(lane)
        if lane.rate is None:
            if row is not None:
                raise UsageError(f"{where}: 'row' counts rows of a regular clock, and the stream has explicit times")
            if time is None and "time" not in given:
                raise UsageError(f"{where}: give the time of each row (time=...), or the stream a rate")
            return 0 if lane.fresh else None
        if row is not None and time is not None:
            raise UsageError(f"{where}: 'row' and 'time' both say when; give one")
        if row is None and time is None:
            if needs:
                raise UsageError(f"{where}: entities come and go, so say when: row=... or time=...")
            return lane.next
        at = (int(row) if row is not None else _clocks.rows_of(time, self._start, lane.rate, where))
        if at < lane.next:
            raise DataError(f"{where}: row {at} of the clock comes after row {lane.next - 1}; rows come in their order")
        return at

    def _where(self, lane: _Lane, name: str = "") -> str:
        who = f", entity {lane.entity}" if lane.entity else ""
        return f"episode '{self.id}', {f'channel {lane.stream}/{name}' if name else f'stream {lane.stream}'}{who}"

    # From rows to the library.

    def _flush(self, lane: _Lane) -> None:
        if not lane.count:
            return
        rows = {}
        with self._failing():
            for name in lane.names:
                rows[name] = _columns.stack(lane.values[name], self._where(lane, name))
        piece = _Piece(rows, lane.count, lane.times if lane.rate is None else None, lane.first)
        lane.values, lane.times, lane.count, lane.first = {}, [], 0, None
        self._take(lane, piece, copied=True)

    def _take(self, lane: _Lane, piece: _Piece, copied: bool) -> None:
        if not self._writer._channels:
            if not copied:
                piece.rows = {n: r if r.is_text else Rows(np.array(r.values), r.missing, r.weak, r.categories)
                              for n, r in piece.rows.items()}
            self._kept.append((lane, piece))
            return
        with self._failing():
            self._replay()
            self._send(lane, piece)

    def _replay(self) -> None:
        """What was kept until there was a schema."""
        if not self._pointer.value:
            self._begin()
        kept, self._kept = self._kept, []
        for lane, piece in kept:
            self._send(lane, piece)

    def _send(self, lane: _Lane, piece: _Piece) -> None:
        channels = self._writer._channels[lane.stream]
        clock: dict[str, str]
        times = None
        if lane.rate is None:
            times, clock = self._times(lane, piece)
        else:
            clock = {"type": "regular", "rate": str(lane.rate),
                     "start": str(self._start + Fraction(piece.first or 0) / lane.rate)}
        if piece.first is not None or lane.track is None:
            track = c_int64()
            who = lane.entity
            _write_ffi.call("tpw_episode_track", self._pointer, _options.encode({
                "stream": lane.stream, "clock": clock,
                "entity": None if who is None else {"kind": who.kind, "index": who.index, "type": who.type},
            }), byref(track))
            lane.track = track.value
        columns = (_write_ffi.Column * len(channels))()
        held: list[Any] = []
        for column, channel in zip(columns, channels):
            if channel.name == "time" and times is not None:
                array, text = np.ascontiguousarray(times), b""
            else:
                array, text = _columns.encode(piece.rows[channel.name], channel, self._where(lane, channel.name))
            bytes_ = np.frombuffer(text, np.uint8)
            held += [array, bytes_]
            column.values, column.bytes = array.ctypes.data, array.nbytes
            column.text, column.text_bytes = bytes_.ctypes.data, bytes_.nbytes
        _write_ffi.call("tpw_episode_rows", self._pointer, lane.track, piece.count, columns, len(channels))
        del held

    def _times(self, lane: _Lane, piece: _Piece) -> tuple[Any, dict[str, str]]:
        """Explicit times as the stream stores them, and its clock."""
        where = self._where(lane)
        times, tick = _clocks.explicit(piece.times, where)
        channel = next((c for c in self._writer._channels[lane.stream] if c.name == "time"), None)
        if channel is None:
            raise UsageError(f"{where}: the stream has a regular clock in this data set; say its rate (rate=...)")
        if channel.type == "float64":
            if tick is not None:
                raise DataError(f"{where}: the stream's times are floats, these are dates or durations")
            return times.astype(np.float64), {"type": "float64"}
        if times.dtype != np.int64:
            raise DataError(f"{where}: the stream's times are whole ticks, these are {times.dtype.name}")
        unit = self._writer._about.get(lane.stream, {}).get("tick")
        if unit is None:
            raise UsageError(f"{where}: say how long a tick of its times is: "
                             f"streams={{'{lane.stream}': {{'tick': '1/1000000000'}}}}")
        return _clocks.in_ticks(times, tick, unit, where), {"type": "ticks", "tick": str(unit)}

    def _infer(self) -> None:
        """The writer's schema, from what was kept."""
        parts: dict[str, dict[str, list[Rows]]] = {}
        ticks: dict[str, Fraction] = {}
        for lane, piece in self._kept:
            channels = parts.setdefault(lane.stream, {})
            if lane.rate is None:
                times, tick = _clocks.explicit(piece.times, self._where(lane))
                channels.setdefault("time", []).append(Rows(times))
                if tick is not None:
                    ticks[lane.stream] = min(tick, ticks.get(lane.stream, tick))
            for name, rows in piece.rows.items():
                channels.setdefault(name, []).append(rows)
        self._writer._infer({
            stream: {name: _columns.joined(rows, f"episode '{self.id}', channel {stream}/{name}")
                     for name, rows in channels.items()}
            for stream, channels in parts.items()}, ticks)

    # The end.

    def commit(self) -> None:
        """Writes the episode. When this returns it is durable, and ``trajpack.open`` sees it."""
        with self._lock, self._writer._lock:
            self._usable()
            if not self._rows:
                raise UsageError(f"episode '{self.id}' has no rows; append some, or abandon it")
            for lane in self._lanes.values():
                self._flush(lane)
            with self._failing():
                if not self._writer._channels:
                    self._infer()
                self._replay()
            _write_ffi.call("tpw_episode_commit", self._pointer)
            self._state = "committed"
            self._end()

    def abandon(self) -> None:
        """Forgets the episode."""
        with self._lock:
            if self._state in ("open", "failed"):
                self._state = "abandoned"
                self._end()

    def _end(self) -> None:
        self._lanes, self._kept = {}, []
        self._free()
        self._writer._recordings.discard(self)

    def _usable(self) -> None:
        self._writer._mine()
        if self._state == "failed":
            raise UsageError(f"episode '{self.id}': rows before did not fit, so the episode can only be abandoned")
        if self._state != "open":
            raise UsageError(f"episode '{self.id}' has been {self._state}")

    def _failing(self) -> _Failing:
        return _Failing(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None or self._state == "abandoned":
            self.abandon()
            return
        if self._state != "committed":
            try:
                self.commit()
            finally:
                self.abandon()

    def __repr__(self) -> str:
        return f"<trajpack.Recording '{self.id}': {self._rows:,} rows, {self._state}>"


class _Failing:
    """Marks a recording whose rows were taken in part: it can only be abandoned."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self._recording._state = "failed"


def _free(lock: Any, pointer: c_void_p) -> None:
    with lock:
        _write_ffi.library().tpw_episode_free(pointer)


def _entity(value: EntityLike) -> Entity | None:
    if value is None or isinstance(value, Entity):
        return value
    parts = (value, 0) if isinstance(value, str) else tuple(value)
    if not 2 <= len(parts) <= 3 or not isinstance(parts[0], str):
        raise UsageError(f"an entity is a kind and an index, ('npc', 0), or those and a type; not {value!r}")
    try:
        return Entity(parts[0], int(parts[1]), int(parts[2]) if len(parts) == 3 else -1)
    except (TypeError, ValueError):
        raise UsageError(f"an entity's index and type are whole numbers, not {parts[1:]!r}") from None


def _held(value: Any) -> Any:
    """A value that stays as it is when its giver uses the memory again."""
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, np.ma.MaskedArray):
        return value.copy()
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        return np.array(value)
    return list(value) if isinstance(value, (list, tuple)) else value


def _is_frame(value: Any) -> bool:
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns")


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {str(name): value[name] for name in value.columns}


def _index(values: Any, stream: str) -> Any:
    """The dates that are the index of a frame of pandas."""
    frame = values.get(stream) if isinstance(values, Mapping) else values
    index = getattr(frame, "index", None) if _is_frame(frame) else None
    return index if type(index).__name__ in ("DatetimeIndex", "TimedeltaIndex") else None


def _options_text(id: str) -> bytes:
    from . import _ffi
    return _ffi.name_bytes(id)


__all__ = ["EntityLike", "Recording"]
