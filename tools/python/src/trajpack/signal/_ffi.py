"""The signal functions of libtrajpack, and arrays as they take them."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _ffi
from .._bindings import TRAJPACK_SIGNAL, SignalInput, SignalOutput, SignalSeries
from .._errors import UsageError, nearest
from .._options import whole as whole

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


_signal = _ffi.part(TRAJPACK_SIGNAL)
call = _signal.call


def address(array: Array | None) -> Any:
    """Where an array's first element lies. The caller keeps the array alive."""
    return None if array is None else array.ctypes.data


def floating(x: ArrayLike, name: str = "x") -> Array:
    """Numbers by rows: float32 and float64 as they are, integers and float16 as float64. What a masked array masks is
    NaN."""
    if isinstance(x, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(x)
        if x.dtype.kind in "fiub" and x.dtype.itemsize <= 8 and mask.any():
            wide = np.float32 if x.dtype == np.float32 else np.float64
            x = np.where(mask, wide(np.nan), np.asarray(x.data, wide))
        else:
            x = x.data
    try:
        array = np.asarray(x)
    except ValueError:
        raise UsageError(f"'{name}' has rows of different shapes; every row has one shape") from None
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise UsageError(f"'{name}' is of {array.dtype}, but must be numbers of at most 64 bits")
    if array.ndim == 0:
        raise UsageError(f"'{name}' is one number, but must be an array, rows first")
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    return np.ascontiguousarray(array, dtype)


def booleans(mask: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    """A mask of a shape, a byte an entry."""
    array = np.asarray(mask)
    if array.dtype.kind not in "biu" or array.shape != shape:
        raise UsageError(f"'{name}' is {array.dtype} {list(array.shape)}, but must be booleans {list(shape)}, one for "
                         "each number")
    return np.ascontiguousarray(array != 0, np.uint8)


def taken(x: ArrayLike, observed: ArrayLike | None = None) -> tuple[Array, SignalInput]:
    """The numbers, and the structure that looks at them (and keeps them)."""
    array = floating(x)
    mask = None if observed is None else booleans(observed, array.shape, "observed")
    if isinstance(observed, np.ma.MaskedArray) and mask is not None:
        mask &= ~np.ma.getmaskarray(observed)
    components = int(np.prod(array.shape[1:], dtype=np.int64))
    c = SignalInput(0 if array.dtype == np.float32 else 1, len(array), components, address(array), address(mask))
    c.keep = (array, mask)
    return array, c


def made(like: Array, rows: int) -> tuple[Array, NDArray[np.uint8], SignalOutput]:
    """Room for ``rows`` rows of the shape and type of others, its mask, and the structure that looks at both."""
    out = np.empty((rows, *like.shape[1:]), like.dtype)
    mask = np.empty(out.shape, np.uint8)
    return out, mask, SignalOutput(rows, address(out), address(mask))


def series(x: ArrayLike, channel: int = 0, episodes: ArrayLike | None = None) -> SignalSeries:
    """Float64 rows of channels, and which rows make an episode."""
    array = np.ascontiguousarray(floating(x), np.float64)
    runs = None
    if episodes is not None:
        given = np.asarray(episodes)
        if given.size == 0:
            given = given.reshape(0, 2).astype(np.int64)
        if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
            raise UsageError("'episodes' must be pairs of rows, (first, end), for each episode: integers [episodes, 2]")
        runs = np.ascontiguousarray(given, np.int64)
    channels = int(np.prod(array.shape[1:], dtype=np.int64))
    c = SignalSeries(address(array), len(array), channels, whole(channel, "channel"), address(runs),
                     0 if runs is None else len(runs))
    c.keep = (array, runs)
    return c


def real(value: Any, name: str) -> float:
    """A number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"'{name}' is {value!r}, but must be a number") from None


def reals(values: Any, name: str) -> Floats:
    """A list of numbers."""
    return np.array([real(one, name) for one in listed(values, name)], np.float64)


def wholes(values: Any, name: str) -> NDArray[np.int64]:
    """A list of whole numbers."""
    return np.array([whole(one, name) for one in listed(values, name)], np.int64)


def listed(values: Any, name: str) -> Any:
    """Something with elements."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"'{name}' is {values!r}, but must be a list")
    return values


def room(value: Any, name: str) -> int:
    """How many numbers to make room for."""
    return whole(value, name, 0)


def code(value: str, name: str, choices: Sequence[str]) -> int:
    """The place of a word in a list."""
    if value not in choices:
        raise UsageError(f"'{name}' is {value!r}{nearest(str(value), choices)}")
    return list(choices).index(value)
