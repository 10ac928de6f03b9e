"""Prompts: text files, one a class of actions, with placeholders."""
from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from ..._errors import DataError, MachineError, UsageError, nearest
from ._given import path as given_path
from ._segments import Segment

#: What stands in a prompt in braces, and what it becomes.
PLACEHOLDERS: Mapping[str, str] = {
    "action": "the action's name, or its numbers",
    "class": "its class, or 'action'",
    "episode": "the episode's id",
    "first": "the first row of the segment",
    "last": "its last row",
    "rows": "how many rows it has",
    "frames": "how many frames of each video are shown",
}
SYSTEM, DEFAULT = "system", "default"


class Prompts:
    """The prompts of a folder: ``system.txt``, ``default.txt`` and ``CLASS.txt`` for any class of actions.

    A class without a file is asked with ``default.txt``. Doubled braces stand for braces.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        own = Path(__file__).parent / "prompts"
        self.folder = given_path(folder, "a folder of prompts") if folder is not None else own
        try:
            paths = sorted(self.folder.glob("*.txt"))
            self._texts = {path.stem: path.read_text("utf-8").strip() for path in paths}
        except OSError as error:
            raise MachineError(f"{self.folder} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataError(f"a prompt in {self.folder} is not UTF-8") from None
        for needed in (SYSTEM, DEFAULT):
            if needed not in self._texts:
                raise UsageError(f"{self.folder} has no {needed}.txt")
        for name, text in self._texts.items():
            self._check(name, text)

    def _check(self, name: str, text: str) -> None:
        try:
            fields = [(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(text)
                      if field is not None]
        except ValueError as error:
            raise DataError(f"{self.folder / name}.txt: {error}; a brace of its own is written twice") from None
        if fields and name == SYSTEM:
            raise DataError(f"{self.folder / name}.txt is the same for every question, so it takes no placeholder")
        for field, spec, conversion in fields:
            if field not in PLACEHOLDERS:
                raise DataError(f"{self.folder / name}.txt has the unknown placeholder {{{field}}}"
                                + nearest(field, PLACEHOLDERS))
            if spec or conversion:
                raise DataError(f"{self.folder / name}.txt: the placeholder {{{field}}} takes no format")

    @property
    def system(self) -> str:
        """What the judge is told before every question."""
        return self._texts[SYSTEM].format()

    def question(self, segment: Segment, frames: int) -> str:
        """What the judge is asked about a segment of which ``frames`` frames are shown."""
        label = DEFAULT if segment.label in (None, SYSTEM) else segment.label
        text = self._texts.get(label, self._texts[DEFAULT])
        action = segment.name or "/".join(map(str, segment.action)) or "unknown"
        return text.format_map({
            "action": action, "class": segment.label or "action", "episode": segment.episode, "first": segment.first,
            "last": segment.last, "rows": segment.rows, "frames": frames})
