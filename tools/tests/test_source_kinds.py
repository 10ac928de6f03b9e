"""Sources as people have them: what is in an archive beside plain numbers, videos whose times are not the clock's, samples
that were cut, cells that would be numbers, and predictions in the tables of others. Witnesses: numpy, h5py through the
package, ffmpeg."""
import json
import shutil
import subprocess

import numpy as np
import pytest
from world_video import film

import trajpack as package


def run(trajpack, *command, code=0):
    done = subprocess.run([trajpack, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def converted(binary, source, folder, *options):
    done = run(binary, "convert", source, folder, "--json", *options)
    return package.open(str(folder)), json.loads(done.stdout), done.stderr


# Dates of numpy

UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("seed", range(2))
def test_dates_of_numpy_are_times(trajpack, tmp_path, unit, seed):
    """The same instants as numpy's, of any unit, before and after 1970, at even and uneven steps, in either byte order."""
    rng = np.random.default_rng([UNITS.index(unit), seed])
    most = {"Y": 60, "M": 700, "W": 3000, "D": 20_000}.get(unit, 10**6)
    steps = np.full(9, int(rng.integers(1, 5))) if seed else rng.integers(1, 5, 9)
    counts = int(rng.integers(-most, most)) + np.concatenate([[0], np.cumsum(steps)])
    dates = counts.astype(f"M8[{unit}]")
    np.savez(tmp_path / "a.npz", stamp=dates.astype(dates.dtype.newbyteorder(">" if seed else "<")), x=np.arange(10.0))
    data, said, _ = converted(trajpack, tmp_path / "a.npz", tmp_path / "a")
    exact = dates.astype("M8[ns]").astype(np.int64) / 1e9
    found = data.episode("a").streams["series"].times
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6)
    assert said["reading"][0]["time"] == {"column": "stamp", "date": f"datetime64[{unit}]", "unit": "s"}
    run(trajpack, "diff", tmp_path / "a", tmp_path / "a.npz")
    text = run(trajpack, "head", tmp_path / "a", "--rows", "1").stdout
    assert str(dates[0].astype("M8[D]")) in text


def test_spans_of_time_are_times(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", time=np.arange(5).astype("m8[ms]") * 20, x=np.arange(5.0))
    data, said, _ = converted(trajpack, tmp_path / "a.npz", tmp_path / "a")
    assert np.array_equal(data.episode("a").streams["series"].times, np.arange(5) * .02)
    assert said["reading"][0]["time"] == {"column": "time", "unit": "s"}


def test_dates_that_are_no_times_are_refused(trajpack, tmp_path):
    dates = np.arange(5).astype("M8[D]")
    np.savez(tmp_path / "two.npz", a=dates, b=dates, x=np.arange(5.0))
    error = run(trajpack, "convert", tmp_path / "two.npz", tmp_path / "two", code=1).stderr
    assert "'a' holds datetime64[D]" in error and "--time 'a'" in error and "--exclude-members 'a'" in error
    converted(trajpack, tmp_path / "two.npz", tmp_path / "b", "--time", "b", "--exclude-members", "a")
    dates[2] = np.datetime64("NaT")
    np.savez(tmp_path / "nat.npz", time=dates, x=np.arange(5.0))
    assert "at row 2" in run(trajpack, "convert", tmp_path / "nat.npz", tmp_path / "nat", code=1).stderr


# Axes of archives

def test_times_with_an_axis_of_one(trajpack, tmp_path):
    t = np.array([0., .1, .3])
    np.savez(tmp_path / "a.npz", t=t[:, None], x=np.zeros((3, 2)))
    np.savez(tmp_path / "b.npz", t=np.stack([t, t + 1])[..., None], x=np.zeros((2, 3, 2)))
    data, *_ = converted(trajpack, tmp_path / "a.npz", tmp_path / "a")
    assert np.array_equal(data.episode("a").streams["series"].times, t)
    data, *_ = converted(trajpack, tmp_path / "b.npz", tmp_path / "b")
    assert np.array_equal(data.episode("b/1").streams["series"].times, t + 1)


@pytest.mark.parametrize("mark", ["time", "terminals", "stamp"])
def test_what_lies_along_the_first_axis_says_that_it_is_time(trajpack, tmp_path, mark):
    """Times, or marks of ends, along the first axis of pictures: rows of one recording."""
    marks = {"time": np.arange(7) * .1, "terminals": np.arange(7) == 6, "stamp": np.arange(7).astype("M8[s]")}
    np.savez(tmp_path / "a.npz", obs=np.zeros((7, 4, 4, 3), "u1"), action=np.zeros(7), **{mark: marks[mark]})
    data, *_ = converted(trajpack, tmp_path / "a.npz", tmp_path / "a")
    assert len(data.episodes) == 1 and data.episode("a")["series/obs"][:].shape == (7, 4, 4, 3)


def test_axes_are_not_guessed(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.zeros((7, 4, 4, 3), "u1"), action=np.zeros((7, 2)))
    error = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "a", code=2).stderr
    assert "'obs' [7, 4, 4, 3], 'action' [7, 2]" in error and "--leading-axis time" in error
    data, *_ = converted(trajpack, tmp_path / "a.npz", tmp_path / "time", "--leading-axis", "time")
    assert data.episode("a")["series/action"][:].shape == (7, 2)
    _, said, _ = converted(trajpack, tmp_path / "a.npz", tmp_path / "batch", "--leading-axis", "batch")
    assert said["episodes"] == 7 and said["reading"][0]["recordings"] == 7


def test_values_along_recordings_are_said(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 5, 2)), label=np.arange(3))
    _, said, warned = converted(trajpack, tmp_path / "a.npz", tmp_path / "a")
    text = "the first axis is taken to count 3 recordings of 5 rows, with a value of 'label' for each"
    assert text in warned and text in said["remarks"][0] and said["reading"][0]["recordings"] == 3


# Samples and their videos

@pytest.fixture
def sample(recordings, tmp_path):
    """A sample without videos and its folder."""
    folder = tmp_path / "part" / "000001"
    shutil.copytree(f"{recordings}/000001", folder)
    shutil.copy(f"{recordings}/skeleton_edges.json", folder.parent)
    for name in ("rgb.mp4", "depth.mkv"):
        (folder / name).unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("name", ["rgb.mp4", "depth.mkv"])
@pytest.mark.parametrize("rate", ["25", "60", "30000/1001", "30", "10"])
def test_a_video_of_another_rate_is_said(trajpack, sample, tmp_path, name, rate):
    film(sample / name, rate, 12)
    _, said, warned = converted(trajpack, sample.parent, tmp_path / "ds")
    info = json.loads(run(trajpack, "info", tmp_path / "ds", "--json").stdout)
    if rate in ("30", "30000/1001"):
        assert said["remarks"] == info["remarks"] == [] and "frames a second and" not in warned
        return
    text = f"000001: {name} runs at {rate} frames a second and the recording at 30"
    for place in (said["remarks"], info["remarks"]):
        assert len(place) == 1 and place[0].startswith(text), place
    assert text in warned and text in run(trajpack, "info", tmp_path / "ds").stderr
    assert text[8:] in run(trajpack, "info", tmp_path / "ds", "-e", "000001").stdout
    _, said, _ = converted(trajpack, sample.parent, tmp_path / "right", "--rate", rate)
    assert said["remarks"] == []
    run(trajpack, "diff", tmp_path / "ds", sample.parent)


def test_gaps_of_a_video_are_said(trajpack, sample, tmp_path):
    film(sample / "rgb.mp4", "30", 12, gap=(4, 9))
    _, said, _ = converted(trajpack, sample.parent, tmp_path / "ds")
    assert said["remarks"] == ["000001: rgb.mp4 has 1 gap in its times, the longest 0.333 s before frame 4; frames and "
                               "rows are paired by number"]
    assert json.loads(run(trajpack, "info", tmp_path / "ds", "--json").stdout)["remarks"] == said["remarks"]


def test_what_truncate_cuts_is_said_wherever_it_goes(trajpack, sample, tmp_path):
    film(sample / "rgb.mp4", "30", 20)
    _, said, _ = converted(trajpack, sample.parent, tmp_path / "ds", "--on-mismatch", "truncate")
    assert said["remarks"][0].startswith("000001: the files differ in frames: state.csv 12, skeleton.npz 12, rgb.mp4 20")
    assert "20 frames and the recording 12 rows" in run(trajpack, "info", tmp_path / "ds").stderr
    for form in ("wildworld", "npz", "csv"):
        done = run(trajpack, "export", tmp_path / "ds", tmp_path / form, "--to", form)
        assert "000001: rgb.mp4 is given back whole, with 20 frames where the recording has 12 rows" in done.stderr
    converted(trajpack, tmp_path / "wildworld", tmp_path / "again", "--on-mismatch", "truncate")
    run(trajpack, "diff", tmp_path / "ds", tmp_path / "again")


def test_members_that_are_no_joints(trajpack, sample, tmp_path):
    arrays = dict(np.load(sample / "skeleton.npz"))
    np.savez(sample / "skeleton.npz", **arrays, fps=np.int64(30), names=np.array(["hip", "knee"]), ids=np.arange(12))
    _, said, _ = converted(trajpack, sample.parent, tmp_path / "ds")
    assert said["remarks"] == ["000001: skeleton.npz: left out 'fps', 'names', 'ids' (no joints)"]
    np.savez(sample / "skeleton.npz", **arrays, joints=next(iter(arrays.values())))
    error = run(trajpack, "convert", sample.parent, tmp_path / "bad", code=1).stderr
    assert "'joints' has no name of the form" in error


@pytest.mark.parametrize("mixed", [False, True])
def test_joints_of_double_precision(trajpack, sample, tmp_path, mixed):
    """Each array comes back with its type and its bits, also where others of the same skeleton are float32."""
    rng = np.random.default_rng(5)
    arrays = dict(np.load(sample / "skeleton.npz"))
    for number, name in enumerate(arrays):
        if not mixed or number % 2:
            arrays[name] = arrays[name].astype(float)
            arrays[name] += np.where(np.isnan(arrays[name]), 0, rng.normal(size=arrays[name].shape) * 1e-9)
    np.savez(sample / "skeleton.npz", **arrays)
    converted(trajpack, sample.parent, tmp_path / "ds")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "back", "--to", "wildworld")
    back = np.load(tmp_path / "back" / "000001" / "skeleton.npz")
    for name, values in arrays.items():
        assert back[name].dtype == values.dtype and back[name].tobytes() == values.tobytes(), name
    run(trajpack, "diff", tmp_path / "ds", sample.parent)
    run(trajpack, "verify", tmp_path / "ds")


# Cells that would be numbers

@pytest.mark.parametrize("cells, option", [
    (["1\u00a0234", "2\u00a0345"], "--thousands space"), (["1\u202f234,5", "12\u202f345,6"], "--thousands space --decimal ','"),
    (["1 234", "2 999"], "--thousands space"), (["1'234.5", "2'345.5"], "--thousands \"'\""),
    (["1.234,5", "2.345,25"], "--decimal ',' --thousands '.'"), (["1,234.5", "2,345.5"], "--thousands ','"),
    (["12%", "13 %"], "signs of percent"), (["$1.5", "$2"], "signs of currency"), (["3 €", "4 €"], "signs of currency"),
])
def test_text_that_would_be_numbers_is_hinted_at(trajpack, tmp_path, cells, option):
    (tmp_path / "a.csv").write_text("time;x\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells)))
    _, said, warned = converted(trajpack, tmp_path / "a.csv", tmp_path / "a")
    assert option in warned and option in said["remarks"][0]
    if option.startswith("--"):
        words = option.replace('"\'"', "APOSTROPHE").replace("'", "").replace("APOSTROPHE", "'").split()
        data, said, _ = converted(trajpack, tmp_path / "a.csv", tmp_path / "b", *words)
        assert said["reading"][0]["text"] == [] and said["remarks"] == []
        plain = [c.replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("'", "") for c in cells]
        plain = [c.replace(",", "") if words[1] == "," and len(words) == 2 else c for c in plain]
        plain = [c.replace(".", "").replace(",", ".") if "," in words and len(words) > 2 else c for c in plain]
        assert data.episode("a")["series/x"][:].ravel().tolist() == [float(c) for c in plain]


@pytest.mark.parametrize("cells", [["a b", "c d"], ["10 12", "11 14"], ["12 Main", "13 Main"], ["1 23", "4 56"], ["-", "x"]])
def test_other_text_is_not_hinted_at(trajpack, tmp_path, cells):
    (tmp_path / "a.csv").write_text("time;x\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells)))
    assert converted(trajpack, tmp_path / "a.csv", tmp_path / "a")[1]["remarks"] == []


def test_files_that_are_no_tables_are_named(trajpack, tmp_path):
    for name, content, word in [("u.csv", "a\tb\n1\t2\n".encode("utf-16"), "UTF-16"), ("x.csv", b"\xd0\xcf\x11\xe0" * 200, "Excel")]:
        (tmp_path / name).write_bytes(content)
        assert word in run(trajpack, "convert", tmp_path / name, tmp_path / "o", "--from", "series", code=1).stderr


# Tables of predictions

@pytest.mark.parametrize("form", ["plain", "semicolon", "decimal", "tab", "bar", "words", "comment", "index", "text", "cr", "gzip"])
def test_predictions_are_cut_as_tables_are(trajpack, tmp_path, form):
    """The figure is that of numpy whatever the table's form, where `convert` reads it."""
    import gzip
    truth = np.array([1.5, -2.25, 3.125, 4.0])
    guess = truth + np.array([.5, -.25, 1, 0])
    np.savez(tmp_path / "a.npz", x=truth)
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds")
    sep = {"semicolon": ";", "decimal": ";", "tab": "\t", "bar": "|"}.get(form, ",")
    header, cells = ["row", "series/x"], [[str(i), str(g)] for i, g in enumerate(guess)]
    counted = np.ones(4, bool)
    if form == "decimal":
        cells = [[c.replace(".", ",") for c in row] for row in cells]
    if form == "words":
        cells[1][1], cells[2][1] = "NA", "#N/A"
        counted[1:3] = False
    if form == "index":
        header, cells = ["", *header], [[str(7 + i), *row] for i, row in enumerate(cells)]
    if form == "text":
        header, cells = [*header, "model", "day"], [[*row, "lstm", f"2020-01-0{i + 1}"] for i, row in enumerate(cells)]
    lines = [sep.join(row) for row in [header, *cells]]
    if form == "comment":
        lines.insert(0, "# made by a model")
    text = ("\r" if form == "cr" else "\n").join([*lines, ""]).encode()
    (tmp_path / "p.csv").write_bytes(gzip.compress(text) if form == "gzip" else text)
    done = run(trajpack, "evaluate", tmp_path / "ds", tmp_path / "p.csv", "--metric", "forecast.mae", "--failed", "skip",
               "-f", "json")
    metric = json.loads(done.stdout)["metrics"][0]
    assert metric["value"] == pytest.approx(np.abs(truth - guess)[counted].mean(), rel=1e-12)


def test_text_in_a_column_of_predictions_is_named(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds")
    (tmp_path / "p.csv").write_text("series/x\n1\n2\nbad\n")
    done = run(trajpack, "evaluate", tmp_path / "ds", tmp_path / "p.csv", "--metric", "forecast.mae", code=1)
    assert "line 4: column 'series/x' holds 'bad', which is no number" in done.stderr
