"""Sources in Python: recordings of formats that the program ``trajpack`` does not read itself.

A source is a module (or an object) with four members, named by an entry point of the group ``trajpack.sources``::

    name = "rig"
    def sniff(path): ...           # whether a file or folder is of this format; by content, quickly
    def recordings(paths): ...     # yields Recording: what there is, without reading it
    def read(recording): ...       # yields Rows, Video, About and Remark: what is in one

``trajpack convert``, ``diff``, ``validate`` and ``inspect`` find it where this package is installed: docs/sources.md.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any, Protocol

from ._errors import UsageError, nearest

#: The group of entry points.
GROUP = "trajpack.sources"


@dataclass
class Recording:
    """A recording, before anything of it is read: an episode of the data set.

    id
        The id that its episode is to have, unique in the source.
    path
        The path that errors say: its file or folder.
    files
        All files that it is made of (``path`` where nothing is said). They are what ``--resume`` and ``diff`` look at:
        names, sizes and times of change.
    split
        The name of its split.
    bytes
        About how many bytes it takes up, by which shards are planned; the sizes of the files where nothing is said.
    fingerprint
        A text that changes when the recording does, for what lies in no file.
    data
        What ``read`` needs to find it: numbers, texts, lists and dicts of them. It travels as JSON.
    """

    id: str
    path: str | os.PathLike[str]
    files: Sequence[str | os.PathLike[str]] = ()
    split: str = ""
    bytes: int | None = None
    fingerprint: str = ""
    data: Any = None


@dataclass
class LeftOut:
    """A file of the source that is not read, and why; from ``recordings``."""

    path: str | os.PathLike[str]
    why: str


@dataclass
class Remark:
    """A sentence that the user should know, on the source (from ``recordings``) or on a recording (from ``read``)."""

    text: str


@dataclass
class About:
    """What is known of a recording: ``values``, by which windows are chosen (numbers, texts, small arrays), and
    ``metadata``, anything that JSON holds."""

    values: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Rows:
    """Rows of a stream. Several of one stream follow each other, so that a long recording need not be in memory.

    channels
        ``{channel: rows}``, arrays ``[rows, ...]``, masked arrays, lists of texts (None: not observed), lists of bytes
        (packets, such as compressed pictures; None: not observed), columns of pandas or polars.
    time
        The time of each row: numbers or dates. Whole numbers are ``tick`` seconds each ("1/1000000000").
    rate, start
        Rows a second on a regular clock, where there is no ``time``, and the time of the first. Without ``time`` and
        ``rate`` rows are numbered.
    units, kinds, descriptions, categories, conventions
        What is said of channels, by name; of the first piece.
    attributes
        What is said of the stream: a dict that JSON holds.
    """

    stream: str
    channels: Mapping[str, Any]
    time: Any = None
    rate: Any = None
    start: Any = 0
    tick: Any = None
    time_unit: str = "s"
    units: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    conventions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Video:
    """A stream whose rows are frames of a video file, in the order of presentation; its packets are taken over as they
    are, or stay in the file with ``--video link``.

    rate, start, time, tick, time_unit
        When the frames are, as in :class:`Rows`.
    count, first
        How many rows, and the frame of the file that is the first; all behind ``first`` where nothing is said.
    pts
        The time of presentation of each row's frame in the file, in nanoseconds: it finds the first frame, and each is
        compared.
    """

    stream: str
    path: str | os.PathLike[str]
    rate: Any = None
    start: Any = 0
    time: Any = None
    tick: Any = None
    time_unit: str = "s"
    count: int | None = None
    first: int = 0
    pts: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """What an entry point names. ``summary`` and ``version`` may be left out."""

    name: str

    def sniff(self, path: str) -> bool:
        """Whether a file or folder is of this format. It is asked only of what the program reads in no way."""

    def recordings(self, paths: list[str]) -> Iterable[Recording | LeftOut | Remark]:
        """What there is, in the order in which it is to be written, the same on every run."""

    def read(self, recording: Recording) -> Iterable[Rows | Video | About | Remark]:
        """What is in a recording, the same on every run: it is read twice, once to lay out a schema."""


#: Those that come with the package. What they need besides is imported when they read.
BUILT_IN = {"rlds": "trajpack._sources.rlds", "owamcap": "trajpack._sources.owamcap"}


@dataclass
class Found:
    """A source that is installed, or why it cannot be used."""

    name: str
    package: str
    version: str
    source: Any = None
    why: str = ""


def installed() -> list[Found]:
    """The sources that are installed here, those of the package last, so that another of the same name takes their
    place."""
    found: dict[str, Found] = {}
    for point in metadata.entry_points(group=GROUP):
        package = point.dist.name if point.dist else point.value
        version = point.dist.version if point.dist else ""
        one = Found(point.name, package, version)
        try:
            one.source = point.load()
            _check(one.source)
            one.version = str(getattr(one.source, "version", version))
        except Exception as error:      # of somebody else's code
            one.why = f"{type(error).__name__}: {error}"
        if point.name in found and found[point.name].package != package:
            one.why = (f"the packages '{found[point.name].package}' and '{package}' both have a source of that name; "
                       "uninstall one")
            one.source = None
        found[point.name] = one
    from ._version import __version__
    for name, module in BUILT_IN.items():
        if name not in found:
            found[name] = Found(name, "trajpack", __version__, import_module(module))
    return list(found.values())


def _check(source: Any) -> None:
    for member in ("sniff", "recordings", "read"):
        if not callable(getattr(source, member, None)):
            raise UsageError(f"the source has no function '{member}' (docs/sources.md)")


def source(name: str) -> Found:
    """The source of a name.

    Raises ``UsageError`` where none is installed, or where it cannot be used.
    """
    there = {one.name: one for one in installed()}
    if name not in there:
        raise UsageError(f"no source in Python is called '{name}'{nearest(name, there)}")
    if there[name].why:
        raise UsageError(f"the source '{name}' of {there[name].package} cannot be used: {there[name].why}")
    return there[name]


def recognise(paths: Sequence[str]) -> tuple[Found | None, list[str]]:
    """The first source that takes all paths for its own; sentences on sources that failed when they were asked."""
    failed = []
    for one in installed():
        if one.why:
            failed.append(f"the source '{one.name}' of {one.package} cannot be used: {one.why}")
            continue
        try:
            if all(one.source.sniff(path) for path in paths):
                return one, failed
        except Exception as error:      # of somebody else's code
            failed.append(f"the source '{one.name}' failed at {paths[0]}: {type(error).__name__}: {error}")
    return None, failed


def episodes(paths: Sequence[str | os.PathLike[str]], name: str) -> Iterator[Recording]:
    """The recordings that a source finds, for trying it."""
    for one in source(name).source.recordings([os.fspath(p) for p in paths]):
        if isinstance(one, Recording):
            yield one


__all__ = ["About", "GROUP", "LeftOut", "Recording", "Remark", "Rows", "Source", "Video", "episodes", "installed",
           "source"]
