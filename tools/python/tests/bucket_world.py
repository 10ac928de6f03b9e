"""What the tests of writing to buckets share: recordings, the program in a bare environment, a bucket, and the local dataset
that it is to equal."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bucket_server import BucketServer
from object_server import Fault, Request, Rule
from places import program

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
# Nothing of the machine that runs the tests.
BARE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
PART = 64 << 10


def recordings(folder: Path, count: int = 3, rows: int = 6000) -> Path:
    """Arrays that give shards of some parts each, of other sizes."""
    random = np.random.default_rng(17)
    folder.mkdir()
    for i in range(count):
        np.save(folder / f"run{i:03}.npy", random.normal(size=(rows + 900 * i, 6)).astype("f4"))
    return folder


OPTIONS = ("--rate", "100", "--shard-size", "300KiB", "--codec", "zstd")


class Writer:
    """Runs the program against a bucket, with its staging folder below ``folder``."""

    def __init__(self, server: BucketServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items()
                if not n.startswith(("AWS_", "TRAJPACK_HTTP", "TRAJPACK_UPLOAD")) and "proxy" not in n.lower()}
        return {**kept, **BARE, "AWS_ENDPOINT_URL": self.server.url, "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET, "TRAJPACK_UPLOAD_PART": str(PART), "TMPDIR": str(self.temporary), **more}

    def start(self, *words: str | os.PathLike[str], **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen([program(), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment(**more))

    def run(self, *words: str | os.PathLike[str], **more: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **more) as process:
            out, error = process.communicate(timeout=120)
        assert SECRET not in out + error
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def good(self, *words: str | os.PathLike[str], **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, code: int, *words: str | os.PathLike[str], **more: str) -> str:
        """The one sentence of a refusal."""
        done = self.run(*words, **more)
        lines = [line for line in done.stderr.splitlines() if line]
        assert done.returncode == code and len(lines) == 1, (done.returncode, done.stderr)
        return lines[0]

    def killed(self, at: int, fault: Fault, *words: str | os.PathLike[str], **more: str) -> bool:
        """Runs the program and kills it when it asks the bucket for the ``at``-th time, which then has the fault; whether it came
        so far."""
        first, hit = len(self.server.requests), []
        process = self.start(*words, **more)

        def rule(request: Request) -> Fault | None:
            if request.number - first != at:
                return None
            hit.append(request)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return fault
        self.server.fault = rule
        process.communicate(timeout=120)
        self.server.fault = None
        return bool(hit)

    @property
    def leftovers(self) -> list[str]:
        """What staging folders have left in the temporary folder."""
        return sorted(str(p.relative_to(self.temporary)) for p in self.temporary.rglob("*"))


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def document(text: str) -> Any:
    return json.loads(text)


def at_times(*numbers: int, fault: Fault, method: str = "PUT", text: str = "") -> Rule:
    """A fault of the requests of these numbers among those of a method with a text in path or query."""
    seen = [0]

    def rule(request: Request) -> Fault | None:
        if request.method != method or text not in f"{request.path}?{request.query}":
            return None
        seen[0] += 1
        return fault if seen[0] - 1 in numbers else None
    return rule


DST = "s3://bucket/a b/=+ü"
PREFIX = "a b/=+ü/"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("raw") / "runs")


@pytest.fixture(scope="module")
def local(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same conversion into a folder."""
    folder = tmp_path_factory.mktemp("local") / "ds"
    with BucketServer() as server:
        Writer(server, folder.parent).good("convert", raw, folder, *OPTIONS)
    assert len(list(folder.glob("shard-*.h5"))) == 3
    return folder


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    pytest.importorskip("botocore")
    with BucketServer(keys={KEY: (SECRET, None)}) as server:
        yield server


@pytest.fixture
def writer(bucket: BucketServer, tmp_path: Path) -> Writer:
    return Writer(bucket, tmp_path)


def check(writer: Writer, local: Path) -> None:
    """The bucket has the bytes of the local dataset and nothing else, and nothing is left here."""
    assert writer.server.files(PREFIX) == content(local)
    assert not writer.server.begun and writer.leftovers == []
