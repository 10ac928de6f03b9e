"""Another Swift package imports the product `Trajpack` from a tag of this repository, as docs/swift.md shows.

It takes some minutes of compiling, so it is asked for: `make swift-package` (TRAJPACK_SWIFT_PACKAGE=1)."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not os.environ.get("TRAJPACK_SWIFT_PACKAGE"),
                                reason="compiles for minutes; run it by 'make swift-package'")
# Prints each batch's windows and values, stops and goes on with another Windows, and shows two errors.
CHECK = r"""
import Trajpack

let dataset = try Dataset(path: CommandLine.arguments[1])
let options = WindowOptions(
  channels: ["camera/pos", "npc/pos"], length: 9, stride: 2, batchSize: 7, seed: 5,
  more: #"{"align": "nearest", "masks": true, "dtype": "float64"}"#)
func show(_ batch: Batch) throws {
  let values: [Double] = try batch.values("camera/pos")
  let seen: [Bool] = try batch.values("observed:camera/pos")
  print(batch.windows.map(String.init).joined(separator: " "), values.map { "\($0.bitPattern)" }.joined(separator: " "),
    seen.filter { $0 }.count, separator: ";")
}
var windows = try dataset.windows(options)
for _ in 0..<5 { try show(try windows.next()!) }
let state = windows.state
windows = try dataset.windows(options)
try windows.restore(state)
while let batch = try windows.next() { try show(batch) }
do throws(TrajpackError) { _ = try dataset.episode(id: "00001") } catch { print("\(error.fault): \(error.message)") }
do throws(TrajpackError) {
  _ = try dataset.episode(0).track("camera").values("pos", rows: -1..<1 << 60, as: Float.self)
} catch { print("\(error.fault): \(error.message)") }
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package beside a repository that holds the files of this checkout under the tag 1.0.0; built in release."""
    folder = tmp_path_factory.mktemp("swift")
    repository, reader = folder / "trajpack", folder / "reader"
    files = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\0")
    for name in files:
        if name and (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-qm", "all"], ["tag", "1.0.0"]):
        subprocess.run([*git, *command], check=True)
    blocks = re.findall(r"```swift\n(.*?)```", (ROOT / "docs" / "swift.md").read_text(), re.DOTALL)
    manifest, main = blocks[:2]
    assert "https://example.org/trajpack.git" in manifest
    manifest = manifest.replace("https://example.org/trajpack.git", repository.as_uri())
    check = manifest[manifest.index("    .executableTarget"):manifest.rindex("\n  ]")]
    manifest = manifest.replace(check, check + ",\n" + check.replace('"reader"', '"check"'))
    for name, text in (("Package.swift", manifest), ("Sources/reader/main.swift", main), ("Sources/check/main.swift", CHECK)):
        (reader / name).parent.mkdir(parents=True, exist_ok=True)
        (reader / name).write_text(text)
    done = subprocess.run(["swift", "build", "-c", "release", "--cache-path", str(folder / "cache")], cwd=reader,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "warning:" not in done.stdout + done.stderr, done.stdout + done.stderr
    return reader / ".build" / "release"


@pytest.fixture(scope="module")
def walks(trajpack, tmp_path_factory):
    path = tmp_path_factory.mktemp("swift-data") / "walks"
    subprocess.run([trajpack, "convert", ROOT / "fixtures" / "wildworld", path, "-q"], check=True)
    return path


def test_the_program_of_the_guide(package, walks):
    done = subprocess.run([package / "reader", walks], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("3 episodes; streams: state, camera, npc")
    assert "camera/pos: float64 [8, 16, 3]" in lines and "npc/pos: float64 [8, 16, 2, 3]" in lines, lines
    assert re.fullmatch(r"\d+ windows in \d+ batches", lines[-1])


def test_windows_are_those_of_python(package, walks):
    import trajpack
    done = subprocess.run([package / "check", walks], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *batches, unknown, rows = done.stdout.splitlines()
    loader = trajpack.open(walks).windows(
        channels=["camera/pos", "npc/pos"], length=9, stride=2, batch=7, seed=5, align="nearest", masks=True,
        dtype="float64")
    count = 0
    for line, batch in zip(batches, loader, strict=True):
        windows, values, seen = line.split(";")
        assert [int(w) for w in windows.split()] == list(batch.windows)
        bits = np.array([int(v) for v in values.split()], np.uint64).view(np.float64)
        np.testing.assert_array_equal(bits, np.asarray(batch["camera/pos"]).ravel())
        assert int(seen) == np.asarray(batch["observed:camera/pos"]).sum()
        count += 1
    assert count == len(batches) > 10
    assert unknown == f"usage: {walks}: there is no episode '00001'; did you mean '000001'?", json.dumps(unknown)
    assert rows.startswith("usage: ") and "the track of 'camera' has" in rows
