"""Spoils a shard the way chance and the way an attacker does.

`damage` flips bits, overwrites and cuts: every checksum stays as it was. `forge` changes numbers of the header, tables,
schema, statistics or chunks and computes every checksum anew, so that only the reader's own checks stand between the
number and the machine. Both are functions of the bytes and a `random.Random`; the same seed gives the same mutant.
"""
import copy
import json
import struct

import zstandard

HEADER, SECTION_AT, SECTION = 4096, 64, struct.Struct("<IIQQQI4x")
NAMES = {1: "schema", 2: "text", 3: "episodes", 4: "tracks", 5: "entities", 6: "clocks", 7: "chunks",
         8: "statistics", 9: "quantiles"}
TABLES = {3: 7, 4: 10, 5: 3, 6: 5, 7: 5}
NUMBERS = [0, 1, 2, 3, 7, 8, 22, 23, 99, 255, 4095, 4096, 65536, 2**26, 2**31 - 1, 2**31, 2**32, 2**40, 2**47, 2**48,
           2**53, 2**62, 2**63 - 1, -1, -2, -4, -2**31, -2**62, -2**63 + 1, -2**63]

_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = _i >> 1 ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[crc & 255 ^ byte] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def signed(value):
    return (value + 2**63) % 2**64 - 2**63


class Forgery:
    """A shard taken apart: `sections` are {id: raw bytes}, `tables` lists of rows, `schema` a JSON value."""

    def __init__(self, data):
        self.body = bytearray(data)
        self.sections = {}
        (count,) = struct.unpack_from("<I", data, 32)
        for i in range(count):
            ident, codec, at, stored, raw, _ = SECTION.unpack_from(data, SECTION_AT + i * SECTION.size)
            part = data[at:at + stored]
            self.sections[ident] = zstandard.decompress(part, raw) if codec == 2 else part
            assert codec in (0, 2) and len(self.sections[ident]) == raw
        self.tables = {
            ident: [list(row) for row in struct.iter_unpack(f"<{columns}q", self.sections[ident])]
            for ident, columns in TABLES.items() if ident in self.sections}
        self.schema = json.loads(self.sections[1])
        self.fields = {}        # what of the header is to be other than true: {name: value}
        self.codecs = {}
        self.raw = None         # the text of the schema, where it is to be no JSON

    def chunk(self, row, payload, raw=None, mask=None):
        """Puts the stored bytes of a chunk at the end of the file, and its place and checksum into the table."""
        entry = self.tables[7][row]
        at = len(self.body)
        self.body += payload
        entry[0], entry[1], entry[4] = at, len(payload), crc32c(payload)
        if raw is not None:
            entry[2] = raw
        if mask is not None:
            entry[3] = mask

    def bytes(self):
        out = bytearray(self.body)
        sections = dict(self.sections)
        sections[1] = self.raw if self.raw is not None else json.dumps(self.schema, separators=(",", ":")).encode()
        for ident, rows in self.tables.items():
            sections[ident] = b"".join(struct.pack(f"<{len(r)}q", *map(signed, r)) for r in rows)
        entries = []
        for ident, raw in sections.items():
            entries.append([ident, self.codecs.get(ident, 0), len(out), len(raw), len(raw), crc32c(raw)])
            out += raw
        for name, value in self.fields.items():
            if isinstance(name, tuple):
                entries[name[0] % len(entries)][name[1]] = value
        head = bytearray(HEADER)
        head[:HEADER] = out[:HEADER]
        head[SECTION_AT:2048] = bytes(2048 - SECTION_AT)
        for i, (ident, codec, at, stored, raw, crc) in enumerate(entries):
            SECTION.pack_into(head, SECTION_AT + i * SECTION.size, ident % 2**32, codec % 2**32, at % 2**64,
                              stored % 2**64, raw % 2**64, crc % 2**32)
        struct.pack_into("<Q", head, 24, self.fields.get("length", len(out)) % 2**64)
        struct.pack_into("<I", head, 32, self.fields.get("count", len(entries)) % 2**32)
        if "version" in self.fields:
            struct.pack_into("<HH", head, 8, *self.fields["version"])
        if "features" in self.fields:
            struct.pack_into("<Q", head, 16, self.fields["features"])
        struct.pack_into("<I", head, HEADER - 4, crc32c(head[:HEADER - 4]))
        out[:HEADER] = head
        return bytes(out)


def damage(data, random):
    """A copy with a flipped bit, an overwritten stretch, a hole of zeros, a swap, a cut or a tail; and what was done."""
    out = bytearray(data)
    at = random.randrange(len(out)) if random.random() < 0.7 else random.randrange(min(HEADER, len(out)))
    kind = random.choice(["flip", "flip", "flip", "overwrite", "zeros", "swap", "cut", "tail"])
    if kind == "flip":
        out[at] ^= 1 << random.randrange(8)
    elif kind == "overwrite":
        size = random.randrange(1, 64)
        out[at:at + size] = random.randbytes(len(out[at:at + size]))
    elif kind == "zeros":
        size = random.choice([8, 64, 512, 4096])
        out[at:at + size] = bytes(len(out[at:at + size]))
    elif kind == "swap":
        other, size = random.randrange(len(out)), random.choice([8, 64, 512])
        size = min(size, len(out) - at, len(out) - other)
        a, b = out[at:at + size], out[other:other + size]
        out[at:at + size] = b
        out[other:other + size] = a
    elif kind == "cut":
        del out[at:]
    else:
        out += random.randbytes(random.randrange(1, 5000))
    return bytes(out), f"{kind} at {at}"


def paths(value, here=()):
    """Every place of a JSON value."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield from paths(member, (*here, key))


def strange(random, old):
    """A value that a reader might not expect in place of `old`."""
    if isinstance(old, int) and random.random() < 0.8:
        return random.choice([signed(random.choice(NUMBERS)), old + 1, old - 1, old * 2, -old])
    if isinstance(old, list) and random.random() < 0.6:
        return random.choice([
            [], old + old, old[:-1], old + [1], [2**26], [2**31, 2**31], [2**63 - 1, 2], [0], [-1], [1] * 8, [1] * 9,
            [3, 4], [2] * 26])
    if isinstance(old, str) and random.random() < 0.7:
        return random.choice([
            "", "float64", "float32", "int64", "int32", "uint8", "uint64", "bytes", "bool", "none", "gzip", "zstd", "lz4",
            "sentinel", "nan", "never", "position", "quaternion", "intrinsics", "image", "text", "packet", "categorical",
            "state", "camera", "npc", "../../x", "/", "a\0b", "\x1b[2J", "‮", "x" * 70000])
    return random.choice([
        None, True, 0, -1, 1.5, 1e308, -0.0, 2**63 - 1, "", "x", [], {}, [[]], {"a": 1}, [2**63 - 1] * 3])


def forge_schema(forgery, random):
    places = [p for p in paths(forgery.schema) if p]
    place = random.choice(places)
    parent = forgery.schema
    for key in place[:-1]:
        parent = parent[key]
    act = random.random()
    if act < 0.12:
        del parent[place[-1]]
    elif act < 0.2 and isinstance(parent, list):
        parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(parent[place[-1]]))
    elif act < 0.25 and isinstance(parent, list):
        random.shuffle(parent)
    elif act < 0.3:
        text = json.dumps(forgery.schema)
        at = random.randrange(len(text))
        forgery.raw = (text[:at] + random.choice(["[" * 100, "{", "\\", "\"", "1e999", "-", "\\ud800", "0" * 50])
                       + text[at:]).encode()
    else:
        parent[place[-1]] = strange(random, parent[place[-1]])
    return "schema " + "/".join(map(str, place))


def forge_block(forgery, random):
    """Numbers of one block or channel that the reading path computes with."""
    streams = [s for s in forgery.schema["streams"] if s["channels"]]
    if not streams or not forgery.schema["blocks"]:
        return forge_schema(forgery, random)
    block = random.choice(forgery.schema["blocks"])
    channel = random.choice(random.choice(streams)["channels"])
    target, name = random.choice([
        (block, "rows"), (block, "chunk_rows"), (block, "first_chunk"), (block, "shuffle"), (block, "stream"),
        (block, "shape"), (block, "type"), (block, "codec"), (channel, "column"), (channel, "block"),
        (channel, "decimals"), (channel, "shape"), (channel, "type"), (channel, "missing"), (channel, "kind"),
        (channel, "categories")])
    target[name] = strange(random, target.get(name, 1))
    return f"{'block' if target is block else 'channel'} {name} = {str(target[name])[:40]}"


def forge_table(forgery, random):
    ident = random.choice([t for t in forgery.tables if forgery.tables[t]])
    rows = forgery.tables[ident]
    row = random.randrange(len(rows))
    act = random.random()
    if act < 0.06:
        del rows[row]
    elif act < 0.12:
        rows.insert(row, list(rows[row]))
    elif act < 0.16:
        random.shuffle(rows)
    else:
        column = random.randrange(len(rows[0]))
        new = random.choice([random.choice(NUMBERS), rows[row][column] + random.choice([-1, 1, 7, 1000])])
        for each in rows if random.random() < 0.15 else [rows[row]]:
            each[column] = new
        return f"{NAMES[ident]}[{row}][{column}] = {new}"
    return f"rows of {NAMES[ident]}"


def forge_header(forgery, random):
    act = random.randrange(6)
    if act == 0:
        forgery.fields["length"] = random.choice(NUMBERS)
    elif act == 1:
        forgery.fields["count"] = random.choice([0, 1, 9, 10, 39, 40, 41, 2**31, 2**32 - 1])
    elif act == 2:
        forgery.fields["version"] = random.choice([(1, 1), (1, 65535), (0, 0), (2, 0), (65535, 0)])
    elif act == 3:
        forgery.fields["features"] = random.choice([2, 2**63])
    elif act == 4:
        forgery.sections[random.choice([10, 99, 2**32 - 1])] = random.randbytes(100)
        return "a newer section"
    else:
        entry, column = random.randrange(9), random.randrange(6)
        forgery.fields[(entry, column)] = random.choice(NUMBERS)
        return f"section entry {entry}, column {column} = {forgery.fields[(entry, column)]}"
    return f"header {forgery.fields}"


def forge_statistics(forgery, random):
    ident = random.choice([8, 8, 9])
    if ident not in forgery.sections or not forgery.sections[ident]:
        return forge_table(forgery, random)
    data = bytearray(forgery.sections[ident])
    size, code = (8, "<d") if ident == 8 else (4, "<f")
    at = random.randrange(len(data) // size)
    value = random.choice([0.0, -1.0, 1.0, 3.0, 4.0, 5.0, 0.5, 2.0**31, 2.0**62, 2.0**63, 2.0**64, 1e30, -1e30,
                           float("nan"), float("inf"), -float("inf")])
    if random.random() < 0.1:
        del data[at * size:at * size + random.choice([1, 4, 8, 88])]
    elif ident == 8 and random.random() < 0.3:
        # One figure of every row: sums over rows and shards meet their limits.
        for row in range(len(data) // 88):
            struct.pack_into(code, data, row * 88 + at % 11 * 8, value)
    else:
        struct.pack_into(code, data, at * size, value)
    forgery.sections[ident] = bytes(data)
    return f"{NAMES[ident]}[{at}] = {value}"


def forge_chunk(forgery, random):
    """Stored bytes of a chunk, with the checksum that fits them."""
    rows = forgery.tables.get(7) or []
    if not rows:
        return forge_table(forgery, random)
    row = random.randrange(len(rows))
    at, stored, raw, mask, _ = rows[row]
    payload = bytearray(forgery.body[at:at + stored])
    act = random.randrange(5)
    if act == 0 and payload:
        payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
    elif act == 1:
        payload = bytearray(zstandard.ZstdCompressor().compress(random.randbytes(min(raw, 1 << 16))))
    elif act == 2:
        payload = bytearray(zstandard.ZstdCompressor().compress(bytes(min(raw, 1 << 26) + random.choice([-1, 0, 1, 4096]))))
    elif act == 3:
        # Stored as it is, with bytes that make every int64 a large one: places of texts, codes of categories.
        payload = bytearray(random.choice([b"\xff", b"\x7f", b"\x80", b"\x00"]) * min(raw, 1 << 20))
        mask = 0b11
    else:
        payload = payload[:random.randrange(len(payload) + 1)]
    if random.random() < 0.2:
        mask = random.choice([0, 1, 2, 3, 4, 255, -1])
    forgery.chunk(row, bytes(payload), mask=mask)
    return f"chunk {row}, way {act}, mask {mask}"


def forge_text(forgery, random):
    """Metadata of an episode or a track, an id, put in place of another text."""
    table = random.choice([3, 4])
    rows = forgery.tables.get(table) or []
    if not rows:
        return forge_table(forgery, random)
    row = random.choice(rows)
    column = random.choice([0, 2]) if table == 3 else 6
    text = bytes(forgery.sections.get(2, b""))
    old = text[row[column]:row[column] + row[column + 1]].decode("utf-8", "replace")
    try:
        value = json.loads(old)
        places = [p for p in paths(value) if p]
        place = random.choice(places)
        parent = value
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = strange(random, parent[place[-1]])
        new = json.dumps(value).encode()
        what = "metadata " + "/".join(map(str, place)) + " = " + str(parent[place[-1]])[:40]
    except (ValueError, IndexError, TypeError):
        new = random.choice([b"", b"..", b"../../etc/x", b"a/b", b"\xff\xfe", b"\x1b[2J", b"x" * 300, b"[" * 70, b"{}", b"7"])
        what = f"text {new[:20]}"
    row[column], row[column + 1] = len(text), len(new)
    forgery.sections[2] = text + new
    return what


FORGERS = [forge_schema, forge_block, forge_block, forge_table, forge_table, forge_header, forge_statistics, forge_chunk,
           forge_text]


def forge(data, random):
    """A copy with one to three changes and every checksum right; and what was done."""
    forgery = Forgery(data)
    done = [random.choice(FORGERS)(forgery, random) for _ in range(random.choice([1, 1, 1, 2, 3]))]
    return forgery.bytes(), "; ".join(done)
