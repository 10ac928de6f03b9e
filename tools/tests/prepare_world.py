"""What the tests of `trajpack resample`, `embed`, `mask` and `apply` share: recordings, and a second reader."""
import hashlib
import subprocess

import numpy as np
import read_archive

RATE = 100

ROWS = {"a": 400, "b": 257}

KINDS = ["position=position", "q=quaternion", "angle=angle", "direction=direction", "mode=label", "hit=event"]


def run(trajpack, *arguments, code=0):
    done = subprocess.run([trajpack, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def read(folder):
    """By episode, stream and entity: times, and each channel's values with what was observed."""
    found = {}
    for name in read_archive.open_dataset(str(folder))[0]:
        shard = read_archive.Shard(name)
        for row in shard.episodes.tolist():
            for n in range(row[5], row[5] + row[6]):
                track = shard.tracks[n]
                stream = shard.schema["streams"][track[1]]
                entity = tuple(shard.entities[track[2]].tolist()) if track[2] >= 0 else None
                _, time = shard.times(track)
                key = (shard.string(row[0], row[1]), stream["name"], entity)
                found.setdefault(key, []).append((
                    np.array([float(time(i)) for i in range(track[5])]),
                    {c["name"]: shard.numbers(c, int(track[4]), int(track[5]))
                     for c in stream["channels"] if c["type"] != "bytes" and c["name"] != "time"}))
    return found


def one(folder, episode):
    """The only track of an episode: times, and channels."""
    tracks = [t for key, ts in read(folder).items() if key[0] == episode for t in ts]
    assert len(tracks) == 1
    return tracks[0]


def same(a, b):
    return set(a) == set(b) and all(
        len(a[k]) == len(b[k]) and all(
            np.array_equal(s[0], t[0]) and set(s[1]) == set(t[1]) and all(
                np.array_equal(s[1][c][0], t[1][c][0], equal_nan=s[1][c][0].dtype.kind == "f")
                and np.array_equal(s[1][c][1], t[1][c][1]) for c in s[1])
            for s, t in zip(a[k], b[k])) for k in a)


def recording(name):
    """A channel of each kind; position misses some entries."""
    n = ROWS[name]
    random = np.random.default_rng(len(name) + n)
    t = np.arange(n) / RATE
    walk = np.cumsum(random.normal(size=(n, 4)) * .05, 0) + [1, 0, 0, 0]
    position = np.stack([np.sin(t * 9), np.cos(t * 7)], 1)
    position[20:25, 0] = np.nan
    turn = np.cumsum(random.normal(size=n) * .4)
    direction = np.stack([np.cos(turn / 3), np.sin(turn / 3), .3 + 0 * t], 1)
    return {
        "x": np.stack([np.sin(t * 30), np.cos(t * 11), t ** 2], 1).astype("f4"), "position": position,
        "q": walk / np.linalg.norm(walk, axis=1, keepdims=True), "angle": (turn + np.pi) % (2 * np.pi) - np.pi,
        "direction": direction / np.linalg.norm(direction, axis=1, keepdims=True),
        "mode": (np.arange(n) // 7 % 5).astype("i2"), "hit": (random.random(n) < .1).astype("u1")}


def convert(trajpack, folder, names="ab"):
    """The recordings, in this order, as a dataset in the folder."""
    for name in names:
        np.savez(folder / f"{name}.npz", **recording(name))
    kinds = [w for k in KINDS for w in ("--kind", k)]
    run(trajpack, "convert", *[folder / f"{name}.npz" for name in names], folder / "source", "--rate", RATE, "--unit",
        "angle=rad", *kinds)
    return folder / "source"


def key(*words):
    """The second word of a Philox key, as docs/signal.md says it."""
    digest = hashlib.sha256("".join(f"{w}\0" for w in words).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def uniforms(seed, word, count):
    raw = np.random.Philox(key=np.array([seed, word], "u8")).random_raw(count)
    return (raw >> np.uint64(11)) * 2.0 ** -53
