"""A judge that repeats what a file says."""
from __future__ import annotations

import os

from ._request import Answer, Judge, NoVerdict, Request
from ._verdicts import read_verdicts


class RecordedJudge(Judge):
    """The verdicts of a JSONL file, by segment id; it must be about the same rows."""

    needs_frames = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._verdicts = read_verdicts(path)
        self.name = f"file:{os.path.basename(os.fspath(path))}"

    def ask(self, request: Request) -> Answer:
        segment = request.segment
        found = self._verdicts.get(segment.id)
        if found is None:
            raise NoVerdict(f"the file has no verdict of segment '{segment.id}'")
        if (found.episode, found.first, found.last) != (segment.episode, segment.first, segment.last):
            raise NoVerdict(f"the file's segment '{segment.id}' is rows {found.first} to {found.last} of episode "
                            f"'{found.episode}', not rows {segment.first} to {segment.last} of '{segment.episode}'")
        return Answer(found.verdict, found.reason, found.more)
