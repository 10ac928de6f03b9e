"""Passes over a loader: what ``for batch in loader`` begins, and the batches that come."""
from __future__ import annotations

from collections.abc import Iterator
from ctypes import byref

from . import _bindings, _ffi, _ranks
from ._errors import UsageError
from ._places import Places
from .batch import Batch


class Pass(Iterator[Batch]):
    """One pass over a loader. A newer one, or another place of the loader, ends it with an error."""

    __slots__ = ("_given", "_loader", "_moves", "_number", "left")

    def __init__(self, loader: Passes) -> None:
        self._loader = loader
        self._number = loader._passes
        self._moves = loader._moves
        self._given = 0
        #: Batches that are still to come.
        self.left = loader._left()

    def __next__(self) -> Batch:
        loader = self._loader
        if self._number != loader._passes:
            if not self.left:
                raise StopIteration
            raise UsageError("another iteration over this loader has begun since, and a loader is at one place at a "
                             "time; make a second loader to have two")
        if self._moves != loader._moves:
            if self._given and not self.left:
                raise StopIteration
            if self._given:
                raise UsageError("the loader was moved (set_epoch, seek or load_state_dict) while this iteration went "
                                 "on; begin another one with iter(loader)")
            # It has given nothing yet, so it may as well begin elsewhere.
            loader._begin(self._number)
            self._moves, self.left = loader._moves, loader._left()
        if self.left < 0:
            raise StopIteration
        batch = loader.next()
        if batch is None:
            self.left = -1
            raise StopIteration
        self._given += 1
        self.left -= 1
        return batch


class Passes(Places):
    """How a loader is gone through."""

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank."""
        return self._batches(self.epoch_windows, self._settle()[1])

    def __iter__(self) -> Iterator[Batch]:
        self._begin()
        return Pass(self)

    def __getitem__(self, number: object) -> Batch:
        raise UsageError(
            "a Loader gives batches in an order of its own, and has none by number: iterate it, read(windows) from it, "
            "or give DataLoader a trajpack.torch.WindowDataset (windows by number) or WindowLoader (batch_size=None)")

    def _begin(self, number: int | None = None) -> None:
        """Goes to where the next pass begins. ``number``: of a pass that begins anew; else it is a new one."""
        with self._lock:
            self._idle()
            _, world = self._settle()
            epoch, position = self._place_at()
            if self._resumed:
                if self._is_over() and not self._named:
                    self._ended = epoch, position
                    self._turn()
            elif self._is_over():
                self._turn()
            elif position and world > 1:
                _ranks.warn_abandoned()
                self._seek(epoch, 0)
            elif position:
                self._seek(epoch + 1, 0)
            elif self._stuck:
                self._seek(epoch, 0)
            if number is None:
                self._passes += 1

    def _left(self) -> int:
        """Batches that are left of the epoch; of a worker, its own."""
        _, world = self._settle()
        worker, workers = self._worker
        left = self._batches(max(self.epoch_windows - self._now["position"], 0), world)
        return max(-(-(left - worker) // workers), 0)

    def next(self) -> Batch | None:
        """The next batch; None at the end of the epoch, after which comes the first of the next.

        Raises ``DataError`` naming the chunk where the data is damaged, ``Cancelled`` after ``cancel``.
        """
        with self._lock:
            self._idle()
            self._settle()
            batch = self._take()
            self._forget()
            return batch

    def _take(self) -> Batch | None:
        """The library's next batch, with the lock held. Signal handlers run in between."""
        self._busy = True
        try:
            self._open()
            # An interrupt between the call and its answer leaves a batch here, which is then the next.
            if not self._pending.value:
                # Between these, Python acts on Ctrl-C, however slow the disk is.
                while self._library.tp_loader_wait(self._pointer, 100) == _bindings.TP_WAITING:
                    pass
                status = self._library.tp_loader_next(self._pointer, byref(self._pending), byref(self._error))
                if status == _bindings.TP_END:
                    self._note()
                    return None
                if status != _bindings.TP_OK:
                    self._stuck = True
                    _ffi.check(status, self._error)
            batch = Batch._take(self._pending.value, self.outputs, self._lent,  # type: ignore[arg-type]
                                self._texts_of)
            self._pending.value = None
            self._note()
            return batch
        finally:
            self._busy = False
            if self._closing:
                self.close()

    def _turn(self) -> None:
        epoch = self._now["epoch"] + 1
        if self._stuck or self._take() is not None or self._now["epoch"] != epoch:
            self._seek(epoch, 0)  # it was no end after all: the library counts otherwise


__all__ = ["Pass", "Passes"]
