"""The crash proof of the writer that adds episodes: joins, closing and reopening, stopped at every write boundary.

What was acknowledged is listed, nothing that a crash leaves is an orphan, and a writer goes on without a repair.
"""
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import read_archive
from model import Disk, bytes_kept, materialise, names_kept, read_log
from promise import Broken, check_listing, emptied, listed
from test_crash import FULL, SEED, Boundaries, files_of, shim  # noqa: F401  a fixture

EPISODES = 19            # the first sixteen are joined, three more follow, closing joins all
GOING_ON = 40

WRITE = f"""
import sys, numpy as np, trajpack
with trajpack.create(sys.argv[1], rate=30) as writer:
    for n in range({EPISODES}):
        writer.append(f"e{{n:03d}}", x=np.arange(4.0) + n)
with trajpack.create(sys.argv[1], mode="a", rate=30) as writer:
    writer.append("e{EPISODES:03d}", x=np.arange(4.0))
"""


@pytest.fixture(scope="module")
def log(shim, tmp_path_factory):                                                                # noqa: F811
    work = tmp_path_factory.mktemp("writer")
    path, root = str(work / "log"), emptied(str(work / "root"))
    source = str(Path(__file__).resolve().parents[2] / "python" / "src")
    environment = {**os.environ, "LD_PRELOAD": shim, "WRITELOG": path, "WRITELOG_ROOT": root, "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", WRITE, f"{root}/ds"], check=True, env=environment)
    return root, read_log(path)


def orphans(folder, files):
    """What the second reader calls an orphan."""
    if "manifest.json" not in files and "journal" not in files:
        return []
    begun = bool(read_archive.journal_records(files.get("journal", b"")))
    listed = [os.path.basename(p) for p in read_archive.open_dataset(folder)[0]]
    return [n for n, what in read_archive.unlisted(folder, listed, begun).items() if what == "orphan"]


class Episodes:
    """The ids of the episodes that a state's list names, each shard being opened once."""

    def __init__(self, folder):
        self.folder, self.known = folder, {}

    def learn(self, files):
        for name, data in files.items():
            if name.startswith("shard-") and (digest := hashlib.sha256(data).hexdigest()) not in self.known:
                path = os.path.join(self.folder, "one.h5")
                with open(path, "wb") as file:
                    file.write(data)
                try:
                    shard = read_archive.Shard(path)
                    self.known[digest] = [shard.string(row[0], row[1]) for row in shard.episodes.tolist()]
                    shard.file.close()
                except (OSError, KeyError, read_archive.Damaged):
                    self.known[digest] = []

    def of(self, digests):
        return [episode for digest in digests for episode in self.known.get(digest, [])]


def test_boundaries(log, trajpack, tmp_path):
    import trajpack as library
    root, operations = log
    seen, kept, known = set(), [], Episodes(str(tmp_path))
    for where, state, acknowledged in Boundaries(root, operations).states(random.Random(SEED)):
        files = files_of(state)
        key = frozenset(state.items())
        if key in seen:
            continue
        seen.add(key)
        try:
            check_listing(files, {})
        except Broken as broken:
            pytest.fail(f"{where}: {broken}")
        known.learn(files)
        found, promised = known.of(listed(files).values()), known.of(acknowledged.values())
        assert found == [f"e{n:03d}" for n in range(len(found))], where
        assert len(found) >= len(promised), f"{where}: {len(promised)} were acknowledged, {len(found)} are listed"
        kept.append((where, state, len(promised)))
    assert len(kept) > 300, "the log is too short to prove anything"
    # One state of each set of names and of each list first: these are what a writer that goes on looks at.
    shapes, chosen, rest = set(), [], []
    for item in kept:
        shape = tuple((p, c if p == "ds/journal" else len(c or b"") > 0) for p, c in sorted(item[1].items()))
        (rest if shape in shapes else chosen).append(item)
        shapes.add(shape)
    random.Random(SEED).shuffle(chosen)
    met = set()
    for number, (where, state, _) in enumerate(chosen + rest if FULL else chosen[:150]):
        place = emptied(f"{tmp_path}/state")
        materialise(state, place)
        folder, files = f"{place}/ds", files_of(state)
        assert not orphans(folder, files), where
        before = episodes(library, folder, files)
        if number % 10 == 0 and files:
            done = subprocess.run([trajpack, "verify", folder, "--json"], capture_output=True, text=True)
            assert done.returncode == 0 or "manifest.json" not in files and "journal" not in files, (where, done.stderr)
            met.update(w for w in ("superseded", "unacknowledged") if w in done.stdout)
        with library.create(folder, mode="a", rate=30) as writer:
            ids = [f"e{n:03d}" for n in range(len(writer))]
            writer.append("last", x=np.arange(4.0))
        dataset = library.open(folder)
        assert dataset.episodes.ids == [*ids, "last"] and ids == before, where
        assert dataset.complete and sorted(os.listdir(folder)) == ["manifest.json", *sorted(dataset.shards)], where
    assert met == {"superseded", "unacknowledged"}, f"the states met only {met}"


def episodes(library, folder, files):
    if "manifest.json" not in files and "journal" not in files:
        return []
    try:
        return library.open(folder).episodes.ids
    except library.UsageError as error:
        assert "no shards yet" in str(error)
        return []


def test_the_log_is_complete(log):
    root, operations = log
    disk = Disk(root)
    for operation in operations:
        disk.step(operation)
    found = {n: Path(root, "ds", n).read_bytes() for n in os.listdir(f"{root}/ds")}
    assert files_of(disk.state(names_kept, bytes_kept)) == found


FAIL = """
import ctypes, sys, numpy as np, trajpack
path, what, first, step, code = sys.argv[1], *map(int, sys.argv[2:])
arm = ctypes.CDLL(None).failing_arm
for nth in range(first, 400, step):
    folder = f"{path}/{what}-{nth}"
    writer = trajpack.create(folder, rate=30)
    writer.append("e0", x=np.arange(4.0))
    kept, failed = ["e0"], []
    arm(what, nth, code)
    for n in range(1, 40):
        try:
            writer.append(f"e{n}", x=np.arange(4.0) + n)
            kept.append(f"e{n}")
        except trajpack.MachineError as error:
            failed.append(str(error))
    left = arm(0, 0, 0)
    # A failed episode can be written again under its own id, in the same session.
    for n in range(1, 40):
        if f"e{n}" not in kept:
            writer.append(f"e{n}", x=np.arange(4.0) + n)
            kept.append(f"e{n}")
    writer.close()
    assert trajpack.open(folder).episodes.ids == kept, (nth, failed)
    assert len(failed) <= 1, (nth, failed)
    for n in (0, 5, 39):
        assert trajpack.open(folder).episode(f"e{n}")["frames/x"][0] == n
    print(nth, len(failed), *failed[:1], flush=True)
    if left > 0:
        break
"""


STEPS = {"fsync of a file": 17, "fsync of a folder": 23, "rename": 19, "write": 83, "unlink": 41}


@pytest.mark.parametrize("what", list(STEPS))
@pytest.mark.parametrize("code", [5, 28] if FULL else [5])
def test_a_fault_costs_at_most_its_episode(what, code, tmp_path):
    """The nth fsync, rename, write or unlink fails, with EIO or ENOSPC; the next episode commits as if nothing had been."""
    shared = tmp_path / "failing.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", shared,
                    Path(__file__).parent / "failing.c", "-ldl"], check=True)
    number = 1 + list(STEPS).index(what)
    source = str(Path(__file__).resolve().parents[2] / "python" / "src")
    root = f"{tmp_path}/root"
    os.mkdir(root)
    environment = {**os.environ, "LD_PRELOAD": str(shared), "FAILING_ROOT": root, "PYTHONPATH": source}
    step = 1 if FULL else STEPS[what]
    done = subprocess.run([sys.executable, "-c", FAIL, root, str(number), str(1 + code % step), str(step), str(code)],
                          env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 2, lines
    if what != "unlink":
        assert any(line.split()[1] == "1" for line in lines), "no fault was met"


def test_a_crash_after_a_fault(log, trajpack, tmp_path):
    """A writer that died behind a failed fsync leaves a dataset that goes on."""
    import trajpack as library
    shared = tmp_path / "failing.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shared, Path(__file__).parent / "failing.c", "-ldl"],
                   check=True)
    source = str(Path(__file__).resolve().parents[2] / "python" / "src")
    root = f"{tmp_path}/root"
    os.mkdir(root)
    code = FAIL[:FAIL.index("    left = arm")].replace("range(first, 400, step)", "[first]").replace(
        "range(1, 40)", "range(1, 20)") + "    import os; print(len(kept), flush=True); os._exit(0)\n"
    environment = {**os.environ, "LD_PRELOAD": str(shared), "FAILING_ROOT": root, "PYTHONPATH": source}
    for what in (1, 2, 3):
        for nth in range(1, GOING_ON, 1 if FULL else 13):
            done = subprocess.run([sys.executable, "-c", code, root, str(what), str(nth), "1", "5"], env=environment,
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            folder = f"{root}/{what}-{nth}"
            assert subprocess.run([trajpack, "verify", folder], capture_output=True).returncode == 0
            with library.create(folder, mode="a", rate=30) as writer:
                assert len(writer) == int(done.stdout)
                writer.append("last", x=np.arange(4.0))
            dataset = library.open(folder)
            assert sorted(os.listdir(folder)) == ["manifest.json", *sorted(dataset.shards)]
