"""A loader's place in the order: state, epochs, the order itself, and pickling, which keeps the place."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bindings, _ffi, _options, _ranks
from ._errors import UsageError
from ._weights import Weighed, members, state_of
from ._words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset



class Epochs:
    """What a ``DataLoader``'s sampler is to a trainer: it is told the epoch. ``sampler`` is itself, so that it passes
    for a batch sampler, too."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    @property
    def sampler(self) -> Epochs:
        return self

    def set_epoch(self, epoch: int) -> None:
        """The loader's own."""
        self._loader.set_epoch(epoch)

    def __len__(self) -> int:
        """Batches of an epoch on this rank."""
        return len(self._loader)


class Places(Weighed, ABC):
    """Where a loader is, and how it goes elsewhere."""

    #: What ``state_dict`` gives: kept beside the library's, so that nobody waits for it.
    _now: dict[str, int]
    #: Whether a state or a place was set, and no batch has been given since.
    _resumed = False
    #: Whether the trainer named the epoch of that state again, so that what is left of it comes, if only nothing.
    _named = False
    #: Where a state at the end of an epoch was, after which a pass began the next.
    _ended: tuple[int, int] | None = None
    #: Counts the passes, and the moves of the place by others than a pass.
    _passes = _moves = 0
    #: Whether the library has to be told the place again, after an error or ``cancel``.
    _stuck = False

    def __reduce__(self) -> Any:
        hint = self._place or _ranks.group()
        return _reopen, (type(self), self.datasets, self._given, self._weights, self._later, self.state_dict(),
                         self._asked, hint)

    def state_dict(self) -> dict[str, int]:
        """All that is needed to go on with the very next window: five whole numbers, the same on every rank.

        It waits for nothing, so a signal handler may ask while ``next`` waits: the state is then that before the batch
        that is waited for.
        """
        self._open()
        return dict(self._now)

    def _note(self) -> None:
        """Keeps the library's state, with the lock held."""
        state = _bindings.State()
        self._library.tp_loader_get_state(self._pointer, byref(state))
        self._now = members(state)

    def _describe(self) -> None:
        super()._describe()
        self._note()

    def _changed(self) -> None:
        with self._lock:
            self._note()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes to a state: of the same data and order, on any number of ranks and with any batch size. The next
        ``iter`` goes on from there, once.

        Raises ``UsageError`` where the data or the options that decide the order are others. Where only the weights of
        windows are, the loader is at the state's place all the same, and gives batches when ``set_weights`` has given
        it those.
        """
        given = state_of(state)
        with self._lock:
            self._idle()
            self._open()
            self._drop()
            _ffi.call("tp_loader_set_state", self._pointer, byref(given))
            self._moved()
            self._check_weights()

    def seek(self, epoch: int, position: int = 0) -> None:
        """Goes to a window of an epoch, counted on all ranks; the next ``iter`` goes on from there, once."""
        epoch, position = _options.whole(epoch, "epoch"), _options.whole(position, "position")
        if epoch < 0 or position < 0:
            raise UsageError(f"there is no place {position} of epoch {epoch}; both are counted from 0")
        if position > self.epoch_windows:
            raise UsageError(f"there is no place {position}: an epoch has {counted(self.epoch_windows, 'window')}")
        with self._lock:
            self._idle()
            self._seek(epoch, position)
            self._moved()

    def _seek(self, epoch: int, position: int) -> None:
        self._open()
        self._drop()
        _ffi.call("tp_loader_seek", self._pointer, epoch, position)
        self._stuck = False
        self._note()

    def _moved(self) -> None:
        """Somebody else than a pass chose the place."""
        self._note()
        self._resumed, self._named, self._stuck, self._ended = True, False, False, None
        self._moves += 1

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch, from its beginning; after ``load_state_dict`` of a place in this epoch it goes
        on from there all the same, once."""
        epoch = _options.whole(epoch, "epoch")
        if epoch < 0:
            raise UsageError(f"there is no epoch {epoch}; they are counted from 0")
        with self._lock:
            self._idle()
            self._open()
            if self._resumed and self._ended is not None and self._ended[0] == epoch:
                self._seek(*self._ended)
                self._moves += 1
            if self._resumed and self._now["epoch"] == epoch:
                self._named, self._ended = True, None
                return
            self._forget()
            if self._place_at() == (epoch, 0) and not self._stuck:
                return
            if self._is_over() and self._now["epoch"] + 1 == epoch and not self._stuck:
                self._turn()
            else:
                self._seek(epoch, 0)
            self._moves += 1

    def _forget(self) -> None:
        """What was set counts no longer: a batch was given, or another epoch was named."""
        self._resumed, self._named, self._ended = False, False, None

    @abstractmethod
    def _turn(self) -> None:
        """Goes from an epoch of which all batches were given out to the beginning of the next; what is read ahead of
        it stays. With the lock held."""

    def _is_over(self) -> bool:
        """Whether no batch is left of the epoch."""
        _, position = self._place_at()
        _, world = self._place or self._looked_up()
        return position > 0 and self._batches(max(self.epoch_windows - position, 0), world) == 0

    def _place_at(self) -> tuple[int, int]:
        return self._now["epoch"], self._now["position"]

    @property
    def sampler(self) -> Epochs:
        """For trainers that call ``loader.sampler.set_epoch(epoch)``."""
        return Epochs(self)

    @property
    def batch_sampler(self) -> Epochs:
        """For trainers that call ``loader.batch_sampler.sampler.set_epoch(epoch)``."""
        return Epochs(self)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch."""
        self._open()
        return self._now["epoch"]

    @property
    def position(self) -> int:
        """Windows of the epoch, on all ranks, before the next batch."""
        self._open()
        return self._now["position"]

    def order(self, first: int = 0, count: int | None = None, epoch: int | None = None
              ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Places ``[first, first + count)`` of the global order of an epoch (this one), before it is cut into ranks:
        window numbers, and data sets of the mixture."""
        first = _options.whole(first, "first")
        count = self.epoch_windows - first if count is None else _options.whole(count, "count")
        epoch = self.epoch if epoch is None else _options.whole(epoch, "epoch", 0)
        if first < 0 or count < 0 or first + count > self.epoch_windows:
            raise UsageError(f"an epoch has {self.epoch_windows} windows, so places {first} to {first + count} lie "
                             "outside")
        windows, datasets = np.empty(count, np.uint64), np.empty(count, np.uint32)
        _ffi.call("tp_loader_order", self._open(), epoch, first, count,
                  windows.ctypes.data_as(c_void_p), datasets.ctypes.data_as(c_void_p))
        return windows, datasets

    def locate(self, window: Any, dataset: Any = 0) -> tuple[Any, Any, Any]:
        """Where a window lies: episode (number), track of the reference stream, first row.

        ``window`` and ``dataset`` may be arrays of whole numbers (``batch.windows``, ``batch.datasets``), and then so
        is each of the three: int64, of their shape.
        """
        if np.ndim(window) == 0 and np.ndim(dataset) == 0:
            out = c_int64(), c_int64(), c_int64()
            _ffi.call("tp_loader_locate", self._open(), self._member(dataset), _options.whole(window, "window", 0),
                      *map(byref, out))
            return out[0].value, out[1].value, out[2].value
        windows, members = np.broadcast_arrays(np.asarray(window), np.asarray(dataset))
        for name, array in (("window", windows), ("dataset", members)):
            if array.size and (array.dtype.kind not in "iu" or (array.dtype.kind == "i" and int(array.min()) < 0)):
                raise UsageError(f"'{name}' is an array of whole numbers from 0 up, or one of them")
        if members.size:
            self._member(int(members.max()))
        numbers = np.ascontiguousarray(windows, np.uint64)
        chosen = np.ascontiguousarray(members, np.uint32)
        found = [np.empty(numbers.shape, np.int64) for _ in range(3)]
        _ffi.call("tp_loader_locate_all", self._open(), chosen.ctypes.data_as(c_void_p),
                  numbers.ctypes.data_as(c_void_p), numbers.size, *(f.ctypes.data_as(c_void_p) for f in found))
        return found[0], found[1], found[2]


def _reopen(kind: type[Places], datasets: tuple[Dataset, ...], options: bytes,
            weights: list[NDArray[np.float32]] | None, later: list[NDArray[np.float32]] | None,
            state: dict[str, int], given: _ranks.Place | None = None, hint: _ranks.Place | None = None) -> Places:
    loader = kind.__new__(kind)
    if later is not None and not state.get("later_weights"):
        weights, later = later, None
    loader._start(list(datasets), options, weights, given, hint)
    try:
        loader.load_state_dict(state)
    except UsageError:
        if later is None:
            raise
        loader.set_weights(later)
    return loader
