#!/usr/bin/env python3
"""Random windows of a dataset on a server that takes its time, on this machine: trajpack, the same ranges fetched by
obstore as they are (the raw limit), and h5py over fsspec. Rows a second, medians of runs in turn.

    remote.py [--latency 0.02] [--rounds 3] [--windows 512] [--count 8]

Needs obstore, fsspec and aiohttp for the peers; what is not installed is left out and said. The server is a process of
its own that answers 8,000 and more small requests a second on one processor, so that it is not what is measured.
"""
from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python" / "src"), str(ROOT / "tools" / "bench")]
LENGTH, BATCH = 64, 32


class Answers(asyncio.Protocol):
    """HTTP/1.1 with ranges, each answer after the latency."""
    root, latency, log = Path(), 0.0, Path()

    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head, self.rest = self.rest[:end].decode(), self.rest[end + 4:]
            asyncio.get_running_loop().call_later(self.latency, self.answer, head)

    def answer(self, head):
        method, path = head.split(" ", 2)[:2]
        file = self.root / path.lstrip("/")
        if not file.is_file():
            return self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        size = file.stat().st_size
        found = re.search(r"\r\nrange: bytes=(\d+)-(\d*)", head, re.IGNORECASE)
        first, last = (int(found[1]), min(int(found[2] or size - 1), size - 1)) if found else (0, size - 1)
        with file.open("rb") as opened:
            body = b"" if method == "HEAD" else os.pread(opened.fileno(), last - first + 1, first)
        status = f"206 Partial Content\r\nContent-Range: bytes {first}-{last}/{size}" if found else "200 OK"
        self.transport.write(f"HTTP/1.1 {status}\r\nETag: \"{size}\"\r\nAccept-Ranges: bytes\r\nLast-Modified: "
                             f"Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: {last - first + 1}\r\n\r\n".encode() + body)
        if path.endswith(".h5") and method == "GET":
            self.asked.append(f"{path} {first} {last + 1}\n")


async def serve(root, latency, log):
    Answers.root, Answers.latency, Answers.asked = Path(root), latency, []
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while True:
        await asyncio.sleep(0.05)
        if Answers.asked:
            asked, Answers.asked = Answers.asked, []
            with open(log, "a") as out:
                out.writelines(asked)


def make(folder, count):
    """The benchmark's trajectories as a trajpack dataset of lz4 and as one HDF5 file of the same chunks and values."""
    import h5py
    import trajpack
    from data import trajectories
    plain = h5py.File(folder / "plain.h5", "w", libver="latest")
    kinds = {"state": (64,), "skeleton": (3, 60, 3), "camera": (11,)}
    with trajpack.create(folder / "ds", rate=30) as writer:
        for i, one in enumerate(trajectories(count, 1792, 0)):
            writer.append(f"e{i}", **{n: one[n] for n in kinds})
            for n in kinds:
                plain.create_dataset(f"e{i}/{n}", data=one[n], chunks=(32, *kinds[n]))
    plain.close()
    return kinds


def ours(url, windows, seed):
    import trajpack
    start = time.perf_counter()
    loader = trajpack.open(f"{url}/ds").windows(length=LENGTH, batch=BATCH, shuffle=True, seed=seed)
    opened = time.perf_counter() - start
    rows, start = 0, time.perf_counter()
    for batch in loader:
        rows += len(next(iter(batch.values()))) * LENGTH
        if rows >= windows * LENGTH:
            break
    return rows / (time.perf_counter() - start), opened


def raw(url, log):
    """The ranges of the last run, by obstore's joined and concurrent requests."""
    import obstore
    from obstore.store import HTTPStore
    asked = [line.split() for line in log.read_text().splitlines()]
    store = HTTPStore.from_url(url, client_options={"allow_http": True})
    rows = {}
    for path, first, end in asked:
        rows.setdefault(path.lstrip("/"), []).append((int(first), int(end)))

    async def all_of_them():
        gate = asyncio.Semaphore(64)

        async def one(path, first, end):
            async with gate:
                await obstore.get_range_async(store, path, start=first, end=end)
        await asyncio.gather(*(one(p, *r) for p, ranges in rows.items() for r in ranges))
    start = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - start, len(asked), sum(int(e) - int(f) for _, f, e in asked)


def h5(url, windows, kinds, count):
    import fsspec
    import h5py
    rng = np.random.default_rng(1)
    with fsspec.open(f"{url}/plain.h5", block_size=1 << 18, cache_type="readahead").open() as remote:
        file = h5py.File(remote, "r")
        start = time.perf_counter()
        for _ in range(windows):
            i, row = rng.integers(count), rng.integers(1792 - LENGTH)
            for n in kinds:
                file[f"e{i}/{n}"][row:row + LENGTH]
        return windows * LENGTH / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=512)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return asyncio.run(serve(given.serve[0], given.latency, given.serve[1]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        kinds = make(folder, given.count)
        log = folder / "log"
        server = subprocess.Popen([sys.executable, __file__, "--latency", str(given.latency), "--serve", folder, log],
                                  stdout=subprocess.PIPE, text=True)
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        found = {"trajpack": [], "share of raw": [], "open": [], "h5py over fsspec": [], "trajpack, local": []}
        try:
            for seed in range(given.rounds):
                log.write_text("")
                rate, opened = ours(url, given.windows, seed)
                found["trajpack"].append(rate)
                found["open"].append(opened)
                found["trajpack, local"].append(ours(str(folder), given.windows, seed)[0])
                time.sleep(0.2)
                try:
                    seconds, requests, nbytes = raw(url, log)
                    # The ranges of all batches that were asked for, those ahead among them.
                    found["share of raw"].append(rate / (given.windows * LENGTH / seconds))
                    print(f"  {requests} requests, {nbytes / 1e6:.0f} MB, raw {nbytes / seconds / 1e6:.0f} MB/s")
                except ImportError as missing:
                    print(f"  no raw limit: {missing}")
                try:
                    found["h5py over fsspec"].append(h5(url, max(given.windows // 32, 4), kinds, given.count))
                except ImportError as missing:
                    print(f"  no h5py over fsspec: {missing}")
        finally:
            server.kill()
    medians = {n: statistics.median(v) for n, v in found.items() if v}
    print(f"latency {given.latency * 1e3:.0f} ms, windows of {LENGTH} rows, batches of {BATCH}")
    for name in ("trajpack", "trajpack, local", "h5py over fsspec"):
        if name in medians:
            print(f"{name:20} {medians[name]:12,.0f} rows/s")
    print(f"open                 {medians['open'] * 1e3:12.0f} ms")
    if "share of raw" in medians:
        print(f"of the raw limit     {medians['share of raw'] * 100:12.0f} %")
    if "h5py over fsspec" in medians:
        print(f"times h5py           {medians['trajpack'] / medians['h5py over fsspec']:12.0f} x")


if __name__ == "__main__":
    main()
