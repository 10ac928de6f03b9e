"""The crash proof: kill -9 at random moments, and every boundary of the write log, with power cuts.

By default 20 kills and a spread of boundaries; TRAJPACK_CRASH=full (`make crash`) takes 200 kills and every
boundary. TRAJPACK_CRASH_SEED changes the moments.
"""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import read_archive
from model import (Disk, bytes_kept, half_written, materialise, names_kept, power_cuts, read_log)
from promise import Broken, Writer, check_folder, check_listing, contents, digests, emptied, listed

FULL = os.environ.get("TRAJPACK_CRASH") == "full"
SEED = os.environ.get("TRAJPACK_CRASH_SEED", "1")
KILLS = 200 if FULL else 20
# States that are resumed by the program in a run that is not full; all are checked for their listing.
RESUMED = 60


@pytest.fixture(scope="module")
def writer(trajpack, recordings):
    return Writer(trajpack, recordings)


@pytest.fixture(scope="module")
def reference(writer, tmp_path_factory):
    """The digests of a run that nothing stopped, and how long it took."""
    folder = str(tmp_path_factory.mktemp("reference") / "ds")
    writer.run(folder)
    again = str(tmp_path_factory.mktemp("reference") / "ds")
    began = time.monotonic()
    writer.run(again, "--jobs", "3")
    took = time.monotonic() - began
    assert digests(folder) == digests(again), "two runs differ, so 'the same bytes' means nothing"
    assert len(digests(folder)) == 6, "five shards and a manifest are expected"
    return digests(folder), took


@pytest.fixture
def memory():
    """A folder in memory, where fsync costs nothing: states that a crash left are looked at there."""
    shared = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield folder


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """writelog.c, compiled."""
    out = tmp_path_factory.mktemp("shim") / "writelog.so"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", out, Path(__file__).parent / "writelog.c", "-ldl",
         "-lpthread"], check=True)
    return str(out)


def logged(writer, shim, work, reference, *more, before=None):
    """The write log of a whole run, proved complete: replayed, it gives the files that the run gave."""
    log, root = str(work / "log"), emptied(str(work / "root"))
    disk = Disk(root)
    if before is not None:
        materialise({"ds": None, **{f"ds/{n}": b for n, b in before.items()}}, root)
        disk.load("ds", before)
    environment = {**os.environ, "LD_PRELOAD": shim, "WRITELOG": log, "WRITELOG_ROOT": root}
    subprocess.run(writer.command(f"{root}/ds", *more), check=True, env=environment)
    found = read_log(log)
    for operation in found:
        disk.step(operation)
    replayed = {n: hashlib.sha256(b).hexdigest() for n, b in files_of(disk.state(names_kept, bytes_kept)).items()}
    assert replayed == digests(f"{root}/ds") == reference[0], "the log does not give the files of the run"
    return root, found


@pytest.fixture(scope="module")
def operations(writer, shim, tmp_path_factory, reference):
    """The log of a conversion into a new folder."""
    return logged(writer, shim, tmp_path_factory.mktemp("log"), reference)


def kill_at(command, seconds):
    """Starts a command and kills it; says whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_kill(writer, reference, tmp_path):
    """kill -9 at random moments, of conversions and of their resumptions."""
    wanted, took = reference
    chance = random.Random(f"kill {SEED}")
    killed, found = 0, set()
    for trial in range(KILLS):
        folder = str(tmp_path / f"{trial}")
        moment = chance.uniform(0, took)
        killed += kill_at(writer.command(folder), moment)
        found.add(tuple(sorted(os.listdir(folder))) if os.path.exists(folder) else None)
        # Every other time the resumption is killed too.
        if trial % 2 and os.path.exists(folder):
            kill_at(writer.command(folder, "--resume"), chance.uniform(0, took))
        try:
            check_folder(writer, folder, wanted)
        except Broken as broken:
            pytest.fail(f"killed after {moment:.4f} s: {broken}")
    assert killed >= KILLS // 2, "most of the kills came too late to prove anything"
    assert len(found) >= 3, "the kills met too few different moments to prove anything"


class Boundaries:
    """Walks a log and knows, at each boundary, what has been acknowledged."""

    def __init__(self, root, operations, syncs=True, before=None):
        self.disk, self.operations = Disk(root, syncs), operations
        self.honest = Disk(root) if not syncs else self.disk
        for disk in {id(self.disk): self.disk, id(self.honest): self.honest}.values():
            if before is not None:
                disk.load("ds", before)

    def acknowledged(self):
        """The shards that a caller may rely on: their record, or the manifest, is on the disk. Where fsync
        is ignored, what the writer believes is what counts."""
        files = self.durable_files(self.honest)
        found = {}
        for record in read_archive.journal_records(files.get("journal", b"")):
            if record["type"] == "shard":
                found[record["name"]] = record["sha256"]
        if "manifest.json" in files:
            found = {s["name"]: s["sha256"] for s in json.loads(files["manifest.json"])["shards"]}
        return found

    @staticmethod
    def durable_files(disk):
        folder = disk.top.durable.get("ds")
        return {} if folder is None else {n: f.durable for n, f in folder.durable.items()}

    def states(self, chance):
        """(where, the state, what was acknowledged) for every boundary."""
        yield "before the first operation", self.disk.state(names_kept, bytes_kept), self.acknowledged()
        for number, operation in enumerate(self.operations):
            partial = half_written(operation)
            if partial:
                yield from self.partly(number, partial)
            for disk in {id(self.disk): self.disk, id(self.honest): self.honest}.values():
                disk.step(operation)
            acknowledged = self.acknowledged()
            yield f"after operation {number}", self.disk.state(names_kept, bytes_kept), acknowledged
            for name, state in power_cuts(self.disk, chance):
                yield f"power cut after operation {number}: {name}", state, acknowledged

    def partly(self, number, partial):
        """The process dies within a write: a part of its bytes is there."""
        op, fd, offset, _, part, _ = partial
        file = self.disk.open[fd]
        before, pending = bytes(file.data), list(file.pending)
        file.write(offset, part)
        state = self.disk.state(names_kept, bytes_kept)
        file.data, file.pending = bytearray(before), pending
        yield f"within operation {number}", state, self.acknowledged()


def files_of(state):
    return {path[3:]: content for path, content in state.items() if content is not None}


def check_states(writer, reference, memory, states, going_on="--resume"):
    """Has the program go on from each state, a few at once; `memory` is a folder that needs no disk."""
    def check(number, where, state, acknowledged):
        folder = emptied(f"{memory}/{number}")
        materialise(state, folder)
        try:
            check_folder(writer, f"{folder}/ds", reference[0], acknowledged, going_on)
        except Broken as broken:
            return f"{where}: {broken}"
        finally:
            shutil.rmtree(folder)

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(check, number, *state) for number, state in enumerate(states)]
        broken = [job.result() for job in jobs if job.result()]
    assert not broken, "\n".join(broken[:5])


def prove(writer, reference, memory, root, log, before=None, least=100, resumed=RESUMED, going_on="--resume"):
    """Every boundary of a log, for a process that dies and for the power cut: the promise holds."""
    seen, kept = set(), []
    for where, state, acknowledged in Boundaries(root, log, before=before).states(random.Random(SEED)):
        try:
            check_listing(files_of(state), acknowledged)
        except Broken as broken:
            pytest.fail(f"{where}: {broken}")
        key = frozenset(state.items())
        if key not in seen:
            seen.add(key)
            kept.append((where, state, acknowledged))
    assert len(kept) > least, "the log is too short to prove anything"
    # States in which the names or the journal are new come first: they are what a resumption looks at.
    def shape(state):
        return tuple((p, c if p in ("ds/journal",) else len(c or b"") > 0) for p, c in sorted(state.items()))
    chosen, shapes, rest = [], set(), []
    for item in kept:
        (rest if shape(item[1]) in shapes else chosen).append(item)
        shapes.add(shape(item[1]))
    random.Random(SEED).shuffle(rest)
    random.Random(SEED).shuffle(chosen)
    chosen += rest
    check_states(writer, reference, memory, chosen if FULL else chosen[:resumed], going_on)


def test_boundaries(writer, reference, operations, memory):
    """A conversion into a new folder, stopped anywhere."""
    prove(writer, reference, memory, *operations)


def test_resume(writer, shim, reference, operations, tmp_path, memory):
    """A resumption, stopped anywhere; what it found were two shards and a part of the third."""
    root, log = operations
    walk = Boundaries(root, log)
    for operation in log:
        walk.disk.step(operation)
        before = files_of(walk.disk.state(names_kept, bytes_kept))
        if len(listed(before)) == 2 and len(before.get(".tmp-shard-000002.h5", b"")) > 9000:
            break
    else:
        pytest.fail("the log has no such moment")
    root, log = logged(writer, shim, tmp_path, reference, "--resume", before=before)
    prove(writer, reference, memory, root, log, before=before, least=60)


@pytest.fixture(scope="module")
def old(specimen, tmp_path_factory):
    """A finished dataset of other content that takes two of the new one's names, and one more of its own."""
    folder = str(tmp_path_factory.mktemp("old") / "ds")
    subprocess.run([specimen, folder, "--episodes", "3", "--rows", "9", "--shard-episodes", "1"], check=True,
                   capture_output=True)
    files = contents(folder)
    document = json.loads(files["manifest.json"])
    # One that the new dataset does not have must go, too.
    last = document["shards"][-1]
    files["shard-000017.h5"] = files.pop(last["name"])
    last["name"] = "shard-000017.h5"
    lines = "".join(f"{s['name']} {s['sha256']}\n" for s in document["shards"])
    document["digest"] = hashlib.sha256(lines.encode()).hexdigest()
    files["manifest.json"] = json.dumps(document).encode()
    assert {"shard-000000.h5", "shard-000017.h5"} <= set(listed(files))
    return files


def begun(writer, operations):
    """An unfinished conversion of two shards, as a crash leaves it."""
    root, log = operations
    disk = Disk(root)
    for operation in log:
        disk.step(operation)
        files = files_of(disk.state(names_kept, bytes_kept))
        if len(listed(files)) == 2:
            return files
    pytest.fail("the log has no such moment")


def replaced(before, reference, states):
    """Checks that each state shows the old dataset or the new one, whole, and never the old one after the
    new; says which, and which replacement a resumption finds."""
    old = listed(before)
    new = {name: digest for name, digest in reference[0].items() if name != "manifest.json"}
    was = {}
    for where, state, _ in states:
        files = files_of(state)
        try:
            check_listing(files, {})
        except Broken as broken:
            pytest.fail(f"{where}: {broken}")
        found = listed(files)
        assert found in (old, new), f"{where}: the folder lists {sorted(found)}, neither the old nor the new dataset"
        if not where.startswith("power cut"):
            assert found == new or not was.get("new"), f"{where}: the old dataset has come back"
            was["new"] = found == new
        yield where, state, {} if found == old else found
    assert was["new"], "the run did not replace the dataset"


@pytest.mark.parametrize("kind", ["finished", "unfinished"])
def test_overwrite(writer, shim, reference, operations, old, tmp_path, memory, kind):
    """--overwrite, stopped anywhere, leaves the old dataset or the new one, whole; and each way of going on
    ends in the new one's names and bytes."""
    before = old if kind == "finished" else begun(writer, operations)
    root, log = logged(writer, shim, tmp_path, reference, "--overwrite", before=before)
    kept, seen = [], set()
    for item in replaced(before, reference, Boundaries(root, log, before=before).states(random.Random(SEED))):
        key = frozenset(item[1].items())
        if key not in seen:
            kept.append(item)
            seen.add(key)
    assert len(kept) > 120, "the log is too short to prove anything"

    def shape(state):
        return tuple((p, len(c or b"") if p.endswith("journal") else p.endswith("json") and c)
                     for p, c in sorted(state.items()))
    chosen, shapes, rest = [], set(), []
    for item in kept:
        # Every state of the swap is gone on with; of those before it, one of each form.
        swap = any(path.startswith("ds/.replacement") for path in item[1])
        (rest if shape(item[1]) in shapes and not swap else chosen).append(item)
        shapes.add(shape(item[1]))
    if not FULL:
        swaps = [item for item in chosen if any(path.startswith("ds/.replacement") for path in item[1])]
        others = [item for item in chosen if item not in swaps]
        assert len(swaps) > 25, "the swap has too few states to prove anything"
        chosen = swaps[:60] + random.Random(SEED).sample(others, min(len(others), 25))
    check_states(writer, reference, memory, chosen + (rest if FULL else []), "--overwrite")
    # A resumption goes on with the replacement wherever one has been begun.
    resumable = [item for item in chosen if kind == "unfinished" or "ds/.tmp-replacement" in item[1]
                 or "ds/.replacement/manifest.json" in item[1]]
    check_states(writer, reference, memory, resumable, "--resume")


def test_overwrite_resumed(writer, shim, reference, old, tmp_path, memory):
    """A resumption of an interrupted --overwrite goes on with its shards, and may be stopped as well."""
    root, log = logged(writer, shim, tmp_path, reference, "--overwrite", before=old)
    disk = Disk(root)
    disk.load("ds", old)
    for operation in log:
        disk.step(operation)
        files = files_of(disk.state(names_kept, bytes_kept))
        inner = {n.removeprefix(".tmp-replacement/"): c for n, c in files.items() if n.startswith(".tmp-repl")}
        if len(listed(inner)) == 3:
            break
    folder = str(tmp_path / "again")
    materialise({"ds": None, "ds/.tmp-replacement": None, **{f"ds/{n}": c for n, c in files.items()}},
                emptied(folder))
    made = f"{folder}/ds/.tmp-replacement/shard-000001.h5"
    inode = os.stat(made).st_ino
    assert listed(contents(f"{folder}/ds")) == listed(old)
    writer.run(f"{folder}/ds", "--resume")
    assert digests(f"{folder}/ds") == reference[0]
    assert os.stat(f"{folder}/ds/shard-000001.h5").st_ino == inode, "an acknowledged shard was written again"


def test_control(operations):
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
    assert states > 100 and bad > states // 2, f"only {bad} of {states} power cuts without fsync were noticed"
