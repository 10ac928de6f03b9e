"""LeRobot datasets that pyarrow writes, in all forms of Parquet that are read: equal after the conversion; spoilt ones refused."""

import json
import math
import pathlib
import random
import subprocess

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
from foreign_world import converted, listed, texts

FPS = 10
LENGTHS = [12, 7, 20]
TASKS = ["pick up the red block", "place block in the bowl – 放碗"]


def info(version, **features):
    path = (
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        if version == "v2.1"
        else "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    )
    return {
        "codebase_version": version,
        "fps": FPS,
        "robot_type": "toy",
        "chunks_size": 1000,
        "data_path": path,
        "splits": {"train": "0:2", "test": "2:3"},
        "features": {
            **features,
            **{
                name: {"dtype": "int64", "shape": [1], "names": None}
                for name in ("frame_index", "episode_index", "index", "task_index")
            },
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        },
    }


def world(seed):
    """The features of a dataset, and their columns as pyarrow has them; None is a null."""
    random_ = random.Random(seed)
    rows = sum(LENGTHS)

    def number():
        return random_.choice([0.0, 1.5, math.nan, None, random_.uniform(-9, 9)])

    def f32(x):
        return x if x is None else float(np.float32(x))

    columns = {
        "observation.state": ([[f32(number()) for _ in range(7)] for _ in range(rows)], pa.list_(pa.float32())),
        "action": ([[random_.uniform(-1, 1) for _ in range(4)] for _ in range(rows)], pa.list_(pa.float64(), 4)),
        "contact": (
            [[[f32(random_.random()) for _ in range(3)] for _ in range(2)] for _ in range(rows)],
            pa.list_(pa.list_(pa.float32())),
        ),
        "next.reward": ([f32(number()) for _ in range(rows)], pa.float32()),
        "next.done": ([random_.random() < 0.2 for _ in range(rows)], pa.bool_()),
        "maybe": ([random_.choice([True, False, None]) for _ in range(rows)], pa.bool_()),
        "count": ([random_.choice([None, 3, 10**12, -7]) for _ in range(rows)], pa.int64()),
        "few": ([random_.choice([3, 10**12, -7]) for _ in range(rows)], pa.int64()),
        "level": ([random_.choice([0, 255, 7]) for _ in range(rows)], pa.uint8()),
        "note": ([random_.choice(["", "✓ done", None, "x" * 300]) for _ in range(rows)], pa.string()),
    }
    shapes = {"observation.state": [7], "action": [4], "contact": [2, 3]}
    types = {"action": "float64", "next.done": "bool", "maybe": "bool", "count": "int64", "few": "int64"}
    types |= {"level": "uint8", "note": "string"}
    features = {
        name: {"dtype": types.get(name, "float32"), "shape": shapes.get(name, [1]), "names": None} for name in columns
    }
    return features, columns


def write(folder: pathlib.Path, layout, features, columns, **options):
    """Writes a dataset in LeRobot's layout."""
    (folder / "meta").mkdir(parents=True)
    (folder / "meta/info.json").write_text(json.dumps(info(layout, **features)))
    rows = sum(LENGTHS)
    episode = [e for e, n in enumerate(LENGTHS) for _ in range(n)]
    frame = [i for n in LENGTHS for i in range(n)]
    table = {name: pa.array(values, type) for name, (values, type) in columns.items()}
    task = [0 if e == 0 or (e == 2 and f < 10) else 1 for e, f in zip(episode, frame)]
    table |= {
        "timestamp": pa.array([f / FPS for f in frame], pa.float32()),
        "frame_index": pa.array(frame, pa.int64()),
        "episode_index": pa.array(episode, pa.int64()),
        "index": pa.array(range(rows), pa.int64()),
        "task_index": pa.array(task, pa.int64()),
    }
    table = pa.table(table)
    tasks = [[TASKS[0]], [TASKS[1]], TASKS]
    starts = [sum(LENGTHS[:e]) for e in range(len(LENGTHS))]
    (folder / "data/chunk-000").mkdir(parents=True)
    if layout == "v2.1":
        for e, n in enumerate(LENGTHS):
            pq.write_table(table.slice(starts[e], n), folder / f"data/chunk-000/episode_{e:06d}.parquet", **options)
        (folder / "meta/episodes.jsonl").write_text(
            "".join(
                json.dumps({"episode_index": e, "tasks": tasks[e], "length": n}) + "\n" for e, n in enumerate(LENGTHS)
            )
        )
        (folder / "meta/tasks.jsonl").write_text(
            "".join(json.dumps({"task_index": i, "task": t}) + "\n" for i, t in enumerate(TASKS))
        )
        return
    # Two episodes in the first file, one in the second.
    pq.write_table(table.slice(0, starts[2]), folder / "data/chunk-000/file-000.parquet", **options)
    pq.write_table(table.slice(starts[2]), folder / "data/chunk-000/file-001.parquet", **options)
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(
        pa.table(
            {
                "episode_index": [0, 1, 2],
                "tasks": pa.array(tasks, pa.list_(pa.string())),
                "length": LENGTHS,
                "data/chunk_index": [0, 0, 0],
                "data/file_index": [0, 0, 1],
                "stats/action/q01": [[0.5], [0.5], [0.5]],
            }
        ),
        folder / "meta/episodes/chunk-000/file-000.parquet",
    )
    pq.write_table(
        pa.table({"task_index": pa.array([0, 1]), "__index_level_0__": TASKS}), folder / "meta/tasks.parquet"
    )


def convert(trajpack, source, to, *options):
    return subprocess.run([trajpack, "convert", source, to, *options], check=False, capture_output=True, text=True,
                          encoding="utf-8", timeout=120)


FORMS = [
    {"compression": "snappy"},
    {"compression": "none", "use_dictionary": False},
    {"compression": "zstd", "data_page_version": "2.0"},
    {"compression": "gzip", "data_page_version": "2.0", "use_dictionary": False, "row_group_size": 5},
    {"compression": "snappy", "data_page_size": 64, "write_batch_size": 3, "row_group_size": 8},
    {"compression": "zstd", "version": "1.0", "write_statistics": False, "use_dictionary": ["few"]},
]


@pytest.mark.parametrize("form", range(len(FORMS)))
def test_tables_are_carried(trajpack, tmp_path, form):
    version = "v2.1" if form % 2 else "v3.0"
    features, columns = world(form)
    write(tmp_path / "src", version, features, columns, **FORMS[form])
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "src")
    assert outcome["reading"][0]["type"] == "lerobot"
    names = [f"episode_{e:06d}" for e in range(3)]
    assert {e["id"]: e["split"] for e in listed(trajpack, tmp_path / "ds")} == dict(
        zip(names, ["train", "train", "test"]))
    assert [values[name].get("task") for name in names] == [TASKS[0], TASKS[1], None]
    at = 0
    for name, length in zip(names, LENGTHS):
        episode = episodes[name]
        np.testing.assert_array_equal(episode["steps/time"], np.arange(length) / FPS)
        for column, (rows, _) in columns.items():
            want = rows[at : at + length]
            if column == "note":
                assert texts(episode, f"steps/{column}") == [w or "" for w in want]
                continue
            got = episode[f"steps/{column}"]
            flat = [math.nan if x is None else float(x) for x in np.array(want, object).reshape(-1)]
            if column in ("count", "maybe"):
                got = np.where(got == np.iinfo(got.dtype).min, math.nan, got.astype(float))
            np.testing.assert_array_equal(np.asarray(got, float), np.reshape(flat, np.shape(want)), column)
        at += length


def test_what_is_not_read_is_named(trajpack, tmp_path):
    features, columns = world(0)
    write(tmp_path / "src", "v3.0", features, columns, use_dictionary=False, column_encoding={
        "few": "DELTA_BINARY_PACKED"})
    done = convert(trajpack, tmp_path / "src", tmp_path / "ds")
    assert done.returncode == 1 and "DELTA_BINARY_PACKED is not read" in done.stderr
    assert "column 'few'" in done.stderr
    write(tmp_path / "lz4", "v3.0", features, columns, compression="lz4")
    done = convert(trajpack, tmp_path / "lz4", tmp_path / "ds2")
    assert done.returncode == 1 and "LZ4" in done.stderr


def test_spoilt_files_give_a_sentence(trajpack, tmp_path):
    """Cut, and with bytes flipped: never a signal, one sentence or the numbers."""
    features, columns = world(3)
    random_ = random.Random(7)
    for form in (0, 2, 3):
        write(tmp_path / f"src{form}", "v3.0", features, columns, **FORMS[form])
        path = tmp_path / f"src{form}/data/chunk-000/file-001.parquet"
        whole = path.read_bytes()
        for trial in range(12):
            spoilt = bytearray(whole)
            if trial == 0:
                del spoilt[len(spoilt) // 2 :]
            else:
                # Half of the damage lies in the metadata at the end.
                first = len(spoilt) - int.from_bytes(whole[-8:-4], "little") if trial % 2 else 4
                for _ in range(trial):
                    spoilt[random_.randrange(first, len(spoilt))] = random_.randrange(256)
            path.write_bytes(spoilt)
            done = convert(trajpack, tmp_path / f"src{form}", tmp_path / f"out{form}-{trial}")
            assert done.returncode in (0, 1), (trial, done.returncode, done.stderr)
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.startswith("trajpack convert: ")]
                assert len(lines) == 1 and "file-001.parquet" in lines[0], done.stderr


def test_lists_of_another_length_are_refused(trajpack, tmp_path):
    features, columns = world(1)
    values, _ = columns["observation.state"]
    values[20] = values[20][:6]
    write(tmp_path / "src", "v3.0", features, columns)
    done = convert(trajpack, tmp_path / "src", tmp_path / "ds")
    assert done.returncode == 1
    assert "observation.state" in done.stderr and "6 values where the shape has 7" in done.stderr
    assert not (tmp_path / "ds").exists()


def test_other_versions_are_named(trajpack, tmp_path):
    features, columns = world(1)
    write(tmp_path / "src", "v3.0", features, columns)
    path = tmp_path / "src/meta/info.json"
    path.write_text(path.read_text().replace("v3.0", "v1.6"))
    done = convert(trajpack, tmp_path / "src", tmp_path / "ds")
    assert done.returncode == 1 and "'v1.6', which is not read" in done.stderr
