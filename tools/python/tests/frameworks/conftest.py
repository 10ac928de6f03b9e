"""What the tests with other people's training loops share: a data set in which every window tells its number."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT, surroundings

GLOO_ABORT = "terminate called without an active exception"
LENGTHS = [100, 57, 33, 80, 120, 9, 64, 75, 41, 50]


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten episodes of q[3] and action, which is another number in every row."""
    import trajpack
    path = str(tmp_path_factory.mktemp("arm") / "arm")
    rng = np.random.default_rng(0)
    with trajpack.create(path, rate=30) as writer:
        for k, n in enumerate(LENGTHS):
            writer.append(f"{k:06d}", split="train" if k % 5 else "val", q=rng.normal(size=(n, 3)).astype(np.float32),
                          action=np.arange(n) + 1000 * k)
    return path


Run = Callable[..., Any]


def tidy() -> dict[str, str]:
    """The environment of a training script: no rank of ours, one thread of torch, no network."""
    out = {**surroundings(), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
           "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        out.pop(name, None)
    return out


@pytest.fixture
def script(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a script; what it printed. ``processes``: under torchrun.

    A run that torch itself aborted at its end is repeated on the same files: a thread of gloo
    (``pt_gloo_runloop``) may drop the last tensor of a collective after Python has begun to end, and
    Python before 3.14 then ends that thread by an exception that C++ does not let pass. Destroying the
    process group does not join the thread.
    """
    def run(path: str | Path, *arguments: Any, processes: int = 0, fails: str = "") -> str:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes else []
        before = tmp_path_factory.mktemp("before") / "files"
        shutil.copytree(tmp_path, before)
        for _ in range(4):
            done = subprocess.run([sys.executable, *torchrun, str(path), *map(str, arguments)], cwd=tmp_path,
                                  env=tidy(), capture_output=True, text=True, timeout=240)
            if not (processes and GLOO_ABORT in done.stderr):
                break
            shutil.rmtree(tmp_path)
            shutil.copytree(before, tmp_path)
        if fails:
            assert done.returncode != 0 and fails in done.stderr, (done.stdout, done.stderr)
            return done.stderr
        assert done.returncode == 0, (done.stdout, done.stderr[-6000:])
        return done.stdout
    return run


@pytest.fixture
def code(script: Run, tmp_path: Path) -> Run:
    """Runs the text of a script."""
    def run(text: str, *arguments: Any, **options: Any) -> str:
        path = tmp_path / "script.py"
        path.write_text(text)
        return str(script(path, *arguments, **options))
    return run


EXAMPLES = ROOT / "tools" / "python" / "examples"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
