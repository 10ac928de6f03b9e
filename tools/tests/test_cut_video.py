"""`trajpack cut` of videos at packets, against the frames that ffmpeg decodes from source and part."""
import json
import random
import shutil

import numpy as np
import pytest
import trajpack as tp
from conftest import ROOT
from transcode_world import pictures, rawvideo, record, run

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")

X264 = ("-c:v", "libx264", "-qp", "0", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0")
FORMS = {
    "intra": (("-c:v", "ffv1", "-g", "1"), "depth.mkv"), "plain": ((*X264, "-bf", "0"), "rgb.mp4"),
    "plain-mkv": ((*X264, "-bf", "0"), "depth.mkv"), "reordered": ((*X264, "-bf", "2"), "rgb.mp4"),
    "open": ((*X264, "-bf", "2", "-x264-params", "open-gop=1"), "rgb.mp4"),
}
COUNT = 43
STREAM = {form: name.split(".")[0] for form, (_, name) in FORMS.items()}
STATE = ROOT / "fixtures" / "wildworld" / "data_part1" / "000001" / "state.csv"


@pytest.fixture(scope="module")
def world(trajpack, tmp_path_factory):
    """A recording of each form, converted with checksums of frames; and its frames by ffmpeg."""
    root = tmp_path_factory.mktemp("cut")
    frames = {}
    for form, (codec, name) in FORMS.items():
        path = record(root / "src" / form, pictures(COUNT, 48, 64, "edges"), codec=codec, name=name)
        (path.parent / "state.csv").write_text("".join(STATE.read_text().splitlines(True)[:COUNT + 1]))
        frames[form] = rawvideo(path, "gray", (48, 64))
        assert len(frames[form]) == COUNT and len(np.unique(frames[form])) > 3
    run(trajpack, "convert", root / "src", root / "ds", "--quiet", "--frame-hashes")
    return root, frames


def cut(trajpack, root, out, clips, *words, source="ds"):
    (out.parent / "clips.json").write_text(json.dumps(clips))
    told = json.loads(run(trajpack, "cut", root / source, out, "--clips", out.parent / "clips.json", "--json", *words))
    assert "good" in run(trajpack, "verify", out, "--frames")
    return told


def of(dataset, clip, form):
    track = dataset.episode(clip)[STREAM[form]].tracks[0]
    return track, track.metadata


@pytest.mark.parametrize("seed", range(2))
def test_parts_have_the_frames_of_their_rows(trajpack, world, tmp_path, seed):
    root, frames = world
    chance = random.Random(seed)
    clips = []
    for form in FORMS:
        for i, begin in enumerate([chance.randrange(30), 10 * chance.randrange(4), 10 * chance.randrange(3)]):
            rows = 10 if i == 2 else chance.randint(1, COUNT - begin)
            clips.append({"id": f"{form}-{i}", "episode": form, "start_row": begin, "rows": rows})
    told = cut(trajpack, root, tmp_path / "out", clips)
    made = tp.open(tmp_path / "out")
    run(trajpack, "export", tmp_path / "out", tmp_path / "files", "--to", "npz")
    whole = 0
    for clip in clips:
        form, begin, rows = clip["episode"], clip["start_row"], clip["rows"]
        track, metadata = of(made, clip["id"], form)
        is_cut = "clip" not in metadata
        whole += not is_cut
        if form == "intra" or (form.startswith("plain") and begin % 10 == 0):
            assert is_cut, clip
        if form != "intra" and begin % 10:
            assert not is_cut, clip
        if form == "reordered" and begin % 10 == 0 and rows == 10:
            assert is_cut, clip
        file = next((tmp_path / "files" / clip["id"]).glob(f"{STREAM[form]}.*"))
        got = rawvideo(file, "gray", (48, 64))
        first = 0 if is_cut else metadata["clip"]["first"]
        assert len(got) == (rows if is_cut else COUNT) and track.rows == len(got)
        assert np.array_equal(got[first:first + rows], frames[form][begin:begin + rows]), clip
        if is_cut:
            assert metadata["bytes"] == file.stat().st_size
            times = made.episode(clip["id"])[STREAM[form]].times
            np.testing.assert_allclose(times, np.arange(rows) / 30, atol=1e-12)
    both = told["cut_videos"].values()
    assert (sum(t["cut"] for t in both), sum(t["whole"] for t in both)) == (len(clips) - whole, whole)


def test_a_clip_at_another_rate_is_cut_where_each_frame_is_a_keyframe(trajpack, world, tmp_path):
    root, frames = world
    clips = [{"id": form, "episode": form, "start": 0.1, "rows": 12, "rate": 10} for form in ("intra", "plain")]
    assert cut(trajpack, root, tmp_path / "out", clips)["cut_videos"] == {
        "rgb": {"cut": 0, "whole": 1}, "depth": {"cut": 1, "whole": 0}}
    made = tp.open(tmp_path / "out")
    run(trajpack, "export", tmp_path / "out", tmp_path / "files", "--to", "npz")
    got = rawvideo(next((tmp_path / "files" / "intra").glob("depth.*")), "gray", (48, 64))
    assert np.array_equal(got, frames["intra"][3:3 + 36:3])
    np.testing.assert_allclose(made.episode("intra")["depth"].times, np.arange(12) / 10, atol=1e-12)
    assert of(made, "plain", "plain")[1]["clip"]["rows"] == list(range(3, 39, 3))


def test_stored_samples_are_cut_anywhere(trajpack, world, tmp_path):
    root, frames = world
    run(trajpack, "convert", root / "src" / "intra", tmp_path / "chunks", "--quiet", "--frame-hashes", "--video",
        "depth=chunks")
    clips = [{"id": "a", "episode": "intra", "start_row": 7, "rows": 13},
             {"id": "b", "episode": "intra", "start": 0.2, "rows": 9, "rate": 15}]
    told = cut(trajpack, tmp_path, tmp_path / "out", clips, source="chunks")
    assert told["cut_videos"] == {"depth": {"cut": 2, "whole": 0}}
    run(trajpack, "transcode", tmp_path / "out", tmp_path / "videos", "--stream", "depth", "--to", "intra:ffv1")
    run(trajpack, "export", tmp_path / "videos", tmp_path / "files", "--to", "npz")
    for clip, want in (("a", frames["intra"][7:20]), ("b", frames["intra"][6:24:2])):
        assert np.array_equal(rawvideo(next((tmp_path / "files" / clip).glob("depth.*")), "gray", (48, 64)), want)


def test_parts_of_a_split_are_cut_and_rules_hold(trajpack, world, tmp_path):
    root, _ = world
    shutil.copytree(root / "ds", tmp_path / "ds")
    run(trajpack, "split", tmp_path / "ds", "--rule", "train=0:20", "--rule", "test=20:")
    said = run(trajpack, "cut", tmp_path / "ds", tmp_path / "test", "--split", "test")
    assert "depth: " in said and "cut at packets, every frame compared" in said
    assert "good" in run(trajpack, "verify", tmp_path / "test", "--frames")
    made = tp.open(tmp_path / "test")
    for form in ("intra", "plain", "plain-mkv"):
        track, metadata = of(made, form, form)
        assert track.rows == COUNT - 20 and "clip" not in metadata
        np.testing.assert_allclose(made.episode(form)[STREAM[form]].times, np.arange(20, COUNT) / 30, atol=1e-12)
    clips = [{"id": "x", "episode": "intra", "start_row": 5, "rows": 4}]
    told = cut(trajpack, root, tmp_path / "whole", clips, "--video", "whole")
    assert "cut_videos" not in told and of(tp.open(tmp_path / "whole"), "x", "intra")[1]["clip"] == {"first": 5, "frames": 4}
    # The same part gives the same bytes, on any number of threads.
    for jobs in (1, 3):
        cut(trajpack, root, tmp_path / f"jobs{jobs}", clips, "--jobs", jobs)
    one, two = ((tmp_path / f"jobs{j}" / "shard-000000.h5").read_bytes() for j in (1, 3))
    assert one == two
