"""Other rates, other clocks."""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import UsageError
from . import _ffi
from ._ffi import Array, Mask
from .times import Times, times_of

METHODS: dict[str, int] = {
    "previous": 0, "next": 1, "nearest": 2, "nearest-up": 3, "linear": 4, "hermite": 5, "natural": 6, "not-a-knot": 7,
    "clamped": 8, "pchip": 9, "akima": 10, "makima": 11, "counter": 12, "slerp": 20, "squad-xyzw": 21, "squad-wxyz": 22,
    "directions": 23, "squad": 24}  # the last: of unknown order, which the library refuses, saying what to declare
EDGES = ("missing", "hold", "extrapolate", "reflect")
FILTER_EDGES = ("zero", "hold", "reflect", "line", "mean")
STATISTICS = ("mean", "sum", "min", "max", "first", "last", "count")
DIRECTIONS = ("backward", "forward", "nearest", "exact")


class Resampled(NamedTuple):
    """Values and which of them exist. What does not is NaN."""

    values: Array
    """``[rows, ...]``, float32 where float32 came in, else float64."""
    mask: Mask
    """The same shape; false where there is no value."""


class Aligned(NamedTuple):
    """For each row of the reference, a row of the stream."""

    rows: NDArray[np.int32]
    """``[reference rows]``; -1 where there is none within the tolerance."""
    offsets: NDArray[np.float64]
    """The stream's time less the reference's; NaN where there is none."""


def resample(x: ArrayLike, source: Times | ArrayLike, target: Times | ArrayLike, method: str = "linear", *,
             observed: ArrayLike | None = None, edges: str = "missing", gap: float | None = None,
             breaks: Sequence[int] = (), angle: tuple[float, float] | None = None) -> Resampled:
    """Rows at other times.

    - ``x``: ``[rows, ...]``; every component is interpolated by itself, but for quaternions and directions.
    - ``source``, ``target``: times that increase, of the rows and of the output.
    - ``method``: ``previous`` (causal), ``next``, ``nearest`` (half-way: the earlier), ``nearest-up``, ``linear``;
      ``natural``, ``not-a-knot``, ``clamped`` cubic splines and ``pchip``, ``akima``, ``makima``, all as scipy's;
      ``hermite`` with backward differences (Morrill et al. 2021); ``counter``, which is not interpolated where it
      restarts; ``slerp`` (Shoemake 1985), ``squad-xyzw``, ``squad-wxyz`` of unit quaternions ``[rows, 4]``;
      ``directions``.
    - ``observed``: booleans of x's shape; what is false (or NaN) is no knot.
    - ``edges``: what stands outside the source's times: ``missing``, ``hold``, ``extrapolate``, ``reflect``.
    - ``gap``: knots further apart than this time have nothing between them. ``breaks``: rows before which a new run
      begins.
    - ``angle``: ``(period, lowest)`` of angles, which are unwrapped first.

    Raises ``DataError`` for times that do not increase, ``UsageError`` for shapes or a method that does not fit.
    """
    if method not in METHODS:
        _ffi.code(method, "method", list(METHODS))
    a, b = times_of(source), times_of(target)
    array, c = _ffi.taken(x, observed)
    _require_rows(array, a, "source")
    out, mask, o = _ffi.made(array, b.count)
    starts = _ffi.wholes(breaks, "breaks")
    turn = None if angle is None else _ffi.reals(angle, "angle")
    if turn is not None and turn.shape != (2,):
        raise UsageError("'angle' is (period, lowest), such as (360, 0)")
    _ffi.call("tp_signal_resample", byref(a._c), byref(b._c), METHODS[method], _ffi.code(edges, "edges", EDGES),
              _time(gap, "gap"), _ffi.address(starts), len(starts), _ffi.address(turn), byref(c), byref(o))
    return Resampled(out, mask.view(bool))


def polyphase(x: ArrayLike, up: int, down: int, *, edges: str = "hold", observed: ArrayLike | None = None,
              bridge: int = 0) -> Resampled:
    """The rate times ``up / down``, by a low-pass filter: output row j is at source row ``j * down / up``.

    The filter is ``scipy.signal.resample_poly``'s (Kaiser window, beta 5). ``edges``: what it sees beyond the ends,
    ``zero``, ``hold``, ``reflect``, ``line`` or ``mean``; with all but ``zero`` a constant stays exactly that constant.
    Rows that are missing end a run; ``bridge``: that many of them are bridged by a line.
    """
    array, c = _ffi.taken(x, observed)
    ups, downs = _ffi.whole(up, "up"), _ffi.whole(down, "down")
    rows = -(-len(array) * ups // downs) if ups > 0 and downs > 0 else 0
    if rows >= 1 << 40:
        raise UsageError(f"a rate change of {up}/{down} makes {rows} rows: use smaller factors")
    out, mask, o = _ffi.made(array, rows)
    _ffi.call("tp_signal_polyphase", ups, downs, _ffi.code(edges, "edges", FILTER_EDGES), _ffi.whole(bridge, "bridge"),
              byref(c), byref(o))
    return Resampled(out, mask.view(bool))


def moving_mean(x: ArrayLike, source: Times | ArrayLike, target: Times | ArrayLike, width: float, *,
                observed: ArrayLike | None = None, gap: float | None = None) -> Resampled:
    """At each target time the mean, over ``width`` of time around it, of the line through the rows."""
    a, b = times_of(source), times_of(target)
    array, c = _ffi.taken(x, observed)
    _require_rows(array, a, "source")
    out, mask, o = _ffi.made(array, b.count)
    _ffi.call("tp_signal_moving_mean", byref(a._c), byref(b._c), _ffi.real(width, "width"), _time(gap, "gap"), byref(c),
              byref(o))
    return Resampled(out, mask.view(bool))


def bins(x: ArrayLike, source: Times | ArrayLike, clock: Times, statistic: str = "mean", *,
         observed: ArrayLike | None = None, angle: tuple[float, float] | None = None) -> Resampled:
    """A statistic of the rows in each bin ``[t, t + 1 / rate)`` of a regular clock, as ``pandas`` ``resample``.

    ``statistic``: ``mean``, ``sum``, ``min``, ``max``, ``first``, ``last``, ``count``. An empty bin is missing (its
    count is 0). ``angle``: ``(period, lowest)`` of angles, whose mean is the circular one: the direction of the sum of
    their unit vectors; missing where they cancel out.
    """
    if angle is not None:
        return _circular(x, source, clock, statistic, observed, angle)
    a = times_of(source)
    if not isinstance(clock, Times):
        raise UsageError("bins lie on a regular clock: give Times.regular(rate, count, start)")
    a.require_overlap(clock)
    array, c = _ffi.taken(x, observed)
    _require_rows(array, a, "source")
    out, mask, o = _ffi.made(array, clock.count)
    _ffi.call("tp_signal_bins", byref(a._c), byref(clock._c), _ffi.code(statistic, "statistic", STATISTICS), byref(c),
              byref(o))
    return Resampled(out, mask.view(bool))


def align(stream: Times | ArrayLike, reference: Times | ArrayLike,
          direction: Literal["backward", "forward", "nearest", "exact"] = "backward", *,
          tolerance: float | Fraction | None = None, same: bool = True, rounding: float | None = None) -> Aligned:
    """For each row of the reference the row of the stream that goes with it, as ``pandas.merge_asof``.

    ``direction``: the last row at or before it, the first at or after, the nearest, or ``exact``, which raises naming
    the first row without one. ``tolerance``: furthest apart, inclusive; a Fraction of seconds is compared exactly.
    ``same``: whether a row of the same time counts. Times may repeat; they may not go back.

    ``rounding``: since times are rounded, a row that lies on the other side by up to so much time counts as of the same
    time, within ``tolerance``: by default 0.001, and at most a quarter of the time between rows; what is given counts
    up to half of it, and 0 compares exactly, as pandas does.
    """
    a, b = times_of(stream), times_of(reference)
    rows, offsets = np.empty(b.count, np.int32), np.empty(b.count)
    exact = tolerance if isinstance(tolerance, Fraction) else Fraction(0)
    _ffi.call("tp_signal_align", byref(a._c), byref(b._c), _ffi.code(direction, "direction", DIRECTIONS),
              -1.0 if isinstance(tolerance, Fraction) else _time(tolerance, "tolerance"),
              _ffi.whole(exact.numerator, "tolerance"),
              _ffi.whole(exact.denominator, "tolerance") if isinstance(tolerance, Fraction) else 0, int(same),
              _time(rounding, "rounding"), _ffi.address(rows), _ffi.address(offsets))
    return Aligned(rows, offsets)


def _time(value: Any, name: str) -> float:
    """A span of time; -1 for none."""
    if value is None:
        return -1.0
    span = _ffi.real(value, name)
    if not span >= 0:
        raise UsageError(f"'{name}' is {value!r}, but must be a time of 0 or more, or None")
    return span


def _require_rows(x: Array, times: Times, name: str) -> None:
    if len(x) != times.count:
        raise UsageError(f"'x' has {len(x)} rows and '{name}' {times.count} times: give one for each row")


def _circular(x: ArrayLike, source: Times | ArrayLike, clock: Times, statistic: str, observed: ArrayLike | None,
              angle: tuple[float, float]) -> Resampled:
    """The circular mean of angles in bins."""
    if statistic != "mean":
        raise UsageError(f"'angle' is for the mean, and the {statistic} of angles goes without it")
    turn = _ffi.reals(angle, "angle")
    if turn.shape != (2,) or not turn[0] > 0:
        raise UsageError("'angle' is (period, lowest), such as (360, 0)")
    period, lowest = turn
    values = _ffi.floating(x)
    phase = np.asarray(values, np.float64) * (2 * np.pi / period)
    cosine, mask = bins(np.cos(phase), source, clock, observed=observed)
    sine, _ = bins(np.sin(phase), source, clock, observed=observed)
    with np.errstate(invalid="ignore"):
        seen = mask & (np.hypot(sine, cosine) > 1e-12)
        mean = (np.arctan2(sine, cosine) * (period / (2 * np.pi)) - lowest) % period + lowest
    mean = np.where(mean >= lowest + period, lowest, mean)  # rounding never reaches the open end
    return Resampled(np.where(seen, mean, np.nan).astype(values.dtype), seen)
