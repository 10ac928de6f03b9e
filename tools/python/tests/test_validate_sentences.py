"""What `trajpack validate` says: sentences that refuse own rules, and findings whose numbers have a meaning."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_world import EPISODES, clean, write
from test_validate import run
from test_validate_trials import dataset, walk


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(1)
    return dataset(tmp_path_factory.mktemp("sentences") / "ds", [{"s": {"x": walk(random, 80)}} for _ in range(3)])


def refused(folder: Path, path: str, rule: dict[str, Any]) -> str:
    (folder / "c.json").write_text(json.dumps({"rules": [{"id": "a", **rule}]}))
    return run("validate", path, "--config", folder / "c.json", code=2).stderr


def test_sentences_of_own_rules(good: str, tmp_path: Path) -> None:
    said = refused(tmp_path, good, {"expression": "s/x < 1", "min": 3})
    assert "'min' does not go with 'expression'; make it a rule of its own, with 'channel'" in said
    said = refused(tmp_path, good, {"required": ["s/x"], "channel": "s/x"})
    assert "'channel' does not go with 'required'; it belongs to a rule with one of 'min', 'max'" in said
    for text in ("s/x + 1", "-s/x", "abs(s/x)", "s/x < 1 and s/x + 1", "not change(s/x)", "max(s/x, 1)"):
        said = refused(tmp_path, good, {"expression": text})
        assert "gives a number where a condition is to be" in said, text
    for text in ("s/x", "not s/x", "min(s/x, s/x)", "max(s/x, s/x < 1)", "max(s/x < 1, s/x > 2)", "(s/x < 9) == (s/x < 9)", "not not s/x"):
        (tmp_path / "c.json").write_text(json.dumps({"rules": [{"id": "a", "expression": text}]}))
        run("validate", good, "--config", tmp_path / "c.json")
    said = refused(tmp_path, good, {"expression": "s/x/2 < s/x"})
    assert "several streams" in said and "a division has blanks around it: s/x / 2" in said
    (tmp_path / "c.json").write_text(json.dumps({"rules": [{"id": "a", "expression": "s/x/2 < 1"}]}))
    out = run("validate", good, "--config", tmp_path / "c.json", code=0).stdout
    assert "'s/x/2' is the channel '2' of the stream 's/x'" in out


def test_a_baseline_that_has_grown_says_by_how_much(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    episodes = [{"s": {"x": walk(random, 80)}} for _ in range(4)]
    episodes[1]["s"]["x"][7] = np.inf
    episodes[2]["s"]["x"][[7, 9]] = np.inf
    path = dataset(tmp_path / "a", episodes)
    run("validate", path, "--write-baseline", tmp_path / "known.json", "-q", code=0)
    known = json.loads((tmp_path / "known.json").read_text())
    (entry,) = [item for item in known["findings"] if item["rule"] == "values.infinite"]
    episodes[3]["s"]["x"][70] = np.inf
    path = dataset(tmp_path / "b", episodes)
    report = json.loads(run("validate", path, "--baseline", tmp_path / "known.json", "--json", "-q", code=1).stdout)
    (finding,) = [f for f in report["findings"] if f["rule"] == "values.infinite"]
    assert (finding["count"], finding["known"]) == (entry["count"] + 1, entry["count"])
    assert f"{entry['count']} of them known" in finding["message"]


def test_numbers_have_their_meaning(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    episodes = [{"s": {"pos": walk(random, 200, 3)}} for _ in range(3)]
    episodes[1]["s"]["pos"][120:, 0] += 50
    report = json.loads(run("validate", dataset(tmp_path / "ds", episodes), "--json", "-q").stdout)
    (finding,) = [f for f in report["findings"] if f["rule"] == "values.teleport"]
    (place,) = finding["places"]
    assert abs(place["values"][0] - 50) < 1 and place["note"] == "how far it jumps"
    episodes[0]["s"]["pos"][[5, 9], 0] = np.inf
    report = json.loads(run("validate", dataset(tmp_path / "inf", episodes), "--json", "-q").stdout)
    (finding,) = [f for f in report["findings"] if f["rule"] == "values.infinite"]
    assert "(2 times in 1 place)" in finding["message"]


def test_a_shift_to_an_earlier_row_is_said_so(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(EPISODES)]
    place = episodes[5]["camera"]["pose"][:, :, 3]
    place[:-1] = place[1:].copy()
    report = json.loads(run("validate", write(tmp_path / "ds", episodes), "--json", "-q").stdout)
    (finding,) = [f for f in report["findings"] if f["rule"] == "time.shift"]
    note = finding["places"][0]["note"]
    assert note == "1 row earlier than 'state', and in step with it in 9 of 10 episodes"
