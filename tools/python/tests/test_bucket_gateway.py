"""Writing to a real S3 server, Ceph's RADOS gateway, which judges signatures, parts and conditions itself. Skipped where its
programs are not here (tools/rados_gateway.py says which, and how to have them without root)."""
from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from bucket_server import BucketServer
from bucket_world import KEY, SECRET, Writer, content, document
from rados_gateway import RadosGateway, missing

OPTIONS = ("--rate", "100", "--shard-size", "8MiB")
PART = {"TRAJPACK_UPLOAD_PART": "5MiB"}  # the least that S3 takes


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadosGateway]:
    if name := missing():
        pytest.skip(f"the program {name} is not here")
    with RadosGateway(tmp_path_factory.mktemp("ceph"), KEY, SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def client(gateway: RadosGateway) -> Any:
    """botocore's own client of it, and a bucket."""
    session = pytest.importorskip("botocore.session").get_session()
    made = session.create_client("s3", endpoint_url=gateway.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                                 region_name="us-east-1")
    made.create_bucket(Bucket="bucket")
    return made


@pytest.fixture
def writer(gateway: RadosGateway, client: Any, tmp_path: Path) -> Writer:
    return Writer(cast(BucketServer, SimpleNamespace(url=gateway.url, fault=None, requests=[])), tmp_path)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for i in range(3):
        values = np.random.default_rng(i).integers(0, 1 << 31, size=(300_000, 6), dtype="i4")
        np.save(folder / f"run{i}.npy", values)
    return folder


def files(client: Any, prefix: str) -> dict[str, bytes]:
    keys = [o["Key"] for o in client.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])]
    return {k[len(prefix):]: client.get_object(Bucket="bucket", Key=k)["Body"].read() for k in keys}


def test_the_bytes_are_those_of_a_local_conversion(writer: Writer, client: Any, raw: Path, tmp_path: Path) -> None:
    writer.good("convert", raw, tmp_path / "local", *OPTIONS)
    writer.good("convert", raw, "s3://bucket/a b/=+ü", *OPTIONS, **PART)
    assert files(client, "a b/=+ü/") == content(tmp_path / "local")
    assert "-" in client.head_object(Bucket="bucket", Key="a b/=+ü/shard-000000.h5")["ETag"]  # by parts
    writer.good("upload", "s3://bucket/a b/=+ü", "s3://bucket/two", **PART)
    assert document(writer.good("upload", tmp_path / "local", "s3://bucket/two", "--json"))["sent"] == 0
    assert files(client, "two/") == content(tmp_path / "local") and writer.leftovers == []
    writer.good("verify", "s3://bucket/two")
    assert "0 orphans" in writer.good("gc", "s3://bucket/two", "--older-than", "0")
    client.put_object(Bucket="bucket", Key="three/shard-000001.h5", Body=b"x")
    assert "another writer's" in writer.refused(2, "upload", tmp_path / "local", "s3://bucket/three", **PART)


def test_a_killed_writer_goes_on(writer: Writer, client: Any, raw: Path, tmp_path: Path) -> None:
    writer.good("convert", raw, tmp_path / "local", *OPTIONS)
    started = time.monotonic()
    writer.good("convert", raw, "s3://bucket/timed", *OPTIONS, **PART)
    duration = time.monotonic() - started
    chance = random.Random(6)
    for number in range(5):
        destination = f"s3://bucket/killed{number}"
        process = writer.start("convert", raw, destination, *OPTIONS, **PART)
        time.sleep(chance.uniform(0.1, 1) * duration)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        writer.good("gc", destination, "--older-than", "0")
        writer.good("convert", raw, destination, *OPTIONS, "--resume", **PART)
        assert files(client, f"killed{number}/") == content(tmp_path / "local")
        # The server may note an upload that it was asked for by the killed process after the next one has looked.
        left = writer.good("gc", destination, "--older-than", "0", "--delete")
        assert all("an upload that was not completed" in line for line in left.splitlines()[:-1]), left
        assert "0 orphans" in writer.good("gc", destination, "--older-than", "0") and writer.leftovers == []


def test_orphans_are_removed(writer: Writer, client: Any, raw: Path) -> None:
    client.put_object(Bucket="bucket", Key="left/shard-000007.h5", Body=b"x")
    client.create_multipart_upload(Bucket="bucket", Key="left/shard-000008.h5")
    found = document(writer.good("gc", "s3://bucket/left", "--older-than", "0", "--json"))
    assert [(o["name"], o["kind"]) for o in found["orphans"]] == [
        ("shard-000007.h5", "file"), ("shard-000008.h5", "upload")]
    assert document(writer.good("gc", "s3://bucket/left", "--json"))["younger"] == 2
    writer.good("gc", "s3://bucket/left", "--older-than", "0", "--delete")
    assert not files(client, "left/") and not client.list_multipart_uploads(Bucket="bucket", Prefix="left/").get("Uploads")


def test_what_the_server_refuses(writer: Writer, raw: Path) -> None:
    for words in [("convert", raw, "s3://{}/new", *OPTIONS), ("gc", "s3://{}/new")]:
        named = [str(w).replace("{}", "bucket") for w in words]
        assert "no bucket 'absent'" in writer.refused(2, *[str(w).replace("{}", "absent") for w in words])
        assert "wrong" in writer.refused(2, *named, AWS_SECRET_ACCESS_KEY="other")
        assert "no credentials were found" in writer.refused(2, *named, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")


def test_recordings_there_become_a_job(writer: Writer, client: Any, raw: Path, tmp_path: Path) -> None:
    for path in sorted(raw.iterdir()):
        client.put_object(Bucket="bucket", Key=f"runs/ä b/{path.name}", Body=path.read_bytes())
    source, job = "s3://bucket/runs/ä b", tmp_path / "ds.job"
    writer.good("convert", source, tmp_path / "one", *OPTIONS)
    writer.good("job", "plan", source, tmp_path / "ds", "--tasks", "2", *OPTIONS)
    writer.good("job", "run", job, "--task", "1")
    # Written again a second later, it has another time, so that the job is planned again.
    time.sleep(1.1)
    client.put_object(Bucket="bucket", Key="runs/ä b/run0.npy", Body=(raw / "run0.npy").read_bytes())
    assert f"{source}/run0.npy has changed" in writer.refused(1, "job", "run", job, "--task", "0")
    writer.good("job", "plan", source, tmp_path / "new", "--tasks", "2", *OPTIONS)
    writer.good("job", "run", tmp_path / "new.job", "--task", "0-1")
    writer.good("job", "finish", tmp_path / "new.job")
    shards = [{n: d for n, d in content(tmp_path / name).items() if n != "manifest.json"} for name in ("new", "one")]
    assert shards[0] == shards[1] and writer.leftovers == []
    assert "equal" in writer.good("diff", tmp_path / "one", tmp_path / "new")
