#!/usr/bin/env python3
"""Measures windows a second of the loader against its peers, interleaved in one run: wanted against reached.

The work: windows of 64 frames, all channels, in batches of 32 numpy arrays, over the trajectories of data.py. "any" windows
begin anywhere; "clips" are cut beforehand and shuffled; "sequence" are clips in order. Every system is measured in turn,
in this process, with two threads where it has threads; ratios are of medians. Machines are shared, so `cpu`, the
processor time of a window by all threads, says more than windows a second where others work on the machine.

Peers that are not installed are left out, and the table says so; docs/loader-speed.md says how to install them.

    loader.py [--count 200] [--seconds 0.7] [--rounds 7] [--work DIR] [--only NAME,...] [--orders any,clips,sequence]
              [--workers 2] [--json FILE]
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import limit      # noqa: E402
import peers      # noqa: E402
from loader_wanted import WANTED      # noqa: E402

SYSTEMS = {**peers.PEERS, **limit.LIMITS}
UNFORKABLE = (peers.Mds, peers.Grain, peers.TensorStore, peers.Lance)    # they have threads of their own


class Workers:
    """A peer in the workers of torch's DataLoader: each makes whole batches, which go through shared memory."""

    def __init__(self, kind, folder, count, order, workers):
        from torch.utils import data

        class Batches(data.IterableDataset):
            def __iter__(self):
                import torch
                peer = kind(folder, count, order)
                while True:
                    yield {key: torch.from_numpy(value) for key, value in peer.batch().items()}

        self.each = iter(data.DataLoader(Batches(), batch_size=None, num_workers=workers))

    def batch(self):
        return next(self.each)


def measure(peer, seconds):
    """Windows a second, and processor microseconds a window of this process."""
    begin, cpu, count = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - begin) < seconds:
        count += len(next(iter(peer.batch().values())))
    return count / passed, (time.process_time() - cpu) / count * 1e6


def run(names, order, options):
    """Medians of each system: {name: (windows a second, cpu microseconds)}."""
    systems = {}
    for name in names:
        kind = SYSTEMS[name]
        if order not in kind.orders:
            continue
        try:
            systems[name] = kind(options.work, options.count, order)
            if options.workers and name not in limit.LIMITS and kind not in UNFORKABLE:
                kind(options.work, options.count, order).batch()
                systems[f"{name}, {options.workers} workers"] = Workers(kind, options.work, options.count, order,
                                                                       options.workers)
        except ImportError as error:
            print(f"{name}: {error}; left out", file=sys.stderr)
    for peer in systems.values():
        measure(peer, options.seconds)
    found = {name: [] for name in systems}
    for _ in range(options.rounds):
        for name, peer in systems.items():
            found[name].append(measure(peer, options.seconds))
    return {name: tuple(statistics.median(column) for column in zip(*rows, strict=True))
            for name, rows in found.items()}


def measured(order, found):
    """What was measured in one order."""
    print(f"\n{order:38} {'windows/s':>10} {'cpu us':>8}")
    for name, (rate, cpu) in found.items():
        print(f"{name:38} {rate:10,.0f} {cpu if 'workers' not in name else float('nan'):8.1f}", flush=True)


def compared(results):
    """What is wanted, and what was reached."""
    print(f"\n{'order':9} {'trajpack against':34} {'wanted':>8} {'windows/s':>10} {'cpu':>8}")
    for order, ours, peer, factor in WANTED:
        found = results.get(order, {})
        if ours not in found or peer not in found:
            continue
        (rate, cpu), (other, cost) = found[ours], found[peer]
        reached = rate / other
        print(f"{order:9} {peer + (' (uncompressed)' if 'uncompressed' in ours else ''):34} {factor:7g}x "
              f"{reached:9.2f}x {cost / cpu:7.2f}x  {'reached' if reached >= factor else 'missed'}")
    ours = "trajpack"
    if all(ours in results.get(order, {}) for order in ("any", "sequence")):
        ratio = results["sequence"][ours][0] / results["any"][ours][0]
        print(f"{'any':9} {'shuffled costs, of in order':34} {'<= 2':>7}x {ratio:9.2f}x "
              f"{results['any'][ours][1] / results['sequence'][ours][1]:7.2f}x  "
              f"{'reached' if ratio <= 2 else 'missed'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    parser.add_argument("--only", default="")
    parser.add_argument("--orders", default="any,clips,sequence")
    parser.add_argument("--workers", type=int, default=0, help="measure every peer in this many DataLoader workers, too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name] or list(SYSTEMS)
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; there are: {', '.join(map(repr, SYSTEMS))}")
    for name in list(names):
        missing = [m for m in SYSTEMS[name].needs if importlib.util.find_spec(m) is None]
        if missing:
            print(f"{name}: {', '.join(missing)} not installed, left out", file=sys.stderr)
            names.remove(name)
    results = {}
    for order in options.orders.split(","):
        results[order] = run(names, order, options)
        measured(order, results[order])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    compared(results)


if __name__ == "__main__":
    main()
