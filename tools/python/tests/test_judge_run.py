"""Runs of a judge: what is an answer, what is asked again, and runs that are stopped and go on."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_world import QUICK, asker, clip, some_segments

import trajpack
from trajpack.evaluate import judge
from trajpack.evaluate.judge._http import _wait


@pytest.mark.parametrize(("text", "verdict"), [
    ("1", True), (" 0\n", False), ('{"verdict": 1, "reason": "x"}', True), ('{"verdict": false}', False),
    ('```json\n{"verdict": 0}\n```', False), ('{"verdict": null, "reason": "dark"}', None)])
def test_answers(text: str, verdict: bool | None) -> None:
    assert judge.parse_answer(text).verdict is verdict


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "2",
        "I think 1",
        '{"verdict": 2}',
        '{"verdict": "1"}',
        '{"verdict": 0.5}',
        "[1]",
        '{"reason": "1"}',
        "1 0",
        "null",
        '{"verdict": 1} {"verdict": 0}',
        "[" * 100_000,
    ],
)
def test_nonsense_is_never_guessed(text: str) -> None:
    with pytest.raises(judge.TryAgain):
        judge.parse_answer(text)


def test_a_function_judges_what_it_is_shown() -> None:
    shown: list[judge.Request] = []

    def look(request: judge.Request) -> Any:
        shown.append(request)
        return request.segment.action[0] == 1, "seen"

    segments = some_segments()
    verdicts = judge.judge_segments(segments, asker(judge.FunctionJudge(look)))
    assert [v.verdict for v in verdicts] == [s.action == (1,) for s in segments]
    first = next(r for r in shown if r.segment == segments[0])
    assert first.rows == (0, 1, 2, 3, 4)
    assert first.truth[2].data == judge.png(clip(1)[2]) and first.prediction[4].data == judge.png(clip(2)[4])
    assert verdicts[0].more["class"] == "attack" and verdicts[0].reason == "seen"


def test_failures_are_asked_again_and_then_told() -> None:
    calls: dict[str, int] = {}

    def look(request: judge.Request) -> Any:
        n = calls[request.segment.id] = calls.get(request.segment.id, 0) + 1
        if request.segment.first == 0:
            return "perhaps"
        if request.segment.first == 5 and n < 3:
            raise RuntimeError("busy")
        return True

    verdicts = judge.judge_segments(some_segments(3), asker(judge.FunctionJudge(look)))
    assert [v.verdict for v in verdicts] == [None, True, True]
    assert "'perhaps'" in verdicts[0].reason and "3 times" in verdicts[0].reason
    assert [v.more.get("attempts") for v in verdicts] == [None, 3, 1]


def test_a_missing_frame_is_no_verdict() -> None:
    who = judge.FunctionJudge(lambda request: True)
    short = judge.Asker(who, lambda id: clip(1), lambda id: clip(2, rows=7), persistence=QUICK)
    verdicts = judge.judge_segments(some_segments(3), short)
    assert [v.verdict for v in verdicts] == [True, None, None]
    assert "7 frames" in verdicts[1].reason


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out, segments, asked = tmp_path / "v.jsonl", some_segments(), []

    def look(request: judge.Request) -> Any:
        asked.append(request.segment.id)
        if len(asked) == 4:
            raise trajpack.MachineError("the power is gone")
        return request.segment.first % 2 == 0

    who = judge.FunctionJudge(look, name="look")
    with pytest.raises(trajpack.MachineError, match="power"):
        judge.judge_segments(segments, asker(who), out=out, concurrency=1)
    assert len(judge.read_verdicts(out)) == 3
    with out.open("ab") as file:
        file.write(b'{"id": "torn')
    verdicts = judge.judge_segments(segments, asker(who), out=out, concurrency=1)
    assert asked[4:] == [s.id for s in segments[3:]]
    assert list(judge.read_verdicts(out).values()) == verdicts
    before = out.read_bytes()
    judge.judge_segments(segments, asker(who), out=out)
    assert out.read_bytes() == before and len(asked) == 7

    (tmp_path / "system.txt").write_text("Judge.")
    (tmp_path / "default.txt").write_text("Other words.")
    judge.judge_segments(segments, asker(who, prompts=judge.Prompts(tmp_path)), out=out)
    assert len(asked) == 13, "other words are another question"
    with pytest.raises(trajpack.UsageError, match="verdicts of look"):
        judge.judge_segments(segments, asker(judge.FunctionJudge(look, name="another")), out=out)
    judge.judge_segments(segments, asker(judge.FunctionJudge(look, name="another")), out=out, fresh=True)
    assert {v.more["judge"] for v in judge.read_verdicts(out).values()} == {"another"}


def test_a_file_keeps_the_verdicts_of_other_segments(tmp_path: Path) -> None:
    rng, out = np.random.default_rng(5), tmp_path / "v.jsonl"
    parts = {e: judge.cut(np.repeat(np.arange(4), 3), e) for e in ("e2", "e0", "e1")}
    every = sorted((s for p in parts.values() for s in p), key=lambda s: (s.episode, s.first))
    asked: list[str] = []
    stop_at = -1

    def look(request: judge.Request) -> Any:
        if len(asked) == stop_at:
            raise trajpack.MachineError("the power is gone")
        asked.append(request.segment.id)
        return request.segment.first % 2 == 0

    def run(segments: list[judge.Segment]) -> list[judge.Verdict]:
        return judge.judge_segments(segments, asker(judge.FunctionJudge(look, name="look")), out=out, concurrency=1)

    assert [v.id for v in run(parts["e2"])] == [s.id for s in parts["e2"]]
    before = out.read_bytes()
    stop_at = len(asked) + 2
    with pytest.raises(trajpack.MachineError):        # killed among other episodes
        run(parts["e0"])
    assert out.read_bytes().startswith(before) and len(judge.read_verdicts(out)) == 6
    stop_at = -1
    assert [v.id for v in run(parts["e1"])] == [s.id for s in parts["e1"]]
    assert [v.id for v in judge.read_verdicts(out).values()] == [
        s.id for s in every if s.episode != "e0" or s.first < 6]
    run(parts["e0"])
    whole = out.read_bytes()
    assert [json.loads(x)["id"] for x in whole.splitlines()] == [s.id for s in every]
    for _ in range(5):                                # in whatever order and share: the same file, nothing is asked
        run([every[n] for n in rng.permutation(len(every))[:rng.integers(1, len(every))]])
        assert out.read_bytes() == whole
    assert sorted(asked) == sorted(s.id for s in every)

    out.write_bytes(whole[:-1])                       # an editor's file, whose last line has no end
    run(parts["e0"])
    assert out.read_bytes() == whole and len(asked) == len(every)
    judge.judge_segments(parts["e1"], asker(judge.FunctionJudge(look, name="look")), out=out, fresh=True)
    assert {v.episode for v in judge.read_verdicts(out).values()} == {"e1"}


def test_recorded_verdicts(tmp_path: Path) -> None:
    segments = some_segments(4)
    kept = [judge.Verdict.of(s, bool(n % 2), "said") for n, s in enumerate(segments[:3])]
    kept[2] = judge.Verdict(kept[2].id, "ep", 10, 13, True)
    judge.write_verdicts(tmp_path / "v.jsonl", kept)
    verdicts = judge.judge_segments(segments, judge.Asker(judge.RecordedJudge(tmp_path / "v.jsonl")))
    assert [v.verdict for v in verdicts] == [False, True, None, None]
    assert "rows 10 to 13" in verdicts[2].reason and "no verdict" in verdicts[3].reason


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "[]",
        '{"id": "a"}',
        '{"id": "a", "episode": "e", "first": 1, "last": 0, "verdict": true}',
        '{"id": "a", "episode": "e", "first": 0, "last": 0, "verdict": 1}',
        '{"id": "a", "episode": "e", "first": 0, "last": 0}',
    ],
)
def test_lines_that_are_no_verdicts_are_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "v.jsonl").write_text("\n" + line + "\n")
    with pytest.raises(trajpack.DataError, match="line 2"):
        judge.read_verdicts(tmp_path / "v.jsonl")


def test_a_wait_until_a_date_is_as_long_as_one_of_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def look(request: judge.Request) -> Any:
        if len(waited) < 2:
            date = "Mon, 03 Feb 2031 06:05:06 GMT"
            wait = _wait(date, "Mon, 03 Feb 2031 04:05:06 GMT") if not waited else _wait("7200", None)
            raise judge.TryAgain("busy", wait=wait)
        return True

    who = asker(judge.FunctionJudge(look))
    monkeypatch.setattr(who.stopped, "wait", lambda seconds: waited.append(seconds))
    assert judge.judge_segments(some_segments(1), who)[0].verdict is True
    assert waited == [300, 300]
