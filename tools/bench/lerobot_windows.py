#!/usr/bin/env python3
"""Random windows of video out of LeRobot's own dataset and out of trajpack's loader, on the same videos, interleaved.

    lerobot_windows.py RECORDINGS [--copies 4] [--windows 128] [--rounds 3] [--length 16] [--gop 2]

RECORDINGS is a folder of WildWorld samples of one size. They are converted, and exported with `--to lerobot`, so both
read the same H.264. LeRobot is read as its documentation does: `LeRobotDataset` with `delta_timestamps`, in a
`DataLoader` of 2 workers, by each of its video backends that is there; trajpack with 2 threads. Both read the columns
of the camera besides. LeRobot gives float32 from 0 to 1 with channels first; trajpack uint8, and once more turned
into the same float32 by whoever reads. The frames are compared before. With `--gop` the pictures are encoded anew in
groups of so many; LeRobot's recorder makes groups of 2. Processor time is that of this process and its workers.

Needs torch, torchcodec and lerobot 0.4.4; beside a torch without CUDA `pip install --no-deps lerobot==0.4.4
torchvision` does, and what their imports miss.
"""
from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
# lerobot.py beside this file is another program.
sys.path = [folder for folder in sys.path if Path(folder or ".").resolve() != Path(__file__).resolve().parent]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
import trajpack  # noqa: E402

IMAGE, CAMERA = "observation.images.rgb", ["camera.pos", "camera.rot"]
BATCH = 8


def lerobot_dataset() -> Any:
    """LeRobot's class. A torchvision that is built for CUDA lacks two operators elsewhere; nothing here uses them."""
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        lerobot_dataset.library = library  # type: ignore[attr-defined]
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    return LeRobotDataset


def processor_time() -> float:
    """Seconds of this process and of its children that live."""
    total = time.process_time()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == os.getpid():
            total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return total


def rested() -> None:
    """Waits until nothing is made ahead."""
    last = processor_time()
    while True:
        time.sleep(0.3)
        now = processor_time()
        if now - last < 0.03:
            return
        last = now


class Order:
    """The windows of a round, for a DataLoader."""

    def __init__(self, items: list[int]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--windows", type=int, default=128)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gop", type=int)
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)
    program = Path(os.environ.get("TRAJPACK_BIN", ROOT / ".build" / "release")) / "trajpack"
    with tempfile.TemporaryDirectory() as name:
        for sample in sorted(p.parent for p in given.recordings.glob("*/rgb.mp4")):
            for copy in range(given.copies):
                target = Path(name) / "source" / f"{sample.name}-{copy}"
                shutil.copytree(sample, target, ignore=shutil.ignore_patterns("depth.mkv"))
                if given.gop:
                    (target / "rgb.mp4").chmod(0o644)
                    words = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", sample / "rgb.mp4", "-c:v", "libx264",
                             "-g", given.gop, "-crf", 23, "-pix_fmt", "yuv420p", target / "rgb.mp4"]
                    subprocess.run([str(word) for word in words], check=True)
        subprocess.run([program, "convert", f"{name}/source", f"{name}/out", "--quiet"], check=True)
        subprocess.run([program, "export", f"{name}/out", f"{name}/hub", "--to", "lerobot", "--quiet"], check=True,
                       stderr=subprocess.DEVNULL)
        data = trajpack.open(f"{name}/out")
        ids = data.episodes.ids
        frames = [len(data.episode(one)["rgb"]) for one in ids]
        rng = np.random.default_rng(7)
        chosen = rng.integers(len(ids), size=given.windows).tolist()
        windows = [(v, int(rng.integers(frames[v] - given.length + 1))) for v in chosen]
        starts = np.concatenate([[0], np.cumsum(frames)])
        clips = [{"id": f"{i}", "episode": ids[v], "start": row / 30, "rows": given.length, "rate": 30}
                 for i, (v, row) in enumerate(windows)]

        def ours(check: Callable[[int, torch.Tensor], None] | None = None, floats: bool = True) -> None:
            done = 0
            for batch in loader:
                pixels = torch.from_numpy(batch["rgb"])
                pixels = pixels.float() / 255 if floats else pixels
                assert batch["camera/pos"].shape[1] == given.length
                for one in pixels if check else ():
                    check(done, one)    # type: ignore[misc]
                    done += 1

        loader = data.windows(channels=["rgb", "camera/pos", "camera/rot"], clips=clips, batch=BATCH, shuffle="none",
                              layout="TCHW", threads=2, prefetch=2, drop_last=False)
        works: dict[str, Callable[[], object]] = {"ours": lambda: ours(floats=False), "ours, float32": ours}
        steps = [k / 30 for k in range(given.length)]
        for backend in ("torchcodec", "pyav"):
            try:
                theirs = lerobot_dataset()("local/frames", root=f"{name}/hub", video_backend=backend, tolerance_s=1e-3,
                                           delta_timestamps={key: steps for key in (IMAGE, *CAMERA)})
                first = theirs[int(starts[windows[0][0]]) + windows[0][1]][IMAGE]
            except (ImportError, AttributeError, RuntimeError, OSError) as error:
                print(f"lerobot with {backend} is left out: {str(error).splitlines()[0]}")
                continue

            def check(number: int, pixels: torch.Tensor, first: torch.Tensor = first) -> None:
                # Colours are converted by other filters.
                assert number or float((pixels - first).abs().mean()) < 0.03, "other frames"
            ours(check)
            # Workers are forks, and would share open files with this process.
            sys.modules["lerobot.datasets.video_utils"]._default_decoder_cache.clear()
            items = Order([int(starts[v]) + row for v, row in windows])
            feed = torch.utils.data.DataLoader(theirs, batch_size=BATCH, sampler=items,  # type: ignore[arg-type]
                                               num_workers=2, persistent_workers=True)

            def run(feed: Any = feed) -> None:
                for batch in feed:
                    assert batch[IMAGE].shape[1] == given.length
            works[f"lerobot, {backend}"] = run
        for work in works.values():
            work()
            rested()
        taken: dict[str, list[tuple[float, float]]] = {label: [] for label in works}
        for _ in range(given.rounds):
            for label, work in works.items():
                wall, cpu = time.perf_counter(), processor_time()
                work()
                wall = time.perf_counter() - wall
                if label.startswith("ours"):
                    # Two batches were ready.
                    wall *= len(windows) / (len(windows) - 2 * BATCH)
                rested()
                taken[label].append((wall, processor_time() - cpu))
        middle = {label: [statistics.median(one) for one in zip(*t, strict=True)] for label, t in taken.items()}
        for label, (wall, cpu) in middle.items():
            print(f"{label:20} {wall / len(windows) * 1e3:7.1f} ms, {cpu / len(windows) * 1e3:7.1f} of a processor a "
                  f"window; {wall / middle['ours'][0]:.2f} and {cpu / middle['ours'][1]:.2f} x ours", flush=True)


if __name__ == "__main__":
    main()
