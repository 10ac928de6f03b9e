"""What is said of streams and channels when a data set is made: it must fit, and costs no episode."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack


@pytest.mark.parametrize(("options", "stream", "said"), [
    ({"rate": {"frames": 10, "later": 5}}, "later", "schema="),
    ({"rate": {"frames": 10, "frame": 5}}, "frame", "did you mean 'frames'"),
    ({"rate": 10, "streams": {"log": {"description": "x"}}}, "log", "schema="),
    ({"rate": 10, "channels": {"log/mode": {"categories": ["a", "b"]}}}, "log", "schema=")])
def test_a_described_stream_that_the_first_episode_lacks_costs_no_episode(
        options: dict[str, Any], stream: str, said: str, tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "ds", **options) as writer:
        with pytest.warns(UserWarning, match=f"stream '{stream}' is described.*{said}"), \
                writer.episode("a") as episode:
            for i in range(100):
                episode.append(x=float(i))
        writer.append("b", x=[1.0, 2.0])
        with pytest.raises(trajpack.UsageError, match=f"has no stream '{stream}'"):
            writer.append("c", {f"{stream}/mode": ["a"]}, time=[0.0])
    data = trajpack.open(tmp_path / "ds")
    assert data.episodes.ids == ["a", "b"]
    np.testing.assert_array_equal(data.episode("a")["frames/x"][:], np.arange(100.0))


def test_warnings_name_the_line_of_the_caller(tmp_path: Path) -> None:
    """However many calls of the package lie between: of a writer, of an episode, of a block's end; each line anew."""
    def lines(name: str, record: Callable[[trajpack.Writer], None]) -> list[tuple[str, int]]:
        with pytest.warns(UserWarning, match="stream 'later' is described") as caught, \
                trajpack.create(tmp_path / name, rate={"frames": 10, "later": 5}) as writer:
            record(writer)
        return [(one.filename, one.lineno) for one in caught]

    def append(writer: trajpack.Writer) -> None:
        writer.append("a", x=[1.0])

    def commit(writer: trajpack.Writer) -> None:
        episode = writer.episode("a")
        episode.append(x=1.0)
        episode.commit()

    def block(writer: trajpack.Writer) -> None:
        with writer.episode("a") as episode:
            episode.append(x=1.0)

    for record, line in ((append, 1), (commit, 3), (block, 1)):
        assert lines(record.__name__, record) == [(__file__, record.__code__.co_firstlineno + line)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for name in "bc":
            with trajpack.create(tmp_path / name, rate={"frames": 10, "later": 5}) as writer:
                append(writer)
    assert len(caught) == 2                               # two data sets; one of them twice would be said once


def test_a_schema_has_streams_that_the_first_episode_lacks(tmp_path: Path) -> None:
    schema = {"x": {"dtype": "f8"}, "later/y": {"dtype": "f4"}}
    with trajpack.create(tmp_path / "ds", rate={"frames": 10, "later": 5}, schema=schema) as writer:
        writer.append("a", x=[1.0])
        writer.append("b", {"later/y": [1.0, 2.0]})
    assert trajpack.open(tmp_path / "ds").episode("b")["later"].times.tolist() == [0.0, 0.2]


def test_a_described_channel_that_rows_lack_is_refused_with_the_first_row(tmp_path: Path) -> None:
    writer = trajpack.create(tmp_path / "ds", rate=10, channels={"q": {"units": "rad"}, "log/time": {"units": "s"}})
    episode = writer.episode("a")
    with pytest.raises(trajpack.UsageError, match="channel 'frames/q' is described, but the rows do not have it") as said:
        episode.append(qq=1.0)
    assert said.value.place.option == "channels" and episode.rows == 0
    with pytest.raises(trajpack.UsageError, match="channel 'frames/q'"):
        episode.video("frames", np.zeros((2, 8, 8), np.uint8))
    episode.append(q=1.0)                                # nothing is lost
    with pytest.warns(UserWarning, match="'log'"):
        episode.commit()
    assert trajpack.open(tmp_path / "ds").streams["frames"].channels["q"].units == "rad"


@pytest.mark.parametrize(("options", "sentence"), [
    ({"rate": {"frame": 10}}, "no stream 'frame' to describe; did you mean 'frames'"),
    ({"streams": {"frame": {"tick": "1/10"}}}, "no stream 'frame' to describe"),
    ({"streams": {"frames": {"description": "x"}}}, "description of stream 'frames' is None there, and 'x' in"),
    ({"streams": {"frames": {"time_unit": "ms"}}}, "time_unit of stream 'frames' is 's' there, and 'ms' in 'streams'"),
    ({"channels": {"p": {"units": "rad"}}}, "has no channel 'frames/p'"),
    ({"channels": {"q": {"units": "deg"}}}, "units of channel 'frames/q' is 'rad' there, and 'deg' in 'channels'"),
    ({"channels": {"q": {"dtype": "f4"}}}, "dtype of channel 'frames/q' is 'float64' there"),
    ({"channels": {"q": {"missing": False}}}, "missing of channel 'frames/q' is True there")])
def test_what_a_data_set_has_is_not_described_anew(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"rate": {"frames": 10}, "channels": {"q": {"units": "rad", "kind": "angle"},
                                                                  "mode": {"categories": ["a", "b"]}}}
    for id in ("a", "b"):                                # the same again is well
        with trajpack.create(tmp_path / "ds", mode="a", **given) as writer:
            writer.append(id, q=[1.0], mode=["b"])
    with pytest.raises(trajpack.UsageError, match=sentence):
        trajpack.create(tmp_path / "ds", mode="a", **options)
    assert trajpack.open(tmp_path / "ds").episodes.ids == ["a", "b"]
