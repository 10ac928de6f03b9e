#!/usr/bin/env python3
"""Races statistics of a whole dataset against numpy over h5py, which reads the same shards: a new process each time,
taking turns, the page cache warm.

Both give count, mean, standard deviation, extremes and nine quantiles of every component (64 of state, 540 elements of
three skeletons taken by axis, 11 of camera). numpy reads whole channels into memory; trajpack goes through them in pieces.

    measure.py [--count 24] [--frames 1792] [--rounds 5] [--threads 2] [--codec lz4] [--work DIR]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tools/python/src"

OURS = """
import sys, time, resource
sys.path.insert(0, sys.argv[1])
import trajpack
begin = time.perf_counter()
found = trajpack.open(sys.argv[2]).statistics(channels=["s"], axes={"s/skeleton": [2]}, threads=int(sys.argv[3]),
                                              quantiles=sys.argv[4] == "quantiles")
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

THEIRS = """
import sys, time, resource
from pathlib import Path
import h5py, hdf5plugin, numpy as np
PROBABILITIES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
begin = time.perf_counter()
parts = {}
def take(name, item):
    if isinstance(item, h5py.Dataset):
        parts.setdefault(name, []).append(item[...])
for path in sorted(Path(sys.argv[2]).glob("shard-*.h5")):
    with h5py.File(path) as file:
        file["streams/s"].visititems(take)
for name in list(parts):
    x = np.concatenate(parts.pop(name))
    x = x.reshape(-1, x.shape[-1])                # columns, or the axes of joints
    x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64), x.min(0), x.max(0), np.isnan(x).sum(0)
    if sys.argv[4] == "quantiles":
        np.quantile(x, PROBABILITIES, axis=0)
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def dataset(folder, count, frames, codec):
    out = folder / f"statistics-{count}-{frames}-{codec}"
    if not (out / "manifest.json").exists():
        import numpy as np
        sys.path[:0] = [str(SOURCE), str(Path(__file__).parent)]
        import data
        import trajpack
        print(f"writing {out}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        with trajpack.create(out, rate=30, codec=codec) as writer:
            for number in range(count):
                one = data.trajectory(frames, rng)
                with writer.episode(f"{number:04}") as episode:
                    episode.extend({"s": {k: one[k] for k in ("state", "skeleton", "camera")}})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--frames", type=int, default=1792)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--codec", default="lz4")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    options = parser.parse_args()
    path = dataset(options.work, options.count, options.frames, options.codec)
    print(f"{options.count * options.frames * (64 + 540 + 11) * 4 / 1e6:.0f} MB, codec {options.codec}, "
          f"{options.threads} threads; seconds and peak MiB of a process, medians of {options.rounds}")
    for what in ("quantiles", "moments"):
        found = {"trajpack": [], "numpy over h5py": []}
        for _ in range(options.rounds):
            for name, code in (("trajpack", OURS), ("numpy over h5py", THEIRS)):
                out = subprocess.run([sys.executable, "-c", code, SOURCE, path, str(options.threads), what], check=True,
                                     capture_output=True, text=True).stdout
                found[name].append([float(x) for x in out.split()])
        ours, theirs = (statistics.median(r[0] for r in found[n]) for n in found)
        for name, runs in found.items():
            print(f"  {what:10} {name:16} {statistics.median(r[0] for r in runs):8.2f} s"
                  f" {statistics.median(r[1] for r in runs):8.0f} MiB")
        print(f"  {what:10} numpy / trajpack {theirs / ours:.2f}")


if __name__ == "__main__":
    main()
