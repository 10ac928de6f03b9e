#!/usr/bin/env python3
"""What a world model trained on PushT reads, from a server that takes its time: four pictures of 96 x 96 that are five frames apart,
with state and action, 64 such samples a batch, in random order. trajpack beside Lance, from the same server (remote.py) behind the
same proxy (delay_proxy.py); samples a second, medians of runs in turn.

    remote_pictures.py [--latency 0.02] [--rounds 3] [--batches 24] [--episodes 40]

Needs pylance and pillow. Lance has a row a frame, and four threads that each take the rows of a batch in one call; its pictures are
arrays, or JPEG as its users keep them, which these threads decode. The episodes are drawn here as PushT's are: a disc pushes a T.
"""
from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from delay_proxy import Running, delayed

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python" / "src")]
BATCH, STEPS, SIDE, FRAMES = 64, (0, 5, 10, 15), 96, 300


def episodes(count):
    """Pictures, states (disc, T, its angle) and actions of each episode."""
    from PIL import Image, ImageDraw
    for number in range(count):
        random = np.random.default_rng(number)
        path = np.clip(np.cumsum(random.normal(size=(FRAMES + 1, 5)) * [2, 2, 1, 1, 0.05], axis=0)
                       + [*random.uniform(20, 76, size=4), 0], [8, 8, 8, 8, -9], [88, 88, 88, 88, 9])
        pictures = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
        for frame in range(FRAMES):
            picture = Image.new("RGB", (4 * SIDE, 4 * SIDE), "white")
            draw = ImageDraw.Draw(picture)

            def shape(x, y, angle, colour, draw=draw):
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                for box in ([(-15, -4), (15, -4), (15, 4), (-15, 4)], [(-4, 4), (4, 4), (4, 26), (-4, 26)]):
                    draw.polygon([tuple(4 * (turn @ p + [x, y])) for p in box], fill=colour)
            shape(48, 48, -0.785, (144, 238, 144))
            x, y, tx, ty, angle = path[frame]
            shape(tx, ty, angle, (119, 136, 153))
            draw.ellipse([4 * x - 16, 4 * y - 16, 4 * x + 16, 4 * y + 16], fill=(65, 105, 225))
            pictures[frame] = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        yield pictures, path[:-1].astype("f4"), path[1:, :2].astype("f4")


def make(folder, count):
    import lance
    import pyarrow as pa
    import trajpack
    from PIL import Image

    def jpeg(picture):
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=95)
        return out.getvalue()

    def fixed(array):
        return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array[0].size)
    (folder / "b").mkdir()
    with trajpack.create(folder / "ds", rate=10, chunk_rows=16) as writer:
        for number, (pictures, state, action) in enumerate(episodes(count)):
            writer.append(f"e{number:05}", pixels=pictures, state=state, action=action)
            rest = {"state": fixed(state), "action": fixed(action)}
            for name, column in (("arrays", fixed(pictures)), ("jpeg", pa.array([jpeg(p) for p in pictures]))):
                lance.write_dataset(pa.table({"pixels": column, **rest}), str(folder / "b" / f"{name}.lance"), mode="append")
    for name in ("ds", "b/arrays.lance", "b/jpeg.lance"):
        print(f"  {name}: {sum(p.stat().st_size for p in (folder / name).rglob('*') if p.is_file()) / 1e6:.1f} MB")


def ours(url, seed, batches, _):
    import trajpack
    loader = trajpack.open(f"{url}/ds").windows(length=1, offsets={"*": list(STEPS)}, batch=BATCH, shuffle=True, seed=seed, masks=False)
    start = time.perf_counter()
    for _, batch in zip(range(batches), loader, strict=False):
        shapes = {name: array.shape for name, array in batch.items()}
    assert (BATCH, 4, SIDE, SIDE, 3) in shapes.values(), shapes
    return batches * BATCH / (time.perf_counter() - start)


def lance_of(name):
    def run(url, seed, batches, count):
        import lance
        from PIL import Image
        data = lance.dataset(f"s3://b/{name}.lance", storage_options={
            "endpoint": url, "allow_http": "true", "aws_skip_signature": "true", "region": "us-east-1"})
        random = np.random.default_rng(seed)

        def batch(starts):
            table = data.take((starts[:, None] + np.array(STEPS)).ravel()).combine_chunks()
            column = table["pixels"].chunk(0)
            if name == "jpeg":
                pixels = np.stack([np.asarray(Image.open(io.BytesIO(one.as_py()))) for one in column])
            else:
                pixels = column.flatten().to_numpy()
            found = {"pixels": pixels.reshape(BATCH, 4, SIDE, SIDE, 3)}
            for key in ("state", "action"):
                found[key] = table[key].chunk(0).flatten().to_numpy().reshape(BATCH, 4, -1)
            return found
        starts = [random.integers(count, size=BATCH) * FRAMES + random.integers(FRAMES - STEPS[-1], size=BATCH)
                  for _ in range(batches)]
        start = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(batch, starts):
                pass
        return batches * BATCH / (time.perf_counter() - start)
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--episodes", type=int, default=40)
    given = parser.parse_args()
    systems = {"trajpack": ours, "lance, arrays": lance_of("arrays"), "lance, JPEG": lance_of("jpeg")}
    found = {name: [] for name in systems}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make(folder, given.episodes)
        with Running(sys.executable, ROOT / "tools/bench/remote.py", "--serve", folder, folder / "log") as server, \
                delayed(server.port, given.latency) as proxy:
            for seed in range(given.rounds):
                for name, run in systems.items():
                    before = server.seconds
                    found[name].append(run(proxy.url, seed, given.batches, given.episodes))
                    print(f"  {name}: {found[name][-1]:.0f} samples/s, the server's processor {server.seconds - before:.2f} s")
    best = statistics.median(found["trajpack"])
    print(f"latency {given.latency * 1e3:.0f} ms")
    for name, rates in found.items():
        print(f"{name:16} {statistics.median(rates):9,.0f} samples/s   {best / statistics.median(rates):5.1f} x")


if __name__ == "__main__":
    main()
