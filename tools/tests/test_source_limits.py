"""Small sources that would take much memory or disk are refused by a named limit, in flat memory."""
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BOUND = 220 << 10       # KiB; a process that has read a small file takes some 20 MB


def run(trajpack, source, out, *options, environment=None):
    """Converts; says the exit code, what was said, and the most memory that was in use, in KiB: a process of its own
    asks for its child's, because a child begins with its parent's."""
    ask = ("import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; "
           "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run(
        [sys.executable, "-c", ask, trajpack, "convert", source, out, "--quiet", "--jobs", "1", *options],
        capture_output=True, text=True, env=environment, timeout=100)
    code, memory = map(int, done.stdout.split())
    return code, done.stderr, memory


def refused(done, sentence):
    code, said, memory = done
    assert code == 1 and sentence in said, (code, said)
    assert memory < BOUND, f"{memory} KiB for a file that is refused"


@pytest.mark.parametrize("content", [
    b"a\n" + b"," * (20 << 20), b"a\n1\n" + b"," * (20 << 20) + b"\n", b"," * (20 << 20), b"1," * (10 << 20),
    b'""' + b',""' * (5 << 20), b"a;b\n" + b";" * (20 << 20)], ids=["empty", "later", "head", "ones", "quoted", "semicolons"])
def test_cells(trajpack, tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    refused(run(trajpack, tmp_path / "t.csv", tmp_path / "ds", "--rate", "1"), "more than 65536 cells")
    assert not (tmp_path / "ds").exists()


def test_as_many_cells_as_allowed(trajpack, tmp_path):
    """The limit is no lower than it says."""
    (tmp_path / "t.csv").write_text(",".join(f"c{n}" for n in range(65_536)) + "\n")
    code, said, _ = run(trajpack, tmp_path / "t.csv", tmp_path / "ds", "--rate", "1")
    assert code == 1 and "more than" not in said, said
    (tmp_path / "t.csv").write_text(",".join(f"c{n}" for n in range(65_537)) + "\n")
    refused(run(trajpack, tmp_path / "t.csv", tmp_path / "ds", "--rate", "1"), "more than 65536 cells")


def test_state_csv(trajpack, tmp_path):
    """WildWorld's tables have the limit, too."""
    sample = tmp_path / "part" / "000001"
    sample.mkdir(parents=True)
    (sample / "state.csv").write_bytes(b"frame\n" + b"," * (20 << 20))
    refused(run(trajpack, tmp_path / "part", tmp_path / "ds", "--from", "wildworld"), "more than 65536 cells")


def system(**others):
    return {"time": [0, 1], "values": [[1], [2]], **others}


@pytest.mark.parametrize("document, sentence", [
    ({f"s{n}": system() for n in range(65_537)}, "more than 65536 systems"),
    ({"s": system(**{f"x{n}": [[]] * 200_000 for n in range(12)})}, "bytes besides 'time' and 'values'"),
    ({f"s{n}": system(x=[[]] * 10_000) for n in range(300)}, "bytes besides 'time' and 'values'"),
    ({"s": system(**{f"x{n}": 0 for n in range(300_000)})}, "bytes besides 'time' and 'values'"),
], ids=["systems", "members", "spread", "names"])
@pytest.mark.parametrize("packed", [False, True])
def test_json(trajpack, tmp_path, document, sentence, packed):
    data = json.dumps(document).encode()
    path = tmp_path / ("d.json.gz" if packed else "d.json")
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    refused(run(trajpack, path, tmp_path / "ds"), sentence)
    good = {"s": system(note="x" * 1000)}
    (tmp_path / "good.json").write_text(json.dumps(good))
    assert run(trajpack, tmp_path / "good.json", tmp_path / "ds")[0] == 0


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/statvfs.h>
int fstatvfs(int fd, struct statvfs *out) {
  int (*real)(int, struct statvfs *) = dlsym(RTLD_NEXT, "fstatvfs");
  int rc = real(fd, out);
  out->f_frsize = 4096;
  out->f_blocks = 1 << 20;             // 4 GiB, of which 206 MiB are free: some 1 MiB above 5 %
  out->f_bavail = (206 << 20) / 4096;
  return rc;
}
int fstatvfs64(int fd, struct statvfs64 *out) { return fstatvfs(fd, (struct statvfs *)out); }
"""


@pytest.mark.parametrize("name", ["bomb.npz", "bomb.csv.gz", "bomb.json.gz"])
def test_bombs_leave_room(trajpack, tmp_path, name):
    """What inflates to a thousand times its size stops before the disk of temporary files is full."""
    (tmp_path / "shim.c").write_text(SHIM)
    library = tmp_path / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "shim.c", "-ldl"], check=True)
    path = tmp_path / name
    if name.endswith(".npz"):
        np.savez_compressed(path, x=np.zeros((4 << 20, 8)))
    elif name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(b"x,y\n" + b"0,0\n" * (16 << 20), 6))
    else:
        path.write_bytes(gzip.compress(b'{"s": {"values": [' + b"[0]," * (16 << 20) + b"[0]]}}", 6))
    assert path.stat().st_size < 1 << 20
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    code, said, memory = run(trajpack, path, tmp_path / "ds", "--rate", "1", environment=environment)
    assert code == 3 and "temporary files need more room" in said and "TMPDIR" in said, (code, said)
    assert memory < BOUND and not (tmp_path / "ds").exists()


def test_the_pages_for_contributors_name_files_that_are_there():
    root = Path(__file__).resolve().parents[2]
    files = [str(path.relative_to(root)) for folder in ("Sources", "Tests") for path in (root / folder).rglob("*.swift")]
    named = [name for page in ("CONTRIBUTING.md", "docs/architecture.md")
             for name in re.findall(r"`([\w/+]+\.swift)`", (root / page).read_text())]
    assert len(named) > 20
    for name in set(named) - {"Type+Aspect.swift", "Package.swift"}:
        assert any(("/" + file).endswith("/" + name) for file in files), name


def test_the_page_on_security_names_limits_that_are_there():
    """Each `Type.member` of SECURITY.md is declared: a renaming of the type must not leave the page behind."""
    root = Path(__file__).resolve().parents[2]
    named = re.findall(r"`([A-Z]\w+)\.(\w+)", (root / "SECURITY.md").read_text())
    assert len(named) > 40
    sources = [path.read_text() for path in (root / "Sources").rglob("*.swift")]
    for type_name, member in set(named):
        assert any(re.search(rf"\b(let|var|func) \(?([\w]+, )*{member}\b", body)
                   for body in bodies(type_name, sources)), f"{type_name}.{member}"


def bodies(type_name, sources):
    """The text of each declaration and extension of a type, up to its end."""
    for source in sources:
        lines = source.split("\n") if type_name in source else []
        for n, line in enumerate(lines):
            if re.search(rf"\b(struct|class|enum|extension) {type_name}\b", line):
                indent = line[:len(line) - len(line.lstrip())]
                end = next((i for i in range(n + 1, len(lines)) if lines[i] == indent + "}"), len(lines))
                yield "\n".join(lines[n + 1:end])


def number(text):
    """The value of an expression of Swift of whole numbers."""
    assert re.fullmatch(r"[\d_ <*]+", text), text
    return eval(text.replace("_", ""))                       # noqa: S307  digits, shifts and products alone


def constant(name, sources):
    """The value of `Type.member`, or of `Type.member.part` of a tuple."""
    type_name, member, *part = name.split(".")
    for body in bodies(type_name, sources):
        found = re.search(rf"static let {member}(?:: \w+)? = (.+)$", body, re.M)
        if found and part:
            return number(dict(re.findall(r"(\w+): ([\d_ <*]+)", found[1]))[part[0]])
        if found:
            return number(found[1])
        found = re.search(rf"static let \(([\w, ]*\b{member}\b[\w, ]*)\) = \((.+)\)$", body, re.M)
        if found:
            return number(found[2].split(", ")[found[1].split(", ").index(member)])
    raise AssertionError(f"{name} is not in the source")


def test_the_table_of_limits_has_the_values_of_the_source():
    root = Path(__file__).resolve().parents[2]
    sources = [path.read_text() for path in (root / "Sources").rglob("*.swift")]
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+)( [KMG]iB)? \| `([\w.]+)` \|$", (root / "SECURITY.md").read_text(), re.M)
    assert len(rows) > 50
    for value, unit, name in rows:
        told = int(value.replace(",", "")) << {"": 0, " KiB": 10, " MiB": 20, " GiB": 30}[unit]
        assert constant(name, sources) == told, f"{name} is {constant(name, sources)} in the source"
