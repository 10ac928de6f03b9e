"""Writing to buckets: the bytes of a local conversion, whatever the network, the server and the process do meanwhile; the
manifest last; and nothing left but what `trajpack gc` names. Signatures are judged by botocore."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import hashlib
import shutil
import threading
import time
from pathlib import Path

import pytest
import trajpack
from bucket_server import BucketServer
from bucket_world import (  # noqa: F401  fixtures
    DST, KEY, OPTIONS, PREFIX, SECRET, Writer, at_times, bucket, check, content, local, raw, writer,
)
from object_server import Fault, Request

# ---- The same bytes


@pytest.mark.parametrize(("conditions", "checksums"), [(True, True), (False, False)], ids=["S3", "plain"])
def test_a_conversion_into_a_bucket_is_the_local_one(
        writer: Writer, bucket: BucketServer, raw: Path, local: Path, conditions: bool, checksums: bool) -> None:
    bucket.conditions, bucket.checksums = conditions, checksums
    writer.good("convert", raw, DST, *OPTIONS)
    check(writer, local)
    names = [r.path for r in bucket.requests if r.method in ("PUT", "POST")]
    assert names[-1].endswith("/manifest.json") and bucket.refusals == ["NoSuchKey"] * len(bucket.refusals)
    assert sum("partNumber" in r.query for r in bucket.requests) > 8
    for name, data in content(local).items():
        stored = bucket.objects[PREFIX + name]
        assert stored.headers["x-amz-meta-sha256"] == hashlib.sha256(data).hexdigest()
    writer.good("verify", DST)
    # Once more: it is there.
    before = len(bucket.requests)
    assert "finished" not in writer.refused(2, "convert", raw, DST, *OPTIONS)
    assert "holds a dataset already" in writer.refused(2, "convert", raw, DST, *OPTIONS)
    writer.good("convert", raw, DST, *OPTIONS, "--resume")
    assert not any(r.method in ("PUT", "POST") for r in bucket.requests[before:])
    check(writer, local)


def test_shards_leave_the_machine_one_by_one(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    """The staging folder, which may be named, never has more than two whole shards: one is sent while one is made."""
    most = 0

    def look(request: Request) -> None:
        nonlocal most
        most = max(most, len(list((tmp_path / "big").rglob("shard-*.h5"))))
    bucket.fault = look
    writer.good("convert", raw, DST, *OPTIONS, "--staging", tmp_path / "big")
    assert 1 <= most <= 2 and list((tmp_path / "big").iterdir()) == []
    assert "is a folder" in writer.refused(2, "convert", raw, tmp_path / "x", *OPTIONS, "--staging", tmp_path / "big")


def test_other_commands_write_there_too(writer: Writer, bucket: BucketServer, local: Path, tmp_path: Path) -> None:
    """Everything that makes a dataset; side files go along."""
    source = tmp_path / "source"
    shutil.copytree(local, source)
    writer.good("split", source, "--rule", "train=50%")
    stream = next(iter(trajpack.open(source).streams))
    for number, words in enumerate([
            ("resample", source, "{}", "--rate", "50"), ("mask", source, "{}", "--mechanism", "rows", "--amount", "0.1", "--seed", "3"),
            ("transcode", source, "{}", "--depth", f"{stream}=linear:scale=1,units=m"),
            ("repair", source, "{}")]):
        there, here = f"s3://bucket/made/{number}", tmp_path / f"made{number}"
        done = writer.run(*[here if w == "{}" else w for w in words], "--quiet")
        again = writer.run(*[there if w == "{}" else w for w in words], "--quiet")
        assert (done.returncode, done.stderr.replace(str(here), there)) == (again.returncode, again.stderr), words
        if done.returncode == 0:
            assert bucket.files(f"made/{number}/") == content(here)
    assert any("side-" in name for name in bucket.objects)


@pytest.mark.parametrize("words", [
    ("annotate", DST, "--values", "values.csv"), ("split", DST, "--rule", "train=50%"), ("repair", DST),
    ("job", "plan", "{raw}", "s3://bucket/job", "--tasks", "2")], ids=lambda w: w[0])
def test_what_changes_a_dataset_in_place_refuses(writer: Writer, local: Path, raw: Path, tmp_path: Path,
                                                 words: tuple[str, ...]) -> None:
    writer.good("upload", local, DST)
    (tmp_path / "values.csv").write_text("id,a\nrun000,1\n")
    line = writer.refused(2, *[str(raw) if w == "{raw}" else str(tmp_path / w) if w == "values.csv" else w for w in words])
    assert "trajpack upload" in line
    check(writer, local)


# ---- Faults of the network and the server


@pytest.mark.parametrize("fault", [
    Fault(reset=True), Fault(lost=True), Fault(status=500, code="InternalError"), Fault(status=503, code="SlowDown"),
    Fault(status=400, code="RequestTimeout"), Fault(status=400, code="BadDigest"),
    Fault(status=409, code="ConditionalRequestConflict"), Fault(checksum="AAAAAA==")],
    ids=["reset", "lost", "500", "503", "timeout", "digest", "conflict", "checksum"])
def test_what_passes_is_tried_again(writer: Writer, bucket: BucketServer, raw: Path, local: Path, fault: Fault) -> None:
    """Whatever request of writing it happens to, the bytes are those of the local dataset."""
    rules = [at_times(1, 4, 9, fault=fault), at_times(0, 3, fault=fault, method="POST"),
             at_times(0, fault=fault, text="manifest.json"), at_times(2, fault=fault, method="GET")]
    bucket.fault = lambda r: next((f for rule in rules if (f := rule(r))), None)
    writer.good("convert", raw, DST, *OPTIONS)
    assert bucket.files(PREFIX) == content(local) and writer.leftovers == []
    # An upload whose beginning had no answer is nobody's.
    assert not any(b.parts for b in bucket.begun.values())


def test_what_stays_is_an_error_without_a_manifest(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    for fault, text in [(Fault(status=503, code="SlowDown"), "SlowDown"), (Fault(checksum="AAAAAA=="), "other bytes"),
                        (Fault(reset=True), "cannot be written")]:
        bucket.objects.clear()
        bucket.fault = lambda r, fault=fault: fault if r.method == "PUT" and "shard-000002" in r.path else None  # type: ignore[misc]
        line = writer.refused(3, "convert", raw, DST, *OPTIONS, TRAJPACK_HTTP_ATTEMPTS="2")
        assert text in line and "shard-000002.h5" in line and "--resume" in line
        assert set(bucket.files(PREFIX)) == {"shard-000000.h5", "shard-000001.h5"} and not bucket.begun
        bucket.fault = None
        writer.good("convert", raw, DST, *OPTIONS, "--resume")
        check(writer, local)


def test_a_stalled_server_is_given_up(writer: Writer, bucket: BucketServer, raw: Path) -> None:
    bucket.fault = lambda r: time.sleep(6) if "partNumber" in r.query else None
    started = time.monotonic()
    line = writer.refused(3, "convert", raw, DST, *OPTIONS, TRAJPACK_HTTP_TIMEOUT="1", TRAJPACK_HTTP_ATTEMPTS="2")
    assert "no byte came" in line and time.monotonic() - started < 60


def test_objects_that_vanish_are_noticed(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    """Another program removes or changes a shard before the manifest is written, and after a stop."""
    def vanish(request: Request) -> None:
        if request.method == "POST" and "shard-000002" in request.path:
            bucket.objects.pop(PREFIX + "shard-000001.h5", None)
    bucket.fault = vanish
    line = writer.refused(1, "convert", raw, DST, *OPTIONS)
    assert "shard-000001.h5" in line and "no manifest" in line and PREFIX + "manifest.json" not in bucket.objects
    bucket.fault = None
    bucket.put(PREFIX + "shard-000002.h5", b"other")
    done = writer.run("convert", raw, DST, *OPTIONS, "--resume")
    assert done.returncode == 0 and "written again" in done.stderr, done.stderr
    check(writer, local)


# ---- Bad input: one sentence each


def test_buckets_that_refuse(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    for words in [("convert", raw, "s3://{}/new", *OPTIONS), ("upload", local, "s3://{}/new"), ("gc", "s3://{}/new")]:
        def line(code: int, bucket: str = "bucket", words: tuple[object, ...] = words, **more: str) -> str:
            return writer.refused(code, *[str(w).replace("{}", bucket) for w in words], **more)
        assert "no bucket 'absent'" in line(2, "absent"), words
        assert "access key" in line(2, AWS_SECRET_ACCESS_KEY="wrong")
        assert "no credentials were found" in line(2, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        assert "region" in line(2, AWS_REGION="eu-west-9")
        bucket.fault = lambda r: Fault(status=403, code="RequestTimeTooSkewed")
        assert "clock" in line(3)
        bucket.fault = lambda r: Fault(status=403, code="AccessDenied")
        assert "access is denied" in line(2)
        bucket.fault = None
        if words[0] != "gc":
            bucket.read_only = True
            assert "cannot be written" in line(2) and "access is denied" in line(2)
            bucket.read_only = False
    assert "--overwrite is for folders" in writer.refused(2, "convert", raw, DST, *OPTIONS, "--overwrite")
    assert "buckets" in writer.refused(2, "convert", raw, "https://host/x", *OPTIONS)
    bucket.put(PREFIX + "mine.txt", b"x")
    assert "not empty (mine.txt)" in writer.refused(2, "convert", raw, DST, *OPTIONS)
    assert writer.leftovers == [] and not bucket.begun


def test_a_bucket_in_another_region_is_found(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    bucket.region = "eu-central-1"
    asked = threading.Event()

    def other(request: Request) -> Fault | None:
        if "/us-east-1/" in request.headers["authorization"]:
            asked.set()
            return Fault(status=301, code="PermanentRedirect", headers={"x-amz-bucket-region": "eu-central-1"})
        return None
    bucket.fault = other
    writer.good("convert", raw, DST, *OPTIONS)
    assert asked.is_set()
    check(writer, local)


def test_staging_of_another_user_is_refused(writer: Writer, raw: Path) -> None:
    name = "trajpack-staging-" + hashlib.sha256(DST.encode()).hexdigest()[:16]
    (writer.temporary / name).symlink_to("/")
    assert "only this user" in writer.refused(2, "convert", raw, DST, *OPTIONS)
    (writer.temporary / name).unlink()
    (writer.temporary / name).mkdir()
    (writer.temporary / name / "mine.txt").write_text("mine")
    assert "is not empty" in writer.refused(2, "convert", raw, DST, *OPTIONS)
    assert (writer.temporary / name / "mine.txt").exists()


def test_keys_that_expire_are_had_again(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    script = writer.folder / "keys"
    script.write_text(f'#!/bin/sh\necho >> {writer.folder}/asked\n'
                      f'echo \'{{"Version": 1, "AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}"}}\'\n')
    script.chmod(0o755)
    (writer.folder / "config").write_text(f"[default]\ncredential_process = {script}\n")
    rule = at_times(3, 6, fault=Fault(status=400, code="ExpiredToken"))
    bucket.fault = rule
    writer.good("convert", raw, DST, *OPTIONS, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                AWS_CONFIG_FILE=str(writer.folder / "config"))
    assert len((writer.folder / "asked").read_text().splitlines()) >= 3
    check(writer, local)


def test_a_second_writer_is_told_of_the_first(writer: Writer, raw: Path, bucket: BucketServer, tmp_path: Path) -> None:
    """Nobody is advised to remove the staging folder of a writer at work."""
    holds = threading.Event()

    def fault(request: Request) -> Fault | None:
        if request.method == "PUT" or "uploads" in request.query:
            holds.wait(60)
        return None
    bucket.fault = fault
    first = writer.start("convert", raw, DST, *OPTIONS)
    while not any("manifest" in name or "journal" in name for name in writer.leftovers):
        time.sleep(0.02)
    while not any(r.method in ("PUT", "POST") for r in bucket.requests):
        time.sleep(0.02)
    said = writer.refused(2, "convert", raw, DST, *OPTIONS)
    assert "another process is writing it" in said and "remove" not in said
    with pytest.MonkeyPatch.context() as patch:
        for name, value in writer.environment().items():
            patch.setenv(name, value)
        with pytest.raises(trajpack.UsageError, match="another") as caught:
            trajpack.create(DST, rate=10)
        assert "remove" not in str(caught.value)
    holds.set()
    _, error = first.communicate(timeout=120)
    assert first.returncode == 0, error
