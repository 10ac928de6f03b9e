"""Damaged bytes and cuts over every layout of shards, manifests and journals: an error with its place, or the very values.

tools/fuzz/damage.py makes the cases; `make damage` reads 10,000 damaged files and 2,400 cut ones. TRAJPACK_FUZZ=N takes N of
each, TRAJPACK_SEED=S others.
"""
import json
import os
import subprocess
import sys

from conftest import ROOT, built

os.environ.setdefault("TRAJPACK_LIBRARY", built("libtrajpack-c.so"))
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import damage                                                                                    # noqa: E402

SEED = int(os.environ.get("TRAJPACK_SEED", "1"))


def test_nothing_is_silently_wrong(trajpack):
    """The program runs by itself: a forked child begins with the memory of its parent, and that of pytest is large."""
    cases = {"damaged": os.environ.get("TRAJPACK_FUZZ", "400"), "cut": os.environ.get("TRAJPACK_FUZZ", "150")}
    run = subprocess.run([sys.executable, damage.__file__, "--bytes", cases["damaged"], "--cuts", cases["cut"], "--seed", str(SEED),
                          "--trajpack", trajpack, "--json"], capture_output=True, text=True)
    assert run.stdout, run.stderr
    for name, report in json.loads(run.stdout).items():
        counts = report["counts"]
        assert not report["faults"], "\n".join(report["faults"][:10])
        assert sum(counts.values()) == int(cases[name]) and counts["refused"] > int(cases[name]) // 2
        assert report["memory_kib"] < damage.MOST_MEMORY, f"{report['memory_kib']} KiB"
    assert run.returncode == 0


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
