"""The statistics of shards and manifest against figures taken anew from the values (section 10)."""
import json
import os
import subprocess

import numpy as np
import pytest
import read_archive

PROBABILITIES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]


@pytest.fixture(scope="module")
def dataset(specimen, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("statistics") / "ds")
    subprocess.run([specimen, out, "--episodes", "7", "--rows", "90", "--shard-episodes", "4"], check=True,
                   capture_output=True)
    return out


def component_columns(channel):
    """Which elements of a row are gathered into each component."""
    size, shape = int(np.prod(channel["shape"], dtype=int)), channel["shape"]
    if channel["kind"] in ("image", "depth"):
        return [np.arange(size)]
    if channel["kind"] in ("position", "direction") and len(shape) >= 2:
        return [np.arange(axis, size, shape[-1]) for axis in range(shape[-1])]
    return [np.array([element]) for element in range(size)]


def values_of(shard, stream, channel, split):
    """All rows of a channel in the episodes of a split, as float64, NaN where not observed."""
    parts = []
    for episode in shard.episodes.tolist():
        if episode[4] != split:
            continue
        for track in shard.tracks[episode[5]:episode[5] + episode[6]].tolist():
            if track[1] == stream:
                values, observed = shard.numbers(channel, track[4], track[5])
                flat = values.astype("f8").reshape(track[5], int(np.prod(channel["shape"], dtype=int)))
                parts.append(np.where(observed.reshape(flat.shape), flat, np.nan))
    return np.concatenate(parts) if parts else None


def rounding(values):
    """How far sums of squares may be off where means far from 0 are merged."""
    return 4 * np.finfo("f8").eps * np.abs(values).max() * values.size * np.ptp(values)


def shard_rows(shard):
    """The rows that section 10 asks for, in its order."""
    for split in range(-1, len(shard.schema["splits"])):
        for s, stream in enumerate(shard.schema["streams"]):
            for c, channel in enumerate(stream["channels"]):
                values = None if channel["type"] == "bytes" else values_of(shard, s, channel, split)
                if values is None or not len(values):
                    continue
                columns = component_columns(channel)
                for n, elements in enumerate(columns):
                    yield (split, s, c, n), values[:, elements], len(columns)


def test_shard_statistics(dataset):
    compared = 0
    for path in read_archive.open_dataset(dataset)[0]:
        shard = read_archive.Shard(path)
        moments, quantiles = shard.statistics()
        wanted = list(shard_rows(shard))
        assert [tuple(row[:4].astype(int)) for row in moments] == [key for key, _, _ in wanted]
        for row, estimates, (key, values, components) in zip(moments, quantiles, wanted, strict=True):
            finite = values[np.isfinite(values)]
            assert row[4:7].tolist() == [finite.size, np.isnan(values).sum(), np.isinf(values).sum()], key
            if not finite.size:
                assert np.isnan(row[7:10]).all() and row[10] == 0
                continue
            assert row[7] == finite.min() and row[8] == finite.max()
            np.testing.assert_allclose(row[9], finite.mean(), rtol=1e-12, atol=1e-9)
            m2 = ((finite - finite.mean()) ** 2).sum()
            np.testing.assert_allclose(row[10], m2, rtol=1e-9, atol=1e-9 + rounding(finite))
            if values.shape[1] == 1 and components <= 64:
                # Up to 1,024 rows the sample is all of them.
                assert len(values) <= 1024
                exact = np.quantile(finite, PROBABILITIES).astype("f4")
                np.testing.assert_allclose(estimates, exact, rtol=1e-6, atol=1e-30)
                compared += 1
            else:
                known = estimates[~np.isnan(estimates)]
                assert (np.diff(known) >= 0).all() and (components > 64) == (known.size == 0)
    assert compared > 100


def test_manifest_statistics(dataset):
    """Merged over shards: counts and extremes exactly, moments to rounding, quantiles within the extremes."""
    with open(os.path.join(dataset, "manifest.json"), encoding="utf-8") as file:
        found = json.load(file)["statistics"]
    wanted = {}
    for path in read_archive.open_dataset(dataset)[0]:
        shard = read_archive.Shard(path)
        for (split, s, c, n), values, _ in shard_rows(shard):
            stream = shard.schema["streams"][s]
            name = "" if split < 0 else shard.schema["splits"][split]
            parts = wanted.setdefault((name, f"{stream['name']}/{stream['channels'][c]['name']}"), {})
            parts.setdefault(n, []).append(values.reshape(-1))
    assert {(s, c) for s in found for c in found[s]} == set(wanted)
    for (split, channel), components in wanted.items():
        figures = found[split][channel]
        assert len(figures["count"]) == len(components)
        for n, parts in components.items():
            values = np.concatenate(parts)
            finite = values[np.isfinite(values)]
            assert figures["count"][n] == finite.size and figures["missing"][n] == np.isnan(values).sum()
            assert figures.get("infinite", [0] * (n + 1))[n] == np.isinf(values).sum()
            if finite.size:
                assert figures["min"][n] == finite.min() and figures["max"][n] == finite.max()
                np.testing.assert_allclose(figures["mean"][n], finite.mean(), rtol=1e-12, atol=1e-9)
                variance = figures["std"][n] ** 2
                wide = 1e-9 + rounding(finite) / finite.size
                np.testing.assert_allclose(variance, finite.var(), rtol=1e-9, atol=wide)
                for q in figures.get("quantiles", [[]] * (n + 1))[n]:
                    assert finite.min() - 1e-6 <= q <= finite.max() + 1e-6


def measured(trajpack, *words, code=0):
    done = subprocess.run([trajpack, "statistics", *map(str, words)], capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "200", "LC_ALL": "C.UTF-8"})
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_measured_statistics(trajpack, dataset):
    """Every channel of every kind of storage, over all episodes and over each split, against the second reader."""
    shards = [read_archive.Shard(path) for path in read_archive.open_dataset(dataset)[0]]
    names = sorted({n for shard in shards for n in shard.schema["splits"]})
    compared = 0
    for split in [None, *names]:
        wanted = {}
        for shard in shards:
            for (number, s, c, n), values, _ in shard_rows(shard):
                own = "" if number < 0 else shard.schema["splits"][number]
                if split in (None, own):
                    stream = shard.schema["streams"][s]
                    name = f"{stream['name']}/{stream['channels'][c]['name']}"
                    wanted.setdefault(name, {}).setdefault(n, []).append((own, values.reshape(-1)))
        document = json.loads(measured(trajpack, dataset, "--json", *(["--split", split] if split else [])))
        found = document["groups"][0]["channels"]
        assert wanted.keys() <= found.keys()
        for name, components in wanted.items():
            for n, parts in components.items():
                values = np.concatenate([p for _, p in parts])
                x = values[np.isfinite(values)]
                figures = {k: found[name][k][n] for k in ("count", "missing", "min", "max", "mean", "std")}
                assert figures["count"] == x.size and figures["missing"] == np.isnan(values).sum(), name
                if not x.size:
                    assert figures["mean"] is None
                    continue
                assert figures["min"] == x.min() and figures["max"] == x.max()
                np.testing.assert_allclose(figures["mean"], x.mean(), rtol=1e-13, atol=1e-13 * np.abs(x).max())
                np.testing.assert_allclose(figures["std"], x.std(), rtol=1e-9, atol=1e-13 * np.abs(x).max())
                if "quantiles" in found[name]:
                    np.testing.assert_allclose(found[name]["quantiles"][n], np.quantile(x, PROBABILITIES), rtol=1e-15,
                                               atol=0)
                    compared += 1
    assert compared > 100


def test_table_of_statistics(trajpack, dataset):
    out = measured(trajpack, dataset)
    assert "median" in out and "episodes; rows:" in out
    by = measured(trajpack, dataset, "--by", "episode", "--quantiles", "none")
    assert by.splitlines()[2].startswith("episode ")
    alike = [measured(trajpack, dataset, "--json", "--jobs", jobs) for jobs in (1, 3)]
    assert alike[0] == alike[1]


@pytest.mark.parametrize(("words", "says"), [
    (["--rows", "5"], "no range of rows"), (["--rows", "9:3"], "first below end"), (["--split", "nope"], "no split 'nope'"),
    (["--axes", "x"], "has no axes"), (["--channels", "nope"], "no channel matches 'nope'"),
    (["--by", "nope"], "has a value 'nope'"), (["--axes", "0", "--axes", "1"], "give it alone"),
])
def test_mistakes(trajpack, dataset, words, says):
    assert says in measured(trajpack, dataset, *words, code=2)


def test_damage_is_named(trajpack, tmp_path, specimen):
    out = tmp_path / "ds"
    subprocess.run([specimen, out, "--episodes", "3", "--rows", "60"], check=True, capture_output=True)
    shard = next(out.glob("shard-*.h5"))
    chunk = next(c for c in read_archive.Shard(str(shard)).chunks.tolist() if c[1] > 8)
    raw = bytearray(shard.read_bytes())
    raw[chunk[0] + 4] ^= 0xFF
    shard.write_bytes(raw)
    error = measured(trajpack, out, code=1)
    assert f"at byte {chunk[0]} is damaged" in error and "shard-" in error
