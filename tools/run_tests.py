#!/usr/bin/env python3
"""Builds everything and runs every test: one line a suite, the whole output of what fails, and a closing line.

    run_tests.py                      all
    run_tests.py NAME...              only the suites whose name contains one of these: swift, fixtures, tools
    run_tests.py --only-frameworks    the loaders in the loops of other frameworks; builds nothing

These last run with all others where .venv-frameworks is there, and in CI, where it is made if pip finds torch.

Logs and JUnit files stay in build/tests. Exits with 1 when anything fails.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
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


def step(name, command, junit=None):
    """Runs a command into a log; says how it went; returns passed, failed, skipped."""
    print(f"{name:<24}", end="", flush=True)
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
    print(f"{outcome:<30}{time.monotonic() - began:6.0f} s", flush=True)
    if failed:
        print(f"\n--- {log.relative_to(ROOT)}\n{shown(log)}\n---\n", flush=True)
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
            print(f"{name:<24}not run: {why}", flush=True)
            return 0, 0, 0
    folder = Path("tools") / "python" / "tests"
    return step(name, [FRAMEWORKS, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}",
                       folder / "frameworks", folder / "test_frameworks.py"], junit)


def shown(log):
    """A log without the lines of what passed."""
    lines = [line for line in log.read_text(errors="replace").splitlines()
             if not line.startswith(("◇", "✔", "Test Case", "[")) and " PASSED" not in line]
    return "\n".join(lines[-400:])


def main():
    wanted = sys.argv[1:]
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.xml"):
        old.unlink()
    if wanted == ["--only-frameworks"]:
        passed, failed, skipped = frameworks()
        print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        return 1 if failed or not passed else 0
    suites = [("swift test", ["swift", "test", "--disable-xctest", "--skip-build", "--xunit-output", OUT / "swift.xml"],
               OUT / "swift.xml")]
    for folder in ("fixtures", "tools/tests", "tools/python/tests"):
        if (ROOT / folder).is_dir():
            junit = OUT / f"{folder.replace('/', '-')}.xml"
            suites.append((
                f"pytest {folder}",
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", folder], junit))
    suites = [s for s in suites if not wanted or any(w in s[0] for w in wanted)]

    # The Swift tests are built for debugging, where every check is on; what Python drives is what users run.
    for name, command in (("swift build", ["swift", "build", "--build-tests"]),
                          ("swift build -c release", ["swift", "build", "-c", "release"])):
        _, failed, _ = step(name, command)
        if failed:
            print("0 passed, 1 failed")
            return 1
    results = [step(*suite) for suite in suites]
    if not wanted:
        results.append(step("make check", ["tools/check.sh"]))
    if not wanted:
        results.append(frameworks())
    passed, failed, skipped = (sum(column) for column in zip(*results, strict=True)) if results else (0, 1, 0)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
