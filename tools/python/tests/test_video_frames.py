"""Any frame of a video, exactly that frame: ffmpeg's own decoding is the truth."""
from __future__ import annotations

import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from places import program
from video_world import convert, decoded, ffmpeg, make_videos, needs_ffmpeg

pytestmark = needs_ffmpeg
SCALER = "+accurate_rnd+bitexact+full_chroma_int"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The recordings of fixtures/make_videos.py, converted with the bytes embedded and linked."""
    root = tmp_path_factory.mktemp("videos")
    for case in make_videos.CASES:
        make_videos.make(case, root / "source" / case)
    embedded = convert(root / "source", root / "embed")
    linked = convert(root / "source", root / "link", "--video", "link")
    return root / "source", embedded, linked


def video_of(dataset: trajpack.Dataset, case: str) -> Any:
    name = make_videos.CASES[case][0].partition(".")[0]
    return dataset.episode(case)[name]


@pytest.mark.parametrize("case", list(make_videos.CASES))
def test_every_frame_in_any_order(world: tuple[Path, Path, Path], case: str) -> None:
    source, embedded, linked = world
    truth = decoded(source / case / make_videos.CASES[case][0])
    for dataset in (trajpack.open(embedded), trajpack.open(linked, media=source.parent)):
        video = video_of(dataset, case)
        frames = video.read(format="native")
        whole = np.frombuffer(truth, np.uint8).reshape(len(video), -1)
        np.testing.assert_array_equal(frames, whole)
        draw = np.random.default_rng(len(case))
        for frame in draw.permutation(len(video))[:20].tolist():
            np.testing.assert_array_equal(video.read([frame], format="native")[0], whole[frame], err_msg=str(frame))
        for _ in range(10):
            wanted = draw.integers(0, len(video), draw.integers(1, 9)).tolist()
            np.testing.assert_array_equal(video.read(wanted, format="native"), whole[wanted], err_msg=str(wanted))


@pytest.mark.parametrize("case", ["b-frames", "full-range", "bt709", "yuv444", "hevc-12", "mjpeg", "png", "odd-size",
                                  "vp9", "av1"])
def test_colours(world: tuple[Path, Path, Path], case: str) -> None:
    """rgb24 is what ffmpeg's scaler gives with the flags that the docs state."""
    source, embedded, _ = world
    video = video_of(trajpack.open(embedded), case)
    flags = f"-vf scale=flags=bilinear{SCALER} -pix_fmt rgb24"
    truth = np.frombuffer(decoded(source / case / make_videos.CASES[case][0], flags), np.uint8)
    height, width = video.info["height"], video.info["width"]
    np.testing.assert_array_equal(video[:], truth.reshape(-1, height, width, 3))
    np.testing.assert_array_equal(video[3:6], video[:][3:6])
    np.testing.assert_array_equal(video.read([5, 2], layout="TCHW"), video[[5, 2]].transpose(0, 3, 1, 2))
    small = f"-vf scale=40:24:flags=bilinear{SCALER} -pix_fmt rgb24"
    truth = np.frombuffer(decoded(source / case / make_videos.CASES[case][0], small), np.uint8)
    np.testing.assert_array_equal(video.read(size=(24, 40)), truth.reshape(-1, 24, 40, 3))


@pytest.mark.parametrize(("case", "dtype"), [
    ("hevc-lossless", "uint8"), ("open-gop-hevc", "uint8"), ("hevc-10", "<u2"), ("ffv1", "<u2"), ("ffv1-16", "<u2")])
def test_gray_is_the_stored_samples(world: tuple[Path, Path, Path], case: str, dtype: str) -> None:
    source, embedded, _ = world
    video = video_of(trajpack.open(embedded), case)
    truth = np.frombuffer(decoded(source / case / make_videos.CASES[case][0]), dtype).reshape(-1, 96, 160)
    assert video.dtype == np.dtype(dtype) and video.shape == truth.shape
    np.testing.assert_array_equal(video[:], truth)
    # The nearest sample, nothing between.
    rows, columns = (np.arange(31) * 2 + 1) * 96 // 62, (np.arange(77) * 2 + 1) * 160 // 154
    np.testing.assert_array_equal(video.read(size=(31, 77)), truth[:, rows][:, :, columns])


def test_brightness_of_colours(world: tuple[Path, Path, Path]) -> None:
    source, embedded, _ = world
    for case in ("b-frames", "full-range"):
        video = video_of(trajpack.open(embedded), case)
        truth = np.frombuffer(decoded(source / case / "rgb.mp4"), np.uint8).reshape(len(video), -1)
        np.testing.assert_array_equal(video.read(format="gray8").reshape(len(video), -1), truth[:, :96 * 160])
    with pytest.raises(trajpack.UsageError, match="no plane of brightness"):
        video_of(trajpack.open(embedded), "png").read(format="gray8")
    with pytest.raises(trajpack.UsageError, match="no plane of brightness of 9 to 16"):
        video_of(trajpack.open(embedded), "b-frames").read(format="gray16")


def test_what_a_video_says(world: tuple[Path, Path, Path]) -> None:
    _, embedded, _ = world
    dataset = trajpack.open(embedded)
    rotated = video_of(dataset, "rotated").info
    assert rotated["rotation"] in (90.0, 270.0) and rotated["shape"] == [96, 160, 3]
    info = video_of(dataset, "full-range").info
    assert (info["color_range"], info["color_space"], info["codec"]) == ("pc", "bt709", "h264")
    hidden = dataset.episode("edit-list").tracks[0].metadata["hidden_packets"]
    assert hidden and all(len(packet) == 5 for packet in hidden)
    assert "60 frames, h264 160 x 96 yuv420p, embed" in repr(video_of(dataset, "b-frames"))
    pts = video_of(dataset, "variable-rate")["pts"][:]
    assert len(set(np.diff(pts).tolist())) > 1


def test_indexing(world: tuple[Path, Path, Path]) -> None:
    _, embedded, _ = world
    video = video_of(trajpack.open(embedded), "b-frames")
    whole = video[:]
    assert whole.shape == video.shape == (60, 96, 160, 3) and whole.dtype == np.uint8
    np.testing.assert_array_equal(video[-1], whole[-1])
    np.testing.assert_array_equal(video[50:3:-7], whole[50:3:-7])
    np.testing.assert_array_equal(video[[4, 4, 0]], whole[[4, 4, 0]])
    np.testing.assert_array_equal(video[10:12, :5, 7], whole[10:12, :5, 7])
    mask = np.zeros(60, bool)
    mask[[3, 40]] = True
    np.testing.assert_array_equal(video[mask], whole[mask])
    assert video[5:5].shape == (0, 96, 160, 3)
    with pytest.raises(IndexError, match="no row 60"):
        video[60]
    with pytest.raises(trajpack.UsageError, match="no frame 60"):
        video.read([60])
    with pytest.raises(trajpack.UsageError, match="'format'"):
        video.read([0], format="rgb")


def _png(data: bytes) -> tuple[dict[str, int], np.ndarray[Any, Any]]:
    """Reads a PNG whose rows all have the filter "up"."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, head, packed = 8, b"", b""
    while at < len(data):
        length, name = int.from_bytes(data[at:at + 4]), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(name + body) == int.from_bytes(data[at + 8 + length:at + 12 + length])
        head, packed = body if name == b"IHDR" else head, packed + (body if name == b"IDAT" else b"")
        at += 12 + length
    width, height, bits, colour = int.from_bytes(head[:4]), int.from_bytes(head[4:8]), head[8], head[9]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 2).all()
    rows = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    if colour == 2:
        return {"bits": bits}, rows.reshape(height, width, 3)
    return {"bits": bits}, rows.view(">u2") if bits == 16 else rows


@pytest.mark.parametrize(("case", "bits"), [("b-frames", 8), ("hevc-lossless", 8), ("ffv1", 16)])
def test_picture(world: tuple[Path, Path, Path], tmp_path: Path, case: str, bits: int) -> None:
    source, embedded, linked = world
    stream = make_videos.CASES[case][0].partition(".")[0]
    out = tmp_path / "frame.png"
    run = subprocess.run([program(), "frame", embedded, case, stream, "7", "-o", out], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    facts, pixels = _png(out.read_bytes())
    assert facts["bits"] == bits
    np.testing.assert_array_equal(pixels, video_of(trajpack.open(embedded), case)[7])
    again = subprocess.run([program(), "frame", embedded, case, stream, "7", "-o", out], capture_output=True, text=True)
    assert again.returncode == 2 and "is there already" in again.stderr
    far = subprocess.run([program(), "frame", embedded, case, stream, "700", "-o", tmp_path / "b.png"],
                         capture_output=True, text=True)
    assert far.returncode == 2 and "there is no frame 700" in far.stderr and not (tmp_path / "b.png").exists()
    other = tmp_path / "linked.png"
    blind = subprocess.run([program(), "frame", linked, case, stream, "7", "-o", other], capture_output=True, text=True)
    assert blind.returncode == 2 and "--media" in blind.stderr and not other.exists()
    subprocess.run([program(), "frame", linked, case, stream, "7", "-o", other, "--media", source.parent], check=True,
                   capture_output=True)
    assert other.read_bytes() == out.read_bytes()


def test_truncated_rows_need_packets_after_them(tmp_path: Path) -> None:
    """Rows that --on-mismatch truncate leaves may refer to frames after the last row."""
    folder = tmp_path / "source" / "a"
    folder.mkdir(parents=True)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=30", "-frames:v", 40, "-c:v", "libx264", "-bf", 5,
           "-b_strategy", 0, "-g", 30, "-pix_fmt", "yuv420p", folder / "rgb.mp4")
    (folder / "state.csv").write_text("frame,hp\n" + "".join(f"{i},{i}\n" for i in range(21)))
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out", "--on-mismatch", "truncate"))
    video = dataset.episode("a")["rgb"]
    assert len(video) == 21
    assert video.tracks[0].metadata["hidden_packets"]
    whole = np.frombuffer(decoded(folder / "rgb.mp4"), np.uint8).reshape(40, -1)
    np.testing.assert_array_equal(video.read(format="native"), whole[:21])
    np.testing.assert_array_equal(video.read([20], format="native"), whole[20:21])
