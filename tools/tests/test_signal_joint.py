"""MDOP, PECUZAL and the noise amplification against their definitions in numpy, over one episode and pooled over several."""

import numpy as np
import pytest
from scipy.stats import binom

import dynamics
import trajpack.signal as s
from brute import nearest

ONE = None
SEVERAL = [(0, 210), (220, 340), (345, 500)]


class Space:
    """Channels with mean 0 and deviation 1 over the episodes, and delay vectors of them."""

    def __init__(self, x, episodes):
        self.episodes = episodes or [(0, len(x))]
        rows = np.concatenate([np.arange(a, b) for a, b in self.episodes])
        self.z = (x - x[rows].mean(0)) / x[rows].std(0, ddof=1)

    def points(self, reach):
        """Rows with ``reach`` more in their episode, and the number of that."""
        rows = [np.arange(a, max(b - reach, a)) for a, b in self.episodes]
        return np.concatenate(rows), np.concatenate([np.full(len(r), k) for k, r in enumerate(rows)])

    def vectors(self, chosen):
        """Whole in ``points`` of the largest lag."""
        return np.stack([np.concatenate([self.z[t:, c], np.full(t, np.nan)]) for c, t in chosen], 1)

    def nearest(self, chosen, beyond, k, w):
        """Rows, the rows of their k neighbours, and the distances."""
        rows, number = self.points(max(t for _, t in chosen) + beyond)
        j, d = nearest(self.vectors(chosen)[rows], k, w, number)
        return rows, rows[j], d


@pytest.mark.parametrize("episodes", [ONE, SEVERAL])
@pytest.mark.parametrize("seed", range(3))
def test_mdop_is_its_definition(seed, episodes):
    x = np.cumsum(np.random.default_rng(seed).normal(size=(500, 2)), 0)
    space, top, w = Space(x, episodes), 12, 4

    def beta(chosen, c):
        i, j, d = space.nearest(chosen, top, 1, w)
        return [np.log10(np.abs(space.z[i + t, c] - space.z[j[:, 0] + t, c]) / d[:, 0]).mean() for t in range(top + 1)]

    def best(tries):
        return max(((max(beta(v, c)), v, (c, int(np.argmax(beta(v, c))))) for v, c in tries), key=lambda found: found[0])[1:]

    def distances(chosen):
        rows, _, d = space.nearest(chosen, 0, 1, w)
        out = np.full(len(x), np.nan)
        out[rows] = d[:, 0]
        return out

    chosen, new = best([([(a, 0)], c) for a in (0, 1) for c in (0, 1)])
    fractions, old = [], distances(chosen)
    while True:
        grown = [*chosen, new]
        now = distances(grown)
        close = (old < .5) & ~np.isnan(now)
        fractions.append((now[close] / old[close] > 2).sum() / max(close.sum(), 1))
        if fractions[-1] <= .05 or (len(fractions) > 1 and fractions[-1] > fractions[-2]):
            break
        chosen, old = grown, now
        new = best([(chosen, c) for c in (0, 1)])[1]
    found = s.mdop(x, top, w, episodes=episodes)
    assert found.coordinates == chosen
    np.testing.assert_allclose(found.figures, fractions, atol=1e-12)


def uzal(y, rows, number, horizons, k, w):
    """L after each horizon: equations 13 to 21 of Uzal et al. 2011."""
    j, _ = nearest(y[rows], k, w, number)
    group = np.concatenate([rows[:, None], rows[j]], 1)
    points = y[group]
    pairs = ((points[:, :, None] - points[:, None]) ** 2).sum((1, 2, 3)) / 2
    size = 2 / (k * (k + 1)) * pairs
    spread = np.zeros(len(rows))
    out = []
    for count, h in enumerate(horizons, 1):
        future = y[group + h]
        spread += ((future - future.mean(1, keepdims=True)) ** 2).sum((1, 2)) / (k + 1)
        out.append(np.log10(np.sqrt((spread / count / size).mean()) * np.sqrt(1 / (1 / size).mean())))
    return np.array(out)


@pytest.mark.parametrize("episodes", [ONE, [(0, 700), (710, 1100), (1100, 1500)]])
def test_noise_amplification_is_its_definition(episodes):
    y = dynamics.lorenz()[:1500]
    parts = episodes or [(0, 1500)]
    rows = np.concatenate([np.arange(a, b - 20) for a, b in parts])
    number = np.concatenate([np.full(b - 20 - a, k) for k, (a, b) in enumerate(parts)])
    expected = uzal(y, rows, number, range(1, 21), 3, 12)[-1]
    assert abs(s.noise_amplification(y, 20, 3, 12, episodes=episodes) - expected) < 1e-9


@pytest.mark.parametrize("episodes", [ONE, [(0, 400), (410, 900)]])
@pytest.mark.parametrize("economic", [False, True])
def test_pecuzal_is_its_definition(economic, episodes):
    x, top, w = dynamics.roessler()[:2700:3, 0], 30, 8
    space = Space(x[:, None], episodes)
    table = {k: int(binom.ppf(.95, k, .5)) for k in range(8, 14)}
    chosen, falls = [(0, 0)], []
    while True:
        i, j, _ = space.nearest(chosen, top, 13, w)
        epsilon = [0]
        for t in range(top + 1):
            d = np.abs(space.z[i + t] - space.z[j + t, 0])
            epsilon.append(np.min([np.sort(d[:, :k], 1)[:, table[k] - 1] for k in table], 0).mean())
        best = None
        for t in [k - 1 for k in range(1, top + 1) if epsilon[k - 1] < epsilon[k] > epsilon[k + 1]]:
            trial = [*chosen, (0, t)]
            horizons = range(2, top + 1, 2 if economic else 1)
            rows, number = space.points(max(lag for _, lag in trial) + horizons[-1])
            difference = uzal(space.vectors(trial), rows, number, horizons, 3, w) - uzal(
                space.vectors(chosen), rows, number, horizons, 3, w)
            former = np.inf
            for value in difference:
                if value > former and former < 0:
                    break
                former = value
            if best is None or former < best[0]:
                best = (former, trial)
        if best[0] > 0:
            break
        falls.append(best[0])
        chosen = best[1]
    found = s.pecuzal(x, top, w, economic=economic, episodes=episodes)
    assert found.coordinates == chosen and len(chosen) > 1
    np.testing.assert_allclose(found.figures, falls, atol=1e-9)
