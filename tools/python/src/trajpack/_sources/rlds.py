"""RLDS and other TFDS datasets in TFRecord files, such as Open X-Embodiment, read without TensorFlow.

A folder with ``dataset_info.json`` (splits and their files) and ``features.json`` (names, shapes and types). An example
is an episode; what lies in its ``steps`` are rows, all else is known of the episode. Encoded pictures stay as they are.
"""
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._errors import DataError
from ..sources import About, LeftOut, Recording, Remark, Rows
from . import _example

name = "rlds"
summary = "RLDS and TFDS datasets of TFRecord files (Open X-Embodiment), without TensorFlow"


def _folders(path: str) -> list[str]:
    """The folders below a path that are such a dataset: itself, or its configurations and versions."""
    found = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        if "dataset_info.json" in files and "features.json" in files:
            found.append(folder)
            folders.clear()
        elif os.path.relpath(folder, path).count(os.sep) > 2:
            folders.clear()
    return found


def sniff(path: str) -> bool:
    """Whether a folder is a TFDS dataset, or has such."""
    return os.path.isdir(path) and bool(_folders(path))


def _json(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise DataError(f"{path}: is damaged: {error}") from None


def recordings(paths: list[str]) -> Iterator[Recording | LeftOut | Remark]:
    """A recording for each record of the TFRecord files, in the order of the splits."""
    for path in paths:
        folders = _folders(path)
        if not folders:
            raise DataError(f"{path}: has no folder with dataset_info.json and features.json")
        for folder in folders:
            prefix = "" if len(folders) == 1 else os.path.relpath(folder, path).replace(os.sep, "/") + "/"
            yield from _recordings(folder, prefix)


def _recordings(folder: str, prefix: str) -> Iterator[Recording | LeftOut | Remark]:
    info = _json(os.path.join(folder, "dataset_info.json"))
    form = info.get("fileFormat", "tfrecord")
    if form != "tfrecord":
        raise DataError(f"{folder}: its files are '{form}', and only 'tfrecord' is read")
    files = sorted(f for f in os.listdir(folder) if re.search(r"\.tfrecord(-\d+-of-\d+)?$", f))
    used = set()
    for split in info.get("splits") or []:
        own = [f for f in files if re.search(rf"(^|-){re.escape(split['name'])}\.tfrecord", f)]
        lengths = [int(n) for n in split.get("shardLengths") or []]
        if len(own) != len(lengths):
            raise DataError(f"{folder}: split '{split['name']}' has {len(own)} files, and dataset_info.json names "
                            f"{len(lengths)}")
        number = 0
        for file, expected in zip(own, lengths, strict=True):
            used.add(file)
            where = os.path.join(folder, file)
            count = 0
            for at, length in _example.records(where):
                yield Recording(f"{prefix}{split['name']}/{number:06d}", where, split=split["name"], bytes=length,
                                files=[where, os.path.join(folder, "features.json")],
                                data={"at": at, "length": length, "folder": folder})
                number += 1
                count += 1
            if count != expected:
                raise DataError(f"{where}: has {count} records, and dataset_info.json says {expected}")
    for file in files:
        if file not in used:
            yield LeftOut(os.path.join(folder, file), "is of no split that dataset_info.json names")


def _leaves(feature: dict[str, Any], path: str = "", steps: bool = False) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Path, feature, and whether it has a value for each step."""
    if "featuresDict" in feature:
        for name, one in (feature["featuresDict"].get("features") or {}).items():
            yield from _leaves(one, f"{path}/{name}" if path else name, steps)
    elif "sequence" in feature and not steps:
        yield from _leaves(feature["sequence"]["feature"], path, True)
    else:
        yield path, feature, steps


def read(recording: Recording) -> Iterator[Rows | About | Remark]:
    """The steps of an episode as rows of the stream ``steps``; what has no steps is known of the episode."""
    features = _json(os.path.join(recording.data["folder"], "features.json"))
    try:
        example = _example.example(_example.record(str(recording.path), recording.data["at"], recording.data["length"]))
    except DataError as error:
        raise DataError(str(error) if str(recording.path) in str(error) else
                        f"{recording.path}: the record at byte {recording.data['at']} {error}") from None
    channels: dict[str, Any] = {}
    values: dict[str, Any] = {}
    conventions: dict[str, Any] = {}
    seen: set[str] = set()
    for path, feature, steps in _leaves(features):
        if path not in example:
            if any(name.startswith(path + "/ragged") for name in example):
                seen.update(name for name in example if name.startswith(path + "/ragged"))
                yield Remark(f"'{path}' has another number of values in each step, which is not read; left out")
            continue
        seen.add(path)
        rows, said = _values(path, feature, example[path], steps)
        name = path.removeprefix("steps/")
        if steps:
            channels[name] = rows
            if said:
                conventions[name] = said
        elif len(rows):
            one = rows[0]
            values[name.replace("/", "_")] = one.tolist() if isinstance(one, np.ndarray) else one
    for name in sorted(set(example) - seen):
        yield Remark(f"'{name}' is in the record and not in features.json; left out")
    if not channels:
        raise DataError(f"{recording.path}: the record at byte {recording.data['at']} has no steps")
    count = max(len(rows) for rows in channels.values())
    for name, rows in channels.items():
        if len(rows) != count:
            raise DataError(f"{recording.path}: '{name}' has {len(rows)} steps where others have {count}")
    binary = {k for k, v in values.items() if isinstance(v, bytes)}
    for name in binary:
        yield Remark(f"'{name}' of the episode is bytes; left out")
    yield About(values={k: v for k, v in values.items() if k not in binary})
    yield Rows("steps", channels, conventions=conventions)


def _values(path: str, feature: dict[str, Any], found: Any, steps: bool) -> tuple[Any, dict[str, Any]]:
    """The values of a feature, one a step, and what is said of their form."""
    if "image" in feature or "video" in feature:
        image = feature.get("image") or {}
        return found, {"encoding": str(image.get("encodingFormat") or "png").lower()}
    if "text" in feature:
        return _texts(found), {}
    if "classLabel" in feature:
        return np.asarray(found, np.int64), {}
    tensor = feature.get("tensor")
    if tensor is None:
        raise DataError(f"'{path}' is of the class {feature.get('pythonClassName', '?')}, which is not read")
    dtype = tensor.get("dtype", "float32")
    if dtype in ("string", "object", "bytes"):
        return _texts(found), {}
    shape = [int(n) for n in (tensor.get("shape") or {}).get("dimensions") or []]
    if any(n < 0 for n in shape):
        raise DataError(f"'{path}' has the shape {shape}, of which one length is not fixed, which is not read")
    encoding = str(tensor.get("encoding") or "none").lower()
    if isinstance(found, list):
        if encoding not in ("bytes", "zlib"):
            raise DataError(f"'{path}' is bytes, and features.json says {dtype} without an encoding")
        import zlib
        parts = [zlib.decompress(v) if encoding == "zlib" else v for v in found]
        flat = np.concatenate([np.frombuffer(p, np.dtype(dtype).newbyteorder("<")) for p in parts]) if parts else \
            np.zeros(0, dtype)
    else:
        flat = found
    width = int(np.prod(shape)) if shape else 1
    if width == 0 or len(flat) % width:
        raise DataError(f"'{path}' has {len(flat)} values, which are no rows of the shape {shape}")
    rows = flat.reshape([-1, *shape])
    if dtype == "bfloat16":
        dtype = "float32"
    with np.errstate(all="ignore"):
        cast = rows.astype(np.dtype(dtype).newbyteorder("="))
    if cast.dtype.kind in "iu" and not np.array_equal(cast.astype(rows.dtype), rows):
        raise DataError(f"'{path}' has a value that is no {dtype}")
    return cast, {}


def _texts(found: Any) -> list[Any]:
    try:
        return [v.decode() for v in found]
    except UnicodeDecodeError:
        return list(found)
