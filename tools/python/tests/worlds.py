"""Random ragged archives: streams at several rates, entities that come and go, gaps, absences, empty tracks."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
from archive import Archive, Channel, Episode, Real, Regular, Stream, Ticks, Track

CHANNELS = [
    Channel("hp", "float64", kind="scalar", missing="nan", decimals=2, stored="int32"),
    Channel("pos", "float32", (3,), "position", missing="nan", units="m"),
    Channel("rot", "float64", (4,), "quaternion"),
    Channel("yaw", "float32", (), "angle", units="rad"),
    Channel("heading", "float64", (), "angle", units="deg"),
    Channel("mode", "uint8", (), "categorical", categories=["a", "b", "c"]),
    Channel("score", "int32", (), "label", missing="sentinel"),
    Channel("wide", "int64", (2,), "label", stored="int32", missing="sentinel"),
    Channel("flag", "bool", (), "event"),
    Channel("plain", "float32", (2, 2), "matrix"),
    Channel("count", "uint16"),
]
RATES = [Fraction(30), Fraction(10), Fraction(30000, 1001), Fraction(7), Fraction(60)]


def values(rng: np.random.Generator, channel: Channel, rows: int) -> np.ndarray:
    """Random rows of a channel, as they are stored."""
    shape = (rows, *channel.shape)
    dtype = np.dtype(channel.block_type)
    if channel.decimals is not None:
        out = rng.integers(-100_000, 100_000, shape).astype(dtype)
        odd = rng.random(shape)
        least = np.iinfo(dtype).min
        out[odd < 0.08] = least
        out[(odd >= 0.08) & (odd < 0.1)] = least + 1
        return out
    if channel.kind == "quaternion":
        out = rng.normal(size=shape)
        return (out / np.linalg.norm(out, axis=-1, keepdims=True)).astype(dtype)
    if channel.kind == "angle":
        turn = 360 if channel.units == "deg" else 2 * np.pi
        return (rng.random(shape) * turn - turn / 2).astype(dtype)
    if channel.kind == "categorical":
        return rng.integers(0, 3, shape).astype(dtype)
    if dtype.kind == "f":
        out = rng.normal(size=shape).astype(dtype)
        if channel.missing == "nan":
            out[rng.random(shape) < 0.1] = np.nan
        return out
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    out = rng.integers(0, 1000, shape).astype(dtype)
    if channel.missing == "sentinel":
        out[rng.random(shape) < 0.1] = np.iinfo(dtype).min
    return out


def archive(seed: int, *, streams: int = 3, episodes: int = 4, most: int = 60, splits: bool = True,
            explicit: bool = True) -> Archive:
    """A random archive. The first stream, ``s0``, has no entities; others may, and may have explicit times."""
    rng = np.random.default_rng(seed)
    made = []
    sorts = []
    for number in range(streams):
        chosen = rng.choice(len(CHANNELS), rng.integers(1, 5), replace=False)
        channels = [CHANNELS[i] for i in chosen]
        sort = "regular" if number == 0 or not explicit else rng.choice(["regular", "regular", "ticks", "real"])
        if sort == "ticks":
            channels = [Channel("time", "int64", (), "label"), *channels]
        if sort == "real":
            channels = [Channel("time", "float64"), *channels]
        made.append(Stream(f"s{number}", channels))
        sorts.append((str(sort), RATES[rng.integers(len(RATES))], bool(number > 0 and rng.random() < 0.5)))
    out = []
    for number in range(episodes):
        tracks = []
        for stream, (sort, rate, peopled) in zip(made, sorts, strict=True):
            if stream.name != "s0" and rng.random() < 0.15:
                continue
            if peopled:
                for kind, index in [("npc", 0), ("npc", 1), ("beast", 0)]:
                    if rng.random() < 0.7:
                        tracks += _pieces(rng, stream, sort, rate, most, (kind, index, int(rng.integers(0, 9))))
            else:
                tracks += _pieces(rng, stream, sort, rate, most, None)
        split = ["train", "test", None][rng.integers(3)] if splits else None
        metadata = {"level": int(rng.integers(0, 4)), "who": {"name": "ab"[number % 2]}}
        out.append(Episode(f"e{number:03}", tracks, split, metadata))
    return Archive(made, out, chunk_rows=int(rng.integers(1, 24)), codec=str(rng.choice(["none", "gzip"])))


def _pieces(rng: np.random.Generator, stream: Stream, sort: str, rate: Fraction, most: int,
            entity: tuple[str, int, int] | None) -> list[Track]:
    """One track, or two with a gap between."""
    counts = [int(rng.integers(0 if entity is None else 1, most))]
    if rng.random() < 0.3:
        counts.append(int(rng.integers(1, most)))
    start = Fraction(int(rng.integers(0, 4)), 4) if rng.random() < 0.5 else Fraction(0)
    out = []
    for rows in counts:
        data = {c.name: values(rng, c, rows) for c in stream.channels if c.name != "time"}
        if sort == "regular":
            clock = Regular(start, rate)
            start += (rows + int(rng.integers(1, 9))) / rate
        elif sort == "ticks":
            clock = Ticks(Fraction(1, 1000))
            steps = rng.integers(1, 90, rows).cumsum() + int(start * 1000)
            data["time"] = steps.astype("i8")
            start = Fraction(int(steps[-1]) + 200, 1000) if rows else start
        else:
            clock = Real()
            steps = (rng.integers(1, 9, rows).cumsum() + int(start * 64)) / 64
            data["time"] = steps
            start = Fraction(float(steps[-1])) + 1 if rows else start
        out.append(Track(stream.name, rows, clock, data, entity))
    return out
