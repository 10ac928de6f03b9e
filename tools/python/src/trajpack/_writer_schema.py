"""What a writer is told of its streams and channels, and what its data set has."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from ctypes import c_void_p
from fractions import Fraction
from typing import Any

from . import _clocks, _declare, _frames, _options, _write_ffi
from . import values as _values
from ._columns import Rows
from ._errors import UsageError, nearest, of_option
from ._schema import Channel
from ._warning import warn

_ONCE = "the first episode decides which streams and channels there are; schema=... declares more"


class WriterSchema:
    """The schema of a writer: declared, taken from the data set, or inferred from the first episode."""

    path: str
    _pointer: c_void_p
    #: The channels of each stream; empty until there is a schema.
    _channels: dict[str, list[Channel]]
    #: Path of a channel: stream and name.
    _paths: dict[str, tuple[str, str]]

    def _describe(self, rate: Any, channels: Any, streams: Any, skeletons: Any, attributes: Any, values: Any) -> None:
        """Takes what the first episode does not say."""
        self._channels, self._paths = {}, {}
        with of_option("channels"):
            self._hints = _declare.channel_hints(channels)
        with of_option("streams"):
            self._about = _declare.stream_hints(streams)
            for name, about in self._about.items():
                for key in ("rate", "tick"):
                    if key in about:
                        about[key] = _clocks.positive(about[key], f"{key} of '{name}'")
        with of_option("rate"):
            self._everywhere = None if rate is None or isinstance(rate, Mapping) else _clocks.positive(rate, "rate")
            for name, one in (rate.items() if isinstance(rate, Mapping) else ()):
                about = self._about.setdefault(str(name), {})
                if "rate" not in about:
                    about["rate"] = _clocks.positive(one, f"rate of '{name}'")
        with of_option("skeletons"):
            self._skeletons = _declare.skeletons(skeletons)
        with of_option("attributes"):
            self._attributes = _options.plain(_options.members(attributes, "attributes"), "attributes")
        with of_option("values"):
            self._values = _values.declared(values)
        if self._values:
            self._attributes["values"] = self._values

    def _planned(self, schema: Mapping[str, Any] | None) -> dict[str, list[Channel]] | None:
        """The channels of a declared schema; None where none is."""
        with of_option("schema"):
            return None if schema is None else self._timed(_declare.declared(schema))

    def _begin_schema(self, planned: dict[str, list[Channel]] | None) -> None:
        """The schema of the data set that was opened, to which what was given must fit."""
        given = {name: dict(about) for name, about in self._about.items()}
        there = self._take_schema()
        if not self._channels:
            if planned is not None:
                self._declare(planned, self._about)
            return
        if planned is not None:
            self._compare(planned)
        self._compare_described(given, {one["name"]: one for one in there})

    def _take_schema(self) -> list[dict[str, Any]]:
        """Takes what the data set has, and returns its streams as the library describes them."""
        document = _write_ffi.text("tpw_writer_schema", self._pointer)
        if document is None:
            return []
        for one in document["streams"]:
            self._channels[one["name"]] = [
                Channel(one["name"], c["name"], c["kind"], c["type"], tuple(c["shape"]), c.get("units"),
                        c.get("description"), c.get("conventions") or {},
                        tuple(c["categories"]) if c.get("categories") is not None else None,
                        c.get("missing") or "never")
                for c in one["channels"]]
            about = self._about.setdefault(one["name"], {})
            for key in ("rate", "tick"):
                said = (one.get("attributes") or {}).get(key)
                if said is not None and not (key == "rate" and self._everywhere is not None):
                    about.setdefault(key, Fraction(said))
            if self._everywhere is None and one["name"] in document["rates"]:
                about.setdefault("rate", Fraction(document["rates"][one["name"]]))
        # What a data set that is gone on with says of its values counts.
        there = list((document.get("attributes") or {}).get("values") or [])
        for one in self._values:
            if one not in there:
                raise UsageError(f"{self.path}: the value '{one['name']}' is not declared so there; leave it out of "
                                 "'values', and set it with 'trajpack annotate'", option="values")
        self._values = there
        self._paths = {c.path: (s, c.name) for s, cs in self._channels.items() for c in cs}
        return list(document["streams"])

    def _timed(self, streams: dict[str, list[Channel]]) -> dict[str, list[Channel]]:
        """With a channel for times, where a stream has no rate."""
        for name, channels in streams.items():
            if self._rate(name) is None and not any(c.name == "time" for c in channels):
                dtype = "int64" if "tick" in self._about.get(name, {}) else "float64"
                if _declare.is_video(channels):
                    channels[:] = _frames.channels(name, dtype)
                else:
                    channels.insert(0, Channel(name, "time", "scalar", dtype))
        return streams

    def _declare(self, streams: dict[str, list[Channel]], described: Mapping[str, Mapping[str, Any]]) -> None:
        about = {name: dict(described.get(name, {})) for name in {**streams, **described}}
        for name in streams:
            if (rate := self._rate(name)) is not None:
                about[name]["rate"] = rate
        with of_option("streams"):
            document = _declare.document(streams, about, self._skeletons, self._attributes)
        _write_ffi.call("tpw_writer_declare", self._pointer, _options.encode(document))
        self._take_schema()

    def _compare(self, planned: dict[str, list[Channel]]) -> None:
        """A schema that is declared for a data set that has one must be the same in what rows are."""
        for stream, channels in planned.items():
            there = {c.name: c for c in self._channels.get(stream, [])}
            for c in channels:
                known = there.get(c.name)
                if known is None:
                    raise UsageError(f"{self.path} has no channel '{c.path}'{nearest(c.path, self._paths)}",
                                     option="schema")
                if (known.type, known.shape) != (c.type, c.shape):
                    raise UsageError(f"{self.path}: channel '{c.path}' is {known.type} {list(known.shape)} there and "
                                     f"{c.type} {list(c.shape)} in the declared schema", option="schema")

    def _compare_described(self, given: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]) -> None:
        """What is said of streams and channels of a data set that has them must be so; the rate may be another one in
        new episodes."""
        for stream, about in given.items():
            if stream not in self._channels:
                raise UsageError(f"{self.path} has no stream '{stream}' to describe{nearest(stream, self._channels)}",
                                 option="streams")
            known = {**there[stream], "tick": (there[stream].get("attributes") or {}).get("tick")}
            for key in ("time_unit", "description", "skeleton", "tick"):
                one, said = known.get(key), about.get(key)
                if said is not None and (Fraction(one or 0) != Fraction(said) if key == "tick" else one != said):
                    raise UsageError(f"{self.path}: {key} of stream '{stream}' is {one!r} there, and {str(said)!r} in "
                                     "'streams'; what a data set has stays as it is", option="streams")
        for path, hint in self._hints.items():
            if path not in self._paths:
                raise UsageError(f"{self.path} has no channel '{path}'{nearest(path, self._paths)}", option="channels")
            stream, name = self._paths[path]
            channel = next(c for c in self._channels[stream] if c.name == name)
            hints = _declare.hint_of(channel)
            for key, one in _declare.hint_of(_declare.channel(
                    stream, name, _declare.type_of(path, hint.get("dtype", channel.type)),
                    hint.get("shape", channel.shape), hint)).items():
                if key in hint and one != hints[key]:
                    raise UsageError(f"{self.path}: {key} of channel '{path}' is {hints[key]!r} there, and {one!r} in "
                                     "'channels'; what a data set has stays as it is", option="channels")

    def _rate(self, stream: str) -> Fraction | None:
        """Rows a unit of time of a stream with a regular clock."""
        rate: Fraction | None = self._about.get(stream, {}).get("rate", self._everywhere)
        return rate

    def _refuse_lacking(self, stream: str, names: Iterable[str], where: str) -> None:
        """Refuses the first rows of a stream without a channel that is described, before they are taken."""
        names = list(names)
        for path in self._hints:
            if _declare.split(path)[0] == stream and _declare.split(path)[1] not in names:
                raise UsageError(f"{where}: channel '{path}' is described, but the rows do not have it"
                                 f"{nearest(_declare.split(path)[1], names)}", option="channels")

    def _described(self) -> set[str]:
        """The streams of which something was said when the writer was made."""
        return {*self._about, *(_declare.split(path)[0] for path in self._hints)}

    def _no_stream(self, stream: str) -> str:
        """The sentence for a stream that is not there."""
        why = f"; {_ONCE}" if stream in self._described() else nearest(stream, self._channels)
        return f"{self.path} has no stream '{stream}'{why}"

    def _infer(self, found: dict[str, dict[str, Rows]], ticks: dict[str, Fraction],
               films: dict[str, list[Channel]]) -> None:
        """Declares what the rows and videos of a first episode are."""
        for stream, tick in ticks.items():
            self._about.setdefault(stream, {}).setdefault("tick", tick)
        streams = {
            stream: [_declare.inferred(stream, name, rows, self._hints.get(f"{stream}/{name}", {}))
                     for name, rows in channels.items()]
            for stream, channels in found.items()} | films
        self._declare(streams, {name: about for name, about in self._about.items() if name in streams})
        # The episode is worth more than what was said of a stream that it does not have.
        for stream in sorted(self._described() - set(streams)):
            warn(f"{self.path}: stream '{stream}' is described, but the first episode does not have it"
                 f"{nearest(stream, streams)}; {_ONCE}")


__all__ = ["WriterSchema"]
