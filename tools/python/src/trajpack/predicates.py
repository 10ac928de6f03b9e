"""Tests and weights of windows, written as Python: ``(abs(channel("state/speed")) > 0.1).any()``."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import _options
from ._errors import UsageError


def channel(name: str) -> Values:
    """The values of a channel, ``stream/channel``, to say which windows are wanted or how often: those of the stream's
    own rows that lie within the window's time. What a log holds from before is no row.

    >>> moving = channel("state/velocity").norm().mean() > 0.1
    >>> alive = (channel("npc/hp") > 0).any() & ~(channel("state/mode") == "menu").last()
    >>> dataset.windows(length=64, windows_where=moving & alive)            # doctest: +SKIP
    >>> dataset.windows(length=64, window_weights=channel("state/reward").max())  # doctest: +SKIP
    """
    return Values({"channel": str(name)})


def value(name: str) -> Value:
    """A value of the window's recording, to say which windows are wanted or how often.

    >>> runs = (value("label") == "run") & (value("theta") > 0.5)
    >>> dataset.windows(length=64, windows_where=runs)                      # doctest: +SKIP
    >>> dataset.windows(length=64, window_weights=value("weight"))          # doctest: +SKIP
    """
    return Value({"value": str(name)})


class Values:
    """The observed values of a channel in a window, or what is made of them."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, measure: dict[str, Any]) -> None:
        self._measure = measure

    def __getitem__(self, component: int | Iterable[int]) -> Values:
        """Only some elements of each row, counted flat."""
        several = list(component) if isinstance(component, Iterable) and not isinstance(component, str) else [component]
        chosen = [_options.whole(c, "component") for c in several]
        if "component" in self._measure or "of" in self._measure:
            raise UsageError("components are chosen first: channel(name)[0], then what is made of them")
        return Values({**self._measure, "component": chosen})

    def _then(self, step: str) -> Values:
        return Values({**self._measure, "of": [*self._measure.get("of", []), step]})

    def __abs__(self) -> Values:
        return self._then("abs")

    def norm(self) -> Values:
        """The Euclidean length of each row's components."""
        return self._then("norm")

    def change(self) -> Values:
        """What each row has more than the one before it in the window."""
        return self._then("change")

    # Comparisons say something of each value.

    def __gt__(self, other: float) -> Comparison:
        return Comparison(self._measure, {"above": _number(other)})

    def __ge__(self, other: float) -> Comparison:
        return Comparison(self._measure, {"min": _number(other)})

    def __lt__(self, other: float) -> Comparison:
        return Comparison(self._measure, {"below": _number(other)})

    def __le__(self, other: float) -> Comparison:
        return Comparison(self._measure, {"max": _number(other)})

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]
        return Comparison(self._measure, _scalar(other))

    def __ne__(self, other: object) -> Any:
        raise UsageError("say it of the window: ~(channel(name) == value).any()")

    def isin(self, values: Iterable[float | str]) -> Comparison:
        """Whether each is one of some numbers or categories."""
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UsageError(f"isin takes a list of numbers or categories, not {values!r}")
        return Comparison(self._measure, [_scalar(v) for v in values])

    def between(self, low: float, high: float) -> Comparison:
        """Whether each lies in ``[low, high]``."""
        return Comparison(self._measure, {"min": _number(low), "max": _number(high)})

    def __repr__(self) -> str:
        return _said(self._measure)

    def __bool__(self) -> bool:
        raise UsageError("values are neither true nor false; compare them: (channel(name) > x).any()")

    # Numbers of the window.

    def mean(self) -> Number:
        """Their mean."""
        return Number(self._measure, "mean")

    def min(self) -> Number:
        """The smallest."""
        return Number(self._measure, "min")

    def max(self) -> Number:
        """The largest."""
        return Number(self._measure, "max")

    def std(self) -> Number:
        """Their standard deviation (division by their count)."""
        return Number(self._measure, "std")

    def missing(self) -> Number:
        """The share of values that were not observed, 0 to 1."""
        return Number(self._measure, "missing")

    def first(self) -> Number:
        """The mean of the first row; of one component, its value."""
        return Number(self._measure, "first")

    def last(self) -> Number:
        """The mean of the last row; of one component, its value."""
        return Number(self._measure, "last")


class Comparison:
    """Something that each value does or does not."""

    def __init__(self, measure: dict[str, Any], rule: Any) -> None:
        self._measure, self._rule = measure, rule

    def _of(self, statistic: str) -> Test:
        return Test({**self._measure, statistic: self._rule})

    def any(self) -> Test:
        """At least one value of the window does."""
        return self._of("any")

    def all(self) -> Test:
        """All of them do."""
        return self._of("all")

    def first(self) -> Test:
        """All of the first row do."""
        return self._of("first")

    def last(self) -> Test:
        """All of the last row do."""
        return self._of("last")

    def __repr__(self) -> str:
        return _compared(_said(self._measure), self._rule)

    def __bool__(self) -> bool:
        raise UsageError("say of which values: (channel(name) > x).any(), .all(), .first() or .last()")


class Number:
    """A number of each window: a weight, or compared a test."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, measure: dict[str, Any], statistic: str) -> None:
        self._measure, self._statistic = measure, statistic
        #: As the option ``window_weights`` has it.
        self.json: dict[str, Any] = {**measure, "statistic": statistic}

    def _test(self, rule: Any) -> Test:
        return Test({**self._measure, self._statistic: rule})

    def __gt__(self, other: float) -> Test:
        return self._test({"above": _number(other)})

    def __ge__(self, other: float) -> Test:
        return self._test({"min": _number(other)})

    def __lt__(self, other: float) -> Test:
        return self._test({"below": _number(other)})

    def __le__(self, other: float) -> Test:
        return self._test({"max": _number(other)})

    def __eq__(self, other: object) -> Test:  # type: ignore[override]
        return self._test(_scalar(other))

    def __ne__(self, other: object) -> Test:  # type: ignore[override]
        return ~self._test(_scalar(other))

    def between(self, low: float, high: float) -> Test:
        """Whether it lies in ``[low, high]``."""
        return self._test({"min": _number(low), "max": _number(high)})

    def __repr__(self) -> str:
        return _said(self.json)

    def __bool__(self) -> bool:
        raise UsageError("a number of the window is neither true nor false; compare it: channel(name).mean() > x")


class Value:
    """A value of a recording: a weight of its windows, or compared a test."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, measure: dict[str, Any]) -> None:
        #: As the option ``window_weights`` has it.
        self.json: dict[str, Any] = measure

    def _test(self, rule: Any) -> Test:
        return Test({**self.json, "is": rule})

    def __gt__(self, other: float) -> Test:
        return self._test({"above": _number(other)})

    def __ge__(self, other: float) -> Test:
        return self._test({"min": _number(other)})

    def __lt__(self, other: float) -> Test:
        return self._test({"below": _number(other)})

    def __le__(self, other: float) -> Test:
        return self._test({"max": _number(other)})

    def __eq__(self, other: object) -> Test:  # type: ignore[override]
        return self._test(_scalar(other))

    def __ne__(self, other: object) -> Test:  # type: ignore[override]
        return ~self._test(_scalar(other))

    def isin(self, values: Iterable[float | str]) -> Test:
        """Whether it is one of some numbers or texts."""
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UsageError(f"isin takes a list of numbers or texts, not {values!r}")
        return self._test([_scalar(v) for v in values])

    def between(self, low: float, high: float) -> Test:
        """Whether it lies in ``[low, high]``."""
        return self._test({"min": _number(low), "max": _number(high)})

    def __repr__(self) -> str:
        return _said(self.json)

    def __bool__(self) -> bool:
        raise UsageError("a value of recordings is neither true nor false; compare it: value(name) == x")


class Test:
    """Which windows are wanted; joined by ``&``, ``|`` and ``~``."""

    __test__ = False  # nothing for pytest

    def __init__(self, json: dict[str, Any]) -> None:
        #: As the option ``windows_where`` has it.
        self.json = json

    def __and__(self, other: Test) -> Test:
        return Test({"and": [self.json, _test(other).json]})

    def __or__(self, other: Test) -> Test:
        return Test({"or": [self.json, _test(other).json]})

    def __invert__(self) -> Test:
        return Test({"not": self.json})

    def __bool__(self) -> bool:
        raise UsageError("tests of windows are joined by &, | and ~, not by and, or, not, or chained comparisons")

    def __repr__(self) -> str:
        return _said(self.json)


_STEPS = ("any", "all", "first", "last", "mean", "min", "max", "std", "missing")


def _said(json: Any) -> str:
    """A test, number or value as the Python that makes it."""
    if "and" in json or "or" in json:
        word, sign = ("and", " & ") if "and" in json else ("or", " | ")
        return sign.join(f"({_said(one)})" for one in json[word])
    if "not" in json:
        return f"~({_said(json['not'])})"
    if "value" in json:
        return _compared(f"value({json['value']!r})", json["is"]) if "is" in json else f"value({json['value']!r})"
    out = f"channel({json.get('channel')!r})"
    if "component" in json:
        chosen = json["component"]
        out += f"[{chosen[0] if len(chosen) == 1 else chosen}]"
    for step in json.get("of", []):
        out = f"abs({out})" if step == "abs" else f"{out}.{step}()"
    if "statistic" in json:
        return f"{out}.{json['statistic']}()"
    for step in _STEPS:
        if step in json:
            # What the values are compared with, or what is made of them.
            each = step in ("any", "all", "first", "last")
            return f"({_compared(out, json[step])}).{step}()" if each else _compared(f"{out}.{step}()", json[step])
    return out


def _compared(what: str, rule: Any) -> str:
    if isinstance(rule, list):
        return f"{what}.isin({rule})"
    if not isinstance(rule, dict):
        return f"{what} == {rule!r}"
    if set(rule) == {"min", "max"}:
        return f"{what}.between({rule['min']!r}, {rule['max']!r})"
    signs = {"above": ">", "min": ">=", "below": "<", "max": "<="}
    return " and ".join(f"{what} {signs[name]} {one!r}" for name, one in rule.items())


def _test(value: Any) -> Test:
    if isinstance(value, Test):
        return value
    raise UsageError(f"a test of windows was expected, not {value!r}; a comparison of values needs .any(), .all(), "
                     ".first() or .last()")


def _scalar(value: Any) -> Any:
    return value if isinstance(value, (str, bool)) else _number(value)


def _number(value: Any) -> float | int:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"values are compared with a number, not with {value!r}")
    return value


def plain(value: Any, name: str) -> Any:
    """A test or number of windows as JSON; what is JSON already stays."""
    if isinstance(value, (Comparison, Values)):
        raise UsageError(f"option '{name}' is about single values; say it of the window: .any(), .all(), .mean(), ...")
    if isinstance(value, (Number, Value)) and name == "windows_where":
        raise UsageError("option 'windows_where' is a test; compare the number: channel(name).mean() > x")
    if isinstance(value, Test) and name == "window_weights":
        raise UsageError("option 'window_weights' is a number, channel(name).mean(), not a test; a test belongs to "
                         "'windows_where'")
    out = value.json if isinstance(value, (Test, Number, Value)) else value
    if name == "windows_where" and out is not None and not isinstance(out, Mapping):
        raise UsageError(f"option 'windows_where' is {value!r}, but must be a test such as "
                         "(trajpack.channel('state/speed') > 0.1).any(), or its JSON as a dict", option=name)
    return out


__all__ = ["Comparison", "Number", "Test", "Value", "Values", "channel", "value"]
