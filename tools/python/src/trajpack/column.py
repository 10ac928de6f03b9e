"""The rows of one channel, read as they are asked for."""
from __future__ import annotations

from collections.abc import Iterator
from ctypes import byref, c_void_p, string_at
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError, nearest
from ._schema import TYPES, Channel
from ._take import take
from ._words import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .episode import Table, Track


class Column:
    """A channel's rows. Indexing reads what it names, and no more, into a fresh array ``[rows, *shape]``; a
    channel of bytes gives lists of ``bytes``, of ``str`` where its kind is text, None where nothing is held."""

    def __init__(self, table: Table, channel: Channel) -> None:
        self.table = table
        self.channel = channel

    @property
    def dtype(self) -> np.dtype[Any]:
        """The channel's own type."""
        return np.dtype(object if self.channel.type == "bytes" else self.channel.type)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(rows, *row shape)``."""
        return (len(self.table), *self.channel.shape)

    @property
    def times(self) -> NDArray[np.float64]:
        """The time of every row."""
        return self.table.times

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names that the numbers of a categorical channel stand for."""
        return self.channel.categories

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: Any) -> Any:
        return self._take(index, lambda first, count: self._read(first, count, None)[0])

    def observed(self, index: Any = slice(None)) -> Any:
        """Which elements of those rows were observed: bool, of the shape that indexing gives."""
        if self.channel.type == "bytes":
            values = self._take(index, lambda first, count: self._bytes(first, count))
            return np.array([v is not None for v in values]) if isinstance(values, list) else values is not None
        return self._take(index, lambda first, count: self._read(first, count, None, mask=True)[1])

    def read(self, first: int = 0, count: int | None = None, dtype: Any = None) -> Any:
        """Rows ``[first, first + count)`` as ``dtype``, cast while they are read."""
        rows = len(self)
        first = _options.whole(first, "first")
        count = rows - first if count is None else _options.whole(count, "count")
        if first < 0 or count < 0 or first + count > rows:
            raise UsageError(f"'{self.channel.path}' has {rows} rows, so rows {first} to {first + count} lie outside")
        try:
            kind = None if dtype is None else np.dtype(dtype)
        except TypeError:
            raise UsageError(f"there is no dtype {dtype!r}{nearest(dtype, TYPES)}") from None
        return self._read(first, count, kind)[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("the rows of an archive can only be copied into an array")
        values = self._read(0, len(self), None)[0]
        return np.asarray(values, dtype=object if isinstance(values, list) else dtype)

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), 1024):
            yield from self._read(first, min(1024, len(self) - first), None)[0]

    def __repr__(self) -> str:
        return printable(f"<trajpack.Column {self.channel.path} {self.shape} {self.channel.type}>")

    def _take(self, index: Any, read: Any) -> Any:
        """Reads the rows that a numpy index names."""
        return take(index, len(self), f"'{self.channel.path}'", read)

    def _runs(self, first: int, count: int) -> Iterator[tuple[Track, int, int, int]]:
        """Track, first row in it, rows, and where they go."""
        start = 0
        for track in self.table.tracks:
            low, high = max(first, start), min(first + count, start + track.rows)
            if low < high:
                yield track, low - start, high - low, low - first
            start += track.rows

    def _read(self, first: int, count: int, dtype: Any, mask: bool = False) -> tuple[Any, Any]:
        if self.channel.type == "bytes":
            if dtype is not None:
                raise UsageError(f"'{self.channel.path}' holds bytes, which cannot be cast")
            return self._bytes(first, count), None
        kind = np.dtype(self.channel.type if dtype is None else dtype)
        out = np.empty((count, *self.channel.shape), kind)
        seen = np.empty(out.shape, bool) if mask else None
        row, elements = out[:1].nbytes, int(np.prod(self.channel.shape, dtype=np.int64))
        name = _ffi.name_bytes(self.channel.name)
        as_type = None if dtype is None else kind.name.encode()
        for track, start, rows, at in self._runs(first, count):
            _ffi.call("tp_dataset_read", self.table.episode.dataset._pointer, track.number, name, start, rows, as_type,
                      c_void_p(out.ctypes.data + at * row), rows * row,
                      c_void_p(seen.ctypes.data + at * elements) if seen is not None else None,
                      rows * elements if seen is not None else 0)
        return out, seen

    def _bytes(self, first: int, count: int) -> list[Any]:
        out: list[Any] = []
        as_text = self.channel.kind == "text"
        library = _ffi.library()
        for track, start, rows, _ in self._runs(first, count):
            memory = c_void_p()
            offsets = np.empty(rows + 1, np.int64)
            seen = np.empty(rows, np.uint8)
            _ffi.call("tp_dataset_read_bytes", self.table.episode.dataset._pointer, track.number,
                      _ffi.name_bytes(self.channel.name), start, rows, byref(memory), c_void_p(offsets.ctypes.data),
                      c_void_p(seen.ctypes.data))
            try:
                whole = string_at(memory.value, int(offsets[-1])) if memory.value and offsets[-1] else b""
            finally:
                library.tp_bytes_free(memory)
            for i, (low, high) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
                held = whole[low:high]
                out.append(None if not seen[i] else held.decode("utf-8", "replace") if as_text else held)
        return out
