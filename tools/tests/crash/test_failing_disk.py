"""Every command that writes, on a full disk and on one that fails, writes and reads in parts or is interrupted: an error is
one sentence, and what is there is whole."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
import shutil
import subprocess
from pathlib import Path

import pytest
from makers import (  # noqa: F401  fixtures
    EDITS, EINTR, EIO, ENOSPC, EXPORTS, FILE_SYNC, FOLDER_SYNC, READ, RENAME, SHORT, WRITE, dataset, edit, edited, environment,
    failing, films, maker, name, numbers, only_in_full, problem, reference)
from model import materialise
from promise import Broken, check_listing, contents, digests, emptied
from test_crash import shim  # noqa: F401  fixtures

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
                assert list(files.values()) != [b""], f"{where}: an empty journal is left"
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
        assert "damaged" not in done.stderr, f"{name(maker)}: read {nth}: {done.stderr}"


def test_what_cannot_be_read_is_not_called_damaged(trajpack, dataset, failing, tmp_path):
    """A disk that gives an error has perhaps lost nothing: nobody is told to restore a shard that may be whole."""
    chunks = 0
    for nth in range(1, 40, 3):
        command = [trajpack, "export", str(dataset), str(tmp_path / f"out-{nth}"), "--to", "npz", "-q"]
        done = subprocess.run(command, env=environment(failing, dataset, READ, nth, EIO), capture_output=True, text=True,
                              timeout=100)
        judge(done, False, f"read {nth}")
        assert "damaged" not in done.stderr and "restore" not in done.stderr, done.stderr
        chunks += "chunk" in done.stderr and "cannot be read" in done.stderr
    assert chunks >= 3, "few chunks were met"


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
            assert found == (whole if done.returncode == 0 else {}), where
            shutil.rmtree(root / "ds", ignore_errors=True)
