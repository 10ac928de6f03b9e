"""The schema of what is written: declared, or inferred from the first episode with hints."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import _frames, _options
from ._columns import Rows
from ._errors import UsageError, nearest
from ._schema import TYPES, Channel, Stream

#: The stream of channels that are named without one.
FRAMES = "frames"
_KINDS = ("scalar", "position", "direction", "quaternion", "angle", "matrix", "intrinsics", "categorical", "label",
          "event", "image", "depth", "text")
_HINTS = ("dtype", "shape", "kind", "units", "description", "conventions", "categories", "missing")
_STREAM_HINTS = ("rate", "tick", "time_unit", "description", "skeleton")


def split(path: str) -> tuple[str, str]:
    """Stream and channel of a path whose streams are not known yet."""
    if not isinstance(path, str):
        raise UsageError(f"a channel's name is a text, not {type(path).__name__}")
    stream, slash, channel = path.rpartition("/")
    return (stream, channel) if slash else (FRAMES, channel)


def hints(given: Mapping[str, Any] | None, what: str, known: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """``{name: {hint: value}}``, with unknown hints refused."""
    out: dict[str, dict[str, Any]] = {}
    for name, one in _options.members(given, what + "s").items():
        if isinstance(one, Channel):
            one = hint_of(one)
        if not isinstance(one, Mapping):
            raise UsageError(f"{what} '{name}' is described by {type(one).__name__}, but must be by a dict such as "
                             f"{{'{known[0]}': ...}}")
        for key in one:
            if key not in known:
                raise UsageError(f"{what} '{name}': there is no '{key}'{nearest(str(key), known)}")
        out[str(name)] = {k: v for k, v in one.items() if v is not None}
    return out


def hint_of(channel: Channel) -> dict[str, Any]:
    """What a channel is, as hints have it."""
    return {"dtype": channel.type, "shape": channel.shape, "kind": channel.kind, "units": channel.units,
            "description": channel.description, "conventions": channel.conventions, "categories": channel.categories,
            "missing": channel.missing != "never"}


def stream_hints(given: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    return hints(given, "stream", _STREAM_HINTS)


def channel_hints(given: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    out = {"/".join(split(name)): one for name, one in hints(given, "channel", _HINTS).items()}
    for path, one in out.items():
        # What cannot be is refused here, not when the first episode has been recorded.
        channel(*split(path), type_of(path, one.get("dtype", "float64")), one.get("shape", ()), one)
    return out


def declared(schema: Mapping[str, Any]) -> dict[str, list[Channel]]:
    """The channels of a full declaration, by stream: ``{path: {"dtype": ...}, stream: "video"}``, or the streams of a
    data set."""
    schema = _options.members(schema, "schema")
    out: dict[str, list[Channel]] = {}
    if schema and all(isinstance(s, Stream) for s in schema.values()):
        films = {name: s for name, s in schema.items() if any(c.kind == _frames.PACKET for c in s.channels.values())}
        for name, one in films.items():
            time = one.channels.get("time")
            out[name] = _frames.channels(name, None if time is None else time.type)
        schema = {c.path: c for name, s in schema.items() if name not in films for c in s.channels.values()}
    for name in [name for name, one in schema.items() if isinstance(one, str) and one == "video"]:
        out[name] = _frames.channels(name, None)
    schema = {path: one for path, one in schema.items() if not (isinstance(one, str) and one == "video")}
    for path, one in channel_hints(schema).items():
        stream, name = split(path)
        if "dtype" not in one:
            raise UsageError(f"channel '{path}' of the schema has no dtype; give one, or leave the schema to the first "
                             "episode and describe channels with channels=...")
        out.setdefault(stream, []).append(channel(stream, name, type_of(path, one["dtype"]), one.get("shape", ()), one))
    if not out:
        raise UsageError("the schema has no channels")
    return out


def inferred(stream: str, name: str, rows: Rows, hint: Mapping[str, Any]) -> Channel:
    """The channel that rows are of."""
    if rows.is_text:
        dtype = "int32" if "categories" in hint else "bytes"
        return channel(stream, name, type_of(f"{stream}/{name}", hint.get("dtype", dtype)), (), hint)
    assert isinstance(rows.values, np.ndarray)
    dtype = type_of(f"{stream}/{name}", hint.get("dtype", rows.values.dtype.name))
    found = {**hint}
    if rows.categories is not None:
        found.setdefault("categories", rows.categories)
    if rows.missing is not None and rows.missing.any():
        found.setdefault("missing", True)
        if "dtype" not in hint and dtype not in ("int32", "int64", "float32", "float64"):
            dtype = "int32" if np.dtype(dtype).itemsize < 4 and dtype != "bool" else "int64"
    return channel(stream, name, dtype, hint.get("shape", rows.values.shape[1:]), found)


def channel(stream: str, name: str, dtype: str, shape: Any, hint: Mapping[str, Any]) -> Channel:
    """A channel with what is said of it, and defaults for the rest."""
    path = f"{stream}/{name}"
    try:
        shape = tuple(int(n) for n in (shape if isinstance(shape, Iterable) else [shape]))
    except (TypeError, ValueError):
        raise UsageError(f"channel '{path}': a shape is whole numbers, not {shape!r}") from None
    categories = hint.get("categories")
    if categories is not None:
        if isinstance(categories, str) or not isinstance(categories, Iterable):
            raise UsageError(f"channel '{path}': categories are a list of names, not {categories!r}")
        categories = tuple(str(c) for c in categories)
    kind = hint.get("kind") or ("text" if dtype == "bytes" else "categorical" if categories is not None
                                else "image" if dtype == "uint8" and len(shape) >= 2
                                else "scalar" if dtype.startswith("float") else "label")
    if kind not in _KINDS:
        raise UsageError(f"channel '{path}': there is no kind '{kind}'{nearest(str(kind), _KINDS)}")
    may = hint.get("missing", dtype.startswith("float"))
    if not isinstance(may, (bool, np.bool_)):
        raise UsageError(f"channel '{path}': missing is True or False, not {may!r}")
    missing = "never" if not may else "nan" if dtype.startswith("float") else "sentinel"
    conventions = hint.get("conventions") or {}
    if not isinstance(conventions, Mapping):
        raise UsageError(f"channel '{path}': conventions are a dict such as {{'order': 'xyzw'}}, not {conventions!r}")
    return Channel(stream, name, kind, dtype, shape, _text(path, "units", hint), _text(path, "description", hint),
                   dict(conventions), categories, missing)


def _text(path: str, key: str, hint: Mapping[str, Any]) -> str | None:
    value = hint.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"'{path}': {key} is a text, not {value!r}")
    return value


def type_of(path: str, value: Any) -> str:
    if value in ("bytes", "text", str):
        return "bytes"
    try:
        name: str = np.dtype(value).newbyteorder("=").name
    except TypeError:
        raise UsageError(f"channel '{path}': {value!r} is no dtype{nearest(str(value), TYPES)}") from None
    if name not in TYPES:
        raise UsageError(f"channel '{path}': trajpack has no dtype {name}{nearest(name, TYPES)}")
    return name


def skeletons(given: Any) -> dict[str, list[list[int]]]:
    """Edges between joints, by the skeleton's name."""
    out: dict[str, list[list[int]]] = {}
    for name, edges in _options.members(given, "skeletons").items():
        try:
            out[name] = [[_options.whole(a, "joint", 0), _options.whole(b, "joint", 0)] for a, b in edges]
        except (TypeError, ValueError):
            raise UsageError(
                f"skeleton '{name}' is a list of pairs of joints, [(0, 1), (1, 2)], not {edges!r}") from None
    return out


def is_video(channels: Iterable[Channel]) -> bool:
    """Whether these are the channels of a stream of videos."""
    return any(c.kind == _frames.PACKET for c in channels)


def document(streams: Mapping[str, list[Channel]], about: Mapping[str, Mapping[str, Any]],
             skeletons: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that the library takes; ``about``: what is known of each stream."""
    def plain(members: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in members.items() if v is not None and v != {} and v != "never"}

    for name in about:
        if name not in streams:
            raise UsageError(f"there is no stream '{name}' to describe{nearest(name, streams)}")
    return {
        "streams": [
            plain({"name": name, "time_unit": _text(name, "time_unit", about.get(name, {})) or "s",
                   "description": _text(name, "description", about.get(name, {})),
                   "skeleton": _text(name, "skeleton", about.get(name, {})),
                   "attributes": {k: str(about[name][k]) for k in ("rate", "tick") if k in about.get(name, {})}
                   | ({"video": True} if is_video(channels) else {})})
            | {"channels": [
                plain({"name": c.name, "kind": c.kind, "type": c.type, "units": c.units, "description": c.description,
                       "conventions": dict(c.conventions), "missing": c.missing,
                       "categories": None if c.categories is None else list(c.categories)}) | {"shape": list(c.shape)}
                for c in channels]}
            for name, channels in streams.items()],
        "skeletons": [{"name": name, "edges": edges} for name, edges in skeletons.items()],
        "attributes": dict(attributes),
    }
