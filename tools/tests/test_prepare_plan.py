"""Plans: what the schema takes and what the program takes are the same, and a plan that is printed runs again."""
import json
import re
import subprocess

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator
from prepare_world import ROWS, run

SCHEMA = json.loads((ROOT / "schemas" / "plan.schema.json").read_text())

WRONG = [
    {}, {"steps": {}}, {"steps": [], "sed": 1}, {"version": 2, "steps": []}, {"steps": [{}]},
    {"steps": [{"step": "resampel"}]},
    *({"steps": [step]} for step in (
        {"step": "resample"}, {"step": "resample", "rate": 0}, {"step": "resample", "rate": 1, "onto": "series"},
        {"step": "resample", "rate": 1, "label": "left"}, {"step": "resample", "up": 2, "origin": "zero"},
        {"step": "resample", "rate": 1, "bin": "mean", "method": "auto"}, {"step": "resample", "rate": 1, "gap": -1},
        {"step": "resample", "rate": 1, "padding": "line"},
        {"step": "resample", "rate": 1, "padding": "zero", "method": {"series/x": "linear"}},
        {"step": "resample", "rate": 1, "method": "line"}, {"step": "resample", "times": []},
        {"step": "resample", "times": [0, 1], "anti_alias": True},
        {"step": "align"}, {"step": "align", "onto": "series", "direction": "sideways"}, {"step": "quantise"},
        {"step": "quantise", "quantum": "0.1s"}, {"step": "embed", "tau": 0}, {"step": "embed", "coordinates": []},
        {"step": "embed", "coordinates": [{"channel": "series/x"}], "tau": 3}, {"step": "embed", "name": "x"},
        {"step": "embed", "method": "no"}, {"step": "embed", "method": "pecuzal", "tau": 3},
        {"step": "embed", "method": "mdop", "max_tau": 20_000}, {"step": "embed", "method": "uniform", "name": "x"},
        {"step": "embed", "method": "mdop", "coordinates": [{"channel": "series/x"}]},
        {"step": "mask"}, {"step": "mask", "amount": 1.1}, {"step": "mask", "amount": .1, "count": 1},
        {"step": "mask", "mechanism": "channels"}, {"step": "mask", "mechanism": "listed", "rows": {"a": [-1]}},
        {"step": "mask", "mechanism": "above", "amount": .1}, {"step": "mask", "amount": .1, "seed": -1},
        {"step": "mask", "mechanism": "drivers", "amount": .1}, {"step": "select"}, {"step": "select", "channels": []},
        {"step": "normalize", "method": "max"}, {"step": "time_since", "suffix": ""},
        {"step": "mask", "amount": .1, "draw": "window"}, {"step": "mask", "mechanism": "above", "draw": "epoch"},
        {"step": "mask", "mechanism": "time", "amount": .1}, {"step": "mask", "mechanism": "time", "scale": 0},
        {"step": "mask", "amount": .1, "cycle": 3}, {"step": "align", "onto": []},
        {"step": "align", "onto": ["series", "series"]}, {"step": "elapsed", "unit": "s"}, {"step": "elapsed", "name": ""},
        {"step": "path", "method": "linear"}, {"step": "path", "look_ahead": True},
        {"step": "path", "unobserved": "hold"}, {"step": "normalize", "constants": {"series/x": {"shift": [1]}}}))]


@pytest.mark.parametrize("plan", WRONG, ids=json.dumps)
def test_schema_and_program_refuse_the_same(trajpack, source, tmp_path, plan):
    assert not Draft202012Validator(SCHEMA).is_valid(plan)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert "plan.json" in run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan", code=2)


def examples():
    """The steps of the schema's examples, each with its place there."""
    return [pytest.param(step, id=f"{name}-{number}") for name, part in SCHEMA["$defs"].items()
            for number, step in enumerate(part.get("examples", [])) if isinstance(step, dict)]


def test_most_steps_have_an_example():
    assert len(examples()) >= 16


@pytest.mark.parametrize("step", examples())
def test_schema_takes_what_is_printed(trajpack, source, tmp_path, step):
    """The examples of the schema run where the streams are there; the canonical form is good and a fixed point."""
    if step["step"] == "normalize":
        step = {**step, "split": "all"}                  # the recordings here have no splits
    text = re.sub(r'"(eeg|camera|state|lorenz|skeleton/\*)"', '"series"', json.dumps({"steps": [step]}))
    text = text.replace('"onto": "series"', '"times": [0, 1]') if '"resample"' in text else text
    text = re.sub(r"(lorenz|state)/", "series/", text).replace("/hp", "/x").replace("series/z", "series/angle")
    text = text.replace("/bank", "/mode").replace("/motion", "/hit")
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    done = subprocess.run([trajpack, "apply", source, "x", "--plan", plan, "--print-plan"], capture_output=True, text=True)
    assert done.returncode == 0, (
        f"the example {json.dumps(step)} of schemas/plan.schema.json, here as {text}, is refused: {done.stderr}"
        "an example names state/hp, lorenz/* or what else is replaced here by a name of prepare_world.py")
    errors = [e.message for e in Draft202012Validator(SCHEMA).iter_errors(json.loads(done.stdout))]
    assert not errors, f"what the example {json.dumps(step)} becomes is not of the schema: {done.stdout}{errors}"
    plan.write_text(done.stdout)
    assert run(trajpack, "apply", source, "x", "--plan", plan, "--print-plan") == done.stdout


def test_a_plan_goes_round(trajpack, source, tmp_path):
    run(trajpack, "resample", source, tmp_path / "one", "--rate", "29.97", "--report", tmp_path / "report.json")
    plan = run(trajpack, "info", tmp_path / "one", "--plan")
    (tmp_path / "plan.json").write_text(plan)
    run(trajpack, "apply", source, tmp_path / "two", "--plan", tmp_path / "plan.json")
    assert (tmp_path / "one" / "manifest.json").read_text() == (tmp_path / "two" / "manifest.json").read_text()
    assert run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan") == plan
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["plan"] == json.loads(plan) and [e["episode"] for e in report["episodes"]] == list(ROWS)
    assert all(t["rows"] > 0 and t["notes"] for e in report["episodes"] for t in e["tracks"])
    assert "prepared by resample" in run(trajpack, "info", tmp_path / "one")


@pytest.mark.parametrize("step", [
    {"step": "resample", "rate": 50, "method": {"nope/x": "linear"}},
    {"step": "resample", "rate": 50, "bin": {"nope/x": "max"}},
    {"step": "embed", "tau": {"nope/x": 3}, "dimension": 2},
    {"step": "embed", "tau": 2, "dimension": {"nope/x": 3}},
    {"step": "mask", "mechanism": "drivers", "amount": .5, "drivers": {"nope/x": 1}}])
def test_plan_members_that_match_nothing_are_refused(trajpack, source, tmp_path, step):
    (tmp_path / "plan.json").write_text(json.dumps({"steps": [step]}))
    done = run(trajpack, "apply", source, tmp_path / "out", "--plan", tmp_path / "plan.json", code=2)
    assert "there is no channel 'nope/x'" in done and step["step"] in done
    assert not (tmp_path / "out").exists()


def test_every_step_is_in_each_list_of_steps(trajpack, tmp_path):
    """A new step is a line in `PlanSteps.all`; the schema and the guide are written by hand and must follow."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"steps": [{}]}')
    said = run(trajpack, "apply", tmp_path / "none", tmp_path / "out", "--plan", plan, code=2)
    steps = set(re.search(r"one of (.*)", said).group(1).split(", "))
    assert len(steps) > 10, said
    helped = run(trajpack, "apply", "--help")
    named = re.search(r"Steps are\s(.*?);", helped, re.DOTALL).group(1)
    guide = (ROOT / "docs" / "signal.md").read_text()
    lists = {
        "enum of $defs/step in schemas/plan.schema.json": SCHEMA["$defs"]["step"]["properties"]["step"]["enum"],
        "oneOf of $defs/step in schemas/plan.schema.json":
            [way["$ref"].rsplit("/", 1)[1] for way in SCHEMA["$defs"]["step"]["oneOf"]],
        "apply --help (Commands/Prepare/Apply.swift)": re.split(r",\s+", named),
        "docs/signal.md (as `step` or \"step\": \"step\")":
            [step for step in steps if re.search(f'`{step}`|"step": "{step}"', guide)],
    }
    for place, names in lists.items():
        assert set(names) == steps, f"{place} lacks {steps - set(names)} and has {set(names) - steps} in excess"
