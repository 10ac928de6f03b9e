"""`trajpack validate --resume FILE`: killed anywhere, it gives the report of a run that nothing stopped."""
from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_world import EPISODES, FAULTS, clean, write
from places import ROOT, program
from test_validate_frames import shaken
from video_world import convert, needs_ffmpeg


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Many episodes with faults of all kinds, for every rule that remembers something."""
    episodes = []
    for copy in range(12):
        some = [{**clean(100 * copy + n), "id": f"{copy:02d}-{n}"} for n in range(EPISODES)]
        for _, change in list(FAULTS.values())[copy::12]:
            change(some)
        episodes += [{**item, "id": f"{copy:02d}-{n}"} for n, item in enumerate(some)]
    for item in episodes:                 # some faults change the type of a channel for the whole dataset
        item["state"] = {k: np.asarray(v, float) if k == "flow" else v for k, v in item["state"].items()}
    return write(tmp_path_factory.mktemp("faulty") / "ds", episodes)


def command(path: Any, *words: Any) -> list[str]:
    return [program(), "validate", "-q", "--json", str(path), *map(str, words)]


def test_a_killed_run_goes_on_to_the_same_report(faulty: str, tmp_path: Path) -> None:
    whole = subprocess.run(command(faulty), capture_output=True, text=True, check=False)
    assert len(json.loads(whole.stdout)["findings"]) > 12
    chance = random.Random(4)
    kills = 0
    for trial in range(4):
        state = tmp_path / f"state{trial}"
        for attempt in range(40):
            process = subprocess.Popen(command(faulty, "--resume", state, "--jobs", 1 + attempt % 3), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if attempt < 12:
                time.sleep(chance.uniform(0.0, 0.25))
                process.send_signal(signal.SIGKILL)
            out, _ = process.communicate()
            if process.returncode != -signal.SIGKILL:
                break
            kills += 1
        assert out == whole.stdout and not state.exists()
    assert kills > 0


def test_every_prefix_of_the_file_goes_on_to_the_same_report(faulty: str, tmp_path: Path) -> None:
    """What a kill or a loss of power leaves: the file cut anywhere, or with bytes that were never written."""
    whole = subprocess.run(command(faulty), capture_output=True, text=True, check=False).stdout
    state = tmp_path / "state"
    process = subprocess.Popen(command(faulty, "--resume", state, "--jobs", 1), stdout=subprocess.DEVNULL)
    kept = b""
    while process.poll() is None:
        try:
            kept = max(kept, state.read_bytes(), key=len)
        except FileNotFoundError:
            pass
    assert len(kept) > 1000
    chance = np.random.default_rng(2)
    for cut in [0, 9, *chance.integers(10, len(kept), 8), len(kept)]:
        data = bytearray(kept[:cut])
        if cut > 400 and cut % 2:
            data[-300:] = bytes(300)
        state.write_bytes(data)
        done = subprocess.run(command(faulty, "--resume", state), capture_output=True, text=True, check=False)
        if 0 < cut < 120:                  # not even the first record: it may be any file
            assert done.returncode == 2 and "not the file of a validation" in done.stderr
            continue
        assert done.stdout == whole and not state.exists(), done.stderr


def test_a_file_of_another_validation_is_refused(faulty: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    kept = b""
    process = subprocess.Popen(command(faulty, "--resume", state), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            kept = max(kept, state.read_bytes(), key=len)
        except FileNotFoundError:
            pass
    for words in (["--select", "time"], ["--sample", "0.5"], ["--seed", "1"]):
        state.write_bytes(kept)
        done = subprocess.run(command(faulty, "--resume", state, *words), capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "of another validation" in done.stderr
        assert state.read_bytes() == kept
    state.write_text("notes of mine")
    done = subprocess.run(command(faulty, "--resume", state), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and state.read_text() == "notes of mine"
    source = ROOT / "fixtures" / "wildworld" / "data_part1"
    done = subprocess.run(command(source, "--resume", state), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "for one dataset" in done.stderr
    done = subprocess.run(command(faulty, "--resume", tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2


def test_a_list_of_expected_findings(tmp_path: Path) -> None:
    """tools/samples_findings.py, which compares samples with its list."""
    entry = {"wildworld/data_part1": {"findings": [["values.infinite", "npc/crit_atk_rate", 1], ["values.spike", "npc/pos", 1]],
                                      "why": "odd on purpose"}}
    script = [sys.executable, ROOT / "tools" / "samples_findings.py", ROOT / "fixtures", "--program", program(), "--list"]
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(entry))
    done = subprocess.run([*script, listed], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    entry["wildworld/data_part1"]["findings"] = []
    listed.write_text(json.dumps(entry))
    done = subprocess.run([*script, listed], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "1 other than the list" in done.stdout
    subprocess.run([*script, listed, "--update"], check=True, capture_output=True)
    assert json.loads(listed.read_text())["wildworld/data_part1"]["why"] == "odd on purpose"
    assert subprocess.run([*script, listed], capture_output=True, check=False).returncode == 0


@needs_ffmpeg
def test_what_frames_told_is_kept(tmp_path: Path) -> None:
    """What --frames found of a video is not looked for again: the report is the same when the videos are gone."""
    for n in range(3):
        shaken(tmp_path / "part" / f"{n:06d}", n, late=2 * (n == 1))
    ds = convert(tmp_path / "part", tmp_path / "ds", "--rate", "30", "--video", "link")
    words = ["--frames", "--select", "time.video-shift,time.frames,container.damage", "--media", tmp_path]
    whole = subprocess.run(command(ds, *words), capture_output=True, text=True, check=False)
    assert [f["rule"] for f in json.loads(whole.stdout)["findings"]] == ["time.video-shift"]
    state = tmp_path / "state"
    process = subprocess.Popen(command(ds, *words, "--resume", state, "--jobs", 1), stdout=subprocess.DEVNULL)
    # A second name of the file keeps what it has in the end, when it is removed.
    link = tmp_path / "kept"
    while process.poll() is None:
        if not link.exists():
            with contextlib.suppress(FileNotFoundError):
                os.link(state, link)
    kept = link.read_bytes()
    assert kept.count(b"frames shard-000000.h5") == 3 and b"time.video-shift" in kept
    for video in (tmp_path / "part").rglob("rgb.mp4"):
        video.unlink()
    state.write_bytes(kept)
    done = subprocess.run(command(ds, *words, "--resume", state), capture_output=True, text=True, check=False)
    assert done.stdout == whole.stdout and not state.exists(), done.stderr
    again = subprocess.run(command(ds, *words), capture_output=True, text=True, check=False)
    assert again.returncode and again.stdout != whole.stdout
    # Without --frames it is another validation.
    state.write_bytes(kept)
    done = subprocess.run(command(ds, *words[1:3], "--resume", state), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "of another validation" in done.stderr
