"""Of which epoch crops, flips and masks are where windows are asked for by number: nobody says that an epoch begins."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _options

if TYPE_CHECKING:
    from .loader import Loader

#: Options of order, which is the framework's.
ORDER = ("batch", "rank", "world_size", "shuffle", "drop_last", "block_windows", "block_count", "window_weights",
         "replacement", "epoch_windows", "weights")
_MOST = 1 << 40


def are_in(loader: Loader) -> bool:
    """Whether something of a window is drawn anew in each epoch."""
    options = loader.options
    plan = json.dumps(options.get("plan") or {})
    return bool(options.get("crop") or options.get("flip") or '"draw": "epoch"' in plan)


class Epochs:
    """Counts the passes over the windows: where a window comes again, the next one has begun.

    Each process counts for itself. ``base`` is its first epoch and ``step`` what it goes on by, so that no two of them
    draw a window alike.
    """

    def __init__(self, windows: int, base: int = 0, step: int = 1) -> None:
        self._seen = np.zeros((windows + 7) // 8, np.uint8)
        self._base, self._step, self._count = base, step, 0

    def of(self, windows: list[int]) -> int:
        """The epoch of windows that are asked for together."""
        wanted = np.asarray(windows, np.int64)
        byte, bit = wanted >> 3, (1 << (wanted & 7)).astype(np.uint8)
        if (self._seen[byte] & bit).any():
            self._seen[:] = 0
            self._count += 1
        np.bitwise_or.at(self._seen, byte, bit)
        return (self._base + self._step * self._count) % _MOST


class Drawn:
    """What a data set of windows by number has, so that each epoch draws anew."""

    _loader: Loader
    _epochs: Epochs | None = None
    _named: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """Crops, flips and masks that are drawn in each epoch are those of this one, from the next window on, as
        :class:`trajpack.Loader` draws them. In workers that live on (``persistent_workers=True``) it is not seen: they
        go on to further epochs by themselves."""
        self._loader.set_epoch(epoch)
        self._named, self._epochs = _options.whole(epoch, "epoch"), None

    def _begin(self) -> Epochs:
        """Of this process."""
        return Epochs(self._loader.windows, self._loader.epoch)

    def _draw(self, windows: list[int]) -> None:
        """Makes the loader draw for windows that are about to be read."""
        if not are_in(self._loader):
            return
        if self._epochs is None:
            self._epochs = self._begin()
        epoch = self._epochs.of(windows)
        if epoch != self._loader.epoch:
            self._loader.set_epoch(epoch)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_epochs": None}


__all__ = ["ORDER", "Drawn", "Epochs", "are_in"]
