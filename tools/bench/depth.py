#!/usr/bin/env python3
"""Random windows of depth in each form that `trajpack transcode` knows, against the same windows of the source.

    depth.py RECORDINGS [--forms "chunks;intra;gop:4"] [--rounds N] [--windows N]

RECORDINGS is a folder of WildWorld samples with depth.mkv. Sizes are those of the encoded bytes, or of the compressed chunks. Forms take turns within
a round; ratios are those of medians of processor time. Each window is read by itself, as 16 frames of an episode. Windows of an episode come from the
last to the first, so that no decoder goes on from the window before: in a large dataset none does.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
import trajpack

WINDOW = 16


def stored(folder: Path) -> int:
    """Bytes of the blobs of 'depth', as they lie in the files."""
    total = 0
    for shard in sorted(folder.glob("shard-*.h5")):
        with h5py.File(shard) as file:
            schema = json.loads(file["index/schema"][()].tobytes())
            for stream in schema["streams"]:
                if stream["name"] == "depth":
                    total += file[schema["blocks"][stream["blob"]]["path"]].id.get_storage_size()
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings")
    parser.add_argument("--forms", default="chunks;intra;intra:hevc;gop:2;gop:4;gop:8;gop:16;gop:8,codec=ffv1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--episodes", default="")
    given = parser.parse_args()
    program = Path(os.environ.get("TRAJPACK_BIN", ROOT / ".build" / "release")) / "trajpack"
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        subprocess.run([program, "convert", "--quiet", given.recordings, source], check=True)
        folders = {"source": source}
        for form in given.forms.split(";"):
            out = Path(scratch) / form.replace(":", "-").replace(",", "-")
            begin = time.perf_counter()
            subprocess.run([program, "transcode", "--quiet", source, out, "--stream", "depth", "--to", form],
                           check=True, stdout=subprocess.DEVNULL)
            print(f"{form}: made in {time.perf_counter() - begin:.1f} s", file=sys.stderr)
            folders[form] = out
        opened = {form: trajpack.open(folder) for form, folder in folders.items()}
        names = [e for e in opened["source"].episodes.ids if "depth" in opened["source"].episode(e).streams]
        if given.episodes:
            names = [n for n in names if n in given.episodes.split(",")]
        rng = np.random.default_rng(5)
        places = [(n, int(first)) for n in names
                  for first in sorted(rng.integers(0, len(opened["source"].episode(n)["depth"]) - WINDOW + 1,
                                                   given.windows), reverse=True)]
        times: dict[str, list[float]] = {form: [] for form in folders}
        for _ in range(given.rounds):
            for episode, first in places:
                expected = None
                for form, dataset in opened.items():
                    video = dataset.episode(episode)["depth"]
                    begin = time.process_time()
                    frames = video[first:first + WINDOW]
                    times[form].append(time.process_time() - begin)
                    assert expected is None or np.array_equal(frames, expected)
                    expected = frames
        base, size = statistics.median(times["source"]), stored(source)
        print(f"{'form':22} {'size':>6} {'ms a window':>12} {'times as fast':>14}")
        for form, folder in folders.items():
            middle = statistics.median(times[form])
            print(f"{form:22} {stored(folder) / size:6.2f} {middle * 1000:12.2f} {base / middle:14.1f}")


if __name__ == "__main__":
    main()
