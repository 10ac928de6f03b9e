"""JAX: batches on devices, a few ahead.

    for batch in trajpack.jax.batches(ds.windows(length=64, dtype="float32"), sharding):
        ...                                   # {"state/hp": jax.Array [B, T, ...], ...}
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _options
from ._errors import UsageError

try:
    import jax
except ImportError:
    raise UsageError("trajpack.jax needs JAX; install it with 'pip install jax'") from None

if TYPE_CHECKING:
    from .loader import Loader


def put(batch: Mapping[str, Any], sharding: Any = None) -> dict[str, jax.Array]:
    """The arrays of a batch on devices; texts stay lists.

    ``sharding``: None for the default device, a ``Device``, or a ``Sharding`` of whole batches: axis 0 is then the
    union of what all processes load.

    JAX has 32 bits unless ``jax_enable_x64`` is set: float64 becomes float32, and 64-bit integers int32 and uint32,
    where the smallest int64, which says that a value is missing, becomes the smallest int32. Raises ``UsageError`` for
    integers that 32 bits do not hold.
    """
    texts = {name: batch[name] for name in batch if isinstance(batch[name], list)}
    arrays = {name: _narrowed(name, batch[name]) for name in batch if name not in texts}
    if isinstance(sharding, jax.sharding.Sharding):
        return {name: jax.make_array_from_process_local_data(sharding, array)
                for name, array in arrays.items()} | texts
    return {name: jax.device_put(array, sharding) for name, array in arrays.items()} | texts


def _narrowed(name: str, array: Any) -> Any:
    """An array of 64-bit integers with 32 bits, where JAX would cut the upper half off; others as they are."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or jax.config.jax_enable_x64:
        return array
    wide, narrow = np.iinfo(array.dtype), np.iinfo(f"{array.dtype.kind}4")
    missing = array == wide.min if array.dtype.kind == "i" else np.zeros(array.shape, bool)
    beyond = ~missing & ((array <= narrow.min if array.dtype.kind == "i" else False) | (array > narrow.max))
    if beyond.any():
        raise UsageError(f"'{name}' holds {int(array[beyond][0])}, which the 32 bits of JAX do not: set "
                         "jax_enable_x64, or leave it out with choose=")
    return np.where(missing, narrow.min, array).astype(narrow.dtype)


def batches(loader: Loader, sharding: Any = None, *, ahead: int = 2,
            choose: Callable[[str], bool] | None = None) -> Iterator[dict[str, jax.Array]]:
    """One epoch of a loader on devices, as ``for batch in loader`` gives it, ``ahead`` batches being copied while one
    is used.

    ``choose``: which outputs to take, by name. ``loader.state_dict()`` is that of the batches that were taken from the
    loader, which are up to ``ahead`` more than were given out here: to resume exactly, use ``ahead=0``.
    """
    ahead = _options.whole(ahead, "ahead", 0)
    if choose is not None and not callable(choose):
        raise UsageError(f"'choose' is {choose!r}, but must be a function of an output's name that says whether to "
                         "take it; channels= of the loader takes names", option="choose")
    waiting: deque[dict[str, jax.Array]] = deque()
    for batch in loader:
        chosen = batch if choose is None else {name: batch[name] for name in batch if choose(name)}
        waiting.append(put(chosen, sharding))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


__all__ = ["batches", "put"]
