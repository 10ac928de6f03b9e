"""Episodes that a writer makes durable together."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT, surroundings

import trajpack as tp


def test_readers_see_them_with_the_last(tmp_path: Path) -> None:
    with tp.create(tmp_path / "ds", rate=10, commit_every=3) as writer:
        for number in range(7):
            writer.append(f"e{number}", state=np.full((5, 2), number, np.float32), note=[f"n{number}"] * 5)
            assert writer.stats()["waiting"] == (number + 1) % 3
            if number >= 2:
                assert len(tp.open(tmp_path / "ds")) == (number + 1) // 3 * 3
        writer.flush()
        assert len(tp.open(tmp_path / "ds")) == 7 and writer.stats()["waiting"] == 0
        writer.append("last", state=np.zeros((1, 2), np.float32), note=["z"])
        with pytest.raises(tp.UsageError, match="already"):
            writer.append("last", state=np.zeros((1, 2), np.float32), note=["z"])
    data = tp.open(tmp_path / "ds")
    assert [e.id for e in data.episodes] == [*(f"e{n}" for n in range(7)), "last"]
    for number in range(7):
        assert (data.episode(f"e{number}")["frames/state"][:] == number).all()
        assert list(data.episode(f"e{number}")["frames/note"][:]) == [f"n{number}"] * 5


def test_the_data_set_is_that_of_single_commits(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays = [rng.normal(size=(int(n), 3)) for n in rng.integers(1, 90, 20)]
    for every in (1, 4, 50):
        with tp.create(tmp_path / str(every), rate=10, commit_every=every) as writer:
            for number, array in enumerate(arrays):
                writer.append(str(number), x=array)
    for every in (1, 4, 50):
        data = tp.open(tmp_path / str(every))
        for number, array in enumerate(arrays):
            assert np.array_equal(data.episode(str(number))["frames/x"][:], array)


def test_a_kill_loses_only_what_waits(tmp_path: Path) -> None:
    code = ("import os, sys, numpy as np, trajpack as tp\n"
            "w = tp.create(sys.argv[1], rate=1, commit_every=4)\n"
            "for n in range(10): w.append(str(n), x=np.full(3, n))\n"
            "print('ready', flush=True)\n"
            "os.kill(os.getpid(), 9)\n")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "ds"], env={
        **os.environ, **surroundings(), "PYTHONPATH": str(ROOT / "tools" / "python" / "src")}, capture_output=True)
    assert done.returncode == -signal.SIGKILL and b"ready" in done.stdout, done.stderr
    assert len(tp.open(tmp_path / "ds")) == 8
    with tp.create(tmp_path / "ds", mode="a", commit_every=4) as writer:
        writer.append("8", x=np.full(3, 8))
    assert sorted(e.id for e in tp.open(tmp_path / "ds").episodes) == [str(n) for n in range(9)]


@pytest.mark.parametrize("value", [0, -1, "many"])
def test_commit_every_is_a_number_above_zero(tmp_path: Path, value: object) -> None:
    with pytest.raises(tp.UsageError, match="commit_every"):
        tp.create(tmp_path / "ds", commit_every=value)  # type: ignore[arg-type]
