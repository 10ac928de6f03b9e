"""Folders of pictures instead of a video: a frame each, through the same path as every other video."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from places import program
from video_world import convert, decoded, needs_ffmpeg, recording

Image = pytest.importorskip("PIL.Image")
ROWS = 12
EXACT = "-vf scale=flags=bilinear+accurate_rnd+bitexact+full_chroma_int -pix_fmt rgb24"


def draw(kind: str, seed: int) -> Any:
    """Pictures of 48 × 36: PNG of a kind, or what becomes a JPEG."""
    random = np.random.default_rng(seed)
    if kind == "gray16":
        return random.integers(0, 65536, (36, 48), np.uint16)
    if kind == "gray8":
        return random.integers(0, 256, (36, 48), np.uint8)
    # Smooth, so that a JPEG of it says something.
    y, x = np.mgrid[0:36, 0:48]
    return np.stack([(x * 5 + seed * 9) % 256, (y * 7) % 256, (x + y + seed) % 256], -1).astype(np.uint8)


def sample(root: Path, kind: str, stream: str, ending: str, name: str = "e0") -> list[Any]:
    folder = recording(root / name, ROWS) / stream
    folder.mkdir()
    pictures = [draw(kind, i) for i in range(ROWS)]
    for i, picture in enumerate(pictures):
        # Natural order: frame 2 comes before frame 10.
        Image.fromarray(picture).save(folder / f"frame{i}{ending}")
    return pictures


def run(*words: Any, code: int = 0) -> str:
    done = subprocess.run([program(), *map(str, words)], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize(("kind", "stream"), [("rgb", "rgb"), ("gray8", "depth"), ("gray16", "depth")])
def test_png(tmp_path: Path, kind: str, stream: str) -> None:
    pictures = np.stack(sample(tmp_path / "source", kind, stream, ".png"))
    convert(tmp_path / "source", tmp_path / "ds", "--frame-hashes")
    ds = trajpack.open(tmp_path / "ds")
    video = ds.episode("e0")[stream]
    assert video.info["codec"] == "png" and len(video) == ROWS and video.dtype == pictures.dtype
    np.testing.assert_array_equal(video[:], pictures)
    np.testing.assert_array_equal(video[10], pictures[10])
    np.testing.assert_array_equal(video.read([3, 3, 0], crop=(4, 8, 20, 16)), pictures[[3, 3, 0], 4:24, 8:24])
    loader = ds.windows(channels=[stream, "state/*"], length=4, batch=3, meta=True, seed=2)
    seen = 0
    for batch in loader:
        for window, first in enumerate(batch["meta:row"]):
            np.testing.assert_array_equal(batch[stream][window], pictures[first:first + 4])
            seen += 1
    assert seen == 9
    run("verify", "--frames", tmp_path / "ds")
    # Every picture is a place to begin at, so that a random frame costs one.
    assert "a keyframe every 1," in run("info", tmp_path / "ds", "-e", "e0")
    # The same bytes of pictures come back, and read the same.
    run("export", tmp_path / "ds", tmp_path / "back", "--to", "wildworld")
    convert(tmp_path / "back", tmp_path / "again")
    np.testing.assert_array_equal(trajpack.open(tmp_path / "again").episode("e0")[stream][:], pictures)


@needs_ffmpeg
def test_jpeg(tmp_path: Path) -> None:
    sample(tmp_path / "source", "rgb", "rgb", ".jpg")
    convert(tmp_path / "source", tmp_path / "ds", "--frame-hashes")
    video = trajpack.open(tmp_path / "ds").episode("e0")["rgb"]
    assert video.info["codec"] == "mjpeg"
    for frame in (0, 2, 11):
        expected = decoded(tmp_path / "source" / "e0" / "rgb" / f"frame{frame}.jpg", EXACT)
        assert video[frame].tobytes() == expected
    assert "mjpeg" in video.stream.attributes.get("frame_hash", {}).get("decoder", "mjpeg")
    run("verify", "--frames", tmp_path / "ds")


def test_transcoded(tmp_path: Path) -> None:
    """Depth as PNG becomes chunks in the same pass."""
    pictures = np.stack(sample(tmp_path / "source", "gray16", "depth", ".png"))
    convert(tmp_path / "source", tmp_path / "ds", "--video", "depth=chunks")
    np.testing.assert_array_equal(trajpack.open(tmp_path / "ds").episode("e0")["depth"][:], pictures)


def test_what_cannot_be(tmp_path: Path) -> None:
    sample(tmp_path / "a", "rgb", "rgb", ".png")
    folder = tmp_path / "a" / "e0" / "rgb"
    assert "no video file to link to" in run("convert", tmp_path / "a", tmp_path / "ds", "--video", "link", code=2)
    convert(tmp_path / "a", tmp_path / "none", "--video", "drop")
    assert "rgb" not in trajpack.open(tmp_path / "none").episode(0).streams
    kept = (folder / "frame7.png").read_bytes()
    (folder / "frame7.png").write_bytes(b"no picture")
    assert "frame7.png has no PNG and no JPEG" in run("convert", tmp_path / "a", tmp_path / "ds", code=1)
    Image.fromarray(draw("rgb", 0)[:20]).save(folder / "frame7.png")
    said = run("convert", tmp_path / "a", tmp_path / "ds", code=1)
    assert "frame7.png is a PNG of 48 × 20" in said and "PNG of 48 × 36" in said
    (folder / "frame7.png").write_bytes(kept[:len(kept) // 2])
    said = run("convert", tmp_path / "a", tmp_path / "ds", "--frame-hashes", code=1)
    assert "frame 7" in said
    (folder / "frame7.png").unlink()
    assert "rgb/ 11" in run("convert", tmp_path / "a", tmp_path / "ds", code=1)
    assert not (tmp_path / "ds").exists() or not list((tmp_path / "ds").glob("shard*"))


def test_a_video_wins(tmp_path: Path) -> None:
    """A folder beside a video is left out, and that is said."""
    sample(tmp_path / "a", "gray8", "depth", ".png")
    convert(tmp_path / "a", tmp_path / "ds", "--video", "depth=intra")
    run("export", tmp_path / "ds", tmp_path / "b", "--to", "wildworld")
    (tmp_path / "b" / "e0" / "depth").mkdir()
    Image.fromarray(draw("gray8", 1)).save(tmp_path / "b" / "e0" / "depth" / "0.png")
    said = json.loads(run("convert", tmp_path / "b", tmp_path / "ds2", "--json"))
    assert "e0/depth" in json.dumps(said)
    assert len(trajpack.open(tmp_path / "ds2").episode("e0")["depth"]) == ROWS
