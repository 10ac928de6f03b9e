"""`diff DATASET SOURCE` reads the source with the options that the manifest keeps."""
import json
import shutil

import numpy as np
import pytest
from test_on_error import run

DATES = "".join(f"{d:02d}/03/2020 10:00,{d}.5\n" for d in range(1, 13))
TABLE = "\n".join(f"{e};{t};{e + t},5;{(e * t) % 3}" for e in range(3) for t in range(6))
# What a source is, and the options that it needs or may have.
CASES = {
    "segment": ("time,x\n" + "".join(f"{t},{t % 5}\n" for t in range(20)), ["--segment", "6"]),
    "rate": ("x,y\n1,2\n3,4\n5,6\n", ["--rate", "100"]),
    "fraction": ("x,y\n1,2\n3,4\n5,6\n", ["--rate", "30000/1001", "--time-unit", "s"]),
    "episodes": ("run;t;x;k\n" + TABLE + "\n",
                 ["--episode-column", "run", "--time", "t", "--delimiter", ";", "--decimal", ","]),
    "no time": ("time,x\n3,1\n2,2\n", ["--time", "none"]),
    "kind": ("time,x,k\n0,1,2\n1,2,3\n", ["--kind", "k=label", "--unit", "x=m/s"]),
    "text": ("time,x\n0,1\n1,2\n", ["--kind", "x=text"]),
    "header": ("1,2\n3,4\n5,6\n", ["--header", "yes"]),
    "blanks": ("a b\n1  2\n3 4\n", ["--delimiter", "blanks"]),
    "missing": ("time,x\n0,1\n1,gone\n2,lost\n", ["--missing", "gone", "--missing", "lost"]),
    "thousands": ('time;x\n0;"1.234,5"\n1;"12.345,25"\n', ["--thousands", ".", "--decimal", ","]),
    "comment": ("time,x\n0,1 ! first\n1,2\n", ["--comment", "!"]),
    "skip": ("made by x\nof y\ntime,x\n0,1\n1,2\n", ["--skip-rows", "2", "--units-row"]),
    "dates": ("day,x\n" + DATES, ["--time", "day", "--time-format", "mdy"]),
    "terminals": ("x,done\n1,0\n2,1\n3,0\n", ["--terminals", "done"]),
}


@pytest.mark.parametrize("name", CASES)
def test_tables(trajpack, tmp_path, name):
    text, options = CASES[name]
    source = tmp_path / "a.csv"
    source.write_text(text)
    code, _, error = run(trajpack, "convert", source, tmp_path / "ds", *options)
    assert code == 0, error
    code, out, error = run(trajpack, "diff", tmp_path / "ds", source)
    assert (code, out[:6]) == (0, "equal:"), out + error
    assert run(trajpack, "diff", source, tmp_path / "ds")[0] == 0
    last = max(i for i, c in enumerate(text) if c.isdigit())
    digit = (int(text[last]) + 1) % (2 if name == "terminals" else 10)
    source.write_text(f"{text[:last]}{digit}{text[last + 1:]}")
    assert run(trajpack, "diff", tmp_path / "ds", source)[0] == 1


def test_what_is_given_counts_before_the_manifest(trajpack, tmp_path):
    source = tmp_path / "a.csv"
    source.write_text(CASES["segment"][0])
    run(trajpack, "convert", source, tmp_path / "ds", "--segment", "6")
    assert run(trajpack, "diff", tmp_path / "ds", source, "--segment", "6")[0] == 0
    code, out, _ = run(trajpack, "diff", tmp_path / "ds", source, "--segment", "7")
    assert code == 1 and "differ" in out + _
    # Two datasets have no use for it; a table that is compared with a table is read by what is given.
    source.with_name("b.csv").write_text("x\n1\n2\n")
    assert run(trajpack, "diff", source.with_name("b.csv"), source.with_name("b.csv"), "--rate", "5")[0] == 0


def test_arrays(trajpack, tmp_path):
    rng = np.random.default_rng(0)
    parts = {"obs": rng.normal(size=(12, 3)), "done": np.arange(12) % 5 == 4, "theta": np.arange(4.0),
             "name": np.array("a"), "meta": np.array({}, object), "skip": np.ones(12)}
    np.savez(tmp_path / "a.npz", **parts)
    options = ["--terminals", "done", "--constant", "theta", "--exclude-members", "skip", "--rate", "50",
               "--segment", "2"]
    assert run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", *options)[0] == 0
    code, out, error = run(trajpack, "diff", tmp_path / "ds", tmp_path / "a.npz")
    assert code == 0, out + error
    # What is known of the recordings is compared, too.
    for change in ({"theta": np.array([0, 1, 2, 9.0])}, {"name": np.array("b")}):
        np.savez(tmp_path / "a.npz", **{**parts, **change})
        code, out, _ = run(trajpack, "diff", tmp_path / "ds", tmp_path / "a.npz")
        assert code == 1 and next(iter(change)) in out, out
    batch = rng.normal(size=(4, 6, 2))
    np.save(tmp_path / "b.npy", batch)
    assert run(trajpack, "convert", tmp_path / "b.npy", tmp_path / "time", "--leading-axis", "time")[0] == 0
    assert run(trajpack, "diff", tmp_path / "time", tmp_path / "b.npy")[0] == 0


def test_wildworld(trajpack, recordings, tmp_path):
    source = tmp_path / "part"
    shutil.copytree(recordings, source)
    sample = sorted(p for p in source.iterdir() if p.is_dir())[0]
    text = (sample / "state.csv").read_text().splitlines(keepends=True)
    (sample / "state.csv").write_text("".join(text[:-5]))
    options = ["--on-mismatch", "truncate", "--rate", "25"]
    assert run(trajpack, "convert", source, tmp_path / "ds", *options)[0] == 0
    assert run(trajpack, "diff", tmp_path / "ds", source)[0] == 0
    assert run(trajpack, "diff", tmp_path / "ds", source, "--rate", "30")[0] == 1
    assert run(trajpack, "diff", tmp_path / "ds", source, "--on-mismatch", "refuse")[0] == 1


def test_left_out_recordings_are_said(trajpack, tmp_path):
    (tmp_path / "s").mkdir()
    for name in "abc":
        (tmp_path / "s" / f"{name}.csv").write_text("time,x\n0,1\n1,2\n" if name != "b" else "")
    assert run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", "--on-error", "skip")[0] == 1
    code, out, error = run(trajpack, "diff", tmp_path / "ds", tmp_path / "s", "--json")
    assert code == 0 and json.loads(out)["episodes"] == 2 and "b.csv: is not compared" in error
    (tmp_path / "s" / "b.csv").write_text("time,x\n0,1\n1,2\n")
    code, out, _ = run(trajpack, "diff", tmp_path / "ds", tmp_path / "s")
    assert code == 1 and "episode 'b' is only in" in out


def test_times_are_compared_whatever_the_form_of_the_clock(trajpack, tmp_path):
    """Of small shards one has a rate where another lists its times; a shard of both lists them all."""
    source = tmp_path / "tables"
    source.mkdir()
    random = np.random.default_rng(3)
    for name in "abc":
        times = np.arange(40) * .5 + (random.uniform(0, .2, 40) if name == "b" else 0)
        (source / f"{name}.csv").write_text("time,x\n" + "".join(f"{t},{x}\n" for x, t in enumerate(times)))
    assert run(trajpack, "convert", source, tmp_path / "few")[0] == 0
    assert run(trajpack, "convert", source, tmp_path / "many", "--shard-size", "1k")[0] == 0
    clocks = [json.loads(run(trajpack, "info", tmp_path / name, "--json")[1])["digest"] for name in ("few", "many")]
    assert clocks[0] != clocks[1]
    for a, b in [("few", "many"), ("many", "few"), ("many", "tables"), ("tables", "few")]:
        code, out, error = run(trajpack, "diff", tmp_path / a, tmp_path / b)
        assert (code, out[:6]) == (0, "equal:"), out + error
    text = (source / "c.csv").read_text()
    (source / "c.csv").write_text(text.replace("\n10.0,", "\n10.25,"))
    for name in ("few", "many"):
        code, out, _ = run(trajpack, "diff", tmp_path / name, source)
        assert code == 1 and "row 20" in out and "10.0 in" in out and "10.25 in" in out
        assert len(out.splitlines()) == 1
