"""A loader's place in the order: state, epochs, the order itself, and pickling, which keeps the place."""
from __future__ import annotations

from collections.abc import Mapping
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError
from ._handle import LoaderHandle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset

_STATE = ("version", "digest", "seed", "epoch", "position")


class Places(LoaderHandle):
    """Where a loader is, and how it goes elsewhere."""

    def __reduce__(self) -> Any:
        return _reopen, (type(self), self.datasets, self._given, self._weights, self.state_dict())

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
        return {name: getattr(state, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes to a state: of the same data and order, on any number of ranks and with any batch size.

        Raises ``UsageError`` where the data or the options that decide the order are others.
        """
        if not isinstance(state, Mapping):
            raise UsageError(f"this is no state of a loader, which is a dict, but {type(state).__name__}")
        lacking = [name for name in _STATE if name not in state]
        if lacking:
            raise UsageError(f"this is no state of a loader: '{lacking[0]}' is not in it")
        try:
            numbers = [int(state[name]) for name in _STATE]
        except (TypeError, ValueError, OverflowError):
            raise UsageError("this is no state of a loader: its values are whole numbers") from None
        for name, number in zip(_STATE, numbers, strict=True):
            if not 0 <= number < 2**64:
                raise UsageError(f"this is no state of a loader: '{name}' is {number}, which is no count of 64 bits")
        given = _ffi.State(*numbers)
        with self._lock:
            self._open()
            self._drop()
            _ffi.call("tp_loader_set_state", self._pointer, byref(given))

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

    def locate(self, window: int, dataset: int = 0) -> tuple[int, int, int]:
        """Where a window lies: episode (number), track of the reference stream, first row."""
        out = c_int64(), c_int64(), c_int64()
        _ffi.call("tp_loader_locate", self._open(), self._member(dataset), _options.whole(window, "window", 0),
                  *map(byref, out))
        return out[0].value, out[1].value, out[2].value


def _reopen(kind: type[Places], datasets: tuple[Dataset, ...], options: bytes,
            weights: list[NDArray[np.float32]] | None, state: dict[str, int]) -> Places:
    loader = kind.__new__(kind)
    loader._start(list(datasets), options, weights)
    loader.load_state_dict(state)
    return loader
