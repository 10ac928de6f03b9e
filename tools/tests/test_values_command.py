"""Values of recordings through the program: convert, annotate, info, diff, export; pandas writes the tables."""
import json
import subprocess

import jsonschema
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT


@pytest.fixture
def run(trajpack, tmp_path):
    def run(*words, code=0):
        done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr
    return run


def series(folder, count, seed=0):
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        pd.DataFrame({"time": np.arange(12) / 4, "x": rng.normal(size=12)}).to_csv(folder / f"r{i}.csv", index=False)


def table(count):
    return pd.DataFrame({
        "id": [f"r{i}" for i in range(count)], "label": [["walk", "run"][i % 2] for i in range(count)],
        "theta": [None if i == 2 else i / 3 for i in range(count)], "n": range(count),
        "task": [f"say \"{i}\", then go" for i in range(count)], "v.0": np.arange(count) * 1.0,
        "v.1": np.arange(count) + 0.25})


def known(run, path):
    return {v["name"]: v for v in json.loads(run("info", path, "--json"))["values"]}


@pytest.mark.parametrize("sep", [",", "\t", ";"])
def test_convert_joins_a_table_by_id(run, tmp_path, sep):
    series(tmp_path / "src", 6)
    table(6).sample(frac=1, random_state=1).to_csv(tmp_path / "labels.csv", index=False, sep=sep)
    said = run("convert", "src", "ds", "--values", "labels.csv")
    assert "values 'label' category of 2" in said and "joined by column 'id'" in said
    found = known(run, "ds")
    assert found["label"]["counts"] == {"walk": 3, "run": 3} and found["n"]["type"] == "integer"
    assert found["theta"]["missing"] == 1 and found["task"]["type"] == "text"
    assert (found["v"]["type"], found["v"]["shape"]) == ("array", [2])
    assert np.isclose(found["theta"]["mean"], table(6).theta.mean())
    one = json.loads(run("info", "ds", "--episode", "r3", "--json"))["values"]
    assert one == {"label": "run", "theta": 1.0, "n": 3, "task": 'say "3", then go', "v": [3.0, 3.25]}


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_export_then_convert_gives_values_back(run, tmp_path, form):
    series(tmp_path / "src", 5)
    table(5).to_csv(tmp_path / "labels.csv", index=False)
    run("convert", "src", "ds", "--values", "labels.csv")
    run("annotate", "ds", "--set", "extra=[1,2.5]", "--units", "theta=rad", "--remove", "n")
    run("export", "ds", "out", "--to", form)
    schema = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads((tmp_path / "out" / "values.json").read_text()))
    run("convert", "out", "back")
    assert known(run, "back") == known(run, "ds")
    if form == "csv":
        pd.testing.assert_frame_equal(
            pd.read_csv(tmp_path / "out" / "values.csv")[["id", "label", "theta", "task", "v.0", "v.1"]],
            table(5)[["id", "label", "theta", "task", "v.0", "v.1"]])


def test_diff_sees_values(run, differs, tmp_path):
    series(tmp_path / "src", 4)
    np.savez(tmp_path / "d.npz", x=np.arange(6.0).reshape(2, 3, 1), y=[1, 2])
    run("convert", "d.npz", "mn")
    assert "equal: 2 episodes, 8 values" in run("diff", "mn", "d.npz")
    np.savez(tmp_path / "d.npz", x=np.arange(6.0).reshape(2, 3, 1), y=[8, 2])
    assert "value 'y': 1 in mn, 8 in d.npz" in differs("mn", "d.npz")
    table(4).to_csv(tmp_path / "labels.csv", index=False)
    run("convert", "src", "a", "--values", "labels.csv")
    run("convert", "src", "b")
    assert "value 'label' ('walk') is only in a" in differs("a", "b")
    run("annotate", "b", "--values", "labels.csv")
    assert run("diff", "a", "b").startswith("equal")
    run("annotate", "b", "--set", "theta=7", "--episode", "r1")
    assert "value 'theta': 0.333" in differs("a", "b")


@pytest.fixture
def differs(trajpack, tmp_path):
    """The differences, which stand in the output."""
    def differs(a, b):
        done = subprocess.run([trajpack, "diff", a, b], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        return done.stdout
    return differs


def test_annotating_touches_no_shard_and_keeps_the_digest(run, tmp_path):
    series(tmp_path / "src", 4)
    run("convert", "src", "ds")
    shard = (tmp_path / "ds" / "shard-000000.h5").read_bytes()
    digest = json.loads(run("info", "ds", "--json"))["digest"]
    table(4).to_csv(tmp_path / "labels.csv", index=False)
    run("annotate", "ds", "--values", "labels.csv")
    run("annotate", "ds", "--set", "label=sit", "--where", "n=3")
    assert (tmp_path / "ds" / "shard-000000.h5").read_bytes() == shard
    assert json.loads(run("info", "ds", "--json"))["digest"] == digest
    assert known(run, "ds")["label"]["counts"] == {"walk": 2, "run": 1, "sit": 1}
    side = json.loads(next((tmp_path / "ds").glob("side-values-*.json")).read_text())
    schema = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(side["content"])
    run("verify", "ds")
    for name in ("label", "theta", "n", "task", "v"):
        run("annotate", "ds", "--remove", name)
    assert known(run, "ds") == {}


@pytest.mark.parametrize("change, sentence", [
    (lambda t: t[t.id != "r1"], "1 of 4 recordings has no row: 'r1'"),
    (lambda t: pd.concat([t, t.iloc[:1]]), "id 'r0' has two rows, lines 2 and 6"),
    (lambda t: t.replace({"id": {"r1": "r11"}}), "1 row of 4 names an id that is no recording's: 'r11'; did you mean"),
    (lambda t: t.iloc[:0], "no row"),
    (lambda t: t[["id"]], "has one column"),
    (lambda t: t.replace({"id": {"r1": None}}), "line 3: has no id"),
])
def test_a_table_that_does_not_fit_is_refused(run, tmp_path, change, sentence):
    series(tmp_path / "src", 4)
    change(table(4)).to_csv(tmp_path / "labels.csv", index=False)
    message = run("convert", "src", "ds", "--values", "labels.csv", code=1)
    assert sentence in message and message.count("\n") == 1 and not (tmp_path / "ds").exists()
    run("convert", "src", "ds")
    before = sorted(p.name for p in (tmp_path / "ds").iterdir())
    assert sentence in run("annotate", "ds", "--values", "labels.csv", code=1)
    assert sorted(p.name for p in (tmp_path / "ds").iterdir()) == before


@pytest.mark.parametrize("words, sentence", [
    (["--remove", "labell"], "did you mean 'label'"), (["--set", "x"], "no NAME=VALUE"),
    (["--set", "x=1", "--where", "label=swim"], "no episode is left by label=swim (of 3); no recording has the label 'swim'"),
    (["--set", "x=1", "--where", "label=rnu"], "no recording has the label 'rnu'; did you mean 'run'"),
    (["--set", "x=1", "--where", "n=77"], "no recording has the n '77'; it goes from"),
    (["--set", "x=[1,[2]]"], "no list of numbers"), ([], "say what is known"),
    (["--remove", "n", "--where", "label=run"], "give --set too"), (["--units", "nope=m"], "no value 'nope'"),
    (["--values-partial", "--set", "a=1"], "is for --values"),
    (["--set", "mass=2", "--units", "mass=g", "--episode", "r0"], "'mass' is in 'kg' in other episodes, not in 'g'"),
    (["--set", "mass=2", "--units", "mass=g", "--where", "n>=1"], "'mass' is in 'kg' in other episodes, not in 'g'"),
])
def test_what_cannot_be_set_is_refused(run, tmp_path, words, sentence):
    series(tmp_path / "src", 3)
    table(3).to_csv(tmp_path / "labels.csv", index=False)
    run("convert", "src", "ds", "--values", "labels.csv")
    run("annotate", "ds", "--set", "mass=1.5", "--units", "mass=kg")
    assert sentence in run("annotate", "ds", *words, code=2)
    assert known(run, "ds")["mass"]["units"] == "kg"


def test_units_may_change_for_all(run, tmp_path):
    series(tmp_path / "src", 3)
    run("convert", "src", "ds")
    run("annotate", "ds", "--set", "mass=1.5", "--units", "mass=kg")
    run("annotate", "ds", "--set", "mass=2", "--episode", "r0", "--units", "mass=kg")
    run("annotate", "ds", "--set", "mass=3", "--episode", "r1")
    assert known(run, "ds")["mass"]["units"] == "kg"
    run("annotate", "ds", "--set", "mass=1500", "--units", "mass=g")
    assert known(run, "ds")["mass"]["units"] == "g"


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_values_come_back_where_ids_are_paths(run, tmp_path, form):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "m.npz", x=rng.normal(size=(4, 6, 2)), theta=rng.normal(size=4))
    run("convert", "m.npz", "ds", "--leading-axis", "batch")
    assert "/" in json.loads(run("info", "ds", "--episodes", "--json"))[0]["id"]
    run("export", "ds", "out", "--to", form)
    run("convert", "out", "back", "--quiet")
    assert known(run, "back")["theta"]["mean"] == known(run, "ds")["theta"]["mean"]


def test_an_empty_cell_is_not_counted_as_set(run, tmp_path):
    series(tmp_path / "src", 3)
    (tmp_path / "labels.csv").write_text("id,theta\nr0,1.5\nr1,\nr2,2.5\n")
    run("convert", "src", "ds")
    assert "'theta' (number) set for 2 of 3 episodes" in run("annotate", "ds", "--values", "labels.csv")
    assert known(run, "ds")["theta"]["episodes"] == 2


def test_a_damaged_side_file_of_values_is_named(run, tmp_path):
    series(tmp_path / "src", 3)
    run("convert", "src", "ds")
    run("annotate", "ds", "--set", "a=1")
    path = next((tmp_path / "ds").glob("side-values-*.json"))
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    message = run("info", "ds", code=1)
    assert path.name in message and "damaged" in message


def test_unfinished_and_single_shards_are_refused(run, tmp_path):
    series(tmp_path / "src", 3)
    run("convert", "src", "ds")
    assert "single shard" in run("annotate", "ds/shard-000000.h5", "--set", "a=1", code=2)
    run("annotate", "ds/shard-000000.h5", "--set", "a=1", "--into", "one")
    assert known(run, "one")["a"]["episodes"] == 3 and known(run, "ds") == {}
    run("annotate", "ds/shard-000000.h5", "--remove", "b", "--into", "two", code=2)
    assert not (tmp_path / "two").exists()


def test_a_prepared_dataset_keeps_values(run, tmp_path):
    series(tmp_path / "src", 4)
    table(4).to_csv(tmp_path / "labels.csv", index=False)
    run("convert", "src", "ds", "--values", "labels.csv")
    run("resample", "ds", "plain", "--rate", "2")
    assert known(run, "plain") == known(run, "ds")
    run("annotate", "ds", "--set", "label=sit", "--episode", "r1", "--set", "extra=[1,2.5]", "--remove", "n")
    run("resample", "ds", "made", "--rate", "2")
    assert known(run, "made") == known(run, "ds") and "n" not in known(run, "made")
    assert known(run, "made")["label"]["counts"] == {"walk": 2, "run": 1, "sit": 1}


def forecasts(run, tmp_path, steps=(0.02, 0.05, 0.1), known=True):
    """Recordings of different time steps and exponents, a dataset of them, and predictions that fail in the middle."""
    (tmp_path / "truth").mkdir()
    (tmp_path / "pred").mkdir()
    rng = np.random.default_rng(3)
    for i, dt in enumerate(steps):
        x = np.sin(np.arange(80) * 0.2 + i)
        rows = pd.DataFrame({"time": np.round(np.arange(80) * dt, 6), "x": x})
        rows.to_csv(tmp_path / "truth" / f"s{i}.csv", index=False)
        bad = x + np.where(np.arange(80) < 20 + 10 * i, 0, 3) + rng.normal(size=80) * 1e-9
        np.savez(tmp_path / "pred" / f"s{i}.npz", prediction=bad[:, None])
    pd.DataFrame({"id": [f"s{i}" for i in range(len(steps))], "lam": [0.5, 1.5, 2.5][:len(steps)],
                  "kind": ["a", "b", "a"][:len(steps)]}).to_csv(tmp_path / "about.csv", index=False)
    run("convert", "truth", "ds", *(["--values", "about.csv"] if known else []))


def report(run, *words):
    done = json.loads(run("evaluate", "ds", "pred", "--format", "json", *words))
    return {m["name"]: m for m in done["metrics"]}


def test_each_recording_has_its_own_exponent_and_step(run, tmp_path):
    forecasts(run, tmp_path)
    name = "forecast.vpt_nrmse_lyapunov_times"
    both = report(run, "--metric", "forecast.vpt_nrmse", "--set", "lyapunov_exponent=@lam")
    if name not in both:
        name = next(n for n in both if n.endswith("lyapunov_times"))
    figures = {e["episode"]: e["value"] for e in both[name]["episodes"]}
    for i, (dt, lam) in enumerate(zip((0.02, 0.05, 0.1), (0.5, 1.5, 2.5), strict=True)):
        alone = report(run, "--metric", "forecast.vpt_nrmse", "--episodes", f"s{i}", "--partial",
                       "--set", f"lyapunov_exponent={lam}", "--set", f"time_step={dt}")
        assert figures[f"s{i}"] == pytest.approx(alone[name]["value"], rel=1e-12)
        assert figures[f"s{i}"] == pytest.approx((20 + 10 * i) * dt * lam, rel=0.1)
    assert both[name]["value"] == pytest.approx(np.mean(list(figures.values())), rel=1e-12)
    assert both[name]["options"]["lyapunov_exponent"] == "@lam"


def test_recordings_are_scored_and_exported_where_a_value_says_so(run, tmp_path):
    forecasts(run, tmp_path)
    chosen = report(run, "--metric", "forecast.mse", "--where", "kind=a", "--where", "lam>=1", "--partial")
    assert [e["episode"] for e in chosen["forecast.mse"]["episodes"]] == ["s2"]
    run("export", "ds", "out", "--to", "csv", "--where", "lam<=1.5")
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == ["s0", "s1"]
    assert pd.read_csv(tmp_path / "out" / "values.csv")["id"].tolist() == ["s0", "s1"]
    assert "did you mean 'kind'" in run("export", "ds", "no", "--to", "csv", "--where", "kin=a", code=2)


@pytest.mark.parametrize("setting, sentence", [
    ("lyapunov_exponent=@lamda", "did you mean 'lam'"), ("lyapunov_exponent=@kind", "lyapunov_exponent"),
])
def test_a_value_that_is_not_there_is_named(run, tmp_path, setting, sentence):
    forecasts(run, tmp_path)
    assert sentence in run("evaluate", "ds", "pred", "--metric", "forecast.vpt_nrmse", "--set", setting, code=2)


def test_a_recording_without_the_value_is_named(run, tmp_path):
    forecasts(run, tmp_path, known=False)
    run("annotate", "ds", "--set", "lam=0.5", "--episode", "s0", "--episode", "s1")
    message = run("evaluate", "ds", "pred", "--metric", "forecast.vpt_nrmse", "--set", "lyapunov_exponent=@lam", code=2)
    assert "episode 's2' has no value 'lam'" in message
