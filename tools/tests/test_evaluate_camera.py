"""Camera scores against evo, run as a separate process, and against scipy."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluate_native import evaluate, values
from scipy.spatial.transform import Rotation

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
    pytest.importorskip("evo")
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
