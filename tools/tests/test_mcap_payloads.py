"""Messages in MCAP files by other encodings: protocol buffers, JSON, IDL, ROS 1; their libraries are the witness."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")
pb = pytest.importorskip("google.protobuf.descriptor_pb2")
from foreign_world import converted, run, texts
from google.protobuf import descriptor_pool, message_factory
from message_world import START, STEP, World, check, metadata, streams, write

F = pb.FieldDescriptorProto
SCALARS = {
    F.TYPE_DOUBLE: "f8",
    F.TYPE_FLOAT: "f4",
    F.TYPE_INT64: "i8",
    F.TYPE_UINT64: "u8",
    F.TYPE_INT32: "i4",
    F.TYPE_FIXED64: "u8",
    F.TYPE_FIXED32: "u4",
    F.TYPE_BOOL: "?",
    F.TYPE_UINT32: "u4",
    F.TYPE_SFIXED32: "i4",
    F.TYPE_SFIXED64: "i8",
    F.TYPE_SINT32: "i4",
    F.TYPE_SINT64: "i8",
}


def number(random, kind):
    dtype = np.dtype(SCALARS[kind])
    if dtype.kind == "f":
        return float(dtype.type(random.choice([0.0, -1.5, math.inf, 1e-9, 3.25])))
    if dtype.kind == "b":
        return bool(random.integers(2))
    info = np.iinfo(dtype)
    # The smallest number would leave none to say that there is none.
    return int(random.choice([0, 1, info.max // 3, info.min + 1 if info.min else info.max // 2]))


class Buffers:
    """Random message types and messages of protocol buffers."""

    def __init__(self, seed):
        random = self.random = np.random.default_rng(seed)
        file = pb.FileDescriptorProto(
            name=f"toy{seed}.proto",
            package=f"toy{seed}",
            syntax="proto3",
            dependency=["google/protobuf/timestamp.proto"],
        )
        word = file.enum_type.add(name="Word")
        for n, name in enumerate(["NONE", "GO", "STOP"]):
            word.value.add(name=name, number=n * 7)
        vector = file.message_type.add(name="Vector")
        for n, axis in enumerate("yxz"):  # the order of numbers is not that of axes
            vector.field.add(name=axis, number=n + 1, type=F.TYPE_DOUBLE, label=F.LABEL_OPTIONAL)
        part = file.message_type.add(name="Part")
        part.field.add(name="name", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
        part.field.add(name="load", number=300, type=F.TYPE_FLOAT, label=F.LABEL_OPTIONAL)
        part.field.add(name="at", number=3, type=F.TYPE_MESSAGE, type_name=f".toy{seed}.Vector", label=F.LABEL_OPTIONAL)
        root = file.message_type.add(name="Root")
        self.kinds = {}
        for n in range(int(random.integers(4, 14))):
            kind = int(random.choice(list(SCALARS)))
            form = str(random.choice(["once", "once", "list", "maybe", "unpacked"]))
            field = root.field.add(name=f"f{n}", number=int(n + 1 + 40 * (n % 3)), type=kind, label=F.LABEL_OPTIONAL)
            if form in ("list", "unpacked"):
                field.label = F.LABEL_REPEATED
                field.options.packed = form == "list"
            if form == "maybe":
                field.proto3_optional = True
                root.oneof_decl.add(name=f"_f{n}")
                field.oneof_index = len(root.oneof_decl) - 1
            self.kinds[f"f{n}"] = (kind, form)
        for name, n, kind, extra in [
            ("timestamp", 900, F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            ("text", 901, F.TYPE_STRING, ""),
            ("blob", 902, F.TYPE_BYTES, ""),
            ("word", 903, F.TYPE_ENUM, f".toy{seed}.Word"),
            ("where", 904, F.TYPE_MESSAGE, f".toy{seed}.Vector"),
        ]:
            root.field.add(
                name=name, number=n, type=kind, label=F.LABEL_OPTIONAL, **({"type_name": extra} if extra else {})
            )
        root.field.add(
            name="parts", number=905, type=F.TYPE_MESSAGE, type_name=f".toy{seed}.Part", label=F.LABEL_REPEATED
        )
        root.field.add(name="words", number=906, type=F.TYPE_ENUM, type_name=f".toy{seed}.Word", label=F.LABEL_REPEATED)
        pool = descriptor_pool.DescriptorPool()
        from google.protobuf import timestamp_pb2

        stamp = pb.FileDescriptorProto()
        timestamp_pb2.DESCRIPTOR.CopyToProto(stamp)
        pool.Add(stamp)
        pool.Add(file)
        self.set = pb.FileDescriptorSet(file=[stamp, file]).SerializeToString()
        self.type = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"toy{seed}.Root"))
        self.name = f"toy{seed}.Root"
        self.messages = [self.message(i) for i in range(int(random.integers(4, 30)))]

    def message(self, i):
        random, m = self.random, self.type()
        for name, (kind, form) in self.kinds.items():
            if form in ("list", "unpacked"):
                getattr(m, name).extend(number(random, kind) for _ in range(int(random.integers(0, 4))))
            elif form == "once" or random.random() < 0.6:
                setattr(m, name, number(random, kind))
        time = START + i * STEP
        m.timestamp.seconds, m.timestamp.nanos = time // 10**9, time % 10**9
        m.text, m.blob = f"text {i} ✓", random.bytes(int(random.integers(0, 50)))
        m.word = int(random.choice([0, 7, 14, 99]))  # 99 has no name
        if random.random() < 0.7:
            m.where.x, m.where.y, m.where.z = 1.0 + i, 0.0, -2.0
        for name in random.permutation(["a", "b", "c"])[: int(random.integers(0, 4))]:
            part = m.parts.add(name=str(name), load=float(i))
            if random.random() < 0.5:
                part.at.x = float(ord(str(name)))
        m.words.extend(int(x) for x in random.choice([0, 7], int(random.integers(0, 3))))
        return m


def words(value):
    return {0: "NONE", 7: "GO", 14: "STOP"}.get(value, str(value))


@pytest.mark.parametrize("seed", range(10))
def test_protocol_buffers_come_back(trajpack, tmp_path, seed):
    world = Buffers(seed)
    path = write(
        tmp_path / "p.mcap",
        [
            (
                "/p",
                "protobuf",
                world.name,
                "protobuf",
                world.set,
                [
                    (START + i * STEP + 9, START + i * STEP, m.SerializeToString(deterministic=True))
                    for i, m in enumerate(world.messages)
                ],
            )
        ],
    )
    _, arrays, _ = converted(trajpack, tmp_path, path)
    episode, laid = arrays["p"], streams(tmp_path / "ds")["p"]
    ms, channels = world.messages, laid["channels"]
    np.testing.assert_array_equal(episode["p/time"], [i * STEP for i in range(len(ms))])
    np.testing.assert_array_equal(episode["p/timestamp"], [START + i * STEP for i in range(len(ms))])
    lists = {}
    for name, (kind, form) in world.kinds.items():
        if form == "maybe":
            found = episode.get(f"p/{name}")
            if found is None:
                assert not any(m.HasField(name) for m in ms)
                continue
            for m, x in zip(ms, found):
                if m.HasField(name):
                    assert x == getattr(m, name)
                else:
                    assert np.isnan(x) if found.dtype.kind == "f" else x == np.iinfo(found.dtype).min
        else:
            values = [getattr(m, name) for m in ms]
            lists[name] = [np.array(v, SCALARS[kind]) for v in values]
    check(episode, tmp_path / "ds", "p", lists)
    assert texts(episode, "p/text") == [m.text for m in ms]
    check(episode, tmp_path / "ds", "p", {"blob": [np.frombuffer(m.blob, "u1") for m in ms]})
    check(
        episode,
        tmp_path / "ds",
        "p",
        {"word": [words(m.word) for m in ms], "words": [[words(w) for w in m.words] for m in ms]},
    )
    if any(m.HasField("where") for m in ms):
        expected = [[m.where.x, m.where.y, m.where.z] if m.HasField("where") else [np.nan] * 3 for m in ms]
        np.testing.assert_array_equal(episode["p/where"], expected)
    if any(len(m.parts) for m in ms):
        order = channels["parts.load"]["conventions"]["names"]
        for m, load, at in zip(ms, episode["p/parts.load"], episode["p/parts.at"]):
            for name, x, y in zip(order, load, at):
                part = next((q for q in m.parts if q.name == name), None)
                assert np.isnan(x) if part is None else x == part.load
                expected = [part.at.x, 0, 0] if part is not None and part.HasField("at") else [np.nan] * 3
                np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_protocol_buffers_are_one_sentence(trajpack, tmp_path, seed):
    world, random = Buffers(seed), np.random.default_rng(seed)
    for spoils_schema in (False, True):
        messages = []
        for i, m in enumerate(world.messages):
            data = bytearray(m.SerializeToString())
            if not spoils_schema and i % 3 == 1:
                data[random.integers(len(data))] = random.integers(256)
            messages.append((START + i, START + i, bytes(data)))
        schema = bytearray(world.set)
        if spoils_schema:
            for _ in range(4):
                schema[random.integers(len(schema))] = random.integers(256)
        path = write(tmp_path / "x.mcap", [("/p", "protobuf", world.name, "protobuf", bytes(schema), messages)])
        import subprocess

        done = subprocess.run(
            [trajpack, "convert", path, tmp_path / "o", "-q", "--overwrite"], capture_output=True, text=True, timeout=60
        )
        said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)


def test_json_comes_back(trajpack, tmp_path):
    random = np.random.default_rng(3)
    messages, truth = [], []
    for i in range(20):
        message = {
            "dx": i / 2,
            "n": i,
            "deep": {"on": bool(i % 2), "label": ["go", "stop"][i % 2]},
            "keys": ["w", "a"][: i % 3],
            "three": [1, 2.5, i],
            "some": list(range(i % 4)),
            "mixed": i if i % 2 else i + 0.5,
            "none": None,
            "grows": None if i < 3 else i,
            "odd": [1, "a", None],
            "note": f"note {i}",
            "joints": [{"name": n, "q": float(i)} for n in random.permutation(["l", "r"])],
        }
        truth.append(message)
        messages.append((START + i * STEP, START + i * STEP, json.dumps(message).encode()))
    path = write(
        tmp_path / "j.mcap",
        [
            ("/act", "json", "act", "jsonschema", b'{"type": "object"}', messages),
            ("/plain", "json", "", "", b"", messages[:2]),
        ],
    )
    _, arrays, _ = converted(trajpack, tmp_path, path)
    episode = arrays["j"]
    check(
        episode,
        tmp_path / "ds",
        "act",
        {
            "dx": [m["dx"] for m in truth],
            "n": [m["n"] for m in truth],
            "deep.on": [m["deep"]["on"] for m in truth],
            "deep.label": [m["deep"]["label"] for m in truth],
            "keys": [m["keys"] for m in truth],
            "three": [m["three"] for m in truth],
            "some": [m["some"] for m in truth],
            "mixed": [m["mixed"] for m in truth],
            "note": [m["note"] for m in truth],
        },
    )
    assert episode["act/n"].dtype == np.int64 and episode["act/mixed"].dtype == np.float64
    lowest = np.iinfo("i8").min
    assert list(episode["act/grows"]) == [lowest] * 3 + list(range(3, 20))
    assert [json.loads(t) for t in texts(episode, "act/odd")] == [m["odd"] for m in truth]
    np.testing.assert_array_equal(episode["act/joints.q"], [[float(i)] * 2 for i in range(20)])
    assert len(episode["plain/n"]) == 2
    bad = write(tmp_path / "b.mcap", [("/act", "json", "act", "jsonschema", b"{}", [(START, START, b'{"a": ')])])
    said = run(trajpack, "convert", bad, tmp_path / "no", fails=True)
    assert "'/act'" in said and "JSON" in said


def test_json_of_two_kinds_is_left_out_and_named(trajpack, tmp_path):
    messages = [(START + i, START + i, json.dumps({"x": i if i % 2 else "text", "y": i}).encode()) for i in range(6)]
    path = write(tmp_path / "k.mcap", [("/k", "json", "", "", b"", messages)])
    outcome, arrays, _ = converted(trajpack, tmp_path, path)
    assert "k/x" not in arrays["k"] and list(arrays["k"]["k/y"]) == list(range(6))
    assert any("'x'" in r and "left out" in r for r in outcome["remarks"])


IDL = {
    "bool": "boolean",
    "byte": "octet",
    "char": "uint8",
    "float32": "float",
    "float64": "double",
    "int64": "int64",
    "int16": "short",
    "uint32": "unsigned long",
    "uint64": "unsigned long long",
    "int32": "long",
}


def idl(types, root):
    """The same types as rosidl writes them: modules, typedefs of arrays, sequences, annotations."""
    out = []
    for name in [root, *(n for n in types if n != root)]:
        before, body = [], []
        for field, kind, form, size in types[name]:
            base = "string" if kind == "string" else IDL.get(kind, kind.replace("/", "::"))
            if form == "array":
                before.append(f"typedef {base} {field}__{size}[{size}];")
                base = f"{field}__{size}"
            elif form == "list":
                base = f"sequence<{base}>"
            elif form == "bound":
                base = f"sequence<{base}, {size}>"
            body.append(f'@verbatim (language="comment", text=\n "a (word); of" " {field}")\n {base} {field};')
        out.append(
            "="
            * 80
            + f'\nIDL: toy/msg/{name}\n// made\n#include "std_msgs/msg/Header.idl"\nmodule toy {{ module msg {{\n'
            f"module {name}_Constants {{ const int32 LIMIT = 7; const string S = 'a;}}'; }};\n"
            + "\n".join(before)
            + f'\n@verbatim (language="comment", text="none")\nstruct {name} {{\n'
            + "\n".join(body)
            + "\n};\n}; };\n"
        )
    out.append(
        "=" * 80 + "\nIDL: std_msgs/msg/Header\nmodule std_msgs { module msg { struct Header {\n"
        "builtin_interfaces::msg::Time stamp; string frame_id; }; }; };\n"
    )
    out.append(
        "=" * 80 + "\nIDL: builtin_interfaces/msg/Time\nmodule builtin_interfaces { module msg { struct Time {\n"
        "int32 sec; uint32 nanosec; }; }; };\n"
    )
    return "".join(out)


@pytest.mark.parametrize("seed", range(6))
def test_definitions_in_idl(trajpack, tmp_path, seed):
    world = World(seed + 50)
    messages = [(int(t), int(t), world.encoded(i)) for i, t in enumerate(world.times)]
    text = idl(world.types, world.root).replace("'a;}'", '"a;}"')
    path = write(tmp_path / "i.mcap", [("/i", "cdr", f"toy/msg/{world.root}", "ros2idl", text.encode(), messages)])
    _, arrays, _ = converted(trajpack, tmp_path, path)
    check(arrays["i"], tmp_path / "ds", "i", world.expected())


@pytest.mark.parametrize("seed", range(6))
def test_messages_of_ros1(trajpack, tmp_path, seed):
    world = World(seed + 80, messages=12)
    kind = f"toy/msg/{world.root}"
    text = world.text.replace("builtin_interfaces/Time", "time").replace("toy/msg/", "toy/")
    import re

    text = re.sub(r"\[<=\d+\]", "[]", text).replace("string<=20", "string")
    messages = [
        (int(t), int(t), bytes(world.store.serialize_ros1(world.built(kind, v), kind)))
        for t, v in zip(world.times, world.values)
    ]
    path = write(tmp_path / "r.mcap", [("/r", "ros1", f"toy/{world.root}", "ros1msg", text.encode(), messages)])
    _, arrays, _ = converted(trajpack, tmp_path, path)
    check(arrays["r"], tmp_path / "ds", "r", world.expected())


def test_lists_within_lists_are_left_out_and_named(trajpack, tmp_path):
    import struct

    text = "Row[] rows\nfloat64 x\n" + "=" * 80 + "\nMSG: toy/Row\nint32[] cells\nint32 n"
    data = (
        b"\0\1\0\0"
        + struct.pack("<I", 2)
        + struct.pack("<Iiii", 2, 5, 6, 1)
        + struct.pack("<Iii", 0, 2, 0)
        + struct.pack("<d", 3.5)
    )
    path = write(
        tmp_path / "n.mcap",
        [("/n", "cdr", "toy/msg/N", "ros2msg", text.encode(), [(START + i, START + i, data) for i in range(3)])],
    )
    outcome, arrays, _ = converted(trajpack, tmp_path, path)
    assert any("'rows.cells' is a list within a list" in r for r in outcome["remarks"])
    np.testing.assert_array_equal(arrays["n"]["n/rows.n"], [[1, 2]] * 3)
    np.testing.assert_array_equal(arrays["n"]["n/x"], [3.5] * 3)


@pytest.mark.parametrize("encoding, kind_of, units", [("16UC1", "uint16", "mm"), ("32FC1", "float32", "m")])
def test_pictures_come_as_arrays_and_files_as_they_are(trajpack, tmp_path, encoding, kind_of, units):
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    T, random = store.types, np.random.default_rng(0)
    kinds = ["sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"]
    frames = random.integers(0, 65536, (5, 4, 6)).astype(kind_of)
    files = [random.bytes(40 if i else 50) for i in range(5)]
    channels = []
    for topic, kind in zip(["/depth", "/jpeg"], kinds):
        messages = []
        for i in range(5):
            head = T["std_msgs/msg/Header"](
                stamp=T["builtin_interfaces/msg/Time"](sec=START // 10**9, nanosec=i), frame_id="c"
            )
            if topic == "/depth":
                m = T[kind](
                    header=head,
                    height=4,
                    width=6,
                    encoding=encoding,
                    is_bigendian=0,
                    step=6 * frames.itemsize,
                    data=frames[i].view("u1").reshape(-1),
                )
            else:
                m = T[kind](header=head, format="jpeg", data=np.frombuffer(files[i], "u1"))
            messages.append((START + i, START + i, bytes(store.serialize_cdr(m, kind))))
        channels.append(
            (topic, "cdr", kind, "ros2msg", store.generate_msgdef(kind, ros_version=2)[0].encode(), messages)
        )
    _, arrays, _ = converted(trajpack, tmp_path, write(tmp_path / "c.mcap", channels))
    np.testing.assert_array_equal(arrays["c"]["depth/data"], frames)
    assert arrays["c"]["depth/data"].dtype == np.dtype(kind_of)
    depth = streams(tmp_path / "ds")["depth"]["channels"]["data"]
    assert depth["kind"] == "depth" and depth["units"] == units
    from foreign_world import payloads

    assert payloads(arrays["c"], "jpeg/data") == files
    assert metadata(trajpack, tmp_path / "ds")["file"] == "c.mcap"
