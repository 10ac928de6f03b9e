"""Checksums of decoded frames: those of what ffmpeg decodes, and a frame that differs is named."""
import importlib.util
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from test_video import column, video_tracks

sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import mutate                                                                                    # noqa: E402

spec = importlib.util.spec_from_file_location("make_videos", ROOT / "fixtures" / "make_videos.py")
make_videos = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_videos)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
SAMPLE = ROOT / "fixtures" / "wildworld" / "data_part1" / "000001"
TABLE = np.array(mutate._TABLE, np.uint32)


def crc32c(frames):
    """Of each row of bytes."""
    crc = np.full(len(frames), 0xFFFFFFFF, np.uint32)
    for byte in np.ascontiguousarray(frames.T):
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return (crc ^ 0xFFFFFFFF).tolist()


def decoded(path, count):
    """What ffmpeg decodes, a row a frame."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-noautorotate", "-i", path, "-map", "0:V:0", "-vsync",
               "passthrough", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(count, -1)


def run(trajpack, *words, code=0):
    done = subprocess.run([trajpack, *words], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def world(trajpack, tmp_path_factory):
    root = tmp_path_factory.mktemp("hashes")
    for case in make_videos.CASES:
        make_videos.make(case, root / "source" / case)
    run(trajpack, "convert", root / "source", root / "out", "--quiet", "--frame-hashes")
    return root


@needs_ffmpeg
def test_hashes_are_of_what_ffmpeg_decodes(trajpack, world):
    import read_archive
    seen = 0
    for path in read_archive.open_dataset(str(world / "out"))[0]:
        shard = read_archive.Shard(path)
        for track in shard.tracks:
            stream = shard.schema["streams"][track[1]]
            if not stream.get("attributes", {}).get("video"):
                continue
            metadata = shard.metadata(track[6], track[7])
            case = metadata["file"].split("/")[-2]
            hashes = column(shard, stream, "frame_crc32c", track)
            truth = decoded(world / "source" / case / metadata["file"].split("/")[-1], len(hashes))
            assert hashes == crc32c(truth), case
            assert metadata["frame_hash"]["algorithm"] == "CRC-32C"
            assert ("decoder" in metadata["frame_hash"]) == (metadata["codec"] == "mjpeg")
            seen += 1
    assert seen == len(make_videos.CASES)
    said = json.loads(run(trajpack, "verify", world / "out", "--frames", "--json").stdout)
    assert said["frames"]["videos"] == seen and said["frames"]["without_checksum"] == 0 and not said["damages"]
    frames = said["frames"]["matching"]
    some = json.loads(run(trajpack, "verify", world / "out", "--frames", "--json", "--sample", "20%").stdout)
    assert seen <= some["frames"]["matching"] < frames / 3


def forge(shard, out, frame):
    """A shard whose checksum of a frame of depth is another one."""
    data = shard.read_bytes()
    forged = mutate.Forgery(data)
    number, stream = next((i, s) for i, s in enumerate(forged.schema["streams"]) if s["name"] == "depth")
    channel = next(c for c in stream["channels"] if c["name"] == "frame_crc32c")
    block = forged.schema["blocks"][channel["block"] if "block" in channel else channel["storage"]["block"]]
    assert block["stream"] == number and block["type"] == "uint32"
    entry = forged.tables[7][block["first_chunk"]]
    stored = bytearray(forged.body[entry[0]:entry[0] + entry[1]])
    width = entry[2] // block["chunk_rows"]
    plane = block["chunk_rows"] if entry[3] == 0 and block.get("shuffle", 0) > 1 else 0
    # Row `frame`: a byte of its number, wherever the shuffle puts it.
    at = frame if plane else frame * width
    stored[at] ^= 1
    forged.body[entry[0]:entry[0] + entry[1]] = stored
    entry[4] = mutate.crc32c(stored)
    out.write_bytes(forged.bytes())


def test_a_frame_that_differs(trajpack, tmp_path):
    """Packets are what they were; the checksum says that the picture was another one."""
    run(trajpack, "convert", SAMPLE, tmp_path / "out", "--quiet", "--frame-hashes", "--codec", "none")
    forge(tmp_path / "out" / "shard-000000.h5", tmp_path / "forged.h5", 77)
    run(trajpack, "verify", tmp_path / "forged.h5")
    said = run(trajpack, "verify", tmp_path / "forged.h5", "--frames", code=1).stderr
    assert "stream 'depth', episode '000001': frame 77 decodes to other pixels" in said
    found = json.loads(run(trajpack, "verify", tmp_path / "forged.h5", "--frames", "--json", code=1).stdout)
    assert len(found["damages"]) == 1 and found["frames"]["matching"] == 299
    # A sample finds it where it holds the frame, and is the same for a seed.
    counts = {seed: [run_sample(trajpack, tmp_path / "forged.h5", seed) for _ in range(2)] for seed in range(8)}
    assert all(a == b for a, b in counts.values())
    assert {len(a) for a, _ in counts.values()} == {0, 1}


def run_sample(trajpack, path, seed):
    done = subprocess.run([trajpack, "verify", path, "--frames", "--sample", "0.5", "--seed", str(seed), "--json"],
                          capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert done.returncode == (1 if said["damages"] else 0)
    assert said["frames"]["matching"] + len(said["damages"]) == 150
    return said["damages"]


def test_without_hashes_and_linked(trajpack, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(SAMPLE, part / "000001")
    run(trajpack, "convert", part, tmp_path / "plain", "--quiet")
    said = run(trajpack, "verify", tmp_path / "plain", "--frames").stdout
    assert "300 frames decoded without one to compare with" in said
    run(trajpack, "convert", part, tmp_path / "linked", "--quiet", "--video", "link", "--frame-hashes")
    assert "media" in run(trajpack, "verify", tmp_path / "linked", "--frames", code=2).stderr
    said = run(trajpack, "verify", tmp_path / "linked", "--frames", "--media", tmp_path).stdout
    assert "300 frames of 2 videos equal their checksums" in said
    run(trajpack, "diff", tmp_path / "linked", part)
    # A linked file that is another one.
    with open(part / "000001" / "rgb.mp4", "r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))
    said = run(trajpack, "verify", tmp_path / "linked", "--frames", "--media", tmp_path, code=1).stderr
    assert "is not the file that was converted" in said


def test_what_cannot_be(trajpack, tmp_path):
    run(trajpack, "convert", SAMPLE, tmp_path / "plain", "--quiet", "--video", "drop")
    assert "no video" in run(trajpack, "verify", tmp_path / "plain", "--frames").stdout
    for words, said in ((["--sample", "1%"], "--frames"), (["--frames", "--sample", "0"], "no share"),
                        (["--frames", "--sample", "101%"], "no share"), (["--frames", "--sample", "x"], "no share"),
                        (["--media", "."], "--frames")):
        assert said in run(trajpack, "verify", tmp_path / "plain", *words, code=2).stderr
    for words in (["--video", "drop"], []):
        source = SAMPLE if words else ROOT / "fixtures" / "table.csv"
        if not source.exists():
            source = tmp_path / "table.csv"
            source.write_text("t,x\n0,1\n1,2\n2,3\n")
        said = run(trajpack, "convert", source, tmp_path / "no", "--frame-hashes", *words, code=2).stderr
        assert "--frame-hashes is for recordings with videos" in said


@needs_ffmpeg
def test_rows_by_time(trajpack, tmp_path):
    """A video of another rate keeps its frames, at the times that its container states."""
    sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
    folder = tmp_path / "part" / "e"
    folder.mkdir(parents=True)
    (folder / "state.csv").write_text("camera.hp,speed\n" + "".join(f"{i},{i}\n" for i in range(60)))
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=12", "-frames:v", "25",
                    "-c:v", "libx264", "-bf", "2", "-g", "10", "-pix_fmt", "yuv420p", folder / "rgb.mp4"], check=True)
    said = run(trajpack, "convert", tmp_path / "part", tmp_path / "no", "--quiet", code=1).stderr
    assert "state.csv 60" in said and "rgb.mp4 25" in said and "time" in said
    run(trajpack, "convert", tmp_path / "part", tmp_path / "out", "--quiet", "--on-mismatch", "time", "--frame-hashes")
    run(trajpack, "verify", tmp_path / "out", "--frames")
    run(trajpack, "diff", tmp_path / "out", tmp_path / "part")
    (_, shard, stream, track, metadata), = video_tracks(tmp_path / "out")
    assert metadata["frames_by"] == "time" and len(column(shard, stream, "time", track)) == 25
    base = metadata["time_base"]
    times = np.array(column(shard, stream, "time", track)) * base[0] / base[1]
    np.testing.assert_allclose(times, np.arange(25) / 12, atol=1e-6)
    run(trajpack, "export", tmp_path / "out", tmp_path / "back", "--to", "wildworld")
    assert next((tmp_path / "back").rglob("rgb.mp4")).read_bytes() == (folder / "rgb.mp4").read_bytes()
    import trajpack as library
    dataset = library.open(tmp_path / "out")
    truth = dataset.episode(0)["rgb"][:]
    loader = dataset.windows(channels=["camera/hp", "rgb"], length=6, batch=4, meta=True, shuffle=False,
                             reference="camera")
    for batch in loader:
        for b in range(batch.count):
            for t in range(6):
                row = int(batch["meta:row"][b]) + t
                if batch["padding:rgb"][b, t]:
                    assert row / 30 > 24 / 12
                    continue
                nearest = np.abs(times - row / 30)
                frame = int(np.argmin(nearest))
                same = [f for f in np.flatnonzero(nearest < nearest[frame] + 1e-9)]
                assert any(np.array_equal(batch["rgb"][b, t], truth[f]) for f in same), (row, frame)
