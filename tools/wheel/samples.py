#!/usr/bin/env python3
"""Files of other software on which an installed wheel is tried (bare_check.py), and what it must find in them:

    samples.py OUT        # OUT/videos/CASE, OUT/hdf5/*.hdf5, OUT/tls/{certificate,key}.pem, OUT/truth.json

Runs with .venv; needs openssl, and ffmpeg, which says what each video holds: the SHA-256 of its frames as they are decoded.
"""
from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "fixtures"), str(ROOT / "tools" / "tests")]
import foreign_world
import make_videos

SOURCE = "-f lavfi -i testsrc2=size=160x96:rate=30 -frames:v 12"
#: What docs/packaging.md names beside the cases of make_videos.py: a codec or a container, and how ffmpeg makes it.
MORE = {
    "mpeg1": "-c:v mpeg1video -f matroska", "mpeg2": "-c:v mpeg2video -f vob", "mpeg4": "-c:v mpeg4 -f asf",
    "huffyuv": "-c:v huffyuv -pix_fmt yuv422p -f matroska", "ffvhuff": "-c:v ffvhuff -pix_fmt yuv420p -f nut",
    "raw": "-pix_fmt yuv420p -f yuv4mpegpipe", "gif": "-f gif", "avi": "-c:v mjpeg -f avi",
    "mpegts": "-c:v libx264 -pix_fmt yuv420p -g 8 -f mpegts", "flv": "-c:v libx264 -pix_fmt yuv420p -g 8 -f flv",
    "ivf": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -f ivf", "mxf": "-c:v mpeg2video -f mxf",
    "theora": "-c:v libtheora -f ogg", "flv1": "-c:v flv -f flv", "h263": "-s 176x144 -c:v h263 -f mov", "msmpeg4": "-c:v msmpeg4 -f avi",
    "wmv": "-c:v wmv2 -f asf", "prores": "-c:v prores -pix_fmt yuv422p10le -f mov",
    "dnxhd": "-s 1280x720 -c:v dnxhd -pix_fmt yuv422p -b:v 60M -frames:v 2 -f mov",
    "webm": "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p -f webm",
}


def ffmpeg(*words: object) -> bytes:
    """What ffmpeg writes to its output."""
    return subprocess.run(["ffmpeg", "-nostdin", "-v", "fatal", "-y", *map(str, words)], check=True,
                          stdout=subprocess.PIPE).stdout


def videos(folder: Path) -> dict[str, dict[str, str]]:
    """Makes a recording of each case; its stream, and the SHA-256 of all frames."""
    truth = {}
    for case in [*make_videos.CASES, *MORE]:
        if case in MORE:
            path = folder / case / "depth.mkv"
            path.parent.mkdir(parents=True)
            ffmpeg(*SOURCE.split(), *MORE[case].split(), path)
        else:
            make_videos.make(case, folder / case)
            path = folder / case / make_videos.CASES[case][0]
        frames = ffmpeg("-noautorotate", "-i", path, "-map", "0:V:0", "-vsync", "passthrough", "-f", "rawvideo", "-")
        truth[case] = {"stream": path.stem, "sha256": hashlib.sha256(frames).hexdigest()}
    return truth


def hdf5(folder: Path) -> dict[str, dict[str, list[float]]]:
    """robomimic, whose arrays are compressed by gzip and lzf, and a file with each other filter that is read; the sums
    of some channels of each episode."""
    folder.mkdir()
    _, robomimic = foreign_world.robomimic(np.random.default_rng(3), folder / "robomimic.hdf5")
    import hdf5plugin
    values = np.arange(3000.0).reshape(500, 6)
    with h5py.File(folder / "filters.hdf5", "w") as file:
        for name, options in {"plain": {}, "gzip": {"compression": "gzip", "shuffle": True}, "lzf": {"compression": "lzf"},
                              "lz4": dict(hdf5plugin.LZ4()), "zstd": dict(hdf5plugin.Zstd()),
                              "scaled": {"scaleoffset": 3}, "checked": {"fletcher32": True}}.items():
            file.create_dataset(f"runs/one/{name}", data=values, chunks=(100, 6), **options)
    return {"robomimic": {name: float(np.nansum(arrays["actions"])) for name, arrays in robomimic.items()},
            "filters": {"one": float(values.sum())}}


def tls(folder: Path) -> None:
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    folder.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "certificate.pem", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)


def main() -> None:
    out = Path(sys.argv[1])
    tls(out / "tls")
    (out / "videos").mkdir(parents=True)
    truth = {"videos": videos(out / "videos"), "hdf5": hdf5(out / "hdf5")}
    (out / "truth.json").write_text(json.dumps(truth, indent=1))


if __name__ == "__main__":
    main()
