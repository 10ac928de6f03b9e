#!/usr/bin/env python3
"""Builds everything and runs every test: one line a suite, the whole output of what fails, and a closing line.

    run_tests.py                      all
    run_tests.py NAME...              only the suites whose name contains one of these: swift, fixtures, tools
    run_tests.py --only-frameworks    the loaders in the loops of other frameworks; builds nothing
    run_tests.py --only-engines       tasks of jobs on Ray, Dask, Spark, Beam and datatrove; builds nothing

The frameworks run with all others where .venv-frameworks is there, and in CI, where it is made if pip finds torch.

Logs and JUnit files stay in build/tests. Exits with 1 when anything fails.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "tests"


def counts(junit):
    """Passed, failed and skipped of a JUnit file; a file that is not there counts as one failure."""
    try:
        cases = list(ElementTree.parse(junit).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return 0, 1, 0
    failed = sum(any(child.tag in ("failure", "error") for child in case) for case in cases)
    skipped = sum(any(child.tag == "skipped" for child in case) for case in cases)
    return len(cases) - failed - skipped, failed, skipped


def together(*steps):
    """Runs steps at the same time; passed, failed, skipped of each."""
    if sys.stdout.isatty():
        print(f"{' and '.join(name for name, *_ in steps)} ..."[:79].ljust(79), end="\r", flush=True)
    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(lambda some: step(*some), steps))


def step(name, command, junit=None):
    """Runs a command into a log; says how it went; returns passed, failed, skipped."""
    log = OUT / (name.replace(" ", "-").replace("/", "-") + ".log")
    began = time.monotonic()
    environment = {**os.environ, "TRAJPACK_BIN": str(ROOT / ".build" / "release"), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as file:
        code = subprocess.run(
            [str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            env=environment).returncode
    passed, failed, skipped = counts(junit) if junit else (0, 0, 0)
    if code != 0 and failed == 0:
        failed = 1
    outcome = "ok" if not junit and not failed else f"{passed} passed, {failed} failed" if junit else "failed"
    if skipped:
        outcome += f", {skipped} skipped"
    said = f"{name:<30}{outcome:<36}{time.monotonic() - began:6.0f} s"
    if failed:
        said += f"\n\n--- {log.relative_to(ROOT)}\n{shown(log)}\n---\n"
    print(said, flush=True)
    return passed, failed, skipped


FRAMEWORKS = ROOT / ".venv-frameworks" / "bin" / "python"


def frameworks():
    """Tests the loaders in other people's loops; passed, failed, skipped."""
    name, junit = "frameworks", OUT / "frameworks.xml"
    if not (FRAMEWORKS.parents[1] / ".requirements").exists():
        why = "'make frameworks' installs torch and the others, and runs them"
        if os.environ.get("CI"):
            done = subprocess.run([ROOT / "tools" / "setup.sh", "--frameworks"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said = [line for line in done.stdout.splitlines() if "ERROR" in line] or done.stdout.splitlines()[-1:]
            why = said[-1] if done.returncode and said else ""
        if why:
            print(f"{name:<30}not run: {why}", flush=True)
            return 0, 0, 0
    folder = Path("tools") / "python" / "tests"
    return together((name, [FRAMEWORKS, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}",
                            folder / "frameworks", folder / "test_frameworks.py"], junit))[0]


def engines():
    """Tests the engines of `make engines`; passed, failed, skipped."""
    junit = OUT / "engines.xml"
    python = ROOT / ".venv-engines" / "bin" / "python"
    return together(("engines", [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}",
                                 Path("tools") / "python" / "tests" / "engines"], junit))[0]


def shown(log):
    """A log without the lines of what passed."""
    lines = [line for line in log.read_text(errors="replace").splitlines()
             if not line.startswith(("◇", "✔", "Test Case", "[")) and " PASSED" not in line]
    return "\n".join(lines[-400:])


def pytest(name, places):
    """A suite of pytest: its name, command and JUnit file."""
    junit = OUT / f"{name.replace('/', '-').replace(' ', '-')}.xml"
    return (f"pytest {name}", [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}",
                               *places], junit)


def main():
    wanted = sys.argv[1:]
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.xml"):
        old.unlink()
    if wanted in (["--only-frameworks"], ["--only-engines"]):
        passed, failed, skipped = frameworks() if wanted == ["--only-frameworks"] else engines()
        print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        return 1 if failed or not passed else 0
    suites = [[("swift test", ["swift", "test", "--disable-xctest", "--skip-build", "--xunit-output", OUT / "swift.xml"],
                OUT / "swift.xml")],
              [pytest("fixtures", ["fixtures"])],
              # Two at a time: most of these tests wait for one small program after the other.
              [pytest(f"tools/tests {part + 1} of 2", sorted((ROOT / "tools" / "tests").rglob("test_*.py"))[part::2])
               for part in range(2)],
              # Alone: some of these have deadlines.
              [pytest("tools/python/tests", ["tools/python/tests"])]]
    suites = [some for some in suites if not wanted or any(w in suite[0] for w in wanted for suite in some)]

    # The Swift tests are built for debugging, where every check is on; what Python drives is what users run.
    for name, command in (("swift build", ["swift", "build", "--build-tests"]),
                          ("swift build -c release", ["swift", "build", "-c", "release"])):
        [(_, failed, _)] = together((name, command))
        if failed:
            print("0 passed, 1 failed")
            return 1
    results = [result for some in suites for result in together(*some)]
    if not wanted:
        results += together(("make check", ["tools/check.sh"]))
    if not wanted:
        results.append(frameworks())
    passed, failed, skipped = (sum(column) for column in zip(*results, strict=True)) if results else (0, 1, 0)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
