"""OWAMcap (Open World Agents): MCAP files of JSON messages, whose pictures of the screen lie in videos beside them.

Every topic is a stream on its log times. Of a topic whose messages have a ``media_ref``, the frames of the linked video
are a stream of their own, ``screen/video``: its packets are taken over as they are. Needs the package ``mcap``.
"""
from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlparse

from .._errors import DataError, UsageError
from .._words import counted
from ..sources import About, LeftOut, Recording, Remark, Rows, Video

name = "owamcap"
summary = "OWAMcap sessions: topics of JSON messages, and the videos that they link"
_MAGIC = b"\x89MCAP0\r\n"


def _mcap() -> Any:
    try:
        import mcap.reader
    except ImportError:
        raise UsageError("the source 'owamcap' needs the package 'mcap': pip install 'trajpack[owamcap]'") from None
    return mcap.reader


def _files(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    return sorted(os.path.join(folder, file) for folder, _, files in os.walk(path) for file in files
                  if file.lower().endswith(".mcap"))


def sniff(path: str) -> bool:
    """Whether a file is an MCAP of the profile ``owa``, or a folder has such."""
    for file in _files(path)[:1]:
        with open(file, "rb") as f:
            head = f.read(256)
        return head.startswith(_MAGIC) and head[17:24] == b"\x03\0\0\0owa"
    return False


def recordings(paths: list[str]) -> Iterator[Recording | LeftOut]:
    """A recording for each file; the videos that it links are files of it."""
    reader = _mcap()
    for path in paths:
        for file in _files(path):
            place = os.path.relpath(file, path) if os.path.isdir(path) else os.path.basename(file)
            videos = []
            with open(file, "rb") as f:
                try:
                    for _, channel, message in reader.make_reader(f).iter_messages():
                        if channel.message_encoding == "json" and b'"media_ref"' in message.data:
                            linked = _linked(file, json.loads(message.data))
                            if linked and linked not in videos:
                                videos.append(linked)
                except Exception as error:      # of the package mcap and of JSON
                    raise DataError(f"{file}: is damaged: {error}") from None
            there = [v for v in videos if os.path.isfile(v)]
            yield Recording(os.path.splitext(place)[0], file, files=[file, *there])


def _linked(file: str, message: Any) -> str | None:
    """The video file of a message; None where its picture is in the message or on a server."""
    ref = message.get("media_ref") if isinstance(message, dict) else None
    uri = ref.get("uri") if isinstance(ref, dict) and ref.get("pts_ns") is not None else None
    if not isinstance(uri, str):
        return None
    parts = urlparse(uri)
    if parts.scheme not in ("", "file"):
        return None
    path = unquote(parts.path) if parts.scheme else uri
    return os.path.normpath(os.path.join(os.path.dirname(file), path))


def read(recording: Recording) -> Iterator[Rows | Video | About | Remark]:
    """The topics of a file, and the videos that they link."""
    reader = _mcap()
    topics: dict[str, dict[str, Any]] = {}
    skipped: dict[str, tuple[int, str]] = {}
    with open(recording.path, "rb") as f:
        file = reader.make_reader(f)
        header = file.get_header()
        for schema, channel, message in file.iter_messages():
            if channel.message_encoding != "json":
                count = skipped.get(channel.topic, (0, ""))[0]
                skipped[channel.topic] = (count + 1, f"its messages are {channel.message_encoding!r}, not JSON")
                continue
            topic = topics.setdefault(channel.topic, {"type": schema.name if schema else "", "t": [], "p": [], "v": []})
            value = json.loads(message.data)
            topic["t"].append(message.log_time)
            topic["p"].append(message.publish_time)
            topic["v"].append(value if isinstance(value, dict) else {"value": value})
    if not topics:
        raise DataError(f"{recording.path}: has no JSON message")
    # Times count from the first message, as those of MCAP files do.
    origin = min(min(found["t"]) for found in topics.values())
    yield About(metadata={"start_time_ns": origin, "profile": header.profile, "library": header.library})
    for name, (count, why) in skipped.items():
        yield Remark(f"topic '{name}': {why}; {counted(count, 'message')} left out")
    for name in sorted(topics):
        yield from _topic(str(recording.path), name, topics[name], origin)


def _topic(file: str, topic: str, found: dict[str, Any], origin: int) -> Iterator[Rows | Video | Remark]:
    stream = topic.strip("/") or "messages"
    order = sorted(range(len(found["t"])), key=lambda i: (found["t"][i], i))
    logged = [found["t"][i] for i in order]
    times = [t - origin for t in logged]
    values = [_flat(found["v"][i]) for i in order]
    published = [found["p"][i] for i in order]
    links = [_linked(file, found["v"][i]) for i in order]
    channels: dict[str, Any] = {}
    for name in dict.fromkeys(name for value in values for name in value):
        channels[name] = _column([value.get(name) for value in values])
    if any(link is None and isinstance(v.get("media_ref/uri"), str) and v["media_ref/uri"].startswith("data:")
           for link, v in zip(links, values, strict=True)):
        pictures = [_picture(v.get("media_ref/uri")) for v in values]
        channels["picture"] = pictures
        # The bytes are in 'picture'; what is left says what they are.
        channels["media_ref/uri"] = [u.partition(",")[0] if p is not None else u for u, p in
                                     zip(channels["media_ref/uri"], pictures, strict=True)]
    if published != logged:
        channels["publish_time"] = published
    channels = {name: rows for name, rows in channels.items() if rows is not None}
    if not channels:
        yield Remark(f"topic '{topic}': its messages are empty; {counted(len(times), 'message')} left out")
    else:
        yield Rows(stream, channels, time=times, tick="1/1000000000",
                   attributes={"topic": topic, "message_type": found["type"]})
    names = [v for v in dict.fromkeys(links) if v is not None]
    for number, video in enumerate(names):
        rows = [i for i, link in enumerate(links) if link == video]
        if not os.path.isfile(video):
            yield Remark(f"topic '{topic}': its video {video} is not there; {counted(len(rows), 'frame')} left out")
            continue
        yield Video(f"{stream}/video" + (f" {number + 1}" if number else ""), video, time=[times[i] for i in rows],
                    tick="1/1000000000", pts=[values[i]["media_ref/pts_ns"] for i in rows],
                    attributes={"topic": topic})


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, dict):
            out.update(_flat(one, f"{prefix}{name}/"))
        else:
            out[f"{prefix}{name}"] = one
    return out


def _column(values: list[Any]) -> Any:
    """Values of a field as rows: numbers, arrays of one length, texts, else JSON; None where there are none."""
    there = [v for v in values if v is not None]
    if not there:
        return None
    kinds = {type(v) for v in there}
    if kinds <= {bool} and len(there) == len(values):
        return values
    if kinds <= {int, float}:
        return [float(v) if v is not None else None for v in values] if float in kinds else values
    if kinds == {str}:
        return values
    if kinds == {list} and len({len(v) for v in there}) == 1 and there[0] and all(
            type(x) in (int, float) for v in there for x in v):
        return values
    return [None if v is None else json.dumps(v) for v in values]


def _picture(uri: Any) -> bytes | None:
    """The bytes of a picture that is in the message."""
    if not isinstance(uri, str) or not uri.startswith("data:"):
        return None
    head, _, body = uri.partition(",")
    try:
        return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote(body).encode()
    except ValueError as error:
        raise DataError(f"a picture in a message is damaged: {error}") from None
