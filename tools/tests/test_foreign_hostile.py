"""Damaged and hostile HDF5 gives one sentence each: no signal, no other file, nothing left behind."""
import os
import shutil
import time

import h5py
import numpy as np
import pytest
from foreign_world import minari, robomimic, run, spoilt


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    robomimic(np.random.default_rng(0), folder / "a.hdf5")
    minari(np.random.default_rng(0), folder / "b.hdf5")
    return [(folder / "a.hdf5").read_bytes(), (folder / "b.hdf5").read_bytes()]


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_one_sentence(trajpack, tmp_path, honest, seed):
    import subprocess
    random = np.random.default_rng(seed)
    for data in honest:
        path = tmp_path / "x.hdf5"
        path.write_bytes(spoilt(random, data))
        done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q"], capture_output=True, text=True,
                              timeout=60)
        said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
        assert done.returncode == 0 or "x.hdf5" in said[0]
        shutil.rmtree(tmp_path / "o", ignore_errors=True)


def refused(trajpack, path, folder, *options):
    begun = time.monotonic()
    said = run(trajpack, "convert", path, folder / "o", "-q", "--episodes", "/", *options, fails=True)
    assert said.splitlines()[-1].count(":") >= 1 and len([x for x in said.splitlines() if not x.startswith("warning")]) == 1
    assert time.monotonic() - begun < 20
    assert not (folder / "o").exists()
    return said


def test_other_files_are_never_opened(trajpack, tmp_path):
    """External links, external storage and virtual datasets, each to a file that is there."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(8.0).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.arange(8.0)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/data")
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file.create_dataset("data", (8,), "f8", external=[(str(secret), 0, 64)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((8,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (8,))
        file.create_virtual_dataset("data", layout)
    for name in ("link", "store", "virtual"):
        refused(trajpack, tmp_path / f"{name}.h5", tmp_path)
        shown = run(trajpack, "inspect", tmp_path / f"{name}.h5")
        assert "never" in shown, shown


def test_huge_claims(trajpack, tmp_path):
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file.create_dataset("data", (1 << 40,), "f8", chunks=(1 << 10,), compression="gzip")
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        file.create_dataset("data", (1 << 28,), "f8", chunks=(1 << 28,), compression="gzip")[:0]
        file["small"] = np.zeros(3)
    with h5py.File(tmp_path / "long.h5", "w") as file:
        group = file
        for _ in range(60):
            group = group.create_group("g")
        group["data"] = np.zeros(3)
    refused(trajpack, tmp_path / "chunk.h5", tmp_path)
    assert "deep" in refused(trajpack, tmp_path / "long.h5", tmp_path)
    # A terabyte that the file does not hold is refused or ends without memory; the inspection is quick.
    assert "1099511627776" in run(trajpack, "inspect", tmp_path / "wide.h5")


def test_cycles_end(trajpack, tmp_path):
    with h5py.File(tmp_path / "cycle.h5", "w") as file:
        file["g/data"] = np.zeros((3, 2))
        file["g/again"] = file["/"]
        file["soft"] = h5py.SoftLink("/soft")
        file["there"] = h5py.SoftLink("/g/data")
    shown = run(trajpack, "inspect", tmp_path / "cycle.h5")
    assert "another place" in shown and "not there" in shown
    run(trajpack, "convert", tmp_path / "cycle.h5", tmp_path / "o", "-q", "--episodes", "/")


def test_filters_that_are_not_read_are_named(trajpack, tmp_path):
    hdf5plugin = pytest.importorskip("hdf5plugin")
    data = np.arange(4000.0)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("zstd", data=data, **hdf5plugin.Zstd())
        file.create_dataset("lz4", data=data, **hdf5plugin.LZ4())
        file.create_dataset("blosc", data=data, **hdf5plugin.Blosc())
    shown = run(trajpack, "inspect", tmp_path / "f.h5")
    assert "blosc" in shown.lower() and "not read" in shown
    run(trajpack, "convert", tmp_path / "f.h5", tmp_path / "o", "-q", "--episodes", "/")
    run(trajpack, "export", tmp_path / "o", tmp_path / "npz", "--to", "npz", "-q")
    with np.load(next((tmp_path / "npz").rglob("episode.npz"))) as found:
        np.testing.assert_array_equal(found["steps/zstd"], data)
        np.testing.assert_array_equal(found["steps/lz4"], data)


def test_a_damaged_file_is_left_out_when_asked(trajpack, tmp_path):
    for n in range(3):
        with h5py.File(tmp_path / f"e{n}.h5", "w") as file:
            file["state"] = np.full((4, 2), n)
    data = (tmp_path / "e1.h5").read_bytes()
    (tmp_path / "e1.h5").write_bytes(data[:len(data) // 2])
    said = run(trajpack, "convert", tmp_path, tmp_path / "o", "-q", "--episodes", "/", fails=True)
    assert "e1.h5" in said
    run(trajpack, "convert", tmp_path, tmp_path / "o", "-q", "--episodes", "/", "--on-error", "skip", fails=True)
    assert '"e0"' in run(trajpack, "info", tmp_path / "o", "--episodes", "--json")


def test_pipes_and_folders_are_no_files(trajpack, tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    assert "pipe.h5" in run(trajpack, "inspect", tmp_path / "pipe.h5", fails=True)
    assert "folder" in run(trajpack, "inspect", tmp_path, fails=True)
