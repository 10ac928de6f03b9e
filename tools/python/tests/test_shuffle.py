"""The global shuffle against numpy's permutation: what tells them apart would tell a model something.

Seeds are fixed, so that a verdict never changes by itself. Each statistic is also shown an order that is not random
enough, which it has to reject.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import trajpack

stats = pytest.importorskip("scipy.stats")
EPOCHS, BATCH = 60, 16
# Of 12 fixed verdicts, none falls below this by chance once in a hundred suites like it.
DOUBT = 1e-3


@pytest.fixture(scope="module")
def orders(random_archive: str) -> tuple[list[Any], Any]:
    """Orders of many epochs, and the episode of each window."""
    with trajpack.open(random_archive).windows(channels=["s0"], length=3, batch=BATCH, seed=17) as loader:
        episodes = np.array([loader.locate(w)[0] for w in range(loader.windows)])
        assert loader.windows >= 200 and len(set(episodes.tolist())) >= 5
        return [loader.order(epoch=e)[0].astype(int) for e in range(EPOCHS)], episodes


@cache
def permutations(size: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.permutation(size) for _ in range(EPOCHS)]


def affine(size: int) -> list[Any]:
    """Every window once, but each step is the same: a shuffle that is none."""
    rng = np.random.default_rng(1)
    units = [a for a in range(size // 3, size) if np.gcd(a, size) == 1]
    return [(np.arange(size) * rng.choice(units) + rng.integers(size)) % size for _ in range(EPOCHS)]


def blocks(size: int) -> list[Any]:
    """Windows leave a buffer of 64 in random order, as streaming loaders shuffle."""
    rng = np.random.default_rng(2)
    return [np.concatenate([part[rng.permutation(len(part))] for part in
                            np.array_split(np.arange(size), max(1, size // 64))]) for _ in range(EPOCHS)]


def distances(lag: int) -> Callable[[Any, Any], Any]:
    """How far apart windows are that come `lag` places apart; one window in `lag + 1`, so that pairs share none."""
    return lambda order, _: np.abs(order[lag:] - order[:-lag])[::lag + 1] / len(order)


def episodes_a_batch(order: Any, episodes: Any) -> Any:
    """Different episodes in each batch."""
    whole = episodes[order[:len(order) // BATCH * BATCH]].reshape(-1, BATCH)
    return np.array([len(set(row)) for row in whole.tolist()], float)


def largest_share(order: Any, episodes: Any) -> Any:
    """Windows of the longest episode in each batch."""
    longest = np.bincount(episodes).argmax()
    whole = episodes[order[:len(order) // BATCH * BATCH]].reshape(-1, BATCH)
    return (whole == longest).sum(1).astype(float)


def neighbours_apart(order: Any, _: Any) -> Any:
    """Places between windows that are neighbours in the data set."""
    place = np.argsort(order)
    return np.abs(np.diff(place))[::2] / len(order)


def rises(order: Any, _: Any) -> Any:
    """How often the order goes up, and how many windows stay where they were."""
    return np.array([(np.diff(order) > 0).mean() + (order == np.arange(len(order))).sum()])


def p(a: list[Any], b: list[Any], episodes: Any, statistic: Callable[[Any, Any], Any]) -> float:
    """The chance of two samples as different as these, if they were of one distribution."""
    x, y = (np.concatenate([statistic(order, episodes) for order in many]) for many in (a, b))
    values = np.union1d(x, y)
    if len(values) > 40:
        return float(stats.ks_2samp(x, y).pvalue)
    # Few different values: counts of each, the rare ones together.
    table = np.array([[(z == v).sum() for v in values] for z in (x, y)])
    common = table.sum(0) >= 20
    table = np.column_stack((table[:, common], table[:, ~common].sum(1)))
    table = table[:, table.sum(0) > 0]
    return float(stats.chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0


STATISTICS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int], list[Any]]]] = {
    "distance of neighbours": (distances(1), blocks),
    "distance of every second": (distances(2), affine),
    "distance a batch apart": (distances(BATCH), blocks),
    "episodes a batch": (episodes_a_batch, blocks),
    "share of the longest episode": (largest_share, blocks),
    "places between neighbours": (neighbours_apart, affine),
    "rises and fixed points": (rises, affine),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_no_statistic_tells_it_from_a_permutation(orders: tuple[list[Any], Any], name: str) -> None:
    many, episodes = orders
    statistic, bad = STATISTICS[name]
    size = len(episodes)
    assert p(many, permutations(size), episodes, statistic) > DOUBT
    assert p(bad(size), permutations(size), episodes, statistic) < 1e-6, "the statistic sees nothing"


def test_a_window_lands_everywhere_and_epochs_know_nothing_of_each_other(orders: tuple[list[Any], Any]) -> None:
    many, episodes = orders
    size = len(episodes)
    places = np.array([np.argsort(order) for order in many]) / size
    # Every window's mean place: 1/2 with deviation 1 / sqrt(12 epochs).
    z = (places.mean(0) - (size - 1) / size / 2) * np.sqrt(12 * EPOCHS)
    assert stats.kstest(z, "norm").pvalue > DOUBT
    # Rank correlations of one epoch and the next: 0 with deviation 1 / sqrt(size - 1).
    r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(many[:-1:2], many[1::2], strict=True)]) * np.sqrt(size - 1)
    assert stats.kstest(r, "norm").pvalue > DOUBT
