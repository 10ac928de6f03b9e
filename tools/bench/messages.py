#!/usr/bin/env python3
"""MCAP files: `trajpack convert` against the Python readers, which only decode every message.

    messages.py [--messages 60000] [--rounds 5] [--work DIR]

Two files, chunks of zstd: protocol buffers (poses, and joint states of seven joints) read by `mcap` with
`mcap-protobuf-support`; the same in CDR of ROS 2 read by `mcap-ros2-support` and by `rosbags`. The peers decode each
message and drop it; trajpack reads the file twice, and writes, checks and fsyncs a dataset. Whole processes in turn,
the page cache warm; the ratio of medians is printed. With `--messages 600000`, what a process costs once counts less.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = 1_750_000_000_000_000_000

READERS = {
    "mcap, protobuf": """
import sys
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
n = 0
with open(sys.argv[1], "rb") as file:
    for _, _, message, item in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
        n += 1
print(n)
""",
    "mcap, ros2": """
import sys
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
n = 0
with open(sys.argv[1], "rb") as file:
    for _, _, message, item in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
        n += 1
print(n)
""",
    "rosbags": """
import sys
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_typestore
store = get_typestore(Stores.ROS2_HUMBLE)
n = 0
with open(sys.argv[1], "rb") as file:
    for schema, _, message in make_reader(file).iter_messages():
        store.deserialize_cdr(message.data, schema.name)
        n += 1
print(n)
""",
}


def protobuf_file(path, count):
    """Poses and joint states as protocol buffers."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from mcap.writer import Writer

    F = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")

    def message(name, *fields):
        own = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, 1):
            label = F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL
            if isinstance(kind, str):
                own.field.add(name=field, number=number, type=F.TYPE_MESSAGE, type_name=f".bench.{kind}", label=label)
            else:
                own.field.add(name=field, number=number, type=kind, label=label)

    real = F.TYPE_DOUBLE
    message("Vector", ("x", real, False), ("y", real, False), ("z", real, False))
    message("Quaternion", ("x", real, False), ("y", real, False), ("z", real, False), ("w", real, False))
    message(
        "Pose", ("frame_id", F.TYPE_STRING, False), ("position", "Vector", False), ("orientation", "Quaternion", False)
    )
    message("Joints", ("name", F.TYPE_STRING, True), ("position", real, True), ("velocity", real, True))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    pose = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Pose"))
    joints = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Joints"))
    data = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    with open(path, "wb") as out:
        writer = Writer(out)
        writer.start()
        ids = [
            writer.register_channel(t, "protobuf", writer.register_schema(n, "protobuf", data))
            for t, n in (("/pose", "bench.Pose"), ("/joints", "bench.Joints"))
        ]
        for i in range(count // 2):
            p = pose(frame_id="map")
            p.position.x, p.position.y, p.position.z = i * 0.01, 1.5, -i * 0.003
            p.orientation.x, p.orientation.w = 0.1, 0.99
            j = joints(
                name=[f"joint_{k}" for k in range(7)], position=[i * 0.001 * k for k in range(7)], velocity=[0.5] * 7
            )
            for channel, item in zip(ids, (p, j)):
                writer.add_message(channel, START + i * 10**7, item.SerializeToString(), START + i * 10**7)
        writer.finish()


def ros_file(path, count):
    """The same as PoseStamped and JointState."""
    import numpy as np
    from mcap.writer import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    T = store.types
    kinds = ["geometry_msgs/msg/PoseStamped", "sensor_msgs/msg/JointState"]
    names = [f"joint_{k}" for k in range(7)]
    with open(path, "wb") as out:
        writer = Writer(out)
        writer.start("ros2")
        ids = [
            writer.register_channel(
                topic,
                "cdr",
                writer.register_schema(kind, "ros2msg", store.generate_msgdef(kind, ros_version=2)[0].encode()),
            )
            for topic, kind in zip(("/pose", "/joints"), kinds)
        ]
        for i in range(count // 2):
            time = START + i * 10**7
            head = T["std_msgs/msg/Header"](
                stamp=T["builtin_interfaces/msg/Time"](sec=time // 10**9, nanosec=time % 10**9), frame_id="map"
            )
            pose = T["geometry_msgs/msg/Pose"](
                position=T["geometry_msgs/msg/Point"](i * 0.01, 1.5, -i * 0.003),
                orientation=T["geometry_msgs/msg/Quaternion"](0.1, 0.0, 0.0, 0.99),
            )
            items = [
                T[kinds[0]](header=head, pose=pose),
                T[kinds[1]](
                    header=head,
                    name=names,
                    position=np.arange(7) * 0.001 * i,
                    velocity=np.full(7, 0.5),
                    effort=np.array([]),
                ),
            ]
            for channel, kind, item in zip(ids, kinds, items):
                writer.add_message(channel, time, bytes(store.serialize_cdr(item, kind)), time)
        writer.finish()


def timed(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=60000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        folder = Path(folder)
        files = {"protobuf": folder / "protobuf.mcap", "ros2": folder / "ros2.mcap"}
        protobuf_file(files["protobuf"], options.messages)
        ros_file(files["ros2"], options.messages)
        peers = {"protobuf": ["mcap, protobuf"], "ros2": ["mcap, ros2", "rosbags"]}
        for kind, path in files.items():
            walls = {name: [] for name in ["trajpack", *peers[kind]]}
            for _ in range(options.rounds):
                walls["trajpack"].append(
                    timed([ROOT / ".build/release/trajpack", "convert", path, folder / "ds", "--quiet", "--overwrite"])
                )
                for name in peers[kind]:
                    walls[name].append(timed([sys.executable, "-c", READERS[name], path]))
            ours = statistics.median(walls["trajpack"])
            print(f"{kind}: {options.messages} messages, {path.stat().st_size / 2**20:.1f} MiB: trajpack {ours:.3f} s")
            for name in peers[kind]:
                wall = statistics.median(walls[name])
                print(f"  {name}: {wall:.3f} s, {wall / ours:.1f} times as long")


if __name__ == "__main__":
    main()
