"""Depth in chunks comes out of episodes and windows as the video that it was made of, and needs no video library."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import program, surroundings
from video_world import convert, ffmpeg, needs_ffmpeg, recording

import trajpack


@pytest.fixture(scope="session")
def chunked(wildworld: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("chunked") / "ds"
    subprocess.run([program(), "transcode", "--quiet", wildworld, out, "--stream", "depth", "--to", "chunks"],
                   check=True, capture_output=True)
    return str(out)


def test_episode(wildworld: str, chunked: str) -> None:
    one, two = trajpack.open(wildworld), trajpack.open(chunked)
    for name in one.episodes.ids:
        if "depth" not in one.episode(name).streams:
            continue
        a, b = one.episode(name)["depth"], two.episode(name)["depth"]
        assert np.array_equal(a[:], b[:])
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.array_equal(a.read([7, 3, 3], size=(50, 77)), b.read([7, 3, 3], size=(50, 77)))
        assert np.array_equal(a["pts"][:], b["pts"][:])
        assert b.info["codec"] == "chunks" and b.info["groups"] == len(b)
        with pytest.raises(trajpack.UsageError, match="gray8"):
            b.read([0], format="rgb24")
        for crop, size in (((3, 5, 60, 70), None), ((0, 0, 180, 320), (90, 160)), ((100, 200, 80, 120), (33, 7))):
            assert np.array_equal(a.read([7, 3], crop=crop, size=size), b.read([7, 3], crop=crop, size=size))
        for options in ({"crop": (100, 200, 81, 120)}, {"format": "native", "size": (9, 9)},
                        {"format": "native", "crop": (0, 0, 9, 9)}):
            for frames in (a, b):
                with pytest.raises(trajpack.UsageError, match=r"crop|scaled"):
                    frames.read([0], **options)


@pytest.mark.parametrize("options", [
    {}, {"size": (45, 80)}, {"crop": (90, 120)}, {"crop": (11, 7, 90, 120), "size": (30, 40)},
    {"crop": (64, 64), "size": (100, 50), "flip": 0.5, "flip_world": {"camera/pos": (-1, 1, 1)}},
    {"flip": 1.0, "channels": ["depth"]},
])
def test_windows(wildworld: str, chunked: str, options: dict[str, Any]) -> None:
    batches = []
    for path in (wildworld, chunked):
        loader = trajpack.open(path).windows(**{"channels": ["depth", "camera/pos"], **options}, length=12, batch=3,
                                             seed=4, past=2)
        batches.append([{k: np.array(v) for k, v in batch.items()} for batch in loader])
    assert len(batches[0]) == len(batches[1]) > 3
    for a, b in zip(*batches, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            assert np.array_equal(a[key], b[key], equal_nan=a[key].dtype.kind == "f"), key


def test_no_video_library_is_loaded(chunked: str) -> None:
    code = (f"import trajpack\nds = trajpack.open({chunked!r})\n"
            "assert ds.episode('000001')['depth'][3].shape == (180, 320)\n"
            "next(iter(ds.windows(channels=['depth'], length=4, batch=2)))\n"
            "assert 'libavcodec' not in open('/proc/self/maps').read()\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=surroundings())
    assert done.returncode == 0, done.stderr


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["mjpeg -q:v 3", "libx264 -g 10"])
def test_full_range_formats_become_ffv1(tmp_path: Path, codec: str) -> None:
    """yuvj420p, which FFV1 does not name, is yuv420p of full range: the same planes, and the same colours."""
    folder = recording(tmp_path / "recordings" / "a", 12)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30", "-frames:v", 12, "-vf", "scale=out_range=pc", "-pix_fmt",
           "yuvj420p", "-c:v", *codec.split(), folder / "rgb.mp4")
    old = trajpack.open(convert(tmp_path / "recordings", tmp_path / "old", "--frame-hashes"))
    subprocess.run([program(), "transcode", tmp_path / "old", tmp_path / "new", "--quiet", "--stream", "rgb", "--to",
                    "intra:ffv1"], check=True)
    new = trajpack.open(tmp_path / "new").episode("a")["rgb"]
    assert new.info["codec"] == "ffv1" and new.info["color_range"] == "pc"
    was = old.episode("a")["rgb"]
    np.testing.assert_array_equal(new.read(format="native"), was.read(format="native"))
    np.testing.assert_array_equal(new[:], was[:])
    subprocess.run([program(), "verify", tmp_path / "new", "--frames"], check=True, capture_output=True)
