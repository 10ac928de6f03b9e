"""Trees of one's own, mapped by options; `trajpack inspect`; and formats that are called by their names."""
import json

import h5py
import numpy as np
import pytest
from foreign_world import DTYPES, array, converted, listed, put, run, same, texts


@pytest.mark.parametrize("seed", range(3))
def test_every_type_comes_back(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    truth = {}
    with h5py.File(tmp_path / "own.h5", "w") as file:
        for n in (0, 2, 10):
            rows = int(random.integers(2, 40))
            group = file.create_group(f"runs/ep_{n}")
            group["time"] = np.cumsum(random.random(rows))
            group.attrs["label"] = f"label {n}"
            arrays = {d: array(random, (rows, *shape), d) for d, shape in zip(
                DTYPES, [(), (1,), (3,), (2, 3), (), (4,), (2, 2, 2), (), (5,), (1, 1), ()])}
            for name, value in arrays.items():
                put(random, group, f"sub/{name}", value)
            group["big"] = arrays["int32"].astype(">i4")
            group["half"] = arrays["float32"].astype("float16")
            group.create_dataset("word", data=[f"w{i} – 放" for i in range(rows)], dtype=h5py.string_dtype())
            group["fixed"] = np.array([f"f{i}" for i in range(rows)], "S7")
            truth[f"ep_{n}"] = (arrays, np.array(group["time"]))
    _, episodes, values = converted(trajpack, tmp_path, tmp_path / "own.h5", "--episodes", "runs/ep_*", "--time",
                                    "time", "--time-unit", "s")
    assert [e["id"] for e in listed(trajpack, tmp_path / "ds")] == ["ep_0", "ep_2", "ep_10"]
    for name, (arrays, times) in truth.items():
        own = episodes[name]
        for dtype, value in arrays.items():
            same(own[f"sub/{dtype}"], value)
        same(own["steps/big"], arrays["int32"])
        same(own["steps/half"], arrays["float32"].astype("float16").astype("float32"))
        np.testing.assert_array_equal(own["steps/time"], times)
        assert texts(own, "steps/word") == [f"w{i} – 放" for i in range(len(times))]
        assert texts(own, "steps/fixed") == [f"f{i}" for i in range(len(times))]
        assert values[name]["label"] == f"label {name[3:]}"


def test_records_and_complex_numbers(trajpack, tmp_path):
    random = np.random.default_rng(3)
    table = np.zeros(9, [("x", "f4"), ("n", "i8"), ("v", "f8", (3,))])
    table["x"], table["n"], table["v"] = random.random(9), np.arange(9), random.random((9, 3))
    z = random.random((9, 2)) + 1j * random.random((9, 2))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["table"], file["z"] = table, z
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "t.h5", "--episodes", "/")
    own = episodes["t"]
    for name in table.dtype.names:
        same(own[f"steps/table.{name}"], table[name])
    same(own["steps/z"], np.stack([z.real, z.imag], -1))


@pytest.mark.parametrize("order", ["env,traj,time,dim", "time,traj,dim,env", "dim,env,time,traj"])
@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_declared_axes(trajpack, tmp_path, order, kind):
    """X[env, traj, time, dim], and its axes in other orders."""
    sizes = {"env": 2, "traj": 3, "time": 7, "dim": 4}
    canonical = array(np.random.default_rng(2), tuple(sizes.values()), "float64")
    axes = order.split(",")
    x = canonical.transpose([list(sizes).index(a) for a in axes])
    t = np.arange(7) * 0.25
    path = tmp_path / f"mixer.{kind}"
    if kind == "npz":
        np.savez(path, X=x, t=t)
    else:
        with h5py.File(path, "w") as file:
            file["X"], file["t"] = x, t
    _, episodes, values = converted(trajpack, tmp_path, path, "--axes", order, "--time", "t")
    assert len(episodes) == 6
    for env in range(2):
        for traj in range(3):
            place = [str({"env": env, "traj": traj}[a]) for a in axes if a in ("env", "traj")]
            own = "/".join(["mixer", *place])
            same(episodes[own]["steps/X"], canonical[env, traj])
            np.testing.assert_array_equal(episodes[own]["steps/time"], t)
            assert values[own]["env"] == env and values[own]["traj"] == traj


def test_ends_and_map(trajpack, tmp_path):
    random = np.random.default_rng(4)
    obs, act = array(random, (12, 3), "float64"), array(random, (12, 2), "float32")
    with h5py.File(tmp_path / "buffer.h5", "w") as file:
        file["data/obs"], file["data/action"], file["meta/episode_ends"] = obs, act, np.array([4, 9, 12])
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "buffer.h5", "--ends", "meta/episode_ends", "--map",
                               "robot/pos=data/obs", "--map", "command/u=data/action", "--rate", 10)
    for number, (first, end) in enumerate([(0, 4), (4, 9), (9, 12)]):
        own = episodes[f"buffer/{number}"]
        same(own["robot/pos"], obs[first:end])
        same(own["command/u"], act[first:end])
        assert own["robot/time"][1] == 0.1


def propose(trajpack, path):
    found = json.loads(run(trajpack, "inspect", path, "--json"))
    return found.get("format"), found.get("options")


def test_what_inspect_proposes_converts(trajpack, tmp_path):
    random = np.random.default_rng(5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for n in range(3):
            file[f"x/run{n}/state"], file[f"x/run{n}/t"] = random.random((5, 2)), np.arange(5.0)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["d/obs"], file["ends"] = random.random((9, 2)), np.array([4, 9])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["X"], file["t"] = random.random((2, 3, 5, 4)), np.arange(5.0)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["s"], file["done"] = random.random((6, 2)), np.array([0, 0, 1, 0, 0, 1], bool)
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["state"] = random.random((6, 2))
    counts = {"a": 3, "b": 2, "c": 6, "d": 2, "e": 1}
    for name, count in counts.items():
        format, options = propose(trajpack, tmp_path / f"{name}.h5")
        assert format is None and options, name
        words = [word.strip("'") for word in options.split()]
        run(trajpack, "convert", tmp_path / f"{name}.h5", tmp_path / name, "-q", *words)
        assert len(listed(trajpack, tmp_path / name)) == count
    assert "trajpack inspect" in run(trajpack, "convert", tmp_path / "e.h5", tmp_path / "none", "-q", fails=True)


@pytest.mark.parametrize("options,word", [
    (["--episodes", "nothing_*"], "matches no group"), (["--ends", "none"], "is no array"),
    (["--axes", "a,b"], "'time' among them"), (["--map", "x=y"], "STREAM/CHANNEL=PATH"),
    (["--map", "s/c=none"], "is no array"), (["--episodes", "/", "--time", "none_such"], "is no array"),
    (["--episodes", "/", "--kind", "none=scalar"], "no channel"),
])
def test_options_that_fit_nothing(trajpack, tmp_path, options, word):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/state"] = np.zeros((4, 2))
    said = run(trajpack, "convert", tmp_path / "a.h5", tmp_path / "o", "-q", *options, fails=True)
    assert word in said and said.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_options_of_trees_are_not_ignored(trajpack, tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,2\n")
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "o", "-q", "--episodes", "/", fails=True)
    assert "--episodes" in said


def tfrecord(data=b"x" * 9):
    """A record of TFRecord: length, its masked CRC-32C, data."""
    def crc(raw):
        value = 0xFFFFFFFF
        for byte in raw:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        value ^= 0xFFFFFFFF
        return ((value >> 15 | value << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
    head = len(data).to_bytes(8, "little")
    return head + crc(head) + data + crc(data)


@pytest.mark.parametrize(("name", "content", "word"), [
    ("a.c3d", b"\2P" + bytes(600), "a C3D motion"), ("a.gdf", b"GDF 2.20" + bytes(300), "a GDF recording"),
    ("a.tar", bytes(257) + b"ustar" + bytes(300), "WebDataset"), ("a.pkl", b"\x80\4\x95" + bytes(30), "a Python pickle"),
    ("a.pt", b"PK\3\4" + bytes(60), "a PyTorch file"), ("a.xdf", b"XDF:" + bytes(30), "an XDF recording"),
    ("a.safetensors", (40).to_bytes(8, "little") + b'{"x":' + bytes(60), "safetensors"), ("a.fbx", b"Kaydara FBX Binary  \0", "FBX"),
    ("a.usd", b"PXR-USDC" + bytes(30), "a USD scene"), ("a.dcm", bytes(128) + b"DICM", "a DICOM file"),
    ("a.trc", b"PathFileType\t4\t(X/Y/Z)\ta.trc\n", "a TRC file"), ("a.sto", b"x\nversion=1\nendheader\ntime\tq\n", "OpenSim"),
    ("a.tfrecord-00000-of-00001", tfrecord(), "TFRecords"), ("a.log", b"\1\0CARLA_RECORDER" + bytes(9), "CARLA"),
    ("a.mdb", bytes(16) + b"\xde\xc0\xef\xbe" + bytes(40), "LMDB"), ("a.arff", b"@relation r\n@attribute x numeric\n@data\n1\n", "ARFF"),
])
def test_known_formats_are_named(trajpack, tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    for source in (tmp_path / name, tmp_path):
        said = run(trajpack, "convert", source, tmp_path / "o", "-q", fails=True)
        assert word in said and "which is not read; " in said and said.count("\n") == 1


@pytest.mark.parametrize(("files", "word"), [
    ({"dataset_info.json": "{}", "features.json": "{}"}, "a TFDS dataset"),
    ({"1.0.0/dataset_info.json": "{}", "1.0.0/features.json": "{}"}, "a TFDS dataset in 1.0.0"),
    ({"_versions/1.manifest": "", "data/a.lance": ""}, "a Lance dataset"), ({"data.mdb": "", "lock.mdb": ""}, "LMDB"),
    ({f"v1.0-mini/{n}.json": "[]" for n in ("scene", "sample", "sample_data", "ego_pose")}, "nuScenes"),
])
def test_known_folders_are_named(trajpack, tmp_path, files, word):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert word in run(trajpack, "convert", tmp_path, tmp_path / "o", "-q", fails=True)


def test_json_of_another_kind_is_not_called_damaged(trajpack, tmp_path):
    (tmp_path / "a.json").write_text('{"version": 3, "options": {}}')
    said = run(trajpack, "convert", tmp_path / "a.json", tmp_path / "o", "-q", fails=True)
    assert "damaged" not in said and "no file of systems" in said
