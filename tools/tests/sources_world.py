"""Sources in Python for tests: modules with the entry points of a package, in a folder for PYTHONPATH."""
import os
import struct
import subprocess
import sys

HEAD = """
import numpy as np, os, time, json
from pathlib import Path
from trajpack.sources import About, LeftOut, Recording, Remark, Rows, Video
name = {name!r}
summary = "made by a test"
def sniff(path): return os.path.isdir(path) and os.path.exists(os.path.join(path, {name!r} + ".txt"))
def recordings(paths):
    for path in paths:
        for file in sorted(Path(path).glob("*.bin")):
            yield Recording(file.stem, file)
def read(recording):
    yield Rows("s", {{"x": np.fromfile(recording.path, "<f4")}}, rate=10)
"""


def package(folder, name, body="", version="1.0"):
    """A module ``name`` with an entry point of that name; ``body`` may define its functions anew."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(HEAD.format(name=name) + body)
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(f"[trajpack.sources]\n{name} = {name}\n")
    return folder


def files(folder, name, arrays):
    """Recordings for a source of ``package``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text("")
    for id, array in arrays.items():
        array.astype("<f4").tofile(folder / f"{id}.bin")
    return folder


def run(trajpack, *words, path=(), code=0, python=sys.executable, env=()):
    """Runs the program; its output, or what it said on stderr where it is to fail."""
    here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python", "src")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *map(str, path)]), "NO_COLOR": "1", **dict(env)}
    environment["TRAJPACK_PYTHON"] = str(python)
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, env=environment)
    assert done.returncode == code, f"rc {done.returncode}: {done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def tfrecord(path, records):
    """A TFRecord file, checksummed by google-crc32c."""
    import google_crc32c

    def crc(data):
        value = google_crc32c.value(data)
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    with open(path, "wb") as file:
        for data in records:
            head = struct.pack("<Q", len(data))
            file.write(head + crc(head) + data + crc(data))


def example_class():
    """tensorflow.train.Example, as google.protobuf makes it of its description."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    kinds = {"BytesList": 12, "FloatList": 2, "Int64List": 3}
    for name, kind in kinds.items():
        file.message_type.add(name=name).field.add(name="value", number=1, label=3, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, field) in enumerate(zip(kinds, ("bytes_list", "float_list", "int64_list")), 1):
        feature.field.add(name=field, number=number, label=1, type=11, type_name=f".t.{name}", oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=11, type_name=".t.Feature")
    features.field.add(name="feature", number=1, label=3, type=11, type_name=".t.Features.FeatureEntry")
    example = file.message_type.add(name="Example")
    example.field.add(name="features", number=1, label=1, type=11, type_name=".t.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))
