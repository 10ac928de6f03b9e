"""Forms of tables: quarters as dates, spaces between thousands; files that Git LFS has not fetched."""
import shutil

import numpy as np
import pandas as pd
import pytest
from test_tables import one, run

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("form", ["{y}Q{q}", "{y}-Q{q}", "{y} Q{q}", "Q{q} {y}", "Q{q}-{y}", "{y}q{q}", "{y}/Q{q}"])
def test_quarters_are_dates(trajpack, tmp_path, form):
    quarters = pd.period_range("1998Q3", periods=11, freq="Q")
    cells = [form.format(y=p.year, q=p.quarter) for p in quarters]
    reading, arrays = one(trajpack, tmp_path, "date,x\n" + "".join(f"{c},{i}\n" for i, c in enumerate(cells)))
    want = quarters.to_timestamp().as_unit("s").asi8
    assert np.array_equal(arrays["time"], want) and reading["time"]["column"] == "date"
    run(trajpack, "export", "--quiet", tmp_path / "ds", tmp_path / "csv", "--to", "csv")
    lines = (tmp_path / "csv" / "a" / "series.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == cells


@pytest.mark.parametrize("cells", [["2020Q1", "2020Q5"], ["Q0 2020", "Q1 2020"], ["Q1", "Q2"], ["20Q1", "20Q2"]])
def test_what_is_no_quarter_is_text(trajpack, tmp_path, cells):
    reading, _ = one(trajpack, tmp_path, "name,x\n" + "".join(f"{c},1\n" for c in cells))
    assert reading["text"] == ["name"] and reading["time"] is None


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "\u2009"])
@pytest.mark.parametrize("comma", [False, True])
def test_spaces_between_thousands(trajpack, tmp_path, space, comma):
    values = [1234.5, 12.25, 1234567.75, -98765.0, 0.5]
    texts = [f"{v:,}".replace(",", "_").replace(".", "," if comma else ".").replace("_", space) for v in values]
    text = "t;x\n" + "".join(f"{i};{t}\n" for i, t in enumerate(texts))
    options = ["--decimal", ","] if comma else []
    _, arrays = one(trajpack, tmp_path, text, "--thousands", space, *options, "--delimiter", ";")
    assert np.array_equal(arrays["x"], values)


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u2009", "\u3000", " \u00a0 ", "\t\u2003"])
@pytest.mark.parametrize("options", [[], ["--thousands", "space"], ["--decimal", ","]])
def test_spaces_around_numbers_and_dates(trajpack, tmp_path, space, options):
    """Padding of any kind: as Python's `float` reads numbers."""
    values = [1.5, -2.0, 31.25, np.nan, 5.0, np.nan]
    cells = [f"{v}" if v == v else "" for v in values[:-1]] + ["NA"]
    if "--decimal" in options:
        cells = [c.replace(".", ",") for c in cells]
    days = [f"2020-01-0{i + 1}" for i in range(len(cells))]
    assert [float(space + c.replace(",", ".") + space) for c in cells if c not in ("", "NA")] == [v for v in values if v == v]
    rows = "".join(f"{space}{d}{space};{space}{c}{space};{c}{space}\n" for d, c in zip(days, cells))
    reading, arrays = one(trajpack, tmp_path, f"date;x;{space}y{space}\n{rows}", "--delimiter", ";", *options)
    assert reading["text"] == [] and reading["time"]["column"] == "date"
    assert np.array_equal(arrays["x"], values, equal_nan=True) and np.array_equal(arrays["y"], values, equal_nan=True)
    run(trajpack, "export", "--quiet", tmp_path / "ds", tmp_path / "csv", "--to", "csv")
    lines = (tmp_path / "csv" / "a" / "series.csv").read_text().splitlines()
    # How dates were written is kept.
    assert lines[0] == "time,time (text),x,y"
    assert [line.split(",")[:2] for line in lines[1:]] == [[d, f"{space}{d}{space}"] for d in days]


def test_text_keeps_its_spaces(trajpack, tmp_path):
    run(trajpack, "convert", "--quiet", one(trajpack, tmp_path, "x,name\n1,\u00a0a\n2,a\n") and tmp_path / "a.csv",
        tmp_path / "again")
    run(trajpack, "export", "--quiet", tmp_path / "again", tmp_path / "csv", "--to", "csv")
    assert [line.split(",")[-1] for line in (tmp_path / "csv" / "a" / "series.csv").read_text().splitlines()] == [
        "name", "\u00a0a", "a"]


def test_files_that_were_not_fetched_are_named(trajpack, recordings, tmp_path):
    for name in ("state.csv", "skeleton.npz", "rgb.mp4", "depth.mkv"):
        source = tmp_path / name.replace(".", "_")
        shutil.copytree(recordings, source)
        found = sorted(source.rglob(name))
        if not found:
            continue
        found[0].write_text(POINTER)
        said = run(trajpack, "convert", source, tmp_path / "ds", fails=True)
        assert name in said and "Git LFS pointer" in said and "git lfs pull" in said
    for name in ("a.npz", "a.npy", "a.csv", "a.json"):
        (tmp_path / name).write_text(POINTER)
        assert "Git LFS pointer" in run(trajpack, "convert", tmp_path / name, tmp_path / "ds", fails=True)
