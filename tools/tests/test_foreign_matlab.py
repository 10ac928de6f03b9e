"""MATLAB files of versions 4 to 7, written by scipy or byte by byte: every array comes back as scipy reads it."""
import struct
import subprocess
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from foreign_world import array, converted, run, same, spoilt

TYPES = ["float64", "float32", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def cells(values):
    out = np.empty((1, len(values)), object)
    for i, value in enumerate(values):
        out[0, i] = value
    return out


def content(random):
    """Variables as people have them, and what each must become: channels by name, values by name."""
    variables, channels, values = {}, {}, {}
    rows = int(random.integers(2, 30))
    for dtype in TYPES:
        variables[f"x_{dtype}"] = array(random, (rows, int(random.integers(2, 5))), dtype)
    variables["whole"] = random.integers(-9, 9, (rows, 3)).astype("float64")
    variables["ok"] = random.random((rows, 2)) < 0.5
    variables["z"] = array(random, (rows, 2), "float64") + 1j * random.normal(size=(rows, 2))
    variables["turned"] = np.asfortranarray(array(random, (rows, 4), "float32"))
    variables["field"] = array(random, (rows, 3, 2, 2), "int16")
    channels |= {k: np.stack([v.real, v.imag], -1) if v.dtype.kind == "c" else v for k, v in variables.items()}
    variables["row"] = array(random, (1, rows), "float64")
    variables["column"] = array(random, (rows, 1), "int32")
    channels |= {"row": variables["row"][0], "column": variables["column"][:, 0]}
    variables["S"] = scipy.sparse.random(rows, 3, 0.3, "csc", "float64", rng=np.random.default_rng(1))
    channels["S"] = variables["S"].toarray()
    variables["trials"] = cells([array(random, (n, 2), "float64") for n in (5, 3, 40)])
    for i, cell in enumerate(variables["trials"][0]):
        channels[f"trials/{i}"] = cell
    people = np.zeros((1, 2), [("name", object), ("eeg", object)])
    for i in range(2):
        people[0, i] = (f"s{i} – 被験者", array(random, (4 + i, 3), "float32"))
        channels[f"subject/eeg/{i}"] = people[0, i]["eeg"]
        values[f"subject/name/{i}"] = f"s{i} – 被験者"
    variables["subject"] = people
    variables["one"] = {"gain": 2.5, "inner": {"data": array(random, (6, 2), "float64")}}
    channels["one/inner/data"], values["one/gain"] = variables["one"]["inner"]["data"], 2.5
    variables |= {"fs": 610.35, "n": np.int8(-3), "title": "Silverbox 試験 😀", "lines": np.array(["one ", "two!"])}
    values |= {"fs": 610.35, "n": -3, "title": "Silverbox 試験 😀", "lines": "one \ntwo!"}
    variables["empty"] = np.zeros((0, 3))
    return variables, channels, values


def found(episode, name):
    last = name.split("/")[-1]
    for key in (f"steps/{name}", name, f"{name}/{last}"):
        if key in episode:
            return episode[key]
    raise AssertionError(f"{name} is not among {sorted(episode)}")


@pytest.mark.parametrize("seed,compressed", [(0, True), (1, False), (2, True)])
def test_version_5(trajpack, tmp_path, seed, compressed):
    variables, channels, values = content(np.random.default_rng(seed))
    scipy.io.savemat(tmp_path / "a.mat", variables, do_compression=compressed)
    outcome, episodes, told = converted(trajpack, tmp_path, tmp_path / "a.mat")
    assert outcome["reading"][0]["type"] == "matlab5"
    for name, expected in channels.items():
        same(found(episodes["a"], name), expected)
    assert {k: told["a"][k] for k in values} == values
    assert [f["file"] for f in outcome["left_out"]["files"]] == ["a.mat:empty"]


def test_version_4(trajpack, tmp_path):
    random = np.random.default_rng(3)
    types = ["float64", "float32", "int32", "int16", "uint16", "uint8"]
    variables = {f"x_{t}": array(random, (7, 3), t) for t in types}
    variables["z"] = array(random, (7, 2), "float64") + 2j
    scipy.io.savemat(tmp_path / "a.mat", {**variables, "fs": 250.0, "word": "some text"}, format="4")
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "a.mat")
    for name, expected in scipy.io.loadmat(tmp_path / "a.mat").items():
        if name in variables:
            assert expected.dtype == variables[name].dtype
            parts = np.stack([expected.real, expected.imag], -1) if expected.dtype.kind == "c" else expected
            same(found(episodes["a"], name), parts)
    assert values["a"] == {"fs": 250, "word": "some text"}


def element(kind, data, order):
    """An element of version 5; data of up to four bytes lie in its tag."""
    if 0 < len(data) <= 4:
        return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(name, value, order, number=6, stored=("f8", 9)):
    body = element(6, struct.pack(order + "II", number, 0), order)
    body += element(5, struct.pack(f"{order}{value.ndim}i", *value.shape), order) + element(1, name.encode(), order)
    body += element(stored[1], value.astype(order + stored[0]).tobytes("F"), order)
    return struct.pack(order + "II", 14, len(body)) + body


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
def test_order_of_bytes(trajpack, tmp_path, order, compressed):
    """Both orders, and doubles stored as small integers, as MATLAB itself writes them; scipy is the witness."""
    random = np.random.default_rng(5)
    values = {"x": random.normal(size=(9, 4)), "small": random.integers(-9, 9, (9, 2)).astype("f8"),
              "bytes": random.integers(0, 4, (2, 2)).astype("f8"), "n": random.integers(-9, 9, (5, 2)).astype("i2")}
    out = b"MATLAB 5.0 MAT-file, by hand".ljust(124) + struct.pack(order + "HH", 0x0100, 0x4D49)
    for name, value in values.items():
        stored = {"small": ("i2", 3), "bytes": ("u1", 2), "n": ("i2", 3)}.get(name, ("f8", 9))
        one = matrix(name, value, order, 10 if name == "n" else 6, stored)
        packed = zlib.compress(one)
        out += struct.pack(order + "II", 15, len(packed)) + packed if compressed else one
    (tmp_path / "a.mat").write_bytes(out)
    for name, expected in scipy.io.loadmat(tmp_path / "a.mat").items():
        if name in values:
            np.testing.assert_array_equal(expected, values[name])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.mat")
    for name, expected in values.items():
        same(found(episodes["a"], name), expected)


def test_order_of_bytes_of_version_4(trajpack, tmp_path):
    value = np.random.default_rng(6).normal(size=(6, 3))
    head = struct.pack(">5i", 1000, 6, 3, 0, 2) + b"x\0"
    (tmp_path / "a.mat").write_bytes(head + value.astype(">f8").tobytes("F"))
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "a.mat")["x"], value)
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.mat")
    same(found(episodes["a"], "x"), value)


def test_axes_are_said_in_matlabs_order_in_all_versions(trajpack, tmp_path):
    """X(env, traj, time, dim) is cut by the same options, whatever the version of the file."""
    random = np.random.default_rng(7)
    x, t = random.normal(size=(2, 3, 7, 4)), np.arange(7) * 0.5
    (tmp_path / "5").mkdir()
    (tmp_path / "7").mkdir()
    scipy.io.savemat(tmp_path / "5" / "a.mat", {"X": x, "t": t})
    with h5py.File(tmp_path / "7" / "a.mat", "w", userblock_size=512) as file:
        for name, value in {"X": x, "t": t[None]}.items():
            file[name] = np.ascontiguousarray(value.transpose())
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    for folder in (tmp_path / "5", tmp_path / "7"):
        said = run(trajpack, "inspect", folder / "a.mat")
        assert "float64 [2, 3, 7, 4]" in said and "float64 [1, 7]" in said
        _, episodes, _ = converted(trajpack, folder, folder / "a.mat", "--axes", "env,traj,time,dim", "--time", "t")
        assert len(episodes) == 6
        for env in range(2):
            for traj in range(3):
                own = episodes[f"a/{env}/{traj}"]
                same(own["steps/X"], x[env, traj])
                np.testing.assert_array_equal(own["steps/time"], t)


def test_ends_are_rows_of_matlab(trajpack, tmp_path):
    random = np.random.default_rng(8)
    x = random.normal(size=(12, 3))
    scipy.io.savemat(tmp_path / "a.mat", {"x": x, "ends": np.array([5.0, 12.0])})
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.mat", "--ends", "ends")
    same(episodes["a/0"]["steps/x"], x[:5])
    same(episodes["a/1"]["steps/x"], x[5:])


def test_times_of_a_variable(trajpack, tmp_path):
    t = np.array([0, 0.5, 2, 3.25])
    scipy.io.savemat(tmp_path / "a.mat", {"t": t, "x": np.ones((4, 2)), "other": np.ones((5, 2))})
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.mat", "--time", "t", "--time-unit", "s")
    np.testing.assert_array_equal(episodes["a"]["steps/time"], t)
    assert [f["file"] for f in outcome["left_out"]["files"]] == ["a.mat:other"]


@pytest.mark.parametrize("seed", range(10))
def test_damage_is_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    variables, _, _ = content(random)
    scipy.io.savemat(tmp_path / "5.mat", variables, do_compression=bool(seed % 2))
    scipy.io.savemat(tmp_path / "4.mat", {"x": np.ones((9, 2)), "word": "text"}, format="4")
    for name in ("5", "4"):
        path = tmp_path / f"{name}x.mat"
        path.write_bytes(spoilt(random, (tmp_path / f"{name}.mat").read_bytes()))
        for command in (["convert", path, tmp_path / "o", "-q", "--overwrite"], ["inspect", path]):
            done = subprocess.run([trajpack, *command], capture_output=True, text=True, timeout=60)
            said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
            assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
            assert done.returncode == 0 or path.name in said[0]


def test_what_is_left_out_is_named(trajpack, tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.ones((3, 2)), "S": scipy.sparse.csc_matrix((1 << 12, 1 << 12))})
    outcome, _, _ = converted(trajpack, tmp_path, tmp_path / "a.mat")
    assert "sparse" in outcome["left_out"]["files"][0]["why"]
    scipy.io.savemat(tmp_path / "b.mat", {"fs": 3.0})
    assert "no array with rows" in run(trajpack, "convert", tmp_path / "b.mat", tmp_path / "o", "-q", fails=True)


def test_a_bomb_is_refused(trajpack, tmp_path):
    """A cell nested in itself 40 times, and an array that claims more than its element holds."""
    inner = matrix("", np.ones((1, 1)), "<")
    for _ in range(40):
        body = element(6, struct.pack("<II", 1, 0), "<") + element(5, struct.pack("<2i", 1, 1), "<")
        body += element(1, b"c", "<") + inner
        inner = struct.pack("<II", 14, len(body)) + body
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    (tmp_path / "a.mat").write_bytes(head + inner)
    assert "deep" in run(trajpack, "convert", tmp_path / "a.mat", tmp_path / "o", "-q", fails=True)
    one = bytearray(zlib.compress(matrix("x", np.ones((2, 2)), "<").replace(
        struct.pack("<2i", 2, 2), struct.pack("<2i", 1 << 20, 1 << 20))))
    (tmp_path / "b.mat").write_bytes(head + struct.pack("<II", 15, len(one)) + one)
    assert "damaged" in run(trajpack, "convert", tmp_path / "b.mat", tmp_path / "o", "-q", fails=True)
