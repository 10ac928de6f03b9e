"""Laws over the whole catalogue: a perfect prediction is perfect, and the type of an array changes nothing."""

import numpy as np
import pytest
from evaluate_native import catalogue, evaluate_list
from evaluate_samples import TRUTHS, copied, noisy, truth

NAMES = [e["name"] for e in catalogue()]

# What a copy of the truth scores, by the beginning of a score's name; the longest that fits decides.
PERFECT = {
    "camera.": 0,
    "camera.wbench_accuracy": 1,
    "camera.worldscore": 1,
    "keypoints.state_alignment": 100,
    "keypoints.": 1,
    "state.alignment": 1,
    "action.following": 100,
    "action.agreement": 1,
    "action.kappa": 1,
    "action.frame_accuracy": 100,
    "action.edit": 100,
    "action.f1_": 100,
    "action.keyboard": 1,
    "action.mouse": 1,
    "forecast.": 0,
    "forecast.r2": 1,
    "forecast.spearman": 1,
    "forecast.pearson": 1,
    "forecast.kendall": 1,
    "forecast.coverage": 1,
    "forecast.vpt_": 40,
    "skeleton.": 0,
    "skeleton.pck": 1,
    "depth.": 0,
    "depth.delta_": 1,
    "attractor.": 0,
    "attractor.spectrum_correlation": 1,
    "generative.": 0,
    "compare.difference": 0,
}

# Entropies, counts, and TSGBench's MDD, which drops values on the edges of bins from one side only.
NO_BEST = ("forecast.mutual_information", "generative.mdd", "action.segments")

# Measures of one series, with no truth beside it.
ALONE = {
    "attractor.correlation_dimension",
    "attractor.lyapunov",
    "attractor.lyapunov_spectrum",
    "attractor.recurrence",
    "attractor.geometry",
}


def test_every_evaluator_has_a_sample():
    assert set(TRUTHS) == set(NAMES), (
        "TRUTHS of evaluate_samples.py has a function of each evaluator that makes the arrays of a truth: add "
        f"{sorted(set(NAMES) - set(TRUTHS))}, take out {sorted(set(TRUTHS) - set(NAMES))}; what a copy of them scores, "
        "where it is not what its suite says, goes into PERFECT here")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_that_an_evaluator_says_it_makes(name):
    said = next(e["scores"] for e in catalogue() if e["name"] == name)
    made = [s["name"] for s in evaluate_list(name, {}, **noisy(name, np.random.default_rng(0)))]
    assert made
    odd = [m for m in made if not any(m == s or m.startswith(s if s[-1] in "._" else f"{s}.") for s in said)]
    assert not odd, f"{name} makes {odd}, which its list 'makes' lacks: {said}"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ALONE])
def test_truth_against_itself_is_perfect(name, seed):
    arrays = copied(name, truth(name, np.random.default_rng(seed)))
    options = {"first_frame": True} if name == "keypoints.state_alignment" else {}
    if name == "skeleton.plausibility":
        options = {"up": 1}
    if name == "forecast.valid_time":
        options = {"time_step": 0.5, "lyapunov_exponent": 2}
    scored = 0
    for score in evaluate_list(name, options, **arrays):
        if score["name"] in NO_BEST:
            continue
        prefixes = [p for p in PERFECT if score["name"].startswith(p)]
        assert prefixes, (
            f"PERFECT says what a copy of the truth scores: add {score['name']}, or the beginning of its name; an evaluator that "
            "measures a series with no truth beside it goes into ALONE, a figure without a best into NO_BEST")
        best = PERFECT[max(prefixes, key=len)]
        assert score["value"] == pytest.approx(best, abs=1e-9), score
        assert score["count"] > 0, score
        scored += 1
    assert (scored > 0) == (name != "action.segments"), "counts of segments have no best"


# Arrays of rows and joints, which other numbers would make another question.
MEANT = ("lengths", "bones", "feet", "clips")


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
@pytest.mark.parametrize("name", NAMES)
def test_the_type_of_an_array_changes_nothing_but_rounding(name, dtype):
    rng = np.random.default_rng(4)
    arrays = noisy(name, rng)
    whole = {}
    for key, value in arrays.items():
        value = np.asarray(value, float)
        if "rotation" not in key and not name.startswith(("depth", "action")) and key not in MEANT:
            value = np.abs(value) * 3 % 200
        whole[key] = value if "rotation" in key else np.maximum(np.round(value), 0)
    typed = {k: v if "rotation" in k else v.astype(dtype) for k, v in whole.items()}
    ours, theirs = evaluate_list(name, **typed), evaluate_list(name, **whole)
    assert any(score["value"] is not None for score in theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a["name"], a["count"], a["reason"]) == (b["name"], b["count"], b["reason"])
        assert a["value"] == (b["value"] and pytest.approx(b["value"], rel=1e-6, abs=1e-6)), a["name"]
