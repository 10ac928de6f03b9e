"""DataLoader over a WindowLoader: any number of workers gives the one-process order, epoch after epoch."""
from __future__ import annotations

import random
import warnings
from typing import Any

import pytest
from loops import Truth, first

torch = pytest.importorskip("torch")

import trajpack  # noqa: E402
import trajpack.torch  # noqa: E402
from torch.utils.data import DataLoader, IterableDataset  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")


def window_loader(arm: str, **options: Any) -> Any:
    return trajpack.torch.WindowLoader(trajpack.open(arm), **{
        "channels": ["frames/action"], "length": 8, "threads": 1, "rank": 0, "world_size": 1, **options})


def data_loader(ours: Any, workers: int, persistent: bool = False, **options: Any) -> Any:
    return DataLoader(ours, batch_size=None, num_workers=workers, persistent_workers=persistent and workers > 0,
                      timeout=60 if workers else 0, **options)


@pytest.mark.parametrize("seed", range(10))
def test_any_loop_gives_what_the_rules_say(arm: str, seed: int) -> None:
    rng = random.Random(seed)
    world, workers, persistent = rng.choice([1, 1, 2, 3]), rng.choice([0, 1, 2, 3]), rng.random() < 0.5
    batch, drop, stride = rng.choice([3, 8, 16]), rng.random() < 0.5, rng.choice([1, 3])
    truth = Truth(arm, batch, drop, world, length=8, stride=stride, seed=seed)
    plan = [(rng.choice(["for", "for", "count", "break", "name"]), rng.random(), rng.randrange(9)) for _ in range(6)]
    passes: list[list[list[list[int]]]] = []
    for rank in range(world):
        ours = window_loader(arm, batch=batch, drop_last=drop, stride=stride, seed=seed, rank=rank, world_size=world)
        loader = data_loader(ours, workers, persistent)
        epoch = 0
        passes.append([])
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Length of IterableDataset")
            for kind, share, number in plan:
                if kind == "name":
                    epoch = number
                    ours.set_epoch(number)
                want = truth.epoch(epoch, rank)
                assert len(loader) == len(ours) == len(want)
                # What workers have read ahead counts as given; before that, a break leaves the epoch.
                most = len(want) - 2 * workers - 1
                stop = max(1, int(share * most)) if kind == "break" and most > 0 else len(want)
                if kind in ("break", "count"):
                    got = [first(b) for _, b in zip(range(stop), loader)]
                else:
                    got = [first(b) for b in loader]
                    passes[-1].append(got)
                assert got == want[:stop], (kind, epoch, rank)
                if stop == len(want) or world == 1:
                    epoch += 1
    for number in range(len(passes[0])):     # every window once, over all ranks
        steps = zip(*(p[number] for p in passes), strict=True)
        seen = [w for step in steps for w in dict.fromkeys(w for part in step for w in part)]
        assert len(seen) == len(set(seen)) == len(truth.whole(0))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_epochs_go_on_by_themselves(arm: str, method: str) -> None:
    truth = Truth(arm, 16, True, 1, length=8, seed=2)
    ours = window_loader(arm, batch=16, seed=2, epoch=3)
    assert [first(b) for b in ours] == truth.epoch(3, 0)
    loader = data_loader(ours, 2, multiprocessing_context=method)
    for epoch in (4, 5):                     # from this process to workers, anew each time
        assert [first(b) for b in loader] == truth.epoch(epoch, 0)
    assert [first(b) for b in ours] == truth.epoch(6, 0)     # and back
    ours.set_epoch(9)
    assert [first(b) for b in loader] == truth.epoch(9, 0)
    lives = data_loader(ours, 2, True, multiprocessing_context=method)
    for epoch in (10, 11):
        assert [first(b) for b in lives] == truth.epoch(epoch, 0)
    ours.sampler.set_epoch(1)
    assert [first(b) for b in lives] == truth.epoch(1, 0)


def test_a_constant_seed_of_torch_repeats_no_epoch(arm: str) -> None:
    ours = window_loader(arm, batch=16)
    truth = Truth(arm, 16, True, 1, length=8)
    for epoch in range(3):
        torch.manual_seed(0)
        assert [first(b) for b in data_loader(ours, 2)] == truth.epoch(epoch, 0)


def test_two_loaders_side_by_side_are_each_whole(arm: str) -> None:
    ours = window_loader(arm, batch=16)
    truth = Truth(arm, 16, True, 1, length=8)
    pairs = list(zip(data_loader(ours, 2), data_loader(ours, 3), strict=True))
    assert [first(a) for a, _ in pairs] == truth.epoch(0, 0) and [first(b) for _, b in pairs] == truth.epoch(1, 0)


def test_a_state_reaches_workers(arm: str) -> None:
    truth = Truth(arm, 16, True, 1, length=8, seed=5)
    one = window_loader(arm, batch=16, seed=5)
    going = iter(one)
    taken = [first(next(going)) for _ in range(7)]
    state = one.state_dict()
    assert taken == truth.epoch(0, 0)[:7]
    for workers, persistent in ((1, False), (2, False), (3, True)):
        for named in (False, True):
            other = window_loader(arm, batch=16, seed=99)    # the state's seed is taken over
            loader = data_loader(other, workers, persistent)
            other.load_state_dict(state)
            if named:
                other.set_epoch(0)
            assert [first(b) for b in loader] == truth.epoch(0, 0)[7:]
            assert [first(b) for b in loader] == truth.epoch(1, 0)
            other.load_state_dict(state)
            other.set_epoch(4)
            assert [first(b) for b in loader] == truth.epoch(4, 0)


def test_a_state_that_cannot_be_right_is_refused(arm: str) -> None:
    ours = window_loader(arm, batch=16)
    start = ours.state_dict()
    loader = data_loader(ours, 2)
    for _, _ in zip(range(8), loader):
        pass
    for _ in range(2):
        with pytest.raises(trajpack.UsageError, match="StatefulDataLoader"):
            ours.state_dict()
    ours.load_state_dict(start)              # now it is known again
    assert ours.state_dict() == start
    list(loader)
    with pytest.raises(trajpack.UsageError, match="StatefulDataLoader"):
        ours.state_dict()
    ours.set_epoch(4)
    assert ours.state_dict()["epoch"] == 4
    assert len(list(ours)) == len(ours) and ours.state_dict()["epoch"] == 5
    with pytest.raises(trajpack.UsageError, match="worker 1 of 2.* worker 0 of 1"):
        ours.load_state_dict({**start, "worker": 1, "workers": 2})


def test_a_data_set_around_it_chooses_by_worker(arm: str) -> None:
    # Only some of the workers begin a pass of each loader: nobody waits for the others.
    class Either(IterableDataset):  # type: ignore[misc, type-arg]
        def __init__(self) -> None:
            self.parts = [window_loader(arm, batch=16, seed=s) for s in range(2)]

        def __iter__(self) -> Any:
            info = torch.utils.data.get_worker_info()
            return iter(self.parts[info.id if info else 0])

    got = [first(b) for b in data_loader(Either(), 2)]
    want = [Truth(arm, 16, True, 1, length=8, seed=s).epoch(0, 0)[s::2] for s in range(2)]
    assert sorted(got) == sorted(want[0] + want[1])


def test_numpy_batches_and_seeds_of_torch(arm: str) -> None:
    plain = trajpack.open(arm).windows(length=8, batch=16, seed=torch.initial_seed())
    with pytest.raises(trajpack.UsageError, match="WindowLoader"):
        next(iter(DataLoader(plain, batch_size=None)))  # type: ignore[arg-type]
    with pytest.raises(trajpack.UsageError, match="WindowDataset"):
        next(iter(DataLoader(plain)))  # type: ignore[arg-type]
    torch.manual_seed(2**64 - 3)
    assert window_loader(arm, seed=torch.initial_seed()).state_dict()["seed"] == 2**64 - 3


def test_transforms_and_collation_keep_the_order(arm: str) -> None:
    truth = Truth(arm, 16, True, 1, length=8)
    ours = window_loader(arm, batch=16, transform=lambda b: b["frames/action"][:, 0].tolist())
    for epoch in range(2):
        assert list(data_loader(ours, 2, collate_fn=lambda b: b)) == truth.epoch(epoch, 0)
