"""libtrajpack, loaded when it is first asked for, and its errors as exceptions.

``ctypes.CDLL`` releases the GIL during every call. The library is found in ``$TRAJPACK_LIBRARY``, else in this
package, else in the release build of the checkout that this file lies in.
"""
from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Mapping
from ctypes import byref, c_int32, c_void_p
from pathlib import Path
from typing import Any

from . import _patience
from ._bindings import TP_ABI, TP_NO_VIDEO, TP_OK, TRAJPACK, Error
from ._errors import MachineError, UsageError, from_status


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
    if status != TP_OK:
        raise from_status(status, error.message.decode("utf-8", "replace"), error.place.decode())


class Library:
    """A library, loaded when it is first asked for: ``loaded`` has its functions, ``call`` raises their errors,
    ``text`` frees the JSON that they give.

    ``interface``: the function that tells its number, and the one that this package needs. ``free``: the function that
    frees texts. ``needs``: what to say where it cannot be loaded.
    """

    def __init__(self, find: Callable[[], Path], functions: Mapping[str, tuple[Any, list[Any]]],
                 interface: tuple[str, int], free: str, *, needs: str = "") -> None:
        self._find, self._functions, self._interface, self._free = find, functions, interface, free
        self._needs = needs
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
        error = Error()
        status = self._status(name, arguments, error)
        if status == TP_NO_VIDEO:
            from . import _video_ffi  # only where frames are wanted
            _video_ffi.load()
            status = self._status(name, arguments, error)
        check(status, error)

    def _status(self, name: str, arguments: tuple[Any, ...], error: Error) -> int:
        """What a function returns. One that may wait for a server is ended by Ctrl-C."""
        loaded = self.loaded()
        function = getattr(loaded, name)
        if not (_Waits.remote and name.startswith(("tp_dataset_", "tp_loader_create"))):
            return int(function(*arguments, byref(error)))
        stop = c_int32(0)

        def run() -> int:
            loaded.tp_remote_set_stop(byref(stop))
            try:
                return int(function(*arguments, byref(error)))
            finally:
                loaded.tp_remote_set_stop(None)
        return _patience.until(run, stop, "trajpack.remote")

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


class _Waits:
    """Whether calls may wait for a server."""

    remote = False


def expect_waits() -> None:
    """From now on calls may wait for a server."""
    _Waits.remote = True


def part(functions: Mapping[str, tuple[Any, list[Any]]]) -> Library:
    """libtrajpack, with the functions of one of its headers."""
    needed = {name: TRAJPACK[name] for name in ("tp_abi", "tp_text_free")}
    return Library(find, {**functions, **needed}, ("tp_abi", TP_ABI), "tp_text_free")


_reader = part(TRAJPACK)
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
    if not raw:
        raise UsageError("a path is an empty text, which names no file and no folder")
    return name_bytes(raw)


def name_bytes(name: str | bytes) -> bytes:
    """A name as the library takes it: UTF-8 without a zero byte."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise UsageError("a name or path has a zero byte in it")
    return raw
