"""What the tests of judges share: clips, segments, an asker in no hurry, and a chat server on loopback."""
from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from trajpack.evaluate import judge

QUICK = judge.Persistence(attempts=3, backoff=0)


def clip(seed: int, rows: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (rows, 8, 12, 3), np.uint8)


def decoded(image: judge.Image) -> np.ndarray:
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(image.data)))


def some_segments(count: int = 6) -> list[judge.Segment]:
    actions = np.repeat(np.arange(count) % 3 + 1, 5)
    rules = [judge.ActionRule((1,), "attack", "slash"), judge.ActionRule((2,), "movement")]
    return judge.cut(actions, "ep", rules=rules)


def asker(who: judge.Judge, **options: Any) -> judge.Asker:
    options.setdefault("persistence", QUICK)
    return judge.Asker(who, lambda id: clip(1), lambda id: clip(2), **options)


class Stub(ThreadingHTTPServer):
    """A chat server on loopback that answers with what ``script(number of this question, body)`` gives."""

    daemon_threads = True

    def __init__(self, script: Callable[[int, dict[str, Any]], Any]) -> None:
        stub = self
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.counts: dict[str, int] = {}
        self.lock, self.now, self.most = threading.Lock(), 0, 0

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                words = body["messages"][1]["content"][0]["text"]
                with stub.lock:
                    stub.asked.append(({k.lower(): v for k, v in self.headers.items()} | {":path": self.path}, body))
                    stub.counts[words] = stub.counts.get(words, 0) + 1
                    stub.now += 1
                    stub.most = max(stub.most, stub.now)
                try:
                    status, headers, data = script(stub.counts[words], body)
                    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    pass                                    # the judge has hung up
                finally:
                    with stub.lock:
                        stub.now -= 1

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


def said(text: Any, **more: Any) -> Any:
    return 200, {}, {"model": "stub-1", "choices": [{"message": {"role": "assistant", "content": text}, **more}]}
