"""Resampling and alignment against scipy, pandas and the vectors of reference/dynamics.md 2.1."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.interpolate as si
import scipy.signal as ss
from scipy.spatial.transform import Rotation, RotationSpline, Slerp  # noqa: F401

import signal_abi as s
from signal_abi import SignalError, Times

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
    out, mask = s.resample(Times.floats(T), Times.floats(Q), method, X)
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
        x, _ = s.resample(Times.floats(T), Times.floats(T), "linear", x, seen)
        seen = None
    out, mask = s.resample(Times.floats(T), Times.floats(Q), method, x, seen)
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
    out, mask = s.resample(Times.floats(t), Times.floats(q), method, x)
    assert mask.all()
    np.testing.assert_allclose(out, PEERS[method](t, x)(q), rtol=1e-9, atol=1e-9)
    # float32 in, float32 out, within its rounding.
    single, _ = s.resample(Times.floats(t), Times.floats(q), method, x.astype(np.float32))
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
        out, mask = s.resample(Times.floats(t), Times.floats(q), method, x, seen, edges)
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
        out, mask = s.resample(Times.floats(t), Times.floats(q), method, x, gap=1.0)
        assert mask.tolist() == [1, 1, 0, 0, 1, 1, 1]
        a, _ = s.resample(Times.floats(t[:3]), Times.floats(q[:2]), method, x[:3])
        b, _ = s.resample(Times.floats(t[3:]), Times.floats(q[4:]), method, x[3:])
        np.testing.assert_array_equal(out[mask == 1], np.concatenate([a, b]))
        broken, m = s.resample(Times.floats(t), Times.floats(q), method, x, breaks=[3])
        np.testing.assert_array_equal(broken, out)
        assert (m == mask).all()


def test_reflection_is_a_triangle_wave():
    t, x = np.arange(5.), np.array([0., 3, 1, 4, 2])
    q = np.linspace(-11, 15, 105)
    out, mask = s.resample(Times.floats(t), Times.floats(q), "linear", x, edges="reflect")
    phase = np.abs(np.mod(q, 8))
    np.testing.assert_allclose(out, np.interp(np.where(phase > 4, 8 - phase, phase), t, x), atol=1e-12)
    # A component that begins later: the stream is mirrored first, then the component.
    seen = np.array([0, 1, 1, 1, 1])
    out, mask = s.resample(Times.floats(t), Times.floats(q), "linear", x, seen, edges="reflect")
    phase = np.where(phase > 4, 8 - phase, phase)
    phase = np.where(phase < 1, 2 - phase, phase)
    assert mask.all()
    np.testing.assert_allclose(out, np.interp(phase, t, x), atol=1e-12)


def test_no_drift_over_ten_hours():
    count = 30000 * 36000 // 1001
    stride = 997
    ticks = np.arange(0, count, stride, dtype=np.int64)
    # Row i of 30000/1001 Hz falls exactly on tick 1001·i of 1/30000 s.
    source = Times.regular(Fraction(30000, 1001), count)
    target = Times.ticks(ticks * 1001, Fraction(1, 30000))
    rows, offsets = s.align(target, source, "backward")
    assert (rows == np.arange(count) // stride).all()
    rows, offsets = s.align(source, target, "exact", Fraction(0))
    assert (rows == ticks).all() and (offsets == 0).all()
    x = (np.arange(count) % 1000).astype(np.float32)
    out, mask = s.resample(source, target, "natural", x)
    assert (out == x[ticks]).all()


def test_same_clock_is_identity():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4))
    clock = Times.regular(Fraction(30000, 1001), 500, Fraction(1, 7))
    for method in s.METHODS:
        if method in ("squad-unknown", "directions", "slerp", "squad-xyzw", "squad-wxyz"):
            continue
        out, mask = s.resample(clock, clock, method, x)
        assert (out == x).all() and mask.all()
    q = Rotation.random(500, random_state=1).as_quat()
    for k in range(1, 500):
        q[k] *= np.sign(q[k] @ q[k - 1])
    out, _ = s.resample(clock, clock, "slerp", q)
    assert (out == q).all()


def test_slerp_reference_and_scipy():
    key = Rotation.from_euler("xyz", [[0, 0, 0], [90, 0, 0], [90, 45, 0], [0, 45, 170]], degrees=True)
    out, _ = s.resample(Times.floats(np.arange(4.)), Times.floats([.5, 1.5, 2.5]), "slerp", key.as_quat())
    expected = np.array([
        [.3826834324, 0, 0, .9238795325], [.6935199227, .1379496896, -.1379496896, .6935199227],
        [.6103388654, .1399696691, -.7026430694, .3379166733]])
    np.testing.assert_allclose(out, expected, atol=6e-11)
    rng = np.random.default_rng(0)
    for n in (2, 50, 400):
        t = irregular(rng, n)
        r = Rotation.random(n, random_state=n)
        q = np.sort(rng.uniform(t[0], t[-1], 1000))
        flipped = r.as_quat() * rng.choice([-1, 1], (n, 1))
        out, _ = s.resample(Times.floats(t), Times.floats(q), "slerp", flipped)
        peer = Slerp(t, r)(q).as_quat()
        np.testing.assert_allclose(np.abs((out * peer).sum(1)), 1, atol=1e-12)
        np.testing.assert_allclose(out * np.sign((out * peer).sum(1))[:, None], peer, atol=1e-9)
        assert np.abs(np.linalg.norm(out, axis=1) - 1).max() < 1e-14 * 40
        dense = np.linspace(t[0], t[-1], 40 * n)
        path, _ = s.resample(Times.floats(t), Times.floats(dense), "slerp", flipped)
        assert ((path[1:] * path[:-1]).sum(1) > 0).all()


def test_squad_is_its_definition():
    rng = np.random.default_rng(5)
    r = Rotation.random(8, random_state=2)
    q = r.as_quat()
    for k in range(1, 8):
        q[k] *= np.sign(q[k] @ q[k - 1])

    def arc(a, b, u):
        w = np.arccos(np.clip(a @ b, -1, 1))
        return (np.sin((1 - u) * w) * a + np.sin(u * w) * b) / np.sin(w)

    def inner(i):
        if i in (0, 7):
            return q[i]
        inv = Rotation.from_quat(q[i]).inv()
        logs = [(inv * Rotation.from_quat(q[j])).as_rotvec() / 2 for j in (i + 1, i - 1)]
        a = (Rotation.from_quat(q[i]) * Rotation.from_rotvec(-(logs[0] + logs[1]) / 4 * 2)).as_quat()
        return a * np.sign(a @ q[i])

    times = np.sort(rng.uniform(0, 7, 100))
    expected = []
    for t in times:
        i = min(int(t), 6)
        u = t - i
        expected.append(arc(arc(q[i], q[i + 1], u), arc(inner(i), inner(i + 1), u), 2 * u * (1 - u)))
    out, _ = s.resample(Times.floats(np.arange(8.)), Times.floats(times), "squad-xyzw", q)
    np.testing.assert_allclose(out, expected, atol=1e-9)
    turned, _ = s.resample(Times.floats(np.arange(8.)), Times.floats(times), "squad-wxyz", q[:, [3, 0, 1, 2]])
    np.testing.assert_allclose(turned[:, [1, 2, 3, 0]], out, atol=1e-14)
    with pytest.raises(SignalError, match="order is unknown"):
        s.resample(Times.floats(np.arange(8.)), Times.floats(times), "squad-unknown", q)


def test_angles_unwrap_first():
    rng = np.random.default_rng(1)
    t = irregular(rng, 300)
    true = np.cumsum(rng.uniform(-2.5, 2.5, 300))
    x = np.mod(true, 2 * np.pi)
    q = np.sort(rng.uniform(t[0], t[-1], 1000))
    out, _ = s.resample(Times.floats(t), Times.floats(q), "linear", x, angle=(2 * np.pi, 0))
    expected = np.mod(np.interp(q, t, np.unwrap(x)), 2 * np.pi)
    difference = np.abs(out - expected)
    assert np.minimum(difference, 2 * np.pi - difference).max() < 1e-9
    assert (out >= 0).all() and (out < 2 * np.pi).all()
    degrees, _ = s.resample(Times.floats([0., 1]), Times.floats([0, .25, .5, 1]), "linear",
                            np.array([350., 10]), angle=(360, 0))
    assert degrees.tolist() == [350, 355, 0, 10]


def test_counters_hold_at_a_restart():
    t, x = np.arange(6.), np.array([0., 10, 20, 0, 10, 20])
    q = np.array([.5, 2.25, 2.75, 3.5])
    out, _ = s.resample(Times.floats(t), Times.floats(q), "counter", x)
    assert out.tolist() == [5, 20, 20, 5]


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
        out, mask = s.polyphase(x, up, down, edges)
        assert mask.all()
        np.testing.assert_allclose(out, peer, rtol=1e-9, atol=1e-9)
        single, _ = s.polyphase(x.astype(np.float32), up, down, edges)
        np.testing.assert_allclose(single, peer, atol=1e-4)
        if edges != "zero":
            constant, _ = s.polyphase(np.full((n, c), .1), up, down, edges)
            assert (constant == .1).all()


def test_polyphase_reference():
    n = np.arange(64)
    x = np.sin(2 * np.pi * n / 16) + .3 * np.cos(2 * np.pi * n / 3)
    out, _ = s.polyphase(x, 1, 4, "zero")
    np.testing.assert_allclose(out[:4], [.2057456337, .9674888605, .0140998137, -1.0090704402], atol=6e-11)
    constant, _ = s.polyphase(np.ones(16), 1, 4, "zero")
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
        out, mask = s.bins(Times.ticks(millis, Fraction(1, 1000)), clock, statistic, x)
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
                    rows, offsets = s.align(stream, reference, direction, span, same)
                    expected = peer["row"].fillna(-1).to_numpy().astype(int)
                    assert (rows == expected).all()
                    assert (np.isnan(offsets) == (rows < 0)).all()


def test_align_reference():
    a, b = Times.floats([1., 2, 3, 4]), Times.floats([.5, 1.5, 2.9, 3.6])
    assert s.align(b, a, "backward", .5)[0].tolist() == [0, 1, 2, 3]
    assert s.align(b, a, "forward", .5)[0].tolist() == [1, -1, -1, -1] or \
        s.align(b, a, "forward", .5)[0].tolist() == [1, -1, 3, -1]
    with pytest.raises(SignalError, match="row 2 of the reference"):
        s.align(Times.floats([0., 1, 3]), Times.floats([0., 1, 2, 3]), "exact", .25)


def test_moving_mean_is_the_integral_of_the_line():
    rng = np.random.default_rng(4)
    t, x = irregular(rng, 200), rng.normal(size=200)
    q = np.linspace(t[0], t[-1], 40)
    width = q[1] - q[0]
    out, _ = s.moving_mean(Times.floats(t), Times.floats(q), width, x)
    line = si.make_interp_spline(t, x, k=1)
    low, high = np.maximum(q - width / 2, t[0]), np.minimum(q + width / 2, t[-1])
    expected = [line.integrate(a, b) / (b - a) for a, b in zip(low, high)]
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [[0., 1, 1, 2], [0., 2, 1], [0., np.nan, 2], [np.inf], [0, np.inf]])
def test_times_that_do_not_increase_are_refused(bad):
    with pytest.raises(SignalError, match="do not increase at row") as e:
        s.resample(Times.floats(bad), Times.floats([0.]), "linear", np.zeros(len(bad)))
    assert e.value.code == 1


def test_other_refusals():
    with pytest.raises(SignalError, match="0 rows a second"):
        s.resample(Times.regular(0, 3), Times.floats([0.]), "linear", np.zeros(3))
    with pytest.raises(SignalError, match="4"):
        s.resample(Times.floats([0., 1]), Times.floats([0.]), "slerp", np.zeros((2, 3)))
    out, mask = s.resample(Times.floats([]), Times.floats([0., 1]), "natural", np.zeros((0, 2)))
    assert np.isnan(out).all() and not mask.any()
    out, mask = s.resample(Times.floats([0., 1]), Times.floats([0., .5]), "natural", np.full((2, 2), np.nan))
    assert np.isnan(out).all() and not mask.any()
    out, mask = s.resample(Times.floats([1.]), Times.floats([0., 1, 2]), "akima", np.array([5.]), edges="extrapolate")
    assert out.tolist() == [5, 5, 5]
