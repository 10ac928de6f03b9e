"""`trajpack resample`, `align` and `quantise` against numpy, scipy and pandas on values that plain h5py reads."""
import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import read_archive
import scipy.interpolate as si
import scipy.signal as ss
from conftest import ROOT
from prepare_world import RATE, ROWS, one, read, recording, run, same
from scipy.spatial.transform import Rotation, Slerp


def slerp(t, q, at):
    return Slerp(t, Rotation.from_quat(q))(at).as_quat()


def test_kinds_have_their_own_paths(made):
    out = made("resample", "--rate", 30, "--no-anti-alias")
    for name in ROWS:
        data, t = recording(name), np.arange(ROWS[name]) / RATE
        times, channels = one(out, name)
        assert np.array_equal(times, np.arange(int(t[-1] * 30) + 1) / 30)
        x = np.stack([np.interp(times, t, c) for c in data["x"].T.astype("f8")], 1)
        np.testing.assert_allclose(channels["x"][0], x, atol=2e-7)
        assert channels["x"][0].dtype == "f4"
        for c in range(2):
            good = ~np.isnan(data["position"][:, c])
            np.testing.assert_allclose(
                channels["position"][0][:, c], np.interp(times, t[good], data["position"][good, c]), atol=1e-12)
        q, mine = slerp(t, data["q"], times), channels["q"][0]
        np.testing.assert_allclose(np.abs((q * mine).sum(1)), 1, atol=1e-12)
        assert ((mine[1:] * mine[:-1]).sum(1) > 0).all(), "a sign flips"
        angle = np.interp(times, t, np.unwrap(data["angle"]))
        np.testing.assert_allclose(np.exp(1j * channels["angle"][0]), np.exp(1j * angle), atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(channels["direction"][0], axis=1), 1, atol=1e-12)
        before = np.searchsorted(t, times + 1e-12, "right") - 1
        assert np.array_equal(channels["mode"][0], data["mode"][before])
        total = np.cumsum(data["hit"])
        assert np.array_equal(channels["hit"][0], np.diff(total[before], prepend=0))


@pytest.mark.parametrize("method, spline", [
    ("pchip", si.PchipInterpolator), ("akima", si.Akima1DInterpolator), ("not-a-knot", si.CubicSpline),
    ("natural", lambda t, x: si.CubicSpline(t, x, bc_type="natural")),
    ("makima", lambda t, x: si.Akima1DInterpolator(t, x, method="makima"))])
def test_splines_are_scipys(made, method, spline):
    out = made("resample", "--rate", 77, "--method", f"kind:position={method}", "--no-anti-alias")
    for name in ROWS:
        times, channels = one(out, name)
        x, t = recording(name)["position"], np.arange(ROWS[name]) / RATE
        assert np.array_equal(times, np.arange(int(t[-1] * 77) + 1) / 77)
        for c in range(2):
            good = ~np.isnan(x[:, c])
            np.testing.assert_allclose(channels["position"][0][:, c], spline(t[good], x[good, c])(times), atol=1e-11)


def metadata(folder):
    return {e["id"]: e["metadata"] for name in read_archive.open_dataset(str(folder))[0]
            for e in read_archive.Shard(name).episodes_reading()}


def test_going_down_is_filtered(made):
    out = made("resample", "--rate", 50)
    for name in ROWS:
        x = recording(name)["x"].astype("f8")
        wanted = ss.resample_poly(x, 1, 2, padtype="line")
        mine = one(out, name)[1]["x"][0]
        assert len(mine) == (ROWS[name] + 1) // 2
        np.testing.assert_allclose(mine[15:-15], wanted[15:len(mine) - 15], atol=1e-6)
        report = metadata(out)[name]["prepared"][-1]["tracks"][0]
        assert any("polyphase up 1 down 2" in note for note in report["notes"])


@pytest.mark.parametrize("seed", range(3))
def test_given_times_depend_on_no_others(trajpack, tmp_path, seed):
    """Far apart, close together or one alone: the line (or spline) at a time is numpy's (or scipy's), unfiltered."""
    random = np.random.default_rng(seed)
    t = np.arange(60.) if seed == 0 else np.cumsum(random.choice([.25, .5, 1, 7], 60))
    x = random.normal(size=60).cumsum()
    pd.DataFrame({"time": t, "x": x}).to_csv(tmp_path / "d.csv", index=False)
    run(trajpack, "convert", tmp_path / "d.csv", tmp_path / "ds")
    every = np.unique(np.append(random.uniform(t[0], t[-1], 40), t[random.integers(0, 60, 12)]))
    asked = [every, every[::13], every[[0, -1]], every[[0, 1, -1]], every[7:8], np.append(every[:3], 1e9)]
    paths = {"auto": lambda at: np.interp(at, t, x), "pchip": si.PchipInterpolator(t, x)}
    for method, path in paths.items():
        for i, at in enumerate(asked):
            out, report = tmp_path / f"{method}{i}", tmp_path / f"{method}{i}.json"
            listed = ",".join(map(repr, at.tolist()))
            run(trajpack, "resample", tmp_path / "ds", out, "--times", listed, "--method", method, "--report", report)
            times, channels = one(out, "d")
            assert np.array_equal(times, at)
            values, seen = channels["x"]
            assert np.array_equal(np.ravel(seen), at <= t[-1])
            inside = at[at <= t[-1]]
            np.testing.assert_allclose(values[:len(inside)], path(inside), rtol=1e-11, atol=1e-11)
            notes = json.loads(report.read_text())["episodes"][0]["tracks"][0]["notes"]
            assert notes == ["no filter: given times are not filtered for"]
    assert "left out with 'times'" in run(
        trajpack, "apply", tmp_path / "ds", "x", "--print-plan", "--plan", filtered(tmp_path / "plan.json"), code=2)


def filtered(plan):
    plan.write_text(json.dumps({"steps": [{"step": "resample", "times": [0, 9], "anti_alias": True}]}))
    return plan


def test_up_and_down_are_resample_poly(made):
    out = made("resample", "--up", 3, "--down", 2, "--method", "*=auto", "--method", "kind:scalar=polyphase",
               "--padding", "zero")
    for name in ROWS:
        mine = one(out, name)[1]["x"][0]
        wanted = ss.resample_poly(recording(name)["x"].astype("f8"), 3, 2)
        assert len(mine) == (ROWS[name] - 1) * 3 // 2 + 1
        np.testing.assert_allclose(mine, wanted[:len(mine)], rtol=1e-5, atol=1e-6)


STAMPS = {"exact": lambda t: t, "rounded": lambda t: np.round(t, 3), "epoch": lambda t: np.round(1.7e9 + t, 3),
          "jitter": lambda t: t + 2e-4 * np.sin(np.arange(len(t)) ** 2)}


@pytest.mark.parametrize("stamps", STAMPS)
@pytest.mark.parametrize("rate, up, down", [(29.9, 3, 20), (30, 2, 1), (27.5, 4, 5)])
def test_stamps_of_a_regular_clock_have_a_rate(trajpack, tmp_path, stamps, rate, up, down):
    """`linspace` and stamps rounded to milliseconds: the clock is regular but for its rounding."""
    t = np.linspace(0, 299 / rate, 300)
    x = np.sin(2 * t) + np.random.default_rng(0).normal(size=300)
    np.savez(tmp_path / "a.npz", time=STAMPS[stamps](t), x=x)
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", "--quiet")
    said = run(trajpack, "resample", tmp_path / "ds", tmp_path / "out", "--up", up, "--down", down)
    assert "times taken as regular: period" in said
    assert (f"polyphase up {up} down {down}" if down > up else "no filter") in said
    times, channels = one(tmp_path / "out", "a")
    count = 299 * up // down + 1
    np.testing.assert_allclose(times - times[0], np.arange(count) * down / up / rate, atol=2e-3, rtol=0)
    if stamps == "exact":
        np.testing.assert_allclose(times, np.arange(count) * down / up / rate, atol=1e-9)
    # The same filter as for a clock that is regular from the start.
    run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "even", "--quiet", "--time", "none", "--exclude-members", "time",
        "--rate", rate)
    run(trajpack, "resample", tmp_path / "even", tmp_path / "even-out", "--up", up, "--down", down)
    np.testing.assert_array_equal(one(tmp_path / "even-out", "a")[1]["x"][0], channels["x"][0])
    # And --method polyphase filters from it to a rate.
    said = run(trajpack, "resample", tmp_path / "ds", tmp_path / "poly", "--rate", "10", "--method", "polyphase")
    assert "polyphase up" in said


def test_what_has_no_rate_says_so(trajpack, tmp_path):
    t = np.cumsum(np.random.default_rng(0).random(100))
    for name, stamps, why in (("wild", t, "these times have none"),
                              ("holes", np.delete(np.arange(100.0) / 30, [40, 41]), "these times skip 2 of its periods")):
        np.savez(tmp_path / f"{name}.npz", time=stamps, x=np.ones(len(stamps)))
        run(trajpack, "convert", tmp_path / f"{name}.npz", tmp_path / name, "--quiet")
        for words in (["--up", 2, "--down", 1], ["--rate", 7, "--method", "polyphase"]):
            said = run(trajpack, "resample", tmp_path / name, tmp_path / "out", *words, code=2)
            assert why in said and "give 'rate' instead" in said
    # By order it has.
    run(trajpack, "resample", tmp_path / "wild", tmp_path / "out", "--up", 2, "--clock", "regular")
    assert len(one(tmp_path / "out", "wild")[0]) == 199
    np.savez(tmp_path / "even.npz", time=np.linspace(0, 3, 100), x=np.ones(100))
    run(trajpack, "convert", tmp_path / "even.npz", tmp_path / "even", "--quiet")
    assert "have none" in run(trajpack, "resample", tmp_path / "even", tmp_path / "no", "--up", 2, "--clock", "explicit", code=2)


def test_bins_are_pandas(made):
    out = made("resample", "--rate", 8, "--bin", "auto", "--bin", "*/position=max", "--label", "right")
    for name in ROWS:
        data = recording(name)
        times, channels = one(out, name)
        bins = np.arange(ROWS[name]) * 8 // RATE
        frame = pd.DataFrame(data["x"].astype("f8")).groupby(bins).mean()
        np.testing.assert_allclose(channels["x"][0], frame.to_numpy(), atol=1e-6)
        assert np.array_equal(channels["position"][0], pd.DataFrame(data["position"]).groupby(bins).max())
        assert np.array_equal(channels["mode"][0], pd.Series(data["mode"]).groupby(bins).last())
        assert np.array_equal(channels["hit"][0], pd.Series(data["hit"]).groupby(bins).sum())
        assert np.array_equal(times, (frame.index + 1) / 8)


def test_irregular_times(made, irregular):
    table = pd.read_csv(ROOT / "fixtures" / "series" / "irregular.tsv", sep="\t")
    t = table["time"].to_numpy()
    out = made("resample", "--rate", 20, "--origin", "zero", "--gap", ".5", "--no-anti-alias", of=irregular)
    times, channels = one(out, "irregular")
    np.testing.assert_allclose(times, np.arange(np.ceil(t[0] * 20), np.floor(t[-1] * 20) + 1) / 20, atol=1e-12)
    for name in ("pressure", "flow"):
        x = table[name].to_numpy()
        good = ~np.isnan(x)
        knots = t[good]
        wanted = np.interp(times, knots, x[good])
        right = np.searchsorted(knots, times, "left").clip(1, len(knots) - 1)
        wide = (np.diff(knots)[right - 1] > .5) & ~np.isin(times, knots)
        outside = (times < knots[0]) | (times > knots[-1])
        seen = channels[name][1]
        assert np.array_equal(seen, ~(wide | outside))
        np.testing.assert_allclose(channels[name][0][seen], wanted[seen], atol=1e-12)


def test_quantise(made, irregular, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "quantise", "quantum": "1/4"}]}))
    times, channels = one(made("apply", "--plan", plan, of=irregular), "irregular")
    table = pd.read_csv(ROOT / "fixtures" / "series" / "irregular.tsv", sep="\t")
    frame = table.groupby(np.round(table["time"] * 4)).mean()
    assert np.array_equal(times, frame.index / 4)
    np.testing.assert_allclose(channels["flow"][0], frame["flow"], atol=1e-12)


def test_onto_another_stream(trajpack, tmp_path, made):
    run(trajpack, "convert", ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww")
    run(trajpack, "resample", tmp_path / "ww", tmp_path / "coarse", "--stream", "camera", "--rate", 7)
    before, camera = read(tmp_path / "ww"), read(tmp_path / "coarse")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"step": "align", "streams": ["npc", "monster"], "onto": "camera"}]}))
    aligned = read(made("apply", "--plan", plan, of=tmp_path / "coarse"))
    checked = 0
    for key, tracks in aligned.items():
        if key[1] not in ("npc", "monster"):
            assert same({key: tracks}, {key: camera[key]})
            continue
        clock = camera[key[0], "camera", None][0][0]
        for (times, channels), (t, old) in zip(tracks, before[key], strict=True):
            # An entity has rows where it is present, and no others.
            inside = (clock >= t[0]) & (clock <= t[-1])
            assert np.array_equal(times, clock[inside])
            old_rows = pd.DataFrame({"t": t, "row": range(len(t))})
            rows = pd.merge_asof(pd.DataFrame({"t": times}), old_rows, on="t")["row"]
            for name, (values, observed) in channels.items():
                wanted, seen = old[name][0][rows], old[name][1][rows]
                assert np.array_equal(observed, seen)
                assert np.array_equal(values[seen], wanted[seen])
                checked += 1
    assert checked > 20
    options = json.loads((tmp_path / "out" / "manifest.json").read_text())["source"]["options"]
    assert options["source_digest"] == json.loads((tmp_path / "coarse" / "manifest.json").read_text())["digest"]
    assert options["source"]["options"]["plan"]["steps"][0]["rate"] == 7, "the source's own origin is kept"


def test_same_clock_is_the_identity(trajpack, source, tmp_path, made):
    assert same(read(made("resample", "--rate", RATE)), read(source)), "numbers of events that are 0 or 1 are counts"
    run(trajpack, "convert", ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "ww")
    run(trajpack, "resample", tmp_path / "ww", tmp_path / "same", "--rate", 30)
    assert "equal" in run(trajpack, "diff", tmp_path / "ww", tmp_path / "same")


@pytest.mark.parametrize("dates,rate,form", [
    (pd.date_range("2024-01-01", periods=9, freq="D").strftime("%Y-%m-%d"), "1/21600", "%Y-%m-%dT%H:%M:%S"),
    (pd.date_range("2024-01-01", periods=9, freq="D").strftime("%Y-%m-%d"), "1/86400", "%Y-%m-%d"),
    (pd.date_range("1969-12-31 23:58", periods=9, freq="min").strftime("%Y/%m/%d %H:%M"), "1/30", "%Y-%m-%dT%H:%M:%S"),
    (pd.date_range("1969-12-31 23:58", periods=9, freq="min").strftime("%Y/%m/%d %H:%M"), "1/120", "%Y/%m/%d %H:%M"),
    (pd.date_range("2024-02-29 23:59:57", periods=9, freq="s").strftime("%Y-%m-%d %H:%M:%SZ"), "4", None)])
def test_dates_are_given_back_exactly(trajpack, tmp_path, dates, rate, form):
    pd.DataFrame({"date": dates, "x": np.arange(9.)}).to_csv(tmp_path / "d.csv", index=False)
    run(trajpack, "convert", tmp_path / "d.csv", tmp_path / "ds")
    run(trajpack, "resample", tmp_path / "ds", tmp_path / "fine", "--rate", rate, "--no-anti-alias")
    run(trajpack, "export", tmp_path / "fine", tmp_path / "csv", "--to", "csv")
    back = pd.read_csv(next((tmp_path / "csv").rglob("*.csv")))
    first, last = (pd.Timestamp(d) for d in (dates[0], dates[-1]))
    step = pd.Timedelta(seconds=float(1 / Fraction(rate)))
    expected = pd.date_range(first, last, freq=step)
    assert (pd.to_datetime(back.time) == expected).all() and len(back) == len(expected)
    if form is not None:
        assert back.time.tolist() == expected.strftime(form).tolist()
    else:
        assert back.time[1] == "2024-02-29T23:59:57.25Z"


@pytest.mark.parametrize("minutes", [np.arange(48) * 60, np.random.default_rng(5).choice(2880, 48, False)])
def test_given_times_stay_dates(trajpack, tmp_path, minutes):
    """On a regular and on an irregular clock of dates; to the digits that the times need."""
    dates = pd.Timestamp("2016-07-01") + pd.to_timedelta(np.sort(np.append(minutes, [0, 2880]))[1:], "min")
    dates = dates.unique()
    x = np.arange(len(dates)) * 1.5
    pd.DataFrame({"date": dates.strftime("%Y-%m-%d %H:%M"), "x": x}).to_csv(tmp_path / "d.csv", index=False)
    run(trajpack, "convert", tmp_path / "d.csv", tmp_path / "ds")
    for i, asked in enumerate((["2016-07-02 12:00", "2016-07-02 23:30"],
                               ["2016-07-02T00:00:00.125", "2016-07-02T00:00:01", "2016-07-02T09:00:00.1"])):
        run(trajpack, "resample", tmp_path / "ds", tmp_path / f"at{i}", "--times", ",".join(asked))
        run(trajpack, "export", tmp_path / f"at{i}", tmp_path / f"csv{i}", "--to", "csv")
        back = pd.read_csv(next((tmp_path / f"csv{i}").rglob("*.csv")), dtype={"time": str})
        at = pd.to_datetime(pd.Series(asked), format="ISO8601")
        assert (pd.to_datetime(back.time, format="ISO8601") == at).all() and len(back) == len(asked)
        if i == 0:
            assert back.time.tolist() == asked, "in the source's own form, where that holds the times"
        else:
            assert back.time[2] == "2016-07-02T09:00:00.100"
        knots = (dates - dates[0]).total_seconds()
        np.testing.assert_allclose(back.x, np.interp((at - dates[0]).dt.total_seconds(), knots, x), rtol=1e-9)
