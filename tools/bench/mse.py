#!/usr/bin/env python3
"""forecast.mse against numpy on one thread: arrays in memory, and from files. Calls take turns; ratios of medians.

In memory: trajpack.evaluate.score against np.mean((a - b) ** 2). From files: `trajpack evaluate` of a dataset against an
npz file, a whole process, against the time to read both (h5py with the dataset's codec, np.load) plus numpy's mean, once
with and once without the start of its own process.

    mse.py [--values 1600000 19200000] [--rounds 7] [--folder DIR] [--binary .build/release]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
import numpy as np  # noqa: E402

HERE = Path(__file__).resolve().parent
WANTED = 2.0
PEER = """
import sys, time, resource
import h5py, hdf5plugin, numpy as np
w, c = time.perf_counter(), time.process_time()
with h5py.File(sys.argv[1]) as file:
    found = []
    file["streams"].visititems(lambda n, d: found.append(d) if isinstance(d, h5py.Dataset) else None)
    a = np.concatenate([d[...].reshape(d.shape[0], -1) for d in found], axis=1)
b = np.load(sys.argv[2])["prediction"]
np.mean((a - b) ** 2)
print(time.perf_counter() - w, time.process_time() - c)
"""


def ratio(name, times):
    (ours, peer) = ([statistics.median(column) for column in zip(*t, strict=True)] for t in times)
    print(f"{name:34s} wall {1e3 * ours[0]:9.2f} ms to {1e3 * peer[0]:9.2f} ms ({ours[0] / peer[0]:5.2f} x)   "
          f"CPU {1e3 * ours[1]:9.2f} ms to {1e3 * peer[1]:9.2f} ms ({ours[1] / peer[1]:5.2f} x)", flush=True)


def clocked(call):
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def process(command):
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.perf_counter() - wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, nargs="+", default=[100_000, 1_600_000, 19_200_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--binary", default=str(HERE.parents[1] / ".build/release"))
    options = parser.parse_args()
    os.environ["TRAJPACK_LIBRARY"] = f"{options.binary}/libtrajpack-c.so"
    sys.path.insert(0, str(HERE.parent / "python" / "src"))
    from trajpack import evaluate
    rng = np.random.default_rng(0)
    print(f"wanted: at most {WANTED:g} times the peer")
    for kind in (np.float64, np.float32):
        for count in options.values:
            a = rng.normal(size=(count // 8, 8)).astype(kind)
            b = (a + .1).astype(kind)
            times = [[], []]
            for _ in range(options.rounds):
                times[0].append(clocked(lambda: evaluate.score("forecast.mse", truth=a, prediction=b)))
                times[1].append(clocked(lambda: np.mean((a - b) ** 2)))
            ratio(f"in memory, {np.dtype(kind).name} {count}", times)
    for kind in (np.float64, np.float32):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            count = max(options.values)
            a = rng.normal(size=(count // 8, 8)).astype(kind)
            np.save(f"{folder}/a.npy", a)
            os.mkdir(f"{folder}/made")
            np.savez(f"{folder}/made/a.npz", prediction=a + .1)
            process([f"{options.binary}/trajpack", "convert", f"{folder}/a.npy", f"{folder}/ds"])
            [shard] = Path(folder, "ds").glob("shard-*.h5")
            whole, inner = [[], []], [[], []]
            for _ in range(options.rounds):
                ours = process([f"{options.binary}/trajpack", "evaluate", f"{folder}/ds", f"{folder}/made", "--metric",
                                "forecast.mse"])[0]
                theirs, said = process([sys.executable, "-c", PEER, shard, f"{folder}/made/a.npz"])
                for times, peer in ((whole, theirs), (inner, tuple(map(float, said.split())))):
                    times[0].append(ours)
                    times[1].append(peer)
            ratio(f"files, {np.dtype(kind).name} {count}, processes", whole)
            ratio(f"files, {np.dtype(kind).name} {count}, without start", inner)


if __name__ == "__main__":
    main()
