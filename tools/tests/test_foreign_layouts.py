"""Layouts of HDF5 that are recognised by content: every array comes back, and what is known of a recording with it."""
import h5py
import numpy as np
import pytest
from foreign_world import aloha, array, converted, listed, maniskill, minari, payloads, put, robomimic, same, texts

SEEDS = range(2)


def found(episode, path):
    """The channel that an array has become."""
    last = path.split("/")[-1]
    for name in (path, f"{path}/{last}", f"steps/{path}"):
        if name in episode:
            return episode[name]
    raise AssertionError(f"{path} is not among {sorted(episode)}")


@pytest.mark.parametrize("seed", SEEDS)
def test_robomimic(trajpack, tmp_path, seed):
    names, truth = robomimic(np.random.default_rng(seed), tmp_path / "image.hdf5")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "image.hdf5")
    assert outcome["reading"][0]["type"] == "robomimic"
    assert set(episodes) == set(names)
    for name, arrays in truth.items():
        for path, expected in arrays.items():
            same(found(episodes[name], path), expected)
        rows = len(arrays["actions"])
        np.testing.assert_array_equal(episodes[name]["steps/time"], np.arange(rows) / 20)
        assert values[name]["task"] == f"task {name} – 放"
        assert values[name]["mask/few"] == int(name == names[0])
    split = {e["id"]: e["split"] for e in listed(trajpack, tmp_path / "ds")}
    assert split == {n: "train" if i < 2 else "valid" for i, n in enumerate(names)}


@pytest.mark.parametrize("seed", SEEDS)
def test_maniskill_keeps_one_more_observation(trajpack, tmp_path, seed):
    told, truth = maniskill(np.random.default_rng(seed), tmp_path / "trajectory.h5")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "trajectory.h5")
    assert outcome["reading"][0]["type"] == "maniskill"
    for name, arrays in truth.items():
        for path, expected in arrays.items():
            same(found(episodes[name], path), expected)
        assert len(episodes[name]["obs/time"]) == len(episodes[name]["steps/time"]) + 1
    for episode in told:
        own = values[f"traj_{episode['episode_id']}"]
        assert own["episode_seed"] == episode["episode_seed"] and own["success"] == int(episode["success"])
        assert own["reset_kwargs/seed"] == episode["reset_kwargs"]["seed"]


@pytest.mark.parametrize("seed", SEEDS)
def test_minari_keeps_texts_and_pictures(trajpack, tmp_path, seed):
    truth = minari(np.random.default_rng(seed), tmp_path / "main_data.hdf5")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "main_data.hdf5")
    assert outcome["reading"][0]["type"] == "minari"
    for name, (arrays, words, pictures) in truth.items():
        for path, expected in arrays.items():
            same(found(episodes[name], path), expected)
        assert texts(episodes[name], "observations/mission") == words
        assert payloads(episodes[name], "observations/image/image") == pictures
        assert values[name]["seed"] == 100 + int(name[-1])


@pytest.mark.parametrize("compressed", [False, True])
def test_aloha(trajpack, tmp_path, compressed):
    truth = aloha(np.random.default_rng(4), tmp_path / "set", compressed=compressed)
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "set", "--rate", 50)
    assert outcome["reading"][0]["type"] == "aloha"
    assert list(episodes) == sorted(truth)
    for name, (arrays, pictures) in truth.items():
        for path, expected in arrays.items():
            same(found(episodes[name], path), expected)
        for camera, own in pictures.items():
            assert payloads(episodes[name], f"observations/images/{camera}/{camera}") == own
        assert values[name]["sim"] == int(name != "episode_2")
        assert episodes[name]["steps/time"][1] == 0.02
    assert any("red and blue" in remark for remark in outcome["remarks"]) == compressed


def test_d4rl_keeps_the_last_episode_and_says_so(trajpack, tmp_path):
    random = np.random.default_rng(5)
    ends = np.zeros((24, 1), bool)
    ends[[4, 11]] = True
    arrays = {"observations": array(random, (24, 11), "float32"), "actions": array(random, (24, 3), "float32"),
              "rewards": array(random, (24, 1), "float32"), "infos/qpos": array(random, (24, 6), "float64")}
    timeouts = np.zeros(24, bool)
    timeouts[18] = True
    with h5py.File(tmp_path / "hopper.hdf5", "w") as file:
        for key, value in {**arrays, "terminals": ends, "timeouts": timeouts}.items():
            put(random, file, key, value)
        file["metadata/algorithm"] = "SAC"
        file["metadata/weight"] = np.zeros((4, 4))
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "hopper.hdf5")
    cuts = [(0, 5), (5, 12), (12, 19), (19, 24)]
    assert len(episodes) == 4
    for number, (first, end) in enumerate(cuts):
        for path, expected in arrays.items():
            same(found(episodes[f"hopper/{number}"], path), expected[first:end])
    assert any("last 5 steps" in remark for remark in outcome["remarks"])
    assert any(f["file"].endswith("/metadata/weight") for f in outcome["left_out"]["files"])


def test_stable_worldmodel(trajpack, tmp_path):
    random = np.random.default_rng(6)
    lengths = [3, 9, 1]
    rows = sum(lengths)
    arrays = {"action": array(random, (rows, 2), "float32"), "pixels": array(random, (rows, 24, 32, 3), "uint8")}
    words = [f"word {i}" for i in range(rows)]
    with h5py.File(tmp_path / "toy.h5", "w", libver="latest") as file:
        for key, value in arrays.items():
            file.create_dataset(key, data=value, maxshape=(None, *value.shape[1:]), chunks=(1, *value.shape[1:]))
        file.create_dataset("word", data=words, dtype=h5py.string_dtype())
        file["ep_len"] = np.array(lengths, np.int32)
        file["ep_offset"] = np.cumsum([0, *lengths[:-1]])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "toy.h5")
    first = 0
    for number, length in enumerate(lengths):
        own = episodes[f"toy/{number}"]
        for path, expected in arrays.items():
            same(found(own, path), expected[first:first + length])
        assert texts(own, "steps/word") == words[first:first + length]
        first += length


def test_the_well(trajpack, tmp_path):
    random = np.random.default_rng(7)
    path = tmp_path / "data" / "valid" / "flow.hdf5"
    path.parent.mkdir(parents=True)
    b, t, x, y = 2, 5, 40, 30
    fields = {"t0_fields/density": (array(random, (b, t, x, y), "float32"), True, True),
              "t0_fields/mask": (array(random, (b, x, y), "bool"), True, False),
              "t0_fields/profile": (array(random, (t, x, 1), "float32"), False, True),
              "t1_fields/velocity": (array(random, (b, t, x, y, 2), "float32"), True, True),
              "scalars/Re": (np.float32(100), False, False), "scalars/drag": (array(random, (b, t), "float32"), True, True)}
    times = np.arange(t, dtype="float32") / 4
    with h5py.File(path, "w") as file:
        file.attrs["n_trajectories"] = b
        file.attrs["grid_type"] = "cartesian"
        file.create_group("t2_fields")
        file["dimensions/time"] = times
        for key, (value, by_sample, by_time) in fields.items():
            file[key] = value
            file[key].attrs["sample_varying"], file[key].attrs["time_varying"] = by_sample, by_time
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "data")
    for sample in range(b):
        own = episodes[f"valid/flow/{sample}"]
        for key, (value, by_sample, by_time) in fields.items():
            expected = value[sample] if by_sample else value
            if by_time:
                same(found(own, key), expected)
            elif expected.ndim:
                same(found(own, key), expected[None])
            else:
                assert values[f"valid/flow/{sample}"][key] == 100
        np.testing.assert_array_equal(own["t0_fields/density/time"], times)
    assert {e["split"] for e in listed(trajpack, tmp_path / "ds")} == {"valid"}


def test_pdebench(trajpack, tmp_path):
    random = np.random.default_rng(8)
    tensor = array(random, (3, 6, 32), "float32")
    with h5py.File(tmp_path / "one.hdf5", "w") as file:
        file["tensor"], file["x-coordinate"] = tensor, np.linspace(0, 1, 32)
        file["t-coordinate"] = np.arange(7) * 0.5
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "one.hdf5")
    for sample in range(3):
        same(episodes[f"one/{sample}"]["tensor/tensor"], tensor[sample])
        np.testing.assert_array_equal(episodes[f"one/{sample}"]["tensor/time"], np.arange(6) * 0.5)
    assert any("more times than steps" in remark for remark in outcome["remarks"])


def test_netcdf_unpacks_and_marks_what_is_missing(trajpack, tmp_path):
    random = np.random.default_rng(9)
    packed = random.integers(-1000, 1000, (7, 4, 6)).astype("int16")
    packed[random.random(packed.shape) < 0.1] = -32768
    turned = array(random, (5, 7), "float32")
    times = np.array([0, 1, 2, 4, 8, 16, 32.5])
    with h5py.File(tmp_path / "sst.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        file["time"] = times
        file["time"].attrs["units"] = "days since 1990-01-01"
        file["time"].attrs["calendar"] = "noleap"
        for name, size in (("time", 7), ("lat", 4), ("lon", 6), ("depth", 5)):
            if name != "time":
                file[name] = np.arange(size, dtype="float32")
            file[name].make_scale(name)
        file["sst"] = packed
        file["sst"].attrs["_FillValue"] = np.int16(-32768)
        file["sst"].attrs["scale_factor"], file["sst"].attrs["add_offset"] = 0.01, 20.0
        file["turned"] = turned
        for name, dims in (("sst", ["time", "lat", "lon"]), ("turned", ["depth", "time"])):
            for axis, dim in enumerate(dims):
                file[name].dims[axis].attach_scale(file[dim])
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "sst.nc")
    own = episodes["sst"]
    same(own["time/sst"], np.where(packed == -32768, np.nan, packed * 0.01 + 20.0))
    same(own["time/turned"], turned.T)
    np.testing.assert_array_equal(own["time/time"], times)
    assert values["sst"]["lat"] == [0, 1, 2, 3]


def test_netcdf_numbers_that_are_unsigned_or_missing_in_several_ways(trajpack, tmp_path):
    """As xarray and netCDF4 read them: `_Unsigned`, and all numbers of `missing_value`."""
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        file["time"] = np.arange(4.0)
        file["time"].attrs["units"] = "hours since 2000-01-01"
        file["time"].make_scale("time")
        file["a"] = np.array([-1, -2, 3, 4], "i2")
        file["a"].attrs["missing_value"], file["a"].attrs["scale_factor"] = np.array([-1, -2], "i2"), 0.5
        file["u"] = np.array([-1, -2, 3, 4], "i1")
        file["us"] = np.array([-1, -2, 3, 4], "i1")
        file["us"].attrs["_FillValue"], file["us"].attrs["scale_factor"] = np.int8(-1), 0.5
        for name in ("u", "us"):
            file[name].attrs["_Unsigned"] = "true"
        for name in ("a", "u", "us"):
            file[name].dims[0].attach_scale(file["time"])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.nc")
    own = episodes["a"]
    same(own["time/a"], [np.nan, np.nan, 1.5, 2.0])
    same(own["time/u"], [255.0, 254, 3, 4])
    same(own["time/us"], [np.nan, 127.0, 1.5, 2.0])


def test_netcdf_times_of_a_dimension_of_another_name(trajpack, tmp_path):
    """`time(obs)`, as CF has observations; what begins and ends is data; a dimension with a time of its own keeps it."""
    times = np.array([0.0, 1, 4])
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        for name, size in (("obs", 3), ("time", 2)):
            file[name] = np.arange(size, dtype="f8")
            file[name].make_scale(name)
        for name in ("begin", "t", "end"):
            file[name] = times + {"begin": -1, "t": 0, "end": 1}[name]
            file[name].attrs["units"] = "days since 2000-01-01"
        file["v"] = [1.0, 2, 3]
        file["w"] = [5.0, 6]
        for name in ("begin", "t", "end", "v"):
            file[name].dims[0].attach_scale(file["obs"])
        file["w"].dims[0].attach_scale(file["time"])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.nc")
    own = episodes["a"]
    same(own["obs/time"], times)
    for name, expected in (("v", [1.0, 2, 3]), ("begin", times - 1), ("end", times + 1), ("obs", [0.0, 1, 2])):
        same(own[f"obs/{name}"], expected)
    same(own["time/w"], [5.0, 6])
    same(own["time/time"], [0.0, 1])


def test_netcdf_times_that_count_no_rows_are_values(trajpack, tmp_path):
    """Moments with nothing beside them, when stations were set up, and times that go back."""
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        for name, size in (("obs", 3), ("time", 2), ("event", 2), ("station", 2), ("wild", 2)):
            file[name] = np.arange(size, dtype="f8")
            file[name].make_scale(name)
        times = {"t": ("obs", [0.0, 1, 4]), "event_time": ("event", [5.0, 7]), "deployed": ("station", [3.0, 4]),
                 "back": ("wild", [2.0, 1])}
        for name, (dim, values) in times.items():
            file[name] = np.array(values)
            file[name].attrs["units"] = "days since 2000-01-01"
            file[name].dims[0].attach_scale(file[dim])
        file["temp"] = np.arange(6.0).reshape(2, 3)
        file["temp"].dims[0].attach_scale(file["station"])
        file["temp"].dims[1].attach_scale(file["obs"])
        for name, dim in (("size", "wild"), ("w", "time")):
            file[name] = np.array([5.0, 6])
            file[name].dims[0].attach_scale(file[dim])
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "a.nc")
    own = episodes["a"]
    same(own["obs/temp"], np.arange(6.0).reshape(2, 3).T)
    same(own["obs/time"], [0.0, 1, 4])
    same(own["time/w"], [5.0, 6])
    assert values["a"]["event_time"] == [5.0, 7] and values["a"]["size"] == [5.0, 6]
    assert values["a"]["back"] == [2.0, 1]


def test_netcdf_members_with_axes_of_their_own(trajpack, tmp_path):
    rows = np.array([(i, (i, i + 1)) for i in range(4)], dtype=[("p", "f8"), ("q", "i4", (2,))])
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        file["time"] = np.arange(4.0)
        file["time"].make_scale("time")
        file["co"] = rows
        file["co"].dims[0].attach_scale(file["time"])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.nc")
    same(episodes["a"]["time/co.p"], rows["p"])
    same(episodes["a"]["time/co.q"], rows["q"])


def test_nwb_clocks_and_units(trajpack, tmp_path):
    random = np.random.default_rng(10)
    raw = random.integers(-99, 99, (20, 4)).astype("int16")
    wheel, stamps = array(random, (9, 3), "float64"), np.cumsum(random.random(9))
    with h5py.File(tmp_path / "s.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.11.0"
        file["session_description"] = "a session"
        lfp = file.create_group("acquisition/lfp")
        lfp["data"] = raw
        lfp["data"].attrs["conversion"], lfp["data"].attrs["offset"], lfp["data"].attrs["unit"] = 1.5e-6, -1e-4, "V"
        lfp["starting_time"] = 2.5
        lfp["starting_time"].attrs["rate"] = 100.0
        own = file.create_group("acquisition/wheel")
        own["data"], own["timestamps"] = wheel, stamps
        speed = file.create_group("acquisition/speed")
        speed["data"], speed["timestamps"] = wheel[:, 0], h5py.SoftLink("/acquisition/wheel/timestamps")
        trials = file.create_group("intervals/trials")
        trials.attrs["colnames"] = ["start_time", "licks"]
        trials["start_time"], trials["id"] = np.array([0.0, 1.0, np.nan]), np.arange(3)
        trials["licks"], trials["licks_index"] = np.array([1.0, 2.0, 2.1, 2.2]), np.array([0, 1, 4], "uint8")
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "s.nwb")
    own = episodes["s"]
    same(own["acquisition/lfp/data"], raw * 1.5e-6 + -1e-4)
    np.testing.assert_allclose(own["acquisition/lfp/time"], 2.5 + np.arange(20) / 100, rtol=1e-15)
    same(own["acquisition/wheel/data"], wheel)
    np.testing.assert_array_equal(own["acquisition/speed/time"], stamps)
    same(own["intervals/trials/start_time"], np.array([0.0, 1.0, np.nan]))
    same(own["intervals/trials/licks/licks"], np.array([1.0, 2.0, 2.1, 2.2]))
    assert values["s"]["session_description"] == "a session"


def test_matlab_axes_are_turned(trajpack, tmp_path):
    random = np.random.default_rng(11)
    u, counts, cells = array(random, (20, 3), "float64"), array(random, (2, 3, 4), "int16"), [
        array(random, (n, 2), "float64") for n in (12, 7, 20)]

    def save(file, name, value, kind="double"):
        # MATLAB's axes lie in the file from the last to the first.
        file[name] = np.ascontiguousarray(value.transpose())
        file[name].attrs["MATLAB_class"] = np.bytes_(kind)

    with h5py.File(tmp_path / "v73.mat", "w", userblock_size=512) as file:
        save(file, "u", u)
        save(file, "counts", counts, "int16")
        save(file, "fs", np.array([[250.0]]))
        save(file, "ok", np.array([[1, 0, 1]], "uint8"), "logical")
        save(file, "title", np.array([[ord(c) for c in "Silverbox 試"]], "uint16"), "char")
        refs = file.create_group("#refs#")
        for i, cell in enumerate(cells):
            save(refs, f"c{i}", cell)
        file["trials"] = np.array([[refs[f"c{i}"].ref] for i in range(3)], h5py.ref_dtype)
        file["trials"].attrs["MATLAB_class"] = np.bytes_("cell")
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "v73.mat")
    own = episodes["v73"]
    same(own["steps/u"], u)
    same(found(own, "counts"), counts)
    same(found(own, "ok"), np.array([True, False, True]))
    for i, cell in enumerate(cells):
        same(own[f"trials/{i}/{i}"], cell)
    assert values["v73"]["fs"] == 250 and values["v73"]["title"] == "Silverbox 試"


def test_recordings_that_lack_a_channel_have_their_own_streams(trajpack, tmp_path):
    """A camera that one file has and another lacks, and a state of another width, neither hide nor break the rest."""
    for n, (width, extra) in enumerate([(3, True), (3, False), (5, False)]):
        with h5py.File(tmp_path / f"episode_{n}.hdf5", "w") as file:
            file["action"], file["observations/qpos"] = np.ones((4, 2)), np.full((4, width), n, "float64")
            if extra:
                file["observations/effort"] = np.ones((4, 1))
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path)
    assert episodes["episode_0"]["observations/effort/effort"].shape == (4, 1)
    widths = {name: next(v for k, v in own.items() if k.endswith("/qpos")).shape[1] for name, own in episodes.items()}
    assert widths == {"episode_0": 3, "episode_1": 3, "episode_2": 5}
