"""An index large enough to be read and checked by several threads, whole and with damage."""
from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import Archive, Channel, Episode, Regular, Stream, Track, crc32c
from places import surroundings

import trajpack

EPISODES = 40_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard whose index is large enough to be checked by several threads."""
    x = {"x": np.arange(2, dtype=np.float32)}
    every = [Episode(f"{i:06d}", [Track("state", 2, Regular(Fraction(0), Fraction(30 if i % 2 else 15)), x)],
                     "train" if i % 4 else "test") for i in range(EPISODES)]
    return Archive([Stream("state", [Channel("x")])], every, chunk_rows=4096, codec="none", statistics=False).write(
        tmp_path_factory.mktemp("large") / "large.h5")


def test_a_large_index_opens(large: Path) -> None:
    dataset = trajpack.open(large)
    assert len(dataset.episodes) == EPISODES
    assert dataset.splits == {"test": EPISODES // 4, "train": EPISODES * 3 // 4}
    assert dataset.episodes[EPISODES - 1].id == f"{EPISODES - 1:06d}"
    with dataset.windows(length=2, batch=50, split="test", shuffle=False) as loader:
        assert loader.windows == EPISODES // 4
        assert {loader.locate(w)[0] % 4 for w in range(0, loader.windows, 97)} == {0}
        np.testing.assert_array_equal(loader.next()["state/x"], np.tile(np.arange(2, dtype="f4"), (50, 1)))


# Table, column, what is put there in some row, and what is said.
DAMAGE: list[tuple[str, int, int, str]] = [
    ("episodes", 0, 2 ** 62, "points outside the text"), ("episodes", 1, 300_000, "points outside the text"),
    ("episodes", 4, 2, "has an unknown split"), ("episodes", 5, -1, "has tracks out of place"),
    ("episodes", 6, 2, "has tracks out of place"), ("tracks", 0, 7, "names something unknown"),
    ("tracks", 1, 1, "names something unknown"), ("tracks", 3, 9, "names something unknown"),
    ("tracks", 4, 2 ** 63 - 1, "has rows outside its stream"), ("tracks", 4, 0, "does not follow the track before it"),
    ("tracks", 5, 1, "does not follow the track before it"), ("tracks", 8, 1, "has bytes outside its blob")]


@pytest.mark.parametrize(("table", "column", "value", "sentence"), DAMAGE)
def test_damage_to_a_large_index_is_named(large: Path, tmp_path: Path, table: str, column: int, value: int,
                                          sentence: str) -> None:
    number, columns = {"episodes": (3, 7), "tracks": (4, 10)}[table]
    rows: list[Any] = [EPISODES // 2, 12_345, EPISODES - 2]
    row = rows[(column + value) % 3]
    whole = bytearray(large.read_bytes())
    entry = next(at for at in range(64, 4000, 40) if struct.unpack_from("<I", whole, at)[0] == number)
    offset, stored = struct.unpack_from("<QQ", whole, entry + 8)
    struct.pack_into("<q", whole, offset + (row * columns + column) * 8, value)
    path = tmp_path / "spoilt.h5"
    path.write_bytes(whole)
    with pytest.raises(trajpack.DataError, match=f"section '{table}' of the index is damaged"):
        trajpack.open(path)
    struct.pack_into("<I", whole, entry + 32, crc32c(bytes(whole[offset:offset + stored])))
    struct.pack_into("<I", whole, 4092, crc32c(bytes(whole[:4092])))
    path.write_bytes(whole)
    with pytest.raises(trajpack.DataError, match=rf"row ({row}|{row + 1}) of the table '{table}' ({sentence})"):
        trajpack.open(path)


# A process that opens a data set, makes a loader, and reads windows from all over it: what it holds then, and what it read.
LOOK = """
import hashlib, os, resource, sys
import numpy, trajpack, trajpack.dataset, trajpack.loader
path, most = sys.argv[1], int(sys.argv[2])
if most >= 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

trajpack.open(sys.argv[3]).windows(length=2, batch=8, threads=1).next()      # what a first loader costs
before = anonymous()
dataset = trajpack.open(path)
loader = dataset.windows(length=2, batch=64, shuffle=True, seed=1, threads=1, meta=True)
held = anonymous() - before
seen = hashlib.sha256()
for _ in range(20):
    batch = loader.next()
    for name in sorted(batch):
        seen.update(numpy.ascontiguousarray(batch[name]).tobytes())
ids = [dataset.episodes[n].id for n in range(0, len(dataset), 39_999)]
seen.update(repr((ids, dataset.splits, len(dataset), loader.windows)).encode())
child = os.fork()
if child == 0:                               # a child looks at the same memory, and takes memory of its own
    again = trajpack.open(path)
    os._exit([again.episodes[n].id for n in range(0, len(again), 39_999)] != ids)
assert os.waitpid(child, 0)[1] == 0
assert [dataset.episodes[n].id for n in range(0, len(dataset), 39_999)] == ids
print(held, seen.hexdigest(), sum("deleted" in line for line in open("/proc/self/maps")))
"""


def many(large: Path, folder: Path, shards: int) -> Path:
    """The shard under so many names."""
    folder.mkdir()
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    names = [f"shard-{n:06d}.h5" for n in range(shards)]
    for name in names:
        os.link(large, folder / name)
    (folder / "manifest.json").write_text(json.dumps({
        "format": "trajpack dataset", "version": "1.0",
        "digest": hashlib.sha256("".join(f"{name} {digest}\n" for name in names).encode()).hexdigest(),
        "shards": [{"name": name, "bytes": large.stat().st_size, "sha256": digest, "episodes": EPISODES, "rows": 0}
                   for name in names],
        "source": {"type": "plan", "format": "writer", "options": {}, "codec": "none", "shard_bytes": 1},
        "statistics": {}}))
    return folder


def test_memory_does_not_grow_with_episodes(large: Path, tmp_path: Path) -> None:
    """Indexes beyond a fixed size lie in a file without a name, from which a fork reads, too; where no file can be made, they
    lie in memory as before, and all answers are the same."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def look(path: Path, most: int = -1) -> tuple[int, str, int]:
        done = subprocess.run([sys.executable, "-c", LOOK, path, str(most), large], capture_output=True, text=True,
                              env={**surroundings(), "TMPDIR": str(scratch)})
        assert done.returncode == 0, done.stderr
        held, digest, files = done.stdout.split()
        return int(held), digest, int(files)
    (small, _, _), (some, seen, files) = (look(many(large, tmp_path / f"of {n}", n)) for n in (7, 18))
    assert files > 8
    assert some < small + 1500, f"{18 * EPISODES} episodes hold {some} KiB, {7 * EPISODES} hold {small}"
    more, same, none = look(tmp_path / "of 18", 0)
    assert (same, none) == (seen, 0)
    assert more > some + 1800, "the check above could not have failed"
    assert not list(scratch.iterdir())


def test_shards_are_opened_when_they_are_needed(large: Path, tmp_path: Path) -> None:
    """A data set of many episodes is opened by its manifest: an episode needs its own shard, and only what is of all
    episodes needs them all."""
    folder = many(large, tmp_path / "many", 14)
    whole = trajpack.open(large)
    lost = (3, 9)
    for number in lost:
        (folder / f"shard-{number:06d}.h5").rename(tmp_path / f"{number}")
    dataset = trajpack.open(folder)
    assert len(dataset) == len(dataset.episodes) == 14 * EPISODES
    assert (dataset.shards[13], dataset.bytes) == ("shard-000013.h5", 14 * large.stat().st_size)
    assert dataset.episode("000007").number == 7
    # Numbers of tracks count over all shards, so their headers are asked for.
    with pytest.raises(trajpack.DataError, match=r"shard-000003\.h5: is missing"):
        dataset.episodes[5 * EPISODES]
    for number in lost:
        (tmp_path / f"{number}").rename(folder / f"shard-{number:06d}.h5")
    seen = {}
    for number in (0, 5 * EPISODES + 17, 13 * EPISODES + 39_999):
        episode = dataset.episodes[number]
        seen[number] = (episode.id, episode.split, [t.number for t in episode.tracks])
        assert episode.id == f"{number % EPISODES:06d}" and episode.number == number
        assert list(episode) == ["state"] and "state/x" in episode and "state/y" not in episode
        np.testing.assert_array_equal(episode["state/x"][:], [0, 1])
        np.testing.assert_array_equal(episode["state"].times, whole.episodes[number % EPISODES]["state"].times)
    pages = [r["id"] for r in dataset.episodes.records()]
    assert pages == [f"{n:06d}" for n in range(EPISODES)] * 14
    with pytest.raises(trajpack.UsageError, match="there is no episode 'nobody'"):
        dataset.episode("nobody")
    # All are open by now; numbers stay what they were.
    assert dataset.splits == {"test": 14 * EPISODES // 4, "train": 14 * EPISODES * 3 // 4}
    for number, known in seen.items():
        episode = dataset.episodes[number]
        assert (episode.id, episode.split, [t.number for t in episode.tracks]) == known
    with dataset.windows(length=2, batch=32, shuffle=True) as loader:
        assert loader.windows == 14 * EPISODES


def test_what_is_wrong_with_a_shard_is_said_when_it_is_needed(large: Path, tmp_path: Path) -> None:
    folder = many(large, tmp_path / "many", 14)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"][1]["episodes"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    dataset = trajpack.open(folder)
    assert dataset.episodes[0].id == "000000"
    with pytest.raises(trajpack.DataError, match=r"the manifest is damaged: .* shard-000001\.h5 has 40,?001 episodes"):
        dataset.episodes[EPISODES]
    (folder / "shard-000000.h5").unlink()
    with pytest.raises(trajpack.DataError, match=r"shard-000000\.h5: is missing"):
        trajpack.open(folder)
    with pytest.raises(trajpack.DataError, match=r"shard-000000\.h5: is missing"):
        dataset.windows(length=2, batch=32)


def test_an_episode_on_a_server_needs_its_own_shard(large: Path, tmp_path: Path) -> None:
    """Of the other shards the first bytes are asked for, which say how many tracks there are; no index of theirs."""
    from object_server import ObjectServer
    many(large, tmp_path / "many", 14)
    with ObjectServer(tmp_path) as server:
        dataset = trajpack.open(f"{server.url}/many")
        opening = [r.path for r in server.requests]
        assert len(dataset) == 14 * EPISODES and {*opening} == {"/many/manifest.json"}
        assert dataset.episodes[8 * EPISODES + 5].id == "000005"
        asked = [r.path for r in server.requests[len(opening):]]
        several = {path for path in asked if asked.count(path) > 2}
        assert several == {"/many/shard-000008.h5"}, "another index was read"
        whole = [r for r in server.requests if (found := r.range) and int(found.split("-")[1]) - int(found[6:].split("-")[0]) > 1 << 20]
        assert {r.path for r in whole} <= {"/many/shard-000008.h5"}
