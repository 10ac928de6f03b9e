"""Where things are: this checkout, its programs, and the environment of another Python."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., subprocess.Popen[str]]     # what the fixture `start` is


def surroundings() -> dict[str, str]:
    """The environment in which another Python finds this package and its library."""
    from trajpack import _ffi
    return {**os.environ, "PYTHONPATH": str(ROOT / "tools" / "python" / "src"), "TRAJPACK_LIBRARY": str(_ffi.find())}


def program(name: str = "trajpack") -> str:
    folders = [os.environ["TRAJPACK_BIN"]] if "TRAJPACK_BIN" in os.environ else [
        ROOT / ".build" / "release", ROOT / ".build" / "debug"]
    found = [Path(f) / name for f in folders if (Path(f) / name).exists()]
    if not found:
        pytest.fail(f"{name} is not built; run 'swift build' first, or set TRAJPACK_BIN")
    return str(max(found, key=lambda p: p.stat().st_mtime))
