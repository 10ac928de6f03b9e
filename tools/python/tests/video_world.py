"""Recordings with videos, made by ffmpeg, and what ffmpeg decodes of them."""
from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT, program

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")

_spec = importlib.util.spec_from_file_location("make_videos", ROOT / "fixtures" / "make_videos.py")
assert _spec is not None and _spec.loader is not None
make_videos = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make_videos)


def decoded(path: Path, options: str = "") -> bytes:
    """What ffmpeg decodes: all frames, one after the other, as rawvideo. Nothing is dropped, repeated or rotated."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-noautorotate", "-i", str(path), "-map", "0:V:0", "-vsync",
               "passthrough", *options.split(), "-f", "rawvideo", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def convert(source: Path, out: Path, *options: str) -> Path:
    """Converts a folder of recordings."""
    subprocess.run([program(), "convert", source, out, "--quiet", *options], check=True, capture_output=True)
    return out


def recording(folder: Path, rows: int, seed: int = 0) -> Path:
    """A recording of ``rows`` rows of state beside the videos that are there."""
    draw = np.random.default_rng(seed)
    lines = ["frame,hp,speed"] + [f"{i},{i},{draw.normal():.6f}" for i in range(rows)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.csv").write_text("\n".join(lines) + "\n")
    return folder


def ffmpeg(*words: Any) -> None:
    """Runs ffmpeg."""
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)], check=True, capture_output=True)
