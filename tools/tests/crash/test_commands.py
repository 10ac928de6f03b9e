"""Every command that writes a dataset or an export, stopped at each write boundary.

Commands that make a dataset keep the promise of `convert` (promise.py). Those that change a list in place leave the old
list or the new one, whole. Exports leave whole episodes under their names. By default a spread of boundaries, with
TRAJPACK_CRASH=full all. test_failing_disk.py has the same commands on a full or failing disk, test_signals.py under signals,
beside another writer and under a reader.
"""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from makers import (  # noqa: F401  fixtures
    EXPORTS, Steps, dataset, edit, edited, films, logged, maker, name, problem, reference)
from model import materialise
from promise import Broken, check_listing, contents, emptied
from test_crash import FULL, SEED, Boundaries, files_of, memory, prove, shim  # noqa: F401  fixtures


@pytest.fixture(scope="module")
def operations(maker, reference, shim, tmp_path_factory):
    work = tmp_path_factory.mktemp("log")
    root = emptied(str(work / "root"))
    return root, logged(maker.command(f"{root}/ds"), root, str(work / "log"), shim, codes=maker.codes)


def test_boundaries(maker, reference, operations, memory):
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


def test_edits_stopped_anywhere(trajpack, edit, memory):
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


@pytest.mark.parametrize("form", EXPORTS)
def test_exports_stopped_anywhere(trajpack, dataset, shim, tmp_path, form):
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
