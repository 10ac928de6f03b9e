"""Python's values as rows of a channel: numpy arrays, masks, texts; and into the bytes that the library takes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import DataError, UsageError, nearest
from ._schema import TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._schema import Channel


@dataclass(frozen=True)
class Rows:
    """Rows of one channel. ``values`` is ``[rows, ...]``, or a list of texts; ``missing`` is of its shape, or None.

    ``weak``: the numbers had no dtype of their own (Python's), so that a float may be rounded to float32.
    """

    values: NDArray[Any] | list[str]
    missing: NDArray[np.bool_] | None = None
    weak: bool = False
    categories: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_text(self) -> bool:
        return isinstance(self.values, list)


def rows(value: Any, where: str) -> Rows:
    """Many rows: an array, a masked array, a column of pandas or polars, a tensor, a list of texts or numbers."""
    module = type(value).__module__.partition(".")[0]
    if module == "pandas":
        return _pandas(value, where)
    if module == "polars":
        return _polars(value, where)
    if isinstance(value, np.ma.MaskedArray):
        return replace(_array(value.data, where), missing=np.broadcast_to(np.ma.getmaskarray(value), value.shape))
    if hasattr(value, "dtype"):
        return _array(np.asarray(value), where)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise UsageError(f"{where}: rows are an array or a list, not {type(value).__name__}")
    return stack(list(value), where)


def stack(values: list[Any], where: str) -> Rows:
    """A list with an element a row."""
    if values and all(isinstance(v, str) for v in values):
        return Rows([str(v) for v in values])
    if any(isinstance(v, str) for v in values):
        odd = next(v for v in values if not isinstance(v, str))
        raise DataError(f"{where}: some rows are text and some are not ({odd!r}); a channel is one or the other")
    if any(v is None or isinstance(v, bytes) for v in values):
        raise DataError(f"{where}: None and bytes are no values; use numbers or text, NaN or a masked array for what "
                        "was not observed")
    there = [v for v in values if v is not np.ma.masked]
    if len(there) < len(values):
        return _with_holes(values, there, where)
    weak = not any(hasattr(v, "dtype") for v in values)
    try:
        if any(isinstance(v, np.ma.MaskedArray) for v in values):
            joined = np.ma.stack([np.ma.asarray(v) for v in values])
            return replace(_array(joined.data, where), missing=np.ma.getmaskarray(joined))
        array = np.asarray(values)
    except ValueError:
        shapes = sorted({np.shape(v) for v in values if not isinstance(v, Sequence)})
        two = f", {shapes[0]} and {shapes[1]}" if len(shapes) > 1 else ""
        raise DataError(f"{where}: rows have different shapes{two}"
                        "; every row of a channel has one shape") from None
    _refuse_rounding(array, values, where)
    return replace(_array(array, where), weak=weak)


def _refuse_rounding(array: NDArray[Any], values: list[Any], where: str) -> None:
    """Refuses whole numbers that numpy has rounded to floats, for want of a type that holds them and the others."""
    if array.dtype.kind != "f" or all(getattr(getattr(v, "dtype", None), "kind", "") == "f" for v in values):
        return
    if not (np.abs(array) >= 2.0**53).any():
        return
    for one, made in zip(np.ravel(np.array(values, object)).tolist(), np.ravel(array).tolist(), strict=True):
        if isinstance(one, int) and one != made:
            raise DataError(f"{where}: no type of numbers holds {one} and the others beside it; give an array of the "
                            "type that is meant")


def _with_holes(values: list[Any], there: list[Any], where: str) -> Rows:
    """Rows some of which were not observed at all; they get the shape of the others."""
    known = stack(there, where) if there else Rows(np.zeros(0, np.int8))
    if known.is_text:
        raise DataError(f"{where}: text cannot be missing; give an empty text")
    at = np.array([v is not np.ma.masked for v in values])
    array = np.zeros((len(values), *np.shape(known.values)[1:]), known.values.dtype)  # type: ignore[union-attr]
    missing = np.ones(array.shape, bool)
    array[at] = known.values
    missing[at] = False if known.missing is None else known.missing
    return Rows(array, missing, known.weak)


def _array(array: NDArray[Any], where: str) -> Rows:
    if array.dtype.kind in "UO" or array.dtype.kind == "T":
        flat = array.tolist()
        if array.ndim == 1 and all(isinstance(v, str) for v in flat):
            return Rows(flat)
        odd = [type(v).__name__ for v in np.ravel(array).tolist() if not isinstance(v, str)]
        raise DataError(f"{where}: holds Python objects such as {odd[0]}; give numbers, or a list of texts with one a "
                        "row"
                        if odd else f"{where}: text has one value a row, not {array.shape}")
    if array.dtype.name == "float16":
        array = array.astype(np.float32)
    if array.dtype.newbyteorder("=").name not in TYPES:
        hint = ("; give times as time=..." if array.dtype.kind in "mM" else
                "; split it into real and imaginary parts" if array.dtype.kind == "c" else "")
        raise DataError(f"{where}: trajpack has no dtype {array.dtype}{hint}")
    if array.ndim == 0:
        raise UsageError(f"{where}: rows are an array or a list, not one number")
    return Rows(array.astype(array.dtype.newbyteorder("="), copy=False))


def _pandas(value: Any, where: str) -> Rows:
    import pandas
    if isinstance(value, pandas.Categorical):
        value = pandas.Series(value)
    if isinstance(value.dtype, pandas.CategoricalDtype):
        codes = value.cat.codes.to_numpy() if hasattr(value, "cat") else value.codes
        return Rows(codes.astype(np.int32), codes < 0, categories=tuple(map(str, value.dtype.categories)))
    if isinstance(value.dtype, pandas.StringDtype) or value.dtype == object:
        return stack(value.tolist(), where)
    missing = np.asarray(value.isna())
    if isinstance(value.dtype, pandas.api.extensions.ExtensionDtype) and hasattr(value.dtype, "numpy_dtype"):
        if value.dtype.numpy_dtype.kind in "OU":
            return stack(value.tolist(), where)
        filled = value.fillna(0) if value.dtype.numpy_dtype.kind != "b" else value.fillna(False)
        array = _array(filled.to_numpy(dtype=value.dtype.numpy_dtype), where)
        return replace(array, missing=missing) if missing.any() else array
    return _array(value.to_numpy(), where)


def _polars(value: Any, where: str) -> Rows:
    missing = value.is_null().to_numpy() if value.null_count() else None
    if value.dtype.is_numeric() or str(value.dtype) == "Boolean":
        if missing is not None:
            value = value.fill_null(False if str(value.dtype) == "Boolean" else 0)
        return replace(_array(np.asarray(value.to_numpy()), where), missing=missing)
    if str(value.dtype).startswith(("Array", "List")):
        return stack([np.asarray(v) for v in value.to_list()], where)
    return stack(value.to_list(), where)


def joined(parts: list[Rows], where: str) -> Rows:
    """Rows one after the other, as their schema is inferred from."""
    if any(p.is_text for p in parts):
        if not all(p.is_text for p in parts):
            raise DataError(f"{where}: some rows are text and some are numbers; a channel is one or the other")
        return Rows([v for p in parts for v in p.values])
    shapes = sorted({np.shape(p.values)[1:] for p in parts})
    if len(shapes) > 1:
        raise DataError(f"{where}: rows have different shapes, {shapes[0]} and {shapes[1]}; every row of a channel has "
                        "one shape")
    values = np.concatenate([p.values for p in parts])
    missing = None
    if any(p.missing is not None for p in parts):
        missing = np.concatenate(
            [np.zeros(np.shape(p.values), bool) if p.missing is None else p.missing for p in parts])
    return Rows(values, missing, all(p.weak for p in parts), parts[0].categories)


def encode(given: Rows, channel: Channel, where: str) -> tuple[NDArray[Any], bytes]:
    """The rows as the channel stores them: an array of its dtype ``[rows, ...]``, or pairs of offset and length with
    the bytes of text that they point into."""
    if channel.type == "bytes":
        if not given.is_text:
            raise DataError(f"{where}: the channel is text, these rows are numbers")
        return _text(given.values, where)  # type: ignore[arg-type]
    if given.is_text or given.categories is not None:
        if channel.categories is None:
            kind = "categories" if given.categories is not None else "text"
            raise DataError(f"{where}: the channel is {channel.type}, these rows are {kind}")
        given = _codes(given, channel.categories, where)
    values = given.values
    assert isinstance(values, np.ndarray)
    if values.shape[1:] != channel.shape:
        raise DataError(f"{where}: a row has the shape {channel.shape or 'of one number'}, these have "
                        f"{values.shape[1:] or 'one number a row'}")
    out = _exact(values, np.dtype(channel.type), given, where)
    if given.missing is not None and given.missing.any():
        if channel.missing == "never":
            raise DataError(f"{where}: some values are missing, which the channel was not declared for; declare it "
                            "with missing=True and dtype int32, int64 or a float")
        nothing = np.nan if out.dtype.kind == "f" else np.iinfo(out.dtype).min
        out = np.where(given.missing, nothing, out).astype(out.dtype)
    if channel.missing == "sentinel":
        seen = out == np.iinfo(out.dtype).min
        if (seen if given.missing is None else seen & ~given.missing).any():
            raise DataError(
                f"{where}: holds {np.iinfo(out.dtype).min}, which stands for a missing value in this channel")
    if channel.categories is not None:
        known = (out >= 0) & (out < len(channel.categories))
        if given.missing is not None:
            known |= given.missing
        if not known.all():
            raise DataError(
                f"{where}: {out[~known].flat[0]} is no category; there are {len(channel.categories)}, from 0 on")
    return np.ascontiguousarray(out), b""


def _text(values: list[str], where: str) -> tuple[NDArray[np.int64], bytes]:
    try:
        raw = [v.encode() for v in values]
    except UnicodeEncodeError:
        raise DataError(f"{where}: holds text that is no Unicode (a lone surrogate)") from None
    lengths = np.fromiter(map(len, raw), np.int64, len(raw))
    pairs = np.zeros((len(raw), 2), np.int64)
    pairs[1:, 0] = np.cumsum(lengths)[:-1]
    pairs[:, 1] = lengths
    return pairs, b"".join(raw)


def _codes(given: Rows, categories: tuple[str, ...], where: str) -> Rows:
    number = {name: i for i, name in enumerate(categories)}
    if given.is_text:
        unknown = next((v for v in given.values if v not in number), None)
        codes = None if unknown is not None else np.fromiter((number[v] for v in given.values), np.int64, len(given))
    else:
        own = given.categories or ()
        unknown = next((v for v in own if v not in number), None)
        table = np.array([number.get(v, 0) for v in own] or [0], np.int64)
        codes = None if unknown is not None else table[np.maximum(given.values, 0)]
    if codes is None:
        raise DataError(f"{where}: '{unknown}' is no category of the channel{nearest(str(unknown), categories)}")
    return Rows(codes, given.missing)


def _exact(values: NDArray[Any], dtype: np.dtype[Any], given: Rows, where: str) -> NDArray[Any]:
    """The values as another dtype, where each stays the same number."""
    own = values.dtype
    if own == dtype:
        return values
    wider = np.can_cast(own, dtype, "safe") and not (own.kind in "iu" and dtype.kind == "f" and own.itemsize == 8)
    if wider and (own.kind != "b" or dtype.kind == "b"):
        return values.astype(dtype)
    fits = {"f": "f", "i": "iuf", "u": "iuf"}.get(own.kind, "")
    if dtype.kind not in fits:
        raise DataError(f"{where}: the channel is {dtype.name}, these rows are {own.name}; convert them first")
    with np.errstate(all="ignore"):
        out = values.astype(dtype)
        if given.weak and dtype.kind == "f":
            lost = np.isinf(out) & np.isfinite(values) if own.kind == "f" else np.zeros(out.shape, bool)
        elif own.kind == "f":
            lost = (out.astype(own) != values) & ~np.isnan(values)
        elif dtype.kind == "f":
            lost = (np.abs(out) >= 2.0 ** (64 if own.kind == "u" else 63)) | (out.astype(own) != values)
        else:
            limits = np.iinfo(dtype)
            low = np.zeros(values.shape, bool) if own.kind == "u" else values < limits.min
            lost = low | (values > limits.max)
    if given.missing is not None:
        lost &= ~given.missing
    if lost.any():
        raise DataError(f"{where}: the channel is {dtype.name}, and {values[lost].flat[0].item()!r} of {own.name} is "
                        f"no such number; convert the rows first where that is meant (.astype('{dtype.name}'))")
    return out
