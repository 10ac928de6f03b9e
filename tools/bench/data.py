#!/usr/bin/env python3
"""The benchmark's data: trajectories of smooth dynamics with sensor noise, seeded.

A frame is state 64 float32, action int32, skeleton 3 x 60 x 3 float32 (three entities of 60 joints) and camera 11
float32: 2,464 bytes; 200 trajectories of 1,792 frames are 883 MB, and byte shuffle with zstd-1 over 64 frames leaves
0.74 of it. As a library: `trajectories(count, frames, seed)`.

    data.py --out DIR [--count 200] [--frames 1792] [--seed 0]    one uncompressed .npz a trajectory
"""

import argparse
from pathlib import Path

import numpy as np

RATE = 30.0
STATES, ENTITIES, JOINTS, CAMERA = 64, 3, 60, 11


def _waves(rng, frames, channels, slowest, fastest, terms=4):
    """Sums of `terms` sines (frames, channels) float32 of periods between `fastest` and `slowest` seconds, power near 1."""
    t = np.arange(frames, dtype=np.float32)[:, None] / np.float32(RATE)
    out = np.zeros((frames, channels), np.float32)
    for _ in range(terms):
        speed = 2 * np.pi / np.exp(rng.uniform(np.log(fastest), np.log(slowest), channels))
        out += np.sin(t * speed.astype(np.float32) + rng.uniform(0, 2 * np.pi, channels).astype(np.float32))
    return out / np.float32(np.sqrt(terms / 2))


def _noise(rng, shape, size):
    return rng.standard_normal(shape, np.float32) * np.float32(size)


def _resolved(x, step):
    """What a sensor that counts in `step`s would say. With no such limit every mantissa bit is noise (ratio 0.83)."""
    return np.rint(x / step) * step


def trajectory(frames, rng):
    """One trajectory: {"state", "action", "skeleton", "camera"}, arrays whose first axis is frames."""
    state = _waves(rng, frames, STATES, 20, 1) + _noise(rng, (frames, STATES), 1e-3)
    state = _resolved(state, np.float32(2 ** -15)) * np.exp2(np.rint(rng.uniform(-1, 4, STATES))).astype(np.float32)

    lasts = rng.integers(8, 60, frames // 8 + 1)                    # an action is held for a while
    action = np.repeat(rng.integers(0, 455, len(lasts), dtype=np.int32), lasts)[:frames]

    root = np.cumsum(_waves(rng, frames, ENTITIES * 3, 15, 2), 0).reshape(frames, ENTITIES, 1, 3) / np.float32(RATE)
    rest = rng.uniform(-1, 1, (ENTITIES, JOINTS, 3)).astype(np.float32)
    swing = _waves(rng, frames, ENTITIES * JOINTS * 3, 4, 0.8, terms=3).reshape(frames, ENTITIES, JOINTS, 3)
    skeleton = root + rest + swing * np.float32(0.15) + _noise(rng, (frames, ENTITIES, JOINTS, 3), 5e-4)
    skeleton = _resolved(skeleton, np.float32(2 ** -19))

    camera = np.empty((frames, CAMERA), np.float32)                 # fx fy cx cy, x y z, qx qy qz qw
    camera[:, :4] = (868.6, 868.6, 640.0, 360.0)
    camera[:, 4:7] = root[:, 0, 0] + _waves(rng, frames, 3, 15, 3) * np.float32(2) + _noise(rng, (frames, 3), 1e-3)
    q = _waves(rng, frames, 4, 20, 5) + np.array((0, 0, 0, 3), np.float32)
    camera[:, 7:] = q / np.linalg.norm(q, axis=1, keepdims=True)
    return {"state": state, "action": action, "skeleton": skeleton, "camera": camera}


def trajectories(count=200, frames=1792, seed=0):
    """Yields `count` trajectories; trajectory i depends on `seed`, i and `frames` only."""
    for i in range(count):
        yield trajectory(frames, np.random.default_rng((seed, i)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--frames", type=int, default=1792)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.count < 1 or options.frames < 1:
        parser.error("--count and --frames must be at least 1")
    options.out.mkdir(parents=True, exist_ok=True)
    for i, arrays in enumerate(trajectories(options.count, options.frames, options.seed)):
        np.savez(options.out / f"trajectory_{i:06d}.npz", **arrays)


if __name__ == "__main__":
    main()
