"""Serves the sources of this Python to the program ``trajpack``, over a socket that it has handed down.

A request is four bytes of length (little-endian) and JSON. An answer is frames: a letter, four bytes of length, and
``J`` JSON, ``B`` bytes of a column that was announced, ``E`` an error as JSON; ``Z`` ends it.
"""
from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _columns, _options, sources
from .._errors import DataError, TrajpackError
from .._schema import Channel
from .._version import __version__
from ..sources import About, LeftOut, Recording, Remark, Rows, Video
from .facts import Facts, Piece, texts

#: The most bytes of a frame, and so about what this side holds beside the piece that the source has made.
FRAME = 4 << 20
#: Frames and requests as they are now.
PROTOCOL = 1
#: What is said of where an error is.
_PLACE = ("file", "episode", "stream", "channel", "line", "row", "byte")


class Peer:
    """The program at the other end of a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def requests(self) -> Iterator[dict[str, Any]]:
        """Requests, until the program is gone."""
        while head := self._read(4):
            yield json.loads(self._read(struct.unpack("<I", head)[0]))

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            part = self._connection.recv(min(count, 1 << 20))
            if not part:
                return b""
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def json(self, document: Any, letter: bytes = b"J") -> None:
        text = json.dumps(document, allow_nan=False).encode()
        self._connection.sendall(letter + struct.pack("<I", len(text)) + text)

    def bytes(self, given: Any) -> None:
        """Bytes of an array, in frames."""
        view = memoryview(given).cast("B") if not isinstance(given, bytes) else memoryview(given)
        for at in range(0, len(view), FRAME):
            part = view[at:at + FRAME]
            self._connection.sendall(b"B" + struct.pack("<I", len(part)))
            self._connection.sendall(part)

    def end(self) -> None:
        self._connection.sendall(b"Z\0\0\0\0")


def serve(connection: socket.socket) -> None:
    """Answers requests, one after the other, until the program closes the connection: it may do so within an answer
    that it refuses, and has said why."""
    peer = Peer(connection)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for request in peer.requests():
            try:
                _ANSWERS[request["do"]](peer, request)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:      # of somebody else's code
                peer.json(_failure(error, request), b"E")
                continue
            peer.end()


def _failure(error: Exception, request: dict[str, Any]) -> dict[str, Any]:
    """An error as a sentence, and where it is."""
    out: dict[str, Any] = {"code": getattr(error, "code", 1) or 1}
    if isinstance(error, TrajpackError):
        out["message"] = str(error)
        out["place"] = {name: value for name in _PLACE if (value := getattr(error.place, name)) is not None}
        return out
    said = str(error).strip().replace("\n", " ") or "no reason was given"
    step = next((s for s in reversed(traceback.extract_tb(error.__traceback__))
                 if not s.filename.startswith(os.path.dirname(os.path.dirname(__file__)))), None)
    place = f" ({os.path.basename(step.filename)}, line {step.lineno})" if step else ""
    name = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    out["message"] = f"the source '{request.get('source')}' failed: {name}{said}{place}"
    return out


def _hello(peer: Peer, request: dict[str, Any]) -> None:
    peer.json({
        "protocol": PROTOCOL, "version": __version__, "python": sys.executable,
        "sources": [{"name": one.name, "package": one.package, "version": one.version, "why": one.why,
                     "summary": str(getattr(one.source, "summary", "") or "")} for one in sources.installed()]})


def _sniff(peer: Peer, request: dict[str, Any]) -> None:
    found, failed = sources.recognise(request["paths"])
    peer.json({"source": found.name if found else None, "version": found.version if found else "", "failed": failed})


def _recordings(peer: Peer, request: dict[str, Any]) -> None:
    for one in sources.source(request["source"]).source.recordings(request["paths"]):
        if isinstance(one, Recording):
            if not isinstance(one.id, str) or not one.id:
                raise DataError(f"the id of a recording is a text, not {one.id!r}")
            path = os.fspath(one.path)
            peer.json({"id": one.id, "path": path, "files": [os.fspath(f) for f in one.files] or [path],
                       "split": one.split, "bytes": one.bytes, "fingerprint": one.fingerprint,
                       "data": _options.plain(one.data)})
        elif isinstance(one, LeftOut):
            peer.json({"left_out": os.fspath(one.path), "why": one.why})
        elif isinstance(one, Remark):
            peer.json({"remark": one.text})
        else:
            raise DataError(f"recordings() yields Recording, LeftOut and Remark, not {type(one).__name__}")


def _pieces(request: dict[str, Any], facts: Facts, other: Any) -> Iterator[Piece]:
    """The pieces of a recording; what is no rows goes to ``other``."""
    told = request["recording"]
    recording = Recording(told["id"], told["path"], tuple(told["files"]), told["split"], told["bytes"],
                          told["fingerprint"], told["data"])
    for one in sources.source(request["source"]).source.read(recording):
        if isinstance(one, Rows):
            yield facts.add(one)
        elif isinstance(one, Video):
            yield facts.video(one)
        elif isinstance(one, (About, Remark)):
            other(one)
        else:
            raise DataError(f"read() yields Rows, Video, About and Remark, not {type(one).__name__}")


def _examine(peer: Peer, request: dict[str, Any]) -> None:
    """What a recording holds, and its times; of the rows nothing."""
    facts = Facts(request["recording"]["id"])
    about = About({}, {})
    remarks = []

    def other(one: About | Remark) -> None:
        if isinstance(one, Remark):
            remarks.append(one.text)
        else:
            about.values = {**about.values, **one.values}
            about.metadata = {**about.metadata, **one.metadata}

    for piece in _pieces(request, facts, other):
        if piece.times is not None:
            _times(peer, piece)
    peer.json({"streams": [s.json() for s in facts.streams.values()], "values": _options.plain(dict(about.values)),
               "metadata": _options.plain(dict(about.metadata)), "remarks": remarks})


def _times(peer: Peer, piece: Piece) -> None:
    times = np.ascontiguousarray(piece.times, "<i8" if piece.times.dtype == np.int64 else "<f8")
    peer.json({"stream": piece.stream.name, "bytes": times.nbytes, "type": times.dtype.name})
    peer.bytes(times)


def _read(peer: Peer, request: dict[str, Any]) -> None:
    """The rows of a recording, as the channels of the schema have them."""
    facts = Facts(request["recording"]["id"])
    wanted = {s["name"]: {c["name"]: Channel(
        s["name"], c["name"], c["kind"], c["type"], tuple(c["shape"]), missing=c.get("missing") or "never",
        categories=tuple(c["categories"]) if c.get("categories") is not None else None) for c in s["channels"]}
        for s in request["streams"]}
    filled: dict[tuple[str, str], int] = {}
    for piece in _pieces(request, facts, lambda one: None):
        name = piece.stream.name
        if piece.times is not None:
            _times(peer, piece)
        for channel, rows in piece.columns.items():
            where = facts.where(name, channel)
            if channel not in wanted.get(name, {}):
                if request["skips"]:
                    continue
                raise DataError(f"{where}: was not there when the recording was read before; read() must give the same "
                                "on every run")
            target = wanted[name][channel]
            if isinstance(rows, list):
                values, raw = texts(rows, where)
            elif rows.is_text and target.type == "bytes":
                values, raw = texts(rows.values, where)  # type: ignore[arg-type]
            else:
                values, raw = _columns.encode(rows, target, where)
            # Texts of later pieces lie behind those before.
            at = filled.get((name, channel), 0)
            if target.type == "bytes":
                values[values[:, 0] >= 0, 0] += at
                filled[name, channel] = at + len(raw)
            values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
            peer.json({"stream": name, "channel": channel, "count": piece.count, "bytes": values.nbytes,
                       "text": len(raw), "at": at})
            peer.bytes(values)
            peer.bytes(raw)


_ANSWERS = {"hello": _hello, "sniff": _sniff, "recordings": _recordings, "examine": _examine, "read": _read}


def main() -> None:
    """Serves over the descriptor 3. Ctrl-C is the program's to handle: when it ends, the socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(3, False)
    serve(socket.socket(fileno=3))
