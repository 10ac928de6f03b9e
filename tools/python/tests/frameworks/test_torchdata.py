"""StatefulDataLoader of torchdata: resumed is as if never stopped, with any number of workers."""
from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from loops import Truth, first

torch = pytest.importorskip("torch")
stateful = pytest.importorskip("torchdata.stateful_dataloader")

import trajpack  # noqa: E402
import trajpack.torch  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning"),
              pytest.mark.filterwarnings("ignore:.*set_vital.*:UserWarning")]


def make(arm: str, workers: int, persistent: bool, **options: Any) -> tuple[Any, Any]:
    ours = trajpack.torch.WindowLoader(trajpack.open(arm), **{
        "channels": ["frames/action"], "length": 8, "batch": 32, "threads": 1, "rank": 0, "world_size": 1, "seed": 1,
        **options})
    return ours, stateful.StatefulDataLoader(ours, batch_size=None, num_workers=workers,
                                             persistent_workers=persistent and workers > 0)


@pytest.mark.parametrize(("workers", "persistent"), [
    (0, False), (1, False), (2, False), (2, True), (3, False), (3, True)])
@pytest.mark.parametrize("names", [False, True])
def test_resumed_is_as_if_never_stopped(arm: str, workers: int, persistent: bool, names: bool) -> None:
    rng = random.Random(workers * 4 + persistent * 2 + names)
    world = rng.choice([1, 2])
    drop = rng.random() < 0.5
    rank = rng.randrange(world)
    options = {"rank": rank, "world_size": world, "drop_last": drop}
    truth = Truth(arm, 32, drop, world, length=8, seed=1)
    n = len(truth.epoch(0, rank))
    for stop in {1, rng.randint(2, n - 1), n}:
        ours, loader = make(arm, workers, persistent, **options)
        if names:
            ours.set_epoch(0)
        assert [first(b) for b in loader] == truth.epoch(0, rank)
        if names:
            ours.set_epoch(1)
        going = iter(loader)
        assert [first(next(going)) for _ in range(stop)] == truth.epoch(1, rank)[:stop]
        state = copy.deepcopy(loader.state_dict())
        # The same stop twice: resumed, stopped again, resumed.
        for more in (0, 2):
            ours, loader = make(arm, workers, persistent, **options)
            loader.load_state_dict(state)
            if names:
                ours.set_epoch(1)
            if more and stop + more <= n:
                going = iter(loader)
                assert [first(next(going)) for _ in range(more)] == truth.epoch(1, rank)[stop:stop + more]
                state = copy.deepcopy(loader.state_dict())
                stop += more
                ours, loader = make(arm, workers, persistent, **options)
                loader.load_state_dict(state)
                if names:
                    ours.set_epoch(1)
            assert [first(b) for b in loader] == truth.epoch(1, rank)[stop:]
            for epoch in (2, 3):
                if names:
                    ours.set_epoch(epoch)
                assert [first(b) for b in loader] == truth.epoch(epoch, rank), (stop, more, epoch)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_state_at_the_end_goes_on_with_the_next_epoch(arm: str, workers: int) -> None:
    truth = Truth(arm, 32, True, 1, length=8, seed=1)
    _, loader = make(arm, workers, False)
    list(loader)
    state = copy.deepcopy(loader.state_dict())
    _, loader = make(arm, workers, False)
    loader.load_state_dict(state)
    for epoch in (1, 2):
        assert [first(b) for b in loader] == truth.epoch(epoch, 0)


def test_another_number_of_workers_is_refused(arm: str) -> None:
    _, loader = make(arm, 2, False)
    going = iter(loader)
    next(going)
    inner = loader.state_dict()["_snapshot"]["_worker_snapshots"]
    ours, _ = make(arm, 3, False)
    state = next(iter(inner.values()))["dataset_state"]
    with pytest.raises(trajpack.UsageError, match="same number of workers"):
        ours.load_state_dict(state)
