"""A judge behind the OpenAI-compatible chat API."""
from __future__ import annotations

import base64
import contextlib
import html
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..._errors import MachineError, UsageError
from ._given import number, whole, words
from ._request import Answer, Judge, NoVerdict, Request, TryAgain, parse_answer, shortened

#: The environment variable that a key is taken from, unless another one is named.
KEY_VARIABLE = "TRAJPACK_JUDGE_KEY"
_LONGEST_ANSWER = 8 << 20
_BUSY = {408, 409, 425, 429}
_FATAL = {402: "the account has no means", 403: "the access was refused",
          404: "there is no such address or model", 405: "the address takes no questions"}


class HTTPJudge(Judge):
    """Posts ``{url}/chat/completions``: the prompt as text, frames as image parts (``data:`` URLs), temperature 0.

    The key is taken from the environment variable ``key_variable`` and from nowhere else; without one none is sent,
    which suits a server of one's own. A key goes over https only, or to this machine, and where a server repeats it,
    ``[key]`` stands in its place. Redirections are not followed.
    """

    lasting = True

    def __init__(self, url: str, model: str, *, timeout: float = 120.0, key_variable: str = KEY_VARIABLE,
                 max_tokens: int = 1024, detail: str | None = None) -> None:
        self._timeout = number(timeout, "the judge's timeout in seconds", above=0)
        self._max_tokens = whole(max_tokens, "max_tokens", 1)
        self._model = words(model, "the judge's model")
        if detail is not None:
            words(detail, "detail")
        url = words(url, "the judge's address")
        self._key = os.environ.get(words(key_variable, "key_variable"), "").strip()
        self._keys = _spellings(self._key) if self._key else None
        # An address may hold a key that does not belong there.
        shown = repr(self._hidden(re.sub("//[^/]*@", "//...@", re.split("[?#]", url)[0])))
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageError(f"the judge's address {shown} cannot be understood") from None
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"a key does not belong in an address; put it into the environment as {key_variable}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            more = " and what follows ? or #" if parts.query or parts.fragment else ""
            raise UsageError(f"the judge's address must be like https://host/v1, not {shown}{more}")
        if any(not 32 < ord(c) < 127 for c in self._key):
            raise UsageError(f"the key in {key_variable} has characters that no key has")
        if self._key and parts.scheme == "http" and not _is_here(parts.hostname):
            raise UsageError(f"{shown} would send the key in {key_variable} over the network in the clear; use https, "
                             "or unset it")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._key_variable, self._detail = key_variable, detail
        self.name = f"http:{model}"
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._interrupted = False

    def ask(self, request: Request) -> Answer:
        status, headers, data = self._post(json.dumps(self._body(request)).encode())
        if status == 200:
            return self._read(data)
        said = self._complaint(data)
        if status == 401:
            fault = (f"the key was refused (taken from {self._key_variable})" if self._key
                     else f"it wants a key, and {self._key_variable} holds none")
            raise MachineError(f"the judge at {self._host} answers 401, {fault}: {said}")
        if status in _FATAL:
            raise MachineError(f"the judge at {self._host} answers {status}, {_FATAL[status]}: {said}")
        if status in _BUSY or status >= 500:
            raise TryAgain(f"the judge answers {status}: {said}",
                           wait=_wait(headers.get("retry-after"), headers.get("date")), unreachable=status >= 500)
        raise NoVerdict(f"the judge answers {status}: {said}")

    def _body(self, request: Request) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": request.question}]
        for title, images in (("Reference clip:", request.truth), ("Generated clip:", request.prediction)):
            content.append({"type": "text", "text": title})
            for image in images:
                place = {"url": f"data:{image.media};base64,{base64.b64encode(image.data).decode()}"}
                if self._detail:
                    place["detail"] = self._detail
                content.append({"type": "image_url", "image_url": place})
        return {"model": self._model, "temperature": 0, "max_tokens": self._max_tokens,
                "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": content}]}

    def _post(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "trajpack"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout,
                                                     context=ssl.create_default_context())
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        until = time.monotonic() + self._timeout
        try:
            connection.connect()
            with self._lock:
                self._open.add(connection)
                if self._interrupted:
                    raise TryAgain("the run was interrupted")
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            data = b""
            while part := response.read1(65536):
                data += part
                if len(data) > _LONGEST_ANSWER:
                    raise TryAgain(f"the judge's answer is longer than {_LONGEST_ANSWER} bytes")
                if time.monotonic() > until:        # the socket's own timeout is for each part
                    raise TimeoutError
            return response.status, {k.lower(): v for k, v in response.getheaders()}, data
        except ssl.SSLCertVerificationError as error:
            raise MachineError(f"the certificate of {self._host} is not good: {error.verify_message}") from None
        except TimeoutError:
            raise TryAgain(f"the judge did not answer within {self._timeout:g} s", unreachable=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(f"the judge at {self._host} cannot be reached: "
                           f"{self._hidden(str(error)) or type(error).__name__}", unreachable=True) from None
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            for connection in self._open:
                if connection.sock is not None:
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def _read(self, data: bytes) -> Answer:
        try:
            document = json.loads(data)
            choice = document["choices"][0]
            text = choice["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise TryAgain(f"the judge's answer is no chat completion: {self._complaint(data)}") from None
        if choice.get("finish_reason") == "content_filter":
            raise NoVerdict("the judge's filter refused the question")
        if not isinstance(text, str):
            refusal = choice["message"].get("refusal")
            raise TryAgain(f"the judge refused: {self._hidden(str(refusal))}" if refusal
                           else "the judge answered without a text")
        if choice.get("finish_reason") == "length":
            raise TryAgain(f"the judge's answer was cut after {self._max_tokens} tokens: "
                           f"{shortened(self._hidden(text))}")
        try:
            answer = parse_answer(text)
        except TryAgain:
            raise TryAgain(f"the judge answered {shortened(self._hidden(text))}") from None
        served = document.get("model")
        return Answer(answer.verdict, self._hidden(answer.reason),
                      {"model": self._hidden(served)} if isinstance(served, str) else {})

    def _complaint(self, data: bytes) -> str:
        """What a server says is wrong."""
        text = data.decode("utf-8", "replace")
        try:
            error = json.loads(data)["error"]
            text = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        return shortened(self._hidden(text))        # before it is cut, which might leave half a key

    def _hidden(self, text: str) -> str:
        """A text of someone else without the key."""
        return text if self._keys is None else self._keys.sub("[key]", text)


def _spellings(key: str) -> re.Pattern[str]:
    """A key as it is, and with characters written as JSON, a URL or HTML may write them."""
    def character(c: str) -> str:
        named = html.escape(c).replace("&#x27;", "&apos;")
        return (rf"(?:\\?{re.escape(c)}|{re.escape(named)}|"
                rf"(?i:\\u{ord(c):04x}|%{ord(c):02x}|&#0*{ord(c)};|&#x0*{ord(c):x};))")

    return re.compile("".join(map(character, key)))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wait(header: str | None, now: str | None) -> float | None:
    """The seconds of a ``Retry-After`` (RFC 9110, 10.2.3), or those to its date from ``now``, the answer's ``Date``."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        then = _date(header)
        if then is None:
            return None
        seconds = max(0.0, (then - (_date(now or "") or datetime.now(timezone.utc))).total_seconds())
    return seconds if 0 <= seconds < 1e6 else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
