"""Segments of clips: what a judge is shown of stretches of recordings."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._errors import UsageError
from ._archive import WILDWORLD_ACTION, whole_numbers
from ._frames import Frames, Image
from ._segments import ActionRule, Segment, cut


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip's rows lie in its recording."""

    #: The id of the recording.
    episode: str
    #: The frame of the recording's video that each row of the clip is, -1 for none.
    frames: tuple[int, ...]


def clip_segments(dataset: Any, clips: Any, channels: Sequence[str] = WILDWORLD_ACTION, *, entity: int = 0,
                  rules: Iterable[ActionRule] = (), minimum_length: int = 1
                  ) -> tuple[list[Segment], dict[str, ClipPlace]]:
    """The segments of the clips of a list, whose rows count from the clip's first; and where each clip lies.

    ``clips`` is what ``windows(clips=...)`` takes. A segment's ``episode`` is the clip's id. A row of a clip at another
    rate is the nearest row of the recording; its frame is that of the first video stream, or of the clip's own clock
    where there is none.
    """
    streams = {path.rpartition("/")[0] for path in channels}
    if len(streams) != 1 or "" in streams:
        raise UsageError(f"the action channels must be STREAM/CHANNEL of one stream, not {', '.join(channels)}")
    stream = streams.pop()
    loader = dataset.windows(clips=clips, channels=list(channels), edge="pad", batch=1, drop_last=False, shuffle=False)
    video = next((s.name for s in dataset.streams.values()
                  if any(c.kind == "packet" for c in s.channels.values())), None)
    segments: list[Segment] = []
    places: dict[str, ClipPlace] = {}
    for number, clip in enumerate(loader.clips() or []):
        batch, length = loader.read([number]), clip["rows"]
        slot = _slot(dataset.episode(clip["episode"]), stream, entity)
        seen = ~batch[f"padding:{stream}"][0, :length]
        if slot is not None:
            seen = seen & batch[f"present:{stream}"][0, :length, slot]
        columns = []
        for path in channels:
            def rows(name: str) -> Any:
                array = batch[name][0, :length]
                return array if slot is None else array[:, slot]
            own = seen & rows(f"observed:{path}") if f"observed:{path}" in batch else seen
            columns.append(whole_numbers(rows(path), own, path))
        observed = np.logical_and.reduce([own for _, own in columns])
        actions = np.stack([values for values, _ in columns], 1)
        actions[~observed] = 0
        segments += cut(actions, clip["id"], observed=observed, rules=rules, minimum_length=minimum_length)
        frames = loader.clip_rows(number, video or loader.reference)
        places[clip["id"]] = ClipPlace(clip["episode"], tuple(frames.tolist()))
    return segments, places


def _slot(episode: Any, stream: str, entity: int) -> int | None:
    """The place of an entity among those of a stream in a batch; None for a stream of the episode itself."""
    table = episode[stream]
    if hasattr(table, "tracks"):
        return None
    there = sorted((t.entity.kind, t.entity.index, t.entity.type) for t in table)
    for place, (_, index, _) in enumerate(there):
        if index == entity:
            return place
    raise UsageError(f"stream '{stream}' of episode '{episode.id}' has no entity {entity}; there is "
                     + ", ".join(f"{kind} {index}" for kind, index, _ in there))


class ClipFrames:
    """Frames of a recording as those of a clip of it: row n of the clip is frame ``rows[n]``."""

    def __init__(self, frames: Frames, rows: Sequence[int], clip: str) -> None:
        self._frames, self._rows, self._clip = frames, rows, clip

    def images(self, rows: Sequence[int]) -> list[Image]:
        chosen = [self._rows[row] for row in rows]
        for row, frame in zip(rows, chosen, strict=True):
            if frame < 0:
                raise UsageError(f"clip '{self._clip}' has no frame of the recording in its row {row}")
        return self._frames.images(chosen)


__all__ = ["ClipFrames", "ClipPlace", "clip_segments"]
