"""Videos whose packets are messages: stored bit for bit, and their frames are those that ffmpeg decodes."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")
pb = pytest.importorskip("google.protobuf.descriptor_pb2")
from foreign_world import run
from message_world import START, STEP, metadata, write
from PIL import Image
from test_mcap_payloads import F

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")


def packets(folder, codec="libx264", form="h264"):
    """Access units, an AUD before each, and the gray frames that ffmpeg makes of them."""
    path = folder / f"v.{form}"
    more = (
        ["-x264-params", "repeat-headers=1:aud=1"]
        if codec == "libx264"
        else ["-x265-params", "repeat-headers=1:aud=1:log-level=none"]
    )
    subprocess.run(
        [
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=64x48:rate=10",
            "-frames:v",
            "20",
            "-c:v",
            codec,
            "-bf",
            "0",
            "-g",
            "5",
            "-pix_fmt",
            "gray",
            *more,
            "-f",
            form,
            path,
        ],
        check=True,
    )
    raw = path.read_bytes()
    mark = b"\0\0\0\1\x09" if form == "h264" else b"\0\0\0\1\x46"
    at = [i for i in range(len(raw)) if raw.startswith(mark, i)] + [len(raw)]
    units = [raw[a:b] for a, b in zip(at, at[1:])]
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-pix_fmt", "gray", folder / "f%02d.png"], check=True
    )
    frames = [np.asarray(Image.open(folder / f"f{i + 1:02d}.png")) for i in range(20)]
    assert len(units) == 20
    return units, frames


def channel(units, form="h264", times=None):
    file = pb.FileDescriptorProto(
        name="v.proto", package="foxglove", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    root = file.message_type.add(name="CompressedVideo")
    root.field.add(
        name="timestamp", number=1, type=F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=F.LABEL_OPTIONAL
    )
    for number, (name, kind) in enumerate(
        [("frame_id", F.TYPE_STRING), ("data", F.TYPE_BYTES), ("format", F.TYPE_STRING)], 2
    ):
        root.field.add(name=name, number=number, type=kind, label=F.LABEL_OPTIONAL)
    from google.protobuf import descriptor_pool, message_factory, timestamp_pb2

    stamp = pb.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(stamp)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(stamp)
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("foxglove.CompressedVideo"))
    messages = []
    for i, unit in enumerate(units):
        time = START + (i if times is None else times[i]) * STEP
        m = kind(frame_id="cam", data=unit, format=form)
        m.timestamp.seconds, m.timestamp.nanos = time // 10**9, time % 10**9
        messages.append((START + i * STEP + 5, START + i * STEP + 5, m.SerializeToString()))
    data = pb.FileDescriptorSet(file=[stamp, file]).SerializeToString()
    return "/cam/video", "protobuf", "foxglove.CompressedVideo", "protobuf", data, messages


@needs_ffmpeg
@pytest.mark.parametrize("codec,form", [("libx264", "h264"), ("libx265", "hevc")])
def test_frames_are_those_of_ffmpeg(trajpack, tmp_path, codec, form):
    units, frames = packets(tmp_path, codec, form)
    path = write(tmp_path / "v.mcap", [channel(units, {"h264": "h264", "hevc": "h265"}[form])])
    run(trajpack, "convert", path, tmp_path / "ds", "-q")
    run(trajpack, "diff", tmp_path / "ds", path)
    for number in (13, 0, 19, 4):
        run(trajpack, "frame", tmp_path / "ds", "v", "cam/video", number, "-o", tmp_path / f"{number}.png")
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"{number}.png")), frames[number])
    track = json.loads(run(trajpack, "info", tmp_path / "ds", "--episode", "v", "--json"))
    assert "cam/video" in json.dumps(track) and metadata(trajpack, tmp_path / "ds")["start_time_ns"] == START
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "npz", "-q")
    stored = [p for p in (tmp_path / "out").rglob("*") if p.suffix in (".h264", ".h265")]
    assert [p.read_bytes() for p in stored] == [b"".join(units)]
    run(trajpack, "verify", tmp_path / "ds")


@needs_ffmpeg
def test_packets_that_are_no_video_are_kept_and_named(trajpack, tmp_path):
    units, _ = packets(tmp_path)
    swapped = [0, 2, 1, *range(3, 20)]
    cases = {
        "order": (channel(units, times=swapped), "do not come in the order"),
        "format": (channel(units, "vp9"), "'vp9'"),
        "broken": (channel([b"\0\0\0\1\x65" + bytes(9)] * 3), "kept as they are"),
        "late": (channel(units[1:4]), "none of them begins a video"),
    }
    for name, (own, word) in cases.items():
        path = write(tmp_path / f"{name}.mcap", [own])
        outcome = json.loads(run(trajpack, "convert", path, tmp_path / name, "-q", "--json"))
        assert any(word in r for r in outcome["remarks"]), (name, outcome["remarks"])
        run(trajpack, "diff", tmp_path / name, path)
        run(trajpack, "verify", tmp_path / name)


def images(files, form="png"):
    """A topic of sensor_msgs/CompressedImage."""
    from rosbags.typesys import Stores, get_typestore

    store, kind = get_typestore(Stores.ROS2_HUMBLE), "sensor_msgs/msg/CompressedImage"
    types, messages = store.types, []
    for i, file in enumerate(files):
        time = START + i * STEP
        stamp = types["builtin_interfaces/msg/Time"](sec=time // 10**9, nanosec=time % 10**9)
        head = types["std_msgs/msg/Header"](stamp=stamp, frame_id="c")
        message = types[kind](header=head, format=form, data=np.frombuffer(file, "u1"))
        messages.append((time, time, bytes(store.serialize_cdr(message, kind))))
    return "/cam/image", "cdr", kind, "ros2msg", store.generate_msgdef(kind, ros_version=2)[0].encode(), messages


def picture(array, form="PNG"):
    out = io.BytesIO()
    Image.fromarray(array).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["rgb", "gray16", "jpeg"])
def test_pictures_are_frames(trajpack, tmp_path, kind):
    random = np.random.default_rng(1)
    if kind == "gray16":
        arrays = random.integers(0, 65536, (7, 20, 32), np.uint16)
    elif kind == "rgb":
        arrays = random.integers(0, 256, (7, 20, 32, 3), np.uint8)
    else:
        y, x = np.mgrid[0:20, 0:32]
        arrays = np.stack([np.stack([x * 7 + 3 * i, y * 11, x + y], -1) for i in range(7)]).astype(np.uint8)
    files = [picture(a, "JPEG" if kind == "jpeg" else "PNG") for a in arrays]
    path = write(tmp_path / "v.mcap", [images(files, "rgb8; jpeg compressed bgr8" if kind == "jpeg" else "png")])
    run(trajpack, "convert", path, tmp_path / "ds", "-q")
    run(trajpack, "diff", tmp_path / "ds", path)
    for number in (5, 0, 6):
        run(trajpack, "frame", tmp_path / "ds", "v", "cam/image", number, "-o", tmp_path / f"{number}.png")
        found = np.asarray(Image.open(tmp_path / f"{number}.png"))
        if kind == "jpeg":
            # libjpeg takes another filter for chroma; brightness is the same but for rounding.
            both = [np.asarray(Image.fromarray(a).convert("L"), float)
                    for a in (found, np.asarray(Image.open(io.BytesIO(files[number]))))]
            assert np.abs(both[0] - both[1]).mean() < 4
        else:
            np.testing.assert_array_equal(found, arrays[number])
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "npz", "-q")
    stored = [p for p in (tmp_path / "out").rglob("*") if p.suffix in (".png", ".mjpeg")]
    assert [p.read_bytes() for p in stored] == [b"".join(files)]
    run(trajpack, "verify", tmp_path / "ds")


def test_pictures_that_are_no_video_are_kept_and_named(trajpack, tmp_path):
    random = np.random.default_rng(1)
    small, large, gray = (picture(random.integers(0, 256, shape, np.uint8)) for shape in ((8, 9, 3), (9, 9, 3), (8, 9)))
    cases = {
        "sizes": ([small, large], "one is a PNG of 9 × 9, and those before are PNG of 9 × 8"),
        "kinds": ([small, gray], "of different bits or colours"),
        "foreign": ([b"RIFF0000WEBP", b"RIFF0000WEBP"], "neither a PNG nor a JPEG"),
        "cut": ([small[:60]], "kept as they are"),
        "bomb": ([small[:16] + (100_000).to_bytes(4) * 2 + small[24:]], "neither a PNG nor a JPEG"),
    }
    for name, (files, word) in cases.items():
        path = write(tmp_path / f"{name}.mcap", [images(files)])
        outcome = json.loads(run(trajpack, "convert", path, tmp_path / name, "-q", "--json"))
        assert any(word in r for r in outcome["remarks"]), (name, outcome["remarks"])
        run(trajpack, "diff", tmp_path / name, path)
        run(trajpack, "verify", tmp_path / name)
