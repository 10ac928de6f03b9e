"""What a judge is asked, what it may answer, and what every judge is."""
from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._frames import Image
from ._segments import Segment


@dataclass(frozen=True)
class Request:
    """A question about one segment, with the frames that are shown."""

    segment: Segment
    system: str
    question: str
    #: Which rows the frames are of.
    rows: tuple[int, ...]
    #: Frames of the recording.
    truth: tuple[Image, ...] = field(repr=False)
    #: Frames of the prediction, from the same rows.
    prediction: tuple[Image, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of all that the judge sees."""
        whole = hashlib.sha256()
        for part in (self.system.encode(), self.question.encode()):
            whole.update(len(part).to_bytes(8, "little") + part)
        for side in (self.truth, self.prediction):
            whole.update(len(side).to_bytes(8, "little"))
            for image in side:
                whole.update(hashlib.sha256(image.data).digest())
        return whole.hexdigest()


@dataclass(frozen=True)
class Answer:
    """A verdict, None where the judge itself says that it cannot tell, and why."""

    verdict: bool | None
    reason: str = ""
    #: What to keep with the verdict: tokens used, the model's own name.
    more: Mapping[str, Any] = field(default_factory=dict)


class TryAgain(Exception):
    """The judge gave no usable answer this time: a timeout, a full server, nonsense."""

    def __init__(self, reason: str, *, wait: float | None = None, unreachable: bool = False) -> None:
        super().__init__(reason)
        #: Seconds that the judge asks to be left alone.
        self.wait = wait
        #: Whether the judge could not be spoken to at all.
        self.unreachable = unreachable


class NoVerdict(Exception):
    """The judge will not answer this question, however often it is asked."""


class Judge(ABC):
    """Something that answers requests. ``ask`` is called from several threads at once."""

    #: Names the judge in verdicts; one that answers otherwise has another name, for answers are kept under it.
    name = "judge"
    #: Whether it looks at frames.
    needs_frames = True
    #: Whether its answers may be kept and used again.
    lasting = False

    @abstractmethod
    def ask(self, request: Request) -> Answer:
        """The answer, or ``TryAgain``, or ``NoVerdict``; any ``TrajpackError`` ends the run."""

    def interrupt(self) -> None:  # noqa: B027
        """Makes calls of ``ask`` that wait in other threads end soon; the run is over."""

    def close(self) -> None:  # noqa: B027
        """Ends what it started."""


def parse_answer(text: str) -> Answer:
    """An answer in words: a JSON object with ``verdict`` 1 or 0 (true or false, null for cannot tell) and ``reason``,
    bare or in a code fence; or nothing but 1 or 0. All else is nonsense: ``TryAgain``."""
    bare = text.strip()
    fenced = re.fullmatch(r"```[a-zA-Z]*\s*\n(.*?)\n?```", bare, re.S)
    if fenced:
        bare = fenced.group(1).strip()
    if bare in ("0", "1"):
        return Answer(bare == "1")
    try:
        found = json.loads(bare)
    except (ValueError, RecursionError):
        raise TryAgain(f"the judge answered {shortened(text)}") from None
    if not isinstance(found, dict) or "verdict" not in found:
        raise TryAgain(f"the judge answered {shortened(text)}")
    verdict, reason = found["verdict"], found.get("reason", "")
    if isinstance(verdict, int) and verdict in (0, 1):
        verdict = bool(verdict)
    if not (verdict is None or isinstance(verdict, bool)):
        raise TryAgain(f"the judge gave the verdict {shortened(json.dumps(verdict))}")
    return Answer(verdict, reason if isinstance(reason, str) else json.dumps(reason))


def shortened(text: str) -> str:
    """A text in quotes, on one line, cut after 120 characters."""
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else line[:117] + "...")
