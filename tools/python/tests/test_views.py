"""Views: windows on which a plan runs as they are loaded are the windows of the dataset that `trajpack apply` writes."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from archive import Archive, Channel, Episode, Regular, Stream, Ticks, Track
from fractions import Fraction
from places import program

import trajpack


def fixed(seed: int) -> Archive:
    """Streams that any step fits: two regular clocks, entities, gaps, explicit times; long enough for several chunks."""
    rng = np.random.default_rng(seed)
    streams = [
        Stream("fast", [Channel("x", "float32"), Channel("v", "float64", (3,), "position", missing="nan"),
                        Channel("id", "int32", (), "label", missing="sentinel")]),
        Stream("slow", [Channel("y", "float32", (2,))]),
        Stream("npc", [Channel("hp", "float32"), Channel("mode", "uint8", (), "categorical", categories=["a", "b"])]),
        Stream("odd", [Channel("time", "int64", (), "scalar"), Channel("z", "float64", missing="nan")])]
    episodes = []
    for number in range(4):
        n = int(rng.integers(300, 1500))
        v = rng.normal(size=(n, 3))
        v[rng.random((n, 3)) < 0.1] = np.nan
        ids = rng.integers(0, 9, n).astype("i4")
        ids[rng.random(n) < 0.1] = np.iinfo("i4").min
        tracks = [Track("fast", n, Regular(Fraction(number), Fraction(60)),
                        {"x": rng.normal(size=n).cumsum().astype("f4"), "v": v, "id": ids}),
                  Track("slow", n // 6, Regular(Fraction(number), Fraction(10)), {
                      "y": rng.normal(size=(n // 6, 2)).astype("f4")})]
        for who, (first, rows) in enumerate([(0, n), (40, 60), (n // 2, n // 3)]):
            clock = Regular(number + Fraction(first, 60), Fraction(60))
            tracks.append(Track("npc", rows, clock, {"hp": rng.normal(size=rows).astype("f4"),
                                                     "mode": rng.integers(0, 2, rows).astype("u1")},
                                ("npc", min(who, 1), 0)))
        z = rng.normal(size=n // 4)
        z[rng.random(n // 4) < 0.2] = np.nan
        times = np.sort(rng.choice(n * 16, n // 4, replace=False)) + number * 1000
        tracks.append(Track("odd", n // 4, Ticks(Fraction(1, 1000)), {"time": times.astype("i8"), "z": z}))
        episodes.append(Episode(f"e{number}", tracks, ["train", "test"][number % 2]))
    return Archive(streams, episodes, chunk_rows=37, codec="gzip")


PLANS: dict[str, list[dict[str, Any]]] = {
    "select": [{"step": "select", "channels": ["fast/x", "npc", "odd"]}],
    "entries": [{"step": "mask", "mechanism": "entries", "amount": 0.3, "seed": 7, "channels": ["fast", "npc/hp", "odd/z"]}],
    "rows": [{"step": "mask", "mechanism": "rows", "amount": 0.4, "seed": 3, "channels": "fast/v"}],
    "up": [{"step": "resample", "streams": "slow", "rate": 25, "method": "linear"}],
    "down": [{"step": "resample", "streams": ["fast", "npc"], "rate": 20, "method": "previous"}],
    "makima": [{"step": "resample", "streams": "slow", "rate": 60, "method": "makima"}],
    "irregular": [{"step": "resample", "streams": "odd", "rate": 30, "method": "linear"}],
    "times": [{"step": "resample", "streams": "fast", "times": [0.25, 0.5] + [1 + i / 64 for i in range(250)]}],
    "embed": [{"step": "embed", "channels": "fast/x", "tau": 3, "dimension": 4}],
    "embed twice": [{"step": "embed", "channels": "fast/x", "tau": 3, "dimension": 2},
                    {"step": "embed", "channels": "fast/x", "tau": 1, "dimension": 3}],
    "align": [{"step": "align", "streams": ["slow", "npc"], "onto": "fast"}],
    "quantise": [{"step": "quantise", "streams": "odd", "quantum": "1/10"}],
    "since": [{"step": "time_since", "channels": ["fast/v", "odd/z"]}],
    "elapsed": [{"step": "mask", "mechanism": "kept-rows", "amount": 0.7, "channels": "fast"},
                {"step": "elapsed", "channels": "fast"}, {"step": "elapsed", "channels": "odd", "unit": "time"}],
    "path": [{"step": "path", "channels": ["fast/x", "fast/v", "odd/z"]},
             {"step": "path", "channels": "fast/v", "method": "rectilinear", "suffix": ".jumps", "unobserved": "missing"}],
    "union": [{"step": "align", "streams": ["slow", "odd"], "onto": ["slow", "odd"], "tolerance": 0}],
    "sparse": [{"step": "align", "streams": "fast", "onto": "odd", "tolerance": 0},
               {"step": "resample", "streams": "fast", "rate": 40}],
    "sparse embed": [{"step": "align", "streams": "slow", "onto": "odd", "tolerance": "0.01"},
                     {"step": "embed", "channels": "slow", "tau": 1, "dimension": 2}],
    "time": [{"step": "mask", "mechanism": "time", "channels": "fast/v"}],
    "normal": [{"step": "normalize", "channels": "fast/x"}, {"step": "embed", "channels": "fast/x", "tau": 1, "dimension": 2}],
    "several": [{"step": "resample", "streams": "fast", "rate": 30, "method": "nearest"},
                {"step": "mask", "mechanism": "entries", "amount": 0.2, "seed": 1, "channels": "fast/x"},
                {"step": "time_since", "channels": "fast/x"},
                {"step": "embed", "channels": "npc/hp", "tau": 2, "dimension": 3}],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fixed(1).write(tmp_path_factory.mktemp("views") / "a.h5")


def applied(source: Path, plan: Path, out: Path) -> trajpack.Dataset:
    done = subprocess.run([program(), "apply", "--quiet", "--plan", plan, source, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return trajpack.open(out)


def same_windows(view: trajpack.Loader, offline: trajpack.Loader) -> int:
    assert {n: (o.dtype, o.shape, o.role) for n, o in view.outputs.items()} == {
        n: (o.dtype, o.shape, o.role) for n, o in offline.outputs.items()}
    assert view.window_counts == offline.window_counts
    values = 0
    for a, b in zip(view, offline, strict=True):
        assert a.windows.tolist() == b.windows.tolist()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
            values += a[name].size
    return values


@pytest.mark.parametrize("name", ["sparse", "sparse embed"])
def test_two_steps_are_two_plans(source: Path, tmp_path: Path, name: str) -> None:
    """What `align` leaves missing is missing for the next step as for the next program."""
    outs = [source]
    for number, step in enumerate(PLANS[name]):
        plan = tmp_path / f"{number}.json"
        plan.write_text(json.dumps({"steps": [step]}))
        applied(outs[-1], plan, tmp_path / f"out{number}")
        outs.append(tmp_path / f"out{number}")
    plan = tmp_path / "both.json"
    plan.write_text(json.dumps({"steps": PLANS[name]}))
    applied(source, plan, tmp_path / "both")
    done = subprocess.run([program(), "diff", outs[-1], tmp_path / "both"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PLANS)
def test_a_view_is_the_prepared_dataset(source: Path, tmp_path: Path, name: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": PLANS[name]}))
    offline = applied(source, plan, tmp_path / "out")
    recorded = trajpack.open(source)
    for options in ({"length": 12, "stride": 7}, {"length": 5, "past": 2, "edge": "pad", "stride": 40},
                    {"length": 4, "stride": 61, "split": "train", "dtype": "float32", "align": "nearest"}):
        common: dict[str, Any] = {"batch": 16, "drop_last": False, "time": True, "seed": 3, **options}
        assert same_windows(recorded.windows(plan=plan, **common), offline.windows(**common)) > 1000
    # Given as a dict, by number, in another order, it is the same.
    view = recorded.windows(plan={"steps": PLANS[name]}, length=12, stride=7, batch=4)
    some = [view.windows - 1, 0, view.windows // 2]
    for a, b in zip(view.read(some).copy().values(), offline.windows(length=12, stride=7, batch=4).read(some).values(),
                    strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(6))
def test_views_of_random_archives(tmp_path: Path, seed: int) -> None:
    archive = worlds.archive(seed, episodes=6)
    numbers = [f"s0/{c.name}" for c in archive.streams[0].channels if c.kind in ("scalar", "position")]
    steps: list[dict[str, Any]] = [
        {"step": "resample", "streams": "s0", "rate": 24, "method": "nearest"},
        {"step": "mask", "mechanism": "entries", "amount": 0.25, "seed": seed, "channels": "s0"}]
    if numbers:
        steps.append({"step": "time_since", "channels": numbers})
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": steps}))
    path = archive.write(tmp_path / "a.h5")
    offline = applied(path, plan, tmp_path / "out")
    options: dict[str, Any] = {"length": 4, "batch": 8, "drop_last": False, "time": True, "edge": "pad"}
    assert same_windows(trajpack.open(path).windows(plan=plan, **options), offline.windows(**options)) > 100


def test_plans_that_do_not_fit(source: Path, tmp_path: Path) -> None:
    dataset = trajpack.open(source)
    for plan, sentence in [
        ({"steps": [{"step": "select", "channels": "fast/q"}]}, "no channel 'fast/q'"),
        ({"steps": [{"step": "selekt"}]}, "did you mean 'select'"), ({}, "steps"), (tmp_path / "none.json", "cannot be read"),
    ]:
        with pytest.raises(trajpack.UsageError, match=sentence):
            dataset.windows(length=2, plan=plan)
    embed = {"step": "embed", "channels": "fast/x", "tau": 2, "dimension": 2}
    draw = {"step": "mask", "channels": "fast/x", "amount": 0.5, "draw": "epoch"}
    for steps, more, sentence in [
        ([embed], {"normalize": "standard"}, "'fast/x' is made by the plan"),
        ([embed], {"normalize": {"fast/x": "standard"}}, "'fast/x' is made by the plan"),
        ([{"step": "normalize", "channels": "fast/x"}], {"normalize": "standard"}, "normalised by the plan already"),
        ([{"step": "normalize", "channels": "fast/x", "split": "val"}], {}, "no split 'val'"),
        ([draw], {"windows_where": trajpack.channel("fast/x").mean() > 0}, "draws 'fast/x' anew in each epoch"),
        ([draw, {"step": "time_since", "channels": "fast/x"}], {"window_weights": trajpack.channel("fast/x.since").mean()},
         "draws 'fast/x.since' anew"),
    ]:
        with pytest.raises(trajpack.UsageError, match=sentence):
            dataset.windows(length=2, plan={"steps": steps}, **more)
    plan = {"steps": [{"step": "select", "channels": "fast"}]}
    ours = dataset.windows(length=2, plan=plan)
    with pytest.raises(trajpack.UsageError, match="other data or with other options"):
        dataset.windows(length=2, channels=["fast"]).load_state_dict(ours.state_dict())


def test_damage_under_a_view_is_named(source: Path, tmp_path: Path) -> None:
    data = bytearray(source.read_bytes())
    data[4096 + 100] ^= 0xFF
    (tmp_path / "bad.h5").write_bytes(data)
    options: dict[str, Any] = {"length": 4, "batch": 8, "shuffle": False, "channels": ["fast"],
                               "plan": {"steps": PLANS["entries"]}}
    with pytest.raises(trajpack.DataError, match="chunk"):
        list(trajpack.open(tmp_path / "bad.h5").windows(**options))
    loader = trajpack.open(tmp_path / "bad.h5").windows(on_error="skip", drop_last=False, **options)
    assert 0 < sum(b.count for b in loader) < loader.windows
