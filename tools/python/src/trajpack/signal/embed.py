"""Delay embedding, and how to choose its lag and dimension. Estimates are pooled over episodes and never join two.

``x`` is ``[rows]`` or ``[rows, channels]``; ``channel`` is the one that is looked at. ``episodes`` are pairs of rows,
``(first, end)``, in order; None is one episode of all rows. Rows outside them are not looked at.
"""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_double, c_int32, c_int64
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _bindings
from .._errors import UsageError
from . import _ffi
from ._ffi import Array, Floats

ESTIMATORS = ("bins", "bisection", "ksg")
METRICS = ("maximum", "euclidean")


class Autocorrelation(NamedTuple):
    """r(lag) = sum of (x[i] - mean)(x[i + lag] - mean) over sum of (x[i] - mean)**2."""

    values: Floats
    """``[max_lag + 1]``."""
    zero: int | None
    """The first lag at which it is 0 or less."""
    inverse_e: int | None
    """The first at which it is below 1/e."""
    rosenstein: int | None
    """The first at which it is below 1 - 1/e (Rosenstein et al. 1993)."""


class MutualInformation(NamedTuple):
    """Average mutual information of a channel and itself ``lag`` rows later."""

    values: Floats
    """``[max_lag + 1]``, bits."""
    minimum: int | None
    """The first lag below both its neighbours."""
    bins: int
    """Bins an axis; 0 for ``ksg``."""


class FalseNeighbours(NamedTuple):
    """Fractions of false nearest neighbours, ``[max_dimension]`` each, for dimension 1, 2, ..."""

    distance: Floats
    """The new coordinate parts the pair by over ``ratio`` times its distance."""
    size: Floats
    """The new distance is over ``size`` standard deviations."""
    either: Floats
    """Either."""
    dimension: int | None
    """The first whose fraction is at most 0.05 and changes by no more to the next."""


class Cao(NamedTuple):
    """Cao's averaged false neighbours, ``[max_dimension]`` each."""

    e1: Floats
    """E1(d): stops changing at the embedding dimension."""
    e2: Floats
    """E2(d): 1 for all d where the series is noise."""
    dimension: int | None
    """The first with E1 > 0.5 that changes by at most 0.05 to the next."""
    stochastic: bool
    """Whether E2(1) > 0.9."""


class JointEmbedding(NamedTuple):
    """What a joint search chose."""

    coordinates: list[tuple[int, int]]
    """(channel, lag) pairs, the first at lag 0, as :func:`embed` takes them."""
    figures: Floats
    """A number for each step: MDOP's fraction of false neighbours, PECUZAL's fall of L."""


def embed(x: ArrayLike, coordinates: Sequence[tuple[int, int]], *, backward: bool = False,
          episodes: ArrayLike | None = None, skip_short: bool = False) -> Floats:
    """Delay vectors ``[vectors, len(coordinates)]``, float64: one for each row whose vector stays in its episode.

    ``coordinates``: (channel, lag) pairs; see :func:`uniform`. ``backward``: ``x[i - lag]``, which is causal. An
    episode that is too short raises ``UsageError`` naming it, unless ``skip_short``.
    """
    rows = [_ffi.wholes(pair, "coordinates") for pair in _ffi.listed(coordinates, "coordinates")]
    if not rows or any(len(row) != 2 for row in rows):
        raise UsageError("'coordinates' must be (channel, lag) pairs, such as [(0, 0), (0, 17)]")
    pairs = np.stack(rows)
    c, count = _ffi.series(x, 0, episodes), c_int64()
    head = (byref(c), _ffi.address(pairs), len(pairs), int(backward), int(skip_short))
    _ffi.call("tp_signal_embed", *head, None, byref(count))
    out = np.empty((count.value, len(pairs)))
    _ffi.call("tp_signal_embed", *head, _ffi.address(out), byref(count))
    return out


def uniform(dimension: int, lag: int, channel: int = 0) -> list[tuple[int, int]]:
    """The coordinates of ``dimension`` lags of one channel, ``lag`` rows apart."""
    channel, lag = _ffi.whole(channel, "channel"), _ffi.whole(lag, "lag")
    return [(channel, k * lag) for k in range(_ffi.whole(dimension, "dimension"))]


def hankel(x: ArrayLike, rows: int) -> Array:
    """The Hankel matrix ``[rows, len(x) - rows + 1]`` of one episode: row k begins at ``x[k]``. A view, not a copy."""
    array, rows = np.asarray(x), _ffi.whole(rows, "rows")
    if array.ndim != 1 or not 1 <= rows <= len(array):
        raise UsageError(f"a Hankel matrix of {rows} rows needs one channel of at least as many rows, not "
                         f"{list(array.shape)}")
    return np.lib.stride_tricks.sliding_window_view(array, len(array) - rows + 1)


def autocorrelation(x: ArrayLike, max_lag: int, *, channel: int = 0,
                    episodes: ArrayLike | None = None) -> Autocorrelation:
    """The (biased) autocorrelation at lags 0 to ``max_lag``."""
    c, lags = _ffi.series(x, channel, episodes), np.empty(3, np.int64)
    out = _lags(max_lag, c)
    _ffi.call("tp_signal_autocorrelation", byref(c), max_lag, _ffi.address(out), _ffi.address(lags))
    return Autocorrelation(out, *map(_found, lags.tolist()))


def mutual_information(x: ArrayLike, max_lag: int, estimator: str = "bins", *, bins: int = 64, neighbours: int = 3,
                       channel: int = 0, episodes: ArrayLike | None = None) -> MutualInformation:
    """Average mutual information at lags 0 to ``max_lag``, bits (Fraser and Swinney 1986).

    ``estimator``: ``bins`` of equal width; ``bisection`` until a part is uniform (the rule of DelayEmbeddings.jl);
    ``ksg``, by the k-th neighbour (Kraskov et al. 2004).
    """
    how = _ffi.code(estimator, "estimator", ESTIMATORS)
    c, used, minimum = _ffi.series(x, channel, episodes), c_int64(), c_int64()
    out = _lags(max_lag, c)
    parameter = _ffi.whole((bins, 0, neighbours)[how], ("bins", "", "neighbours")[how])
    _ffi.call("tp_signal_mutual_information", byref(c), max_lag, how, parameter, _ffi.address(out), byref(used),
              byref(minimum))
    return MutualInformation(out, _found(minimum.value), used.value)


def false_neighbours(x: ArrayLike, lag: int, max_dimension: int, window: int, *, ratio: float = 10.0, size: float = 2.0,
                     threads: int = 1, channel: int = 0, episodes: ArrayLike | None = None) -> FalseNeighbours:
    """False nearest neighbours (Kennel et al. 1992). ``window``: neighbours are more than this many rows away
    (Theiler)."""
    c, dimension = _ffi.series(x, channel, episodes), c_int64()
    most = _dimensions(max_dimension)
    out = np.empty((3, most))
    _ffi.call("tp_signal_false_neighbours", byref(c), _ffi.whole(lag, "lag"), most, _ffi.whole(window, "window"),
              _threads(threads), _ffi.real(ratio, "ratio"), _ffi.real(size, "size"), _ffi.address(out),
              byref(dimension))
    return FalseNeighbours(out[0], out[1], out[2], _found(dimension.value))


def cao(x: ArrayLike, lag: int, max_dimension: int, window: int, *, metric: str = "maximum", threads: int = 1,
        channel: int = 0, episodes: ArrayLike | None = None) -> Cao:
    """Averaged false neighbours (Cao 1997). ``metric``: ``maximum`` (the paper's) or ``euclidean``
    (DelayEmbeddings.jl's)."""
    how = _ffi.code(metric, "metric", METRICS)
    c, dimension, noise = _ffi.series(x, channel, episodes), c_int64(), c_int32()
    most = _dimensions(max_dimension)
    out = np.empty((2, most))
    _ffi.call("tp_signal_cao", byref(c), _ffi.whole(lag, "lag"), most, _ffi.whole(window, "window"), _threads(threads),
              how, _ffi.address(out), byref(dimension), byref(noise))
    return Cao(out[0], out[1], _found(dimension.value), bool(noise.value))


def mdop(x: ArrayLike, max_lag: int, window: int = 1, *, ratio: float = 2.0, threshold: float = 0.05,
         max_cycles: int = 50, episodes: ArrayLike | None = None) -> JointEmbedding:
    """Coordinates by maximal derivatives on a projected manifold (Nichkawde 2013), over all channels of ``x``."""
    return _joint("tp_signal_mdop", x, episodes, _ffi.whole(max_lag, "max_lag"), _ffi.whole(window, "window"),
                  _ffi.real(ratio, "ratio"), _ffi.real(threshold, "threshold"), _ffi.whole(max_cycles, "max_cycles"))


def pecuzal(x: ArrayLike, max_lag: int, window: int = 0, *, threshold: float = 0.0, economic: bool = False,
            episodes: ArrayLike | None = None) -> JointEmbedding:
    """The PECUZAL embedding (Kraemer et al. 2021), over all channels of ``x``. ``economic``: every second horizon."""
    return _joint("tp_signal_pecuzal", x, episodes, _ffi.whole(max_lag, "max_lag"), _ffi.whole(window, "window"),
                  _ffi.real(threshold, "threshold"), int(economic))


def noise_amplification(vectors: ArrayLike, max_horizon: int, neighbours: int = 3, window: int = 1, *,
                        episodes: ArrayLike | None = None) -> float:
    """The L statistic of Uzal et al. (2011) of ``[rows, dimension]`` vectors, over horizons 1 to ``max_horizon``."""
    c, value = _ffi.series(vectors, 0, episodes), c_double()
    _ffi.call("tp_signal_noise_amplification", byref(c), _ffi.whole(max_horizon, "max_horizon"),
              _ffi.whole(neighbours, "neighbours"), _ffi.whole(window, "window"), byref(value))
    return value.value


def augmented_covariance(x: ArrayLike, order: int, lag: int, *, centred: bool = False) -> Floats:
    """Covariance of ``[rows, channels]`` and delayed copies (Carrara and Papadopoulo 2024).

    ``[order * channels, order * channels]``; entry ``k * channels + c`` is channel ``c`` delayed by ``k`` lags.
    ``centred`` takes the mean off and divides by n - 1 (``numpy.cov``), else neither.
    """
    c = _ffi.series(x)
    copies, step = _ffi.whole(order, "order"), _ffi.whole(lag, "lag")
    size = copies * c.components if 1 <= copies < 1 << 16 else 0
    out = np.empty((size, size))
    _ffi.call("tp_signal_augmented_covariance", byref(c), copies, step, int(centred), _ffi.address(out))
    return out


def _joint(name: str, x: ArrayLike, episodes: ArrayLike | None, *arguments: Any) -> JointEmbedding:
    c, most = _ffi.series(x, 0, episodes), 1024
    coordinates: NDArray[np.int64] = np.empty((most, 2), np.int64)
    figures, count = np.full(most, np.nan), c_int64()
    _ffi.call(name, byref(c), *arguments, _ffi.address(coordinates), _ffi.address(figures), most, byref(count))
    found = [(int(a), int(b)) for a, b in coordinates[:count.value]]
    return JointEmbedding(found, figures[~np.isnan(figures)])


def _lags(max_lag: int, c: _bindings.SignalSeries) -> Floats:
    """Room for a number for each lag; for no more than there are rows, because the library refuses larger lags."""
    number = _ffi.whole(max_lag, "max_lag")
    if number < 0:
        raise UsageError(f"'max_lag' is {max_lag!r}, but must be 0 or more")
    return np.empty(min(number, c.rows) + 1)


def _found(lag: int) -> int | None:
    return None if lag < 0 else lag


def _threads(value: int) -> int:
    """Threads as 32 bits hold them; the library says which there may be."""
    return min(max(_ffi.whole(value, "threads"), -1), 2**31 - 1)


def _dimensions(value: int) -> int:
    number = _ffi.whole(value, "max_dimension")
    if not 1 <= number <= 64:
        raise UsageError(f"'max_dimension' is {value!r}, but must be 1 to 64")
    return number
