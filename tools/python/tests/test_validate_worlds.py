"""Rules of `trajpack validate` on depth, on series that run backwards, on recordings that were cut, and on speeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import trajpack
from fault_world import smooth
from test_validate import found, report, run

ROWS = 80


def depth(
    path: Path,
    seed: int,
    kind: str = "float32",
    units: str | None = "m",
    scale: float = 1.0,
    empty: tuple[int, ...] = (),
    echo: float = 0.8,
) -> str:
    """Three recordings of pictures of depth: a wall at some metres, and pixels without an echo (0)."""
    rng = np.random.default_rng(seed)
    with trajpack.create(path, rate=30, channels={"cam/depth": {"kind": "depth", "units": units}}) as writer:
        for number in range(3):
            wall = 3 + smooth(rng, ROWS, 0.4)[:, None, None] + rng.normal(0, 0.05, (ROWS, 12, 16))
            picture = np.where(rng.random((ROWS, 12, 16)) < echo, wall * scale, 0)
            if number == 1:
                picture[list(empty)] = 0
            writer.append(f"{number}", {"cam/depth": picture.astype(kind)})
    return str(path)


@pytest.mark.parametrize(
    "kind, units, scale",
    [
        ("float32", "m", 1),
        ("float32", "mm", 1000),
        ("uint16", "mm", 1000),
        ("float64", None, 1),
        ("uint16", None, 1000),
        ("float32", "km", 1e-3),
    ],
)
def test_clean_depth(kind: str, units: str | None, scale: float, tmp_path: Path) -> None:
    assert found(depth(tmp_path / "ds", 1, kind, units, scale)) == set()
    assert found(depth(tmp_path / "few", 2, kind, units, scale, echo=0.3)) == set()


@pytest.mark.parametrize("kind, units, scale", [("float32", "m", 1), ("uint16", "mm", 1000)])
def test_pictures_without_depth(kind: str, units: str, scale: float, tmp_path: Path) -> None:
    (finding,) = report(depth(tmp_path / "ds", 3, kind, units, scale, empty=(20, 21, 60)))["findings"]
    assert (finding["rule"], finding["channel"], finding["count"]) == ("geometry.depth-missing", "depth", 3)
    assert [p["rows"] for p in finding["places"]] == [[20, 22], [60, 61]] and finding["places"][0]["episode"] == "1"


@pytest.mark.parametrize("units, scale", [("m", 1000.0), ("km", 1.0), ("mm", 1e-3)])
def test_depth_of_another_unit(units: str, scale: float, tmp_path: Path) -> None:
    (finding,) = report(depth(tmp_path / "ds", 4, "float32", units, scale))["findings"]
    assert (finding["rule"], finding["tracks"]) == ("geometry.depth-range", 3)


def prices(seed: int, rows: int = 400) -> pd.DataFrame:
    """Days of a stock: a night's step from close to open, and a larger one by day."""
    rng = np.random.default_rng(seed)
    night, day = rng.normal(0, 0.004, rows), rng.normal(0, 0.015, rows)
    close = 50 * np.exp(np.cumsum(night + day))
    open_ = close / np.exp(day)
    return pd.DataFrame(
        {
            "Open": open_,
            "High": np.maximum(open_, close) * 1.003,
            "Low": np.minimum(open_, close) * 0.997,
            "Close": close,
            "Volume": rng.integers(10**6, 10**7, rows),
        }
    )


def test_a_stock_table_with_the_newest_day_first(tmp_path: Path) -> None:
    for seed in range(4):
        frame = prices(seed)
        frame.to_csv(tmp_path / "good.csv", index=False)
        frame[::-1].to_csv(tmp_path / "bad.csv", index=False)
        assert "learning.reversed" not in found(tmp_path / "good.csv", "--rate", 1)
        (finding,) = [
            f for f in report(tmp_path / "bad.csv", "--rate", 1)["findings"] if f["rule"] == "learning.reversed"
        ]
        assert finding["channel"] == "Open"


@pytest.mark.parametrize("names", [("pos", "vel"), ("qpos", "qvel"), ("position", "velocity")])
def test_velocities_against_positions(names: tuple[str, str], tmp_path: Path) -> None:
    def made(name: str, turned: bool, sign: float = 1) -> str:
        rng = np.random.default_rng(5)
        with trajpack.create(tmp_path / name, rate=50) as writer:
            for number in range(3):
                p = np.stack([smooth(rng, 200) for _ in range(3)], 1)
                arrays = {names[0]: p, names[1]: sign * np.gradient(p, 0.02, axis=0)}
                step = np.arange(200)
                if turned:
                    arrays, step = {k: v[::-1].copy() for k, v in arrays.items()}, step[::-1].copy()
                writer.append(f"{number}", {f"arm/{k}": v for k, v in arrays.items()} | {"log/step": step})
        return str(tmp_path / name)

    assert found(made("good", False)) == set()
    assert found(made("sign", False, -1)) == {"learning.reversed"}
    findings = report(made("turned", True))["findings"]
    assert {(f["rule"], f["stream"], f["channel"], f["tracks"]) for f in findings} == {
        ("learning.reversed", "arm", names[0], 3),
        ("learning.reversed", "log", "step", 3),
    }


def test_clips_of_one_recording_in_two_splits(tmp_path: Path) -> None:
    def made(name: str, recordings: list[int], key: str = "recording") -> str:
        rng = np.random.default_rng(6)
        with trajpack.create(tmp_path / name, rate=50) as writer:
            for number, recording in enumerate(recordings):
                writer.append(
                    f"{number}",
                    {"s/x": smooth(rng, 100)},
                    split="train" if number < 6 else "test",
                    values_of={key: f"r{recording}"},
                )
        return str(tmp_path / name)

    assert found(made("good", [0, 0, 1, 1, 2, 2, 3, 3])) == set()
    assert found(made("person", [0, 0, 1, 1, 2, 2, 0, 1], "person")) == set()
    (finding,) = report(made("bad", [0, 0, 1, 1, 2, 2, 3, 1]))["findings"]
    assert (finding["rule"], finding["count"], finding["places"][0]["episode"]) == ("learning.shared-recording", 1, "7")
    assert "the same recording as 2 of split 'train'" in finding["places"][0]["note"]


def test_speeds_of_the_configuration(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    yaw = np.unwrap(smooth(rng, 300)) * 40
    yaw[200:] += 90
    pos = smooth(rng, 300)[:, None] * [1, 1, 1]
    channels: dict[str, Any] = {"s/yaw": {"kind": "angle", "units": "deg"}, "s/pos": {"kind": "position", "units": "m"}}
    with trajpack.create(tmp_path / "ds", rate=50, channels=channels) as writer:
        writer.append("a", {"s/yaw": (yaw + 180) % 360 - 180, "s/pos": pos})
    assert found(tmp_path / "ds") == set()
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"speed": {"angle": 2000}}))
    (finding,) = report(tmp_path / "ds", "--config", config)["findings"]
    assert (finding["rule"], finding["channel"], finding["places"][0]["rows"]) == ("values.speed", "yaw", [200, 201])
    config.write_text(json.dumps({"speed": {"position": 0.5}}))
    assert {f["channel"] for f in report(tmp_path / "ds", "--config", config)["findings"]} == {"pos"}
    for wrong in ({"angle": 0}, {"hand": 1}, {"position": "fast"}):
        config.write_text(json.dumps({"speed": wrong}))
        assert "speed" in run("validate", tmp_path / "ds", "--config", config, code=2).stderr


def test_more_findings_than_github_takes(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "ds", rate=50) as writer:
        writer.append("a", {f"s/c{n}": np.array([1.5, np.inf, 2.5]) for n in range(5003)})
    run_ = json.loads(run("validate", "ds", "--format", "sarif", "-q", cwd=tmp_path, code=1).stdout)["runs"][0]
    assert len(run_["results"]) == 5000
    assert "3 more findings" in run_["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    marks = {r["partialFingerprints"]["primaryLocationLineHash"] for r in run_["results"]}
    assert len(marks) == 5000


def test_fingerprints_stay_when_episodes_are_added(tmp_path: Path) -> None:
    def marks(count: int) -> set[str]:
        rng = np.random.default_rng(8)
        with trajpack.create(tmp_path / f"{count}" / "ds", rate=50) as writer:
            for number in range(count):
                x = smooth(rng, 100)
                x[50] = np.inf if number == 3 else x[50]
                writer.append(f"{number}", {"s/x": x})
        done = run("validate", "ds", "--format", "sarif", "-q", cwd=tmp_path / f"{count}", code=1)
        return {
            r["partialFingerprints"]["primaryLocationLineHash"] for r in json.loads(done.stdout)["runs"][0]["results"]
        }

    assert marks(4) == marks(7) and len(marks(5)) == 1


def test_episodes_are_compared_as_a_dictionary_would(tmp_path: Path) -> None:
    """Equal episodes and shared windows, of seeded random datasets, against a reading that keeps everything."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        bank = [smooth(rng, 160) for _ in range(12)]
        picks = rng.integers(0, 12, 40)
        halves = rng.random(40) < 0.3
        splits = ["train" if rng.random() < 0.6 else "test" for _ in range(40)]
        rows = [np.concatenate([bank[p][:110], smooth(rng, 50)]) if h else bank[p] for p, h in zip(picks, halves)]
        with trajpack.create(tmp_path / f"{seed}", rate=50) as writer:
            for number, (x, split) in enumerate(zip(rows, splits)):
                writer.append(f"{number:02}", {"s/x": x}, split=split)
        first: dict[bytes, int] = {}
        twins, leaks = 0, set()
        for number, x in enumerate(rows):
            other = first.setdefault(x.tobytes(), number)
            if other != number and splits[other] == splits[number]:
                twins += 1
            elif other != number:
                leaks.add(number)
        out = report(tmp_path / f"{seed}", "--select", "learning.duplicate,learning.leakage")["findings"]
        counts = {(f["rule"], f["what"]): f["count"] for f in out}
        assert counts.get(("learning.duplicate", "episodes are equal"), 0) == twins
        assert counts.get(("learning.leakage", "episodes of two splits are equal"), 0) == len(leaks)
        assert counts[("learning.leakage", "episodes of two splits share windows")] > 0


def arms(path: Path, change: Any = None, count: int = 12) -> str:
    """Recordings as npz, whose arrays have names and no kinds."""
    path.mkdir()
    rng = np.random.default_rng(9)
    for number in range(count):
        angle = smooth(rng, 300, 0.3)
        arrays = {
            "eef_pos": np.stack([smooth(rng, 300) for _ in range(3)], 1),
            "action": np.stack([smooth(rng, 300) for _ in range(7)], 1),
            "eef_quat": np.stack([0 * angle, np.sin(angle / 2), 0 * angle, np.cos(angle / 2)], 1),
        }
        if change and number == 5:
            change(arrays)
        np.savez(path / f"{number:02}.npz", **arrays)
    return str(path)


def _nan(a: dict[str, Any]) -> None:
    a["action"][40, 2] = a["action"][30, 5] = np.nan


def _jump(a: dict[str, Any]) -> None:
    a["eef_pos"][150:, 0] += 60


def _still(a: dict[str, Any]) -> None:
    a["eef_pos"][:] = [0.1, 0.2, 0.3]


def _zero(a: dict[str, Any]) -> None:
    a["eef_quat"][77] = 0


def _sign(a: dict[str, Any]) -> None:
    a["eef_quat"][150:] *= -1


@pytest.mark.parametrize(
    "change, rule, channel, row, also",
    [
        (None, None, "", 0, set()),
        (_nan, "values.incomplete", "action", 30, set()),
        (_jump, "values.teleport", "eef_pos", 150, set()),
        (_still, "values.dead", "eef_pos", 0, set()),
        (_zero, "geometry.quaternion-norm", "eef_quat", 77, set()),
        (_sign, "geometry.quaternion-sign", "eef_quat", 150, set()),
    ],
)
def test_faults_in_arrays_without_kinds(
    change: Any, rule: str | None, channel: str, row: int, also: set[str], tmp_path: Path
) -> None:
    findings = report(arms(tmp_path / "npz", change), "--rate", 50)["findings"]
    assert {f["rule"] for f in findings} - also == ({rule} if rule else set())
    for finding in findings:
        assert finding["channel"] == channel and finding["places"][0]["episode"] == "05"
        assert finding["places"][0]["rows"][0] == row


def test_a_channel_that_often_misses_values_is_no_finding(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    with trajpack.create(tmp_path / "ds", rate=50) as writer:
        for number in range(20):
            x = smooth(rng, 200)
            x[rng.random(200) < (0.2 if number % 3 == 0 else 0)] = np.nan
            writer.append(f"{number}", {"s/x": x})
    assert found(tmp_path / "ds") == set()


@pytest.mark.parametrize("rows", [17, 20, 29, 30, 64])
def test_a_spike_in_a_short_recording(rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    values = [smooth(rng, rows) for _ in range(3)]
    with trajpack.create(tmp_path / "good", rate=50) as writer:
        for number, x in enumerate(values):
            writer.append(f"{number}", {"s/x": x})
    assert found(tmp_path / "good") == set()
    values[1][rows // 2] = 1e6
    with trajpack.create(tmp_path / "bad", rate=50) as writer:
        for number, x in enumerate(values):
            writer.append(f"{number}", {"s/x": x})
    (finding,) = report(tmp_path / "bad")["findings"]
    assert (finding["rule"], finding["places"][0]["rows"]) == ("values.spike", [rows // 2, rows // 2 + 1])


@pytest.mark.parametrize(("splits", "rule"), [
    (("train", "test"), "learning.leakage"), (("train", ""), "learning.duplicate"), (("", "train"), "learning.duplicate"),
    (("", ""), "learning.duplicate"), (("test", "test"), "learning.duplicate")])
def test_a_copy_is_told_by_one_rule(tmp_path: Path, splits: tuple[str, str], rule: str) -> None:
    """Whether both copies have a split or not."""
    x = smooth(np.random.default_rng(4), 160)
    with trajpack.create(tmp_path / "ds", rate=50) as writer:
        for number, split in enumerate(splits):
            writer.append(f"{number}", {"s/x": x}, split=split)
    found = trajpack.validate(tmp_path / "ds", select=["learning.leakage", "learning.duplicate"]).findings
    assert [f.rule for f in found] == [rule]
