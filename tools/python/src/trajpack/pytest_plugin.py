"""Datasets as tests: ``pytest --trajpack DATASET`` runs each rule of ``trajpack validate`` as a test.

    pytest --trajpack data/ww                                   # in addition to the tests of the folder
    pytest --trajpack data/ww --trajpack-select time,values -k trajpack

A rule whose findings are as bad as ``--trajpack-fail-on`` fails, one with lesser findings passes and warns, one that
was not run (another profile, ignored by the configuration) or could not look is skipped. A dataset is read once,
when the first of its rules is run; where it cannot be looked at, that rule fails and the others are skipped. A name
that is no rule's, and a path where nothing is, are usage errors. The fixture ``trajpack_validate`` is
:func:`trajpack.validate` that fails the test where a finding is bad enough:

    def test_recordings(trajpack_validate):
        report = trajpack_validate("data/ww", ignore="time.jitter", fail_on="warning")
        assert report.datasets[0].episodes == 120

It is registered as the entry point ``pytest11``, so that pytest loads it where the wheel is installed.
"""
from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from . import _program
from ._errors import TrajpackError, UsageError, nearest
from ._words import counted
from .validation import DEFAULT_CONFIG, SEVERITIES, Report, rules, validate


class DataWarning(UserWarning):
    """A finding that is not bad enough to fail."""


class _Failed(Exception):
    """The findings of a rule, as text."""


def _share(text: str) -> float:
    """A share as the command takes it: 5% or 0.05."""
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trajpack", "trajpack: datasets as tests")
    group.addoption("--trajpack", action="append", default=[], metavar="DATASET",
                    help="Run the rules of 'trajpack validate' on a dataset, or on recordings before conversion, as "
                         "tests; can be repeated.")
    group.addoption("--trajpack-select", action="append", default=[], metavar="RULES",
                    help="Only these rules: ids, families or patterns, with commas; can be repeated.")
    group.addoption("--trajpack-ignore", action="append", default=[], metavar="RULES",
                    help="Not these rules; can be repeated.")
    group.addoption("--trajpack-config", metavar="FILE", help="Rules and their settings.")
    group.addoption("--trajpack-baseline", metavar="FILE", help="Leave out findings that this file knows.")
    group.addoption("--trajpack-fail-on", default="error", choices=list(SEVERITIES),
                    help="What fails a test; lesser findings are warnings.")
    group.addoption("--trajpack-sample", type=_share, metavar="SHARE",
                    help="Only this share of the episodes, as 5%% or 0.05.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds the tests of datasets before -k and -m choose among the items."""
    for path in config.getoption("--trajpack"):
        found = DatasetCollector.from_parent(session, name=f"trajpack:{path}", dataset=path)
        try:
            items.extend(found.collect())
        except TrajpackError as error:
            raise pytest.UsageError(f"--trajpack: {error}") from None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Says what was looked at, and what was not."""
    for item in config.stash.get(_REPORTS, {}).values():
        if isinstance(item, Report):
            for checked in item.datasets:
                terminalreporter.write_line(f"trajpack {checked.dataset}: {checked.episodes} episodes, "
                                            f"{checked.rows} rows, {len(checked.rules)} rules")
                for text in checked.unchecked:
                    terminalreporter.write_line(f"trajpack {checked.dataset}: not checked: {text}")
            if item.known:
                terminalreporter.write_line(
                    f"trajpack: left out, because the baseline has them: {counted(item.known, 'finding')}")


@pytest.fixture
def trajpack_validate() -> Callable[..., Report]:
    """:func:`trajpack.validate`, which fails the test where the report is not ``ok``, and warns of other findings."""
    def run(*paths: Any, **options: Any) -> Report:
        __tracebackhide__ = True
        report = validate(list(paths), **options)
        _warn(report)
        if not report.ok:
            pytest.fail("\n".join(map(str, report.failures)), pytrace=False)
        return report
    return run


_REPORTS = pytest.StashKey[dict[str, "Report | TrajpackError"]]()


def _warn(report: Report, rule: str | None = None) -> None:
    for finding in report.findings:
        if finding not in report.failures and rule in (None, finding.rule):
            warnings.warn(DataWarning(f"{finding.dataset}: {finding}"), stacklevel=3)


class DatasetCollector(pytest.Collector):
    """The rules on a dataset."""

    def __init__(self, *, dataset: str, **more: Any) -> None:
        super().__init__(**more)
        self.dataset = dataset
        self.is_told = False                 # whether a test has failed because the dataset cannot be looked at

    def collect(self) -> Iterator[pytest.Item]:
        option = self.config.getoption
        select, ignore = _listed(option("--trajpack-select")), _listed(option("--trajpack-ignore"))
        _program.find()
        if "://" not in self.dataset and not Path(self.dataset).exists():
            raise pytest.UsageError(f"--trajpack: {self.dataset}: does not exist")
        ids = [r.id for r in rules()] + _own_rules(option("--trajpack-config"))
        _check_names("--trajpack-select", select, ids)
        _check_names("--trajpack-ignore", ignore, ids)
        chosen = [rule for rule in ids if (not select or _is_named(rule, select)) and not _is_named(rule, ignore)]
        if not chosen:
            raise pytest.UsageError("--trajpack-ignore: no rule is left of those that are selected")
        for rule in chosen:
            yield RuleItem.from_parent(self, name=rule)

    def report(self) -> Report:
        """Of all rules; made when it is first asked for."""
        known = self.config.stash.setdefault(_REPORTS, {})
        if self.dataset not in known:
            option = self.config.getoption
            try:
                known[self.dataset] = validate(
                    self.dataset, select=_listed(option("--trajpack-select")),
                    ignore=_listed(option("--trajpack-ignore")), config=option("--trajpack-config"),
                    baseline=option("--trajpack-baseline"), fail_on=option("--trajpack-fail-on"),
                    sample=option("--trajpack-sample"))
            except TrajpackError as error:
                known[self.dataset] = error
        found = known[self.dataset]
        if isinstance(found, TrajpackError):
            # The names are those of rules: what is selected is for other data.
            if isinstance(found, UsageError) and found.place.option == "--select":
                pytest.skip("the rules that are selected do not run on this data: they are of a profile")
            if self.is_told:
                pytest.skip(f"the dataset was not looked at: {found}")
            self.is_told = True
            raise found
        return found


class RuleItem(pytest.Item):
    """One rule on a dataset."""

    parent: DatasetCollector

    def runtest(self) -> None:
        report = self.parent.report()
        if all(self.name not in checked.rules for checked in report.datasets):
            pytest.skip("it does not run on this data: of another profile, or ignored by the configuration")
        found = any(f.rule == self.name for f in report.findings)
        if not found and all(self.name in checked.skipped for checked in report.datasets):
            why = [text for text in report.datasets[0].unchecked if f"'{self.name}'" in text]
            pytest.skip(why[0] if why else "it met nothing that it looks at, or could not look: what was not checked "
                        "is listed at the end")
        failed = [f for f in report.failures if f.rule == self.name]
        _warn(report, self.name)
        if failed:
            raise _Failed("\n".join(map(str, failed)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, (_Failed, TrajpackError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        return self.parent.dataset, None, f"{self.parent.dataset}: {self.name}"


def _listed(words: list[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]


def _is_named(rule: str, patterns: list[str]) -> bool:
    return any(p == rule or rule.startswith(p + ".") or fnmatchcase(rule, p) for p in patterns)


def _check_names(option: str, patterns: list[str], ids: list[str]) -> None:
    for pattern in patterns:
        if not any(_is_named(rule, [pattern]) for rule in ids):
            known = ids if "." in pattern else list(dict.fromkeys(rule.partition(".")[0] for rule in ids))
            raise pytest.UsageError(f"{option}: there is no rule '{pattern}'{nearest(pattern, known)}")


def _own_rules(config: str | None) -> list[str]:
    """The ids of the configuration's rules; what is wrong with it, the validation says."""
    try:
        document = json.loads(Path(config or DEFAULT_CONFIG).read_bytes())
        return [f"user.{item['id']}" for item in document.get("rules", ())]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []
