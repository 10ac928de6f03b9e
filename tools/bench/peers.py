"""The systems that tools/bench/loader.py compares: each makes finished batches of numpy arrays, as its users would.

Orders: "any" windows begin anywhere; "clips" are cut beforehand and shuffled; "sequence" are clips in order.
"""

import os
import sys

import forms
import numpy as np
from forms import BATCH, CHANNELS, CUTS, FRAMES, WINDOW

sys.path.insert(0, str(forms.ROOT / "tools/python/src"))
os.environ.setdefault("TRAJPACK_LIBRARY", str(forms.ROOT / ".build/release/libtrajpack-c.so"))


class Peer:
    """Makes batches in one order. `needs` are modules, `orders` what it can do."""

    needs, orders = (), ("any", "sequence")

    def __init__(self, folder, count, order):
        self.folder, self.count, self.order = folder, count, order
        self.random, self.place = np.random.default_rng(1), 0
        self.cuts = np.random.default_rng(2).permutation(count * CUTS)
        self.open()

    def starts(self):
        """Episode and first frame of each window of the next batch."""
        if self.order == "any":
            return list(zip(self.random.integers(0, self.count, BATCH).tolist(),
                            self.random.integers(0, FRAMES - WINDOW + 1, BATCH).tolist(), strict=True))
        numbers = np.arange(self.place, self.place + BATCH) % len(self.cuts)
        self.place += BATCH
        if self.order == "clips":
            numbers = self.cuts[numbers]
        return [(n // CUTS, n % CUTS * WINDOW) for n in numbers.tolist()]

    def batch(self):
        return stacked(self.window(episode, start) for episode, start in self.starts())


def stacked(windows):
    """One array a channel out of dictionaries of arrays."""
    windows = list(windows)
    return {key: np.stack([w[key] for w in windows]) for key in CHANNELS}


class Trajpack(Peer):
    form, options, orders = "trajpack", {"masks": False}, ("any", "clips", "sequence")

    def open(self):
        import trajpack
        order = {"shuffle": self.order != "sequence", "stride": 1 if self.order == "any" else WINDOW}
        data = trajpack.open(getattr(forms, self.form)(self.folder, self.count) / "data")
        self.loader = data.windows(length=WINDOW, batch=BATCH, **{**order, **self.options})

    def batch(self):
        batch = self.loader.next() or self.loader.next()
        return {key: batch[key] for key in batch}


class TrajpackPlain(Trajpack):
    form = "trajpack_plain"


class TrajpackZstd(Trajpack):
    form = "trajpack_zstd"


class TrajpackMasks(Trajpack):
    options = {}


class TrajpackPlainMasks(Trajpack):
    form, options = "trajpack_plain", {}


class H5py(Peer):
    needs, form = ("h5py", "hdf5plugin"), "h5_own_chunks"

    def open(self):
        import h5py
        import hdf5plugin   # noqa: F401
        self.h5 = h5py.File(getattr(forms, self.form)(self.folder, self.count) / "data.h5", "r")

    def window(self, episode, start):
        group = self.h5[f"{episode:06d}"]
        return {key: group[key][start:start + WINDOW] for key in CHANNELS}


class H5pyEqual(H5py):
    form = "h5_equal_chunks"


class H5pyPlain(H5py):
    form = "h5_plain"


class Memmap(Peer):
    def open(self):
        self.arrays = forms.flat(self.folder, self.count)

    def window(self, episode, start):
        row = episode * FRAMES + start
        return {key: array[row:row + WINDOW] for key, array in self.arrays.items()}


class WildWorld(Peer):
    """CSV and npz of an episode, opened for every window."""

    needs = ("pandas",)

    def open(self):
        self.where = forms.wildworld(self.folder, self.count)

    def window(self, episode, start):
        import pandas as pd
        folder, rows = self.where / f"{episode:06d}", slice(start, start + WINDOW)
        table = pd.read_csv(folder / "state.csv", skiprows=range(1, start + 1), nrows=WINDOW)
        out = {"state": table.iloc[:, :-1].to_numpy(np.float32), "action": table["action"].to_numpy(np.int32)}
        for key in ("skeleton", "camera"):
            with np.load(folder / f"{key}.npz") as file:
                out[key] = file[key][rows]
        return out


class TensorStore(Peer):
    """One Zarr 3 array a channel, chunks of 64 frames, zstd; windows of a batch are asked for together."""

    needs = ("tensorstore",)

    def open(self):
        import tensorstore as ts
        where = forms.zarr(self.folder, self.count)
        context = ts.Context({"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": {"limit": 2}})
        self.arrays = {key: ts.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(where / key)}},
                                    open=True, context=context).result() for key in CHANNELS}

    def batch(self):
        rows = [episode * FRAMES + start for episode, start in self.starts()]
        waiting = {key: [array[r:r + WINDOW].read() for r in rows] for key, array in self.arrays.items()}
        return {key: np.stack([f.result() for f in futures]) for key, futures in waiting.items()}


class Lance(Peer):
    """A row a frame; the rows of a batch are taken in one call."""

    needs = ("lance",)

    def open(self):
        import lance
        self.shapes = {key: array.shape[1:] for key, array in forms.flat(self.folder, self.count).items()}
        self.data = lance.dataset(str(forms.lance(self.folder, self.count) / "frames.lance"))

    def batch(self):
        rows = np.concatenate([np.arange(WINDOW) + e * FRAMES + s for e, s in self.starts()])
        table = self.data.take(rows).combine_chunks()
        out = {}
        for key, shape in self.shapes.items():
            column = table[key].chunk(0)
            values = column.flatten() if shape else column
            out[key] = values.to_numpy(zero_copy_only=False).reshape(BATCH, WINDOW, *shape)
        return out


class Clips(Peer):
    """Reads records of 64 frames; a window that begins anywhere lies in two of them."""

    orders = ("any", "clips", "sequence")

    def window(self, episode, start):
        first = episode * CUTS + start // WINDOW
        skip = start % WINDOW
        a = self.clip(first)
        if not skip:
            return a
        b = self.clip(first + 1)
        return {key: np.concatenate((a[key][skip:], b[key][:skip])) for key in CHANNELS}


class Mds(Clips):
    """StreamingDataset of local shards: by number for any order, by its own shuffle for clips."""

    needs = ("streaming",)

    def open(self):
        import streaming
        streaming.base.util.clean_stale_shared_memory()
        where = str(forms.mds(self.folder, self.count) / "clips")
        self.data = streaming.StreamingDataset(local=where, shuffle=self.order == "clips", batch_size=BATCH)
        self.clip = self.data.__getitem__
        self.each = None

    def batch(self):
        if self.order == "any":
            return super().batch()
        out = []
        while len(out) < BATCH:
            self.each = self.each or iter(self.data)
            sample = next(self.each, None)
            if sample is None:
                self.each = None
            else:
                out.append(sample)
        return stacked(out)


class Grain(Clips):
    """ArrayRecord behind Grain's MapDataset, with its threads reading ahead."""

    needs = ("grain", "array_record")

    def open(self):
        import grain
        path = str(forms.array_record(self.folder, self.count) / "clips.array_record")
        self.source = grain.sources.ArrayRecordDataSource(path)
        self.kinds = {key: (a.dtype, a.shape[1:]) for key, a in forms.flat(self.folder, self.count).items()}
        data = grain.MapDataset.source(self.source).seed(1)
        if self.order == "clips":
            data = data.shuffle()
        data = data.map(self.parsed).repeat()
        self.each = iter(data.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=128))
                         .batch(BATCH, drop_remainder=True))

    def parsed(self, record):
        at, out = 0, {}
        for key, (dtype, shape) in self.kinds.items():
            array = np.frombuffer(record, dtype, WINDOW * int(np.prod(shape, dtype=int)), at)
            out[key] = array.reshape(WINDOW, *shape)
            at += array.nbytes
        return out

    def clip(self, number):
        return self.parsed(self.source[number])

    def batch(self):
        return super().batch() if self.order == "any" else next(self.each)


class WebDataset(Peer):
    """Tar shards through a shuffle buffer of 1,000 clips."""

    needs, orders = ("webdataset",), ("clips", "sequence")

    def open(self):
        import webdataset as wds
        shards = sorted(str(p) for p in forms.webdataset(self.folder, self.count).glob("*.tar"))
        shuffled = self.order == "clips"
        data = wds.WebDataset(shards, shardshuffle=len(shards) if shuffled else False, seed=1)
        data = (data.shuffle(1000) if shuffled else data).decode()
        self.each = iter(data.repeat())

    def batch(self):
        return stacked({key: sample[f"{key}.npy"] for key in CHANNELS} for sample in
                       (next(self.each) for _ in range(BATCH)))


class LeRobot(Peer):
    """LeRobotDataset with delta_timestamps, by number."""

    needs, orders = ("lerobot",), ("any",)

    def open(self):
        from lerobot.datasets.lerobot_dataset import LeRobotDataset
        steps = [n / 30 for n in range(WINDOW)]
        self.count = min(self.count, 4)
        self.data = LeRobotDataset("bench/clips", root=forms.lerobot(self.folder, self.count) / "data",
                                   delta_timestamps={key: steps for key in CHANNELS})

    def window(self, episode, start):
        item = self.data[episode * FRAMES + start]
        return {key: item[key].numpy() for key in CHANNELS}


def variants(kind, name):
    """The loader as it is, and with each choice of how chunks are read and when they are checked."""
    out = {name: kind}
    for verify, mmap in (("first", False), ("never", False), ("always", True), ("first", True)):
        options = {"verify": verify, **({"mmap": True} if mmap else {})}
        title = f"{name}{' mmap' if mmap else ''} {verify}"
        out[title] = type(title, (kind,), {"options": {**kind.options, **options}})
    return out


PEERS = {**variants(Trajpack, "trajpack"), "trajpack + masks": TrajpackMasks, "trajpack zstd": TrajpackZstd,
         **variants(TrajpackPlain, "trajpack uncompressed"),
         "trajpack uncompressed + masks": TrajpackPlainMasks, "h5py zstd own chunks": H5py,
         "h5py zstd 32 frames": H5pyEqual, "h5py uncompressed": H5pyPlain, "numpy memory map": Memmap,
         "csv + npz": WildWorld, "tensorstore zarr3 zstd": TensorStore, "lance": Lance,
         "mosaicml mds": Mds, "grain + array_record": Grain, "webdataset": WebDataset, "lerobot": LeRobot}
