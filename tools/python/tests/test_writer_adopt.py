"""Data sets that writers take over: the episodes of all, by moving files."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trajpack


def write(path: Path, ids: list[str], seed: int = 0, dtype: Any = np.float32, **options: Any) -> dict[str, Any]:
    """A data set; the values of its episodes."""
    rng = np.random.default_rng(seed)
    values = {}
    with trajpack.create(path, rate=30, **options) as writer:
        for id in ids:
            q = rng.normal(size=(int(rng.integers(3, 40)), 3)).astype(dtype)
            q[rng.random(q.shape) < 0.1] = np.nan
            values[id] = q
            writer.append(id, split="train" if int(id) % 2 else "val", metadata={"n": int(id)}, q=q)
    return values


def check(path: Path, values: dict[str, Any]) -> None:
    ds = trajpack.open(path)
    assert ds.episodes.ids == list(values)
    for id, q in values.items():
        episode = ds.episode(id)
        np.testing.assert_array_equal(episode["frames/q"][:], q)
        assert episode.metadata == {"n": int(id)} and episode.split == ("train" if int(id) % 2 else "val")


@pytest.mark.parametrize("options", [{}, {"codec": "zstd"}, {"shard_bytes": 1 << 20, "chunk_rows": 8}])
def test_all_episodes_come_in_their_order(tmp_path: Path, options: dict[str, Any]) -> None:
    values: dict[str, Any] = {}
    for part in range(5):
        values |= write(tmp_path / f"part{part}", [f"{part}{k}" for k in range(part + 1)], part, **options)
    with trajpack.create(tmp_path / "ds", rate=30, **options) as writer:
        for part in range(5):
            assert writer.adopt(tmp_path / f"part{part}") == part + 1
            assert not (tmp_path / f"part{part}").exists()
            assert len(writer) == sum(range(part + 2))
    check(tmp_path / "ds", values)
    statistics = trajpack.open(tmp_path / "ds").statistics
    count = sum(np.isfinite(q[:, 0]).sum() for id, q in values.items() if int(id) % 2)
    assert statistics["train"]["frames/q"]["count"][0] == count


def test_what_comes_stands_beside_what_is_written(tmp_path: Path) -> None:
    values = write(tmp_path / "ds", ["1", "2"])
    more = write(tmp_path / "more", ["3", "4"], 1)
    with trajpack.create(tmp_path / "ds", mode="a", rate=30) as writer:
        writer.adopt(tmp_path / "more")
        q = np.ones((5, 3), np.float32)
        writer.append("5", split="train", metadata={"n": 5}, q=q)
    check(tmp_path / "ds", {**values, **more, "5": q})


def test_what_cannot_come_stays(tmp_path: Path) -> None:
    values = write(tmp_path / "ds", ["1", "2"])
    same = write(tmp_path / "same", ["7", "2"], 1)
    write(tmp_path / "other", ["8"], 1, np.float64)
    kept = write(tmp_path / "schemed", ["9"], 1)
    trajpack.open(tmp_path / "schemed").split({"train": "0:100%"})
    unfinished = trajpack.create(tmp_path / "unfinished", rate=30)
    unfinished.append("3", q=np.ones((4, 3), np.float32))
    with trajpack.create(tmp_path / "ds", mode="a", rate=30) as writer:
        for name, why in (("same", "an episode '2' already"), ("other", "frames/q' is otherwise"),
                          ("schemed", "has side files"), ("unfinished", "no finished dataset"),
                          ("none", "no finished dataset"), ("ds", "no finished dataset|already")):
            with pytest.raises(trajpack.UsageError, match=why):
                writer.adopt(tmp_path / name)
    unfinished.close()
    check(tmp_path / "ds", values)
    check(tmp_path / "same", same)
    assert trajpack.open(tmp_path / "schemed").episodes.ids == list(kept)


def test_a_shard_that_is_not_the_listed_one_stays(tmp_path: Path) -> None:
    values = write(tmp_path / "ds", ["1"])
    write(tmp_path / "cut", ["2"])
    shard = next((tmp_path / "cut").glob("shard-*"))
    os.truncate(shard, shard.stat().st_size - 1)
    with trajpack.create(tmp_path / "ds", mode="a", rate=30) as writer:
        with pytest.raises(trajpack.DataError, match="not the file that its manifest names"):
            writer.adopt(tmp_path / "cut")
    check(tmp_path / "ds", values)
    assert shard.exists()
