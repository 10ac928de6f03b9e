"""Laws over the whole catalogue: a perfect prediction is perfect, and what is masked never counts."""

import re

import numpy as np
import pytest
from dynamics import lorenz
from evaluate_native import TrajpackError, catalogue, evaluate_list, values
from evaluate_samples import TRUTHS, copied, truth
from scipy.spatial.transform import Rotation

EVALUATORS = catalogue()
NAMES = [e["name"] for e in EVALUATORS]

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
    assert set(TRUTHS) == set(NAMES)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ALONE])
def test_truth_against_itself_is_perfect(name, seed):
    arrays = copied(name, truth(name, np.random.default_rng(seed)))
    options = {"first_frame": True} if name == "keypoints.state_alignment" else {}
    if name == "forecast.valid_time":
        options = {"time_step": 0.5, "lyapunov_exponent": 2}
    scored = 0
    for score in evaluate_list(name, options, **arrays):
        if score["name"] in NO_BEST:
            continue
        best = PERFECT[max((p for p in PERFECT if score["name"].startswith(p)), key=len)]
        assert score["value"] == pytest.approx(best, abs=1e-9), score
        assert score["count"] > 0, score
        scored += 1
    assert scored or name == "action.segments"


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
    ("skeleton.pose", "truth_mask"): ["truth", "prediction"],
    ("state.alignment", "truth_mask"): ["truth", "prediction"],
}
for twin in ("camera.control", "camera.normalised"):
    RULED[twin, "truth_mask"] = RULED["camera.path", "truth_mask"]
GARBAGE = [0.0, -7.0, 1e30, -1e30, 1e300, np.inf, -np.inf, np.nan]


def test_every_mask_is_proved():
    assert set(MASKS) == set(RULED)


def noisy(name, rng):
    """A truth and an imperfect prediction."""
    own = truth(name, rng)
    arrays = copied(name, own)
    for key in set(arrays) - set(own):
        if name in ("action.segmentation",):
            arrays[key] = np.roll(arrays[key], 3)
        elif key == "predicted_keys":
            arrays[key] = np.roll(arrays[key], 1, axis=0)
        else:
            arrays[key] = arrays[key] + 0.1 * rng.normal(size=arrays[key].shape)
    return arrays


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
        assert any(a["count"] < b["count"] for a, b in zip(answers[0], whole))


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
    for ours, theirs in zip(evaluate_list(name, {}, **broken), masked):
        assert (ours["name"], ours["value"], ours["count"]) == (
            theirs["name"], theirs["value"], theirs["count"],
        )


def rows(name, arrays, size):
    """The arrays cut to `size` frames of one clip."""
    cut = {}
    for key, value in arrays.items():
        value = np.asarray(value, float)
        if key in ("lengths", "bones", "feet", "ranges"):
            if key != "lengths":
                cut[key] = value
        elif name.startswith(("camera.", "state.")) or (name.startswith("forecast.") and value.ndim == 3):
            cut[key] = value[:, :size]
        elif name == "generative.distances":
            cut[key] = value[:, :size]
        else:
            cut[key] = value[:size]
    return cut


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_almost_nothing_gives_a_figure_or_a_reason(name, size):
    arrays = rows(name, copied(name, truth(name, np.random.default_rng(3))), size)
    try:
        for score in evaluate_list(name, **arrays):
            assert (score["value"] is None) == (score["reason"] is not None)
            assert score["value"] is None or np.isfinite(score["value"])
            assert size or score["value"] is None or name == "action.segments", score
    except TrajpackError as refused:
        assert len(str(refused)) > 20


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
@pytest.mark.parametrize("name", NAMES)
def test_the_type_of_an_array_changes_nothing_but_rounding(name, dtype):
    rng = np.random.default_rng(4)
    arrays = noisy(name, rng)
    whole = {}
    for key, value in arrays.items():
        value = np.asarray(value, float)
        keep = name.endswith("lengths") or "rotation" in key or name.startswith(("depth", "action"))
        whole[key] = value if keep else np.round(np.abs(value) * 3) % 200
        whole[key] = np.maximum(np.round(whole[key]), 0) if "rotation" not in key else whole[key]
    typed = {k: v if "rotation" in k else v.astype(dtype) for k, v in whole.items()}

    def answer(given):
        try:
            return evaluate_list(name, **given)
        except TrajpackError as refused:
            return str(refused)

    ours, theirs = answer(typed), answer(whole)
    if isinstance(theirs, str):
        assert ours == theirs
        return
    for a, b in zip(ours, theirs):
        assert (a["name"], a["count"], a["reason"]) == (b["name"], b["count"], b["reason"])
        assert a["value"] == (b["value"] and pytest.approx(b["value"], rel=1e-6, abs=1e-6)), a["name"]


@pytest.mark.parametrize("value", [0.0, 3.0, 1e-300, 1e200, -1e200, 1e308])
@pytest.mark.parametrize("name", NAMES)
def test_constant_input_gives_a_figure_or_a_reason(name, value):
    arrays = copied(name, truth(name, np.random.default_rng(5)))
    for key in arrays:
        if key not in ("lengths", "bones", "feet", "clips") and "rotation" not in key:
            arrays[key] = np.full(np.shape(arrays[key]), value)
    try:
        for score in evaluate_list(name, **arrays):
            assert (score["value"] is None) == (score["reason"] is not None)
    except TrajpackError as refused:
        assert len(str(refused)) > 20


def wrong_values(setting):
    """Texts that an option cannot mean."""
    default = setting["default"]
    if isinstance(default, bool):
        return ["perhaps", "2", ""]
    if isinstance(default, int):
        return ["1.5", "-9", "99999999999999999999", "x", ""]
    if isinstance(default, float):
        return ["nan", "inf", "x", ""]
    if isinstance(default, list):
        return ["a", "1,,2", "-9", "1;2"]
    return ["x", "", "nan"]


@pytest.mark.parametrize("name", NAMES)
def test_options_out_of_range_are_refused_with_a_sentence(name):
    entry = next(e for e in EVALUATORS if e["name"] == name)
    arrays = copied(name, truth(name, np.random.default_rng(6)))
    for setting in entry["options"]:
        for text in wrong_values(setting):
            with pytest.raises(TrajpackError, match=f"option {setting['name']} takes ") as refused:
                evaluate_list(name, {setting["name"]: text}, **arrays)
            assert refused.value.code == 2
    with pytest.raises(TrajpackError, match="no_such_option"):
        evaluate_list(name, {"no_such_option": 1}, **arrays)
    with pytest.raises(TrajpackError, match="no_such_array"):
        evaluate_list(name, **arrays, no_such_array=np.zeros(3))


@pytest.mark.parametrize("seed", range(4))
def test_moved_cameras_score_closed_forms(seed):
    rng = np.random.default_rng(seed)
    position = rng.normal(size=(30, 3)).cumsum(0)
    turn = Rotation.from_quat(turns := rng.normal(size=(30, 4)))
    move, scale, shift = Rotation.from_rotvec(rng.normal(size=3)), rng.uniform(0.3, 3), rng.normal(size=3)
    given = {"truth_position": position, "truth_rotation": turn.as_quat()}
    moved = {
        "estimate_position": scale * move.apply(position) + shift,
        "estimate_rotation": (move * turn).as_quat(),
    }
    for name, value in values("camera.path", {"alignment": "sim3"}, **given, **moved).items():
        assert value == pytest.approx(0, abs=1e-6), name
    # Positions alone: relative errors too are taken after the alignment.
    alone = {"truth_position": position, "estimate_position": moved["estimate_position"]}
    for name, value in values("camera.path", {"alignment": "sim3"}, **alone).items():
        assert value == pytest.approx(0, abs=1e-9), name
    shifted = {"estimate_position": position + shift, "estimate_rotation": turns}
    ours = values("camera.path", {"alignment": "none"}, **given, **shifted)
    for figure in ("mean", "rmse", "median", "max"):
        assert ours["camera.ate." + figure] == pytest.approx(np.linalg.norm(shift))
        assert ours["camera.rpe_translation." + figure] == pytest.approx(0, abs=1e-12)
    backwards = values("camera.path", {"alignment": "none"}, **given, estimate_position=position[::-1],
                       estimate_rotation=turns[::-1])
    apart = np.linalg.norm(position - position[::-1], axis=1)
    assert backwards["camera.ate.mean"] == pytest.approx(apart.mean())
    # Everything turned by one angle about the camera's own axis.
    by = Rotation.from_rotvec([0, 0, 0.2])
    tilted = values("camera.control", {"translation_scale": "none", "relative": False}, **given,
                    estimate_position=position, estimate_rotation=(turn * by).as_quat())
    assert tilted["camera.rot_err"] == pytest.approx(30 * 0.2)
    assert tilted["camera.trans_err"] == 0
    assert tilted["camera.cam_mc"] == pytest.approx(30 * 2 * np.sqrt(2) * np.sin(0.1))
    mean = values("camera.control", {"translation_scale": "none", "relative": False, "frames": "mean"},
                  **given, estimate_position=position, estimate_rotation=(turn * by).as_quat())
    assert mean["camera.rot_err"] == pytest.approx(0.2)


@pytest.mark.parametrize("scale", [1e-9, 1, 1e9])
def test_alignment_does_not_depend_on_units(scale):
    rng = np.random.default_rng(1)
    position = scale * rng.normal(size=(30, 3)).cumsum(0)
    move = Rotation.from_rotvec(rng.normal(size=3))
    ours = values("camera.path", {"alignment": "sim3"}, truth_position=position,
                  estimate_position=move.apply(position) * 2)
    assert ours["camera.ate.mean"] == pytest.approx(0, abs=1e-12 * scale)
    pose = scale * rng.normal(size=(4, 6, 3))
    ours = values("skeleton.pose", truth=pose, prediction=pose[..., [1, 2, 0]])
    assert ours["skeleton.pa_mpjpe"] == pytest.approx(0, abs=1e-12 * scale)


@pytest.mark.parametrize("seed", range(4))
def test_shifted_and_scaled_forecasts_score_closed_forms(seed):
    rng = np.random.default_rng(seed)
    y = rng.uniform(1, 5, size=(50, 2))
    c, k = rng.uniform(0.1, 0.5), rng.uniform(1.2, 2)
    shifted = values("forecast.errors", truth=y, prediction=y + c)
    assert [shifted["forecast.mae"], shifted["forecast.rmse"]] == pytest.approx([c, c])
    assert shifted["forecast.mse"] == pytest.approx(c * c)
    assert shifted["forecast.marre"] == pytest.approx(100 * c / np.ptp(y))
    assert shifted["forecast.wape"] == pytest.approx(100 * c / y.mean())
    assert shifted["forecast.rmsle"] == pytest.approx(0, abs=1e-12)
    assert shifted["forecast.coefficient_of_variation"] == pytest.approx(0, abs=1e-9)
    assert shifted["forecast.r2"] == pytest.approx(1 - c * c / ((y - y.mean()) ** 2).mean())
    scaled = values("forecast.errors", truth=y, prediction=k * y)
    assert scaled["forecast.mape"] == pytest.approx(100 * (k - 1))
    assert scaled["forecast.wape"] == pytest.approx(100 * (k - 1))
    assert scaled["forecast.smape"] == pytest.approx(200 * (k - 1) / (k + 1))
    assert scaled["forecast.hellinger"] == pytest.approx(0, abs=1e-12)
    for one in (shifted, scaled):
        for name in ("pearson", "spearman", "kendall"):
            assert one["forecast." + name] == pytest.approx(1)
    mirrored = values("forecast.errors", truth=y, prediction=-y)
    assert mirrored["forecast.pearson"] == mirrored["forecast.kendall"] == pytest.approx(-1)
    assert mirrored["forecast.smape"] == pytest.approx(200)
    warped = values("forecast.dtw", {"scale": "none", "band": 0}, truth=y, prediction=y + c)
    assert warped["forecast.dtw"] == pytest.approx(50 * c * np.sqrt(2))
    repeated = values("forecast.dtw", truth=y, prediction=np.repeat(y, 3, axis=0))
    assert repeated["forecast.dtw"] == 0
    crps = values("forecast.ensemble", truth=y[:, 0], ensemble=np.repeat(y[:, :1] + c, 4, axis=1))
    assert crps["forecast.crps"] == pytest.approx(c)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_squares_that_do_not_fit_are_no_excuse_for_a_wrong_number(size):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 60))
    small = values("forecast.errors", truth=x, prediction=y)
    ours = values("forecast.errors", truth=size * x, prediction=size * y)
    for name in ("pearson", "spearman", "kendall", "mutual_information"):
        assert ours["forecast." + name] == pytest.approx(small["forecast." + name], rel=1e-9), name
    if ours["forecast.hellinger"] is not None:
        assert ours["forecast.hellinger"] == pytest.approx(small["forecast.hellinger"], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_attractor_measures_under_similarities_and_units(seed):
    rng = np.random.default_rng(seed)
    series = lorenz()[:700]
    turn, scale, shift = Rotation.from_rotvec(rng.normal(size=3)), rng.uniform(0.2, 5), rng.normal(size=3)
    moved = scale * turn.apply(series) + shift

    def both(name, options=None, changed=None):
        given = values(name, options, series=series)
        return given, values(name, options if changed is None else changed, series=moved)

    a, b = both("attractor.correlation_dimension", {"theiler": 10, "radii": 2000})
    assert b["attractor.correlation_dimension"] == pytest.approx(a["attractor.correlation_dimension"], abs=0.02)
    a, b = both("attractor.lyapunov", {"theiler": 20})
    assert b["attractor.lyapunov"] == pytest.approx(a["attractor.lyapunov"], rel=1e-6)
    slow = values("attractor.lyapunov", {"theiler": 20, "time_step": 4}, series=series)
    assert 4 * slow["attractor.lyapunov"] == pytest.approx(a["attractor.lyapunov"])
    a, b = both("attractor.recurrence", {"radius": 3}, {"radius": 3 * scale})
    for name in a:
        assert b[name] == pytest.approx(a[name], rel=1e-3), name
    a, b = both("attractor.geometry", {"revisit_radius": 2}, {"revisit_radius": 2 * scale})
    assert b["attractor.path_length"] == pytest.approx(scale * a["attractor.path_length"])
    assert b["attractor.revisit_rate"] == pytest.approx(a["attractor.revisit_rate"])
    flat = values("attractor.geometry", {"revisit_radius": 2}, series=scale * series + shift)
    assert flat["attractor.hull_area"] == pytest.approx(scale**2 * a["attractor.hull_area"])
    assert flat["attractor.exploration"] == pytest.approx(scale * a["attractor.exploration"])
    assert flat["attractor.correlation"] == pytest.approx(a["attractor.correlation"])
    assert flat["attractor.spread_0"] == pytest.approx(scale * a["attractor.spread_0"])
    assert flat["attractor.centroid_1"] == pytest.approx(scale * a["attractor.centroid_1"] + shift[1])
    back = values("attractor.geometry", {"revisit_radius": 2}, series=series[::-1])
    for name in ("hull_area", "path_length", "correlation", "centroid_0", "spread_1"):
        assert back["attractor." + name] == pytest.approx(a["attractor." + name])
    spectrum = values("attractor.spectrum", truth=series, generated=scale * series + shift)
    assert spectrum["attractor.d_h"] == pytest.approx(0, abs=1e-9)
    # What has left the grid is no visit: all of it, and no divergence can be had.
    gone = evaluate_list("attractor.d_stsp", truth=series, generated=series + 1000)[0]
    assert gone["value"] is None and gone["details"]["generated_outside_share"] == 1


@pytest.mark.parametrize("pixels, share", [(3, 1.0), (5, 0.75), (12, 0.5), (20, 0.25), (40, 0.0)])
def test_shifted_tracks_score_closed_forms(pixels, share):
    points = np.random.default_rng(7).uniform([100, 100], [1000, 600], size=(20, 5, 2))
    ours = values("keypoints.state_alignment", points=points, tracks=points + [pixels, 0],
                  truth_tracks=points)
    assert ours["keypoints.state_alignment"] == pytest.approx(100 * share)
    assert ours["keypoints.state_alignment_ratio"] == pytest.approx(share)
    tap = values("keypoints.tap_vid", truth=points, tracks=points + [pixels, 0])
    within = np.mean([pixels < t for t in (1, 2, 4, 8, 16)])
    assert tap["keypoints.delta_average"] == pytest.approx(within)
    assert tap["keypoints.average_jaccard"] == pytest.approx(within)
    assert tap["keypoints.survival"] == 1
    x = np.linspace(0, 1, 30).reshape(-1, 1)
    state = values("state.alignment", truth=x, prediction=x + share / 2)
    assert state["state.alignment"] == pytest.approx(1 - share / 2)


def test_scaled_depth_scores_closed_forms():
    depth = np.random.default_rng(8).uniform(1, 9, size=(3, 5, 6))
    for k in (0.5, 0.9, 1.3, 1.9):
        ours = values("depth.errors", truth=depth, prediction=k * depth)
        assert ours["depth.abs_rel"] == pytest.approx(abs(k - 1))
        assert ours["depth.rmse_log"] == pytest.approx(abs(np.log(k)))
        for power in (1, 2, 3):
            assert ours[f"depth.delta_{power}"] == float(max(k, 1 / k) < 1.25**power)
        for alignment in ("median", "scale", "scale_shift"):
            fitted = values("depth.errors", {"alignment": alignment}, truth=depth, prediction=k * depth)
            assert fitted["depth.abs_rel"] == pytest.approx(0, abs=1e-12)
    behind = {s["name"]: s for s in evaluate_list("depth.errors", truth=depth, prediction=-depth)}
    assert behind["depth.delta_3"]["value"] == 0 and behind["depth.abs_rel"]["value"] == pytest.approx(2)
    assert behind["depth.rmse_log"]["value"] is None, "no logarithm is no perfect one"
