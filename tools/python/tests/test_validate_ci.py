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


def efforts(path: Path, bad: int, rows: tuple[int, ...] = (30, 31)) -> str:
    """Twenty episodes, one of which has 9999 for missing."""
    random = np.random.default_rng(5)
    episodes = []
    for number in range(20):
        values = random.normal(0, 1, (300, 3))
        if number == bad:
            values[list(rows), 1] = 9999
        episodes.append({"s": {"effort": values}})
    return dataset(path, episodes)


def test_a_baseline_knows_findings_by_dataset_and_by_few_episodes(tmp_path: Path) -> None:
    one, other = efforts(tmp_path / "one", 17), efforts(tmp_path / "other", 18)
    base = tmp_path / "base.json"
    run("validate", one, "--write-baseline", base, "-q", code=0)
    run("validate", one, "--baseline", base, "--fail-on", "warning", "-q", code=0)
    # In the same dataset elsewhere, in another dataset beside it, and in another one alone.
    assert "e18" in run("validate", one, other, "--baseline", base, "--fail-on", "warning", "-q", code=1).stdout
    assert "e18" in run("validate", other, "--baseline", base, "--fail-on", "warning", "-q", code=1).stdout
    run("validate", efforts(tmp_path / "moved", 17), "--baseline", base, "--fail-on", "warning", "-q", code=0)
    # A baseline of before says no places.
    document = json.loads(base.read_text())
    for item in document["findings"]:
        del item["where"], item["dataset"]
    base.write_text(json.dumps(document))
    run("validate", other, "--baseline", base, "--fail-on", "warning", "-q", code=0)


def test_a_baseline_of_several_datasets_gives_each_its_own(tmp_path: Path) -> None:
    few, many = efforts(tmp_path / "few", 17), efforts(tmp_path / "many", 17, (30, 31, 60, 61, 62))
    base = tmp_path / "base.json"
    run("validate", few, many, "--write-baseline", base, "-q", code=0)
    run("validate", few, many, "--baseline", base, "--fail-on", "warning", "-q", code=0)
    new = efforts(tmp_path / "new", 17, (30, 31, 32, 33))
    assert "e17" in run("validate", new, many, "--baseline", base, "--fail-on", "warning", "-q", code=1).stdout


def test_options_of_recordings_are_refused_on_datasets(good: str) -> None:
    for words in (["--from", "npz"], ["--rate", "7"], ["--time", "foo"], ["--delimiter", ";"], ["--units-row"],
                  ["--header", "no"]):
        said = run("validate", good, *words, code=2).stderr
        assert "says how recordings are read" in said and (len(words) == 2 and words[0] in said or "option of tables" in said)
    with pytest.raises(trajpack.UsageError, match="says how recordings are read"):
        trajpack.validate(good, source="npz")


def test_a_new_dataset_of_fix_is_a_new_folder(good: str, tmp_path: Path) -> None:
    run("validate", good, "--fix", tmp_path / "fixed", code=0)
    said = run("validate", good, "--fix", tmp_path / "fixed", code=2).stderr
    assert "name a new folder" in said and "--overwrite" not in said


def test_a_family_of_rules_is_listed(good: str, tmp_path: Path) -> None:
    table = run("rules", "labels", code=0).stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == [r.id for r in trajpack.validation.rules() if r.id.startswith("labels.")]
    said = run("rules", "valus", code=2).stderr
    assert "did you mean 'values'" in said and len(said) < 200
    (tmp_path / "c.json").write_text(json.dumps({"rules": [{"id": "z", "channel": "s/x[0]", "min": 0}]}))
    assert "named in an 'expression'" in run("validate", good, "--config", tmp_path / "c.json", code=0).stdout


@pytest.mark.parametrize("given", ["hello", trajpack.Problem("hello")])
def test_one_problem_is_one(good: str, given: object) -> None:
    def whole(episode: object) -> object:
        return given

    (finding,) = trajpack.validate(good, select="user", rules=[whole]).findings
    assert "hello" in finding.message and finding.count == 12


@pytest.mark.parametrize("row", [3, 100, 180, 260])
def test_a_clock_that_stops_is_seen_wherever_it_does(tmp_path: Path, row: int) -> None:
    random = np.random.default_rng(4)
    with trajpack.create(tmp_path / "ds") as writer:
        for number in range(4):
            times = np.arange(400) / 50 + random.normal(0, 2e-4, 400) + 1
            if number == 2:
                times[row:] = times[row]
            writer.append(f"e{number}", {"s": {"x": random.normal(size=(400, 2))}}, time={"s": times})
    out = json.loads(run("validate", tmp_path / "ds", "--json", "-q").stdout)
    (found,) = [f for f in out["findings"] if f["rule"] == "time.duplicate"]
    assert found["count"] == 399 - row


@pytest.mark.parametrize("names", [("qpos", "qvel"), ("state.qpos", "state.qvel"), ("robot0_joint_pos", "robot0_joint_vel"),
                                   ("robot0_eef_pos", "robot0_eef_vel")])
def test_velocities_of_the_other_sign_are_seen_under_longer_names(tmp_path: Path, names: tuple[str, str]) -> None:
    random = np.random.default_rng(6)
    episodes = []
    for number in range(12):
        course = np.cumsum(np.cumsum(random.normal(0, .0005, (300, 7)), 0), 0)
        sign = -1 if number == 4 else 1
        episodes.append({"s": {names[0]: course, names[1]: sign * np.gradient(course, .02, axis=0)}})
    out = run("validate", dataset(tmp_path / "ds", episodes), "--select", "learning.reversed", "-q", code=0).stdout
    assert "e04" in out and "e05" not in out
