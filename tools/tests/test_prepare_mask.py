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
    ["--mechanism", "drivers", "--amount", ".3", "--driver", "series/angle=1.5"]]


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
