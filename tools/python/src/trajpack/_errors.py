"""The exceptions: one sentence each, the same that the command line prints."""
from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ._words import printable


@dataclass(frozen=True)
class ErrorPlace:
    """Where an error is; what is not known is None. The sentence says the same to people."""

    file: str | None = None
    """A path, as it was given or found; a shard by its name."""
    episode: str | None = None
    """An id."""
    stream: str | None = None
    channel: str | None = None
    """A channel without its stream, or a column of a table."""
    line: int | None = None
    """A line of a text file, from 1 on."""
    row: int | None = None
    """A row of a track, table or array, from 0 on."""
    byte: int | None = None
    """A byte of the file, from 0 on."""


class TrajpackError(Exception):
    """What trajpack refuses. ``code`` is 1 for data, 2 for usage, 3 for the machine, 5 for cancelled; ``place`` is
    where it is, as far as that is known."""

    code = 0
    place = ErrorPlace()

    def __str__(self) -> str:
        return printable(super().__str__())


class DataError(TrajpackError):
    """The data is damaged, inconsistent or breaks a rule of the format."""

    code = 1


class UsageError(TrajpackError, ValueError):
    """The caller asked for something that cannot be done."""

    code = 2


class MachineError(TrajpackError, OSError):
    """The machine refused: no memory, no permission, a full disk."""

    code = 3


class Cancelled(TrajpackError):
    """``Loader.cancel`` was called while a batch was waited for, or before."""

    code = 5


_CLASSES = {1: DataError, 2: UsageError, 3: MachineError, 5: Cancelled}


def from_status(status: int, message: str, place: str = "") -> TrajpackError:
    """The exception of a status of the library. ``place``: the JSON of its place, or nothing."""
    kind = _CLASSES.get(status)
    if kind is None:
        return TrajpackError(f"the library answered with the unknown status {status}: {message}")
    error = kind(message or ("the loader was cancelled" if status == 5 else "no reason was given"))
    if place:
        error.place = ErrorPlace(**json.loads(place))
    return error


def nearest(name: object, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or what there is, or nothing."""
    import difflib  # only for a mistake
    names = list(known)
    found = difflib.get_close_matches(str(name), names, 1, 0.6)
    if found:
        return f"; did you mean '{found[0]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; there is {shown}"
