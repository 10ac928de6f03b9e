"""Segments of the episodes of a data set."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..._errors import DataError, UsageError
from ._segments import ActionRule, Segment, cut

#: The action of a WildWorld hunter.
WILDWORLD_ACTION = ("npc/weapon_id", "npc/motion_bank_id", "npc/motion_id")


def episode_segments(episode: Any, channels: Sequence[str] = WILDWORLD_ACTION, *, entity: int = 0,
                     rules: Iterable[ActionRule] = (), minimum_length: int = 1) -> list[Segment]:
    """The segments of an episode, by the channels of one stream that make up the action.

    Of a stream of entities the one with index ``entity`` is taken. Rows are frames: where the entity is away there are
    frames without an action, so the stream must have a regular clock.
    """
    table, names = _table(episode, channels, entity)
    columns = []
    for name in names:
        column = table[name]
        values = column[:]
        seen = column.observed()
        columns.append(whole_numbers(values, seen, column.channel.path))
    places = _frames(table)
    length = int(places.max(initial=-1)) + 1
    actions = np.zeros((length, len(names)), np.int64)
    observed = np.zeros(length, bool)
    observed[places] = np.logical_and.reduce([seen for _, seen in columns])
    for number, (values, _) in enumerate(columns):
        actions[places, number] = values
    actions[~observed] = 0
    return cut(actions, episode.id, observed=observed, rules=rules, minimum_length=minimum_length)


def whole_numbers(values: Any, seen: Any, path: str) -> tuple[Any, Any]:
    """An action channel's rows as int64, and where they were observed."""
    if np.asarray(values).ndim != 1 or not hasattr(values, "dtype") or values.dtype.kind not in "iubf":
        raise UsageError(f"an action channel holds a whole number a row, and '{path}' does not")
    if values.dtype.kind == "f":
        # Ids that pandas wrote beside a missing one: 21.0.
        seen = seen & np.isfinite(values)
        values = np.where(seen, values, 0)
        odd = (np.rint(values) != values) | (np.abs(values) > 2**53)
        if odd.any():
            row = int(odd.argmax())
            raise UsageError(f"an action channel holds a whole number a row, and '{path}' holds {values[row]} in row "
                             f"{row}")
    return values.astype(np.int64), seen


def _table(episode: Any, channels: Sequence[str], entity: int) -> tuple[Any, list[str]]:
    streams = {path.rpartition("/")[0] for path in channels}
    if len(streams) != 1 or "" in streams:
        raise UsageError(f"the action channels must be STREAM/CHANNEL of one stream, not {', '.join(channels)}")
    stream = streams.pop()
    table = episode[stream]
    if hasattr(table, "tracks"):       # a stream of the episode itself
        return table, [path.rpartition("/")[2] for path in channels]
    for candidate in table:
        if candidate.entity.index == entity:
            return candidate, [path.rpartition("/")[2] for path in channels]
    there = ", ".join(str(t.entity) for t in table)
    raise UsageError(f"stream '{stream}' of episode '{episode.id}' has no entity {entity}; there is {there}")


def _frames(table: Any) -> Any:
    """The frame of every row, counted from time 0 of a regular clock."""
    rates = {track.clock.get("rate") for track in table.tracks if track.clock.get("type") == "regular"}
    if len(rates) != 1 or any(track.clock.get("type") != "regular" for track in table.tracks):
        raise UsageError(
            f"stream '{table.stream.name}' of episode '{table.episode.id}' has no regular clock of one rate, so its "
            "rows are no frames"
        )
    places = table.times * float(Fraction(str(rates.pop())))
    frames = np.rint(places).astype(np.int64)
    if len(frames) and (
        frames.min() < 0 or np.unique(frames).size < frames.size or np.abs(frames - places).max() > 0.25
    ):
        raise DataError(
            f"the tracks of stream '{table.stream.name}' of episode '{table.episode.id}' do not lie on one row of "
            "frames from time 0"
        )
    return frames
