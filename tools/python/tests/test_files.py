"""What becomes of a loader when the files under it change, or there are more of them than may be open."""
from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from archive import Archive, Channel, Episode, Regular, Stream, Track
from places import surroundings

ROWS = 40


def shard(path: Path, number: int, rows: int = ROWS, codec: str = "none") -> None:
    """A shard of one episode whose rows say which they are."""
    x = np.arange(rows, dtype=np.float32)[:, None] + 1000 * number + np.zeros((1, 16), np.float32)
    track = Track("s", rows, Regular(Fraction(0), Fraction(50)), {"x": x})
    Archive([Stream("s", [Channel("x", shape=(16,))])], [Episode(f"{number:05d}", [track])], chunk_rows=16,
            codec=codec).write(path)


def dataset(folder: Path, shards: int, **options: Any) -> Path:
    """A finished dataset of that many shards, each with an episode."""
    folder.mkdir()
    entries = []
    for number in range(shards):
        path = folder / f"shard-{number:06d}.h5"
        shard(path, number, **options)
        data = path.read_bytes()
        entries.append({"name": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                        "episodes": 1, "rows": ROWS})
    digest = hashlib.sha256("".join(f"{e['name']} {e['sha256']}\n" for e in entries).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({
        "format": "trajpack dataset", "version": "1.0", "digest": digest, "shards": entries, "source": {},
        "statistics": {}}))
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from places import program
    folder = dataset(tmp_path_factory.mktemp("many") / "ds", 150)
    # The statistics that the writer would have put there, for verify compares them.
    manifest = json.loads((folder / "manifest.json").read_text())
    info = subprocess.run([program(), "info", folder, "--json"], check=True, capture_output=True, text=True)
    manifest["statistics"] = json.loads(info.stdout)["statistics"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def child(code: str, *words: Any, soft: int = 1024) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process that may have so many files open."""
    start = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {soft}))\n"
    head = "import os, sys, numpy as np, trajpack\n"
    return subprocess.run([sys.executable, "-c", start + head + code, *map(str, words)], capture_output=True, text=True,
                          timeout=120, env=surroundings())


ALL = """
ds = trajpack.open(sys.argv[1])
def look(**options):
    loader = ds.windows(length=8, stride=8, batch=10, masks=False, **options)
    seen = 0
    for epoch in range(2):
        for batch in loader:
            x = batch["s/x"]
            start = np.array([1000 * (w // 5) + 8 * (w % 5) for w in batch.windows.tolist()])
            assert (x == (start[:, None] + np.arange(8))[:, :, None]).all()
            seen += len(x)
    return seen
"""


@pytest.mark.parametrize("options", [{}, {"mmap": True}, {"shuffle": False}, {"verify": "first"}])
def test_more_shards_than_may_be_open(many: Path, options: dict[str, Any]) -> None:
    ran = child(ALL + f"print(look(**{options!r}), len(os.listdir('/proc/self/fd')))", many, soft=64)
    assert ran.returncode == 0, ran.stderr
    seen, held = map(int, ran.stdout.split())
    assert seen == 2 * 150 * 5 and held < 64


def test_all_readers_of_many_shards(many: Path) -> None:
    ran = child("""
ds = trajpack.open(sys.argv[1])
for episode in map(ds.episode, (0, 75, 149, 1)):
    assert episode["s/x"][:].shape == (40, 16)
loader = ds.windows(length=8, stride=8, batch=4)
assert (loader.read([0, 740, 5, 300])["s/x"][:, 0, 0] == [0, 148000, 1000, 60000]).all()
assert len({int(ds.episode(i)["s/x"][0][0]) for i in range(150)}) == 150
""", many, soft=64)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("words", [("info",), ("head",), ("sample",), ("verify",), ("bench",), ("diff", "@"),
                                   ("export", "@out", "--to", "npz")])
def test_commands_on_many_shards(many: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    from places import program
    line = [program(), words[0], str(many)]
    line += [str(many) if w == "@" else str(tmp_path / "out") if w == "@out" else w for w in words[1:]]
    ran = subprocess.run(["bash", "-c", 'ulimit -Sn 64; exec "$@"', "-", *line], capture_output=True, text=True,
                         timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_many_threads_share_few_files(many: Path) -> None:
    ran = child(ALL + "print(look(threads=16, prefetch=8, verify='first'))", many, soft=40)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["1500"]


def test_a_fork_reads_on(many: Path) -> None:
    ran = child(ALL + """
loader = ds.windows(length=8, stride=8, batch=10)
loader.next()
pid = os.fork()
if not pid:
    assert look() == 1500
    os._exit(0)
assert look() == 1500
assert os.waitpid(pid, 0)[1] == 0
""", many, soft=64)
    assert ran.returncode == 0, ran.stderr


CHANGE = ALL + """
loader = ds.windows(length=8, stride=8, batch=10, masks=False, shuffle=False, on_error=sys.argv[2])
loader.next()
{}
try:
    for epoch in range(2):
        for batch in loader:
            for w, x in zip(batch.windows.tolist(), batch["s/x"]):
                assert x[0, 0] == 1000 * (w // 5) + 8 * (w % 5), (w, x[0, 0])
    print("no error", loader.stats()["skipped"])
except trajpack.TrajpackError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("mode", ["raise", "skip"])
@pytest.mark.parametrize("way", ["gone", "replaced", "written over"])
def test_a_shard_that_is_opened_again_is_the_same(tmp_path: Path, way: str, mode: str) -> None:
    """Beyond the limit, a shard that is gone or another one is an error, and never other rows; nor is it skipped."""
    path = dataset(tmp_path / "ds", 80)
    shard(tmp_path / "other.h5", 7, rows=ROWS)
    each = "[{} for n in range(20, 80) for name in [sys.argv[1] + f'/shard-{{n:06d}}.h5']]".format
    change = {"gone": each("os.remove(name)"),
              "replaced": each("(shutil.copy(sys.argv[3], name + '~'), os.replace(name + '~', name))"),
              "written over": each("open(name, 'r+b').write(open(sys.argv[3], 'rb').read())")}[way]
    ran = child(CHANGE.format("import shutil; " + change), path, mode, tmp_path / "other.h5", soft=40)
    assert ran.returncode == 0, ran.stderr
    # A shard that is written over while it is open is damaged.
    if (way, mode) == ("written over", "raise") and ran.stdout.startswith("DataError"):
        assert "do not match their checksum" in ran.stdout
        return
    assert ran.stdout.startswith("MachineError") and "open the dataset again" in ran.stdout, ran.stdout
    assert re.search(r"shard-0000[2-7]\d.h5: is (gone|another file)", ran.stdout), ran.stdout


def test_below_the_limit_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    path = dataset(tmp_path / "ds", 30)
    ran = child(CHANGE.format("[os.remove(sys.argv[1] + f'/shard-{n:06d}.h5') for n in range(30)]"), path, "raise")
    assert ran.stdout.split() == ["no", "error", "0"], ran.stdout + ran.stderr


CUT = """
import threading, time
def run():
    n, end = 0, time.time() + 20
    while time.time() < end:
        for batch in trajpack.open(sys.argv[1]).windows(length=64, batch=8, masks=False, **eval(sys.argv[2])):
            x = batch["s/x"][:, :, 0]
            assert (x == x[:, :1] + np.arange(64)).all()
            n += 1
            if n == 20:
                print("ready", flush=True)
try:
    run()
except trajpack.DataError as error:
    print("DataError", error)
"""


@pytest.mark.parametrize("codec", ["none", "gzip"])
@pytest.mark.parametrize("options", [{}, {"verify": "first"}, {"verify": "never"}])
def test_a_file_that_is_cut_is_an_error(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    """While a loader reads: no signal ends the process, whatever moment it is."""
    shard(tmp_path / "whole.h5", 0, rows=20_000, codec=codec)
    for trial in range(2):
        path = tmp_path / f"{trial}.h5"
        shutil.copyfile(tmp_path / "whole.h5", path)
        code = "import os, sys, numpy as np, trajpack\n" + CUT
        with subprocess.Popen([sys.executable, "-c", code, path, repr(options)], stdout=subprocess.PIPE, text=True,
                              env=surroundings()) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            os.truncate(path, random.Random(trial).choice([8192, 300_000]))
            said = running.stdout.read()
            assert running.wait(timeout=60) == 0 and said.startswith("DataError"), (running.returncode, said)


@pytest.mark.parametrize("codec", ["none", "zstd", "lz4"])
@pytest.mark.parametrize("options", [{}, {"mmap": True}, {"cache": 1 << 16}, {"shuffle": "block"}])
def test_damage_between_epochs_is_an_error(tmp_path: Path, codec: str, options: dict[str, Any]) -> None:
    """With verify="always", the default, no value is wrong: a chunk in the cache is the one that was checked."""
    rows = 4000
    truth = np.random.default_rng(0).standard_normal((rows, 16)).astype(np.float32)
    np.save(tmp_path / "a.npy", truth)
    from places import program
    subprocess.run([program(), "convert", "-q", tmp_path / "a.npy", tmp_path / "ds", "--codec", codec, "--rate", "50"],
                   check=True, capture_output=True)
    path = tmp_path / "ds" / "shard-000000.h5"
    ds = trajpack.open(tmp_path / "ds")
    loader = ds.windows(length=50, stride=50, batch=4, masks=False, **options)

    def look(one: Any) -> int:
        count = 0
        for batch in one:
            for window, x in zip(batch.windows.tolist(), batch["series/values"], strict=True):
                assert (x == truth[window * 50:window * 50 + 50]).all()
                count += 1
        return count

    assert look(loader) == 80
    before = ds.episode(0)["series/values"][:]
    assert (before == truth).all()
    data = bytearray(path.read_bytes())
    chance = random.Random(1)
    with open(path, "r+b") as file:
        for at in (chance.randrange(10_000, len(data) - 20_000) for _ in range(30)):
            file.seek(at)
            file.write(bytes([data[at] ^ 16]))
    kept = options.get("shuffle") == "block"
    if kept:
        assert look(loader) == 80              # all of it is in the cache
    else:
        with pytest.raises(trajpack.DataError, match="shard-000000.h5.*chunk"):
            look(loader)
        with pytest.raises(trajpack.DataError):
            for first in range(0, 80, 4):
                loader.read(range(first, first + 4))
    for fresh in ({}, {"verify": "first"}):
        with pytest.raises(trajpack.DataError):
            look(ds.windows(length=50, stride=50, batch=4, masks=False, **fresh))
    with pytest.raises(trajpack.DataError):
        _ = ds.episode(0)["series/values"][:]


def test_never_is_for_chunks_only(tmp_path: Path) -> None:
    """Index and manifest are compared whatever ``verify`` says; chunks are not."""
    shard(tmp_path / "a.h5", 0)
    data = bytearray((tmp_path / "a.h5").read_bytes())
    row = data.index(np.float32(3).tobytes() * 16)
    data[row] ^= 1
    (tmp_path / "chunk.h5").write_bytes(data)
    batch = trajpack.open(tmp_path / "chunk.h5").windows(length=8, batch=2, verify="never").next()
    assert batch is not None
    with pytest.raises(trajpack.DataError):
        trajpack.open(tmp_path / "chunk.h5").windows(length=8, batch=33, verify="first").next()
    at = (tmp_path / "a.h5").read_bytes().index(b'"streams"')
    data[at] ^= 1
    (tmp_path / "index.h5").write_bytes(data)
    with pytest.raises(trajpack.DataError):
        trajpack.open(tmp_path / "index.h5")


@pytest.mark.parametrize("wrong", [{"verify": "sometimes"}, {"verify": True}, {"mmap": "yes"}, {"mmap": 1}])
def test_wrong_options(many: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(trajpack.UsageError, match=next(iter(wrong))):
        trajpack.open(many).windows(length=8, **wrong)
