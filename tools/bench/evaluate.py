"""Evaluators against their peers: interleaved runs, ratio of medians (peer / ours).

    .venv/bin/python tools/bench/evaluate.py [--rounds 5] [case …]

Peers: evo and dysts from PyPI, numpy. Build first: swift build -c release --product
trajpack-c.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from dynamics import lorenz, lorenz_field, rk4
from evaluate_native import evaluate_list

CASES = {}


def case(name, target):
    def register(make):
        CASES[name] = (target, make)
        return make

    return register


@case("ate_rpe", "20 × evo, 1,000 trajectories of 1,000 poses (evo runs 20 of them)")
def ate_rpe():
    from evo.core import metrics
    from evo.core.trajectory import PosePath3D
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    count, frames, share = 1000, 1000, 20
    centre = rng.normal(size=(count, frames, 3)).cumsum(1)
    turn = Rotation.from_rotvec(rng.normal(size=(count * frames, 3)) * 0.1)
    quaternion = turn.as_quat().reshape(count, frames, 4)
    guess = centre * 0.5 + 0.05 * rng.normal(size=centre.shape) + 3
    arrays = {
        "truth_position": centre,
        "truth_rotation": quaternion,
        "estimate_position": guess,
        "estimate_rotation": quaternion,
    }
    wxyz = np.roll(quaternion, 1, axis=-1)

    def theirs():
        # evo's own figures of each trajectory; its poses are made from quaternions, as ours are.
        for k in range(share):
            truth = PosePath3D(positions_xyz=centre[k], orientations_quat_wxyz=wxyz[k])
            estimate = PosePath3D(positions_xyz=guess[k], orientations_quat_wxyz=wxyz[k])
            estimate.align(truth, correct_scale=True)
            for kind, metric in (
                (metrics.PoseRelation.translation_part, metrics.APE),
                (metrics.PoseRelation.rotation_angle_deg, metrics.APE),
            ):
                ape = metric(kind)
                ape.process_data((truth, estimate))
                ape.get_all_statistics()
            for kind in (
                metrics.PoseRelation.translation_part,
                metrics.PoseRelation.rotation_angle_deg,
            ):
                rpe = metrics.RPE(kind, 1, metrics.Unit.frames, all_pairs=True)
                rpe.process_data((truth, estimate))
                rpe.get_all_statistics()

    return lambda: evaluate_list("camera.path", {"alignment": "sim3"}, **arrays), theirs, (
        count / share
    )


@case("forecast", "10 × dysts' compute_metrics, 1,000 × 3")
def forecast():
    from dysts import metrics

    truth = lorenz(1000)
    guess = rk4(lorenz_field, truth[0] * 1.001, 0.01, 1000, 0)
    # compute_metrics' mutual information fails under NumPy 2.4 (a float of a 1-element array):
    # the same call with the element taken out.
    metrics.mutual_information = lambda a, b: np.mean(
        [
            metrics.mutual_info_regression(a[:, i].reshape(-1, 1), b[:, i].ravel())[0]
            for i in range(a.shape[1])
        ]
    )
    return (
        lambda: evaluate_list("forecast.errors", truth=truth, prediction=guess),
        lambda: metrics.compute_metrics(truth, guess),
        1,
    )


@case("forecast_no_kl", "the same without KL, whose peer is very slow")
def forecast_no_kl():
    from dysts import metrics

    ours, _, scale = forecast()
    truth = lorenz(1000)
    guess = rk4(lorenz_field, truth[0] * 1.001, 0.01, 1000, 0)
    names = [
        "mse", "mae", "rmse", "nrmse", "marre", "r2_score", "rmsle", "smape", "mape", "wape",
        "spearman", "pearson", "kendall", "coefficient_of_variation", "mutual_information",
        "hellinger_distance",
    ]  # fmt: skip
    cheap = {"kl_samples": 1}
    return (
        lambda: evaluate_list("forecast.errors", cheap, truth=truth, prediction=guess),
        lambda: metrics.compute_metrics(truth, guess, include=names),
        scale,
    )


def divergence_case(dtype):
    rng = np.random.default_rng(1)
    base = np.tile(lorenz(20000), (50, 1))
    truth = (base + 0.1 * rng.normal(size=base.shape)).astype(dtype)
    made = (base[::-1] * 1.05 + 0.1 * rng.normal(size=base.shape)).astype(dtype)

    def theirs():
        sigma = truth.std(0, ddof=1)
        low, high = truth.min(0) - 0.1 * sigma, truth.max(0) + 0.1 * sigma
        scale = 30 / (high - low)

        def visits(series):
            cells = np.floor((series - low) * scale).astype(np.int64)
            cells = cells[((cells >= 0) & (cells < 30)).all(1)]
            flat = (cells[:, 0] * 30 + cells[:, 1]) * 30 + cells[:, 2]
            return np.bincount(flat, minlength=27000) + 1e-5

        p, q = visits(truth), visits(made)
        p, q = p / p.sum(), q / q.sum()
        return (p * np.log(p / q)).sum()

    return lambda: evaluate_list("attractor.d_stsp", truth=truth, generated=made), theirs, 1


@case("d_stsp", "5 × numpy (bincount, faster than histogramdd), 1e6 × 3 float64")
def d_stsp():
    return divergence_case(np.float64)


@case("d_stsp_float32", "the same in float32")
def d_stsp_float32():
    return divergence_case(np.float32)


@case("state_alignment", "under 100 ms: 200 clips × 81 frames × 200 keypoints")
def state_alignment():
    rng = np.random.default_rng(2)
    frames, points = 200 * 81, 200
    joints = rng.uniform([-2, -1, -9], [2, 1, -4], size=(frames, points, 3)).astype(np.float32)
    cameras = {
        "camera_rotation": np.tile([0.0, 0, 0, 1], (frames, 1)),
        "camera_position": np.zeros((frames, 3)),
        "intrinsics": np.tile([900.0, 900, 640, 360], (frames, 1)),
    }
    pixels = joints[..., :2] * [1, -1] / -joints[..., 2:] * 900 + [640, 360]
    tracks = (pixels + rng.normal(size=pixels.shape) * 10).astype(np.float32)
    visibles = np.ones((frames, points), np.uint8)
    lengths = np.full(200, 81)

    def ours():
        return evaluate_list(
            "keypoints.state_alignment",
            {"clips": "mean_of_clips"},
            joints=joints,
            tracks=tracks,
            visibles=visibles,
            lengths=lengths,
            **cameras,
        )

    def theirs():
        p = joints * np.float32([1, -1, -1])
        pixel = p[..., :2] / p[..., 2:] * np.float32(900) + np.float32([640, 360])
        distance = np.sqrt(((pixel - tracks) ** 2).sum(-1))
        good = ((pixel >= 0) & (pixel < [1280, 720])).all(-1)
        good.reshape(200, 81, points)[:, 0] = False
        return [(distance[good] <= t).mean() for t in (4, 8, 16, 32)]

    return ours, theirs, 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    for name in arguments.cases or CASES:
        target, make = CASES[name]
        ours, theirs, scale = make()
        ours()
        times = ([], [])
        for _ in range(arguments.rounds):
            for function, record in zip((ours, theirs), times):
                start = time.perf_counter()
                function()
                record.append(time.perf_counter() - start)
        mine, peer = np.median(times[0]), np.median(times[1]) * scale
        print(
            f"{name:18} ours {1000 * mine:9.2f} ms  peer {1000 * peer:11.2f} ms"
            f"  ratio {peer / mine:8.1f}   target: {target}",
            flush=True,
        )


main()
