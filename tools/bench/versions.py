#!/usr/bin/env python3
"""Compares two builds of trajpack, say before and after a change: windows, signal, evaluation, opening, import,
conversion and preparation, in interleaved pairs.

Each argument is a checkout with `.build/release` (trajpack, libtrajpack-c.so, libtrajpack-write.so) and `tools/python`.
Cases named `windows`, `signal` and `evaluate` run in two processes that live for all pairs; the others start a process
for each run. The order within a pair alternates. Printed are the median of the ratios after / before of processor time
and of wall time, half the distance of their quartiles, and the ratio of peak memory. `--instructions` counts
instructions by callgrind instead, once for each side: slower, but it does not depend on what else the machine does.

    versions.py BEFORE AFTER [--pairs 21] [--only NAME,...] [--work DIR] [--instructions] [--json FILE]
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# What lives in a process: a function that makes the work, which is then repeated.
CHILD = r'''
import os, resource, sys, time
side, work, case, repeats = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sys.path.insert(0, side + "/tools/python/src")
import numpy as np, trajpack
rng = np.random.default_rng(0)
def windows(path, batches, **options):
    loader = trajpack.open(path).windows(batch=32, threads=1, seed=1, **options)
    def run():
        for _ in range(batches):
            loader.next()
    return run
def signal(name):
    import trajpack.signal as s
    from trajpack.signal import Times
    t = np.cumsum(rng.uniform(.5, 1.5, 40_000)); q = np.linspace(t[0], t[-1], 40_000)
    x = rng.normal(size=(40_000, 16)); line = np.sin(np.arange(20_000) * .05) + .1 * rng.normal(size=20_000)
    turn = rng.normal(size=(40_000, 4)); turn /= np.linalg.norm(turn, axis=1, keepdims=True)
    a, b = Times.floats(t), Times.floats(q)
    return {"linear": lambda: s.resample(x, a, b, "linear"), "natural": lambda: s.resample(x, a, b, "natural"),
            "pchip": lambda: s.resample(x, a, b, "pchip"), "slerp": lambda: s.resample(turn, a, b, "slerp"),
            "polyphase": lambda: s.polyphase(x, 160, 147), "bins": lambda: s.bins(x, a, Times.regular("1/4", 10_000)),
            "mutual": lambda: s.mutual_information(line, 40), "cao": lambda: s.cao(line, 11, 6, 0),
            "fnn": lambda: s.false_neighbours(line, 11, 6, 10),
            "coefficients": lambda: s.path("natural", a, x)}[name]
def evaluate(name):
    from trajpack.evaluate import score
    n = 100
    centre = rng.normal(size=(n, 400, 3)).cumsum(1); turn = rng.normal(size=(n, 400, 4))
    turn /= np.linalg.norm(turn, axis=-1, keepdims=True); guess = centre * .5 + .05 * rng.normal(size=centre.shape)
    series = rng.normal(size=(200, 96, 8)).cumsum(1); other = series + .2 * rng.normal(size=series.shape)
    cloud = rng.normal(size=(200_000, 3)); frames = rng.normal(size=(4_000, 60, 3))
    return {"camera": lambda: score("camera.path", alignment="sim3", truth_position=centre, truth_rotation=turn,
                                    estimate_position=guess, estimate_rotation=turn),
            "forecast": lambda: score("forecast.errors", truth=series, prediction=other),
            "warping": lambda: score("forecast.dtw", truth=series[:, 0], prediction=other[:, 0]),
            "attractor": lambda: score("attractor.d_stsp", truth=cloud, generated=cloud + .01),
            "pose": lambda: score("skeleton.pose", truth=frames, prediction=frames + .01)}[name]
kinds = {"windows": {"any": lambda: windows(work + "/data", 60, length=64),
                     "part": lambda: windows(work + "/data", 200, length=16, channels=["s/state"]),
                     "rate": lambda: windows(work + "/data", 30, length=64, rate="20", align="linear"),
                     "float": lambda: windows(work + "/tables", 150, length=64, dtype="float32")}}
kind, name = case.split(".")
run = kinds[kind][name]() if kind in kinds else {"signal": signal, "evaluate": evaluate}[kind](name)
run()
print("ready", flush=True)
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        run()
    print(time.process_time() - cpu, time.perf_counter() - wall,
          resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
'''
LIVING = {"windows": ("any", "part", "rate", "float"),
          "signal": ("linear", "natural", "pchip", "slerp", "polyphase", "bins", "mutual", "cao", "fnn",
                     "coefficients"),
          "evaluate": ("camera", "forecast", "warping", "attractor", "pose")}
IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); import trajpack; "
OPEN = IMPORT + "d = trajpack.open(sys.argv[2]); "
STARTED = {
    "import": lambda side, work, out: [sys.executable, "-c", IMPORT, side / "tools/python/src"],
    "open": lambda side, work, out: [
        sys.executable, "-c", OPEN + "len(d)", side / "tools/python/src", work / "many.h5"],
    "first_batch": lambda side, work, out: [
        sys.executable, "-c", OPEN + "d.windows(length=4, batch=32, masks=False).next()", side / "tools/python/src",
        work / "many.h5"],
    "statistics": lambda side, work, out: [
        sys.executable, "-c", OPEN + "d.statistics(channels=['s'], threads=1)", side / "tools/python/src",
        work / "data"],
    "info": lambda side, work, out: [program(side), "info", work / "many.h5"],
    "verify": lambda side, work, out: [program(side), "verify", work / "data"],
    "convert_csv": lambda side, work, out: [program(side), "convert", work / "csv", out],
    "convert_npz": lambda side, work, out: [program(side), "convert", work / "npz", out, "--rate", "30",
                                                 "--leading-axis", "time"],
    "convert_wildworld": lambda side, work, out: [program(side), "convert", work / "wild/data_part1", out, "--video",
                                                  "link"],
    "resample": lambda side, work, out: [program(side), "resample", work / "data", out, "--rate", "20"],
    "embed": lambda side, work, out: [program(side), "embed", work / "tables", out, "--tau", "7", "--dimension", "3"],
    "mask": lambda side, work, out: [program(side), "mask", work / "tables", out, "--amount", "0.3"],
    "apply": lambda side, work, out: [program(side), "apply", "--plan", work / "plan.json", work / "tables", out],
    "export": lambda side, work, out: [program(side), "export", work / "tables", out, "--to", "csv"],
    "evaluate_dataset": lambda side, work, out: [program(side), "evaluate", work / "wild-data", work / "wild-data",
                                                 "--suite", "camera", "--suite", "pose", "-q"],
}


def program(side):
    return side / ".build/release/trajpack"


def environment(side):
    """Where Python finds the build. The thresholds of malloc are fixed: left to themselves they depend on what was
    allocated before, and a buffer that is given back to the system on every call costs twice its kernel."""
    return {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
            "TRAJPACK_LIBRARY": str(side / ".build/release/libtrajpack-c.so"),
            "TRAJPACK_WRITE_LIBRARY": str(side / ".build/release/libtrajpack-write.so")}


def quiet(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-300:]}")
    return done


def prepare(work, before):
    """The inputs, made once with the older build, so that both can read them."""
    import numpy as np
    if (work / "ready").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(HERE))
    import data
    rng = np.random.default_rng(0)
    for name in ("csv", "npz"):
        (work / name).mkdir(exist_ok=True)
    for i in range(12):
        one = data.trajectory(1792, rng)
        np.savez(work / f"npz/{i:03}.npz", **one)
        table = np.concatenate([np.arange(6000)[:, None] / 30, np.round(rng.normal(size=(6000, 16)).cumsum(0), 3)], 1)
        header = "time," + ",".join(f"x{k}" for k in range(16))
        np.savetxt(work / f"csv/{i:03}.csv", table, "%.10g", ",", header=header, comments="")
    quiet([program(before), "convert", work / "csv", work / "tables"])
    quiet([sys.executable, HERE.parents[1] / "fixtures/make_wildworld.py", "--out", work / "wild", "--samples", "6",
           "--frames", "1200", "--no-video"])
    quiet([program(before), "convert", work / "wild/data_part1", work / "wild-data", "--video", "link"])
    code = """
import sys; from pathlib import Path
side, here, work = sys.argv[1:]; sys.path[:0] = [side + "/tools/python/src", here]
import data, numpy as np, trajpack
rng = np.random.default_rng(0)
with trajpack.create(work + "/data", rate=30) as writer:
    for number in range(24):
        with writer.episode(f"{number:04}") as episode:
            episode.extend({"s": data.trajectory(1792, rng)})
"""
    quiet([sys.executable, "-c", code, before, HERE, work], env=environment(before))
    sys.path.insert(0, str(HERE.parent / "python/tests"))
    import opening
    opening.archive(work, 20_000).rename(work / "many.h5")
    plan = {"steps": [{"step": "resample", "rate": 20}, {"step": "normalize", "method": "minmax"}]}
    (work / "plan.json").write_text(json.dumps(plan))
    (work / "ready").touch()


class Living:
    def __init__(self, side, work, case, repeats):
        command = [sys.executable, "-c", CHILD, str(side), str(work), case, str(repeats)]
        self.child = subprocess.Popen(command, env=environment(side), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError(self.child.stderr.read().strip().splitlines()[-1])

    def run(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return [float(x) for x in self.child.stdout.readline().split()]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Started:
    """A process for each run; its output, if any, is removed outside the measured time."""

    def __init__(self, side, work, case):
        self.out = work / f"out-{os.getpid()}"
        self.command = [str(c) for c in STARTED[case](side, work, self.out)]
        self.environment = environment(side)
        self.run()

    def run(self):
        wall = time.perf_counter()
        child = subprocess.Popen(self.command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        text = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
        wall = time.perf_counter() - wall
        shutil.rmtree(self.out, ignore_errors=True)
        if status:
            raise RuntimeError(text.decode().strip()[-200:])
        return [used.ru_utime + used.ru_stime, wall, used.ru_maxrss]

    def close(self):
        pass


def measure(case, sides, work, pairs):
    kind = case.split(".")[0]
    if kind in LIVING:
        first = Living(sides[0], work, case, 1)
        first.run()
        once = first.run()[1]
        first.close()
        runs = [Living(side, work, case, max(1, round(0.1 / max(once, 1e-4)))) for side in sides]
    else:
        runs = [Started(side, work, case) for side in sides]
    found = ([], [])
    for pair in range(pairs):
        for which in ((0, 1), (1, 0))[pair % 2]:
            found[which].append(runs[which].run())
    for run in runs:
        run.close()
    out = {}
    for column, name in enumerate(("cpu", "wall", "memory")):
        before, after = [[row[column] for row in found[k]] for k in (0, 1)]
        ratios = [b / a for a, b in zip(before, after, strict=True) if a > 0]
        low, _, high = statistics.quantiles(ratios, n=4)
        out[name] = {"before": statistics.median(before), "after": statistics.median(after),
                     "ratio": statistics.median(ratios), "spread": (high - low) / 2}
    return out


def stripped(side, work, name):
    """A copy of a build without DWARF 5, which valgrind 3.19 cannot read."""
    copy = work / f"stripped-{name}"
    shutil.rmtree(copy, ignore_errors=True)
    (copy / ".build/release").mkdir(parents=True)
    for path in ("trajpack", "libtrajpack-c.so", "libtrajpack-write.so"):
        quiet(["objcopy", "--strip-debug", side / ".build/release" / path, copy / ".build/release" / path])
    shutil.copytree(side / "tools/python", copy / "tools/python", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    return copy


def instructions(case, side, work):
    """Instructions of a run by callgrind: of a living case two runs less one, of others the whole process."""
    def count(command, text):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *command],
                                  input=text, env=environment(side), capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr[-300:])
            return int(re.findall(r"Collected : (\d+)", done.stderr)[-1])
    if case.split(".")[0] in LIVING:
        command = [sys.executable, "-c", CHILD, str(side), str(work), case, "1"]
        return count(command, "\n\n") - count(command, "\n")
    out = work / f"out-{os.getpid()}"
    try:
        return count([str(c) for c in STARTED[case](side, work, out)], "")
    finally:
        shutil.rmtree(out, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--pairs", type=int, default=21)
    parser.add_argument("--only", default="")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-versions")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sides = [options.before.resolve(), options.after.resolve()]
    cases = [f"{kind}.{name}" for kind, names in LIVING.items() for name in names] + list(STARTED)
    wanted = [c for c in cases if not options.only or any(c == o or c.startswith(o + ".")
                                                         for o in options.only.split(","))]
    if not wanted:
        parser.error(f"--only names none of: {', '.join(cases)}")
    prepare(options.work, sides[0])
    results = {}
    if options.instructions:
        sides = [stripped(side, options.work, name) for side, name in zip(sides, ("before", "after"), strict=True)]
        print(f"{'case':22} {'before':>15} {'after':>15} {'ratio':>7}")
    else:
        print(f"{'case':22} {'cpu before':>11} {'after':>9} {'ratio':>7} {'+-':>6} {'wall':>7} {'+-':>6} {'memory':>7}")
    for case in wanted:
        try:
            if options.instructions:
                a, b = (instructions(case, side, options.work) for side in sides)
                results[case] = {"before": a, "after": b, "ratio": b / a}
                print(f"{case:22} {a:15,} {b:15,} {b / a:7.3f}", flush=True)
                continue
            r = results[case] = measure(case, sides, options.work, options.pairs)
            print(f"{case:22} {r['cpu']['before'] * 1e3:8.1f} ms {r['cpu']['after'] * 1e3:6.1f} ms "
                  f"{r['cpu']['ratio']:7.3f} {r['cpu']['spread']:6.3f} {r['wall']['ratio']:7.3f} "
                  f"{r['wall']['spread']:6.3f} {r['memory']['ratio']:7.3f}", flush=True)
        except RuntimeError as error:
            print(f"{case:22} left out: {error}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
