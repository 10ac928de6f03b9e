"""The sources that come with the package: RLDS against google.protobuf, OWAMcap against the package mcap."""
import base64
import json
import subprocess

import numpy as np
import pytest
from sources_world import example_class, run, tfrecord

import trajpack as tp

pytest.importorskip("google_crc32c", reason="google-crc32c writes the checksums of TFRecord files")


def dataset(folder, seed, episodes=3):
    """An RLDS dataset as TFDS lays it out, and its truth."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    kind = example_class()
    leaf = {
        "action": ("float32", ["7"]), "discount": ("float32", []), "is_first": ("bool", []), "count": ("int64", []),
        "small": ("uint8", ["2"])}
    inner = {name: {"pythonClassName": "tensorflow_datasets.core.features.tensor_feature.Tensor",
                    "tensor": {"shape": {"dimensions": shape} if shape else {}, "dtype": dtype, "encoding": "none"}}
             for name, (dtype, shape) in leaf.items()}
    inner["language_instruction"] = {"pythonClassName": "...text_feature.Text", "text": {}}
    inner["observation"] = {"featuresDict": {"features": {
        "image": {"image": {"shape": {"dimensions": ["8", "8", "3"]}, "dtype": "uint8", "encodingFormat": "jpeg"}},
        "state": {"tensor": {"shape": {"dimensions": ["3"]}, "dtype": "float32", "encoding": "none"}}}}}
    features = {"featuresDict": {"features": {
        "steps": {"pythonClassName": "...dataset_feature.Dataset",
                  "sequence": {"feature": {"featuresDict": {"features": inner}}, "length": "-1"}},
        "episode_metadata": {"featuresDict": {"features": {
            "file_path": {"text": {}}, "number": {"tensor": {"shape": {}, "dtype": "int64", "encoding": "none"}}}}}}}}
    truth, records = [], []
    for number in range(episodes):
        n = int(rng.integers(1, 40))
        rows = {
            "action": rng.normal(size=(n, 7)).astype(np.float32), "discount": np.ones(n, np.float32),
            "is_first": np.arange(n) == 0, "count": rng.integers(-2**62, 2**62, n),
            "small": rng.integers(0, 256, (n, 2)).astype(np.uint8),
            "observation/state": rng.normal(size=(n, 3)).astype(np.float32),
            "language_instruction": [f"pick {int(k)} ü" for k in rng.integers(0, 3, n)],
            "observation/image": [bytes(rng.integers(0, 256, int(k), dtype=np.uint8)) for k in
                                  rng.integers(1, 90, n)]}
        example = kind()
        for name, value in rows.items():
            feature = example.features.feature[f"steps/{name}"]
            if isinstance(value, list):
                feature.bytes_list.value.extend(v if isinstance(v, bytes) else v.encode() for v in value)
            elif value.dtype.kind == "f":
                feature.float_list.value.extend(value.ravel().tolist())
            else:
                feature.int64_list.value.extend(int(v) for v in value.ravel())
        example.features.feature["episode_metadata/file_path"].bytes_list.value.append(b"/a/b")
        example.features.feature["episode_metadata/number"].int64_list.value.append(number)
        truth.append(rows)
        records.append(example.SerializeToString())
    tfrecord(folder / "toy-train.tfrecord-00000-of-00002", records[:1])
    tfrecord(folder / "toy-train.tfrecord-00001-of-00002", records[1:])
    (folder / "dataset_info.json").write_text(json.dumps({
        "name": "toy", "fileFormat": "tfrecord",
        "splits": [{"name": "train", "shardLengths": ["1", str(episodes - 1)]}]}))
    (folder / "features.json").write_text(json.dumps(features))
    return truth


@pytest.mark.parametrize("seed", range(3))
def test_rlds(trajpack, tmp_path, seed):
    truth = dataset(tmp_path / "toy" / "1.0.0", seed)
    run(trajpack, "convert", tmp_path / "toy", tmp_path / "ds")
    data = tp.open(tmp_path / "ds")
    assert [e.id for e in data.episodes] == [f"train/{n:06d}" for n in range(3)]
    for number, rows in enumerate(truth):
        episode = data.episode(f"train/{number:06d}")
        assert episode.values["episode_metadata_number"] == number and episode.split == "train"
        for name, value in rows.items():
            got = episode[f"steps/{name}"][:]
            if isinstance(value, list):
                assert list(got) == value, name
            else:
                assert got.dtype == value.dtype and np.array_equal(got, value), name
    assert run(trajpack, "diff", tmp_path / "ds", tmp_path / "toy").startswith("equal: 3 episodes")


@pytest.mark.parametrize("seed", range(6))
def test_spoilt_rlds_is_one_sentence(trajpack, tmp_path, seed):
    dataset(tmp_path / "toy", seed)
    rng = np.random.default_rng(seed)
    file = tmp_path / "toy" / "toy-train.tfrecord-00001-of-00002"
    data = bytearray(file.read_bytes())
    if seed % 2:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    else:
        data = data[:int(rng.integers(1, len(data)))]
    file.write_bytes(data)
    said = run(trajpack, "convert", tmp_path / "toy", tmp_path / "ds", code=1)
    assert file.name in said and said.count("\n") == 1 and "Traceback" not in said


def session(folder, seed):
    """An OWAMcap session by the package mcap, with a video by ffmpeg."""
    from mcap.writer import Writer
    rng = np.random.default_rng(seed)
    folder.mkdir()
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=50", "-frames:v", "12",
                    "-c:v", "ffv1", folder / "take.mkv"], check=True)
    start = 1_750_000_000_000_000_000
    with open(folder / "take.mcap", "wb") as file:
        writer = Writer(file)
        writer.start(profile="owa", library="test")
        schema = writer.register_schema("desktop/Any", "jsonschema", b"{}")
        channels = {t: writer.register_channel(t, "json", schema) for t in ("screen", "mouse/raw", "window")}

        def write(topic, at, value):
            writer.add_message(channels[topic], at, json.dumps(value).encode(), at)
        times = start + np.cumsum(rng.integers(10**7, 5 * 10**7, 12))
        for frame, at in enumerate(times):
            write("screen", int(at), {"utc_ns": int(at), "shape": [32, 32],
                                      "media_ref": {"uri": "take.mkv", "pts_ns": frame * 20_000_000}})
        write("screen", int(times[-1]) + 1, {"utc_ns": 1, "media_ref": {
            "uri": "data:image/png;base64," + base64.b64encode(b"picture").decode()}})
        moves = rng.integers(-5, 5, 30).tolist()
        for i, x in enumerate(moves):
            write("mouse/raw", start + i, {"last_x": x, "us_flags": 0})
        write("window", start, {"title": "採掘", "rect": [0, 0, 3, 4]})
        writer.finish()
    return times, moves


def test_owamcap(trajpack, tmp_path):
    times, moves = session(tmp_path / "s", 1)
    run(trajpack, "convert", tmp_path / "s" / "take.mcap", tmp_path / "ds", "--from", "owamcap")
    data = tp.open(tmp_path / "ds")
    episode = data.episode("take")
    assert np.array_equal(episode["mouse/raw/last_x"][:], moves)
    assert list(episode["window/title"][:]) == ["採掘"]
    assert episode["screen/picture"][12] == b"picture"
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "s" / "take.mkv", "-f", "rawvideo", "-pix_fmt",
                          "rgb24", "-"], check=True, capture_output=True).stdout
    truth = np.frombuffer(raw, np.uint8).reshape(-1, 32, 32, 3)
    assert np.array_equal(episode["screen/video"][:], truth)
    assert run(trajpack, "diff", tmp_path / "ds", tmp_path / "s" / "take.mcap").startswith("equal: 1 episode")
    # The native reader of MCAP files takes the same file where nobody says otherwise.
    run(trajpack, "convert", tmp_path / "s" / "take.mcap", tmp_path / "native", python="/nowhere")


def test_owamcap_without_its_video(trajpack, tmp_path):
    session(tmp_path / "s", 2)
    (tmp_path / "s" / "take.mkv").unlink()
    said = json.loads(run(
        trajpack, "convert", tmp_path / "s" / "take.mcap", tmp_path / "ds", "--from", "owamcap", "--json"))
    assert any("take.mkv is not there; 12 frames left out" in r for r in said["remarks"])
