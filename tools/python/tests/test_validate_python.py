"""`trajpack.validate` and the pytest plug-in: the command's report as objects, and as tests of a real pytest."""
from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from fault_world import clean, write
from places import ROOT, program, surroundings
from trajpack import validation


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJPACK_PROGRAM", program())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("good") / "ds", [clean(n) for n in range(3)])


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An infinite value (an error) in two episodes, a repeated time (a warning) and a NaN."""
    episodes = [clean(n) for n in range(3)]
    for item in episodes[1:]:
        item["state"]["temp"][[7, 8, 90]] = [np.inf, -np.inf, np.inf]
    episodes[0]["times"][50] = episodes[0]["times"][49]
    episodes[2]["state"]["force"][5] = np.nan
    return write(tmp_path_factory.mktemp("bad") / "ds", episodes)


def command(*words: Any) -> dict[str, Any]:
    done = subprocess.run([program(), "validate", "--json", "-q", *map(str, words)], capture_output=True, check=False)
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def test_clean_data_is_ok(good: str) -> None:
    report = trajpack.validate(good)
    assert report.ok and report.check() is report and report.findings == () and report.remarks == ()
    (checked,) = report.datasets
    assert (checked.episodes, checked.all_episodes, checked.profile) == (3, 3, "wildworld")
    assert checked.rules == tuple(rule.id for rule in validation.rules())
    assert trajpack.validate([good, Path(good)]).datasets == (checked, checked)


def test_findings_are_those_of_the_command(bad: str) -> None:
    report, told = trajpack.validate(Path(bad)), command(bad)
    assert len(report.findings) == len(told["findings"]) == 3
    for ours, theirs in zip(report.findings, told["findings"], strict=True):
        for name in ("rule", "severity", "dataset", "message", "count", "tracks", "fingerprint"):
            assert getattr(ours, name) == theirs[name]
        assert (ours.stream, ours.channel) == (theirs.get("stream"), theirs.get("channel"))
        assert [p.episode for p in ours.places] == [p.get("episode") for p in theirs["places"]]
    infinite = report.of("values.infinite")[0]
    assert (infinite.episode, infinite.row, infinite.stream, infinite.channel) == ("001", 7, "state", "temp")
    assert infinite.count == 6 and infinite.tracks == 2 and infinite.places[0].rows == range(7, 9)
    assert infinite.places[0].values == (math.inf, -math.inf) and len(infinite.places) == 3
    missing = report.of("values.nan")[0]
    assert math.isnan(missing.places[0].values[0]) and missing.row == 5
    assert {f.rule for f in report.of("values")} == {"values.infinite", "values.nan"} and report.of("value") == ()
    text = subprocess.run([program(), "validate", "-q", bad], capture_output=True, text=True, check=False).stdout
    for finding in report.findings:      # the command's text writes numbers in its own way
        assert str(finding).splitlines()[0] in text


def test_choosing_failing_and_configuring(bad: str, good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(**options: Any) -> set[str]:
        return {f.rule for f in trajpack.validate(bad, **options).findings}

    everything = {"values.infinite", "values.nan", "time.duplicate"}
    assert seen() == everything and seen(select="time") == {"time.duplicate"}
    assert seen(select=["time", "values.nan"]) == {"time.duplicate", "values.nan"}
    assert seen(ignore=["values.*"]) == {"time.duplicate"} and seen(ignore="time,values.nan") == {"values.infinite"}
    report = trajpack.validate(bad, select="time")
    assert report.ok and report.failures == ()
    strict = trajpack.validate(bad, select="time", fail_on="warning")
    assert not strict.ok and len(strict.failures) == 1
    with pytest.raises(trajpack.DataError, match=r"1 findings of severity warning or worse; time\.duplicate: log/time"):
        strict.check()
    rules = {"rules": [{"id": "low", "channel": "state/hp", "max": 60}], "ignore": ["values", "time"]}
    assert seen(config=rules) == {"user.low"}
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules))
    assert seen(config=file) == {"user.low"} == seen(config=str(file))
    base = tmp_path / "base.json"
    subprocess.run([program(), "validate", "-q", bad, "--write-baseline", base], check=True)
    known = trajpack.validate(bad, baseline=base)
    assert known.findings == () and known.known == 3 and "3 findings" in str(known)
    some = trajpack.validate(good, sample=0.5, seed=3).datasets[0]
    assert some.episodes < some.all_episodes == 3 and any("not drawn" in text for text in some.unchecked)
    assert str(trajpack.validate(bad, jobs=1)) == str(trajpack.validate(bad, jobs=3))
    # Like the command, the file of that name in the current folder.
    (tmp_path / "trajpack-validate.json").write_text(json.dumps(rules))
    monkeypatch.chdir(tmp_path)
    assert seen() == {"user.low"}


def test_sources_before_conversion(tmp_path: Path) -> None:
    t = np.arange(200)
    wave = np.sin(t / 10) * 3 + 9
    wave[100] = -9999
    (tmp_path / "-x.csv").write_text("a,b\n" + "\n".join(
        f"{a:.4f},{b:.4f}" for a, b in zip(wave, np.cos(t / 7), strict=True)) + "\n")
    for rate in (30, 30.0, "30000/1001"):
        report = trajpack.validate(tmp_path / "-x.csv", rate=rate, source="series")
        assert report.findings and {f.channel for f in report.findings} == {"a"}
    assert report.datasets[0].unchecked and report.findings[0].places[0].shard is None


@pytest.mark.parametrize("options, words", [
    ({"select": "values.spikes"}, "there is no rule 'values.spikes'; did you mean 'values.spike'"),
    ({"select": ["", "time"]}, "expected the names of rules as 'select'"),
    ({"fail_on": "errors"}, "there is no severity 'errors'; did you mean 'error'"),
    ({"config": {"rule": []}}, "there is no 'rule'; did you mean 'rules'"),
    ({"config": {"window": math.nan}}, "not JSON"),
    ({"profile": "moon"}, "moon"),
    ({"sample": 0.0}, "is no share above 0"),
    ({"jobs": 0}, "--jobs"),
    ({"baseline": "/no/such/file"}, "/no/such/file"),
])
def test_wrong_options_are_usage_errors(good: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(trajpack.UsageError) as caught:
        trajpack.validate(good, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(trajpack.UsageError, match="does not exist"):
        trajpack.validate(tmp_path / "nothing")
    with pytest.raises(trajpack.UsageError, match="empty"):
        trajpack.validate([])
    (tmp_path / "notes.bin").write_bytes(b"\0\1\2" * 50)
    with pytest.raises(trajpack.TrajpackError, match=r"notes\.bin"):
        trajpack.validate(tmp_path / "notes.bin")
    monkeypatch.setenv("TRAJPACK_PROGRAM", str(tmp_path / "none"))
    with pytest.raises(trajpack.MachineError, match="which is no program"):
        trajpack.validate(tmp_path)
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho '{\"findings\": [], \"datasets\": [{}]}'\n")
    other.chmod(0o755)
    monkeypatch.setenv("TRAJPACK_PROGRAM", str(other))
    with pytest.raises(trajpack.MachineError, match="of this package's version"):
        trajpack.validate(tmp_path)


# The plug-in.

@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs pytest in a folder of its own, with the plug-in as an installed wheel registers it."""
    import tomllib
    project = tomllib.loads((ROOT / "tools" / "python" / "pyproject.toml").read_text())["project"]
    site, work = tmp_path / "site", tmp_path / "work"
    info = site / "trajpack-0.0.0.dist-info"
    info.mkdir(parents=True)
    work.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trajpack\nVersion: 0.0.0\n")
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(
        f"{name} = {place}\n" for name, place in project["entry-points"]["pytest11"].items()))
    env = surroundings()
    env = {**env, "PYTHONPATH": f"{site}{os.pathsep}{env['PYTHONPATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("PYTEST_ADDOPTS", None)

    def run(*words: Any, code: int, **files: str) -> str:
        for name, text in files.items():
            (work / f"{name}.py").write_text(text)
        done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, words)], env=env,
                              cwd=work, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def outcomes(file: Path) -> dict[str, str]:
    return {case.get("name") or "": case[0].tag if len(case) else "passed"
            for case in ET.parse(file).getroot().iter("testcase")}


def test_each_rule_is_a_test(run: Any, bad: str, good: str, tmp_path: Path) -> None:
    file = tmp_path / "out.xml"
    text = run("--trajpack", bad, f"--junitxml={file}", code=1)
    seen = outcomes(file)
    assert list(seen) == [rule.id for rule in validation.rules()]
    assert {name for name, came in seen.items() if came == "failure"} == {"values.infinite", "values.nan"}
    skipped = {name for name, came in seen.items() if came == "skipped"}
    assert skipped == set(validation.validate(bad).datasets[0].skipped) and "container.hdf5" in skipped
    # Rules that met nothing that they look at are no passed tests.
    assert "geometry.depth-range" in skipped and "geometry.quaternion-norm" not in skipped
    assert "001 rows 7-8 (inf, -inf)" in text and "Traceback" not in text and "pytest_plugin.py" not in text.split(
        "warnings summary")[0]
    assert "DataWarning" in text and "time.duplicate" in text        # a lesser finding is a warning
    assert f"trajpack {bad}: 3 episodes" in text
    run("--trajpack", good, "--trajpack-fail-on", "suggestion", code=0)
    # Several datasets, and the choice of pytest itself.
    text = run("--trajpack", bad, "--trajpack", good, "-k", "values.nan", code=1)
    assert "1 failed, 1 passed" in text


def test_options_of_the_plugin(run: Any, bad: str, good: str, tmp_path: Path) -> None:
    file = tmp_path / "out.xml"
    run("--trajpack", bad, "--trajpack-select", "time,values.infinite", "--trajpack-ignore", "time.gap",
        "--trajpack-fail-on", "warning", f"--junitxml={file}", code=1)
    seen = outcomes(file)
    assert {n.partition(".")[0] for n in seen} == {"time", "values"} and "time.gap" not in seen
    assert {n for n, came in seen.items() if came == "failure"} == {"time.duplicate", "values.infinite"}
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"rules": [{"id": "low", "channel": "state/hp", "max": 60}], "ignore": ["time"]}))
    run("--trajpack", bad, "--trajpack-config", config, f"--junitxml={file}", code=1)
    seen = outcomes(file)
    assert seen["user.low"] == "failure" and seen["time.gap"] == "skipped"
    base = tmp_path / "base.json"
    subprocess.run([program(), "validate", "-q", bad, "--write-baseline", base], check=True)
    assert "3 findings" in run("--trajpack", bad, "--trajpack-baseline", base, code=0)
    # A wrong option and a dataset that is not there are said, once a rule at most, without a traceback.
    assert "did you mean 'values.spike'" in run("--trajpack", good, "--trajpack-select", "values.spikes,values.spike",
                                                code=4)
    assert "did you mean 'time.gap'" in run("--trajpack", good, "--trajpack-select", "time.gapp", code=4)
    assert "no rule 'tim'; did you mean 'time'" in run("--trajpack", good, "--trajpack-ignore", "tim", code=4)
    chosen = ["--trajpack-select", "time", "--trajpack-ignore", "time"]
    assert "no rule is left" in run("--trajpack", good, *chosen, code=4)
    text = run("--trajpack", "nothing", code=4)
    assert text.count("does not exist") == 1 and "Traceback" not in text


def test_what_was_not_looked_at_does_not_pass(run: Any, good: str, tmp_path: Path) -> None:
    file = tmp_path / "out.xml"
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"rules": [{"id": "lim", "channel": "nowhere/x", "max": 1}]}))
    text = run("--trajpack", good, "--trajpack-config", config, f"--junitxml={file}", "-rs", code=0)
    assert outcomes(file)["user.lim"] == "skipped" and "found nothing to look at" in text
    # One error, whatever the number of rules.
    (tmp_path / "empty").mkdir()
    text = run("--trajpack", tmp_path / "empty", f"--junitxml={file}", code=1)
    came = list(outcomes(file).values())
    assert came.count("failure") == 1 and set(came) == {"failure", "skipped"}
    assert "1 failed" in text and "holds no recording of a known format" in text


def test_the_fixture(run: Any, bad: str, good: str) -> None:
    text = run("-rw", code=1, test_data=f"""
import pytest

def test_good(trajpack_validate):
    report = trajpack_validate({good!r}, {bad!r}, ignore="values")
    assert report.ok and [d.episodes for d in report.datasets] == [3, 3]

def test_bad(trajpack_validate):
    trajpack_validate({bad!r})

def test_strict(trajpack_validate):
    with pytest.raises(pytest.fail.Exception, match="time.duplicate"):
        trajpack_validate({bad!r}, select="time", fail_on="warning")
""")
    assert "1 failed, 2 passed" in text and "values.infinite" in text and "DataWarning" in text
    # Without --trajpack the plug-in adds nothing.
    assert "1 passed" in run("test_one.py", code=0, test_one="def test(): pass\n")
