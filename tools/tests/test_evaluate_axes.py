"""Camera axes: OpenCV's and OpenGL's are half a turn about the camera's x apart, as scipy's rotations say."""
import numpy as np
import pytest
from conftest import ROOT
from evaluate_command import PREDICTIONS, convert, figures, predicted, report, run
from evaluate_native import TrajpackError, values
from scipy.spatial.transform import Rotation

HALF_TURN = Rotation.from_euler("x", 180, degrees=True)
SCORES = ["camera.path", "camera.control", "camera.normalised"]


def paths(seed, frames=25):
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(np.cumsum(rng.normal(size=(frames, 3)) * .1, 0))
    guess = turn * Rotation.from_rotvec(rng.normal(size=(frames, 3)) * .05)
    position = np.cumsum(rng.normal(size=(frames, 3)), 0)
    return turn, guess, position, position + .1 * rng.normal(size=position.shape)


@pytest.mark.parametrize("evaluator", SCORES)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize("truth_axes, estimate_axes", [("opengl", "opencv"), ("opencv", "opengl")])
def test_an_estimate_of_other_axes_scores_as_in_the_truths(evaluator, seed, matrices, truth_axes, estimate_axes):
    turn, guess, position, near = paths(seed)
    same = values(evaluator, truth_position=position, estimate_position=near, truth_rotation=turn.as_quat(),
                  estimate_rotation=guess.as_quat())
    other = guess * HALF_TURN                                            # the same camera, its axes named otherwise
    given = other.as_matrix() if matrices else other.as_quat()
    options = {"truth_axes": truth_axes, "estimate_axes": estimate_axes}
    turned = values(evaluator, options, truth_position=position, estimate_position=near, truth_rotation=turn.as_quat(),
                    estimate_rotation=given)
    assert same.keys() == turned.keys()
    for name, value in same.items():
        assert turned[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name
    # Left as they are, they are half a turn off.
    wrong = values(evaluator, truth_position=position, estimate_position=near, truth_rotation=turn.as_quat(),
                   estimate_rotation=given)
    assert any(wrong[n] is not None and abs(wrong[n] - same[n]) > .1 for n in same if same[n] is not None)


@pytest.mark.parametrize("evaluator", SCORES)
def test_world_to_camera_is_turned_on_the_other_side(evaluator):
    turn, guess, position, near = paths(7)
    same = values(evaluator, truth_position=position, estimate_position=near, truth_rotation=turn.as_quat(),
                  estimate_rotation=guess.as_quat())

    def seen(rotation, centre):
        inverse = rotation.inv()
        return -inverse.apply(centre), inverse.as_quat()

    (t, r), (u, s) = seen(turn, position), seen(guess * HALF_TURN, near)
    other = values(evaluator, {"pose": "world_to_camera", "estimate_axes": "opencv"}, truth_position=t,
                   truth_rotation=r, estimate_position=u, estimate_rotation=s)
    for name, value in same.items():
        assert other[name] == pytest.approx(value, rel=1e-8, abs=1e-8), name


def test_as_truth_and_equal_axes_turn_nothing():
    turn, guess, position, near = paths(3)
    arrays = dict(truth_position=position, estimate_position=near, truth_rotation=turn.as_quat(),
                  estimate_rotation=guess.as_quat())
    for options in ({}, {"truth_axes": "opencv"}, {"truth_axes": "opencv", "estimate_axes": "opencv"}):
        assert values("camera.path", options, **arrays) == values("camera.path", **arrays)
    with pytest.raises(TrajpackError, match="as_truth, opengl, opencv"):
        values("camera.path", {"estimate_axes": "blender"}, **arrays)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return convert(ROOT / "fixtures" / "wildworld" / "data_part1", tmp_path_factory.mktemp("axes") / "ww")


def test_vipes_matrices_against_an_archive_of_opengl(world, tmp_path):
    """4 × 4 camera-to-world matrices in OpenCV's axes, as ViPE writes them; the archive says that it has OpenGL's."""
    for name, arrays in predicted("good").items():
        matrix = np.tile(np.eye(4), (len(arrays["camera/pos"]), 1, 1))
        matrix[:, :3, :3] = (Rotation.from_quat(arrays["camera/rot"]) * HALF_TURN).as_matrix()
        matrix[:, :3, 3] = arrays["camera/pos"]
        np.savez(tmp_path / f"{name}.npz", pose=matrix)
    maps = ["--map", "estimate_position=pose", "--map", "estimate_rotation=pose"]
    words = ["--metric", "camera.path", "--metric", "camera.control"]
    same = figures(report(world, PREDICTIONS / "good", *words))
    turned = figures(report(world, tmp_path, *words, *maps, "--set", "estimate_axes=opencv"))
    assert same.keys() == turned.keys()
    for name, figure in same.items():
        assert turned[name]["value"] == pytest.approx(figure["value"], rel=1e-7, abs=1e-9), name
        assert turned[name]["options"]["truth_axes"] == "opengl"
    assert "misread" in run(world, tmp_path, *words, *maps, "--set", "truth_axes=opencv", code=2)


def test_matrices_under_the_name_of_the_channel(world, tmp_path):
    for name, arrays in predicted("good").items():
        matrix = Rotation.from_quat(arrays["camera/rot"]).as_matrix()
        np.savez(tmp_path / f"{name}.npz", **{"camera/pos": arrays["camera/pos"], "camera/rot": matrix})
    same = figures(report(world, PREDICTIONS / "good", "--metric", "camera.path"))
    given = figures(report(world, tmp_path, "--metric", "camera.path"))
    assert same.keys() == given.keys()
    for name, figure in same.items():
        assert given[name]["value"] == pytest.approx(figure["value"], rel=1e-7, abs=1e-9), name


def test_archives_say_their_axes(world, tmp_path):
    """An archive of predictions with the other axes is turned, and one that is told so wrongly is refused."""
    import trajpack

    def write(folder, axes, turn):
        with trajpack.create(str(folder), rate=30, channels={
                "camera/rot": {"kind": "quaternion", "conventions": {"order": "xyzw", "pose": "camera-to-world", "axes": axes}},
                "camera/pos": {"kind": "position"}, "camera/K": {"kind": "intrinsics", "conventions": {"order": "fx fy cx cy"}},
        }) as writer:
            for seed in range(2):
                rotation, guess, position, near = paths(seed)
                chosen, place = (guess, near) if turn is not None else (rotation, position)
                writer.append(f"e{seed}", {"camera": {
                    "pos": place, "rot": (chosen * turn if turn is not None else chosen).as_quat(),
                    "K": np.tile([500., 500, 320, 180], (len(place), 1))}})
        return folder

    truth = write(tmp_path / "truth", "OpenGL", None)
    same = write(tmp_path / "same", "OpenGL", Rotation.identity())
    other = write(tmp_path / "other", "OpenCV", HALF_TURN)
    words = ["--metric", "camera.path", "--metric", "camera.normalised"]
    a, b = figures(report(truth, same, *words)), figures(report(truth, other, *words))
    for name, figure in a.items():
        assert b[name]["value"] == pytest.approx(figure["value"], rel=1e-9, abs=1e-9), name
        assert b[name]["options"]["estimate_axes"] == "opencv"
    assert "misread" in run(truth, other, *words, "--set", "estimate_axes=opengl", code=2)
