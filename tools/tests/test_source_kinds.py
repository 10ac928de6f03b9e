"""Sources as people have them: archives with more than plain numbers, videos whose times are not the clock's, samples
that were cut, cells that would be numbers, and predictions in the tables of others. Witnesses: numpy and ffmpeg."""
import json
import shutil
import subprocess

import numpy as np
import pytest
import trajpack as package
from world_video import film


def run(trajpack, *command, code=0):
    done = subprocess.run([trajpack, *map(str, command)], capture_output=True, text=True, check=False)
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
    """The same instants as numpy's, of any unit, before and after 1970, even or not, in either byte order."""
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
    text = "000001: rgb.mp4 has 1 gap in its times, the longest 0.333 s before frame 4; "
    assert said["remarks"] == [text + "frames and rows are paired by number"]
    assert json.loads(run(trajpack, "info", tmp_path / "ds", "--json").stdout)["remarks"] == said["remarks"]


def test_what_truncate_cuts_is_said_wherever_it_goes(trajpack, sample, tmp_path):
    film(sample / "rgb.mp4", "30", 20)
    _, said, _ = converted(trajpack, sample.parent, tmp_path / "ds", "--on-mismatch", "truncate")
    text = "000001: the files differ in frames: state.csv 12, skeleton.npz 12, rgb.mp4 20"
    assert said["remarks"][0].startswith(text)
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
    (["1\u00a0234", "2\u00a0345"], "--thousands space"),
    (["1\u202f234,5", "12\u202f345,6"], "--thousands space --decimal ','"),
    (["1 234", "2 999"], "--thousands space"), (["1'234.5", "2'345.5"], "--thousands \"'\""),
    (["1.234,5", "2.345,25"], "--decimal ',' --thousands '.'"), (["1,234.5", "2,345.5"], "--thousands ','"),
    (["12%", "13 %"], "signs of percent"), (["$1.5", "$2"], "signs of currency"),
    (["3 €", "4 €"], "signs of currency"),
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


@pytest.mark.parametrize(
    "cells", [["a b", "c d"], ["10 12", "11 14"], ["12 Main", "13 Main"], ["1 23", "4 56"], ["-", "x"]])
def test_other_text_is_not_hinted_at(trajpack, tmp_path, cells):
    (tmp_path / "a.csv").write_text("time;x\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells)))
    assert converted(trajpack, tmp_path / "a.csv", tmp_path / "a")[1]["remarks"] == []


def test_files_that_are_no_tables_are_named(trajpack, tmp_path):
    text, book = "a\tb\n1\t2\n".encode("utf-16"), b"\xd0\xcf\x11\xe0" * 200
    wide = "a\tb\n1\t2\n"
    for name, content, word in [("u.csv", text, "UTF-16"), ("v.csv", wide.encode("utf-32"), "UTF-32"),
                                ("w.csv", b"\0\0\xfe\xff" + wide.encode("utf-32-be"), "UTF-32"), ("x.csv", book, "Excel")]:
        (tmp_path / name).write_bytes(content)
        assert word in run(trajpack, "convert", tmp_path / name, tmp_path / "o", "--from", "series", code=1).stderr


def test_a_name_that_is_no_utf8_is_said(trajpack, tmp_path):
    (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n")
    with open(bytes(tmp_path) + b"/b\xff.csv", "w") as file:
        file.write("time,x\n0,1\n1,2\n")
    said = run(trajpack, "convert", tmp_path, tmp_path.parent / f"{tmp_path.name}-ds", code=2).stderr
    assert "no UTF-8" in said and "rename it" in said


# Tables of predictions

@pytest.mark.parametrize(
    "form", ["plain", "semicolon", "decimal", "tab", "bar", "words", "comment", "index", "text", "cr", "gzip"])
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
    done = run(trajpack, "evaluate", tmp_path / "ds", tmp_path / "p.csv", "--metric", "forecast.mae", "--failed",
               "skip", "-f", "json")
    metric = json.loads(done.stdout)["metrics"][0]
    assert metric["value"] == pytest.approx(np.abs(truth - guess)[counted].mean(), rel=1e-12)


def test_text_in_a_column_of_predictions_is_named(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds")
    (tmp_path / "p.csv").write_text("series/x\n1\n2\nbad\n")
    done = run(trajpack, "evaluate", tmp_path / "ds", tmp_path / "p.csv", "--metric", "forecast.mae", code=1)
    assert "line 4: column 'series/x' holds 'bad', which is no number" in done.stderr


# What one run of several metrics, or of several channels, must not lose

def test_pictures_of_two_sizes_cost_what_needs_one_size(trajpack, recordings, tmp_path):
    """Keypoints have a reason and no figure, the camera has its figures."""
    for number, size in ((1, "64x48"), (2, "96x64")):
        folder = tmp_path / "part" / f"00000{number}"
        shutil.copytree(f"{recordings}/00000{number}", folder)
        film(folder / "rgb.mp4", "30", 12, size=size)
    shutil.copy(f"{recordings}/skeleton_edges.json", tmp_path / "part")
    converted(trajpack, tmp_path / "part", tmp_path / "ds")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "x", "--to", "npz")
    (tmp_path / "p").mkdir()
    for number in (1, 2):
        z = np.load(tmp_path / "x" / f"00000{number}" / "episode.npz")
        joints = {name.split("]")[0]: z[name].shape[1] for name in z.files if name.endswith("/joints")}
        np.savez(tmp_path / "p" / f"00000{number}.npz", tracks=np.zeros((12, sum(joints.values()), 2)),
                 visibles=np.ones((12, sum(joints.values())), bool),
                 **{name: z[name] for name in z.files if name.startswith("camera/")})
    done = run(trajpack, "evaluate", tmp_path / "ds", tmp_path / "p", "--suite", "keypoints", "--suite", "camera",
               "-f", "json")
    report = json.loads(done.stdout)
    found = {m["name"]: m for m in report["metrics"]}
    assert found["camera.ate.rmse"]["value"] == pytest.approx(0, abs=1e-9)
    lost = found["keypoints.state_alignment"]
    assert lost["value"] is None and "'true_width' is 64 in episode '000001' and 96 in '000002'" in lost["reason"]


@pytest.mark.parametrize("form", ["npz", "archive", "csv"])
def test_several_metrics_give_what_each_gives(trajpack, tmp_path, form):
    """They share what is read; no metric may see what another has made of it (constant channels, missing values)."""
    rng = np.random.default_rng(3)
    walk = rng.normal(size=(3, 60, 3)).cumsum(1)
    walk[..., 2] = 4
    guess = walk + rng.normal(size=walk.shape) * .1
    guess[1, 20] = np.nan
    np.savez(tmp_path / "t.npz", x=walk)
    run(trajpack, "convert", tmp_path / "t.npz", tmp_path / "t")
    (tmp_path / "p" / "t").mkdir(parents=True)
    lines = ["episode,row,series/x.0,series/x.1,series/x.2"]
    for e in range(3):
        np.savez(tmp_path / "p" / "t" / f"{e}.npz", **{"series/x": guess[e]})
        lines += [f"t/{e},{row}," + ",".join(map(repr, map(float, values))) for row, values in enumerate(guess[e])]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    if form == "archive":
        (tmp_path / "other").mkdir()
        np.savez(tmp_path / "other" / "t.npz", x=guess)
        run(trajpack, "convert", tmp_path / "other" / "t.npz", tmp_path / "pa")
    predictions = {"npz": tmp_path / "p", "csv": tmp_path / "p.csv", "archive": tmp_path / "pa"}[form]

    def figures(*names):
        options = [word for name in names for word in ("--metric", name)]
        said = run(trajpack, "evaluate", tmp_path / "t", predictions, *options, "--failed", "skip", "-f", "json").stdout
        return {m["name"]: (m["value"], m["count"]) for m in json.loads(said)["metrics"]}

    names = ["forecast.mae", "attractor.hull_area", "forecast.dtw", "state.alignment", "forecast.valid_time"]
    apart = {}
    for name in names:
        apart |= figures(name)
    assert figures(*names) == apart == figures(*reversed(names))


def test_one_channel_that_cannot_be_embedded_costs_itself(trajpack, tmp_path):
    t = np.arange(400) * .3
    np.savez(tmp_path / "a.npz", x=np.sin(t) + .5 * np.sin(2.3 * t), y=(t > 60) * 1., z=np.full(400, 2.))
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "a")
    done = run(trajpack, "embed", tmp_path / "a", tmp_path / "e")
    assert "left out series/y: " in done.stderr and "left out, since constant: series/z" in done.stderr
    named = ["--channel", "series/y", "--channel", "series/x"]
    done = run(trajpack, "embed", tmp_path / "a", tmp_path / "f", *named, code=1)
    assert "series/y" in done.stderr
