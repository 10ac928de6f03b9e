"""Rows as wide as pictures: what the writer makes, its reader and h5py take."""
import subprocess

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pandas as pd
import pytest
import read_archive


@pytest.mark.parametrize("shape", [(6, 480, 640), (3, 20000)])
def test_wide_rows_come_back(trajpack, tmp_path, shape):
    values = np.random.default_rng(1).normal(size=shape).astype("f4")
    np.save(tmp_path / "wide.npy", values)
    subprocess.run([trajpack, "convert", tmp_path / "wide.npy", tmp_path / "wide", "--leading-axis", "time", "--quiet"],
                   check=True)
    subprocess.run([trajpack, "verify", tmp_path / "wide"], check=True, capture_output=True)
    read_archive.check_index(str(tmp_path / "wide" / "shard-000000.h5"))
    with h5py.File(tmp_path / "wide" / "shard-000000.h5") as file:
        found = []
        file["streams"].visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        assert any(d.size == values.size and (d[...].reshape(shape) == values).all() for d in found)


@pytest.mark.parametrize("is_cut", [False, True])
def test_many_columns_come_back_in_every_format(trajpack, tmp_path, is_cut):
    """Columns share chunks, which are read once for all of them; missing integers and texts among them."""
    random = np.random.default_rng(7)
    table = pd.DataFrame({f"c{i}": random.normal(size=700).round(i % 6) for i in range(150)})
    table["count"] = pd.array(random.integers(0, 9, 700), dtype="Int64")
    table.loc[random.random(700) < 0.2, "count"] = pd.NA
    table["word"] = random.choice(["a", "b", "long word"], 700)
    table.to_csv(tmp_path / "a.csv", index=False)
    out = tmp_path / "out"

    def run(*words):
        return subprocess.run([trajpack, *map(str, words)], check=True, capture_output=True, text=True).stdout

    options = ["--chunk-rows", "32"] + (["--segment", "300"] if is_cut else [])
    run("convert", tmp_path / "a.csv", out, "--quiet", *options)
    if not is_cut:
        assert "equal: 1 episode, 106,400 values" in run("diff", out, tmp_path / "a.csv")
    run("export", out, tmp_path / "npz", "--to", "npz", "--quiet")
    run("export", out, tmp_path / "csv", "--to", "csv", "--quiet")
    first = 0
    files = [sorted(tmp_path.glob(pattern)) for pattern in ("npz/**/episode.npz", "csv/**/series.csv")]
    for npz, csv in zip(*files, strict=True):
        arrays, cells = np.load(npz), pd.read_csv(csv)
        part = table.iloc[first:first + len(cells)].reset_index(drop=True)
        first += len(cells)
        for name in table.columns[:150]:
            assert (arrays[f"series/{name}"] == part[name]).all() and (cells[name] == part[name]).all()
        observed = arrays["series/count.observed"]
        assert (observed == part["count"].notna()).all() and (cells["count"].notna() == observed).all()
        assert (arrays["series/count"][observed] == part["count"][observed].astype(int)).all()
        assert (cells["word"] == part["word"]).all()
    assert first == len(table)


def test_differences_of_many_columns_are_each_found_where_they_are(trajpack, tmp_path):
    random = np.random.default_rng(8)
    table = pd.DataFrame({f"c{i}": random.normal(size=5000).round(3) for i in range(40)})
    for name, change in (("a", {}), ("b", {"c3": 17, "c39": 4999, "c0": 0})):
        other = table.copy()
        for column, row in change.items():
            other.loc[row, column] = 1000.5
        if name == "b":
            other["extra"] = 1.5
            other["empty"] = ""
        other.to_csv(tmp_path / f"{name}.csv", index=False)
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.csv").rename(tmp_path / name / "x.csv")
        subprocess.run([trajpack, "convert", tmp_path / name, tmp_path / f"{name}.d", "--quiet"], check=True)
    found = subprocess.run([trajpack, "diff", tmp_path / "a.d", tmp_path / "b.d"], capture_output=True, text=True)
    assert found.returncode == 1
    for column, row in (("c0", 0), ("c3", 17), ("c39", 4999)):
        assert f"channel '{column}', row {row}: {table[column][row]} in" in found.stdout
    assert "'extra' is only in" in found.stdout and "'empty'" not in found.stdout and "'c1'" not in found.stdout


def test_an_archive_of_many_members_comes_back(trajpack, tmp_path):
    arrays = {f"a{i}": np.random.default_rng(i).normal(size=20) for i in range(300)}
    np.savez(tmp_path / "many.npz", **arrays)
    subprocess.run([trajpack, "convert", tmp_path / "many.npz", tmp_path / "out", "--quiet"], check=True)
    subprocess.run([trajpack, "diff", tmp_path / "out", tmp_path / "many.npz"], check=True, capture_output=True)
    subprocess.run([trajpack, "export", tmp_path / "out", tmp_path / "npz", "--to", "npz", "--quiet"], check=True)
    back = np.load(next(tmp_path.glob("npz/**/episode.npz")))
    assert all((back[f"series/{name}"] == values).all() for name, values in arrays.items())
