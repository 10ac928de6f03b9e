"""What `tools/wheel/bare.sh` and tools/tests/test_wheel.py run with an installed wheel, after `trajpack demo DIR`."""
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import trajpack

tour = Path(sys.argv[1])
native = Path(trajpack.__file__).parent / "_native"


def loaded():
    return {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}


dataset = trajpack.open(tour / "ww")
batch = next(iter(dataset.windows(channels=["state", "camera"], duration=0.5, batch=4)))
assert batch["camera/pos"].shape == (4, 15, 3), batch["camera/pos"].shape
assert not [p for p in loaded() if "libav" in p or "hdf5" in p], "FFmpeg or libhdf5 is loaded before it is needed"

frames = dataset.episode("000002")["rgb"][10:12]
assert frames.shape == (2, 180, 320, 3) and frames.std() > 1
depth = dataset.episode("000002")["depth"][0]
assert depth.ndim == 2, depth.shape

with trajpack.create(tour / "mine", rate=50) as writer:
    writer.append("one", x=np.arange(100.0))
assert np.array_equal(trajpack.open(tour / "mine").episode("one")["frames/x"][:], np.arange(100.0))
for name in ("libavcodec", "libavformat", "libavutil", "libswscale", "libhdf5"):
    found = [p for p in loaded() if name in p]
    assert found and all(Path(p).parent == native for p in found), (name, found)

# The program, too, uses those of the package.
for arguments in (["convert", "--quiet", tour / "recordings", tour / "again"], ["verify", tour / "again"],
                  ["frame", tour / "again", "000001", "rgb", "3", "-o", tour / "three.png"]):
    subprocess.run(["trajpack", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def least(*command):
    """The least of several wall times, in ms."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


python = sys.executable
none = least(python, "-c", "pass")
print(f"trajpack --version {least('trajpack', '--version'):.1f} ms; import trajpack {least(python, '-c', 'import trajpack') - none:.1f} ms, "
      f"import numpy {least(python, '-c', 'import numpy') - none:.1f} ms")
