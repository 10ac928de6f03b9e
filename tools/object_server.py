"""A server of objects on loopback for tests: ranges, ETags, redirects, S3's signatures, and the faults that networks and
servers have. Signatures are computed anew by botocore, which trajpack does not use."""
from __future__ import annotations

import argparse
import hashlib
import http.server
import re
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Request:
    """What was asked for, as tests look at it."""
    method: str
    path: str  # decoded, without the query
    query: str
    headers: dict[str, str]
    number: int  # of all requests of this server

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass
class Fault:
    """What goes wrong with an answer."""
    status: int = 0  # answered instead, with an error of S3
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1  # bytes of the content after which the connection is cut
    stall: float = 0  # seconds without a byte, in the middle
    shift: int = 0  # the range that is sent begins so much later
    flip: int = -1  # the byte of the content in which a bit is flipped
    whole: bool = False  # the range is ignored
    etag: str = ""
    reset: bool = False
    location: str = ""
    lost: bool = False  # what was asked for is done, and the connection is cut instead of an answer
    checksum: str = ""  # said instead of the right one


Rule = Callable[[Request], Fault | None]


class ObjectServer(http.server.ThreadingHTTPServer):
    """Serves the files below ``root``; ``keys`` (access key: (secret, token or None)) makes it ask for signatures."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, root: Path | str, *, keys: dict[str, tuple[str, str | None]] | None = None,
                 region: str = "us-east-1", latency: float = 0.0, fault: Rule | None = None,
                 bearer: str | None = None, tls: Any = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = Path(root)
        self.keys, self.region, self.latency, self.fault, self.bearer = keys, region, latency, fault, bearer
        self.requests: list[Request] = []
        self.refusals: list[str] = []
        # Answers what is more than reading a file; None leaves it to that.
        self.operate: Callable[[Request, bytes, Fault], tuple[int, dict[str, str], bytes] | None] | None = None
        self.extra: dict[str, Callable[[Request, bytes], tuple[int, dict[str, str], bytes]]] = {}
        self.lock = threading.Lock()
        self.connections = 0
        self.tls = tls
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
        return (self.tls.wrap_socket(connection, server_side=True) if self.tls else connection), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are part of the tests

    def __enter__(self) -> ObjectServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.server_address[1]}"

    def count(self, method: str = "GET", text: str = "") -> int:
        return sum(r.method == method and text in r.path for r in self.requests)


def tag(path: Path) -> str:
    found = path.stat()
    return f'"{hashlib.md5(f"{path}{found.st_size}{found.st_mtime_ns}{found.st_ino}".encode()).hexdigest()}"'


def signature_error(server: ObjectServer, request: Request, raw_path: str) -> tuple[int, str] | None:
    """Why S3 would refuse a request; None where its signature is right."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    assert server.keys is not None
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                         r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", request.headers.get("authorization", ""))
    if not found:
        return 403, "AccessDenied"
    key, day, region, service, names, signature = found.groups()
    if key not in server.keys:
        return 403, "InvalidAccessKeyId"
    if region != server.region or service != "s3":
        return 400, "AuthorizationHeaderMalformed"
    secret, token = server.keys[key]
    if token is not None and request.headers.get("x-amz-security-token") != token:
        return 400, "ExpiredToken"
    if "x-amz-content-sha256" not in request.headers:
        return 400, "MissingSecurityHeader"
    signed = names.split(";")
    if not {h for h in request.headers if h.startswith("x-amz-")} | {"host"} <= set(signed):
        return 403, "AccessDenied"
    again = AWSRequest(request.method, f"{server.url}{raw_path}", headers={n: request.headers[n] for n in signed})
    again.context["timestamp"] = request.headers["x-amz-date"]
    judge = S3SigV4Auth(Credentials(key, secret), "s3", region)
    text = judge.string_to_sign(again, judge.canonical_request(again))
    if abs(time.time() - time.mktime(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) +
           time.timezone) > 900:
        return 403, "RequestTimeTooSkewed"
    if judge.signature(text, again) != signature:
        return 403, "SignatureDoesNotMatch"
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectServer

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.server.refusals.append(code)
        body = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self._answer(status, headers or {}, body)

    def _serve(self) -> None:
        server = self.server
        parts = urllib.parse.urlsplit(self.path)
        with server.lock:
            request = Request(self.command, urllib.parse.unquote(parts.path), parts.query,
                              {n.lower(): v for n, v in self.headers.items()}, len(server.requests))
            server.requests.append(request)
        if server.latency:
            time.sleep(server.latency)
        fault = (server.fault and server.fault(request)) or Fault()
        length = int(self.headers.get("content-length", 0) or 0)
        if fault.reset:
            self.rfile.read(length // 2)
            return self._reset()
        body = self.rfile.read(length)
        if fault.location:
            return self._answer(302, {"Location": fault.location}, b"")
        if fault.status:
            return self._refuse(fault.status, fault.code, fault.headers)
        for prefix, answer in server.extra.items():
            if request.path.startswith(prefix):
                return self._answer(*answer(request, body))
        if server.keys is not None and (refused := signature_error(server, request, self.path)):
            return self._refuse(*refused)
        if server.bearer is not None and request.headers.get("authorization") != f"Bearer {server.bearer}":
            return self._refuse(401, "")
        if server.operate is not None and (answer := server.operate(request, body, fault)) is not None:
            if fault.lost:
                return self._reset()
            status, headers, content = answer
            if status >= 400:
                return self._refuse(status, content.decode(), headers)
            return self._answer(status, headers, content)
        path = (server.root / request.path.lstrip("/")).resolve()
        if server.root.resolve() not in path.parents or not path.is_file():
            return self._refuse(404, "NoSuchKey")
        self._object(request, path, fault)

    def _object(self, request: Request, path: Path, fault: Fault) -> None:
        etag = fault.etag or tag(path)
        if request.headers.get("if-match", etag) != etag:
            return self._refuse(412, "PreconditionFailed")
        size = path.stat().st_size
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range or "")
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        if not found or fault.whole:
            status, first, end = 200, 0, size
        elif int(found[1]) >= size:
            return self._refuse(416, "InvalidRange", {"Content-Range": f"bytes */{size}"})
        else:
            status, first, end = 206, int(found[1]), min(int(found[2]) + 1, size)
            first, end = min(first + fault.shift, size - 1), min(end + fault.shift, size)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        with path.open("rb") as file:
            file.seek(first)
            data = bytearray(file.read(end - first))
        if 0 <= fault.flip < len(data):
            data[fault.flip] ^= 1
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.stall:
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            time.sleep(fault.stall)
        if fault.cut >= 0:
            self.wfile.write(data[:fault.cut])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(data[len(data) // 2 if fault.stall else 0:])

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve


def main() -> None:
    """Serves a folder for some time, and prints its URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=3600.0, help="after which it ends by itself")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    given = parser.parse_args()
    with ObjectServer(given.folder, latency=given.latency) as server:
        print(server.url, flush=True)
        time.sleep(given.seconds)


if __name__ == "__main__":
    main()
