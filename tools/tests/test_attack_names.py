"""Names that drive terminals, pages, runners and file systems, through every report of `validate`, pages and exports; and servers
whose lists of shards lead elsewhere. test_escapes.py has the other commands.
"""
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from conftest import ROOT

sys.path.append(str(ROOT / "tools" / "python" / "tests"))

NAMES = {
    "control": "a\x1b]0;owned\x07\x1b[2Jb", "line": "a\n::error file=x::owned\nb", "bidi": "a\u202egnp.exe\u2066b",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>", "quotes": "\"'><b>&amp;]]>",
    "parent": "../../../../owned", "absolute": "/owned/by", "formula": "=cmd|' /C calc'!A0", "dots": "..",
    "nul-like": "a%00b\\0c", "long": "x" * 150, "runner": "::set-output name=x::owned%0A::error::owned"}
FORMATS = ["text", "json", "sarif", "junit", "github", "html"]


@pytest.fixture(scope="module", params=sorted(NAMES))
def hostile(request, tmp_path_factory):
    """A shard whose recordings, streams, channels, units, splits and members are called so, with something to report."""
    from fractions import Fraction

    from archive import Archive, Channel, Episode, Regular, Stream, Track
    name = NAMES[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "shard.h5"
    values = np.full(200, 1.0)
    values[50] = np.inf
    stream = Stream(name, [Channel(name, "float64", units=name, kind="scalar")])
    Archive([stream], [Episode(f"{name}{n}", [Track(name, 200, Regular(Fraction(0), Fraction(30)), {name: values}, None)],
                               name, {name: name}) for n in range(2)]).write(folder)
    return name, folder


def printed(trajpack, *words, codes=(0, 1)):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, timeout=120)
    assert done.returncode in codes, done
    return done.stdout.decode(), done.stderr.decode()


def driven(text):
    return [c for c in text if (ord(c) < 32 and c not in "\n\t") or ord(c) == 0x7F or c in "\u202e\u2066\u2028"]


@pytest.mark.parametrize("form", FORMATS)
def test_reports(trajpack, hostile, form):
    name, folder = hostile
    out, said = printed(trajpack, "validate", folder, "--format", form)
    assert not driven(said) and (form in ("json", "sarif") or not driven(out)), (driven(out), driven(said))
    if form in ("json", "sarif"):
        assert not driven(out)
        document = json.loads(out)
        assert document
    if form == "junit":
        suites = ElementTree.fromstring(out)
        assert len(list(suites.iter("testcase"))) > 10
    if form == "html":
        assert "<script>alert" not in out and "<img src=x" not in out and "'><b>" not in out
    if form == "github":
        lines = [line for line in out.split("\n") if line]
        assert lines and all(line.startswith(("::error", "::warning", "::notice")) for line in lines if line.startswith("::"))
        assert not any(line.startswith(("::set-output", "::error file=x")) for line in lines), lines
        findings = json.loads(printed(trajpack, "validate", folder, "--json")[0])["findings"]
        assert sum(line.startswith("::") for line in lines) <= sum(max(len(f["places"]), 1) for f in findings) + 1, lines


def test_pages(trajpack, hostile, tmp_path):
    name, folder = hostile
    printed(trajpack, "page", folder, "-o", tmp_path / "page.html", codes=(0, 1, 2))
    if (tmp_path / "page.html").exists():
        text = (tmp_path / "page.html").read_text()
        assert "<script>alert(1)" not in text and "<img src=x onerror" not in text and not driven(text)


@pytest.mark.parametrize("form", ["npz", "csv", "lerobot"])
def test_exports_stay_in_their_folder(trajpack, hostile, tmp_path, form):
    name, folder = hostile
    place = tmp_path / "a" / "b" / "c" / "d" / "out"
    place.parent.mkdir(parents=True)
    before = {str(p) for p in tmp_path.rglob("*")}
    printed(trajpack, "export", folder, place, "--to", form, codes=(0, 1, 2))
    outside = {str(p) for p in tmp_path.rglob("*")} - before
    assert all(p.startswith(str(place)) for p in outside), outside
    for root, folders, files in os.walk(place):
        for item in folders + files:
            assert not any(ord(c) < 32 for c in item) and item not in ("..", "."), (root, item)
    assert not os.path.exists("/owned") and not (tmp_path / "owned").exists()


class Server(http.server.BaseHTTPRequestHandler):
    """Answers every path with what `answers` has, and keeps what was asked."""
    answers: dict = {}
    asked: list = []

    def do_GET(self):
        self.asked.append(self.path)
        body, status, headers = self.answers.get(self.path, (b"", 404, {}))
        if "Range" in self.headers and status == 200 and body:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            if first == "":
                first, last = max(len(body) - int(last), 0), len(body) - 1
            first, last = int(first), min(int(last) if last else len(body) - 1, len(body) - 1)
            headers = {"Content-Range": f"bytes {first}-{last}/{len(body)}", "ETag": '"x"', **headers}
            body, status = body[first:last + 1], 206
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    Server.answers, Server.asked = {}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("name", [
    "../secret.h5", "shard-../../secret.h5", "http://127.0.0.1:1/shard-0.h5", "/secret", "shard-%2e%2e%2fsecret.h5",
    "shard-a?b.h5", "shard-a#b.h5", "file:///etc/passwd", "shard-\r\nX: y.h5"])
def test_a_list_on_a_server_that_leads_elsewhere(trajpack, web, name):
    import hashlib
    digest = "0" * 64
    document = {"format": "trajpack dataset", "version": "1.0", "source": {"type": "plan"}, "statistics": {},
                "digest": hashlib.sha256(f"{name} {digest}\n".encode()).hexdigest(),
                "shards": [{"name": name, "bytes": 5000, "sha256": digest, "episodes": 1, "rows": 1}]}
    Server.answers["/ds/manifest.json"] = (json.dumps(document).encode(), 200, {})
    done = subprocess.run([trajpack, "info", f"{web}/ds"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2, 3) and len([x for x in done.stderr.splitlines() if not x.startswith("warning")]) == 1
    assert not driven(done.stderr)
    decoded = [urllib.parse.unquote(path.split("?")[0].split("#")[0]) for path in Server.asked]
    assert all(path in ("/ds", "/ds/manifest.json", "/ds/journal", f"/ds/{name}") for path in decoded), Server.asked


@pytest.mark.parametrize("answer", [
    (b"", 302, {"Location": "file:///etc/passwd"}), (b"", 302, {"Location": "gopher://127.0.0.1:1/x"}),
    (b"{", 200, {"Content-Length": str(1 << 43)}), (b"[" * 100_000, 200, {}), (b"\0" * 5000, 200, {})])
def test_servers_that_lie(trajpack, web, answer):
    for path in ("/ds", "/ds/", "/ds/manifest.json"):
        Server.answers[path] = answer
    done = subprocess.run([trajpack, "info", f"{web}/ds"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TRAJPACK_HTTP_TIMEOUT": "5"})
    assert done.returncode in (1, 2, 3), done
    assert len([x for x in done.stderr.splitlines() if not x.startswith("warning")]) == 1 and not driven(done.stderr)
    assert "root:" not in done.stdout + done.stderr
