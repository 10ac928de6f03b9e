"""TUM, KITTI and EuRoC as evo writes or reads them; COLMAP models by their documented layout."""
import struct
import subprocess

import numpy as np
import pytest
from evo.core.trajectory import PoseTrajectory3D
from evo.tools import file_interface
from foreign_world import converted, run, same, spoilt, texts


def path_of(seed, count=25):
    """Times in nanoseconds, positions, and quaternions with w first."""
    random = np.random.default_rng(seed)
    q = random.normal(size=(count, 4))
    times = 1_403_636_580_838_555_648 + np.cumsum(random.integers(1_000_003, 60_000_007, count))
    return times, random.normal(size=(count, 3)), q / np.linalg.norm(q, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(2))
def test_tum_is_what_evo_reads(trajpack, tmp_path, seed):
    times, p, q = path_of(seed)
    file_interface.write_tum_trajectory_file(tmp_path / "a.txt", PoseTrajectory3D(p, q, times / 1e9))
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.txt")
    assert outcome["reading"][0]["type"] == "tum"
    truth = file_interface.read_tum_trajectory_file(tmp_path / "a.txt")
    same(episodes["a"]["poses/time"], truth.timestamps)
    same(episodes["a"]["poses/position"], truth.positions_xyz)
    same(episodes["a"]["poses/orientation"], truth.orientations_quat_wxyz[:, [1, 2, 3, 0]])


def test_tum_of_people(trajpack, tmp_path):
    """Runs of blanks, comments, lines out of order and lines of nan, all of which evo refuses."""
    _, p, q = path_of(3, 6)
    stamps = [1.5, 2.0, 4.0, 3.0, 5.0, 6.25]
    lines = ["# ground truth", "# timestamp tx ty tz qx qy qz qw"]
    for t, a, b in zip(stamps, p, q, strict=True):
        lines.append("  " + "   ".join(repr(float(x)) for x in (t, *a, *b[[1, 2, 3, 0]])) + " ")
    lines[6] = "5.0 nan nan nan nan nan nan nan"
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n\n")
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.txt")
    assert any("sorted by time" in remark for remark in outcome["remarks"])
    order = [0, 1, 3, 2, 4, 5]
    same(episodes["a"]["poses/time"], np.array(stamps)[order])
    p[4] = np.nan
    same(episodes["a"]["poses/position"], p[order])


def test_nanoseconds_are_exact(trajpack, tmp_path):
    """A double has no nanoseconds at this epoch; ticks of both formats have."""
    times, p, q = path_of(4)
    rows = [f"{t // 10**9}.{t % 10**9:09d} " + " ".join(map(repr, map(float, (*a, *b[[1, 2, 3, 0]]))))
            for t, a, b in zip(times, p, q, strict=True)]
    (tmp_path / "a.txt").write_text("\n".join(rows) + "\n")
    head = ("#timestamp [ns],p_RS_R_x [m],p_RS_R_y [m],p_RS_R_z [m],q_RS_w [],q_RS_x [],q_RS_y [],q_RS_z [],"
            "v_RS_R_x [m s^-1],v_RS_R_y [m s^-1],v_RS_R_z [m s^-1]")
    rows = [",".join([str(t), *(repr(float(x)) for x in (*a, *b, *a))]) for t, a, b in zip(times, p, q, strict=True)]
    (tmp_path / "b.csv").write_text("\n".join([head, *rows]) + "\n")
    truth = file_interface.read_euroc_csv_trajectory(tmp_path / "b.csv")
    for name, stream, position, rotation in (("a.txt", "poses", "position", "orientation"),
                                             ("b.csv", "states", "p_RS_R", "q_RS")):
        (tmp_path / name[0]).mkdir()
        _, episodes, _ = converted(trajpack, tmp_path / name[0], tmp_path / name)
        own = episodes[name[0]]
        assert [int(t) for t in own[f"{stream}/time"]] == [int(t) for t in times]
        same(own[f"{stream}/{position}"], truth.positions_xyz)
        columns = [1, 2, 3, 0] if name == "a.txt" else [0, 1, 2, 3]
        same(own[f"{stream}/{rotation}"], truth.orientations_quat_wxyz[:, columns])
    same(own["states/v_RS_R"], p)


@pytest.mark.parametrize("has_times", [True, False])
def test_kitti_is_what_evo_reads(trajpack, tmp_path, has_times):
    times, p, q = path_of(5)
    file_interface.write_kitti_poses_file(tmp_path / "a.txt", PoseTrajectory3D(p, q, times / 1e9))
    seconds = (times - times[0]) / 1e9
    if has_times:
        np.savetxt(tmp_path / "a_times.txt", seconds)
    outcome, episodes, _ = converted(trajpack, tmp_path, tmp_path / "a.txt")
    truth = file_interface.read_kitti_poses_file(tmp_path / "a.txt")
    same(episodes["a"]["poses/pose"], np.stack(truth.poses_se3)[:, :3])
    np.testing.assert_array_equal(episodes["a"]["poses/time"], seconds if has_times else np.arange(25))
    assert any("--rate" in remark for remark in outcome["remarks"]) != has_times


def colmap(folder, seed, binary):
    """A model with two cameras, its images in no order; what each image must become, by name."""
    folder.mkdir()
    _, t, q = path_of(seed, 5)
    names = [f"frame {i:03d}.png" for i in (4, 0, 3, 1, 2)]
    cameras = [(1, 1, 64, 48, [50.0, 50, 32, 24]), (7, 4, 640, 480, list(np.random.default_rng(seed).random(8)))]
    models = {1: "PINHOLE", 4: "OPENCV"}
    if binary:
        out = struct.pack("<Q", 2)
        for number, model, width, height, params in cameras:
            out += struct.pack(f"<iiQQ{len(params)}d", number, model, width, height, *params)
        (folder / "cameras.bin").write_bytes(out)
        out = struct.pack("<Q", 5)
        for i, name in enumerate(names):
            out += struct.pack("<I7dI", 10 - i, *q[i], *t[i], 7 if i else 1) + name.encode() + b"\0"
            out += struct.pack("<Q", i) + struct.pack("<ddQ", 1, 2, 3) * i
        (folder / "images.bin").write_bytes(out)
    else:
        (folder / "cameras.txt").write_text("# cameras\n" + "".join(
            f"{c[0]} {models[c[1]]} {c[2]} {c[3]} {' '.join(map(repr, map(float, c[4])))}\n" for c in cameras))
        (folder / "images.txt").write_text("# images\n# two lines each\n" + "".join(
            f"{10 - i} {' '.join(map(repr, map(float, (*q[i], *t[i]))))} {7 if i else 1} {name}\n"
            + "1 2 3 " * i + "\n" for i, name in enumerate(names)))
    order = np.argsort(names)
    return sorted(names), q[order], t[order], [10 - int(i) for i in order], cameras


@pytest.mark.parametrize("binary", [True, False])
def test_colmap(trajpack, tmp_path, binary):
    names, q, t, ids, cameras = colmap(tmp_path / "model", 6, binary)
    (tmp_path / "model" / "points3D.txt").write_text("# points\n")
    outcome, episodes, values = converted(trajpack, tmp_path, tmp_path / "model")
    assert outcome["reading"][0]["type"] == "colmap"
    own = episodes["model"]
    same(own["images/rotation"], q)
    same(own["images/translation"], t)
    same(own["images/image_id"], np.array(ids))
    assert texts(own, "images/name") == names
    assert values["model"]["camera/7/model"] == "OPENCV" and values["model"]["camera/7/params"] == cameras[1][4]
    assert [f["file"] for f in outcome["left_out"]["files"]] == ["points3D.txt"]


def test_refusals(trajpack, tmp_path):
    times, p, q = path_of(7)
    file_interface.write_tum_trajectory_file(tmp_path / "a.txt", PoseTrajectory3D(p, q, times / 1e9))
    good = (tmp_path / "a.txt").read_text()
    lines = good.splitlines()
    for last, word in (("1 2 3", "line 51 has 3 numbers"), (lines[0].replace("e", "x"), "line 51 has")):
        (tmp_path / "x.txt").write_text("\n".join([*lines, *lines, last]) + "\n")
        said = run(trajpack, "convert", tmp_path / "x.txt", tmp_path / "o", "-q", "--from", "tum", fails=True)
        assert word in said and said.count("\n") == 1, said
    assert "--rate" in run(trajpack, "convert", tmp_path / "a.txt", tmp_path / "o", "-q", "--from", "tum", "--rate", 3,
                           fails=True)
    # A table of eight numbers that are no poses stays a table, and so do poses with options of tables.
    np.savetxt(tmp_path / "table.txt", np.random.default_rng(0).normal(size=(9, 8)) + np.arange(9)[:, None])
    for source, options in ((tmp_path / "table.txt", []), (tmp_path / "a.txt", ["--delimiter", "blanks"])):
        (tmp_path / source.stem).mkdir()
        outcome, _, _ = converted(trajpack, tmp_path / source.stem, source, *options)
        assert outcome["reading"][0]["type"] != "tum"


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    colmap(tmp_path / "model", seed, True)
    for name in ("images.bin", "cameras.bin"):
        path = tmp_path / "model" / name
        good = path.read_bytes()
        path.write_bytes(spoilt(random, good))
        done = subprocess.run([trajpack, "convert", tmp_path / "model", tmp_path / "o", "-q", "--overwrite"],
                              capture_output=True, text=True, timeout=60)
        said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
        path.write_bytes(good)
