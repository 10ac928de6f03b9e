"""Archives from strangers: an index that was changed and signed again never crashes the program, and no wrong
rule of the specification passes.

A checksum only shows accidents. Here numbers of the tables and members of the schema are replaced and every
checksum is made right again, so that what is left is what the reader checks by itself.
"""
import copy
import json
import os
import random
import struct
import subprocess
import zlib

import numpy as np
import pytest
import read_archive
import zstandard
from conftest import ROOT

GOLDEN = ROOT / "fixtures" / "golden"
BASES = [GOLDEN / "zstd/specimen/dataset/shard-000000.h5", GOLDEN / "gzip/specimen/dataset/shard-000000.h5",
         GOLDEN / "gzip/series/dataset/shard-000000.h5", GOLDEN / "lz4/specimen/dataset/shard-000000.h5"]
TRIALS = 400 if os.environ.get("TRAJPACK_CRASH") == "full" else 30
NUMBERS = [-2**63, -2**31, -2, -1, 0, 1, 2, 3, 7, 40, 4095, 4096, 2**31, 2**32, 2**40, 2**48, 2**62, 2**63 - 1]
NAMES = {name: number for number, name in read_archive.SECTIONS.items()}


def sections_of(data):
    """{name: raw bytes} of a shard."""
    out = {}
    for s in read_archive.header(data):
        part = data[s["offset"]:s["offset"] + s["stored"]]
        out[read_archive.SECTIONS[s["id"]]] = [bytes, zlib.decompress, zstandard.ZstdDecompressor().decompress][
            s["codec"]](part)
    return out


def signed(data, sections, **header):
    """The shard with these sections instead, appended and signed; `header` overrides fields of the header."""
    body, entries = bytearray(data), []
    for name, raw in sections.items():
        entries.append(struct.pack("<IIQQQII", NAMES.get(name, name), 0, len(body), len(raw), len(raw),
                                   read_archive.crc32c(raw), 0))
        body += raw
    head = bytearray(body[:4092])
    features, = struct.unpack_from("<Q", data, 16)
    struct.pack_into("<HHIQQI", head, 8, header.get("major", 1), header.get("minor", 0), 4096,
                     header.get("features", features), header.get("length", len(body)),
                     header.get("count", len(entries)))
    head[64:64 + 1600] = b"".join(entries).ljust(1600, b"\0")
    return bytes(head) + struct.pack("<I", read_archive.crc32c(bytes(head))) + bytes(body[4096:])


def verdict(trajpack, path, data):
    """The exit code of verify, and its sentence; anything but 0 and 1 is a failure of the program."""
    path.write_bytes(data)
    codes = []
    for command in ("info", "verify"):
        done = subprocess.run([trajpack, command, path], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), f"{command}: exit code {done.returncode}: {done.stderr[:500]}"
        codes.append(done.returncode)
    return max(codes), done.stderr


@pytest.mark.parametrize("base", BASES[:1] + BASES[-1:], ids=lambda p: p.parts[-4])
def test_chunks_within_chunks(trajpack, tmp_path, base):
    """The last chunk to begin ends before another does: nobody reads past what was read."""
    data = base.read_bytes()
    sections = sections_of(data)
    rows = np.frombuffer(sections["chunks"], "<i8").reshape(-1, 5).copy()
    rows[rows[:, 1].argmin(), 0] = rows[:, 0].max() + 1
    path = tmp_path / "shard-000000.h5"
    path.write_bytes(signed(data, {**sections, "chunks": rows.tobytes()}))
    for command in ("bench", "verify", "info"):
        done = subprocess.run([trajpack, command, path], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), f"{command}: exit code {done.returncode}: {done.stderr[:500]}"


def test_signing(trajpack, tmp_path):
    """An unchanged index that is signed again is good: the changes below are what is refused."""
    for base in BASES:
        data = base.read_bytes()
        assert verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, sections_of(data)))[0] == 0


@pytest.mark.parametrize("base", BASES, ids=lambda p: "-".join(p.parts[-4:-2]))
def test_tables(trajpack, tmp_path, base):
    """One number of a table replaced."""
    data, chance, refused = base.read_bytes(), random.Random(base.parts[-4]), 0
    sections = sections_of(data)
    trials = TRIALS
    for _ in range(trials):
        changed = dict(sections)
        name = chance.choice(list(read_archive.COLUMNS))
        if not changed.get(name):
            continue
        table = bytearray(changed[name])
        at = chance.randrange(len(table) // 8) * 8
        struct.pack_into("<q", table, at, chance.choice([*NUMBERS, chance.randrange(-2**63, 2**63)]))
        changed[name] = bytes(table)
        refused += verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, changed))[0]
    assert refused > trials // 4


def test_statistics(trajpack, tmp_path):
    """Figures of the statistics replaced by anything: they are shown or refused, never trusted."""
    data, chance = BASES[0].read_bytes(), random.Random(5)
    sections = sections_of(data)
    for _ in range(TRIALS):
        changed = dict(sections)
        name = chance.choice(["statistics", "quantiles"])
        size, form = (8, "<d") if name == "statistics" else (4, "<f")
        table = bytearray(changed[name])
        for _ in range(chance.choice([1, 1, 3, 200])):
            at = chance.randrange(len(table) // size) * size
            struct.pack_into(form, table, at, chance.choice(
                [float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 0.5, 1.0, 3.0, 9e18, -9e18, 1e30, -1e30]))
        changed[name] = bytes(table[:len(table) - chance.choice([0, 0, 0, 1, size])])
        verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, changed))


@pytest.mark.parametrize("figure", [9e18, -1.0, 0.5, float("nan")])
def test_counts(trajpack, tmp_path, figure):
    """Counts of the statistics that would overflow when they are added, or are none."""
    data = BASES[0].read_bytes()
    sections = sections_of(data)
    table = bytearray(sections["statistics"])
    for row in range(len(table) // 88):
        struct.pack_into("<3d", table, row * 88 + 32, figure, figure, figure)
    code, _ = verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, {**sections, "statistics": bytes(table)}))
    assert code == (figure != 9e18)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    for key, inner in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        yield from places(inner, (*path, key))


@pytest.mark.parametrize("base", BASES, ids=lambda p: "-".join(p.parts[-4:-2]))
def test_schemas(trajpack, tmp_path, base):
    """One member of the schema replaced or taken away."""
    data, chance, refused = base.read_bytes(), random.Random(base.parts[-4]), 0
    sections = sections_of(data)
    schema = json.loads(sections["schema"])
    spots = [p for p in places(schema) if p and "attributes" not in p]
    trials = TRIALS
    for _ in range(trials):
        changed = copy.deepcopy(schema)
        *path, last = chance.choice(spots)
        inner = changed
        for key in path:
            inner = inner[key]
        if chance.random() < 0.2:
            del inner[last]
        else:
            inner[last] = chance.choice([*NUMBERS, None, True, "", "x", [], {}, [0], [2**40, 2**40], 1e300, "bytes",
                                         "int64", "float32", "sentinel"])
        text = json.dumps(changed).encode()
        refused += verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, {**sections, "schema": text}))[0]
    assert refused > trials // 4


def broken(change):
    """A shard with one rule of the specification broken; `change` is given tables and schema."""
    data = BASES[0].read_bytes()
    sections = sections_of(data)
    tables = {n: [list(struct.unpack_from(f"<{c}q", sections[n], i * c * 8)) for i in range(len(sections[n]) // (c * 8))]
              for n, c in read_archive.COLUMNS.items()}
    schema = json.loads(sections["schema"])
    change(tables, schema)
    for name, rows in tables.items():
        sections[name] = b"".join(struct.pack(f"<{len(row)}q", *row) for row in rows)
    sections["schema"] = json.dumps(schema).encode()
    return signed(data, sections)


RULES = {
    "text outside": lambda t, s: t["episodes"][0].__setitem__(1, 10**6),
    "unknown split": lambda t, s: t["episodes"][0].__setitem__(4, 9),
    "tracks out of place": lambda t, s: t["episodes"][0].__setitem__(5, 1),
    "tracks left over": lambda t, s: t["episodes"][0].__setitem__(6, 1),
    "unknown episode": lambda t, s: t["tracks"][0].__setitem__(0, 1),
    "unknown stream": lambda t, s: t["tracks"][0].__setitem__(1, 99),
    "unknown entity": lambda t, s: t["tracks"][0].__setitem__(2, 99),
    "unknown clock": lambda t, s: t["tracks"][0].__setitem__(3, 99),
    "rows outside": lambda t, s: t["tracks"][0].__setitem__(5, 10**6),
    "bytes outside": lambda t, s: t["tracks"][0].__setitem__(9, 10**6),
    "rows that two tracks share": lambda t, s: t["tracks"][2].__setitem__(4, 0),
    "rows of no track": lambda t, s: t["tracks"][1].__setitem__(5, t["tracks"][1][5] - 1),
    "chunks that share bytes": lambda t, s: [c.__setitem__(slice(0, 5), t["chunks"][0]) for c in t["chunks"]],
    "unknown kind of entity": lambda t, s: t["entities"][0].__setitem__(0, 9),
    "clock with denominator 0": lambda t, s: t["clocks"][0].__setitem__(2, 0),
    "clock with rate 0": lambda t, s: t["clocks"][0].__setitem__(3, 0),
    "clock of an unknown sort": lambda t, s: t["clocks"][0].__setitem__(0, 3),
    "clock of times without a channel": lambda t, s: t["clocks"][0].__setitem__(0, 2),
    "chunk outside": lambda t, s: t["chunks"][0].__setitem__(0, 2**40),
    "chunk in the header": lambda t, s: t["chunks"][0].__setitem__(0, 100),
    "chunk of another size": lambda t, s: t["chunks"][0].__setitem__(2, t["chunks"][0][2] + 1),
    "a chunk too many": lambda t, s: t["chunks"].append(t["chunks"][0]),
    "block of no stream": lambda t, s: s["blocks"][0].update(stream=99),
    "chunk over 64 MiB": lambda t, s: s["blocks"][0].update(chunk_rows=2**25),
    "rank 9": lambda t, s: s["blocks"][0].update(shape=[1] * 9),
    "rows over 2^48": lambda t, s: s["blocks"][0].update(rows=2**49),
    "shuffle of another size": lambda t, s: s["blocks"][0].update(shuffle=3),
    "blocks of a stream that differ in rows": lambda t, s: s["blocks"][0].update(rows=s["blocks"][0]["rows"] - 1),
    "channel outside its block": lambda t, s: s["streams"][0]["channels"][0].update(column=99),
    "stored type that does not fit": lambda t, s: s["streams"][0]["channels"][4].update(type="int8"),
    "decimals over 22": lambda t, s: s["streams"][0]["channels"][0].update(decimals=23),
    "a name twice": lambda t, s: s["streams"][1].update(name=s["streams"][0]["name"]),
    "unknown skeleton": lambda t, s: s["streams"][1].update(skeleton="none"),
    "unknown kind": lambda t, s: s["streams"][0]["channels"][0].update(kind="smell"),
    "unknown type": lambda t, s: s["streams"][0]["channels"][0].update(type="float16"),
    "unknown codec": lambda t, s: s["blocks"][0].update(codec="lzma"),
    "unknown mark of absence": lambda t, s: s["streams"][0]["channels"][0].update(missing="zero"),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(trajpack, tmp_path, rule):
    """Each rule of sections 5 to 8 and 13, broken alone, is refused with a sentence."""
    code, said = verdict(trajpack, tmp_path / "shard-000000.h5", broken(RULES[rule]))
    assert code == 1 and said.count("\n") == 1 and "damaged" in said, said


@pytest.mark.parametrize("header, code", [
    ({}, 0), ({"minor": 7}, 0), ({"major": 2}, 1), ({"features": 1}, 0), ({"features": 3}, 0), ({"features": 4}, 1),
    ({"features": 2**63}, 1), ({"length": 9999}, 1), ({"count": 41}, 1)])
def test_versions(trajpack, tmp_path, header, code):
    """Section 14: a higher minor version is read, another major version or an unknown feature refused."""
    data = BASES[0].read_bytes()
    assert verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, sections_of(data), **header))[0] == code


def test_what_is_new_is_skipped(trajpack, tmp_path):
    """Section 14: unknown sections and unknown members of JSON objects do not keep a reader from reading."""
    data = BASES[0].read_bytes()
    sections = sections_of(data)
    schema = json.loads(sections["schema"])
    for part in (schema, schema["streams"][0], schema["streams"][0]["channels"][0], schema["blocks"][0]):
        part["new"] = {"deep": [1, 2]}
    newer = {**sections, "schema": json.dumps(schema).encode(), 77: b"something"}
    assert verdict(trajpack, tmp_path / "shard-000000.h5", signed(data, newer, minor=1))[0] == 0
