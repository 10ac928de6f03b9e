#!/usr/bin/env python3
"""Ray: rows a second of trajpack.ray.read_windows and of ray.data.range_tensor with tensors of the same size, in turn.

    .venv-engines/bin/python tools/bench/ray_windows.py [--rounds 5] [--windows 20000] [--cpus 2] [--codec lz4]

Both go through iter_batches(batch_size=256, batch_format="numpy"); what range_tensor gives is made of numbers and read
from nowhere, so a ratio of 1 means that reading, checking and inflating hide behind what Ray itself does.
"""
import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
os.environ["PYTHONPATH"] = str(ROOT / "tools" / "python" / "src")
for name, file in (("TRAJPACK_LIBRARY", "libtrajpack-c.so"), ("TRAJPACK_WRITE_LIBRARY", "libtrajpack-write.so")):
    os.environ.setdefault(name, str(ROOT / ".build" / "release" / file))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np  # noqa: E402
import ray  # noqa: E402

import trajpack  # noqa: E402
import trajpack.ray  # noqa: E402

LENGTH, WIDTH, STRIDE = 64, 32, 16


def dataset(folder, windows, codec):
    """Walks of float64 with four decimals, as sensors have them."""
    rng = np.random.default_rng(0)
    rows = windows * STRIDE // 40 + LENGTH
    with trajpack.create(folder, rate=30, codec=codec) as writer:
        for k in range(40):
            q = np.cumsum(rng.normal(size=(rows, WIDTH)), 0).round(2)
            writer.append(f"{k:06d}", q=q)
    return folder


def seconds(data, count):
    began = time.perf_counter()
    rows = sum(len(next(iter(b.values()))) for b in data.iter_batches(batch_size=256, batch_format="numpy"))
    taken = time.perf_counter() - began
    assert rows == count, (rows, count)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--codec", default="lz4")
    given = parser.parse_args()
    ray.init(num_cpus=given.cpus, include_dashboard=False, log_to_driver=False, logging_level="error",
             object_store_memory=3 << 30)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    with tempfile.TemporaryDirectory() as scratch:
        path = dataset(f"{scratch}/walks", given.windows, given.codec)
        options = {"channels": ["frames/q"], "length": LENGTH, "stride": STRIDE, "masks": False}
        count = trajpack.open(path).windows(**options).windows
        size = count * LENGTH * WIDTH * 8
        ours, theirs = [], []
        for number in range(given.rounds + 1):
            a = seconds(trajpack.ray.read_windows(path, **options), count)
            b = seconds(ray.data.range_tensor(count, shape=(LENGTH, WIDTH)), count)
            if number:                      # the first starts the workers
                ours.append(a)
                theirs.append(b)
            print(f"round {number}: read_windows {count / a:,.0f} windows/s ({size / a / 1e6:,.0f} MB/s), "
                  f"range_tensor {count / b:,.0f} ({size / b / 1e6:,.0f} MB/s)", flush=True)
        ratio = statistics.median(theirs) / statistics.median(ours)
        print(f"{count} windows of {LENGTH} x {WIDTH} float64, {given.cpus} processors, codec {given.codec}: "
              f"read_windows {statistics.median(ours):.2f} s, range_tensor {statistics.median(theirs):.2f} s: "
              f"ratio {ratio:.2f}")
    ray.shutdown()


if __name__ == "__main__":
    main()
