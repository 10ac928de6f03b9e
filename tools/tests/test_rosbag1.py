"""ROS 1 bags as rosbags writes them, against what its own reader says; cut and spoilt bags."""
import subprocess

import numpy as np
import pytest
from foreign_world import converted, run, same, texts
from rosbags.rosbag1 import Reader, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS1_NOETIC)
TYPES = STORE.types


def bag(path, random, compression=None, count=40):
    """A bag with an IMU, texts, and messages that are recorded later than they are stamped."""
    time, header = TYPES["builtin_interfaces/msg/Time"], TYPES["std_msgs/msg/Header"]
    imu, text, vector = (TYPES[n] for n in ("sensor_msgs/msg/Imu", "std_msgs/msg/String", "geometry_msgs/msg/Vector3"))
    quaternion = TYPES["geometry_msgs/msg/Quaternion"]
    writer = Writer(path)
    if compression:
        writer.set_compression(compression)
    with writer:
        writer.chunk_threshold = 2000
        own = writer.add_connection("/imu", imu.__msgtype__, typestore=STORE)
        other = writer.add_connection("/task", text.__msgtype__, typestore=STORE)
        writer.add_connection("/silent", text.__msgtype__, typestore=STORE)
        for i in range(count):
            stamp = 1_700_000_000_000_000_000 + i * 10_000_000
            message = imu(
                header=header(seq=i, stamp=time(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="imu"),
                orientation=quaternion(*random.normal(size=4)), orientation_covariance=random.normal(size=9),
                angular_velocity=vector(*random.normal(size=3)), angular_velocity_covariance=np.zeros(9),
                linear_acceleration=vector(*random.normal(size=3)), linear_acceleration_covariance=np.zeros(9))
            writer.write(own, stamp + 1_500_000, STORE.serialize_ros1(message, imu.__msgtype__))
            if i % 8 == 0:
                writer.write(other, stamp, STORE.serialize_ros1(text(data=f"step {i} – 放"), text.__msgtype__))


def messages(path):
    with Reader(path) as reader:
        return [(c.topic, t, STORE.deserialize_ros1(raw, c.msgtype)) for c, t, raw in reader.messages()]


@pytest.mark.parametrize("compression", [None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4])
def test_bags_are_what_rosbags_reads(trajpack, tmp_path, compression):
    path = tmp_path / "drive.bag"
    bag(path, np.random.default_rng(3), compression)
    _, episodes, _ = converted(trajpack, tmp_path, path)
    own, truth = episodes["drive"], messages(path)
    imu = [(t, m) for topic, t, m in truth if topic == "/imu"]
    same(own["imu/log_time"] + (imu[0][0] - own["imu/log_time"][0]), [t for t, _ in imu])
    same(own["imu/orientation"], [[m.orientation.x, m.orientation.y, m.orientation.z, m.orientation.w] for _, m in imu])
    same(own["imu/linear_acceleration"], [[getattr(m.linear_acceleration, a) for a in "xyz"] for _, m in imu])
    assert texts(own, "task/data") == [m.data for topic, _, m in truth if topic == "/task"]
    shown = run(trajpack, "inspect", path)
    assert "/silent" in shown and "rosbag 2.0" in shown


@pytest.mark.parametrize("seed", range(4))
def test_cut_bags_are_read_up_to_the_cut(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    path = tmp_path / "a.bag"
    bag(path, random, [None, Writer.CompressionFormat.LZ4][seed % 2])
    whole = path.read_bytes()
    path.write_bytes(whole[:int(random.integers(len(whole) // 2, len(whole) * 3 // 4))])
    done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q", "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "ends within a record at byte" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("change", "said"), [
    (lambda b: b"#ROSBAG V1.2\n" + b[13:], "version 1.2"), (lambda b: b[:13], "no message"),
    (lambda b: b[:4200] + bytes(60) + b[4260:], "a.bag"), (lambda b: b.replace(b"compression=lz4", b"compression=xyz"), "xyz"),
])
def test_spoilt_bags_are_one_sentence(trajpack, tmp_path, change, said):
    path = tmp_path / "a.bag"
    bag(path, np.random.default_rng(0), Writer.CompressionFormat.LZ4)
    path.write_bytes(change(path.read_bytes()))
    done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize("seed", range(10))
def test_flipped_bits_are_no_signal(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    path = tmp_path / "a.bag"
    bag(path, random, [None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4][seed % 3])
    raw = bytearray(path.read_bytes())
    for _ in range(5):
        raw[random.integers(len(raw))] ^= 1 << random.integers(8)
    path.write_bytes(raw)
    done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert len(errors) == done.returncode, done.stderr
