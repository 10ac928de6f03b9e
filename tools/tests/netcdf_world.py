"""Writes NetCDF files by netCDF4, and what it reads of them; a program of its own, because its HDF5 and that of h5py do
not get on in one process. Arguments: a folder, the form, a seed, whether time is unlimited."""
import sys
from pathlib import Path

import netCDF4
import numpy as np
from foreign_world import array

TYPES = {"NETCDF3_64BIT_DATA": ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]}


def write(path, form, seed, unlimited=True, layout=None):
    """A file of that form, with the variables that `layout` can hold."""
    random = np.random.default_rng(seed)
    steps = int(random.integers(2, 9))
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.title, file.numbers = "toy – 試", np.array([1, 2, 3], "i4")
        for name, size in (("time", None if unlimited else steps), ("lat", 3), ("lon", 5), ("letters", 7)):
            file.createDimension(name, size)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 1990-01-01", "noleap"
        time[:] = np.cumsum(random.random(steps))
        lat = file.createVariable("lat", "f4", ("lat",))
        lat[:] = [60, 0, -60]
        for dtype in TYPES.get(layout or form, ["i1", "i2", "i4", "f4", "f8"]):
            one = file.createVariable(f"x_{dtype}", dtype, ("time", "lat", "lon"))
            one[:] = array(random, (steps, 3, 5), dtype)
            flat = file.createVariable(f"flat_{dtype}", dtype, ("time",))
            flat[:] = array(random, (steps,), dtype)
        packed = file.createVariable("sst", "i2", ("time", "lat", "lon"), fill_value=-32768)
        packed.scale_factor, packed.add_offset, packed.units, packed.long_name = 0.01, 20.0, "degC", "temperature"
        packed.set_auto_maskandscale(False)
        numbers = random.integers(-999, 999, (steps, 3, 5)).astype("i2")
        packed[:] = np.where(random.random(numbers.shape) < 0.2, -32768, numbers)
        still = file.createVariable("mask", "i1", ("lat", "lon"))
        still[:] = random.integers(0, 2, (3, 5)).astype("i1")
        scalar = file.createVariable("crs", "i2", ())
        scalar.scale_factor = 0.5
        scalar.set_auto_maskandscale(False)
        scalar[...] = 7
        if form != "NETCDF4":
            words = file.createVariable("word", "S1", ("time", "letters"))
            words[:] = np.array([list(f"w{i}".ljust(7, "\0")) for i in range(steps)], "S1")
            name = file.createVariable("name", "S1", ("letters",))
            name[:] = np.array(list("a name".ljust(7, "\0")), "S1")
    return steps


def unsigned(path):
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("time", 4)
        for name, fill in (("x", None), ("y", np.int8(-1))):
            one = file.createVariable(name, "i1", ("time",), fill_value=fill)
            one._Unsigned = "true"
            one.set_auto_maskandscale(False)
            one[:] = np.array([0, -1, -128, 127], "i1")


def main(folder, form, seed, unlimited):
    for name, own in (("three", form), ("four", "NETCDF4")):
        (folder / name).mkdir()
        write(folder / name / "a.nc", own, int(seed), unlimited == "True", form)
    unsigned(folder / "unsigned.nc")
    truth = {}
    with netCDF4.Dataset(folder / "three" / "a.nc") as file:
        truth["sst"] = np.ma.filled(file["sst"][:].astype("f8"), np.nan)
        file.set_auto_maskandscale(False)
        for name in file.variables:
            if name.startswith(("x_", "flat_", "time")):
                truth[name] = np.asarray(file[name][:])
    with netCDF4.Dataset(folder / "unsigned.nc") as file:
        truth["unsigned"] = np.ma.filled(file["x"][:])
    np.savez(folder / "truth.npz", **truth)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
