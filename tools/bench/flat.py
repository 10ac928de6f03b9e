#!/usr/bin/env python3
"""Counts the anonymous memory of a process while its loader gives out a million batches: it is to stay what it was.

    flat.py [--batches 1000000] [--work DIR] [--video [--windows 100000]]

The last column is what may be there at most: 64 MB, the cache and the ring of batches. Exits with 1 where it is more,
or where the last tenth of the batches added more than a megabyte. With `--video`: random windows of 4 frames of 1,000
videos of 64 x 48 pixels; what is allowed has the loader's own limits of idle decoders and packet tables (64 and 32 MiB)
besides, and memory may grow by 8 MiB between the first tenth of the windows and the last.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import forms        # noqa: E402
import opening      # noqa: E402
import peers        # noqa: E402, F401  (puts the package on the path)


def anonymous():
    """Bytes of anonymous memory that this process holds."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def videos(work, count):
    """A dataset of small videos: 20 encodings, H.264 with B-frames in groups of 12, in `count` recordings."""
    target = work / f"flat-videos-{count}"
    if (target / "manifest.json").exists():
        return target
    with tempfile.TemporaryDirectory(dir=work) as name:
        for kind in range(20):
            subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30",
                            "-frames:v", str(40 + kind), "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g",
                            "12", f"{name}/{kind}.mp4"], check=True)
        for number in range(count):
            recording = Path(name) / "source" / f"{number:04d}"
            recording.mkdir(parents=True)
            shutil.copy(f"{name}/{number % 20}.mp4", recording / "rgb.mp4")
        program = Path(os.environ.get("TRAJPACK_BIN", forms.ROOT / ".build/release")) / "trajpack"
        subprocess.run([program, "convert", "--quiet", f"{name}/source", target], check=True)
    return target


def of_videos(options):
    """Memory over random windows of videos."""
    import trajpack
    trajpack.version()
    before = anonymous()
    data = trajpack.open(videos(options.work, 1000))
    loader = data.windows(channels=["rgb"], length=4, batch=8, threads=2, prefetch=2, seed=1)
    limit = (64 << 20) + (64 << 20) + (32 << 20) + (2 + 3) * loader.batch_bytes
    marks = [options.windows * part // 100 for part in (1, 10, 25, 50, 75, 100)]
    print(f"{'windows':>10} {'seconds':>8} {'added MB':>9} {'decoders MB':>12} {'threads':>8} {'allowed MB':>11}")
    done, begin, found = 0, time.perf_counter(), []
    while done < options.windows:
        for batch in loader:
            batch["rgb"]
            done += batch.count
            if len(found) < len(marks) and done >= marks[len(found)]:
                gc.collect()
                found.append(anonymous() - before)
                print(f"{done:10,} {time.perf_counter() - begin:8.1f} {found[-1] / 1e6:9.2f} "
                      f"{loader.stats()['decoder_bytes'] / 1e6:12.1f} {len(os.listdir('/proc/self/task')):8} "
                      f"{limit / 1e6:11.1f}", flush=True)
            if done >= options.windows:
                break
    if max(found) > limit or found[-1] - found[1] > 8 << 20:
        sys.exit("memory grows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    parser.add_argument("--video", action="store_true")
    parser.add_argument("--windows", type=int, default=100_000)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.video:
        return of_videos(options)
    import trajpack
    trajpack.version()
    before = anonymous()
    loader = trajpack.open(opening.archive(options.work, 200)).windows(length=4, batch=4, prefetch=4, cache=1 << 20)
    limit = (64 << 20) + (1 << 20) + (4 + 3) * loader.batch_bytes
    marks = sorted({options.batches // 1000, options.batches // 10, options.batches * 9 // 10, options.batches})
    print(f"{'batches':>10} {'seconds':>8} {'added MB':>9} {'objects':>8} {'allowed MB':>11}")
    done, begin, found = 0, time.perf_counter(), []
    while done < options.batches:
        for batch in loader:
            batch["state/x"]
            done += 1
            if done in marks:
                gc.collect()
                found.append(anonymous() - before)
                print(f"{done:10,} {time.perf_counter() - begin:8.1f} {found[-1] / 1e6:9.2f} "
                      f"{len(gc.get_objects()):8,} {limit / 1e6:11.1f}", flush=True)
    if max(found) > limit or found[-1] - found[-2] > 1 << 20:
        sys.exit("memory grows")


if __name__ == "__main__":
    main()
