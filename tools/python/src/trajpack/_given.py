"""What rows are given as: values by name, in dicts, frames or keywords, and the entity that they are of."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

import numpy as np

from ._errors import UsageError
from .episode import Entity

EntityLike = Union[Entity, str, "tuple[str, int]", "tuple[str, int, int]", None]


def entity(value: EntityLike) -> Entity | None:
    """The entity that is meant; of type -1 where none is said."""
    if value is None or isinstance(value, Entity):
        return value
    parts: tuple[Any, ...] = ()
    if isinstance(value, Iterable):
        parts = (value, 0) if isinstance(value, str) else tuple(value)
    if not 2 <= len(parts) <= 3 or not isinstance(parts[0], str):
        raise UsageError(f"an entity is a kind and an index, ('npc', 0), or those and a type; not {value!r}")
    try:
        return Entity(parts[0], int(parts[1]), int(parts[2]) if len(parts) == 3 else -1)
    except (TypeError, ValueError):
        raise UsageError(f"an entity's index and type are whole numbers, not {parts[1:]!r}") from None


def grouped(values: Any, channels: Mapping[str, Any],
            resolve: Callable[[str], tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """``{stream: {channel: value}}`` of what was given under whatever names."""
    if values is None:
        items = dict(channels)
    elif isinstance(values, Mapping) or _is_frame(values):
        items = _members(values)
        for name in channels:
            if name in items:
                raise UsageError(f"channel '{name}' is given twice")
        items.update(channels)
    else:
        raise UsageError(f"rows are given by name, as a dict, a DataFrame or keywords, not {type(values).__name__}")
    if not items:
        raise UsageError("no channel was given")
    out: dict[str, dict[str, Any]] = {}
    for key, value in items.items():
        if isinstance(value, Mapping) or _is_frame(value):
            given = [(str(key), str(name), one) for name, one in _members(value).items()]
        else:
            given = [(*resolve(str(key)), value)]
        for stream, name, one in given:
            there = out.setdefault(stream, {})
            if name in there:
                raise UsageError(f"channel '{stream}/{name}' is given twice")
            there[name] = one
    return out


def kept(value: Any) -> Any:
    """A value that stays as it is when its giver uses the memory again."""
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, np.ma.MaskedArray):
        return value.copy()
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        return np.array(value)
    return list(value) if isinstance(value, (list, tuple)) else value


def index_of(values: Any, stream: str, kinds: str) -> Any:
    """The index of a stream's frame of pandas, where it is of one of some kinds of numpy: "mM" for dates."""
    frame = values.get(stream) if isinstance(values, Mapping) else values
    index = getattr(frame, "index", None) if _is_frame(frame) else None
    return index if index is not None and getattr(index.dtype, "kind", "") in kinds else None


def _is_frame(value: Any) -> bool:
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns")


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {str(name): value[name] for name in value.columns}


__all__ = ["EntityLike", "entity", "grouped", "index_of", "kept"]
