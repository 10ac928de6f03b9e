"""Sources in Python: found, asked only of what the program does not read, and treated as any other format."""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from sources_world import files, package, run

import trajpack as tp
import trajpack.sources  # noqa: F401
from trajpack._sources.serve import serve

VARIED = """
def read(recording):
    rng = np.random.default_rng(int(recording.id))
    n = int(rng.integers(1, 400))
    t = np.cumsum(rng.uniform(0.01, 0.2, n))
    numbers = {k: (rng.normal(size=(n, *s)) * 50).astype(k) for k, s in
               (("float32", ()), ("float64", (3,)), ("int8", ()), ("uint8", (4,)), ("int16", ()), ("uint16", ()),
                ("int32", (2, 2)), ("uint32", ()), ("int64", ()), ("uint64", ()))}
    numbers["bool"] = rng.random(n) < 0.5
    hidden = rng.random(n) < 0.3
    numbers["masked"] = np.ma.masked_array(rng.integers(0, 9, n).astype(np.int16), hidden)
    words = [None if h else "wörd" * int(k) for h, k in zip(hidden, rng.integers(0, 4, n))]
    packets = [None if not h else bytes(rng.integers(0, 256, int(k), dtype=np.uint8)) for h, k in
               zip(hidden, rng.integers(0, 300, n))]
    if not any(w is not None for w in words): words[0] = "a"
    if not any(p is not None for p in packets): packets[0] = b"x"
    cuts = sorted(int(k) for k in rng.integers(0, n + 1, 3))
    for a, b in zip([0, *cuts], [*cuts, n]):
        if a == b: continue
        part = {k: v[a:b] for k, v in numbers.items()}
        yield Rows("n", part, time=t[a:b], units={"float32": "rad"}, attributes={"made": "by a test"})
    yield Rows("w", {"text": words, "packet": packets}, time=(t * 1e9).astype(np.int64), tick="1/1000000000")
    if int(recording.id) % 2:
        yield Rows("odd", {"x": np.arange(3.0), "only": np.arange(3)}, rate="30000/1001", start=2)
    else:
        yield Rows("odd", {"x": np.arange(3, dtype=np.int32)}, rate="30000/1001", start=2)
    yield About(values={"number": int(recording.id), "name": "r" + recording.id}, metadata={"deep": {"a": [1, None]}})
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return package(folder / "packages", "varied", VARIED), files(
        folder / "runs", "varied", {str(n): np.zeros(4) for n in range(1, 9)})


def expected(number):
    """What the source gives for a recording, by running it here."""
    scope = {}
    from sources_world import HEAD
    exec(HEAD.format(name="varied") + VARIED, scope)
    out = {}
    for piece in scope["read"](tp.sources.Recording(str(number), "")):
        if isinstance(piece, tp.sources.Rows):
            for name, rows in piece.channels.items():
                out.setdefault((piece.stream, name), []).append(rows)
            out.setdefault((piece.stream, "time"), []).append(piece.time)
    return out


def test_every_value_arrives(world, trajpack, tmp_path):
    packages, runs = world
    out = tmp_path / "ds"
    said = json.loads(run(trajpack, "convert", runs, out, "--json", "--shard-size", "40k", path=[packages]))
    assert said["episodes"] == 8 and said["reading"][0]["type"] == "varied"
    data = tp.open(out)
    for number in range(1, 9):
        episode = data.episode(str(number))
        wanted = expected(number)
        assert episode.values["number"] == number and episode.values["name"] == f"r{number}"
        for (stream, name), parts in wanted.items():
            if stream == "odd" or name == "time" or stream == "w":
                continue
            rows = np.ma.concatenate([np.ma.asarray(p) for p in parts])
            got = episode[f"{stream}/{name}"]
            hidden = np.ma.getmaskarray(rows)
            assert np.array_equal(got[:][~hidden], rows.data[~hidden]), (stream, name)
            assert np.array_equal(got.observed(), ~hidden), (stream, name)
        for name in ("text", "packet"):
            assert list(episode[f"w/{name}"][:]) == wanted["w", name][0], name
        assert np.array_equal(episode["n"].times, np.concatenate(wanted["n", "time"]))
        assert np.array_equal(np.asarray(episode["odd/x"][:]), np.asarray(wanted["odd", "x"][0]))
        assert ("odd/only" in data.streams) and (number % 2 == 0) == ("odd/only" not in episode.streams)
    said = run(trajpack, "diff", out, runs, path=[packages])
    assert said.startswith("equal: 8 episodes")


def test_texts_and_packets_of_pieces(trajpack, tmp_path):
    body = """
def read(recording):
    for part in range(3):
        yield Rows("s", {"text": [f"{part} {i}" if i % 3 else None for i in range(5)],
                         "packet": [bytes([part, i]) * (i + 1) for i in range(5)]}, rate=5)
"""
    packages = package(tmp_path / "p", "texts", body)
    runs = files(tmp_path / "runs", "texts", {"a": np.zeros(1)})
    run(trajpack, "convert", runs, tmp_path / "ds", path=[packages])
    episode = tp.open(tmp_path / "ds").episode("a")
    assert list(episode["s/text"][:]) == [f"{part} {i}" if i % 3 else None for part in range(3) for i in range(5)]
    assert list(episode["s/packet"][:]) == [bytes([part, i]) * (i + 1) for part in range(3) for i in range(5)]


def test_python_is_not_run_for_what_a_native_reader_knows(trajpack, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("time,x\n0,1\n1,2\n")
    witness = tmp_path / "witness"
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\ntouch {witness}\nexit 1\n")
    fake.chmod(0o755)
    run(trajpack, "convert", table, tmp_path / "ds", python=fake)
    run(trajpack, "inspect", _npz(tmp_path), python=fake)
    assert not witness.exists()
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    (unknown / "x.bin").write_bytes(bytes(range(256)))
    said = run(trajpack, "convert", unknown, tmp_path / "ds2", python=fake, code=2)
    assert witness.exists() and "cannot serve sources" in said


def _npz(folder):
    np.savez(folder / "a.npz", x=np.zeros((4, 2)))
    return folder / "a.npz"


@pytest.mark.parametrize("words, sentence", [
    (["--from", "nothing"], "no source of"), (["--rate", "3"], "not for sources in Python"),
    (["--from", "varied", "--kind", "nope=angle"], "there is no channel 'nope'"),
    (["--python", "/nowhere/python"], "is no Python that can be run")])
def test_refusals(world, trajpack, tmp_path, words, sentence):
    packages, runs = world
    said = run(trajpack, "convert", runs, tmp_path / "ds", *words, path=[packages], code=2)
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "ds").exists()


BROKEN = {
    "raises": ("def read(recording):\n    yield Rows('s', {'x': np.zeros(3)}, rate=1)\n"
               "    raise ValueError('bad cable')\n",
               "the source 'broken' failed: ValueError: bad cable (broken.py, line 16)"),
    "ends": ("def read(recording):\n    yield Rows('s', {'x': np.zeros(3)}, rate=1)\n    os._exit(7)\n",
             "the Python process that reads it is gone: it ended with the code 7"),
    "killed": ("def read(recording):\n    os.kill(os.getpid(), 9)\n    yield None\n", "it was ended by signal 9"),
    "back": ("def read(recording):\n    yield Rows('s', {'x': np.zeros(3)}, time=[0.0, 2.0, 1.0])\n",
             "the times of stream 's' go back, or are none, at row 2"),
    "lengths": ("def read(recording):\n    yield Rows('s', {'x': np.zeros(3), 'y': np.zeros(2)}, rate=1)\n",
                "stream 's', channel 'y': has 2 rows where 'x' has 3"),
    "kinds": ("def read(recording):\n    yield Rows('s', {'x': [1, 'a']}, rate=1)\n", "stream 's', channel 'x'"),
    "shapes": ("def read(recording):\n    yield Rows('s', {'x': np.zeros(3)}, rate=1)\n"
               "    yield Rows('s', {'x': np.zeros((3, 2))}, rate=1)\n", "rows have different shapes, () and (2,)"),
    "random": ("def read(recording):\n    n = time.time_ns() % 1000 + 1\n"
               "    yield Rows('s', {'x': np.zeros(n)}, time=np.arange(n) ** 1.5)\n    time.sleep(0.002)\n",
               "read() must give the same on every run"),
    "nothing": ("def read(recording):\n    return iter(())\n", "gives no rows"),
    "wrong": ("def read(recording):\n    yield 3\n", "read() yields Rows, Video, About and Remark, not int"),
    "video": ("def read(recording):\n    yield Video('v', '/nowhere.mp4', rate=30)\n", "/nowhere.mp4"),
}


@pytest.mark.parametrize("what", ["hello", "nothing"])
def test_a_program_that_has_gone_is_no_error_of_a_source(what):
    """It closes the connection where it refuses what comes, and an answer may be under way."""
    there, here = socket.socketpair()
    text = json.dumps({"do": what}).encode()
    there.sendall(struct.pack("<I", len(text)) + text)
    there.close()
    serve(here)


@pytest.mark.parametrize("case", BROKEN)
def test_a_source_that_fails_gives_one_sentence(trajpack, tmp_path, case):
    body, sentence = BROKEN[case]
    packages = package(tmp_path / "p", "broken", body)
    runs = files(tmp_path / "runs", "broken", {"a": np.zeros(5)})
    said = run(trajpack, "convert", runs, tmp_path / "ds", path=[packages], code=1)
    assert sentence in said and "Traceback" not in said and str(runs / "a.bin") in said, said
    assert said.strip().count("\n") == 0


def test_others_are_converted_where_one_fails(trajpack, tmp_path):
    body = "def read(recording):\n    if recording.id == 'b': os._exit(1)\n" \
           "    yield Rows('s', {'x': np.fromfile(recording.path, '<f4')}, rate=10)\n"
    packages = package(tmp_path / "p", "some", body)
    runs = files(tmp_path / "runs", "some", {k: np.arange(9.0) for k in "abc"})
    said = run(trajpack, "convert", runs, tmp_path / "ds", "--on-error", "skip", path=[packages], code=1)
    assert "1 of 3 recordings was left out" in said
    assert sorted(e.id for e in tp.open(tmp_path / "ds").episodes) == ["a", "c"]


def test_resume_looks_at_the_files_and_the_version(trajpack, tmp_path):
    packages = package(tmp_path / "p", "rig")
    runs = files(tmp_path / "runs", "rig", {k: np.arange(9.0) for k in "ab"})
    run(trajpack, "convert", runs, tmp_path / "ds", path=[packages])
    whole = (tmp_path / "ds" / "shard-000000.h5").read_bytes()
    run(trajpack, "convert", runs, tmp_path / "ds", "--resume", path=[packages])
    assert (tmp_path / "ds" / "shard-000000.h5").read_bytes() == whole
    np.zeros(4, "<f4").tofile(runs / "a.bin")
    assert run(trajpack, "convert", runs, tmp_path / "ds", "--resume", path=[packages], code=2)


def test_rows_are_the_same_with_other_numbers_of_threads(world, trajpack, tmp_path):
    packages, runs = world
    for jobs in (1, 4):
        run(trajpack, "convert", runs, tmp_path / str(jobs), "--jobs", jobs, path=[packages])
    shards = [sorted((tmp_path / j).glob("shard-*")) for j in ("1", "4")]
    assert [p.read_bytes() for p in shards[0]] == [p.read_bytes() for p in shards[1]]


def test_streams_that_are_left_out(world, trajpack, tmp_path):
    packages, runs = world
    run(trajpack, "convert", runs, tmp_path / "ds", "--exclude-members", "w/*,n/uint8", path=[packages])
    streams = tp.open(tmp_path / "ds").streams
    assert "w" not in streams and "uint8" not in streams["n"].channels and "float32" in streams["n"].channels


def test_validate_inspect_and_formats(world, trajpack):
    packages, runs = world
    said = run(trajpack, "inspect", runs, path=[packages])
    assert "8 recordings" in said and "float64[3]" in said.replace(" [", "[") and "format: varied" in said
    document = json.loads(run(trajpack, "formats", "--sources", "--json", path=[packages]))
    assert {"varied", "rlds", "owamcap"} <= {s["name"] for s in document["sources"]}
    # Its unsigned channels are negative numbers, cut to their bits.
    said = run(trajpack, "validate", runs, "--select", "values.wraparound", path=[packages], code=1)
    assert "2 findings" in said
    report = run(trajpack, "validate", runs, "--format", "json", "--ignore", "values.wraparound", path=[packages])
    assert '"episodes": 8' in report.replace('":8', '": 8')


def test_a_source_that_cannot_be_imported_is_named(trajpack, tmp_path):
    packages = package(tmp_path / "p", "gone", "import nothing_of_the_kind\n")
    runs = files(tmp_path / "runs", "gone", {"a": np.zeros(5)})
    said = run(trajpack, "convert", runs, tmp_path / "ds", "--from", "gone", path=[packages], code=2)
    assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in said
    said = run(trajpack, "convert", runs, tmp_path / "ds", path=[packages], code=1)
    assert "the source 'gone' of gone cannot be used" in said


def test_modules_of_the_working_folder_are_not_run(trajpack, tmp_path):
    (tmp_path / "trajpack").mkdir()
    (tmp_path / "trajpack" / "__init__.py").write_text("open('ran', 'w')")
    (tmp_path / "unknown.xyz").write_bytes(b"\1\2\3")
    here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python", "src")
    subprocess.run([trajpack, "convert", "unknown.xyz", "ds"], cwd=tmp_path, capture_output=True,
                   env={**os.environ, "PYTHONPATH": here, "TRAJPACK_PYTHON": sys.executable})
    assert not (tmp_path / "ran").exists()


def test_an_interrupt_ends_a_source_that_hangs(start, trajpack, tmp_path):
    body = "def read(recording):\n    open(recording.path + '.started', 'w')\n    time.sleep(600)\n    yield None\n"
    packages = package(tmp_path / "p", "slow", body)
    runs = files(tmp_path / "runs", "slow", {"a": np.zeros(5)})
    here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python", "src")
    process = start([trajpack, "convert", runs, tmp_path / "ds"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={
        **os.environ, "PYTHONPATH": f"{here}:{packages}", "TRAJPACK_PYTHON": sys.executable})
    while not (runs / "a.bin.started").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


def test_video_of_a_source(trajpack, tmp_path):
    body = """
def read(recording):
    clip = str(Path(recording.path).parent / "clip.mkv")
    yield Video("even", clip, rate=25)
    yield Video("part", clip, time=np.array([0.0, 0.1, 0.5]), first=2, count=3)
    yield Video("ticks", clip, time=np.array([0, 7, 9, 30]), tick="1/1000", pts=[40_000_000 * k for k in (3, 4, 5, 6)])
"""
    packages = package(tmp_path / "p", "film", body)
    runs = files(tmp_path / "runs", "film", {"a": np.zeros(5)})
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=25", "-frames:v", "10",
                    "-c:v", "ffv1", runs / "clip.mkv"], check=True)
    run(trajpack, "convert", runs, tmp_path / "ds", path=[packages])
    said = json.loads(run(trajpack, "info", tmp_path / "ds", "--json"))
    rows = {s["name"]: s["rows"] for s in said["streams"]}
    assert rows == {"even": 10, "part": 3, "ticks": 4}
    run(trajpack, "diff", tmp_path / "ds", runs, path=[packages])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", runs / "clip.mkv", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         check=True, capture_output=True).stdout
    truth = np.frombuffer(raw, np.uint8).reshape(-1, 32, 32, 3)
    episode = tp.open(tmp_path / "ds").episode("a")
    assert np.array_equal(episode["even"][:], truth)
    assert np.array_equal(episode["part"][:], truth[2:5]) and np.array_equal(episode["ticks"][:], truth[3:7])
    assert np.allclose(episode["part"].times, [0, 0.1, 0.5])
    assert np.allclose(episode["ticks"].times, [0, 0.007, 0.009, 0.03])


def test_a_job_from_a_bucket(trajpack, tmp_path):
    """The plan brings every file, for Python to look at; tasks find them in the job's folder, an empty one, too."""
    from bucket_server import BucketServer
    packages = package(tmp_path / "packages", "plain")
    runs = files(tmp_path / "runs", "plain", {str(n): np.arange(3000) + n for n in range(4)})
    with BucketServer() as server:
        for path in sorted(runs.iterdir()):
            server.put(f"raw/runs/{path.name}", path.read_bytes(), age=500)
        env = {"AWS_ENDPOINT_URL": server.url, "AWS_NO_SIGN_REQUEST": "1", "AWS_EC2_METADATA_DISABLED": "true",
               "TMPDIR": str(tmp_path / "tmp")}
        (tmp_path / "tmp").mkdir()
        options = ("s3://bucket/raw/runs", "--shard-size", "10k")

        def ran(*words):
            return run(trajpack, *words, path=[packages], env=env)
        ran("convert", options[0], tmp_path / "one", *options[1:])
        ran("job", "plan", options[0], tmp_path / "ds", "--tasks", "2", *options[1:])
        before = len(server.requests)
        ran("job", "run", tmp_path / "ds.job", "--task", "0-1")
        ran("job", "finish", tmp_path / "ds.job")
        assert not any(r.range for r in server.requests[before:]), "a task has brought what the plan had brought"
    assert {p.name: p.read_bytes() for p in (tmp_path / "ds").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "one").iterdir()}
    assert list((tmp_path / "tmp").iterdir()) == []
    np.testing.assert_array_equal(tp.open(tmp_path / "ds").episode("2")["s/x"], np.arange(3000) + 2)
