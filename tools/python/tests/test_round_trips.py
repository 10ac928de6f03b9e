"""How many round trips, one after the other, lie between a URL and the first batch; requests at the same time are one.

The server holds back each answer, and notes when a request came and when its answer left. The longest chain of requests
of which each came after the answer to the one before is the number of round trips.
"""
from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import Archive, Channel, Episode, Regular, Stream, Track

import trajpack

LATENCY = 0.25
#: How much later than an answer a request must come to count as one behind it.
APART = 0.02


class Server(asyncio.Protocol):
    """HTTP/1.1 with ranges, each answer after the latency."""

    root = Path()
    spans: list[tuple[float, float]] = []

    def connection_made(self, transport: Any) -> None:
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        loop = asyncio.get_running_loop()
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head, self.rest = self.rest[:end].decode(), self.rest[end + 4:]
            loop.call_later(LATENCY, self.answer, head, loop.time())

    def answer(self, head: str, came: float) -> None:
        file = self.root / head.split(" ", 2)[1].lstrip("/")
        if not file.is_file():
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            whole = file.read_bytes()
            found = re.search(r"\r\nrange: bytes=(\d+)-(\d*)", head, re.IGNORECASE)
            first = int(found[1]) if found else 0
            last = min(int(found[2] or len(whole) - 1), len(whole) - 1) if found else len(whole) - 1
            status = (f"206 Partial Content\r\nContent-Range: bytes {first}-{last}/{len(whole)}" if found else "200 OK")
            self.transport.write(f'HTTP/1.1 {status}\r\nETag: "{file.name}{len(whole)}"\r\nAccept-Ranges: bytes\r\n'
                                 f"Content-Length: {last - first + 1}\r\n\r\n".encode() + whole[first:last + 1])
        self.spans.append((came, asyncio.get_running_loop().time()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Server.root, Server.spans = tmp_path, []
    loop = asyncio.new_event_loop()
    made = loop.run_until_complete(loop.create_server(Server, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def dataset(folder: Path, episodes: int, shards: int) -> None:
    """A data set of as many shards, with the manifest that trajpack writes."""
    folder.mkdir()
    x = {"x": np.arange(8, dtype=np.float32)}
    entries, digest = [], sha256()
    share = episodes // shards
    for number in range(shards):
        every = [Episode(f"{number * share + i:07d}", [Track("state", 8, Regular(Fraction(0), Fraction(30)), x)])
                 for i in range(share)]
        file = Archive([Stream("state", [Channel("x")])], every, chunk_rows=256, codec="none", statistics=False).write(
            folder / f"shard-{number:06d}.h5")
        whole = file.read_bytes()
        own = sha256(whole).hexdigest()
        digest.update(f"{file.name} {own}\n".encode())
        entries.append({"name": file.name, "bytes": len(whole), "sha256": own, "episodes": share, "rows": 8 * share})
    (folder / "manifest.json").write_text(json.dumps({
        "format": "trajpack dataset", "version": "1.0", "digest": digest.hexdigest(), "shards": entries,
        "source": {"type": "plan", "format": "test", "options": {}}, "statistics": {}}))


def chain(spans: list[tuple[float, float]]) -> int:
    """The most requests of which each came after the answer to the one before."""
    count, end = 0, -1.0
    for came, left in sorted(spans, key=lambda span: span[1]):
        if came > end - APART:
            count, end = count + 1, left
    return count


@pytest.mark.parametrize(("episodes", "shards", "most"), [(200, 1, 5), (10_000, 100, 5)])
def test_from_a_url_to_the_first_batch(server: str, tmp_path: Path, episodes: int, shards: int, most: int) -> None:
    dataset(tmp_path / "ds", episodes, shards)
    counts = []
    for _ in range(3):                       # a machine that does something else meanwhile makes the chain longer
        Server.spans.clear()
        with trajpack.open(f"{server}/ds").windows(length=4, batch=32, shuffle=True, seed=1, masks=False) as loader:
            batch = loader.next()
            assert batch is not None and batch["state/x"].shape == (32, 4)
            spans = list(Server.spans)
        assert len(spans) < 4 * shards + 100
        counts.append(chain(spans))
        if counts[-1] < most:
            return
    pytest.fail(f"{counts} round trips, where fewer than {most} are allowed")


def test_the_count_can_be_too_large() -> None:
    """Requests one after the other are counted one by one, those at the same time as one."""
    assert chain([(k * 1.0, k + 0.9) for k in range(7)]) == 7
    assert chain([(0.001 * k, 0.001 * k + LATENCY) for k in range(64)]) == 1
