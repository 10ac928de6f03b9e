"""Forms of tables: quarters as dates, spaces between thousands; files that Git LFS has not fetched."""
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from table_world import one, run

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


DATES = {"dmy": ["25/12/2003", "26/12/2003", "27/12/2003"], "month": ["Jan-2000", "Feb-2000", "Mar-2000"],
         "year-month": ["2000-01", "2000-02", "2000-03"], "quarter": ["2000Q1", "2000Q2", "2000Q3"]}


@pytest.mark.parametrize("dates", DATES)
@pytest.mark.parametrize("name", ["1990", "0"])
@pytest.mark.parametrize("sign", [",", ";", "\t", " ", "   "])
def test_a_word_over_dates_is_a_header(trajpack, tmp_path, dates, name, sign):
    """Of any form, also where the other column is named by a number."""
    rows = "".join(f"{d}{sign}{i}.5\n" for i, d in enumerate(DATES[dates]))
    reading, arrays = one(trajpack, tmp_path, f"Month{sign}{name}\n{rows}")
    assert reading["header"] and reading["time"]["column"] == "Month" and reading["text"] == []
    assert np.array_equal(arrays[name], [0.5, 1.5, 2.5])


@pytest.mark.parametrize("mark", ["-", "."])
def test_dates_and_marks_between_blanks(trajpack, tmp_path, mark):
    text = f"Date x\n25/12/2003 {mark}\n26/12/2003 {mark}\n27/12/2003 -1.5\n"
    reading, arrays = one(trajpack, tmp_path, text, "--missing", mark)
    assert reading["delimiter"] == "blanks" and np.array_equal(arrays["x"], [np.nan, np.nan, -1.5], equal_nan=True)


def test_rows_of_one_text_name_the_option(trajpack, tmp_path):
    (tmp_path / "a.csv").write_text("name key\na1 b2\na3 b4\na5 b6\n")
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "ds", both=True)
    assert "if blanks separate 2 cells, say --delimiter blanks" in said
    run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "cut", "--delimiter", "blanks")


@pytest.mark.parametrize("text", [
    "Month,x,y\n-,m,kg\nJan-2000,1.5,2\nFeb-2000,2.5,3\n",
    "quarter;x;site\ns;m;-\n2000Q1;1.5;north\n2000Q2;2.5;south\n",
    "t,x\ns,m\n0,.\n1,2.5\n"])
def test_a_row_of_units_is_refused_with_its_option(trajpack, tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "ds", fails=True)
    assert "line 2" in said and "--units-row" in said
    _, arrays = one(trajpack, tmp_path, text, "--units-row", "--missing", ".")
    assert arrays["x"][-1] == 2.5 and len(arrays["x"]) == 2


@pytest.mark.parametrize("mark", ["-", ".", "x"])
def test_a_first_row_with_a_number_is_no_row_of_units(trajpack, tmp_path, mark):
    (tmp_path / "a.csv").write_text(f"x,y\n1.5,{mark}\n2.5,3.5\n")
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "ds", fails=True)
    assert f"say --missing '{mark}'" in said and "units" not in said


@pytest.mark.parametrize("dates", DATES)
def test_first_rows_of_dates_are_no_units(trajpack, tmp_path, dates):
    text = "Month,x\n" + "".join(f"{d},{'' if i == 0 else i + 0.5}\n" for i, d in enumerate(DATES[dates]))
    _, arrays = one(trajpack, tmp_path, text)
    assert np.array_equal(arrays["x"], [np.nan, 1.5, 2.5], equal_nan=True)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("word", ["#N/A", "#DIV/0!"])
@pytest.mark.parametrize("above", ["", "# a comment\n"])
def test_errors_of_spreadsheets_are_no_comments(trajpack, tmp_path, sign, word, above):
    text = above + f"{word}{sign}1.5\n2.5{sign}3.5\n{word}{sign}4.5\n"
    _, arrays = one(trajpack, tmp_path, text, "--missing", word)
    assert np.array_equal(arrays["column1"], [np.nan, 2.5, np.nan], equal_nan=True)
    assert np.array_equal(arrays["column2"], [1.5, 3.5, 4.5])


@pytest.mark.parametrize("names", ["0,1,2", "1990,1991,1992"])
def test_names_in_a_comment_may_be_numbers(trajpack, tmp_path, names):
    reading, arrays = one(trajpack, tmp_path, f"#timestamp,{names}\n0,1.5,2.5,3.5\n1,4.5,5.5,6.5\n")
    assert reading["header"] and reading["time"]["column"] == "timestamp"
    assert [np.array_equal(arrays[n], v) for n, v in zip(names.split(","), [[1.5, 4.5], [2.5, 5.5], [3.5, 6.5]])] == [True] * 3


def test_numbers_that_no_float_holds_are_said(trajpack, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("t,a,b\n0,1e400,1\n1,-2e500,2\n2,1e-400,3\n3,1.5,4\n")
    said = run(trajpack, "convert", path, tmp_path / "o")
    assert "3 numbers that float64 does not hold, such as '1e400'" in said
    outcome = json.loads(run(trajpack, "convert", path, tmp_path / "o", "--json", "-q", "--overwrite"))
    assert outcome["reading"][0]["out_of_range"] == {"count": 3, "first": "1e400"}
