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


@pytest.fixture
def short(tmp_path: Path) -> str:
    """A gap of 3 rows after 10, at 10 Hz, beside a stream without one; the values are the rows of the clock."""
    path = tmp_path / "short"
    with trajpack.create(path, rate=10) as writer, writer.episode("a") as episode:
        episode.extend({"cam": {"c": np.arange(10.0)}})
        episode.extend({"cam": {"c": np.arange(13.0, 25.0)}}, time=1.3)
        episode.extend({"act": {"u": np.arange(25.0)}})
    return str(path)


RECORDED = [*range(10), *range(13, 25)]


def given(batch: trajpack.Batch, i: int) -> list[float | None]:
    """What a window has of the camera; None for padding."""
    rows = zip(batch["cam/c"][i].tolist(), batch["padding:cam"][i].tolist(), strict=True)
    return [None if padding else value for value, padding in rows]


SECONDS, ROWS = [-0.8, -0.5, -0.1, 0.0, 0.4], [-8, -5, -1, 0, 4]


# Rows of a stream are counted on its own clock, of which a grid (reference None) knows nothing.
@pytest.mark.parametrize(("offsets", "reference"), [
    (SECONDS, "cam"), (SECONDS, "act"), (SECONDS, None), (ROWS, "cam"), (ROWS, "act")])
def test_offsets_reach_over_a_gap(offsets: list[float], reference: str | None, short: str) -> None:
    options = {"reference": reference} if reference else {"rate": 10, "channels": ["cam"]}
    loader = trajpack.open(short).windows(offsets={"cam": offsets}, edge="pad", batch=8, shuffle=False, drop_last=False,
                                          meta=True, time=True, **options)
    seen = set()
    for batch in loader:
        for i in range(batch.count):
            start = round(float(batch["meta:time"][i]) * 10)
            rows = [start + (o if isinstance(o, int) else round(o * 10)) for o in offsets]
            assert given(batch, i) == [float(r) if r in RECORDED else None for r in rows], start
            np.testing.assert_allclose(batch["time:cam"][i],
                                       [r / 10 if r in RECORDED else np.nan for r in rows])
            seen.add(start)
    assert seen >= {9, 13, 14, 24}


@pytest.mark.parametrize("edge", ["pad", "clamp"])
@pytest.mark.parametrize("align", ["auto", "native"])
def test_runs_of_rows_reach_over_a_gap(edge: str, align: str, short: str) -> None:
    data = trajpack.open(short)
    for split in (None, {"one": slice(0, 18), "two": slice(18, None)}):
        if split is not None:
            data.split(split, stream="act")
        loader = data.windows(channels=["cam"], past=4, length=3, edge=edge, align=align, batch=1, shuffle=False,
                              meta=True, **({} if split is None else {"split": "one"}))
        seen = []
        for batch in loader:
            start = round(float(batch["meta:time"][0]) * 10)
            # Of a split nothing is seen but its own rows.
            recorded = [r for r in RECORDED if split is None or r < 18]
            rows = range(start - 4, start + 3)
            assert given(batch, 0) == [float(r) if r in recorded else None for r in rows]
            if edge == "clamp":
                run = [r for r in recorded if (r < 10) == (start < 10)]
                clamped = [float(r if r in recorded else min(max(r, run[0]), run[-1])) for r in rows]
                assert batch["cam/c"][0].tolist() == clamped
            seen.append(start)
        assert seen == [r for r in RECORDED if split is None or r < 18]
        # Windows that lie wholly inside have no gap in them.
        for batch in data.windows(channels=["cam"], past=4, length=3, batch=1):
            assert None not in given(batch, 0)


def test_choices_see_the_rows_beyond_a_gap(short: str) -> None:
    data = trajpack.open(short)
    options = {"channels": ["cam"], "past": 4, "length": 3, "edge": "pad", "batch": 1, "shuffle": False}
    chosen = [b["cam/c"][0, 4] for b in data.windows(windows_where=(trajpack.channel("cam/c") == 9).any(), **options)]
    want = [b["cam/c"][0, 4] for b in data.windows(**options) if 9.0 in given(b, 0)]
    assert chosen == want == [7, 8, 9, 13]


def test_lists_are_denormalized(gap: str) -> None:
    loader = trajpack.open(gap).windows(length=4, batch=2, shuffle=False, normalize="standard")
    numbers = [[-1.0, 0.0, 1.0, 2.0]]
    np.testing.assert_array_equal(loader.denormalize(numbers, "cam/c"), loader.denormalize(np.array(numbers), "cam/c"))
    for wrong in (None, "x", [[1.0], [2.0, 3.0]], [object()]):
        with pytest.raises(trajpack.UsageError, match="no array of numbers"):
            loader.denormalize(wrong, "cam/c")


def test_clips_count_rows_over_a_gap(gap: str) -> None:
    data = trajpack.open(gap)
    clips = [{"episode": "a", "start": 2.2, "rows": 4}, {"episode": "a", "start": 4.0, "rows": 4, "rate": 20},
             {"episode": "a", "start_row": 55, "rows": 4}, {"episode": "a", "start": 4.1, "rows": 3, "rate": 10}]
    loader = data.windows(clips=clips, edge="pad", batch=4, shuffle=False, meta=True)
    batch = loader.next()
    assert batch["meta:row"].tolist() == [clip["row"] for clip in loader.clips()] == [44, 50, 55, 52]
    assert batch["cam/c"][:, 0].tolist() == [44, 50, 55, 52]
    assert [int(loader.clip_rows(window, "cam")[0]) for window in range(4)] == [44, 50, 55, 52]


@pytest.mark.parametrize(("clip", "sentence"), [
    ({"start": 2.4, "rows": 10}, "has 10 rows from row 48 on, .*has gaps, and a clip lies in one run"),
    ({"start": 3.0, "rows": 2}, "begins at 3, .*has gaps"), ({"start_row": 60, "rows": 50}, "has 50 rows from row 60 on, .* end at row 79"), ({"start_row": 80, "rows": 1}, "at row 80, .* has 80 rows")])
def test_clips_lie_in_one_run(clip: dict[str, float], sentence: str, gap: str) -> None:
    with pytest.raises(trajpack.UsageError, match=sentence):
        trajpack.open(gap).windows(clips=[{"episode": "a", **clip}])


def test_runs_of_another_phase_are_interpolated(short: str) -> None:
    plan = {"steps": [{"step": "resample", "streams": "cam", "rate": 5, "method": "nearest"}]}
    beyond = 0
    for batch in trajpack.open(short).windows(channels=["cam"], past=4, length=3, edge="pad", plan=plan, batch=1,
                                              shuffle=False, meta=True, time=True):
        start, times = float(batch["meta:time"][0]), batch["time:cam"][0]
        for value, time in zip(given(batch, 0), times.tolist(), strict=True):
            # Runs lie at 0, 0.2, .. 0.8 and at 1.3, 1.5, .. 2.3 s, and their last rows count for an interval.
            if value is not None:
                assert value == pytest.approx(10 * min(time, 0.8 if time < 1.1 else 2.3))
                beyond += (time < 1.1) != (start < 1.1)
    assert beyond > 5
