"""What the tests of jobs share: recordings, one conversion of them, and the commands of a job."""
import csv
import json
import random
import subprocess
from pathlib import Path

import pytest
from promise import digests

SMALL = ("--shard-size", "3KB")


def make(folder, count, rows, seed=0):
    """CSV recordings of about equal size, with a text column, so that dictionaries differ between shards."""
    draw = random.Random(seed)
    folder.mkdir(parents=True)
    for n in range(count):
        with open(folder / f"run-{n:03d}.csv", "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["time", "x", "y", "mode"])
            for i in range(rows):
                out.writerow([f"{i / 50:.2f}", f"{draw.gauss(0, 1):.4f}", draw.randrange(1000), draw.choice("abc")])
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make(tmp_path_factory.mktemp("runs") / "runs", 24, 50)


@pytest.fixture(scope="module")
def whole(trajpack, runs, tmp_path_factory):
    """The digests of one conversion."""
    folder = tmp_path_factory.mktemp("whole") / "ds"
    subprocess.run([trajpack, "convert", "-q", runs, folder, *SMALL], check=True)
    return digests(folder)


def call(trajpack, *words, code=0, **options):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done


def plan(trajpack, runs, tmp_path, *words):
    """A job with the sizes of ``whole``: its folder, and the number of its tasks."""
    made = json.loads(call(trajpack, "job", "plan", runs, tmp_path / "ds", *SMALL, *words, "--json").stdout)
    assert made["job"] == str(tmp_path / "ds.job")
    return Path(made["job"]), made["tasks"]


def run(trajpack, job, tasks, code=0, **options):
    return call(trajpack, "job", "run", job, "--task", tasks, "-q", code=code, **options)


def finish(trajpack, job, *words, code=0):
    return call(trajpack, "job", "finish", job, "-q", *words, code=code)
