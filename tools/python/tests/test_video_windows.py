"""Frames in windows: the same windows, masks, order and laws as every other channel."""
from __future__ import annotations

import itertools
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from places import program
from video_world import convert, ffmpeg, needs_ffmpeg, recording

pytestmark = needs_ffmpeg
ROWS = (60, 45, 70)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of state, rgb (B-frames, groups of 20) and depth (lossless, groups of 16)."""
    root = tmp_path_factory.mktemp("windows")
    for number, rows in enumerate(ROWS):
        folder = recording(root / "source" / f"e{number}", rows, number)
        source = ["-f", "lavfi", "-i", f"testsrc2=size=96x64:rate=30,hue=h={number * 40}"]
        ffmpeg(*source, "-frames:v", rows, "-c:v", "libx264", "-preset", "veryfast", "-threads", 1, "-bf", 3, "-g", 20,
               "-pix_fmt", "yuv420p", folder / "rgb.mp4")
        ffmpeg(*source, "-frames:v", rows, "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "gray",
               "-x265-params", "lossless=1:keyint=16:log-level=0", folder / "depth.mkv")
    convert(root / "source", root / "embed")
    convert(root / "source", root / "link", "--video", "link")
    return root


@pytest.fixture(scope="module", params=["embed", "link"])
def dataset(root: Path, request: pytest.FixtureRequest) -> trajpack.Dataset:
    return trajpack.open(root / request.param, media=root)


def check(dataset: trajpack.Dataset, batch: Any, steps: Any) -> None:
    """Every frame of a batch is the one that its episode gives, or zeros where its row pads."""
    for window in range(batch.count):
        episode = dataset.episode(int(batch["meta:episode"][window]))
        for stream in ("rgb", "depth"):
            if stream not in batch:
                continue
            video, first = episode[stream], int(batch["meta:row"][window])
            for t, step in enumerate(steps):
                inside = 0 <= first + step < len(video)
                assert batch[f"padding:{stream}"][window, t] == (not inside)
                expected = video[first + step] if inside else np.zeros_like(video[0])
                np.testing.assert_array_equal(batch[stream][window, t], expected)


def test_windows(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(channels=["rgb", "depth", "state/*"], length=6, batch=5, meta=True, seed=3)
    assert loader.outputs["rgb"].shape == (5, 6, 64, 96, 3) and loader.outputs["depth"].shape == (5, 6, 64, 96)
    assert loader.outputs["rgb"].dtype == np.uint8 and loader.outputs["rgb"].kind == "image"
    seen = 0
    for batch in loader:
        check(dataset, batch, range(6))
        np.testing.assert_array_equal(batch["state/hp"][:, 0], batch["meta:row"])
        assert batch.valid("rgb").all()
        seen += batch.count
    assert seen == loader.epoch_windows // 5 * 5
    stats = loader.stats()
    assert stats["frames"] >= seen * 12 and stats["frame_packets"] > 0
    assert stats["decoder_bytes"] <= 64 << 20 and stats["frame_bytes"] == 0


@pytest.mark.parametrize("shuffle", ["block", "none"])
def test_orders(dataset: trajpack.Dataset, shuffle: str) -> None:
    loader = dataset.windows(channels=["rgb", "depth"], length=4, stride=3, batch=7, meta=True, shuffle=shuffle,
                             block_windows=4, block_count=3, drop_last=False)
    total = 0
    for batch in loader:
        check(dataset, batch, range(4))
        total += batch.count
    assert total == loader.windows
    stats = loader.stats()
    assert (stats["frame_bytes"] > 0) == (shuffle == "block")
    small = dataset.windows(channels=["rgb"], length=4, batch=7, meta=True, shuffle=shuffle, frame_cache=200_000)
    for batch in small:
        check(dataset, batch, range(4))
    assert small.stats()["frame_bytes"] <= 200_000


def test_blocks_share_groups_of_pictures(dataset: trajpack.Dataset) -> None:
    """Where the usual pool is larger than the cache, blocks are as long as groups, as many as the cache holds."""
    picture = (96 + 32) * (64 + 16) * 3 // 2
    options: dict[str, Any] = {"channels": ["rgb"], "length": 4, "batch": 8, "meta": True, "drop_last": False,
                               "seed": 4, "threads": 1, "frame_cache": 80 * picture}
    loader = dataset.windows(shuffle="block", **options)
    assert loader.blocks is not None
    assert 12 <= loader.blocks["windows"] <= 25 and 1 <= loader.blocks["count"] <= 3
    seen = []
    for batch in loader:
        check(dataset, batch, range(4))
        seen += list(zip(batch["meta:episode"].tolist(), batch["meta:row"].tolist(), strict=True))
    assert len(set(seen)) == len(seen) == loader.windows and seen != sorted(seen)
    other = dataset.windows(shuffle="global", **options | {"frame_cache": 0})
    assert sum(batch.count for batch in other) == loader.windows
    assert loader.stats()["frame_packets"] * 2 < other.stats()["frame_packets"]
    assert loader.stats()["frame_bytes"] <= 80 * picture

    again = dataset.windows(shuffle="block", **options)
    assert sum(batch.count for batch in itertools.islice(again, 3)) == 24
    resumed = dataset.windows(shuffle="block", **options | {"threads": 2})
    resumed.load_state_dict(again.state_dict())
    rest = [pair for batch in resumed
            for pair in zip(batch["meta:episode"].tolist(), batch["meta:row"].tolist(), strict=True)]
    assert rest == seen[24:]
    # Other blocks are another order, which a state does not fit.
    with pytest.raises(trajpack.UsageError, match="other options that decide the order"):
        dataset.windows(shuffle="block", **options | {"channels": ["state/*"]}).load_state_dict(again.state_dict())

    given = dataset.windows(shuffle="block", block_windows=5, **options)
    assert given.blocks == {"windows": 5, "count": 64}
    for changes in ({"frame_cache": 8 * picture}, {"frame_cache": 1 << 30}, {"channels": ["state/*"]}, {"length": 20}):
        usual = dataset.windows(shuffle="block", **options | changes)
        assert usual.blocks == {"windows": 64, "count": 64}, changes
    assert other.blocks is None


def test_threads_share_a_group(dataset: trajpack.Dataset) -> None:
    """Batches that are made at once want the same pictures, and each group is decoded by one thread."""
    loader = dataset.windows(channels=["rgb"], length=2, batch=4, shuffle="block", threads=4, prefetch=6, seed=1,
                             drop_last=False, episodes=["e0"])
    assert sum(batch.count for batch in loader) == ROWS[0] - 1
    stats = loader.stats()
    assert stats["frame_packets"] <= 3 * ROWS[0] and stats["cached_frames"] > 0


def test_every_kth_frame_and_edges(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(channels=["rgb", "depth", "state/hp"], offsets={"*": range(-6, 12, 3)}, edge="pad",
                             batch=8, meta=True, shuffle=False)
    for batch in loader:
        check(dataset, batch, range(-6, 12, 3))
    clamped = dataset.windows(channels=["rgb"], length=5, past=2, edge="clamp", batch=8, meta=True, shuffle=False)
    for batch in clamped:
        for window in range(batch.count):
            video = dataset.episode(int(batch["meta:episode"][window]))["rgb"]
            rows = np.clip(np.arange(-2, 5) + int(batch["meta:row"][window]), 0, len(video) - 1)
            np.testing.assert_array_equal(batch["rgb"][window], video[rows])


def test_other_rates_take_the_nearest_frame(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(channels=["rgb"], length=6, rate=16, batch=4, meta=True, seed=1)
    before = dataset.windows(channels=["rgb"], length=6, rate=16, batch=4, meta=True, seed=1, align="asof")
    for batch, other in zip(loader, before, strict=True):
        for window in range(batch.count):
            video = dataset.episode(int(batch["meta:episode"][window]))["rgb"]
            times = (int(batch["meta:row"][window]) + np.arange(6)) / 16 * 30
            np.testing.assert_array_equal(batch["rgb"][window], video[np.ceil(times - 0.5).astype(int).tolist()])
            np.testing.assert_array_equal(other["rgb"][window], video[np.floor(times + 1e-9).astype(int).tolist()])


def test_size_layout_pixels(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(channels=["rgb", "depth"], length=3, batch=4, meta=True, size={"rgb": (24, 40)},
                             layout="TCHW", seed=5)
    gray = dataset.windows(channels=["rgb", "depth"], length=3, batch=4, size=[16, 16], seed=5,
                           pixels={"rgb": "gray8"})
    assert loader.outputs["rgb"].shape == (4, 3, 3, 24, 40) and loader.outputs["depth"].shape == (4, 3, 64, 96)
    assert gray.outputs["rgb"].shape == gray.outputs["depth"].shape == (4, 3, 16, 16)
    batch, other = next(iter(loader)), next(iter(gray))
    for window in range(4):
        episode = dataset.episode(int(batch["meta:episode"][window]))
        rows = range(int(batch["meta:row"][window]), int(batch["meta:row"][window]) + 3)
        np.testing.assert_array_equal(batch["rgb"][window], episode["rgb"].read(rows, size=(24, 40), layout="TCHW"))
        np.testing.assert_array_equal(other["rgb"][window], episode["rgb"].read(rows, size=(16, 16), format="gray8"))
        np.testing.assert_array_equal(other["depth"][window], episode["depth"].read(rows, size=(16, 16)))


def test_resume_ranks_and_random_access(dataset: trajpack.Dataset) -> None:
    options: dict[str, Any] = {"channels": ["rgb", "state/hp"], "length": 4, "batch": 3, "seed": 9}
    whole = [b.copy() for b in dataset.windows(**options)]
    loader = dataset.windows(**options)
    for _ in range(5):
        loader.next()
    state = loader.state_dict()
    again = dataset.windows(**options)
    again.load_state_dict(state)
    for expected, batch in zip(whole[5:], again, strict=True):
        np.testing.assert_array_equal(batch["rgb"], expected["rgb"])
    double = dataset.windows(**{**options, "batch": 6})
    parts = [dataset.windows(rank=r, world_size=2, **options) for r in range(2)]
    for both, *each in zip(double, *parts, strict=True):
        for rank, batch in enumerate(each):
            np.testing.assert_array_equal(batch.windows, both.windows[rank::2])
            np.testing.assert_array_equal(batch["rgb"], both["rgb"][rank::2])
    batch = next(iter(dataset.windows(**options)))
    np.testing.assert_array_equal(loader.read(batch.windows)["rgb"], batch["rgb"])
    copy = pickle.loads(pickle.dumps(dataset.windows(**options)))
    np.testing.assert_array_equal(next(iter(copy))["rgb"], whole[0]["rgb"])


def test_after_fork(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(channels=["rgb", "depth"], length=4, batch=3, meta=True)
    check(dataset, loader.next(), range(4))
    expected = [b.copy() for b in dataset.windows(channels=["rgb"], length=4, batch=3)]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in range(1, 6):
                batch = loader.next()
                np.testing.assert_array_equal(batch["rgb"], expected[number]["rgb"])
            check(dataset, batch, range(4))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(loader.next()["rgb"], expected[1]["rgb"])


def test_what_is_decoded(dataset: trajpack.Dataset) -> None:
    """Frames come where their stream is named; packets are no default outputs."""
    assert not any(o.stream in ("rgb", "depth") for o in dataset.windows(length=4).outputs.values())
    assert "rgb" not in dataset.windows(channels=["*", "*/*"], length=4).outputs
    assert "rgb" in dataset.windows(channels=["rg?"], length=4).outputs
    assert "rgb" in dataset.windows(channels=["rgb/frame"], length=4).outputs
    assert "rgb/pts" not in dataset.windows(channels=["rgb"], length=4).outputs
    both = dataset.windows(channels=["rgb", "rgb/pts"], length=4, batch=2, meta=True)
    assert {"rgb", "rgb/pts", "padding:rgb"} <= set(both.outputs)
    check(dataset, next(iter(both)), range(4))
    assert "rgb" not in dataset.windows(channels=["rgb", "state"], exclude="rgb", length=4).outputs
    for options, match in [
        ({"normalize": {"rgb": "standard"}}, "no statistics"), ({"features": {"x": ["rgb"]}}, "no columns"),
        ({"dtype": {"rgb": "int8"}}, "int8 does not hold the samples of 'rgb', which are uint8"),
        ({"fill": {"rgb": 0}}, "all of which were observed"),
        ({"size": [0, 4]}, "size"), ({"size": {"state": [4, 4]}}, "no channel matches"),
        ({"layout": "TCWH"}, "layout"), ({"pixels": "gray16"}, "no plane of brightness of 9 to 16"),
    ]:
        with pytest.raises(trajpack.UsageError, match=match):
            dataset.windows(channels=["rgb", "state/hp"], length=4, **options)
    assert dataset.windows(channels=["rgb", "state/hp"], length=4, normalize="standard").left_raw == ["rgb"]


def test_types_of_frames(dataset: trajpack.Dataset) -> None:
    """A type that 'dtype' names is that of the samples; one for all floats or integers leaves frames as they are."""
    for dtype in ("float32", "float64", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
        options: dict[str, Any] = {"channels": ["rgb", "depth"], "length": 3, "batch": 2, "shuffle": False,
                                   "size": (9, 16)}
        given = next(iter(dataset.windows(**options, dtype={"rgb": dtype})))
        plain = next(iter(dataset.windows(**options, dtype="float32")))
        assert given["rgb"].dtype == np.dtype(dtype) and given["depth"].dtype == np.uint8
        assert plain["rgb"].dtype == np.uint8 and given["rgb"].max() > 100
        np.testing.assert_array_equal(given["rgb"], plain["rgb"])
        np.testing.assert_array_equal(given["depth"], plain["depth"])


def test_frames_of_several_sizes(root: Path, tmp_path: Path) -> None:
    for number, size in enumerate(("96x64", "64x64")):
        folder = recording(tmp_path / "source" / f"e{number}", 20)
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30", "-frames:v", 20, "-c:v", "libx264", "-pix_fmt",
               "yuv420p", folder / "rgb.mp4")
    dataset = trajpack.open(convert(tmp_path / "source", tmp_path / "out"))
    with pytest.raises(trajpack.UsageError, match=r"\[64, 96, 3\] in one episode .* 'size'"):
        dataset.windows(channels="rgb", length=4)
    loader = dataset.windows(channels="rgb", length=4, batch=4, meta=True, size=(32, 48))
    for batch in loader:
        for window in range(4):
            video = dataset.episode(int(batch["meta:episode"][window]))["rgb"]
            first = int(batch["meta:row"][window])
            np.testing.assert_array_equal(batch["rgb"][window], video.read(range(first, first + 4), size=(32, 48)))


def test_mixture(root: Path) -> None:
    members = [trajpack.open(root / "embed"), trajpack.open(root / "link", media=root)]
    loader = trajpack.mixture(members, channels=["rgb"], length=3, batch=6, weights=[1, 2], meta=True)
    for _, batch in zip(range(6), loader, strict=False):
        for window in range(batch.count):
            video = members[int(batch.datasets[window])].episode(int(batch["meta:episode"][window]))["rgb"]
            first = int(batch["meta:row"][window])
            np.testing.assert_array_equal(batch["rgb"][window], video[first:first + 3])


def test_nothing_else_loads_ffmpeg(root: Path, tmp_path: Path) -> None:
    """Import, tables and windows without video never load FFmpeg; frames without the library say what to install."""
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, trajpack
maps = lambda: "libavcodec" in open("/proc/self/maps").read()
ds = trajpack.open({str(root / 'embed')!r})
batch = next(iter(ds.windows(length=4, batch=2)))
ds.episode(0)["state/hp"][:]; ds.episode(0)["rgb"]["pts"][:]; repr(ds.episode(0))
assert not maps()
os.environ["TRAJPACK_VIDEO_LIBRARY"] = "/nowhere/libtrajpack-video.so"
for ask in (lambda: ds.windows(channels="rgb", length=4), lambda: ds.episode(0)["rgb"][3]):
    try:
        ask()
    except trajpack.MachineError as error:
        assert "apt-get install libavcodec59" in str(error), error
    else:
        raise SystemExit("nothing was raised")
del os.environ["TRAJPACK_VIDEO_LIBRARY"]
assert ds.episode(0)["rgb"][3].shape == (64, 96, 3) and maps()
""")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert run.returncode == 0, run.stderr


def test_split_that_cuts_recordings(root: Path, tmp_path: Path) -> None:
    """Frames of a window of a part are those of the whole recording, and beyond its end there are none."""
    shutil.copytree(root / "embed", tmp_path / "ds")
    subprocess.run([program(), "split", tmp_path / "ds", "--rule", "train=0:50%", "--rule", "test=50%:"], check=True,
                   capture_output=True)
    dataset = trajpack.open(tmp_path / "ds")
    for name in ("train", "test"):
        loader = dataset.windows(channels=["rgb", "depth", "state/hp"], length=4, batch=4, split=name, edge="pad",
                                 shuffle=False, drop_last=False)
        seen = set()
        for batch in loader:
            for window in range(batch.count):
                for t in np.flatnonzero(~batch["padding:rgb"][window]).tolist():
                    # Row n of state holds n, and every recording has another colour.
                    row = int(batch["state/hp"][window, t])
                    same = [e for e in range(3) if row < ROWS[e] and np.array_equal(
                        batch["rgb"][window, t], dataset.episode(e)["rgb"][row])]
                    assert len(same) == 1, (name, row, same)
                    np.testing.assert_array_equal(batch["depth"][window, t], dataset.episode(same[0])["depth"][row])
                    seen.add((same[0], row))
        halves = [range(n // 2) if name == "train" else range(n // 2, n) for n in ROWS]
        assert seen == {(e, row) for e, rows in enumerate(halves) for row in rows}
