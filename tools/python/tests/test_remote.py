"""Datasets on servers and in buckets: the same bytes, states and reports as those of a local folder, or an error that
names object and range. The servers are on loopback; signatures are judged by botocore."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from object_server import Fault, ObjectServer, Request
from places import surroundings
from remote_world import run, web, world  # noqa: F401  fixtures

# ---- The same as local


@pytest.mark.parametrize("options", [
    {"length": 16, "batch": 8},
    {"length": 5, "batch": 7, "shuffle": True, "seed": 3},
    {"length": 16, "batch": 4, "shuffle": "block", "seed": 5},
    {"length": 16, "batch": 8, "threads": 1, "mmap": True},
    {"length": 16, "batch": 8, "verify": "never"},
    {"length": 8, "batch": 8, "rate": 10},
], ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items()))
@pytest.mark.parametrize("name", ["ww", "many shards/=+ü"])
def test_windows_are_those_of_a_local_dataset(world: Path, web: ObjectServer, name: str, options: dict[str, Any]) -> None:
    local, remote = trajpack.open(world / "bucket" / name), trajpack.open(f"{web.url}/bucket/{name}")
    assert remote.digest == local.digest and remote.shards == local.shards and len(remote) == len(local)
    if name != "ww":  # streams of many units of time
        options = {**options, "channels": [f"{next(iter(local.streams))}/*"]}
    ours, theirs = local.windows(**options), remote.windows(**options)
    count = 0
    for _ in range(2):
        for a, b in zip(ours, theirs, strict=True):
            assert set(a) == set(b)
            for key in a:
                np.testing.assert_array_equal(np.asarray(a[key]), np.asarray(b[key]), err_msg=key)
            assert ours.state_dict() == theirs.state_dict()
            count += 1
    assert count > 0


def test_a_prepared_view_is_that_of_a_local_dataset(world: Path, web: ObjectServer) -> None:
    plan = {"steps": [{"do": "resample", "rate": 12}]}
    found = []
    for path in (str(world / "bucket" / "ww"), f"{web.url}/bucket/ww"):
        try:
            found.append([{k: np.asarray(v).tobytes() for k, v in b.items()}
                          for b in trajpack.open(path).windows(length=6, batch=4, plan=plan)])
        except trajpack.TrajpackError as error:
            found.append([str(error)])
    assert found[0] == found[1]


@pytest.mark.parametrize("words", [
    ["info"], ["info", "--json"], ["head"], ["verify"], ["validate", "--json"],
    ["evaluate", "--metrics", "smoothness"], ["statistics"], ["sample", "--count", "2", "--seed", "1"],
], ids=" ".join)
def test_commands_say_the_same(world: Path, web: ObjectServer, words: list[str]) -> None:
    command, *options = words
    local, remote = (run(command, path, *options) for path in (world / "bucket" / "ww", f"{web.url}/bucket/ww"))
    assert remote.returncode == local.returncode
    def plain(text: str, path: object) -> str:
        return text.replace(str(path), "DATASET")
    assert plain(remote.stdout, f"{web.url}/bucket/ww") == plain(local.stdout, world / "bucket" / "ww")
    assert plain(remote.stderr, f"{web.url}/bucket/ww") == plain(local.stderr, world / "bucket" / "ww")


def test_bench_and_a_single_shard(web: ObjectServer) -> None:
    assert run("bench", f"{web.url}/bucket/ww", "--rounds", "1").returncode == 0
    assert "3 episodes" in run("info", f"{web.url}/bucket/ww/shard-000000.h5").stdout
    assert trajpack.open(f"{web.url}/bucket/ww/shard-000000.h5").complete


def test_episodes_and_fork(world: Path, web: ObjectServer) -> None:
    local, remote = trajpack.open(world / "bucket" / "ww"), trajpack.open(f"{web.url}/bucket/ww")

    def same() -> bool:
        return all(local.episode(i)["camera"].to_pandas().equals(remote.episode(i)["camera"].to_pandas()) for i in range(len(local)))
    assert same()
    child = os.fork()
    if child == 0:
        os._exit(0 if same() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---- How it asks


def test_requests_of_a_batch_are_joined_and_under_way_together(world: Path) -> None:
    """One thread that inflates, many requests at once; and fewer requests than chunks."""
    here, most, lock = 0, 0, threading.Lock()

    def fault(request: Request) -> None:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        threading.Event().wait(0.05)
        with lock:
            here -= 1
    with ObjectServer(world, fault=fault) as server:
        data = trajpack.open(f"{server.url}/bucket/many shards/=+ü")
        shards, before = len(data.shards), len(server.requests)
        # A manifest, and of each shard its first bytes; an index that these do not hold is a second request.
        assert shards > 1 and before <= 1 + 2 * shards
        most = 0
        loader = data.windows(channels=[f"{next(iter(data.streams))}/*"], length=4, batch=32, shuffle=True, seed=1,
                              threads=1, prefetch=4)
        windows = sum(len(next(iter(b.values()))) for b in loader)
        assert most >= 2, "requests wait for each other"
        asked = len(server.requests) - before
        assert 0 < asked < windows
        assert server.connections < len(server.requests), "no connection is used again"


def test_libcurl_is_loaded_with_the_first_remote_path(world: Path, web: ObjectServer) -> None:
    code = textwrap.dedent("""
        import sys, trajpack
        trajpack.open(sys.argv[1]).windows(length=4, batch=2)
        assert "libcurl" not in open("/proc/self/maps").read()
        trajpack.open(sys.argv[2])
        assert "libcurl" in open("/proc/self/maps").read()
    """)
    subprocess.run([sys.executable, "-c", code, world / "bucket" / "ww", f"{web.url}/bucket/ww"], check=True,
                   env=surroundings())


# ---- What goes wrong


def sometimes(fault: Fault) -> Any:
    """A fault of the first request, and of another one later: the next attempt succeeds."""
    return lambda request: fault if request.number in (0, 4) else None


@pytest.mark.parametrize("fault", [
    Fault(status=500, code="InternalError"), Fault(status=503, code="SlowDown", headers={"Retry-After": "1"}),
    Fault(status=429), Fault(cut=100), Fault(cut=0), Fault(reset=True), Fault(shift=7),
    Fault(status=400, code="RequestTimeout"), Fault(stall=30),
], ids=lambda f: ",".join(f"{k}={v}" for k, v in vars(f).items() if v != getattr(Fault(), k)))
def test_what_passes_is_tried_again(world: Path, fault: Fault) -> None:
    with ObjectServer(world, fault=sometimes(fault)) as server:
        done = run("verify", f"{server.url}/bucket/ww", TRAJPACK_HTTP_TIMEOUT="1")
        assert done.returncode == 0 and "good" in done.stdout, done.stderr
        assert len(server.requests) > 5


@pytest.mark.parametrize("fault, words", [
    (Fault(status=500, code="InternalError"), "status 500, InternalError"),
    (Fault(status=503), "after 3 attempts"), (Fault(cut=10), "after 3 attempts"), (Fault(reset=True), "after 3 attempts"),
    (Fault(shift=3), "other bytes after 3 attempts"), (Fault(stall=30), "after 3 attempts"),
    (Fault(status=403, code="AccessDenied"), "access is denied"), (Fault(status=404, code="NoSuchKey"), "does not exist"),
    (Fault(etag='"another"'), "another object than the one that was opened"), (Fault(whole=True), "ranges of bytes"),
], ids=lambda f: f if isinstance(f, str) else "")
def test_what_stays_names_object_and_range(world: Path, fault: Fault, words: str) -> None:
    """The shard, behind its first bytes."""
    def later(request: Request) -> Fault | None:
        return fault if request.path.endswith(".h5") and not (request.range or "").startswith("bytes=0-") else None
    with ObjectServer(world, fault=later) as server:
        done = run("verify", f"{server.url}/bucket/ww", TRAJPACK_HTTP_TIMEOUT="1", TRAJPACK_HTTP_ATTEMPTS="3")
        assert done.returncode in (2, 3) and words in done.stderr, done.stderr
        assert f"{server.url}/bucket/ww/shard-000000.h5" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_bit_flipped_on_the_way_is_brought_again(world: Path) -> None:
    """The checksum of the chunk finds it; what stays wrong is damage of the chunk."""
    seen: set[str] = set()

    def once(request: Request) -> Fault | None:
        text = request.range or ""
        if not request.path.endswith(".h5") or text.startswith("bytes=0-") or seen or not armed:
            return None
        seen.add(text)
        return Fault(flip=20)
    armed = False
    with ObjectServer(world, fault=once) as server:
        local, remote = trajpack.open(world / "bucket" / "ww"), trajpack.open(f"{server.url}/bucket/ww")
        armed = True
        options = {"length": 8, "batch": 2}
        for a, b in zip(local.windows(**options), remote.windows(**options), strict=True):
            for key in a:
                np.testing.assert_array_equal(np.asarray(a[key]), np.asarray(b[key]))
        assert seen
        server.fault = lambda r: Fault(flip=20)
        with pytest.raises(trajpack.DataError, match="shard-000000.h5.*damaged"):
            list(remote.windows(**options))


def test_an_object_that_changes_is_an_error(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "bucket" / "ww", tmp_path / "ds")
    with ObjectServer(tmp_path) as server:
        data = trajpack.open(f"{server.url}/ds")
        shard = tmp_path / "ds" / "shard-000000.h5"
        shard.write_bytes(shard.read_bytes())
        os.utime(shard, ns=(1, 1))
        with pytest.raises(trajpack.MachineError, match="another object than the one that was opened"):
            list(data.windows(length=8, batch=2))


def test_servers_without_ranges_and_without_data(world: Path, web: ObjectServer) -> None:
    import http.server
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: http.server.SimpleHTTPRequestHandler(
            *a, directory=str(world))) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        done = run("info", f"http://127.0.0.1:{plain.server_address[1]}/bucket/ww")
        plain.shutdown()
    assert done.returncode == 2 and "does not answer ranges of bytes" in done.stderr
    done = run("info", f"{web.url}/bucket/nothing")
    assert done.returncode == 2 and "does not exist" in done.stderr and "manifest.json" in done.stderr
    done = run("info", "http://127.0.0.1:9/x", TRAJPACK_HTTP_ATTEMPTS="2")
    assert done.returncode == 3 and "after 2 attempts" in done.stderr and "connect" in done.stderr
    done = run("info", "http://10.0.0.1/x")
    assert done.returncode == 2 and "TRAJPACK_ALLOW_HTTP=1" in done.stderr
    for wrong in ("https://", "s3://", "s3:///key", "https:///x", "hf://models/a/b", "hf://datasets/a", "s3://a b/c"):
        done = run("info", wrong)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, wrong


def test_nothing_is_written_there(web: ObjectServer, tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        url = f"{web.url}/bucket/ww"
        for words in (["split", url, "--by", "episode", "--fractions", "train=0.5,test=0.5"],
                      ["apply", url, f"{web.url}/new", "--plan", "x"], ["repair", url],
                      ["resample", url, f"{web.url}/new", "--rate", "10"]):
            done = run(*words)
            assert done.returncode == 2, words
        with pytest.raises(trajpack.UsageError):
            trajpack.create(f"{web.url}/new")
        assert not list(tmp_path.iterdir())
    finally:
        os.chdir(here)
