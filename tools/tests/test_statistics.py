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
