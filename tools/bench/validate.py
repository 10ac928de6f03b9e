#!/usr/bin/env python3
"""Races the value rules of `trajpack validate` against the reading of `trajpack bench` on the same datasets, taking turns.

The figure of bench is its stage "read, check, inflate, make rows" (threads only, no start of a process); that of validate
is the whole process, start included. The ratio says what share of the reading speed validating has.

    validate.py [--rounds 5] [--rules values] [--program .build/release/trajpack] [--work DIR]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Name: episodes, rows of each, columns of each of two channels.
DATASETS = {"long": (20, 30_000, (48, 16)), "short": (10_000, 200, (6, 6))}


def dataset(folder, name):
    out = folder / f"validate-{name}"
    if not (out / "manifest.json").exists():
        os.environ.setdefault("TRAJPACK_LIBRARY", str(ROOT / ".build/release/libtrajpack-c.so"))
        os.environ.setdefault("TRAJPACK_WRITE_LIBRARY", str(ROOT / ".build/release/libtrajpack-write.so"))
        sys.path.insert(0, str(ROOT / "tools/python/src"))
        import numpy as np
        import trajpack
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        episodes, rows, widths = DATASETS[name]
        with trajpack.create(out, rate=50) as writer:
            for number in range(episodes):
                with writer.episode(f"{number:05}") as episode:
                    episode.extend({"s": {c: np.cumsum(rng.normal(0, 0.02, (rows, w)), 0).astype(np.float32)
                                          for c, w in zip("xy", widths)}})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rules", default="values")
    parser.add_argument("--program", default=str(ROOT / ".build/release/trajpack"))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    options = parser.parse_args()
    for name in DATASETS:
        path = dataset(options.work, name)
        bench, whole = [], []
        for _ in range(options.rounds):
            done = subprocess.run([options.program, "bench", path, "--json", "--rounds", "3"], check=True,
                                  capture_output=True)
            bench.append(json.loads(done.stdout)["rows_s"])
            begin = time.perf_counter()
            subprocess.run([options.program, "validate", "-q", path, "--select", options.rules], check=True,
                           capture_output=True)
            whole.append(time.perf_counter() - begin)
        a, b = statistics.median(bench), statistics.median(whole)
        print(f"{name}: bench {a * 1e3:.0f} ms, validate {b * 1e3:.0f} ms: {a / b:.2f} of the speed")


if __name__ == "__main__":
    main()
