"""`trajpack transcode`: videos stored in another way, against ffmpeg's rawvideo, and chunks against h5py and numpy."""
import json
import os
import shutil
import struct
import subprocess

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")


def run(trajpack, *words, code=0, **options):
    done = subprocess.run([trajpack, *map(str, words)], check=False, capture_output=True, text=True, timeout=300,
                          **options)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def rawvideo(path, pixels, shape):
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", pixels, "-"],
                          check=True, capture_output=True)
    return np.frombuffer(done.stdout, "u1" if pixels == "gray" else "<u2").reshape(-1, *shape)


def record(folder, frames, pixels="gray", codec=("-c:v", "ffv1"), name="depth.mkv"):
    """A recording of one video, made of given frames."""
    folder.mkdir(parents=True)
    height, width = frames.shape[1:3]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", "30",
                    "-i", "-", *codec, "-pix_fmt", pixels, folder / name], check=True, input=frames.tobytes())
    return folder / name


def stored(path):
    """Every chunked frame of a shard, by h5py and numpy alone: episode, stream -> frames."""
    out = {}
    with h5py.File(path) as file:
        schema = json.loads(file["index/schema"][()].tobytes())
        text = file["index/text"][()].tobytes()
        for at, length, *_, first, count in file["index/episodes"][()].tolist():
            for track in file["index/tracks"][first:first + count].tolist():
                _, stream, _, _, _, rows, place, size, begin, bytes_ = track
                metadata = json.loads(text[place:place + size] or b"{}")
                if metadata.get("codec") != "chunks":
                    continue
                entry = schema["streams"][stream]
                assert entry["attributes"]["chunked_frames"] is True
                blob = file[schema["blocks"][entry["blob"]]["path"]]
                h, w, wide = metadata["height"], metadata["width"], metadata["bits"] > 8
                data = blob[begin:begin + bytes_].reshape(rows, 2 if wide else 1, h, w)
                frames = data[:, 0] if not wide else data[:, 0].astype("u2") | data[:, 1].astype("u2") << 8
                if metadata["prediction"] == "up":
                    frames = np.cumsum(frames, axis=1, dtype=frames.dtype)
                out[text[at:at + length].decode(), entry["name"]] = frames
    return out


def pictures(count, height, width, kind, top=255, seed=3):
    """Depth-like frames: smooth, noisy, or of few values with edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    t = np.arange(count)[:, None, None]
    if kind == "smooth":
        values = (y * 3 + x + 2 * t) * top / (4 * max(height, width) + 2 * count)
    elif kind == "noise":
        values = rng.integers(0, top + 1, (count, height, width))
    else:
        values = ((x // 7 + y // 5 + t) % 4) * (top // 4)
    return np.clip(values, 0, top).astype("u1" if top < 256 else "<u2")


@pytest.fixture(scope="module")
def depth(tmp_path_factory):
    """Recordings of depth of two sizes and of odd ones, as lossless HEVC or FFV1, and their samples."""
    root = tmp_path_factory.mktemp("depth") / "part"
    cases = {"a": pictures(37, 48, 64, "smooth"), "b": pictures(20, 96, 128, "edges"),
             "c": pictures(9, 33, 51, "noise"), "d": pictures(1, 48, 64, "smooth")}
    for name, frames in cases.items():
        codec = ("-c:v", "libx265", "-x265-params", "lossless=1:keyint=250:log-level=none") if name in "ab" else \
            ("-c:v", "ffv1")
        path = record(root / name, frames, codec=codec)
        assert np.array_equal(rawvideo(path, "gray", frames.shape[1:]), frames)
    return root, cases


@pytest.fixture(scope="module")
def archive(trajpack, depth, tmp_path_factory):
    out = tmp_path_factory.mktemp("archive") / "ds"
    run(trajpack, "convert", "--quiet", depth[0], out)
    return out


@pytest.mark.parametrize("form", ["chunks", "intra", "gop:4", "intra:hevc", "gop:5,codec=ffv1"])
def test_depth_is_bit_exact(trajpack, depth, archive, tmp_path, form):
    said = run(trajpack, "transcode", archive, tmp_path / "out", "--stream", "depth", "--to", form)
    assert "times the size" in said and "16 frames" in said
    run(trajpack, "verify", "--quiet", tmp_path / "out")
    assert "equal" in run(trajpack, "diff", archive, tmp_path / "out")
    run(trajpack, "export", tmp_path / "out", tmp_path / "back", "--to", "wildworld")
    for name, frames in depth[1].items():
        assert np.array_equal(rawvideo(tmp_path / "back" / name / "depth.mkv", "gray", frames.shape[1:]), frames)


@pytest.mark.parametrize("codec", ["lz4", "gzip", "none"])
def test_chunks_are_read_by_h5py_and_numpy_alone(trajpack, depth, archive, tmp_path, codec):
    run(trajpack, "transcode", archive, tmp_path / "out", "--stream", "depth", "--to", "chunks", "--codec", codec)
    shard = tmp_path / "out" / "shard-000000.h5"
    found = stored(shard)
    assert {name for name, _ in found} == set(depth[1])
    for name, frames in depth[1].items():
        assert np.array_equal(found[name, "depth"], frames)
    # A reader that does not know of them refuses the shard.
    features = struct.unpack_from("<Q", shard.read_bytes(), 16)[0]
    assert features & 2
    assert features & 1 == (codec == "lz4")


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_wide_samples(trajpack, tmp_path, bits):
    frames = np.concatenate([pictures(6, 33, 51, kind, (1 << bits) - 1) for kind in ("smooth", "noise")])
    pixels = f"gray{bits}le"
    record(tmp_path / "part" / "x", frames, pixels)
    run(trajpack, "convert", "--quiet", tmp_path / "part", tmp_path / "ds", "--video", "depth=chunks")
    assert np.array_equal(stored(tmp_path / "ds" / "shard-000000.h5")["x", "depth"], frames)
    run(trajpack, "transcode", tmp_path / "ds", tmp_path / "intra", "--stream", "depth", "--to", "intra")
    assert "equal" in run(trajpack, "diff", tmp_path / "ds", tmp_path / "intra")
    run(trajpack, "export", tmp_path / "intra", tmp_path / "back", "--to", "wildworld")
    assert np.array_equal(rawvideo(tmp_path / "back" / "x" / "depth.mkv", pixels, frames.shape[1:]), frames)


def test_convert_does_it_in_the_same_pass(trajpack, depth, archive, tmp_path):
    run(trajpack, "convert", "--quiet", depth[0], tmp_path / "one", "--video", "link", "--video", "depth=chunks")
    assert "equal" in run(trajpack, "diff", archive, tmp_path / "one")
    assert "equal" in run(trajpack, "diff", tmp_path / "one", depth[0])
    assert "'depht'" in run(trajpack, "convert", depth[0], tmp_path / "no", "--video", "depht=chunks", code=2)
    assert "'fast'" in run(trajpack, "convert", depth[0], tmp_path / "no", "--video", "depth=fast", code=2)
    assert not (tmp_path / "no").exists()


def test_a_difference_is_found(trajpack, depth, archive, tmp_path):
    frames = depth[1]["a"].copy()
    frames[17, 5, 9] ^= 1
    part = tmp_path / "part"
    for name, own in depth[1].items():
        record(part / name, frames if name == "a" else own)
    run(trajpack, "convert", "--quiet", part, tmp_path / "other", "--video", "depth=chunks")
    done = subprocess.run([trajpack, "diff", archive, tmp_path / "other"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "episode 'a'" in done.stdout and "frame 17 differs" in done.stdout and "'b'" not in done.stdout


def test_everything_else_is_carried_over(trajpack, archive, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(archive, source)
    (tmp_path / "values.csv").write_text("id,speed\na,1.5\nb,2\nc,3\nd,4\n")
    run(trajpack, "annotate", source, "--values", tmp_path / "values.csv")
    run(trajpack, "transcode", source, tmp_path / "out", "--stream", "depth", "--to", "chunks")
    before, after = (json.loads((d / "manifest.json").read_text()) for d in (source, tmp_path / "out"))
    assert before["side_files"] == after["side_files"] and len(after["side_files"]) == 1
    assert after["version"] == before["version"]
    assert "equal" in run(trajpack, "diff", source, tmp_path / "out")
    # The same work gives the same bytes.
    run(trajpack, "transcode", source, tmp_path / "again", "--stream", "depth", "--to", "chunks", "--jobs", "1")
    assert json.loads((tmp_path / "again" / "manifest.json").read_text())["digest"] == after["digest"]


def test_linked_videos_are_read_where_they_are(trajpack, depth, tmp_path):
    run(trajpack, "convert", "--quiet", depth[0], tmp_path / "linked", "--video", "link")
    words = ("transcode", tmp_path / "linked", tmp_path / "out", "--stream", "depth", "--to", "chunks")
    assert "--media" in run(trajpack, *words, code=2)
    run(trajpack, *words, "--media", depth[0].parent)
    assert np.array_equal(stored(tmp_path / "out" / "shard-000000.h5")["b", "depth"], depth[1]["b"])


def test_refusals(trajpack, archive, tmp_path):
    def refused(*words, code=2, **options):
        said = run(trajpack, "transcode", archive, tmp_path / "out", *words, code=code, **options)
        assert not (tmp_path / "out").exists()
        return said
    assert "lossy" in refused("--stream", "depth", "--to", "h264:gop=8,crf=20")
    assert "no video 'rgb'" in refused("--stream", "rgb", "--to", "chunks")
    assert "a --to for each" in refused("--stream", "depth")
    assert "'fast'" in refused("--stream", "depth", "--to", "fast")
    assert "gop=N" in refused("--stream", "depth", "--to", "h264:crf=3")
    assert "given twice" in refused("--stream", "depth", "--to", "chunks", "--stream", "depth", "--to", "intra")
    assert "apt-get install ffmpeg" in refused("--stream", "depth", "--to", "gop:4", env={**os.environ, "PATH": "/none"})
    # FFV1 and chunks need no program.
    for form in ("intra", "chunks"):
        run(trajpack, "transcode", archive, tmp_path / form, "--stream", "depth", "--to", form,
            env={**os.environ, "PATH": "/none"})


def test_colours(trajpack, tmp_path):
    video = tmp_path / "part" / "x" / "rgb.mp4"
    video.parent.mkdir(parents=True)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30", "-frames:v", "24",
                    "-c:v", "libx264", "-pix_fmt", "yuv420p", video], check=True)
    run(trajpack, "convert", "--quiet", tmp_path / "part", tmp_path / "ds")
    assert "brightness" in run(trajpack, "transcode", tmp_path / "ds", tmp_path / "no", "--stream", "rgb", "--to",
                               "chunks", code=2)
    run(trajpack, "transcode", tmp_path / "ds", tmp_path / "intra", "--stream", "rgb", "--to", "gop:4")
    assert "equal" in run(trajpack, "diff", tmp_path / "ds", tmp_path / "intra")
    run(trajpack, "transcode", tmp_path / "ds", tmp_path / "lossy", "--stream", "rgb", "--to", "h264:gop=6,crf=30")
    assert "a keyframe every 6," in run(trajpack, "info", tmp_path / "lossy", "--episode", "x")
    done = subprocess.run([trajpack, "diff", tmp_path / "ds", tmp_path / "lossy"], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "frame 0 differs" in done.stdout
