"""Answers kept on disk, a file each."""
from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..._errors import MachineError
from ._files import replace_file
from ._given import path
from ._request import Answer, Request


class Cache:
    """A folder of answers by judge, question and frames. An answer that is there is not asked for again; a file that is
    damaged counts as not there."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = path(folder, "a folder of answers")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"{self.folder} cannot be made: {error.strerror}") from None

    def _path(self, judge: str, request: Request) -> Path:
        key = hashlib.sha256(f"{judge}\0{request.digest}".encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.json"

    def get(self, judge: str, request: Request) -> Answer | None:
        """The answer that is kept, or None."""
        try:
            record = json.loads(self._path(judge, request).read_bytes())
            if (record["judge"], record["request"]) != (judge, request.digest):
                return None
            answer = Answer(record["verdict"], record["reason"], record["more"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return answer if isinstance(answer.verdict, bool) and isinstance(answer.reason, str) else None

    def put(self, judge: str, request: Request, answer: Answer) -> None:
        """Keeps a verdict; None is not kept, for it may be asked for again."""
        if answer.verdict is None:
            return
        file = self._path(judge, request)
        record = {"judge": judge, "request": request.digest, "verdict": answer.verdict, "reason": answer.reason,
                  "more": dict(answer.more)}
        try:
            file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise MachineError(f"{file.parent} cannot be made: {error.strerror}") from None
        replace_file(file, json.dumps(record).encode() + b"\n")
