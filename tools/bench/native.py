"""A thin ctypes shim over libtrajpack for benchmarks and tests: handles, batches as numpy views, errors as exceptions."""

import ctypes as C
import json
import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OK, END, CANCELLED = 0, 4, 5


class Error(C.Structure):
    _fields_ = [("code", C.c_int32), ("message", C.c_char * 1024), ("place", C.c_char * 1024)]


class View(C.Structure):
    _fields_ = [("memory", C.c_void_p), ("bytes", C.c_uint64), ("count", C.c_uint64), ("epoch", C.c_uint64),
                ("position", C.c_uint64), ("windows", C.POINTER(C.c_uint64)), ("datasets", C.POINTER(C.c_uint32))]


class State(C.Structure):
    _fields_ = [(name, C.c_uint64) for name in (
        "version", "digest", "seed", "epoch", "position", "weights", "weights_epoch", "later_weights", "later_epoch")]


class TrajpackError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def library(path=None):
    path = path or os.environ.get("TRAJPACK_LIBRARY") or ROOT / ".build/release/libtrajpack-c.so"
    lib = C.CDLL(str(path))
    p, e, text = C.c_void_p, C.POINTER(Error), C.POINTER(C.c_void_p)
    for name, arguments in {
        "tp_dataset_open": [C.c_char_p, C.POINTER(p), e], "tp_dataset_describe": [p, text, e],
        "tp_dataset_episodes": [p, C.c_int64, C.c_int64, text, e], "tp_dataset_episode": [p, C.c_int64, text, e],
        "tp_dataset_statistics": [p, text, e], "tp_dataset_find_episode": [p, C.c_char_p, C.POINTER(C.c_int64), e],
        "tp_dataset_read": [p, C.c_int64, C.c_char_p, C.c_int64, C.c_int64, C.c_char_p, p, C.c_size_t, p, C.c_size_t, e],
        "tp_dataset_times": [p, C.c_int64, C.c_int64, C.c_int64, p, e],
        "tp_loader_create": [C.POINTER(p), C.c_size_t, C.c_char_p, C.POINTER(p), e],
        "tp_loader_describe": [p, text, e], "tp_loader_stats": [p, text, e],
        "tp_loader_next": [p, C.POINTER(p), e], "tp_loader_lend": [p, p, C.c_size_t, e],
        "tp_loader_read": [p, C.c_uint32, C.POINTER(C.c_uint64), C.c_size_t, p, C.c_size_t, e],
        "tp_loader_order": [p, C.c_uint64, C.c_uint64, C.c_size_t, p, p, e],
        "tp_loader_locate": [p, C.c_uint32, C.c_uint64] + [C.POINTER(C.c_int64)] * 3 + [e],
        "tp_loader_set_state": [p, C.POINTER(State), e], "tp_loader_seek": [p, C.c_uint64, C.c_uint64, e],
    }.items():
        getattr(lib, name).argtypes = arguments
        getattr(lib, name).restype = C.c_int32
    for name in ("tp_dataset_free", "tp_loader_free", "tp_batch_free", "tp_text_free", "tp_loader_cancel"):
        getattr(lib, name).argtypes, getattr(lib, name).restype = [p], None
    lib.tp_batch_look.argtypes, lib.tp_batch_look.restype = [p, C.POINTER(View)], None
    lib.tp_loader_get_state.argtypes, lib.tp_loader_get_state.restype = [p, C.POINTER(State)], None
    lib.tp_version.restype = C.c_char_p
    return lib


LIB = library()


def call(function, *arguments):
    error = Error()
    status = function(*arguments, C.byref(error))
    if status in (1, 2, 3):
        raise TrajpackError(status, error.message.decode())
    return status


def text(function, *arguments):
    out = C.c_void_p()
    call(function, *arguments, C.byref(out))
    try:
        return json.loads(C.string_at(out))
    finally:
        LIB.tp_text_free(out)


class Dataset:
    def __init__(self, path):
        self.handle = C.c_void_p()
        call(LIB.tp_dataset_open, str(path).encode(), C.byref(self.handle))

    def __del__(self):
        LIB.tp_dataset_free(self.handle)

    def describe(self):
        return text(LIB.tp_dataset_describe, self.handle)

    def episode(self, number):
        return text(LIB.tp_dataset_episode, self.handle, number)

    def statistics(self):
        return text(LIB.tp_dataset_statistics, self.handle)

    def read(self, track, channel, first, count, shape, dtype):
        out = np.empty((count, *shape), dtype)
        call(LIB.tp_dataset_read, self.handle, track, channel.encode(), first, count, np.dtype(dtype).name.encode(),
             out.ctypes.data, out.nbytes, None, 0)
        return out


class Loader:
    def __init__(self, *datasets, **options):
        self.datasets = [d if isinstance(d, Dataset) else Dataset(d) for d in datasets]
        handles = (C.c_void_p * len(datasets))(*[d.handle for d in self.datasets])
        self.handle = C.c_void_p()
        call(LIB.tp_loader_create, handles, len(datasets), json.dumps(options).encode(), C.byref(self.handle))
        self.about = text(LIB.tp_loader_describe, self.handle)
        self.views = {}

    def __del__(self):
        self.release()
        LIB.tp_loader_free(self.handle)

    batch = None

    def release(self):
        if self.batch is not None:
            LIB.tp_batch_free(self.batch)
            self.batch = None

    def arrays(self, memory):
        if memory not in self.views:
            raw = np.ctypeslib.as_array((C.c_uint8 * self.about["batch_bytes"]).from_address(memory))
            self.views[memory] = {o["name"]: raw[o["offset"]:o["offset"] + o["bytes"]].view(o["dtype"]).reshape(o["shape"])
                                  for o in self.about["outputs"]}
        return self.views[memory]

    def next(self):
        """The next batch as {name: array}, valid until the next call; None at the end of an epoch."""
        self.release()
        batch = C.c_void_p()
        status = call(LIB.tp_loader_next, self.handle, C.byref(batch))
        if status != OK:
            self.status = status
            return None
        self.batch, self.view = batch, View()
        LIB.tp_batch_look(batch, C.byref(self.view))
        count = self.view.count
        arrays = self.arrays(self.view.memory)
        return arrays if count == self.about["batch"] else {k: v[:count] for k, v in arrays.items()}

    @property
    def windows(self):
        return list(zip(self.view.datasets[:self.view.count], self.view.windows[:self.view.count]))

    def read(self, windows, dataset=0):
        out = np.zeros(self.about["batch_bytes"], np.uint8)
        numbers = (C.c_uint64 * len(windows))(*windows)
        call(LIB.tp_loader_read, self.handle, dataset, numbers, len(windows), out.ctypes.data, out.nbytes)
        return {o["name"]: out[o["offset"]:o["offset"] + o["bytes"]].view(o["dtype"]).reshape(o["shape"])[:len(windows)]
                for o in self.about["outputs"]}

    def order(self, epoch, first, count):
        windows, datasets = np.empty(count, np.uint64), np.empty(count, np.uint32)
        call(LIB.tp_loader_order, self.handle, epoch, first, count, windows.ctypes.data, datasets.ctypes.data)
        return windows, datasets

    def locate(self, window, dataset=0):
        found = [C.c_int64() for _ in range(3)]
        call(LIB.tp_loader_locate, self.handle, dataset, window, *[C.byref(f) for f in found])
        return tuple(f.value for f in found)

    def state(self):
        state = State()
        LIB.tp_loader_get_state(self.handle, C.byref(state))
        return state

    def resume(self, state):
        self.release()
        call(LIB.tp_loader_set_state, self.handle, C.byref(state))

    def stats(self):
        return text(LIB.tp_loader_stats, self.handle)

    def cancel(self):
        LIB.tp_loader_cancel(self.handle)
