"""Warnings that name the caller's line."""
from __future__ import annotations

import os
import sys
import warnings

_HERE = os.path.join(os.path.dirname(__file__), "")


def warn(sentence: str) -> None:
    """Warns of the line outside of this package that led here, however many calls lie between: what
    ``skip_file_prefixes`` does from Python 3.12 on."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    there = frame.f_globals
    warnings.warn_explicit(
        sentence, UserWarning, frame.f_code.co_filename, frame.f_lineno, there.get("__name__") or "sys",
        there.setdefault("__warningregistry__", {}))


__all__ = ["warn"]
