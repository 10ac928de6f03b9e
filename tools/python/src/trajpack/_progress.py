"""A line that says how far a loop has come: drawn over itself on a terminal, else a plain line now and then."""
from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ._words import printable

_BEFORE, _AGAIN, _LINES = 2.0, 0.1, 10.0


class ProgressLine:
    """``label: 42 %, 1,344 of 3,200 batches, 12,345 windows/s, 3 s left``, from two seconds after the start on."""

    def __init__(self, label: str, total: int, done: int = 0, file: TextIO | None = None, clock: Any = None) -> None:
        self._label, self._total, self._first, self._done = printable(label), total, done, done
        self._file = file if file is not None else sys.stderr
        self._now = clock or time.monotonic
        self._terminal = bool(getattr(self._file, "isatty", lambda: False)())
        self._began = self._now()
        self._next = self._began + _BEFORE
        self._width = 0
        self._windows = 0

    def advance(self, windows: int, waiting: float) -> None:
        """One batch more, of so many windows; ``waiting``: the share of the time that the loop waited for data."""
        self._done += 1
        self._windows += windows
        now = self._now()
        if now >= self._next:
            self._write(self._text(now, waiting))
            self._next = now + (_AGAIN if self._terminal else _LINES)

    def _text(self, now: float, waiting: float) -> str:
        passed = now - self._began
        share = self._done / max(self._total, 1)
        left = passed / max(self._done - self._first, 1) * max(self._total - self._done, 0)
        text = (f"{self._label}: {share:.0%}, {self._done:,} of {self._total:,} batches, "
                f"{self._windows / max(passed, 1e-9):,.0f} windows/s, {_duration(left)} left")
        return text + (f", waiting for data {waiting:.0%} of the time" if waiting >= 0.02 else "")

    def _write(self, text: str) -> None:
        try:
            if self._terminal:
                self._file.write("\r" + text.ljust(self._width))
            else:
                self._file.write(text + "\n")
            self._file.flush()
        except (OSError, ValueError):  # nobody reads it any more
            self._next = float("inf")
        self._width = len(text)

    def close(self) -> None:
        """Takes the line away; what stays is one line, where there was any."""
        if self._width and self._terminal and self._next != float("inf"):
            passed = self._now() - self._began
            self._write(f"{self._label}: {self._done:,} batches in {_duration(passed)}")
            self._file.write("\n")
            self._file.flush()
        self._width = 0


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
