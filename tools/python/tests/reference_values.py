"""What the slow loader makes of values: between two rows, normalised, as another type."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from archive import Archive, Channel, Stream


def between(channel: Channel, how: str, is_float: bool) -> str:
    if how in ("nearest", "asof"):
        return how
    if channel.kind in ("image", "depth"):
        return "nearest"
    if not is_float:
        return "asof"
    return {"scalar": "linear", "position": "linear", "direction": "linear", "intrinsics": "linear",
            "quaternion": "slerp", "angle": "angle", "matrix": "nearest"}.get(channel.kind, "asof")


def blend(channel: Channel, how: str, a: np.ndarray, b: np.ndarray, rest: float) -> np.ndarray:
    a, b = a.astype("f8"), b.astype("f8")
    if how == "linear":
        return a + (b - a) * rest
    if how == "angle":
        turn = 360.0 if channel.units == "deg" else 2 * math.pi
        way = np.fmod(b - a, turn)
        way = np.where(way > turn / 2, way - turn, np.where(way < -turn / 2, way + turn, way))
        return a + way * rest
    assert how == "slerp"
    dot = float((a * b).sum())
    if dot < 0:
        b, dot = -b, -dot
    angle = math.acos(min(dot, 1.0))
    if angle < 1e-9:
        return a
    return (math.sin((1 - rest) * angle) * a + math.sin(rest * angle) * b) / math.sin(angle)


def scales(archive: Archive, stream: Stream, channel: Channel, how: str) -> tuple[np.ndarray, np.ndarray] | None:
    """What is subtracted from each component and what it is divided by: of the split train, else of all episodes."""
    if channel.kind not in ("scalar", "position", "direction", "angle", "intrinsics") or channel.type == "bool":
        return None
    splits = {e.split for e in archive.episodes}
    x = np.concatenate([archive.component_values(s, stream, channel)
                        for s in (["train"] if "train" in splits else splits)])
    columns = [x[np.isfinite(x[:, i]), i] for i in range(channel.width)]
    if not any(len(c) for c in columns):
        return None
    middle, spread = np.zeros(channel.width), np.ones(channel.width)
    for i, fine in enumerate(columns):
        if len(fine) == 0:
            continue
        if how == "standard":
            middle[i], size = fine.mean(), fine.std()
        else:
            # Quantiles are kept as float32.
            low, high = (fine.min(), fine.max()) if how == "minmax" else np.quantile(fine, [0.01, 0.99]).astype("f4")
            middle[i], size = (float(low) + float(high)) / 2, (float(high) - float(low)) / 2
        spread[i] = size if size > 0 else 1
    return middle.reshape(channel.shape), spread.reshape(channel.shape)


def cast(value: np.ndarray, watched: np.ndarray, channel: Channel, target: np.dtype[Any], fill: float | None
         ) -> np.ndarray:
    """A value as another type: towards zero, beyond a type its nearest, what was not observed NaN or the smallest."""
    own = np.dtype(channel.type)
    value = np.asarray(value)
    if target.kind == "f":
        out = value.astype("f8")
        if own.kind in "iu" and channel.missing == "sentinel":
            out = np.where(watched, out, np.nan)
        if fill is not None:
            out = np.where(np.isnan(out), fill, out)
        return out.astype(target)
    whole = fill is not None and fill == int(fill) and np.iinfo(target).min <= fill <= np.iinfo(target).max \
        if target.kind in "iu" else False
    if value.dtype == target:
        return np.where(watched, value, int(fill)).astype(target) if whole and channel.missing != "never" else value
    x = value.astype("f8")
    if target == np.dtype(bool):
        return watched & (x != 0)
    info = np.iinfo(target)
    low, high = float(info.min), float(info.max)
    out = np.empty(value.shape, target)
    for index in np.ndindex(value.shape):
        one = x[index]
        gone = not watched[index] or math.isnan(one)
        if gone:
            out[index] = int(fill) if whole else info.min
        else:
            out[index] = info.max if one >= high else info.min if one <= low else int(one)
    return out
