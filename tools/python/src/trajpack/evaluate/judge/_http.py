"""A judge behind the OpenAI-compatible chat API."""
from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from ..._errors import MachineError, UsageError
from ._request import Answer, Judge, NoVerdict, Request, TryAgain, parse_answer, shortened

#: The environment variable that a key is taken from, unless another one is named.
KEY_VARIABLE = "TRAJPACK_JUDGE_KEY"
_LONGEST_ANSWER = 8 << 20
_BUSY = {408, 409, 425, 429}
_FATAL = {401: "the key was refused", 402: "the account has no means", 403: "the access was refused",
          404: "there is no such address or model", 405: "the address takes no questions"}


class HTTPJudge(Judge):
    """Posts ``{url}/chat/completions``: the prompt as text, frames as image parts (``data:`` URLs), temperature 0.

    The key is taken from the environment variable ``key_variable`` and from nowhere else; without one none is sent,
    which suits a server of one's own. A key goes over https only, or to this machine. Redirections are not followed.
    """

    lasting = True

    def __init__(self, url: str, model: str, *, timeout: float = 120.0, key_variable: str = KEY_VARIABLE,
                 max_tokens: int = 1024, detail: str | None = None) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageError(f"the judge's address {url!r} cannot be understood") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"the judge's address must be like https://host/v1, not {url!r}")
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"a key does not belong in an address; put it into the environment as {key_variable}")
        if not timeout > 0:
            raise UsageError(f"a timeout is above 0 seconds, not {timeout}")
        if not model:
            raise UsageError("name the judge's model")
        self._key = os.environ.get(key_variable, "").strip()
        if any(not 32 < ord(c) < 127 for c in self._key):
            raise UsageError(f"the key in {key_variable} has characters that no key has")
        if self._key and parts.scheme == "http" and not _is_here(parts.hostname):
            raise UsageError(f"{url} would send the key in {key_variable} over the network in the clear; use https, or "
                             "unset it")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._model, self._timeout, self._key_variable = model, timeout, key_variable
        self._max_tokens, self._detail = max_tokens, detail
        self.name = f"http:{model}"
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._interrupted = False

    def ask(self, request: Request) -> Answer:
        status, headers, data = self._post(json.dumps(self._body(request)).encode())
        if status == 200:
            return self._read(data)
        said = _complaint(data)
        if status in _FATAL:
            hint = f" (taken from {self._key_variable})" if status == 401 else ""
            raise MachineError(f"the judge at {self._host} answers {status}, {_FATAL[status]}{hint}: {said}")
        if status in _BUSY or status >= 500:
            raise TryAgain(f"the judge answers {status}: {said}", wait=_wait(headers.get("retry-after")),
                           unreachable=status >= 500)
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
            raise TryAgain(f"the judge at {self._host} cannot be reached: {error or type(error).__name__}",
                           unreachable=True) from None
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
            raise TryAgain(f"the judge's answer is no chat completion: {_complaint(data)}") from None
        if choice.get("finish_reason") == "content_filter":
            raise NoVerdict("the judge's filter refused the question")
        if not isinstance(text, str):
            refusal = choice["message"].get("refusal")
            raise TryAgain(f"the judge refused: {refusal}" if refusal else "the judge answered without a text")
        if choice.get("finish_reason") == "length":
            raise TryAgain(f"the judge's answer was cut after {self._max_tokens} tokens: {shortened(text)}")
        answer = parse_answer(text)
        served = document.get("model")
        return Answer(answer.verdict, answer.reason, {"model": served} if isinstance(served, str) else {})


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _complaint(data: bytes) -> str:
    """What a server says is wrong."""
    text = data[:4096].decode("utf-8", "replace")
    try:
        error = json.loads(data)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return shortened(str(text))


def _wait(header: str | None) -> float | None:
    try:
        seconds = float(header) if header is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 1e6 else None
