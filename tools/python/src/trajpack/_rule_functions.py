"""Functions of Python as rules of ``trajpack.validate``: how they are found, run, and what they find.

The command knows them by id and severity (``"python"`` in the configuration), chooses among them as among its own,
and leaves the running to this module.
"""
from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from ._errors import DataError, MachineError, TrajpackError, UsageError

if TYPE_CHECKING:
    from .episode import Episode

Severity = Literal["error", "warning", "suggestion"]
_ID = re.compile(r"[a-z0-9._-]{1,64}")
_MOST_PLACES = 3


@dataclass(frozen=True)
class Problem:
    """What a function found: ``what`` is wrong, in words that are the same wherever it is; and where.

    ``rows`` are rows of the track, a ``range``, a slice or a number; ``values`` the first few values there.
    """

    what: str
    stream: str | None = None
    channel: str | None = None
    rows: range | slice | SupportsIndex | None = None
    values: Sequence[float] = ()
    entity: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class RuleFunction:
    """A function that is a rule: called with an episode, it gives problems (or texts), or ``None``."""

    id: str
    function: Callable[[Episode], Iterable[str | Problem] | None]
    severity: Severity = "error"
    summary: str | None = None
    remedy: str | None = None

    def __call__(self, episode: Episode) -> Iterable[str | Problem] | None:
        return self.function(episode)

    @property
    def entry(self) -> dict[str, Any]:
        """The rule as the configuration has it."""
        texts = {"summary": self.summary, "remedy": self.remedy}
        return {"id": self.id, "severity": self.severity, "python": getattr(self.function, "__qualname__", "function"),
                **{name: text for name, text in texts.items() if text}}


def rule(id: str, *, severity: Severity = "error", summary: str | None = None,
         remedy: str | None = None) -> Callable[[Callable[[Episode], Any]], RuleFunction]:
    """Makes a function a rule of :func:`trajpack.validate`::

        @trajpack.rule("grip", severity="warning", summary="the gripper closes before it is there")
        def grip(episode):
            state = episode["state"]
            for row in np.flatnonzero(state["grip"][:] > 1):
                yield trajpack.Problem("closes too far", "state", "grip", rows=int(row))

        trajpack.validate("arm", rules=[grip])

    The rule is called ``user.ID``. The function is called with each episode in turn.

    Raises:
        UsageError: A wrong id.
    """
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise UsageError(f"the id of a rule is {id!r}; give up to 64 small letters, digits, '-', '_' and '.'")
    return lambda function: RuleFunction(id, function, severity, summary, remedy)


def as_rules(rules: Iterable[Any]) -> list[RuleFunction]:
    """Rules of what was given as ``rules=``: functions are called by their names."""
    out: list[RuleFunction] = []
    for item in rules:
        if isinstance(item, RuleFunction):
            out.append(item)
        elif callable(item):
            name = str(getattr(item, "__name__", "")).lower()
            if not _ID.fullmatch(name):
                raise UsageError(f"{item!r} has no name that can be a rule's; give it one with @trajpack.rule('id')")
            out.append(RuleFunction(name, item))
        else:
            raise UsageError(f"expected functions as 'rules', not {item!r}")
    return out


def load(entry: Mapping[str, Any], folder: str) -> RuleFunction:
    """The function that an entry of the configuration names: ``file.py:name`` beside it, or ``package.module:name``."""
    place = str(entry["python"])
    source, _, name = place.rpartition(":")
    where = f"rule '{entry.get('id')}': python '{place}'"
    if not source or not name:
        raise UsageError(f"{where} is no 'file.py:function' or 'module:function'")
    try:
        if source.endswith(".py"):
            path = os.path.join(folder, source)
            spec = importlib.util.spec_from_file_location(f"trajpack_rules_{abs(hash(path))}", path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} is no Python file")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(source)
        found = getattr(module, name)
    except (ImportError, OSError, SyntaxError, AttributeError) as error:
        raise UsageError(f"{where} cannot be loaded: {error}") from error
    function = found.function if isinstance(found, RuleFunction) else found
    if not callable(function):
        raise UsageError(f"{where} is no function")
    return RuleFunction(str(entry["id"]), function, entry.get("severity", "error"))


def is_drawn(id: str, share: float, seed: int) -> bool:
    """Whether the command draws an episode into a sample: a hash of seed and id, as in ``ValidateConfig.takes``."""
    if share >= 1:
        return True
    mask = (1 << 64) - 1
    hash_ = 0xCBF29CE484222325 ^ seed * 0x9E3779B97F4A7C15 & mask
    for byte in id.encode():
        hash_ = (hash_ ^ byte) * 0x100000001B3 & mask
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hash_ = (hash_ ^ hash_ >> 33) * factor & mask
    hash_ ^= hash_ >> 33
    return (hash_ >> 11) * 2.0**-53 < share


def fingerprint(rule_id: str, stream: str | None, channel: str | None, what: str) -> str:
    """What a baseline knows a finding by, as in ``Finding.fingerprint``."""
    text = "\x1f".join([rule_id, stream or "", channel or "", what])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(rule_: RuleFunction, severity: Severity, dataset: str, share: float,
        seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The findings of a function on a dataset, as the command's JSON has them, and what was not checked."""
    from .dataset import open as open_dataset
    id_ = f"user.{rule_.id}"
    try:
        data = open_dataset(dataset)
    except MachineError:
        raise
    except TrajpackError as error:
        return [], [f"rule '{id_}', which needs an archive: {error}"]
    found: dict[tuple[str | None, str | None, str], dict[str, Any]] = {}
    unchecked: list[str] = []
    for episode in data.episodes:
        if not is_drawn(episode.id, share, seed):
            continue
        try:
            given = rule_(episode) or ()
            # One text is one problem, and not its letters.
            problems = [_problem(item, rule_) for item in ((given,) if isinstance(given, (str, Problem)) else given)]
        except DataError as error:
            unchecked.append(f"rule '{id_}' on episode '{episode.id}': {error}")
            continue
        except TrajpackError:
            raise
        except Exception as error:
            raise UsageError(f"rule '{id_}' failed on episode '{episode.id}' of {dataset}: "
                             f"{type(error).__name__}: {error}") from error
        for problem in problems:
            _add(found, problem, id_, severity, dataset, episode.id)
    return list(found.values()), unchecked


def _problem(item: Any, rule_: RuleFunction) -> Problem:
    if isinstance(item, Problem):
        return item
    if isinstance(item, str) and item:
        return Problem(item)
    raise UsageError(f"rule 'user.{rule_.id}' gave {item!r}, which is no text and no trajpack.Problem")


def _rows(rows: range | slice | SupportsIndex | None, rule_id: str) -> range | None:
    """Rows as a range; a number is one row, of numpy, too."""
    if rows is None or isinstance(rows, range):
        return rows
    given = f"rule '{rule_id}': the rows of a problem are {rows!r}"
    if isinstance(rows, slice):
        if rows.start is None or rows.stop is None or rows.step not in (None, 1):
            raise UsageError(f"{given}; a slice has a start, a stop and the step 1")
        return range(operator.index(rows.start), operator.index(rows.stop))
    try:
        row = operator.index(rows)
    except TypeError:
        raise UsageError(f"{given}; give a range, a slice or the number of a row") from None
    return range(row, row + 1)


def _add(found: dict[tuple[str | None, str | None, str], dict[str, Any]], problem: Problem, id_: str,
         severity: Severity, dataset: str, episode: str) -> None:
    rows = _rows(problem.rows, id_)
    item = found.setdefault((problem.stream, problem.channel, problem.what), {
        "rule": id_, "severity": severity, "dataset": dataset, "stream": problem.stream, "channel": problem.channel,
        "what": problem.what, "count": 0, "tracks": 0, "places": [], "seen": set(),
        "fingerprint": fingerprint(id_, problem.stream, problem.channel, problem.what)})
    item["count"] += len(rows) if rows else 1
    item["seen"].add((episode, problem.entity))
    item["tracks"] = len(item["seen"])
    if len(item["places"]) < _MOST_PLACES:
        item["places"].append({"episode": episode, "entity": problem.entity,
                               "values": [*map(float, problem.values)][:3],
                               "rows": [rows.start, rows.stop] if rows else None, "note": problem.note})
    subject = "/".join(word for word in (problem.stream, problem.channel) if word)
    count, tracks = item["count"], item["tracks"]
    tally = "" if count <= 1 and tracks <= 1 else (
        f" ({count} times)" if count == tracks else f" ({count} times in {tracks} places)")
    item["message"] = (f"{subject}: " if subject else "") + problem.what + tally


class Baseline:
    """The findings that a file knows, as ``ValidationReport.leaveOut`` does; the command has checked the file.

    ``datasets``: those of the report. A single one may have had another path.
    """

    def __init__(self, path: str | os.PathLike[str], datasets: int) -> None:
        with open(path, "rb") as file:
            self._items: list[dict[str, Any]] = json.load(file)["findings"]
        self._is_of_one = datasets == 1 and len({item.get("dataset") for item in self._items}) <= 1

    def covers(self, found: Mapping[str, Any], dataset: str) -> bool:
        """Whether a finding is known, and has not become more or come elsewhere."""
        items = [item for item in self._items if item["fingerprint"] == found["fingerprint"]
                 and (self._is_of_one or item.get("dataset") in (None, dataset))]
        if not items or found["count"] > max(item["count"] for item in items):
            return False
        if any("where" not in item for item in items):
            return True
        known = {name for item in items for name in item["where"]}
        return found["tracks"] <= _MOST_PLACES and known.issuperset(place["episode"] for place in found["places"])
