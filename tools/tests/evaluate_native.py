"""The evaluators of libtrajpack, for the tests: numpy arrays in, scores out."""

import ctypes
import json
import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TYPES = {"float32": 0, "float64": 1, "int64": 2, "uint8": 3}


class Array(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_int32),
        ("type", ctypes.c_int32),
    ]


def _library():
    path = Path(os.environ.get("TRAJPACK_BIN", ROOT / ".build/release")) / "libtrajpack-c.so"
    library = ctypes.CDLL(str(path))
    library.tp_evaluate.restype = ctypes.c_int32
    library.tp_evaluate.argtypes = [
        ctypes.c_char_p,
        ctypes.POINTER(Array),
        ctypes.c_int64,
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_void_p),
    ]
    library.tp_evaluators.restype = ctypes.c_void_p
    library.tp_text_free.argtypes = [ctypes.c_void_p]
    return library


_LIB = _library()


class Refused(Exception):
    """A call that the library refused: `fault` 1 is the data's, 2 the caller's."""

    def __init__(self, fault, message):
        super().__init__(message)
        self.fault = fault


def evaluate_list(evaluator, options=None, **arrays):
    """The scores of one evaluator, in its order."""
    keep, items = [], (Array * len(arrays))()
    for item, (name, values) in zip(items, arrays.items()):
        values = np.asarray(values)
        if values.dtype == bool:
            values = values.view(np.uint8)
        elif values.dtype.kind in "iu" and values.dtype != np.uint8:
            values = values.astype(np.int64, copy=False)
        elif values.dtype.kind == "f" and values.dtype != np.float32:
            values = values.astype(np.float64, copy=False)
        values = np.ascontiguousarray(values)
        shape = (ctypes.c_int64 * max(values.ndim, 1))(*values.shape)
        keep += [values, shape]
        item.name, item.data = name.encode(), values.ctypes.data
        item.shape, item.rank, item.type = shape, values.ndim, TYPES[str(values.dtype)]
    text = "\n".join(f"{key}={_write(value)}" for key, value in (options or {}).items())
    result = ctypes.c_void_p()
    fault = _LIB.tp_evaluate(
        evaluator.encode(), items, len(arrays), text.encode(), ctypes.byref(result)
    )
    answer = ctypes.string_at(result).decode()
    _LIB.tp_text_free(result)
    if fault:
        raise Refused(fault, answer)
    return json.loads(answer)


def evaluate(evaluator, options=None, **arrays):
    """The scores of one evaluator, by name."""
    return {score["name"]: score for score in evaluate_list(evaluator, options, **arrays)}


def values(evaluator, options=None, **arrays):
    """The figures of one evaluator, by name."""
    return {s["name"]: s["value"] for s in evaluate_list(evaluator, options, **arrays)}


def catalogue():
    """Every evaluator with its inputs and options."""
    text = _LIB.tp_evaluators()
    answer = ctypes.string_at(text).decode()
    _LIB.tp_text_free(text)
    return json.loads(answer)


def _write(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return "none" if value is None else str(value)
