"""Rows as wide as pictures: what the writer makes, its reader and h5py take."""
import subprocess

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
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
