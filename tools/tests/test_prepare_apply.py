"""`trajpack apply` and whole runs: constants of a split, cut-off runs, long tracks, every feature of the format."""
import json
import re
import resource
import subprocess
import sys

import numpy as np
import pytest
import read_archive
from conftest import ROOT
from prepare_world import ROWS, convert, key, one, recording, run, uniforms


def test_normalize(trajpack, source, made, tmp_path):
    plan = tmp_path / "plan.json"
    step = {"step": "normalize", "channels": ["series/x", "series/position"]}
    plan.write_text(json.dumps({"steps": [step]}))
    error = run(trajpack, "apply", source, tmp_path / "no", "--plan", plan, code=2)
    assert "no split 'train'" in error and '"all"' in error and not (tmp_path / "no").exists()
    for method in ("zscore", "minmax", "robust"):
        plan.write_text(json.dumps({"steps": [{**step, "split": "all", "method": method}]}))
        out = made("apply", "--plan", plan)
        both = {c: np.concatenate([recording(n)[c] for n in ROWS]).astype("f8") for c in ("x", "position")}
        for name in ROWS:
            for channel, x in both.items():
                low, first, median, third, high = np.nanquantile(x, [0, .25, .5, .75, 1], axis=0)
                shift, scale = {"zscore": (np.nanmean(x, 0), np.nanstd(x, 0)), "minmax": (low, high - low),
                                "robust": (median, third - first)}[method]
                # Quartiles are kept as float32.
                tolerance = 1e-5 if channel == "x" or method == "robust" else 1e-9
                np.testing.assert_allclose(
                    one(out, name)[1][channel][0], (recording(name)[channel] - shift) / scale, atol=tolerance)


@pytest.mark.parametrize("bin, words", [
    ({"kind:scalar": "sum"}, "sum"), ({"series/x": "min"}, "minimum"), ({"series/x": "max"}, "maximum"), ("count", "count")],
    ids=str)
def test_statistics_of_rows_are_not_those_of_bins(trajpack, source, tmp_path, bin, words):
    """Behind a bin of another size than its rows: by pattern, and by kind, which names no channel."""
    plan = tmp_path / "plan.json"
    steps = [{"step": "resample", "rate": 10, "bin": bin}, {"step": "normalize", "split": "all"}]
    for channels in ("series/x", "*", "kind:scalar"):
        plan.write_text(json.dumps({"steps": [steps[0], {**steps[1], "channels": channels}]}))
        error = run(trajpack, "apply", source, tmp_path / "no", "--plan", plan, code=2)
        assert f"channel 'series/x' holds the {words} of bins here" in error and "steps[1] (normalize)" in error, error
        assert "'constants'" in error and not (tmp_path / "no").exists()
    given = {"step": "normalize", "channels": "series/x", "constants": {"series/x": {"shift": 3, "scale": 2}}}
    for name, more in (("plain", []), ("given", [given])):
        plan.write_text(json.dumps({"steps": [steps[0], *more]}))
        run(trajpack, "apply", source, tmp_path / name, "--plan", plan)
    for name in ROWS:
        plain = one(tmp_path / "plain", name)[1]["x"][0]
        np.testing.assert_allclose(one(tmp_path / "given", name)[1]["x"][0], (plain - 3) * 2, rtol=1e-6)


@pytest.mark.parametrize("before", [
    {"rate": 10, "bin": {"series/x": "mean"}}, {"rate": 10, "bin": "last"}, {"rate": 10},
    {"rate": 10, "bin": {"series/position": "sum"}}],
    ids=str)
def test_means_and_rows_are_normalised_by_the_source(trajpack, source, tmp_path, before):
    plan = tmp_path / "plan.json"
    step = {"step": "normalize", "channels": "series/x", "split": "all"}
    for name, more in (("plain", []), ("normal", [step])):
        plan.write_text(json.dumps({"steps": [{"step": "resample", **before}, *more]}))
        run(trajpack, "apply", source, tmp_path / name, "--plan", plan)
    x = np.concatenate([recording(n)["x"] for n in ROWS]).astype("f8")
    for name in ROWS:
        plain = one(tmp_path / "plain", name)[1]["x"][0]
        np.testing.assert_allclose(one(tmp_path / "normal", name)[1]["x"][0], (plain - x.mean(0)) / x.std(0), atol=1e-5)


def test_a_plan_comes_through_a_pipe(trajpack, source, tmp_path):
    """Standard input as '-', and a shell's <(command), give what a file gives."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "resample", "rate": 10}]}))
    printed = run(trajpack, "apply", source, tmp_path / "no", "--plan", plan, "--print-plan")
    for script in ('"$0" apply "$1" no --plan - --print-plan < "$2"', 'cat "$2" | "$0" apply "$1" no --plan - --print-plan',
                   '"$0" apply "$1" no --plan <(cat "$2") --print-plan'):
        done = subprocess.run(["bash", "-c", script, trajpack, source, plan], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, printed), done.stderr
    done = subprocess.run([trajpack, "apply", source, tmp_path / "no", "--plan", "-"], input="{", capture_output=True,
                          text=True)
    assert done.returncode != 0 and "standard input" in done.stderr and done.stderr.count("\n") == 1


def test_stopped_and_resumed(trajpack, tmp_path):
    """Of a run that is cut off only whole shards have the name of one, and --resume ends in the same bytes."""
    source = convert(trajpack, tmp_path, names="ba")
    options = ["--rate", "400", "--shard-size", "1KB", "--jobs", "1"]
    run(trajpack, "resample", source, tmp_path / "whole", *options)
    small, large = (p.stat().st_size for p in sorted((tmp_path / "whole").glob("*.h5")))
    assert small < large - 1024
    for done, most in enumerate((small - 512, large - 512)):

        def cut(most=most):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        folder = tmp_path / f"cut{done}"
        stopped = subprocess.run([trajpack, "resample", source, folder, *options], preexec_fn=cut, capture_output=True)
        assert stopped.returncode == 3 and len(list(folder.glob("shard*"))) == done
        if done:
            assert "--resume" in run(trajpack, "resample", source, folder, *options, code=2)
        run(trajpack, "resample", source, folder, *options, *["--resume"] * done)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
            p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()}


GOLDEN = sorted((ROOT / "fixtures" / "golden").glob("*/*"))
GOLDEN_ZSTD = ROOT / "fixtures" / "golden" / "zstd" / "specimen"


@pytest.mark.parametrize("dataset", GOLDEN, ids=lambda p: f"{p.parent.name}-{p.name}")
@pytest.mark.parametrize("words", [
    ["resample", "--rate", "7"], ["resample", "--rate", "40", "--origin", "zero", "--gap", ".1"],
    ["resample", "--rate", "3", "--bin", "auto", "--origin", "zero"],
    ["embed", "--channel", "kind:scalar", "--channel", "kind:position", "--tau=1", "--dimension=3", "--short=skip"],
    ["mask", "--channel", "kind:position", "--channel", "kind:label", "--channel", "kind:image", "--amount", ".5"],
    ["mask", "--mechanism", "rows", "--amount", ".5"]], ids=" ".join)
def test_every_feature_of_the_format(trajpack, dataset, words, tmp_path):
    """What is made of datasets with every kind, type and clock is a good dataset, that a second reader reads."""
    done = subprocess.run([trajpack, words[0], dataset / "dataset", tmp_path / "out", *words[1:]], capture_output=True,
                          text=True)
    if (dataset, words[1]) == (GOLDEN_ZSTD, "--mechanism"):      # its mask leaves a number that no hole can lie beside
        assert done.returncode == 1 and "numbers to 2^63" in done.stderr and not (tmp_path / "out").exists()
        return
    assert done.returncode == 0, done.stderr
    run(trajpack, "verify", tmp_path / "out")
    made = read_archive.reading(str(tmp_path / "out"))
    assert [e["id"] for s in made["shards"] for e in s["episodes"]] == [
        e["id"] for s in read_archive.reading(str(dataset / "dataset"))["shards"] for e in s["episodes"]]


def test_a_long_track_is_done_in_pieces(trajpack, tmp_path):
    """Pieces meet without a seam, and take memory that does not grow with the track."""
    steps = [{"step": "mask", "amount": .3, "seed": 5},
             {"step": "embed", "tau": 7, "dimension": 3, "direction": "backward"}]
    (tmp_path / "plan.json").write_text(json.dumps({"steps": steps}))
    script = ("import resource, subprocess, sys\ncode = subprocess.call(sys.argv[1:])\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(code)")
    peaks = {}
    for n in (500_000, 2_000_000):
        x = np.random.default_rng(3).normal(size=n).astype("f4")
        np.save(tmp_path / "long.npy", x)
        run(trajpack, "convert", tmp_path / "long.npy", tmp_path / "source", "--rate", 100, "--overwrite", "--level", 1)
        done = subprocess.run(
            [sys.executable, "-c", script, trajpack, "apply", tmp_path / "source", tmp_path / "out", "--plan",
             tmp_path / "plan.json", "--overwrite", "--jobs", "1", "--level", "1"],
            capture_output=True, text=True, check=True)
        peaks[n] = int(done.stdout.split()[-1])
        x[uniforms(5, key("long", "series", "", 0, "values"), n) < .3] = np.nan
        rows = np.arange(14, n)
        path, = read_archive.open_dataset(str(tmp_path / "out"))[0]
        shard = read_archive.Shard(path)
        values, _ = shard.numbers(shard.schema["streams"][0]["channels"][0], 0, n - 14)
        assert np.array_equal(values, np.stack([x[rows], x[rows - 7], x[rows - 14]], 1), equal_nan=True)
        assert shard.times(shard.tracks[0])[0]["start"] == "7/50"
    # KiB. All in memory, 1.5 million rows more would take at least 90 MiB more.
    assert peaks[2_000_000] - peaks[500_000] < 40_000, peaks


def test_every_option_is_explained(trajpack):
    guide = (ROOT / "docs" / "signal.md").read_text() + (ROOT / "docs" / "convert.md").read_text()
    for command in ("resample", "embed", "mask", "apply"):
        options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run(trajpack, command, "--help"), re.M))
        missing = options - {"--help", "--color", "--quiet"} - set(re.findall(r"--[a-z-]+", guide))
        assert len(options) > 10 and not missing, f"{command}: {missing}"
