#!/usr/bin/env python3
"""What it costs to choose 20,000 recordings by id out of 100,000: CPU time beside a Python dict's look-up of them.

    choosing.py [--episodes 100000] [--chosen 20000] [--repeats 9]

The dict is made of all ids and asked for the chosen ones, as a list of their numbers. Ours is the difference between a
loader of the chosen recordings and one of all, made in turn; medians of CPU seconds of the process.
"""
import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python" / "tests"), str(ROOT / "tools" / "python" / "src")]

from archive import Archive, Channel, Episode, Regular, Stream, Track  # noqa: E402
from fractions import Fraction  # noqa: E402

import trajpack  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--chosen", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    stream = Stream("s", [Channel("x")])
    data = {"x": np.zeros(4, "f4")}
    clock = Regular(Fraction(0), Fraction(1))
    names = [f"part_{i % 100:02}/recording_{i:06}" for i in range(given.episodes)]
    archive = Archive([stream], [Episode(n, [Track("s", 4, clock, data)]) for n in names], chunk_rows=4096)
    archive.statistics = False
    with tempfile.TemporaryDirectory() as folder:
        dataset = trajpack.open(archive.write(Path(folder) / "a.h5"))
        chosen = random.Random(0).sample(names, given.chosen)

        def cpu(work):
            start = time.process_time()
            work()
            return time.process_time() - start

        def look_up():
            numbers = {name: i for i, name in enumerate(names)}
            return [numbers[name] for name in chosen]

        def load(**options):
            with dataset.windows(length=2, batch=1, **options) as loader:
                return loader.windows

        assert load(episodes=chosen) == 3 * given.chosen and load() == 3 * given.episodes
        theirs, plain, ours = [], [], []
        for _ in range(given.repeats):
            theirs.append(cpu(look_up))
            plain.append(cpu(load))
            ours.append(cpu(lambda: load(episodes=chosen)))
        a, b, c = (statistics.median(x) * 1e3 for x in (theirs, plain, ours))
        print(f"dict of {given.episodes:,} ids, {given.chosen:,} looked up: {a:.1f} ms")
        print(f"loader of all: {b:.1f} ms; of the chosen: {c:.1f} ms; choosing: {c - b:.1f} ms, "
              f"{(c - b) / a:.2f} times the dict")


if __name__ == "__main__":
    main()
