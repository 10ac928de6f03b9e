"""The slow loader: windows as trajpack.h describes them, in plain Python over the truth of an Archive, times exact.

It shares no code with trajpack and is written to be read: every row of a window is found by itself.
"""
from __future__ import annotations

import fnmatch
import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from archive import Archive, Channel, Episode, Regular, Stream, Track
from reference_values import between, blend, cast, scales


def matches(pattern: str, stream: str, channel: str) -> bool:
    return fnmatch.fnmatchcase(stream, pattern) or fnmatch.fnmatchcase(f"{stream}/{channel}", pattern)


def rule(option: Any, stream: str, channel: str) -> Any:
    if not isinstance(option, dict):
        return option
    return next((v for k, v in option.items() if matches(k, stream, channel)), None)


def limit(tolerance: Fraction | None, interval: Fraction) -> Fraction:
    """How far a row may lie from a moment and count as the one at it."""
    asked, share = (Fraction(1, 1000), Fraction(1, 4)) if tolerance is None else (tolerance, Fraction(1, 2))
    return min(asked, interval * share) if interval > 0 else asked


@dataclass(frozen=True)
class Hold:
    """How long rows count: whether the last one does to the end of the episode, and the longest for any."""

    end: bool = False
    age: Fraction | None = None


@dataclass(frozen=True)
class Found:
    """A row of a track, the way to the next, whether that one is the one at the moment for whole rows, and whether it
    only repeats the nearest row."""

    track: Track
    row: int
    rest: Fraction = Fraction(0)
    due: bool = False
    repeats: bool = False


def interval(track: Track, row: int) -> Fraction:
    """From a row to the next; of the last row, that before it; 0 of an only one with a time of its own."""
    if isinstance(track.clock, Regular):
        return 1 / track.clock.rate
    row = min(row, track.rows - 2)
    return track.time(row + 1) - track.time(row) if row >= 0 else Fraction(0)


def position(track: Track, moment: Fraction, tolerance: Fraction | None, hold: Hold | None = None,
             inside: bool = False) -> Found | None:
    """The row of a track at a moment. ``inside``: whether the last row may be held so long."""
    if track.rows == 0:
        return None
    times = track.times

    def near(distance: Fraction, row: int) -> bool:
        return distance <= limit(tolerance, interval(track, row))

    if moment < times[0]:
        return Found(track, 0) if near(times[0] - moment, 0) else None
    row = bisect_right(times, moment) - 1
    age = moment - times[row]
    fresh = hold is None or hold.age is None or age <= hold.age
    if row < track.rows - 1:
        gap = times[row + 1] - times[row]
        due = age > 0 and near(gap - age, row)
        return Found(track, row, age / gap, due) if due or fresh else None
    holds = age == 0 or age < interval(track, row) or near(age, row) or hold is not None and hold.end and inside
    return Found(track, row) if holds and fresh else None


def keeps(where: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """Whether metadata meets every condition: a value, one of a list, or a range."""
    for path, wanted in where.items():
        value: Any = metadata
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(wanted, dict):
            fits = value is not None and wanted.get("min", -math.inf) <= value <= wanted.get("max", math.inf)
        else:
            fits = value in (wanted if isinstance(wanted, list) else [wanted])
        if not fits:
            return False
    return True


class Reference:
    """Windows of an archive; options as trajpack's, of which it knows those that decide what a window holds."""

    def __init__(self, archive: Archive, *, channels: list[str] | None = None, length: int = 1, stride: int = 1,
                 past: int = 0, future: int = 0, offsets: dict[str, list[Any]] | None = None,
                 reference: str | None = None,
                 align: Any = "auto", edge: str = "drop", entities: Any = None, dtype: Any = None,
                 fill: float | None = None, split: str | None = None, where: dict[str, Any] | None = None,
                 rate: Fraction | int | None = None, normalize: str | None = None,
                 tolerance: Fraction | None = None, hold: Any = "auto", max_staleness: Any = None,
                 features: dict[str, list[str]] | None = None) -> None:
        self.archive = archive
        self.chosen = [(s, c) for s in archive.streams for c in s.channels
                       if channels is None or any(matches(p, s.name, c.name) for p in channels)]
        self.past, self.total, self.stride, self.edge = past, past + length + future, stride, edge
        self.offsets, self.align, self.dtype, self.fill = offsets or {}, align, dtype, fill
        self.rate = None if rate is None else Fraction(rate)
        self.features = features or {}
        self.tolerance, self.hold, self.max_staleness = tolerance, hold, max_staleness
        self.scales = {(s.name, c.name): scale for s, c in self.chosen
                       if normalize and (scale := scales(archive, s, c, normalize)) is not None}
        tracks = [t for e in archive.episodes for t in e.tracks]
        self.most = {}
        for stream in archive.streams:
            who = [len({t.entity for t in e.tracks if t.stream == stream.name and t.entity})
                   for e in archive.episodes]
            most = max(who, default=0)
            limit = rule(entities, stream.name, "") if entities is not None else None
            self.most[stream.name] = 0 if not most else most if limit is None else limit
        names = list(dict.fromkeys(s.name for s, _ in self.chosen))
        self.reference = reference or next((n for n in names if self.most[n] == 0), names[0])
        assert all(t.entity is None for t in tracks if t.stream == self.reference), "the reference has no entities"
        self.windows: list[tuple[int, Track, int]] = []
        low, high = self._reach()
        for number, episode in enumerate(archive.episodes):
            if split is not None and episode.split != split or not keeps(where or {}, episode.metadata):
                continue
            for track in episode.tracks:
                if track.stream == self.reference:
                    rows = self._rows(track)
                    anchors = range(0, rows, stride) if edge != "drop" else range(-low, rows - high, stride)
                    self.windows += [(number, track, a) for a in anchors]

    def _rows(self, base: Track) -> int:
        """Rows of a timeline: of the track, or of the grid from its first row to its last."""
        if self.rate is None or base.rows == 0:
            return base.rows
        return math.floor((base.time(base.rows - 1) - base.time(0)) * self.rate) + 1

    def _reach(self) -> tuple[int, int]:
        """Rows before and after a window's start that must be there, where windows are to lie wholly inside."""
        low = high = 0
        if any(rule(self.offsets, s.name, c.name) is None for s, c in self.chosen):
            low, high = -self.past, self.total - self.past - 1
        for stream, channel in self.chosen:
            for offset in rule(self.offsets, stream.name, channel.name) or []:
                assert isinstance(offset, int) and stream.name == self.reference, "this reference counts rows only"
                low, high = min(low, offset), max(high, offset)
        return low, high

    def window(self, number: int) -> dict[str, np.ndarray]:
        """Every output of a window, without the leading B."""
        episode_number, base, anchor = self.windows[number]
        episode = self.archive.episodes[episode_number]
        out: dict[str, np.ndarray] = {}
        for stream, channel in self.chosen:
            moments = self._moments(base, anchor, rule(self.offsets, stream.name, channel.name))
            slots = self._slots(episode, stream.name, base)
            self._fill_channel(out, stream.name, channel, slots, moments, base)
        for name in dict.fromkeys(s.name for s, _ in self.chosen):
            self._masks(out, name, episode, base, anchor)
        for name, patterns in self.features.items():
            paths = list(dict.fromkeys(f"{s.name}/{c.name}" for p in patterns for s, c in self.chosen
                                       if matches(p, s.name, c.name)))
            out[name] = np.concatenate([v.reshape(len(v), -1) for v in map(out.pop, paths)], axis=1)
        return out

    def _moments(self, base: Track, anchor: int, offsets: Any) -> list[tuple[int, Fraction | None]]:
        """Row on the reference's clock, and its moment, of each place of a window."""
        rows = [anchor + o for o in offsets] if offsets is not None else [
            anchor - self.past + t for t in range(self.total)]
        if self.rate is not None:
            return [(r, base.time(0) + r / self.rate) for r in rows]
        regular = isinstance(base.clock, Regular)
        return [(r, base.time(r) if regular or 0 <= r < base.rows else None) for r in rows]

    def _slots(self, episode: Episode, stream: str, base: Track) -> list[list[Track]]:
        if self.most[stream] == 0:
            return [[t for t in episode.tracks if t.stream == stream]]
        tracks = [t for t in episode.tracks if t.stream == stream and t.entity and t.rows > 0]
        who = sorted({t.entity for t in tracks if t.entity})
        found = [[t for t in tracks if t.entity == w] for w in who][:self.most[stream]]
        return found + [[]] * (self.most[stream] - len(found))

    def _hold(self, stream: str, channel: Channel) -> Hold | None:
        """How long rows of a channel count where no other follows."""
        if self.most[stream] > 0:
            return None
        how = rule(self.hold, stream, channel.name) or "auto"
        tracks = [t for e in self.archive.episodes for t in e.tracks if t.stream == stream]
        end = how == "end"
        if how == "auto":
            sparse = (any(not isinstance(t.clock, Regular) for t in tracks)
                      or max((t.rows for t in tracks), default=0) == 1)
            end = sparse and channel.kind in ("label", "categorical", "event") and self._how(stream, channel) == "asof"
        age = rule(self.max_staleness, stream, channel.name)
        end = end and stream != self.reference
        return Hold(end, age) if end or age is not None else None

    def _target(self, stream: str, channel: Channel) -> np.dtype[Any]:
        joined = any(matches(p, stream, channel.name) for patterns in self.features.values() for p in patterns)
        return np.dtype("float32" if joined else rule(self.dtype, stream, channel.name)
                        or ("float32" if (stream, channel.name) in self.scales else channel.type))

    def _how(self, stream: str, channel: Channel) -> str:
        return between(channel, rule(self.align, stream, channel.name) or "auto",
                       self._target(stream, channel).kind == "f")

    def _find(self, stream: str, tracks: list[Track], moment: tuple[int, Fraction | None], base: Track,
              hold: Hold | None = None) -> Found | None:
        """The row at a moment, of the latest track that has one."""
        row, time = moment
        with_rows = [t for t in tracks if t.rows > 0]
        found = None
        if stream == self.reference:
            # The window's own run first, then the latest of those beyond a gap.
            runs = [base, *(t for t in reversed(with_rows) if t is not base)]
            found = next((f for f in (self._in_run(t, row, time, base, hold) for t in runs) if f is not None), None)
        for number, track in enumerate(with_rows if stream != self.reference else []):
            if time is not None:
                following = with_rows[number + 1].time(0) if number + 1 < len(with_rows) else None
                inside = self._is_inside(base, time) and (following is None or time < following)
                found = position(track, time, self.tolerance, hold, inside) or found
        alone = len(with_rows) == 1 or stream == self.reference
        if found is None and self.edge == "clamp" and self.most[stream] == 0 and alone:
            track = base if stream == self.reference else with_rows[0]
            own = stream == self.reference and self.rate is None
            early = row < 0 if time is None or own else time < track.time(0)
            if own or time is None or early or time >= track.time(track.rows - 1) and position(
                    track, time, self.tolerance, None if hold is None else Hold(hold.end), self._is_inside(base, time)
                    ) is None:  # what is only too old stays padding
                found = Found(track, 0 if early else track.rows - 1, repeats=True)
        return found

    def _in_run(self, track: Track, row: int, time: Fraction | None, base: Track, hold: Hold | None) -> Found | None:
        """The row of a run of the reference's stream at a row of the window's clock."""
        if self.rate is not None:
            return position(track, time, self.tolerance, hold) if time is not None else None
        if track is not base:
            if time is None:
                return None
            row = (time - track.time(0)) * track.clock.rate  # the runs of worlds.py lie on one clock
            assert row.denominator == 1
        return Found(track, int(row)) if 0 <= row < track.rows else None

    def _is_inside(self, base: Track, time: Fraction) -> bool:
        """Whether the reference has a row that counts then."""
        if self.rate is not None:
            start, step = base.time(0), 1 / self.rate
            return start <= time < start + self._rows(base) * step
        last = base.rows - 1
        return base.time(0) <= time and (time <= base.time(last) or time < base.time(last) + interval(base, last))

    def _fill_channel(self, out: dict[str, np.ndarray], stream: str, channel: Channel, slots: list[list[Track]],
                      moments: list[tuple[int, Fraction | None]], base: Track) -> None:
        peopled = self.most[stream] > 0
        scale = self.scales.get((stream, channel.name))
        target, how = self._target(stream, channel), self._how(stream, channel)
        hold = self._hold(stream, channel)
        values = np.zeros((len(moments), len(slots), *channel.shape), target)
        seen = np.zeros(values.shape, bool)
        for t, moment in enumerate(moments):
            for s, tracks in enumerate(slots):
                found = self._find(stream, tracks, moment, base, hold)
                if found is None:
                    continue
                track, row, rest = found.track, found.row, found.rest
                if rest > Fraction(1, 2) and how == "nearest" or found.due and how == "asof":
                    row, rest = row + 1, Fraction(0)
                stored = track.data[channel.name]
                one = stored[row:row + 1]
                value, watched = channel.values(one)[0], channel.observed(one)[0]
                if rest > 0 and how not in ("asof", "nearest"):
                    after = stored[row + 1:row + 2]
                    x, y = value.astype("f8"), channel.values(after)[0].astype("f8")
                    if channel.missing == "sentinel":
                        x = np.where(watched, x, np.nan)
                        y = np.where(channel.observed(after)[0], y, np.nan)
                    value = blend(channel, how, x, y, float(rest))
                    watched = watched & channel.observed(after)[0]
                if scale is not None:
                    value = (value.astype("f8") - scale[0]) / scale[1]
                values[t, s] = cast(value, watched, channel, target, self.fill)
                seen[t, s] = watched
        path = f"{stream}/{channel.name}"
        out[path] = values if peopled else values[:, 0]
        if channel.missing != "never":
            out[f"observed:{path}"] = seen if peopled else seen[:, 0]

    @staticmethod
    def _time_of(found: Found) -> float:
        time = found.track.time(found.row)
        return float(time + (found.track.time(found.row + 1) - time) * found.rest if found.rest else time)

    def _masks(self, out: dict[str, np.ndarray], stream: str, episode: Episode, base: Track, anchor: int) -> None:
        groups: dict[Any, list[str]] = {}
        for s, c in self.chosen:
            if s.name == stream:
                offsets = rule(self.offsets, s.name, c.name)
                key = (None if offsets is None else tuple(offsets), self._hold(s.name, c))
                groups.setdefault(key, []).append(f"{s.name}/{c.name}")
        for (offsets, hold), paths in groups.items():
            names = [stream] if len(groups) == 1 else paths + ([stream] if offsets is None and hold is None else [])
            moments = self._moments(base, anchor, offsets)
            slots = self._slots(episode, stream, base)
            found = [[self._find(stream, tracks, m, base, hold) for tracks in slots] for m in moments]
            if offsets is None:
                times = [np.nan if m[1] is None else float(m[1]) for m in moments]
            else:  # the times of the rows that are there
                times = [next((self._time_of(f) for f in reversed(row) if f is not None), np.nan) for row in found]
            for name in names:
                out[f"time:{name}"] = np.array(times, float)
                if self.most[stream]:
                    out[f"present:{name}"] = np.array([[f is not None for f in row] for row in found])
                    if offsets is None:
                        out[f"padding:{name}"] = np.array([not 0 <= m[0] < self._rows(base) for m in moments])
                    else:
                        out[f"padding:{name}"] = np.array([all(f is None for f in row) for row in found])
                else:
                    out[f"padding:{name}"] = np.array([row[0] is None or row[0].repeats for row in found])
