"""The functions of ``trajpack_evaluate.h``: arrays in, JSON out."""
from __future__ import annotations

import json
from collections.abc import Mapping
from ctypes import addressof, byref, c_int32, c_int64, c_void_p
from typing import Any

import numpy as np

from .. import _ffi, _patience
from .._bindings import TRAJPACK_EVALUATE, Array
from .._errors import UsageError, from_status

TYPES = {np.dtype(name): code for code, name in enumerate(("float32", "float64", "int64", "uint8"))}
MOST_AXES = 8
#: Elements of all arrays from which on a call may take so long that Ctrl-C must end it.
LONG_CALL = 1 << 14
#: What is over before one could press it: a pass over the arrays.
QUICK = {"forecast.mse", "forecast.mae", "forecast.rmse"}

_evaluate = _ffi.part(TRAJPACK_EVALUATE)


def evaluators() -> list[dict[str, Any]]:
    """The catalogue as the library has it."""
    found: list[dict[str, Any]] = json.loads(_evaluate.take(_evaluate.loaded().tp_evaluators()))
    return found


def evaluate(evaluator: str, arrays: Mapping[str, np.ndarray[Any, Any]], options: Mapping[str, Any]
             ) -> list[dict[str, Any]]:
    """The scores of one evaluator; arrays are float32, float64, int64 or uint8 and C-contiguous."""
    items = (Array * max(len(arrays), 1))()
    keep: list[Any] = []
    for item, (name, values) in zip(items, arrays.items(), strict=False):
        if values.ndim > MOST_AXES:
            raise UsageError(f"the array '{name}' has {values.ndim} axes; the most is {MOST_AXES}")
        shape = (c_int64 * max(values.ndim, 1))(*values.shape)
        keep.append(shape)
        item.name, item.data = _ffi.name_bytes(name), values.ctypes.data
        item.shape, item.rank, item.type = addressof(shape), values.ndim, TYPES[values.dtype]
    text = "\n".join(f"{name}={written(name, value)}" for name, value in options.items())
    result, stop = c_void_p(), c_int32(0)

    def call() -> int:
        return int(_evaluate.loaded().tp_evaluate_until(_ffi.name_bytes(evaluator), items, len(arrays),
                                                        _ffi.name_bytes(text), byref(stop), byref(result)))

    is_long = evaluator not in QUICK and sum(values.size for values in arrays.values()) > LONG_CALL
    status = _patience.until(call, stop, "trajpack.evaluate") if is_long else call()
    answer = _evaluate.take(result.value)
    if status:
        raise from_status(status, answer)
    found: list[dict[str, Any]] = json.loads(answer)
    return found


def written(name: str, value: Any) -> str:
    """An option's value as the library reads it."""
    if value is None:
        return "none"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return ",".join(written(name, item) for item in value)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if not isinstance(value, str):
        raise UsageError(f"option '{name}' takes a number, a text, true or false, or a list of them, not "
                         f"{type(value).__name__}")
    if "\n" in value:
        raise UsageError(f"option '{name}' has a line break in it")
    return value
