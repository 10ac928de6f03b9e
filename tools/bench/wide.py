#!/usr/bin/env python3
"""Evaluating and loading wide tables: processor time a column, which must not grow with the number of columns.

For each width, tables of the same rows: `trajpack evaluate` of one against another (forecast.mse, state.alignment), and
the loader's windows of all columns (opening and all batches of one epoch). Widths take turns. Each is a process of its
own; what a start costs (of a table of one column) is taken off.

    wide.py [--columns 2500 5000 10000 20000] [--rows 128] [--rounds 3] [--folder DIR] [--binary .build/release]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
LOAD = """
import sys, trajpack
ds = trajpack.open(sys.argv[1])
loader = ds.windows(length=16, stride=16, batch=4, shuffle="none", threads=1)
for batch in loader:
    sum(float(batch[name].flat[0]) for name in batch)
"""


def cpu(command, **options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, nargs="+", default=[2500, 5000, 10000, 20000])
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--binary", default=str(HERE.parents[1] / ".build/release"))
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "python" / "src"),
                   "TRAJPACK_LIBRARY": f"{options.binary}/libtrajpack-c.so"}
    tool = f"{options.binary}/trajpack"
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rng = np.random.default_rng(0)
        for columns in (1, *options.columns):
            for name in ("truth", "model"):
                Path(folder, f"{name}{columns}").mkdir()
                with open(f"{folder}/{name}{columns}/table.csv", "w") as file:
                    file.write("step," + ",".join(f"c{i}" for i in range(columns)) + "\n")
                    for row in range(options.rows):
                        file.write(f"{row}," + ",".join(f"{v:.3f}" for v in rng.normal(size=columns)) + "\n")
                subprocess.run([tool, "convert", f"{folder}/{name}{columns}/table.csv", f"{folder}/{name}{columns}.ds"],
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def evaluate(metric):
            return lambda n: cpu([tool, "evaluate", f"{folder}/truth{n}.ds", f"{folder}/model{n}.ds", "--metric", metric,
                                  "--format", "json"])

        cases = {"evaluate forecast.mse": evaluate("forecast.mse"), "evaluate state.alignment": evaluate("state.alignment"),
                 "windows": lambda n: cpu([sys.executable, "-c", LOAD, f"{folder}/truth{n}.ds"], env=environment)}
        for name, run in cases.items():
            times = {n: [] for n in (1, *options.columns)}
            for _ in range(options.rounds):
                for n, seconds in times.items():
                    seconds.append(run(n))
            base = statistics.median(times.pop(1))
            costs = {n: (statistics.median(t) - base) / n * 1e6 for n, t in times.items()}
            first = next(iter(costs.values()))
            print(f"{name:26s}" + "  ".join(f"{n} columns: {c:7.1f} µs each ({c / first:4.2f} x)" for n, c in costs.items()),
                  flush=True)


if __name__ == "__main__":
    main()
