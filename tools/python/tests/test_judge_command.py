"""`python -m trajpack.evaluate.judge`: what it writes, what it refuses, and what an interrupt leaves."""
from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from judge_world import Stub, clip, said, some_segments
from places import ROOT, Start, surroundings

from trajpack.evaluate import judge


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
            ([tmp_path / "s.json", "--entity", 1, "--judge", "file", *out], 2, "--entity is for data sets"),
            ([tmp_path / "s.json", "--judge", "file", "--timeout", 9, *out], 2, "--timeout is for --judge http or command"),
            ([tmp_path / "s.json", "--judge", "command", "--key-variable", "K", *out], 2, "--key-variable is for --judge http"),
            ([tmp_path / "s.json", "--save-segments", tmp_path / "t.json", "--url", "u"], 2, "http; say who judges"),
            ([tmp_path / "s.json", "--judge", "file", "--verdicts", tmp_path / "none", *out], 2, "none does not exist")):
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


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path, serve: Callable[..., Stub], start: Start) -> None:
    hang = threading.Event()
    stub = serve(lambda n, body: (hang.wait(60), said("1"))[1] if "slash" not in str(body) else said("1"))
    judge.write_segments(tmp_path / "s.json", some_segments(6))
    (tmp_path / "f").mkdir()
    for row in range(30):
        (tmp_path / "f" / f"{row}.png").write_bytes(judge.png(clip(0, 1)[0]))
    place = f"{tmp_path}/{{episode}}"
    (tmp_path / "ep").symlink_to(tmp_path / "f")
    process = start([sys.executable, "-m", "trajpack.evaluate.judge", tmp_path / "s.json", "--judge", "http", "--url",
                     stub.url, "--model", "m", "--truth", place, "--prediction", place, "--out", tmp_path / "v.jsonl"],
                    stderr=subprocess.PIPE)
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
