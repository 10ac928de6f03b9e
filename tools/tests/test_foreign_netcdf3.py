"""NetCDF-3 in its three forms gives what the same content gives as NetCDF-4, and what netCDF4 and scipy read."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from foreign_world import converted, run, same, spoilt, texts

FORMS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


def world(folder, form, seed, unlimited=True):
    """Files of the form and of NetCDF-4, and the arrays that netCDF4 reads."""
    program = Path(__file__).with_name("netcdf_world.py")
    subprocess.run([sys.executable, program, folder, form, str(seed), str(unlimited)], check=True, timeout=60)
    with np.load(folder / "truth.npz") as truth:
        return dict(truth)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unlimited", [True, False])
def test_equal_to_netcdf4_and_its_library(trajpack, tmp_path, form, unlimited):
    truth = world(tmp_path, form, 3, unlimited)
    three, episodes, values = converted(trajpack, tmp_path / "three", tmp_path / "three" / "a.nc")
    _, expected, facts = converted(trajpack, tmp_path / "four", tmp_path / "four" / "a.nc")
    assert three["reading"][0]["type"] == "netcdf3"
    steps = len(episodes["a"]["time/time"])
    assert texts(episodes["a"], "time/word") == [f"w{i}" for i in range(steps)]
    assert {k for k in episodes["a"] if "/word" not in k} == set(expected["a"])
    for key, value in expected["a"].items():
        if "/" in key:
            same(episodes["a"][key], value)
    assert values["a"] == {**facts["a"], "name": "a name"}
    assert values["a"]["title"] == "toy – 試" and values["a"]["crs"] == 3.5
    own = episodes["a"]
    for name, value in truth.items():
        if name not in ("time", "unsigned"):
            same(own[f"time/{name}"], value)
    np.testing.assert_array_equal(own["time/time"], truth["time"])


def test_one_variable_of_records_is_not_padded(trajpack, tmp_path):
    value = np.random.default_rng(0).integers(-99, 99, (9, 3)).astype("i1")
    with scipy.io.netcdf_file(tmp_path / "a.nc", "w", version=2) as file:
        file.createDimension("time", None)
        file.createDimension("k", 3)
        file.createVariable("x", "i1", ("time", "k"))[:] = value
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.nc", "--rate", 10)
    same(episodes["a"]["time/x"], value)
    np.testing.assert_array_equal(episodes["a"]["time/time"], np.arange(9) / 10)
    # A file that is still written to does not say how many records it has.
    data = bytearray((tmp_path / "a.nc").read_bytes())
    data[4:8] = b"\xff" * 4
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.nc").write_bytes(data)
    _, episodes, _ = converted(trajpack, tmp_path / "open", tmp_path / "open" / "a.nc")
    same(episodes["a"]["time/x"], value)


def test_unsigned_numbers(trajpack, tmp_path):
    """NetCDF-3 says by an attribute that numbers are unsigned; -1 is then 255, and may stand for a missing one."""
    truth = world(tmp_path, FORMS[0], 1)
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "unsigned.nc")
    same(episodes["unsigned"]["time/x"], np.array([0, 255, 128, 127], "u1"))
    same(episodes["unsigned"]["time/x"], truth["unsigned"])
    same(episodes["unsigned"]["time/y"], np.array([0, np.nan, 128, 127]))


def test_axes_of_a_private_layout(trajpack, tmp_path):
    value = np.random.default_rng(1).normal(size=(2, 3, 5))
    with scipy.io.netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, size in zip("abc", value.shape):
            file.createDimension(name, size)
        file.createVariable("x", "f8", ("a", "b", "c"))[:] = value
    assert "axis of time" in run(trajpack, "convert", tmp_path / "a.nc", tmp_path / "o", "-q", fails=True)
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.nc", "--axes", "traj,time,dim")
    for i in range(2):
        same(episodes[f"a/{i}"]["steps/x"], value[i])


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    out = []
    for seed, form in enumerate(FORMS):
        folder = tmp_path_factory.mktemp(form)
        world(folder, form, seed)
        out.append((folder / "three" / "a.nc").read_bytes())
    return out


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_one_sentence(trajpack, tmp_path, honest, seed):
    random = np.random.default_rng(seed)
    (tmp_path / "x.nc").write_bytes(spoilt(random, honest[seed % 3]))
    for command in (["convert", tmp_path / "x.nc", tmp_path / "o", "-q"], ["inspect", tmp_path / "x.nc"]):
        done = subprocess.run([trajpack, *command], capture_output=True, text=True, timeout=60)
        said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
        assert done.returncode == 0 or "x.nc" in said[0]


def test_a_cut_file_is_refused(trajpack, tmp_path, honest):
    (tmp_path / "a.nc").write_bytes(honest[0][:-9])
    assert "cut short" in run(trajpack, "convert", tmp_path / "a.nc", tmp_path / "o", "-q", fails=True)
