"""The laws of the order hold for windows of splits, folds, clips and values as for all windows."""
from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_order
import worlds
from places import program

import trajpack

#: Which windows: the options of `windows`.
PARTS: dict[str, dict[str, Any]] = {
    "rows": {"split": "b", "scheme": "rows", "past": 2},
    "two stretches": {"split": "a", "scheme": "rows", "past": 1},
    "ids": {"split": "train", "scheme": "ids"},
    "a fold": {"split": "train", "scheme": "folds", "fold": 1},
    "in time": {"split": "test", "scheme": "time", "fold": 2, "past": 3},
    "clips": {"clips": "list.csv", "reference": "s0"},
    "values": {"where": {"level": [1, 2]}, "values": ["level"]},
    "rows and values": {"split": ["a", "b"], "scheme": "rows", "where": {"level": [0, 2]}, "values": ["level"]},
}


class Part:
    """A part of a dataset, as the laws take a dataset."""

    def __init__(self, dataset: trajpack.Dataset, options: dict[str, Any]) -> None:
        self.dataset, self.options = dataset, options

    def windows(self, **options: Any) -> trajpack.Loader:
        options |= self.options
        if "clips" in options:
            options.pop("length")
            options["clips"] = Path(self.dataset.path).parent / "list.csv"
        return self.dataset.windows(**options)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> trajpack.Dataset:
    folder = tmp_path_factory.mktemp("parts")
    worlds.archive(5, streams=4, episodes=12, most=120).write(folder / "a.h5")
    subprocess.run([program(), "split", folder / "a.h5", "--into", folder / "ds", "--rule", "train=60%", "--rule",
                    "test=rest", "--name", "ids", "--split-stream", "s0"], check=True, capture_output=True)
    ds = trajpack.open(folder / "ds")
    long = [e.id for e in ds.episodes if sum(t.rows for t in e["s0"].tracks) >= 24]
    subprocess.run([program(), "split", folder / "ds", "--rule", "a=0:30%", "--rule", "a=70%:", "--rule", "b=30%:70%",
                    "--context", "3", "--name", "rows", "--split-stream", "s0"], check=True, capture_output=True)
    ds = trajpack.open(folder / "ds")
    ds.split(folds=3, name="folds")
    ds.split(folds=3, over="rows", name="of rows", stream="s0")
    ds.split(folds=4, over="time", name="time", stream="s0", context=3)
    chance = random.Random(3)
    lines = [f"{number},{chance.choice(long)},{chance.randrange(8)},{6}" for number in range(60)]
    (folder / "list.csv").write_text("\n".join(["id,episode,start_row,rows", *lines]) + "\n")
    return trajpack.open(folder / "ds")


def draws(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    shuffle = [{"shuffle": "global"}, {"shuffle": False},
               {"shuffle": "block", "block_windows": 5, "block_count": 3}][seed % 3]
    return {"seed": chance.randrange(100), "epoch": chance.randrange(4), "world": chance.randint(1, 5),
            "batch": chance.randint(1, 20), "stop": chance.randrange(20), "drop": chance.random() < 0.5,
            # The law ends before the epoch does, so few windows more than its own 42 are taken.
            "shuffle": shuffle, "cuts": [(chance.randint(1, 3), 1, chance.randint(1, 2)) for _ in range(2)]}


LAWS: list[tuple[Callable[..., None], list[str]]] = [
    (test_order.test_the_union_over_ranks_is_the_global_order, ["seed", "epoch", "world", "batch", "shuffle", "drop"]),
    (test_order.test_resuming_anywhere_is_going_on, ["seed", "stop", "batch", "shuffle", "drop"]),
    (test_order.test_other_numbers_of_ranks_go_on_with_the_next_window, ["seed", "cuts", "shuffle"]),
]


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("seed", range(3))
def test_laws_of_the_order(dataset: trajpack.Dataset, name: str, seed: int) -> None:
    drawn = draws(seed)
    for law, needed in LAWS:
        if "cuts" in needed and test_order.loader(Part(dataset, PARTS[name])).windows < 60:
            continue
        inner = law.hypothesis.inner_test  # type: ignore[attr-defined]
        inner(Part(dataset, PARTS[name]), **{n: drawn[n] for n in needed})
    test_order.test_epochs_differ_and_come_again(Part(dataset, PARTS[name]))


@pytest.mark.parametrize("name", PARTS)
def test_batches_of_ranks_resumed_are_those_of_one(dataset: trajpack.Dataset, name: str) -> None:
    """The content too: every window has the same rows, whoever reads it and after whatever resumption."""
    options = {"channels": ["s0"], "length": 3, "batch": 3, "seed": 7, "drop_last": False, "meta": True}
    part = Part(dataset, PARTS[name])
    whole: dict[int, dict[str, np.ndarray]] = {}
    with part.windows(**options) as one:
        for batch in one:
            held = batch.copy()
            for i, window in enumerate(batch.windows.tolist()):
                whole[window] = {n: np.asarray(held[n][i]) for n in held}
        assert sorted(whole) == list(range(one.windows))
    state, seen = None, []
    for steps, threads in [(2, 1), (3, 2), (10 ** 6, 3)]:
        ranks = [part.windows(**options, rank=r, world_size=2, threads=threads) for r in range(2)]
        for rank in ranks:
            if state is not None:
                rank.load_state_dict(state)
            for _ in range(steps):
                batch = rank.next()
                if batch is None:
                    break
                for i, window in enumerate(batch.windows.tolist()):
                    if not batch.repeated:
                        seen.append(window)
                    for output in whole[window]:
                        np.testing.assert_array_equal(np.asarray(batch[output][i]), whole[window][output], output)
        state = ranks[0].state_dict()
    assert sorted(seen) == sorted(whole)


@pytest.mark.parametrize(("scheme", "folds"), [("rows", None), ("ids", None), ("folds", 3), ("of rows", 3)])
def test_splits_are_disjoint_and_together_the_dataset(dataset: trajpack.Dataset, scheme: str, folds: int | None) -> None:
    """As targets; over the folds a row is a test target once."""
    def targets(**choice: Any) -> list[tuple[int, int, int]]:
        with dataset.windows(channels=["s0"], length=1, batch=64, shuffle=False, drop_last=False, meta=True,
                             **choice) as one:
            return [place for b in one for place in zip(b["meta:episode"].tolist(), b["meta:row"].tolist(),
                                                        [round(t * 1e6) for t in b["meta:time"]], strict=True)]

    everything = targets()
    if folds is None:
        parts = [targets(split=name, scheme=scheme) for name in dataset.schemes[scheme]["splits"]]
        assert sorted(p for part in parts for p in part) == sorted(everything)
        return
    tests = []
    for fold in range(folds):
        test = targets(split="test", scheme=scheme, fold=fold)
        assert sorted(test + targets(split="train", scheme=scheme, fold=fold)) == sorted(everything)
        tests += test
    assert sorted(tests) == sorted(everything)


def test_what_is_added_later_is_in_no_split(tmp_path: Path) -> None:
    """Until the scheme is made again; the order of what was there stays, so that states of before go on."""
    rng = np.random.default_rng(0)
    with trajpack.create(tmp_path / "ds", rate={"s": 10}) as writer:
        for i in range(4):
            writer.append(f"e{i}", {"s/x": rng.normal(size=30)})
    ds = trajpack.open(tmp_path / "ds")
    ds.split({"a": "0:50%", "b": "50%:"})
    ds.split(folds=2, name="folds")
    options = {"split": "a", "length": 4, "batch": 3, "seed": 5}
    first = ds.windows(**options)
    taken = [first.next().windows.tolist() for _ in range(3)]
    with trajpack.create(tmp_path / "ds", rate={"s": 10}, mode="a") as writer:
        for i in range(4, 6):
            writer.append(f"e{i}", {"s/x": rng.normal(size=30)})
    later = trajpack.open(tmp_path / "ds")
    assert len(later.episodes) == 6 and sorted(later.schemes) == ["default", "folds"]
    same = later.windows(**options)
    assert same.windows == first.windows and [same.next().windows.tolist() for _ in range(3)] == taken
    whole = later.windows(length=4, batch=1, shuffle=False, meta=True)
    assert {int(b["meta:episode"][0]) for b in whole} == set(range(6))
    told = subprocess.run([program(), "split", tmp_path / "ds", "--list"], check=True, capture_output=True, text=True)
    assert "default: 2 episodes are in none" in told.stdout + told.stderr
    rule = later.schemes["default"]["rule"]["splits"]
    later.split(rule)
    assert later.windows(**options).windows == first.windows * 6 // 4
