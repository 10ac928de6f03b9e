"""What the tests of tables share: a table, how it was read, and what came out."""
import json
import subprocess

import numpy as np


def run(trajpack, *arguments, fails=False, both=False):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode in ((1, 2) if fails else (0,)), done.stdout + done.stderr
    return done.stdout + done.stderr if both else done.stderr if fails else done.stdout


def convert(trajpack, folder, source, *options):
    """The outcome as JSON, and the arrays of each episode."""
    out = json.loads(run(trajpack, "convert", source, folder / "ds", *options, "--json", "--quiet"))
    run(trajpack, "export", "--quiet", folder / "ds", folder / "npz", "--to", "npz")
    arrays = {}
    for path in sorted((folder / "npz").rglob("episode.npz")):
        with np.load(path) as members:
            arrays[str(path.parent.relative_to(folder / "npz"))] = {k: members[k] for k in members}
    return out, arrays


def one(trajpack, tmp_path, text, *options, name="a.csv"):
    """The reading and the arrays of a table."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    out, arrays = convert(trajpack, tmp_path, path, *options)
    assert len(arrays) == 1, list(arrays)
    return out["reading"][0], {k.removeprefix("series/"): v for k, v in next(iter(arrays.values())).items()}


def refused(trajpack, tmp_path, text, *options, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = run(trajpack, "convert", path, tmp_path / "ds", *options, fails=True)
    assert not (tmp_path / "ds").exists()
    return said


# Seeded tables, against pandas.
