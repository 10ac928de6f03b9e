"""The loader as Python reaches it: forks, threads, cancelling, damage, and what the library links.

Every test that may hang has a limit: a child that does not answer in time is killed and fails the test.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, built

os.environ.setdefault("TRAJPACK_LIBRARY", built("libtrajpack-c.so"))
sys.path.insert(0, str(ROOT / "tools" / "bench"))
import native   # noqa: E402

LIMIT = 60


@pytest.fixture(scope="module")
def archive(tmp_path_factory, trajpack):
    """Twelve ragged recordings, and their arrays."""
    folder = tmp_path_factory.mktemp("loader")
    random = np.random.default_rng(0)
    arrays = {}
    for i in range(12):
        rows = int(random.integers(40, 400))
        arrays[f"r{i:02d}"] = {
            "state": random.normal(size=(rows, 9)).astype(np.float32),
            "joints": random.normal(size=(rows, 70, 3)).astype(np.float32),
            "step": np.arange(rows, dtype=np.int64) + 1000 * i}
        np.savez(folder / f"r{i:02d}.npz", **arrays[f"r{i:02d}"])
    subprocess.run([trajpack, "convert", *sorted(folder.glob("*.npz")), folder / "out", "--rate", "30",
                    "--leading-axis", "time", "--quiet"], check=True)
    return folder / "out", arrays


def digest(loader, batches):
    """The windows and the sums of some batches."""
    out = []
    while len(out) < batches:
        batch = loader.next()
        if batch is not None:
            out.append((loader.windows, float(batch["series/joints"].astype(np.float64).sum())))
    return out


def in_child(work, start=os.fork):
    """Runs `work` in a forked child; its result, or a failure after the limit."""
    read, write = os.pipe()
    pid = start()
    if pid == 0:
        status = 1
        try:
            os.write(write, json.dumps(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            with os.fdopen(read) as pipe:
                text = pipe.read()
            assert status == 0, f"the child ended with {status}"
            return json.loads(text)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pytest.fail("the child hung")


def plain(value):
    return json.loads(json.dumps(value))


def options(**more):
    return {"length": 16, "batch": 8, "threads": 3, "seed": 4, **more}


def test_windows_equal_the_arrays(archive):
    path, arrays = archive
    loader = native.Loader(path, **options())
    names = list(arrays)
    for _ in range(20):
        batch = loader.next()
        for i, (dataset, window) in enumerate(loader.windows):
            episode, _, row = loader.locate(window, dataset)
            for key, value in arrays[names[episode]].items():
                assert np.array_equal(batch[f"series/{key}"][i], value[row:row + 16])


def test_tracks_are_read(archive):
    path, arrays = archive
    dataset = native.Dataset(path)
    about = dataset.episode(3)
    track = about["tracks"][0]["track"]
    found = dataset.read(track, "joints", 5, 30, (70, 3), np.float64)
    assert np.array_equal(found, arrays["r03"]["joints"][5:35].astype(np.float64))
    with pytest.raises(native.TrajpackError, match="did you mean 'joints'"):
        dataset.read(track, "joint", 0, 1, (70, 3), np.float32)


def test_children_go_on_after_the_fork(archive):
    path, _ = archive
    wanted = plain(digest(native.Loader(path, **options()), 12))
    loader = native.Loader(path, **options())
    assert in_child(lambda: digest(loader, 12)) == wanted              # before any thread
    head = plain(digest(loader, 4))
    assert head == wanted[:4]
    assert in_child(lambda: digest(loader, 8)) == wanted[4:]           # threads are there, and stay in the parent
    assert in_child(lambda: in_child(lambda: digest(loader, 8))) == wanted[4:]
    assert plain(digest(loader, 8)) == wanted[4:]


def test_forks_while_threads_work(archive):
    path, _ = archive
    wanted = plain(digest(native.Loader(path, **options()), 3))
    stop = threading.Event()
    busy = [native.Loader(path, **options(prefetch=2)) for _ in range(2)]

    def spin(loader):
        while not stop.is_set():
            loader.next()

    threads = [threading.Thread(target=spin, args=(b,)) for b in busy]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            assert in_child(lambda: digest(native.Loader(path, **options()), 3)) == wanted
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def spawned(path, queue):
    queue.put(plain(digest(native.Loader(path, **options()), 5)))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_spawned_processes(archive, method):
    path, _ = archive
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=spawned, args=(path, queue))
    process.start()
    assert queue.get(timeout=LIMIT) == plain(digest(native.Loader(path, **options()), 5))
    process.join(LIMIT)


def test_threads_do_not_matter(archive):
    path, _ = archive
    results = [plain(digest(native.Loader(path, **options(threads=n, prefetch=p)), 40))
               for n, p in ((1, 1), (2, 3), (7, 9))]
    assert results[0] == results[1] == results[2]


def test_cancelling_wakes_who_waits(archive):
    path, _ = archive
    loader = native.Loader(path, **options())
    loader.next()
    threading.Timer(0.05, loader.cancel).start()
    limit = time.monotonic() + LIMIT
    while loader.next() is not None or loader.status != native.CANCELLED:
        assert time.monotonic() < limit
    loader.resume(loader.state())
    assert loader.next() is not None


def test_freeing_while_prefetching_leaks_nothing(archive):
    path, _ = archive
    dataset = native.Dataset(path)

    def memory():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def cycle(times):
        for _ in range(times):
            native.Loader(dataset, **options(prefetch=6)).next()

    cycle(30)
    before, threads = memory(), len(os.listdir("/proc/self/task"))
    cycle(150)
    assert memory() - before < 24 << 20
    assert len(os.listdir("/proc/self/task")) <= threads


def test_held_batches_stay_valid(archive):
    path, _ = archive
    loader = native.Loader(path, **options(prefetch=2))
    wanted, held = [], []
    for _ in range(12):
        loader.next()
        view = loader.view
        held.append((loader.batch, view))
        loader.batch = None                                            # not given back: it is ours
        wanted.append(np.ctypeslib.as_array((native.C.c_uint8 * view.bytes).from_address(view.memory)).copy())
    del loader
    for (batch, view), bytes_ in zip(held, wanted, strict=True):
        now = np.ctypeslib.as_array((native.C.c_uint8 * view.bytes).from_address(view.memory))
        assert np.array_equal(now, bytes_)
        native.LIB.tp_batch_free(batch)


def test_a_state_of_other_data_is_refused(archive):
    path, _ = archive
    loader, other = native.Loader(path, **options()), native.Loader(path, **options(length=17))
    with pytest.raises(native.TrajpackError, match="other options"):
        other.resume(loader.state())


@pytest.mark.parametrize("codec", ["lz4", "zstd", "none"])
def test_a_file_that_shrinks_is_an_error(tmp_path, trajpack, codec):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(1).normal(size=(4000, 50)).astype(np.float32))
    subprocess.run([trajpack, "convert", tmp_path / "a.npz", tmp_path / "out", "--rate", "1", "--codec", codec,
                    "--leading-axis", "time", "-q"], check=True)
    script = f"""
import sys, os; sys.path.insert(0, {str(ROOT / "tools" / "bench")!r})
import native
loader = native.Loader({str(tmp_path / "out")!r}, length=8, batch=4, shuffle="none")
for _ in range(900): loader.next()
loader.resume(loader.state())
os.truncate({str(tmp_path / "out" / "shard-000000.h5")!r}, 8192)
try:
    while True: loader.next()
except native.TrajpackError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert "cut while it was read" in done.stdout


@pytest.mark.parametrize("codec", ["lz4", "none"])
def test_a_file_that_shrinks_is_an_error_of_single_windows_too(tmp_path, trajpack, codec):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(1).normal(size=(4000, 50)).astype(np.float32))
    subprocess.run([trajpack, "convert", tmp_path / "a.npz", tmp_path / "out", "--rate", "1", "--codec", codec,
                    "--leading-axis", "time", "-q"], check=True)
    script = f"""
import sys, os; sys.path.insert(0, {str(ROOT / "tools/python/src")!r})
import trajpack
loader = trajpack.open({str(tmp_path / "out")!r}).windows(length=8, batch=4, shuffle=False)
for windows in ([3900], [10], [3900]): loader.read(windows)
os.truncate({str(tmp_path / "out" / "shard-000000.h5")!r}, 8192)
try:
    loader.read([3900])
except trajpack.TrajpackError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert "cut while it was read" in done.stdout


def test_the_library_links_neither_hdf5_nor_foundation():
    library = os.environ["TRAJPACK_LIBRARY"]
    needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    assert "hdf5" not in needed and "Foundation" not in needed
    if "/release/" in library:
        symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
        exported = {line.split()[2] for line in symbols.stdout.splitlines() if line.split()[1] in "TDBVW"}
        header = "".join(h.read_text() for h in (ROOT / "Sources" / "CTrajpack" / "include").glob("*.h"))
        assert exported and all(name.startswith("tp_") and name in header for name in exported)
        assert "swift" not in needed


def test_the_header_is_clean_c(tmp_path):
    source = tmp_path / "a.c"
    source.write_text('#include "trajpack.h"\nint main(void) { return tp_abi() != TP_ABI; }\n')
    for language in ("c", "c++"):
        subprocess.run(["gcc", "-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                        f"-I{ROOT / 'Sources' / 'CTrajpack' / 'include'}", source], check=True)
