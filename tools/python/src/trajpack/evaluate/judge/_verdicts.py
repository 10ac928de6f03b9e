"""Verdicts and their file: a JSON object a line."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._errors import DataError
from ._files import replace_file
from ._given import contents
from ._segments import Segment

_FIELDS = ("id", "episode", "first", "last", "verdict", "reason")


@dataclass(frozen=True)
class Verdict:
    """What a judge said of a segment: True, False, or None with the reason why there is no verdict."""

    id: str
    episode: str
    first: int
    last: int
    verdict: bool | None
    reason: str = ""
    #: What else the line holds: ``judge``, ``class``, ``prompt`` (SHA-256 of what was asked), ``attempts``.
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, segment: Segment, verdict: bool | None, reason: str, **more: Any) -> Verdict:
        return cls(segment.id, segment.episode, segment.first, segment.last, verdict, reason, more)

    def line(self) -> bytes:
        """The line of the file, with its end."""
        record = {name: getattr(self, name) for name in _FIELDS} | dict(self.more)
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def read_verdicts(path: str | os.PathLike[str], *, torn: bool = False) -> dict[str, Verdict]:
    """The verdicts of a file by id, in its order.

    With ``torn`` a last line without its end, which a run that was killed leaves, is passed over if it is no verdict.
    """
    data = contents(path, "a file of verdicts", "judge_segments with out= makes one, a verdict a line")
    lines = data.split(b"\n")
    ended = not lines[-1]
    verdicts: dict[str, Verdict] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            verdict = _parse(line, f"{os.fspath(path)}, line {number}")
        except DataError:
            if torn and not ended and number == len(lines):
                break
            raise
        if verdict.id in verdicts:
            raise DataError(f"{os.fspath(path)}, line {number}: there is a second verdict of segment '{verdict.id}'")
        verdicts[verdict.id] = verdict
    return verdicts


def write_verdicts(path: str | os.PathLike[str], verdicts: Iterable[Verdict]) -> None:
    """Writes a whole file of verdicts, or nothing."""
    replace_file(path, b"".join(v.line() for v in verdicts))


def _parse(line: bytes, where: str) -> Verdict:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise DataError(f"{where}: not a JSON object") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: not a JSON object")
    kinds: dict[str, Any] = {"id": str, "episode": str, "first": int, "last": int}
    for name, kind in kinds.items():
        value = record.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(f"{where}: \"{name}\" must be {'a text' if kind is str else 'a whole number'}")
    if not 0 <= record["first"] <= record["last"]:
        raise DataError(f"{where}: \"first\" and \"last\" must be rows with first <= last")
    verdict = record.get("verdict", 0)
    if not (verdict is None or isinstance(verdict, bool)):
        raise DataError(f"{where}: \"verdict\" must be true, false or null")
    reason = record.get("reason") or ""
    if not isinstance(reason, str):
        raise DataError(f"{where}: \"reason\" must be a text")
    more = {k: v for k, v in record.items() if k not in _FIELDS}
    return Verdict(record["id"], record["episode"], record["first"], record["last"], verdict, reason, more)
