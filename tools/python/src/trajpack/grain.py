"""Grain: windows as a ``RandomAccessDataSource``.

    source = trajpack.grain.WindowSource(ds, length=64)
    pipeline = grain.MapDataset.source(source).shuffle(seed=0).batch(32)

It needs only what Grain's protocol asks for, ``len`` and ``[]``, so Grain itself is not imported here.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

from ._errors import UsageError
from ._words import counted
from .loader import Loader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset


class WindowSource:
    """Windows by number: ``source[7]`` is ``{"state/hp": ndarray [T, ...], ...}``. Options are those of
    :class:`trajpack.Loader`; order and batches are Grain's. It is picklable, for Grain's worker processes."""

    def __init__(self, dataset: Dataset, **options: Any) -> None:
        for name in ("batch", "rank", "world_size", "shuffle", "drop_last"):
            if name in options:
                raise UsageError(f"'{name}' is Grain's: shuffle, shard and batch there, or use Dataset.windows")
        self._loader = Loader(dataset, batch=1, rank=0, world_size=1, drop_last=False, **options)

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the arrays are; their shapes without the leading B."""
        return self._loader.outputs

    def __len__(self) -> int:
        return self._loader.windows

    def __getitem__(self, record_key: SupportsIndex) -> dict[str, NDArray[Any]]:
        index, count = record_key.__index__(), len(self)
        if not -count <= index < count:
            raise IndexError(f"there are {count} windows, so there is no number {index}")
        batch = self._loader.read([index % count])
        return {name: batch[name][0] for name in batch}

    def __repr__(self) -> str:
        return f"<trajpack.grain.WindowSource of {counted(len(self), 'window')}>"


__all__ = ["WindowSource"]
