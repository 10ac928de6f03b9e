"""What servers, disks, other users and signals do to remote reading: one sentence, and no secret given away."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trajpack
from object_server import Fault, ObjectServer, Request
from places import program, surroundings
from remote_world import BARE, run, web, world  # noqa: F401  fixtures
from test_remote_cache import epoch


def refused(code: int, *words: str | os.PathLike[str], **environment: str) -> str:
    done = run(*words, **environment)
    assert done.returncode == code and len(done.stderr.splitlines()) == 1, (done.returncode, done.stderr)
    return done.stderr


def environment(**more: str) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "HF_", "TRAJPACK_HTTP"))}
    return {**kept, **BARE, **more}


# ---- The cache

@pytest.mark.parametrize("size", ["8k", "40k", "500k"])
def test_a_full_disk_keeps_nothing_and_reading_goes_on(tmp_path: Path, size: str) -> None:
    """Of three shards the first fills the disk."""
    disk = tmp_path / "disk"
    (tmp_path / "runs").mkdir()
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={size} none {disk}"
    if subprocess.run(["unshare", "-rm", "bash", "-c", mount], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    for i in range(3):
        np.save(tmp_path / "runs" / f"{i}.npy", np.random.default_rng(i).normal(size=(20000, 6)))
    made = run("convert", tmp_path / "runs", tmp_path / "ds", "--rate", "10", "--shard-size", "600KB")
    assert made.returncode == 0 and len(list((tmp_path / "ds").glob("shard-*"))) == 3, made.stderr
    with ObjectServer(tmp_path) as server:
        done = subprocess.run(
            ["unshare", "-rm", "bash", "-c", f'{mount} && "$0" "$@"', program(), "verify", f"{server.url}/ds"],
            capture_output=True, text=True, timeout=120, env=environment(TRAJPACK_CACHE_DIR=str(disk)))
    assert done.returncode == 0 and "good" in done.stdout, (done.returncode, done.stderr)


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("ending", ["data", "map"])
def test_files_of_others_are_not_written_through_links(
        world: Path, web: ObjectServer, tmp_path: Path, link: object, ending: str) -> None:
    url, cache = f"{web.url}/bucket/ww", tmp_path / "cache"
    want = epoch(url, cache)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious" * 100)
    for path in cache.glob(f"*.{ending}"):
        path.unlink()
        link(victim, path)  # type: ignore[operator]
    assert epoch(url, cache) == want and victim.read_bytes() == b"precious" * 100


def test_a_cache_that_others_may_write_to_is_refused(web: ObjectServer, tmp_path: Path) -> None:
    url = f"{web.url}/bucket/ww"
    for mode, code in ((0o777, 2), (0o775, 2), (0o1777, 0), (0o755, 0)):
        tmp_path.chmod(mode)
        done = run("info", url, TRAJPACK_CACHE_DIR=str(tmp_path))
        assert done.returncode == code and ("another user may write" in done.stderr) == bool(code), done.stderr
    tmp_path.chmod(0o700)


# ---- Secrets and hosts

@pytest.fixture
def signed(world: Path) -> Iterator[ObjectServer]:
    """A server that wants a signature, and no other query."""
    with ObjectServer(world, fault=lambda r: None if r.query == "sig=GOOD" else Fault(status=403)) as server:
        yield server


def test_a_signature_that_fails_does_not_replace_a_good_one(signed: ObjectServer) -> None:
    place = f"{signed.url}/bucket/ww"
    data = trajpack.open(f"{place}?sig=GOOD")
    for _ in range(2):
        with pytest.raises(trajpack.UsageError, match="denied"):
            trajpack.open(f"{place}?sig=EXPIRED")
        with pytest.raises(trajpack.UsageError, match="denied"):
            trajpack.open(f"{place}/shard-000000.h5?sig=EXPIRED")
        with pytest.raises(trajpack.UsageError, match="denied"):
            trajpack.open(place)
        with pytest.raises(trajpack.UsageError, match="denied"):
            trajpack.open(f"{place}/shard-000000.h5")
    signed.requests.clear()
    assert len(data.episodes) > 0 and next(iter(data.windows(length=4, batch=2))) is not None
    assert trajpack.open(f"{place}?sig=GOOD").digest == data.digest
    assert {r.query for r in signed.requests} == {"sig=GOOD"}


def test_a_signature_that_works_takes_the_place_of_an_expired_one(world: Path) -> None:
    good = ["sig=1"]
    with ObjectServer(world, fault=lambda r: None if r.query == good[0] else Fault(status=403)) as server:
        place = f"{server.url}/bucket/ww"
        trajpack.open(f"{place}?sig=1")
        good[0] = "sig=2"
        data = trajpack.open(f"{place}?sig=2")
        assert next(iter(data.windows(length=4, batch=2))) is not None


@pytest.mark.parametrize("host", ["127.0.0.1.evil.invalid", "127.evil.invalid", "127.0.0.1.", "localhost.evil.invalid",
                                  "[::2]", "[::1].evil.invalid", "1270.0.0.1"])
def test_what_is_not_this_machine_is_not_taken_for_it(host: str) -> None:
    assert "://" in refused(2, "info", f"http://{host}/ds")
    if "[" not in host:
        assert "everybody on the way" in refused(2, "info", f"http://{host}:8080/ds")
    said = refused(2, "info", "s3://bucket/ds", AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{host}:80/x",
                   AWS_CONTAINER_AUTHORIZATION_TOKEN="t")
    assert "another machine" in said


@pytest.mark.parametrize("rest", ["127.0.0.1:80@evil.invalid/", "127.0.0.1@evil.invalid/",
                                  "169.254.170.2@evil.invalid/"])
def test_the_token_of_a_container_goes_to_no_other_host(rest: str) -> None:
    said = refused(2, "info", "s3://bucket/ds", AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{rest}",
                   AWS_CONTAINER_AUTHORIZATION_TOKEN="t")
    assert "another machine" in said


def test_the_token_of_the_hub_is_not_sent_in_the_clear() -> None:
    said = refused(2, "info", "hf://datasets/o/n/ds", HF_ENDPOINT="http://hub.invalid", HF_TOKEN="hf_secret")
    assert "HF_ENDPOINT is plain http://" in said and "hf_secret" not in said


def test_redirects_do_not_lead_to_another_machine_in_the_clear(world: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.1"
    if own.startswith("127."):
        pytest.skip("this machine has no other address")

    class Open(ObjectServer):
        def server_bind(self) -> None:
            self.server_address = ("0.0.0.0", 0)
            super().server_bind()
    with Open(world) as other, ObjectServer(world) as server:
        server.fault = lambda r: Fault(location=f"http://{own}:{other.server_address[1]}{r.path}")
        url = f"{server.url}/bucket/ww"
        assert "another machine by plain http" in refused(3, "info", url) and not other.requests
        assert run("info", url, TRAJPACK_ALLOW_HTTP="1").returncode == 0 and other.requests
        server.fault = lambda r: Fault(location=f"http://127.0.0.1:{other.server_address[1]}{r.path}")
        assert run("info", url).returncode == 0


@pytest.mark.parametrize("url", ["http://user:Geh/eim@host/ds", "http://user:Geh?eim@host/ds",
                                 "https://user:Geh/eim@host"])
@pytest.mark.parametrize("command", ["info", "verify", "validate", "inspect", "head"])
def test_no_part_of_a_password_is_printed(url: str, command: str) -> None:
    done = run(command, url)
    assert done.returncode == 2 and "Geh" not in done.stderr and "eim" not in done.stderr, done.stderr


# ---- Signals

@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def stopped(process: subprocess.Popen[str], number: signal.Signals, after: float = 0.7) -> float:
    """Seconds from a signal to the end."""
    time.sleep(after)
    assert process.poll() is None, process.communicate()
    process.send_signal(number)
    begun = time.monotonic()
    process.wait(timeout=60)
    return time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("info", "URL/ds"), ("verify", "URL/ds"), ("convert", "s3://b/raw", "DST"),
                                   ("gc", "s3://b/ds"), ("upload", "LOCAL", "s3://b/ds")])
def test_a_signal_ends_the_wait_for_an_answer(
        world: Path, silent: str, tmp_path: Path, words: tuple[str, ...], number: signal.Signals) -> None:
    places = {"URL": silent, "DST": str(tmp_path / "ds"), "LOCAL": str(world / "bucket" / "ww")}
    given = [w.replace("URL", silent) if "URL" in w else places.get(w, w) for w in words]
    process = subprocess.Popen([program(), *given], stderr=subprocess.PIPE, text=True, env=environment(
        AWS_ENDPOINT_URL=silent, AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", TMPDIR=str(tmp_path)))
    assert stopped(process, number) < 3 and process.returncode == 128 + number
    assert not list(tmp_path.glob("trajpack-source-*"))


def test_a_signal_ends_the_pause_before_another_attempt(world: Path) -> None:
    with ObjectServer(world, fault=lambda r: Fault(status=503, headers={"Retry-After": "60"})) as server:
        process = subprocess.Popen([program(), "info", f"{server.url}/bucket/ww"], stderr=subprocess.PIPE, text=True,
                                   env=environment())
        assert stopped(process, signal.SIGTERM) < 3 and process.returncode == 128 + signal.SIGTERM


def test_ctrl_c_ends_a_wait_in_python(world: Path, silent: str) -> None:
    code = "import sys, trajpack\ntry:\n  trajpack.open(sys.argv[1])\nexcept KeyboardInterrupt:\n  print('heard')"
    process = subprocess.Popen([sys.executable, "-c", code, f"{silent}/ds"], stdout=subprocess.PIPE, text=True,
                               env={**surroundings()})
    assert stopped(process, signal.SIGINT, 1.5) < 3
    assert process.stdout is not None and process.stdout.read() == "heard\n"


READS = """
episode = data.episodes[0]
def read():
    for stream in episode.streams:
        for name in data.streams[stream].channels:
            episode[stream][name][:]
"""
WINDOWS = """
loader = data.windows(length=4, batch=2, prefetch=1)
def read():
    for batch in loader:
        pass
"""


@pytest.mark.parametrize("reading", [READS, WINDOWS], ids=["read", "windows"])
def test_ctrl_c_ends_a_read_in_python(world: Path, reading: str) -> None:
    hangs = [False]

    def fault(request: Request) -> Fault | None:
        return Fault(status=503, headers={"Retry-After": "60"}) if hangs[0] else None
    code = ("import sys, trajpack\ndata = trajpack.open(sys.argv[1])\n" + reading + "print('open', flush=True)\n"
            "sys.stdin.readline()\ntry:\n  read()\nexcept KeyboardInterrupt:\n  print('heard')")
    with ObjectServer(world, fault=fault) as server:
        process = subprocess.Popen([sys.executable, "-c", code, f"{server.url}/bucket/ww"], stdout=subprocess.PIPE,
                                   stdin=subprocess.PIPE, text=True, env={**surroundings()})
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "open\n"
        hangs[0] = True
        process.stdin.write("\n")
        process.stdin.flush()
        assert stopped(process, signal.SIGINT) < 3 and process.stdout.read() == "heard\n"


# ---- Sentences

@pytest.mark.parametrize(("name", "value", "form"), [
    ("TRAJPACK_CACHE_BYTES", "10GB", "20GiB"), ("TRAJPACK_HTTP_TIMEOUT", "abc", "from 1 to 3600"),
    ("TRAJPACK_HTTP_TIMEOUT", "0", "from 1 to 3600"), ("TRAJPACK_HTTP_ATTEMPTS", "-1", "from 1 to 100"),
    ("TRAJPACK_HTTP_CONNECTIONS", "9999", "from 1 to 1024"), ("TRAJPACK_UPLOAD_PART", "lots", "500MiB"),
    ("TRAJPACK_UPLOAD_PART", "7", "1024 at least")])
def test_a_setting_that_cannot_be_read_is_an_error(
        web: ObjectServer, tmp_path: Path, name: str, value: str, form: str) -> None:
    said = refused(2, "info", f"{web.url}/bucket/ww", **{"TRAJPACK_CACHE_DIR": str(tmp_path / "c"), name: value})
    assert f"{name}: '{value}'" in said and form in said


def test_advice_works_for_what_is_remote(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "bucket" / "ww", tmp_path / "ds")
    (tmp_path / "ds" / "manifest.json").write_text('{"format": 1')
    with ObjectServer(tmp_path) as server:
        said = refused(1, "info", f"{server.url}/ds")
        assert "trajpack repair http" not in said and "copy the folder to this machine" in said
        assert "reads files of this machine" in refused(2, "inspect", f"{server.url}/ds/shard-000000.h5")
