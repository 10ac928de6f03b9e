"""The reading layers never enter libhdf5 or FFmpeg: no object file of theirs refers to them, nor does a library made of
them."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READING = ["TrajpackFormat", "TrajpackCodecs", "TrajpackStore", "CPlatform"]


def undefined(path):
    return subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout


def builds():
    return [b for b in (ROOT / ".build" / "release", ROOT / ".build" / "debug") if (b / "trajpack").exists()]


@pytest.mark.parametrize("module", READING)
def test_objects_name_no_hdf5(trajpack, module):
    seen = 0
    for build in builds():
        for item in (build / f"{module}.build").rglob("*.o"):
            seen += 1
            assert not re.search(r"\b(H5|tph5_)\w+", undefined(item)), item
    assert seen > 0, f"no object of {module} was found"


def test_only_one_module_names_hdf5(trajpack):
    """So the check above can fail: the backend does refer to libhdf5."""
    for build in builds():
        names = {item.relative_to(build).parts[0] for item in build.glob("*.build/**/*.o")
                 if re.search(r"\bH5[A-Z]\w+", undefined(item))}
        assert {"CHDF5Shims.build"} <= names <= {"CHDF5Shims.build", "TrajpackHDF5.build"}, names


@pytest.mark.parametrize("module", [*READING, "TrajpackLoader", "TrajpackABI", "CVideoTable"])
def test_objects_name_no_ffmpeg(trajpack, module):
    for build in builds():
        for item in (build / f"{module}.build").rglob("*.o"):
            assert not re.search(r"\b(av_|avcodec_|avformat_|avio_|sws_|swr_)\w+", undefined(item)), item


def test_only_one_module_names_ffmpeg(trajpack):
    """So the check above can fail: the decoder does refer to FFmpeg."""
    for build in builds():
        names = {item.relative_to(build).parts[0] for item in build.glob("*.build/**/*.o")
                 if re.search(r"\b(avcodec_|avformat_|sws_)\w+", undefined(item))}
        assert {"TrajpackVideo.build"} <= names <= {"CFFmpegShims.build", "TrajpackVideo.build"}, names


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
