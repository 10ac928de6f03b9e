#!/usr/bin/env python3
"""Writes what the tables of options say: the lists of options in the C headers, and the help of Loader in loader.py.

    generate_options.py [--library PATH]            write them
    generate_options.py [--library PATH] --check    exit 1 where a file is not what the tables say

The tables are in Swift (LoaderOptions.table and others); tp_options_schema of the built library gives them as JSON Schema.
Without --library it is that of the debug or the release build, whichever is newer.
"""
import argparse
import ctypes
import json
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADERS = [ROOT / "Sources" / "CTrajpack" / "include" / name for name in ("trajpack.h", "trajpack_write.h")]
LOADER = ROOT / "tools" / "python" / "src" / "trajpack" / "loader.py"
WIDTH = 120
#: What Python calls otherwise.
RENAMED = {"world": "world_size"}
#: Types that a schema of JSON does not say.
TAKES = {("python", "duration"): "float | Fraction | str", ("python", "plan"): "dict | path",
         ("python", "windows_where"): "dict | Test", ("python", "window_weights"): "array | [array] | dict | Number",
         ("python", "features"): "{name: str | [str]}", ("c", "features"): "{name: text | [text]}"}
#: Longer lists of names are in the text.
MOST_NAMES = 8
WORDS = {"c": {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "array": "[..]",
               "object": "{..}"},
         "python": {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "array": "list",
                    "object": "dict"}}


def newest_library():
    built = [p for p in (ROOT / ".build" / kind / "libtrajpack-c.so" for kind in ("debug", "release")) if p.exists()]
    if not built:
        sys.exit("generate_options.py: no library is built; run 'swift build' first, or name one with --library")
    return max(built, key=lambda p: p.stat().st_mtime)


def schema(library, of):
    """The JSON Schema of the options of something."""
    text = ctypes.c_void_p()
    library.tp_options_schema.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    library.tp_text_free.argtypes = [ctypes.c_void_p]
    if library.tp_options_schema(of.encode(), ctypes.byref(text), None) != 0:
        sys.exit(f"generate_options.py: the library knows no options of '{of}'")
    try:
        return json.loads(ctypes.string_at(text.value))
    finally:
        library.tp_text_free(text)


def value(one, language):
    if isinstance(one, float) and one.is_integer():
        one = int(one)
    return str(one) if language == "python" and isinstance(one, bool) else json.dumps(one)


def takes(rule, language):
    """What values a schema allows, for people."""
    words = WORDS[language]
    if "anyOf" in rule:
        first, *others = rule["anyOf"]
        said = [takes(first, language)]
        for other in others:
            if other.get("additionalProperties") == first:
                said.append("{pattern: one of these}" if 0 < len(first.get("enum", "")) < MOST_NAMES else "{pattern: either}" if "anyOf" in first
                            else f"{{pattern: {takes(first, language)}}}")
            else:
                said.append(takes(other, language))
        return " | ".join(said)
    if "enum" in rule or "const" in rule:
        names = rule.get("enum", [rule.get("const")])
        return " | ".join(value(one, language) for one in names) if len(names) < MOST_NAMES else words["string"]
    if isinstance(rule["type"], list):
        return " | ".join(words[kind] for kind in rule["type"])
    if rule["type"] == "array" and "items" in rule:
        return f"[{takes(rule['items'], language)}]"
    if rule["type"] == "object" and "additionalProperties" in rule:
        return f"{{pattern: {takes(rule['additionalProperties'], language)}}}"
    said = words[rule["type"]]
    if "minimum" in rule:
        said += f" from {rule['minimum']}"
        most = rule["maximum"]
        said += f" to {most}" if most <= 1 << 16 or most & (most - 1) else f" to 2^{most.bit_length() - 1}"
    return said + " above 0" * ("exclusiveMinimum" in rule)


def described(name, rule, names, language):
    """(what values an option takes, what it means)."""
    said = TAKES.get((language, name)) or takes(rule, language)
    note = rule.get(f"x-{language}", "")
    if "default" in rule and not note.startswith("By default"):
        said += f", default {value(rule['default'], language)}"

    def code(match):
        inner = match[1]
        if language == "c":
            return f'"{inner}"' if inner in names else inner
        return f"``{RENAMED.get(inner, {'true': 'True', 'false': 'False'}.get(inner, inner))}``"

    text = " ".join(part for part in (rule["description"], note) if part)
    return said, re.sub(r"`([^`]+)`", code, re.sub(r"(:\w+:)`([^`]+)`", r"\1\0\2\0", text)).replace("\0", "`")


def groups(table):
    """[(heading, {name: rule})]"""
    found = {}
    for name, rule in table["properties"].items():
        found.setdefault(rule.get("x-group", ""), {})[name] = rule
    return list(found.items())


def wrapped(text, indent, first=None):
    return textwrap.wrap(text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
                         break_long_words=False, break_on_hyphens=False)


def comment(table, loader):
    """The options as lines of a comment in C; those that are the loader's by their names alone."""
    lines = []
    same = [name for name, rule in table["properties"].items() if rule["description"] ==
            loader["properties"].get(name, {}).get("description")] if table is not loader else []
    if same:
        lines += wrapped(", ".join(f'"{name}"' for name in same) + " as for tp_loader_create.", "//   ")
    for heading, options in groups(table):
        lines += [*(["//"] if lines else []), *([f"//   {heading}"] if heading else [])]
        for name, rule in options.items():
            if name in same:
                continue
            said, text = described(name, rule, table["properties"], "c")
            first = f'//   "{name}"'
            lines += wrapped(f"{said}. {text}", "//                ", first.ljust(18) + " " * (len(first) > 17))
    return "\n".join(lines) + "\n"


def docstring(table):
    """The options as a part of the docstring of a class."""
    lines = []
    for heading, options in groups(table):
        lines += [f"    {heading}:", ""]
        for name, rule in options.items():
            said, text = described(name, rule, table["properties"], "python")
            lines += [f"    {RENAMED.get(name, name)} : {said}", *wrapped(text, " " * 8)]
        lines.append("")
    return "\n".join(lines) + "\n"


def files(library):
    """{path: its text as the tables have it}"""
    out = {}
    loader = schema(library, "loader")
    for path in HEADERS:
        out[path] = re.sub(
            r"(?m)^(// Options of (\w+), written by \S+:\n)(?://.*\n)*?(// End of options\n)",
            lambda m: m[1] + comment(loader if m[2] == "loader" else schema(library, m[2]), loader) + m[3], path.read_text())
    text = LOADER.read_text()
    start = text.index(f"    {groups(loader)[0][0]}:\n")
    end = text.index("    Raises ``UsageError`` for options that cannot be")
    out[LOADER] = text[:start] + docstring(loader).replace("\\", "\\\\") + text[end:]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    library = ctypes.CDLL(str(given.library or newest_library()))
    stale = {path: text for path, text in files(library).items() if path.read_text() != text}
    if given.check and stale:
        sys.exit(f"{', '.join(str(p.relative_to(ROOT)) for p in stale)}: not what the tables of options say; run "
                 "tools/python/generate_options.py")
    for path, text in stale.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
