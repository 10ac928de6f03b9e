"""Which of how many processes this is: ranks, and the threads that each may use."""
from __future__ import annotations

import os
import sys
from typing import Any

from . import _options
from ._errors import UsageError
from ._warning import warn

Place = tuple[int, int]


def given(rank: Any, world: Any) -> Place | None:
    """The rank and the world size that were asked for; None where neither was."""
    if rank is None and world is None:
        return None
    if world is None:
        raise UsageError("'rank' is given without 'world_size'; give both, or neither", option="world_size")
    if rank is None:
        raise UsageError("'world_size' is given without 'rank'; give both, or neither", option="rank")
    of = _options.whole(world, "world_size", 1, 1 << 20)
    own = _options.whole(rank, "rank", 0)
    if own >= of:
        raise UsageError(f"'rank' is {own}, but must be below 'world_size', which is {of}")
    return own, of


def found() -> Place | None:
    """This process's rank and the world size: of torch.distributed or JAX where they are set up, else of torchrun's
    environment; None where nothing says."""
    return group() or environment()


def group() -> Place | None:
    """Those of a process group of torch or JAX that is set up."""
    torch = sys.modules.get("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank()), int(distributed.get_world_size())
    jax = sys.modules.get("jax")
    several = getattr(jax, "distributed", None)
    if jax is not None and several is not None and several.is_initialized():
        return int(jax.process_index()), int(jax.process_count())
    return None


def environment() -> Place | None:
    """``RANK`` and ``WORLD_SIZE``, where both are there."""
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if not rank or not world:
        return None
    try:
        own, of = int(rank), int(world)
    except ValueError:
        own, of = -1, 0
    if not 0 <= own < of <= 1 << 20:
        raise UsageError(f"the environment says RANK={rank} and WORLD_SIZE={world}, which is no rank of so many "
                         "processes; unset them, or give rank= and world_size=")
    return own, of


def differs(before: Place, now: Place) -> UsageError:
    """The refusal of a loader whose rank has changed since it was first used."""
    return UsageError(
        f"this loader was first used as rank {before[0]} of {before[1]}, and the process is now rank {now[0]} of "
        f"{now[1]}, so ranks would get the same windows; use it (its length, too) only after the process group is set "
        "up, make a new one, or give rank= and world_size=")


def local() -> int:
    """Processes of the world on this machine, as torchrun says (``LOCAL_WORLD_SIZE``); else 1."""
    try:
        return max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    except ValueError:
        return 1


def threads(workers: int = 1) -> int:
    """The share of the processors of one worker of one process, where others on this machine load as well; 0 where
    there are none."""
    sharers = local() * workers
    return max(_options.cores() // sharers, 1) if sharers > 1 else 0


def warn_abandoned() -> None:
    """Says once in a process that an epoch begins again."""
    global _warned
    if not _warned:
        _warned = True
        warn(
            "an epoch was left before its end, and there are several ranks, so it begins again from its first batch: "
            "call set_epoch(epoch) before each epoch to go on to another one, as with torch's DistributedSampler")


_warned = False


def resharded(world: int) -> None:
    """Raises where accelerate (or transformers) is about to share out the batches of a rank once more: of an iterable
    data set its first process gives others its own batches, or each process takes only some of its batches."""
    if world == 1 or not ("accelerate" in sys.modules or "transformers" in sys.modules):
        return
    frame = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("accelerate", "transformers"):
            owner = frame.f_locals.get("self")
            if type(owner).__name__ in ("DataLoaderDispatcher", "IterableDatasetShard"):
                count = getattr(owner, "num_processes", None) or getattr(getattr(owner, "state", None),
                                                                         "num_processes", 1)
                if isinstance(count, int) and count > 1:
                    raise UsageError(
                        f"accelerate shares out this loader's batches among {count} processes, and the loader does "
                        "that itself, so windows would be lost: use the loader without Accelerator.prepare, make it "
                        "with rank=0 and world_size=1, or give prepare a DataLoader of a WindowDataset")
        frame = frame.f_back  # type: ignore[assignment]
