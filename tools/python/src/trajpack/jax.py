"""JAX: batches on devices, a few ahead.

    for batch in trajpack.jax.batches(ds.windows(length=64, dtype="float32"), sharding):
        ...                                   # {"state/hp": jax.Array [B, T, ...], ...}
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ._errors import UsageError

try:
    import jax
except ImportError:
    raise UsageError("trajpack.jax needs JAX; install it with 'pip install jax'") from None

if TYPE_CHECKING:
    from .loader import Loader


def put(batch: Mapping[str, Any], sharding: Any = None) -> dict[str, jax.Array]:
    """The arrays of a batch on devices.

    ``sharding``: None for the default device, a ``Device``, or a ``Sharding`` of whole batches: axis 0 is then the
    union of what all processes load. JAX turns float64 and int64 into 32 bits unless ``jax_enable_x64`` is set.
    """
    if isinstance(sharding, jax.sharding.Sharding):
        return {name: jax.make_array_from_process_local_data(sharding, batch[name])  # type: ignore[no-untyped-call]
                for name in batch}
    return {name: jax.device_put(batch[name], sharding) for name in batch}


def batches(loader: Loader, sharding: Any = None, *, ahead: int = 2,
            choose: Callable[[str], bool] | None = None) -> Iterator[dict[str, jax.Array]]:
    """One epoch of a loader on devices, as ``for batch in loader`` gives it, ``ahead`` batches being copied while one
    is used.

    ``choose``: which outputs to take, by name. ``loader.state_dict()`` is that of the batches that were taken from the
    loader, which are up to ``ahead`` more than were given out here: to resume exactly, use ``ahead=0``.
    """
    if ahead < 0:
        raise UsageError(f"'ahead' is {ahead}, but must be at least 0")
    waiting: deque[dict[str, jax.Array]] = deque()
    for batch in loader:
        chosen = batch if choose is None else {name: batch[name] for name in batch if choose(name)}
        waiting.append(put(chosen, sharding))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


__all__ = ["batches", "put"]
