"""When the rows of a stream happened."""
from __future__ import annotations

import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _bindings, _clocks
from .._errors import UsageError
from . import _ffi


class Times:
    """The times of rows: ``Times.regular``, ``Times.ticks`` or ``Times.floats``.

    The first two are exact: what is computed from two exact clocks does not drift, however long the recording is.
    Wherever times are asked for, an array of floats does too (seconds, or the unit of a system without seconds), and
    one of dates (``Times.dates``), also a list of datetimes.
    """

    def __init__(self, form: int, count: int, a: Fraction = Fraction(0), b: Fraction = Fraction(1),
                 values: NDArray[Any] | None = None) -> None:
        for number in (a.numerator, a.denominator, b.numerator, b.denominator):
            _ffi.whole(number, "clock")
        self._values = values
        self._is_dated = False
        self.count = count
        self._c = _bindings.SignalTimes(form, count, a.numerator, a.denominator, b.numerator, b.denominator,
                              _ffi.address(values))

    @staticmethod
    def regular(rate: Any, count: int, start: Any = 0) -> Times:
        """Row ``i`` at ``start + i / rate`` seconds. ``rate``: rows a second, such as 30, ``"30000/1001"`` or a
        Fraction. ``start`` may be a date (a datetime or datetime64), which counts from 1970 as other dates do."""
        dated = date_times([start])
        origin = _clocks.exact(start, "start") if dated is None else dated._first_date
        exact = _clocks.exact(rate, "rate")
        if exact <= 0:
            raise UsageError(f"'rate' is {rate}, but must be above 0")
        return Times(0, _ffi.room(count, "count"), origin, exact)

    @staticmethod
    def ticks(values: ArrayLike, unit: Any) -> Times:
        """Whole ticks of ``unit`` seconds, ``[rows]`` int64."""
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "iu" or (array.dtype == np.uint64 and (array >> 63).any()):
            raise UsageError("ticks are one row of 64-bit whole numbers; give other times to Times.floats")
        exact = _clocks.exact(unit, "unit")
        if exact <= 0:
            raise UsageError(f"'unit' is {unit}, but must be above 0")
        return Times(1, len(array), b=exact, values=np.ascontiguousarray(array, np.int64))

    @staticmethod
    def floats(values: ArrayLike) -> Times:
        """Floating-point times, ``[rows]`` float64. float32 is refused: it cannot tell milliseconds apart after hours.
        Masked times are refused: a row without a time has no place.
        """
        if np.ma.is_masked(values):
            raise UsageError("a time is masked; leave the rows without a time out")
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "fiu" or array.dtype in (np.float32, np.float16):
            raise UsageError(f"times are {array.dtype} {list(array.shape)}, but must be float64, one for each row")
        return Times(2, len(array), values=np.ascontiguousarray(array, np.float64))

    def span(self) -> float | None:
        """Time from the first row to the last; None without rows."""
        if self.count == 0:
            return None
        c = self._c
        if c.form == 0:
            return float(Fraction(self.count - 1) / Fraction(c.b_num, c.b_den))
        values = self._values
        assert values is not None
        unit = float(Fraction(c.b_num, c.b_den)) if c.form == 1 else 1.0
        return float(values[-1] - values[0]) * unit

    def since_first(self, dates: Times) -> NDArray[Any]:
        """Dates as seconds after the first row's, ``[rows]`` float64; differences are exact before they are rounded."""
        if not self._is_dated:
            raise UsageError("dates are asked for, but the times of the rows are no dates; give numbers for both")
        values, unit = dates._values, Fraction(dates._c.b_num, dates._c.b_den)
        assert values is not None
        first = self._first_date if self.count else Fraction(0)
        return np.array([float(int(v) * unit - first) for v in values])

    def require_overlap(self, clock: Times) -> None:
        """Refuses a regular clock that ends before the first date, as one does whose start was not given."""
        if not self._is_dated or not self.count or not clock.count:
            return
        c = clock._c
        end = Fraction(c.a_num, c.a_den) + clock.count / Fraction(c.b_num, c.b_den)
        if end <= self._first_date:
            raise UsageError("the clock ends before the first date; dates count seconds since 1970, so give "
                             "Times.regular(rate, count, start) the date at which it starts")

    @property
    def _first_date(self) -> Fraction:
        """The first row's date, in seconds since 1970."""
        assert self._values is not None
        return int(self._values[0]) * Fraction(self._c.b_num, self._c.b_den)

    def __len__(self) -> int:
        return self.count

    def __reduce__(self) -> tuple[Any, ...]:
        c = self._c
        return _restored, (c.form, self.count, Fraction(c.a_num, c.a_den), Fraction(c.b_num, c.b_den), self._values,
                           self._is_dated)

    def __repr__(self) -> str:
        return f"<trajpack.signal.Times {['regular', 'ticks', 'floats'][self._c.form]}, {self.count} rows>"


    @staticmethod
    def dates(values: ArrayLike) -> Times:
        """Dates, ``[rows]`` datetime64 (a pandas DatetimeIndex too): exact ticks of their unit since 1970, in
        seconds. ``timedelta64`` likewise. ``NaT`` and masked dates are refused."""
        if np.ma.is_masked(values):
            raise UsageError("a date is masked; leave the rows without a date out")
        zone = getattr(getattr(values, "dtype", None), "tz", None)
        if zone is not None:
            for name, zone in (("tz_convert", "UTC"), ("tz_localize", None)):    # a column of pandas has them in .dt
                values = getattr(getattr(values, "dt", values), name)(zone)
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "mM":
            raise UsageError(f"dates are one row of datetime64, not {array.dtype} {list(array.shape)}")
        if np.isnat(array).any():
            raise UsageError(f"date {int(np.isnat(array).argmax())} is NaT; leave the rows without a date out")
        name, step = np.datetime_data(array.dtype)
        if name not in _UNITS:
            raise UsageError(f"dates in units of '{name}' have no fixed length; convert them with astype('M8[s]')")
        times = Times.ticks(array.astype(np.int64), _UNITS[name] * step)
        times._is_dated = True
        return times


#: Seconds of the units of numpy's dates that have a fixed length.
_UNITS = {"W": Fraction(604800), "D": Fraction(86400), "h": Fraction(3600), "m": Fraction(60), "s": Fraction(1),
          "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6), "ns": Fraction(1, 10**9), "ps": Fraction(1, 10**12)}


def times_of(value: Times | ArrayLike) -> Times:
    """What stands for times: ``Times``, dates, or floats."""
    if isinstance(value, Times):
        return value
    dates = date_times(value)
    return Times.floats(value) if dates is None else dates


def date_times(value: Any) -> Times | None:
    """Dates as times: datetime64 or timedelta64 arrays, pandas' indices and columns of dates, lists of datetimes; None
    for anything else. Datetimes with a zone are taken to UTC."""
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], _DATES):
        value = np.array([_plain(t) for t in value])
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return Times.dates(value) if kind in ("m", "M") else None


def _plain(date: Any) -> Any:
    """A datetime as numpy's, of its own resolution."""
    if not isinstance(date, datetime.datetime):
        return date
    if hasattr(date, "to_datetime64"):         # pandas, whose nanoseconds numpy does not see
        return date.to_datetime64()
    return np.datetime64(date.astimezone(datetime.timezone.utc).replace(tzinfo=None) if date.tzinfo else date)


_DATES = (datetime.datetime, np.datetime64, np.timedelta64)


def _restored(form: int, count: int, a: Fraction, b: Fraction, values: NDArray[Any] | None, is_dated: bool) -> Times:
    """Times that were pickled or copied."""
    times = Times(form, count, a, b, values)
    times._is_dated = is_dated
    return times
