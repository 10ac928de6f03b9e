"""What an episode that is being recorded uses of its writer: for type checkers only, so that neither module imports the
other."""
from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from ctypes import c_void_p
from fractions import Fraction
from typing import Any, Protocol

from ._columns import Rows
from ._schema import Channel


class WriterState(Protocol):
    """The writer of a recording: see :class:`trajpack.Writer`."""

    path: str
    #: The process that opened it.
    _process: int
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

    def _refuse_lacking(self, stream: str, names: Iterable[str], where: str) -> None:
        """Refuses the first rows of a stream without a channel that is described, before they are taken."""

    def _described(self) -> set[str]:
        """The streams of which something was said when the writer was made."""

    def _no_stream(self, stream: str) -> str:
        """The sentence for a stream that is not there."""

    def _mine(self) -> c_void_p:
        """The library's writer; refuses a closed one, and another process."""
