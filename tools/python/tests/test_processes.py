"""Forks, spawned processes, threads, interrupts, deletion, memory: nothing hangs, nothing leaks, nothing is lost."""
from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import Start, surroundings

import trajpack

pytestmark = pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
PATIENCE = 60


def digest(loader: trajpack.Loader, batches: int | None = None) -> list[int]:
    """A number a batch that depends on every window in it."""
    out = []
    while (batch := loader.next()) is not None:
        out.append(hash((tuple(batch.windows.tolist()), float(np.nan_to_num(batch["camera/pos"]).sum()))))
        if batches is not None and len(out) == batches:
            break
    return out


def in_child(loader: trajpack.Loader, queue: Any) -> None:
    queue.put(digest(loader))


def child(method: str, loader: trajpack.Loader) -> list[int]:
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=in_child, args=(loader, queue))
    process.start()
    try:
        return queue.get(timeout=PATIENCE)
    finally:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            pytest.fail(f"a child made by {method} does not end")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("warm", [False, True])
def test_a_child_goes_on_where_its_parent_was(wildworld: str, method: str, warm: bool) -> None:
    loader = trajpack.open(wildworld).windows(length=8, batch=16, seed=1)
    if warm:
        digest(loader, 4)
    # hash() of floats and ints is the same in every process.
    theirs = child(method, loader)
    assert theirs == digest(loader) and len(theirs) == len(loader) - 4 * warm


def test_forks_while_threads_load(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    stop = threading.Event()

    def load() -> None:
        with dataset.windows(length=8, batch=4, threads=2) as loader:
            while not stop.is_set():
                loader.next()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        loader = dataset.windows(length=8, batch=16)
        want = digest(loader)
        for _ in range(10):
            loader.seek(0)
            assert child("fork", loader) == want
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def test_threads_share_a_loader(wildworld: str) -> None:
    loader = trajpack.open(wildworld).windows(length=8, batch=4, drop_last=False)
    got: list[int] = []
    lock = threading.Lock()

    def consume() -> None:
        # The end of the epoch is told to one of them; the others see it by the next epoch's batches.
        while (batch := loader.next()) is not None and batch.epoch == 0:
            with lock:
                got.extend(batch.windows.tolist())

    threads = [threading.Thread(target=consume, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    while len(got) < loader.windows and time.monotonic() < deadline:
        time.sleep(0.01)
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(got) == list(range(loader.windows))


def test_threads_read_at_once(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    want = dataset.episode("000002")["camera/pos"][:]
    equal: list[bool] = []                   # a thread that fails or hangs leaves it too short

    def read() -> None:
        for _ in range(50):
            equal.append(np.array_equal(dataset.episode("000002")["camera/pos"][:], want, equal_nan=True))

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert equal == [True] * 200


def test_arrays_outlive_everything(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    loader = dataset.windows(length=8, batch=4, seed=2)
    kept = [(b["camera/pos"], b["camera/pos"].copy()) for b in loader]
    rows = [array[1] for array, _ in kept]
    loader.close()
    del loader, dataset
    gc.collect()
    other = trajpack.open(wildworld).windows(length=8, batch=4, seed=3)
    for _ in other:
        pass
    for (array, copy), row in zip(kept, rows, strict=True):
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(row, copy[1])


def test_deletion_while_prefetching(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    for n in range(60):
        loader = dataset.windows(length=16, batch=8, prefetch=8)
        for _ in range(n % 4):
            loader.next()
        if n % 3 == 0:
            loader.close()
            with pytest.raises(trajpack.UsageError, match="closed"):
                loader.next()
        del loader
    gc.collect()
    deadline = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/task")) > 40 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/task")) <= 40


def test_cancelling_from_another_thread(wildworld: str) -> None:
    loader = trajpack.open(wildworld).windows(length=8, batch=4)
    loader.next()
    thread = threading.Thread(target=loader.cancel)
    thread.start()
    thread.join(PATIENCE)
    with pytest.raises(trajpack.TrajpackError) as caught:
        loader.next()
    assert caught.value.code == 5
    loader.seek(0)
    assert loader.next() is not None


def test_an_exception_in_the_consumer_leaves_the_place(wildworld: str) -> None:
    loader = trajpack.open(wildworld).windows(length=8, batch=4)
    with pytest.raises(ZeroDivisionError):
        for step, _ in enumerate(loader):
            if step == 2:
                raise ZeroDivisionError
    assert loader.position == 12


@pytest.fixture
def script(start: Start) -> Start:
    """Starts a Python that runs the code."""
    def script(code: str, **options: Any) -> subprocess.Popen[str]:
        # Whoever is started in the background of a shell ignores interrupts, and so would its children.
        code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + code
        return start([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return script


def test_an_interrupt_ends_the_loop(wildworld: str, script: Start) -> None:
    process = script(f"""
import trajpack
loader = trajpack.open({wildworld!r}).windows(length=8, batch=4)
print("going", flush=True)
try:
    while True:
        for batch in loader:
            pass
except KeyboardInterrupt:
    place = loader.state_dict()
    again = trajpack.open({wildworld!r}).windows(length=8, batch=4)
    again.load_state_dict(place)
    a, b = loader.next(), again.next()
    print("same" if (a is None) == (b is None) and (a is None or a.windows.tolist() == b.windows.tolist()) else "lost")
""")
    assert process.stdout is not None and process.stdout.readline() == "going\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)
    assert out == "same\n" and process.returncode == 0, error


def test_leaving_python_while_prefetching(wildworld: str, script: Start) -> None:
    process = script(f"""
import trajpack
loader = trajpack.open({wildworld!r}).windows(length=16, batch=8, prefetch=16)
batch = loader.next()
""")
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and error == ""


def test_memory_stays_flat(wildworld: str, script: Start) -> None:
    process = script(f"""
import gc, trajpack
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
dataset = trajpack.open({wildworld!r})
loader = dataset.windows(length=16, batch=4, channels=["camera", "npc", "state"])
def go(batches):
    done = 0
    while done < batches:
        for batch in loader:
            batch["camera/pos"].sum()
            batch["observed:camera/pos"]
            done += 1
go(2000)
gc.collect()
before = resident()
go(20000)
gc.collect()
print(resident() - before, len(gc.get_objects()))
for _ in range(300):
    with dataset.windows(length=16, batch=4) as other:
        other.next()
    trajpack.open({wildworld!r}).episode(0)["npc"][0]["hp"][:]
print(resident() - before)
""")
    out, error = process.communicate(timeout=200)
    grown = [int(line.split()[0]) for line in out.splitlines()]
    assert len(grown) == 2, error
    assert grown[0] < 8 << 20 and grown[1] < 40 << 20, grown


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_damaged_chunk_is_named(tmp_path: Path, on_error: str) -> None:
    import worlds
    archive = worlds.archive(5, streams=1, episodes=6, most=80)
    path = archive.write(tmp_path / "bad.h5")
    data = bytearray(path.read_bytes())
    data[4096 + 40] ^= 0xFF  # inside the first chunk
    path.write_bytes(data)
    loader = trajpack.open(path).windows(length=2, batch=1, shuffle=False, on_error=on_error, drop_last=False)
    if on_error == "raise":
        with pytest.raises(trajpack.DataError, match="chunk"):
            list(loader)
        with pytest.raises(trajpack.DataError, match="chunk"):
            loader.next()
    else:
        seen = sum(batch.count for batch in loader)
        stats = loader.stats()
        # The threads are ahead, perhaps in the next epoch already, and count what they skip there.
        assert 0 < loader.windows - seen <= stats["skipped"] and "chunk" in stats["last_error"]


def test_other_threads_of_python_run_while_a_batch_is_waited_for(wildworld: str) -> None:
    """Counted, not timed: this thread gets on while others spend their time inside the library."""
    loader = trajpack.open(wildworld).windows(length=64, batch=64, prefetch=1, threads=1)
    stop = threading.Event()
    done = [0]

    def load() -> None:
        while not stop.is_set():
            if loader.next() is not None:
                done[0] += 1

    thread = threading.Thread(target=load)
    thread.start()
    steps = 0
    deadline = time.monotonic() + PATIENCE
    while done[0] < 50 and time.monotonic() < deadline:
        steps += 1
    stop.set()
    thread.join(PATIENCE)
    # With the lock held this loop would get a turn at most every 5 ms between batches.
    assert done[0] >= 50 and steps > 50 * done[0]


SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

// A disk that answers only while the file $SLOW_DISK is not there.
static void stuck(void) { while (getenv("SLOW_DISK") && access(getenv("SLOW_DISK"), F_OK) == 0) usleep(1000); }
#define SLOW(name) ssize_t name(int fd, void *to, size_t count, off_t at) { \\
  static ssize_t (*real)(int, void *, size_t, off_t); \\
  if (!real) real = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, #name); \\
  stuck(); return real(fd, to, count, at); }
SLOW(pread)
SLOW(pread64)
"""


def test_an_interrupt_reaches_who_waits_for_a_slow_disk(wildworld: str, script: Start, tmp_path: Path) -> None:
    (tmp_path / "slow.c").write_text(SLOW)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c", "-ldl"], check=True)
    gate = tmp_path / "gate"
    process = script(f"""
import os, trajpack
dataset = trajpack.open({wildworld!r})
want = dataset.windows(length=8, batch=4).next().windows.tolist()
loader = dataset.windows(length=8, batch=4, threads=2)
open({str(gate)!r}, "w").close()
try:
    print("going", flush=True)
    loader.next()
    print("not slow")
except KeyboardInterrupt:
    print("interrupted" if os.path.exists({str(gate)!r}) else "the disk came first", flush=True)
os.remove({str(gate)!r})
print(loader.next().windows.tolist() == want)
""", env={**surroundings(), "LD_PRELOAD": str(tmp_path / "slow.so"), "SLOW_DISK": str(gate)})
    assert process.stdout is not None and process.stdout.readline() == "going\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)
    assert out == "interrupted\nTrue\n" and process.returncode == 0, (out, error)
