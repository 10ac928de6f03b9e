"""The topics of one recording are shared among threads, and come out as if one thread had read them."""

import hashlib
import json

import numpy as np
import pytest

pytest.importorskip("mcap")
from foreign_world import run
from mcap.writer import CompressionType
from message_world import START, STEP, write

TOPICS = ["/b", "/a", "/c/d", "/e", "/f"]


def messages(topic, count, random):
    """JSON whose fields differ from topic to topic, some of which come late; every message is some 100 bytes."""
    own = TOPICS.index(topic)
    out = []
    for i in range(count):
        fields = {"v": float(random.normal()), "n": int(random.integers(1 << 40)), "pad": "x" * 60}
        if own % 2:
            fields["kind"] = str(random.choice(["run", "walk", "rest"]))
        if i > count // 2:
            fields[f"late_{own}"] = [1, 2, i]
        time = START + i * STEP + own * (-1 if own == 2 and i % 50 == 0 else 1)
        out.append((time, time + 3, json.dumps(fields).encode()))
    return out


def recording(path, seed, spoilt=None, **options):
    """A file of five topics, one that cannot be read, and one to be left out; `spoilt` gives the messages to break."""
    random = np.random.default_rng(seed)
    channels = []
    for topic in [TOPICS[i] for i in random.permutation(len(TOPICS))]:
        rows = messages(topic, int(random.integers(700, 1200)), random)
        for i in (spoilt or {}).get(topic, []):
            rows[i] = (*rows[i][:2], b'{"v": ')
        channels.append((topic, "json", "", "", b"", rows))
    channels.append(("/raw", "application/octet-stream", "", "", b"", [(START + 5, START, b"xyz")] * 3))
    channels.append(("/unwanted", "json", "", "", b"", [(START + 4, START, b"no JSON")]))
    write(path, channels, **options)
    assert path.stat().st_size > 300_000 or options.get("compression") != CompressionType.NONE
    return path


def outcome(trajpack, source, dataset, jobs):
    options = ["--quiet", "--json", "--exclude-members", "/unwanted", "--jobs", jobs]
    said = json.loads(run(trajpack, "convert", source, dataset, *options))
    shards = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(dataset.glob("*.h5"))}
    return said["remarks"], shards


@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_threads_gives_the_same_shards(trajpack, tmp_path, seed):
    path = recording(tmp_path / "r.mcap", seed, compression=CompressionType.NONE, chunk=100_000)
    first = outcome(trajpack, path, tmp_path / "1", 1)
    assert first[1] and any("/raw" in remark for remark in first[0])
    for jobs in (2, 3, 8):
        assert outcome(trajpack, path, tmp_path / str(jobs), jobs) == first


def test_several_recordings_too(trajpack, tmp_path):
    """Two recordings at once, each of which finds other threads idle or not."""
    (tmp_path / "in").mkdir()
    for name in "pq":
        recording(tmp_path / "in" / f"{name}.mcap", ord(name), compression=CompressionType.NONE)
    first = outcome(trajpack, tmp_path / "in", tmp_path / "1", 1)
    for jobs in (2, 5):
        assert outcome(trajpack, tmp_path / "in", tmp_path / str(jobs), jobs) == first


@pytest.mark.parametrize("spoilt, topic", [
    ({"/a": [400], "/b": [300], "/f": [600]}, "/b"),
    ({"/a": [300], "/b": [301], "/c/d": [650]}, "/a"),
    ({"/e": [699], "/f": [500, 501]}, "/f"),
])
def test_the_first_error_of_the_recording_is_said(trajpack, tmp_path, spoilt, topic):
    """Whichever thread comes upon one first."""
    path = recording(tmp_path / "r.mcap", 5, spoilt, compression=CompressionType.NONE)
    said = {run(trajpack, "convert", path, tmp_path / "o", "--quiet", "--exclude-members", "/unwanted", "--jobs", jobs,
                fails=True) for jobs in (1, 2, 3, 8)}
    assert len(said) == 1 and f"'{topic}'" in said.pop()
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_said_as_by_one_thread(trajpack, tmp_path, seed):
    """With and without checksums: one part alone compares them, the others meet the damage in messages."""
    path = recording(tmp_path / "r.mcap", 6, compression=CompressionType.NONE, chunk=50_000, enable_crcs=seed % 2 == 0)
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for at in random.integers(20_000, len(data) - 20_000, 3):
        data[at] = int(random.integers(256))
    path.write_bytes(data)
    said = set()
    for jobs in (1, 3):
        try:
            said.add(str(outcome(trajpack, path, tmp_path / f"o{jobs}", jobs)))
        except AssertionError as error:
            said.add(str(error).split("', '")[-1].replace(f"o{jobs}", "o"))
            assert not (tmp_path / f"o{jobs}").exists()
    assert len(said) == 1, said
