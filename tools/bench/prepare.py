#!/usr/bin/env python3
"""The commands embed and mask against numpy + h5py doing the same. Rounds take turns.

The peer reads the channels from our shard with h5py (hdf5plugin for the codec), computes with numpy, and writes a file
with one dataset a dataset of ours: the same type, chunks, codec and level, from the creation properties of ours. It
gathers no statistics and checks no checksums. Both run as whole processes; wall and processor time count, and both
end with an fsync of the file and of its folder.

    prepare.py [--rows 900000] [--channels 32] [--rounds 5] [--folder DIR] [--binary .build/release] [case ...]
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WANTED = 3.0
TAU, DIMENSION = 3, 10
CASES = {
    "embed": ["embed", "--tau", str(TAU), "--dimension", str(DIMENSION)],
    "mask entries": ["mask", "--mechanism", "entries", "--amount", "0.1", "--seed", "1"],
    "mask rows": ["mask", "--mechanism", "rows", "--amount", "0.1", "--seed", "1"],
}


def blocks(file):
    """The datasets of rows of a shard, by path."""
    import h5py
    found = {}
    file["streams"].visititems(
        lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def peer(case, source, model, out):
    """The same with numpy and h5py; run as a process of its own: prepare.py --peer CASE SOURCE MODEL OUT."""
    import h5py
    import hdf5plugin  # noqa: F401
    rng = np.random.default_rng(1)
    with h5py.File(source, "r") as file, h5py.File(model, "r") as like, h5py.File(out, "w") as made:
        rows = {name: item[...] for name, item in blocks(file).items()}
        if case == "embed":
            series = np.concatenate([x if x.ndim > 1 else x[:, None] for x in rows.values()], axis=1)
            count = len(series) - TAU * (DIMENSION - 1)
            vectors = [np.stack([series[k * TAU:k * TAU + count, c] for k in range(DIMENSION)], axis=1)
                       for c in range(series.shape[1])]
            rows = laid_out(np.concatenate(vectors, axis=1), blocks(like))
        elif case == "mask entries":
            for values in rows.values():
                values[rng.random(values.shape) < 0.1] = np.nan
        else:
            count = len(next(iter(rows.values())))
            gone = rng.choice(count, count // 10, replace=False)
            for values in rows.values():
                values[gone] = np.nan
        for name, item in blocks(like).items():
            if name not in rows:
                raise SystemExit(f"prepare.py: the peer has no rows of '{name}'")
            made.require_group(str(Path(name).parent))
            dataset = h5py.h5d.create(made.id, name.encode(), item.id.get_type(), item.id.get_space(),
                                      item.id.get_create_plist())
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(rows[name]), item.id.get_type())
    for path in (out, str(Path(out).parent)):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def laid_out(columns, like):
    """Columns side by side as the datasets of ours have them, one after the other."""
    out, at = {}, 0
    for name, item in like.items():
        shape = item.id.get_type().dtype.shape or item.shape[1:]
        width = int(np.prod(shape, dtype=int))
        out[name] = columns[:, at:at + width].reshape((len(columns), *shape)).astype(item.dtype.base)
        at += width
    return out


def timed(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--peer":
        return peer(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--binary", default=str(Path(__file__).resolve().parents[2] / ".build/release"))
    options = parser.parse_args()
    binary = f"{options.binary}/trajpack"
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rng = np.random.default_rng(0)
        members = {f"x{c}": rng.normal(size=options.rows).cumsum().astype(np.float32)
                   for c in range(options.channels)}
        np.savez(f"{folder}/all.npz", **members)
        subprocess.run([binary, "convert", f"{folder}/all.npz", f"{folder}/ds", "--rate", "1000"], check=True,
                       stdout=subprocess.DEVNULL)
        [source] = Path(folder, "ds").glob("shard-*.h5")
        print(f"{options.rows} rows of {options.channels} float32 channels, {source.stat().st_size >> 20} MiB, "
              f"wanted: at most {WANTED:g} times the peer")
        for case in options.cases:
            name, *words = CASES[case]
            ours = [binary, name, f"{folder}/ds", f"{folder}/out", *words]
            subprocess.run(ours, check=True, stdout=subprocess.DEVNULL)
            [model] = Path(folder, "out").glob("shard-*.h5")
            model = shutil.move(model, f"{folder}/model.h5")
            times = {"ours": [], "peer": []}
            for _ in range(options.rounds):
                shutil.rmtree(f"{folder}/out")
                os.sync()
                times["ours"].append(timed(ours))
                Path(folder, "peer.h5").unlink(missing_ok=True)
                os.sync()
                times["peer"].append(timed([sys.executable, __file__, "--peer", case, str(source), str(model),
                                            f"{folder}/peer.h5"]))
            wall, cpu = zip(*[[statistics.median(c) for c in zip(*t, strict=True)] for t in times.values()],
                            strict=True)
            sizes = [sum(p.stat().st_size for p in Path(folder, "out").glob("shard-*.h5")),
                     Path(folder, "peer.h5").stat().st_size]
            shutil.rmtree(f"{folder}/out")
            print(f"{case:14s} wall {wall[0]:7.2f} s to {wall[1]:7.2f} s ({wall[0] / wall[1]:5.2f} x)   CPU {cpu[0]:7.2f} s "
                  f"to {cpu[1]:7.2f} s ({cpu[0] / cpu[1]:5.2f} x)   {sizes[0] >> 20} to {sizes[1] >> 20} MiB", flush=True)


if __name__ == "__main__":
    main()
