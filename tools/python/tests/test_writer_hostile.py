"""The writer against random data and hostile calls: what goes in comes out, or a sentence does."""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import read_archive
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import trajpack

QUIET = settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool"]
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"), exclude_characters="/"), min_size=1,
                max_size=12).filter(lambda n: n not in (".", "..", "time"))


@st.composite
def datasets(draw):
    """Streams of channels with dtypes and shapes, and episodes of rows."""
    streams = {}
    for stream in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        streams[stream] = {}
        for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
            shape = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
            streams[stream][name] = draw(st.one_of(st.just("text"), st.tuples(st.sampled_from(DTYPES), st.just(shape))))
    episodes = []
    for _ in range(draw(st.integers(1, 20))):
        episode = {}
        for stream, channels in streams.items():
            count = draw(st.integers(1, 40))
            episode[stream] = {
                name: draw(st.lists(st.text(max_size=5).filter(lambda t: t.isprintable() or not t), min_size=count,
                                    max_size=count))
                if what == "text" else draw(hnp.arrays(what[0], (count, *what[1]), fill=st.nothing() if count < 3 else None))
                for name, what in channels.items()}
        episodes.append(episode)
    return streams, episodes


@QUIET
@given(datasets(), st.sampled_from(["lz4", "zstd", "gzip", "none"]), st.booleans(), st.integers(0, 3))
@example(({"\u0cbc": {"\u0338": "text"}}, [{"\u0cbc": {"\u0338": ["a"]}}]), "zstd", False, 0)    # a mark after a slash
def test_what_goes_in_comes_out(data, codec, row_by_row, reopenings):
    streams, episodes = data
    schema = {f"{s}/{n}": {"dtype": "text"} if w == "text" else {"dtype": w[0], "shape": w[1]}
              for s, channels in streams.items() for n, w in channels.items()}
    folder = tempfile.mkdtemp()
    try:
        path = os.path.join(folder, "ds")
        writer = trajpack.create(path, rate=30, schema=schema, codec=codec, threads=1)
        for number, episode in enumerate(episodes):
            if number % 5 < reopenings:
                writer.close()
                writer = trajpack.create(path, mode="a", rate=30, schema=schema, codec=codec, threads=1)
            with writer.episode(f"e{number}", metadata={"n": number}) as recording:
                if row_by_row:
                    for stream, channels in episode.items():
                        for i in range(len(next(iter(channels.values())))):
                            recording.append({stream: {n: v[i] for n, v in channels.items()}})
                else:
                    recording.extend(episode)
        writer.close()
        ds = trajpack.open(path)
        assert ds.complete and ds.episodes.ids == [f"e{n}" for n in range(len(episodes))]
        for number, episode in enumerate(episodes):
            found = ds.episode(number)
            assert found.metadata == {"n": number}
            for stream, channels in episode.items():
                for name, rows in channels.items():
                    back = found[stream][name][:]
                    if isinstance(rows, list):
                        assert back == rows
                    else:
                        assert back.dtype == rows.dtype and back.shape == rows.shape
                        same = back.view(np.uint8) == rows.view(np.uint8) if rows.dtype.kind != "f" else (
                            (back == rows) | (np.isnan(back) & np.isnan(rows)))
                        assert same.all()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def writer(tmp_path):
    with trajpack.create(tmp_path / "ds", rate=30, channels={"mode": {"categories": ["a", "b"]}}) as made:
        made.append("a", {"frames": {"x": np.zeros((3, 2), np.float32), "n": [1, 2, 3], "s": ["x", "y", "z"],
                                     "mode": ["a", "b", "a"]}})
        yield made
        assert len(made) == 1
    assert trajpack.open(made.path).episodes.ids == ["a"]


GOOD = {"x": np.zeros((1, 2), np.float32), "n": [1], "s": ["x"], "mode": ["a"]}


@pytest.mark.parametrize(("change", "sentence"), [
    ({"y": [1]}, "has no channel 'y'"),
    ({"xx": [1]}, "has no channel 'xx'; did you mean"),
    ({"npc/x": [1]}, "has no channel 'npc/x'; there is frames/x"),
    ({"x": None}, "rows are an array or a list, not NoneType"),
    ({"x": 1.0}, "rows are an array or a list, not float"),
    ({"x": "text"}, "rows are an array or a list, not str"),
    ({"x": np.float32(1)}, "rows are an array or a list, not one number"),
    ({"x": [[1, 2, 3]]}, r"a row has the shape \(2,\), these have \(3,\)"),
    ({"x": [1.0]}, r"a row has the shape \(2,\), these have one number a row"),
    ({"x": [[1, 2], [3]]}, "rows have different shapes"),
    ({"x": [["a", "b"]]}, "text has one value a row"),
    ({"x": ["a"]}, "the channel is float32, these rows are text"),
    ({"x": [[1e39, 0.0]]}, "1e[+]39 of float64 is no such number"),
    ({"x": [[1 + 2j, 0]]}, "no dtype complex128; split it"),
    ({"x": [[None, 1]]}, "Python objects such as NoneType"),
    ({"x": [[1, 2], [3, 4]]}, "'x' has 2 rows and 'n' has 1"),
    ({"x": np.zeros((1, 2), "M8[s]")}, "no dtype datetime64.*time="),
    ({"n": [1.0]}, "the channel is int64, these rows are float64"),
    ({"n": [2**63]}, "is no such number|the channel is int64"),
    ({"n": [10**30]}, "Python objects"),
    ({"n": np.array([True])}, "the channel is int64, these rows are bool"),
    ({"n": np.ma.masked_array([1], [True])}, "not declared for; declare it with missing=True"),
    ({"s": [1]}, "the channel is text, these rows are numbers"),
    ({"s": [b"x"]}, "None and bytes are no values"),
    ({"s": [None]}, "None and bytes are no values"),
    ({"s": ["\ud800"]}, "no Unicode"),
    ({"mode": ["c"]}, "'c' is no category"),
    ({"mode": [-1]}, "-1 is no category"),
    ({"x": object()}, "rows are an array or a list, not object"),
])
def test_rows_that_do_not_fit(writer, change, sentence):
    with pytest.raises(trajpack.TrajpackError, match=sentence):
        writer.append("b", {**GOOD, **change})


def test_rows_that_lack_a_channel(writer):
    with pytest.raises(trajpack.UsageError, match="channel 's' is lacking; all channels of a stream come together"):
        writer.append("b", {k: v for k, v in GOOD.items() if k != "s"})
    with pytest.raises(trajpack.UsageError, match="no channel was given"):
        writer.append("b")
    with pytest.raises(trajpack.UsageError, match="rows are given by name"):
        writer.append("b", np.zeros(3))
    with pytest.raises(trajpack.UsageError, match="has no rows"):
        writer.append("b", {k: v[:0] for k, v in GOOD.items()})
    with pytest.raises(trajpack.UsageError, match="no stream 'frame'; did you mean 'frames'"):
        writer.append("b", {"frame": GOOD})


@pytest.mark.parametrize("id", ["", "a\nb", "\0", "x" * 201, "\x7f"])
def test_ids_that_cannot_be(writer, id):
    with pytest.raises(trajpack.UsageError):
        writer.append(id, GOOD)
    with pytest.raises(trajpack.UsageError, match="'a' already"):
        writer.episode("a")
    with pytest.raises(trajpack.UsageError, match="an episode's id is a text, not int"):
        writer.episode(3)


def test_metadata_that_cannot_be(writer):
    deep: dict = {}
    for _ in range(100):
        deep = {"a": deep}
    for metadata in ({"a": float("nan")}, {"a": object()}, deep, {"a": {1: "\ud800"}}):
        with pytest.raises(trajpack.TrajpackError):
            writer.append("b", GOOD, metadata=metadata)
    with pytest.raises(trajpack.UsageError, match="split"):
        writer.append("b", GOOD, split="a\nb")


def test_a_recording_that_failed_can_only_be_abandoned(writer):
    with pytest.raises(trajpack.DataError), writer.episode("b") as episode:
        episode.append({k: v[0] for k, v in GOOD.items()})
        try:
            episode.extend({**GOOD, "mode": ["nope"]})
        except trajpack.DataError:
            with pytest.raises(trajpack.UsageError, match="can only be abandoned"):
                episode.commit()
            raise


@pytest.mark.parametrize(("options", "sentence"), [
    ({"mode": "w"}, "mode is 'w'"), ({"rate": 0}, "must be above 0"), ({"rate": "fast"}, "must be a number"),
    ({"rate": float("nan")}, "must be a number"), ({"codec": "lzma"}, "must be 'none', 'gzip', 'zstd', 'lz4'"), ({"level": 99}, "'level'|levels"),
    ({"chunk_rows": 0}, "'chunk_rows'"), ({"threads": 0}, "'threads'"), ({"shard_bytes": 1}, "'shard_bytes'"),
    ({"schema": {"a": {"dtype": "f4"}}, "channels": {}}, "give one"),
    ({"schema": {}}, "no channels"), ({"schema": {"a": {}}}, "has no dtype"),
    ({"schema": {"a": {"dtype": "complex64"}}}, "no dtype complex64"),
    ({"schema": {"a": {"dtype": "float23"}}}, "no dtype; did you mean 'float32'"),
    ({"schema": {"a": {"dtype": "f4", "shape": (0,)}}}, "each at least 1"),
    ({"schema": {"a": {"dtype": "f4", "shape": (10**6, 10**6)}}}, "more than the"),
    ({"schema": {"a": {"dtype": "f4", "shape": (1,) * 9}}}, "at most 8 dimensions"),
    ({"schema": {"a": {"dtype": "f4", "shape": "x"}}}, "a shape is whole numbers"),
    ({"schema": {"a": {"dtype": "f4", "kind": "quaternion"}}}, "cannot be of kind quaternion"),
    ({"schema": {"a": {"dtype": "f4", "kind": "quat"}}}, "no kind 'quat'"),
    ({"schema": {"a": {"dtype": "f4", "kind": "text"}}}, "dtype is bytes"),
    ({"schema": {"a": {"dtype": "f4", "unit": "m"}}}, "no 'unit'; did you mean 'units'"),
    ({"schema": {"a": {"dtype": "f4", "units": 3}}}, "units is a text"),
    ({"schema": {"a": {"dtype": "f4", "categories": ["x"]}}}, "its dtype is an integer"),
    ({"schema": {"a": {"dtype": "u1", "missing": True}}}, "use int32, int64 or a float"),
    ({"schema": {"a//b": {"dtype": "f4"}}}, "cannot be the name of a stream"),
    ({"schema": {"../b": {"dtype": "f4"}}}, "cannot be the name of a stream"),
    ({"schema": {"a/b\0": {"dtype": "f4"}}}, "cannot be the name of a channel"),
    ({"schema": {"a": 3}}, "must be by a dict"), ({"streams": {"a": {"rat": 3}}}, "did you mean 'rate'"),
    ({"schema": {"a": {"dtype": "f4"}}, "streams": {"frame": {"description": "x"}}}, "no stream 'frame' to describe"),
    ({"schema": {"a": {"dtype": "f4"}}, "streams": {"frames": {"skeleton": "x"}}}, "which is not given"),
])
def test_options_that_cannot_be(tmp_path, options, sentence):
    with pytest.raises(trajpack.UsageError, match=sentence):
        trajpack.create(tmp_path / "ds", **{"rate": 30, **options})
    assert not (tmp_path / "ds").exists() or os.listdir(tmp_path / "ds") == []
    trajpack.create(tmp_path / "ds", rate=30).append("a", x=[1])      # the place is free


def test_places_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    for name, sentence in (("file", "is not a folder"), ("full", "is not empty and no dataset"), ("a\0b", "zero byte")):
        for mode in ("x", "a"):
            with pytest.raises(trajpack.UsageError, match=sentence):
                trajpack.create(f"{tmp_path}/{name}", mode=mode)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "x"
    with trajpack.create(tmp_path / "ds", rate=1) as made:
        made.append("a", x=[1])
    with pytest.raises(trajpack.UsageError, match="holds a dataset already"):
        trajpack.create(tmp_path / "ds")
    with pytest.raises(trajpack.UsageError, match=r"has no channel 'frames/y'|int64 \[\] there and float32"):
        trajpack.create(tmp_path / "ds", mode="a", rate=1, schema={"x": {"dtype": "f4"}})
    with pytest.raises(trajpack.TrajpackError, match="/proc/nowhere"):
        trajpack.create("/proc/nowhere/ds")


def test_damage_is_named_when_shards_are_joined(tmp_path):
    path = tmp_path / "ds"
    writer = trajpack.create(path, rate=30)
    for n in range(10):
        writer.append(f"e{n}", x=np.random.default_rng(n).normal(size=(100, 3)))
    shard = sorted(path.glob("shard-*.h5"))[3]
    offset = int(read_archive.Shard(str(shard)).chunks[0][0])
    with open(shard, "r+b") as file:
        file.seek(offset + 100)
        file.write(b"damage")
    with pytest.raises(trajpack.DataError, match=r"all episodes are safe.*shard-000003.h5.*is damaged"):
        writer.close()
    ds = trajpack.open(path)
    assert ds.complete and len(ds) == 10
    assert (ds.episode("e9")["frames/x"][:] == np.random.default_rng(9).normal(size=(100, 3))).all()


def test_a_stream_whose_name_is_the_path_of_another_ones_channel(tmp_path):
    """Stream ``a`` with a wide channel ``b``, and stream ``a/b``: both are dataset and group names in HDF5."""
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(40, 64)).astype("f4"), rng.normal(size=40).astype("f4")
    with trajpack.create(tmp_path / "ds", rate=10, schema={
            "a/b": {"dtype": "f4", "shape": (64,)}, "a/b/c": {"dtype": "f4"}}) as writer:
        writer.append("e", {"a/b": wide, "a/b/c": narrow})
    episode = trajpack.open(tmp_path / "ds").episode("e")
    assert np.array_equal(episode["a"]["b"][:], wide) and np.array_equal(episode["a/b"]["c"][:], narrow)


@pytest.mark.parametrize("hint, said", [
    ({"kind": "angl"}, "no kind 'angl'; did you mean 'angle'"), ({"dtype": "float23"}, "'float23' is no dtype"),
    ({"missing": "yes"}, "missing is True or False"), ({"units": 5}, "units is a text"), ({"shape": "x"}, "a shape is"),
    ({"conventions": 3}, "conventions are a dict")])
def test_descriptions_that_cannot_be_are_refused_before_anything_is_recorded(hint: dict[str, Any], said: str,
                                                                             tmp_path: Path) -> None:
    with pytest.raises(trajpack.UsageError, match=said):
        trajpack.create(tmp_path / "ds", rate=10, channels={"x": hint})
    assert not (tmp_path / "ds").exists()
