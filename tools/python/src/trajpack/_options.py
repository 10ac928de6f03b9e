"""Python's values as the library's options have them: JSON, with seconds kept exact."""
from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ._errors import UsageError, nearest

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def seconds(value: Any, name: str) -> Any:
    """A number of seconds (or rows a second) as exact text; floats as they print."""
    if isinstance(value, bool):
        raise UsageError(f"option '{name}' is {value}, but must be a number", option=name)
    if isinstance(value, str):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise UsageError(f"option '{name}' is {value}, but must be a finite number", option=name)
        return format(Decimal(repr(value)), "f")
    raise UsageError(f"option '{name}' is {value!r}, but must be a number", option=name)


def decimal(value: float) -> Decimal:
    """A float as it prints: 0.1 is a tenth."""
    return Decimal(repr(float(value)))


def spans(value: Any, name: str) -> Any:
    """A number of seconds, or ``{pattern: number}``."""
    if isinstance(value, Mapping):
        return {str(key): seconds(one, name) for key, one in value.items()}
    return None if value is None else seconds(value, name)


def offsets(value: Any) -> Any:
    """``{pattern: offsets}``: whole numbers are rows, floats, fractions and texts seconds."""
    if value is None:
        return None
    if hasattr(value, "tolist") and not isinstance(value, Mapping):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: offsets(one) for key, one in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"option 'offsets' is {value!r}, but must be lists of rows (integers) or seconds (floats)",
                         option="offsets")
    out = []
    for one in value:
        exact = seconds(one, "offsets")
        if isinstance(one, str):
            try:
                Fraction(one)
            except (ValueError, ZeroDivisionError):
                raise UsageError(f"option 'offsets' has {one!r}, but must be rows (integers) or seconds (floats, or "
                                 "texts such as '0.5' and '1/30')", option="offsets") from None
        # Text with a point stays seconds, however whole it is.
        out.append(exact if not isinstance(exact, str) or "/" in exact or "." in exact else exact + ".0")
    return out


_PLAIN = frozenset([str, bool, int, float, type(None)])


def plain(value: Any, of: str = "an option") -> Any:
    """Tuples, sets, ranges, arrays, the numbers of numpy and torch, and the types of these and JAX as JSON has them.
    ``of``: what has the value, for errors."""
    if isinstance(value, (list, tuple)) and _PLAIN.issuperset(map(type, value)):
        return list(value)  # ids may be many
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{of}.{k}") for k, v in value.items()}
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if isinstance(value, type) or (type(value).__module__ == "numpy" and type(value).__name__.endswith("DType")):
        import numpy
        try:
            return numpy.dtype(value).name
        except TypeError:
            raise UsageError(f"{of} has the value {value!r}, which is no type of numbers") from None
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if type(value).__module__.startswith("numpy") and hasattr(value, "name"):
        return value.name
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
        return str(value).removeprefix("torch.")
    if isinstance(value, (Fraction, Decimal)):
        return float(value)
    if hasattr(value, "__index__"):
        return value.__index__()
    if isinstance(value, Iterable):
        return [plain(one, of) for one in value]
    raise UsageError(f"{of} has {printed(value)}, which is neither number, text, list nor dict")


def listed(value: Any) -> Any:
    """One pattern, or a list of them, as a list."""
    if value is None or not isinstance(value, (str, Mapping)):
        return plain(value)
    return [plain(value)]


def printed(value: Any) -> str:
    """A value for a sentence: objects that print an address by their type."""
    bare = getattr(type(value), "__repr__", None) is object.__repr__
    return f"a value of type {type(value).__name__}" if bare else f"the value {value!r}"


def episodes(value: Any) -> Any:
    """Ids of episodes, or patterns of ids, as a list."""
    out = listed(value)
    for one in out if isinstance(out, list) else [out]:
        if isinstance(one, (int, float)):
            raise UsageError(f"option 'episodes' has {one!r}, but must be ids or patterns of ids, which are texts: "
                             "number 0 is ds.episodes.ids[0]", option="episodes")
    return out


def where(value: Any) -> Any:
    """Conditions on the values of recordings."""
    if value is not None and not isinstance(value, Mapping):
        raise UsageError(f"option 'where' is {value!r}, but must be a dict such as {{'label': 'run', 'theta': "
                         "{'min': 0.5}}", option="where")
    return value


def features(value: Any) -> dict[str, Any]:
    """``{name: patterns}``, each a list."""
    if not isinstance(value, Mapping):
        raise UsageError(f"option 'features' is {value!r}, but must be a dict of patterns, {{name: [patterns]}}",
                         option="features")
    return {str(name): listed(patterns) for name, patterns in value.items()}


def fill(value: Any) -> Any:
    """What stands in place of what was not observed, without numbers that nothing can be filled with."""
    out = plain(value)
    for one in out.values() if isinstance(out, dict) else [out]:
        if isinstance(one, float) and not math.isfinite(one):
            raise UsageError(f"option 'fill' is {one}, but must be a finite number; floats have NaN anyway where "
                             "nothing was observed, so leave it out to keep that", option="fill")
    return out


def masks(value: Any) -> Any:
    """One mask, or several; none of them is False."""
    if isinstance(value, str):
        return [value]
    out = plain(value)
    return False if out == [] else out


def whole(value: Any, name: str, least: int = -2**63, end: int = 2**63) -> int:
    """A whole number from ``least`` to below ``end``."""
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        raise UsageError(f"'{name}' is {value!r}, but must be a whole number", option=name) from None
    if number < least and least > -2**63:
        raise UsageError(f"'{name}' is {number}, but must be {least} or more", option=name)
    if not least <= number < end:
        raise UsageError(f"'{name}' is {number}, which does not fit into 64 bits", option=name)
    return number


def path(value: Any, name: str) -> str | None:
    """A path as text; None where none is given."""
    try:
        return None if value is None else os.fsdecode(value)
    except TypeError:
        raise UsageError(f"option '{name}' is {value!r}, but must be a path", option=name) from None


def members(value: Any, name: str) -> dict[str, Any]:
    """A dict's members, by text; none where none is given."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"'{name}' is {value!r}, but must be a dict", option=name)
    return {str(key): one for key, one in value.items()}


#: What options are called elsewhere.
_ELSEWHERE = {"num_workers": "threads", "seq_len": "length", "sequence_length": "length", "horizon": "length",
              "n_obs_steps": "past", "columns": "channels", "keys": "channels", "delta_timestamps": "offsets",
              "fps": "rate", "batchsize": "batch"}


def named(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which refuses options that it does not have with the nearest that it has."""
    parameters = inspect.signature(function).parameters.values()
    options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    known = {p.name for p in parameters}

    @wraps(function)
    def checked(*arguments: P.args, **given: P.kwargs) -> R:
        for name in given:
            if name not in known:
                meant = _ELSEWHERE.get(name)
                hint = f"; did you mean '{meant}'?" if meant in options else nearest(name, options)
                raise UsageError(f"there is no option '{name}'{hint}", option=name)
        return function(*arguments, **given)

    return checked


def with_options_of(source: Callable[..., Any], but: Iterable[str] = ()) -> Callable[[F], F]:
    """For a function whose ``**options`` are those of another one: its signature, as ``help`` shows it, has them by
    name. ``but``: those that it does not take."""
    def signed(function: F) -> F:
        own = inspect.signature(function)
        parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        parameters += [p for p in inspect.signature(source).parameters.values()
                       if p.kind is p.KEYWORD_ONLY and p.name not in own.parameters and p.name not in but]
        function.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return function

    return signed


def method_like(source: Callable[Concatenate[Any, Any, P], object]
                ) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """:func:`with_options_of`, for type checkers too: a method that takes itself in place of the first argument."""
    return with_options_of(source)


def maker_of(source: Callable[P, R]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """:func:`with_options_of`, for type checkers too: a function that takes all that a class does."""
    return with_options_of(source)


def seed(value: Any) -> Any:
    """A seed of 64 bits, as the library has it: torch's from 2**63 on are the same bits as a negative number."""
    if value is None or isinstance(value, bool) or not hasattr(value, "__index__"):
        return value
    number = int(value.__index__())
    if not -2**63 <= number < 2**64:
        raise UsageError(f"option 'seed' is {number}, but must be a whole number of 64 bits", option="seed")
    return number - 2**64 if 2**63 <= number < 2**64 else number


def encode(options: Mapping[str, Any]) -> bytes:
    """The JSON of the options that are set."""
    chosen = {k: plain(v, k) for k, v in options.items() if v is not None}
    try:
        return json.dumps(chosen, allow_nan=False).encode()
    except ValueError:
        for name, one in chosen.items():
            with contextlib.suppress(ValueError):
                json.dumps(one, allow_nan=False)
                continue
            raise UsageError(f"'{name}' holds a number that is not finite, which JSON cannot say",
                             option=name) from None
        raise


def plan(value: Any) -> Any:
    """A plan: the object, or the JSON in a file."""
    if not isinstance(value, (str, os.PathLike)):
        return plain(value)
    try:
        with open(value, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UsageError(f"option 'plan': {os.fspath(value)} cannot be read: {error.strerror}",
                         option="plan") from None
    except ValueError as error:
        raise UsageError(f"option 'plan': {os.fspath(value)} is no JSON: {error}", option="plan") from None


def looks_at_all(options: bytes) -> bool:
    """Whether rows have to be looked at before the first batch."""
    given = json.loads(options)
    return "windows_where" in given or "normalize" in given or isinstance(given.get("window_weights"), dict)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
