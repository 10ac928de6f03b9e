"""One recording: its tracks, its tables, and arrays of their rows."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from ctypes import byref, c_void_p, string_at
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError, nearest
from ._schema import TYPES, Channel, Stream, resolve
from ._words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset


@dataclass(frozen=True)
class Entity:
    """Whose rows they are: ``kind`` "npc", ``index`` 0, and the source's number of its sort."""

    kind: str
    index: int
    type: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.index}"


@dataclass(frozen=True)
class Track:
    """One entity's contiguous rows of a stream: ``number`` in the data set, ``clock`` as the archive has it."""

    number: int
    stream: str
    entity: Entity | None
    rows: int
    clock: dict[str, Any]
    metadata: dict[str, Any]


class Episode:
    """One recording. ``episode["state/hp"][100:200]`` is numpy; ``episode["state"]`` is a :class:`Table`;
    a stream of entities, ``episode["npc"]``, holds a table for each."""

    def __init__(self, dataset: Dataset, number: int) -> None:
        document = _ffi.text("tp_dataset_episode", dataset._pointer, number)
        self.dataset = dataset
        #: Its number in the data set.
        self.number = number
        self.id: str = document["id"]
        #: The split, or "".
        self.split: str = document["split"] or ""
        self.metadata: dict[str, Any] = document.get("metadata") or {}
        #: Every track, in the archive's order.
        self.tracks: tuple[Track, ...] = tuple(
            Track(t["track"], t["stream"], Entity(**t["entity"]) if t.get("entity") else None, t["rows"], t["clock"],
                  t.get("metadata") or {})
            for t in document["tracks"])

    def __reduce__(self) -> Any:
        return Episode, (self.dataset, self.number)

    @cached_property
    def streams(self) -> dict[str, Table | Entities]:
        """The streams that this episode has, in the archive's order."""
        found: dict[str, Table | Entities] = {}
        for name, stream in self.dataset.streams.items():
            tracks = [t for t in self.tracks if t.stream == name]
            own = [t for t in tracks if t.entity is None]
            if len(own) < len(tracks) or (not tracks and stream.entities):
                found[name] = Entities(self, stream, [t for t in tracks if t.entity is not None])
            elif own:
                found[name] = Table(self, stream, None, own)
        return {k: v for k, v in found.items() if isinstance(v, Table) or len(v)}

    def __getitem__(self, path: str) -> Any:
        """``"stream"``: its :class:`Table` or :class:`Entities`; ``"stream/channel"``: a :class:`Column`."""
        stream, channel = resolve(self.dataset.streams, path)
        if stream.name not in self.streams:
            raise UsageError(f"episode '{self.id}' has no rows of stream '{stream.name}'"
                             + nearest(stream.name, self.streams))
        table = self.streams[stream.name]
        if channel is None:
            return table
        if isinstance(table, Entities):
            if len(table) > 1:
                raise UsageError(f"stream '{stream.name}' has {len(table)} entities in episode '{self.id}'; choose "
                                 f"one: episode['{stream.name}'][0]['{channel.name}']")
            table = table[0]
        return table[channel.name]

    def __contains__(self, path: object) -> bool:
        try:
            stream, _ = resolve(self.dataset.streams, str(path))
        except UsageError:
            return False
        return stream.name in self.streams

    def __iter__(self) -> Iterator[str]:
        return iter(self.streams)

    def _tables(self, stream: str | None) -> dict[str, list[Table]]:
        if stream is not None:
            found = self[stream]
            if isinstance(found, Column):
                raise UsageError(f"'{stream}' is a channel; name a stream, or take the column itself")
            return {stream: [found] if isinstance(found, Table) else list(found)}
        return {k: [v] if isinstance(v, Table) else list(v) for k, v in self.streams.items()}

    def to_pandas(self, stream: str | None = None) -> Any:
        """A ``DataFrame`` of a stream, or a dict of them by stream.

        The index is ``time``, before it ``entity`` for a stream of entities. Channels with a shape become columns
        ``pos.0``, ``pos.1``; categories a ``Categorical``; integers that were not observed ``<NA>``.
        """
        from ._convert import to_pandas
        frames = {name: to_pandas(tables) for name, tables in self._tables(stream).items()}
        return frames[stream] if stream is not None else frames

    def to_arrow(self, stream: str | None = None) -> Any:
        """A ``pyarrow.Table`` of a stream, or a dict of them: ``time`` (``entity`` before it), then the channels;
        those with a shape are fixed-size lists; what was not observed is null."""
        from ._convert import to_arrow
        tables = {name: to_arrow(tables) for name, tables in self._tables(stream).items()}
        return tables[stream] if stream is not None else tables

    def to_xarray(self, stream: str | None = None) -> Any:
        """An ``xarray.Dataset`` of a stream (dims ``time``, then ``CHANNEL.0`` ...), an ``xarray.DataTree`` of
        entities, or a ``DataTree`` of all streams."""
        from ._convert import to_xarray
        return to_xarray(self, self._tables(stream), stream)

    def __repr__(self) -> str:
        split = f", {self.split}" if self.split else ""
        lines = [f"<trajpack.Episode {self.id}{split}>"]
        for name, table in self.streams.items():
            if isinstance(table, Table):
                lines.append(f"  {name}: {counted(len(table), 'row')}, {counted(len(table.stream.channels), 'channel')}")
            else:
                who = ", ".join(f"{t.entity} {counted(len(t), 'row')}" for t in table)
                lines.append(f"  {name}: {who}; {counted(len(table.stream.channels), 'channel')}")
        return "\n".join(lines)


class Entities(Sequence["Table"]):
    """The entities of a stream in an episode, sorted by kind, index and type: ``episode["npc"][0]``,
    ``episode["npc"]["npc", 1]``."""

    def __init__(self, episode: Episode, stream: Stream, tracks: list[Track]) -> None:
        self.stream = stream
        self._episode = episode
        of: dict[Entity, list[Track]] = {}
        for track in tracks:
            assert track.entity is not None
            of.setdefault(track.entity, []).append(track)
        order = sorted(of, key=lambda e: (e.kind.encode(), e.index, e.type))
        self._tables = [Table(episode, stream, entity, of[entity]) for entity in order]

    def __len__(self) -> int:
        return len(self._tables)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, tuple):
            for table in self._tables:
                if table.entity is not None and (table.entity.kind, table.entity.index) == which[:2]:
                    return table
            known = ", ".join(str(t.entity) for t in self._tables)
            raise UsageError(f"episode '{self._episode.id}' has no entity {which} of '{self.stream.name}'; there is "
                             f"{known}")
        if isinstance(which, str):
            raise UsageError(f"stream '{self.stream.name}' has {len(self)} entities; choose one before its channel: "
                             f"[0]['{which}']")
        return self._tables[which]

    def __repr__(self) -> str:
        return f"{self.stream.name}: " + ", ".join(f"{t.entity} {counted(len(t), 'row')}" for t in self._tables)


class Table:
    """The rows of one entity of a stream, or of a stream of the episode itself; where there are gaps, of several
    tracks one after the other."""

    def __init__(self, episode: Episode, stream: Stream, entity: Entity | None, tracks: list[Track]) -> None:
        self.episode = episode
        self.stream = stream
        #: Whose rows they are; None where they belong to the episode.
        self.entity = entity
        self.tracks = tuple(tracks)

    def __len__(self) -> int:
        return sum(t.rows for t in self.tracks)

    def __getitem__(self, channel: str) -> Column:
        return Column(self, self.stream[channel])

    def __iter__(self) -> Iterator[str]:
        return iter(self.stream.channels)

    def keys(self) -> list[str]:
        """The names of the channels."""
        return list(self.stream.channels)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """The time of every row, ``[rows]`` float64 in the unit of the stream."""
        out = np.empty(len(self), np.float64)
        at = 0
        for track in self.tracks:
            _ffi.call("tp_dataset_times", self.episode.dataset._pointer, track.number, 0, track.rows,
                      c_void_p(out.ctypes.data + 8 * at))
            at += track.rows
        out.setflags(write=False)
        return out

    def to_pandas(self) -> Any:
        """See :meth:`Episode.to_pandas`."""
        from ._convert import to_pandas
        return to_pandas([self])

    def to_arrow(self) -> Any:
        """See :meth:`Episode.to_arrow`."""
        from ._convert import to_arrow
        return to_arrow([self])

    def to_xarray(self) -> Any:
        """See :meth:`Episode.to_xarray`."""
        from ._convert import table_to_xarray
        return table_to_xarray(self)

    def __repr__(self) -> str:
        who = f" of {self.entity}" if self.entity else ""
        lines = [f"{self.stream.name}{who}: {counted(len(self), 'row')} in {counted(len(self.tracks), 'track')}"]
        return "\n  ".join([*lines, *map(str, self.stream.channels.values())])


class Column:
    """A channel's rows. Indexing reads what it names, and no more, into a fresh array ``[rows, *shape]``; a
    channel of bytes gives lists of ``bytes``, of ``str`` where its kind is text, None where nothing is held."""

    def __init__(self, table: Table, channel: Channel) -> None:
        self.table = table
        self.channel = channel

    @property
    def dtype(self) -> np.dtype[Any]:
        """The channel's own type."""
        return np.dtype(object if self.channel.type == "bytes" else self.channel.type)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(rows, *row shape)``."""
        return (len(self.table), *self.channel.shape)

    @property
    def times(self) -> NDArray[np.float64]:
        """The time of every row."""
        return self.table.times

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names that the numbers of a categorical channel stand for."""
        return self.channel.categories

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: Any) -> Any:
        return self._take(index, lambda first, count: self._read(first, count, None)[0])

    def observed(self, index: Any = slice(None)) -> Any:
        """Which elements of those rows were observed: bool, of the shape that indexing gives."""
        if self.channel.type == "bytes":
            values = self._take(index, lambda first, count: self._bytes(first, count))
            return np.array([v is not None for v in values]) if isinstance(values, list) else values is not None
        return self._take(index, lambda first, count: self._read(first, count, None, mask=True)[1])

    def read(self, first: int = 0, count: int | None = None, dtype: Any = None) -> Any:
        """Rows ``[first, first + count)`` as ``dtype``, cast while they are read."""
        rows = len(self)
        first = _options.whole(first, "first")
        count = rows - first if count is None else _options.whole(count, "count")
        if first < 0 or count < 0 or first + count > rows:
            raise UsageError(f"'{self.channel.path}' has {rows} rows, so rows {first} to {first + count} lie outside")
        try:
            kind = None if dtype is None else np.dtype(dtype)
        except TypeError:
            raise UsageError(f"there is no dtype {dtype!r}{nearest(dtype, TYPES)}") from None
        return self._read(first, count, kind)[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("the rows of an archive can only be copied into an array")
        values = self._read(0, len(self), None)[0]
        return np.asarray(values, dtype=object if isinstance(values, list) else dtype)

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), 1024):
            yield from self._read(first, min(1024, len(self) - first), None)[0]

    def __repr__(self) -> str:
        return f"<trajpack.Column {self.channel.path} {self.shape} {self.channel.type}>"

    def _take(self, index: Any, read: Any) -> Any:
        """Reads the rows that a numpy index names."""
        rest: tuple[Any, ...] = ()
        if isinstance(index, tuple):
            index, rest = (index[0], index[1:]) if index else (slice(None), ())
        if index is Ellipsis:
            index, rest = slice(None), (Ellipsis, *rest) if rest else ()
        rows = len(self)
        if isinstance(index, (int, np.integer)) and not isinstance(index, (bool, np.bool_)):
            if not -rows <= index < rows:
                raise IndexError(f"'{self.channel.path}' has {rows} rows, so there is no row {index}")
            out = read(int(index) % rows, 1)[0]
            return out[rest] if rest else out
        if isinstance(index, slice):
            steps = range(*index.indices(rows))
            if not steps:
                out = read(0, 0)
            else:
                low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1])
                out = read(low, high - low + 1)
                if steps.step != 1:
                    out = out[::steps.step]
            return out[(slice(None), *rest)] if rest else out
        wanted = np.asarray(index)
        if wanted.dtype == bool:
            if wanted.shape != (rows,):
                raise IndexError(f"a mask of '{self.channel.path}' has {rows} elements, not {wanted.shape}")
            wanted = np.flatnonzero(wanted)
        if wanted.size == 0:
            wanted = wanted.astype(np.int64)
        if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
            raise IndexError(f"'{self.channel.path}' takes a row, a slice, a list of rows or a mask, not {index!r}")
        if wanted.size and (wanted.min() < -rows or wanted.max() >= rows):
            raise IndexError(f"'{self.channel.path}' has {rows} rows, and {index!r} has one outside")
        wanted = np.where(wanted < 0, wanted + rows, wanted)
        if wanted.size == 0:
            out = read(0, 0)
        elif int(wanted.max() - wanted.min()) < 4 * wanted.size + 4096:
            low = int(wanted.min())
            near = read(low, int(wanted.max()) - low + 1)
            out = [near[i - low] for i in wanted] if isinstance(near, list) else near[wanted - low]
        else:
            parts = [read(int(i), 1) for i in wanted]
            out = [p for part in parts for p in part] if isinstance(parts[0], list) else np.concatenate(parts)
        return out[(slice(None), *rest)] if rest else out

    def _runs(self, first: int, count: int) -> Iterator[tuple[Track, int, int, int]]:
        """Track, first row in it, rows, and where they go."""
        start = 0
        for track in self.table.tracks:
            low, high = max(first, start), min(first + count, start + track.rows)
            if low < high:
                yield track, low - start, high - low, low - first
            start += track.rows

    def _read(self, first: int, count: int, dtype: Any, mask: bool = False) -> tuple[Any, Any]:
        if self.channel.type == "bytes":
            if dtype is not None:
                raise UsageError(f"'{self.channel.path}' holds bytes, which cannot be cast")
            return self._bytes(first, count), None
        kind = np.dtype(self.channel.type if dtype is None else dtype)
        out = np.empty((count, *self.channel.shape), kind)
        seen = np.empty(out.shape, bool) if mask else None
        row, elements = out[:1].nbytes, int(np.prod(self.channel.shape, dtype=np.int64))
        name = _ffi.name_bytes(self.channel.name)
        as_type = None if dtype is None else kind.name.encode()
        for track, start, rows, at in self._runs(first, count):
            _ffi.call("tp_dataset_read", self.table.episode.dataset._pointer, track.number, name, start, rows, as_type,
                      c_void_p(out.ctypes.data + at * row), rows * row,
                      c_void_p(seen.ctypes.data + at * elements) if seen is not None else None,
                      rows * elements if seen is not None else 0)
        return out, seen

    def _bytes(self, first: int, count: int) -> list[Any]:
        out: list[Any] = []
        as_text = self.channel.kind == "text"
        library = _ffi.library()
        for track, start, rows, _ in self._runs(first, count):
            memory = c_void_p()
            offsets = np.empty(rows + 1, np.int64)
            seen = np.empty(rows, np.uint8)
            _ffi.call("tp_dataset_read_bytes", self.table.episode.dataset._pointer, track.number,
                      _ffi.name_bytes(self.channel.name), start, rows, byref(memory), c_void_p(offsets.ctypes.data),
                      c_void_p(seen.ctypes.data))
            try:
                whole = string_at(memory.value, int(offsets[-1])) if memory.value and offsets[-1] else b""
            finally:
                library.tp_bytes_free(memory)
            for i, (low, high) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
                held = whole[low:high]
                out.append(None if not seen[i] else held.decode("utf-8", "replace") if as_text else held)
        return out
