"""Quaternions and angles against scipy, and squad against its definition."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

import trajpack.signal as s
from trajpack import TrajpackError
from trajpack.signal import Times


def test_slerp_reference_and_scipy():
    key = Rotation.from_euler("xyz", [[0, 0, 0], [90, 0, 0], [90, 45, 0], [0, 45, 170]], degrees=True)
    out, _ = s.resample(key.as_quat(), Times.floats(np.arange(4.)), Times.floats([.5, 1.5, 2.5]), "slerp")
    expected = np.array([
        [.3826834324, 0, 0, .9238795325], [.6935199227, .1379496896, -.1379496896, .6935199227],
        [.6103388654, .1399696691, -.7026430694, .3379166733]])
    np.testing.assert_allclose(out, expected, atol=6e-11)
    rng = np.random.default_rng(0)
    for n in (2, 50, 400):
        t = np.cumsum(rng.uniform(.1, 2, n))
        r = Rotation.random(n, random_state=n)
        q = np.sort(rng.uniform(t[0], t[-1], 1000))
        flipped = r.as_quat() * rng.choice([-1, 1], (n, 1))
        out, _ = s.resample(flipped, Times.floats(t), Times.floats(q), "slerp")
        peer = Slerp(t, r)(q).as_quat()
        np.testing.assert_allclose(np.abs((out * peer).sum(1)), 1, atol=1e-12)
        np.testing.assert_allclose(out * np.sign((out * peer).sum(1))[:, None], peer, atol=1e-9)
        assert np.abs(np.linalg.norm(out, axis=1) - 1).max() < 1e-14 * 40
        dense = np.linspace(t[0], t[-1], 40 * n)
        path, _ = s.resample(flipped, Times.floats(t), Times.floats(dense), "slerp")
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
    out, _ = s.resample(q, Times.floats(np.arange(8.)), Times.floats(times), "squad-xyzw")
    np.testing.assert_allclose(out, expected, atol=1e-9)
    turned, _ = s.resample(q[:, [3, 0, 1, 2]], Times.floats(np.arange(8.)), Times.floats(times), "squad-wxyz")
    np.testing.assert_allclose(turned[:, [1, 2, 3, 0]], out, atol=1e-14)
    with pytest.raises(TrajpackError, match="order is unknown"):
        s.resample(q, Times.floats(np.arange(8.)), Times.floats(times), "squad")


def test_angles_unwrap_first():
    rng = np.random.default_rng(1)
    t = np.cumsum(rng.uniform(.1, 2, 300))
    true = np.cumsum(rng.uniform(-2.5, 2.5, 300))
    x = np.mod(true, 2 * np.pi)
    q = np.sort(rng.uniform(t[0], t[-1], 1000))
    out, _ = s.resample(x, Times.floats(t), Times.floats(q), "linear", angle=(2 * np.pi, 0))
    expected = np.mod(np.interp(q, t, np.unwrap(x)), 2 * np.pi)
    difference = np.abs(out - expected)
    assert np.minimum(difference, 2 * np.pi - difference).max() < 1e-9
    assert (out >= 0).all() and (out < 2 * np.pi).all()
    degrees, _ = s.resample(np.array([350., 10]), Times.floats([0., 1]), Times.floats([0, .25, .5, 1]), "linear", angle=(360, 0))
    assert degrees.tolist() == [350, 355, 0, 10]
