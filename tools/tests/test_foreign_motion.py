"""BVH against the package bvh and scipy, AMASS archives as numpy writes them, VPT recordings."""
import json
import subprocess

import numpy as np
import pytest
from bvh import Bvh
from foreign_world import converted, payloads, run, same, texts
from scipy.spatial.transform import Rotation


def bvh(random, frames=9, time="0.0083333", nested=4):
    """A random hierarchy: the text, and each joint's parent, offset and channels."""
    joints, lines, order = [], ["HIERARCHY"], 0

    def add(parent, depth):
        nonlocal order
        name = f"joint:{len(joints)}"
        axes = list(random.permutation(["X", "Y", "Z"]))
        channels = [f"{a}rotation" for a in axes]
        if parent < 0 or random.integers(4) == 0:
            channels = [f"{a}position" for a in "XYZ"] + channels
        offset = random.normal(size=3).round(4)
        number = len(joints)
        joints.append((name, parent, offset, channels, order))
        order += len(channels)
        tab = "\t" * depth
        lines.extend([f"{tab}{'ROOT' if parent < 0 else 'JOINT'} {name}", f"{tab}{{",
                      f"{tab}\tOFFSET {' '.join(map(str, offset))}", f"{tab}\tCHANNELS {len(channels)} {' '.join(channels)}"])
        children = int(random.integers(0, 3)) if depth < nested else 0
        for _ in range(children):
            add(number, depth + 1)
        if not children:
            end = random.normal(size=3).round(3)
            joints.append((f"{name}_end", number, end, [], order))
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {' '.join(map(str, end))}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    add(-1, 0)
    motion = (random.normal(size=(frames, order)) * 60).round(4)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {time}"]
    lines += [" ".join(f"{v:.4f}" for v in row) for row in motion]
    return "\n".join(lines) + "\n", joints, motion


def forward(joints, row):
    """Where joints are, and how each is turned in its parent, by scipy."""
    turns, places, local = [], [], []
    for _, parent, offset, channels, first in joints:
        here = offset.astype(float).copy()
        angles, axes = [], ""
        for i, channel in enumerate(channels):
            if channel.endswith("position"):
                here["XYZ".index(channel[0])] = row[first + i]
            else:
                axes += channel[0]
                angles.append(row[first + i])
        own = Rotation.from_euler(axes, angles, degrees=True) if axes else Rotation.identity()
        local.append(own)
        if parent < 0:
            turns.append(own)
            places.append(here)
        else:
            places.append(places[parent] + turns[parent].apply(here))
            turns.append(turns[parent] * own)
    return np.array(places), [r.as_quat() for r, j in zip(local, joints, strict=True) if j[3]]


@pytest.mark.parametrize("seed", range(4))
def test_bvh_is_what_its_reader_and_scipy_say(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    text, joints, motion = bvh(random)
    (tmp_path / "walk.bvh").write_text(text if seed % 2 else text.replace("\n", "\r\n"))
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "walk.bvh")
    assert outcome["reading"][0]["type"] == "bvh"
    own, truth = episodes["walk"], Bvh(text)
    for name, *_, channels, _ in joints:
        if channels:
            same(own[f"channels/{name}"], np.array(truth.frames_joint_channels(name, channels)))
    np.testing.assert_allclose(np.diff(own["pose/time"]), 1 / 120)
    for frame, row in enumerate(motion):
        places, quaternions = forward(joints, row)
        np.testing.assert_allclose(own["skeleton/bvh/position"][frame], places, atol=1e-9)
        for found, q in zip(own["pose/rotations"][frame], quaternions, strict=True):
            q = q[[3, 0, 1, 2]]
            np.testing.assert_allclose(found * np.sign(found @ q), q, atol=1e-12)
    info = json.loads(run(trajpack, "info", tmp_path / "ds", "--json"))
    assert "skeleton/bvh" in json.dumps(info)


@pytest.mark.parametrize(("time", "rate"), [("0.0333333", 30), ("0.03333", 30), ("0.033367", 30000 / 1001), ("0.01", 100),
                                            ("0.008333", 120), ("0.0417", 24), ("0.05", 20), ("0.0123456", 1 / 0.0123456)])
def test_frame_times_are_the_rates_that_are_meant(trajpack, tmp_path, time, rate):
    text, _, _ = bvh(np.random.default_rng(1), time=time)
    (tmp_path / "a.bvh").write_text(text)
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.bvh")
    np.testing.assert_allclose(episodes["a"]["pose/time"][-1], 8 / rate, rtol=1e-12)


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t[:t.rindex("\n", 0, -1)], "rows"), (lambda t: t[:len(t) - 9], ""), (lambda t: t[:t.index("MOTION")], "cut"),
    (lambda t: t.replace("CHANNELS 6", "CHANNELS 7", 1), "line"), (lambda t: t.replace("Frames: 9", "Frames: 8"), "more than"),
    (lambda t: t.replace("}", "", 1), ""), (lambda t: t.replace("Frame Time: 0.0083333", "Frame Time: 0"), "Frame Time"),
    (lambda t: t.replace("OFFSET", "OFSET", 1), "OFSET"), (lambda t: t.replace("Frames: 9", "Frames: 99999999"), "cut"),
    (lambda t: t + "1 2 3\n", "more than"), (lambda t: t[:-30] + " x " + t[-30:], ""),
])
def test_spoilt_bvh_is_one_sentence(trajpack, tmp_path, change, said):
    text, _, _ = bvh(np.random.default_rng(2))
    (tmp_path / "a.bvh").write_text(change(text))
    done = subprocess.run([trajpack, "convert", tmp_path / "a.bvh", tmp_path / "o", "-q"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("rate", ["mocap_framerate", "mocap_frame_rate"])
@pytest.mark.parametrize("gender", [np.array(b"female"), np.array("male"), "neutral", np.bytes_(b"female")])
def test_amass(trajpack, tmp_path, rate, gender):
    random = np.random.default_rng(0)
    arrays = {"poses": random.normal(size=(11, 156)), "trans": random.normal(size=(11, 3)), "dmpls": random.normal(size=(11, 8)),
              "root_orient": random.normal(size=(11, 3)).astype("f4")}
    np.savez(tmp_path / "walk_poses.npz", gender=gender, betas=np.arange(16.0), **arrays, **{rate: np.array(59.94)},
             marker_labels=np.array(["A", "B"]))
    np.savez(tmp_path / "shape.npz", betas=np.arange(16.0), gender=gender)
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "walk_poses.npz")
    assert outcome["reading"][0]["type"] == "amass"
    for name, truth in arrays.items():
        same(episodes["walk_poses"][f"motion/{name}"], truth)
    np.testing.assert_allclose(episodes["walk_poses"]["motion/time"], np.arange(11) / 59.94)
    own = values["walk_poses"]
    assert own["gender"] in ("female", "male", "neutral") and own["betas"] == list(np.arange(16.0))


def test_amass_of_other_rows_is_refused(trajpack, tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros((5, 156)), trans=np.zeros((4, 3)), betas=np.zeros(16), mocap_framerate=120.0)
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "o", "-q", fails=True)
    assert "trans" in said and len(said.splitlines()) == 1


def vpt(random, count):
    lines = []
    for t in range(count):
        keys = [f"key.keyboard.{k}" for k in ("w", "space", "left.shift") if random.random() < 0.4]
        buttons = [b for b in (0, 1) if random.random() < 0.3]
        lines.append({"mouse": {"x": 1.5 * t, "dx": float(random.normal()), "buttons": buttons, "newButtons": buttons[:1]},
                      "keyboard": {"keys": keys, "newKeys": keys[:1], "chars": "é"}, "isGuiOpen": bool(t % 2), "hotbar": t % 9,
                      "milli": 1650532800000 + 50 * t, "yaw": float(random.normal()), "inventory": [{"type": "log", "quantity": t}]})
    return lines


def test_vpt(trajpack, tmp_path):
    random = np.random.default_rng(0)
    source = tmp_path / "src"
    source.mkdir()
    truth = {name: vpt(random, count) for name, count in (("a-1", 12), ("b-2", 7))}
    for name, lines in truth.items():
        (source / f"{name}.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        (source / f"{name}-options.json").write_text(json.dumps({"mouseSensitivity": 0.5, "version": "10.0"}))
    outcome, episodes, values = converted(trajpack, tmp_path, source)
    assert outcome["reading"][0]["type"] == "vpt" and sum("no video" in r for r in outcome["remarks"]) == 2
    keys = sorted({k for lines in truth.values() for line in lines for k in line["keyboard"]["keys"]})
    for name, lines in truth.items():
        own = episodes[name]
        same(own["actions/keyboard/keys"], [[k in line["keyboard"]["keys"] for k in keys] for line in lines])
        same(own["actions/mouse/buttons"], [[b in line["mouse"]["buttons"] for b in (0, 1)] for line in lines])
        same(own["actions/mouse/dx"], [line["mouse"]["dx"] for line in lines])
        same(own["actions/milli"], np.array([line["milli"] for line in lines], "i8"))
        same(own["actions/isGuiOpen"], [line["isGuiOpen"] for line in lines])
        assert texts(own, "actions/keyboard/chars") == ["é"] * len(lines)
        assert [json.loads(p) for p in payloads(own, "actions/inventory")] == [line["inventory"] for line in lines]
        assert values[name]["options/mouseSensitivity"] == 0.5


@pytest.mark.parametrize(("change", "said"), [(lambda t: t[:-20], "line 12"), (lambda t: t.replace("{", "[", 1), ""),
                                              (lambda t: t + "7\n", "line 13")])
def test_spoilt_vpt_is_one_sentence(trajpack, tmp_path, change, said):
    source = tmp_path / "src"
    source.mkdir()
    text = "".join(json.dumps(line) + "\n" for line in vpt(np.random.default_rng(1), 12))
    (source / "a.jsonl").write_text(change(text))
    done = subprocess.run([trajpack, "convert", source, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr
