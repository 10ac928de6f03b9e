"""Weights of windows: what is drawn how often, from which epoch on."""
from __future__ import annotations

import operator
from collections.abc import Mapping
from ctypes import byref, c_size_t, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bindings, _ffi
from ._errors import UsageError
from ._handle import LoaderHandle

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLACE = ("version", "digest", "seed", "epoch", "position")
_WEIGHTS = ("weights", "weights_epoch", "later_weights", "later_epoch")


class Weighed(LoaderHandle):
    """Windows that are drawn with weights, and other weights later."""

    #: Weights that take the place of ``_weights`` at the next epoch, or have taken it.
    _later: list[NDArray[np.float32]] | None = None

    def set_weights(self, weights: Any) -> None:
        """Other weights of windows: an array of a number from 0 up for each window, or a list of arrays for a mixture.

        They count from the next epoch on, or from this one where nothing of it was given out yet. The rest of an epoch
        that has begun is drawn by the weights that it began with. The loader must have been made with
        ``window_weights``. Each rank has to be given the same: ``weights_digest`` tells, and
        ``trajpack.torch.check_ranks`` compares it.

        After ``load_state_dict`` of a state that was saved with other weights, it takes those, and refuses any others.
        """
        arrays = arrays_of(weights, len(self.datasets))
        if arrays is None:
            raise UsageError("weights of windows are an array of numbers, one for each window")
        pointers = (c_void_p * len(arrays))(*[one.ctypes.data for one in arrays])
        counts = (c_size_t * len(arrays))(*[len(one) for one in arrays])
        with self._lock:
            self._idle()
            self._open()
            before = self._in_force()
            _ffi.call("tp_loader_replace_weights", self._pointer, pointers, counts, len(arrays))
            self._weights, self._later = (before, arrays) if self._state().later_weights else (arrays, None)
        self._changed()

    def _changed(self) -> None:
        """Called after the weights have changed."""

    @property
    def window_weights(self) -> Any:
        """The weights that the next batch is drawn by: an array, or a list of arrays for a mixture; None where there
        are none or they are made from a channel. Assigning others is ``set_weights``."""
        found = self._in_force()
        return found[0] if found is not None and len(self.datasets) == 1 else found

    @window_weights.setter
    def window_weights(self, weights: Any) -> None:
        self.set_weights(weights)

    @property
    def weights_digest(self) -> int:
        """A number that only the weights of this and of the next epoch have together; 0 without weights."""
        state = self._state()
        return int(state.weights) ^ (int(state.later_weights) * 3 & 2**64 - 1)

    def _in_force(self) -> list[NDArray[np.float32]] | None:
        later = self._later
        return later if later is not None and not self._state().later_weights else self._weights

    def _state(self) -> _bindings.State:
        state = _bindings.State()
        self._library.tp_loader_get_state(self._open(), byref(state))
        return state

    def _check_weights(self) -> None:
        """Raises where a state wants other weights than are here."""
        _ffi.call("tp_loader_order", self._open(), 0, 0, 0, byref(c_uint64()), None)


def members(state: _bindings.State) -> dict[str, int]:
    """A state as Python has it: five whole numbers, and four more where windows have weights."""
    names = _PLACE + _WEIGHTS if state.weights else _PLACE
    return {name: getattr(state, name) for name in names}


def state_of(given: Any) -> _bindings.State:
    """The state that a dict says."""
    if not isinstance(given, Mapping):
        raise UsageError(f"this is no state of a loader, which is a dict, but {type(given).__name__}")
    lacking = [name for name in _PLACE if name not in given]
    if lacking:
        raise UsageError(f"this is no state of a loader: '{lacking[0]}' is not in it")
    try:
        numbers = {name: operator.index(given.get(name, 0)) for name in _PLACE + _WEIGHTS}
    except TypeError:
        raise UsageError("this is no state of a loader: its values are whole numbers") from None
    for name, number in numbers.items():
        if not 0 <= number < 2**64:
            raise UsageError(f"this is no state of a loader: '{name}' is {number}, which is no count of 64 bits")
    return _bindings.State(**numbers)


def arrays_of(given: Any, members: int) -> list[NDArray[np.float32]] | None:
    """Arrays of weights, one a data set; None where they are none."""
    if given is None or isinstance(given, Mapping):
        return None
    several = isinstance(given, (list, tuple)) and len(given) > 0 and not np.isscalar(given[0])
    if not several and members > 1:
        raise UsageError(f"'window_weights' of a mixture is a list of {members} arrays, one for each data set")
    out = []
    for one in given if several else [given]:
        array = np.ascontiguousarray(one)
        if array.ndim != 1 or array.dtype.kind not in "fiub":
            raise UsageError("'window_weights' is an array of numbers, one for each window, or channel(name).mean()")
        out.append(array.astype(np.float32))
    if len(out) != members:
        raise UsageError(
            f"'window_weights' is a list of {len(out)} where {members} arrays are needed, one for each data set")
    return out
