"""Sound data that `trajpack validate` once called wrong, and beside each a fault that its rule must still find."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_validate import report

import trajpack

Arrays = dict[str, Any]
TIMES = np.arange(600) / 50


def walk(random: np.random.Generator, rows: int, columns: int = 1, size: float = 0.02) -> Any:
    return np.cumsum(random.normal(0, size, (rows, columns)), axis=0)


def seen(path: Path, make: Callable[[np.random.Generator, int], Arrays], *, rate: float = 50, count: int = 20,
         kinds: dict[str, Any] | None = None) -> set[tuple[str, str | None]]:
    """Warnings and errors, and their channels, of episodes of one stream; those with 'time' have explicit times."""
    episodes = [make(np.random.default_rng(n), n) for n in range(count)]
    options: dict[str, Any] = {} if "time" in episodes[0] else {"rate": rate}
    if kinds:
        options["channels"] = {f"s/{name}": kind for name, kind in kinds.items()}
    with trajpack.create(path, **options) as writer:
        for number, arrays in enumerate(episodes):
            with writer.episode(f"e{number:02}", split="test" if number % 5 == 4 else "train") as episode:
                if "time" in arrays:
                    episode.extend({"s": {k: v for k, v in arrays.items() if k != "time"}}, time=arrays["time"])
                else:
                    episode.extend({"s": arrays})
    return {(f["rule"], f.get("channel")) for f in report(path)["findings"] if f["severity"] != "suggestion"}


CLEAN: dict[str, tuple[Callable[[np.random.Generator, int], Arrays], dict[str, Any]]] = {}
FAULTY: dict[str, tuple[str, Callable[[np.random.Generator, int], Arrays], dict[str, Any]]] = {}


def clean(name: str, **options: Any) -> Callable[[Any], Any]:
    def add(make: Any) -> Any:
        CLEAN[name] = (make, options)
        return make
    return add


def faulty(rule: str, name: str, **options: Any) -> Callable[[Any], Any]:
    def add(make: Any) -> Any:
        FAULTY[name] = (rule, make, options)
        return make
    return add


def turned(x: Any, f: Callable[[Any], Any], rows: int, step: float) -> Any:
    """A path of an ordinary differential equation, by Runge and Kutta."""
    out = []
    h = step / 5
    for _ in range(rows):
        for _ in range(5):
            a = f(x)
            b = f(x + h / 2 * a)
            c = f(x + h / 2 * b)
            x = x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))
        out.append(x)
    return np.array(out)


def hopf(x: Any) -> Any:
    return x * (1 - x @ x) + 2 * np.array([-x[1], x[0]])


def relaxation(x: Any) -> Any:
    return np.array([x[1], (1 - x[0] ** 2) * x[1] - x[0]])


for _name, _system, _step in (("Hopf", hopf, 0.1), ("van der Pol", relaxation, 0.1)):
    @clean(f"a limit cycle of {_name}", count=30)
    def _(random: np.random.Generator, number: int, system: Any = _system, step: float = _step) -> Arrays:
        return {"u": turned(random.uniform(-2, 2, 2), system, 600, step)}


@faulty("learning.leakage", "a copy with noise, cropped", count=15)
def _(random: np.random.Generator, number: int) -> Arrays:
    own = np.random.default_rng(3 if number == 9 else number)
    rows = np.arange(600)[:, None]
    x = np.sum([np.sin(rows * own.uniform(0.12, 0.36, 2) + own.uniform(0, 6, 2)) for _ in range(4)], 0)
    if number == 9:
        x = x + random.normal(0, 1e-6, (600, 2))
    return {"u": x[40:] if number == 9 else x}


@clean("a heading of 16 bits")
def _(random: np.random.Generator, number: int) -> Arrays:
    turns = (random.uniform(0, 6.28) + walk(random, 600)[:, 0]) / (2 * np.pi)
    whole = (turns * 65536 % 65536).astype(np.uint16)
    return {"heading": whole, "motorEncoder": whole}


@clean("an encoder without a name that says so")
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"m1": (np.round(walk(random, 600, 1, 60)[:, 0]) % 65536).astype(np.uint16)}


def signal(size: float, speed: float, random: np.random.Generator) -> Arrays:
    wave = (size * np.sin(TIMES * speed + random.uniform(0, 6))).astype(np.int32).astype(np.int16)
    return {"adc": wave, "other": walk(random, 600)[:, 0]}


@faulty("values.wraparound", "a fast signal that runs over in one episode")
def _(random: np.random.Generator, number: int) -> Arrays:
    return signal(48_000 if number == 3 else 27_000, random.uniform(2.5, 4), random)


@faulty("values.wraparound", "a signed signal that runs over in all episodes")
def _(random: np.random.Generator, number: int) -> Arrays:
    return signal(48_000, random.uniform(2.5, 4), random)


@faulty("values.wraparound", "a sum that runs over in a few episodes")
def _(random: np.random.Generator, number: int) -> Arrays:
    energy = 60_002 + (5 if number < 4 else 1) * np.cumsum(random.integers(0, 4, 2000))
    return {"energy": energy.astype(np.uint16), "other": walk(random, 2000)[:, 0]}


@clean("a flap of three degrees", kinds={"flap": {"kind": "angle", "units": "deg"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"flap": 3.1 * np.sin(TIMES * random.uniform(0.5, 2) + random.uniform(0, 6))}


@clean("a motor of many turns in radians", kinds={"motor": {"kind": "angle", "units": "rad"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"motor": 200 + 150 * np.sin(TIMES * random.uniform(2.5, 6) + random.uniform(0, 6))}


@faulty("geometry.angle-units", "headings to pi that say degrees", kinds={"yaw": {"kind": "angle", "units": "deg"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"yaw": (np.cumsum(random.normal(0.05, 0.1, 600)) + np.pi) % (2 * np.pi) - np.pi}


@faulty("geometry.angle-units", "courses in degrees that say radians", kinds={"yaw": {"kind": "angle", "units": "rad"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"yaw": (np.cumsum(random.normal(0, 8, 400)) + 180) % 360}


@clean("odometry whose velocity is that of the body")
def _(random: np.random.Generator, number: int) -> Arrays:
    yaw, speed = random.uniform(-3.1, 3.1), 0.5 + random.normal(0, 0.02, 300)
    way = np.cumsum(np.c_[speed * np.cos(yaw), speed * np.sin(yaw), 0 * speed] / 50, 0)
    return {"position": way, "velocity": np.c_[speed, random.normal(0, 0.003, (300, 2))]}


@clean("a velocity that is positive downwards")
def _(random: np.random.Generator, number: int) -> Arrays:
    depth = walk(random, 300)[:, 0]
    return {"position": depth, "velocity": -np.gradient(depth, 0.02)}


@clean("steps of a diffusion")
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"step": np.arange(999, -1, -1), "x": walk(random, 1000)[:, 0]}


@faulty("learning.reversed", "a velocity with the other sign in one episode")
def _(random: np.random.Generator, number: int) -> Arrays:
    place = np.stack([np.convolve(c, np.ones(9) / 9, "same") for c in walk(random, 300, 3).T], 1)
    return {"position": place, "velocity": np.gradient(place, 0.02, axis=0) * (-1 if number == 7 else 1)}


@faulty("learning.reversed", "steps that fall in one episode")
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"step": np.arange(400)[:: -1 if number == 3 else 1], "x": walk(random, 400)[:, 0]}


def stick(random: np.random.Generator) -> Any:
    return walk(random, 400, 6) * 0.1 + random.normal(0, 0.02, (400, 6))


@clean("a joystick that is let go")
def _(random: np.random.Generator, number: int) -> Arrays:
    moves = stick(random)
    moves[180:240] = 0
    return {"joy": moves, "other": walk(random, 400)[:, 0]}


@faulty("values.stuck", "a joystick that keeps its values")
def _(random: np.random.Generator, number: int) -> Arrays:
    moves = stick(random)
    if number == 3:
        moves[180:240] = moves[180]
    return {"joy": moves, "other": walk(random, 400)[:, 0]}


@faulty("values.stuck", "one axis of a joystick at zero")
def _(random: np.random.Generator, number: int) -> Arrays:
    moves = stick(random)
    if number == 3:
        moves[180:240, 2] = 0
    return {"joy": moves, "other": walk(random, 400)[:, 0]}


@clean("a base and a joint that are not used in an episode")
def _(random: np.random.Generator, number: int) -> Arrays:
    base, joints = random.normal(0, 0.3, (400, 2)), walk(random, 400, 7)
    if number == 7:
        base[:], joints[:, 6] = 0, 0
    return {"base": base, "joints": joints}


@faulty("values.dead", "a sensor without its signal")
def _(random: np.random.Generator, number: int) -> Arrays:
    temp = 20 + walk(random, 400)[:, 0] + (-25 if number == 2 else 0)
    return {"temp": 0 * temp if number == 7 else temp, "other": walk(random, 400)[:, 0]}


@clean("contacts of a force, and a reward at the goal")
def _(random: np.random.Generator, number: int) -> Arrays:
    force, reward = random.normal(0, 0.02, (500, 3)), random.normal(0, 0.002, 500)
    force[random.choice(490, 4, False) + 5, 2] = random.uniform(15, 40, 4)
    reward[random.integers(100, 400)] = 1
    return {"force": force, "reward": reward}


@faulty("values.spike", "a force that jumps in two episodes")
def _(random: np.random.Generator, number: int) -> Arrays:
    force = random.normal(0, 0.02, (500, 3))
    if number in (3, 4):
        force[200, 2] = 30
    return {"force": force}


@clean("a price of collisions, and a floor of a level")
def _(random: np.random.Generator, number: int) -> Arrays:
    reward, level = random.uniform(0, 0.1, 600), -40 + walk(random, 600, 1, 0.05)[:, 0]
    reward[[100, 200]] = -1
    level[100:200] = -99
    return {"step_reward": reward, "level_db": level}


@faulty("values.sentinel", "-1 for missing in a flow")
def _(random: np.random.Generator, number: int) -> Arrays:
    flow = 5 + walk(random, 300)[:, 0]
    if number == 3:
        flow[[100, 200]] = -1
    return {"flow": flow, "other": walk(random, 300)[:, 0]}


@clean("a periodic box")
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"pos": (random.uniform(0, 10, 3) + walk(random, 1000, 3, 0.002) + np.arange(1000)[:, None] * 0.006) % 10}


@clean("a way over the date line")
def _(random: np.random.Generator, number: int) -> Arrays:
    east = 179.5 + np.arange(1000) * 0.001 + walk(random, 1000, 1, 0.001)[:, 0]
    return {"position": np.c_[10 + walk(random, 1000, 1, 0.001), (east + 180) % 360 - 180]}


@faulty("values.teleport", "a position that jumps once")
def _(random: np.random.Generator, number: int) -> Arrays:
    place = walk(random, 1000, 3)
    if number == 3:
        place[500:, 0] += 60
    return {"pos": place}


@clean("satellites", rate=0.1, kinds={"pos": {"kind": "position", "units": "m"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    phase = random.uniform(0, 6.28) + np.arange(600) * 2 * np.pi / 570
    return {"pos": 7e6 * np.c_[np.cos(phase), 0.8 * np.sin(phase), 0.6 * np.sin(phase)]}


@faulty("values.speed", "a satellite that jumps", rate=0.1, kinds={"pos": {"kind": "position", "units": "m"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    phase = random.uniform(0, 6.28) + np.arange(600) * 2 * np.pi / 570
    phase[300:] += 0.01 if number == 3 else 0
    return {"pos": 7e6 * np.c_[np.cos(phase), 0.8 * np.sin(phase), 0.6 * np.sin(phase)]}


@faulty("values.speed", "millimetres that say metres", kinds={"pos": {"kind": "position", "units": "m"}})
def _(random: np.random.Generator, number: int) -> Arrays:
    phase = 2 * TIMES + random.uniform(0, 6.28)
    return {"pos": 2000 * np.c_[np.cos(phase), np.sin(phase), 0 * phase]}


@clean("trades, some of which fall on one time")
def _(random: np.random.Generator, number: int) -> Arrays:
    return {"price": 100 + walk(random, 300)[:, 0], "time": np.sort(np.round(random.uniform(0, 120, 300), 3))}


@faulty("time.duplicate", "a trade written twice")
def _(random: np.random.Generator, number: int) -> Arrays:
    price, times = 100 + walk(random, 300)[:, 0], np.sort(random.uniform(0, 120, 300))
    if number == 3:
        price[100], times[100] = price[99], times[99]
    return {"price": price, "time": times}


@faulty("time.duplicate", "a row of a regular log with the time of another")
def _(random: np.random.Generator, number: int) -> Arrays:
    times = np.arange(300) * 0.02 + random.normal(0, 0.001, 300)
    if number == 3:
        times[100] = times[99]
    return {"x": walk(random, 300)[:, 0], "time": times}


@pytest.mark.parametrize("name", CLEAN)
def test_sound_data_is_silent(name: str, tmp_path: Path) -> None:
    make, options = CLEAN[name]
    assert seen(tmp_path / "ds", make, **options) == set()


@pytest.mark.parametrize("name", FAULTY)
def test_faults_beside_sound_data_are_found(name: str, tmp_path: Path) -> None:
    rule, make, options = FAULTY[name]
    assert rule in {r for r, _ in seen(tmp_path / "ds", make, **options)}


@pytest.mark.parametrize("lost", [None, 0, 6])
def test_one_observation_more_than_actions(lost: int | None, tmp_path: Path) -> None:
    """As gymnasium has it; where one episode has lost another row, all of them are named."""
    random = np.random.default_rng(1)
    with trajpack.create(tmp_path / "ds", rate={"obs": 20, "act": 20}) as writer:
        for number in range(20):
            with writer.episode(f"e{number:02}") as episode:
                rows = 199 if number == lost else 200
                episode.extend({"obs": {"x": walk(random, 201)}, "act": {"a": walk(random, rows)}})
    out = report(tmp_path / "ds")
    assert {f["rule"] for f in out["findings"]} == (set() if lost is None else {"time.length"})
    # What was taken for a convention is said.
    assert any("time.length" in u for u in out["datasets"][0]["unchecked"]) == (lost is None)
