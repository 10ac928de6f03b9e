"""What a data set says of itself: streams, channels, splits, as plain values."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._errors import UsageError, nearest
from ._words import counted, lines_of, printable

#: The dtypes that channels of numbers have.
TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool")


@dataclass(frozen=True)
class Channel:
    """One named array of a stream: every row has ``shape`` and ``type``."""

    stream: str
    name: str
    kind: str
    type: str
    shape: tuple[int, ...] = ()
    units: str | None = None
    description: str | None = None
    conventions: Mapping[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] | None = None
    missing: str = "never"

    @property
    def path(self) -> str:
        """``stream/channel``."""
        return f"{self.stream}/{self.name}"

    def __str__(self) -> str:
        shape = "".join(f"[{n}]" for n in self.shape)
        units = f" {self.units}" if self.units else ""
        return printable(f"{self.name}: {self.type}{shape} {self.kind}{units}")


@dataclass(frozen=True)
class Stream:
    """A table of rows that share a schema and a clock. ``entities`` is the most that an episode has; 0 where
    the stream belongs to the episode itself. ``rate`` is rows a ``time_unit``, as text ("30", "30000/1001"),
    or None where it differs or times are data."""

    name: str
    description: str | None
    time_unit: str
    rate: str | None
    rows: int
    tracks: int
    entities: int
    skeleton: str | None
    attributes: Mapping[str, Any]
    channels: Mapping[str, Channel]

    def __getitem__(self, name: str) -> Channel:
        if name not in self.channels:
            raise UsageError(f"stream '{self.name}' has no channel '{name}'{nearest(name, self.channels)}")
        return self.channels[name]

    def __repr__(self) -> str:
        head = f"{self.name}: {counted(self.rows, 'row')}, {counted(len(self.channels), 'channel')}"
        head += f", {self.rate} Hz" if self.rate and self.time_unit == "s" else ""
        head += f", up to {self.entities} entities" if self.entities else ""
        return lines_of([head, *(f"  {channel}" for channel in self.channels.values())])


class Named(dict[str, Any]):
    """A dict whose KeyError is a sentence that suggests the nearest name."""

    def __init__(self, what: str, items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self._what = what

    def __missing__(self, name: str) -> Any:
        raise UsageError(f"there is no {self._what} '{name}'{nearest(str(name), self)}")

    def __reduce__(self) -> Any:
        return Named, (self._what, dict(self))


def streams(document: list[dict[str, Any]]) -> Named:
    """The streams of a description, by name."""
    found: dict[str, Stream] = {}
    for one in document:
        channels = {
            c["name"]: Channel(
                one["name"], c["name"], c["kind"], c["type"], tuple(c.get("shape") or ()), c.get("units"),
                c.get("description"), c.get("conventions") or {},
                tuple(c["categories"]) if c.get("categories") is not None else None, c.get("missing") or "never")
            for c in one["channels"]}
        found[one["name"]] = Stream(
            one["name"], one.get("description"), one.get("time_unit") or "s", one.get("rate"), one.get("rows", 0),
            one.get("tracks", 0), one.get("entities", 0), one.get("skeleton"), one.get("attributes") or {}, channels)
    return Named("stream", found)


def resolve(known: Mapping[str, Stream], path: str) -> tuple[Stream, Channel | None]:
    """The stream and channel of ``"stream"`` or ``"stream/channel"``; names of streams may hold slashes."""
    if not isinstance(path, str):
        raise UsageError(f"a path is a text, 'stream' or 'stream/channel', not {path!r}")
    if path in known:
        return known[path], None
    for name in sorted(known, key=len, reverse=True):
        if path.startswith(name + "/"):
            stream = known[name]
            return stream, stream[path[len(name) + 1:]]
    names = [*known, *(c.path for s in known.values() for c in s.channels.values())]
    raise UsageError(f"there is no stream or channel '{path}'{nearest(path, names)}")
