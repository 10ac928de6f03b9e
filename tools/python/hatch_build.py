"""Builds the program and the three libraries for the wheel, and tags it: one wheel for every Python on Linux."""
from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What the package calls each library: what the build calls it, and the variable that names a built one.
LIBRARIES = {
    "libtrajpack.so": ("trajpack-c", "TRAJPACK_LIBRARY"),
    "libtrajpack-write.so": ("trajpack-write", "TRAJPACK_WRITE_LIBRARY"),
    "libtrajpack-video.so": ("trajpack-video", "TRAJPACK_VIDEO_LIBRARY"),
}
PROGRAM = ("trajpack", "TRAJPACK_PROGRAM")


class LibraryHook(BuildHookInterface):
    """Puts the libraries into ``src/trajpack/_native`` and the program among the scripts: those that the environment
    names, or a fresh release build.

    Only ``libtrajpack-write.so`` and the program use libhdf5, only ``libtrajpack-video.so`` and the program FFmpeg.
    Both are loaded when something is written or frames are wanted. They are the machine's, unless
    TRAJPACK_WHEEL_LIBRARIES names what ``tools/wheel/libraries.sh`` has built: then they go into the wheel
    (``make wheel``), with their licences and with the tag that TRAJPACK_WHEEL_TAG gives.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        build_data["pure_python"] = False
        build_data["tag"] = os.environ.get("TRAJPACK_WHEEL_TAG") or f"py3-none-linux_{platform.machine()}"
        root = Path(self.root)
        folder = root / "src" / "trajpack" / "_native"
        folder.mkdir(exist_ok=True)
        for name, (product, variable) in LIBRARIES.items():
            self._place(self._built(root, product, f"lib{product}.so", variable), folder / name)
            if version != "editable":
                build_data["artifacts"].append(f"src/trajpack/_native/{name}")
        self._scratch = Path(tempfile.mkdtemp(prefix="trajpack-wheel-"))
        program = self._scratch / "trajpack"
        self._place(self._built(root, PROGRAM[0], PROGRAM[0], PROGRAM[1]), program)
        program.chmod(0o755)
        build_data["shared_scripts"][str(program)] = "trajpack"
        if bundled := os.environ.get("TRAJPACK_WHEEL_LIBRARIES"):
            for part, inside in (("shared", "_native"), ("licenses", "_native/licenses")):
                for file in sorted((Path(bundled) / part).iterdir()):
                    build_data["force_include"][str(file)] = f"trajpack/{inside}/{file.name}"

    @staticmethod
    def _place(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        if shutil.which("strip"):
            # The section is a hash of how each module was compiled, in which folder, too.
            subprocess.run(["strip", "--strip-unneeded", "--remove-section=.swift_modhash", target], check=True)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leaves no copy in the source tree that would be taken for the newest build, but for an editable install."""
        if self.target_name == "wheel" and version != "editable":
            shutil.rmtree(Path(self.root) / "src" / "trajpack" / "_native", ignore_errors=True)
        if scratch := getattr(self, "_scratch", None):
            shutil.rmtree(scratch, ignore_errors=True)

    def _built(self, root: Path, product: str, file: str, variable: str) -> Path:
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
        return Path(where) / file
