"""Segments: what a judge is shown, cut where the action changes."""
from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..._errors import DataError, UsageError, nearest
from .._catalogue import score
from ._given import contents

FORMAT = "trajpack.segments/1"


@dataclass(frozen=True)
class Segment:
    """Rows ``first`` to ``last``, both among them, of an episode in which one action lasts."""

    #: Unique among the segments: ``"000001:12-40"``.
    id: str
    episode: str
    first: int
    last: int
    #: The action: one number a channel.
    action: tuple[int, ...] = ()
    #: What sort of action it is, or None: chooses the prompt.
    label: str | None = None
    #: What to call the action in a prompt, or None.
    name: str | None = None
    #: Which part of a benchmark it belongs to (WildBench: cooperative, solo), or None.
    group: str | None = None

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class ActionRule:
    """A row of an action table: an ``action`` with None for any number, the ``label`` it gets, and its name."""

    action: tuple[int | None, ...]
    label: str
    name: str | None = None

    def fits(self, action: Sequence[int]) -> bool:
        return len(action) == len(self.action) and all(
            want is None or want == got for want, got in zip(self.action, action, strict=True))


def cut(actions: Any, episode: str, *, observed: Any = None, rules: Iterable[ActionRule] = (), minimum_length: int = 1,
        prefix: str | None = None) -> list[Segment]:
    """The segments of one episode.

    ``actions`` is ``[rows]`` or ``[rows, channels]`` whole numbers (WildWorld's: weapon, motion bank, motion),
    ``observed`` ``[rows]`` bool where there is an action, ``rules`` the action table: the first that fits gives label
    and name. Segments shorter than ``minimum_length`` are left out. ``prefix`` begins the ids, the episode by default.
    """
    values = np.asarray(actions)
    if values.ndim not in (1, 2):
        raise UsageError(f"the actions of episode '{episode}' must be [rows] or [rows, channels], not {values.shape}")
    table = list(rules)
    channels = 1 if values.ndim == 1 else values.shape[1]
    for rule in table:
        if len(rule.action) != channels:
            raise UsageError(
                f"the action table has the row {list(rule.action)} of {len(rule.action)} numbers, but episode "
                f"'{episode}' has {channels} action channels"
            )
    found = score("action.segments", actions=values.reshape(len(values), channels), mask=observed,
                  minimum_length=minimum_length)["action.segments"]
    segments = []
    for item in found.details["segments"]:
        first, last = item["first"], item["first"] + item["frames"] - 1
        action = tuple(item["id"])
        fit = next((r for r in table if r.fits(action)), None)
        segments.append(Segment(f"{episode if prefix is None else prefix}:{first}-{last}", episode, first, last, action,
                                fit.label if fit else None, fit.name if fit else None))
    return segments


def read_rules(path: str | os.PathLike[str]) -> list[ActionRule]:
    """An action table: JSON ``[{"action": [3, "*", 12], "class": "attack", "name": "draw slash"}, ...]``, or the CSV
    of ``trajpack evaluate --classes``: a column for each number of the action, in which ``*`` and -1 fit any, then
    ``class`` and, where it is there, ``name``."""
    data = contents(path, "a file of rules", "it is a list of {\"action\", \"class\"} objects, or a CSV file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return _json_rules(path, text) if text.lstrip().startswith(("[", "{")) else _csv_rules(path, text)


def _json_rules(path: str | os.PathLike[str], text: str) -> list[ActionRule]:
    document = _parsed(path, text)
    if not isinstance(document, list):
        raise DataError(f"{path} must be a list of {{\"action\", \"class\"}} objects")
    rules = []
    for number, item in enumerate(document):
        try:
            action = tuple(None if part == "*" else _whole(part) for part in item["action"])
            rules.append(ActionRule(action, str(item["class"]), item.get("name")))
        except (TypeError, KeyError, ValueError, AttributeError):
            raise DataError(f"{path}: entry {number} must have \"action\", a list of whole numbers and \"*\", and "
                            "\"class\", a text") from None
    return rules


def _csv_rules(path: str | os.PathLike[str], text: str) -> list[ActionRule]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    rules: list[ActionRule] = []
    try:
        header = next(reader, [])
        has_names = len(header) >= 3 and header[-1] == "name"
        keys = len(header) - (2 if has_names else 1)
        if keys < 1 or header[keys] != "class":
            raise DataError(f"{path}: the header of an action table ends in the column 'class', or 'class' and 'name'")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header) or not cells[keys]:
                raise DataError(f"{path}: line {reader.line_num} must have {len(header)} cells, and a class")
            try:
                action = tuple(None if cell in ("*", "-1") else int(cell) for cell in cells[:keys])
            except ValueError:
                raise DataError(f"{path}: line {reader.line_num}: an action is whole numbers and '*'") from None
            rules.append(ActionRule(action, cells[keys], (cells[-1] or None) if has_names else None))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None
    return rules


def write_segments(path: str | os.PathLike[str], segments: Iterable[Segment],
                   details: Mapping[str, Any] | None = None) -> None:
    """Writes ``segments.json`` (``schemas/segments.schema.json``)."""
    from ._files import replace_file
    rows = [{"class" if k == "label" else k: v for k, v in asdict(s).items()} for s in segments]
    text = json.dumps({"format": FORMAT, **(details or {}), "segments": rows}, indent=1) + "\n"
    replace_file(path, text.encode())


def read_segments(path: str | os.PathLike[str]) -> list[Segment]:
    """Reads ``segments.json``; what does not follow its schema is named."""
    document = _parsed(path, contents(path, "a file of segments", "write_segments makes one"))
    if not isinstance(document, dict) or document.get("format") != FORMAT or not isinstance(
            document.get("segments"), list):
        raise DataError(f"{path} is no segments file: it must hold \"format\": \"{FORMAT}\" and a list \"segments\"")
    segments: list[Segment] = []
    seen: set[str] = set()
    for number, item in enumerate(document["segments"]):
        try:
            label, name, group = item.get("class"), item.get("name"), item.get("group")
            segment = Segment(item["id"], item["episode"], _whole(item["first"]), _whole(item["last"]),
                              tuple(map(_whole, item.get("action", ()))), label, name, group)
            good = (
                isinstance(segment.id, str)
                and isinstance(segment.episode, str)
                and 0 <= segment.first <= segment.last
                and all(x is None or isinstance(x, str) for x in (label, name, group))
            )
        except (TypeError, KeyError, ValueError, AttributeError):
            good = False
        if not good:
            raise DataError(
                f'{path}: segment {number} must have "id" and "episode", texts, and "first" <= "last", whole numbers'
            )
        if segment.id in seen:
            raise DataError(f"{path}: two segments have the id '{segment.id}'")
        seen.add(segment.id)
        segments.append(segment)
    return segments


def named(segments: Iterable[Segment], rules: Sequence[ActionRule]) -> list[Segment]:
    """The segments with labels and names of an action table, which go before those they have."""
    out = []
    for segment in segments:
        rule = next((r for r in rules if r.fits(segment.action)), None)
        out.append(replace(segment, label=rule.label, name=rule.name) if rule else segment)
    return out


class _Rows(Protocol):
    """A segment, or a verdict on one."""

    @property
    def id(self) -> str: ...
    @property
    def episode(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


def refuse_strange(items: Iterable[_Rows], rows: Mapping[str, int] | None = None) -> None:
    """``trajpack.DataError`` where two have the same rows of the same episode, which would count twice, or the same
    id; and, if ``rows`` says how many each episode has, where one lies past the end or its episode is not there."""
    ids: set[str] = set()
    places: dict[tuple[str, int, int], str] = {}
    for item in items:
        if item.id in ids:
            raise DataError(f"segment '{item.id}' comes twice; leave one out")
        ids.add(item.id)
        other = places.setdefault((item.episode, item.first, item.last), item.id)
        if other != item.id:
            raise DataError(f"segments '{other}' and '{item.id}' are the same rows {item.first} to {item.last} of "
                            f"episode '{item.episode}', which would count twice; leave one out")
        if rows is None:
            continue
        if item.episode not in rows:
            raise DataError(f"segment '{item.id}' is of episode '{item.episode}', which is not there"
                            + nearest(item.episode, rows))
        if item.last >= rows[item.episode]:
            raise DataError(f"segment '{item.id}' goes to row {item.last}, but episode '{item.episode}' has "
                            f"{rows[item.episode]} rows; judge the data set's own segments")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)
    return value


def _parsed(path: str | os.PathLike[str], text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{os.fspath(path)} is not JSON: {error}") from None
