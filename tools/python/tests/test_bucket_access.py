"""Who may write and by which way: roles that a profile names, and proxies. The Security Token Service is a mock whose
requests botocore judges."""
from __future__ import annotations

import http.server
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_server import BucketServer
from bucket_world import KEY, SECRET, Writer
from object_server import ObjectServer, Request

BASE, BASE_SECRET = "AKIDBASE", "base/secret+key"
ROLE = "arn:aws:iam::123456789012:role/writer"


@pytest.fixture
def bucket() -> Iterator[BucketServer]:
    pytest.importorskip("botocore")
    with BucketServer(keys={KEY: (SECRET, "token")}) as server:
        yield server


@pytest.fixture
def writer(bucket: BucketServer, tmp_path: Path) -> Writer:
    return Writer(bucket, tmp_path)


def judged(request: Request, body: bytes, url: str, keys: dict[str, str]) -> bool:
    """Whether a request to the Security Token Service is signed by one of the keys."""
    import hashlib

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    fields = dict(part.split("=", 1) for part in request.headers["authorization"].split(" ", 1)[1].replace(" ", "").split(","))
    key, day, region, service, _ = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    again = AWSRequest("POST", f"{url}/", data=body, headers={n: request.headers[n] for n in names})
    again.context["timestamp"] = request.headers["x-amz-date"]
    judge = SigV4Auth(Credentials(key, keys[key]), service, region)
    text = judge.string_to_sign(again, judge.canonical_request(again))
    assert request.headers.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest()) == hashlib.sha256(body).hexdigest()
    return service == "sts" and judge.signature(text, again) == fields["Signature"]


class Tokens:
    """The Security Token Service."""

    def __init__(self, server: ObjectServer) -> None:
        self.server, self.keys, self.forms = server, {BASE: BASE_SECRET}, list[dict[str, str]]()
        self.expiration = "2100-01-01T00:00:00Z"
        server.extra["/"] = self.answer

    def answer(self, request: Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not judged(request, body, self.server.url, self.keys):
            return 403, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.forms.append(form)
        key, secret = (KEY, SECRET) if form["RoleArn"] == ROLE else ("AKIDMIDDLE", "middle")
        self.keys[key] = secret
        return 200, {}, (f"<R><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
                         f"<SessionToken>token</SessionToken><Expiration>{self.expiration}</Expiration></Credentials></R>"
                         ).encode()


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    with ObjectServer(tmp_path) as server:
        yield Tokens(server)


def profile(writer: Writer, tokens: Tokens, config: str, credentials: str = "") -> dict[str, str]:
    (writer.folder / "config").write_text(config)
    (writer.folder / "credentials").write_text(credentials)
    return {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL_STS": tokens.server.url,
            "AWS_ENDPOINT_URL_S3": writer.server.url, "AWS_ENDPOINT_URL": "", "AWS_PROFILE": "p",
            "AWS_CONFIG_FILE": str(writer.folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(writer.folder / "credentials")}


KEYS = f"[base]\naws_access_key_id = {BASE}\naws_secret_access_key = {BASE_SECRET}\n"


def test_a_role_is_assumed(writer: Writer, tokens: Tokens) -> None:
    given = profile(writer, tokens, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = a b\n"
                                    "role_session_name = me\nduration_seconds = 1800\nregion = us-east-1\n", KEYS)
    assert "0 orphans" in writer.good("gc", "s3://bucket/x", **given)
    assert tokens.forms == [{"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "me",
                             "ExternalId": "a b", "DurationSeconds": "1800"}]
    # What is about to expire is had again for each request.
    tokens.expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    writer.good("gc", "s3://bucket/x", **given)
    assert len(tokens.forms) > 3


def test_roles_of_roles_and_other_sources(writer: Writer, tokens: Tokens) -> None:
    middle = "[profile middle]\nrole_arn = arn:middle\nsource_profile = base\n"
    given = profile(writer, tokens, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = middle\n{middle}", KEYS)
    writer.good("gc", "s3://bucket/x", **given)
    assert [f["RoleArn"] for f in tokens.forms] == ["arn:middle", ROLE]
    # A profile with a role and the keys that assume it.
    given = profile(writer, tokens, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = p\n", KEYS.replace("base]", "p]"))
    writer.good("gc", "s3://bucket/x", **given)


def test_profiles_that_are_refused(writer: Writer, tokens: Tokens) -> None:
    for text, words in [
            (f"role_arn = {ROLE}\n", "'source_profile'"), (f"role_arn = {ROLE}\nsource_profile = none\n", "no such profile"),
            (f"role_arn = {ROLE}\nsource_profile = base\nmfa_serial = arn:mfa\n", "export-credentials"),
            (f"role_arn = {ROLE}\nsource_profile = q\n[profile q]\nrole_arn = x\nsource_profile = p\n", "circle"),
            (f"role_arn = {ROLE}\ncredential_source = Moon\n", "not Environment"),
            (f"role_arn = {ROLE}\ncredential_source = Environment\n", "gives no credentials"),
            (f"role_arn = {ROLE}\nsource_profile = base\nduration_seconds = 1\n", "900 to 43200"),
            ("sso_session = s\n", "export-credentials")]:
        line = writer.refused(2, "gc", "s3://bucket/x", **profile(writer, tokens, f"[profile p]\n{text}", KEYS))
        assert words in line, line
    bad = KEYS.replace(BASE_SECRET, "wrong")
    line = writer.refused(3, "gc", "s3://bucket/x", **profile(
        writer, tokens, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n", bad))
    assert "SignatureDoesNotMatch" in line and "wrong" not in line and not tokens.forms


# ---- Proxies


class Proxy(http.server.ThreadingHTTPServer):
    """A proxy of HTTP that also opens tunnels, and counts both."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.passed: list[str] = []
        self.tunnels: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        pass

    def _pass(self) -> None:
        self.server.passed.append(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0) or 0))
        headers = {n: v for n, v in self.headers.items() if n.lower() not in ("proxy-connection", "expect")}
        request = urllib.request.Request(self.path, data=body or None, headers=headers, method=self.command)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(request)
        except urllib.error.HTTPError as error:
            answer = error
        data = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _pass

    def do_CONNECT(self) -> None:
        self.server.tunnels.append(self.path)
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as other:
            self.send_response_only(200)
            self.end_headers()

            def copy(a: socket.socket, b: socket.socket) -> None:
                while data := a.recv(65536):
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)
            back = threading.Thread(target=copy, args=(other, self.connection), daemon=True)
            back.start()
            copy(self.connection, other)
            back.join(10)
        self.close_connection = True


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        yield server
        server.shutdown()


def test_a_proxy_is_used_and_left_out(writer: Writer, proxy: Proxy) -> None:
    assert writer.server.keys is not None
    writer.server.keys[KEY] = (SECRET, None)
    writer.good("gc", "s3://bucket/x", http_proxy=proxy.url)
    assert len(proxy.passed) == len(writer.server.requests) > 0
    proxy.passed.clear()
    writer.good("gc", "s3://bucket/x", http_proxy=proxy.url, no_proxy="127.0.0.1")
    writer.good("gc", "s3://bucket/x", http_proxy=proxy.url, NO_PROXY="*")
    assert not proxy.passed
    port = socket.create_server(("127.0.0.1", 0))
    closed = port.getsockname()[1]
    port.close()
    line = writer.refused(3, "gc", "s3://bucket/x", http_proxy=f"http://127.0.0.1:{closed}", TRAJPACK_HTTP_ATTEMPTS="1")
    assert str(closed) in line


def test_a_tunnel_for_tls(writer: Writer, proxy: Proxy) -> None:
    """HTTPS goes through the proxy unseen: whatever certificate the other end has is judged by the client."""
    writer.refused(3, "gc", "s3://bucket/x", HTTPS_PROXY=proxy.url, TRAJPACK_HTTP_ATTEMPTS="1",
                   AWS_ENDPOINT_URL=writer.server.url.replace("http://", "https://"))
    assert proxy.tunnels == [writer.server.url.removeprefix("http://")] and not proxy.passed
