#!/usr/bin/env python3
"""Builds the wheel that needs nothing else: `make wheel`.

Libraries of tools/wheel/libraries.sh, the program and the three libraries linked with them in a scratch folder of their
own (.build/wheel, or TRAJPACK_WHEEL_SCRATCH), the wheel by hatchling, its tag by auditwheel. The same sources and tools
give the same bytes, in another scratch folder, too, as far as the compiler repeats itself.
Runs with the Python of .venv-wheel.
"""
from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "tools" / "python"
DIST = PYTHON / "dist"
#: RHEL 9, Debian 12, Ubuntu 22.04.
OLDEST_GLIBC = (2, 34)
MOST_BYTES = 50 << 20
PRODUCTS = {"trajpack": "TRAJPACK_PROGRAM", "libtrajpack-c.so": "TRAJPACK_LIBRARY",
            "libtrajpack-write.so": "TRAJPACK_WRITE_LIBRARY", "libtrajpack-video.so": "TRAJPACK_VIDEO_LIBRARY"}


def fail(why: str) -> None:
    sys.exit(f"wheel: {why}")


def run(*command: str | Path, **options: object) -> str:
    """What a command prints; its errors are shown as they come."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        fail(f"'{' '.join(map(str, command))}' ended with {done.returncode}")
    return done.stdout


def build_products(libraries: Path) -> dict[str, str]:
    """The program and the libraries, linked with the archives of ``libraries``: the variables that name them."""
    swift = shutil.which("swift") or fail("no swift here; run tools/setup.sh")
    scratch = os.environ.get("TRAJPACK_WHEEL_SCRATCH") or ROOT / ".build" / "wheel"
    # Only our archives are found, so that nothing of the machine is linked but what every Linux has.
    # (SwiftPM looks into PKG_CONFIG_PATH first, and does not heed PKG_CONFIG_LIBDIR.)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(libraries / "lib" / "pkgconfig")}
    command = [swift, "build", "-c", "release", "--package-path", ROOT, "--scratch-path", scratch,
               "-Xlinker", f"-L{libraries / 'lib'}",
               # An id would be made of debug information, too, in which folders are named.
               "-Xlinker", "--build-id=none"]
    for product in PRODUCTS:
        name = product.removeprefix("lib").removesuffix(".so")
        print(f"wheel: building {product}", flush=True)
        run(*command, "--product", name, env=environment)
    folder = Path(run(*command, "--show-bin-path", env=environment).strip())
    return {variable: str(folder / product) for product, variable in PRODUCTS.items()}


def pack(environment: dict[str, str], tag: str = "") -> Path:
    """The wheel, in an empty dist folder."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", DIST, cwd=PYTHON,
        env={**os.environ, **environment, "TRAJPACK_WHEEL_TAG": tag})
    return next(DIST.glob("*.whl"))


def tag_of(wheel: Path) -> str:
    """The tag of the oldest Linux on which the wheel works, as auditwheel sees it."""
    said = run(sys.executable, "-m", "auditwheel", "show", wheel)
    found = re.search(r'"(manylinux_(\d+)_(\d+)_\w+)"', " ".join(said.split()))
    if found is None or (int(found[2]), int(found[3])) > OLDEST_GLIBC:
        print(said, file=sys.stderr)
        fail(f"the wheel needs more than glibc {'.'.join(map(str, OLDEST_GLIBC))} and what every Linux has: see above")
    return f"py3-none-{found[1]}"


def main() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        fail(f"wheels are built on x86_64 and aarch64, not on {platform.machine()}")
    libraries = Path(run(ROOT / "tools" / "wheel" / "libraries.sh").strip().splitlines()[-1])
    environment = {**build_products(libraries), "TRAJPACK_WHEEL_LIBRARIES": str(libraries)}
    wheel = pack(environment, tag_of(pack(environment)))
    size = wheel.stat().st_size
    if size > MOST_BYTES:
        fail(f"{wheel} has {size:,} bytes, more than {MOST_BYTES:,}")
    print(f"wheel: {wheel.relative_to(ROOT)}, {size / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main()
