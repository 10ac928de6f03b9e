"""A dataset that is uploaded to a bucket, and recordings that lie in one."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import random
import shutil
from pathlib import Path

import trajpack
from bucket_server import BucketServer
from bucket_world import (  # noqa: F401  fixtures
    DST, OPTIONS, PREFIX, Writer, bucket, check, content, document, local, raw, writer,
)
from object_server import Fault

# ---- Uploading a dataset


def test_a_dataset_is_uploaded(writer: Writer, bucket: BucketServer, local: Path) -> None:
    assert "would upload" in writer.good("upload", local, DST, "--dry-run") and not bucket.requests
    found = document(writer.good("upload", local, DST, "--json"))
    assert found["sent"] == found["files"] == len(content(local)) and found["there"] == 0
    check(writer, local)
    puts = bucket.count("PUT")
    assert document(writer.good("upload", local, DST, "--json"))["there"] == found["files"] and bucket.count("PUT") == puts
    # One that is gone is sent again; one that is another is not replaced.
    del bucket.objects[PREFIX + "shard-000001.h5"]
    assert document(writer.good("upload", local, DST, "--json"))["sent"] == 1
    check(writer, local)
    bucket.put(PREFIX + "shard-000001.h5", b"other")
    assert "another writer's" in writer.refused(2, "upload", local, DST)


def test_a_killed_upload_goes_on(writer: Writer, bucket: BucketServer, local: Path) -> None:
    writer.good("upload", local, DST)
    requests = len(bucket.requests)
    for at in sorted(random.Random(1).sample(range(1, requests), 3)):
        bucket.objects.clear()
        bucket.begun.clear()
        assert writer.killed(at, Fault(lost=at % 2 == 0, reset=at % 2 == 1), "upload", local, DST)
        bucket.begun.clear()
        writer.good("upload", local, DST)
        check(writer, local)


def test_uploads_that_are_refused(writer: Writer, bucket: BucketServer, local: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(local, damaged)
    shard = damaged / "shard-000002.h5"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert "shard-000002.h5" in writer.refused(1, "upload", damaged, DST)
    assert PREFIX + "manifest.json" not in bucket.objects and not bucket.begun
    shard.write_bytes(data[:-7])
    assert "bytes where the manifest says" in writer.refused(1, "upload", damaged, DST)
    shutil.copytree(local, tmp_path / "open")
    (tmp_path / "open" / "manifest.json").unlink()
    assert "no manifest.json" in writer.refused(2, "upload", tmp_path / "open", DST)
    assert "single shard" in writer.refused(2, "upload", local / "shard-000000.h5", DST)
    assert "buckets (s3://BUCKET/PREFIX)" in writer.refused(2, "upload", local, "https://host/ds")
    assert "names a bucket only" in writer.refused(2, "upload", local, "s3://bucket")
    writer.good("upload", local, "s3://bucket/one")
    writer.good("resample", local, tmp_path / "two", "--rate", "50")
    assert "another dataset" in writer.refused(2, "upload", tmp_path / "two", "s3://bucket/one")
    # From a bucket to a bucket.
    writer.good("upload", "s3://bucket/one", "s3://bucket/three")
    assert bucket.files("three/") == content(local)


# ---- Sources in a bucket


def test_recordings_in_a_bucket_are_converted(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    """Many pages, folders and their markers; twice the same bytes; nothing stays here."""
    bucket.page = 3
    random = {p.name: p.read_bytes() for p in raw.iterdir()}
    for i, (name, data) in enumerate(sorted(random.items())):
        bucket.put(f"raw/some runs/{'night/' if i % 2 else ''}{name}", data, age=3600 + i)
    bucket.put("raw/some runs/night/", b"")
    bucket.put("raw/some runs2/run.npy", b"not of it")
    night = tmp_path / "some runs" / "night"
    night.mkdir(parents=True)
    for i, (name, data) in enumerate(sorted(random.items())):
        (night if i % 2 else night.parent).joinpath(name).write_bytes(data)
    writer.good("convert", night.parent, tmp_path / "here", *OPTIONS)
    writer.good("convert", "s3://bucket/raw/some runs/", tmp_path / "there", *OPTIONS)
    assert "equal" in writer.good("diff", tmp_path / "here", tmp_path / "there")
    assert {n: d for n, d in content(tmp_path / "here").items() if n != "manifest.json"} == {
        n: d for n, d in content(tmp_path / "there").items() if n != "manifest.json"}
    assert writer.leftovers == []
    # Again: the fingerprints are those of the objects.
    assert "written again" not in writer.run("convert", "s3://bucket/raw/some runs", tmp_path / "there", *OPTIONS,
                                             "--resume").stderr
    # From a bucket into a bucket, and one object.
    writer.good("convert", "s3://bucket/raw/some runs", DST, *OPTIONS, "--staging", tmp_path / "staging")
    assert writer.server.files(PREFIX) == content(tmp_path / "there") and writer.leftovers == []
    writer.good("convert", "s3://bucket/raw/some runs/run000.npy", tmp_path / "one", *OPTIONS)
    assert len(trajpack.open(tmp_path / "one")) == 1


def test_sources_that_are_refused(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    assert "does not exist" in writer.refused(2, "convert", "s3://bucket/none", tmp_path / "x", *OPTIONS)
    assert "no bucket" in writer.refused(2, "convert", "s3://absent/none", tmp_path / "x", *OPTIONS)
    assert "lists no files" in writer.refused(2, "convert", "https://host/none", tmp_path / "x", *OPTIONS)
    bucket.put("bad/a/../../../etc/run.npy", b"x")
    assert "cannot be one of a file" in writer.refused(1, "convert", "s3://bucket/bad", tmp_path / "x", *OPTIONS)
    bucket.put("changing/run.npy", b"x" * 100)
    bucket.fault = lambda r: Fault(etag='"other"') if r.path.endswith("/run.npy") else None
    assert "has changed since it was listed" in writer.refused(3, "convert", "s3://bucket/changing", tmp_path / "x", *OPTIONS)
    assert writer.leftovers == [] and not (tmp_path / "x").exists()
