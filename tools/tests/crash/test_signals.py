"""Every command that writes, under signals, beside another writer, under a reader, and in a folder that may not be written."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from makers import (  # noqa: F401  fixtures
    EDITS, FILE_SYNC, PAUSE, dataset, edit, edited, environment, failing, films, maker, name, only_in_full, reference)
from model import materialise
from promise import check_listing, contents, digests, emptied
from test_crash import shim  # noqa: F401  fixtures


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
