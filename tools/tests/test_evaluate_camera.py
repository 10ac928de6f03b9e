"""Camera scores against evo, run as a separate process, and against scipy."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluate_native import evaluate, values
from scipy.spatial.transform import Rotation, Slerp

HERE = Path(__file__).parent


def random_path(rng, count, noise=0.05):
    centre = np.cumsum(rng.normal(size=(count, 3)), axis=0)
    turn = Rotation.from_rotvec(np.cumsum(rng.normal(size=(count, 3)) * 0.2, axis=0))
    other = Rotation.from_rotvec(rng.normal(size=(count, 3)) * noise)
    move = Rotation.from_rotvec(rng.normal(size=3))
    estimate = (centre + rng.normal(size=(count, 3)) * noise) @ move.as_matrix().T
    estimate = estimate * rng.uniform(0.3, 3) + rng.normal(size=3)
    return {
        "truth_position": centre,
        "truth_rotation": turn.as_quat(),
        "estimate_position": estimate,
        "estimate_rotation": (move * turn * other).as_quat(),
    }


def evo(jobs):
    if importlib.util.find_spec("evo") is None:
        pytest.skip("evo is not installed")
    text = json.dumps([{k: getattr(v, "tolist", lambda: v)() for k, v in j.items()} for j in jobs])
    done = subprocess.run(
        [sys.executable, HERE / "evo_oracle.py"], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ate_and_rpe_equal_evo():
    rng = np.random.default_rng(7)
    jobs = []
    for alignment in ("none", "se3", "sim3", "scale_umeyama"):
        for delta, pairs in ((1, "all"), (5, "all"), (1, "consecutive"), (7, "consecutive")):
            job = random_path(rng, int(rng.integers(12, 200)))
            jobs.append(job | {"alignment": alignment, "delta": delta, "pairs": pairs})
    names = {
        "camera.ate": "ate_translation_part",
        "camera.ate_rotation_degrees": "ate_rotation_angle_deg",
        "camera.rpe_translation": "rpe_translation_part",
        "camera.rpe_rotation_degrees": "rpe_rotation_angle_deg",
    }
    for job, theirs in zip(jobs, evo(jobs)):
        arrays = {k: v for k, v in job.items() if isinstance(v, np.ndarray)}
        options = {k: v for k, v in job.items() if not isinstance(v, np.ndarray)}
        ours = values("camera.path", options, **arrays)
        for name, key in names.items():
            for figure in ("mean", "rmse", "median", "max"):
                assert ours[f"{name}.{figure}"] == pytest.approx(
                    theirs[key][figure], rel=1e-9, abs=1e-9
                ), (name, figure, options)


def test_planar_path_and_batches():
    rng = np.random.default_rng(3)
    paths = [random_path(rng, 30) for _ in range(4)]
    for path in paths:
        path["truth_position"][:, 2] = 0
    batch = {key: np.stack([p[key] for p in paths]) for key in paths[0]}
    whole = values("camera.path", {"alignment": "sim3"}, **batch)
    single = [values("camera.path", {"alignment": "sim3"}, **p) for p in paths]
    for name, value in whole.items():
        assert value == pytest.approx(np.mean([s[name] for s in single]), rel=1e-12)
    pooled = evaluate("camera.path", {"alignment": "none", "reduction": "pooled"}, **batch)
    errors = np.linalg.norm(batch["truth_position"] - batch["estimate_position"], axis=-1)
    assert pooled["camera.ate.median"]["value"] == pytest.approx(np.median(errors))
    assert pooled["camera.ate.mean"]["count"] == errors.size


def test_scale_that_minimises_distances():
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(11)
    p, q = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    q = p * 0.4 + 0.1 * q
    best = minimize_scalar(lambda c: np.linalg.norm(p - c * q, axis=1).sum(), tol=1e-14)
    found = evaluate(
        "camera.path", {"alignment": "scale_l1"}, truth_position=p, estimate_position=q
    )["camera.ate.mean"]
    assert found["value"] * 50 == pytest.approx(best.fun, rel=1e-12)
    assert found["details"]["alignment_fit"]["scale"] == pytest.approx(best.x, rel=1e-6)


def test_masked_frames_keep_pairs_apart():
    rng = np.random.default_rng(5)
    path = random_path(rng, 40)
    mask = np.ones(40, bool)
    mask[[3, 4, 17]] = False
    found = evaluate("camera.path", {"alignment": "none"}, truth_mask=mask, **path)
    keep = np.flatnonzero(mask)
    errors = np.linalg.norm(path["truth_position"] - path["estimate_position"], axis=1)[keep]
    assert found["camera.ate.mean"]["value"] == pytest.approx(errors.mean())
    assert found["camera.rpe_translation.mean"]["count"] == sum(i + 1 in set(keep) for i in keep)


def test_control_errors_equal_a_transcription_of_the_definition():
    rng = np.random.default_rng(9)
    path = random_path(rng, 25)

    def relative(position, rotation):
        r = Rotation.from_quat(rotation).as_matrix()
        return r[0].T @ r, (position - position[0]) @ r[0]

    r, t = relative(path["truth_position"], path["truth_rotation"])
    s, u = relative(path["estimate_position"], path["estimate_rotation"])
    angle = np.arccos(np.clip((np.trace(np.swapaxes(r, 1, 2) @ s, axis1=1, axis2=2) - 1) / 2, -1, 1))
    for scale in ("none", "own", "truth"):
        reach = np.linalg.norm(t, axis=1).max()
        own = np.linalg.norm(u, axis=1).max()
        a = t if scale == "none" else t / reach
        b = {"none": u, "own": u / own, "truth": u / reach}[scale]
        both = np.concatenate([(s - r).reshape(-1, 9), b - a], axis=1)
        ours = values("camera.control", {"translation_scale": scale}, **path)
        assert ours["camera.rot_err"] == pytest.approx(angle.sum(), abs=1e-6)
        assert ours["camera.trans_err"] == pytest.approx(np.linalg.norm(b - a, axis=1).sum())
        assert ours["camera.cam_mc"] == pytest.approx(np.linalg.norm(both, axis=1).sum())


def test_conventions_of_poses():
    rng = np.random.default_rng(13)
    path = random_path(rng, 30)
    options = {"alignment": "sim3", "delta": 3}
    expected = values("camera.path", options, **path)

    def turned(change):
        return {key: change(key, value) for key, value in path.items()}

    wxyz = turned(lambda k, v: np.roll(v, 1, axis=1) if k.endswith("rotation") else v)
    matrices = turned(
        lambda k, v: Rotation.from_quat(v).as_matrix() if k.endswith("rotation") else v
    )
    inverse = {}
    for side in ("truth", "estimate"):
        turn = Rotation.from_quat(path[f"{side}_rotation"]).inv()
        inverse[f"{side}_rotation"] = 2.5 * turn.as_quat()  # any length means the same
        inverse[f"{side}_position"] = -turn.apply(path[f"{side}_position"])
    for arrays, extra in (
        (wxyz, {"quaternion_order": "wxyz"}),
        (matrices, {}),
        (inverse, {"pose": "world_to_camera"}),
    ):
        ours = values("camera.path", options | extra, **arrays)
        for name, value in expected.items():
            assert ours[name] == pytest.approx(value, rel=1e-9, abs=1e-9), (name, extra)


def test_scale_on_the_truth_is_wildbenchs_formula():
    # ATE = mean ‖T̂ − s·T‖ with s the inverse of the factor fitted to the estimate.
    rng = np.random.default_rng(14)
    truth = rng.normal(size=(50, 3)).cumsum(0)
    guess = 0.3 * truth + 0.05 * rng.normal(size=truth.shape)
    s = (guess * guess).sum() / (truth * guess).sum()
    ours = values(
        "camera.path",
        {"alignment": "scale", "scale_truth": True},
        truth_position=truth,
        estimate_position=guess,
    )
    expected = np.linalg.norm(guess - s * truth, axis=1)
    assert ours["camera.ate.mean"] == pytest.approx(expected.mean())
    assert ours["camera.ate.rmse"] == pytest.approx(np.sqrt((expected**2).mean()))


def test_relative_to_the_first_pose():
    rng = np.random.default_rng(15)
    path = random_path(rng, 20)
    move = Rotation.from_rotvec(rng.normal(size=3))
    moved = {
        "truth_position": path["truth_position"],
        "truth_rotation": path["truth_rotation"],
        "estimate_position": move.apply(path["truth_position"]) + [1, 2, 3],
        "estimate_rotation": (move * Rotation.from_quat(path["truth_rotation"])).as_quat(),
    }
    ours = values("camera.path", {"alignment": "none", "first_pose": True}, **moved)
    assert max(ours.values()) == pytest.approx(0, abs=1e-6)
    apart = values("camera.path", {"alignment": "none"}, **moved)
    assert apart["camera.ate.mean"] > 1


def test_relative_errors_that_are_dropped():
    rng = np.random.default_rng(16)
    path = random_path(rng, 30, noise=0.2)
    whole = evaluate("camera.path", {"alignment": "none"}, **path)
    limit = whole["camera.rpe_translation.median"]["value"]
    ours = evaluate("camera.path", {"alignment": "none", "drop_translation_above": limit}, **path)
    kept = ours["camera.rpe_translation.mean"]
    assert kept["count"] == 15 and kept["details"]["pairs_dropped"] == 14
    assert ours["camera.rpe_translation.max"]["value"] <= limit
    few = evaluate("camera.path", {"alignment": "none", "minimum_pairs": 30}, **path)
    assert few["camera.rpe_translation.mean"]["value"] is None


def test_relative_errors_of_positions_alone_are_those_after_the_alignment():
    rng = np.random.default_rng(18)
    path = random_path(rng, 40)
    positions = {k: v for k, v in path.items() if k.endswith("position")}
    for alignment in ("se3", "sim3"):
        ours = evaluate("camera.path", {"alignment": alignment}, **positions)
        fit = ours["camera.ate.mean"]["details"]["alignment_fit"]
        moved = fit["scale"] * positions["estimate_position"] @ np.array(fit["rotation"]).T
        steps = np.diff(moved, axis=0) - np.diff(positions["truth_position"], axis=0)
        expected = np.linalg.norm(steps, axis=1).mean()
        assert ours["camera.rpe_translation.mean"]["value"] == pytest.approx(expected)


def test_normalised_scores_equal_their_formulas():
    rng = np.random.default_rng(17)
    count = 12
    turn = Rotation.from_rotvec(np.cumsum(rng.normal(size=(count, 3)) * 0.03, axis=0))
    position = np.cumsum(rng.normal(size=(count, 3)) * 0.05, axis=0)
    other = Rotation.from_rotvec(rng.normal(size=(count, 3)) * 0.02)
    guess = position + 0.02 * rng.normal(size=position.shape)
    seen = turn * other
    ours = values(
        "camera.normalised",
        {"first_pose": False},
        truth_position=position,
        truth_rotation=turn.as_quat(),
        estimate_position=guess,
        estimate_rotation=seen.as_quat(),
    )
    distance = np.linalg.norm(guess - position, axis=1).mean()
    angle = np.degrees((turn.inv() * seen).magnitude()).mean()
    path = np.linalg.norm(np.diff(position, axis=0), axis=1).sum()
    turned = np.degrees((turn[:-1].inv() * turn[1:]).magnitude()).sum()
    translation = min(distance / max(path, 0.5), 1)
    rotation = min(angle / max(turned, 10), 1)
    assert ours["camera.nate_translation"] == pytest.approx(translation)
    assert ours["camera.nate_rotation"] == pytest.approx(rotation)
    assert ours["camera.wbench_accuracy"] == pytest.approx(1 - (translation + rotation) / 2)
    world = np.sqrt((1 - min(angle / 15, 1)) * (1 - min(distance / 0.5, 1)))
    assert ours["camera.worldscore"] == pytest.approx(world)


def along(position, turn, count):
    """WBench's resampling by arc length, with scipy."""
    way = np.r_[0, np.cumsum(np.linalg.norm(np.diff(position, axis=0), axis=1))]
    target = np.linspace(0, way[-1], count)
    spread = np.stack([np.interp(target, way, position[:, k]) for k in range(3)], axis=1)
    return spread, Slerp(way, turn)(np.minimum(target, way[-1]))


@pytest.mark.parametrize("seed", range(4))
def test_normalised_errors_as_wbench_samples_and_measures_them(seed):
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(np.cumsum(rng.normal(size=(30, 3)) * 0.1, axis=0))
    turn = Rotation.from_matrix(np.where(np.arange(30)[:, None, None] == 4, np.diag([1, -1, -1.0]), turn.as_matrix()))
    other = turn * Rotation.from_rotvec(rng.normal(size=(30, 3)) * 0.1)
    position = np.cumsum(rng.normal(size=(30, 3)), axis=0)
    guess = position + 0.3 * rng.normal(size=position.shape)
    p, r = along(position, turn, 20)
    q, s = along(guess, other, 20)
    path = np.linalg.norm(np.diff(guess, axis=0), axis=1).sum()
    turned = np.degrees((other[:-1].inv() * other[1:]).magnitude()).sum()
    ours = values(
        "camera.normalised",
        {"first_pose": False, "samples": 20, "measure": "estimate"},
        truth_position=position,
        truth_rotation=turn.as_quat(),
        estimate_position=guess,
        estimate_rotation=other.as_quat(),
    )
    distance = np.linalg.norm(p - q, axis=1).mean()
    angle = np.degrees((r.inv() * s).magnitude()).mean()
    assert ours["camera.nate_translation"] == pytest.approx(min(distance / max(path, 0.5), 1), rel=1e-9)
    assert ours["camera.nate_rotation"] == pytest.approx(min(angle / max(turned, 10), 1), rel=1e-6)


def test_a_camera_that_only_turns_is_sampled_in_time():
    turn = Rotation.from_rotvec(np.linspace(0, 1, 39)[:, None] * [0, 0, 1])
    still = np.zeros((39, 3))
    ours = values(
        "camera.normalised",
        {"first_pose": False, "samples": 20},
        truth_position=still,
        truth_rotation=turn.as_quat(),
        estimate_position=still,
        estimate_rotation=Rotation.identity(39).as_quat(),
    )
    assert ours["camera.nate_rotation"] == pytest.approx(0.5)
    half = Rotation.from_rotvec(np.linspace(0, 2, 3)[:, None] * [0, np.pi / 2, 0])  # a half turn in all
    line = np.linspace(0, 1, 3)[:, None] * [1, 0, 0]
    whole = values(
        "camera.normalised",
        {"first_pose": False, "samples": 5},
        truth_position=line,
        truth_rotation=half.as_quat(),
        estimate_position=line,
        estimate_rotation=half[[0, 0, 0]].as_quat(),
    )
    assert whole["camera.nate_rotation"] == pytest.approx(90 / 180)


def test_a_path_that_any_estimate_would_fit_has_no_figure():
    """Of one or two poses a similarity leaves no error (evo refuses them); they make no mean better."""
    rng = np.random.default_rng(31)
    long = random_path(rng, 50, noise=0.5)
    alone = evaluate("camera.path", **long)["camera.ate.rmse"]["value"]
    for kept in (1, 2):
        both = {k: np.stack([v, v]) for k, v in long.items()}
        mask = np.ones((2, 50), bool)
        mask[1, kept:] = False
        found = evaluate("camera.path", truth_mask=mask, **both)["camera.ate.rmse"]
        assert found["value"] == pytest.approx(alone) and found["details"]["paths_too_short"] == 1
        short = {k: v[:kept] for k, v in long.items()}
        none = evaluate("camera.path", **short)["camera.ate.rmse"]
        assert none["value"] is None and "3 poses" in none["reason"]
        # What the estimate lost has failed.
        lost = both["estimate_position"].copy()
        lost[1, kept:] = np.nan
        for options in ({}, {"failed": "skip"}):
            broken = evaluate("camera.path", options, **both | {"estimate_position": lost})["camera.ate.rmse"]
            assert broken["value"] == (pytest.approx(alone) if options else None)
            assert broken["details"]["failed"]["count"] == 50
        plain = evaluate("camera.path", {"alignment": "none"}, **short)["camera.ate.mean"]["value"]
        gap = long["truth_position"][:kept] - long["estimate_position"][:kept]
        assert plain == pytest.approx(np.linalg.norm(gap, axis=1).mean())
