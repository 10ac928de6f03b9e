"""Hostile files of every kind that is read: each is refused with one sentence, soon, in little memory, and touches no other file.

A generator makes each. What is wanted is 2 seconds and 200 MB; the limits here are wider, so that a slow machine passes. Hostile
archives have test_hostile.py, HDF5 of others test_foreign_hostile.py, names in outputs test_escapes.py, limits of sources
test_source_limits.py, links and pipes test_source_links.py. TRAJPACK_ATTACK=full tries more commands on each.
"""
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

SECONDS, KIB = 12, 400 << 10
FULL = os.environ.get("TRAJPACK_ATTACK") == "full"
ATTACKS = {}


def attack(sentence, *words):
    """A generator of a hostile source, a piece of the sentence that refuses it, and options of `convert`."""
    def keep(function):
        ATTACKS[function.__name__] = (function, sentence, words)
        return function
    return keep


# Runs a command, then writes the KiB that it had at most to the first argument. It is a process of its own because the figure of a
# child begins with the memory of the process that forked it, and that of pytest is large.
MEASURE = """
import pathlib, resource, subprocess, sys
def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
code = subprocess.run(sys.argv[2:], preexec_fn=limited).returncode
pathlib.Path(sys.argv[1]).write_text(f"{code} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
"""


def measured(command, **options):
    """A run: its status, what it printed, how long it took and the most KiB it had."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        begun = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-c", MEASURE, figures, *map(str, command)], capture_output=True,
            **{"env": {**os.environ, "SWIFT_BACKTRACE": "enable=no"}, **options})
        took = time.monotonic() - begun
        status, memory = map(int, figures.read_text().split())
    return status, run.stdout, run.stderr.decode("utf-8", "replace"), took, memory


def sentence_of(said):
    return [line for line in said.splitlines() if not line.startswith("warning")]


# MARK: npz and npy

def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def header(shape, descr="<f8"):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@attack("pickle")
def npy_with_a_pickle(folder):
    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {folder}/pwned",))
    (folder / "a.npy").write_bytes(header("(1,)", "|O") + pickle.dumps([Evil()]))


@attack("a.npz")
def npz_with_a_pickle(folder):
    zipped(folder / "a.npz", [("x.npy", header("(1,)", "|O") + pickle.dumps([1]))])


@attack("a.npy")
def npy_of_8_tib(folder):
    (folder / "a.npy").write_bytes(header(f"({1 << 40},)") + bytes(64))


@attack("a.npy")
def npy_whose_shape_overflows(folder):
    (folder / "a.npy").write_bytes(header(f"({1 << 62}, {1 << 62}, 8)") + bytes(64))


@attack("a.npy")
def npy_of_a_thousand_axes(folder):
    (folder / "a.npy").write_bytes(header("(" + "1, " * 1000 + ")") + bytes(8))


@attack("a.npz")
def npz_of_8_tib(folder):
    zipped(folder / "a.npz", [("x.npy", header(f"({1 << 40},)") + bytes(64))])


@attack("a.npz")
def npz_bomb(folder):
    """A member that claims and is 3 GiB of zeros in 3 MB: more than 1 GiB of more than 200 to 1."""
    size = 3 << 30
    head = header(f"({size // 8},)")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(bytes(1 << 24)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    data += block * (size >> 24) + squeeze.flush()
    crc = 0
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 8, 0, 0, crc, len(data), size + len(head), 5, 0) + b"x.npy"
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 8, 0, 0, crc, len(data), size + len(head), 5, 0, 0,
                          0, 0, 0, 0) + b"x.npy"
    at = len(local) + len(data)
    (folder / "a.npz").write_bytes(local + data + central + struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), at, 0))


@attack("a.npz")
def npz_that_overlaps(folder):
    """Members that share the same bytes (Fifield's bomb): a directory that names one place many times."""
    zipped(folder / "a.npz", [("x.npy", npy(np.arange(9.0)))])
    data = (folder / "a.npz").read_bytes()
    at = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[at:end]
    many = b"".join(entry.replace(b"x.npy", b"%05d" % n) for n in range(1000))
    (folder / "a.npz").write_bytes(data[:at] + many + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1000, 1000, len(many), at, 0))


@attack("a.npz")
def npz_whose_directory_is_a_lie(folder):
    data = zipped(folder / "a.npz", [("x.npy", npy(np.arange(9.0)))]).read_bytes()
    at = data.index(b"PK\5\6")
    (folder / "a.npz").write_bytes(data[:at] + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, 1 << 31, 0, 0))


# MARK: foreign HDF5

@attack("a.h5", "--episodes", "/")
def hdf5_of_8_tib(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", (1 << 40,), "f8", chunks=(1 << 20,), compression="gzip")


@attack("a.h5", "--episodes", "/")
def hdf5_of_chunks_that_were_never_written(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", (10**12,), "f8", chunks=(10**6,), compression="gzip")


@attack("a.h5", "--episodes", "/")
def hdf5_bomb(folder):
    """128 MiB of zeros in a file of a few hundred KiB, in chunks larger than such a file's may be."""
    with h5py.File(folder / "a.h5", "w") as file:
        data = file.create_dataset("x", (1 << 27,), "u1", chunks=(1 << 27,), compression="gzip")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 27), 1))


@attack("a.h5", "--episodes", "/")
def hdf5_with_a_plugin(folder):
    """An unknown filter, with a library of that name on HDF5_PLUGIN_PATH, which must not be loaded."""
    with h5py.File(folder / "a.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((8,))
        plist.set_filter(300, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((8,))
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F64LE, space, plist).write_direct_chunk((0,), bytes(64), 0)
    code = folder / "evil.c"
    code.write_text(f'__attribute__((constructor)) void f(void) {{ __builtin_trap(); }} /* {folder} */')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libevil.so", code], check=True)
    code.unlink()
    return folder / "a.h5"


@attack("a.h5", "--episodes", "/")
def hdf5_that_is_external(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", (8,), "u1", external=[(str(folder.parent / "secret"), 0, 8)])


@attack("a.h5", "--episodes", "/")
def hdf5_of_links_alone(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("/a")
        file["c"] = h5py.ExternalLink("/etc/passwd", "/")
        file["g/h"] = h5py.SoftLink("/g")


# MARK: text and JSON

@attack("a.csv")
def csv_without_an_end_of_line(folder):
    with open(folder / "a.csv", "wb") as file:
        file.write(b"a,b\n\"")
        file.truncate(80 << 20)


@attack("a.csv")
def csv_of_a_million_columns(folder):
    (folder / "a.csv").write_bytes(b",".join(b"c%d" % n for n in range(1 << 20)) + b"\n" + b"1," * ((1 << 20) - 1) + b"1\n")


@attack("a.json")
def json_that_is_deep(folder):
    (folder / "a.json").write_bytes(b'{"x": {"values": ' + b"[" * 1_000_000)


@attack("a.json")
def json_of_one_name(folder):
    (folder / "a.json").write_bytes(b'{"' + b"x" * (8 << 20) + b'": 1}')


# MARK: Parquet

def lerobot(folder, info=None, **more):
    import lerobot_world
    lerobot_world.write(folder, **more)
    path = folder / "meta" / "info.json"
    document = json.loads(path.read_text())
    document.update(info or {})
    path.write_text(json.dumps(document))


@attack("meta/info.json")
def lerobot_whose_tables_lie_elsewhere(folder):
    lerobot(folder, {"data_path": "../../secret/{chunk_index}/{file_index}.parquet"})


@attack("meta/info.json")
def lerobot_whose_tables_are_absolute(folder):
    lerobot(folder, {"data_path": "/etc/{chunk_index}-{file_index}.parquet"})


@attack("meta/info.json")
def lerobot_of_2_to_the_62_frames_a_second(folder):
    lerobot(folder, {"fps": 2**62})


@attack(".parquet")
def parquet_whose_pages_claim_gigabytes(folder):
    lerobot(folder)
    path = next((folder / "data").rglob("*.parquet"))
    data = bytearray(path.read_bytes())
    # The header of a page: its first field is the type, its second the size; a varint of 5 bytes says 4 GiB.
    at = data.index(b"\x15\x00\x15") if b"\x15\x00\x15" in data else 4
    data[at + 3:at + 8] = b"\xfe\xff\xff\xff\x0f"
    path.write_bytes(bytes(data))


@attack(".parquet")
def parquet_whose_footer_is_a_lie(folder):
    lerobot(folder)
    path = next((folder / "data").rglob("*.parquet"))
    data = path.read_bytes()
    path.write_bytes(data[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


# MARK: messages

MCAP = b"\x89MCAP0\r\n"


def record(opcode, body):
    return bytes([opcode]) + struct.pack("<Q", len(body)) + body


def text(value):
    return struct.pack("<I", len(value)) + value


@attack("a.mcap")
def mcap_bomb(folder):
    """A chunk that claims a terabyte."""
    chunk = struct.pack("<QQQI", 0, 1, 1 << 40, 0) + text(b"zstd") + struct.pack("<Q", 8) + bytes(8)
    (folder / "a.mcap").write_bytes(MCAP + record(1, text(b"") + text(b"")) + record(6, chunk) + record(15, bytes(12)) + MCAP)


@attack("a.mcap")
def mcap_whose_record_has_no_end(folder):
    (folder / "a.mcap").write_bytes(MCAP + b"\x06" + struct.pack("<Q", 2**64 - 1) + bytes(64) + MCAP)


@attack("a.mcap")
def mcap_whose_types_hold_each_other(folder):
    schema = b"B b\n===\nMSG: a/B\nC c\n===\nMSG: a/C\nB b\n"
    body = (MCAP + record(1, text(b"") + text(b"")) + record(3, struct.pack("<H", 1) + text(b"a/msg/A") + text(b"ros2msg")
            + text(schema)) + record(4, struct.pack("<HH", 1, 1) + text(b"/t") + text(b"cdr") + text(b""))
            + record(5, struct.pack("<HIQQ", 1, 0, 0, 0) + bytes(64)) + record(15, bytes(20)) + MCAP)
    (folder / "a.mcap").write_bytes(body)


@attack("a.db3")
def sqlite_whose_pages_form_a_ring(folder):
    import test_rosbag2
    path = folder / "a.db3"
    test_rosbag2.database(path, [(n, n, bytes(400)) for n in range(200)], page=512)
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 512):
        at = page * 512
        if data[at] == 5:            # an inner page of a table: its first child becomes itself
            cell = struct.unpack_from(">H", data, at + 12)[0]
            struct.pack_into(">I", data, at + cell, page + 1)
            struct.pack_into(">I", data, at + 8, page + 1)
    path.write_bytes(bytes(data))


@attack("a.db3")
def sqlite_whose_payload_ends_early(folder):
    import test_rosbag2
    path = folder / "a.db3"
    test_rosbag2.database(path, [(1, 0, bytes(3000))], page=512)
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 512):
        # A page of a long value begins with the number of the next one: there is none.
        if 0 < struct.unpack_from(">I", data, page * 512)[0] <= len(data) // 512:
            struct.pack_into(">I", data, page * 512, 0)
    path.write_bytes(bytes(data))


# MARK: MATLAB, NetCDF, EDF, poses

def matlab(body):
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + body


@attack("a.mat")
def matlab_of_4_gib(folder):
    name = struct.pack("<HH", 1, 1) + b"x\0\0\0"
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    axes = struct.pack("<IIii", 5, 8, 1 << 30, 1 << 30)
    body = flags + axes + name + struct.pack("<II", 9, 0xFFFFFFF0)
    (folder / "a.mat").write_bytes(matlab(struct.pack("<II", 14, len(body)) + body))


@attack("a.mat")
def matlab_of_cells_in_cells(folder):
    body = b""
    for _ in range(200):
        inner = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<HH", 1, 1) + b"x\0\0\0" + body
        body = struct.pack("<II", 14, len(inner)) + inner
    (folder / "a.mat").write_bytes(matlab(body))


@attack("a.nc")
def netcdf_of_8_tib(folder):
    def name(value):
        return struct.pack(">I", len(value)) + value + bytes(-len(value) % 4)
    body = b"CDF\x02" + struct.pack(">I", 0) + struct.pack(">II", 10, 1) + name(b"t") + struct.pack(">I", 0x7FFFFFFF)
    body += struct.pack(">II", 0, 0) + struct.pack(">II", 11, 1) + name(b"x") + struct.pack(">III", 1, 0, 0)
    body += struct.pack(">I", 0) + struct.pack(">IIq", 6, 0xFFFFFFFC, 256)
    (folder / "a.nc").write_bytes(body.ljust(512, b"\0"))


@attack("a.nc")
def netcdf_of_2_billion_dimensions(folder):
    (folder / "a.nc").write_bytes(b"CDF\x01" + struct.pack(">III", 0, 10, 0x7FFFFFFF) + bytes(64))


@attack("a.edf")
def edf_of_9999_signals(folder):
    head = b"0".ljust(8) + b" " * 160 + b"01.01.2001.01.01" + b"2560256".ljust(8) + b" " * 44 + b"99999999" + b"1".ljust(8) + b"9999"
    (folder / "a.edf").write_bytes(head.ljust(256) + b"9" * 4096)


@attack("images.bin")
def colmap_of_2_to_the_63_cameras(folder):
    (folder / "cameras.bin").write_bytes(struct.pack("<Q", 2**63 - 1) + bytes(64))
    (folder / "images.bin").write_bytes(struct.pack("<Q", 2**63 - 1) + bytes(64))


@attack("images.bin")
def colmap_whose_points_have_no_end(folder):
    (folder / "cameras.bin").write_bytes(struct.pack("<Q", 1) + struct.pack("<iiQQ4d", 1, 1, 64, 48, 50, 50, 32, 24))
    (folder / "images.bin").write_bytes(struct.pack("<Q", 1) + struct.pack("<I7dI", 1, 1, 0, 0, 0, 0, 0, 0, 1) + b"a\0"
                                        + struct.pack("<Q", 2**60))


# MARK: videos

def with_video(folder, data, name="rgb.mp4"):
    import shutil
    from test_fuzz import ROOT
    sample = next(p for p in sorted((ROOT / "fixtures/wildworld/data_part1").iterdir()) if p.is_dir())
    shutil.copytree(sample, folder / sample.name)
    (folder / sample.name / name).write_bytes(data)


@attack("rgb.mp4")
def video_that_is_a_playlist(folder):
    with_video(folder, b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


@attack("rgb.mp4")
def video_that_is_a_list_of_files(folder):
    with_video(folder, b"ffconcat version 1.0\nfile /etc/passwd\n")


@attack("rgb.mp4")
def video_whose_box_has_no_end(folder):
    with_video(folder, struct.pack(">I4s", 1, b"ftyp") + struct.pack(">Q", 2**63) + bytes(64))


@attack("rgb.mp4")
def video_of_nothing(folder):
    with_video(folder, b"")


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_refused(trajpack, tmp_path, name):
    make, sentence, words = ATTACKS[name]
    secret = tmp_path / "secret"
    secret.write_text("not to be read")
    source = tmp_path / "source"
    source.mkdir()
    path = make(source) or source
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    env = {**os.environ, "TMPDIR": str(scratch), "SWIFT_BACKTRACE": "enable=no", "HDF5_PLUGIN_PATH": str(source)}
    status, _, said, took, memory = measured([trajpack, "convert", path, tmp_path / "out", "-q", *words], env=env)
    assert status == 1, f"{name}: {status} {said}"
    lines = sentence_of(said)
    assert len(lines) == 1 and sentence in lines[0], f"{name}: {said}"
    assert len(said) < 3000 and not any(ord(c) < 32 and c != "\n" for c in said), said
    assert took < SECONDS, f"{name} took {took:.1f} s"
    assert memory < KIB, f"{name} took {memory} KiB"
    assert not (tmp_path / "out").exists() and not list(scratch.iterdir()), name
    if not FULL and sum(map(ord, name)) % 5:
        return                                            # the other commands read by the same readers
    status, _, said, took, memory = measured([trajpack, "validate", path], env=env)
    assert status in (0, 1, 2) and took < SECONDS and memory < KIB, (name, status, said, took, memory)
    status, _, said, took, memory = measured([trajpack, "inspect", path], env=env)
    assert status in (0, 1, 2) and took < SECONDS and memory < KIB, (name, status, said, took, memory)
    assert secret.read_text() == "not to be read"
