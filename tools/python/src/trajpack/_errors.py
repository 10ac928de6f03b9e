"""The exceptions: one sentence each, the same that the command line prints."""
from __future__ import annotations

from collections.abc import Iterable

from ._words import printable


class TrajpackError(Exception):
    """What trajpack refuses. ``code`` is 1 for data, 2 for usage, 3 for the machine, 5 for cancelled."""

    code = 0

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


def from_status(status: int, message: str) -> TrajpackError:
    """The exception of a status of the library."""
    kind = _CLASSES.get(status)
    if kind is None:
        return TrajpackError(f"the library answered with the unknown status {status}: {message}")
    return kind(message or ("the loader was cancelled" if status == 5 else "no reason was given"))


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
