"""The writer of Python into a bucket: what was acknowledged is safe on this machine, full shards leave it, readers see the
whole dataset or none, and a stopped writer goes on."""
from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from bucket_server import BucketServer
from bucket_world import KEY, SECRET, Writer, at_times, bucket, content, writer  # noqa: F401  fixtures
from object_server import Fault, Request
from places import ROOT

DST = "s3://bucket/made/ds"
PREFIX = "made/ds/"
#: Episodes of noise, so that a shard of 1 MiB is full after some of them; each acknowledged one is told.
SCRIPT = """
import sys, numpy as np, trajpack
where, first, count, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
try:
    with trajpack.create(where, mode=mode, rate=30, shard_bytes=1 << 20, codec="none", threads=1) as writer:
        for n in range(len(writer) if first < 0 else first, count):
            writer.append(f"e{n:04}", x=np.random.default_rng(n).normal(size=(2000, 4)))
            print(n, flush=True)
except trajpack.TrajpackError as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(3)
"""
COUNT = 56


def child(writer: Writer, *words: object, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=writer.environment(PYTHONPATH=str(ROOT / "tools" / "python" / "src"), **more))


def run(writer: Writer, *words: object, **more: str) -> tuple[int, list[int], str]:
    out, error = (process := child(writer, *words, **more)).communicate(timeout=240)
    assert SECRET not in out + error
    return process.returncode, [int(line) for line in out.split()], error


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same episodes in a folder."""
    folder = tmp_path_factory.mktemp("local") / "ds"
    with BucketServer() as server:
        code, _, error = run(Writer(server, folder.parent), folder, 0, COUNT, "x")
    assert code == 0, error
    assert len(list(folder.glob("shard-*.h5"))) >= 3
    return folder


def check(writer: Writer, local: Path) -> None:
    """The bucket has the bytes of the local dataset and nothing else, and nothing is left here."""
    assert writer.server.files(PREFIX) == content(local)
    assert not writer.server.begun and writer.leftovers == []


def test_a_dataset_is_written_into_a_bucket(writer: Writer, bucket: BucketServer, local: Path) -> None:
    """The bytes of the local one, the manifest last; full shards have left the folder before the end."""
    fewest: list[int] = []

    def look(request: Request) -> None:
        if request.method == "PUT" and "manifest" not in request.path:
            fewest.append(sum(p.stat().st_size for p in writer.temporary.rglob("shard-*.h5")))
    bucket.fault = look
    code, told, error = run(writer, DST, 0, COUNT, "x")
    assert (code, error) == (0, "") and told == list(range(COUNT))
    check(writer, local)
    names = [r.path for r in bucket.requests if r.method in ("PUT", "POST")]
    assert names[-1].endswith("/manifest.json")
    whole = sum(p.stat().st_size for p in local.glob("shard-*.h5"))
    assert max(fewest) < whole, "all of the dataset lay in the staging folder at once"
    writer.good("verify", DST)
    # It is there now, and a dataset in a bucket is not changed.
    for mode in ("x", "a"):
        code, _, error = run(writer, DST, 0, 1, mode)
        assert code == 3 and "UsageError" in error and "holds a dataset already" in error
    check(writer, local)


def test_nothing_is_seen_before_the_end(writer: Writer, bucket: BucketServer) -> None:
    process = child(writer, DST, 0, COUNT, "x")
    assert process.stdout is not None
    for _ in range(COUNT - 1):
        process.stdout.readline()
    assert PREFIX + "manifest.json" not in bucket.objects
    process.kill()
    process.communicate()
    code, _, error = run(writer, DST, 0, COUNT, "x")
    assert code == 3 and "mode 'a' goes on" in error


def test_a_killed_writer_goes_on(writer: Writer, bucket: BucketServer, local: Path) -> None:
    """SIGKILL at acknowledgements, and at requests; no acknowledged episode is lost, and the end is readable and whole."""
    chance = random.Random(3)
    acknowledged, stops = 0, 0
    while stops < 6:
        process = child(writer, DST, -1, COUNT, "a")
        assert process.stdout is not None
        if stops % 2:
            seen = [0]
            at = chance.randrange(1, 12)

            def rule(request: Request, process: subprocess.Popen[str] = process, seen: list[int] = seen,
                     at: int = at) -> Fault | None:
                if request.method in ("PUT", "POST"):
                    seen[0] += 1
                if seen[0] == at:
                    process.kill()
                    return Fault(lost=bool(at % 2), reset=not at % 2)
                return None
            bucket.fault = rule
            told = [int(line) for line in process.communicate(timeout=240)[0].split("\n")[:-1]]
        else:
            told = []
            for _ in range(chance.randrange(3, 14)):
                line = process.stdout.readline()
                if not line:
                    break
                told.append(int(line))
            process.kill()
            told += [int(line) for line in process.communicate()[0].split("\n")[:-1]]
        bucket.fault = None
        acknowledged = max([acknowledged, *(n + 1 for n in told)])
        stops += 1
        if PREFIX + "manifest.json" in bucket.objects:
            break
    if PREFIX + "manifest.json" not in bucket.objects:
        code, told, error = run(writer, DST, -1, COUNT, "a")
        assert code == 0, error
        # An episode may have become durable without being told of.
        assert not told or told[0] in (acknowledged, acknowledged + 1)
    assert json.loads(writer.good("info", DST, "--json"))["episodes"] == COUNT
    writer.good("verify", DST)
    writer.good("diff", DST, local)
    named = json.loads(writer.good("gc", DST, "--older-than", "0", "--json"))["orphans"]
    assert all(o["kind"] == "upload" for o in named), named


@pytest.mark.parametrize("told", [16, 20, 31, 45])
def test_a_writer_that_is_killed_after_a_shard_was_sent(writer: Writer, local: Path, told: int) -> None:
    """In one session, between two joins of small shards: those whose rows were sent are in nobody's way."""
    process = child(writer, DST, 0, COUNT, "x")
    assert process.stdout is not None
    for _ in range(told):
        process.stdout.readline()
    process.kill()
    more = process.communicate()[0].split()
    code, _, error = run(writer, DST, told + len(more), COUNT, "a")
    assert (code, error) == (0, "")
    check(writer, local)


def test_shards_that_were_sent_are_not_joined_by_a_writer_of_larger_ones(writer: Writer) -> None:
    process = child(writer, DST, 0, COUNT, "x")
    assert process.stdout is not None
    for _ in range(25):
        process.stdout.readline()
    process.kill()
    process.communicate()
    script = SCRIPT.replace("shard_bytes=1 << 20, ", "")
    done = subprocess.run([sys.executable, "-c", script, DST, "-1", str(COUNT), "a"], capture_output=True, text=True,
                          env=writer.environment(PYTHONPATH=str(ROOT / "tools" / "python" / "src")))
    assert (done.returncode, done.stderr) == (0, "")
    writer.good("verify", DST)
    assert f'"episodes":{COUNT}' in writer.good("info", DST, "--json").replace(" ", "")


def test_a_server_that_fails_loses_nothing(writer: Writer, bucket: BucketServer, local: Path) -> None:
    """Where a full shard cannot be sent, episodes are taken all the same; closing says why, and a later writer goes on."""
    bucket.fault = at_times(*range(1000), fault=Fault(status=403, code="AccessDenied"))
    code, told, error = run(writer, DST, 0, COUNT, "x")
    assert code == 3 and told == list(range(COUNT)) and "AccessDenied" in error
    assert not bucket.files(PREFIX)
    bucket.fault = None
    code, told, error = run(writer, DST, -1, COUNT, "a")
    assert (code, told, error) == (0, [], "")
    writer.good("verify", DST)
    writer.good("diff", DST, local)
    assert writer.leftovers == []


def test_places_that_are_refused(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    for where, said in [("https://host/ds", "buckets (s3://BUCKET/PREFIX)"), ("s3://bucket", "names a bucket only")]:
        code, _, error = run(writer, where, 0, 1, "x")
        assert code == 3 and said in error, error
    bucket.put(PREFIX + "notes.txt", b"mine")
    code, _, error = run(writer, DST, 0, 1, "x")
    assert code == 3 and "is not empty (notes.txt)" in error
    bucket.put("half/shard-000000.h5", b"x")
    code, _, error = run(writer, "s3://bucket/half", 0, 1, "a")
    assert code == 3 and "holds parts of a dataset that was not finished" in error
    assert writer.leftovers == []
    # Without an episode there is no dataset.
    code, _, error = run(writer, "s3://bucket/none", 0, 0, "x")
    assert (code, error) == (0, "") and not bucket.files("none/") and writer.leftovers == []
    import trajpack
    with pytest.raises(trajpack.UsageError, match="staging.*is a folder"):
        trajpack.create(tmp_path / "folder", staging=tmp_path)
    assert not (tmp_path / "folder").exists()


def test_credentials_of_a_function(writer: Writer, bucket: BucketServer) -> None:
    """The library that writes asks the function that the one that reads was given."""
    script = f"""
import numpy as np, trajpack
from trajpack import remote
remote.set_credentials(lambda: {{"access_key_id": "{KEY}", "secret_access_key": "{SECRET}"}})
with trajpack.create("{DST}", rate=30) as writer:
    writer.append("one", x=np.zeros(9))
print(len(trajpack.open("{DST}")))
"""
    kept = {n: v for n, v in writer.environment(PYTHONPATH=str(ROOT / "tools" / "python" / "src")).items()
            if n not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=kept, timeout=120)
    assert (done.stdout, done.stderr) == ("1\n", "")
