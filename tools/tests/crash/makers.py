"""The commands under test: those that make a dataset, those that change its list in place, and exports; their write logs;
and a disk that fails or waits when it is told to."""
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from model import Disk, bytes_kept, materialise, names_kept, read_log
from promise import Broken, contents, digests, emptied
from test_crash import FULL, SEED, Boundaries, files_of, memory, shim  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[3]
PLAN = {"steps": [{"step": "resample", "streams": "camera", "rate": 20}]}


class Making:
    """A command that makes a dataset at a destination."""

    def __init__(self, trajpack, *words, after=(), codes=(0,)):
        self.trajpack, self.words, self.after, self.codes = trajpack, words, after, codes

    def command(self, destination, *more):
        return [self.trajpack, *map(str, self.words), str(destination), *map(str, self.after), "--quiet", *more]

    def run(self, destination, *more):
        done = subprocess.run(self.command(destination, *more), capture_output=True, text=True, timeout=300)
        if done.returncode not in self.codes:
            raise Broken(f"{self.words[0]} {' '.join(more)} ends with {done.returncode}: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def dataset(trajpack, recordings, tmp_path_factory):
    """Five recordings in five shards."""
    folder = tmp_path_factory.mktemp("dataset") / "ds"
    subprocess.run([trajpack, "convert", recordings, folder, "--shard-size", "1KB", "-q"], check=True)
    return folder


@pytest.fixture(scope="module")
def films(trajpack, tmp_path_factory):
    """Three recordings with videos, so short that a command can be run for each call that it makes."""
    work = tmp_path_factory.mktemp("films")
    subprocess.run([sys.executable, ROOT / "fixtures" / "make_wildworld.py", "--out", work, "--samples", "3", "--frames", "24",
                    "--size", "96x54"], check=True, capture_output=True)
    subprocess.run([trajpack, "convert", work / "data_part1", work / "ds", "--shard-size", "1KB", "-q"], check=True)
    return work / "ds"


MAKERS = ["apply", "cut", "repair", "fix", "transcode"]


def only_in_full(maker, *others):
    """Leaves a test of a command to the full run: commands that make datasets share what writes them."""
    if not FULL and name(maker) not in ("apply", *others):
        pytest.skip("with TRAJPACK_CRASH=full")


@pytest.fixture(scope="module", params=MAKERS)
def maker(request, trajpack, dataset, tmp_path_factory):
    work = tmp_path_factory.mktemp(request.param)
    small = ("--shard-size", "1KB")
    if request.param == "apply":
        (work / "plan.json").write_text(json.dumps(PLAN))
        return Making(trajpack, "apply", dataset, after=("--plan", work / "plan.json", *small))
    if request.param == "cut":
        ids = json.loads(subprocess.run([trajpack, "info", dataset, "--episodes", "--json"], check=True,
                                        capture_output=True, text=True).stdout)
        (work / "clips.csv").write_text("id,episode,start_row,rows\n" + "".join(
            f"c{n},{entry['id']},0,6\n" for n, entry in enumerate(ids)))
        return Making(trajpack, "cut", dataset, after=("--clips", work / "clips.csv", *small))
    if request.param == "repair":
        lost = work / "lost"
        shutil.copytree(dataset, lost)
        (lost / "manifest.json").unlink()
        return Making(trajpack, "repair", lost, after=small)
    if request.param == "fix":
        return Making(trajpack, "validate", dataset, "--fix", after=("--select", "container"))
    films = request.getfixturevalue("films")
    return Making(trajpack, "transcode", films, after=("--stream", "depth", "--to", "chunks", *small))


def name(maker):
    return "fix" if maker.words[0] == "validate" else maker.words[0]


@pytest.fixture(scope="module")
def reference(maker, tmp_path_factory):
    """The digests of a run that nothing stopped, twice the same."""
    folders = [tmp_path_factory.mktemp("reference") / "ds" for _ in range(2)]
    for folder in folders:
        maker.run(folder)
    assert digests(folders[0]) == digests(folders[1]), "two runs differ, so 'the same bytes' means nothing"
    return digests(folders[0]), 0


def logged(command, root, log, shim, before=None, codes=(0,)):                                   # noqa: F811
    """The write log of a run, proved complete: replayed, it gives the files that the run gave."""
    disk = Disk(root)
    if before is not None:
        disk.load("ds", before)
        materialise({"ds": None, **{f"ds/{n}": c for n, c in before.items()}}, root)
    environment = {**os.environ, "LD_PRELOAD": shim, "WRITELOG": log, "WRITELOG_ROOT": root}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in codes, done.stderr
    found = read_log(log)
    for operation in found:
        disk.step(operation)
    assert files_of(disk.state(names_kept, bytes_kept)) == contents(f"{root}/ds"), "the log does not give the files"
    return found


class Steps(Boundaries):
    """A walk over a log of which no shard is acknowledged: lists change in place."""

    def acknowledged(self):
        return {}


def sides(files):
    """The side files that the manifest lists, each with its digest checked."""
    import hashlib
    for entry in json.loads(files["manifest.json"]).get("side_files", []):
        data = files.get(entry["file"], b"")
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], f"{entry['file']} is listed and not whole"
        yield entry["role"], entry["name"]


EDITS = {
    "split": ["split", "DS", "--rule", "train=80%", "--rule", "test=20%"],
    "annotate": ["annotate", "DS", "--set", "task=hunt"],
    "repair": ["repair", "DS"],
}


@pytest.fixture(scope="module", params=list(EDITS))
def edit(request, trajpack, dataset, shim, tmp_path_factory):                                    # noqa: F811
    """A command that changes a dataset's list in place: its words, the files before and after, and the log."""
    work = tmp_path_factory.mktemp(request.param)
    before = contents(dataset)
    if request.param == "repair":
        before["manifest.json"] = before["manifest.json"][:-100]
    root = emptied(str(work / "root"))
    words = [trajpack, *(f"{root}/ds" if w == "DS" else w for w in EDITS[request.param])]
    log = logged(words, root, str(work / "log"), shim, before=before)
    return request.param, before, contents(f"{root}/ds"), root, log


def edited(trajpack, kind, folder):
    words = [trajpack, *(folder if w == "DS" else w for w in EDITS[kind])]
    return subprocess.run(words, capture_output=True, text=True, timeout=100)


def problem(kind, files, before, after):
    """What is wrong with a state of a command that changes a list; None for nothing."""
    for shard in (n for n in before if n.startswith("shard-")):
        if files.get(shard) != before[shard]:
            return f"{shard} has changed"
    manifest = files.get("manifest.json")
    if manifest not in (before["manifest.json"], after["manifest.json"]):
        if kind != "repair" or manifest is not None:
            return "the manifest is neither the old nor the new one"
    if kind == "repair":
        if not any(data == before["manifest.json"] for n, data in files.items() if n.startswith("manifest.json")):
            return "the old manifest is gone"
    elif manifest is not None:
        try:
            list(sides(files))
        except AssertionError as error:
            return str(error)
    return None


EXPORTS = ["npz", "csv", "wildworld"]




# MARK: a disk that fails

FILE_SYNC, FOLDER_SYNC, RENAME, WRITE, UNLINK, READ = range(1, 7)
EINTR, EIO, ENOSPC, SHORT, PAUSE = 4, 5, 28, 1000, 1001


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    shared = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", shared,
                    Path(__file__).parent / "failing.c", "-ldl"], check=True)
    return str(shared)


def environment(failing, root, kind, nth, code, always=False, **more):
    return {**os.environ, "LD_PRELOAD": failing, "FAILING_ROOT": str(root),
            "FAILING": f"{kind} {nth} {code}{' always' if always else ''}", **{k: str(v) for k, v in more.items()}}


def numbers(command, failing, root, kind, tmp_path, codes=(0,)):
    """The numbers of the calls of a kind below a folder that are to fail: of all that a run makes, or one."""
    if not FULL:
        return [random.Random(f"{SEED} {kind} {command[1]}").randrange(1, 6)]
    path = tmp_path / "count"
    done = subprocess.run(command, env=environment(failing, root, kind, 1 << 40, EIO, FAILING_COUNT=path),
                          capture_output=True, text=True, timeout=100)
    assert done.returncode in codes, done.stderr
    return range(1, int(path.read_text()) + 1)
