"""Masks, and what models of irregular series read."""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_int64
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._errors import UsageError
from . import _ffi
from ._ffi import Array, Mask
from .times import Times, date_times, times_of

MECHANISMS = ("entries", "exact", "rows", "kept-rows", "listed", "blocks", "channels", "drivers", "value", "above",
              "time")

# What some mechanisms cannot do without.
_NUMBERS = {"blocks": "rows, channels", "channels": "how many"}
_WEIGHTS = {"time": "cycle, phase"}


class Path(NamedTuple):
    """A continuous path through observations."""

    coefficients: Array
    """``[rows - 1, 4 * components]``: a, b, 2c, 3d of each interval, the layout of torchcde."""
    values: Array
    """``[queries, components]``."""
    slopes: Array
    """The same shape."""


class Quantised(NamedTuple):
    """Rows on a grid of times."""

    ticks: NDArray[np.int64]
    """Grid numbers; the time is the number times the quantum."""
    values: Array
    """``[ticks, ...]``, means; NaN where nothing was observed."""
    mask: Mask
    """The same shape."""


def mask(mechanism: str, amount: float, x: ArrayLike, *, observed: ArrayLike | None = None,
         numbers: Sequence[int] | None = None, weights: Sequence[float] | None = None, seed: int = 0,
         stream: int = 0) -> Mask:
    """Which entries of ``[rows, components]`` stay observed: booleans of x's shape, the same on every machine.

    ``mechanism`` and what ``amount`` is:

    - ``entries``: each with this probability (MCAR); ``exact``: this fraction of what is observed, rounded
    - ``rows``: this fraction of the rows, rounded down (KoVAE's 30, 50, 70 %); ``kept-rows``: the probability that one
      stays
    - ``listed``: the rows in ``numbers``
    - ``blocks`` of ``numbers=(rows, channels)`` until this fraction is covered; ``channels``: ``numbers=(how many,)``
    - ``drivers``: this fraction of the other channels' entries, more where ``weights`` times the channels in
      ``numbers`` is large (MAR); ``value``: where the value itself times ``weights=(slope,)`` is (MNAR)
    - ``above``: what is more than ``amount`` standard deviations above its channel's mean (MNAR)
    - ``time``: one stays with probability exp(3 sin(cycle t + phase)) / ``amount``, t from 0 to 1 along the rows,
      ``weights=(cycle, phase)`` (MNAR; pygrinder's ``mnar_t`` has 3 and (20, 10))

    ``observed``: what was there before; masks only take away, so they compose. ``seed`` and ``stream`` (the episode's
    number) are the key of a Philox generator.
    """
    how = _ffi.code(mechanism, "mechanism", MECHANISMS)
    array, c = _ffi.taken(x)
    if observed is None:
        out = np.ones(array.shape, np.uint8)
    else:
        out = _ffi.booleans(observed, array.shape, "observed").copy()
    if isinstance(x, np.ma.MaskedArray):
        out &= ~np.ma.getmaskarray(x)
    ns = None if numbers is None else _ffi.wholes(numbers, "numbers")
    ws = None if weights is None else _ffi.reals(weights, "weights")
    if ns is not None and ws is not None and len(ns) != len(ws):
        raise UsageError(f"{len(ns)} numbers and {len(ws)} weights: give a weight for each")
    for given, needed, what in ((ns, _NUMBERS, "numbers"), (ws, _WEIGHTS, "weights")):
        if mechanism in needed and (given is None or len(given) != needed[mechanism].count(",") + 1):
            raise UsageError(f"'{mechanism}' needs {what}=({needed[mechanism]})")
    count = len(ns) if ns is not None else len(ws) if ws is not None else 0
    _ffi.call("tp_signal_mask", how, _ffi.real(amount, "amount"), _ffi.address(ns), _ffi.address(ws), count,
              _word(seed, "seed"), _word(stream, "stream"), byref(c), _ffi.address(out))
    return out.view(bool)


def random_words(seed: int, stream: int, count: int) -> NDArray[np.uint64]:
    """The words that masks are drawn with: ``numpy.random.Philox(key=[seed, stream]).random_raw(count)``."""
    out = np.empty(_ffi.room(count, "count"), np.uint64)
    _ffi.call("tp_signal_random", _word(seed, "seed"), _word(stream, "stream"), len(out), _ffi.address(out))
    return out


def time_since(times: Times | ArrayLike, observed: ArrayLike, dtype: DTypeLike = np.float64) -> Array:
    """Time since each component was last observed, of ``observed``'s shape (GRU-D, Che et al. 2018): 0 in the first
    row."""
    given = np.asarray(observed)
    if isinstance(observed, np.ma.MaskedArray):
        given = given & ~np.ma.getmaskarray(observed)
    _, c = _ffi.taken(np.zeros(given.shape, dtype), given)
    t = times_of(times)
    if len(given) != t.count:
        raise UsageError(f"'observed' has {len(given)} rows and 'times' {t.count}: give one for each row")
    out = np.empty(given.shape, np.float32 if c.dtype == 0 else np.float64)
    _ffi.call("tp_signal_time_since", byref(t._c), byref(c), _ffi.address(out))
    return out


def path(kind: str, times: Times | ArrayLike, x: ArrayLike, queries: ArrayLike = (), *,
         observed: ArrayLike | None = None) -> Path:
    """The path that neural controlled differential equations read: ``natural`` cubic or ``hermite`` (backward
    differences).

    Missing entries are no knots; before a component's first observation, and after its last, the path stands there.
    ``queries``: times after the first row's at which it is evaluated, or dates where ``times`` are dates. A component
    without any observation is refused.
    """
    t = times_of(times)
    array, c = _ffi.taken(x, observed)
    if len(array) != t.count:
        raise UsageError(f"'x' has {len(array)} rows and 'times' {t.count}: give one for each row")
    dates = date_times(queries)
    given = queries if dates is None else t.since_first(dates)
    try:
        q = np.ascontiguousarray(np.atleast_1d(np.asarray(given, np.float64)))
    except (TypeError, ValueError):
        raise UsageError("'queries' must be one row of times") from None
    if q.ndim != 1 or np.isnan(q).any():
        raise UsageError("'queries' must be one row of times")
    span = t.span()
    if span is not None and q.size and (q.min() < -1e-9 * span or q.max() > span * (1 + 1e-9)):
        first = int(np.argmax((q < -1e-9 * span) | (q > span * (1 + 1e-9))))
        raise UsageError(f"query {first} is {q[first]}, but queries are times after the first row's, from 0 to {span}; "
                         "subtract the first time from times of the series")
    out = np.empty((max(len(array) - 1, 0), 4 * c.components), array.dtype)
    values, slopes = (np.empty((len(q), c.components), array.dtype) for _ in range(2))
    _ffi.call("tp_signal_coefficients", _ffi.code(kind, "kind", ("natural", "hermite")), byref(t._c), byref(c),
              _ffi.address(out), _ffi.address(q), len(q), _ffi.address(values), _ffi.address(slopes))
    return Path(out, values, slopes)


def rectilinear(x: ArrayLike, time_component: int, *, observed: ArrayLike | None = None,
                look_ahead: bool = False) -> Array:
    """The path on which time moves first and then the values jump: ``[2 * rows - 1, components]``, causal.

    ``look_ahead``: a component that begins unobserved takes its first observation (as torchcde does), else it is
    refused.
    """
    array, c = _ffi.taken(x, observed)
    out, _, o = _ffi.made(array, max(2 * len(array) - 1, 0))
    component = _ffi.whole(time_component, "time_component")
    _ffi.call("tp_signal_rectilinear", byref(c), component, int(look_ahead), byref(o))
    return out


def quantise(times: Times | ArrayLike, quantum: float, x: ArrayLike, *, observed: ArrayLike | None = None) -> Quantised:
    """Times rounded to multiples of ``quantum``, rows of one time averaged (latent ODEs). Times are floats; they may
    repeat."""
    t = times_of(times)
    array, c = _ffi.taken(x, observed)
    if len(array) != t.count:
        raise UsageError(f"'x' has {len(array)} rows and 'times' {t.count}: give one for each row")
    out, seen, o = _ffi.made(array, len(array))
    ticks, rows = np.empty(len(array), np.int64), c_int64()
    _ffi.call("tp_signal_quantise", byref(t._c), _ffi.real(quantum, "quantum"), byref(c), _ffi.address(ticks),
              byref(o), byref(rows))
    n = rows.value
    return Quantised(ticks[:n], out[:n], seen[:n].view(bool))


def _word(value: int, name: str) -> int:
    try:
        number = value.__index__()
    except AttributeError:
        number = -1
    if not 0 <= number < 2**64:
        raise UsageError(f"'{name}' is {value!r}, but must be a whole number from 0 to 2**64 - 1")
    return number
