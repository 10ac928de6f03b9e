"""`trajpack validate` in CI: exit code 1 means that a report names findings; what was not looked at is never green."""
from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import trajpack
from fault_world import clean, smooth, write
from places import ROOT, program
from test_validate import run
from test_validate_trials import dataset, walk


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(1)
    return dataset(tmp_path_factory.mktemp("ci") / "ds", [{"s": {"x": walk(random, 80)}} for _ in range(12)])


def tables(folder: Path, count: int = 4, broken: str = "time,x\n") -> Path:
    folder.mkdir()
    random = np.random.default_rng(2)
    for number in range(count):
        rows = "".join(f"{t / 10},{x:.4f}\n" for t, x in enumerate(smooth(random, 90)))
        (folder / f"run{number:02}.csv").write_text("time,x\n" + rows)
    (folder / "run02.csv").write_text(broken)
    return folder


def recipe() -> list[str]:
    """The words of docs/ci.md that write SARIF."""
    lines = (ROOT / "docs" / "ci.md").read_text().splitlines()
    (line,) = [line for line in lines if "run: " in line and "|| test $? -eq 1" in line]
    return line.split("run: ")[1].split()


@pytest.mark.parametrize("option", ["--config", "--baseline"])
def test_a_configuration_that_is_no_json_is_wrong_usage(good: str, option: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"rules": [')
    done = run("validate", good, option, tmp_path / "c.json", code=2)
    assert "the JSON is damaged at byte 11" in done.stderr and not done.stdout
    with pytest.raises(trajpack.UsageError, match="the JSON is damaged"):
        trajpack.validate(good, **{option[2:]: tmp_path / "c.json"})


def test_what_cannot_be_looked_at_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "header.csv").write_text("time,x\n")
    for name in ("empty", "header.csv"):
        done = run("validate", name, "--format", "sarif", code=2, cwd=tmp_path)
        assert not done.stdout and len(done.stderr.splitlines()) == 1
        words = " ".join(recipe()).replace("trajpack validate", f"{program()} validate").replace("data/ww", name)
        assert subprocess.run(["bash", "-c", words], cwd=tmp_path, capture_output=True).returncode != 0
    # With findings the recipe goes on to the upload of a report.
    tables(tmp_path / "runs")
    words = " ".join(recipe()).replace("trajpack validate", f"{program()} validate").replace("data/ww", "runs")
    assert subprocess.run(["bash", "-c", words], cwd=tmp_path, capture_output=True).returncode == 0
    assert json.loads((tmp_path / "trajpack.sarif").read_text())["runs"][0]["results"]


@pytest.mark.parametrize("broken", ["time,x\n", "", "time,x\n0.0,1\n0.2,2\n0.1,3\n0.3,4\n"])
def test_a_table_that_cannot_be_read_is_a_finding(tmp_path: Path, broken: str) -> None:
    tables(tmp_path / "runs", broken=broken)

    def text(form: str) -> str:
        return run("validate", "runs", "--format", form, "-q", code=1, cwd=tmp_path).stdout

    report = json.loads(text("json"))
    (finding,) = [f for f in report["findings"] if f["rule"] == "container.unreadable"]
    assert finding["severity"] == "error" and finding["places"][0]["file"] == "runs/run02.csv"
    assert "runs/run02.csv" in finding["places"][0]["note"] and report["datasets"][0]["episodes"] == 3
    (result,) = [r for r in json.loads(text("sarif"))["runs"][0]["results"] if r["ruleId"] == finding["rule"]]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "runs/run02.csv"
    assert "::error file=runs/run02.csv,title=container.unreadable in runs::" in text("github")
    # Where the rule is not run, what was not looked at is said.
    done = run("validate", "runs", "--select", "time", code=0, cwd=tmp_path)
    assert "not checked: what cannot be read (runs/run02.csv" in done.stdout


def test_a_table_that_does_not_go_with_the_others_is_named(tmp_path: Path) -> None:
    words = "time,x\n" + "".join(f'{t / 10},"{t},5"\n' for t in range(90))
    tables(tmp_path / "runs", broken=words)
    report = json.loads(run("validate", "runs", "--json", "-q", code=1, cwd=tmp_path).stdout)
    (finding,) = [f for f in report["findings"] if f["rule"] == "container.unreadable"]
    assert finding["places"][0]["file"] == "runs/run02.csv"
    assert finding["places"][0]["note"].count("runs/run") == 1


def test_no_recording_and_no_rule_that_says_so(tmp_path: Path) -> None:
    folder = tables(tmp_path / "runs", count=3, broken="time,x\n0.0,1\n0.2,2\n0.1,3\n")
    for path in folder.glob("run0[01].csv"):
        path.write_text((folder / "run02.csv").read_text())
    assert "cannot be read" in run("validate", folder, code=1).stdout
    done = run("validate", folder, "--select", "values", code=2)
    assert "none of 3 episodes can be read" in done.stderr


@pytest.mark.parametrize("what", ["shards", "manifest"])
def test_a_dataset_of_which_nothing_opens_is_never_green(what: str, tmp_path: Path) -> None:
    path = Path(dataset(tmp_path / "ds", [{"s": {"x": np.arange(50) / 7}} for _ in range(3)]))
    for file in path.glob("*.h5" if what == "shards" else "manifest.json"):
        file.write_bytes(file.read_bytes()[:100])
    assert run("validate", path, "-q", code=1).stdout
    for words in (["--select", "time"], ["--ignore", "container"]):
        done = run("validate", path, *words, code=2)
        assert "nothing of it can be read" in done.stderr and not done.stdout


def test_rules_of_a_profile_run_on_the_datasets_that_have_it(good: str, tmp_path: Path) -> None:
    other = write(tmp_path / "ww", [clean(0)])
    done = run("validate", good, other, "--select", "wildworld", "--json", "-q", code=0)
    first, second = json.loads(done.stdout)["datasets"]
    assert first["rules"] == [] and second["rules"] and "for data of a profile" in first["unchecked"][0]


def test_a_sample_of_nothing_and_no_rule_are_refused(good: str) -> None:
    codes = set()
    for seed in range(40):
        done = subprocess.run([program(), "validate", good, "--sample", "5%", "--seed", str(seed), "-q", "--json"],
                              capture_output=True, text=True, check=False)
        codes.add(done.returncode)
        document = json.loads(done.stdout)
        if done.returncode == 2:
            assert "draws none of 12 episodes" in document["error"]["message"]
            assert document["error"]["place"]["option"] == "--sample"
        else:
            assert document["datasets"][0]["episodes"] > 0
    assert codes == {0, 2}
    assert "no rule is left" in run("validate", good, "--select", "time", "--ignore", "time", code=2).stderr
    assert "name it with --profile" in run("validate", good, "--select", "wildworld", code=2).stderr
    run("validate", good, "--select", "wildworld,values.nan", code=0)
    run("validate", good, "--select", "wildworld", "--profile", "wildworld", code=0)
    assert "did you mean 'time'" in run("validate", good, "--select", "tim", code=2).stderr


def test_errors_of_format_json_are_json(tmp_path: Path) -> None:
    same = [run("validate", "nope", *words, code=2, cwd=tmp_path).stdout
            for words in (["--json"], ["--format", "json"], ["--format=json"])]
    assert json.loads(same[0])["error"]["code"] == 2 and len(set(same)) == 1
    assert not run("validate", "nope", "--format", "sarif", code=2, cwd=tmp_path).stdout


def test_reports_say_what_was_not_checked(good: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"rules": [{"id": "lim", "channel": "s/y", "max": 1}]}))

    def text(form: str) -> str:
        return run("validate", good, "--config", tmp_path / "c.json", "--format", form, "-q", code=0).stdout

    (checked,) = json.loads(text("json"))["datasets"]
    # Rules that met no channel of their kind are among them.
    named = set(checked["skipped"])
    assert {"container.hdf5", "user.lim", "geometry.quaternion-norm", "time.gap"} <= named < set(checked["rules"])
    assert not {"values.spike", "container.damage", "learning.duplicate"} & named
    met = len(named) - 2
    assert f" rules ({met} met nothing to look at)" in text("text")
    (invocation,) = json.loads(text("sarif"))["runs"][0]["invocations"]
    said = [n["message"]["text"] for n in invocation["toolExecutionNotifications"]]
    assert any("not checked: rule 'user.lim'" in line for line in said)
    assert {n["level"] for n in invocation["toolExecutionNotifications"]} == {"note"}
    (line,) = [line for line in text("github").splitlines() if line.startswith("::notice title=not checked in ")]
    assert "'user.lim'" in line
    suite = ET.fromstring(text("junit"))[0]
    skipped = {c.get("name") for c in suite.iter("testcase") if c.find("skipped") is not None}
    assert skipped == named and suite.get("skipped") == str(len(named))


def test_every_form_says_what_a_baseline_left_out(tmp_path: Path) -> None:
    values = np.arange(50) / 7
    values[7] = np.inf
    path = dataset(tmp_path / "ds", [{"s": {"x": values}} for _ in range(3)])
    run("validate", path, "--write-baseline", tmp_path / "b.json", "-q", code=0)
    for form in ("text", "sarif", "junit", "github", "html"):
        done = run("validate", path, "--baseline", tmp_path / "b.json", "--format", form, "-q", code=0)
        assert "left out, because the baseline has them: " in done.stdout, form
    ET.fromstring(run("validate", path, "--baseline", tmp_path / "b.json", "--format", "junit", "-q", code=0).stdout)


def test_a_baseline_of_one_damaged_shard_does_not_know_another(tmp_path: Path) -> None:
    tables(tmp_path / "tables", broken="time,x\n0,1\n1,2\n")
    path = tmp_path / "ds"
    run("convert", tmp_path / "tables", path, "--shard-size", "1k", "-q", code=0)
    shards = sorted(path.glob("*.h5"))
    assert len(shards) == 4
    whole = shards[0].read_bytes()

    def damage(shard: Path) -> None:
        shard.write_bytes(shard.read_bytes()[:100])

    damage(shards[0])
    base = tmp_path / "base.json"
    run("validate", path, "--write-baseline", base, "-q", code=0)
    run("validate", path, "--baseline", base, "-q", code=0)
    shards[0].write_bytes(whole)
    damage(shards[1])
    assert shards[1].name in run("validate", path, "--baseline", base, "-q", code=1).stdout


@pytest.mark.parametrize("item", [{}, {"fingerprint": "a"}, {"fingerprint": "a", "count": "3"}, {"fingerprint": "a", "count": -1},
                                  {"count": 3}, 7])
def test_a_baseline_with_a_finding_that_says_nothing_is_refused(good: str, tmp_path: Path, item: object) -> None:
    base = tmp_path / "base.json"
    base.write_text(json.dumps({"trajpack_baseline": 1, "findings": [{"fingerprint": "b", "count": 1}, item]}))
    said = run("validate", good, "--baseline", base, "-q", code=2).stderr
    assert "finding 2 " in said and "--write-baseline" in said
