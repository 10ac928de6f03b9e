"""The evaluators through the Python package, as the tests and benchmarks of the metrics call them: options apart."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "python" / "src"))
if "TRAJPACK_BIN" in os.environ and "TRAJPACK_LIBRARY" not in os.environ:
    os.environ["TRAJPACK_LIBRARY"] = str(Path(os.environ["TRAJPACK_BIN"]) / "libtrajpack-c.so")

import trajpack.evaluate
from trajpack import TrajpackError  # noqa: F401
from trajpack.evaluate import _native


def evaluate_list(evaluator, options=None, **arrays):
    """The scores of one evaluator, in its order."""
    entry = trajpack.evaluate.catalogue()[evaluator]
    keywords = {f"{k}_option" if k in entry.inputs else k: v for k, v in (options or {}).items()}
    return [asdict(score) for score in entry(**arrays, **keywords).values()]


def evaluate(evaluator, options=None, **arrays):
    """The scores of one evaluator, by name."""
    return {score["name"]: score for score in evaluate_list(evaluator, options, **arrays)}


def values(evaluator, options=None, **arrays):
    """The figures of one evaluator, by name."""
    return {s["name"]: s["value"] for s in evaluate_list(evaluator, options, **arrays)}


def catalogue():
    """Every evaluator with its inputs and options, as the library has it."""
    return _native.evaluators()
