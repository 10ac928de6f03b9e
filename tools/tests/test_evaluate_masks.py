"""What is masked, or is no number, never influences a score: proved of every mask of the catalogue."""

import re

import numpy as np
import pytest
from evaluate_native import catalogue, evaluate_list
from evaluate_samples import noisy

EVALUATORS = catalogue()

# Each mask with the arrays it rules; what has no array of its own to fill is not here.
MASKS = [
    (name, mask["name"])
    for name, inputs in ((e["name"], e["inputs"]) for e in EVALUATORS)
    for mask in inputs
    if re.fullmatch(r"(truth_|train_)?mask", mask["name"])
]

RULED = {
    ("action.segments", "mask"): ["actions"],
    ("action.segmentation", "mask"): ["truth", "prediction"],
    ("action.recogniser", "mask"): ["truth"],
    ("action.recogniser", "train_mask"): ["train_labels"],
    ("action.keyboard_mouse", "truth_mask"): [
        "truth_keys", "predicted_keys", "truth_mouse", "predicted_mouse",
    ],
    ("camera.path", "truth_mask"): [
        "truth_position", "truth_rotation", "estimate_position", "estimate_rotation",
    ],
    ("depth.errors", "truth_mask"): ["truth", "prediction"],
    ("forecast.dtw", "truth_mask"): ["truth"],
    ("forecast.ensemble", "truth_mask"): ["truth", "ensemble"],
    ("forecast.errors", "truth_mask"): ["truth", "prediction"],
    ("forecast.intervals", "truth_mask"): ["truth", "lower", "upper"],
    ("forecast.valid_time", "truth_mask"): ["truth", "prediction"],
    ("generative.distances", "truth_mask"): ["real"],
    ("keypoints.state_alignment", "mask"): ["points", "tracks"],
    ("keypoints.tap_vid", "mask"): ["truth", "tracks"],
    ("skeleton.plausibility", "mask"): ["joints"],
    ("attractor.geometry", "mask"): ["series"],
    ("skeleton.pose", "truth_mask"): ["truth", "prediction"],
    ("state.alignment", "truth_mask"): ["truth", "prediction"],
}

for twin in ("camera.control", "camera.normalised"):
    RULED[twin, "truth_mask"] = RULED["camera.path", "truth_mask"]

GARBAGE = [0.0, -7.0, 1e30, -1e30, 1e300, np.inf, -np.inf, np.nan]


def test_every_mask_is_proved():
    assert set(MASKS) == set(RULED), (
        "RULED says of each mask of the catalogue, (evaluator, mask), which arrays it rules: add "
        f"{sorted(set(MASKS) - set(RULED))}, take out {sorted(set(RULED) - set(MASKS))}; where what is not finite counts "
        "as masked, add it to MISSING, too")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name, mask", MASKS)
def test_what_is_masked_never_influences_a_score(name, mask, seed):
    rng = np.random.default_rng(seed)
    arrays = noisy(name, rng)
    ruled = RULED[name, mask]
    like = arrays[ruled[0]]
    kind = next(i for e in EVALUATORS if e["name"] == name for i in e["inputs"] if i["name"] == mask)
    axes = len(kind["shape"].replace("[N ×]", "N ×").split(", or")[0].split("×"))
    axes = like.ndim if kind["shape"] == "as truth" or name.startswith("forecast.intervals") else axes
    keep = rng.random(like.shape[:axes]) < 0.7
    options = {}
    if name == "skeleton.pose":
        # A mask must rule the lengths that PCK divides by, too.
        options = [{}, {"root": 0}, {"normaliser": "joints", "normaliser_joints": "1,2"}, {}][seed]
    answers = []
    for fill in [None, *GARBAGE]:
        filled = {k: np.array(v, float) if k in ruled else v for k, v in arrays.items()}
        for key in ruled:
            if fill is not None:
                filled[key][~keep] = fill
        answers.append(evaluate_list(name, options, **filled, **{mask: keep}))
    assert any(score["value"] is not None for score in answers[0])
    assert all(answer == answers[0] for answer in answers[1:])
    whole = evaluate_list(name, options, **arrays)
    assert [s["name"] for s in whole] == [s["name"] for s in answers[0]]
    if name != "action.segments" and mask != "train_mask":  # a hole cuts a segment in two
        assert any(a["count"] < b["count"] for a, b in zip(answers[0], whole, strict=True))


MISSING = [
    ("camera.path", "truth_mask", ["truth_position"]),
    ("camera.control", "truth_mask", ["truth_rotation"]),
    ("camera.normalised", "truth_mask", ["truth_position"]),
    ("action.keyboard_mouse", "truth_mask", ["truth_keys", "truth_mouse"]),
    ("depth.errors", "truth_mask", ["truth"]),
    ("forecast.dtw", "truth_mask", ["truth"]),
    ("forecast.ensemble", "truth_mask", ["truth"]),
    ("forecast.errors", "truth_mask", ["truth"]),
    ("forecast.intervals", "truth_mask", ["truth"]),
    ("forecast.valid_time", "truth_mask", ["truth"]),
    ("generative.distances", "truth_mask", ["real"]),
    ("keypoints.state_alignment", "mask", ["points"]),
    ("keypoints.tap_vid", "mask", ["truth"]),
    ("skeleton.pose", "truth_mask", ["truth"]),
    ("state.alignment", "truth_mask", ["truth"]),
]


@pytest.mark.parametrize("absent", [np.nan, np.inf])
@pytest.mark.parametrize("name, mask, holes", MISSING)
def test_a_true_value_that_is_not_a_number_is_as_good_as_masked(name, mask, holes, absent):
    rng = np.random.default_rng(9)
    arrays = noisy(name, rng)
    like = arrays[holes[0]]
    axes = like.ndim
    if name.startswith(("camera.", "keypoints.", "skeleton.")) or name == "forecast.dtw":
        axes -= 1
    if name == "action.keyboard_mouse":
        axes = 1
    keep = rng.random(like.shape[:axes]) < 0.8
    masked = evaluate_list(name, {}, **arrays, **{mask: keep})
    broken = dict(arrays)
    for key in holes:
        broken[key] = arrays[key].copy()
        broken[key][~keep] = absent
    assert any(score["count"] and score["value"] is not None for score in masked)
    for ours, theirs in zip(evaluate_list(name, {}, **broken), masked, strict=True):
        assert (ours["name"], ours["value"], ours["count"]) == (
            theirs["name"], theirs["value"], theirs["count"],
        )
