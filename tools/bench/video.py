#!/usr/bin/env python3
"""Frames of videos against ffmpeg, torchcodec and PyAV, on the same files, interleaved; prints medians and ratios.

    tools/bench/video.py [--rounds 5] [--frames 600] [--size 1280x720] [--gop 250]

Sequential: all frames in order, native planes against `ffmpeg -f null -`, rgb24 against `ffmpeg -pix_fmt rgb24` with
our scaler's flags; the start of each program is subtracted (a run over one frame). Random: single frames and windows of
16 frames at random places, each from a warm decoder. Peers that are not installed are named and left out (pip install torch torchcodec==0.11.1 av).
"""
from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
import trajpack  # noqa: E402

FLAGS = "scale=flags=bilinear+accurate_rnd+bitexact+full_chroma_int"


def make(folder: Path, frames: int, size: str, gop: int) -> None:
    """Two videos as WildWorld has them: H.264 with B-frames, and lossless gray HEVC."""
    recording = folder / "source" / "e"
    recording.mkdir(parents=True)
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30,noise=alls=6:allf=t"]
    for options in ([*"-c:v libx264 -preset veryfast -bf 3 -pix_fmt yuv420p".split(), "-g", gop, recording / "rgb.mp4"],
                    [*"-c:v libx265 -preset ultrafast -pix_fmt gray -x265-params".split(),
                     f"lossless=1:keyint={gop}:log-level=0", recording / "depth.mkv"]):
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *source, "-frames:v", frames, *options]
        subprocess.run([str(word) for word in command], check=True)
    program = Path(os.environ.get("TRAJPACK_BIN", ROOT / ".build" / "release")) / "trajpack"
    subprocess.run([program, "convert", folder / "source", folder / "out", "--quiet"], check=True)


class Taken(NamedTuple):
    """Seconds of a clock, and of processors (this process and its children)."""

    wall: float
    cpu: float

    def less(self, other: Taken) -> Taken:
        return Taken(max(self.wall - other.wall, 1e-9), max(self.cpu - other.cpu, 1e-9))


def ratio(theirs: Taken, ours: Taken) -> str:
    return f"{theirs.wall / ours.wall:.2f} (cpu {theirs.cpu / ours.cpu:.2f})"


def measured(work: Callable[[], object]) -> Taken:
    def cpu() -> float:
        return sum(os.times()[:4])
    wall, before = time.perf_counter(), cpu()
    work()
    return Taken(time.perf_counter() - wall, cpu() - before)


def interleaved(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, Taken]:
    """The medians of each, run in turn."""
    for work in works.values():
        work()
    taken: dict[str, list[Taken]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(measured(work))
    return {name: Taken(*(statistics.median(one) for one in zip(*t, strict=True))) for name, t in taken.items()}


def ffmpeg(path: Path, *words: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "2", "-i", str(path), *words, "-f", "null", "-"],
                   check=True)


def sequential(rounds: int, path: Path, video: trajpack.Video, size: str) -> None:
    for name, format, words in (("native", "native", []), ("rgb24", "rgb24", ["-vf", FLAGS, "-pix_fmt", "rgb24"])):
        if name == "rgb24" and path.suffix == ".mkv":
            continue

        def ours(format: str = format) -> None:
            for first in range(0, len(video), 16):
                video.read(range(first, min(first + 16, len(video))), format=format)

        found = interleaved(rounds, {
            "ours": ours, "ffmpeg": lambda words=words: ffmpeg(path, *words),
            "start": lambda words=words: ffmpeg(path, *words, "-frames:v", "1")})
        print(f"{path.name} {size} sequential {name}: {len(video) / found['ours'].wall:.0f} frames/s, "
              f"{ratio(found['ffmpeg'].less(found['start']), found['ours'])} x ffmpeg", flush=True)


def torchcodec(path: Path) -> Callable[[list[int]], object] | None:
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError, OSError) as error:
        print(f"torchcodec is left out: {str(error).splitlines()[0]}")
        return None
    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC")
    return lambda frames: decoder.get_frames_at(frames).data


def pyav(path: Path) -> Callable[[list[int]], object] | None:
    """As its documentation does: seek to the keyframe before, decode on to the frame."""
    try:
        import av
    except ImportError as error:
        print(f"PyAV is left out: {error}")
        return None
    container = av.open(str(path))
    stream = container.streams.video[0]
    tick = float(stream.time_base)

    def read(frames: list[int]) -> object:
        start = stream.start_time or 0
        container.seek(start + int(frames[0] / 30 / tick), stream=stream)
        out = []
        for frame in container.decode(stream):
            number = round((frame.pts - start) * tick * 30)
            if number >= frames[0]:
                out.append(frame.to_ndarray(format="rgb24"))
            if number >= frames[-1]:
                return np.stack(out)
        return np.stack(out)
    return read


def at_random(rounds: int, path: Path, video: trajpack.Video, size: str, count: int) -> None:
    peers = {"ours": lambda frames: video.read(frames, format="rgb24")}
    for name, make_peer in (("torchcodec", torchcodec), ("PyAV", pyav)):
        if (peer := make_peer(path)) is not None:
            peers[name] = peer
    for length in (1, 16):
        draw = random.Random(length)
        starts = [draw.randrange(len(video) - length + 1) for _ in range(count)]
        first = list(range(starts[0], starts[0] + length))
        expected = np.asarray(peers["ours"](first))
        for name, peer in peers.items():
            other = np.asarray(peer(first))
            apart = np.abs(other.astype(int) - expected).mean()
            assert other.shape == expected.shape and apart < 8, f"{name} gives other frames ({apart:.1f})"

        def run(peer: Callable[[list[int]], object], starts: list[int] = starts, length: int = length) -> None:
            for start in starts:
                peer(list(range(start, start + length)))

        found = interleaved(rounds, {name: lambda peer=peer: run(peer) for name, peer in peers.items()})
        ratios = ", ".join(f"{ratio(found[name], found['ours'])} x {name}" for name in found if name != "ours")
        print(f"{path.name} {size} random {'frames' if length == 1 else 'windows of 16'}: "
              f"{found['ours'].wall / count * 1e3:.1f} ms each ({found['ours'].cpu / count * 1e3:.1f} of a processor)"
              f"{', ' + ratios if ratios else ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--gop", type=int, default=250)
    parser.add_argument("--count", type=int, default=12, help="random places of a round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), given.frames, given.size, given.gop)
        episode = trajpack.open(Path(name) / "out").episode(0)
        for stream, file in (("rgb", "rgb.mp4"), ("depth", "depth.mkv")):
            path = Path(name) / "source" / "e" / file
            sequential(given.rounds, path, episode[stream], given.size)
            if stream == "rgb":
                at_random(given.rounds, path, episode[stream], given.size, given.count)


if __name__ == "__main__":
    main()
