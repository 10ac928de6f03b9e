"""Judges behind HTTP: what is sent, asked again, kept and waited for, and a key that nobody is told."""
from __future__ import annotations

import base64
import html
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from judge_world import QUICK, Stub, asker, clip, said, some_segments

import trajpack
from trajpack.evaluate import judge
from trajpack.evaluate.judge._http import _wait


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
    who = judge.HTTPJudge(stub.url, "m", timeout=4)
    found = dict(zip(names, judge.judge_segments(segments, asker(who, prompts=prompts), concurrency=3), strict=True))
    hang.set()
    assert [n for n in names if found[n].verdict is False] == names[:4]
    assert [n for n in names if found[n].verdict is None] == names[4:]
    assert "cut after" in found["cut"].reason and "filter" in found["filtered"].reason
    assert "too many images" in found["large"].reason and "302" in found["moved"].reason
    asked = {n: stub.counts[f"{n} ?"] for n in names}
    assert asked == {"busy": 3, "slow": 2, "chatty": 2, "broken": 2, "cut": 3, "filtered": 1, "large": 1, "moved": 1}
    # Three, and the one that was given up, which the stub holds on to.
    assert stub.most <= 4


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
