"""Conversion of WildWorld samples (state and skeleton): trajpack against what people write by hand.

    python tools/bench/convert.py [--samples 8] [--frames 1800] [--rounds 7]

The peers read `state.csv` with pandas or polars, turn tuple cells into columns, load `skeleton.npz` with
numpy and write everything with h5py, shuffle and zstd (hdf5plugin), as their users do: one group a
sample, chunks of 64 rows. trajpack also gathers statistics, checks, journals and fsyncs. All run whole
processes on the same samples in turn; the ratio of medians is printed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

PEER = r'''
import sys, os, numpy as np, h5py, hdf5plugin
kind, source, target = sys.argv[1:4]
zstd = dict(hdf5plugin.Zstd(clevel=3), shuffle=True)
def write(group, name, array):
    group.create_dataset(name, data=array, chunks=(min(64, len(array)),) + array.shape[1:], **zstd)
def pandas_state(path, group):
    import pandas as pd
    frame = pd.read_csv(path)
    numbers, names = [], []
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "if":
            numbers.append(column.to_numpy(np.float64)[:, None])
        elif str(column.iloc[0]).startswith("("):
            parts = column.str.strip("()").str.split(", ", expand=True).astype(np.float64)
            numbers.append(parts.to_numpy())
        else:
            codes, uniques = pd.factorize(column)
            numbers.append(codes.astype(np.float64)[:, None])
            group.attrs[name] = [str(u) for u in uniques]
        names.append((name, numbers[-1].shape[1]))
    write(group, "state", np.concatenate(numbers, axis=1))
    group.attrs["columns"] = repr(names)
def polars_state(path, group):
    import polars as pl
    frame = pl.read_csv(path, infer_schema_length=None, null_values=["nan"])
    numbers, names = [], []
    for name in frame.columns:
        column = frame[name]
        if column.dtype.is_numeric():
            numbers.append(column.cast(pl.Float64).to_numpy()[:, None])
        elif column.dtype == pl.String and str(column[0]).startswith("("):
            width = column[0].count(",") + 1
            parts = column.str.strip_chars("()").str.split(", ").cast(pl.List(pl.Float64)).list.to_array(width)
            numbers.append(parts.to_numpy())
        else:
            numbers.append(column.cast(pl.Categorical).to_physical().cast(pl.Float64).to_numpy()[:, None])
        names.append((name, numbers[-1].shape[1]))
    write(group, "state", np.concatenate(numbers, axis=1))
    group.attrs["columns"] = repr(names)
with h5py.File(target, "w") as out:
    for sample in sorted(os.listdir(source)):
        folder = os.path.join(source, sample)
        if not os.path.isdir(folder):
            continue
        group = out.create_group(sample)
        (pandas_state if kind == "pandas" else polars_state)(os.path.join(folder, "state.csv"), group)
        with np.load(os.path.join(folder, "skeleton.npz")) as arrays:
            for name in arrays:
                write(group, name, arrays[name])
'''


def run(command):
    start = time.perf_counter()
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--source", help="a data_part folder instead of generated samples")
    arguments = parser.parse_args()
    binary = os.path.join(ROOT, ".build/release/trajpack")
    with tempfile.TemporaryDirectory() as folder:
        source = arguments.source
        if not source:
            subprocess.run(
                [sys.executable, os.path.join(ROOT, "fixtures/make_wildworld.py"), "--out", folder + "/in",
                 "--samples", str(arguments.samples), "--frames", str(arguments.frames), "--no-video"],
                check=True, stdout=subprocess.DEVNULL)
            source = folder + "/in/data_part1"
        size = sum(
            os.path.getsize(os.path.join(base, name))
            for base, _, names in os.walk(source) for name in names
            if name.endswith((".csv", ".npz")))
        peer = os.path.join(folder, "peer.py")
        with open(peer, "w") as file:
            file.write(PEER)
        outputs = {name: os.path.join(folder, name) for name in ("trajpack", "pandas.h5", "polars.h5")}
        commands = {
            "trajpack": [binary, "convert", source, outputs["trajpack"], "--video", "link", "-q"],
            "pandas + h5py": [sys.executable, peer, "pandas", source, outputs["pandas.h5"]],
            "polars + h5py": [sys.executable, peer, "polars", source, outputs["polars.h5"]],
        }
        times = {name: [] for name in commands}
        cpus = {name: [] for name in commands}
        for round in range(arguments.rounds + 1):
            for name, command in commands.items():
                shutil.rmtree(outputs["trajpack"], ignore_errors=True)
                wall, cpu = run(command)
                if round > 0:  # the first warms the page cache
                    times[name].append(wall)
                    cpus[name].append(cpu)
        subprocess.run(commands["trajpack"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) \
            if not os.path.isdir(outputs["trajpack"]) else None
        sizes = {
            "trajpack": sum(os.path.getsize(os.path.join(outputs["trajpack"], n)) for n in os.listdir(outputs["trajpack"]) if n.endswith(".h5")),
            "pandas + h5py": os.path.getsize(outputs["pandas.h5"]),
            "polars + h5py": os.path.getsize(outputs["polars.h5"]),
        }
        print(f"source {size / 1e6:.1f} MB, {arguments.rounds} rounds, interleaved")
        ours = statistics.median(times["trajpack"])
        for name in commands:
            wall = statistics.median(times[name])
            cpu = statistics.median(cpus[name])
            print(f"{name:15} {wall * 1e3:8.0f} ms  {size / wall / 1e6:7.1f} MB/s  cpu {100 * cpu / wall:4.0f} %  "
                  f"size {100 * sizes[name] / size:5.1f} %  trajpack's time is {ours / wall:5.3f} of it")


if __name__ == "__main__":
    main()
