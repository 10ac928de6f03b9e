"""No input makes the library trap, or answer with a number that is not one."""

import re

import numpy as np
import pytest
from evaluate_native import catalogue, evaluate_list
from trajpack import DataError, UsageError

ODD = [0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1, -1, 1e20, 2, 3]


def shape(text, sizes):
    axes = []
    for part in re.split(",| or | \\(", text)[0].split("×"):
        name = re.sub(r"[\[\] ]", "", part)
        axes.append(int(name) if name.isdigit() else sizes.setdefault(name.strip("'"), 4))
    return axes


def option(rng, setting):
    default = setting["default"]
    if isinstance(default, bool):
        return bool(rng.integers(2))
    if isinstance(default, int):
        return int(rng.choice([0, 1, 2, 3, 7, 100, 30000, -1]))
    if isinstance(default, float) or default is None:
        return float(rng.choice([0, 1e-12, 0.1, 0.5, 1, 3, 1e6, 1e300]))
    if isinstance(default, list):
        return [int(v) for v in rng.integers(0, 4, rng.integers(0, 4))]
    return default


@pytest.mark.parametrize("evaluator", catalogue(), ids=lambda e: e["name"])
def test_hostile_numbers_and_options(evaluator):
    rng = np.random.default_rng(sum(map(ord, evaluator["name"])))
    answered = 0
    for round_ in range(150):
        rows = int(rng.choice([0, 1, 2, 5, 40]))
        sizes = dict.fromkeys(["T", "F", "S", "A"], rows) | {"clips": 1, "R": 2, "C": 2}
        arrays = {}
        for given in evaluator["inputs"]:
            if given["required"] or rng.random() < 0.5:
                like = given["shape"] == "as truth"
                size = arrays["truth"].shape if like else shape(given["shape"], sizes)
                values = rng.normal(size=size)
                if given["name"] == "lengths" or given["name"].endswith("_lengths"):
                    values = np.array([rows])
                elif rng.random() < 0.4 or given["name"] in ("actions", "bones", "feet"):
                    values = rng.integers(0, 3, size)
                odd = rng.random(values.shape) < rng.choice([0, 0, 0.02, 0.5])
                if odd.any():
                    values = np.where(odd, rng.choice(ODD, values.shape), values)
                arrays[given["name"]] = values
        settings = [s for s in evaluator["options"] if rng.random() < 0.3]
        options = {s["name"]: option(rng, s) for s in settings}
        # What only makes a call long, not wrong.
        for name, most in (("bootstrap", 50), ("kl_samples", 50), ("samples", 50), ("sigma", 100)):
            if name in options:
                options[name] = min(options[name], most)
        try:
            for score in evaluate_list(evaluator["name"], options, **arrays):
                answered += 1
                assert (score["value"] is None) == (score["reason"] is not None)
                assert len(score["options"]) == len(evaluator["options"])
        except (DataError, UsageError) as refused:
            assert refused.code in (1, 2) and str(refused)
    assert answered, "no call got as far as a score"
