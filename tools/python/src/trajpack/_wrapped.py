"""What the data sets of frameworks say of the windows that they give: that which their loader says."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._words import counted, lines_of

if TYPE_CHECKING:
    from .batch import Output
    from .loader import Loader


class Wrapped:
    """Windows of a loader in the form of a framework."""

    _loader: Loader

    @property
    def outputs(self) -> Mapping[str, Output]:
        """What the arrays are: :attr:`trajpack.Loader.outputs`. Their shapes are without the leading B where windows
        come one by one."""
        return self._loader.outputs

    @property
    def left_raw(self) -> list[str]:
        """Channels that ``normalize`` leaves as they are, because of what they mean."""
        return self._loader.left_raw

    @property
    def normalization(self) -> dict[str, dict[str, Any]]:
        """What each normalized channel was normalized by: :attr:`trajpack.Loader.normalization`."""
        return self._loader.normalization

    def denormalize(self, values: Any, name: str | None = None, *, mask: Any = None, windows: Any = None,
                    datasets: Any = None) -> Any:
        """Values in the units in which they were recorded, of a batch, a window or one array:
        :meth:`trajpack.Loader.denormalize`."""
        return self._loader.denormalize(values, name, mask=mask, windows=windows, datasets=datasets)

    def _one_by_one(self) -> str:
        """The sentence of a data set that gives windows by number."""
        loader = self._loader
        paths = ", ".join(dataset.path for dataset in loader.datasets)
        kind = type(self)
        lines = [f"<{kind.__module__}.{kind.__name__} of {counted(loader.windows, 'window')} of {paths}>"]
        lines += [f"  {o.name}: {o.dtype.name} {list(o.shape[1:])}{' ' + o.units if o.units else ''}"
                  for o in loader.outputs.values()]
        return lines_of(lines)


__all__ = ["Wrapped"]
