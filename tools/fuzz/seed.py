"""Writes the index of a shard in the form that index_fuzz.swift takes: seed.py SHARD OUT."""
import json
import struct
import sys
from pathlib import Path

import mutate


def seed(shard):
    parts = mutate.Forgery(shard)
    schema = json.dumps(parts.schema, separators=(",", ":")).encode()
    tables = [parts.tables.get(ident, []) for ident in mutate.TABLES]
    assert len(schema) < 1 << 16 and max(map(len, tables)) < 256
    out = struct.pack("<H", len(schema)) + bytes(map(len, tables)) + b"\0" + schema
    for table in tables:
        out += b"".join(struct.pack(f"<{len(row)}q", *row) for row in table)
    return out + parts.sections[2]


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(seed(Path(sys.argv[1]).read_bytes()))
