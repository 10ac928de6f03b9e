#!/usr/bin/env python3
"""How long a process takes to open 10^5, 10^6 and 10^7 episodes, and what memory it then holds, a new one each time.

    many_episodes.py [--episodes 100000,1000000,10000000] [--rounds 3] [--work DIR]

The episodes are simulated: one shard of 100,000 episodes of ragged lengths, written by the tests' own writer, lies in
the folder under as many names as there must be shards. Memory is anonymous memory, without the system's cache of files.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import opening

ROOT = Path(__file__).resolve().parents[2]
SHARD = 100_000

CHILD = opening.BEFORE + """
before = anonymous()
begin = time.perf_counter()
dataset = trajpack.open(sys.argv[2])
opened = time.perf_counter()
loader = dataset.windows(length=4, batch=32, shuffle=True, seed=1, rank=3, world_size=64, masks=False)
made = time.perf_counter()
loader.next()
print(opened - begin, made - opened, time.perf_counter() - made, (anonymous() - before) / 1024, len(dataset.episodes))
"""


def shard(work):
    lengths = np.random.default_rng(0).integers(8, 40, SHARD)
    return opening.archive(work / f"many-{SHARD}.h5", lengths, 4)


def dataset(work, episodes):
    one = shard(work)
    folder = work / f"many-{episodes}"
    if (folder / "manifest.json").exists():
        return folder
    folder.mkdir(exist_ok=True)
    digest, names = hashlib.sha256(one.read_bytes()).hexdigest(), []
    for number in range(episodes // SHARD):
        names.append(f"shard-{number:06d}.h5")
        if not (folder / names[-1]).exists():
            os.link(one, folder / names[-1])
    size = one.stat().st_size
    entries = [{"name": name, "bytes": size, "sha256": digest, "episodes": SHARD, "rows": 0} for name in names]
    whole = hashlib.sha256("".join(f"{name} {digest}\n" for name in names).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({
        "format": "trajpack dataset", "version": "1.0", "digest": whole, "shards": entries,
        "source": {"type": "plan", "format": "writer", "options": {}, "codec": "none", "shard_bytes": 1},
        "statistics": {}}))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", default="100000,1000000,10000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    options = parser.parse_args()
    print(f"{'episodes':>11} {'open':>9} {'loader':>9} {'batch':>9} {'memory':>9}   (milliseconds and MB, medians)")
    for episodes in (int(n) for n in options.episodes.split(",")):
        path, rows = dataset(options.work, episodes), []
        for _ in range(options.rounds):
            out = subprocess.run([sys.executable, "-c", CHILD, ROOT / "tools/python/src", path], check=True,
                                 capture_output=True, text=True).stdout.split()
            assert int(out[4]) == episodes
            rows.append([float(x) * 1000 for x in out[:3]] + [float(out[3]) * 1.048576])
        opened, made, batch, memory = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{episodes:11,} {opened:9.1f} {made:9.1f} {batch:9.1f} {memory:9.1f}")


if __name__ == "__main__":
    main()
