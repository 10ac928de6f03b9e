"""Filters and means at other rates against scipy and the values of reference/dynamics.md 2.1."""

import numpy as np
import pytest
import scipy.interpolate as si
import scipy.signal as ss

import trajpack.signal as s
from trajpack.signal import Times


@pytest.mark.parametrize("edges,pad", [("zero", "constant"), ("hold", "edge"), ("reflect", "reflect"),
                                       ("line", "constant"), ("mean", "mean")])
@pytest.mark.parametrize("seed", range(4))
def test_polyphase_agrees_with_scipy(edges, pad, seed):
    rng = np.random.default_rng(seed)
    for up, down in ((1, 4), (3, 2), (7, 5), (160, 147), (1, 1), (5, 1)):
        n, c = int(rng.integers(60, 400)), int(rng.integers(1, 12))
        x = rng.normal(size=(n, c))
        # scipy's filter has a ripple at zero frequency, so that a constant does not stay one; with
        # the background taken off first it does.
        x0 = x1 = x[0] if edges in ("hold", "reflect") else 0.0
        if edges == "line":
            slope = (x[-1] - x[0]) / (n - 1)
            x0 = x[0] + np.arange(n)[:, None] * slope
            x1 = x[0] + (np.arange(-(-n * up // down)) * down / up)[:, None] * slope
        peer = ss.resample_poly(x - x0, up, down, axis=0, padtype=pad) + x1
        out, mask = s.polyphase(x, up, down, edges=edges)
        assert mask.all()
        np.testing.assert_allclose(out, peer, rtol=1e-9, atol=1e-9)
        single, _ = s.polyphase(x.astype(np.float32), up, down, edges=edges)
        np.testing.assert_allclose(single, peer, atol=1e-4)
        if edges != "zero":
            constant, _ = s.polyphase(np.full((n, c), .1), up, down, edges=edges)
            assert (constant == .1).all()


def test_polyphase_reference():
    n = np.arange(64)
    x = np.sin(2 * np.pi * n / 16) + .3 * np.cos(2 * np.pi * n / 3)
    out, _ = s.polyphase(x, 1, 4, edges="zero")
    np.testing.assert_allclose(out[:4], [.2057456337, .9674888605, .0140998137, -1.0090704402], atol=6e-11)
    constant, _ = s.polyphase(np.ones(16), 1, 4, edges="zero")
    np.testing.assert_allclose(constant, [.609, 1.108, .917, 1.108], atol=6e-4)


def test_polyphase_does_not_cross_missing_rows():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 2))
    x[100:140, 0] = np.nan
    x[7, 1] = np.nan
    out, mask = s.polyphase(x, 1, 3, bridge=1)
    a, _ = s.polyphase(x[:100, 0], 1, 3)
    np.testing.assert_allclose(out[:34, 0], a, atol=1e-12)
    assert (mask[34:47, 0] == 0).all() and mask[47:, 0].all() and mask[:, 1].all()
    y = x[:, 1].copy()
    y[7] = (y[6] + y[8]) / 2
    np.testing.assert_allclose(out[:, 1], s.polyphase(y, 1, 3)[0], atol=1e-12)
    changed = x.copy()
    changed[140:, 0] += 100
    assert (s.polyphase(changed, 1, 3, bridge=1)[0][:34] == out[:34]).all()


def test_up_then_down_returns_band_limited_signals():
    n = np.arange(2000)
    x = np.sin(2 * np.pi * n / 37) + np.cos(2 * np.pi * n / 91)
    for k in (2, 3, 5):
        up, _ = s.polyphase(x, k, 1)
        back, _ = s.polyphase(up, 1, k)
        assert np.abs(back - x)[100:-100].max() < 2e-3


def test_moving_mean_is_the_integral_of_the_line():
    rng = np.random.default_rng(4)
    t, x = np.cumsum(rng.uniform(.1, 2, 200)), rng.normal(size=200)
    q = np.linspace(t[0], t[-1], 40)
    width = q[1] - q[0]
    out, _ = s.moving_mean(x, Times.floats(t), Times.floats(q), width)
    line = si.make_interp_spline(t, x, k=1)
    low, high = np.maximum(q - width / 2, t[0]), np.minimum(q + width / 2, t[-1])
    expected = [line.integrate(a, b) / (b - a) for a, b in zip(low, high)]
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)
