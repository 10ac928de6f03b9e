"""A judge that is a Python function."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._errors import TrajpackError, UsageError
from ._request import Answer, Judge, NoVerdict, Request, TryAgain, parse_answer


class FunctionJudge(Judge):
    """Asks ``function(request)``, which returns True, False, None, a text to be read as an answer, ``(verdict,
    reason)`` or an :class:`Answer`. What it raises counts as no answer. It is given as long as it takes."""

    def __init__(self, function: Callable[[Request], Any], *, name: str | None = None) -> None:
        if not callable(function):
            raise UsageError(f"a judge is something to be called, not {type(function).__name__}")
        self._function = function
        self.name = name or f"python:{getattr(function, '__qualname__', type(function).__name__)}"

    def ask(self, request: Request) -> Answer:
        try:
            answer = self._function(request)
        except (TryAgain, NoVerdict, TrajpackError):
            raise
        except Exception as error:
            raise TryAgain(f"the judge raised {type(error).__name__}: {error}") from error
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, str):
            return parse_answer(answer)
        verdict, reason = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, "")
        if type(verdict).__name__ in ("bool_", "bool"):         # numpy's too
            verdict = bool(verdict)
        if not (verdict is None or isinstance(verdict, bool)) or not isinstance(reason, str):
            raise TryAgain(f"the judge returned {answer!r:.120}, which is no verdict")
        return Answer(verdict, reason)
