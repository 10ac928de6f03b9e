"""Which windows pass a test, and what they weigh, worked out slowly: every value of every window is looked at."""
from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from typing import Any

import numpy as np
from archive import Track
from reference import Reference, interval, limit

STATISTICS = ("any", "all", "first", "last", "mean", "min", "max", "std", "missing")


def passes(reference: Reference, window: int, test: dict[str, Any]) -> bool:
    if "and" in test:
        return all(passes(reference, window, one) for one in test["and"])
    if "or" in test:
        return any(passes(reference, window, one) for one in test["or"])
    if "not" in test:
        return not passes(reference, window, test["not"])
    stream, name = test["channel"].rsplit("/", 1)
    channel = reference.archive.stream(stream).channel(name)
    runs = [made(rows, test) for rows in values(reference, window, stream, name)]
    names = channel.categories or []
    return all(answer(runs, s, lambda x: inside(x, test[s], names)) for s in STATISTICS if s in test)


def weight(reference: Reference, window: int, measure: dict[str, Any]) -> float:
    stream, name = measure["channel"].rsplit("/", 1)
    runs = [made(rows, measure) for rows in values(reference, window, stream, name)]
    got = number(runs, measure["statistic"])
    return 0.0 if np.isnan(got) else got


def values(reference: Reference, window: int, stream: str, name: str) -> list[tuple[Any, np.ndarray]]:
    """Whose, and ``[rows, width]``, NaN where not observed, of each track that has rows in the window's time."""
    number, base, anchor = reference.windows[window]
    first = anchor - reference.past
    out = []
    for track in reference.archive.episodes[number].tracks:
        if track.stream != stream or (stream == reference.reference and track is not base):
            continue
        rows = [r for r in range(track.rows) if within(reference, base, first, track, r)]
        channel = reference.archive.stream(stream).channel(name)
        stored = track.data[name][rows]
        x = np.where(channel.observed(stored), channel.values(stored).astype("f8"), np.nan)
        if rows:
            out.append((track.entity, x.reshape(len(rows), channel.width)))
    return out


def within(reference: Reference, base: Track, first: int, track: Track, row: int) -> bool:
    if track is base:
        return first <= row < first + reference.total
    begin, end = (first_near(track, base.time(r), reference.tolerance) for r in (first, first + reference.total))
    return begin <= row < end


def first_near(track: Track, moment: Fraction, tolerance: Fraction | None) -> int:
    """The first row at or after a moment, or within the tolerance before it."""
    row = bisect_left(track.times, moment)
    if row > 0 and moment - track.time(row - 1) <= limit(tolerance, interval(track, row - 1)):
        row = bisect_left(track.times, track.time(row - 1))
    return row


def made(run: tuple[Any, np.ndarray], measure: dict[str, Any]) -> tuple[Any, np.ndarray]:
    who, x = run
    if "component" in measure:
        x = x[:, np.atleast_1d(measure["component"])]
    steps = measure.get("of", [])
    for step in [steps] if isinstance(steps, str) else steps:
        if step == "abs":
            x = np.abs(x)
        elif step == "norm":
            x = np.sqrt((x ** 2).sum(1, keepdims=True))
        else:
            x = np.diff(x, axis=0)
    return who, x


def inside(x: Any, rule: Any, names: list[str]) -> Any:
    if isinstance(rule, dict):
        return ((x >= rule.get("min", -np.inf)) & (x > rule.get("above", -np.inf) if "above" in rule else True)
                & (x <= rule.get("max", np.inf)) & (x < rule["below"] if "below" in rule else True))
    listed = rule if isinstance(rule, list) else [rule]
    return np.isin(x, [names.index(one) if isinstance(one, str) else float(one) for one in listed])


def answer(runs: list[tuple[Any, np.ndarray]], statistic: str, rule: Any) -> bool:
    runs = [r for r in runs if len(r[1])]
    seen = np.concatenate([x[~np.isnan(x)] for _, x in runs] or [np.zeros(0)])
    if statistic == "any":
        return bool(rule(seen).any())
    if statistic == "all":
        return len(seen) > 0 and bool(rule(seen).all())
    if statistic in ("first", "last"):
        rows = ends(runs, statistic)
        return len(rows) > 0 and all(bool((~np.isnan(row) & rule(row)).all()) for row in rows)
    got = number(runs, statistic)
    return not np.isnan(got) and bool(rule(got))


def number(runs: list[tuple[Any, np.ndarray]], statistic: str) -> float:
    runs = [r for r in runs if len(r[1])]
    seen = np.concatenate([x[~np.isnan(x)] for _, x in runs] or [np.zeros(0)])
    if statistic == "missing":
        total = sum(x.size for _, x in runs)
        return 1 - len(seen) / total if total else np.nan
    if statistic in ("first", "last"):
        seen = np.concatenate([row[~np.isnan(row)] for row in ends(runs, statistic)] or [np.zeros(0)])
        statistic = "mean"
    return float(getattr(np, statistic)(seen)) if len(seen) else np.nan


def ends(runs: list[tuple[Any, np.ndarray]], statistic: str) -> list[np.ndarray]:
    """The first or last row of every entity."""
    out: dict[Any, np.ndarray] = {}
    for who, x in runs:
        if statistic == "last":
            out[who] = x[-1]
        else:
            out.setdefault(who, x[0])
    return list(out.values())
