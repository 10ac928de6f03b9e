"""Listings of servers that are odd, broken or hostile: nothing in use is removed, nothing loops, and nothing traps."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import io
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bucket_server import Answer, BucketServer
from bucket_world import KEY, SECRET, Writer


def array(seed: int = 0) -> bytes:
    out = io.BytesIO()
    np.save(out, np.random.default_rng(seed).normal(size=(50, 2)))
    return out.getvalue()


class Odd(BucketServer):
    """A bucket whose listings are changed before they are sent."""

    def __init__(self, change: Any, **more: Any) -> None:
        super().__init__(keys={KEY: (SECRET, None)}, **more)
        self.change = change

    def _list(self, query: dict[str, str]) -> Answer:
        status, headers, body = super()._list(query)
        return self.change(status, headers, body.decode(), query)

    def _uploads(self, query: dict[str, str]) -> Answer:
        status, headers, body = super()._uploads(query)
        return self.change(status, headers, body.decode(), query)


def odd(change: Any, **more: Any) -> Odd:
    return Odd(lambda status, headers, text, query: (status, headers, change(text).encode()), **more)


@pytest.mark.parametrize("time_of", ["", "yesterday", "2026-13-41T00:00:00Z"])
def test_what_has_no_time_is_never_removed(tmp_path: Path, time_of: str) -> None:
    """The shards of a writer at work, on a server that says no time or one that cannot be read."""
    def change(text: str) -> str:
        return re.sub(r"<(LastModified|Initiated)>[^<]*</\1>", rf"<\1>{time_of}</\1>" if time_of else "", text)
    with odd(change) as server:
        writer = Writer(server, tmp_path)
        server.put("ds/shard-000000.h5", b"1" * 1000)
        from bucket_server import Begun
        server.begun["id"] = Begun("ds/shard-000001.h5", {}, time.time())
        said = writer.good("gc", "s3://bucket/ds", "--delete")
        assert list(server.objects) == ["ds/shard-000000.h5"] and list(server.begun) == ["id"]
        assert "2 of unknown age" in said
        found = json.loads(writer.good("gc", "s3://bucket/ds", "--older-than", "0", "--delete", "--json"))
        assert found["unknown_age"] == 2 and found["orphans"] == [] and len(server.objects) == 1


def test_a_server_without_a_clock_removes_nothing(tmp_path: Path) -> None:
    with Odd(lambda status, headers, text, query: (status, {}, text.encode())) as server:
        server.put("ds/shard-000000.h5", b"1" * 1000, age=1e6)
        assert "1 of unknown age" in Writer(server, tmp_path).good("gc", "s3://bucket/ds", "--delete")
        assert len(server.objects) == 1


@pytest.mark.parametrize("words", [("convert",), ("convert", "-n"), ("job", "plan"), ("gc",)])
def test_sizes_beyond_all_numbers_are_an_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    with odd(lambda text: re.sub(r"<Size>\d+</Size>", f"<Size>{2**62}</Size>", text)) as server:
        writer = Writer(server, tmp_path)
        for name in "abc":
            server.put(f"raw/{name}.npy", array())
        server.put("raw/shard-000000.h5", array())
        to = [] if words == ("gc",) else [tmp_path / "ds", "--rate", "10"]
        to += ["--tasks", "2"] if words == ("job", "plan") else []
        said = writer.refused(3, *words, "s3://bucket/raw", *to)
        assert "bytes in sum; check the endpoint" in said
        assert writer.leftovers == [] and sorted(p.name for p in tmp_path.iterdir()) == ["tmp"]


def test_sources_whose_sum_is_beyond_all_numbers(tmp_path: Path) -> None:
    with odd(lambda text: re.sub(r"<Size>\d+</Size>", f"<Size>{2**60 - 5}</Size>", text)) as server:
        writer = Writer(server, tmp_path)
        for name in "abcdefghi":
            server.put(f"{name}/{name}.npy", array())
        said = writer.run("convert", *(f"s3://bucket/{n}" for n in "abcdefghi"), tmp_path / "ds", "--rate", "10")
        assert said.returncode in (2, 3) and len(said.stderr.splitlines()) == 1, said.stderr
        assert writer.leftovers == []


@pytest.mark.parametrize("tokens", [itertools.cycle(["A", "B"]), map(str, itertools.count()), itertools.repeat("A")],
                         ids=["alternating", "new", "one"])
@pytest.mark.parametrize("words", [("convert",), ("gc",)])
def test_a_listing_without_end_is_an_error(tmp_path: Path, tokens: Any, words: tuple[str, ...]) -> None:
    def change(status: int, headers: dict[str, str], text: str, query: dict[str, str]) -> Answer:
        if "uploads" in query:
            return status, headers, text.encode()
        return status, headers, ("<ListBucketResult><IsTruncated>true</IsTruncated>"
                                 f"<NextContinuationToken>{next(tokens)}"
                                 "</NextContinuationToken></ListBucketResult>").encode()
    with Odd(change) as server:
        to = [tmp_path / "ds"] if words == ("convert",) else []
        said = Writer(server, tmp_path).refused(3, *words, "s3://bucket/raw", *to)
        assert "has no end" in said and len(server.requests) < 1100


def test_a_list_of_uploads_without_end_is_an_error(tmp_path: Path) -> None:
    keys = itertools.cycle("ab")

    def change(status: int, headers: dict[str, str], text: str, query: dict[str, str]) -> Answer:
        if "uploads" not in query:
            return status, headers, text.encode()
        return status, headers, ("<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>"
                                 f"{next(keys)}</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"
                                 "</ListMultipartUploadsResult>").encode()
    with Odd(change) as server:
        assert "has no end" in Writer(server, tmp_path).refused(3, "gc", "s3://bucket/raw")


@pytest.mark.parametrize("encodes", [True, False])
def test_keys_are_what_they_are(tmp_path: Path, encodes: bool) -> None:
    """Signs that mean something when they are encoded, and a mark that makes one character with the slash before it."""
    names = ["a+b.npy", "50%25.npy", "c d&e.npy", "\u0301x.npy", "deep/\u0301y.npy"]
    with BucketServer(keys={KEY: (SECRET, None)}, encodes=encodes, page=2) as server:
        writer = Writer(server, tmp_path)
        for number, name in enumerate(names):
            server.put(f"raw/{name}", array(number))
        writer.good("convert", "s3://bucket/raw", tmp_path / "ds", "--rate", "10")
        import trajpack
        found = sorted(e.id for e in trajpack.open(tmp_path / "ds").episodes)
        assert found == sorted(n.removesuffix(".npy") for n in names)
        assert not server.refusals


def test_an_object_that_is_also_a_folder_is_named(tmp_path: Path) -> None:
    with BucketServer(keys={KEY: (SECRET, None)}) as server:
        writer = Writer(server, tmp_path)
        server.put("raw/a", b"x")
        server.put("raw/a/b.npy", array())
        said = writer.refused(1, "convert", "s3://bucket/raw", tmp_path / "ds", "--rate", "10")
        assert "s3://bucket/raw/a: is an object" in said and "a/b.npy" in said and str(tmp_path / "tmp") not in said
