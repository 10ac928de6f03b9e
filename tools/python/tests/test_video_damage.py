"""Videos that are damaged, replaced or missing: an error that names episode, stream and frame, and nothing else."""
from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from places import program
from video_world import convert, decoded, ffmpeg, needs_ffmpeg, recording

pytestmark = needs_ffmpeg
CODECS = {
    "h264": ("rgb.mp4", "-c:v libx264 -preset veryfast -threads 1 -bf 2 -g 10 -pix_fmt yuv420p"),
    "hevc": ("depth.mkv", "-c:v libx265 -preset ultrafast -pix_fmt gray -x265-params keyint=10:log-level=0"),
    "av1": ("rgb.mp4", "-c:v libsvtav1 -preset 12 -g 10 -pix_fmt yuv420p"),
    "vp9": ("depth.mkv", "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -b:v 200k -g 10"),
    "ffv1": ("depth.mkv", "-c:v ffv1 -level 3 -slicecrc 1 -g 5 -pix_fmt gray12le"),
    "mjpeg": ("depth.mkv", "-c:v mjpeg -pix_fmt yuvj420p"),
}


def make(folder: Path, codec: str, frames: int = 30) -> Path:
    """A recording of one video and its rows; without checksums of its container, which would refuse damage before it is
    taken."""
    name, options = CODECS[codec]
    recording(folder, frames)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30", "-frames:v", frames, *options.split(),
           *(["-write_crc32", 0] if name.endswith("mkv") else []), folder / name)
    return folder / name


def packets(dataset: trajpack.Dataset, stream: str) -> list[tuple[int, int]]:
    """Offset and size of each row's packet in the file."""
    table = dataset.episode(0)[stream]
    whole = b"".join(table["packet"][:])
    assert whole
    path = Path(dataset.path).parent / "source" / "e" / {"rgb": "rgb.mp4", "depth": "depth.mkv"}[stream]
    data = path.read_bytes()
    return [(data.index(p), len(p)) for p in table["packet"][:]]


@pytest.mark.parametrize("codec", list(CODECS))
def test_flipped_bits_in_packets(tmp_path: Path, codec: str) -> None:
    """Whatever is in a packet: a frame, or a DataError with episode, stream and frame. Never a crash, never a hang."""
    path = make(tmp_path / "source" / "e", codec)
    stream = path.stem
    clean = trajpack.open(convert(tmp_path / "source", tmp_path / "clean"))
    truth = clean.episode(0)[stream].read(format="native")
    places = packets(clean, stream)
    data = path.read_bytes()
    draw = np.random.default_rng(11)
    errors = 0
    for trial in range(6):
        spoilt = bytearray(data)
        for offset, size in (places[int(i)] for i in draw.integers(0, len(places), 1 + trial)):
            for _ in range(3):
                spoilt[offset + int(draw.integers(min(size - 1, 4), size))] ^= 1 << int(draw.integers(0, 8))
        path.write_bytes(spoilt)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        try:
            video = trajpack.open(convert(tmp_path / "source", tmp_path / "out")).episode(0)[stream]
        except Exception:
            continue  # refused before it was taken
        for frame in draw.permutation(len(video))[:10].tolist():
            try:
                assert video.read([frame], format="native").shape == truth[:1].shape
            except trajpack.DataError as error:
                errors += 1
                assert "stream" in str(error) and "episode 'e'" in str(error) and "frame" in str(error), error
        loader = trajpack.open(tmp_path / "out").windows(channels=[stream, "state/hp"], length=4, batch=3,
                                                        on_error="skip", drop_last=False)
        windows = sum(batch.count for batch in loader)
        # The loader has read ahead into the next epoch.
        assert windows <= loader.epoch_windows <= windows + loader.stats()["skipped"]
    assert errors > 0 or codec in ("mjpeg", "av1", "vp9", "hevc")


@pytest.mark.parametrize("taker", ["writer", "other"])
def test_damage_is_seen_when_others_take_the_log_of_ffmpeg(tmp_path: Path, taker: str) -> None:
    """FFV1 says in FFmpeg's log alone that a slice is damaged, and a process has one log: the library that writes videos has
    taken it from the one that reads them."""
    path = make(tmp_path / "source" / "e", "ffv1")
    clean = trajpack.open(convert(tmp_path / "source", tmp_path / "clean"))
    offset, size = packets(clean, "depth")[7]
    data = bytearray(path.read_bytes())
    data[offset + size // 2] ^= 4
    path.write_bytes(data)
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out"))
    for _ in range(2):
        with pytest.raises(trajpack.DataError, match=r"frame 8: packet 7 .*CRC"):
            dataset.episode(0)["depth"][8]
        if taker == "writer":
            shutil.rmtree(tmp_path / "written", ignore_errors=True)
            with trajpack.create(tmp_path / "written", rate=30) as writer, writer.episode("a") as episode:
                episode.video("rgb", np.zeros((5, 4, 4, 3), "u1"))
                episode.extend(x=np.arange(5.0))
        else:
            maps = Path("/proc/self/maps").read_text().split()
            for name in {word for word in maps if "/libavutil" in word}:
                library = ctypes.CDLL(name)
                library.av_log_set_callback(library.av_log_default_callback)
    with pytest.raises(trajpack.DataError, match=r"packet 7 .*CRC"):
        list(dataset.windows(channels="depth", length=4, batch=4, shuffle=False))


def test_cut_packet_is_named(tmp_path: Path) -> None:
    """A packet whose bytes are zeros: its frames fail, and all before its group are exact."""
    path = make(tmp_path / "source" / "e", "h264")
    clean = trajpack.open(convert(tmp_path / "source", tmp_path / "clean"))
    truth, places = clean.episode(0)["rgb"].read(format="native"), packets(clean, "rgb")
    data = bytearray(path.read_bytes())
    offset, size = places[20]
    data[offset:offset + size] = bytes(size)
    path.write_bytes(data)
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out"))
    video = dataset.episode(0)["rgb"]
    np.testing.assert_array_equal(video.read(range(20), format="native"), truth[:20])
    with pytest.raises(trajpack.DataError, match=r"stream 'rgb', episode 'e': frame 20: packet \d+ \(byte \d+"):
        video[20]
    with pytest.raises(trajpack.DataError, match="frame 2"):
        for _ in dataset.windows(channels="rgb", length=4, batch=4, shuffle=False):
            pass
    # It stays usable.
    np.testing.assert_array_equal(video.read([3], format="native")[0], truth[3])


def test_linked_files(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make(tmp_path / "source" / "e", "h264")
    out = convert(tmp_path / "source", tmp_path / "out", "--video", "link")
    truth = np.frombuffer(decoded(path), np.uint8).reshape(30, -1)
    with pytest.raises(trajpack.UsageError, match="the video is linked.*media="):
        trajpack.open(out).episode(0)["rgb"][0]
    with pytest.raises(trajpack.UsageError, match="no such folder"):
        trajpack.open(out, media=tmp_path / "nowhere")
    with pytest.raises(trajpack.UsageError, match="is not there"):
        trajpack.open(out, media=out).episode(0)["rgb"][0]

    dataset = trajpack.open(out, media=tmp_path)
    video = dataset.episode(0)["rgb"]
    np.testing.assert_array_equal(video.read([7], format="native")[0], truth[7])
    # Changed in place, as long as before: while it is open, and when it is opened again.
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(trajpack.DataError, match="changed while it was read"):
        video[7]
    with pytest.raises(trajpack.DataError, match="is not the file that was converted"):
        trajpack.open(out, media=tmp_path).episode(0)["rgb"][0]
    loader = trajpack.open(out, media=tmp_path).windows(channels="rgb", length=4, batch=4)
    with pytest.raises(trajpack.DataError, match="is not the file that was converted"):
        next(iter(loader))
    path.write_bytes(data)

    # A link that leads out of the folder.
    outside = tmp_path_factory.mktemp("outside") / "elsewhere.mp4"
    shutil.move(path, outside)
    path.symlink_to(outside)
    with pytest.raises(trajpack.UsageError, match="outside of the folder.*allow_outside"):
        trajpack.open(out, media=tmp_path).episode(0)["rgb"][0]
    video = trajpack.open(out, media=tmp_path, allow_outside=True).episode(0)["rgb"]
    np.testing.assert_array_equal(video.read([29], format="native")[0], truth[29])


def test_size_that_changes(tmp_path: Path) -> None:
    """A stream whose parameters change inside: frames of another size are an error, not another shape."""
    folder = recording(tmp_path / "source" / "e", 20)
    parts = []
    for size in ("96x64", "64x96"):
        part = tmp_path / f"{size}.h264"
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30", "-frames:v", 10, "-c:v", "libx264", "-pix_fmt",
               "yuv420p", "-bf", 0, part)
        parts.append(part.read_bytes())
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    ffmpeg("-f", "h264", "-framerate", 30, "-i", tmp_path / "both.h264", "-c", "copy", folder / "rgb.mp4")
    try:
        dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out"))
    except Exception:
        pytest.skip("this ffmpeg does not keep such a file")
    video = dataset.episode(0)["rgb"]
    assert video[0].shape == (64, 96, 3)
    with pytest.raises(trajpack.DataError, match="frame 1[0-9]"):
        video[15]


def test_metadata_that_claim_too_much(tmp_path: Path) -> None:
    """Sizes are refused before anything is allocated."""
    make(tmp_path / "source" / "e", "h264")
    out = convert(tmp_path / "source", tmp_path / "out")
    dataset = trajpack.open(out)
    for size in ((1, 1 << 20), (1 << 15, 1 << 15 | 1)):
        with pytest.raises(trajpack.UsageError, match="size"):
            dataset.episode(0)["rgb"].read([0], size=size)
        with pytest.raises(trajpack.UsageError, match="size"):
            dataset.windows(channels="rgb", length=4, batch=4, size=size)
    with pytest.raises(trajpack.UsageError, match="256 GiB"):
        dataset.windows(channels="rgb", length=4, size=(1 << 15, 1 << 15), batch=64)


def test_flat_memory_over_many_videos(tmp_path: Path) -> None:
    """Decoders and packet tables of 1,000 videos are bounded: by the loader's own count, and by what the process holds.

    A decoder of this size takes 1.4 MB, so keeping them all takes 1.4 GB: the bound on the process is wide, because it
    has to tell that from an allocator's gaps and nothing less. The allocator gives back what is free before anything is
    measured, and growth counts from when the caches are full."""
    first = make(tmp_path / "source" / "e0", "h264", frames=8)
    for number in range(1, 1000):
        folder = recording(tmp_path / "source" / f"e{number}", 8)
        os.link(first, folder / "rgb.mp4")
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out"))

    def resident() -> int:
        if hasattr(library := ctypes.CDLL(None), "malloc_trim"):
            library.malloc_trim(0)
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    loader = dataset.windows(channels="rgb", length=2, batch=16, threads=2, drop_last=False)
    windows, held, counted = 0, [], []
    while windows < 10_000:
        for batch in loader:
            windows += batch.count
            if windows >= 256 and windows // 16 % 16 == 0:
                held.append(resident())
                counted.append(loader.stats()["decoder_bytes"])
    stats: dict[str, Any] = loader.stats()
    assert len(held) > 20 and stats["frames"] >= 2 * windows
    assert 0 < max(counted) <= 64 << 20
    assert max(counted[2:]) - counted[1] < 8 << 20, counted
    assert max(held[2:]) - held[1] < 64 << 20, held


def test_mpeg_stream_of_an_unknown_codec(tmp_path: Path) -> None:
    """Its packets are pieces of no certain size, and were once taken for frames."""
    folder = recording(tmp_path / "in" / "one", 12)
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=30", "-frames:v", 12)
    ffmpeg(*source, "-c:v", "huffyuv", "-pix_fmt", "yuv422p", "-f", "vob", folder / "depth.mkv")
    done = subprocess.run([program(), "convert", tmp_path / "in", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 1 and "no codec that FFmpeg recognises" in done.stderr and "depth.mkv" in done.stderr
    assert not (tmp_path / "out").exists()
    ffmpeg(*source, "-c:v", "mpeg2video", "-f", "vob", folder / "depth.mkv")
    dataset = trajpack.open(convert(tmp_path / "in", tmp_path / "out"))
    assert len(dataset.episode("one")["depth"]) == 12 and dataset.episode("one")["depth"][3].std() > 1
