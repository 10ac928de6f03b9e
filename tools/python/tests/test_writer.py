"""The writer: what is written equals what h5py and trajpack read, whatever way it came in."""
from __future__ import annotations

import datetime
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest
import read_archive
from places import program, surroundings

import trajpack

RNG = np.random.default_rng(7)


def columns(path, stream, channel):
    """Every row of a channel, in the order of episodes, by the second reader, which is plain h5py."""
    found = []
    for shard in map(read_archive.Shard, read_archive.open_dataset(str(path))[0]):
        number = next(i for i, s in enumerate(shard.schema["streams"]) if s["name"] == stream)
        one = next(c for c in shard.schema["streams"][number]["channels"] if c["name"] == channel)
        block = shard.schema["blocks"][one["block"]]
        rows = shard.file[block["path"]][:block["rows"]]
        if list(block["shape"]) == list(one["shape"]) and one["type"] != "bytes":
            found.append(rows)
        else:
            width = 2 if one["type"] == "bytes" else int(np.prod(one["shape"], dtype=int))
            part = rows.reshape(len(rows), -1)[:, one["column"]:one["column"] + width]
            found.append(part.reshape(len(rows), *one["shape"]) if one["type"] != "bytes" else part)
    return np.concatenate(found)


def test_rows_as_a_robot_gives_them(tmp_path):
    path = tmp_path / "arm"
    with trajpack.create(path, rate=50, channels={"q": {"units": "rad", "kind": "angle", "description": "joints"}}) as writer:
        buffer = np.zeros(7, np.float32)
        for number in range(3):
            with writer.episode(f"run-{number}", split="train", metadata={"task": "pick", "seed": np.int64(number)}) as episode:
                for i in range(40 + number):
                    buffer[:] = number + i / np.arange(1, 8)         # the same memory each time
                    episode.append(q=buffer, reward=i / 3, action=i % 5, note=f"step {i} of {number}", good=i % 2 == 0)
            assert len(writer) == number + 1
    ds = trajpack.open(path)
    assert ds.complete and ds.splits == {"train": 3} and ds.episodes.ids == ["run-0", "run-1", "run-2"]
    assert ds.streams["frames"].rate == "50"
    q = ds.streams["frames"]["q"]
    assert (q.type, q.shape, q.units, q.kind, q.description) == ("float32", (7,), "rad", "angle", "joints")
    assert {c.name: (c.type, c.kind) for c in ds.streams["frames"].channels.values()} == {
        "q": ("float32", "angle"), "reward": ("float64", "scalar"), "action": ("int64", "label"),
        "note": ("bytes", "text"), "good": ("bool", "label")}
    episode = ds.episode("run-2")
    assert episode.metadata == {"task": "pick", "seed": 2}
    assert np.array_equal(episode["frames/q"][:], np.stack([(2 + i / np.arange(1, 8)) for i in range(42)]).astype(np.float32))
    assert episode["frames/note"][40] == "step 40 of 2"
    assert np.array_equal(columns(path, "frames", "reward"), np.concatenate([np.arange(40 + n) / 3 for n in range(3)]))
    assert np.array_equal(columns(path, "frames", "action"), np.concatenate([np.arange(40 + n) % 5 for n in range(3)]))
    windows = ds.windows(length=4, batch=8, shuffle=False).next()
    assert np.array_equal(windows["frames/reward"][:, 0], np.arange(8) / 3)


def test_it_is_readable_before_it_is_closed(tmp_path):
    path = tmp_path / "open"
    writer = trajpack.create(path, rate=10)
    for number in range(40):
        writer.append(f"e{number}", x=np.full(5, number))
        ds = trajpack.open(path)
        assert len(ds) == number + 1 and not ds.complete
        assert ds.episode(f"e{number}")["frames/x"][:].tolist() == [number] * 5
    assert writer.stats()["joins"] == 2 and writer.stats()["shards"] == 10     # 2 x 16, and 8 more
    verified = subprocess.run([program(), "verify", path], capture_output=True, text=True)
    assert verified.returncode == 0 and "mode='a'" in verified.stderr, verified
    writer.close()
    ds = trajpack.open(path)
    assert ds.complete and len(ds.shards) == 1 and ds.episodes.ids == [f"e{n}" for n in range(40)]
    assert sorted(os.listdir(path)) == ["manifest.json", ds.shards[0]]
    for shard in read_archive.open_dataset(str(path))[0]:
        read_archive.check_index(shard)
    assert subprocess.run([program(), "verify", path], capture_output=True).returncode == 0


def test_statistics_are_those_of_the_rows(tmp_path):
    rows = RNG.normal(size=(300, 3)) * [1, 10, 100]
    rows[5, 1] = np.nan
    with trajpack.create(tmp_path / "s", rate=10) as writer:
        for n in range(30):
            writer.append(str(n), x=rows[n * 10:n * 10 + 10], split="train" if n < 20 else "test")
    found = trajpack.open(tmp_path / "s").statistics
    for split, part in (("train", rows[:200]), ("test", rows[200:])):
        one = found[split]["frames/x"]
        assert np.allclose(one["mean"], np.nanmean(part, 0)) and np.allclose(one["std"], np.nanstd(part, 0))
        assert one["min"] == np.nanmin(part, 0).tolist() and one["missing"] == np.isnan(part).sum(0).tolist()


def test_frames_of_pandas_and_polars(tmp_path):
    import pandas
    import polars
    when = pandas.date_range("2024-03-01", periods=6, freq="100ms", tz="Europe/Berlin")
    frame = pandas.DataFrame({
        "x": [1.5, np.nan, 3, 4, 5, 6], "n": pandas.array([1, None, 3, 4, 5, 6], dtype="Int16"),
        "mode": pandas.Categorical(["walk", "run", "walk", None, "run", "run"], categories=["walk", "run"]),
        "say": list("abcdef"), "ok": [True, False] * 3}, index=when)
    path = tmp_path / "tables"
    with trajpack.create(path) as writer:
        writer.append("pandas", frame)
        writer.append("polars", polars.DataFrame({
            "x": [0.5, None], "n": [None, 7], "mode": ["run", "walk"], "say": ["ä", ""], "ok": [True, True]}),
            time=np.array(["2024-03-02", "2024-03-03"], "M8[ms]"))
    ds = trajpack.open(path)
    frames = ds.streams["frames"]
    assert frames["time"].type == "int64" and frames.attributes["tick"] in ("1/1000000000", "1/1000000")
    assert frames["n"].type == "int32" and frames["n"].missing == "sentinel"
    assert frames["mode"].categories == ("walk", "run") and frames["mode"].kind == "categorical"
    tick = Fraction(frames.attributes["tick"])
    epoch = pandas.Timestamp("1970-01-01", tz="UTC")
    table = ds.episode("pandas")["frames"]
    assert np.allclose(table.times, [(t - epoch).total_seconds() for t in when], rtol=0, atol=1e-6)
    assert table["n"].observed(slice(None)).tolist() == [True, False, True, True, True, True]
    assert table["mode"][:].tolist()[:3] == [0, 1, 0] and not table["mode"].observed(3)
    other = ds.episode("polars")["frames"]
    assert other["say"][:] == ["ä", ""] and other["n"][:].tolist()[1] == 7 and not other["n"].observed(0)
    assert np.isnan(other["x"][1]) and other["mode"][:].tolist() == [1, 0]
    assert other["time"][:].tolist() == [int(np.datetime64(d, "ns").astype(int) * Fraction(1, 10**9) / tick)
                                         for d in ("2024-03-02", "2024-03-03")]


def test_streams_with_clocks_of_their_own(tmp_path):
    path = tmp_path / "clocks"
    stamps = np.sort(RNG.uniform(0, 2, 37))
    with trajpack.create(path, rate={"imu": 200, "camera": Fraction(30000, 1001)},
                         streams={"events": {"description": "buttons", "time_unit": "s"}}) as writer:
        with writer.episode("one", start="0.5") as episode:
            episode.extend({"imu/acc": RNG.normal(size=(400, 3)), "camera": {"exposure": np.arange(60, dtype=np.uint16)}})
            episode.extend({"events/button": ["a", "b"] * 18 + ["c"]}, time=stamps)
        with writer.episode("two") as episode:
            for n in range(10):
                episode.append({"events/button": "x"}, time=n / 10)
    ds = trajpack.open(path)
    one = ds.episode("one")
    assert ds.streams["camera"].rate == "30000/1001" and ds.streams["events"].rate is None
    assert ds.streams["events"].description == "buttons"
    assert one["imu"].times[1] == 0.505 and one["camera"].times[30] == 0.5 + 30 * 1001 / 30000
    assert np.array_equal(one["events"].times, stamps)
    assert np.array_equal(ds.episode("two")["events"].times, np.arange(10) / 10)
    # Going on, the clocks are known.
    with trajpack.create(path, mode="a") as writer:
        writer.append("three", {"imu/acc": np.zeros((4, 3)), "camera/exposure": np.zeros(1, np.uint16)})
        with pytest.raises(trajpack.UsageError, match="time of each row"):
            writer.append("four", {"events/button": ["a"]})
    assert trajpack.open(path).episode("three")["imu"].times.tolist() == [0, 0.005, 0.01, 0.015]


def test_entities_come_and_go(tmp_path):
    path = tmp_path / "game"
    with trajpack.create(path, rate=30) as writer, writer.episode("a") as episode:
        for i in range(30):
            episode.append({"state/score": i})
            for npc in range(2):
                if not (npc == 1 and 10 <= i < 15):
                    episode.append({"npc/pos": [i, npc, 0.0]}, entity=("npc", npc, 40 + npc), row=i)
        with pytest.raises(trajpack.UsageError, match="say when"):
            episode.append({"npc/pos": [0, 0, 0.0]}, entity=("npc", 1))
        with pytest.raises(trajpack.DataError, match="in their order"):
            episode.append({"npc/pos": [0, 0, 0.0]}, entity=("npc", 1), row=3)
    ds = trajpack.open(path)
    npc = ds.episode("a")["npc"]
    assert ds.streams["npc"].entities == 2
    first, second = npc["npc", 0], npc["npc", 1]
    assert [t.rows for t in first.tracks] == [30] and [t.rows for t in second.tracks] == [10, 15]
    assert second.tracks[0].entity.type == 41
    assert second.times.tolist() == [i / 30 for i in range(30) if not 10 <= i < 15]
    assert second["pos"][:][:, 0].tolist() == [i for i in range(30) if not 10 <= i < 15]
    batch = ds.windows(channels=["npc"], length=1, reference="state", batch=32, shuffle=False, drop_last=False).next()
    assert batch["present:npc"][:, 0, 1].tolist() == [not 10 <= i < 15 for i in range(30)]


def test_missing_values_and_categories(tmp_path):
    path = tmp_path / "missing"
    with trajpack.create(path, rate=1, channels={
            "id": {"missing": True}, "mode": {"categories": ["idle", "walk"]}}) as writer:
        writer.append("a", x=np.ma.masked_array([[1.0, 2], [3, 4]], [[0, 1], [0, 0]]), id=[5, 6], mode=["walk", "idle"])
        writer.append("b", x=[[1.0, np.nan]], id=np.ma.masked_array([7], [True]), mode=np.array([1]))
        with writer.episode("c") as episode:
            episode.append(x=np.ma.masked_array([1.0, 2.0], [True, False]), id=np.ma.masked, mode="idle")
        with pytest.raises(trajpack.DataError, match="'wlak' is no category of the channel; did you mean 'walk'"):
            writer.append("d", x=[[1.0, 2.0]], id=[1], mode=["wlak"])
        with pytest.raises(trajpack.DataError, match="2 is no category; there are 2, from 0 on"):
            writer.append("d", x=[[1.0, 2.0]], id=[1], mode=[2])
        with pytest.raises(trajpack.DataError, match="stands for a missing value"):
            writer.append("d", x=[[1.0, 2.0]], id=[np.iinfo(np.int64).min], mode=[1])
        with pytest.raises(trajpack.DataError, match="not declared for"):
            writer.append("d", x=[[1.0, 2.0]], id=[1], mode=np.ma.masked_array([1], [True]))
    ds = trajpack.open(path)
    assert ds.episode("a")["frames/x"].observed(slice(None)).tolist() == [[True, False], [True, True]]
    assert not ds.episode("b")["frames/id"].observed(0) and not ds.episode("c")["frames/id"].observed(0)
    assert ds.episode("a")["frames/mode"][:].tolist() == [1, 0]


def test_a_declared_schema(tmp_path):
    path = tmp_path / "declared"
    schema = {"arm/q": {"dtype": "float32", "shape": 7, "kind": "angle", "units": "rad"},
              "arm/grip": {"dtype": bool},
              "pose/rot": {"dtype": "float64", "shape": (4,), "kind": "quaternion", "conventions": {"order": "xyzw"}},
              "log/say": {"dtype": "text"}}
    with trajpack.create(path, rate={"arm": 100, "pose": 10}, schema=schema, skeletons={"hand": [(0, 1), (1, 2)]},
                         streams={"pose": {"skeleton": "hand"}}, attributes={"robot": "so100"}) as writer:
        assert [s["name"] for s in writer.schema["streams"]] == ["arm", "pose", "log"]
        writer.append("a", {"arm": {"q": np.zeros((5, 7)), "grip": [True] * 5}})              # exact in float32
        with pytest.raises(trajpack.DataError, match=r"channel arm/q: the channel is float32, and .*0\.1.* is no such"):
            writer.append("b", {"arm": {"q": np.full((5, 7), 0.1), "grip": [True] * 5}})
        writer.append("b", {"arm": {"q": [[0.1] * 7], "grip": [False]}, "log/say": ["hi"]}, time={"log": [0.5]})
    ds = trajpack.open(path)
    assert ds.episode("b")["arm/q"][0].tolist() == [np.float32(0.1)] * 7       # Python's floats have no dtype of their own
    assert ds.attributes == {"robot": "so100"} and ds.skeletons == {"hand": [(0, 1), (1, 2)]}
    assert ds.streams["pose"]["rot"].conventions == {"order": "xyzw"} and ds.streams["pose"].skeleton == "hand"
    # Another data set of the same make.
    with trajpack.create(tmp_path / "again", rate={"arm": 100, "pose": 10}, schema=ds.streams) as writer:
        writer.append("a", {"arm": {"q": np.zeros((5, 7)), "grip": [True] * 5}})
    again = trajpack.open(tmp_path / "again").streams
    assert again["arm"].channels == ds.streams["arm"].channels and again["log"].channels == ds.streams["log"].channels


def test_going_on_with_what_convert_made(tmp_path):
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "a.csv").write_text("t,x,n\n" + "".join(f"{i / 10},{i * 0.25},{i}\n" for i in range(30)))
    path = tmp_path / "ds"
    subprocess.run([program(), "convert", "--quiet", folder, path], check=True, capture_output=True)
    before = trajpack.open(path)
    stream = next(iter(before.streams.values()))
    old = before.episode(0)[stream.name + "/x"][:]
    rate = stream.rate
    with trajpack.create(path, mode="a", rate=rate) as writer:
        dtypes = {c.name: c.type for c in stream.channels.values()}
        writer.append("new", {f"{stream.name}/{c}": np.arange(8).astype(t) for c, t in dtypes.items()})
        with pytest.raises(trajpack.UsageError, match="already"):
            writer.append(before.episodes.ids[0], {f"{stream.name}/{c}": np.arange(8).astype(t) for c, t in dtypes.items()})
    ds = trajpack.open(path)
    assert ds.complete and len(ds) == 2 and np.array_equal(ds.episode(0)[stream.name + "/x"][:], old)
    assert ds.episode("new")[stream.name + "/n"][:].tolist() == list(range(8))
    resumed = subprocess.run([program(), "convert", "--resume", folder, path], capture_output=True, text=True)
    assert resumed.returncode == 2 and "other sources" in resumed.stderr


def test_opening_without_appending_changes_nothing(tmp_path):
    path = tmp_path / "same"
    with trajpack.create(path, rate=1) as writer:
        writer.append("a", x=[1, 2])
    before = {f: (Path(path) / f).read_bytes() for f in os.listdir(path)}
    with trajpack.create(path, mode="a") as writer:
        assert len(writer) == 1
    assert before == {f: (Path(path) / f).read_bytes() for f in os.listdir(path)}
    with trajpack.create(tmp_path / "empty", rate=1):
        pass
    assert not (tmp_path / "empty").exists()


def test_an_exception_abandons_the_episode(tmp_path):
    path = tmp_path / "ds"
    with trajpack.create(path, rate=1) as writer:
        writer.append("a", x=[1, 2])
        with pytest.raises(ZeroDivisionError), writer.episode("b") as episode:
            episode.append(x=1)
            _ = 1 / 0
        with writer.episode("b") as episode:                   # the id is free again
            episode.append(x=3)
    assert trajpack.open(path).episodes.ids == ["a", "b"]


def test_rows_are_never_dropped_without_a_word(tmp_path):
    path = tmp_path / "ds"
    writer = trajpack.create(path, rate=1)
    left, empty = writer.episode("left"), writer.episode("empty")
    left.append(x=1)
    with pytest.raises(trajpack.UsageError, match=r"episode 'left' still open.*commit\(\) or abandon\(\)"):
        writer.close()
    assert not writer.closed
    left.append(x=2)
    left.commit()
    writer.close()                                             # one without rows loses nothing
    assert writer.closed and trajpack.open(path).episodes.ids == ["left"]
    with pytest.raises(trajpack.UsageError, match="has been abandoned|closed"):
        empty.append(x=1)
    with pytest.raises(trajpack.UsageError, match="episodes 'm', 'n' still open"):
        with trajpack.create(path, mode="a", rate=1) as writer:
            held = [writer.episode(id) for id in "nm"]
            for one in held:
                one.append(x=5)
    assert writer.closed
    with pytest.raises(ZeroDivisionError):                     # an exception goes before
        with trajpack.create(path, mode="a", rate=1) as writer:
            open_ = writer.episode("n")
            open_.append(x=5)
            _ = 1 / 0
    assert writer.closed and trajpack.open(path).episodes.ids == ["left"]


def test_a_converted_data_set_says_its_rate(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(12.).reshape(6, 2))
    subprocess.run([program(), "convert", tmp_path / "a.npz", tmp_path / "ds", "--rate", "30000/1001"], check=True,
                   capture_output=True)
    stream = next(iter(trajpack.open(tmp_path / "ds").streams))
    with trajpack.create(tmp_path / "ds", mode="a") as writer:
        assert "rates" not in writer.schema
        writer.append("b", {stream: {"x": np.ones((4, 2))}})
    times = [np.asarray(trajpack.open(tmp_path / "ds").episode(id)[stream].times) for id in ("a", "b")]
    assert np.array_equal(times[0][:4], times[1]) and times[1][1] == 1001 / 30000
    # Where tracks differ, nothing can be taken from them.
    with trajpack.create(tmp_path / "ds", mode="a", rate=10) as writer:
        writer.append("c", {stream: {"x": np.ones((4, 2))}})
    with trajpack.create(tmp_path / "ds", mode="a") as writer, pytest.raises(trajpack.UsageError, match="rate"):
        writer.append("d", {stream: {"x": np.ones((4, 2))}})


def test_several_episodes_and_threads_at_once(tmp_path):
    from concurrent.futures import ThreadPoolExecutor
    path = tmp_path / "vector"
    with trajpack.create(path, rate=60) as writer:
        environments = [writer.episode(f"env{n}") for n in range(8)]
        for i in range(100):
            for n, environment in enumerate(environments):
                environment.append(obs=[n, i], reward=0.5)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda e: e.commit(), environments))
            list(pool.map(lambda n: writer.append(f"t{n}", obs=np.full((50, 2), n), reward=np.zeros(50)), range(40)))
    ds = trajpack.open(path)
    assert len(ds) == 48
    for n in range(8):
        assert ds.episode(f"env{n}")["frames/obs"][:].tolist() == [[n, i] for i in range(100)]
    for n in range(40):
        assert (ds.episode(f"t{n}")["frames/obs"][:] == n).all()


def test_times_of_every_sort(tmp_path):
    utc = datetime.timezone.utc
    days = [datetime.datetime(2024, 1, d, tzinfo=utc) for d in (1, 2, 3)]
    with trajpack.create(tmp_path / "dates") as writer:
        with writer.episode("a") as episode:
            for day in days:
                episode.append(x=1.0, time=day)
        with pytest.raises(trajpack.DataError, match="dates or durations|whole ticks"):
            writer.append("b", x=[1.0], time=[0.5])
    assert trajpack.open(tmp_path / "dates").episode("a")["frames"].times.tolist() == [d.timestamp() for d in days]
    with trajpack.create(tmp_path / "ticks", streams={"frames": {"tick": "1/1000"}}) as writer:
        writer.append("a", x=[1.0, 2.0], time=[5, 1005])
    assert trajpack.open(tmp_path / "ticks").episode("a")["frames"].times.tolist() == [0.005, 1.005]
    with trajpack.create(tmp_path / "none") as writer:
        with pytest.raises(trajpack.UsageError, match="how long a tick"):
            writer.append("a", x=[1.0, 2.0], time=[5, 1005])
        with pytest.raises(trajpack.UsageError, match="time of each row"):
            writer.append("a", x=[1.0, 2.0])
    with trajpack.create(tmp_path / "back") as writer:
        with pytest.raises(trajpack.UsageError, match="earlier than that of the row before|not finite"):
            writer.append("a", x=[1.0, 2.0], time=[1.0, 0.5])
        writer.append("a", x=[1.0, 2.0], time=[0.5, 1.0])


def test_gaps_on_a_regular_clock(tmp_path):
    with trajpack.create(tmp_path / "gap", rate=10) as writer, writer.episode("a") as episode:
        episode.extend(x=np.arange(5.0))
        episode.extend(x=np.arange(5.0), time=2.0)
        episode.append(x=9.0, time=2.5)
        with pytest.raises(trajpack.DataError, match="not on the clock"):
            episode.append(x=9.0, time=2.63)
    table = trajpack.open(tmp_path / "gap").episode("a")["frames"]
    assert [t.rows for t in table.tracks] == [5, 6] and table.times[5] == 2.0 and table.times[10] == 2.5


def test_import_loads_nothing_and_writing_is_what_links_hdf5(tmp_path):
    code = ("import sys, trajpack; assert 'numpy' not in sys.modules and 'trajpack.writer' not in sys.modules\n"
            "maps = lambda: open('/proc/self/maps').read()\n"
            "trajpack.version(); assert 'libhdf5' not in maps()\n"
            f"trajpack.create({str(tmp_path / 'x')!r}, rate=1).append('a', x=[1]); assert 'libhdf5' in maps()")
    subprocess.run([sys.executable, "-c", code], env=surroundings(), check=True)


def test_h5py_opens_it_beside(tmp_path):
    """h5py brings a libhdf5 of its own: both live in one process."""
    with trajpack.create(tmp_path / "both", rate=1, codec="gzip") as writer:
        writer.append("a", x=np.arange(100.0))
        with h5py.File(tmp_path / "own.h5", "w") as file:
            file["x"] = np.arange(10)
        writer.append("b", x=np.arange(100.0))
    shard = trajpack.open(tmp_path / "both").shards[0]
    with h5py.File(tmp_path / "both" / shard) as file:
        assert np.array_equal(file["streams/frames/columns_f8"][:], np.tile(np.arange(100.0), 2))
