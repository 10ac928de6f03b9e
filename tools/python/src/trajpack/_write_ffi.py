"""libtrajpack-write, loaded when something is first written.

The library is found in ``$TRAJPACK_WRITE_LIBRARY``, else beside the one that reads.
"""
from __future__ import annotations

import os
from pathlib import Path

from . import _ffi
from ._bindings import TPW_ABI, TRAJPACK_WRITE
from ._errors import MachineError


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


_writer = _ffi.Library(find, TRAJPACK_WRITE, ("tpw_abi", TPW_ABI), "tpw_text_free",
                       needs="; writing needs libhdf5 (on Debian and Ubuntu: apt-get install libhdf5-103-1), reading "
                             "does not")
library, call, text = _writer.loaded, _writer.call, _writer.text
