"""Videos that a writer is given: files, pictures, packets and arrays, each read back as ffmpeg or numpy has it."""
from __future__ import annotations

import datetime
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from numpy.typing import NDArray
from places import program
from trajpack import DataError, UsageError
from trajpack._frames import png
from video_world import decoded, needs_ffmpeg

pytestmark = needs_ffmpeg
SOURCE = "-f lavfi -i testsrc2=size=48x32:rate=30"


def ffmpeg(path: Path, options: str, frames: int = 12) -> Path:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *SOURCE.split(), "-frames:v", str(frames), *options.split()]
    subprocess.run([*command, path], check=True, capture_output=True)
    return path


def film(folder: Path, name: str = "film.mp4", frames: int = 12) -> Path:
    """With frames that are shown in another order than they are decoded."""
    return ffmpeg(folder / name, "-c:v libx264 -bf 2 -g 6 -pix_fmt yuv420p", frames)


def access_units(path: Path, kind: str) -> list[bytes]:
    """The access units of a stream that has a delimiter before each."""
    mark = b"\0\0\0\1\x09" if kind == "h264" else b"\0\0\0\1\x46\1"
    return [mark + part for part in path.read_bytes().split(mark)[1:]]


def pictures(seed: int, shape: tuple[int, ...], dtype: str = "u1") -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def native(dataset: Any, episode: str, stream: str) -> NDArray[Any]:
    out: NDArray[Any] = dataset.episode(episode)[stream].read(format="native")
    return out


def verified(path: Path) -> None:
    subprocess.run([program(), "verify", "--frames", path], check=True, capture_output=True)


def test_a_file_is_taken_over(tmp_path: Path) -> None:
    path = film(tmp_path)
    with trajpack.create(tmp_path / "ds", rate=30) as writer, writer.episode("a") as episode:
        episode.video("rgb", path)
        episode.extend(x=np.arange(12.0))
    dataset = trajpack.open(tmp_path / "ds")
    frames = native(dataset, "a", "rgb")
    assert frames.tobytes() == decoded(path)
    about = dataset.episode("a")["rgb"].tracks[0].metadata
    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (about["file"], about["codec"], about["stored"]) == ("film.mp4", "h264", "embed")
    batch = next(iter(dataset.windows(channels=["frames", "rgb"], length=4, batch=2)))
    assert batch["rgb"].shape[:2] == (2, 4) and batch["frames/x"].shape == (2, 4)
    verified(tmp_path / "ds")


@pytest.mark.parametrize(("shape", "dtype"), [((5, 16, 24), "u1"), ((5, 16, 24, 1), "u1"), ((5, 16, 24, 3), "u1"),
                                              ((5, 16, 24, 4), "u1"), ((5, 16, 24), "u2"), ((1, 1, 1, 3), "u1")])
def test_arrays_come_back(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    draw = pictures(1, shape, dtype)
    with trajpack.create(tmp_path / "ds", rate=10) as writer, writer.episode("a") as episode:
        episode.video("rgb", draw)
        episode.video("list", list(draw[::-1]))
    dataset = trajpack.open(tmp_path / "ds")
    for stream, wanted in (("rgb", draw), ("list", draw[::-1])):
        found = native(dataset, "a", stream)
        big = dataset.episode("a")[stream].info["pixel_format"].endswith("be")
        found = np.frombuffer(found.tobytes(), ">u2" if big else found.dtype)
        assert np.array_equal(found.reshape(wanted.shape), wanted), stream
    verified(tmp_path / "ds")


@pytest.mark.parametrize(("kind", "options"), [("png", "-c:v png -f image2"), ("jpg", "-c:v mjpeg -f image2")])
def test_pictures_are_kept(tmp_path: Path, kind: str, options: str) -> None:
    ffmpeg(tmp_path / f"p%03d.{kind}", options)
    files = sorted(tmp_path.glob(f"p*.{kind}"))
    with trajpack.create(tmp_path / "ds", rate=30) as writer, writer.episode("a") as episode:
        episode.video("rgb", (f.read_bytes() for f in files))
        episode.video("again", [bytearray(f.read_bytes()) for f in files], 0.5)
    dataset = trajpack.open(tmp_path / "ds")
    assert native(dataset, "a", "rgb").tobytes() == b"".join(decoded(f) for f in files)
    assert np.allclose(dataset.episode("a")["again"].times[:3], [0.5, 0.5 + 1 / 30, 0.5 + 2 / 30])
    verified(tmp_path / "ds")


@pytest.mark.parametrize("kind", ["h264", "hevc"])
def test_packets_of_a_camera(tmp_path: Path, kind: str) -> None:
    encoder = ("-c:v libx264 -x264-params aud=1:bframes=0:keyint=5" if kind == "h264" else
               "-s 192x128 -c:v libx265 -x265-params aud=1:bframes=0:keyint=5:repeat-headers=1:log-level=none")
    path = ffmpeg(tmp_path / f"film.{kind}", f"{encoder} -pix_fmt yuv420p -f {kind}")
    packets = access_units(path, kind)
    assert len(packets) == 12
    times = np.arange(12) * 40_000_000 + np.arange(12) ** 2
    with trajpack.create(tmp_path / "ds", streams={"rgb": {"tick": "1/1000000000"}}) as writer:
        with writer.episode("a") as episode:
            episode.video("rgb", packets, times)
    dataset = trajpack.open(tmp_path / "ds")
    assert native(dataset, "a", "rgb").tobytes() == decoded(path)
    assert dataset.episode("a")["rgb"]["time"][:].tolist() == times.tolist()
    # A single frame is decoded from the keyframe before it.
    one = dataset.episode("a")["rgb"].read([7], format="native")
    assert one.tobytes() == native(dataset, "a", "rgb")[7:8].tobytes()
    verified(tmp_path / "ds")


@pytest.mark.parametrize("times", [np.arange(5) * 0.1 + 3, [datetime.datetime(2026, 1, 1, 0, 0, s) for s in range(5)]])
def test_times(tmp_path: Path, times: Any) -> None:
    with trajpack.create(tmp_path / "ds") as writer:
        for name in "ab":
            with writer.episode(name) as episode:
                episode.video("rgb", pictures(2, (5, 4, 4, 3)), times)
                episode.extend({"arm": {"x": np.arange(5.0)}}, time=times)
    for name in "ab":
        episode = trajpack.open(tmp_path / "ds").episode(name)
        assert np.array_equal(episode["rgb"].times, episode["arm"].times)


def test_many_episodes_are_joined(tmp_path: Path) -> None:
    """Their order and bytes stay, in small shards, joined ones, after close, and where a writer goes on."""
    truth = {f"e{n:02}": pictures(n, (2 + n % 3, 6, 8, 3)) for n in range(40)}
    names = list(truth)
    path = tmp_path / "ds"
    with trajpack.create(path, rate=5, schema={"rgb": "video", "x": {"dtype": "float32"}}) as writer:
        for name in names[:35]:
            with writer.episode(name) as episode:
                episode.video("rgb", truth[name])
                episode.extend(x=np.arange(len(truth[name]), dtype="f4"))
        assert writer.stats()["joins"] > 0
    with trajpack.create(path, mode="a", rate=5) as writer:
        for name in names[35:]:
            with writer.episode(name) as episode:
                episode.extend(x=np.arange(len(truth[name]), dtype="f4"))
                episode.video("rgb", truth[name])
    dataset = trajpack.open(path)
    assert list(dataset.episodes.ids) == names
    for name, wanted in truth.items():
        assert np.array_equal(dataset.episode(name)["rgb"].read(), wanted), name
    assert len(list(path.glob("shard-*"))) == 1
    verified(path)
    # The streams of one data set are the schema of another.
    with trajpack.create(tmp_path / "other", rate=5, schema=dataset.streams) as writer:
        with writer.episode("a") as episode:
            episode.video("rgb", truth["e00"])
    assert np.array_equal(trajpack.open(tmp_path / "other").episode("a")["rgb"].read(), truth["e00"])


def test_goes_on_where_a_conversion_ended(tmp_path: Path) -> None:
    """A data set with a video that the program converted gets more episodes."""
    from video_world import recording
    source = recording(tmp_path / "in" / "000001", 12)
    film(source, "rgb.mp4")
    subprocess.run([program(), "convert", tmp_path / "in", tmp_path / "ds", "--quiet"], check=True, capture_output=True)
    streams = trajpack.open(tmp_path / "ds").streams
    with trajpack.create(tmp_path / "ds", mode="a") as writer, writer.episode("more") as episode:
        episode.video("rgb", source / "rgb.mp4")
        episode.extend({"state": {c: np.arange(12, dtype=streams["state"][c].type) for c in streams["state"].channels}})
    dataset = trajpack.open(tmp_path / "ds")
    assert native(dataset, "more", "rgb").tobytes() == native(dataset, "000001", "rgb").tobytes()
    verified(tmp_path / "ds")


def refused(tmp_path: Path) -> dict[str, tuple[type[Exception], str, Any]]:
    """What cannot be a video of an episode of five rows a second, and the words that say so."""
    good = pictures(3, (3, 4, 4, 3))
    cut = film(tmp_path, "cut.mp4")
    cut.write_bytes(cut.read_bytes()[:200])
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    return {
        "absent": (UsageError, "is no file", tmp_path / "absent.mp4"),
        "a folder": (UsageError, "is no file", tmp_path),
        "cut": (DataError, "cut.mp4", cut),
        "text": (DataError, "text.mp4", tmp_path / "text.mp4"),
        "bytes": (UsageError, "not the bytes of one", b"\x89PNG"),
        "a number": (UsageError, "not int", 5),
        "none": (UsageError, "no frames", []),
        "floats": (DataError, "uint8", good / 2.0),
        "five samples": (DataError, "not \\[4, 5, 5\\]", np.zeros((2, 4, 5, 5), "u1")),
        "a row": (DataError, "a picture is", np.zeros((2, 4), "u1")),
        "sizes": (DataError, "row 1", [png(good[0], ""), png(good[1][:2], "")]),
        "kinds": (DataError, "row 1", [png(good[0], ""), b"text"]),
        "nothing known": (DataError, "frame 0", [b"text", b"text"]),
        "an empty frame": (DataError, "frame 0", [b""]),
        "something else": (UsageError, "frame 1: a frame is", [png(good[0], ""), 5]),
    }


REFUSED = ["absent", "a folder", "cut", "text", "bytes", "a number", "none", "floats", "five samples", "a row", "sizes",
           "kinds", "nothing known", "an empty frame", "something else"]


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_video_is_refused(tmp_path: Path, case: str) -> None:
    """In a first episode, and in a later one, which can then go on; nothing of it is left."""
    kind, words, source = refused(tmp_path)[case]
    writer = trajpack.create(tmp_path / "first", rate=5)
    with pytest.raises(kind, match=words), writer.episode("a") as episode:
        episode.video("rgb", source)
    writer.close()
    assert not (tmp_path / "first").exists()
    with trajpack.create(tmp_path / "ds", rate=5, schema={"rgb": "video"}) as writer, writer.episode("a") as episode:
        with pytest.raises(kind, match=words):
            episode.video("rgb", source)
        episode.video("rgb", pictures(4, (2, 4, 4, 3)))
    assert trajpack.open(tmp_path / "ds").episode("a")["rgb"].read().shape == (2, 4, 4, 3)


def test_streams_and_times_that_do_not_fit(tmp_path: Path) -> None:
    good = pictures(5, (3, 4, 4, 3))
    schema = {"rgb": "video", "x": {"dtype": "float64"}}
    with trajpack.create(tmp_path / "ds", rate=5, schema=schema) as writer, writer.episode("a") as episode:
        episode.extend(x=np.arange(3.0))
        for name, words in (("rgbb", "has no stream 'rgbb'"), ("frames", "no frames of a video")):
            with pytest.raises(UsageError, match=words):
                episode.video(name, good)
        with pytest.raises(DataError, match="3 frames and 2 times"):
            episode.video("rgb", good, [0, 0.2])
        with pytest.raises(DataError, match="not one row of the clock apart"):
            episode.video("rgb", good, [0, 0.2, 0.6])
        with pytest.raises(UsageError, match=r"give its video by video\('rgb'"):
            episode.append({"rgb/packet": b"x"})
        episode.video("rgb", good, [0.4, 0.6, 0.8])
        with pytest.raises(UsageError, match="a video of this stream already"):
            episode.video("rgb", good)
    assert np.allclose(trajpack.open(tmp_path / "ds").episode("a")["rgb"].times, [0.4, 0.6, 0.8])
    with trajpack.create(tmp_path / "timed", schema={"rgb": "video"}) as writer, writer.episode("a") as episode:
        with pytest.raises(UsageError, match="give the time of each frame"):
            episode.video("rgb", good)
        with pytest.raises(UsageError, match="3 frames and 2 times"):
            episode.video("rgb", good, [0.0, 0.1])
        for times in ([0.0, 0.2, 0.1], [0.0, np.nan, 0.1]):
            with pytest.raises(UsageError, match=r"frame [12]: the time"):
                episode.video("rgb", good, times)
        episode.video("rgb", good, [0.0, 0.1, 0.1])


def test_a_video_after_rows_that_do_not_fit_loses_none(tmp_path: Path) -> None:
    """Rows that wait for a schema are handed over before a video; where they are refused, the episode is too."""
    with trajpack.create(tmp_path / "ds", rate=30) as writer:
        first, second = writer.episode("a"), writer.episode("b")
        second.extend(x=np.array(["these", "are", "words"]))
        first.extend(x=np.arange(3.0))
        first.video("rgb", pictures(2, (3, 8, 8, 3)))
        first.commit()
        with pytest.raises(DataError, match="episode 'b'"):
            second.video("rgb", pictures(3, (3, 8, 8, 3)))
        with pytest.raises(UsageError, match="can only be abandoned"):
            second.commit()
        second.abandon()
    assert trajpack.open(tmp_path / "ds").episodes.ids == ["a"]


@pytest.mark.parametrize("name, options", [
    ("yv12.mkv", "-c:v rawvideo -pix_fmt yuv420p -vtag YV12"), ("yuv2.mov", "-c:v rawvideo -pix_fmt yuyv422 -vtag yuv2"),
    ("xvid.mov", "-c:v mpeg4 -q:v 2 -bf 0 -flags +bitexact -vtag XVID"), ("ut.avi", "-c:v utvideo -pix_fmt yuv420p"),
    ("rle.mov", "-c:v qtrle"), ("prores.mov", "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le")])
def test_decoders_that_choose_by_what_the_container_says(tmp_path: Path, name: str, options: str) -> None:
    """Raw video with its planes swapped, Xvid's transform, the number of bits: the tag of the codec says it."""
    path = ffmpeg(tmp_path / name, options)
    with trajpack.create(tmp_path / "ds", rate=30) as writer, writer.episode("a") as episode:
        episode.video("rgb", path)
        episode.extend(x=np.arange(12.0))
    assert native(trajpack.open(tmp_path / "ds"), "a", "rgb").tobytes() == decoded(path)
