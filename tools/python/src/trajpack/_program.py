"""The program ``trajpack``, which the wheel brings among its scripts, and how this package runs it."""
from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from ._errors import MachineError


def find() -> str:
    """The program: ``$TRAJPACK_PROGRAM``, else that of this installation, of the checkout, or of the search path."""
    if given := os.environ.get("TRAJPACK_PROGRAM"):
        if not os.access(given, os.X_OK) or Path(given).is_dir():
            raise MachineError(f"TRAJPACK_PROGRAM names {given}, which is no program")
        return given
    places = [Path(sysconfig.get_path("scripts")) / "trajpack"]
    for scheme in (sysconfig.get_preferred_scheme("user"),):
        places.append(Path(sysconfig.get_path("scripts", scheme)) / "trajpack")
    checkout = Path(__file__).resolve().parents[4]
    if (checkout / "Package.swift").exists():
        places.append(checkout / ".build" / "release" / "trajpack")
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    found = shutil.which("trajpack")
    if found is None:
        raise MachineError("the program 'trajpack' was not found; install the wheel, which has it, or set "
                           "TRAJPACK_PROGRAM to its path")
    return found


def run(words: Sequence[str | bytes]) -> tuple[int, bytes, str]:
    """Runs the program; its exit code, what it printed, and what it said to stderr.

    An interrupt (Ctrl-C) ends the program, too.
    """
    program = find()
    try:
        done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except (OSError, ValueError) as error:
        raise MachineError(f"{program}: cannot be run: {error}") from None
    if done.returncode < 0:
        raise MachineError(f"{program}: was ended by signal {-done.returncode}")
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()
