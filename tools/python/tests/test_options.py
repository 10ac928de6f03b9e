"""Options that change what a window holds, each against the values themselves."""
from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from archive import Archive, Channel, Episode, Regular, Stream, Track
from scipy.spatial.transform import Rotation, Slerp

import trajpack


def two_rates() -> Archive:
    """``fast`` at 30 a second, ``slow`` at 10, both a straight line in time, so that any moment is known."""
    streams = [Stream("fast", [Channel("x", "float64"), Channel("id", "int32", kind="label")]),
               Stream("slow", [Channel("y", "float64", (2,))])]
    episodes = []
    for number, seconds in enumerate([4, 2]):
        t, u = np.arange(30 * seconds) / 30, np.arange(10 * seconds) / 10
        episodes.append(Episode(f"e{number}", [
            Track("fast", len(t), Regular(Fraction(0), Fraction(30)), {"x": 100 * number + t, "id": np.arange(len(t))}),
            Track("slow", len(u), Regular(Fraction(0), Fraction(10)), {"y": np.stack([u, 100 * number - u], 1)})]))
    return Archive(streams, episodes, chunk_rows=7)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> trajpack.Dataset:
    return trajpack.open(two_rates().write(tmp_path_factory.mktemp("lines") / "a.h5"))


def every(dataset: trajpack.Dataset, **options: Any) -> list[dict[str, np.ndarray]]:
    """All windows in order."""
    with dataset.windows(shuffle=False, drop_last=False, **options) as loader:
        return [{n: b[n][i].copy() for n in b} for b in loader for i in range(b.count)]


def test_a_duration_is_a_length(lines: trajpack.Dataset) -> None:
    for duration in (0.5, "0.5", Fraction(1, 2), "1/2", np.float64(0.5)):
        assert lines.windows(duration=duration, batch=1).length == 15
    assert lines.windows(duration=1, batch=1, reference="slow").length == 10


def test_offsets_in_seconds(lines: trajpack.Dataset) -> None:
    offsets = {"fast": [-0.5, 0.0, 0.25], "slow": [-1.0, 0.0]}
    got = every(lines, channels=["fast/x", "slow/y"], offsets=offsets, time=True)
    assert got
    for window in got:
        now = window["time:fast"][1]
        number = window["fast/x"][1] // 100 if window["fast/x"][1] >= 100 else 0
        base = 100 * number
        np.testing.assert_allclose(window["fast/x"], base + now + np.array([-0.5, 0, 0.25]), atol=1e-9)
        inside = ~window["padding:slow"]
        held = np.minimum(now + np.array([-1.0, 0]), (1.9 if number else 3.9))
        np.testing.assert_allclose(window["slow/y"][inside, 0], held[inside], atol=1e-9)


def test_a_grid_of_its_own(lines: trajpack.Dataset) -> None:
    got = every(lines, channels=["fast/x"], rate=25, length=10, time=True)
    # The last rows lie at 119/30 and 59/30 s: grids of 100 and 50 rows.
    assert len(got) == 100 - 9 + 50 - 9
    for window in got:
        np.testing.assert_allclose(np.diff(window["time:fast"]), 0.04, atol=1e-12)
        np.testing.assert_allclose(window["fast/x"] % 100, window["time:fast"], atol=1e-9)


def test_native_rates(lines: trajpack.Dataset) -> None:
    got = every(lines, length=30, align={"slow": "native"}, time=True)
    for window in got:
        inside = ~window["padding:slow"]
        times = window["time:slow"][inside]
        first, last = window["time:fast"][0], window["time:fast"][-1]
        np.testing.assert_array_equal(window["slow/y"][inside, 0], times)
        own = np.arange(40) / 10
        own = own[own < (2 if window["slow/y"][0, 1] > 50 else 4)]
        np.testing.assert_allclose(times, own[(own >= first - 1e-9) & (own < last + 1 / 30 - 1e-9)])
        assert (window["slow/y"][~inside] == 0).all()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("how", ["standard", "minmax", "quantile"])
def test_normalisation_is_that_of_the_split(tmp_path: Path, how: str, split: str) -> None:
    compared = 0
    for seed in range(8):
        archive = worlds.archive(seed, episodes=10)
        if not any(e.split == split and t.rows for e in archive.episodes for t in e.tracks if t.stream == "s0"):
            continue
        dataset = trajpack.open(archive.write(tmp_path / f"{seed}.h5"))
        named = [c for c in archive.streams[0].channels if c.kind in ("scalar", "position", "angle")]
        for channel in named:
            path = f"s0/{channel.name}"
            raw = every(dataset, channels=[path], edge="pad", masks=False)
            got = every(dataset, channels=[path], edge="pad", masks=False, normalize=how, normalize_split=split)
            x = archive.component_values(split, archive.streams[0], channel)
            for i in range(channel.width):
                fine = x[:, i][np.isfinite(x[:, i])]
                if how == "standard":
                    middle, spread = fine.mean(), fine.std()
                else:
                    low, high = (fine.min(), fine.max()) if how == "minmax" else np.quantile(fine, [0.01, 0.99])
                    middle, spread = (low + high) / 2, (high - low) / 2
                spread = spread if spread > 0 else 1
                for a, b in zip(raw, got, strict=True):
                    assert b[path].dtype == np.float32
                    want = (a[path].reshape(-1)[i].astype("f8") - middle) / spread
                    np.testing.assert_allclose(b[path].reshape(-1)[i], want, rtol=2e-4, atol=2e-4)
                    compared += 1
    assert compared > 500


def test_features_are_the_channels_side_by_side(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    channels = ["camera/pos", "npc/hp", "npc/pos", "camera/rot"]
    apart = every(dataset, channels=channels, length=6, dtype="float32")
    joined = every(dataset, channels=channels, length=6, features={"x": ["camera/*"], "who": "npc/*"})
    for a, b in zip(apart, joined, strict=True):
        np.testing.assert_array_equal(b["x"], np.concatenate([a["camera/pos"], a["camera/rot"]], -1))
        assert b["who"].shape == (6, 2 * 4) and not any(n in b for n in channels)
        both = {float(v) for v in np.concatenate([a["npc/hp"].ravel(), a["npc/pos"].ravel()])}
        assert {float(v) for v in b["who"].ravel()} == both


def test_features_are_in_the_order_of_their_patterns(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    apart = every(dataset, channels=["camera/pos", "camera/rot", "camera/K"], length=3, dtype="float32")
    features = {"x": ["camera/rot", "camera/K", "camera/*"]}
    joined = every(dataset, channels=["camera/pos", "camera/rot", "camera/K"], length=3, features=features)
    for a, b in zip(apart, joined, strict=True):
        np.testing.assert_array_equal(b["x"], np.concatenate(
            [a["camera/rot"], a["camera/K"].reshape(3, -1), a["camera/pos"]], -1))
    loader = dataset.windows(channels=["camera"], length=3, batch=2, features={"x": ["camera/rot", "camera/pos"]},
                             normalize={"camera/pos": "standard"})
    batch, plain = loader.next(), dataset.windows(channels=["camera"], length=3, batch=2, dtype="float32").next()
    back = loader.denormalize(batch)["x"]
    np.testing.assert_allclose(back, np.concatenate([plain["camera/rot"], plain["camera/pos"]], -1), rtol=1e-4)


def test_a_channel_is_in_one_matrix(wildworld: str) -> None:
    with pytest.raises(trajpack.UsageError, match="'camera/pos' is in 'x' and in 'y'") as said:
        trajpack.open(wildworld).windows(length=2, features={"x": ["camera/pos"], "y": ["camera/*"]})
    assert said.value.place.option == "features"



def test_masks_may_be_left_out(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    full = dataset.windows(length=4)
    roles = {o.role for o in full.outputs.values()}
    assert roles == {"values", "observed", "present", "padding"}
    assert {o.role for o in dataset.windows(length=4, masks=False).outputs.values()} == {"values"}
    assert {o.role for o in dataset.windows(length=4, masks="padding").outputs.values()} == {"values", "padding"}
    with pytest.raises(trajpack.UsageError, match="masks"):
        next(iter(dataset.windows(length=4, masks=False))).valid("camera/pos")


def test_valid_joins_the_masks(wildworld: str) -> None:
    channels = ["camera/pos", "monster"]
    with trajpack.open(wildworld).windows(length=40, edge="pad", channels=channels, batch=64) as loader:
        some = dict.fromkeys([True, False], 0)
        for batch in loader:
            camera = batch["observed:camera/pos"] & ~batch["padding:camera"][:, :, None]
            np.testing.assert_array_equal(batch.valid("camera/pos"), camera)
            beast = batch["present:monster"] & ~batch["padding:monster"][:, :, None]
            np.testing.assert_array_equal(batch.valid("monster/hp"), beast)
            assert not np.isnan(batch["camera/pos"][batch.valid("camera/pos")]).any()
            for value in some:
                some[value] += int((beast == value).sum())
        assert all(some.values())


def test_rotations_between_rows_are_scipys(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    turns = Rotation.from_rotvec(rng.normal(size=(30, 3)).cumsum(axis=0) * np.geomspace(1e-7, 1, 30)[:, None])
    stored = turns.as_quat() * rng.choice([-1, 1], (30, 1))  # both signs are the same rotation
    archive = Archive(
        [Stream("clock", [Channel("x")]), Stream("body", [Channel("q", "float64", (4,), "quaternion")])],
        [Episode("a", [Track("clock", 200, Regular(Fraction(0), Fraction(70)), {"x": np.arange(200, dtype="f4")}),
                       Track("body", 30, Regular(Fraction(0), Fraction(10)), {"q": stored})])])
    dataset = trajpack.open(archive.write(tmp_path / "a.h5"))
    truth = Slerp(np.arange(30) / 10, turns)
    with dataset.windows(length=20, stride=20, batch=10, shuffle=False, reference="clock") as loader:
        got = loader.next()["body/q"].reshape(200, 4)
    want = truth(np.arange(200) / 70)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-12)
    assert (Rotation.from_quat(got).inv() * want).magnitude().max() < 1e-12
