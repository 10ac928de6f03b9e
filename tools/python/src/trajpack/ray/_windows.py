"""Windows as a data set of Ray Data: a row a window."""
from __future__ import annotations

import functools
import hashlib
import json
import os
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data
from ray.data import Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask

from .._errors import UsageError
from ..batch import Batch
from ..dataset import Dataset
from ..loader import Loader
from . import _blocks, _places

#: The most bytes of a block: one is read ahead while the one before it goes to Ray.
_MOST = 64 << 20
#: Options of loaders that Ray decides.
_OF_RAY = {"batch": "iter_batches(batch_size=)", "rank": "streaming_split", "world_size": "streaming_split",
           "drop_last": "iter_batches(drop_last=)"}


class WindowDatasource(Datasource):  # type: ignore[misc]
    """Windows of a data set, or of a mixture, for :func:`ray.data.read_datasource`; see :func:`read_windows`."""

    def __init__(self, datasets: str | os.PathLike[str] | Dataset | Sequence[Any], **options: Any) -> None:
        super().__init__()
        for name, instead in _OF_RAY.items():
            if name in options:
                raise UsageError(f"'{name}' is Ray's: see {instead}")
        given = [datasets] if isinstance(datasets, (str, os.PathLike, Dataset)) else list(datasets)
        found = [_places.opened(one) for one in given]
        options.setdefault("threads", 1)
        options.setdefault("prefetch", 1)
        options.setdefault("shuffle", False)
        self._is_local = any(local for _, local in found)
        self._loader = Loader([one for one, _ in found], batch=1, rank=0, world_size=1, drop_last=False, **options)

    @property
    def outputs(self) -> Any:
        """What the columns are; see :attr:`trajpack.Loader.outputs`. Their shapes have a leading 1 for the window."""
        return self._loader.outputs

    def __len__(self) -> int:
        """Windows of the epoch."""
        return self._loader.epoch_windows

    @property
    def window_bytes(self) -> int:
        """Bytes of a window's arrays."""
        return max(sum(o.bytes for o in self._loader.outputs.values()), 1)

    def get_name(self) -> str:
        """The name of the read tasks."""
        return "TrajpackWindows"

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all windows; exact but for texts."""
        return len(self) * self.window_bytes

    @property
    def supports_distributed_reads(self) -> bool:
        """False where only the driver's node has the files (``local://``)."""
        return not self._is_local

    def get_read_tasks(self, parallelism: int, per_task_row_limit: int | None = None,
                       data_context: Any = None) -> list[ReadTask]:
        """At most ``parallelism`` tasks, each a run of windows in the order of the epoch. Without ``shuffle`` that is
        the order of the shards, so that a task reads its own part of few of them."""
        most = min(_blocks.target(), _MOST)
        a_task = -(-len(self) // max(parallelism, 1))
        blocks = max(-(-a_task * self.window_bytes // most), 1)
        size = max(-(-a_task // blocks), 1)
        # What pickle would open again, but for the number of windows of a batch.
        kind, datasets, options, *rest = self._loader.__reduce__()[1]
        options = json.dumps({**json.loads(options), "batch": size}).encode()
        parts = pickle.dumps((kind, datasets, options, *rest))
        key = hashlib.sha256(parts).hexdigest()
        schema = _table(_nothing(self._loader)).schema
        files = [d.path for d in datasets]
        tasks = []
        for first, count in _places.shares(len(self), max(parallelism, 1), size):
            about = BlockMetadata(num_rows=count, size_bytes=count * self.window_bytes, input_files=files,
                                  exec_stats=None)
            tasks.append(ReadTask(functools.partial(_read, parts, key, self._loader.epoch, first, -(-count // size)),
                                  about, schema=schema, per_task_row_limit=per_task_row_limit))
        return tasks


#: The loader that this worker process used last: tasks of one data set come to it one after the other.
_kept: list[tuple[str, Loader]] = []


def _loader(parts: bytes, key: str) -> Loader:
    for known, loader in _kept:
        if known == key:
            return loader
    for _, loader in _kept:
        loader.close()
    _kept.clear()
    reopen, arguments = _reopen_of(parts)
    fresh: Loader = reopen(*arguments)
    _kept.append((key, fresh))
    return fresh


def _reopen_of(parts: bytes) -> tuple[Any, tuple[Any, ...]]:
    from .._places import _reopen
    return _reopen, pickle.loads(parts)


def _read(parts: bytes, key: str, epoch: int, first: int, batches: int) -> Iterator[Any]:
    """Runs in a worker of Ray."""
    loader = _loader(parts, key)
    loader.seek(epoch, first)
    for _ in range(batches):
        batch = loader.next()
        if batch is None:
            return
        yield _table(batch)


def _table(batch: Any) -> Any:
    names = list(batch)
    if isinstance(batch, Batch) and "meta:id" in batch:
        names.append("meta:id")
    return pa.table([_blocks.fixed(batch[name]) for name in names], names=names)


def _nothing(loader: Loader) -> dict[str, Any]:
    """A window of zeros: what has the columns of every batch."""
    texts: dict[str, Any] = {name: [""] for name in loader.texts}
    if "meta:episode" in loader.outputs:
        texts["meta:id"] = [""]
    return {**{name: np.zeros(o.shape, o.dtype) for name, o in loader.outputs.items()}, **texts}


def read_windows(datasets: str | os.PathLike[str] | Dataset | Sequence[Any], *,
                 override_num_blocks: int | None = None, concurrency: int | None = None,
                 num_cpus: float | None = None, ray_remote_args: dict[str, Any] | None = None,
                 **options: Any) -> ray.data.Dataset:
    """Windows of a data set (its path, or a :class:`trajpack.Dataset`), or of a list of them, as a
    ``ray.data.Dataset`` with a row a window.

    Columns have the names of :attr:`trajpack.Loader.outputs`: ``state/hp`` are tensors ``[T, ...]``,
    ``padding:state`` and others the masks (``masks=False`` leaves them out; Arrow packs booleans into bits, which takes
    time). ``options`` are those of :class:`trajpack.Loader`, without ``batch``, ``rank``, ``world_size`` and
    ``drop_last``, which Ray has. So ``shuffle=True, seed=, epoch=`` is a permutation of all windows, which costs
    nothing beforehand, unlike ``Dataset.random_shuffle``; make the data set anew for each epoch. Without ``shuffle``,
    which is the default here (a Loader's is "global"), rows come in the order of the data set, where Ray keeps the
    order of blocks (``DataContext.execution_options.preserve_order``). ``threads`` is 1 a task by default: give
    ``num_cpus`` with more.

    The others are those of ``ray.data.read_datasource``. A read task says how many rows and bytes it gives; a task
    whose worker is killed is run again by Ray and reads the same windows. ``windows_where`` is looked up by every
    worker, unless ``cache_dir`` names a folder that all of them see.

    Raises ``UsageError`` for options that cannot be; in tasks, where the data set has changed since, and ``DataError``
    where it is damaged.
    """
    source = WindowDatasource(datasets, **options)
    more: dict[str, Any] = {} if ray_remote_args is None else {"ray_remote_args": ray_remote_args}
    return ray.data.read_datasource(source, override_num_blocks=override_num_blocks, concurrency=concurrency,
                                    num_cpus=num_cpus, **more)
