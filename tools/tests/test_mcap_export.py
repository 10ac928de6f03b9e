"""export --to mcap: the library mcap reads every message, protobuf decodes it by the schema in the file, and files that were
converted from MCAP come back equal."""
import json
import shutil

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("mcap_protobuf")
from foreign_world import run
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from mcap_protobuf.writer import Writer as ProtobufWriter

import trajpack as tp

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
OFFICIAL = ["PoseInFrame", "CompressedImage", "CompressedVideo", "RawImage", "CameraCalibration"]


def messages(path):
    """By topic: (log time, publish time, schema's name, message), checksums and counts compared on the way."""
    out, last = {}, 0
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        for schema, channel, message, decoded in reader.iter_decoded_messages(log_time_order=True):
            assert message.log_time >= last
            last = message.log_time
            out.setdefault(channel.topic, []).append((message.log_time, message.publish_time, schema.name, decoded))
    counts = {summary.channels[i].topic: n for i, n in summary.statistics.channel_message_counts.items() if n}
    assert counts == {topic: len(rows) for topic, rows in out.items()}
    assert summary.statistics.message_count == sum(counts.values())
    assert all(chunk.compression in ("zstd", "") for chunk in summary.chunk_indexes)
    return out


def stamp(message):
    return message.timestamp.seconds * 10**9 + message.timestamp.nanos


@pytest.mark.parametrize("seed", range(2))
def test_every_kind_of_stream(trajpack, tmp_path, seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(20, 60)), int(rng.integers(20, 60))
    numbers = {t: rng.integers(0, 100, (n, *[(), (3,), (2, 2)][i % 3])).astype(t) for i, t in enumerate(
        ["float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])}
    numbers["int64"] = rng.integers(-2**63, 2**63 - 1, numbers["int64"].shape)
    numbers["uint64"] = rng.integers(0, 2**64 - 1, numbers["uint64"].shape, dtype=np.uint64)
    one = np.ma.masked_array(rng.integers(-9, 9, n).astype(np.int32), rng.random(n) < 0.4)
    many = np.ma.masked_array(rng.integers(-9, 9, (n, 2)).astype(np.int16), rng.random((n, 2)) < 0.4)
    texts = [f"wörd {k}" for k in rng.integers(0, 4, n)]
    times = np.cumsum(rng.uniform(0.001, 0.2, m))
    position, quaternion = rng.normal(size=(m, 3)), rng.normal(size=(m, 4))
    rgb = rng.integers(0, 255, (n, 6, 8, 3)).astype(np.uint8)
    depth = rng.integers(0, 2**16 - 1, (n, 6, 8)).astype(np.uint16)
    k = rng.uniform(1, 100, (m, 4)).astype(np.float32)
    with tp.create(tmp_path / "ds", rate={"steps": "30000/1001", "rgb": 10, "depth": 10}, channels={
            "camera/t": {"kind": "position", "units": "m"},
            "camera/q": {"kind": "quaternion", "conventions": {"order": "wxyz"}},
            "camera/k": {"kind": "intrinsics", "conventions": {"order": "fx fy cx cy"}},
            "rgb/rgb": {"kind": "image"}, "depth/mm": {"kind": "depth", "units": "mm"},
            "steps/mode": {"categories": ["walk", "run"], "kind": "categorical"}},
            values={"label": ["a", "b"]}) as writer:
        for name, split in (("one", "train"), ("two words/x", "test")):
            with writer.episode(name, split=split, values={"label": "a"}) as episode:
                episode.extend({"steps": {**numbers, "one": one, "many": many, "text": texts,
                                          "mode": rng.integers(0, 2, n).astype(np.int32)}})
                episode.extend({"rgb": {"rgb": rgb}, "depth": {"mm": depth}})
                episode.extend({"camera": {"t": position, "q": quaternion, "k": k}}, time=times)
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert "one.mcap" in files and "values.json" in files and len(files) == 3
    topics = messages(tmp_path / "out/one.mcap")
    assert set(topics) == {"/steps", "/rgb", "/depth", "/camera/pose", "/camera/t", "/camera/k"} - (
        {"/camera/pose"} if "/camera/t" in topics else {"/camera/t"})
    steps = [m for *_, m in topics["/steps"]]
    for name, rows in numbers.items():
        got = [getattr(message, name) for message in steps]
        got = [list(v) if rows.ndim > 1 else v for v in got]
        assert np.array_equal(np.array(got, rows.dtype).reshape(rows.shape), rows), name
    assert [m.one if m.HasField("one") else None for m in steps] == one.tolist()
    assert [[v if s else None for v, s in zip(m.many, m.many_observed)] for m in steps] == many.tolist()
    assert [m.text for m in steps] == texts
    log = [t for t, *_ in topics["/steps"]]
    assert np.abs(np.array(log) - np.arange(n) * 1001 / 30000 * 1e9).max() <= 0.5
    assert log == [stamp(m) for m in steps]
    name = next(t for t in topics if t in ("/camera/t", "/camera/pose"))
    poses = [m.pose for *_, m in topics[name]]
    assert np.array_equal([[p.position.x, p.position.y, p.position.z] for p in poses], position)
    assert np.array_equal([[p.orientation.w, p.orientation.x, p.orientation.y, p.orientation.z] for p in poses],
                          quaternion)
    assert np.abs(np.array([t for t, *_ in topics[name]]) - times * 1e9).max() <= 1
    assert topics[name][0][2] == "foxglove.PoseInFrame"
    assert [[m.K[0], m.K[4], m.K[2], m.K[5]] for *_, m in topics["/camera/k"]] == k.tolist()
    for topic, rows, encoding in (("/rgb", rgb, "rgb8"), ("/depth", depth, "16UC1")):
        pictures = [m for *_, m in topics[topic]]
        assert {(m.width, m.height, m.encoding) for m in pictures} == {(8, 6, encoding)}
        assert b"".join(m.data for m in pictures) == rows.tobytes()
    # And back: names, shapes, types, splits and values as they were.
    run(trajpack, "convert", tmp_path / "out", tmp_path / "back", "--quiet")
    said = json.loads(run(trajpack, "info", tmp_path / "back", "--json"))
    assert said["splits"].keys() >= {"train", "test"} if "splits" in said else True
    for path in ("ds", "back"):
        run(trajpack, "export", tmp_path / path, tmp_path / f"{path}.npz", "--to", "npz", "--quiet", "--episode", "one")
    a, b = (np.load(tmp_path / f"{p}.npz/one/episode.npz") for p in ("ds", "back"))
    for name in a.files:
        # Integers that were not observed are 0, and the channel beside them says so.
        if name == "schema" or name.endswith("/time") or name.startswith("camera/") or name == "steps/many":
            continue
        assert a[name].shape == b[name].shape and np.array_equal(a[name], b[name]), name
    assert a["steps/int8"].dtype == b["steps/int8"].dtype


def test_types_are_those_of_foxglove(trajpack, tmp_path):
    schemas = pytest.importorskip("foxglove_schemas_protobuf")
    from importlib import import_module

    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    rng = np.random.default_rng(5)
    with tp.create(tmp_path / "ds", rate=10, channels={
            "pose/t": {"kind": "position"}, "pose/q": {"kind": "quaternion", "conventions": {"order": "xyzw"}},
            "k/k": {"kind": "intrinsics", "conventions": {"order": "fx fy cx cy"}}, "rgb/rgb": {"kind": "image"}}) as writer:
        writer.append("e", {"pose": {"t": rng.normal(size=(4, 3)), "q": rng.normal(size=(4, 4))},
                            "k": {"k": rng.normal(size=(4, 4))},
                            "rgb": {"rgb": rng.integers(0, 9, (4, 3, 5, 3)).astype(np.uint8)}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    found = set()
    with open(tmp_path / "out/e.mcap", "rb") as file:
        for schema in make_reader(file).get_summary().schemas.values():
            name = schema.name.split(".")[-1]
            own = FileDescriptorSet.FromString(schema.data)
            message = next(m for f in own.file for m in f.message_type if m.name == name)
            official = getattr(import_module(f"{schemas.__name__}.{name}_pb2"), name).DESCRIPTOR
            assert {(f.name, f.number, f.type) for f in message.field} == {
                (f.name, f.number, f.type) for f in official.fields}
            found.add(name)
    assert found == {"PoseInFrame", "CameraCalibration", "RawImage"}


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_videos(trajpack, tmp_path, codec):
    """Packets with start codes and parameter sets, which ffmpeg decodes to the same frames."""
    pytest.importorskip("pyarrow")
    from lerobot_world import LENGTHS, hashes
    from lerobot_world import write as write_videos
    plain = ["-c:v", codec, "-preset", "ultrafast", "-bf", "0"] + (
        ["-x265-params", "log-level=error:bframes=0"] if codec == "libx265" else [])
    try:
        write_videos(tmp_path / "src", videos=[("observation.images.a", plain, "yuv420p"),
                                               ("observation.images.b", ["-c:v", "libx264", "-bf", "2"], "yuv420p")], version="v2.1")
    except Exception as error:
        pytest.skip(f"ffmpeg has no {codec}: {error}")
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    done = run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap")
    assert "episodes as mcap" in done
    for number, rows in enumerate(LENGTHS):
        topics = messages(tmp_path / f"out/episode_{number:06d}.mcap")
        # B frames are refused by name, and are no topic.
        assert "/observation.images.b" not in topics
        packets = [m for *_, m in topics["/observation.images.a"]]
        assert {m.format for m in packets} == {"h264" if codec == "libx264" else "h265"} and len(packets) == rows
        name = tmp_path / f"{number}.{'h264' if codec == 'libx264' else 'hevc'}"
        name.write_bytes(b"".join(m.data for m in packets))
        run(trajpack, "export", tmp_path / "ds", tmp_path / f"mp4-{number}", "--to", "mp4", "--stream",
            "observation.images.a", "--episode", f"episode_{number:06d}", "--quiet")
        assert hashes(name) == hashes(next((tmp_path / f"mp4-{number}").rglob("*.mp4")))


def test_what_was_mcap_comes_back_equal(trajpack, tmp_path):
    """Messages of random types: converted, exported and compared."""
    from message_world import START, STEP
    rng = np.random.default_rng(3)
    from google.protobuf import wrappers_pb2
    from google.protobuf.timestamp_pb2 import Timestamp
    with open(tmp_path / "a.mcap", "wb") as file:
        writer = ProtobufWriter(file)
        for i in range(50):
            at = START + i * STEP
            writer.write_message("/x/double", wrappers_pb2.DoubleValue(value=rng.normal()), at, at - 5)
            if i % 3 == 0:
                writer.write_message("/text", wrappers_pb2.StringValue(value=f"t {rng.integers(0, 3)}"), at + 7, at)
            if i % 5 == 0:
                writer.write_message("/stamp", Timestamp(seconds=i, nanos=int(rng.integers(0, 10**9))), at, at)
        writer.finish()
    run(trajpack, "convert", tmp_path / "a.mcap", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    run(trajpack, "diff", tmp_path / "ds", tmp_path / "out", "--quiet")
    before, after = messages(tmp_path / "a.mcap"), messages(tmp_path / "out/a.mcap")
    for topic in before:
        assert [row[:2] for row in before[topic]] == [row[:2] for row in after[topic]]


def test_times(trajpack, tmp_path):
    """Steps without seconds, times before 0, and what has none."""
    with tp.create(tmp_path / "steps", streams={"s": {"time_unit": "step"}}) as writer:
        writer.append("e", {"s": {"x": np.arange(4.0)}}, time=np.arange(4.0))
    run(trajpack, "export", tmp_path / "steps", tmp_path / "a", "--to", "mcap", "--quiet")
    assert [t for t, *_ in messages(tmp_path / "a/e.mcap")["/s"]] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    run(trajpack, "export", tmp_path / "steps", tmp_path / "b", "--to", "mcap", "--rate", "50", "--quiet")
    assert [t for t, *_ in messages(tmp_path / "b/e.mcap")["/s"]] == [0, 20000000, 40000000, 60000000]
    with tp.create(tmp_path / "early") as writer:
        writer.append("e", {"s": {"x": np.arange(3.0)}}, time=np.array([-1.5, 0, 2]))
    run(trajpack, "export", tmp_path / "early", tmp_path / "c", "--to", "mcap", "--quiet")
    assert [t for t, *_ in messages(tmp_path / "c/e.mcap")["/s"]] == [0, 1_500_000_000, 3_500_000_000]
    assert "exists already" in run(trajpack, "export", tmp_path / "early", tmp_path / "c", "--to", "mcap", fails=True)


def test_rates(trajpack, tmp_path):
    """--rate counts rows that have no times in seconds; where all have, it is refused by its name."""
    with tp.create(tmp_path / "ds", rate=10) as writer:
        writer.append("e", {"s": {"x": np.arange(4.0)}})
    said = run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--rate", "50", fails=True)
    assert "--rate: the rows of all streams have times in seconds" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize("clock", ["stamp", "log_time"])
def test_stamps_of_foxglove_are_kept(trajpack, tmp_path, clock):
    """Whatever clock the rows have, a message's own time is what it was."""
    schemas = pytest.importorskip("foxglove_schemas_protobuf.CompressedImage_pb2")
    image = pytest.importorskip("PIL.Image")
    import io
    from message_world import START, STEP
    rng = np.random.default_rng(2)
    wanted = []
    with open(tmp_path / "a.mcap", "wb") as file:
        writer = ProtobufWriter(file)
        for i in range(6):
            out = io.BytesIO()
            image.fromarray(rng.integers(0, 255, (16, 24, 3)).astype(np.uint8)).save(out, "PNG")
            message = schemas.CompressedImage(frame_id="camera", data=out.getvalue(), format="png")
            at = START + i * STEP
            wanted.append((at, at - int(rng.integers(1, 10**6))))
            message.timestamp.FromNanoseconds(wanted[-1][1])
            writer.write_message("/camera", message, at, at)
        writer.finish()
    run(trajpack, "convert", tmp_path / "a.mcap", tmp_path / "ds", "--quiet", "--time", clock)
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    rows = messages(tmp_path / "out/a.mcap")["/camera"]
    assert rows[0][2] == "foxglove.CompressedImage" and rows[0][3].frame_id == "camera"
    assert [(log, stamp(message)) for log, _, _, message in rows] == wanted


def test_a_channel_called_time(trajpack, tmp_path):
    """Where a clock gives the times of rows, it is a channel as others are."""
    with tp.create(tmp_path / "ds", rate=10) as writer:
        writer.append("e", {"s": {"time": np.arange(4.0) * 7, "x": np.arange(4.0)}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    assert [m.time for *_, m in messages(tmp_path / "out/e.mcap")["/s"]] == [0, 7, 14, 21]
    run(trajpack, "convert", tmp_path / "out", tmp_path / "back", "--quiet")
    assert tp.open(tmp_path / "back").episodes[0]["s/message.time"][:].tolist() == [0, 7, 14, 21]


def test_a_topic_called_attachments(trajpack, tmp_path):
    """It stays a topic, with all of its messages, beside attachments of the file or without any."""
    from mcap.writer import Writer
    for files in (0, 2):
        path = tmp_path / f"{files}.mcap"
        with open(path, "wb") as file:
            writer = Writer(file)
            writer.start()
            schema = writer.register_schema("x", "jsonschema", b"{}")
            channel = writer.register_channel("attachments", "json", schema)
            for k in range(files):
                writer.add_attachment(10**9 + k, 10**9 + k, f"f{k}", "text/plain", b"abc")
            for k in range(5):
                writer.add_message(channel, 2 * 10**9 + k, json.dumps({"name": "n", "data": k + 0.5}).encode(), 2 * 10**9 + k)
            writer.finish()
        run(trajpack, "convert", path, tmp_path / f"ds{files}", "--quiet")
        run(trajpack, "export", tmp_path / f"ds{files}", tmp_path / f"out{files}", "--to", "mcap", "--quiet")
        found = messages(tmp_path / f"out{files}/{files}.mcap")
        assert [m.data for *_, m in found["attachments"]] == [k + 0.5 for k in range(5)]
        with open(tmp_path / f"out{files}/{files}.mcap", "rb") as file:
            assert [(a.name, bytes(a.data)) for a in make_reader(file).iter_attachments()] == [
                (f"f{k}", b"abc") for k in range(files)]
        run(trajpack, "diff", tmp_path / f"ds{files}", tmp_path / f"out{files}", "--quiet")


def test_attachments(trajpack, tmp_path):
    """Attachments are a stream, and attachments again."""
    from mcap.writer import Writer
    rng = np.random.default_rng(1)
    files = [(f"f{k}.bin", "application/x", 10**9 + k, 7 * k, rng.bytes(int(rng.integers(0, 5000)))) for k in range(4)]
    with open(tmp_path / "a.mcap", "wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("x", "jsonschema", b"{}")
        channel = writer.register_channel("/x", "json", schema)
        for k in range(5):
            writer.add_message(channel, 2 * 10**9 + k, json.dumps({"v": k + 0.5}).encode(), 2 * 10**9 + k)
        for name, media, log, created, data in files:
            writer.add_attachment(created, log, name, media, data)
        writer.add_metadata("notes", {"a": "b"})
        writer.finish()
    run(trajpack, "convert", tmp_path / "a.mcap", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--quiet")
    run(trajpack, "diff", tmp_path / "ds", tmp_path / "out", "--quiet")
    with open(tmp_path / "out/a.mcap", "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        found = [(a.name, a.media_type, a.log_time, a.create_time, bytes(a.data)) for a in reader.iter_attachments()]
        assert found == files and len(reader.get_summary().attachment_indexes) == 4
        notes = {m.name: m.metadata for m in reader.iter_metadata()}
        assert notes["notes"] == {"a": "b"} and notes["trajpack"]["episode"] == "a"
    whole = bytearray((tmp_path / "a.mcap").read_bytes())
    longest = max(files, key=lambda f: len(f[4]))[4]
    whole[whole.index(longest) + 5] ^= 1
    (tmp_path / "bad.mcap").write_bytes(whole)
    assert "checksum" in run(trajpack, "convert", tmp_path / "bad.mcap", tmp_path / "no", fails=True)
