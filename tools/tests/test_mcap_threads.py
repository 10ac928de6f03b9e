"""The topics of one recording are shared among threads, and come out as if one thread had read them."""

import hashlib
import json
import subprocess

import numpy as np
import pytest

pytest.importorskip("mcap")
from foreign_world import run
from mcap.writer import CompressionType
from message_world import START, STEP, write

TOPICS = ["/b", "/a", "/c/d", "/e", "/f"]


def messages(topic, count, random):
    """JSON whose fields differ from topic to topic, some of which come late; every message is some 100 bytes."""
    own = TOPICS.index(topic)
    out = []
    for i in range(count):
        fields = {"v": float(random.normal()), "n": int(random.integers(1 << 40)), "pad": "x" * 60}
        if own % 2:
            fields["kind"] = str(random.choice(["run", "walk", "rest"]))
        if i > count // 2:
            fields[f"late_{own}"] = [1, 2, i]
        time = START + i * STEP + own * (-1 if own == 2 and i % 50 == 0 else 1)
        out.append((time, time + 3, json.dumps(fields).encode()))
    return out


def recording(path, seed, spoilt=None, **options):
    """A file of five topics, one that cannot be read, and one to be left out; `spoilt` gives the messages to break."""
    random = np.random.default_rng(seed)
    channels = []
    for topic in [TOPICS[i] for i in random.permutation(len(TOPICS))]:
        rows = messages(topic, int(random.integers(700, 1200)), random)
        for i in (spoilt or {}).get(topic, []):
            rows[i] = (*rows[i][:2], b'{"v": ')
        channels.append((topic, "json", "", "", b"", rows))
    channels.append(("/raw", "application/octet-stream", "", "", b"", [(START + 5, START, b"xyz")] * 3))
    channels.append(("/unwanted", "json", "", "", b"", [(START + 4, START, b"no JSON")]))
    write(path, channels, **options)
    assert path.stat().st_size > 300_000 or options.get("compression") != CompressionType.NONE
    return path


def outcome(trajpack, source, dataset, jobs):
    options = ["--quiet", "--json", "--exclude-members", "/unwanted", "--jobs", jobs]
    said = json.loads(run(trajpack, "convert", source, dataset, *options))
    return said["remarks"], shards(dataset)


def shards(dataset):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(dataset.glob("*.h5"))}


@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_threads_gives_the_same_shards(trajpack, tmp_path, seed):
    path = recording(tmp_path / "r.mcap", seed, compression=CompressionType.NONE, chunk=100_000)
    first = outcome(trajpack, path, tmp_path / "1", 1)
    assert first[1] and any("/raw" in remark for remark in first[0])
    for jobs in (2, 3, 8):
        assert outcome(trajpack, path, tmp_path / str(jobs), jobs) == first


def test_several_recordings_too(trajpack, tmp_path):
    """Two recordings at once, each of which finds other threads idle or not."""
    (tmp_path / "in").mkdir()
    for name in "pq":
        recording(tmp_path / "in" / f"{name}.mcap", ord(name), compression=CompressionType.NONE)
    first = outcome(trajpack, tmp_path / "in", tmp_path / "1", 1)
    for jobs in (2, 5):
        assert outcome(trajpack, tmp_path / "in", tmp_path / str(jobs), jobs) == first


@pytest.mark.parametrize("spoilt, topic", [
    ({"/a": [400], "/b": [300], "/f": [600]}, "/b"),
    ({"/a": [300], "/b": [301], "/c/d": [650]}, "/a"),
    ({"/e": [699], "/f": [500, 501]}, "/f"),
])
def test_the_first_error_of_the_recording_is_said(trajpack, tmp_path, spoilt, topic):
    """Whichever thread comes upon one first."""
    path = recording(tmp_path / "r.mcap", 5, spoilt, compression=CompressionType.NONE)
    said = {run(trajpack, "convert", path, tmp_path / "o", "--quiet", "--exclude-members", "/unwanted", "--jobs", jobs,
                fails=True) for jobs in (1, 2, 3, 8)}
    assert len(said) == 1 and f"'{topic}'" in said.pop()
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_message_is_said_before_damage_behind_it(trajpack, tmp_path, topic):
    """The last message is no JSON, and the checksum of all data does not agree, which one thread alone compares."""
    path = tmp_path / "r.mcap"
    random = np.random.default_rng(7)
    channels = [(name, "json", "", "", b"", messages(name, 900, random)) for name in TOPICS]
    channels[TOPICS.index(topic)][5].append((START + 5000 * STEP, START, b'{"v": '))
    write(path, channels, compression=CompressionType.NONE, enable_data_crcs=True)
    data = path.read_bytes()
    assert data.count(b"trajpack tests") == 1
    path.write_bytes(data.replace(b"trajpack tests", b"trajpack Tests"))
    said = {run(trajpack, "convert", path, tmp_path / "o", "--quiet", "--jobs", jobs, fails=True) for jobs in (1, 2, 3)}
    assert len(said) == 1 and f"a message of '{topic}'" in said.pop()


@pytest.mark.parametrize("crcs", [True, False])
def test_damage_is_said_as_by_one_thread(trajpack, tmp_path, crcs):
    """With checksums, one part alone meets the damage before the others do, in messages."""
    path = recording(tmp_path / "r.mcap", 6, compression=CompressionType.NONE, chunk=50_000, enable_crcs=crcs)
    whole = path.read_bytes()
    random = np.random.default_rng(crcs)
    codes = []
    for trial in range(8):
        data = bytearray(whole)
        for at in random.integers(20_000, len(data) - 20_000, 1 if trial % 2 else 3):
            data[at] = int(random.integers(256))
        path.write_bytes(data)
        ends = set()
        for jobs in (1, 3):
            dataset = tmp_path / f"{trial}-{jobs}"
            done = subprocess.run(
                [trajpack, "convert", path, dataset, "--quiet", "--exclude-members", "/unwanted", "--jobs", str(jobs)],
                capture_output=True, text=True, timeout=120)
            assert done.returncode in (0, 1), done
            assert dataset.exists() == (done.returncode == 0)
            ends.add((done.returncode, done.stderr, str(shards(dataset))))
        assert len(ends) == 1, ends
        codes.append(ends.pop()[0])
    assert 1 in codes and (crcs or 0 in codes), codes


@pytest.mark.parametrize("form", ["folder", "sqlite", "ros1"])
def test_bags_too(trajpack, tmp_path, form):
    """A folder of rosbag2 whose files share topics, one in SQLite, and a bag of ROS 1."""
    from rosbags.rosbag1 import Writer as Writer1
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer as Writer2
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if form == "ros1" else Stores.ROS2_HUMBLE)
    names = ["std_msgs/msg/Float64", "std_msgs/msg/String", "std_msgs/msg/Int32MultiArray", "std_msgs/msg/Float64"]
    made = [
        lambda i: store.types[names[0]](data=i * 0.5),
        lambda i: store.types[names[1]](data=f"state {i % 3} " + "x" * 60),
        lambda i: store.types[names[2]](
            layout=store.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0),
            data=np.arange(20, dtype=np.int32) * i),
        lambda i: store.types[names[3]](data=-float(i)),
    ]
    count = 3000
    if form == "folder":
        folder = tmp_path / "bag"
        folder.mkdir()
        files = []
        for part in range(2):
            channels = [
                (f"/t{k}", "cdr", name, "ros2msg", store.generate_msgdef(name, ros_version=2)[0].encode(), [
                    (START + i * STEP, START + i * STEP, bytes(store.serialize_cdr(made[k](i), name)))
                    for i in range(part * count // 2, (part + 1) * count // 2)])
                for k, name in list(enumerate(names))[:: 1 if part else -1]
            ]
            files.append(f"bag_{part}.mcap")
            write(folder / files[-1], channels)
        (folder / "metadata.yaml").write_text(
            "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: mcap\n"
            f"  message_count: {count * len(names)}\n  relative_file_paths:\n"
            + "".join(f"    - {file}\n" for file in files))
        path = folder
    elif form == "sqlite":
        path = tmp_path / "bag"
        with Writer2(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
            all_of = [writer.add_connection(f"/t{k}", name, typestore=store) for k, name in enumerate(names)]
            for i in range(count):
                for k, connection in enumerate(all_of):
                    writer.write(connection, START + i * STEP, store.serialize_cdr(made[k](i), names[k]))
    else:
        path = tmp_path / "x.bag"
        with Writer1(path) as writer:
            all_of = [writer.add_connection(f"/t{k}", name, typestore=store) for k, name in enumerate(names)]
            for i in range(count):
                for k, connection in enumerate(all_of):
                    writer.write(connection, START + i * STEP, store.serialize_ros1(made[k](i), names[k]))
    first = outcome(trajpack, path, tmp_path / "1", 1)
    assert len(first[1]) == 1
    for jobs in (2, 4):
        assert outcome(trajpack, path, tmp_path / str(jobs), jobs) == first
