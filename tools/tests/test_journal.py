"""Damaged journals and shards that no list names: all that was acknowledged, or a refusal that changes nothing."""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import read_archive
from journal_world import MAGIC, files, go_on, grow, lay, places, read, verify

COUNT = 9
IDS = [f"e{n:03d}" for n in range(COUNT)]
LAST = f"shard-{COUNT - 1:06d}.h5"


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The files of a dataset of nine acknowledged episodes whose writer died."""
    folder = str(tmp_path_factory.mktemp("grown") / "ds")
    grow(folder, COUNT)
    found = files(folder)
    assert len(found) == COUNT + 1 and read(folder) == IDS
    return found


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    shared = "/dev/shm"
    folder = f"{shared}/trajpack-journal-{os.getpid()}" if os.access(shared, os.W_OK) else str(
        tmp_path_factory.mktemp("memory"))
    yield f"{folder}/ds"
    shutil.rmtree(folder, ignore_errors=True)


def refused(folder, *words):
    """Reader and writer refuse, name the journal and say what to do."""
    for error in (read(folder), go_on(folder)):
        assert isinstance(error, str), f"taken for {error}"
        assert "repair" in error and all(word in error for word in words), error


def test_a_flipped_bit_of_any_field_of_any_record(grown, memory, trajpack):
    journal, chance = grown["journal"], random.Random(1)
    ends = places(journal)
    for number, (start, end) in enumerate(zip(ends, ends[1:])):
        text = sorted({start + 8, end - 1, *chance.sample(range(start + 8, end), 12)})
        for at in [*range(start, start + 8), *text]:
            damaged = bytearray(journal)
            damaged[at] ^= 1 << chance.randrange(8)
            lay(memory, {**grown, "journal": bytes(damaged)})
            refused(memory, "journal: record", f"record {number}, at byte {start}")
    assert verify(trajpack, memory)[0] == 1
    for at in range(len(MAGIC)):
        damaged = bytearray(journal)
        damaged[at] ^= 4
        lay(memory, {**grown, "journal": bytes(damaged)})
        refused(memory, "journal: is damaged at byte 0")


def test_a_journal_cut_at_each_byte(grown, memory, trajpack):
    """Within the last record that is what a crash leaves; before it, shards show what is missing."""
    journal, chance = grown["journal"], random.Random(2)
    ends = places(journal)
    cuts = {0, 5, len(MAGIC), *ends, *(e + 1 for e in ends[:-1]), *range(ends[-2], ends[-1], 7),
            *chance.sample(range(ends[-2]), 60)}
    for cut in sorted(cuts):
        lay(memory, {**grown, "journal": journal[:cut]})
        if cut >= ends[-2]:
            whole = cut == ends[-1]
            code, standing, _ = verify(trajpack, memory) if cut % 5 == 0 or whole else (0, None, "")
            assert code == 0 and standing in (None, {} if whole else {LAST: "unacknowledged"})
            assert read(memory) == (IDS if whole else IDS[:-1])
            assert go_on(memory) == (IDS if whole else IDS[:-1])
        else:
            refused(memory, "shard-00000")
    lay(memory, {**grown, "journal": journal[:ends[-3]]})
    code, standing, said = verify(trajpack, memory)
    assert code == 1 and "shard-000007.h5" in said
    assert standing == {"shard-000007.h5": "orphan", LAST: "orphan"}


def test_a_journal_cut_together_with_its_shards(grown, memory):
    """Nothing shows then that there was more: an earlier state."""
    journal = grown["journal"]
    for count, end in enumerate(places(journal)[1:]):
        kept = {n: b for n, b in grown.items() if n < f"shard-{count:06d}.h5" and n != "journal"}
        lay(memory, {**kept, "journal": journal[:end]})
        assert read(memory) == IDS[:count]
        assert go_on(memory) == IDS[:count]


def test_zeros(grown, memory):
    journal = grown["journal"]
    ends = places(journal)
    for size in (512, 4096):
        for start in range(0, len(journal), size):
            damaged = bytearray(journal)
            damaged[start:start + size] = bytes(len(damaged[start:start + size]))
            lay(memory, {**grown, "journal": bytes(damaged)})
            if start >= ends[-2]:
                assert read(memory) == IDS[:-1] == go_on(memory)
            else:
                refused(memory)
    for zeros in (20, 512, len(journal), 1 << 20):
        lay(memory, {**grown, "journal": bytes(zeros)})
        refused(memory, "journal: is damaged at byte 0")
    lay(memory, {**grown, "journal": bytes(12)})                    # torn, but no shard may be there then
    refused(memory, "shard-000000.h5")
    lay(memory, {**grown, "journal": journal + bytes(3000)})        # a record whose bytes never came
    assert read(memory) == IDS == go_on(memory)


def test_records_that_are_whole_but_wrong(grown, memory):
    journal = grown["journal"]
    ends = places(journal)
    records = [journal[a:b] for a, b in zip(ends, ends[1:])]

    def put(*some):
        return lay(memory, {**grown, "journal": MAGIC + b"".join(some)})

    for number in range(COUNT + 1):
        put(*records[:number], *records[number + 1:])
        if number == COUNT:
            assert read(memory) == IDS[:-1] == go_on(memory)
        else:
            refused(memory, "journal: record 0" if number == 0 else f"shard-{number - 1:06d}.h5")
    put(*records, records[3])
    refused(memory, "record 10", "names shard-000002.h5, which an earlier record names too")
    put(*records, records[0])
    refused(memory, "record 10", "a second plan")
    put(*records[:4], b"garbage", *records[4:])
    refused(memory, "record 4", "a whole record follows at byte")
    # A length that would hide all that follows.
    for length in (1, 7, 1 << 22, 0xFFFFFFFF):
        put(*records[:4], struct.pack("<I", length) + records[4][4:], *records[5:])
        refused(memory, "record 4", "a whole record follows at byte")
    put(*records[:-1], struct.pack("<I", 1 << 20) + records[-1][4:])
    refused(memory, "its text is whole, but its length or checksum is not")
    # Records of another type are no damage: a newer writer may have them.
    other = b'{"type":"note"}'
    put(*records, struct.pack("<II", len(other), read_archive.crc32c(other)) + other)
    assert read(memory) == IDS == go_on(memory)


def test_random_damage_never_loses_an_episode_silently(grown, memory):
    """Bytes, pages, cuts, moved parts: the whole list, a refusal, or what a crash may leave of the last record."""
    journal, chance = grown["journal"], random.Random(int(os.environ.get("TRAJPACK_FUZZ_SEED", "3")))
    last = places(journal)[-2]
    seen = {"all": 0, "refused": 0, "torn": 0}
    for _ in range(250):
        damaged = bytearray(journal)
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            at = chance.randrange(len(damaged))
            match chance.randrange(6):
                case 0 | 1: damaged[at] ^= 1 << chance.randrange(8)
                case 2: damaged[at:at + chance.randrange(1, 9)] = chance.randbytes(chance.randrange(9))
                case 3: damaged[at:at + 512] = bytes(len(damaged[at:at + 512]))
                case 4: del damaged[at:at + chance.randrange(1, 400)]
                case 5: damaged[at:at] = damaged[chance.randrange(len(damaged)):][:chance.randrange(1, 600)]
            damaged = damaged or bytearray(1)
        lay(memory, {**grown, "journal": bytes(damaged)})
        found = read(memory)
        after = go_on(memory)
        assert isinstance(found, str) == isinstance(after, str), (found, after)
        if isinstance(found, str):
            seen["refused"] += 1
        elif found == IDS:
            assert after == IDS
            seen["all"] += 1
        else:
            assert damaged[:last] == journal[:last], "records before the last one were damaged"
            assert found == after == IDS[:-1]
            seen["torn"] += 1
    assert seen["refused"] > 150, seen


def test_shards_that_were_removed_or_copied_in(grown, memory, tmp_path, trajpack):
    journal = grown["journal"]
    for number in (0, 4, COUNT - 1):
        name = f"shard-{number:06d}.h5"
        lay(memory, {n: b for n, b in grown.items() if n != name})
        error = go_on(memory)
        assert isinstance(error, str) and name in error
        code, _, said = verify(trajpack, memory)
        assert code == 1 and name in said
    other = str(tmp_path / "other")
    grow(other, 2, first=50)
    foreign = files(other)["shard-000000.h5"]
    twin = str(tmp_path / "twin")
    import trajpack as library
    with library.create(twin, rate=50) as writer:
        writer.append("e004", x=np.arange(20.0) + 4.5)
    (changed,) = (b for n, b in files(twin).items() if n.startswith("shard-"))
    cases = [
        ({"shard-000020.h5": foreign}, "orphan"), ({"shard-foreign.h5": foreign}, "orphan"),
        ({"shard-000020.h5": b"no shard"}, "orphan"), ({f"shard-{COUNT:06d}.h5": b""}, "orphan"),
        ({"shard-000020.h5": changed}, "orphan"), ({"shard-000020.h5": grown["shard-000004.h5"]}, "superseded"),
        ({f"shard-{COUNT:06d}.h5": foreign}, "unacknowledged"),
        ({f"shard-{COUNT:06d}.h5": foreign, "shard-000020.h5": foreign}, "orphan")]
    for added, wanted in cases:
        lay(memory, {**grown, **added})
        code, standing, said = verify(trajpack, memory)
        assert set(standing.values()) == {wanted} and code == (wanted == "orphan")
        if wanted == "orphan":
            assert min(added) in said
            assert isinstance(go_on(memory), str)
            # A reader compares ids; that the values of a superseded shard are the same, writers and verify look at.
            assert isinstance(read(memory), str) == (changed not in added.values())
        else:
            assert read(memory) == IDS == go_on(memory)
            assert set(added).isdisjoint(files(memory)) or wanted == "unacknowledged"
    # A finished dataset: readers go by the manifest, whose digest covers the list.
    lay(memory, grown)
    assert go_on(memory) == IDS
    finished = files(memory)
    for name in ("shard-000040.h5", "shard-foreign.h5"):
        lay(memory, {**finished, name: foreign})
        assert verify(trajpack, memory)[0] == 1 and isinstance(go_on(memory), str)
        assert library.open(memory).episodes.ids == [*IDS, "new"]
    assert journal == grown["journal"]


def measured(*command):
    """(exit code, standard error, the most memory in MB, seconds of CPU) of a command. A small process starts it:
    a child begins with the memory of its parent."""
    ask = ("import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode;"
           " r = resource.getrusage(resource.RUSAGE_CHILDREN); print(code, r.ru_maxrss / 1024, r.ru_utime + r.ru_stime)")
    done = subprocess.run([sys.executable, "-c", ask, *map(str, command)], capture_output=True, text=True, check=True)
    code, megabytes, seconds = done.stdout.split()
    return int(code), done.stderr, float(megabytes), float(seconds)


def test_memory_and_time_of_huge_journals(trajpack, tmp_path, grown):
    folder = tmp_path / "ds"
    lay(folder, grown)
    with open(folder / "journal", "r+b") as file:                   # 1 GB of zeros, as a sparse file
        file.truncate(0)
        file.truncate(1 << 30)
    code, said, megabytes, seconds = measured(trajpack, "info", folder)
    assert code == 1 and "journal" in said and megabytes < 40 and seconds < 2
    with open(folder / "journal", "r+b") as file:
        file.truncate((1 << 30) + 1)
    assert "at most 1073741824" in measured(trajpack, "info", folder)[1]
    # A tail in which each byte might begin a record is searched in linear time, or given up.
    ends = places(grown["journal"])
    for unit in (struct.pack("<II", 9, 1) + b"{aaaaaaa}", struct.pack("<I", 1 << 22), b"{}{}{}{}\0\0\0\0"):
        tail = (unit * ((8 << 20) // len(unit) + 1))[:8 << 20]
        (folder / "journal").write_bytes(grown["journal"][:ends[-1]] + tail)
        code, said, megabytes, seconds = measured(trajpack, "info", folder)
        assert code == 1 and megabytes < 60 and seconds < 4, (said, megabytes, seconds)
    (folder / "journal").write_bytes(grown["journal"] + b"x" * ((8 << 20) + 100))
    assert "more than a record that was cut off has" in measured(trajpack, "info", folder)[1]


def entry(number):
    return {"name": f"shard-{number:06d}.h5", "bytes": 4096, "sha256": f"{number:064x}", "episodes": 1, "rows": 20}


@pytest.fixture
def short():
    """A folder with a short path: the paths of shards are kept, too."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def test_memory_of_many_shards(trajpack, short):
    """A list of 150,000 shards costs less than twice its bytes."""
    import hashlib
    folder = short
    shards = [entry(n) for n in range(150_000)]
    digest = hashlib.sha256("".join(f"{s['name']} {s['sha256']}\n" for s in shards).encode()).hexdigest()
    document = {"format": "trajpack dataset", "version": "1.0", "digest": digest, "shards": shards, "source": {},
                "statistics": {}}
    (folder / "manifest.json").write_text(json.dumps(document, indent=1))
    size = os.path.getsize(folder / "manifest.json") / 1e6
    code, said, megabytes, seconds = measured(trajpack, "info", folder)
    assert code == 1 and "shard-000000.h5: is missing" in said
    assert megabytes < 45 + 1.8 * size and seconds < 10, (megabytes, size, seconds)       # the program takes 38
    shards = shards[:50_000]
    records = [{"type": "plan", "format": "writer", "options": {}, "codec": "lz4", "shard_bytes": 1},
               *({"type": "shard", **s} for s in shards)]
    payloads = [json.dumps(r, separators=(",", ":")).encode() for r in records]
    (folder / "manifest.json").unlink()
    journal = MAGIC + b"".join(struct.pack("<II", len(p), read_archive.crc32c(p)) + p for p in payloads)
    (folder / "journal").write_bytes(journal)
    code, said, megabytes, seconds = measured(trajpack, "info", folder)
    assert code == 1 and "shard-000000.h5: is missing" in said
    assert megabytes < 45 + 1.8 * len(journal) / 1e6 and seconds < 10, (megabytes, seconds)


@pytest.mark.parametrize("where", ["statistics", "extra", "source", "shards"])
def test_memory_of_numbers_in_a_manifest(trajpack, tmp_path, where):
    """16 million bytes of numbers where none are due."""
    numbers = "[" + ",".join("0" * 1 for _ in range(8_000_000)) + "]"
    parts = {"format": '"trajpack dataset"', "version": '"1.0"', "digest": '"' + "0" * 64 + '"', "shards": "[]",
             "source": "{}", "statistics": "{}"}
    parts[where] = f'{{"a":{numbers}}}' if where in ("statistics", "source") else f"[{numbers}]"
    folder = tmp_path / "ds"
    folder.mkdir()
    (folder / "manifest.json").write_text("{" + ",".join(f'"{n}":{v}' for n, v in parts.items()) + "}")
    code, said, megabytes, seconds = measured(trajpack, "verify", folder)
    assert code == 1 and "manifest.json" in said and megabytes < 60 and seconds < 8, (said, megabytes)


def test_unusable_manifests(trajpack, tmp_path, grown):
    """Empty, zeroed, absent: a sentence that names the file and a way out."""
    import trajpack as library
    folder = str(tmp_path / "ds")
    lay(folder, grown)
    go_on(folder)
    whole = files(folder)
    shards = {n: b for n, b in whole.items() if n.startswith("shard-")}
    cases = {"is empty": b"", "begins with zeros": bytes(5000), "damaged at byte 0": b"\x7fELF" + bytes(100),
             "the JSON is damaged": whole["manifest.json"][:-40], "begins with zeros ": bytes(1)}
    for said, manifest in cases.items():
        lay(folder, {**shards, "manifest.json": manifest})
        for act in (library.open, lambda p: library.create(p, mode="a", rate=50)):
            with pytest.raises(library.DataError, match=f"manifest.json.*{said.strip()}.*trajpack repair"):
                act(folder)
    lay(folder, shards)
    for act in (library.open, lambda p: library.create(p, mode="a", rate=50)):
        with pytest.raises(library.UsageError, match="holds shards .*but no manifest.json.*trajpack repair"):
            act(folder)
    assert files(folder) == shards
