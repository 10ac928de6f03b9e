"""Writes the trajectories of data.py in the form of each system, once a folder, as its documentation recommends."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import data

ROOT = Path(__file__).resolve().parents[2]
WINDOW, BATCH, FRAMES = 64, 32, 1792
CHANNELS = ("state", "action", "skeleton", "camera")
CUTS = FRAMES // WINDOW


def once(make):
    """A form is written beside its place and renamed, so that a half-written one is never measured."""
    def writer(folder, count):
        out = folder / make.__name__
        if not out.exists():
            print(f"writing {out}", file=sys.stderr)
            part = folder / f"{make.__name__}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            make(part, folder, count)
            part.rename(out)
        return out
    return writer


def clips(folder, count):
    """Every 64-frame clip of the trajectories, in order, as {name: array}."""
    arrays = flat(folder, count)
    for row in range(0, count * FRAMES, WINDOW):
        yield {key: np.ascontiguousarray(arrays[key][row:row + WINDOW]) for key in CHANNELS}


def flat(folder, count):
    """All trajectories one after the other: {name: memory map}."""
    where = npy(folder, count)
    return {key: np.load(where / f"{key}.npy", mmap_mode="r") for key in CHANNELS}


@once
def npy(out, _folder, count):
    arrays = {}
    for i, trajectory in enumerate(data.trajectories(count, FRAMES)):
        for key, value in trajectory.items():
            if key not in arrays:
                arrays[key] = np.lib.format.open_memmap(out / f"{key}.npy", "w+", value.dtype,
                                                        (count * FRAMES, *value.shape[1:]))
            arrays[key][i * FRAMES:(i + 1) * FRAMES] = value


@once
def npz(out, folder, count):
    arrays = flat(folder, count)
    for i in range(count):
        rows = slice(i * FRAMES, (i + 1) * FRAMES)
        np.savez(out / f"trajectory_{i:06d}.npz", **{key: arrays[key][rows] for key in CHANNELS})


def convert(out, folder, count, *options):
    subprocess.run([ROOT / ".build/release/trajpack", "convert", npz(folder, count), out / "data", *options,
                    "--rate", "30", "--leading-axis", "time", "--quiet"], check=True)


@once
def trajpack(out, folder, count):
    convert(out, folder, count)


@once
def trajpack_zstd(out, folder, count):
    convert(out, folder, count, "--codec", "zstd")


@once
def trajpack_plain(out, folder, count):
    convert(out, folder, count, "--codec", "none")


def h5(out, folder, count, **options):
    import h5py
    arrays = flat(folder, count)
    with h5py.File(out / "data.h5", "w") as file:
        for i in range(count):
            for key in CHANNELS:
                value = arrays[key][i * FRAMES:(i + 1) * FRAMES]
                more = {k: (v(value) if callable(v) else v) for k, v in options.items()}
                file.create_dataset(f"{i:06d}/{key}", data=value, **more)


def zstd():
    import hdf5plugin
    return dict(hdf5plugin.Zstd(clevel=3), shuffle=True)


@once
def h5_own_chunks(out, folder, count):
    h5(out, folder, count, chunks=True, **zstd())


@once
def h5_equal_chunks(out, folder, count):
    h5(out, folder, count, chunks=lambda value: (32, *value.shape[1:]), **zstd())


@once
def h5_plain(out, folder, count):
    h5(out, folder, count)


@once
def wildworld(out, folder, count):
    """A folder an episode as WildWorld has it: what is narrow as text, what is wide as npz."""
    import pandas as pd
    arrays = flat(folder, count)
    for i in range(count):
        rows = slice(i * FRAMES, (i + 1) * FRAMES)
        where = out / f"{i:06d}"
        where.mkdir()
        table = {f"state_{n}": arrays["state"][rows, n] for n in range(arrays["state"].shape[1])}
        pd.DataFrame({**table, "action": arrays["action"][rows]}).to_csv(where / "state.csv", index=False)
        np.savez(where / "skeleton.npz", skeleton=arrays["skeleton"][rows])
        np.savez(where / "camera.npz", camera=arrays["camera"][rows])


@once
def zarr(out, folder, count):
    import tensorstore as ts
    arrays = flat(folder, count)
    for key in CHANNELS:
        array = ts.open({
            "driver": "zarr3", "kvstore": {"driver": "file", "path": str(out / key)},
            "metadata": {"shape": arrays[key].shape, "data_type": arrays[key].dtype.name,
                         "chunk_grid": {"name": "regular", "configuration": {
                             "chunk_shape": [64, *arrays[key].shape[1:]]}},
                         "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                                    {"name": "zstd", "configuration": {"level": 3}}]}}, create=True).result()
        for first in range(0, len(arrays[key]), 64 * 256):
            part = arrays[key][first:first + 64 * 256]
            array[first:first + len(part)].write(part).result()


@once
def lance(out, folder, count):
    """A row a frame, fixed-size lists."""
    import lance
    import pyarrow as pa
    arrays = flat(folder, count)

    def tables():
        for first in range(0, count * FRAMES, 4096):
            columns = {}
            for key in CHANNELS:
                part = np.ascontiguousarray(arrays[key][first:first + 4096])
                values = pa.array(part.reshape(-1))
                width = part[0].size
                columns[key] = pa.FixedSizeListArray.from_arrays(values, width) if part.ndim > 1 else values
            yield pa.RecordBatch.from_pydict(columns)

    batches = tables()
    head = next(batches)
    lance.write_dataset(pa.RecordBatchReader.from_batches(head.schema, (b for b in (head, *batches))),
                        str(out / "frames.lance"))


@once
def mds(out, folder, count):
    from streaming import MDSWriter
    columns = {key: f"ndarray:{value.dtype.name}:" + ",".join(map(str, (WINDOW, *value.shape[1:])))
               for key, value in flat(folder, count).items()}
    with MDSWriter(out=str(out / "clips"), columns=columns) as writer:
        for clip in clips(folder, count):
            writer.write(clip)


def packed(clip):
    """A clip as one run of bytes, the channels one after the other."""
    return b"".join(clip[key].tobytes() for key in CHANNELS)


@once
def array_record(out, folder, count):
    from array_record.python.array_record_module import ArrayRecordWriter
    writer = ArrayRecordWriter(str(out / "clips.array_record"), "group_size:1")
    for clip in clips(folder, count):
        writer.write(packed(clip))
    writer.close()


@once
def webdataset(out, folder, count):
    import webdataset
    with webdataset.ShardWriter(str(out / "clips-%06d.tar"), maxcount=500, verbose=0) as writer:
        for i, clip in enumerate(clips(folder, count)):
            writer.write({"__key__": f"{i:08d}", **{f"{key}.npy": value for key, value in clip.items()}})


@once
def lerobot(out, folder, count):
    """Four trajectories only: it writes a frame at a time, and what a window costs does not depend on their number."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    arrays = flat(folder, count)
    features = {key: {"dtype": value.dtype.name, "shape": value.shape[1:] or (1,), "names": None}
                for key, value in arrays.items()}
    made = LeRobotDataset.create("bench/clips", 30, features, root=out / "data", use_videos=False)
    for i in range(min(count, 4)):
        for row in range(i * FRAMES, (i + 1) * FRAMES):
            made.add_frame({**{key: arrays[key][row].reshape(features[key]["shape"]) for key in CHANNELS},
                            "task": "move"})
        made.save_episode()
    if hasattr(made, "finalize"):
        made.finalize()
