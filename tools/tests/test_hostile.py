"""Forgeries that once trapped, lied, or asked for the machine's memory: each number that a reader computes with.

Every checksum is right (tools/fuzz/mutate.py signs them); what must hold is a plain refusal, or an answer that is true.
"""
import json
import os
import struct
import sys
from pathlib import Path

import pytest
from test_fuzz import ROOT, convert, look, run

sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import mutate                                                                                    # noqa: E402

FORGERIES = {}


def forgery(function):
    FORGERIES[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def shard(trajpack, tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile")
    data = convert(trajpack, ROOT / "fixtures" / "wildworld", out / "ds", "--video", "link")
    (out / "good.h5").write_bytes(data)
    return data, out / "good.h5"


def channels(f):
    return [(s, c) for s in f.schema["streams"] for c in s["channels"]]


def statistics(f):
    return [list(row) for row in struct.iter_unpack("<11d", f.sections[8])]


def put_statistics(f, rows):
    f.sections[8] = b"".join(struct.pack("<11d", *row) for row in rows)
    f.sections[9] = bytes(len(rows) * 36)


@forgery
def entity_index_of_2_63(f):
    f.tables[5][0][1] = 2**63 - 1


@forgery
def entity_index_negative(f):
    f.tables[5][0][1] = -1


@forgery
def clock_that_lasts_for_ever(f):
    for row in f.tables[6]:
        row[3:5] = 1, 2**63 - 1


@forgery
def clock_that_starts_at_the_end(f):
    for row in f.tables[6]:
        row[1:3] = 2**63 - 1, 1


@forgery
def counts_that_add_up_to_more_than_64_bits(f):
    rows = statistics(f)
    for row in rows:
        row[4:7] = [2.0**62] * 3
    # Two splits of the same channels: their figures are added.
    f.schema["splits"] = ["a", "b"]
    put_statistics(f, [[s, *row[1:]] for s in (0, 1) for row in rows])


@forgery
def negative_counts(f):
    rows = statistics(f)
    for row in rows:
        row[5] = -1e18
    put_statistics(f, rows)


@forgery
def a_fourth_axis_in_the_statistics(f):
    rows = statistics(f)
    names = [[c["kind"] == "position" and c["shape"] == [3] for c in s["channels"]] for s in f.schema["streams"]]
    out = []
    for row in rows:
        out.append(row)
        if names[int(row[1])][int(row[2])] and row[3] == 2:
            out.append([*row[:3], 3.0, *row[4:]])
    assert len(out) > len(rows)
    put_statistics(f, out)


@forgery
def decimals_of_bytes(f):
    for stream, channel in channels(f):
        if channel["type"] == "bytes":
            channel["decimals"] = 99
            return
    raise AssertionError("no bytes channel")


@forgery
def categories_of_bytes(f):
    for stream, channel in channels(f):
        if channel["type"] == "bytes":
            channel["categories"] = ["a"]


@forgery
def a_layout_with_a_column_that_is_no_channel(f):
    for layout in f.schema["attributes"]["layouts"]:
        layout.append("camera.nothing")


@forgery
def a_stream_without_channels(f):
    f.schema["streams"][0]["channels"] = []


@forgery
def tracks_that_overlap(f):
    rows = [r for r in f.tables[4] if r[1] == 0]
    rows[-1][4] = 0


@forgery
def episodes_that_share_an_id(f):
    for row in f.tables[3]:
        row[0], row[1] = 0, len(f.sections[2])


@forgery
def chunks_in_one_place(f):
    biggest = max(f.tables[7], key=lambda r: r[1])
    for row in f.tables[7]:
        if row[2] == biggest[2]:
            row[:] = biggest


@forgery
def a_section_at_the_far_end(f):
    f.body += bytes(64 << 20)
    f.fields[(2, 2)] = 4096


@forgery
def a_row_of_3_5_gigabytes(f):
    """A text column whose one row is said to be 3.5 GiB, in a blob of chunks that inflate from nothing."""
    for number, stream in enumerate(f.schema["streams"]):
        if stream["name"] == "rgb":
            break
    block = f.schema["blocks"][stream["blob"]]
    stream["channels"][0]["kind"] = "text"
    count = 56
    zeros = mutate.zstandard.ZstdCompressor().compress(bytes(64 << 20))
    first = block["first_chunk"]
    old = -(-block["rows"] // block["chunk_rows"])
    block.update(chunk_rows=64 << 20, codec="zstd", rows=count << 26)
    crc = mutate.crc32c(zeros)
    at = len(f.body)
    f.body += zeros * count
    f.tables[7][first:first + old] = [[at + i * len(zeros), len(zeros), 64 << 20, 0, crc] for i in range(count)]
    for other in f.schema["blocks"]:
        if other["first_chunk"] > first or (other["first_chunk"] == first and other is not block and old == 0
                                            and f.schema["blocks"].index(other) > f.schema["blocks"].index(block)):
            other["first_chunk"] += count - old
    track = [t for t in f.tables[4] if t[1] == number][0]
    track[8:10] = 0, count << 26
    track[6:8] = 0, 0       # no digest, so that diff looks at the row and not at the file
    packets = [b for b in f.schema["blocks"] if b["stream"] == number and b["type"] == "int64"][0]
    row = struct.pack("<qqqqq", 0, count << 26, 0, 0, 0)[:8 * (packets["shape"] or [1])[0]]
    raw = row * packets["chunk_rows"]
    f.chunk(packets["first_chunk"] + (count - old if packets["first_chunk"] > first else 0), raw, mask=0b11)


def meta(**members):
    def change(f):
        for row in f.tables[3]:
            text = f.sections[2]
            value = json.loads(text[row[2]:row[2] + row[3]])
            value.update(members)
            new = json.dumps(value).encode()
            row[2], row[3] = len(text), len(new)
            f.sections[2] = text + new
    return change


FORGERIES |= {
    "frames_of_2_62": meta(frames=2**62), "frames_of_2_63": meta(frames=2**63 - 1), "no_frames": meta(frames=0),
    "negative_frames": meta(frames=-5), "rate_of_zero": meta(rate="0"), "negative_rate": meta(rate="-30"),
    "rate_of_2_63": meta(rate="9223372036854775807/1"), "tiny_rate": meta(rate="1/9223372036854775807"),
    "layout_out_of_range": meta(layout=9), "negative_layout": meta(layout=-1),
    "joints_of_2_40": meta(skeleton=[{"key": "n0_1", "joints": 2**40}]),
    "joints_of_2_20": meta(skeleton=[{"key": "n0_1", "joints": 2**20}]),
    "a_key_that_is_a_path": meta(skeleton=[{"key": "../../n0_1", "joints": 21}]),
    "key_of_an_entity_without_end": meta(skeleton=[{"key": "n99999999999999999999_1", "joints": 21}]),
}

REFUSED = {
    "entity_index_of_2_63", "entity_index_negative", "negative_counts", "a_fourth_axis_in_the_statistics",
    "decimals_of_bytes", "categories_of_bytes", "tracks_that_overlap", "episodes_that_share_an_id",
    "a_section_at_the_far_end"}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_forgery(trajpack, shard, tmp_path, name):
    data, good = shard
    parts = mutate.Forgery(data)
    FORGERIES[name](parts)
    mutant = tmp_path / "mutant.h5"
    mutant.write_bytes(parts.bytes())
    # A text is only compared with a text: this one with itself.
    other = mutant if name == "a_row_of_3_5_gigabytes" else good
    done, fault = look(trajpack, mutant, other, tmp_path)
    assert fault is None, fault
    if name == "a_row_of_3_5_gigabytes":
        assert done[-1].returncode == 1 and "more than a row may have" in done[-1].stderr
    if name in REFUSED:
        assert done[0].returncode == 1 and "damaged" in done[0].stderr, done[0].stderr
        assert done[1].returncode == 1, done[1].stdout


def test_a_sparse_file_of_a_terabyte(trajpack, shard, tmp_path):
    """The sections lie a terabyte apart: nothing is allocated for what lies between."""
    parts = mutate.Forgery(shard[0])
    parts.fields["length"] = 1 << 40
    parts.fields[(4, 2)] = (1 << 40) - 1024
    parts.fields[(4, 3)] = 1024
    path = tmp_path / "sparse.h5"
    path.write_bytes(parts.bytes())
    os.truncate(path, 1 << 40)
    for words in (("verify", path), ("info", path)):
        done = run(trajpack, *words)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("change", [
    {"bytes": 2**63 - 1}, {"bytes": -1}, {"episodes": 2**63 - 1}, {"rows": 2**62}, {"name": "../shard-000000.h5"},
    {"name": "shard-\0.h5"}, {"sha256": ""}, {"name": "shard-a/b.h5"}])
def test_manifest(trajpack, tmp_path, change):
    """A manifest with a right digest that lists the shard twice, and with a strange number or name."""
    convert(trajpack, ROOT / "fixtures" / "wildworld", tmp_path / "ds", "--video", "drop")
    path = tmp_path / "ds" / "manifest.json"
    good = json.loads(path.read_text())
    import hashlib
    for shards in ([{**good["shards"][0], **change}], [{**good["shards"][0], **change}] * 3):
        bad = {**good, "shards": shards}
        lines = "".join(f"{s['name']} {s['sha256']}\n" for s in shards)
        bad["digest"] = hashlib.sha256(lines.encode()).hexdigest()
        path.write_text(json.dumps(bad))
        for words in (("verify", tmp_path / "ds"), ("info", tmp_path / "ds"), (
                "convert", ROOT / "fixtures" / "wildworld", tmp_path / "ds", "--video", "drop", "--resume")):
            done = run(trajpack, *words)
            assert done.returncode in (1, 2) or (words[0] == "info" and done.returncode == 0) or (
                words[0] == "convert" and len(shards) == 1 and done.returncode == 0), (words, done.returncode, done.stderr)
            assert "Fatal" not in done.stderr


def test_two_episodes_of_one_id_are_the_datas_fault(trajpack, shard, tmp_path):
    parts = mutate.Forgery(shard[0])
    shortest = min(parts.tables[3], key=lambda row: row[1])
    for row in parts.tables[3]:
        row[0:2] = shortest[0:2]
    (tmp_path / "twice.h5").write_bytes(parts.bytes())
    done = run(trajpack, "export", tmp_path / "twice.h5", tmp_path / "out", "--to", "wildworld")
    assert done.returncode == 1 and "two episodes" in done.stderr, done.stderr
