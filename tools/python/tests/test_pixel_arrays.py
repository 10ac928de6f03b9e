"""Arrays of pixels in windows: parts, sizes, layouts, mirrored ones, as frames of videos; Pillow is the witness."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import trajpack

ROWS, H, W = 12, 37, 50
K = np.array([40.0, 42.0, 24.5, 18.25], np.float32)
Array = np.ndarray[Any, Any]


def pictures(seed: int) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    rgb = draw.integers(0, 256, (ROWS, H, W, 3), dtype=np.uint8)
    depth = draw.normal(2, 1, (ROWS, H, W)).astype(np.float32)
    depth[draw.random(depth.shape) < .05] = np.nan
    return {
        "cam/rgb": rgb, "cam/planes": rgb.transpose(0, 3, 1, 2).copy(),
        "cam/gray": draw.integers(0, 256, (ROWS, H, W, 1), dtype=np.uint8),
        "cam/rgb16": draw.integers(0, 65536, (ROWS, H, W, 3), dtype=np.uint16),
        "cam/rgbf": draw.random((ROWS, H, W, 3), np.float32),
        "cam/depth": depth, "cam/depth16": draw.integers(0, 65536, (ROWS, H, W), dtype=np.uint16),
        "cam/mask": draw.integers(0, 9, (ROWS, H, W), dtype=np.int32), "cam/K": np.tile(K, (ROWS, 1)),
        "cam/px": draw.random((ROWS, 4, 2), np.float32) * 30,
        "body/pos": draw.normal(size=(ROWS, 3)).astype(np.float32),
        "body/many": draw.integers(0, 256, (ROWS, 2, 4, 5, 3), dtype=np.uint8),
        "body/points": draw.normal(size=(ROWS, H, W, 3)).astype(np.float32),
    }


KINDS: dict[str, Any] = {
    "cam/rgb": {"kind": "image"}, "cam/planes": {"kind": "image"}, "cam/gray": {"kind": "image"},
    "cam/rgb16": {"kind": "image"}, "cam/rgbf": {"kind": "image"}, "cam/depth": {"kind": "depth", "units": "m"},
    "cam/depth16": {"kind": "depth"}, "cam/mask": {"kind": "label"},
    "cam/K": {"kind": "intrinsics", "conventions": {"order": "fx fy cx cy"}},
    "cam/px": {"kind": "position", "units": "px"}, "body/pos": {"kind": "position"}, "body/many": {"kind": "image"},
    "body/points": {"kind": "position", "units": "m"}}


@pytest.fixture(scope="module")
def given() -> list[dict[str, Array]]:
    return [pictures(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, given: list[dict[str, Array]]) -> trajpack.Dataset:
    path = tmp_path_factory.mktemp("pixels") / "ds"
    with trajpack.create(path, rate=10, channels=KINDS, chunk_rows=5) as writer:
        for i, arrays in enumerate(given):
            writer.append(f"e{i}", arrays)
    return trajpack.open(path)


def nearest(picture: Array, size: tuple[int, int]) -> Array:
    h, w = picture.shape[:2]
    y = (2 * np.arange(size[0]) + 1) * h // (2 * size[0])
    x = (2 * np.arange(size[1]) + 1) * w // (2 * size[1])
    return picture[y][:, x]


def triangle(picture: Array, size: tuple[int, int]) -> Array:
    """Pillow's filter, along rows and then along columns; of floats a plane at a time."""
    def scaled(image: Image.Image) -> Array:
        for shape in ((size[1], image.height), (size[1], size[0])):
            image = image.resize(shape, Image.Resampling.BILINEAR)
        return np.asarray(image)

    if picture.dtype == np.uint8:
        return scaled(Image.fromarray(picture))
    return np.stack([scaled(Image.fromarray(picture[..., c].astype(np.float32)))
                     for c in range(picture.shape[-1])], -1)


def windows(dataset: trajpack.Dataset, channels: list[str], **options: Any) -> Any:
    return dataset.windows(channels=channels, length=2, batch=4, meta=True, drop_last=False, **options)


def rows(batch: Any, given: list[dict[str, Array]], name: str) -> Any:
    for b in range(batch.count):
        row = int(batch["meta:row"][b])
        yield b, given[int(batch["meta:episode"][b])][name][row:row + 2]


def test_plain_rows_stay_as_they_are(dataset: trajpack.Dataset, given: list[dict[str, Array]]) -> None:
    for batch in windows(dataset, ["cam/*"], seed=1):
        for name in given[0]:
            if name.startswith("cam/"):
                for b, expected in rows(batch, given, name):
                    np.testing.assert_array_equal(batch[name][b], expected)


@pytest.mark.parametrize("seed", range(6))
def test_parts_and_sizes(dataset: trajpack.Dataset, given: list[dict[str, Array]], seed: int) -> None:
    draw = np.random.default_rng(seed)
    h, w = int(draw.integers(1, H + 1)), int(draw.integers(1, W + 1))
    top, left = int(draw.integers(0, H - h + 1)), int(draw.integers(0, W - w + 1))
    size = (int(draw.integers(1, 2 * H)), int(draw.integers(1, 2 * W)))
    names = ["cam/rgb", "cam/planes", "cam/gray", "cam/rgb16", "cam/rgbf", "cam/depth", "cam/depth16", "cam/mask"]
    crop = {name: (top, left, h, w) for name in names}
    for options in ({"crop": crop}, {"size": dict.fromkeys(names, size)},
                    {"crop": crop, "size": dict.fromkeys(names, size), "layout": "TCHW"}):
        if seed % 2 and "crop" in options:
            options = {**options, "crop": {**crop, "*": (top, left, h, w)}}
        batch = next(iter(windows(dataset, names, seed=seed, **options)))
        for name in names:
            for b, whole in rows(batch, given, name):
                for t in range(2):
                    picture = whole[t].transpose(1, 2, 0) if name == "cam/planes" else whole[t]
                    part = picture[top:top + h, left:left + w] if "crop" in options else picture
                    if "size" in options:
                        is_mixed = name in ("cam/rgb", "cam/planes", "cam/rgb16", "cam/rgbf")
                        part = (triangle if is_mixed else nearest)(part, size)
                    if part.ndim == 3 and ("layout" in options or name == "cam/planes"):
                        part = part.transpose(2, 0, 1)
                    found = batch[name][b, t]
                    assert found.shape == part.shape and found.dtype == whole.dtype
                    if name in ("cam/rgb16", "cam/rgbf"):
                        np.testing.assert_allclose(found, part, rtol=1e-4, atol=.51 if name == "cam/rgb16" else 1e-5)
                    else:
                        np.testing.assert_array_equal(found, part)


def moved(x: Any, y: Any, top: int, left: int, flip: bool) -> tuple[Any, Any]:
    """Where a pixel of the part [20, 30] at a place goes, in pictures of [10, 60]."""
    x, y = (x - left + .5) * 2 - .5, (y - top + .5) / 2 - .5
    return (59 - x if flip else x), y


def test_drawn_parts_are_shared_and_followed(dataset: trajpack.Dataset, given: list[dict[str, Array]]) -> None:
    names = ["cam/rgb", "cam/depth", "cam/K", "cam/px"]
    options: dict[str, Any] = {"crop": (20, 30), "size": (10, 60), "flip": .5, "seed": 5}
    seen: dict[tuple[int, int], tuple[int, int, bool]] = {}

    def scaled(picture: Array, top: int, left: int, flip: bool) -> Array:
        return nearest(picture[top:top + 20, left:left + 30], (10, 60))[:, ::-1 if flip else 1]

    for epoch in range(2):
        for batch in windows(dataset, names, **options):
            for b, k in rows(batch, given, "cam/K"):
                cx, cy = (float(x) for x in batch["cam/K"][b, 0, 2:])
                part = [d for d in batch["cam/depth"][b]]
                whole = next(w for n, w in rows(batch, given, "cam/depth") if n == b)
                fits = [(top, left, flip) for top in range(H - 19) for left in range(W - 29) for flip in (False, True)
                        if all(np.array_equal(scaled(whole[t], top, left, flip), part[t], equal_nan=True)
                               for t in range(2))]
                assert len(fits) == 1
                top, left, flip = fits[0]
                colours = next(w for n, w in rows(batch, given, "cam/rgb") if n == b)
                for t in range(2):
                    expected = triangle(np.ascontiguousarray(colours[t][top:top + 20, left:left + 30]), (10, 60))
                    np.testing.assert_array_equal(batch["cam/rgb"][b, t], expected[:, ::-1] if flip else expected)

                np.testing.assert_allclose((cx, cy), moved(24.5, 18.25, *fits[0]), atol=1e-4)
                np.testing.assert_allclose(batch["cam/K"][b, 0, :2], [80, 21], rtol=1e-6)
                points = next(w for n, w in rows(batch, given, "cam/px") if n == b)
                expected = np.stack(moved(points[..., 0], points[..., 1], *fits[0]), -1)
                np.testing.assert_allclose(batch["cam/px"][b], expected, rtol=1e-4, atol=1e-3)
                seen[epoch, int(batch["meta:window"][b])] = fits[0]
    assert len(set(seen.values())) > 20 and {flip for _, _, flip in seen.values()} == {True, False}
    for batch in dataset.windows(channels=["cam/K", "cam/rgb"], length=2, batch=3, meta=True, threads=1, rank=1,
                                 world_size=2, **options):
        for b in range(batch.count):
            top, left, flip = seen[0, int(batch["meta:window"][b])]
            np.testing.assert_allclose(batch["cam/K"][b, 0, 2:], moved(24.5, 18.25, top, left, flip), atol=1e-4)


def test_types_normalised_and_metric(dataset: trajpack.Dataset, given: list[dict[str, Array]]) -> None:
    batch = next(iter(windows(dataset, ["cam/rgb", "cam/depth"], size=(9, 8), depth="cm",
                              dtype={"cam/rgb": "float32"}, normalize={"cam/rgb": "minmax"})))
    low = min(int(g["cam/rgb"].min()) for g in given)
    high = max(int(g["cam/rgb"].max()) for g in given)
    for b, whole in rows(batch, given, "cam/rgb"):
        expected = (np.stack([triangle(p, (9, 8)) for p in whole]).astype("f8") - low) / (high - low) * 2 - 1
        np.testing.assert_allclose(batch["cam/rgb"][b], expected, atol=1e-5)
    for b, whole in rows(batch, given, "cam/depth"):
        metres = np.stack([nearest(p, (9, 8)) for p in whole])
        metres[metres < 0] = np.nan
        np.testing.assert_allclose(batch["cam/depth"][b], metres * 100, rtol=1e-5)
        np.testing.assert_array_equal(batch["observed:cam/depth"][b], ~np.isnan(metres))


def test_between_rows_the_nearest_picture_counts(dataset: trajpack.Dataset, given: list[dict[str, Array]]) -> None:
    batch = next(iter(dataset.windows(channels=["cam/rgb", "cam/depth16"], length=4, rate=16, batch=1, meta=True,
                                      shuffle=False, size=(5, 4))))
    for t in range(4):
        row = int(np.floor(t * 10 / 16 + .5 - 1e-9))
        np.testing.assert_array_equal(batch["cam/rgb"][0, t], triangle(given[0]["cam/rgb"][row], (5, 4)))
        np.testing.assert_array_equal(batch["cam/depth16"][0, t], nearest(given[0]["cam/depth16"][row], (5, 4)))
    last = next(iter(dataset.windows(channels=["cam/depth16"], length=4, rate=16, batch=1, shuffle=False,
                                     align="asof")))
    np.testing.assert_array_equal(last["cam/depth16"][0], given[0]["cam/depth16"][[0, 0, 1, 1]])


def test_what_cannot_be(dataset: trajpack.Dataset) -> None:
    """Each error names the option, for programs, too."""
    mask = {"channels": ["cam/rgb", "cam/mask"]}
    for options, option, said in (
            ({"channels": ["body/pos"], "size": (4, 4)}, "size", "option 'size' is for windows with pictures"),
            ({"channels": ["body/pos"], "layout": "TCHW"}, "layout", "option 'layout' is for windows with pictures"),
            ({"channels": ["body/pos"], "flip": .5}, "flip", "option 'flip' is for windows with pictures"),
            ({"channels": ["cam/rgb"], "pixels": "gray8"}, "pixels",
             "option 'pixels' is for windows with frames of a video"),
            ({"channels": ["cam/rgb"], "pixels": {"cam/rgb": "gray8"}}, "pixels", "'pixels': 'cam/rgb' is an array"),
            ({"channels": ["body/pos"], "size": {"body/pos": (4, 4)}}, "size",
             r"a row of 'body/pos' is float32 \[3\], which is no picture"),
            ({"channels": ["body/many"], "size": (3, 3)}, "size", "option 'size' is for windows with pictures"),
            ({"channels": ["cam/rgb"], "size": (0, 3)}, "size", "integer from 1 to"),
            ({"channels": ["cam/rgb"], "layout": {"cam/rbg": "TCHW"}}, "layout", "did you mean 'cam/rgb'"),
            ({"channels": ["cam/rgb"], "layout": "CHW"}, "layout", "'THWC', 'TCHW'"),
            ({"channels": ["body/many", "cam/rgb"], "flip": .5}, "flip",
             r"'body/many' is \[2, 4, 5, 3\], which is no picture that"),
            ({"channels": ["cam/rgb"], "crop": (38, 5)}, "crop",
             "5 × 38 pixels do not lie inside the pictures of 'cam/rgb', which are 50 × 37"),
            ({"channels": ["cam/rgb"], "crop": (1, 46, 5, 5)}, "crop",
             "5 × 5 pixels at left 46, top 1 do not lie inside"),
            ({"channels": ["cam/rgb", "body/pos"], "flip": .5}, "flip", r"'body/pos' \(position\) tells left from right"),
            ({"channels": ["cam/rgb", "cam/depth", "cam/K"], "size": {"cam/rgb": (4, 4)}}, "pixels_of",
             "'cam/rgb' and 'cam/depth' are so each in its own way: say whose pixels"),
            ({"channels": ["cam/rgb", "cam/K"], "size": (4, 4), "pixels_of": {"cam/K": "cam/rbg"}}, "pixels_of",
             "did you mean 'cam/rgb'"),
            ({"channels": ["cam/rgb", "cam/K"], "size": (4, 4), "dtype": {"cam/K": "int32"}}, "dtype",
             "cannot hold: give it a float type"),
            ({"channels": ["cam/rgb"], "normalize": "minmax", "dtype": {"cam/rgb": "uint8"}}, None, None),
            ({"channels": ["cam/rgb"], "normalize": {"cam/rgb": "minmax"}, "dtype": {"cam/rgb": "uint8"}}, "dtype",
             "normalised to fractions"),
            ({"channels": ["cam/depth"], "normalize": {"cam/depth": "minmax"}, "depth": "cm"}, "normalize",
             "is to be distances"),
            ({"channels": ["cam/depth"], "depth": "cm", "dtype": {"cam/depth": "int32"}}, "dtype", "cut off"),
            ({"channels": ["cam/mask"], "size": {"cam/mask": (4, 4)}, "normalize": {"cam/mask": "minmax"}}, "normalize",
             "kind label"),
            ({**mask, "flip": .5}, "flip", r"'cam/mask' is \[37, 50\], as large as the pictures of 'cam/rgb', and it is not "
             r"known to be a picture.*layout=\{\"cam/mask\": \"THWC\"\}.*flip_world=\{\"cam/mask\": \[1\]\}"),
            ({**mask, "flip": .5, "flip_world": {"cam/mask": -1}, "dtype": {"cam/mask": "float32"}}, "flip_world",
             "would be multiplied without being mirrored"),
            ({"channels": ["cam/rgb", "body/points"], "flip": .5, "layout": {"body/points": "THWC"}}, "flip",
             r"'body/points' \(position\) is named as a picture, whose places would be mirrored"),
            ({"channels": ["cam/rgb", "body/points"], "flip": .5, "flip_world": {"body/points": [-1, 1, 1]}}, "flip_world",
             "would be multiplied without being mirrored"),
    ):
        if option is None:
            dataset.windows(length=2, batch=1, **options)
            continue
        with pytest.raises(trajpack.UsageError, match=said) as caught:
            dataset.windows(length=2, batch=1, **options)
        assert caught.value.place == trajpack.ErrorPlace(option=option), options
    batch = next(iter(windows(dataset, ["cam/rgb", "cam/depth", "cam/K"], size={"cam/rgb": (74, 25)},
                              pixels_of={"cam/K": "cam/rgb"})))
    np.testing.assert_allclose(batch["cam/K"][0, 0], [20, 84, 12, 37], rtol=1e-6)


def test_masks_are_mirrored_by_name(dataset: trajpack.Dataset, given: list[dict[str, Array]]) -> None:
    """What is as large as the pictures is mirrored with them where it is named, and else left as it is only on request."""
    named = windows(dataset, ["cam/rgb", "cam/mask"], flip=.5, layout={"cam/mask": "THWC"}, seed=2)
    kept = windows(dataset, ["cam/rgb", "cam/mask"], flip=.5, flip_world={"cam/mask": 1}, seed=2)
    seen = set()
    for one, other in zip(named, kept, strict=True):
        for b, colours in rows(one, given, "cam/rgb"):
            mask = given[int(one["meta:episode"][b])]["cam/mask"][int(one["meta:row"][b]):][:2]
            flip = not np.array_equal(one["cam/rgb"][b], colours)
            step = -1 if flip else 1
            np.testing.assert_array_equal(one["cam/rgb"][b], colours[:, :, ::step])
            np.testing.assert_array_equal(one["cam/mask"][b], mask[:, :, ::step])
            np.testing.assert_array_equal(other["cam/rgb"][b], colours[:, :, ::step])
            np.testing.assert_array_equal(other["cam/mask"][b], mask)
            seen.add(flip)
    assert seen == {False, True}
