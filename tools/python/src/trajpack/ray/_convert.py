"""A conversion on the workers of Ray: it drives the tasks of a job (docs/scale.md)."""
from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from .. import _program
from .._errors import DataError, MachineError, TrajpackError, UsageError

_FAULTS: dict[int, type[TrajpackError]] = {1: DataError, 2: UsageError, 3: MachineError}
#: Seconds between two looks at a task that another process runs.
_PAUSE = 2.0


def _call(words: Sequence[str]) -> str:
    """Runs the program; what it printed."""
    code, printed, said = _program.run(list(words))
    if code:
        raise _FAULTS.get(code, MachineError)(said.removeprefix("trajpack: ").removeprefix("error: ") or f"exit {code}")
    return printed.decode("utf-8", "replace")


def _run(job: str, number: int, threads: int, patience: float) -> int:
    """A task of the job, in a worker. Where a worker was killed, its program may still run the task: then this waits
    until that has ended, and looks at what it made.

    Raises ``MachineError`` where it has not ended after ``patience`` seconds.
    """
    words = ["job", "run", job, "--task", str(number), "--jobs", str(threads), "--quiet"]
    end = time.monotonic() + patience
    while True:
        try:
            _call(words)
            return number
        except MachineError as error:
            if "another process runs it" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def convert(sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], destination: str | os.PathLike[str], *,
            tasks: int | None = None, task_size: str | None = None, arguments: Sequence[str] = (),
            num_cpus: int = 1, max_retries: int = 3, patience: float = 3600,
            ray_remote_args: dict[str, Any] | None = None) -> dict[str, Any]:
    """Converts ``sources`` into the data set ``destination``, as ``trajpack convert`` does, by ``tasks`` tasks on the
    workers of Ray (or tasks of at most ``task_size`` of source, ``"4GiB"``). All nodes see both under the same paths.

    ``arguments``: more words of the command line, ``["--shard-size", "1GiB", "--on-error", "skip"]``. A task takes
    ``num_cpus`` and as many threads. A task whose worker or node is lost is run again, up to ``max_retries`` times;
    what was durable stays, and a task that is run twice changes nothing. The bytes are those of one ``convert``.

    A job that was begun and has not been finished is gone on with, if it is the same. The dictionary is what
    ``trajpack job finish --json`` prints.

    Raises what the program says: ``DataError``, ``UsageError`` or ``MachineError``. What was converted by then stays in
    ``destination.job``, and another call goes on from there.
    """
    if (tasks is None) == (task_size is None):
        raise UsageError("give one of tasks= and task_size=, which say how to divide")
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    where = [os.path.abspath(os.fspath(one)) for one in given]
    target = os.path.abspath(os.fspath(destination))
    division = ["--tasks", str(tasks)] if tasks is not None else ["--task-size", str(task_size)]
    words = [*where, target, *division, *map(str, arguments), "--json"]
    job = Path(target + ".job")
    if (job / "job.json").exists():
        planned = json.loads((job / "job.json").read_text())
        if planned["arguments"] != words:
            if os.path.exists(target):
                raise UsageError(f"{target}: is there already; name a new folder for the data set")
            raise UsageError(f"{job}: is a job of other sources or options; finish it with 'trajpack job finish "
                             f"{job}', or discard it with 'rm -r {job}'")
        todo = _missing(str(job))
    else:
        made = json.loads(_call(["job", "plan", *words]))
        todo = list(range(made["tasks"]))
    remote = ray.remote(_run).options(num_cpus=num_cpus, max_retries=max_retries, **(ray_remote_args or {}))
    waiting = [remote.remote(str(job), number, num_cpus, patience) for number in todo]
    first: Exception | None = None
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        try:
            ray.get(done[0])
        except Exception as error:      # the others go on: what they make stays
            first = first or error
    if first is not None:
        raise getattr(first, "cause", None) or first
    finished: dict[str, Any] = json.loads(_call(["job", "finish", str(job), "--json", "--quiet"]))
    return finished


def _missing(job: str) -> list[int]:
    status = json.loads(_call(["job", "status", job, "--json"]))
    return [one["task"] for one in status["missing"]]
