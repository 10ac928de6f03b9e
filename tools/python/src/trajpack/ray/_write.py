"""Episodes of a data set of Ray Data, written by its tasks into one data set of trajpack."""
from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.data import Datasink
from ray.data.block import BlockAccessor

from .._errors import UsageError
from ..recording import Recording
from ..writer import Writer

#: Columns that are no channels, as read_episodes names them.
_ABOUT = ("id", "split", "metadata")


class EpisodeDatasink(Datasink):  # type: ignore[misc]
    """Writes rows as episodes, for ``Dataset.write_datasink``; see :func:`write_episodes`.

    Each task writes a data set of its own in ``PATH.parts-...``, under a name that no other attempt has; at the end the
    driver takes over those that Ray counts, each once, and gives the whole its name. So a task whose worker is killed
    is run again, and nothing is lost or doubled.
    """

    def __init__(self, path: str | os.PathLike[str], *, min_rows_per_write: int | None = None,
                 **options: Any) -> None:
        self._path = os.path.abspath(os.fspath(path))
        if "mode" in options:
            raise UsageError("'mode' is always 'x' here: name a new folder")
        self._options = options
        self._least = min_rows_per_write
        self._parts = f"{self._path}.parts-{uuid.uuid4().hex[:12]}"
        _require_free(self._path)

    def get_name(self) -> str:
        """The name of the write tasks."""
        return "TrajpackEpisodes"

    @property
    def min_rows_per_write(self) -> int | None:
        """Episodes of a task, at least."""
        return self._least

    def on_write_start(self, schema: Any = None) -> None:
        """Makes the folder of the parts; on the driver."""
        _require_free(self._path)
        os.makedirs(self._parts)

    def write(self, blocks: Iterable[Any], ctx: Any) -> tuple[int, str, int]:
        """Writes the rows of some blocks, in a worker: the number of the task, the part's folder ("" where there were
        no rows), and how many episodes it has."""
        folder = f"{self._parts}/{ctx.task_idx:06d}-{uuid.uuid4().hex[:12]}"
        count = 0
        with Writer(folder, **self._options) as writer:
            for block in blocks:
                for row in BlockAccessor.for_block(block).iter_rows(public_row_format=True):
                    _append(writer, row)
                    count += 1
        return ctx.task_idx, folder if count else "", count

    def on_write_complete(self, write_result: Any) -> None:
        """Makes one data set of the parts, on the driver."""
        parts = sorted(part for part in write_result.write_returns if part[1])
        if not parts:
            shutil.rmtree(self._parts, ignore_errors=True)
            raise UsageError(f"{self._path}: there was no episode to be written, so no data set was made")
        whole = f"{self._parts}/whole"
        with Writer(whole, **self._options) as writer:
            for _, folder, _ in parts:
                writer.adopt(folder)
        _require_free(self._path)
        os.rename(whole, self._path)
        _sync(Path(self._path).parent)
        # What is left are attempts of tasks whose workers were lost.
        shutil.rmtree(self._parts, ignore_errors=True)

    def on_write_failed(self, error: Exception) -> None:
        """Removes what was written; on the driver."""
        shutil.rmtree(self._parts, ignore_errors=True)


def _require_free(path: str) -> None:
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise UsageError(f"{path}: is there already; name a new folder for the data set")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(writer: Writer, row: Mapping[str, Any]) -> None:
    """One row as an episode."""
    if "id" not in row:
        raise UsageError("a row has no column 'id', which names its episode")
    metadata = row.get("metadata")
    if isinstance(metadata, (str, bytes)):
        metadata = json.loads(metadata or "{}")
    split, streams = row.get("split"), _streams(row)
    with writer.episode(str(row["id"]), split=None if split is None else str(split) or None,
                        metadata=metadata or None, start=_start(writer, row, streams)) as recording:
        for stream, channels in streams.items():
            _extend(writer, recording, stream, channels, row.get(f"time:{stream}"), row.get(f"entity:{stream}"))


def _start(writer: Writer, row: Mapping[str, Any], streams: Iterable[str]) -> Fraction:
    """The time of row 0 of an episode's regular clocks: the first that is said."""
    firsts = []
    for stream in streams:
        rate, times = writer._rate(stream), row.get(f"time:{stream}")
        if rate is not None and times is not None and len(times):
            firsts.append(_exact(float(np.min(times)), rate))
    return min(firsts, default=Fraction(0))


def _streams(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The channels of a row by stream, with those elements masked that were not observed."""
    streams: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        if name in _ABOUT or name.startswith(("time:", "entity:", "observed:")) or value is None:
            continue
        stream, _, channel = name.rpartition("/")
        seen = row.get(f"observed:{name}")
        array: Any = value
        if seen is not None and not np.all(seen):
            array = np.ma.MaskedArray(np.asarray(value), ~np.asarray(seen, bool))
        streams.setdefault(stream or "frames", {})[channel] = array
    for name in row:
        if name.startswith(("time:", "entity:")) and name.partition(":")[2] not in streams:
            raise UsageError(f"column '{name}' is of a stream of which no channel is there")
        if name.startswith("observed:") and name.partition(":")[2] not in row:
            raise UsageError(f"column '{name}' is of a channel that is not there")
    return streams


def _extend(writer: Writer, recording: Recording, stream: str, channels: dict[str, Any], times: Any,
            entities: Any) -> None:
    """The rows of a stream: those of each entity, in pieces between gaps of a regular clock."""
    count = len(next(iter(channels.values())))
    if count == 0:
        return
    rate = writer._rate(stream)
    stamps = None if times is None else np.asarray(times, np.float64)
    for who, rows in _runs(entities, count):
        for piece in [rows] if stamps is None or rate is None else _unbroken(rows, stamps, rate):
            part = {f"{stream}/{name}": _cut(value, piece) for name, value in channels.items()}
            when = None if stamps is None else stamps[piece] if rate is None else _exact(stamps[piece.start], rate)
            recording.extend(part, time=when if rate is not None or when is None else {stream: when}, entity=who)


def _exact(time: float, rate: Fraction) -> Fraction:
    """A time that a float has rounded, where it is one of a clock with that rate that begins with 0; else itself."""
    row = round(time * float(rate))
    near = Fraction(row) / rate
    return near if abs(float(near) - time) <= 1e-9 * max(1.0, abs(time)) else Fraction(time)


def _cut(value: Any, rows: slice) -> Any:
    part = value[rows]
    return part.tolist() if isinstance(part, np.ndarray) and part.dtype == object else part


def _runs(entities: Any, count: int) -> list[tuple[Any, slice]]:
    """Who has which rows; one run of all where nobody is named."""
    if entities is None:
        return [(None, slice(0, count))]
    runs: list[tuple[Any, slice]] = []
    first = 0
    for at in range(1, count + 1):
        if at == count or entities[at] != entities[first]:
            kind, index, type = str(entities[first]).rsplit(".", 2)
            runs.append(((kind, int(index), int(type)), slice(first, at)))
            first = at
    return runs


def _unbroken(rows: slice, stamps: Any, rate: Fraction) -> list[slice]:
    """The rows between gaps of a regular clock."""
    breaks = np.flatnonzero(np.diff(stamps[rows]) > 1.5 / float(rate)) + rows.start + 1
    edges = [rows.start, *breaks.tolist(), rows.stop]
    return [slice(a, b) for a, b in pairwise(edges)]


def write_episodes(data: ray.data.Dataset, path: str | os.PathLike[str], *, min_rows_per_write: int | None = None,
                   concurrency: int | None = None, ray_remote_args: dict[str, Any] | None = None,
                   **options: Any) -> None:
    """Writes a ``ray.data.Dataset`` with a row an episode as a new data set of trajpack, which appears whole or not at
    all. ``path`` is a folder that all nodes see under this name.

    Columns are those of :func:`read_episodes`: ``id``, and if there are any ``split`` and ``metadata`` (JSON, or a
    dict); ``STREAM/CHANNEL``, arrays ``[rows, ...]`` (a name without a stream belongs to ``frames``);
    ``time:STREAM``, ``entity:STREAM`` (one entity's rows after another's) and ``observed:STREAM/CHANNEL``. Any other
    column is a channel. ``options`` are those of :func:`trajpack.create`: ``rate``, ``schema``, ``codec`` ... Without
    ``schema`` each task infers it from its first episode, and it must come out the same in all.

    Episodes come in the order of Ray's tasks: that of the rows, where ``DataContext.execution_options.preserve_order``
    is set. A task whose worker is killed is run again; nothing is lost or doubled. ``min_rows_per_write``: episodes of
    a task, at least.

    Raises ``UsageError`` where ``path`` is there, an id comes twice, or tasks infer different schemas; then nothing is
    left behind. A driver that is killed leaves ``path.parts-...``, which may be removed.
    """
    sink = EpisodeDatasink(path, min_rows_per_write=min_rows_per_write, **options)
    more: dict[str, Any] = {} if ray_remote_args is None else {"ray_remote_args": ray_remote_args}
    data.write_datasink(sink, concurrency=concurrency, **more)
