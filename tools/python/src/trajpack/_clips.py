"""Clips: stretches of recordings by name, as windows."""
from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from ctypes import byref, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError
from ._watching import Watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TUPLE = ("episode", "start", "length", "rate", "id", "label")


def given(clips: Any) -> Any:
    """The option ``clips`` as the library takes it: a name or path, or a list of objects."""
    if clips is None or isinstance(clips, str):
        return clips
    if isinstance(clips, os.PathLike):
        path = os.fsdecode(clips)
        # A name without a folder is that of a saved list.
        return path if "/" in path else f"./{path}"
    for method, arguments in (("to_dicts", ()), ("to_dict", ("records",))):
        if not isinstance(clips, Mapping) and hasattr(clips, method):    # frames of polars and pandas
            clips = getattr(clips, method)(*arguments)
    if isinstance(clips, Mapping) or not isinstance(clips, Iterable):
        raise UsageError(f"option 'clips' is {type(clips).__name__}, but must be a list of clips, a path or a name",
                         option="clips")
    return [_clip(number, one) for number, one in enumerate(clips)]


def _clip(number: int, clip: Any) -> dict[str, Any]:
    if isinstance(clip, Mapping):
        members = {str(name): value for name, value in clip.items()}
    elif isinstance(clip, Iterable) and not isinstance(clip, (str, bytes)):
        values = list(clip)
        if not 3 <= len(values) <= len(_TUPLE):
            raise UsageError(f"option 'clips': clip {number} has {len(values)} values, but a tuple is (episode, start, "
                             "rows or seconds, rate, id, label), the last three if you like", option="clips")
        members = dict(zip(_TUPLE, values, strict=False))
        # As in 'offsets': whole numbers are rows, floats, fractions and texts seconds.
        length = members.pop("length")
        members["rows" if hasattr(length, "__index__") else "seconds"] = length
    else:
        raise UsageError(f"option 'clips': clip {number} is {clip!r}, but must be a dict or a tuple (episode, start, "
                         "rows or seconds, rate)", option="clips")
    out: dict[str, Any] = {}
    for name, value in members.items():
        if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
            continue    # an empty cell of a frame
        if name in ("start", "seconds", "rate"):
            value = _options.seconds(value, f"clips[{number}].{name}")
        elif name in ("start_row", "rows", "dataset") and not isinstance(value, str):
            value = _options.plain(value)
        else:
            value = str(value) if not isinstance(value, (bool, bytes)) else _options.plain(value)
        out[name] = value
    return out


class Clipped(Watched):
    """What a loader tells of the clips that its windows are."""

    def clips(self, dataset: int = 0) -> list[dict[str, Any]] | None:
        """The clips that windows of data set ``dataset`` are, in the order of their numbers; None without ``clips``.

        Each is a dict of ``id``, ``episode``, ``start`` or ``start_row``, ``rows``, what was given of ``rate``,
        ``unit`` and ``label``; ``number``, its place in the list, as ``meta:clip`` has it; and ``row``, the row of the
        reference stream nearest to its start.
        """
        out: list[dict[str, Any]] | None = _ffi.text("tp_loader_clips", self._open(), self._member(dataset))
        return out

    def clip_rows(self, window: int, stream: str, dataset: int = 0) -> NDArray[np.int64]:
        """The rows (of a video: the frames) of a stream that are nearest to the instants of a clip, of two equally near
        ones the earlier; −1 where the stream has none. ``[rows]`` int64, counted from the stream's first row in the
        episode. The stream need not be among the ``channels``; it may not be one of entities."""
        rows = np.empty(self.length, np.int64)
        count = c_size_t()
        _ffi.call("tp_loader_clip_rows", self._open(), self._member(dataset), _options.whole(window, "window", 0),
                  _ffi.name_bytes(stream), rows.ctypes.data_as(c_void_p), len(rows), byref(count))
        return rows[:count.value]


__all__ = ["Clipped", "given"]
