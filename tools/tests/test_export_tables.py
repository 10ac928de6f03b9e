"""export --to parquet, read by pyarrow, and --to tum, read by evo."""
import subprocess

import numpy as np
import pytest

import trajpack as tp

pq = pytest.importorskip("pyarrow.parquet")
TYPES = ["float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]


def run(trajpack, *words, code=0):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_parquet(trajpack, tmp_path, seed):
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
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "parquet")
    for number in range(3):
        table = pq.read_table(tmp_path / "out" / f"e {number}" / "even.parquet")
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
        table = pq.read_table(tmp_path / "out" / f"e {number}" / "ticks.parquet")
        assert np.array_equal(table["time_ticks"].to_numpy(), rows["times"])
        assert np.allclose(table["time"].to_numpy(), rows["times"] / 1000)


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
