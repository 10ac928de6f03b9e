"""Videos in an archive: the file byte for byte, and a packet table that agrees with ffprobe."""
import hashlib
import json
import subprocess

import numpy as np
import pytest
import read_archive
from conftest import ROOT

SAMPLE = ROOT / "fixtures" / "wildworld" / "data_part1" / "000001"


def video_tracks(folder):
    """(stream name, shard, stream, track row, metadata) of the video streams."""
    shard = read_archive.Shard(read_archive.open_dataset(str(folder))[0][0])
    for track in shard.tracks:
        stream = shard.schema["streams"][track[1]]
        if stream.get("attributes", {}).get("video"):
            yield stream["name"], shard, stream, track, shard.metadata(track[6], track[7])


def column(shard, stream, name, track):
    channel = next(c for c in stream["channels"] if c["name"] == name)
    return shard.numbers(channel, int(track[4]), int(track[5]))[0].tolist()


@pytest.fixture(scope="module")
def archives(trajpack, tmp_path_factory):
    out = tmp_path_factory.mktemp("video")
    for mode in ("embed", "link", "drop"):
        subprocess.run([trajpack, "convert", SAMPLE, out / mode, "--video", mode, "--quiet"], check=True,
                       capture_output=True)
        subprocess.run([trajpack, "verify", out / mode], check=True, capture_output=True)
        read_archive.check_index(str(out / mode / "shard-000000.h5"))
    return out


def test_embedded(archives):
    found = list(video_tracks(archives / "embed"))
    assert [name for name, *_ in found] == ["rgb", "depth"]
    for name, shard, stream, track, metadata in found:
        path = next(SAMPLE.glob(f"{name}.*"))
        held = shard.rows(stream["blob"], int(track[8]), int(track[9])).tobytes()
        assert held == path.read_bytes()
        assert metadata["stored"] == "embed" and metadata["bytes"] == len(held)
        assert metadata["sha256"] == hashlib.sha256(held).hexdigest()


def test_packets(archives):
    """Every packet that ffprobe shows is a row, in the order of presentation, at ffprobe's place."""
    for name, shard, stream, track, metadata in video_tracks(archives / "embed"):
        path = next(SAMPLE.glob(f"{name}.*"))
        probe = json.loads(subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-show_data_hash", "sha256", "-of",
             "json", path], check=True, capture_output=True).stdout)["packets"]
        probe.sort(key=lambda p: int(p["pts"]))
        assert column(shard, stream, "pts", track) == [int(p["pts"]) for p in probe]
        assert column(shard, stream, "keyframe", track) == [int("K" in p["flags"]) for p in probe]
        if name == "rgb":
            assert column(shard, stream, "dts", track) == [int(p["dts"]) for p in probe]
        channel = next(c for c in stream["channels"] if c["name"] == "packet")
        packets = shard.strings(stream, channel, track)
        assert ["SHA256:" + hashlib.sha256(p).hexdigest() for p in packets] == [p["data_hash"] for p in probe]


def test_linked(archives):
    """A linked file is named by its digest; its packet table is that of the embedded one, its bytes are not held."""
    embedded = {name: rest for name, *rest in video_tracks(archives / "embed")}
    for name, shard, stream, track, metadata in video_tracks(archives / "link"):
        assert metadata["stored"] == "link" and track[9] == 0
        other_shard, other_stream, other_track, other = embedded[name]
        assert metadata["sha256"] == other["sha256"]
        channel = next(c for c in stream["channels"] if c["name"] == "packet")
        assert shard.strings(stream, channel, track) == [None] * int(track[5])
        place, at = channel["column"], int(track[4])
        np.testing.assert_array_equal(
            shard.rows(channel["block"], at, int(track[5]))[:, place:place + 2],
            other_shard.rows(channel["block"], int(other_track[4]), int(track[5]))[:, place:place + 2])


def test_dropped(archives):
    assert list(video_tracks(archives / "drop")) == []


def edited(source, edits):
    """The mp4 with another edit list: (duration, media time, rate) of each part."""
    import struct

    def boxes(data):
        out, at = b"", 0
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            body, at = data[at + 8:at + size], at + size
            if kind in (b"moov", b"trak", b"edts"):
                body = boxes(body)
            if kind == b"elst":
                body = struct.pack(">II", 0, len(edits)) + b"".join(struct.pack(">IiI", *edit) for edit in edits)
            out += struct.pack(">I4s", len(body) + 8, kind) + body
        return out
    return boxes(source)


FRAME = 512
EDITS = {"one": ([(500, 5 * FRAME, 65536)], 15), "empty first": ([(500, -1, 65536), (500, 0, 65536)], 15),
         "two": ([(500, 5 * FRAME, 65536), (500, 33 * FRAME, 65536)], 0), "reverse": ([(500, 30 * FRAME, 65536), (500, 10 * FRAME, 65536)], 0),
         "twice": ([(500, 0, 65536), (500, 0, 65536)], 0), "empty within": ([(500, 0, 65536), (500, -1, 65536), (500, 30 * FRAME, 65536)], 0)}


@pytest.mark.parametrize("name", EDITS)
def test_edit_lists_of_one_part_are_read_and_of_several_refused(trajpack, tmp_path, name):
    """Of several, libavformat's packets go back in time: frames of the second part were made of packets of the first."""
    edits, frames = EDITS[name]
    subprocess.run("ffmpeg -v error -y -f lavfi -i testsrc2=size=96x64:rate=30 -frames:v 60 -c:v libx264 -bf 0 -g 10 -pix_fmt "
                   f"yuv420p {tmp_path}/whole.mp4", shell=True, check=True)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "rgb.mp4").write_bytes(edited((tmp_path / "whole.mp4").read_bytes(), edits))
    done = subprocess.run([trajpack, "convert", tmp_path / "r", tmp_path / "ds", "--quiet", "--frame-hashes"], capture_output=True, text=True)
    if not frames:
        assert done.returncode == 1 and "parts of the film" in done.stderr and "-qp 0 OUT.mp4" in done.stderr
        assert not (tmp_path / "ds").exists()
        return
    assert done.returncode == 0, done.stderr
    told = subprocess.run([trajpack, "verify", "--frames", tmp_path / "ds"], capture_output=True, text=True)
    assert told.returncode == 0 and f"{frames} frames of 1 video" in told.stdout
