"""Ray Data over trajpack, on a cluster of several nodes on this machine; workers are killed in the middle."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import content
from killing import KillOnce

import trajpack

ray = pytest.importorskip("ray", reason="Ray is not installed ('make engines' does)")
pytest.importorskip("ray.data", reason="Ray Data is not installed ('make engines' does)")

import trajpack.ray  # noqa: E402

pytestmark = pytest.mark.usefixtures("cluster")


def columns(data: Any) -> dict[str, Any]:
    """All rows as one array a column."""
    parts = list(data.iter_batches(batch_size=None, batch_format="numpy"))
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def loaded(path: str, **options: Any) -> dict[str, Any]:
    """The same windows by a loader."""
    options = {"shuffle": False, **options}
    loader = trajpack.open(path).windows(batch=64, drop_last=False, rank=0, world_size=1, **options)
    parts = [{name: np.array(batch[name]) for name in [*batch, *(["meta:id"] if options.get("meta") else [])]}
             for batch in loader]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def equal(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


@pytest.mark.parametrize("options", [
    {"length": 8},
    {"length": 5, "stride": 7, "edge": "pad", "meta": True},
    {"length": 8, "shuffle": True, "seed": 4, "epoch": 2},
    {"length": 4, "where": {"task": "t1"}, "normalize": "standard", "masks": False},
])
def test_windows_are_those_of_a_loader(walks: str, options: dict[str, Any]) -> None:
    want = loaded(walks, **options)
    found = columns(trajpack.ray.read_windows(walks, override_num_blocks=7, **options))
    assert list(found) == list(want)
    for name, array in want.items():
        other = found[name].astype(array.dtype) if array.dtype.kind == "U" else found[name]
        assert other.dtype == array.dtype and equal(other, array), name


def test_windows_of_a_dataset_with_everything(specimen: str) -> None:
    options: dict[str, Any] = {"length": 4, "exclude": ["lorenz", "lorenz/*"]}
    want = loaded(specimen, **options)
    found = columns(trajpack.ray.read_windows(trajpack.open(specimen), **options))
    assert list(found) == list(want)
    assert all(equal(found[name], array) for name, array in want.items())


def test_tasks_say_what_they_give(walks: str) -> None:
    source = trajpack.ray.WindowDatasource(walks, length=8, masks=False)
    tasks = source.get_read_tasks(6)
    assert 2 <= len(tasks) <= 6
    rows = sum(t.metadata.num_rows for t in tasks)
    assert rows == len(source) == trajpack.open(walks).windows(length=8).windows
    assert sum(t.metadata.size_bytes for t in tasks) == source.estimate_inmemory_data_size()
    for task in tasks:
        blocks = list(task())
        assert sum(b.num_rows for b in blocks) == task.metadata.num_rows
        assert all(b.schema == task.schema for b in blocks)
        held = sum(b.nbytes for b in blocks)
        assert 0.9 * task.metadata.size_bytes <= held <= 1.1 * task.metadata.size_bytes + 1024
    assert sum(b.num_rows for task in source.get_read_tasks(1000) for b in task()) == rows


def test_windows_come_from_every_node(walks: str, cluster: Any) -> None:
    def place(batch: dict[str, Any]) -> dict[str, Any]:
        return {"node": [ray.get_runtime_context().get_node_id()]}
    data = trajpack.ray.read_windows(walks, length=8, override_num_blocks=24)
    nodes = {row["node"] for row in data.map_batches(place, batch_size=None).take_all()}
    assert len(nodes) >= 2


def test_what_ray_decides_is_refused(walks: str) -> None:
    for name in ("batch", "rank", "world_size", "drop_last"):
        with pytest.raises(trajpack.UsageError, match="Ray's"):
            trajpack.ray.read_windows(walks, length=8, **{name: 1})
    with pytest.raises(trajpack.UsageError, match="frames/q"):
        trajpack.ray.read_windows(walks, length=8, channels=["frames/g"])


def test_a_local_path_is_read_on_the_drivers_node(walks: str) -> None:
    assert not trajpack.ray.WindowDatasource(f"local://{walks}", length=8).supports_distributed_reads
    assert not trajpack.ray.EpisodeDatasource(f"local://{walks}").supports_distributed_reads
    here = ray.get_runtime_context().get_node_id()

    def place(batch: dict[str, Any]) -> dict[str, Any]:
        return {"node": [ray.get_runtime_context().get_node_id()] * len(batch["frames/label"])}
    data = trajpack.ray.read_windows(f"local://{walks}", length=8, override_num_blocks=6, masks=False)
    assert data.count() == trajpack.open(walks).windows(length=8).windows
    assert here


def test_a_dataset_that_changed_is_refused_in_tasks(tmp_path: Path) -> None:
    path = str(tmp_path / "ds")
    with trajpack.create(path, rate=10) as writer:
        writer.append("a", x=np.arange(50.0))
    windows, episodes = trajpack.ray.read_windows(path, length=4), trajpack.ray.read_episodes(path)
    with trajpack.create(path, mode="a") as writer:
        writer.append("b", x=np.arange(50.0))
    with pytest.raises(Exception, match=r"other data|differ|changed"):
        windows.materialize()
    with pytest.raises(Exception, match="has changed"):
        episodes.materialize()


def check_episodes(rows: list[dict[str, Any]], ds: trajpack.Dataset) -> None:
    for row in rows:
        episode = ds.episode(row["id"])
        assert (row["split"], json.loads(row["metadata"])) == (episode.split, episode.metadata)
        for name, stream in ds.streams.items():
            if stream.attributes.get("video"):
                assert not any(column.partition("/")[0] == name for column in row)
                continue
            if name not in episode.streams:
                assert all(len(row[c.path]) == 0 for c in stream.channels.values() if c.path in row)
                continue
            held = episode.streams[name]
            tables = list(held) if stream.entities else [held]
            assert equal(row[f"time:{name}"], np.concatenate([t.times for t in tables]))
            for channel in stream.channels.values():
                want = [t[channel.name][:] for t in tables]
                if channel.type == "bytes":
                    assert list(row[channel.path]) == [v for part in want for v in part]
                    continue
                assert row[channel.path].dtype == np.dtype(channel.type)
                assert equal(row[channel.path], np.concatenate(want))
                if channel.missing != "never":
                    seen = np.concatenate([t[channel.name].observed() for t in tables])
                    assert equal(row[f"observed:{channel.path}"], seen)


def test_episodes_are_those_of_the_dataset(walks: str, specimen: str, wildworld: str) -> None:
    for path in (walks, specimen, wildworld):
        ds = trajpack.open(path)
        rows = trajpack.ray.read_episodes(path, override_num_blocks=3).take_all()
        assert [row["id"] for row in rows] == ds.episodes.ids
        check_episodes(rows, ds)


def test_episodes_are_chosen(walks: str) -> None:
    ds = trajpack.open(walks)
    rows = trajpack.ray.read_episodes(walks, channels=["frames/q"], episodes=["00001*", "000003"], split="train",
                                      masks=False).take_all()
    want = [e for e in ds.episodes.ids if (e.startswith("00001") or e == "000003") and int(e) % 5]
    assert [r["id"] for r in rows] == want
    assert set(rows[0]) == {"id", "split", "metadata", "time:frames", "frames/q"}
    with pytest.raises(trajpack.UsageError, match="no episode has the id 'x'"):
        trajpack.ray.read_episodes(walks, episodes=["x"])
    with pytest.raises(trajpack.UsageError, match="train"):
        trajpack.ray.read_episodes(walks, split="trian")
    with pytest.raises(trajpack.UsageError, match="frames/q"):
        trajpack.ray.read_episodes(walks, channels="frames/p")


def test_a_worker_that_is_killed_reads_again(walks: str, tmp_path: Path) -> None:
    data = trajpack.ray.read_windows(walks, length=8, meta=True, masks=False, override_num_blocks=6)
    mark = tmp_path / "killed"

    found = columns(data.map(KillOnce(str(mark), "000017", column="meta:id")))
    assert mark.exists()
    np.testing.assert_array_equal(found["meta:window"], np.arange(len(found["meta:window"])))
    assert len(found["meta:window"]) == trajpack.open(walks).windows(length=8).windows


def same(a: trajpack.Dataset, b: trajpack.Dataset) -> None:
    assert a.episodes.ids == b.episodes.ids
    for one, other in zip(a.episodes, b.episodes, strict=True):
        assert (one.split, one.metadata) == (other.split, other.metadata)
        assert list(one.streams) == list(other.streams)
        for name, held in one.streams.items():
            tables = [held] if not a.streams[name].entities else list(held)
            others = [other.streams[name]] if not a.streams[name].entities else list(other.streams[name])
            for table, match in zip(tables, others, strict=True):
                assert table.entity == match.entity and equal(table.times, match.times)
                for channel in table:
                    assert equal(table[channel][:], match[channel][:])
                    assert equal(table[channel].observed(), match[channel].observed())


def test_written_episodes_are_those_that_were_read(walks: str, tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    data = trajpack.ray.read_episodes(walks, override_num_blocks=5).map(KillOnce(str(mark), "000019"))
    trajpack.ray.write_episodes(data, tmp_path / "out", rate=30)
    assert mark.exists()
    same(trajpack.open(walks), trajpack.open(tmp_path / "out"))
    assert not list(tmp_path.glob("out.parts-*"))
    with pytest.raises(trajpack.UsageError, match="is there already"):
        trajpack.ray.write_episodes(data, tmp_path / "out", rate=30)


def test_entities_and_gaps_come_back(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "in", rate={"npc": 10, "clock": 10}) as writer:
        for k in range(4):
            with writer.episode(f"e{k}") as episode:
                episode.extend({"clock/x": np.arange(30.0)}, time=1.5)
                episode.extend({"clock/x": np.arange(10.0)}, time=9.5)
                for i in range(3):
                    episode.extend({"npc/hp": np.arange(5 + i)}, time=2.0, entity=("npc", i, 7 + i))
                episode.extend({"odd/y": np.arange(4.0)}, time={"odd": [0.0, 0.3, 0.35, 4.0]})
    data = trajpack.ray.read_episodes(str(tmp_path / "in"), override_num_blocks=2)
    trajpack.ray.write_episodes(data, tmp_path / "out", rate={"npc": 10, "clock": 10})
    same(trajpack.open(tmp_path / "in"), trajpack.open(tmp_path / "out"))


def test_what_cannot_be_written_leaves_nothing(walks: str, tmp_path: Path) -> None:
    data = trajpack.ray.read_episodes(walks, override_num_blocks=4)
    cases = [(data.map(lambda row: {**row, "id": "same"}), "same"), (data.drop_columns(["id"]), "no column 'id'"),
             (data.filter(lambda row: False), "no episode")]
    for bad, why in cases:
        with pytest.raises(Exception, match=why):
            trajpack.ray.write_episodes(bad, tmp_path / "out", rate=30)
        assert not list(tmp_path.iterdir())

    def mixed(row: dict[str, Any]) -> dict[str, Any]:
        kind = np.float64 if int(row["id"]) < 20 else np.float32
        return {"id": row["id"], "frames/q": np.asarray(row["frames/q"], kind)}
    with pytest.raises(Exception, match="frames/q"):
        trajpack.ray.write_episodes(data.map(mixed), tmp_path / "out", rate=30)
    assert not list(tmp_path.iterdir())


def test_a_conversion_by_ray_has_the_bytes_of_one(recordings: Path, converted: Path, tmp_path: Path) -> None:
    done = trajpack.ray.convert(recordings, tmp_path / "ds", tasks=4, arguments=["--shard-size", "20KB"])
    assert done["episodes"] == 9 and content(tmp_path / "ds") == content(converted)
    with pytest.raises(trajpack.UsageError, match=r"tasks= and task_size="):
        trajpack.ray.convert(recordings, tmp_path / "ds2")
    with pytest.raises(trajpack.UsageError, match="is there already"):
        trajpack.ray.convert(recordings, tmp_path / "ds", tasks=4)


def test_a_conversion_whose_workers_are_killed_has_the_same_bytes(recordings: Path, converted: Path,
                                                                  tmp_path: Path) -> None:
    program = tmp_path / "program"
    # The worker of each task is killed at its first attempt, while its program goes on for a while.
    program.write_text(f"""#!/bin/bash
if [ "$1 $2" = "job run" ] && mkdir {tmp_path}/mark-$5 2> {tmp_path}/error-$5; then
  kill -KILL $PPID
  {os.environ["TRAJPACK_PROGRAM"]} "$@" &
  exit 0
fi
exec {os.environ["TRAJPACK_PROGRAM"]} "$@"
""")
    program.chmod(0o755)
    more = {"runtime_env": {"env_vars": {"TRAJPACK_PROGRAM": str(program)}}}
    trajpack.ray.convert(recordings, tmp_path / "ds", tasks=3, arguments=["--shard-size", "20KB"], ray_remote_args=more)
    assert len(list(tmp_path.glob("mark-*"))) == 3
    assert content(tmp_path / "ds") == content(converted)


def test_a_conversion_that_failed_is_gone_on_with(recordings: Path, converted: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"""#!/bin/bash
if [ "$1 $2 $4 $5" = "job run --task 1" ]; then echo "trajpack: the disk is full" >&2; exit 3; fi
exec {os.environ["TRAJPACK_PROGRAM"]} "$@"
""")
    program.chmod(0o755)
    options: dict[str, Any] = {"tasks": 3, "arguments": ["--shard-size", "20KB"]}
    more = {"runtime_env": {"env_vars": {"TRAJPACK_PROGRAM": str(program)}}}
    with pytest.raises(trajpack.MachineError, match="the disk is full"):
        trajpack.ray.convert(recordings, tmp_path / "ds", ray_remote_args=more, **options)
    assert (tmp_path / "ds.job").exists() and not (tmp_path / "ds").exists()
    with pytest.raises(trajpack.UsageError, match="other sources or options"):
        trajpack.ray.convert(recordings, tmp_path / "ds", tasks=2)
    trajpack.ray.convert(recordings, tmp_path / "ds", **options)
    assert content(tmp_path / "ds") == content(converted)
