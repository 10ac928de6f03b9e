"""export --to parquet and arrow, read by pyarrow and polars, and --to tum, read by evo."""
import subprocess

import numpy as np
import pytest

import trajpack as tp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
TYPES = ["float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]


def run(trajpack, *words, code=0):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("seed", range(3))
def test_tables(trajpack, tmp_path, seed, form):
    rng = np.random.default_rng(seed)
    truth = {}
    with tp.create(tmp_path / "ds", streams={"ticks": {"tick": "1/1000"}}, rate={"even": "30000/1001"}) as writer:
        for number in range(3):
            n = int(rng.integers(1, 300))
            even = {}
            for name in TYPES:
                shape = [(), (3,), (2, 2)][int(rng.integers(3))] if number == 0 else truth[0][name].shape[1:]
                raw = rng.integers(0, 2, (n, *shape)) if name == "bool" else rng.integers(0, 100, (n, *shape))
                even[name] = raw.astype(name)
            even["masked"] = np.ma.masked_array(rng.integers(-9, 9, (n, 2)).astype(np.int32), rng.random((n, 2)) < 0.3)
            even["text"] = [f"wörd {k}" for k in rng.integers(0, 4, n)]
            hole = rng.random(n) < 0.2
            even["float64"] = np.where(hole.reshape([-1] + [1] * (even["float64"].ndim - 1)), np.nan, even["float64"])
            times = np.cumsum(rng.integers(1, 50, n))
            with writer.episode(f"e {number}") as episode:
                episode.extend({"even": even})
                episode.extend({"ticks": {"x": np.arange(n)}}, time=times)
            truth[number] = {**even, "times": times}
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", form)
    read = pq.read_table if form == "parquet" else lambda p: pa.ipc.open_file(str(p)).read_all()
    for number in range(3):
        table = read(tmp_path / "out" / f"e {number}" / f"even.{form}")
        table.validate(full=True)
        rows = truth[number]
        assert b"trajpack" in table.schema.metadata
        assert np.allclose(table["time"].to_numpy(), np.arange(table.num_rows) * 1001 / 30000)
        for name in TYPES:
            got = table[name].to_pylist()
            leaf = table.schema.field(name).type
            while hasattr(leaf, "value_type"):
                leaf = leaf.value_type
            assert str(leaf).replace("double", "float64").replace("float", "float32").replace("float3264", "float64") \
                == name or name == "bool"
            if name == "float64":
                got = np.array([[np.nan if v is None else v for v in np.ravel(row)] if rows[name].ndim > 1 else
                                (np.nan if row is None else row) for row in got], float).reshape(rows[name].shape)
                assert np.array_equal(got, rows[name], equal_nan=True)
            else:
                assert np.array_equal(np.array(got), rows[name]), name
        wanted = [[None if m else int(v) for v, m in zip(a, b)] for a, b in
                  zip(rows["masked"].data, np.ma.getmaskarray(rows["masked"]))]
        assert table["masked"].to_pylist() == wanted
        assert table["text"].to_pylist() == rows["text"]
        table = read(tmp_path / "out" / f"e {number}" / f"ticks.{form}")
        assert np.array_equal(table["time_ticks"].to_numpy(), rows["times"])
        assert np.allclose(table["time"].to_numpy(), rows["times"] / 1000)


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_a_channel_called_time(trajpack, tmp_path, form):
    """Where a clock gives the times of rows, it is a column beside theirs, which is said."""
    with tp.create(tmp_path / "ds", rate=10) as writer:
        writer.append("e", {"s": {"time": np.arange(4.0) * 7, "time_": np.arange(4), "x": np.arange(4.0)}})
    done = subprocess.run([trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", form], capture_output=True, text=True)
    assert done.returncode == 0 and "'s/time' is the column 'time__'" in done.stderr, done.stderr
    file = tmp_path / f"out/e/s.{form}"
    if form == "csv":
        table = pytest.importorskip("pyarrow.csv").read_csv(file)
    else:
        table = pq.read_table(file) if form == "parquet" else pa.ipc.open_file(str(file)).read_all()
    assert table.column_names == ["time", "time__", "time_", "x"]
    assert table["time"].to_pylist() == [0, 0.1, 0.2, 0.3] and table["time__"].to_pylist() == [0, 7, 14, 21]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_batches_of_long_texts_are_bounded(trajpack, tmp_path, form):
    """A row group or batch ends at some 16 MiB, also where the bytes lie in texts; a row of more is one by itself."""
    rng = np.random.default_rng(3)
    sizes = [*rng.integers(1, 3 << 20, 30).tolist(), 20 << 20, 5]
    texts = ["".join(chr(97 + k % 26) for k in rng.integers(0, 26, 64)) * (size // 64 + 1) for size in sizes]
    with tp.create(tmp_path / "ds", rate=10) as writer:
        writer.append("e", {"s": {"text": texts, "x": np.arange(len(texts))}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", form)
    path = tmp_path / f"out/e/s.{form}"
    if form == "parquet":
        file = pq.ParquetFile(path)
        groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    else:
        file = pa.ipc.open_file(str(path))
        groups = [pa.table(file.get_batch(i)) for i in range(file.num_record_batches)]
    assert pa.concat_tables(groups)["text"].to_pylist() == texts
    assert len(groups) > 3
    for group in groups:
        assert group.num_rows == 1 or sum(map(len, group["text"].to_pylist())) <= 16 << 20


@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_tum_is_what_evo_reads(trajpack, tmp_path, order):
    file_interface = pytest.importorskip("evo.tools.file_interface")
    rng = np.random.default_rng(7)
    n = 40
    position = rng.normal(size=(n, 3))
    quaternion = rng.normal(size=(n, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    times = np.cumsum(rng.uniform(0.01, 0.2, n))
    with tp.create(tmp_path / "ds", channels={
            "camera/t": {"kind": "position", "units": "m"},
            "camera/q": {"kind": "quaternion", "conventions": {"order": order}}}) as writer:
        writer.append("run", {"camera": {"t": position, "q": quaternion}}, time=times)
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "tum")
    path = file_interface.read_tum_trajectory_file(tmp_path / "out" / "run" / "camera.tum")
    assert np.array_equal(path.timestamps, times) and np.array_equal(path.positions_xyz, position)
    wanted = quaternion if order == "wxyz" else quaternion[:, [3, 0, 1, 2]]
    assert np.array_equal(path.orientations_quat_wxyz, wanted)
    run(trajpack, "convert", tmp_path / "out" / "run" / "camera.tum", tmp_path / "back")
    back = tp.open(tmp_path / "back").episodes[0]
    assert np.array_equal(back["poses/position"][:], position)


def test_tum_needs_poses(trajpack, tmp_path):
    channels = {"p": {"kind": "position"}, "q": {"kind": "quaternion"}}
    with tp.create(tmp_path / "ds", rate=1, channels=channels) as writer:
        writer.append("a", p=np.zeros((2, 3)), q=np.ones((2, 4)))
    assert "does not say its order" in run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "tum", code=1)
    assert not (tmp_path / "out").exists()
    with tp.create(tmp_path / "other", rate=1) as writer:
        writer.append("a", x=np.zeros(3))
    assert "has no stream with a position" in run(
        trajpack, "export", tmp_path / "other", tmp_path / "out", "--to", "tum", code=1)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_tables_come_back(trajpack, tmp_path, form):
    """What was a table is one again, and polars reads it, too."""
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(1)
    table = pa.table({"time": np.arange(20) / 10, "x": rng.normal(size=20),
                      "n": pa.array([None if k % 3 == 0 else k for k in range(20)], pa.int32()),
                      "s": [f"t{k % 3}" for k in range(20)],
                      "v": pa.array(rng.normal(size=(20, 2)).tolist(), pa.list_(pa.float32(), 2))})
    if form == "parquet":
        pq.write_table(table, tmp_path / "a.parquet")
    else:
        with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
            writer.write_table(table)
    run(trajpack, "convert", tmp_path / f"a.{form}", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", form)
    [file] = (tmp_path / "out").rglob(f"*.{form}")
    frame = pl.read_parquet(file) if form == "parquet" else pl.read_ipc(file)
    assert frame["n"].to_list() == table["n"].to_pylist() and frame["s"].to_list() == table["s"].to_pylist()
    np.testing.assert_array_equal(np.array(frame["v"].to_list(), np.float32), np.array(table["v"].to_pylist(), np.float32))
    run(trajpack, "convert", file, tmp_path / "back", "--quiet")
    a, b = (tmp_path / f"{name}.npz" for name in ("ds", "back"))
    run(trajpack, "export", tmp_path / "ds", a, "--to", "npz")
    run(trajpack, "export", tmp_path / "back", b, "--to", "npz")
    [one], [two] = list(a.rglob("episode.npz")), list(b.rglob("episode.npz"))
    one, two = np.load(one), np.load(two)
    flat = lambda arrays: {k.split("/")[-1]: arrays[k] for k in arrays.files if k != "schema"}  # noqa: E731
    one, two = flat(one), flat(two)
    for name in ("x", "v", "n", "time"):
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("packing", ["uncompressed", "lz4", "zstd"])
def test_files_of_polars(trajpack, tmp_path, packing):
    """polars' write_ipc has its schema in the footer alone."""
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"time": np.arange(3000) / 100, "x": rng.normal(size=3000),
                          "n": [None if k % 7 == 0 else k for k in range(3000)],
                          "s": [f"wörd {k % 5}" for k in range(3000)]})
    frame.write_ipc(tmp_path / "a.arrow", compression=packing)
    run(trajpack, "convert", tmp_path / "a.arrow", tmp_path / "ds", "--quiet")
    run(trajpack, "diff", tmp_path / "ds", tmp_path / "a.arrow")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "npz")
    [file] = (tmp_path / "out").rglob("episode.npz")
    arrays = np.load(file)
    [x] = [arrays[k] for k in arrays.files if k.endswith("/x")]
    np.testing.assert_array_equal(x, frame["x"].to_numpy())
    whole = (tmp_path / "a.arrow").read_bytes()
    for end in (20, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.arrow").write_bytes(whole[:end])
        done = subprocess.run([trajpack, "convert", tmp_path / "cut.arrow", tmp_path / "no"], capture_output=True, text=True)
        assert done.returncode in (1, 2) and "cut.arrow" in done.stderr, done.stderr
