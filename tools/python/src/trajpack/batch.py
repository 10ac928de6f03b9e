"""A batch: numpy arrays over the library's memory, which they keep alive."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ctypes import byref, c_void_p, string_at
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _bindings, _ffi
from ._errors import UsageError, nearest
from ._words import counted, lines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Output:
    """One array of every batch. ``shape`` is ``[B, T, (E,) ...]``; ``role`` is values, observed, present, padding,
    time, meta or value (of the recording: ``[B, ...]``); ``entities`` is the length of axis 2, or 0; ``categories`` the
    names of a value's codes."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    bytes: int
    role: str
    stream: str | None
    channel: str | None
    channels: tuple[str, ...]
    entities: int
    units: str | None
    kind: str | None
    categories: tuple[str, ...] | None = None

    @staticmethod
    def of(document: Mapping[str, Any]) -> Output:
        """From the library's description."""
        return Output(
            document["name"], np.dtype(document["dtype"]), tuple(document["shape"]), document["offset"],
            document["bytes"], document["role"], document.get("stream") or None, document.get("channel"),
            tuple(document.get("channels") or ()), document.get("entities") or 0, document.get("units"),
            document.get("kind"), tuple(document["categories"]) if document.get("categories") is not None else None)


class _Owner:
    """The memory of one batch. It goes back to the loader when no array looks at it any longer."""

    def __init__(self, pointer: int, memory: int, size: int, lent: list[Any]) -> None:
        self._pointer = pointer
        self._lent = lent  # memory that was lent must live as long as its batches
        self._free = _ffi.library().tp_batch_free
        self.__array_interface__ = {
            "data": (memory, False), "shape": (size,), "typestr": "|u1", "version": 3}

    def __del__(self) -> None:
        self._free(self._pointer)


class Batch(Mapping[str, Any]):
    """Windows, as a mapping from output names to numpy arrays ``[B, T, (E,) ...]``; texts of ``values`` are lists.

    Arrays look at the memory that the library filled: nothing is copied, and the memory is used again once neither
    the batch nor any array of it is there. They may be written to, and torch and JAX take them by DLPack.

    ``observed:state/hp``, ``present:npc``, ``padding:state`` and ``time:state`` are keys too, as
    ``Loader.outputs`` lists.
    """

    __slots__ = ("_arrays", "_memory", "_outputs", "_texts", "count", "datasets", "epoch", "position", "repeated",
                 "windows")

    def __init__(self, outputs: Mapping[str, Output], memory: NDArray[np.uint8] | None = None, count: int = 0,
                 epoch: int = 0, position: int = 0, windows: NDArray[np.uint64] | None = None,
                 datasets: NDArray[np.uint32] | None = None, repeated: bool = False,
                 texts: dict[str, list[str | None]] | None = None) -> None:
        if memory is None or windows is None or datasets is None:
            # Trainers that move every batch make a mapping of its type from what they moved.
            raise UsageError("a trajpack.Batch is numpy arrays of a loader, and cannot be made of others: for tensors "
                             "that Lightning or accelerate move to a device, iterate a trajpack.torch.WindowLoader")
        self._outputs = outputs
        self._memory = memory
        self._arrays: dict[str, NDArray[Any]] = {}
        self._texts = texts or {}
        #: Windows in it, the length of axis 0.
        self.count = count
        #: The epoch that it is of.
        self.epoch = epoch
        #: Windows of the epoch, on all ranks, before it.
        self.position = position
        #: Which windows they are, in the order of their data set: ``[B]`` uint64.
        self.windows = windows
        #: The data set of the mixture of each: ``[B]`` uint32.
        self.datasets = datasets
        #: Whether its only window is one that another rank has as well, because none was left for this one at the end
        #: of an epoch (``drop_last=False``): all of its rows are padding.
        self.repeated = repeated

    @staticmethod
    def _take(pointer: int, outputs: Mapping[str, Output], lent: list[Any],
              texts: Callable[[NDArray[np.uint64], NDArray[np.uint32]], dict[str, list[str | None]]]) -> Batch:
        """Over a batch that the library gave out, which is now ours to free."""
        view = _bindings.BatchView()
        _ffi.library().tp_batch_look(pointer, byref(view))
        count = view.count
        windows = np.frombuffer(bytearray(string_at(view.windows, 8 * count)) if count else b"", np.uint64)
        datasets = np.frombuffer(bytearray(string_at(view.datasets, 4 * count)) if count else b"", np.uint32)
        memory = np.asarray(_Owner(pointer, view.memory, view.bytes, lent))
        repeated = bool(_ffi.library().tp_batch_repeated(pointer))
        return Batch(outputs, memory, count, view.epoch, view.position, windows, datasets, repeated,
                     texts(windows, datasets))

    def __getitem__(self, name: str) -> Any:
        array = self._arrays.get(name)
        if array is None and name in self._texts:
            if name != "meta:id":
                return self._texts[name]
            array = self._arrays[name] = np.array(self._texts[name], np.str_)
        if array is None:
            output = self._outputs.get(name) or self._mask_of_channel(name)
            if output is None:
                raise KeyError(f"a batch has no '{name}'{nearest(name, list(self))}")
            shape = output.shape if self.count == output.shape[0] else (self.count, *output.shape[1:])
            array = np.ndarray(shape, output.dtype, self._memory, output.offset)
            self._arrays[name] = array
        return array

    def _mask_of_channel(self, name: str) -> Output | None:
        """The mask that a channel shares with all others of its stream: ``padding:frames`` for
        ``padding:frames/action``."""
        role, _, path = name.partition(":")
        if path not in self._outputs or role not in ("padding", "present", "time"):
            return None
        output = self._outputs[path]
        return None if output.channel is None else self._outputs.get(f"{role}:{output.stream}")

    def __iter__(self) -> Iterator[str]:
        yield from self._outputs
        # Ids are not among what a trainer moves to a device: batch["meta:id"] has them.
        yield from (name for name in self._texts if name != "meta:id")

    def __len__(self) -> int:
        return len(self._outputs) + len(self._texts) - ("meta:id" in self._texts)

    def __contains__(self, name: object) -> bool:
        return (name in self._outputs or name in self._texts
                or (isinstance(name, str) and self._mask_of_channel(name) is not None))

    @property
    def outputs(self) -> Mapping[str, Output]:
        """What the arrays are."""
        return self._outputs

    def valid(self, name: str) -> NDArray[np.bool_]:
        """Where an array of values holds what was recorded: observed, of an entity that is present, in a row that is
        no padding. Bool, of the array's shape; it needs the masks."""
        output = self._outputs.get(name)
        if output is None or output.role != "values" or output.channel is None:
            raise UsageError(f"'{name}' is no channel of the batch"
                             + nearest(name, [o.name for o in self._outputs.values() if o.channel]))
        values = self[name]
        out = np.ones(values.shape, bool)
        found = False
        for mask in self._masks(output):
            array = self[mask.name]
            if mask.role == "observed":
                out &= array
            else:
                more = array.reshape(array.shape + (1,) * (values.ndim - array.ndim))
                out &= ~more if mask.role == "padding" else more
            found = True
        if not found:
            raise UsageError(f"the loader was made without masks, so what is valid in '{name}' is not known")
        return out

    def _masks(self, output: Output) -> Iterator[Output]:
        # Where a stream's channels have several masks, each channel's own is there under its name.
        for role in ("observed", "present", "padding"):
            mask = self._outputs.get(f"{role}:{output.name}") or self._outputs.get(f"{role}:{output.stream}")
            if mask is not None:
                yield mask

    def copy(self) -> dict[str, NDArray[Any]]:
        """Fresh arrays that hold none of the loader's memory."""
        return {name: self[name].copy() for name in self}

    def names(self, value: str) -> list[str | None]:
        """A value that is a category, or a text, as the names of the batch's windows; None where there is none."""
        if value in self._texts:
            return list(self._texts[value])
        output = self._outputs.get(value)
        if output is None or output.categories is None:
            raise UsageError(f"'{value}' is no category or text of the batch"
                             + nearest(value, [o.name for o in self._outputs.values() if o.categories is not None]))
        names = output.categories
        if self[value].ndim > 1:
            raise UsageError(f"'{value}' has several names a window; outputs['{value}'].categories lists them")
        return [names[code] if code >= 0 else None for code in self[value].tolist()]

    def __reduce__(self) -> Any:
        return _rebuild, (dict(self._outputs), self._memory.tobytes(), self.count, self.epoch, self.position,
                          self.windows, self.datasets, self.repeated, self._texts)

    def __repr__(self) -> str:
        more = ", repeated as padding" if self.repeated else ""
        lines = [f"<trajpack.Batch of {counted(self.count, 'window')}, epoch {self.epoch}, position {self.position}"
                 f"{more}>"]
        for name, output in self._outputs.items():
            lines.append(f"  {name}: {output.dtype.name} {[self.count, *output.shape[1:]]}")
        lines += [f"  {name}: texts {[self.count]}" for name in self if name in self._texts]
        return lines_of(lines)


def _rebuild(outputs: dict[str, Output], data: bytes, count: int, epoch: int, position: int,
             windows: NDArray[np.uint64], datasets: NDArray[np.uint32], repeated: bool = False,
             texts: dict[str, list[str | None]] | None = None) -> Batch:
    return Batch(outputs, np.frombuffer(bytearray(data), np.uint8), count, epoch, position, windows, datasets, repeated,
                 texts)


def empty(size: int) -> tuple[NDArray[np.uint8], c_void_p]:
    """Memory for a batch at a multiple of 64 bytes, as an array, and its address."""
    whole = np.empty(size + 64, np.uint8)
    skip = -whole.ctypes.data % 64
    memory = whole[skip:skip + size]
    return memory, c_void_p(memory.ctypes.data)


def numbers(windows: Any) -> tuple[NDArray[np.uint64], Any]:
    """Numbers of windows as the library takes them, and their address."""
    array = np.ascontiguousarray(windows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise UsageError("windows are given as a list of whole numbers")
    if array.size and array.dtype.kind == "i" and int(array.min()) < 0:
        raise UsageError(f"there is no window {int(array.min())}; they are counted from 0")
    array = array.astype(np.uint64)
    return array, array.ctypes.data_as(c_void_p)


__all__ = ["Batch", "Output"]
