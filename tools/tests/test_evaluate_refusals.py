"""What `trajpack evaluate` refuses, what it counts, and what it says: one sentence that names the place."""

import json
import shutil

import numpy as np
import pytest
from conftest import ROOT
from evaluate_command import PREDICTIONS, convert, figures, predicted, report, run

GOOD = PREDICTIONS / "good"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return convert(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path_factory.mktemp("refusals") / "ww")


def write(folder, change=lambda name, arrays: arrays):
    """The good predictions, changed by `change`; it returns None to leave an episode out."""
    folder.mkdir(exist_ok=True)
    for name, arrays in predicted("good").items():
        changed = change(name, dict(arrays))
        if changed is not None:
            np.savez(folder / f"{name}.npz", **changed)
    return folder


@pytest.mark.parametrize("words, text", [
    (["--metric", "camera.atee"], "did you mean 'camera.ate'?"),
    ([], "name what to measure"),
    (["--metric", "camera.ate", "--set", "aligment=none"], "did you mean 'alignment'?"),
    (["--metric", "camera.ate", "--set", "alignment=sim4"], "one of none, scale"),
    (["--metric", "camera.ate", "--set", "alignment"], "option=value"),
    (["--metric", "camera.ate", "--set", "skeleton.pose.root=1"], "no metric that is asked for has the option"),
    (["--metric", "camera.ate", "--map", "truth_positon=camera/pos"], "did you mean 'truth_position'?"),
    (["--metric", "camera.ate", "--map", "truth_position=camera/poss"], "did you mean 'camera/pos'?"),
    (["--metric", "camera.ate", "--map", "estimate_position=camera/poss"], "did you mean 'camera/pos'?"),
    (["--metric", "camera.ate", "--map", "estimate_position=tracks"], "the truth's frames hold [3]"),
    (["--metric", "camera.ate", "--episodes", "00000x"], "no episode fits the selection"),
    (["--metric", "camera.ate", "--split", "test"], "there is no split 'test'"),
    (["--metric", "camera.ate", "--reference", "sky"], "no track of the stream 'sky'"),
    (["--metric", "camera.ate", "--window", "1000"], "window"),
    (["--metric", "camera.ate", "--window", "0"], "out of range"),
    (["--metric", "camera.ate", "--stride", "3"], "give --window too"),
    (["--metric", "camera.ate", "--horizons", "5,x"], "not 'x'"),
    (["--metric", "camera.ate", "--window", "10", "--horizons", "11"], "longer than the window"),
    (["--metric", "keypoints.tap_vid"], "input 'truth'"),
    (["--metric", "forecast.ensemble"], "no 'ensemble'"),
    (["--metric", "forecast.intervals"], "no 'lower'"),
    (["--metric", "action.recogniser"], "--train-split"),
    (["--metric", "action.following"], "--verdicts"),
    (["--metric", "depth.errors"], "what the samples of the video 'depth' mean as depth is not known"),
    (["--metric", "skeleton.pose", "--set", "root=400"], "skeleton.pose"),
])
def test_refused(world, words, text):
    assert text in run(world, GOOD, *words, code=2)


def test_inputs(world, tmp_path):
    for words, text in [
        ((world,), "two inputs are needed"), ((tmp_path / "no", GOOD), "does not exist"), ((world, tmp_path / "no"), "does not exist"),
        ((GOOD, GOOD), "is no trajpack archive"), ((world, tmp_path), "holds no predictions"),
        ((world, ROOT / "README.md"), ".npz, .npy, .csv"),
    ]:
        assert text in run(*words, "--metric", "camera.ate", code=2)


def test_missing_and_extra_episodes(world, tmp_path):
    some = write(tmp_path / "some", lambda name, a: None if name == "000002" else a)
    message = run(world, some, "--metric", "camera.ate", code=2)
    assert "1 of 3 episodes have no prediction ('000002')" in message and "--partial" in message
    shutil.copy(some / "000001.npz", some / "stranger.npz")
    assert "the truth has not ('stranger')" in run(world, some, "--metric", "camera.ate", "--episodes", "000001", code=2)
    found = report(world, some, "--metric", "camera.ate", "--partial")
    assert found["episodes"] == {"selected": 3, "evaluated": ["000001", "000003"], "missing": ["000002"], "extra": ["stranger"], "cut": []}
    assert "without predictions: 1 episode" in run(world, some, "--metric", "camera.ate", "--partial")
    alone = report(world, some, "--metric", "camera.ate", "--episodes", "000001", "--episodes", "000003", "--partial")
    assert [m["value"] for m in alone["metrics"]] == [m["value"] for m in found["metrics"]]
    nothing = write(tmp_path / "nothing", lambda name, a: a if name == "000002" else None)
    (nothing / "000002.npz").rename(nothing / "other.npz")
    assert "has no prediction of any" in run(world, nothing, "--metric", "camera.ate", "--partial", code=2)


def test_other_lengths(world, tmp_path):
    """A shorter prediction is refused, or the frames it has are evaluated; a longer one likewise."""
    short = write(tmp_path / "short", lambda n, a: {k: v[:100] for k, v in a.items()} if n == "000002" else a)
    message = run(world, short, "--metric", "camera.ate", code=2)
    assert "episode '000002' has 150 frames, and 50 of them have no prediction, the first of these frame 100" in message
    found = report(world, short, "--metric", "camera.ate", "--partial")
    assert found["episodes"]["cut"] == [{"episode": "000002", "frames": 50}]
    whole = figures(report(world, GOOD, "--metric", "camera.ate"))["camera.ate.mean"]
    assert figures(found)["camera.ate.mean"]["count"] == whole["count"] - 50
    longer = write(tmp_path / "long", lambda n, a: {k: np.concatenate([v, v[:5]]) for k, v in a.items()})
    assert "has 150 frames" in run(world, longer, "--metric", "camera.ate", code=2)
    counted = report(world, longer, "--metric", "camera.ate", "--partial")
    assert counted["episodes"]["surplus"] == [{"episode": e, "frames": 5} for e in ("000001", "000002", "000003")]
    assert "predicted frames after an episode's last: 15, in 3 episodes" in run(world, longer, "--metric", "camera.ate", "--partial")
    again = figures(counted)["camera.ate.mean"]
    assert again["value"] == whole["value"] and again["count"] == whole["count"]
    # An episode without a frame is counted too.
    empty = write(tmp_path / "empty", lambda n, a: {k: v[:0] for k, v in a.items()} if n == "000002" else a)
    assert "150 of them have no prediction" in run(world, empty, "--metric", "camera.ate", code=2)
    assert report(world, empty, "--metric", "camera.ate", "--partial")["episodes"]["cut"] == [{"episode": "000002", "frames": 150}]
    assert "2 of 3 episodes" in run(world, empty, "--metric", "camera.ate", "--partial").splitlines()[-1]
    # Windows that are not wholly predicted are left out.
    windows = report(world, short, "--metric", "camera.ate", "--partial", "--window", "60", "--stride", "30")
    counts = {e["episode"]: e["count"] for e in figures(windows)["camera.ate.mean"]["episodes"]}
    assert counts["000002"] == 2 * 60 and counts["000003"] == 2 * 60


def test_nan_predictions(world, tmp_path):
    """Counted; an error says so, skipping leaves them out, the worst there is counts as such."""
    def spoil(name, arrays):
        arrays["camera/pos"][60:70] = np.nan
        arrays["tracks"][20:40] = np.nan
        arrays["npc[0]/hp"][:10] = np.nan
        return arrays
    spoilt = write(tmp_path / "nan", spoil)
    words = ["--metric", "camera.ate.mean", "--metric", "keypoints.state_alignment", "--metric", "state.alignment"]
    error, skip, worst = (figures(report(world, spoilt, *words, "--failed", rule)) for rule in ("withhold", "skip", "worst"))
    clean = figures(report(world, GOOD, *words))
    for name in ("camera.ate.mean", "keypoints.state_alignment", "state.alignment"):
        assert error[name]["value"] is None and "failed" in error[name]["reason"]
        assert error[name]["details"]["nan_predictions"] == skip[name]["details"]["nan_predictions"] > 0
        assert skip[name]["count"] < clean[name]["count"]
    for name in ("keypoints.state_alignment", "state.alignment"):
        assert worst[name]["count"] == clean[name]["count"] and worst[name]["value"] < skip[name]["value"]
    # The residual of a fit at scale 0.
    assert worst["camera.ate.mean"]["value"] > skip["camera.ate.mean"]["value"]
    assert skip["camera.ate.mean"]["failed"]["unit"] == "poses" and skip["camera.ate.mean"]["failed"]["count"] == 30
    message = run(world, spoilt, *words, "--failed", "error", code=1)
    assert "poses failed" in message and "episode '000001'" in message
    assert skip["camera.ate.mean"]["details"]["nan_predictions"] == 30


def test_unknown_conventions(tmp_path):
    """An archive that does not say how its quaternions are is not guessed at."""
    rng = np.random.default_rng(1)
    turn = rng.normal(size=(50, 4))
    (tmp_path / "src").mkdir()
    np.savez(tmp_path / "src" / "one.npz", p=rng.normal(size=(50, 3)), q=turn / np.linalg.norm(turn, axis=1, keepdims=True))
    archive = convert(tmp_path / "src" / "one.npz", tmp_path / "archive")
    maps = ["--metric", "camera.path", "--map", "truth_position=*/p", "--map", "truth_rotation=*/q"]
    message = run(archive, archive, *maps, code=2)
    assert "does not say for the convention 'order'" in message and "--set quaternion_order=" in message
    message = run(archive, archive, *maps, "--set", "quaternion_order=wxyz", code=2)
    assert "convention 'pose'" in message
    found = report(archive, archive, *maps, "--set", "quaternion_order=wxyz", "--set", "pose=camera_to_world")
    assert figures(found)["camera.ate.rmse"]["value"] == pytest.approx(0, abs=1e-9)
    assert figures(found)["camera.ate.rmse"]["options"]["quaternion_order"] == "wxyz"


@pytest.mark.parametrize("name, content, text", [
    ("x.csv", "", "is empty"),
    ("x.csv", "row,camera/pos.0\n0,1\n", "no column 'episode'"),
    ("x.csv", "episode,row\n000001,0\n", "no column of numbers"),
    ("x.csv", "episode,a,a\n000001,0,1\n", "comes twice"),
    ("x.csv", "episode,row,a\n000001,0,1\n000001,0,2\n", "a row twice"),
    ("x.csv", "episode,row,a\n000001,-1,1\n", "'-1' is no number of a row"),
    ("x.csv", "episode,row,a\n000001,99999999999,1\n", "has row 99999999999"),
    ("x.csv", "episode,a\n000001\n", "line 2: has 1 cell where 2 are expected"),
    ("x.jsonl", "", "holds no line"),
    ("x.jsonl", "{}\n", "line 1 is damaged: it has no member 'episode'"),
    ("x.jsonl", '{"episode": "000001", "arrays": {"a": [1, [2]]}}\n', "no number"),
    ("x.jsonl", '{"episode": "000001", "arrays": {"a": [[1], [2, 3]]}}\n', "differ in length"),
    ("x.jsonl", '{"episode": "000001", "arrays": {"a": ["x"]}}\n', "no number"),
    ("x.jsonl", '{"episode": "000001", "arrays": {"a": [1]}}\n' * 2, "has 'a' twice"),
    ("x.jsonl", '{"episode": ', "line 1"),
    ("x.npz", "PK", "npz"),
    ("x.npy", "no array", "no numpy array"),
])
def test_damaged_files(world, tmp_path, name, content, text):
    (tmp_path / name).write_text(content)
    message = run(world, tmp_path / name, "--metric", "camera.ate", code=(1, 2))
    assert text in message and str(tmp_path / name) in message


def test_damaged_arrays(world, tmp_path):
    """What numpy would not read either, and shapes that do not fit."""
    def objects(name, arrays):
        return {"camera/pos": np.array([None] * 150, object), "camera/rot": arrays["camera/rot"]}
    assert "pickle" in run(world, write(tmp_path / "a", objects), "--metric", "camera.ate", code=1)
    wide = write(tmp_path / "b", lambda n, a: {**a, "camera/pos": a["camera/pos"][:, :2]})
    assert "has shape [150, 2], but the truth's frames hold [3]" in run(world, wide, "--metric", "camera.ate", code=2)
    # Of a prediction, it is one that is no number.
    zero = write(tmp_path / "z", lambda n, a: {**a, "camera/rot": np.where(np.arange(len(a["camera/rot"]))[:, None] == 40, 0, a["camera/rot"])})
    error, skip = (figures(report(world, zero, "--metric", "camera.ate", "--failed", rule))["camera.ate.mean"] for rule in ("withhold", "skip"))
    assert error["value"] is None and "2 of 2 episodes failed" in error["reason"] or "2 of 385 poses failed" in error["reason"]
    assert skip["details"]["nan_predictions"] == 2
    single = write(tmp_path / "d", lambda n, a: {**a, "camera/pos": np.float64(3)})
    assert "camera/pos" in run(world, single, "--metric", "camera.ate", code=2)


@pytest.mark.parametrize("line, text", [
    ({"id": "a", "episode": "000001", "first": 3, "last": 2, "verdict": True}, "from row 3 to row 2"),
    ({"id": "a", "episode": "000001", "first": 0, "last": 2, "verdict": "yes"}, "true, false or null"),
    ({"id": "a", "episode": "000001", "first": 0, "last": 2}, "true, false or null"),
    ({"episode": "000001", "first": 0, "last": 2, "verdict": True}, "no member 'id'"),
    ({"id": "a", "episode": "else", "first": 0, "last": 2, "verdict": True}, "which is not in the truth"),
])
def test_damaged_verdicts(world, tmp_path, line, text):
    path = tmp_path / "verdicts.jsonl"
    path.write_text(json.dumps(line) + "\n")
    assert text in run(world, GOOD, "--metric", "action.following", "--verdicts", path, code=1)
    good = {"id": "a", "episode": "000001", "first": 0, "last": 2, "verdict": True, "reason": None, "class": None}
    path.write_text(json.dumps(good) + "\n")
    assert figures(report(world, GOOD, "--metric", "action.following", "--verdicts", path))["action.following"]["value"] == 100
    path.write_text(path.read_text() * 2)
    assert "comes twice" in run(world, GOOD, "--metric", "action.following", "--verdicts", path, code=1)
    path.write_text("\n".join(json.dumps({**good, "id": name}) for name in "ab"))
    assert "rows 0 to 2 of episode '000001' have two verdicts" in run(
        world, GOOD, "--metric", "action.following", "--verdicts", path, code=1)


def test_absent_rows_of_a_table(world, tmp_path):
    """A row that a table leaves out is a frame without a prediction, not one that is no number."""
    pos = predicted("good")["000002"]["camera/pos"]
    def table(rows):
        lines = ["row,camera/pos.0,camera/pos.1,camera/pos.2"] + [",".join(map(str, [r, *pos[r].tolist()])) for r in rows]
        (tmp_path / "000002.csv").write_text("\n".join(lines) + "\n")
    words = [world, tmp_path / "000002.csv", "--metric", "camera.path", "--episodes", "000002"]
    table(range(150))
    whole = figures(report(*words))["camera.ate.mean"]
    table([r for r in range(150) if r not in (7, 30, 31)])
    message = run(*words, code=2)
    assert "has 150 frames, and 3 of them have no prediction, the first of these frame 7" in message
    found = report(*words, "--partial")
    assert found["episodes"]["cut"] == [{"episode": "000002", "frames": 3}]
    mine = figures(found)["camera.ate.mean"]
    assert mine["value"] is not None and mine["count"] == whole["count"] - 3
    assert mine["details"]["nan_predictions"] == 0


def test_rerun_takes_no_other_request(world, tmp_path):
    run(world, GOOD, "--metric", "camera.ate", "-o", tmp_path / "a.json")
    assert "the same again" in run("--rerun", tmp_path / "a.json")
    for words, name in [(["--metric", "camera.ate"], "--metric"), (["--set", "alignment=none"], "--set"), (["--episodes", "000001"], "--episodes"),
                        (["--window", "5"], "--window"), (["--horizons", "5"], "--horizons"), (["--failed", "skip"], "--failed"),
                        (["--seed", "3"], "--seed"), (["--partial"], "--partial")]:
        message = run("--rerun", tmp_path / "a.json", *words, code=2)
        assert f"leave out {name}, or evaluate anew" in message
    assert "does not exist" in run("compare", tmp_path / "no.json", code=2)
    message = run("compare", tmp_path / "a.json", tmp_path / "a.json", "--metric", "camera.ate", code=2)
    assert "leave out --metric" in message


def test_settings_against_the_archive(world):
    """What the archive says of a channel cannot be set otherwise; saying the same is no error."""
    message = run(world, GOOD, "--metric", "camera.ate", "--set", "quaternion_order=wxyz", code=2)
    assert "'camera/rot' says 'xyzw' for the convention 'order', so --set quaternion_order=wxyz would misread it" in message
    assert "'pose'" in run(world, GOOD, "--metric", "camera.ate", "--set", "pose=world_to_camera", code=2)
    said = report(world, GOOD, "--metric", "camera.ate", "--set", "quaternion_order=xyzw")
    assert said["metrics"] == report(world, GOOD, "--metric", "camera.ate")["metrics"]


def test_other_truth_is_not_compared(world, tmp_path):
    other = convert(ROOT / "fixtures" / "series" / "lorenz_float64.npy", tmp_path / "lorenz")
    run(world, GOOD, "--metric", "camera.ate", "-o", tmp_path / "a.json")
    run(other, other, "--metric", "forecast.mse", "-o", tmp_path / "b.json")
    assert "of another truth" in run("compare", tmp_path / "a.json", tmp_path / "b.json", code=2)
    assert "two reports or more" in run("compare", tmp_path / "a.json", code=2)


def test_inputs_of_some_episodes(world, tmp_path):
    """An optional input that only some episodes have would make their figures mean different things."""
    def drop(name, arrays):
        if name == "000002":
            del arrays["visibles"]
        return arrays
    message = run(world, write(tmp_path / "some", drop), "--metric", "keypoints.state_alignment", code=2)
    assert "an input 'visibles' for episode '000001' and none for '000002'" in message
