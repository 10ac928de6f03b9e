"""LeRobot datasets that trajpack writes: pyarrow and pandas read the same values, ffmpeg the same frames, and they come back equal."""

import json
import random
import shutil

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pd = pytest.importorskip("pandas")
from foreign_world import run
from lerobot_world import LENGTHS, SIZE, TASKS, feature, hashes, picture
from lerobot_world import write as write_videos
from test_lerobot import world, write

STARTS = [sum(LENGTHS[:e]) for e in range(len(LENGTHS))]
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")


def back(trajpack, folder, dataset, *options):
    """Exports, converts what came of it, and has both datasets compared."""
    said = run(trajpack, "export", dataset, folder / "out", "--to", "lerobot", *options)
    run(trajpack, "convert", folder / "out", folder / "back", "--quiet")
    run(trajpack, "diff", folder / "back", dataset, "--quiet")
    return said


def table(folder):
    return pa.concat_tables([pq.read_table(p) for p in sorted((folder / "data").rglob("*.parquet"))])


@pytest.mark.parametrize("seed", range(3))
def test_values_are_read_by_pyarrow_and_come_back(trajpack, tmp_path, seed):
    features, columns = world(seed)
    write(tmp_path / "src", "v3.0", features, columns)
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    back(trajpack, tmp_path, tmp_path / "ds")
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["robot_type"]) == ("v3.0", 10, "toy")
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, sum(LENGTHS), 2)
    assert info["splits"] == {"train": "0:2", "test": "2:3"}
    got = table(tmp_path / "out")
    assert set(got.column_names) == set(info["features"])
    for name, (values, _) in columns.items():
        found = got[name].to_pylist()
        if name == "note":
            assert found == values
        elif name in ("count", "maybe"):
            # What was not observed is a mask, since lerobot reads no nulls.
            assert info["features"][f"{name}.observed"]["info"] == {"observed_of": name}
            assert got[f"{name}.observed"].to_pylist() == [v is not None for v in values]
            assert found == [0 if v is None else int(v) for v in values]
        else:
            want = np.asarray(values, object)
            flat = [np.nan if v is None else float(v) for v in want.reshape(-1)]
            np.testing.assert_array_equal(np.asarray(found, float).reshape(-1), flat, name)
            assert info["features"][name]["shape"] == (list(np.shape(found))[1:] or [1])
    assert got["frame_index"].to_pylist() == [i for n in LENGTHS for i in range(n)]
    assert got["index"].to_pylist() == list(range(sum(LENGTHS)))
    np.testing.assert_array_equal(got["timestamp"], np.float32([i / 10 for n in LENGTHS for i in range(n)]))
    # The index of the tasks is their text.
    tasks = pd.read_parquet(tmp_path / "out/meta/tasks.parquet")
    task = [tasks.index[i] for i in got["task_index"].to_pylist()]
    assert task == [TASKS[0 if e == 0 or (e == 2 and i < 10) else 1] for e, n in enumerate(LENGTHS) for i in range(n)]
    episodes = pq.read_table(tmp_path / "out/meta/episodes").to_pylist()
    assert [(e["length"], e["dataset_from_index"], e["dataset_to_index"], e["tasks"]) for e in episodes] == [
        (n, s, s + n, t) for n, s, t in zip(LENGTHS, STARTS, [TASKS[:1], TASKS[1:], TASKS])]
    figures = json.loads((tmp_path / "out/meta/stats.json").read_text())
    for name in ("action", "observation.state", "contact", "few"):
        rows = np.asarray([[np.nan if v is None else v for v in np.ravel(np.asarray(r, object))] for r in columns[name][0]],
                          float)
        for figure, by in (("min", np.nanmin), ("max", np.nanmax), ("mean", np.nanmean), ("std", np.nanstd)):
            np.testing.assert_allclose(np.ravel(figures[name][figure]), by(rows, axis=0), rtol=1e-9, atol=1e-9)


@needs_ffmpeg
@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_videos_and_pictures_are_written_as_they_are(trajpack, tmp_path, version):
    """A frame of each row, at from_timestamp and the row's time, whatever was cut."""
    pytest.importorskip("PIL")
    random_ = random.Random(1)
    rows = [picture(random_, "PNG") for _ in range(sum(LENGTHS))]
    write_videos(
        tmp_path / "src", version=version, fps=25,
        videos=[("observation.images.top", ["-c:v", "libx264", "-g", "10", "-bf", "2"], "yuv420p"),
                ("observation.images.depth", ["-c:v", "libx265", "-x265-params", "log-level=none:lossless=1"], "gray12le")],
        columns={"cam": [{"bytes": p, "path": None} for p in rows]}, features={"cam": feature("image", *SIZE[::-1], 3)},
        types={"cam": pa.struct([("bytes", pa.binary()), ("path", pa.string())])})
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "npz", "--to", "npz", "--quiet")
    back(trajpack, tmp_path, tmp_path / "ds")
    out = tmp_path / "out"
    info, source = (json.loads((d / "meta/info.json").read_text()) for d in (out, tmp_path / "src"))
    for key in ("observation.images.top", "observation.images.depth", "cam"):
        assert {k: v for k, v in info["features"][key].items() if v is not None} == {
            k: v for k, v in source["features"][key].items() if v is not None}
    assert [row["bytes"] for row in table(out)["cam"].to_pylist()] == rows
    episodes = pq.read_table(out / "meta/episodes").to_pylist()
    for e, n in enumerate(LENGTHS):
        for key in ("observation.images.top", "observation.images.depth"):
            place = info["video_path"].format(video_key=key, chunk_index=episodes[e][f"videos/{key}/chunk_index"],
                                              file_index=episodes[e][f"videos/{key}/file_index"])
            stored = tmp_path / f"npz/episode_{e:06d}/{key}.mp4"
            assert (out / place).read_bytes() == stored.read_bytes()
            assert len(hashes(out / place)) == n
            assert episodes[e][f"videos/{key}/to_timestamp"] - episodes[e][f"videos/{key}/from_timestamp"] == \
                pytest.approx(n / 25)


def test_other_datasets(trajpack, tmp_path):
    """A table with whole numbers that were not observed, of a name that LeRobot's columns may not have."""
    lines = ["time,a,b/c,word"] + [f"{i / 4},{'' if i % 3 == 0 else i},{i * 0.5},w{i % 2}" for i in range(8)]
    for name in ("one", "two"):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / f"src/{name}.csv").write_text("\n".join(lines) + "\n")
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet", "--time-unit", "s")
    said = json.loads(run(trajpack, "info", tmp_path / "ds", "--json"))
    stream = said["streams"][0]["name"]
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot")
    got = table(tmp_path / "out").to_pydict()
    assert json.loads((tmp_path / "out/meta/info.json").read_text())["fps"] == 4
    key = next(k for k in got if k.endswith(".a"))
    assert [None if not o else v for v, o in zip(got[key], got.get(f"{key}.observed", [True] * 16))] == [
        None if i % 3 == 0 else i for i in range(8)] * 2 or np.isnan(got[key][0])
    assert not any("/" in name for name in got), stream
    run(trajpack, "convert", tmp_path / "out", tmp_path / "back", "--quiet")
    assert {e["id"] for e in json.loads(run(trajpack, "info", tmp_path / "back", "--episodes", "--json"))} == {
        e["id"] for e in json.loads(run(trajpack, "info", tmp_path / "ds", "--episodes", "--json"))}


def test_what_has_no_place_is_named(trajpack, tmp_path, recordings):
    """Entities and times of their own are left out in a sentence; without a rate, nothing is written."""
    run(trajpack, "convert", recordings, tmp_path / "ww", "--quiet", "--video", "drop")
    import subprocess
    done = subprocess.run([trajpack, "export", tmp_path / "ww", tmp_path / "out", "--to", "lerobot"], capture_output=True,
                          text=True, check=False)
    if done.returncode == 0:
        assert "is left out: it has entities" in done.stderr
        assert (tmp_path / "out/meta/info.json").exists()
    else:
        assert "has entities" in done.stderr and not (tmp_path / "out").exists()
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(5)))
    run(trajpack, "convert", tmp_path / "t.csv", tmp_path / "steps", "--quiet")
    said = run(trajpack, "export", tmp_path / "steps", tmp_path / "no", "--to", "lerobot", fails=True)
    assert "--rate says how many rows a second" in said and not (tmp_path / "no").exists()
    run(trajpack, "export", tmp_path / "steps", tmp_path / "yes", "--to", "lerobot", "--rate", "12.5", "--quiet")
    assert json.loads((tmp_path / "yes/meta/info.json").read_text())["fps"] == 12.5
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    assert "exists already" in run(trajpack, "export", tmp_path / "steps", tmp_path / "full", "--to", "lerobot", "--rate",
                                   "5", fails=True)
    assert "--rate is for --to lerobot" in run(trajpack, "export", tmp_path / "steps", tmp_path / "n", "--to", "npz",
                                               "--rate", "5", fails=True)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".tmp-")]


def test_many_episodes_and_large_rows(trajpack, tmp_path):
    """Pages and row groups of every size: rows of one number, and of more than a page; empty texts and long ones."""
    import trajpack as package
    random_ = np.random.default_rng(5)
    wide = random_.normal(size=(3, 90_000))
    texts = ["", "x" * 100_000, "ä"]
    with package.create(str(tmp_path / "ds"), rate=5) as writer:
        for e in range(30):
            n = 3 if e % 2 else 1
            writer.append(f"e{e}", {"s": {"wide": wide[:n], "flag": np.arange(n) % 2 == 0, "note": texts[:n],
                                          "small": np.arange(n, dtype=np.int8) - 1}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot", "--quiet")
    got = table(tmp_path / "out")
    assert got.num_rows == 60
    ends = 0
    for e in range(30):
        n = 3 if e % 2 else 1
        part = got.slice(ends, n)
        ends += n
        np.testing.assert_array_equal(np.stack(part["s.wide"].to_numpy(zero_copy_only=False)), wide[:n])
        assert part["s.flag"].to_pylist() == [i % 2 == 0 for i in range(n)]
        assert part["s.small"].to_pylist() == [i - 1 for i in range(n)]
        assert part["s.note"].to_pylist() == texts[:n]


def test_statistics_are_true(trajpack, tmp_path):
    """Quantiles are numpy's, of all values."""
    import trajpack as tp
    rng = np.random.default_rng(4)
    rows = {"state": rng.normal(size=(500, 3)).astype(np.float32), "n": rng.integers(0, 9, 500)}
    rows["state"][::7, 1] = np.nan
    with tp.create(tmp_path / "ds", rate=10) as writer:
        for part in range(2):
            cut = slice(part * 250, part * 250 + 250)
            writer.append(f"e{part}", {"steps": {k: v[cut] for k, v in rows.items()}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot")
    figures = json.loads((tmp_path / "out/meta/stats.json").read_text())
    for name, values in rows.items():
        values = values.reshape(500, -1).astype(float)
        for q in (1, 10, 50, 90, 99):
            np.testing.assert_allclose(figures[name][f"q{q:02d}"], np.nanquantile(values, q / 100, axis=0), rtol=1e-12)
        np.testing.assert_allclose(figures[name]["std"], np.nanstd(values, axis=0), rtol=1e-9)


def test_other_clocks_are_resampled(trajpack, tmp_path):
    """--rate brings streams of other rates, and those with times of their own, to one clock, and says so."""
    import subprocess

    import trajpack as tp
    t = np.cumsum(np.full(60, 0.05) + np.tile([0.01, -0.01], 30))
    with tp.create(tmp_path / "ds", rate={"fast": 100, "arm": 10}) as writer:
        with writer.episode("e") as episode:
            episode.extend({"arm": {"q": np.arange(31.0)}, "fast": {"x": np.arange(301.0)}})
            episode.extend({"odd": {"y": 3 * t}}, time=t)
    done = subprocess.run([trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot", "--rate", "10"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resampled to 10 rows a second" in done.stderr and "'fast'" in done.stderr and "'odd'" in done.stderr
    got = table(tmp_path / "out")
    assert got["arm.q"].to_pylist() == list(range(31))
    y = np.array([np.nan if v is None else v for v in got["odd.y"].to_pylist()])
    inside = np.isfinite(y)
    assert inside.sum() > 20
    # At its ends a low-pass has nothing beyond.
    np.testing.assert_allclose(y[inside][1:-1], 3 * (np.arange(31) / 10)[inside][1:-1], atol=0.02)
    np.testing.assert_allclose(y[inside], 3 * (np.arange(31) / 10)[inside], atol=0.2)
    assert json.loads((tmp_path / "out/meta/info.json").read_text())["fps"] == 10


@needs_ffmpeg
def test_statistics_of_pictures(trajpack, tmp_path):
    """Of each channel, in 0..1, as lerobot has them: those of the decoded frames, of which PNGs are made for this."""
    from PIL import Image
    write_videos(tmp_path / "src", videos=[("observation.images.a", ["-c:v", "libx264", "-bf", "0"], "yuv420p")])
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot")
    figures = json.loads((tmp_path / "out/meta/stats.json").read_text())["observation.images.a"]
    run(trajpack, "export", tmp_path / "ds", tmp_path / "png", "--to", "png")
    pixels = np.concatenate([np.asarray(Image.open(path)).reshape(-1, 3) for path in (tmp_path / "png").rglob("*.png")])
    pixels = pixels / 255
    assert figures["count"] == [sum(LENGTHS)]
    for name, want in [("mean", pixels.mean(0)), ("std", pixels.std(0)), ("min", pixels.min(0)), ("max", pixels.max(0)),
                       ("q50", np.quantile(pixels, 0.5, axis=0))]:
        assert np.shape(figures[name]) == (3, 1, 1)
        np.testing.assert_allclose(np.ravel(figures[name]), want, rtol=1e-9, err_msg=name)


def test_names_that_trainers_ask_for(trajpack, tmp_path):
    """--map names columns, and makes one of several channels, with their names, masks and statistics."""
    import subprocess

    import trajpack as tp
    rng = np.random.default_rng(6)
    n = 20
    q, dq = rng.normal(size=(n, 3)).astype(np.float32), rng.normal(size=(n, 3)).astype(np.float32)
    grip = rng.normal(size=n)
    count = np.ma.masked_array(rng.integers(0, 9, n).astype(np.int16), rng.random(n) < 0.3)
    with tp.create(tmp_path / "ds", rate=10, channels={"arm/q": {"conventions": {"names": ["x", "y", "z"]}}}) as writer:
        writer.append("e", {"arm": {"q": q, "dq": dq}, "steps": {"grip": grip, "ctrl": 2 * q, "count": count}})
    options = ["--map", "observation.state=arm/q,arm/dq", "--map", "action=steps/ctrl",
               "--map", "observation.environment_state=steps/grip,count"]
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot", *options)
    got = table(tmp_path / "out")
    info = json.loads((tmp_path / "out/meta/info.json").read_text())["features"]
    own = {"observation.state", "action", "observation.environment_state", "observation.environment_state.observed"}
    assert {k for k in info if "." in k or k == "action"} == own and set(got.column_names) == set(info)
    stack = lambda name: np.array(got[name].to_pylist())  # noqa: E731
    np.testing.assert_array_equal(stack("observation.state"), np.concatenate([q, dq], 1))
    np.testing.assert_array_equal(stack("action"), 2 * q)
    np.testing.assert_array_equal(stack("observation.environment_state"), np.stack([grip, count.astype(float).filled(np.nan)], 1))
    np.testing.assert_array_equal(stack("observation.environment_state.observed"),
                                  np.stack([np.ones(n, bool), ~np.ma.getmaskarray(count)], 1))
    assert info["observation.state"] == {"dtype": "float32", "shape": [6], "names": ["x", "y", "z", "dq_0", "dq_1", "dq_2"]}
    assert info["observation.environment_state"]["dtype"] == "float64"
    assert info["observation.environment_state.observed"]["info"] == {"observed_of": "observation.environment_state"}
    figures = json.loads((tmp_path / "out/meta/stats.json").read_text())
    np.testing.assert_allclose(figures["observation.state"]["mean"], np.concatenate([q, dq], 1).mean(0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(figures["observation.environment_state"]["max"], [grip.max(), count.max()])
    for words, why in [("a=b", "there is no channel 'b'"), ("a/b=steps/grip", "has a slash"), ("a", "must be NAME=STREAM/CHANNEL"),
                       ("a=steps/grip,steps/grip", "is named twice"), ("timestamp=steps/grip", "one already"),
                       ("task_index=steps/grip", "one already"), ("a=steps/grip --map b=grip", "has a name already"),
                       ("state=arm/q,arm/dq --map action=arm/q", "has a name already"),
                       ("action=arm/q --map state=arm/q,arm/dq", "has a name already"),
                       ("a=steps/grip --map a=steps/ctrl", "another --map gives the name 'a'")]:
        done = subprocess.run([trajpack, "export", tmp_path / "ds", tmp_path / "no", "--to", "lerobot", "--map", *words.split()],
                              capture_output=True, text=True)
        assert done.returncode == 2 and why in done.stderr and not (tmp_path / "no").exists(), done.stderr
    assert "--map is for --to lerobot" in run(trajpack, "export", tmp_path / "ds", tmp_path / "no", "--to", "npz", "--map",
                                              "a=steps/grip", fails=True)


def test_names_change_places_with_their_masks(trajpack, tmp_path):
    """Channels are meant by the names that they have in the dataset; a category can be the task."""
    import trajpack as tp
    n = 8
    a = np.ma.masked_array(np.arange(n, dtype=np.int16), np.arange(n) % 3 == 0)
    b = np.arange(n, dtype=np.int16) + 100
    with tp.create(tmp_path / "ds", rate=10, channels={"steps/what": {"categories": ["pick", "place"]}}) as writer:
        writer.append("e", {"steps": {"a": a, "b": b, "what": (np.arange(n) // 4).astype(np.int32)}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot", "--map", "b=steps/a", "--map", "a=steps/b",
        "--map", "task=steps/what")
    got = table(tmp_path / "out")
    assert got["a"].to_pylist() == b.tolist() and "a.observed" not in got.column_names
    assert got["b.observed"].to_pylist() == (~a.mask).tolist() and np.array(got["b"].to_pylist())[~a.mask].tolist() == a.compressed().tolist()
    tasks = pq.read_table(tmp_path / "out/meta/tasks.parquet").to_pandas()
    names = tasks.index if "task" not in tasks.columns else tasks["task"]
    known = dict(zip(tasks["task_index"], names, strict=True))
    assert [known[i] for i in got["task_index"].to_pylist()] == ["pick"] * 4 + ["place"] * 4


def test_many_bytes_of_an_episode_are_several_row_groups(trajpack, tmp_path):
    """So that they are not in memory all at once; what is read is the same."""
    import trajpack as tp
    texts = [chr(97 + k) * (3 << 20) for k in range(20)]
    with tp.create(tmp_path / "ds", rate=10) as writer:
        writer.append("e", {"steps": {"note": texts, "x": np.arange(20.0)}})
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "lerobot")
    [path] = (tmp_path / "out/data").rglob("*.parquet")
    assert pq.ParquetFile(path).num_row_groups == 4
    got = pq.read_table(path)
    assert got["note"].to_pylist() == texts and got["frame_index"].to_pylist() == list(range(20))
    assert got["index"].to_pylist() == list(range(20)) and got["x"].to_pylist() == list(range(20))
