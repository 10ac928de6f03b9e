"""Series of different times side by side."""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_int64, c_void_p
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _bindings
from .._errors import UsageError
from . import _ffi
from ._ffi import Array, Floats, Mask
from .times import Times, times_of


class UnionBatch(NamedTuple):
    """Series on the union of the times at which any of them is observed."""

    times: Floats
    """``[rows]``, increasing."""
    ticks: NDArray[np.int64] | None
    """The same, exactly, in ticks of ``1 / ticks_per_unit``; None where a series has floats for times."""
    ticks_per_unit: int
    """0 where there are no ticks."""
    values: Array
    """``[series, rows, ...]``; 0 where there is no value."""
    presence: NDArray[np.uint8]
    """Of the same shape: 0 not observed, 1 observed, 2 not present, 3 padding."""

    @property
    def observed(self) -> Mask:
        """Where there is a value."""
        return np.asarray(self.presence == 1)

    @property
    def present(self) -> Mask:
        """Where the entity is there, whether somebody measured it or not."""
        return self.presence < 2

    @property
    def padding(self) -> Mask:
        """What lies outside a series' span and is there only because a batch is a rectangle."""
        return np.asarray(self.presence == 3)


def union_batch(times: Sequence[Times | ArrayLike], values: Sequence[ArrayLike], *,
                observed: Sequence[ArrayLike | None] | None = None,
                present: Sequence[ArrayLike | None] | None = None) -> UnionBatch:
    """Series with clocks of their own as one batch, as latent ODEs take it (Rubanova et al. 2019).

    ``times`` and ``values``: one of each for each series; values are ``[rows, ...]`` of one row shape. ``observed``:
    booleans of the values' shape, or None; NaN is never observed. ``present``: booleans ``[rows]``, false where the
    entity is away. Regular clocks and ticks meet exactly, whatever their rates; floats meet where they are equal.

        batch = ts.union_batch([t1, t2], [x1, x2])
        batch.times, batch.values, batch.observed, batch.padding
    """
    count = len(values)
    for name, given in (("times", times), ("observed", observed), ("present", present)):
        if given is not None and len(given) != count:
            raise UsageError(f"'{name}' is for {len(given)} series and 'values' for {count}: give one for each")
    if count == 0:
        raise UsageError("'values' has no series: give one or more")
    arrays = [_ffi.floating(x, f"values[{i}]") for i, x in enumerate(values)]
    shape, dtype = arrays[0].shape[1:], np.result_type(*arrays)
    clocks = [times_of(t) for t in times]
    inputs = (_bindings.SignalInput * count)()
    keep: list[object] = []
    there = (c_void_p * count)()
    for i, (array, clock) in enumerate(zip(arrays, clocks, strict=True)):
        if array.shape[1:] != shape:
            raise UsageError(f"'values[{i}]' has rows of shape {list(array.shape[1:])}, the first series {list(shape)}")
        if len(array) != clock.count:
            raise UsageError(f"'values[{i}]' has {len(array)} rows and its times {clock.count}: give one for each row")
        _, c = _ffi.taken(array.astype(dtype, copy=False), None if observed is None else observed[i])
        inputs[i] = c
        keep.append(c.keep)          # the array of structures is a copy, which keeps nothing
        if present is not None and present[i] is not None:
            mask = _ffi.booleans(present[i], (len(array),), f"present[{i}]")  # type: ignore[arg-type]
            keep.append(mask)
            there[i] = _ffi.address(mask)
    room = sum(len(a) for a in arrays)
    components = int(np.prod(shape, dtype=np.int64))
    at, ticks = np.empty(room, np.float64), np.empty(room, np.int64)
    out, presence = np.empty(count * room * components, dtype), np.empty(count * room * components, np.uint8)
    unit, rows = c_int64(), c_int64()
    _ffi.call("tp_signal_union", (_bindings.SignalTimes * count)(*[c._c for c in clocks]), inputs, there, count,
              _ffi.address(at), _ffi.address(ticks), byref(unit), _ffi.address(out), _ffi.address(presence),
              byref(rows))
    n = rows.value
    whole = (count, n, *shape)
    return UnionBatch(at[:n].copy(), ticks[:n].copy() if unit.value else None, unit.value,
                      out[:count * n * components].reshape(whole).copy(),
                      presence[:count * n * components].reshape(whole).copy())
