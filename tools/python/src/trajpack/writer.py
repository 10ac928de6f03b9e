"""Writing: episodes into a data set, one by one, each durable when it has been committed."""
from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any, Literal

from . import _clocks, _ffi, _options, _write_ffi, remote
from . import values as _values
from ._errors import UsageError
from ._words import counted
from ._writer_schema import WriterSchema
from .recording import Recording

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._given import EntityLike


class Writer(WriterSchema):
    """Adds episodes to a data set. When an episode has been committed it is durable: a crash or ``kill -9`` loses
    nothing of it, and ``trajpack.open`` sees it at once.

    path
        The folder of the data set, or ``s3://bucket/prefix`` (docs/remote.md#writing-from-python): then its shards are
        made in a folder of this machine, and readers see it when the writer has been closed.
    mode
        "x": a new one (the default). "a": go on with one, or make it.
    rate
        Rows a second, of every stream or ``{stream: rate}`` (30, 29.97, ``Fraction(30000, 1001)``, "30000/1001").
        Streams without one have explicit times, but for those of a data set whose tracks all have one regular rate.
    schema
        All channels, ``{"stream/channel": {"dtype": "float32", "shape": (3,), ...}, "stream": "video"}``, or the
        ``streams`` of a data set. Without one, the first episode decides; from then on every row must fit.
    channels
        What the first episode does not say: ``{"stream/channel": {...}}`` with some of dtype, shape, kind, units,
        description, conventions, categories, missing (True: integers may be masked).
    streams
        ``{stream: {...}}`` with some of rate, tick (of whole-numbered times, "1/1000000000"), time_unit, description,
        skeleton.
    values
        What is known of each recording: ``{"label": ["walk", "run"], "theta": {"units": "rad"}}``, a list of
        categories, or a dict of ``type`` (number, integer, category, text, array), ``units``, ``description``,
        ``categories``, ``shape``. Values that are not declared are what the episodes give.
    skeletons, attributes
        ``{name: [(joint, joint), ...]}``, and what there is to say of the whole (a dict).
    codec, level, chunk_rows
        "lz4" (the default), "zstd", "gzip" or "none"; its level; rows of a chunk. lz4 without a level is searched
        quickly; with one (6 is what ``convert`` takes) shards are 3 % smaller and episodes take over twice as long.
    shard_bytes
        Small shards are joined until they have so many bytes (64 MiB).
    threads
        That compress (as many as processors).
    commit_every
        How many episodes are made durable together (1). With more, an episode costs less, and a crash loses up to so
        many; :meth:`flush` and :meth:`close` make durable what waits, which no reader sees before.

    staging
        For a bucket: the folder in which a folder for the shards is made (``$TMPDIR`` or ``/tmp``).

    A channel is named ``stream/channel``; without a stream it belongs to ``frames``. One process writes a data set at
    a time. Threads may share a writer, and several episodes may be recorded at once. In the child of a fork a writer
    raises ``UsageError``; the parent goes on with it.

    Raises ``UsageError`` where the data set is there (mode "x"), is being written, or is no data set;
    ``MachineError`` where the folder cannot be written or libhdf5 is not there.
    """

    @_options.named
    def __init__(
        self, path: str | os.PathLike[str], *,
        mode: Literal["x", "a"] = "x",
        rate: Any = None,
        schema: Mapping[str, Any] | None = None,
        channels: Mapping[str, Any] | None = None,
        streams: Mapping[str, Any] | None = None,
        skeletons: Mapping[str, Iterable[tuple[int, int]]] | None = None,
        attributes: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        codec: Literal["lz4", "zstd", "gzip", "none"] | None = None,
        level: int | None = None,
        chunk_rows: int | None = None,
        shard_bytes: int | None = None,
        threads: int | None = None,
        commit_every: int | None = None,
        staging: str | os.PathLike[str] | None = None,
    ) -> None:
        if mode not in ("x", "a"):
            raise UsageError(f"mode is '{mode}', but must be 'x' (a new data set) or 'a' (go on with one)",
                             option="mode")
        if schema is not None and channels is not None:
            raise UsageError(
                "'schema' declares all channels and 'channels' describes some of the first episode's; give one",
                option="channels")
        self._describe(rate, channels, streams, skeletons, attributes, values)
        planned = self._planned(schema)
        options = _options.encode({
            "new": mode == "x", "codec": codec, "level": _options.plain(level),
            "chunk_rows": _options.plain(chunk_rows),
            "shard_bytes": _options.plain(shard_bytes), "threads": _options.plain(threads),
            "commit_every": _options.plain(commit_every), "staging": None if staging is None else os.fspath(staging)})
        pointer, raw = c_void_p(), _ffi.path_bytes(path)
        #: The folder or the prefix of the data set.
        self.path: str = os.fspath(path)
        if self.path.startswith("s3://"):
            given = remote._current
            _write_ffi.call("tpw_remote_set_credentials", given and ctypes.cast(given, c_void_p), None)
        _write_ffi.call("tpw_writer_open", raw, options, byref(pointer))
        self._pointer = pointer
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._free = weakref.finalize(self, _free, self._lock, pointer)
        self._recordings: weakref.WeakSet[Recording] = weakref.WeakSet()
        _all.add(self)
        try:
            self._begin_schema(planned)
        except BaseException:
            self._free()
            raise

    # The schema.

    @property
    def schema(self) -> dict[str, Any] | None:
        """``{"streams", "skeletons", "attributes"}`` as the archive has them; None before the first episode."""
        with self._lock:
            out: dict[str, Any] | None = _write_ffi.text("tpw_writer_schema", self._mine())
        if out is not None:
            del out["rates"]                                   # which the tracks have, not the schema
        return out

    # Episodes.

    @_options.named
    def episode(self, id: str, *, split: str | None = None, metadata: Mapping[str, Any] | None = None,
                values: Mapping[str, Any] | None = None, start: Any = 0) -> Recording:
        """Begins an episode, to be filled row by row or in pieces::

            with writer.episode("000001", split="train", metadata={"task": "pick"}) as episode:
                for state, action in simulation:
                    episode.append(state=state, action=action)

        At the end of the block it is durable; an exception in the block abandons it. ``start``: the time of row 0 of
        its regular clocks, 0 for None. ``values``: what is known of the recording, ``{"label": "run", "theta": 0.5,
        "start": [1.0, 2.0]}``: numbers, texts, small arrays, by which windows are chosen and which batches carry.

        Raises ``UsageError`` where there is an episode of that id.
        """
        if not isinstance(id, str):
            raise UsageError(f"an episode's id is a text, not {type(id).__name__}")
        if split is not None and not isinstance(split, str):
            raise UsageError(f"an episode's split is a text, not {type(split).__name__}")
        known = _options.plain(_options.members(metadata, "metadata"), "metadata")
        if values is not None:
            if "values" in known:
                raise UsageError(f"episode '{id}': 'values' are given twice, also in the metadata")
            if own := _values.written(values, self._values):
                known["values"] = own
        with self._lock:
            return Recording(self, id, split or "", known, _clocks.exact(0 if start is None else start, "start"))

    def append(self, id: str, values: Any = None, /, *, time: Any = None, split: str | None = None,
               metadata: Mapping[str, Any] | None = None, start: Any = 0, entity: EntityLike = None,
               values_of: Mapping[str, Any] | None = None, **channels: Any) -> None:
        """A whole episode at once: arrays, a ``DataFrame``, or ``{stream: either}``. It is durable when this returns.

        ``time``: the times of the rows, ``[rows]``, or ``{stream: times}``, for streams without a rate. ``values_of``:
        the values of the recording, as ``episode(values=)`` has them.
        """
        with self.episode(id, split=split, metadata=metadata, values=values_of, start=start) as recording:
            recording.extend(values, time=time, entity=entity, **channels)

    def adopt(self, path: str | os.PathLike[str]) -> int:
        """Takes over all episodes of another finished data set on the same file system, behind those that are here:
        its files are moved, and the other folder is gone. So several processes each write a data set of their own, and
        one makes one of them all. How many episodes came.

        Raises ``UsageError`` where that one is unfinished, has side files (splits, values, clips), other channels, or
        an id that is taken; then nothing has been moved.
        """
        came = c_int64()
        with self._lock:
            _write_ffi.call("tpw_writer_adopt", self._mine(), _ffi.path_bytes(path), byref(came))
            if not self._channels:
                self._take_schema()
        return came.value

    def stats(self) -> dict[str, int]:
        """``episodes``, ``appended`` (by this writer), ``waiting`` (committed, and not durable yet), ``rows``,
        ``bytes``, ``shards``, ``joins`` of small shards and ``joined_bytes``."""
        with self._lock:
            out: dict[str, int] = _write_ffi.text("tpw_writer_counts", self._mine())
        return out

    def __len__(self) -> int:
        """Episodes of the data set."""
        return self.stats()["episodes"]

    def flush(self) -> None:
        """Makes the episodes durable that wait for others (``commit_every``); readers see them then."""
        with self._lock:
            _write_ffi.call("tpw_writer_flush", self._mine())

    # The end.

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return not self._free.alive

    def close(self) -> None:
        """Joins small shards, writes the manifest and lets others write.

        A writer that is never closed leaves a data set that can be read and gone on with all the same.

        Raises ``UsageError``, and leaves the writer open, where rows of an episode were neither committed nor
        abandoned. A ``with`` block closes the writer all the same, and abandons such episodes; it raises then too,
        unless it ends by an exception of its own.
        """
        if self.closed:
            return
        with self._lock:
            self._mine()
            self._require_none_open()
            self._close()

    def _require_none_open(self) -> None:
        open_ = sorted(r.id for r in self._recordings if r._state == "open" and r._rows)
        if open_:
            names = ", ".join(f"'{id}'" for id in open_[:6]) + (f" and {len(open_) - 6} more" if len(open_) > 6 else "")
            raise UsageError(f"{self.path}: {'episodes' if len(open_) > 1 else 'episode'} {names} still open, with "
                             "rows that are not written; commit() or abandon() first")

    def _close(self) -> None:
        """Closes; what was not committed is abandoned."""
        with self._lock:
            pointer = self._mine()
            for recording in list(self._recordings):
                recording.abandon()
            try:
                _write_ffi.call("tpw_writer_close", pointer)
            finally:
                self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self.closed:
            return
        with self._lock:
            try:
                if kind is None:
                    self._mine()
                    self._require_none_open()
            finally:
                self._close()

    def _mine(self) -> c_void_p:
        if self._process != os.getpid():
            raise UsageError(f"{self.path}: the writer belongs to the process that opened it, not to this child of a "
                             "fork; hand rows to the parent, or write a data set of its own")
        if self.closed:
            raise UsageError(f"{self.path}: the writer is closed")
        return self._pointer

    def __reduce__(self) -> Any:
        raise UsageError(f"{self.path}: a writer cannot be pickled; one process writes a data set at a time")

    def __repr__(self) -> str:
        if self.closed or self._process != os.getpid():
            return f"<trajpack.Writer {self.path}, closed>"
        return f"<trajpack.Writer {self.path}: {counted(len(self), 'episode')}>"


@_options.maker_of(Writer)
def create(path: str | os.PathLike[str], **options: Any) -> Writer:
    """A new data set, or one to go on with (``mode="a"``); the options are those of :class:`Writer`."""
    return Writer(path, **options)


def _free(lock: Any, pointer: c_void_p) -> None:
    with lock:
        _write_ffi.library().tpw_writer_free(pointer)


_all: weakref.WeakSet[Writer] = weakref.WeakSet()


def _after_fork() -> None:
    """The child lets go of the lock on the data set, so that it ends with the parent."""
    for writer in list(_all):
        if writer._free.detach() is not None:
            _write_ffi.library().tpw_writer_leave(writer._pointer)
        for recording in list(writer._recordings):
            recording._spool.leave()


os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Writer", "create"]
