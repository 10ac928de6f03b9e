"""Joining small shards: chunks that are copied as they are stored, rows that are not, statistics of both."""
from __future__ import annotations

import subprocess
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest
import read_archive
from places import program, surroundings

import trajpack

PROBABILITIES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]


def episode(rng: np.random.Generator, rows: int) -> dict[str, object]:
    """Channels of every sort of block: wide (planes), middling (by row), narrow, integers, text; some are missing."""
    walk = np.cumsum(rng.normal(0, 0.01, (rows, 3, 90)), 0)
    wide = (np.rint(walk * 2 ** 15) / 2 ** 15).astype(np.float32)
    narrow = rng.normal(size=(rows, 3))
    narrow[rng.random((rows, 3)) < 0.1] = np.nan
    return {"wide": wide, "state": rng.normal(size=(rows, 40)).astype(np.float32), "narrow": narrow,
            "count": rng.integers(-9, 9, rows), "image": rng.integers(0, 256, (rows, 8, 5), dtype=np.uint8),
            "said": [f"step {i}" for i in range(rows)]}


@pytest.mark.parametrize("codec", ["lz4", "zstd", "gzip", "none"])
@pytest.mark.parametrize("lengths", ["aligned", "odd", "mixed"])
def test_joined_shards_have_the_rows_and_statistics_of_their_parts(tmp_path: Path, lengths: str, codec: str) -> None:
    rng = np.random.default_rng(7)
    counts = {"aligned": [64] * 20, "odd": [1 + 7 * i for i in range(20)], "mixed": [32, 64, 5, 27, 32] * 4}[lengths]
    given = [episode(rng, n) for n in counts]
    path = tmp_path / "ds"
    with trajpack.create(path, rate=10, codec=codec, chunk_rows=32) as writer:
        for i, arrays in enumerate(given):
            writer.append(f"e{i}", arrays, split=["train", "test"][i % 3 == 2], metadata={"i": i})
        assert writer.stats()["joins"] == 1
    ds = trajpack.open(path)
    assert len(ds.shards) == 1 and ds.episodes.ids == [f"e{i}" for i in range(20)]
    for i, arrays in enumerate(given):
        found = ds.episode(f"e{i}")
        assert found.metadata == {"i": i}
        for name, rows in arrays.items():
            read = found[f"frames/{name}"][:]
            assert read == rows if name == "said" else np.array_equal(read, rows, equal_nan=name == "narrow"), (i, name)
    # h5py, which goes through libhdf5's filters and their checksums.
    with h5py.File(path / ds.shards[0]) as file:
        assert np.array_equal(file["streams/frames/wide"][:], np.concatenate([a["wide"] for a in given]))
        assert np.array_equal(file["streams/frames/state"][:], np.concatenate([a["state"] for a in given]))
    for shard in read_archive.open_dataset(str(path))[0]:
        read_archive.check_index(shard)
    assert subprocess.run([program(), "verify", path], env=surroundings(), capture_output=True).returncode == 0
    for split, keep in (("train", lambda i: i % 3 != 2), ("test", lambda i: i % 3 == 2)):
        for name in ("state", "narrow", "count", "wide"):
            rows = np.concatenate([np.asarray(a[name]) for i, a in enumerate(given) if keep(i)]).astype("f8")
            rows = rows.reshape(len(rows), -1)
            one = ds.statistics[split][f"frames/{name}"]
            if len(one["count"]) != rows.shape[1]:
                continue
            assert one["count"] == np.isfinite(rows).sum(0).tolist()
            assert one["missing"] == np.isnan(rows).sum(0).tolist()
            assert one["min"] == np.nanmin(rows, 0).tolist() and one["max"] == np.nanmax(rows, 0).tolist()
            np.testing.assert_allclose(one["mean"], np.nanmean(rows, 0), rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(one["std"], np.nanstd(rows, 0), rtol=1e-12)
            if rows.shape[1] <= 64 and len(rows) <= 1024:       # exact up to there
                exact = np.nanquantile(rows, PROBABILITIES, axis=0).T
                np.testing.assert_allclose(one["quantiles"], exact, rtol=1e-6, atol=1e-6)


def test_quantiles_of_many_rows_come_from_all_parts(tmp_path: Path) -> None:
    """Parts of different sizes and values: a sample of the whole, not a mixture of estimates."""
    rng = np.random.default_rng(3)
    parts = [rng.choice([0.0, 100.0], 700 + 40 * i) + rng.normal(0, 0.1) + i for i in range(16)]
    with trajpack.create(tmp_path / "ds", rate=10) as writer:
        for i, x in enumerate(parts):
            writer.append(str(i), x=x)
    one = trajpack.open(tmp_path / "ds").statistics[""]["frames/x"]
    everything = np.sort(np.concatenate(parts))
    for p, q in zip(PROBABILITIES, one["quantiles"][0], strict=True):
        assert abs(np.searchsorted(everything, q) / len(everything) - p) < 0.06, (p, q)


def test_whole_chunks_are_copied_as_they_are_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    with trajpack.create(tmp_path / "ds", rate=10, chunk_rows=32) as writer:
        for i in range(15):
            writer.append(f"{i}", episode(rng, 96))
        before = []
        for shard in sorted((tmp_path / "ds").glob("shard-*.h5")):
            with h5py.File(shard) as file:
                block = file["streams/frames/wide"]
                before += [block.id.read_direct_chunk(block.id.get_chunk_info(k).chunk_offset) for k in range(3)]
        writer.append("15", episode(rng, 96))
        assert writer.stats()["joins"] == 1
    with h5py.File(next((tmp_path / "ds").glob("shard-*.h5"))) as file:
        block = file["streams/frames/wide"]
        assert len(before) == 45
        for k, stored in enumerate(before):
            assert block.id.read_direct_chunk((k * 32,) + (0,) * (block.ndim - 1)) == stored


def test_damage_of_a_part_stops_the_join_and_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    writer = trajpack.create(tmp_path / "ds", rate=10)
    for i in range(15):
        writer.append(f"{i}", episode(rng, 64))
    shard = tmp_path / "ds" / "shard-000003.h5"
    with h5py.File(shard) as file:
        at = file["streams/frames/state"].id.get_chunk_info(0).byte_offset + 4096
    with open(shard, "r+b") as file:
        file.seek(at + 9)
        byte = file.read(1)
        file.seek(at + 9)
        file.write(bytes([byte[0] ^ 1]))
    writer.append("15", episode(rng, 64))
    with pytest.raises(trajpack.TrajpackError, match=r"shard-000003\.h5.*damaged.*checksum"):
        writer.close()
    assert len(trajpack.open(tmp_path / "ds").shards) == 16


def test_an_unusable_tmpdir_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that fit in memory need no temporary file; more rows say which folder cannot be used."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    writer = trajpack.create(tmp_path / "ds", rate=10)
    writer.append("small", x=np.zeros((1000, 100), np.float32))
    with pytest.raises(trajpack.MachineError, match=r"nowhere, which TMPDIR names .*set TMPDIR to a folder"):
        writer.append("large", x=np.zeros((180_000, 100), np.float32))
    writer.append("again", x=np.zeros((10, 100), np.float32))
    writer.close()
    assert trajpack.open(tmp_path / "ds").episodes.ids == ["small", "again"]
