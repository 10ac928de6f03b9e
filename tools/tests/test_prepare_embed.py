"""`trajpack embed` against shifts and histograms of numpy."""
import json
import signal
import subprocess

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from prepare_world import RATE, ROWS, one, recording, run


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_embedding_is_a_stack_of_shifts(made, direction):
    out = made("embed", "--channel", "*/x", "--channel", "*/position", "--tau", 5, "--tau", "*/x=3",
               "--dimension", 4, "--direction", direction)
    sign = 1 if direction == "forward" else -1
    for name in ROWS:
        data, n = recording(name), ROWS[name]
        times, channels = one(out, name)
        rows = np.arange(0, n - 15) if sign > 0 else np.arange(15, n)
        assert np.array_equal(times, rows / RATE)
        for channel, lag in (("x", 3), ("position", 5)):
            wanted = np.stack([data[channel][rows + sign * k * lag] for k in range(4)], 1)
            assert np.array_equal(channels[channel][0], wanted, equal_nan=True)
        assert np.array_equal(channels["mode"][0], data["mode"][rows])


def test_coordinates(made):
    coordinates = ["series/x[1]:0", "series/x[0]:-4", "series/angle:9"]
    out = made("embed", *[w for c in coordinates for w in ("--coordinate", c)])
    for name in ROWS:
        data, rows = recording(name), np.arange(4, ROWS[name] - 9)
        wanted = np.stack([data["x"][rows, 1], data["x"][rows - 4, 0], data["angle"][rows + 9]], 1)
        assert np.array_equal(one(out, name)[1]["embedding"][0], wanted)


def test_no_vector_reaches_over_a_gap(made, irregular):
    table = pd.read_csv(ROOT / "fixtures" / "series" / "irregular.tsv", sep="\t")
    t = table["time"].to_numpy()
    out = made("embed", "--channel", "*/pressure", "--tau", 1, "--dimension", 2, "--gap", ".15", of=irregular)
    times, channels = one(out, "irregular")
    rows = np.flatnonzero(np.diff(t) <= .15)
    assert 0 < len(rows) < len(t) - 1
    assert np.array_equal(times, t[rows])
    x = table["pressure"].to_numpy()
    assert np.array_equal(channels["pressure"][0], np.stack([x[rows], x[rows + 1]], 1), equal_nan=True)


def lorenz(n, start):
    state, rows = np.array(start, float), []
    for _ in range(n):
        slopes = []
        for share in (0, .5, .5, 1):
            x, y, z = state + share * .02 * (slopes[-1] if slopes else 0)
            slopes.append(np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]))
        state = state + .02 / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3])
        rows.append(state[0])
    return np.array(rows)


def mutual_information(parts, lag, bins):
    x = np.concatenate([p[:len(p) - lag] for p in parts])
    y = np.concatenate([p[lag:] for p in parts])
    p = np.histogram2d(x, y, bins)[0] / len(x)
    outer = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    return (p[p > 0] * np.log2(p[p > 0] / outer[p > 0])).sum()


def test_auto_pools_recordings_without_joining_them(trajpack, tmp_path):
    parts = [lorenz(1500, (1, 1, 25)), lorenz(900, (-8, -9, 27))]
    for i, part in enumerate(parts):
        np.save(tmp_path / f"r{i}.npy", part)
    run(trajpack, "convert", tmp_path / "r0.npy", tmp_path / "r1.npy", tmp_path / "source", "--rate", 50)
    options = ["--bins", 32, "--max-tau", 30, "--report", tmp_path / "r.json"]
    shown = run(trajpack, "embed", tmp_path / "source", tmp_path / "out", *options)
    choice = json.loads((tmp_path / "r.json").read_text())["choices"][0]
    pooled, *each = choice["estimates"]
    assert [e["episode"] for e in each] == ["r0", "r1"] and [e["rows"] for e in each] == [1500, 900]
    for entry, of in [(pooled, parts), (each[0], parts[:1]), (each[1], parts[1:])]:
        curve = np.array([mutual_information(of, lag, 32) for lag in range(31)])
        np.testing.assert_allclose(entry["by_lag"], curve, atol=1e-9)
        inner = np.flatnonzero((curve[1:-1] < curve[:-2]) & (curve[1:-1] < curve[2:])) + 1
        assert entry["tau"] == inner[0]
    tau, dimension = pooled["tau"], pooled["dimension"]
    assert dimension == 3 and f"tau {tau}, dimension 3" in shown and "all together" in shown
    for i, part in enumerate(parts):
        rows = np.arange(len(part) - 2 * tau)
        values = one(tmp_path / "out", f"r{i}")[1]["values"][0]
        assert np.array_equal(values, np.stack([part[rows + k * tau] for k in range(3)], 1))
    # The plan that the dataset carries has the numbers, so that it runs without a search.
    plan = json.loads(run(trajpack, "info", tmp_path / "out", "--plan"))["steps"][0]
    assert (plan["tau"], plan["dimension"]) == (tau, dimension)


def conventions(trajpack, dataset, channel):
    streams = json.loads(run(trajpack, "info", dataset, "--json"))["streams"]
    return next(c for s in streams for c in s["channels"] if c["name"] == channel).get("conventions", {})


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("first", [
    {"channels": ["series/angle"], "tau": 3, "dimension": 4},
    {"coordinates": [{"channel": "series/angle", "lag": 0}, {"channel": "series/x", "element": 1, "lag": 5}],
     "name": "made"}], ids=["uniform", "coordinates"])
def test_an_embedded_channel_is_embedded_again(trajpack, source, tmp_path, first, together):
    """`delays` are the newest embedding's, which is the first axis; `of` named what is now within."""
    name = first.get("name", "angle")
    again = {"step": "embed", "channels": [f"series/{name}"], "tau": 2, "dimension": 2, "direction": "backward"}
    parts = [[{"step": "embed", **first}, again]] if together else [[{"step": "embed", **first}], [again]]
    out = source
    for i, steps in enumerate(parts):
        (tmp_path / "plan.json").write_text(json.dumps({"steps": steps}))
        run(trajpack, "apply", out, tmp_path / f"out{i}", "--plan", tmp_path / "plan.json")
        out = tmp_path / f"out{i}"
    run(trajpack, "verify", out)
    assert conventions(trajpack, out, name) == {"delays": [0, -2]}
    for episode, n in ROWS.items():
        data = recording(episode)
        if "name" in first:
            once = np.stack([data["angle"][:n - 5], data["x"][5:, 1]], 1)
        else:
            once = np.stack([data["angle"][3 * k:n - 9 + 3 * k] for k in range(4)], 1)
        rows = np.arange(2, len(once))
        assert np.array_equal(one(out, episode)[1][name][0], np.stack([once[rows], once[rows - 2]], 1))


@pytest.mark.parametrize("options", [
    ["--method", "pecuzal", "--max-tau", 400], ["--method", "mdop", "--max-tau", 4000],
    ["--tau-by", "ami-ksg", "--max-tau", 4000]], ids=["pecuzal", "mdop", "ksg"])
def test_a_stop_within_the_search(trajpack, start, tmp_path, options):
    """A signal while lags are looked for ends the search, not only what follows; nothing is left."""
    np.save(tmp_path / "long.npy", np.cumsum(np.random.default_rng(0).normal(size=(40_000, 3)), 0))
    run(trajpack, "convert", tmp_path / "long.npy", tmp_path / "long", "--rate", 50)
    process = start([trajpack, "embed", tmp_path / "long", tmp_path / "out", "--rows", 40_000, *options],
                    stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert "looking at" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130 and printed == "" and "stopped while looking; nothing was written" in said
    assert not (tmp_path / "out").exists()
