"""Interpolation against scipy and the vectors of reference/dynamics.md 2.1."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.interpolate as si
from scipy.spatial.transform import Rotation

import trajpack.signal as s
from trajpack import TrajpackError
from trajpack.signal import Times
from trajpack.signal.resample import METHODS

T = np.array([0, 1, 1.5, 3, 4])
X = np.array([0, 1, -1, 2, 2.5])
Q = np.array([0, .25, .5, 1.25, 2, 2.75, 3.5, 4])


# dynamics.md, section 2.1, "Reference vectors (ref5.py)".
REFERENCE = {
    "hermite": "0 .25 .5 .3125 -1.3333333333 1.2916666667 2.4375 2.5",
    "natural": "0 .7226938101 1.2563100962 -.0078876202 -1.1306089744 1.2670022035 2.5988581731 2.5",
    "not-a-knot": "0 1.8686755952 2.3932539683 -.1228918651 -1.1365079365 1.1263640873 3.1182539683 2.5",
    "clamped": "0 .2717141544 .8079044118 .0404411765 -1.1658496732 1.2753267974 2.5340073529 2.5",
    "pchip": "0 .578125 .875 0 -.3076923077 1.6442307692 2.3461538462 2.5",
    "akima": "0 .7080965909 1.0965909091 -.118006993 -.1743589744 1.6602564103 2.38125 2.5",
    "makima": "0 .6070438508 1.0458669355 -.1223844813 -.2630630631 1.6463963964 2.3734375 2.5",
}


WITH_NAN = {
    "natural": "0 .2719726562 .53515625 1.1865234375 1.59375 1.8955078125 2.23828125 2.5",
    "hermite": "0 .25 .5 1.15625 1.5 1.875 2.25 2.5",
}


def numbers(text):
    return np.array([float(w) for w in text.split()])


@pytest.mark.parametrize("method", REFERENCE)
def test_reference_vector(method):
    out, mask = s.resample(X, Times.floats(T), Times.floats(Q), method)
    assert mask.all()
    np.testing.assert_allclose(out, numbers(REFERENCE[method]), rtol=0, atol=6e-11)


@pytest.mark.parametrize("how", ["nan", "mask"])
@pytest.mark.parametrize("method", WITH_NAN)
def test_reference_vector_with_a_missing_knot(method, how):
    x, seen = X.copy(), None
    if how == "nan":
        x[2] = np.nan
    else:
        seen = np.array([1, 1, 0, 1, 1])
    if method == "hermite":
        # torchcde fills by lines first; so do we, when told to.
        x, _ = s.resample(x, Times.floats(T), Times.floats(T), "linear", observed=seen)
        seen = None
    out, mask = s.resample(x, Times.floats(T), Times.floats(Q), method, observed=seen)
    assert mask.all()
    np.testing.assert_allclose(out, numbers(WITH_NAN[method]), rtol=0, atol=6e-11)


PEERS = {
    "natural": lambda t, x: si.CubicSpline(t, x, bc_type="natural"),
    "not-a-knot": lambda t, x: si.CubicSpline(t, x),
    "clamped": lambda t, x: si.CubicSpline(t, x, bc_type="clamped"),
    "pchip": lambda t, x: si.PchipInterpolator(t, x),
    "akima": lambda t, x: si.Akima1DInterpolator(t, x),
    "makima": lambda t, x: si.Akima1DInterpolator(t, x, method="makima"),
    "linear": lambda t, x: si.interp1d(t, x, axis=0),
    "previous": lambda t, x: si.interp1d(t, x, kind="previous", axis=0),
    "next": lambda t, x: si.interp1d(t, x, kind="next", axis=0),
    "nearest": lambda t, x: si.interp1d(t, x, kind="nearest", axis=0),
    "nearest-up": lambda t, x: si.interp1d(t, x, kind="nearest-up", axis=0),
}


def irregular(rng, n):
    return np.cumsum(rng.uniform(.1, 2, n))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", PEERS)
def test_agrees_with_scipy(method, seed):
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(2, 200)), int(rng.integers(1, 9))
    if method in ("akima", "makima"):
        n = max(n, 3)
    t = irregular(rng, n)
    x = rng.normal(size=(n, c))
    q = np.sort(rng.uniform(t[0], t[-1], 300))
    out, mask = s.resample(x, Times.floats(t), Times.floats(q), method)
    assert mask.all()
    np.testing.assert_allclose(out, PEERS[method](t, x)(q), rtol=1e-9, atol=1e-9)
    # float32 in, float32 out, within its rounding.
    single, _ = s.resample(x.astype(np.float32), Times.floats(t), Times.floats(q), method)
    assert single.dtype == np.float32
    scale = max(np.abs(out).max(), 1)
    np.testing.assert_allclose(single, PEERS[method](t, x.astype(np.float32).astype(float))(q),
                               atol=2e-4 * scale)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", ["natural", "pchip", "akima", "makima", "linear", "previous"])
def test_missing_knots_are_left_out(method, seed):
    rng = np.random.default_rng(seed)
    t, x = irregular(rng, 80), rng.normal(size=(80, 3))
    seen = rng.random((80, 3)) < .6
    x[0, 1] = np.nan
    q = np.sort(rng.uniform(t[0] - 1, t[-1] + 1, 300))
    for edges in ("missing", "hold", "extrapolate"):
        out, mask = s.resample(x, Times.floats(t), Times.floats(q), method, observed=seen, edges=edges)
        for c in range(3):
            k = seen[:, c] & np.isfinite(x[:, c])
            inside = (q >= t[k][0]) & (q <= t[k][-1])
            peer = PEERS[method](t[k], x[k, c])
            np.testing.assert_allclose(out[inside, c], peer(q[inside]), rtol=1e-9, atol=1e-9)
            assert (mask[:, c] == (inside if edges == "missing" else 1)).all()
            if edges == "hold":
                held = np.where(q < t[k][0], x[k, c][0], x[k, c][-1])
                np.testing.assert_array_equal(out[~inside, c], held[~inside])
            if edges == "extrapolate" and method in ("natural", "pchip"):
                np.testing.assert_allclose(out[~inside, c], peer(q[~inside]), rtol=1e-8, atol=1e-8)
        assert (np.isnan(out) == (mask == 0)).all()


def test_gaps_are_not_crossed():
    t = np.array([0., 1, 2, 10, 11, 12, 13])
    x = np.array([0., 1, 4, 7, 5, 6, 2])
    q = np.array([.5, 2, 3, 9.9, 10, 10.5, 12.5])
    for method in ("natural", "linear", "akima", "previous"):
        out, mask = s.resample(x, Times.floats(t), Times.floats(q), method, gap=1.0)
        assert mask.tolist() == [1, 1, 0, 0, 1, 1, 1]
        a, _ = s.resample(x[:3], Times.floats(t[:3]), Times.floats(q[:2]), method)
        b, _ = s.resample(x[3:], Times.floats(t[3:]), Times.floats(q[4:]), method)
        np.testing.assert_array_equal(out[mask == 1], np.concatenate([a, b]))
        broken, m = s.resample(x, Times.floats(t), Times.floats(q), method, breaks=[3])
        np.testing.assert_array_equal(broken, out)
        assert (m == mask).all()


def test_reflection_is_a_triangle_wave():
    t, x = np.arange(5.), np.array([0., 3, 1, 4, 2])
    q = np.linspace(-11, 15, 105)
    out, mask = s.resample(x, Times.floats(t), Times.floats(q), "linear", edges="reflect")
    phase = np.abs(np.mod(q, 8))
    np.testing.assert_allclose(out, np.interp(np.where(phase > 4, 8 - phase, phase), t, x), atol=1e-12)
    # A component that begins later: the stream is mirrored first, then the component.
    seen = np.array([0, 1, 1, 1, 1])
    out, mask = s.resample(x, Times.floats(t), Times.floats(q), "linear", observed=seen, edges="reflect")
    phase = np.where(phase > 4, 8 - phase, phase)
    phase = np.where(phase < 1, 2 - phase, phase)
    assert mask.all()
    np.testing.assert_allclose(out, np.interp(phase, t, x), atol=1e-12)


def test_same_clock_is_identity():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4))
    clock = Times.regular(Fraction(30000, 1001), 500, Fraction(1, 7))
    for method in METHODS:
        if method.startswith(("squad", "directions", "slerp")):
            continue
        out, mask = s.resample(x, clock, clock, method)
        assert (out == x).all() and mask.all()
    q = Rotation.random(500, random_state=1).as_quat()
    for k in range(1, 500):
        q[k] *= np.sign(q[k] @ q[k - 1])
    out, _ = s.resample(q, clock, clock, "slerp")
    assert (out == q).all()


def test_counters_hold_at_a_restart():
    t, x = np.arange(6.), np.array([0., 10, 20, 0, 10, 20])
    q = np.array([.5, 2.25, 2.75, 3.5])
    out, _ = s.resample(x, Times.floats(t), Times.floats(q), "counter")
    assert out.tolist() == [5, 20, 20, 5]


@pytest.mark.parametrize("bad", [[0., 1, 1, 2], [0., 2, 1], [0., np.nan, 2], [np.inf], [0, np.inf]])
def test_times_that_do_not_increase_are_refused(bad):
    with pytest.raises(TrajpackError, match="do not increase at row") as e:
        s.resample(np.zeros(len(bad)), Times.floats(bad), Times.floats([0.]), "linear")
    assert e.value.code == 1


def test_other_refusals():
    with pytest.raises(TrajpackError, match="must be above 0"):
        s.resample(np.zeros(3), Times.regular(0, 3), Times.floats([0.]), "linear")
    with pytest.raises(TrajpackError, match="4"):
        s.resample(np.zeros((2, 3)), Times.floats([0., 1]), Times.floats([0.]), "slerp")
    out, mask = s.resample(np.zeros((0, 2)), Times.floats([]), Times.floats([0., 1]), "natural")
    assert np.isnan(out).all() and not mask.any()
    out, mask = s.resample(np.full((2, 2), np.nan), Times.floats([0., 1]), Times.floats([0., .5]), "natural")
    assert np.isnan(out).all() and not mask.any()
    out, mask = s.resample(np.array([5.]), Times.floats([1.]), Times.floats([0., 1, 2]), "akima", edges="extrapolate")
    assert out.tolist() == [5, 5, 5]
