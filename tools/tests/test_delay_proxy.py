"""The proxy of C that gives benchmarks of servers their latency: every byte comes through, each request later by that time."""
import hashlib
import os
import socket
import socketserver
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from delay_proxy import delayed


class Echo(socketserver.BaseRequestHandler):
    """Answers a line "COUNT" with so many bytes, in pieces; and what it is sent behind "0" with its digest, at its end."""

    def handle(self):
        lines = self.request.makefile("rb")
        while line := lines.readline():
            if count := int(line):
                data = os.urandom(4096) * (count // 4096 + 1)
                self.request.sendall(data[:count])
                self.request.sendall(hashlib.sha256(data[:count]).digest())
            else:
                self.request.sendall(hashlib.sha256(lines.read()).digest())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128


@pytest.fixture(scope="module")
def port():
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        part = connection.recv(min(1 << 16, count - len(data)))
        assert part, "the connection ended too early"
        data += part
    return bytes(data)


def ask(connection, count):
    connection.sendall(b"%d\n" % count)
    data = exactly(connection, count)
    assert hashlib.sha256(data).digest() == exactly(connection, 32)


def test_each_request_takes_the_time_and_no_byte_is_lost(port):
    with delayed(port, 0.05) as proxy:
        def client(number):
            with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
                begin = time.monotonic()
                for n in range(6):
                    ask(connection, 1 + (number * 7919 + n * 104729) % 300_000)
                return time.monotonic() - begin
        with ThreadPoolExecutor(24) as pool:
            seconds = list(pool.map(client, range(24)))
        assert min(seconds) >= 6 * 0.05


def test_connections_wait_side_by_side(port):
    """Each is open while all others are answered, the last one first: served in turn, none would ever be."""
    with delayed(port, 0.05) as proxy, ExitStack() as open_ones:
        connections = [open_ones.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=60))
                       for _ in range(24)]
        for n, connection in enumerate(connections):
            connection.sendall(b"%d\n" % (1000 + n))
        for n, connection in reversed(list(enumerate(connections))):
            data = exactly(connection, 1000 + n)
            assert hashlib.sha256(data).digest() == exactly(connection, 32)


def test_a_reader_that_is_slow_and_a_sender_that_ends(port):
    with delayed(port, 0.01) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as slow:
            slow.sendall(b"20000000\n")
            time.sleep(0.5)
            with socket.create_connection(("127.0.0.1", proxy.port)) as other:
                ask(other, 50_000)                                        # the others go on meanwhile
            data = exactly(slow, 20_000_000)
            assert hashlib.sha256(data).digest() == exactly(slow, 32)
        with socket.create_connection(("127.0.0.1", proxy.port)) as sender:
            data = os.urandom(3_000_000)
            sender.sendall(b"0\n" + data)
            sender.shutdown(socket.SHUT_WR)
            assert exactly(sender, 32) == hashlib.sha256(data).digest()
            assert sender.recv(1) == b""


def test_clients_that_hang_up_do_no_harm(port):
    with delayed(port, 0.02) as proxy:
        for number in range(200):
            with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
                connection.sendall(b"200000\n" * (number % 3))
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            ask(connection, 100_000)
        assert proxy.process.poll() is None


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    with delayed(nobody, 0.01) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        assert connection.recv(1) == b""
