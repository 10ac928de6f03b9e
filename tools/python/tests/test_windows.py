"""Windows, masks and times against the slow reference loader, on random ragged archives."""
from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from archive import Archive
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Reference

import trajpack

EXAMPLES = int(os.environ.get("TRAJPACK_EXAMPLES", "40"))


def same(name: str, got: np.ndarray, want: np.ndarray) -> None:
    assert got.shape == want.shape, name
    assert got.dtype == want.dtype, name
    if got.dtype.kind == "f":
        close = 2e-6 if got.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(got, want, rtol=close, atol=close * 10, equal_nan=True, err_msg=name)
    else:
        np.testing.assert_array_equal(got, want, err_msg=name)


def compare(archive: Archive, options: dict[str, Any], some: int = 24) -> int:
    """Compares windows of all outputs; returns how many there are."""
    reference = Reference(archive, **options)
    if "normalize" in options:
        # Whose statistics has to be said where some episodes are chosen.
        has_train = any(e.split == "train" for e in archive.episodes)
        options = {**options, "normalize_split": "train" if has_train else "all"}
    with tempfile.TemporaryDirectory() as folder:
        dataset = trajpack.open(archive.write(Path(folder) / "a.h5"))
        if not reference.windows:
            with pytest.raises(trajpack.UsageError):
                dataset.windows(batch=1, **options)
            return 0
        with dataset.windows(batch=5, shuffle=False, drop_last=False, time=True, threads=2, **options) as loader:
            assert loader.windows == len(reference.windows)
            wanted = set(np.linspace(0, loader.windows - 1, some).astype(int).tolist())
            seen = 0
            for batch in loader:
                for i, window in enumerate(batch.windows.tolist()):
                    seen += 1
                    if window not in wanted:
                        continue
                    truth = reference.window(window)
                    assert set(truth) == set(batch), (sorted(truth), sorted(batch))
                    for name in batch:
                        same(f"window {window}, {name}", batch[name][i], truth[name])
                    episode, _, row = loader.locate(window)
                    assert (episode, row) == (reference.windows[window][0], reference.windows[window][2])
            assert seen == loader.windows
            picked = sorted(wanted, key=lambda w: (w * 7919) % 101)[:5]
            again = loader.read(picked)
            for i, window in enumerate(picked):
                for name, want in reference.window(window).items():
                    same(f"read {window}, {name}", again[name][i], want)
        return seen


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    out: dict[str, Any] = {
        "length": draw(st.integers(1, 12)), "stride": draw(st.integers(1, 7)),
        "edge": draw(st.sampled_from(["drop", "pad", "clamp"])),
        "align": draw(st.sampled_from(["auto", "nearest", "asof", "linear"])),
    }
    if draw(st.booleans()):
        out |= {"past": draw(st.integers(0, 5)), "future": draw(st.integers(0, 5))}
    if draw(st.integers(0, 3)) == 0:
        out["offsets"] = {"s0": draw(st.lists(st.integers(-6, 6), min_size=1, max_size=4))}
    if draw(st.integers(0, 3)) == 0:
        out["entities"] = draw(st.integers(1, 4))
    if draw(st.integers(0, 3)) == 0:
        out["dtype"] = draw(st.sampled_from(["float32", "float64", "int32", "int16"]))
    if draw(st.integers(0, 3)) == 0:
        out["fill"] = draw(st.sampled_from([-1.5, -1, 7.0]))
    if out.get("dtype", "float").startswith("int"):
        out["fill"] = -1  # what is missing has to be told apart
    if draw(st.integers(0, 1)) == 0:
        out["tolerance"] = draw(st.sampled_from([Fraction(0), Fraction(1, 1000), Fraction(1, 64), Fraction(1, 3)]))
    if draw(st.integers(0, 1)) == 0:
        out["hold"] = draw(st.sampled_from(["auto", "interval", "end"]))
    if draw(st.integers(0, 2)) == 0:
        out["max_staleness"] = draw(st.sampled_from([Fraction(1, 50), Fraction(1, 4), Fraction(2)]))
    if draw(st.integers(0, 3)) == 0:
        out["where"] = draw(st.sampled_from([{"level": [1, 2]}, {"who.name": "a"}, {"level": {"min": 2}},
                                             {"level": {"max": 2}, "who.name": ["a", "b"]}]))
    if "offsets" not in out and draw(st.integers(0, 2)) == 0:
        out["rate"] = draw(st.sampled_from([Fraction(25), Fraction(60), Fraction(100, 7), Fraction(2)]))
    if not out.get("dtype", "float").startswith("int") and draw(st.integers(0, 2)) == 0:
        out["normalize"] = draw(st.sampled_from(["standard", "minmax"]))
    if "offsets" not in out and draw(st.integers(0, 2)) == 0:
        out["features"] = draw(st.sampled_from([{"x": ["s0"]}, {"x": ["s1", "s0"], "y": ["s2"]}, {"all": ["*"]}]))
    return out


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2 ** 32), options())
def test_windows_equal_the_reference(seed: int, options: dict[str, Any]) -> None:
    compare(worlds.archive(seed), options)


@pytest.mark.parametrize("edge", ["drop", "pad", "clamp"])
@pytest.mark.parametrize("seed", range(6))
def test_known_seeds_have_windows(seed: int, edge: str) -> None:
    assert compare(worlds.archive(seed), {"length": 7, "stride": 3, "edge": edge}) > 0


def test_normalised_values_are_not_cut_off(tmp_path: Path) -> None:
    dataset = trajpack.open(worlds.archive(0).write(tmp_path / "a.h5"))
    with pytest.raises(trajpack.UsageError, match="normalised to fractions, which 'dtype' int32 would cut off"):
        dataset.windows(length=2, dtype="int32", normalize="minmax")


def test_splits_choose_episodes() -> None:
    archive = worlds.archive(5, episodes=12)
    for split in ("train", "test"):
        assert compare(archive, {"length": 2, "split": split, "channels": ["s0", "s1"]}) > 0
