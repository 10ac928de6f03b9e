"""Rules of `trajpack validate` that need a world of their own, and how often rules cry out on clean data."""
from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import trajpack
from fault_world import EPISODES, clean, smooth, write
from scenes import alike, counted, crowd, drifting, filmed, quaternion, rotation
from test_validate import found, report, run

POSES = [{"pose": p, "axes": a} for p in ("camera-to-world", "world-to-camera") for a in ("OpenGL", "OpenCV")]


@pytest.mark.parametrize("said, true", list(itertools.product(range(4), range(4))))
def test_a_pose_of_another_convention_is_named(said: int, true: int, tmp_path: Path) -> None:
    out = report(filmed(tmp_path / "ds", 7 * said + true, POSES[said], POSES[true]))
    if said == true:
        assert out["findings"] == []
        return
    (finding,) = out["findings"]
    assert finding["rule"] == "geometry.projection" and finding["severity"] == "warning"
    for name, axis in (("pose", ""), ("axes", " axes")):
        if POSES[said][name] != POSES[true][name]:
            assert f"{POSES[true][name]}{axis}" in finding["message"].split(", and says")[0]


@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_the_order_of_a_camera(order: str, tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.spatial.transform")
    m = rotation(np.random.default_rng(1))
    q = quaternion(m)
    np.testing.assert_allclose(scipy.Rotation.from_quat(q).as_matrix(), m, atol=1e-12)
    true = {**POSES[0], "order": order}
    assert found(filmed(tmp_path / "good", 3, true, true, "quaternion")) == set()
    said = {**true, "order": "wxyz" if order == "xyzw" else "xyzw"}
    (finding,) = report(filmed(tmp_path / "bad", 3, said, true, "quaternion"))["findings"]
    assert finding["rule"] == "geometry.projection" and f"looks like order {order}" in finding["message"]


def test_drift_over_recordings(tmp_path: Path) -> None:
    assert found(drifting(tmp_path / "still", 1, 0)) == set()
    assert found(drifting(tmp_path / "small", 2, 0.05)) == set()
    (finding,) = report(drifting(tmp_path / "far", 3, 0.6))["findings"]
    assert (finding["rule"], finding["channel"], finding["count"]) == ("learning.drift", "force", 24)
    assert found(drifting(tmp_path / "few", 4, 0.6, 12)) == set()


def test_normalisation_by_all_splits(tmp_path: Path) -> None:
    source = alike(tmp_path / "ds", 1)

    def made(name: str, split: str, source: str) -> str:
        plan = tmp_path / f"{name}.json"
        plan.write_text(json.dumps({"steps": [{"step": "normalize", "channels": ["s/force"], "split": split}]}))
        run("apply", source, tmp_path / name, "-p", plan, "-q", code=0)
        return str(tmp_path / name)

    assert found(source) == set()
    good, bad = made("good", "train", source), made("bad", "all", source)
    assert found(good) == set()
    (finding,) = report(bad)["findings"]
    assert finding["rule"] == "learning.normalization" and "s/force" in finding["places"][0]["note"]
    assert found(made("later", "train", bad)) == {"learning.normalization"}


@pytest.mark.parametrize("change, words", [
    ((1, 4, 1), "count is"), ((1, 5, 1), "missing is"), ((1, 6, 1), "infinite is"), ((1, 7, -0.5), "min is"),
    ((1, 8, 0.5), "max is"), ((1, 9, 1e-3), "mean is"), ((9, 9, 1e-3), "mean is")])
def test_stored_statistics_that_are_not_those_of_the_data(change: tuple[int, int, float], words: str,
                                                          tmp_path: Path) -> None:
    assert found(counted(tmp_path / "good.h5", None)) == set()
    out = report(counted(tmp_path / "bad.h5", change), "--jobs", "2", code=1)
    (finding,) = out["findings"]
    assert finding["rule"] == "container.statistics" and words in finding["places"][0]["note"]
    assert finding["stream"] == "log" and finding["channel"]


def test_texts_and_values_that_some_recordings_lack(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)

    def made(name: str, silent: int | None, valued: range) -> str:
        with trajpack.create(tmp_path / name, rate={"s": 50}) as writer:
            for n in range(12):
                with writer.episode(f"{n:02d}", values={"task": "pick"} if n in valued else None) as episode:
                    episode.extend({"s": {"x": smooth(rng, 60)}})
                    episode.extend({"words": {"say": ["" if n == silent else f"line {n}"] * 4}}, time=[0, .2, .4, .6])
        return str(tmp_path / name)

    assert found(made("all", None, range(12))) == set()
    (finding,) = report(made("silent", 5, range(12)))["findings"]
    assert finding["rule"] == "labels.missing" and "words/say" in finding["message"]
    assert finding["places"][0]["episode"] == "05"
    lacking = made("lacking", None, range(1, 12))
    (finding,) = report(lacking)["findings"]
    assert finding["message"].startswith("value 'task'") and finding["places"][0]["episode"] == "00"
    assert found(made("few", None, range(6))) == set()
    run("annotate", lacking, "--remove", "task", code=0)
    assert found(lacking) == set()


def test_entities_are_as_many_as_the_recording_counts(tmp_path: Path) -> None:
    spans = [(0, 60), (20, 60)]
    counts = [1] * 20 + [2] * 40
    assert found(crowd(tmp_path / "good.h5", counts, spans)) == set()
    assert found(crowd(tmp_path / "fewer.h5", [1] * 60, spans)) == set()
    (finding,) = report(crowd(tmp_path / "lost.h5", counts, [(0, 60), (24, 60)]), code=1)["findings"]
    assert finding["rule"] == "geometry.entity-count" and finding["places"][0]["rows"] == [20, 24]
    assert finding["channel"] == "npc.count" and finding["places"][0]["values"][0] == 2


def test_clean_data_of_other_seeds_gives_no_finding(tmp_path: Path) -> None:
    """All rules over 8 datasets of 10 recordings: no false alarm."""
    for seed in range(8):
        path = write(tmp_path / f"{seed}", [{**clean(100 * seed + n + 50), "id": f"{n:03d}",
                                             "split": clean(n)["split"]} for n in range(EPISODES)])
        assert report(path)["findings"] == [], f"seed {seed}"
