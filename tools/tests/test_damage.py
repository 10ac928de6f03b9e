"""Damaged bytes and cuts over every layout of shards, manifests and journals: an error with its place, or the very values.

tools/fuzz/damage.py makes the cases; `make damage` reads 10,000 damaged files and 2,400 cut ones. TRAJPACK_FUZZ=N takes N of
each, TRAJPACK_SEED=S others.
"""
import os
import sys

import pytest
from conftest import ROOT, built

os.environ.setdefault("TRAJPACK_LIBRARY", built("libtrajpack-c.so"))
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import damage                                                                                    # noqa: E402

SEED = int(os.environ.get("TRAJPACK_SEED", "1"))


@pytest.mark.parametrize("cut, cases", [(False, 400), (True, 150)])
def test_nothing_is_silently_wrong(trajpack, cut, cases):
    cases = int(os.environ.get("TRAJPACK_FUZZ", cases))
    counts, faults, memory = damage.hunt(trajpack, cases, cut, SEED)
    assert not faults, "\n".join(faults[:10])
    assert sum(counts.values()) == cases and counts["refused"] > cases // 2
    assert memory < 200 << 10, f"{memory} KiB"


def test_the_comparison_sees_a_changed_value(trajpack, tmp_path):
    """A value that is changed with every checksum made anew is another digest: the comparison could see it."""
    import mutate
    worlds = damage.make_worlds(tmp_path, trajpack)
    name, files = next((n, f) for n, f in worlds.items() if n.startswith("world-"))
    good = tmp_path / "good.h5"
    good.write_bytes(files["shard.h5"])
    forgery = mutate.Forgery(files["shard.h5"])
    row = next(i for i, r in enumerate(forgery.tables[7]) if r[2] > 8)
    forgery.chunk(row, bytes(forgery.tables[7][row][2]), mask=0b11)
    (tmp_path / "bad.h5").write_bytes(forgery.bytes())
    import concurrent.futures
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        a, b = (pool.submit(damage.everything, tmp_path / f"{n}.h5").result() for n in ("good", "bad"))
    assert a[0] != b[0] and a[1] == b[1]
