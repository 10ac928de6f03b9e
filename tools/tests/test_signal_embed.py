"""Embedding against the reference values of dynamics.md 3 and plain definitions."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.special import digamma

import signal_abi as s
from signal_abi import SignalError


def rk4(f, u, dt, skip, n):
    u, rows = np.array(u, float), []
    for i in range(skip + n):
        if i >= skip:
            rows.append(u)
        a = f(u)
        b = f(u + dt / 2 * a)
        c = f(u + dt / 2 * b)
        d = f(u + dt * c)
        u = u + dt / 6 * (a + 2 * b + 2 * c + d)
    return np.array(rows)


@pytest.fixture(scope="session")
def chaos():
    """The three series of dynamics.md 3, made again from their description."""
    lorenz = rk4(lambda u: np.array([10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1],
                                     u[0] * u[1] - 8 / 3 * u[2]]), (1, 1, 1), .01, 2000, 5000)
    rossler = rk4(lambda u: np.array([-u[1] - u[2], u[0] + .2 * u[1], .2 + u[2] * (u[0] - 5.7)]),
                  (1, 1, 0), .05, 4000, 5000)
    x, y, henon = .1, .1, []
    for i in range(6001):
        if i > 1000:
            henon.append(x)
        x, y = 1 - 1.4 * x * x + y, .3 * x
    np.testing.assert_allclose(lorenz[0], [13.47290574, 12.69147506, 34.39214732], atol=6e-9)
    return {"lorenz": lorenz[:, 0], "rossler": rossler[:, 0], "henon": np.array(henon),
            "lorenz3": lorenz}


LAG = {"lorenz": 17, "rossler": 28, "henon": 1}


def minimum(values):
    return next((k for k in range(1, len(values) - 1)
                 if values[k] < values[k - 1] and values[k] < values[k + 1]), None)


@pytest.mark.parametrize("name,zero,inverse,rosenstein", [
    ("lorenz", 142, 31, 19), ("rossler", 30, 22, 16), ("henon", 1, 1, 1)])
def test_autocorrelation(chaos, name, zero, inverse, rosenstein):
    x = chaos[name]
    r = s.autocorrelation(x, 200)
    z = x - x.mean()
    np.testing.assert_allclose(r, [z[:len(z) - k] @ z[k:] / (z @ z) for k in range(201)], atol=1e-12)
    assert (np.argmax(r <= 0), np.argmax(r < np.exp(-1)), np.argmax(r < 1 - np.exp(-1))) == \
        (zero, inverse, rosenstein)


@pytest.mark.parametrize("name,first,bits", [
    ("lorenz", (18, 16, 16, 16), (5.773594, 4.176542, 3.561598, 3.126665)),
    ("rossler", (22, 27, 26, 21), (5.902978, 4.021748, 3.297423, 2.848432)),
    ("henon", (18, 22, 16, 16), (5.826488, 3.442502, 2.998456, 2.620728))])
def test_mutual_information_in_equal_bins(chaos, name, first, bits):
    for bins, lag in zip((16, 32, 64, 128), first):
        values, _ = s.mutual_information(chaos[name], 40, parameter=bins)
        assert minimum(values) == lag
        if bins == 64:
            np.testing.assert_allclose(values[:4], bits, atol=6e-7)


@pytest.mark.parametrize("seed", range(4))
def test_mutual_information_is_the_histograms(seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=700))
    for bins in (2, 13, 64, 256):
        values, _ = s.mutual_information(x, 20, parameter=bins)
        for lag in range(21):
            h = np.histogram2d(x[:len(x) - lag], x[lag:], bins)[0] / (len(x) - lag)
            p, q = h.sum(1), h.sum(0)
            k = h > 0
            expected = (h[k] * np.log2(h[k] / np.outer(p, q)[k])).sum()
            assert abs(values[lag] - expected) < 1e-9


def test_adaptive_bisection(chaos):
    for name, lag, parts in (("lorenz", 17, 29), ("rossler", 27, 17)):
        values, bins = s.mutual_information(chaos[name], 100, "bisection")
        assert (minimum(values), bins) == (lag, parts)


def test_kraskov(chaos):
    values, _ = s.mutual_information(chaos["lorenz"], 30, "ksg", 3)
    assert minimum(values) == 16
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=400))
    values, _ = s.mutual_information(x, 5, "ksg", 4)
    for lag in range(6):
        a, b = x[:len(x) - lag], x[lag:]
        dx, dy = np.abs(a[:, None] - a), np.abs(b[:, None] - b)
        d = np.maximum(dx, dy)
        np.fill_diagonal(d, np.inf)
        reach = np.sort(d, 1)[:, 3]
        nx = (dx < reach[:, None]).sum(1) - 1
        ny = (dy < reach[:, None]).sum(1) - 1
        expected = digamma(4) + digamma(len(a)) - (digamma(nx + 1) + digamma(ny + 1)).mean()
        assert abs(values[lag] - expected / np.log(2)) < 1e-9


CAO = {
    "lorenz": ((.000707, .298301, .940368, .950016, .965088, .979239, 1.004822, .98834),
               (.089174, .878644, 1.361106, 1.214713, 1.155836, 1.136577, 1.201541, 1.10014)),
    "rossler": ((.000262, .171263, .887183, .981704, .968316, .993952, .996889, .996596),
                (.089912, .296155, 1.077484, 1.052782)),
    "henon": ((.000447, .953302, .974008, .982062, .997373, 1.000234, .997058, .991106),
              (.016684, 1.42909, 1.411829))}
FNN = {"lorenz": (.994782, .063633, 0, .000608), "rossler": (.992759, .125, .005696, 0),
       "henon": (.74815, 0, 0)}


@pytest.mark.parametrize("name", CAO)
def test_cao_and_false_neighbours(chaos, name):
    e1, e2 = s.cao(chaos[name], LAG[name], 8, 50)
    np.testing.assert_allclose(e1, CAO[name][0], atol=6e-7)
    np.testing.assert_allclose(e2[:len(CAO[name][1])], CAO[name][1], atol=6e-7)
    either = s.false_neighbours(chaos[name], LAG[name], len(FNN[name]), 50)[2]
    np.testing.assert_allclose(either, FNN[name], atol=6e-7)


def vectors(x, m, lag):
    return np.stack([x[k * lag:len(x) - (m - 1 - k) * lag] for k in range(m)], 1)


def nearest(y, k, w, episode=None, p=2, skip_zero=False):
    """Brute force: indices and distances of the k nearest rows outside the Theiler window."""
    d = np.abs(y[:, None] - y[None])
    d = d.max(2) if p == np.inf else np.sqrt((d ** 2).sum(2))
    i = np.arange(len(y))
    near = np.abs(i[:, None] - i) <= w
    if episode is not None:
        near &= episode[:, None] == episode
    d[near] = np.inf
    if skip_zero:
        d[d == 0] = np.inf
    order = np.argsort(d, 1, kind="stable")[:, :k]
    return order, np.take_along_axis(d, order, 1)


@pytest.mark.parametrize("seed", range(5))
def test_dimensions_are_their_definitions_over_episodes(seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=600)) + rng.normal(size=600)
    episodes = [(0, 250), (250, 255), (270, 600)]
    lag, w, top = 3, 6, 4
    e, f, each = [], [], []
    for m in range(1, top + 2):
        rows = [i for a, b in episodes for i in range(a, b - m * lag)]
        number = np.array([k for k, (a, b) in enumerate(episodes) for _ in range(a, b - m * lag)])
        y = np.array([[x[i + k * lag] for k in range(m)] for i in rows])
        last = np.array([x[i + m * lag] for i in rows])
        j, d = nearest(y, 1, w, number, np.inf, True)
        gap = np.abs(last - last[j[:, 0]])
        e.append((np.maximum(d[:, 0], gap) / d[:, 0]).mean())
        f.append(gap.mean())
        j, d = nearest(y, 1, w, number, 2, True)
        gap = np.abs(last - last[j[:, 0]])
        used = np.concatenate([x[a:b] for a, b in episodes])
        each.append([(gap / d[:, 0] > 10).mean(), (np.hypot(d[:, 0], gap) / used.std() > 2).mean(),
                     ((gap / d[:, 0] > 10) | (np.hypot(d[:, 0], gap) / used.std() > 2)).mean()])
    e, f = np.array(e), np.array(f)
    e1, e2 = s.cao(x, lag, top, w, episodes=episodes)
    np.testing.assert_allclose(e1, e[1:] / e[:-1], rtol=1e-9)
    np.testing.assert_allclose(e2, f[1:] / f[:-1], rtol=1e-9)
    np.testing.assert_allclose(s.false_neighbours(x, lag, top, w, episodes=episodes), np.array(each)[:top].T, rtol=1e-9)


def standard(x):
    return (x - x.mean(0)) / x.std(0, ddof=1)


@pytest.mark.parametrize("seed", range(3))
def test_mdop_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(500, 2)), 0)
    z, top, w = standard(x), 12, 4

    def beta(y, c):
        n = len(y) - top
        j, d = nearest(y[:n], 1, w)
        i = np.arange(n)
        return [np.log10(np.abs(z[i + t, c] - z[j[:, 0] + t, c]) / d[:, 0]).mean() for t in range(top + 1)]

    tries = [(max(beta(z[:, [a]], b)), a, b, int(np.argmax(beta(z[:, [a]], b)))) for a in (0, 1) for b in (0, 1)]
    _, a, b, t = max(tries, key=lambda v: v[0])
    y, chosen, fractions = z[:, [a]], [(a, 0)], []
    old = nearest(y, 1, w)[1][:, 0]
    while True:
        n = min(len(y), len(z) - t)
        y = np.c_[y[:n], z[t:t + n, b]]
        new = nearest(y, 1, w)[1][:, 0]
        close = old[:n] < .5
        fractions.append(((new / old[:n] > 2) & close).sum() / close.sum())
        if fractions[-1] <= .05 or (len(fractions) > 1 and fractions[-1] > fractions[-2]):
            break
        chosen.append((b, t))
        old = new
        tries = [(max(beta(y, c)), c, int(np.argmax(beta(y, c)))) for c in (0, 1)]
        _, b, t = max(tries, key=lambda v: v[0])
    coordinates, _ = s.mdop(x, top, w)
    assert [tuple(v) for v in coordinates] == chosen


def uzal(y, n, horizons, k, w):
    j, _ = nearest(y[:n], k, w)
    group = np.concatenate([np.arange(n)[:, None], j], 1)
    points = y[group]
    pairs = ((points[:, :, None] - points[:, None]) ** 2).sum((1, 2, 3)) / 2
    size = 2 / (k * (k + 1)) * pairs
    spread = np.zeros(n)
    out = []
    for count, h in enumerate(horizons, 1):
        future = y[group + h]
        spread += ((future - future.mean(1, keepdims=True)) ** 2).sum((1, 2)) / (k + 1)
        out.append(np.log10(np.sqrt((spread / count / size).mean()) * np.sqrt(1 / (1 / size).mean())))
    return np.array(out)


def test_noise_amplification_is_its_definition(chaos):
    y = chaos["lorenz3"][:1500]
    assert abs(s.noise_amplification(y, 20, 3, 12) - uzal(y, 1480, range(1, 21), 3, 12)[-1]) < 1e-9


@pytest.mark.parametrize("economic", [False, True])
def test_pecuzal_is_its_definition(chaos, economic):
    from scipy.stats import binom
    x, top, w = chaos["rossler"][::3][:900], 30, 8
    z = standard(x)
    table = {k: int(binom.ppf(.95, k, .5)) for k in range(8, 14)}
    y, chosen, falls = z[:, None], [(0, 0)], []
    while True:
        n = len(y) - top
        j, _ = nearest(y[:n], 13, w)
        i = np.arange(n)
        epsilon = [0]
        for t in range(top + 1):
            d = np.abs(z[i + t][:, None] - z[j + t])
            epsilon.append(np.min([np.sort(d[:, :k], 1)[:, table[k] - 1] for k in table], 0).mean())
        peaks = [k - 1 for k in range(1, top + 1) if epsilon[k - 1] < epsilon[k] > epsilon[k + 1]]
        best = None
        for t in peaks:
            m = min(len(y), len(z) - t)
            trial = np.c_[y[:m], z[t:t + m]]
            horizons = range(2, top + 1, 2 if economic else 1)
            count = m - horizons[-1]
            difference = uzal(trial, count, horizons, 3, w) - uzal(y[:m], count, horizons, 3, w)
            former = np.inf
            for value in difference:
                if value > former and former < 0:
                    break
                former = value
            if best is None or former < best[0]:
                best = (former, t, trial)
        if best[0] > 0:
            break
        falls.append(best[0])
        chosen.append((0, best[1]))
        y = best[2]
    coordinates, got = s.pecuzal(x, top, w, economic=economic)
    assert [tuple(v) for v in coordinates] == chosen and len(chosen) > 1
    np.testing.assert_allclose(got, falls, atol=1e-9)


def test_augmented_covariance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    for order, lag in ((1, 1), (2, 3), (4, 5)):
        rows = x.T if order == 1 else np.concatenate(
            [x.T[:, k * lag:-(order - k) * lag] for k in range(order)])
        np.testing.assert_allclose(s.augmented_covariance(x, order, lag), rows @ rows.T / rows.shape[1], atol=1e-12)
        np.testing.assert_allclose(s.augmented_covariance(x, order, lag, True), np.cov(rows), atol=1e-12)
    geometry = pytest.importorskip("pyriemann.geometry.covariance")
    np.testing.assert_allclose(s.augmented_covariance(x, 1, 1, True),
                               geometry.covariances(x.T[None], "cov")[0], atol=1e-12)
    np.testing.assert_allclose(s.augmented_covariance(x, 1, 1),
                               geometry.covariance_scm(x.T, assume_centered=True), atol=1e-12)


def test_embedding_never_crosses_a_boundary():
    x = np.arange(100.)
    parts = [(0, 40), (40, 41), (45, 100)]
    y = s.embed(x, [(0, 0), (0, 3), (0, 6)], episodes=parts, skips_short=True)
    rows = [i for a, b in parts for i in range(a, b - 6)]
    assert (y == np.array([[i, i + 3, i + 6] for i in rows])).all()
    back = s.embed(x, [(0, 0), (0, 3)], backward=True, episodes=parts, skips_short=True)
    assert (back == [[i, i - 3] for a, b in parts for i in range(a + 3, b)]).all()
    with pytest.raises(SignalError, match="episode 1 has 1 rows"):
        s.embed(x, [(0, 0), (0, 3)], episodes=parts)
    z = np.random.default_rng(0).normal(size=(50, 3))
    mixed = s.embed(z, [(2, 0), (0, 5), (0, 5), (1, -2)])
    assert (mixed == np.stack([z[2:45, 2], z[7:, 0], z[7:, 0], z[0:43, 1]], 1)).all()
    # Embedding commutes with restriction.
    whole, part = s.embed(x, [(0, 0), (0, 4)]), s.embed(x[20:60], [(0, 0), (0, 4)])
    assert (whole[20:56] == part).all()


@pytest.mark.parametrize("make", [
    lambda x: s.autocorrelation(x, 100), lambda x: s.mutual_information(x, 100),
    lambda x: s.cao(x, 30, 5, 3), lambda x: s.false_neighbours(x, 0, 5, 3),
    lambda x: s.pecuzal(x, 50), lambda x: s.mdop(x, 99),
    lambda x: s.autocorrelation(np.zeros(100), 5), lambda x: s.cao(np.zeros(100), 1, 2, 2),
    lambda x: s.autocorrelation(np.where(x == x[7], np.nan, x), 5)])
def test_refusals(make):
    with pytest.raises(SignalError):
        make(np.random.default_rng(0).normal(size=100))


def test_tree_agrees_with_scipy_on_many_points():
    x = np.cumsum(np.random.default_rng(1).normal(size=5000))
    y = vectors(x, 3, 4)[:-4]
    d, j = cKDTree(y).query(y, k=2)
    last = x[12:]
    gap = np.abs(last - last[j[:, 1]])
    expected = (gap / d[:, 1] > 10).mean()
    assert abs(s.false_neighbours(x, 4, 3, 0)[0, 2] - expected) < 1e-9
