"""Laws that every operation keeps, over seeded random inputs."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import trajpack.signal as s
from trajpack.signal import Times
from trajpack.signal.resample import METHODS

SEEDS = range(6)
SELECTING = ["previous", "next", "nearest", "nearest-up"]
SMOOTH = [m for m in METHODS if not m.startswith(("squad", "slerp", "directions"))]


def clocks(rng, n):
    """The same rows on a regular clock, as ticks and as floats."""
    ticks = np.cumsum(rng.integers(1, 50, n))
    return [Times.regular(Fraction(int(rng.integers(1, 10**6)), 1001), n, Fraction(int(rng.integers(-999, 999)), 7)),
            Times.ticks(ticks, Fraction(1, 90_000)), Times.floats(np.cumsum(rng.uniform(.01, 3, n)))]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_clock_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 80))
    x = rng.normal(size=(n, 3)) * 10.0**rng.integers(-8, 8)
    seen = rng.random((n, 3)) < .7
    seen[rng.integers(0, n)] = True
    for dtype in (np.float64, np.float32):
        y = x.astype(dtype)
        for clock in clocks(rng, n):
            for method in SMOOTH:
                out, mask = s.resample(y, clock, clock, method)
                assert mask.all() and (out == y).all(), method
                out, mask = s.resample(y, clock, clock, method, observed=seen)
                assert mask[seen].all() and (out[seen] == y[seen]).all(), method
            assert (s.align(clock, clock, "exact").rows == np.arange(n)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_selection_invents_nothing(seed):
    rng = np.random.default_rng(seed)
    source, target = clocks(rng, 50)[2], np.sort(rng.uniform(-5, 80, 120))
    x = rng.normal(size=50)
    for method in SELECTING:
        for edges in ("missing", "hold", "reflect"):
            out, mask = s.resample(x, source, target, method, edges=edges)
            assert np.isin(out[mask], x).all() and np.isnan(out[~mask]).all()


def test_ties():
    # Half-way between two rows: scipy's "nearest" takes the earlier, "nearest-up" the later.
    x, times = np.arange(6.), np.arange(6) + .5
    for clock in (Times.regular(1, 6), Times.ticks(np.arange(6), 1), Times.floats(np.arange(6.))):
        assert (s.resample(x, clock, times[:5], "nearest").values == np.arange(5)).all()
        assert (s.resample(x, clock, times[:5], "nearest-up").values == np.arange(1, 6)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_up_then_down_returns_band_limited_signals(seed):
    rng = np.random.default_rng(seed)
    n = np.arange(3000)
    # The filter passes 0.7 of the band, in either direction.
    tones = rng.uniform(0, .35, 5)
    x = sum(np.sin(2 * np.pi * f * n + p) for f, p in zip(tones, rng.uniform(0, 6, 5)))
    for k in (2, 3, 5):
        up = s.polyphase(x, k, 1).values
        assert len(up) == k * len(x)
        back = s.polyphase(up, 1, k).values
        assert np.abs(back - x)[200:-200].max() < 2e-2
        # Interpolated cubically the way back is exact: every k-th row is a row.
        clock, fine = Times.regular(30, len(x)), Times.regular(30 * k, k * len(x) - k + 1)
        over = s.resample(x, clock, fine, "natural").values
        assert (s.resample(over, fine, clock, "linear").values == x).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_embedding_commutes_with_restriction(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3))
    pairs = [(int(c), int(lag)) for c, lag in zip(rng.integers(0, 3, 4), rng.integers(-9, 10, 4))]
    a, b = sorted(rng.choice(np.arange(40, 160), 2, replace=False))
    a, b = int(a) - 30, int(b) + 30
    before, after = max(0, -min(lag for _, lag in pairs)), max(0, max(lag for _, lag in pairs))
    for backward in (False, True):
        low, high = (after, before) if backward else (before, after)
        whole = s.embed(x, pairs, backward=backward)
        part = s.embed(x[a:b], pairs, backward=backward)
        # Vector k of the whole belongs to row low + k.
        assert (part == whole[a:b - low - high]).all() and len(part) == b - a - low - high
        both = s.embed(x, pairs, backward=backward, episodes=[(0, a), (a, b)], skip_short=True)
        assert (both[-len(part):] == part).all()


RECIPES = [("entries", .3, {}), ("exact", .2, {}), ("rows", .4, {}), ("kept-rows", .7, {}), ("listed", 0, {"numbers": [0, 7, 9]}),
           ("blocks", .3, {"numbers": [5, 2]}), ("channels", 0, {"numbers": [1]}), ("time", 3, {"weights": [20, 10]}),
           ("value", .3, {"weights": [1.5]}), ("drivers", .3, {"numbers": [0, 2], "weights": [1., -2.]}), ("above", .5, {})]


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_compose(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 4))
    before = rng.random(x.shape) < .8
    for name, amount, options in RECIPES:
        alone = s.mask(name, amount, x, seed=seed, **options)
        after = s.mask(name, amount, x, observed=before, seed=seed, **options)
        assert not (after & ~before).any(), name  # a mask only takes away
        assert (s.mask(name, amount, x, seed=seed, **options) == alone).all(), name  # and replays
        if name in ("entries", "rows", "kept-rows", "listed", "blocks", "channels", "time"):
            assert (after == (alone & before)).all(), name
            again = s.mask("rows", .3, x, observed=alone, seed=seed + 1)
            assert (again == (alone & s.mask("rows", .3, x, seed=seed + 1))).all(), name


@pytest.mark.parametrize("method", ["slerp", "squad-xyzw", "squad-wxyz"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_quaternion_path_has_unit_norm_and_no_flips(seed, method):
    rng = np.random.default_rng(seed)
    n = 60
    # Turns of at most a radian a row, each stored with either sign, some rows lost.
    turns = Rotation.from_rotvec(rng.uniform(-.55, .55, (n, 3)))
    q = [Rotation.identity()]
    for turn in turns[1:]:
        q.append(turn * q[-1])
    x = np.array([r.as_quat() for r in q]) * rng.choice([-1, 1], (n, 1))
    x[rng.random(n) < .2] = np.nan
    x[0] = x[-1] = [0, 0, 0, 1]
    times = np.cumsum(rng.uniform(.1, 2, n))
    fine = np.linspace(times[0], times[-1], 50 * n)
    out, mask = s.resample(x, times, fine, method)
    assert mask.all()
    assert np.abs(np.linalg.norm(out, axis=1) - 1).max() < 1e-12
    assert ((out[1:] * out[:-1]).sum(1) > .9).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_row_depends_on_another_episode(seed):
    rng = np.random.default_rng(seed)
    n, cut = 90, int(rng.integers(20, 70))
    times = np.cumsum(rng.uniform(.1, 1, n))
    x = rng.normal(size=(n, 2))
    other = x.copy()
    other[cut:] = rng.normal(size=(n - cut, 2)) * 1e6
    target = np.sort(rng.uniform(times[0] - 1, times[-1] + 1, 300))
    first = target < times[cut - 1]
    for method in SMOOTH:
        for edges in ("missing", "hold", "extrapolate"):
            a, b = (s.resample(y, times, target, method, breaks=[cut], edges=edges) for y in (x, other))
            assert np.array_equal(a.values[first], b.values[first], equal_nan=True), (method, edges)
            assert (a.mask == b.mask).all()
    holed, changed = x.copy(), other.copy()
    holed[cut - 4:cut] = changed[cut - 4:cut] = np.nan
    a, b = s.polyphase(holed, 3, 2), s.polyphase(changed, 3, 2)
    rows = int((cut - 4) * 3 / 2)
    assert np.array_equal(a.values[:rows], b.values[:rows], equal_nan=True)


def estimates(x, episodes):
    """All that is estimated, flat."""
    one = {"episodes": episodes}
    results = [s.autocorrelation(x, 12, channel=1, **one), s.mutual_information(x, 8, channel=1, **one),
               s.mutual_information(x, 4, "bisection", channel=1, **one), s.mutual_information(x, 3, "ksg", channel=1, **one),
               s.false_neighbours(x, 2, 4, 3, channel=1, **one), s.cao(x, 2, 4, 3, channel=1, **one),
               s.mdop(x, 8, 3, **one), s.pecuzal(x, 8, 3, **one)]
    flat = [np.ravel([] if value is None else value) for found in results for value in found]
    return np.concatenate([*flat, [s.noise_amplification(x, 5, 3, 2, **one)], np.ravel(s.embed(x, [(0, 0), (1, 5)], **one))])


@pytest.mark.parametrize("seed", SEEDS)
def test_estimates_never_look_outside_episodes(seed):
    rng = np.random.default_rng(seed)
    parts = [np.cumsum(rng.normal(size=(n, 2)), 0) for n in (150, 90, 120)]
    x = np.concatenate(parts)
    ends = np.cumsum([0, *map(len, parts)])
    joined = estimates(x, list(zip(ends[:-1], ends[1:])))
    # The same episodes with rows between them that are not numbers.
    gap = np.full((7, 2), np.nan)
    y = np.concatenate([gap, parts[0], gap, parts[1], gap, parts[2]])
    starts = [7, 164, 261]
    assert np.array_equal(estimates(y, [(a, a + len(p)) for a, p in zip(starts, parts)]), joined, equal_nan=True)
    # One episode is what it is alone.
    alone = estimates(y, [(164, 254)])
    assert np.array_equal(estimates(parts[1], None), alone, equal_nan=True)


@pytest.mark.parametrize("seed", range(2))
def test_threads_change_nothing(seed):
    rng = np.random.default_rng(seed)
    # Few different values, so that many distances are equal.
    x = np.round(np.cumsum(rng.normal(size=9000)) * 4) + rng.integers(0, 2, 9000) / 8
    for window, episodes in ((0, None), (20, [(0, 4100), (4200, 9000)])):
        for estimate in (s.false_neighbours, s.cao):
            one = estimate(x, 3, 5, window, episodes=episodes)
            for threads in (2, 5):
                several = estimate(x, 3, 5, window, threads=threads, episodes=episodes)
                assert all(np.array_equal(a, b) for a, b in zip(one, several))
