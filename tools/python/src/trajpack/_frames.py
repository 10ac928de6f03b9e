"""Videos as they are written: a file, frames that are files or packets already, or pictures in arrays."""
from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import DataError, UsageError
from ._schema import Channel

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The channel of compressed frames, by which a stream of videos is known.
PACKET = "packet"


@dataclass
class Frames:
    """The video of a stream: the path of a file, or packets; ``count``: how many frames, where that is known."""

    stream: str
    path: str | None
    packets: list[bytes]
    times: Any

    @property
    def count(self) -> int:
        """Frames, where they are packets; else 1, for there is at least one."""
        return len(self.packets) or 1


def channels(stream: str, time: str | None) -> list[Channel]:
    """The channels of a stream of videos; ``time``: the dtype of its explicit times, or None."""
    def ticks(name: str, description: str) -> Channel:
        return Channel(stream, name, "label", "int64", (), None, description, {}, None, "sentinel")

    timed = [] if time is None else [Channel(stream, "time", "scalar", time, (), None, "when the frame is")]
    return [
        Channel(stream, PACKET, "packet", "bytes", (), None,
                "the compressed frame; offset -1 where its bytes do not lie in one piece"),
        ticks("pts", "time of presentation, in ticks of the track's time base"),
        ticks("dts", "time of decoding, in ticks; the order of dts is that of decoding"),
        ticks("duration", "ticks"),
        Channel(stream, "keyframe", "label", "uint8", (), None, "1 where decoding may begin"),
        *timed]


def frames(stream: str, source: Any, times: Any, where: str) -> Frames:
    """What ``Recording.video`` was given."""
    if isinstance(source, (str, os.PathLike)):
        return Frames(stream, os.path.abspath(os.fsdecode(source)), [], times)
    if isinstance(source, (bytes, bytearray, memoryview)):
        raise UsageError(f"{where}: a video is the path of a file, a list of frames or an array, not the bytes of one; "
                         "write them to a file, or give [frame, frame, ...]")
    if not isinstance(source, Iterable):
        raise UsageError(f"{where}: a video is the path of a file, a list of frames or an array, not "
                         f"{type(source).__name__}")
    packets = [_packet(one, f"{where}, frame {number}") for number, one in enumerate(source)]
    if not packets:
        raise UsageError(f"{where}: there are no frames")
    return Frames(stream, None, packets, times)


def _packet(value: Any, where: str) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if hasattr(value, "__array__") or hasattr(value, "dtype"):
        return png(np.asarray(value), where)
    raise UsageError(f"{where}: a frame is the bytes of a picture or packet, or an array, not {type(value).__name__}")


def png(picture: NDArray[Any], where: str) -> bytes:
    """A PNG file of a picture: ``[height, width]`` of uint8 or uint16, ``[height, width, 1, 3 or 4]`` of uint8; each
    row as the difference from the one above."""
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or 0 in picture.shape:
        raise DataError(f"{where}: a picture is [height, width] or [height, width, 1, 3 or 4], not "
                        f"{list(picture.shape)}")
    height, width, samples = picture.shape
    if picture.dtype == np.uint16 and samples == 1:
        rows = picture.astype(">u2").view(np.uint8).reshape(height, width * 2)
    elif picture.dtype == np.uint8:
        rows = np.ascontiguousarray(picture).reshape(height, width * samples)
    else:
        raise DataError(f"{where}: a picture is uint8, or uint16 of one sample a pixel, not {picture.dtype} of "
                        f"{samples}")
    # PNG (ISO/IEC 15948), 9.2: filter type 2, Up.
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    colours = {1: 0, 3: 2, 4: 6}[samples]
    head = struct.pack(">IIBBBBB", width, height, 8 * picture.dtype.itemsize, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b"")))


__all__ = ["PACKET", "Frames", "channels", "frames", "png"]
