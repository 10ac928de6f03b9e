"""Grain: windows as a ``RandomAccessDataSource``.

    source = trajpack.grain.WindowSource(ds, length=64)
    pipeline = grain.MapDataset.source(source).shuffle(seed=0).batch(32)

It needs only what Grain's protocol asks for, ``len`` and ``[]``, so Grain itself is not imported here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from . import _draws, _options
from ._errors import UsageError
from ._wrapped import Wrapped
from .loader import Loader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset


class WindowSource(_draws.Drawn, Wrapped):
    """Windows by number: ``source[7]`` is ``{"state/hp": ndarray [T, ...], ...}``. Options are those of
    :class:`trajpack.Loader`; order and batches are Grain's. It is picklable, for Grain's worker processes.

    Crops, flips and masks that are drawn in each epoch are drawn anew where a window comes again; ``set_epoch`` names
    an epoch. Each worker process counts for itself."""

    @_options.with_options_of(Loader.__init__, but=_draws.ORDER)
    def __init__(self, dataset: Dataset, **options: Any) -> None:
        for name in _draws.ORDER:
            if name in options:
                raise UsageError(f"'{name}' is of the order, which is Grain's: shuffle, shard and batch there, or use "
                                 "Dataset.windows", option=name)
        self._loader = Loader(dataset, batch=1, rank=0, world_size=1, drop_last=False, **options)

    def __len__(self) -> int:
        return self._loader.windows

    def __getitem__(self, record_key: SupportsIndex) -> dict[str, NDArray[Any]]:
        index, count = record_key.__index__(), len(self)
        if not -count <= index < count:
            raise IndexError(f"there are {count} windows, so there is no number {index}")
        self._draw([index % count])
        batch = self._loader.read([index % count])
        return {name: batch[name][0] for name in batch}

    def __repr__(self) -> str:
        return self._one_by_one()


__all__ = ["WindowSource"]
