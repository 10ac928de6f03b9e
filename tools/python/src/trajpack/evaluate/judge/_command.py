"""A judge that is a program: a request a line on its standard input, an answer a line on its standard output."""
from __future__ import annotations

import json
import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..._errors import MachineError, TrajpackError, UsageError
from ._given import number
from ._request import Answer, Judge, Request, TryAgain, parse_answer, shortened

PROTOCOL = 1
_LONGEST_ANSWER = 1 << 20


class CommandJudge(Judge):
    """Starts the program once a thread, and anew after a timeout or when it ends.

    A request is ``{"protocol": 1, "id", "episode", "first", "last", "action", "class", "system", "question", "rows",
    "truth": [paths], "prediction": [paths]}``; its image files live until it is answered. The answer is ``{"id",
    "verdict": true, false or null, "reason"}``. The program ends when its input does. What it writes to standard error
    is passed on.
    """

    def __init__(self, command: str | Sequence[str], *, timeout: float = 300.0) -> None:
        parts = [command] if isinstance(command, str) else command
        if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
            raise UsageError(f"the judge's command is a text or a list of texts, not {command!r}")
        try:
            self._command = shlex.split(command) if isinstance(command, str) else list(parts)
        except ValueError as error:
            raise UsageError(f"the judge's command {command!r} cannot be understood: {error}") from None
        if not self._command:
            raise UsageError("the judge's command is empty")
        self._timeout = number(timeout, "the judge's timeout in seconds", above=0)
        self.name = "command:" + shlex.join(self._command)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def ask(self, request: Request) -> Answer:
        try:
            with tempfile.TemporaryDirectory(prefix="trajpack-judge-") as folder:
                line = json.dumps(self._record(request, Path(folder))).encode() + b"\n"
                process = self._process()
                try:
                    return self._read(self._exchange(process, line), request.segment.id)
                except BaseException:
                    # Whatever it says now would belong to this question, so the next one gets a fresh process.
                    self._end(process)
                    raise
        except OSError as error:
            if isinstance(error, TrajpackError):
                raise
            raise MachineError(f"a question cannot be given to the judge: {error}") from None

    def _process(self) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] | None = getattr(self._local, "process", None)
        if process is None or process.poll() is not None:
            if process is not None:
                self._end(process)
            try:
                process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                           start_new_session=True)
            except OSError as error:
                raise MachineError(f"the judge {self._command[0]} cannot be started: {error.strerror}") from None
            os.set_blocking(process.stdin.fileno(), False)  # type: ignore[union-attr]
            self._local.process = process
            with self._lock:
                self._running.add(process)
        return process

    @staticmethod
    def _record(request: Request, folder: Path) -> dict[str, object]:
        segment = request.segment
        paths: dict[str, list[str]] = {}
        for side in ("truth", "prediction"):
            paths[side] = []
            for place, image in enumerate(getattr(request, side)):
                path = folder / f"{side}-{place:04}{image.suffix}"
                path.write_bytes(image.data)
                paths[side].append(str(path))
        return {"protocol": PROTOCOL, "id": segment.id, "episode": segment.episode, "first": segment.first,
                "last": segment.last, "action": list(segment.action), "class": segment.label, "system": request.system,
                "question": request.question, "rows": list(request.rows), **paths}

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes) -> str:
        """Writes a line and reads one, within the time."""
        assert process.stdin is not None and process.stdout is not None
        until = time.monotonic() + self._timeout
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while b"\n" not in answer:
                left = until - time.monotonic()
                if left <= 0:
                    raise TryAgain(f"the judge did not answer within {self._timeout:g} s")
                for key, _ in selector.select(left):
                    if key.fileobj is process.stdout:
                        part = os.read(process.stdout.fileno(), 65536)
                        if not part:
                            code = process.wait()
                            raise TryAgain(
                                f"the judge ended with exit code {code} before it answered", unreachable=True
                            )
                        answer += part
                        if len(answer) > _LONGEST_ANSWER:
                            raise TryAgain(f"the judge's answer is longer than {_LONGEST_ANSWER} bytes")
                        continue
                    try:
                        line = line[os.write(process.stdin.fileno(), line):]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        raise TryAgain("the judge ended before it read the question", unreachable=True) from None
                    if not line:
                        selector.unregister(process.stdin)
        if line:
            raise TryAgain("the judge answered before it had read the question")
        first, _, rest = answer.partition(b"\n")
        if rest.strip():
            raise TryAgain(f"the judge went on after its answer: {shortened(rest.decode('utf-8', 'replace'))}")
        return first.decode("utf-8", "replace")

    @staticmethod
    def _read(text: str, id: str) -> Answer:
        answer = parse_answer(text)
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict) or said.get("id") != id:
            raise TryAgain(f"the judge answered {shortened(text)} to the question about '{id}'")
        return answer

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._kill(process)
        process.wait()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        """Ends the program and what it started."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def interrupt(self) -> None:
        with self._lock:
            for process in self._running:
                self._kill(process)

    def close(self) -> None:
        """Closes the input of every process, and ends those that are still there after five seconds."""
        with self._lock:
            running = list(self._running)
        for process in running:
            if process.stdin is not None:
                process.stdin.close()
        until = time.monotonic() + 5
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            self._end(process)
