"""Clean data, and faults to plant into it: for `trajpack validate`.

``FAULTS`` maps a name to the rule that must find it, and a function that changes a clean recording. Everything is made
from a seed; nothing in the clean data may be found by any rule.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trajpack
from archive import Archive, Channel, Episode, Real, Stream, Track

ROWS = 240
EPISODES = 10
EDGES = [(0, 1), (1, 2), (2, 3)]
CHANNELS: dict[str, dict[str, Any]] = {
    "state/pos": {"kind": "position", "units": "m"},
    "state/rot": {"kind": "quaternion", "conventions": {"order": "xyzw"}},
    "state/yaw": {"kind": "angle", "units": "rad"},
    "state/heading": {"kind": "angle", "units": "deg"},
    "state/force": {"kind": "scalar", "units": "N", "missing": False},
    "state/temp": {"kind": "scalar", "units": "Cel"},
    "state/flow": {"kind": "scalar"},
    "state/adc": {"kind": "scalar"},
    "state/hp": {"kind": "scalar"},
    "state/max_hp": {"kind": "scalar"},
    "state/motion_id": {"kind": "label"},
    "state/motion_frame": {"kind": "label"},
    "state/mode": {"kind": "categorical", "categories": ["walk", "run", "jump"]},
    "camera/pose": {"kind": "matrix", "conventions": {"pose": "camera-to-world"}},
    "camera/K": {"kind": "intrinsics", "units": "px", "conventions": {"order": "fx fy cx cy"}},
    "body/joints": {"kind": "position"},
}


def smooth(rng: np.random.Generator, rows: int, size: float = 1.0) -> np.ndarray:
    """A signal that changes in every row: some sines and a little noise."""
    t = np.arange(rows) / 50
    waves = sum(np.sin(t * f + rng.uniform(0, 6)) * a for f, a in ((0.9, 1.0), (2.3, 0.5), (5.1, 0.2)))
    return (waves + rng.normal(0, 0.02, rows)) * size


def clean(number: int) -> dict[str, Any]:
    """A recording: the streams' channels, times of the log, id and split."""
    rng = np.random.default_rng(1000 + number)
    angle = smooth(rng, ROWS, 0.3)
    pose = np.zeros((ROWS, 3, 4))
    pose[:, 0, 0], pose[:, 0, 1], pose[:, 1, 0], pose[:, 1, 1] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(
        angle)
    pose[:, 2, 2] = 1
    pos = np.stack([smooth(rng, ROWS, 3) for _ in range(3)], 1)
    pose[:, :, 3] = pos + [0.2, 0, 1.5]
    joints = np.zeros((ROWS, 4, 3))
    bend = smooth(rng, ROWS, 0.4)
    for joint in range(1, 4):
        joints[:, joint] = joints[:, joint - 1] + 0.3 * np.stack(
            [np.cos(bend * joint), np.sin(bend * joint), np.zeros(ROWS)], 1)
    joints += np.stack([smooth(rng, ROWS) for _ in range(3)], 1)[:, None]
    frames = np.arange(ROWS) % 60
    return {
        "id": f"{number:03d}", "split": "train" if number < 7 else "test", "times": np.arange(ROWS) * 0.02,
        "values": {"task": "walk", "speed": 0.5 + number},
        "state": {
            "pos": pos,
            "rot": np.stack([np.zeros(ROWS), np.sin(angle / 2), np.zeros(ROWS), np.cos(angle / 2)], 1),
            "yaw": angle, "heading": np.degrees(smooth(rng, ROWS, 0.6)),
            "force": smooth(rng, ROWS, 12), "temp": 20 + smooth(rng, ROWS, 2), "flow": 5 + smooth(rng, ROWS),
            "adc": np.round(smooth(rng, ROWS, 9000)).astype(np.int16),
            "hp": np.linspace(90, 40, ROWS).round(2), "max_hp": np.full(ROWS, 100.0 + number),
            "motion_id": (np.arange(ROWS) // 60).astype(np.int32), "motion_frame": frames.astype(np.int32),
            "mode": (np.arange(ROWS) // 50 % 3).astype(np.int32),
        },
        "camera": {"pose": pose, "K": np.tile([500.0, 500.0, 320.0, 240.0], (ROWS, 1))},
        "body": {"joints": joints},
        "log": {"level": smooth(rng, ROWS), "done": (np.arange(ROWS) == ROWS - 1).astype(np.int8)},
    }


def write(path: Path, episodes: list[dict[str, Any]], edges: Any = None, source: str = "wildworld") -> str:
    """A dataset of recordings."""
    options = {"rate": {"state": 50, "camera": 50, "body": 50}, "channels": CHANNELS,
               "streams": {"body": {"skeleton": "worm"}}, "skeletons": {"worm": edges or EDGES},
               "attributes": {"source": source}}
    with trajpack.create(path, **options) as writer:
        for item in episodes:
            with writer.episode(item["id"], split=item["split"], values=item["values"]) as episode:
                for stream in ("state", "camera", "body"):
                    episode.extend({stream: item[stream]})
                episode.extend({"log": item["log"]}, time=item["times"])
    return str(path)


Change = Callable[[list[dict[str, Any]]], None]
FAULTS: dict[str, tuple[str, Change]] = {}


def fault(rule: str, name: str) -> Callable[[Change], Change]:
    def add(change: Change) -> Change:
        FAULTS[name] = (rule, change)
        return change
    return add


@fault("values.level", "a sensor that is bumped in the middle")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["temp"][ROWS // 2:] += 30


@fault("time.duplicate", "a row written twice")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["times"][50] = all[2]["times"][49]


@fault("time.gap", "two seconds of silence")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["times"][150:] += 2


@fault("time.rate", "a log at half the rate")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["times"] *= 2


@fault("labels.end-flag", "an episode that is never done")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["log"]["done"][:] = 0


@fault("labels.end-flag", "an episode that is done in the middle")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["log"]["done"] = np.roll(all[6]["log"]["done"], -100)


@fault("time.jitter", "a clock that jitters by a third")
def _(all: list[dict[str, Any]]) -> None:
    all[1]["times"] += np.random.default_rng(5).uniform(-0.006, 0.006, ROWS)


@fault("time.float32", "times as float32 of a long clock")
def _(all: list[dict[str, Any]]) -> None:
    all[1]["times"] = (all[1]["times"] + 40_000).astype(np.float32).astype(float)


@fault("time.length", "a camera that lost a row")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["camera"] = {k: v[:-1] for k, v in all[4]["camera"].items()}


@fault("time.rounded", "a clock rounded to milliseconds")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["times"] = np.round(np.arange(ROWS) * 0.0203, 3)


@fault("values.nan", "NaN where none is declared")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["force"][7] = np.nan


@fault("values.infinite", "an infinite value")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["temp"][[7, 90]] = -np.inf


@fault("values.missing", "a sensor that was unplugged")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["temp"][:] = np.nan


@fault("values.dead", "a sensor that was never switched on")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["force"][:] = 3.25


@fault("values.stuck", "a sensor that stands still for 80 rows")
def _(all: list[dict[str, Any]]) -> None:
    all[5]["state"]["temp"][100:180] = 20.123


@fault("values.padding", "an episode filled up with its last row")
def _(all: list[dict[str, Any]]) -> None:
    for stream in ("state", "camera", "body", "log"):
        for name, values in all[3][stream].items():
            if name != "done":
                values[-40:] = values[-41]


@fault("values.spike", "one row far out")
def _(all: list[dict[str, Any]]) -> None:
    all[5]["state"]["flow"][100] = 40_000.5


@fault("values.sentinel", "-9999 for missing")
def _(all: list[dict[str, Any]]) -> None:
    all[5]["state"]["temp"][[20, 21, 100]] = -9999


@fault("values.sentinel", "-1 for missing")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["state"]["flow"] += 5
    all[6]["state"]["flow"][[20, 21, 100]] = -1


@fault("values.saturated", "peaks cut off at the end of int16")
def _(all: list[dict[str, Any]]) -> None:
    wide = all[6]["state"]["adc"].astype(int) * 4
    all[6]["state"]["adc"] = np.clip(wide, -32_768, 32_767).astype(np.int16)


@fault("values.wraparound", "a sum that runs over")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["state"]["adc"] = (np.arange(ROWS) * 150 + 15_007).astype(np.int64).astype(np.int16)


@fault("values.denormal", "memory that was never written")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["state"]["flow"][:20] = np.arange(1, 21) * 1.5e-42


@fault("values.units", "an episode in millimetres")
def _(all: list[dict[str, Any]]) -> None:
    all[6]["state"]["pos"] *= 1000


@fault("wildworld.over-maximum", "hit points above their maximum")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["state"]["hp"][10] = 100.5


@fault("wildworld.motion-frame", "an animation that runs backwards")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["state"]["motion_frame"][[40, 41]] = all[0]["state"]["motion_frame"][[41, 40]]


@fault("geometry.quaternion-norm", "a rotation of zeros")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["state"]["rot"][30] = 0


@fault("geometry.quaternion-sign", "the sign flips")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["state"]["rot"][30:60] *= -1


@fault("geometry.rotation", "a pose that mirrors")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["camera"]["pose"][:, 2, 2] = -1


@fault("geometry.rotation", "a scale in a pose")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["camera"]["pose"][50:, :, :3] *= 1.01


@fault("geometry.angle-units", "degrees in a channel of radians")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["state"]["yaw"] = (np.arange(ROWS) * 7.3 + 3) % 360


@fault("geometry.angle-units", "radians in a channel of degrees")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["state"]["heading"] = (np.arange(ROWS) * 0.13) % (2 * np.pi) - np.pi


@fault("geometry.intrinsics", "a focal length of zero")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["camera"]["K"][10:20, 1] = 0


@fault("geometry.bone-length", "two joints swapped")
def _(all: list[dict[str, Any]]) -> None:
    all[2]["body"]["joints"][80:84, 3] += 2


@fault("learning.duplicate", "a recording twice")
def _(all: list[dict[str, Any]]) -> None:
    all[4] = {**clean(1), "id": "again"}


@fault("learning.leakage", "a recording in both splits")
def _(all: list[dict[str, Any]]) -> None:
    all[8] = {**clean(1), "id": "again", "split": "test"}


@fault("learning.leakage", "a test recording cut from a training recording")
def _(all: list[dict[str, Any]]) -> None:
    part = clean(2)
    for stream in ("state", "camera", "body", "log"):
        part[stream] = {k: v[60:200] for k, v in part[stream].items()}
    part["times"] = part["times"][:140]
    part["log"]["done"][-1] = 1
    all[9] = {**part, "id": "part", "split": "test"}


@fault("learning.leakage", "a test recording that is a training recording, rounded")
def _(all: list[dict[str, Any]]) -> None:
    copy = clean(3)
    for stream in ("state", "camera", "body", "log"):
        copy[stream] = {k: v.round(4) if v.dtype.kind == "f" else v for k, v in copy[stream].items()}
    all[8] = {**copy, "id": "copy", "split": "test"}


@fault("learning.unlike-splits", "a test split from another season")
def _(all: list[dict[str, Any]]) -> None:
    for item in all[5:]:
        item["split"] = "test"
        item["state"]["temp"] += 40


@fault("time.drift", "a clock that is slow")
def _(all: list[dict[str, Any]]) -> None:
    all[3]["times"] = all[3]["times"] * 1.0095


@fault("time.shift", "a camera that comes a row late")
def _(all: list[dict[str, Any]]) -> None:
    place = all[5]["camera"]["pose"][:, :, 3]
    place[1:] = place[:-1].copy()


@fault("values.teleport", "a body that jumps and stays there")
def _(all: list[dict[str, Any]]) -> None:
    all[5]["state"]["pos"][120:, 0] += 60


@fault("values.constant", "a sensor that was never connected")
def _(all: list[dict[str, Any]]) -> None:
    for item in all:
        item["state"]["flow"][:] = 3.25


@fault("values.quantised", "a converter with few bits")
def _(all: list[dict[str, Any]]) -> None:
    noise = np.random.default_rng(6).normal(0, 0.4, ROWS)
    all[3]["state"]["flow"] = np.round((5 + noise) / 0.3) * 0.3 + 0.1


@fault("values.too-narrow", "eastings as float32")
def _(all: list[dict[str, Any]]) -> None:
    for item in all:
        item["state"]["flow"] = (4_500_000 + 10 * item["state"]["flow"]).astype(np.float32)


@fault("values.too-wide", "float32 stored as float64")
def _(all: list[dict[str, Any]]) -> None:
    for item in all:
        item["state"]["flow"] = item["state"]["flow"].astype(np.float32).astype(float)


@fault("wildworld.negative", "hit points below nothing")
def _(all: list[dict[str, Any]]) -> None:
    all[0]["state"]["hp"][10] = -3


@fault("geometry.quaternion-order", "a rotation as wxyz")
def _(all: list[dict[str, Any]]) -> None:
    heading = smooth(np.random.default_rng(7), ROWS, 3)
    step = np.stack([np.cos(heading), np.sin(heading), np.zeros(ROWS)], 1) * 0.1
    all[3]["state"]["pos"] = np.cumsum(step, 0) + 1.23
    zero = np.zeros(ROWS)
    all[3]["state"]["rot"] = np.stack([np.cos(heading / 2), zero, zero, np.sin(heading / 2)], 1)


@fault("labels.missing", "a recording without its label")
def _(all: list[dict[str, Any]]) -> None:
    del all[4]["values"]["task"]


@fault("labels.imbalance", "a class of two rows")
def _(all: list[dict[str, Any]]) -> None:
    for item in all:
        item["state"]["mode"] = item["state"]["mode"] % 2
    all[0]["state"]["mode"][48:50] = 2


@fault("labels.short-segment", "a label that flips for a row")
def _(all: list[dict[str, Any]]) -> None:
    all[1]["state"]["mode"][70] = 2


@fault("values.incomplete", "a sensor that fails for three rows")
def _(all: list[dict[str, Any]]) -> None:
    all[4]["state"]["temp"][50:53] = np.nan


@fault("values.speed", "a body at 2,500 m/s")
def _(all: list[dict[str, Any]]) -> None:
    all[3]["state"]["pos"][:, 0] += 50 * np.clip(np.arange(ROWS) - 100, 0, 40)


def forged(path: Path, change: Callable[[dict[str, np.ndarray]], None] | None = None) -> str:
    """A shard that trajpack's own writers would refuse: they check the order of times, and categories."""
    rng = np.random.default_rng(3)
    channels = [Channel("time", "float64"), Channel("level", "float64", missing="nan"),
                Channel("mode", "int32", kind="categorical", categories=["walk", "run"])]
    data = {"time": np.arange(64) * 0.1, "level": smooth(rng, 64), "mode": np.arange(64, dtype=np.int32) // 16 % 2}
    if change:
        change(data)
    return str(Archive([Stream("log", channels)], [Episode("only", [Track("log", 64, Real(), data)])]).write(path))


def _swap(data: dict[str, np.ndarray]) -> None:
    data["time"][[20, 21]] = data["time"][[21, 20]]


def _reverse(data: dict[str, np.ndarray]) -> None:
    data["time"] = data["time"][::-1].copy()


def _forget(data: dict[str, np.ndarray]) -> None:
    data["time"][20:22] = np.nan


def _rename(data: dict[str, np.ndarray]) -> None:
    data["mode"][5:9] = 2


#: Faults of a forged shard: the rule, and the change.
FORGED: dict[str, tuple[str, Callable[[dict[str, np.ndarray]], None]]] = {
    "two rows swapped": ("time.backwards", _swap), "the newest row first": ("time.backwards", _reverse),
    "rows without a time": ("time.missing", _forget), "a class without a name": ("labels.vocabulary", _rename)}
