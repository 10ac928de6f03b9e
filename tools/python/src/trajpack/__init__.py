"""trajpack: windows of trajectories, straight from compressed archives into training code.

    import trajpack
    ds = trajpack.open("recordings.tp")
    for batch in ds.windows(channels=["state/*", "camera"], duration=2.0, batch=64):
        batch["state/hp"]                # numpy, [B, T, ...], without a copy

``open`` gives a :class:`Dataset`, ``Dataset.windows`` a :class:`Loader`, ``mixture`` a loader over several
data sets; ``create`` gives a :class:`Writer`. ``trajpack.torch``, ``trajpack.grain`` and ``trajpack.jax`` fit them to
those frameworks; ``validate`` has rules look at what the numbers mean, as objects or as tests of pytest.
``trajpack.camera`` projects points into pictures and back, ``trajpack.signal`` resamples, aligns, embeds and masks
arrays, and ``trajpack.evaluate`` scores them.
Importing this package imports nothing else: numpy comes with the first data set, a framework with its module.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import Cancelled, DataError, ErrorPlace, MachineError, TrajpackError, UsageError
from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .batch import Batch, Output
    from .column import Column
    from .dataset import Dataset, open
    from .episode import Entities, Episode, Table
    from .loader import Loader
    from .mixture import mixture
    from .predicates import channel, value
    from .recording import Recording
    from .validation import Finding, Place, Problem, Report, rule, validate
    from .video import Video
    from .writer import Writer, create

__all__ = ["Batch", "Cancelled", "Column", "DataError", "Dataset", "Entities", "Episode", "ErrorPlace", "Finding",
           "Loader", "MachineError", "Output", "Place", "Problem", "Recording", "Report", "Table", "TrajpackError",
           "UsageError", "Video", "Writer", "channel", "create", "mixture", "open", "rule", "validate", "value",
           "version"]

_PLACES = {"Batch": "batch", "Output": "batch", "Dataset": "dataset", "open": "dataset", "Column": "column",
           "Entities": "episode", "Episode": "episode", "Table": "episode", "Loader": "loader",
           "Recording": "recording", "Video": "video", "Writer": "writer", "channel": "predicates",
           "create": "writer", "value": "predicates", "Finding": "validation", "Place": "validation",
           "Problem": "validation", "Report": "validation", "rule": "validation", "validate": "validation"}
_MODULES = ("torch", "grain", "jax", "camera", "evaluate", "ray", "remote", "signal")


def version() -> str:
    """The version of the library that is loaded, ``"1.0.0"``."""
    from . import _ffi
    return str(_ffi.library().tp_version().decode())


def __getattr__(name: str) -> Any:
    import importlib
    if name == "mixture":
        from .mixture import mixture as found
    elif name in _PLACES:
        found = getattr(importlib.import_module("." + _PLACES[name], __name__), name)
    elif name in _MODULES:
        return importlib.import_module("." + name, __name__)
    else:
        raise AttributeError(f"module 'trajpack' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
