"""The package itself: its declarations, its imports, its data sets, its sentences."""
from __future__ import annotations

import ctypes
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import worlds
from places import ROOT, program, surroundings

import trajpack
from trajpack import _bindings, _ffi

HEADER = ROOT / "Sources" / "CTrajpack" / "include" / "trajpack.h"
SOURCE = ROOT / "tools" / "python" / "src"


def functions() -> dict[str, str]:
    """Every function that the header declares, and its parameters."""
    text = re.sub(r"//[^\n]*", "", HEADER.read_text())
    return {name: " ".join(parameters.split())
            for name, parameters in re.findall(r"\b(tp_\w+)\s*\(([^)]*)\)\s*;", text)}


def test_every_function_of_the_header_is_declared() -> None:
    declared = functions()
    assert declared.keys() == _bindings.TRAJPACK.keys()
    for name, parameters in declared.items():
        count = 0 if parameters in ("", "void") else parameters.count(",") + 1
        assert len(_bindings.TRAJPACK[name][1]) == count, name


def test_the_interface_is_that_of_the_header() -> None:
    assert int(re.search(r"#define TP_ABI (\d+)", HEADER.read_text())[1]) == _bindings.TP_ABI == _ffi.library().tp_abi()
    assert re.fullmatch(r"\d+\.\d+\.\d+", trajpack.version())


def test_structures_lie_as_the_c_compiler_lays_them(tmp_path: Path) -> None:
    """Size and offsets of every structure of the headers, which gcc knows without generate_bindings.py."""
    structures = [one for one in vars(_bindings).values()
                  if isinstance(one, type) and issubclass(one, ctypes.Structure) and one is not ctypes.Structure]
    assert len(structures) > 8
    lines = [f'#include "{header.name}"' for header in sorted(HEADER.parent.glob("trajpack*.h"))]
    lines += ["#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for one in structures:
        lines.append(f'  printf("%zu", sizeof({one.__doc__}));')
        lines += [f'  printf(" %zu", offsetof({one.__doc__}, {field[0]}));' for field in one._fields_]
        lines.append('  puts("");')
    (tmp_path / "lay.c").write_text("\n".join([*lines, "}", ""]))
    subprocess.run(["cc", "-I", HEADER.parent, "-o", tmp_path / "lay", tmp_path / "lay.c"], check=True)
    laid = subprocess.run([tmp_path / "lay"], check=True, capture_output=True, text=True).stdout.splitlines()
    for one, line in zip(structures, laid, strict=True):
        offsets = [getattr(one, field[0]).offset for field in one._fields_]
        assert [ctypes.sizeof(one), *offsets] == [int(n) for n in line.split()], one.__doc__


def test_the_bindings_are_what_the_headers_say() -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "python" / "generate_bindings.py", "--check"], check=True)


def test_importing_imports_nothing_else() -> None:
    code = ("import sys, json; before = set(sys.modules); import trajpack; "
            "print(json.dumps(sorted(set(sys.modules) - before)))")
    out = subprocess.run([sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(SOURCE)}, capture_output=True,
                         text=True, check=True)
    modules = json.loads(out.stdout)
    assert not {m.split(".")[0] for m in modules} & {"numpy", "pandas", "torch", "jax", "pyarrow", "xarray", "ctypes"}
    assert len(modules) < 40


def test_opening_imports_numpy_and_no_framework(wildworld: str) -> None:
    code = (f"import sys, trajpack; ds = trajpack.open({wildworld!r}); next(iter(ds.windows(length=4))); "
            "print(sorted({m.split('.')[0] for m in sys.modules} & {'pandas', 'torch', 'jax', 'pyarrow', 'xarray'}))")
    out = subprocess.run([sys.executable, "-c", code], env=surroundings(), capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# Values.

@pytest.mark.parametrize("which", ["wildworld", "specimen"])
def test_values_equal_h5py(request: pytest.FixtureRequest, which: str) -> None:
    folder = request.getfixturevalue(which)
    read_archive = pytest.importorskip("read_archive")
    dataset = trajpack.open(folder)
    compared = base = 0
    for path in read_archive.open_dataset(folder)[0]:
        shard = read_archive.Shard(path)
        for row in shard.episodes.tolist():
            episode = dataset.episode(shard.string(row[0], row[1]))
            for number in range(row[5], row[5] + row[6]):
                track = shard.tracks[number]
                stream = shard.schema["streams"][track[1]]
                found = episode[stream["name"]]
                tables = found if isinstance(found, trajpack.Entities) else [found]
                table = next(t for t in tables if any(x.number == base + number for x in t.tracks))
                assert len(table.tracks) == 1 or track[2] >= 0
                first = sum(x.rows for x in table.tracks if x.number < base + number)
                count = int(track[5])
                for channel in stream["channels"]:
                    column = table[channel["name"]]
                    compared += 1
                    if channel["type"] == "bytes":
                        want = shard.strings(stream, channel, track)
                        if channel["kind"] == "text":
                            want = [None if w is None else w.decode("utf-8", "replace") for w in want]
                        assert column[first:first + count] == want
                        continue
                    values, seen = shard.numbers(channel, int(track[4]), count)
                    np.testing.assert_array_equal(column[first:first + count], values.astype(column.dtype))
                    np.testing.assert_array_equal(column.observed(slice(first, first + count)), seen)
                _, time = shard.times(track)
                want = [float(time(i)) for i in range(count)]
                np.testing.assert_array_equal(table.times[first:first + count], want)
        base += len(shard.tracks)
    assert compared > 150


def test_values_equal_the_source_files(wildworld: str) -> None:
    import pandas
    dataset = trajpack.open(wildworld)
    folder = ROOT / "fixtures" / "wildworld" / "data_part1"
    for id in ("000001", "000003"):
        source = pandas.read_csv(folder / id / "state.csv")
        skeleton = np.load(folder / id / "skeleton.npz", allow_pickle=False)
        episode = dataset.episode(id)
        hero = episode["npc"]["npc", 0]
        np.testing.assert_array_equal(hero["hp"][:], source["npc.list.0.hp"])
        np.testing.assert_array_equal(hero["crit_atk_rate"][:], source["npc.list.0.crit_atk_rate"])
        assert len(skeleton.files) > 0 and len(episode["state"]) == len(source)
    beast = trajpack.open(wildworld).episode("000002")["monster"][0]
    assert [t.rows for t in beast.tracks] == [66, 54]


def test_columns_are_indexed_as_numpy_is(random_archive: str) -> None:
    archive = worlds.archive(5, streams=4, episodes=12, most=120)
    dataset = trajpack.open(random_archive)
    rng = np.random.default_rng(1)
    compared = 0
    for number, truth in enumerate(archive.episodes):
        for stream in archive.streams:
            tracks = [t for t in truth.tracks if t.stream == stream.name and t.entity is None]
            if not tracks:
                continue
            table = dataset.episode(number)[stream.name]
            if isinstance(table, trajpack.Entities):
                continue
            for channel in stream.channels:
                whole = np.concatenate([channel.values(t.data[channel.name]) for t in tracks])
                column = table[channel.name]
                rows = len(whole)
                assert column.shape == whole.shape
                assert column.dtype == whole.dtype
                indices = [slice(None), slice(3, -2), slice(None, None, -1), slice(-5, None, 2), Ellipsis, [],
                           np.zeros(rows, bool), rng.random(rows) < 0.5]
                if rows:
                    indices += [0, -1, rng.integers(-rows, rows, 5), (slice(None),) + (0,) * len(channel.shape)]
                for index in indices:
                    want = whole[np.array(index, int) if isinstance(index, list) else index]
                    np.testing.assert_array_equal(column[index], want)
                    compared += 1
                np.testing.assert_array_equal(np.asarray(column), whole)
                with pytest.raises(IndexError):
                    column[rows]
    assert compared > 300


def test_tables_keep_every_value(random_archive: str) -> None:
    dataset = trajpack.open(random_archive)
    pandas = pytest.importorskip("pandas")
    for episode in dataset.episodes[:4]:
        for name, frame in episode.to_pandas().items():
            tables = episode[name] if isinstance(episode[name], trajpack.Entities) else [episode[name]]
            assert len(frame) == sum(map(len, tables))
            for channel in dataset.streams[name].channels.values():
                if channel.shape or channel.categories:
                    continue
                values = np.concatenate([t[channel.name][:] for t in tables])
                seen = np.concatenate([t[channel.name].observed() for t in tables])
                column = frame[channel.name]
                np.testing.assert_array_equal(column.isna().to_numpy(), ~seen)
                kept = column[seen.tolist()].to_numpy(dtype=values.dtype)
                np.testing.assert_array_equal(kept, values[seen])
    assert isinstance(dataset.episodes.to_pandas(), pandas.DataFrame)


def test_arrow_and_xarray(random_archive: str) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("xarray")
    dataset = trajpack.open(random_archive)
    episode = dataset.episode(0)
    for name, table in episode.to_arrow().items():
        tables = episode[name] if isinstance(episode[name], trajpack.Entities) else [episode[name]]
        assert table.num_rows == sum(map(len, tables))
        for channel in dataset.streams[name].channels.values():
            if channel.missing != "never" and not channel.shape:
                seen = np.concatenate([t[channel.name].observed() for t in tables])
                assert table[channel.name].null_count == int((~seen).sum())
    tree = dataset.to_xarray(0)
    one = dataset.to_xarray(0, "s0")
    for channel in dataset.streams["s0"].channels.values():
        np.testing.assert_array_equal(one[channel.name].values, episode["s0"][channel.name][:])
        np.testing.assert_array_equal(tree["s0"][channel.name].values, episode["s0"][channel.name][:])


# What it says.

def test_a_dataset_tells(wildworld: str) -> None:
    dataset = trajpack.open(wildworld)
    text = repr(dataset)
    assert "3 episodes" in text and "camera: 390 rows, 30 a s" in text
    page = dataset._repr_html_()
    assert page.count("<tr>") == 1 + sum(len(s.channels) for s in dataset.streams.values())
    assert dataset.episodes.ids == ["000001", "000002", "000003"]
    assert len(dataset) == 3 and dataset.complete and dataset.shards == ["shard-000000.h5"]
    assert dataset.streams["camera"]["rot"].conventions["order"] == "xyzw"
    assert "npc/hp" in dataset.statistics[""] and len(dataset.skeletons["npc"]) == 20
    assert "npc.0 150 rows" in repr(dataset.episode("000002"))


SENTENCES = [
    (lambda d: d.episode("00002"), "000002"),
    (lambda d: d.episode(17), "17"),
    (lambda d: d.episode(0)["camra"], "did you mean 'camera'"),
    (lambda d: d.episode(0)["camera/poss"], "did you mean 'pos'"),
    (lambda d: d.episode("000002")["npc/hp"], "2 entities"),
    (lambda d: d.episode("000003")["monster"], "no rows of stream 'monster'"),
    (lambda d: d.streams["stat"], "did you mean 'state'"),
    (lambda d: d.windows(channels=["camra/pos"]), "did you mean 'camera/pos'"),
    (lambda d: d.windows(length=10_000), "10000 rows"),
    (lambda d: d.windows(length=3, duration=1.0), "'duration'"),
    (lambda d: d.windows(edge="wrap"), "'edge'"),
    (lambda d: d.windows(entities={"state": 2}), "stream 'state' has no entities: its rows are the episode's own; leave it "
     "out, or name one that has some: 'npc', 'monster', 'skeleton/em_37', "),
    (lambda d: d.windows(entities={"npcs": 2}), "no selected stream matches 'npcs'; did you mean 'npc'"),
    (lambda d: d.windows(episodes=["nobody"]), "there is no episode 'nobody'"),
    (lambda d: d.windows(split="train"), "train"),
    (lambda d: d.windows(rank=3, world_size=2), "'rank'"),
    (lambda d: d.windows(rank=3), "'world_size'"),
    (lambda d: d.windows(normalize_split="x", normalize="standard"), "normalize_split"),
    (lambda d: d.windows(fill=float("nan")), "must be a finite number"),
    (lambda d: d.windows(offsets={"camera": 3}), "offsets"),
    (lambda d: d.windows(length=4).read([10 ** 9]), "1000000000"),
    (lambda d: d.windows(length=4).read([-1]), "-1"),
    (lambda d: d.windows(length=4).load_state_dict({"epoch": 1}), "'version'"),
    (lambda d: next(iter(d.windows(length=4))).valid("camera/poss"), "did you mean 'camera/pos'"),
    (lambda d: trajpack.mixture([d, d], weights=[1.0]), "weights"),
    (lambda d: trajpack.mixture([]), "dataset"),
]


@pytest.mark.parametrize("number", range(len(SENTENCES)))
def test_what_cannot_be_is_said_in_a_sentence(wildworld: str, number: int) -> None:
    what, part = SENTENCES[number]
    with pytest.raises(trajpack.UsageError) as caught:
        what(trajpack.open(wildworld))
    assert part in str(caught.value)
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


def test_files_that_are_not_there_or_damaged(tmp_path: Path, random_archive: str) -> None:
    with pytest.raises(trajpack.TrajpackError, match=r"nothing.*does not exist"):
        trajpack.open(tmp_path / "nothing")
    data = bytearray(Path(random_archive).read_bytes())
    data[100] ^= 1
    (tmp_path / "bad.h5").write_bytes(data)
    with pytest.raises(trajpack.DataError):
        trajpack.open(tmp_path / "bad.h5")
    with pytest.raises(trajpack.UsageError):
        trajpack.open("a\0b")


def test_a_key_that_is_not_there(wildworld: str) -> None:
    batch = next(iter(trajpack.open(wildworld).windows(length=4)))
    with pytest.raises(KeyError, match="camera/pos"):
        batch["camera/poss"]


def test_pickle(wildworld: str) -> None:
    dataset = pickle.loads(pickle.dumps(trajpack.open(wildworld)))
    assert dataset.episodes.ids == ["000001", "000002", "000003"]
    loader = dataset.windows(length=4, batch=8)
    for _ in range(3):
        loader.next()
    again = pickle.loads(pickle.dumps(loader))
    rest = list(again)
    for b in rest:
        one = loader.next()
        np.testing.assert_array_equal(one.windows, b.windows)
    assert len(rest) == len(loader) - 3
    copy = pickle.loads(pickle.dumps(one))
    assert all(np.array_equal(one[n], copy[n], equal_nan=one[n].dtype.kind == "f") for n in one)


def test_packets_of_a_linked_video_lie_elsewhere(tmp_path: Path) -> None:
    """What is not in the archive is not called damage."""
    source = ROOT / "fixtures" / "wildworld" / "data_part1" / "000001"
    subprocess.run([program(), "convert", source, tmp_path / "linked", "--video", "link", "--quiet"], check=True)
    rgb = trajpack.open(tmp_path / "linked").episode(0)["rgb"]
    with pytest.raises(trajpack.UsageError, match="the video is linked"):
        rgb["packet"][:1]
