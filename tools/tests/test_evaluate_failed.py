"""Failed predictions: no mean by default, marked where they are skipped, the bound where they count as the worst."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from evaluate_native import TrajpackError, evaluate

UNIT = [0, 0, 0, 1.0]


def paths(count=4, frames=40, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(count, frames, 3)).cumsum(1)
    guess = truth + 0.05 * rng.normal(size=truth.shape)
    turn = np.broadcast_to(UNIT, (count, frames, 4))
    return truth, guess, dict(truth_rotation=turn, estimate_rotation=turn)


def camera(options=None, name="camera.path", **arrays):
    return evaluate(name, options or {}, **arrays)


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 1, 1), (2.345, -5.4, 1.968), (0.1, 0.2, 0.3), (1e6, 3, -7)])
def test_a_frozen_estimate_fails_wherever_it_stands(place):
    truth, guess, turns = paths()
    guess[1] = place
    found = camera(truth_position=truth, estimate_position=guess, **turns)
    for name in ("camera.ate.rmse", "camera.ate_rotation_degrees.mean", "camera.rpe_translation.mean"):
        assert found[name]["value"] is None and "1 of 4 paths failed" in found[name]["reason"]
        assert found[name]["details"]["failed"]["ids"] == [1]
    assert found["camera.rpe_rotation_degrees.mean"]["value"] == pytest.approx(0, abs=1e-6)
    skip = camera({"failed": "skip"}, truth_position=truth, estimate_position=guess, **turns)
    others = [0, 2, 3]
    alone = camera(truth_position=truth[others], estimate_position=guess[others],
                   **{k: v[others] for k, v in turns.items()})
    assert skip["camera.ate.rmse"]["value"] == pytest.approx(alone["camera.ate.rmse"]["value"])
    worst = camera({"failed": "worst"}, truth_position=truth, estimate_position=guess, **turns)
    spread = np.linalg.norm(truth[1] - truth[1].mean(0), axis=1).mean()
    each = [*(camera(truth_position=truth[k], estimate_position=guess[k])["camera.ate.mean"]["value"] for k in others)]
    assert worst["camera.ate.mean"]["value"] == pytest.approx((sum(each) + spread) / 4)
    with pytest.raises(TrajpackError, match="1 of 4 paths failed"):
        camera({"failed": "error"}, truth_position=truth, estimate_position=guess, **turns)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1, 1e3, 1e9])
def test_degeneration_does_not_depend_on_units(scale):
    truth, guess, turns = paths()
    found = camera(truth_position=scale * truth, estimate_position=scale * guess, **turns)
    once = camera(truth_position=truth, estimate_position=guess, **turns)
    assert found["camera.ate.rmse"]["value"] == pytest.approx(scale * once["camera.ate.rmse"]["value"], rel=1e-6)


def test_straight_and_standing_cameras_have_figures():
    n, rng = 81, np.random.default_rng(0)
    turns = dict(truth_rotation=np.tile(UNIT, (n, 1)), estimate_rotation=np.tile(UNIT, (n, 1)))
    for truth in (np.linspace(0, 10, n)[:, None] * [0, 0, 1.0], np.zeros((n, 3))):
        guess = truth + 0.01 * rng.normal(size=truth.shape)
        found = camera(truth_position=truth, estimate_position=guess, **turns)
        steps = np.linalg.norm(np.diff(guess, axis=0) - np.diff(truth, axis=0), axis=1)
        assert found["camera.rpe_translation.rmse"]["value"] == pytest.approx(np.sqrt((steps**2).mean()), rel=1e-2)
        assert found["camera.rpe_rotation_degrees.rmse"]["value"] == pytest.approx(0, abs=1e-9)
        assert 0 < found["camera.ate.rmse"]["value"] < 0.03
        assert found["camera.ate_rotation_degrees.max"]["value"] < 1
        assert found["camera.ate.rmse"]["details"]["alignment_fit"]["note"]
    still = camera(truth_position=np.zeros((n, 3)), estimate_position=np.ones((n, 3)), **turns)
    assert still["camera.ate.rmse"]["value"] == 0


def test_the_orientations_turn_a_straight_path_about_itself():
    rng = np.random.default_rng(3)
    n = 60
    truth = np.linspace(0, 5, n)[:, None] * [0.6, 0, 0.8]
    turn = Rotation.from_rotvec(rng.normal(size=(n, 3)))
    frame = Rotation.from_rotvec([0.4, -1.1, 2.0])
    found = camera(truth_position=truth, estimate_position=frame.apply(truth) * 2 + 7, truth_rotation=turn.as_quat(),
                   estimate_rotation=(frame * turn).as_quat())
    assert found["camera.ate.rmse"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["camera.ate_rotation_degrees.max"]["value"] == pytest.approx(0, abs=1e-5)


def test_a_backward_estimate_is_not_perfect():
    truth = np.linspace(0, 10, 81)[:, None] * [0, 0, 1.0]
    turns = dict(truth_rotation=np.tile(UNIT, (81, 1)), estimate_rotation=np.tile(UNIT, (81, 1)))
    arrays = dict(truth_position=truth, estimate_position=-truth, **turns)
    for alignment in ("scale", "scale_l1"):
        found = camera({"alignment": alignment}, **arrays)["camera.ate.mean"]
        assert found["value"] is None and "other way" in found["reason"]
        score = camera({"alignment": alignment}, "camera.normalised", **arrays)["camera.worldscore"]
        assert score["value"] is None
        worst = {"alignment": alignment, "failed": "worst"}
        assert camera(worst, "camera.normalised", **arrays)["camera.worldscore"]["value"] == 0
        either = {"alignment": alignment, "negative_scale": True}
        assert camera(either, "camera.normalised", **arrays)["camera.worldscore"]["value"] == pytest.approx(1)


def test_poses_are_fitted_body_by_body():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(20, 9, 3)), rng.normal(size=(20, 6, 3)) + [5, 0, 0]
    noisy = lambda p: p + 0.3 * rng.normal(size=(20, 1, 3)) + 0.05 * rng.normal(size=p.shape)
    c, d = noisy(a), noisy(b)
    both = dict(truth=np.concatenate([a, b], 1), prediction=np.concatenate([c, d], 1), entities=[7] * 9 + [3] * 6)
    found = evaluate("skeleton.pose", {"alpha": 0.1}, **both)
    one, other = (evaluate("skeleton.pose", {"alpha": 0.1}, truth=p, prediction=q) for p, q in ((a, c), (b, d)))
    for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck"):
        name = f"skeleton.{name}"
        mean = (9 * one[name]["value"] + 6 * other[name]["value"]) / 15
        assert found[name]["value"] == pytest.approx(mean), name
        assert found[name]["details"]["per_entity"] == {
            "7": pytest.approx(one[name]["value"]), "3": pytest.approx(other[name]["value"])}
    moved = evaluate("skeleton.pose", {"root": 0}, **both)
    assert moved["skeleton.mpjpe"]["details"]["per_entity"]["3"] == pytest.approx(
        evaluate("skeleton.pose", {"root": 0}, truth=b, prediction=d)["skeleton.mpjpe"]["value"])


def test_collapsed_poses_and_black_images_do_not_improve_a_figure():
    rng = np.random.default_rng(6)
    truth = rng.normal(size=(10, 8, 3))
    guess = truth + 0.1 * rng.normal(size=truth.shape)
    honest = evaluate("skeleton.pose", truth=truth, prediction=guess)["skeleton.pa_mpjpe"]["value"]
    guess[5:] = guess[5:, :1]
    found = evaluate("skeleton.pose", truth=truth, prediction=guess)["skeleton.pa_mpjpe"]
    assert found["value"] is None and "5 of 10 poses failed" in found["reason"]
    assert evaluate("skeleton.pose", {"failed": "worst"}, truth=truth, prediction=guess)[
        "skeleton.pa_mpjpe"]["value"] > honest
    depth = 1 + 9 * rng.random((10, 6, 8))
    image = depth * (1 + 0.1 * rng.random(depth.shape))
    fit = {"alignment": "scale_shift"}
    honest = evaluate("depth.errors", fit, truth=depth, prediction=image)["depth.abs_rel"]["value"]
    image[5:] = 0
    found = evaluate("depth.errors", fit, truth=depth, prediction=image)["depth.abs_rel"]
    assert found["value"] is None and "5 of 10 images failed" in found["reason"]
    assert evaluate("depth.errors", fit | {"failed": "worst"}, truth=depth, prediction=image)[
        "depth.abs_rel"]["value"] > honest


def test_constant_channels_are_left_out_of_relative_figures():
    rng = np.random.default_rng(7)
    truth = np.column_stack([np.sin(np.arange(200) / 9), np.full(200, 0.15), np.zeros(200)])
    guess = truth + 1e-3 * rng.normal(size=truth.shape)
    found = evaluate("forecast.errors", truth=truth, prediction=guess)
    alone = evaluate("forecast.errors", truth=truth[:, :1], prediction=guess[:, :1])
    for name in ("nrmse", "pearson", "spearman", "kendall", "mutual_information", "hellinger"):
        name = f"forecast.{name}"
        assert found[name]["value"] == pytest.approx(alone[name]["value"]), name
        assert found[name]["details"]["constant_channels"] == [1, 2]
    assert found["forecast.mape"]["details"]["true_zeros"] == 201
    assert found["forecast.mape"]["value"] < 10
    valid = evaluate("forecast.valid_time", truth=truth, prediction=guess)["forecast.vpt_nrmse.steps"]
    assert valid["value"] == 200 and valid["details"]["constant_channels"] == [1, 2]
    # A constant forecast of what changes has no correlation, and that is its own fault.
    flat = evaluate("forecast.errors", truth=truth[:, :1], prediction=np.zeros((200, 1)))
    assert flat["forecast.mse"]["value"] is not None and "failed" in flat["forecast.pearson"]["reason"]
    assert evaluate("forecast.errors", {"failed": "worst"}, truth=truth[:, :1], prediction=np.zeros((200, 1)))[
        "forecast.pearson"]["value"] == -1


@pytest.mark.parametrize("name", ["attractor.arrow_of_time", "attractor.d_stsp", "attractor.geometry"])
def test_rows_that_are_not_finite_are_never_dropped_in_silence(name):
    rng = np.random.default_rng(8)
    truth = rng.normal(size=(400, 2)).cumsum(0)
    broken = truth + rng.normal(size=truth.shape)
    broken[300:] = np.nan
    arrays = {"series": broken} if name == "attractor.geometry" else {"truth": truth, "generated": broken}
    for score in evaluate(name, **arrays).values():
        assert score["value"] is None and "100 of 400 rows failed" in score["reason"]
    skipped = evaluate(name, {"failed": "skip"}, **arrays)
    assert any(s["value"] is not None and s["details"]["failed"]["count"] == 100 for s in skipped.values())


def test_valid_time_of_fewer_steps_is_that_of_all_cut_off():
    rng = np.random.default_rng(9)
    truth = rng.normal(size=(300, 3)).cumsum(0)
    guess = truth + np.linspace(0, 5, 300)[:, None] * rng.normal(size=truth.shape)
    whole = evaluate("forecast.valid_time", truth=truth, prediction=guess)["forecast.vpt_nrmse.steps"]["value"]
    for steps in (5, 20, 100, 300):
        cut = evaluate("forecast.valid_time", {"first_steps": steps}, truth=truth, prediction=guess)
        assert cut["forecast.vpt_nrmse.steps"]["value"] == min(whole, steps)
