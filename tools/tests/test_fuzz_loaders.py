"""Option objects through the C interface, and forged shards with option sets: no call of the loader traps or hangs.

tools/fuzz/loaders.py makes the cases, in a child process, and names the one that ended it. TRAJPACK_FUZZ=N and
TRAJPACK_SEED=S as for test_fuzz.py.
"""
import os
import sys

import pytest
from conftest import ROOT, built

os.environ.setdefault("TRAJPACK_LIBRARY", built("libtrajpack-c.so"))
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import loaders                                                                                   # noqa: E402

SEED = int(os.environ.get("TRAJPACK_SEED", "1"))


@pytest.mark.parametrize("kind, cases, least", [("options", 150, 20), ("shards", 120, 30)])
def test_nothing_ends_the_process(kind, cases, least, tmp_path):
    cases = int(os.environ.get("TRAJPACK_FUZZ", cases))
    faults, made = loaders.hunt(kind, SEED, cases, tmp_path, loaders.ROOT / "tools" / "fuzz" / "found")
    assert not faults, f"{len(faults)} of {cases}:\n" + "\n".join(faults)
    # Where nearly all are refused, nothing behind the refusals is looked at.
    assert made * 150 >= least * min(cases, 150)
