"""When the rows of a stream happened."""
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _clocks
from .._errors import UsageError
from . import _ffi


class Times:
    """The times of rows: ``Times.regular``, ``Times.ticks`` or ``Times.floats``.

    The first two are exact: what is computed from two exact clocks does not drift, however long the recording is.
    Wherever times are asked for, an array of floats does too (seconds, or the unit of a system without seconds).
    """

    def __init__(self, form: int, count: int, a: Fraction = Fraction(0), b: Fraction = Fraction(1),
                 values: NDArray[Any] | None = None) -> None:
        for number in (a.numerator, a.denominator, b.numerator, b.denominator):
            _ffi.whole(number, "clock")
        self._values = values
        self.count = count
        self._c = _ffi.CTimes(form, count, a.numerator, a.denominator, b.numerator, b.denominator,
                              _ffi.address(values))

    @staticmethod
    def regular(rate: Any, count: int, start: Any = 0) -> Times:
        """Row ``i`` at ``start + i / rate`` seconds. ``rate``: rows a second, such as 30, ``"30000/1001"`` or a
        Fraction."""
        return Times(0, _ffi.room(count, "count"), _clocks.exact(start, "start"), _clocks.exact(rate, "rate"))

    @staticmethod
    def ticks(values: ArrayLike, unit: Any) -> Times:
        """Whole ticks of ``unit`` seconds, ``[rows]`` int64."""
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "iu" or (array.dtype == np.uint64 and (array >> 63).any()):
            raise UsageError("ticks are one row of 64-bit whole numbers; give other times to Times.floats")
        return Times(1, len(array), b=_clocks.exact(unit, "unit"), values=np.ascontiguousarray(array, np.int64))

    @staticmethod
    def floats(values: ArrayLike) -> Times:
        """Floating-point times, ``[rows]`` float64. float32 is refused: it cannot tell milliseconds apart after hours.
        """
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "fiu" or array.dtype in (np.float32, np.float16):
            raise UsageError(f"times are {array.dtype} {list(array.shape)}, but must be float64, one for each row")
        return Times(2, len(array), values=np.ascontiguousarray(array, np.float64))

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return f"<trajpack.signal.Times {['regular', 'ticks', 'floats'][self._c.form]}, {self.count} rows>"


def times_of(value: Times | ArrayLike) -> Times:
    """What stands for times."""
    return value if isinstance(value, Times) else Times.floats(value)
