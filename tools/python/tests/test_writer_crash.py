"""What a writer promises: kill it anywhere, and nothing is lost that was acknowledged."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from places import program, surroundings

import trajpack

WRITE = """
import sys, numpy as np, trajpack
path, first = sys.argv[1], int(sys.argv[2])
writer = trajpack.create(path, mode="a", rate=30, shard_bytes=1 << 20)
for n in range(first, first + 10000):
    rows = 20 + n % 7
    writer.append(f"e{n:06d}", x=np.full((rows, 3), n, np.float32), say=[f"{n}.{i}" for i in range(rows)])
    print(n, flush=True)                                # acknowledged
"""


def check(path, acknowledged):
    """Every acknowledged episode is there and right; at most one more, whole, that was not told of in time."""
    ds = trajpack.open(path)
    ids = ds.episodes.ids
    assert ids == [f"e{n:06d}" for n in range(len(ids))]
    assert len(ids) in (acknowledged, acknowledged + 1), (len(ids), acknowledged)
    for n in {0, len(ids) // 2, len(ids) - 1}:
        episode = ds.episode(f"e{n:06d}")
        assert (episode["frames/x"][:] == n).all() and len(episode["frames/x"][:]) == 20 + n % 7
        assert episode["frames/say"][:] == [f"{n}.{i}" for i in range(20 + n % 7)]
    verified = subprocess.run([program(), "verify", path], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
    return len(ids)


def test_kill_loses_nothing_that_was_acknowledged(start, tmp_path):
    path = str(tmp_path / "ds")
    chance = random.Random(11)
    done = 0
    for _ in range(8):
        child = start([sys.executable, "-c", WRITE, path, done], stdout=subprocess.PIPE)
        assert child.stdout
        for _ in range(chance.randrange(1, 60)):
            child.stdout.readline()
        time.sleep(chance.random() / 300)
        child.send_signal(signal.SIGKILL)
        told = child.stdout.read().split("\n")                    # what the pipe still held
        child.wait()
        rest = [int(t) for t in told if t]
        # A line may be torn; the last whole one that counts on is the last that was told.
        acknowledged = max([done, *[n + 1 for n in rest]])
        ds_count = len(trajpack.open(path))
        done = check(path, max(acknowledged, ds_count - 1))
    with trajpack.create(path, mode="a", rate=30) as writer:      # a stale lock is no lock
        assert len(writer) == done
        writer.append(f"e{done:06d}", x=np.full((20 + done % 7, 3), done, np.float32),
                      say=[f"{done}.{i}" for i in range(20 + done % 7)])
    assert check(path, done + 1) == done + 1 and trajpack.open(path).complete
    assert not [f for f in os.listdir(path) if f.startswith(".tmp-") or f == "journal"]


def test_every_system_call_that_fails(tmp_path):
    """A full disk at any byte: a sentence, nothing half-written, and what was acknowledged stays."""
    code = """
import resource, signal, sys, numpy as np, trajpack
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, limit = sys.argv[1], int(sys.argv[2])
writer = trajpack.create(path, rate=30)
writer.append("first", x=np.zeros(10))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    writer.append("second", x=np.random.default_rng(1).normal(size=(3000, 2))[:, 0] if limit else np.zeros(10))
    print("written")
except trajpack.MachineError as error:
    print("refused", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append("third", x=np.zeros(10))
writer.close()
"""
    seen = set()
    for limit in (0, 100, 5000, 9000, 15000, 1 << 20):
        path = tmp_path / str(limit)
        out = subprocess.run([sys.executable, "-c", code, path, str(limit)], env=surroundings(), capture_output=True,
                             text=True, timeout=60)
        assert out.returncode == 0, out.stderr
        seen.add(out.stdout.split()[0])
        ids = trajpack.open(path).episodes.ids
        assert ids == (["first", "second", "third"] if out.stdout.startswith("written") else ["first", "third"]), out.stdout
        assert sorted(f for f in os.listdir(path) if f.endswith(".h5")) == trajpack.open(path).shards
    assert seen == {"written", "refused"}


def test_two_writers(tmp_path):
    path = str(tmp_path / "ds")
    first = trajpack.create(path, rate=30)
    for _ in range(2):
        with pytest.raises(trajpack.UsageError, match="another process is writing"):
            trajpack.create(path, mode="a", rate=30)
        first.append(str(len(first)), x=[1.0])
    for n in range(20):                                            # joining puts another journal in place of the first
        first.append(f"j{n}", x=[1.0])
    assert first.stats()["joins"] == 1
    with pytest.raises(trajpack.UsageError, match="another process is writing"):
        trajpack.create(path, mode="a", rate=30)
    refused = subprocess.run([program(), "convert", "--overwrite", str(tmp_path), path], capture_output=True, text=True)
    assert refused.returncode != 0
    first.close()
    with trajpack.create(path, mode="a", rate=30) as second:
        assert len(second) == 22


def test_a_forked_child_holds_nothing(tmp_path):
    path = str(tmp_path / "ds")
    writer = trajpack.create(path, rate=30)
    writer.append("a", x=[1.0])
    episode = writer.episode("b")
    episode.append(x=2.0)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for attempt in (lambda: writer.append("c", x=[1.0]), lambda: episode.append(x=1.0), episode.commit, writer.close):
            try:
                attempt()
                said.append("done")
            except trajpack.UsageError as error:
                said.append("refused" if "child of a fork" in str(error) else str(error))
            except BaseException as error:
                said.append(repr(error))
        os.write(write, " ".join(said).encode())
        time.sleep(30)                                             # it lives on, and must not hold the lock
        os._exit(0)
    try:
        assert os.read(read, 1000) == b"refused refused refused done"       # closing does nothing there
        episode.commit()                                           # the parent goes on
        writer.close()
        with trajpack.create(path, mode="a", rate=30) as other:
            other.append("c", x=[3.0])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert trajpack.open(path).episodes.ids == ["a", "b", "c"]


def test_readers_never_miss_a_shard_that_is_joined(start, tmp_path):
    """While one process writes, another opens the data set over and over."""
    path = str(tmp_path / "ds")
    child = start([sys.executable, "-c", WRITE.replace("10000", "600") + "\nwriter.close()", path, 0],
                  stdout=subprocess.DEVNULL)
    while child.poll() is None and not os.path.exists(os.path.join(path, "shard-000000.h5")):
        time.sleep(0.001)
    last, opened = 0, 0
    while child.poll() is None:
        try:
            count = len(trajpack.open(path))
        except trajpack.UsageError as error:
            assert "no shards yet" in str(error) and not opened
            continue
        assert count >= last
        last, opened = count, opened + 1
    assert child.returncode == 0 and opened > 20
    assert len(trajpack.open(path)) == 600 and trajpack.open(path).complete
