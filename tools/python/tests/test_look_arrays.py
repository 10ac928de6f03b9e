"""Arrays of pixels and depth on the page and in films: each at its place, and at the row nearest in time."""
from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import program

import trajpack

ROWS, H, W = 12, 60, 80
Array = np.ndarray[Any, Any]
COLOURS = [(220, 40, 40), (40, 200, 60), (50, 80, 230), (200, 180, 40), (160, 60, 200), (60, 190, 190), (90, 90, 90)]


def run(*words: Any, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def world(folder: Path, cameras: int, depth: bool = True) -> Path:
    """Cameras of a colour each, darker at each row; camera 1 has twice as many rows and planes first."""
    channels: dict[str, Any] = {f"cam{c}/pixels": {"kind": "image"} for c in range(cameras)}
    arrays: dict[str, Any] = {"robot/q": np.arange(ROWS, dtype=np.float32)}
    rates = {"robot": 10}
    for c in range(cameras):
        rows = 2 * ROWS if c == 1 else ROWS
        rates[f"cam{c}"] = 20 if c == 1 else 10
        dim = np.linspace(1, .3, rows)[:, None, None, None]
        picture = (np.ones((rows, H, W, 1)) * np.array(COLOURS[c]) * dim).astype(np.uint8)
        arrays[f"cam{c}/pixels"] = picture.transpose(0, 3, 1, 2).copy() if c == 1 else picture
    if depth:
        channels["depth/depth"] = {"kind": "depth", "units": "m"}
        rates["depth"] = 10
        ramp = np.tile(np.linspace(.5, 20, W, dtype=np.float32), (ROWS, H, 1))
        ramp[:, :4] = np.nan
        arrays["depth/depth"] = ramp
    with trajpack.create(folder / "ds", rate=rates, channels=channels) as writer:
        writer.append("pick", arrays)
    return folder / "ds"


@pytest.mark.parametrize(("cameras", "columns"), [(1, 2), (2, 3), (3, 2), (5, 3)])
def test_a_film_has_all_of_them(tmp_path: Path, cameras: int, columns: int) -> None:
    ds = world(tmp_path, cameras)
    run("render", ds, "pick", "-o", tmp_path / "film.png", "--frames", "6", "--width", "800", "--quiet")
    shown = np.asarray(Image.open(tmp_path / "film.png").convert("RGB")).astype(int)
    each = (800 - 12 * (columns + 1)) / columns
    w = int(min(each, 2 * W)) // 2 * 2
    h = w * H // W // 2 * 2
    for c in range(cameras):
        x = int(12 + (each + 12) * (c % columns) + (each - w) / 2)
        y = 46 + (h + 12) * (c // columns)
        dim = np.linspace(1, .3, 2 * ROWS)[12] if c == 1 else np.linspace(1, .3, ROWS)[6]
        found = shown[y + h // 2:y + h - 3, x + 3:x + w - 3].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(found, np.array(COLOURS[c]) * dim, atol=2)
    # Depth is last: brighter to the right, darkest where there is none.
    x = int(12 + (each + 12) * (cameras % columns) + (each - w) / 2)
    y = 46 + (h + 12) * (cameras // columns)
    part = shown[y + h // 2:y + h - 3, x:x + w].sum(-1).mean(0)
    assert (np.diff(part) >= 0).mean() > .97 and part[-1] > 2 * part[0]


def test_a_film_names_what_it_has_no_room_for(tmp_path: Path) -> None:
    ds = world(tmp_path, 7)
    done = run("render", ds, "pick", "-o", tmp_path / "film.png", "--frames", "0", "--json")
    assert json.loads(done.stdout)["not_shown"] == ["cam6", "depth"]
    done = run("render", ds, "pick", "-o", tmp_path / "again.png", "--frames", "0")
    assert "there is no room for 'cam6', 'depth'" in done.stderr


def test_the_page_has_strips_of_them(tmp_path: Path) -> None:
    ds = world(tmp_path, 2)
    run("page", ds, "-o", tmp_path / "page.html", "--quiet")
    text = (tmp_path / "page.html").read_text()
    found = re.search(r'<script[^>]*id="e0"[^>]*>(.*?)</script>', text, re.S)
    assert found
    strips = {strip["name"]: strip for strip in json.loads(found[1])["strips"]}
    assert list(strips) == ["cam0", "cam1", "depth"]
    for c in range(2):
        strip = strips[f"cam{c}"]
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(strip["src"].split(",")[1])))).astype(int)
        count = len(strip["frames"])
        rows = 2 * ROWS if c == 1 else ROWS
        assert picture.shape == (strip["h"], strip["w"] * count, 3)
        for n, frame in enumerate(strip["frames"]):
            assert strip["times"][n] == pytest.approx(frame / (20 if c == 1 else 10))
            middle = picture[:, n * strip["w"] + 4:(n + 1) * strip["w"] - 4].reshape(-1, 3).mean(0)
            np.testing.assert_allclose(middle, np.array(COLOURS[c]) * np.linspace(1, .3, rows)[frame], atol=6)
