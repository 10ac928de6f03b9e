"""No frames, one frame, constants and options out of range: a figure, a reason, or a sentence."""

import numpy as np
import pytest
from evaluate_native import TrajpackError, catalogue, evaluate_list
from evaluate_samples import copied, truth

EVALUATORS = catalogue()
NAMES = [e["name"] for e in EVALUATORS]


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
        scores = evaluate_list(name, **arrays)
        assert scores
        for score in scores:
            assert (score["value"] is None) == (score["reason"] is not None)
            assert score["value"] is None or np.isfinite(score["value"])
            assert size or score["value"] is None or name == "action.segments", score
    except TrajpackError as refused:
        assert len(str(refused)) > 20


@pytest.mark.parametrize("value", [0.0, 3.0, 1e-300, 1e200, -1e200, 1e308])
@pytest.mark.parametrize("name", NAMES)
def test_constant_input_gives_a_figure_or_a_reason(name, value):
    arrays = copied(name, truth(name, np.random.default_rng(5)))
    for key in arrays:
        if key not in ("lengths", "bones", "feet", "clips") and "rotation" not in key:
            arrays[key] = np.full(np.shape(arrays[key]), value)
    try:
        scores = evaluate_list(name, **arrays)
        assert scores
        for score in scores:
            assert (score["value"] is None) == (score["reason"] is not None)
            assert score["value"] is None or np.isfinite(score["value"])
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
