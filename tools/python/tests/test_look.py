"""`trajpack head`, `sample` and `bench`: they show what the loader of Python gives."""
from __future__ import annotations

import json
import subprocess

import numpy as np
from places import program

import trajpack


def run(*arguments, code=0, columns=80, **environment):
    done = subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "COLUMNS": str(columns), **environment})
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def values(document, window, channel, entity=None):
    found = [c for c in document["windows"][window]["channels"] if c["channel"] == channel and c.get("entity") == entity]
    return found[0]["rows"] if found else None


def test_sample_draws_the_windows_that_python_draws(wildworld):
    out = json.loads(run("sample", wildworld, "--windows", 20, "--seed", 5, "--length", 12, "--json"))
    loader = trajpack.open(wildworld).windows(length=12, seed=5, batch=20, time=True)
    batch = loader.next()
    assert out["reference"] == loader.reference
    assert [w["window"] for w in out["windows"]] == batch.windows.tolist()
    absent = 0
    for name, output in loader.outputs.items():
        if output.role != "values":
            continue
        seen = batch.valid(name)
        for w in range(20):
            for slot in range(max(output.entities, 1)):
                at = (w, slice(None), slot) if output.entities else (w, slice(None))
                rows = values(out, w, name, slot if output.entities else None)
                if rows is None:
                    assert not batch[f"present:{output.stream}"][w, :, slot].any()
                    absent += 1
                    continue
                for t, row in enumerate(rows):
                    here, there = batch[name][at][t].reshape(-1), seen[at][t].reshape(-1)
                    if row is None:
                        assert not there.any()
                    else:
                        there = there & np.isfinite(here)                       # JSON has no NaN and no infinity
                        assert [x is not None for x in row] == there.tolist()
                        assert np.array_equal(np.array([x for x in row if x is not None], here.dtype), here[there])
    assert absent > 0
    for w, window in enumerate(out["windows"]):
        assert window["times"] == batch[f"time:{loader.reference}"][w].tolist()
        episode, _, row = loader.locate(int(batch.windows[w]))
        assert (window["episode"], window["first_row"]) == (trajpack.open(wildworld).episodes.ids[episode], row)


def test_head_has_the_first_rows(wildworld):
    episode = trajpack.open(wildworld).episode("000002")
    out = json.loads(run("head", wildworld, "--episode", "000002", "--rows", 7, "--channels", "camera", "--json"))
    assert values(out, 0, "camera/pos") == episode["camera/pos"][:7].tolist()
    # More rows than there are: the rest is padding, and not printed.
    count = len(episode["camera"])
    out = json.loads(run("head", wildworld, "--episode", "000002", "--rows", count + 5, "-c", "camera/pos", "--json"))
    assert values(out, 0, "camera/pos")[count:] == [None] * 5 and out["windows"][0]["padding"] == [False] * count + [True] * 5
    text = run("head", wildworld, "--episode", "000002", "--rows", count + 5, "-c", "camera/pos").splitlines()
    assert text[2].split() == ["row", "time", "camera/pos"] and len(text) == 3 + count
    assert text[3].split()[2:] == [f"{x:.6g}" for x in episode["camera/pos"][0]]


def test_tables_fit_the_terminal(wildworld):
    for columns in (40, 80, 200):
        out = run("head", wildworld, columns=columns).splitlines()
        table = out[2:out.index("", 2)]
        assert max(map(len, table)) <= max(columns, 40) and len({len(line) for line in table}) == 1
    assert "channels more: choose with --channels" in out[-1]


def test_courses_of_a_window(tmp_path):
    with trajpack.create(tmp_path / "ds", rate=1) as writer:
        x = np.arange(8.0)
        x[3] = np.nan
        writer.append("a", up=x, flat=np.ones(8), wide=np.tile(np.arange(8)[:, None], 10))
    out = run("sample", tmp_path / "ds", "--length", 8, LC_ALL="C.UTF-8").splitlines()
    assert out[0] == "window 0: episode a, rows 0 to 7, 0 to 7 s"
    lines = {line.split("  ")[0]: line for line in out[3:]}
    assert lines["frames/up"].endswith("▁▂▃ ▅▆▇█") and lines["frames/flat"].endswith("▁" * 8)
    assert "frames/wide [3 of 10]" in lines and "frames/wide [4]" not in lines
    assert lines["frames/up"].split()[1:4] == ["0", "3.57143", "7"]
    plain = run("sample", tmp_path / "ds", "--length", 8, LC_ALL="C")
    assert plain.isascii() and "_.- +*#@" in plain


def test_mistakes_get_a_sentence(wildworld, tmp_path):
    assert "did you mean '000002'" in run("head", wildworld, "--episode", "00002", code=2)
    assert "did you mean 'npc'" in run("sample", wildworld, "-c", "npd", code=2)
    assert "no window of 1000 rows" in run("sample", wildworld, "-l", 1000, code=2)
    assert "out of range" in run("sample", wildworld, "-n", 0, code=2)
    assert "does not exist" in run("head", tmp_path / "nothing", code=2)


def test_bench_tells_of_the_loader(wildworld):
    out = json.loads(run("bench", wildworld, "--rounds", 2, "--json"))
    assert out["window_rows"] == 64 and [o["order"] for o in out["loader"]] == ["in order", "from anywhere, shuffled"]
    assert all(o["windows_per_s"] > 0 and o["bytes_per_s"] > 0 and o["inflated_per_byte"] > 0 for o in out["loader"])
    text = run("bench", wildworld, "--rounds", 1)
    assert "windows a second" in text and "loader.stats()" in text
