"""How `trajpack embed` chooses: maps, recordings that disagree, and lags of several channels together."""
import json
import subprocess

import dynamics
import numpy as np
import pytest
import trajpack.signal as s
from prepare_world import one, run


@pytest.fixture(scope="module")
def systems(trajpack, tmp_path_factory):
    """Files of Lorenz' three channels in two parts, of Lorenz x, a short piece of it, and the Hénon map."""
    folder = tmp_path_factory.mktemp("systems")
    x = dynamics.lorenz()
    for name, values in {"l0": x[:2500], "l1": x[2500:], "lorenz": x[:3000, :1], "short": x[:120, :1],
                         "henon": dynamics.henon().reshape(len(dynamics.henon()), -1)[:3000, :1]}.items():
        header = ",".join("xyz"[:values.shape[1]])
        np.savetxt(folder / f"{name}.csv", values, delimiter=",", header=header, comments="", fmt="%.17g")

    def convert(*names):
        target = folder / "-".join(names)
        if not target.exists():
            run(trajpack, "convert", *(folder / f"{n}.csv" for n in names), target, "--rate", 100)
        return target
    return convert


def choose(trajpack, source, tmp_path, *words):
    done = subprocess.run([trajpack, "embed", source, tmp_path / "out", "--report", tmp_path / "r.json", *words],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "r.json").read_text())["choices"][0], done


def test_a_map_has_a_lag_of_one(trajpack, systems, tmp_path):
    """Its autocorrelation is gone after one row; the mutual information falls to what chance gives, and ripples."""
    choice, _ = choose(trajpack, systems("henon"), tmp_path)
    entry = choice["estimates"][0]
    assert (entry["tau"], entry["dimension"]) == (1, 2) and "map" in entry["remarks"][0]
    curve = np.array(entry["by_lag"])
    ripple = np.flatnonzero((curve[1:-1] < curve[:-2]) & (curve[1:-1] < curve[2:]))[0] + 1
    assert ripple > 5 and (np.diff(curve[:5]) < 0).all(), "the first minimum would be a lag of many rows"


def test_a_ripple_of_noise_is_no_minimum(trajpack, tmp_path):
    rng, x = np.random.default_rng(0), np.zeros(4000)
    for i in range(1, len(x)):
        x[i] = .8 * x[i - 1] + rng.normal()
    np.save(tmp_path / "ar.npy", x)
    run(trajpack, "convert", tmp_path / "ar.npy", tmp_path / "ar")
    entry = choose(trajpack, tmp_path / "ar", tmp_path)[0]["estimates"][0]
    assert entry["tau"] == s.autocorrelation(x, 100).inverse_e > 1
    assert "ripple" in entry["remarks"][0] and "1/e" in entry["remarks"][1]


def test_recordings_that_disagree_are_named(trajpack, systems, tmp_path):
    choice, done = choose(trajpack, systems("henon", "lorenz", "short"), tmp_path)
    few, far = choice["warnings"]
    span = (choice["chosen"][0]["dimension"] - 1) * choice["chosen"][0]["tau"]
    rows = {e["episode"]: e["embedded_rows"] for e in choice["estimates"] if "episode" in e}
    assert rows == {"henon": 3000 - span, "lorenz": 3000 - span, "short": 120 - span}
    assert f"1 of 3 episodes fewer than 100 rows ({120 - span} of episode 'short')" in few
    assert "alone would have tau 1" in far and "different systems" in far
    assert all(f"warning: {w}" in done.stderr for w in choice["warnings"])
    assert len(one(tmp_path / "out", "short")[0]) == rows["short"]
    assert "warnings" not in choose(trajpack, systems("l0", "l1"), tmp_path, "--overwrite")[0]


@pytest.mark.parametrize("method,direction", [("pecuzal", "forward"), ("mdop", "backward")])
def test_lags_of_several_channels(trajpack, systems, tmp_path, method, direction):
    """The list is the library's, over both recordings and for each; the plan has it, and apply repeats it."""
    source = systems("l0", "l1")
    choice, done = choose(trajpack, source, tmp_path, "--method", method, "--direction", direction, "--theiler", "17",
                          "--max-tau", "30", "--name", "v")
    x = dynamics.lorenz()
    chooser = getattr(s, method)

    def check(got, rows, episodes):
        wanted = chooser(np.ascontiguousarray(rows), 30, 17, episodes=episodes)
        assert [("xyz".index(c["of"][-1]), c["lag"]) for c in got] == wanted.coordinates
        return wanted
    wanted = check(choice["chosen"], x, [(0, 2500), (2500, 5000)])
    for part, entry in zip((x[:2500], x[2500:]), choice["estimates"]):
        check(entry["chosen"], part, None)
    figure = {"pecuzal": "delta_L", "mdop": "false_neighbours"}[method]
    got = [c[figure] for c in choice["chosen"][1:]]
    np.testing.assert_allclose(got, wanted.figures[:len(got)], rtol=1e-12)
    assert choice["chosen"][0]["of"] in done.stdout and figure in done.stdout

    last = max(lag for _, lag in wanted.coordinates)
    for name, part in (("l0", x[:2500]), ("l1", x[2500:])):
        times, channels = one(tmp_path / "out", name)
        vectors = np.stack([part[lag:len(part) - last + lag, c] for c, lag in wanted.coordinates], 1)
        assert np.array_equal(channels["v"][0], vectors)
        assert times[0] == (0 if direction == "forward" else last / 100)
    plan = run(trajpack, "info", tmp_path / "out", "--plan")
    assert "method" not in json.loads(plan)["steps"][0] and len(json.loads(plan)["steps"][0]["coordinates"]) > 1
    (tmp_path / "plan.json").write_text(plan)
    run(trajpack, "apply", source, tmp_path / "again", "--plan", tmp_path / "plan.json")
    assert run(trajpack, "diff", tmp_path / "out", tmp_path / "again").startswith("equal: 2 episodes")


def test_joint_choices_are_of_one_stream_that_moves(trajpack, tmp_path):
    np.savetxt(tmp_path / "c.csv", np.c_[np.random.default_rng(0).normal(size=200), np.ones(200)], delimiter=",",
               header="x,still", comments="")
    run(trajpack, "convert", tmp_path / "c.csv", tmp_path / "c")
    error = run(trajpack, "embed", tmp_path / "c", tmp_path / "out", "--method", "pecuzal", code=1)
    assert "'series/still' never changes" in error and not (tmp_path / "out").exists()
