"""Streams of a rate with a gap: each run of rows is a track, and rows are counted over all of them."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trajpack


@pytest.fixture
def gap(tmp_path: Path) -> str:
    """50 rows at 20 Hz, then 30 rows from 4 s on; the values are the numbers of rows."""
    path = tmp_path / "ds"
    with trajpack.create(path, rate={"cam": 20}) as writer, writer.episode("a") as episode:
        episode.extend({"cam": {"c": np.arange(50.0)}})
        episode.extend({"cam": {"c": np.arange(50.0, 80.0)}}, time=np.arange(30) / 20 + 4.0)
    return str(path)


def test_the_row_of_a_window_is_that_of_the_column(gap: str) -> None:
    data = trajpack.open(gap)
    column = data.episode("a")["cam/c"][:]
    np.testing.assert_array_equal(column, np.arange(80.0))
    rows = []
    for batch in data.windows(length=4, batch=1, shuffle=False, meta=True):
        rows.append(int(batch["meta:row"][0]))
        assert column[rows[-1]] == batch["cam/c"][0, 0]
    assert rows == [*range(47), *range(50, 77)]


@pytest.mark.parametrize("rows", [(0, 60), (0, 50), (0, 51), (10, 55), (55, 60), (60, 80), (79, 80), (50, 50 + 30)])
def test_statistics_of_rows(gap: str, rows: tuple[int, int]) -> None:
    found = trajpack.open(gap).statistics(rows=slice(*rows), channels="cam/c")["cam/c"]
    values = np.arange(80.0)[slice(*rows)]
    assert [found[name] for name in ("count", "min", "max")] == [[len(values)], [values.min()], [values.max()]]


def test_lists_are_denormalized(gap: str) -> None:
    loader = trajpack.open(gap).windows(length=4, batch=2, shuffle=False, normalize="standard")
    numbers = [[-1.0, 0.0, 1.0, 2.0]]
    np.testing.assert_array_equal(loader.denormalize(numbers, "cam/c"), loader.denormalize(np.array(numbers), "cam/c"))
    for wrong in (None, "x", [[1.0], [2.0, 3.0]], [object()]):
        with pytest.raises(trajpack.UsageError, match="no array of numbers"):
            loader.denormalize(wrong, "cam/c")
