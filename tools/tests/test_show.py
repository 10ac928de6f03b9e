"""What info, head and sample show: spans in the clock's unit, dates as dates, categories by name, all rows of an entity."""
import json
import subprocess

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def convert(trajpack, tmp_path):
    """Converts text into a dataset; gives its path."""
    def convert(text, *options):
        (tmp_path / "a.csv").write_text(text)
        out = tmp_path / "out"
        subprocess.run([trajpack, "convert", tmp_path / "a.csv", out, "--quiet", *options], check=True)
        return out
    return convert


def say(trajpack, *words):
    return subprocess.run([trajpack, *map(str, words)], check=True, capture_output=True, text=True).stdout


UNITS = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize("unit, said", [
    ("s", "1 h 6 min"), ("ms", "4 s"), ("min", "2 d 18 h"), ("h", "166 d 16 h"), ("d", "4000 d"),
    ("generations", "4,000 generations"), ("year", "4,000 years")])
def test_info_counts_in_the_unit_of_the_clock(trajpack, convert, unit, said):
    rows = "".join(f"{4 * i},{i % 7}.5\n" for i in range(1000))
    out = convert("time,x\n" + rows, "--time-unit", unit)
    first = say(trajpack, "info", out).splitlines()[0]
    assert f", {said}, " in first
    found = json.loads(say(trajpack, "info", out, "--json"))
    assert found["durations"] == {unit: 4000.0}
    seconds = UNITS.get(unit)
    assert found["seconds"] == (None if seconds is None else pytest.approx(4000 * seconds))


def test_steps_are_no_seconds(trajpack, convert):
    out = convert("x\n" + "".join(f"{i}.5\n" for i in range(7200)))
    assert ", 7,200 steps, " in say(trajpack, "info", out).splitlines()[0]
    assert json.loads(say(trajpack, "info", out, "--json"))["seconds"] is None


@pytest.mark.parametrize("step, count", [("1h", 30), ("7s", 30), ("250ms", 12), ("1D", 9)])
@pytest.mark.parametrize("is_regular", [True, False])
def test_dates_are_shown_as_dates(trajpack, convert, step, count, is_regular):
    times = pd.Series(pd.date_range("2018-12-30 22:00", periods=count, freq=step))
    if not is_regular:
        times = times.drop([3, 4]).reset_index(drop=True)
    table = pd.DataFrame({"date": times, "x": np.arange(len(times)) + 0.5})
    out = convert(table.to_csv(index=False, date_format="%Y-%m-%d %H:%M:%S.%f"))
    lines = say(trajpack, "info", out, "--episode", "a").splitlines()
    assert str(times.iloc[0])[:19] in lines[3] and str(times.iloc[-1])[:19] in lines[3]
    shown = say(trajpack, "head", out, "--rows", len(times)).splitlines()[3:]
    for line, time in zip(shown, times, strict=True):
        assert pd.Timestamp(" ".join(line.split()[1:3])) == time
    window = json.loads(say(trajpack, "head", out, "--rows", len(times), "--json"))["windows"][0]
    assert [pd.Timestamp(d) for d in window["dates"]] == list(times)
    title = say(trajpack, "sample", out, "--length", 4, "--seed", 1).splitlines()[0]
    assert "2018-12-3" in title or "2019-" in title


def test_epoch_times_keep_their_digits(trajpack, convert):
    out = convert("time,x\n1545437100.25,1\n1545437101.5,2\n1545437103.75,3\n")
    assert ["1545437100.25", "1545437101.5", "1545437103.75"] == [
        line.split()[1] for line in say(trajpack, "head", out).splitlines()[3:]]
    line = say(trajpack, "info", out, "--episode", "a").splitlines()[3]
    assert "1545437100.25" in line and "1545437103.75" in line


@pytest.mark.parametrize("cells", [
    ["1601772846458691579", "1601772846458691679", "1601772846458691999"],
    ["1403636579.763555527", "1403636579.763555627", "1403636580.000000001"]])
def test_times_have_all_their_digits(trajpack, convert, cells):
    out = convert("time,x\n" + "".join(f"{c},{i}\n" for i, c in enumerate(cells)))
    window = json.loads(say(trajpack, "head", out, "--rows", 3, "--json"))["windows"][0]
    shown = [line.split()[1] for line in say(trajpack, "head", out).splitlines()[3:]]
    listed = say(trajpack, "info", out, "--episode", "a").splitlines()[3]
    title = say(trajpack, "sample", out, "--length", 3).splitlines()[0]
    if "." in cells[0]:
        # Numbers with a fraction are doubles, as pandas has them.
        assert [float(s) for s in window["times"]] == [float(c) for c in cells]
    else:
        assert shown == cells and window["times"] == [int(c) for c in cells] and window["exact_times"] == cells
        assert cells[0] in listed and cells[-1] in listed and f"{cells[0]} to {cells[-1]}" in title


def test_info_names_the_unit_of_times(trajpack, convert):
    out = convert("time,x\n0,1\n0.5,2\n1.75,3\n", "--time-unit", "d")
    assert "times in d" in say(trajpack, "info", out)
    assert "float64 times in d" in say(trajpack, "info", out, "--episode", "a")


def test_categories_are_shown_by_name(trajpack, convert):
    out = convert("time,mode\n0,walk\n1,run\n2,walk\n3,\n")
    assert [line.split()[-1] for line in say(trajpack, "head", out).splitlines()[3:]] == ["walk", "run", "walk", "nan"]
    channel = json.loads(say(trajpack, "head", out, "--rows", 4, "--json"))["windows"][0]["channels"][0]
    assert [channel["categories"][row[0]] if row[0] is not None else None for row in channel["rows"]] == [
        "walk", "run", "walk", None]


def test_head_shows_an_entity_that_came_back_from_the_first_row(trajpack, recordings, tmp_path):
    out = tmp_path / "ww"
    subprocess.run([trajpack, "convert", recordings, out, "--quiet"], check=True)
    episodes = json.loads(say(trajpack, "info", out, "--episodes", "--json"))
    seen = 0
    for episode in episodes:
        tracks = json.loads(say(trajpack, "info", out, "--episode", episode["id"], "--json"))["tracks"]
        stretches = [t for t in tracks if t["stream"] == "monster"]
        if not stretches:
            continue
        window = json.loads(say(trajpack, "head", out, "--episode", episode["id"], "--channels", "monster/hp",
                                "--rows", episode["rows"], "--json"))["windows"][0]
        assert window["first_row"] == 0 and window["times"][0] == 0
        rows = sum(row is not None for channel in window["channels"] for row in channel["rows"])
        assert rows == sum(t["rows"] for t in stretches)
        seen += len(stretches) > 1
    assert seen > 0, "no episode has an entity that came back"


@pytest.mark.parametrize("columns", [3, 300])
def test_head_of_a_wide_table_shows_what_fits(trajpack, convert, columns):
    names = [f"c{i}" for i in range(columns)]
    out = convert(",".join(names) + "\n" + "".join(",".join(str(i + j) for j in range(columns)) + "\n" for i in range(5)))
    lines = say(trajpack, "head", out).splitlines()
    assert all(len(line) <= 120 for line in lines[2:])
    assert ("more: choose with --channels" in lines[-1]) == (columns == 300)
