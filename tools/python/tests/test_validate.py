"""`trajpack validate`: every planted fault is found by its rule, and nothing else is said."""
from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_world import CHANNELS, EPISODES, FAULTS, FORGED, clean, forged, write
from places import ROOT, program
from scenes import OTHERS

PAGE = ROOT / "docs" / "validate.md"
START, END = "<!-- faults: made by tools/python/tests/test_validate.py -->", "<!-- end -->"


def run(*words: Any, code: int | None = None, cwd: Any = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode in (0, 1) if code is None else done.returncode == code, done.stderr
    return done


def report(*words: Any, code: int | None = None) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(run("validate", *words, "--format", "json", "-q", code=code).stdout)
    return out


def found(*words: Any) -> set[str]:
    return {f["rule"] for f in report(*words)["findings"]}


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    return {r["id"]: r for r in json.loads(run("rules", "--json").stdout)}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("good") / "ds", [clean(n) for n in range(EPISODES)])


def test_clean_forged_data_gives_no_finding(tmp_path: Path) -> None:
    assert found(forged(tmp_path / "shard.h5")) == set()


def test_clean_data_gives_no_finding(good: str, rules: dict[str, Any]) -> None:
    out = report(good, code=0)
    assert out["findings"] == [] and out["counts"] == {"error": 0, "warning": 0, "suggestion": 0, "known": 0}
    assert out["datasets"][0]["episodes"] == EPISODES and out["datasets"][0]["profile"] == "wildworld"
    assert out["datasets"][0]["rules"] == list(rules)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The report of each fault."""
    out = {}
    for name, (_, change) in FAULTS.items():
        episodes = [clean(n) for n in range(EPISODES)]
        change(episodes)
        out[name] = report(write(tmp_path_factory.mktemp("fault") / "ds", episodes))
    for name, (_, alter) in FORGED.items():
        out[name] = report(forged(tmp_path_factory.mktemp("fault") / "shard.h5", alter))
    return out


ALL = {**{k: v[0] for k, v in FAULTS.items()}, **{k: v[0] for k, v in FORGED.items()}}


@pytest.mark.parametrize("name", ALL)
def test_a_planted_fault_is_found_by_its_rule(name: str, planted: dict[str, Any], rules: dict[str, Any]) -> None:
    rule = ALL[name]
    seen = {f["rule"] for f in planted[name]["findings"]}
    assert rule in seen
    assert seen <= {rule, *rules[rule]["implies"]}, "a companion is not declared"
    for finding in planted[name]["findings"]:
        assert finding["severity"] == rules[finding["rule"]]["severity"]
        assert 1 <= len(finding["places"]) <= 3 and finding["count"] >= 1


def test_neighbours_of_faults_give_no_finding(tmp_path: Path) -> None:
    """A sensor at rest at an end of its range, times in milliseconds that need no rounding, splits that overlap."""
    episodes = [clean(n) for n in range(EPISODES)]
    lowest = min(item["state"]["force"].min() for n, item in enumerate(episodes) if n != 4)
    episodes[4]["state"]["force"][:] = lowest
    episodes[3]["times"] = np.round(np.arange(len(episodes[3]["times"])) * 0.021, 3)
    for n, item in enumerate(episodes):
        item["split"] = "train" if n < 5 else "test"
        item["state"]["temp"] += 40 * (n in (2, 3, 5, 6, 8))
    assert found(write(tmp_path / "ds", episodes)) == set()


def test_skeleton_whose_bones_lead_nowhere(good: str, tmp_path: Path) -> None:
    edges = [(0, 1), (1, 2), (2, 9)]
    assert found(write(tmp_path / "ds", [clean(n) for n in range(2)], edges)) == {"geometry.skeleton-edges"}


def test_every_rule_has_a_fault(rules: dict[str, Any], planted: dict[str, Any]) -> None:
    elsewhere = {"geometry.skeleton-edges", "learning.short"} | OTHERS
    tested = {*ALL.values()} | elsewhere
    assert {r for r in rules if not r.startswith("container.")} == tested


def test_table_of_faults_in_the_docs(planted: dict[str, Any]) -> None:
    lines = ["| fault | rule | also found by |", "|---|---|---|"]
    for name, rule in ALL.items():
        also = sorted({f["rule"] for f in planted[name]["findings"]} - {rule})
        lines.append(f"| {name} | `{rule}` | {', '.join(f'`{r}`' for r in also)} |")
    text = PAGE.read_text()
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{START}\n" + "\n".join(lines) + f"\n{END}{tail}"
    if os.environ.get("TRAJPACK_DOCS") == "update":
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "run this with TRAJPACK_DOCS=update and read the diff"


def test_pages_of_rules(rules: dict[str, Any]) -> None:
    folder = ROOT / "docs" / "rules"
    update = os.environ.get("TRAJPACK_DOCS") == "update"
    for rule in rules:
        page = run("rules", rule, "--markdown").stdout
        if update:
            folder.mkdir(exist_ok=True)
            (folder / f"{rule}.md").write_text(page)
        file = folder / f"{rule}.md"
        assert file.exists() and file.read_text() == page, f"{file} is not of the rule's text: run this with TRAJPACK_DOCS=update"
    assert {p.stem for p in folder.glob("*.md")} == set(rules)
    for rule in rules.values():
        assert set(rule["implies"]) <= set(rules)


def test_the_same_report_with_any_number_of_threads(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(EPISODES)]
    for _, change in list(FAULTS.values())[::5]:
        change(episodes)
    path = write(tmp_path / "ds", episodes)
    one = run("validate", path, "-q", "--format", "json", "--jobs", 1).stdout
    assert len(json.loads(one)["findings"]) > 4
    for jobs in (2, 3, 8):
        assert run("validate", path, "-q", "--format", "json", "--jobs", jobs).stdout == one


def test_equal_findings_are_one_with_count_and_first_places(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(6)]
    for item in episodes[1:]:
        item["state"]["temp"][10:13] = np.inf
    out = report(write(tmp_path / "ds", episodes), code=1)
    (finding,) = out["findings"]
    assert finding["count"] == 15 and finding["tracks"] == 5
    assert [p["episode"] for p in finding["places"]] == ["001", "002", "003"]
    assert finding["places"][0]["rows"] == [10, 13] and finding["places"][0]["values"] == ["Infinity"] * 3
    assert (finding["stream"], finding["channel"]) == ("state", "temp")


def test_damage_is_a_finding(good: str, tmp_path: Path) -> None:
    folder = tmp_path / "ds"
    folder.mkdir()
    for item in Path(good).iterdir():
        (folder / item.name).write_bytes(item.read_bytes())
    shard = sorted(folder.glob("shard-*.h5"))[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    out = report(folder, code=1)
    assert {f["rule"] for f in out["findings"]} == {"container.damage"}
    (folder / "shard-000009.h5").write_bytes(shard.read_bytes())
    assert "container.orphan" in found(folder)
    shard.unlink()
    assert "container.damage" in found(folder)


def test_sources_before_conversion(tmp_path: Path) -> None:
    t = np.arange(200) * 0.1
    rows = [f"{a:.1f},{b:.4f},{c:.4f}" for a, b, c in zip(t, np.sin(t) * 3 + 9, np.cos(t * 1.7), strict=True)]
    good = tmp_path / "good.csv"
    good.write_text("time,a,b\n" + "\n".join(rows) + "\n")
    assert found(good) == set()
    rows[90] = "9.0,-9999,0.5"
    rows[91] = "9.1,-9999,0.6"
    bad = tmp_path / "bad.csv"
    bad.write_text("time,a,b\n" + "\n".join(rows) + "\n")
    assert found(bad) == {"values.sentinel"}
    # What a conversion refuses is one finding, with its sentence.
    rows[50], rows[51] = rows[51], rows[50]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("time,a,b\n" + "\n".join(rows) + "\n")
    (finding,) = report(swapped)["findings"]
    assert finding["rule"] == "container.unreadable" and "swapped.csv" in finding["places"][0]["note"]
    broken = tmp_path / "broken.csv"
    broken.write_text("time,a\n0,1\n1,2,3,4\n2,3\n")
    assert found(broken) == {"container.unreadable"}


def test_rules_of_the_configuration(good: str, tmp_path: Path) -> None:
    def check(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"rules": [{"id": f"r{i}", **r} for i, r in enumerate(rules)], **more}))
        return report(good, "--config", file)

    kept = [{"expression": "state/hp <= state/max_hp"}, {"expression": "abs(change(state/pos)) < 5"},
            {"expression": "state/pos[0] * state/pos[0] >= 0 and not state/hp < 0"},
            {"expression": "-1 <= state/rot <= 1"}, {"channel": "state/temp", "min": 0, "max": 40},
            {"channel": "state/pos", "units": "m"}, {"required": ["state/hp", "camera", "body/*"]},
            {"stream": "state", "rate": 50}, {"stream": "log", "rate": "50"},
            {"stream": "*", "min_rows": 10, "max_rows": 1000}, {"channel": "state/hp", "monotonic": "falling"},
            {"channel": "log/time", "monotonic": "strictly rising"}]
    assert check(*kept)["findings"] == []
    broken = [{"expression": "state/hp < 80"}, {"expression": "state/pos[1] > state/pos[2]"},
              {"channel": "state/temp", "max": 20}, {"channel": "state/pos", "units": "mm"},
              {"required": ["state/mp"]}, {"stream": "state", "rate": 30}, {"stream": "log", "rate": 60},
              {"stream": "state", "max_rows": 100}, {"channel": "state/hp", "monotonic": "rising"}]
    out = check(*broken)
    assert {f["rule"] for f in out["findings"]} == {f"user.r{i}" for i in range(len(broken))}
    hp = clean(0)["state"]["hp"]
    first = next(f for f in out["findings"] if f["rule"] == "user.r0")
    assert first["places"][0]["rows"] == [0, int((hp >= 80).sum())]
    out = check({"expression": "state/mp > 0"})
    assert any("user.r0" in s for s in out["datasets"][0]["unchecked"])
    out = check({"expression": "state/hp < 80", "severity": "suggestion"}, severity={"user.r0": "warning"})
    assert out["findings"][0]["severity"] == "warning" and out["failures"] == 0
    assert {f["rule"] for f in check(window=300)["findings"]} == {"learning.short"}


@pytest.mark.parametrize("config, words", [
    ({"rule": []}, "there is no 'rule'; did you mean 'rules'"),
    ({"rules": [{"expression": "a/b > 1"}]}, "'id'"),
    ({"rules": [{"id": "x"}]}, "which says what it asks"),
    ({"rules": [{"id": "x", "expression": "a/b >"}]}, "expected a number, a channel or '(', not the end"),
    ({"rules": [{"id": "x", "expression": "a/b > 1 )"}]}, "expected the end or an operator"),
    ({"rules": [{"id": "x", "expression": "a/b > c/d"}]}, "several streams"),
    ({"rules": [{"id": "x", "expression": "1 < 2"}]}, "names no channel"),
    ({"rules": [{"id": "x", "expression": "(" * 200 + "a/b" + ")" * 200}]}, "more than 64 deep"),
    ({"rules": [{"id": "x", "expression": "a/b > 1", "min": 2}]}, "'min' does not go with 'expression'"),
    ({"rules": [{"id": "x", "channel": "a/b", "min": 3, "max": 2}]}, "'min' at most 'max'"),
    ({"rules": [{"id": "x", "channel": "a/b", "max": 2}, {"id": "x", "channel": "a/b", "max": 2}]}, "comes twice"),
    ({"select": ["values.spikes"]}, "there is no rule 'values.spikes'; did you mean 'values.spike'"),
    ({"severity": {"values.spike": "bad"}}, "error, warning or suggestion"),
    ({"profile": "moon"}, "'profile' as one of wildworld"),
    ({"window": 0}, "at least 1"),
    ([], "expected an object"),
])
def test_a_wrong_configuration_is_refused(good: str, tmp_path: Path, config: Any, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    done = run("validate", good, "--config", file, code=2)
    assert words in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


def test_choosing_rules_failing_and_baselines(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(EPISODES)]
    episodes[1]["state"]["temp"][5] = np.inf
    episodes[2]["times"][50] = episodes[2]["times"][49]
    path = write(tmp_path / "ds", episodes)
    assert found(path) == {"values.infinite", "time.duplicate"}
    assert found(path, "--select", "time") == {"time.duplicate"}
    assert found(path, "--ignore", "values.infinite,time.*") == set()
    run("validate", path, "--ignore", "values", code=0)
    run("validate", path, "--ignore", "values", "--fail-on", "warning", code=1)
    base = tmp_path / "base.json"
    run("validate", path, "--write-baseline", base, code=0)
    out = report(path, "--baseline", base, code=0)
    assert out["findings"] == [] and out["counts"]["known"] == 2
    episodes[3]["state"]["temp"][5] = np.inf
    more = write(tmp_path / "more", episodes)
    assert found(more, "--baseline", base) == {"values.infinite"}
    run("validate", path, "--baseline", tmp_path / "ds" / "manifest.json", code=2)
    run("validate", tmp_path / "nothing", code=2)


def test_a_sample_is_drawn_by_ids(good: str) -> None:
    some = report(good, "--sample", "50%", "--seed", 3)["datasets"][0]
    assert 0 < some["episodes"] < EPISODES == some["all_episodes"]
    assert any("not drawn" in s for s in some["unchecked"])
    assert report(good, "--sample", "0.5", "--seed", 3)["datasets"][0] == some
    run("validate", good, "--sample", "0", code=2)


def test_reports_for_ci(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(3)]
    episodes[1]["id"] = "a<b>&\"'%::error::x"
    episodes[1]["state"]["temp"][5] = np.inf
    write(tmp_path / "d s", episodes)

    def text(form: str) -> str:
        return run("validate", "d s", "--format", form, "-q", code=1, cwd=tmp_path).stdout

    sarif = json.loads(text("sarif"))
    (result,) = sarif["runs"][0]["results"]
    assert result["ruleId"] == "values.infinite" and result["level"] == "error"
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("d%20s/shard-") and result["partialFingerprints"]["trajpack/v1"]
    mark = result["partialFingerprints"]["primaryLocationLineHash"]
    assert len(mark) == 18 and mark.endswith(":1")
    names = [r["id"] for r in sarif["runs"][0]["tool"]["driver"]["rules"]]
    assert names[result["ruleIndex"]] == "values.infinite"
    suite = ET.fromstring(text("junit"))[0]
    assert suite.get("failures") == "1" and int(suite.get("tests") or 0) == len(names)
    assert [c.get("name") for c in suite if c.find("failure") is not None] == ["values.infinite"]
    lines = text("github").splitlines()
    assert len(lines) == 2 and lines[0].startswith("::error title=values.infinite in d s::")
    assert lines[1].startswith("::notice title=not checked in d s::")
    page = text("html")
    assert "<b>" not in page and "a&lt;b&gt;" in page
    for form in ("sarif", "junit", "github", "html", "text", "json"):
        assert "\x1b" not in text(form) and "\x07" not in text(form)


def test_wildworld_fixtures() -> None:
    """Odd on purpose: an infinite rate, and a corner of the numbers in one position."""
    out = report(ROOT / "fixtures" / "wildworld" / "data_part1", code=1)
    assert {(f["rule"], f["channel"]) for f in out["findings"]} == {
        ("values.infinite", "crit_atk_rate"), ("values.spike", "pos")}


def test_every_channel_of_the_clean_data_is_described() -> None:
    item = clean(0)
    assert {f"{s}/{c}" for s in ("state", "camera", "body") for c in item[s]} == set(CHANNELS)


def test_the_action(good: str, tmp_path: Path) -> None:
    """action.yml hands its inputs to a script."""
    script = ROOT / "tools" / "validate-action.sh"
    inputs = {**os.environ, "TRAJPACK_PROGRAM": program(), "TRAJPACK_PATHS": good, "TRAJPACK_FORMAT": "json",
              "TRAJPACK_FAIL_ON": "suggestion", "TRAJPACK_OUTPUT": str(tmp_path / "out.json")}
    subprocess.run([script], env=inputs, check=True)
    assert json.loads((tmp_path / "out.json").read_text())["fail_on"] == "suggestion"
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"rules": [{"id": "x", "channel": "state/hp", "max": 50}]}))
    done = subprocess.run([script], env={**inputs, "TRAJPACK_CONFIG": str(config)}, check=False, capture_output=True)
    assert done.returncode == 1
    wheel = tmp_path / "trajpack-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as out:
        item = zipfile.ZipInfo("trajpack-1.data/scripts/trajpack")
        item.external_attr = 0o100755 << 16
        out.writestr(item, f'#!/bin/sh\necho "$@" >&2\nexec "{program()}" "$@"\n')
        out.writestr("trajpack-1.dist-info/METADATA",
                     "Metadata-Version: 2.1\nName: trajpack\nVersion: 1\nRequires-Dist: numpy\n")
        out.writestr("trajpack-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr("trajpack-1.dist-info/RECORD", "")
    inputs["TRAJPACK_PROGRAM"] = "/nowhere"
    done = subprocess.run([script], env={**inputs, "TRAJPACK_WHEEL": str(wheel)}, check=True, capture_output=True,
                          text=True)
    assert done.stderr.startswith("validate --quiet")
    done = subprocess.run([script], env={**inputs, "TRAJPACK_WHEEL": "no.whl"}, check=False, capture_output=True,
                          text=True)
    assert done.returncode == 2 and "no wheel" in done.stderr
    text = (ROOT / "action.yml").read_text()
    for name in ("program", "wheel", "baseline", "paths", "format", "output", "config", "fail-on"):
        assert f"${{{{ inputs.{name} }}}}" in text and f"  {name}:\n" in text


def test_the_fixtures_by_the_action() -> None:
    """What the project's own CI says of its fixtures: they are odd on purpose, as fixtures/validate-baseline.json lists."""
    paths = [p.parent for p in sorted((ROOT / "fixtures" / "golden").rglob("manifest.json"))]
    paths.append(ROOT / "fixtures" / "wildworld" / "data_part1")
    inputs = {**os.environ, "TRAJPACK_PROGRAM": program(), "TRAJPACK_FORMAT": "junit", "TRAJPACK_FAIL_ON": "suggestion",
              "TRAJPACK_PATHS": "\n".join(str(p.relative_to(ROOT)) for p in paths)}
    script = ROOT / "tools" / "validate-action.sh"
    known = {**inputs, "TRAJPACK_BASELINE": "fixtures/validate-baseline.json"}
    done = subprocess.run([script], env=known, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(ET.fromstring(done.stdout)) == len(paths) >= 7
    assert subprocess.run([script], env=inputs, cwd=ROOT, capture_output=True, check=False).returncode == 1
