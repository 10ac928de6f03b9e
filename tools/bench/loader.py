#!/usr/bin/env python3
"""Measures windows a second of the loader against its peers, interleaved in one run, as ratios of medians.

The work is that of the issue: windows of 64 frames at a uniformly random start, all channels, in batches of 32 numpy
arrays, over the trajectories of data.py. Machines are shared, so wall time says little: `cpu` is processor time a window,
of all threads, and the last two columns are what counts.

    loader.py [--count 200] [--seconds 1.5] [--rounds 5] [--work DIR] [--only NAME,...] [--json]
"""

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import data      # noqa: E402
import native    # noqa: E402

ROOT = native.ROOT
WINDOW, BATCH, FRAMES = 64, 32, 1792
CHANNELS = ("state", "action", "skeleton", "camera")


def prepare(folder, count):
    """Writes the trajectories in every system's own form, once."""
    npz, done = folder / "npz", folder / f"prepared-{count}"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    npz.mkdir(parents=True)
    import h5py
    import hdf5plugin
    files = {name: h5py.File(folder / f"{name}.h5", "w") for name in ("users", "equal", "plain")}
    flat = {}
    for i, arrays in enumerate(data.trajectories(count, FRAMES)):
        np.savez(npz / f"trajectory_{i:06d}.npz", **arrays)
        for name, file in files.items():
            group = file.create_group(f"{i:06d}")
            for key, value in arrays.items():
                more = dict(hdf5plugin.Zstd(clevel=3), shuffle=True) if name != "plain" else {}
                if name == "users":
                    more["chunks"] = True
                if name == "equal":
                    more["chunks"] = (32, *value.shape[1:])
                group.create_dataset(key, data=value, **more)
        for key, value in arrays.items():
            if key not in flat:
                flat[key] = np.lib.format.open_memmap(folder / f"{key}.npy", "w+", value.dtype,
                                                      (count * FRAMES, *value.shape[1:]))
            flat[key][i * FRAMES:(i + 1) * FRAMES] = value
    for file in files.values():
        file.close()
    for codec in ("zstd", "none"):
        subprocess.run([ROOT / ".build/release/trajpack", "convert", npz, folder / f"trajpack-{codec}", "--codec", codec,
                        "--rate", "30", "--leading-axis", "time", "--quiet"], check=True)
    done.touch()


class Peer:
    """Something that makes batches of random windows; `order` is "any" or "sequence"."""

    def __init__(self, folder, count, order):
        self.folder, self.count, self.order = folder, count, order
        self.random, self.place = np.random.default_rng(1), 0
        self.open()

    def starts(self):
        per = FRAMES - WINDOW + 1
        if self.order == "any":
            return zip(self.random.integers(0, self.count, BATCH), self.random.integers(0, per, BATCH), strict=True)
        cuts = FRAMES // WINDOW
        numbers = np.arange(self.place, self.place + BATCH) % (self.count * cuts)
        self.place += BATCH
        return zip(numbers // cuts, numbers % cuts * WINDOW, strict=True)


class Trajpack(Peer):
    codec, options = "zstd", {}

    def open(self):
        order = {"shuffle": "global"} if self.order == "any" else {"shuffle": "none", "stride": WINDOW}
        self.loader = native.Loader(self.folder / f"trajpack-{self.codec}", length=WINDOW, batch=BATCH, **order,
                                    **self.options)

    def batch(self):
        return self.loader.next() or self.loader.next()


class TrajpackPlain(Trajpack):
    codec, options = "none", {"masks": False}


class TrajpackNoMasks(Trajpack):
    options = {"masks": False}


class H5py(Peer):
    file = "users"

    def open(self):
        import h5py
        import hdf5plugin   # noqa: F401
        self.h5 = h5py.File(self.folder / f"{self.file}.h5", "r")

    def batch(self):
        parts = {key: [] for key in CHANNELS}
        for episode, start in self.starts():
            group = self.h5[f"{episode:06d}"]
            for key in CHANNELS:
                parts[key].append(group[key][start:start + WINDOW])
        return {key: np.stack(value) for key, value in parts.items()}


class H5pyEqual(H5py):
    file = "equal"


class H5pyPlain(H5py):
    file = "plain"


class Memmap(Peer):
    def open(self):
        self.arrays = {key: np.load(self.folder / f"{key}.npy", mmap_mode="r") for key in CHANNELS}

    def batch(self):
        rows = [episode * FRAMES + start for episode, start in self.starts()]
        return {key: np.stack([self.arrays[key][r:r + WINDOW] for r in rows]) for key in CHANNELS}


class Npz(Peer):
    """A file a trajectory, opened for every window, as WildWorld's samples are."""

    def open(self):
        self.files = sorted((self.folder / "npz").glob("*.npz"))

    def batch(self):
        parts = {key: [] for key in CHANNELS}
        for episode, start in self.starts():
            with np.load(self.files[episode]) as file:
                for key in CHANNELS:
                    parts[key].append(file[key][start:start + WINDOW])
        return {key: np.stack(value) for key, value in parts.items()}


class TensorStore(Peer):
    """One Zarr 3 array a channel, chunks of 64 frames, zstd; windows of a batch are asked for together."""

    def open(self):
        import tensorstore as ts
        context = ts.Context({"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": {"limit": 2}})
        self.arrays = {}
        for key in CHANNELS:
            source = np.load(self.folder / f"{key}.npy", mmap_mode="r")
            path = self.folder / f"zarr-{key}"
            fresh = not path.exists()
            array = ts.open({
                "driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)},
                "metadata": {"shape": source.shape, "data_type": source.dtype.name,
                             "chunk_grid": {"name": "regular", "configuration": {
                                 "chunk_shape": [64, *source.shape[1:]]}},
                             "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                                        {"name": "zstd", "configuration": {"level": 3}}]}},
                create=fresh, open=True, context=context).result()
            for first in range(0, len(source) if fresh else 0, 64 * 256):
                part = source[first:first + 64 * 256]
                array[first:first + len(part)].write(part).result()
            self.arrays[key] = array

    def batch(self):
        rows = [episode * FRAMES + start for episode, start in self.starts()]
        waiting = {key: [self.arrays[key][r:r + WINDOW].read() for r in rows] for key in CHANNELS}
        return {key: np.stack([f.result() for f in futures]) for key, futures in waiting.items()}


class Lance(Peer):
    """A row a frame, fixed-size lists; a batch's rows are taken in one call."""

    def open(self):
        import lance
        import pyarrow as pa
        path = self.folder / "frames.lance"
        self.shapes = {}
        columns = {}
        for key in CHANNELS:
            source = np.load(self.folder / f"{key}.npy", mmap_mode="r")
            self.shapes[key] = source.shape[1:]
            columns[key] = source
        if not path.exists():
            def tables():
                for first in range(0, len(columns["state"]), 4096):
                    arrays = {}
                    for key, source in columns.items():
                        part = np.ascontiguousarray(source[first:first + 4096])
                        flat = pa.array(part.reshape(-1))
                        width = int(np.prod(part.shape[1:], dtype=int))
                        arrays[key] = pa.FixedSizeListArray.from_arrays(flat, width) if part.ndim > 1 else flat
                    yield pa.RecordBatch.from_pydict(arrays)
            batches = tables()
            head = next(batches)
            lance.write_dataset(pa.Table.from_batches([head]), str(path))
            for table in batches:
                lance.write_dataset(pa.Table.from_batches([table]), str(path), mode="append")
            lance.dataset(str(path)).optimize.compact_files()
        self.data = lance.dataset(str(path))

    def batch(self):
        rows = np.concatenate([np.arange(WINDOW) + e * FRAMES + s for e, s in self.starts()])
        table = self.data.take(rows.tolist()).combine_chunks()
        out = {}
        for key, shape in self.shapes.items():
            column = table[key].chunk(0)
            flat = column.flatten() if shape else column
            out[key] = flat.to_numpy(zero_copy_only=False).reshape(BATCH, WINDOW, *shape)
        return out


PEERS = {"trajpack": Trajpack, "trajpack, no masks": TrajpackNoMasks, "trajpack, uncompressed, no masks": TrajpackPlain,
         "h5py zstd, own chunks": H5py, "h5py zstd, 32 frames": H5pyEqual, "h5py uncompressed": H5pyPlain,
         "numpy memory map": Memmap, "npz a trajectory": Npz, "tensorstore (zarr 3 zstd)": TensorStore, "lance": Lance}


def measure(peer, seconds):
    """Windows a second, and processor microseconds a window."""
    begin, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        batch = peer.batch()
        count += len(next(iter(batch.values())))
    return count / (time.perf_counter() - begin), (time.process_time() - cpu) / count * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    prepare(options.work, options.count)
    names = [n for n in PEERS if not options.only or n in options.only.split(",")]
    for name, module in {"tensorstore (zarr 3 zstd)": "tensorstore", "lance": "lance"}.items():
        if name in names and importlib.util.find_spec(module) is None:
            print(f"{name}: not installed, left out", file=sys.stderr)
            names.remove(name)
    results = []
    for order in ("any", "sequence"):
        peers = {name: PEERS[name](options.work, options.count, order) for name in names}
        rates = {name: [] for name in names}
        costs = {name: [] for name in names}
        for peer in peers.values():
            peer.batch()
        for _ in range(options.rounds):
            for name, peer in peers.items():
                rate, cost = measure(peer, options.seconds)
                rates[name].append(rate)
                costs[name].append(cost)
        for name in names:
            results.append({"order": order, "system": name, "windows_per_second": statistics.median(rates[name]),
                            "cpu_us": statistics.median(costs[name])})
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for order in ("any", "sequence"):
        part = [r for r in results if r["order"] == order]
        print(f"\n{order:34} {'windows/s':>10} {'cpu us':>8} {'speed':>7} {'cpu':>7}   (trajpack / it)")
        for r in part:
            ours = next((x for x in part if x["system"] ==
                         ("trajpack, uncompressed, no masks" if r["system"] in ("numpy memory map", "h5py uncompressed")
                          else "trajpack")), r)
            print(f"{r['system']:34} {r['windows_per_second']:10.0f} {r['cpu_us']:8.1f} "
                  f"{ours['windows_per_second'] / r['windows_per_second']:7.1f} {r['cpu_us'] / ours['cpu_us']:7.1f}")


if __name__ == "__main__":
    main()
