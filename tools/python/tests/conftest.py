"""What the tests share: the library, the program, and archives made with it."""
from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from places import ROOT, Start, program, surroundings

if TYPE_CHECKING:
    from judge_world import Stub

sys.path[:0] = [str(ROOT / "tools" / "python" / "src"), str(ROOT / "tools")]


def pytest_sessionstart(session: pytest.Session) -> None:
    """The library beside $TRAJPACK_BIN, or the newest of the two builds; without one, nothing here can run."""
    if "TRAJPACK_LIBRARY" in os.environ:
        return
    folders = [Path(os.environ["TRAJPACK_BIN"])] if "TRAJPACK_BIN" in os.environ else []
    for some in (folders, [ROOT / ".build" / "release", ROOT / ".build" / "debug"]):
        built = [f / "libtrajpack-c.so" for f in some if (f / "libtrajpack-c.so").exists()]
        if built:
            os.environ["TRAJPACK_LIBRARY"] = str(max(built, key=lambda p: p.stat().st_mtime))
            return
    raise pytest.UsageError("libtrajpack is not built: run 'swift build -c release --product trajpack-c', or set "
                            "TRAJPACK_LIBRARY")


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A test that hangs ends the run, with a traceback of every thread."""
    faulthandler.dump_traceback_later(float(os.environ.get("TRAJPACK_PATIENCE", "600")), exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def wildworld(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The three samples of fixtures/wildworld, converted."""
    out = tmp_path_factory.mktemp("wildworld") / "dataset"
    subprocess.run([program(), "convert", "--quiet", ROOT / "fixtures" / "wildworld" / "data_part1", out],
                   check=True, capture_output=True)
    return str(out)


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset with every feature of the format."""
    out = tmp_path_factory.mktemp("specimen") / "dataset"
    subprocess.run([program("specimen"), out, "--shard-episodes", "2"], check=True, capture_output=True)
    return str(out)


@pytest.fixture(scope="session")
def random_archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One of worlds.py, large enough for many batches."""
    import worlds
    path = tmp_path_factory.mktemp("world") / "world.h5"
    worlds.archive(5, streams=4, episodes=12, most=120).write(path)
    return str(path)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes; those that are left at the end of the test are killed, whatever became of it."""
    running: list[subprocess.Popen[str]] = []

    def start(command: Sequence[Any], **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(list(map(str, command)), **{"env": surroundings(), "text": True, **options})
        running.append(process)
        return process

    yield start
    for process in running:
        with process:                        # which closes the pipes and waits
            process.kill()


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    """Starts the chat servers of judge_world.py, and ends them."""
    from judge_world import Stub
    running = []

    def start(script: Callable[[int, dict[str, Any]], Any]) -> Stub:
        stub = Stub(script)
        threading.Thread(target=stub.serve_forever, args=(0.01,), daemon=True).start()
        running.append(stub)
        return stub

    yield start
    for stub in running:
        stub.shutdown()
        stub.server_close()
