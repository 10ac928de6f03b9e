"""Asking a judge about many segments: again where it fails, several at a time, and on from where a run stopped."""
from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._errors import DataError, MachineError, TrajpackError, UsageError
from ._cache import Cache
from ._frames import Frames, chosen_rows, frames
from ._given import kind, number, whole
from ._prompts import Prompts
from ._request import Answer, Judge, NoVerdict, Request, TryAgain
from ._segments import Segment
from ._verdicts import Verdict, read_verdicts, write_verdicts

_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Persistence:
    """How often and how patiently a judge is asked."""

    #: Times that a question is asked.
    attempts: int = 3
    #: Seconds before it is asked again; doubled each time, at most a minute, or what the judge asks for.
    backoff: float = 1.0
    #: Questions in a row for which the judge cannot be reached, after which the run ends.
    give_up: int = 5

    def __post_init__(self) -> None:
        whole(self.attempts, "attempts, how often a question is asked,", 1)
        number(self.backoff, "backoff, the seconds before it is asked again,", least=0)
        whole(self.give_up, "give_up, the questions in a row without a judge,", 1)


class Asker:
    """Makes requests of segments and asks a judge about them."""

    def __init__(self, judge: Judge, truth: Callable[[str], Any] | None = None,
                 prediction: Callable[[str], Any] | None = None, *, prompts: Prompts | None = None,
                 frame_count: int = 8, height: int = 480, cache: Cache | None = None,
                 persistence: Persistence | None = None) -> None:
        if not isinstance(judge, Judge):
            raise UsageError(
                f"a judge is a judge.Judge, not {type(judge).__name__}; judge.FunctionJudge makes one of a function")
        if judge.needs_frames and (truth is None or prediction is None):
            raise UsageError(f"the judge {judge.name} looks at frames; say where those of the recordings and of the "
                             "predictions are")
        self._count = whole(frame_count, "frame_count, the frames of a segment that are shown,", 1, 1000)
        self._height = whole(height, "the height of frames", 1, 1 << 16)
        self._cache = kind(cache, Cache, "a cache") if cache is not None else None
        if cache is not None and not judge.lasting:
            raise UsageError(f"answers of the judge {judge.name} are not kept, because they may differ the next time; "
                             "leave the cache out")
        self.judge = judge
        self.prompts = kind(prompts, Prompts, "prompts") if prompts is not None else Prompts()
        self._sides = (truth, prediction)
        self._persistence = (
            kind(persistence, Persistence, "persistence") if persistence is not None else Persistence())
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._unreachable = 0

    def question(self, segment: Segment) -> str:
        """What is asked about a segment, without the frames."""
        return self.prompts.question(segment, min(self._count, segment.rows))

    def prompt_digest(self, segment: Segment) -> str:
        """SHA-256 of the words of a question."""
        return hashlib.sha256(f"{self.prompts.system}\0{self.question(segment)}".encode()).hexdigest()

    def request(self, segment: Segment) -> Request:
        """The question about a segment, with its frames; ``trajpack.DataError`` where a frame is missing."""
        rows = chosen_rows(segment.first, segment.last, self._count) if self.judge.needs_frames else []
        images = []
        for side in self._sides:
            source = side(segment.episode) if side is not None and rows else None
            held: Frames | None = None if source is None else frames(source, height=self._height)
            images.append(tuple(held.images(rows)) if held is not None else ())
        return Request(segment, self.prompts.system, self.question(segment), tuple(rows), *images)

    def verdict(self, segment: Segment) -> Verdict:
        """The judge's verdict, or None as the verdict with the reason."""
        more: dict[str, Any] = {"judge": self.judge.name, "prompt": self.prompt_digest(segment)}
        if segment.label is not None:
            more["class"] = segment.label
        if segment.group is not None:
            more["group"] = segment.group
        try:
            request = self.request(segment)
        except DataError as error:
            return Verdict.of(segment, None, str(error), **more)
        more["request"] = request.digest
        kept = self._cache.get(self.judge.name, request) if self._cache else None
        if kept is not None:
            return Verdict.of(segment, kept.verdict, kept.reason, **kept.more, **more)
        try:
            answer, attempts = self._ask(request)
        except (TryAgain, NoVerdict) as error:
            return Verdict.of(segment, None, str(error), **more)
        if self._cache:
            self._cache.put(self.judge.name, request, answer)
        # What goes with an answer gives way to what is known of the question.
        return Verdict.of(segment, answer.verdict, answer.reason, **{**answer.more, **more, "attempts": attempts})

    def _ask(self, request: Request) -> tuple[Answer, int]:
        most = self._persistence.attempts
        for attempt in range(1, most + 1):
            try:
                answer = self.judge.ask(request)
            except TryAgain as error:
                if attempt == most or self.stopped.is_set():
                    self._note(error)
                    times = "once" if attempt == 1 else f"{attempt} times"
                    raise TryAgain(f"{error} (asked {times})") from error
                pause = min(self._persistence.backoff * 2 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.75, 1.25)
                self.stopped.wait(max(pause, min(error.wait or 0.0, 5 * _LONGEST_WAIT)))
            else:
                self._note(None)
                return answer, attempt
        raise AssertionError("unreachable")

    def _note(self, error: TryAgain | None) -> None:
        """Counts questions in a row that did not reach the judge."""
        with self._lock:
            self._unreachable = self._unreachable + 1 if error is not None and error.unreachable else 0
            if error is not None and self._unreachable >= self._persistence.give_up:
                self.stopped.set()
                raise MachineError(f"{self._unreachable} questions in a row did not reach the judge, so the run ends: "
                                   f"{error}")


def judge_segments(segments: Iterable[Segment], asker: Asker, *, out: str | os.PathLike[str] | None = None,
                   fresh: bool = False, concurrency: int = 4,
                   progress: Callable[[int, int], None] | None = None) -> list[Verdict]:
    """The verdicts of all segments, in their order.

    With ``out`` each is written to that file as soon as it is known, and a later call asks only about segments that
    have no verdict there, or one to another question. Verdicts of other segments stay in the file and are not returned.
    A file of another judge is refused; ``fresh`` begins an empty one. When all is done the file is in the order of the
    segments, or, where it holds others too, in that of the episodes' ids and the rows. ``progress`` is told how many of
    how many are done.
    """
    kind(asker, Asker, "what asks")
    whole(concurrency, "concurrency, the questions asked at a time,", 1, 1000)
    if not isinstance(segments, Iterable):
        raise UsageError(f"segments are a list of judge.Segment, not {type(segments).__name__}")
    todo = [kind(segment, Segment, "a segment") for segment in segments]
    ids = {s.id for s in todo}
    if len(ids) < len(todo):
        raise UsageError("two segments have the same id")
    done: dict[str, Verdict] = {}
    others: list[Verdict] = []
    if out is not None:
        if not fresh and Path(out).exists():
            done, others = _earlier(out, todo, asker)
        write_verdicts(out, [*others, *done.values()])
    missing = [s for s in todo if s.id not in done]
    tell = progress or (lambda done, total: None)
    tell(len(done), len(todo))
    file = None
    try:
        file = open(out, "ab", buffering=0) if out is not None else None
        for verdict in _answers(missing, asker, concurrency):
            if file is not None:
                _append(file, verdict.line())
            done[verdict.id] = verdict
            tell(len(done), len(todo))
    except OSError as error:
        if isinstance(error, TrajpackError):
            raise
        raise MachineError(f"{out} cannot be written: {error.strerror}") from None
    finally:
        if file is not None:
            file.close()
        asker.judge.close()
    verdicts = [done[s.id] for s in todo]
    if out is not None:
        write_verdicts(out, sorted([*others, *verdicts], key=_place) if others else verdicts)
    return verdicts


def _place(verdict: Verdict) -> tuple[str, int, int, str]:
    return verdict.episode, verdict.first, verdict.last, verdict.id


def _append(file: Any, line: bytes) -> None:
    while line:
        line = line[file.write(line):]


def _earlier(out: str | os.PathLike[str], segments: Sequence[Segment],
             asker: Asker) -> tuple[dict[str, Verdict], list[Verdict]]:
    """The verdicts of earlier runs: on these segments, those that still stand, and all on other segments."""
    found = read_verdicts(out, torn=True)
    for verdict in found.values():
        judge = verdict.more.get("judge")
        if judge != asker.judge.name:
            raise UsageError(
                f"{os.fspath(out)} holds verdicts of {judge or 'an unnamed judge'}, not of {asker.judge.name}; "
                "choose another file, or start afresh"
            )
    kept = {}
    for segment in segments:
        old = found.pop(segment.id, None)
        if (old is not None and old.verdict is not None and old.more.get("prompt") == asker.prompt_digest(segment)
                and (old.episode, old.first, old.last) == (segment.episode, segment.first, segment.last)):
            kept[segment.id] = old
    return kept, list(found.values())


def _answers(segments: Sequence[Segment], asker: Asker, concurrency: int) -> Iterable[Verdict]:
    """Verdicts as they come; the first error that ends the run is raised when what is under way has ended."""
    waiting = iter(segments)
    running: set[Future[Verdict]] = set()
    failure: BaseException | None = None
    with ThreadPoolExecutor(concurrency, thread_name_prefix="trajpack-judge") as pool:
        try:
            while True:
                while failure is None and len(running) < concurrency and (segment := next(waiting, None)) is not None:
                    running.add(pool.submit(asker.verdict, segment))
                if not running:
                    break
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    error = future.exception()
                    if error is None:
                        yield future.result()
                    elif failure is None:
                        failure = error
                        asker.stopped.set()
        except BaseException:
            asker.stopped.set()
            asker.judge.interrupt()
            raise
    if failure is not None:
        raise failure
