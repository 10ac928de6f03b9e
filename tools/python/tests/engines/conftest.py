"""What the tests with Ray share: a cluster of several nodes on this machine, and data sets."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT, program, surroundings


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Three nodes of one processor each, whose workers find this package."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed ('make engines' does)")
    import ray
    os.environ.update({k: v for k, v in surroundings().items() if k in ("PYTHONPATH", "TRAJPACK_LIBRARY")})
    os.environ["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    os.environ.update(TRAJPACK_PROGRAM=program(), RAY_USAGE_STATS_ENABLED="0", PYTHONDONTWRITEBYTECODE="1")
    node = {"num_cpus": 1, "object_store_memory": 200 << 20, "include_dashboard": False}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=200 << 20)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    made.wait_for_nodes()
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty episodes of q[3], label and text; every window tells its number."""
    import trajpack
    path = str(tmp_path_factory.mktemp("walks") / "walks")
    rng = np.random.default_rng(0)
    with trajpack.create(path, rate=30) as writer:
        for k in range(40):
            n = int(rng.integers(20, 200))
            q = rng.normal(size=(n, 3)).astype(np.float32)
            q[rng.random(size=(n, 3)) < 0.1] = np.nan
            writer.append(f"{k:06d}", split="train" if k % 5 else "val", metadata={"task": f"t{k % 3}"}, q=q,
                          label=np.ma.MaskedArray(np.arange(n) + 1000 * k, rng.random(n) < 0.1))
    return path


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine tables of numbers."""
    folder = tmp_path_factory.mktemp("tables") / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for k in range(9):
        rows = rng.normal(size=(400 + 50 * k, 4)).round(4)
        lines = [",".join([f"{i / 10:.1f}", *map(str, row)]) for i, row in enumerate(rows)]
        (folder / f"run{k}.csv").write_text("time,a,b,c,d\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def converted(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one ``convert`` makes of them."""
    out = tmp_path_factory.mktemp("converted") / "tables"
    subprocess.run([program(), "convert", "--quiet", "--shard-size", "20KB", recordings, out], check=True, cwd=ROOT)
    return out


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
