"""Names that come from files drive nothing: hostile ones go through every command, every format and Python.

Every text of an archive is given what ends a line, colours a terminal, turns a line around, or is HTML, Markdown
or a formula. No output may hold a raw control character; Markdown and HTML show what is there and do nothing.
"""
import csv
import html.parser
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import trajpack as package

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))
import mutate  # noqa: E402

BAD = {"esc": "\x1b[31mred\x1b[0m", "title": "\x1b]0;t\x07", "nul": "a\0b", "line": "a\nb", "return": "a\rb",
       "csi": "a\x9b31mb", "bidi": "a\u202eb\u2066c", "separator": "a\u2028b", "bom": "\ufeffa", "delete": "a\x7fb",
       "html": "<script>alert(1)</script>", "markdown": "x|y`z`[a](http://b)![p](http://q)*c*", "formula": "=cmd|' /C calc'!A0"}


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, timeout=60)


def raw(text):
    """The characters of a text that drive a terminal, but for line ends."""
    return {c for c in text if c != "\n" and (unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\ufeff\u061c"
                                              or unicodedata.bidirectional(c) in
                                              ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))}


@pytest.fixture(scope="module")
def plain(trajpack, tmp_path_factory):
    """A shard with a stream of numbers and names of categories; and a prediction of it."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "t.csv").write_text("t,x,mood\n" + "".join(f"{n},{n}.5,{'ab'[n % 2]}\n" for n in range(30)))
    done = run(trajpack, "convert", folder / "t.csv", folder / "ds", "--time", "t", "--time-unit", "parsecs",
               "--unit", "x=furlongs", "--kind", "mood=categorical")
    assert done.returncode == 0, done.stderr
    return folder / "ds" / "shard-000000.h5"


def hostile(plain, folder, bad):
    """A copy of the shard in which every free text is `bad`; says which were changed."""
    forged = mutate.Forgery(plain.read_bytes())
    schema, changed = forged.schema, []
    for stream in schema["streams"]:
        stream["description"] = bad
        if stream.get("time_unit"):
            stream["time_unit"] = bad
            changed.append("time_unit")
        for channel in stream["channels"]:
            channel["description"] = bad
            if "units" in channel:
                channel["units"] = bad
                changed.append("units")
            if "categories" in channel:
                channel["categories"][0] = bad
                changed.append("categories")
            if channel["name"] == "x":
                channel["name"] = "x" + bad
                changed.append("name")
    path = folder / "hostile.h5"
    path.write_bytes(forged.bytes())
    return path, set(changed)


COMMANDS = [("info",), ("info", "--episodes"), ("info", "--json"), ("head",), ("head", "--json"), ("sample",),
            ("sample", "--json"), ("verify",), ("verify", "--json")]


@pytest.mark.parametrize("kind", BAD)
def test_commands(trajpack, plain, tmp_path, kind):
    bad = BAD[kind]
    path, changed = hostile(plain, tmp_path, bad)
    shown = 0
    for word, *options in COMMANDS:
        done = run(trajpack, word, path, *options)
        text = (done.stdout + done.stderr).decode()
        assert not raw(text), (word, options, raw(text))
        if done.returncode == 0 and "--json" in options:
            json.loads(done.stdout)
        if done.returncode == 0 and word in ("info", "head", "sample") and "--json" not in options:
            shown += 1
            # A name that holds a line end must not begin a line of its own.
            assert kind != "line" or not any(line.strip() == "b" for line in text.splitlines()), (word, text)
    differ = run(trajpack, "diff", path, plain)
    assert not raw((differ.stdout + differ.stderr).decode())
    for to in ("csv", "npz", "wildworld"):
        done = run(trajpack, "export", path, tmp_path / to, "--to", to)
        assert not raw((done.stdout + done.stderr).decode())
    for word, *options in (("mask", "--amount", "0.1"), ("embed", "--tau", "2", "--dimension", "2"),
                           ("embed",), ("resample", "--rate", "2")):
        done = run(trajpack, word, path, tmp_path / f"out-{len(options)}-{word}", *options)
        assert not raw((done.stdout + done.stderr).decode()), (word, done.stdout, done.stderr)
    assert shown >= 3 or changed == set(), "no command showed the names"


def reports(trajpack, plain, tmp_path, bad):
    """Evaluations of the hostile shard against itself, in every format, to standard output and to a file."""
    path, _ = hostile(plain, tmp_path, bad)
    for form in ("text", "json", "html", "markdown", "csv"):
        done = run(trajpack, "evaluate", path, path, "--suite", "forecast", "--format", form)
        yield form, done.stdout.decode(), done


class Tags(html.parser.HTMLParser):
    """The tags of a document."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


@pytest.mark.parametrize("kind", BAD)
def test_reports(trajpack, plain, tmp_path, kind):
    answered = 0
    for form, text, done in reports(trajpack, plain, tmp_path, BAD[kind]):
        assert not raw(done.stderr.decode()), form
        answered += done.returncode == 0
        if done.returncode:
            continue
        if form == "csv":
            # Values are exact: what is in the cells is what is in the archive.
            assert len({len(row) for row in csv.reader(io.StringIO(text, newline=""))}) == 1
            continue
        assert not raw(text), (form, raw(text))
        if form == "json":
            json.loads(text)
        if form == "html":
            tags = Tags()
            tags.feed(text)
            assert "script" not in tags.found and "img" not in tags.found
        if form == "markdown":
            table = [line for line in text.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, table
            text = text[:text.index("Options of each metric")]   # the program's own words
            assert "<" not in text and not re.search(r"(?<!\\)\]\(", text) and not re.search(r"(?<!\\)`", text), text
    assert answered in (0, 5), "some formats answered and others did not"


def test_reports_show_units(trajpack, plain, tmp_path):
    """The units do reach the reports: as text that shows them."""
    for form, text, done in reports(trajpack, plain, tmp_path, BAD["html"]):
        assert done.returncode == 0, done.stderr
        wanted = {"text": "<script>", "json": "<script>", "csv": "<script>"}.get(form, "&lt;script")
        assert wanted in text, (form, text[:2000])


@pytest.mark.parametrize("first", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas(trajpack, plain, tmp_path, first):
    """By default cells are exact; --csv-escape-formulas puts an apostrophe before what would be computed."""
    path, _ = hostile(plain, tmp_path, first)

    def cells(folder):
        out = []
        for file in folder.rglob("*.csv"):
            with open(file, newline="") as opened:
                out += [cell for row in csv.reader(opened) for cell in row]
        return out
    assert run(trajpack, "export", path, tmp_path / "exact", "--to", "csv").returncode == 0
    assert run(trajpack, "export", path, tmp_path / "safe", "--to", "csv", "--csv-escape-formulas").returncode == 0
    exact, safe = cells(tmp_path / "exact"), cells(tmp_path / "safe")
    assert first in exact and first not in safe and "'" + first in safe
    # Numbers stay numbers.
    number = re.compile(r"-?[0-9.]+(e-?\d+)?\Z")
    assert [c for c in exact if number.match(c) and c != first] == [c for c in safe if number.match(c) and c != first]
    for options, wanted in (((), first), (("--csv-escape-formulas",), "'" + first)):
        done = run(trajpack, "evaluate", path, path, "--suite", "forecast", "--format", "csv", *options)
        assert done.returncode == 0, done.stderr
        table = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
        assert wanted in {row["unit"] for row in table}
    for command in (("export", path, tmp_path / "x", "--to", "npz"), ("evaluate", path, path, "--suite", "forecast")):
        done = run(trajpack, *command, "--csv-escape-formulas")
        assert done.returncode == 2 and b"--csv-escape-formulas is for" in done.stderr


@pytest.mark.parametrize("kind", BAD)
def test_file_names_and_errors(trajpack, tmp_path, kind):
    """Names of files and contents of cells in what errors, warnings and progress say."""
    name = BAD[kind].replace("/", "_").replace("\0", "")
    folder = tmp_path / f"d{name}"
    folder.mkdir()
    (folder / f"a{name}.csv").write_text("t,x\n0,1\n1,2\n2,zz\n")
    (folder / "b.csv").write_text(f"t,\"x{name.replace(chr(34), '')}\"\n0,1\n1,\"{name}\"\n2,3\n")
    np.save(folder / f"c{name}.npy", np.zeros((4, 2)))
    for path in (folder, folder / f"a{name}.csv", folder / "b.csv", folder / f"c{name}.npy", folder / f"no{name}"):
        for options in ((), ("--rate", "1"), ("--dry-run",), ("--from", "series"), ("--time", name or "t")):
            done = run(trajpack, "convert", path, tmp_path / f"out{name}", *options)
            assert not raw((done.stdout + done.stderr).decode(errors="replace")), (path, options, done.stderr)
            assert done.stderr.count(b"\n") <= 6
    for word in ("info", "verify", "head", "export"):
        done = run(trajpack, word, folder / f"no{name}", *(("x", "--to", "csv") if word == "export" else ()))
        assert not raw(done.stderr.decode()) and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("kind", BAD)
def test_python(plain, tmp_path, kind):
    """What Python shows of a dataset, and what its exceptions say."""
    path, _ = hostile(plain, tmp_path, BAD[kind])
    dataset = package.open(str(path))
    episode = dataset.episodes[0]
    stream = next(iter(dataset.streams.values()))
    texts = [repr(dataset), repr(dataset.episodes), repr(episode), repr(stream), str(stream)]
    texts += [str(channel) for channel in stream.channels.values()]
    texts += [repr(table) for table in episode.streams.values()]
    loader = dataset.windows(length=5, batch=4)
    texts += [repr(loader), repr(next(iter(loader)))]
    with pytest.raises(package.TrajpackError) as failure:
        stream["x" + BAD[kind] + "?"]
    texts.append(str(failure.value))
    with pytest.raises(package.TrajpackError) as failure:
        dataset.windows(length=5, batch=4, channels=["no" + BAD[kind].replace("\0", "")])
    texts.append(str(failure.value))
    for text in texts:
        assert not raw(text), (text, raw(text))
    assert any("furlongs" not in text and len(text) > 20 for text in texts)
