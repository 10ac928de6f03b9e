"""`trajpack repair DAMAGED DST`: what was whole comes out as it was, what was not is cut or marked, and nothing is silent."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from fault_world import smooth
from places import ROOT, program

ROWS = 200


def run(*words: Any, code: int) -> dict[str, Any]:
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    out: dict[str, Any] = json.loads(done.stdout) if "--json" in words else {}
    return out


def recording(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"arm": {"q": np.stack([smooth(rng, ROWS) for _ in range(4)], 1), "grip": rng.random(ROWS) < 0.5,
                    "level": rng.integers(0, 255, ROWS).astype(np.uint8), "step": rng.integers(0, 9000, ROWS)},
            "cam": {"pos": np.stack([smooth(rng, ROWS // 2) for _ in range(3)], 1).astype(np.float32)},
            "log": {"x": smooth(rng, ROWS), "say": [f"line {i} of {seed}" for i in range(ROWS)]}}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "ds"
    with trajpack.create(path, rate={"arm": 50, "cam": 25}, chunk_rows=16, codec="lz4") as writer:
        for number in range(6):
            data = recording(number)
            with writer.episode(f"{number:03d}", split="train" if number < 4 else "test",
                                values={"task": f"t{number}"}) as episode:
                episode.extend({s: data[s] for s in ("arm", "cam")})
                episode.extend({"log": data["log"]}, time=np.arange(ROWS) * 0.02 + 1)
    return path


def damaged(good: Path, to: Path, seed: int, bytes_: int) -> Path:
    """A copy with bytes flipped in the chunks, not in header and index, which stand at the ends of the file."""
    shutil.copytree(good, to)
    rng = np.random.default_rng(seed)
    for shard in to.glob("shard-*.h5"):
        data = bytearray(shard.read_bytes())
        for at in rng.integers(6000, int(len(data) * 0.6), bytes_):
            data[at] ^= 1 << int(rng.integers(8))
        shard.write_bytes(data)
    return to


def times(stream: Any) -> np.ndarray:
    return np.asarray(stream.times)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_are_kept_are_those_that_were(good: Path, tmp_path: Path, seed: int) -> None:
    path = damaged(good, tmp_path / "bad", seed, 3 + seed)
    out = run("repair", path, tmp_path / "dst", "--json", "-j", 1 + seed % 3, code=1)
    assert out["lost"] and any(not e["whole"] for e in out["episodes"])
    run("verify", tmp_path / "dst", code=0)
    run("validate", tmp_path / "dst", "--ignore", "labels", code=0)
    old, new = trajpack.open(good), trajpack.open(tmp_path / "dst")
    assert {e["id"] for e in out["episodes"]} == set(old.episodes.ids)
    for item in out["episodes"]:
        if item["rows_kept"] == 0:
            assert item["id"] not in new.episodes.ids
            continue
        before, after = old.episode(item["id"]), new.episode(item["id"])
        assert after.split == before.split
        kept = 0
        spans = []
        for name in ("arm", "cam", "log"):
            if name not in after:
                continue
            a, b = before[name], after[name]
            first = int(np.flatnonzero(np.isclose(times(a), times(b)[0]))[0])
            rows = slice(first, first + len(times(b)))
            np.testing.assert_array_equal(times(a)[rows], times(b))
            for channel in recording(0)[name]:
                left, right = a[channel][rows], b[channel][:]
                np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
            kept += len(times(b))
            spans.append((times(b)[0], times(b)[-1]))
            if not item["whole"]:
                (entry,) = [t for t in after.metadata["repaired"]["tracks"] if t["stream"] == name]
                assert entry["rows"] == [[rows.start, rows.stop]] and entry["of"] == len(times(a))
        assert kept == item["rows_kept"]
        # One stretch of time for all streams.
        assert max(s for s, _ in spans) <= min(e for _, e in spans) + 0.05


@pytest.mark.parametrize("seed", range(4))
def test_masked_values_are_not_observed_and_all_others_are_as_they_were(good: Path, tmp_path: Path, seed: int) -> None:
    path = damaged(good, tmp_path / "bad", seed, 2 + seed)
    out = run("repair", path, tmp_path / "dst", "--mask", "--json", code=1)
    run("verify", tmp_path / "dst", code=0)
    old, new = trajpack.open(good), trajpack.open(tmp_path / "dst")
    masked = 0
    for item in out["episodes"]:
        before, after = old.episode(item["id"]), new.episode(item["id"])
        for name in ("arm", "cam", "log"):
            a, b = before[name], after[name]
            rows = np.flatnonzero(np.isin(times(a), times(b)))
            assert len(rows) == len(times(b))
            for channel in recording(0)[name]:
                left = np.asarray(a[channel][:])[rows]
                right, seen = np.asarray(b[channel][:]), np.asarray(b[channel].observed()).reshape(left.shape)
                np.testing.assert_array_equal(left[seen], right[seen])
                masked += int((~seen).sum())
    assert masked == sum(e["values_masked"] for e in out["episodes"])
    assert sum(e["rows_kept"] for e in out["episodes"]) > sum(e["rows"] for e in out["episodes"]) * 0.7


def test_what_is_whole_is_saved_whole(good: Path, tmp_path: Path) -> None:
    """Without a manifest, with a damaged one, and from a single shard: the same values, nothing lost."""
    run("repair", good, tmp_path / "same", code=0)
    run("diff", good, tmp_path / "same", code=0)
    bare = tmp_path / "bare"
    shutil.copytree(good, bare)
    (bare / "manifest.json").unlink()
    out = run("repair", bare, tmp_path / "again", "--json", code=0)
    assert not out["lost"] and len(out["episodes"]) == 6
    run("diff", good, tmp_path / "again", code=0)
    (bare / "manifest.json").write_bytes(b"{ not JSON")
    out = run("repair", bare, tmp_path / "third", "--json", code=1)
    assert [f["name"] for f in out["files"]] == ["manifest or journal"]
    run("diff", good, tmp_path / "third", code=0)
    shard = sorted(good.glob("shard-*.h5"))[0]
    run("repair", shard, tmp_path / "one", code=0)
    assert trajpack.open(tmp_path / "one").episodes.ids == trajpack.open(shard).episodes.ids


def test_what_cannot_be_saved_is_said(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    shutil.copytree(good, path)
    for shard in path.glob("shard-*.h5"):
        shard.write_bytes(shard.read_bytes()[:-7])
    done = subprocess.run([program(), "repair", path, tmp_path / "dst"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nothing of it can be read" in done.stderr and not (tmp_path / "dst").exists()
    run("repair", good, good / "inside", code=2)
    run("repair", good, "--mask", code=2)
    run("repair", tmp_path, tmp_path / "dst", code=2)
    run("repair", good, tmp_path / "dst", "--dry-run", code=0)
    assert not (tmp_path / "dst").exists()
    run("repair", good, tmp_path / "dst", code=0)
    run("repair", good, tmp_path / "dst", code=2)
    run("repair", good, tmp_path / "dst", "--overwrite", code=0)


def test_a_video_with_a_damaged_packet_is_left_out(tmp_path: Path) -> None:
    run("convert", ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww", code=0)
    shard = next((tmp_path / "ww").glob("*.h5"))
    import h5py
    with h5py.File(shard) as file:
        found: dict[str, Any] = {}
        file.visititems(lambda name, item: found.update({name: item}) if "rgb" in name and "bytes" in name else None)
        (blob,) = [item for item in found.values() if isinstance(item, h5py.Dataset)]
        place = blob.id.get_chunk_info(0).byte_offset if blob.chunks else blob.id.get_offset()
    data = bytearray(shard.read_bytes())
    data[place + 40] ^= 1
    shard.write_bytes(data)
    out = run("repair", tmp_path / "ww", tmp_path / "dst", "--json", code=1)
    said = [text for e in out["episodes"] for text in e["losses"]]
    assert said and all("video 'rgb' is left out" in text for text in said)
    run("verify", tmp_path / "dst", code=0)
    old, new = trajpack.open(tmp_path / "ww"), trajpack.open(tmp_path / "dst")
    for id_ in old.episodes.ids:
        np.testing.assert_array_equal(old.episode(id_)["camera"]["pos"][:], new.episode(id_)["camera"]["pos"][:])


def test_fix_makes_signs_and_statistics_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    turn = smooth(rng, ROWS)
    q = np.stack([np.zeros(ROWS), np.sin(turn / 2), np.zeros(ROWS), np.cos(turn / 2)], 1)
    flipped = q.copy()
    flipped[60:90] *= -1
    path = tmp_path / "ds"
    with trajpack.create(path, rate=50, channels={"s/q": {"kind": "quaternion", "conventions": {"order": "xyzw"}}}) as w:
        w.append("a", {"s/q": flipped, "s/x": smooth(rng, ROWS)})
    # Statistics of the whole, and of signs that were made continuous, which are those of the first row.
    run("validate", path, "--fail-on", "suggestion", code=1)
    run("validate", path, "--fix", tmp_path / "fixed", "--fail-on", "suggestion", code=0)
    new = trajpack.open(tmp_path / "fixed").episode("a")
    np.testing.assert_array_equal(new["s"]["q"][:], q)
    np.testing.assert_array_equal(new["s"]["x"][:], trajpack.open(path).episode("a")["s"]["x"][:])
    bad = damaged(path, tmp_path / "bad", 1, 3)
    run("validate", bad, "--fix", tmp_path / "other", code=2)
    assert not (tmp_path / "other").exists()
    run("validate", ROOT / "fixtures" / "wildworld" / "data_part1", "--fix", tmp_path / "other", code=2)


def test_fix_mends_stored_statistics(tmp_path: Path) -> None:
    from scenes import counted
    shard = counted(tmp_path / "bad.h5", (1, 9, 1e-3))
    run("validate", shard, code=1)
    run("validate", shard, "--fix", tmp_path / "fixed", code=0)


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"])
def test_masked_whole_numbers_keep_all_values_that_can_be_read(tmp_path: Path, name: str) -> None:
    """The smallest number of a type is a value like any other: it is not taken for the mark of a missing one."""
    rng = np.random.default_rng(3)
    if name == "bool":
        x = rng.random(400) < 0.5
    else:
        limits = np.iinfo(name)
        x = rng.integers(limits.min, limits.max, 400, name, endpoint=True)
        x[100], x[200] = limits.min, limits.max
    with trajpack.create(tmp_path / "ds", rate=50, chunk_rows=16, codec="none") as writer:
        writer.append("e0", {"s": {"x": x}})
    (shard,) = (tmp_path / "ds").glob("shard*")
    data = bytearray(shard.read_bytes())
    data[data.index(x[:16].tobytes()) + 5] ^= 1
    shard.write_bytes(data)
    words = ("repair", "--mask", tmp_path / "ds", tmp_path / "new")
    if name in ("int64", "uint64"):
        done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "s/x: has no mark for a value that was not observed" in done.stderr
        assert not (tmp_path / "new").exists()
        return
    report = run(*words, "--json", code=1)
    to = "int64" if name in ("int32", "uint32") else "int32"
    assert report["types"] == {"s/x": to} and report["episodes"][0]["values_masked"] == 16
    column = trajpack.open(tmp_path / "new").episode("e0")["s"]["x"]
    observed = np.asarray(column.observed()).ravel()
    assert list(np.flatnonzero(~observed)) == list(range(16))
    assert column[:].dtype == to and np.array_equal(np.asarray(column[:])[observed], x[observed])
    run("verify", tmp_path / "new", code=0)


def test_schemes_are_carried_over_or_named(good: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(good, tmp_path / "whole")
    run("split", whole, "--rule", "train=0:60%", "--rule", "test=60%:", "--split-stream", "arm", code=0)
    report = run("repair", whole, tmp_path / "a", "--json", code=0)
    assert report["carried"] == ["splits 'default'"] and not report["left_out"] and not report["lost"]
    run("validate", whole, "--select", "container", "--fix", tmp_path / "b", code=0)
    listed = [subprocess.run([program(), "split", path, "--list"], capture_output=True, text=True, check=True).stdout
              for path in (whole, tmp_path / "a", tmp_path / "b")]
    assert listed[0] == listed[1] == listed[2] and "60%" in listed[0]
    # What is lost is named, and is a loss.
    hurt = damaged(whole, tmp_path / "hurt", 0, 3)
    for words in ((), ("--dry-run",)):
        report = run("repair", hurt, tmp_path / "c", "--json", *words, code=1)
        assert [t for t in report["left_out"] if t.startswith("splits 'default' are not carried over: ")]
        shutil.rmtree(tmp_path / "c", ignore_errors=True)
    (side,) = whole.glob("side-splits*")
    side.write_bytes(side.read_bytes()[:-9])
    report = run("repair", whole, tmp_path / "d", "--json", code=1)
    assert report["lost"] and "splits 'default'" in report["left_out"][0] and all(e["whole"] for e in report["episodes"])
