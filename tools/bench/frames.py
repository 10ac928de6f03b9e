#!/usr/bin/env python3
"""Random frames and windows of videos out of a loader with two threads, against torchcodec, decord and PyAV.

    tools/bench/frames.py RECORDINGS [--copies 8] [--count 32] [--rounds 3] [--gop 250 [--frames 1000]]

RECORDINGS is a folder of WildWorld samples of one size; each is taken `--copies` times, so that windows of a batch are
mostly of different videos. The same windows, in the same order and batches, for everybody; peers have a decoder a
video and thread, warm. torchcodec runs with 2 threads of 1 and with 1 of 2 (`num_ffmpeg_threads`); where batches are 8
windows of one group of pictures, also with one call a batch. Batches that the loader makes ahead are counted:
processor time until it rests, and the clock over those that it makes while it is asked. Last, block
shuffle against global. With `--gop N` only that, on videos of the same pictures encoded anew in groups of N, as long as
`--frames`.
"""
from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
import trajpack  # noqa: E402

Windows = list[tuple[int, int]]
AHEAD = 2


def torchcodec(files: list[str], length: int, pool: int, threads: int) -> Callable[[Windows], Any]:
    import torch
    from torchcodec.decoders import VideoDecoder

    torch.set_num_threads(1)
    own, workers = threading.local(), ThreadPoolExecutor(pool)

    def one(window: tuple[int, int]) -> Any:
        video, row = window
        decoders = own.__dict__.setdefault("decoders", {})
        if video not in decoders:
            decoders[video] = VideoDecoder(files[video], num_ffmpeg_threads=threads, dimension_order="NHWC")
        return decoders[video].get_frames_in_range(row, row + length).data
    return lambda windows: torch.stack(list(workers.map(one, windows)))


def torchcodec_at_once(files: list[str], length: int, threads: int) -> Callable[[Windows], Any]:
    from torchcodec.decoders import VideoDecoder

    decoders: dict[int, Any] = {}

    def batch(windows: Windows) -> Any:
        for video in {video for video, _ in windows}:
            if video not in decoders:
                decoders[video] = VideoDecoder(files[video], num_ffmpeg_threads=threads, dimension_order="NHWC")
            decoders[video].get_frames_at([row + k for v, row in windows if v == video for k in range(length)])
    return batch


def decord(files: list[str], length: int) -> Callable[[Windows], Any]:
    import decord as module

    decoders: dict[int, Any] = {}

    def one(video: int, row: int) -> Any:
        if video not in decoders:
            decoders[video] = module.VideoReader(files[video], num_threads=2)
        return decoders[video].get_batch(list(range(row, row + length))).asnumpy()
    return lambda windows: np.stack([one(*window) for window in windows])


def pyav(files: list[str], length: int) -> Callable[[Windows], Any]:
    """As its documentation does: seek to the keyframe before, decode on to the frame."""
    import av

    open_files: dict[int, Any] = {}

    def one(video: int, row: int) -> Any:
        if video not in open_files:
            open_files[video] = av.open(files[video])
        stream = open_files[video].streams.video[0]
        tick, start, out = float(stream.time_base), stream.start_time or 0, []
        open_files[video].seek(start + int(row / 30 / tick), stream=stream)
        for frame in open_files[video].decode(stream):
            number = round((frame.pts - start) * tick * 30)
            if number >= row:
                out.append(frame.to_ndarray(format="rgb24"))
            if number >= row + length - 1:
                break
        return np.stack(out)
    return lambda windows: np.stack([one(*window) for window in windows])


def rested() -> None:
    """Waits until this process does nothing."""
    last = time.process_time()
    while True:
        time.sleep(0.15)
        now = time.process_time()
        if now - last < 0.01:
            return
        last = now


def compare(data: trajpack.Dataset, files: list[str], clips: Windows, length: int, batch: int, shuffle: str,
            given: argparse.Namespace) -> None:
    ids = data.episodes.ids
    named = [{"id": f"{i}", "episode": ids[video], "start": row / 30, "rows": length, "rate": 30}
             for i, (video, row) in enumerate(clips)]
    common = {"clips": named, "batch": batch, "meta": True, "shuffle": shuffle, "seed": 3}
    order = [[(int(e), int(r)) for e, r in zip(b["meta:episode"], b["meta:row"], strict=True)]
             for b in data.windows(channels=["state/*"], **common)]
    loader = data.windows(channels=["rgb"], threads=2, prefetch=AHEAD, **common)

    def ours() -> None:
        for windows, found in zip(order, loader, strict=True):
            assert found["rgb"].shape[:2] == (len(windows), length)

    works: dict[str, Callable[[], None]] = {"ours": ours}
    makers: dict[str, Callable[[], Callable[[Windows], Any]]] = {
        "torchcodec 2x1": lambda: torchcodec(files, length, 2, 1),
        "torchcodec 1x2": lambda: torchcodec(files, length, 1, 2)}
    if shuffle == "none":
        makers["torchcodec, a call a batch"] = lambda: torchcodec_at_once(files, length, 2)
    makers |= {"decord": lambda: decord(files, length), "PyAV": lambda: pyav(files, length)}
    for name, make in makers.items():
        try:
            peer = make()
        except (ImportError, RuntimeError, OSError) as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}")
            continue
        works[name] = lambda peer=peer: [peer(windows) for windows in order] and None
    for work in works.values():
        work()
        rested()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(given.rounds):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            wall = time.perf_counter() - wall
            if name == "ours":
                wall *= len(order) / (len(order) - AHEAD)
            rested()
            taken[name].append((wall, time.process_time() - cpu))
    middle = {name: [statistics.median(one) for one in zip(*t, strict=True)] for name, t in taken.items()}
    for name, (wall, cpu) in middle.items():
        print(f"  {name:28} {wall / len(clips) * 1e3:7.1f} ms, {cpu / len(clips) * 1e3:7.1f} of a processor; "
              f"{wall / middle['ours'][0]:.2f} and {cpu / middle['ours'][1]:.2f} x ours", flush=True)


def shuffles(data: trajpack.Dataset, windows: int, rounds: int) -> None:
    """Block and global shuffle, interleaved: each round goes on where the one before ended."""
    loaders = {name: data.windows(channels=["rgb"], length=16, stride=8, batch=4, shuffle=name, threads=2,
                                  seed=1) for name in ("block", "global")}
    batches = {name: itertools.chain.from_iterable(itertools.repeat(loader)) for name, loader in loaders.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loaders}
    for _ in range(rounds):
        for name in loaders:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(windows // 4):
                next(batches[name])
            wall = time.perf_counter() - wall
            rested()
            taken[name].append((wall / windows, (time.process_time() - cpu) / windows))
    found = {name: [statistics.median(one) for one in zip(*t, strict=True)] for name, t in taken.items()}
    for name, (wall, cpu) in found.items():
        stats = loaders[name].stats()
        print(f"  {name:7} {wall * 1e3:.1f} ms, {cpu * 1e3:.1f} of a processor a window; {stats['frame_packets']} "
              f"packets for {stats['frames']} frames, of which {stats['cached_frames']} were kept; "
              f"{stats['frame_bytes'] >> 20} MiB of pictures; blocks {loaders[name].blocks}", flush=True)
    (wall, cpu), (other_wall, other_cpu) = found["block"], found["global"]
    print(f"  global / block: {other_wall / wall:.2f} by the clock, {other_cpu / cpu:.2f} of processor time",
          flush=True)


def encoded(recordings: Path, target: Path, copies: int, gop: int, frames: int) -> None:
    """Videos of the recordings' pictures, over and over, in groups of `gop`."""
    for sample in sorted(p.parent for p in recordings.glob("*/rgb.mp4")):
        for copy in range(copies):
            folder = target / f"{sample.name}-{copy}"
            folder.mkdir(parents=True)
            if copy:
                shutil.copy(target / f"{sample.name}-0" / "rgb.mp4", folder / "rgb.mp4")
                continue
            command = ["ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "-1", "-i", sample / "rgb.mp4", "-an",
                       "-frames:v", frames, "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-bf", "3",
                       "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-pix_fmt", "yuv420p", folder / "rgb.mp4"]
            subprocess.run([str(word) for word in command], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gop", type=int)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=192, help="of block and global shuffle, a round")
    given = parser.parse_args()
    program = Path(os.environ.get("TRAJPACK_BIN", ROOT / ".build" / "release")) / "trajpack"
    with tempfile.TemporaryDirectory() as name:
        if given.gop:
            encoded(given.recordings, Path(name) / "source", given.copies, given.gop, given.frames)
            subprocess.run([program, "convert", f"{name}/source", f"{name}/out", "--quiet"], check=True)
            print(f"block shuffle, groups of {given.gop}:")
            return shuffles(trajpack.open(f"{name}/out"), given.windows, given.rounds)
        for sample in sorted(p.parent for p in given.recordings.glob("*/rgb.mp4")):
            for copy in range(given.copies):
                target = Path(name) / "source" / f"{sample.name}-{copy}"
                target.mkdir(parents=True)
                for file in ("rgb.mp4", "state.csv"):
                    shutil.copy(sample / file, target / file)
        subprocess.run([program, "convert", f"{name}/source", f"{name}/out", "--quiet"], check=True)
        data = trajpack.open(f"{name}/out")
        ids = data.episodes.ids
        files = [f"{name}/source/{one}/rgb.mp4" for one in ids]
        frames = [len(data.episode(one)["rgb"]) for one in ids]
        rng = np.random.default_rng(5)
        for length in (1, 16):
            videos = rng.integers(len(ids), size=given.count).tolist()
            clips = [(v, int(rng.integers(frames[v] - length + 1))) for v in videos]
            print("random frames:" if length == 1 else "random windows of 16:")
            compare(data, files, clips, length, 4, "global", given)
        clips = []
        for _ in range(max(given.count // 8, 4)):
            video = int(rng.integers(len(ids)))
            group = int(rng.integers((frames[video] - 40) // 250 + 1)) * 250
            last = min(group + 250, frames[video]) - 16
            clips += [(video, int(row)) for row in rng.integers(group, last, 8)]
        print("batches of 8 windows of a group of pictures:")
        compare(data, files, clips, 16, 8, "none", given)
        print("block shuffle:")
        shuffles(data, given.windows, given.rounds)


if __name__ == "__main__":
    main()
