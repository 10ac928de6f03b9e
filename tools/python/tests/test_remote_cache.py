"""What is kept of datasets on servers: read once, checked, within its limit, and shared."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from object_server import Fault, ObjectServer, Request
from places import surroundings
from remote_world import web, world  # noqa: F401  fixtures


def epoch(url: str, folder: Path, **more: str) -> str:
    """A digest of all windows, of a process with a cache."""
    code = textwrap.dedent("""
        import hashlib, os, sys, numpy as np, trajpack
        data, digest = trajpack.open(sys.argv[1]), hashlib.sha256()
        verify = os.environ.get("VERIFY", "first")
        for batch in data.windows(length=16, batch=8, shuffle=True, seed=1, verify=verify):
            for name in sorted(batch):
                digest.update(np.ascontiguousarray(batch[name]).tobytes())
        print(digest.hexdigest())
    """)
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=120, check=True,
                          env={**surroundings(), "TRAJPACK_CACHE_DIR": str(folder), **more})
    return done.stdout


def test_what_was_read_is_not_asked_for_again(world: Path, web: ObjectServer, tmp_path: Path) -> None:
    url, cache = f"{web.url}/bucket/ww", tmp_path / "cache"
    want = epoch(str(world / "bucket" / "ww"), cache)
    assert epoch(url, cache) == want
    web.requests.clear()
    assert epoch(url, cache) == want
    assert {r.range for r in web.requests} == {"bytes=0-65535"}, "more than the first bytes of each object"
    # A crash has left blocks that are said to be there and are not.
    for data in cache.glob("*.data"):
        os.truncate(data, 0)
    web.requests.clear()
    assert epoch(url, cache) == want and len(web.requests) > 2
    for data in cache.glob("*.data"):
        with data.open("r+b") as file:
            file.seek(data.stat().st_size // 2)
            file.write(b"\xff" * 1000)
    for m in cache.glob("*.map"):
        m.write_bytes(b"\xff" * 100)
    assert epoch(url, cache) == want
    # Nothing can be kept: reading goes on.
    (tmp_path / "file").write_text("")
    assert epoch(url, tmp_path / "file") == want


@pytest.mark.parametrize("verify", ["always", "never"])
def test_what_was_changed_on_its_way_is_not_kept(world: Path, tmp_path: Path, verify: str) -> None:
    """A chunk whose bits were flipped before they were kept is had again, in this process and in later ones; where chunks
    are not compared, bytes that the disk has changed are still found by their blocks."""
    cache = tmp_path / "cache"
    want = epoch(str(world / "bucket" / "ww"), cache)
    seen: set[str] = set()

    def once(request: Request) -> Fault | None:
        text = request.range or "bytes=0-"
        first = int(text[6:].split("-")[0])
        if verify == "never" or not request.path.endswith(".h5") or len(seen) > 3 or first == 0 \
                or first > (world / request.path.lstrip("/")).stat().st_size // 2:  # the index lies at the end
            return None
        seen.add(text)
        return Fault(flip=900)
    with ObjectServer(world, fault=once) as server:
        url = f"{server.url}/bucket/ww"
        assert epoch(url, cache, VERIFY=verify) == want
        assert seen or verify == "never"
        server.requests.clear()
        assert epoch(url, cache, VERIFY=verify) == want
        assert {r.range for r in server.requests} == {"bytes=0-65535"}
        for data in cache.glob("*.data"):
            stored = bytearray(data.read_bytes())
            stored[len(stored) // 2] ^= 4
            data.write_bytes(bytes(stored))
        for _ in range(2):
            assert epoch(url, cache, VERIFY=verify) == want


def test_another_content_is_another_object_and_the_limit_holds(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "bucket" / "ww", tmp_path / "ds")
    cache, shard = tmp_path / "cache", tmp_path / "ds" / "shard-000000.h5"
    with ObjectServer(tmp_path) as server:
        want = epoch(f"{server.url}/ds", cache)
        for stamp in range(1, 4):
            os.utime(shard, (stamp, stamp))
            assert epoch(f"{server.url}/ds", cache, TRAJPACK_CACHE_BYTES="2MiB") == want
        assert sum(f.stat().st_blocks * 512 for f in cache.glob("*.data")) < 5 << 20
        assert len(list(cache.glob("*.data"))) < 6


def test_processes_share_a_cache(world: Path, web: ObjectServer, tmp_path: Path) -> None:
    want = epoch(str(world / "bucket" / "ww"), tmp_path / "cache")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(epoch(f"{web.url}/bucket/ww", tmp_path / "cache",
                                                                  TRAJPACK_CACHE_BYTES="1MiB"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [want] * 4
