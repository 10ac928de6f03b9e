"""A bucket of S3 on loopback for tests, which can be written: objects, multipart uploads, listings, conditions, checksums,
on top of the server of objects, which checks signatures and has the faults. What is stored can be looked at."""
from __future__ import annotations

import base64
import hashlib
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from object_server import Fault, ObjectServer, Request

Answer = tuple[int, dict[str, str], bytes]


def crc32c(data: bytes, crc: int = 0) -> int:
    """The CRC-32C of RFC 3720, by a table."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _entry(n: int) -> int:
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    return n


TABLE = [_entry(n) for n in range(256)]


def base64_of(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


@dataclass
class Stored:
    data: bytes
    headers: dict[str, str]
    etag: str
    modified: float
    checksum: str = ""


@dataclass
class Begun:
    key: str
    headers: dict[str, str]
    begun: float
    parts: dict[int, tuple[bytes, str, str]] = field(default_factory=dict)


class BucketServer(ObjectServer):
    """Serves one bucket. ``conditions``: whether ``If-None-Match`` counts; ``checksums``: whether it says what it has;
    ``encodes``: whether listings encode keys where that is asked for."""

    def __init__(self, *, bucket: str = "bucket", conditions: bool = True, checksums: bool = True, page: int = 1000,
                 read_only: bool = False, encodes: bool = True, **more: Any) -> None:
        super().__init__(Path("/nowhere"), **more)
        self.bucket, self.conditions, self.checksums, self.page = bucket, conditions, checksums, page
        self.read_only, self.encodes = read_only, encodes
        self.objects: dict[str, Stored] = {}
        self.begun: dict[str, Begun] = {}
        self.clock = time.time
        self.guard = threading.RLock()
        self.operate = self._operate

    def put(self, key: str, data: bytes, age: float = 0, **headers: str) -> None:
        """Puts an object there from outside."""
        with self.guard:
            self.objects[key] = Stored(data, headers, f'"{hashlib.md5(data).hexdigest()}"', self.clock() - age)

    def files(self, prefix: str) -> dict[str, bytes]:
        """The objects below a prefix."""
        with self.guard:
            return {k[len(prefix):]: o.data for k, o in sorted(self.objects.items()) if k.startswith(prefix)}

    def _operate(self, request: Request, body: bytes, fault: Fault) -> Answer:
        name, _, key = request.path.lstrip("/").partition("/")
        query = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
        if name != self.bucket:
            return 404, {}, b"NoSuchBucket"
        if request.method in ("PUT", "POST", "DELETE"):
            digest = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
                return 400, {}, b"XAmzContentSHA256Mismatch"
            if self.read_only:
                return 403, {}, b"AccessDenied"
        with self.guard:
            if request.method == "PUT":
                return self._put(request, key, query, body, fault)
            if request.method == "POST":
                return self._post(request, key, query, body, fault)
            if request.method == "DELETE":
                if "uploadId" in query:
                    gone = self.begun.pop(query["uploadId"], None)
                    return (204, {}, b"") if gone else (404, {}, b"NoSuchUpload")
                self.objects.pop(key, None)
                return 204, {}, b""
            if not key:
                return self._uploads(query) if "uploads" in query else self._list(query)
            return self._read(request, key, fault)

    def _said(self, body: bytes, request: Request, fault: Fault) -> Answer | dict[str, str]:
        """What is said of the checksum of a body."""
        given = request.headers.get("x-amz-checksum-crc32c")
        if not self.checksums or given is None:
            return {}
        if given != base64_of(crc32c(body)):
            return 400, {}, b"XAmzContentChecksumMismatch"
        return {"x-amz-checksum-crc32c": fault.checksum or given}

    def _put(self, request: Request, key: str, query: dict[str, str], body: bytes, fault: Fault) -> Answer:
        said = self._said(body, request, fault)
        if isinstance(said, tuple):
            return said
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        if "partNumber" in query:
            if query["uploadId"] not in self.begun:
                return 404, {}, b"NoSuchUpload"
            self.begun[query["uploadId"]].parts[int(query["partNumber"])] = (
                body, etag, said.get("x-amz-checksum-crc32c", ""))
            return 200, {"ETag": etag, **said}, b""
        if self._refuses(request, key):
            return 412, {}, b"PreconditionFailed"
        self.objects[key] = Stored(body, self._kept(request), etag, self.clock(),
                                   said.get("x-amz-checksum-crc32c", ""))
        return 200, {"ETag": etag, **said}, b""

    def _refuses(self, request: Request, key: str) -> bool:
        return self.conditions and request.headers.get("if-none-match") == "*" and key in self.objects

    @staticmethod
    def _kept(request: Request) -> dict[str, str]:
        return {n: v for n, v in request.headers.items() if n.startswith("x-amz-meta-") or n == "content-type"}

    def _post(self, request: Request, key: str, query: dict[str, str], body: bytes, fault: Fault) -> Answer:
        if "uploads" in query:
            upload = uuid.uuid4().hex + "+/="
            self.begun[upload] = Begun(key, self._kept(request), self.clock())
            return 200, {}, (f"<InitiateMultipartUploadResult><Bucket>{self.bucket}</Bucket><Key>{escape(key)}</Key>"
                             f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>").encode()
        if query.get("uploadId", "") not in self.begun:
            return 404, {}, b"NoSuchUpload"
        if self._refuses(request, key):
            return 412, {}, b"PreconditionFailed"
        begun = self.begun[query["uploadId"]]
        import re
        listed = re.findall(r"<Part>(?:<ChecksumCRC32C>([^<]*)</ChecksumCRC32C>)?<ETag>([^<]*)</ETag>"
                            r"<PartNumber>(\d+)</PartNumber></Part>", body.decode())
        numbers = [int(n) for _, _, n in listed]
        if numbers != sorted(begun.parts) or any(
                begun.parts[int(n)][1] != tag or begun.parts[int(n)][2] not in ("", checksum)
                for checksum, tag, n in listed):
            return 400, {}, b"InvalidPart"
        data = b"".join(begun.parts[n][0] for n in numbers)
        sums = b"".join(crc32c(begun.parts[n][0]).to_bytes(4, "big") for n in numbers)
        etag = f'"{hashlib.md5(data).hexdigest()}-{len(numbers)}"'
        self.objects[key] = Stored(data, begun.headers, etag, self.clock())
        del self.begun[query["uploadId"]]
        checksum = f"<ChecksumCRC32C>{fault.checksum or base64_of(crc32c(sums))}-{len(numbers)}</ChecksumCRC32C>"
        return 200, {}, (f"<CompleteMultipartUploadResult><Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag>"
                         f"{checksum if self.checksums else ''}</CompleteMultipartUploadResult>").encode()

    def _list(self, query: dict[str, str]) -> Answer:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        most = min(int(query.get("max-keys", "1000")), self.page)
        keys = [k for k in sorted(self.objects) if k.startswith(prefix) and k > after]
        page = keys[:most]
        entries = "".join(
            f"<Contents><Key>{self._key(k, query)}</Key><LastModified>{self._time(self.objects[k].modified)}</LastModified>"
            f"<ETag>{escape(self.objects[k].etag)}</ETag><Size>{len(self.objects[k].data)}</Size></Contents>"
            for k in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(keys) > most else ""
        return 200, self._date(), (
            f"<ListBucketResult>{self._encoding(query)}<IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}{entries}"
            "</ListBucketResult>").encode()

    def _uploads(self, query: dict[str, str]) -> Answer:
        most = min(int(query.get("max-uploads", "1000")), self.page)
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        begun = sorted((b.key, i, b) for i, b in self.begun.items() if b.key.startswith(query.get("prefix", "")))
        left = [one for one in begun if one[:2] > after]
        entries = "".join(
            f"<Upload><Key>{self._key(key, query)}</Key><UploadId>{i}</UploadId>"
            f"<Initiated>{self._time(b.begun)}</Initiated></Upload>" for key, i, b in left[:most])
        more = len(left) > most
        markers = (f"<NextKeyMarker>{self._key(left[most - 1][0], query)}</NextKeyMarker>"
                   f"<NextUploadIdMarker>{left[most - 1][1]}</NextUploadIdMarker>") if more else ""
        return 200, self._date(), (
            f"<ListMultipartUploadsResult>{self._encoding(query)}<IsTruncated>{'true' if more else 'false'}</IsTruncated>{markers}{entries}"
            "</ListMultipartUploadsResult>").encode()

    def _key(self, key: str, query: dict[str, str]) -> str:
        return urllib.parse.quote(key) if self._encoding(query) else escape(key)

    def _encoding(self, query: dict[str, str]) -> str:
        return "<EncodingType>url</EncodingType>" if self.encodes and query.get("encoding-type") == "url" else ""

    def _time(self, seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))

    def _date(self) -> dict[str, str]:
        return {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.clock())),
                "Content-Type": "application/xml"}

    def _read(self, request: Request, key: str, fault: Fault) -> Answer:
        found = self.objects.get(key)
        if found is None:
            return 404, {}, b"NoSuchKey"
        headers = {**found.headers, "ETag": fault.etag or found.etag,
                   "Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(found.modified))}
        if request.headers.get("if-match", headers["ETag"]) != headers["ETag"]:
            return 412, {}, b"PreconditionFailed"
        if request.method == "HEAD":
            return 200, {**headers, "Content-Length": str(len(found.data))}, b""
        size = len(found.data)
        if request.range is None or fault.whole:
            return 200, headers, found.data
        first, last = (int(n) for n in request.range.removeprefix("bytes=").split("-"))
        if first >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, b"InvalidRange"
        end = min(last + 1, size)
        return 206, {**headers, "Content-Range": f"bytes {first}-{end - 1}/{size}"}, found.data[first:end]
