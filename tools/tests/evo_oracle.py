"""Runs evo (GPL; a test-time oracle only) in a process of its own: JSON in, JSON out."""

import json
import sys

import numpy as np
from evo.core import metrics
from evo.core.trajectory import PosePath3D
from evo.core.units import Unit
from scipy.spatial.transform import Rotation


def path(job, name):
    matrices = np.tile(np.eye(4), (len(job[f"{name}_position"]), 1, 1))
    matrices[:, :3, :3] = Rotation.from_quat(job[f"{name}_rotation"]).as_matrix()
    matrices[:, :3, 3] = job[f"{name}_position"]
    return PosePath3D(poses_se3=list(matrices))


def answer(job):
    truth, estimate = path(job, "truth"), path(job, "estimate")
    if job["alignment"] != "none":
        estimate.align(
            truth,
            correct_scale=job["alignment"] in ("sim3", "scale_umeyama"),
            correct_only_scale=job["alignment"] == "scale_umeyama",
        )
    result = {}
    for relation in ("translation_part", "rotation_angle_deg"):
        kind = metrics.PoseRelation[relation]
        ape = metrics.APE(kind)
        ape.process_data((truth, estimate))
        result["ate_" + relation] = ape.get_all_statistics()
        rpe = metrics.RPE(kind, job["delta"], Unit.frames, all_pairs=job["pairs"] == "all")
        rpe.process_data((truth, estimate))
        result["rpe_" + relation] = rpe.get_all_statistics()
    return result


json.dump([answer(job) for job in json.load(sys.stdin)], sys.stdout)
