#!/usr/bin/env python3
"""Appends wide episodes, each durable before the next: ours against h5py with zstd. Rounds take turns.

Episodes are those of data.py (--frames rows of 2.5 KB: state, action, skeleton, camera). The peer is one HDF5 file
written with h5py and hdf5plugin: a group an episode, zstd 3, shuffle, chunks of 32 rows, a flush and one fsync an
episode. Each round of each way is a process of its own, forked once the episodes are in memory. Wall and processor time
(of all threads, user and system) count from opening to the end of close, joins included.

What our further fsyncs cost (the folder's and the journal's of each episode, and those of joins and close) is probed in
each round: the same calls on files of the same sizes in the same folder, without anything else.

    append.py [--episodes 40] [--frames 1792] [--rounds 7] [--folder DIR] [--library NAME=libtrajpack-write.so ...]

--library adds another build of the library, to compare two in one run.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python" / "src")]
import data  # noqa: E402

PEER = "h5py, zstd"
WANTED = 1.2


def ours(folder, episodes):
    import trajpack
    writer = trajpack.create(f"{folder}/ds", rate=data.RATE)
    for number, arrays in enumerate(episodes):
        writer.append(f"{number:06d}", arrays)
    said = writer.stats()
    writer.close()
    shards = sorted(p.stat().st_size for p in Path(folder, "ds").glob("shard-*.h5"))
    return {"joins": said["joins"] + (said["shards"] > len(shards)), "joined": statistics.fmean(shards),
            "bytes": sum(shards), "files": len(shards) + 1}


def h5py_zstd(folder, episodes):
    import h5py
    import hdf5plugin
    with h5py.File(f"{folder}/all.h5", "w") as file:
        fd = os.open(f"{folder}/all.h5", os.O_RDONLY)
        for number, arrays in enumerate(episodes):
            group = file.create_group(f"{number:06d}")
            for name, rows in arrays.items():
                group.create_dataset(name, data=rows, chunks=(min(32, len(rows)), *rows.shape[1:]), shuffle=True,
                                     **hdf5plugin.Zstd(3))
            file.flush()
            os.fsync(fd)
        os.close(fd)
    return {"bytes": os.path.getsize(f"{folder}/all.h5"), "files": 1}


def in_child(write, folder, episodes, library):
    """What a forked process says of its time: {"wall", "cpu", ...} in seconds, and the bytes that it left."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        try:
            if library:
                os.environ["TRAJPACK_WRITE_LIBRARY"] = library
            write(tempfile.mkdtemp(dir=folder), episodes[:1])           # imports, and the library's first call
            wall, cpu = time.perf_counter(), time.process_time()
            said = write(folder, episodes)
            said |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            os.write(send, json.dumps(said).encode())
            os._exit(0)
        except BaseException as error:  # noqa: BLE001
            print(f"append.py: {error}", file=sys.stderr)
            os._exit(1)
    os.close(send)
    with os.fdopen(receive) as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
    return json.loads(said)


def synced(fd):
    began = time.perf_counter()
    os.fsync(fd)
    return time.perf_counter() - began


def probe(folder, size):
    """Seconds of the fsync of a file of `size` bytes, of the folder it was renamed in, of a journal's record."""
    path, name = f"{folder}/probe.tmp", f"{folder}/probe"
    with open(path, "wb") as file, open(f"{folder}/journal", "ab") as journal:
        file.write(os.urandom(min(size, 1 << 20)) * (size >> 20 or 1))
        file.flush()
        whole = synced(file.fileno())
        os.rename(path, name)
        fd = os.open(folder, os.O_RDONLY)
        named = synced(fd)
        os.close(fd)
        journal.write(bytes(300))
        journal.flush()
        return whole, named, synced(journal.fileno())


def further_fsyncs(folder, episodes, joins, joined):
    """Seconds of the fsyncs that `ours` makes beyond one an episode."""
    small = [probe(folder, 64 << 10)[1:] for _ in range(16)]
    named, record = (statistics.median(column) for column in zip(*small, strict=True))
    large = statistics.median(probe(folder, int(joined))[0] for _ in range(3)) if joins else 0
    # An episode: its folder, its record. A join: the shard, its folder, the new journal, its folder. Opening: the parent
    # folder, the journal, the folder. Closing: the manifest, its folder, the folder without the journal.
    return episodes * (named + record) + joins * (large + 2 * named + record) + 4 * named + 2 * record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--frames", type=int, default=1792)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", help="where to write (TMPDIR)")
    parser.add_argument("--library", action="append", default=[], metavar="NAME=FILE")
    options = parser.parse_args()
    episodes = list(data.trajectories(options.episodes, options.frames, 0))
    raw = sum(a.nbytes for e in episodes for a in e.values())
    ways = {"trajpack": (ours, None), PEER: (h5py_zstd, None)}
    for one in options.library:
        name, _, file = one.partition("=")
        ways[name] = (ours, file)
    rounds, probes = {name: [] for name in ways}, []
    for _ in range(options.rounds):
        for name, (write, library) in ways.items():
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                rounds[name].append(in_child(write, folder, episodes, library))
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            said = rounds["trajpack"][-1]
            probes.append(further_fsyncs(folder, options.episodes, said["joins"], said["joined"]))

    def median(name, key):
        return statistics.median(one[key] for one in rounds[name]) / options.episodes * 1e3

    further = statistics.median(probes) / options.episodes * 1e3
    print(f"{options.episodes} episodes of {options.frames} frames, {raw / 2**20:.1f} MiB, medians of {options.rounds}")
    for name in ways:
        last = rounds[name][-1]
        print(f"{name:12} {median(name, 'cpu'):7.2f} ms of CPU {median(name, 'wall'):7.2f} ms an episode  "
              f"{last['bytes'] / raw:6.2%} of raw  {last['files']:4} files")
    print(f"further fsyncs, probed: {further:.2f} ms an episode; joins: {rounds['trajpack'][-1]['joins']}")
    for name in ways:
        if name != PEER:
            cpu, wall = (median(name, key) / median(PEER, key) for key in ("cpu", "wall"))
            allowed = WANTED * median(PEER, "wall") + further
            print(f"{name}: CPU {cpu:.2f} x (wanted {WANTED}), wall {wall:.2f} x; wanted at most {allowed:.2f} ms "
                  f"({WANTED} x and the fsyncs), is {median(name, 'wall'):.2f}")


if __name__ == "__main__":
    main()
