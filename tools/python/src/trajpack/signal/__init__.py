"""Resampling, alignment, delay embedding and masks: numpy in, numpy out.

    import trajpack.signal as ts
    values, mask = ts.resample(x, times, ts.Times.regular(rate=30, count=900), "natural")

Pure functions on arrays whose first axis is rows; ``x`` may be float32 or float64, and missing entries are NaN or false
in ``observed``. They run without the GIL. Errors are the package's: ``DataError`` for what the numbers break,
``UsageError`` for what cannot be asked for.
"""
from __future__ import annotations

from .embed import (
    Autocorrelation,
    Cao,
    FalseNeighbours,
    JointEmbedding,
    MutualInformation,
    augmented_covariance,
    autocorrelation,
    cao,
    embed,
    false_neighbours,
    hankel,
    mdop,
    mutual_information,
    noise_amplification,
    pecuzal,
    uniform,
)
from .irregular import Path, Quantised, mask, path, quantise, random_words, rectilinear, time_since
from .resample import Aligned, Resampled, align, bins, moving_mean, polyphase, resample
from .times import Times
from .union import UnionBatch, union_batch

__all__ = [
    "Aligned", "Autocorrelation", "Cao", "FalseNeighbours", "JointEmbedding", "MutualInformation", "Path",
    "Quantised", "Resampled", "Times", "UnionBatch", "align", "augmented_covariance", "autocorrelation", "bins", "cao",
    "embed", "false_neighbours", "hankel", "mask", "mdop", "moving_mean", "mutual_information",
    "noise_amplification", "path", "pecuzal", "polyphase", "quantise", "random_words", "rectilinear",
    "resample", "time_since", "uniform", "union_batch",
]
