"""The signal functions of libtrajpack, as ``trajpack_signal.h`` declares them, and arrays as they take them."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from ctypes import POINTER, Structure, c_char, c_double, c_int32, c_int64, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _ffi
from .._errors import UsageError, nearest
from .._options import whole as whole

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Error(Structure):
    """tp_signal_error"""

    _fields_ = [("message", c_char * 504)]


class CTimes(Structure):
    """tp_signal_times"""

    _fields_ = [("form", c_int32), ("count", c_int64), ("a_num", c_int64), ("a_den", c_int64), ("b_num", c_int64),
                ("b_den", c_int64), ("values", c_void_p)]


class Input(Structure):
    """tp_signal_input"""

    _fields_ = [("dtype", c_int32), ("rows", c_int64), ("components", c_int64), ("values", c_void_p),
                ("observed", c_void_p)]
    keep: Any


class Output(Structure):
    """tp_signal_output"""

    _fields_ = [("rows", c_int64), ("values", c_void_p), ("mask", c_void_p)]


class Series(Structure):
    """tp_signal_series"""

    _fields_ = [("values", c_void_p), ("rows", c_int64), ("components", c_int64), ("channel", c_int64),
                ("episodes", c_void_p), ("episode_count", c_int64)]
    keep: Any


class Camera(Structure):
    """tp_signal_camera"""

    _fields_ = [("frames", c_int64), ("intrinsics", c_void_p), ("positions", c_void_p), ("rotations", c_void_p),
                ("rotation_form", c_int32), ("pose", c_int32), ("axes", c_int32)]
    keep: Any


_times, _input, _output, _series, _error = (POINTER(t) for t in (CTimes, Input, Output, Series, Error))
_camera = POINTER(Camera)
_long, _real, _void = POINTER(c_int64), c_double, c_void_p

# Name: arguments. All return a status. The order of the header.
FUNCTIONS: dict[str, list[Any]] = {
    "tp_signal_resample": [_times, _times, c_int32, c_int32, _real, _void, c_int64, _void, _input, _output, _error],
    "tp_signal_polyphase": [c_int64, c_int64, c_int32, c_int64, _input, _output, _error],
    "tp_signal_moving_mean": [_times, _times, _real, _real, _input, _output, _error],
    "tp_signal_bins": [_times, _times, c_int32, _input, _output, _error],
    "tp_signal_align": [_times, _times, c_int32, _real, c_int64, c_int64, c_int32, _real, _void, _void, _error],
    "tp_signal_autocorrelation": [_series, c_int64, _void, _void, _error],
    "tp_signal_mutual_information": [_series, c_int64, c_int32, c_int64, _void, _long, _long, _error],
    "tp_signal_false_neighbours": [_series, c_int64, c_int64, c_int64, c_int32, _real, _real, _void, _long, _error],
    "tp_signal_cao": [_series, c_int64, c_int64, c_int64, c_int32, c_int32, _void, _long, POINTER(c_int32), _error],
    "tp_signal_mdop": [_series, c_int64, c_int64, _real, _real, c_int64, _void, _void, c_int64, _long, _error],
    "tp_signal_pecuzal": [_series, c_int64, c_int64, _real, c_int32, _void, _void, c_int64, _long, _error],
    "tp_signal_noise_amplification": [_series, c_int64, c_int64, c_int64, POINTER(c_double), _error],
    "tp_signal_augmented_covariance": [_series, c_int64, c_int64, c_int32, _void, _error],
    "tp_signal_embed": [_series, _void, c_int64, c_int32, c_int32, _void, _long, _error],
    "tp_signal_mask": [c_int32, _real, _void, _void, c_int64, c_uint64, c_uint64, _input, _void, _error],
    "tp_signal_random": [c_uint64, c_uint64, c_int64, _void, _error],
    "tp_signal_time_since": [_times, _input, _void, _error],
    "tp_signal_coefficients": [c_int32, _times, _input, _void, _void, c_int64, _void, _void, _error],
    "tp_signal_rectilinear": [_input, c_int64, c_int32, _output, _error],
    "tp_signal_quantise": [_times, _real, _input, _void, _output, _long, _error],
    "tp_signal_union": [_times, _input, _void, c_int64, _void, _void, _long, _void, _void, _long, _error],
    "tp_signal_project": [_camera, _void, c_int64, _real, _void, _void, _error],
    "tp_signal_project_bones": [_camera, _void, c_int64, _void, c_int64, _real, _void, _error],
    "tp_signal_unproject": [_camera, _void, _void, c_int64, c_int32, _void, _error],
}

_signal = _ffi.part({name: (c_int32, arguments) for name, arguments in FUNCTIONS.items()}, Error)
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


def taken(x: ArrayLike, observed: ArrayLike | None = None) -> tuple[Array, Input]:
    """The numbers, and the structure that looks at them (and keeps them)."""
    array = floating(x)
    mask = None if observed is None else booleans(observed, array.shape, "observed")
    if isinstance(observed, np.ma.MaskedArray) and mask is not None:
        mask &= ~np.ma.getmaskarray(observed)
    components = int(np.prod(array.shape[1:], dtype=np.int64))
    c = Input(0 if array.dtype == np.float32 else 1, len(array), components, address(array), address(mask))
    c.keep = (array, mask)
    return array, c


def made(like: Array, rows: int) -> tuple[Array, NDArray[np.uint8], Output]:
    """Room for ``rows`` rows of the shape and type of others, its mask, and the structure that looks at both."""
    out = np.empty((rows, *like.shape[1:]), like.dtype)
    mask = np.empty(out.shape, np.uint8)
    return out, mask, Output(rows, address(out), address(mask))


def series(x: ArrayLike, channel: int = 0, episodes: ArrayLike | None = None) -> Series:
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
    c = Series(address(array), len(array), int(np.prod(array.shape[1:], dtype=np.int64)), whole(channel, "channel"),
               address(runs), 0 if runs is None else len(runs))
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
