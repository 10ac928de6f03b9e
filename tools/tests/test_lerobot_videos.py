"""Videos, pictures and language of LeRobot datasets: every packet and frame equal, whatever is cut where."""

import json
import random
import shutil

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("PIL")
if shutil.which("ffmpeg") is None:
    pytest.skip("needs the program ffmpeg", allow_module_level=True)
from foreign_world import payloads, run, texts
from lerobot_world import LENGTHS, SIZE, feature, hashes, movie, packets, picture, write

STARTS = [sum(LENGTHS[:e]) for e in range(len(LENGTHS))]
CODINGS = {
    # Episodes begin inside groups, and frames are shown in another order than they are decoded.
    "h264-b": (["-c:v", "libx264", "-g", "10", "-bf", "3", "-preset", "fast"], "yuv420p"),
    "h264-open": (["-c:v", "libx264", "-x264-params", "open-gop=1:keyint=9:bframes=2:scenecut=0"], "yuv420p"),
    "h264-one-group": (["-c:v", "libx264", "-g", "250", "-bf", "2"], "yuv444p"),
    "hevc": (["-c:v", "libx265", "-x265-params", "log-level=none:keyint=8:bframes=2:pools=none"], "yuv420p"),
    # As lerobot writes depth.
    "depth": (["-c:v", "libx265", "-x265-params", "log-level=none:lossless=1:pools=none", "-g", "2"], "gray12le"),
    "short": (["-c:v", "libx264", "-g", "2", "-bf", "0"], "yuv420p"),
}


def exported(trajpack, folder, source, *options):
    """The dataset, and the folder of an export of it."""
    run(trajpack, "convert", source, folder / "ds", "--quiet", *options)
    run(trajpack, "diff", folder / "ds", source, "--quiet")
    run(trajpack, "export", folder / "ds", folder / "npz", "--to", "npz", "--quiet")
    return folder / "ds", folder / "npz"


@pytest.mark.parametrize("coding", CODINGS)
def test_episodes_are_cut_at_packets(trajpack, tmp_path, coding):
    """Each episode shows its frames and no others, as ffmpeg decodes them, out of the packets of the file."""
    words, pixels = CODINGS[coding]
    fps = 30 if coding == "h264-b" else 10
    write(tmp_path / "src", fps=fps, videos=[("observation.images.top", words, pixels)],
          lead=5 if coding == "h264-open" else 0)
    dataset, npz = exported(trajpack, tmp_path, tmp_path / "src", "--frame-hashes")
    file = tmp_path / "src/videos/observation.images.top/chunk-000/file-000.mp4"
    whole, taken = hashes(file), set(packets(file))
    lead = 5 if coding == "h264-open" else 0
    for e, n in enumerate(LENGTHS):
        cut = npz / f"episode_{e:06d}/observation.images.top.mp4"
        assert hashes(cut) == whole[lead + STARTS[e] : lead + STARTS[e] + n]
        assert set(packets(cut)) <= taken
    # The program's own decoder, by the packets that rows and metadata name.
    assert f"{sum(LENGTHS)} frames" in run(trajpack, "verify", dataset, "--frames")


def test_frames_in_windows(trajpack, tmp_path):
    """What training gets of a cut video is what ffmpeg decodes."""
    import subprocess

    import trajpack as package
    write(tmp_path / "src", videos=[("observation.images.top", *CODINGS["h264-b"])])
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "src/videos/observation.images.top/chunk-000/file-000.mp4", "-f",
         "rawvideo", "-pix_fmt", "yuv420p", "-"], check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    planes = np.frombuffer(raw, np.uint8).reshape(sum(LENGTHS), -1)
    data = package.open(str(tmp_path / "ds"))
    for e, n in enumerate(LENGTHS):
        video = data.episode(f"episode_{e:06d}")["observation.images.top"]
        order = random.Random(e).sample(range(n), n)
        np.testing.assert_array_equal(video.read(order, format="native"), planes[STARTS[e]:][order])


def test_a_file_of_one_episode_is_taken_whole(trajpack, tmp_path):
    write(tmp_path / "src", version="v2.1", videos=[("top", *CODINGS["short"]), ("wrist", *CODINGS["h264-b"])])
    _, npz = exported(trajpack, tmp_path, tmp_path / "src")
    for e in range(len(LENGTHS)):
        for key in ("top", "wrist"):
            source = tmp_path / f"src/videos/chunk-000/{key}/episode_{e:06d}.mp4"
            assert (npz / f"episode_{e:06d}/{key}.mp4").read_bytes() == source.read_bytes()


def test_a_file_for_each_of_some_episodes(trajpack, tmp_path):
    write(tmp_path / "src", videos=[("top", *CODINGS["short"])], files=[0, 0, 1])
    _, npz = exported(trajpack, tmp_path, tmp_path / "src")
    source = tmp_path / "src/videos/top/chunk-000"
    assert (npz / "episode_000002/top.mp4").read_bytes() == (source / "file-001.mp4").read_bytes()
    assert hashes(npz / "episode_000001/top.mp4") == hashes(source / "file-000.mp4")[12:]


def test_videos_are_linked_or_left_out(trajpack, tmp_path):
    write(tmp_path / "src", videos=[("top", *CODINGS["h264-b"])])
    run(trajpack, "convert", tmp_path / "src", tmp_path / "linked", "--quiet", "--video", "link", "--frame-hashes")
    assert "39 frames" in run(trajpack, "verify", tmp_path / "linked", "--frames", "--media", tmp_path / "src")
    outcome = json.loads(run(trajpack, "convert", tmp_path / "src", tmp_path / "bare", "--json", "--video", "drop"))
    assert [f["file"] for f in outcome["left_out"]["files"]] == ["top"]
    info = json.loads(run(trajpack, "info", tmp_path / "bare", "--json"))
    assert "top" not in json.dumps(info["streams"])


def test_frames_that_do_not_fit_are_refused(trajpack, tmp_path):
    """Too few frames, and frames of another rate: one sentence that names file and row."""
    write(tmp_path / "src", videos=[("top", *CODINGS["short"])])
    file = tmp_path / "src/videos/top/chunk-000/file-000.mp4"
    movie(file, 30, CODINGS["short"][0], 10)
    said = run(trajpack, "convert", tmp_path / "src", tmp_path / "a", fails=True)
    assert "file-000.mp4" in said and "has 11 frames from 1.9 s on, and the episode has 20 rows" in said
    movie(file, 60, CODINGS["short"][0], 12)
    said = run(trajpack, "convert", tmp_path / "src", tmp_path / "b", fails=True)
    assert "the times of its frames are not those of the rows" in said
    file.write_bytes(file.read_bytes()[:-200])
    said = run(trajpack, "convert", tmp_path / "src", tmp_path / "c", fails=True)
    assert "file-000.mp4" in said and said.count("\n") <= 2
    file.unlink()
    said = run(trajpack, "convert", tmp_path / "src", tmp_path / "d", fails=True)
    assert "file-000.mp4" in said
    assert not any((tmp_path / name).exists() for name in "abcd")


@pytest.mark.parametrize("kind, mode", [("PNG", "RGB"), ("PNG", "L"), ("PNG", "I;16"), ("JPEG", "RGB"), ("JPEG", "L")])
def test_pictures_are_frames(trajpack, tmp_path, kind, mode):
    """Files that lie in the table: their bytes, and what Pillow decodes of them."""
    import io

    import trajpack as package
    from PIL import Image
    random_ = random.Random(3)
    rows = [picture(random_, kind, mode) for _ in range(sum(LENGTHS))]
    write(tmp_path / "src", columns={"cam": [{"bytes": p, "path": None} for p in rows]},
          types={"cam": pa.struct([("bytes", pa.binary()), ("path", pa.string())])},
          features={"cam": feature("image", SIZE[1], SIZE[0], 3)})
    dataset, npz = exported(trajpack, tmp_path, tmp_path / "src")
    data = package.open(str(dataset))
    for e, n in enumerate(LENGTHS):
        mine = rows[STARTS[e] : STARTS[e] + n]
        file = (npz / f"episode_{e:06d}/cam.mov").read_bytes()
        at = 0
        for one in mine:
            at = file.index(one, at) + len(one)
        frames = data.episode(f"episode_{e:06d}")["cam"][:]
        for frame, one in zip(frames, mine, strict=True):
            want = np.asarray(Image.open(io.BytesIO(one)))
            if kind == "PNG":
                np.testing.assert_array_equal(frame, want)
            else:
                # Decoders of JPEG differ by their inverse transforms and how they scale chroma up.
                assert frame.shape == want.shape
                assert abs(frame.astype(int) - want).mean() < (12 if mode == "RGB" else 1)


def test_pictures_that_are_no_frames(trajpack, tmp_path):
    """Nulls and TIFF stay bytes; one of another size is refused with the option that keeps bytes."""
    random_ = random.Random(4)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [picture(random_, "PNG") for _ in range(sum(LENGTHS))]
    gaps = [None if i % 5 == 0 else p for i, p in enumerate(rows)]
    odd = [*rows[:20], picture(random_, "PNG", size=(32, 48)), *rows[21:]]
    tiff = [picture(random_, "TIFF", "I;16") for _ in rows]
    write(tmp_path / "src", features={n: feature("image", SIZE[1], SIZE[0], 3) for n in ("gaps", "odd", "tiff")},
          columns={n: [{"bytes": p, "path": None} for p in c] for n, c in
                   (("gaps", gaps), ("odd", odd), ("tiff", tiff))}, types=dict.fromkeys(("gaps", "odd", "tiff"), kind))
    said = run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", fails=True)
    assert "row 1 is a PNG of 32 × 48" in said and "--kind 'odd=packet'" in said
    _, npz = exported(trajpack, tmp_path, tmp_path / "src", "--kind", "odd=packet")
    for e, n in enumerate(LENGTHS):
        with np.load(npz / f"episode_{e:06d}/episode.npz") as members:
            episode = dict(members)
        for name, column in (("gaps", gaps), ("odd", odd), ("tiff", tiff)):
            assert payloads(episode, f"{name}/image") == [p or b"" for p in column[STARTS[e] : STARTS[e] + n]]


def test_language_is_streams(trajpack, tmp_path):
    """What is said of a whole episode has its own times; what happens at a row has the row's."""
    part = [("role", pa.string()), ("content", pa.string()), ("style", pa.string())]
    calls = [("camera", pa.string()), ("tool_calls", pa.list_(pa.string()))]
    persistent = pa.list_(pa.struct([*part, ("timestamp", pa.float32()), *calls]))
    events = pa.list_(pa.struct([*part, *calls]))

    def record(content, **more):
        return {"role": "assistant", "content": content, "style": None, "camera": None, "tool_calls": None, **more}

    said = [[record("reach ✓", timestamp=0.5, style="subtask"), record("plan", timestamp=0.0),
             record(None, timestamp=0.5, tool_calls=['{"name":"say"}', "plain"])],
            [], [record("only", timestamp=1.25)]]
    happened = [[[record("q", camera="top"), record("a")] if i % 4 == 1 else [] for i in range(n)] for n in LENGTHS]
    happened[1] = [None] * LENGTHS[1]
    write(tmp_path / "src", features={n: feature("language") for n in ("language_persistent", "language_events")},
          columns={"language_persistent": [said[e] for e, n in enumerate(LENGTHS) for _ in range(n)],
                   "language_events": [row for rows in happened for row in rows]},
          types={"language_persistent": persistent, "language_events": events})
    _, npz = exported(trajpack, tmp_path, tmp_path / "src")
    for e in range(len(LENGTHS)):
        with np.load(npz / f"episode_{e:06d}/episode.npz") as members:
            episode = dict(members)
        want = sorted(said[e], key=lambda r: r["timestamp"])
        assert list(episode["language_persistent/time"]) == [r["timestamp"] for r in want]
        assert texts(episode, "language_persistent/content") == [r["content"] or "" for r in want]
        assert texts(episode, "language_persistent/tool_calls") == [
            '[{"name":"say"},"plain"]' if r["tool_calls"] else "" for r in want]
        want = [(i / 10, r) for i, row in enumerate(happened[e]) for r in row or []]
        assert list(episode["language_events/time"]) == [t for t, _ in want]
        assert texts(episode, "language_events/camera") == [r["camera"] or "" for _, r in want]


@pytest.mark.parametrize("name, options", [
    ("rgb.mp4", "-c:v mpeg4 -pix_fmt yuv420p"), ("depth.mkv", "-c:v ffv1 -pix_fmt gray"),
    ("depth.mkv", "-c:v libx264 -pix_fmt yuv420p")])
def test_the_remedy_of_a_video_that_is_no_mp4(trajpack, tmp_path, name, options):
    """What the sentence names can be done, and gives the frames."""
    import subprocess

    folder = tmp_path / "src" / "e"
    folder.mkdir(parents=True)
    (folder / "state.csv").write_text("frame,hp\n" + "".join(f"{i},{i * i}\n" for i in range(12)))
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10", "-frames:v",
                    "12", *options.split(), folder / name], check=True)
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet", "--rate", "10")
    stream = name[:-4]
    done = subprocess.run([trajpack, "export", tmp_path / "ds", tmp_path / "hub", "--to", "lerobot", "--quiet"],
                          capture_output=True, text=True, check=True)
    [said] = [line for line in done.stderr.splitlines() if f"'{stream}' is left out" in line]
    if stream == "depth":
        assert said.endswith("'trajpack export --to png' writes its frames"), said
        run(trajpack, "export", tmp_path / "ds", tmp_path / "pictures", "--to", "png", "--quiet")
        assert len(list((tmp_path / "pictures").rglob("depth-*.png"))) == 12
        return
    words = said.split("'trajpack transcode ")[1].split("'")[0].split()
    run(trajpack, "transcode", tmp_path / "ds", tmp_path / "again", *words, "--quiet")
    run(trajpack, "export", tmp_path / "again", tmp_path / "other", "--to", "lerobot", "--quiet")
    [file] = (tmp_path / "other" / "videos" / "observation.images.rgb").rglob("*.mp4")
    assert len(hashes(file)) == 12
