"""The frames of a video stream of an episode."""
from __future__ import annotations

import json
from ctypes import c_void_p
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _ffi, _options
from ._errors import UsageError
from ._take import take
from ._words import counted, lines_of, printable
from .episode import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from .column import Column

Format = Literal["rgb24", "gray8", "gray16", "native"]


class Video(Table):
    """A video of an episode: row n is the n-th frame in the order of presentation.

    ``episode["rgb"][10:20]`` decodes exactly these frames into a fresh array: ``[T, H, W, 3]`` uint8 of colours,
    ``[T, H, W]`` uint8 or uint16 of a video that has nothing but brightness, the stored samples. ``read`` gives other
    formats and sizes. ``episode["rgb"]["pts"]`` is a column of its packets.

    Rotation that a file asks players for is not applied: ``info["rotation"]``.
    """

    @property
    def info(self) -> dict[str, Any]:
        """``frames``, ``codec``, ``width``, ``height``, ``pixel_format``, ``color_range``, ``color_space``,
        ``rotation`` (degrees clockwise or None), ``groups`` (of pictures), and of a frame ``dtype``, ``shape``,
        ``format``, ``bytes``."""
        return dict(self._described)

    @cached_property
    def _described(self) -> dict[str, Any]:
        return self._describe(b"{}")

    def _describe(self, options: bytes) -> dict[str, Any]:
        return _ffi.text("tp_dataset_describe_frames",  # type: ignore[no-any-return]
                         self.episode.dataset._pointer, self.tracks[0].number, options)

    @property
    def depth(self) -> dict[str, Any] | None:
        """What the samples of a video of depth mean: ``encoding``, ``scale``, ``offset``, ``near``, ``far``, ``units``,
        ``invalid``, ``measured``; None where the data set does not say it."""
        said = self.stream.attributes.get("depth")
        return dict(said) if said else None

    @property
    def shape(self) -> tuple[int, ...]:
        """``(frames, height, width)``, and 3 after it for colours."""
        return (len(self), *self._described["shape"])

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 where samples have more than 8 bits."""
        kind: np.dtype[Any] = np.dtype(self._described["dtype"])
        return kind

    def __getitem__(self, index: Any) -> Any:
        """A frame, or frames, by a row, a slice, a list of rows or a mask; a :class:`Column` by its name."""
        if isinstance(index, str):
            return super().__getitem__(index)
        return take(index, len(self), f"'{self.stream.name}'", self._run, self._rows)

    def read(self, frames: Iterable[int] | None = None, format: Format | None = None,
             size: tuple[int, int] | None = None, layout: Literal["THWC", "TCHW"] | None = None,
             crop: tuple[int, int, int, int] | None = None,
             depth: str | Mapping[str, Any] | None = None) -> NDArray[Any]:
        """Frames by their numbers, in any order and with repetitions; all by default.

        format
            "rgb24" (uint8 of full range, by the matrix and range that the stream states; BT.601 and limited where it
            states none), "gray8" and "gray16" (the stored brightness, never converted to another range), "native" (the
            decoder's planes one after the other: ``[T, bytes]`` uint8). By default gray where a video has nothing but
            brightness, else "rgb24".
        size
            ``(height, width)``; gray takes the nearest sample, floor((x + 0.5) w / W); colours a triangle filter.
        layout
            "THWC" or "TCHW" for colours.
        crop
            ``(top, left, height, width)`` of the stored picture, which ``size`` scales then.
        depth
            Distances instead of samples, float32, NaN where there is none: in a unit ("m"), or by an encoding where the
            data set does not say what samples mean (:attr:`depth`): ``{"encoding": "linear", "scale": 0.001, "units":
            "m", "invalid": [0]}``. Refused where nobody says it.
        """
        wanted = list(range(len(self))) if frames is None else [_options.whole(f, "frames") for f in frames]
        for frame in wanted:
            if not 0 <= frame < len(self):
                raise UsageError(f"'{self.stream.name}' has {counted(len(self), 'frame')}, so there is no frame "
                                 f"{frame}")
        given = {"format": format, "size": None if size is None else list(size), "layout": layout,
                 "crop": None if crop is None else list(crop), 
                 "depth": depth if depth is None or isinstance(depth, str) else dict(depth)}
        chosen = {k: v for k, v in given.items() if v is not None}
        return self._decode(wanted, json.dumps(chosen).encode(), self._describe(json.dumps(chosen).encode()))

    def _run(self, first: int, count: int) -> NDArray[Any]:
        return self._rows(range(first, first + count))

    def _rows(self, rows: Iterable[int]) -> NDArray[Any]:
        return self._decode(list(rows), b"{}", self._described)

    def _decode(self, wanted: list[int], options: bytes, described: dict[str, Any]) -> NDArray[Any]:
        out = np.empty((len(wanted), *described["shape"]), described["dtype"])
        row = int(described["bytes"])
        numbers = np.asarray(wanted, np.int64)
        start = 0
        for track in self.tracks:
            inside = np.flatnonzero((numbers >= start) & (numbers < start + track.rows))
            self._decode_track(track.number, numbers[inside] - start, inside, out, row, options)
            start += track.rows
        return out

    def _decode_track(self, track: int, frames: NDArray[np.int64], places: NDArray[np.int64], out: NDArray[Any],
                      row: int, options: bytes) -> None:
        """In pieces of frames that lie side by side in the result."""
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        for part, at in zip(np.split(frames, breaks), np.split(places, breaks), strict=True):
            if part.size:
                part = np.ascontiguousarray(part)
                _ffi.call("tp_dataset_read_frames", self.episode.dataset._pointer, track,
                          c_void_p(part.ctypes.data), len(part), options,
                          c_void_p(out.ctypes.data + int(at[0]) * row), len(part) * row)

    def columns(self) -> list[Column]:
        """The columns of its packets: packet, pts, dts, duration, keyframe."""
        return [super(Video, self).__getitem__(name) for name in self.stream.channels]

    def __repr__(self) -> str:
        metadata = self.tracks[0].metadata
        shown = (f"{metadata.get('codec')} {metadata.get('width')} x {metadata.get('height')} "
                 f"{metadata.get('pixel_format')}, {metadata.get('stored')}")
        return lines_of([printable(f"{self.stream.name}: {counted(len(self), 'frame')}, {shown}")])


__all__ = ["Video"]
