"""The machine's limits as peers: a C loop that inflates and copies the same chunks, and one that only copies."""

import ctypes as C
import os
import subprocess
import tempfile
from pathlib import Path

import forms
import numpy as np
from forms import BATCH, CHANNELS, CUTS, FRAMES, WINDOW
from peers import Peer

RING, RUN = 8, 64 * BATCH


class Chunk(C.Structure):
    _fields_ = [("offset", C.c_int64), ("stored", C.c_int64), ("file", C.c_int32), ("element", C.c_int32),
                ("codec", C.c_int32), ("_", C.c_int32)]


class Column(C.Structure):
    _fields_ = [("start", C.c_int64), ("width", C.c_int64), ("out", C.c_int64)]


class Block(C.Structure):
    _fields_ = [("row", C.c_int64), ("rows", C.c_int64), ("chunks", C.POINTER(Chunk)), ("mapped", C.c_void_p),
                ("count", C.c_int64), ("columns", C.POINTER(Column))]


class Work(C.Structure):
    _fields_ = [("blocks", C.POINTER(Block)), ("block_count", C.c_int64), ("files", C.POINTER(C.c_int)),
                ("starts", C.c_void_p), ("window_count", C.c_int64), ("length", C.c_int64), ("batch", C.c_int64),
                ("ring", C.POINTER(C.c_void_p)), ("ring_count", C.c_int64), ("threads", C.c_int64)]


def built():
    """The library, built anew where a source is newer."""
    here = Path(__file__).resolve().parent
    platform = forms.ROOT / "Sources/CPlatform"
    sources = [here / "limit.c", platform / "shuffle.c"]
    out = Path(tempfile.gettempdir()) / f"trajpack-limit-{os.getuid()}.so"
    if not out.exists() or out.stat().st_mtime < max(s.stat().st_mtime for s in sources):
        subprocess.run(["clang", "-O3", "-shared", "-fPIC", "-std=gnu17", "-I", platform / "include", "-o", out,
                        *sources, "-lzstd", "-llz4", "-lpthread"], check=True)
    return C.CDLL(str(out))


class Limit(Peer):
    """Batches of the same windows from C threads alone; `batch` makes RUN windows at once."""

    orders, threads = ("any", "clips", "sequence"), 2

    def open(self):
        self.library = built()
        self.keep = []
        blocks = self.blocks()
        self.work = Work((Block * len(blocks))(*blocks), len(blocks), (C.c_int * len(self.files))(*self.files), None,
                         RUN, WINDOW, BATCH, None, RING, self.threads)
        self.memory = [np.zeros(self.bytes, np.uint8) for _ in range(RING)]
        self.work.ring = (C.c_void_p * RING)(*[m.ctypes.data for m in self.memory])

    def outputs(self):
        """Where each channel lies in a batch."""
        at, out = 0, {}
        for key, array in forms.flat(self.folder, self.count).items():
            width = array.itemsize * int(np.prod(array.shape[1:], dtype=int))
            out[key] = (at, width)
            at += BATCH * WINDOW * width
        self.bytes = at
        return out

    def batch(self):
        starts = np.array([e * FRAMES + s for _ in range(RUN // BATCH) for e, s in self.starts()], np.int64)
        self.work.starts = starts.ctypes.data
        if self.library.limit_run(C.byref(self.work)):
            raise RuntimeError("the C loop failed")
        return {"state": starts}        # as long as there are windows


class Memcpy(Limit):
    """memcpy of the rows from memory maps."""

    files = ()

    def blocks(self):
        out = []
        for key, (at, width) in self.outputs().items():
            self.keep.append(forms.flat(self.folder, self.count)[key])
            columns = (Column * 1)(Column(0, width, at))
            out.append(Block(width, 1, None, self.keep[-1].ctypes.data, 1, columns))
        return out


class Inflate(Limit):
    """pread, lz4 or zstd, unshuffle and copy of the chunks that a window needs, where HDF5 says they lie."""

    needs = ("h5py", "hdf5plugin")

    def blocks(self):
        import h5py
        import hdf5plugin   # noqa: F401
        outputs = self.outputs()
        shards = sorted((forms.trajpack(self.folder, self.count) / "data").glob("*.h5"))
        self.files = [os.open(shard, os.O_RDONLY) for shard in shards]
        tables = {}
        for number, shard in enumerate(shards):
            with h5py.File(shard) as file:
                import json
                schema = json.loads(file["index/schema"][()].tobytes())
                self.gather(file, number, schema, outputs, tables)
        out = []
        for entry in tables.values():
            chunks = (Chunk * len(entry["chunks"]))(*entry["chunks"])
            columns = (Column * len(entry["columns"]))(*[Column(*c) for c in entry["columns"]])
            out.append(Block(entry["row"], entry["rows"], chunks, None, len(columns), columns))
        return out

    @staticmethod
    def gather(file, number, schema, outputs, tables):
        """Adds the chunks of a shard: one table a block."""
        for b, block in enumerate(schema["blocks"]):
            data = file[block["path"]]
            plan = data.id.get_create_plist()
            element = codec = at = 0
            for f in range(plan.get_nfilters()):
                code, _, values, _ = plan.get_filter(f)
                if code == 2:
                    element = values[0]
                elif code in (32004, 32015):
                    codec, at = 3 if code == 32004 else 2, f
            row = data.dtype.itemsize * int(np.prod(data.shape[1:], dtype=int))
            entry = tables.setdefault(b, {"row": row, "rows": data.chunks[0], "chunks": [], "columns": []})
            for c in range(data.id.get_num_chunks()):
                info = data.id.get_chunk_info(c)
                used = 0 if info.filter_mask >> at & 1 else codec
                entry["chunks"].append(Chunk(info.byte_offset, info.size, number, element, used, 0))
            if number:
                continue
            for stream in schema["streams"]:
                for channel in stream["channels"]:
                    if channel["block"] == b and channel["name"] in outputs:
                        at, width = outputs[channel["name"]]
                        entry["columns"].append((channel["column"] * 4, width, at))


LIMITS = {"C loop": Inflate, "C loop memcpy": Memcpy}
__all__ = ["CHANNELS", "CUTS", "LIMITS"]
