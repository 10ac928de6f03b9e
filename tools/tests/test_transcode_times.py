"""`trajpack transcode` keeps the times of frames, or refuses: against ffprobe."""
import shutil
import subprocess

import numpy as np
import pytest
from transcode_world import columns, pictures, rawvideo, record, run

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")


def shown(path):
    """The times of presentation that ffprobe finds, in seconds since the first."""
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of",
                           "csv=p=0", path], check=True, capture_output=True, text=True)
    times = np.sort([float(line.strip(",")) for line in done.stdout.split()])
    return times - times[0]


def uneven(folder, times, pixels="gray", name="depth.mkv"):
    """A recording of one lossless video whose frames are shown at given milliseconds."""
    frames = pictures(len(times), 48, 64, "edges")
    path = record(folder, frames, pixels, name="even.mkv")
    steps = "+".join(f"eq(N\\,{i})*{t}" for i, t in enumerate(times))
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-bsf:v", f"setts=ts={steps}", folder / name],
                   check=True)
    path.unlink()
    np.testing.assert_allclose(shown(folder / name), np.subtract(times, times[0]) / 1000, atol=1e-9)
    return frames


def test_times_are_kept_or_refused(trajpack, tmp_path):
    """Uneven times under a regular clock, another rate than the rows', and rows that have a time."""
    cases = {"gap": [0, 33, 67, 100, 400, 433, 467, 500], "twice": [0, 33, 33, 67, 100, 133],
             "slow": [round(i * 1000 / 12) for i in range(25)], "film": [int(i * 1001 / 24 + .5) for i in range(49)],
             "late": [round(500 + i * 1000 / 30) for i in range(20)]}
    frames = {name: uneven(tmp_path / "part" / name, times) for name, times in cases.items()}
    run(trajpack, "convert", "--quiet", tmp_path / "part", tmp_path / "ds", "--frame-hashes")
    before = columns(tmp_path / "ds", "pts")
    for form in ("chunks", "intra", "gop:3,codec=ffv1"):
        out, back = tmp_path / form / "ds", tmp_path / form / "back"
        run(trajpack, "transcode", tmp_path / "ds", out, "--stream", "depth", "--to", form, "--quiet")
        if form == "chunks":
            after = columns(out, "pts")
            assert {n: c["pts"] for n, (c, _) in after.items()} == {n: c["pts"] for n, (c, _) in before.items()}
        assert {n: m.get("frame_times") for n, (_, m) in columns(out).items()} == \
            {n: m.get("frame_times") for n, (_, m) in before.items()}
        run(trajpack, "export", out, back, "--to", "wildworld")
        for name, times in cases.items():
            np.testing.assert_allclose(shown(back / name / "depth.mkv"), np.subtract(times, times[0]) / 1000,
                                       atol=0.0011)
            assert np.array_equal(rawvideo(back / name / "depth.mkv", "gray", (48, 64)), frames[name])
    for name, times in cases.items():
        run(trajpack, "convert", "--quiet", tmp_path / "part" / name, tmp_path / name / "ds")
        words = ("transcode", "--quiet", tmp_path / name / "ds", tmp_path / name / "out", "--stream", "depth",
                 "--to", "gop:4")
        if name in ("gap", "twice"):
            said = run(trajpack, *words, code=2)
            assert "not evenly spaced" in said and f"frame {4 if name == 'gap' else 2}" in said and "'chunks'" in said
            assert not (tmp_path / name / "out").exists()
            continue
        run(trajpack, *words)
        run(trajpack, "export", tmp_path / name / "out", tmp_path / name / "back", "--to", "wildworld")
        np.testing.assert_allclose(shown(tmp_path / name / "back" / name / "depth.mkv"),
                                   np.subtract(times, times[0]) / 1000, atol=0.0011)


def test_rows_by_time_stay_at_their_times(trajpack, tmp_path):
    folder = tmp_path / "part" / "e"
    uneven(folder, [round(i * 1000 / 12) for i in range(25)])
    (folder / "state.csv").write_text("camera.hp,speed\n" + "".join(f"{i},{i}\n" for i in range(60)))
    run(trajpack, "convert", tmp_path / "part", tmp_path / "ds", "--quiet", "--on-mismatch", "time")
    times = columns(tmp_path / "ds", "time")["e"][0]["time"]
    for form in ("chunks", "intra", "gop:5"):
        run(trajpack, "transcode", "--quiet", tmp_path / "ds", tmp_path / form, "--stream", "depth", "--to", form)
        (found, metadata), = columns(tmp_path / form, "time").values()
        assert found["time"] == times and metadata["frames_by"] == "time"
        assert "equal" in run(trajpack, "diff", tmp_path / "ds", tmp_path / form)
