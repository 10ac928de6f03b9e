"""`trajpack convert` of tables as people have them: read as pandas reads them, and how they were read is said."""
import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from prepare_world import read
from table_world import convert, one, refused, run

MISSING = ["NA", "N/A", "n/a", "NULL", "null", "None", "<NA>", "nan", "NaN", "-nan", "1.#QNAN", "-1.#IND", ""]


# Seeded tables, against pandas.

def cell(rng, style):
    match style:
        case "int":
            return str(rng.integers(-10**int(rng.integers(1, 15)), 10**15))
        case "decimal":
            return f"{rng.normal() * 10.0**rng.integers(-6, 9):.{rng.integers(1, 9)}f}"
        case "repr":
            return repr(float(rng.normal() * 10.0**rng.integers(-30, 30)))
        case _:
            return f"{rng.normal():.{rng.integers(0, 18)}e}"


def made(rng):
    """The text of a table and how pandas is to read it."""
    sep = [",", ";", "\t", "|", "blanks"][rng.integers(5)]
    comma = sep != "," and rng.random() < 0.4
    end = ["\n", "\r\n", "\r\r\n", "\r"][rng.integers(4)]
    columns, rows = int(rng.integers(2, 7)), int(rng.integers(3, 40))
    styles = [["int", "decimal", "repr", "exponent"][rng.integers(4)] for _ in range(columns)]
    if comma:
        styles[0] = "decimal"
    header = rng.random() < 0.7
    names = [f"c{i} x" if sep != "blanks" and rng.random() < 0.2 else f"c{i}" for i in range(columns)]
    comments = ["# made by a test", "# of tables"] if rng.random() < 0.2 else []
    # pandas ends a cell at a sign of comments, too.
    words = [w for w in MISSING if (w or sep != "blanks") and not (comments and "#" in w)]
    rate = 0.15 if rng.random() < 0.6 else 0
    lines = [names] if header else []
    for row in range(rows):
        cells = []
        for style in styles:
            text = cell(rng, style)
            if row > 0 and rng.random() < rate:
                text = words[rng.integers(len(words))]
            elif comma:
                text = text.replace(".", ",")
            if sep != "blanks" and rng.random() < 0.1:
                text = f'"{text}"'
            cells.append(text)
        lines.append(cells)
    if sep == "blanks":
        body = ["  ".join(c.rjust(int(rng.integers(1, 24))) for c in line) for line in lines]
    else:
        body = [sep.join(line) for line in lines]
    text = end.join(comments + body) + (end if rng.random() < 0.8 else "")
    if rng.random() < 0.1:
        text = "\ufeff" + text
    how = {"sep": r"\s+" if sep == "blanks" else sep, "decimal": "," if comma else ".",
           "header": 0 if header else None, "comment": "#" if comments else None}
    return text.encode(), how, sep


@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_those_of_pandas(trajpack, tmp_path, seed):
    rng = np.random.default_rng(seed)
    folder = tmp_path / "source"
    folder.mkdir()
    tables = {}
    for number in range(40):
        text, how, sep = made(rng)
        tables[f"t{number:02}"] = (text, how, sep)
        (folder / f"t{number:02}.csv").write_bytes(text)
    out, arrays = convert(trajpack, tmp_path, folder)
    assert len(arrays) == len(tables)
    streams = {name: r for r in out["reading"] for name in r["files"]}
    for name, (text, how, sep) in tables.items():
        frame = pd.read_csv(io.BytesIO(text), skipinitialspace=True, **how)
        found = {k.split("/", 1)[1]: v for k, v in arrays[name].items() if "/" in k}
        values = [found[k] for k in found if k != "time" and not k.endswith(".observed")]
        assert len(values) == frame.shape[1], (name, text[:200])
        for got, column in zip(values, frame.columns):
            want = pd.to_numeric(frame[column]).to_numpy()
            missing = got == np.iinfo(got.dtype).min if got.dtype.kind == "i" else np.isnan(got)
            assert np.array_equal(np.isnan(want.astype(float)), missing), (name, column)
            assert np.array_equal(got[~missing], want[~missing]), (name, column, text[:300])
    for name, reading in [(n, streams.get(f"{n}.csv")) for n in tables]:
        if reading:
            how = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "blanks": "blanks"}
            assert reading["delimiter"] == how[tables[name][2]], name
            assert reading["header"] == (tables[name][1]["header"] == 0), name
            assert reading.get("decimal_comma", False) == (tables[name][1]["decimal"] == ","), name


# Misreads that need no option.

@pytest.mark.parametrize("text,names,column,values", [
    ("time,x,y\r\r\n0,1.5,2.5\r\r\n1,1.7,3.5\r\r\n", {"x", "y"}, "y", [2.5, 3.5]),
    ("time,x\r0,1\r1,3\r", {"x"}, "x", [1, 3]),
    ("time,x\r0,1\r1,3", {"x"}, "x", [1, 3]),
    (",773869,767541\n2012-03-01 00:00:00,64.3,67.6\n2012-03-01 00:05:00,62.6,68.5\n", {"773869", "767541"},
     "773869", [64.3, 62.6]),
    ("Country,1960,1961\nAruba,4.8,4.6\nAngola,7.6,7.6\n", {"Country", "1960", "1961"}, "1961", [4.6, 7.6]),
    ("0,1,2\n0.5,0.25,0.125\n0.75,0.5,0.25\n0.5,0.25,0.75\n", {"0", "1", "2"}, "1", [0.25, 0.5, 0.25]),
    (",left,right\n0,a,b\n1,c,d\n", {"column1", "left", "right"}, "column1", [0, 1]),
    ("step,T,P\n0,20.5,1\n1,20.7,2\n", {"step", "T", "P"}, "T", [20.5, 20.7]),
    ("time;speed\n0;1,5\n1;2,25\n", {"speed"}, "speed", [1.5, 2.25]),
    ("0;1,5;2,25\n1;1,75;3,5\n", {"column1", "column2", "column3"}, "column3", [2.25, 3.5]),
    ("1.0 2.5\n3.0 4.5\n", {"column1", "column2"}, "column2", [2.5, 4.5]),
    ("  1.0e+00   2.5\n 13.0e+00  -4.5\n", {"column1", "column2"}, "column2", [2.5, -4.5]),
    ("# a b\n1 2\n3 4\n", {"a", "b"}, "b", [2, 4]),
    ("sep=;\ntime;x\n0;1\n1;3\n", {"x"}, "x", [1, 3]),
    ("time,x,x\n0,1,2\n1,3,4\n", {"x", "x.1"}, "x.1", [2, 4]),
    (",,x\n0,0.5,1\n1,0.1,3\n", {"column1", "column2", "x"}, "column2", [0.5, 0.1]),
    ("time,x\n0,1,\n1,3,\n", {"x"}, "x", [1, 3]),
    ("time, x, label\n0, 1.5, \"a,b\"\n1, 2.5, \"c\"\n", {"x", "label"}, "x", [1.5, 2.5]),
    ("x\n9007199254740993\n-0\n", {"x"}, "x", [9007199254740993, 0]),
    ("time,x\n0,1.0D+05\n1,2.5D-01\n", {"x"}, "x", [1e5, 0.25]),
    ("time,x\n0,\u22121.5\n1,2.5\n", {"x"}, "x", [-1.5, 2.5]),
    ("a b\nrow1 1 2\nrow2 3 4\n", {"column1", "a", "b"}, "b", [2, 4])])
def test_misreads_that_need_no_option_are_gone(trajpack, tmp_path, text, names, column, values):
    options = ("--delimiter", "blanks") if text.startswith("a b") else ()
    _, arrays = one(trajpack, tmp_path, text, *options)
    found = {k for k in arrays if k not in ("time", "schema") and not k.endswith((".observed", ".names"))}
    assert found == names
    assert np.array_equal(np.asarray(arrays[column]).ravel(), np.array(values))


def test_first_rows_that_are_values_stay_values(trajpack, tmp_path):
    for number, text in enumerate(["0,1,2\n3,4,5\n6,7,8\n", "0,1\n0.5,0.25\n1.0,0.75\n", "5,9,2\n0.5,0.2,0.1\n",
                                   "0,1,2\n0.1,1.5,2.5\n0.2,1.25,2.75\n", "1960,3\n1961,4\n"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        reading, arrays = one(trajpack, folder, text)
        assert reading["header"] is False, text
        assert len(arrays["column1"]) == text.count("\n")


@pytest.mark.parametrize("text,name,part", [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "a.csv", "Git LFS pointer"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "a.npy", "Git LFS pointer"),
    (b"<!DOCTYPE html>\n<html><body>a,b</body></html>\n", "a.csv", "HTML"),
    (b"PAR1\x15\x04", "a.csv", "Parquet"),
    (b"time,x\n,1\n0.1,2\n", "a.csv", "line 2"),
    (b"time,x\n0,1\n" + b"7,8\n" * 20000 + b"9,1\r9,2\n", "a.csv", "line 20003")])
def test_what_is_no_table_is_named(trajpack, tmp_path, text, name, part):
    assert part in refused(trajpack, tmp_path, text, name=name)


# What public series have, with the option that says it.

def test_missing_words_are_counted(trajpack, tmp_path):
    reading, arrays = one(trajpack, tmp_path, "time,x,y,who\n0,1.5,NA,NA\n1,?,-,b\n2,null,3,NA\n", "--missing", "-")
    assert reading["missing"] == {"-": 1, "?": 1, "NA": 1, "null": 1}
    assert np.array_equal(arrays["x"], [1.5, np.nan, np.nan], equal_nan=True)
    source = json.loads((tmp_path / "ds" / "manifest.json").read_text())["source"]
    assert source["reading"][0] == reading
    assert reading["text"] == ["who"]


@pytest.mark.parametrize("text,options,part,column,values", [
    ("time,speed\ns,km/h\n0,10.5\n1,10.6\n", ("--units-row",), "--units-row", "speed", [10.5, 10.6]),
    ("made by rig 3\nrate 100\ntime,x\n0,1\n1,3\n2,4\n", ("--skip-rows", "2"), "--skip-rows 2", "x", [1, 3, 4]),
    ("time,x\n0,1\n# a pause\n1,3\n", ("--comment", "#"), "--comment '#'", "x", [1, 3]),
    ("time,x\n0,999.5\n1,\"1,234.5\"\n", ("--thousands", ","), "--thousands ','", "x", [999.5, 1234.5]),
    ("time,x\n0,1\n1,\"1,5\"\n", ("--decimal", ","), "--decimal ','", "x", [1, 1.5]),
    ("time,x\n0,1\n1,-\n", ("--missing", "-"), "--missing '-'", "x", [1, np.iinfo(np.int32).min])])
def test_a_refusal_names_the_option_that_mends_it(trajpack, tmp_path, text, options, part, column, values):
    assert part in refused(trajpack, tmp_path, text)
    _, arrays = one(trajpack, tmp_path, text, *options)
    assert np.array_equal(arrays[column], values)


@pytest.mark.parametrize("ending,pack", [
    ("bz2", bz2.compress), ("xz", lzma.compress), ("gz", gzip.compress), ("zip", None)])
def test_packed_tables(trajpack, tmp_path, ending, pack):
    rng = np.random.default_rng(1)
    text = ("t,x\n" + "".join(f"{i},{x!r}\n" for i, x in enumerate(rng.normal(size=40_000).tolist()))).encode()
    path = tmp_path / f"a.csv.{ending}"
    if pack:
        path.write_bytes(pack(text[:1000]) + pack(text[1000:]))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", text)
    _, arrays = convert(trajpack, tmp_path, path)
    want = pd.read_csv(io.BytesIO(text), float_precision="round_trip")["x"]
    assert np.array_equal(next(iter(arrays.values()))["series/x"], want)
    for cut in (len(path.read_bytes()) // 2, 20):
        bad = tmp_path / f"b{cut}.csv.{ending}"
        bad.write_bytes(path.read_bytes()[:cut])
        said = run(trajpack, "convert", bad, tmp_path / "bad", fails=True)
        assert bad.name in said and not (tmp_path / "bad").exists()


# Folders.

def tree(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_runs_of_one_file_name_are_called_after_their_folders(trajpack, tmp_path):
    tree(tmp_path, {f"runs/run_{i:03}/log.csv": f"time,x\n0,{i}\n1,2\n" for i in range(3)})
    _, arrays = convert(trajpack, tmp_path, tmp_path / "runs")
    source = [e["id"] for e in json.loads(run(trajpack, "info", "--episodes", "--json", tmp_path / "ds"))]
    assert source == [f"run_{i:03}/log" for i in range(3)] and len(arrays) == 3
    singly = [tmp_path / "runs" / f"run_{i:03}" / "log.csv" for i in range(3)]
    run(trajpack, "convert", *singly, tmp_path / "ds2")
    assert run(trajpack, "diff", tmp_path / "ds", tmp_path / "ds2").startswith("equal")


def test_files_of_a_run_are_streams_of_one_episode(trajpack, tmp_path):
    tree(tmp_path, {
        f"r/run{i}/{name}.csv": f"time,{c}\n0,{i}\n{step},2\n" for i in (1, 2)
        for name, c, step in (("state", "x", 0.5), ("control", "u", 0.25))})
    out, arrays = convert(trajpack, tmp_path, tmp_path / "r")
    assert list(arrays) == ["run1", "run2"]
    assert np.array_equal(arrays["run2"]["control/time"], [0, 0.25])
    assert np.array_equal(arrays["run2"]["state/x"], [2, 2])
    assert {r["stream"] for r in out["reading"]} == {"state", "control"}
    out = json.loads(run(trajpack, "convert", tmp_path / "r", tmp_path / "ds2", "--episode-per", "file", "--json"))
    assert out["episodes"] == 4


def test_what_is_not_taken_is_named(trajpack, tmp_path):
    tree(tmp_path, {"s/a.csv": "time,x\n0,1\n1,2\n", "s/README.md": "# about, this\n", "s/notes.txt": "hello, you\n",
                    "s/sub/f.csv": "time,x\n0,1\n1,2\n", "s/d.dat": "0 1.5\n1 2.5\n", "s/b.csv.bz2": "no bzip2\n"})
    out, arrays = convert(trajpack, tmp_path, tmp_path / "s")
    assert {k.replace("%2f", "/") for k in arrays} == {"a", "d", "sub/f"}
    names = {f["file"] for f in out["left_out"]["files"]}
    assert names == {"README.md", "notes.txt", "b.csv.bz2"} and out["left_out"]["count"] == 3
    said = run(trajpack, "convert", tmp_path / "s", tmp_path / "ds2", both=True)
    assert "left out README.md" in said


def test_the_reading_is_said_in_a_line(trajpack, tmp_path):
    (tmp_path / "a.csv").write_text("ds;y;who\n2012-01-02;1,5;a\n2012-01-01;NA;b\n")
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "ds", both=True)
    line = "a.csv: semicolon, header, decimal comma, no times, 2 text columns 'ds', 'who', missing: 1 'NA'"
    assert line in said.splitlines()
    assert "say --time 'ds'" in said


def test_a_resumed_conversion_has_the_same_reading(trajpack, tmp_path):
    tree(tmp_path, {f"s/{i}.csv": f"time,x\n0,NA\n1,{i}\n" for i in range(6)})
    options = ("--shard-size", "20", "--quiet")
    run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", *options)
    want = (tmp_path / "ds" / "manifest.json").read_bytes()
    run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", *options, "--resume")
    assert (tmp_path / "ds" / "manifest.json").read_bytes() == want
    assert json.loads(want)["source"]["reading"][0]["missing"] == {"NA": 6}


# WildWorld.

@pytest.mark.parametrize("seed", range(6))
def test_an_entity_without_a_value_is_not_there(trajpack, tmp_path, seed):
    rng = np.random.default_rng(seed)
    here = rng.random(40) < 0.6
    here[0] = True
    tuples = [lambda v: "(" + ", ".join(v) + ")", lambda v: "[" + ", ".join(v) + "]", lambda v: "[" + "  ".join(v) + "]",
              lambda v: "(" + ", ".join(f"np.float64({x})" for x in v) + ")"][seed % 4]
    lines = [",camera.pos,monster.list.0.type_id,monster.list.0.pos,monster.list.0.hp,monster.list.0.cond"]
    for row, there in enumerate(here):
        nothing = ["", "nan", "None"]
        if there:
            cells = ["37", tuples([str(row), "1.5", "2"]), "" if rng.random() < 0.2 else str(row),
                     ["none", "burn", "nan", ""][rng.integers(4)]]
        else:
            cells = [nothing[rng.integers(3)], [*nothing, "(nan, nan, nan)"][rng.integers(4)], nothing[rng.integers(3)],
                     [*nothing, "none"][rng.integers(4)]]
        lines.append(",".join(f'"{c}"' for c in [str(row), "(1, 2, 3)", *cells]))
    tree(tmp_path, {"part/000001/state.csv": "\n".join(lines) + "\n", "part/000001/captions.json": "{}\n"})
    out = json.loads(run(trajpack, "convert", tmp_path / "part", tmp_path / "ds", "--json"))
    assert [f["file"] for f in out["left_out"]["files"]] == ["000001/captions.json"]
    tracks = [ts for key, ts in read(tmp_path / "ds").items() if key[1] == "monster"][0]
    edges = np.flatnonzero(np.diff(here.astype(int), prepend=0, append=0))
    assert [(round(t[0][0] * 30), len(t[0])) for t in tracks] == [(a, b - a) for a, b in edges.reshape(-1, 2)]
    found = np.concatenate([np.asarray(t[1]["pos"][0])[:, 0] for t in tracks])
    assert np.array_equal(found, np.flatnonzero(here))
