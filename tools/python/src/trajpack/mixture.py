"""Mixtures: windows of several data sets in stated proportions."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _options
from ._errors import UsageError
from .loader import Loader

if TYPE_CHECKING:
    from .dataset import Dataset


@_options.with_options_of(Loader.__init__)
def mixture(datasets: Iterable[Dataset] | Mapping[Dataset, float], weights: Iterable[float] | None = None, *,
            epoch_windows: int | None = None, **options: Any) -> Loader:
    """A loader over several data sets.

    ``datasets``: a list, with ``weights`` beside it, or ``{dataset: weight}``. Weights are by window: at every prefix
    of the order each data set is within one window of its share. A data set goes through all of its windows before
    any comes again, in another order each time. Without weights all windows of all data sets come once an epoch.

    ``epoch_windows``: windows of an epoch; by default as many as the data sets have together. The other options are
    those of :class:`trajpack.Loader`; ``Batch.datasets`` says where each window is from.
    """
    if isinstance(datasets, Mapping):
        if weights is not None:
            raise UsageError("weights are given twice: in the mapping and in 'weights'")
        members, weights = list(datasets), list(datasets.values())
    else:
        if isinstance(datasets, str) or not isinstance(datasets, Iterable):
            raise UsageError("a mixture is of a list of data sets, or {dataset: weight}, not "
                             f"{type(datasets).__name__}")
        members = list(datasets)
    return Loader(members, weights=weights, epoch_windows=epoch_windows, **options)
