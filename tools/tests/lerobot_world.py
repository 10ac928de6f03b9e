"""LeRobot datasets with videos, pictures and language, made by pyarrow and ffmpeg in lerobot's layout."""
import io
import json
import random
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LENGTHS = [12, 7, 20]
SIZE = (64, 48)
TASKS = ["pick up the red block", "place block in the bowl – 放碗"]


def feature(dtype, *shape, **more):
    return {"dtype": dtype, "shape": list(shape) or [1], "names": None, **more}


def movie(path, frames, coding, fps, pixels="yuv420p"):
    """Encodes noise and movement by ffmpeg; B-frames, groups and codec as `coding` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
                    f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate={fps}", "-frames:v", str(frames), "-pix_fmt", pixels,
                    *coding, str(path)], check=True, stdin=subprocess.DEVNULL)


def hashes(path):
    """ffmpeg's checksums of the frames that a file shows."""
    out = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough",
                          "-f", "framemd5", "-"], check=True, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL).stdout
    return [line.rsplit(",", 1)[1].strip() for line in out.splitlines() if line and not line.startswith("#")]


def packets(path):
    """ffmpeg's checksums of the packets of a file, in the order of decoding, without those that are discarded."""
    out = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy", "-copyinkf",
                          "-f", "framemd5", "-"], check=True, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL).stdout
    return [line.rsplit(",", 1)[1].strip() for line in out.splitlines() if line and not line.startswith("#")]


def picture(random_, kind, mode="RGB", size=SIZE):
    """The bytes of a picture file of noise."""
    from PIL import Image
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    rows = np.frombuffer(random_.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)
    if mode == "I;16":
        rows = rows.astype(np.uint16) * 257
    out = io.BytesIO()
    Image.fromarray(rows).save(out, kind)
    return out.getvalue()


def write(folder, *, fps=10, version="v3.0", videos=(), columns=None, types=None, features=None, files=None, lead=0):
    """Writes a dataset of three episodes.

    `videos` has (key, coding, pixels): for v3.0 one movie holds all episodes, `lead` frames before the first; for v2.1 each
    has its own. `files` moves episodes to other movies: a list of the file of each episode.
    """
    files = files or [0] * len(LENGTHS)
    columns, types = columns or {}, types or {}
    rows = sum(LENGTHS)
    episode = [e for e, n in enumerate(LENGTHS) for _ in range(n)]
    frame = [i for n in LENGTHS for i in range(n)]
    table = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    table |= {
        "timestamp": pa.array([f / fps for f in frame], pa.float32()),
        "frame_index": pa.array(frame, pa.int64()),
        "episode_index": pa.array(episode, pa.int64()),
        "index": pa.array(range(rows), pa.int64()),
        "task_index": pa.array([e % 2 for e in episode], pa.int64()),
    }
    table = pa.table(table)
    features = dict(features or {})
    for key, _, pixels in videos:
        features[key] = feature("video", SIZE[1], SIZE[0], 1 if pixels.startswith("gray") else 3, info={
            "video.pix_fmt": pixels, "is_depth_map": pixels.startswith("gray")})
    info = {
        "codebase_version": version, "fps": fps, "robot_type": "toy", "chunks_size": 1000,
        "splits": {"train": "0:2", "test": "2:3"},
        "features": features | {n: feature("int64") for n in ("frame_index", "episode_index", "index", "task_index")}
        | {"timestamp": feature("float32")},
    }
    (folder / "meta").mkdir(parents=True)
    if version == "v2.1":
        info["data_path"] = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        info["video_path"] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    else:
        info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
        info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    (folder / "meta/info.json").write_text(json.dumps(info))
    starts = [sum(LENGTHS[:e]) for e in range(len(LENGTHS))]
    (folder / "data/chunk-000").mkdir(parents=True)
    if version == "v2.1":
        for e, n in enumerate(LENGTHS):
            pq.write_table(table.slice(starts[e], n), folder / f"data/chunk-000/episode_{e:06d}.parquet")
            for key, coding, pixels in videos:
                movie(folder / f"videos/chunk-000/{key}/episode_{e:06d}.mp4", n, coding, fps, pixels)
        (folder / "meta/episodes.jsonl").write_text("".join(
            json.dumps({"episode_index": e, "tasks": [TASKS[e % 2]], "length": n}) + "\n"
            for e, n in enumerate(LENGTHS)))
        (folder / "meta/tasks.jsonl").write_text("".join(
            json.dumps({"task_index": i, "task": t}) + "\n" for i, t in enumerate(TASKS)))
        return
    pq.write_table(table, folder / "data/chunk-000/file-000.parquet")
    episodes = {
        "episode_index": list(range(len(LENGTHS))), "length": LENGTHS,
        "tasks": pa.array([[TASKS[e % 2]] for e in range(len(LENGTHS))], pa.list_(pa.string())),
        "data/chunk_index": [0] * len(LENGTHS), "data/file_index": [0] * len(LENGTHS),
    }
    for key, coding, pixels in videos:
        first, counts = [], {}
        for e, n in enumerate(LENGTHS):
            first.append(counts.setdefault(files[e], lead))
            counts[files[e]] += n
        for file, count in counts.items():
            movie(folder / f"videos/{key}/chunk-000/file-{file:03d}.mp4", count, coding, fps, pixels)
        episodes |= {
            f"videos/{key}/chunk_index": [0] * len(LENGTHS), f"videos/{key}/file_index": files,
            f"videos/{key}/from_timestamp": [f / fps for f in first],
            f"videos/{key}/to_timestamp": [(f + n) / fps for f, n in zip(first, LENGTHS)],
        }
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(episodes), folder / "meta/episodes/chunk-000/file-000.parquet")
    pq.write_table(pa.table({"task_index": pa.array([0, 1]), "__index_level_0__": TASKS}),
                   folder / "meta/tasks.parquet")


def noise(seed):
    """Pictures of each row, PNG."""
    random_ = random.Random(seed)
    return [picture(random_, "PNG") for _ in range(sum(LENGTHS))]
