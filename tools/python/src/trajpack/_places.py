"""A loader's place in the order: state, epochs, the order itself, and pickling, which keeps the place."""
from __future__ import annotations

from collections.abc import Mapping
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError
from ._weights import Weighed, members, state_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset


class Places(Weighed):
    """Where a loader is, and how it goes elsewhere."""

    def __reduce__(self) -> Any:
        return _reopen, (type(self), self.datasets, self._given, self._weights, self._later, self.state_dict())

    def state_dict(self) -> dict[str, int]:
        """All that is needed to go on with the very next window: five whole numbers, the same on every rank."""
        state = _ffi.State()
        with self._lock:
            self._open()
            if self._pending.value:
                # Handed out by the library, but not yet by us: the state is that before it.
                view = _ffi.BatchView()
                self._library.tp_batch_look(self._pending, byref(view))
                self._library.tp_loader_get_state(self._pointer, byref(state))
                state.epoch, state.position = view.epoch, view.position
            else:
                self._library.tp_loader_get_state(self._pointer, byref(state))
        return members(state)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes to a state: of the same data and order, on any number of ranks and with any batch size.

        Raises ``UsageError`` where the data or the options that decide the order are others. Where only the weights of
        windows are, the loader is at the state's place all the same, and gives batches when ``set_weights`` has given
        it those.
        """
        given = state_of(state)
        with self._lock:
            self._open()
            self._drop()
            _ffi.call("tp_loader_set_state", self._pointer, byref(given))
            self._check_weights()

    def seek(self, epoch: int, position: int = 0) -> None:
        """Goes to a window of an epoch, counted on all ranks."""
        epoch, position = _options.whole(epoch, "epoch"), _options.whole(position, "position")
        if epoch < 0 or position < 0:
            raise UsageError(f"there is no place {position} of epoch {epoch}; both are counted from 0")
        with self._lock:
            self._open()
            self._drop()
            _ffi.call("tp_loader_seek", self._pointer, epoch, position)

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of an epoch."""
        self.seek(epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch."""
        return self._place()[0]

    @property
    def position(self) -> int:
        """Windows of the epoch, on all ranks, before the next batch."""
        return self._place()[1]

    def _place(self) -> tuple[int, int]:
        state = _ffi.State()
        self._open()
        self._library.tp_loader_get_state(self._pointer, byref(state))
        return state.epoch, state.position

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

        ``window`` and ``dataset`` may be arrays of whole numbers (``batch.windows``, ``batch.datasets``), and then so is
        each of the three: int64, of their shape.
        """
        if np.ndim(window) == 0 and np.ndim(dataset) == 0:
            out = c_int64(), c_int64(), c_int64()
            _ffi.call("tp_loader_locate", self._open(), self._member(dataset), _options.whole(window, "window", 0),
                      *map(byref, out))
            return out[0].value, out[1].value, out[2].value
        windows, members = np.broadcast_arrays(np.asarray(window), np.asarray(dataset))
        for name, array in (("window", windows), ("dataset", members)):
            if array.size and (array.dtype.kind not in "iu" or array.dtype.kind == "i" and int(array.min()) < 0):
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
            state: dict[str, int]) -> Places:
    loader = kind.__new__(kind)
    if later is not None and not state.get("later_weights"):
        weights, later = later, None
    loader._start(list(datasets), options, weights)
    try:
        loader.load_state_dict(state)
    except UsageError:
        if later is None:
            raise
        loader.set_weights(later)
    return loader
