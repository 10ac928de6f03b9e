"""ROS 2 bags that rosbags writes, in MCAP and SQLite; databases of sqlite3's own in many forms; spoilt ones."""

import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")
from foreign_world import converted, listed, run
from message_world import START, STEP, World, check
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore


def bag(path, world, topic="/data", storage=StoragePlugin.SQLITE3, compression=None):
    writer = Writer(path, version=9, storage_plugin=storage)
    if compression:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(topic, f"toy/msg/{world.root}", typestore=world.store)
        for i, time in enumerate(world.times):
            writer.write(connection, int(time), world.encoded(i))
    return path


@pytest.mark.parametrize("seed", range(9))
def test_bags_come_back(trajpack, tmp_path, seed):
    world = World(seed + 200)
    storage = StoragePlugin.MCAP if seed % 3 == 2 else StoragePlugin.SQLITE3
    compression = CompressionMode.MESSAGE if seed % 3 == 1 else None
    path = bag(tmp_path / "run", world, storage=storage, compression=compression)
    _, arrays, _ = converted(trajpack, tmp_path, path)
    check(arrays["run"], tmp_path / "ds", "data", world.expected())
    np.testing.assert_array_equal(arrays["run"]["data/log_time"], world.times)


def test_several_bags_are_an_episode_each(trajpack, tmp_path):
    worlds = [World(7, messages=4), World(7, messages=6)]
    for i, world in enumerate(worlds):
        bag(tmp_path / f"bags/run{i}", world, storage=[StoragePlugin.SQLITE3, StoragePlugin.MCAP][i])
    _, arrays, _ = converted(trajpack, tmp_path, tmp_path / "bags")
    assert [e["id"] for e in listed(trajpack, tmp_path / "ds")] == ["run0", "run1"]
    assert [len(arrays[f"run{i}"]["data/time"]) for i in range(2)] == [4, 6]
    # The metadata and the files must agree.
    meta = tmp_path / "bags/run0/metadata.yaml"
    text = meta.read_text()
    meta.write_text(text.replace("message_count: 4", "message_count: 5"))
    (tmp_path / "more").mkdir()
    outcome, _, _ = converted(trajpack, tmp_path / "more", tmp_path / "bags/run0")
    assert any("counts 5 messages, and the files hold 4" in r for r in outcome["remarks"])
    meta.write_text(text.replace("run0.db3", "run0_1.db3"))
    said = run(trajpack, "convert", tmp_path / "bags/run0", tmp_path / "no", fails=True)
    assert "names run0_1.db3, which is missing" in said


def database(path, rows, kind="std_msgs/msg/Float64", page=4096, extra=()):
    """A bag as ROS 2 Humble writes it, without definitions, by Python's sqlite3."""
    base = sqlite3.connect(path)
    base.execute(f"pragma page_size={page}")
    for line in extra:
        base.execute(line)
    base.execute("CREATE TABLE schema(schema_version INTEGER PRIMARY KEY,ros_distro TEXT NOT NULL)")
    base.execute(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY,name TEXT NOT NULL,type TEXT NOT NULL,"
        "serialization_format TEXT NOT NULL,offered_qos_profiles TEXT NOT NULL)"
    )
    base.execute(
        "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,timestamp INTEGER NOT NULL, "
        "data BLOB NOT NULL)"
    )
    base.execute("CREATE INDEX timestamp_idx ON messages (timestamp ASC)")
    base.execute("insert into topics values (1, '/x', ?, 'cdr', '')", (kind,))
    base.executemany("insert into messages values (?, 1, ?, ?)", rows)
    base.commit()
    base.close()
    return path


@pytest.mark.parametrize("page", [512, 1024, 4096, 65536])
def test_databases_of_every_page_size(trajpack, tmp_path, page):
    """Rows that pass from page to page, deep trees, deleted rows: what sqlite3 reads is what is read."""
    random = np.random.default_rng(page)
    kind = "std_msgs/msg/UInt8MultiArray"
    store = get_typestore(Stores.ROS2_HUMBLE)
    T, rows, truth = store.types, [], []
    for i in range(400):
        data = random.integers(
            0, 256, int(random.choice([0, 10, 300, 3000, 20000] if i % 40 == 0 else [0, 10, 300])), np.uint8
        )
        layout = T["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=i)
        message = T[kind](layout=layout, data=data)
        rows.append((i + 1, START + i * STEP, bytes(store.serialize_cdr(message, kind))))
        truth.append(data)
    path = database(tmp_path / "d.db3", rows, kind, page)
    base = sqlite3.connect(path)
    base.execute("delete from messages where id % 7 = 3")
    base.commit()
    left = [row[0] - 1 for row in base.execute("select id from messages order by id")]
    base.close()
    _, arrays, _ = converted(trajpack, tmp_path, path)
    check(arrays["d"], tmp_path / "ds", "x", {"data": [truth[i] for i in left], "layout.data_offset": left})


def test_bags_without_definitions_know_the_standard_types(trajpack, tmp_path):
    store = get_typestore(Stores.ROS2_HUMBLE)
    T = store.types
    kind = "nav_msgs/msg/Odometry"
    V, Q = T["geometry_msgs/msg/Vector3"], T["geometry_msgs/msg/Quaternion"]
    rows = []
    for i in range(5):
        head = T["std_msgs/msg/Header"](
            stamp=T["builtin_interfaces/msg/Time"](sec=START // 10**9, nanosec=i), frame_id="odom"
        )
        pose = T["geometry_msgs/msg/PoseWithCovariance"](
            pose=T["geometry_msgs/msg/Pose"](
                position=T["geometry_msgs/msg/Point"](i, 0.5, 0), orientation=Q(0, 0, 0, 1)
            ),
            covariance=np.arange(36.0),
        )
        twist = T["geometry_msgs/msg/TwistWithCovariance"](
            twist=T["geometry_msgs/msg/Twist"](linear=V(i, 0, 0), angular=V(0, 0, i / 4)), covariance=np.zeros(36)
        )
        message = T[kind](header=head, child_frame_id="base", pose=pose, twist=twist)
        rows.append((i + 1, START + i, bytes(store.serialize_cdr(message, kind))))
    _, arrays, _ = converted(trajpack, tmp_path, database(tmp_path / "o.db3", rows, kind))
    episode = arrays["o"]
    np.testing.assert_array_equal(episode["x/pose.pose.position"], [[i, 0.5, 0] for i in range(5)])
    np.testing.assert_array_equal(episode["x/twist.twist.angular"], [[0, 0, i / 4] for i in range(5)])
    np.testing.assert_array_equal(episode["x/pose.covariance"], [np.arange(36.0)] * 5)
    unknown = database(tmp_path / "u.db3", rows, "my_msgs/msg/Own")
    assert "'/x'" in run(trajpack, "convert", unknown, tmp_path / "no", fails=True)


def test_other_databases_are_named(trajpack, tmp_path):
    base = sqlite3.connect(tmp_path / "a.db3")
    base.execute("create table t(x)")
    base.commit()
    base.close()
    said = run(trajpack, "convert", tmp_path / "a.db3", tmp_path / "no", fails=True)
    assert "an SQLite database that is no ROS 2 bag, which is not read" in said


def test_a_log_beside_the_database_is_refused(trajpack, tmp_path):
    path = tmp_path / "w.db3"
    base = sqlite3.connect(path)
    base.execute("pragma journal_mode=wal")
    base.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
    base.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
    base.commit()
    said = run(trajpack, "convert", path, tmp_path / "o", fails=True)
    assert "w.db3-wal" in said
    base.close()


@pytest.mark.parametrize("seed", range(24))
def test_damage_is_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    world = World(seed % 5, messages=60)
    path = bag(tmp_path / "run", world)
    file = Path(path) / "run.db3"
    data = bytearray(file.read_bytes())
    if seed % 4 == 0:
        data = data[: random.integers(1, len(data))]
    else:
        for _ in range(int(random.integers(1, 30))):
            data[random.integers(len(data)) if seed % 2 else random.integers(min(len(data), 9000))] = random.integers(
                256
            )
    file.write_bytes(data)
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 4000000; exec "$@"', "-", trajpack, "convert", path, tmp_path / "o", "-q"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
    assert done.returncode == 0 or "run" in said[0]
