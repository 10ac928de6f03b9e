"""What ``normalize`` did to the values of a loader, and its inverse."""
from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi
from ._errors import UsageError, nearest
from .batch import Batch, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Normalized:
    """A loader's values in the units in which they were recorded."""

    if TYPE_CHECKING:
        outputs: Mapping[str, Output]

        def _open(self) -> Any: ...
        def locate(self, window: Any, dataset: Any = 0) -> tuple[Any, Any, Any]: ...

    @cached_property
    def _normalization(self) -> dict[str, Any]:
        return _ffi.text("tp_loader_normalization", self._open())  # type: ignore[no-any-return]

    @property
    def normalization(self) -> dict[str, dict[str, Any]]:
        """What each normalized channel was normalized by: ``{"stream/channel": {"method", "axes", "per", "shift",
        "scale"}}``. A value x became ``(x - shift) * scale``; ``shift`` and ``scale`` are float64 arrays of a row's
        shape, or, with ``per``, of ``[groups, *shape]``, in the order of ``"values"``."""
        out = {}
        for path, channel in self._normalization["channels"].items():
            grouping = _grouping(self._normalization, channel)
            shape = ([len(grouping["values"])] if grouping else []) + channel["shape"]
            out[path] = {"method": channel["method"], "axes": channel["axes"],
                         "per": grouping["by"] if grouping else None,
                         **({"values": list(grouping["values"])} if grouping else {}),
                         "shift": np.asarray(channel["shift"], float).reshape(shape),
                         "scale": np.asarray(channel["scale"], float).reshape(shape)}
        return out

    def denormalize(self, values: Any, name: str | None = None, *, mask: Any = None, windows: Any = None,
                    datasets: Any = None) -> Any:
        """Values in the units in which they were recorded: the inverse of ``normalize``, but for the rounding of the
        array's dtype. What was not normalized stays as it is.

        ``values``: a batch (a :class:`trajpack.Batch`, or a dict by output name of arrays of numpy, torch or JAX), of
        which a dict comes back; or one array, with the ``name`` of the output (or channel) that it is, as what a model
        predicts for it. Its last axes are those of a row, ``[..., *shape]``, or ``[..., F]`` for a matrix of
        ``features``.

        What was not observed, absent entities and padding stay as they are, where the batch has the masks, or where
        ``mask`` (True where there is a value, of the array's shape) says so; NaN stays NaN anyway.

        With ``per``, a window's group has to be known: a ``Batch`` knows it, a dict does by ``meta:window`` and
        ``meta:dataset`` (``meta=True``); else give ``windows`` (and ``datasets``), as ``batch.windows`` has them: [B].
        """
        if isinstance(values, Mapping):
            if name is not None:
                return self.denormalize(values[name], name, mask=mask, windows=windows, datasets=datasets)
            if mask is not None:
                raise UsageError("'mask' goes with one array and its 'name'; a batch has masks of its own")
            if windows is None:
                windows, datasets = _places(values)
            return {key: self._inverted(values[key], key, _valid(values, self.outputs, key), windows, datasets)
                    for key in values}
        if name is None:
            raise UsageError("an array alone does not say which channel it is: give its 'name', as \"state/hp\"")
        known = [*self.outputs, *self._normalization["channels"]]
        if name not in known:
            raise UsageError(f"there is no output '{name}'{nearest(name, known)}")
        if not hasattr(values, "shape"):
            try:
                values = np.asarray(values)
            except ValueError:
                values = None
            if values is None or values.dtype.kind not in "fiu":
                raise UsageError(f"the values of '{name}' are no array of numbers")
        return self._inverted(values, name, mask, windows, datasets)

    def _inverted(self, values: Any, name: str, mask: Any, windows: Any, datasets: Any) -> Any:
        channels = self._normalization["channels"]
        parts = self._normalization["features"].get(name)
        if parts is None:
            if name not in channels:
                return values
            shift, scale = self._constants(channels[name], values, windows, datasets, name)
        else:
            if not any(part["channel"] in channels for part in parts):
                return values
            columns = []
            for part in parts:
                flat = {"shape": [part["elements"]], "shift": [0.0] * part["elements"],
                        "scale": [1.0] * part["elements"], "grouping": None}
                found = channels.get(part["channel"])
                if found is not None:
                    flat = {**found, "shape": [part["elements"]]}
                shift, scale = self._constants(flat, values, windows, datasets, name)
                columns.append((np.concatenate([shift] * part["slots"], -1),
                                np.concatenate([scale] * part["slots"], -1)))
            leading = max((c[0].shape[:-1] for c in columns), key=len)
            shift = np.concatenate([np.broadcast_to(c[0], (*leading, c[0].shape[-1])) for c in columns], -1)
            scale = np.concatenate([np.broadcast_to(c[1], (*leading, c[1].shape[-1])) for c in columns], -1)
        return _apply(values, shift, scale, mask, name)

    def _constants(self, channel: Mapping[str, Any], values: Any, windows: Any, datasets: Any,
                   name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shift and scale, to be broadcast against the values."""
        shape = tuple(channel["shape"])
        rank = len(values.shape)
        if tuple(values.shape[rank - len(shape):]) != shape and "elements" not in channel:
            if not (rank >= 1 and len(shape) == 1 and name in self._normalization["features"]):
                raise UsageError(f"an array of '{name}' has shape {list(values.shape)}, which does not end in that of "
                                 f"a row, {list(shape)}")
        grouping = _grouping(self._normalization, channel)
        numbers = [np.asarray(channel[key], float).reshape(-1, *shape) for key in ("shift", "scale")]
        if grouping is None:
            return numbers[0][0], numbers[1][0]
        if windows is None:
            raise UsageError(f"'{name}' is normalized by '{grouping['by']}', so its windows have to be known: give "
                             "windows=batch.windows, make the loader with meta=True, or denormalize the whole batch")
        windows = np.asarray(windows)
        if windows.ndim == 0:  # one window, without the axis of windows
            alone = self._constants(channel, values[None], windows[None],
                                    None if datasets is None else np.asarray(datasets)[None], name)
            return alone[0][0], alone[1][0]
        if rank < 1 + len(shape) or windows.shape != (values.shape[0],):
            raise UsageError(f"'windows' has shape {list(windows.shape)}, but must have a number for each of the "
                             f"{values.shape[0] if rank else 0} windows of '{name}'")
        members = np.zeros(windows.shape, np.int64) if datasets is None else np.asarray(datasets).astype(np.int64)
        episodes = self.locate(windows, members)[0]
        first = np.asarray(self._normalization["first_episodes"], np.int64)
        groups = np.asarray(grouping["groups"], np.int64)[first[members] + episodes]
        between = (1,) * (rank - 1 - len(shape))
        shift, scale = (n[groups].reshape(len(groups), *between, *shape) for n in numbers)
        return shift, scale


def _grouping(description: Mapping[str, Any], channel: Mapping[str, Any]) -> Any:
    number = channel["grouping"]
    return None if number is None else description["groupings"][number]


def _places(batch: Mapping[str, Any]) -> tuple[Any, Any]:
    if isinstance(batch, Batch):
        return batch.windows, batch.datasets
    if "meta:window" in batch and "meta:dataset" in batch:
        return np.asarray(batch["meta:window"]), np.asarray(batch["meta:dataset"])
    return None, None


def _valid(batch: Mapping[str, Any], outputs: Mapping[str, Output], name: str) -> Any:
    """Where an output holds what was recorded, by the masks that the batch has; None where it has none."""
    output = outputs.get(name)
    if output is None or output.role != "values" or output.channel is None:
        return None
    valid: Any = None
    for mask in outputs.values():
        if mask.stream != output.stream or mask.name not in batch:
            continue
        if mask.role == "observed":
            if mask.name != f"observed:{name}":
                continue
            part = batch[mask.name]
        elif mask.role in ("present", "padding"):
            if output.channel not in mask.channels:
                continue
            part = batch[mask.name]
            part = part.reshape(*part.shape, *(1,) * (len(batch[name].shape) - len(part.shape)))
            part = ~part if mask.role == "padding" else part
        else:
            continue
        valid = part if valid is None else valid & part
    return valid


def _apply(values: Any, shift: NDArray[np.float64], scale: NDArray[np.float64], mask: Any, name: str) -> Any:
    if mask is not None:
        shape, own = np.shape(mask), tuple(values.shape)
        if len(shape) > len(own) or any(m not in (1, n) for m, n in zip(shape[::-1], own[::-1], strict=False)):
            raise UsageError(f"'mask' has shape {list(shape)}, but must have that of '{name}', {list(own)}")
    kind = type(values).__module__.partition(".")[0]
    if kind == "torch":
        import torch
        # Some devices have no float64.
        wide = torch.float32 if values.device.type == "mps" else torch.float64
        back = (values.to(wide) / torch.as_tensor(scale, dtype=wide, device=values.device)
                + torch.as_tensor(shift, dtype=wide, device=values.device)).to(_float_of(values, torch))
        return back if mask is None else torch.where(torch.as_tensor(mask, device=values.device), back, values)
    if kind in ("jax", "jaxlib"):
        import jax.numpy as jnp
        back = (values / jnp.asarray(scale) + jnp.asarray(shift)).astype(values.dtype)
        return back if mask is None else jnp.where(mask, back, values)
    array = np.asarray(values)
    if array.dtype.kind != "f":
        raise UsageError(f"an array of '{name}' is {array.dtype.name}, and normalized values are floats")
    back = (array.astype(np.float64) / scale + shift).astype(array.dtype)
    return back if mask is None else np.where(mask, back, array)


def _float_of(values: Any, torch: Any) -> Any:
    if not values.dtype.is_floating_point:
        raise UsageError(f"a tensor is {values.dtype}, and normalized values are floats")
    return values.dtype


__all__ = ["Normalized"]
