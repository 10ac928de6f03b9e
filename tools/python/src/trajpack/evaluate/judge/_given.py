"""What callers give, looked at once: paths, whole numbers, seconds, and files that are there."""
from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, TypeVar

from ..._errors import MachineError, UsageError

_Kind = TypeVar("_Kind")


def path(value: Any, what: str) -> Path:
    """The path of what is meant; ``trajpack.UsageError`` where it is none."""
    if isinstance(value, (str, os.PathLike)):
        given = os.fspath(value)
        if isinstance(given, str) and "\0" not in given:
            return Path(given)
    raise UsageError(f"{what} is given by its path, not as {value!r}")


def whole(value: Any, what: str, least: int, most: int | None = None) -> int:
    """A whole number from ``least`` on."""
    try:
        number = int(value.__index__()) if not isinstance(value, bool) else None
    except AttributeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        span = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise UsageError(f"{what} is a whole number {span}, not {value!r}")
    return number


def number(value: Any, what: str, *, above: float | None = None, least: float | None = None) -> float:
    """A finite number above one, or of at least one."""
    try:
        found = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or (above is not None and found <= above) or (least is not None and found < least):
        span = f" above {above:g}" if above is not None else f" of at least {least:g}" if least is not None else ""
        raise UsageError(f"{what} is a number{span}, not {value!r}")
    return found


def words(value: Any, what: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str):
        raise UsageError(f"{what} is a text, not {type(value).__name__}")
    if not value:
        raise UsageError(f"{what} is empty")
    return value


def kind(value: Any, of: type[_Kind], what: str) -> _Kind:
    """A value of that class."""
    if not isinstance(value, of):
        raise UsageError(f"{what} is a judge.{of.__name__}, not {type(value).__name__}")
    return value


def contents(value: Any, what: str, hint: str) -> bytes:
    """The bytes of a file; ``hint`` says how one that is not there comes to be."""
    file = path(value, what)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{file} does not exist; {hint}") from None
    except IsADirectoryError:
        raise UsageError(f"{file} is a folder; {hint}") from None
    except OSError as error:
        raise MachineError(f"{file} cannot be read: {error.strerror}") from None


__all__ = ["contents", "kind", "number", "path", "whole", "words"]
