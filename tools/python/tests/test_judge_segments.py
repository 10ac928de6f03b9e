"""Segments, the frames that are shown of them, and the words that go with those."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from judge_world import clip, decoded, some_segments
from places import ROOT

import trajpack
from trajpack.evaluate import judge
from trajpack.evaluate.judge._frames import chosen_rows


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
