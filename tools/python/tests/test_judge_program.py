"""Judges that are programs: one line a question, one line an answer."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from judge_world import asker, some_segments

import trajpack
from trajpack.evaluate import judge

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
