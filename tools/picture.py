#!/usr/bin/env python3
"""Draws one recording of a dataset made from WildWorld samples: what a camera saw, the skeletons that the archived
camera projects onto it, depth, and under them the tracks over time.

    picture.py DATASET OUT.png [--episode ID]

It reads the archive with h5py alone (docs/read-with-h5py.md explains how), so what it shows is what any HDF5 reader
gets. Videos must be in the archive (`--video embed`); ffmpeg decodes them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  zstd for HDF5
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

NIGHT, PANEL, LINE = (13, 17, 23), (22, 28, 38), (48, 58, 72)
TEXT, DIM = (226, 232, 240), (132, 146, 166)
COLOURS = {"npc": [(76, 201, 240), (249, 199, 79), (144, 224, 160), (199, 160, 255)],
           "monster": [(255, 107, 107), (255, 159, 110)], "weapon": [(236, 242, 250)]}
WIDTH, MARGIN, GAP, LABEL, FINE = 1400, 30, 14, 172, 2


class Shard:
    """The streams and tracks of one shard, by plain h5py."""

    def __init__(self, path):
        self.file = h5py.File(path, "r")
        index = self.file["index"]
        self.schema = json.loads(index["schema"][()].tobytes())
        self.text = index["text"][()].tobytes()
        self.episodes, self.tracks, self.entities, self.clocks = (
            index[name][()] if name in index else np.zeros((0, 10), "i8")
            for name in ("episodes", "tracks", "entities", "clocks"))
        self.skeletons = {s["name"]: s["edges"] for s in self.schema["skeletons"]}

    def said(self, at, length):
        return self.text[at:at + length].decode()

    def tracks_of(self, episode):
        """The tracks of an episode: stream, entity (kind, index, type), first frame, row range, metadata, blob range."""
        first, count = self.episodes[episode][5:7]
        for row in self.tracks[first:first + count].tolist():
            _, stream, entity, clock, start, rows, at, length, blob, size = row
            _, begin, begin_by, rate, rate_by = self.clocks[clock].tolist()
            sort, number, kind = self.entities[entity].tolist() if entity >= 0 else (0, -1, -1)
            yield {"stream": self.schema["streams"][stream], "rate": rate / rate_by,
                   "entity": (self.schema["entity_kinds"][sort], number, kind) if entity >= 0 else None,
                   "frame": round(begin / begin_by * rate / rate_by), "rows": slice(start, start + rows),
                   "metadata": json.loads(self.said(at, length) or "{}"), "bytes": slice(blob, blob + size)}

    def stored(self, track, name):
        """A channel's stored elements (rows, n), and the channel."""
        channel = next(c for c in track["stream"]["channels"] if c["name"] == name)
        block = self.schema["blocks"][channel["block"]]
        rows = self.file[block["path"]][track["rows"]]
        rows = rows.reshape(len(rows), -1)
        width = 2 if channel["type"] == "bytes" else int(np.prod(channel["shape"], dtype=int))
        return rows[:, channel["column"]:channel["column"] + width], channel

    def values(self, track, name):
        """A channel's values (rows, n) as float64, NaN where not observed."""
        stored, channel = self.stored(track, name)
        if "decimals" in channel:
            low = np.iinfo(stored.dtype).min
            values = stored / 10.0 ** channel["decimals"]
            for code, value in enumerate((np.nan, -0.0, np.inf, -np.inf)):
                values[stored == low + code] = value
            return values
        values = stored.astype(float)
        if channel.get("missing") == "sentinel":
            values[stored == np.iinfo(stored.dtype).min] = np.nan
        return values

    def has(self, track, name):
        return any(c["name"] == name for c in track["stream"]["channels"])

    def frames(self, track):
        """The pictures of a video track (rows, height, width, 3 or 1), its file taken out of the archive byte for byte."""
        if track["metadata"].get("stored") != "embed":
            sys.exit("picture: the videos are not in this archive; convert with --video embed")
        blob = self.schema["blocks"][track["stream"]["blob"]]["path"]
        w, h = track["metadata"]["width"], track["metadata"]["height"]
        deep = track["stream"]["name"] == "depth"
        with tempfile.NamedTemporaryFile(suffix=Path(track["metadata"]["file"]).suffix) as file:
            file.write(self.file[blob][track["bytes"]].tobytes())
            file.flush()
            raw = subprocess.run(
                ["ffmpeg", "-v", "error", "-i", file.name, "-f", "rawvideo", "-pix_fmt", "gray" if deep else "rgb24", "-"],
                check=True, capture_output=True).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, h, w, 1 if deep else 3)


def projected(points, k, place, q):
    """Pixels (J, 2) of world points (J, 3), NaN behind the camera; q is xyzw, camera-to-world, OpenGL axes."""
    x, y, z, w = q / np.linalg.norm(q)
    turn = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])
    seen = (points - place) @ turn * (1, -1, -1)           # OpenGL to image axes: y down, z forward
    depth = np.where(seen[:, 2:] > 0.05, seen[:, 2:], np.nan)
    return seen[:, :2] / depth * k[:2] + k[2:]


def coloured_depth(grey, nearest):
    """A ramp from far (night blue) to near (pale yellow)."""
    stops = np.array([(9, 12, 26), (38, 33, 92), (98, 38, 120), (178, 54, 106), (236, 104, 72), (252, 178, 80), (253, 246, 190)])
    at = (grey[..., 0] / max(int(nearest), 1)) ** 0.6 * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    share = (at - low)[..., None]
    return (stops[low] * (1 - share) + stops[low + 1] * share).astype(np.uint8)


class Canvas:
    """Draws at twice the size, in the units of the finished picture."""

    def __init__(self, width, height):
        self.image = Image.new("RGB", (width * FINE, height * FINE), NIGHT)
        self.draw = ImageDraw.Draw(self.image, "RGBA")
        self.fonts = {}

    def text(self, x, y, text, size=14, fill=TEXT, anchor="lm"):
        font = self.fonts.setdefault(size, ImageFont.load_default(size * FINE))
        self.draw.text((x * FINE, y * FINE), text, fill=fill, font=font, anchor=anchor)

    def line(self, points, fill, width=1.0):
        self.draw.line([(x * FINE, y * FINE) for x, y in points], fill=fill, width=max(1, round(width * FINE)), joint="curve")

    def box(self, x0, y0, x1, y1, fill, radius=0):
        self.draw.rounded_rectangle((x0 * FINE, y0 * FINE, x1 * FINE - 1, y1 * FINE - 1), radius * FINE, fill=fill)

    def polygon(self, points, fill):
        self.draw.polygon([(x * FINE, y * FINE) for x, y in points], fill=fill)

    def dot(self, x, y, radius, fill, outline=None):
        self.draw.ellipse([v * FINE for v in (x - radius, y - radius, x + radius, y + radius)], fill=fill,
                          outline=outline, width=3)

    def picture(self, x, y, w, h, array, radius=5):
        size = (round(w * FINE), round(h * FINE))
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius * FINE, fill=255)
        self.image.paste(Image.fromarray(array).resize(size, Image.LANCZOS), (round(x * FINE), round(y * FINE)), mask)

    def save(self, path):
        small = self.image.resize([v // FINE for v in self.image.size], Image.LANCZOS)
        small.quantize(256, method=Image.MEDIANCUT, dither=Image.NONE).save(path, optimize=True)


def colour(entity):
    if entity is None:
        return (126, 160, 214)
    wheel = COLOURS.get(entity[0], COLOURS["npc"])
    return wheel[entity[1] % len(wheel)]


def chosen(shard, tracks, wanted, total):
    """The frames to show: evenly spaced, but one of them where somebody has left."""
    frames = [round(total * (i + 0.32) / wanted) for i in range(wanted)]
    present = {}
    for t in tracks:
        if t["entity"] and shard.has(t, "hp"):
            present.setdefault(t["entity"], np.zeros(total, bool))[t["frame"]:t["frame"] + (t["rows"].stop - t["rows"].start)] = True
    for there in present.values():
        gone = np.flatnonzero(~there)
        if len(gone):
            middle = int(gone[len(gone) // 2])
            frames[min(range(wanted), key=lambda i: abs(frames[i] - middle))] = middle
    return frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--episode", help="an id; by default the recording with the most tracks")
    options = parser.parse_args()
    paths = sorted(options.dataset.glob("shard-*.h5")) if options.dataset.is_dir() else [options.dataset]
    found = [(shard, number) for shard in map(Shard, paths) for number in range(len(shard.episodes))]
    name = lambda pair: pair[0].said(*pair[0].episodes[pair[1]][:2])
    if options.episode:
        found = [pair for pair in found if name(pair) == options.episode]
    found = [pair for pair in found if "rgb" in {t["stream"]["name"] for t in pair[0].tracks_of(pair[1])}]
    if not found:
        sys.exit("picture: no such recording with an rgb video in this dataset")
    shard, number = max(found, key=lambda pair: pair[0].episodes[pair[1]][6])
    draw(shard, list(shard.tracks_of(number)), name((shard, number)), options.out)


def draw(shard, tracks, episode, out):
    streams = {}
    for track in tracks:
        streams.setdefault(track["stream"]["name"], []).append(track)
    rgb = streams["rgb"][0]
    pictures = shard.frames(rgb)
    depths = shard.frames(streams["depth"][0]) if "depth" in streams else None
    camera = streams["camera"][0]
    k, place, q = (shard.values(camera, c) for c in ("K", "pos", "rot"))
    total, rate = len(pictures), rgb["rate"]
    shown = chosen(shard, tracks, 4, total)

    wide = (WIDTH - 2 * MARGIN - 3 * GAP) / 4
    high = wide * pictures.shape[1] / pictures.shape[2]
    scale = wide / pictures.shape[2]
    bodies = [t for t in tracks if t["entity"] and shard.has(t, "hp")]
    lanes = sorted({t["entity"] for t in bodies}, key=lambda e: (e[0] != "npc", e))
    top = 74
    timeline = top + high + (high + 10 if depths is not None else 0) + 46
    videos = [t for s in ("rgb", "depth") for t in streams.get(s, [])]
    height = round(timeline + len(lanes) * 66 + 46 + len(videos) * 42 + 56)
    c = Canvas(WIDTH, height)

    c.text(MARGIN, 34, f"recording {episode}", 24)
    rows = sum(t["rows"].stop - t["rows"].start for t in tracks)
    c.text(WIDTH - MARGIN, 27, f"{total} frames   {total / rate:g} s   {len(tracks)} tracks   {rows:,} rows", 14, TEXT, "rm")
    c.text(WIDTH - MARGIN, 46, f"read from {Path(shard.file.filename).name} with h5py alone", 12, DIM, "rm")

    left, right = MARGIN + LABEL, WIDTH - MARGIN - 74
    x_of = lambda frame: left + (right - left) * frame / total
    for i, frame in enumerate(shown):
        x = MARGIN + i * (wide + GAP)
        view = pictures[frame].astype(float) * 0.72
        c.picture(x, top, wide, high, view.astype(np.uint8))
        overlay = Image.new("RGBA", (round(wide * FINE), round(high * FINE)))
        pen = ImageDraw.Draw(overlay)
        for track in tracks:
            stream = track["stream"]
            row = frame - track["frame"]
            if "skeleton" not in stream or not 0 <= row < track["rows"].stop - track["rows"].start:
                continue
            here = {**track, "rows": slice(track["rows"].start + row, track["rows"].start + row + 1)}
            joints = shard.values(here, "joints").reshape(-1, 3)
            at = projected(joints, k[frame], place[frame], q[frame]) * scale * FINE
            ink = colour(track["entity"])
            for a, b in shard.skeletons.get(stream["skeleton"], []):
                if np.isfinite(at[[a, b]]).all():
                    pen.line([tuple(at[a]), tuple(at[b])], fill=(*ink, 235), width=3 if track["entity"][0] == "weapon" else 4)
            if track["entity"][0] != "weapon":
                for u, v in at[np.isfinite(at).all(1)]:
                    pen.ellipse((u - 3.4, v - 3.4, u + 3.4, v + 3.4), fill=(255, 255, 255, 240))
        mask = Image.new("L", overlay.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, overlay.width - 1, overlay.height - 1), 5 * FINE, fill=255)
        alpha = ImageChops.multiply(overlay.getchannel("A"), mask)
        c.image.paste(overlay.convert("RGB"), (round(x * FINE), round(top * FINE)), alpha)
        c.box(x + 8, top + 8, x + 92, top + 27, (13, 17, 23, 190), 4)
        c.text(x + 50, top + 17.5, f"frame {frame}", 12, TEXT, "mm")
        bottom = top + high
        if depths is not None:
            c.picture(x, bottom + 10, wide, high, coloured_depth(depths[frame], depths[shown].max()))
            bottom += 10 + high
        middle = x + wide / 2
        c.line([(middle, bottom + 3), (middle, bottom + 12), (x_of(frame + 0.5), timeline - 14), (x_of(frame + 0.5), height - 50)],
               (255, 255, 255, 70))
        c.dot(middle, bottom + 4, 2.5, (255, 255, 255, 150))

    y = timeline
    for entity in lanes:
        ink, mine = colour(entity), [t for t in bodies if t["entity"] == entity]
        c.box(left, y, right, y + 52, PANEL, 4)
        for x in np.arange(left - 52, right, 9):                            # hatched: nobody there
            a, b = max(x, left), min(x + 52, right)
            c.line([(a, y + 52 - (a - x)), (b, y + 52 - (b - x))], (60, 72, 90, 120), 0.8)
        hp = [shard.values(t, "hp")[:, 0] for t in mine]
        most = max(np.nanmax(shard.values(t, "max_hp")) for t in mine) if shard.has(mine[0], "max_hp") else max(map(np.nanmax, hp))
        least = min(map(np.nanmin, hp))
        floor = least - (most - least) * 0.35 if most > least else 0
        end = 0
        for track, points in zip(mine, hp):
            first, count = track["frame"], len(points)
            if first > end:
                wide_gap = x_of(first) - x_of(end)
                if wide_gap > 120:
                    c.text((x_of(end) + x_of(first)) / 2, y + 26, "not there: no rows", 12, DIM, "mm")
            end = first + count
            c.box(x_of(first), y, x_of(first + count), y + 52, tuple(int(p + (i - p) * 0.16) for p, i in zip(PANEL, ink)), 4)
            curve = [(x_of(first + i + 0.5), y + 36 - 28 * (v - floor) / (most - floor + 1e-9)) for i, v in enumerate(points)]
            c.polygon([(curve[0][0], y + 40), *curve, (curve[-1][0], y + 40)], (*ink, 62))
            c.line(curve, (*ink, 255), 1.8)
            motions = [tuple(r) for r in np.concatenate([shard.values(track, m) for m in ("motion_bank_id", "motion_id")], 1)]
            start = 0
            for i in range(1, count + 1):
                if i == count or motions[i] != motions[start]:
                    bright = 0.35 + 0.6 * (hash(motions[start]) % 97 / 96)
                    c.box(x_of(first + start) + 0.6, y + 43, x_of(first + i) - 0.6, y + 49, (*ink, int(255 * bright)), 1.5)
                    start = i
            lost = [i for i in range(count) if any(
                np.isnan(shard.values(track, ch["name"])[i]).any() for ch in track["stream"]["channels"] if ch.get("missing"))]
            for i in lost:
                c.dot(x_of(first + i + 0.5), y + 27, 3.6, NIGHT, (255, 255, 255, 230))
                c.text(x_of(first + i + 0.5) + 9, y + 27, "a value not observed", 12, (200, 210, 224))
        c.text(MARGIN, y + 17, f"{entity[0]} {entity[1]}", 16, ink)
        c.text(MARGIN, y + 37, f"type {entity[2]}   hp, motions", 12, DIM)
        c.text(right + 10, y + 12, f"{most:g}", 12, DIM)
        if most > least:
            c.text(right + 10, y + 33, f"{least:g}", 12, DIM)
        y += 66
    c.box(left, y, right, y + 34, PANEL, 4)
    focal = k[:, 0]
    low, top_focal = np.nanmin(focal), np.nanmax(focal)
    span = max(top_focal - low, 1e-9)
    runs = np.split(np.arange(total), np.flatnonzero(np.diff(np.isfinite(focal[:total]).astype(int))) + 1)
    for run in runs:
        if np.isfinite(focal[run[0]]) and len(run) > 1:
            c.line([(x_of(i + 0.5), y + 27 - 20 * (focal[i] - low) / span) for i in run], (190, 205, 255, 255), 1.8)
    c.text(MARGIN, y + 10, "camera", 16, (190, 205, 255))
    c.text(MARGIN, y + 28, "focal length, px", 12, DIM)
    c.text(right + 10, y + 9, f"{top_focal:.0f}", 12, DIM)
    c.text(right + 10, y + 26, f"{low:.0f}", 12, DIM)
    y += 46
    for track in videos:
        sizes = shard.stored(track, "packet")[0][:, 1].astype(float)
        key = shard.stored(track, "keyframe")[0][:, 0] != 0
        ink = (138, 148, 170) if track["stream"]["name"] == "rgb" else (178, 110, 150)
        for i, size in enumerate(sizes):
            tall = max(30 * np.sqrt(size / sizes.max()), 1)
            c.box(x_of(i) + 0.7, y + 32 - tall, x_of(i + 1) - 0.7, y + 32, (255, 255, 255, 255) if key[i] else (*ink, 235))
        c.text(MARGIN, y + 10, track["stream"]["name"], 16, ink)
        c.text(MARGIN, y + 27, f"{track['metadata']['codec']} packets, untouched", 12, DIM)
        c.text(right + 10, y + 22, f"{sizes.sum() / 1024:.0f} KiB", 12, DIM)
        y += 42
    for second in range(int(total / rate) + 1):
        c.text(x_of(second * rate), y + 16, f"{second} s", 12, DIM, "mm")
        c.line([(x_of(second * rate), y + 2), (x_of(second * rate), y + 7)], LINE)
    c.save(out)


if __name__ == "__main__":
    main()
