"""Functions of Python as rules of `trajpack.validate`, of its configuration, and of the pytest plug-in."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from fault_world import EPISODES, clean, write
from places import program, surroundings
from trajpack import _rule_functions


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJPACK_PROGRAM", program())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("good") / "ds", [clean(n) for n in range(EPISODES)])


@trajpack.rule("hot", severity="warning", summary="too hot")
def hot(episode: trajpack.Episode) -> Any:
    temp = episode["state"]["temp"][:]
    for row in np.flatnonzero(temp > 23.2):
        yield trajpack.Problem("hotter than 23.2", "state", "temp", rows=int(row), values=[temp[row]])


def long(episode: trajpack.Episode) -> list[str]:
    return ["240 rows"] if len(episode["log"]) == 240 else []


def test_findings_of_functions_are_like_those_of_rules(good: str) -> None:
    report = trajpack.validate(good, rules=[hot, long])
    (bad, warm) = report.findings
    assert (bad.rule, bad.severity, bad.count, bad.tracks) == ("user.long", "error", EPISODES, EPISODES)
    assert [p.episode for p in bad.places] == ["000", "001", "002"] and bad.message == f"240 rows ({EPISODES} times)"
    truth = {f"{n:03d}": clean(n)["state"]["temp"] for n in range(EPISODES)}
    rows = [(e, int(r)) for e, t in truth.items() for r in np.flatnonzero(t > 23.2)]
    assert (warm.rule, warm.severity, warm.channel, warm.count) == ("user.hot", "warning", "temp", len(rows))
    assert [(p.episode, p.row) for p in warm.places] == rows[:3] and warm.tracks == len({e for e, _ in rows})
    assert not report.ok and report.failures == (bad,)
    (checked,) = report.datasets
    assert {"user.hot", "user.long"} <= set(checked.rules)
    assert not any("hot" in text or "long" in text for text in checked.unchecked)
    assert trajpack.validate(good, rules=[hot, long], jobs=1).findings == report.findings


def test_functions_are_chosen_and_drawn_like_rules(good: str) -> None:
    assert trajpack.validate(good, rules=[hot, long], ignore="user.long").ok
    assert {f.rule for f in trajpack.validate(good, rules=[hot, long], select="user.hot").findings} == {"user.hot"}
    settings = {"severity": {"user.long": "suggestion"}}
    assert trajpack.validate(good, rules=[long], config=settings).findings[0].severity == "suggestion"
    seen: list[str] = []

    def watch(episode: trajpack.Episode) -> None:
        seen.append(episode.id)

    report = trajpack.validate(good, rules=[watch], sample=0.5, seed=3)
    assert 0 < len(seen) == report.datasets[0].episodes < EPISODES
    assert _rule_functions.is_drawn("x", 1.0, 0)


def test_a_baseline_knows_them(good: str, tmp_path: Path) -> None:
    (found,) = trajpack.validate(good, rules=[long]).findings
    base = tmp_path / "base.json"
    base.write_text(json.dumps({"trajpack_baseline": 1, "findings": [
        {"fingerprint": found.fingerprint, "rule": found.rule, "count": found.count}]}))
    report = trajpack.validate(good, rules=[long], baseline=base)
    assert report.findings == () and report.known == 1


def test_fingerprints_are_those_of_the_command(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(2)]
    episodes[1]["state"]["temp"][5] = np.inf
    (found,) = trajpack.validate(write(tmp_path / "ds", episodes)).findings
    assert found.fingerprint == _rule_functions.fingerprint("values.infinite", "state", "temp", "infinite values")


def test_functions_of_a_configuration(good: str, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def short(episode):\n    return ['short'] if len(episode['log']) < 9999 else None\n")
    config = tmp_path / "own.json"
    config.write_text(json.dumps({"rules": [{"id": "short", "python": "checks.py:short", "severity": "warning"},
                                            {"id": "hp", "expression": "state/hp >= 0"}]}))
    (found,) = trajpack.validate(good, config=config).findings
    assert (found.rule, found.severity) == ("user.short", "warning")
    # The command does not run Python, and says so.
    done = subprocess.run([program(), "validate", "-q", good, "--config", config], capture_output=True, text=True,
                          check=True)
    assert "not checked: rule 'user.short', a function of Python" in done.stdout
    for place, words in (("checks.py:none", "none"), ("none.py:short", "none.py"), ("short", "no 'file.py:function'")):
        config.write_text(json.dumps({"rules": [{"id": "short", "python": place}]}))
        with pytest.raises(trajpack.UsageError, match=words):
            trajpack.validate(good, config=config)


def test_what_is_no_rule_is_refused(good: str) -> None:
    def broken(episode: trajpack.Episode) -> Any:
        return [1 / 0]

    def odd(episode: trajpack.Episode) -> Any:
        return [5]

    for rules, words in (([broken], "rule 'user.broken' failed on episode '000'.*ZeroDivisionError"),
                         ([odd], "gave 5, which is no text"), ([3], "expected functions"), ([lambda e: None], "no name")):
        with pytest.raises(trajpack.UsageError, match=words):
            trajpack.validate(good, rules=rules)
    with pytest.raises(trajpack.UsageError, match="the id of a rule"):
        trajpack.rule("Not so")


def test_the_plug_in_runs_them(good: str, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def short(episode):\n    yield 'short'\ndef fine(episode):\n    pass\n")
    (tmp_path / "trajpack-validate.json").write_text(json.dumps({"rules": [
        {"id": "short", "python": "checks.py:short"}, {"id": "fine", "python": "checks.py:fine"}]}))
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "trajpack.pytest_plugin", "-p", "no:cacheprovider", "-q",
                           "--trajpack", good, "-k", "user"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, **surroundings(), "TRAJPACK_PROGRAM": program()})
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "user.short" in done.stdout
