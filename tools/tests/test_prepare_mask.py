"""`trajpack mask`: the Philox of numpy, and the same mask again from any number of threads."""
import json

import numpy as np
import pytest
from prepare_world import KINDS, RATE, ROWS, key, one, read, recording, run, same, uniforms


def test_masks_are_numpys_philox(made):
    out = made("mask", "--amount", .3, "--seed", 11, "--channel", "*/x", "--channel", "*/mode")
    for name in ROWS:
        data = recording(name)
        channels = one(out, name)[1]
        for channel in ("x", "mode"):
            seen = uniforms(11, key(name, "series", "", 0, channel), data[channel].size) >= .3
            assert np.array_equal(channels[channel][1].ravel(), seen)
            assert np.array_equal(channels[channel][0].ravel()[seen], data[channel].ravel()[seen])
    rows = made("mask", "--mechanism", "rows", "--amount", .5, "--seed", 2)
    for name in ROWS:
        philox = np.random.Philox(key=np.array([2, key(name, "series", "", 0, "")], "u8"))
        order = np.argsort(philox.random_raw(ROWS[name]), kind="stable")
        dropped = np.sort(order[:int(.5 * ROWS[name])])
        for channel, (_, seen) in one(rows, name)[1].items():
            if channel == "position":
                continue
            assert np.array_equal(np.flatnonzero(~seen.reshape(ROWS[name], -1).any(1)), dropped), channel


MECHANISMS = [
    ["--amount", ".4"], ["--mechanism", "exact", "--amount", ".4"], ["--mechanism", "rows", "--amount", ".3"],
    ["--mechanism", "kept-rows", "--amount", ".7"], ["--mechanism", "channels", "--count", "2"],
    ["--mechanism", "blocks", "--amount", ".2", "--length", "10", "--width", "2"],
    ["--mechanism", "value", "--amount", ".3", "--slope", "2"], ["--mechanism", "above", "--offset", "1"],
    ["--mechanism", "drivers", "--amount", ".3", "--driver", "series/angle=1.5"],
    ["--mechanism", "time", "--cycle", "7", "--phase", "1", "--seed", "5"]]


@pytest.mark.parametrize("how", MECHANISMS, ids=lambda h: " ".join(h))
def test_replay(trajpack, source, tmp_path, how):
    """The same bytes from any number of threads; and the same episode when others are not there."""
    run(trajpack, "mask", source, tmp_path / "one", "--jobs", 1, *how)
    run(trajpack, "mask", source, tmp_path / "four", "--jobs", 4, "--shard-size", "1KB", *how)
    assert same(read(tmp_path / "one"), read(tmp_path / "four"))
    run(trajpack, "mask", source, tmp_path / "again", "--jobs", 3, *how)
    assert (tmp_path / "one" / "shard-000000.h5").read_bytes() == (tmp_path / "again" / "shard-000000.h5").read_bytes()
    np.savez(tmp_path / "b.npz", **recording("b"))
    run(trajpack, "convert", tmp_path / "b.npz", tmp_path / "alone", "--rate", RATE, "--unit", "angle=rad",
        *[w for k in KINDS for w in ("--kind", k)])
    run(trajpack, "mask", tmp_path / "alone", tmp_path / "b", *how)
    all_of, alone = read(tmp_path / "one"), read(tmp_path / "b")
    assert same({k: v for k, v in all_of.items() if k[0] == "b"}, alone)
    assert not same({k: v for k, v in read(source).items() if k[0] == "b"}, alone), "nothing was taken away"
    # What is left is what was there.
    old = one(source, "b")[1]
    for name, (values, seen) in one(tmp_path / "b", "b")[1].items():
        assert np.array_equal(values[seen], old[name][0][seen].astype(values.dtype)), name
        assert not (seen & ~old[name][1]).any()


def test_masks_by_time_are_the_definition(made):
    """An entry stays with probability exp(3 sin(cycle t + phase)) / scale (pygrinder's mnar_t)."""
    out = made("mask", "--mechanism", "time", "--channel", "series/x", "--seed", 4)
    for name, rows in ROWS.items():
        keep = np.exp(3 * np.sin(20 * np.arange(rows) / (rows - 1) + 10)) / 3
        draws = uniforms(4, key(name, "series", "", 0, ""), rows * 3).reshape(rows, 3)
        seen = one(out, name)[1]["x"][1].reshape(rows, 3)
        assert np.array_equal(seen, draws < keep[:, None]) and .1 < seen.mean() < .9


def test_elapsed_is_what_cfc_counts(made, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [
        {"step": "mask", "channels": "series/x", "mechanism": "kept-rows", "amount": .6, "seed": 1},
        {"step": "elapsed", "channels": "series/x"},
        {"step": "elapsed", "channels": "series/x", "unit": "time", "name": "dt"}]}))
    out = made("apply", "--plan", plan)
    for name, rows in ROWS.items():
        channels = one(out, name)[1]
        kept = np.flatnonzero(channels["x"][1].reshape(rows, 3).any(1))
        elapsed = channels["elapsed"][0].ravel()
        # CfC's loop: what lies between one kept step and the next, the first counted from before the recording.
        assert np.array_equal(elapsed[kept], np.diff(kept, prepend=-1)) and elapsed.max() > 2
        before = np.searchsorted(kept, np.arange(rows)) - 1
        last = np.where(before >= 0, kept[before], 0)
        np.testing.assert_allclose(channels["dt"][0].ravel(), (np.arange(rows) - last) / RATE, atol=1e-12)


def test_paths_are_torchcdes_layout(made, tmp_path):
    """Natural: scipy's spline through the observations, piece by piece. Rectilinear: torchcde's loop."""
    from scipy.interpolate import CubicSpline
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [
        {"step": "mask", "channels": "series/x", "amount": .5, "seed": 3},
        {"step": "path", "channels": "series/position"},
        {"step": "path", "channels": "series/position", "method": "hermite", "suffix": ".hermite"},
        {"step": "path", "channels": "series/x", "method": "rectilinear", "look_ahead": True}]}))
    out = made("apply", "--plan", plan)
    for name, rows in ROWS.items():
        t, channels = one(out, name)
        position, path = channels["position"][0], channels["position.path"][0].reshape(rows, 4, 2)
        hermite = channels["position.hermite"][0].reshape(rows, 4, 2)
        for c in range(2):
            known = ~np.isnan(position[:, c])
            spline = CubicSpline(t[known], position[known, c], bc_type="natural")
            np.testing.assert_allclose(path[:-1, 0, c], spline(t[:-1]), atol=1e-9)
            np.testing.assert_allclose(path[:-1, 1, c], spline(t[:-1], 1), atol=1e-6)
            np.testing.assert_allclose(path[:-1, 2, c], spline(t[:-1], 2), atol=1e-4)
            half = .5 / RATE
            for p, at in ((path, spline(t[:-1] + half)), (hermite, None)):
                value = p[:, 0, c] + half * (p[:, 1, c] + half * (p[:, 2, c] / 2 + half * p[:, 3, c] / 3))
                if at is not None:
                    np.testing.assert_allclose(value[:-1], at, atol=1e-9)
                # The last row goes on: its own value is the observation, and nothing breaks there.
                assert abs(p[-1, 0, c] - position[-1, c]) < 1e-12
            filled = np.interp(t, t[known], position[known, c])
            slopes = np.diff(filled) * RATE
            np.testing.assert_allclose(hermite[:-1, 0, c], filled[:-1], atol=1e-12)
            np.testing.assert_allclose(hermite[1:-1, 1, c], slopes[:-1], atol=1e-7)
        x, jump = channels["x"][0].reshape(rows, 3).copy(), channels["x.path"][0].reshape(rows, 2, 3)
        for c in range(3):
            known = np.flatnonzero(~np.isnan(x[:, c]))
            x[:, c] = x[known[np.maximum(np.searchsorted(known, np.arange(rows), "right") - 1, 0)], c]
        assert np.array_equal(jump[:, 1], x) and np.array_equal(jump[1:, 0], x[:-1])
        assert np.array_equal(jump[0], x[[0, 0]])


def test_what_no_path_goes_through(trajpack, source, tmp_path):
    plan = tmp_path / "plan.json"
    gone = {"step": "mask", "channels": "series/x", "mechanism": "kept-rows", "amount": 0}
    for path, sentence in [({"channels": "series/x"}, "episode 'a', stream 'series': channel 'x': component 0 has no"),
                           ({"channels": "series/q"}, "quaternion, through which no line goes"),
                           ({"channels": "series/x", "method": "rectilinear"}, "no observation")]:
        plan.write_text(json.dumps({"steps": [gone, {"step": "path", **path}]}))
        code = 1 if "component" in sentence or "observation" in sentence else 2
        assert sentence in " ".join(run(trajpack, "apply", source, tmp_path / "out", "--plan", plan, code=code).split())
        assert not (tmp_path / "out").exists()
    plan.write_text(json.dumps({"steps": [
        {"step": "mask", "channels": "series/x", "amount": .9, "seed": 1},
        {"step": "path", "channels": "series/x", "method": "rectilinear", "unobserved": "missing"}]}))
    run(trajpack, "apply", source, tmp_path / "late", "--plan", plan)
    for name, rows in ROWS.items():
        channels = one(tmp_path / "late", name)[1]
        first = channels["x"][1].reshape(rows, 3).argmax(0)
        seen = channels["x.path"][1].reshape(rows, 2, 3)
        assert first.max() > 0
        for c in range(3):
            assert seen[:, 1, c].argmax() == first[c] and seen[:, 1, c].sum() == rows - first[c]


def test_time_since(made, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [
        {"step": "mask", "channels": "series/x", "amount": .5, "seed": 1},
        {"step": "time_since", "channels": "series/x"}, {"step": "select", "channels": "series/x*"}]}))
    for name in ROWS:
        channels = one(made("apply", "--plan", plan), name)[1]
        assert set(channels) == {"x", "x.since"}
        seen, since = channels["x"][1], np.zeros((ROWS[name], 3))
        for i in range(1, ROWS[name]):
            since[i] = 1 / RATE + np.where(seen[i - 1], 0, since[i - 1])
        np.testing.assert_allclose(channels["x.since"][0], since, atol=1e-12)
