"""PNG and JPEG files in arrays of ALOHA and Minari are frames of videos; Pillow and h5py are witnesses."""
from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from places import program

import trajpack

ROWS, H, W = 7, 40, 56
Array = np.ndarray[Any, Any]


def scenes(seed: int, rows: int = ROWS) -> list[Array]:
    """Smooth colours in which red and blue differ."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:H, 0:W]
    return [np.stack([200 - 2 * y, 60 + x, 20 + y + 0 * x + draw.integers(0, 40)], -1).clip(0, 255).astype(np.uint8)
            for _ in range(rows)]


def packed(picture: Array, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **({"quality": 92} if kind == "JPEG" else {}))
    return out.getvalue()


def run(*words: Any, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def aloha(folder: Path, kind: str = "JPEG", spoil: Any = None) -> dict[str, dict[str, tuple[list[Array], list[bytes]]]]:
    """As ACT writes them: RGB given to an encoder that takes it for BGR, rows padded with zeros."""
    folder.mkdir()
    truth: dict[str, Any] = {}
    for n in range(2):
        with h5py.File(folder / f"episode_{n}.hdf5", "w") as file:
            file.attrs["sim"], file.attrs["compress"] = False, True
            file["action"] = np.zeros((ROWS, 14), np.float32)
            file["observations/qpos"] = np.arange(ROWS * 14, dtype=np.float32).reshape(ROWS, 14)
            for c, camera in enumerate(("cam_high", "cam_wrist")):
                own = scenes(10 * n + c)
                files = [packed(np.ascontiguousarray(p[..., ::-1]), kind) for p in own]
                if spoil:
                    spoil(n, camera, files)
                width = max(map(len, files))
                rows = np.stack([np.frombuffer(f.ljust(width, b"\0"), np.uint8) for f in files])
                file.create_dataset(f"observations/images/{camera}", data=rows, chunks=(1, width), compression="gzip")
                truth.setdefault(f"episode_{n}", {})[camera] = (own, files)
            file["compress_len"] = np.zeros((2, ROWS), np.float32)
    return truth


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_aloha(tmp_path: Path, kind: str) -> None:
    truth = aloha(tmp_path / "set", kind)
    said = json.loads(run("convert", tmp_path / "set", tmp_path / "ds", "--rate", 50, "--json", "--quiet",
                          "--frame-hashes").stdout)
    assert any("red and blue" in remark and "channel_order" in remark for remark in said["remarks"])
    ds = trajpack.open(tmp_path / "ds")
    for name, cameras in truth.items():
        for camera, (own, files) in cameras.items():
            video = ds.episode(name)[f"observations/images/{camera}"]
            assert video.info["channel_order"] == "bgr" and video.shape == (ROWS, H, W, 3)
            frames = video[:]
            if kind == "PNG":
                np.testing.assert_array_equal(frames, own)
            else:
                assert np.abs(frames.astype(int) - np.stack(own)).mean() < 3
                assert np.abs(frames[..., ::-1].astype(int) - np.stack(own)).mean() > 20
            np.testing.assert_array_equal(video.read([3], layout="TCHW")[0], frames[3].transpose(2, 0, 1))
            for row, packet in enumerate(files):
                assert bytes(video["packet"][row]) == packet
    # As others look at them.
    run("frame", tmp_path / "ds", "episode_0", "observations/images/cam_high", 2, "-o", tmp_path / "f.png")
    frame = np.asarray(Image.open(tmp_path / "f.png"))
    np.testing.assert_array_equal(frame, ds.episode("episode_0")["observations/images/cam_high"][2])
    run("verify", tmp_path / "ds", "--frames")
    (tmp_path / "clips.csv").write_text("id,episode,start_row,rows\na,episode_0,2,4\nb,episode_1,0,3\n")
    run("cut", tmp_path / "ds", tmp_path / "parts", "--clips", tmp_path / "clips.csv",
        "--reference", "observations/images/cam_high")
    parts = trajpack.open(tmp_path / "parts")
    for id_, name, first, rows in (("a", "episode_0", 2, 4), ("b", "episode_1", 0, 3)):
        part = parts.episode(id_)["observations/images/cam_wrist"]
        assert part.info["channel_order"] == "bgr" and "clip" not in part.info
        np.testing.assert_array_equal(part[:], ds.episode(name)["observations/images/cam_wrist"][first:first + rows])
    batch = next(iter(ds.windows(channels=["observations/images/*"], length=3, batch=2, size=(20, 28), layout="TCHW",
                                 meta=True)))
    for b in range(2):
        video = ds.episode(int(batch["meta:episode"][b]))["observations/images/cam_wrist"]
        row = int(batch["meta:row"][b])
        np.testing.assert_array_equal(batch["observations/images/cam_wrist"][b],
                                      video.read(range(row, row + 3), size=(20, 28), layout="TCHW"))


def test_exports_have_the_colours_in_their_places(tmp_path: Path) -> None:
    """Or say that they have not: what takes the packets over would swap red and blue in silence."""
    import pyarrow.parquet as pq
    aloha(tmp_path / "set")
    run("convert", tmp_path / "set", tmp_path / "ds", "--rate", 50, "--quiet")
    ds = trajpack.open(tmp_path / "ds")
    said = run("export", tmp_path / "ds", tmp_path / "lerobot", "--to", "lerobot").stderr
    assert "are decoded and written as PNG, with the colours in their places" in said
    table = pq.read_table(next((tmp_path / "lerobot/data").rglob("*.parquet")))  # type: ignore[no-untyped-call]
    rows = table["observations.images.cam_high"].to_pylist()
    wanted = np.concatenate([ds.episode(f"episode_{n}")["observations/images/cam_high"][:] for n in range(2)])
    for row, frame in zip(rows, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(row["bytes"]))), frame)
    said = run("export", tmp_path / "ds", tmp_path / "mcap", "--to", "mcap").stderr
    assert "'observations/images/cam_high' has red and blue swapped in its packets ('channel_order')" in said
    said = run("export", tmp_path / "ds", tmp_path / "mp4", "--to", "mp4").stderr
    assert "has its packets as they were, in which red and blue are swapped; --to png" in said
    said = run("export", tmp_path / "ds", tmp_path / "robomimic", "--to", "robomimic").stderr
    with h5py.File(next((tmp_path / "robomimic").rglob("*.hdf5"))) as file:
        found: list[Array] = []
        file.visititems(lambda name, one: found.append(one[:])
                        if name.endswith("cam_high") and "next" not in name else None)
    np.testing.assert_array_equal(np.concatenate(found), wanted)


def test_what_stays_bytes(tmp_path: Path) -> None:
    truth = aloha(tmp_path / "set")
    run("convert", tmp_path / "set", tmp_path / "ds", "--quiet", "--kind", "observations/images/cam_high=packet")
    episode = trajpack.open(tmp_path / "ds").episode("episode_0")
    rows = episode["observations/images/cam_high/cam_high"][:]
    assert [bytes(row) for row in rows] == truth["episode_0"]["cam_high"][1]
    assert episode["observations/images/cam_wrist"].shape == (ROWS, H, W, 3)


def test_pictures_that_are_no_video(tmp_path: Path) -> None:
    def larger(n: int, camera: str, files: list[bytes]) -> None:
        if (n, camera) == (1, "cam_high"):
            files[4] = packed(np.zeros((30, 30, 3), np.uint8), "JPEG")

    aloha(tmp_path / "set", spoil=larger)
    done = run("convert", tmp_path / "set", tmp_path / "ds", "--quiet", code=1)
    assert "episode_1" in done.stderr
    assert "row 4 is a JPEG of 30 × 30, and those before are JPEG of 56 × 40" in done.stderr
    assert "--kind 'observations/images/cam_high=packet' keeps them as bytes" in done.stderr
    done = run("convert", tmp_path / "set", tmp_path / "ds2", "--quiet", "--video", "link", code=2)
    assert "lie in an array, where they are no file to link to" in done.stderr
    run("convert", tmp_path / "set", tmp_path / "ds3", "--quiet", "--kind", "observations/images/cam_high=packet")


def test_minari(tmp_path: Path) -> None:
    own = scenes(3, ROWS + 1)
    with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group.attrs["id"], group.attrs["total_steps"], group.attrs["seed"] = 0, ROWS, 1
        group["actions"], group["rewards"] = np.zeros((ROWS, 2)), np.zeros(ROWS)
        rows = group.create_dataset("observations/image", (ROWS + 1,), dtype=h5py.vlen_dtype(np.uint8))
        for i, picture in enumerate(own):
            rows[i] = np.frombuffer(packed(picture, "PNG"), np.uint8)
    run("convert", tmp_path / "main_data.hdf5", tmp_path / "ds", "--quiet", "--rate", 10)
    video = trajpack.open(tmp_path / "ds").episode("episode_0")["observations/image"]
    np.testing.assert_array_equal(video[:], own)
    assert "channel_order" not in video.info
