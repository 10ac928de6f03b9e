"""`convert --on-error skip`, and `--resume` after files were mended, added, removed, touched or changed."""
import json
import os
import random
import shutil
import subprocess

import pytest
import read_archive


def run(trajpack, *arguments):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode in (0, 1, 2), done.stderr
    return done.returncode, done.stdout, done.stderr


def table(path, seed, rows=6):
    chance = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time,x,y\n" + "".join(f"{t},{chance.random():.6f},{chance.randint(0, 9)}\n" for t in range(rows)))


BAD = ["", "time,x,y\n", "time,x,y\n0,1,2\n1,2\n", "time,x,y\n0,1,2\n1,wrong,2\n2,1.5,2\n",
       "time,x,y\n0,1,2\n5,1,2\n1,1,2\n",
       "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "<!DOCTYPE html>\n<html></html>\n"]


def read_ids(dataset):
    return [e["id"] for s in read_archive.reading(str(dataset))["shards"] for e in s["episodes"]]


@pytest.mark.parametrize("seed", range(4))
def test_bad_files_cost_themselves(trajpack, tmp_path, seed):
    """What is made without the bad files is what is made of a folder that never had them; mended, they are added."""
    chance = random.Random(seed)
    source, names = tmp_path / "s", [f"r{i:02d}" for i in range(chance.randint(3, 12))]
    for name in names:
        table(source / f"{name}.csv", name)
    bad = {n: chance.choice(BAD) for n in chance.sample(names, chance.randint(1, len(names) - 1))}
    for name, text in bad.items():
        (source / f"{name}.csv").write_text(text)
    size = ("--shard-size", str(chance.choice([60, 300, 10**6])))
    code, out, error = run(trajpack, "convert", source, tmp_path / "ds", "--on-error", "skip", "--json", *size)
    found = json.loads(out)
    assert code == 1 and f"{len(bad)} of {len(names)} recordings" in error
    assert {f["recording"] for f in found["failed"]} == set(bad) and found["skipped"] == len(bad)
    assert all(f["why"] for f in found["failed"])
    listed = json.loads((tmp_path / "ds" / "manifest.json").read_text())["source"]["left_out"]
    assert {f["recording"]: f["why"] for f in listed["files"]} == {f["recording"]: f["why"] for f in found["failed"]}
    assert run(trajpack, "verify", tmp_path / "ds")[0] == 0
    shutil.copytree(source, tmp_path / "good", ignore=lambda _, files: [f for f in files if f[:-4] in bad])
    assert run(trajpack, "diff", tmp_path / "ds", tmp_path / "good")[0] == 0
    # Nothing has changed: nothing is done, and the exit code still says so.
    before = (tmp_path / "ds" / "manifest.json").read_bytes()
    assert run(trajpack, "convert", source, tmp_path / "ds", "--resume", *size)[0] == 1
    assert (tmp_path / "ds" / "manifest.json").read_bytes() == before
    left = dict(bad)
    while left:
        part = chance.sample(sorted(left), chance.randint(1, len(left)))
        for name in part:
            del left[name]
            table(source / f"{name}.csv", name)
        shards = {p.name: p.read_bytes() for p in (tmp_path / "ds").glob("*.h5")}
        code, _, error = run(trajpack, "convert", source, tmp_path / "ds", "--resume", *size)
        assert code == (1 if left else 0), error
        assert all((tmp_path / "ds" / n).read_bytes() == data for n, data in shards.items())
    assert sorted(read_ids(tmp_path / "ds")) == names
    assert run(trajpack, "diff", tmp_path / "ds", source)[0] == 0 and run(trajpack, "verify", tmp_path / "ds")[0] == 0
    assert "left_out" not in json.loads((tmp_path / "ds" / "manifest.json").read_text())["source"]
    assert run(trajpack, "convert", source, tmp_path / "ds", "--resume", *size)[0] == 0


@pytest.mark.parametrize("mend", ["mend", "remove"])
def test_a_stopped_conversion_goes_on_behind_the_bad_file(trajpack, tmp_path, mend):
    """The bytes are those of a run over the mended folder that was never stopped."""
    source = tmp_path / "s"
    for i in range(6):
        table(source / f"{i}.csv", i)
    (source / "3.csv").write_text("time,x,y\n0,1,2\n1,2,wrong\n2,1.5,2\n")
    code, _, error = run(trajpack, "convert", source, tmp_path / "ds", "--shard-size", "60")
    assert code == 1 and "3.csv" in error and len(list((tmp_path / "ds").glob("*.h5"))) == 3
    table(source / "3.csv", 3, rows=40) if mend == "mend" else (source / "3.csv").unlink()
    table(source / "7.csv", 7)
    code, _, error = run(trajpack, "convert", source, tmp_path / "ds", "--shard-size", "60", "--resume")
    assert code == 0, error
    run(trajpack, "convert", source, tmp_path / "twin", "--shard-size", "60")
    assert {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()} == \
        {p.name: p.read_bytes() for p in (tmp_path / "twin").iterdir()}


def test_a_converted_file_that_has_changed_is_named(trajpack, tmp_path):
    source = tmp_path / "s"
    for i in range(5):
        table(source / f"{i}.csv", i)
    (source / "4.csv").write_text(BAD[2])
    arguments = ("convert", source, tmp_path / "ds", "--shard-size", "60")
    assert run(trajpack, *arguments)[0] == 1
    table(source / "4.csv", 4)
    good = (source / "1.csv").read_bytes()
    table(source / "1.csv", 99)
    before = {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()}
    code, _, error = run(trajpack, *arguments, "--resume")
    assert code == 1 and "1.csv: has changed since shard-000001.h5" in error
    assert {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()} == before
    # The old content again: only the time of change is another.
    (source / "1.csv").write_bytes(good)
    code, _, error = run(trajpack, *arguments, "--resume")
    assert code == 0 and "1.csv: was touched" in error and "is the same" in error
    assert run(trajpack, "diff", tmp_path / "ds", source)[0] == 0
    # A finished dataset names what has changed, and what is gone.
    stamp = os.stat(tmp_path / "ds" / "manifest.json").st_mtime + 5
    table(source / "2.csv", 98)
    os.utime(source / "2.csv", (stamp, stamp))
    code, _, error = run(trajpack, *arguments, "--resume")
    assert code == 2 and "2.csv has changed" in error
    (source / "0.csv").unlink()
    code, _, error = run(trajpack, *arguments, "--resume")
    assert code == 2 and "recording '0' is not in the source any more" in error


def test_an_added_file_is_added(trajpack, tmp_path):
    source = tmp_path / "s"
    for name in ("b", "d"):
        table(source / f"{name}.csv", name)
    assert run(trajpack, "convert", source, tmp_path / "ds")[0] == 0
    for name in ("a", "c", "e"):
        table(source / f"{name}.csv", name)
    assert run(trajpack, "convert", source, tmp_path / "ds", "--resume")[0] == 0
    assert read_ids(tmp_path / "ds") == ["b", "d", "a", "c", "e"]
    assert run(trajpack, "diff", tmp_path / "ds", source)[0] == 0


def test_a_resumption_that_fails_leaves_the_dataset_finished(trajpack, tmp_path):
    source = tmp_path / "s"
    for name in ("a", "b"):
        table(source / f"{name}.csv", name)
    (source / "b.csv").write_text(BAD[0])
    assert run(trajpack, "convert", source, tmp_path / "ds", "--on-error", "skip")[0] == 1
    before = {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()}
    (source / "b.csv").write_text(BAD[3])
    code, _, error = run(trajpack, "convert", source, tmp_path / "ds", "--resume")
    assert code == 1 and "b.csv" in error
    assert {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()} == before
    assert run(trajpack, "convert", source, tmp_path / "ds", "--resume", "--on-error", "skip")[0] == 1
    assert run(trajpack, "verify", tmp_path / "ds")[0] == 0


def test_a_damaged_shard_beside_left_out_recordings_is_made_again(trajpack, tmp_path):
    source = tmp_path / "s"
    for i in range(6):
        table(source / f"{i}.csv", i)
    (source / "2.csv").write_text(BAD[2])
    arguments = ("convert", source, tmp_path / "ds", "--shard-size", "130", "--on-error", "skip")
    assert run(trajpack, *arguments)[0] == 1
    table(source / "2.csv", 2)
    assert run(trajpack, *arguments, "--resume")[0] == 0
    whole = {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()}
    for name in sorted(n for n in whole if n.endswith(".h5")):
        (tmp_path / "ds" / name).write_bytes(whole[name][:-1])
        code, _, error = run(trajpack, *arguments, "--resume")
        assert code == 0 and "written again" in error, error
        assert {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()} == whole


def test_a_folder_of_streams_fails_as_a_whole(trajpack, tmp_path):
    for run_name in ("run1", "run2", "run3"):
        for stream in ("state", "control"):
            table(tmp_path / "s" / run_name / f"{stream}.csv", run_name + stream)
    (tmp_path / "s" / "run2" / "control.csv").write_text("")
    code, out, _ = run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", "--on-error", "skip", "--json")
    assert code == 1 and [f["recording"] for f in json.loads(out)["failed"]] == ["run2"]
    assert read_ids(tmp_path / "ds") == ["run1", "run3"]
    table(tmp_path / "s" / "run2" / "control.csv", 5)
    assert run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", "--resume")[0] == 0
    assert read_ids(tmp_path / "ds") == ["run1", "run3", "run2"]


def test_where_all_fail_there_is_no_dataset(trajpack, tmp_path):
    for i in range(3):
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / "s" / f"{i}.csv").write_text(BAD[3])
    code, _, error = run(trajpack, "convert", tmp_path / "s", tmp_path / "ds", "--on-error", "skip")
    assert code == 1 and "every recording" in error and "0.csv" in error and not (tmp_path / "ds").exists()
