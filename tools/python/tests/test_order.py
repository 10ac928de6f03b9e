"""Laws of the order: every window once, the same on any number of ranks, resumed anywhere; mixtures in their shares."""
from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trajpack

SOME = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
SHUFFLES = st.sampled_from([
    {"shuffle": "global"}, {"shuffle": False}, {"shuffle": "block", "block_windows": 5, "block_count": 3}])


@pytest.fixture(scope="module")
def dataset(random_archive: str) -> trajpack.Dataset:
    return trajpack.open(random_archive)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> trajpack.Dataset:
    path = tmp_path_factory.mktemp("other") / "other.h5"
    worlds.archive(5, streams=4, episodes=7, most=50).write(path)
    return trajpack.open(path)


def loader(dataset: Any, **options: Any) -> trajpack.Loader:
    return dataset.windows(channels=["s0"], length=3, threads=1, **options)


def given_out(loader: trajpack.Loader, batches: int | None = None) -> list[int]:
    """The windows of the next batches, or of the rest of the epoch."""
    out: list[int] = []
    while batches is None or batches > 0:
        batch = loader.next()
        if batch is None:
            break
        if not batch.repeated:
            out += batch.windows.tolist()
        batches = None if batches is None else batches - 1
    return out


@SOME
@given(seed=st.integers(-2 ** 63, 2 ** 63 - 1), epoch=st.integers(0, 3), world=st.integers(1, 5),
       batch=st.integers(1, 40), shuffle=SHUFFLES, drop=st.booleans())
def test_the_union_over_ranks_is_the_global_order(dataset: Any, seed: int, epoch: int, world: int, batch: int,
                                                  shuffle: dict[str, Any], drop: bool) -> None:
    common = {"seed": seed, "epoch": epoch, "batch": batch, "drop_last": drop, **shuffle}
    ranks = [loader(dataset, rank=r, world_size=world, **common) for r in range(world)]
    order = ranks[0].order()[0].tolist()
    assert sorted(order) == list(range(ranks[0].windows))
    if shuffle["shuffle"] is False:
        assert order == sorted(order)
    steps = [list(r) for r in ranks]
    assert {len(s) for s in steps} == {len(ranks[0])}
    union: list[int] = []
    for step in range(len(ranks[0])):
        assert all(steps[r][step].count for r in range(world))
        parts = [[] if steps[r][step].repeated else steps[r][step].windows.tolist() for r in range(world)]
        union += [parts[j % world][j // world] for j in range(sum(map(len, parts)))]
    whole = len(order) // (batch * world) * batch * world if drop else len(order)
    assert union == order[:whole]


@SOME
@given(seed=st.integers(0, 99), stop=st.integers(0, 40), batch=st.integers(1, 40), shuffle=SHUFFLES, drop=st.booleans())
def test_resuming_anywhere_is_going_on(dataset: Any, seed: int, stop: int, batch: int, shuffle: dict[str, Any],
                                       drop: bool) -> None:
    options = {"seed": seed, "batch": batch, "drop_last": drop, **shuffle}
    first = loader(dataset, **options)
    taken = given_out(first, stop)
    state = first.state_dict()
    assert all(type(v) is int for v in state.values())
    second = loader(dataset, **options)
    second.load_state_dict(state)
    for _ in range(2):  # this epoch, and the next
        assert given_out(first) == given_out(second)
    again = loader(dataset, **options)
    assert given_out(again, stop) == taken


@SOME
@given(seed=st.integers(0, 99), cuts=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 9)),
                                              min_size=2, max_size=5), shuffle=SHUFFLES)
def test_other_numbers_of_ranks_go_on_with_the_next_window(dataset: Any, seed: int, cuts: list[tuple[int, int, int]],
                                                           shuffle: dict[str, Any]) -> None:
    order = loader(dataset, seed=seed, batch=1, **shuffle).order()[0].tolist()
    state, union = None, []
    for world, steps, batch in [(1, 2, 3), (2, 2, 3), (4, 1, 3), (3, 2, 2), *cuts]:
        ranks = [loader(dataset, seed=seed, rank=r, world_size=world, batch=batch, drop_last=False, **shuffle)
                 for r in range(world)]
        if state is not None:
            for rank in ranks:
                rank.load_state_dict(state)
        for _ in range(steps):
            parts = [given_out(rank, 1) for rank in ranks]
            if any(parts):
                union += [parts[j % world][j // world] for j in range(sum(map(len, parts)))]
        states = [rank.state_dict() for rank in ranks]
        assert all(s == states[0] for s in states)
        state = states[0]
        if state["epoch"] > 0 or len(union) >= len(order):
            break
    assert union == order[:len(union)]
    assert len(union) >= min(len(order), 20)


@SOME
@given(weights=st.lists(st.integers(1, 20), min_size=2, max_size=2), seed=st.integers(0, 99),
       epoch=st.integers(1, 300))
def test_mixtures_keep_their_shares_at_every_prefix(dataset: Any, other: Any, weights: list[int], seed: int,
                                                    epoch: int) -> None:
    with trajpack.mixture({dataset: weights[0], other: weights[1]}, channels=["s0"], length=3, batch=1, seed=seed,
                          epoch_windows=epoch, threads=1) as mixed:
        windows, sources = mixed.order()
        share = weights[1] / sum(weights)
        counts = np.cumsum(sources)
        assert (np.abs(counts - share * np.arange(1, epoch + 1)) <= 1 + 1e-9).all()
        for number, size in enumerate(mixed.window_counts):
            own = windows[sources == number].tolist()
            for first in range(0, len(own), size):
                part = own[first:first + size]
                assert len(set(part)) == len(part)
        got = [(int(b.datasets[0]), int(b.windows[0])) for b in mixed]
        assert got == list(zip(sources.tolist(), windows.tolist(), strict=True))


def test_a_mixture_holds_each_data_sets_values(dataset: Any, other: Any) -> None:
    channel = next(iter(dataset.streams["s0"].channels))
    with trajpack.mixture([dataset, other], [2, 1], channels=[f"s0/{channel}"], length=3, batch=8) as mixed:
        state = None
        for step, batch in enumerate(mixed):
            for i in range(batch.count):
                number = int(batch.datasets[i])
                episode, _, row = mixed.locate(int(batch.windows[i]), number)
                source = (dataset, other)[number]
                table = source.episode(episode)["s0"]
                starts = np.cumsum([0, *[t.rows for t in table.tracks[:-1]]])
                found = [table[channel][at + row:at + row + 3] for at in starts]
                got = batch[f"s0/{channel}"][i]
                floats = got.dtype.kind == "f"
                assert any(f.shape == got.shape and np.array_equal(f, got, equal_nan=floats) for f in found)
            if step == 3:
                state = mixed.state_dict()
        with pytest.raises(trajpack.UsageError):
            loader(dataset).load_state_dict(state)


def test_epochs_differ_and_come_again(dataset: Any) -> None:
    one = loader(dataset, batch=1, seed=3)
    epochs = [given_out(one) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert [sorted(e) for e in epochs] == [list(range(one.windows))] * 3
    one.set_epoch(1)
    assert one.epoch == 1 and given_out(one) == epochs[1]
    one.seek(2, 5)
    assert one.position == 5 and given_out(one) == epochs[2][5:]
    assert given_out(loader(dataset, batch=1, seed=4)) != epochs[0]


def test_the_shuffle_is_as_random_as_a_permutation(wildworld: str) -> None:
    with trajpack.open(wildworld).windows(length=1, batch=16) as one:
        quality = one.shuffle_quality()
        assert 0.85 < quality["neighbour_distance"] < 1.15 and 0.9 < quality["batch_spread"] < 1.1
        rng = np.random.default_rng(0)
        size = one.windows
        many = [one.order(epoch=e)[0].astype(int) for e in range(40)]
        ours = np.concatenate([np.abs(np.diff(m)) for m in many]) / size
        theirs = np.concatenate([np.abs(np.diff(rng.permutation(size))) for _ in range(40)]) / size
        stats = pytest.importorskip("scipy.stats")
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
        # Where a window lands is uniform over epochs.
        places = np.array([np.argsort(m)[7] for m in many]) / size
        assert stats.kstest(places, "uniform").pvalue > 1e-3
    with trajpack.open(wildworld).windows(length=1, batch=16, shuffle=False) as one:
        assert one.shuffle_quality()["neighbour_distance"] < 0.05


def test_filters_on_metadata(dataset: Any) -> None:
    records = list(dataset.episodes.records())
    for where, keeps in [
            ({"level": [1, 2]}, lambda m: m["level"] in (1, 2)),
            ({"who.name": "a"}, lambda m: m["who"]["name"] == "a"),
            ({"level": {"min": 2}}, lambda m: m["level"] >= 2)]:
        wanted = {i for i, r in enumerate(records) if keeps(r["metadata"]) and r["rows"]}
        with dataset.windows(channels=["s0"], edge="pad", batch=1, where=where, drop_last=False) as one:
            found = {one.locate(w)[0] for w in range(one.windows)}
        assert found <= wanted and found
    with dataset.windows(channels=["s0"], edge="pad", batch=1, episodes=["e003", "e003", "e01*"]) as one:
        assert {dataset.episodes[one.locate(w)[0]].id for w in range(one.windows)} <= {"e003", "e010", "e011"}
    # Brackets are no pattern; what no episode has is said, though others are left.
    for missing, said in [("e00[1]", "there is no episode 'e00[1]'"), ("e0033", "'e003'"), ("f*", "no episode matches 'f*'")]:
        with pytest.raises(trajpack.UsageError, match=re.escape(said)):
            dataset.windows(channels=["s0"], edge="pad", batch=1, episodes=["e003", missing])
