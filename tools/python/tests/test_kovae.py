"""Windows as KoVAE (Naiman et al., ICLR 2024) trains on them, by the rule of TimeDataset_irregular in its
utils/utils_data.py, written anew: reversed rows, scaled by (x - min) / (max - min + 1e-7), some rows missing as a whole,
every window of 24 rows with its row numbers, and a natural cubic spline through what each window still has."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from places import program
from scipy.interpolate import CubicSpline

import trajpack
from trajpack import signal

ROWS, LENGTH = 400, 24
ULP = 2 ** -23          # of float32 between 1 and 2, which is what KoVAE trains on


def theirs(table: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows with holes, the last column their row numbers; and without, both ``[N, 24, ...]``."""
    data = table[::-1]
    scaled = (data - data.min(0)) / (data.max(0) - data.min(0) + 1e-7)
    whole = np.stack([scaled[i:i + LENGTH] for i in range(len(scaled) - LENGTH + 1)])
    holes = scaled.copy()
    holes[missing] = np.nan
    holes = np.concatenate([holes, np.arange(len(holes))[:, None]], 1)
    return np.stack([holes[i:i + LENGTH] for i in range(len(holes) - LENGTH + 1)]), whole


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.7])
def test_windows_are_those_of_kovae(tmp_path: Path, rate: float) -> None:
    chance = np.random.default_rng(int(10 * rate))
    table = chance.normal(size=(ROWS, 6)).cumsum(0).round(3)
    missing = np.sort(chance.permutation(ROWS)[:int(ROWS * rate)])
    np.savetxt(tmp_path / "stock.csv", table[::-1], delimiter=",", fmt="%.3f", comments="",
               header="Open,High,Low,Close,Adj,Volume")
    subprocess.run([program(), "convert", tmp_path / "stock.csv", tmp_path / "ds", "--quiet", "--time", "none"], check=True)
    ds = trajpack.open(tmp_path / "ds")
    facts = ds.statistics()
    names = ["Open", "High", "Low", "Close", "Adj", "Volume"]
    low = {n: float(np.ravel(facts[f"series/{n}"]["min"])[0]) for n in names}
    span = {n: float(np.ravel(facts[f"series/{n}"]["max"])[0]) - low[n] + 1e-7 for n in names}
    plan = {"steps": [
        {"step": "normalize", "split": "all",
         "constants": {f"series/{n}": {"shift": low[n], "scale": 1 / span[n]} for n in names}},
        {"step": "mask", "mechanism": "listed", "rows": {ds.episodes.ids[0]: missing.tolist()}}]}
    holes, whole = theirs(table, missing)
    options = {"length": LENGTH, "batch": 64, "shuffle": False, "drop_last": False, "meta": True, "dtype": "float32",
               "features": {"x": [f"series/{n}" for n in names]}}
    seen = 0
    with ds.windows(plan=plan, **options) as loader:
        assert loader.windows == len(holes) == ROWS - LENGTH + 1
        for batch in loader:
            for window, row, got in zip(batch.windows.tolist(), batch["meta:row"].tolist(), batch["x"], strict=True):
                assert holes[window, 0, -1] == row
                np.testing.assert_array_equal(np.isnan(got), np.isnan(holes[window, :, :-1]))
                np.testing.assert_allclose(got, holes[window, :, :-1], rtol=0, atol=ULP)
                seen += 1
    assert seen == len(holes)
    with ds.windows(plan={"steps": plan["steps"][:1]}, **options) as loader:
        np.testing.assert_allclose(np.concatenate([b["x"].copy() for b in loader]), whole, rtol=0, atol=ULP)

    # The spline of each window through its own observed rows; scipy is the witness where both ends are observed.
    tried = 0
    for window in range(0, len(holes), 7):
        values = holes[window, :, :-1]
        observed = ~np.isnan(values[:, 0])
        if not observed[[0, -1]].all() or observed.sum() < 4:
            continue
        times = np.arange(LENGTH, dtype=float)
        want = CubicSpline(times[observed], values[observed], bc_type="natural")(times)
        got, _ = signal.resample(values[observed], times[observed], times, "natural")
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)
        tried += 1
    assert tried > 0 or rate > 0.6


def test_kovaes_split_by_rows_keeps_its_parts_apart(tmp_path: Path) -> None:
    """Fitted to the first 80 % of the rows, as its table may be split; the scale is that of these rows alone."""
    table = np.random.default_rng(5).normal(size=(ROWS, 3)).cumsum(0)
    with trajpack.create(tmp_path / "ds", rate={"s": 1}) as writer:
        writer.append("a", {"s/x": table})
    ds = trajpack.open(tmp_path / "ds")
    ds.split({"train": "0:80%", "test": "80%:"})
    train, test = table[:320], table[320:]
    for name, part in (("train", train), ("test", test)):
        with ds.windows(split=name, length=LENGTH, batch=8, shuffle=False, drop_last=False, normalize="minmax",
                        dtype="float64") as loader:
            got = np.concatenate([b["s/x"].copy() for b in loader])
        scaled = 2 * (part - train.min(0)) / (train.max(0) - train.min(0)) - 1
        want = np.stack([scaled[i:i + LENGTH] for i in range(len(part) - LENGTH + 1)])
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    assert json.loads((tmp_path / "ds" / "manifest.json").read_text())["version"] == "2.0"
