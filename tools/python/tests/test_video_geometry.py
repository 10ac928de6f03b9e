"""Frames that are cut, scaled and mirrored in windows, and what follows them: intrinsics, pixels, the world."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from video_world import convert, decoded, ffmpeg, needs_ffmpeg

pytestmark = needs_ffmpeg
ROWS, HEIGHT, WIDTH = 24, 62, 96
K = (80.0, 75.0, 40.5, 30.25)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WildWorld samples with a camera, an npc that moves, rgb and depth of the same size."""
    root = tmp_path_factory.mktemp("geometry")
    for number in range(3):
        folder = root / "source" / f"e{number}"
        folder.mkdir(parents=True)
        lines = ["camera.K,camera.pos,camera.rot,state.hp"]
        lines += [f'"{K}","({i}.5, 2.0, -{number}.25)","(0.0, 0.6, 0.0, 0.8)",{i}' for i in range(ROWS)]
        (folder / "state.csv").write_text("\n".join(lines) + "\n")
        source = ["-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate=30,hue=h={number * 40}", "-frames:v", ROWS]
        ffmpeg(*source, "-c:v", "libx264", "-preset", "veryfast", "-threads", 1, "-g", 8, "-pix_fmt", "yuv420p",
               folder / "rgb.mp4")
        ffmpeg(*source, "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "gray",
               "-x265-params", "lossless=1:keyint=8:log-level=0", folder / "depth.mkv")
    convert(root / "source", root / "out")
    return root


@pytest.fixture(scope="module")
def dataset(root: Path) -> trajpack.Dataset:
    return trajpack.open(root / "out")


def test_a_crop_is_a_part_of_the_picture(dataset: trajpack.Dataset) -> None:
    draw = np.random.default_rng(0)
    for stream in ("rgb", "depth"):
        video = dataset.episode(1)[stream]
        whole = video.read([5])[0]
        for _ in range(12):
            h, w = int(draw.integers(1, HEIGHT + 1)), int(draw.integers(1, WIDTH + 1))
            top, left = int(draw.integers(0, HEIGHT - h + 1)), int(draw.integers(0, WIDTH - w + 1))
            crop = (top, left, h, w)
            expected = whole[top:top + h, left:left + w]
            np.testing.assert_array_equal(video.read([5], crop=crop)[0], expected)
            if stream == "rgb":
                planes = video.read([5], crop=crop, layout="TCHW")[0]
                np.testing.assert_array_equal(planes, expected.transpose(2, 0, 1))
        crop = (7, 11, 40, 60)
        scaled = video.read([5], crop=crop, size=(20, 30))[0]
        if stream == "depth":
            np.testing.assert_array_equal(scaled, whole[7:47, 11:71][1::2, 1::2])
        np.testing.assert_array_equal(video.read([5], crop=(0, 0, HEIGHT, WIDTH), size=(20, 30)),
                                      video.read([5], size=(20, 30)))


def test_a_scaled_crop_is_swscales(root: Path, dataset: trajpack.Dataset) -> None:
    """What ffmpeg makes of the same part of the colours."""
    flags = "flags=bilinear+accurate_rnd+bitexact+full_chroma_int"
    path = root / "source" / "e0" / "rgb.mp4"
    raw = decoded(path, f"-vf scale={flags},format=rgb24,crop=60:40:11:7:exact=1,scale=30:20:{flags} -pix_fmt rgb24")
    expected = np.frombuffer(raw, np.uint8).reshape(ROWS, 20, 30, 3)
    np.testing.assert_array_equal(dataset.episode(0)["rgb"].read(crop=(7, 11, 40, 60), size=(20, 30)), expected)


def place(window: np.ndarray[Any, Any], whole: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Where a cut of a picture may lie."""
    h, w = window.shape[:2]
    return [(top, left) for top in range(whole.shape[0] - h + 1) for left in range(whole.shape[1] - w + 1)
            if np.array_equal(whole[top:top + h, left:left + w], window)]


def test_random_crops_are_shared_and_reproducible(dataset: trajpack.Dataset) -> None:
    options: dict[str, Any] = {"channels": ["rgb", "depth", "camera/K"], "length": 3, "batch": 4, "meta": True,
                               "crop": (40, 50), "seed": 7, "drop_last": False}
    seen: dict[tuple[int, int], Any] = {}
    places: set[tuple[int, int]] = set()
    loader = dataset.windows(**options)
    for epoch in range(2):
        for batch in loader:
            for b in range(batch.count):
                episode = dataset.episode(int(batch["meta:episode"][b]))
                row = int(batch["meta:row"][b])
                found = set(place(batch["rgb"][b, 0], episode["rgb"][row]))
                found &= set(place(batch["depth"][b, 2], episode["depth"][row + 2]))
                assert len(found) == 1
                top, left = found.pop()
                places.add((top, left))
                for t in range(3):
                    expected = episode["rgb"].read([row + t], crop=(top, left, 40, 50))[0]
                    np.testing.assert_array_equal(batch["rgb"][b, t], expected)
                np.testing.assert_allclose(batch["camera/K"][b], [[K[0], K[1], K[2] - left, K[3] - top]] * 3, atol=1e-4)
                key = (epoch, int(batch["meta:window"][b]))
                assert key not in seen
                seen[key] = (top, left)
    assert len(places) > 10
    assert any(seen[0, w] != seen[1, w] for e, w in seen if e == 0)
    # Another order, other batches, other threads and another rank: the same crops.
    for rank in range(2):
        other = dataset.windows(**{**options, "batch": 3, "threads": 1}, rank=rank, world_size=2)
        for batch in other:
            for b in range(batch.count):
                if batch.repeated:
                    continue
                top, left = seen[0, int(batch["meta:window"][b])]
                np.testing.assert_allclose(batch["camera/K"][b, 0, 2:], [K[2] - left, K[3] - top], atol=1e-4)
    # And in another seed, others.
    other = next(iter(dataset.windows(**{**options, "seed": 8, "shuffle": False})))
    assert any(tuple(np.round([K[3] - k[0, 3], K[2] - k[0, 2]]).astype(int)) != seen[0, int(w)]
               for k, w in zip(other["camera/K"], other["meta:window"], strict=True))


def test_projected_points_follow(dataset: trajpack.Dataset) -> None:
    """A point goes where K sends it: pixel centres lie at whole numbers."""
    point = np.array([0.3, -0.2, 1.7])

    def projected(k: Any) -> Any:
        return np.array([k[0] * point[0] / point[2] + k[2], k[1] * point[1] / point[2] + k[3]])

    x, y = projected(K)
    for crop, size in ((None, (31, 48)), ((10, 6, 40, 50), None), ((10, 6, 40, 50), (80, 25)), ((30, 50), (15, 100))):
        given = {name: value for name, value in (("crop", crop), ("size", size)) if value is not None}
        batch = next(iter(dataset.windows(channels=["rgb", "camera/K"], length=1, batch=2, meta=True, **given)))
        h, w = crop[-2:] if crop else (HEIGHT, WIDTH)
        sy, sx = (size[0] / h, size[1] / w) if size else (1, 1)
        for b in range(2):
            k = batch["camera/K"][b, 0]
            np.testing.assert_allclose(k[:2], [K[0] * sx, K[1] * sy], rtol=1e-6)
            left, top = (crop[1], crop[0]) if crop and len(crop) == 4 else (None, None)
            if crop is None:
                left, top = 0, 0
            if left is None:
                # Drawn: a whole number of pixels inside.
                left = K[2] + .5 - (k[2] + .5) / sx
                top = K[3] + .5 - (k[3] + .5) / sy
                assert abs(left - round(left)) < 1e-3 and 0 <= round(left) <= WIDTH - w
                assert abs(top - round(top)) < 1e-3 and 0 <= round(top) <= HEIGHT - h
            np.testing.assert_allclose(projected(k), [(x - left + .5) * sx - .5, (y - top + .5) * sy - .5], rtol=1e-4,
                                       atol=1e-3)


def test_mirrored_windows(dataset: trajpack.Dataset) -> None:
    options: dict[str, Any] = {"channels": ["rgb", "depth", "camera/*"], "length": 2, "batch": 8, "meta": True,
                               "flip": 0.5, "crop": (0, 4, 60, 80)}
    with pytest.raises(trajpack.UsageError, match="'camera/pos' \\(position\\) tells left from right.*flip_world"):
        dataset.windows(**options)
    world = {"camera/pos": [-1, 1, 1], "camera/rot": [1, -1, -1, 1]}
    counts = [0, 0]
    for batch in dataset.windows(**options, flip_world=world):
        for b in range(batch.count):
            episode = dataset.episode(int(batch["meta:episode"][b]))
            row = int(batch["meta:row"][b])
            plain = episode["rgb"].read([row], crop=(0, 4, 60, 80))[0]
            flipped = np.array_equal(batch["rgb"][b, 0], plain[:, ::-1]) and not np.array_equal(plain, plain[:, ::-1])
            counts[flipped] += 1
            depth = episode["depth"].read([row, row + 1], crop=(0, 4, 60, 80))
            np.testing.assert_array_equal(batch["depth"][b], depth[:, :, ::-1] if flipped else depth)
            if not flipped:
                np.testing.assert_array_equal(batch["rgb"][b, 0], plain)
            sign = -1 if flipped else 1
            np.testing.assert_allclose(batch["camera/pos"][b, 0], episode["camera/pos"][row] * [sign, 1, 1])
            np.testing.assert_allclose(batch["camera/rot"][b, 0], episode["camera/rot"][row] * [1, sign, sign, 1])
            cx = K[2] - 4
            cx = 79 - cx if flipped else cx
            np.testing.assert_allclose(batch["camera/K"][b, 0], [K[0], K[1], cx, K[3]], rtol=1e-6)
    assert min(counts) > 3
    planes = next(iter(dataset.windows(channels=["rgb"], length=1, batch=4, meta=True, flip=1, layout="TCHW")))
    for b in range(4):
        whole = dataset.episode(int(planes["meta:episode"][b]))["rgb"][int(planes["meta:row"][b])]
        np.testing.assert_array_equal(planes["rgb"][b, 0], whole[:, ::-1].transpose(2, 0, 1))


def test_what_cannot_be(dataset: trajpack.Dataset) -> None:
    for options, said in (
        ({"crop": (63, 10)}, "crop of 10 × 63 pixels does not lie inside"),
        ({"crop": (3, 3, 60, 60)}, "does not lie inside"),
        ({"crop": (3, 60)}, None),
        ({"pixels": "gray16"}, "gives no 'gray16'"),
        ({"dtype": {"rgb": "int8"}}, "does not hold the samples"),
        ({"normalize": {"rgb": "minmax"}}, "have no statistics"),
        ({"crop": (1, 2, 3)}, r"\[height, width\], or \[top, left"),
        ({"crop": (0, 3)}, r"\[height, width\]"),
        ({"flip": 1.5}, "probability"),
        ({"flip_world": {"camera/*": 1}}, "no selected channel matches"),
        ({"pixels_of": {"camera/K": "rgb"}}, "no selected channel matches"),
        ({"crop": {"rbg": (3, 3)}}, "rbg"),
    ):
        if said is None:
            dataset.windows(channels="rgb", **options)
            continue
        with pytest.raises(trajpack.UsageError, match=said) as caught:
            dataset.windows(channels="rgb", **options)
        assert caught.value.place == trajpack.ErrorPlace(option=next(iter(options))), options
    with pytest.raises(trajpack.UsageError, match="frames of a video"):
        dataset.windows(channels="camera/*", flip=0.5)
    with pytest.raises(trajpack.UsageError, match="pixels_of"):
        dataset.windows(channels=["rgb", "depth", "camera/K"], size={"rgb": (31, 48)})
    half = dataset.windows(channels=["rgb", "depth", "camera/K"], size={"rgb": (31, 48)}, pixels_of={"camera/K": "rgb"})
    np.testing.assert_allclose(next(iter(half))["camera/K"][0, 0, 2], (K[2] + .5) / 2 - .5)
    same = dataset.windows(channels=["rgb", "depth", "camera/K"], size={"rgb": (31, 48)},
                           pixels_of={"camera/K": "depth"})
    np.testing.assert_allclose(next(iter(same))["camera/K"][0, 0], K)
    with pytest.raises(trajpack.UsageError, match="does not lie inside"):
        dataset.episode(0)["rgb"].read([0], crop=(0, 90, 10, 10))
    with pytest.raises(trajpack.UsageError, match="native"):
        dataset.episode(0)["rgb"].read([0], crop=(0, 0, 10, 10), format="native")
    with pytest.raises(trajpack.UsageError, match="dtype"):
        dataset.windows(channels=["rgb", "camera/K"], crop=(10, 10), dtype={"camera/K": "int32"})
