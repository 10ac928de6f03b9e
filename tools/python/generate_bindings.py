#!/usr/bin/env python3
"""Writes src/trajpack/_bindings.py from the C headers: structures, constants, and the types of every function.

    generate_bindings.py            write it
    generate_bindings.py --check    exit 1 where the file is not what the headers say

A ``const char *`` argument is a text; every other pointer to numbers is an address (``c_void_p`` takes an address, a
ctypes array and ``byref``), a pointer to a structure is typed, and ``T **`` gives a handle or a text out.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "Sources" / "CTrajpack" / "include"
HEADERS = ["trajpack.h", "trajpack_signal.h", "trajpack_evaluate.h", "trajpack_write.h"]
OUT = Path(__file__).resolve().parent / "src" / "trajpack" / "_bindings.py"
NUMBERS = {"int32_t": "c_int32", "int64_t": "c_int64", "uint32_t": "c_uint32", "uint64_t": "c_uint64",
           "uint8_t": "c_uint8", "size_t": "c_size_t", "double": "c_double", "float": "c_float"}
CTYPES = ["POINTER", "Structure", "c_char", "c_char_p", *sorted(set(NUMBERS.values()) - {"c_uint8", "c_float"}), "c_void_p"]
IDENTIFIER = r"[A-Za-z_]\w*"


def stripped(text):
    """C without comments, macros for nullability and the preprocessor."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r'extern "C" \{', " ", re.sub(r"^\s*#[^\n]*$", " ", text, flags=re.M))
    return re.sub(r"\bTP_SIGNAL_NULLABLE\b|\b_N\w+able\b", " ", text)


def constants(text):
    """Names and values of macros that are numbers and of enumerations."""
    found = re.findall(r"^#define (\w+) (\d+)\s*$", text, re.M)
    for body in re.findall(r"\benum\b[^{;]*\{(.*?)\}", stripped(text), re.S):
        found += re.findall(r"(\w+)\s*=\s*(\d+)", body)
    return found


def python_name(name):
    """tp_batch_view -> BatchView, tpw_column -> Column, tp_signal_input -> SignalInput."""
    return "".join(part.capitalize() for part in name.split("_")[1:])


def declarators(declaration):
    """(type without qualifiers, number of stars, name, array length or None) of each name of a declaration."""
    declaration = re.sub(r"\b(const|struct)\b", " ", declaration)
    first, *others = [part.strip() for part in declaration.split(",")]
    match = re.fullmatch(rf"({IDENTIFIER})\s*([\s*]*)({IDENTIFIER})\s*(?:\[(\d+)\])?", first)
    if not match:
        raise SystemExit(f"generate_bindings.py: cannot read the declaration '{declaration.strip()}'")
    kind, stars, name, length = match.groups()
    out = [(kind, stars.count("*"), name, length)]
    for other in others:
        stars, name = re.fullmatch(rf"([\s*]*)({IDENTIFIER})", other).groups()
        out.append((kind, stars.count("*"), name, None))
    return out


def field_type(kind, stars, length):
    if stars:
        return "c_char_p" if kind == "char" else "c_void_p"
    if kind == "char":
        return f"c_char * {length}"
    return NUMBERS[kind]


def argument_type(declaration, structures, functions):
    kind, stars = declarators(declaration)[0][:2]
    if kind in functions:
        return "c_void_p"
    if stars == 0:
        return NUMBERS[kind]
    if stars == 2:
        return "POINTER(c_void_p)" if kind not in NUMBERS or kind == "uint8_t" else "c_void_p"
    if kind in structures:
        return f"POINTER({python_name(kind)})"
    return "c_char_p" if kind == "char" and re.search(r"\bconst\b", declaration) else "c_void_p"


def result_type(kind, stars, is_const):
    if stars:
        return "c_char_p" if kind == "char" and is_const else "c_void_p"
    return "None" if kind == "void" else NUMBERS[kind]


def generated():
    texts = {name: (INCLUDE / name).read_text() for name in HEADERS}
    structures = {}
    functions = {name for text in texts.values() for name in re.findall(r"typedef \w+ \(\*(\w+)\)", stripped(text))}
    for text in texts.values():
        for body, name in re.findall(rf"typedef struct\s*(?:{IDENTIFIER})?\s*\{{(.*?)\}}\s*({IDENTIFIER})\s*;",
                                     stripped(text), re.S):
            fields = [d for line in body.split(";") if line.strip() for d in declarators(line)]
            structures[name] = [(n, field_type(kind, stars, length)) for kind, stars, n, length in fields]
    lines = ['"""What the C headers declare. Written by tools/python/generate_bindings.py; do not edit."""',
             "from __future__ import annotations", "",
             "from ctypes import (", *(f"    {name}," for name in CTYPES), ")", "from typing import Any", ""]
    for header, text in texts.items():
        lines += [f"# {header}"] + [f"{name} = {value}" for name, value in constants(text)]
    for name, fields in structures.items():
        lines += ["", "", f"class {python_name(name)}(Structure):", f'    """{name}"""', "", "    _fields_ = ["]
        lines += [f'        ("{n}", {kind}),' for n, kind in fields]
        lines += ["    ]", "    #: Objects whose memory the fields point into.", "    keep: Any"]
    for header, text in texts.items():
        lines += ["", "", f"#: The functions of {header}: result, arguments.",
                  f"{Path(header).stem.upper()}: dict[str, tuple[Any, list[Any]]] = {{"]
        pattern = rf"(const\s+)?({IDENTIFIER})\s*([\s*]*)\b(tpw?_\w+)\s*\(([^()]*)\)\s*;"
        for const, kind, stars, name, arguments in re.findall(pattern, stripped(text)):
            types = [] if arguments.strip() in ("", "void") else [
                argument_type(a, structures, functions) for a in arguments.split(",")]
            line = f'    "{name}": ({result_type(kind, stars.count("*"), bool(const))}, ['
            indent = " " * 8
            if len(line) + len(", ".join(types)) + 3 <= 120:
                lines.append(line + ", ".join(types) + "]),")
                continue
            lines.append(line)
            row = indent
            for number, some in enumerate(types):
                piece = some + ("," if number < len(types) - 1 else "")
                if len(row) + len(piece) > 118:
                    lines.append(row.rstrip())
                    row = indent
                row += piece + " "
            lines += [row.rstrip(), "    ]),"]
        lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = generated()
    if "--check" in sys.argv[1:]:
        if not OUT.exists() or OUT.read_text() != text:
            sys.exit("src/trajpack/_bindings.py is not what the headers say; run tools/python/generate_bindings.py")
    else:
        OUT.write_text(text)
