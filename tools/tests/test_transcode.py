"""`trajpack transcode`: videos stored in another way, against ffmpeg's rawvideo, and chunks against h5py and numpy."""
import json
import os
import shutil
import struct
import subprocess
import time

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest
from test_frame_hashes import forge, make_videos
from transcode_world import columns, pictures, rawvideo, record, run

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")


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


@pytest.mark.parametrize("form", ["chunks", "intra", "gop:4", "intra:hevc", "gop:4,codec=hevc", "gop:5,codec=ffv1"])
def test_depth_is_bit_exact(trajpack, depth, archive, tmp_path, form):
    said = run(trajpack, "transcode", archive, tmp_path / "out", "--stream", "depth", "--to", form)
    assert "times the size" in said and "16 frames" in said
    run(trajpack, "verify", "--quiet", tmp_path / "out")
    assert "equal" in run(trajpack, "diff", archive, tmp_path / "out")
    run(trajpack, "export", tmp_path / "out", tmp_path / "back", "--to", "wildworld")
    for name, frames in depth[1].items():
        # Any program gets the stored samples, also of H.264, which libavcodec gives planes of chroma.
        assert np.array_equal(rawvideo(tmp_path / "back" / name / "depth.mkv", "gray", frames.shape[1:]), frames)
    run(trajpack, "convert", "--quiet", tmp_path / "back", tmp_path / "again")
    assert "equal" in run(trajpack, "diff", archive, tmp_path / "again")


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
    assert "apt-get install ffmpeg" in refused("--stream", "depth", "--to", "gop:4",
                                                env={**os.environ, "PATH": "/none"})
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
    done = subprocess.run([trajpack, "diff", tmp_path / "ds", tmp_path / "lossy"], check=False, capture_output=True,
                          text=True)
    assert done.returncode == 1 and "frame 0 differs" in done.stdout


@pytest.fixture(scope="module")
def hashed(trajpack, tmp_path_factory):
    """Videos of many kinds with checksums of their frames."""
    root = tmp_path_factory.mktemp("hashed")
    for case in ("b-frames", "ffv1", "ffv1-16", "hevc-10", "hevc-lossless", "mjpeg", "rotated", "missing-last"):
        make_videos.make(case, root / "source" / case)
    frames = pictures(5, 33, 51, "noise", 65535)
    record(root / "source" / "swapped", frames.byteswap(), "gray16be", codec=("-c:v", "png"))
    run(trajpack, "convert", root / "source", root / "ds", "--quiet", "--frame-hashes")
    return root / "ds", frames


@pytest.mark.parametrize("form", ["chunks", "intra:ffv1", "h264:gop=6,crf=30"])
def test_checksums_of_frames_survive(trajpack, hashed, tmp_path, form):
    source, frames = hashed
    gray = {"ffv1", "ffv1-16", "hevc-10", "hevc-lossless", "missing-last"}
    before = columns(source, "frame_crc32c")
    kept = gray if form == "chunks" else set() if form.startswith("h264") else set(before) - {"swapped", "mjpeg"}
    names = (gray | {"swapped"}) if form == "chunks" else {"b-frames", "rotated"} if form.startswith("h264") else kept
    some = tmp_path / "some"
    root = tmp_path / "part"
    for name in names:
        shutil.copytree(source.parent / "source" / name, root / name)
    run(trajpack, "convert", root, some, "--quiet", "--frame-hashes")
    streams = sorted({m["file"].split("/")[-1].split(".")[0] for _, m in columns(some).values()})
    words = [w for s in streams for w in ("--stream", s, "--to", form)]
    said = json.loads(run(trajpack, "transcode", some, tmp_path / "out", *words, "--json"))
    after = columns(tmp_path / "out", "frame_crc32c")
    assert set(after) == names
    for name in names:
        assert (after[name][0] == before[name][0]) == (name in kept), name
        assert after[name][1]["frame_hash"] == {"algorithm": "CRC-32C", "of": "native planes"}
        assert after[name][1].get("rotation") == before[name][1].get("rotation")
    assert any("rotation" in text for text in said["remarks"]) == ("rotated" in names)
    found = json.loads(run(trajpack, "verify", tmp_path / "out", "--frames", "--json"))
    assert found["frames"]["without_checksum"] == 0
    assert found["frames"]["matching"] == sum(len(c["frame_crc32c"]) for c, _ in after.values())
    if form == "chunks":
        assert np.array_equal(stored(tmp_path / "out" / "shard-000000.h5")["swapped", "depth"], frames)


def test_a_source_that_decodes_otherwise_is_refused(trajpack, tmp_path):
    """Checksums of the conversion are compared while frames are read."""
    record(tmp_path / "part" / "x", pictures(12, 48, 64, "edges"))
    run(trajpack, "convert", tmp_path / "part", tmp_path / "ds", "--quiet", "--frame-hashes", "--codec", "none")
    forge(tmp_path / "ds" / "shard-000000.h5", tmp_path / "forged.h5", 7)
    for form in ("chunks", "intra"):
        said = run(trajpack, "transcode", tmp_path / "forged.h5", tmp_path / form, "--stream", "depth", "--to", form,
                   "--quiet", code=1)
        assert "frame 7 decodes to other pixels than when it was converted" in said
        assert not list(tmp_path.glob(f"{form}/shard*"))


def test_what_a_file_has_besides_frames_is_said(trajpack, tmp_path):
    video = tmp_path / "part" / "x" / "rgb.mp4"
    video.parent.mkdir(parents=True)
    (video.parent / "state.csv").write_text("speed\n" + "".join(f"{i}\n" for i in range(20)))
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30", "-f", "lavfi", "-i",
                    "sine=duration=0.8", "-frames:v", "24", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac",
                    video], check=True)
    run(trajpack, "convert", "--quiet", tmp_path / "part", tmp_path / "ds", "--on-mismatch", "truncate")
    said = json.loads(run(trajpack, "transcode", tmp_path / "ds", tmp_path / "out", "--stream", "rgb", "--to", "gop:4",
                          "--json"))["remarks"]
    assert any("audio" in text and "aac" in text for text in said) and any("the 4 frames" in text for text in said)
    (_, metadata), = columns(tmp_path / "out").values()
    assert "file_frames" not in metadata and "other_streams" not in metadata


def test_side_files_of_every_role(trajpack, depth, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(depth[0], part)
    for name, frames in depth[1].items():
        rows = "".join(f"{i},{i // 4}\n" for i in range(len(frames)))
        (part / name / "state.csv").write_text(f"camera.hp,act\n{rows}")
    source = tmp_path / "source"
    run(trajpack, "convert", "--quiet", part, source)
    (tmp_path / "values.csv").write_text("id,speed\na,1.5\nb,2\nc,3\nd,4\n")
    run(trajpack, "annotate", source, "--values", tmp_path / "values.csv")
    run(trajpack, "split", source, "--name", "halves", "--rule", "train=0:50%", "--rule", "test=50%:100%")
    run(trajpack, "clips", source, "--actions", "state/act", "--entity", "0", "--length", "5", "--save", "short", "-o",
        tmp_path / "c.csv")
    run(trajpack, "statistics", source, "--channels", "camera/hp", "--save")
    run(trajpack, "statistics", source, "--channels", "depth/pts", "--save")
    done = subprocess.run([trajpack, "transcode", source, tmp_path / "out", "--stream", "depth", "--to", "chunks"],
                          check=True, capture_output=True, text=True)
    before, after = (json.loads((d / "manifest.json").read_text()) for d in (source, tmp_path / "out"))
    roles = [(s["role"], s["name"]) for s in before["side_files"]]
    assert {r for r, _ in roles} == {"splits", "values", "clips", "statistics"}
    carried = [(s["role"], s["name"]) for s in after["side_files"]]
    lost = [pair for pair in roles if pair not in carried]
    assert len(lost) == 1 and lost[0][0] == "statistics"
    assert f"statistics '{lost[0][1]}' are not carried over" in done.stderr
    assert after["version"] == before["version"]
    run(trajpack, "verify", "--quiet", tmp_path / "out")
    for words in (("info", "--json"), ("clips", "--list", "short", "--json")):
        assert json.loads(run(trajpack, words[0], tmp_path / "out", *words[1:]))
    # Saved statistics are found as those of this data, not measured again.
    digest = after["digest"]
    saved = next(s for s in after["side_files"] if s["role"] == "statistics")
    assert json.loads((tmp_path / "out" / saved["file"]).read_text())["content"]["data_digest"] == digest


def test_a_killed_transcode_goes_on(trajpack, tmp_path):
    """Killed behind each acknowledged shard: what is resumed is the same dataset, byte for byte."""
    part = tmp_path / "part"
    for number in range(6):
        record(part / f"e{number}", pictures(40, 96, 128, "edges", seed=number))
    run(trajpack, "convert", "--quiet", part, tmp_path / "ds")
    words = ["--stream", "depth", "--to", "chunks", "--shard-size", "1", "--jobs", "1", "--quiet"]
    run(trajpack, "transcode", tmp_path / "ds", tmp_path / "whole", *words)
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()}
    assert sum(name.startswith("shard-") for name in whole) == 6
    for after in (1, 3, 5):
        out = tmp_path / f"killed{after}"
        child = subprocess.Popen([trajpack, "transcode", tmp_path / "ds", out, *words])
        while child.poll() is None and len(list(out.glob("shard-*.h5"))) < after:
            time.sleep(0.001)
        child.kill()
        child.wait()
        if not (out / "manifest.json").exists():
            assert run(trajpack, "transcode", tmp_path / "ds", out, *words, code=2)
            others = (*words[:3], "intra", *words[4:], "--resume")
            assert "other options" in run(trajpack, "transcode", tmp_path / "ds", out, *others, code=2)
        run(trajpack, "transcode", tmp_path / "ds", out, *words, "--resume")
        assert {p.name: p.read_bytes() for p in out.iterdir()} == whole
