"""What is interrupted stops within an episode: an export leaves whole episodes or nothing, a preparation nothing."""
import signal
import subprocess
import time

import numpy as np
import pytest


@pytest.fixture(scope="module")
def long(trajpack, tmp_path_factory):
    """A short recording, and one that takes seconds to export."""
    folder = tmp_path_factory.mktemp("long")
    rng = np.random.default_rng(0)
    np.save(folder / "a.npy", rng.normal(size=(100, 8)))
    np.save(folder / "b.npy", rng.normal(size=(600_000, 8)))
    done = subprocess.run([trajpack, "convert", folder / "a.npy", folder / "b.npy", folder / "ds", "--rate", "100",
                           "--codec", "none"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "ds"


@pytest.mark.parametrize("form", ["csv", "npz"])
@pytest.mark.parametrize("episodes", [["a", "b"], ["b"]])
def test_a_stop_within_an_episode(trajpack, start, long, tmp_path, form, episodes):
    out = tmp_path / "out"
    words = [w for e in episodes for w in ("--episode", e)]
    process = start([trajpack, "export", long, out, "--to", form, *words], stderr=subprocess.PIPE,
                    stdout=subprocess.PIPE)
    file = out / ".tmp-b" / ("series.csv" if form == "csv" else "episode.npz")
    while process.poll() is None and not (file.exists() and file.stat().st_size > 1 << 20):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130 and printed == "", "it was not stopped within the episode"
    assert f"stopped after {len(episodes) - 1} episode" in said
    left = sorted(p.name for p in out.iterdir()) if out.exists() else []
    assert left == episodes[:-1]
    if left:
        again = subprocess.run([trajpack, "export", long, tmp_path / "again", "--to", form, "--episode", "a"])
        assert again.returncode == 0
        for file in (out / "a").iterdir():
            assert file.read_bytes() == (tmp_path / "again" / "a" / file.name).read_bytes()


def test_a_preparation_stops_within_a_recording(trajpack, start, tmp_path):
    """What would take minutes ends soon after the first signal."""
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=3_000_000))
    subprocess.run([trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", "--rate", "100", "--quiet"], check=True)
    process = start([trajpack, "embed", tmp_path / "ds", tmp_path / "out", "--tau", "1", "--dimension", "64"],
                    stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(1)
    assert process.poll() is None, "it was not long"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, said = process.communicate(timeout=100)
    assert time.monotonic() - began < 20
    assert process.returncode == 143 and "stopped after 0 episodes" in said and not (tmp_path / "out").exists()
