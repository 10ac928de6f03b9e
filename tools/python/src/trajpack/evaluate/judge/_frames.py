"""Frames: encoded images of rows, from arrays, folders of images, or video files."""
from __future__ import annotations

import math
import os
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..._errors import DataError, MachineError, UsageError
from ._given import number, whole
from ._given import path as given_path

_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class Image:
    """An encoded picture: PNG or JPEG bytes and their media type."""

    data: bytes
    media: str

    @property
    def suffix(self) -> str:
        return ".png" if self.media == "image/png" else ".jpg"


class Frames(Protocol):
    """What holds the frames of one episode, one a row."""

    def images(self, rows: Sequence[int]) -> list[Image]:
        """The frames of these rows, in their order; a row that is not there is a :class:`trajpack.DataError`."""


class ArrayFrames:
    """Frames of an array ``[rows, height, width]`` or ``[rows, height, width, 3]`` uint8, encoded as PNG."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)
        shape = self._array.shape
        if self._array.dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3) or (
                0 in shape[1:]):
            raise UsageError(f"frames must be uint8 [rows, height, width] or [rows, height, width, 3], not "
                             f"{self._array.dtype} {shape}")

    def images(self, rows: Sequence[int]) -> list[Image]:
        _present(rows, len(self._array), "the array of frames")
        return [Image(png(self._array[row]), "image/png") for row in rows]


class FolderFrames:
    """A folder of PNG or JPEG files, the frames in the order of the numbers in their names; sent as they are."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = given_path(folder, "a folder of frames")
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is no folder; give one of PNG or JPEG files")
        try:
            files = [p for p in self.folder.iterdir() if p.suffix.lower() in _SUFFIXES]
        except OSError as error:
            raise MachineError(f"{self.folder} cannot be read: {error.strerror}") from None
        self._files = sorted(files, key=lambda p: [
            (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", p.name)])

    def images(self, rows: Sequence[int]) -> list[Image]:
        _present(rows, len(self._files), str(self.folder))
        return [self._image(self._files[row]) for row in rows]

    def _image(self, path: Path) -> Image:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}") from None
        for signature, media in _SIGNATURES.items():
            if data.startswith(signature):
                return Image(data, media)
        raise DataError(f"{path} is neither a PNG nor a JPEG file")


class VideoFrames:
    """A video file, decoded by the ``ffmpeg`` program; frame n is row n. Frames are scaled to ``height`` when they are
    higher, and come out as PNG, the same for the same file and ffmpeg."""

    def __init__(self, path: str | os.PathLike[str], *, height: int = 480, timeout: float = 300.0) -> None:
        self.path = given_path(path, "a video")
        self._height = whole(height, "the height of frames", 1, 1 << 16)
        self._timeout = number(timeout, "the timeout of a video in seconds", above=0)
        if not self.path.is_file():
            raise UsageError(f"{self.path} does not exist; give a video file or a folder of images")
        if shutil.which("ffmpeg") is None:
            raise MachineError("frames of a video need the ffmpeg program; install it, or give a folder of images")

    def images(self, rows: Sequence[int]) -> list[Image]:
        wanted = sorted(set(rows))
        chosen = "+".join(f"eq(n\\,{row})" for row in wanted)
        scale = f"scale=-2:'min({self._height},ih)':flags=bicubic+bitexact"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "file,pipe",
                   "-i", f"file:{self.path}", "-map", "0:v:0", "-vf", f"select='{chosen}',{scale}",
                   "-fps_mode", "passthrough", "-frames:v", str(len(wanted)), "-f", "image2pipe", "-c:v", "png",
                   "-bitexact", "-"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._timeout)
        except subprocess.TimeoutExpired:
            raise DataError(f"{self.path}: ffmpeg gave no frames within {self._timeout:g} s") from None
        except OSError as error:
            raise MachineError(f"ffmpeg cannot be run: {error.strerror}") from None
        found = _split_png(done.stdout)
        if done.returncode != 0 or len(found) < len(wanted):
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = f"; ffmpeg says: {said[0]}" if said else ""
            raise DataError(
                f"{self.path} gives {len(found)} of the {len(wanted)} frames {wanted[0]} to {wanted[-1]} that "
                f"are wanted{why}"
            )
        by_row = dict(zip(wanted, found, strict=True))
        return [Image(by_row[row], "image/png") for row in rows]


class Stepped:
    """Frames of another rate, or of a clip of the rows: row n is frame ``round(start + step * n)`` of ``frames``. A
    clip that begins at row k of a recording has ``start`` -k; rows before it have no frame."""

    def __init__(self, frames: Frames, start: float = 0.0, step: float = 1.0) -> None:
        self._frames = frames
        self._start = number(start, "the first frame")
        self._step = number(step, "the number of frames a row", above=0)

    def images(self, rows: Sequence[int]) -> list[Image]:
        places = [math.floor(self._start + self._step * row + 0.5) for row in rows]
        for row, place in zip(rows, places, strict=True):
            if place < 0:
                first = first_row(self._start, self._step)
                raise DataError(f"row {row} lies before the first generated frame, which is of row {first}")
        return self._frames.images(places)


def first_row(start: float, step: float) -> int:
    """The first row that has a frame where row n is frame ``round(start + step * n)``."""
    return max(0, math.ceil((-0.5 - start) / step))


def frames(source: Any, *, height: int = 480) -> Frames:
    """Frames of an array, a folder of images or a video file; what is already ``Frames`` stays."""
    if hasattr(source, "images"):
        found: Frames = source
        return found
    if isinstance(source, (str, os.PathLike)):
        return FolderFrames(source) if os.path.isdir(source) else VideoFrames(source, height=height)
    return ArrayFrames(source)


def chosen_rows(first: int, last: int, most: int) -> list[int]:
    """At most ``most`` rows from ``first`` to ``last``, evenly apart, both ends among them."""
    count = min(last - first + 1, most)
    if count == 1:
        return [first + (last - first) // 2]
    return [first + (last - first) * i // (count - 1) for i in range(count)]


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A PNG file of uint8 ``[height, width]`` or ``[height, width, 3]`` (W3C PNG, third edition)."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    # Each row begins with its filter: 0, none.
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def _split_png(stream: bytes) -> list[bytes]:
    """The whole PNG files that lie one after the other in a stream."""
    files: list[bytes] = []
    start = 0
    while start + 8 <= len(stream):
        at = start + 8
        while True:
            if at + 12 > len(stream):
                return files
            length, kind = struct.unpack_from(">I4s", stream, at)
            at += 12 + length
            if kind == b"IEND":
                break
        if at > len(stream):
            return files
        files.append(stream[start:at])
        start = at
    return files


def _present(rows: Sequence[int], count: int, what: str) -> None:
    for row in rows:
        if not 0 <= row < count:
            raise DataError(f"{what} has {count} frames, so there is no frame {row}")
