"""A real S3 server for tests: Ceph's RADOS gateway on loopback, all in memory, from Debian's packages radosgw, ceph-mon, ceph-osd
and ceph-common. They are taken from the system, or from a folder into which the packages were unpacked (TRAJPACK_CEPH), which
needs no root: apt-get install --download-only, then dpkg -x each."""
from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool")


def environment() -> dict[str, str]:
    """That in which Ceph's programs are found."""
    root = os.environ.get("TRAJPACK_CEPH")
    if not root:
        return dict(os.environ)
    library = f"{root}/usr/lib/x86_64-linux-gnu"
    return {**os.environ, "PATH": f"{root}/usr/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{library}:{library}/ceph:{root}/usr/lib/ceph:{root}/lib/x86_64-linux-gnu",
            "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages"}


def missing() -> str:
    """Which of its programs is not here; empty where all are."""
    path = environment()["PATH"]
    return next((p for p in PROGRAMS if shutil.which(p, path=path) is None), "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class RadosGateway:
    """Runs as long as the context; ``url`` is its endpoint."""

    def __init__(self, folder: Path, key: str, secret: str) -> None:
        self.folder, self.key, self.secret = folder, key, secret
        self.port, self.monitor = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**environment(), "CEPH_CONF": str(folder / "ceph.conf")}

    def _run(self, *words: str) -> str:
        found = shutil.which(words[0], path=self.environment["PATH"])
        assert found is not None, words[0]
        line = ["/usr/bin/python3", found] if words[0] == "ceph" else [found]
        return subprocess.run([*line, *words[1:]], env=self.environment, check=True, capture_output=True, text=True,
                              timeout=120).stdout

    def __enter__(self) -> RadosGateway:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        root = os.environ.get("TRAJPACK_CEPH", "")
        library = f"{root}/usr/lib/x86_64-linux-gnu"
        for name in ("mon", "osd", "run", "rgw"):
            (self.folder / name).mkdir(parents=True)
        identity = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(f"""[global]
fsid = {identity}
mon host = v1:127.0.0.1:{self.monitor}
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
run dir = {self.folder}/run
admin socket = {self.folder}/run/$cluster-$name.asok
log file = {self.folder}/$name.log
erasure code dir = {library}/ceph/erasure-code
osd class dir = {library}/rados-classes
plugin dir = {library}/ceph
osd objectstore = memstore
memstore device bytes = 2147483648
mon data = {self.folder}/mon
osd data = {self.folder}/osd
[osd]
osd class load list = *
osd class default list = *
""")
        f = str(self.folder)
        self._run("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{self.monitor}]", "--fsid", identity, f"{f}/monmap")
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{f}/monmap", "--mon-data", f"{f}/mon")
        self._run("ceph-mon", "-i", "a", "--mon-data", f"{f}/mon", "--pid-file", f"{f}/mon.pid")
        disk = str(uuid.uuid4())
        number = self._run("ceph", "osd", "new", disk).strip()
        self._run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", disk, "--osd-data", f"{f}/osd")
        self._run("ceph-osd", "-i", number, "--osd-data", f"{f}/osd", "--pid-file", f"{f}/osd.pid")
        self._run("radosgw-admin", "user", "create", "--uid=t", "--display-name=t", f"--access-key={self.key}",
                  f"--secret={self.secret}")
        self._run("radosgw", "-n", "client.rgw", f"--rgw-frontends=beast endpoint=127.0.0.1:{self.port}",
                  f"--rgw-data={f}/rgw", "--pid-file", f"{f}/rgw.pid")
        for _ in range(240):
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                time.sleep(0.25)
        raise TimeoutError("the gateway does not answer")

    def __exit__(self, *_: object) -> None:
        for name in ("rgw", "osd", "mon"):
            file = self.folder / f"{name}.pid"
            if file.exists() and (text := file.read_text().strip()):
                try:
                    os.kill(int(text), signal.SIGKILL)
                except ProcessLookupError:
                    pass
