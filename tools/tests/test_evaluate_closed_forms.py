"""Predictions that are the truth moved, shifted or scaled score what a formula says."""

import numpy as np
import pytest
from dynamics import lorenz
from evaluate_native import evaluate_list, values
from scipy.spatial.transform import Rotation


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
    perfect = values("camera.path", {"alignment": "sim3"}, **given, **moved)
    assert {"camera.ate.mean", "camera.rpe_rotation_degrees.mean"} <= perfect.keys()
    for name, value in perfect.items():
        assert value == pytest.approx(0, abs=1e-6), name
    # Positions alone: relative errors too are taken after the alignment.
    alone = {"truth_position": position, "estimate_position": moved["estimate_position"]}
    perfect = values("camera.path", {"alignment": "sim3"}, **alone)
    assert {"camera.ate.mean", "camera.rpe_translation.mean"} <= perfect.keys()
    for name, value in perfect.items():
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
    # A spectrum is of squares: where they do not fit there is no figure, and where they just fit the same.
    assert ours["forecast.hellinger"] is None
    root = np.sqrt(size)
    just = values("forecast.errors", truth=root * x, prediction=root * y)
    assert just["forecast.hellinger"] == pytest.approx(small["forecast.hellinger"], rel=1e-9)


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
    assert a["attractor.recurrence_rate"] > 0
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
