"""``trajpack validate`` in Python: what its rules find, as objects.

    report = trajpack.validate("ww", select=["time", "values.nan"])
    for finding in report.findings:
        print(finding.severity, finding.rule, finding.message)
    report.check()                      # raises a DataError where something is wrong

The work is that of the command, in its own process; ``docs/validate.md`` describes rules, severities and the
configuration. ``trajpack.pytest_plugin`` runs it as tests.
"""
from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import _program
from ._errors import DataError, MachineError, UsageError, from_status, nearest
from ._words import printable

Severity = Literal["error", "warning", "suggestion"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "suggestion")
PathName = str | os.PathLike[str]


@dataclass(frozen=True)
class Place:
    """Where something was found. What is not known, or not meant, is ``None``.

    ``rows`` are rows of the track, ``range(first, end)``; ``values`` the first few values there; ``entity`` whose rows
    they are, as ``"monster 0"``.
    """

    shard: str | None
    episode: str | None
    entity: str | None
    rows: range | None
    values: tuple[float, ...]
    note: str | None

    @property
    def row(self) -> int | None:
        """The first of the rows."""
        return self.rows.start if self.rows else None

    def __str__(self) -> str:
        words = [w for w in (self.episode, self.entity) if w]
        if self.rows:
            last = self.rows.stop - 1
            words.append(f"row {last}" if len(self.rows) == 1 else f"rows {self.rows.start}-{last}")
        if self.values:
            words.append("(" + ", ".join(map(repr, self.values)) + ")")
        if self.shard:
            words.append(f"[{self.shard}]")
        return printable(": ".join(w for w in (" ".join(words), self.note) if w))


@dataclass(frozen=True)
class Finding:
    """The same fault of a rule, at any number of places; ``places`` has the first three.

    ``count`` says how often it is there (rows or values), ``tracks`` in how many tracks or files. ``message`` is one
    sentence; ``fingerprint`` stays the same while the data around the fault changes, and is what a baseline knows.
    """

    rule: str
    severity: Severity
    dataset: str
    stream: str | None
    channel: str | None
    message: str
    count: int
    tracks: int
    fingerprint: str
    places: tuple[Place, ...]

    @property
    def episode(self) -> str | None:
        """The first episode in which it is."""
        return self.places[0].episode if self.places else None

    @property
    def row(self) -> int | None:
        """The first row at which it is, of that episode's track."""
        return self.places[0].row if self.places else None

    def __str__(self) -> str:
        lines = [f"{self.severity} {self.rule}: {printable(self.message)}"]
        return "\n  ".join([*lines, *(text for place in self.places if (text := str(place)))])


@dataclass(frozen=True)
class Checked:
    """What was looked at in one dataset.

    ``rules`` are those that were run; ``unchecked`` says what was not looked at, a sentence each; ``dropped`` counts
    findings that are not listed, because there were too many different ones.
    """

    dataset: str
    episodes: int
    all_episodes: int
    rows: int
    values: int
    profile: str | None
    rules: tuple[str, ...]
    unchecked: tuple[str, ...]
    dropped: int


@dataclass(frozen=True)
class Report:
    """What came of validating: ``findings``, the worst first, and what was looked at.

    ``known`` counts findings that a baseline knows, which are left out; ``remarks`` are what the command warned of.
    """

    findings: tuple[Finding, ...]
    datasets: tuple[Checked, ...]
    fail_on: Severity
    known: int
    remarks: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that are at least as bad as ``fail_on``."""
        bad = SEVERITIES[:SEVERITIES.index(self.fail_on) + 1]
        return tuple(f for f in self.findings if f.severity in bad)

    @property
    def ok(self) -> bool:
        """Whether no finding is as bad as ``fail_on``."""
        return not self.failures

    def of(self, rule: str) -> tuple[Finding, ...]:
        """The findings of a rule (``"values.nan"``) or of a family (``"values"``)."""
        return tuple(f for f in self.findings if f.rule == rule or f.rule.startswith(rule + "."))

    def check(self) -> Report:
        """Itself; a :class:`DataError` with the failures where it is not ``ok``."""
        if self.ok:
            return self
        names = ", ".join(dict.fromkeys(d.dataset for d in self.datasets))
        raise DataError(f"{names}: {len(self.failures)} findings of severity {self.fail_on}"
                        f"{'' if self.fail_on == 'error' else ' or worse'}; " + "; ".join(
                            f"{f.rule}: {f.message}" for f in self.failures[:10]))

    def __str__(self) -> str:
        lines = [str(f) for f in self.findings]
        for item in self.datasets:
            if item.dropped:
                lines.append(f"{item.dropped} more findings, each different from these, are not listed")
            lines += [f"not checked: {printable(text)}" for text in item.unchecked]
            lines.append(printable(f"{item.dataset}: {item.episodes} episodes, {item.rows} rows, {item.values} values, "
                                   f"{len(item.rules)} rules"))
        if self.known:
            lines.append(f"left out, because the baseline has them: {self.known} findings")
        return "\n".join(lines)


@dataclass(frozen=True)
class Rule:
    """A rule of ``trajpack rules``, with its texts."""

    id: str
    severity: Severity
    summary: str
    reason: str
    example: str
    remedy: str
    implies: tuple[str, ...]
    profile: str | None


def validate(path: PathName | Sequence[PathName], *, select: str | Iterable[str] = (), ignore: str | Iterable[str] = (),
             config: PathName | Mapping[str, Any] | None = None, baseline: PathName | None = None,
             profile: str | None = None, fail_on: Severity = "error", sample: float | None = None, seed: int = 0,
             jobs: int | None = None, source: str | None = None, rate: str | float | None = None) -> Report:
    """Has rules look at what the numbers of a dataset mean, or of recordings before conversion.

    Args:
        path: A dataset, a shard, recordings that ``trajpack convert`` reads, or several of them.
        select: Only these rules: ids, families or patterns (``"values.*"``).
        ignore: Not these rules.
        config: A file of rules and settings, or its content as a mapping. Like the command, without it,
            ``trajpack-validate.json`` in the current folder, if it is there.
        baseline: A file of ``trajpack validate --write-baseline``: findings that it knows are left out.
        profile: Rules of a kind of data, as ``"wildworld"``; by default those of the format it came from.
        fail_on: What :attr:`Report.ok` and :meth:`Report.check` take for a failure.
        sample: The share of episodes that are read, above 0 and at most 1, drawn by their ids and ``seed``.
        seed: Draws another sample.
        jobs: Threads; by default one a processor. The report is the same with any number.
        source: The format of recordings (``trajpack formats``), where their content does not tell.
        rate: Rows a second of recordings, as ``30`` or ``"30000/1001"``.

    Raises:
        UsageError: A wrong rule, configuration or option, or a path where nothing is.
        DataError: The path is neither a dataset nor recordings of a format that is known. What is wrong with the data
            itself is a finding, and raises nothing.
        MachineError: The program is not there, or the machine failed.
    """
    paths: list[PathName] = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if not paths:
        raise UsageError("expected a dataset to validate; the list of paths is empty")
    if fail_on not in SEVERITIES:
        raise UsageError(f"there is no severity '{fail_on}'{nearest(fail_on, SEVERITIES)}")
    if isinstance(rate, float):
        rate = repr(rate)
    options: dict[str, object] = {"baseline": baseline, "profile": profile, "fail-on": fail_on, "sample": sample,
                                  "seed": seed or None, "jobs": jobs, "from": source, "rate": rate,
                                  "select": _names(select, "select"), "ignore": _names(ignore, "ignore")}
    with tempfile.TemporaryDirectory(prefix="trajpack-validate-") as scratch:
        if isinstance(config, Mapping):
            file = os.path.join(scratch, "config.json")
            with open(file, "w", encoding="utf-8") as out:
                try:
                    json.dump(config, out, allow_nan=False)
                except (TypeError, ValueError) as error:
                    raise UsageError(f"the configuration is not JSON: {error}") from None
            options["config"] = file
        else:
            options["config"] = config
        words = ["validate", "--json", "--quiet"]
        for name, value in options.items():
            if value is not None:
                words.append(f"--{name}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
        return _report(*_program.run([*words, "--", *(os.fspath(item) for item in paths)]))


def rules() -> list[Rule]:
    """Every rule, in the order in which they run."""
    code, out, said = _program.run(["rules", "--json"])
    if code:
        raise from_status(code, _sentence(said))
    return [Rule(**{**item, "implies": tuple(item["implies"]), "profile": item.get("profile")})
            for item in json.loads(out)]


def _names(names: str | Iterable[str], option: str) -> str | None:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) and name for name in listed):
        raise UsageError(f"expected the names of rules as '{option}', not {listed!r}")
    return ",".join(listed) or None


def _sentence(said: str) -> str:
    """The error among what the program said, without its name."""
    last = said.splitlines()[-1] if said else "it said nothing"
    return last.removeprefix("trajpack validate: ").removeprefix("trajpack: ")


def _report(code: int, out: bytes, said: str) -> Report:
    if not out.strip() or code not in (0, 1, 2, 3):
        raise from_status(code, _sentence(said)) if code else MachineError("the program gave no report")
    remarks = said.splitlines()
    if code == 1 and remarks:
        remarks.pop()                    # the sentence that there are failures
    try:
        document = json.loads(out)
        if code > 1 or "error" in document:
            raise from_status(code, _sentence(said), json.dumps(document.get("error", {}).get("place", {})))
        return Report(tuple(map(_finding, document["findings"])), tuple(map(_checked, document["datasets"])),
                      document["fail_on"], document["counts"]["known"],
                      tuple(line.removeprefix("trajpack validate: ") for line in remarks))
    except (KeyError, TypeError, ValueError):
        raise MachineError(f"{_program.find()}: its report is not that of this package's version; install them "
                           "together, or set TRAJPACK_PROGRAM") from None


def _checked(item: dict[str, Any]) -> Checked:
    return Checked(item["dataset"], item["episodes"], item["all_episodes"], item["rows"], item["values"],
                   item.get("profile"), tuple(item["rules"]), tuple(item["unchecked"]), item.get("dropped", 0))


def _finding(item: dict[str, Any]) -> Finding:
    return Finding(item["rule"], item["severity"], item["dataset"], item.get("stream"), item.get("channel"),
                   item["message"], item["count"], item["tracks"], item["fingerprint"],
                   tuple(map(_place, item["places"])))


def _place(item: dict[str, Any]) -> Place:
    rows = item.get("rows")
    return Place(item.get("shard"), item.get("episode"), item.get("entity"), range(*rows) if rows else None,
                 tuple(float(value) for value in item.get("values", ())), item.get("note"))
