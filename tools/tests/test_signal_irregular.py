"""Masks against numpy's Philox, GRU-D against its paper's example, paths against torchcde."""

import warnings

import numpy as np
import pytest

import trajpack.signal as s
from trajpack import TrajpackError
from trajpack.signal import Times


def philox(seed, stream, count):
    return np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(count)


def uniform(seed, stream, count):
    return (philox(seed, stream, count) >> np.uint64(11)) * 2.0**-53


@pytest.mark.parametrize("seed,stream", [(0, 0), (1, 2), (2**64 - 1, 12345), (56789, 2**63)])
def test_words_are_numpys_philox(seed, stream):
    assert (s.random_words(seed, stream, 1003) == philox(seed, stream, 1003)).all()


X = np.random.default_rng(0).normal(size=(400, 5))


def test_recipes_replay_in_numpy():
    n, c = X.shape
    u = uniform(7, 3, n * c).reshape(n, c)
    assert (s.mask("entries", .3, X, seed=7, stream=3) == (u >= .3)).all()
    assert (s.mask("kept-rows", .9, X, seed=7, stream=3) == (uniform(7, 3, n) < .9)[:, None]).all()
    order = np.argsort(philox(7, 3, n), kind="stable")
    smaller = None
    for rate in (.3, .5, .7):
        expected = np.ones((n, c))
        expected[order[:int(n * rate)]] = 0
        got = s.mask("rows", rate, X, seed=7, stream=3)
        assert (got == expected).all()
        if smaller is not None:
            assert (got <= smaller).all()
        smaller = got
    before = (uniform(9, 0, n * c) < .8).reshape(n, c)
    seen = np.flatnonzero(before)
    expected = before.copy().reshape(-1)
    expected[seen[np.argsort(philox(7, 3, len(seen)), kind="stable")[:round(.25 * len(seen))]]] = 0
    assert (s.mask("exact", .25, X, observed=before, seed=7, stream=3).reshape(-1) == expected).all()


def test_kovae_counts():
    x = np.zeros((3685, 6))
    for rate, count in ((.3, 1105), (.5, 1842), (.7, 2579)):
        m = s.mask("rows", rate, x, seed=56789)
        assert (m.min(1) == m.max(1)).all() and (m[:, 0] == 0).sum() == count
    listed = [1, 2, 3, 5, 10, 15, 16, 17, 18, 20, 22, 35]
    m = s.mask("listed", 0, x, numbers=listed)
    assert np.flatnonzero(m[:, 0] == 0).tolist() == listed


def test_mechanisms_that_look_at_values():
    x = np.random.default_rng(1).normal(size=(20000, 3))
    z = (x - x.mean(0)) / x.std(0)
    for name, score, options in (
        ("value", 2 * z, dict(weights=[2.])),
        ("drivers", np.repeat((1.5 * z[:, 0])[:, None], 3, 1), dict(numbers=[0], weights=[1.5]))):
        m = s.mask(name, .4, x, seed=3, **options)
        for c in range(3):
            if name == "drivers" and c == 0:
                assert m[:, 0].all()
                continue
            low, high = -60., 60.
            for _ in range(60):
                a = (low + high) / 2
                if (1 / (1 + np.exp(-(a + score[:, c])))).mean() < .4:
                    low = a
                else:
                    high = a
            p = 1 / (1 + np.exp(-((low + high) / 2 + score[:, c])))
            u = uniform(3, 0, x.size).reshape(x.shape)[:, c]
            clear = np.abs(u - p) > 1e-12
            assert ((u < p) == (m[:, c] == 0))[clear].all()
            assert abs((m[:, c] == 0).mean() - .4) < .02
    m = s.mask("above", 1., x)
    assert ((m == 0) == (x > x.mean(0) + x.std(0))).all()


def test_masks_by_time_are_pygrinders_rule():
    # pygrinder 0.7 mnar_t: rand * scale < exp(3 sin(cycle t + pos)) stays, t = linspace(0, 1, rows); dynamics.md 2.3.
    x = np.zeros((3000, 2))
    for cycle, phase, scale in ((20, 10, 3), (-1e5, 3e4, 7.5), (0, 0, 2)):
        m = s.mask("time", scale, x, weights=[cycle, phase], seed=11)
        intensity = np.exp(3 * np.sin(cycle * np.linspace(0, 1, 3000) + phase))[:, None]
        u = uniform(11, 0, x.size).reshape(x.shape) * scale
        clear = np.abs(u - intensity) > 1e-8
        assert ((u < intensity) == m)[clear].all() and clear.mean() > .99


def test_blocks_and_channels():
    m = s.mask("blocks", .3, X, numbers=[20, 2], seed=5)
    share = (m == 0).mean()
    assert .3 <= share < .3 + 40 / X.size
    m = s.mask("channels", 0, X, numbers=[2], seed=5)
    assert sorted(m.min(0).tolist()) == [0, 0, 1, 1, 1] and (m.min(0) == m.max(0)).all()


def test_masks_compose_and_episodes_are_independent():
    a = s.mask("entries", .3, X, seed=1)
    b = s.mask("rows", .3, X, seed=2)
    assert (s.mask("rows", .3, X, observed=a, seed=2) == a * b).all()
    other = X.copy()
    other[:] = 99
    assert (s.mask("entries", .3, other, seed=1) == a).all()
    assert (s.mask("entries", .3, X, seed=1, stream=1) != a).any()


@pytest.mark.parametrize("bad", [
    ("entries", 1.5, {}), ("rows", -.1, {}), ("blocks", .5, dict(numbers=[500, 1])),
    ("time", 0, dict(weights=[20, 10])), ("time", 3, dict(weights=[20])), ("channels", 0, dict(numbers=[6])), ("listed", 0, dict(numbers=[400])),
    ("drivers", .5, dict(numbers=[9], weights=[1.])), ("above", np.nan, {})])
def test_bad_recipes_are_refused(bad):
    with pytest.raises(TrajpackError):
        s.mask(bad[0], bad[1], X, **bad[2])


def test_grud_example():
    # Che et al. 2018, figure 2; dynamics.md 2.3.
    t = Times.floats([0, .1, .6, 1.6, 2.2, 2.5, 3.1])
    m = np.array([[1, 0, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0, 1]]).T
    expected = np.array([[0, .1, .6, 1, 1.6, 1.9, .6], [0, .1, .6, 1, .6, .9, 1.5]]).T
    np.testing.assert_allclose(s.time_since(t, m), expected, atol=1e-12)
    np.testing.assert_allclose(s.time_since(t, m, np.float32), expected, atol=1e-6)


def holes(rng, n, c, rate):
    x = rng.normal(size=(n, c))
    x[rng.random((n, c)) < rate] = np.nan
    x[rng.integers(0, n), np.arange(c)] = 1.0
    return x


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rate", [0, .3, .8])
def test_paths_are_torchcdes(seed, rate):
    torchcde = pytest.importorskip("torchcde")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(2, 60)), int(rng.integers(1, 5))
    t, x = np.cumsum(rng.uniform(.1, 2, n)), holes(rng, n, c, rate)
    tt, tx = torch.tensor(t), torch.tensor(x)
    q = np.sort(np.concatenate([rng.uniform(t[0], t[-1], 50), t]))
    for kind, build in (("natural", torchcde.natural_cubic_coeffs),
                        ("hermite", torchcde.hermite_cubic_coefficients_with_backward_differences)):
        peer = build(tx, tt)
        out, path, slope = s.path(kind, Times.floats(t), x, q - t[0])
        np.testing.assert_allclose(out, peer.numpy(), rtol=1e-8, atol=1e-8)
        spline = torchcde.CubicSpline(peer, tt)
        inside = torch.tensor(q)
        np.testing.assert_allclose(path, [spline.evaluate(v).numpy() for v in inside], rtol=1e-8,
                                   atol=1e-8)
        # On a knot the rounding of q − t₀ decides which piece's slope it is.
        off = ~np.isin(q, t)
        np.testing.assert_allclose(slope[off], np.array([spline.derivative(v).numpy() for v in inside])[off],
                                   rtol=1e-7, atol=1e-7)
    if c == 1:
        return  # torchcde 0.2.5 fails on torch 2.15: it writes to an expanded tensor.
    x[:, 0] = t
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = torchcde.linear_interpolation_coeffs(torch.tensor(x), rectilinear=0).numpy()
    first = np.array([np.flatnonzero(~np.isnan(x[:, k]))[0] for k in range(c)])
    ours = s.rectilinear(x, 0, look_ahead=True)
    # Before a component's first observation torchcde interpolates to it from itself: the same.
    np.testing.assert_array_equal(ours, peer)
    if first.max() > 0:
        with pytest.raises(TrajpackError, match="first observed"):
            s.rectilinear(x, 0)


def test_hermite_derivatives_of_dynamics_md():
    t, x = np.array([0, 1, 1.5, 3, 4]), np.array([[0, 1, -1, 2, 2.5]]).T
    q = [0, .25, .5, 1.25, 2, 2.75, 3.5, 4]
    _, path, slope = s.path("hermite", Times.floats(t), x, q)
    np.testing.assert_allclose(slope[:, 0], [1, 1, 1, -5.25, 2, 3.5, .125, .5], atol=1e-12)
    np.testing.assert_allclose(path[:, 0], [0, .25, .5, .3125, -4 / 3, 1.2916666666666667, 2.4375, 2.5],
                               atol=1e-12)


def test_a_component_without_observations_is_refused():
    x = np.zeros((5, 2))
    x[:, 1] = np.nan
    with pytest.raises(TrajpackError, match="component 1 has no observation"):
        s.path("natural", Times.floats(np.arange(5.)), x)


def test_quantise_is_latent_odes_rule():
    rng = np.random.default_rng(3)
    t = np.sort(rng.uniform(0, 3, 200))
    x = holes(rng, 200, 4, .4)
    ticks, values, seen = s.quantise(Times.floats(t), .016, x)
    grid = np.round(t / .016).astype(int)
    assert (ticks == np.unique(grid)).all()
    for row, tick in enumerate(ticks):
        group = x[grid == tick]
        for c in range(4):
            known = group[~np.isnan(group[:, c]), c]
            assert seen[row, c] == (len(known) > 0)
            if len(known):
                assert abs(values[row, c] - known.mean()) < 1e-12
