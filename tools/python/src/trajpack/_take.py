"""Rows by a numpy index, read in as few runs as pay off."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def take(index: Any, rows: int, name: str, run: Callable[[int, int], Any],
         some: Callable[[Any], Any] | None = None) -> Any:
    """The rows that a numpy index names, and what the rest of the index takes of each.

    ``run(first, count)`` reads neighbouring rows; ``some(rows)``, where there is one, any rows: then nothing is read
    that is not wanted.
    """
    rest: tuple[Any, ...] = ()
    if isinstance(index, tuple):
        index, rest = (index[0], index[1:]) if index else (slice(None), ())
    if index is Ellipsis:
        index, rest = slice(None), (Ellipsis, *rest) if rest else ()
    if isinstance(index, (int, np.integer)) and not isinstance(index, (bool, np.bool_)):
        if not -rows <= index < rows:
            raise IndexError(f"{name} has {rows} rows, so there is no row {index}")
        out = run(int(index) % rows, 1)[0]
        return out[rest] if rest else out
    if isinstance(index, slice):
        out = _sliced(range(*index.indices(rows)), run, some)
        return out[(slice(None), *rest)] if rest else out
    wanted = np.asarray(index)
    if wanted.dtype == bool:
        if wanted.shape != (rows,):
            raise IndexError(f"a mask of {name} has {rows} elements, not {wanted.shape}")
        wanted = np.flatnonzero(wanted)
    if wanted.size == 0:
        wanted = wanted.astype(np.int64)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
        raise IndexError(f"{name} takes a row, a slice, a list of rows or a mask, not {index!r}")
    if wanted.size and (wanted.min() < -rows or wanted.max() >= rows):
        raise IndexError(f"{name} has {rows} rows, and {index!r} has one outside")
    wanted = np.where(wanted < 0, wanted + rows, wanted)
    if wanted.size == 0:
        out = run(0, 0)
    elif some is not None:
        out = some(wanted.tolist())
    elif int(wanted.max() - wanted.min()) < 4 * wanted.size + 4096:
        low = int(wanted.min())
        near = run(low, int(wanted.max()) - low + 1)
        out = [near[i - low] for i in wanted] if isinstance(near, list) else near[wanted - low]
    else:
        parts = [run(int(i), 1) for i in wanted]
        out = [p for part in parts for p in part] if isinstance(parts[0], list) else np.concatenate(parts)
    return out[(slice(None), *rest)] if rest else out


def _sliced(steps: range, run: Callable[[int, int], Any], some: Callable[[Any], Any] | None) -> Any:
    if not steps:
        return run(0, 0)
    if steps.step == 1:
        return run(steps[0], len(steps))
    if some is not None:
        return some(steps)
    low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1])
    return run(low, high - low + 1)[::steps.step]
