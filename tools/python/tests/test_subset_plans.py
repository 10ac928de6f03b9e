"""Plans and splits: statistics of groups, constants of fields, what a prepared dataset keeps, and borders."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from test_subsets import run

import trajpack

LABELS = ["walk", "run", "walk", "run", "walk", "sit"]
SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}


def dataset(folder: Path, seed: int = 0, **options: Any) -> dict[str, np.ndarray]:
    """Six recordings with a label and a level; without a level the last one."""
    chance = np.random.default_rng(seed)
    arrays = {f"e{i}": chance.normal(i, 1 + i, (int(chance.integers(30, 60)), 2)) for i in range(6)}
    with trajpack.create(folder, rate={"s": 10}, **options) as writer:
        for i, (name, array) in enumerate(arrays.items()):
            values = {"label": LABELS[i], **({"level": i % 2} if i < 5 else {})}
            with writer.episode(name, values=values) as episode:
                episode.extend({"s": {"x": array}})
    return arrays


def write(path: Path, *steps: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"steps": list(steps)}))
    return path


@pytest.mark.parametrize("per", ["episode", "label"])
@pytest.mark.parametrize("method", sorted(SCALERS))
def test_a_plan_normalizes_each_group_by_its_own_rows(tmp_path: Path, method: str, per: str) -> None:
    arrays = dataset(tmp_path / "ds")
    trajpack.open(tmp_path / "ds").split({"train": ["e0", "e1", "e2", "e5"], "test": ["e3", "e4"]})
    step = {"step": "normalize", "method": method, "per": per}
    run("apply", tmp_path / "ds", tmp_path / "out", "--plan", write(tmp_path / "p.json", step))
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["source"]["options"]["plan"]["steps"][0]
    if per == "label":
        fits = {name: [i for i in (0, 1, 2, 5) if LABELS[i] == name] for name in set(LABELS)}
        assert told["episodes"] == {f"e{i}": name for i, name in enumerate(LABELS)}
    else:
        fits = {f"e{i}": [i] for i in range(6)}          # whatever its split
        assert "episodes" not in told
    assert set(told["groups"]) == set(fits) and "constants" not in told
    scalers = {name: SCALERS[method]().fit(np.concatenate([arrays[f"e{i}"] for i in members]))
               for name, members in fits.items()}
    made = trajpack.open(tmp_path / "out")
    for i, array in enumerate(arrays.values()):
        want = scalers[LABELS[i] if per == "label" else f"e{i}"].transform(array)
        np.testing.assert_allclose(made.episode(f"e{i}")["s/x"][:], want, rtol=1e-9, atol=1e-12)
    # The loader makes the same of the recorded rows, and the stored plan is complete.
    again = write(tmp_path / "again.json", told)
    for plan in ({"steps": [step]}, again):
        with trajpack.open(tmp_path / "ds").windows(length=9, batch=4, plan=plan, meta=True, drop_last=False) as loader:
            for batch in loader:
                for name, row, got in zip(batch["meta:id"], batch["meta:row"], batch["s/x"], strict=True):
                    np.testing.assert_array_equal(got, made.episode(str(name))["s/x"][int(row):int(row) + 9])
    run("apply", tmp_path / "ds", tmp_path / "twice", "--plan", again)
    assert "equal" in run("diff", tmp_path / "out", tmp_path / "twice")


def test_groups_of_recordings_that_are_cut(tmp_path: Path) -> None:
    arrays = dataset(tmp_path / "ds")
    trajpack.open(tmp_path / "ds").split({"train": "0:50%", "test": "50%:"})
    for per in ("episode", "label"):
        plan = write(tmp_path / "p.json", {"step": "normalize", "method": "standard", "per": per})
        run("apply", tmp_path / "ds", tmp_path / per, "--plan", plan)
        for i, (name, array) in enumerate(arrays.items()):
            own = [a[:len(a) // 2] for j, a in enumerate(arrays.values())
                   if (j == i if per == "episode" else LABELS[j] == LABELS[i])]
            want = StandardScaler().fit(np.concatenate(own)).transform(array)
            np.testing.assert_allclose(trajpack.open(tmp_path / per).episode(name)["s/x"][:], want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("step, sentence", [
    ({"per": "lable", "split": "all"}, "no episode has a value 'lable' to normalise by"),
    ({"per": "level", "split": "all"}, "episode 'e5', stream 's': no row that the plan is fitted to is of the episode's 'level'"),
    ({"per": "label"}, "episode 'e5', stream 's': no row that the plan is fitted to is of the episode's 'label'"),
    ({"per": "label", "constants": {"s/x": {"shift": 0, "scale": 1}}}, "'constants' beside 'per'"),
    ({"groups": {"walk": {}}}, "'groups' without 'per'"),
    ({"per": "label", "groups": {"walk": {"s/x": {"shift": 0, "scale": 1}}}, "episodes": {"e0": "swim"}},
     "the name of a group for each episode"),
    ({"per": "episode", "groups": {"e0": {"s/x": {"shift": 0, "scale": 1}}}}, "was not fitted to the episode's own rows"),
    ({"constants": {"s/x": {"shift": [1, 2, 3], "scale": 1}}}, "has 2 elements here and its constants 3"),
], ids=str)
def test_groups_that_there_are_not(tmp_path: Path, step: dict[str, Any], sentence: str) -> None:
    dataset(tmp_path / "ds")
    trajpack.open(tmp_path / "ds").split({"train": ["e0", "e1"], "test": ["e2", "e3", "e4", "e5"]})
    plan = write(tmp_path / "p.json", {"step": "normalize", **step})
    assert sentence in run("apply", tmp_path / "ds", tmp_path / "out", "--plan", plan, code=2)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("shard*"))


@pytest.mark.parametrize("axes, shift, scale", [(0, [1, 2, 3], 2), ([0, 2], [[1, 2]] * 3, [1, 2, 3, 4, 5, 6]),
                                                (None, 0.5, 4), ([-1], [1, 2], 0.5)], ids=str)
def test_constants_are_spread_over_fields(tmp_path: Path, axes: Any, shift: Any, scale: Any) -> None:
    field = np.random.default_rng(1).normal(size=(20, 3, 4, 2))
    with trajpack.create(tmp_path / "ds", rate={"s": 10}) as writer:
        writer.append("a", {"s/u": field})
    flat = np.ravel(shift).tolist() if isinstance(shift, list) else shift
    step = {"step": "normalize", "channels": "s/u", "constants": {"s/u": {"shift": flat, "scale": scale}},
            **({} if axes is None else {"axes": axes})}
    run("apply", tmp_path / "ds", tmp_path / "out", "--plan", write(tmp_path / "p.json", step))
    shape = [1, 1, 1]
    for axis in ([] if axes is None else np.ravel(axes)):
        shape[axis] = field.shape[1:][axis]
    want = (field - np.broadcast_to(np.reshape(flat, shape if np.size(flat) > 1 else [1, 1, 1]), (3, 4, 2))) \
        * np.broadcast_to(np.reshape(scale, shape if np.size(scale) > 1 else [1, 1, 1]), (3, 4, 2))
    np.testing.assert_allclose(trajpack.open(tmp_path / "out").episode("a")["s/u"][:], want, rtol=1e-14)


def test_a_prepared_dataset_keeps_what_holds_of_it(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "ds", rate={"s": 10, "other": 10},
                         channels={"s/action": {"kind": "label"}}) as writer:
        for name in ("a", "b"):
            with writer.episode(name) as episode:
                episode.extend({"s": {"x": np.arange(40.0), "action": (np.arange(40) // 7).astype("i4")},
                                "other": {"y": np.arange(40.0)}})
    ds = trajpack.open(tmp_path / "ds")
    ds.split({"train": ["a"], "test": ["b"]})
    ds.split({"train": "0:50%", "test": "50%:"}, name="cut", context=3)
    ds.split({"train": "0:50%", "test": "50%:"}, name="other", stream="other")
    run("actions", tmp_path / "ds", "--channels", "s/action", "--save", "moves")
    run("annotate", tmp_path / "ds", "--set", "task=hunt")
    run("clips", tmp_path / "ds", "--length", 5, "--actions", "s/action", "--min-actions", 1, "--save", "rows")
    run("clips", tmp_path / "ds", "--length", 5, "--rate", 5, "--actions", "s/action", "--min-actions", 1, "--save", "times")
    normalize = {"step": "normalize", "channels": "s/x", "split": "train"}

    ds = trajpack.open(tmp_path / "ds")

    def made(name: str, *steps: dict[str, Any], over: bool = False) -> tuple[trajpack.Dataset, str]:
        words = ["--over-borders"] if over else []
        said = run("apply", tmp_path / "ds", tmp_path / name, "--plan", write(tmp_path / "p.json", *steps), *words)
        run("verify", tmp_path / name)
        return trajpack.open(tmp_path / name), said

    def files(dataset: trajpack.Dataset) -> set[tuple[str, str]]:
        manifest = json.loads((Path(str(dataset.path)) / "manifest.json").read_text())
        return {(f["role"], f["name"]) for f in manifest["side_files"]}

    same, said = made("same", normalize)
    everything = {("splits", "default"), ("splits", "cut"), ("splits", "other"), ("vocabulary", "moves"),
                  ("clips", "rows"), ("clips", "times")}
    assert files(same) == everything and "not carried" not in said and "carried over: splits 'default'" in said
    assert same.values.to_pandas()["task"].tolist() == ["hunt", "hunt"]
    for scheme in ("cut", "other"):
        for part in ("train", "test"):
            options: dict[str, Any] = dict(length=4, past=2, batch=4, split=part, scheme=scheme, shuffle=False, meta=True)
            for one, two in zip(ds.windows(**options), same.windows(**options), strict=True):
                assert (one.windows == two.windows).all() and (one["meta:row"] == two["meta:row"]).all()
    assert same.windows(clips="rows", batch=1, channels=["s"]).windows == ds.windows(
        clips="rows", batch=1, channels=["s"]).windows

    less, said = made("less", {"step": "select", "channels": "s/x"})
    assert files(less) == everything - {("vocabulary", "moves"), ("splits", "other")}
    assert "vocabulary 'moves' is not carried over: the plan does not keep s/action" in said
    assert "splits 'other' are not carried over: it counts rows of 'other', which the plan does not keep" in said

    plan = write(tmp_path / "p.json", {"step": "resample", "rate": 20})
    refused = run("apply", tmp_path / "ds", tmp_path / "no", "--plan", plan, code=2)
    assert "the split scheme 'cut' cuts recordings, and resample may make rows from beyond its borders" in refused
    assert "trajpack cut" in refused and "--over-borders" in refused and not (tmp_path / "no").exists()
    finer, said = made("finer", {"step": "resample", "rate": 20}, over=True)
    assert files(finer) == {("splits", "default"), ("vocabulary", "moves"), ("clips", "rows"), ("clips", "times")}
    assert "splits 'cut' are not carried over: it cuts recordings, and resample went over its borders" in said
    told = json.loads(run("resample", tmp_path / "ds", tmp_path / "json", "--rate", "20", "--over-borders", "--json",
                          "--quiet"))
    assert told["carried"] == ["splits 'default'", "vocabulary 'moves'", "clips 'rows'", "clips 'times'"]
    assert len(told["not_carried"]) == 2


def test_each_split_that_was_cut_out_may_be_filtered(tmp_path: Path) -> None:
    """What a border keeps apart stays apart: a filter over each part is that of its rows alone."""
    arrays = dataset(tmp_path / "ds")
    trajpack.open(tmp_path / "ds").split({"train": "0:50%", "test": "50%:"})
    run("cut", tmp_path / "ds", tmp_path / "parts", "--split", "train", "--split", "test")
    step = {"step": "resample", "rate": 20, "method": "natural"}
    run("apply", tmp_path / "parts", tmp_path / "out", "--plan", write(tmp_path / "p.json", step))
    for name, array in arrays.items():
        with trajpack.create(tmp_path / f"{name}-alone", rate={"s": 10}) as writer:
            writer.append("x", {"s/x": array[:len(array) // 2]})
        run("apply", tmp_path / f"{name}-alone", tmp_path / f"{name}-made", "--plan", tmp_path / "p.json")
        want = trajpack.open(tmp_path / f"{name}-made").episode("x")["s/x"][:]
        np.testing.assert_array_equal(trajpack.open(tmp_path / "out").episode(f"{name}@0")["s/x"][:], want)


def test_a_split_is_validated(tmp_path: Path) -> None:
    arrays = dataset(tmp_path / "src")
    bad = {name: array.copy() for name, array in arrays.items()}
    bad["e1"][-3, 0] = np.inf
    with trajpack.create(tmp_path / "ds", rate={"s": 10}) as writer:
        for name, array in bad.items():
            writer.append(name, {"s/x": array}, split="odd" if name == "e1" else "even")
    ds = trajpack.open(tmp_path / "ds")

    def found(*words: Any, code: int = 0) -> tuple[set[str], dict[str, Any]]:
        told = json.loads(run("validate", tmp_path / "ds", *words, "--json", "--quiet", code=code).split("\ntrajpack validate")[0])
        return {f["rule"] for f in told["findings"]}, told
    rules, whole = found(code=1)
    assert "values.infinite" in rules
    assert "values.infinite" in found("--split", "odd", code=1)[0]
    assert "values.infinite" not in found("--split", "even")[0]
    ds.split({"train": "0:50%", "test": "50%:"}, name="cut")
    assert "values.infinite" not in found("--split", "train", "--scheme", "cut")[0]
    assert "values.infinite" in found("--split", "test", "--scheme", "cut", code=1)[0]
    ds.split(folds=3, name="cv")
    assert "values.infinite" in found("--split", "test", "--scheme", "cv", "--fold", 0, code=1)[0]
    assert "values.infinite" not in found("--split", "test", "--scheme", "cv", "--fold", 1)[0]
    assert "did you mean 'odd'" in run("validate", tmp_path / "ds", "--split", "odt", code=2)
    (tmp_path / "x.csv").write_text("t,x\n0,1\n")
    assert "is no dataset" in run("validate", tmp_path / "x.csv", "--split", "train", code=2)
    assert "--scheme is for datasets" in run("validate", tmp_path / "x.csv", "--scheme", "cv", code=2)


def test_rules_compare_the_splits_of_a_scheme(tmp_path: Path) -> None:
    """A recording that is there twice is a leak where a scheme parts the copies."""
    rng = np.random.default_rng(2)
    arrays = {f"e{n}": np.cumsum(rng.normal(size=(120, 3)), 0) for n in range(8)}
    arrays["e7"] = arrays["e0"]
    with trajpack.create(tmp_path / "ds", rate={"s": 10}) as writer:
        for name, array in arrays.items():
            writer.append(name, {"s/x": array})
    ds = trajpack.open(tmp_path / "ds")

    def told(*words: Any, code: int = 0) -> tuple[dict[str, dict[str, Any]], list[str]]:
        out = json.loads(run("validate", tmp_path / "ds", *words, "--select", "learning", "--json", "-q", code=code)
                         .split("\ntrajpack validate")[0])
        return {f["rule"]: f for f in out["findings"]}, out["datasets"][0]["unchecked"]
    assert set(told()[0]) == {"learning.duplicate"}
    ds.split({"train": "id:e0,e1,e2,e3", "test": "id:e4,e5,e6,e7"}, name="apart")
    # The only scheme of a dataset without splits of its own counts.
    for words in ((), ("--scheme", "apart")):
        found, unchecked = told(*words, code=1)
        assert set(found) == {"learning.leakage"} and not any("split" in text for text in unchecked)
        assert found["learning.leakage"]["places"][0]["note"] == "equal to e0 of split 'train'"
    ds.split({"train": "id:e0,e1,e7", "test": "id:e4,e5,e6"}, name="together")
    assert set(told("--scheme", "together")[0]) == {"learning.duplicate"}
    found, unchecked = told()
    assert set(found) == {"learning.duplicate"} and "'apart', 'together' with --scheme" in " ".join(unchecked)
    ds.split(folds=4, name="folds")
    assert set(told("--scheme", "folds", code=1)[0]) == {"learning.leakage"}
    assert set(told("--scheme", "folds", "--fold", 3, code=1)[0]) == {"learning.leakage"}
    assert set(told("--scheme", "folds", "--fold", 1)[0]) == {"learning.duplicate"}
    ds.split({"train": "0:50%", "test": "50%:"}, name="cut")
    assert "8 episodes that the split scheme 'cut' cuts" in " ".join(told("--scheme", "cut")[1])
    for words, sentence in ((("--scheme", "apar"), "did you mean 'apart'"), (("--scheme", "apart", "--fold", 0), "folds"),
                            (("--scheme", "folds", "--fold", 4), "folds 0 to 3")):
        assert sentence in run("validate", tmp_path / "ds", *words, code=2)


def test_a_channel_is_normalized_once(tmp_path: Path) -> None:
    """The statistics are of the values of the source, so that a second step has none."""
    rng = np.random.default_rng(0)
    with trajpack.create(tmp_path / "ds", rate=10) as writer:
        writer.append("a", q=rng.normal(size=300) * 3 + 1, v=rng.normal(size=300) * 5)
    data = trajpack.open(tmp_path / "ds")

    def rows(*steps: dict[str, Any]) -> Any:
        plan = {"steps": [{"step": "normalize", "split": "all", **step} for step in steps]}
        batch = data.windows(channels=["frames/q", "frames/v"], length=300, batch=1, plan=plan).next()
        return np.stack([np.ravel(batch["frames/q"]), np.ravel(batch["frames/v"])])

    once = rows({})
    np.testing.assert_allclose(once.std(1), 1, rtol=1e-2)
    np.testing.assert_array_equal(rows({"channels": ["frames/q"]}, {}), once)
    with pytest.raises(trajpack.UsageError, match="'frames/q' is normalised by a step before this one already"):
        rows({}, {"channels": ["frames/q"]})
