"""What the tests of `trajpack transcode` share: recordings of one video, and the samples that ffmpeg finds in them."""
import subprocess

import numpy as np
import read_archive
from test_video import column


def run(trajpack, *words, code=0, **options):
    done = subprocess.run([trajpack, *map(str, words)], check=False, capture_output=True, text=True, timeout=300,
                          **options)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def rawvideo(path, pixels, shape):
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vsync", "passthrough", "-f", "rawvideo",
                           "-pix_fmt", pixels, "-"],
                          check=True, capture_output=True)
    return np.frombuffer(done.stdout, "u1" if pixels == "gray" else "<u2").reshape(-1, *shape)


def record(folder, frames, pixels="gray", codec=("-c:v", "ffv1"), name="depth.mkv"):
    """A recording of one video, made of given frames."""
    folder.mkdir(parents=True)
    height, width = frames.shape[1:3]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", pixels, "-s",
                    f"{width}x{height}", "-r", "30", "-i", "-", *codec, "-pix_fmt", pixels, folder / name],
                   check=True, input=frames.tobytes())
    return folder / name


def pictures(count, height, width, kind, top=255, seed=3):
    """Depth-like frames: smooth, noisy, or of few values with edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    t = np.arange(count)[:, None, None]
    if kind == "smooth":
        values = (y * 3 + x + 2 * t) * top / (4 * max(height, width) + 2 * count)
    elif kind == "noise":
        values = rng.integers(0, top + 1, (count, height, width))
    else:
        values = ((x // 7 + y // 5 + t) % 4) * (top // 4)
    return np.clip(values, 0, top).astype("u1" if top < 256 else "<u2")


def columns(path, *names):
    """Of each track of a dataset's video: episode -> columns, metadata and clock."""
    found = {}
    for shard in read_archive.open_dataset(str(path))[0]:
        shard = read_archive.Shard(shard)
        for track in shard.tracks:
            stream = shard.schema["streams"][track[1]]
            if stream.get("attributes", {}).get("video"):
                metadata = shard.metadata(track[6], track[7])
                found[metadata["file"].split("/")[-2]] = {n: column(shard, stream, n, track) for n in names}, metadata
    return found
