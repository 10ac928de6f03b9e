"""repair: a list of whole shards out of what is left, and nothing lost."""
import json
import os
import subprocess

import pytest
import read_archive
from journal_world import MAGIC, files, go_on, grow, lay, read, verify
from promise import Writer
from test_resume import stopped

IDS = [f"e{n:03d}" for n in range(20)]


def repair(trajpack, folder, *more):
    done = subprocess.run([trajpack, "repair", folder, "--json", *more], capture_output=True, text=True)
    report = json.loads(done.stdout)
    return done.returncode, report["error"]["message"] if "error" in report else report


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Twenty episodes, sixteen of them joined, whose parts are still there."""
    folder = str(tmp_path_factory.mktemp("grown") / "ds")
    grow(folder, 20)
    found = files(folder)
    assert len(found) == 22 and read(folder) == IDS
    return found


def test_lost_and_damaged_lists(grown, tmp_path, trajpack):
    journal = grown["journal"]
    flipped = bytearray(journal)
    flipped[len(journal) // 2] ^= 1
    rest = {n: b for n, b in grown.items() if n != "journal"}
    lists = [{"journal": bytes(flipped)}, {"journal": journal[:-400]}, {"journal": journal[:len(MAGIC)]},
             {"journal": b""}, {"journal": bytes(len(journal))}, {}, {"manifest.json": b""},
             {"manifest.json": bytes(4096), "journal": journal}, {"manifest.json": b"{"}]
    for found in lists:
        folder = lay(tmp_path / "ds", {**rest, **found})
        before = files(folder)
        code, plan = repair(trajpack, folder, "--dry-run")
        assert code == 0 and files(folder) == before and not plan["written"]
        code, report = repair(trajpack, folder)
        assert code == 0 and report["listed"] == plan["listed"] and report["complete"]
        assert len(report["superseded"]) == 16 and not report["damaged"]
        after = files(folder)
        assert {n: b for n, b in after.items() if n.startswith("shard-")} == rest
        assert sorted(report["kept"]) == sorted(f"{n}.before-repair" for n, b in found.items() if b)
        assert all(after[f"{n}.before-repair"] == b for n, b in found.items() if b)
        assert read(folder) == IDS and verify(trajpack, folder)[0] == 0
        assert go_on(folder) == IDS
    again = lay(tmp_path / "again", {**rest, "manifest.json": b"{", "manifest.json.before-repair": b"x"})
    assert repair(trajpack, again)[1]["kept"] == ["manifest.json.before-repair-2"]


def test_a_whole_list_comes_out_the_same(grown, tmp_path, trajpack):
    folder = lay(tmp_path / "ds", grown)
    go_on(folder)
    before = files(folder)
    assert repair(trajpack, folder)[0] == 0
    after = files(folder)
    assert after.pop("manifest.json.before-repair") == before["manifest.json"] and after == before


def test_a_conversion_goes_on(trajpack, recordings, tmp_path):
    writer = Writer(trajpack, recordings)
    made = str(tmp_path / "made")
    writer.run(made)
    whole = files(made)
    found = stopped(whole, 4)
    flipped = bytearray(found["journal"])
    flipped[-9] ^= 1
    folder = lay(tmp_path / "ds", {**found, "journal": bytes(flipped)})
    code, report = repair(trajpack, folder)
    assert code == 0 and not report["complete"] and len(report["listed"]) == 4
    writer.run(folder, "--resume")
    assert {n: b for n, b in files(folder).items() if not n.endswith(".before-repair")} == whole
    # With a hole there is no going on, but all that is whole is listed.
    lay(folder, {n: b for n, b in {**found, "journal": bytes(flipped)}.items() if n != "shard-000001.h5"})
    code, report = repair(trajpack, folder)
    assert code == 0 and report["complete"] and len(report["listed"]) == 3
    assert verify(trajpack, folder)[0] == 0


def test_damaged_shards_and_contradictions(grown, tmp_path, trajpack):
    """A damaged shard is named and kept; where its episodes are in others too, those are listed."""
    import numpy as np
    import trajpack as library
    rest = {n: b for n, b in grown.items() if n != "journal"}
    joined = "shard-000016.h5"
    bad = bytearray(rest[joined])
    lay(tmp_path / "one", {joined: rest[joined]})
    offset, stored = read_archive.Shard(str(tmp_path / "one" / joined)).chunks[0][:2].tolist()
    bad[offset + stored // 2] ^= 1
    folder = lay(tmp_path / "ds", {**rest, joined: bytes(bad)})
    code, report = repair(trajpack, folder)
    assert code == 1 and [d["name"] for d in report["damaged"]] == [joined] and read(folder) == IDS
    told = subprocess.run([trajpack, "repair", folder], capture_output=True, text=True)
    assert told.returncode == 1 and "not listed: 1 file; move" in told.stderr
    code, standing, _ = verify(trajpack, folder)
    assert code == 1 and standing == {joined: "orphan"}
    os.remove(f"{folder}/{joined}")
    assert verify(trajpack, folder)[0] == 0 and go_on(folder) == IDS
    with library.create(str(tmp_path / "twin"), rate=50) as writer:
        writer.append("e003", x=np.arange(20.0) + 9)
    (twin,) = (b for n, b in files(tmp_path / "twin").items() if n.startswith("shard-"))
    folder = lay(tmp_path / "ds", {**rest, "shard-000030.h5": twin})
    before = files(folder)
    code, said = repair(trajpack, folder)
    assert code == 1 and "both have episode 'e003'" in said and files(folder) == before
    assert repair(trajpack, lay(tmp_path / "ds", {"notes.txt": b"mine"}))[0] == 2
    assert repair(trajpack, str(tmp_path / "absent"))[0] == 2
