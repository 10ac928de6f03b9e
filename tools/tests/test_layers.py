"""The reading layers never enter libhdf5 or FFmpeg: no object file of theirs refers to them, nor does a library made of
them."""
import functools
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READING = ["TrajpackFormat", "TrajpackCodecs", "TrajpackRemote", "TrajpackStore", "CPlatform"]


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


@pytest.mark.parametrize("module", [*READING, "TrajpackLoader", "Trajpack", "TrajpackABI", "CVideoTable"])
def test_objects_name_no_ffmpeg(trajpack, module):
    for build in builds():
        assert module not in naming(build, r"(av_|avcodec_|avformat_|avio_|sws_|swr_)\w+"), build


def test_only_one_module_names_ffmpeg(trajpack):
    """So the check above can fail: the decoder does refer to FFmpeg."""
    for build in builds():
        names = naming(build, r"(avcodec_|avformat_|sws_)\w+")
        assert {"TrajpackVideo"} <= names <= {"CFFmpegShims", "TrajpackVideo"}, names


# What is loaded when it is first needed: Debian's FFmpeg and libhdf5 bring 149 libraries with them.
LATER = r"lib(av(codec|format|util)|sw(scale|resample)|hdf5|curl|ssl|crypto)"
LATER_FUNCTIONS = r"(av_|avcodec_|avformat_|avio_|sws_|swr_|curl_|H5[A-Z])\w+"


def products():
    """The program and the libraries of the release build, else of the debug build."""
    return [p for b in builds()[:1] for p in (b / "trajpack", *sorted(b.glob("libtrajpack-*.so")))]


@pytest.mark.parametrize("product", products(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_products_start_without_hdf5_and_ffmpeg(product):
    """A function that is not listed in functions.h (CFFmpegShims, CHDF5Shims) would be undefined here."""
    needed = subprocess.run(["readelf", "-d", product], capture_output=True, text=True, check=True).stdout
    assert not re.search(LATER, needed), product
    undefined = subprocess.run(["nm", "-D", "--undefined-only", product], capture_output=True, text=True,
                               check=True).stdout.split()
    assert not [name for name in undefined if re.fullmatch(LATER_FUNCTIONS + r"(@.*)?", name)], product


def test_program_starts_with_few_libraries(trajpack):
    """Of all libraries behind those that it names, too: the dynamic linker was nine tenths of the time of a start."""
    loaded = subprocess.run(["ldd", trajpack], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(loaded) < 40, loaded
