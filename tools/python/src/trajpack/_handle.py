"""A loader's life: the handle of the library, what it says of itself, its rank, its locks, fork, and its end."""
from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from ctypes import byref, c_void_p, string_at
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bindings, _ffi, _options, _ranks
from ._errors import UsageError
from ._patience import patiently
from .batch import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from .dataset import Dataset


class LoaderHandle:
    """An open loader of the library: what it is made of, and how it ends."""

    def _start(self, datasets: list[Dataset], options: bytes, weights: list[NDArray[np.float32]] | None,
               given: _ranks.Place | None, hint: _ranks.Place | None = None) -> None:
        library = _ffi.library()
        pointers = (c_void_p * max(len(datasets), 1))(*[d._pointer.value for d in datasets])
        pointer = c_void_p()

        def create() -> None:
            _ffi.call("tp_loader_create", pointers, len(datasets), options, byref(pointer))

        if _options.looks_at_all(options):
            patiently(create, lambda: library.tp_loader_free(pointer))
        else:
            create()
        self._pointer = pointer
        self._lent: list[Any] = []
        self._free = weakref.finalize(self, _free, pointer, self._lent, library)
        #: The data sets, in the order of ``Batch.datasets``.
        self.datasets: tuple[Dataset, ...] = tuple(datasets)
        self._given = options
        self._weights = weights
        # The rank that was asked for; that of the process which pickled it; the one that it was first used as.
        self._asked, self._hint = given, hint
        self._place: _ranks.Place | None = None
        self._worker = (0, 1)
        self._busy = self._closing = False
        self._renew()
        self._pending = c_void_p()
        self._library = library
        self._error = _bindings.Error()
        for number, one in enumerate(weights or []):
            _ffi.call("tp_loader_set_weights", pointer, number, one.ctypes.data_as(c_void_p), len(one))
        self._describe()

    def _describe(self) -> None:
        description = _ffi.text("tp_loader_describe", self._pointer)
        self._understood: dict[str, Any] = description["options"]
        #: The arrays of every batch, by name.
        self.outputs: Mapping[str, Output] = {o["name"]: Output.of(o) for o in description["outputs"]}
        #: Values of recordings that are texts: a list a batch.
        self.texts: tuple[str, ...] = tuple(t["name"] for t in description["texts"])
        #: Windows of each data set.
        self.window_counts: tuple[int, ...] = tuple(description["windows"])
        #: Windows of all data sets together.
        self.windows: int = sum(self.window_counts)
        #: Windows of an epoch: the same, but for mixtures with ``epoch_windows``.
        self.epoch_windows: int = description["epoch_windows"]
        #: B: windows of a batch on this rank.
        self.batch_size: int = description["batch"]
        #: Bytes of a batch.
        self.batch_bytes: int = description["batch_bytes"]
        #: T of what follows the reference clock.
        self.length: int = description["length"]
        #: The stream whose clock counts rows.
        self.reference: str = description["reference"]
        #: Of block shuffle: ``{"windows": of a block, "count": blocks of a pool}``, or None.
        self.blocks: dict[str, int] | None = description["blocks"]
        #: What ``windows_where`` left of each data set: ``candidates``, ``windows``, ``damaged``, ``bytes`` of memory,
        #: the file that it is kept in (``cache``), whether it was found there (``cached``); or None.
        self.choices: list[dict[str, Any]] | None = description["choices"]
        #: Channels that ``normalize`` leaves as they are, because of what they mean.
        self.left_raw: list[str] = description["left_raw"]
        #: ``offsets`` in seconds that lie between rows of a stream: ``{stream: [seconds]}``.
        self.between_rows: dict[str, list[float]] = description["between_rows"]
        #: Seconds that a row may lie from a moment and count as the one at it.
        self.tolerance: float = description["tolerance"]
        #: What identifies the data and the order, as ``state_dict`` has it.
        self.digest: Any = description["digest"]

    def _texts_of(self, windows: NDArray[np.uint64], datasets: NDArray[np.uint32]) -> dict[str, list[str | None]]:
        """The texts of some windows, by the names of the values."""
        out: dict[str, list[str | None]] = {}
        for name in (*self.texts, *(("meta:id",) if "meta:episode" in self.outputs else ())):
            memory = c_void_p()
            offsets, present = np.empty(len(windows) + 1, np.int64), np.empty(len(windows), np.uint8)
            _ffi.call("tp_loader_texts", self._open(), name.encode(), datasets.ctypes.data_as(c_void_p),
                      windows.ctypes.data_as(c_void_p), len(windows), byref(memory),
                      offsets.ctypes.data_as(c_void_p), present.ctypes.data_as(c_void_p))
            try:
                whole = string_at(memory.value, int(offsets[-1])) if memory.value and offsets[-1] else b""
            finally:
                _ffi.library().tp_bytes_free(memory)
            bounds = offsets.tolist()
            out[name] = [whole[low:high].decode("utf-8", "replace") if has else None
                         for low, high, has in zip(bounds, bounds[1:], present.tolist(), strict=False)]
        return out

    @property
    def options(self) -> dict[str, Any]:
        """The options as they were understood, with this process's ``rank`` and ``world``."""
        rank, world = self._place or self._looked_up()
        return {**self._understood, "rank": rank, "world": world}

    def _looked_up(self) -> _ranks.Place:
        """The rank that the loader would have, were it first used now."""
        return self._asked or _ranks.found() or self._hint or (0, 1)

    def _settle(self) -> _ranks.Place:
        """Takes the rank at the first use; later it must be the same."""
        now = self._looked_up()
        if self._place is None:
            self._become(now, (0, 1))
        elif now != self._place:
            raise _ranks.differs(self._place, now)
        return now

    def _become(self, place: _ranks.Place, worker: tuple[int, int]) -> None:
        """Gives the part of a rank, or of one of its workers."""
        threads = 0 if self._understood.get("threads") else _ranks.threads(worker[1])
        part = _bindings.Part(*place, *worker, threads)
        with self._lock:
            self._idle()
            _ffi.call("tp_loader_set_part", self._open(), byref(part))
            self._place, self._worker = place, worker

    def _batches(self, windows: int, world: int) -> int:
        """Batches of so many windows on each rank."""
        step = self.batch_size * world
        return windows // step if self._understood.get("drop_last", True) else -(-windows // step)

    def _renew(self) -> None:
        """Locks of this process: one for what one thread at a time may do, one for the end of the loader's life. A
        signal handler may come while its own thread holds them."""
        self._lock = threading.RLock()
        self._life = threading.RLock()
        self._busy = False
        _all.add(self)

    def _idle(self) -> None:
        """With the lock held: raises where this thread is already in ``next``, so that this is a signal handler."""
        if self._busy:
            raise UsageError("the loader waits for a batch in this very thread; a signal handler may ask it for its "
                             "state_dict(), epoch, position and stats(), cancel() and close() it, and nothing else")

    def cancel(self) -> None:
        """Makes a waiting ``next`` and every later one raise ``Cancelled`` at once, from any thread, until a state is
        set."""
        with self._life:
            if self._free.alive:
                self._library.tp_loader_cancel(self._pointer)

    def lend(self, memory: Any) -> None:
        """Gives memory for one batch, to be used before any of its own: a writable buffer (a pinned tensor's numpy
        view, say) with ``batch_bytes`` at a multiple of 64. Before the first batch only."""
        try:
            array = np.frombuffer(memory, np.uint8)
        except (TypeError, ValueError):
            raise UsageError("memory that is lent is a buffer of bytes that lie one after the other, such as a "
                             f"bytearray or a contiguous array; this is none: {type(memory).__name__}") from None
        if not array.flags.writeable:
            raise UsageError("memory that is lent must be writable")
        with self._lock:
            self._idle()
            _ffi.call("tp_loader_lend", self._open(), array.ctypes.data_as(c_void_p), array.nbytes)
            self._lent.append(array)

    def close(self) -> None:
        """Stops its threads and frees it. Batches that are still held stay valid."""
        self.cancel()
        with self._lock, self._life:
            if self._busy:  # in a signal handler: who waits leaves first
                self._closing = True
                return
            if self._free.alive:
                self._drop()
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _open(self) -> c_void_p:
        if not self._free.alive:
            raise UsageError("the loader is closed")
        return self._pointer

    def _member(self, dataset: int) -> int:
        """The number of one of its data sets."""
        number = _options.whole(dataset, "dataset")
        if not 0 <= number < len(self.datasets):
            raise UsageError(f"there is no data set {number}; the loader has {len(self.datasets)}, counted from 0")
        return number

    def _drop(self) -> None:
        if self._pending.value:
            self._library.tp_batch_free(self._pending)
            self._pending.value = None


# In the child of a fork a lock may be held by a thread that is not there.
_all: weakref.WeakSet[LoaderHandle] = weakref.WeakSet()


def _after_fork() -> None:
    for loader in list(_all):
        loader._renew()


os.register_at_fork(after_in_child=_after_fork)


def _free(pointer: c_void_p, lent: list[Any], library: Any) -> None:
    """Frees a loader; what it was lent lives until then."""
    library.tp_loader_free(pointer)
    del lent
