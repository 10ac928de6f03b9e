"""An index large enough to be read and checked by several threads, whole and with damage."""
from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import Archive, Channel, Episode, Regular, Stream, Track, crc32c

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
