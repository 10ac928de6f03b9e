"""Writing to buckets: the bytes of a local conversion, whatever the network, the server and the process do meanwhile; the
manifest last; and nothing left but what `trajpack gc` names. Signatures are judged by botocore."""
from __future__ import annotations

import hashlib
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trajpack
from bucket_server import Begun, BucketServer
from bucket_world import KEY, OPTIONS, SECRET, Writer, at_times, content, document, recordings
from object_server import Fault, Request

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


# ---- Crashes


def test_a_killed_conversion_goes_on(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    """SIGKILL before, in the middle of and after requests of every kind; what is left are orphans, which gc names; going on
    ends in the bytes of an uninterrupted run."""
    writer.good("convert", raw, DST, *OPTIONS)
    requests = len(bucket.requests)
    chance = random.Random(4)
    points = sorted(chance.sample(range(2, requests), 4)) + [requests - 1, requests - 2]
    for number, at in enumerate(points):
        bucket.objects.clear()
        bucket.begun.clear()
        fault = Fault(lost=True) if number % 2 else Fault(reset=True)
        assert writer.killed(at, fault, "convert", raw, DST, *OPTIONS), at
        isFinished = PREFIX + "manifest.json" in bucket.objects
        named = document(writer.good("gc", DST, "--older-than", "0", "--json"))
        left = {o["name"] for o in named["orphans"] if o["kind"] == "file"}
        assert left == (set() if isFinished else set(bucket.files(PREFIX))), at
        assert sum(o["kind"] == "upload" for o in named["orphans"]) == len(bucket.begun)
        if number % 3 == 1:  # another machine goes on
            shutil.rmtree(writer.temporary)
            writer.temporary.mkdir()
            bucket.begun.clear()
        writer.good("convert", raw, DST, *OPTIONS, "--resume")
        # An upload that was begun when the process died before it knew its name is nobody's.
        writer.good("gc", DST, "--older-than", "0", "--delete")
        check(writer, local)


def test_gc_removes_what_a_crash_has_left(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    writer.good("upload", local, "s3://bucket/other")
    other = dict(bucket.objects)
    assert writer.killed(14, Fault(reset=True), "convert", raw, DST, *OPTIONS)
    assert bucket.files(PREFIX) and bucket.begun
    assert "parts of a dataset" in writer.refused(2, "convert", raw, DST, *OPTIONS, TMPDIR=str(writer.folder))
    bucket.put(PREFIX + "notes.txt", b"mine")
    bucket.put(PREFIX + "below/shard-000000.h5", b"another dataset's")
    # A writer may be at work.
    assert "0 orphans" in writer.good("gc", DST) and "left alone" in writer.good("gc", DST)
    bucket.clock = lambda: time.time() + 2 * 86400
    text = writer.good("gc", DST)
    assert "can be removed" in text and "upload that was not completed" in text and bucket.begun
    assert "removed" in writer.good("gc", DST, "--delete")
    assert not bucket.begun and set(bucket.files(PREFIX)) == {"notes.txt", "below/shard-000000.h5"}
    assert {k: o.data for k, o in bucket.objects.items() if k.startswith("other/")} == {k: o.data for k, o in other.items()}
    assert "0 orphans" in writer.good("gc", "s3://bucket/other", "--older-than", "0", "--delete")


def test_gc_of_more_uploads_than_a_page_has(writer: Writer, bucket: BucketServer, local: Path) -> None:
    """All unfinished uploads are named and removed, however many a listing names at once, several of one object too."""
    writer.good("upload", local, DST)
    keys = [PREFIX + f"shard-{n // 3:06d}.h5" for n in range(23)] + [PREFIX + "manifest.json", "other/shard-000000.h5"]
    for number, key in enumerate(keys):
        bucket.begun[f"id {number}+%"] = Begun(key, {}, 0)
    for page in (1, 5, 24, 1000):
        bucket.page = page
        named = document(writer.good("gc", DST, "--json"))["orphans"]
        assert sorted(o["name"] for o in named) == sorted(k[len(PREFIX):] for k in keys[:-1]), page
    bucket.page = 7
    writer.good("gc", DST, "--delete")
    assert [b.key for b in bucket.begun.values()] == ["other/shard-000000.h5"]
    bucket.begun.clear()
    check(writer, local)


def test_a_shard_is_sent_while_the_next_one_is_made(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    """The first shard's upload is held until the second shard lies in the staging folder; no third one is begun."""
    seen: list[set[str]] = []

    def rule(request: Request) -> Fault | None:
        if not seen and request.method in ("PUT", "POST") and "shard-000000.h5" in request.path:
            for _ in range(1000):
                staged = {f.name for f in writer.temporary.glob("*/shard-*.h5")}
                if len(staged) > 1:
                    break
                time.sleep(0.01)
            time.sleep(0.3)
            seen.append({f.name for f in writer.temporary.glob("*/*shard-*.h5")})
        return None
    bucket.fault = rule
    writer.good("convert", raw, DST, *OPTIONS)
    assert seen == [{"shard-000000.h5", "shard-000001.h5"}]
    check(writer, local)


def test_gc_of_a_folder(writer: Writer, local: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ds"
    shutil.copytree(local, folder)
    (folder / ".tmp-shard-000009.h5").write_bytes(b"x" * 10)
    (folder / "side-splits-0123456789abcdef.json").write_text("{}")
    (folder / "mine.txt").write_text("mine")
    found = document(writer.good("gc", folder, "--older-than", "0", "--json"))
    assert [o["name"] for o in found["orphans"]] == [".tmp-shard-000009.h5", "side-splits-0123456789abcdef.json"]
    assert "0 orphans" in writer.good("gc", folder) and (folder / ".tmp-shard-000009.h5").exists()
    writer.good("gc", folder, "--older-than", "0", "--delete")
    assert content(folder) == {**content(local), "mine.txt": b"mine"}
    shutil.copy(folder / "shard-000000.h5", folder / "shard-000077.h5")
    (folder / "shard-000078.h5").write_bytes(b"no shard")
    found = document(writer.good("gc", folder, "--older-than", "0", "--json", "--delete"))
    assert [o["name"] for o in found["orphans"]] == ["shard-000077.h5"] and found["kept"] == ["shard-000078.h5"]
    assert (folder / "shard-000078.h5").exists() and not (folder / "shard-000077.h5").exists()


def test_an_interrupt_leaves_no_upload(writer: Writer, bucket: BucketServer, raw: Path, local: Path) -> None:
    import signal
    process = writer.start("convert", raw, DST, *OPTIONS)
    bucket.fault = lambda r: process.send_signal(signal.SIGINT) if "partNumber=2" in r.query else None
    out, error = process.communicate(timeout=60)
    bucket.fault = None
    assert process.returncode == 130 and "--resume" in error, error
    assert not bucket.begun and PREFIX + "manifest.json" not in bucket.objects
    writer.good("convert", raw, DST, *OPTIONS, "--resume")
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


# ---- Two writers


def test_the_first_writer_wins(writer: Writer, bucket: BucketServer, raw: Path, local: Path, tmp_path: Path) -> None:
    """Another one's shard or manifest stays; the one that comes second says so."""
    for name, when in [("shard-000001.h5", "shard-000000.h5"), ("shard-000001.h5", "shard-000001.h5"),
                       ("manifest.json", "manifest.json")]:
        bucket.objects.clear()
        shutil.rmtree(writer.temporary)
        writer.temporary.mkdir()

        def other(request: Request, name: str = name, when: str = when) -> None:
            if request.method in ("PUT", "POST") and when in request.path and "partNumber" not in request.query:
                bucket.put(PREFIX + name, b"another writer's")
        bucket.fault = other
        line = writer.refused(2, "convert", raw, DST, *OPTIONS)
        assert name in line and "another writer" in line
        assert bucket.objects[PREFIX + name].data == b"another writer's" and not bucket.begun
        bucket.fault = None


def test_two_writers_of_the_same(writer: Writer, bucket: BucketServer, raw: Path, local: Path, tmp_path: Path) -> None:
    """At the same time, from two machines: the dataset is whole, and whoever fails says why."""
    (tmp_path / "second").mkdir()
    second = Writer(bucket, tmp_path / "second")
    both = [w.start("convert", raw, DST, *OPTIONS) for w in (writer, second)]
    for process in both:
        out, error = process.communicate(timeout=120)
        assert process.returncode in (0, 2), error
    for w in (writer, second):
        if w.leftovers:
            w.good("convert", raw, DST, *OPTIONS, "--resume")
    assert bucket.files(PREFIX) == content(local) and not bucket.begun


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
