"""The functions of libtrajpack, as ``trajpack.h`` declares them.

``ctypes.CDLL`` releases the GIL during every call. The library is found in ``$TRAJPACK_LIBRARY``, else in this
package, else in the release build of the checkout that this file lies in.
"""
from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Mapping
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from ._errors import MachineError, UsageError, from_status

ABI = 1
OK, END, CANCELLED, WAITING, NO_VIDEO = 0, 4, 5, 6, 7


class Error(Structure):
    """tp_error"""

    _fields_ = [("code", c_int32), ("message", c_char * 1024)]


class BatchView(Structure):
    """tp_batch_view"""

    _fields_ = [("memory", c_void_p), ("bytes", c_uint64), ("count", c_uint64), ("epoch", c_uint64),
                ("position", c_uint64), ("windows", c_void_p), ("datasets", c_void_p)]


class State(Structure):
    """tp_state"""

    _fields_ = [("version", c_uint64), ("digest", c_uint64), ("seed", c_uint64), ("epoch", c_uint64),
                ("position", c_uint64), ("weights", c_uint64), ("weights_epoch", c_uint64),
                ("later_weights", c_uint64), ("later_epoch", c_uint64)]


class Part(Structure):
    """tp_part"""

    _fields_ = [("rank", c_uint32), ("world", c_uint32), ("worker", c_uint32), ("workers", c_uint32),
                ("threads", c_uint32)]


_error = POINTER(Error)
_text = POINTER(c_void_p)  # char **: kept as an address, because it has to be freed
_status = c_int32

# Name: result, arguments. The order of the header.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "tp_version": (c_char_p, []),
    "tp_abi": (c_int32, []),
    "tp_text_free": (None, [c_void_p]),
    "tp_bytes_free": (None, [c_void_p]),
    "tp_dataset_open": (_status, [c_char_p, POINTER(c_void_p), _error]),
    "tp_dataset_free": (None, [c_void_p]),
    "tp_dataset_describe": (_status, [c_void_p, _text, _error]),
    "tp_dataset_episodes": (_status, [c_void_p, c_int64, c_int64, _text, _error]),
    "tp_dataset_find_episode": (_status, [c_void_p, c_char_p, POINTER(c_int64), _error]),
    "tp_dataset_episode": (_status, [c_void_p, c_int64, _text, _error]),
    "tp_dataset_values": (_status, [c_void_p, _text, _error]),
    "tp_dataset_statistics": (_status, [c_void_p, _text, _error]),
    "tp_dataset_measure": (_status, [c_void_p, c_char_p, _text, _error]),
    "tp_dataset_side_file": (_status, [c_void_p, c_char_p, c_char_p, _text, _error]),
    "tp_dataset_split": (_status, [c_void_p, c_char_p, _text, _error]),
    "tp_dataset_read": (_status, [c_void_p, c_int64, c_char_p, c_int64, c_int64, c_char_p, c_void_p, c_size_t,
                                  c_void_p, c_size_t, _error]),
    "tp_dataset_times": (_status, [c_void_p, c_int64, c_int64, c_int64, c_void_p, _error]),
    "tp_dataset_read_bytes": (_status, [c_void_p, c_int64, c_char_p, c_int64, c_int64, POINTER(c_void_p), c_void_p,
                                        c_void_p, _error]),
    "tp_video_register": (_status, [c_void_p, _error]),
    "tp_dataset_set_media": (_status, [c_void_p, c_char_p, c_int32, _error]),
    "tp_dataset_describe_frames": (_status, [c_void_p, c_int64, c_char_p, _text, _error]),
    "tp_dataset_read_frames": (_status, [c_void_p, c_int64, c_void_p, c_size_t, c_char_p, c_void_p, c_size_t, _error]),
    "tp_loader_create": (_status, [POINTER(c_void_p), c_size_t, c_char_p, POINTER(c_void_p), _error]),
    "tp_loader_free": (None, [c_void_p]),
    "tp_loader_describe": (_status, [c_void_p, _text, _error]),
    "tp_loader_normalization": (_status, [c_void_p, _text, _error]),
    "tp_loader_next": (_status, [c_void_p, POINTER(c_void_p), _error]),
    "tp_loader_wait": (_status, [c_void_p, c_int32]),
    "tp_batch_look": (None, [c_void_p, POINTER(BatchView)]),
    "tp_batch_repeated": (c_int32, [c_void_p]),
    "tp_batch_free": (None, [c_void_p]),
    "tp_loader_set_part": (_status, [c_void_p, POINTER(Part), _error]),
    "tp_loader_lend": (_status, [c_void_p, c_void_p, c_size_t, _error]),
    "tp_loader_set_weights": (_status, [c_void_p, c_uint32, c_void_p, c_size_t, _error]),
    "tp_loader_replace_weights": (_status, [c_void_p, POINTER(c_void_p), POINTER(c_size_t), c_size_t, _error]),
    "tp_loader_read": (_status, [c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t, _error]),
    "tp_loader_order": (_status, [c_void_p, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, _error]),
    "tp_loader_locate": (_status, [c_void_p, c_uint32, c_uint64, POINTER(c_int64), POINTER(c_int64),
                                   POINTER(c_int64), _error]),
    "tp_loader_locate_all": (_status, [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, _error]),
    "tp_loader_clips": (_status, [c_void_p, c_uint32, _text, _error]),
    "tp_loader_clip_rows": (_status, [c_void_p, c_uint32, c_uint64, c_char_p, c_void_p, c_size_t, POINTER(c_size_t),
                                      _error]),
    "tp_loader_texts": (_status, [c_void_p, c_char_p, c_void_p, c_void_p, c_size_t, POINTER(c_void_p), c_void_p,
                                  c_void_p, _error]),
    "tp_loader_get_state": (None, [c_void_p, POINTER(State)]),
    "tp_loader_set_state": (_status, [c_void_p, POINTER(State), _error]),
    "tp_loader_seek": (_status, [c_void_p, c_uint64, c_uint64, _error]),
    "tp_loader_stats": (_status, [c_void_p, _text, _error]),
    "tp_loader_cancel": (None, [c_void_p]),
}


def find() -> Path:
    """Where the library lies."""
    named = os.environ.get("TRAJPACK_LIBRARY")
    if named:
        return Path(named)
    found = beside("libtrajpack.so", "libtrajpack-c.so")
    if found is None:
        raise MachineError("libtrajpack.so is not in this package; install it with 'pip install ./tools/python', "
                           "or name the file in TRAJPACK_LIBRARY")
    return found


def beside(installed: str, built: str) -> Path | None:
    """A library in this package, else in the release build of the checkout that this file lies in."""
    here = Path(__file__).resolve().parent
    inside = here / "_native" / installed
    if inside.exists():
        return inside
    for folder in here.parents:
        found = folder / ".build" / "release" / built
        if (folder / "Package.swift").exists() and found.exists():
            return found
    return None


def bind(path: Path, functions: Mapping[str, tuple[Any, list[Any]]], needs: str = "") -> ctypes.CDLL:
    """A library with the types of its functions set. ``needs``: what to say where it cannot be loaded."""
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise MachineError(f"{path} cannot be loaded: {error}{needs}") from None
    for name, (result, arguments) in functions.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise MachineError(f"{path} has no function {name}; it is of another version than this package") from None
        function.restype, function.argtypes = result, arguments
    return loaded


def check(status: int, error: Any) -> None:
    """Raises what a status other than TP_OK stands for."""
    if status != OK:
        raise from_status(status, error.message.decode("utf-8", "replace"))


class Library:
    """A library, loaded when it is first asked for: ``loaded`` has its functions, ``call`` raises their errors,
    ``text`` frees the JSON that they give.

    ``interface``: the function that tells its number, and the one that this package needs. ``free``: the function that
    frees texts. ``error``: the structure that functions take last. ``needs``: what to say where it cannot be loaded.
    """

    def __init__(self, find: Callable[[], Path], functions: Mapping[str, tuple[Any, list[Any]]],
                 interface: tuple[str, int], free: str, *, error: type[Structure] = Error, needs: str = "") -> None:
        self._find, self._functions, self._interface, self._free = find, functions, interface, free
        self._error, self._needs = error, needs
        self._loaded: ctypes.CDLL | None = None

    def loaded(self) -> ctypes.CDLL:
        """The library itself."""
        if self._loaded is None:
            path = self._find()
            loaded = bind(path, self._functions, self._needs)
            name, needed = self._interface
            if (found := getattr(loaded, name)()) != needed:
                raise MachineError(f"{path} has the interface {found} and this package needs {needed}; install both "
                                   "anew")
            self._loaded = loaded
        return self._loaded

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that takes an error last, and raises it."""
        error = self._error()
        status = getattr(self.loaded(), name)(*arguments, byref(error))
        if status == NO_VIDEO:
            from . import _video_ffi  # only where frames are wanted
            _video_ffi.load()
            status = getattr(self.loaded(), name)(*arguments, byref(error))
        check(status, error)

    def text(self, name: str, *arguments: Any) -> Any:
        """Calls a function that gives JSON out last but the error, and parses it."""
        out = c_void_p()
        self.call(name, *arguments, byref(out))
        return json.loads(self.take(out.value) or "null")

    def take(self, address: int | None) -> str:
        """The text at an address, which is freed; "" where there is none."""
        try:
            return ctypes.string_at(address).decode("utf-8", "replace") if address else ""
        finally:
            getattr(self.loaded(), self._free)(c_void_p(address))


def part(functions: Mapping[str, tuple[Any, list[Any]]], error: type[Structure] = Error) -> Library:
    """libtrajpack, as one of its headers declares it."""
    needed = {name: FUNCTIONS[name] for name in ("tp_abi", "tp_text_free")}
    return Library(find, {**functions, **needed}, ("tp_abi", ABI), "tp_text_free", error=error)


_reader = part(FUNCTIONS)
library, call, text = _reader.loaded, _reader.call, _reader.text


def register_video(table: int) -> None:
    """Gives the functions of libtrajpack-video to the library."""
    call("tp_video_register", c_void_p(table))


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    """A path as the library takes it."""
    try:
        raw = os.fsencode(path)
    except TypeError:
        raise UsageError(f"a path is a text, not {type(path).__name__}") from None
    return name_bytes(raw)


def name_bytes(name: str | bytes) -> bytes:
    """A name as the library takes it: UTF-8 without a zero byte."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise UsageError("a name or path has a zero byte in it")
    return raw
