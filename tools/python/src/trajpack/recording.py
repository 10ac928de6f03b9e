"""One episode as it is recorded: rows that come one by one or in pieces, until it is committed."""
from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _clocks, _declare, _frames, _given
from ._columns import Rows
from ._errors import UsageError, nearest
from ._lanes import Lane, Piece
from ._spool import Spool
from ._warning import warn
from ._words import counted, printable

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._given import EntityLike
    from ._writer_state import WriterState
    from .episode import Entity


class Recording:
    """An episode that is being recorded, from :meth:`Writer.episode`. Nothing of it is seen before it is committed."""

    def __init__(self, writer: WriterState, id: str, split: str, metadata: Any, start: Fraction) -> None:
        self._writer = writer
        #: The episode's id.
        self.id = id
        self._start = start
        self._lanes: dict[tuple[str, Entity | None], Lane] = {}
        self._films: set[str] = set()
        self._entities: dict[tuple[str, int], Entity] = {}
        self._lock = threading.RLock()
        self._state = "open"
        self._rows = 0
        writer._mine()
        if any(r.id == id and r._state == "open" for r in writer._recordings):
            raise UsageError(f"{writer.path}: episode '{id}' is being recorded already; give another id")
        self._spool = Spool(writer, id, {"id": id, "split": split, "metadata": metadata}, start)
        writer._recordings.add(self)

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

        Raises ``DataError`` where the row does not fit the schema, ``UsageError`` for unknown names. What is refused
        leaves no row of any stream.
        """
        with self._lock:
            self._usable()
            who = self._who(entity)
            placed = []
            for stream, given in _given.grouped(values, channels, self._resolve).items():
                lane = self._lane(stream, who, given)
                placed.append((lane, given, lane.place(time, row, given, self._start, needs=who is not None)))
            for lane, given, at in placed:
                self._register(lane)
                if at is not None and (lane.fresh or at != lane.next):
                    self._flush(lane)
                    lane.first = at
                full = lane.hold(given, time)
                lane.goes_on(at, 1)
                self._rows += 1
                if full and self._writer._channels:
                    self._flush(lane)

    def extend(self, values: Any = None, /, *, time: Any = None, row: int | None = None, entity: EntityLike = None,
               **channels: Any) -> None:
        """Many rows at once: arrays ``[rows, ...]``, masked arrays, lists, columns or a ``DataFrame`` of pandas or
        polars.

        ``time``: for streams without a rate the times of the rows (numbers, dates), or ``{stream: times}``; a frame's
        index of dates is taken, too. On a regular clock the time of the first row. Streams may have different numbers
        of rows. The arrays are taken over at once.
        """
        with self._lock:
            self._usable()
            who = self._who(entity)
            placed = []
            streams = _given.grouped(values, channels, self._resolve)
            for stream in time if isinstance(time, Mapping) else ():
                if stream not in streams:
                    raise UsageError(f"episode '{self.id}': times of '{stream}' are given, and no rows"
                                     f"{nearest(stream, streams)}", option="time")
            for stream, given in streams.items():
                lane = self._lane(stream, who, given)
                own = time.get(stream) if isinstance(time, Mapping) else time
                if own is None and lane.rate is None:
                    own = given.get("time", _given.index_of(values, stream, "mM"))
                at = lane.place(own, row, given, self._start, needs=who is not None and not lane.fresh)
                mark = None
                if own is None and lane.rate is not None:
                    # Who says which row it is says that there may be a gap before it.
                    mark = _clocks.follow(_given.index_of(values, stream, "mMf"), lane.rate, lane.where(), at or 0,
                                          lane.mark if row is None else None)
                placed.append((lane, lane.piece(given, own, at), at, mark))
            for lane, piece, at, mark in placed:
                if piece.count == 0:
                    continue
                self._register(lane)
                self._flush(lane)
                self._take(lane, piece, copied=False)
                lane.goes_on(at, piece.count)
                lane.mark = mark
                self._rows += piece.count

    def video(self, name: str, source: Any, times: Any = None) -> None:
        """The video of a stream of its own, whose rows are its frames in the order of presentation::

            episode.video("rgb", "rgb.mp4")                  # a file, whose bytes are taken over
            episode.video("wrist", jpegs)                    # the bytes of JPEG or PNG files, a frame each
            episode.video("mask", masks)                     # uint8 [frames, height, width] or [..., 3 or 4], or uint16
            episode.video("top", packets, times)             # access units of H.264 or H.265 with start codes

        Pictures and packets are kept as they are, and pictures are put into a movie file, one kind and size; arrays
        become PNG files, without loss. Packets begin with a keyframe and are shown in their order. A stream has one
        video an episode.

        ``times``: when each frame is (numbers or dates), where the stream has no rate; on a regular clock the time of
        the first frame, or of each. A file is read again when the episode is written, so it stays as it is until then.

        Raises ``DataError`` where the source is no video, or frames do not fit each other (with the first episode of a
        data set without a schema, when it is committed), ``UsageError`` for unknown streams.
        """
        with self._lock:
            self._usable()
            where = f"episode '{self.id}', video '{name}'"
            if not isinstance(name, str):
                raise UsageError(f"episode '{self.id}': the name of a video's stream is a text, not "
                                 f"{type(name).__name__}")
            known = self._writer._channels
            if known and name not in known:
                raise UsageError(self._writer._no_stream(name))
            if known and not _declare.is_video(known[name]):
                raise UsageError(f"{where}: the stream's rows are no frames of a video; append them")
            if name in self._films:
                raise UsageError(f"{where}: the episode has a video of this stream already")
            if any(stream == name for stream, _ in self._lanes):
                raise UsageError(f"{where}: the stream has rows already; give the video another name")
            if not known:
                self._writer._refuse_lacking(name, [], where)
            frames = _frames.frames(name, source, times, where)
            if frames.times is None and self._writer._rate(name) is None:
                raise UsageError(f"{where}: give the time of each frame (times=...), or the stream a rate")
            if known:
                with self._failing():
                    self._spool.replay()
                self._rows += self._spool.film(frames)
            else:
                self._spool.keep_film(frames)
                self._rows += frames.count
            self._films.add(name)

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
        who = _given.entity(value)
        if who is None:
            return None
        known = self._entities.get((who.kind, who.index), who)
        if who.type not in (-1, known.type):
            raise UsageError(f"episode '{self.id}': entity {known} is of type {known.type}, not {who.type}; another "
                             "one has another index")
        return known

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
        if stream not in streams and stream in self._writer._described():
            raise UsageError(self._writer._no_stream(stream))
        names = [*known, *(c.name for c in streams.get(only, []))]
        raise UsageError(f"{self._writer.path} has no channel '{path}'{nearest(path, names)}")

    def _lane(self, stream: str, entity: Entity | None, given: Mapping[str, Any]) -> Lane:
        """The lane of a stream and entity, once it is sure that all of its channels are given."""
        if stream in self._films or _declare.is_video(self._writer._channels.get(stream, ())):
            raise UsageError(f"episode '{self.id}': the rows of '{stream}' are frames; give its video by "
                             f"video('{stream}', ...)")
        lane = self._lanes.get((stream, entity))
        rate = self._writer._rate(stream)
        if self._writer._channels:
            if stream not in self._writer._channels:
                raise UsageError(self._writer._no_stream(stream))
            wanted = [c.name for c in self._writer._channels[stream] if rate is not None or c.name != "time"]
        elif lane is not None:
            wanted = lane.names
        else:
            wanted = [name for name in given if rate is not None or name != "time"]
            if not wanted:
                raise UsageError(f"stream '{stream}': times alone are no rows; give a channel")
            self._writer._refuse_lacking(stream, [*wanted, *(["time"] if rate is None else [])], f"episode '{self.id}'")
        where = f"episode '{self.id}', stream '{stream}'"
        for name in given:
            if name not in wanted and not (name == "time" and rate is None):
                raise UsageError(f"{where}: there is no channel '{name}'{nearest(name, wanted)}")
        lacking = [name for name in wanted if name not in given]
        if lacking:
            raise UsageError(f"{where}: channel '{lacking[0]}' is lacking; all channels of a stream come together")
        if lane is None:
            lane = Lane(self.id, stream, entity, rate)
        lane.names = wanted
        return lane

    def _register(self, lane: Lane) -> None:
        """Remembers a lane, and whose it is, now that it gets rows."""
        self._lanes[lane.stream, lane.entity] = lane
        if lane.entity is not None:
            self._entities[lane.entity.kind, lane.entity.index] = lane.entity

    # From rows to the library.

    def _flush(self, lane: Lane) -> None:
        if lane.count:
            with self._failing():
                piece = lane.cut()
            self._take(lane, piece, copied=True)

    def _take(self, lane: Lane, piece: Piece, copied: bool) -> None:
        if not self._writer._channels:
            if not copied:
                piece.rows = {n: r if r.is_text else Rows(np.array(r.values), r.missing, r.weak, r.categories)
                              for n, r in piece.rows.items()}
            self._spool.keep(lane, piece)
            return
        with self._failing():
            self._spool.send(lane, piece)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Marks a recording whose rows were taken in part: it can only be abandoned."""
        try:
            yield
        except BaseException:
            self._state = "failed"
            raise

    # The end.

    def commit(self) -> None:
        """Writes the episode. When this returns it is durable, and ``trajpack.open`` sees it; of a writer with
        ``commit_every``, together with the last of so many episodes."""
        with self._lock, self._writer._lock:
            self._usable()
            if not self._rows:
                raise UsageError(f"episode '{self.id}' has no rows; append some, or abandon it")
            for lane in self._lanes.values():
                self._flush(lane)
            with self._failing():
                if not self._writer._channels:
                    self._spool.infer()
                self._spool.replay()
            self._spool.commit()
            self._state = "committed"
            self._end()

    def abandon(self) -> None:
        """Forgets the episode."""
        with self._lock:
            if self._state in ("open", "failed"):
                self._state = "abandoned"
                self._end()

    def _end(self) -> None:
        self._lanes = {}
        self._spool.free()
        self._writer._recordings.discard(self)

    def _usable(self) -> None:
        self._writer._mine()
        if self._state == "failed":
            raise UsageError(f"episode '{self.id}': rows before did not fit, so the episode can only be abandoned")
        if self._state != "open":
            raise UsageError(f"episode '{self.id}' has been {self._state}")

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

    def __del__(self) -> None:
        # Nobody has it any more, so that nobody can commit it.
        if getattr(self, "_state", "") == "open" and self._rows and self._writer._process == os.getpid():
            warn(f"episode '{self.id}' was neither committed nor abandoned, and is lost "
                 f"with its {counted(self._rows, 'row')}: commit it, or record it in a 'with' block")

    def __repr__(self) -> str:
        return printable(f"<trajpack.Recording '{self.id}': {counted(self._rows, 'row')}, {self._state}>")


__all__ = ["Recording"]
