"""The reading layers never enter libhdf5 or FFmpeg: no object file of theirs refers to them, nor does a library made of
them."""
import functools
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READING = ["TrajpackFormat", "TrajpackCodecs", "TrajpackStore", "CPlatform"]


def builds():
    return [b for b in (ROOT / ".build" / "release", ROOT / ".build" / "debug") if (b / "trajpack").exists()]


@functools.cache
def undefined(build):
    """The undefined symbols of every object file of a build: module -> names."""
    objects = sorted(build.resolve().glob("*.build/**/*.o"))
    text = subprocess.run(["nm", "-A", "-u", *objects], capture_output=True, text=True, check=True).stdout
    found = {item.relative_to(build.resolve()).parts[0].removesuffix(".build"): set() for item in objects}
    for module, name in re.findall(r"/([^/\n]+)\.build/[^\n]*\.o:\s+U (\S+)$", text, re.MULTILINE):
        found[module].add(name)
    return found


def naming(build, pattern):
    """The modules that refer to a symbol of this pattern."""
    return {module for module, names in undefined(build).items() if any(re.match(pattern, n) for n in names)}


@pytest.mark.parametrize("module", READING)
def test_objects_name_no_hdf5(trajpack, module):
    for build in builds():
        assert module in undefined(build), f"no object of {module} was found"
        assert module not in naming(build, r"(H5|tph5_)\w+"), build


def test_only_one_module_names_hdf5(trajpack):
    """So the check above can fail: the backend does refer to libhdf5."""
    for build in builds():
        names = naming(build, r"H5[A-Z]\w+")
        assert {"CHDF5Shims"} <= names <= {"CHDF5Shims", "TrajpackHDF5"}, names


@pytest.mark.parametrize("module", [*READING, "TrajpackLoader", "TrajpackABI", "CVideoTable"])
def test_objects_name_no_ffmpeg(trajpack, module):
    for build in builds():
        assert module not in naming(build, r"(av_|avcodec_|avformat_|avio_|sws_|swr_)\w+"), build


def test_only_one_module_names_ffmpeg(trajpack):
    """So the check above can fail: the decoder does refer to FFmpeg."""
    for build in builds():
        names = naming(build, r"(avcodec_|avformat_|sws_)\w+")
        assert {"TrajpackVideo"} <= names <= {"CFFmpegShims", "TrajpackVideo"}, names


@pytest.mark.parametrize("product", ["trajpack-c", "trajpack-write"])
def test_shared_libraries_link_no_ffmpeg(product):
    found = [p for p in (ROOT / ".build").rglob(f"lib{product}.so")]
    if not found:
        pytest.skip("the library is not built")
    for library in found:
        needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        assert not re.search(r"lib(av(codec|format|util)|swscale)", needed), library


def test_shared_library_links_no_hdf5():
    found = [p for p in (ROOT / ".build").rglob("libtrajpack-c.so")]
    if not found:
        pytest.skip("the library for Python is not built")
    for library in found:
        needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        assert "hdf5" not in needed.lower(), library
