"""validate --hdf5 and verify --hdf5: what h5py reads of a shard is what trajpack reads, and where it is not, that is found.

Either side is changed in place, with its own checksums made anew, so that each of the two readers alone sees nothing wrong.
"""
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest
import read_archive

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

from mutate import HEADER, SECTION, SECTION_AT, crc32c                                            # noqa: E402


def run(trajpack, *words):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1, 2), done
    return done


def differences(trajpack, path):
    """The sentences of the rule container.hdf5 on a shard or dataset."""
    done = run(trajpack, "validate", path, "--hdf5", "--select", "container", "--json")
    report = json.loads(done.stdout)
    found = [place["note"] for f in report["findings"] if f["rule"] == "container.hdf5" for place in f["places"]]
    assert not any("HDF5" in text for text in report["datasets"][0]["unchecked"])
    others = [f["rule"] for f in report["findings"] if f["rule"] != "container.hdf5"]
    assert done.returncode == (1 if found or others else 0)
    verified = run(trajpack, "verify", path, "--hdf5")
    assert (verified.returncode == 1) == bool(found or others), verified
    return found, others


def lookup3(data):
    """HDF5's checksum of metadata: Jenkins' lookup3, with 0 as its beginning."""
    mask = 0xFFFFFFFF

    def rot(x, k):
        return (x << k | x >> 32 - k) & mask
    a = b = c = 0xDEADBEEF + len(data) & mask
    at = 0
    while len(data) - at > 12:
        x, y, z = struct.unpack_from("<III", data, at)
        a, b, c = a + x & mask, b + y & mask, c + z & mask
        a = (a - c & mask) ^ rot(c, 4); c = c + b & mask                                          # noqa: E702
        b = (b - a & mask) ^ rot(a, 6); a = a + c & mask                                          # noqa: E702
        c = (c - b & mask) ^ rot(b, 8); b = b + a & mask                                          # noqa: E702
        a = (a - c & mask) ^ rot(c, 16); c = c + b & mask                                         # noqa: E702
        b = (b - a & mask) ^ rot(a, 19); a = a + c & mask                                         # noqa: E702
        c = (c - b & mask) ^ rot(b, 4); b = b + a & mask                                          # noqa: E702
        at += 12
    if at == len(data):
        return c
    x, y, z = struct.unpack("<III", data[at:].ljust(12, b"\0"))
    a, b, c = a + x & mask, b + y & mask, c + z & mask
    c = (c ^ b) - rot(b, 14) & mask
    a = (a ^ c) - rot(c, 11) & mask
    b = (b ^ a) - rot(a, 25) & mask
    c = (c ^ b) - rot(b, 16) & mask
    a = (a ^ c) - rot(c, 4) & mask
    b = (b ^ a) - rot(a, 14) & mask
    return (c ^ b) - rot(b, 24) & mask


def block_end(data, start, most=4096):
    """Where a block of HDF5's metadata has its checksum, by trying."""
    for end in range(start + 8, min(start + most, len(data) - 4)):
        if struct.unpack_from("<I", data, end)[0] == lookup3(bytes(data[start:end])):
            return end
    raise AssertionError("no block with a checksum")


def changed(data, start, change):
    """A copy in which `change` was done to a block of metadata, its checksum made anew."""
    out = bytearray(data)
    end = block_end(data, start)
    block = bytearray(out[start:end])
    change(block)
    assert len(block) == end - start and bytes(block) != bytes(data[start:end])
    out[start:end] = block
    struct.pack_into("<I", out, end, lookup3(bytes(block)))
    return bytes(out)


SHARDS = sorted((ROOT / "fixtures/golden").glob("*/*/dataset/shard-000000.h5"))


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A shard without a codec: what libhdf5 reads of it needs no filter."""
    path = tmp_path_factory.mktemp("shard") / "shard-000000.h5"
    shutil.copy(ROOT / "fixtures/golden/none/specimen/dataset/shard-000000.h5", path)
    return path


def blocks(path):
    """The blocks of a shard that have several chunks: path, HDF5's place of the object, numbers of its chunks."""
    shard = read_archive.Shard(str(path))
    with h5py.File(path) as file:
        out = []
        for block in shard.schema["blocks"]:
            count = -(-block["rows"] // block["chunk_rows"])
            address = h5py.h5o.get_info(file[block["path"]].id).addr
            out.append((block, address, range(block["first_chunk"], block["first_chunk"] + count)))
    return out


@pytest.mark.parametrize("path", SHARDS, ids=lambda p: "-".join(p.parts[-4:-2]))
def test_good_shards_agree(trajpack, path, tmp_path):
    shutil.copytree(path.parent, tmp_path / "ds")
    assert differences(trajpack, tmp_path / "ds") == ([], [])
    assert "HDF5's programs read" in run(trajpack, "verify", tmp_path / "ds", "--hdf5").stdout


def test_new_shards_agree(trajpack, recordings, tmp_path):
    """Of every codec, chunk size, and what Python appends."""
    import trajpack as library
    for n, words in enumerate([("--codec", c, "--chunk-rows", r) for c in ("none", "gzip", "zstd", "lz4") for r in ("3", "4096")]):
        run(trajpack, "convert", recordings, tmp_path / f"{n}", "-q", *words)
        assert differences(trajpack, tmp_path / f"{n}") == ([], []), words
    with library.create(tmp_path / "written", rate=30) as writer:
        for n in range(20):
            writer.append(f"e{n}", x=np.random.default_rng(n).normal(size=(50, 3)), name=["a", "bc"] * 25)
    assert differences(trajpack, tmp_path / "written") == ([], [])
    run(trajpack, "convert", ROOT / "fixtures/wildworld", tmp_path / "films", "-q")
    assert differences(trajpack, tmp_path / "films") == ([], [])


def test_without_it_the_report_says_so(trajpack, shard, recordings):
    report = json.loads(run(trajpack, "validate", shard, "--json").stdout)["datasets"][0]
    assert any("--hdf5" in text for text in report["unchecked"])
    assert "not checked: whether HDF5's own structures agree" in run(trajpack, "validate", shard).stdout
    ignored = json.loads(run(trajpack, "validate", shard, "--json", "--ignore", "container.hdf5").stdout)["datasets"][0]
    assert not any("--hdf5" in text for text in ignored["unchecked"])
    refused = run(trajpack, "validate", recordings, "--hdf5")
    assert refused.returncode == 2 and "--hdf5 is for datasets" in refused.stderr


def objects(path):
    return [(block, address) for block, address, chunks in blocks(path) if len(chunks) >= 1 and block["rows"] > 1]


@pytest.mark.parametrize("kind", ["shape", "type", "damage"])
def test_an_object_header_that_was_changed(trajpack, shard, tmp_path, kind):
    """HDF5 is told another number of rows, or another type; or its header is damaged. trajpack reads as before."""
    data = shard.read_bytes()
    path = tmp_path / "shard-000000.h5"
    block, address = objects(shard)[0]
    start = HEADER + address
    assert data[start:start + 4] == b"OHDR"

    def change(header):
        if kind == "shape":
            at = header.index(struct.pack("<Q", block["rows"]))
            struct.pack_into("<Q", header, at, block["rows"] - 1)
        else:
            size = np.dtype("u1" if block["type"] == "bool" else block["type"]).itemsize
            # A datatype message: class and version, three bytes of bits, the size.
            at = next(i for i in range(len(header) - 8) if header[i] >> 4 in (1, 3) and header[i] & 15 in (0, 1)
                      and struct.unpack_from("<I", header, i + 4)[0] == size)
            header[at + 1] ^= 8 if header[at] & 15 == 0 else 1    # the sign of integers, the order of floats

    if kind == "damage":
        spoilt = bytearray(data)
        spoilt[start + 20] ^= 255
        path.write_bytes(bytes(spoilt))
    else:
        path.write_bytes(changed(data, start, change))
    found, others = differences(trajpack, path)
    assert found and not others, kind
    assert block["path"] in " ".join(found) or kind == "damage"
    # trajpack alone sees nothing, and reads the values that it read before.
    assert run(trajpack, "verify", path).returncode == 0
    assert run(trajpack, "diff", path, shard).returncode == 0


def test_chunks_that_lie_elsewhere_for_hdf5(trajpack, recordings, tmp_path):
    """Two chunks of a dataset change their places in HDF5's own table."""
    run(trajpack, "convert", recordings, tmp_path / "ds", "-q", "--codec", "none", "--chunk-rows", "5")
    shard = tmp_path / "ds" / "shard-000000.h5"
    data = shard.read_bytes()
    places = read_archive.Shard(str(shard)).chunks
    block, _, chunks = next(b for b in blocks(shard) if len(b[2]) >= 2)
    first, second = (int(places[c][0]) - HEADER for c in list(chunks)[:2])
    a, b = struct.pack("<Q", first), struct.pack("<Q", second)
    at = data.index(a + b)
    start = data.rindex(b"EAIB", 0, at)

    def swap(table):
        table[at - start:at - start + 16] = b + a
    path = tmp_path / "swapped.h5"
    path.write_bytes(changed(data, start, swap))
    found, others = differences(trajpack, path)
    assert found and not others and block["path"] in found[0] and "chunk 0" in found[0], found
    assert run(trajpack, "diff", path, shard).returncode == 0


def test_an_index_that_was_changed(trajpack, recordings, tmp_path):
    """Two rows of trajpack's own chunk table change their places, with all checksums made anew; HDF5 is as it was."""
    run(trajpack, "convert", recordings, tmp_path / "ds", "-q", "--codec", "none", "--chunk-rows", "5")
    shard = tmp_path / "ds" / "shard-000000.h5"
    data = bytearray(shard.read_bytes())
    places = read_archive.Shard(str(shard)).chunks

    def stored(chunk):
        return data[int(places[chunk][0]):int(places[chunk][0]) + int(places[chunk][1])]
    block, _, chunks = next(b for b in blocks(shard) if len(b[2]) >= 3 and stored(b[2][0]) != stored(b[2][1]))
    (count,) = struct.unpack_from("<I", data, 32)
    for i in range(count):
        entry = SECTION_AT + i * SECTION.size
        ident, codec, at, size, _, _ = SECTION.unpack_from(data, entry)
        if ident == 7:
            assert codec == 0
            x, y = (slice(at + 40 * c, at + 40 * c + 40) for c in list(chunks)[:2])
            data[x], data[y] = data[y], data[x]
            struct.pack_into("<I", data, entry + 32, crc32c(data[at:at + size]))
    struct.pack_into("<I", data, HEADER - 4, crc32c(data[:HEADER - 4]))
    path = tmp_path / "swapped.h5"
    path.write_bytes(bytes(data))
    found, others = differences(trajpack, path)
    assert found and "container.statistics" not in others and block["path"] in " ".join(found), (found, others)
    # Neither reader alone sees that something is wrong, and they read other values.
    assert run(trajpack, "verify", path).returncode == 0
    assert run(trajpack, "diff", path, shard).returncode == 1


def test_objects_that_the_index_does_not_have(trajpack, shard, tmp_path):
    """A dataset more in HDF5 alone: such a file is longer, so its header must be made to say so."""
    path = tmp_path / "more.h5"
    shutil.copy(shard, path)
    with h5py.File(path, "r+") as file:
        file["streams/extra"] = np.arange(5)
        file["streams/link"] = h5py.SoftLink("/index")
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 24, len(data))
    struct.pack_into("<I", data, HEADER - 4, crc32c(data[:HEADER - 4]))
    path.write_bytes(bytes(data))
    found, _ = differences(trajpack, path)
    assert any("/streams/extra" in text for text in found) and any("/streams/link" in text for text in found)


def test_another_hdf5_file_in_the_header(trajpack, shard, tmp_path):
    """HDF5 looks for its signature at 0, 512, 1024, ...: one in the header's line of text makes it read another file."""
    inner = tmp_path / "inner.h5"
    with h5py.File(inner, "w", libver="latest") as file:
        file["x"] = np.arange(3)
    data = bytearray(shard.read_bytes())
    # The superblock alone; what it points to lies elsewhere in this file, or nowhere.
    data[2048:2048 + 48] = inner.read_bytes()[:48]
    struct.pack_into("<I", data, HEADER - 4, crc32c(data[:HEADER - 4]))
    path = tmp_path / "two.h5"
    path.write_bytes(bytes(data))
    found, _ = differences(trajpack, path)
    assert found
    assert run(trajpack, "verify", path).returncode == 0
