#!/usr/bin/env python3
"""Appends episodes, each durable before the next: ours, against what people write by hand. Rounds take turns.

A frame is an arm's: 14 float32 of state, 14 of action, a reward, a flag; an episode has --frames of them at 50 Hz.

    writer.py [--episodes 200] [--frames 400] [--rounds 5] [--only trajpack]
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python" / "src"))
import h5py  # noqa: E402
import hdf5plugin  # noqa: E402
import numpy as np  # noqa: E402

import trajpack  # noqa: E402


def episode(number, frames):
    rng = np.random.default_rng(number)
    walk = np.cumsum(rng.normal(0, 0.01, (frames, 28)), 0).astype(np.float32)
    return {"state": walk[:, :14], "action": walk[:, 14:], "reward": np.zeros(frames, np.float32),
            "done": np.arange(frames) == frames - 1}


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def ours(folder, episodes):
    with trajpack.create(f"{folder}/ds", rate=50) as writer:
        for number, arrays in enumerate(episodes):
            writer.append(f"{number:06d}", arrays)


def ours_by_row(folder, episodes):
    with trajpack.create(f"{folder}/ds", rate=50) as writer:
        for number, arrays in enumerate(episodes):
            with writer.episode(f"{number:06d}") as recording:
                for i in range(len(arrays["reward"])):
                    recording.append(state=arrays["state"][i], action=arrays["action"][i], reward=arrays["reward"][i],
                                     done=arrays["done"][i])


def hdf5_file_an_episode(folder, episodes):
    """ALOHA's and robomimic's way, with what it takes to be durable."""
    for number, arrays in enumerate(episodes):
        path = f"{folder}/{number:06d}.h5"
        with h5py.File(path + ".tmp", "w") as file:
            for name, rows in arrays.items():
                file.create_dataset(name, data=rows, **hdf5plugin.Zstd(3), shuffle=True)
        sync(path + ".tmp")
        os.rename(path + ".tmp", path)
        sync(folder)


def hdf5_group_an_episode(folder, episodes):
    """One file, flushed and synced after each episode (a crash in the middle of one can still spoil the file)."""
    with h5py.File(f"{folder}/all.h5", "w") as file:
        for number, arrays in enumerate(episodes):
            group = file.create_group(f"{number:06d}")
            for name, rows in arrays.items():
                group.create_dataset(name, data=rows, **hdf5plugin.Zstd(3), shuffle=True)
            file.flush()
            sync(f"{folder}/all.h5")


def npz_file_an_episode(folder, episodes):
    for number, arrays in enumerate(episodes):
        path = f"{folder}/{number:06d}.npz"
        with open(path + ".tmp", "wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".tmp", path)
        sync(folder)


WAYS = {"trajpack": ours, "trajpack, row by row": ours_by_row, "HDF5, a file an episode": hdf5_file_an_episode,
        "HDF5, a group an episode": hdf5_group_an_episode, "npz, a file an episode": npz_file_an_episode}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="ways whose name begins so")
    options = parser.parse_args()
    episodes = [episode(n, options.frames) for n in range(options.episodes)]
    raw = sum(a.nbytes for e in episodes for a in e.values())
    ways = {k: v for k, v in WAYS.items() if not options.only or k.startswith(options.only)}
    times, sizes, files = ({name: [] for name in ways} for _ in range(3))
    for _ in range(options.rounds):
        for name, write in ways.items():
            folder = tempfile.mkdtemp()
            began = time.perf_counter()
            write(folder, episodes)
            times[name].append(time.perf_counter() - began)
            found = [p for p in Path(folder).rglob("*") if p.is_file()]
            sizes[name], files[name] = sum(p.stat().st_size for p in found), len(found)
            shutil.rmtree(folder)
    first = statistics.median(times[next(iter(ways))])
    print(f"{options.episodes} episodes of {options.frames} frames, {raw / 2**20:.1f} MiB, medians of {options.rounds}")
    for name in ways:
        median = statistics.median(times[name])
        print(f"{name:26} {median / options.episodes * 1e3:7.2f} ms an episode {median / first:6.2f} x  "
              f"{sizes[name] / raw:6.1%} of raw  {files[name]:5} files")


if __name__ == "__main__":
    main()
