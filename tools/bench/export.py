#!/usr/bin/env python3
"""Exports many short episodes as npz and as csv: ours against a loop of numpy.savez. Rounds take turns.

The peer writes the same arrays with the same durability: for each episode a new folder, numpy.savez into it, an fsync of
the file and of the folder, then the rename that makes it visible; one fsync of the destination at the end. Its arrays
are in memory before its clock starts; ours are read from the dataset by the command, whose whole process counts.

    export.py [--episodes 2000] [--rows 20] [--channels 3] [--rounds 5] [--folder DIR] [--binary .build/release]
"""

import argparse
import json
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


def make(folder, binary, options):
    rng = np.random.default_rng(0)
    with open(f"{folder}/all.csv", "w") as file:
        file.write("episode,time," + ",".join(f"x{c}" for c in range(options.channels)) + "\n")
        for episode in range(options.episodes):
            walk = rng.normal(size=(options.rows, options.channels)).cumsum(0)
            for row, values in enumerate(walk):
                file.write(f"e{episode:06d},{row / 10},{','.join(f'{v:.4f}' for v in values)}\n")
    subprocess.run([f"{binary}/trajpack", "convert", f"{folder}/all.csv", f"{folder}/ds", "--episode-column", "episode"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def export(form):
    def run(folder, binary, arrays, out):
        subprocess.run([f"{binary}/trajpack", "export", f"{folder}/ds", out, "--to", form], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return run


def savez(folder, binary, arrays, out):
    os.mkdir(out)
    for name, members in arrays:
        os.mkdir(f"{out}/.tmp-{name}")
        with open(f"{out}/.tmp-{name}/episode.npz", "wb") as file:
            np.savez(file, **members)
            file.flush()
            os.fsync(file.fileno())
        fsync_folder(f"{out}/.tmp-{name}")
        os.rename(f"{out}/.tmp-{name}", f"{out}/{name}")
    fsync_folder(out)


def fsync_folder(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def in_child(run, *arguments):
    """Wall and processor seconds of run(*arguments) in a forked process and its children."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        try:
            wall = time.perf_counter()
            before = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            run(*arguments)
            after = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            os.write(send, json.dumps([time.perf_counter() - wall, after - before]).encode())
            os._exit(0)
        except BaseException as error:  # noqa: BLE001
            print(f"export.py: {error}", file=sys.stderr)
            os._exit(1)
    os.close(send)
    with os.fdopen(receive) as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
    return json.loads(said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--binary", default=str(Path(__file__).resolve().parents[2] / ".build/release"))
    options = parser.parse_args()
    ways = {"numpy.savez": savez, "trajpack npz": export("npz"), "trajpack csv": export("csv")}
    times = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        make(folder, options.binary, options)
        export("npz")(folder, options.binary, None, f"{folder}/out")
        arrays = [(path.name, dict(np.load(path / "episode.npz"))) for path in sorted(Path(folder, "out").iterdir())]
        for _ in range(options.rounds):
            for name, run in ways.items():
                shutil.rmtree(f"{folder}/out")
                os.sync()
                times[name].append(in_child(run, folder, options.binary, arrays, f"{folder}/out"))
    peer = [statistics.median(column) for column in zip(*times["numpy.savez"], strict=True)]
    print(f"{options.episodes} episodes of {options.rows} rows and {options.channels} channels, wanted: "
          f"at most {WANTED:g} times the peer")
    for name, rounds in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        each = 1e3 / options.episodes
        print(f"{name:14s} wall {wall * each:7.3f} ms an episode ({wall / peer[0]:5.2f} x)   "
              f"CPU {cpu * each:7.3f} ms an episode ({cpu / peer[1]:5.2f} x)")


if __name__ == "__main__":
    main()
