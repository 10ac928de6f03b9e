"""Conversion of a LeRobot dataset, and its export, beside the same by hand: pyarrow reads, h5py writes, one fsync.

usage: lerobot.py [--rounds N] [--episodes N] [--bin DIR]

The dataset: episodes of 400 rows of 14 + 14 floats, 100 in a table, snappy, as lerobot writes them; with `--video`, one H.264 mp4
of 320 x 240 for all. Rounds are interleaved; what is printed are medians in seconds and the ratio theirs / ours. Both sides run
with one thread of reading where they can be told to, and write into fresh folders.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, WIDTH, FPS = 400, 14, 30


def make(folder, episodes, video):
    rng = np.random.default_rng(1)
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    (folder / "data/chunk-000").mkdir(parents=True)
    features = {n: {"dtype": "float32", "shape": [WIDTH], "names": None} for n in ("observation.state", "action")}
    features |= {n: {"dtype": "int64", "shape": [1], "names": None}
                 for n in ("frame_index", "episode_index", "index", "task_index")}
    features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    if video:
        features["observation.images.top"] = {"dtype": "video", "shape": [240, 320, 3], "names": None}
    (folder / "meta/info.json").write_text(json.dumps({"codebase_version": "v3.0", "fps": FPS, "features": features}))
    files = [list(range(e, min(e + 100, episodes))) for e in range(0, episodes, 100)]
    for number, mine in enumerate(files):
        rows = ROWS * len(mine)
        # Joints move smoothly, with the noise of an encoder.
        walk = np.cumsum(rng.normal(0, 0.01, (rows, 2 * WIDTH)), axis=0) + rng.normal(0, 1e-4, (rows, 2 * WIDTH))
        lists = [pa.ListArray.from_arrays(np.arange(0, rows * WIDTH + 1, WIDTH, dtype=np.int32),
                                          pa.array(np.ravel(part).astype(np.float32)))
                 for part in (walk[:, :WIDTH], walk[:, WIDTH:])]
        frame = np.tile(np.arange(ROWS), len(mine))
        table = pa.table({
            "observation.state": lists[0], "action": lists[1],
            "timestamp": (frame / FPS).astype(np.float32), "frame_index": frame,
            "episode_index": np.repeat(mine, ROWS), "index": np.arange(rows) + mine[0] * ROWS,
            "task_index": np.zeros(rows, np.int64)})
        pq.write_table(table, folder / f"data/chunk-000/file-{number:03d}.parquet")
    columns = {"episode_index": list(range(episodes)), "length": [ROWS] * episodes,
               "tasks": pa.array([["pick"]] * episodes), "data/chunk_index": [0] * episodes,
               "data/file_index": [e // 100 for e in range(episodes)]}
    if video:
        key = "videos/observation.images.top"
        columns |= {f"{key}/chunk_index": [0] * episodes, f"{key}/file_index": [0] * episodes,
                    f"{key}/from_timestamp": [e * ROWS / FPS for e in range(episodes)]}
        path = folder / key / "chunk-000/file-000.mp4"
        path.parent.mkdir(parents=True)
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={FPS}", "-frames:v",
                        str(episodes * ROWS), "-c:v", "libx264", "-preset", "ultrafast", "-g", "2", str(path)], check=True,
                       stdin=subprocess.DEVNULL)
    pq.write_table(pa.table(columns), folder / "meta/episodes/chunk-000/file-000.parquet")
    pq.write_table(pa.table({"task_index": [0], "task": ["pick"]}), folder / "meta/tasks.parquet")


def by_hand(source, to):
    """A group an episode, gzip 1, which is what h5py has without plug-ins; videos are cut by ffmpeg's copy."""
    with h5py.File(to, "w") as file:
        for path in sorted((source / "data").rglob("*.parquet")):
            table = pq.read_table(path, use_threads=False)
            episode = table["episode_index"].to_numpy()
            ends = np.flatnonzero(np.diff(episode, append=-1)) + 1
            arrays = {n: table[n].combine_chunks().flatten().to_numpy().reshape(-1, WIDTH)
                      for n in ("observation.state", "action")}
            first = 0
            for end in ends:
                group = file.create_group(f"episode_{episode[first]:06d}")
                for name, array in arrays.items():
                    group.create_dataset(name, data=array[first:end], chunks=True, compression="gzip",
                                         compression_opts=1, shuffle=True)
                first = end
        movie = source / "videos/observation.images.top/chunk-000/file-000.mp4"
        if movie.exists():
            file.create_dataset("video", data=np.fromfile(movie, np.uint8))
        file.flush()
        os.fsync(file.id.get_vfd_handle())


def read_only(source):
    for path in sorted((source / "data").rglob("*.parquet")):
        pq.read_table(path, use_threads=False)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--video", action="store_true")
    parser.add_argument("--bin", default=str(pathlib.Path(__file__).resolve().parents[2] / ".build/release"))
    options = parser.parse_args()
    trajpack = f"{options.bin}/trajpack"
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        make(place / "src", options.episodes, options.video)
        size = sum(p.stat().st_size for p in (place / "src").rglob("*") if p.is_file())
        times = {"convert": [], "by hand": [], "pyarrow alone": [], "export": []}
        for _ in range(options.rounds):
            for name in ("ds", "out"):
                shutil.rmtree(place / name, ignore_errors=True)
            (place / "hand.h5").unlink(missing_ok=True)
            times["convert"].append(timed(lambda: subprocess.run(
                [trajpack, "convert", "--quiet", place / "src", place / "ds"], check=True)))
            times["by hand"].append(timed(lambda: by_hand(place / "src", place / "hand.h5")))
            times["pyarrow alone"].append(timed(lambda: read_only(place / "src")))
            times["export"].append(timed(lambda: subprocess.run(
                [trajpack, "export", "--quiet", place / "ds", place / "out", "--to", "lerobot"], check=True)))
        print(f"{options.episodes} episodes, {size / 1e6:.1f} MB of source")
        for name, seconds in times.items():
            print(f"{name:14} {statistics.median(seconds):7.3f} s")
        ours = statistics.median(times["convert"])
        print(f"by hand / convert: {statistics.median(times['by hand']) / ours:.2f}")


if __name__ == "__main__":
    main()
