"""tools/setup.sh brings Swift where it is absent: from a server on this machine, with an archive and a key made here."""
import functools
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = next(line.partition("=")[2] for line in (ROOT / "tools" / "setup.sh").read_text().splitlines()
               if line.startswith("swift_version="))
SYSTEMS = {"debian12": "debian12", "ubuntu22.04": "ubuntu2204", "ubuntu24.04": "ubuntu2404"}


def system():
    facts = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return facts["ID"].strip('"') + facts.get("VERSION_ID", "").strip('"')


pytestmark = [
    pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("curl")), reason="no gpg or curl here"),
    pytest.mark.skipif(system() not in SYSTEMS, reason="swift.org's archive for this distribution is not known"),
    pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="swift.org has no archive"),
]


def gpg(home, *arguments):
    return subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--yes", *arguments], check=True,
                          capture_output=True, text=True).stdout


def make_key(home, name):
    home.mkdir(mode=0o700)
    gpg(home, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
    return next(line.split(":")[9] for line in gpg(home, "--with-colons", "--list-keys").splitlines()
                if line.startswith("fpr"))


@pytest.fixture(scope="module")
def keys():
    """Two keys: the one that is expected, and a stranger's. gpg's agents want short paths and end with their folders."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="tp-gpg-") as folder:
        homes = [Path(folder) / name for name in ("ours", "theirs")]
        yield [(home, make_key(home, f"{home.name} <{home.name}@example.org>")) for home in homes]
        for home in homes:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False, capture_output=True)


class Server:
    """A folder as a web server on this machine."""

    def __init__(self, folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        handler.func.log_message = lambda *_: None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def offer(tmp_path, keys):
    """Writes a signed archive where swift.org has it; returns how to run setup.sh against it."""
    folder = tmp_path / "server"
    machine = "-aarch64" if os.uname().machine == "aarch64" else ""
    name = f"swift-{VERSION}-RELEASE-{system()}{machine}"
    place = folder / f"swift-{VERSION}-release" / (SYSTEMS[system()] + machine) / f"swift-{VERSION}-RELEASE"
    place.mkdir(parents=True)
    server = Server(folder)

    def make(signer=0, spoil=False):
        said = f"#!/bin/sh\necho 'Swift version {VERSION} (swift-{VERSION}-RELEASE)'\n".encode()
        archive = place / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as file:
            entry = tarfile.TarInfo(f"{name}/usr/bin/swift")
            entry.size, entry.mode = len(said), 0o755
            file.addfile(entry, io.BytesIO(said))
        gpg(keys[signer][0], "--detach-sign", "--output", f"{archive}.sig", archive)
        if spoil:
            content = bytearray(archive.read_bytes())
            content[len(content) // 2] ^= 1
            archive.write_bytes(content)
        # Both keys are in the file, as swift.org's has several.
        (folder / "all-keys.asc").write_text("".join(gpg(home, "--armor", "--export") for home, _ in keys))
        bare = tmp_path / "bin"     # a PATH without Swift
        bare.mkdir(exist_ok=True)
        for tool in ("bash", "sh", "curl", "gpg", "tar", "gzip", "uname", "grep", "mkdir", "chmod", "rm", "mv", "sort", "head",
                     "sed", "cut", "dirname", "flock", "cat", "gpg-agent"):
            if (found := shutil.which(tool)) and not (bare / tool).exists():
                (bare / tool).symlink_to(found)
        return {"PATH": str(bare), "HOME": str(tmp_path / "home"), "TRAJPACK_SWIFT_SERVER": server.url,
                "TRAJPACK_SWIFT_KEYS": f"{server.url}/all-keys.asc", "TRAJPACK_SWIFT_KEY": keys[0][1]}

    yield make
    server.server.shutdown()


def setup(environment, root):
    """A copy of setup.sh, so that its lock is not the one of the checkout, and that no /opt/swift is taken."""
    (root / "tools").mkdir(parents=True, exist_ok=True)
    text = (ROOT / "tools" / "setup.sh").read_text()
    assert ":/opt/swift/usr/bin:" in text
    (root / "tools" / "setup.sh").write_text(text.replace(":/opt/swift/usr/bin:", ":"))
    return subprocess.run(["bash", root / "tools" / "setup.sh", "--swift-only"], env=environment, capture_output=True,
                          text=True)


def test_brings_swift_once(offer, tmp_path):
    environment = offer()
    run = setup(environment, tmp_path / "checkout")
    assert run.returncode == 0, run.stderr
    assert f"fetching Swift {VERSION}" in run.stdout and environment["TRAJPACK_SWIFT_SERVER"] in run.stdout
    program = tmp_path / "home/.local/share/trajpack/swift/usr/bin/swift"
    assert VERSION in subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert [p.name for p in program.parents[3].iterdir()] == ["swift"]
    again = setup(environment, tmp_path / "checkout")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.parametrize("how", [{"spoil": True}, {"signer": 1}])
def test_refuses_what_is_not_signed(offer, tmp_path, how):
    run = setup(offer(**how), tmp_path / "checkout")
    assert run.returncode == 1 and "is not signed by the key" in run.stderr
    assert not list((tmp_path / "home").rglob("*swift*"))


def test_says_that_the_server_has_nothing(offer, tmp_path):
    environment = offer() | {"TRAJPACK_SWIFT_KEYS": "http://127.0.0.1:9/none"}
    run = setup(environment, tmp_path / "checkout")
    assert run.returncode == 1 and "could not be fetched" in run.stderr and "swift.org/install" in run.stderr
    assert not list((tmp_path / "home").rglob("*swift*"))
