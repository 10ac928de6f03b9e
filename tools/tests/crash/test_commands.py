"""Every command that writes a dataset or an export: stopped at each write boundary, on a full or failing disk, by
signals, beside another writer and under a reader.

Commands that make a dataset keep the promise of `convert` (promise.py). Those that change a list in place leave the old
list or the new one, whole. Exports leave whole episodes under their names. By default a spread of boundaries, with
TRAJPACK_CRASH=full all.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model import Disk, bytes_kept, materialise, names_kept, read_log
from promise import Broken, check_listing, contents, digests, emptied
from test_crash import FULL, SEED, Boundaries, files_of, memory, prove, shim  # noqa: F401  fixtures

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
    """Two recordings with videos."""
    folder = tmp_path_factory.mktemp("films") / "ds"
    subprocess.run([trajpack, "convert", ROOT / "fixtures" / "wildworld", folder, "--shard-size", "1KB", "-q"], check=True)
    return folder


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


@pytest.fixture(scope="module")
def operations(maker, reference, shim, tmp_path_factory):                                       # noqa: F811
    work = tmp_path_factory.mktemp("log")
    root = emptied(str(work / "root"))
    return root, logged(maker.command(f"{root}/ds"), root, str(work / "log"), shim, codes=maker.codes)


def test_boundaries(maker, reference, operations, memory):                                      # noqa: F811
    """A dataset that a command makes, stopped anywhere; the same command with --resume ends in the same bytes."""
    if name(maker) != "fix":
        prove(maker, reference, memory, *operations, least=25, resumed=2 if name(maker) == "transcode" else 4)
        return
    # validate --fix has no --resume: what a crash leaves is listed rightly, and another destination gives the same.
    states = 0
    for where, state, acknowledged in Boundaries(*operations).states(random.Random(SEED)):
        check_listing(files_of(state), acknowledged)
        states += 1
    assert states > 100


def test_control(maker, operations):
    """The same model with every fsync ignored must find the promise broken, or it could not see a fault."""
    root, log = operations
    states = bad = 0
    for where, state, acknowledged in Boundaries(root, log, syncs=False).states(random.Random(SEED)):
        if not where.startswith("power cut") or not acknowledged:
            continue
        states += 1
        try:
            check_listing(files_of(state), acknowledged)
        except Broken:
            bad += 1
    assert states > 10 and bad > states // 2, f"only {bad} of {states} power cuts without fsync were noticed"


def sides(files):
    """The side files that the manifest lists, each with its digest checked."""
    import hashlib
    for entry in json.loads(files["manifest.json"]).get("side_files", []):
        data = files.get(entry["file"], b"")
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], f"{entry['file']} is listed and not whole"
        yield entry["role"], entry["name"]


class Steps(Boundaries):
    """A walk over a log of which no shard is acknowledged: lists change in place."""

    def acknowledged(self):
        return {}


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


def test_edits_stopped_anywhere(trajpack, edit, memory):                                        # noqa: F811
    kind, before, after, root, log = edit
    seen, kept = set(), []
    for where, state, _ in Steps(root, log, before=before).states(random.Random(SEED)):
        files = files_of(state)
        assert problem(kind, files, before, after) is None, f"{where}: {problem(kind, files, before, after)}"
        key = frozenset(state.items())
        if key not in seen:
            seen.add(key)
            kept.append((where, state))
    assert len(kept) >= 6, "the log is too short to prove anything"
    random.Random(SEED).shuffle(kept)

    def go_on(item):
        number, (where, state) = item
        place = emptied(f"{memory}/{number}")
        materialise(state, place)
        files = files_of(state)
        if kind != "repair" or files.get("manifest.json") == after["manifest.json"]:
            done = subprocess.run([trajpack, "verify", f"{place}/ds", "-q"], capture_output=True, text=True)
            assert done.returncode == 0, f"{where}: {done.stderr}"
        done = edited(trajpack, kind, f"{place}/ds")
        assert done.returncode == 0, f"{where}: {done.stderr}"
        found = contents(f"{place}/ds")
        wanted = {n: d for n, d in after.items() if not n.endswith(".before-repair")}
        # A temporary file of the run that died stays; the next writer of the dataset removes it.
        assert {n: d for n, d in found.items() if ".before-repair" not in n and not n.startswith(".tmp-")} == wanted, where
        shutil.rmtree(place)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go_on, enumerate(kept if FULL else kept[:4])))


def test_edits_control(edit):
    """Without fsync the model must find states that break the promise."""
    kind, before, after, root, log = edit
    bad = sum(problem(kind, files_of(state), before, after) is not None
              for where, state, _ in Steps(root, log, syncs=False, before=before).states(random.Random(SEED)))
    assert bad > 0


EXPORTS = ["npz", "csv", "wildworld"]


@pytest.mark.parametrize("form", EXPORTS)
def test_exports_stopped_anywhere(trajpack, dataset, shim, tmp_path, form):                      # noqa: F811
    """An episode's folder has its name when all of it is durable."""
    root = emptied(str(tmp_path / "root"))
    log = logged([trajpack, "export", str(dataset), f"{root}/ds", "--to", form, "-q"], root, str(tmp_path / "log"), shim)
    whole = contents(f"{root}/ds")
    episodes = {name.split("/")[0] for name in whole if "/" in name}
    assert len(episodes) == 5

    def wrong(syncs):
        bad = states = 0
        for where, state, _ in Steps(root, log, syncs=syncs).states(random.Random(SEED)):
            files = files_of(state)
            states += 1
            # Folders themselves, which files_of leaves out.
            for episode in {p.split("/")[1] for p in state if p.count("/") >= 1} & episodes:
                mine = {n: d for n, d in files.items() if n.startswith(episode + "/")}
                bad += mine != {n: d for n, d in whole.items() if n.startswith(episode + "/")}
        assert states > 100
        return bad

    assert wrong(True) == 0
    assert wrong(False) > 50, "without fsync the model sees no fault"


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


FAULTS = [(FILE_SYNC, EIO, False), (FOLDER_SYNC, EIO, False), (RENAME, EIO, False), (WRITE, ENOSPC, True),
          (WRITE, EIO, False), (WRITE, SHORT, False), (WRITE, EINTR, False)]


def judge(done, tolerant, where):
    """An error is one sentence and says that it is the machine's; what a call may do by right is no error."""
    assert done.returncode >= 0, f"{where}: signal {-done.returncode}"
    if tolerant:
        assert done.returncode == 0, f"{where}: {done.stderr}"
        return
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert done.returncode in (0, 3), f"{where}: {done.returncode} {done.stderr}"
    assert done.returncode == 0 or len(said) == 1 and said[0].startswith("trajpack "), f"{where}: {done.stderr}"


def test_a_failing_disk(maker, reference, failing, tmp_path):
    """Each fault ends with 3 and one sentence, or with the right bytes; and --resume with the same bytes in the end."""
    only_in_full(maker, "repair", "fix")
    root = tmp_path / "out"
    root.mkdir()
    met = 0
    for kind, code, always in FAULTS:
        for nth in numbers(maker.command(root / "whole"), failing, root, kind, tmp_path, maker.codes):
            where = f"{name(maker)}: call {nth} of kind {kind} fails with {code}"
            folder = root / "ds"
            done = subprocess.run(maker.command(folder), env=environment(failing, root, kind, nth, code, always),
                                  capture_output=True, text=True, timeout=100)
            judge(done, code in (SHORT, EINTR), where)
            met += done.returncode == 3
            if done.returncode == 3:
                files = contents(folder) if folder.exists() else {}
                try:
                    check_listing(files, {})
                except Broken as broken:
                    pytest.fail(f"{where}: {broken}")
                if name(maker) == "fix":
                    shutil.rmtree(folder, ignore_errors=True)
                    maker.run(folder)
                else:
                    maker.run(folder, "--resume")
            assert digests(folder) == reference[0], where
            shutil.rmtree(folder)
        shutil.rmtree(root / "whole", ignore_errors=True)
    assert met >= 3, "few faults were met"


def test_short_and_interrupted_reads(maker, reference, failing, tmp_path):
    """A source that gives half of what it is asked for, or is interrupted, gives the same dataset; one that fails, an
    error."""
    only_in_full(maker, "repair")
    source = Path(maker.words[1])
    for code in (SHORT, EINTR):
        folder = tmp_path / f"out-{code}"
        done = subprocess.run(maker.command(folder), env=environment(failing, source, READ, 1, code, code == SHORT),
                              capture_output=True, text=True, timeout=100)
        assert done.returncode in maker.codes, done.stderr
        assert digests(folder) == reference[0]
    for nth in numbers(maker.command(tmp_path / "count-out"), failing, source, READ, tmp_path, maker.codes):
        done = subprocess.run(maker.command(tmp_path / f"failed-{nth}"), env=environment(failing, source, READ, nth, EIO),
                              capture_output=True, text=True, timeout=100)
        judge(done, False, f"{name(maker)}: read {nth}")
        assert done.returncode == 3 or digests(tmp_path / f"failed-{nth}") == reference[0]


def test_edits_on_a_failing_disk(trajpack, edit, failing, tmp_path):
    kind, before, after, _, _ = edit
    for what, code, always in FAULTS:
        root = emptied(str(tmp_path / "root"))
        materialise({"ds": None, **{f"ds/{n}": c for n, c in before.items()}}, root)
        words = [trajpack, *(f"{root}/ds" if w == "DS" else w for w in EDITS[kind])]
        for nth in numbers(words, failing, root, what, tmp_path):
            root = emptied(str(tmp_path / "root"))
            materialise({"ds": None, **{f"ds/{n}": c for n, c in before.items()}}, root)
            done = subprocess.run(words, env=environment(failing, root, what, nth, code, always), capture_output=True,
                                  text=True, timeout=100)
            where = f"{kind}: call {nth} of kind {what} fails with {code}"
            judge(done, code in (SHORT, EINTR), where)
            found = contents(f"{root}/ds")
            assert problem(kind, found, before, after) is None, f"{where}: {problem(kind, found, before, after)}"
            again = edited(trajpack, kind, f"{root}/ds")
            assert again.returncode == 0, f"{where}: {again.stderr}"
            found = {n: d for n, d in contents(f"{root}/ds").items() if ".before-repair" not in n}
            assert found == {n: d for n, d in after.items() if ".before-repair" not in n}, where


@pytest.mark.parametrize("form", EXPORTS)
def test_exports_on_a_failing_disk(trajpack, dataset, failing, tmp_path, form):
    root = tmp_path / "out"
    root.mkdir()
    command = [trajpack, "export", str(dataset), str(root / "ds"), "--to", form, "-q"]
    subprocess.run(command, check=True)
    whole = contents(root / "ds")
    shutil.rmtree(root / "ds")
    for what, code, always in FAULTS:
        chosen = numbers(command, failing, root, what, tmp_path)
        shutil.rmtree(root / "ds", ignore_errors=True)
        for nth in chosen:
            done = subprocess.run(command, env=environment(failing, root, what, nth, code, always), capture_output=True,
                                  text=True, timeout=100)
            where = f"export --to {form}: call {nth} of kind {what} fails with {code}"
            judge(done, code in (SHORT, EINTR), where)
            found = contents(root / "ds") if (root / "ds").exists() else {}
            assert {n: whole.get(n) for n in found} == found, where
            assert done.returncode == 3 or found == whole, where
            shutil.rmtree(root / "ds", ignore_errors=True)


# MARK: signals, another writer, a reader, a folder that may not be written

def paused(command, failing, root, tmp_path, kind, nth):
    """A command that waits at a call; with it the file that lets it go on."""
    at, go = tmp_path / "at", tmp_path / "go"
    for path in (at, go):
        path.unlink(missing_ok=True)
    process = subprocess.Popen(
        command, env=environment(failing, root, kind, nth, PAUSE, FAILING_AT=at, FAILING_GO=go), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    began = time.monotonic()
    while not at.exists() and process.poll() is None:
        assert time.monotonic() - began < 60
        time.sleep(0.005)
    return process, go


@pytest.mark.parametrize("sent", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals(maker, reference, failing, tmp_path, sent):
    """A signal while a file is being made durable ends the command with its number, and it can go on."""
    only_in_full(maker, *(["fix", "cut"] if sent == "SIGTERM" else []))
    folder = tmp_path / "out" / "ds"
    folder.parent.mkdir()
    process, go = paused(maker.command(folder), failing, folder.parent, tmp_path, FILE_SYNC, 2)
    assert process.poll() is None, process.communicate()
    process.send_signal(getattr(signal, sent))
    time.sleep(0.1)
    go.touch()
    printed, said = process.communicate(timeout=100)
    assert process.returncode in (128 + getattr(signal, sent), *maker.codes), said
    if process.returncode not in maker.codes:
        assert said.count("\n") <= 3 and "Fatal" not in said, said
        check_listing(contents(folder) if folder.exists() else {}, {})
        if name(maker) == "fix":
            shutil.rmtree(folder, ignore_errors=True)
            maker.run(folder)
        else:
            maker.run(folder, "--resume") if folder.exists() else maker.run(folder)
    assert digests(folder) == reference[0]


def test_a_closed_pipe(maker, reference, tmp_path):
    """Nobody reads what it prints (SIGPIPE): the dataset comes out all the same, or the command ends as such do."""
    only_in_full(maker)
    folder = tmp_path / "ds"
    command = [word for word in maker.command(folder) if word != "--quiet"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=writing, timeout=100)
    os.close(writing)
    assert done.returncode in (*maker.codes, 141, -signal.SIGPIPE, 3), done.returncode
    assert digests(folder) == reference[0]


def test_two_writers_and_a_reader(maker, reference, failing, trajpack, tmp_path):
    """The second writer says that there is one; a reader sees what is acknowledged, and the first ends as if alone."""
    only_in_full(maker, "cut")
    if name(maker) == "fix":
        extra = ()
    else:
        extra = ("--resume",)
    folder = tmp_path / "out" / "ds"
    folder.parent.mkdir()
    process, go = paused(maker.command(folder), failing, folder.parent, tmp_path, FILE_SYNC, 4)
    assert process.poll() is None, process.communicate()
    second = subprocess.run(maker.command(folder, *extra), capture_output=True, text=True, timeout=100)
    assert second.returncode in (2, 3) and second.stderr.count("\n") == 1, second
    shown = subprocess.run([trajpack, "info", folder, "--json"], capture_output=True, text=True)
    assert shown.returncode == 0 or "no shards yet" in shown.stderr, shown.stderr
    assert not shown.stdout or json.loads(shown.stdout)
    go.touch()
    _, said = process.communicate(timeout=100)
    assert process.returncode in maker.codes, said
    assert digests(folder) == reference[0]


def test_edits_beside_another_writer(trajpack, edit, failing, tmp_path):
    kind, before, after, _, _ = edit
    root = emptied(str(tmp_path / "root"))
    materialise({"ds": None, **{f"ds/{n}": c for n, c in before.items()}}, root)
    words = [trajpack, *(f"{root}/ds" if w == "DS" else w for w in EDITS[kind])]
    process, go = paused(words, failing, root, tmp_path, FILE_SYNC, 1)
    assert process.poll() is None, process.communicate()
    second = edited(trajpack, kind, f"{root}/ds")
    assert second.returncode in (2, 3) and second.stderr.count("\n") == 1, second
    shown = subprocess.run([trajpack, "info", f"{root}/ds"], capture_output=True, text=True)
    assert shown.returncode == (1 if kind == "repair" else 0), shown.stderr
    go.touch()
    _, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    found = {n: d for n, d in contents(f"{root}/ds").items() if ".before-repair" not in n}
    assert found == {n: d for n, d in after.items() if ".before-repair" not in n}


def without_override(command):
    """A command that may not write where the mode forbids it, which root may (CAP_DAC_OVERRIDE)."""
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", code, *command]


def test_a_read_only_folder(maker, tmp_path):
    """One sentence, and nothing changes."""
    only_in_full(maker, "fix", "repair")
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    done = subprocess.run(without_override(maker.command(folder / "ds")), capture_output=True, text=True, timeout=100)
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    assert "permission denied" in done.stderr.lower() and os.listdir(folder) == []


def test_edits_of_a_read_only_folder(trajpack, edit, tmp_path):
    kind, before, _, _, _ = edit
    root = emptied(str(tmp_path / "root"))
    materialise({"ds": None, **{f"ds/{n}": c for n, c in before.items()}}, root)
    os.chmod(f"{root}/ds", 0o555)
    words = [trajpack, *(f"{root}/ds" if w == "DS" else w for w in EDITS[kind])]
    done = subprocess.run(without_override(words), capture_output=True, text=True, timeout=100)
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    assert contents(f"{root}/ds") == before
