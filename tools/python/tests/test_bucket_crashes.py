"""Writers of buckets that are killed, interrupted, or not alone: what is left, how it is removed, and how it goes on."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

from bucket_server import Begun, BucketServer
from bucket_world import (  # noqa: F401  fixtures
    DST, OPTIONS, PREFIX, Writer, bucket, check, content, document, local, raw, writer,
)
from object_server import Fault, Request

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
    process = writer.start("convert", raw, DST, *OPTIONS)
    bucket.fault = lambda r: process.send_signal(signal.SIGINT) if "partNumber=2" in r.query else None
    out, error = process.communicate(timeout=60)
    bucket.fault = None
    assert process.returncode == 130 and "--resume" in error, error
    assert not bucket.begun and PREFIX + "manifest.json" not in bucket.objects
    writer.good("convert", raw, DST, *OPTIONS, "--resume")
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
