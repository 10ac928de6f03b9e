"""Metrics that measure one series: of the truth alone, without giving the dataset twice."""
import subprocess

import numpy as np
import pytest
from conftest import built
from evaluate_command import figures, report, run
from evaluate_native import values

ALONE = ["attractor.correlation_dimension", "attractor.lyapunov", "attractor.recurrence"]


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(400, 2)).cumsum(0) for name in "ab"}
    (folder / "source").mkdir()
    for name, array in arrays.items():
        np.save(folder / "source" / f"{name}.npy", array)
    subprocess.run([built("trajpack"), "convert", folder / "source", folder / "ds", "--quiet"], check=True, capture_output=True)
    return folder / "ds", arrays


@pytest.mark.parametrize("metric", ALONE)
def test_one_input_gives_the_figures_of_each_series(series, metric):
    dataset, arrays = series
    found = figures(report(dataset, "--metric", metric))
    each = {name: values(metric, series=array) for name, array in arrays.items()}
    assert found.keys() == each["a"].keys()
    for name, figure in found.items():
        own = {e["episode"]: e["value"] for e in figure["episodes"]}
        for episode, figures_of in each.items():
            assert own[episode] == (None if figures_of[name] is None else pytest.approx(figures_of[name], rel=1e-12))


def test_it_is_the_dataset_against_itself(series):
    dataset, _ = series
    words = [w for m in ALONE for w in ("--metric", m)]
    assert report(dataset, *words) == report(dataset, dataset, *words)


def test_the_report_is_made_again(series, tmp_path):
    dataset, _ = series
    run(dataset, "--metric", ALONE[2], "-o", tmp_path / "r.json")
    assert "the same again" in run("--rerun", tmp_path / "r.json")


@pytest.mark.parametrize("words", [["--metric", "forecast.mse"], ["--suite", "attractor"], ["--metric", ALONE[0], "--metric", "attractor.d_stsp"]])
def test_metrics_that_compare_need_predictions(series, words):
    said = run(series[0], *words, code=2)
    assert "two inputs are needed" in said and "attractor.lyapunov" in said


def test_nothing_is_no_input():
    assert "two inputs are needed" in run("--metric", ALONE[0], code=2)
