"""Depth as distances, against numpy."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from places import program
from video_world import convert, needs_ffmpeg, recording

import trajpack
from trajpack import camera as tc

pytestmark = needs_ffmpeg
H, W, ROWS = 12, 20, 9


def write(path: Path, frames: np.ndarray, pixels: str, codec: str = "ffv1") -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", pixels, "-s",
               f"{frames.shape[2]}x{frames.shape[1]}", "-r", "30", "-i", "-", "-c:v", codec, "-pix_fmt", pixels,
               str(path)]
    subprocess.run(command, check=True, input=frames.tobytes())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: depth of 16 bits with holes."""
    root = tmp_path_factory.mktemp("depth")
    for n in range(2):
        folder = recording(root / "recordings" / f"{n:06d}", ROWS, n)
        draw = np.random.default_rng(n)
        depth = draw.integers(0, 65536, (ROWS, H, W), dtype=np.uint16)
        depth[draw.random(depth.shape) < 0.2] = 0
        write(folder / "depth.mkv", depth, "gray16le")
        np.save(root / f"{n}.npy", depth)
    return root


def samples(world: Path) -> list[np.ndarray]:
    return [np.load(world / f"{n}.npy") for n in range(2)]


def reference(s: np.ndarray, encoding: dict, bits: int) -> np.ndarray:
    """Distances by the specification, in the encoding's units."""
    x = s.astype(np.float64)
    scale, offset = encoding.get("scale", 1), encoding.get("offset", 0)
    if "near" in encoding:
        near, far, top = encoding["near"], encoding["far"], encoding.get("top", 2**bits - 1)
        t = x / top if encoding.get("largest", "far") == "far" else 1 - x / top
        with np.errstate(divide="ignore", invalid="ignore"):
            d = {"linear": lambda: near + t * (far - near),
                 "inverse": lambda: 1 / (1 / near + t * (1 / far - 1 / near)),
                 "log": lambda: near * (far / near) ** t}[encoding["encoding"]]()
    else:
        with np.errstate(divide="ignore", over="ignore"):
            line = scale * x + offset
            d = {"linear": line, "inverse": np.where(line > 0, 1 / line, np.nan), "log": np.exp(line)}[
                encoding["encoding"]]
    for part in encoding.get("invalid", []):
        low, high = part if isinstance(part, list) else (part, part)
        d = np.where((s >= low) & (s <= high), np.nan, d)
    return np.where(np.isfinite(d) & (d >= 0), d, np.nan)


ENCODINGS = [
    ("linear:scale=0.001,units=m,invalid=0", {"encoding": "linear", "scale": 0.001, "invalid": [0]}),
    ("linear:scale=-0.001,offset=40,units=m,invalid=0+65000..65535",
     {"encoding": "linear", "scale": -0.001, "offset": 40, "invalid": [0, [65000, 65535]]}),
    ("inverse:scale=0.0001,offset=-1,units=m", {"encoding": "inverse", "scale": 0.0001, "offset": -1}),
    ("inverse:near=0.1,far=100,units=m,invalid=0", {"encoding": "inverse", "near": 0.1, "far": 100, "invalid": [0]}),
    ("inverse:near=0.1,far=inf,units=m", {"encoding": "inverse", "near": 0.1, "far": np.inf}),
    ("log:near=0.5,far=80,largest=near,units=m", {"encoding": "log", "near": 0.5, "far": 80, "largest": "near"}),
    ("linear:near=0,far=20,top=40000,units=m", {"encoding": "linear", "near": 0, "far": 20, "top": 40000}),
    ("log:scale=0.0002,offset=-3,units=m", {"encoding": "log", "scale": 0.0002, "offset": -3}),
]


@pytest.mark.parametrize(("text", "encoding"), ENCODINGS, ids=[e[0] for e in ENCODINGS])
def test_frames_and_windows_are_the_distances_of_the_specification(world: Path, tmp_path: Path, text: str,
                                                                   encoding: dict) -> None:
    ds = trajpack.open(convert(world / "recordings", tmp_path / "ds", "--depth", f"depth={text}"))
    for n, s in enumerate(samples(world)):
        wanted = reference(s, encoding, 16)
        video = ds.episode(f"{n:06d}")["depth"]
        assert video.depth["encoding"] == encoding["encoding"] and video.depth["units"] == "m"
        got = video.read(depth="m")
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=3e-7, equal_nan=True)
        np.testing.assert_allclose(video.read([3, 3, 0], depth="cm"), 100 * wanted[[3, 3, 0]], rtol=3e-7)
        np.testing.assert_array_equal(video[:], s)
    loader = ds.windows(channels=["depth", "state/*"], length=3, batch=5, shuffle=False, depth="mm", meta=True)
    seen = 0
    for batch in loader:
        assert batch["depth"].dtype == np.float32
        for i in range(batch.count):
            s = samples(world)[batch["meta:episode"][i]]
            first = int(batch["meta:row"][i])
            wanted = 1000 * reference(s[first:first + 3], encoding, 16)
            np.testing.assert_allclose(batch["depth"][i], wanted, rtol=3e-7, equal_nan=True)
            np.testing.assert_array_equal(batch["observed:depth"][i], np.isfinite(wanted))
            seen += 1
    assert seen == 10


def test_an_encoding_may_be_given_when_reading_and_is_never_guessed(world: Path, tmp_path: Path) -> None:
    ds = trajpack.open(convert(world / "recordings", tmp_path / "ds"))
    video = ds.episode("000000")["depth"]
    assert video.depth is None
    with pytest.raises(trajpack.UsageError, match="is not known, and it is not guessed"):
        video.read(depth="m")
    with pytest.raises(trajpack.UsageError, match="is not known, and it is not guessed"):
        ds.windows(channels=["depth"], length=2, depth="m")
    said = {"encoding": "linear", "scale": 0.5, "units": "cm", "invalid": [[0, 9]]}
    wanted = reference(samples(world)[0], said, 16)
    np.testing.assert_allclose(video.read(depth=said), wanted, rtol=3e-7)
    np.testing.assert_allclose(video.read(depth={**said, "to": "m"}), wanted / 100, rtol=3e-7)
    for option in (said, {"depth": said}):
        batch = next(iter(ds.windows(channels=["depth"], length=2, batch=1, shuffle=False, depth=option)))
        np.testing.assert_allclose(batch["depth"][0], wanted[:2], rtol=3e-7)
    batch = next(iter(ds.windows(channels=["depth"], length=2, batch=1, shuffle=False, depth=said, fill=-1)))
    np.testing.assert_allclose(batch["depth"][0], np.nan_to_num(wanted[:2], nan=-1), rtol=3e-7)
    np.testing.assert_array_equal(batch["observed:depth"][0], np.isfinite(wanted[:2]))
    plain = next(iter(ds.windows(channels=["depth"], length=2, batch=1, shuffle=False)))
    np.testing.assert_array_equal(plain["depth"][0], samples(world)[0][:2])


@pytest.mark.parametrize(("text", "sentence"), [
    ("linear:scale=0", "'scale' must not be 0"), ("lin", "'encoding' must be 'linear'"),
    ("linear:scal=1", "there is no member 'scal'"), ("linear:scale=x", "scale=x is no number"),
    ("linear:near=1", "'near' and 'far' go together"), ("log:near=0,far=1", "above 0 where depth is inverse or log"),
    ("linear:near=1,far=2,scale=3", "give one pair"), ("linear:top=3", "belong to 'near' and 'far'"),
    ("linear:scale=1,scale=2", "each name once"), ("inverse:near=3,far=2", "must be smaller than 'far'"),
    ("linear:invalid=5..1", "pairs of a first and a last one"), ("linear:measured=x", "'axis' or 'ray'"),
])
def test_wrong_encodings_are_refused(world: Path, tmp_path: Path, text: str, sentence: str) -> None:
    done = subprocess.run([program(), "convert", world / "recordings", tmp_path / "ds", "--depth", f"depth={text}"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr, done.stderr
    assert not (tmp_path / "ds").exists()


def test_what_is_no_depth_is_refused(world: Path, tmp_path: Path) -> None:
    done = subprocess.run([program(), "convert", world / "recordings", tmp_path / "no", "--depth", "dept=linear"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "did you mean 'depth'" in done.stderr
    ds = trajpack.open(convert(world / "recordings", tmp_path / "ds", "--depth", "depth=linear:units=steps"))
    video = ds.episode("000000")["depth"]
    np.testing.assert_array_equal(video.read([2], depth="steps"), samples(world)[0][[2]].astype(np.float32))
    with pytest.raises(trajpack.UsageError, match="in 'steps', which is not known in 'm'"):
        video.read(depth="m")
    with pytest.raises(trajpack.UsageError, match="no selected channel is depth"):
        ds.windows(channels=["state/*"], length=2, depth="m")
    with pytest.raises(trajpack.UsageError, match="native planes are no distances"):
        video.read(format="native", depth="steps")


def test_transcode_says_it_of_an_archive(world: Path, tmp_path: Path) -> None:
    old = convert(world / "recordings", tmp_path / "old")
    subprocess.run([program(), "transcode", old, tmp_path / "new", "--quiet", "--depth",
                    "depth=linear:scale=0.001,units=m,invalid=0,measured=ray"], check=True)
    subprocess.run([program(), "transcode", tmp_path / "new", tmp_path / "chunks", "--quiet", "--stream", "depth",
                    "--to", "chunks"], check=True)
    wanted = reference(samples(world)[1], ENCODINGS[0][1], 16)
    for name in ("new", "chunks"):
        video = trajpack.open(tmp_path / name).episode("000001")["depth"]
        assert tc.conventions(video) == {"measured": "ray"}
        np.testing.assert_allclose(video.read(depth="m"), wanted, rtol=3e-7)
        small = video.read([1], depth="m", size=(4, 5), crop=(2, 1, 8, 10))
        v, u = (np.arange(4) + .5) * 2, (np.arange(5) + .5) * 2
        np.testing.assert_allclose(small[0], wanted[1, 2:10, 1:11][np.ix_(v.astype(int), u.astype(int))], rtol=3e-7)
    text = subprocess.run([program(), "info", tmp_path / "chunks", "-e", "000001"], capture_output=True, text=True,
                          check=True).stdout
    assert "depth: linear, 0.001 times the sample, in m, no depth where it is 0, along the ray" in text
    said = json.loads(subprocess.run([program(), "info", tmp_path / "chunks", "--json"], capture_output=True,
                                     text=True, check=True).stdout)
    assert '"measured": "ray"' in json.dumps(said)


def test_eight_bits_and_brightness_of_colours(tmp_path: Path) -> None:
    folder = recording(tmp_path / "recordings" / "a", 4)
    gray = np.random.default_rng(1).integers(0, 256, (4, H, W), dtype=np.uint8)
    write(folder / "depth.mkv", gray, "gray")
    ds = trajpack.open(convert(tmp_path / "recordings", tmp_path / "ds", "--depth", "depth=inverse:near=1,far=10"))
    wanted = reference(gray, {"encoding": "inverse", "near": 1, "far": 10}, 8)
    np.testing.assert_allclose(ds.episode("a")["depth"].read(depth={"encoding": "inverse", "near": 1, "far": 10}),
                               wanted, rtol=3e-7)
    with pytest.raises(trajpack.UsageError, match="has no unit"):
        ds.episode("a")["depth"].read(depth="m")
    with pytest.raises(trajpack.UsageError, match="ask for 'gray8'"):
        ds.episode("a")["depth"].read(format="gray16")


def test_rows_of_depth_are_distances_too(tmp_path: Path) -> None:
    """Depth that is an array of rows: 16 bits in millimetres, 0 where there is none, and metres as floats."""
    draw = np.random.default_rng(3)
    coarse = draw.integers(0, 9000, (8, 4, 5), dtype=np.uint16)
    coarse[coarse < 900] = 0
    fine = draw.random((8, 4, 5), dtype=np.float32)
    fine[fine < .1] = np.nan
    np.savez(tmp_path / "run.npz", depth=coarse, depth_fine=fine, x=np.arange(8.0))
    subprocess.run([program(), "convert", tmp_path / "run.npz", tmp_path / "ds", "--quiet", "--rate", "10",
                    "--leading-axis", "time", "--kind", "depth=depth", "--kind", "depth_fine=depth", "--unit",
                    "depth_fine=m"], check=True)
    plain = trajpack.open(tmp_path / "ds")
    stream = next(iter(plain.streams))
    subprocess.run([program(), "transcode", tmp_path / "ds", tmp_path / "said", "--quiet", "--depth",
                    f"{stream}/depth=linear:scale=0.001,units=m,invalid=0"], check=True)
    with pytest.raises(trajpack.UsageError, match="is not known, and it is not guessed"):
        plain.windows(length=3, depth="cm")
    ds = trajpack.open(tmp_path / "said")
    batch = next(iter(ds.windows(length=8, batch=1, depth="cm", shuffle=False)))
    wanted = np.where(coarse == 0, np.nan, coarse / 10)
    np.testing.assert_allclose(batch[f"{stream}/depth"][0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(batch[f"observed:{stream}/depth"][0], coarse != 0)
    np.testing.assert_allclose(batch[f"{stream}/depth_fine"][0], fine * 100, rtol=1e-6)
    np.testing.assert_array_equal(batch[f"observed:{stream}/depth_fine"][0], np.isfinite(fine))
    batch = next(iter(ds.windows(length=8, batch=1, depth={f"{stream}/depth": "m"}, fill={f"{stream}/depth": 0},
                                 shuffle=False)))
    np.testing.assert_allclose(batch[f"{stream}/depth"][0], coarse / 1000, rtol=1e-6)
    np.testing.assert_array_equal(batch[f"{stream}/depth_fine"][0], fine)


def test_unprojected_windows_are_the_points(tmp_path: Path) -> None:
    """Depth of a plane, by z and by distance; the points of the window's cut and scaled depth lie on the plane."""
    rows = 6
    folder = recording(tmp_path / "recordings" / "a", rows)
    f, cx, cy = 18.0, 9.5, 5.5
    v, u = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
    # The plane z = 3 + 0.2 x + 0.1 y of the camera's axes, by z and by distance.
    ray = np.stack([(u - cx) / f, (v - cy) / f, np.ones_like(u, float)], -1)
    z = 3 / (1 - 0.2 * ray[..., 0] - 0.1 * ray[..., 1])
    for measured, d in (("axis", z), ("ray", z * np.linalg.norm(ray, axis=-1))):
        stored = np.repeat(np.round(d * 10000).astype(np.uint16)[None], rows, 0)
        write(folder / "depth.mkv", stored, "gray16le")
        ds = trajpack.open(convert(tmp_path / "recordings", tmp_path / measured, "--depth",
                                   f"depth=linear:scale=0.0001,units=m,measured={measured}"))
        video = ds.episode("a")["depth"]
        points = tc.unproject(video.read(depth="m"), [f, f, cx, cy], **tc.conventions(video))
        assert points.shape == (rows, H, W, 3)
        np.testing.assert_allclose(points[2], z[..., None] * ray, atol=3e-4)
        batch = next(iter(ds.windows(channels=["depth"], length=2, batch=2, crop=(2, 4, 8, 12), size=(4, 6),
                                     depth={"depth": "m"})))
        k = [f / 2, f / 2, (cx - 4 + .5) / 2 - .5, (cy - 2 + .5) / 2 - .5]
        got = tc.unproject(batch["depth"], k, **tc.conventions(video))
        assert got.shape == (2, 2, 4, 6, 3)
        # The nearest sample of each place lies half a pixel of the stored picture beside its centre.
        np.testing.assert_allclose(got[..., 2], 3 + 0.2 * got[..., 0] + 0.1 * got[..., 1], atol=0.1)
    with pytest.raises(trajpack.UsageError, match="say how the pose is to be read"):
        tc.unproject(z, [f, f, cx, cy], (np.zeros(3), np.eye(3)))


def evaluate(*words: object) -> dict:
    done = subprocess.run([program(), "evaluate", *map(str, words), "--suite", "depth", "--format", "json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return {m["name"]: m for m in report["metrics"]}


def errors(truth: np.ndarray, prediction: np.ndarray) -> tuple[float, float]:
    """AbsRel and RMSE, the mean of each image's (Eigen et al. 2014)."""
    relative, squares = [], []
    for t, p in zip(truth, prediction, strict=True):
        good = np.isfinite(t) & (t >= 1e-3)
        relative.append((np.abs(t - p)[good] / t[good]).mean())
        squares.append(np.sqrt(((t - p)[good] ** 2).mean()))
    return float(np.mean(relative)), float(np.mean(squares))


def test_evaluate_decodes_depth_that_is_video(world: Path, tmp_path: Path) -> None:
    """Against predictions in a video of another encoding, and in arrays; linked and stored as chunks alike."""
    text, encoding = ENCODINGS[0]
    truth = convert(world / "recordings", tmp_path / "truth", "--depth", f"depth={text}")
    wanted = [reference(s, encoding, 16) for s in samples(world)]
    pred = tmp_path / "arrays"
    pred.mkdir()
    draw = np.random.default_rng(5)
    guesses = [np.where(np.isfinite(w), w, 1) * draw.uniform(.9, 1.1, w.shape) for w in wanted]
    for n, g in enumerate(guesses):
        np.savez(pred / f"{n:06d}.npz", depth=g)
    both = np.array([errors(w, g) for w, g in zip(wanted, guesses, strict=True)])
    found = evaluate(truth, pred)
    assert found["depth.rmse"]["unit"] == "m"
    assert found["depth.abs_rel"]["value"] == pytest.approx(both[:, 0].mean(), rel=1e-6)
    assert found["depth.rmse"]["value"] == pytest.approx(both[:, 1].mean(), rel=1e-6)

    coarse = []
    for n, g in enumerate(guesses):
        folder = recording(tmp_path / "guessed" / f"{n:06d}", ROWS, n)
        coarse.append(np.clip(np.round(g * 500 + 10), 0, 65535).astype(np.uint16))
        write(folder / "depth.mkv", coarse[-1], "gray16le")
    said = {"encoding": "linear", "scale": 0.002, "offset": -0.02}
    videos = convert(tmp_path / "guessed", tmp_path / "videos", "--video", "link", "--depth",
                     "depth=linear:scale=0.002,offset=-0.02,units=m")
    both = np.array([errors(w, reference(c, said, 16)) for w, c in zip(wanted, coarse, strict=True)])
    chunks = convert(world / "recordings", tmp_path / "chunks", "--depth", f"depth={text}", "--video", "depth=chunks")
    for dataset in (truth, chunks):
        found = evaluate(dataset, videos, "--media", tmp_path)
        assert found["depth.abs_rel"]["value"] == pytest.approx(both[:, 0].mean(), rel=1e-5)
        found = evaluate(dataset, videos, "--media", tmp_path, "--map", "truth=depth", "--map", "prediction=depth")
        assert found["depth.rmse"]["value"] == pytest.approx(both[:, 1].mean(), rel=1e-5)

    unsaid = convert(world / "recordings", tmp_path / "unsaid")
    done = subprocess.run([program(), "evaluate", unsaid, pred, "--metric", "depth.errors"], capture_output=True,
                          text=True)
    assert done.returncode == 2 and "is not known" in done.stderr and "transcode" in done.stderr
    other = convert(world / "recordings", tmp_path / "mm", "--depth", "depth=linear:units=mm")
    done = subprocess.run([program(), "evaluate", truth, other, "--metric", "depth.errors"], capture_output=True,
                          text=True)
    assert done.returncode == 2 and "the unit of 'depth' is 'm' in the truth and 'mm'" in done.stderr


@pytest.mark.parametrize("mode", ["embed", "link", "chunks"])
def test_evaluate_decodes_the_depth_of_clips(world: Path, tmp_path: Path, mode: str) -> None:
    """Against predictions of the clips in arrays, and of the recordings in videos; at the frames' rate and another."""
    text, encoding = ENCODINGS[0]
    options = {"link": ["--video", "link"], "chunks": ["--video", "depth=chunks"]}.get(mode, [])
    truth = convert(world / "recordings", tmp_path / "truth", "--depth", f"depth={text}", *options)
    media = ["--media", world] if mode == "link" else []
    wanted = [reference(s, encoding, 16) for s in samples(world)]
    spans = {"a": (0, 2, 7, 1), "b": (1, 0, 5, 1), "c": (1, 1, 9, 2)}
    clips = tmp_path / "clips.csv"
    clips.write_text("id,episode,start_row,rows,rate\n" + "".join(
        f"{name},{e:06d},{first},{len(range(first, end, step))},{'' if step == 1 else 30 // step}\n"
        for name, (e, first, end, step) in spans.items()))
    pred = tmp_path / "arrays"
    pred.mkdir()
    draw = np.random.default_rng(6)
    both = []
    for name, (e, first, end, step) in spans.items():
        part = wanted[e][first:end:step]
        guess = np.where(np.isfinite(part), part, 1) * draw.uniform(.9, 1.1, part.shape)
        np.savez(pred / f"{name}.npz", depth=guess)
        both.append(errors(part, guess))
    found = evaluate(truth, pred, "--clips", clips, *media)
    # The mean over all pictures.
    weights = [len(range(first, end, step)) for _, first, end, step in spans.values()]
    assert found["depth.abs_rel"]["value"] == pytest.approx(np.average([b[0] for b in both], weights=weights), rel=1e-6)
    assert found["depth.rmse"]["value"] == pytest.approx(np.average([b[1] for b in both], weights=weights), rel=1e-6)

    # Predictions of the recordings are cut alike.
    guesses = [np.clip(np.round(np.nan_to_num(w, nan=1) * 900), 0, 65535).astype(np.uint16) for w in wanted]
    for n, g in enumerate(guesses):
        write(recording(tmp_path / "guessed" / f"{n:06d}", ROWS, n) / "depth.mkv", g, "gray16le")
    videos = convert(tmp_path / "guessed", tmp_path / "videos", "--depth", "depth=linear:scale=0.001,units=m")
    expected = [errors(wanted[e][first:end:step], guesses[e][first:end:step] * 0.001)
                for e, first, end, step in spans.values()]
    found = evaluate(truth, videos, "--clips", clips, *media)
    mean = np.average(expected, axis=0, weights=weights)
    assert found["depth.abs_rel"]["value"] == pytest.approx(mean[0], rel=1e-5)
    assert found["depth.rmse"]["value"] == pytest.approx(mean[1], rel=1e-5)


def test_evaluate_decodes_the_depth_of_a_split_that_cuts(world: Path, tmp_path: Path) -> None:
    text, encoding = ENCODINGS[0]
    truth = convert(world / "recordings", tmp_path / "truth", "--depth", f"depth={text}")
    subprocess.run([program(), "split", truth, "--rule", "train=0:50%", "--rule", "test=50%:"], check=True,
                   capture_output=True)
    wanted = [reference(s, encoding, 16) for s in samples(world)]
    pred = tmp_path / "arrays"
    pred.mkdir()
    draw = np.random.default_rng(7)
    guesses = [np.where(np.isfinite(w), w, 1) * draw.uniform(.9, 1.1, w.shape) for w in wanted]
    for n, g in enumerate(guesses):
        np.savez(pred / f"{n:06d}.npz", depth=g)
    for split, rows in (("train", slice(0, ROWS // 2)), ("test", slice(ROWS // 2, ROWS))):
        both = np.array([errors(w[rows], g[rows]) for w, g in zip(wanted, guesses, strict=True)])
        found = evaluate(truth, pred, "--split", split)
        assert found["depth.rmse"]["value"] == pytest.approx(both[:, 1].mean(), rel=1e-6)
