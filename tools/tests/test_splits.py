"""trajpack split and convert's splits: what a rule comes to, against scikit-learn and plain Python; what is refused."""
import json
import os
import random
import subprocess
from collections import Counter

import numpy as np
import pytest
import read_archive
from conftest import ROOT
from jsonschema import Draft202012Validator
from sklearn.model_selection import GroupKFold, KFold

SCHEMA = json.loads((ROOT / "schemas" / "splits.schema.json").read_text())
SUBJECTS = [f"s{i % 7}" for i in range(41)]


@pytest.fixture(scope="module")
def people(trajpack, tmp_path_factory):
    """41 recordings of 7 subjects in two folders, with rows of 10 to 50."""
    folder = tmp_path_factory.mktemp("people")
    chance = np.random.default_rng(3)
    source = folder / "source"
    for i, subject in enumerate(SUBJECTS):
        place = source / ("home" if i % 2 else "work")
        place.mkdir(parents=True, exist_ok=True)
        rows = int(chance.integers(10, 50))
        np.save(place / f"r{i:02}.npy", chance.normal(size=(rows, 2)))
    run(trajpack, "convert", source, folder / "ds", "--rate", "10", "--quiet")
    return str(folder / "ds")


def run(trajpack, *arguments, code=0):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def scheme(trajpack, dataset, *rule, name="s"):
    """Makes a scheme, checks its form, and gives its content and the summary."""
    told = json.loads(run(trajpack, "split", dataset, "--name", name, *rule, "--json"))
    whole = read_archive.open_dataset(dataset)[1]
    found = next(f for f in whole["side_files"] if (f["role"], f["name"]) == ("splits", name))
    Draft202012Validator(SCHEMA).validate(found["content"])
    assert found["required"] == told["cuts_episodes"]
    return found["content"], told


def ids(dataset):
    paths, _ = read_archive.open_dataset(dataset)
    return [e["id"] for p in paths for e in read_archive.Shard(p).episodes_reading()]


def test_the_schema_knows_its_example():
    Draft202012Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        Draft202012Validator(SCHEMA).validate(example)


def test_folds_are_sklearns(trajpack, people):
    names = ids(people)
    for folds in (2, 5, 41):
        made, told = scheme(trajpack, people, "--folds", folds)
        own = dict(made["episodes"])
        for fold, (_, test) in enumerate(KFold(folds).split(names)):
            assert {n for n, f in own.items() if f == fold} == {names[i] for i in test}
        assert sum(s["episodes"] for s in told["splits"]) == len(names) and told["in_none"]["episodes"] == 0


def test_grouped_folds_are_as_even_as_sklearns(trajpack, people):
    names = ids(people)
    groups = [n.split("/")[0] for n in names]
    made, _ = scheme(trajpack, people, "--folds", 2, "--group", "folder")
    own = dict(made["episodes"])
    assert len({(own[n], g) for n, g in zip(names, groups, strict=True)}) == 2
    sizes = sorted(len(test) for _, test in GroupKFold(2).split(names, groups=groups))
    assert sorted(Counter(own.values()).values()) == sizes


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_and_stratified_folds(trajpack, people, seed):
    names = ids(people)
    made, _ = scheme(trajpack, people, "--folds", 4, "--shuffle-folds", "--split-seed", seed, "--stratify", "folder")
    own = dict(made["episodes"])
    assert set(own) == set(names)
    for folder in ("home", "work"):
        counts = Counter(own[n] for n in names if n.startswith(folder))
        assert max(counts.values()) - min(counts.values()) <= 1
    again, _ = scheme(trajpack, people, "--folds", 4, "--shuffle-folds", "--split-seed", seed, "--stratify", "folder",
                      name="again")
    assert again["episodes"] == made["episodes"]


@pytest.mark.parametrize("seed", range(6))
def test_shares(trajpack, people, seed):
    """Disjoint, together all where they come to 100 %, of the size that was asked for, in every stratum too."""
    names = ids(people)
    chance = random.Random(seed)
    cut = sorted(chance.sample(range(5, 100, 5), 2))
    shares = {"a": cut[0], "b": cut[1] - cut[0], "c": 100 - cut[1]}
    rule = [w for n, s in shares.items() for w in ("--rule", f"{n}={s}%")] + ["--split-seed", seed]
    made, _ = scheme(trajpack, people, *rule)
    own = dict(made["episodes"])
    assert len(made["episodes"]) == len(own) == len(names)
    for number, share in enumerate(shares.values()):
        assert abs(sum(v == number for v in own.values()) - share / 100 * len(names)) < 1.5
    strata, _ = scheme(trajpack, people, *rule, "--stratify", "folder")
    for folder in ("home", "work"):
        inside = [s for n, s in strata["episodes"] if n.startswith(folder)]
        for number, share in enumerate(shares.values()):
            assert abs(inside.count(number) - share / 100 * len(inside)) < 2.5
    other, _ = scheme(trajpack, people, *rule[:-1], seed + 100)
    assert other["episodes"] != made["episodes"]


def test_a_part_of_the_recordings(trajpack, people):
    _, told = scheme(trajpack, people, "--rule", "train=50%", "--rule", "test=25%")
    assert [s["episodes"] for s in told["splits"]] == [21, 10] or sum(
        s["episodes"] for s in told["splits"]) in (30, 31, 32)
    assert told["in_none"]["episodes"] + sum(s["episodes"] for s in told["splits"]) == 41


def test_named_recordings(trajpack, people, tmp_path):
    names = ids(people)
    listed = tmp_path / "ids.txt"
    listed.write_text("\r\n".join(names[3:9]) + "\n")
    made, _ = scheme(trajpack, people, "--rule", f"a=@{listed}", "--rule", f"a=id:{names[0]},{names[1]}",
                     "--rule", "b=like:work/r3?", "--rule", "c=rest")
    own = dict(made["episodes"])
    a = {*names[3:9], *names[:2]}
    b = {n for n in names if n.startswith("work/r3")} - a
    assert {n for n, s in own.items() if s == 0} == a and {n for n, s in own.items() if s == 1} == b
    assert set(own) == set(names)
    made, told = scheme(trajpack, people, "--by", "folder")
    assert sorted(made["splits"]) == ["home", "work"]
    made, _ = scheme(trajpack, people, "--rule", "h=folder:home", "--rule", "w=folder:work/")
    assert all(made["splits"][s] == n[0] for n, s in made["episodes"])


@pytest.mark.parametrize("seed", range(8))
def test_ranges_are_pythons_slices(trajpack, people, seed):
    """Every row is a target of one split or of none; the counts are those of slices."""
    chance = random.Random(seed)
    _, before = scheme(trajpack, people, "--rule", "all=0:100%")
    lengths = row_counts(people)
    a, b = sorted(chance.sample(range(10, 90), 2))
    made, told = scheme(trajpack, people, "--rule", f"x=:{a}%", "--rule", f"y={a}%:-{100 - b}%",
                        "--rule", f"z=-{100 - b}%:", "--context", chance.randrange(5))
    want = [0, 0, 0]
    for rows in lengths.values():
        first, last = rows * a // 100, rows - rows * (100 - b) // 100
        if first >= last:
            pytest.skip("the ranges overlap in a recording")
        want = [want[0] + first, want[1] + last - first, want[2] + rows - last]
    assert [s["rows"] for s in told["splits"]] == want
    assert sum(want) == before["splits"][0]["rows"] == sum(lengths.values())
    k = chance.randrange(2, 10)
    _, told = scheme(trajpack, people, "--folds", k, "--over", "rows")
    sizes = np.zeros(k, int)
    for rows in lengths.values():
        sizes += [len(test) for _, test in KFold(k).split(np.zeros(rows))]
    assert [s["rows"] for s in told["splits"]] == sizes.tolist()
    assert made["splits"] == ["x", "y", "z"]


def row_counts(dataset):
    paths, _ = read_archive.open_dataset(dataset)
    return {e["id"]: e["tracks"][0]["rows"] for p in paths for e in read_archive.Shard(p).episodes_reading()}


def test_times_and_dates(trajpack, tmp_path):
    lines = ["date,x"] + [f"2020-01-{d:02} {h:02}:00,{d * 24 + h}" for d in range(1, 31) for h in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run(trajpack, "convert", tmp_path / "t.csv", tmp_path / "ds", "--quiet", "--rule", "a=..2020-01-11",
        "--rule", "b=2020-01-11..2020-01-21 12:00", "--rule", "c=2020-01-21 12:00..", "--context", "1d")
    told = json.loads(run(trajpack, "split", tmp_path / "ds", "--list", "--name", "default", "--length", "5", "--past",
                          "24", "--json"))
    assert [s["rows"] for s in told["splits"]] == [240, 252, 228]
    assert [s["windows"] for s in told["splits"]] == [240 - 28, 248, 224]
    np.save(tmp_path / "r.npy", np.zeros((100, 1)))
    run(trajpack, "convert", tmp_path / "r.npy", tmp_path / "r", "--quiet", "--rate", "10", "--scheme", "times",
        "--rule", "a=0s:2500ms", "--rule", "b=2.5s:0.1min")
    told = json.loads(run(trajpack, "split", tmp_path / "r", "--list", "--name", "times", "--json"))
    assert [s["rows"] for s in told["splits"]] == [25, 35] and told["in_none"]["rows"] == 40


def test_convert_writes_the_scheme_with_the_manifest(trajpack, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((100, 1)))
    rule = ["--rule", "a=0:50%", "--rule", "b=50%:"]
    run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "ds", "--quiet", *rule)
    manifest = (tmp_path / "ds" / "manifest.json").read_bytes()
    assert json.loads(manifest)["version"] == "2.0"
    run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "ds", "--quiet", *rule, "--resume")
    assert (tmp_path / "ds" / "manifest.json").read_bytes() == manifest
    said = run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "ds", "--quiet", "--rule", "a=0:20%", "--resume",
               code=2)
    assert "another rule" in said
    run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "ds", "--quiet", "--rule", "a=0:20%", "--overwrite")
    assert len([n for n in os.listdir(tmp_path / "ds") if n.startswith("side-")]) == 1
    run(trajpack, "verify", tmp_path / "ds")
    # A rule that does not fit leaves a conversion that can go on.
    said = run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "new", "--quiet", "--rule", "a=id:zz", code=2)
    assert "'zz'" in said
    run(trajpack, "convert", tmp_path / "a.npy", tmp_path / "new", "--quiet", "--rule", "a=id:a", "--resume")
    assert json.loads((tmp_path / "new" / "manifest.json").read_text())["version"] == "1.1"


def test_several_schemes_and_none(trajpack, people):
    for name in ("one", "two"):
        scheme(trajpack, people, "--rule", "a=50%", "--rule", "b=rest", name=name)
    listed = json.loads(run(trajpack, "split", people, "--list", "--json"))["schemes"]
    assert {"one", "two"} <= {s["scheme"] for s in listed}
    digest = json.loads(open(f"{people}/manifest.json").read())["digest"]
    for entry in listed:
        run(trajpack, "split", people, "--name", entry["scheme"], "--remove")
    document = json.loads(open(f"{people}/manifest.json").read())
    assert document["version"] == "1.0" and "side_files" not in document and document["digest"] == digest
    assert "has no splits 'one'" in run(trajpack, "split", people, "--name", "one", "--remove", code=2)
    run(trajpack, "verify", people)


@pytest.mark.parametrize("rule, said", [
    (["--rule", "a=0:60%", "--rule", "b=50%:"], "the splits 'a' and 'b' overlap: both have rows"),
    (["--rule", "a=0:10", "--rule", "a=5:20"], "ranges of the split 'a' overlap"),
    (["--rule", "a=like:*", "--rule", "b=folder:home"], "both have the episode 'home/"),
    (["--rule", "a=80%:60%"], "its end does not come after its beginning"),
    (["--rule", "a=60%:60%"], "its end does not come after"),
    (["--rule", "a=-20%:-40%"], "its end does not come after"),
    (["--rule", "a=2020-02-01..2020-01-01"], "its end does not come after"),
    (["--rule", "a=5000:6000"], "the split 'a' is empty"),
    (["--rule", "a=like:x*", "--rule", "b=rest"], "the split 'a' is empty"),
    (["--rule", "a=id:work/r0,hom/r01,zz"], "3 of the ids of the split 'a' are not in the dataset: 'work/r0' (did you"),
    (["--rule", "a=120%"], "no share of the episodes"),
    (["--rule", "a=0:120%"], "no share of the rows"),
    (["--rule", "a=80%", "--rule", "b=30%"], "come to 110 %"),
    (["--rule", "a=soon"], "says nothing of what belongs to a split"),
    (["--rule", "a=0:2fortnights"], "'fortnights'"),
    (["--rule", "a"], "is not SPLIT=WHAT"),
    (["--rule", "a=0:50%", "--folds", "3"], "not several"),
    (["--rule", "a=0:50%", "--context", "-3"], "context"),
    (["--rule", "a=0:50%", "--context", "b=3"], "names a split 'b'"),
    (["--rule", "a=0:50%", "--split-stream", "nothing"], "no stream 'nothing'"),
    (["--rule", "a=rest", "--rule", "b=rest"], "both are the rest"),
    (["--folds", "99"], "99 folds of 41 episodes"),
    (["--folds", "60", "--over", "rows"], "there must be at least one for each"),
    (["--folds", "5", "--group", "folder"], "5 folds of 2 groups of episodes"),
    (["--folds", "3", "--stratify", "subject"], "which 41 of 41 episodes do not have"),
    (["--by", "subject"], "which 41 of 41 episodes do not have"),
    ([], "say how to split"),
])
def test_refusals(trajpack, people, rule, said):
    before = sorted(os.listdir(people)), open(f"{people}/manifest.json", "rb").read()
    message = run(trajpack, "split", people, "--name", "bad", *rule, code=2)
    assert said in message and len(message.strip().splitlines()) == 1, message
    assert not any(n.startswith(".tmp") or n == "journal" for n in os.listdir(people))
    assert before[1] == open(f"{people}/manifest.json", "rb").read()


def test_single_shards_and_unfinished_datasets(trajpack, people, tmp_path):
    shard = f"{people}/shard-000000.h5"
    assert "--into" in run(trajpack, "split", shard, "--rule", "a=50%", code=2)
    run(trajpack, "split", shard, "--rule", "a=50%", "--rule", "b=50%", "--into", tmp_path / "one")
    run(trajpack, "verify", tmp_path / "one")
    assert "is there already" in run(trajpack, "split", shard, "--rule", "a=50%", "--into", tmp_path / "one", code=2)
    os.remove(tmp_path / "one" / "manifest.json")
    assert run(trajpack, "split", tmp_path / "one", "--rule", "a=50%", code=2)


def test_evaluate_info_and_export_go_by_it(trajpack, tmp_path):
    chance = np.random.default_rng(0)
    arrays = {f"e{i}": chance.normal(size=(50 + i, 2)) for i in range(4)}
    wrong = {name: a + chance.normal(size=a.shape) for name, a in arrays.items()}
    for folder, given in [("truth", arrays), ("predicted", wrong)]:
        (tmp_path / folder).mkdir()
        for name, array in given.items():
            np.save(tmp_path / folder / f"{name}.npy", array)
    for folder in ("truth", "predicted"):
        run(trajpack, "convert", tmp_path / folder, tmp_path / f"{folder}.ds", "--quiet", "--rate", "1")
    truth = tmp_path / "truth.ds"
    run(trajpack, "split", truth, "--name", "rows", "--rule", "a=0:40%", "--rule", "b=40%:", "--context", "3")
    run(trajpack, "split", truth, "--name", "whole", "--rule", "a=id:e0,e2", "--rule", "b=rest")

    def mse(*options):
        told = json.loads(run(trajpack, "evaluate", truth, tmp_path / "predicted.ds", "--metric", "forecast.mse",
                              "--format", "json", *options))
        metric = next(m for m in told["metrics"] if m["name"] == "forecast.mse")
        return metric["value"]

    def want(pieces):
        return np.mean([np.mean([np.mean((arrays[n][r] - wrong[n][r]) ** 2) for r in rows]) for n, rows in pieces])

    rows = {n: [slice(len(a) * 40 // 100, None)] for n, a in arrays.items()}
    assert mse("--split", "b", "--scheme", "rows") == pytest.approx(want(rows.items()), rel=1e-9)
    windows = {n: [slice(r, r + 5) for r in range(len(a) * 40 // 100, len(a) - 4, 5)] for n, a in arrays.items()}
    assert mse("--split", "b", "--scheme", "rows", "--window", "5", "--past", "3", "--stride", "5") == pytest.approx(
        want(windows.items()), rel=1e-9)
    assert mse("--split", "a", "--scheme", "whole") == pytest.approx(
        want([(n, [slice(None)]) for n in ("e0", "e2")]), rel=1e-9)
    assert "says nothing without a split" in run(trajpack, "evaluate", truth, tmp_path / "predicted.ds", "--metric",
                                                 "forecast.mse", "--scheme", "rows", code=2)
    assert "split schemes: rows, whole" in run(trajpack, "info", truth)
    assert json.loads(run(trajpack, "info", truth, "--json"))["split_schemes"] == ["rows", "whole"]
    run(trajpack, "export", truth, tmp_path / "out", "--to", "npz", "--split", "a", "--scheme", "whole")
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == ["e0", "e2"]
    run(trajpack, "export", truth, tmp_path / "cut", "--to", "npz", "--split", "b", "--scheme", "rows")
    for name, array in arrays.items():
        with np.load(tmp_path / "cut" / name / "episode.npz") as members:
            (values,) = (members[m] for m in members.files if m not in ("schema",) and not m.endswith("/time"))
        np.testing.assert_array_equal(values, array[len(array) * 40 // 100:])
    assert "no split 'c'" in run(trajpack, "export", truth, tmp_path / "cut", "--to", "npz", "--split", "c", "--scheme",
                                 "whole", code=2)


def test_values_of_recordings_choose(trajpack, people):
    table = os.path.join(os.path.dirname(people), "values.csv")
    names = ids(people)
    with open(table, "w") as file:
        file.write("id,subject,age\n" + "".join(f"{n},{s},{20 + i}\n" for i, (n, s) in enumerate(
            zip(names, SUBJECTS, strict=True))))
    run(trajpack, "annotate", people, "--values", table)
    subject = dict(zip(names, SUBJECTS, strict=True))
    for seed in range(3):
        made, _ = scheme(trajpack, people, "--rule", "train=60%", "--rule", "test=40%", "--group", "subject",
                         "--split-seed", seed)
        assert len({(subject[n], s) for n, s in made["episodes"]}) == 7 and len(made["episodes"]) == 41
    made, _ = scheme(trajpack, people, "--by", "subject")
    assert all(made["splits"][s] == subject[n] for n, s in made["episodes"])
    made, _ = scheme(trajpack, people, "--rule", "s=where:subject=s3", "--rule", "rest=rest")
    assert {n for n, s in made["episodes"] if s == 0} == {n for n in names if subject[n] == "s3"}
    made, _ = scheme(trajpack, people, "--rule", "old=where:age=40..", "--rule", "young=where:age=..39")
    assert {n for n, s in made["episodes"] if s == 0} == set(names[20:])
