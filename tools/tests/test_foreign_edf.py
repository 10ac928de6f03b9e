"""EDF and BDF as pyedflib writes and reads them; gaps of EDF+D, which it refuses, by the times of records."""
import datetime
import subprocess

import numpy as np
import pyedflib
import pytest
from foreign_world import converted, run, same, spoilt, texts

NOTES = [(1.25, 0.5, "left hand"), (2.0, -1, "stimulus – 刺激"), (0.5, -1, "first"), (3.5, 0.25, "")]


def write(path, seed, rates=(250, 250, 50), seconds=4):
    """A recording with noise over the whole range, and its annotations."""
    random = np.random.default_rng(seed)
    is_bdf = path.suffix == ".bdf"
    high = 8388607 if is_bdf else 32767
    kind = pyedflib.FILETYPE_BDFPLUS if is_bdf else pyedflib.FILETYPE_EDFPLUS
    with pyedflib.EdfWriter(str(path), len(rates), file_type=kind) as file:
        file.setPatientName("X")
        file.setStartdatetime(datetime.datetime(2024, 3, 1, 9, 30, 15))
        for i, rate in enumerate(rates):
            file.setSignalHeader(i, {
                "label": f"EEG C{i}", "dimension": "uV", "sample_frequency": rate, "physical_max": 200.0 + i,
                "physical_min": -187.5, "digital_max": high, "digital_min": -high - 1, "prefilter": "HP:0.1Hz",
                "transducer": "AgAgCl"})
        samples = [random.integers(-high - 1, high, rate * seconds, dtype="i4") for rate in rates]
        file.writeSamples(samples, digital=True)
        for note in NOTES:
            file.writeAnnotation(*note)


def layout(data):
    """Where records begin, how many there are, their bytes, and where the last signal lies in one."""
    length, records, signals = int(data[184:192]), int(data[236:244]), int(data[252:256])
    width = 3 if data[0] == 255 else 2
    samples = [int(data[256 + 216 * signals + 8 * k:][:8]) for k in range(signals)]
    return length, records, width * sum(samples), width * sum(samples[:-1])


def gapped(data, first, seconds, mark=b"EDF+D"):
    """The recording with its records from `first` on so much later."""
    data = bytearray(data)
    data[192:197] = mark
    length, records, size, place = layout(data)
    for record in range(first, records):
        at = length + record * size + place
        old = bytes(data[at:length + (record + 1) * size])
        end = old.index(b"\x14")
        data[at:at + len(old)] = (b"+%g" % (float(old[:end]) + seconds) + old[end:])[:len(old)].ljust(len(old), b"\0")
    return bytes(data)


@pytest.mark.parametrize("name,rates", [("a.edf", (250, 250, 50)), ("b.bdf", (128, 512)), ("c.edf", (100,))])
def test_signals_are_those_of_pyedflib(trajpack, tmp_path, name, rates):
    write(tmp_path / name, 1, rates)
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / name)
    assert outcome["reading"][0]["type"] == "edf"
    own = episodes[name[0]]
    with pyedflib.EdfReader(str(tmp_path / name)) as file:
        for i, rate in enumerate(rates):
            same(own[f"signals_{rate}hz/EEG C{i}"], file.readSignal(i))
            np.testing.assert_array_equal(own[f"signals_{rate}hz/time"], np.arange(4 * rate) / rate)
        onsets, durations, words = file.readAnnotations()
    order = np.argsort(onsets, kind="stable")
    assert texts(own, "annotations/text") == [str(words[i]) for i in order]
    np.testing.assert_array_equal(own["annotations/time"], onsets[order])
    np.testing.assert_array_equal(own["annotations/duration"], np.where(durations[order] < 0, np.nan, durations[order]))
    assert values[name[0]]["start_time"] == "2024-03-01T09:30:15"


def test_gaps_are_gaps(trajpack, tmp_path):
    """Records 2 and 3 begin ten seconds later; one that hides it is believed less than its records."""
    write(tmp_path / "a.edf", 2)
    data = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "gap").mkdir()
    (tmp_path / "gap" / "a.edf").write_bytes(gapped(data, 2, 10))
    (tmp_path / "gap" / "b.edf").write_bytes(gapped(data, 3, 10.5, b"EDF+C"))
    (tmp_path / "gap" / "c.edf").write_bytes(data)
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "gap")
    assert ["calls itself continuous" in remark for remark in outcome["remarks"]] == [True]
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as file:
        expected = file.readSignal(0)
    for name, first, gap in (("a", 2, 10), ("b", 3, 10.5), ("c", 4, 0)):
        same(episodes[name]["signals_250hz/EEG C0"], expected)
        seconds = np.arange(4) + np.where(np.arange(4) >= first, gap, 0)
        times = (seconds[:, None] * 250 + np.arange(250)).ravel() / 250
        np.testing.assert_array_equal(episodes[name]["signals_250hz/time"], times)
        assert len(episodes[name]["signals_50hz/time"]) == 200


def test_a_file_that_is_still_written(trajpack, tmp_path):
    write(tmp_path / "a.edf", 3)
    data = bytearray((tmp_path / "a.edf").read_bytes())
    length, _, size, _ = layout(data)
    data[236:244] = b"-1".ljust(8)
    (tmp_path / "a.edf").write_bytes(data[:length + 3 * size + 9])
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.edf")
    assert len(episodes["a"]["signals_250hz/EEG C0"]) == 750
    assert any("9 bytes behind its last record" in remark for remark in outcome["remarks"])


def test_signals_without_a_range_and_of_one_name(trajpack, tmp_path):
    write(tmp_path / "a.edf", 4, (10, 10))
    data = bytearray((tmp_path / "a.edf").read_bytes())
    signals = int(data[252:256])
    data[256:272] = data[272:288]
    at = 256 + signals * (16 + 80 + 8)
    data[at:at + 8] = data[at + 8 * signals:at + 8 * signals + 8]
    (tmp_path / "a.edf").write_bytes(data)
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.edf")
    assert any("no physical range" in remark for remark in outcome["remarks"])
    raw = episodes["a"]["signals_10hz/EEG C1"]
    assert np.array_equal(raw, raw.astype("i2")) and "signals_10hz/EEG C1 2" in episodes["a"]


def test_refusals(trajpack, tmp_path):
    write(tmp_path / "a.edf", 5)
    data = (tmp_path / "a.edf").read_bytes()
    length, _, size, place = layout(data)
    for spoil, word in (
            (data[:-1], "cut short"), (data[:300], "cut short"),
            (data[:244] + b"never   " + data[252:], "seconds of a record"),
            (data[:244] + b"0       " + data[252:], "no duration"),
            (data[:236] + b"1e3     " + data[244:], "number of records"),
            (data[:length + place] + b"x" + data[length + place + 1:], "without a time"),
            (gapped(data, 1, -0.5), "before the one before")):
        (tmp_path / "x.edf").write_bytes(spoil)
        said = run(trajpack, "convert", tmp_path / "x.edf", tmp_path / "o", "-q", fails=True)
        assert word in said and "x.edf" in said and said.count("\n") == 1, said


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    path = tmp_path / ("a.bdf" if seed % 2 else "a.edf")
    write(path, seed)
    path.write_bytes(spoilt(random, path.read_bytes()))
    for command in (["convert", path, tmp_path / "o", "-q"], ["inspect", path]):
        done = subprocess.run([trajpack, *command], capture_output=True, text=True, timeout=60)
        said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
        assert done.returncode == 0 or path.name in said[0]
