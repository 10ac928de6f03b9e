"""Datasets for the rules of `trajpack validate` that need a world of their own: cameras, entities, plans, counts."""
from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import trajpack
from archive import Archive, Channel, Episode, Real, Regular, Stream, Track
from fault_world import smooth

#: The rules whose faults are planted by test_validate_rules.py.
OTHERS = {"geometry.projection", "geometry.entity-count", "learning.drift", "learning.normalization",
          "time.frames", "time.video-shift",
          "geometry.depth-missing", "geometry.depth-range", "learning.reversed", "learning.shared-recording",
          "values.channels"}
WIDTH, HEIGHT, ROWS = 640, 480, 40


def rotation(rng: np.random.Generator) -> np.ndarray:
    """A random rotation (QR of a Gaussian matrix)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


def quaternion(m: np.ndarray) -> np.ndarray:
    """xyzw of a rotation, by its eigenvector (scipy's convention; checked there against scipy)."""
    k = np.array([[m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
                  [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
                  [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
                  [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], np.trace(m)]])
    return np.linalg.eigh(k)[1][:, -1]


def filmed(path: Path, seed: int, said: dict[str, str], true: dict[str, str], form: str = "matrix") -> str:
    """Eight recordings of a skeleton that a camera looks at. Poses are stored as ``true`` says, and say ``said``."""
    rng = np.random.default_rng(seed)
    channels: dict[str, dict[str, Any]] = {
        "camera/K": {"kind": "intrinsics", "units": "px", "conventions": {"order": "fx fy cx cy"}},
        "body/joints": {"kind": "position"}, "camera/pos": {"kind": "position"},
        "camera/pose": {"kind": "matrix" if form == "matrix" else "quaternion", "conventions": said}}
    if form == "matrix":
        del channels["camera/pos"]
    with trajpack.create(path, rate=30, channels=channels, streams={"body": {"skeleton": "worm"}},
                         skeletons={"worm": [(i, i + 1) for i in range(9)]}) as writer:
        for number in range(8):
            turn, away = rotation(rng), rng.normal(size=3) * 20
            # In the camera's OpenCV axes: before it, and within the picture.
            middle = np.array([0, 0, 6]) + np.stack([smooth(rng, ROWS, 0.3) for _ in range(3)], 1)
            seen = middle[:, None] + rng.normal(0, 0.4, (10, 3))
            joints = seen @ turn.T + away            # world = R camera + t
            stored = turn @ np.diag([1, -1, -1]) if true["axes"] == "OpenGL" else turn
            place = away
            if true["pose"] == "world-to-camera":
                stored, place = stored.T, -stored.T @ away
            camera: dict[str, Any] = {"K": np.tile([500.0, 500.0, WIDTH / 2, HEIGHT / 2], (ROWS, 1))}
            if form == "matrix":
                camera["pose"] = np.tile(np.concatenate([stored, place[:, None]], 1), (ROWS, 1, 1))
            else:
                q = quaternion(stored)
                camera["pose"] = np.tile(q if true["order"] == "xyzw" else q[[3, 0, 1, 2]], (ROWS, 1))
                camera["pos"] = np.tile(place, (ROWS, 1))
            with writer.episode(f"{number:03d}") as episode:
                episode.extend({"camera": camera, "body": {"joints": joints}})
    return str(path)


def drifting(path: Path, seed: int, slope: float, episodes: int = 24) -> str:
    rng = np.random.default_rng(seed)
    with trajpack.create(path, rate=50) as writer:
        for number in range(episodes):
            with writer.episode(f"{number:03d}") as episode:
                episode.extend({"s": {"force": smooth(rng, 100) + slope * number,
                                      "other": smooth(rng, 100) + rng.normal(0, 1)}})
    return str(path)


def alike(path: Path, seed: int) -> str:
    """Two splits of one kind."""
    rng = np.random.default_rng(seed)
    with trajpack.create(path, rate=50) as writer:
        for number in range(12):
            with writer.episode(f"{number:03d}", split="train" if number % 3 else "test") as episode:
                episode.extend({"s": {"force": smooth(rng, 100), "temp": 20 + smooth(rng, 100)}})
    return str(path)


class Wrong(Archive):
    """An archive whose stored statistics were changed: a field of a row (numbers of archive-format.md, section 10)."""

    change: tuple[int, int, float] | None = None

    def _statistics(self, splits: list[str]) -> tuple[bytes, bytes]:
        moments, quantiles = super()._statistics(splits)
        if self.change:
            table = np.frombuffer(moments, "<f8").reshape(-1, 11).copy()
            row, column, value = self.change
            table[row, column] += value
            moments = table.tobytes()
        return moments, quantiles


def counted(path: Path, change: tuple[int, int, float] | None) -> str:
    rng = np.random.default_rng(4)
    channels = [Channel("time", "float64"), Channel("level", "float64", missing="nan"),
                Channel("pos", "float32", (3,), kind="position"), Channel("adc", "int16")]
    episodes = []
    for number in range(5):
        level = smooth(rng, 64)
        level[rng.random(64) < 0.1] = np.nan
        data = {"time": np.arange(64) * 0.1, "level": level, "adc": rng.integers(-900, 900, 64).astype(np.int16),
                "pos": np.cumsum(rng.normal(0, 0.1, (64, 3)), 0).astype(np.float32)}
        episodes.append(Episode(f"{number}", [Track("log", 64, Real(), data)], split="train" if number < 3 else "test"))
    shard = Wrong([Stream("log", channels)], episodes)
    shard.change = change
    return str(shard.write(path))


def crowd(path: Path, counts: list[int], spans: list[tuple[int, int]]) -> str:
    """A recording that counts npcs, and a track for each from a row to before another."""
    rng = np.random.default_rng(2)
    streams = [Stream("state", [Channel("npc.count", "int32", kind="label")]), Stream("npc", [Channel("speed")])]
    tracks = [Track("state", len(counts), Regular(Fraction(0), Fraction(30)),
                    {"npc.count": np.array(counts, np.int32)})]
    for number, (first, end) in enumerate(spans):
        tracks.append(Track("npc", end - first, Regular(Fraction(first, 30), Fraction(30)),
                            {"speed": smooth(rng, end - first).astype(np.float32)}, entity=("npc", number, 1)))
    return str(Archive(streams, [Episode("only", tracks)]).write(path))
