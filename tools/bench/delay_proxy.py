#!/usr/bin/env python3
"""A proxy that makes a server on loopback as far away as one elsewhere: delay_proxy.c, built when it is first needed.

    delay_proxy.py [--requests 20000] [--bytes 20000]

measures how much faster than a server it is: processor time a request of the proxy, of the benchmark's server behind it, and of a
server of C that answers from memory; many connections, a request at a time each.
"""
from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def program() -> Path:
    """The proxy, built anew where its source is newer."""
    source = HERE / "delay_proxy.c"
    out = HERE.parents[1] / "build" / "delay_proxy"
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        compiler = next((c for c in ("cc", "clang", "gcc") if shutil.which(c)), None)
        if compiler is None:
            raise RuntimeError("no C compiler here (cc, clang or gcc), which the proxy is built with")
        out.parent.mkdir(exist_ok=True)
        made = out.with_name(f"{out.name}.{os.getpid()}")
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", made, source], check=True)
        os.replace(made, out)
    return out


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Running:
    """A program that prints its port, as long as the context."""

    def __init__(self, *words: str | Path) -> None:
        self.words = [str(w) for w in words]

    def __enter__(self) -> Running:
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def seconds(self) -> float:
        return processor_seconds(self.process.pid)


def delayed(port: int, seconds: float) -> Running:
    """The proxy in front of a server."""
    return Running(program(), str(port), str(seconds * 1e3))


def answering(count: int) -> Running:
    """A server of C that answers every request with so many bytes."""
    return Running(program(), "answer", str(count))


async def ask(port: int, path: str, requests: int, count: int, connections: int = 32) -> None:
    """Asks for the first bytes of a file, one request after the other in each connection."""
    text = f"GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-{count - 1}\r\n\r\n".encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for _ in range(requests // connections):
            writer.write(text)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 206 " in head, head
            await reader.readexactly(count)
        writer.close()
    await asyncio.gather(*(one() for _ in range(connections)))


def measure(requests: int, count: int) -> dict[str, float]:
    """Microseconds of processor time a request."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").write_bytes(os.urandom(count))
        found = {}
        with Running(sys.executable, HERE / "remote.py", "--serve", folder, f"{folder}/log") as server, \
                delayed(server.port, 0.0) as proxy, answering(count) as plain, delayed(plain.port, 0.0) as before:
            for name, port, parts in (("file", proxy.port, {"server": server, "proxy": proxy}),
                                      ("memory", before.port, {"server of C": plain, "proxy before it": before})):
                start = {part: running.seconds for part, running in parts.items()}
                begin = time.perf_counter()
                asyncio.run(ask(port, "/file", requests, count))
                found[f"requests a second, {name}"] = requests / (time.perf_counter() - begin)
                for part, running in parts.items():
                    found[part] = (running.seconds - start[part]) / requests * 1e6
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=20_000)
    given = parser.parse_args()
    found = measure(given.requests, given.bytes)
    for name, value in found.items():
        print(f"{name:28} {value:10.1f}" + ("" if "second" in name else " us of processor time a request"))
    print(f"{'the proxy is faster':28} {found['server'] / found['proxy']:10.1f} x")


if __name__ == "__main__":
    main()
