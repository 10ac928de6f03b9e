"""The blocks of docs/engines.md: each is run as it stands, and the job must give the bytes of one conversion."""
from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import content
from places import ROOT, program, surroundings

PAGE = ROOT / "docs" / "engines.md"
BLOCKS = re.findall(r"^```python ?([\w.]*)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
COMMON = "\n".join(code for engine, code in BLOCKS if not engine)
ENGINES = [(engine, code) for engine, code in BLOCKS if engine]


def have(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def environment(folder: Path) -> dict[str, str]:
    bin = folder / "bin"
    bin.mkdir()
    (bin / "trajpack").symlink_to(program())
    return {**surroundings(), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "TRAJPACK_PROGRAM": program(),
            "RAY_USAGE_STATS_ENABLED": "0", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "recordings")
    return tmp_path


def test_the_page_has_a_block_of_each_engine() -> None:
    names = [engine for engine, _ in ENGINES]
    assert set(names) == {"dask.distributed", "ray", "pyspark", "apache_beam", "datatrove"}


@pytest.mark.parametrize("number", range(len(ENGINES)), ids=[f"{k}-{e}" for k, (e, _) in enumerate(ENGINES)])
def test_the_blocks(number: int, recorded: Path) -> None:
    engine, code = ENGINES[number]
    if not have(engine):
        pytest.skip(f"{engine} is not installed ('make engines' does)")
    if engine == "pyspark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed")
    words = environment(recorded)
    subprocess.run([sys.executable, "-c", COMMON + "\n" + code], cwd=recorded, env=words, check=True, timeout=400)
    if "task" not in code:
        return
    subprocess.run([program(), "job", "finish", "ww.job", "--quiet"], cwd=recorded, env=words, check=True)
    subprocess.run([program(), "convert", "--quiet", "--shard-size", "1KB", "recordings", "one"], cwd=recorded,
                   env=words, check=True)
    assert content(recorded / "ww") == content(recorded / "one")
