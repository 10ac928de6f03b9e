"""The functions of libtrajpack-write, as ``trajpack_write.h`` declares them: loaded when something is first written.

The library is found in ``$TRAJPACK_WRITE_LIBRARY``, else beside the one that reads.
"""
from __future__ import annotations

import os
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from . import _ffi
from ._errors import MachineError

ABI = 1


class Column(Structure):
    """tpw_column"""

    _fields_ = [("values", c_void_p), ("bytes", c_size_t), ("text", c_void_p), ("text_bytes", c_size_t)]


_error = POINTER(_ffi.Error)
_out = POINTER(c_void_p)

# Name: result, arguments. The order of the header.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "tpw_abi": (c_int32, []),
    "tpw_text_free": (None, [c_void_p]),
    "tpw_writer_open": (c_int32, [c_char_p, c_char_p, _out, _error]),
    "tpw_writer_free": (None, [c_void_p]),
    "tpw_writer_leave": (None, [c_void_p]),
    "tpw_writer_schema": (c_int32, [c_void_p, _out, _error]),
    "tpw_writer_declare": (c_int32, [c_void_p, c_char_p, _error]),
    "tpw_writer_counts": (c_int32, [c_void_p, _out, _error]),
    "tpw_writer_refuse_taken": (c_int32, [c_void_p, c_char_p, _error]),
    "tpw_writer_close": (c_int32, [c_void_p, _error]),
    "tpw_episode_begin": (c_int32, [c_void_p, c_char_p, _out, _error]),
    "tpw_episode_track": (c_int32, [c_void_p, c_char_p, POINTER(c_int64), _error]),
    "tpw_episode_rows": (c_int32, [c_void_p, c_int64, c_int64, POINTER(Column), c_size_t, _error]),
    "tpw_episode_commit": (c_int32, [c_void_p, _error]),
    "tpw_episode_free": (None, [c_void_p]),
}

def find() -> Path:
    """Where the library lies."""
    named = os.environ.get("TRAJPACK_WRITE_LIBRARY")
    if named:
        return Path(named)
    reader = os.environ.get("TRAJPACK_LIBRARY")
    if reader and (near := Path(reader).with_name("libtrajpack-write.so")).exists():
        return near
    found = _ffi.beside("libtrajpack-write.so", "libtrajpack-write.so")
    if found is None:
        raise MachineError("libtrajpack-write.so, which writes data sets, is not in this package; install it with "
                           "'pip install ./tools/python', or name the file in TRAJPACK_WRITE_LIBRARY")
    return found


_writer = _ffi.Library(find, FUNCTIONS, ("tpw_abi", ABI), "tpw_text_free",
                       needs="; writing needs libhdf5 (on Debian and Ubuntu: apt-get install libhdf5-103-1), reading "
                             "does not")
library, call, text = _writer.loaded, _writer.call, _writer.text
