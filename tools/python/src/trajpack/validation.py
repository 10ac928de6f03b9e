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
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import _program, _rule_functions
from ._errors import DataError, ErrorPlace, MachineError, UsageError, from_status, nearest, of_option
from ._rule_functions import Problem, RuleFunction, rule
from ._words import counted, printable

__all__ = ["SEVERITIES", "Checked", "Finding", "Place", "Problem", "Report", "Rule", "RuleFunction", "Severity", "rule",
           "rules", "validate"]

Severity = Literal["error", "warning", "suggestion"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "suggestion")
PathName = str | os.PathLike[str]
DEFAULT_CONFIG = "trajpack-validate.json"


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

    ``rules`` are those that were run, ``skipped`` those of them that could not look or met no channel that they look
    at; ``unchecked`` says what was not looked at, a sentence each; ``dropped`` counts findings that are not listed,
    because there were too many different ones.
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
    skipped: tuple[str, ...] = ()


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
            lines.append(f"left out, because the baseline has them: {counted(self.known, 'finding')}")
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
             rules: Iterable[Any] = (), config: PathName | Mapping[str, Any] | None = None,
             baseline: PathName | None = None, profile: str | None = None, fail_on: Severity = "error",
             sample: float | None = None, seed: int = 0, jobs: int | None = None, source: str | None = None,
             rate: str | float | None = None, hdf5: bool = False, frames: bool = False,
             media: PathName | None = None) -> Report:
    """Has rules look at what the numbers of a dataset mean, or of recordings before conversion.

    Args:
        path: A dataset, a shard, recordings that ``trajpack convert`` reads, or several of them.
        select: Only these rules: ids, families or patterns (``"values.*"``).
        ignore: Not these rules.
        rules: Functions of your own, each called with every :class:`trajpack.Episode`, which give
            :class:`trajpack.Problem` objects or texts; :func:`trajpack.rule` says id and severity, else a function's
            name is its id, and what it finds is an error. The configuration names functions, too (``"python"``).
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
        hdf5: Also have libhdf5 read every shard, in a process that can do nothing else, and compare what it reads with
            what trajpack reads; without it ``unchecked`` of each dataset says that this was not done.
        frames: Also decode every frame of a dataset's videos: whether they decode, follow the motion of their camera,
            and have plausible depth.
        media: The folder in which the folder that was converted lies, for linked videos of ``frames``.

    Raises:
        UsageError: A wrong rule, configuration or option, a path where nothing is that can be looked at, or a sample
            that draws no episode. What is wrong with the data itself is a finding, and raises nothing.
        MachineError: The program is not there, or the machine failed.
    """
    paths: list[PathName] = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if not paths:
        raise UsageError("expected a dataset to validate; the list of paths is empty", option="path")
    if fail_on not in SEVERITIES:
        raise UsageError(f"there is no severity '{fail_on}'{nearest(fail_on, SEVERITIES)}", option="fail_on")
    if isinstance(rate, float):
        rate = repr(rate)
    options: dict[str, object] = {"baseline": baseline, "profile": profile, "fail-on": fail_on, "sample": sample,
                                  "seed": seed or None, "jobs": jobs, "from": source, "rate": rate, "media": media,
                                  "select": _names(select, "select"), "ignore": _names(ignore, "ignore")}
    with of_option("rules"):
        functions = {item.id: item for item in _rule_functions.as_rules(rules)}
    with of_option("config"):
        document, folder = _configuration(config, bool(functions))
    if document is not None:
        config = document
        for entry in document.get("rules", ()) if isinstance(document.get("rules", ()), list) else ():
            if isinstance(entry, Mapping) and isinstance(entry.get("python"), str) and isinstance(entry.get("id"), str):
                with of_option("config"):
                    functions.setdefault(entry["id"], _rule_functions.load(entry, folder))
        given = {entry.get("id") for entry in document.get("rules", ()) if isinstance(entry, Mapping)}
        config = {**document, "rules": [*document.get("rules", ()), *(item.entry for name, item in functions.items()
                                                                       if name not in given)]}
    with tempfile.TemporaryDirectory(prefix="trajpack-validate-") as scratch:
        file = os.path.join(scratch, "config.json")
        if isinstance(config, Mapping):
            with open(file, "w", encoding="utf-8") as out:
                try:
                    json.dump(config, out, allow_nan=False)
                except (TypeError, ValueError) as error:
                    raise UsageError(f"the configuration is not JSON: {error}", option="config") from None
            options["config"] = file
        else:
            options["config"] = config
        words = ["validate", "--json", "--quiet", *(["--hdf5"] if hdf5 else []), *(["--frames"] if frames else [])]
        for name, value in options.items():
            if value is not None:
                words.append(f"--{name}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
        try:
            report = _report(*_program.run([*words, "--", *(os.fspath(item) for item in paths)]))
        except UsageError as error:
            raise _in_python(error, file) from None
        severities = {name: value for name, value in (config.get("severity") or {}).items()} if isinstance(
            config, Mapping) else {}
    return _with_functions(report, functions, severities, baseline, 1.0 if sample is None else sample, seed)


def _configuration(config: PathName | Mapping[str, Any] | None, needed: bool) -> tuple[dict[str, Any] | None, str]:
    """The configuration and the folder that its files are named from; ``None`` where no function is in it or given,
    and where the command says what is wrong with it."""
    if isinstance(config, Mapping):
        document, folder = dict(config), os.getcwd()
    else:
        path = config if config is not None else DEFAULT_CONFIG
        if config is None and not os.path.isfile(path):
            return ({} if needed else None), os.getcwd()
        try:
            with open(path, "rb") as file:
                document = json.load(file)
        except (OSError, ValueError):
            if needed:
                raise UsageError(f"{os.fspath(path)}: the configuration cannot be read as JSON") from None
            return None, ""
        folder = os.path.dirname(os.path.abspath(path))
    listed = document.get("rules", ()) if isinstance(document, dict) else ()
    has = isinstance(listed, list) and any(isinstance(entry, Mapping) and "python" in entry for entry in listed)
    return (document if isinstance(document, dict) and (has or needed) else None), folder


def _with_functions(report: Report, functions: Mapping[str, RuleFunction], severities: Mapping[str, Any],
                    baseline: PathName | None, share: float, seed: int) -> Report:
    """The report, with what functions find in the datasets on which the command would run them."""
    if not functions:
        return report
    known = _rule_functions.Baseline(baseline, len(report.datasets)) if baseline is not None else None
    findings, datasets, left_out = list(report.findings), [], report.known
    for checked in report.datasets:
        unchecked, skipped = list(checked.unchecked), list(checked.skipped)
        for name, function in functions.items():
            if f"user.{name}" not in checked.rules:
                continue
            unchecked = [text for text in unchecked if f"'user.{name}'" not in text]
            found, more = _rule_functions.run(function, severities.get(f"user.{name}", function.severity),
                                              checked.dataset, share, seed)
            unchecked += more
            if not any("which needs an archive" in text for text in more):
                skipped = [rule_id for rule_id in skipped if rule_id != f"user.{name}"]
            for item in found:
                if known is not None and known.covers(item, checked.dataset):
                    left_out += 1
                else:
                    findings.append(_finding(item))
        datasets.append(replace(checked, unchecked=tuple(unchecked), skipped=tuple(skipped)))
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return replace(report, findings=tuple(findings), datasets=tuple(datasets), known=left_out)


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
        raise UsageError(f"expected the names of rules as '{option}', not {listed!r}", option=option)
    return ",".join(listed) or None


def _sentence(said: str) -> str:
    """The error among what the program said, without its name."""
    last = said.splitlines()[-1] if said else "it said nothing"
    return last.removeprefix("trajpack validate: ").removeprefix("trajpack: ")


def _in_python(error: UsageError, file: str) -> UsageError:
    """The error of the command with the names of this module's options; ``file`` is what a mapping was written to."""
    place, sentence = error.place, BaseException.__str__(error)
    option = place.option and {"--from": "source"}.get(place.option, place.option.lstrip("-").replace("-", "_"))
    if place.file == file:
        place.file, option, sentence = None, "config", sentence.replace(file, "'config'")
    found = UsageError(sentence)
    found.place = ErrorPlace(place.file, place.episode, place.stream, place.channel, place.line, place.row, place.byte,
                             option)
    return found


def _report(code: int, out: bytes, said: str) -> Report:
    if not out.strip() or code not in (0, 1, 2, 3):
        raise from_status(code, _sentence(said)) if code else MachineError("the program gave no report")
    remarks = said.splitlines()
    if code == 1 and remarks:
        remarks.pop()                    # the sentence that there are failures
    refused = None
    try:
        document = json.loads(out)
        if code > 1 or "error" in document:
            refused = json.dumps(document.get("error", {}).get("place", {}))
    except (AttributeError, KeyError, TypeError, ValueError):
        document = {}
    if refused is not None:
        raise from_status(code, _sentence(said), refused)
    try:
        return Report(tuple(map(_finding, document["findings"])), tuple(map(_checked, document["datasets"])),
                      document["fail_on"], document["counts"]["known"],
                      tuple(line.removeprefix("trajpack validate: ") for line in remarks))
    except (KeyError, TypeError, ValueError):
        raise MachineError(f"{_program.find()}: its report is not that of this package's version; install them "
                           "together, or set TRAJPACK_PROGRAM") from None


def _checked(item: dict[str, Any]) -> Checked:
    return Checked(item["dataset"], item["episodes"], item["all_episodes"], item["rows"], item["values"],
                   item.get("profile"), tuple(item["rules"]), tuple(item["unchecked"]), item.get("dropped", 0),
                   tuple(item.get("skipped", ())))


def _finding(item: dict[str, Any]) -> Finding:
    return Finding(item["rule"], item["severity"], item["dataset"], item.get("stream"), item.get("channel"),
                   item["message"], item["count"], item["tracks"], item["fingerprint"],
                   tuple(map(_place, item["places"])))


def _place(item: dict[str, Any]) -> Place:
    rows = item.get("rows")
    return Place(item.get("shard"), item.get("episode"), item.get("entity"), range(*rows) if rows else None,
                 tuple(float(value) for value in item.get("values", ())), item.get("note"))
