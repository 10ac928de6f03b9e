"""What the tests of datasets on servers share: servers on loopback, their keys, and the program in a bare environment."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_server import ObjectServer
from places import program

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
# Nothing of the machine that runs the tests.
BARE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "HF_TOKEN_PATH": "/nowhere"}


def run(*words: str | os.PathLike[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, in an environment without credentials but these."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "HF_", "TRAJPACK_HTTP"))}
    return subprocess.run([program(), *words], capture_output=True, text=True, timeout=120,
                          env={**kept, **BARE, **environment})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, specimen: str, wildworld: str) -> Path:
    root = tmp_path_factory.mktemp("objects")
    shutil.copytree(specimen, root / "bucket" / "many shards" / "=+ü")
    shutil.copytree(wildworld, root / "bucket" / "ww")
    return root


@pytest.fixture
def web(world: Path) -> Iterator[ObjectServer]:
    with ObjectServer(world) as server:
        yield server


@pytest.fixture
def s3(world: Path) -> Iterator[ObjectServer]:
    pytest.importorskip("botocore")
    with ObjectServer(world, keys={KEY: (SECRET, None)}) as server:
        yield server


def keys(server: ObjectServer, **more: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, **more}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ObjectServer]:
    with ObjectServer(tmp_path) as server:
        yield server


def given(expiration: str = "2100-01-01T00:00:00Z") -> bytes:
    return json.dumps({"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": "t", "Expiration": expiration}).encode()
