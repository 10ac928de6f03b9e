"""What trials of `trajpack validate` from outside found wrong: errors on sound data, and faults that went unseen."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from fault_world import smooth
from test_validate import found, report, run


def walk(random: np.random.Generator, rows: int, *columns: int) -> Any:
    return np.cumsum(random.normal(0, 0.02, (rows, *columns)), axis=0)


def dataset(path: Path, episodes: list[dict[str, Any]], *, splits: list[str] | None = None, **options: Any) -> str:
    """Episodes of a rate of 50, each a dictionary of streams of arrays."""
    metadata = options.pop("metadata", None)
    with trajpack.create(path, rate=50, **options) as writer:
        for number, streams in enumerate(episodes):
            with writer.episode(f"e{number:02}", split=splits[number] if splits else None,
                                metadata=metadata[number] if metadata else None) as episode:
                episode.extend(streams)
    return str(path)


@pytest.mark.parametrize("rules", [["--rule", "train=80%", "--rule", "test=20%"], ["--folds", "4"]])
def test_a_split_scheme_changes_no_stored_statistics(rules: list[str], tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    splits = ["train"] * 6 + ["val"] * 4
    path = dataset(tmp_path / "ds", [{"s": {"x": walk(random, 200)}} for _ in range(10)], splits=splits)
    assert "container.statistics" not in found(path)
    run("split", path, *rules, "-q", code=0)
    assert "container.statistics" not in found(path)


def test_recordings_that_share_a_reference_are_no_copies(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    seconds = np.arange(600) / 50
    target = np.stack([np.sin(3 * seconds), np.cos(2 * seconds), 0.1 * seconds], 1)
    splits = ["train"] * 8 + ["test"] * 4

    def episodes() -> list[dict[str, Any]]:
        return [{"arm": {"target": target, "qpos": walk(random, 600, 7)},
                 "cam": {"frame_index": np.arange(600), "timestamp": seconds.astype(np.float32)}} for _ in range(12)]

    assert "learning.leakage" not in found(dataset(tmp_path / "good", episodes(), splits=splits))
    copied = episodes()
    copied[9]["arm"]["qpos"] = np.concatenate([copied[9]["arm"]["qpos"][:100], copied[2]["arm"]["qpos"][100:]])
    (finding,) = [f for f in report(dataset(tmp_path / "bad", copied, splits=splits))["findings"]
                  if f["rule"] == "learning.leakage"]
    assert [p["episode"] for p in finding["places"]] == ["e09"]


def test_copies_of_whole_numbers_are_found(tmp_path: Path) -> None:
    random = np.random.default_rng(3)

    def episodes() -> list[dict[str, Any]]:
        return [{"eeg": {"uv": (walk(random, 400, 4) * 500).astype(np.int16)}} for _ in range(8)]

    copied = episodes()
    copied[6] = copied[1]
    assert "learning.duplicate" in found(dataset(tmp_path / "one", copied))
    splits = ["train"] * 4 + ["test"] * 4
    assert "learning.leakage" in found(dataset(tmp_path / "two", copied, splits=splits))
    # Counters and short lists of actions are alike in many recordings.
    plain = [{"s": {"n": np.arange(100), "m": np.stack([np.arange(100)] * 3, 1), "a": np.arange(100) // 25}}
             for _ in range(4)]
    assert found(dataset(tmp_path / "counts", plain)) & {"learning.duplicate", "learning.leakage"} == set()


def test_a_bad_row_of_all_columns_is_a_spike(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    episodes = [{"s": {"q": np.stack([smooth(random, 300) for _ in range(7)], 1)}} for _ in range(6)]
    assert "values.spike" not in found(dataset(tmp_path / "good", episodes))
    episodes[3]["s"]["q"][120] = 2000.0
    (finding,) = [f for f in report(dataset(tmp_path / "bad", episodes))["findings"] if f["rule"] == "values.spike"]
    assert finding["places"][0]["episode"] == "e03" and finding["places"][0]["rows"] == [120, 121]


def test_a_text_of_the_metadata_that_one_lacks(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    texts: list[dict[str, Any]] = [{"task": "pick"} for _ in range(12)]
    texts[4] = {}
    path = dataset(tmp_path / "ds", [{"s": {"x": walk(random, 100)}} for _ in range(12)], metadata=texts)
    (finding,) = [f for f in report(path)["findings"] if f["rule"] == "labels.missing"]
    assert "'task' of the metadata" in finding["message"] and finding["places"][0]["episode"] == "e04"


@pytest.mark.parametrize("order", [("imu", "state", "cam"), ("state", "cam", "imu"), ("cam", "imu", "state")])
def test_lengths_are_compared_in_any_order_of_streams(order: tuple[str, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    rows = {"imu": (2000, 200), "state": (300, 30), "cam": (299, 30)}
    with trajpack.create(tmp_path / "ds", rate={name: rows[name][1] for name in order}) as writer:
        for number in range(3):
            with writer.episode(f"e{number}") as episode:
                episode.extend({name: {"x": walk(random, rows[name][0])} for name in order})
    (finding,) = [f for f in report(tmp_path / "ds")["findings"] if f["rule"] == "time.length"]
    assert finding["count"] == 3


def test_a_wheel_that_turns_fast_is_in_radians(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    angle = {"channels": {"w/angle": {"kind": "angle", "units": "rad"}}}
    wheel = [{"w": {"angle": 10.0 * np.arange(36) + random.normal(0, 0.1, 36)}} for _ in range(3)]
    assert "geometry.angle-units" not in found(dataset(tmp_path / "wheel", wheel, **angle))
    four = [{"w": {"angle": 10.0 * np.arange(36)[:, None] + random.normal(0, 0.1, (36, 4))}} for _ in range(3)]
    assert "geometry.angle-units" not in found(dataset(tmp_path / "four", four, **angle))
    heading = [{"w": {"angle": (np.cumsum(random.normal(0, 8, 400)) + 180) % 360}} for _ in range(3)]
    assert "geometry.angle-units" in found(dataset(tmp_path / "degrees", heading, **angle))


def own(folder: Path, path: str, *rules: dict[str, Any]) -> dict[str, Any]:
    config = folder / "config.json"
    config.write_text(json.dumps({"rules": list(rules)}))
    return report(path, "--config", config, "--select", "user")


def test_own_rules_tell_nanoseconds_apart(tmp_path: Path) -> None:
    rule = {"id": "order", "channel": "s/ns", "monotonic": "strictly rising"}
    start = 1_700_000_000_000_000_001
    ns = start + 7 * np.arange(300)
    assert own(tmp_path, dataset(tmp_path / "a", [{"s": {"ns": ns}}]), rule)["findings"] == []
    fallen = ns.copy()
    fallen[200] = fallen[199] - 5
    (finding,) = own(tmp_path, dataset(tmp_path / "b", [{"s": {"ns": fallen}}]), rule)["findings"]
    assert finding["count"] == 1 and finding["places"][0]["rows"] == [200, 201]
    values = np.arange(300.0)
    values[150], values[151:] = np.nan, values[151:] - 50
    (finding,) = own(tmp_path, dataset(tmp_path / "c", [{"s": {"ns": values}}]), rule)["findings"]
    assert finding["count"] == 1 and finding["places"][0]["rows"] == [151, 152]


def test_own_rules_on_rows_of_no_stream_are_named(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    path = dataset(tmp_path / "ds", [{"s": {"x": walk(random, 100)}}])
    out = own(tmp_path, path, {"id": "length", "stream": "nowhere", "min_rows": 10})
    assert any("'user.length'" in line for line in out["datasets"][0]["unchecked"])
    (finding,) = own(tmp_path, path, {"id": "length", "stream": "s", "min_rows": 101})["findings"]
    assert finding["places"][0]["values"] == [100]


def test_an_empty_selection_is_refused(tmp_path: Path) -> None:
    path = dataset(tmp_path / "ds", [{"s": {"x": walk(np.random.default_rng(9), 50)}}])
    said = run("validate", path, "--select", "", code=2).stderr
    assert "--select names no rule" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("rows, wanted", [(np.int64(7), [7, 8]), (slice(3, 5), [3, 5]), (range(2, 4), [2, 4]), (9, [9, 10])])
def test_rows_of_a_problem(rows: Any, wanted: list[int], tmp_path: Path) -> None:
    from trajpack._rule_functions import _rows

    made = _rows(rows, "user.x")
    assert made is not None and [made.start, made.stop] == wanted
    with pytest.raises(trajpack.UsageError, match="rule 'user.x': the rows of a problem are 1.5"):
        _rows(1.5, "user.x")  # type: ignore[arg-type]


def table(folder: Path, number: int, columns: dict[str, np.ndarray]) -> None:
    folder.mkdir(exist_ok=True)
    rows = np.stack(list(columns.values()), 1)
    np.savetxt(folder / f"run{number:02}.csv", rows, "%.4f", ",", header=",".join(columns), comments="")


@pytest.mark.parametrize("kind, said", [("whole", None), ("missing", "without 'flow'"), ("renamed", "without 'flow'; with 'Flow'")])
def test_a_file_with_other_columns_is_found(kind: str, said: str | None, tmp_path: Path) -> None:
    random = np.random.default_rng(10)
    for number in range(12):
        columns = {"time": np.arange(300) / 10, "temp": 20 + walk(random, 300), "flow": 3 + walk(random, 300)}
        if number == 4 and kind != "whole":
            flow = columns.pop("flow")
            columns |= {"Flow": flow} if kind == "renamed" else {}
        table(tmp_path / "runs", number, columns)
    run("convert", tmp_path / "runs", tmp_path / "ds", code=0)
    for path in (tmp_path / "runs", tmp_path / "ds"):
        findings = [f for f in report(str(path))["findings"] if f["rule"] == "values.channels"]
        assert [f["message"] for f in findings] == (
            [f"run04: other channels than 'run00' of 11 episodes: {said}"] if said else [])
        assert [(f["stream"], f["count"], len(f["places"])) for f in findings] == ([("run04", 1, 1)] if said else [])


def test_an_array_of_another_type_is_found_and_another_hand_is_none(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    (tmp_path / "runs").mkdir()
    for number in range(10):
        kind = np.float32 if number == 3 else np.float64
        np.savez(tmp_path / "runs" / f"run{number}.npz", x=walk(random, 100, 3).astype(kind), y=walk(random, 100, 2))
    (finding,) = [f for f in report(str(tmp_path / "runs"))["findings"] if f["rule"] == "values.channels"]
    assert finding["message"] == "run3: other channels than 'run0' of 9 episodes: 'x' is float32[3], not float64[3]"
    hands = [{"right" if n == 3 else "left": {"x": walk(random, 100)}} for n in range(10)]
    schema = {f"{hand}/x": {"dtype": "float64"} for hand in ("left", "right")}
    assert "values.channels" not in found(dataset(tmp_path / "hands", hands, schema=schema))


@pytest.mark.parametrize("rate, rows, is_found", [(100, 1000, True), (1, 3600, True), (1 / 60, 2400, True), (None, 400, False)])
def test_seconds_since_1970_as_float32(rate: float | None, rows: int, is_found: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(12)
    times = 1.7e9 + np.arange(rows) / rate if rate else np.repeat(1.7e9 + np.arange(100), rows // 100)
    if is_found:
        times = times.astype(np.float32).astype(np.float64)
    with trajpack.create(tmp_path / "ds") as writer, writer.episode("a") as episode:
        episode.extend({"s": {"x": walk(random, rows)}}, time=times)
    assert ("time.float32" in found(str(tmp_path / "ds"))) == is_found


@pytest.mark.parametrize("kind, width", [("angle", 3), ("direction", 3), ("scalar", 80)])
def test_sentinels_among_angles_and_in_wide_vectors(kind: str, width: int, tmp_path: Path) -> None:
    random = np.random.default_rng(13)
    episodes = [{"s": {"x": walk(random, 300, width)}} for _ in range(3)]
    options: dict[str, Any] = {"channels": {"s/x": {"kind": kind}}}
    assert "values.sentinel" not in found(dataset(tmp_path / "good", episodes, **options))
    episodes[1]["s"]["x"][60:70] = -999
    assert "values.sentinel" in found(dataset(tmp_path / "bad", episodes, **options))


@pytest.mark.parametrize("rows, period", [(200, 10), (200, 5), (200, 2.5), (700, 10), (700, 5)])
def test_independent_recordings_of_one_oscillation_are_no_copies(rows: int, period: float, tmp_path: Path) -> None:
    """Mains hum at 500 Hz: windows of few rows a period look alike where only some of their rows are compared."""
    random = np.random.default_rng(rows)
    time = np.arange(rows)
    hum = []
    for _ in range(60):
        envelope = 1 + 0.3 * np.sin(2 * np.pi * time / random.uniform(200, 900) + random.uniform(0, 6))
        phase = 2 * np.pi * time / period * (1 + random.normal(0, 1e-4)) + random.uniform(0, 6)
        hum.append({"s": {"x": random.uniform(0.7, 1.4) * envelope * np.sin(phase) + random.normal(0, 5e-4, rows)}})
    assert "learning.leakage" not in found(dataset(tmp_path / "ds", hum, splits=["train"] * 40 + ["test"] * 20))


def waves(random: np.random.Generator, rows: int, columns: int) -> Any:
    """Columns that turn back every dozen rows or so, and never repeat themselves."""
    time = np.arange(rows)[:, None]
    return sum(random.uniform(0.5, 1, columns) * np.sin(2 * np.pi * random.uniform(0.02, 0.06, columns) * time
                                                        + random.uniform(0, 6, columns)) for _ in range(4))


@pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-5])
def test_copies_with_noise_are_found_beside_a_channel_that_rests(noise: float, tmp_path: Path) -> None:
    random = np.random.default_rng(12)
    # It rests at first, too: what moves there is known for noise only later.
    gripper = (np.arange(800) % 400 >= 200) * 0.05 + 0.01
    episodes = [np.concatenate([waves(random, 800, 2), gripper[:, None]], 1) for _ in range(12)]
    splits = ["train"] * 6 + ["test"] * 6

    def leaks(name: str) -> list[dict[str, Any]]:
        path = dataset(tmp_path / name, [{"arm": {"q": v}} for v in episodes], splits=splits)
        return [p for f in report(path)["findings"] if f["rule"] == "learning.leakage" for p in f["places"]]

    assert leaks("good") == []
    episodes[8] = episodes[2] + random.normal(0, 1, (800, 3)) * episodes[2].std(0) * noise
    (place,) = leaks("bad")
    # Noise of the gripper crowds none of the other windows out.
    assert place["episode"] == "e08" and int(place["note"].split()[0]) >= 24


def test_a_jump_in_both_streams_is_no_shift(tmp_path: Path) -> None:
    random = np.random.default_rng(13)
    hands = [waves(random, 160, 3) for _ in range(12)]
    path = {"channels": {k: {"kind": "position", "units": "m"} for k in ("obs/hand", "action/target")}}

    def streams(late: dict[int, int]) -> list[dict[str, Any]]:
        return [{"obs": {"hand": h[:-5]}, "action": {"target": h[2 - late.get(n, 0):][:155]}}
                for n, h in enumerate(hands)]

    def shifts(name: str, episodes: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(p["episode"], p["note"]) for f in report(dataset(tmp_path / name, episodes, **path))["findings"]
                if f["rule"] == "time.shift" for p in f["places"]]

    assert shifts("clean", streams({})) == []
    jump = streams({})
    for stream, channel in (("obs", "hand"), ("action", "target")):
        jump[7][stream][channel] = np.concatenate([jump[7][stream][channel], jump[8][stream][channel][60:61] + 9])
    assert shifts("jump", jump) == []
    usual = "2 rows earlier than it in 11 of 12 episodes"
    assert shifts("late", streams({7: 1})) == [("e07", f"1 row earlier than 'obs', and {usual}")]
    assert shifts("none", streams({7: 2})) == [("e07", f"in step with 'obs', and {usual}")]


def test_another_unit_in_whole_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(14)

    def episodes(size: float = 1) -> list[Any]:
        return [size * (300 + smooth(random, 400) * 50 + random.normal(0, 6, 400)) for _ in range(12)]

    def units(name: str, values: list[Any]) -> list[str]:
        return [f["what"] for f in report(dataset(tmp_path / name, [{"m": {"load": v}} for v in values]))["findings"]
                if f["rule"] == "values.units"]

    load = episodes()
    assert units("clean", load) == []
    watts = [*load[:-1], np.round(load[-1] * 1000)]
    assert units("whole", watts) == ["about 1000.0 times larger than in the other episodes"]
    # The episode may be as far from its peers as they are from each other.
    assert units("far", [*load[:-1], load[-1] * 1300]) == ["about 1000.0 times larger than in the other episodes"]
    # Counts have no unit.
    counts = [np.round(v) for v in load]
    assert units("counts", [*counts[:-1], counts[-1] * 1000]) == []


def test_headings_in_radians_that_say_degrees(tmp_path: Path) -> None:
    random = np.random.default_rng(15)
    degrees = {"channels": {"w/angle": {"kind": "angle", "units": "deg"}}}

    def angles(name: str, make: Any) -> set[str]:
        return found(dataset(tmp_path / name, [{"w": {"angle": make()}} for _ in range(3)], **degrees))

    heading = np.cumsum(random.normal(0.05, 0.1, (3, 600)), 1)
    assert "geometry.angle-units" in angles("turn", lambda: heading[0] % (2 * np.pi))
    assert "geometry.angle-units" in angles("half", lambda: (heading[1] + np.pi) % (2 * np.pi) - np.pi)
    # Few degrees, and a flap that has two positions.
    assert "geometry.angle-units" not in angles("small", lambda: 3.1 + 3.1 * np.sin(heading[2]))
    assert "geometry.angle-units" not in angles("flap", lambda: (random.random(600) > 0.5) * 6.25)


@pytest.mark.parametrize("kind", ["as it is", "a sentinel", "a first sample of 0"])
def test_a_wrong_row_hides_no_copies(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    episodes = [waves(random, 400, 2) for _ in range(12)]
    episodes[8] = episodes[2].astype(np.float32).astype(np.float64)
    for values in episodes:
        if kind == "a sentinel":
            values[150] = -9999
        elif kind == "a first sample of 0":
            values += 4000
            values[0] = 0
    path = dataset(tmp_path / "ds", [{"s": {"x": v}} for v in episodes], splits=["train"] * 6 + ["test"] * 6)
    assert "learning.leakage" in found(path)


def test_whole_numbers_that_are_float32_by_chance(tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    for number, times in enumerate((9_000_000 + np.arange(3000) // 1.5, np.full(40, 20240130.0))):
        with trajpack.create(tmp_path / f"{number}") as writer, writer.episode("a") as episode:
            episode.extend({"s": {"x": walk(random, len(times))}}, time=times)
        assert "time.float32" not in found(str(tmp_path / f"{number}"))


def test_files_of_many_kinds_have_no_rest(tmp_path: Path) -> None:
    random = np.random.default_rng(18)
    for number in range(20):
        columns = {"a": walk(random, 50), "b": walk(random, 50)}
        table(tmp_path / "runs", number, columns if number < 9 else {**columns, f"c{number}": walk(random, 50)})
    assert "values.channels" not in found(str(tmp_path / "runs"))


def test_a_heading_in_radians_within_a_vector_of_degrees(tmp_path: Path) -> None:
    random = np.random.default_rng(19)
    episodes = []
    for _ in range(3):
        yaw = np.cumsum(random.normal(0.05, 0.1, 600)) % (2 * np.pi)
        episodes.append({"w": {"rpy": np.stack([walk(random, 600) * 0.3, walk(random, 600) * 0.3, yaw], 1)}})
    path = dataset(tmp_path / "ds", episodes, channels={"w/rpy": {"kind": "angle", "units": "deg"}})
    assert "geometry.angle-units" in found(path)
