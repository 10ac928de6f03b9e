"""Masks of a loader's views that are drawn anew in each epoch: a function of the seed, the epoch and the row alone."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_views import applied, fixed, same_windows, source

import trajpack

__all__ = ["source"]

ENTRIES = {"step": "mask", "mechanism": "entries", "amount": 0.4, "seed": 9, "channels": ["fast/x", "fast/v", "odd/z"]}
ROWS = {"step": "mask", "mechanism": "rows", "amount": 0.4, "seed": 3, "channels": ["fast/x", "fast/v"]}
PLANS: dict[str, list[dict[str, Any]]] = {
    "entries": [ENTRIES], "rows": [ROWS], "blocks": [{**ROWS, "mechanism": "blocks", "length": 7}],
    "made": [ENTRIES, {"step": "time_since", "channels": ["fast/x", "odd/z"]}, {"step": "elapsed", "channels": "fast"},
             {"step": "embed", "channels": "fast/v", "tau": 2, "dimension": 2}],
    "before": [{"step": "resample", "streams": "fast", "rate": 30, "method": "previous"}, ENTRIES],
}


def anew(steps: list[dict[str, Any]], draw: str = "epoch") -> dict[str, Any]:
    return {"steps": [{**step, "draw": draw} if step["step"] == "mask" else step for step in steps]}


def rows(loader: trajpack.Loader) -> dict[Any, dict[str, np.ndarray]]:
    """What each window of an epoch holds, by its number."""
    return {(int(d), int(w)): {n: b[n][i].copy() for n in b} for b in loader
            for i, (d, w) in enumerate(zip(b.datasets, b.windows, strict=True))}


def same(a: dict[Any, dict[str, np.ndarray]], b: dict[Any, dict[str, np.ndarray]]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        for name in a[key]:
            np.testing.assert_array_equal(a[key][name], b[key][name], err_msg=f"{key} {name}")


@pytest.mark.parametrize("name", PLANS)
def test_an_epoch_has_masks_of_its_own(source: Path, tmp_path: Path, name: str) -> None:
    dataset = trajpack.open(source)
    common: dict[str, Any] = {"length": 12, "stride": 5, "batch": 16, "drop_last": False, "seed": 3, "time": True}
    view = dataset.windows(plan=anew(PLANS[name]), **common)
    epochs = [rows(view) for _ in range(3)]
    drawn = ["observed:fast/v"] + ["observed:fast/x"] * (name != "made")
    for a, b in ((0, 1), (1, 2), (0, 2)):
        for output in drawn:
            hidden = [np.concatenate([e[key][output].ravel() for key in sorted(e)]) for e in (epochs[a], epochs[b])]
            assert 0.2 < (hidden[0] != hidden[1]).mean() < 0.7, output
    # The first is that of the fixed draw, and of the dataset that `apply` writes.
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(anew(PLANS[name])))
    offline = applied(source, plan, tmp_path / "out")
    same_windows(dataset.windows(plan=plan, **common), offline.windows(**common))
    once = dataset.windows(plan=anew(PLANS[name], "once"), **common)
    for _ in range(2):
        same(rows(once), epochs[0])
    # Whoever begins there, however many they are, whatever is kept, sees the epoch as it is.
    for more in ({"threads": 1}, {"threads": 5, "cache": 0}, {"cache": 1 << 28, "prefetch": 9}, {"shuffle": "block"}):
        same(rows(dataset.windows(plan=anew(PLANS[name]), epoch=2, **{**common, **more})), epochs[2])
    parts = [rows(dataset.windows(plan=anew(PLANS[name]), epoch=1, rank=r, world_size=3, **common)) for r in range(3)]
    same({k: v for part in parts for k, v in part.items()}, epochs[1])


def test_a_cut_epoch_goes_on_with_its_masks(source: Path) -> None:
    dataset = trajpack.open(source)
    common: dict[str, Any] = {"length": 8, "stride": 3, "batch": 32, "plan": anew(PLANS["made"]), "prefetch": 8}
    one = dataset.windows(**common)
    straight = [{n: b[n].copy() for n in b} for _ in range(3) for b in one]
    two = dataset.windows(**common)
    steps = len(two)
    for cut in (1, steps - 1, steps, steps + 1, 2 * steps - 2):
        two.load_state_dict(dataset.windows(**common).state_dict())
        for _ in range(cut):
            if two.next() is None:
                two.next()
        again = dataset.windows(**common)
        again.load_state_dict(two.state_dict())
        batch = again.next() or again.next()
        assert batch is not None
        for name in batch:
            np.testing.assert_array_equal(batch[name], straight[cut][name], err_msg=f"{cut} {name}")


def test_windows_that_overlap_agree_and_numpy_draws_the_same(source: Path) -> None:
    dataset = trajpack.open(source)
    whole = dataset.windows(length=1, batch=64, shuffle=False, drop_last=False, channels="fast/x", epoch=5,
                            plan=anew([ENTRIES]))
    hidden = np.concatenate([b["observed:fast/x"][:, 0] for b in whole])
    expected = []
    for episode in dataset.episodes:
        word = hashlib.sha256(f"{episode.id}\0fast\0\0{0}\0x\0{5}\0".encode()).digest()[:8]
        philox = np.random.Philox(key=np.array([9, int.from_bytes(word, "little")], "u8"))
        expected.append((philox.random_raw(len(episode["fast/x"])) >> np.uint64(11)) * 2.0 ** -53 >= 0.4)
    assert np.array_equal(hidden, np.concatenate(expected))
    # At any start, in any batch, the row is the same.
    starts = np.cumsum([0, *map(len, expected)])
    view = dataset.windows(length=9, stride=2, batch=16, channels="fast/x", epoch=5, plan=anew([ENTRIES]))
    seen = 0
    for batch in view:
        for i, place in enumerate(batch.windows):
            episode, _, row = view.locate(int(place))
            at = starts[episode] + row
            assert np.array_equal(batch["observed:fast/x"][i], hidden[at:at + 9])
            seen += 1
    assert seen > 500
    # Windows that are asked for by number are of the epoch at which the loader is.
    view = dataset.windows(length=9, stride=2, batch=16, channels="fast/x", epoch=5, plan=anew([ENTRIES]))
    assert np.array_equal(view.read([0])["observed:fast/x"][0], hidden[:9])


def test_what_is_not_drawn_anew_stays(source: Path) -> None:
    dataset = trajpack.open(source)
    plan = {"steps": [{**ENTRIES, "channels": "fast/x", "draw": "epoch"}, {**ROWS, "channels": "fast/v"}]}
    view = dataset.windows(length=4, batch=64, shuffle=False, plan=plan)
    a, b = rows(view), rows(view)
    for key in a:
        np.testing.assert_array_equal(a[key]["fast/v"], b[key]["fast/v"])
        np.testing.assert_array_equal(a[key]["odd/z"], b[key]["odd/z"])
    assert any(not np.array_equal(a[k]["observed:fast/x"], b[k]["observed:fast/x"]) for k in a)


def test_normalize_goes_by_what_was_recorded(source: Path) -> None:
    """Beside a plan as without one: the training split's statistics, whatever a mask hides in an epoch."""
    dataset = trajpack.open(source)
    common: dict[str, Any] = {"length": 5, "stride": 9, "batch": 8, "shuffle": False, "channels": "fast"}
    plain = rows(dataset.windows(normalize={"fast/x": "standard", "fast/v": "minmax"}, **common))
    view = dataset.windows(normalize={"fast/x": "standard", "fast/v": "minmax"}, plan=anew([ENTRIES]), **common)
    for _ in range(2):
        for key, window in rows(view).items():
            for name in ("fast/x", "fast/v"):
                seen = window[f"observed:{name}"]
                np.testing.assert_array_equal(window[name][seen], plain[key][name][seen])
    train = np.concatenate([e["fast/x"] for e in dataset.episodes if e.split == "train"]).astype("f8")
    step = rows(dataset.windows(plan={"steps": [{"step": "normalize", "channels": "fast/x"}]}, **common))
    raw = rows(dataset.windows(**common))
    for key in raw:
        np.testing.assert_allclose(step[key]["fast/x"], (raw[key]["fast/x"] - train.mean()) / train.std(), atol=1e-5)


def test_normalize_refuses_sums_of_bins(source: Path) -> None:
    plan = {"steps": [{"step": "resample", "streams": "fast", "rate": 5, "bin": {"fast/x": "sum"}}]}
    common: dict[str, Any] = {"length": 2, "batch": 4, "channels": "fast", "plan": plan}
    for normalize in ("standard", {"fast/x": "minmax"}):
        with pytest.raises(trajpack.UsageError, match="'fast/x' holds the sum of bins behind the plan.*name the channels"):
            trajpack.open(source).windows(normalize=normalize, **common)
    assert list(trajpack.open(source).windows(normalize={"fast/v": "standard"}, **common).normalization) == ["fast/v"]


@pytest.mark.parametrize("steps", [
    [{**ENTRIES, "draw": "once"}], [{"step": "resample", "streams": ["fast", "odd"], "rate": 20, "method": "auto"}],
    [{"step": "time_since", "channels": ["fast/v", "odd/z"]}, {**ROWS, "channels": "slow"}],
    [{"step": "embed", "channels": "fast/x", "tau": 5, "dimension": 3}]], ids=lambda s: s[0]["step"])
def test_windows_are_chosen_by_what_the_plan_leaves(source: Path, tmp_path: Path, steps: list[dict[str, Any]]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": steps}))
    offline, view = applied(source, plan, tmp_path / "out"), trajpack.open(source)
    channel = trajpack.channel
    tests = [(channel("fast/x").mean() > 0) & (channel("npc/hp") > 0.5).any(), channel("fast/v").norm().missing() < 0.5,
             channel("odd/z").max() > 0, channel("fast/x").change().norm().max() > 1]
    for wanted in tests:
        for more in ({"windows_where": wanted}, {"window_weights": channel("fast/x").std(), "windows_where": wanted}):
            options: dict[str, Any] = {"length": 6, "stride": 4, "batch": 8, "drop_last": False, "seed": 2, **more}
            assert same_windows(view.windows(plan=plan, **options), offline.windows(**options)) > 100
    # What the plan draws anew in each epoch does not decide, and the rest may.
    both = {"steps": [*steps, {"step": "mask", "channels": "slow", "amount": 0.5, "draw": "epoch"}]}
    loader = view.windows(length=6, stride=4, batch=8, plan=both, windows_where=channel("fast/x").mean() > 0)
    assert 0 < loader.windows < view.windows(length=6, stride=4, batch=8, plan=both).windows
