"""The loader: windows in batches, in an order that can be gone on with anywhere."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
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

    channels : [str | dict]
        Patterns (``*`` and ``?``) of ``stream/channel``, or ``{"kind": "quaternion"}``; a stream's name alone is all of
        it. All by default. The name of a video's stream is its decoded frames; they come where it is named by more than
        wildcards. Its packets' columns come where they are named: ``rgb/pts``.
    exclude : str | [str]
        Patterns of what is left out after that.
    length : int from 1 to 2^24
        Rows of the reference clock; 1 where ``duration`` is not given either. T = ``past`` + ``length`` + ``future``.
    duration : float | Fraction | str
        The length in seconds, exact as a number that prints like it or a text such as ``"1001/30"``. ``2.0``,
        ``Fraction(1001, 30)``.
    stride : int from 1 to 2^24, default 1
        Rows from one window's start to the next.
    past : int from 0 to 2^24, default 0
        Rows more, before the window. They are part of T.
    future : int from 0 to 2^24, default 0
        Rows more, after the window. They are part of T.
    offsets : [float | str] | {pattern: [float | str]}
        For these channels T is the number of offsets from the window's start: integers are rows of the channel's own
        clock, fractions and texts ``"-0.5"`` are seconds. Seconds that are rows but for rounding give exactly these
        rows: see ``tolerance``; what lies between rows is made as ``align`` says. ``{"camera": [-1.0, 0.0],
        "state/action": range(16)}``: floats are seconds. ``between_rows`` lists what lies between rows.
    plan : dict | path
        Steps of preparation (schemas/plan.schema.json), run on the rows that a window needs; all other options see what
        they leave, as if the plan had been applied to the dataset before. Steps that look at a whole track
        (docs/signal.md says which) make whole tracks. A mask whose ``"draw"`` is ``"epoch"`` takes other entries away
        in each epoch. As ``trajpack apply`` takes them: a dict, or the path of a JSON file.
    reference : str
        The stream whose clock counts rows; by default the first selected stream without entities, else the first.
    rate : float | str
        Rows a second of a regular grid that replaces the reference's own clock.
    align : "auto" | "nearest" | "asof" | "linear" | "native" | {pattern: one of these}
        How rows of another clock are found. ``"auto"``, the default, goes by kind: linear, slerp, as-of. ``"native"``
        leaves a stream at its own rate: its rows in the window's time one after the other, those of each entity by
        themselves, padded to the most rows of a window of this duration (explicit times are read once to know); its
        times then are ``[B, T, E]`` for entities.
    tolerance : float | str
        How far a row may lie from a moment, in time, and count as the one at it, so that times rounded to milliseconds
        do not give labels of the row before. It holds for channels of whole rows (as-of), and for ``offsets`` in
        seconds of all; numbers between rows are interpolated at the exact time. 0.001 by default, but at most a quarter
        of the interval between rows; what is given counts up to half of it.
    hold : "auto" | "interval" | "end" | {pattern: one of these}
        How long a last row counts: ``"interval"``, as long as the time before it, ``"end"``, to the end of the episode,
        or ``"auto"``, the default: ``"end"`` for labels, categories, events and text of streams with explicit times or
        one row, which is how logs are recorded.
    max_staleness : float | str | {pattern: float | str}
        Rows that are older than so many seconds do not count; what follows is padding.
    edge : "drop" | "pad" | "clamp", default "drop"
        ``"drop"``: only windows that lie wholly inside; ``"pad"``: zeros outside; ``"clamp"``: the nearest row outside.
        The last two begin a window at every stride. A stream of a rate with gaps has a run of rows between two of them:
        with ``"drop"`` a window lies in one run; with the others, and by ``offsets``, rows beyond a gap are given, and
        what lies in the gap is outside.
    entities : int from 1 to 65536 | {pattern: int from 1 to 65536}
        The most entities of a stream in a window; by default the most that an episode has. Sorted by kind, then index;
        a longer list is cut.
    dtype : str | {pattern: str}
        The type of numbers, or ``{pattern: type}``, where ``"float"``, ``"int"`` and ``"bool"`` stand for all channels
        of such types. By default the channels' own. To whole numbers, fractions are cut off, and what the type cannot
        hold becomes its nearest end. Types of numpy, torch and JAX do, too.
    normalize : str | dict
        ``"standard"``, ``"minmax"`` (to -1..1), ``"quantile"`` (1 % .. 99 % to -1..1) or ``"robust"`` (median 0,
        quartiles 1 apart), or ``{"method", "axes", "per", "range"}``, or ``{pattern: either}``. ``"axes"``: those of a
        row's shape that keep statistics of their own, all others being taken together: 0 for ``[C, H, W]`` by channel.
        ``"per"``: ``"episode"``, each recording by its own statistics, or a value of the episodes' metadata, each value
        by those of its episodes. ``"range"``: ``[low, high]`` of minmax and quantile instead of -1 and 1. The result is
        float32 unless ``dtype`` says otherwise. What does not vary becomes 0. Labels, categories, quaternions, matrices
        stay as they are, and images, depth, events, booleans that are not named. ``left_raw`` lists what stays as it
        is; :meth:`denormalize` is the inverse.
    normalize_split : str
        The split whose statistics these are, or ``"all"``: of all, whatever is chosen. By default those of what was
        recorded in ``"train"``, where the dataset has it, else of all, and of these of the chosen episodes only (where
        none of ``"train"`` is chosen, of all of it), whatever a plan does. What the index does not have (a part of a
        split, quantiles, ``"axes"``, ``"per"``) is measured when the loader is made.
    features : {name: str | [str]}
        ``{name: [patterns]}``: these channels side by side in one ``[B, T, F]`` float32 output instead of their own, in
        the order of the patterns. A channel is in one of them. ``outputs[name].channels`` lists them.
    fill : float | {pattern: float}
        The number in place of what was not observed: of NaN in floats, of the smallest integer in integers that can
        hold it. A ``dtype`` of integers that cannot say what is missing needs it.
    masks : bool | ["observed" | "present" | "padding"], default True
        Which masks come: all, none, or some of ``"observed"`` ``[B, T, (E,) ...]``, ``"present"`` ``[B, T, E]``,
        ``"padding"`` ``[B, T]``. Where channels of a stream have different rows, each has its own:
        ``padding:STREAM/CHANNEL``.
    time : bool, default False
        Whether times of the rows of each stream come, too: ``time:STREAM``, ``[B, T]`` float64.
    meta : bool, default False
        Whether it is said which window it is, ``[B]`` each: ``meta:dataset``, ``meta:episode``, ``meta:window`` (in the
        order of its dataset), ``meta:row`` (of its start), int64; ``meta:time`` (of its start), float64;
        ``meta:split``, int32, a code of its categories or -1; of clips ``meta:clip``, int64, the number in the list;
        and for streams of entities ``meta:entity:STREAM``, ``[B, E, 3]`` int64: kind (a code of its categories), index
        and type of who is in each place, -1 for nobody. ``batch["meta:id"]`` has the ids of the episodes, texts
        ``[B]``, as ``ds.episodes[number].id`` of ``meta:episode`` does; ``outputs["meta:split"].categories`` names the
        codes.
    values : str | [str]
        Names or patterns of values of recordings: ``[B, ...]`` each, by their names: numbers float64, integers int64,
        categories int32 codes; ``observed:NAME``, ``[B]``, says which recordings have it (where not: NaN, the smallest
        integer, -1). ``rate:STREAM`` is the rows a unit of time. Texts lie in no array; ``time_unit:STREAM``, and
        ``stream/channel`` of a text, which is the one that is valid at a window's first row after ``past``, are texts,
        too. A mixture has the values of all. ``ds.values`` lists them; ``batch.names("label")`` names codes. Texts are
        lists, with None.
    size : [int] | {pattern: [int]}
        ``[height, width]`` of frames of videos and of channels of images and depth (``[H, W]`` or ``[H, W, planes]``);
        their own by default. Between frames the nearest one counts, or the last one where ``align`` is ``"asof"``.
        Frames come where ``channels`` names their stream (``"rgb"``; ``"*"`` decodes nothing). ``{"rgb": range(0, 64,
        4)}`` in ``offsets`` takes every fourth frame. See docs/video.md.
    crop : [int] | {pattern: [int]}
        ``[height, width]`` of the stored pictures, at a place drawn for each window from (seed, epoch, window) and
        shared by all its videos, or ``[top, left, height, width]``. ``size`` scales it.
    flip : float from 0 to 1, default 0
        How likely a window's pictures are mirrored left to right; refused beside channels of positions, directions,
        quaternions, angles, matrices or actions, unless ``flip_world`` names them.
    flip_world : {pattern: float | [float]}
        What each of the channel's last elements is multiplied by in mirrored windows: ``{"player/pos": [-1, 1, 1],
        "state/action": 1}``.
    pixels_of : {pattern: str}
        The video of whose pixels the channel's numbers are: ``{"camera/K": "rgb"}``. Intrinsics, and positions of units
        ``px`` that end in 2, follow what is done to the pictures; by default the video, where all are cut and scaled
        alike.
    pixels : "rgb24" | "gray8" | "gray16" | {pattern: one of these}
        The samples of frames; by default gray where a video has nothing but brightness.
    layout : "THWC" | "TCHW" | {pattern: one of these}
        How colours of frames lie; ``"THWC"`` by default.
    depth : str | dict
        Depth (videos and channels of it) as distances in this unit, float32, NaN and not observed where there is none:
        ``"m"``, or an encoding where the dataset says none: ``{"encoding": "linear", "scale": 0.001, "units": "m",
        "invalid": [0]}``, or ``{pattern: either}``. Refused where nobody says it.

    Which windows, in which order:

    clips : str | list | dict
        Windows are clips instead of all that fit: ``[{"episode", "start": time or "start_row", "rows" or "seconds",
        "rate", "unit", "id", "label", "dataset"}]`` (schemas/clips.schema.json), or the path of a file of them (.csv,
        .json, .jsonl), or the name of a list that the dataset has. Row k of a clip lies at start + k / rate, and each
        channel gives its nearest row, of two equally near ones the earlier, unless ``align`` says otherwise; labels,
        categories, events and text of streams with explicit times are as-of. ``past`` and ``future`` are rows more at
        the clip's rate; ``length``, ``duration``, ``stride`` and ``rate`` have no place. Clips of several lengths need
        ``edge`` ``"pad"``. A list of dicts or tuples ``(episode, start, rows, rate)``, a frame of pandas or polars, a
        path or a name (docs/clips.md). ``clips()`` lists them, ``clip_rows`` their rows of a stream.
    split : str | [str]
        Names of splits: of a split scheme, or those that episodes were recorded with.
    scheme : str
        The split scheme (``trajpack split``); by default ``"default"``, where there is one, or the only one of a
        dataset whose episodes have no splits. Where it cuts episodes, the rows of a window from its start on lie in the
        split; those before it (``past``, negative ``offsets``) may reach back by the split's context, and nothing else
        of the episode is seen.
    fold : int from 0 to 2^20
        The fold that is ``"test"`` in a scheme of folds; the others are ``"train"``.
    episodes : str | [str]
        Ids or patterns of ids (``*``, ``?``), each of some episode.
    where : dict
        ``{"label": value | [values] | {"min": x, "max": y}}``: values of recordings, or paths in their metadata.
    windows_where : dict | Test
        A test of the values in a window: ``{"channel": "state/hp", "mean": {"min": 0.5}}``. Tests on one channel
        (several are ANDed): ``"any"``, ``"all"`` of its values, all of the ``"first"`` or ``"last"`` row, the
        ``"mean"``, ``"min"``, ``"max"``, ``"std"`` (over n) of them, or what share is ``"missing"``. Compared with a
        number, truth or category, a list of them, or ``{"min", "max"}`` (inclusive), ``{"above", "below"}``.
        ``"component"``: elements of a row; ``"of"``: ``"abs"``, ``"norm"`` (a row's length), ``"change"`` (from the row
        before), or a list. ``{"and": [..]}``, ``{"or": [..]}``, ``{"not": ..}`` join tests. What counts are values that
        were observed, of rows of the channel's own stream that lie within the window's time, of all entities; a label
        that a log holds from before is none, and a window without any passes no test but ``"not"``. ``{"value": NAME,
        "is": ..}`` asks for a value of the window's recording, which is compared in the same way (a text with texts).
        All windows are looked at once, by all threads. Or with :func:`trajpack.channel` and :func:`trajpack.value`:
        ``(channel("state/speed") > 0.1).any() & (channel("npc/hp").mean() > 0)``. ``choices`` tells how many windows it
        left.
    window_weights : array | [array] | dict | Number
        Windows are drawn with replacement, with these chances: ``{"channel": .., "statistic": "mean"}`` or ``{"value":
        NAME}``. Or an array, a number from 0 up for each window in order (a list of arrays for a mixture), or
        ``channel("state/reward").max()``. ``set_weights`` gives others, from the next epoch on.
    cache_dir : str
        Where to keep what ``windows_where`` found; ``""`` for nowhere. By default ``$XDG_CACHE_HOME`` or ``~/.cache``,
        ``/trajpack``, for datasets from 64 MiB on.
    shuffle : "global" | "block" | "none" | bool, default "global"
        ``"global"`` or ``True``: a permutation of all windows, another one each epoch; ``"block"``: blocks of
        ``block_windows``, permuted among ``block_count`` of them; ``"none"`` or ``False``: the order of the dataset.
        With videos of long groups of pictures and neither number given, a block is the windows that begin in a group,
        and a pool has as many of them as ``frame_cache`` holds. ``blocks`` tells the numbers.
    block_windows : int from 1 to 2^24, default 64
        Windows of a block.
    block_count : int from 1 to 2^24, default 64
        Blocks of a pool.
    seed : int, default 0
        What the order is drawn from.
    epoch : int from 0 to 2^40, default 0
        The epoch to begin with.
    batch : int from 1 to 2^24, default 32
        Windows of a batch on this rank: B.
    drop_last : bool, default True
        Whether the last windows of an epoch that do not fill a batch on every rank are left out. Otherwise they come as
        a smaller batch. A rank that would have none of the last windows gets one of another rank's again, all of its
        rows marked as padding. ``batch.repeated`` tells it.
    rank : int from 0 to 2^20
        This process among ``world_size``. Window j of a step's global batch goes to rank j % ``world_size``. By
        default, at the first use: the rank of torch.distributed or JAX where they are set up, else of torchrun's
        environment (``RANK``, ``WORLD_SIZE``), else 0 of 1; if they are others later, it raises. Give data-parallel
        ones where there is tensor or pipeline parallelism.
    world_size : int from 1 to 2^20
        How many processes share the windows. By default as with ``rank``.
    weights : [float above 0]
        Of the datasets of a mixture, by window. See :func:`trajpack.mixture`.
    epoch_windows : int from 1 to 2^50
        Windows of an epoch of a mixture, of weighted windows, or with ``replacement``; by default as many as the
        datasets have together.
    replacement : bool
        Whether every window of an epoch is drawn anew from all, each with the same chance.

    The engine:

    threads : int from 0 to 1024
        How many threads read and decode; 0 for as many as there are processors. By default the processors by
        ``LOCAL_WORLD_SIZE``.
    prefetch : int from 1 to 1024, default 4
        Batches that are made ahead.
    frame_cache : int from 0 to 2^50
        Bytes of decoded pictures to keep; by default 512 MiB for ``"block"`` where that holds the pictures of a pool,
        else 0.
    cache : int from 0 to 2^50
        Bytes of inflated chunks to keep; by default 192 MiB with ``plan``, 64 MiB for ``"block"``, else 0.
    verify : "always" | "first" | "never", default "always"
        When the checksum of a chunk is compared with its bytes: each time that it is read, the ``"first"`` time that
        this loader reads it, or ``"never"``. Chunks in the ``cache`` were compared when they were read. Index and
        manifest are compared always.
    mmap : bool, default False
        Whether shards are mapped into memory instead of read: faster, most of all with the codec ``"none"``, but a file
        that is cut or a disk that fails then ends the process with SIGBUS.
    on_error : "raise" | "skip", default "raise"
        ``"raise"``: damaged data is an error. ``"skip"``: windows that touch it are left out of their batch.
        ``stats()`` counts and names them.

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
        given = {name: value for name, value in locals().items() if value is not None}
        for name in ("self", "datasets", "rank", "world_size"):
            given.pop(name, None)
        place = _ranks.given(rank, world_size)
        if normalize_split is not None and normalize is None:
            raise UsageError("'normalize_split' says whose statistics 'normalize' takes, which is not given",
                             option="normalize_split")
        members = _datasets(datasets)
        for name, convert in _CONVERTED.items():
            if name in given:
                given[name] = convert(given[name])
        weighed = _weights.arrays_of(given.get("window_weights"), len(members))
        if weighed:
            given["window_weights"] = True
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


#: How Python has options that are not plain JSON.
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "channels": _options.listed, "exclude": _options.listed, "duration": partial(_options.seconds, name="duration"),
    "offsets": _options.offsets, "plan": _options.plan, "rate": partial(_options.seconds, name="rate"),
    "tolerance": partial(_options.seconds, name="tolerance"),
    "max_staleness": partial(_options.spans, name="max_staleness"), "features": _options.features,
    "fill": _options.fill, "masks": _options.masks, "values": lambda values: _options.listed(values) or None,
    "clips": _clips.given, "episodes": _options.episodes, "where": _options.where,
    "windows_where": partial(predicates.plain, name="windows_where"),
    "window_weights": partial(predicates.plain, name="window_weights"),
    "cache_dir": partial(_options.path, name="cache_dir"),
    "shuffle": lambda shuffle: ("global" if shuffle else "none") if isinstance(shuffle, bool) else shuffle,
    "seed": _options.seed,
}


__all__ = ["Loader"]
