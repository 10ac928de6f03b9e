"""The rules of the destination, and of stopping and going on: nothing lost, nothing half-written, the same bytes."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from promise import digests

SMALL = ("--shard-size", "1KB", "--quiet")


def run(trajpack, *words, **options):
    return subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, **options)


def refused(done, code, *pieces):
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for piece in pieces:
        assert piece in done.stderr, done.stderr


@pytest.fixture(scope="module")
def reference(trajpack, recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "ds"
    assert run(trajpack, "convert", recordings, folder, *SMALL).returncode == 0
    return digests(folder)


def test_a_dataset_is_replaced_only_when_asked(trajpack, recordings, reference, tmp_path):
    assert run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL).returncode == 0
    refused(run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL), 2, "--resume", "--overwrite")
    assert digests(tmp_path / "ds") == reference
    again = run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL, "--resume")
    assert again.returncode == 0 and digests(tmp_path / "ds") == reference
    other = run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL, "--resume", "--level", "7")
    refused(other, 2, "other options")
    assert digests(tmp_path / "ds") == reference
    assert run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL, "--overwrite").returncode == 0
    assert digests(tmp_path / "ds") == reference
    refused(run(trajpack, "convert", recordings, tmp_path / "ds", "--resume", "--overwrite"), 2, "exclude")


@pytest.mark.parametrize("codec,level,words", [
    ("none", "1", "has no level"), ("none", "0", "has no level"), ("lz4", "0", "lz4 has levels 1 to 12, not 0"),
    ("lz4", "19", "lz4 has levels 1 to 12, not 19"), ("gzip", "-3", "gzip has levels 1 to 9, not -3"),
    ("zstd", "20", "zstd has levels 1 to 19, not 20")])
def test_levels_are_those_of_the_codec(trajpack, recordings, tmp_path, codec, level, words):
    refused(run(trajpack, "convert", recordings, tmp_path / "ds", "--codec", codec, f"--level={level}"), 2, words)
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize("option", ["--overwrite", "--resume", None])
@pytest.mark.parametrize("name,content", [
    ("manifest.json", '{"format": "some web application"}\n'), ("journal", "dear diary\n"),
    ("journal", "dear diary, this is a long day and I have much to tell\n"), ("notes.txt", "")])
def test_files_of_others_stay(trajpack, recordings, tmp_path, option, name, content):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text(content)
    (folder / "shard-of-pottery.h5").write_text("not an archive")
    done = run(trajpack, "convert", recordings, folder, "--quiet", *([option] if option else []))
    refused(done, 2, "not empty")
    assert (folder / name).read_text() == content
    assert (folder / "shard-of-pottery.h5").read_text() == "not an archive"


def test_parents_are_made_and_an_empty_folder_is_taken(trajpack, recordings, reference, tmp_path):
    assert run(trajpack, "convert", recordings, tmp_path / "a" / "b" / "ds/", *SMALL).returncode == 0
    assert digests(tmp_path / "a" / "b" / "ds") == reference
    (tmp_path / "empty").mkdir()
    assert run(trajpack, "convert", recordings, tmp_path / "empty", *SMALL).returncode == 0
    assert digests(tmp_path / "empty") == reference


def test_a_dry_run_writes_nothing(trajpack, recordings, tmp_path):
    done = run(trajpack, "convert", recordings, tmp_path / "x" / "ds", "--dry-run")
    assert done.returncode == 0 and "5 recordings" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_changed_source_is_not_resumed(trajpack, recordings, tmp_path):
    source = tmp_path / "part"
    shutil.copytree(recordings, source)
    assert run(trajpack, "convert", source, tmp_path / "ds", *SMALL).returncode == 0
    before = digests(tmp_path / "ds")
    for name in ("state.csv", "skeleton_edges.json"):
        file = next(source.rglob(name))
        saved = file.read_bytes()
        times = os.stat(file)
        file.write_bytes(saved + b"\n")
        refused(run(trajpack, "convert", source, tmp_path / "ds", *SMALL, "--resume"), 2, "other sources")
        assert digests(tmp_path / "ds") == before
        file.write_bytes(saved)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run(trajpack, "convert", source, tmp_path / "ds", *SMALL, "--resume").returncode == 0


@pytest.mark.parametrize("options", [(), ("--shard-size", "1KB"), ("--codec", "gzip"), ("--chunk-rows", "3")])
def test_threads_change_no_byte(trajpack, recordings, tmp_path, options):
    found = []
    for jobs in (1, 2, 8):
        folder = tmp_path / f"jobs{jobs}"
        done = run(trajpack, "convert", recordings, folder, "--jobs", jobs, "--quiet", *options)
        assert done.returncode == 0, done.stderr
        found.append(digests(folder))
    assert found[0] == found[1] == found[2]


@pytest.fixture(scope="module")
def many(tmp_path_factory, recordings):
    """Enough recordings that a signal arrives between two of them."""
    part = tmp_path_factory.mktemp("many") / "data_part1"
    part.mkdir()
    shutil.copy(Path(recordings) / "skeleton_edges.json", part)
    samples = sorted(p for p in Path(recordings).iterdir() if p.is_dir())
    for number in range(300):
        shutil.copytree(samples[number % len(samples)], part / f"{number:06d}")
    return part


def test_interrupt_and_resume_give_the_same_bytes(trajpack, start, many, tmp_path):
    assert run(trajpack, "convert", many, tmp_path / "whole", *SMALL).returncode == 0
    whole = digests(tmp_path / "whole")
    stops = 0
    for wanted in (1, 40, 120):
        folder = tmp_path / f"stopped{wanted}"
        process = start([trajpack, "convert", many, folder, "--shard-size", "1KB"], stderr=subprocess.PIPE,
                        stdout=subprocess.PIPE)
        while process.poll() is None and len(list(folder.glob("shard-*"))) < wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
        if process.returncode == 0:
            assert digests(folder) == whole      # it was done already
            continue
        stops += 1
        assert process.returncode == 130 and "--resume" in said and out == ""
        assert not list(folder.glob(".tmp*")) and not (folder / "manifest.json").exists()
        assert run(trajpack, "verify", folder).returncode == 0
        resumed = run(trajpack, "convert", many, folder, *SMALL, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert digests(folder) == whole
    assert stops > 0


def test_a_stop_before_the_first_shard_leaves_nothing(trajpack, start, many, tmp_path):
    process = start([trajpack, "convert", many, tmp_path / "ds"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while process.poll() is None and not list(tmp_path.glob("ds/.tmp*")):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert (process.returncode == 0) == (tmp_path / "ds").exists()


def test_a_stopped_verify_calls_nothing_good(trajpack, start, many, tmp_path):
    assert run(trajpack, "convert", many, tmp_path / "ds", *SMALL).returncode == 0
    for delay in (0, 0.005, 0.01, 0.02):
        process = start([trajpack, "verify", tmp_path / "ds"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode == 0) == ("good" in out), (process.returncode, out)


def test_head_ends_info_in_silence(trajpack, many, tmp_path):
    assert run(trajpack, "convert", many, tmp_path / "ds", *SMALL).returncode == 0
    for words in ("info", "info --json", "info --episodes"):
        command, *more = words.split()
        line = f"{{ '{trajpack}' {command} '{tmp_path}/ds' {' '.join(more)}; echo code $? >&2; }} | head -1"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        assert done.stderr == "code 0\n" and done.stdout.count("\n") == 1


def test_a_shard_that_is_gone_is_the_datas_fault(trajpack, recordings, tmp_path):
    assert run(trajpack, "convert", recordings, tmp_path / "ds", *SMALL).returncode == 0
    (tmp_path / "ds" / "shard-000002.h5").unlink()
    for words in (["verify"], ["info"], ["export", "--to", "wildworld"]):
        command, *more = words
        where = [tmp_path / "ds"] + ([tmp_path / "out"] if command == "export" else [])
        done = run(trajpack, command, *where, *more)
        assert done.returncode == 1 and "shard-000002.h5" in done.stderr and "missing" in done.stderr, done.stderr
