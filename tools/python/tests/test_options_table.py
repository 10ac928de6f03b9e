"""The tables of options that the library has: the lists in the headers, the help and the signatures of Python follow them."""
from __future__ import annotations

import ctypes
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import trajpack
from trajpack import _bindings, _ffi
from trajpack._statistics import Statistics

ROOT = Path(__file__).resolve().parents[3]
TABLES = ["loader", "statistics", "split", "frames", "writer"]
#: Values of every type, of which an option takes some.
VALUES: list[Any] = [
    True, -1, 0, 1, 3, 2**25, 2**51, 0.5, 1.5, -0.5, 8.0, "", "x", "1/3", "2.5", "none", "global", "auto", "float32", "all",
    "standard", "gray8", "THWC", "first", "skip", "pad", "clamp", [], ["*"], ["observed"], [0, 1], [1, 2, 3, 4], [{}], {},
    {"*": 1}, {"*": "x"}, {"*": [1]}, {"*": ["1/2"]}, {"*": "linear"}, {"*": {"method": "minmax"}}, {"*": "int8"},
    {"min": 1}, {"label": ["a"]}, {"channel": "a", "mean": 1}, {"channel": "a", "statistic": "mean"}, {"steps": []},
    [{"kind": "quaternion"}], [{"kind": "x"}], [{"episode": "a", "start": 0, "rows": 3, "rate": 1}], {"x": {"y": 1}}]


def schema(of: str) -> dict[str, Any]:
    found: dict[str, Any] = _ffi.text("tp_options_schema", of.encode())
    return found


def parsed(options: dict[str, Any]) -> tuple[str, str]:
    """(sentence, place) of making a loader of nothing, which fails behind its options."""
    error = _bindings.Error()
    status = _ffi.library().tp_loader_create((ctypes.c_void_p * 1)(), 0, json.dumps(options).encode(), ctypes.byref(ctypes.c_void_p()),
                                             ctypes.byref(error))
    assert status == _bindings.TP_ERROR_USAGE
    return error.message.decode(), json.loads(error.place or b"{}").get("option", "")


def test_options_that_two_tables_share_have_one_default() -> None:
    loader, statistics = schema("loader")["properties"], schema("statistics")["properties"]
    shared = [name for name, rule in statistics.items() if rule["description"] == loader.get(name, {}).get("description")]
    assert "threads" in shared and statistics["threads"]["default"] == 0
    assert all(statistics[name].get("default") == loader[name].get("default") for name in shared)


@pytest.mark.parametrize("of", TABLES)
def test_each_table_is_a_json_schema(of: str) -> None:
    found = schema(of)
    Draft202012Validator.check_schema(found)
    assert found["additionalProperties"] is False
    for name, rule in found["properties"].items():
        assert rule["description"].strip() == rule["description"] != "", name
        assert "default" not in rule or Draft202012Validator(rule).is_valid(rule["default"]), name


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(trajpack.UsageError, match="no options of 'loder'; did you mean 'loader'"):
        schema("loder")


def test_the_headers_and_the_help_are_what_the_tables_say() -> None:
    subprocess.run([sys.executable, ROOT / "tools/python/generate_options.py", "--check", "--library", _ffi.find()],
                   check=True)


def test_a_change_of_the_table_is_seen() -> None:
    """So the check above can fail: a header without an option is not what the tables say."""
    sys.path.insert(0, str(ROOT / "tools/python"))
    try:
        import generate_options
    finally:
        sys.path.pop(0)
    table = schema("loader")
    assert '//   "length"     integer from 1 to 2^24. Rows of' in (whole := generate_options.comment(table, table))
    assert "    length : int from 1 to 2^24\n" in generate_options.docstring(table)
    del table["properties"]["length"]
    assert generate_options.comment(table, table) != whole


@pytest.mark.parametrize(("function", "of", "renamed", "own"), [
    (trajpack.Loader.__init__, "loader", {"world": "world_size"}, set()),
    (Statistics.__call__, "statistics", {}, set()),
    (trajpack.Writer.__init__, "writer", {"new": "mode"},
     {"rate", "schema", "channels", "streams", "skeletons", "attributes", "values"}),
])
def test_python_takes_the_options_of_the_table(function: Any, of: str, renamed: dict[str, str], own: set[str]) -> None:
    """By their names; what is not given is None, so that defaults are the library's."""
    options = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert options.keys() - own == {renamed.get(name, name) for name in schema(of)["properties"]}
    assert {name for name, default in options.items() if default is not None} <= {"mode"}


@pytest.mark.parametrize("name", schema("loader")["properties"])
def test_the_schema_takes_what_the_loader_takes(name: str) -> None:
    validator = Draft202012Validator(schema("loader"))
    taken = 0
    for value in VALUES:
        sentence, place = parsed({name: value})
        if place == name:
            assert f"'{name}" in sentence or "clip" in sentence or name in ("windows_where", "plan"), sentence
        else:
            taken += 1
            assert validator.is_valid({name: value}), (name, value, sentence)
    assert 0 < taken < len(VALUES), name


@pytest.mark.parametrize("name", [n for n, rule in schema("loader")["properties"].items() if "default" in rule])
def test_a_default_is_what_is_so_without_the_option(name: str, wildworld: str) -> None:
    rule = schema("loader")["properties"][name]
    dataset = trajpack.open(wildworld)
    base: dict[str, Any] = {"length": 4, "channels": ["camera"]}

    def described(options: dict[str, Any]) -> dict[str, Any]:
        pointer = ctypes.c_void_p()
        _ffi.call("tp_loader_create", ctypes.byref(dataset._pointer), 1, json.dumps(options).encode(), ctypes.byref(pointer))
        try:
            found: dict[str, Any] = _ffi.text("tp_loader_describe", pointer)
        finally:
            _ffi.library().tp_loader_free(pointer)
        return {key: value for key, value in found.items() if key not in ("options", "digest")}

    assert described({**base, name: rule["default"]}) == described(base)
