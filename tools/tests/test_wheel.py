"""The wheel that TRAJPACK_WHEEL names: `make wheel-test`. Building one takes minutes and is not done here; test_wheel_parts.py
tests without one."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel():
    named = os.environ.get("TRAJPACK_WHEEL")
    if not named:
        pytest.skip("TRAJPACK_WHEEL names no wheel: make wheel-test")
    return Path(named)


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_size_and_tag(wheel):
    glibc = re.search(r"-py3-none-manylinux_2_(\d+)_", wheel.name)
    assert glibc and int(glibc[1]) <= 34, wheel.name
    assert wheel.stat().st_size <= 50 << 20


def test_licences(unpacked):
    texts = {p.name: p.read_text(errors="replace") for p in (unpacked / "trajpack/_native/licenses").iterdir()}
    assert set(texts) >= {f"{n}.txt" for n in ("ffmpeg", "hdf5", "dav1d", "lz4", "libzstd", "zlib", "bzip2", "xz-utils", "SOURCES")}
    assert "LGPL" in texts["ffmpeg.txt"] and "--disable-everything" in texts["SOURCES.txt"]
    assert "--enable-gpl" not in texts["SOURCES.txt"]


def test_needs_only_what_every_linux_has(unpacked):
    everywhere = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6",
                  "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    inside = {p.name for p in unpacked.rglob("*.so*")}
    for file in [*unpacked.rglob("*.so*"), *unpacked.glob("*.data/scripts/trajpack")]:
        said = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"NEEDED.*\[(.*)\]", said)) <= everywhere | inside, file


def test_installed(wheel, unpacked, tmp_path):
    """Installed aside, without the checkout's libraries and the machine's FFmpeg in its way."""
    folder = tmp_path / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    shutil.copytree(unpacked / "trajpack", folder / "trajpack")
    program = tmp_path / "bin" / "trajpack"
    program.parent.mkdir()
    shutil.copyfile(next(unpacked.glob("*.data/scripts/trajpack")), program)
    program.chmod(0o755)
    environment = {"PATH": f"{program.parent}:/usr/bin:/bin", "PYTHONPATH": str(folder), "HOME": str(tmp_path)}
    subprocess.run([program, "demo", tmp_path / "tour"], check=True, capture_output=True, env=environment)
    samples = tmp_path / "samples"
    subprocess.run([sys.executable, ROOT / "tools/wheel/samples.py", samples], check=True, capture_output=True)
    done = subprocess.run([sys.executable, ROOT / "tools/wheel/bare_check.py", tmp_path / "tour", samples], env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_record(unpacked):
    """Every file has the SHA-256 that RECORD gives."""
    import base64
    lines = next(unpacked.glob("*.dist-info/RECORD")).read_text().splitlines()
    for name, digest, _ in (line.rsplit(",", 2) for line in lines if not line.split(",")[0].endswith("RECORD")):
        sum256 = base64.urlsafe_b64encode(hashlib.sha256((unpacked / name).read_bytes()).digest()).rstrip(b"=").decode()
        assert digest == f"sha256={sum256}", name
