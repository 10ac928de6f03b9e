"""What the tests of the tools share: where the binaries are, and the second reader as a module."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python" / "src"), str(ROOT / "tools")]
sys.path.insert(0, str(Path(__file__).parent / "crash"))


def built(name):
    """A program of this checkout: $TRAJPACK_BIN/NAME, or the newest build."""
    folders = [os.environ["TRAJPACK_BIN"]] if "TRAJPACK_BIN" in os.environ else [
        ROOT / ".build" / "release", ROOT / ".build" / "debug"]
    found = [Path(f) / name for f in folders if (Path(f) / name).exists()]
    if not found:
        pytest.fail(f"{name} is not built; run 'swift build' first, or set TRAJPACK_BIN")
    return str(max(found, key=lambda p: p.stat().st_mtime))


def pytest_configure():
    """The package loads the library of the same build; where there is none, its first call says so. Files that are not read
    are not shown to sources in Python, but where a test is about these."""
    os.environ.setdefault("TRAJPACK_PYTHON", "none")
    folders = [os.environ["TRAJPACK_BIN"]] if "TRAJPACK_BIN" in os.environ else [
        ROOT / ".build" / "release", ROOT / ".build" / "debug"]
    found = [p for p in (Path(f) / "libtrajpack-c.so" for f in folders) if p.exists()]
    if found:
        os.environ.setdefault("TRAJPACK_LIBRARY", str(max(found, key=lambda p: p.stat().st_mtime)))


@pytest.fixture(scope="session")
def trajpack():
    return built("trajpack")


@pytest.fixture(scope="session")
def specimen():
    return built("specimen")


@pytest.fixture
def start():
    """Starts processes; those that are left at the end of the test are killed, whatever became of it."""
    running = []

    def start(command, **options):
        process = subprocess.Popen(list(map(str, command)), **{"text": True, **options})
        running.append(process)
        return process

    yield start
    for process in running:
        with process:                        # which closes the pipes and waits
            process.kill()


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """Five small samples in WildWorld's layout, made afresh."""
    out = tmp_path_factory.mktemp("recordings")
    subprocess.run(
        [sys.executable, ROOT / "fixtures" / "make_wildworld.py", "--out", out, "--samples", "5",
         "--frames", "12", "--no-video"], check=True, capture_output=True)
    return str(out / "data_part1")


@pytest.fixture(scope="session")
def source(trajpack, tmp_path_factory):
    """The recordings of prepare_world.py as a dataset."""
    from prepare_world import convert
    return convert(trajpack, tmp_path_factory.mktemp("prepare"))


@pytest.fixture(scope="session")
def irregular(trajpack, tmp_path_factory):
    """A series whose times are irregular, as a dataset."""
    from prepare_world import run
    out = tmp_path_factory.mktemp("irregular") / "source"
    run(trajpack, "convert", ROOT / "fixtures" / "series" / "irregular.tsv", out)
    return out


@pytest.fixture
def made(trajpack, source, tmp_path):
    """Runs a command on `source`, or on another dataset, and verifies what it makes."""
    from prepare_world import run

    def make(command, *options, of=source):
        run(trajpack, command, of, tmp_path / "out", "--overwrite", *options)
        run(trajpack, "verify", tmp_path / "out")
        return tmp_path / "out"
    return make
