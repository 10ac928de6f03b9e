"""The loader: windows in batches, in an order that can be gone on with anywhere."""
from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import byref, c_int64, c_void_p
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _ffi, _options, predicates
from ._patience import patiently
from ._errors import UsageError
from .batch import Batch, Output, empty, numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset
    from .predicates import Test

_STATE = ("version", "digest", "seed", "epoch", "position")


class Loader:
    """Windows of one data set, or of a mixture, in batches.

    ``for batch in loader`` goes from where the loader is to the end of the epoch; the next ``for`` gives the next
    epoch, in another order. After ``break`` the next ``for`` goes on with the next window; ``seek`` begins elsewhere.

    What a window holds:

    channels
        Patterns (``*`` and ``?``) of ``stream/channel``, or a stream's name for all of it, or
        ``{"kind": "quaternion"}``; all by default. ``exclude``: patterns of what is left out after that.
    length, duration
        Rows of the reference clock, or seconds (``2.0``, ``Fraction(1001, 30)``). T = past + length + future.
    stride
        Rows from one window's start to the next (1). ``past``, ``future``: rows more, before and after (0).
    offsets
        ``{pattern: [...]}``: for these channels T is the number of offsets from the window's start. Integers are rows
        of the channel's own clock, floats seconds: ``{"camera": [-1.0, 0.0], "state/action": range(16)}``.
    reference
        The stream whose clock counts rows; by default the first that is selected and has no entities. ``rate``: rows
        a second of a regular grid instead.
    align
        "auto" (by kind: linear, slerp, as-of), "nearest", "asof", "linear", "native" (at its own rate), or
        ``{pattern: one of them}``.
    edge
        "drop" (only windows that lie wholly inside), "pad" (zeros outside) or "clamp" (the nearest row outside).
    entities
        The most entities of a stream in a window, or ``{stream: number}``; by default the most that an episode has.
    dtype
        "float32", or ``{pattern: dtype}``; by default the channels' own.
    normalize
        "standard", "minmax" (to -1..1), "quantile" (1 % .. 99 % to -1..1), or ``{pattern: ...}``, from the statistics
        of ``normalize_split`` ("train" where there is one, else all). The result is float32.
    features
        ``{name: [patterns]}``: these channels side by side as one ``[B, T, F]`` float32 instead of their own.
    fill
        The number in floats that were not observed, instead of NaN.
    masks
        True, False, or some of "observed" ``[B, T, (E,) ...]``, "present" ``[B, T, E]``, "padding" ``[B, T]``.
    time
        Whether ``time:STREAM``, ``[B, T]`` float64, comes too (False).

    Which windows, in which order:

    split, episodes, where
        Names of splits; ids or patterns of ids; ``{"path.in.metadata": value | [values] | {"min": x, "max": y}}``.
    windows_where
        A test of the values in a window: ``(channel("state/speed") > 0.1).any() & (channel("npc/hp").mean() > 0)``
        with :func:`trajpack.channel`, or the JSON that ``trajpack.h`` describes. All windows are looked at once, by
        all threads; what was found is kept in ``cache_dir`` ("" for nowhere; by default ``~/.cache/trajpack`` for
        data sets from 64 MiB on). ``choices`` tells how many it left.
    window_weights
        Windows are drawn with replacement, with these chances: an array, a number from 0 up for each window in order
        (a list of arrays for a mixture), or ``channel("state/reward").max()``.
    shuffle
        "global" or True: a permutation of all windows, another one each epoch; "block": blocks of ``block_windows``
        (64), permuted among ``block_count`` (64) of them; "none" or False: the order of the data set.
    seed, epoch
        Of the order (0), and the epoch to begin with (0).
    batch
        Windows of a batch on this rank: B (32).
    drop_last
        True: the last windows of an epoch that fill no batch on every rank are left out. False: they come as a smaller
        batch, which some ranks may get empty.
    rank, world_size
        This process, of so many; from torch.distributed or JAX where they are set up, else 0 of 1.
    weights, epoch_windows
        Of a mixture: see :func:`trajpack.mixture`. ``epoch_windows`` goes with ``window_weights``, too.

    The engine:

    threads, prefetch, cache
        Threads (as many as processors), batches ahead (4), bytes of inflated chunks to keep (64 MiB for "block",
        else 0).
    on_error
        "raise", or "skip": windows that touch damaged data are left out, counted and named in ``stats()``.

    Raises ``UsageError`` for options that cannot be, with the nearest name that can. Threads may share a loader: each
    batch goes to one of them. Pickling opens it again by path, at the same place. It may be used after ``fork``.
    """

    def __init__(
        self, datasets: Dataset | Sequence[Dataset], *,
        channels: str | Iterable[str | Mapping[str, str]] | None = None,
        exclude: str | Iterable[str] | None = None,
        length: int | None = None,
        duration: float | str | Fraction | None = None,
        stride: int | None = None,
        past: int | None = None,
        future: int | None = None,
        offsets: Mapping[str, Iterable[int | float | str | Fraction]] | None = None,
        reference: str | None = None,
        rate: float | str | Fraction | None = None,
        align: str | Mapping[str, str] | None = None,
        edge: Literal["drop", "pad", "clamp"] | None = None,
        entities: int | Mapping[str, int] | None = None,
        dtype: Any = None,
        normalize: str | Mapping[str, str] | None = None,
        normalize_split: str | None = None,
        features: Mapping[str, str | Iterable[str]] | None = None,
        fill: float | None = None,
        masks: bool | Iterable[str] | None = None,
        time: bool | None = None,
        split: str | Iterable[str] | None = None,
        episodes: str | Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
        windows_where: Test | Mapping[str, Any] | None = None,
        window_weights: Any = None,
        cache_dir: str | os.PathLike[str] | None = None,
        shuffle: bool | Literal["global", "block", "none"] | None = None,
        block_windows: int | None = None,
        block_count: int | None = None,
        seed: int | None = None,
        epoch: int | None = None,
        batch: int | None = None,
        drop_last: bool | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        weights: Iterable[float] | None = None,
        epoch_windows: int | None = None,
        threads: int | None = None,
        prefetch: int | None = None,
        cache: int | None = None,
        on_error: Literal["raise", "skip"] | None = None,
    ) -> None:
        own, world = _options.rank(rank, world_size)
        members = [datasets] if not isinstance(datasets, Sequence) else list(datasets)
        chances = predicates.plain(window_weights, "window_weights")
        weighed = _weights(chances, len(members))
        given = {
            "channels": _options.listed(channels), "exclude": _options.listed(exclude),
            "length": _options.plain(length),
            "duration": None if duration is None else _options.seconds(duration, "duration"),
            "stride": _options.plain(stride), "past": _options.plain(past), "future": _options.plain(future),
            "offsets": _options.offsets(offsets), "reference": reference,
            "rate": None if rate is None else _options.seconds(rate, "rate"),
            "align": _options.plain(align), "edge": edge, "entities": _options.plain(entities),
            "dtype": _options.plain(dtype), "normalize": _options.plain(normalize), "normalize_split": normalize_split,
            "features": None if features is None else {k: _options.listed(v) for k, v in features.items()},
            "fill": _options.plain(fill), "masks": _masks(masks), "time": time, "split": _options.plain(split),
            "episodes": _options.listed(episodes), "where": _options.plain(where),
            "windows_where": _options.plain(predicates.plain(windows_where, "windows_where")),
            "window_weights": True if weighed else _options.plain(chances),
            "cache_dir": None if cache_dir is None else os.fspath(cache_dir),
            "shuffle": "none" if shuffle is False else "global" if shuffle is True else shuffle,
            "block_windows": _options.plain(block_windows), "block_count": _options.plain(block_count),
            "seed": _options.plain(seed), "epoch": _options.plain(epoch), "batch": _options.plain(batch),
            "drop_last": drop_last, "rank": own, "world": world, "weights": _options.plain(weights),
            "epoch_windows": _options.plain(epoch_windows), "threads": _options.plain(threads),
            "prefetch": _options.plain(prefetch), "cache": _options.plain(cache), "on_error": on_error,
        }
        self._start(members, _options.encode(given), weighed)

    def _start(self, datasets: list[Dataset], options: bytes, weights: list[NDArray[np.float32]] | None) -> None:
        library = _ffi.library()
        pointers = (c_void_p * max(len(datasets), 1))(*[d._pointer.value for d in datasets])
        pointer = c_void_p()
        def create() -> None:
            _ffi.call("tp_loader_create", pointers, len(datasets), options, byref(pointer))

        if _options.looks_at_all(options):
            patiently(create, lambda: library.tp_loader_free(pointer))
        else:
            create()
        self._pointer = pointer
        self._lent: list[Any] = []
        self._free = weakref.finalize(self, _free, pointer, self._lent, library)
        #: The data sets, in the order of ``Batch.datasets``.
        self.datasets: tuple[Dataset, ...] = tuple(datasets)
        self._given = options
        self._weights = weights
        self._renew()
        self._pending = c_void_p()
        self._library = library
        self._error = _ffi.Error()
        for number, one in enumerate(weights or []):
            _ffi.call("tp_loader_set_weights", pointer, number, one.ctypes.data_as(c_void_p), len(one))
        self._describe()

    def _describe(self) -> None:
        description = _ffi.text("tp_loader_describe", self._pointer)
        #: The options as they were understood.
        self.options: dict[str, Any] = description["options"]
        #: The arrays of every batch, by name.
        self.outputs: Mapping[str, Output] = {o["name"]: Output.of(o) for o in description["outputs"]}
        #: Windows of each data set.
        self.window_counts: tuple[int, ...] = tuple(description["windows"])
        #: Windows of all data sets together.
        self.windows: int = sum(self.window_counts)
        #: Windows of an epoch: the same, but for mixtures with ``epoch_windows``.
        self.epoch_windows: int = description["epoch_windows"]
        #: B: windows of a batch on this rank.
        self.batch_size: int = description["batch"]
        #: Bytes of a batch.
        self.batch_bytes: int = description["batch_bytes"]
        #: T of what follows the reference clock.
        self.length: int = description["length"]
        #: The stream whose clock counts rows.
        self.reference: str = description["reference"]
        #: What ``windows_where`` left of each data set: ``candidates``, ``windows``, ``damaged``, ``bytes`` of memory,
        #: the file that it is kept in (``cache``), whether it was found there (``cached``); or None.
        self.choices: list[dict[str, Any]] | None = description["choices"]
        #: What identifies the data and the order, as ``state_dict`` has it.
        self.digest: Any = description["digest"]
        self._steps: int = description["steps"]

    def __reduce__(self) -> Any:
        return _reopen, (type(self), self.datasets, self._given, self._weights, self.state_dict())

    def _renew(self) -> None:
        """Locks of this process: one for what one thread at a time may do, one for the end of the loader's life."""
        self._lock = threading.Lock()
        self._life = threading.Lock()
        _all.add(self)

    # Batches.

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank."""
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        while (batch := self.next()) is not None:
            yield batch

    def next(self) -> Batch | None:
        """The next batch; None at the end of the epoch, after which comes the first of the next.

        Raises ``DataError`` naming the chunk where the data is damaged, ``Cancelled`` after ``cancel``.
        """
        with self._lock:
            self._open()
            # An interrupt between the call and its answer leaves a batch here, which is then the next.
            if not self._pending.value:
                # Between these, Python acts on Ctrl-C, however slow the disk is.
                while self._library.tp_loader_wait(self._pointer, 100) == _ffi.WAITING:
                    pass
                status = self._library.tp_loader_next(self._pointer, byref(self._pending), byref(self._error))
                if status == _ffi.END:
                    return None
                _ffi.check(status, self._error)
            batch = Batch._take(self._pending.value, self.outputs, self._lent)  # type: ignore[arg-type]
            self._pending.value = None
            return batch

    def read(self, windows: Any, dataset: int = 0) -> Batch:
        """Given windows, in the order that they are named, at most B of them: random access, in this thread.

        ``windows``: numbers in the order of data set ``dataset`` of the mixture.
        """
        array, address = numbers(windows)
        if len(array) > self.batch_size:
            raise UsageError(f"{len(array)} windows were asked for at once, and a batch has room for {self.batch_size}")
        memory, to = empty(self.batch_bytes)
        with self._lock:
            self._open()
            _ffi.call("tp_loader_read", self._pointer, dataset, address, len(array), to, self.batch_bytes)
        return Batch(self.outputs, memory, len(array), self.epoch, 0, array,
                     np.full(len(array), dataset, np.uint32))

    # The place in the order.

    def state_dict(self) -> dict[str, int]:
        """All that is needed to go on with the very next window: five whole numbers, the same on every rank."""
        state = _ffi.State()
        with self._lock:
            self._open()
            if self._pending.value:
                # Handed out by the library, but not yet by us: the state is that before it.
                view = _ffi.BatchView()
                self._library.tp_batch_look(self._pending, byref(view))
                self._library.tp_loader_get_state(self._pointer, byref(state))
                state.epoch, state.position = view.epoch, view.position
            else:
                self._library.tp_loader_get_state(self._pointer, byref(state))
        return {name: getattr(state, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes to a state: of the same data and order, on any number of ranks and with any batch size.

        Raises ``UsageError`` where the data or the options that decide the order are others.
        """
        lacking = [name for name in _STATE if name not in state]
        if lacking:
            raise UsageError(f"this is no state of a loader: '{lacking[0]}' is not in it")
        try:
            given = _ffi.State(*(int(state[name]) for name in _STATE))
        except (TypeError, ValueError):
            raise UsageError("this is no state of a loader: its values are whole numbers") from None
        with self._lock:
            self._open()
            self._drop()
            _ffi.call("tp_loader_set_state", self._pointer, byref(given))

    def seek(self, epoch: int, position: int = 0) -> None:
        """Goes to a window of an epoch, counted on all ranks."""
        if epoch < 0 or position < 0:
            raise UsageError(f"there is no place {position} of epoch {epoch}; both are counted from 0")
        with self._lock:
            self._open()
            self._drop()
            _ffi.call("tp_loader_seek", self._pointer, epoch, position)

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of an epoch."""
        self.seek(epoch)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch."""
        return self._place()[0]

    @property
    def position(self) -> int:
        """Windows of the epoch, on all ranks, before the next batch."""
        return self._place()[1]

    def _place(self) -> tuple[int, int]:
        state = _ffi.State()
        self._open()
        self._library.tp_loader_get_state(self._pointer, byref(state))
        return state.epoch, state.position

    def order(self, first: int = 0, count: int | None = None, epoch: int | None = None
              ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Places ``[first, first + count)`` of the global order of an epoch (this one), before it is cut into ranks:
        window numbers, and data sets of the mixture."""
        count = self.epoch_windows - first if count is None else count
        if first < 0 or count < 0 or first + count > self.epoch_windows:
            raise UsageError(f"an epoch has {self.epoch_windows} windows, so places {first} to {first + count} lie "
                             "outside")
        windows, datasets = np.empty(count, np.uint64), np.empty(count, np.uint32)
        _ffi.call("tp_loader_order", self._open(), self.epoch if epoch is None else epoch, first, count,
                  windows.ctypes.data_as(c_void_p), datasets.ctypes.data_as(c_void_p))
        return windows, datasets

    def locate(self, window: int, dataset: int = 0) -> tuple[int, int, int]:
        """Where a window lies: episode (number), track of the reference stream, first row."""
        out = c_int64(), c_int64(), c_int64()
        _ffi.call("tp_loader_locate", self._open(), dataset, window, *map(byref, out))
        return out[0].value, out[1].value, out[2].value

    # What goes on.

    def stats(self) -> dict[str, Any]:
        """``batches``, ``windows``, ``skipped``, ``bytes_read``, ``bytes_inflated``, ``chunks``, ``cache_hits``,
        ``cache_bytes``, ``wait_data_seconds`` (the consumer waited), ``wait_consumer_seconds`` (the loader did),
        ``seconds``, ``threads``, ``last_error``; and ``windows_per_second``, ``bytes_per_second`` of what was given
        out."""
        with self._life:
            out: dict[str, Any] = _ffi.text("tp_loader_stats", self._open())
        seconds = out.get("seconds") or 0.0
        out["windows_per_second"] = out["windows"] / seconds if seconds else 0.0
        out["bytes_per_second"] = out["windows_per_second"] * self.batch_bytes / self.batch_size
        return out

    def shuffle_quality(self, samples: int = 65536) -> dict[str, float]:
        """How random the order is, from up to ``samples`` places of this epoch against what a true permutation has.

        ``neighbour_distance``: the mean distance between one window and the next, in thirds of all windows (1 for a
        permutation, 0 for none). ``batch_spread``: the mean distance between the smallest and largest window of a
        batch, against ``(B - 1) / (B + 1)`` of all (1 for a permutation).
        """
        count = min(samples, self.epoch_windows)
        windows, datasets = self.order(0, count)
        sizes = np.bincount(datasets, minlength=1)
        chosen = windows[datasets == int(sizes.argmax())].astype(np.float64)
        total = float(self.window_counts[int(sizes.argmax())])
        b = self.batch_size
        whole = chosen[:len(chosen) // b * b].reshape(-1, b) if b > 1 else chosen[:0].reshape(0, 1)
        spread = (whole.max(1) - whole.min(1)).mean() / total * (b + 1) / (b - 1) if len(whole) else float("nan")
        distance = np.abs(np.diff(chosen)).mean() / total * 3 if len(chosen) > 1 else float("nan")
        return {"neighbour_distance": float(distance), "batch_spread": float(spread)}

    def cancel(self) -> None:
        """Makes a waiting ``next`` and every later one raise ``Cancelled`` at once, from any thread, until a state is
        set."""
        with self._life:
            if self._free.alive:
                self._library.tp_loader_cancel(self._pointer)

    def lend(self, memory: Any) -> None:
        """Gives memory for one batch, to be used before any of its own: a writable buffer (a pinned tensor's numpy
        view, say) with ``batch_bytes`` at a multiple of 64. Before the first batch only."""
        is_array = isinstance(memory, np.ndarray)
        array = memory.reshape(-1).view(np.uint8) if is_array else np.frombuffer(memory, np.uint8)
        if not array.flags.writeable:
            raise UsageError("memory that is lent must be writable")
        with self._lock:
            _ffi.call("tp_loader_lend", self._open(), array.ctypes.data_as(c_void_p), array.nbytes)
            self._lent.append(array)

    def close(self) -> None:
        """Stops its threads and frees it. Batches that are still held stay valid."""
        self.cancel()
        with self._lock, self._life:
            if self._free.alive:
                self._drop()
            self._free()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _open(self) -> c_void_p:
        if not self._free.alive:
            raise UsageError("the loader is closed")
        return self._pointer

    def _drop(self) -> None:
        if self._pending.value:
            self._library.tp_batch_free(self._pending)
            self._pending.value = None

    def __repr__(self) -> str:
        if not self._free.alive:
            return "<trajpack.Loader, closed>"
        lines = [f"<trajpack.Loader {', '.join(d.path for d in self.datasets)}: {self.windows:,} windows, "
                 f"{self._steps:,} batches of {self.batch_size} an epoch, now at {self.position:,} of epoch "
                 f"{self.epoch}>"]
        lines += [f"  {o.name}: {o.dtype.name} {list(o.shape)}{' ' + o.units if o.units else ''}"
                  for o in self.outputs.values()]
        return "\n".join(lines)


# In the child of a fork a lock may be held by a thread that is not there.
_all: weakref.WeakSet[Loader] = weakref.WeakSet()


def _after_fork() -> None:
    for loader in list(_all):
        loader._renew()


os.register_at_fork(after_in_child=_after_fork)


def _masks(masks: bool | Iterable[str] | None) -> Any:
    if isinstance(masks, str):
        return [masks]
    out = _options.plain(masks)
    return False if out == [] else out


def _weights(given: Any, members: int) -> list[NDArray[np.float32]] | None:
    """Arrays of weights, one a data set; None where they are none."""
    if given is None or isinstance(given, Mapping):
        return None
    several = isinstance(given, (list, tuple)) and len(given) > 0 and not np.isscalar(given[0])
    if not several and members > 1:
        raise UsageError(f"'window_weights' of a mixture is a list of {members} arrays, one for each data set")
    out = []
    for one in given if several else [given]:
        array = np.ascontiguousarray(one)
        if array.ndim != 1 or array.dtype.kind not in "fiub":
            raise UsageError("'window_weights' is an array of numbers, one for each window, or channel(name).mean()")
        out.append(array.astype(np.float32))
    if len(out) != members:
        raise UsageError(f"'window_weights' has {len(out)} arrays for {members} data sets; give one each")
    return out


def _free(pointer: c_void_p, lent: list[Any], library: Any) -> None:
    """Frees a loader; what it was lent lives until then."""
    library.tp_loader_free(pointer)
    del lent


def _reopen(kind: type[Loader], datasets: tuple[Dataset, ...], options: bytes,
            weights: list[NDArray[np.float32]] | None, state: dict[str, int]) -> Loader:
    loader = kind.__new__(kind)
    loader._start(list(datasets), options, weights)
    loader.load_state_dict(state)
    return loader


__all__ = ["Loader"]
