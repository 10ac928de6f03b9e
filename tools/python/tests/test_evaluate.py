"""The evaluators as Python has them: names, arrays, masks, options, sentences. What they compute is tested in
tools/tests."""
from __future__ import annotations

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT, surroundings

import trajpack
from trajpack import _bindings, evaluate


def path(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(30, 3)).cumsum(0)
    return {"truth_position": centre, "estimate_position": centre + 0.1 * rng.normal(size=centre.shape)}


def test_every_function_of_the_header_is_declared() -> None:
    header = (ROOT / "Sources" / "CTrajpack" / "include" / "trajpack_evaluate.h").read_text()
    declared = set(re.findall(r"\b(tp_\w+)\s*\(", re.sub(r"//[^\n]*", "", header)))
    assert declared == set(_bindings.TRAJPACK_EVALUATE)


def test_the_catalogue_says_how_each_is_called() -> None:
    found = evaluate.catalogue()
    assert len(found) >= 30 and "camera.path" in found
    for name, evaluator in found.items():
        parameters = inspect.signature(evaluator).parameters
        assert len(parameters) == len(evaluator.inputs) + len(evaluator.options)
        for needed in evaluator.inputs.values():
            assert needed.name in evaluator.explained and (parameters[needed.name].default is None) != needed.required
        assert name in repr(found) and evaluator.summary in repr(found)


def test_options_have_the_defaults_that_the_catalogue_says() -> None:
    for name, arrays in (
        ("camera.path", path()),
        ("forecast.errors", {"truth": np.arange(9.0), "prediction": np.arange(9.0)}),
    ):
        evaluator = evaluate.catalogue()[name]
        assert evaluator(**arrays).options == {n: s.default for n, s in evaluator.options.items()}
        written = evaluator(**arrays, **{n: s.default for n, s in evaluator.options.items()})
        assert list(written.values()) == list(evaluator(**arrays).values())


def test_a_score_tells() -> None:
    found = evaluate.score("camera.path", alignment="none", **path())
    ate = found["camera.ate.mean"]
    error = np.linalg.norm(path()["truth_position"] - path()["estimate_position"], axis=1)
    assert float(ate) == ate.value == pytest.approx(error.mean()) and ate.count == 30
    assert str(ate) == f"camera.ate.mean = {ate.value:.6g} (of 30)" and ate.options["alignment"] == "none"
    assert str(ate) in repr(found) and f"{ate.value:.6g}" in found._repr_html_()
    assert found.values_by_name["camera.ate.mean"] == ate.value
    one = path()
    one["estimate_position"][3] = np.nan
    none = evaluate.score("camera.path", **one)["camera.ate.mean"]
    assert none.value is None and none.reason in str(none)
    with pytest.raises(trajpack.DataError, match=r"camera\.ate\.mean has no value"):
        float(none)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", ">f8", "int8", "uint16", ">i4", "uint8", "bool"])
def test_types_and_layouts(dtype: str) -> None:
    rng = np.random.default_rng(1)
    truth, guess = (rng.integers(0, 2, (12, 3)).astype(dtype) for _ in range(2))
    want = evaluate.score("forecast.errors", truth=truth.astype(float), prediction=guess.astype(float))
    for change in (lambda a: a, np.asfortranarray, lambda a: np.repeat(a, 2, 0)[::2], lambda a: a.tolist()):
        found = evaluate.score("forecast.errors", truth=change(truth), prediction=change(guess))
        assert found.values_by_name == want.values_by_name


def test_masked_arrays_mask() -> None:
    rng = np.random.default_rng(2)
    truth, guess = rng.normal(size=(2, 40, 3))
    left, right = rng.random((2, 40, 3)) < 0.2
    found = evaluate.score(
        "forecast.errors", truth=np.ma.array(truth, mask=left), prediction=np.ma.array(guess, mask=right)
    )
    want = evaluate.score("forecast.errors", truth=truth, prediction=guess, truth_mask=~(left | right))
    assert found.values_by_name == want.values_by_name
    assert found["forecast.mae"].value == pytest.approx(np.abs(truth - guess)[~(left | right)].mean())
    with pytest.raises(trajpack.UsageError, match="both say what counts"):
        evaluate.score("forecast.errors", truth=np.ma.array(truth, mask=left), prediction=guess, truth_mask=~left)
    rows = evaluate.score("attractor.geometry", series=truth, mask=~left.any(axis=1))
    masked = evaluate.score("attractor.geometry", series=np.ma.array(truth, mask=left))
    assert masked.values_by_name == rows.values_by_name
    with pytest.raises(trajpack.UsageError, match="has no mask"):
        evaluate.score("attractor.spectrum", truth=np.ma.array(truth, mask=left), generated=guess)
    whole = evaluate.score("attractor.geometry", series=np.ma.array(truth, mask=False))
    assert whole.values_by_name == evaluate.score("attractor.geometry", series=truth).values_by_name


SENTENCES = [
    (lambda: evaluate.score("camera.pth"), "did you mean 'camera.path'"),
    (lambda: evaluate.score("camera.path", **path(), align="sim3"), "did you mean 'alignment'"),
    (lambda: evaluate.score("camera.path", truth_position=[[0, 0, 0]]), "needs 'estimate_position'"),
    (lambda: evaluate.score("camera.path", **path(), alignment="sim4"), "sim3"),
    (lambda: evaluate.score("camera.path", **path(), delta=object()), "'delta'"),
    (lambda: evaluate.score("camera.path", **path(), alignment="sim3\ndelta=2"), "line break"),
    (lambda: evaluate.score("camera.path", **path())["camera.ate"], "camera.ate"),
    (lambda: evaluate.score("forecast.errors", truth=["a"], prediction=["b"]), "not numbers"),
    (lambda: evaluate.score("forecast.errors", truth=[[1], [1, 2]], prediction=[1]), "no array"),
    (lambda: evaluate.score("forecast.errors", truth=np.array([2**63], np.uint64), prediction=[1]), "int64"),
    (lambda: evaluate.score("forecast.errors", truth=np.zeros((1,) * 9), prediction=[1]), "9 axes"),
    (lambda: evaluate.score("forecast.errors", truth=[1j], prediction=[1]), "not numbers"),
]


@pytest.mark.parametrize("number", range(len(SENTENCES)))
def test_what_cannot_be_is_said_in_a_sentence(number: int) -> None:
    what, part = SENTENCES[number]
    with pytest.raises(trajpack.UsageError) as caught:
        what()
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_an_array_and_an_option_of_one_name() -> None:
    tracks = np.zeros((5, 2, 2))
    found = evaluate.score("keypoints.state_alignment", tracks=tracks, points=tracks, joints_option=[1])
    assert found.options["joints"] == [1]


def test_importing_imports_no_torch() -> None:
    code = "import sys, trajpack.evaluate.judge; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], env=surroundings(), capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
