"""Forecast and generative scores against dysts, scipy, scoringrules and definitions."""

import numpy as np
import pytest
from dynamics import lorenz, lorenz_field, rk4
from evaluate_native import evaluate, values
from scipy import stats

DYSTS = {
    "mse": "mse",
    "mae": "mae",
    "rmse": "rmse",
    "nrmse": "nrmse",
    "marre": "marre",
    "r2": "r2_score",
    "rmsle": "rmsle",
    "smape": "smape",
    "mape": "mape",
    "wape": "wape",
    "spearman": "spearman",
    "pearson": "pearson",
    "kendall": "kendall",
    "coefficient_of_variation": "coefficient_of_variation",
    "hellinger": "hellinger_distance",
}


@pytest.mark.parametrize("seed", range(5))
def test_point_figures_equal_dysts(seed):
    metrics = pytest.importorskip("dysts.metrics")
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(300, 3)).cumsum(0)
    guess = truth + rng.normal(size=truth.shape)
    if seed == 4:  # ties
        truth, guess = np.round(truth), np.round(guess)
    dysts = {"smape_scale": "0_100", "keep_constant": True, "epsilon": 1e-10}
    ours = values("forecast.errors", dysts, truth=truth, prediction=guess)
    theirs = metrics.compute_metrics(truth, guess, include=list(DYSTS.values()))
    for name, key in DYSTS.items():
        # dysts divides by the mean itself, which is negative for some series.
        theirs[key] = abs(theirs[key]) if name == "coefficient_of_variation" else theirs[key]
        assert ours["forecast." + name] == pytest.approx(theirs[key], rel=1e-9), name
    assert ours["forecast.ope"] == pytest.approx(metrics.ope(truth, guess))


def gilpin(y, z, e=1e-10):
    """The point figures as dysts 0.96 defines them, arrays of T × D."""
    error = y - z
    low = lambda s: s - s.min(0) + e + 1
    share = lambda s: (lambda p: p / p.sum(0))(np.abs(np.fft.fft(s, axis=0)[:100]) ** 2)
    each = lambda f: np.mean([f(y[:, k], z[:, k])[0] for k in range(y.shape[1])])
    overlap = np.sqrt(share(y) * share(z)).sum(0)
    return {
        "mse": (error**2).mean(),
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "nrmse": np.sqrt((error**2 / (y.var(0) + e)).mean()),
        "marre": 100 * np.abs(error).mean() / (np.ptp(y) + e),
        "r2": 1 - (error**2).sum() / ((y - y.mean()) ** 2).sum(),
        "rmsle": np.sqrt(((np.log(low(z)) - np.log(low(y))) ** 2).mean()),
        "smape": 200 * (np.abs(error) / (np.abs(y) + np.abs(z) + e)).mean(),
        "mape": 100 * np.abs(error / (y + e)).mean(),
        "wape": 100 * np.abs(error).sum() / (np.abs(y).sum() + e),
        "spearman": each(stats.spearmanr),
        "pearson": each(stats.pearsonr),
        "kendall": each(stats.kendalltau),
        "coefficient_of_variation": 100 * error.std() / (abs(y.mean()) + e),
        "hellinger": np.sqrt(1 - overlap).mean(),
        "ope": np.abs(error).sum() / np.abs(y - y.mean()).sum(),
    }


@pytest.mark.parametrize("seed", range(5))
def test_point_figures_equal_their_definitions(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(300, 3)).cumsum(0)
    guess = truth + rng.normal(size=truth.shape)
    if seed == 4:
        truth, guess = np.round(truth), np.round(guess)
    ours = values("forecast.errors", {"keep_constant": True, "epsilon": 1e-10}, truth=truth, prediction=guess)
    for name, expected in gilpin(truth, guess).items():
        assert ours["forecast." + name] == pytest.approx(expected, rel=1e-9), name
    # dysts 0.96 halves sMAPE unless told otherwise.
    half = values("forecast.errors", {"smape_scale": "0_100"}, truth=truth, prediction=guess)
    assert 2 * half["forecast.smape"] == pytest.approx(ours["forecast.smape"])


def test_interval_score_equals_its_definition():
    rng = np.random.default_rng(14)
    y, lower, past = rng.normal(size=40), rng.normal(size=40) - 1, rng.normal(size=60)
    upper = lower + 1.5
    below, above = np.maximum(0, lower - y), np.maximum(0, y - upper)
    score = (upper - lower + 2 / 0.1 * (below + above)).mean() / np.abs(past[3:] - past[:-3]).mean()
    options = {"level": 0.1, "season": 3}
    ours = values("forecast.intervals", options, truth=y, lower=lower, upper=upper, train=past)
    assert ours["forecast.msis"] == pytest.approx(score, rel=1e-12)
    assert ours["forecast.coverage"] == pytest.approx(((y >= lower) & (y <= upper)).mean())


def test_kl_divergence_of_two_gaussians():
    # One kernel each, σ² = 1, at distance 3: KL = 9/2. Two points each, so that there is a series.
    options = {"kl_samples": 100_000}
    ours = values("forecast.errors", options, truth=np.zeros((2, 2)), prediction=np.full((2, 2), [3, 0]))
    assert ours["forecast.kl_divergence"] == pytest.approx(4.5, abs=0.05)


def test_mase_without_a_training_series_uses_what_counts_of_the_truth():
    rng = np.random.default_rng(12)
    truth = rng.normal(size=(40, 2)).cumsum(0)
    guess = truth + rng.normal(size=truth.shape)
    mask = rng.random(truth.shape) < 0.8
    both = mask[2:] & mask[:-2]
    naive = np.abs(truth[2:] - truth[:-2])[both].mean()
    expected = np.abs(truth - guess)[mask].mean() / naive
    ours = values("forecast.errors", {"season": 2}, truth=truth, prediction=guess, truth_mask=mask)
    assert ours["forecast.mase"] == pytest.approx(expected, rel=1e-12)


def test_valid_time_counts_the_steps_that_have_a_truth():
    truth = lorenz()[:100]
    mask = np.ones_like(truth, bool)
    mask[20:30] = False
    mask[50, 1] = False  # the step still has two true values
    ours = evaluate("forecast.valid_time", truth=truth, prediction=truth, truth_mask=mask)
    assert {score["count"] for score in ours.values() if score["value"] is not None} == {90}


def test_mutual_information_equals_scikit_learn():
    from sklearn.feature_selection import mutual_info_regression

    rng = np.random.default_rng(2)
    for noise in (0.1, 1, 10):
        x = rng.normal(size=800)
        y = x + noise * rng.normal(size=800)
        theirs = mutual_info_regression(x[:, None], y, random_state=0)[0]
        ours = values("forecast.errors", truth=x, prediction=y)["forecast.mutual_information"]
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_kl_divergence_is_near_dysts():
    metrics = pytest.importorskip("dysts.metrics")
    np.random.seed(0)
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(120, 2)) * 3
    guess = truth + rng.normal(size=truth.shape) + 1
    theirs = np.mean([metrics.estimate_kl_divergence(truth, guess) for _ in range(12)])
    ours = values("forecast.errors", {"kl_samples": 200_000}, truth=truth, prediction=guess)
    assert ours["forecast.kl_divergence"] == pytest.approx(theirs, rel=0.1)


def test_masked_series_equal_shorter_ones():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(60, 2)).cumsum(0)
    guess = truth + rng.normal(size=truth.shape)
    mask = np.ones_like(truth, bool)
    mask[40:] = False
    broken = truth.copy()
    broken[40:] = np.nan
    short = evaluate("forecast.errors", truth=truth[:40], prediction=guess[:40], train=truth)
    for arrays in ({"truth": truth, "truth_mask": mask}, {"truth": broken}):
        ours = evaluate("forecast.errors", prediction=guess, train=truth, **arrays)
        for name, score in short.items():
            if name != "forecast.hellinger":  # a spectrum needs every step
                assert ours[name]["value"] == pytest.approx(score["value"], rel=1e-12), name
                assert ours[name]["count"] == score["count"] == 80
        assert ours["forecast.hellinger"]["reason"]
    guess[3, 0] = np.nan
    refused = evaluate("forecast.errors", truth=truth, prediction=guess)["forecast.mse"]
    assert refused["value"] is None and "1 of 120 values failed" in refused["reason"]
    skipped = evaluate("forecast.errors", {"failed": "skip"}, truth=truth, prediction=guess)
    assert skipped["forecast.mse"]["count"] == 119


def test_correlations_equal_scipy_with_and_without_ties():
    rng = np.random.default_rng(6)
    for decimals in (0, 1, 8):
        x = np.round(rng.normal(size=500), decimals)
        y = np.round(0.4 * x + rng.normal(size=500), decimals)
        ours = values("forecast.errors", truth=x, prediction=y)
        assert ours["forecast.kendall"] == pytest.approx(stats.kendalltau(x, y)[0], rel=1e-12)
        assert ours["forecast.spearman"] == pytest.approx(stats.spearmanr(x, y)[0], rel=1e-12)
        assert ours["forecast.pearson"] == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)


def test_valid_prediction_time_under_five_conventions():
    truth = lorenz()
    guess = rk4(lorenz_field, truth[0] * 1.001, 0.01, 5000, 0)
    ours = values(
        "forecast.valid_time",
        {"time_step": 0.01, "lyapunov_exponent": 0.9056},
        truth=truth,
        prediction=guess,
    )
    expected = {
        "smape_cumulative_200": 482,
        "smape_cumulative_100": 843,
        "smape_instantaneous_200": 98,
        "nrmse": 434,
        "relative": 441,
    }
    for name, steps in expected.items():
        assert ours[f"forecast.vpt_{name}.steps"] == steps
        time = steps * 0.01 * 0.9056
        assert ours[f"forecast.vpt_{name}.lyapunov_times"] == pytest.approx(time)
    assert ours["forecast.vpt_smape_cumulative_200.lyapunov_times"] == pytest.approx(4.36, abs=0.01)
    same = evaluate("forecast.valid_time", truth=truth, prediction=truth)
    assert same["forecast.vpt_nrmse.steps"]["value"] == 5000
    assert same["forecast.vpt_nrmse.steps"]["details"]["never_failed"] == 1
    guess = truth.copy()
    guess[70:] = np.nan
    assert set(
        v for k, v in values("forecast.valid_time", {"failed": "worst"}, truth=truth, prediction=guess).items() if "steps" in k
    ) == {70.0}


def test_crps_and_quantile_loss_equal_scoringrules():
    scoringrules = pytest.importorskip("scoringrules")
    rng = np.random.default_rng(7)
    truth, ensemble = rng.normal(size=50), rng.normal(size=(50, 20))
    for estimator in ("nrg", "fair"):
        theirs = scoringrules.crps_ensemble(truth, ensemble, estimator=estimator).mean()
        ours = values("forecast.ensemble", {"crps": estimator}, truth=truth, ensemble=ensemble)
        assert ours["forecast.crps"] == pytest.approx(theirs, rel=1e-10)
    level = 0.3
    quantile = np.quantile(ensemble, level, axis=1)
    loss = 2 * scoringrules.quantile_score(truth, quantile, level)
    ours = values("forecast.ensemble", {"quantiles": level}, truth=truth, ensemble=ensemble)
    assert ours["forecast.quantile_loss"] == pytest.approx(loss.mean(), rel=1e-10)
    weighted = loss.sum() / np.abs(truth).sum()
    assert ours["forecast.weighted_quantile_loss"] == pytest.approx(weighted, rel=1e-10)
    for estimator, value in (("nrg", 0.4375), ("fair", 1 / 6)):
        ours = values("forecast.ensemble", {"crps": estimator}, truth=[1.5], ensemble=[[0, 1, 2, 4]])
        assert ours["forecast.crps"] == pytest.approx(value)
    normal = rng.normal(size=(1, 200_000))
    ours = values("forecast.ensemble", truth=[0.5], ensemble=normal)
    assert ours["forecast.crps"] == pytest.approx(0.3314035313, abs=0.003)


def test_mase_msis_and_dtw():
    truth, guess = np.arange(1, 7.0), [1.1, 1.8, 3.3, 3.9, 5.5, 5]
    train = [1, 3, 2, 5, 4, 6, 5, 7]
    for season, value in ((1, 0.2138889), (2, 0.275)):
        ours = values("forecast.errors", {"season": season}, truth=truth, prediction=guess, train=train)
        assert ours["forecast.mase"] == pytest.approx(value, abs=6e-8)
    metrics = pytest.importorskip("dysts.metrics")
    rng = np.random.default_rng(4)
    y, lower = rng.normal(size=40), rng.normal(size=40) - 1
    upper, past = lower + 1.5, rng.normal(size=60)
    theirs = metrics.msis(y, lower, upper, past, 3, a=0.1)
    ours = values(
        "forecast.intervals", {"level": 0.1, "season": 3}, truth=y, lower=lower, upper=upper, train=past
    )
    assert ours["forecast.msis"] == pytest.approx(theirs, rel=1e-9)
    assert ours["forecast.coverage"] == pytest.approx(((y >= lower) & (y <= upper)).mean())
    a, b = rng.normal(size=(20, 2)), rng.normal(size=(25, 2))
    table = np.full((21, 26), np.inf)
    table[0, 0] = 0
    for i in range(20):
        for j in range(25):
            best = min(table[i, j], table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = np.linalg.norm(a[i] - b[j]) + best
    ours = values("forecast.dtw", truth=a, prediction=b)["forecast.dtw"]
    assert ours == pytest.approx(table[-1, -1] / 47, rel=1e-12)
    assert values("forecast.dtw", {"band": 0}, truth=a, prediction=a + 1)["forecast.dtw"] == (
        pytest.approx(20 * np.sqrt(2) / 42)
    )


def test_generative_distances_equal_their_definition():
    rng = np.random.default_rng(5)
    real = rng.gamma(2, size=(200, 12, 3)).cumsum(1)
    made = rng.gamma(3, size=(150, 12, 3)).cumsum(1) * 0.8

    def correlations(x):
        x = x - x.mean((0, 1))
        lags = [(x[:, k:] * x[:, : x.shape[1] - k]).mean((0, 1)) for k in range(x.shape[1])]
        return np.array(lags) / x.var((0, 1))

    marginal = []
    for d in range(3):
        for t in range(1, 12):
            edges = np.linspace(real[:, t, d].min(), real[:, t, d].max(), 51)
            p = np.histogram(real[:, t, d], edges, density=True)[0]
            width = edges[1] - edges[0]
            centres = (edges[1:] + edges[:-1]) / 2
            q = (np.abs(made[:, t, d][:, None] - centres) < width / 2).mean(0) / width
            marginal.append(np.abs(p - q).mean())
    flat, other = real.reshape(-1, 3), made.reshape(-1, 3)

    def skew(x):
        return ((x - x.mean(0)) ** 3).mean(0) / x.std(0, ddof=1) ** 3

    ours = values("generative.distances", real=real, generated=made)
    assert ours["generative.mdd"] == pytest.approx(np.mean(marginal), rel=1e-9)
    acd = np.sqrt(((correlations(real) - correlations(made)) ** 2).sum(0)).mean()
    assert ours["generative.acd"] == pytest.approx(acd, rel=1e-9)
    assert ours["generative.sd"] == pytest.approx(np.abs(skew(flat) - skew(other)).mean(), rel=1e-9)
    kd = np.abs(stats.kurtosis(flat) - stats.kurtosis(other)).mean()
    assert ours["generative.kd"] == pytest.approx(kd, rel=1e-9)
    itself = values("generative.distances", real=real, generated=real)
    assert itself["generative.acd"] == itself["generative.sd"] == itself["generative.kd"] == 0


def test_horizons_and_batches():
    rng = np.random.default_rng(8)
    truth = rng.normal(size=(4, 30, 2)).cumsum(1) + 5
    guess = truth + rng.normal(size=truth.shape)
    ours = evaluate("forecast.errors", {"horizons": "1,10,30"}, truth=truth, prediction=guess)
    single = [values("forecast.errors", truth=a, prediction=b) for a, b in zip(truth, guess)]
    for name, score in ours.items():
        if name not in ("forecast.mase", "forecast.kl_divergence"):  # pooled; sampled
            assert score["value"] == pytest.approx(np.mean([s[name] for s in single])), name
    curve = [((truth - guess)[:, :h] ** 2).mean() for h in (1, 10, 30)]
    assert ours["forecast.mse"]["details"]["cumulative_at_horizons"] == pytest.approx(curve)
    size = 200 * np.abs(truth - guess) / (np.abs(truth) + np.abs(guess))
    curve = [size[:, :h].mean() for h in (1, 10, 30)]
    assert ours["forecast.smape"]["details"]["cumulative_at_horizons"] == pytest.approx(curve)
    assert ours["forecast.smape"]["value"] == pytest.approx(size.mean())
    train = rng.normal(size=(50, 2)).cumsum(0)
    naive = np.abs(train[3:] - train[:-3]).mean()
    mase = values("forecast.errors", {"season": 3}, truth=truth, prediction=guess, train=train)
    assert mase["forecast.mase"] == pytest.approx(np.abs(truth - guess).mean() / naive)


def test_valid_time_of_masked_truth_does_not_fail_there():
    truth = lorenz()[:200]
    guess = truth.copy()
    guess[50:60] = np.nan
    guess[120:] = 1e6
    mask = np.ones_like(truth, bool)
    mask[50:60] = False
    ours = values("forecast.valid_time", truth=truth, prediction=guess, truth_mask=mask)
    steps = {k: v for k, v in ours.items() if k.endswith("steps")}
    assert steps["forecast.vpt_nrmse.steps"] == steps["forecast.vpt_relative.steps"] == 120
    assert steps["forecast.vpt_smape_instantaneous_200.steps"] == 120


def test_relative_figures_do_not_depend_on_the_unit():
    rng = np.random.default_rng(41)
    y = 1e-5 * rng.normal(size=(400, 2))
    z = y + 1e-5 * rng.normal(size=y.shape)
    small, large = (values("forecast.errors", truth=k * y, prediction=k * z) for k in (1, 1e6))
    for name in ("nrmse", "smape", "mape", "marre", "wape", "coefficient_of_variation"):
        assert small[f"forecast.{name}"] == pytest.approx(large[f"forecast.{name}"], rel=1e-9), name
    assert small["forecast.nrmse"] == pytest.approx(np.sqrt(((y - z) ** 2 / y.var(0)).mean()), rel=1e-9)


def test_coefficient_of_variation_of_negative_values_is_positive():
    rng = np.random.default_rng(42)
    y, noise = rng.normal(size=200) - 50, rng.normal(size=200)
    near, far = (values("forecast.errors", truth=y, prediction=y + k * noise) for k in (1, 3))
    name = "forecast.coefficient_of_variation"
    assert near[name] == pytest.approx(100 * noise.std() / abs(y.mean())) and far[name] > near[name]


def test_mase_names_constant_channels_of_its_divisor():
    rng = np.random.default_rng(43)
    train = np.stack([rng.normal(size=50), np.full(50, 3.0)], 1)
    y, z = rng.normal(size=(2, 20, 2))
    ours = evaluate("forecast.errors", truth=y, prediction=z, train=train)["forecast.mase"]
    assert ours["details"]["constant_channels"] == [1]
    assert ours["value"] == pytest.approx(np.abs(y - z).mean() / np.abs(np.diff(train, axis=0)).mean())


def test_unlike_channels_that_are_pooled_are_said():
    rng = np.random.default_rng(44)
    y = rng.normal(size=(100, 2))
    for scale, shift, count in (([1, 1], [0, 0], None), ([1, 9], [0, 0], 2), ([1, 1], [0, 9], 2)):
        truth = y * scale + shift
        ours = evaluate("forecast.errors", truth=truth, prediction=truth + rng.normal(size=y.shape))
        for name in ("marre", "r2", "wape", "coefficient_of_variation", "mase", "ope"):
            assert ours[f"forecast.{name}"]["details"].get("unlike_channels") == count, name
        assert "unlike_channels" not in ours["forecast.nrmse"]["details"]
