"""Episodes as a data set of Ray Data: a row an episode."""
from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data
from ray.data import Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask

from .. import _options
from .._errors import UsageError, nearest
from .._schema import Channel
from ..dataset import Dataset
from ..episode import Entities, Episode, Table
from . import _blocks, _places

_MOST = 64 << 20


class EpisodeDatasource(Datasource):  # type: ignore[misc]
    """Episodes of a data set, for :func:`ray.data.read_datasource`; see :func:`read_episodes`."""

    def __init__(self, dataset: str | os.PathLike[str] | Dataset, *, channels: str | Iterable[str] | None = None,
                 episodes: str | Iterable[str] | None = None, split: str | Iterable[str] | None = None,
                 masks: bool = True) -> None:
        super().__init__()
        self._dataset, self._is_local = _places.opened(dataset)
        self._channels = _chosen(self._dataset, _options.listed(channels))
        self._masks = bool(masks)
        self._numbers = _episodes(self._dataset, _options.listed(episodes), _options.listed(split))

    def __len__(self) -> int:
        """Episodes."""
        return len(self._numbers)

    def get_name(self) -> str:
        """The name of the read tasks."""
        return "TrajpackEpisodes"

    @property
    def supports_distributed_reads(self) -> bool:
        """False where only the driver's node has the files (``local://``)."""
        return not self._is_local

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all episodes' rows, as if each had the mean number of rows; texts count as eight bytes."""
        total = 0
        for stream, channels in self._channels.items():
            row = 8 + sum(_row_bytes(c, self._masks) for c in channels)
            total += self._dataset.streams[stream].rows * row
        return total * len(self) // max(len(self._dataset), 1)

    def get_read_tasks(self, parallelism: int, per_task_row_limit: int | None = None,
                       data_context: Any = None) -> list[ReadTask]:
        """At most ``parallelism`` tasks, each a run of episodes in the order of the data set."""
        ds, each = self._dataset, self.estimate_inmemory_data_size() // max(len(self), 1)
        most = min(_blocks.target(), _MOST)
        channels = {stream: tuple(c.name for c in found) for stream, found in self._channels.items()}
        tasks = []
        for first, count in _places.shares(len(self), max(parallelism, 1)):
            about = BlockMetadata(num_rows=count, size_bytes=count * each, input_files=[ds.path], exec_stats=None)
            read = functools.partial(_read, ds, ds.digest, self._numbers[first:first + count], channels, self._masks,
                                     most)
            tasks.append(ReadTask(read, about, per_task_row_limit=per_task_row_limit))
        return tasks


def _row_bytes(channel: Channel, masks: bool) -> int:
    elements = int(np.prod(channel.shape, dtype=np.int64))
    if channel.type == "bytes":
        return 8
    return elements * (np.dtype(channel.type).itemsize + (masks and channel.missing != "never"))


def _chosen(dataset: Dataset, patterns: list[str] | None) -> dict[str, list[Channel]]:
    """The channels that are read, by stream; streams that are videos only where they are refused by name."""
    found: dict[str, list[Channel]] = {}
    used: set[str] = set()
    for stream in dataset.streams.values():
        is_video = bool(stream.attributes.get("video"))
        for channel in stream.channels.values():
            hits = [p for p in patterns or ["*"] if p == stream.name or fnmatchcase(channel.path, p)]
            used.update(hits)
            if hits and not is_video:
                found.setdefault(stream.name, []).append(channel)
        if is_video and stream.name in (patterns or []):
            raise UsageError(f"stream '{stream.name}' is a video, and whole episodes of frames are no row of a table; "
                             "take trajpack.ray.read_windows, which decodes the frames of windows")
    names = [*dataset.streams, *(c.path for s in dataset.streams.values() for c in s.channels.values())]
    for pattern in patterns or []:
        if pattern not in used:
            raise UsageError(f"no channel is named '{pattern}'{nearest(pattern, names)}")
    return found


def _episodes(dataset: Dataset, patterns: list[str] | None, split: list[str] | None) -> Any:
    """The numbers of the episodes that are read: a range, or an array."""
    if patterns is None and split is None:
        return range(len(dataset))
    if split is not None:
        if dataset.schemes:
            raise UsageError(f"{dataset.path} has split schemes ({', '.join(dataset.schemes)}), which may cut "
                             "episodes; give episodes= here, or take trajpack.ray.read_windows(split=, scheme=)")
        for name in split:
            if name not in dataset.splits:
                raise UsageError(f"there is no split '{name}'{nearest(name, [s for s in dataset.splits if s])}")
    exact = {p for p in patterns or [] if not any(c in p for c in "*?")}
    others = [p for p in patterns or [] if p not in exact]
    numbers, used = [], set()
    for number, record in enumerate(dataset.episodes.records()):
        id = record["id"]
        hits = [p for p in others if fnmatchcase(id, p)] + ([id] if id in exact else [])
        used.update(hits)
        if (patterns is None or hits) and (split is None or (record["split"] or "") in split):
            numbers.append(number)
    for pattern in patterns or []:
        if pattern not in used:
            raise UsageError(f"no episode has the id '{pattern}'")
    return np.array(numbers, np.int64)


def _read(dataset: Dataset, digest: str, numbers: Any, channels: dict[str, tuple[str, ...]], masks: bool,
          most: int) -> Iterator[Any]:
    """Runs in a worker of Ray."""
    if dataset.digest != digest:
        raise UsageError(f"{dataset.path}: has changed since it was opened; make the data set of Ray anew")
    rows: list[dict[str, Any]] = []
    held = 0
    for number in numbers:
        row = _row(dataset.episode(int(number)), channels, masks)
        rows.append(row)
        held += sum(v.nbytes if isinstance(v, np.ndarray) else 8 * len(v) for v in row.values())
        if held >= most:
            yield _table(rows)
            rows, held = [], 0
    if rows:
        yield _table(rows)


def _row(episode: Episode, channels: dict[str, tuple[str, ...]], masks: bool) -> dict[str, Any]:
    """The columns of one episode."""
    row: dict[str, Any] = {"id": episode.id, "split": episode.split,
                           "metadata": json.dumps(episode.metadata, ensure_ascii=False)}
    for name, wanted in channels.items():
        stream = episode.dataset.streams[name]
        held = episode.streams.get(name)
        tables: list[Table] = [held] if isinstance(held, Table) else list(held or [])
        row[f"time:{name}"] = np.concatenate([t.times for t in tables] or [np.zeros(0)])
        if stream.entities or isinstance(held, Entities):
            row[f"entity:{name}"] = [label(t.entity) for t in tables for _ in range(len(t))]
        for channel in (stream.channels[c] for c in wanted):
            if channel.type == "bytes":
                row[channel.path] = [v for t in tables for v in t[channel.name][:]]
                continue
            none = np.zeros((0, *channel.shape), channel.type)
            row[channel.path] = np.concatenate([none, *(t[channel.name][:] for t in tables)])
            if masks and channel.missing != "never":
                seen = [t[channel.name].observed() for t in tables]
                row[f"observed:{channel.path}"] = np.concatenate([none.astype(bool), *seen])
    return row


def label(entity: Any) -> str:
    """An entity as text, ``kind.index.type``."""
    return f"{entity.kind}.{entity.index}.{entity.type}"


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if isinstance(values[0], str):
            columns[name] = pa.array(values, pa.string())
        elif isinstance(values[0], list):
            bytes_ = any(isinstance(v, bytes) for one in values for v in one)
            columns[name] = pa.array(values, pa.list_(pa.large_binary() if bytes_ else pa.large_string()))
        else:
            columns[name] = _blocks.ragged(values)
    return pa.table(list(columns.values()), names=list(columns))


def read_episodes(dataset: str | os.PathLike[str] | Dataset, *, channels: str | Iterable[str] | None = None,
                  episodes: str | Iterable[str] | None = None, split: str | Iterable[str] | None = None,
                  masks: bool = True, override_num_blocks: int | None = None, concurrency: int | None = None,
                  num_cpus: float | None = None, ray_remote_args: dict[str, Any] | None = None) -> ray.data.Dataset:
    """Episodes of a data set (its path, or a :class:`trajpack.Dataset`) as a ``ray.data.Dataset`` with a row an
    episode.

    Columns: ``id``, ``split`` ("" for none) and ``metadata`` (JSON); ``time:STREAM``, ``[rows]`` float64, and
    ``STREAM/CHANNEL``, ``[rows, ...]`` of the channel's dtype, tensors whose number of rows differs from row to row (0
    where an episode has none of the stream); channels of bytes are lists. ``observed:STREAM/CHANNEL``, bool, is there
    for channels that may be missing, unless ``masks=False``. A stream of entities has the rows of one after those of
    another, and ``entity:STREAM``, a list of texts ``kind.index.type``, says whose they are.

    ``channels``: names or patterns (``*``, ``?``) of ``stream/channel``, or names of streams; all by default, but for
    videos, which are left out (``read_windows`` decodes them). ``episodes``: ids or patterns of ids. ``split``: names
    of splits that episodes were recorded with. The others are those of ``ray.data.read_datasource``. An episode is read
    whole: the largest must fit the memory of a worker.

    Raises ``UsageError`` for names that are not there; in tasks, where the data set has changed since, and
    ``DataError`` where it is damaged.
    """
    source = EpisodeDatasource(dataset, channels=channels, episodes=episodes, split=split, masks=masks)
    more: dict[str, Any] = {} if ray_remote_args is None else {"ray_remote_args": ray_remote_args}
    return ray.data.read_datasource(source, override_num_blocks=override_num_blocks, concurrency=concurrency,
                                    num_cpus=num_cpus, **more)
