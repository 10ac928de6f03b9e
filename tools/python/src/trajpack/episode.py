"""One recording: its tracks, its tables, and arrays of their rows."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ctypes import c_void_p
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi
from ._errors import UsageError, nearest
from ._schema import Stream, resolve
from ._words import counted, lines_of, printable
from .column import Column

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
        return printable(f"{self.kind}.{self.index}")


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

    @property
    def values(self) -> dict[str, Any]:
        """What is known of it, by name: see :attr:`Dataset.values`."""
        return self.dataset.values.of(self.number)

    @cached_property
    def _known(self) -> Mapping[str, Stream]:
        return self.dataset._streams_of(self.number)

    @cached_property
    def streams(self) -> dict[str, Table | Entities]:
        """The streams that this episode has, in the archive's order."""
        found: dict[str, Table | Entities] = {}
        for name, stream in self._known.items():
            tracks = [t for t in self.tracks if t.stream == name]
            own = [t for t in tracks if t.entity is None]
            if len(own) < len(tracks) or (not tracks and stream.entities):
                found[name] = Entities(self, stream, [t for t in tracks if t.entity is not None])
            elif own:
                found[name] = _table(self, stream, own)
        return {k: v for k, v in found.items() if isinstance(v, Table) or len(v)}

    def __getitem__(self, path: str) -> Any:
        """``"stream"``: its :class:`Table`, :class:`Video` or :class:`Entities`; ``"stream/channel"``: a
        :class:`Column`."""
        stream, channel = resolve(self._known, path)
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
            stream, _ = resolve(self._known, str(path))
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
                if table.stream.attributes.get("video"):
                    lines.append(f"  {table!r}")
                    continue
                channels = counted(len(table.stream.channels), "channel")
                lines.append(f"  {name}: {counted(len(table), 'row')}, {channels}")
            else:
                who = ", ".join(f"{t.entity} {counted(len(t), 'row')}" for t in table)
                lines.append(f"  {name}: {who}; {counted(len(table.stream.channels), 'channel')}")
        return lines_of(lines)


def _table(episode: Episode, stream: Stream, tracks: list[Track]) -> Table:
    if stream.attributes.get("video"):
        from .video import Video
        return Video(episode, stream, None, tracks)
    return Table(episode, stream, None, tracks)


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
        return printable(
            f"{self.stream.name}: " + ", ".join(f"{t.entity} {counted(len(t), 'row')}" for t in self._tables))


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
        return lines_of([*lines, *(f"  {channel}" for channel in self.stream.channels.values())])
