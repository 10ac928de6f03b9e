"""What the wheel rests on, tested without building one: FFmpeg's options, the age of glibc, and which libraries are taken."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (ROOT / "tools" / "wheel" / "libraries.sh").read_text()
#: Containers by the names that libavformat's configuration has for them, where these are others.
CONFIGURED = {"mpeg": "mpegps"}


def option(kind):
    """All names that options of this kind enable."""
    return {name for names in re.findall(rf"--enable-{kind}=(\S+?)\)?(?:\s|$)", SCRIPT) for name in names.split(",")}


def test_ffmpeg_has_the_containers_that_are_read():
    swift = (ROOT / "Sources" / "TrajpackVideo" / "Demuxer.swift").read_text()
    read = re.search(r'let containers =\s*"([\w,]+)"', swift)[1].split(",")
    assert len(read) > 10 and {CONFIGURED.get(name, name) for name in read} <= option("demuxer")


def test_ffmpeg_has_what_the_documents_promise():
    assert option("decoder") >= {"h264", "hevc", "vp8", "vp9", "libdav1d", "ffv1", "mjpeg", "png"}
    assert option("encoder") >= {"ffv1", "mjpeg", "png", "gif"} and option("muxer") >= {"mov", "matroska", "gif"}
    # A codec that is compressed across frames has a parser, without which an MPEG stream has no frames.
    assert option("parser") >= {"h264", "hevc", "vp8", "vp9", "av1", "mpegvideo", "mpeg4video"}
    for word in ("--enable-gpl", "--enable-nonfree", "--enable-version3", "libx264", "libx265"):
        assert word not in SCRIPT, word


@pytest.mark.parametrize("product", ["trajpack", "libtrajpack-c.so", "libtrajpack-write.so", "libtrajpack-video.so"])
def test_needs_no_newer_glibc(trajpack, product):
    """The wheel's tag says 2.34, of RHEL 9, Debian 12 and Ubuntu 22.04: no function of a newer one may be called."""
    file = Path(trajpack).parent / product
    if not file.exists():
        pytest.skip(f"{product} is not built")
    said = subprocess.run(["readelf", "-V", "-W", file], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", said)}
    assert (2, 34) in versions and max(versions) <= (2, 34), sorted(versions)


def machine_library():
    """The machine's libhdf5: its number and its path."""
    said = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    found = re.search(r"libhdf5(?:_serial)?\.so\.(\d+) .*=> (\S+)", said)
    return found and (found[1], found[2])


@pytest.mark.skipif(machine_library() is None, reason="no libhdf5 here")
@pytest.mark.parametrize(("program", "package"), [
    ("env/bin/trajpack", "env/lib/python3.11/site-packages/trajpack/_native"),
    ("a [b]*/bin/trajpack", "a [b]*/lib64/python3.13/dist-packages/trajpack/_native"),
    ("target/bin/trajpack", "target/trajpack/_native")])
def test_program_takes_the_package_s_libraries(trajpack, tmp_path, program, package):
    """As pip installs them: in an environment, system-wide, with --target. Also where it was called by a link."""
    number, path = machine_library()
    own = tmp_path / package / f"libhdf5-trajpack.so.{number}"
    own.parent.mkdir(parents=True)
    # A copy: the dynamic linker takes a link to a library that is loaded for that library.
    shutil.copyfile(path, own)
    installed = tmp_path / program
    installed.parent.mkdir(parents=True)
    shutil.copyfile(trajpack, installed)
    installed.chmod(0o755)
    (tmp_path / "link").symlink_to(installed)
    (tmp_path / "in.csv").write_text("t,x\n0,1\n1,2\n")
    done = subprocess.run([tmp_path / "link", "convert", tmp_path / "in.csv", tmp_path / "out", "--quiet"],
                          capture_output=True, text=True, env={"LD_DEBUG": "files", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr[-2000:]
    taken = {Path(p).resolve() for p in re.findall(r"calling init: (.*libhdf5\S*)", done.stderr)}
    assert taken == {own.resolve()}, taken
