"""What is given to a writer and was taken for something else: it is refused, or said."""
from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import trajpack


@pytest.fixture
def episode(tmp_path: Path) -> Any:
    """An episode of a data set at 10 Hz, which is left open."""
    with trajpack.create(tmp_path / "ds", rate={"frames": 10, "log": 5}) as writer:
        recording = writer.episode("a")
        yield recording
        recording.abandon()


FRAME = pandas.DataFrame({"x": np.arange(4.0)})


@pytest.mark.parametrize(("give", "sentence"), [
    (lambda e: e.extend(x=[2**63 + 1, 1]), "no type of numbers holds 9223372036854775809 and the others beside it"),
    (lambda e: e.extend(x=[2**60 + 1, float("nan")]), "no type of numbers holds 1152921504606846977"),
    (lambda e: e.extend(x=[2**60 + 1, 0.5]), "no type of numbers holds 1152921504606846977"),
    (lambda e: e.extend(x=[[2**63 + 1, -1]]), "no type of numbers holds 9223372036854775809"),
    (lambda e: e.extend(x=np.arange(4.0), time=[0, 0.1]), "there are 4 rows and 2 times"),
    (lambda e: e.append({"frames/x": 1.0}, x=2.0), "channel 'frames/x' is given twice"),
    (lambda e: e.append({"x": 1.0}, x=2.0), "channel 'x' is given twice"),
    (lambda e: e.append({"frames": {"x": 1.0}, "x": 2.0}), "channel 'frames/x' is given twice"),
    (lambda e: e.extend({"frames": {"x": [1.0]}}, time={"frame": [0]}), "times of 'frame' are given, and no rows; did you"),
    (lambda e: e.extend(FRAME.set_index(pandas.to_datetime([0, 100, 500, 600], unit="ms"))), "row of the clock apart, from row 2"),
    (lambda e: e.extend(FRAME.set_index(pandas.to_timedelta([0, 50, 100, 150], unit="ms"))), "row of the clock apart, from row 1"),
    (lambda e: e.extend({"frames": FRAME.set_index(pandas.Index([0.0, 0.5, 1.0, 1.5]))}), "row of the clock apart, from row 1"),
])
def test_what_would_be_taken_for_something_else_is_refused(
        give: Callable[[trajpack.Recording], None], sentence: str, episode: trajpack.Recording) -> None:
    with pytest.raises(trajpack.TrajpackError, match=sentence):
        give(episode)
    assert episode.rows == 0


def test_what_is_as_it_is_meant_is_taken(episode: trajpack.Recording) -> None:
    for index in (pandas.to_datetime([0, 103, 197, 301], unit="ms"), pandas.Index([7.0, 7.1, 7.2, 7.3]),
                  pandas.Index([3, 9, 2, 8]), pandas.to_datetime([0, 100, 200, 300], unit="ms").tz_localize("CET")):
        episode.extend(FRAME.set_index(index))
    episode.extend(x=np.arange(4.0), time=[1.6, 1.7, 1.8, 1.9])
    episode.extend(x=[2.0**63, 1])
    assert episode.rows == 22


def at(*times: float) -> pandas.DataFrame:
    return FRAME[:len(times)].set_index(pandas.to_timedelta(times, unit="s"))


@pytest.mark.parametrize(("give", "sentence"), [
    ([at(0, .1), at(.7, .8)], "begins 6 rows of the clock after the last row of the frame before it, and not 1"),
    ([at(0, .1), at(.1, .2)], "begins 0 rows"), ([at(5), at(5.1), at(5.3)], "begins 2 rows"),
    ([at(0, .1), at(0, .1)], "begins -1 rows"), ([FRAME.set_index(FRAME["x"] / 10)] * 2, "begins -3 rows"),
    ([at(0, .1), FRAME, at(.2)], "begins 1 rows of the clock .* and not 5")])
def test_a_gap_between_two_frames_is_refused(give: list[Any], sentence: str, episode: trajpack.Recording) -> None:
    """As it is within one frame: rows would lie on the clock as if there were none."""
    for frame in give[:-1]:
        episode.extend(frame)
    before = episode.rows
    with pytest.raises(trajpack.DataError, match=sentence + ".*append each piece between gaps with time="):
        episode.extend(give[-1])
    assert episode.rows == before
    episode.extend(give[-1], row=before + 3)             # which says that there is a gap


def test_frames_that_go_on_are_taken(episode: trajpack.Recording) -> None:
    episode.extend(at(3, 3.1, 3.2))
    episode.extend(at(3.33, 3.4))                        # near enough
    episode.append(x=1.0)
    episode.extend({"frames": at(3.6).set_index(pandas.to_timedelta([3600], unit="ms").astype("m8[us]"))})
    episode.extend({"log": at(1, 1.2)})                  # another stream
    episode.extend(at(9, 9.1), time=1.5)                 # says itself when, so that the index says nothing
    episode.extend(at(4, 4.1))
    episode.extend(at(4.2, 4.3).set_index(pandas.to_datetime([4200, 4300], unit="ms")), row=40)
    episode.extend(at(4.4).set_index(pandas.to_datetime([4400], unit="ms")))
    assert episode.rows == 16


def test_frames_of_one_row_may_come_early_or_late(episode: trajpack.Recording) -> None:
    for time in (0, .16, .21, .33):                      # rows of 0.1 s from a live loop
        episode.extend(at(time))
    episode.extend(FRAME[:1].set_index(pandas.to_datetime(["2026-11-30"])))   # another kind of time
    assert episode.rows == 5
    with pytest.raises(trajpack.DataError, match="from row 0 on; give time="):
        episode.extend(FRAME[:1].set_index(pandas.Index([float("nan")])))


def test_large_whole_numbers_that_fit_are_exact(tmp_path: Path) -> None:
    numbers = [2**63 - 1, 2**53 + 1, -1]
    with trajpack.create(tmp_path / "ds", rate=10) as writer:
        writer.append("a", x=numbers, y=[2**53, 0.5, 1e300])
    assert trajpack.open(tmp_path / "ds").episode("a")["frames/x"][:].tolist() == numbers


def test_an_episode_that_nobody_has_any_more_is_named(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "ds", rate=10) as writer:
        def record(id: str) -> None:
            writer.episode(id).append(x=1.0)             # and no commit

        with pytest.warns(UserWarning, match="episode 'a' was neither committed nor abandoned, and is lost with its 1 row"
                          ) as caught:
            record("a")
            gc.collect()
        assert [one.filename for one in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            writer.episode("b").abandon()
            writer.episode("c")
            writer.append("d", x=[1.0])
            gc.collect()
    assert trajpack.open(tmp_path / "ds").episodes.ids == ["d"]
