"""Messages of random ROS 2 types, written by rosbags and mcap, and what a conversion must give back of them."""

import json
import math
import string

import numpy as np
from foreign_world import run
from mcap.writer import CompressionType, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

NUMBERS = {
    "bool": "?",
    "byte": "u1",
    "char": "u1",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "float32": "f4",
    "float64": "f8",
}
START = 1_750_000_000_000_000_000
STEP = 10_000_000


def random_types(random, count=3):
    """Types `toy/msg/T0`, ... of random fields, each of which may hold those before it: fields and definitions."""
    types = {}
    for number in range(count):
        fields = [("header", "std_msgs/msg/Header", "once", 0)] if number == count - 1 and random.random() < 0.7 else []
        for i in range(int(random.integers(2, 9))):
            kinds = [*NUMBERS, "string"] + ["builtin_interfaces/msg/Time"]
            kind = str(random.choice(kinds))
            if types and random.random() < 0.3:
                kind = f"toy/msg/{random.choice(list(types))}"
            form = str(random.choice(["once", "once", "array", "list", "bound"]))
            # Lists within lists are left out, which another test looks at.
            if "/" in kind and kind.startswith("toy"):
                form = str(random.choice(["once", "array", "list"])) if number < 2 else "once"
                if form != "once" and not flat(types, kind):
                    form = "once"
            fields.append(
                (f"f{i}_{random.choice(list(string.ascii_lowercase))}", kind, form, int(random.integers(1, 5)))
            )
        types[f"T{number}"] = fields
    return types


def flat(types, kind):
    return all(form == "once" and not k.startswith("toy") for _, k, form, _ in types[kind.split("/")[-1]])


def definition(fields, random):
    lines = ["# a comment", "int32 LIMIT=7 # a constant", "string NAME = 'no # field'"]
    for name, kind, form, size in fields:
        short = kind.replace("/msg/", "/")
        times = {"once": "", "array": f"[{size}]", "list": "[]", "bound": f"[<={size}]"}[form]
        default = " 5" if form == "once" and kind == "int32" and random.random() < 0.5 else ""
        bound = "<=20" if kind == "string" and random.random() < 0.3 else ""
        lines.append(f"{short}{bound}{times}  {name}{default}   # what it is")
    return "\n".join(lines)


def schema(types, root, random):
    """The text of an MCAP schema: the root's definition, then those that it needs."""
    parts = [definition(types[root], random)]
    for name, fields in types.items():
        if name != root:
            parts.append(f"MSG: toy/{name}\n{definition(fields, random)}")
    parts.append("MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id")
    parts.append("MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec")
    return ("\n" + "=" * 80 + "\n").join(parts)


def text(random):
    return str(random.choice(["", "a", "frame", "grün ✓", "x" * 15]))


def value(random, types, kind, form, size, time):
    """A value of a field: numpy arrays, lists, dicts for structs; times in ns."""
    count = {
        "once": None,
        "array": size,
        "list": int(random.integers(0, 4)),
        "bound": int(random.integers(0, size + 1)),
    }[form]
    if kind in NUMBERS:
        dtype = np.dtype(NUMBERS[kind])
        shape = () if count is None else (count,)
        if dtype.kind == "f":
            out = random.choice([0.0, -1.5, math.inf, 1e-9, 3.25], shape).astype(dtype)
        elif dtype.kind == "b":
            out = random.integers(0, 2, shape).astype(dtype)
        else:
            info = np.iinfo("i1" if kind in ("byte", "char") else dtype)  # libraries differ in their sign
            out = random.integers(max(info.min, np.iinfo(dtype).min), info.max, shape, dtype, endpoint=True)
        return np.asarray(out, dtype)
    if kind == "string":
        return text(random) if count is None else [text(random) for _ in range(count)]

    def one():
        if kind == "builtin_interfaces/msg/Time":
            return int(random.integers(0, 2**31)) * 10**9 + int(random.integers(0, 10**9))
        if kind == "std_msgs/msg/Header":
            return {"stamp": time, "frame_id": "map"}
        return {name: value(random, types, k, f, s, time) for name, k, f, s in types[kind.split("/")[-1]]}

    return one() if count is None else [one() for _ in range(count)]


def flatten(fields, types, values, prefix="", out=None):
    """The paths of the parts of a message and their values, lists of structs as lists of their parts."""
    out = {} if out is None else out
    for name, kind, form, _ in fields:
        path = f"{prefix}{name}"
        if kind in NUMBERS or kind in ("string", "builtin_interfaces/msg/Time"):
            out[path] = values[name]
        elif kind == "std_msgs/msg/Header":
            out[f"{path}.stamp"], out[f"{path}.frame_id"] = values[name]["stamp"], values[name]["frame_id"]
        else:
            inner = types[kind.split("/")[-1]]
            if form == "once":
                flatten(inner, types, values[name], f"{path}.", out)
            else:
                for part, k, _, _ in inner:
                    items = [item[part] for item in values[name]]
                    if k in NUMBERS:
                        items = np.array(items, NUMBERS[k]).reshape(len(items))
                    out[f"{path}.{part}"] = items
    return out


class World:
    """Random types and messages of a seed, which rosbags encodes."""

    def __init__(self, seed, messages=None):
        random = self.random = np.random.default_rng(seed)
        self.types = random_types(random)
        self.root = list(self.types)[-1]
        self.text = schema(self.types, self.root, random)
        self.store = get_typestore(Stores.EMPTY)
        found = {}
        for name, fields in self.types.items():
            found.update(get_types_from_msg(definition(fields, random), f"toy/msg/{name}"))
        found.update(get_types_from_msg("builtin_interfaces/Time stamp\nstring frame_id", "std_msgs/msg/Header"))
        found.update(get_types_from_msg("int32 sec\nuint32 nanosec", "builtin_interfaces/msg/Time"))
        self.store.register(found)
        count = int(random.integers(3, 40)) if messages is None else messages
        self.times = START + STEP * np.arange(count)
        self.values = [self.message(int(t)) for t in self.times]

    def message(self, time):
        return {
            name: value(self.random, self.types, kind, form, size, time)
            for name, kind, form, size in self.types[self.root]
        }

    def built(self, kind, item):
        """A message of rosbags."""
        if kind == "builtin_interfaces/msg/Time":
            return self.store.types[kind](sec=item // 10**9, nanosec=item % 10**9)
        if kind == "std_msgs/msg/Header":
            stamp = self.built("builtin_interfaces/msg/Time", item["stamp"])
            return self.store.types[kind](stamp=stamp, frame_id=item["frame_id"])
        out = {}
        for name, k, form, _ in self.types[kind.split("/")[-1]]:
            v = item[name]
            if k in NUMBERS or k == "string":
                out[name] = v.item() if k in NUMBERS and form == "once" else v
            else:
                out[name] = self.built(k, v) if form == "once" else [self.built(k, x) for x in v]
        return self.store.types[kind](**out)

    def encoded(self, i, little=True):
        kind = f"toy/msg/{self.root}"
        return bytes(self.store.serialize_cdr(self.built(kind, self.values[i]), kind, little_endian=little))

    def expected(self):
        """Of each path the values of all messages."""
        rows = [flatten(self.types[self.root], self.types, v) for v in self.values]
        return {path: [row[path] for row in rows] for path in rows[0]}


def streams(dataset):
    """The streams of a dataset's first shard, by name, with their channels by name."""
    import read_archive

    found = read_archive.Shard(next(dataset.glob("shard-*.h5"))).schema["streams"]
    return {s["name"]: s | {"channels": {c["name"]: c for c in s["channels"]}} for s in found}


def metadata(trajpack, dataset):
    """The metadata of a dataset's first episode."""
    first = json.loads(run(trajpack, "info", dataset, "--episodes", "--json"))[0]["id"]
    return json.loads(run(trajpack, "info", dataset, "--episode", first, "--json"))["metadata"]


def check(arrays, dataset, stream, expected):
    """Compares every field with the channels that it became, whichever form these have."""
    laid = streams(dataset)[stream]
    attributes, channels = laid.get("attributes", {}), laid["channels"]
    for path, values in expected.items():
        name = f"{stream}/{path}"
        texts = [v for row in values for v in (row if isinstance(row, list) else [row]) if isinstance(v, str)]
        if path in attributes.get("constants", {}):
            assert all(row == attributes["constants"][path] for row in values)
        elif path in attributes.get("empty", []):
            assert all(len(row) == 0 for row in values)
        elif f"{name}.offsets" in arrays:
            offsets, data = arrays[f"{name}.offsets"], arrays[f"{name}.bytes"].tobytes()
            found = [data[a:b] for a, b in zip(offsets, offsets[1:])]
            if channels[path]["kind"] == "packet":
                assert found == [np.asarray(row).tobytes() for row in values]
            elif texts and isinstance(values[0], str):
                assert [f.decode() for f in found] == values
            else:
                assert [json.loads(f) for f in found] == values
        elif "categories" in channels[path]:
            assert [channels[path]["categories"][code] for code in arrays[name]] == values
        elif f"{name}.length" in arrays:
            lengths = arrays[f"{name}.length"]
            assert list(lengths) == [len(row) for row in values]
            for row, found, length in zip(values, arrays[name], lengths):
                np.testing.assert_array_equal(found[:length], np.asarray(row))
                rest = found[length:]
                assert np.isnan(rest).all() if rest.dtype.kind == "f" else (rest == np.iinfo(rest.dtype).min).all()
        else:
            np.testing.assert_array_equal(arrays[name], np.array([np.asarray(row) for row in values]))


def write(path, channels, compression=CompressionType.ZSTD, chunk=1 << 20, chunking=True, **options):
    """Writes an MCAP file. `channels` are (topic, message encoding, schema name, schema encoding, schema, messages),
    messages (log time, publish time, bytes); in the order of log times."""
    with open(path, "wb") as file:
        writer = Writer(file, compression=compression, chunk_size=chunk, use_chunking=chunking, **options)
        writer.start("ros2", "trajpack tests")
        todo = []
        for topic, encoding, name, schema_encoding, data, messages in channels:
            sid = writer.register_schema(name, schema_encoding, data) if schema_encoding else 0
            cid = writer.register_channel(topic, encoding, sid)
            todo += [(log, publish, cid, bytes) for log, publish, bytes in messages]
        todo.sort(key=lambda x: x[0])
        for number, (log, publish, cid, data) in enumerate(todo):
            writer.add_message(cid, log, data, publish, number)
        writer.finish()
    return path
