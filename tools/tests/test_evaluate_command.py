"""`trajpack evaluate` against numpy, scipy and evo, on the archive as plain h5py shows it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, built
from evaluate_command import PREDICTIONS, by_episode, figures, predicted, report, run, suites, truth
from evaluate_command import lorenz, world  # noqa: F401  fixtures
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(ROOT / "fixtures"))

from make_predictions import projected                                                           # noqa: E402


@pytest.fixture(scope="module")
def known(world):
    return truth(world)


def test_camera_equals_evo(world, known):
    """ATE and RPE of each episode, of the frames that have a camera; their mean is the figure."""
    found = figures(report(world, PREDICTIONS / "good", "--metric", "camera.path"))
    jobs = []
    for name, arrays in predicted("good").items():
        pos, rot = known[name]["camera/pos"], known[name]["camera/rot"]
        # evo knows no gaps: the pairs of a relative error are taken from whole episodes alone.
        rows = np.isfinite(pos).all(1)
        jobs.append({
            "truth_position": pos[rows].tolist(), "truth_rotation": rot[rows].tolist(),
            "estimate_position": arrays["camera/pos"][rows].tolist(),
            "estimate_rotation": arrays["camera/rot"][rows].tolist(),
            "alignment": "sim3", "delta": 1, "pairs": "all", "whole": bool(rows.all()), "episode": name})
    assert [j["whole"] for j in jobs] == [False, True, True]
    done = subprocess.run([sys.executable, Path(__file__).parent / "evo_oracle.py"], input=json.dumps(jobs),
                          capture_output=True, text=True)
    if "No module named 'evo'" in done.stderr:
        pytest.skip("evo is not installed")
    theirs = json.loads(done.stdout)
    for figure in ("mean", "rmse", "median", "max"):
        ate = [t["ate_translation_part"][figure] for t in theirs]
        mine = found[f"camera.ate.{figure}"]
        np.testing.assert_allclose(list(by_episode(mine).values()), ate, rtol=1e-9)
        np.testing.assert_allclose(mine["value"], np.mean(ate), rtol=1e-9)
        for job, their in zip(jobs, theirs):
            if job["whole"]:
                for ours, key in (("translation", "translation_part"), ("rotation_degrees", "rotation_angle_deg")):
                    value = by_episode(found[f"camera.rpe_{ours}.{figure}"])[job["episode"]]
                    np.testing.assert_allclose(value, their[f"rpe_{key}"][figure], rtol=1e-7)
    assert found["camera.ate.mean"]["count"] == sum(len(j["truth_position"]) for j in jobs)
    assert found["camera.ate.mean"]["unit"] == "game units" and found["camera.ate.mean"]["better"] == "lower"
    assert found["camera.ate.mean"]["options"]["quaternion_order"] == "xyzw"


def test_a_score_that_is_asked_for_and_not_made_is_said(world):
    """A name that begins as a score does, and is none."""
    words = [world, PREDICTIONS / "good", "--metric", "camera.ate.rmse", "--metric", "camera.ate.rmsd"]
    found = figures(report(*words))
    assert list(found) == ["camera.ate.rmse", "camera.ate.rmsd"] and found["camera.ate.rmse"]["value"] > 0
    absent = found["camera.ate.rmsd"]
    assert absent["value"] is None and "has made no score of this name" in absent["reason"]
    assert "camera.ate.rmsd" in run(*words)


def test_scores_by_what_their_names_begin_with(world):
    found = figures(report(world, PREDICTIONS / "good", "--metric", "action.f1_"))
    every = figures(report(world, PREDICTIONS / "good", "--metric", "action.segmentation"))
    assert list(found) == [name for name in every if name.startswith("action.f1_")] and len(found) > 1


def test_pose_equals_numpy(world, known):
    found = figures(report(world, PREDICTIONS / "good", "--metric", "skeleton.pose"))
    distances, aligned, steps = [], [], []
    for name, arrays in predicted("good").items():
        keys = [k for k in arrays if k.endswith("joints")]
        a = np.concatenate([known[name][k] for k in keys], 1)
        b = np.concatenate([arrays[k].astype(float) for k in keys], 1)
        error = np.linalg.norm(a - b, axis=-1)
        np.testing.assert_allclose(by_episode(found["skeleton.mpjpe"])[name], error.mean(), rtol=1e-12)
        distances.append(error.ravel())
        for key in keys:  # each body by itself
            for p, q in zip(known[name][key], arrays[key].astype(float)):
                p0, q0 = p - p.mean(0), q - q.mean(0)
                turn, _ = Rotation.align_vectors(p0, q0)
                q1 = turn.apply(q0)
                aligned.append(np.linalg.norm(p0 - q1 * (p0 * q1).sum() / (q1 * q1).sum(), axis=-1))
        steps.append(np.linalg.norm(np.diff(b - a, axis=0), axis=-1).ravel())
    pooled = np.concatenate(distances)
    np.testing.assert_allclose(found["skeleton.mpjpe"]["value"], pooled.mean(), rtol=1e-12)
    assert found["skeleton.mpjpe"]["count"] == len(pooled)
    np.testing.assert_allclose(found["skeleton.pa_mpjpe"]["value"], np.concatenate(aligned).mean(), rtol=1e-6)
    np.testing.assert_allclose(found["skeleton.mpjve_per_second"]["value"], 30 * np.concatenate(steps).mean(), rtol=1e-10)


def test_state_alignment_equals_numpy(world, known):
    """All joints of all skeletons, projected here from what h5py shows; the first frame out, off-screen joints out."""
    found = figures(report(world, PREDICTIONS / "good", "--metric", "keypoints.state_alignment"))
    hits, counts, each = np.zeros(4), 0, {}
    for name, arrays in predicted("good").items():
        joints = [v for k, v in sorted(known[name].items()) if k.endswith("/joints")]
        points = projected(np.concatenate(joints, 1), *(known[name][f"camera/{c}"] for c in ("pos", "rot", "K")))
        inside = np.isfinite(points).all(-1) & (points >= 0).all(-1) & (points < (320, 180)).all(-1)
        inside[0] = False
        error = np.linalg.norm(arrays["tracks"] - points, axis=-1)
        with np.errstate(invalid="ignore"):
            own = np.array([(inside & (error <= t)).sum() for t in (4, 8, 16, 32)])
        each[name] = 100 * own.mean() / inside.sum()
        hits, counts = hits + own, counts + inside.sum()
    mine = found["keypoints.state_alignment"]
    assert mine["count"] == counts and mine["options"]["grid_width"] == 320
    np.testing.assert_allclose(mine["value"], 100 * hits.mean() / counts, rtol=1e-9)
    for name, value in by_episode(mine).items():
        np.testing.assert_allclose(value, each[name], rtol=1e-9)
    assert found["keypoints.state_alignment_ratio"]["value"] == pytest.approx(
        mine["value"] / found["keypoints.state_alignment_truth"]["value"])


def test_state_values_equal_numpy(world, known):
    """Errors are divided by the range over all episodes, in each episode's figure too."""
    mine = figures(report(world, PREDICTIONS / "bad", "--metric", "state.alignment"))["state.alignment"]
    pairs = {n: (known[n]["npc[0]/hp"], a["npc[0]/hp"]) for n, a in predicted("bad").items()}
    span = np.ptp(np.concatenate([a for a, _ in pairs.values()]))
    errors = {n: np.minimum(abs(a - b) / span, 1) for n, (a, b) in pairs.items()}
    np.testing.assert_allclose(mine["value"], 1 - np.concatenate(list(errors.values())).mean(), rtol=1e-12)
    for name, value in by_episode(mine).items():
        np.testing.assert_allclose(value, 1 - errors[name].mean(), rtol=1e-12)


def test_actions_equal_numpy(world, known):
    found = figures(report(world, PREDICTIONS / "bad", "--metric", "action.segmentation"))
    same = []
    for name, arrays in predicted("bad").items():
        ids = np.stack([known[name][f"npc[0]/{c}"] for c in ("weapon_id", "motion_bank_id", "motion_id")], 1)
        same.append((ids == arrays["actions"]).all(1))
        assert by_episode(found["action.frame_accuracy"])[name] == pytest.approx(100 * same[-1].mean())
    assert found["action.frame_accuracy"]["value"] == pytest.approx(100 * np.concatenate(same).mean())


def test_verdicts(world):
    lines = [json.loads(line) for line in (PREDICTIONS / "verdicts.jsonl").read_text().splitlines()]
    found = figures(report(
        world, PREDICTIONS / "good", "--metric", "action.following", "--metric", "action.agreement",
        "--verdicts", PREDICTIONS / "verdicts.jsonl", "--labels", PREDICTIONS / "labels.jsonl"))
    judged = [v for v in lines if v["verdict"] is not None]
    assert found["action.following"]["value"] == pytest.approx(100 * np.mean([v["verdict"] for v in judged]))
    frames = [v["last"] - v["first"] + 1 for v in judged]
    assert found["action.following_by_frame"]["value"] == pytest.approx(
        100 * np.average([v["verdict"] for v in judged], weights=frames))
    for name in ("attack", "movement"):
        own = [v["verdict"] for v in judged if v["class"] == name]
        assert found[f"action.following_class_{name}"]["value"] == pytest.approx(100 * np.mean(own))
        assert found[f"action.following_class_{name}"]["count"] == len(own)
    for name in ("by_clip", "by_frame", "class_attack"):
        alone = figures(report(world, PREDICTIONS / "good", "--metric", f"action.following_{name}", "--verdicts",
                               PREDICTIONS / "verdicts.jsonl"))
        assert list(alone) == [f"action.following_{name}"] and alone == {k: found[k] for k in alone}
    labels = {v["id"]: v["labels"] for v in map(json.loads, (PREDICTIONS / "labels.jsonl").read_text().splitlines())}
    agreed = [v["verdict"] == labels[v["id"]][0] for v in judged if len(set(labels[v["id"]])) == 1]
    assert found["action.agreement"]["value"] == pytest.approx(np.mean(agreed))
    assert found["action.agreement"]["count"] == len(agreed)


def test_windows_are_the_loaders(lorenz):
    """Forecasts by window, in the loader's order; horizons are the first rows of each window."""
    words = ["--metric", "forecast.mse", "--window", 20, "--stride", 10, "--horizons", "1,5,20"]
    mine = figures(report(lorenz, PREDICTIONS / "lorenz-good", *words))["forecast.mse"]
    series = next(iter(truth(lorenz).values()))["series/values"]
    windows = np.stack([series[s:s + 20] for s in range(0, len(series) - 19, 10)])
    made = np.load(PREDICTIONS / "lorenz-good" / "lorenz_float64.npz")["prediction"]
    assert made.shape == windows.shape
    np.testing.assert_allclose(mine["value"], ((windows - made) ** 2).mean(), rtol=1e-12)
    assert [h["rows"] for h in mine["horizons"]] == [1, 5, 20]
    for h in mine["horizons"]:
        np.testing.assert_allclose(h["value"], ((windows - made)[:, :h["rows"]] ** 2).mean(), rtol=1e-12)
        assert h["count"] == windows[:, :h["rows"]].size


def test_windows_cut_frames(lorenz, tmp_path):
    """A forecast by frame is cut into the same windows. Rows before their start are what the model was given: they are
    not scored, and horizons count from the start."""
    series = next(iter(truth(lorenz).values()))["series/values"]
    made = series + np.random.default_rng(5).normal(size=series.shape)
    np.save(tmp_path / "lorenz_float64.npy", made)
    words = ["--metric", "forecast.mae", "--window", 7, "--past", 3, "--stride", 4, "--horizons", "2,7"]
    mine = figures(report(lorenz, tmp_path, *words))["forecast.mae"]
    starts = range(3, len(series) - 6, 4)
    error = np.stack([abs(series - made)[s:s + 7] for s in starts])
    np.testing.assert_allclose(mine["value"], error.mean(), rtol=1e-12)
    assert mine["count"] == error.size
    for horizon in mine["horizons"]:
        np.testing.assert_allclose(horizon["value"], error[:, :horizon["rows"]].mean(), rtol=1e-12)
    # By window, the past may be there or not.
    for past in (3, 0):
        np.save(tmp_path / "lorenz_float64.npy", np.stack([made[s - past:s + 7] for s in starts]))
        assert figures(report(lorenz, tmp_path, *words))["forecast.mae"] == mine
    text = run(lorenz, tmp_path, *words)
    assert "windows of 7 rows after 3 that are given, one every 4" in text and "first rows" in text
    assert "| forecast.mae | 2 |" in run(lorenz, tmp_path, *words, "--format", "markdown")
    assert "longer than the window, 7 rows" in run(lorenz, tmp_path, *words, "--horizons", "8", code=2)


PERFECT = {"higher": 1.0, "lower": 0.0}


def check_perfect(metrics, but=(), windows=1):
    seen = 0
    for metric in metrics.values():
        if metric["value"] is None or metric["better"] is None or metric["name"] in but:
            continue
        best = PERFECT[metric["better"]]
        if metric["better"] == "higher" and metric["unit"] == "%":
            best = 100
        if metric["unit"] == "steps":
            # A forecast that never fails is valid for all of its steps.
            assert all(e["value"] * windows == e["count"] for e in metric["episodes"])
            continue
        # Hellinger is a root of 1 − 1, which leaves 1e-8.
        assert metric["value"] == pytest.approx(best, abs=1e-7), metric["name"]
        seen += 1
    return seen


def test_truth_against_itself_is_perfect(world, lorenz, tmp_path):
    """In every metric that applies; and an exported copy gives the very figures of the archive."""
    words = [*suites(["camera", "pose", "state", "action", "forecast"]), "--set", "up=1"]
    own = report(world, world, *words)
    # What has no perfect value: a penetration is the truth's own, mutual information has no bound.
    but = {"skeleton.ground_penetration", "skeleton.bone_drift", "forecast.mutual_information"}
    assert check_perfect(figures(own), but) > 45
    for name in ("skeleton.ground_penetration", "skeleton.bone_drift"):
        assert figures(own)[name]["value"] == figures(own)[name]["truth"]
    subprocess.run([built("trajpack"), "export", world, tmp_path / "npz", "--to", "npz", "--quiet"], check=True,
                   capture_output=True)
    copy = report(world, tmp_path / "npz", *words)
    assert copy["predictions"]["form"] == "files" and own["predictions"]["form"] == "archive"
    assert copy["metrics"] == own["metrics"] and copy["figures"] == own["figures"]
    series = report(lorenz, lorenz, *suites(["forecast", "attractor", "generative"]), "--window", 40)
    # MDD as TSGBench computes it leaves out generated values on the edge of a bin.
    assert check_perfect(figures(series), {*but, "generative.mdd"}, windows=161) > 20
    # The truth's own projection as tracks.
    for name, arrays in truth(world).items():
        joints = [v for k, v in sorted(arrays.items()) if k.endswith("/joints")]
        points = projected(np.concatenate(joints, 1), *(arrays[f"camera/{c}"] for c in ("pos", "rot", "K")))
        np.savez(tmp_path / f"{name}.npz", tracks=points)
    shutil.rmtree(tmp_path / "npz")
    tracked = figures(report(world, tmp_path, "--metric", "keypoints.state_alignment"))
    assert tracked["keypoints.state_alignment"]["value"] == 100


def test_every_form_of_file_is_the_same(world, tmp_path):
    """npz a file, one npz, CSV, TSV and JSON lines of the same numbers give the same figures."""
    arrays = {n: {k: a[k] for k in ("camera/pos", "camera/rot")} for n, a in predicted("good").items()}
    words = ["--metric", "camera.path"]
    for name, own in arrays.items():
        (tmp_path / "folder").mkdir(exist_ok=True)
        np.savez(tmp_path / "folder" / f"{name}.npz", **own)
    np.savez(tmp_path / "one.npz", **{f"{n}/{k}": v for n, own in arrays.items() for k, v in own.items()})
    with open(tmp_path / "lines.jsonl", "w") as out:
        for name, own in arrays.items():
            for key, values in own.items():
                out.write(json.dumps({"episode": name, "arrays": {key: values.tolist()}}) + "\n")
    for ending, separator in (("csv", ","), ("tsv", "\t")):
        with open(tmp_path / f"table.{ending}", "w") as out:
            head = [f"{k}.{i}" for k, v in arrays["000001"].items() for i in range(v.shape[1])]
            out.write(separator.join(["row", *head, "episode"]) + "\n")
            for name, own in arrays.items():
                rows = list(enumerate(np.concatenate(list(own.values()), 1).tolist()))
                for number, values in reversed(rows):
                    out.write(separator.join([str(number), *map(repr, values), name]) + "\n")
    first = report(world, tmp_path / "folder", *words)["metrics"]
    assert first[0]["value"] > 0
    for name in ("one.npz", "lines.jsonl", "table.csv", "table.tsv"):
        assert report(world, tmp_path / name, *words)["metrics"] == first, name


def test_what_is_not_there_does_not_count(world, known, tmp_path):
    """Predictions on frames without a camera, and of a monster that is away, change nothing."""
    for name, arrays in predicted("good").items():
        pos = arrays["camera/pos"].copy()
        pos[np.isnan(known[name]["camera/pos"]).any(1)] = 1e6
        extra = {}
        if name != "000003":
            joints = known[name]["skeleton/em_37[monster 0]/joints"]
            extra["skeleton/em_37[monster 0]/joints"] = np.nan_to_num(joints, nan=1e6) + 0.5
        np.savez(tmp_path / f"{name}.npz", **{**arrays, "camera/pos": pos, **extra})
    found = report(world, tmp_path, "--metric", "camera.ate")
    assert [m["value"] for m in found["metrics"]] == [
        m["value"] for m in report(world, PREDICTIONS / "good", "--metric", "camera.ate")["metrics"]]
    words = ["--metric", "skeleton.mpjpe", "--map", "truth=skeleton/em_37"]
    beast = figures(report(world, tmp_path, *words, "--episodes", "000002"))["skeleton.mpjpe"]
    assert beast["value"] == pytest.approx(0.5 * 3 ** 0.5) and beast["count"] == 120 * 20


def test_segments_and_their_classes(world, known, tmp_path):
    table = tmp_path / "classes.csv"
    table.write_text("weapon_id,motion_bank_id,motion_id,class\n-1,1,-1,0\n-1,-1,-1,7\n")
    mine = figures(report(world, world, "--metric", "action.segments", "--classes", table))["action.segments"]
    cuts, classes = 0, []
    for arrays in known.values():
        ids = np.stack([arrays[f"npc[0]/{c}"] for c in ("weapon_id", "motion_bank_id", "motion_id")], 1)
        starts = np.flatnonzero(np.r_[True, (np.diff(ids, axis=0) != 0).any(1)])
        cuts += len(starts)
        classes += [0 if ids[s, 1] == 1 else 7 for s in starts]
    assert mine["value"] == cuts and [s["class"] for s in mine["details"]["segments"]] == classes
    table.write_text("a,class\n1,2\n")
    assert "an action id here has 3 numbers" in run(world, world, "--metric", "action.segments", "--classes", table, code=2)
    table.write_text("a,class\nx,1\n")
    assert "line 2: 'x'" in run(world, world, "--metric", "action.segments", "--classes", table, code=1)
    # The same as JSON, and by names: those are numbered as they come. A column of names is for people.
    for text in ('[{"action": ["*", 1, "*"], "class": 0}, {"action": ["*", "*", "*"], "class": "7", "name": "rest"}]',
                 "weapon_id,motion_bank_id,motion_id,class,name\n*,1,*,0,one\n*,*,*,7,\n"):
        table.write_text(text)
        again = figures(report(world, world, "--metric", "action.segments", "--classes", table))["action.segments"]
        assert again["details"] == mine["details"]
    table.write_text('[{"action": ["*", 1, "*"], "class": "walk"}, {"action": ["*", "*", "*"], "class": "rest"}]')
    again = figures(report(world, world, "--metric", "action.segments", "--classes", table))["action.segments"]
    assert [s["class"] for s in again["details"]["segments"]] == [c // 7 for c in classes]
    for text in ('[{"action": [-1], "class": "x"}]', '[{"action": [1]}]', '[{"action": [], "class": "x"}]', "[1]"):
        table.write_text(text)
        assert "entry 0 must have" in run(world, world, "--metric", "action.segments", "--classes", table, code=1)


def test_verdicts_on_rows_that_are_not_there(world, known, tmp_path):
    rows = max(len(next(iter(known["000001"].values()))), 1)
    line = {"id": "a", "episode": "000001", "first": 0, "last": rows - 1, "verdict": True}
    file = tmp_path / "verdicts.jsonl"
    for change, said in (({}, None), ({"last": rows}, f"goes to row {rows}, but episode '000001' has {rows} rows"),
                         ({"episode": "000002x"}, "is of episode '000002x', which is not in the truth")):
        file.write_text(json.dumps({**line, **change}) + "\n")
        words = (world, world, "--metric", "action.following", "--verdicts", file)
        out = run(*words, code=1 if said else 0)
        assert said is None or said in out
