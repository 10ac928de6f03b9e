"""Faults of the machine and of the command line: one sentence, the right exit code, nothing half-written."""
import os
import resource
import subprocess

import pytest
import read_archive
from promise import digests


def convert(trajpack, source, destination, *more, **options):
    return subprocess.run(
        [trajpack, "convert", source, str(destination), "--quiet", *more], capture_output=True, text=True, **options)


def one_sentence(done, code):
    lines = done.stderr.strip().split("\n")
    assert done.returncode == code, done.stderr
    assert len(lines) == 1 and lines[0].startswith("trajpack convert: ") and len(lines[0]) < 400, done.stderr
    assert done.stdout == ""
    return lines[0]


@pytest.fixture(scope="module")
def reference(trajpack, recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "ds"
    assert convert(trajpack, recordings, folder, "--shard-size", "1KB").returncode == 0
    return digests(folder)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of some KiB; skips where mounting is not permitted."""
    mounted = []

    def mount(kibibytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder], capture_output=True)
        if done.returncode != 0:
            pytest.skip("mounting a small file system is not permitted here; the limit on file size stands in")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def whole_or_absent(folder, reference):
    """What an error may leave: nothing, or acknowledged shards with their bytes and the journal."""
    if not folder.exists():
        return 0
    paths, whole = read_archive.open_dataset(str(folder))
    assert not whole["complete"] and paths, "a folder without an acknowledged shard was left"
    found = digests(folder)
    assert set(found) == {"journal"} | {os.path.basename(p) for p in paths}
    for name in found.keys() - {"journal"}:
        assert found[name] == reference[name]
    return len(paths)


@pytest.mark.parametrize("kibibytes", [4, 8, 20, 40, 56, 60, 92, 120, 140, 152])
def test_disk_full(trajpack, recordings, reference, small_disk, tmp_path, kibibytes):
    disk = small_disk(kibibytes)
    line = one_sentence(convert(trajpack, recordings, disk / "ds", "--shard-size", "1KB"), 3)
    assert "no space is left on the disk; free some and try again (the same command with --resume goes on)" in line
    kept = whole_or_absent(disk / "ds", reference)
    assert kept == 0 or kibibytes > 20
    # With room again, the same command goes on and ends in the same bytes.
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    assert convert(trajpack, recordings, disk / "ds", "--shard-size", "1KB", "--resume").returncode == 0
    assert digests(disk / "ds") == reference


@pytest.mark.parametrize("kibibytes", [1, 6, 16, 25, 28])
def test_file_size_limit(trajpack, recordings, reference, tmp_path, kibibytes):
    """RLIMIT_FSIZE: writes fail, here or there, with EFBIG."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (kibibytes << 10, kibibytes << 10))

    done = convert(trajpack, recordings, tmp_path / "ds", "--shard-size", "1KB", preexec_fn=limit)
    assert "file too large" in one_sentence(done, 3).lower()
    whole_or_absent(tmp_path / "ds", reference)
    assert convert(trajpack, recordings, tmp_path / "ds", "--shard-size", "1KB", "--resume").returncode == 0
    assert digests(tmp_path / "ds") == reference


def test_no_permission(trajpack, recordings, tmp_path):
    """A folder that may not be written; root gives up its right to write everywhere first."""
    folder = tmp_path / "locked"
    folder.mkdir()
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    folder.chmod(0o555)
    done = subprocess.run(
        [*drop, trajpack, "convert", recordings, folder / "ds", "--quiet"], capture_output=True, text=True)
    folder.chmod(0o755)
    line = one_sentence(done, 3)
    assert "permission denied" in line and str(folder / "ds") in line
    assert os.listdir(folder) == []


def test_destination_is_a_file(trajpack, recordings, tmp_path):
    (tmp_path / "file").write_text("mine")
    line = one_sentence(convert(trajpack, recordings, tmp_path / "file"), 2)
    assert str(tmp_path / "file") in line
    line = one_sentence(convert(trajpack, recordings, tmp_path / "file" / "ds"), 2)
    assert (tmp_path / "file").read_text() == "mine"


def test_destination_is_no_dataset(trajpack, recordings, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for more in [(), ("--resume",), ("--overwrite",)]:
        line = one_sentence(convert(trajpack, recordings, tmp_path / "mine", *more), 2)
        assert "is not empty" in line
        assert os.listdir(tmp_path / "mine") == ["thesis.txt"]


def test_two_writers(trajpack, recordings, reference, tmp_path):
    """A second writer is refused while the first has the journal, and takes nothing away."""
    import fcntl
    assert convert(trajpack, recordings, tmp_path / "ds", "--shard-size", "1KB").returncode == 0
    with open(tmp_path / "ds" / "journal", "w") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        line = one_sentence(convert(trajpack, recordings, tmp_path / "ds", "--overwrite"), 2)
        assert "another process" in line
    (tmp_path / "ds" / "journal").unlink()
    assert digests(tmp_path / "ds") == reference
