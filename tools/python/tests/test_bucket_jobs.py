"""Jobs whose recordings lie in a bucket: a task brings its own, what a plan has looked at is brought once, and the
dataset is that of one conversion."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bucket_server import BucketServer
from bucket_world import OPTIONS, Writer, bucket, content, raw, writer  # noqa: F401  fixtures
from object_server import Fault, Request
from places import ROOT

SOURCE = "s3://bucket/raw/some runs"


def put(bucket: BucketServer, folder: Path, prefix: str = "raw/some runs/") -> None:
    """Puts the files of a folder into the bucket, each with a time of its own, which it gets here, too."""
    for i, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        bucket.put(prefix + str(path.relative_to(folder)), path.read_bytes(), age=7200 - i)


def run_job(writer: Writer, job: Path, tasks: int) -> None:
    for task in reversed(range(tasks)):
        writer.good("job", "run", job, "--task", str(task))
    writer.good("job", "finish", job)


def read(bucket: BucketServer, since: int = 0) -> dict[str, int]:
    """Bytes that were asked for, by the last part of the object's name."""
    found: dict[str, int] = {}
    for request in bucket.requests[since:]:
        if request.method != "GET" or not request.range:
            continue
        first, last = request.range.removeprefix("bytes=").split("-")
        name = request.path.rsplit("/", 1)[1]
        key = request.path.split("/", 2)[2]
        length = len(bucket.objects[key].data)
        found[name] = found.get(name, 0) + max(min(int(last) + 1, length) - int(first), 0)
    return found


def tables(folder: Path) -> None:
    for number in range(5):
        with open(folder / f"run{number}.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["time", "x", "y"])
            rows.writerows([i / 50, i * number, i % 7] for i in range(4000))


def spoilt_tables(bucket: BucketServer, tmp_path: Path) -> Path:
    """Tables here and in the bucket, of which run3 has a word among its numbers."""
    folder = tmp_path / "some runs"
    folder.mkdir()
    tables(folder)
    text = (folder / "run3.csv").read_text().splitlines()
    text[3000] = "60.0,what,3"
    (folder / "run3.csv").write_text("\n".join(text))
    put(bucket, folder)
    return folder


def trees(folder: Path) -> None:
    """Robomimic's layout: demonstrations of one file are recordings."""
    for number in range(2):
        with h5py.File(folder / f"part{number}.hdf5", "w") as file:
            for demo in range(3):
                group = file.create_group(f"data/demo_{demo}")
                group.attrs["num_samples"] = 400
                group["actions"] = np.random.default_rng(demo).normal(size=(400, 7))
                group["obs/eef_pos"] = np.random.default_rng(demo + 9).normal(size=(400, 3))


def archives(folder: Path) -> None:
    (folder / "night").mkdir()
    for number in range(4):
        np.savez_compressed(folder / ("night" if number % 2 else "") / f"run{number}.npz",
                            x=np.random.default_rng(number).normal(size=(3000, 5)))


def samples(folder: Path) -> None:
    shutil.copytree(ROOT / "fixtures/wildworld/data_part1", folder / "data_part1")


@pytest.mark.parametrize(("make", "options"), [
    (tables, ()), (trees, ("--shard-size", "20KiB")), (archives, ("--rate", "100", "--shard-size", "100KiB")),
    (samples, ("--shard-size", "1KiB"))], ids=lambda p: getattr(p, "__name__", ""))
def test_a_job_from_a_bucket_is_one_conversion(
        writer: Writer, bucket: BucketServer, tmp_path: Path, make, options) -> None:
    folder = tmp_path / "some runs"
    folder.mkdir()
    make(folder)
    put(bucket, folder)
    source = SOURCE + ("/data_part1" if make is samples else "")
    options = ("--shard-size", "100KiB", *options)
    writer.good("convert", source, tmp_path / "one", *options)
    plan = writer.good("job", "plan", source, tmp_path / "ds", "--tasks", "2", *options)
    assert "2 tasks" in plan
    run_job(writer, tmp_path / "ds.job", 2)
    assert content(tmp_path / "ds") == content(tmp_path / "one")
    writer.good("verify", tmp_path / "ds")
    assert {p.name for p in (tmp_path / "ds.job").iterdir()} == {"job.json", "lock"}
    assert writer.leftovers == [] and not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    # A task of a finished job finds it finished, without the bucket.
    before = len(bucket.requests)
    assert "finished" in writer.good("job", "run", tmp_path / "ds.job", "--task", "0")
    assert len(bucket.requests) == before
    # The same as from files, but for their times.
    here = folder / "data_part1" if make is samples else folder
    writer.good("convert", here, tmp_path / "here", *options)
    assert "equal" in writer.good("diff", tmp_path / "here", tmp_path / "ds")


def test_a_task_brings_its_own(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    """A plan brings what it looks at, once for all; a task the rest of its recordings."""
    put(bucket, raw)
    sizes = {p.name: p.stat().st_size for p in raw.iterdir()}
    assert min(sizes.values()) > 1 << 17
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "3", *OPTIONS)
    head = 64 << 10
    assert read(bucket) == dict.fromkeys(sizes, head)
    kept = tmp_path / "ds.job" / "source"
    assert sum(p.stat().st_blocks * 512 for p in kept.rglob("*.npy")) <= len(sizes) * 2 * head
    for task, (name, size) in enumerate(sorted(sizes.items())):
        before = len(bucket.requests)
        writer.good("job", "run", tmp_path / "ds.job", "--task", str(task))
        brought = read(bucket, before)
        # Opening an object brings its first bytes again.
        assert set(brought) == {name} and size - head <= brought[name] <= size + 8 * head, brought
        # What is complete is not brought again.
        before = len(bucket.requests)
        writer.good("job", "run", tmp_path / "ds.job", "--task", str(task))
        assert read(bucket, before) == {}
    before = len(bucket.requests)
    writer.good("job", "finish", tmp_path / "ds.job")
    assert read(bucket, before) == {}


def test_a_trial_looks_into_what_it_must(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    put(bucket, raw)
    assert "3 " in writer.good("convert", SOURCE, tmp_path / "x", *OPTIONS, "--dry-run")
    assert max(read(bucket).values()) <= 128 << 10 and writer.leftovers == [] and not (tmp_path / "x").exists()


def test_what_changes_is_noticed(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    put(bucket, raw)
    job = tmp_path / "ds.job"
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "2", *OPTIONS)
    old = dict(bucket.objects)
    bucket.put("raw/some runs/run001.npy", old["raw/some runs/run001.npy"].data, age=50)
    said = writer.refused(1, "job", "run", job, "--task", "0")
    assert f"{SOURCE}/run001.npy has changed" in said and "since the job was planned" in said, said
    bucket.objects.update(old)
    bucket.put("raw/some runs/run007.npy", old["raw/some runs/run001.npy"].data)
    said = writer.refused(1, "job", "run", job, "--task", "0")
    assert f"{SOURCE}/run007.npy was added" in said, said
    del bucket.objects["raw/some runs/run007.npy"]
    # Between the listing and the reading.
    bucket.fault = lambda r: Fault(etag='"other"') if r.path.endswith("run002.npy") else None
    said = writer.run("job", "run", job, "--task", "0-1").stderr
    assert f"{SOURCE}/run002.npy: has changed since it was listed" in said, said
    bucket.fault = None
    run_job(writer, job, 2)
    assert writer.leftovers == []


def test_errors_name_objects(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    folder = spoilt_tables(bucket, tmp_path)
    said = writer.refused(1, "convert", SOURCE, tmp_path / "x", "--json")
    assert f"{SOURCE}/run3.csv" in said and "trajpack-source" not in said, said
    here = writer.refused(1, "convert", folder, tmp_path / "x", "--json")
    assert said.replace(SOURCE, str(folder)) == here
    assert "--video link" in writer.refused(2, "convert", SOURCE, tmp_path / "x", "--video", "link")
    plan = ("job", "plan", folder, tmp_path / "x", "--tasks", "2")
    assert "leave it out" in writer.refused(2, *plan, "--staging", tmp_path)
    assert "does not exist" in writer.refused(2, "job", "plan", "s3://bucket/none", tmp_path / "x", "--tasks", "2")
    before = len(bucket.requests)
    assert "lies in a bucket" in writer.refused(2, "job", "plan", SOURCE, "s3://bucket/ds", "--tasks", "2")
    (tmp_path / "y.job").mkdir()
    assert "is there already" in writer.refused(2, "job", "plan", SOURCE, tmp_path / "y", "--tasks", "2")
    (tmp_path / "y.job").rmdir()
    assert read(bucket, before) == {}
    assert writer.leftovers == [] and sorted(p.name for p in tmp_path.iterdir()) == ["some runs", "tmp"]


@pytest.mark.parametrize("at", [1, 2, 4, 5])
def test_a_task_that_was_killed_is_run_again(
        writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path, at: int) -> None:
    put(bucket, raw)
    writer.good("convert", SOURCE, tmp_path / "one", *OPTIONS)
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "2", *OPTIONS)
    job = tmp_path / "ds.job"
    # The listing, first bytes, and the rest of either task's recordings.
    assert writer.killed(at, Fault(reset=True), "job", "run", job, "--task", "0-1")
    left = writer.leftovers
    assert all(name.startswith("trajpack-source-") for name in left)
    run_job(writer, job, 2)
    assert content(tmp_path / "ds") == content(tmp_path / "one") and writer.leftovers == left


def test_two_tasks_at_once(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    put(bucket, raw)
    writer.good("convert", SOURCE, tmp_path / "one", *OPTIONS)
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "3", *OPTIONS, "--staging", tmp_path / "here")
    job = tmp_path / "ds.job"
    running = [writer.start("job", "run", job, "--task", str(task)) for task in range(3)]
    for process in running:
        assert process.communicate(timeout=120) is not None and process.returncode == 0
    writer.good("job", "finish", job)
    assert content(tmp_path / "ds") == content(tmp_path / "one")
    assert writer.leftovers == [] and list((tmp_path / "here").iterdir()) == []


def test_one_object_and_a_damaged_list(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    put(bucket, raw)
    writer.good("convert", f"{SOURCE}/run000.npy", tmp_path / "one", *OPTIONS)
    writer.good("job", "plan", f"{SOURCE}/run000.npy", tmp_path / "ds", "--tasks", "2", *OPTIONS)
    listing = tmp_path / "ds.job" / "source" / "0.jsonl"
    whole = listing.read_bytes()
    for bad in (whole[:-9] + b"\n", re.sub(rb"\[\[0,\d+\]\]", b"[[0,9999]]", whole)):
        assert bad != whole
        listing.write_bytes(bad)
        said = writer.refused(1, "job", "run", tmp_path / "ds.job", "--task", "0")
        assert str(listing) in said, said
    listing.write_bytes(whole)
    run_job(writer, tmp_path / "ds.job", 1)
    assert content(tmp_path / "ds") == content(tmp_path / "one")


def test_columns_are_not_searched_for_hdf5(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    """Of a Parquet file its beginning and end are looked at."""
    folder = tmp_path / "some runs"
    folder.mkdir()
    for number in range(2):
        values = np.random.default_rng(number).normal(size=(200_000, 2))
        pq.write_table(pa.table({"time": np.arange(200_000) / 50, "x": values[:, 0], "y": values[:, 1]}),
                       folder / f"run{number}.parquet", row_group_size=20_000)
    put(bucket, folder)
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "2", "--shard-size", "1MiB")
    # The beginning, the end, and the column of times, a third at most.
    size = (folder / "run0.parquet").stat().st_size
    assert all(0 < count <= size * 0.6 for count in read(bucket).values()), (read(bucket), size)
    run_job(writer, tmp_path / "ds.job", 2)
    writer.good("convert", folder, tmp_path / "here", "--shard-size", "1MiB")
    assert "equal" in writer.good("diff", tmp_path / "here", tmp_path / "ds")


def test_a_stop_leaves_nothing(writer: Writer, bucket: BucketServer, raw: Path, tmp_path: Path) -> None:
    put(bucket, raw)
    hit: list[int] = []
    process = writer.start("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "2", *OPTIONS)

    def rule(request: Request) -> Fault | None:
        if request.range and not hit:
            hit.append(request.number)
            os.kill(process.pid, signal.SIGTERM)
        return None
    bucket.fault = rule
    process.communicate(timeout=60)
    bucket.fault = None
    assert process.returncode not in (0, -signal.SIGTERM)
    assert writer.leftovers == [] and [p.name for p in tmp_path.iterdir()] == ["tmp"]


def test_zipped_arrays(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    """The end of a zip archive is looked at first, and what lies between is brought when it is read."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for name in "xy":
            np.save(tmp_path / "t.npy", np.random.default_rng(3).normal(size=(40_000, 4)))
            file.write(tmp_path / "t.npy", f"{name}.npy")
    bucket.put("raw/some runs/a.npz", (tmp_path / "a.npz").read_bytes())
    assert "a" in writer.good("convert", SOURCE, tmp_path / "ds", "--rate", "10", "--dry-run")
    # The end, and the header of either array.
    assert 0 < sum(read(bucket).values()) <= 5 * (64 << 10)
    writer.good("convert", SOURCE, tmp_path / "ds", "--rate", "10")
    writer.good("convert", tmp_path / "a.npz", tmp_path / "here", "--rate", "10")
    assert "equal" in writer.good("diff", tmp_path / "here", tmp_path / "ds")


def test_what_is_left_out_has_the_name_of_its_object(writer: Writer, bucket: BucketServer, tmp_path: Path) -> None:
    spoilt_tables(bucket, tmp_path)
    options = ("--on-error", "skip", "--shard-size", "100KiB")
    done = writer.run("convert", SOURCE, tmp_path / "one", *options)
    assert done.returncode == 1 and f"{SOURCE}/run3.csv" in done.stderr, done.stderr
    assert "trajpack-source" not in done.stderr
    writer.good("job", "plan", SOURCE, tmp_path / "ds", "--tasks", "2", *options)
    job = tmp_path / "ds.job"
    assert f"{SOURCE}/run3.csv" in "".join(writer.run("job", "run", job, "--task", str(t)).stderr for t in (0, 1))
    assert writer.run("job", "finish", job).returncode == 1
    assert content(tmp_path / "ds") == content(tmp_path / "one")
    assert not any(b"trajpack-source" in data for data in content(tmp_path / "ds").values())
