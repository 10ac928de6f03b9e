#!/usr/bin/env python3
"""Random windows of a dataset on a server that takes its time, on this machine: trajpack, the same ranges fetched by
obstore as they are (the raw limit), h5py over fsspec, TensorStore and Zarr over the same server with the same chunks;
and a warm cache beside a local folder. Rows a second, medians of runs in turn.

    remote.py [--latency 0.02] [--rounds 3] [--windows 512] [--count 8] [--only NAME,...]

Needs obstore, fsspec, aiohttp, tensorstore and zarr for the peers; what is not installed is left out and said. The
server is a process of its own; in front of it a proxy of C adds the latency (delay_proxy.py, which also measures how much faster than
the server it is). remote_pictures.py has the comparison with Lance.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import numpy as np
from delay_proxy import Running, delayed

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python" / "src"), str(ROOT / "tools" / "bench")]
LENGTH, BATCH = 64, 32


class Answers(asyncio.Protocol):
    """HTTP/1.1 with ranges; a folder with a query is a bucket of S3, whose objects are listed."""
    root, asked = Path(), []

    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head, self.rest = self.rest[:end].decode(), self.rest[end + 4:]
            self.answer(head)

    def answer(self, head):
        method, path = head.split(" ", 2)[:2]
        path, _, query = path.partition("?")
        file = self.root / urllib.parse.unquote(path).lstrip("/")
        if query and file.is_dir():
            return self.list(file, dict(urllib.parse.parse_qsl(query)))
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

    def list(self, folder, query):
        names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        entries = "".join(
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"1\"</ETag>"
            f"<Size>{(folder / name).stat().st_size}</Size></Contents>"
            for name in names if name.startswith(query.get("prefix", "")) and name > query.get("start-after", ""))
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


async def serve(root, log):
    Answers.root, Answers.asked = Path(root), []
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
    try:
        import zarr
        from zarr.codecs import BloscCodec
        group = zarr.open_group(folder / "zarr", mode="w")
        for i, one in enumerate(trajectories(count, 1792, 0)):
            for n in kinds:
                array = group.create_array(f"e{i}/{n}", shape=one[n].shape, dtype=one[n].dtype,
                                           chunks=(32, *kinds[n]), compressors=BloscCodec(cname="lz4", clevel=1))
                array[:] = one[n]
    except ImportError as missing:
        print(f"  no zarr: {missing}")
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


def places(windows, count):
    rng = np.random.default_rng(1)
    return [(int(i), int(row)) for i, row in zip(rng.integers(count, size=windows),
                                                 rng.integers(1792 - LENGTH, size=windows), strict=True)]


def tensorstore(url, windows, kinds, count):
    """All reads of a batch are under way at once, and a few batches ahead, as ours are."""
    import tensorstore as ts
    context = ts.Context({"http_request_concurrency": {"limit": 64}, "data_copy_concurrency": {"limit": 2}})
    arrays = {(i, n): ts.open({"driver": "zarr3", "kvstore": f"{url}/zarr/e{i}/{n}/"}, context=context, read=True)
              for i in range(count) for n in kinds}
    arrays = {key: opened.result() for key, opened in arrays.items()}
    wanted = places(windows, count)
    batches = [wanted[k:k + BATCH] for k in range(0, windows, BATCH)]
    ahead = []

    def finish():
        read = ahead.pop(0)
        for n in kinds:
            np.stack([future.result() for future in read[n]])
    start = time.perf_counter()
    for batch in batches:
        ahead.append({n: [arrays[i, n][row:row + LENGTH].read() for i, row in batch] for n in kinds})
        if len(ahead) > 4:
            finish()
    while ahead:
        finish()
    return windows * LENGTH / (time.perf_counter() - start)


def zarr_python(url, windows, kinds, count):
    """zarr's own asynchronous arrays over obstore, four batches at once."""
    import zarr
    from obstore.store import HTTPStore
    from zarr.api.asynchronous import open_array
    zarr.config.set({"async.concurrency": 64})
    store = HTTPStore.from_url(f"{url}/zarr", client_options={"allow_http": True})
    base = zarr.storage.ObjectStore(store, read_only=True)
    wanted = places(windows, count)

    async def run():
        arrays = {(i, n): await open_array(store=base, path=f"e{i}/{n}", mode="r") for i in range(count) for n in kinds}
        gate = asyncio.Semaphore(4)

        async def one(batch):
            async with gate:
                for n in kinds:
                    np.stack(await asyncio.gather(*(arrays[i, n].getitem(slice(r, r + LENGTH)) for i, r in batch)))
        start = time.perf_counter()
        await asyncio.gather(*(one(wanted[k:k + BATCH]) for k in range(0, windows, BATCH)))
        return windows * LENGTH / (time.perf_counter() - start)
    return asyncio.run(run())


def cached(url, folder, rounds):
    """In a process of its own, which names a cache: whole epochs of a warm cache and of the folder, in turn."""
    found = {"warm cache": [], "local epoch": [], "processor, warm cache": [], "processor, local epoch": []}
    for seed in range(-1, rounds):
        for name, where in (("warm cache", url), ("local epoch", folder)):
            import trajpack
            loader = trajpack.open(f"{where}/ds").windows(length=LENGTH, batch=BATCH, shuffle=True, seed=max(seed, 0))
            start, used = time.perf_counter(), time.process_time()
            rows = sum(len(next(iter(b.values()))) * LENGTH for _, b in zip(range(150), loader, strict=False)) \
                if seed >= 0 else sum(1 for _ in loader)
            if seed >= 0:
                found[name].append(rows / (time.perf_counter() - start))
                found[f"processor, {name}"].append((time.process_time() - used) / rows * 1e6)
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=512)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--only", default="raw,h5py,tensorstore,zarr,cache", help="the peers, by their names")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--cached", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cached:
        return cached(*given.cached, given.rounds)
    if given.serve:
        return asyncio.run(serve(*given.serve))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        kinds = make(folder, given.count)
        log = folder / "log"
        log.write_text("")
        found = {"trajpack": [], "share of raw": [], "open": [], "trajpack, local": []}
        only = given.only.split(",")
        peers = {"h5py over fsspec": (h5, 32), "tensorstore": (tensorstore, 2), "zarr": (zarr_python, 4)}
        peers = {name: peer for name, peer in peers.items() if name.split()[0] in only}
        with Running(sys.executable, __file__, "--serve", folder, log) as server, \
                delayed(server.port, given.latency) as proxy:
            url = proxy.url
            for seed in range(given.rounds):
                log.write_text("")
                rate, opened = ours(url, given.windows, seed)
                found["trajpack"].append(rate)
                found["open"].append(opened)
                found["trajpack, local"].append(ours(str(folder), given.windows, seed)[0])
                time.sleep(0.2)
                if "raw" in only:
                    seconds, requests, nbytes = raw(url, log)
                    # The ranges of all batches that were asked for, those ahead among them.
                    found["share of raw"].append(rate / (given.windows * LENGTH / seconds))
                    print(f"  {requests} requests, {nbytes / 1e6:.0f} MB, raw {nbytes / seconds / 1e6:.0f} MB/s")
                for name, (peer, fewer) in peers.items():
                    try:
                        found.setdefault(name, []).append(peer(url, max(given.windows // fewer, 4), kinds, given.count))
                    except ImportError as missing:
                        print(f"  no {name}: {missing}")
            if "cache" in only:
                own = subprocess.run(
                    [sys.executable, __file__, "--rounds", str(given.rounds), "--cached", url, folder], check=True,
                    stdout=subprocess.PIPE, text=True, env={**os.environ, "TRAJPACK_CACHE_DIR": str(folder / "cache")})
                found.update(json.loads(own.stdout))
            print(f"the server used {server.seconds:.1f} s of processor time, the proxy {proxy.seconds:.1f} s")
    medians = {n: statistics.median(v) for n, v in found.items() if v}
    print(f"latency {given.latency * 1e3:.0f} ms, windows of {LENGTH} rows, batches of {BATCH}")
    for name in ("trajpack", "trajpack, local", *peers, "warm cache", "local epoch"):
        if name in medians:
            print(f"{name:20} {medians[name]:12,.0f} rows/s")
    print(f"open                 {medians['open'] * 1e3:12.0f} ms")
    if "share of raw" in medians:
        print(f"of the raw limit     {medians['share of raw'] * 100:12.0f} %")
    for name in peers:
        if name in medians:
            print(f"times {name:16} {medians['trajpack'] / medians[name]:10.1f} x")
    if "warm cache" in medians:
        print(f"cache, of a folder   {medians['warm cache'] / medians['local epoch'] * 100:12.0f} %, processor time "
              f"{medians['processor, warm cache'] / medians['processor, local epoch']:.2f} x")


if __name__ == "__main__":
    main()
