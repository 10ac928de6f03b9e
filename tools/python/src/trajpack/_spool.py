"""The pieces of an episode on their way into the library: kept until there is a schema, then handed over."""
from __future__ import annotations

import weakref
from ctypes import byref, c_int64, c_void_p
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bindings, _clocks, _columns, _ffi, _frames, _options, _write_ffi
from ._columns import Rows
from ._errors import DataError, UsageError

if TYPE_CHECKING:
    from ._frames import Frames
    from ._lanes import Lane, Piece
    from ._schema import Channel
    from ._writer_state import WriterState


class Spool:
    """What an episode has in the library, and what waits for a schema."""

    def __init__(self, writer: WriterState, id: str, document: dict[str, Any], start: Fraction) -> None:
        self._writer, self._id, self._start = writer, id, start
        self._document = _options.encode(document)
        self._kept: list[tuple[Lane, Piece]] = []
        self._films: list[Frames] = []
        self._pointer = c_void_p()
        self._free = weakref.finalize(self, _free, writer._lock, self._pointer)
        if writer._channels:
            self._begin()
        else:
            _write_ffi.call("tpw_writer_refuse_taken", writer._mine(), _ffi.name_bytes(id))

    def _begin(self) -> None:
        with self._writer._lock:
            _write_ffi.call("tpw_episode_begin", self._writer._mine(), self._document, byref(self._pointer))

    def keep(self, lane: Lane, piece: Piece) -> None:
        """Keeps a piece, whose arrays nobody else may change, until there is a schema."""
        self._kept.append((lane, piece))

    def send(self, lane: Lane, piece: Piece) -> None:
        """Hands a piece over, after all that was kept."""
        self.replay()
        self._send(lane, piece)

    def replay(self) -> None:
        """Hands over what was kept until there was a schema."""
        if not self._pointer.value:
            self._begin()
        kept, self._kept = self._kept, []
        for lane, piece in kept:
            self._send(lane, piece)
        films, self._films = self._films, []
        for one in films:
            self.film(one)

    def keep_film(self, one: Frames) -> None:
        """Keeps a video until there is a schema."""
        self._films.append(one)

    def film(self, one: Frames) -> int:
        """Hands a video over; how many frames it has."""
        if not self._pointer.value:
            self._begin()
        where = f"episode '{self._id}', video '{one.stream}'"
        rate = self._writer._rate(one.stream)
        times: Any = np.zeros(0)
        if rate is None:
            if one.times is None:
                raise UsageError(f"{where}: give the time of each frame (times=...), or the stream a rate")
            times, clock = self._times(one.stream, one.times, where)
            times = np.ascontiguousarray(times)
        else:
            first = 0 if one.times is None else _clocks.rows_of(one.times, self._start, rate, where)
            if one.times is not None and np.ndim(one.times) and one.packets and len(one.times) != len(one.packets):
                raise DataError(f"{where}: has {len(one.packets)} frames and {len(one.times)} times")
            clock = {"type": "regular", "rate": str(rate), "start": str(self._start + Fraction(first) / rate)}
        document = {"stream": one.stream, "clock": clock}
        if one.path is not None:
            document["file"] = one.path
        column = _bindings.Column()
        lengths = np.fromiter(map(len, one.packets), np.int64, len(one.packets))
        pairs = np.zeros((len(one.packets), 2), np.int64)
        pairs[1:, 0] = np.cumsum(lengths)[:-1]
        pairs[:, 1] = lengths
        text = np.frombuffer(b"".join(one.packets), np.uint8)
        column.values, column.bytes = pairs.ctypes.data, pairs.nbytes
        column.text, column.text_bytes = text.ctypes.data, text.nbytes
        rows = c_int64()
        _write_ffi.call("tpw_episode_video", self._pointer, _options.encode(document), byref(column), len(one.packets),
                        times.ctypes.data, len(times), byref(rows))
        del pairs, text
        return rows.value

    def commit(self) -> None:
        """Writes what was handed over; it is durable then."""
        _write_ffi.call("tpw_episode_commit", self._pointer)

    def free(self) -> None:
        """Forgets what was not committed."""
        self._kept, self._films = [], []
        self._free()

    def leave(self) -> None:
        """In the child of a fork: what the library holds is the parent's."""
        self._free.detach()

    def infer(self) -> None:
        """The writer's schema, from what was kept."""
        parts: dict[str, dict[str, list[Rows]]] = {}
        ticks: dict[str, Fraction] = {}
        for lane, piece in self._kept:
            channels = parts.setdefault(lane.stream, {})
            if lane.rate is None:
                times, tick = _clocks.explicit(piece.times, lane.where())
                channels.setdefault("time", []).append(Rows(times))
                if tick is not None:
                    ticks[lane.stream] = min(tick, ticks.get(lane.stream, tick))
            for name, rows in piece.rows.items():
                channels.setdefault(name, []).append(rows)
        films: dict[str, list[Channel]] = {}
        for one in self._films:
            dtype = None
            if self._writer._rate(one.stream) is None:
                times, tick = _clocks.explicit([] if one.times is None else one.times,
                                               f"episode '{self._id}', video '{one.stream}'")
                dtype = times.dtype.name
                if tick is not None:
                    ticks[one.stream] = tick
            films[one.stream] = _frames.channels(one.stream, dtype)
        self._writer._infer({
            stream: {name: _columns.joined(rows, f"episode '{self._id}', channel {stream}/{name}")
                     for name, rows in channels.items()}
            for stream, channels in parts.items()}, ticks, films)

    def _send(self, lane: Lane, piece: Piece) -> None:
        channels = self._writer._channels[lane.stream]
        clock: dict[str, str]
        times = None
        if lane.rate is None:
            times, clock = self._times(lane.stream, piece.times, lane.where())
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
        columns = (_bindings.Column * len(channels))()
        held: list[Any] = []
        for column, channel in zip(columns, channels, strict=True):
            if channel.name == "time" and times is not None:
                array, text = np.ascontiguousarray(times), b""
            else:
                array, text = _columns.encode(piece.rows[channel.name], channel, lane.where(channel.name))
            bytes_ = np.frombuffer(text, np.uint8)
            held += [array, bytes_]
            column.values, column.bytes = array.ctypes.data, array.nbytes
            column.text, column.text_bytes = bytes_.ctypes.data, bytes_.nbytes
        _write_ffi.call("tpw_episode_rows", self._pointer, lane.track, piece.count, columns, len(channels))
        del held

    def _times(self, stream: str, given: Any, where: str) -> tuple[Any, dict[str, str]]:
        """Explicit times as the stream stores them, and its clock."""
        times, tick = _clocks.explicit(given, where)
        channel = next((c for c in self._writer._channels[stream] if c.name == "time"), None)
        if channel is None:
            raise UsageError(f"{where}: the stream has a regular clock in this data set; say its rate (rate=...)")
        if channel.type == "float64":
            if tick is not None:
                raise DataError(f"{where}: the stream's times are floats, these are dates or durations")
            return times.astype(np.float64), {"type": "float64"}
        if times.dtype != np.int64:
            raise DataError(f"{where}: the stream's times are whole ticks, these are {times.dtype.name}")
        unit = self._writer._about.get(stream, {}).get("tick")
        if unit is None:
            raise UsageError(f"{where}: say how long a tick of its times is: "
                             f"streams={{'{stream}': {{'tick': '1/1000000000'}}}}")
        return _clocks.in_ticks(times, tick, unit, where), {"type": "ticks", "tick": str(unit)}


def _free(lock: Any, pointer: c_void_p) -> None:
    with lock:
        _write_ffi.library().tpw_episode_free(pointer)


__all__ = ["Spool"]
