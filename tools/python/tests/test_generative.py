"""Discriminative and predictive scores: laws that any such score obeys. They need PyTorch."""
from __future__ import annotations

import re

import numpy as np
import pytest
from places import ROOT

import trajpack

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch

from trajpack.evaluate import generative

torch.set_num_threads(1)

QUICK = {"discriminative_steps": 60, "predictive_steps": 60, "runs": 2, "learning_rate": 0.05, "batch": 64}


def sines(seed: int, count: int = 200, steps: int = 8, features: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(0.2, 0.8, (2, count, 1, 1))
    return (np.sin(frequency * np.arange(steps)[:, None] + phase + np.arange(features) / 3) + 1) / 2


def noise(seed: int, like: np.ndarray) -> np.ndarray:
    return np.random.default_rng(seed).random(like.shape)


def test_the_constants_are_those_of_the_papers() -> None:
    assert (
        generative.TIMEGAN
        == generative.KOVAE
        == generative.Constants(
            cell="gru",
            discriminative_steps=2000,
            predictive_steps=5000,
            batch=128,
            learning_rate=1e-3,
            train_share=0.8,
            runs=10,
        )
    )
    assert (
        generative.TSGBENCH.cell,
        generative.TSGBENCH.discriminative_steps,
        generative.TSGBENCH.predictive_steps,
    ) == ("lstm", 2000, 2000)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_is_drawn_alike_cannot_be_told_apart_and_noise_can(cell: str) -> None:
    real = sines(0)
    alike = generative.discriminative(real, sines(1), cell=cell, **QUICK)["generative.discriminative"]
    apart = generative.discriminative(real, noise(2, real), cell=cell, **QUICK)["generative.discriminative"]
    assert alike.value < 0.2 and apart.value > 0.4
    assert alike.count == 80 and len(alike.details["per_run"]) == 2
    assert alike.value == pytest.approx(np.mean(alike.details["per_run"])) and alike.details["std"] is not None
    assert alike.details["pooled"] == pytest.approx(alike.details["per_run"])
    assert alike.options["cell"] == cell and alike.options["discriminative_steps"] == 60


def test_sides_of_unlike_size_weigh_the_same() -> None:
    real = sines(0, 30)
    found = generative.discriminative(real, noise(1, sines(1)), **QUICK)["generative.discriminative"]
    assert found.value > 0.4 and found.count == 6 + 40


def test_forecasts_learn_from_what_is_alike_and_not_from_noise() -> None:
    real = sines(0)
    alike = generative.predictive(real, sines(1), **QUICK)
    apart = generative.predictive(real, noise(2, real), **QUICK)
    assert alike["generative.predictive"].value == pytest.approx(alike["generative.predictive_on_real"].value, rel=0.3)
    assert apart["generative.predictive"].value > 2 * alike["generative.predictive"].value
    same = generative.predictive(real, real, **QUICK)
    assert same["generative.predictive"].value == same["generative.predictive_on_real"].value


def test_the_same_seed_gives_the_same_figure_and_leaves_torch_alone() -> None:
    real, fake = sines(0), sines(1)
    torch.manual_seed(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    one, two = (generative.discriminative(real, fake, seed=3, **QUICK) for _ in range(2))
    assert one["generative.discriminative"] == two["generative.discriminative"]
    other = generative.discriminative(real, fake, seed=4, **QUICK)
    assert other["generative.discriminative"].details["per_run"] != one["generative.discriminative"].details["per_run"]
    assert torch.equal(torch.rand(3), first)


def test_what_follows_the_end_of_a_series_does_not_count() -> None:
    rng = np.random.default_rng(4)
    real, fake = sines(0), sines(1)
    lengths = rng.integers(2, 9, len(real))
    padded = real.copy()
    padded[np.arange(8) >= lengths[:, None]] = np.nan
    for function in (generative.discriminative, generative.predictive):
        clean, odd = (
            function(x, fake, real_lengths=lengths, generated_lengths=lengths, **QUICK) for x in (real, padded)
        )
        assert clean.values_by_name == odd.values_by_name


def test_what_cannot_be_computed_or_asked() -> None:
    real = sines(0, 20)
    few = generative.discriminative(real[:1], real, **QUICK)["generative.discriminative"]
    assert few.value is None and "too few" in few.reason
    assert generative.predictive(real[..., :1], real[..., :1], **QUICK)["generative.predictive"].value is None
    spoilt = real.copy()
    spoilt[3, 4, 1] = np.inf
    with pytest.raises(trajpack.DataError, match="series 3, step 4, feature 1"):
        generative.discriminative(real, spoilt, **QUICK)
    with pytest.raises(trajpack.DataError, match="scale both"):
        generative.predictive(real, real * 3)
    for call in (
        lambda: generative.discriminative(real, real[..., :2]),
        lambda: generative.discriminative(real[0], real),
        lambda: generative.discriminative(real, real, real_lengths=[9] * 20),
        lambda: generative.discriminative(real, real, run=3),
        lambda: generative.predictive(real, real, runs=0),
    ):
        with pytest.raises(trajpack.UsageError):
            call()


def test_the_guide_runs() -> None:
    blocks = re.findall(r"^```py\n(.*?)^```$", (ROOT / "docs" / "evaluate-python.md").read_text(), re.M | re.S)
    assert blocks
    names = {"np": np}
    for block in blocks:
        exec(compile(block, "docs/evaluate-python.md", "exec"), names)
