#!/usr/bin/env python3
"""Processor time and clock of a job (plan, four workers at once, finish) beside one `convert` of the same arrays, taking turns;
says whether both gave the same bytes.

    jobs.py [--rounds 5] [--workers 4] [--program .build/release/trajpack] [--work DIR]
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["--rate", "100", "--shard-size", "40MiB", "-q"]


def recordings(folder):
    if not folder.exists():
        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for number in range(64):
            np.save(folder / f"r{number:03}.npy", np.cumsum(rng.normal(0, 0.01, (200_000, 12)), 0).astype(np.float32))
    return folder


def used(work):
    """Processor time of the children (all, and without the system's), and seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user = after.ru_utime - before.ru_utime
    return user + after.ru_stime - before.ru_stime, user, time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--program", default=str(ROOT / ".build/release/trajpack"))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench" / "jobs")
    options = parser.parse_args()
    source, one, many = recordings(options.work / "source"), options.work / "one", options.work / "many"
    job = options.work / "many.job"

    def run(*words):
        subprocess.run([options.program, *map(str, words)], check=True, capture_output=True)

    def convert():
        shutil.rmtree(one, ignore_errors=True)
        run("convert", source, one, "-j", options.workers // 2, *OPTIONS)

    def tasks():
        for path in (many, job):
            shutil.rmtree(path, ignore_errors=True)
        run("job", "plan", source, many, "--tasks", options.workers, *OPTIONS)
        workers = [subprocess.Popen([options.program, "job", "run", job, "--task", str(number), "-q", "-j", "1"],
                                    stdout=subprocess.DEVNULL) for number in range(options.workers)]
        if any([worker.wait() for worker in workers]):
            raise SystemExit("a worker failed")
        run("job", "finish", job, "-q")

    convert()
    turns = [(used(convert), used(tasks)) for _ in range(options.rounds)]
    for number, name in enumerate(("processor", "processor without the system", "clock")):
        a, b = (statistics.median(turn[side][number] for turn in turns) for side in (0, 1))
        print(f"{name}: convert {a:.2f} s, job {b:.2f} s: {b / a:.2f} times")
    same = {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in many.iterdir()}
    print("the same bytes" if same else "OTHER BYTES")


if __name__ == "__main__":
    main()
