"""What the tests of `trajpack evaluate` share: running it, and the truth as plain HDF5 shows it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import read_archive
from conftest import ROOT, built

PREDICTIONS = ROOT / "fixtures" / "predictions"
SUITES = ["camera", "pose", "state", "keypoints", "action"]


def run(*words, code=0, folder=None):
    """Runs `trajpack evaluate`; what it prints, or its error where `code` is not 0; `code` may be several."""
    done = subprocess.run([built("trajpack"), "evaluate", *map(str, words)], capture_output=True, text=True, timeout=120,
                          cwd=folder, env={**os.environ, "NO_COLOR": "1"})
    codes = code if isinstance(code, tuple) else (code,)
    assert done.returncode in codes, (done.returncode, done.stdout, done.stderr)
    assert "Fatal error" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def report(*words, folder=None):
    return json.loads(run(*words, "--format", "json", folder=folder))


def figures(document):
    """The metrics of a report by name."""
    return {m["name"]: m for m in document["metrics"]}


def by_episode(metric):
    return {e["episode"]: e["value"] for e in metric["episodes"]}


def convert(source, target):
    subprocess.run([built("trajpack"), "convert", source, target, "--quiet"], check=True, capture_output=True)
    return target


def label(stream, entity):
    if entity is None:
        return stream
    return f"{stream}[{entity['index']}]" if entity["kind"] == stream else f"{stream}[{entity['kind']} {entity['index']}]"


def truth(folder):
    """Every channel of every episode of a dataset on the frames of its longest track, by h5py alone; NaN where there is
    nothing. Only for regular clocks of one rate."""
    out = {}
    for path in sorted(Path(folder).glob("*.h5")):
        shard = read_archive.Shard(str(path))
        for row in shard.episodes.tolist():
            tracks = [shard.tracks[n] for n in range(row[5], row[5] + row[6])]
            frames, episode = max(int(t[5]) for t in tracks), {}
            for track in tracks:
                stream = shard.schema["streams"][track[1]]
                entity = None
                if track[2] >= 0:
                    kind, index, _ = shard.entities[track[2]].tolist()
                    entity = {"kind": shard.schema["entity_kinds"][kind], "index": index}
                _, time = shard.times(track)
                _, sn, sd, rn, rd = map(int, (0, *shard.clocks[track[3]].tolist()[1:]))
                first = round(sn / sd * rn / rd)
                for channel in stream["channels"]:
                    if channel["type"] == "bytes":
                        continue
                    values, observed = shard.numbers(channel, int(track[4]), int(track[5]))
                    name = f"{label(stream['name'], entity)}/{channel['name']}"
                    whole = episode.setdefault(name, np.full((frames, *values.shape[1:]), np.nan))
                    whole[first:first + len(values)] = np.where(observed, values, np.nan)
            out[shard.string(row[0], row[1])] = episode
    return out


def predicted(model):
    return {p.stem: dict(np.load(p)) for p in sorted((PREDICTIONS / model).glob("*.npz"))}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return convert(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path_factory.mktemp("evaluate") / "ww")


@pytest.fixture(scope="module")
def lorenz(tmp_path_factory):
    return convert(ROOT / "fixtures" / "series" / "lorenz_float64.npy", tmp_path_factory.mktemp("evaluate") / "lorenz")


def suites(names=SUITES):
    return [word for name in names for word in ("--suite", name)]
