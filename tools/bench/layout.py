#!/usr/bin/env python3
"""Measures the layout choices of docs/decisions.md on a recording made here: how many bytes each leaves.

Everything is counted, nothing timed, so the figures are the same on every run and machine with the same zstd.

    layout.py [--frames 1800] [--level 3] [--json]
"""

import argparse
import csv
import json
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import zstandard

ROOT = Path(__file__).resolve().parents[2]
CHUNK, WINDOW = 64, 32
NUMBER = re.compile(r"-?\d+(?:\.(\d+))?$")


class Packer:
    """Bytes of chunks under zstd with its frame checksum, as shards are written."""

    def __init__(self, level):
        self.zstd = zstandard.ZstdCompressor(level=level, write_checksum=True)

    def size(self, rows, chunk, arrange):
        """`rows` (T, ...) cut into chunks of `chunk` rows (the last filled with zeros), arranged and compressed."""
        total = 0
        for first in range(0, len(rows), chunk):
            part = np.zeros((chunk, *rows.shape[1:]), rows.dtype)
            found = rows[first:first + chunk]
            part[:len(found)] = found
            total += len(self.zstd.compress(arrange(part)))
        return total


def shuffled(data, element):
    """HDF5's byte shuffle (filter 2): byte p of element e of n moves to p n + e."""
    return np.frombuffer(data, np.uint8).reshape(-1, element).T.tobytes()


def plain(part):
    return part.tobytes()


def time_major(part):
    return shuffled(part.tobytes(), part.itemsize)


def column_major(part):
    return shuffled(part.reshape(len(part), -1).T.tobytes(), part.itemsize)


def row_shuffle(part):
    return shuffled(part.tobytes(), part.nbytes // len(part))


LAYOUTS = {"no shuffle": plain, "time-major, element shuffle": time_major,
           "column-major, element shuffle": column_major, "row shuffle": row_shuffle}


def columns(path):
    """The numbers of a state.csv: float64 (T, C), and the scaled integers int32 (T, D) of the columns that fit.

    Returns them with the names of the columns that no int32 holds exactly. Every scaled integer is divided again and
    compared, bit for bit, with the number that the text parses to.
    """
    with open(path, newline="") as file:
        head, *lines = csv.reader(file)
    values, scaled, unfit = [], [], []
    for name, cells in zip(head, zip(*lines)):
        texts = [[t.strip() for t in c.strip("()").split(",")] if c.startswith("(") else [c] for c in cells]
        if not all(NUMBER.match(t) or t in ("", "nan", "inf", "-inf") for row in texts for t in row):
            continue                                          # text
        if len({len(row) for row in texts}) > 1:
            wide = max(len(row) for row in texts)
            texts = [row if len(row) == wide else ["nan"] * wide for row in texts]
        parsed = np.array([[float(t) if t else math.nan for t in row] for row in texts])
        values.append(parsed)
        digits = max((len(m.group(1) or "") for row in texts for t in row if (m := NUMBER.match(t))), default=0)
        largest = np.max(np.abs(parsed[np.isfinite(parsed)]), initial=0.0)
        if largest * 10.0 ** digits >= 2_147_483_000:
            unfit.append(name)
            continue
        integers = np.where(np.isfinite(parsed), np.rint(np.nan_to_num(parsed, posinf=0, neginf=0) * 10.0 ** digits), 0)
        low = -2**31
        for value, code in ((np.isnan(parsed), low), ((parsed == 0) & np.signbit(parsed), low + 1),
                            (np.isposinf(parsed), low + 2), (np.isneginf(parsed), low + 3)):
            integers[value] = code
        integers = integers.astype(np.int32)
        back = integers / 10.0 ** digits
        for code, value in ((0, math.nan), (1, -0.0), (2, math.inf), (3, -math.inf)):
            back[integers == low + code] = value
        same = (back.view(np.int64) == parsed.view(np.int64)) | (np.isnan(back) & np.isnan(parsed))
        assert same.all(), f"{name}: the scaled integers do not give the numbers back"
        scaled.append(integers)
    return np.concatenate(values, 1), np.concatenate(scaled, 1), unfit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--level", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, ROOT / "fixtures" / "make_wildworld.py", "--out", folder, "--samples", "1", "--no-video",
             "--frames", str(options.frames)], check=True, stdout=subprocess.DEVNULL)
        sample = next(Path(folder).glob("data_part1/*/"))
        state, integers, unfit = columns(sample / "state.csv")
        joints = dict(np.load(sample / "skeleton.npz"))
        source = {name: (sample / name).stat().st_size for name in ("state.csv", "skeleton.npz")}

    packer = Packer(options.level)
    result = {"frames": options.frames, "level": options.level, "source": source, "layouts": {}, "chunks": {}}
    for name, arrange in LAYOUTS.items():
        result["layouts"][name] = {
            "skeleton": sum(packer.size(a, CHUNK, arrange) for a in joints.values()),
            "state": packer.size(state, CHUNK, arrange)}
    result["decimal"] = {"columns": integers.shape[1], "of": state.shape[1], "kept as float64": unfit,
                         "bytes": packer.size(integers, CHUNK, row_shuffle)}
    for chunk in (8, 16, 32, 64, 128, 256, 512):
        result["chunks"][chunk] = {
            "skeleton": sum(packer.size(a, chunk, row_shuffle) for a in joints.values()),
            "state": packer.size(integers, chunk, row_shuffle),
            "rows decoded a window": chunk + WINDOW - 1}
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{options.frames} frames, zstd {options.level}, chunks of {CHUNK} rows; "
          f"state.csv {source['state.csv']:,} bytes, skeleton.npz {source['skeleton.npz']:,} bytes\n")
    print(f"{'layout in a chunk':<32}{'skeleton':>12}{'state f64':>12}")
    for name, sizes in result["layouts"].items():
        print(f"{name:<32}{sizes['skeleton']:>12,}{sizes['state']:>12,}")
    decimal = result["decimal"]
    print(f"{'row shuffle, scaled integers':<32}{'':>12}{decimal['bytes']:>12,}"
          f"   {decimal['columns']} of {decimal['of']} columns, every value compared bit for bit\n")
    print(f"{'rows of a chunk':<32}{'skeleton':>12}{'state':>12}   rows decoded for a window of {WINDOW}")
    for chunk, sizes in result["chunks"].items():
        print(f"{chunk:<32}{sizes['skeleton']:>12,}{sizes['state']:>12,}   {sizes['rows decoded a window']} on average")


if __name__ == "__main__":
    main()
