"""Whatever numpy understands, as the library takes it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._errors import UsageError


@dataclass(frozen=True)
class Input:
    """An array that an evaluator takes."""

    name: str
    #: Its axes in words, ``"[N x] T x 3"``.
    shape: str
    help: str
    required: bool


def native(name: str, values: Any) -> np.ndarray[Any, Any]:
    """Float32 stays; bool becomes uint8, other whole numbers int64, other real ones float64; C order. Never loses a
    value: what int64 does not hold is refused."""
    if hasattr(values, "detach"):                # a torch tensor, on whichever device
        values = values.detach().cpu()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise UsageError(f"'{name}' is no array: {error}") from None
    kind = array.dtype.kind
    if kind == "b":
        array = array.view(np.uint8)
    elif kind in "iu" and array.dtype != np.uint8:
        if kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > np.iinfo(np.int64).max:
            raise UsageError(f"'{name}' holds {array.max()}, which is above what int64 holds")
        array = array.astype(np.int64, copy=False)
    elif kind == "f" and array.dtype != np.float32:
        if array.dtype.itemsize > 8:
            raise UsageError(f"'{name}' is {array.dtype}; give float64, rounded as you wish")
        array = array.astype(np.float64, copy=False)
    elif kind not in "iuf":
        raise UsageError(f"'{name}' holds {array.dtype}, not numbers")
    if array.flags.c_contiguous and array.dtype.isnative:
        return array
    # A byte order that is not the machine's goes with astype above, but not for float32 and views.
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def split(arrays: dict[str, Any], inputs: Mapping[str, Input], evaluator: str) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays for the library; the masks of masked arrays become the evaluator's own masks.

    ``truth`` masks through ``truth_mask`` (or ``mask``), a prediction too: an element counts where neither side is
    masked. Where the evaluator's mask has fewer axes than the array, as one of rows has, all elements must be there
    for the row to count. An evaluator without such an input refuses, rather than let masked values count.
    """
    out: dict[str, np.ndarray[Any, Any]] = {}
    counted: dict[str, np.ndarray[Any, Any]] = {}
    for name, values in arrays.items():
        if not isinstance(values, np.ma.MaskedArray):
            out[name] = native(name, values)
            continue
        out[name] = native(name, values.filled(0))
        masked = np.ma.getmaskarray(values)
        if not masked.any():
            continue
        place = next((m for m in (f"{name}_mask", "truth_mask", "mask") if m in inputs), None)
        if place is None:
            raise UsageError(f"'{name}' is masked, and {evaluator} has no mask; leave the masked rows out")
        seen = _rows(~masked, _axes(inputs, name) - _axes(inputs, place))
        counted[place] = seen if place not in counted else _both(counted[place], seen, name)
    for place, seen in counted.items():
        if place in out:
            raise UsageError(f"a masked array and '{place}' both say what counts; give one of them")
        out[place] = seen.view(np.uint8)
    return out


def _axes(inputs: Mapping[str, Input], name: str) -> int:
    """How many axes an input has, an optional one included; those of another where it is as large as that."""
    shape = inputs[name].shape
    return _axes(inputs, shape[3:]) if shape[:3] == "as " and shape[3:] in inputs else shape.count("×") + 1


def _rows(seen: np.ndarray[Any, Any], axes: int) -> np.ndarray[Any, Any]:
    """Whether all elements along the last ``axes`` are there."""
    if axes <= 0 or axes >= seen.ndim:
        return seen
    return np.asarray(seen.all(axis=tuple(range(seen.ndim - axes, seen.ndim))))


def _both(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    if first.shape != second.shape:
        raise UsageError(
            f"the mask of '{name}' is {second.shape} and that of another array {first.shape}; give the mask "
            "as an array of its own"
        )
    both: np.ndarray[Any, Any] = first & second
    return both
