"""`trajpack evaluate` on archives made for it: splits, conventions, entities that come and go, other inputs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, built
from evaluate_command import by_episode, figures, report, run
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))


@pytest.fixture(scope="module")
def create():
    """`trajpack.create` of the Python package, which writes archives of any form."""
    folder = os.path.dirname(built("trajpack"))
    os.environ.setdefault("TRAJPACK_LIBRARY", os.path.join(folder, "libtrajpack-c.so"))
    if not os.path.exists(os.path.join(folder, "libtrajpack-write.so")):
        pytest.skip("libtrajpack-write is not built")
    import trajpack
    return trajpack.create


CAMERA = {
    "camera/pos": {"kind": "position", "units": "m"},
    "camera/rot": {"kind": "quaternion", "conventions": {"order": "xyzw", "pose": "camera-to-world", "axes": "OpenGL"}},
    "camera/K": {"kind": "intrinsics", "conventions": {"order": "fx fy cx cy"}},
}


def series(create, path, episodes, split=lambda n: "", channels=None):
    """An archive of one stream at 10 Hz: {id: {channel: rows}}."""
    with create(path, rate=10, channels=channels or {}) as writer:
        for name, arrays in episodes.items():
            with writer.episode(name, split=split(name)) as episode:
                episode.extend(arrays)
    return path


def changed(channels, name, **conventions):
    own = channels[name]
    return {**channels, name: {**own, "conventions": {**own["conventions"], **conventions}}}


def test_training_split(create, tmp_path):
    """Naive errors come from the split that is named, whose episodes are not joined into one."""
    rng = np.random.default_rng(3)
    values = {n: rng.normal(size=(30, 2)).cumsum(0) for n in ("a", "b", "c")}
    truth = series(create, tmp_path / "truth", {n: {"x": v, "y": 9 * v} for n, v in values.items()}, lambda n: "test" if n == "c" else "train")
    made = {"c": values["c"] + rng.normal(size=(30, 2))}
    width = abs(rng.normal(size=(30, 2)))
    np.savez(tmp_path / "c.npz", **{"frames/x": made["c"], "lower": made["c"] - width, "upper": made["c"] + width})
    words = ["--split", "test", "--metric", "forecast.mase", "--metric", "forecast.intervals", "--map", "truth=frames/x"]
    (tmp_path / "p").mkdir()
    (tmp_path / "c.npz").rename(tmp_path / "p" / "c.npz")
    found = figures(report(truth, tmp_path / "p", *words, "--train-split", "train"))
    naive = np.concatenate([abs(np.diff(values[n], axis=0)) for n in ("a", "b")]).mean()
    assert found["forecast.mase"]["value"] == pytest.approx(abs(values["c"] - made["c"]).mean() / naive)
    inside = abs(values["c"] - made["c"]) <= width
    assert found["forecast.coverage"]["value"] == pytest.approx(inside.mean())
    score = 2 * width + 40 * np.maximum(abs(values["c"] - made["c"]) - width, 0)
    assert found["forecast.msis"]["value"] == pytest.approx(score.mean() / naive)
    assert "there is no split 'trian'; did you mean 'train'" in run(truth, tmp_path / "p", *words, "--train-split", "trian", code=2)


def test_recogniser(create, tmp_path):
    """A motion that is a training motion is recognised; one that is another is not."""
    t = np.arange(60)[:, None, None] / 10
    rng = np.random.default_rng(4)
    base = rng.normal(size=(1, 5, 3))
    moves = {0: base + 0.0 * t, 1: base + np.sin(3 * t + np.arange(5)[:, None])}
    channels = {"frames/joints": {"kind": "position", "units": "m"}}
    episodes = {}
    for name, order in (("train", (0, 1)), ("test", (1, 0))):
        episodes[name] = {"joints": np.concatenate([moves[m] for m in order]), "action": np.repeat(np.array(order), 60)}
    truth = series(create, tmp_path / "truth", episodes, lambda n: n, channels)
    words = ["--split", "test", "--metric", "action.recogniser", "--train-split", "train"]
    right = figures(report(truth, truth, *words, "--partial"))
    assert right["action.frame_accuracy"]["value"] > 95 and right["action.frame_accuracy"]["count"] == 120
    swapped = {"test": {"joints": np.concatenate([moves[0], moves[1]]), "action": np.zeros(120, int)}}
    wrong = figures(report(truth, series(create, tmp_path / "wrong", swapped, channels=channels), *words))
    assert wrong["action.frame_accuracy"]["value"] < 5


def test_recogniser_of_classes_of_recordings(trajpack, create, tmp_path):
    """Labels that belong to recordings, set after the dataset was written."""
    t = np.arange(60)[:, None, None] / 10
    rng = np.random.default_rng(4)
    base = rng.normal(size=(1, 5, 3))
    moves = {"still": base + 0.0 * t, "wave": base + np.sin(3 * t + np.arange(5)[:, None])}
    channels = {"frames/joints": {"kind": "position", "units": "m"}}
    episodes = {f"{split}_{label}": {"joints": move} for split in ("train", "test") for label, move in moves.items()}
    truth = series(create, tmp_path / "truth", episodes, lambda n: n.split("_")[0], channels)
    words = ["--split", "test", "--metric", "action.recogniser", "--train-split", "train", "--map", "truth=@label"]
    assert "no value 'label'" in run(truth, truth, *words, "--partial", code=2)
    for label in moves:
        subprocess.run([trajpack, "annotate", truth, "--set", f"label={label}", "--episode", f"train_{label}",
                        "--episode", f"test_{label}"], check=True, capture_output=True)
    made = report(truth, truth, *words, "--partial")
    assert figures(made)["action.frame_accuracy"]["value"] > 95
    assert figures(made)["action.frame_accuracy"]["count"] == 120 and [o["path"] for o in made["others"]] == ["values"]
    swapped = {"test_still": {"joints": moves["wave"]}, "test_wave": {"joints": moves["still"]}}
    wrong = report(truth, series(create, tmp_path / "wrong", swapped, channels=channels), *words)
    assert figures(wrong)["action.frame_accuracy"]["value"] < 5
    error = run(truth, truth, "--split", "test", "--metric", "action.recogniser", "--train-split", "train", "--partial",
                "--map", "truth=@lable", code=2)
    assert "did you mean 'label'" in error


def test_keys_mouse_depth_and_tracks(create, tmp_path):
    rng = np.random.default_rng(5)
    keys, mouse = rng.integers(0, 2, (2, 40, 6)), rng.normal(size=(2, 40, 2))
    depth = rng.uniform(1, 9, (40, 4, 6))
    points = rng.uniform(0, 256, (40, 3, 2))
    channels = {"frames/depth": {"kind": "depth", "units": "m"}}
    truth = series(create, tmp_path / "truth", {"a": {"keys": keys[0], "mouse": mouse[0], "depth": depth, "points": points}}, channels=channels)
    pred = series(create, tmp_path / "pred", {"a": {"keys": keys[1], "mouse": mouse[1], "depth": depth * 1.1}}, channels=channels)
    found = figures(report(truth, pred, "--suite", "control", "--suite", "depth"))
    def direction(k, a, b):
        return np.where(k[:, a] == k[:, b], 0, np.where(k[:, a] == 1, 1, 2))
    tasks = [(direction(keys[0], a, b) == direction(keys[1], a, b)).mean() for a, b in ((0, 1), (2, 3))]
    tasks += [(keys[0][:, i] == keys[1][:, i]).mean() for i in (4, 5)]
    assert found["action.keyboard"]["value"] == pytest.approx(np.mean(tasks))
    signs = [np.where(abs(m) > 0.01, np.sign(m), 0) for m in mouse]
    assert found["action.mouse"]["value"] == pytest.approx((signs[0] == signs[1]).all(1).mean())
    assert found["depth.abs_rel"]["value"] == pytest.approx(0.1) and found["depth.delta_1"]["value"] == 1
    assert found["depth.rmse"]["unit"] == "m"
    np.savez(tmp_path / "a.npz", tracks=points + (3, 0))
    tracked = figures(report(truth, tmp_path / "a.npz", "--metric", "keypoints.tap_vid", "--map", "truth=frames/points"))
    assert [tracked[f"keypoints.within_{n}"]["value"] for n in (1, 2, 4, 8)] == [0, 0, 1, 1]


def test_camera_conventions(create, tmp_path):
    """The same path, said as world-to-camera with w first, has the same errors; two sides that differ are refused."""
    rng = np.random.default_rng(6)
    centre, turn = rng.normal(size=(2, 50, 3)).cumsum(1), [Rotation.random(50, random_state=s) for s in (1, 2)]
    def archive(name, inverse, channels):
        paths = []
        for side in (0, 1):
            rot, pos = turn[side], centre[side]
            if inverse:
                rot = rot.inv()
                pos = -rot.apply(pos)
            quaternion = rot.as_quat()
            if inverse:
                quaternion = np.roll(quaternion, 1, axis=1)
            arrays = {"camera": {"pos": pos, "rot": quaternion, "K": np.tile([500., 500, 320, 180], (50, 1))}}
            path = tmp_path / f"{name}{side}"
            with create(path, rate=30, channels=channels) as writer:
                with writer.episode("a") as episode:
                    episode.extend({f"camera/{k}": v for k, v in arrays["camera"].items()})
            paths.append(path)
        return paths
    other = changed(CAMERA, "camera/rot", order="wxyz", pose="world-to-camera")
    plain, inverse = archive("plain", False, CAMERA), archive("inverse", True, other)
    a, b = (figures(report(*p, "--suite", "camera")) for p in (plain, inverse))
    assert len(a) == len(b) > 20
    for name, metric in a.items():
        assert b[name]["value"] == pytest.approx(metric["value"], rel=1e-9), name
    assert b["camera.ate.rmse"]["options"]["pose"] == "world_to_camera"
    assert "the convention 'order' of 'camera/rot' is 'xyzw' in the truth and 'wxyz'" in run(plain[0], inverse[1], "--metric", "camera.ate", code=2)
    feet = archive("feet", False, {**CAMERA, "camera/pos": {"kind": "position", "units": "ft"}})
    assert "the unit of 'camera/pos' is 'm' in the truth and 'ft'" in run(plain[0], feet[1], "--metric", "camera.ate", code=2)


def test_entities_that_come_and_go(create, tmp_path):
    """Frames on which an entity is away count neither as truth nor as prediction; the other's do."""
    rng = np.random.default_rng(7)
    channels = {"body/joints": {"kind": "position", "units": "m"}, "clock/tick": {}}
    joints = rng.normal(size=(2, 30, 4, 3))
    def archive(path, offset):
        with create(path, rate=30, channels=channels) as writer:
            with writer.episode("a") as episode:
                episode.extend({"clock/tick": np.arange(30)})
                for who, rows in ((0, [range(30)]), (1, [range(5, 12), range(20, 28)])):
                    for run_ in rows:
                        episode.extend({"body/joints": joints[who][list(run_)] + offset}, row=run_.start, entity=("body", who))
                        episode.leave(("body", who))
        return path
    truth, pred = archive(tmp_path / "truth", 0), archive(tmp_path / "pred", 0.3)
    found = figures(report(truth, pred, "--metric", "skeleton.mpjpe"))["skeleton.mpjpe"]
    assert found["count"] == (30 + 7 + 8) * 4 and found["value"] == pytest.approx(0.3 * 3 ** 0.5)
    whole = np.full((30, 4, 3), 99.0)
    whole[5:12], whole[20:28] = joints[1][5:12] + 0.3, joints[1][20:28] + 0.3
    np.savez(tmp_path / "a.npz", **{"body[0]/joints": joints[0] + 0.3, "body[1]/joints": whole})
    again = figures(report(truth, tmp_path / "a.npz", "--metric", "skeleton.mpjpe"))["skeleton.mpjpe"]
    assert again == found


def test_explicit_times(create, tmp_path):
    """Rows meet by their times; times that are not there are refused."""
    rng = np.random.default_rng(8)
    times, values = rng.uniform(0, 1, 40).cumsum(), rng.normal(size=40)
    def archive(path, t, v):
        with create(path) as writer:
            with writer.episode("a") as episode:
                episode.extend({"x": v}, time=t)
        return path
    truth = archive(tmp_path / "truth", times, values)
    found = figures(report(truth, archive(tmp_path / "pred", times, values + 2), "--metric", "forecast.mae"))
    assert found["forecast.mae"]["value"] == pytest.approx(2)
    part = archive(tmp_path / "part", times[:30], values[:30])
    assert "10 of them have no prediction" in run(truth, part, "--metric", "forecast.mae", code=2)
    assert figures(report(truth, part, "--metric", "forecast.mae", "--partial"))["forecast.mae"]["count"] == 30
    assert "there is no frame at" in run(truth, archive(tmp_path / "late", times + 0.01, values), "--metric", "forecast.mae", code=2)
    # Frames in between: those without a prediction have no truth either.
    holes = archive(tmp_path / "holes", np.delete(times, [5, 6, 20]), np.delete(values, [5, 6, 20]) + 1)
    gaps = figures(report(truth, holes, "--metric", "forecast.mae", "--partial"))["forecast.mae"]
    assert gaps["count"] == 37 and gaps["value"] == pytest.approx(1)


@pytest.fixture(scope="module")
def blown(create, tmp_path_factory):
    """Four episodes, and a model that fails in three of them but is right in the last."""
    folder = tmp_path_factory.mktemp("blown")
    rng = np.random.default_rng(10)
    values = {n: rng.normal(size=(40, 2)).cumsum(0) for n in "abcd"}
    truth = series(create, folder / "truth", {n: {"x": v} for n, v in values.items()})
    (folder / "sober").mkdir()
    (folder / "blown").mkdir()
    for name, value in values.items():
        np.save(folder / "sober" / f"{name}.npy", value + 1)
        np.save(folder / "blown" / f"{name}.npy", np.where((name != "d") & (np.arange(40) >= 30)[:, None], np.nan, value))
    return values, truth, folder


def test_a_model_that_fails_gains_nothing(blown, tmp_path):
    """Where some episodes have no figure there is no mean over the rest, unless it is asked for; then it says so."""
    values, truth, folder = blown
    words = ["--metric", "forecast.mae"]
    found = figures(report(truth, folder / "blown", *words))["forecast.mae"]
    assert found["value"] is None and found["count"] == 0
    assert "3 of 4 episodes failed: 20 of 80 values failed" in found["reason"]
    assert by_episode(found) == {"a": None, "b": None, "c": None, "d": 0}
    text = run(truth, folder / "blown", *words)
    assert "not computed: forecast.mae: 3 of 4 episodes failed" in text
    for form in ("text", "html", "markdown", "csv"):
        assert "3 of 4 episodes failed" in run(truth, folder / "blown", *words, "--format", form)
        assert "of 4 episodes" not in run(truth, folder / "sober", *words, "--format", form).replace("4 of 4 episodes", "")
    # To leave out episodes without predictions is not to leave out those that failed.
    assert figures(report(truth, folder / "blown", *words, "--partial"))["forecast.mae"]["value"] is None
    # All of them have values without the rows that are no number.
    skipped = figures(report(truth, folder / "blown", *words, "--failed", "skip"))["forecast.mae"]
    assert skipped["value"] == 0 and skipped["count"] == 80 + 3 * 60
    # Nor is it better in a comparison.
    for name in ("sober", "blown"):
        run(truth, folder / name, *words, "-o", tmp_path / f"{name}.json")
    made = json.loads(run("compare", tmp_path / "sober.json", tmp_path / "blown.json", "--format", "json"))
    difference = made["metrics"][0]["differences"][0]
    assert (difference["episodes"], difference["of_episodes"], difference["better"]) == (1, 4, None)
    assert "1 of 4" in run("compare", tmp_path / "sober.json", tmp_path / "blown.json")


def test_the_truths_own_of_the_same_parts(blown):
    """The truth's own figure is of those episodes and windows that the predictions have a figure of."""
    values, truth, folder = blown
    words = ["--metric", "attractor.path_length", "--map", "series=frames/x", "--failed", "skip"]
    def length(v):
        return np.linalg.norm(np.diff(v, axis=0), axis=1).sum()
    for kind in ("dead", "half"):
        (folder / kind).mkdir()
        for name, value in values.items():
            gone = np.full((40, 1), name != "d") if kind == "dead" else (np.arange(40) >= 20)[:, None]
            np.save(folder / kind / f"{name}.npy", np.where(gone, np.nan, 2 * value))
    dead = figures(report(truth, folder / "dead", *words))["attractor.path_length"]
    assert dead["truth"] == pytest.approx(length(values["d"])) and dead["value"] == pytest.approx(2 * dead["truth"])
    words += ["--window", 20, "--stride", 20]
    half = figures(report(truth, folder / "half", *words))["attractor.path_length"]
    assert half["truth"] == pytest.approx(np.mean([length(v[:20]) for v in values.values()]))
    assert half["value"] == pytest.approx(2 * half["truth"])
    assert "4 of 8 windows" in run(truth, folder / "half", *words)
    refused = figures(report(truth, folder / "half", *[w for w in words if w not in ("--failed", "skip")]))["attractor.path_length"]
    assert refused["value"] is None and "failed" in refused["reason"]


def test_a_group_holds_what_does_not_fit(create, tmp_path):
    """A metric of a suite whose own defaults do not fit the archive has no figure; asked for by name it is refused."""
    truth = series(create, tmp_path / "truth", {n: {"x": np.sin(np.arange(60) / k)} for k, n in ((3, "a"), (4, "b"))})
    found = figures(report(truth, truth, "--suite", "attractor"))
    assert "axes takes two of 1 dimensions" in found["attractor.geometry"]["reason"]
    assert sum(m["value"] is not None for m in found.values()) > 3
    assert "axes takes two" in run(truth, truth, "--metric", "attractor.geometry", code=2)
    assert "axes takes two" in run(truth, truth, "--suite", "attractor", "--set", "axes=0,1", code=2)


def test_an_episode_without_the_arrays(create, tmp_path):
    """Who leaves an episode's array out is refused, and counted with --partial."""
    truth = series(create, tmp_path / "truth", {n: {"x": np.arange(20.0)} for n in "ab"})
    np.savez(tmp_path / "p.npz", **{"a/ensemble": np.ones((20, 3)), "b/other": np.ones(20)})
    words = [truth, tmp_path / "p.npz", "--metric", "forecast.crps"]
    assert "episode 'b': the predictions have no 'ensemble'" in run(*words, code=2)
    assert "1 of 2 episodes" in run(*words, "--partial")


def test_rates_that_differ(create, tmp_path):
    truth = series(create, tmp_path / "truth", {"a": {"x": np.arange(20.0)}})
    with create(tmp_path / "pred", rate=5) as writer:
        with writer.episode("a") as episode:
            episode.extend({"x": np.arange(20.0)})
    assert "do not lie on the frames" in run(truth, tmp_path / "pred", "--metric", "forecast.mse", code=2)


def test_an_archive_that_is_longer(create, tmp_path):
    truth = series(create, tmp_path / "truth", {"a": {"x": np.arange(20.0)}})
    pred = series(create, tmp_path / "pred", {"a": {"x": np.arange(23.0)}})
    assert "have 3 rows of 'frames/x' outside its 20 frames" in run(truth, pred, "--metric", "forecast.mse", code=2)
    assert report(truth, pred, "--metric", "forecast.mse", "--partial")["episodes"]["surplus"] == [{"episode": "a", "frames": 3}]


def test_generative_and_ensemble(create, tmp_path):
    rng = np.random.default_rng(9)
    real = {f"e{i}": rng.normal(size=(24, 2)) for i in range(6)}
    truth = series(create, tmp_path / "truth", {n: {"x": v} for n, v in real.items()})
    pred = series(create, tmp_path / "pred", {n: {"x": v * 2} for n, v in real.items()})
    found = figures(report(truth, pred, "--suite", "generative"))
    whole = np.concatenate(list(real.values()))
    def skew(x):
        return ((x - x.mean()) ** 3).mean() / x.std(ddof=1) ** 3
    assert found["generative.sd"]["value"] == pytest.approx(np.mean([abs(skew(2 * c) - skew(c)) for c in whole.T]), abs=1e-9)
    single = series(create, tmp_path / "single", {n: {"x": v[:, 0]} for n, v in real.items()})
    members = {n: v[:, :1] + rng.normal(size=(24, 5)) for n, v in real.items()}
    np.savez(tmp_path / "m.npz", **{f"{n}/ensemble": m for n, m in members.items()})
    crps = []
    for name, m in members.items():
        y = real[name][:, 0]
        crps.append((abs(m - y[:, None]).mean(1) - abs(m[:, :, None] - m[:, None]).mean((1, 2)) / 2).mean())
    mine = figures(report(single, tmp_path / "m.npz", "--metric", "forecast.crps"))["forecast.crps"]
    assert mine["value"] == pytest.approx(np.mean(crps))
    assert list(by_episode(mine).values()) == pytest.approx(crps)
    uneven = series(create, tmp_path / "uneven", {"a": {"x": np.arange(5.0)}, "b": {"x": np.arange(6.0)}})
    assert "differ in length" in run(uneven, uneven, "--metric", "generative.distances", code=2)
    assert json.loads(run(uneven, uneven, "--suite", "generative", "--format", "json"))["metrics"][0]["value"] is None


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_an_export_can_be_evaluated(create, tmp_path, form):
    """Both forms give the figures of the archive itself: ids with slashes, entities, vectors, missing numbers, names of
    columns that other tables keep for themselves."""
    rng = np.random.default_rng(0)
    for name, noise in (("truth", 0), ("model", 0.1)):
        with create(str(tmp_path / name), rate=10) as writer:
            for episode in ("run/1", "run/2", "a b%"):
                arrays = {"pos": rng.normal(size=(30, 3)).cumsum(0) + noise, "row": np.arange(30.0) + noise,
                          "hp": np.where(np.arange(30) == 7, np.nan, 5.0 + noise + rng.normal(size=30))}
                writer.append(episode, {"rig/left": arrays, "plain": {"x": rng.normal(size=30)}})
    convert = subprocess.run([built("trajpack"), "export", tmp_path / "model", tmp_path / "files", "--to", form, "--quiet"])
    assert convert.returncode == 0
    words = ("--metric", "forecast.mse", "--failed", "skip")
    direct = report(tmp_path / "truth", tmp_path / "model", *words)
    files = report(tmp_path / "truth", tmp_path / "files", *words)
    assert files["episodes"] == direct["episodes"] and len(files["episodes"]["evaluated"]) == 3
    assert by_episode(figures(files)["forecast.mse"]) == by_episode(figures(direct)["forecast.mse"])


def test_horizons_and_comparisons_say_what_they_leave_out(create, tmp_path):
    """Episodes shorter than a horizon are marked; an episode that models predict other frames of is no pair."""
    rng = np.random.default_rng(5)
    values = {n: rng.normal(size=k) for n, k in (("a", 80), ("b", 40), ("c", 50))}
    truth = series(create, tmp_path / "truth", {n: {"x": v} for n, v in values.items()})
    for name, step in (("first", 1.0), ("second", 2.0)):
        cut = 30 if name == "second" else 80
        series(create, tmp_path / name, {n: {"x": (v + step)[:cut] if n == "a" else v + step} for n, v in values.items()})
    words = ["--metric", "forecast.mae"]
    far = figures(report(truth, tmp_path / "first", *words, "--horizons", "10,60"))["forecast.mae"]["horizons"]
    assert "episodes" not in far[0] and far[1]["episodes"] == 1
    for form in ("text", "html", "markdown", "csv"):
        assert "1 of 3 episodes" in run(truth, tmp_path / "first", *words, "--horizons", "10,60", "--format", form)
    for name in ("first", "second"):
        run(truth, tmp_path / name, *words, "--partial", "-o", tmp_path / f"{name}.json")
    pair = [tmp_path / "first.json", tmp_path / "second.json"]
    made = json.loads(run("compare", *pair, "--format", "json"))
    difference = made["metrics"][0]["differences"][0]
    assert (difference["episodes"], difference["of_episodes"], difference["uneven_episodes"]) == (2, 3, 1)
    assert difference["value"] == pytest.approx(1)
    assert [m["frames"] for m in made["frames_without_predictions"]] == [0, 50]
    for form in ("text", "html", "markdown", "csv"):
        assert "50 frames left out" in run("compare", *pair, "--format", form)
