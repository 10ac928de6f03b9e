"""PyTorch: map-style and iterable data sets over windows, whose tensors share the library's memory.

    loader = trajpack.torch.WindowLoader(ds, length=64, batch=32)
    for batch in loader:                      # {"state/hp": Tensor [B, T, ...], ...}
        ...

No worker processes are needed: threads of the library read, inflate and align ahead, without the GIL. ``DataLoader``
with workers works all the same, under fork, spawn and forkserver.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _draws, _options, _ranks
from ._errors import UsageError
from ._warning import warn
from .batch import Batch
from .loader import Loader

try:
    import torch
    from torch.utils import data as _data
except ImportError:
    raise UsageError("trajpack.torch needs PyTorch; install it with 'pip install torch'") from None

from ._workers import Table
from ._wrapped import Wrapped

if TYPE_CHECKING:
    from ._passes import Pass
    from .dataset import Dataset

_MAP_ROOM = 64  # windows that WindowDataset reads at a time


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    """The arrays of a batch as tensors over the same memory, which they keep alive; texts are lists."""
    return {name: value if isinstance(value := batch[name], list) else torch.from_numpy(value) for name in batch}


class WindowDataset(_draws.Drawn, Wrapped, _data.Dataset):
    """Windows by number, for ``DataLoader`` with a sampler of its own: ``dataset[7]`` is ``{"state/hp": Tensor
    [T, ...], ...}``. Options are those of :class:`trajpack.Loader`; order and batches are the ``DataLoader``'s.

    A window is read when it is asked for; :class:`WindowLoader` reads ahead and is faster.

    Crops, flips and masks that are drawn in each epoch are others in each pass of a ``DataLoader``. Without workers a
    pass begins where a window comes again; the draws of workers are from torch's seed (``torch.manual_seed``).
    ``set_epoch`` names an epoch, whose draws are the same with any number of workers.
    """

    @_options.with_options_of(Loader.__init__, but=_draws.ORDER)
    def __init__(self, dataset: Dataset, *, transform: Callable[[dict[str, torch.Tensor]], Any] | None = None,
                 **options: Any) -> None:
        for name in _draws.ORDER:
            if name in options:
                raise UsageError(f"'{name}' is of the order, which is the DataLoader's: give it there or to its "
                                 "sampler, or use WindowLoader", option=name)
        self._loader = Loader(dataset, batch=_MAP_ROOM, rank=0, world_size=1, drop_last=False, **options)
        self._transform = transform

    def __len__(self) -> int:
        return self._loader.windows

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several windows at once, as ``DataLoader`` asks for them: a chunk that they share is read once."""
        count = len(self)
        wanted = [_options.whole(i, "index") for i in indices]
        for i in wanted:
            if not -count <= i < count:
                raise IndexError(f"there are {count} windows, so there is no number {i}")
        out: list[Any] = []
        for first in range(0, len(wanted), _MAP_ROOM):
            numbers = [i % count for i in wanted[first:first + _MAP_ROOM]]
            self._draw(numbers)
            batch = self._loader.read(numbers)
            whole = tensors(batch)
            for i in range(batch.count):
                one = {name: tensor[i] for name, tensor in whole.items()}
                out.append(self._transform(one) if self._transform is not None else one)
        return out

    def _begin(self) -> _draws.Epochs:
        info = _data.get_worker_info()
        if info is None:
            return super()._begin()
        # The seed of all workers of a pass is another one in the next pass, for which workers are made anew.
        if self._named is not None:
            return _draws.Epochs(self._loader.windows, self._named)
        base = (info.seed - info.id) * info.num_workers + info.id
        return _draws.Epochs(self._loader.windows, base % (1 << 40), info.num_workers)

    def __repr__(self) -> str:
        return self._one_by_one()


class WindowLoader(Wrapped, _data.IterableDataset):
    """Batches of windows as dicts of tensors ``[B, T, (E,) ...]``.

    Iterate it as it is, or give it to ``DataLoader(loader, batch_size=None, num_workers=N)``: worker w of W gives the
    batches w, w + W, ... of the same order, so what comes does not depend on the number of workers. It is a
    ``Stateful``: torchdata's ``StatefulDataLoader`` resumes it exactly, with workers, too.

    ``iter`` begins an epoch, as with :class:`trajpack.Loader`, and epochs follow by themselves, in workers that live on
    and in those that are made anew. An epoch that is named (``set_epoch``, ``sampler.set_epoch``) wins.

    ``pin_memory``: batches lie in page-locked memory, so that ``tensor.to(device, non_blocking=True)`` overlaps;
    without an accelerator it warns and does nothing, as ``DataLoader`` does. ``transform``: what is done with each
    batch. Other
    options are those of :class:`trajpack.Loader`, and so is what ``rank`` and ``world_size`` are.
    """

    @_options.with_options_of(Loader.__init__)
    def __init__(self, dataset: Dataset | Sequence[Dataset], *, pin_memory: bool = False,
                 transform: Callable[[dict[str, torch.Tensor]], Any] | None = None, **options: Any) -> None:
        self._loader = Loader(dataset, **options)
        self._pin = bool(pin_memory)
        self._transform = transform
        if self._pin and not torch.cuda.is_available():
            warn("pin_memory=True is given, and torch finds no accelerator, so batches are not pinned")
            self._pin = False
        self._table = Table(self._loader.epoch)
        # The newest pass that this process knows of; in a worker, its state after the last batch.
        self._seen = 0
        self._at: dict[str, int] | None = None
        self._own: tuple[int, int] | None = None

    def _here(self) -> Loader:
        """The loader, as this process's worker of the rank."""
        info = _data.get_worker_info()
        worker = (0, 1) if info is None else (info.id, info.num_workers)
        loader = self._loader
        if worker != loader._worker:
            loader._become(loader._asked or loader._place or loader._hint or loader._looked_up(), worker)
        return loader

    def __getstate__(self) -> dict[str, Any]:
        _ranks.resharded(self._loader._looked_up()[1])
        return self.__dict__.copy()

    def __len__(self) -> int:
        """Batches of an epoch on this rank, of all workers together."""
        info = _data.get_worker_info()
        if info is None:
            return len(self._loader)
        loader = self._here()
        return loader._batches(loader.epoch_windows, (loader._place or (0, 1))[1])

    @property
    def loader(self) -> Loader:
        """The loader of this process: ``stats()``, ``outputs``, ``order()``."""
        return self._here()

    def __iter__(self) -> Iterator[Any]:
        loader = self._here()
        world = (loader._place or loader._looked_up())[1]
        _ranks.resharded(world)
        info = _data.get_worker_info()
        if info is None:
            if self._table.is_ahead_of(self._seen):
                loader.set_epoch(self._table.following(world, self._is_over, True)[0])
            if self._pin:
                self._lend(loader)
            return _Tensors(self, iter(loader))  # type: ignore[arg-type]
        start = self._table.join(info.seed - info.id or 1, info.id, info.num_workers, world, self._is_over, self._own)
        self._own = None
        if start.seed is not None and start.seed != loader.state_dict()["seed"]:
            loader.load_state_dict({**loader.state_dict(), "seed": start.seed, "epoch": start.epoch,
                                    "position": start.position})
        else:
            loader.seek(start.epoch, start.position)
        loader._named = True  # the table has said which epoch it is
        self._at = self._state(loader)
        return _Tensors(self, iter(loader), start.number, info.id)  # type: ignore[arg-type]

    def _is_over(self, position: int) -> bool:
        """Whether no batch of an epoch is left after a position."""
        loader = self._loader
        return loader._batches(max(loader.epoch_windows - position, 0), (loader._place or (0, 1))[1]) == 0

    def _lend(self, loader: Loader) -> None:
        if loader._lent:
            return
        for _ in range(int(loader.options.get("prefetch", 4)) + 3):
            whole = torch.empty(loader.batch_bytes + 64, dtype=torch.uint8, pin_memory=True)
            skip = -whole.data_ptr() % 64
            loader.lend(whole[skip:skip + loader.batch_bytes].numpy())

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch, in workers too; after ``load_state_dict`` of a place in this epoch it goes on
        from there all the same, once."""
        loader = self._loader
        _ranks.resharded(loader._looked_up()[1])
        goes_on = loader._resumed and loader.epoch == epoch
        loader.set_epoch(epoch)
        if goes_on and not self._table.is_ahead_of(self._seen):
            self._table.wish(epoch, loader.position, loader.state_dict()["seed"], named=True)
        else:
            self._table.wish(loader.epoch, 0, None, named=True)

    @property
    def sampler(self) -> EpochSampler:
        """For trainers that call ``loader.sampler.set_epoch(epoch)``, as Lightning does."""
        return EpochSampler(self)

    @property
    def batch_sampler(self) -> EpochSampler:
        """For trainers that call ``loader.batch_sampler.sampler.set_epoch(epoch)``."""
        return EpochSampler(self)

    def _state(self, loader: Loader) -> dict[str, int]:
        worker, workers = loader._worker
        return {**loader.state_dict(), **({"worker": worker, "workers": workers} if workers > 1 else {})}

    def set_weights(self, weights: Any) -> None:
        """Other weights of windows, from the next epoch on: see :meth:`trajpack.Loader.set_weights`. Workers that live
        on (``persistent_workers=True``) do not see them."""
        self.loader.set_weights(weights)

    def state_dict(self) -> dict[str, int]:
        """The place after the last batch that was given out in this process: whole numbers.

        Raises ``UsageError`` where workers of a plain ``DataLoader`` give the batches: they alone know their places.
        """
        if _data.get_worker_info() is not None:
            loader = self._here()
            return dict(self._at) if self._at is not None else self._state(loader)
        if self._table.was_in_workers():
            raise UsageError(
                "the batches are given out by workers of a DataLoader, so the place is not known in this process: take "
                "torchdata's StatefulDataLoader instead of DataLoader and its state_dict(), or iterate the "
                "WindowLoader itself, which needs no workers")
        return self._loader.state_dict()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes on from a place, on any number of ranks; the next ``iter`` begins there, once. The state of a worker
        of ``StatefulDataLoader`` is for the same worker of as many."""
        loader = self._here()
        if isinstance(state, Mapping):
            worker = int(state.get("worker", 0)), int(state.get("workers", 1))
            if worker != loader._worker and "workers" in state:
                raise UsageError(
                    f"the state is that of worker {worker[0]} of {worker[1]}, and this is worker {loader._worker[0]} "
                    f"of {loader._worker[1]}; resume within an epoch with the same number of workers")
        moves = loader._moves
        try:
            loader.load_state_dict(state)
        finally:  # it is there, too, where it waits for other weights of windows
            if loader._moves != moves:
                self._loaded(loader)

    def _loaded(self, loader: Loader) -> None:
        """Tells the passes to come that a state was set."""
        if _data.get_worker_info() is not None:
            self._own = loader.epoch, loader.position
            self._at = self._state(loader)
            return
        # torchdata asks for what is left of the epoch, if only nothing; else an epoch that is over is behind.
        caller = str(sys._getframe(2).f_globals.get("__name__", ""))
        loader._named = caller.startswith("torchdata.")
        self._table.wish(loader.epoch, loader.position, loader.state_dict()["seed"], loader._named)
        self._seen = self._table.newest

    def __repr__(self) -> str:
        return repr(self._loader).replace("trajpack.Loader", "trajpack.torch.WindowLoader", 1)


class _Tensors(Iterator[Any]):
    """A pass of a loader as dicts of tensors. ``number``: of a worker's pass; else it gets one with its first batch,
    until when its epoch may still be named."""

    def __init__(self, owner: WindowLoader, batches: Pass, number: int = 0, worker: int = 0) -> None:
        self._owner, self._batches, self._number, self._worker = owner, batches, number, worker
        self._in_worker = _data.get_worker_info() is not None
        if self._in_worker and batches.left <= 0:
            owner._table.finish(number, worker)

    def __next__(self) -> Any:
        owner = self._owner
        batch = next(self._batches)
        if not self._number:
            owner._seen = self._number = owner._table.begin(batch.epoch, batch.position)
        if self._batches.left <= 0:
            owner._table.finish(self._number, self._worker)
        if self._in_worker:
            owner._at = owner._state(owner._loader)
        out = tensors(batch)
        del batch
        return owner._transform(out) if owner._transform is not None else out


class EpochSampler(_data.SequentialSampler):
    """What a trainer finds where a ``DataLoader`` has its sampler: it is told the epoch, and passes it on. It counts as
    sequential, so that no trainer puts another in its place: order and shares are the loader's own."""

    def __init__(self, loader: WindowLoader) -> None:
        self._loader = loader

    @property
    def sampler(self) -> EpochSampler:
        return self

    def set_epoch(self, epoch: int) -> None:
        """The loader's own."""
        self._loader.set_epoch(epoch)

    def __len__(self) -> int:
        """Batches of an epoch on this rank."""
        return len(self._loader)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


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


__all__ = ["EpochSampler", "WindowDataset", "WindowLoader", "check_ranks", "tensors"]
