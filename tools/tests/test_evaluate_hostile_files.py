"""Forged archives, spoilt predictions and spoilt reports: evaluate refuses or answers, and never traps, hangs or leaves files."""

import json
import sys

import numpy as np
import pytest
from conftest import ROOT
from evaluate_command import PREDICTIONS, convert
from test_fuzz import run
from test_hostile import FORGERIES, shard  # noqa: F401

sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import mutate                                                                                    # noqa: E402

GOOD = PREDICTIONS / "good"
SUITES = [w for s in ("camera", "pose", "state", "keypoints", "action") for w in ("--suite", s)]


def survive(trajpack, *words):
    done = run(trajpack, "evaluate", *words, "--quiet")
    assert done.returncode in (0, 1, 2, 3) and "Fatal" not in done.stderr, (words, done.returncode, done.stderr[-400:])
    if done.returncode:
        assert done.stderr.strip().count("\n") == 0 and done.stderr.startswith("trajpack evaluate: "), done.stderr
    return done


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_forged_archives(trajpack, shard, tmp_path, name):  # noqa: F811
    """As truth, as predictions, and with windows."""
    data, good = shard
    parts = mutate.Forgery(data)
    FORGERIES[name](parts)
    mutant = tmp_path / "mutant.h5"
    mutant.write_bytes(parts.bytes())
    survive(trajpack, mutant, GOOD, *SUITES, "--partial")
    survive(trajpack, good, mutant, *SUITES, "--partial")
    survive(trajpack, mutant, mutant, "--suite", "camera", "--window", "10", "--stride", "40")


def spoilt(rng, data):
    """Some bytes changed, cut out, or put in."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at, kind = int(rng.integers(0, max(len(data), 1))), rng.integers(0, 4)
        if kind == 0 and data:
            data[at % len(data)] = int(rng.integers(0, 256))
        elif kind == 1:
            del data[at:at + int(rng.integers(1, 40))]
        elif kind == 2:
            data[at:at] = bytes(rng.choice(list(b'{}[],:"0-9e.\n'), int(rng.integers(1, 6))).tolist())
        else:
            data = data[:at]
    return bytes(data)


def test_spoilt_predictions(trajpack, shard, tmp_path):  # noqa: F811
    rng = np.random.default_rng(11)
    lines = "".join(
        json.dumps({"episode": name, "arrays": {"camera/pos": np.load(GOOD / f"{name}.npz")["camera/pos"][:20].tolist()}}) + "\n"
        for name in ("000001", "000002", "000003"))
    table = "episode,row,camera/pos.0,camera/pos.1,camera/pos.2\n" + "".join(
        f"000001,{i},{i / 8},1.5,-2\n" for i in range(60))
    sources = {"a.npz": (GOOD / "000003.npz").read_bytes(), "a.jsonl": lines.encode(), "a.csv": table.encode()}
    words = ["--metric", "camera.ate", "--metric", "skeleton.mpjpe", "--episodes", "000003", "--partial"]
    outcomes = set()
    for number in range(45):
        name = list(sources)[number % 3]
        (tmp_path / name).write_bytes(spoilt(rng, sources[name]))
        only = words[:2] + (["--episodes", "000003"] if name == "a.npz" else []) + ["--partial"]
        outcomes.add(survive(trajpack, shard[1], tmp_path / name, *only).returncode)
    assert outcomes >= {0, 1}, outcomes


def test_spoilt_reports(trajpack, tmp_path):
    world = convert(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww")
    report = tmp_path / "report.json"
    assert survive(trajpack, world, GOOD, *SUITES, "-o", report).returncode == 0
    good, rng, refused = report.read_bytes(), np.random.default_rng(12), 0
    other = tmp_path / "other.json"
    for _ in range(15):
        other.write_bytes(spoilt(rng, good))
        refused += survive(trajpack, "--rerun", other).returncode != 0
        survive(trajpack, "compare", report, other, "--format", "html")
    assert refused >= 14, refused
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.json", "report.json", "ww"]


@pytest.mark.parametrize("episode", ["../outside/e", "../outside\u2044e", "in/../../outside/e", "/outside/e"])
def test_an_archive_names_no_files_elsewhere(trajpack, tmp_path, episode):
    """Ids with slashes stand for files below the folder of predictions, and never beside it."""
    sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
    import trajpack as package
    x = np.linspace(0, 1, 20)
    with package.create(tmp_path / "truth", rate=10) as writer:
        writer.append(episode, x=x)
    for folder in ("predictions", "outside"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "e.npz", prediction=x[:, None])
    done = survive(trajpack, tmp_path / "truth", tmp_path / "predictions", "--metric", "forecast.mse")
    assert done.returncode in (1, 2) and "has no prediction" in done.stderr, done.stderr
