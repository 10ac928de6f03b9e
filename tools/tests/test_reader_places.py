"""A damaged file of every reader: the error names the file to programs, and the line or byte where that is known."""
import json
import random
import subprocess

import h5py
import lerobot_world
import netcdf_world
import numpy as np
import pytest
import scipy.io
from mcap.writer import Writer
from test_foreign_edf import write as write_edf

ROWS = 60


def csv(path):
    path.write_text("time,x,y\n" + "".join(f"{i},{i * .5},{i}\n" for i in range(ROWS)))


def systems(path):
    numbers = [[i * .25, i] for i in range(ROWS)]
    path.write_text(json.dumps({"Lorenz": {"time": list(range(ROWS)), "values": numbers}}))


def mcap(path):
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=400)
        writer.start()
        schema = writer.register_schema("point", "jsonschema", b'{"type": "object"}')
        channel = writer.register_channel("/point", "json", schema)
        for i in range(ROWS):
            writer.add_message(channel, i * 10**8, json.dumps({"x": i * .5}).encode(), i * 10**8)
        writer.finish()


def hdf5(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("data/demo_0")
        group["actions"] = np.random.default_rng(0).normal(size=(ROWS, 3))
        group["obs/state"] = np.random.default_rng(1).normal(size=(ROWS, 5))


def arrays(rows=ROWS):
    return np.random.default_rng(2).normal(size=(rows, 3))


WRITERS = {
    "a.csv": csv,
    "a.tsv": lambda path: path.write_text("time\tx\n" + "".join(f"{i}\t{i * .5}\n" for i in range(ROWS))),
    "a.json": systems,
    "a.npy": lambda path: np.save(path, arrays()),
    "a.npz": lambda path: np.savez_compressed(path, x=arrays(), y=arrays()),
    "a.hdf5": hdf5,
    "a.mat": lambda path: scipy.io.savemat(path, {"x": arrays(), "y": arrays()}, do_compression=True),
    "v4.mat": lambda path: scipy.io.savemat(path, {"x": arrays(), "y": arrays()}, format="4"),
    "a.nc": lambda path: netcdf_world.write(path, "NETCDF3_CLASSIC", 3),
    "a.edf": lambda path: write_edf(path, 4),
    "a.mcap": mcap,
    "a.tum": lambda path: path.write_text("".join(f"{i * .1:.3f} {i} 0 0 0 0 0 1\n" for i in range(ROWS))),
    "lerobot": lambda path: lerobot_world.write(path),
}
#: Formats of text, whose errors name a line and a byte.
LINES = {"a.csv", "a.tsv"}


def refused(trajpack, source, out):
    """The object `error` of a conversion; None where the damage hurts nothing."""
    done = subprocess.run([trajpack, "convert", source, out, "--json"], capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return None
    return json.loads(done.stdout)["error"]


@pytest.mark.parametrize("name", WRITERS)
def test_of_a_damaged_file(trajpack, tmp_path, name):
    """Cut at seeded places, and with garbage written at others: whatever is refused names the file that was damaged."""
    good = tmp_path / name
    WRITERS[name](good)
    files = [good] if good.is_file() else sorted(f for f in good.rglob("*") if f.is_file() and f.stat().st_size)
    seeded = random.Random(name)
    told = []
    for number in range(8 if good.is_file() else 16):
        file = seeded.choice(files)
        whole = file.read_bytes()
        at = seeded.randrange(len(whole))
        file.write_bytes(whole[:at] if number % 2 else whole[:at] + b"?,\n\xff" + whole[at + 4:])
        error = refused(trajpack, good, tmp_path / f"out{number}")
        file.write_bytes(whole)
        if error is None:
            continue
        place = error["place"]
        # Tables that do not go together are named by another of them, or by the folder.
        assert str(place.get("file", "")).startswith(str(good)), error
        assert place["file"] in error["message"] or good.is_dir(), error
        told.append(place)
    assert told, "no damage was refused"
    if name in LINES:
        assert any({"line", "byte"} <= set(place) for place in told), told


@pytest.mark.parametrize("name, text, command", [
    ("plan.json", '{"steps": [}', ["apply", "-p", "FILE", "DATA", "OUT"]),
    ("rule.json", '{"splits": [}', ["split", "DATA", "--rules", "FILE"]),
    ("config.json", '{"rules": [}', ["validate", "DATA", "--config", "FILE"]),
    ("clips.jsonl", '{"episode": "a", "from": 0, "to": 2}\n{"episode": "a", }\n',
     ["cut", "DATA", "OUT", "--clips", "FILE"]),
])
def test_of_documents(trajpack, tmp_path, name, text, command):
    """JSON that is given to a command: the file, and the byte where it breaks, counted from its beginning."""
    csv(tmp_path / "a.csv")
    subprocess.run([trajpack, "convert", tmp_path / "a.csv", tmp_path / "data", "-q"], check=True)
    (tmp_path / name).write_text(text)
    words = {"FILE": tmp_path / name, "DATA": tmp_path / "data", "OUT": tmp_path / "out"}
    done = subprocess.run([trajpack, *[words.get(w, w) for w in command], "--json"], capture_output=True, text=True)
    assert done.returncode in (1, 2), done
    place = json.loads(done.stdout)["error"]["place"]
    assert place["file"] == str(tmp_path / name) and place["byte"] == text.rindex("}"), place
