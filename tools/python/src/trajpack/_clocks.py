"""Times that are given with rows: places on a regular clock, or explicit times as whole ticks or floats."""
from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _options
from ._errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNITS = {"W": Fraction(604800), "D": Fraction(86400), "h": Fraction(3600), "m": Fraction(60), "s": Fraction(1),
          "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6), "ns": Fraction(1, 10**9), "ps": Fraction(1, 10**12)}


def exact(value: Any, name: str) -> Fraction:
    """A number as a fraction; floats as they print."""
    try:
        return Fraction(str(_options.seconds(value, name)))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"'{name}' is {value!r}, but must be a number such as 30, 29.97 or '30000/1001'") from None


def positive(value: Any, name: str) -> Fraction:
    out = exact(value, name)
    if out <= 0:
        raise UsageError(f"'{name}' is {value!r}, but must be above 0")
    return out


def row_of(time: Any, start: Fraction, rate: Fraction, where: str) -> int:
    """The row of a regular clock at a time, which lies on it but for rounding."""
    at: Fraction | float
    try:
        if isinstance(time, (int, Fraction)):
            at = (Fraction(time) - start) * rate
        else:
            at = (float(time) - float(start)) * float(rate)
        row = round(at)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: the time {time!r} is no number") from None
    if abs(float(at - row)) > 1e-3 or row < 0:
        raise DataError(f"{where}: the time {time} is not on the clock, which starts at {start} with {rate} rows a "
                        "unit of time; leave 'rate' out for explicit times")
    return row


def rows_of(times: Any, start: Fraction, rate: Fraction, where: str) -> int:
    """The first row of times that lie on a regular clock, row after row."""
    array = np.asarray(times)
    if array.ndim == 0:
        return row_of(times, start, rate, where)
    rows = [row_of(t, start, rate, where) for t in array.tolist()]
    if any(b - a != 1 for a, b in itertools.pairwise(rows)):
        raise DataError(f"{where}: the times are not one row of the clock apart; leave 'rate' out for explicit times, "
                        "or append each piece between gaps with the time= of its first row")
    return rows[0] if rows else 0


@dataclass(frozen=True)
class Mark:
    """When a row of a regular clock was, by the index of the frame that it came in."""

    row: int
    time: Fraction
    #: The kind of the index: dates "M", durations "m", numbers "f".
    kind: str


def follow(index: Any, rate: Fraction, where: str, row: int, before: Mark | None) -> Mark | None:
    """Refuses the index of a frame whose times do not come one row of a regular clock after the other, up to half a row
    off the clock of the first row, or do not go on from the frame ``before``.

    ``row``: of the clock, of the frame's first row. Returns the mark of its last one; that before where it has none.
    A frame may begin up to a row off where the one before it ended, because frames of one row come early and late.
    """
    if index is None or not len(index):
        return before
    times, tick = explicit(index, where)
    remedy = ("give time=frame.index and leave 'rate' out, append each piece between gaps with time= of its first row, "
              "or reset_index(drop=True) where it means nothing")
    rows = (times - times[0]) * float((tick or 1) * rate)
    off = np.flatnonzero(~(np.abs(rows - np.arange(len(rows))) < 0.5))
    if len(off):
        raise DataError(f"{where}: the index of the frame has times that are not one row of the clock apart, from row "
                        f"{off[0]} on; {remedy}")
    first, last = (Fraction(t) * (tick or 1) for t in (times[0].item(), times[-1].item()))
    kind = str(getattr(getattr(index, "dtype", None), "kind", ""))
    if before is not None and before.kind == kind:
        apart = (first - before.time) * rate
        if abs(apart - (row - before.row)) >= 1:
            raise DataError(f"{where}: the index of the frame begins {float(apart):.6g} rows of the clock after the "
                            f"last row of the frame before it, and not {row - before.row}; {remedy}")
    return Mark(row + len(times) - 1, last, kind)


def explicit(times: Any, where: str) -> tuple[NDArray[Any], Fraction | None]:
    """Times as float64, or as int64 with the length of a tick where that is known (dates and durations)."""
    if hasattr(times, "tz_convert") and getattr(times, "tz", None) is not None:
        times = times.tz_convert("UTC").tz_localize(None)
    if hasattr(times, "dt") and getattr(getattr(times, "dtype", None), "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(times, list) and any(isinstance(t, datetime.datetime) for t in times):
        times = [t.astimezone(datetime.timezone.utc).replace(tzinfo=None) if t.tzinfo else t for t in times]
        times = np.array([np.datetime64(t) for t in times])
    array = np.asarray(times)
    if array.ndim != 1:
        raise UsageError(f"{where}: times are one number a row, not of shape {array.shape}")
    if array.dtype.kind in "mM":
        unit, count = np.datetime_data(array.dtype)
        if np.isnat(array).any():
            raise DataError(f"{where}: some times are missing (NaT)")
        if unit not in _UNITS:
            raise DataError(
                f"{where}: times in the unit '{unit}' have no fixed length; convert them to seconds or finer")
        return array.astype(np.int64), _UNITS[unit] * count
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and (array > np.iinfo(np.int64).max).any():
            raise DataError(f"{where}: a time exceeds 64 bits with a sign")
        return array.astype(np.int64), None
    if array.dtype.kind == "f":
        return array.astype(np.float64), None
    raise UsageError(f"{where}: times are numbers or dates, not {array.dtype}")


def in_ticks(times: NDArray[np.int64], own: Fraction | None, tick: Fraction, where: str) -> NDArray[np.int64]:
    """Times in other ticks, exactly."""
    factor = (own or tick) / tick
    if factor == 1:
        return times
    limit = np.iinfo(np.int64).max // factor.numerator
    if (np.abs(times) > limit).any() or (times * factor.numerator % factor.denominator).any():
        raise DataError(f"{where}: some times are no whole number of the stream's ticks of {tick} s")
    return times * factor.numerator // factor.denominator
