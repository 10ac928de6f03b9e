"""The exceptions: one sentence each, the same that the command line prints."""
from __future__ import annotations

from collections.abc import Iterable

from ._words import printable


class ErrorPlace:
    """Where an error is; what is not known is None. The sentence says the same to people.

    ``file`` is a path, as it was given or found, or the name of a shard; ``episode`` an id; ``channel`` a channel
    without its stream, or a column of a table; ``line`` counts the lines of a text file from 1, ``row`` the rows of a
    track, table or array from 0, ``byte`` the bytes of the file from 0; ``option`` is the argument that is wrong. Equal
    where all members are.
    """

    # Not a dataclass: the module of dataclasses would double the time of `import trajpack`.
    __slots__ = ("byte", "channel", "episode", "file", "line", "option", "row", "stream")

    def __init__(self, file: str | None = None, episode: str | None = None, stream: str | None = None,
                 channel: str | None = None, line: int | None = None, row: int | None = None,
                 byte: int | None = None, option: str | None = None) -> None:
        self.file, self.episode, self.stream, self.channel = file, episode, stream, channel
        self.line, self.row, self.byte, self.option = line, row, byte, option

    def _members(self) -> tuple[str | int | None, ...]:
        return (self.file, self.episode, self.stream, self.channel, self.line, self.row, self.byte, self.option)

    def __eq__(self, other: object) -> bool:
        return self._members() == other._members() if isinstance(other, ErrorPlace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._members())

    def __repr__(self) -> str:
        names = ("file", "episode", "stream", "channel", "line", "row", "byte", "option")
        known = [f"{n}={v!r}" for n, v in zip(names, self._members(), strict=True) if v is not None]
        return f"ErrorPlace({', '.join(known)})"


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
    """The caller asked for something that cannot be done; ``option``: the argument that is wrong, for its place."""

    code = 2

    def __init__(self, *sentence: object, option: str | None = None) -> None:
        super().__init__(*sentence)
        if option is not None:
            self.place = ErrorPlace(option=option)


class of_option:
    """A block whose errors of wrong use are of one option: it is their place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UsageError):
            place = error.place
            error.place = ErrorPlace(place.file, place.episode, place.stream, place.channel, place.line, place.row,
                                     place.byte, self._name)


class MachineError(TrajpackError, OSError):
    """The machine refused: no memory, no permission, a full disk."""

    code = 3


class Cancelled(TrajpackError):
    """``Loader.cancel`` was called while a batch was waited for, or before."""

    code = 5


_CLASSES: dict[int, type[TrajpackError]] = {1: DataError, 2: UsageError, 3: MachineError, 5: Cancelled}


def from_status(status: int, message: str, place: str = "") -> TrajpackError:
    """The exception of a status of the library. ``place``: the JSON of its place, or nothing."""
    kind = _CLASSES.get(status)
    if kind is None:
        return TrajpackError(f"the library answered with the unknown status {status}: {message}")
    error = kind(message or ("the loader was cancelled" if status == 5 else "no reason was given"))
    if place:
        import json  # only for a mistake
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
