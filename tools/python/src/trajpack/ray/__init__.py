"""Ray: windows and episodes as data sets of Ray Data, episodes written by its tasks, and conversions on its workers.

    import ray, trajpack.ray
    data = trajpack.ray.read_windows("/shared/walks", channels=["state"], length=64)
    for batch in data.iter_batches(batch_size=256, batch_format="numpy"):
        batch["state/hp"]                                   # [B, T, ...]

    trajpack.ray.write_episodes(data_of_episodes, "/shared/out", rate=30)
    trajpack.ray.convert("/shared/recordings", "/shared/walks", tasks=64)

All nodes see the same files: on a shared file system, or at a URL. ``local:///path`` is a folder of the driver's node,
and then the tasks run there. It needs ``pip install 'trajpack[ray]'``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._convert import convert
    from ._episodes import EpisodeDatasource, read_episodes
    from ._windows import WindowDatasource, read_windows
    from ._write import EpisodeDatasink, write_episodes

__all__ = ["EpisodeDatasink", "EpisodeDatasource", "WindowDatasource", "convert", "read_episodes", "read_windows",
           "write_episodes"]
_PLACES = {"convert": "_convert", "EpisodeDatasource": "_episodes", "read_episodes": "_episodes",
           "WindowDatasource": "_windows", "read_windows": "_windows", "EpisodeDatasink": "_write",
           "write_episodes": "_write"}


def __getattr__(name: str) -> Any:
    import importlib

    from .._convert import need
    if name not in _PLACES:
        raise AttributeError(f"module 'trajpack.ray' has no attribute '{name}'")
    need("ray.data", "ray[data]")
    found = getattr(importlib.import_module("." + _PLACES[name], __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
