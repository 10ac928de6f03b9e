#!/usr/bin/env python3
"""Runs `trajpack validate` over samples of other software's files, and compares what it finds with a committed list.

The list (samples-findings.json beside this file) has for each path below the folder of samples the options, every finding as
[rule, stream/channel or null, count], and why it is there: the samples are odd on purpose. A finding that is not in the list, and
one that is no longer found, are differences.

    samples_findings.py SAMPLES [--list FILE] [--program .build/release/trajpack] [--update]
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def findings(program: str, path: Path, options: list[str]) -> list[list[Any]] | str:
    """What is found, or the sentence by which the path is refused."""
    done = subprocess.run([program, "validate", "--json", "-q", path, *options], capture_output=True, text=True,
                          check=False, timeout=600)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        return done.stderr.strip().splitlines()[-1].replace(str(path), "PATH") if done.stderr else f"exit {done.returncode}"
    out = json.loads(done.stdout)
    return sorted([f["rule"], "/".join(w for w in (f.get("stream"), f.get("channel")) if w) or None, f["count"]]
                  for f in out["findings"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--list", type=Path, default=Path(__file__).with_suffix("").parent / "samples-findings.json")
    parser.add_argument("--program", default=str(ROOT / ".build/release/trajpack"))
    parser.add_argument("--update", action="store_true", help="write what is found into the list; reasons stay")
    options = parser.parse_args()
    known: dict[str, Any] = json.loads(options.list.read_text())
    differences = 0
    for name, entry in known.items():
        found = findings(options.program, options.samples / name, entry.get("options", []))
        key = "refused" if isinstance(found, str) else "findings"
        if found == entry.get(key):
            continue
        differences += 1
        print(f"{name}: expected {entry.get('findings', entry.get('refused'))}, found {found}")
        if options.update:
            entry.pop("refused", None)
            entry.pop("findings", None)
            entry[key] = found
    if options.update:
        options.list.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(known)} samples, {differences} other than the list")
    return 1 if differences and not options.update else 0


if __name__ == "__main__":
    sys.exit(main())
