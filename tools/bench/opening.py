#!/usr/bin/env python3
"""Measures how long it takes from a path to the first batch, and the anonymous memory then held: 200, 10,000 and
1,000,000 episodes, a new process each time.

Imports are not counted, the page cache is warm, and so is what the machine keeps of checked shards: nothing, trajpack
keeps no such thing. The archives are made by the tests' own writer, which shares no code with trajpack.

    opening.py [--episodes 200,10000,1000000] [--rounds 7] [--work DIR]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/python/tests"))
WANTED = {200: 15, 10_000: 15, 1_000_000: 50}

# What each measured process begins with.
BEFORE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy, trajpack
import trajpack.dataset, trajpack.loader
trajpack.version()

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

"""
CHILD = BEFORE + """
before = anonymous()
begin = time.perf_counter()
dataset = trajpack.open(sys.argv[2])
opened = time.perf_counter()
loader = dataset.windows(length=4, batch=32, masks=False)
made = time.perf_counter()
batch = loader.next()
assert batch["state/x"].shape == (32, 4, 8)
print(time.perf_counter() - begin, opened - begin, made - opened, (anonymous() - before) / 1024e3)
"""


def archive(out, lengths, columns):
    """A shard of episodes of so many rows; there is one after the first call."""
    if not out.exists():
        from fractions import Fraction

        from archive import Archive, Channel, Episode, Regular, Stream, Track
        print(f"writing {out}", file=sys.stderr)
        out.parent.mkdir(parents=True, exist_ok=True)
        x = np.arange(max(lengths) * columns, dtype=np.float32).reshape(-1, columns)
        clock = Regular(Fraction(0), Fraction(30))
        every = [Episode(f"{i:07d}", [Track("state", int(n), clock, {"x": x[:n]})]) for i, n in enumerate(lengths)]
        part = out.with_suffix(".part")
        Archive([Stream("state", [Channel("x", shape=(columns,))])], every, chunk_rows=256, codec="none").write(part)
        part.rename(out)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", default="200,10000,1000000")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    options = parser.parse_args()
    sizes = [int(n) for n in options.episodes.split(",")]
    paths = {n: archive(options.work / f"opening-{n}.h5", [8] * n, 8) for n in sizes}
    rows = {n: [] for n in sizes}
    for _ in range(options.rounds):
        for n, path in paths.items():
            out = subprocess.run([sys.executable, "-c", CHILD, ROOT / "tools/python/src", path], check=True,
                                 capture_output=True, text=True).stdout
            rows[n].append([float(x) * 1000 for x in out.split()])
    print(f"{'episodes':>10} {'wanted':>8} {'first batch':>12} {'open':>8} {'loader':>8} {'memory':>8}   "
          "(milliseconds and MiB, medians; least)")
    for n, found in rows.items():
        whole, opened, made, memory = (statistics.median(column) for column in zip(*found, strict=True))
        wanted = WANTED.get(n)
        asked = f"< {wanted}" if wanted else ""
        print(f"{n:10,} {asked:>8} {whole:12.1f} {opened:8.1f} {made:8.1f} {memory:8.1f}   "
              f"least {min(row[0] for row in found):.1f}")


if __name__ == "__main__":
    main()
