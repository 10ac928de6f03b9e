#!/usr/bin/env python3
"""Counts the anonymous memory of a process while its loader gives out a million batches: it is to stay what it was.

    flat.py [--batches 1000000] [--work DIR]

The last column is what may be there at most: 64 MB, the cache and the ring of batches. Exits with 1 where it is more, or
where the last tenth of the batches added more than a megabyte.
"""

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import opening      # noqa: E402
import peers        # noqa: E402, F401  (puts the package on the path)


def anonymous():
    """Bytes of anonymous memory that this process holds."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    options = parser.parse_args()
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
