"""Split schemes, cuts, values and vocabularies from Python and through the program, against numpy and scikit-learn."""
from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from places import program
from sklearn.model_selection import TimeSeriesSplit
from sklearn.preprocessing import StandardScaler
from test_split_windows import borders, cut, split

import trajpack


def run(*arguments: Any, code: int = 0) -> str:
    done = subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


def everything(loader: trajpack.Loader) -> list[dict[str, np.ndarray]]:
    with loader:
        return [batch.copy() for batch in loader]


@pytest.mark.parametrize("seed", range(6))
def test_a_dataset_cut_by_a_split_has_its_rows_and_its_windows(tmp_path: Path, seed: int) -> None:
    archive = worlds.archive(seed)
    rule = {"splits": {"a": "0:40%", "b": "40%:70%", "c": "70%:"}, "stream": "s0"}
    try:
        dataset = split(archive, tmp_path, rule)
    except AssertionError as refused:
        assert "no rows of 's0'" in str(refused) or "is empty" in str(refused)
        return
    run("cut", tmp_path / "ds", tmp_path / "b", "--split", "b", "--scheme", "s", "--codec", "gzip")
    made = trajpack.open(tmp_path / "b")
    run("verify", tmp_path / "b")
    spans = dict(borders(archive, [Fraction(0), Fraction(4, 10), Fraction(7, 10), Fraction(1)], 0))
    wanted = {}
    for number, episode in enumerate(archive.episodes):
        begin, end, _ = spans[number][1]
        if begin is None or end is None or begin < end:
            wanted[episode.id] = [t for t in (cut(t, begin, end) for t in episode.tracks) if t.rows]
    assert [e.id for e in made.episodes] == [i for i in (e.id for e in archive.episodes) if i in wanted]
    assert set(made.splits) == {"b"}
    for episode in made.episodes:
        own = wanted[episode.id]
        assert episode.metadata["part"]["episode"] == episode.id and episode.metadata["part"]["split"] == "b"
        for stream in {t.stream for t in own} | set(episode.streams):
            # Tables join the tracks of an entity, so that rows are compared as a set.
            times = np.concatenate([t.times for t in tables_of(episode, stream)])
            moments = [float(t.time(i)) for t in own if t.stream == stream for i in range(t.rows)]
            np.testing.assert_array_equal(np.sort(times), np.sort(moments))
    options: dict[str, Any] = {"length": 2, "hold": "interval", "entities": 3, "shuffle": False, "drop_last": False,
                               "reference": "s0", "batch": 4, "time": True}
    there = {stream for episode in made.episodes for stream in episode.streams}
    try:
        whole = dataset.windows(split="b", scheme="s", **options)
    except trajpack.UsageError:
        with pytest.raises(trajpack.UsageError):
            made.windows(**options)
        return
    for one, other in zip(everything(whole), everything(made.windows(**options)), strict=True):
        # What is never sparse in the cut dataset needs no mask there, and entities of which it has none no axis: a
        # stream without rows is padding there, and nobody's here.
        assert {n for n in set(one) ^ set(other) if not n.startswith("present:")} == set()
        alike = [n for n in set(one) & set(other) if one[n].shape == other[n].shape
                 and n.split(":")[-1].split("/")[0] in there]
        assert len([n for n in alike if n.startswith("s0/")]) == len([n for n in one if n.startswith("s0/")]) > 0
        for name in alike:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def tables_of(episode: trajpack.Episode, stream: str) -> list[Any]:
    found = episode[stream]
    return [found] if isinstance(found, trajpack.Table) else list(found)


def series(folder: Path, lengths: list[int], seed: int = 0) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    arrays = {f"e{i}": chance.normal(size=(n, 2)) for i, n in enumerate(lengths)}
    with trajpack.create(folder, rate={"s": 10}) as writer:
        for name, array in arrays.items():
            writer.append(name, {"s/x": array})
    return arrays


def test_schemes_from_python(tmp_path: Path) -> None:
    arrays = series(tmp_path / "ds", [50, 61, 40])
    ds = trajpack.open(tmp_path / "ds")
    assert ds.schemes == {}
    tried = ds.split({"a": slice(0, 20), "b": slice(-10, None)}, dry_run=True)
    assert not tried["written"] and ds.schemes == {} and [s["rows"] for s in tried["splits"]] == [60, 30]
    told = ds.split({"a": slice(0, 20), "b": ["20:30", slice(35, 40)]}, context=3)
    assert told["written"] and told["in_none"]["rows"] == 151 - 60 - 45
    assert ds.schemes["default"]["cuts_episodes"] and ds.schemes["default"]["splits"] == ["a", "b"]
    with ds.windows(split="b", length=5, past=2, batch=99, drop_last=False, shuffle=False, meta=True) as loader:
        assert sorted({int(r) for b in loader for r in b["meta:row"]}) == [20, 21, 22, 23, 24, 25, 35]
    ds.split({"train": 0.7, "test": ["e1"]}, name="ids", seed=3)
    assert ds.schemes["ids"] == {"splits": ["train", "test"], "folds": 0, "cuts_episodes": False,
                                 "rule": {"seed": 3, "splits": {"train": "70.0%", "test": {"ids": ["e1"]}}}}
    ds.remove_split("ids")
    assert list(trajpack.open(tmp_path / "ds").schemes) == list(ds.schemes) == ["default"]
    for wrong, sentence in [
        ({"splits": {"a": slice(0, 20), "b": slice(19, 30)}}, "both have rows 19 to 19 of 's' in episode 'e0'"),
        ({"splits": {"a": ["e1", "e7", "e8"]}}, "2 of the ids of the split 'a' are not in the dataset: 'e7' .did you"),
        ({"splits": {"a": slice(90, 95)}}, "the split 'a' is empty"),
        ({"splits": {"a": slice(0, 20, 2)}}, "a slice has no step"),
        ({"splits": {"a": 3}}, "split 'a' is 3, but must be"),
        ({"folds": 45, "over": "time"}, "45 folds of the 40 rows of 's' in episode 'e2'"),
        ({}, "one of 'splits'"),
    ]:
        with pytest.raises(trajpack.UsageError, match=sentence):
            ds.split(name="wrong", **wrong)
    with pytest.raises(trajpack.UsageError, match="no splits 'nope'|nope"):
        ds.remove_split("nope")
    assert list(ds.schemes) == ["default"] and arrays["e0"].shape == (50, 2)


@pytest.mark.parametrize("seed", range(3))
def test_folds_over_time_are_scikit_learns(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    folds = int(chance.integers(2, 6))
    arrays = series(tmp_path / "ds", [int(n) for n in chance.integers(folds + 1, 80, size=3)], seed)
    ds = trajpack.open(tmp_path / "ds")
    told = ds.split(folds=folds, over="time", name="time", context=2)
    assert [s["name"] for s in told["splits"]] == ["before fold 0", *(f"fold {f}" for f in range(folds))]
    for name, array in arrays.items():
        for fold, wanted in enumerate(TimeSeriesSplit(folds).split(array)):
            for which, rows in zip(("train", "test"), wanted, strict=True):
                with ds.windows(scheme="time", fold=fold, split=which, length=1, batch=len(rows), shuffle=False,
                                episodes=[name], meta=True) as loader:
                    (batch,) = list(loader)
                np.testing.assert_array_equal(batch["meta:row"], rows)
                np.testing.assert_array_equal(batch["s/x"][:, 0], array[rows])
                assert {loader.outputs["meta:split"].categories[c] for c in batch["meta:split"]} == {which}
    # A plan is fitted to the training rows of the fold.
    plan = {"steps": [{"step": "normalize", "channels": ["s/x"], "axes": [0]}]}
    with ds.windows(scheme="time", fold=1, split="test", length=1, batch=4096, drop_last=False, shuffle=False,
                    plan=plan) as loader:
        (batch,) = list(loader)
    parts = [next(t for f, t in enumerate(TimeSeriesSplit(folds).split(a)) if f == 1) for a in arrays.values()]
    scaler = StandardScaler().fit(np.concatenate([a[t[0]] for a, t in zip(arrays.values(), parts, strict=True)]))
    np.testing.assert_allclose(batch["s/x"][:, 0], scaler.transform(
        np.concatenate([a[t[1]] for a, t in zip(arrays.values(), parts, strict=True)])), rtol=1e-9, atol=1e-12)


def test_lags_are_looked_for_in_the_training_rows(tmp_path: Path) -> None:
    time = np.arange(4000) * 0.1
    # The test has another period, which would give another lag.
    array = np.concatenate([np.sin(time[:2000]), np.sin(7 * time[2000:])])
    for name, rows in [("ds", array), ("train", array[:2000])]:
        with trajpack.create(tmp_path / name, rate={"s": 10}) as writer:
            writer.append("e", {"s/x": rows})
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "embed", "channels": ["s/x"], "tau": "auto", "dimension": 3}]}))

    def lag(name: str, *options: str) -> Any:
        run("apply", tmp_path / name, tmp_path / "out", "--plan", plan, "--print-plan", *options)
        return json.loads(run("apply", tmp_path / name, tmp_path / "out", "--plan", plan, "--print-plan",
                              *options).split("\n}")[0] + "\n}")["steps"][0]["tau"]

    without = lag("ds")
    trajpack.open(tmp_path / "ds").split({"train": "0:2000", "test": "2000:"})
    assert lag("ds") == lag("train") != without


def test_cuts_carry_values_that_were_set_later(tmp_path: Path) -> None:
    arrays = series(tmp_path / "ds", [30, 30, 30])
    run("annotate", tmp_path / "ds", "--set", "task=hunt", "--episode", "e0", "--episode", "e2")
    run("annotate", tmp_path / "ds", "--set", "theta=0.5", "--units", "theta=rad", "--episode", "e1")
    (tmp_path / "clips.csv").write_text("id,episode,start_row,rows\na,e0,3,5\nb,e1,10,5\nc,e2,20,5\n")
    told = run("cut", tmp_path / "ds", tmp_path / "cut", "--clips", tmp_path / "clips.csv")
    assert "not carried" not in told
    values = trajpack.open(tmp_path / "cut").values
    assert list(values["task"]) == ["hunt", None, "hunt"] and values.fields["theta"].units == "rad"
    np.testing.assert_array_equal(values["theta"], [np.nan, 0.5, np.nan])
    trajpack.open(tmp_path / "ds").split({"a": "0:10", "b": "10:"})
    run("cut", tmp_path / "ds", tmp_path / "parts", "--split", "a", "--split", "b")
    parts = trajpack.open(tmp_path / "parts")
    assert [e.id for e in parts.episodes] == ["e0@0", "e0@1", "e1@0", "e1@1", "e2@0", "e2@1"]
    assert list(parts.values["task"]) == ["hunt", "hunt", None, None, "hunt", "hunt"]
    assert parts.splits == {"a": 3, "b": 3}
    np.testing.assert_array_equal(parts.episode("e1@1")["s"]["x"][:], arrays["e1"][10:])
    for destination, options in [("csv", ["--clips", tmp_path / "clips.csv"]), ("csv2", ["--split", "b"])]:
        run("export", tmp_path / "ds", tmp_path / destination, "--to", "csv", *options)
        document = json.loads((tmp_path / destination / "values.json").read_text())
        task = next(v for v in document["values"] if v["name"] == "task")
        assert task["cells"] == ["hunt", None, "hunt"]
    for words, sentence in [
        (["cut", "ds", "no"], "name the list with --clips, or a split with --split"),
        (["cut", "ds", "no", "--split", "c"], "has no split 'c'"),
        (["cut", "ds", "no", "--split", "a", "--clips", "clips.csv"], "give one of them"),
        (["cut", "parts", "no", "--split", "a"], "no split scheme counts"),
        (["export", "ds", "no", "--to", "csv", "--split", "a", "--episode", "e9"], "there is no episode 'e9'"),
    ]:
        paths = [tmp_path / w if w in ("ds", "no", "parts", "clips.csv") else w for w in words]
        assert sentence in run(*paths, code=2)
    assert not (tmp_path / "no").exists()


def test_encode_takes_a_vocabulary_of_the_dataset(wildworld: str, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", wildworld, tmp_path / "ww"], check=True)
    ds = trajpack.open(tmp_path / "ww")
    with pytest.raises(trajpack.UsageError, match="has no side file of the role 'vocabulary'.*trajpack actions"):
        ds.vocabulary()
    run("actions", tmp_path / "ww", "--save", "words")
    ds = trajpack.open(tmp_path / "ww")
    inline = ds.vocabulary()
    assert inline == ds.vocabulary("words") and ds.side_files["vocabulary"] == ["words"]

    def windows(vocabulary: Any, data: Any = None) -> list[dict[str, np.ndarray]]:
        steps = [{"step": "encode", "vocabulary": vocabulary, "as": form, "name": form} for form in ("index", "weight")]
        data = ds if data is None else data
        return everything(trajpack.mixture([data, data], length=20, batch=5, channels=["npc"], plan={"steps": steps},
                                           shuffle=False, drop_last=False, edge="pad"))

    for one, other in zip(windows("words"), windows(inline), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    with pytest.raises(trajpack.UsageError, match=r"steps\[0\] \(encode\).*no side file 'word' .*did you mean 'words'"):
        windows("word")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "encode", "vocabulary": "words"}]}))
    run("apply", tmp_path / "ww", tmp_path / "out", "--plan", plan)
    stored = json.loads((tmp_path / "out" / "manifest.json").read_text())["source"]["options"]["plan"]["steps"][0]
    assert [e["action"] for e in stored["vocabulary"]["entries"]] == [e["action"] for e in inline["entries"]]
    # Another dataset under the same name, with other actions.
    subprocess.run(["cp", "-r", wildworld, tmp_path / "other"], check=True)
    run("actions", tmp_path / "other", "--save", "words", "--episodes", "000001")
    if trajpack.open(tmp_path / "other").vocabulary()["entries"] != inline["entries"]:
        with pytest.raises(trajpack.UsageError, match="have other actions"):
            trajpack.mixture([ds, trajpack.open(tmp_path / "other")], length=5, batch=1, channels=["npc"],
                             plan={"steps": [{"step": "encode", "vocabulary": "words"}]})


def test_what_a_split_holds_is_shown(tmp_path: Path) -> None:
    arrays = series(tmp_path / "ds", [50, 61, 40])
    ds = tmp_path / "ds"
    run("annotate", ds, "--set", "level=1", "--episode", "e0")
    run("annotate", ds, "--set", "level=2", "--episode", "e1", "--episode", "e2")
    trajpack.open(ds).split({"a": "0:40%", "b": "40%:"}, context=5)
    trajpack.open(ds).split({"x": ["e0", "e2"], "y": ["e1"]}, name="ids")
    trajpack.open(ds).split(folds=4, over="rows", name="folds")
    cut = {name: int(len(array) * 0.4) for name, array in arrays.items()}
    rows = np.concatenate([array[cut[name]:] for name, array in arrays.items()])
    told = json.loads(run("info", ds, "--split", "b", "--json"))
    assert (told["scheme"], told["cuts_episodes"], told["episodes"]) == ("default", True, 3)
    found = told["statistics"]["groups"][0]["channels"]["s/x"]
    np.testing.assert_allclose(found["mean"], rows.mean(axis=0), rtol=1e-14)
    assert found["min"] == rows.min(axis=0).tolist() and told["statistics"]["groups"][0]["rows"] == {"s": len(rows)}
    assert next(v for v in told["values"] if v["name"] == "level")["max"] == 2
    text = run("info", ds, "--split", "b")
    assert "split 'b' of the split scheme 'default': of each recording the rows in it" in text and "level" in text
    listed = json.loads(run("info", ds, "--split", "b", "--episodes", "--json"))
    assert [(e["id"], e["rows"], e["of"]) for e in listed] == [
        (name, len(a) - cut[name], len(a)) for name, a in arrays.items()]
    told = json.loads(run("info", ds, "--split", "x", "--scheme", "ids", "--json"))
    assert told["episodes"] == 2 and next(v for v in told["values"] if v["name"] == "level")["episodes"] == 2
    fold = json.loads(run("info", ds, "--split", "test", "--scheme", "folds", "--fold", "1", "--json"))
    assert fold["statistics"]["groups"][0]["rows"]["s"] == sum(len(np.array_split(a, 4)[1]) for a in arrays.values())
    for words, sentence in [(["--split", "c"], "has no split 'c'"), (["--scheme", "ids"], "name one with --split"),
                            (["--split", "b", "--episode", "e0"], "--split shows a part"),
                            (["--split", "test", "--scheme", "folds"], "say with 'fold' which of 0 to 3")]:
        assert sentence in run("info", ds, *words, code=2)
    # The same rows, by their values.
    told = json.loads(run("statistics", ds, "--where", "level>=2", "--json"))["groups"][0]
    assert told["episodes"] == 2 and told["rows"]["s"] == 101
    told = json.loads(run("statistics", ds, "--where", "level=1", "--split", "b", "--json"))["groups"][0]
    np.testing.assert_allclose(told["channels"]["s/x"]["mean"], arrays["e0"][cut["e0"]:].mean(axis=0), rtol=1e-14)
    assert "no episode is left" in run("statistics", ds, "--where", "level=9", code=2)
    # Recordings whose shards say the split.
    with trajpack.create(tmp_path / "own", rate={"s": 10}) as writer:
        for name, array in arrays.items():
            writer.append(name, {"s/x": array}, split="train" if name == "e0" else "test")
    told = json.loads(run("info", tmp_path / "own", "--split", "test", "--json"))
    assert told["episodes"] == 2 and "scheme" not in told
    assert len(json.loads(run("info", tmp_path / "own", "--split", "test", "--episodes", "--json"))) == 2
    assert "did you mean 'train'" in run("info", tmp_path / "own", "--split", "trian", "--episodes", code=2)


def test_reports_say_by_which_rows_they_were_made(tmp_path: Path) -> None:
    series(tmp_path / "ds", [50, 61])
    series(tmp_path / "model", [50, 61], seed=1)
    run("annotate", tmp_path / "ds", "--set", "level=1")
    ds = trajpack.open(tmp_path / "ds")
    ds.split({"a": "0:50%", "b": "50%:"})

    def report(name: str, *options: str) -> Path:
        run("evaluate", tmp_path / "ds", tmp_path / "model", "--metric", "forecast.mse", "-o", tmp_path / name, *options)
        return tmp_path / name

    whole, a = report("whole.json"), report("a.json", "--split", "a", "--where", "level=1")
    files = {f["name"] if f["role"] == "splits" else f["role"]: f["sha256"]
             for f in json.loads((tmp_path / "ds" / "manifest.json").read_text())["side_files"]}
    assert json.loads(whole.read_text())["others"] == []
    assert json.loads(a.read_text())["others"] == [
        {"path": "split scheme default", "form": "files", "digest": files["default"]},
        {"path": "values", "form": "files", "digest": files["values"]}]
    assert "the same again" in run("evaluate", "--rerun", a)
    run("evaluate", "compare", a, report("again.json", "--split", "a"))
    for other in (whole, report("b.json", "--split", "b")):
        assert "is of other rows than" in run("evaluate", "compare", a, other, code=2)
    ds.split({"a": "0:60%", "b": "60%:"})
    assert "split scheme default changed since the report" in run("evaluate", "--rerun", a, code=1)
    assert "is of other rows than" in run("evaluate", "compare", a, report("later.json", "--split", "a"), code=2)


def test_ids_that_there_are_not_are_counted(tmp_path: Path) -> None:
    series(tmp_path / "ds", [9] * 12)
    ds = trajpack.open(tmp_path / "ds")
    with pytest.raises(trajpack.UsageError, match="there is no episode 'e99'; did you mean"):
        ds.windows(length=2, batch=1, episodes=["e0", "e99"])
    for ids, words in ((["e0", "e99", "zzzzzz"], r"no episode has 2 of the ids and patterns: 'e99' \(did you mean"),
                       (["x1", "x2", "x3", "x4", "y*"], r"no episode has 5 of the ids .*, …$")):
        with pytest.raises(trajpack.UsageError, match=words):
            ds.windows(length=2, batch=1, episodes=ids)
    assert "2 of the ids of the split 'a' are not in the dataset: 'e99' (did you mean" in run(
        "split", tmp_path / "ds", "--rule", "a=id:e0,e99,e98", code=2)
    run("annotate", tmp_path / "ds", "--set", "label=walk")
    assert "no episode has a value 'lable', by which the split 'a' goes; did you mean 'label'?" in run(
        "split", tmp_path / "ds", "--rule", "a=where:lable=walk", "--rule", "b=rest", code=2)


def test_diff_sees_schemes_that_split_otherwise(tmp_path: Path) -> None:
    for name in ("a", "b"):
        series(tmp_path / name, [50, 61])
    one, two = (trajpack.open(tmp_path / name) for name in ("a", "b"))
    one.split({"x": "0:50%", "y": "50%:"})
    told = run("diff", tmp_path / "a", tmp_path / "b")
    assert "equal" in told and f"split scheme 'default' is only in {tmp_path / 'a'}" in told
    two.split({"x": "0:50%", "y": "50%:"})
    assert "only in" not in run("diff", tmp_path / "a", tmp_path / "b")
    two.split({"x": ":50%", "y": "50%:100%"})
    assert "equal" in run("diff", tmp_path / "a", tmp_path / "b")
    two.split({"x": "0:51%", "y": "51%:"})
    assert "split scheme 'default': splits otherwise" in run("diff", tmp_path / "a", tmp_path / "b", code=1)
