"""Builds the three libraries for the wheel, and tags it: one wheel for every Python on Linux."""
from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What the package calls each library: what the build calls it, and the variable that names a built one.
LIBRARIES = {
    "libtrajpack.so": ("trajpack-c", "TRAJPACK_LIBRARY"),
    "libtrajpack-write.so": ("trajpack-write", "TRAJPACK_WRITE_LIBRARY"),
    "libtrajpack-video.so": ("trajpack-video", "TRAJPACK_VIDEO_LIBRARY"),
}


class LibraryHook(BuildHookInterface):
    """Puts the libraries into ``src/trajpack/_native``: those that the environment names, or a fresh release build.

    Only ``libtrajpack-write.so`` links libhdf5. It is loaded when something is written, so the wheel works for reading
    where there is no libhdf5. Only ``libtrajpack-video.so`` links FFmpeg, and is loaded when frames are wanted.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{platform.machine()}"
        root = Path(self.root)
        folder = root / "src" / "trajpack" / "_native"
        folder.mkdir(exist_ok=True)
        for name, (product, variable) in LIBRARIES.items():
            target = folder / name
            shutil.copyfile(self._library(root, product, variable), target)
            if shutil.which("strip"):
                subprocess.run(["strip", "--strip-unneeded", target], check=True)
            if version != "editable":
                build_data["artifacts"].append(f"src/trajpack/_native/{name}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leaves no copy in the source tree that would be taken for the newest build, but for an editable install."""
        if self.target_name == "wheel" and version != "editable":
            shutil.rmtree(Path(self.root) / "src" / "trajpack" / "_native", ignore_errors=True)

    def _library(self, root: Path, product: str, variable: str) -> Path:
        given = os.environ.get(variable)
        if given:
            if not Path(given).is_file():
                raise FileNotFoundError(f"{variable} names {given}, which is no file")
            return Path(given)
        for package in (root.parent.parent, root / "swift"):
            if (package / "Package.swift").exists():
                break
        else:
            raise FileNotFoundError("Package.swift is neither two folders up nor in ./swift; build from a checkout or "
                                    "an sdist")
        swift = shutil.which("swift") or "/opt/swift/usr/bin/swift"
        if not Path(swift).exists():
            raise FileNotFoundError("building trajpack needs Swift 6.2 or newer (swift.org); or name a built library "
                                    f"in {variable}")
        build = [swift, "build", "-c", "release", "--package-path", str(package)]
        subprocess.run([*build, "--product", product], check=True)
        where = subprocess.run([*build, "--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
        return Path(where) / f"lib{product}.so"
