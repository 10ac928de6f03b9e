"""The loader: windows in batches, in an order that can be gone on with anywhere."""
from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _clips, _ffi, _options, _ranks, _weights, predicates
from ._clips import Clipped
from ._errors import UsageError
from ._normalization import Normalized
from .batch import Batch, empty, numbers

if TYPE_CHECKING:
    from .dataset import Dataset
    from .predicates import Test


class Loader(Clipped, Normalized):
    """Windows of one data set, or of a mixture, in batches.

    ``for batch in loader`` is one epoch, of ``len(loader)`` batches; the next ``for`` is the next epoch, in another
    order, whether or not the last one was asked for its end. After ``break`` it is the next epoch as well; with several
    ranks it is the same one from its beginning, as with torch's ``DistributedSampler``, until ``set_epoch`` names
    another. After ``load_state_dict`` or ``seek`` it goes on from there, once. ``next()`` gives batch after batch.
    A new iteration ends an older one, which raises.

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
        of the channel's own clock, floats seconds: ``{"camera": [-1.0, 0.0], "state/action": range(16)}``. Seconds that
        are rows but for rounding (``[i / fps for i in range(16)]``) give exactly these rows: see ``tolerance``; what
        lies between rows is made as ``align`` says, and ``between_rows`` lists it.
    plan
        Steps of preparation, as ``trajpack apply`` takes them: a dict, or the path of a JSON file. They run on the
        rows that a window needs; everything else sees what they leave, as if the plan had been applied before. A mask
        step with ``"draw": "epoch"`` takes other entries away in each epoch.
    reference
        The stream whose clock counts rows; by default the first that is selected and has no entities. ``rate``: rows
        a second of a regular grid instead.
    align
        "auto" (by kind: linear, slerp, as-of), "nearest", "asof", "linear", "native" (at its own rate), or
        ``{pattern: one of them}``.
    tolerance
        Seconds that a row may lie from a moment and count as the one at it, so that times rounded to milliseconds do
        not give labels of the row before: at most a quarter of the time between rows, 0.001 by default; what is given
        counts up to half of it. It holds for channels that take whole rows (as-of), and for ``offsets`` in seconds of
        all channels; numbers between rows are interpolated at the exact time.
    hold, max_staleness
        How long a last row counts: "interval" (as long as the time before it), "end" (to the end of the episode), or
        "auto": "end" for labels, categories and events of streams with explicit times or a single row, which is how
        logs are recorded; or ``{pattern: one of them}``. ``max_staleness``: rows older than so many seconds do not
        count, what follows is padding; a number, or by pattern.
    edge
        "drop" (only windows that lie wholly inside), "pad" (zeros outside) or "clamp" (the nearest row outside). A
        stream of a rate with gaps has a run of rows between two of them: with "drop" a window lies in one run; with the
        others, and by ``offsets``, rows beyond a gap are given, and what lies in the gap is outside.
    entities
        The most entities of a stream in a window, or ``{stream: number}``; by default the most that an episode has.
    dtype
        "float32", ``{"float": "float32"}`` for floats only (so that ids stay integers; "int" and "bool" likewise), or
        ``{pattern: dtype}``; types of numpy, torch and JAX do, too. By default the channels' own.
    normalize
        "standard", "minmax" (to -1..1), "quantile" (1 % .. 99 % to -1..1), "robust" (median 0, quartiles 1 apart), or
        ``{"method": one of them, "axes": ..., "per": ..., "range": ...}``, or either of them by pattern. ``range``:
        what minmax and quantile map to instead of ``[-1, 1]``. ``axes``: the axes of a
        row's shape that keep statistics of their own, all others being taken together: 0 for ``[C, H, W]`` by channel.
        ``per``: "episode", each recording by its own statistics, or a value of the episodes' metadata, each value by
        those of its episodes. The statistics are those of what was recorded, whatever a plan does, in the training
        split (where there is one) or else in all episodes, and of these of the chosen ones only (``split``,
        ``episodes``, ``where``; where none of the training split is chosen, of all of it). ``normalize_split`` names
        another split, or "all". What is not in the index (a part of a split, quantiles, ``axes``, ``per``) is measured
        when the loader is made. The result is float32. What does not vary becomes 0. Labels, categories, quaternions,
        matrices stay as they are, and images, depth, events, booleans that are not named: ``left_raw`` lists them.
        :meth:`denormalize` is the inverse.
    features
        ``{name: [patterns]}``: these channels side by side as one ``[B, T, F]`` float32 instead of their own, in the
        order of the patterns (``outputs[name].channels``). A channel is in one of them.
    fill
        The number in place of what was not observed: of NaN in floats, of the smallest integer in integers that can
        hold it; or ``{pattern: number}``. A ``dtype`` of integers that cannot say what is missing needs it.
    masks
        True, False, or some of "observed" ``[B, T, (E,) ...]``, "present" ``[B, T, E]``, "padding" ``[B, T]``. Where
        channels of a stream have different rows, each has its own: ``padding:STREAM/CHANNEL``.
    size, pixels, layout
        Of frames of videos, which come where ``channels`` names their stream (``"rgb"``; ``"*"`` decodes nothing):
        ``(height, width)``; "rgb24", "gray8" or "gray16" (by default gray where a video has nothing but brightness);
        "THWC" or "TCHW"; or ``{pattern: one of them}``. Between frames the nearest one counts, or the last one where
        ``align`` is "asof". ``{"rgb": range(0, 64, 4)}`` in ``offsets`` takes every fourth. ``size``, ``layout`` and
        ``crop`` are for channels of images and depth, ``[H, W]`` or ``[H, W, planes]``, too. See docs/video.md.
    crop, flip, flip_world, pixels_of
        ``crop``: ``(height, width)`` of the stored picture, at a place drawn for each window from (seed, epoch, window)
        and shared by all its videos, or ``(top, left, height, width)``; then ``size`` scales it. ``flip``: how likely a
        window is mirrored left to right (0), refused beside channels that tell left from right unless ``flip_world``
        says what their numbers are multiplied by: ``{"player/pos": [-1, 1, 1], "state/action": 1}``. Intrinsics, and
        points in pixels, follow ``size``, ``crop`` and ``flip``; ``pixels_of``: of which video they are
        (``{"camera/K": "rgb"}``), where several differ.
    depth
        Depth (videos and channels of it) as distances in this unit, float32, NaN and ``observed:`` False where a sample
        is no depth: "m"; or an encoding where the data set does not say what samples mean, ``{"encoding": "linear",
        "scale": 0.001, "units": "m", "invalid": [0]}``; or ``{pattern: either}``. Refused where nobody says it.
    time
        Whether ``time:STREAM``, ``[B, T]`` float64, comes too (False).
    meta
        Whether ``meta:dataset``, ``meta:episode`` (numbers; ``ds.episodes[number].id``), ``meta:window`` (in the order
        of its data set), ``meta:row`` (of the window's start), int64, ``meta:time`` (of it), float64, and
        ``meta:split``, int32 codes of ``outputs["meta:split"].categories`` (-1 for none), come too, each ``[B]``, and
        for each stream of entities ``meta:entity:STREAM``, ``[B, E, 3]`` int64: kind (a code), index and type of who is
        in each place, -1 for nobody. ``batch["meta:id"]`` has the ids of the episodes, texts ``[B]`` (False). Of clips,
        ``meta:clip``, ``[B]`` int64, the number in the list, comes too.
    values
        Names or patterns of values of recordings (``ds.values``): arrays ``[B, ...]`` by their names, numbers float64,
        integers int64, categories int32 codes (``batch.names("label")``), and ``observed:NAME``, ``[B]`` bool: which
        recordings have it (else NaN, the smallest integer, -1). Texts are lists, with None. ``"rate:STREAM"`` (rows a
        unit of time) and ``"time_unit:STREAM"`` are those of the recording's stream; ``"stream/channel"`` of a text is
        the one that is valid at the first row of the window after ``past``. A mixture has the values of all.

    Which windows, in which order:

    clips
        Windows are these clips instead of all that fit: a list of dicts or tuples ``(episode, start, rows, rate)``, a
        frame of pandas or polars, the path of a CSV or JSON file of them, or the name of a list that the data set has
        (``docs/clips.md``). Row k lies at ``start + k / rate``; each channel gives its nearest row, the earlier of two
        equally near ones, unless ``align`` says otherwise. ``clips()`` lists them, ``clip_rows`` their rows of a
        stream.
    split, scheme, fold
        Names of splits: of a split scheme (``trajpack split``), or those that episodes were recorded with. ``scheme``
        is its name; without one ``default`` counts, where there is one. Where a scheme cuts episodes, the ``length``
        (and ``future``) rows of a window lie in the split, and the ``past`` rows and negative ``offsets`` may reach
        back by the split's context; nothing else of the episode is seen. ``fold``: the one that is "test" in a scheme
        of folds, the others are "train".
    episodes, where
        Ids or patterns of ids (``*``, ``?``), each of some episode; ``{"label": value | [values] | {"min": x, "max":
        y}}``: values of recordings, or paths in their metadata.
    windows_where
        A test of the values in a window, or of its recording (``trajpack.value("label") == "run"``):
        ``(channel("state/speed") > 0.1).any() & (channel("npc/hp").mean() > 0)``
        with :func:`trajpack.channel`, or the JSON that ``trajpack.h`` describes. What counts are rows of the channel's
        own stream within the window's time; a label that a log holds from before is none. All windows are looked at
        once, by all threads; what was found is kept in ``cache_dir`` ("" for nowhere; by default ``~/.cache/trajpack``
        for data sets from 64 MiB on). ``choices`` tells how many it left.
    window_weights
        Windows are drawn with replacement, with these chances: an array, a number from 0 up for each window in order
        (a list of arrays for a mixture), or ``channel("state/reward").max()``. ``set_weights`` gives others, from the
        next epoch on.
    shuffle
        "global" or True: a permutation of all windows, another one each epoch; "block": blocks of ``block_windows``
        (64), permuted among ``block_count`` (64) of them; "none" or False: the order of the data set. With videos of
        long groups of pictures and neither number given, a block is the windows that begin in a group, and a pool has
        as many of them as ``frame_cache`` holds: ``blocks`` tells the numbers.
    seed, epoch
        Of the order (0), and the epoch to begin with (0).
    batch
        Windows of a batch on this rank: B (32).
    drop_last
        True: the last windows of an epoch that fill no batch on every rank are left out. False: they come as a smaller
        batch; a rank that would have none of them gets one of another rank's again, all of its rows marked as padding
        (``batch.repeated``).
    rank, world_size
        This process, of so many. By default, at the first use: those of torch.distributed or JAX where they are set up,
        else of torchrun's environment (``RANK``, ``WORLD_SIZE``), else 0 of 1; if they are others later, it raises.
        Give data-parallel ones where there is tensor or pipeline parallelism.
    weights, epoch_windows
        Of a mixture: see :func:`trajpack.mixture`. ``epoch_windows`` goes with ``window_weights`` and ``replacement``,
        too.
    replacement
        True: every window of an epoch is drawn anew from all, each with the same chance.

    The engine:

    threads, prefetch, cache
        Threads (the processors by ``LOCAL_WORLD_SIZE``), batches ahead (4), bytes of inflated chunks to keep (192 MiB
        with a plan,
        64 MiB for "block", else 0). ``frame_cache``: bytes of decoded pictures to keep (512 MiB for
        "block" where that holds the pictures of a pool, else 0).
    verify
        When the checksum of a chunk is compared with its bytes: "always" (each time that it is read), "first" (the
        first time that this loader reads it) or "never". Chunks in the ``cache`` were compared when they were read.
        Index and manifest are compared always.
    mmap
        True: map shards into memory instead of reading them. Faster, most of all for ``--codec none``; but a file that
        is cut, or a disk that fails, then ends the process with SIGBUS. False by default.
    on_error
        "raise", or "skip": windows that touch damaged data are left out, counted and named in ``stats()``.

    Raises ``UsageError`` for options that cannot be, with the nearest name that can. Threads may share a loader by its
    ``next``: each batch goes to one of them. Pickling opens it again by path, at the same place. It may be used after
    ``fork``.
    """

    @_options.named
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
        plan: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        reference: str | None = None,
        rate: float | str | Fraction | None = None,
        align: str | Mapping[str, str] | None = None,
        tolerance: float | str | Fraction | None = None,
        hold: str | Mapping[str, str] | None = None,
        max_staleness: float | str | Fraction | Mapping[str, float | str | Fraction] | None = None,
        edge: Literal["drop", "pad", "clamp"] | None = None,
        entities: int | Mapping[str, int] | None = None,
        dtype: Any = None,
        normalize: str | Mapping[str, Any] | None = None,
        normalize_split: str | None = None,
        features: Mapping[str, str | Iterable[str]] | None = None,
        fill: float | Mapping[str, float] | None = None,
        masks: bool | Iterable[str] | None = None,
        size: Iterable[int] | Mapping[str, Iterable[int]] | None = None,
        pixels: str | Mapping[str, str] | None = None,
        layout: str | Mapping[str, str] | None = None,
        crop: Iterable[int] | Mapping[str, Iterable[int]] | None = None,
        flip: float | None = None,
        flip_world: Mapping[str, float | Iterable[float]] | None = None,
        pixels_of: Mapping[str, str] | None = None,
        depth: str | Mapping[str, Any] | None = None,
        time: bool | None = None,
        meta: bool | None = None,
        clips: Any = None,
        values: str | Iterable[str] | None = None,
        split: str | Iterable[str] | None = None,
        scheme: str | None = None,
        fold: int | None = None,
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
        replacement: bool | None = None,
        threads: int | None = None,
        prefetch: int | None = None,
        cache: int | None = None,
        frame_cache: int | None = None,
        verify: Literal["always", "first", "never"] | None = None,
        mmap: bool | None = None,
        on_error: Literal["raise", "skip"] | None = None,
    ) -> None:
        place = _ranks.given(rank, world_size)
        if normalize_split is not None and normalize is None:
            raise UsageError("'normalize_split' says whose statistics 'normalize' takes, which is not given",
                             option="normalize_split")
        members = _datasets(datasets)
        chances = predicates.plain(window_weights, "window_weights")
        weighed = _weights.arrays_of(chances, len(members))
        given = {
            "channels": _options.listed(channels), "exclude": _options.listed(exclude), "length": length,
            "duration": None if duration is None else _options.seconds(duration, "duration"),
            "stride": stride, "past": past, "future": future, "offsets": _options.offsets(offsets),
            "plan": _options.plan(plan), "reference": reference,
            "rate": None if rate is None else _options.seconds(rate, "rate"),
            "align": align, "tolerance": None if tolerance is None else _options.seconds(tolerance, "tolerance"),
            "hold": hold, "max_staleness": _options.spans(max_staleness, "max_staleness"), "edge": edge,
            "entities": entities, "dtype": dtype, "normalize": normalize,
            "normalize_split": normalize_split, "features": _features(features), "fill": _fill(fill),
            "masks": _masks(masks),
            "size": size, "pixels": pixels, "layout": layout, "crop": crop, "flip": flip, "flip_world": flip_world,
            "pixels_of": pixels_of, "depth": depth, "frame_cache": frame_cache, "time": time, "meta": meta,
            "values": _options.listed(values) or None, "clips": _clips.given(clips), "split": split, "scheme": scheme,
            "fold": fold, "episodes": _options.episodes(episodes), "where": _options.where(where),
            "windows_where": predicates.plain(windows_where, "windows_where"),
            "window_weights": True if weighed else chances, "cache_dir": _options.path(cache_dir, "cache_dir"),
            "shuffle": "none" if shuffle is False else "global" if shuffle is True else shuffle,
            "block_windows": block_windows, "block_count": block_count, "seed": _options.seed(seed), "epoch": epoch,
            "batch": batch, "drop_last": drop_last, "weights": weights, "epoch_windows": epoch_windows,
            "replacement": replacement, "threads": threads, "prefetch": prefetch, "cache": cache, "verify": verify,
            "mmap": mmap, "on_error": on_error,
        }
        self._start(members, _options.encode(given), weighed, place)

    def read(self, windows: Any, dataset: int = 0) -> Batch:
        """Given windows, in the order that they are named, at most B of them: random access, in this thread.

        ``windows``: numbers in the order of data set ``dataset`` of the mixture.
        """
        array, address = numbers(windows)
        dataset = self._member(dataset)
        if len(array) > self.batch_size:
            raise UsageError(f"{len(array)} windows were asked for at once, and a batch has room for {self.batch_size}")
        memory, to = empty(self.batch_bytes)
        with self._lock:
            self._idle()
            self._open()
            _ffi.call("tp_loader_read", self._pointer, dataset, address, len(array), to, self.batch_bytes)
            members = np.full(len(array), dataset, np.uint32)
            texts = self._texts_of(array, members)
        return Batch(self.outputs, memory, len(array), self.epoch, 0, array, members, texts=texts)


def _datasets(given: Any) -> list[Dataset]:
    """The data sets that windows are of."""
    from .dataset import Dataset  # which has loaders itself
    members = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else [given]
    for one in members:
        if not isinstance(one, Dataset):
            hint = f"; open it first, with trajpack.open({one!r})" if isinstance(one, (str, os.PathLike)) else ""
            raise UsageError(f"windows are of data sets as trajpack.open gives them, not of {type(one).__name__}{hint}")
    return members


def _features(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise UsageError(f"option 'features' is {given!r}, but must be a dict of patterns, {{name: [patterns]}}")
    return {str(name): _options.listed(patterns) for name, patterns in given.items()}


def _fill(given: Any) -> Any:
    """The option, without numbers that nothing can be filled with."""
    plain = _options.plain(given)
    for one in plain.values() if isinstance(plain, dict) else [plain]:
        if isinstance(one, float) and not math.isfinite(one):
            raise UsageError(f"option 'fill' is {one}, but must be a finite number; floats have NaN anyway where "
                             "nothing was observed, so leave it out to keep that", option="fill")
    return plain


def _masks(masks: bool | Iterable[str] | None) -> Any:
    if isinstance(masks, str):
        return [masks]
    out = _options.plain(masks)
    return False if out == [] else out


__all__ = ["Loader"]
