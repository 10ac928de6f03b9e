#!/usr/bin/env python3
"""Fuzzes the loader's engine from outside: option objects through the C interface, and forged shards with option sets.

A child process runs case after case and writes down which one it is at, so that the parent can name the case that ended
it by a signal, and goes on behind it. A case is a function of its seed. What must hold is that each call gives a result
or one sentence; that a batch is right is for other tests to say.

    loaders.py [--cases 1000] [--seed 1] [--only options|shards] [--found DIR]      exit status 1 where a case failed
"""
import argparse
import ctypes
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/python/src"), str(ROOT / "tools/python/tests"), str(ROOT / "tools/fuzz")]

import mutate      # noqa: E402

BIG = [0, 1, 2, 3, 7, 64, 1000, 4096, 2**24 + 1, 2**31 - 1, 2**31, 2**32, 2**40, 2**48, 2**53, 2**60,
       2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1, -2, -1000, -2**31, -2**62, -2**63 + 1, -2**63, -2**63 - 1]
FRACTIONS = [0.0, -0.0, 0.5, -0.25, 1.5, 1e-9, -1e-9, 1e-300, 1e15, 1e16, 1e17, 1e300, -1e300,
             1.7976931348623157e308,
             5e-324, 1 / 3]
TEXTS = ["1/3", "-0.5", "30000/1001", "4611686018427387904", "9223372036854775807", "1/9223372036854775807",
         "9223372036854775807/2", "-9223372036854775808", "1/0", "0", "-1", "nan", "inf", "1e5", "0.000000000000001",
         "",
         "999999999999999999999", "1.0", "64.0", "\u0000", "*", "s0", "s0/*", "s1"]
NAMES = {"length": "n", "duration": "r", "stride": "n", "past": "n", "future": "n", "offsets": "o", "plan": "p",
         "reference": "s", "rate": "r", "align": "a", "edge": "e", "entities": "n", "dtype": "d", "normalize": "z",
         "normalize_split": "s", "features": "f", "fill": "r", "masks": "b", "time": "b", "split": "s", "episodes": "s",
         "where": "w", "windows_where": "q", "window_weights": "g", "shuffle": "h", "block_windows": "n",
         "block_count": "n", "seed": "n", "epoch": "n", "batch": "n", "drop_last": "b", "rank": "n", "world": "n",
         "weights": "l", "epoch_windows": "n", "threads": "t", "prefetch": "n", "cache": "n", "on_error": "x",
         "verify": "v", "mmap": "b", "tolerance": "r", "hold": "k",
         "max_staleness": "r", "meta": "b", "replacement": "b", "channels": "c", "exclude": "s"}
# What a forged shard is opened with.
SETS = [
    {"length": 4}, {"rate": 10, "length": 4}, {"rate": "30000/1001", "duration": "0.5", "time": True},
    {"length": 3, "stride": 2, "edge": "pad", "past": 2, "future": 5, "time": True},
    {"length": 5, "edge": "clamp", "align": "nearest", "time": True, "rate": 1},
    {"length": 4, "align": "native", "time": True}, {"length": 4, "align": "native", "rate": 7, "edge": "clamp"},
    {"length": 2, "offsets": {"*": [-3, 0, 16]}, "edge": "pad"},
    {"length": 2, "offsets": {"*": ["-1.5", "0.25", 1]}, "time": True}, {"duration": 1},
    {"length": 4, "normalize": "standard", "features": {"all": ["*"]}},
    {"length": 4, "normalize": "quantile", "fill": 0},
    {"length": 4, "shuffle": "block", "block_windows": 3, "block_count": 2, "verify": "first"},
    {"length": 4, "verify": "never", "on_error": "skip", "drop_last": False},
    {"length": 4, "windows_where": {"channel": "s0/count", "mean": {"min": 0}}, "cache_dir": ""},
    {"length": 4, "window_weights": {"channel": "s0/count", "statistic": "max"}, "epoch_windows": 64},
    {"length": 4, "plan": {"steps": [{"step": "resample", "rate": 13}]}},
    {"length": 4, "plan": {"steps": [{"step": "resample", "up": 3, "down": 2, "method": "polyphase"}]}},
    {"length": 4, "plan": {"steps": [{"step": "resample", "rate": 5, "bins": "mean"}]}},
    {"length": 4, "plan": {"steps": [{"step": "mask", "mechanism": "rows", "amount": 0.5, "draw": "epoch"}]}},
    {"length": 4, "plan": {"steps": [{"step": "embed", "lag": 2, "dimension": 3}]}},
    {"length": 4, "plan": {"steps": [{"step": "align", "onto": "s0"}]}},
    {"length": 4, "plan": {"steps": [{"step": "quantise", "quantum": "1/7"}]}},
    {"length": 4, "plan": {"steps": [{"step": "normalize"}]}, "rate": 10},
]


def number(r):
    """A number that is likely to be wrong. Sizes that are right and merely large are left out: they take long."""
    return r.choice([r.choice(BIG), r.choice(BIG), r.choice(FRACTIONS), r.choice(TEXTS), r.randrange(1, 100)])


def value(r, sort):
    """A value of an option: mostly of its type, with an extreme in it."""
    if r.random() < 0.04:
        return r.choice([None, True, [], {}, [[]], "x", -1, 1e400, [1, [2, {"a": None}]]])
    small = r.random() < 0.5
    return {
        "n": lambda: r.randrange(1, 40) if small else number(r), "r": lambda: number(r),
        "t": lambda: r.choice([0, 1, 2, 3]), "s": lambda: r.choice([*TEXTS, "a", "train"]),
        "o": lambda: {r.choice(["*", "s0/*", "s1", "x"]): [number(r) for _ in range(r.randrange(1, 5))]},
        "a": lambda: r.choice(["auto", "nearest", "asof", "linear", "native", {"s1": "native", "*": "linear"}]),
        "e": lambda: r.choice(["drop", "pad", "clamp"]),
        "d": lambda: r.choice(["float32", "int8", "bool", {"*": "uint64"}]),
        "z": lambda: r.choice(["standard", "minmax", "quantile", {"s0/*": "standard"}]),
        "f": lambda: {"m": r.choice([["*"], ["s0/*"], "s1/*"])}, "b": lambda: r.choice([True, False]),
        "w": lambda: {"a.b": r.choice([1, [1, 2], {"min": number(r)}])},
        "q": lambda: question(r), "g": lambda: r.choice([True, {"channel": channel(r), "statistic": "mean"}]),
        "h": lambda: r.choice(["global", "block", "none", True, False]), "l": lambda: [number(r)],
        "k": lambda: r.choice(["interval", "end", "forever", {"s1/*": "end"}]),
        "x": lambda: r.choice(["raise", "skip"]), "v": lambda: r.choice(["always", "first", "never"]),
        "c": lambda: r.choice([["*"], ["s0/*"], ["s1/*", "s2"], [{"kind": "scalar"}]]), "p": lambda: plan(r),
    }[sort]()


def channel(r):
    return r.choice(["s0/count", "s0/hp", "s1/pos", "s0/flag", "s2/rot", "s1/score", "s0/plain"])


def question(r):
    statistic = r.choice(["any", "all", "mean", "max", "std", "missing", "first", "last"])
    rule = r.choice([number(r), {"min": number(r)}, {"above": number(r), "below": number(r)}, [1, 2]])
    asked = {"channel": channel(r), statistic: rule}
    if r.random() < 0.3:
        asked["component"] = number(r)
    if r.random() < 0.3:
        asked["of"] = r.choice(["abs", "norm", "change", ["change", "norm"]])
    return asked if r.random() < 0.7 else {"not": asked}


def plan(r):
    steps = []
    for _ in range(r.randrange(1, 3)):
        step = r.choice([
            {"step": "resample", "rate": number(r)}, {"step": "resample", "up": number(r), "down": number(r)},
            {"step": "resample", "rate": number(r), "gap": number(r), "edge": "hold"},
            {"step": "resample", "rate": number(r), "bins": r.choice(["mean", "last", "count"]), "origin": "zero"},
            {"step": "resample", "onto": "s0"}, {"step": "resample", "times": [number(r), number(r)]},
            {"step": "embed", "lag": number(r), "dimension": number(r)},
            {"step": "mask", "mechanism": r.choice(["entries", "rows", "blocks", "channels"]), "amount": number(r),
             "seed": number(r)},
            {"step": "align", "onto": "s0", "tolerance": number(r)}, {"step": "quantise", "quantum": number(r)},
            {"step": "time_since"}, {"step": "elapsed"}, {"step": "normalize", "method": "zscore"}])
        steps.append(step)
    return {"steps": steps}


def options(r):
    """An option object, as text: some of the options, mostly with one extreme, so that it is accepted at times."""
    out = {}
    for name in r.sample(sorted(NAMES), r.choice([1, 2, 2, 3, 3, 4, 6])):
        out[name] = value(r, NAMES[name])
    out.setdefault("batch", r.choice([1, 4]))
    out.setdefault("threads", 2)
    out.setdefault("cache_dir", "")
    if "duration" not in out:
        out.setdefault("length", r.choice([1, 4, 9]))
    text = json.dumps(out)
    if r.random() < 0.03:
        at = r.randrange(len(text))
        text = text[:at] + r.choice(["{", "[", "1e999", "\\u0000", '"', ",", "9" * 400]) + text[at:]
    return text


def forge_clock(forgery, r):
    """A clock's kind, start or rate: the numbers that all times are made of."""
    rows = forgery.tables.get(6) or []
    if not rows:
        return mutate.forge_table(forgery, r)
    row = r.choice(rows)
    for column in r.sample(range(5), r.choice([1, 1, 2, 4])):
        old = row[column]
        row[column] = r.choice([r.choice(BIG[:-1]), old + r.choice([-1, 1, 1000]), old * r.choice([2, 1 << 31])])
    if r.random() < 0.4:
        for other in rows:
            other[1:] = row[1:]
    return f"clock {row}"


def forge_times(forgery, r):
    """Explicit times: stored numbers of a channel 'time' at the ends of their type."""
    chunks = [i for i, row in enumerate(forgery.tables.get(7) or []) if row[2] % 8 == 0]
    if not chunks:
        return forge_clock(forgery, r)
    row = r.choice(chunks)
    low, high = r.choice([(-2**63, 2**63 - 1), (-2**62, 2**62), (2**63 - 10, 2**63 - 1), (0, 2**53), (-2**63 + 1, 0)])
    count = forgery.tables[7][row][2] // 8
    numbers = sorted(r.randint(low, high) for _ in range(min(count, 4096)))
    numbers += [numbers[-1]] * (count - len(numbers)) if numbers else []
    forgery.chunk(row, b"".join(n.to_bytes(8, "little", signed=True) for n in numbers), mask=0b11)
    return f"times of chunk {row} from {low} to {high}"


FORGERS = [forge_clock, forge_clock, forge_clock, forge_times, mutate.forge_table, mutate.forge_block,
           mutate.forge_schema,
           mutate.forge_chunk, mutate.forge_statistics]


def forged(data, r):
    forgery = mutate.Forgery(data)
    done = [r.choice(FORGERS)(forgery, r)]
    if r.random() < 0.3:
        try:
            done.append(r.choice(FORGERS)(forgery, r))
        except (TypeError, KeyError, IndexError, AttributeError):
            pass                              # a forger does not understand what the first one left
    try:
        return forgery.bytes(), "; ".join(done)
    except (TypeError, struct.error):
        return data, "nothing"


def bases(folder):
    """Paths of small shards with streams of all sorts: regular, ticks and floating-point clocks, entities, gaps."""
    import worlds
    out = []
    for seed in (3, 5, 8, 13):
        path = Path(folder) / f"base-{seed}.h5"
        if not path.exists():
            worlds.archive(seed, streams=3, episodes=3, most=40).write(path)
        out.append(path)
    return out


class Library:
    """The C interface, with numbers as they come."""

    def __init__(self):
        from trajpack import _bindings, _ffi
        self.bindings = _bindings
        self.raw = _ffi.library()
        self.error = _bindings.Error()

    def status(self, name, *arguments):
        return getattr(self.raw, name)(*arguments, ctypes.byref(self.error))

    def text(self, name, pointer):
        out = ctypes.c_void_p()
        if self.status(name, pointer, ctypes.byref(out)) == 0:
            self.raw.tp_text_free(out)

    def open(self, path):
        pointer = ctypes.c_void_p()
        status = self.status("tp_dataset_open", str(path).encode(), ctypes.byref(pointer))
        return pointer if status == 0 else None

    def look(self, dataset, r):
        """What a reader of episodes asks."""
        for name in ("tp_dataset_describe", "tp_dataset_statistics"):
            self.text(name, dataset)
        times = (ctypes.c_double * 8)()
        for track in (0, 1, r.choice(BIG) % 2**63):
            self.status("tp_dataset_times", dataset, track, 0, 4, times)
            self.status("tp_dataset_times", dataset, track, signed(r.choice(BIG)), min(signed(r.choice(BIG)), 8), times)
        memory = (ctypes.c_double * 512)()
        for name in (b"hp", b"pos", b"time", b"count", b"score"):
            for first, count in ((0, 4), (signed(r.choice(BIG)), signed(r.choice(BIG)))):
                self.status("tp_dataset_read", dataset, r.choice([0, 1, 2, signed(r.choice(BIG))]), name, first, count,
                            r.choice([None, b"float32", b"int64", b"uint8", b"bool", b"x"]), memory, 4096, None, 0)
        out = ctypes.c_void_p()
        for first, count in ((0, 1), (signed(r.choice(BIG)), signed(r.choice(BIG)))):
            if self.status("tp_dataset_episodes", dataset, first, count, ctypes.byref(out)) == 0:
                self.raw.tp_text_free(out)

    def load(self, dataset, text, r):
        """Makes a loader and asks it everything; whether it could be made."""
        loader = ctypes.c_void_p()
        array = (ctypes.c_void_p * 1)(dataset)
        if self.status("tp_loader_create", array, 1, text.encode("utf-8", "replace"), ctypes.byref(loader)) != 0:
            return False
        try:
            self.text("tp_loader_describe", loader)
            self.batches(loader, 2)
            episode, track, row = ctypes.c_int64(), ctypes.c_int64(), ctypes.c_int64()
            for window in (0, 1, r.choice(BIG) % 2**64):
                self.status("tp_loader_locate", loader, r.choice([0, 0, 1, 2**32 - 1]), window, ctypes.byref(episode),
                            ctypes.byref(track), ctypes.byref(row))
            numbers = (ctypes.c_uint64 * 4)()
            self.status("tp_loader_order", loader, r.choice(BIG) % 2**64, r.choice(BIG) % 2**64, r.choice([0, 4]),
                        numbers, None)
            self.status("tp_loader_order", loader, r.choice(BIG) % 2**64, 0, 4, numbers, None)
            self.status("tp_loader_seek", loader, r.choice(BIG) % 2**64, r.choice(BIG) % 2**64)
            self.batches(loader, 2)
            state = self.bindings.State()
            self.raw.tp_loader_get_state(loader, ctypes.byref(state))
            state.epoch, state.position = r.choice(BIG) % 2**64, r.choice(BIG) % 2**64
            self.status("tp_loader_set_state", loader, ctypes.byref(state))
            self.batches(loader, 1)
            weights = (ctypes.c_float * 4)(1, 0, 3e38, 1e-45)
            self.status("tp_loader_set_weights", loader, 0, weights, r.choice([0, 1, 4]))
            self.text("tp_loader_stats", loader)
        finally:
            self.raw.tp_loader_free(loader)
        return True

    def batches(self, loader, count):
        batch = ctypes.c_void_p()
        for _ in range(count):
            if self.status("tp_loader_next", loader, ctypes.byref(batch)) == 0 and batch.value:
                self.raw.tp_batch_free(batch)


def signed(number):
    return (number + 2**63) % 2**64 - 2**63


def case(library, kind, seed, shards, folder):
    """One case; whether a loader came of it."""
    r = random.Random(f"{kind} {seed}")
    path = r.choice(shards)
    made = False
    if kind == "options":
        dataset = library.open(path)
        for _ in range(4):
            made = library.load(dataset, options(r), r) or made
        library.raw.tp_dataset_free(dataset)
        return made
    mutant, _ = forged(path.read_bytes(), r)
    file = Path(folder) / "mutant.h5"
    file.write_bytes(mutant)
    dataset = library.open(file)
    if dataset is None:
        return False
    library.look(dataset, r)
    for chosen in r.sample(SETS, 6):
        made = library.load(dataset, json.dumps({"batch": 4, "threads": 2, "masks": r.random() < 0.5, **chosen}),
                            r) or made
    library.raw.tp_dataset_free(dataset)
    return made


def child(kind, first, end, folder):
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library, shards = Library(), bases(folder)
    for seed in range(first, end):
        print(f"at {seed}", flush=True)
        print(f"made {int(case(library, kind, seed, shards, folder))}", flush=True)


def hunt(kind, first, count, folder, found=None, patience=120):
    """Runs cases; what went wrong, a line each, and how many cases came to a loader."""
    faults, made, at, end = [], 0, first, first + count
    bases(folder)
    while at < end:
        command = [sys.executable, __file__, "--child", kind, str(at), str(end), str(folder)]
        last = at - 1
        with tempfile.TemporaryFile("w+", errors="replace") as errors, subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "SWIFT_BACKTRACE": "enable=no"}) as run:
            late = threading.Timer(patience, run.kill)
            for line in run.stdout:
                word, n = line.split()
                if word == "at":
                    late.cancel()
                    late = threading.Timer(patience, run.kill)
                    late.start()
                    last = int(n)
                else:
                    made += int(n)
            late.cancel()
            status = run.wait()
            errors.seek(0)
            said = errors.read()[-300:].strip()
        if status == 0:
            break
        why = f"ended by signal {-status}" if status < 0 else f"status {status}"
        faults.append(f"{kind} {last}: {why} {said}")
        if found and kind == "shards":
            r = random.Random(f"{kind} {last}")
            found.mkdir(parents=True, exist_ok=True)
            (found / f"loader-{last}.h5").write_bytes(forged(r.choice(bases(folder)).read_bytes(), r)[0])
        at = last + 1
    return faults, made


def main():
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["options", "shards"])
    parser.add_argument("--found", type=Path, default=ROOT / "tools/fuzz/found")
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in [given.only] if given.only else ["options", "shards"]:
            faults, made = hunt(kind, given.seed, given.cases, folder, given.found)
            print(f"{kind}: {given.cases} cases, {made} came to a loader, {len(faults)} failed")
            print("\n".join(faults))
            bad += len(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
