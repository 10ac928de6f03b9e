"""libtrajpack-video, which decodes frames and alone loads FFmpeg: loaded when frames are first wanted.

The library is found in ``$TRAJPACK_VIDEO_LIBRARY``, else beside the one that reads.
"""
from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_int32, c_void_p
from ctypes.util import find_library
from pathlib import Path

from . import _ffi
from ._errors import MachineError

#: The major of libavcodec of each FFmpeg, for what errors say.
_RELEASES = {58: "4", 59: "5", 60: "6", 61: "7", 62: "8"}
_loaded: ctypes.CDLL | None = None


def find() -> Path:
    """Where the library lies."""
    named = os.environ.get("TRAJPACK_VIDEO_LIBRARY")
    if named:
        return Path(named)
    reader = os.environ.get("TRAJPACK_LIBRARY")
    if reader and (near := Path(reader).with_name("libtrajpack-video.so")).exists():
        return near
    found = _ffi.beside("libtrajpack-video.so", "libtrajpack-video.so")
    if found is None:
        raise MachineError("libtrajpack-video.so, which decodes frames of videos, is not in this package; install it "
                           "with 'pip install ./tools/python', or name the file in TRAJPACK_VIDEO_LIBRARY")
    return found


def load() -> None:
    """Loads the library and gives its functions to the one that reads; once."""
    global _loaded
    if _loaded is not None:
        return
    path = find()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise MachineError(f"{path} cannot be loaded: {error}{_needs()}") from None
    try:
        library.tpv_functions_table.restype, library.tpv_functions_table.argtypes = c_void_p, []
        library.tpv_versions.restype = None
        library.tpv_versions.argtypes = [POINTER(c_int32), POINTER(c_int32)]
    except AttributeError:
        raise MachineError(f"{path} has no function tpv_functions_table; it is of another version than this package") \
            from None
    built, found = c_int32(), c_int32()
    library.tpv_versions(byref(built), byref(found))
    table = library.tpv_functions_table()
    if not table:
        raise MachineError(f"{path} was built without video: build it with the package trait Video")
    if built.value != found.value:
        raise MachineError(f"{path} was built for {_release(built.value)} and finds none{_needs()}")
    _ffi.register_video(table)
    _loaded = library


def _release(major: int) -> str:
    known = _RELEASES.get(major)
    return f"FFmpeg {known} (libavcodec {major})" if known else f"libavcodec {major}"


def _needs() -> str:
    """What to install, and which FFmpeg is there instead."""
    text = ("; frames of videos need FFmpeg 5 (on Debian and Ubuntu: apt-get install libavcodec59 libavformat59 "
            "libswscale6), everything else does not")
    name = find_library("avcodec")
    major = name.rpartition(".")[2] if name else ""
    return f"{text}; here is {_release(int(major))}" if major.isdigit() and int(major) != 59 else text
