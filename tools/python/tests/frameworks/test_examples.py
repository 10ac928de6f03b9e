"""The scripts of docs/frameworks.md, as they stand in tools/python/examples."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from conftest import EXAMPLES, Run
from places import ROOT, program

pytest.importorskip("torch")
STEPS = 464 // 16                            # batches of an epoch of the training split, on one process


def test_ddp(arm: str, script: Run) -> None:
    whole = script(EXAMPLES / "train_ddp.py", arm, processes=2)
    assert whole.splitlines() == [f"epoch {e}: {STEPS // 2} of {STEPS // 2} batches" for e in range(3)]
    again = script(EXAMPLES / "train_ddp.py", arm, processes=2)
    assert again.splitlines() == [f"epoch 1: {STEPS // 2 - 5} of {STEPS // 2} batches",
                                  f"epoch 2: {STEPS // 2} of {STEPS // 2} batches"]


def test_lightning(arm: str, script: Run) -> None:
    pytest.importorskip("lightning")
    steps = STEPS // 2
    assert script(EXAMPLES / "train_lightning.py", arm, 2) == f"{3 * steps} steps, {steps} batches an epoch\n"


def test_accelerate(arm: str, script: Run) -> None:
    pytest.importorskip("accelerate")
    out = script(EXAMPLES / "train_accelerate.py", arm, processes=2)
    windows = sum(n - 7 for k, n in enumerate([100, 57, 33, 80, 120, 9, 64, 75, 41, 50]) if k % 5 == 0)
    assert out == f"{STEPS // 2} batches an epoch on each of 2 processes; {windows} of {windows} windows validated\n"


@pytest.mark.parametrize("processes", [0, 2])
def test_trainer_of_transformers(arm: str, script: Run, processes: int) -> None:
    pytest.importorskip("transformers")
    steps = STEPS // max(processes, 1)
    said = f"{3 * steps} steps, {steps} batches an epoch\n"
    assert said in script(EXAMPLES / "train_hf.py", arm, processes=processes)
    if not processes:
        assert said in script(EXAMPLES / "train_hf.py", arm, "out/checkpoint-40")


def test_fabric(arm: str, script: Run) -> None:
    pytest.importorskip("lightning")
    steps = STEPS // 2
    assert script(EXAMPLES / "train_fabric.py", arm, 2).endswith(f"{3 * steps} steps, {steps} batches an epoch\n")


def test_world(tmp_path: Path, script: Run) -> None:
    """The script of docs/video.md learns, and says how long it has waited."""
    subprocess.run([program(), "convert", "--quiet", ROOT / "fixtures" / "wildworld", tmp_path / "ww"], check=True)
    lines = script(EXAMPLES / "train_world.py", "ww", 2).splitlines()
    found = [re.fullmatch(r"epoch (\d): state ([\d.]+), picture ([\d.]+), \d+ windows/s, ([\d.]+)% of the time waiting "
                          "for data", line) for line in lines]
    assert len(found) == 2 and all(found)
    (first, second) = (tuple(float(x) for x in m.groups()) for m in found if m)
    assert second[1] < first[1] and second[2] < first[2] and 0 <= second[3] <= 100


def test_torchdata(arm: str, script: Run) -> None:
    pytest.importorskip("torchdata")
    assert script(EXAMPLES / "train_torchdata.py", arm) == f"{STEPS} batches, the same as without a stop\n"
