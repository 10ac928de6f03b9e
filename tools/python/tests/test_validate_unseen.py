"""What a further trial of `trajpack validate` found: faults of values that went unseen, and warnings on sound data."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from fault_world import smooth
from test_validate import found, report
from test_validate_trials import dataset, own, walk


def values(random: np.random.Generator, rows: int = 300) -> dict[str, Any]:
    """A channel that changes in every row, beside which others are looked at."""
    return {"other": smooth(random, rows)}


def findings(path: str, rule: str) -> list[dict[str, Any]]:
    return [f for f in report(path)["findings"] if f["rule"] == rule]


@pytest.mark.parametrize("dtype, low, high", [
    (np.int16, -32768, 32767), (np.int32, -32768, 32767), (np.int64, -32768, 32767), (np.uint16, 0, 65535),
    (np.int64, 0, 65535), (np.uint8, 0, 255), (np.int8, -128, 127)])
def test_integers_without_a_kind_that_are_cut_off(dtype: Any, low: int, high: int, tmp_path: Path) -> None:
    wave = np.sin(np.arange(300)[:, None] / 10 + np.arange(4)) * (high - low) / 2

    def signal(size: float) -> Any:
        return np.clip(np.round((high + low) / 2 + size * wave), low, high).astype(dtype)

    def episode(size: float) -> list[dict[str, Any]]:
        return [{"s": {"v": signal(size)} | values(np.random.default_rng(20))}]

    assert found(dataset(tmp_path / "whole", episode(0.9))) == set()
    (finding,) = report(dataset(tmp_path / "cut", episode(1.5)))["findings"]
    assert (finding["rule"], finding["channel"], finding["tracks"]) == ("values.saturated", "v", 1)
    # Zero is no end of what begins there.
    ends = (signal(1.5) == high) | ((signal(1.5) == low) & (low < 0))
    assert 0 < finding["count"] <= int(ends.any(1).sum())


def test_integers_without_a_kind_that_run_over_or_miss_values(tmp_path: Path) -> None:
    rows = np.arange(300)
    wrapped = ((rows * 500) % 65536).astype(np.uint16)
    counts = np.round(200 + 50 * np.sin(rows / 10)).astype(np.int64)
    counts[50:60] = -9999
    seen = report(dataset(tmp_path / "ds", [{"s": {"w": wrapped, "n": counts}}]))["findings"]
    assert {(f["rule"], f["channel"], f["count"]) for f in seen} == {
        ("values.wraparound", "w", 2), ("values.sentinel", "n", 10)}


@pytest.mark.parametrize("kind", [None, "scalar"])
def test_numbers_of_messages_that_begin_anew(kind: str | None, tmp_path: Path) -> None:
    """Messages are lost anywhere, also exactly at the end of the type; what adds up or swings runs over there."""
    random = np.random.default_rng(25)
    rows = np.arange(3000)
    sent = 64_000 + rows[random.random(3000) > 0.1]
    lost = [sent[(sent < 65_535) | (sent > 65_536)], sent[(sent < 65_530) | (sent > 65_570)], sent,
            np.concatenate([sent[:2000], 65_536 + np.arange(1000)])]
    counters = []
    for n in lost:
        streams = {"up": n.astype(np.uint16), "signed": (n - 32_768).astype(np.int16), "down": (-n).astype(np.uint16),
                   "long": (n - 65_536).astype(np.uint32)}
        counters.append({"s": streams | values(random, len(n))})

    def wrapped(name: str, episodes: list[dict[str, Any]]) -> set[str]:
        kinds = {f"s/{c}": {"kind": kind} for c in episodes[0]["s"] if c != "other"} if kind else {}
        return {f["channel"] for f in findings(dataset(tmp_path / name, episodes, channels=kinds), "values.wraparound")}

    assert wrapped("counters", counters) == set()
    sums = {"energy": 60_002 + 4 * np.cumsum(random.integers(0, 4, 3000)),
            "wave": 65_520 + np.round(400 * np.sin(rows / 30)),
            "noisy": 65_500 + np.cumsum(random.integers(-3, 4, 3000)) + rows // 10}
    assert all(max(v) > 65_540 and min(v) < 65_530 for v in sums.values())
    sums = {name: v.astype(np.int64).astype(np.uint16) for name, v in sums.items()}
    assert wrapped("sums", [{"s": sums | values(random, 3000)}]) == set(sums)


def test_labels_stay_labels(tmp_path: Path) -> None:
    """Ids with a number of none, buttons, counters, checksums and pressed triggers are meant so."""
    random = np.random.default_rng(21)
    rows = np.arange(600)
    ids = np.repeat(random.integers(0, 40, 60), 10).astype(np.uint16)
    ids[200:260] = 65535
    action = random.integers(0, 6, 600).astype(np.int64)
    action[random.random(600) < 0.1] = 99
    trigger = np.clip(np.round(800 * np.sin(rows / 20)), 0, 255).astype(np.uint8)
    gripper = np.interp(rows % 100, [0, 45, 62, 82, 99], [0, 0, 255, 255, 0]).astype(np.uint8)
    streams = {"s": {"id": ids, "action": action, "trigger": trigger, "gripper": gripper,
                     "button": (255 * (rows // 30 % 2)).astype(np.uint8), "sequence": (rows + 65300).astype(np.uint16),
                     "alive": rows.astype(np.uint8), "hash": random.integers(0, 2**32, 600).astype(np.uint32),
                     "key": random.integers(-1, 2, 600).astype(np.int32)} | values(random, 600)}
    assert found(dataset(tmp_path / "ds", [streams])) == set()


def test_a_counter_does_not_say_that_joints_move(tmp_path: Path) -> None:
    random = np.random.default_rng(23)
    joints = random.normal(size=(600, 2)).cumsum(0)
    joints[300:340] = joints[299]
    assert found(dataset(tmp_path / "ds", [{"s": {"q": joints, "step": np.arange(600)}}])) == set()


def test_rows_of_vectors_are_counted_once(tmp_path: Path) -> None:
    random = np.random.default_rng(22)
    place = np.stack([smooth(random, 900) for _ in range(3)], 1)
    for row in (30, 400, 700):
        place[row:] += 10
    force = np.stack([smooth(random, 900) for _ in range(3)], 1)
    force[[30, 90, 91, 150, 200, 250]] = -9999
    force[700, 1] = -9999
    path = dataset(tmp_path / "ds", [{"s": {"pos": place, "force": force}}])
    (jump,) = findings(path, "values.teleport")
    assert (jump["count"], jump["tracks"]) == (3, 1) and [p["rows"][0] for p in jump["places"]] == [30, 400, 700]
    (word,) = findings(path, "values.sentinel")
    assert (word["count"], word["tracks"]) == (7, 1)
    assert [p["rows"] for p in word["places"]] == [[30, 31], [90, 92], [150, 151]]


@pytest.mark.parametrize("noise", [0.1, 0.0])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stretches, rows, smooth_too", [
    ([(200, 300)], 1000, True), ([(200, 300), (600, 700)], 1000, True), ([(300, 900)], 1000, True),
    ([(40, 80)], 120, True), ([(0, 600)], 1000, False), ([(0, 100), (600, 700)], 1000, False),
    ([(600, 1000)], 1000, False)])
def test_sensors_that_stick(
    stretches: list[tuple[int, int]], rows: int, smooth_too: bool, whole: bool, noise: float, tmp_path: Path
) -> None:
    """What is smooth may have come to rest where a track begins or ends."""
    random = np.random.default_rng(23)
    volt = 12.3 + np.sin(np.arange(rows) / 37) + np.sin(np.arange(rows) / 11 + 1) + random.normal(0, noise, rows)
    if whole:
        volt = np.round(volt * 90_000).astype(np.int32)
    for first, end in stretches:
        volt[first:end] = volt[first]
    path = dataset(tmp_path / "ds", [{"s": {"volt": volt} | values(random, rows)}])
    assert [(f["count"], [p["rows"] for p in f["places"]]) for f in report(path)["findings"]] == (
        [(sum(b - a for a, b in stretches), [list(s) for s in stretches])] if smooth_too or noise else [])


def test_joints_that_pause_and_counters_that_stop_do_not_stick(tmp_path: Path) -> None:
    random = np.random.default_rng(24)
    rows = np.arange(1000)
    streams = {}
    for name, moving in (("often", rows // 100 % 3 != 1), ("once", (rows < 400) | (rows >= 500)), ("last", rows < 700)):
        joint = np.cumsum(np.cos(rows / 90) * 0.02 * moving)
        streams |= {name: joint, f"{name}_ticks": np.round(joint * 40_000).astype(np.int32),
                    f"{name}_frame": np.cumsum(moving)}
    assert found(dataset(tmp_path / "ds", [{"s": streams | values(random, 1000)}])) == set()


def test_words_for_missing_in_most_rows_or_among_large_values(tmp_path: Path) -> None:
    random = np.random.default_rng(25)
    temp = 20 + smooth(random, 300, 2)
    temp[random.permutation(300)[:180]] = -9999.0
    (finding,) = findings(dataset(tmp_path / "most", [{"s": {"temp": temp} | values(random)}]), "values.sentinel")
    assert finding["count"] == 180
    press = np.clip(300.5 + 300 * np.sin(np.arange(300) / 20), 0, None)
    press[[50, 51, 90]] = -999
    path = dataset(tmp_path / "positive", [{"s": {"press": press} | values(random)}])
    (finding,) = findings(path, "values.sentinel")
    assert finding["count"] == 3


def test_a_resting_object_that_jumps(tmp_path: Path) -> None:
    def carried(jump: float) -> dict[str, Any]:
        place = np.zeros((300, 3)) + 0.5
        place[100:115] += np.linspace(0, 0.2, 15)[:, None]
        place[115:] += 0.2
        place[200:] += jump
        return {"s": {"object_pos": place} | values(np.random.default_rng(26))}

    assert found(dataset(tmp_path / "good", [carried(0)])) == set()
    (finding,) = report(dataset(tmp_path / "bad", [carried(1.3)]))["findings"]
    assert (finding["rule"], finding["count"], finding["places"][0]["rows"]) == ("values.teleport", 1, [200, 201])
    goal = np.repeat([[0.5, 0.25], [0.75, 0.5], [3.5, 4.25]], 100, axis=0)
    assert found(dataset(tmp_path / "goal", [{"s": {"goal_pos": goal} | values(np.random.default_rng(27))}])) == set()


def test_dead_numbers_of_vectors(tmp_path: Path) -> None:
    random = np.random.default_rng(28)

    def torques(change: Any) -> list[dict[str, Any]]:
        out = []
        for number in range(20):
            torque = np.stack([smooth(random, 300, 2) for _ in range(7)], 1)
            change(number, torque)
            out.append({"s": {"torque": torque} | values(random)})
        return out

    def joint(number: int, torque: Any) -> None:
        if number == 4:
            torque[:, 3] = 0.325

    def whole(number: int, torque: Any) -> None:
        torque[:, 0] = 0
        if number == 4:
            torque[:] = 0.325

    def rarely(number: int, torque: Any) -> None:
        torque[50:200, 3] = torque[50, 3]
        joint(number, torque)

    for name, change in (("joint", joint), ("whole", whole)):
        (finding,) = report(dataset(tmp_path / name, torques(change)))["findings"]
        assert (finding["rule"], finding["channel"], finding["count"]) == ("values.dead", "torque", 1)
        assert finding["places"][0]["episode"] == "e04"
    assert "values.dead" not in found(dataset(tmp_path / "rarely", torques(rarely)))


def test_each_number_of_a_vector_drifts_and_clocks_do_not(tmp_path: Path) -> None:
    random = np.random.default_rng(29)

    def episodes(drift: float) -> list[dict[str, Any]]:
        out = []
        for number in range(30):
            force = np.stack([smooth(random, 300) for _ in range(6)], 1)
            force[:, 4] += drift * number
            clock = 1.7e9 + 3600 * number + np.arange(300) / 30 + random.uniform(0, 0.001, 300)
            out.append({"s": {"force": force, "wall_time": clock, "way": clock - 1.69e9} | values(random)})
        return out

    assert found(dataset(tmp_path / "good", episodes(0))) == set()
    (finding,) = report(dataset(tmp_path / "bad", episodes(2)))["findings"]
    assert (finding["rule"], finding["channel"]) == ("learning.drift", "force")
    assert "element 4" in finding["places"][0]["note"]


@pytest.mark.parametrize("start", [0.0, 1.7e9])
@pytest.mark.parametrize("ticks", [False, True])
def test_rounded_times_of_any_year(start: float, ticks: bool, tmp_path: Path) -> None:
    def made(name: str, rate: float) -> str:
        random = np.random.default_rng(30)
        options: dict[str, Any] = {"streams": {"log": {"tick": "1/1000"}}} if ticks else {}
        with trajpack.create(tmp_path / name, **options) as writer:
            for number in range(3):
                exact = np.round((start + 100 * number + np.arange(300) / rate) * 1000)
                with writer.episode(f"e{number}") as episode:
                    episode.extend({"log": {"q": smooth(random, 300)}},
                                   time=exact.astype(np.int64) if ticks else exact / 1000)
        return str(tmp_path / name)

    assert found(made("even", 25)) == set()
    assert found(made("rounded", 30)) == {"time.rounded"}


def test_headings_near_north(tmp_path: Path) -> None:
    random = np.random.default_rng(31)
    folder = tmp_path / "csv"
    folder.mkdir()
    for number in range(10):
        turn = np.cumsum(random.normal(0, 0.4, 600))
        # In one of ten it goes through north once, and stays there.
        once = (np.linspace(-40, 30, 600) if number == 3 else np.linspace(40, 90, 600)) + turn / 40
        columns = np.stack([np.arange(600), (turn % 360).round(1), turn % 360, np.radians((turn + 180) % 360 - 180),
                            np.radians(turn % 360), once % 360], 1)
        np.savetxt(folder / f"{number}.csv", columns, delimiter=",", header="time,heading,course,yaw,bearing,once",
                   comments="", fmt=["%d", "%.1f", "%.9f", "%.9f", "%.9f", "%.9f"])
    assert found(folder) == set()


def test_clocks_that_count_down_are_not_reversed(tmp_path: Path) -> None:
    random = np.random.default_rng(32)
    left = 600 - np.arange(1200) / 60
    assert found(dataset(tmp_path / "game", [{"g": {"time": left} | values(random, 1200)}])) == set()
    for name, column in (("time", 1.7e9 - np.arange(1200) / 60), ("frame", 1199 - np.arange(1200))):
        path = dataset(tmp_path / name, [{"g": {name: column} | values(random, 1200)}])
        assert found(path) == {"learning.reversed"}


def test_discrete_actions_are_no_converter_with_few_bits(tmp_path: Path) -> None:
    random = np.random.default_rng(33)
    choices = {"steer": random.choice([-0.5, -0.25, 0.0, 0.25, 0.5], 400),
               "gas": random.choice([0, 0.5, 1.0, 1.5], 400)}
    assert found(dataset(tmp_path / "actions", [{"s": choices | values(random, 400)}])) == set()
    noise = {"around": np.round(random.normal(0, 1.5, 400)) * 0.3, "near": 1.4 + 0.2 * random.integers(-1, 2, 400)}
    path = dataset(tmp_path / "noise", [{"s": noise | values(random, 400)}])
    assert {f["channel"] for f in findings(path, "values.quantised")} == {"around", "near"}


def test_the_clock_that_drifts_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(34)
    seconds = np.arange(3000) / 100
    for slow in "abc":
        with trajpack.create(tmp_path / slow) as writer:
            for number in range(3):
                with writer.episode(f"e{number}") as episode:
                    for name in "abc":
                        episode.extend({name: {"q": smooth(random, 3000)}},
                                       time=seconds * (1.002 if name == slow and number == 2 else 1))
        (finding,) = report(tmp_path / slow)["findings"]
        assert (finding["rule"], finding["stream"], finding["count"]) == ("time.drift", slow, 1)


def test_own_rules_on_whole_numbers_of_64_bits(tmp_path: Path) -> None:
    ns = 1_700_000_000_000_000_000 + 7 * np.arange(40_000)
    path = dataset(tmp_path / "ds", [{"s": {"ns": ns, "pair": np.stack([ns, ns + 1], 1)}}])

    def count(**rule: Any) -> list[tuple[int, list[int]]]:
        return [(f["count"], f["places"][0]["rows"])
                for f in own(tmp_path, path, {"id": "x", **rule})["findings"]]

    first, last = int(ns[0]), int(ns[-1])
    assert count(channel="s/ns", min=first, max=last) == []
    assert count(channel="s/ns", max=last - 5) == [(1, [39_999, 40_000])]
    assert count(channel="s/ns", min=first + 8) == [(2, [0, 2])]
    assert count(expression="change(s/ns) == 7") == []
    assert count(expression=f"s/ns < {last}") == [(1, [39_999, 40_000])]
    assert count(expression="s/pair[0] + 1 == s/pair[1] and s/ns != s/pair[1]") == []
    assert count(expression=f"(s/ns - {first}) / 7 <= 39998") == [(1, [39_999, 40_000])]
    assert count(expression="change(s/pair) == 7") == []


def test_own_rules_on_unsigned_numbers_of_64_bits(tmp_path: Path) -> None:
    """From 2^63 on a float64 tells every 2048th apart."""
    key = np.uint64(2**64 - 100_000) + np.arange(40_000, dtype=np.uint64)
    swapped = key.copy()
    swapped[[50, 51]] = swapped[[51, 50]]
    path = dataset(tmp_path / "ds", [{"s": {"key": key, "swapped": swapped, "small": np.arange(40_000)}}])

    def count(**rule: Any) -> list[tuple[int, list[int]]]:
        return [(f["count"], f["places"][0]["rows"])
                for f in own(tmp_path, path, {"id": "x", **rule})["findings"]]

    first, last = int(key[0]), int(key[-1])
    assert count(channel="s/key", min=first, max=last) == []
    assert count(channel="s/key", max=last - 1) == [(1, [39_999, 40_000])]
    assert count(channel="s/key", min=first + 2) == [(2, [0, 2])]
    assert count(channel="s/key", monotonic="strictly rising") == []
    assert count(channel="s/swapped", monotonic="rising") == [(1, [51, 52])]
    assert count(expression="change(s/key) == 1") == []
    assert count(expression=f"s/key < {last}") == [(1, [39_999, 40_000])]
    assert count(expression="s/key == s/swapped") == [(2, [50, 52])]
    # Differences may be negative, and sums and products have 128 bits.
    assert count(expression=f"s/small - s/key == {-first} and s/key + s/key == 2 * s/key") == []
    assert count(expression=f"s/key * 1000000 < {last * 1_000_000}") == [(1, [39_999, 40_000])]


def test_long_chains_of_comparisons(tmp_path: Path) -> None:
    path = dataset(tmp_path / "ds", [{"s": {"v": np.arange(20) / 4}}])

    def rows(expression: str) -> list[list[int]]:
        return [p["rows"] for f in own(tmp_path, path, {"id": "x", "expression": expression})["findings"]
                for p in f["places"]]

    assert rows("1 <= s/v < 2 <= 3 != s/v + 1") == [[0, 4], [8, 20]]
    assert rows("0 <= s/v <= 4 or s/v == 4.25") == [[18, 20]]
    # Each link is computed once, however deep it is nested.
    nested = "s/v"
    for _ in range(40):
        nested = f"(0 <= {nested} < 9)"
    assert rows(nested) == []
    assert rows(" + ".join(["s/v"] * 30_000) + " < 120000") == [[16, 20]]


def test_an_element_past_the_end_is_named(tmp_path: Path) -> None:
    path = dataset(tmp_path / "ds", [{"s": {"v": walk(np.random.default_rng(35), 100, 3)}}])
    (finding,) = own(tmp_path, path, {"id": "x", "expression": "s/v[3] < 100"})["findings"]
    assert finding["what"] == "there is no 's/v[3]': 's/v' has 3 elements, which are numbers 0 to 2"


def test_a_reference_in_a_stream_of_its_own_is_no_leak(tmp_path: Path) -> None:
    random = np.random.default_rng(36)
    seconds = np.arange(700) / 50
    target = np.stack([np.sin(3 * seconds), np.cos(2 * seconds), 0.1 * seconds], 1)
    splits = ["train"] * 8 + ["test"] * 4

    def episodes() -> list[dict[str, Any]]:
        return [{"goal": {"target": target[: 600 + 5 * n]}, "arm": {"qpos": walk(random, 600, 7)}} for n in range(12)]

    good = report(dataset(tmp_path / "good", episodes(), splits=splits))
    assert "learning.leakage" not in {f["rule"] for f in good["findings"]}
    (said,) = (u for u in good["datasets"][0]["unchecked"] if "learning.leakage" in u)
    assert "'goal'" in said and "'arm'" not in said and "reference" in said
    copied = episodes()
    copied[9]["arm"]["qpos"] = np.concatenate([copied[9]["arm"]["qpos"][:100], copied[2]["arm"]["qpos"][100:]])
    (finding,) = findings(dataset(tmp_path / "bad", copied, splits=splits), "learning.leakage")
    assert [p["episode"] for p in finding["places"]] == ["e09"]
    # What was cut from one recording, all streams of it, is no reference.
    one = {"goal": {"target": walk(random, 300, 3)}, "arm": {"qpos": walk(random, 300, 7)}}
    cut = [{s: {c: v[10 * n : 10 * n + 150] for c, v in channels.items()} for s, channels in one.items()}
           for n in range(12)]
    out = report(dataset(tmp_path / "cut", cut, splits=splits))
    assert "learning.leakage" in {f["rule"] for f in out["findings"]}
    assert not any("reference" in u for u in out["datasets"][0]["unchecked"])
