"""Peak memory of conversions: below 300 MB, whatever their length or number. Slow: make_wildworld simulates 30 minutes.

TRAJPACK_SLOW=1 runs it at full size; without it a fifth of the length proves that memory does not follow it.
"""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLOW = "TRAJPACK_SLOW" in os.environ
LIMIT = 300_000_000


def peak(*words):
    """Peak resident bytes of a command: a process of its own asks for its children's."""
    ask = ("import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)"
           ".returncode; print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = subprocess.run([sys.executable, "-c", ask, *map(str, words)], capture_output=True, text=True, check=True)
    code, kibibytes = map(int, out.stdout.split())
    assert code == 0, out.stderr
    return kibibytes * 1024


@pytest.fixture(scope="module", params=["long", "many"])
def source(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    size = {"long": ["--frames", "54000" if SLOW else "10800"],
            "many": ["--samples", "2000" if SLOW else "400", "--frames", "60"]}[request.param]
    subprocess.run(
        [sys.executable, ROOT / "fixtures" / "make_wildworld.py", "--out", out, "--no-video", *size], check=True,
        capture_output=True)
    return out / "data_part1"


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_flat(trajpack, source, tmp_path, jobs):
    dataset = tmp_path / "ds"
    found = {
        "convert": peak(trajpack, "convert", source, dataset, "--quiet", "--jobs", jobs),
        "verify": peak(trajpack, "verify", dataset, "--jobs", jobs),
        "info": peak(trajpack, "info", dataset),
    }
    if jobs == 2:
        found["export"] = peak(trajpack, "export", dataset, tmp_path / "out", "--to", "wildworld")
        found["diff"] = peak(trajpack, "diff", dataset, dataset)
    print({name: f"{size / 1e6:.0f} MB" for name, size in found.items()})
    assert max(found.values()) < LIMIT, found
