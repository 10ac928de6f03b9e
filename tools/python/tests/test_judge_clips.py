"""A judge of clips inside recordings: segments of the clip's rows, frames of the recording's video or of the clip's."""
from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import program, surroundings

import trajpack
from trajpack.evaluate import judge

CLIPS = [{"id": "a", "episode": "000001", "start": 1.0, "rows": 41, "rate": 16},
         {"id": "b", "episode": "000002", "start": 1.5, "rows": 30}]


def rows_of(clip: dict[str, Any]) -> list[int]:
    places = [Fraction(clip["start"]) * 30 + Fraction(30 * k, clip.get("rate", 30)) for k in range(clip["rows"])]
    return [int(p) + (p - int(p) > Fraction(1, 2)) for p in places]


def actions(episode: Any) -> Any:
    return np.stack([episode["npc"][0][c.split("/")[1]][:] for c in judge.WILDWORLD_ACTION], 1)


def test_segments_are_those_of_the_rows_of_the_clip(wildworld: str) -> None:
    ds = trajpack.open(wildworld)
    segments, places = judge.clip_segments(ds, CLIPS)
    want = [s for c in CLIPS for s in judge.cut(actions(ds.episode(c["episode"]))[rows_of(c)], c["id"])]
    assert segments == want and len(segments) > 2
    assert {k: (p.episode, list(p.frames)) for k, p in places.items()} == {
        c["id"]: (c["episode"], rows_of(c)) for c in CLIPS}


@pytest.mark.parametrize("prediction", ["{clip}", "whole-{episode}"])
def test_the_judge_is_shown_frames_of_the_clip(wildworld: str, tmp_path: Path, prediction: str) -> None:
    """Frame n of a folder is an image whose grey is its number, so that what was shown can be told."""
    def folder(name: str, count: int, first: int = 0) -> None:
        (tmp_path / name).mkdir()
        for n in range(count):
            (tmp_path / name / f"{n:04}.png").write_bytes(judge.png(np.full((2, 2), first + n, np.uint8)))

    for clip in CLIPS:
        folder(clip["episode"], 150)
        folder(f"whole-{clip['episode']}", 150)
        folder(clip["id"], clip["rows"], 100)
    script = tmp_path / "judge.py"
    script.write_text("import json, sys\nfor line in sys.stdin:\n    r = json.loads(line)\n"
                      f"    open({str(tmp_path / 'seen')!r}, 'a').write(line)\n"
                      "    print(json.dumps({'id': r['id'], 'verdict': True}), flush=True)\n")
    (tmp_path / "clips.json").write_text(json.dumps(CLIPS))
    out = tmp_path / "verdicts.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "trajpack.evaluate.judge", wildworld, "--clips", tmp_path / "clips.json", "--judge",
         "command", "--command", f"{sys.executable} {script}", "--truth", f"{tmp_path}/{{episode}}", "--prediction",
         f"{tmp_path}/{prediction}", "--out", out, "--concurrency", "1", "--frames", "3"],
        capture_output=True, text=True, env=surroundings())
    assert done.returncode == 0, done.stderr
    verdicts = judge.read_verdicts(out)
    assert list(verdicts) == [s.id for s in judge.clip_segments(trajpack.open(wildworld), CLIPS)[0]]
    assert {v.episode for v in verdicts.values()} == {"a", "b"}
    # And the verdicts count in an evaluation of the clips.
    report = json.loads(subprocess.run(
        [program(), "evaluate", wildworld, wildworld, "--clips", tmp_path / "clips.json", "--metric",
         "action.following", "--verdicts", out, "--format", "json"], check=True, capture_output=True, text=True).stdout)
    figure = next(m for m in report["metrics"] if m["name"] == "action.following")
    assert figure["value"] == 100


def test_what_is_refused(wildworld: str, tmp_path: Path) -> None:
    ds = trajpack.open(wildworld)
    with pytest.raises(trajpack.UsageError, match="has no entity 7; there is npc 0"):
        judge.clip_segments(ds, CLIPS[:1], entity=7)
    with pytest.raises(trajpack.UsageError, match="which the dataset does not have"):
        judge.clip_segments(ds, [{**CLIPS[0], "episode": "9"}])
    done = subprocess.run(
        [sys.executable, "-m", "trajpack.evaluate.judge", wildworld, "--clips", "none.csv", "--save-segments",
         tmp_path / "s.json"], capture_output=True, text=True,
        env=surroundings())
    assert done.returncode == 2 and "none.csv" in done.stderr and not (tmp_path / "s.json").exists()
