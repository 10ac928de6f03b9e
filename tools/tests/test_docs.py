"""Runs the documentation: every block marked bash, python or console, in order, in a folder of its own a document.

The folder holds copies of fixtures, `recordings` (WildWorld layout), `series` and `predictions`; the built trajpack and this
Python are on the PATH.

  bash     is run line by line as written (a command may go on with a backslash); every command must succeed
  python   is run in the interpreter that ran the python blocks before it in the document
  console  lines after `$ ` are run, and what follows must be what they print; a line `...` stands for any lines, and
           `exit N` for the exit code of a command that fails. Sizes and digests depend on the version of zstd and are
           not compared.
  sh       is not run (it would build or fetch); the make targets in it must exist

TRAJPACK_DOCS=update writes what the console commands print into the documents instead.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "schemas").glob("*.md"),
                *(ROOT / "tools").glob("python/*.md"), ROOT / "fixtures" / "README.md"] if p.exists())
UPDATE = os.environ.get("TRAJPACK_DOCS") == "update"
FENCE = re.compile(r"^( *)```(\w*)\s*$")
VARIES = [
    (re.compile(r"[\d.,]+ (B|KiB|MiB|GiB|%)(?=\W|$)"), r"# \1"), (re.compile(r"\bbyte \d+"), "byte #"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "#"), (re.compile(r" +"), " ")]


def blocks(path):
    """The fenced blocks of a document: language, number of the first line inside, lines."""
    found, inside = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if inside is None and line.lstrip().startswith("```"):
            inside = (fence.group(2) if fence else "", number + 1, [])
        elif inside is not None and line.strip() == "```":
            found.append(inside)
            inside = None
        elif inside is not None:
            inside[2].append(line)
    assert inside is None, f"{path}: the block that begins at line {inside[1]} has no end"
    return found


def built():
    """The folder of the program that the documents are about."""
    folders = [os.environ.get("TRAJPACK_BIN", ""), ROOT / ".build" / "release", ROOT / ".build" / "debug"]
    found = [Path(f).resolve() / "trajpack" for f in folders if f and (Path(f) / "trajpack").exists()]
    if not found:
        pytest.fail("trajpack is not built; run 'make build'")
    return found[0].parent if os.environ.get("TRAJPACK_BIN") else max(found, key=lambda p: p.stat().st_mtime).parent


def surroundings():
    """The environment of what is run."""
    environment = {
        **os.environ, "PATH": f"{built()}:{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1",
        "TRAJPACK_PROGRAM": str(built() / "trajpack"), "CHECKOUT": str(ROOT), "TRAJPACK_PYTHON": sys.executable,
        "COLUMNS": "200", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT / "tools" / "python" / "src")}
    environment.pop("CI", None)
    library = built() / "libtrajpack-c.so"
    if "TRAJPACK_LIBRARY" not in environment and library.exists():
        environment["TRAJPACK_LIBRARY"] = str(library)
    return environment


def run(command, folder):
    done = subprocess.run(
        command, cwd=folder, env=surroundings(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=300)
    return done.returncode, done.stdout


def commands(lines, first, prompt=""):
    """Shell commands with the number of their first line; a backslash at the end joins a line with the next."""
    found, joined = [], False
    for number, line in enumerate(lines, first):
        if joined:
            found[-1][1] += "\n" + line
        elif line.startswith(prompt) and line.strip():
            found.append([number, line[len(prompt):]])
        joined = line.endswith("\\") and (joined or line.startswith(prompt))
    return found


def bare(line):
    for pattern, with_what in VARIES:
        line = pattern.sub(with_what, line)
    return line.rstrip()


def agree(expected, printed):
    """Whether lines agree; '...' stands for any number of lines."""
    if not expected:
        return not printed
    if expected[0].strip() == "...":
        return any(agree(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and bare(expected[0]) == bare(printed[0]) and agree(expected[1:], printed[1:])


def run_bash(path, first, lines, folder):
    for number, command in commands(lines, first):
        if command.lstrip().startswith("#"):
            continue
        code, printed = run(["bash", "-euo", "pipefail", "-c", command], folder)
        assert code == 0, f"{path}:{number}: exit {code}\n  {command}\n{printed}"


def run_console(path, first, lines, folder):
    """Runs a console block; returns the lines that it should have."""
    out, at = [], 0
    starts = commands(lines, first, "$ ")
    assert starts and starts[0][0] == first, f"{path}:{first}: a console block begins with '$ '"
    for i, (number, command) in enumerate(starts):
        at = number - first
        length = command.count("\n") + 1
        end = starts[i + 1][0] - first if i + 1 < len(starts) else len(lines)
        expected = lines[at + length:end]
        code, printed = run(["bash", "-euo", "pipefail", "-c", command], folder)
        found = [line.rstrip() for line in printed.splitlines()] + ([f"exit {code}"] if code else [])
        good = agree(expected, found)
        if not UPDATE:
            assert good, (f"{path}:{number}: $ {command}\n--- the document says\n" + "\n".join(expected)
                          + "\n--- it prints\n" + "\n".join(found))
        out += lines[at:at + length] + (expected if good else found)
    return out


class Interpreter:
    """The Python that a document's blocks are run in, one after the other."""

    SERVE = """if True:
        import faulthandler, json, sys, traceback
        names = {"__name__": "__main__"}
        for line in sys.stdin:
            path, code = json.loads(line)
            faulthandler.dump_traceback_later(300, exit=True)
            try:
                exec(compile(code, path, "exec"), names)
                print("\\n\\0good", flush=True)
            except BaseException:
                traceback.print_exc()
                print("\\n\\0bad", flush=True)
            faulthandler.cancel_dump_traceback_later()
    """

    def __init__(self, start, folder):
        self.process = start(
            [sys.executable, "-c", self.SERVE], cwd=folder, env=surroundings(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, path, first, lines):
        code = "\n" * (first - 1) + "\n".join(lines)
        self.process.stdin.write(json.dumps([str(path), code]) + "\n")
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line.startswith("\0"):
                break
            printed.append(line)
        assert printed and line == "\0good\n", f"{path}:{first}: python block\n{''.join(printed)}"

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks(path, start, tmp_path):
    shown = path.relative_to(ROOT)
    shutil.copytree(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path / "recordings")
    shutil.copytree(ROOT / "fixtures" / "series", tmp_path / "series")
    shutil.copytree(ROOT / "fixtures" / "predictions", tmp_path / "predictions")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    interpreter, edits = None, []
    for language, first, lines in blocks(path):
        if language == "bash":
            run_bash(shown, first, lines, tmp_path)
        elif language == "console":
            edits.append((first, len(lines), run_console(shown, first, lines, tmp_path)))
        elif language == "python":
            interpreter = interpreter or Interpreter(start, tmp_path)
            interpreter.run(shown, first, lines)
        elif language == "sh":
            for target in re.findall(r"^make ([a-z]+)", "\n".join(lines), re.M):
                assert target in targets, f"{shown}:{first}: the Makefile has no target '{target}'"
    if interpreter:
        interpreter.end()
    if UPDATE:
        document = path.read_text().splitlines()
        for first, count, lines in reversed(edits):
            document[first - 1:first - 1 + count] = lines
        path.write_text("\n".join(document) + "\n")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links(path):
    """Every link to a file of the repository leads somewhere, and every anchor to a heading."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.relative_to(ROOT)}: {target} leads nowhere"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ +(.*)$", file.read_text(), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, f"{path.relative_to(ROOT)}: {target} names no heading"


def test_every_option_of_convert_is_explained():
    """The guides leave no option of `trajpack convert` out."""
    code, helped = run(["trajpack", "convert", "--help"], ROOT)
    assert code == 0
    guide = "".join((ROOT / "docs" / name).read_text() for name in (
        "convert.md", "series.md", "splits.md", "values.md", "formats/tree.md"))
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", helped, re.M)) - {"--help", "--color", "--quiet"}
    assert len(options) > 8, f"--help lists only {options}"
    assert not (missing := sorted(o for o in options if o not in guide)), f"the guides do not explain {missing}"


def test_every_option_of_evaluate_is_explained():
    """The guide leaves no option of `trajpack evaluate` out, and names every suite."""
    code, helped = run(["trajpack", "evaluate", "--help"], ROOT)
    assert code == 0
    guide = (ROOT / "docs" / "evaluate.md").read_text()
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", helped, re.M)) - {"--help", "--color", "--quiet"}
    assert len(options) > 20, f"--help lists only {options}"
    assert not (missing := sorted(o for o in options if o not in guide)), f"the guide does not explain {missing}"


@pytest.mark.skipif(UPDATE, reason="an update compares nothing")
def test_test_can_fail(start, tmp_path):
    """The runner above finds a wrong line, a wrong output and a broken script."""
    with pytest.raises(AssertionError, match="x.md:4: exit 1"):
        run_bash("x.md", 3, ["true", "false"], tmp_path)
    with pytest.raises(AssertionError, match="it prints"):
        run_console("x.md", 1, ["$ echo one", "two"], tmp_path)
    with pytest.raises(AssertionError, match="x.md:1: python block"):
        Interpreter(start, tmp_path).run("x.md", 1, ["raise ValueError(1)"])
    assert run_console("x.md", 1, ["$ echo one; echo two; exit 3", "...", "two", "exit 3"], tmp_path)
