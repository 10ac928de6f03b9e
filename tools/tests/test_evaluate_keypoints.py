"""State alignment and TAP-Vid scores against numpy transcriptions of the definitions."""

import numpy as np
import pytest
from evaluate_native import evaluate, values
from scipy.spatial.transform import Rotation
from trajpack import TrajpackError


def scene(rng, frames=20, points=15):
    """Joints before an OpenGL camera that looks at them, with their exact pixels."""
    turn = Rotation.from_rotvec(rng.normal(size=(frames, 3)) * 0.1)
    position = rng.normal(size=(frames, 3)) * 0.2
    local = rng.uniform([-2, -1, -9], [2, 1, -4], size=(frames, points, 3))
    world = np.einsum("fij,fkj->fki", turn.as_matrix(), local) + position[:, None]
    intrinsics = np.tile([900.0, 880.0, 640.0, 360.0], (frames, 1))
    cv = local * [1, -1, -1]
    pixels = cv[..., :2] / cv[..., 2:] * [900, 880] + [640, 360]
    return {
        "joints": world,
        "camera_rotation": turn.as_quat(),
        "camera_position": position,
        "intrinsics": intrinsics,
    }, pixels


def tap_vid(query, occluded, truth, hidden, tracks, mode, thresholds=(1, 2, 4, 8, 16)):
    """TAP-Vid's definition, arrays of K × T (after Doersch et al. 2022)."""
    frames = np.arange(truth.shape[1])[None]
    used = frames > query[:, None] if mode == "first" else frames != query[:, None]
    seen, said = ~occluded, ~hidden
    result = {"occlusion_accuracy": (seen == said)[used].mean()}
    squared = ((tracks - truth) ** 2).sum(-1)
    for t in thresholds:
        near = squared < t * t
        result[f"within_{t}"] = (near & seen & used).sum() / (seen & used).sum()
        tp = (near & seen & said & used).sum()
        fp = (said & ~(near & seen) & used).sum()
        result[f"jaccard_{t}"] = tp / ((seen & used).sum() + fp)
    result["delta_average"] = np.mean([result[f"within_{t}"] for t in thresholds])
    result["average_jaccard"] = np.mean([result[f"jaccard_{t}"] for t in thresholds])
    return result


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_tap_vid_equals_its_definition(mode):
    rng = np.random.default_rng(1)
    clips, points, frames = 3, 11, 17
    truth = rng.uniform(0, 256, size=(clips, points, frames, 2))
    tracks = truth + rng.normal(size=truth.shape) * rng.choice([0.5, 3, 12], size=(1, points, 1, 1))
    occluded = rng.random((clips, points, frames)) < 0.3
    hidden = occluded ^ (rng.random(occluded.shape) < 0.2)
    query = rng.integers(0, frames - 2, size=(clips, points))
    theirs = [
        tap_vid(query[c], occluded[c], truth[c], hidden[c], tracks[c], mode) for c in range(clips)
    ]

    def rows(a):
        return np.concatenate([np.moveaxis(clip, 0, 1) for clip in a])

    ours = values(
        "keypoints.tap_vid",
        {"query_mode": mode},
        truth=rows(truth),
        tracks=rows(tracks),
        truth_visibles=rows(~occluded),
        visibles=rows(~hidden),
        queries=query,
        lengths=np.full(clips, frames),
    )
    for name in theirs[0]:
        expected = np.mean([t[name] for t in theirs])
        assert ours["keypoints." + name] == pytest.approx(expected, rel=1e-12), name


def test_survival_counts_frames_before_a_track_is_lost():
    truth = np.zeros((11, 2, 2))
    tracks = truth.copy()
    tracks[6:, 0, 0] = 51  # lost at the 6th of 10 evaluated frames
    tracks[3, 1, 0] = 49
    ours = values("keypoints.tap_vid", truth=truth, tracks=tracks)
    assert ours["keypoints.survival"] == pytest.approx((0.5 + 1) / 2)


def test_survival_goes_on_through_frames_that_are_hidden():
    # PointOdyssey's: a product over all frames of “not (lost and seen)”, and its mean.
    rng = np.random.default_rng(12)
    truth = rng.uniform(0, 256, size=(30, 8, 2))
    tracks = truth + rng.normal(size=truth.shape) * 30
    seen = rng.random(truth.shape[:2]) < 0.5
    lost = (np.linalg.norm(tracks - truth, axis=-1) > 50) & seen
    expected = np.cumprod(~lost[1:], axis=0).mean()
    ours = values("keypoints.tap_vid", truth=truth, tracks=tracks, truth_visibles=seen)
    assert 0.1 < expected < 0.9 and ours["keypoints.survival"] == pytest.approx(expected)


def test_worlds_far_from_the_origin_keep_their_pixels():
    cameras, pixels = scene(np.random.default_rng(13))
    shift = np.array([70_000.0, -3_000, 120_000])
    # What float32 can say of the joints is what counts.
    joints = (cameras["joints"] + shift).astype(np.float32)
    rotation = Rotation.from_quat(cameras["camera_rotation"]).as_matrix()
    position = cameras["camera_position"] + shift
    local = np.einsum("fij,fki->fkj", rotation, joints.astype(float) - position[:, None]) * [1, -1, -1]
    pixels = local[..., :2] / local[..., 2:] * [900, 880] + [640, 360]
    ours = evaluate(
        "keypoints.state_alignment",
        {"thresholds": 0.001, "off_screen": "count", "first_frame": True},
        tracks=pixels,
        joints=joints,
        camera_position=position,
        camera_rotation=cameras["camera_rotation"],
        intrinsics=cameras["intrinsics"],
    )["keypoints.state_alignment"]
    assert ours["value"] == 100
    inverse = {
        "camera_rotation": Rotation.from_matrix(rotation).inv().as_quat(),
        "camera_position": -np.einsum("fij,fi->fj", rotation, position),
    }
    ours = evaluate(
        "keypoints.state_alignment",
        {"thresholds": 0.001, "off_screen": "count", "first_frame": True, "pose": "world_to_camera"},
        tracks=pixels,
        joints=joints,
        intrinsics=cameras["intrinsics"],
        **inverse,
    )["keypoints.state_alignment"]
    assert ours["value"] == 100


def test_state_alignment_of_halved_tracks_is_tap_vid():
    rng = np.random.default_rng(4)
    cameras, pixels = scene(rng)
    tracks = pixels + rng.normal(size=pixels.shape) * rng.choice([1, 5, 20], size=(1, 15, 1))
    hidden = rng.random(pixels.shape[:2]) < 0.25
    options = {"strict": True, "occluded": "skip", "off_screen": "count"}
    ours = evaluate(
        "keypoints.state_alignment",
        options,
        tracks=tracks,
        occlusion=hidden,
        mask=np.ones_like(hidden),
        **cameras,
    )["keypoints.state_alignment"]
    half = tap_vid(
        np.zeros(15, int),
        hidden.T,
        np.moveaxis(pixels, 0, 1) / 2,
        hidden.T,
        np.moveaxis(tracks, 0, 1) / 2,
        "first",
    )
    expected = np.mean([half[f"within_{t}"] for t in (2, 4, 8, 16)])
    assert ours["value"] == pytest.approx(100 * expected, rel=1e-9)
    assert ours["count"] == (~hidden)[1:].sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_truth_tracked_exactly_is_perfect(dtype):
    cameras, pixels = scene(np.random.default_rng(6))
    cameras["joints"] = cameras["joints"].astype(dtype)
    for strict in (True, False):
        ours = evaluate(
            "keypoints.state_alignment",
            {"strict": strict, "off_screen": "count", "first_frame": True},
            tracks=pixels.astype(dtype),
            truth_tracks=pixels.astype(dtype) + 1000,
            **cameras,
        )
        assert ours["keypoints.state_alignment"]["value"] == 100
        assert ours["keypoints.state_alignment"]["count"] == pixels.shape[0] * pixels.shape[1]
        assert ours["keypoints.state_alignment_truth"]["value"] == 0
        assert ours["keypoints.state_alignment_ratio"]["value"] is None


def test_every_rule_for_what_cannot_be_seen():
    frames = 4
    cameras = {
        "camera_rotation": np.tile([0.0, 0, 0, 1], (frames, 1)),
        "camera_position": np.zeros((frames, 3)),
        "intrinsics": np.tile([100.0, 100, 640, 360], (frames, 1)),
    }
    # In front, behind, off the screen to the right, and hidden by a wall at depth 2.
    joints = np.tile([[0.0, 0, -1], [0, 0, 1], [9, 0, -1], [0, 0, -5]], (frames, 1, 1))
    tracks = np.tile([[640.0, 360], [640, 360], [1540, 360], [640, 360]], (frames, 1, 1))
    depth = np.full((frames, 36, 64), 2.0)

    def score(**options):
        return evaluate(
            "keypoints.state_alignment",
            {"first_frame": True} | options,
            joints=joints,
            tracks=tracks,
            depth=depth,
            **cameras,
        )["keypoints.state_alignment"]

    both = score()
    assert (both["value"], both["count"]) == (100, 8)
    assert both["details"]["behind_camera"] == both["details"]["occluded"] == frames
    assert score(occluded="skip")["count"] == 4
    assert score(occluded="miss")["value"] == 50
    assert score(behind="miss")["value"] == pytest.approx(200 / 3)
    assert score(off_screen="count")["value"] == 100
    assert score(off_screen="miss")["value"] == pytest.approx(200 / 3)
    assert score(joints="0,1")["count"] == 4
    assert score(depth_tolerance=3.5)["details"]["occluded"] == 0
    cameras["camera_position"][2] = np.nan
    assert score()["count"] == 6
    assert score()["details"]["frames_without_camera"] == 1
    tracks[1, 0] = np.nan
    assert score(failed="worst")["value"] == pytest.approx(500 / 6)
    assert score(failed="skip")["count"] == 5
    assert score(failed="withhold")["value"] is None


def test_grids_scale_thresholds_and_clips_average():
    rng = np.random.default_rng(8)
    points = rng.uniform([0, 0], [1280, 720], size=(12, 9, 2))
    tracks = points * 0.75 + rng.normal(size=points.shape) * 6  # tracked at 960 × 540
    options = {"track_width": 960, "track_height": 540, "grid_width": 256, "grid_height": 256}
    distance = np.linalg.norm(tracks * [256 / 960, 256 / 540] - points * [256 / 1280, 256 / 720], axis=-1)
    lengths = [5, 7]
    parts = [distance[1:5], distance[6:]]
    share = [np.mean([(p <= t).mean() for t in (1, 2, 4)]) for p in parts]
    ours = values(
        "keypoints.state_alignment",
        options | {"thresholds": "4,1,2", "clips": "mean_of_clips"},
        points=points,
        tracks=tracks,
        lengths=lengths,
    )["keypoints.state_alignment"]
    assert ours == pytest.approx(100 * np.mean(share), rel=1e-9)


def test_state_values_by_variable_and_horizon():
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 100, size=(6, 10, 5))
    prediction = truth + rng.normal(size=truth.shape) * 5
    scale = np.ptp(truth.reshape(-1, 5), axis=0)
    error = np.minimum(np.abs(prediction - truth) / scale, 1)
    ours = evaluate("state.alignment", truth=truth, prediction=prediction)["state.alignment"]
    assert ours["value"] == pytest.approx(1 - error.mean())
    assert ours["details"]["per_variable"] == pytest.approx(1 - error.mean((0, 1)))
    assert ours["details"]["per_horizon"] == pytest.approx(1 - error.mean((0, 2)))


def test_refusals_say_what_is_wrong():
    with pytest.raises(TrajpackError, match="did you mean 'thresholds'"):
        evaluate("keypoints.tap_vid", {"treshold": 1}, truth=np.zeros((2, 1, 2)), tracks=np.zeros((2, 1, 2)))
    with pytest.raises(TrajpackError, match="numbers above 0"):
        evaluate("keypoints.tap_vid", {"thresholds": "-1"}, truth=np.zeros((2, 1, 2)), tracks=np.zeros((2, 1, 2)))
    with pytest.raises(TrajpackError, match="must be equal"):
        evaluate("keypoints.tap_vid", truth=np.zeros((2, 1, 2)), tracks=np.zeros((3, 1, 2)))
    with pytest.raises(TrajpackError, match="needs '"):
        evaluate("keypoints.tap_vid", truth=np.zeros((2, 1, 2)))
