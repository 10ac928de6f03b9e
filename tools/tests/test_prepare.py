"""`trajpack resample`, `embed`, `mask` and `apply` against numpy, scipy and pandas on values that plain h5py reads."""
import hashlib
import json
import re
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import read_archive
import scipy.interpolate as si
import scipy.signal as ss
from conftest import ROOT
from jsonschema import Draft202012Validator
from scipy.spatial.transform import Rotation, Slerp

RATE = 100
ROWS = {"a": 400, "b": 257}


def run(trajpack, *arguments, code=0):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def read(folder):
    """By episode, stream and entity: times, and each channel's values with what was observed."""
    found = {}
    for name in read_archive.open_dataset(str(folder))[0]:
        shard = read_archive.Shard(name)
        for row in shard.episodes.tolist():
            for n in range(row[5], row[5] + row[6]):
                track = shard.tracks[n]
                stream = shard.schema["streams"][track[1]]
                entity = tuple(shard.entities[track[2]].tolist()) if track[2] >= 0 else None
                _, time = shard.times(track)
                key = (shard.string(row[0], row[1]), stream["name"], entity)
                found.setdefault(key, []).append((
                    np.array([float(time(i)) for i in range(track[5])]),
                    {c["name"]: shard.numbers(c, int(track[4]), int(track[5]))
                     for c in stream["channels"] if c["type"] != "bytes" and c["name"] != "time"}))
    return found


def one(folder, episode):
    """The only track of an episode: times, and channels."""
    tracks = [t for key, ts in read(folder).items() if key[0] == episode for t in ts]
    assert len(tracks) == 1
    return tracks[0]


def same(a, b):
    return set(a) == set(b) and all(
        len(a[k]) == len(b[k]) and all(
            np.array_equal(s[0], t[0]) and set(s[1]) == set(t[1]) and all(
                np.array_equal(s[1][c][0], t[1][c][0], equal_nan=s[1][c][0].dtype.kind == "f")
                and np.array_equal(s[1][c][1], t[1][c][1]) for c in s[1])
            for s, t in zip(a[k], b[k])) for k in a)


def recording(name):
    """A channel of each kind; position misses some entries."""
    n = ROWS[name]
    random = np.random.default_rng(len(name) + n)
    t = np.arange(n) / RATE
    walk = np.cumsum(random.normal(size=(n, 4)) * .05, 0) + [1, 0, 0, 0]
    position = np.stack([np.sin(t * 9), np.cos(t * 7)], 1)
    position[20:25, 0] = np.nan
    turn = np.cumsum(random.normal(size=n) * .4)
    direction = np.stack([np.cos(turn / 3), np.sin(turn / 3), .3 + 0 * t], 1)
    return {
        "x": np.stack([np.sin(t * 30), np.cos(t * 11), t ** 2], 1).astype("f4"), "position": position,
        "q": walk / np.linalg.norm(walk, axis=1, keepdims=True), "angle": (turn + np.pi) % (2 * np.pi) - np.pi,
        "direction": direction / np.linalg.norm(direction, axis=1, keepdims=True),
        "mode": (np.arange(n) // 7 % 5).astype("i2"), "hit": (random.random(n) < .1).astype("u1")}


KINDS = ["position=position", "q=quaternion", "angle=angle", "direction=direction", "mode=label", "hit=event"]


@pytest.fixture(scope="module")
def source(trajpack, tmp_path_factory):
    work = tmp_path_factory.mktemp("prepare")
    for name in ROWS:
        np.savez(work / f"{name}.npz", **recording(name))
    kinds = [w for k in KINDS for w in ("--kind", k)]
    run(trajpack, "convert", work / "a.npz", work / "b.npz", work / "source", "--rate", RATE, "--unit", "angle=rad",
        *kinds)
    return work / "source"


@pytest.fixture
def made(trajpack, source, tmp_path):
    """Runs a command on the source, and reads what it makes."""
    def make(command, *options, of=source):
        run(trajpack, command, of, tmp_path / "out", "--overwrite", *options)
        run(trajpack, "verify", tmp_path / "out")
        return tmp_path / "out"
    return make


def slerp(t, q, at):
    return Slerp(t, Rotation.from_quat(q))(at).as_quat()


def test_kinds_have_their_own_paths(made):
    out = made("resample", "--rate", 30, "--no-anti-alias")
    for name in ROWS:
        data, t = recording(name), np.arange(ROWS[name]) / RATE
        times, channels = one(out, name)
        assert np.array_equal(times, np.arange(int(t[-1] * 30) + 1) / 30)
        x = np.stack([np.interp(times, t, c) for c in data["x"].T.astype("f8")], 1)
        np.testing.assert_allclose(channels["x"][0], x, atol=2e-7)
        assert channels["x"][0].dtype == "f4"
        for c in range(2):
            good = ~np.isnan(data["position"][:, c])
            np.testing.assert_allclose(
                channels["position"][0][:, c], np.interp(times, t[good], data["position"][good, c]), atol=1e-12)
        q, mine = slerp(t, data["q"], times), channels["q"][0]
        np.testing.assert_allclose(np.abs((q * mine).sum(1)), 1, atol=1e-12)
        assert ((mine[1:] * mine[:-1]).sum(1) > 0).all(), "a sign flips"
        angle = np.interp(times, t, np.unwrap(data["angle"]))
        np.testing.assert_allclose(np.exp(1j * channels["angle"][0]), np.exp(1j * angle), atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(channels["direction"][0], axis=1), 1, atol=1e-12)
        before = np.searchsorted(t, times + 1e-12, "right") - 1
        assert np.array_equal(channels["mode"][0], data["mode"][before])
        total = np.cumsum(data["hit"])
        assert np.array_equal(channels["hit"][0], np.diff(total[before], prepend=0))


@pytest.mark.parametrize("method, spline", [
    ("pchip", si.PchipInterpolator), ("akima", si.Akima1DInterpolator), ("not-a-knot", si.CubicSpline),
    ("natural", lambda t, x: si.CubicSpline(t, x, bc_type="natural")),
    ("makima", lambda t, x: si.Akima1DInterpolator(t, x, method="makima"))])
def test_splines_are_scipys(made, method, spline):
    out = made("resample", "--rate", 77, "--method", f"kind:position={method}", "--no-anti-alias")
    for name in ROWS:
        times, channels = one(out, name)
        x, t = recording(name)["position"], np.arange(ROWS[name]) / RATE
        for c in range(2):
            good = ~np.isnan(x[:, c])
            np.testing.assert_allclose(channels["position"][0][:, c], spline(t[good], x[good, c])(times), atol=1e-11)


def test_going_down_is_filtered(made):
    out = made("resample", "--rate", 50)
    for name in ROWS:
        x = recording(name)["x"].astype("f8")
        wanted = ss.resample_poly(x, 1, 2, padtype="line")
        mine = one(out, name)[1]["x"][0]
        np.testing.assert_allclose(mine[15:-15], wanted[15:len(mine) - 15], atol=1e-6)
        report = metadata(out)[name]["prepared"][-1]["tracks"][0]
        assert any("polyphase up 1 down 2" in note for note in report["notes"])


def metadata(folder):
    return {e["id"]: e["metadata"] for name in read_archive.open_dataset(str(folder))[0]
            for e in read_archive.Shard(name).episodes_reading()}


def test_up_and_down_are_resample_poly(made):
    out = made("resample", "--up", 3, "--down", 2, "--method", "*=auto", "--method", "kind:scalar=polyphase",
               "--padding", "zero")
    for name in ROWS:
        mine = one(out, name)[1]["x"][0]
        wanted = ss.resample_poly(recording(name)["x"].astype("f8"), 3, 2)
        np.testing.assert_allclose(mine, wanted[:len(mine)], rtol=1e-5, atol=1e-6)


def test_bins_are_pandas(made):
    out = made("resample", "--rate", 8, "--bin", "auto", "--bin", "*/position=max", "--label", "right")
    for name in ROWS:
        data = recording(name)
        times, channels = one(out, name)
        bins = np.arange(ROWS[name]) * 8 // RATE
        frame = pd.DataFrame(data["x"].astype("f8")).groupby(bins).mean()
        np.testing.assert_allclose(channels["x"][0], frame.to_numpy(), atol=1e-6)
        assert np.array_equal(channels["position"][0], pd.DataFrame(data["position"]).groupby(bins).max())
        assert np.array_equal(channels["mode"][0], pd.Series(data["mode"]).groupby(bins).last())
        assert np.array_equal(channels["hit"][0], pd.Series(data["hit"]).groupby(bins).sum())
        assert np.array_equal(times, (frame.index + 1) / 8)


@pytest.fixture(scope="module")
def irregular(trajpack, tmp_path_factory):
    out = tmp_path_factory.mktemp("irregular") / "source"
    run(trajpack, "convert", ROOT / "fixtures" / "series" / "irregular.tsv", out)
    return out


def test_irregular_times(made, irregular):
    table = pd.read_csv(ROOT / "fixtures" / "series" / "irregular.tsv", sep="\t")
    t = table["time"].to_numpy()
    out = made("resample", "--rate", 20, "--origin", "zero", "--gap", ".5", "--no-anti-alias", of=irregular)
    times, channels = one(out, "irregular")
    np.testing.assert_allclose(times, np.arange(np.ceil(t[0] * 20), np.floor(t[-1] * 20) + 1) / 20, atol=1e-12)
    for name in ("pressure", "flow"):
        x = table[name].to_numpy()
        good = ~np.isnan(x)
        knots = t[good]
        wanted = np.interp(times, knots, x[good])
        right = np.searchsorted(knots, times, "left").clip(1, len(knots) - 1)
        wide = (np.diff(knots)[right - 1] > .5) & ~np.isin(times, knots)
        outside = (times < knots[0]) | (times > knots[-1])
        seen = channels[name][1]
        assert np.array_equal(seen, ~(wide | outside))
        np.testing.assert_allclose(channels[name][0][seen], wanted[seen], atol=1e-12)


def test_quantise(made, irregular, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "quantise", "quantum": "1/4"}]}))
    times, channels = one(made("apply", "--plan", plan, of=irregular), "irregular")
    table = pd.read_csv(ROOT / "fixtures" / "series" / "irregular.tsv", sep="\t")
    frame = table.groupby(np.round(table["time"] * 4)).mean()
    assert np.array_equal(times, frame.index / 4)
    np.testing.assert_allclose(channels["flow"][0], frame["flow"], atol=1e-12)


def test_onto_another_stream(trajpack, tmp_path, made):
    run(trajpack, "convert", ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww")
    run(trajpack, "resample", tmp_path / "ww", tmp_path / "coarse", "--stream", "camera", "--rate", 7)
    before, camera = read(tmp_path / "ww"), read(tmp_path / "coarse")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "align", "streams": ["npc", "monster"], "onto": "camera"}]}))
    aligned = read(made("apply", "--plan", plan, of=tmp_path / "coarse"))
    checked = 0
    for key, tracks in aligned.items():
        if key[1] not in ("npc", "monster"):
            assert same({key: tracks}, {key: camera[key]})
            continue
        clock = camera[key[0], "camera", None][0][0]
        for (times, channels), (t, old) in zip(tracks, before[key], strict=True):
            # An entity has rows where it is present, and no others.
            inside = (clock >= t[0]) & (clock <= t[-1])
            assert np.array_equal(times, clock[inside])
            old_rows = pd.DataFrame({"t": t, "row": range(len(t))})
            rows = pd.merge_asof(pd.DataFrame({"t": times}), old_rows, on="t")["row"]
            for name, (values, observed) in channels.items():
                wanted, seen = old[name][0][rows], old[name][1][rows]
                assert np.array_equal(observed, seen)
                assert np.array_equal(values[seen], wanted[seen])
                checked += 1
    assert checked > 20
    options = json.loads((tmp_path / "out" / "manifest.json").read_text())["source"]["options"]
    assert options["source_digest"] == json.loads((tmp_path / "coarse" / "manifest.json").read_text())["digest"]
    assert options["source"]["options"]["plan"]["steps"][0]["rate"] == 7, "the source's own origin is kept"


def test_same_clock_is_the_identity(trajpack, source, tmp_path, made):
    assert same(read(made("resample", "--rate", RATE)), read(source)), "numbers of events that are 0 or 1 are counts"
    run(trajpack, "convert", ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww")
    run(trajpack, "resample", tmp_path / "ww", tmp_path / "same", "--rate", 30)
    assert "equal" in run(trajpack, "diff", tmp_path / "ww", tmp_path / "same")


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


def key(*words):
    """The second word of a Philox key, as docs/signal.md says it."""
    digest = hashlib.sha256("".join(f"{w}\0" for w in words).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def uniforms(seed, word, count):
    raw = np.random.Philox(key=np.array([seed, word], "u8")).random_raw(count)
    return (raw >> np.uint64(11)) * 2.0 ** -53


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


def test_a_plan_goes_round(trajpack, source, tmp_path):
    run(trajpack, "resample", source, tmp_path / "one", "--rate", "29.97", "--report", tmp_path / "report.json")
    plan = run(trajpack, "info", tmp_path / "one", "--plan")
    (tmp_path / "plan.json").write_text(plan)
    run(trajpack, "apply", source, tmp_path / "two", "--plan", tmp_path / "plan.json")
    assert (tmp_path / "one" / "manifest.json").read_text() == (tmp_path / "two" / "manifest.json").read_text()
    assert run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan") == plan
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["plan"] == json.loads(plan) and [e["episode"] for e in report["episodes"]] == list(ROWS)
    assert all(t["rows"] > 0 and t["notes"] for e in report["episodes"] for t in e["tracks"])
    assert "prepared by resample" in run(trajpack, "info", tmp_path / "one")


def test_stopped_and_resumed(trajpack, source, tmp_path):
    """A run that is cut off leaves nothing under the name of a shard, and --resume ends in the same bytes."""
    options = ["--rate", "400", "--shard-size", "1KB"]
    run(trajpack, "resample", source, tmp_path / "whole", *options)
    sizes = [p.stat().st_size for p in sorted((tmp_path / "whole").glob("*.h5"))]

    def cut():
        resource.setrlimit(resource.RLIMIT_FSIZE, (min(sizes) - 512, min(sizes) - 512))

    done = subprocess.run([trajpack, "resample", source, tmp_path / "cut", *options], preexec_fn=cut,
                          capture_output=True)
    assert done.returncode == 3 and not list((tmp_path / "cut").glob("shard*"))
    run(trajpack, "resample", source, tmp_path / "cut", *options)
    for p in (tmp_path / "whole").iterdir():
        assert (tmp_path / "cut" / p.name).read_bytes() == p.read_bytes()


@pytest.mark.parametrize("words, code, sentence", [
    (["resample"], 2, "must say once where to go"),
    (["resample", "--rate", "0"], 2, "rate above 0"),
    (["resample", "--rate", "5", "--onto", "series"], 2, "must say once where to go"),
    (["resample", "--rate", "5", "--stream", "serie"], 2, "there is no stream 'serie'; did you mean 'series'?"),
    (["resample", "--onto", "camera"], 2, "there is no stream 'camera'"),
    (["resample", "--rate", "5", "--bin", "mean"], 2, "'series/q': the mean of values of kind quaternion means"),
    (["resample", "--rate", "5", "--method", "series/mode=linear"], 2, "'series/mode': a channel of kind label"),
    (["resample", "--rate", "5", "--method", "linera"], 2, "did you mean 'linear'?"),
    (["resample", "--rate", "5", "--method", "kind:quaternion=squad"], 2, "their order is not declared"),
    (["resample", "--rate", "5", "--gap=-1"], 2, "gap is \"-1\", but must be a length of time"),
    (["embed", "--channel", "series/mode", "--tau", "1", "--dimension", "2"], 2, "is label, whose delays mean nothing"),
    (["embed", "--tau", "100", "--dimension", "4"], 2,
     "episode 'b', stream 'series': 257 rows in a run, and a vector spans 301"),
    (["embed", "--coordinate", "series/x[3]:1"], 2, "coordinate 3 of 'series/x' is no number"),
    (["mask", "--amount", "1.5"], 2, "from 0 to 1"),
    (["mask", "--mechanism", "channels", "--count", "99"], 2, "99 of"),
    (["mask", "--mechanism", "blocks", "--amount", ".5", "--length", "300"], 2, "episode 'b'"),
    (["mask", "--mechanism", "drivers", "--amount", ".5"], 2, "has no drivers"),
    (["mask", "--amount", ".5", "--length", "3"], 2, "has no member 'length'"),
    (["apply"], 2, "--plan"),
    (["apply", "--plan", "/nowhere"], 3, "/nowhere"),
])
def test_refusals(trajpack, source, tmp_path, words, code, sentence):
    done = subprocess.run([trajpack, words[0], source, tmp_path / "out", *words[1:]], capture_output=True, text=True)
    assert done.returncode in (2, 3) and sentence in done.stderr, done.stderr
    assert not (tmp_path / "out").exists(), "something was left behind"


def test_the_source_is_never_written(trajpack, source):
    before = {p.name: p.read_bytes() for p in source.iterdir()}
    for destination, path in [(source, source), (source, source / "shard-000000.h5"), (f"{source}/.", source)]:
        assert "is the source itself" in run(
            trajpack, "mask", path, destination, "--amount", 1, "--overwrite", code=2)
    assert before == {p.name: p.read_bytes() for p in source.iterdir()}


def test_times_that_go_back_are_refused(trajpack, tmp_path):
    (tmp_path / "bad.csv").write_text("time,x\n0,1\n1,2\n1,3\n2.5,4\n")
    run(trajpack, "convert", tmp_path / "bad.csv", tmp_path / "bad")
    error = run(trajpack, "resample", tmp_path / "bad", tmp_path / "out", "--rate", 2, code=1)
    assert "episode 'bad'" in error and "do not increase at row 2" in error and not (tmp_path / "out").exists()


GOLDEN = sorted((ROOT / "fixtures" / "golden").glob("*/*"))


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
    if "numbers to 2^63" in done.stderr:
        assert done.returncode == 1 and not (tmp_path / "out").exists()
        return
    assert done.returncode == 0, done.stderr
    run(trajpack, "verify", tmp_path / "out")
    made = read_archive.reading(str(tmp_path / "out"))
    assert [e["id"] for s in made["shards"] for e in s["episodes"]] == [
        e["id"] for s in read_archive.reading(str(dataset / "dataset"))["shards"] for e in s["episodes"]]


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


SCHEMA = json.loads((ROOT / "schemas" / "plan.schema.json").read_text())
WRONG = [
    {}, {"steps": {}}, {"steps": [], "sed": 1}, {"version": 2, "steps": []}, {"steps": [{}]},
    {"steps": [{"step": "resampel"}]},
    *({"steps": [step]} for step in (
        {"step": "resample"}, {"step": "resample", "rate": 0}, {"step": "resample", "rate": 1, "onto": "series"},
        {"step": "resample", "rate": 1, "label": "left"}, {"step": "resample", "up": 2, "origin": "zero"},
        {"step": "resample", "rate": 1, "bin": "mean", "method": "auto"}, {"step": "resample", "rate": 1, "gap": -1},
        {"step": "resample", "rate": 1, "method": "line"}, {"step": "resample", "times": []},
        {"step": "align"}, {"step": "align", "onto": "series", "direction": "sideways"}, {"step": "quantise"},
        {"step": "quantise", "quantum": "0.1s"}, {"step": "embed", "tau": 0}, {"step": "embed", "coordinates": []},
        {"step": "embed", "coordinates": [{"channel": "series/x"}], "tau": 3}, {"step": "embed", "name": "x"},
        {"step": "mask"}, {"step": "mask", "amount": 1.1}, {"step": "mask", "amount": .1, "count": 1},
        {"step": "mask", "mechanism": "channels"}, {"step": "mask", "mechanism": "listed", "rows": {"a": [-1]}},
        {"step": "mask", "mechanism": "above", "amount": .1}, {"step": "mask", "amount": .1, "seed": -1},
        {"step": "mask", "mechanism": "drivers", "amount": .1}, {"step": "select"}, {"step": "select", "channels": []},
        {"step": "normalize", "method": "max"}, {"step": "time_since", "suffix": ""},
        {"step": "normalize", "constants": {"series/x": {"shift": [1]}}}))]


@pytest.mark.parametrize("plan", WRONG, ids=json.dumps)
def test_schema_and_program_refuse_the_same(trajpack, source, tmp_path, plan):
    assert not Draft202012Validator(SCHEMA).is_valid(plan)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert "plan.json" in run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan", code=2)


def test_schema_takes_what_is_printed(trajpack, source, tmp_path):
    """The examples of the schema run where the streams are there; the canonical form is good and a fixed point."""
    validator, seen = Draft202012Validator(SCHEMA), 0
    for part in SCHEMA["$defs"].values():
        for step in part.get("examples", []):
            if not isinstance(step, dict):
                continue
            text = re.sub(r'"(eeg|camera|state|lorenz|skeleton/\*)"', '"series"', json.dumps({"steps": [step]}))
            text = text.replace('"onto": "series"', '"times": [0, 1]') if '"resample"' in text else text
            text = re.sub(r"(lorenz|state)/", "series/", text).replace("/hp", "/x").replace("series/z", "series/angle")
            (tmp_path / "plan.json").write_text(text.replace('"train"', '"all"'))
            if '"normalize"' in text:
                continue
            printed = run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan")
            assert not list(validator.iter_errors(json.loads(printed))), printed
            (tmp_path / "plan.json").write_text(printed)
            assert run(trajpack, "apply", source, "x", "--plan", tmp_path / "plan.json", "--print-plan") == printed
            seen += 1
    assert seen >= 10


def test_every_option_is_explained(trajpack):
    guide = (ROOT / "docs" / "signal.md").read_text() + (ROOT / "docs" / "convert.md").read_text()
    for command in ("resample", "embed", "mask", "apply"):
        options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run(trajpack, command, "--help"), re.M))
        missing = options - {"--help", "--color", "--quiet"} - set(re.findall(r"--[a-z-]+", guide))
        assert len(options) > 10 and not missing, f"{command}: {missing}"


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


@pytest.mark.parametrize("words,said", [
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/xx=2"), "'a/x'"),
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/x=1", "--channel", "a/x"),
     "no channel is left to mask"),
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/x=1", "--channel", "a/hit",
      "--driver", "a/hit=1"), "no channel is left to mask"),
    (("embed", "--tau", "a/nope=4"), "no channel 'a/nope'"),
    (("embed", "--channel", "a/x", "--tau", "2", "--dimension", "a/xx=3", "--dimension", "2"), "mean 'a/x'"),
    (("embed", "--channel", "a/x", "--dimension", "2", "--tau", "a/hit=3", "--tau", "2"), "leaves 'a/hit' alone"),
    (("resample", "--rate", "50", "--method", "a/xx=linear"), "mean 'a/x'"),
    (("resample", "--rate", "50", "--bin", "a/modes=max"), "mean 'a/mode'"),
    (("resample", "--rate", "50", "--method", "q=slerp"), "no channel 'q'"),
])
def test_names_that_match_nothing_are_refused(trajpack, source, tmp_path, words, said):
    stream = next(key[1] for key in read(source))
    words = [w.replace("a/", f"{stream}/") for w in words]
    said = said.replace("a/", f"{stream}/")
    done = run(trajpack, words[0], source, tmp_path / "out", *words[1:], code=2)
    assert said in done and not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", [
    {"step": "resample", "rate": 50, "method": {"nope/x": "linear"}},
    {"step": "resample", "rate": 50, "bin": {"nope/x": "max"}},
    {"step": "embed", "tau": {"nope/x": 3}, "dimension": 2},
    {"step": "embed", "tau": 2, "dimension": {"nope/x": 3}},
    {"step": "mask", "mechanism": "drivers", "amount": .5, "drivers": {"nope/x": 1}}])
def test_plan_members_that_match_nothing_are_refused(trajpack, source, tmp_path, step):
    (tmp_path / "plan.json").write_text(json.dumps({"steps": [step]}))
    done = run(trajpack, "apply", source, tmp_path / "out", "--plan", tmp_path / "plan.json", code=2)
    assert "there is no channel 'nope/x'" in done and step["step"] in done
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_refused_first(trajpack, source, tmp_path):
    (tmp_path / "plan.json").write_text('{"steps": [{"step": "mask", "amount": 0.1}]}')
    (tmp_path / "file").write_text("")
    for words in (("resample", "--rate", "50"), ("mask", "--amount", ".1"), ("embed", "--tau", "2", "--dimension", "2"),
                  ("apply", "--plan", tmp_path / "plan.json")):
        for folder, said, code in ((tmp_path / "none", "does not exist", 2), (tmp_path / "file", "is no folder", 2),
                                   ("/proc", "no file can be made in /proc", 2)):
            done = run(trajpack, words[0], source, tmp_path / "out", *words[1:], "--report", f"{folder}/report.json",
                       code=code)
            assert "--report" in done and said in done and not (tmp_path / "out").exists()
    run(trajpack, "mask", source, tmp_path / "new" / "out", "--amount", ".1", "--report", tmp_path / "new" / "r.json")
    assert json.loads((tmp_path / "new" / "r.json").read_text())["plan"]


def test_sentences_say_what_people_write(trajpack, source, tmp_path):
    stream = next(key[1] for key in read(source))
    done = run(trajpack, "resample", source, tmp_path / "out", "--rate", "50", "--method", f"{stream}/x=slerp",
               "--method", "auto", code=2)
    assert "cannot be resampled by slerp" in done
    done = run(trajpack, "resample", source, tmp_path / "out", "--rate", "50", "--method", f"{stream}/q=natural",
               "--method", "auto", code=2)
    assert "cannot be resampled by natural" in done
    (tmp_path / "plan.json").write_text('{"steps": [{"step": "quantise", "quantum": 0}]}')
    done = run(trajpack, "apply", source, tmp_path / "out", "--plan", tmp_path / "plan.json", code=2)
    assert "quantum is 0" in done and "a time above 0" in done and "rate" not in done


@pytest.mark.parametrize("dates,rate,form", [
    (pd.date_range("2024-01-01", periods=9, freq="D").strftime("%Y-%m-%d"), "1/21600", "%Y-%m-%dT%H:%M:%S"),
    (pd.date_range("2024-01-01", periods=9, freq="D").strftime("%Y-%m-%d"), "1/86400", "%Y-%m-%d"),
    (pd.date_range("1969-12-31 23:58", periods=9, freq="min").strftime("%Y/%m/%d %H:%M"), "1/30", "%Y-%m-%dT%H:%M:%S"),
    (pd.date_range("1969-12-31 23:58", periods=9, freq="min").strftime("%Y/%m/%d %H:%M"), "1/120", "%Y/%m/%d %H:%M"),
    (pd.date_range("2024-02-29 23:59:57", periods=9, freq="s").strftime("%Y-%m-%d %H:%M:%SZ"), "4", None)])
def test_dates_are_given_back_exactly(trajpack, tmp_path, dates, rate, form):
    pd.DataFrame({"date": dates, "x": np.arange(9.)}).to_csv(tmp_path / "d.csv", index=False)
    run(trajpack, "convert", tmp_path / "d.csv", tmp_path / "ds")
    run(trajpack, "resample", tmp_path / "ds", tmp_path / "fine", "--rate", rate, "--no-anti-alias")
    run(trajpack, "export", tmp_path / "fine", tmp_path / "csv", "--to", "csv")
    back = pd.read_csv(next((tmp_path / "csv").rglob("*.csv")))
    first, last = (pd.Timestamp(d) for d in (dates[0], dates[-1]))
    step = pd.Timedelta(seconds=1 / eval(rate))
    expected = pd.date_range(first, last, freq=step)
    assert (pd.to_datetime(back.time) == expected).all() and len(back) == len(expected)
    if form is not None:
        assert back.time.tolist() == expected.strftime(form).tolist()
    else:
        assert back.time[1] == "2024-02-29T23:59:57.25Z"


def test_packed_tables_are_not_left_out_without_a_word(trajpack, tmp_path):
    import gzip
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "a.csv").write_text("t,x\n0,1\n1,2\n")
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"t,x\n0,1\n1,2\n"))
    for more in ((), ("--dry-run",)):
        done = subprocess.run([trajpack, "convert", folder, tmp_path / f"out{len(more)}", *more], capture_output=True,
                              text=True)
        assert done.returncode == 0 and "left out b.csv.gz" in done.stderr and "gunzip" in done.stderr
    assert "gzip" in run(trajpack, "convert", folder / "b.csv.gz", tmp_path / "no", code=1)
    (folder / "a.csv").unlink()
    assert "left out b.csv.gz" in run(trajpack, "convert", folder, tmp_path / "no", code=1)
    assert not (tmp_path / "no").exists()
