"""`trajpack export --to mp4` and `--to png`: packets bit for bit, frames as ffmpeg decodes them; what is refused."""
import shutil
import subprocess

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
Image = pytest.importorskip("PIL.Image")
FRAMES, H, W = 48, 36, 64


def ffmpeg(*words, **options):
    return subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)], check=True,
                          capture_output=True, **options).stdout


def run(trajpack, *arguments, code=0):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done


def hashes(path):
    """What ffmpeg decodes of each frame that a player shows."""
    text = ffmpeg("-i", path, "-map", "0:V:0", "-vsync", "passthrough", "-f", "framehash", "-").decode()
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def world(trajpack, tmp_path_factory):
    """H.264 with B-frames in mp4, and in Matroska; depth of 8 bits, HEVC, and of 16 bits, FFV1."""
    root = tmp_path_factory.mktemp("frames")
    draw = np.random.default_rng(1)
    for name, depth, pixels, codec in (("a", np.uint8, "gray", ("libx265", "-x265-params", "lossless=1:log-level=error")),
                                       ("b", np.uint16, "gray16le", ("ffv1",))):
        folder = root / "recordings" / name
        folder.mkdir(parents=True)
        (folder / "state.csv").write_text("frame,hp\n" + "".join(f"{i},{i}\n" for i in range(FRAMES)))
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={W}x{H}:r=30", "-frames:v", FRAMES, "-c:v", "libx264", "-g", 20,
               "-bf", 3, "-pix_fmt", "yuv420p", folder / "rgb.mp4")
        samples = draw.integers(0, np.iinfo(depth).max + 1, (FRAMES, H, W), dtype=depth)
        np.save(root / f"{name}.npy", samples)
        ffmpeg("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{W}x{H}", "-r", 30, "-i", "-", "-c:v", *codec,
               folder / "depth.mkv", input=samples.tobytes())
    run(trajpack, "convert", "--quiet", root / "recordings", root / "ds")
    return root


def test_whole_videos_are_the_files_or_their_packets(trajpack, world, tmp_path):
    run(trajpack, "export", world / "ds", tmp_path / "out", "--to", "mp4", "-e", "a")
    source = world / "recordings" / "a"
    assert (tmp_path / "out" / "a" / "rgb.mp4").read_bytes() == (source / "rgb.mp4").read_bytes()
    assert hashes(tmp_path / "out" / "a" / "depth.mp4") == hashes(source / "depth.mkv")
    done = run(trajpack, "export", world / "ds", tmp_path / "no", "--to", "mp4", "-e", "b", "--stream", "depth", code=2)
    assert "ffv1 cannot be put into an mp4" in done.stderr and "--to png" in done.stderr
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("media", [False, True], ids=["embedded", "linked"])
def test_ranges_are_exactly_these_frames(trajpack, world, tmp_path, media):
    """Whatever lies before and behind them in groups of pictures is hidden from players."""
    dataset, options = world / "ds", ()
    if media:
        dataset, options = tmp_path / "linked", ("--media", world)
        run(trajpack, "convert", "--quiet", world / "recordings", dataset, "--video", "link")
        done = run(trajpack, "export", dataset, tmp_path / "without", "--to", "mp4", "-e", "a")
        assert "is linked and left out" in done.stderr
    wanted = hashes(world / "recordings" / "a" / "rgb.mp4")
    draw = np.random.default_rng(2)
    ranges = [(0, 1), (19, 21), (FRAMES - 1, FRAMES)] + [tuple(sorted(draw.choice(FRAMES + 1, 2, replace=False)))
                                                         for _ in range(2 if media else 8)]
    for n, (first, end) in enumerate(ranges):
        out = tmp_path / str(n)
        run(trajpack, "export", dataset, out, "--to", "mp4", "-e", "a", "--stream", "rgb", "--frames",
            f"{first}:{end}", *options)
        assert hashes(out / "a" / "rgb.mp4") == wanted[first:end], (first, end)


def test_pictures_are_the_samples(trajpack, world, tmp_path):
    run(trajpack, "export", world / "ds", tmp_path / "out", "--to", "png", "--stream", "depth", "--frames", "7:10")
    for name in "ab":
        samples = np.load(world / f"{name}.npy")
        found = sorted(p.name for p in (tmp_path / "out" / name).iterdir())
        assert found == [f"depth-{n:06d}.png" for n in (7, 8, 9)]
        for n in (7, 8, 9):
            picture = np.array(Image.open(tmp_path / "out" / name / f"depth-{n:06d}.png"))
            np.testing.assert_array_equal(picture, samples[n])
    run(trajpack, "export", world / "ds", tmp_path / "rgb", "--to", "png", "--stream", "rgb", "--frames", "5", "-e", "a")
    run(trajpack, "frame", world / "ds", "a", "rgb", 5, "-o", tmp_path / "one.png")
    assert (tmp_path / "rgb" / "a" / "rgb-000005.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_stored_samples_become_lossless_video(trajpack, world, tmp_path):
    run(trajpack, "transcode", world / "ds", tmp_path / "chunks", "--quiet", "--stream", "depth", "--to", "chunks")
    run(trajpack, "export", tmp_path / "chunks", tmp_path / "out", "--to", "mp4", "--stream", "depth", "--frames",
        "3:20", "-e", "a")
    assert hashes(tmp_path / "out" / "a" / "depth.mp4") == hashes(world / "recordings" / "a" / "depth.mkv")[3:20]
    done = run(trajpack, "export", tmp_path / "chunks", tmp_path / "no", "--to", "mp4", "--stream", "depth", "-e", "b",
               code=2)
    assert "more than 12 bits" in done.stderr


def test_clips_are_their_frames(trajpack, world, tmp_path):
    (tmp_path / "clips.csv").write_text("id,episode,start_row,rows\none,a,4,9\ntwo,b,30,5\n")
    run(trajpack, "export", world / "ds", tmp_path / "out", "--to", "mp4", "--stream", "rgb", "--clips",
        tmp_path / "clips.csv")
    assert hashes(tmp_path / "out" / "one" / "rgb.mp4") == hashes(world / "recordings" / "a" / "rgb.mp4")[4:13]
    assert hashes(tmp_path / "out" / "two" / "rgb.mp4") == hashes(world / "recordings" / "b" / "rgb.mp4")[30:35]


@pytest.mark.parametrize("clips", [False, True], ids=["recordings", "clips"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "empty"])
def test_nothing_is_left_of_an_export_that_is_refused(trajpack, world, tmp_path, clips, is_there):
    """The first one is written before the second one, whose codec an mp4 cannot hold, is refused."""
    out = tmp_path / "out"
    if is_there:
        out.mkdir()
    (tmp_path / "clips.csv").write_text("id,episode,start_row,rows\none,a,4,9\ntwo,b,30,5\n")
    choice = ("--clips", tmp_path / "clips.csv") if clips else ()
    done = run(trajpack, "export", world / "ds", out, "--to", "mp4", "--stream", "depth", *choice, code=2)
    assert f"'{'two' if clips else 'b'}'" in done.stderr and "ffv1 cannot be put into an mp4" in done.stderr
    assert {p.name for p in tmp_path.rglob("*")} == {"clips.csv", *["out"] * is_there}


@pytest.mark.parametrize(("words", "sentence"), [
    (("--to", "npz", "--stream", "rgb"), "--stream is for --to mp4 and --to png"),
    (("--to", "png", "--frames", "5:3"), "give A:B with A below B"),
    (("--to", "png", "--frames", "40:49"), "has 48 frames, counted from 0"),
    (("--to", "mp4", "--stream", "rgbb"), "did you mean 'rgb'"),
])
def test_what_is_refused(trajpack, world, tmp_path, words, sentence):
    done = run(trajpack, "export", world / "ds", tmp_path / "out", *words, code=2)
    assert sentence in done.stderr
    assert not (tmp_path / "out").exists()
