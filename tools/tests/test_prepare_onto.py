"""`trajpack resample --onto` where times were rounded: a row beside a moment counts as at it, as with pandas'
merge_asof of the times before they were rounded."""
import json

import numpy as np
import pytest
from prepare_world import read, run

import trajpack as package

ROWS = 120


@pytest.fixture(scope="module")
def rounded(tmp_path_factory):
    """Frames at exactly 30 Hz, and actions at the same instants, whose times were rounded to ms."""
    folder = tmp_path_factory.mktemp("onto") / "ds"
    rng = np.random.default_rng(0)
    exact = np.arange(ROWS) / 30
    with package.create(str(folder), channels={"action/hit": {"kind": "event"}}) as writer:
        writer.append("a", {
            "frames": {"x": rng.normal(size=ROWS)},
            "action": {"key": np.arange(ROWS), "force": rng.normal(size=ROWS), "hit": (rng.random(ROWS) < .3).astype("u1")},
        }, time={"frames": exact, "action": np.round(exact, 3)})
    return folder


def onto(trajpack, source, tmp_path, *words):
    run(trajpack, "resample", source, tmp_path / "out", "--stream", "action", "--onto", "frames", *words)
    (track,) = read(tmp_path / "out")[("a", "action", None)]
    return track


@pytest.mark.parametrize("method", ["auto", "previous", "next", "nearest"])
def test_rounded_times_keep_their_rows(trajpack, rounded, tmp_path, method):
    times, channels = onto(trajpack, rounded, tmp_path, "--method", f"action/key={method}", "--method", "auto")
    assert len(times) == ROWS
    keys, seen = channels["key"]
    assert seen.all() and np.array_equal(keys, np.arange(ROWS))
    # The last row reaches a little beyond its own time, too.
    assert np.isfinite(channels["force"][0]).all()


def test_floats_that_are_held_keep_their_rows(trajpack, rounded, tmp_path):
    force = read(rounded)[("a", "action", None)][0][1]["force"][0]
    channels = onto(trajpack, rounded, tmp_path, "--method", "previous")[1]
    assert np.array_equal(channels["force"][0], force)


def test_events_are_counted_at_their_rows(trajpack, rounded, tmp_path):
    hit = read(rounded)[("a", "action", None)][0][1]["hit"][0]
    assert np.array_equal(onto(trajpack, rounded, tmp_path)[1]["hit"][0], hit)
    since = onto(trajpack, rounded, tmp_path / "2", "--method", "action/hit=since", "--method", "auto")[1]["hit"][0]
    assert (since[hit == 1] < .001).all() and (since[np.isfinite(since)] >= 0).all()


def test_exact_times_are_compared_where_rounding_is_0(trajpack, rounded, tmp_path):
    keys = onto(trajpack, rounded, tmp_path, "--rounding", 0, "--method", "previous")[1]["key"][0]
    exact = np.arange(ROWS) / 30
    wanted = np.searchsorted(np.round(exact, 3), exact, side="right") - 1
    assert (wanted < np.arange(ROWS)).any()
    inside = exact <= np.round(exact, 3)[-1]
    assert np.array_equal(keys[inside], wanted[inside])


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_nearest_row_within_a_quarter_of_the_interval(trajpack, tmp_path, seed):
    """Random times in ticks of a millisecond, by numpy."""
    rng = np.random.default_rng(seed)
    own = np.cumsum(rng.integers(1, 40, size=60)) / 1000
    frames = np.unique(np.clip(np.round(own + rng.integers(-3, 4, size=60) / 1000, 3), own[0], own[-1]))
    with package.create(str(tmp_path / "ds")) as writer:
        writer.append("a", {"frames": {"x": frames}, "action": {"key": np.arange(60)}},
                      time={"frames": frames, "action": own})
    keys = onto(trajpack, tmp_path / "ds", tmp_path, "--method", "previous")[1]["key"][0]
    wanted = []
    for t in frames:
        row = int(np.searchsorted(own, t + 1e-9, side="right")) - 1
        if row + 1 < len(own):
            distance, interval = own[row + 1] - t, own[row + 1] - own[row]
            if 1e-9 < distance <= min(.001, interval / 4) + 1e-9:
                row += 1
        wanted.append(row)
    assert keys.tolist() == wanted


def test_refusals_and_plans(trajpack, rounded, tmp_path):
    words = ["resample", rounded, tmp_path / "out"]
    assert "it is for 'onto'" in run(trajpack, *words, "--rate", 10, "--rounding", "0.01", code=2)
    plain, given = (json.loads(run(trajpack, *words, "--onto", "frames", *more, "--print-plan"))
                    for more in ([], ["--rounding", "0.002"]))
    assert "rounding" not in plain["steps"][0] and given["steps"][0]["rounding"] in (0.002, "0.002", "1/500")
