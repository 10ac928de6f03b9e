"""Tables of Parquet and Arrow files as pyarrow, pandas and polars write them, random by a seed."""
import json
import subprocess

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from foreign_world import array, converted, payloads, run, same

KINDS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]


def table(random, rows, *, floats16=False):
    """Columns, and what each is as an array; nulls are None in the first."""
    columns, truth = {}, {}
    for number, kind in enumerate(KINDS + (["float16"] if floats16 else [])):
        name = f"c{number}"
        if kind == "float16":
            values = random.normal(size=rows).astype("f2")
            columns[name], truth[name] = pa.array(values), values.astype("f4")
            continue
        shape = [(), (), (3,), (2, 4)][random.integers(4)]
        values = array(random, (rows, *shape), kind)
        own = pa.array(values.reshape(-1))
        for length in reversed(shape):
            if random.integers(2):
                own = pa.FixedSizeListArray.from_arrays(own, length)
            else:
                own = pa.ListArray.from_arrays(np.arange(0, len(own) + 1, length, dtype="i4"), own)
        columns[name], truth[name] = own, values
    # Values that are absent.
    gaps = random.random(rows) < 0.2
    gaps[0] = True
    values = random.normal(size=rows)
    columns["gaps"], truth["gaps"] = pa.array(values, mask=gaps), np.where(gaps, np.nan, values)
    whole = random.integers(-100, 100, rows).astype("i2")
    columns["holes"] = pa.array(whole, mask=gaps)
    truth["holes"] = np.where(gaps, np.iinfo("i4").min, whole.astype("i4"))
    return columns, truth


def texts_of(random, rows):
    return [None if random.random() < 0.2 else "ä" * int(random.integers(0, 30)) for _ in range(rows)]


def check(own, truth, words=None):
    for name, values in truth.items():
        found = [own[key] for key in own if key.split("/")[-1] == name]
        same(found[0], values)
    if words is not None:
        assert payloads(own, "steps/words") == [(w or "").encode() for w in words]


@pytest.mark.parametrize("seed", range(6))
def test_parquet(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(2, 300))
    columns, truth = table(random, rows)
    words = texts_of(random, rows)
    time = np.cumsum(random.random(rows) + 0.01)
    made = pa.table({"timestamp": time, **columns, "words": pa.array(words, pa.string()),
                     "nested": pa.StructArray.from_arrays([pa.array(time * 2)], ["x"])})
    pq.write_table(made, tmp_path / "a.parquet", compression=["NONE", "snappy", "zstd", "gzip"][seed % 4],
                   data_page_version=["1.0", "2.0"][seed % 2], row_group_size=int(random.integers(1, rows + 1)))
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.parquet")
    assert outcome["reading"][0]["type"] == "parquet"
    check(episodes["a"], truth | {"x": time * 2}, words)
    same(episodes["a"]["steps/time"], time)


@pytest.mark.parametrize("seed", range(8))
def test_arrow(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(2, 300))
    columns, truth = table(random, rows, floats16=True)
    words = texts_of(random, rows)
    stamps = np.cumsum(random.integers(1, 1000, rows))
    made = pa.table({"timestamp": pa.array(stamps, pa.timestamp("us")), **columns,
                     "words": [pa.array(words, pa.string()), pa.array(words, pa.large_string()),
                               pa.array(words, pa.string()).dictionary_encode(), pa.array(words, pa.string_view())][seed % 4]})
    codec = [None, "lz4", "zstd"][seed % 3]
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with (pa.ipc.new_file if seed % 2 else pa.ipc.new_stream)(tmp_path / "a.arrow", made.schema, options=options) as writer:
        writer.write_table(made, max_chunksize=int(random.integers(1, rows + 1)))
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.arrow")
    assert outcome["reading"][0]["type"] == "arrow"
    check(episodes["a"], truth, words)
    np.testing.assert_allclose(stamps / 1e6, episodes["a"]["steps/time"] * (1 if episodes["a"]["steps/time"].dtype.kind == "f" else 1e-6))


def test_feather(trajpack, tmp_path):
    frame = pd.DataFrame({"t": np.arange(5) / 4, "x": np.arange(5.0), "label": pd.Categorical(list("abcab"))})
    pyarrow.feather.write_feather(frame, tmp_path / "a.feather")
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.feather")
    same(episodes["a"]["steps/x"], np.arange(5.0))
    assert payloads(episodes["a"], "steps/label") == [b"a", b"b", b"c", b"a", b"b"]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_episodes_of_a_column(trajpack, tmp_path, ending):
    frame = pd.DataFrame({"episode_index": [3, 3, 7, 7, 7], "timestamp": [0.0, 0.5, 0.0, 0.1, 0.4], "x": np.arange(5.0)})
    path = tmp_path / f"a.{ending}"
    write = frame.to_parquet if ending == "parquet" else lambda p: pyarrow.feather.write_feather(frame, str(p))
    write(path)
    _, episodes, _ = converted(trajpack, tmp_path, path, "--episode-column", "episode_index")
    same(episodes["a/3"]["steps/time"], [0.0, 0.5])
    same(episodes["a/7"]["steps/x"], [2.0, 3, 4])
    said = run(trajpack, "convert", path, tmp_path / "whole", "-q", "--json")
    assert "--episode-column 'episode_index'" in said and "does not rise" in said
    frame["episode_index"] = [1, 2, 1, 1, 1]
    write(path)
    said = run(trajpack, "convert", path, tmp_path / "o", "-q", "--episode-column", "episode_index", fails=True)
    assert "row 2" in said and len(said.splitlines()) == 1
    said = run(trajpack, "convert", path, tmp_path / "o", "-q", "--delimiter", ";", fails=True)
    assert "--delimiter" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("ending", ["parquet", "arrow", "dictionary.arrow", "view.arrow"])
def test_lists_of_texts(trajpack, tmp_path, ending):
    """Each list is JSON; an absent list is told from an empty one, an absent text from an empty one."""
    random = np.random.default_rng(11)
    words = [None if random.random() < 0.2 else [
        None if random.random() < 0.2 else ["", "kurz", "ä\n\"b\"", "ein Wort, das länger ist als zwölf Bytes"][random.integers(4)]
        for _ in range(random.integers(0, 5))] for _ in range(300)]
    kind = {"dictionary.arrow": pa.dictionary(pa.int8(), pa.string()), "view.arrow": pa.string_view()}.get(ending, pa.string())
    made = pa.table({"x": np.arange(300.0), "words": pa.array(words, pa.list_(pa.string())).cast(pa.list_(kind))
                     if kind != pa.dictionary(pa.int8(), pa.string()) else
                     pa.ListArray.from_arrays(*dictionary_lists(words)), "raw": pa.array([[b"a"]] * 300)})
    path = tmp_path / f"a.{ending.split('.')[-1]}"
    if ending == "parquet":
        pq.write_table(made, path, row_group_size=77, data_page_size=100)
    else:
        with pa.ipc.new_file(path, made.schema) as writer:
            writer.write_table(made, max_chunksize=77)
    outcome, episodes, _ = converted(trajpack, tmp_path, path)
    assert {left["file"].split(":/")[-1]: left["why"] for left in outcome["left_out"]["files"]} == {
        "raw": "holds lists of bytes, which is no channel"}
    found = [json.loads(b) if b else None for b in payloads(episodes["a"], "steps/words")]
    assert found == words


def dictionary_lists(words):
    """Offsets, absent lists among them, and the texts as a dictionary."""
    flat, offsets = [], []
    for row in words:
        offsets.append(None if row is None else len(flat))
        flat += row or []
    return pa.array([*offsets, len(flat)], pa.int32()), pa.array(flat, pa.string()).dictionary_encode()


def test_ragged_lists_with_absent_rows(trajpack, tmp_path):
    """Their bytes are those of the type of the file, also where an absent row would make a wider type of whole numbers."""
    lists = [[1], None, [2, 3], [], [100, -100, 4]]
    kinds = {"int8": pa.int8(), "int16": pa.int16(), "int64": pa.int64(), "float32": pa.float32()}
    pq.write_table(pa.table({name: pa.array(lists, pa.list_(kind)) for name, kind in kinds.items()}), tmp_path / "a.parquet")
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.parquet")
    schema = episodes["a"]["schema"].tobytes().decode()
    for name in kinds:
        found = [np.frombuffer(b, name).tolist() for b in payloads(episodes["a"], f"{name}/{name}")]
        assert found == [row or [] for row in lists], name
        assert f'"elements":"{name}"' in schema.replace(" ", ""), schema


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize("seed", range(12))
def test_spoilt_tables_are_one_sentence(trajpack, tmp_path, seed, ending):
    random = np.random.default_rng(seed)
    columns, _ = table(random, 50)
    made = pa.table(columns | {"words": pa.array(texts_of(random, 50))})
    path = tmp_path / f"x.{ending}"
    if ending == "parquet":
        pq.write_table(made, path)
    else:
        pyarrow.feather.write_feather(made, path, compression=["lz4", "uncompressed"][seed // 6])
    raw = bytearray(path.read_bytes())
    if seed % 3 == 0:
        raw = raw[:int(random.integers(12, len(raw) - 1))]
    else:
        for _ in range(4):
            raw[random.integers(len(raw))] ^= 1 << random.integers(8)
    path.write_bytes(raw)
    done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1) and len(done.stderr.splitlines()) == done.returncode, (done.returncode, done.stderr)
    assert seed % 3 or done.returncode == 1


def test_minari_in_arrow_storage(trajpack, tmp_path):
    """A row more than steps; actions and rewards lose it, observations keep it."""
    random = np.random.default_rng(0)
    folder = tmp_path / "minari" / "data"
    truth = {}
    for number, steps in enumerate([4, 7]):
        rows = steps + 1
        state, act = random.normal(size=(rows, 3)).astype("f4"), random.normal(size=(rows, 2)).astype("f4")
        arrays = [pa.StructArray.from_arrays([pa.FixedSizeListArray.from_arrays(pa.array(state.reshape(-1)), 3),
                                              pa.array([f"go {i}" for i in range(rows)])], ["state", "mission"]),
                  pa.FixedSizeListArray.from_arrays(pa.array(act.reshape(-1)), 2), pa.array(np.arange(rows) / 2)]
        made = pa.table(arrays, names=["observations", "actions", "rewards"])
        own = folder / str(number)
        own.mkdir(parents=True)
        with pa.ipc.new_file(own / "part-0.arrow", made.schema) as writer:
            writer.write_table(made)
        (own / "metadata.json").write_text(f'{{"id": {number}, "total_steps": {steps}, "seed": {40 + number}}}')
        truth[f"episode_{number}"] = (state, act[:steps], steps)
    (folder / "metadata.json").write_text('{"data_format": "arrow", "total_episodes": 2}')
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "minari")
    assert outcome["reading"][0]["type"] == "minari"
    for name, (state, act, steps) in truth.items():
        same(episodes[name]["observations/state"], state)
        same(episodes[name]["steps/actions"], act)
        same(episodes[name]["steps/rewards"], np.arange(steps) / 2)
        assert len(payloads(episodes[name], "observations/mission")) == steps + 1
        assert values[name]["seed"] == 40 + int(name[-1])
    path = folder / "0" / "metadata.json"
    path.write_text(path.read_text().replace("4,", "9,"))
    assert "10" in run(trajpack, "convert", tmp_path / "minari", tmp_path / "o", "-q", fails=True)


@pytest.mark.parametrize("form", ["parquet", "arrow", "polars.parquet", "polars.arrow"])
def test_lists_of_any_length(trajpack, tmp_path, form):
    """Lists of numbers whose lengths differ are their bytes; an absent list is told from an empty one."""
    pl = pytest.importorskip("polars")
    random = np.random.default_rng(8)
    rows = 300
    types = {"f8": pa.float64(), "f4": pa.float32(), "i4": pa.int32(), "i2": pa.int16(), "u1": pa.uint8(),
             "u8": pa.uint64()}
    truth = {name: [None if random.random() < 0.1 else random.integers(0, 100, random.integers(0, 6)).tolist()
                    for _ in range(rows)] for name in types}
    table = pa.table({"time": np.arange(rows) / 10,
                      **{name: pa.array(truth[name], pa.list_(kind)) for name, kind in types.items()}})
    path = tmp_path / f"a.{form.split('.')[-1]}"
    if form.startswith("polars"):
        frame = pl.from_arrow(table)
        frame.write_parquet(path) if form.endswith("parquet") else frame.write_ipc(path)
    elif form == "parquet":
        pq.write_table(table, path, row_group_size=77)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=77)
    _, arrays, _ = converted(trajpack, tmp_path, path)
    [episode] = arrays.values()
    for name, kind in types.items():
        key = next(k for k in episode if k.endswith(f"{name}.offsets"))[: -len(".offsets")]
        found = [np.frombuffer(b, kind.to_pandas_dtype()).tolist() for b in payloads(episode, key)]
        assert found == [row or [] for row in truth[name]], name


@pytest.mark.parametrize("how", ["stream", "file"])
def test_categories_of_polars(trajpack, tmp_path, how):
    """Categorical and Enum are dictionaries of texts that are views."""
    pl = pytest.importorskip("polars")
    words = [None if k % 7 == 0 else ["kurz", "ein Wort, das länger ist als zwölf Bytes", "drei"][k % 3] for k in range(60)]
    frame = pl.DataFrame({"time": np.arange(60) / 10, "cat": pl.Series(words, dtype=pl.Categorical),
                          "en": pl.Series(words, dtype=pl.Enum(sorted({w for w in words if w})))})
    path = tmp_path / "a.arrow"
    frame.write_ipc_stream(path) if how == "stream" else frame.write_ipc(path)
    outcome, arrays, _ = converted(trajpack, tmp_path, path)
    assert "left_out" not in outcome
    [episode] = arrays.values()
    for name in ("cat", "en"):
        key = next(k for k in episode if k.split("/")[-1].split(".")[0] == name)[:].split(".")[0]
        found = payloads(episode, key)
        assert [b.decode() for b in found] == [w or "" for w in words]


ENCODINGS = {
    "DELTA_BINARY_PACKED": {"use_dictionary": False, "column_encoding": {"i": "DELTA_BINARY_PACKED"}},
    "DELTA_LENGTH_BYTE_ARRAY": {"use_dictionary": False, "column_encoding": {"s": "DELTA_LENGTH_BYTE_ARRAY"}},
    "DELTA_BYTE_ARRAY": {"use_dictionary": False, "column_encoding": {"s": "DELTA_BYTE_ARRAY"}},
    "BYTE_STREAM_SPLIT": {"use_dictionary": False, "use_byte_stream_split": ["f"]},
    "BROTLI": {"compression": "brotli"}, "LZ4_RAW": {"compression": "lz4"},
    "": {"data_page_version": "2.0", "write_page_checksum": True, "row_group_size": 7, "data_page_size": 16},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_options_of_writers(trajpack, tmp_path, name):
    """What is not read is refused by its name, with the column and the byte; all else is equal."""
    made = pa.table({"time": np.arange(50) / 10, "i": np.arange(50), "s": [f"a{k % 3}" for k in range(50)],
                     "f": np.arange(50, dtype="f4")})
    pq.write_table(made, tmp_path / "a.parquet", **ENCODINGS[name])
    if not name:
        run(trajpack, "convert", tmp_path / "a.parquet", tmp_path / "ds", "-q")
        run(trajpack, "diff", tmp_path / "ds", tmp_path / "a.parquet", "-q")
        return
    said = run(trajpack, "convert", tmp_path / "a.parquet", tmp_path / "ds", "-q", fails=True)
    assert name in said and "column '" in said and "byte" in said and len(said.splitlines()) == 1


def test_unsigned_numbers_with_nulls_stay_positive(trajpack, tmp_path):
    """pyarrow reads the same; numbers that int64 does not hold are refused, because one of it stands for null."""
    pq.write_table(
        pa.table({"x": [0.0, 1, 2], "u": pa.array([2**32 - 1, None, 2**31], pa.uint32()),
                  "w": pa.array([2**63 - 1, None, 5], pa.uint64())}), tmp_path / "a.parquet")
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.parquet")
    assert episodes["a"]["steps/u"].tolist() == [2**32 - 1, np.iinfo("i8").min, 2**31]
    assert episodes["a"]["steps/w"].tolist() == [2**63 - 1, np.iinfo("i8").min, 5]
    pq.write_table(pa.table({"w": pa.array([2**63 + 5, None], pa.uint64())}), tmp_path / "b.parquet")
    said = run(trajpack, "convert", tmp_path / "b.parquet", tmp_path / "o", "-q", fails=True)
    assert f"{2**63 + 5} does not fit into int64" in said and len(said.splitlines()) == 1


def test_maps_are_named_and_lists_in_structs_are_carried(trajpack, tmp_path):
    made = pa.table({
        "x": [0.0, 1, 2], "m": pa.array([[("a", 1)], [("b", 2), ("c", 3)], None], pa.map_(pa.string(), pa.int32())),
        "k": pa.array([[(1, 10.0)], [(2, 20.0)], [(3, 30.0)]], pa.map_(pa.int32(), pa.float64())),
        "st": [{"a": 1, "b": [1, 2], "c": {"d": [[0.5], [1.5]]}}, {"a": 2, "b": [3, 4], "c": {"d": [[2.5], [3.5]]}},
               {"a": 3, "b": [5, 6], "c": {"d": [[4.5], [5.5]]}}],
        "people": [[{"n": 1}], [{"n": 2}], [{"n": 3}]]})
    pq.write_table(made, tmp_path / "a.parquet")
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.parquet")
    own = episodes["a"]
    same(own["st/b"], np.array([[1, 2], [3, 4], [5, 6]]))
    same(own["st/c/d"], np.array([r["c"]["d"] for r in made["st"].to_pylist()]))
    assert {left["file"].split(":/")[-1] for left in outcome["left_out"]["files"]} == {"m", "k", "people"}


def test_nulls_of_a_dictionary_are_absent_texts(trajpack, tmp_path):
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0, 2], pa.int8()), pa.array(["x", None, "z"]))
    made = pa.table({"x": np.arange(5.0), "w": words})
    with pa.ipc.new_file(tmp_path / "a.arrow", made.schema) as writer:
        writer.write_table(made)
    converted(trajpack, tmp_path, tmp_path / "a.arrow")
    run(trajpack, "export", "--quiet", tmp_path / "ds", tmp_path / "back", "--to", "parquet")
    (path,) = (tmp_path / "back").rglob("*.parquet")
    assert pq.read_table(path)["w"].to_pylist() == made["w"].to_pylist()


def test_types_of_arrow_that_are_not_read_leave_the_others(trajpack, tmp_path):
    rows = {"t": [0.0, 1, 2], "after": [1, 2, 3]}
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, 3]))
    types = pa.array([0, 1, 0], pa.int8())
    union = pa.UnionArray.from_sparse(types, [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])])
    columns = {
        "runs": runs,
        "view": pa.array([[1], [2, 3], None], pa.list_view(pa.int32())),
        "large_view": pa.array([[1], [2, 3], None], pa.large_list_view(pa.int32())),
        "decimal": pa.array([1, 2, 3], pa.decimal128(5)),
        "map": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int32())),
        "sparse": union,
        "dense": pa.UnionArray.from_dense(types, pa.array([0, 0, 1], pa.int32()), [pa.array([1, 3]), pa.array(["b"])]),
        "within": pa.StructArray.from_arrays([pa.array([1, 2, 3]), runs], ["x", "runs"]),
    }
    older = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    columns |= {f"old_{name}": columns[name] for name in ("decimal", "sparse", "dense")}
    for name, column in columns.items():
        path = tmp_path / f"{name}.arrow"
        options = older if name.startswith("old") else None
        schema = pa.schema([("t", "f8"), (name, column.type), ("after", "i8")])
        with pa.ipc.new_file(path, schema, options=options) as file:
            file.write(pa.table({"t": rows["t"], name: column, "after": rows["after"]}))
        outcome, arrays, _ = converted(trajpack, tmp_path / name, path)
        check(arrays[name], {"after": np.array(rows["after"])})
        left = [item for item in outcome["left_out"]["files"] if "which is not read" in item["why"]]
        assert len(left) == 1 and f"/{name}" in left[0]["file"], (name, outcome["left_out"])


def test_whole_numbers_of_128_bits_are_left_out_and_named(trajpack, tmp_path):
    polars = pytest.importorskip("polars")
    path = tmp_path / "p.arrow"
    wide = polars.Series([1, 2, 3], dtype=polars.Int128)
    polars.DataFrame({"t": [0.0, 1, 2], "wide": wide, "after": [1, 2, 3]}).write_ipc(path)
    outcome, arrays, _ = converted(trajpack, tmp_path, path)
    check(arrays["p"], {"after": np.array([1, 2, 3])})
    assert any("int128" in item["why"] for item in outcome["left_out"]["files"])


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_the_number_that_stands_for_nulls_is_refused_with_a_remedy(trajpack, tmp_path, ending):
    own = pa.table({"t": [0.0, 1, 2], "x": pa.array([-(2**31), None, 1], pa.int32())})
    path = tmp_path / f"x.{ending}"
    pa.feather.write_feather(own, path) if ending == "arrow" else pq.write_table(own, path)
    said = run(trajpack, "convert", path, tmp_path / "o", fails=True)
    assert "column 'x'" in said and "-2147483648" in said and "write it as int64" in said
