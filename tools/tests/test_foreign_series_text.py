""".ts, .tsf and .arff files in the forms of sktime, aeon, the Monash, UCR and UEA archives, written from known
numbers."""
import subprocess
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from foreign_world import converted, run, same
from scipy.io import arff


def cell(value):
    return "?" if np.isnan(value) else repr(float(value))


def series(random, shape):
    values = random.normal(size=shape)
    return np.where(random.random(shape) < 0.1, np.nan, values)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("equal", [True, False])
def test_cases_and_classes(trajpack, tmp_path, seed, equal):
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 4))
    labels = ["up", "Down", "3"]
    cases = [(series(random, (width, 12 if equal else int(random.integers(1, 30)))), labels[random.integers(3)])
             for _ in range(12)]
    head = ["# toy", "", "@problemName Toy", "@timeStamps false", "@missing true",
            f"@univariate {'true' if width == 1 else 'false'}", f"@dimensions {width}",
            f"@equalLength {str(equal).lower()}", "@seriesLength 12" if equal else "# no length",
            f"@classLabel true {' '.join(labels)}", "@data"]
    lines = [":".join([*(",".join(map(cell, row)) for row in values), label]) for values, label in cases]
    end = str(random.choice(["\n", "\r\n"]))
    (tmp_path / "Toy_TRAIN.ts").write_text(end.join(head + lines) + (end if seed % 2 else ""), newline="")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "Toy_TRAIN.ts")
    assert outcome["reading"][0]["type"] == "ts" and len(episodes) == 12
    for number, (truth, label) in enumerate(cases):
        name = f"Toy_TRAIN/{number:02}"
        same(episodes[name]["series/values"], truth[0] if width == 1 else truth.T)
        assert values[name]["label"] == label
    assert '"split": "train"' in run(trajpack, "info", tmp_path / "ds", "--episodes", "--json").replace('":"', '": "')


def test_targets_and_dimensions_of_their_own_length(trajpack, tmp_path):
    (tmp_path / "r.ts").write_text("@problemName r\n@timestamps false\n@univariate false\n@targetlabel true\n@data\n"
                                   "1,2,3:4,5:-1.5\n6:7,8,9:2e3\n")
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "r.ts")
    same(episodes["r/0"]["dim_0/values"], np.array([1.0, 2, 3]))
    same(episodes["r/0"]["dim_1/values"], np.array([4.0, 5]))
    same(episodes["r/1"]["dim_1/values"], np.array([7.0, 8, 9]))
    assert [values[f"r/{i}"]["target"] for i in range(2)] == [-1.5, 2000]


def test_timestamps(trajpack, tmp_path):
    (tmp_path / "t.ts").write_text("@problemName t\n@timeStamps true\n@univariate true\n@classLabel false\n@data\n"
                                   "(0.5,1.0),(0.75,?),(2,3)\n(2001-01-01 00:00:00,5),(2001-01-01 00:00:30,6)\n")
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "t.ts")
    same(episodes["t/0"]["series/values"], np.array([1.0, np.nan, 3]))
    same(episodes["t/0"]["series/time"], np.array([0.5, 0.75, 2]))
    start = pd.Timestamp("2001-01-01").timestamp()
    same(episodes["t/1"]["series/time"], np.array([start, start + 30]))


FREQUENCIES = {"4_seconds": "4s", "minutely": "1min", "10_minutes": "10min", "half_hourly": "30min", "hourly": "1h",
               "daily": "1D", "weekly": "7D", "monthly": pd.DateOffset(months=1), "quarterly": pd.DateOffset(months=3),
               "yearly": pd.DateOffset(years=1)}


@pytest.mark.parametrize("word", FREQUENCIES)
def test_forecasting_series_at_their_frequency(trajpack, tmp_path, word):
    random = np.random.default_rng(len(word))
    starts = [datetime(1990, 1, 31), datetime(2000, 2, 29, 5, 30), datetime(1969, 12, 31, 23, 59, 59)]
    rows = [series(random, int(random.integers(2, 40))) for _ in starts]
    lines = [f"T{i}:{start:%Y-%m-%d %H-%M-%S}:{i * 1.5}:{','.join(map(cell, row))}"
             for i, (start, row) in enumerate(zip(starts, rows, strict=True))]
    head = ["# caf\xe9", "@relation toy", "@attribute series_name string", "@attribute start_timestamp date",
            "@attribute weight numeric", f"@frequency {word}", "@horizon 6", "@missing true", "@equallength false", "@data"]
    (tmp_path / "toy.tsf").write_bytes("\n".join(head + lines).encode("cp1252"))
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "toy.tsf")
    assert outcome["reading"][0]["type"] == "tsf"
    for i, (start, row) in enumerate(zip(starts, rows, strict=True)):
        same(episodes[f"T{i}"]["series/values"], row)
        step = FREQUENCIES[word]
        truth = [pd.Timestamp(start) + k * (step if not isinstance(step, str) else pd.Timedelta(step)) for k in range(len(row))]
        truth = [(t - pd.Timestamp(0)).total_seconds() for t in truth]
        np.testing.assert_allclose(episodes[f"T{i}"]["series/time"].astype("f8"), truth, rtol=0, atol=1e-6)
        assert values[f"T{i}"]["weight"] == i * 1.5


GOOD = ("@problemName x\n@timestamps false\n@univariate true\n@equalLength true\n@seriesLength 3\n@classLabel true a b\n"
        "@data\n1,2,3:a\n4,5,6:b\n")


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t.replace("5", "five"), "line 9"), (lambda t: t.replace(":b", ""), "line 9"),
    (lambda t: t.replace("4,5,6", "4,5"), "@seriesLength"), (lambda t: t[:t.index("@data")], "@data"),
    (lambda t: t.replace("4,5,6:b", "4,5,6:7:b"), "dimensions"), (lambda t: t.replace("4,5,6", ""), "line 9"),
    (lambda t: t[:t.index("1,2")], "no case"),
])
def test_spoilt_cases_are_one_sentence(trajpack, tmp_path, change, said):
    (tmp_path / "x.ts").write_text(change(GOOD))
    done = subprocess.run([trajpack, "convert", tmp_path / "x.ts", tmp_path / "o", "-q"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("line", "said"), [
    ("T1:1990-13-01 00-00-00:1,2", "date"), ("T1:1,2", "fields"), ("T1:1990-01-01 00-00-00:", "no values"),
    ("T1:1990-01-01 00-00-00:1,x", "no number"),
])
def test_spoilt_series_are_one_sentence(trajpack, tmp_path, line, said):
    (tmp_path / "x.tsf").write_text("@relation r\n@attribute series_name string\n@attribute start_timestamp date\n"
                                    f"@frequency daily\n@missing false\n@data\n{line}\n")
    done = subprocess.run([trajpack, "convert", tmp_path / "x.tsf", tmp_path / "o", "-q"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize(("ending", "separator"), [("tsv", "\t"), ("txt", "  "), ("txt", ","), ("tsv", ",")])
def test_lines_of_the_ucr_archive(trajpack, tmp_path, ending, separator):
    """A class and a series a line, shorter ones filled with NaN; read by pandas as a table."""
    random = np.random.default_rng(len(ending + separator))
    rows = [series(random, 20) for _ in range(11)]
    rows[3][15:] = np.nan
    rows[5][:] = 1.5
    labels = [int(x) for x in random.integers(-1, 3, len(rows))]
    name = f"Toy_TEST.{ending}"
    lines = [separator.join([str(label), *(repr(float(x)) if x == x else "NaN" for x in row)])
             for label, row in zip(labels, rows, strict=True)]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / name)
    assert outcome["reading"][0]["type"] == "ucr" and len(episodes) == 11
    table = pd.read_csv(tmp_path / name, sep=r"\s+" if separator == "  " else separator, header=None).to_numpy()
    for i, row in enumerate(table):
        last = 1 + np.flatnonzero(~np.isnan(row[1:])).max()
        same(episodes[f"Toy_TEST/{i:02}"]["series/values"], row[1:1 + last])
        assert values[f"Toy_TEST/{i:02}"]["label"] == str(int(row[0])) == str(labels[i])
    done = subprocess.run([trajpack, "convert", tmp_path / name, tmp_path / "again"], capture_output=True, text=True)
    assert "each line is a recording" in done.stderr and "NaN behind the last value" in done.stderr
    done = subprocess.run([trajpack, "convert", tmp_path / name, tmp_path / "rows", "--from", "series"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tables_that_are_no_series_stay_tables(trajpack, tmp_path):
    """With the archive's ending in the name, but a header, or few columns, or times in the first."""
    random = np.random.default_rng(1)
    wide = pd.DataFrame(random.normal(size=(12, 12)), columns=[f"c{i}" for i in range(12)])
    wide.to_csv(tmp_path / "a_TRAIN.tsv", sep="\t")
    wide.to_csv(tmp_path / "b_TRAIN.tsv", sep="\t", header=False, index=False)
    wide.iloc[:, :3].to_csv(tmp_path / "c_TRAIN.tsv", sep="\t", header=False)
    wide.to_csv(tmp_path / "d.tsv", sep="\t", header=False)
    for name in "abcd":
        path = next(tmp_path.glob(f"{name}*.tsv"))
        done = subprocess.run([trajpack, "convert", path, tmp_path / f"out-{name}", "--json"], capture_output=True, text=True)
        assert done.returncode == 0 and '"type": "ucr"' not in done.stdout.replace('":"', '": "'), done


@pytest.mark.parametrize("width", [1, 3])
def test_arff_of_the_archives(trajpack, tmp_path, width):
    """Read by scipy; relational attributes hold a dimension a row."""
    random = np.random.default_rng(width)
    cases = [(series(random, (width, 14)), ["up", "down"][random.integers(2)]) for _ in range(9)]
    head = ["% a description", "% of lines", "@Relation 'toy'", ""]
    attributes = [f"@attribute att{i} numeric" for i in range(14)]
    if width > 1:
        attributes = ["@attribute bag relational", *attributes, "@end bag"]
    lines = ["\\n".join(",".join(map(cell, row)) for row in values) for values, _ in cases]
    lines = [f"'{line}',{label}" if width > 1 else f"{line},{label}"
             for line, (_, label) in zip(lines, cases, strict=True)]
    path = tmp_path / "Toy_TRAIN.arff"
    path.write_text("\n".join([*head, *attributes, "@attribute class {up,down}", "@data", *lines]) + "\n")
    outcome, episodes, values = converted(trajpack, tmp_path, path)
    assert outcome["reading"][0]["type"] == "ucr" and len(episodes) == 9
    table, _ = arff.loadarff(path)
    for i, record in enumerate(table):
        truth = np.array(list(record)[:-1], "f8") if width == 1 else np.array(record[0].tolist()).T
        same(episodes[f"Toy_TRAIN/{i}"]["series/values"], truth)
        same(truth, cases[i][0][0] if width == 1 else cases[i][0].T)
        assert values[f"Toy_TRAIN/{i}"]["label"] == record[-1].decode() == cases[i][1]


def test_a_weka_table_is_named(trajpack, tmp_path):
    (tmp_path / "iris.arff").write_text("% flowers\n@RELATION iris\n@ATTRIBUTE sepal REAL\n@ATTRIBUTE class {a,b}\n"
                                        "@DATA\n5.1,a\n4.9,b\n")
    done = subprocess.run([trajpack, "convert", tmp_path / "iris.arff", tmp_path / "o", "-q"], capture_output=True, text=True)
    assert done.returncode == 1 and "a Weka table (ARFF)" in done.stderr, done.stderr


ARCHIVED = ("@relation t\n" + "".join(f"@attribute a{i} numeric\n" for i in range(9)) + "@attribute class {x,y}\n@data\n"
            + "1,2,3,4,5,6,7,8,9,x\n9,8,7,6,5,4,3,2,1,y\n")
LINES = "".join(f"{k % 2}\t" + "\t".join(str(k + i) for i in range(9)) + "\n" for k in range(12))


@pytest.mark.parametrize(("name", "text", "said"), [
    ("x.arff", ARCHIVED.replace("9,8", "nine,8"), "line 14"), ("x.arff", ARCHIVED.replace("9,8,7,6,5,4,3,2,1,y", "y"), "line 14"),
    ("x.arff", ARCHIVED[:ARCHIVED.index("1,2")], "no series"),
    ("x_TRAIN.tsv", LINES + "0.5\t" + "1\t" * 8 + "1\n", "no class"), ("x_TRAIN.tsv", LINES + "1\tq\n", "line 13"),
    ("x_TRAIN.tsv", LINES + "1\tNaN\tNaN\n", "no values"), ("x_TRAIN.tsv", LINES + "1\t2\t3\n", "the first line has 9"),
    ("x.arff", ARCHIVED.replace("9,8,7,6,5,4,3,2,1,y", "9,8,7,6,5"), "line 14 has 4 values"),
])
def test_spoilt_lines_of_archives_are_one_sentence(trajpack, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    done = subprocess.run([trajpack, "convert", tmp_path / name, tmp_path / "o", "-q"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr
    assert not (tmp_path / "o").exists()


def test_classes_between_quotes(trajpack, tmp_path):
    """Without them, as scipy has them; a class that the header does not list is said."""
    text = ARCHIVED.replace("{x,y}", "{'x','y, or z'}").replace("9,x", "9,'x'").replace("1,y", "1,'y, or z'")
    (tmp_path / "q.arff").write_text(text)
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "q.arff")
    assert [values[f"q/{i}"]["label"] for i in range(2)] == ["x", "y, or z"]
    same(episodes["q/1"]["series/values"], np.arange(9.0, 0, -1))
    table, _ = arff.loadarff(tmp_path / "q.arff")
    assert [row[-1].decode() for row in table] == ["x", "y, or z"]
    (tmp_path / "q.arff").write_text(ARCHIVED.replace("1,y", "1,w"))
    done = subprocess.run([trajpack, "convert", tmp_path / "q.arff", tmp_path / "w"], capture_output=True, text=True)
    assert done.returncode == 0 and "does not list the classes 'w'" in done.stderr, done.stderr
