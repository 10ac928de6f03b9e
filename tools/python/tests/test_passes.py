"""What `for` means over a loader: whole epochs, abandoned ones, named ones, states, iterators side by side, ranks."""
from __future__ import annotations

import itertools
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest
from places import surroundings

import trajpack
from trajpack import _ranks


@pytest.fixture(scope="module")
def dataset(random_archive: str) -> trajpack.Dataset:
    return trajpack.open(random_archive)


def make(dataset: Any, **options: Any) -> trajpack.Loader:
    return dataset.windows(**{"channels": ["s0"], "length": 3, "threads": 1, "rank": 0, "world_size": 1, **options})


class Truth:
    """The batches of a rank, from the order alone: lists of windows."""

    def __init__(self, loader: trajpack.Loader, batch: int, drop: bool, rank: int, world: int) -> None:
        self.loader, self.batch, self.drop, self.rank, self.world = loader, batch, drop, rank, world

    def epoch(self, epoch: int) -> list[list[int]]:
        order = self.loader.order(epoch=epoch)[0].tolist()
        step = self.batch * self.world
        out = []
        for at in range(0, len(order), step):
            part = order[at:at + step]
            if len(part) == step or not self.drop:
                out.append(part[self.rank::self.world] or [part[self.rank % len(part)]])
        return out


def windows(batch: trajpack.Batch) -> list[int]:
    return batch.windows.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(40))
def test_any_loop_gives_what_the_rules_say(dataset: Any, seed: int) -> None:
    rng = random.Random(seed)
    world = rng.choice([1, 1, 2, 3, 7])
    options: dict[str, Any] = {"batch": rng.choice([1, 7, 20, 40]), "drop_last": rng.random() < 0.5, "seed": seed,
                               "rank": rng.randrange(world), "world_size": world}
    loader = make(dataset, **options)
    truth = Truth(loader, options["batch"], options["drop_last"], options["rank"], world)
    epoch, place = 0, 0                  # the next pass: its epoch, and batches of it that are behind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of abandoned epochs
        for _ in range(12):
            want = truth.epoch(epoch)
            assert len(loader) == len(want)
            kind = rng.choice(["for", "count", "break", "peek", "next", "state", "name", "name the same"])
            if kind == "for":
                assert [windows(b) for b in loader] == want[place:]
                epoch, place = epoch + 1, 0
            elif kind == "count":        # exactly len batches, and nobody asks for the end
                assert [windows(b) for _, b in zip(range(len(want) - place), loader)] == want[place:]
                epoch, place = epoch + 1, 0
            elif kind in ("break", "peek"):
                stop = 1 if kind == "peek" else rng.randint(1, len(want))
                got = [windows(b) for b in itertools.islice(loader, stop)]
                assert got == want[place:place + stop]
                done = place + len(got) >= len(want)
                epoch, place = (epoch + 1 if done or world == 1 else epoch), 0
            elif kind == "next":         # batch by batch, to the end
                going = iter(loader)
                assert [windows(next(going)) for _ in want[place:]] == want[place:]
                with pytest.raises(StopIteration):
                    next(going)
                epoch, place = epoch + 1, 0
            elif kind == "state":        # saved in the middle, resumed in another process's loader
                going = iter(loader)
                stop = rng.randint(0, len(want) - place)
                assert [windows(next(going)) for _ in range(stop)] == want[place:place + stop]
                state = loader.state_dict()
                loader = rng.choice([lambda: make(dataset, **options), lambda: pickle.loads(pickle.dumps(loader))])()
                loader.load_state_dict(state)
                place += stop
                if rng.random() < 0.5:   # the loop of every trainer: the epoch that it was in
                    loader.set_epoch(epoch)
                    assert [windows(b) for b in loader] == want[place:]
                    epoch, place = epoch + 1, 0
                elif place == len(want):
                    epoch, place = epoch + 1, 0
            elif kind == "name":
                epoch, place = rng.randint(0, 5) if place == 0 else epoch + 1, 0
                rng.choice([loader, loader.sampler, loader.batch_sampler.sampler]).set_epoch(epoch)
            elif place == 0:
                loader.set_epoch(epoch)
                loader.set_epoch(epoch)


def test_exactly_len_batches_are_an_epoch_each_time(dataset: Any) -> None:
    loader = make(dataset, batch=32)
    truth = Truth(loader, 32, True, 0, 1)
    for epoch in range(4):
        assert [windows(b) for b in itertools.islice(loader, len(loader))] == truth.epoch(epoch)


def test_a_peek_on_one_rank_moves_no_rank(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranks, "_warned", False)
    ranks = [make(dataset, batch=8, rank=r, world_size=2) for r in range(2)]
    next(iter(ranks[0]))
    with pytest.warns(UserWarning, match="set_epoch") as caught:
        parts = [list(r) for r in ranks]
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")   # one warning a process
        next(iter(ranks[0]))
        assert len(list(ranks[0])) == len(ranks[0])
    union = [w for a, b in zip(*parts, strict=True) for pair in zip(windows(a), windows(b), strict=True) for w in pair]
    assert union == ranks[0].order(epoch=0)[0].tolist()[:len(union)]


def test_an_older_iteration_ends_with_an_error(dataset: Any) -> None:
    loader = make(dataset, batch=8)
    older = iter(loader)
    next(older)
    newer = iter(loader)
    want = loader.order(epoch=1)[0].tolist()
    assert windows(next(newer)) == want[:8]
    with pytest.raises(trajpack.UsageError, match="another iteration"):
        next(older)
    assert loader.state_dict()["position"] == 8 and loader.state_dict()["epoch"] == 1
    assert windows(next(newer)) == want[8:16]
    for move in (lambda: loader.set_epoch(7), lambda: loader.seek(0, 3)):
        move()
        with pytest.raises(trajpack.UsageError, match="was moved"):
            next(newer)
        newer = iter(loader)
        next(newer)
    # One that is through says so, whatever came after.
    through = iter(loader)
    for _ in range(len(loader)):
        next(through)
    next(iter(loader))
    with pytest.raises(StopIteration):
        next(through)
    # One that has given nothing yet begins where the loader is sent.
    fresh = iter(loader)
    loader.set_epoch(3)
    assert windows(next(fresh)) == loader.order(epoch=3)[0].tolist()[:8]


def test_a_state_is_gone_on_from_once(dataset: Any) -> None:
    loader = make(dataset, batch=8, seed=1)
    list(itertools.islice(loader, 5))
    state = loader.state_dict()
    other = make(dataset, batch=8, seed=1)
    truth = Truth(other, 8, True, 0, 1)
    other.load_state_dict(state)
    other.set_epoch(0)
    assert [windows(b) for b in other] == truth.epoch(0)[5:]
    assert [windows(b) for b in other] == truth.epoch(1)
    other.load_state_dict(state)
    other.set_epoch(4)                   # another epoch drops the place
    assert [windows(b) for b in other] == truth.epoch(4)
    # Lightning begins first and names the epoch then; nothing has been given yet.
    other.load_state_dict(state)
    going = iter(other)
    other.sampler.set_epoch(0)
    assert [windows(b) for b in going] == truth.epoch(0)[5:]
    over = make(dataset, batch=8, seed=1)
    for _ in itertools.islice(over, len(over)):
        pass
    for named, want in ((None, truth.epoch(1)), (0, []), (1, truth.epoch(1)), (5, truth.epoch(5))):
        other.load_state_dict(over.state_dict())
        going = iter(other)
        if named is not None:
            other.set_epoch(named)
        assert [windows(b) for b in going] == want
    other.load_state_dict(state)
    list(other)
    other.set_epoch(0)
    assert [windows(b) for b in other] == truth.epoch(0)


@pytest.mark.parametrize("world", [2, 3, 5])
def test_no_rank_gets_an_empty_batch(dataset: Any, world: int) -> None:
    found = 0
    for batch, stride in ((1, 4), (1, 5), (4, 6), (9, 7), (9, 11)):
        ranks = [make(dataset, batch=batch, rank=r, world_size=world, drop_last=False, offsets={"s0/hp": [0, 1]},
                      stride=stride) for r in range(world)]
        parts = [list(r) for r in ranks]
        assert {len(p) for p in parts} == {len(ranks[0])}
        seen: list[int] = []
        for step in zip(*parts, strict=True):
            for part in step:
                assert part.count > 0
                masks = [n for n in part if n.startswith("padding:")]
                assert len(masks) >= 2
                if part.repeated:
                    found += 1
                    others = [w for p in step if not p.repeated for w in windows(p)]
                    assert part.count == 1 and part.windows[0] in others
                    assert all(part[m].all() for m in masks) and not part.valid("s0/hp").any()
                    assert "repeated" in repr(part) and pickle.loads(pickle.dumps(part)).repeated
                else:
                    assert not any(part[m].any() for m in masks)
                    seen += windows(part)
        assert sorted(seen) == list(range(ranks[0].windows))
    assert found


# Ranks.

@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_rank_is_taken_at_the_first_use(dataset: Any, bare: pytest.MonkeyPatch) -> None:
    early = dataset.windows(channels=["s0"], length=3, batch=8)
    named = dataset.windows(channels=["s0"], length=3, batch=8, rank=0, world_size=1)
    repr(early), early.options, early.outputs, early.windows, early.state_dict()  # noqa: B018  none of these is a use
    bare.setenv("RANK", "1")
    bare.setenv("WORLD_SIZE", "3")
    assert early.options["rank"] == 1 and len(early) == early.windows // 24
    assert windows(early.next()) == early.order()[0].tolist()[1:24:3]
    assert len(named) == named.windows // 8 and windows(named.next()) == named.order()[0].tolist()[:8]
    bare.setenv("WORLD_SIZE", "4")
    for use in (len, iter, lambda one: one.next()):
        with pytest.raises(trajpack.UsageError, match="rank 1 of 3.* rank 1 of 4"):
            use(early)
    bare.delenv("RANK")
    bare.delenv("WORLD_SIZE")
    with pytest.raises(trajpack.UsageError, match="rank 1 of 3.* rank 0 of 1"):
        early.next()
    for rank, world in (("3", "3"), ("x", "2"), ("-1", "2"), ("0", "0")):
        bare.setenv("RANK", rank)
        bare.setenv("WORLD_SIZE", world)
        with pytest.raises(trajpack.UsageError, match="RANK="):
            len(dataset.windows(channels=["s0"], length=3))
    bare.setenv("RANK", "0")
    bare.setenv("WORLD_SIZE", "100000")
    with pytest.raises(trajpack.UsageError, match="too few for a whole batch of 8 on each of 100000 ranks"):
        len(dataset.windows(channels=["s0"], length=3, batch=8))


def test_a_length_that_was_asked_for_early_is_told(dataset: Any, bare: pytest.MonkeyPatch) -> None:
    loader = dataset.windows(channels=["s0"], length=3, batch=8)
    len(loader)
    going = iter(loader)
    next(going)
    bare.setenv("RANK", "0")
    bare.setenv("WORLD_SIZE", "2")
    with pytest.raises(trajpack.UsageError, match="rank 0 of 1.* rank 0 of 2"):
        next(going)


def test_a_pickled_loader_keeps_the_rank_where_nothing_else_says(dataset: Any, bare: pytest.MonkeyPatch) -> None:
    bare.setenv("RANK", "1")
    bare.setenv("WORLD_SIZE", "2")
    loader = dataset.windows(channels=["s0"], length=3, batch=8)
    len(loader)
    packed = pickle.dumps(loader)
    bare.delenv("RANK")
    assert pickle.loads(packed).options["rank"] == 1
    bare.setenv("RANK", "0")
    assert pickle.loads(packed).options["rank"] == 0


def test_threads_are_shared_out_among_local_ranks(dataset: Any, bare: pytest.MonkeyPatch) -> None:
    bare.setenv("LOCAL_WORLD_SIZE", "1000")
    for given, want in ((None, 1), (3, 3)):
        loader = dataset.windows(channels=["s0"], length=3, batch=8, **({"threads": given} if given else {}))
        loader.next()
        assert loader.stats()["threads"] == want
    bare.delenv("LOCAL_WORLD_SIZE")
    loader = dataset.windows(channels=["s0"], length=3, batch=8)
    loader.next()
    assert loader.stats()["threads"] == len(os.sched_getaffinity(0))


# What else training code does.

def test_seeds_of_torch_are_taken(dataset: Any) -> None:
    for seed in (2**63, 2**64 - 1, 11_900_000_000_000_000_000, np.uint64(2**63 + 5)):
        same = int(seed) - 2**64
        loader = make(dataset, seed=seed)
        assert loader.order()[0].tolist() == make(dataset, seed=same).order()[0].tolist()
        assert loader.state_dict()["seed"] == int(seed)
    with pytest.raises(trajpack.UsageError, match="seed"):
        make(dataset, seed=2**64)


def test_what_a_loader_is_not_is_said(dataset: Any) -> None:
    loader = make(dataset)
    with pytest.raises(trajpack.UsageError, match="WindowDataset"):
        loader[0]
    batch = loader.next()
    with pytest.raises(trajpack.UsageError, match="WindowLoader"):
        type(batch)({"s0/hp": batch["s0/hp"]})


HANDLER = """
import os, signal, sys, threading, time, trajpack
dataset = trajpack.open(sys.argv[1])
first = dataset.windows(length=8, batch=4, seed=3)
first.next()
want = first.state_dict()
loader = dataset.windows(length=8, batch=4, threads=1, seed=3)
loader.load_state_dict(want)
gate = sys.argv[2]
states, refusals = [], []
def handler(*_):
    states.append(loader.state_dict())
    loader.stats(), loader.epoch, loader.position
    for forbidden in (lambda: loader.seek(0), lambda: loader.next(), lambda: iter(loader), lambda: loader.read([0]),
                      lambda: loader.load_state_dict(want), lambda: loader.set_epoch(4)):
        try:
            forbidden()
        except trajpack.UsageError:
            refusals.append(1)
    if len(sys.argv) > 3:
        loader.close()
    os.remove(gate)
signal.signal(signal.SIGUSR1, handler)
open(gate, "w").close()
threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGUSR1)).start()
try:
    batch = loader.next()
    print(states == [want], len(refusals), batch.position, loader.position)
except trajpack.TrajpackError as error:
    print(states == [want], len(refusals), type(error).__name__, "closed" in repr(loader))
"""


@pytest.mark.parametrize("closes", [False, True])
def test_a_signal_handler_asks_for_the_state_while_next_waits(wildworld: str, tmp_path: Any, closes: bool) -> None:
    from test_processes import SLOW
    (tmp_path / "slow.c").write_text(SLOW)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c", "-ldl"], check=True)
    gate = str(tmp_path / "gate")
    done = subprocess.run(
        [sys.executable, "-c", HANDLER, wildworld, gate, *(["close"] if closes else [])], capture_output=True,
        text=True, timeout=60, env={**surroundings(), "LD_PRELOAD": str(tmp_path / "slow.so"), "SLOW_DISK": gate})
    want = "True 6 Cancelled True\n" if closes else "True 6 4 8\n"
    assert done.stdout == want, (done.stdout, done.stderr)


def test_signals_at_any_moment_see_a_state_of_a_batch(dataset: Any) -> None:
    loader = make(dataset, batch=8, prefetch=1)
    seen: list[tuple[int, int]] = []
    given = [0]

    def handler(*_: Any) -> None:
        state = loader.state_dict()
        seen.append((state["epoch"] * len(loader) + state["position"] // 8, given[0]))

    before = signal.signal(signal.SIGUSR1, handler)
    stop = threading.Event()

    def shower() -> None:
        while not stop.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.0005)

    thread = threading.Thread(target=shower)
    thread.start()
    try:
        for _ in range(6):
            for _batch in loader:
                given[0] += 1
    finally:
        stop.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    # The state is that before the batch that next is about to give, or that after it.
    assert seen and all(0 <= state - batches <= 1 for state, batches in seen)


def test_another_thread_gets_the_state_at_once(dataset: Any) -> None:
    loader = make(dataset, batch=8)
    want = loader.state_dict()
    with loader._lock:                   # as next() holds it while it waits
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append((loader.state_dict(), loader.epoch)))
        thread.start()
        thread.join(10)
        assert got == [(want, 0)]
