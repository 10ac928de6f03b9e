"""Each preset of `trajpack evaluate` against the formulas of the benchmark that it is named after.

The formulas are transcribed with numpy and scipy from the papers and repositories that the presets cite; none of our
options appear in them. Episodes are scored alone and averaged.
"""
import shutil
import sys

import numpy as np
import pytest
from conftest import ROOT
from evaluate_command import PREDICTIONS, by_episode, convert, figures, predicted, report, run, truth
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation
from test_evaluate_camera import along
from test_evaluate_forecast import gilpin
from test_evaluate_keypoints import tap_vid

import trajpack as package

sys.path.insert(0, str(ROOT / "fixtures"))
from make_predictions import projected                                                           # noqa: E402


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return convert(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path_factory.mktemp("presets") / "ww")


@pytest.fixture(scope="module")
def cameras(world):
    """By episode: true and estimated centres and rotations of the frames that have a camera, gaps cut out."""
    known, out = truth(world), {}
    for name, arrays in predicted("good").items():
        pos, rot = known[name]["camera/pos"], known[name]["camera/rot"]
        rows = np.isfinite(pos).all(1)
        out[name] = (pos[rows], Rotation.from_quat(rot[rows]), arrays["camera/pos"][rows],
                     Rotation.from_quat(arrays["camera/rot"][rows]), np.flatnonzero(rows))
    return out


def scores(world, preset, *words, predictions=PREDICTIONS / "good"):
    return figures(report(world, predictions, "--preset", preset, *words))


def agree(figure, each, rel=1e-7):
    """A figure of each episode, and their mean."""
    for name, value in by_episode(figure).items():
        assert value == pytest.approx(each[name], rel=rel), (figure["name"], name)
    assert figure["value"] == pytest.approx(np.mean(list(each.values())), rel=rel)


def seen_from_first(pos, rot):
    return rot[0].inv().apply(pos - pos[0]), rot[0].inv() * rot


def test_wildbench(world, cameras):
    """ATE = mean ‖p̂ − s p‖ with the one scale that fits the estimate to the truth, its inverse on the truth; steps alike."""
    found = scores(world, "wildbench")
    ate, rpe, turn = {}, {}, {}
    for name, (p, r, q, s, frames) in cameras.items():
        scale = (p * q).sum() / (q * q).sum()
        error = np.linalg.norm(q - p / scale, axis=1)
        ate[name] = np.sqrt((error ** 2).mean())
        pairs = np.flatnonzero(np.diff(frames) == 1)
        own, other = [], []
        for i in pairs:
            step = r[i].inv().apply(p[i + 1] - p[i]) / scale
            made = s[i].inv().apply(q[i + 1] - q[i])
            relative = r[i].inv() * r[i + 1], s[i].inv() * s[i + 1]
            change = relative[0].inv() * relative[1]
            own.append(np.linalg.norm(relative[0].inv().apply(made - step)))
            other.append(np.degrees(change.magnitude()))
        rpe[name], turn[name] = np.sqrt(np.mean(np.square(own))), np.sqrt(np.mean(np.square(other)))
    agree(found["camera.ate.rmse"], ate)
    agree(found["camera.rpe_translation.rmse"], rpe)
    agree(found["camera.rpe_rotation_degrees.rmse"], turn, rel=1e-5)
    known, hits, counts = truth(world), np.zeros(4), 0
    for name, arrays in predicted("good").items():
        joints = [v for k, v in sorted(known[name].items()) if k.endswith("/joints")]
        points = projected(np.concatenate(joints, 1), *(known[name][f"camera/{c}"] for c in ("pos", "rot", "K")))
        inside = np.isfinite(points).all(-1) & (points >= 0).all(-1) & (points < (320, 180)).all(-1)
        inside[0] = False
        error = np.linalg.norm(arrays["tracks"] - points, axis=-1)
        with np.errstate(invalid="ignore"):
            hits += [(inside & (error <= t)).sum() for t in (4, 8, 16, 32)]
        counts += inside.sum()
    assert found["keypoints.state_alignment"]["value"] == pytest.approx(100 * hits.mean() / counts)


def test_wbench(world, cameras):
    """nATE: 20 poses along each path by arc length, seen from the first; over the estimate's own length and turn."""
    found = scores(world, "wbench")
    translation, rotation, accuracy = {}, {}, {}
    for name, (p, r, q, s, _) in cameras.items():
        (p, r), (q, s) = seen_from_first(p, r), seen_from_first(q, s)
        length = np.linalg.norm(np.diff(q, axis=0), axis=1).sum()
        turned = np.degrees((s[:-1].inv() * s[1:]).magnitude()).sum()
        (p, r), (q, s) = along(p, r, 20), along(q, s, 20)
        translation[name] = min(np.linalg.norm(p - q, axis=1).mean() / max(length, .5), 1)
        rotation[name] = min(np.degrees((r.inv() * s).magnitude()).mean() / max(turned, 10), 1)
        accuracy[name] = 1 - (translation[name] + rotation[name]) / 2
    agree(found["camera.nate_translation"], translation, rel=1e-6)
    agree(found["camera.nate_rotation"], rotation, rel=1e-5)
    agree(found["camera.wbench_accuracy"], accuracy, rel=1e-5)


def test_worldscore(world, cameras):
    """sqrt((1 − e_R / 15°)(1 − e_T / 0.5)), seen from the first pose, one factor of least distances."""
    found = scores(world, "worldscore")
    each = {}
    for name, (p, r, q, s, _) in cameras.items():
        (p, r), (q, s) = seen_from_first(p, r), seen_from_first(q, s)
        fit = minimize_scalar(lambda f: np.linalg.norm(p - f * q, axis=1).sum(), options={"xtol": 1e-12})
        distance = np.linalg.norm(p - fit.x * q, axis=1).mean()
        angle = np.degrees((r.inv() * s).magnitude()).mean()
        good = [max(0, 1 - angle / 15), max(0, 1 - distance / .5)]
        each[name] = np.sqrt(good[0] * good[1])
    agree(found["camera.worldscore"], each, rel=1e-5)
    assert any(v > 0 for v in each.values())


def test_camctrl(world, cameras):
    """RotErr, TransErr and CamMC: relative to the first pose, each path over its largest distance, sums over frames."""
    found = scores(world, "camctrl")
    angle, distance, both = {}, {}, {}
    for name, (p, r, q, s, _) in cameras.items():
        (p, r), (q, s) = seen_from_first(p, r), seen_from_first(q, s)
        p, q = (x / np.linalg.norm(x, axis=1).max() for x in (p, q))
        trace = np.trace(np.swapaxes(s.as_matrix(), 1, 2) @ r.as_matrix(), axis1=1, axis2=2)
        angle[name] = np.arccos(np.clip((trace - 1) / 2, -1, 1)).sum()
        distance[name] = np.linalg.norm(q - p, axis=1).sum()
        flat = [np.concatenate([x.as_matrix(), y[:, :, None]], 2).reshape(len(y), 12) for x, y in ((r, p), (s, q))]
        both[name] = np.linalg.norm(flat[0] - flat[1], axis=1).sum()
    agree(found["camera.rot_err"], angle, rel=1e-5)
    agree(found["camera.trans_err"], distance)
    agree(found["camera.cam_mc"], both)


def umeyama(p, q):
    """Scale, rotation and translation that bring q to p (IEEE PAMI 13, 1991)."""
    a, b = p - p.mean(0), q - q.mean(0)
    u, d, v = np.linalg.svd(a.T @ b / len(p))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    rotation = u @ sign @ v
    scale = np.trace(np.diag(d) @ sign) / (b ** 2).sum() * len(p)
    return scale, rotation, p.mean(0) - scale * rotation @ q.mean(0)


def test_mind(world, cameras):
    """Neighbouring frames after Sim(3); errors above 179° are dropped, and fewer than 8 pairs are no figure."""
    found = scores(world, "mind")
    moved, turned = {}, {}
    for name, (p, r, q, s, frames) in cameras.items():
        scale, rotation, shift = umeyama(p, q)
        q, s = scale * q @ rotation.T + shift, Rotation.from_matrix(rotation) * s
        lengths, angles = [], []
        for i in np.flatnonzero(np.diff(frames) == 1):
            step = r[i].inv() * r[i + 1], r[i].inv().apply(p[i + 1] - p[i])
            made = s[i].inv() * s[i + 1], s[i].inv().apply(q[i + 1] - q[i])
            error = step[0].inv() * made[0], step[0].inv().apply(made[1] - step[1])
            if np.degrees(error[0].magnitude()) <= 179:
                angles.append(np.degrees(error[0].magnitude()))
                lengths.append(np.linalg.norm(error[1]))
        assert len(angles) >= 8
        moved[name], turned[name] = np.mean(lengths), np.mean(angles)
    agree(found["camera.rpe_translation.mean"], moved, rel=1e-6)
    agree(found["camera.rpe_rotation_degrees.mean"], turned, rel=1e-5)


def test_mind_drops_turns_and_wants_eight_pairs(world, tmp_path):
    """A half turn in one frame counts in two pairs, which are dropped; with 8 frames there are 7 pairs and no figure."""
    for name, arrays in predicted("good").items():
        rotation = Rotation.from_quat(arrays["camera/rot"])
        flipped = rotation.as_quat()
        flipped[40] = (rotation[40] * Rotation.from_rotvec([np.pi, 0, 0])).as_quat()
        np.savez(tmp_path / f"{name}.npz", **{"camera/pos": arrays["camera/pos"], "camera/rot": flipped})
    clean, spoilt = (scores(world, "mind", predictions=p)["camera.rpe_rotation_degrees.mean"] for p in (PREDICTIONS / "good", tmp_path))
    assert spoilt["count"] < clean["count"] and spoilt["value"] == pytest.approx(clean["value"], rel=.1)
    short = scores(world, "mind", "--window", 8, "--stride", 8)["camera.rpe_translation.mean"]
    assert short["value"] is None and "pairs" in short["reason"]


def test_tapvid(tmp_path):
    """compute_tapvid_metrics with queries at the first visible frame, pictures of 640 × 480 brought to 256 × 256."""
    rng = np.random.default_rng(0)
    expected, scale, truths = [], np.array([256 / 640, 256 / 480]), {}
    (tmp_path / "made").mkdir()
    for clip in range(3):
        frames, points = 20 + clip, 6
        tracks = rng.uniform(0, (640, 480), size=(frames, points, 2)).astype("f4")
        made = (tracks + rng.normal(size=tracks.shape) * rng.choice([1, 8, 40], size=(1, points, 1))).astype("f4")
        seen = rng.random((frames, points)) < .7
        seen[0] = True
        said = seen ^ (rng.random(seen.shape) < .2)
        truths[f"c{clip}"] = {"points": {"tracks": tracks, "seen": seen}}
        np.savez(tmp_path / "made" / f"c{clip}.npz", tracks=made, visibles=said)
        expected.append(tap_vid(np.zeros(points, int), ~seen.T, np.swapaxes(tracks * scale, 0, 1), ~said.T,
                                np.swapaxes(made * scale, 0, 1), "first"))
    ds = tmp_path / "ds"
    with package.create(str(ds), rate=30) as writer:
        for name, streams in truths.items():
            writer.append(name, streams)
    words = ["--preset", "tapvid", "--map", "truth=points/tracks", "--map", "truth_visibles=points/seen"]
    assert "how large the picture is" in run(ds, tmp_path / "made", *words)
    found = figures(report(ds, tmp_path / "made", *words, "--set", f"scale_x={scale[0]}", "--set", f"scale_y={scale[1]}"))
    for name in expected[0]:
        assert found["keypoints." + name]["value"] == pytest.approx(np.mean([e[name] for e in expected]), rel=1e-9), name


def test_dysts(tmp_path):
    """The point figures of dysts 0.96: sMAPE halved, constants and zeros counted over 1e-10."""
    rng = np.random.default_rng(1)
    y = np.stack([rng.normal(size=400).cumsum(), np.full(400, 3.), np.sin(np.arange(400) / 7)], 1)
    y[::50, 2] = 0
    z = y + .1 * rng.normal(size=y.shape)
    np.save(tmp_path / "a.npy", y)
    (tmp_path / "made").mkdir()
    np.savez(tmp_path / "made" / "a.npz", prediction=z)
    ds = convert(tmp_path / "a.npy", tmp_path / "ds")
    found = figures(report(ds, tmp_path / "made", "--preset", "dysts"))
    wanted = gilpin(y[:, [0, 2]], z[:, [0, 2]]) | {
        k: v for k, v in gilpin(y + 0, z).items() if k not in ("spearman", "pearson", "kendall", "hellinger", "ope")}
    wanted["smape"] /= 2
    for name in ("mse", "mae", "rmse", "nrmse", "marre", "r2", "rmsle", "smape", "mape", "wape", "coefficient_of_variation"):
        assert found[f"forecast.{name}"]["value"] == pytest.approx(wanted[name], rel=1e-6), name


def test_gtf(tmp_path):
    """D_stsp of 30 bins from 0.1 σ below the least to 0.1 σ above the largest value with α = 1e-5, and D_H of spectra
    smoothed by Gaussians of 20 bins; as in the Julia code, whose kernels are cut at 4 σ and mirror the ends."""
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(5000, 3)).cumsum(0) * .05 + rng.normal(size=(5000, 3)) for _ in range(2))
    np.save(tmp_path / "a.npy", a)
    (tmp_path / "made").mkdir()
    np.savez(tmp_path / "made" / "a.npz", generated=b)
    found = figures(report(convert(tmp_path / "a.npy", tmp_path / "ds"), tmp_path / "made", "--preset", "gtf"))
    sigma = a.std(0, ddof=1)
    edges = [np.linspace(l, h, 31) for l, h in zip(a.min(0) - .1 * sigma, a.max(0) + .1 * sigma)]
    p, q = (np.histogramdd(s, edges)[0] + 1e-5 for s in (a, b))
    p, q = p / p.sum(), q / q.sum()
    assert found["attractor.d_stsp"]["value"] == pytest.approx((p * np.log(p / q)).sum(), rel=1e-9)

    def spectrum(x):
        power = np.abs(np.fft.rfft((x - x.mean(0)) / x.std(0), axis=0)) ** 2
        power = gaussian_filter1d(power, 20, axis=0, mode="mirror", truncate=4)
        return power / power.sum(0)

    p, q = spectrum(a), spectrum(b)
    assert found["attractor.d_h"]["value"] == pytest.approx(np.sqrt(1 - np.sqrt(p * q).sum(0)).mean(), rel=1e-9)


def test_every_preset_is_tested_here():
    said = run("world", "made", "--preset", "none", code=2)
    names = said.split("is not ")[1].split(";")[0].replace(" or ", ", ").split(", ")
    assert len(names) >= 8 and all(f"test_{name}" in globals() for name in names)


def test_the_picture_of_another_camera_is_not_guessed(tmp_path):
    """A recording without a video has the picture of those with one where its principal point is theirs, else none."""
    source = ROOT / "fixtures" / "wildworld" / "data_part1"
    (tmp_path / "made").mkdir()
    for name in ("000001", "000003"):
        shutil.copytree(source / name, tmp_path / "part" / name)
        with np.load(source / name / "skeleton.npz") as skeleton:
            arrays = [skeleton[key] for key in skeleton]
        tracks = np.zeros((len(arrays[0]), sum(a.shape[1] for a in arrays), 2))
        np.savez(tmp_path / "made" / f"{name}.npz", tracks=tracks)
    words = [tmp_path / "made", "--metric", "keypoints.state_alignment"]
    same = convert(tmp_path / "part", tmp_path / "same")
    assert "no episode has a video" in run(same, *words, "-e", "000003", code=2)
    sized = run(same, *words)
    table = tmp_path / "part" / "000003" / "state.csv"
    text = table.read_text()
    assert text.count("160.0") > 10
    table.write_text(text.replace("160.0", "320.0"))
    other = convert(tmp_path / "part", tmp_path / "other")
    said = run(other, *words, code=2)
    assert "episode '000003' has another camera" in said and "--set true_width" in said
    assert sized != run(other, *words, "--set", "true_width=640", "--set", "true_height=180", "--set", "track_width=320",
                        "--set", "track_height=180", "--set", "grid_width=320", "--set", "grid_height=180")
