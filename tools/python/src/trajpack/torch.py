"""PyTorch: map-style and iterable data sets over windows, whose tensors share the library's memory.

    loader = trajpack.torch.WindowLoader(ds, length=64, batch=32)
    for batch in loader:                      # {"state/hp": Tensor [B, T, ...], ...}
        ...

No worker processes are needed: threads of the library read, inflate and align ahead, without the GIL. ``DataLoader``
with workers works all the same, under fork, spawn and forkserver.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _options
from ._errors import UsageError
from .batch import Batch
from .loader import Loader

try:
    import torch
    from torch.utils import data as _data
except ImportError:
    raise UsageError("trajpack.torch needs PyTorch; install it with 'pip install torch'") from None

if TYPE_CHECKING:
    from .dataset import Dataset

_MAP_ROOM = 64  # windows that WindowDataset reads at a time


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    """The arrays of a batch as tensors over the same memory, which they keep alive."""
    return {name: torch.from_numpy(batch[name]) for name in batch}


class WindowDataset(_data.Dataset):  # type: ignore[type-arg]
    """Windows by number, for ``DataLoader`` with a sampler of its own: ``dataset[7]`` is ``{"state/hp": Tensor
    [T, ...], ...}``. Options are those of :class:`trajpack.Loader`; order and batches are the ``DataLoader``'s.

    A window is read when it is asked for; :class:`WindowLoader` reads ahead and is faster.
    """

    def __init__(self, dataset: Dataset, *, transform: Callable[[dict[str, torch.Tensor]], Any] | None = None,
                 **options: Any) -> None:
        for name in ("batch", "rank", "world_size", "shuffle", "drop_last"):
            if name in options:
                raise UsageError(f"'{name}' is the DataLoader's: give it there, or use WindowLoader")
        self._loader = Loader(dataset, batch=_MAP_ROOM, rank=0, world_size=1, drop_last=False, **options)
        self._transform = transform

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the tensors are; their shapes without the leading B."""
        return self._loader.outputs

    def __len__(self) -> int:
        return self._loader.windows

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several windows at once, as ``DataLoader`` asks for them: a chunk that they share is read once."""
        count = len(self)
        wanted = [int(i) for i in indices]
        for i in wanted:
            if not -count <= i < count:
                raise IndexError(f"there are {count} windows, so there is no number {i}")
        out: list[Any] = []
        for first in range(0, len(wanted), _MAP_ROOM):
            batch = self._loader.read([i % count for i in wanted[first:first + _MAP_ROOM]])
            whole = tensors(batch)
            for i in range(batch.count):
                one = {name: tensor[i] for name, tensor in whole.items()}
                out.append(self._transform(one) if self._transform is not None else one)
        return out


class WindowLoader(_data.IterableDataset):  # type: ignore[type-arg]
    """Batches of windows as dicts of tensors ``[B, T, (E,) ...]``.

    Iterate it as it is, or give it to ``DataLoader(loader, batch_size=None, num_workers=N)``: then each worker loads
    its share, as one rank of ``world_size * N``, and the union is the same. It is a ``Stateful``: ``state_dict`` and
    ``load_state_dict`` make ``torchdata.stateful_dataloader.StatefulDataLoader`` resume it exactly.

    Every pass over it is the next epoch. Workers that are made anew for every pass (``persistent_workers=False``)
    begin with the epoch that ``set_epoch`` names, as with torch's ``DistributedSampler``.

    ``rank`` and ``world_size`` are taken from ``torch.distributed`` when this is made. ``pin_memory``: batches lie in
    page-locked memory, so that ``tensor.to(device, non_blocking=True)`` overlaps. ``transform``: what is done with each
    batch. Other options are those of :class:`trajpack.Loader`.
    """

    def __init__(self, dataset: Dataset | Sequence[Dataset], *, pin_memory: bool = False,
                 transform: Callable[[dict[str, torch.Tensor]], Any] | None = None, **options: Any) -> None:
        rank, world = _options.rank(options.pop("rank", None), options.pop("world_size", None))
        self._datasets = list(dataset) if isinstance(dataset, Sequence) else [dataset]
        self._options = options
        self._rank, self._world = rank, world
        self._pin = pin_memory
        self._transform = transform
        if pin_memory and not torch.cuda.is_available():
            raise UsageError("pin_memory=True needs an accelerator, and torch finds none; leave it out")
        # The epoch that set_epoch named, and how often it did: workers that live on see it.
        self._named = torch.zeros(2, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self._seen = 0
        self._worker: tuple[int, int] = (0, 1)
        self._state: dict[str, int] | None = None
        self._loader: Loader | None = None
        self._length = len(self._here())

    def _here(self) -> Loader:
        """This process's loader."""
        info = _data.get_worker_info()
        worker = (0, 1) if info is None else (info.id, info.num_workers)
        if self._loader is None or worker != self._worker:
            # A loader of the parent has its place in the order; a worker's begins there.
            state = self._state if self._loader is None else self._loader.state_dict()
            options = dict(self._options)
            if info is not None and "threads" not in options:
                options["threads"] = max(1, _options.cores() // info.num_workers)
            self._loader = Loader(self._datasets, rank=self._rank * worker[1] + worker[0],
                                  world_size=self._world * worker[1], **options)
            self._worker = worker
            if state is not None:
                self._loader.load_state_dict(state)
            self._state = None
            if self._pin:
                self._lend(self._loader)
        return self._loader

    def _lend(self, loader: Loader) -> None:
        for _ in range(int(loader.options.get("prefetch", 4)) + 3):
            whole = torch.empty(loader.batch_bytes + 64, dtype=torch.uint8, pin_memory=True)
            skip = -whole.data_ptr() % 64
            loader.lend(whole[skip:skip + loader.batch_bytes].numpy())

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_state"] = self._state if self._loader is None else self._loader.state_dict()
        state["_loader"] = None
        state["_worker"] = (0, 1)
        return state

    def __len__(self) -> int:
        """Batches of an epoch on this rank."""
        return self._length

    @property
    def loader(self) -> Loader:
        """The loader of this process: ``stats()``, ``outputs``, ``order()``."""
        return self._here()

    def __iter__(self) -> Iterator[Any]:
        loader = self._here()
        epoch, times = self._named.tolist()
        if times != self._seen:
            self._seen = times
            loader.seek(epoch)
        for batch in loader:
            out = tensors(batch)
            del batch
            yield self._transform(out) if self._transform is not None else out

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch, in workers too."""
        self._named[0] = epoch
        self._named[1] += 1

    def set_weights(self, weights: Any) -> None:
        """Other weights of windows, from the next epoch on: see :meth:`trajpack.Loader.set_weights`. Workers that live on
        (``persistent_workers=True``) do not see them."""
        self.loader.set_weights(weights)

    def state_dict(self) -> dict[str, int]:
        """The place after the last batch that was given out in this process: whole numbers."""
        return self._here().state_dict()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes on from a place, on any number of ranks and workers."""
        self._here().load_state_dict(state)
        self._seen = int(self._named[1])

    def __repr__(self) -> str:
        return repr(self._here()).replace("trajpack.Loader", "trajpack.torch.WindowLoader", 1)


def check_ranks(loader: Loader | WindowLoader) -> None:
    """Raises ``UsageError`` where ranks of a process group of torch have loaders of other data, options, weights of
    windows or places: the union of what they load would not be one order. Every rank has to call it; without a process
    group it does nothing."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    own = loader.state_dict()
    states: list[dict[str, int]] = [{} for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(states, own)
    for rank, state in enumerate(states):
        differing = [name for name in own if state.get(name) != own[name]]
        if differing or len(state) != len(own):
            what = "weights of windows" if any("weights" in name for name in differing) else "data, options or places"
            raise UsageError(f"rank {rank} has other {what} than rank {distributed.get_rank()} "
                             f"({', '.join(differing) or 'weights'} differ): give all ranks the same")


__all__ = ["WindowDataset", "WindowLoader", "check_ranks", "tensors"]
