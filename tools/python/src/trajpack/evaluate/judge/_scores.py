"""From verdicts to scores."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._errors import DataError, UsageError
from .._catalogue import score
from .._score import Scores
from ._given import contents
from ._segments import refuse_strange
from ._verdicts import Verdict


def following(verdicts: Iterable[Verdict], *, rows: Mapping[str, int] | None = None, **options: Any) -> Scores:
    """``action.following`` of verdicts: weighted by segment, by clip (an episode is one), by frame, by group and for
    each class, with bootstrap intervals. Options are the evaluator's: ``bootstrap``, ``resample``, ``confidence``,
    ``seed``.

    ``trajpack.DataError`` where two verdicts are on the same rows, and, if ``rows`` says how many rows each episode
    has, where one is on rows that its episode has not."""
    given = list(verdicts)
    if not given:
        raise UsageError("there are no verdicts")
    refuse_strange(given, rows)
    arrays: dict[str, Any] = {
        "verdicts": [float("nan") if v.verdict is None else float(v.verdict) for v in given],
        "clips": _codes([v.episode for v in given])[0], "frames": [v.last - v.first + 1 for v in given]}
    names: list[str] = []
    for field, name in (("class", "classes"), ("group", "groups")):
        values = [v.more.get(field) for v in given]
        if any(v is not None for v in values):
            arrays[name], known = _codes(["" if v is None else str(v) for v in values])
            names = known if name == "classes" else names
    found = score("action.following", **arrays, **options)
    prefix = "action.following_class_"

    def renamed(name: str) -> str:
        if not name.startswith(prefix):
            return name
        return prefix + (names[int(name.removeprefix(prefix))] or "none")

    from dataclasses import replace
    return Scores(found.evaluator, [replace(s, name=renamed(s.name)) for s in found.values()])


def agreement(verdicts: Iterable[Verdict], labels: Mapping[str, Sequence[bool | None]], *,
              rows: Mapping[str, int] | None = None, **options: Any) -> Scores:
    """``action.agreement`` of a judge with people: accuracy and Cohen's kappa, with bootstrap intervals. ``labels``
    are the people's, by segment id; None where one gave none. ``rows`` and what is refused: as for ``following``."""
    given = list(verdicts)
    refuse_strange(given, rows)
    people = max((len(v) for v in labels.values()), default=0)
    if not people:
        raise UsageError("there are no labels of people")
    missing = float("nan")
    humans = [[missing if x is None else float(x) for x in labels.get(v.id, ())] for v in given]
    return score("action.agreement", judge=[missing if v.verdict is None else float(v.verdict) for v in given],
                 humans=[h + [missing] * (people - len(h)) for h in humans], **options)


def read_labels(path: str | os.PathLike[str]) -> dict[str, list[bool | None]]:
    """The labels of people: JSON lines ``{"id": "000001:0-29", "labels": [true, false, null]}``."""
    labels: dict[str, list[bool | None]] = {}
    data = contents(path, "a file of labels", "each of its lines holds \"id\" and \"labels\"")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise DataError(f"{os.fspath(path)} is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            id, given = record["id"], record["labels"]
            good = isinstance(id, str) and isinstance(given, list) and all(
                x is None or isinstance(x, bool) for x in given) and id not in labels
        except (ValueError, KeyError, TypeError, RecursionError):
            good = False
        if not good:
            raise DataError(f"{os.fspath(path)}, line {number}: each line holds \"id\", no two the same, and "
                            "\"labels\", a list of true, false and null")
        labels[id] = given
    return labels


def _codes(names: list[str]) -> tuple[list[int], list[str]]:
    known = sorted(set(names))
    places = {name: number for number, name in enumerate(known)}
    return [places[name] for name in names], known
