"""--resume on shards that were acknowledged and are damaged: one is made again, and all comes out as if nothing had been."""
import json
import os
import random
import shutil
import struct
import subprocess

import pytest
import read_archive
from journal_world import MAGIC, files, lay, verify
from promise import Writer, digests


@pytest.fixture(scope="module")
def writer(trajpack, recordings):
    return Writer(trajpack, recordings)


@pytest.fixture(scope="module")
def whole(writer, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("whole") / "ds")
    writer.run(folder)
    return files(folder)


def stopped(whole, count):
    """The files as a conversion leaves them that was stopped behind `count` shards."""
    manifest = json.loads(whole["manifest.json"])
    plan = {n: v for n, v in manifest["source"].items() if n not in ("reading", "left_out")}
    records = [plan, *({"type": "shard", **s} for s in manifest["shards"][:count])]
    payloads = [json.dumps(r, separators=(",", ":")).encode() for r in records]
    journal = MAGIC + b"".join(struct.pack("<II", len(p), read_archive.crc32c(p)) + p for p in payloads)
    return {**{f"shard-{n:06d}.h5": whole[f"shard-{n:06d}.h5"] for n in range(count)}, "journal": journal}


def resume(writer, folder):
    done = subprocess.run(writer.command(folder, "--resume"), capture_output=True, text=True)
    return done.returncode, done.stderr


def damages(name, data):
    chance = random.Random(name)
    flipped = bytearray(data)
    flipped[chance.randrange(len(data))] ^= 1
    yield "was damaged", bytes(flipped)
    yield "bytes instead of", data[:-1000]
    yield "bytes instead of", data + b"x"
    yield "bytes instead of", b""
    yield "was damaged", bytes(len(data))
    yield "was missing", None


@pytest.mark.parametrize("finished", [False, True])
def test_damaged_shards_are_made_again(writer, whole, tmp_path, finished):
    folder = str(tmp_path / "ds")
    before = whole if finished else stopped(whole, 4)
    for number in (0, 3):
        name = f"shard-{number:06d}.h5"
        for said, data in damages(name, whole[name]):
            found = {**before, name: data} if data is not None else {n: b for n, b in before.items() if n != name}
            lay(folder, found)
            stamp = os.stat(f"{folder}/shard-000001.h5").st_ino
            code, error = resume(writer, folder)
            assert code == 0, error
            assert name in error and said in error and "it was written again from the source" in error
            assert files(folder) == whole
            assert os.stat(f"{folder}/shard-000001.h5").st_ino == stamp, "a good shard was written again"
    for name in sorted(before):
        if name.startswith("shard-"):
            before = {**before, name: b"gone"}
    lay(folder, before)
    assert resume(writer, folder)[0] == 0 and files(folder) == whole


def test_another_source_gives_no_shard(writer, whole, tmp_path, trajpack, recordings):
    """The same size and time of change, but other content: what comes out differs, and is not put there."""
    source = tmp_path / "source"
    shutil.copytree(recordings, source)
    changed = Writer(trajpack, str(source))
    folder = str(tmp_path / "ds")
    changed.run(folder)
    before = files(folder)
    (victim,) = [p for p in source.rglob("state.csv")][:1] or [None]
    stat = os.stat(victim)
    data = bytearray(victim.read_bytes())
    digits = [i for i, b in enumerate(data) if 0x31 <= b <= 0x38 and i > len(data) // 2]
    data[digits[0]] += 1
    victim.write_bytes(data)
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    number = sorted(p.parent.name for p in source.rglob("state.csv")).index(victim.parent.name)
    name = f"shard-{number:06d}.h5"
    lay(folder, {**before, name: before[name][:-1]})
    damaged = files(folder)
    code, error = resume(changed, folder)
    assert code == 1 and name in error and "the source gives another shard" in error, error
    assert {n: b for n, b in files(folder).items() if n != "journal"} == damaged


def test_orphans_and_damaged_journals_are_refused(writer, whole, tmp_path, trajpack):
    folder = str(tmp_path / "ds")
    before = stopped(whole, 4)
    journal = before["journal"]
    flipped = bytearray(journal)
    flipped[journal.index(b"shard-000001") + 3] ^= 1
    cases = {
        "journal: record 2": {**before, "journal": bytes(flipped)},
        "shard-000002.h5": {**before, "journal": stopped(whole, 2)["journal"]},
        "shard-000000.h5": {**before, "journal": b""},
        "journal: is damaged at byte 0": {**before, "journal": b"x" + journal[1:]},
        "shard-000044.h5": {**before, "shard-000044.h5": whole["shard-000004.h5"]}}
    for said, found in cases.items():
        lay(folder, found)
        code, error = resume(writer, folder)
        assert code in (1, 2) and said in error and "repair" in error, error
        assert files(folder) == found
        assert verify(trajpack, folder)[0] == 1
    # The one that was renamed before its record is made again without a word, as after any crash.
    lay(folder, {**before, "journal": stopped(whole, 3)["journal"]})
    assert resume(writer, folder) == (0, "") and digests(folder) == digests(lay(tmp_path / "twin", whole))


def test_a_record_is_missing(writer, whole, tmp_path):
    """Without its shard too: the next one's number shows it."""
    before = stopped(whole, 4)
    payloads = read_archive.journal_records(before["journal"])
    del payloads[2]
    raw = [json.dumps(r, separators=(",", ":")).encode() for r in payloads]
    journal = MAGIC + b"".join(struct.pack("<II", len(p), read_archive.crc32c(p)) + p for p in raw)
    folder = lay(tmp_path / "ds", {n: b for n, b in {**before, "journal": journal}.items() if n != "shard-000001.h5"})
    code, error = resume(writer, folder)
    assert code == 1 and "names shard-000002.h5 where shard-000001.h5 is due" in error
