"""Videos whose packets are messages: stored bit for bit, and their frames are those that ffmpeg decodes."""

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
        found = np.asarray(Image.open(tmp_path / f"{number}.png").convert("L")).astype(int)
        # Gray by way of colours is rounded twice.
        assert np.abs(found - frames[number]).max() <= (1 if form == "h264" else 0)
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
