"""Alignment of clocks, and bins, against pandas; no drift over hours."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import trajpack.signal as s
from trajpack import TrajpackError
from trajpack.signal import Times


def test_no_drift_over_ten_hours():
    count = 30000 * 36000 // 1001
    stride = 997
    ticks = np.arange(0, count, stride, dtype=np.int64)
    # Row i of 30000/1001 Hz falls exactly on tick 1001·i of 1/30000 s.
    source = Times.regular(Fraction(30000, 1001), count)
    target = Times.ticks(ticks * 1001, Fraction(1, 30000))
    rows, offsets = s.align(target, source, "backward")
    assert (rows == np.arange(count) // stride).all()
    rows, offsets = s.align(source, target, "exact", tolerance=Fraction(0))
    assert (rows == ticks).all() and (offsets == 0).all()
    x = (np.arange(count) % 1000).astype(np.float32)
    out, mask = s.resample(x, source, target, "natural")
    assert (out == x[ticks]).all()


def test_bins_agree_with_pandas():
    rng = np.random.default_rng(2)
    millis = np.sort(rng.integers(0, 60_000, 500))
    x = rng.normal(size=(500, 2))
    x[rng.random((500, 2)) < .2] = np.nan
    frame = pd.DataFrame(x, index=pd.to_datetime(millis, unit="ms"))
    clock = Times.regular(Fraction(4), 240)
    for statistic in ("mean", "sum", "min", "max", "first", "last", "count"):
        groups = frame.resample("250ms", origin="epoch")
        peer = groups.sum(min_count=1) if statistic == "sum" else getattr(groups, statistic)()
        index = ((peer.index - pd.Timestamp(0)) // pd.Timedelta("250ms")).to_numpy()
        out, mask = s.bins(x, Times.ticks(millis, Fraction(1, 1000)), clock, statistic)
        expected = np.full((240, 2), np.nan if statistic != "count" else 0.)
        expected[index] = peer.to_numpy()
        np.testing.assert_allclose(out, expected, rtol=1e-12)
        assert (mask == ~np.isnan(expected)).all()


@pytest.mark.parametrize("seed", range(5))
def test_align_agrees_with_merge_asof(seed):
    rng = np.random.default_rng(seed)
    a = np.sort(rng.integers(0, 3000, 400))
    b = np.sort(rng.integers(0, 3000, 300))
    for direction in ("backward", "forward", "nearest"):
        for tolerance in (None, 0, 3, 50):
            for same in (True, False):
                if not same and tolerance == 0:
                    continue
                peer = pd.merge_asof(
                    pd.DataFrame({"t": a}), pd.DataFrame({"t": b, "row": np.arange(300)}), on="t",
                    direction=direction, tolerance=tolerance, allow_exact_matches=same)
                for stream, reference, span in (
                    (Times.ticks(b, Fraction(1, 90)), Times.ticks(a, Fraction(1, 90)),
                     None if tolerance is None else Fraction(tolerance, 90)),
                    (Times.floats(b), Times.floats(a), tolerance)):
                    rows, offsets = s.align(stream, reference, direction, tolerance=span, same=same)
                    expected = peer["row"].fillna(-1).to_numpy().astype(int)
                    assert (rows == expected).all()
                    assert (np.isnan(offsets) == (rows < 0)).all()


def test_align_reference():
    # dynamics.md 2.1: merge_asof of A = [1, 2, 3, 4] and B.
    a, b = Times.floats([1., 2, 3, 4]), Times.floats([.5, 1.5, 2.9, 3.6])
    assert s.align(b, a, "backward", tolerance=.5)[0].tolist() == [0, 1, 2, 3]
    assert s.align(b, a, "forward", tolerance=.5)[0].tolist() == [1, -1, -1, -1]
    with pytest.raises(TrajpackError, match="row 2 of the reference"):
        s.align(Times.floats([0., 1, 3]), Times.floats([0., 1, 2, 3]), "exact", tolerance=.25)


def test_exact_without_a_tolerance_takes_the_same_time_alone():
    with pytest.raises(TrajpackError, match="row 1"):
        s.align(Times.floats([0., 1, 2]), Times.floats([0., .5, 2]), "exact")
