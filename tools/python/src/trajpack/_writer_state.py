"""What an episode that is being recorded uses of its writer: for type checkers only, so that neither module imports the
other."""
from __future__ import annotations

import threading
import weakref
from ctypes import c_void_p
from fractions import Fraction
from typing import Any, Protocol

from ._columns import Rows
from ._schema import Channel


class WriterState(Protocol):
    """The writer of a recording: see :class:`trajpack.Writer`."""

    path: str
    #: Held while the library's writer is used.
    _lock: threading.RLock
    #: The channels of each stream; empty until there is a schema.
    _channels: dict[str, list[Channel]]
    #: Path of a channel: stream and name.
    _paths: dict[str, tuple[str, str]]
    #: What was declared of each stream.
    _about: dict[str, dict[str, Any]]
    #: The recordings that are open.
    _recordings: weakref.WeakSet[Any]

    def _rate(self, stream: str) -> Fraction | None:
        """Rows a unit of time of a stream with a regular clock."""

    def _infer(self, found: dict[str, dict[str, Rows]], ticks: dict[str, Fraction],
               films: dict[str, list[Channel]]) -> None:
        """Declares what the rows and videos of a first episode are."""

    def _mine(self) -> c_void_p:
        """The library's writer; refuses a closed one, and another process."""
