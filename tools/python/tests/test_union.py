"""The union of series' times as a batch, against a plain transcription in fractions."""
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import trajpack
import trajpack.signal as ts


def clock(rng: np.random.Generator, rows: int) -> tuple[Any, list[Fraction]]:
    """An exact clock and its times."""
    if rng.random() < 0.5:
        rate, start = Fraction(int(rng.choice([10, 25, 30])), int(rng.choice([1, 3]))), Fraction(int(rng.integers(0, 4)), 5)
        return ts.Times.regular(rate, rows, start), [start + i / rate for i in range(rows)]
    unit = Fraction(1, int(rng.choice([10, 15, 100])))
    ticks = np.cumsum(rng.integers(1, 9, rows))
    return ts.Times.ticks(ticks, unit), [int(t) * unit for t in ticks]


def reference(times: list[list[Fraction]], values: list[Any], observed: list[Any], present: list[Any]) -> tuple[Any, ...]:
    seen = [o & ~np.isnan(x) & p.reshape(-1, *[1] * (x.ndim - 1)) for x, o, p in zip(values, observed, present, strict=True)]
    union = sorted({t for at, s in zip(times, seen, strict=True) for t, row in zip(at, s, strict=True) if row.any()})
    out = np.zeros((len(values), len(union), *values[0].shape[1:]), values[0].dtype)
    presence = np.full(out.shape, 3, np.uint8)
    for b, at in enumerate(times):
        for n, t in enumerate(union):
            if not at or not at[0] <= t <= at[-1]:
                continue
            row = max(i for i, own in enumerate(at) if own <= t)
            presence[b, n] = 0 if present[b][row] else 2
            if at[row] == t:
                out[b, n] = np.where(seen[b][row], values[b][row], 0)
                presence[b, n] = np.where(seen[b][row], 1, presence[b, n])
    return union, out, presence


@pytest.mark.parametrize("seed", range(25))
def test_union_is_that_of_fractions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = [(), (3,), (2, 2)][seed % 3]
    dtype = [np.float64, np.float32][seed % 2]
    rows = rng.integers(0, 12, 4)
    clocks, times = zip(*[clock(rng, int(n)) for n in rows], strict=True)
    values = [rng.normal(size=(n, *shape)).astype(dtype) for n in rows]
    for x in values:
        x[rng.random(x.shape) < 0.2] = np.nan
    observed = [rng.random(x.shape) < 0.7 for x in values]
    present = [rng.random(n) < 0.8 for n in rows]
    got = ts.union_batch(clocks, values, observed=observed, present=present)
    union, out, presence = reference(list(times), values, observed, present)
    assert got.ticks is not None and [Fraction(int(t), got.ticks_per_unit) for t in got.ticks] == union
    np.testing.assert_array_equal(got.times, [float(t) for t in union])
    np.testing.assert_array_equal(got.values, out)
    np.testing.assert_array_equal(got.presence, presence)
    assert got.values.dtype == dtype
    np.testing.assert_array_equal(got.observed | (got.present & ~got.observed) | (presence == 2) | got.padding, True)


def test_floats_meet_where_they_are_equal() -> None:
    got = ts.union_batch([np.array([0.0, 0.1, 0.2]), np.array([0.1, 0.3])], [np.array([1.0, 2, 3]), np.array([4.0, 5])])
    assert got.ticks is None and got.ticks_per_unit == 0
    np.testing.assert_array_equal(got.times, [0, 0.1, 0.2, 0.3])
    np.testing.assert_array_equal(got.values, [[1, 2, 3, 0], [0, 4, 0, 5]])
    np.testing.assert_array_equal(got.presence, [[1, 1, 1, 3], [3, 1, 0, 1]])


@pytest.mark.parametrize("call, text", [
    (lambda: ts.union_batch([], []), "has no series"),
    (lambda: ts.union_batch([[0.0]], [[1.0], [2.0]]), "for 1 series and 'values' for 2"),
    (lambda: ts.union_batch([[0.0, 1]], [[1.0]]), "1 rows and its times 2"),
    (lambda: ts.union_batch([[0.0], [1.0]], [[1.0], [[1.0, 2]]]), "rows of shape"),
    (lambda: ts.union_batch([[1.0, 0]], [[1.0, 2]]), "series 0"),
    (lambda: ts.union_batch([[0.0]], [[1.0]], present=[[True, True]]), "present"),
])
def test_refusals(call: Any, text: str) -> None:
    with pytest.raises((trajpack.UsageError, trajpack.DataError), match=text):
        call()
