"""trajpack.camera against a numpy transcription of WildWorld's script, against OpenCV, and back again."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trajpack
from trajpack import UsageError
from trajpack import camera as tc

RNG = np.random.default_rng(5)
GL = np.diag([1.0, -1.0, -1.0])
GOOD: dict[str, Any] = {"direction": "c2w", "axes": "opengl", "order": "xyzw"}


def matrices(q: Any) -> Any:
    """Rotations of unit quaternions xyzw, by v + 2 w (u x v) + 2 u x (u x v)."""
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    u, w = q[..., None, :3], q[..., None, 3:]
    eye = np.broadcast_to(np.eye(3), (*q.shape[:-1], 3, 3))
    columns = eye + 2 * w * np.cross(u, eye) + 2 * np.cross(u, np.cross(u, eye))
    return np.swapaxes(columns, -1, -2)


def world(frames: int, count: int) -> SimpleNamespace:
    """Cameras anywhere, points around them, in float64."""
    k = np.stack([RNG.uniform(100, 900, frames), RNG.uniform(100, 900, frames), RNG.uniform(200, 700, frames),
                  RNG.uniform(100, 400, frames)], -1)
    return SimpleNamespace(k=k, pos=RNG.normal(0, 50, (frames, 3)), q=RNG.normal(size=(frames, 4)),
                           points=RNG.normal(0, 60, (frames, count, 3)))


def script(points: Any, k: Any, pos: Any, rot: Any) -> tuple[Any, Any]:
    """What WildWorld's render_skeleton_video.py computes for one frame, camera-to-world, OpenGL."""
    cv = (points - pos) @ rot * (1, -1, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([k[0] * cv[:, 0] / cv[:, 2] + k[2], k[1] * cv[:, 1] / cv[:, 2] + k[3]], -1), cv


def test_it_is_wildworlds_projection() -> None:
    w = world(40, 30)
    seen = trajpack.camera.project(w.points, w.k, (w.pos, w.q), direction="c2w", axes="OpenGL", order="xyzw")
    assert seen.pixels.shape == (40, 30, 2) and seen.depth.shape == (40, 30)
    hidden = 0
    for f, rot in enumerate(matrices(w.q)):
        pixels, cv = script(w.points[f], w.k[f], w.pos[f], rot)
        front = cv[:, 2] > 0.05
        hidden += int((~front).sum())
        np.testing.assert_allclose(seen.depth[f], cv[:, 2], rtol=0, atol=1e-10)
        np.testing.assert_allclose(seen.pixels[f][front], pixels[front], rtol=1e-9, atol=1e-7)
        assert np.isnan(seen.pixels[f][~front]).all()
    assert 300 < hidden < 900


def test_bones_are_cut_at_the_near_plane() -> None:
    w = world(60, 12)
    bones = RNG.integers(0, 12, (20, 2))
    found = tc.project_bones(w.points, bones, w.k, (w.pos, w.q), direction="c2w", axes="opengl", order="xyzw")
    assert found.shape == (60, 20, 2, 2)
    kinds = {"cut": 0, "dropped": 0, "whole": 0}
    for f, rot in enumerate(matrices(w.q)):
        _, cv = script(w.points[f], w.k[f], w.pos[f], rot)
        for b, (i, j) in enumerate(bones):
            p, q = cv[i].copy(), cv[j].copy()
            if p[2] <= 0.05 and q[2] <= 0.05:
                kinds["dropped"] += 1
                assert np.isnan(found[f, b]).all()
                continue
            kinds["cut" if min(p[2], q[2]) <= 0.05 else "whole"] += 1
            if p[2] <= 0.05:
                p = p + (0.05 - p[2]) / (q[2] - p[2]) * (q - p)
            elif q[2] <= 0.05:
                q = q + (0.05 - q[2]) / (p[2] - q[2]) * (p - q)
            want = [[w.k[f][0] * e[0] / e[2] + w.k[f][2], w.k[f][1] * e[1] / e[2] + w.k[f][3]] for e in (p, q)]
            np.testing.assert_allclose(found[f, b], want, rtol=1e-7, atol=1e-6)
    assert min(kinds.values()) > 100, kinds


def test_an_end_on_the_near_plane_counts_as_behind() -> None:
    pose = (np.zeros(3), np.eye(3))
    k = [100.0, 100.0, 50.0, 50.0]
    points = [[0.0, 0.0, 0.05], [0.0, 0.0, 1.0], [0.1, 0.0, -1.0]]
    seen = tc.project(points, k, pose, direction="w2c", axes="OpenCV")
    assert np.isnan(seen.pixels[[0, 2]]).all() and (seen.pixels[1] == 50).all()
    bones = tc.project_bones(points, [(0, 1), (1, 2), (0, 2)], k, pose, direction="w2c", axes="OpenCV")
    assert np.isfinite(bones[:2]).all() and np.isnan(bones[2]).all()
    assert bones[1, 1, 0] == pytest.approx(50 + 100 * (0.1 * 0.95 / 2) / 0.05)
    assert np.isnan(tc.project(points, k, pose, direction="w2c", axes="OpenCV", near=2).pixels).all()


def test_it_is_opencvs_projection() -> None:
    cv2 = pytest.importorskip("cv2")
    w = world(20, 25)
    rots = matrices(w.q)
    t = -np.einsum("fij,fj->fi", rots, w.pos)                        # world-to-camera, OpenCV's axes
    seen = tc.project(w.points, w.k, (t, rots), direction="w2c", axes="OpenCV")
    for f in range(20):
        k = np.array([[w.k[f][0], 0, w.k[f][2]], [0, w.k[f][1], w.k[f][3]], [0, 0, 1]])
        out, _ = cv2.projectPoints(w.points[f], cv2.Rodrigues(rots[f])[0], t[f], k, None)
        front = seen.depth[f] > 0.05
        np.testing.assert_allclose(seen.pixels[f][front], out[front, 0], rtol=1e-7, atol=1e-5)


def test_all_forms_of_a_camera_are_one() -> None:
    w = world(7, 5)
    rots = matrices(w.q)
    want = tc.project(w.points, w.k, (w.pos, w.q), direction="camera-to-world", axes="OpenGL", order="xyzw")
    eye = np.zeros((7, 3, 3))
    eye[:, 0, 0], eye[:, 1, 1], eye[:, :2, 2], eye[:, 2, 2] = w.k[:, 0], w.k[:, 1], w.k[:, 2:], 1
    c2w = np.tile(np.eye(4), (7, 1, 1))
    c2w[:, :3, :3], c2w[:, :3, 3] = rots, w.pos
    cv = c2w.copy()
    cv[:, :3, :3] = rots @ GL
    forms: list[tuple[Any, Any, dict[str, Any]]] = [
        (w.k, (w.pos, w.q[:, [3, 0, 1, 2]]), {"direction": "c2w", "axes": "opengl", "order": "wxyz"}),
        (eye, c2w, {"direction": "c2w", "axes": "opengl"}), (eye, c2w[:, :3], {"direction": "c2w", "axes": "opengl"}),
        (w.k, np.linalg.inv(c2w), {"direction": "w2c", "axes": "opengl"}),
        (w.k, cv, {"direction": "c2w", "axes": "opencv"}),
        (w.k, np.linalg.inv(cv), {"direction": "w2c", "axes": "opencv"}),
        (w.k, (w.pos, -3 * w.q), {"direction": "c2w", "axes": "opengl", "order": "xyzw"})]
    for k, pose, options in forms:
        found = tc.project(w.points, k, pose, **options)
        np.testing.assert_allclose(found.pixels, want.pixels, rtol=1e-8, atol=1e-6)
    # Wrong conventions give other pixels: none is ignored.
    for wrong in ({"direction": "w2c"}, {"axes": "opencv"}, {"order": "wxyz"}):
        other = tc.project(w.points, w.k, (w.pos, w.q), **{**GOOD, **wrong})
        assert not np.allclose(other.depth, want.depth)


def test_unprojecting_undoes_projecting() -> None:
    w = world(9, 40)
    options = GOOD
    k = np.zeros((9, 3, 3))
    k[:, 0, 0], k[:, 1, 1], k[:, :2, 2], k[:, 0, 1], k[:, 2, 2] = w.k[:, 0], w.k[:, 1], w.k[:, 2:], 7.5, 1
    seen = tc.project(w.points, k, (w.pos, w.q), near=0.5, **options)
    back = tc.unproject(seen.depth, k, (w.pos, w.q), pixels=seen.pixels, **options)
    front = seen.depth > 0.5
    np.testing.assert_allclose(back[front], w.points[front], rtol=1e-9, atol=1e-8)
    assert np.isnan(back[~front]).all()
    ray = np.linalg.norm(w.points - w.pos[:, None], axis=-1)
    back = tc.unproject(ray, k, (w.pos, w.q), pixels=seen.pixels, measured="ray", **options)
    np.testing.assert_allclose(back[front], w.points[front], rtol=1e-9, atol=1e-8)


def test_pictures_of_depth_become_points() -> None:
    w = world(3, 1)
    depth = RNG.uniform(1, 9, (3, 6, 8))
    points = tc.unproject(depth, w.k, (w.pos, w.q), direction="c2w", axes="opengl", order="wxyz")
    assert points.shape == (3, 6, 8, 3)
    seen = tc.project(points.reshape(3, -1, 3), w.k, (w.pos, w.q), direction="c2w", axes="opengl", order="wxyz")
    v, u = np.mgrid[:6, :8]
    np.testing.assert_allclose(seen.pixels.reshape(3, 6, 8, 2), np.broadcast_to(np.stack([u, v], -1), (3, 6, 8, 2)),
                               atol=1e-8)
    np.testing.assert_allclose(seen.depth.reshape(3, 6, 8), depth)


def test_leading_axes_are_broadcast() -> None:
    w = world(4, 5)
    options = GOOD
    one = tc.project(w.points, w.k[0], (w.pos[0], w.q[0]), **options)
    for f in range(4):
        alone = tc.project(w.points[f], w.k[0], (w.pos[0], w.q[0]), **options)
        np.testing.assert_array_equal(one.depth[f], alone.depth)
    many = tc.project(w.points[0], w.k, (w.pos, w.q), **options)
    assert many.pixels.shape == (4, 5, 2)
    two = tc.project(w.points[None], w.k[:, None], (w.pos[:, None], w.q[:, None]), **options)
    assert two.depth.shape == (4, 4, 5)
    np.testing.assert_array_equal(two.depth[2, 0], many.depth[2])
    none = tc.project(np.zeros((0, 5, 3)), np.zeros((0, 4)), (np.zeros((0, 3)), np.zeros((0, 4))), **options)
    assert none.depth.shape == (0, 5)


def test_frames_without_a_camera_are_nan() -> None:
    w = world(6, 4)
    w.k[0] = np.nan
    w.pos[1, 2] = np.inf
    w.q[2] = 0
    w.points[3, 1] = np.nan
    options = {**GOOD, "near": -1e9}
    seen = tc.project(w.points, w.k, (w.pos, w.q), **options)
    assert np.isnan(seen.pixels[:3]).all() and np.isnan(seen.depth[:3]).all()
    assert np.isnan(seen.pixels[3, 1]).all() and np.isfinite(seen.pixels[3, [0, 2, 3]]).all()
    assert np.isfinite(seen.pixels[4:]).all()
    bones = tc.project_bones(w.points, [(0, 1), (2, 3)], w.k, (w.pos, w.q), **options)
    assert np.isnan(bones[:3]).all() and np.isnan(bones[3, 0]).all() and np.isfinite(bones[3, 1]).all()



@pytest.mark.parametrize(("change", "sentence"), [
    ({"points": np.zeros((5, 2))}, "must be [..., N, 3]"), ({"K": np.zeros((4, 5))}, "'K' is"),
    ({"K": np.ones((3, 3))}, "'K' must be [[fx, skew, cx]"), ({"order": None}, "say their order with order='xyzw'"),
    ({"order": "zyxw"}, "'order' is 'zyxw'"), ({"direction": "world"}, "'direction' is 'world'"),
    ({"axes": "unity"}, "'axes' is 'unity'"), ({"pose": (np.zeros(3), np.zeros(5))}, "rotations are [5]"),
    ({"pose": (np.zeros(2), np.zeros(4))}, "positions are [2]"), ({"pose": np.zeros((3, 3))}, "'pose' is [3, 3]"),
    ({"pose": np.ones((4, 4))}, "last row"),
    ({"pose": (np.zeros(3), 2 * np.eye(3))}, "rotation of frame 0 is no rotation"),
    ({"pose": (np.zeros(3), np.diag([1.0, 1, -1]))}, "is no rotation"), ({"near": "far"}, "'near' is"),
    ({"near": np.nan}, "'near' is"), ({"pose": (np.zeros((2, 3)), np.ones((3, 4)))}, "do not fit together")])
def test_what_is_wrong_is_said(change: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"points": np.zeros((5, 3)), "K": np.ones(4), "pose": (np.zeros(3), np.ones(4)), **GOOD,
                             **change}
    with pytest.raises(trajpack.TrajpackError) as error:
        tc.project(given.pop("points"), given.pop("K"), given.pop("pose"), **given)
    assert sentence in str(error.value)


def test_wrong_bones_and_pixels_are_said() -> None:
    with pytest.raises(UsageError, match="bone 1 names the point 5, where there are 5"):
        tc.project_bones(np.zeros((5, 3)), [(0, 1), (2, 5)], np.ones(4), (np.zeros(3), np.ones(4)), **GOOD)
    with pytest.raises(UsageError, match="pairs of numbers of points"):
        tc.project_bones(np.zeros((5, 3)), [0, 1], np.ones(4), (np.zeros(3), np.ones(4)), **GOOD)
    with pytest.raises(UsageError, match="give one for each"):
        tc.unproject(np.ones(4), np.ones(4), (np.zeros(3), np.ones(4)), pixels=np.ones((5, 2)), **GOOD)
    with pytest.raises(UsageError, match="'measured' is 'z'"):
        tc.unproject(np.ones(4), np.ones(4), (np.zeros(3), np.ones(4)), pixels=np.ones((4, 2)), measured="z", **GOOD)
    assert tc.project_bones(np.zeros((5, 3)), [], np.ones(4), (np.zeros(3), np.ones(4)), **GOOD).shape == (0, 2, 2)


def test_conventions_come_from_the_archive_or_not_at_all() -> None:
    channel = SimpleNamespace(path="camera/rot", shape=(4,), kind="quaternion",
                              conventions={"order": "xyzw", "pose": "camera-to-world", "axes": "OpenGL"})
    assert tc.conventions(channel) == {"direction": "camera-to-world", "axes": "opengl", "order": "xyzw"}
    assert tc.conventions(SimpleNamespace(channel=channel)) == tc.conventions(channel)
    for name in ("order", "pose", "axes"):
        rest = {k: v for k, v in channel.conventions.items() if k != name}
        with pytest.raises(UsageError, match=f"'camera/rot' does not say for the convention '{name}'"):
            tc.conventions(SimpleNamespace(**{**vars(channel), "conventions": rest}))
    with pytest.raises(UsageError, match="says 'body-to-world'"):
        said = {**channel.conventions, "pose": "body-to-world"}
        tc.conventions(SimpleNamespace(**{**vars(channel), "conventions": said}))
