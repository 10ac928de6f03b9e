"""Whatever a judge is given wrongly is said in one sentence, with the value and what would be right."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trajpack
from trajpack.evaluate import judge


class Silent(judge.Judge):
    """A judge that needs no frames and is never asked."""

    needs_frames = False

    def ask(self, request: judge.Request) -> judge.Answer:
        pytest.fail("a judge was asked that nobody was to ask")


def asker(**options: Any) -> judge.Asker:
    return judge.Asker(Silent(), **options)


WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (judge.Persistence, ("a",), {}, "attempts, .* whole number of at least 1, not 'a'"),
    (judge.Persistence, (1.5,), {}, "attempts, .* not 1.5"),
    (judge.Persistence, (), {"give_up": True}, "give_up, .* not True"),
    (judge.Persistence, (), {"backoff": None}, "backoff, .* at least 0, not None"),
    (judge.Persistence, (), {"backoff": float("inf")}, "backoff, .* at least 0, not inf"),
    (judge.Cache, (3,), {}, "a folder of answers is given by its path, not as 3"),
    (judge.Cache, ("a\0b",), {}, "a folder of answers is given by its path"),
    (judge.CommandJudge, (3,), {}, "a text or a list of texts, not 3"),
    (judge.CommandJudge, ([3],), {}, r"a text or a list of texts, not \[3\]"),
    (judge.CommandJudge, ("cat",), {"timeout": "a"}, "timeout in seconds is a number above 0, not 'a'"),
    (judge.CommandJudge, ("cat",), {"timeout": 0}, "timeout in seconds is a number above 0, not 0"),
    (judge.HTTPJudge, (3, "m"), {}, "address is a text, not int"),
    (judge.HTTPJudge, ("https://host/v1", 3), {}, "model is a text, not int"),
    (judge.HTTPJudge, ("https://host/v1", ""), {}, "model is empty"),
    (judge.HTTPJudge, ("https://host/v1", "m"), {"timeout": "a"}, "timeout in seconds is a number above 0"),
    (judge.HTTPJudge, ("https://host/v1", "m"), {"key_variable": 3}, "key_variable is a text, not int"),
    (judge.HTTPJudge, ("https://host/v1", "m"), {"max_tokens": "a"}, "max_tokens is a whole number"),
    (judge.HTTPJudge, ("https://host/v1", "m"), {"detail": 7}, "detail is a text, not int"),
    (judge.RecordedJudge, (3,), {}, "a file of verdicts is given by its path, not as 3"),
    (judge.read_labels, (None,), {}, "a file of labels is given by its path, not as None"),
    (judge.read_rules, (None,), {}, "a file of rules is given by its path, not as None"),
    (judge.read_segments, (None,), {}, "a file of segments is given by its path, not as None"),
    (judge.Prompts, (3,), {}, "a folder of prompts is given by its path, not as 3"),
    (judge.FolderFrames, (3,), {}, "a folder of frames is given by its path, not as 3"),
    (judge.VideoFrames, (3,), {}, "a video is given by its path, not as 3"),
    (judge.VideoFrames, (__file__,), {"height": "a"}, "height of frames is a whole number from 1 to 65536, not 'a'"),
    (judge.Stepped, (None, "a"), {}, "first frame is a number, not 'a'"),
    (judge.Stepped, (None, 0, 0), {}, "frames a row is a number above 0, not 0"),
    (judge.Asker, (3,), {}, "a judge is a judge.Judge, not int"),
    (asker, (), {"frame_count": "a"}, "frame_count, .* from 1 to 1000, not 'a'"),
    (asker, (), {"frame_count": 0}, "frame_count, .* from 1 to 1000, not 0"),
    (asker, (), {"height": None}, "height of frames is a whole number"),
    (asker, (), {"cache": 3}, "a cache is a judge.Cache, not int"),
    (asker, (), {"persistence": 3}, "persistence is a judge.Persistence, not int"),
    (asker, (), {"prompts": "here"}, "prompts is a judge.Prompts, not str"),
    (judge.judge_segments, ([], Silent()), {}, "what asks is a judge.Asker, not Silent"),
    (judge.judge_segments, (None, asker()), {}, "a list of judge.Segment, not NoneType"),
    (judge.judge_segments, ([3], asker()), {}, "a segment is a judge.Segment, not int"),
    (judge.judge_segments, ([], asker()), {"concurrency": "a"}, "concurrency, .* from 1 to 1000, not 'a'"),
]


@pytest.mark.parametrize(("call", "given", "options", "sentence"), WRONG)
def test_what_is_given_wrongly_is_said(call: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any],
                                       sentence: str) -> None:
    with pytest.raises(trajpack.UsageError, match=sentence):
        call(*given, **options)


@pytest.mark.parametrize(("read", "hint"), [
    (judge.read_verdicts, "judge_segments with out= makes one"), (judge.RecordedJudge, "judge_segments with out="),
    (judge.read_segments, "write_segments makes one"), (judge.read_rules, "a list of"), (judge.read_labels, "labels")])
def test_a_file_that_is_not_there_is_asked_for_by_mistake(tmp_path: Path, read: Callable[[Path], Any],
                                                          hint: str) -> None:
    missing = tmp_path / "nothing.json"
    with pytest.raises(trajpack.UsageError, match=f"{re.escape(str(missing))} does not exist; .*{hint}"):
        read(missing)
    with pytest.raises(trajpack.UsageError, match=f"{re.escape(str(tmp_path))} is a folder; .*{hint}"):
        read(tmp_path)


def test_frames_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(trajpack.UsageError, match="is no folder; give one of PNG or JPEG files"):
        judge.FolderFrames(tmp_path / "nothing")
    with pytest.raises(trajpack.UsageError, match="does not exist; give a video file or a folder of images"):
        judge.VideoFrames(tmp_path / "nothing.mp4")


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np
    assert judge.Persistence(np.int64(2), np.float32(0.5)).attempts == 2
    assert asker(frame_count=np.int32(3)) is not None
