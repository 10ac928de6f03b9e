"""Attractor scores against reference values, scipy and numpy transcriptions of definitions."""

import numpy as np
import pytest
from dynamics import embed, henon, lorenz, lorenz_field, rk4, roessler
from evaluate_native import evaluate, values
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform


def scaled(series):
    return (series - series.mean(0)) / series.std(0)


def divergence(truth, made, bins=30, span="padded", alpha=1e-5):
    """D_stsp by numpy's histogramdd."""
    sigma = truth.std(0, ddof=1)
    if span == "padded":
        low, high = truth.min(0) - 0.1 * sigma, truth.max(0) + 0.1 * sigma
    else:
        low, high = -2 * sigma, 2 * sigma
    edges = [np.linspace(a, b, bins + 1) for a, b in zip(low, high)]
    p, q = (np.histogramdd(s, edges)[0] + alpha for s in (truth, made))
    p, q = p / p.sum(), q / q.sum()
    return (p * np.log(p / q)).sum()


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("span", ["padded", "legacy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_d_stsp_equals_numpy(dimensions, span, dtype):
    rng = np.random.default_rng(dimensions)
    truth = rng.normal(size=(4000, dimensions)).astype(dtype)
    made = (rng.normal(size=(3000, dimensions)) * 1.3 + 0.2).astype(dtype)
    ours = evaluate(
        "attractor.d_stsp", {"span": span, "bins": 11}, truth=truth, generated=made
    )["attractor.d_stsp"]
    expected = divergence(truth.astype(float), made.astype(float), 11, span)
    assert ours["value"] == pytest.approx(expected, rel=1e-9)
    details = ours["details"]
    assert details["generated_outside"] + details["truth_outside"] + ours["count"] == 7000


def test_d_stsp_of_more_cells_than_fit_in_memory():
    rng = np.random.default_rng(9)
    truth, made = rng.normal(size=(500, 7)), rng.normal(size=(400, 7))
    ours = values(
        "attractor.d_stsp", {"method": "binned", "bins": 30}, truth=truth, generated=made
    )["attractor.d_stsp"]
    # The same sum over the cells that were visited and, in one term, those that were not.
    sigma = truth.std(0, ddof=1)
    low, width = truth.min(0) - 0.1 * sigma, (np.ptp(truth, axis=0) + 0.2 * sigma) / 30

    def visits(series):
        cells = np.floor((series - low) / width).astype(int)
        return [tuple(c) for c in cells[((cells >= 0) & (cells < 30)).all(1)]]

    a, b, alpha, cells = visits(truth), visits(made), 1e-5, 30.0**7
    p = lambda cell: (a.count(cell) + alpha) / (len(a) + alpha * cells)
    q = lambda cell: (b.count(cell) + alpha) / (len(b) + alpha * cells)
    seen = set(a) | set(b)
    expected = sum(p(c) * np.log(p(c) / q(c)) for c in seen)
    expected += (cells - len(seen)) * p(()) * np.log(p(()) / q(()))
    assert ours == pytest.approx(expected, rel=1e-9)


def test_d_stsp_of_gaussians_is_a_divergence():
    series = scaled(lorenz())
    same = values("attractor.d_stsp", {"method": "gaussians"}, truth=series, generated=series)
    assert same["attractor.d_stsp"] == 0
    # Two single Gaussians σ = 1 at distance 3: KL = 9/2.
    far = evaluate(
        "attractor.d_stsp",
        {"method": "gaussians", "samples": 40000},
        truth=np.zeros((1, 6)),
        generated=np.eye(6)[:1] * 3,
    )["attractor.d_stsp"]
    assert far["value"] == pytest.approx(4.5, abs=0.06)
    again = values("attractor.d_stsp", {"method": "gaussians", "seed": 1}, truth=series, generated=series[::-1] * 1.1)
    assert again == values("attractor.d_stsp", {"method": "gaussians", "seed": 1}, truth=series, generated=series[::-1] * 1.1)


def test_counters_that_wrap_are_reproduced_when_asked_for():
    truth = np.concatenate([np.zeros(65_537), np.linspace(-1, 1, 100)])[:, None]
    made = np.linspace(-1, 1, 1000)[:, None]
    exact = values("attractor.d_stsp", truth=truth, generated=made)["attractor.d_stsp"]
    wrapped = values("attractor.d_stsp", {"counter": "wrapping_16_bit"}, truth=truth, generated=made)
    assert exact > 3
    assert wrapped["attractor.d_stsp"] < 0.5


@pytest.mark.parametrize("count", [100, 101, 997, 1024, 3000, 2 * 1009])
@pytest.mark.parametrize("edge", ["reflect", "mirror"])
def test_spectrum_distances_equal_scipy(count, edge):
    rng = np.random.default_rng(count)
    a = rng.normal(size=(count, 2)).cumsum(0)
    b = rng.normal(size=(count, 2)).cumsum(0)

    def spectrum(x):
        power = np.abs(np.fft.rfft(scaled(x), axis=0)) ** 2
        power = gaussian_filter1d(power, 5, axis=0, mode=edge)
        return power / power.sum(0)

    p, q = spectrum(a), spectrum(b)
    distance = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(0) / 2).mean()
    ours = values("attractor.spectrum", {"sigma": 5, "edge": edge}, truth=a, generated=b)
    assert ours["attractor.d_h"] == pytest.approx(distance, rel=1e-9)
    decibel = np.sqrt(((10 * np.log10(p / q)) ** 2).mean(0)).mean()
    assert ours["attractor.log_spectral_distance"] == pytest.approx(decibel, rel=1e-7)
    corr = np.mean([np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(2)])
    assert ours["attractor.spectrum_correlation"] == pytest.approx(corr, rel=1e-9)


def test_reversal_is_seen_by_the_arrow_of_time_alone():
    forward = lorenz()
    backward = forward[::-1]
    assert values("attractor.d_stsp", truth=forward, generated=backward)["attractor.d_stsp"] == 0
    assert values("attractor.spectrum", truth=forward, generated=backward)["attractor.d_h"] < 1e-12
    itself = values("attractor.arrow_of_time", {"lag": 5}, truth=forward, generated=forward)
    assert set(itself.values()) == {0.0}
    seen = evaluate("attractor.arrow_of_time", {"lag": 5}, truth=forward, generated=backward)
    score = seen["attractor.transition_divergence"]
    assert score["value"] > 0.4
    assert score["value"] == pytest.approx(score["details"]["reversed_truth"], rel=1e-12)
    halves = values(
        "attractor.arrow_of_time", {"lag": 5}, truth=forward[:2500], generated=forward[2500:]
    )
    assert halves["attractor.transition_divergence"] < score["value"] / 3
    assert halves["attractor.asymmetry_distance"] < seen["attractor.asymmetry_distance"]["value"] / 3


@pytest.mark.parametrize(
    "window, published", [(0, 0.0024088), (10, 0.0020646), (50, 0.0020981), (100, 0.0020623)]
)
def test_correlation_sum(window, published):
    series = lorenz()
    distance = squareform(pdist(series))
    i, j = np.triu_indices(len(series), window + 1)
    radii = [0.5, 1.0, 2.0, 4.0]
    expected = [(distance[i, j] < r).mean() for r in radii]
    score = evaluate(
        "attractor.correlation_dimension", {"theiler": window, "at_radii": radii}, series=series
    )["attractor.correlation_dimension"]
    assert score["details"]["sum"] == pytest.approx(expected, rel=1e-12)
    assert score["value"] == pytest.approx(np.polyfit(np.log(radii), np.log(expected), 1)[0])
    # The published C(1) was read off a grid of radii that is not named.
    assert expected[1] == pytest.approx(published, rel=0.004)


@pytest.mark.parametrize(
    "window, low, published",
    [(0, 1e-3, 2.0106), (10, 1e-3, 2.0701), (50, 1e-3, 2.0747), (100, 1e-3, 2.0612), (100, 1e-4, 2.0965)],
)
def test_correlation_dimension_of_lorenz(window, low, published):
    # The reference does not name its radii; theirs and ours give slopes this near.
    ours = evaluate(
        "attractor.correlation_dimension", {"theiler": window, "low_sum": low}, series=lorenz()
    )
    slope = ours["attractor.correlation_dimension"]["value"]
    assert slope == pytest.approx(published, abs=0.006)


def test_takens_estimator_of_a_line_and_a_square():
    rng = np.random.default_rng(0)
    for dimension in (1, 2):
        points = rng.random((3000, dimension))
        ours = values("attractor.correlation_dimension", {"takens_radius": 0.05}, series=points)
        assert ours["attractor.takens_dimension"] == pytest.approx(dimension, rel=0.04)


def rosenstein(series, window, first, last, step, reach):
    count = len(series) - reach
    distance = squareform(pdist(series[:count]))
    index = np.arange(count)
    distance[np.abs(index[:, None] - index) <= window] = np.inf
    near = distance.argmin(1)
    curve = [
        np.log(np.linalg.norm(series[index + k] - series[near + k], axis=1)).mean()
        for k in range(first, last + 1)
    ]
    return np.polyfit(np.arange(first, last + 1) * step, curve, 1)[0]


def test_rosenstein_equals_its_definition_and_the_reference():
    options = {"theiler": 100, "first_step": 50, "last_step": 200, "time_step": 0.01}
    x = embed(lorenz()[:, 0], 3, 17)
    for series, reach, published in ((lorenz(), 200, 1.0083), (x, 200, 1.0609), (x, 500, 1.0609)):
        ours = values("attractor.lyapunov", options | {"reach": reach}, series=series)
        expected = rosenstein(series, 100, 50, 200, 0.01, reach)
        assert ours["attractor.lyapunov"] == pytest.approx(expected, rel=1e-9)
        assert expected == pytest.approx(published, rel=0.005 if reach == 200 else 5e-5)
    options = {"theiler": 10, "first_step": 1, "last_step": 8}
    ours = values("attractor.lyapunov", options, series=henon())["attractor.lyapunov"]
    assert ours == pytest.approx(rosenstein(henon(), 10, 1, 8, 1, 8), rel=1e-9)
    assert ours == pytest.approx(0.41676, rel=0.003)
    kantz = values(
        "attractor.lyapunov",
        {"method": "kantz", "theiler": 10, "first_step": 1, "last_step": 5, "radius": 0.01},
        series=henon(),
    )["attractor.lyapunov"]
    assert kantz == pytest.approx(0.419, abs=0.02)


def test_spectrum_of_henon_and_lorenz():
    jacobians = np.array([[[-2.8 * x, 1], [0.3, 0]] for x, _ in henon()])
    ours = values("attractor.lyapunov_spectrum", {"transient": 100}, jacobians=jacobians)
    assert ours["attractor.lyapunov_1"] == pytest.approx(0.419, abs=0.02)
    total = ours["attractor.lyapunov_1"] + ours["attractor.lyapunov_2"]
    assert total == pytest.approx(np.log(0.3), abs=1e-9)
    assert ours["attractor.kaplan_yorke"] == pytest.approx(1.26, abs=0.02)

    def jacobian(s):
        return [[-10, 10, 0], [28 - s[2], -1, -s[0]], [s[1], s[0], -8 / 3]]

    series = lorenz(20000)
    ours = values(
        "attractor.lyapunov_spectrum",
        {"kind": "flow", "time_step": 0.01, "transient": 200},
        jacobians=np.array([jacobian(s) for s in series]),
    )
    assert ours["attractor.lyapunov_1"] == pytest.approx(0.9056, abs=0.04)
    assert ours["attractor.lyapunov_2"] == pytest.approx(0, abs=0.02)
    assert ours["attractor.lyapunov_3"] == pytest.approx(-14.57, abs=0.05)
    assert ours["attractor.kaplan_yorke"] == pytest.approx(2.062, abs=0.005)
    exact = np.diag(np.exp([0.5, -0.1, -0.7]))
    ours = values("attractor.lyapunov_spectrum", jacobians=np.tile(exact, (50, 1, 1)))
    assert ours["attractor.lyapunov_1"] == pytest.approx(0.5, rel=1e-12)
    assert ours["attractor.kaplan_yorke"] == pytest.approx(2 + 0.4 / 0.7, rel=1e-12)


@pytest.mark.parametrize(
    "exponents, dimension",
    [([0.9, 0, -14.6], 2 + 0.9 / 14.6), ([-1, -2], 0), ([0, -2], 1), ([0.7, -0.7], 2), ([1, 0, 0, -1], 4), ([1, 0.5], None)],
)
def test_kaplan_yorke_closed_forms(exponents, dimension):
    jacobians = np.tile(np.diag(np.exp(exponents)), (20, 1, 1))
    ours = values("attractor.lyapunov_spectrum", jacobians=jacobians)
    expected = dimension if dimension is None else pytest.approx(dimension, rel=1e-9, abs=1e-9)
    assert ours["attractor.kaplan_yorke"] == expected


def test_tangent_flow_of_a_linear_system():
    # x' = A x: the exponents are the real parts of A's eigenvalues, here of triangular A its diagonal.
    flow = np.array([[0.3, 2, -1], [0, -0.2, 0.5], [0, 0, -1.1]])
    options = {"kind": "flow", "time_step": 0.01, "transient": 2000}
    ours = values("attractor.lyapunov_spectrum", options, jacobians=np.tile(flow, (8001, 1, 1)))
    found = [ours[f"attractor.lyapunov_{k}"] for k in (1, 2, 3)]
    assert found == pytest.approx([0.3, -0.2, -1.1], abs=1e-6)


def test_recurrence_equals_reference_and_definition():
    series = embed(lorenz()[:1000, 0], 3, 17)
    for diagonal, rate in (("with", 0.0747999), ("without", 0.0738412)):
        ours = values("attractor.recurrence", {"radius": 5, "diagonal": diagonal}, series=series)
        assert ours["attractor.recurrence_rate"] == pytest.approx(rate, abs=6e-8)
        assert ours["attractor.determinism"] == pytest.approx(0.999041, abs=6e-7)
    near = squareform(pdist(series)) <= 5
    lengths = []
    for lag in range(1, len(near)):
        run = "".join("1" if v else "0" for v in np.diag(near, lag)).split("0")
        lengths += [len(r) for r in run if len(r) >= 2]
    counts = np.unique(lengths, return_counts=True)[1]
    share = counts / counts.sum()
    assert ours["attractor.mean_line"] == pytest.approx(np.mean(lengths))
    assert ours["attractor.longest_line"] == max(lengths)
    assert ours["attractor.line_entropy"] == pytest.approx(-(share * np.log(share)).sum())


def test_geometry_equals_scipy():
    series = lorenz()[:1000]
    ours = values("attractor.geometry", {"axes": "0,2"}, series=series)
    assert ours["attractor.hull_area"] == pytest.approx(ConvexHull(series[:, [0, 2]]).volume)
    assert ours["attractor.hull_area"] == pytest.approx(933.5047, abs=6e-5)
    path = np.linalg.norm(np.diff(series, axis=0), axis=1).sum()
    assert ours["attractor.path_length"] == pytest.approx(path)
    taken = series[::10]
    i, j = np.triu_indices(len(taken), 5)
    rate = (np.linalg.norm(taken[i] - taken[j], axis=1) < 2).mean()
    again = values("attractor.geometry", {"revisit_radius": 2}, series=series)
    assert again["attractor.revisit_rate"] == pytest.approx(rate)
    rng = np.random.default_rng(1)
    for _ in range(20):
        points = np.round(rng.normal(size=(40, 2)), 1)  # many duplicates and points on lines
        area = values("attractor.geometry", series=points)["attractor.hull_area"]
        assert area == pytest.approx(ConvexHull(points).volume)


@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("norm, metric", [("euclidean", "euclidean"), ("maximum", "chebyshev")])
def test_recurrence_lines_by_norm_and_window(window, norm, metric):
    series = roessler()[:400]
    near = squareform(pdist(series, metric)) <= 2
    lag = np.abs(np.subtract.outer(np.arange(400), np.arange(400)))
    outside = lag > window

    def lengths(rows, least):
        runs = [r for row in rows for r in "".join("01"[int(v)] for v in row).split("0") if r]
        return np.array([len(r) for r in runs if len(r) >= least]), sum(map(len, runs))

    diagonals, points = lengths([np.diag(near, k) for k in range(window + 1, 400)], 3)
    verticals, all_points = lengths((near & outside).T, 4)
    options = {
        "radius": 2,
        "norm": norm,
        "theiler": window,
        "minimum_diagonal": 3,
        "minimum_vertical": 4,
    }
    ours = values("attractor.recurrence", options, series=series)
    assert ours["attractor.recurrence_rate"] == pytest.approx(near[outside].mean())
    assert ours["attractor.determinism"] == pytest.approx(diagonals.sum() / points)
    assert ours["attractor.mean_line"] == pytest.approx(diagonals.mean())
    assert ours["attractor.laminarity"] == pytest.approx(verticals.sum() / all_points)
    assert ours["attractor.trapping_time"] == pytest.approx(verticals.mean())
    whole = values("attractor.recurrence", options | {"diagonal": "with"}, series=series)
    assert whole["attractor.recurrence_rate"] == pytest.approx(near.mean())


def test_kantz_equals_its_definition():
    series = henon(1200)
    count = len(series) - 6
    index = np.arange(count)
    near = squareform(pdist(series[:count])) < 0.05
    near[np.abs(index[:, None] - index) <= 4] = False
    curve = []
    for k in range(1, 7):
        moved = squareform(pdist(series[k : k + count]))
        kept = near.sum(1) >= 5
        curve.append(np.log((moved * near)[kept].sum(1) / near[kept].sum(1)).mean())
    options = {"method": "kantz", "theiler": 4, "first_step": 1, "last_step": 6, "radius": 0.05}
    ours = values("attractor.lyapunov", options, series=series)["attractor.lyapunov"]
    assert ours == pytest.approx(np.polyfit(range(1, 7), curve, 1)[0], rel=1e-9)
