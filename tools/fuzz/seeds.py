"""Writes the seed corpus of the libFuzzer targets: seeds.py OUT [TARGET...]. Small valid inputs of every form, made by the
formats' own software; tools/fuzz/corpus holds them, and what was found once, which stays there as a regression.
"""
import io
import json
import sqlite3
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools/tests"), str(ROOT / "tools/fuzz"), str(ROOT / "tools/python/src"),
                str(ROOT / "tools/python/tests")]
SEEDS = {}


def seeds(name):
    def keep(function):
        SEEDS[name] = function
        return function
    return keep


def halves(first, second):
    return struct.pack("<H", len(first)) + first + second


def shards(scratch):
    import worlds
    for seed in (3, 5):
        path = scratch / f"world-{seed}.h5"
        worlds.archive(seed, streams=2, episodes=2, most=8).write(path)
        yield path.read_bytes()
    yield (ROOT / "fixtures/golden/lz4/specimen/dataset/shard-000000.h5").read_bytes()


@seeds("header")
def _(scratch):
    for data in shards(scratch):
        yield bytes([len(data) >> 12 | 1]) + data[:600]


@seeds("index")
def _(scratch):
    import seed
    for data in shards(scratch):
        yield seed.seed(data)


@seeds("json")
def _(scratch):
    yield b'{"a": [1, -2.5e3, "\\u00e4\\n", null, true, {}], "b": {"c": []}}'
    yield b'[0.1, 1e-308, 9223372036854775807, -0.0, "\\ud83d\\ude00"]'


@seeds("options")
def _(scratch):
    for kind, value in [
            (0, {"length": 64, "stride": 8, "channels": ["s0/*"], "batch": 4, "rate": 30, "normalize": "standard"}),
            (0, {"duration": "2s", "offsets": {"a": [0, 1]}, "where": {"level": [1, 2]}, "threads": 2, "masks": True}),
            (1, {"name": "default", "rules": [{"split": "train", "rows": "0:60%"}], "context": {"test": 96}}),
            (2, {"channels": ["*"], "by": "split", "splits": ["train"]}),
            (3, {"select": ["values"], "severity": {"time.gap": "error"}, "rules": [
                {"id": "user.a", "expression": "npc/hp <= npc/max_hp", "severity": "error"}]})]:
        yield bytes([kind]) + json.dumps(value).encode()


@seeds("plan")
def _(scratch):
    for step in [{"step": "resample", "rate": 200}, {"step": "mask", "mechanism": "rows", "amount": 0.3, "seed": 1},
                 {"step": "embed", "lag": 2, "dimension": 3}, {"step": "align", "onto": "s0", "tolerance": 0.1},
                 {"step": "resample", "up": 3, "down": 2, "method": "polyphase"}, {"step": "path", "channels": "a"},
                 {"step": "quantise", "quantum": "1/7"}, {"step": "normalize", "method": "zscore", "per": "episode"}]:
        yield json.dumps({"steps": [step]}).encode()


@seeds("expression")
def _(scratch):
    yield b"npc/hp <= npc/max_hp and abs(npc/x - before(npc/x)) < 3.5e2"
    yield b"(state/a + 2) * 3 >= -state/b or not state/c == 1"


@seeds("manifest")
def _(scratch):
    yield (ROOT / "fixtures/golden/lz4/specimen/dataset/manifest.json").read_bytes()
    yield b'{"format": "trajpack dataset", "version": "1.0", "digest": "' + b"0" * 64 + b'", "shards": []}'


@seeds("journal")
def _(scratch):
    manifest = json.loads((ROOT / "fixtures/golden/zstd/specimen/dataset/manifest.json").read_bytes())
    plan = {n: v for n, v in manifest["source"].items() if n not in ("reading", "left_out")}
    lines = [plan, *({"type": "shard", **s} for s in manifest["shards"]), {"type": "complete"}]
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines).encode()
    yield b"\x01" + text
    yield b"\xff" + text
    import damage
    yield b"\x00" + damage.journal_of(json.dumps(manifest))


@seeds("side-file")
def _(scratch):
    yield b"\x00id,episode,start_row,rows\nc0,000001,0,6\n"
    yield b'\x00{"clips": [{"id": "a", "episode": "e", "start_row": 0, "rows": 8}]}'
    yield b"\x01id,label,mass\n000001,3,1.5\n000002,4,\n"
    yield b'\x02{"format": "trajpack job", "version": "1.0", "tasks": []}'


@seeds("csv-records")
def _(scratch):
    yield b'\x00a,b\n1,"x ""y"" z"\r\n2,"line\nbreak"\n'
    yield b"\x01a\tb\n1\t2\n"


@seeds("csv")
def _(scratch):
    yield b"time,x,name\n0.0,21.50,a\n0.1,21.75,b\n0.2,,a\n"
    yield b"date;x\n2016-07-01 00:00:00;1,5\n2016-07-01 01:00:00;1,25\n"
    yield b"# a comment\nx y z\n1 2 3\n4 5 6\n7 8 9\n"
    yield b"episode,t,x\na,0,1\na,1,2\nb,0,3\n"


@seeds("dysts")
def _(scratch):
    yield b'{"Lorenz": {"time": [0, 0.1, 0.2], "values": [[1, 2], [3, 4], [5, 6]]}, "B": {"values": [1, 2, 3]}}'


@seeds("npy")
def _(scratch):
    import numpy as np
    for array in [np.arange(6.0).reshape(3, 2), np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
                  np.arange(3, dtype="f2"), np.array([True, False]), np.array(["2020-01-01"], "M8[D]"),
                  np.array(["ab", "c"])]:
        out = io.BytesIO()
        np.save(out, array)
        yield out.getvalue()


@seeds("npz")
def _(scratch):
    import numpy as np
    for save in (np.savez, np.savez_compressed):
        out = io.BytesIO()
        save(out, x=np.arange(6.0).reshape(3, 2), t=np.arange(3.0), n=np.array(5))
        yield out.getvalue()


@seeds("predictions")
def _(scratch):
    yield b'\x00{"episode": "000001", "arrays": {"camera/pos": [[0, 1, 2], [3, null, 5]]}}\n'
    yield b"\x03episode,row,npc/hp\n000001,0,1.5\n000001,1,2\n"
    yield b"\x07time,camera/pos.x,camera/pos.y,camera/pos.z\n0,1,2,3\n0.1,2,3,4\n"


@seeds("parquet")
def _(scratch):
    import pyarrow as pa
    import pyarrow.parquet as pq
    table = pa.table({
        "a": pa.array([1, None, 3], pa.int64()), "b": pa.array([[1.0, 2.0], [3.0], None], pa.list_(pa.float32())),
        "c": ["x", "y", "x"], "d": pa.array([True, False, None]), "e": [b"\x00\x01", b"", b"ab"],
        "f": pa.array([{"g": 1, "h": "z"}] * 3)})
    for options in [{"compression": "none"}, {"compression": "snappy", "use_dictionary": False}, {"compression": "zstd"},
                    {"compression": "gzip", "data_page_version": "2.0"}, {"compression": "lz4"},
                    {"compression": "none", "column_encoding": "DELTA_BINARY_PACKED", "use_dictionary": False,
                     "columns": ["a"]}]:
        out = io.BytesIO()
        columns = options.pop("columns", None)
        pq.write_table(table.select(columns) if columns else table, out, **options)
        yield out.getvalue()


@seeds("matlab")
def _(scratch):
    import numpy as np
    import scipy.io
    value = {"x": np.arange(6.0).reshape(3, 2), "n": np.array([[1, 2]], "i2"), "s": "text", "z": np.array([[1 + 2j]]),
             "c": np.array([["a", 1.5]], object), "t": {"u": np.eye(2)}, "b": np.array([[True]])}
    for options in [{}, {"do_compression": True}]:
        out = io.BytesIO()
        scipy.io.savemat(out, value, **options)
        yield out.getvalue()
    out = io.BytesIO()
    scipy.io.savemat(out, {"x": np.arange(6.0).reshape(3, 2), "s": "text"}, format="4")
    yield out.getvalue()


@seeds("netcdf3")
def _(scratch):
    import netcdf_world
    for form in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"):
        path = scratch / f"{form}.nc"
        netcdf_world.write(path, form, 1, True)
        yield path.read_bytes()


@seeds("edf")
def _(scratch):
    import test_foreign_edf
    for name, rates in (("a.edf", (4, 2)), ("b.bdf", (4,))):
        test_foreign_edf.write(scratch / name, 1, rates, 2)
        yield (scratch / name).read_bytes()


@seeds("poses")
def _(scratch):
    yield b"\x00# t x y z qx qy qz qw\n0.0 1 2 3 0 0 0 1\n0.1 1 2 3 0 0 0 1\n"
    yield b"\x011 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 1 0 1 0 0 0 0 1 0\n"
    yield b"\x02#timestamp [ns], p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m]\n1,1,2,3\n2,1,2,3\n"
    import test_foreign_poses
    for kind, binary in ((3, False), (4, True)):
        folder = scratch / f"colmap-{kind}"
        test_foreign_poses.colmap(folder, 1, binary)
        ending = "bin" if binary else "txt"
        cameras = next(folder.rglob(f"cameras.{ending}")).read_bytes()
        images = next(folder.rglob(f"images.{ending}")).read_bytes()
        yield bytes([kind]) + halves(cameras, images)


@seeds("reader-message")
def _(scratch):
    def text(value):
        return struct.pack("<q", len(value)) + value
    yield b"g" + text(b"/a") + text(b"") + struct.pack("<q", 0)
    yield (b"d" + text(b"/x") + text(b"") + struct.pack("<q", 0) + text(b"") + b"f" + struct.pack("<qqq", 8, 0, 0) + b"\x00"
           + text(b"") + struct.pack("<qqq", 1, 3, 0) + text(b"gzip") + text(b""))
    yield b"x" + text(b"/l") + text(b"a link")


def message_schemas():
    yield 0, b"float64 x\nfloat32[3] v\nstring name\nint8[] data\nC c\n===\nMSG: a/C\nuint16 n\nbool[<=4] flags\n"
    yield 1, b"time stamp\nfloat64[] x\nstring s\n"
    yield 2, (b"module a { module msg { struct B { double x; sequence<float, 8> y; string s; @key long n; "
              b"octet o[4]; }; }; };")


@seeds("cdr")
def _(scratch):
    import random
    for kind, schema in message_schemas():
        for n in range(2):
            body = b"\x00\x01\x00\x00" if kind != 1 else b""
            body += struct.pack("<d3f", 1.5, 1, 2, 3) + struct.pack("<I", 3) + b"ab\0" + b"\0"
            body += struct.pack("<I", 4) + random.Random(n).randbytes(20)
            yield bytes([kind]) + halves(schema, body)


@seeds("protobuf")
def _(scratch):
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", package="a", syntax="proto3")
    inner = file.message_type.add(name="C")
    inner.field.add(name="n", number=1, type=5, label=1)
    message = file.message_type.add(name="B")
    for number, (name, kind, label, more) in enumerate([
            ("x", 1, 1, {}), ("v", 2, 3, {}), ("s", 9, 1, {}), ("b", 12, 1, {}), ("e", 14, 1, {"type_name": ".a.E"}),
            ("c", 11, 3, {"type_name": ".a.C"}), ("z", 17, 3, {}), ("f", 7, 1, {}), ("t", 8, 1, {})], 1):
        message.field.add(name=name, number=number, type=kind, label=label, **more)
    enum = file.enum_type.add(name="E")
    enum.value.add(name="ZERO", number=0)
    enum.value.add(name="ONE", number=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("a.B"))(
        x=1.5, v=[1, 2], s="ab", b=b"\1\2", e=1, c=[{"n": 3}, {"n": -4}], z=[-1, 5], f=7, t=True)
    files = descriptor_pb2.FileDescriptorSet(file=[file])
    yield halves(files.SerializeToString(), made.SerializeToString())


@seeds("json-message")
def _(scratch):
    yield b'{"a": 1.5, "b": [1, 2], "c": {"d": "x"}, "e": [{"f": 1}, {"f": 2}], "g": true, "h": null}\n{"a": 2}\n'


def mcap(compression, chunking=True):
    from mcap.writer import CompressionType, Writer
    out = io.BytesIO()
    writer = Writer(out, compression=getattr(CompressionType, compression), use_chunking=chunking, enable_crcs=False,
                    enable_data_crcs=False)
    writer.start()
    for number, (kind, schema) in enumerate(list(message_schemas())[:1]):
        id_ = writer.register_schema("a/msg/B", "ros2msg", schema)
        channel = writer.register_channel(f"/t{number}", "cdr", id_)
        for n in range(3):
            body = b"\x00\x01\x00\x00" + struct.pack("<d3f", n, 1, 2, 3) + struct.pack("<I", 2) + b"a\0\0\0" + struct.pack(
                "<I", 2) + b"\1\2" + struct.pack("<H", 3) + b"\0\0" + struct.pack("<I", 1) + b"\1"
            writer.add_message(channel, n * 10, body, n * 10)
    channel = writer.register_channel("/j", "json", writer.register_schema("j", "jsonschema", b"{}"))
    writer.add_message(channel, 5, b'{"a": 1, "b": [1, 2]}', 5)
    writer.add_attachment(0, 0, "a", "text/plain", b"x")
    writer.add_metadata("m", {"k": "v"})
    writer.finish()
    return out.getvalue()


@seeds("mcap")
def _(scratch):
    yield mcap("NONE", chunking=False)
    yield mcap("NONE")
    yield mcap("ZSTD")
    yield mcap("LZ4")


@seeds("sqlite")
def _(scratch):
    import test_rosbag2
    for page in (512, 4096):
        path = scratch / f"{page}.db3"
        rows = [(n, n, struct.pack("<4xd", n)) for n in range(5)] if page == 512 else [(0, 0, bytes(12)), (1, 1, bytes(700))]
        test_rosbag2.database(path, rows, page=page)
        yield path.read_bytes()
    path = scratch / "other.db3"
    base = sqlite3.connect(path)
    base.execute("create table t (a integer primary key, b)")
    base.commit()
    base.close()
    yield path.read_bytes()


def video(scratch, name, *words):
    path = scratch / name
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=10:duration=0.6", *words, path],
                   check=True)
    return path.read_bytes()


@seeds("container")
def _(scratch):
    yield video(scratch, "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    yield video(scratch, "b.mkv", "-c:v", "ffv1", "-pix_fmt", "gray")
    yield video(scratch, "c.avi", "-c:v", "mjpeg")


@seeds("boxes")
def _(scratch):
    yield video(scratch, "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    yield video(scratch, "b.png", "-frames:v", "1")
    yield video(scratch, "c.jpg", "-frames:v", "1")


@seeds("packet-index")
def _(scratch):
    yield struct.pack(">BBq", 0, 1, 5) + b"\0"
    yield b"".join(struct.pack(">BBq", n, n, 2**n) + b"\0" for n in range(9))


def main():
    out = Path(sys.argv[1])
    for name in sys.argv[2:] or SEEDS:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            for number, data in enumerate(SEEDS[name](Path(scratch))):
                (folder / f"seed-{number}").write_bytes(data)


if __name__ == "__main__":
    main()
