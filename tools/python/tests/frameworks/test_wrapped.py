"""Windows as data sets of PyTorch: what they say of themselves, wrong indices, and the way back to units."""
from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import trajpack  # noqa: E402
from trajpack.torch import WindowDataset, WindowLoader  # noqa: E402


@pytest.fixture
def made(tmp_path: Path) -> str:
    """Two episodes of 20 rows."""
    with trajpack.create(tmp_path / "ds", rate=30) as writer:
        for number in range(2):
            writer.append(f"e{number}", q=np.arange(20.0) + 100 * number, image=np.zeros((20, 4, 4), np.uint8))
    return str(tmp_path / "ds")


def test_data_sets_say_what_they_are_and_go_back(made: str) -> None:
    data = trajpack.open(made)
    windows = WindowDataset(data, length=4, channels="frames/q", normalize="standard", meta=True)
    assert repr(windows).startswith(f"<trajpack.torch.WindowDataset of 34 windows of {made}>\n  frames/q: float32 [4]")
    batch = next(iter(torch.utils.data.DataLoader(windows, batch_size=3)))
    want = torch.arange(4.0) + torch.arange(3.0)[:, None]
    torch.testing.assert_close(windows.denormalize(batch)["frames/q"], want)
    torch.testing.assert_close(windows.denormalize(windows[20])["frames/q"], torch.arange(103.0, 107.0))
    for wrong in (1.5, "a", slice(0, 2), None):
        with pytest.raises(trajpack.UsageError, match="'index' is .* but must be a whole number"):
            windows[wrong]
    assert torch.equal(windows[torch.tensor(3)]["frames/q"], windows[np.int64(3)]["frames/q"])
    loader = WindowLoader(data, length=4, batch=3, shuffle=False, channels=["frames/q", "frames/image"], normalize="standard")
    assert list(loader.outputs) == list(loader.loader.outputs) and loader.left_raw == ["frames/image"]
    torch.testing.assert_close(loader.denormalize(next(iter(loader)))["frames/q"], want)
    names = set(inspect.signature(WindowLoader).parameters)
    assert {"pin_memory", "transform", "channels", "batch"} <= names and "options" not in names
    assert "batch" not in inspect.signature(WindowDataset).parameters
