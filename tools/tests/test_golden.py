"""The golden archives, read three ways: by the second reader, by HDF5's tools, by trajpack."""
import json
import os
import re
import struct
import subprocess
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import read_archive
import zstandard
from conftest import ROOT

GOLDEN = sorted((ROOT / "fixtures" / "golden").glob("*/*"))
SHARDS = sorted((ROOT / "fixtures" / "golden").glob("*/*/dataset/*.h5"))
named = pytest.mark.parametrize("archive", GOLDEN, ids=lambda p: f"{p.parent.name}-{p.name}")
shards = pytest.mark.parametrize("path", SHARDS, ids=lambda p: "-".join(p.parts[-4:-2] + p.parts[-1:]))


def test_there_are_golden_archives():
    assert {p.parent.name for p in GOLDEN} == {"lz4", "zstd", "gzip", "none"}
    assert sum(f.stat().st_size for f in (ROOT / "fixtures" / "golden").rglob("*") if f.is_file()) < 500_000


@named
def test_reading(archive):
    """The second reader still reads what it read."""
    kept = json.loads((archive / "reading.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(read_archive.reading(str(archive / "dataset"))))
    assert found == kept


@shards
def test_index(path):
    """Header and chunk table agree with HDF5's own, and every checksum with the bytes."""
    found = read_archive.check_index(str(path))
    assert found["sections"] >= 8 and found["chunks"] >= 1


def lz4_block(block, size):
    """An LZ4 block, by doc/lz4_Block_format.md."""
    out, at = bytearray(), 0

    def length(nibble):
        nonlocal at
        total = nibble
        while nibble == 15:
            total, at = total + block[at], at + 1
            if block[at - 1] != 255:
                break
        return total

    while True:
        token, at = block[at], at + 1
        literals = length(token >> 4)
        out += block[at:at + literals]
        at += literals
        if at == len(block):
            assert len(out) == size
            return bytes(out)
        offset, at = int.from_bytes(block[at:at + 2], "little"), at + 2
        assert 1 <= offset <= len(out)
        for _ in range(length(token & 15) + 4):
            out.append(out[-offset])


def lz4_chunk(stored):
    """The raw bytes of a chunk with the codec lz4 (section 8)."""
    raw, size = struct.unpack_from(">QI", stored)
    out, at = b"", 12
    while len(out) < raw:
        count, size = struct.unpack_from(">I", stored, at)[0], min(size, raw - len(out))
        piece, at = stored[at + 4:at + 4 + count], at + 4 + count
        out += piece if count == size else lz4_block(piece, size)
    words = np.frombuffer(stored[:at] + bytes(at % 2), ">u2").tolist()
    first = second = 0
    for word in words:
        first = (first + word) % 65535
        second = (second + first) % 65535
    # Ones' complement sums: 0 and 65535 are the same.
    found = struct.unpack("<I", stored[at:])[0]
    assert (found & 0xFFFF) % 65535 == first and (found >> 16) % 65535 == second
    return out


def block_without_hdf5(data, schema, block, chunks):
    """A block's rows from the index alone (section 8), with zlib, zstandard and numpy."""
    dtype = read_archive.element(block["type"]).newbyteorder("<")
    rows = []
    for offset, stored, raw, mask, crc in chunks.tolist():
        part = data[offset:offset + stored]
        assert read_archive.crc32c(part) == crc
        shuffled = block["shuffle"] > 1
        codec = "none" if mask & (2 if shuffled else 1) else block["codec"]
        if codec == "gzip":
            part = zlib.decompress(part)
        elif codec == "zstd":
            part = zstandard.ZstdDecompressor().decompress(part)
        elif codec == "lz4":
            part = lz4_chunk(part)
        assert len(part) == raw
        if shuffled and not mask & 1:
            part = np.frombuffer(part, "u1").reshape(block["shuffle"], -1).T.tobytes()
        rows.append(np.frombuffer(part, dtype).reshape(block["chunk_rows"], *block["shape"]))
    whole = np.concatenate(rows) if rows else np.zeros((0, *block["shape"]), dtype)
    assert not whole[block["rows"]:].any(), "rows behind the last are not 0"
    return whole[:block["rows"]]


@shards
def test_hdf5_reads_equal_arrays(path):
    """Every block, inflated from the index without HDF5, equals what h5py reads, bit for bit."""
    data, shard = path.read_bytes(), read_archive.Shard(str(path))
    for block in shard.schema["blocks"]:
        first = block["first_chunk"]
        count = -(-block["rows"] // block["chunk_rows"])
        found = block_without_hdf5(data, shard.schema, block, shard.chunks[first:first + count])
        assert found.tobytes() == shard.file[block["path"]][:].tobytes(), block["path"]


@shards
def test_h5dump(path):
    """HDF5's own tool of another release opens the file; without codec or with gzip it reads all of it too."""
    done = subprocess.run(["h5dump", "-H", path], capture_output=True, text=True)
    assert done.returncode == 0 and '"chunks"' in done.stdout, done.stderr
    if not {"lz4", "zstd"} & set(path.parts):
        done = subprocess.run(["h5dump", path], capture_output=True, text=True)
        assert done.returncode == 0 and "unable" not in done.stderr, done.stderr


@named
def test_trajpack_agrees(archive, trajpack):
    """`trajpack verify` and `trajpack info` say what the second reader says."""
    folder = str(archive / "dataset")
    done = subprocess.run([trajpack, "verify", folder, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    info = json.loads(subprocess.run([trajpack, "info", folder, "--json"], capture_output=True, check=True).stdout)
    reading = read_archive.reading(folder)
    assert info["digest"] == reading["digest"] and info["complete"] is reading["complete"] is True
    episodes = [e for s in reading["shards"] for e in s["episodes"]]
    assert info["episodes"] == len(episodes) and info["shards"] == len(reading["shards"])
    streams = {}
    for episode in episodes:
        for track in episode["tracks"]:
            rows, tracks = streams.get(track["stream"], (0, 0))
            streams[track["stream"]] = rows + track["rows"], tracks + 1
    for stream in info["streams"]:
        assert (stream["rows"], stream["tracks"]) == streams.get(stream["name"], (0, 0))
    declared = {s["name"]: s for s in reading["shards"][0]["schema"]["streams"]}
    assert [s["name"] for s in info["streams"]] == list(declared)
    for stream in info["streams"]:
        mine = declared[stream["name"]]["channels"]
        for theirs, own in zip(stream["channels"], mine, strict=True):
            for member in ("name", "kind", "type", "shape", "units", "conventions"):
                assert theirs.get(member) == own.get(member), (stream["name"], own["name"])


def test_codec_changes_no_value(specimen, tmp_path):
    """The same data under every codec and cut gives the same reading."""
    readings = []
    for number, more in enumerate([(), ("--codec", "gzip"), ("--codec", "none"), ("--chunk-rows", "5"),
                                   ("--chunk-rows", "1", "--codec", "gzip"), ("--level", "12", "--jobs", "1"),
                                   ("--codec", "zstd", "--level", "19")]):
        out = str(tmp_path / str(number))
        subprocess.run([specimen, out, "--episodes", "3", "--rows", "40", *more], check=True, capture_output=True)
        for name in os.listdir(out):
            if name.endswith(".h5"):
                read_archive.check_index(os.path.join(out, name))
        readings.append([s["episodes"] for s in read_archive.reading(out)["shards"]])
    assert all(r == readings[0] for r in readings[1:])


def test_text_keeps_its_bytes(specimen, tmp_path):
    """Texts that Unicode calls equivalent stay the bytes that they were, though the index shares equal texts."""
    subprocess.run([specimen, tmp_path / "ds", "--episodes", "4"], check=True, capture_output=True)
    tracks = [t for e in read_archive.reading(str(tmp_path / "ds"))["shards"][0]["episodes"] for t in e["tracks"]]
    names = [t["metadata"]["name"] for t in tracks if t["stream"] == "log"]
    assert names == ["Zo\u00eb", "Zoe\u0308"] * 2


def test_the_reader_sees_damage(trajpack, tmp_path):
    """A bit that flips in the header, a section or a chunk is seen, by the second reader and by verify."""
    path = SHARDS[0]
    whole = path.read_bytes()
    chance = np.random.default_rng(1)
    shard = read_archive.Shard(str(path))
    extents = [(0, 4096)] + [(s["offset"], s["stored"]) for s in read_archive.header(whole)]
    extents += [tuple(row[:2]) for row in shard.chunks.tolist()]
    copy = tmp_path / "shard-000000.h5"
    for start, length in extents:
        at = int(chance.integers(start, start + length))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(chance.integers(8))
        copy.write_bytes(damaged)
        with pytest.raises((read_archive.Damaged, OSError, ValueError, KeyError)):
            read_archive.check_index(str(copy))
        done = subprocess.run([trajpack, "verify", copy], capture_output=True, text=True)
        assert done.returncode == 1, f"byte {at}"


def test_the_example_of_the_specification():
    """Section 15 of the specification shows the bytes that are there."""
    text = (ROOT / "schemas" / "archive-format.md").read_text(encoding="utf-8")
    path = ROOT / re.search(r"The header of `(fixtures/golden/[^`]+)`", text)[1]
    data = path.read_bytes()
    example = text[text.index("## 15."):]
    lines = re.findall(r"^ *(\d+)  ((?:[0-9a-f]{2} )+) ", example, re.MULTILINE)
    assert len(lines) == 19
    for offset, digits in lines:
        wanted = bytes.fromhex(digits)
        assert data[int(offset):int(offset) + len(wanted)] == wanted, f"byte {offset}"
    section = {read_archive.SECTIONS[s["id"]]: s for s in read_archive.header(data)}
    assert section["clocks"]["offset"] == 38311
    assert struct.unpack_from("<5q", data, 38311) == (0, 0, 1, 30, 1)
    shard = read_archive.Shard(str(path))
    assert shard.entities.tolist() == [[0, 0, 1], [1, 0, 3]]
    assert shard.tracks[3].tolist() == [0, 3, 0, 0, 0, 90, 0, 0, 0, 0]
    assert shard.schema["entity_kinds"] == ["npc", "weapon"]
    assert shard.schema["streams"][3]["name"] == "skeleton/npc"
    assert read_archive.crc32c(b"123456789") == 0xE3069283
