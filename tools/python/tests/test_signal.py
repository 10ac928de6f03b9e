"""trajpack.signal: its declarations, what it takes, what it gives and what it refuses. The numbers are checked in tools/tests."""
from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from places import ROOT, surroundings

import trajpack
import trajpack.signal as ts
from trajpack import _bindings
from trajpack.signal import Times

HEADER = ROOT / "Sources" / "CTrajpack" / "include" / "trajpack_signal.h"
CLOCK = Times.regular(10, 20)
X = np.random.default_rng(0).normal(size=(20, 2))


def test_every_function_of_the_header_is_declared() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    declared = {name: " ".join(p.split()).count(",") + 1 for name, p in re.findall(r"\b(tp_signal_\w+)\s*\(([^)]*)\)\s*;", text)}
    assert declared == {name: len(arguments) for name, (_, arguments) in _bindings.TRAJPACK_SIGNAL.items()}


def test_it_comes_with_the_package_when_asked_for() -> None:
    code = "import sys, trajpack; assert 'numpy' not in sys.modules; print(trajpack.signal.Times.regular(30, 5))"
    out = subprocess.run([sys.executable, "-c", code], env=surroundings(), capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "<trajpack.signal.Times regular, 5 rows>"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "float16", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(20,), (20, 2), (20, 3, 2), (20, 1)])
def test_shapes_and_types(dtype: str, shape: tuple[int, ...]) -> None:
    x = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(dtype)
    before = x.copy()
    kept = "float32" if dtype == "float32" else "float64"
    for found in (ts.resample(x, CLOCK, Times.regular(5, 7)), ts.polyphase(x, 1, 2), ts.bins(x, CLOCK, Times.regular(5, 10)),
                  ts.moving_mean(x, CLOCK, Times.regular(5, 10), .2)):
        assert found.values.shape[1:] == shape[1:] == found.mask.shape[1:]
        assert found.values.dtype == kept and found.mask.dtype == bool
    assert (x == before).all()
    # Strides do not matter.
    strided = np.repeat(x, 2, axis=0)[::2]
    assert (ts.resample(strided, CLOCK, CLOCK).values == x).all()


def test_times_are_exact() -> None:
    rate = Fraction(30000, 1001)
    for given in (rate, "30000/1001"):
        rows = ts.align(Times.regular(given, 1_000_000), Times.ticks([1001 * 999_999], Fraction(1, 30000)), "exact").rows
        assert rows.tolist() == [999_999]
    assert (ts.resample(X, np.arange(20.), np.arange(20)).values == X).all()  # arrays stand for times


def test_results_have_names() -> None:
    x = np.sin(np.arange(400) / 9) + .3 * np.sin(np.arange(400) / 5.3)
    r = ts.autocorrelation(x, 60)
    assert r.zero is not None and r.values[r.zero] <= 0 < r.values[r.zero - 1]
    assert ts.autocorrelation(x, 3).zero is None
    found = ts.mutual_information(x, 40, bins=16)
    assert found.bins == 16 and found.minimum is not None and found.values[found.minimum] < found.values[found.minimum - 1]
    cao, fnn = ts.cao(x, 12, 5, 10), ts.false_neighbours(x, 12, 5, 10)
    assert cao.e1.shape == cao.e2.shape == fnn.either.shape == (5,) and not cao.stochastic
    noise = np.random.default_rng(1).normal(size=2000)
    assert ts.cao(noise, 1, 5, 0).stochastic
    y = ts.embed(x, ts.uniform(3, 12))
    assert (y == np.stack([x[:-24], x[12:-12], x[24:]], 1)).all()


def test_a_hankel_matrix_is_a_view() -> None:
    x = np.arange(10.)
    h = ts.hankel(x, 4)
    assert h.shape == (4, 7) and np.shares_memory(h, x) and h[2, 3] == 5
    with pytest.raises(trajpack.UsageError):
        ts.hankel(x, 11)


def test_empty_and_lonely_rows() -> None:
    out = ts.resample(np.zeros((0, 2)), [], [0., 1.])
    assert out.values.shape == (2, 2) and not out.mask.any()
    assert ts.resample(np.ones(1), [3.], [], "natural").values.shape == (0,)
    assert ts.polyphase(np.zeros(0), 2, 1).values.shape == (0,)
    assert ts.time_since(np.zeros(0), np.zeros((0, 2), bool)).shape == (0, 2)
    assert ts.mask("entries", .5, np.zeros((0, 3))).shape == (0, 3)


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: ts.resample(X, [0., 1, 1], [0.]), trajpack.UsageError, "20 rows and 'source' 3 times"),
    (lambda: ts.resample(X[:3], [0., 1, 1], [0.]), trajpack.DataError, "do not increase at row 2"),
    (lambda: ts.resample(X, CLOCK, CLOCK, "cubic"), trajpack.UsageError, "there is|did you mean"),
    (lambda: ts.resample(X, CLOCK, CLOCK, "linaer"), trajpack.UsageError, "did you mean 'linear'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, edges="hodl"), trajpack.UsageError, "did you mean 'hold'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, "slerp"), trajpack.UsageError, "a quaternion has 4"),
    (lambda: ts.resample(np.zeros((20, 4)), CLOCK, CLOCK, "squad"), trajpack.UsageError, "order is unknown"),
    (lambda: ts.resample(X, CLOCK, CLOCK, observed=np.ones(20, bool)), trajpack.UsageError, "'observed'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, breaks=[1.5]), trajpack.UsageError, "'breaks'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, breaks=[99]), trajpack.UsageError, "break 99"),
    (lambda: ts.resample(X, CLOCK, CLOCK, gap=-1), trajpack.UsageError, "'gap'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, gap=float("nan")), trajpack.UsageError, "'gap'"),
    (lambda: ts.resample(X, CLOCK, CLOCK, angle=(360,)), trajpack.UsageError, "'angle'"),  # type: ignore[arg-type]
    (lambda: ts.resample(X, CLOCK, CLOCK, angle=(0, 0)), trajpack.UsageError, "a finite period above 0"),
    (lambda: ts.resample(["a"], [0.], [0.]), trajpack.UsageError, "must be numbers"),
    (lambda: ts.resample(3.0, [0.], [0.]), trajpack.UsageError, "one number"),
    (lambda: ts.resample(np.zeros((20, 0)), CLOCK, CLOCK), trajpack.UsageError, "20 rows of 0"),
    (lambda: Times.floats(np.zeros(3, np.float32)), trajpack.UsageError, "float64"),
    (lambda: Times.ticks([.5], 1), trajpack.UsageError, "whole numbers"),
    (lambda: ts.resample(X, Times.regular(0, 20), CLOCK), trajpack.UsageError, "must be above 0"),
    (lambda: Times.regular(10, -1), trajpack.UsageError, "'count'"),
    (lambda: Times.regular("ten", 1), trajpack.UsageError, "'rate'"),
    (lambda: ts.polyphase(X, 0, 2), trajpack.UsageError, "above 0"),
    (lambda: ts.polyphase(X, 2**61, 1), trajpack.UsageError, "smaller factors"),
    (lambda: ts.bins(X, CLOCK, np.arange(3.)), trajpack.UsageError, "regular clock"),  # type: ignore[arg-type]
    (lambda: ts.align([0., 1], [0., 5], "exact", tolerance=.5), trajpack.DataError, "row 1"),
    (lambda: ts.autocorrelation(X, 5, channel=2), trajpack.UsageError, "channel 2"),
    (lambda: ts.autocorrelation(X, 5, episodes=[(0, 30)]), trajpack.UsageError, "20 rows"),
    (lambda: ts.autocorrelation(X, 5, episodes=[(5, 2)]), trajpack.UsageError, "episode 0"),
    (lambda: ts.autocorrelation(X, 5, episodes=[1, 2]), trajpack.UsageError, "pairs of rows"),
    (lambda: ts.autocorrelation(X, 50), trajpack.UsageError, "lag 50 is too large"),
    (lambda: ts.autocorrelation(X, -1), trajpack.UsageError, "'max_lag' is -1"),
    (lambda: ts.autocorrelation(np.where(X > 2, X, np.nan), 2), trajpack.DataError, "row 0 of channel 0"),
    (lambda: ts.mutual_information(X, 5, bins=1), trajpack.UsageError, "2 to 256"),
    (lambda: ts.mutual_information(X, 5, "histogram"), trajpack.UsageError, "'estimator'"),
    (lambda: ts.false_neighbours(X, 9, 9, 0), trajpack.UsageError, "lag 9 and dimension 9"),
    (lambda: ts.false_neighbours(X, 1, 65, 0), trajpack.UsageError, "1 to 64"),
    (lambda: ts.cao(X, 1, 2, 0, threads=0), trajpack.UsageError, "threads"),
    (lambda: ts.mdop(X, 19), trajpack.UsageError, "too few"),
    (lambda: ts.mdop(X, 2**62), trajpack.UsageError, "too few"),
    (lambda: ts.pecuzal(np.ones((50, 1)), 5), trajpack.DataError, "constant"),
    (lambda: ts.augmented_covariance(X, 4, 9), trajpack.UsageError, "20 rows"),
    (lambda: ts.augmented_covariance(X, 0, 1), trajpack.UsageError, "order 0"),
    (lambda: ts.augmented_covariance(X, 2, 2**40), trajpack.UsageError, "order 2, lag 1099511627776"),
    (lambda: ts.embed(X, [(0, 0), (0, 20)]), trajpack.UsageError, "episode 0 has 20 rows"),
    (lambda: ts.embed(X, [(5, 0)]), trajpack.UsageError, "channel 5"),
    (lambda: ts.embed(X, []), trajpack.UsageError, "pairs"),
    (lambda: ts.mask("entries", 2, X), trajpack.UsageError, "probability"),
    (lambda: ts.mask("entries", .5, X, seed=-1), trajpack.UsageError, "'seed'"),
    (lambda: ts.mask("drivers", .5, X, numbers=[0], weights=[]), trajpack.UsageError, "a weight for each"),
    (lambda: ts.mask("blocks", .5, X), trajpack.UsageError, r"numbers=\(rows, channels\)"),
    (lambda: ts.mask("time", 3, X, weights=[20]), trajpack.UsageError, r"weights=\(cycle, phase\)"),
    (lambda: ts.autocorrelation(X, 2**40), trajpack.UsageError, "lag 1099511627776 is too large"),
    (lambda: ts.time_since(np.arange(3.), X > 0), trajpack.UsageError, "one for each row"),
    (lambda: ts.time_since(CLOCK, X), trajpack.UsageError, "booleans"),
    (lambda: ts.path("natural", CLOCK, np.full((20, 2), np.nan)), trajpack.DataError, "no observation"),
    (lambda: ts.path("natural", [0.], X[:1]), trajpack.UsageError, "at least 2"),
    (lambda: ts.rectilinear(X, 2), trajpack.UsageError, "component 2"),
    (lambda: ts.quantise(np.arange(20.), 0, X), trajpack.UsageError, "quantum"),
    (lambda: ts.quantise(CLOCK, 1, X), trajpack.UsageError, "floating-point"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_refusals_are_the_packages_exceptions(number: int) -> None:
    make, kind, words = BAD[number]
    with pytest.raises(trajpack.TrajpackError, match=words) as caught:
        make()
    assert type(caught.value) is kind and str(caught.value)


def test_dates_of_every_form_are_the_same_times() -> None:
    """numpy's, pandas' with and without a zone, as index, column and list, and Python's own."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    naive = np.datetime64("2021-03-28T00:30:00", "us") + np.cumsum(rng.integers(1, 10**8, 30)).astype("m8[us]")
    asked = naive[:-1] + np.diff(naive) // 2
    x = rng.normal(size=30)
    wanted = ts.resample(x, naive, asked).values
    zone = pd.DatetimeIndex(naive, tz="UTC").tz_convert("Europe/Berlin")
    asked_zone = pd.DatetimeIndex(asked, tz="UTC").tz_convert("Europe/Berlin")
    seconds = (naive - naive[0]).astype(np.int64) / 1e6
    np.testing.assert_allclose(wanted, np.interp((asked - naive[0]).astype(np.int64) / 1e6, seconds, x), rtol=1e-12)
    along = ts.path("natural", seconds, x, queries=(asked - naive[0]).astype(np.int64) / 1e6).values
    for times, queries in ((pd.DatetimeIndex(naive), pd.DatetimeIndex(asked)), (zone, asked_zone),
                           (pd.Series(zone), pd.Series(asked_zone)), (list(zone), list(asked_zone)),
                           (zone.to_pydatetime().tolist(), asked_zone.to_pydatetime().tolist()),
                           (naive.tolist(), asked.tolist()), (list(naive), list(asked))):
        np.testing.assert_array_equal(ts.resample(x, times, queries).values, wanted)
        # A path's queries count from the first row, unless they are dates.
        np.testing.assert_allclose(ts.path("natural", times, x, queries=queries).values, along, rtol=1e-9, atol=1e-12)
    frame = pd.Series(x, index=naive).resample("20s", origin=pd.Timestamp(naive[0])).mean()
    for start in (naive[0], naive[0].item(), zone[0]):
        bins = ts.bins(x, naive, Times.regular(Fraction(1, 20), len(frame), start=start))
        np.testing.assert_allclose(bins.values, frame.to_numpy(), rtol=1e-12)
    with pytest.raises(trajpack.UsageError, match="ends before the first date"):
        ts.bins(x, naive, Times.regular(1, 100))
    with pytest.raises(trajpack.UsageError, match="no dates"):
        ts.path("natural", seconds, x, queries=asked)


def test_times_are_copied_and_pickled() -> None:
    import copy
    import pickle

    values = np.array([0.0, 0.5, 3.0])
    days = np.array(["2026-01-01", "2026-01-03"], "datetime64[D]")
    for times in (Times.regular("30000/1001", 9, 2), Times.ticks([1, 5], "1/1000"),
                  Times.floats(values), Times.dates(days)):
        for other in (pickle.loads(pickle.dumps(times)), copy.deepcopy(times)):
            assert repr(other) == repr(times) and other.span() == times.span()
            assert other._is_dated == times._is_dated
    for wrong in (lambda: Times.regular(0, 3), lambda: Times.ticks([1, 2], -1)):
        with pytest.raises(trajpack.UsageError, match="must be above 0"):
            wrong()
