"""Well-formed arrays for every evaluator of the catalogue, for laws that hold of all of them."""

import numpy as np
from dynamics import henon, lorenz
from scipy.spatial.transform import Rotation


def turns(rng, shape):
    return Rotation.from_rotvec(rng.normal(size=(int(np.prod(shape)), 3))).as_quat().reshape(*shape, 4)


def camera(rng):
    return {
        "truth_position": rng.normal(size=(3, 25, 3)).cumsum(1),
        "truth_rotation": turns(rng, (3, 25)),
    }


def keypoints(rng):
    return {"points": rng.uniform([0, 0], [1280, 720], size=(24, 7, 2)), "lengths": [10, 14]}


def keys(rng):
    return {
        "truth_keys": rng.integers(0, 2, (30, 6)).astype(float),
        "truth_mouse": rng.normal(size=(30, 2)),
        "lengths": [12, 18],
    }


def series(rng):
    return {"truth": rng.normal(size=(3, 40, 2)).cumsum(1) + 9}


def labels(rng):
    return {"truth": np.repeat(rng.integers(0, 4, 10), 6).astype(float), "lengths": [24, 36]}


def recogniser(rng):
    joints = rng.normal(size=(40, 4, 3)).cumsum(0)
    truth = np.repeat([0.0, 1, 2, 1], 10)
    return {"train_joints": joints, "train_labels": truth, "truth": truth, "lengths": [20, 20]}


def segments(rng):
    return {"actions": np.repeat(rng.integers(0, 5, (8, 3)), 4, axis=0).astype(float), "lengths": [12, 20]}


def following(rng):
    return {"verdicts": np.ones(12), "clips": np.arange(12) // 3}


def motion(rng):
    pose = rng.normal(size=(5, 3)) + [0, 5, 0]
    pose[3, 1] = 0  # a foot on the ground
    return {"joints": np.tile(pose, (20, 1, 1)), "bones": [[0, 1], [1, 2]], "feet": [3], "lengths": [8, 12]}


def jacobians(rng):
    return {"jacobians": np.array([[[-2.8 * x, 1], [0.3, 0]] for x, _ in henon(400)])}


TRUTHS = {
    "camera.path": camera,
    "camera.control": camera,
    "camera.normalised": camera,
    "keypoints.state_alignment": keypoints,
    "keypoints.tap_vid": lambda rng: {"truth": keypoints(rng)["points"], "lengths": [10, 14]},
    "state.alignment": lambda rng: {"truth": rng.normal(size=(3, 12, 4))},
    "action.segments": segments,
    "action.following": following,
    "action.agreement": lambda rng: {"humans": np.resize([0.0, 1, 1], (20, 1))},
    "action.segmentation": labels,
    "action.recogniser": recogniser,
    "action.keyboard_mouse": keys,
    "forecast.errors": series,
    "forecast.intervals": lambda rng: {"truth": rng.normal(size=(40, 2)), "train": rng.normal(size=(30, 2))},
    "forecast.ensemble": lambda rng: {"truth": rng.normal(size=40)},
    "forecast.dtw": lambda rng: {"truth": rng.normal(size=(40, 2))},
    "forecast.valid_time": series,
    "skeleton.pose": lambda rng: {"truth": rng.normal(size=(24, 6, 3)), "lengths": [10, 14]},
    "skeleton.plausibility": motion,
    "depth.errors": lambda rng: {"truth": rng.uniform(1, 9, size=(3, 6, 7))},
    "attractor.d_stsp": lambda rng: {"truth": lorenz()[:800]},
    "attractor.spectrum": lambda rng: {"truth": lorenz()[:800]},
    "attractor.arrow_of_time": lambda rng: {"truth": lorenz()[:800]},
    "attractor.correlation_dimension": lambda rng: {"series": lorenz()[:800]},
    "attractor.lyapunov": lambda rng: {"series": lorenz()[:800]},
    "attractor.lyapunov_spectrum": jacobians,
    "attractor.recurrence": lambda rng: {"series": lorenz()[:400]},
    "attractor.geometry": lambda rng: {"series": lorenz()[:800]},
    "generative.distances": lambda rng: {"real": rng.normal(size=(30, 12, 3)).cumsum(1)},
    "compare.paired": lambda rng: {"first": rng.normal(size=30)},
}

# What an array of the prediction copies.
COPIES = {
    "estimate_position": "truth_position",
    "estimate_rotation": "truth_rotation",
    "prediction": "truth",
    "generated": "truth",
    "lower": "truth",
    "upper": "truth",
    "predicted_keys": "truth_keys",
    "predicted_mouse": "truth_mouse",
    "second": "first",
}


def truth(evaluator, rng):
    """The arrays of the truth alone."""
    return TRUTHS[evaluator](rng)


def copied(evaluator, arrays):
    """The truth with a perfect prediction beside it."""
    whole = dict(arrays)
    for name, source in COPIES.items():
        if source in arrays and takes(evaluator, name):
            whole[name] = arrays[source].copy()
    if evaluator == "keypoints.state_alignment":
        whole["tracks"] = arrays["points"].copy()
    elif evaluator == "keypoints.tap_vid":
        whole["tracks"] = arrays["truth"].copy()
    elif evaluator == "action.agreement":
        whole["judge"] = arrays["humans"][:, 0].copy()
    elif evaluator == "action.recogniser":
        whole["joints"] = arrays["train_joints"].copy()
    elif evaluator == "forecast.ensemble":
        whole["ensemble"] = np.repeat(arrays["truth"][:, None], 5, axis=1)
    elif evaluator == "generative.distances":
        whole["generated"] = arrays["real"].copy()
    return whole


def takes(evaluator, name):
    from evaluate_native import catalogue

    return name in _inputs(catalogue)[evaluator]


def _inputs(catalogue, known={}):
    if not known:
        known.update({e["name"]: {i["name"] for i in e["inputs"]} for e in catalogue()})
    return known


def noisy(name, rng):
    """A truth and an imperfect prediction."""
    own = truth(name, rng)
    arrays = copied(name, own)
    for key in set(arrays) - set(own):
        if name in ("action.segmentation",):
            arrays[key] = np.roll(arrays[key], 3)
        elif key == "predicted_keys":
            arrays[key] = np.roll(arrays[key], 1, axis=0)
        else:
            arrays[key] = arrays[key] + 0.1 * rng.normal(size=arrays[key].shape)
    return arrays
