"""`trajpack render`: films and pictures of an episode, against ffmpeg, PIL and numpy; what it refuses."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

SAMPLES = ROOT / "fixtures" / "wildworld" / "data_part1"
Image = pytest.importorskip("PIL.Image")


def run(trajpack, *arguments, code=0, **options):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == code, done.stderr
    return done


def pixels(path):
    return np.array(Image.open(path).convert("RGB")).astype(float)


@pytest.fixture(scope="module")
def ww(trajpack, tmp_path_factory):
    out = tmp_path_factory.mktemp("render") / "ww"
    run(trajpack, "convert", "--quiet", SAMPLES, out)
    return out


@pytest.fixture(scope="module")
def still(trajpack, ww):
    """Frame 30 of the hunt, of panels 320 pixels wide, where both videos keep their size."""
    path = ww.parent / "still.png"
    run(trajpack, "render", ww, "000002", "-o", path, "--frames", "30", "--width", "676")
    return path


def test_a_picture_shows_both_videos(still):
    shown = pixels(still)
    assert shown.shape[1] == 676 and shown.shape[0] % 2 == 0
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", SAMPLES / "000002" / "rgb.mp4", "-vf", "select=eq(n\\,30)",
                           "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True)
    frame = np.frombuffer(done.stdout, np.uint8).reshape(180, 320, 3).astype(float)
    panel = shown[46:46 + 180, 12:12 + 320]
    # The same frame, but for skeletons and labels.
    off = np.abs(panel - frame).max(-1)
    assert (off < 8).mean() > .75 and (off >= 8).mean() > .005
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", SAMPLES / "000002" / "depth.mkv", "-vf", "select=eq(n\\,30)",
                           "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"], check=True, capture_output=True)
    depth = np.frombuffer(done.stdout, np.uint8).reshape(180, 320).astype(float)
    ramp = shown[46:46 + 180, 344:344 + 320]
    order = np.argsort(depth[40:].ravel(), kind="stable")      # below the label
    bright = ramp[40:].sum(-1).ravel()[order]
    assert np.corrcoef(np.arange(len(bright)), bright)[0, 1] > .9


def test_joints_lie_where_the_camera_sees_them(still, ww):
    sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
    import trajpack
    from trajpack import camera as tc
    episode = trajpack.open(ww).episode("000002")
    cam = episode["camera"]
    shown = pixels(still)
    edges = json.loads((SAMPLES / "skeleton_edges.json").read_text())
    hit = seen = 0
    for stream in ("skeleton/npc", "skeleton/em_37"):
        for table in episode[stream]:
            joints = table["joints"][30]
            used = sorted({j for bone in edges[stream.split("/")[1]] for j in bone})
            at = tc.project(joints, cam["K"][30], (cam["pos"][30], cam["rot"][30]), **tc.conventions(cam["rot"])).pixels[used]
            for u, v in at[np.isfinite(at).all(1)]:
                if 2 < u < 317 and 2 < v < 177:
                    x, y = 12 + int(u), 46 + int(v)
                    seen += 1
                    hit += shown[y - 1:y + 2, x - 1:x + 2].min(-1).max() > 225          # a white dot
    assert seen > 30 and hit / seen > .85, (hit, seen)


def test_a_film_has_every_frame(trajpack, ww, tmp_path):
    done = json.loads(run(trajpack, "render", ww, "000002", "-o", tmp_path / "f.mp4", "--frames", "60:72", "--width", "640",
                          "--json").stdout)
    assert (done["frames"], done["first"], done["rate"]) == (12, 60, 30)
    probe = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", tmp_path / "f.mp4"], check=True,
        capture_output=True).stdout)["streams"][0]
    assert (probe["codec_name"], probe["nb_read_frames"], probe["r_frame_rate"]) == ("h264", "12", "30/1")
    assert (probe["width"], probe["height"]) == (done["width"], done["height"])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "f.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         check=True, capture_output=True).stdout
    film = np.frombuffer(raw, np.uint8).reshape(12, done["height"], done["width"], 3)
    for frame in (60, 71):
        run(trajpack, "render", ww, "000002", "-o", tmp_path / f"{frame}.png", "--frames", frame, "--width", "640")
        want = pixels(tmp_path / f"{frame}.png")
        errors = [np.abs(want - f).mean() for f in film]
        assert int(np.argmin(errors)) == frame - 60 and min(errors) < 5


def test_a_gif_has_the_frames_that_it_says(trajpack, ww, tmp_path):
    done = json.loads(run(trajpack, "render", ww, "000002", "-o", tmp_path / "f.gif", "--frames", "0:30", "--width", "480",
                          "--json").stdout)
    assert (done["frames"], done["every"]) == (10, 3)
    film = Image.open(tmp_path / "f.gif")
    assert film.n_frames == 10 and film.info["duration"] == 100 and film.info["loop"] == 0
    for n in (0, 9):
        run(trajpack, "render", ww, "000002", "-o", tmp_path / f"{n}.png", "--frames", 3 * n, "--width", "480")
        film.seek(n)
        assert np.abs(np.array(film.convert("RGB")).astype(float) - pixels(tmp_path / f"{n}.png")).mean() < 8


def test_noise_comes_back_from_a_gif(trajpack, tmp_path):
    """A picture in which no sequence of colours comes twice: the table of LZW fills and begins again."""
    rng = np.random.default_rng(1)
    (tmp_path / "n.csv").write_text("x\n" + "\n".join(map(str, rng.normal(size=4000))) + "\n")
    run(trajpack, "convert", "--quiet", tmp_path / "n.csv", tmp_path / "d")
    run(trajpack, "render", tmp_path / "d", "n", "-o", tmp_path / "n.gif", "--frames", "0:300", "--every", "60")
    run(trajpack, "render", tmp_path / "d", "n", "-o", tmp_path / "n.png", "--frames", "240")
    film = Image.open(tmp_path / "n.gif")
    assert film.n_frames == 5
    film.seek(4)
    assert np.abs(np.array(film.convert("RGB")).astype(float) - pixels(tmp_path / "n.png")).mean() < 6
    # The mark moves.
    film.seek(0)
    assert np.abs(np.array(film.convert("RGB")).astype(float) - pixels(tmp_path / "n.png")).max() > 60


def test_without_ffmpeg_there_is_no_mp4(trajpack, ww, tmp_path):
    done = run(trajpack, "render", ww, "000002", "-o", tmp_path / "f.mp4", "--frames", "0:2", code=3,
               env={**os.environ, "PATH": str(tmp_path)})
    assert "apt-get install ffmpeg" in done.stderr and ".gif or .png" in done.stderr
    run(trajpack, "render", ww, "000002", "-o", tmp_path / "f.gif", "--frames", "0:2", "--width", "320",
        env={**os.environ, "PATH": str(tmp_path)})
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'no such encoder' >&2\nexit 1\n")
    broken.chmod(0o755)
    done = run(trajpack, "render", ww, "000002", "-o", tmp_path / "f.mp4", "--frames", "0:20", code=3,
               env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert "could not encode the video: no such encoder" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.gif", "ffmpeg"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["-o", "x.avi"], "ends in .mp4, .gif or .png"), (["-o", "x"], "ends in .mp4, .gif or .png"), ([], "name a file with -o"),
    (["-o", "x.png", "--frames", "3:9"], "a png holds one picture, and --frames names 6"),
    (["-o", "x.gif", "--frames", "9:3"], "give A:B with A below B"), (["-o", "x.gif", "--frames", "a"], "give A:B"),
    (["-o", "x.gif", "--frames", "140:151"], "has the frames 0 to 149"), (["-o", "x.gif", "--fps", "0"], "0.1 to 240"),
    (["-o", "there.gif"], "is there already")])
def test_what_it_refuses(trajpack, ww, tmp_path, arguments, sentence):
    (tmp_path / "there.gif").write_text("")
    done = run(trajpack, "render", ww, "000002", *arguments, code=2, cwd=tmp_path)
    assert sentence in done.stderr and [p.name for p in tmp_path.iterdir()] == ["there.gif"]
    assert "there is no episode" in run(trajpack, "render", ww, "9", "-o", tmp_path / "y.png", code=2).stderr


def test_names_of_actions(trajpack, ww, tmp_path):
    (tmp_path / "names.csv").write_text("weapon,bank,motion,name\n*,*,*,something long to see\n")
    for name, options in (("a", []), ("b", ["--names", tmp_path / "names.csv"])):
        run(trajpack, "render", ww, "000001", "-o", tmp_path / f"{name}.png", "--frames", "20", *options)
    a, b = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    panel = np.s_[46:400, 12:634]
    assert np.abs(a - b)[panel].max() > 50 and np.abs(a - b)[410:].max() == 0
