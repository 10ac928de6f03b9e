"""Which epoch a pass is, where ``DataLoader`` makes the passes in worker processes: a table in shared memory.

Workers begin a pass one by one, may be made anew for each or live on, and run ahead of who takes their batches. So the
first of them that begins a pass writes down which epoch it is, and the others join it. A pass is told from others by
what all its workers have in common, the base of their seeds, and by who joined it already.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from . import _ranks
from ._errors import UsageError

_SLOTS, _MOST = 16, 256
# The columns of a slot; then a number a worker: the pass that it joined, the pass that it gave its last batch of.
_NUMBER, _KEY, _WORKERS, _WISH, _EPOCH, _POSITION = range(6)
_JOINED = 6
_DONE = _JOINED + _MOST
# The header: passes so far; then what the caller wished last: how many wishes, epoch, position, whether an epoch was
# named, the seed; whether a warning was given.
_PASSES, _WISHES, _TO_EPOCH, _TO_POSITION, _NAMED, _SEED, _WARNED = range(7)


@dataclass(frozen=True)
class Start:
    """Where a pass begins. ``seed`` is None where it is the loader's."""

    number: int
    epoch: int
    position: int
    seed: int | None = None


class Table:
    """Passes so far, the newest of them with who joined, and what was wished for the next."""

    def __init__(self, epoch: int) -> None:
        self._head = torch.zeros(8, dtype=torch.int64)
        self._slots = torch.zeros(_SLOTS, _DONE + _MOST, dtype=torch.int64)
        self._head.share_memory_()
        self._slots.share_memory_()
        self.wish(epoch, 0, None, named=True)
        self._name()

    def _name(self) -> None:
        """A lock file of its own, which workers make when they need it."""
        self._file = os.path.join(tempfile.gettempdir(), f"trajpack-{uuid.uuid4().hex}.lock")
        weakref.finalize(self, _remove, self._file, os.getpid())

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One worker at a time; the lock of one that is killed goes with it."""
        file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        if not self._head.is_shared():  # pickled by itself, not for a worker
            self._head.share_memory_()
            self._slots.share_memory_()
            self._name()

    @property
    def newest(self) -> int:
        """The number of the newest pass."""
        return int(self._head[_PASSES])

    def wish(self, epoch: int, position: int, seed: int | None, named: bool) -> None:
        """The next pass begins there. ``named``: it is that epoch even if nothing is left of it."""
        self._head[_TO_EPOCH], self._head[_TO_POSITION], self._head[_NAMED] = epoch, position, int(named)
        self._head[_SEED] = 0 if seed is None else seed - 2**64 if seed >= 2**63 else seed
        self._head[_WISHES] += 1

    def is_ahead_of(self, number: int) -> bool:
        """Whether workers began a pass after that one, with no wish after it."""
        return self.newest > number and self._is_plain(self.newest)

    def _is_plain(self, number: int) -> bool:
        """Whether nothing was wished after a pass."""
        return number > 0 and int(self._slot(number)[_WISH]) == int(self._head[_WISHES])

    def _slot(self, number: int) -> torch.Tensor:
        return self._slots[number % _SLOTS]

    def begin(self, epoch: int, position: int) -> int:
        """A pass in this process, which chose its epoch itself; its number."""
        return self._write(0, 1, epoch, position, 0)

    def _write(self, key: int, workers: int, epoch: int, position: int, worker: int) -> int:
        number = self.newest + 1
        slot = self._slot(number)
        slot[_KEY], slot[_WORKERS], slot[_WISH] = key, workers, self._head[_WISHES]
        slot[_EPOCH], slot[_POSITION], slot[_NUMBER] = epoch, position, number
        slot[_JOINED + worker] = number
        self._head[_PASSES] = number
        return number

    def join(self, key: int, worker: int, workers: int, world: int, is_over: Any, own: tuple[int, int] | None) -> Start:
        """The pass that a worker begins. ``is_over``: whether nothing is left after a position. ``own``: where this
        worker is to begin, if its state was set."""
        if workers > _MOST:
            raise UsageError(f"{workers} workers are too many for one loader; at most {_MOST} are possible")
        with self._alone():
            return self._join(key, worker, workers, world, is_over, own)

    def _join(self, key: int, worker: int, workers: int, world: int, is_over: Any,
              own: tuple[int, int] | None) -> Start:
        newest = self.newest
        for number in range(newest, max(newest - _SLOTS, 0), -1):
            slot = self._slot(number)
            if int(slot[_NUMBER]) == number and int(slot[_KEY]) == key and int(slot[_WORKERS]) == workers \
                    and int(slot[_JOINED + worker]) != number:
                slot[_JOINED + worker] = number
                start = Start(number, int(slot[_EPOCH]), int(slot[_POSITION]), self._seed(slot))
                return start if own is None else Start(number, *own)
        epoch, position = own if own is not None else self.following(world, is_over, worker == 0)
        if own is not None:
            # Other workers have their own places; who has none begins with the epoch.
            number = self._write(key, workers, epoch, 0, worker)
        else:
            number = self._write(key, workers, epoch, position, worker)
        return Start(number, epoch, position, None if own is not None else self._seed(self._slot(number)))

    def _seed(self, slot: torch.Tensor) -> int | None:
        """The seed of the state that was set, if it was the last wish before a pass."""
        seed = int(self._head[_SEED])
        return seed % 2**64 if seed and int(slot[_WISH]) == int(self._head[_WISHES]) else None

    def following(self, world: int, is_over: Any, warns: bool = False) -> tuple[int, int]:
        """Where a pass after the newest begins: epoch and position."""
        newest = self.newest
        if not self._is_plain(newest):
            epoch, position = int(self._head[_TO_EPOCH]), int(self._head[_TO_POSITION])
            if position and is_over(position) and not self._head[_NAMED]:
                return epoch + 1, 0
            return epoch, position
        slot = self._slot(newest)
        epoch, workers = int(slot[_EPOCH]), int(slot[_WORKERS])
        if world > 1 and not bool((slot[_DONE:_DONE + workers] == newest).all()):
            if warns and not self._head[_WARNED]:
                self._head[_WARNED] = 1
                _ranks.warn_abandoned()
            return epoch, 0
        return epoch + 1, 0

    def finish(self, number: int, worker: int = 0) -> None:
        """A worker gave its last batch of a pass."""
        if int(self._slot(number)[_NUMBER]) == number:
            self._slot(number)[_DONE + worker] = number

    def was_in_workers(self) -> bool:
        """Whether the newest pass is one of workers, with no wish after it: where it is, they know."""
        newest = self.newest
        return self._is_plain(newest) and int(self._slot(newest)[_KEY]) != 0


def _remove(file: str, owner: int) -> None:
    """The file goes with the table of the process that made it."""
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            os.remove(file)
