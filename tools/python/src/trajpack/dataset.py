"""Data sets: open one, look at it, take episodes or windows from it."""
from __future__ import annotations

import html
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from ctypes import byref, c_int64, c_void_p
from functools import cached_property
from typing import Any, overload

from . import _ffi, _options, _subsets
from ._errors import UsageError
from ._schema import Named, Stream, streams
from ._statistics import Statistics
from ._words import counted, lines_of
from .episode import Episode
from .loader import Loader
from .values import Values

_PAGE = 4096
#: How paths begin that lead to servers and buckets.
REMOTE = ("http://", "https://", "s3://", "hf://")


def open(path: str | os.PathLike[str], media: str | os.PathLike[str] | None = None, *,
         allow_outside: bool = False) -> Dataset:
    """Opens a data set: a folder of shards, or one shard, on this machine or on a server: ``https://host/path``,
    ``s3://bucket/prefix``, ``hf://datasets/owner/name/path`` (docs/remote.md).

    ``media``: for linked videos, the folder in which the folder that was converted lies. ``allow_outside``: whether
    links in it may lead out of it.

    Raises ``UsageError`` where there is no such file, ``MachineError`` where it cannot be read, ``DataError`` where
    it is damaged.
    """
    return Dataset(path, media, allow_outside=allow_outside)


def _lasting(path: str) -> str:
    """A path that leads to the same place from every folder."""
    return path if path.startswith(REMOTE) else os.path.abspath(path)


class Dataset:
    """An open data set. Any number of threads may use it, and so may the child of a fork; pickling opens it again
    by its path."""

    def __init__(self, path: str | os.PathLike[str], media: str | os.PathLike[str] | None = None, *,
                 allow_outside: bool = False) -> None:
        _ffi.path_bytes(path)                                  # refuses what is no path
        self._open(os.fspath(path))
        #: Where linked videos lie, and whether links there may lead out of it.
        self.media: str | None = None if media is None else os.fspath(media)
        self.allow_outside = allow_outside
        if media is not None:
            _ffi.call("tp_dataset_set_media", self._pointer, _ffi.path_bytes(media), int(bool(allow_outside)))
        self._given = os.fspath(path)
        #: The path it was opened by; of a URL without a user, a password and a query.
        self.path: str = str(self._outline["path"]) if self._given.startswith(REMOTE) else self._given
        if not self._outline["partial"]:
            self.streams  # noqa: B018  what is small is looked at at once

    def _open(self, path: str) -> None:
        pointer = c_void_p()
        if path.startswith(REMOTE):
            _ffi.expect_waits()
        _ffi.call("tp_dataset_open", _ffi.path_bytes(path), byref(pointer))
        self._pointer = pointer
        # What was opened before is freed with this object: others may look at it now.
        self._free = weakref.finalize(self, _ffi.library().tp_dataset_free, pointer)
        # What its manifest says, for which no shard is opened.
        self._outline: dict[str, Any] = _ffi.text("tp_dataset_outline", pointer)

    @cached_property
    def _description(self) -> dict[str, Any]:
        """What all shards together say, for which they are opened."""
        out: dict[str, Any] = _ffi.text("tp_dataset_describe", self._pointer)
        return out

    @cached_property
    def streams(self) -> Mapping[str, Stream]:
        """The streams by name."""
        return streams(self._description["streams"])

    def _streams_of(self, episode: int) -> Mapping[str, Stream]:
        """The streams that an episode may have: those of its shard, as long as the others need not be opened."""
        if not self._outline["partial"] or "streams" in self.__dict__:
            return self.streams
        return streams(_ffi.text("tp_dataset_streams", self._pointer, episode))

    def __reduce__(self) -> Any:
        if self.media is None:
            return Dataset, (_lasting(self._given),)
        return _again, (_lasting(self._given), os.path.abspath(self.media), self.allow_outside)

    # What it says of itself.

    @property
    def schema(self) -> list[dict[str, Any]]:
        """The streams as the archive describes them: one JSON object each."""
        return self._description["streams"]  # type: ignore[no-any-return]

    @property
    def digest(self) -> str:
        """What identifies the data: equal digests, equal shards."""
        return str(self._outline["digest"])

    @property
    def complete(self) -> bool:
        """Whether the conversion that made it has come to its end."""
        return bool(self._outline["complete"])

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return int(self._outline["bytes"])

    @property
    def shards(self) -> list[str]:
        """The names of its files."""
        return list(self._outline["shards"])

    @property
    def splits(self) -> dict[str, int]:
        """Episodes of each split; ``""`` is that of episodes without one."""
        return dict(self._description["splits"])

    @property
    def attributes(self) -> dict[str, Any]:
        """What its maker says of the whole."""
        return dict(self._description.get("attributes") or {})

    @property
    def skeletons(self) -> dict[str, list[tuple[int, int]]]:
        """Edges between joints, by the skeleton's name."""
        return Named("skeleton", {s["name"]: [tuple(e) for e in s["edges"]]
                                  for s in self._description.get("skeletons") or []})

    @cached_property
    def statistics(self) -> Statistics:
        """``{split: {"stream/channel": {"count", "missing", "min", "max", "mean", "std", "quantiles"}}}``, a list
        with a number for each component of the channel; from the index, no data is read. Called, it measures any part
        of the data: see :meth:`Statistics.__call__`."""
        return Statistics(self)

    @cached_property
    def values(self) -> Values:
        """What is known of each episode: ``ds.values["label"]``, ``ds.values.to_pandas()``."""
        return Values(self)

    # What lies beside the shards.

    @property
    def side_files(self) -> dict[str, list[str]]:
        """The names of what lies beside the shards, by role: splits, values, clips, vocabulary, statistics."""
        return {role: list(names) for role, names in self._description["side_files"].items()}

    @property
    def schemes(self) -> dict[str, dict[str, Any]]:
        """The split schemes by name: ``{"splits", "folds", "rule", "cuts_episodes"}`` of each."""
        return _subsets.schemes(self)

    def vocabulary(self, name: str | None = None) -> dict[str, Any]:
        """A vocabulary of actions that ``trajpack actions --save`` has kept, as ``vocabulary.schema.json`` describes
        it; without a name the only one."""
        return _subsets.content(self, "vocabulary", name)

    @_options.named
    def split(
        self, splits: Mapping[str, Any] | None = None, *, name: str = "default", by: str | None = None,
        folds: int | None = None, over: str | None = None, shuffle: bool = False, seed: int | None = None,
        stratify: str | None = None, group: str | None = None, context: int | str | None = None,
        contexts: Mapping[str, int | str] | None = None, stream: str | None = None, dry_run: bool = False,
    ) -> dict[str, Any]:
        """Writes a split scheme beside the shards, as ``trajpack split`` does, and says what it comes to.

        ``splits``: what belongs to each: a text (``"0:60%"``, ``"2016-07-01.."``, ``"where:label=run"``, ``"rest"``), a
        slice of rows, a share of the episodes (``0.8``), a list of ids (a list of nothing but texts), or a list of
        slices, shares and texts. Or ``by``, a value; or ``folds``, ``over`` "episodes", "rows", or "time" (train on
        what comes before, as scikit-learn's TimeSeriesSplit). ``context``: rows, or a time, that windows may see before
        a range; ``contexts`` of single splits. Loaders that are made of this object afterwards know the scheme.
        ``dry_run`` writes nothing.

        Raises ``UsageError`` where splits overlap, one is empty, or an id is not there.
        """
        rule = {"by": by, "folds": folds, "over": over, "shuffle": shuffle, "seed": seed, "stratify": stratify,
                "group": group, "context": context, "contexts": contexts, "stream": stream}
        found: dict[str, Any] = _ffi.text("tp_dataset_split", self._pointer,
                                          _subsets.request(name, splits, rule, dry_run))
        if not dry_run:
            self._reopen()
        return found

    def remove_split(self, name: str = "default") -> None:
        """Forgets a split scheme."""
        _ffi.text("tp_dataset_split", self._pointer, _options.encode({"name": name, "remove": True}))
        self._reopen()

    def _reopen(self) -> None:
        """Opens the same path again, to see what lies beside the shards now."""
        before = self.digest
        self._open(self._given)
        if self.media is not None:
            _ffi.call("tp_dataset_set_media", self._pointer, _ffi.path_bytes(self.media), int(bool(self.allow_outside)))
        self.__dict__.pop("_description", None)
        if self.digest != before:
            raise UsageError(f"{self.path}: another program has changed its recordings meanwhile; open it again")

    # Episodes.

    @cached_property
    def episodes(self) -> Episodes:
        """The episodes: a sequence, by number or id."""
        return Episodes(self, int(self._outline["episodes"]))

    def __len__(self) -> int:
        """Episodes."""
        return int(self._outline["episodes"])

    def episode(self, episode: str | int) -> Episode:
        """One episode, by its id or its number.

        Raises ``UsageError`` with the nearest id where there is none.
        """
        if isinstance(episode, str):
            number = c_int64()
            _ffi.call("tp_dataset_find_episode", self._pointer, _ffi.name_bytes(episode), byref(number))
            return Episode(self, number.value)
        number_ = _options.whole(episode, "episode")
        count = len(self)
        if not -count <= number_ < count:
            raise UsageError(f"{self.path} has {counted(count, 'episode')}, so there is no number {number_}")
        return Episode(self, number_ % count)

    def to_pandas(self, episode: str | int, stream: str | None = None) -> Any:
        """See :meth:`Episode.to_pandas`."""
        return self.episode(episode).to_pandas(stream)

    def to_xarray(self, episode: str | int, stream: str | None = None) -> Any:
        """See :meth:`Episode.to_xarray`."""
        return self.episode(episode).to_xarray(stream)

    def to_arrow(self, episode: str | int, stream: str | None = None) -> Any:
        """See :meth:`Episode.to_arrow`."""
        return self.episode(episode).to_arrow(stream)

    # Windows.

    @_options.method_like(Loader.__init__)
    def windows(self, **options: Any) -> Loader:
        """A loader of windows; every option is explained at :class:`trajpack.Loader`."""
        return Loader(self, **options)

    def __repr__(self) -> str:
        lines = [f"<trajpack.Dataset {self.path}: {counted(len(self), 'episode')}, {_size(self.bytes)}"
                 + ("" if self.complete else ", NOT COMPLETE") + ">"]
        named = {k: v for k, v in self.splits.items() if k}
        if named:
            lines.append("  splits: " + ", ".join(f"{k} {v:,}" for k, v in named.items()))
        for stream in self.streams.values():
            shown = [c.name + "".join(f"[{n}]" for n in c.shape) for c in stream.channels.values()]
            more = f", ... {len(shown) - 8} more" if len(shown) > 8 else ""
            rate = f", {stream.rate} a {stream.time_unit}" if stream.rate else ", explicit times"
            who = f", up to {stream.entities} entities" if stream.entities else ""
            lines.append(f"  {stream.name}: {counted(stream.rows, 'row')}{rate}{who}: {', '.join(shown[:8])}{more}")
        return lines_of(lines)

    def _repr_html_(self) -> str:
        rows = []
        for stream in self.streams.values():
            for channel in stream.channels.values():
                cells = [stream.name, channel.name, channel.type + "".join(f"[{n}]" for n in channel.shape),
                         channel.kind, channel.units or "", stream.rate or "", f"{stream.rows:,}",
                         str(stream.entities or "")]
                rows.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
        head = "".join(f"<th>{h}</th>" for h in
                       ("stream", "channel", "type", "kind", "units", "rate", "rows", "entities"))
        return (f"<p><b>{html.escape(self.path)}</b>: {counted(len(self), 'episode')}, {_size(self.bytes)}"
                + ("" if self.complete else ", <b>not complete</b>")
                + f"</p><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>")


def _again(path: str, media: str, allow_outside: bool) -> Dataset:
    return Dataset(path, media, allow_outside=allow_outside)


class Episodes(Sequence["Episode"]):
    """The episodes of a data set, opened when they are asked for. ``episodes[3]``, ``episodes["000002"]``."""

    def __init__(self, dataset: Dataset, count: int) -> None:
        self._dataset = dataset
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int | str) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...

    def __getitem__(self, index: int | str | slice) -> Episode | list[Episode]:
        if isinstance(index, slice):
            return [self._dataset.episode(i) for i in range(*index.indices(self._count))]
        if not isinstance(index, str) and not -self._count <= _options.whole(index, "episode") < self._count:
            raise IndexError(f"there is no episode {index}; the data set has {self._count}, counted from 0")
        return self._dataset.episode(index)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, str):
            return isinstance(id, Episode) and id.dataset.digest == self._dataset.digest
        try:
            self._dataset.episode(id)
        except UsageError:
            return False
        return True

    def records(self) -> Iterator[dict[str, Any]]:
        """``{"id", "split", "rows", "metadata"}`` of each, from the index, a page at a time."""
        for first in range(0, self._count, _PAGE):
            count = min(_PAGE, self._count - first)
            yield from _ffi.text("tp_dataset_episodes", self._dataset._pointer, first, count)

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [record["id"] for record in self.records()]

    def to_pandas(self) -> Any:
        """A ``DataFrame`` with a row an episode: id (the index), split, rows, and the metadata's members."""
        import pandas
        rows = [{"id": r["id"], "split": r["split"], "rows": r["rows"], **_spread(r.get("metadata") or {})}
                for r in self.records()]
        return pandas.DataFrame(rows, columns=None if rows else ["id", "split", "rows"]).set_index("id")

    def __repr__(self) -> str:
        shown = []
        for record in self.records():
            shown.append(f"  {record['id']}: {counted(record['rows'], 'row')}"
                         + (f", {record['split']}" if record["split"] else ""))
            if len(shown) == 10:
                break
        more = [f"  ... {self._count - len(shown):,} more"] if self._count > len(shown) else []
        return lines_of([counted(self._count, "episode"), *shown, *more])


def _spread(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata with its values among its members; ``Dataset.values`` has their types, and those that were set later."""
    values = metadata.get("values")
    if not isinstance(values, dict):
        return metadata
    return {**{k: v for k, v in metadata.items() if k != "values"}, **values}


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
