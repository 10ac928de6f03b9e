"""`trajpack validate --frames`: pictures against their camera, frames that do not decode, depth that is video."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from places import ROOT, program
from video_world import convert, needs_ffmpeg

sys.path.insert(0, str(ROOT / "tools" / "fuzz"))
import mutate  # noqa: E402

ROWS, HEIGHT, WIDTH = 240, 72, 128


def film(path: Path, pictures: np.ndarray, *codec: str) -> None:
    """Writes gray pictures as a video."""
    _, height, width = pictures.shape
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                    f"{width}x{height}", "-r", "30", "-i", "-", *(codec or ("-pix_fmt", "yuv420p")), str(path)],
                   input=np.ascontiguousarray(pictures).tobytes(), check=True, capture_output=True)


def shaken(folder: Path, seed: int, late: int = 0, kind: str = "shake", rows: int = ROWS) -> Path:
    """A recording whose camera pans over a texture; its pictures come ``late`` rows later than its positions."""
    rng = np.random.default_rng(seed)
    speed = np.abs(rng.normal(0, 2.0, rows + 20)) if kind != "even" else np.full(rows + 20, 1.5)
    place = np.cumsum(speed)
    texture = rng.uniform(0, 255, (HEIGHT // 4, int(place[-1]) // 4 + WIDTH)).repeat(4, 0).repeat(4, 1)
    pictures = []
    for row in range(rows):
        at = round(float(place[10 + row - late]))
        picture = texture[:HEIGHT, at:at + WIDTH] if kind != "noise" else rng.uniform(0, 255, (HEIGHT, WIDTH))
        pictures.append(picture.astype(np.uint8))
    folder.mkdir(parents=True)
    film(folder / "rgb.mp4", np.array(pictures))
    lines = ["frame,camera.K,camera.pos,camera.rot,hp"]
    for row in range(rows):
        x = place[10 + row] / 100 if kind != "still" else 1.0
        lines.append(f'{row},"(100.0, 100.0, 64.0, 36.0)","({x:.6f}, 0.0, 1.5)","(0.0, 0.0, 0.0, 1.0)",'
                     f"{90 - row / 10:.1f}")
    (folder / "state.csv").write_text("\n".join(lines) + "\n")
    return folder


def findings(path: Path, *words: Any) -> list[dict[str, Any]]:
    done = subprocess.run([program(), "validate", path, "--frames", "--json", "-q", "--select",
                           "time.frames,time.video-shift,geometry.depth-missing,geometry.depth-range", *words],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    out = json.loads(done.stdout)
    assert not any("--frames" in text for text in out["datasets"][0]["unchecked"])
    found: list[dict[str, Any]] = out["findings"]
    return found


@needs_ffmpeg
@pytest.mark.parametrize("planes", [1, 3])
def test_pictures_stored_without_loss_that_come_late(planes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    with trajpack.create(tmp_path / "ds", rate=30, channels={"camera/pos": {"kind": "position", "units": "m"}}) as writer:
        for number, late in enumerate((0, 2)):
            place = np.cumsum(np.abs(rng.normal(0, 2.0, ROWS + 20)))
            texture = rng.integers(0, 256, (HEIGHT // 4, int(place[-1]) // 4 + WIDTH), np.uint8).repeat(4, 0).repeat(4, 1)
            at = [round(float(place[10 + row - late])) for row in range(ROWS)]
            pictures = np.stack([texture[:HEIGHT, x:x + WIDTH] for x in at])
            positions = np.zeros((ROWS, 3))
            positions[:, 0] = place[10:10 + ROWS] / 100
            with writer.episode(f"e{number}") as episode:
                episode.extend({"camera": {"pos": positions}})
                episode.video("rgb", pictures if planes == 1 else np.stack([pictures] * planes, -1))
    (finding,) = findings(tmp_path / "ds")
    assert finding["rule"] == "time.video-shift" and finding["places"][0]["values"] == [2]
    assert finding["places"][0]["episode"] == "e1"


@needs_ffmpeg
@pytest.mark.parametrize("late", [1, 2, -3])
def test_pictures_that_come_late(late: int, tmp_path: Path) -> None:
    source = shaken(tmp_path / "part" / "000001", 1, late).parent
    shaken(source / "000002", 2)
    found = findings(convert(source, tmp_path / "ds", "--rate", "30"))
    assert [f["rule"] for f in found] == ["time.video-shift"]
    assert found[0]["count"] == 1 and found[0]["places"][0]["episode"] == "000001"
    assert found[0]["places"][0]["values"] == [abs(late)]
    assert ("later" in found[0]["message"]) == (late > 0)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["shake", "noise", "even", "still"])
def test_pictures_that_tell_no_shift(kind: str, tmp_path: Path) -> None:
    source = shaken(tmp_path / "part" / "000001", 3, 0 if kind == "shake" else 2, kind).parent
    assert findings(convert(source, tmp_path / "ds", "--rate", "30")) == []


@needs_ffmpeg
def test_without_frames_it_is_said(tmp_path: Path) -> None:
    source = shaken(tmp_path / "part" / "000001", 4, rows=40).parent
    ds = convert(source, tmp_path / "ds", "--rate", "30")
    out = json.loads(subprocess.run([program(), "validate", ds, "--json", "-q"], capture_output=True, text=True).stdout)
    assert any("--frames" in text for text in out["datasets"][0]["unchecked"])
    for words, sentence in ((("--frames", source), "is for datasets and shards"),):
        done = subprocess.run([program(), "validate", *words], capture_output=True, text=True)
        assert done.returncode == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1


@needs_ffmpeg
def test_frames_that_do_not_decode(tmp_path: Path) -> None:
    """Packets that are noise, put there before conversion: every checksum is right."""
    source = shaken(tmp_path / "part" / "000001", 5, rows=60).parent
    video = source / "000001" / "rgb.mp4"
    pictures = np.random.default_rng(0).integers(0, 255, (60, HEIGHT, WIDTH)).astype(np.uint8)
    film(video, pictures, "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")
    data = bytearray(video.read_bytes())
    # The start of a picture of JPEG, of the 21st.
    places = [i for i in range(len(data) - 3) if data[i:i + 3] == b"\xff\xd8\xff"]
    data[places[20]:places[20] + 600] = bytes(600)
    video.write_bytes(bytes(data))
    found = findings(convert(source, tmp_path / "ds", "--rate", "30"))
    assert [f["rule"] for f in found] == ["time.frames"]
    assert found[0]["count"] == 1 and found[0]["places"][0]["rows"] == [20, 21]


@needs_ffmpeg
def test_depth_that_is_video(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    wall = np.clip(rng.normal(120, 10, (60, HEIGHT, WIDTH)), 1, 255).astype(np.uint8)
    for name, scale, empty, rule in (("good", 0.02, (), None), ("millimetres", 20.0, (), "geometry.depth-range"),
                                     ("lost", 0.02, (7, 30), "geometry.depth-missing")):
        folder = tmp_path / name / "000001"
        shaken(folder, 7, rows=60)
        pictures = wall.copy()
        for row in empty:
            pictures[row] = 0
        film(folder / "depth.mkv", pictures, "-c:v", "ffv1", "-pix_fmt", "gray")
        ds = convert(folder.parent, tmp_path / f"{name}.ds", "--rate", "30", "--depth",
                     f"depth=linear:scale={scale},units=m,invalid=0")
        found = findings(ds)
        assert [f["rule"] for f in found] == ([rule] if rule else []), found
        if empty:
            assert found[0]["count"] == 2 and found[0]["places"][0]["rows"] == [7, 8]


@needs_ffmpeg
@pytest.mark.parametrize("stream", ["rgb", "depth"])
def test_planes_without_a_name(stream: str, tmp_path: Path) -> None:
    """Metadata whose pixel format nobody knows, so that there are no native planes: colours are looked at."""
    folder = tmp_path / "part" / "000001"
    shaken(folder, 8, rows=40)
    pictures = np.random.default_rng(0).integers(0, 255, (40, HEIGHT, WIDTH)).astype(np.uint8)
    film(folder / "depth.mkv", pictures, "-c:v", "ffv1", "-pix_fmt", "gray")
    [shard] = convert(folder.parent, tmp_path / "ds", "--rate", "30", "--codec", "none").glob("*.h5")
    forged = mutate.Forgery(shard.read_bytes())
    name = {"rgb": b'"pixel_format":"yuv420p"', "depth": b'"pixel_format":"gray"'}[stream]
    assert forged.sections[2].count(name) == 1
    forged.sections[2] = forged.sections[2].replace(name, name[:16] + b"?" * (len(name) - 17) + b'"')
    out = tmp_path / "forged.h5"
    out.write_bytes(forged.bytes())
    assert findings(out) == []
