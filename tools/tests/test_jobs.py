"""Jobs: whatever the number of tasks, their order, kills, retries and double runs, the bytes of one conversion."""
import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from jobs_world import SMALL, call, finish, plan, run, runs, whole  # noqa: F401  fixtures
from promise import digests

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed,words", [
    (1, ["--tasks", 1]), (2, ["--tasks", 2]), (3, ["--tasks", 5]), (4, ["--tasks", 1000]), (5, ["--task-size", "7KB"]),
    (6, ["--task-size", "1TB"])])
def test_bytes_do_not_depend_on_the_division(trajpack, runs, whole, tmp_path, seed, words):
    job, count = plan(trajpack, runs, tmp_path, *words)
    document = json.loads((job / "job.json").read_text())
    shards = [t["shards"] for t in document["tasks"]]
    assert shards[0][0] == 0 and all(a[1] == b[0] for a, b in zip(shards, shards[1:]))
    assert shards[-1][1] == sum(name.startswith("shard-") for name in whole)
    assert sum(t["recordings"] for t in document["tasks"]) == 24
    order = list(range(count)) + random.Random(seed).choices(range(count), k=count // 2)     # some twice
    random.Random(seed).shuffle(order)
    for task in order:
        run(trajpack, job, task)
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole
    assert sorted(os.listdir(job)) == ["job.json", "lock"]
    # What comes late finds the job finished, and changes nothing.
    run(trajpack, job, 0)
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole
    call(trajpack, "verify", "-q", tmp_path / "ds")


def test_the_file_has_its_schema(trajpack, runs, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    job, _ = plan(trajpack, runs, tmp_path, "--tasks", 3)
    documents = [json.loads(path.read_text()) for path in (ROOT / "schemas").glob("*.schema.json")]
    registry = referencing.Registry().with_resources(
        [(d["$id"], referencing.Resource.from_contents(d)) for d in documents if "$id" in d])
    schema = json.loads((ROOT / "schemas" / "job.schema.json").read_text())
    document = json.loads((job / "job.json").read_text())
    check = jsonschema.Draft202012Validator(schema, registry=registry)
    check.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        check.validate({**document, "tasks": []})
    content = {name: value for name, value in document.items() if name != "digest"}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == document["digest"]
    lines = [json.loads(line) for line in (job / "recordings.jsonl").read_text().splitlines()]
    assert [line[0] for line in lines] == sorted(p.stem for p in runs.iterdir())


def test_tasks_by_range_list_and_slurm(trajpack, runs, whole, tmp_path):
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 6)
    assert count == 6
    call(trajpack, "job", "run", job / "job.json", code=2)
    for wrong in ["6", "x", "3-1", "", "1,,2", "-1", "0-9", "99999999999999999999"]:
        call(trajpack, "job", "run", job, f"--task={wrong}", code=2)
    run(trajpack, job, "0-1,4")
    state = json.loads(call(trajpack, "job", "status", job, "--json").stdout)
    assert state["resubmit"] == "2-3,5" and not state["finished"]
    assert [t["task"] for t in state["missing"]] == [2, 3, 5]
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "5"}
    call(trajpack, "job", "run", job, "-q", env=environment)
    missing = finish(trajpack, job, "--json", code=1)
    assert json.loads(missing.stdout)["resubmit"] == "2-3" and "2-3" in missing.stderr
    assert not (tmp_path / "ds").exists()
    run(trajpack, job, "2-3")
    assert "6 of 6 tasks complete" in call(trajpack, "job", "status", job).stdout
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole
    assert "finished" in call(trajpack, "job", "status", job).stdout


def test_a_job_is_run_from_any_folder(trajpack, runs, tmp_path):
    """Relative paths are those of the plan, and so are the bytes: of a conversion in that folder."""
    shutil.copytree(runs, tmp_path / "here" / "runs")
    (tmp_path / "there").mkdir()
    call(trajpack, "convert", "runs", "one", *SMALL, "-q", cwd=tmp_path / "here")
    call(trajpack, "job", "plan", "runs", "ds", *SMALL, "--tasks", 3, "-q", cwd=tmp_path / "here")
    call(trajpack, "job", "run", "here/ds.job", "--task", "0-2", "-q", cwd=tmp_path)
    call(trajpack, "job", "finish", "../here/ds.job", "-q", cwd=tmp_path / "there")
    assert digests(tmp_path / "here" / "ds") == digests(tmp_path / "here" / "one")


def test_an_end_that_has_moved_some_shards_goes_on(trajpack, runs, whole, tmp_path):
    """Every state between the first move and the last, made by hand."""
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 3)
    run(trajpack, job, f"0-{count - 1}")
    (job / "dataset").mkdir()
    number = 0
    for task in range(count):
        folder = job / f"task-{task:06d}"
        for shard in sorted(folder.glob("shard-*.h5")):
            if number % 2 == 0:
                shard.rename(job / "dataset" / f"shard-{number:06d}.h5")
            number += 1
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole


def test_deleted_and_damaged_shards_are_named_and_made_again(trajpack, runs, whole, tmp_path):
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 3)
    run(trajpack, job, f"0-{count - 1}")
    lost = job / "task-000001" / "shard-000000.h5"
    lost.unlink()
    said = finish(trajpack, job, code=1).stderr
    assert "--task 1'" in said and str(lost) in said and "missing" in said
    run(trajpack, job, 1)
    flipped = job / "task-000002" / "shard-000001.h5"
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    said = finish(trajpack, job, "--verify", code=1).stderr
    assert str(flipped) in said and "--task 2'" in said
    flipped.write_bytes(data[:-1])
    said = finish(trajpack, job, code=1).stderr
    assert str(flipped) in said and "bytes instead of" in said
    journal = job / "task-000000" / "journal"
    torn = bytearray(journal.read_bytes())
    torn[40] ^= 1
    journal.write_bytes(torn)
    state = json.loads(finish(trajpack, job, "--json", code=1).stdout)
    assert [t["state"] for t in state["missing"]] == ["damaged", "damaged"] and state["resubmit"] == "0,2"
    assert not (tmp_path / "ds").exists()
    shutil.rmtree(journal.parent)
    run(trajpack, job, "0,2")
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole


@pytest.mark.parametrize("change,words", [
    ("grow", "run-005.csv has changed"), ("touch", "run-005.csv has changed"),
    ("add", "zzz.csv was added"), ("remove", "recording 'run-005' is not in the sources any more")])
def test_changed_sources_are_named(trajpack, runs, tmp_path, change, words):
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    job, _ = plan(trajpack, copy, tmp_path, "--tasks", 2)
    run(trajpack, job, 0)
    file = copy / "run-005.csv"
    if change == "grow":
        file.write_text(file.read_text() + "9.0,1,2,a\n")
    elif change == "touch":
        os.utime(file)
    elif change == "add":
        shutil.copy(file, copy / "zzz.csv")
    else:
        file.unlink()
    for said in (run(trajpack, job, 1, code=1).stderr, run(trajpack, job, 0, code=1).stderr):
        assert words in said and said.count("\n") == 1, said
    assert not (job / "task-000001").exists()


def test_damaged_and_foreign_job_files_are_refused(trajpack, runs, tmp_path):
    job, _ = plan(trajpack, runs, tmp_path, "--tasks", 2)
    file = job / "job.json"
    good = file.read_text()
    cases = [("", "damaged"), (good[:-20], "damaged"), (good.replace('"tasks"', '"task"', 1), "damaged"),
             (good.replace("trajpack job", "another program"), "is no job"),
             (good.replace('"version": "1.0"', '"version": "7.0"'), "version 7.0"), ("[]", "is no job"),
             (good.replace("runs", "ruins"), "damaged"), ("{" * 5000, "damaged"), ("\0" * 100, "damaged")]
    for text, words in cases:
        file.write_text(text)
        for command in (["run", job, "--task", 0], ["finish", job], ["status", job]):
            said = call(trajpack, "job", *command, code=1).stderr
            assert words in said and said.count("\n") == 1, (text[:50], said)
    document = json.loads(good)
    document["trajpack"] = "0.0.9"
    del document["digest"]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    file.write_text(json.dumps({**document, "digest": hashlib.sha256(text.encode()).hexdigest()}))
    assert "planned by trajpack 0.0.9" in run(trajpack, job, 0, code=2).stderr
    file.unlink()
    assert "is no job" in run(trajpack, job, 0, code=2).stderr


def test_usage(trajpack, runs, tmp_path):
    for words in (["plan", runs, tmp_path / "ds"], ["plan", runs, tmp_path / "ds", "--tasks", 2, "--task-size", "1MB"],
                  ["plan", runs, tmp_path / "ds", "--task-size", "0"], ["plan", runs, tmp_path / "ds", "--tasks", 0],
                  ["plan", runs, ".", "--tasks", 2], ["plan", runs, tmp_path / "ds", "--tasks", 2, "--resume"],
                  [], ["pan"], ["run"], ["run", tmp_path, "--task", 0]):
        done = subprocess.run([trajpack, "job", *map(str, words)], capture_output=True, text=True)
        assert done.returncode == (2 if words else 0), (words, done)
        assert os.listdir(tmp_path) == [], words
    job, _ = plan(trajpack, runs, tmp_path, "--tasks", 2)
    assert "is there already" in call(trajpack, "job", "plan", runs, tmp_path / "ds", "--tasks", 2, code=2).stderr
    shutil.rmtree(job)
    (tmp_path / "ds").mkdir()
    job, _ = plan(trajpack, runs, tmp_path, "--tasks", 2)                 # an empty folder is fine
    run(trajpack, job, "0-1")
    (tmp_path / "ds" / "note.txt").write_text("mine")
    assert "is no empty folder" in finish(trajpack, job, code=2).stderr
    (tmp_path / "ds" / "note.txt").unlink()
    finish(trajpack, job)
    for words in (["job"], ["job", "--help"], ["help", "job"]):
        assert "job finish" in call(trajpack, *words).stdout
    assert "--task-size" in call(trajpack, "help", "job", "plan").stdout
    assert call(trajpack, "help", "job", "run").stdout == call(trajpack, "job", "run", "--help").stdout


@pytest.mark.parametrize("all_bad", [False, True])
def test_recordings_that_are_left_out(trajpack, runs, tmp_path, all_bad):
    """Shards of which nothing is left have no number, also where the last of a task is one."""
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    for n, path in enumerate(sorted(copy.iterdir())):
        if all_bad or n < 2 or 6 <= n < 10 or n in (13, 17, 22, 23):
            path.write_text(path.read_text().replace(".", ".x", 30))
    words = (*SMALL, "--on-error", "skip", "-q")
    one = call(trajpack, "convert", copy, tmp_path / "one", *words, code=1).stderr
    for number, division in enumerate([("--tasks", 1000), ("--tasks", 3)]):
        target = tmp_path / str(number) / "ds"
        target.parent.mkdir()
        made = call(trajpack, "job", "plan", copy, target, *words, *division, "--json")
        count = json.loads(made.stdout)["tasks"]
        for task in reversed(range(count)):
            run(trajpack, f"{target}.job", task)
            run(trajpack, f"{target}.job", task)
        said = finish(trajpack, f"{target}.job", code=1).stderr
        if all_bad:
            assert "left out" in said and not target.exists()
        else:
            assert digests(target) == digests(tmp_path / "one")
            assert said.split("were left out")[1].split(";")[0] == one.split("were left out")[1].split(";")[0]


def test_splits_and_options_are_those_of_convert(trajpack, runs, tmp_path):
    words = (*SMALL, "--codec", "zstd", "--rule", "train=60%", "--rule", "val=rest", "--split-seed", 3, "-q")
    call(trajpack, "convert", runs, tmp_path / "one", *words)
    call(trajpack, "job", "plan", runs, tmp_path / "ds", *words, "--tasks", 4)
    run(trajpack, tmp_path / "ds.job", "0-3")
    finish(trajpack, tmp_path / "ds.job")
    assert digests(tmp_path / "ds") == digests(tmp_path / "one")


def test_the_script_of_the_guide(trajpack, runs, whole, tmp_path):
    """The script for Slurm, with Slurm's environment simulated."""
    guide = (ROOT / "docs" / "scale.md").read_text()
    script = guide.split("```sh\n")[1].split("```")[0]
    (tmp_path / "convert.sbatch").write_text(script)
    assert script.startswith("#!/bin/bash\n") and "#SBATCH --array=0-2" in script
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 3)
    assert count == 3
    environment = {**os.environ, "PATH": f"{Path(trajpack).parent}:{os.environ['PATH']}", "JOB": str(job),
                   "SLURM_ARRAY_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}
    for task in (2, 0, 0, 1):                                             # one was requeued
        subprocess.run(["bash", "convert.sbatch"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL,
                       env={**environment, "SLURM_ARRAY_TASK_ID": str(task)})
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole
