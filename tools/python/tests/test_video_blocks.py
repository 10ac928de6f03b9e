"""Blocks of shuffled videos: cut where groups of pictures begin, and the memory of what they keep."""
from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trajpack
from places import surroundings
from test_video_windows import check
from video_world import convert, ffmpeg, needs_ffmpeg, recording

pytestmark = needs_ffmpeg


@pytest.mark.parametrize("groups", ["alike", "of all lengths"])
def test_blocks_begin_with_groups(tmp_path: Path, groups: str) -> None:
    """A block is the windows of a group, so each packet is decoded once, but for those that reach into the next group."""
    keys = {"alike": [[0, 40, 80]] * 3, "of all lengths": [[0, 25, 61, 90], [0, 70], [0, 33, 45, 52]]}[groups]
    for number, at in enumerate(keys):
        folder = recording(tmp_path / "source" / f"e{number}", 110, number)
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30", "-frames:v", 110, "-c:v", "libx264", "-preset",
               "veryfast", "-threads", 1, "-bf", 2, "-g", 300, "-sc_threshold", 0, "-force_key_frames",
               ",".join(f"{(k - .1) / 30:.4f}" for k in at), "-pix_fmt", "yuv420p", folder / "rgb.mp4")
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "ds"))
    longest = max(b - a for at in keys for a, b in itertools.pairwise([*at, 110]))
    for cache, parts in ((100, 1), (60, 1 if groups == "alike" else 2)):
        loader = dataset.windows(channels=["rgb"], length=4, stride=2, batch=4, shuffle="block", seed=5, threads=2,
                                 drop_last=False, meta=True, frame_cache=cache * 128 * 96 * 3 // 2)
        assert loader.blocks is not None
        assert loader.blocks["windows"] == -(-(-(-longest // parts)) // 2)
        last: dict[int, int] = {}
        order = []
        for batch in loader:
            check(dataset, batch, range(4))
            order += list(zip(batch["meta:episode"].tolist(), batch["meta:row"].tolist(), strict=True))
        assert len(set(order)) == len(order) == loader.windows
        count = loader.blocks["count"]
        if parts == 1:
            # Windows of no more groups than a pool has are begun and not at their end.
            of = [(e, max(i for i, k in enumerate(keys[e]) if k <= row)) for e, row in order]
            last = {block: place for place, block in enumerate(of)}
            begun: set[tuple[int, int]] = set()
            for place, block in enumerate(of):
                begun.add(block)
                merged = count if groups == "alike" else 3 * count
                assert len(begun) <= merged, (begun, count)
                begun -= {block} if last[block] == place else set()
            stats = loader.stats()
            # An epoch, and the batches of the next one that are made ahead.
            assert stats["frame_packets"] <= 1.5 * 330 + (3 + count) * longest, stats
        loader.close()


def test_the_library_is_loaded_for_whatever_asks_first(tmp_path: Path) -> None:
    """In a process that has not decoded yet, an option of frames loads the library, too."""
    folder = recording(tmp_path / "source" / "e", 8)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30", "-frames:v", 8, "-pix_fmt", "yuv420p", folder / "rgb.mp4")
    data = convert(tmp_path / "source", tmp_path / "ds")
    script = """
import sys, trajpack
batch = next(iter(trajpack.open(sys.argv[1]).windows(channels=["rgb"], batch=2, pixels="gray8", size=(8, 6))))
assert batch["rgb"].shape == (2, 1, 8, 6), batch["rgb"].shape
"""
    subprocess.run([sys.executable, "-c", script, str(data)], check=True, env=surroundings())


def test_kept_pictures_are_given_back(tmp_path: Path) -> None:
    """Memory is that of `frame_cache`, of idle decoders and of a few batches, though decoders of many videos made the pictures."""
    for number in range(16):
        folder = recording(tmp_path / "source" / f"e{number}", 150, number)
        if number:
            shutil.copy(tmp_path / "source" / "e0" / "rgb.mp4", folder)
        else:
            ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x192:rate=30", "-frames:v", 150, "-c:v", "libx264", "-preset",
                   "veryfast", "-bf", 2, "-g", 150, "-sc_threshold", 0, "-pix_fmt", "yuv420p", folder / "rgb.mp4")
    data = convert(tmp_path / "source", tmp_path / "ds")
    script = """
import resource, sys, trajpack
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
loader = trajpack.open(sys.argv[1]).windows(channels=["rgb"], length=2, stride=4, batch=4, shuffle="block", threads=2,
                                             frame_cache=24 << 20)
assert loader.blocks["count"] == 1, loader.blocks
before = None
for batch in loader:
    before = before or peak()
print(peak() - before, loader.stats()["frame_bytes"] >> 20, loader.stats()["decoder_bytes"] >> 20)
"""
    done = subprocess.run([sys.executable, "-c", script, str(data)], capture_output=True, text=True, check=True,
                          env=surroundings())
    grown, kept, decoders = map(int, done.stdout.split())
    assert kept <= 24
    assert grown <= 24 + decoders + 24, done.stdout
