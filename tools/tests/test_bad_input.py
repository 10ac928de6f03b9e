"""Spoilt sources: one sentence that names the place, the right exit code, nothing left behind, no trap, in time.

The cases are those of fixtures/make_bad.py; series files are the business of the series importer's tests.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "fixtures"))

import make_bad                                                                                  # noqa: E402

WILDWORLD = sorted(name for name, case in make_bad.CASES.items() if case[1] == "wildworld")


def left_behind(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*"))


def run(trajpack, *words, scratch, seconds=60):
    """A run with its temporary files in a folder of their own, at most 1 GiB of memory and some time."""
    scratch.mkdir(exist_ok=True)
    limit = f"ulimit -v {4 << 20}; exec \"$@\""
    done = subprocess.run(
        ["sh", "-c", limit, "sh", trajpack, *map(str, words)], capture_output=True, text=True, timeout=seconds,
        env={**os.environ, "TMPDIR": str(scratch)})
    assert done.returncode in (0, 1, 2, 3), f"a trap or a signal: {done.returncode}\n{done.stderr}"
    assert "Fatal error" not in done.stderr and "Crash" not in done.stderr, done.stderr
    assert not left_behind(scratch), f"temporary files were left: {left_behind(scratch)}"
    return done


@pytest.mark.parametrize("name", [n for n in WILDWORLD if n not in make_bad.ACCEPTED])
def test_refused(trajpack, tmp_path, name):
    expect = make_bad.write(name, tmp_path / "bad")
    out = tmp_path / "out"
    out.mkdir()
    done = run(trajpack, "convert", tmp_path / "bad" / expect["source"], out / "ds", scratch=tmp_path / "tmp")
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 600, done.stderr
    for piece in expect["names"]:
        assert piece in done.stderr, f"'{piece}' is not named in: {done.stderr}"
    assert left_behind(out) == []


@pytest.mark.parametrize("name", [n for n in WILDWORLD if n in make_bad.ACCEPTED])
def test_accepted_without_loss(trajpack, tmp_path, name):
    expect = make_bad.write(name, tmp_path / "bad")
    source = tmp_path / "bad" / expect["source"]
    assert run(trajpack, "convert", source, tmp_path / "ds", scratch=tmp_path / "tmp").returncode == 0
    assert run(trajpack, "verify", tmp_path / "ds", scratch=tmp_path / "tmp").returncode == 0
    same = run(trajpack, "diff", tmp_path / "ds", source, "--json", scratch=tmp_path / "tmp")
    assert json.loads(same.stdout)["equal"] is True


def test_one_bad_sample_among_good_ones(trajpack, recordings, tmp_path):
    """Shards that were acknowledged before the bad sample stay; mended, the conversion goes on."""
    import shutil
    source = tmp_path / "part"
    shutil.copytree(recordings, source)
    bad = sorted(p for p in source.iterdir() if p.is_dir())[3] / "state.csv"
    good = bad.read_bytes()
    bad.write_bytes(good[:len(good) // 2])
    done = run(
        trajpack, "convert", source, tmp_path / "ds", "--shard-size", "1KB", scratch=tmp_path / "tmp")
    assert done.returncode == 1 and bad.parent.name in done.stderr and done.stderr.count("\n") == 1
    assert not any(".tmp" in name for name in left_behind(tmp_path / "ds"))
    assert run(trajpack, "verify", tmp_path / "ds", scratch=tmp_path / "tmp").returncode == 0
    bad.write_bytes(good)
    again = run(
        trajpack, "convert", source, tmp_path / "ds", "--shard-size", "1KB", "--resume", scratch=tmp_path / "tmp")
    assert again.returncode == 0, again.stderr
    assert run(trajpack, "diff", tmp_path / "ds", source, scratch=tmp_path / "tmp").returncode == 0
