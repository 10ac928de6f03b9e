"""trajpack.evaluate: every evaluator of trajpack by name, on numpy arrays.

    import trajpack.evaluate
    scores = trajpack.evaluate.score("camera.path", truth_position=p, estimate_position=q, alignment="sim3")
    scores["camera.ate.rmse"].value

``catalogue()`` lists the evaluators with their arrays, options and defaults. A :class:`Score` is a figure with the
number of values behind it and every option it was computed under, or the reason why there is none.

``trajpack.evaluate.judge`` asks judges whether generated video follows its actions; ``trajpack.evaluate.generative``
has the scores that need a model to be trained, with PyTorch.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._arrays import Input
from ._catalogue import Catalogue, Evaluator, Setting, catalogue, score
from ._score import Score, Scores

if TYPE_CHECKING:
    from . import generative, judge

__all__ = ["Catalogue", "Evaluator", "Input", "Score", "Scores", "Setting", "catalogue", "generative", "judge", "score"]

_MODULES = ("generative", "judge")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        import importlib
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'trajpack.evaluate' has no attribute '{name}'")
