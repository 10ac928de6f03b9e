"""Archives for tests, made from schemas/archive-format.md by code that shares nothing with trajpack.

A reader of trajpack needs no HDF5, only the header and what it points to; so neither does this writer: what it writes
are shards without their HDF5 clothes. What went in stays in memory, as the truth that is compared with.
"""
from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

SPECIAL = {0: np.nan, 1: -0.0, 2: np.inf, 3: -np.inf}


def _table() -> list[int]:
    out = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        out.append(byte)
    return out


_CRC = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@dataclass
class Channel:
    name: str
    type: str = "float32"
    shape: tuple[int, ...] = ()
    kind: str = "scalar"
    missing: str = "never"
    decimals: int | None = None
    stored: str | None = None
    units: str | None = None
    categories: list[str] | None = None

    @property
    def width(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def block_type(self) -> str:
        return self.stored or self.type

    def values(self, stored: np.ndarray) -> np.ndarray:
        """What a reader makes of stored rows."""
        if self.decimals is not None:
            least = np.iinfo(stored.dtype).min
            out = stored.astype("f8") / np.float64(10 ** self.decimals)
            for code, value in SPECIAL.items():
                out[stored == least + code] = value
            return out
        out = stored.astype(self.type)
        if self.missing == "sentinel":
            gone = stored == np.iinfo(stored.dtype).min
            out[gone] = np.nan if out.dtype.kind == "f" else np.iinfo(out.dtype).min
        return out

    def observed(self, stored: np.ndarray) -> np.ndarray:
        """Which elements of stored rows were observed."""
        if self.missing == "nan":
            return ~np.isnan(self.values(stored))
        if self.missing == "sentinel":
            return stored != np.iinfo(stored.dtype).min
        return np.ones(stored.shape, bool)


@dataclass
class Stream:
    name: str
    channels: list[Channel]
    time_unit: str = "s"

    def channel(self, name: str) -> Channel:
        return next(c for c in self.channels if c.name == name)


@dataclass(frozen=True)
class Regular:
    start: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Ticks:
    tick: Fraction


@dataclass(frozen=True)
class Real:
    pass


@dataclass
class Track:
    stream: str
    rows: int
    clock: Any
    data: dict[str, np.ndarray]  # as stored, [rows, *shape]
    entity: tuple[str, int, int] | None = None

    @cached_property
    def times(self) -> list[Fraction]:
        """The time of every row, exact."""
        if isinstance(self.clock, Regular):
            return [self.clock.start + row / self.clock.rate for row in range(self.rows)]
        if isinstance(self.clock, Ticks):
            return [int(tick) * self.clock.tick for tick in self.data["time"]]
        return [Fraction(float(time)) for time in self.data["time"]]

    def time(self, row: int) -> Fraction:
        # Rows before the first and after the last have times under a rate.
        return self.times[row] if 0 <= row < self.rows else self.clock.start + row / self.clock.rate


@dataclass
class Episode:
    id: str
    tracks: list[Track]
    split: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Archive:
    streams: list[Stream]
    episodes: list[Episode]
    chunk_rows: int = 16
    codec: str = "gzip"
    statistics: bool = True

    def stream(self, name: str) -> Stream:
        return next(s for s in self.streams if s.name == name)

    # Layout.

    def _blocks(self) -> tuple[list[dict[str, Any]], dict[tuple[str, str], tuple[int, int]], list[np.ndarray]]:
        blocks, places, arrays = [], {}, []
        for number, stream in enumerate(self.streams):
            rows = sum(t.rows for e in self.episodes for t in e.tracks if t.stream == stream.name)
            for kind in dict.fromkeys(c.block_type for c in stream.channels):
                members = [c for c in stream.channels if c.block_type == kind]
                width = 0
                for channel in members:
                    places[stream.name, channel.name] = (len(blocks), width)
                    width += channel.width
                dtype = np.dtype("u1" if kind == "bool" else kind)
                parts = [
                    np.concatenate([t.data[c.name].astype(dtype).reshape(t.rows, c.width) for c in members], axis=1)
                    for e in self.episodes for t in e.tracks if t.stream == stream.name]
                arrays.append(np.concatenate(parts) if parts else np.zeros((0, width), dtype))
                blocks.append({
                    "path": f"/streams/{stream.name}/{kind}", "stream": number, "type": kind, "shape": [width],
                    "chunk_rows": self.chunk_rows, "codec": self.codec,
                    "shuffle": 0 if self.codec == "none" else dtype.itemsize, "rows": rows,
                    "first_chunk": 0})
        first = 0
        for block in blocks:
            block["first_chunk"] = first
            first += -(-block["rows"] // self.chunk_rows)
        return blocks, places, arrays

    def write(self, path: Path) -> Path:
        """Writes one shard."""
        blocks, places, arrays = self._blocks()
        kinds = list(dict.fromkeys(t.entity[0] for e in self.episodes for t in e.tracks if t.entity))
        splits = list(dict.fromkeys(e.split for e in self.episodes if e.split))
        body, base = bytearray(), 4096
        chunks = []
        for block, array in zip(blocks, arrays, strict=True):
            for at in range(0, block["rows"], self.chunk_rows):
                rows = array[at:at + self.chunk_rows]
                full = np.zeros((self.chunk_rows, array.shape[1]), array.dtype)
                full[:len(rows)] = rows
                raw = stored = full.tobytes()
                mask = 0
                if self.codec == "gzip":
                    size = array.dtype.itemsize
                    mixed = np.frombuffer(raw, np.uint8).reshape(-1, size).T.tobytes() if size > 1 else raw
                    stored = zlib.compress(mixed, 4)
                    if len(stored) >= len(raw):
                        stored, mask = mixed, 1 << (1 if size > 1 else 0)
                chunks.append((base + len(body), len(stored), len(raw), mask, crc32c(stored)))
                body += stored
        text = bytearray()

        def put(string: str) -> tuple[int, int]:
            raw = string.encode()
            text.extend(raw)
            return len(text) - len(raw), len(raw)

        episodes, tracks, entities, clocks = [], [], [], []
        first_row = dict.fromkeys((s.name for s in self.streams), 0)
        for number, episode in enumerate(self.episodes):
            meta = put(json.dumps(episode.metadata)) if episode.metadata else (0, 0)
            episodes.append((*put(episode.id), *meta, splits.index(episode.split) if episode.split else -1,
                             len(tracks), len(episode.tracks)))
            for track in episode.tracks:
                clock = _clock_row(track.clock)
                if clock not in clocks:
                    clocks.append(clock)
                who = -1
                if track.entity:
                    row = (kinds.index(track.entity[0]), *track.entity[1:])
                    if row not in entities:
                        entities.append(row)
                    who = entities.index(row)
                stream = [s.name for s in self.streams].index(track.stream)
                first = first_row[track.stream]
                tracks.append((number, stream, who, clocks.index(clock), first, track.rows, 0, 0, 0, 0))
                first_row[track.stream] += track.rows
        schema = {"streams": [self._stream_json(s, places) for s in self.streams], "blocks": blocks, "skeletons": [],
                  "entity_kinds": kinds, "splits": splits, "attributes": {}}
        sections = [(1, json.dumps(schema).encode()), (2, bytes(text))]
        for id, rows in ((3, episodes), (4, tracks), (5, entities), (6, clocks), (7, chunks)):
            sections.append((id, np.array(rows, "<i8").tobytes() if rows else b""))
        if self.statistics:
            moments, quantiles = self._statistics(splits)
            sections += [(8, moments), (9, quantiles)]
        entries = b""
        count = 0
        for id, raw in sections:
            if raw:
                entries += struct.pack("<IIQQQII", id, 0, base + len(body), len(raw), len(raw), crc32c(raw), 0)
                body += raw
                count += 1
        header = struct.pack("<8sHHIQQI", b"\x89TRJ\r\n\x1a\n", 1, 0, 4096, 0, base + len(body), count)
        header = (header.ljust(64, b"\0") + entries).ljust(4092, b"\0")
        path.write_bytes(header + struct.pack("<I", crc32c(header)) + bytes(body))
        return path

    def _stream_json(self, stream: Stream, places: dict[tuple[str, str], tuple[int, int]]) -> dict[str, Any]:
        channels = []
        for c in stream.channels:
            block, column = places[stream.name, c.name]
            one = {"name": c.name, "kind": c.kind, "type": c.type, "shape": list(c.shape), "block": block,
                   "column": column}
            if c.missing != "never":
                one["missing"] = c.missing
            for name in ("decimals", "units", "categories"):
                if getattr(c, name) is not None:
                    one[name] = getattr(c, name)
            channels.append(one)
        return {"name": stream.name, "time_unit": stream.time_unit, "channels": channels}

    def component_values(self, split: str | None, stream: Stream, channel: Channel) -> np.ndarray:
        """All elements of a channel in a split (None: those of episodes without one), ``[rows, components]``."""
        parts = [channel.values(t.data[channel.name]).reshape(t.rows, channel.width).astype("f8")
                 for e in self.episodes if e.split == split for t in e.tracks if t.stream == stream.name]
        return np.concatenate(parts) if parts else np.zeros((0, channel.width))

    def _statistics(self, splits: list[str]) -> tuple[bytes, bytes]:
        moments, quantiles = [], []
        for number in range(-1, len(splits)):
            name = None if number < 0 else splits[number]
            if not any(e.split == name for e in self.episodes):
                continue
            for s, stream in enumerate(self.streams):
                for c, channel in enumerate(stream.channels):
                    x = self.component_values(name, stream, channel)
                    if channel.missing == "sentinel":
                        seen = np.concatenate([channel.observed(t.data[channel.name]).reshape(t.rows, channel.width)
                                               for e in self.episodes if e.split == name for t in e.tracks
                                               if t.stream == stream.name] or [np.zeros((0, channel.width), bool)])
                        x = np.where(seen, x, np.nan)
                    if len(x) == 0:
                        continue
                    for i in range(channel.width):
                        one = x[:, i]
                        fine = one[np.isfinite(one)]
                        none = not len(fine)
                        mean = np.nan if none else fine.mean()
                        moments.append((number, s, c, i, len(fine), np.isnan(one).sum(), np.isinf(one).sum(),
                                        np.nan if none else fine.min(), np.nan if none else fine.max(), mean,
                                        0.0 if none else ((fine - mean) ** 2).sum()))
                        quantiles.append([np.nan] * 9 if none else np.quantile(
                            fine, [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]))
        return np.array(moments, "<f8").tobytes(), np.array(quantiles, "<f4").tobytes()


def _clock_row(clock: Any) -> tuple[int, int, int, int, int]:
    if isinstance(clock, Regular):
        return 0, clock.start.numerator, clock.start.denominator, clock.rate.numerator, clock.rate.denominator
    if isinstance(clock, Ticks):
        return 1, 0, 1, clock.tick.numerator, clock.tick.denominator
    return 2, 0, 1, 1, 1
