"""Alignment of times that were rounded: row by row, and otherwise as pandas.merge_asof."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import trajpack.signal as s
from trajpack import TrajpackError
from trajpack.signal import Times


@pytest.mark.parametrize("fps", [10, 24, 30, 60, 120])
@pytest.mark.parametrize("direction", ["backward", "forward", "nearest", "exact"])
def test_rounded_stamps_pair_row_by_row(fps, direction):
    rows = np.arange(500)
    exact = Times.regular(fps, 500)
    millis = np.round(rows * 1000 / fps).astype(np.int64)
    for rounded in (Times.ticks(millis, Fraction(1, 1000)), Times.floats(millis / 1000)):
        for stream, reference in ((rounded, exact), (exact, rounded)):
            assert (s.align(stream, reference, direction).rows == rows).all()
    if 1000 % fps == 0:
        return  # nothing was rounded
    with pytest.raises(TrajpackError):
        s.align(Times.floats(millis / 1000), exact, "exact", rounding=0)


@pytest.mark.parametrize("seed", range(4))
def test_without_rounding_it_is_merge_asof(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.sort(rng.integers(0, 4000, n)) / 1000 for n in (400, 300))
    for direction in ("backward", "forward"):
        for tolerance in (None, 0.0205):
            peer = pd.merge_asof(pd.DataFrame({"t": a}), pd.DataFrame({"t": b, "row": np.arange(300)}), on="t",
                                 direction=direction, tolerance=tolerance)["row"].fillna(-1).to_numpy().astype(int)
            rows = s.align(Times.floats(b), Times.floats(a), direction, tolerance=tolerance, rounding=0).rows
            assert (rows == peer).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rounding", [None, 0.004, 5.0])
def test_rounding_takes_the_row_on_the_other_side(seed, rounding):
    rng = np.random.default_rng(seed)
    a, b = (np.unique(rng.integers(0, 8000, n)) for n in (500, 400))
    most, share = (1, .25) if rounding is None else (rounding * 1000, .5)
    expected = []
    for t in a:
        row = int(np.searchsorted(b, t, "right")) - 1
        if row + 1 < len(b) and (row < 0 or b[row] != t):
            gap = b[row + 1] - b[row] if row >= 0 else b[1] - b[0]
            row += bool(b[row + 1] - t <= min(most, gap * share))
        expected.append(row)
    rows = s.align(Times.ticks(b, Fraction(1, 1000)), Times.ticks(a, Fraction(1, 1000)), rounding=rounding).rows
    assert rows.tolist() == expected
