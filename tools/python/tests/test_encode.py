"""The plan step `encode`: actions as index, one-hot and weight, in the loader and offline, against numpy."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import program

import trajpack

ACTION = ["weapon_id", "motion_bank_id", "motion_id"]
PATHS = [f"npc/{name}" for name in ACTION]


@pytest.fixture(scope="module")
def vocabulary(wildworld: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("words") / "vocabulary.json"
    subprocess.run([program(), "actions", wildworld, "-o", out], check=True, capture_output=True)
    made: dict[str, Any] = json.loads(out.read_text())
    return made


def plan(vocabulary: Any, **members: Any) -> dict[str, Any]:
    return {"steps": [{"step": "encode", "vocabulary": vocabulary, **members}]}


def numbers(batch: Any, actions: list[list[int]]) -> np.ndarray:
    """The place of each row's action in the vocabulary, -1 where it has none."""
    rows = np.stack([batch[path] for path in PATHS], -1)
    known = {tuple(a): n for n, a in enumerate(actions)}
    return np.vectorize(lambda *a: known.get(a, -1))(*np.moveaxis(rows, -1, 0))


@pytest.mark.parametrize("form", ["index", "one_hot", "weight"])
@pytest.mark.parametrize("leaves_out", [0, 3])
def test_what_the_loader_makes(wildworld: str, vocabulary: dict[str, Any], form: str, leaves_out: int) -> None:
    ds = trajpack.open(wildworld)
    entries = vocabulary["entries"][leaves_out:]
    given = {**vocabulary, "entries": entries}
    loader = ds.windows(length=50, stride=50, batch=7, channels=["npc"], plan=plan(given, **{"as": form}), edge="pad",
                        shuffle=False, drop_last=False)
    missing = 0
    for batch in loader:
        found = numbers(batch, [e["action"] for e in entries])
        there = batch["present:npc"] & (found >= 0)
        missing += int((batch["present:npc"] & (found < 0)).sum())
        observed = batch["observed:npc/action"]
        assert ((observed.all(-1) if form == "one_hot" else observed) == there).all()
        values = batch["npc/action"]
        if form == "index":
            assert values.dtype == np.int32 and (values[there] == found[there]).all()
        elif form == "one_hot":
            np.testing.assert_array_equal(values[there], np.eye(len(entries), dtype=np.float32)[found[there]])
        else:
            rows = np.array([e["rows"] for e in entries])
            np.testing.assert_allclose(values[there], (rows.sum() / (len(rows) * rows))[found[there]], rtol=1e-6)
    assert (missing > 0) == (leaves_out > 0)


def test_offline_gives_the_same(wildworld: str, vocabulary: dict[str, Any], tmp_path: Path) -> None:
    actions = [e["action"] for e in vocabulary["entries"]]
    recipe = plan(actions, channels=PATHS, name="number", unknown="refuse")
    (tmp_path / "plan.json").write_text(json.dumps(recipe))
    subprocess.run([program(), "apply", wildworld, tmp_path / "out", "--plan", tmp_path / "plan.json"], check=True,
                   capture_output=True)
    out, ds = trajpack.open(tmp_path / "out"), trajpack.open(wildworld)
    known = {tuple(a): n for n, a in enumerate(actions)}
    for episode in ds.episodes:
        for table, made in zip(episode["npc"], out.episode(episode.id)["npc"], strict=True):
            rows = zip(*(table[name][:].tolist() for name in ACTION), strict=True)
            assert made["number"][:].tolist() == [known[row] for row in rows]


def test_weights_give_actions_the_same_share(wildworld: str) -> None:
    ds = trajpack.open(wildworld)
    out = subprocess.run([program(), "actions", wildworld, "--json"], check=True, capture_output=True, text=True).stdout
    words = json.loads(out)
    recipe = {"steps": [{"step": "encode", "vocabulary": words, "as": "weight", "name": "rarity"},
                        {"step": "encode", "vocabulary": words, "name": "action"}]}
    loader = ds.windows(length=1, batch=100, channels=["npc/action"], plan=recipe, entities={"npc": 1}, fill=-1,
                        episodes=["000001", "000003"], window_weights=trajpack.channel("npc/rarity").mean(),
                        epoch_windows=40_000, seed=4)
    counts = np.bincount(np.concatenate([b["npc/action"].ravel() for b in loader]), minlength=len(words["entries"]))
    own = {tuple(row) for e in ("000001", "000003") for table in ds.episode(e)["npc"]
           for row in zip(*(table[name][:].tolist() for name in ACTION), strict=True)}
    mine = np.array([tuple(e["action"]) in own for e in words["entries"]])
    frame = {}
    for e in ("000001", "000003"):
        for row in zip(*(ds.episode(e)["npc"][0][name][:].tolist() for name in ACTION), strict=True):
            frame[row] = frame.get(row, 0) + 1
    want = np.array([frame.get(tuple(e["action"]), 0) / e["rows"] for e in words["entries"]])
    assert (counts[~mine] == 0).all()
    np.testing.assert_allclose(counts / counts.sum(), want / want.sum(), atol=0.015)


@pytest.mark.parametrize(("members", "message"), [
    ({"vocabulary": [[1, 2]], "channels": PATHS}, "has an action of another number of channels than 3"),
    ({"vocabulary": [[1], [1]], "channels": PATHS[:1]}, "names an action twice"),
    ({"vocabulary": [[1]], "channels": PATHS[:1], "as": "weight"}, "which needs how many rows have each action"),
    ({"vocabulary": [[1]]}, "has no 'channels'"),
    ({"vocabulary": [], "channels": PATHS}, "must be a list of actions"),
    ({"vocabulary": [["a"]], "channels": PATHS[:1]}, "entry 0 is no action, a list of whole numbers"),
    ({"vocabulary": [[1, 1]], "channels": ["npc/weapon_id", "state/quest.phase"]}, "different channels of one stream"),
    ({"vocabulary": [[1]], "channels": ["npc/weapon"]}, "no channel 'npc/weapon'; did you mean 'npc/weapon_id'"),
    ({"vocabulary": [[1]], "channels": ["npc/pos"]}, "has no single number a row"),
    ({"vocabulary": [[1]], "channels": ["npc/weapon_id"], "name": "hp"}, "is there already: give another 'name'"),
    ({"vocabulary": [[1]], "channels": ["npc/weapon_id"], "as": "bits"}, "'bits'"),
    ({"channels": ["npc/weapon_id"]}, "has no 'vocabulary'"),
])
def test_what_is_refused(wildworld: str, members: dict[str, Any], message: str) -> None:
    ds = trajpack.open(wildworld)
    with pytest.raises(trajpack.UsageError, match=message):
        ds.windows(length=2, plan={"steps": [{"step": "encode", **members}]})


def test_unknown_actions_are_refused_where_that_is_asked(wildworld: str) -> None:
    ds = trajpack.open(wildworld)
    recipe = plan([[99]], channels=PATHS[:1], unknown="refuse")
    loader = ds.windows(length=2, batch=1, channels=["npc/action"], plan=recipe)
    with pytest.raises(trajpack.UsageError, match="is not in the vocabulary"):
        next(iter(loader))
