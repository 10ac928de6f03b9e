"""Pose and depth scores against scipy and numpy transcriptions of the definitions."""

import numpy as np
import pytest
from evaluate_native import evaluate, values
from scipy.spatial.transform import Rotation


def poses(rng, frames=30, joints=17):
    truth = rng.normal(size=(frames, joints, 3)).cumsum(0)
    return truth, truth + 0.1 * rng.normal(size=truth.shape)


def procrustes(p, q):
    """The distance after the best similarity of q onto p, by scipy's rotation and a scale."""
    a, b = p - p.mean(0), q - q.mean(0)
    turn = Rotation.align_vectors(a, b)[0]
    moved = turn.apply(b)
    scale = (a * moved).sum() / (b * b).sum()
    return np.linalg.norm(a - scale * moved, axis=1).mean()


def test_pose_errors_equal_their_definitions():
    truth, guess = poses(np.random.default_rng(1))
    ours = values("skeleton.pose", {"rate": 30, "alpha": 0.1}, truth=truth, prediction=guess)
    distance = np.linalg.norm(truth - guess, axis=-1)
    assert ours["skeleton.mpjpe"] == pytest.approx(distance.mean())
    fitted = np.mean([procrustes(p, q) for p, q in zip(truth, guess)])
    assert ours["skeleton.pa_mpjpe"] == pytest.approx(fitted, rel=1e-9)
    scale = (truth * guess).sum((1, 2)) / (guess**2).sum((1, 2))
    scaled = np.linalg.norm(truth - scale[:, None, None] * guess, axis=-1).mean()
    assert ours["skeleton.n_mpjpe"] == pytest.approx(scaled)
    velocity = np.linalg.norm(np.diff(guess - truth, axis=0), axis=-1).mean()
    assert ours["skeleton.mpjve_per_frame"] == pytest.approx(velocity)
    assert ours["skeleton.mpjve_per_second"] == pytest.approx(30 * velocity)
    change = np.linalg.norm(np.diff(guess - truth, n=2, axis=0), axis=-1).mean()
    assert ours["skeleton.acceleration_error_per_frame2"] == pytest.approx(change)
    assert ours["skeleton.acceleration_error_per_second2"] == pytest.approx(900 * change)
    box = np.ptp(truth, axis=1).max(1)
    assert ours["skeleton.pck"] == pytest.approx((distance <= 0.1 * box[:, None]).mean())


def test_pose_errors_of_moved_poses_are_closed_forms():
    truth, _ = poses(np.random.default_rng(2))
    turn = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix()
    moved = 1.7 * truth @ turn.T + [1, 2, 3]
    ours = values("skeleton.pose", truth=truth, prediction=moved)
    assert ours["skeleton.pa_mpjpe"] == pytest.approx(0, abs=1e-12)
    mirrored = values("skeleton.pose", truth=truth, prediction=truth * [-1, 1, 1])
    assert mirrored["skeleton.pa_mpjpe"] > 0.1
    shifted = values("skeleton.pose", truth=truth, prediction=truth + [3, 0, 4])
    assert shifted["skeleton.mpjpe"] == pytest.approx(5)
    assert shifted["skeleton.mpjve_per_frame"] == pytest.approx(0, abs=1e-12)
    rooted = values("skeleton.pose", {"root": 0}, truth=truth, prediction=truth + [3, 0, 4])
    assert rooted["skeleton.mpjpe"] == pytest.approx(0, abs=1e-12)
    double = values("skeleton.pose", truth=truth, prediction=2 * truth)
    assert double["skeleton.n_mpjpe"] == pytest.approx(0, abs=1e-12)


def test_poses_in_a_plane_are_turned_within_it():
    rng = np.random.default_rng(6)
    truth = rng.normal(size=(10, 7, 2))
    guess = truth + 0.2 * rng.normal(size=truth.shape)

    def plane(p, q):
        """The best a, b of |p − (a q + b)| over complex numbers: a turn, a scale and a shift."""
        z, w = (s @ [1, 1j] for s in (q, p))
        a, b = np.linalg.lstsq(np.stack([z, np.ones_like(z)], 1), w, rcond=None)[0]
        return np.abs(w - a * z - b).mean()

    ours = values("skeleton.pose", truth=truth, prediction=guess)["skeleton.pa_mpjpe"]
    assert ours == pytest.approx(np.mean([plane(p, q) for p, q in zip(truth, guess)]), rel=1e-9)
    mirrored = truth * [-1, 1]
    ours = values("skeleton.pose", truth=truth, prediction=mirrored)["skeleton.pa_mpjpe"]
    assert ours == pytest.approx(np.mean([plane(p, q) for p, q in zip(truth, mirrored)]), rel=1e-9)
    assert ours > 0.1


def test_pck_measures_with_true_joints_alone():
    rng = np.random.default_rng(7)
    truth, guess = poses(rng)
    mask = rng.random(truth.shape[:2]) < 0.6
    mask[:, :2] = True
    distance = np.linalg.norm(truth - guess, axis=-1)
    hidden = np.where(mask[..., None], truth, np.nan)
    box = np.nanmax(np.nanmax(hidden, 1) - np.nanmin(hidden, 1), 1)
    ours = values("skeleton.pose", {"alpha": 0.03}, truth=truth, prediction=guess, truth_mask=mask)
    assert ours["skeleton.pck"] == pytest.approx((distance <= 0.03 * box[:, None])[mask].mean())
    # A joint that was not predicted still tells how large the true pose is.
    guess[:, 3] = np.nan
    skip = {"alpha": 0.03, "failed": "skip"}
    ours = values("skeleton.pose", skip, truth=truth, prediction=guess)
    box = np.ptp(truth, axis=1).max(1)
    near = np.delete(distance <= 0.03 * box[:, None], 3, axis=1)
    assert ours["skeleton.pck"] == pytest.approx(near.mean())
    torso = np.linalg.norm(truth[:, 0] - truth[:, 5], axis=1)
    options = skip | {"normaliser": "joints", "normaliser_joints": "0,5", "root": 1, "strict": True}
    ours = values("skeleton.pose", options, truth=truth, prediction=guess)
    moved = np.linalg.norm((truth - truth[:, 1:2]) - (guess - guess[:, 1:2]), axis=-1)
    near = np.delete(moved < 0.03 * torso[:, None], 3, axis=1)
    assert ours["skeleton.pck"] == pytest.approx(near.mean())


def test_joints_that_are_not_numbers_are_counted():
    joints = np.ones((10, 3, 3))
    joints[2, 1] = np.nan
    mask = np.ones((10, 3), bool)
    mask[5] = False
    arrays = dict(joints=joints, mask=mask, bones=[[0, 1]])
    skipped = evaluate("skeleton.plausibility", {"failed": "skip", "up": 1}, **arrays)["skeleton.ground_penetration"]
    assert skipped["count"] == 26
    assert (skipped["details"]["masked"], skipped["details"]["nan_predictions"]) == (3, 1)
    refused = evaluate("skeleton.plausibility", {"up": 1}, **arrays)
    assert all("1 of 27 joints" in score["reason"] for score in refused.values())


def test_masked_joints_do_not_count():
    rng = np.random.default_rng(3)
    truth, guess = poses(rng)
    mask = rng.random(truth.shape[:2]) < 0.7
    guess[~mask] = np.nan
    ours = evaluate("skeleton.pose", truth=truth, prediction=guess, truth_mask=mask)
    distance = np.linalg.norm(truth - guess, axis=-1)
    assert ours["skeleton.mpjpe"]["value"] == pytest.approx(distance[mask].mean())
    assert ours["skeleton.mpjpe"]["count"] == mask.sum()
    assert ours["skeleton.mpjve_per_frame"]["count"] == (mask[1:] & mask[:-1]).sum()


def test_plausibility():
    frames = 20
    joints = np.zeros((frames, 3, 3))
    joints[:, 1, 1] = 1 + 0.1 * (-1.0) ** np.arange(frames)  # a bone of length 0.9 or 1.1
    joints[:, 2, 0] = 0.02 * np.arange(frames)  # a foot that slides along the ground
    joints[5:10, 2, 1] = 1  # and is lifted for five frames
    joints[0, 0, 1] = -0.5
    ours = values(
        "skeleton.plausibility", {"rate": 30, "up": 1}, joints=joints, bones=[[0, 1]], feet=[2]
    )
    lengths = np.linalg.norm(joints[:, 0] - joints[:, 1], axis=1)
    drift = (np.abs(lengths - lengths.mean()) / lengths.mean()).mean()
    assert ours["skeleton.bone_drift"] == pytest.approx(drift)
    assert ours["skeleton.foot_sliding_per_frame"] == pytest.approx(0.02)
    assert ours["skeleton.foot_sliding_per_second"] == pytest.approx(0.6)
    assert ours["skeleton.ground_penetration"] == pytest.approx(0.5 / 60)


@pytest.mark.parametrize("alignment", ["none", "median", "scale", "scale_shift"])
def test_depth_errors_equal_their_definitions(alignment):
    rng = np.random.default_rng(4)
    truth = rng.uniform(1, 10, size=(3, 8, 9))
    guess = truth * 0.7 + 0.3 + 0.1 * rng.normal(size=truth.shape)
    mask = rng.random(truth.shape) < 0.8
    each = []
    for d, p, m in zip(truth, guess, mask):
        d, p = d[m], p[m]
        if alignment == "median":
            p = p * np.median(d) / np.median(p)
        elif alignment == "scale":
            p = p * (d * p).sum() / (p * p).sum()
        elif alignment == "scale_shift":
            p = np.polyval(np.polyfit(p, d, 1), p)
        ratio = np.maximum(d / p, p / d)
        rest = [(ratio < 1.25**k).mean() for k in (1, 2, 3)]
        square = (d - p) ** 2
        logs = np.sqrt(((np.log(d) - np.log(p)) ** 2).mean())
        each.append(
            [(np.abs(d - p) / d).mean(), (square / d).mean(), np.sqrt(square.mean()), logs, *rest]
        )
    ours = values(
        "depth.errors", {"alignment": alignment}, truth=truth, prediction=guess, truth_mask=mask
    )
    names = ["abs_rel", "sq_rel", "rmse", "rmse_log", "delta_1", "delta_2", "delta_3"]
    for name, expected in zip(names, np.mean(each, axis=0)):
        assert ours["depth." + name] == pytest.approx(expected, rel=1e-9), name


def test_disparities_are_fitted_in_their_own_space():
    truth = np.random.default_rng(5).uniform(1, 10, size=(2, 6, 6))
    options = {"alignment": "scale_shift", "space": "inverse", "prediction_is_inverse": True}
    ours = values("depth.errors", options, truth=truth, prediction=4 / truth - 0.5)
    assert ours["depth.abs_rel"] == pytest.approx(0, abs=1e-12)
    assert ours["depth.delta_1"] == 1
