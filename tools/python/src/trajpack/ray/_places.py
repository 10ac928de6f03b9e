"""Where a data set of Ray's tasks lies."""
from __future__ import annotations

import os

from ..dataset import Dataset
from ..dataset import open as open_dataset

#: How a path begins that is meant on the driver's node only, as Ray Data has it.
LOCAL = "local://"


def opened(given: str | os.PathLike[str] | Dataset) -> tuple[Dataset, bool]:
    """A data set, and whether only the driver's node has it."""
    if isinstance(given, Dataset):
        return given, False
    path = os.fspath(given)
    if path.startswith(LOCAL):
        return open_dataset(path[len(LOCAL):]), True
    return open_dataset(path), False


def shares(count: int, parts: int, unit: int = 1) -> list[tuple[int, int]]:
    """``count`` things in at most ``parts`` runs of whole units, (first, count) of each; the last unit may be cut."""
    units = -(-count // unit)
    runs = []
    for part in range(min(parts, units)):
        first = units * part // min(parts, units) * unit
        end = min(units * (part + 1) // min(parts, units) * unit, count)
        runs.append((first, end - first))
    return runs
