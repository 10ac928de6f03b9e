"""The anti-aliasing filter does not depend on how a clock was written."""

import json
import subprocess

import numpy as np
import pytest
import trajpack.signal as signal
from conftest import built
from trajpack import UsageError, open as open_dataset


def resampled(tmp_path, name, times, values, *words):
    """The values of a table on another clock, and the notes of the report."""
    source, made, report = tmp_path / f"{name}.csv", tmp_path / f"{name}-out", tmp_path / f"{name}.json"
    rows = "".join(f"{t!r},{v!r}\n" for t, v in zip(times.tolist(), values.tolist()))
    source.write_text("time,v\n" + rows)
    run = lambda *a: subprocess.run([built("trajpack"), *map(str, a)], check=True, capture_output=True, text=True).stdout
    run("convert", source, tmp_path / name, "--time-unit", "s", "--quiet")
    text = run("resample", tmp_path / name, made, *words, "--report", report, "--quiet")
    track = json.loads(report.read_text())["episodes"][0]["tracks"][0]
    episode = open_dataset(str(made)).episode(name)
    return np.asarray(episode["series/v"][:], float).ravel(), np.asarray(episode["series"].times), track["notes"], text


def amplitude(y, t, f):
    inner = slice(len(y) // 10, -len(y) // 10)
    return 2 * abs((y * np.exp(-2j * np.pi * f * t))[inner].mean())


@pytest.mark.parametrize("f", [1, 2, 4])
@pytest.mark.parametrize("name, stamps", [
    ("exact", lambda t: t), ("rounded", lambda t: np.round(t, 3)), ("epoch", lambda t: np.round(1.7e9 + t, 3)),
    ("jitter", lambda t: t + 5e-5 * np.sin(np.arange(len(t)) ** 2)),
])
def test_a_tone_keeps_its_amplitude(tmp_path, f, name, stamps):
    n = 3600
    t = np.arange(n) / 120
    y, at, notes, text = resampled(tmp_path, name, stamps(t), np.sin(2 * np.pi * f * t), "--rate", 10)
    assert amplitude(y, at - at[0], f) == pytest.approx(1, abs=0.02)
    assert "moving mean" not in notes[0] and notes[0] in text
    if name in ("rounded", "epoch"):
        assert "windowed sinc" in notes[0] and "period 0.00833333" in notes[0]


def test_a_rate_of_any_ratio_is_filtered_alike(tmp_path):
    t = np.arange(4000) / 100
    x = np.sin(2 * np.pi * 40 * t)
    for rate in ("99.9937", "99.99", "61.3"):
        y, at, notes, _ = resampled(tmp_path, f"r{rate.replace('.', '_')}", t, x, "--rate", rate)
        if rate == "61.3":
            assert np.abs(y[50:-50]).max() < 0.05  # beyond what it can say
        else:
            error = y - np.sin(2 * np.pi * 40 * at)
            assert np.sqrt((error[50:-50] ** 2).mean()) < 0.01
    explicit, _, notes, _ = resampled(tmp_path, "explicit", np.round(t, 3), x, "--rate", 20, "--clock", "explicit")
    assert "moving mean" in notes[0]


def test_a_skipped_period_is_a_gap_and_others_are_no_line(tmp_path):
    t = np.delete(np.arange(1200) / 100, np.r_[300:310])
    x = np.ones(len(t))
    y, _, notes, _ = resampled(tmp_path, "holes", np.round(t, 3), x, "--rate", 10)
    assert "10 periods skipped" in notes[0] and np.nanmax(abs(y - 1)) < 1e-12
    rng = np.random.default_rng(0)
    wild = np.cumsum(rng.random(1000))
    assert "moving mean" in resampled(tmp_path, "wild", wild, wild, "--rate", "1/5")[2][0]


def test_masks_are_honoured_everywhere():
    x = np.ma.masked_equal([1.0, 2, -9999, 4], -9999)
    filled = x.filled(np.nan)
    t = [0, 1, 2, 3.0]
    for ours, theirs in [
        (signal.resample(x, t, [1.5, 2, 2.5]), signal.resample(filled, t, [1.5, 2, 2.5])),
        (signal.bins(x, t, signal.Times.regular("1/2", 2)), signal.bins(filled, t, signal.Times.regular("1/2", 2))),
        (signal.polyphase(x, 1, 2), signal.polyphase(filled, 1, 2)),
        (signal.moving_mean(x, t, [1, 2], 1.0), signal.moving_mean(filled, t, [1, 2], 1.0)),
    ]:
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
    assert signal.mask("entries", 0.0, x[:, None]).ravel().tolist() == [True, True, False, True]
    counts = np.ma.masked_equal(np.array([1, 2, -9999, 4]), -9999)
    assert signal.resample(counts, t, [2.0]).values == pytest.approx(3)


def test_dates_are_times():
    dates = np.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01", "2024-01-01T00:00:02"], "M8[ms]")
    half = np.array(["2024-01-01T00:00:00.5"], "M8[ns]")
    assert signal.resample([1.0, 2, 4], dates, half).values == pytest.approx([1.5])
    pandas = pytest.importorskip("pandas")
    index = pandas.DatetimeIndex(dates).tz_localize("UTC")
    assert signal.resample([1.0, 2, 4], index, half).values == pytest.approx([1.5])
    for bad in (np.array(["2024", "NaT"], "M8[s]"), np.array(["2024", "2025"], "M8[Y]")):
        with pytest.raises(UsageError):
            signal.resample([1.0, 2], bad, bad)


def test_queries_outside_a_path_are_refused():
    t, x = np.array([10.0, 11, 12, 13]), np.array([1.0, 2, 4, 3])
    inside = signal.path("natural", t, x, queries=[0, 1.5, 3]).values
    assert inside.shape == (3, 1)
    for query in (11.5, -0.1, 3.1):
        with pytest.raises(UsageError, match="from 0 to 3"):
            signal.path("natural", t, x, queries=[query])
        with pytest.raises(UsageError):
            signal.path("natural", 1.7e9 + t, x, queries=[1.7e9 + 11.5])


def test_means_of_headings_are_circular():
    x = np.array([350.0, 10, 20, 340, 90, 270])
    made = signal.bins(x, np.arange(6.0), signal.Times.regular("1/2", 3), angle=(360, 0))
    assert np.abs(np.exp(2j * np.pi * made.values[:2] / 360) - 1).max() < 1e-12 and (made.values[:2] < 360).all()
    assert made.mask.tolist() == [True, True, False]
