"""HDF5 files as other software lays them out, random by a seed, and what a conversion must give back of them."""
import json
import subprocess
from urllib.parse import unquote

import h5py
import numpy as np


def run(trajpack, *arguments, fails=False):
    """What the program prints; where it must fail, its one sentence."""
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode in ((1, 2) if fails else (0,)), (done.returncode, done.stdout + done.stderr)
    return done.stderr if fails else done.stdout


def converted(trajpack, folder, source, *options):
    """The outcome as JSON, the arrays of each episode, and its values; the dataset equals its source."""
    dataset = folder / "ds"
    outcome = json.loads(run(trajpack, "convert", source, dataset, "--quiet", "--json", *options))
    run(trajpack, "diff", dataset, source, "--quiet")
    run(trajpack, "export", "--quiet", dataset, folder / "npz", "--to", "npz")
    arrays, values = {}, {}
    for path in sorted((folder / "npz").rglob("episode.npz")):
        with np.load(path) as members:
            arrays[unquote(path.parent.name)] = {k: members[k] for k in members}
    file = folder / "npz" / "values.json"
    if file.exists():
        document = json.loads(file.read_text())
        for i, name in enumerate(document["episodes"]):
            values[name] = {column["name"]: column["cells"][i] for column in document["values"]}
    return outcome, arrays, values


def listed(trajpack, dataset):
    """The episodes, as `info` lists them."""
    return json.loads(run(trajpack, "info", dataset, "--episodes", "--json"))


def texts(episode, name):
    """The texts of a channel."""
    offsets, data = episode[f"{name}.offsets"], episode[f"{name}.bytes"].tobytes()
    return [data[a:b].decode() for a, b in zip(offsets, offsets[1:])]


def payloads(episode, name):
    """The bytes of each row of a channel."""
    offsets, data = episode[f"{name}.offsets"], episode[f"{name}.bytes"].tobytes()
    return [data[a:b] for a, b in zip(offsets, offsets[1:])]


def same(found, expected):
    """Whether two arrays are equal in type, shape and every bit that is no NaN."""
    expected = np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype, (found.shape, found.dtype, expected.shape,
                                                                             expected.dtype)
    np.testing.assert_array_equal(found, expected)


def array(random, shape, dtype):
    """Random elements of a type, with NaN among floats."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return random.random(shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    out = random.normal(size=shape).astype(dtype)
    return np.where(random.random(shape) < 0.05, np.nan, out).astype(dtype)


def spoilt(random, data):
    """A file that was cut, or of which some bytes are others."""
    data = bytearray(data)
    kind = random.integers(4)
    if kind == 0:
        return bytes(data[:random.integers(1, len(data))])
    if kind == 1:
        for _ in range(30):
            data[random.integers(len(data))] = random.integers(256)
    elif kind == 2:
        at = int(random.integers(len(data)))
        data[at:at + 512] = bytes(len(data[at:at + 512]))
    else:
        for _ in range(4):
            data[random.integers(min(4096, len(data)))] = random.choice([0, 127, 128, 255])
    return bytes(data)


DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
STORES = [{}, {"chunks": True, "compression": "gzip"}, {"chunks": True, "compression": "lzf", "shuffle": True},
          {"chunks": True, "fletcher32": True}]


def put(random, group, name, data):
    """Writes an array in one of the ways in which people do."""
    store = dict(STORES[random.integers(len(STORES))]) if data.ndim > 0 and data.size > 0 else {}
    group.create_dataset(name, data=data, **store)
    return data


def robomimic(random, path):
    """Demonstrations of robomimic, and the arrays of each."""
    truth = {}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": 20}})
        names = [f"demo_{n}" for n in random.choice(30, 4, replace=False)]
        for name in names:
            rows = int(random.integers(2, 20))
            demo = data.create_group(name)
            demo.attrs["num_samples"] = rows
            demo.attrs["ep_meta"] = json.dumps({"lang": f"task {name} – 放"}, ensure_ascii=False)
            arrays = {"actions": array(random, (rows, 7), "float64"), "rewards": array(random, rows, "float64"),
                      "dones": array(random, rows, "int64"),
                      "obs/image": array(random, (rows, 48, 64, 3), "uint8"),
                      "obs/eef_pos": array(random, (rows, 3), "float32"),
                      "obs/depth_image": array(random, (rows, 24, 32), "uint16"),
                      "next_obs/eef_pos": array(random, (rows, 3), "float32")}
            for key, value in arrays.items():
                put(random, demo, key, value)
            truth[name] = arrays
        mask = file.create_group("mask")
        mask["train"] = np.array(names[:2], "S")
        mask["valid"] = np.array(names[2:], "S")
        mask["few"] = np.array(names[:1], "S")
    return names, truth


def maniskill(random, path):
    truth, episodes = {}, []
    with h5py.File(path, "w", track_order=True) as file:
        for n in range(3):
            rows = int(random.integers(2, 12))
            arrays = {"obs/agent/qpos": array(random, (rows + 1, 9), "float32"),
                      "obs/sensor_data/cam/rgb": array(random, (rows + 1, 48, 64, 3), "uint8"),
                      "env_states/actors/cube": array(random, (rows + 1, 13), "float32"),
                      "actions": array(random, (rows, 7), "float32"), "success": array(random, rows, "bool")}
            group = file.create_group(f"traj_{n}", track_order=True)
            for key, value in arrays.items():
                put(random, group, key, value)
            truth[f"traj_{n}"] = arrays
            episodes.append({"episode_id": n, "episode_seed": int(random.integers(100)), "control_mode": "pd",
                             "success": bool(n % 2), "reset_kwargs": {"seed": n}})
    path.with_suffix(".json").write_text(json.dumps({"env_info": {"env_id": "Pick"}, "episodes": episodes}))
    return episodes, truth


def minari(random, path):
    truth = {}
    text = h5py.string_dtype()
    bytes_of = h5py.vlen_dtype(np.uint8)
    with h5py.File(path, "w", track_order=True) as file:
        for n in range(3):
            rows = int(random.integers(2, 12))
            group = file.create_group(f"episode_{n}")
            group.attrs["id"], group.attrs["total_steps"], group.attrs["seed"] = n, rows, 100 + n
            arrays = {"observations/proprio": array(random, (rows + 1, 7), "float32"),
                      "observations/pair/_index_0": array(random, rows + 1, "int64"),
                      "infos/success": array(random, rows + 1, "bool"), "actions": array(random, (rows, 2), "float32"),
                      "rewards": array(random, rows, "float64"), "terminations": array(random, rows, "bool")}
            for key, value in arrays.items():
                group[key] = value
            words = [f"mission {i} – 放" for i in range(rows + 1)]
            group.create_dataset("observations/mission", data=words, dtype=text)
            pictures = [b"\xff\xd8\xff" + random.bytes(int(random.integers(20, 60))) for _ in range(rows + 1)]
            column = group.create_dataset("observations/image", (rows + 1,), dtype=bytes_of)
            for i, picture in enumerate(pictures):
                column[i] = np.frombuffer(picture, np.uint8)
            truth[f"episode_{n}"] = (arrays, words, pictures)
    return truth


def aloha(random, folder, *, compressed=False):
    folder.mkdir(exist_ok=True)
    truth = {}
    for n in (0, 2, 10):
        rows = int(random.integers(2, 9))
        cameras = ["top", "wrist"] if n != 2 else ["top"]
        arrays = {"action": array(random, (rows, 14), "float32"),
                  "observations/qpos": array(random, (rows, 14), "float32")}
        pictures = {}
        with h5py.File(folder / f"episode_{n}.hdf5", "w") as file:
            file.attrs["sim"] = n != 2
            for key, value in arrays.items():
                file[key] = value
            for camera in cameras:
                if compressed:
                    own = [b"\xff\xd8\xff" + random.bytes(int(random.integers(20, 60))) + b"\xff\xd9"
                           for _ in range(rows)]
                    width = max(map(len, own))
                    padded = np.stack([np.frombuffer(p.ljust(width, b"\0"), np.uint8) for p in own])
                    file[f"observations/images/{camera}"] = padded
                    pictures[camera] = own
                else:
                    arrays[f"observations/images/{camera}"] = array(random, (rows, 48, 64, 3), "uint8")
                    file.create_dataset(f"observations/images/{camera}", chunks=(1, 48, 64, 3),
                                        data=arrays[f"observations/images/{camera}"])
            if compressed:
                file.attrs["compress"] = True
                file["compress_len"] = np.zeros((len(cameras), rows), np.float32)
        truth[f"episode_{n}"] = (arrays, pictures)
    return truth
