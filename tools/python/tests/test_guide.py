"""docs/python.md, all of it: the blocks marked python, and those marked py, which need PyTorch."""
from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest
from places import ROOT

GUIDE = ROOT / "docs" / "python.md"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_every_block_of_the_guide_runs(wildworld: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.symlink(wildworld, tmp_path / "ww")
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```(python|py)\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)
    assert {kind for kind, _ in found} == {"python", "py"}
    names: dict[str, object] = {}
    for _, block in found:
        exec(compile(block, str(GUIDE), "exec"), names)
