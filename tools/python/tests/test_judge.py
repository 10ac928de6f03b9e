"""Judges: segments, frames, prompts, the four sorts of judge, and runs that are stopped and go on."""
from __future__ import annotations

import base64
import html
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from places import ROOT, surroundings

import trajpack
from trajpack.evaluate import judge
from trajpack.evaluate.judge._frames import chosen_rows
from trajpack.evaluate.judge._http import _wait

QUICK = judge.Persistence(attempts=3, backoff=0)


def clip(seed: int, rows: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (rows, 8, 12, 3), np.uint8)


def decoded(image: judge.Image) -> np.ndarray:
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(image.data)))


def some_segments(count: int = 6) -> list[judge.Segment]:
    actions = np.repeat(np.arange(count) % 3 + 1, 5)
    rules = [judge.ActionRule((1,), "attack", "slash"), judge.ActionRule((2,), "movement")]
    return judge.cut(actions, "ep", rules=rules)


def asker(who: judge.Judge, **options: Any) -> judge.Asker:
    options.setdefault("persistence", QUICK)
    return judge.Asker(who, lambda id: clip(1), lambda id: clip(2), **options)


# Segments.

def test_segments_are_cut_where_the_action_changes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = np.repeat(rng.integers(0, 3, (12, 2)), rng.integers(1, 6, 12), axis=0)
        seen = rng.random(len(actions)) < 0.9
        least = int(rng.integers(1, 4))
        found = judge.cut(actions, "e", observed=seen, minimum_length=least)
        want, start = [], 0
        for row in range(1, len(actions) + 1):
            whole = row == len(actions)
            if whole or (actions[row] != actions[start]).any() or not seen[row] or not seen[start]:
                if seen[start] and row - start >= least:
                    want.append((start, row - 1, tuple(actions[start].tolist())))
                start = row
        assert [(s.first, s.last, s.action) for s in found] == want
        assert len({s.id for s in found}) == len(found)


def test_segments_of_an_archive_follow_its_channels(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    total = 0
    for episode in dataset.episodes:
        table = episode["npc"][0]
        actions = np.stack([table[c][:] for c in ("weapon_id", "motion_bank_id", "motion_id")], axis=1)
        for segment in judge.episode_segments(episode):
            assert (actions[segment.first:segment.last + 1] == segment.action).all()
            total += segment.rows
    assert total == sum(len(e["npc"][0]) for e in dataset.episodes)


def test_segments_leave_out_frames_in_which_the_entity_is_away(wildworld: str) -> None:
    episode = trajpack.open(wildworld).episode("000002")
    channels = ["monster/motion_bank_id", "monster/motion_id"]
    rows = np.zeros(150, int)
    for segment in judge.episode_segments(episode, channels):
        rows[segment.first:segment.last + 1] += 1
    assert rows[:66].all() and rows[96:].all() and not rows[66:96].any() and rows.max() == 1


def test_segments_file(tmp_path: Path) -> None:
    segments = some_segments()
    judge.write_segments(tmp_path / "s.json", segments)
    assert judge.read_segments(tmp_path / "s.json") == segments
    document = json.loads((tmp_path / "s.json").read_text())
    schema = json.loads((ROOT / "schemas" / "segments.schema.json").read_text())
    Draft202012Validator(schema).validate(document)
    for change in (lambda s: s.update(first=-1), lambda s: s.pop("id"), lambda s: s.update(last=True),
                   lambda s: s.update(id="ep:0-4"), lambda s: s.update(action=[0.5])):
        spoilt = json.loads((tmp_path / "s.json").read_text())
        change(spoilt["segments"][1])
        (tmp_path / "bad.json").write_text(json.dumps(spoilt))
        with pytest.raises(trajpack.DataError):
            judge.read_segments(tmp_path / "bad.json")


# Frames and prompts.

@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 1, 3), (6, 9)])
def test_png_holds_the_pixels(shape: tuple[int, ...]) -> None:
    pytest.importorskip("PIL")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(decoded(judge.Image(judge.png(pixels), "image/png")), pixels)


def test_frames_of_a_video_are_those_rows(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    video = ROOT / "fixtures" / "wildworld" / "data_part1" / "000001" / "rgb.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", video, "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "raw"], check=True
    )
    whole = np.fromfile(tmp_path / "raw", np.uint8).reshape(-1, 180, 320, 3)
    rows = [140, 0, 3, 3, 77]
    for row, image in zip(rows, judge.VideoFrames(video).images(rows), strict=True):
        found = decoded(image)[..., :3].astype(int)
        errors = np.abs(whole.astype(int) - found).mean((1, 2, 3))
        assert errors.argmin() == row and errors[row] < 2
    small = decoded(judge.VideoFrames(video, height=90).images([5])[0])
    assert small.shape[:2] == (90, 160)
    with pytest.raises(trajpack.DataError, match="1 of the 2 frames"):
        judge.VideoFrames(video).images([3, 150])
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(trajpack.DataError, match="ffmpeg says"):
        judge.VideoFrames(tmp_path / "no.mp4").images([0])


def test_frames_of_a_folder_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = {f"f{n}.png": judge.png(clip(n, 1)[0]) for n in (1, 2, 10, 11)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = judge.FolderFrames(tmp_path).images([0, 2, 3])
    assert [i.data for i in found] == [files["f1.png"], files["f10.png"], files["f11.png"]]
    with pytest.raises(trajpack.DataError, match="no frame 4"):
        judge.FolderFrames(tmp_path).images([4])
    (tmp_path / "f3.png").write_bytes(b"GIF89a")
    with pytest.raises(trajpack.DataError, match="neither"):
        judge.FolderFrames(tmp_path).images([2])


def test_chosen_rows_and_steps() -> None:
    assert chosen_rows(10, 12, 8) == [10, 11, 12]
    assert chosen_rows(0, 100, 5) == [0, 25, 50, 75, 100]
    assert chosen_rows(4, 8, 1) == [6]
    seen: list[int] = []

    class Spy:
        def images(self, rows: Any) -> list[Any]:
            seen.extend(rows)
            return []

    judge.Stepped(Spy(), start=2, step=16 / 30).images([0, 15, 30])
    assert seen == [2, 10, 18]


def test_prompts(tmp_path: Path) -> None:
    attack, movement, other = some_segments(3)
    shipped = judge.Prompts()
    assert "slash" in shipped.question(attack, 4) and "4 frames" in shipped.question(attack, 4)
    assert len({shipped.question(s, 4) for s in (attack, movement, other)}) == 3
    assert '{"verdict": 1 or 0' in shipped.system
    (tmp_path / "system.txt").write_text("Judge.")
    with pytest.raises(trajpack.UsageError, match=r"default\.txt"):
        judge.Prompts(tmp_path)
    (tmp_path / "default.txt").write_text("{episode} {rows} {{x}}")
    assert judge.Prompts(tmp_path).question(attack, 4) == "ep 5 {x}"
    for text, part in (
        ("{acton}", "did you mean 'action'"),
        ("{", "brace"),
        ("{rows:3}", "no format"),
        ("{0}", "unknown"),
    ):
        (tmp_path / "attack.txt").write_text(text)
        with pytest.raises(trajpack.DataError, match=part):
            judge.Prompts(tmp_path)


# What is an answer, and what is not.

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


# Runs.

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


# Scores.

def test_scores_of_verdicts() -> None:
    segments = [
        judge.Segment(f"{e}:{k}", e, k, k + rows - 1, label=label)
        for e, k, rows, label in (("a", 0, 2, "attack"), ("a", 2, 2, None), ("a", 4, 4, "attack"), ("b", 0, 8, None))
    ]
    said = [True, False, True, False]
    found = judge.following(
        [judge.Verdict.of(s, v, "", **{"class": s.label}) for s, v in zip(segments, said, strict=True)]
    )
    assert found["action.following"].value == 50
    assert found["action.following_by_clip"].value == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert found["action.following_by_frame"].value == pytest.approx(100 * 6 / 16)
    assert found["action.following_class_attack"].value == 100 and found["action.following_class_none"].value == 0


def test_agreement_with_people(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth, said = rng.random(200) < 0.5, rng.random(200) < 0.8
    verdicts = [
        judge.Verdict(str(n), "e", n, n, bool(t == s)) for n, (t, s) in enumerate(zip(truth, said, strict=True))
    ]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps({"id": str(n), "labels": [bool(t), bool(t)]}) + "\n"
                                              for n, t in enumerate(truth)))
    found = judge.agreement(verdicts, judge.read_labels(tmp_path / "l.jsonl"))
    assert found["action.agreement"].value == pytest.approx(said.mean())
    answers = np.array([v.verdict for v in verdicts])
    chance = truth.mean() * answers.mean() + (1 - truth.mean()) * (1 - answers.mean())
    assert found["action.kappa"].value == pytest.approx((said.mean() - chance) / (1 - chance))


def test_scores_refuse_rows_that_count_twice_or_are_not_there(wildworld: str) -> None:
    def verdict(id: str, episode: str, first: int, last: int) -> judge.Verdict:
        return judge.Verdict(id, episode, first, last, True)

    rows = {r["id"]: r["rows"] for r in trajpack.open(wildworld).episodes.records()}
    good = [verdict("a", "000001", 0, 4), verdict("b", "000001", 5, 149), verdict("c", "000002", 0, 4),
            verdict("d", "000001", 0, 5)]
    for extra, part in (
            (verdict("x", "000001", 0, 4), "'a' and 'x' are the same rows 0 to 4 of episode '000001'"),
            (verdict("a", "000001", 9, 10), "'a' comes twice"),
            (verdict("x", "000001", 100, 150), "row 150, but episode '000001' has 150 rows"),
            (verdict("x", "00002", 0, 1), "'00002', which is not there; did you mean '000002'")):
        for found in (lambda v: judge.following(v, rows=rows), lambda v: judge.agreement(v, {"a": [True]}, rows=rows)):
            assert found(good).values()
            with pytest.raises(trajpack.DataError) as error:
                found([*good, extra])
            assert part in str(error.value)
    past = verdict("x", "000001", 100, 150)
    assert judge.following([*good, past])["action.following"].value == 100, "nobody said how long episodes are"


# Commands.

PROGRAM = """
import json, os, sys, time
for line in sys.stdin:
    q = json.loads(line)
    assert q["protocol"] == 1 and all(open(p, "rb").read(4) == b"\\x89PNG" for p in q["truth"] + q["prediction"])
    mark = os.path.join(sys.argv[1], q["id"].replace(":", "_"))
    first = not os.path.exists(mark)
    open(mark, "a").close()
    if first and q["first"] == 0: sys.exit(7)
    if first and q["first"] == 5: time.sleep(60)
    if q["first"] == 10: print("I would rather not", flush=True); continue
    if first and q["first"] == 15: print(json.dumps({"id": "?", "verdict": True}), flush=True); continue
    print(json.dumps({"id": q["id"], "verdict": len(q["truth"]) == len(q["rows"]) == 3, "reason": str(os.getpid())}),
    flush=True)
"""


def test_a_program_judges(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(PROGRAM)
    (tmp_path / "marks").mkdir()
    who = judge.CommandJudge([sys.executable, str(tmp_path / "judge.py"), str(tmp_path / "marks")], timeout=2)
    verdicts = judge.judge_segments(some_segments(), asker(who, frame_count=3), concurrency=2)
    assert [v.verdict for v in verdicts] == [True, True, None, True, True, True]
    assert "rather not" in verdicts[2].reason
    for verdict in verdicts:
        if verdict.verdict:
            with pytest.raises(ProcessLookupError):
                os.kill(int(verdict.reason), 0)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(trajpack.MachineError, match="cannot be started"):
        judge.judge_segments(some_segments(), asker(judge.CommandJudge("/no/such/judge")))


def test_a_program_that_never_answers_ends_the_run() -> None:
    who = judge.CommandJudge([sys.executable, "-c", "pass"])
    with pytest.raises(trajpack.MachineError, match="in a row did not reach the judge"):
        judge.judge_segments(some_segments(9), asker(who), concurrency=1)


# HTTP.

class Stub(ThreadingHTTPServer):
    """A chat server on loopback that answers with what ``script(number of this question, body)`` gives."""

    daemon_threads = True

    def __init__(self, script: Callable[[int, dict[str, Any]], Any]) -> None:
        stub = self
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.counts: dict[str, int] = {}
        self.lock, self.now, self.most = threading.Lock(), 0, 0

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                words = body["messages"][1]["content"][0]["text"]
                with stub.lock:
                    stub.asked.append(({k.lower(): v for k, v in self.headers.items()} | {":path": self.path}, body))
                    stub.counts[words] = stub.counts.get(words, 0) + 1
                    stub.now += 1
                    stub.most = max(stub.most, stub.now)
                try:
                    status, headers, data = script(stub.counts[words], body)
                    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    pass                                    # the judge has hung up
                finally:
                    with stub.lock:
                        stub.now -= 1

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    running = []

    def start(script: Callable[[int, dict[str, Any]], Any]) -> Stub:
        stub = Stub(script)
        threading.Thread(target=stub.serve_forever, args=(0.01,), daemon=True).start()
        running.append(stub)
        return stub

    yield start
    for stub in running:
        stub.shutdown()
        stub.server_close()


def said(text: Any, **more: Any) -> Any:
    return 200, {}, {"model": "stub-1", "choices": [{"message": {"role": "assistant", "content": text}, **more}]}


def test_http_sends_words_and_frames_and_the_key_of_the_environment(
        serve: Callable[..., Stub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJPACK_JUDGE_KEY", "sk-secret")
    stub = serve(lambda n, body: said('{"verdict": 1, "reason": "same"}'))
    segment = some_segments(1)[0]
    verdict = judge.judge_segments([segment], asker(judge.HTTPJudge(stub.url, "m", detail="low"), frame_count=2))[0]
    assert verdict.verdict is True and verdict.reason == "same" and verdict.more["model"] == "stub-1"
    assert "secret" not in verdict.line().decode()
    headers, body = stub.asked[0]
    assert headers[":path"] == "/v1/chat/completions" and headers["authorization"] == "Bearer sk-secret"
    assert (body["model"], body["temperature"]) == ("m", 0)
    assert body["messages"][0] == {"role": "system", "content": judge.Prompts().system}
    parts = body["messages"][1]["content"]
    assert parts[0]["text"] == judge.Prompts().question(segment, 2)
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    want = [judge.png(clip(side)[row]) for side in (1, 2) for row in (0, 4)]
    assert [base64.b64decode(u.removeprefix("data:image/png;base64,")) for u in urls] == want


def test_http_asks_again_where_that_may_help_and_tells_the_rest(serve: Callable[..., Stub]) -> None:
    hang = threading.Event()

    def script(n: int, body: dict[str, Any]) -> Any:
        episode = body["messages"][1]["content"][0]["text"].split()[0]
        if episode == "busy" and n < 3:
            return 429 if n == 1 else 503, {"Retry-After": "0"}, {"error": {"message": "slow down"}}
        if episode == "slow" and n == 1:
            hang.wait(20)
        if episode == "chatty" and n == 1:
            return said("Certainly! The verdict is 1.")
        if episode == "broken" and n == 1:
            return 200, {}, b"<html>"
        if episode == "cut":
            return said('{"verdict": 1', finish_reason="length")
        if episode == "filtered":
            return said(None, finish_reason="content_filter")
        if episode == "large":
            return 413, {}, {"error": {"message": "too many images"}}
        if episode == "moved":
            return 302, {"Location": "http://127.0.0.1:1/"}, b""
        return said("0")

    stub = serve(script)
    names = ["busy", "slow", "chatty", "broken", "cut", "filtered", "large", "moved"]
    segments = [judge.Segment(n, n, 0, 1) for n in names]
    prompts = judge.Prompts()
    prompts._texts["default"] = "{episode} ?"
    who = judge.HTTPJudge(stub.url, "m", timeout=1)
    found = dict(zip(names, judge.judge_segments(segments, asker(who, prompts=prompts), concurrency=3), strict=True))
    hang.set()
    assert [n for n in names if found[n].verdict is False] == names[:4]
    assert [n for n in names if found[n].verdict is None] == names[4:]
    assert "cut after" in found["cut"].reason and "filter" in found["filtered"].reason
    assert "too many images" in found["large"].reason and "302" in found["moved"].reason
    asked = {n: stub.counts[f"{n} ?"] for n in names}
    assert asked == {"busy": 3, "slow": 2, "chatty": 2, "broken": 2, "cut": 3, "filtered": 1, "large": 1, "moved": 1}
    assert stub.most <= 3


def test_http_ends_the_run_when_asking_on_is_no_use(serve: Callable[..., Stub],
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAJPACK_JUDGE_KEY", raising=False)
    stub = serve(lambda n, body: (401, {}, {"error": {"message": "bad key"}}))
    with pytest.raises(trajpack.MachineError, match="wants a key, and TRAJPACK_JUDGE_KEY holds none: 'bad key'"):
        judge.judge_segments(some_segments(), asker(judge.HTTPJudge(stub.url, "m")), concurrency=1)
    assert len(stub.asked) == 1
    with pytest.raises(trajpack.MachineError, match="did not reach the judge"):
        judge.judge_segments(some_segments(9), asker(judge.HTTPJudge("http://127.0.0.1:9/v1", "m", timeout=2)))


@pytest.mark.parametrize("key", ["""sk-+/\\"secret'&x""", "sk-12345678"])
def test_a_key_that_comes_back_is_not_told(serve: Callable[..., Stub], monkeypatch: pytest.MonkeyPatch,
                                           key: str) -> None:
    monkeypatch.setenv("TRAJPACK_JUDGE_KEY", key)
    odd = "".join(f"\\u{ord(c):04X}" for c in key)
    answers: list[Any] = [
        (401, {}, {"error": {"message": f"Incorrect API key provided: {key}."}}),
        (401, {}, {"error": f"Bearer {key}"}),
        (403, {}, f"<p>{key} {html.escape(key)} {quote(key, safe='')}</p>".encode()),
        (404, {}, {"detail": f"no {key}"}),
        (401, {}, f'{{"detail": "{odd}"}}'.encode()),
        (401, {}, b"x" * (110 - len(key) // 2) + key.encode()),
        (429, {"Retry-After": "0"}, {"error": {"message": f"{key} is slow"}}),
        (400, {}, {"error": {"message": f"{key} is bad"}}),
        (200, {}, f"no JSON {key}".encode()),
        said(f"who is {key}"), said(json.dumps({"verdict": f"{key}"})), said(None, finish_reason=None),
        (200, {}, {"choices": [{"message": {"content": None, "refusal": f"not for {key}"}}]}),
        said(f"{key}", finish_reason="length"),
        (200, {}, {"model": f"m {key}", "choices": [{"message": {"content": json.dumps(
            {"verdict": 1, "reason": f"ends with {key}"})}}]}),
    ]
    for number, answer in enumerate(answers):
        stub = serve(lambda n, body, answer=answer: answer)
        try:
            told = judge.judge_segments(some_segments(1), asker(judge.HTTPJudge(stub.url, "m")))[0].line().decode()
        except trajpack.MachineError as error:
            told = str(error)
        assert stub.asked[0][0]["authorization"] == f"Bearer {key}"
        for spelling in (key, json.dumps(key)[1:-1], repr(key)[1:-1], html.escape(key), quote(key, safe=""), odd,
                         key[:6]):
            assert spelling not in told, (number, told)
        assert number == 11 or "[key]" in told, told
        assert answer[0] != 401 or "TRAJPACK_JUDGE_KEY" in told
    for url in (f"ftp://x/{key}", f"http://me:{key}@[/v1", f"https://x/v1?key={key}"):
        with pytest.raises(trajpack.UsageError) as wrong:
            judge.HTTPJudge(url, "m")
        assert key not in str(wrong.value) and repr(key)[1:-1] not in str(wrong.value)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_http_waits_until_the_date_that_it_is_told(serve: Callable[..., Stub], form: str) -> None:
    clock = datetime(2031, 2, 3, 4, 5, 6)

    def wait_of(header: str, **more: str) -> float | None:
        headers = {"Retry-After": header, **more}
        who = judge.HTTPJudge(serve(lambda n, body: (429, headers, {"error": "slow"})).url, "m")
        with pytest.raises(judge.TryAgain) as error:
            who.ask(asker(who).request(some_segments(1)[0]))
        return error.value.wait

    answer: Any = {"Retry-After": (clock + timedelta(seconds=90)).strftime(form), "Date": clock.strftime(form)}
    assert _wait(answer["Retry-After"], answer["Date"]) == 90
    assert _wait(answer["Date"], answer["Retry-After"]) == 0, "a date that is past"
    for nothing in ("soon", "Xyz, 99 Abc 2031", "", "-1", "nan", "Mon, 03 Feb 99999 04:05:06 GMT"):
        assert _wait(nothing, None) is None
    in_a_minute = (datetime.now(timezone.utc) + timedelta(seconds=60)).strftime(form)
    found = _wait(in_a_minute, None)
    assert found is not None and 30 < found <= 60
    found = wait_of(in_a_minute)
    assert found is not None and 30 < found <= 60
    assert wait_of("7") == 7


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


def test_http_answers_are_kept(serve: Callable[..., Stub], tmp_path: Path) -> None:
    stub = serve(lambda n, body: said("1"))
    segments = some_segments()

    def run(model: str = "m", prediction: int = 2) -> list[judge.Verdict]:
        who = judge.Asker(
            judge.HTTPJudge(stub.url, model),
            lambda id: clip(1),
            lambda id: clip(prediction),
            persistence=QUICK,
            cache=judge.Cache(tmp_path / "cache"),
        )
        return judge.judge_segments(segments, who)

    first = run()
    assert [v.verdict for v in run()] == [v.verdict for v in first] and len(stub.asked) == 6
    files = sorted((tmp_path / "cache").glob("*/*.json"))
    assert len(files) == 6
    files[0].write_text("{")
    run()
    assert len(stub.asked) == 7, "a damaged answer is asked for again"
    run(model="another")
    assert len(stub.asked) == 13
    run(prediction=3)
    assert len(stub.asked) == 19, "other frames are another question"


def test_a_key_stays_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-secret")
    with pytest.raises(trajpack.UsageError, match="in the clear"):
        judge.HTTPJudge("http://example.org/v1", "m", key_variable="KEY")
    for url in ("ftp://x/v1", "https://", "https://me:sk@x/v1", "https://x/v1?key=1", "https://x:port/v1"):
        with pytest.raises(trajpack.UsageError):
            judge.HTTPJudge(url, "m")
    monkeypatch.setenv("KEY", "sk\r\nX-Other: 1")
    with pytest.raises(trajpack.UsageError, match="characters"):
        judge.HTTPJudge("https://example.org/v1", "m", key_variable="KEY")


# The command line.

def line(*arguments: Any, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "trajpack.evaluate.judge", *map(str, arguments)], capture_output=True,
                          text=True, env={**surroundings(), **more}, timeout=120)


def test_the_command_line_judges_an_archive(wildworld: str, serve: Callable[..., Stub], tmp_path: Path) -> None:
    stub = serve(lambda n, body: said(str(len(body["messages"][1]["content"]) % 2)))
    recordings = ROOT / "fixtures" / "wildworld" / "data_part1"
    given = [
        wildworld,
        "--episodes",
        "00000[12]",
        "--minimum-length",
        10,
        "--judge",
        "http",
        "--url",
        stub.url,
        "--model",
        "m",
        "--truth",
        f"{recordings}/{{episode}}/rgb.mp4",
        "--prediction",
        f"{recordings}/{{episode}}/rgb.mp4",
        "--frames",
        2,
        "--cache",
        tmp_path / "cache",
        "--out",
        tmp_path / "v.jsonl",
    ]
    done = line(*given)
    assert done.returncode == 0, done.stderr
    verdicts = judge.read_verdicts(tmp_path / "v.jsonl")
    assert {v.episode for v in verdicts.values()} == {"000001", "000002"} and len(stub.asked) == len(verdicts)
    schema = json.loads((ROOT / "schemas" / "verdict.schema.json").read_text())
    for written in (tmp_path / "v.jsonl").read_text().splitlines():
        Draft202012Validator(schema).validate(record := json.loads(written))
        assert record.keys() <= schema["properties"].keys()
    assert done.stdout.splitlines()[0] == str(next(iter(judge.following(verdicts.values()).values())))
    again = line(*given)
    assert again.stdout == done.stdout and len(stub.asked) == len(verdicts)


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    judge.write_segments(tmp_path / "s.json", some_segments(2))
    out = ["--out", tmp_path / "v.jsonl"]
    for arguments, code, part in (
            ([tmp_path / "s.json"], 2, "--judge"), ([tmp_path / "s.json", "--judge", "http", *out], 2, "--url"),
            ([tmp_path / "s.json", "--judge", "command", "--command", "true", *out], 2, "frames"),
            ([tmp_path / "none", "--judge", "file", *out], 2, "does not exist"),
            ([tmp_path / "s.json", "--judge", "file", "--verdicts", tmp_path / "none", *out], 3, "none")):
        done = line(*arguments)
        assert done.returncode == code and part in done.stderr and "Traceback" not in done.stderr, done.stderr
    judge.write_verdicts(tmp_path / "old.jsonl", [judge.Verdict.of(some_segments(2)[0], True, "")])
    done = line(tmp_path / "s.json", "--judge", "file", "--verdicts", tmp_path / "old.jsonl", *out)
    assert done.returncode == 1 and "1 of 2 segments have no verdict" in done.stderr
    assert len(judge.read_verdicts(tmp_path / "v.jsonl")) == 2


def test_episodes_that_are_not_there_are_named(wildworld: str, tmp_path: Path) -> None:
    save = ["--save-segments", tmp_path / "out.json"]
    judge.write_segments(tmp_path / "s.json", some_segments(2))
    for source, episodes, part in (
            (wildworld, ["zzz"], f"no episode of {wildworld} matches 'zzz'; there is 000001, 000002, 000003"),
            (wildworld, ["000001", "00003"], "matches '00003'; did you mean '000003'"),
            (tmp_path / "s.json", ["eq"], "matches 'eq'")):
        done = line(source, *save, "--episodes", *episodes)
        assert done.returncode == 2 and part in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert not (tmp_path / "out.json").exists()
    assert line(wildworld, *save, "--episodes", "00000[23]", "000003").returncode == 0
    assert {s.episode for s in judge.read_segments(tmp_path / "out.json")} == {"000002", "000003"}


def test_the_same_rows_are_not_judged_twice(tmp_path: Path) -> None:
    first = some_segments(1)[0]
    judge.write_segments(tmp_path / "s.json", [first, replace(first, id="again")])
    judge.write_verdicts(tmp_path / "old.jsonl", [judge.Verdict.of(first, True, "")])
    done = line(tmp_path / "s.json", "--judge", "file", "--verdicts", tmp_path / "old.jsonl", "--out",
                tmp_path / "v.jsonl")
    assert done.returncode == 1 and "the same rows 0 to 4" in done.stderr and not (tmp_path / "v.jsonl").exists()


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path, serve: Callable[..., Stub]) -> None:
    hang = threading.Event()
    stub = serve(lambda n, body: (hang.wait(60), said("1"))[1] if "slash" not in str(body) else said("1"))
    judge.write_segments(tmp_path / "s.json", some_segments(6))
    (tmp_path / "f").mkdir()
    for row in range(30):
        (tmp_path / "f" / f"{row}.png").write_bytes(judge.png(clip(0, 1)[0]))
    place = f"{tmp_path}/{{episode}}"
    (tmp_path / "ep").symlink_to(tmp_path / "f")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "trajpack.evaluate.judge",
            str(tmp_path / "s.json"),
            "--judge",
            "http",
            "--url",
            stub.url,
            "--model",
            "m",
            "--truth",
            place,
            "--prediction",
            place,
            "--out",
            str(tmp_path / "v.jsonl"),
        ],
        env=surroundings(),
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while len(stub.asked) < 5 and time.monotonic() < until:
        time.sleep(0.02)
    while (tmp_path / "v.jsonl").read_bytes().count(b"\n") < 2 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)      # as Ctrl-C, which a shell may have told children to ignore
    _, error = process.communicate(timeout=30)
    hang.set()
    assert process.returncode == 130 and "run it again" in error, error
    assert [v.verdict for v in judge.read_verdicts(tmp_path / "v.jsonl").values()] == [True, True]
