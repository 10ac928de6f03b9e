"""Action scores against numpy transcriptions of ms-tcn's definitions and scikit-learn."""

import numpy as np
import pytest
from evaluate_native import TrajpackError, evaluate, values


def runs(labels, background):
    cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    return [(labels[a], a, b) for a, b in zip(cuts, cuts[1:]) if labels[a] not in background]


def edit(p, y):
    table = np.zeros((len(p) + 1, len(y) + 1))
    table[:, 0], table[0] = np.arange(len(p) + 1), np.arange(len(y) + 1)
    for i in range(len(p)):
        for j in range(len(y)):
            same = table[i, j] + (p[i] != y[j])
            table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, same)
    return 100 * (1 - table[-1, -1] / max(len(p), len(y)))


def counts(found, real, overlap):
    """True positives, false positives and false negatives as ms-tcn counts them."""
    hits, tp, fp = np.zeros(len(real)), 0, 0
    for label, start, end in found:
        shared = np.minimum(end, [r[2] for r in real]) - np.maximum(start, [r[1] for r in real])
        hull = np.maximum(end, [r[2] for r in real]) - np.minimum(start, [r[1] for r in real])
        share = shared / hull * np.array([label == r[0] for r in real])
        best = share.argmax()
        if share[best] >= overlap and not hits[best]:
            tp, hits[best] = tp + 1, 1
        else:
            fp += 1
    return tp, fp, len(real) - hits.sum()


@pytest.mark.parametrize("seed", range(6))
def test_segmental_scores_equal_ms_tcn(seed):
    rng = np.random.default_rng(seed)
    background = {0} if seed % 2 else set()
    truth, prediction, lengths = [], [], []
    edits, totals = [], {k: np.zeros(3) for k in (10, 25, 50)}
    for _ in range(5):
        labels = np.repeat(rng.integers(0, 5, 12), rng.integers(1, 15, 12))
        guess = np.roll(labels, int(rng.integers(-4, 5)))
        guess = np.where(rng.random(len(labels)) < 0.03, rng.integers(0, 5, len(labels)), guess)
        truth.append(labels)
        prediction.append(guess)
        lengths.append(len(labels))
        found, real = runs(guess, background), runs(labels, background)
        edits.append(edit([r[0] for r in found], [r[0] for r in real]))
        for k in totals:
            totals[k] += counts(found, real, k / 100)
    truth, prediction = np.concatenate(truth), np.concatenate(prediction)
    ours = values(
        "action.segmentation",
        {"background": sorted(background)},
        truth=truth,
        prediction=prediction,
        lengths=lengths,
    )
    assert ours["action.frame_accuracy"] == pytest.approx(100 * (truth == prediction).mean())
    assert ours["action.edit"] == pytest.approx(np.mean(edits))
    for k, (tp, fp, fn) in totals.items():
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        f1 = np.nan_to_num(100 * 2 * precision * recall / (precision + recall))
        assert ours[f"action.f1_{k}"] == pytest.approx(f1), k


def test_segments_classes_and_minimum_length():
    actions = np.array([[1, 0, 5]] * 4 + [[1, 0, 6]] * 1 + [[1, 2, 7]] * 5 + [[1, 2, 7]] * 3)
    ours = evaluate(
        "action.segments",
        {"minimum_length": 2},
        actions=actions,
        lengths=[10, 3],
        class_keys=[[-1, 0, 5], [1, -1, -1]],
        class_labels=[1, 2],
    )["action.segments"]
    rows = [(s["clip"], s["first"], s["frames"], s["class"]) for s in ours["details"]["segments"]]
    assert rows == [(0, 0, 4, 1), (0, 5, 5, 2), (1, 10, 3, 2)]
    assert ours["details"]["dropped_short"] == 1


def test_following_by_segment_clip_frame_and_group():
    verdicts = [1, 1, 1, 0, np.nan, 0, 1]
    clips = [7, 7, 7, 7, 9, 9, 11]
    ours = evaluate(
        "action.following",
        {"bootstrap": 500, "seed": 3},
        verdicts=verdicts,
        clips=clips,
        frames=[1, 1, 1, 1, 5, 6, 10],
        groups=[0, 0, 0, 0, 1, 1, 1],
        classes=[0, 0, 1, 1, 1, 1, 0],
    )
    assert ours["action.following"]["value"] == pytest.approx(100 * 4 / 6)
    assert ours["action.following"]["details"]["without_verdict"] == 1
    assert ours["action.following_by_clip"]["value"] == pytest.approx(100 * (0.75 + 0 + 1) / 3)
    assert ours["action.following_by_frame"]["value"] == pytest.approx(100 * 13 / 20)
    assert ours["action.following_by_group"]["value"] == pytest.approx(100 * (0.75 + 0.5) / 2)
    assert ours["action.following_class_0"]["value"] == 100
    for score in ours.values():
        assert score["details"]["low"] <= score["value"] <= score["details"]["high"]


def test_bootstrap_interval_is_that_of_the_mean():
    rng = np.random.default_rng(0)
    verdicts = (rng.random(400) < 0.7).astype(float)
    options = {"bootstrap": 4000, "resample": "segment"}
    first = evaluate("action.following", options, verdicts=verdicts, clips=np.arange(400) // 4)
    again = evaluate("action.following", options, verdicts=verdicts, clips=np.arange(400) // 4)
    assert first == again
    found = first["action.following"]["details"]
    error = 100 * verdicts.std() / 20
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_kappa_equals_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(5)
    human = rng.integers(0, 2, 300)
    judge = np.where(rng.random(300) < 0.85, human, 1 - human)
    ours = values("action.agreement", {"bootstrap": 0}, judge=judge, humans=human[:, None])
    assert ours["action.agreement"] == pytest.approx((judge == human).mean())
    assert ours["action.kappa"] == pytest.approx(cohen_kappa_score(judge, human))


def test_keyboard_pools_and_mouse_averages_clips():
    truth = np.zeros((6, 6))
    guess = truth.copy()
    guess[0, [0, 1]] = 1  # both keys: the class of neither
    guess[1, 0] = guess[2, 4] = 1
    mouse = np.array([[0.5, 0], [0, 0], [0, -1], [1, 1], [0, 0], [0, 0]])
    seen = np.array([[0.02, 0.009], [0, 0], [0, 1], [1, 1], [0, 0], [0, np.nan]])
    ours = values(
        "action.keyboard_mouse",
        {"failed": "worst"},
        truth_keys=truth,
        predicted_keys=guess,
        truth_mouse=mouse,
        predicted_mouse=seen,
        lengths=[4, 2],
    )
    assert ours["action.keyboard"] == pytest.approx((5 / 6 + 1 + 5 / 6 + 1) / 4)
    assert ours["action.mouse"] == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_keys_and_movements_that_are_not_numbers():
    truth, guess = np.zeros((5, 6)), np.zeros((5, 6))
    mouse, seen = np.zeros((5, 2)), np.zeros((5, 2))
    guess[0] = seen[0] = np.nan  # nothing was read off this frame: wrong, not unpressed
    truth[1] = mouse[1] = np.nan  # nobody knows
    arrays = dict(truth_keys=truth, predicted_keys=guess, truth_mouse=mouse, predicted_mouse=seen)
    for rule, share, count in (("worst", 3 / 4, 4), ("skip", 1, 3), ("withhold", None, 0)):
        for score in evaluate("action.keyboard_mouse", {"failed": rule}, **arrays).values():
            assert (score["value"], score["count"]) == (share, count)
            details = score["details"]
            assert (details["missing_truth"], details["nan_predictions"]) == (1, 1)
    ours = evaluate("action.keyboard_mouse", {"failed": "worst"}, truth_mask=[0, 1, 1, 1, 0], **arrays)
    assert {(s["value"], s["count"]) for s in ours.values()} == {(1, 2)}


def test_actions_of_frames_that_have_none_may_hold_anything():
    actions = np.array([[1.0, 2], [1, 2], [np.nan, np.nan], [1, 2]])
    ours = evaluate("action.segments", actions=actions, mask=[1, 1, 0, 1])["action.segments"]
    assert ours["value"] == 2 and ours["details"]["frames_without_action"] == 1
    with pytest.raises(TrajpackError, match="must hold whole numbers"):
        evaluate("action.segments", actions=actions)


def test_recogniser_knows_motion_wherever_it_happens():
    rng = np.random.default_rng(3)

    def motion(kind, start, turn):
        t = np.arange(40)[:, None]
        joints = np.zeros((40, 4, 3))
        joints[:, 1, 2] = 1  # the heading
        joints[:, 2, 1] = 1 + np.sin(t[:, 0] * (0.2 if kind == 0 else 0.6))
        joints[:, 3, 0] = np.cos(t[:, 0] * (0.3 if kind == 1 else 0.9))
        c, s = np.cos(turn), np.sin(turn)
        return joints @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + start

    def corpus(count):
        kinds = np.arange(count) % 3
        clips = [motion(k, rng.normal(size=3) * 50, rng.uniform(0, 6)) for k in kinds]
        return np.concatenate(clips), np.repeat(kinds, 40), np.full(count, 40)

    train, labels, lengths = corpus(6)
    joints, truth, rows = corpus(9)
    options = {"heading": 1, "up": 1}
    arrays = dict(train_joints=train, train_labels=labels, train_lengths=lengths)
    ours = values("action.recogniser", options, joints=joints, truth=truth, lengths=rows, **arrays)
    assert ours["action.frame_accuracy"] == 100
    wrong = values(
        "action.recogniser", options, joints=joints, truth=(truth + 1) % 3, lengths=rows, **arrays
    )
    assert wrong["action.frame_accuracy"] == 0


def test_paired_difference_is_narrower_than_two_means():
    rng = np.random.default_rng(8)
    hardness = rng.normal(size=150) * 10
    first = hardness + 1 + rng.normal(size=150)
    second = hardness + rng.normal(size=150)
    second[3] = np.nan
    ours = evaluate("compare.paired", first=first, second=second)["compare.difference"]
    differences = np.delete(first - second, 3)
    assert ours["value"] == pytest.approx(differences.mean())
    assert ours["count"] == 149 and ours["details"]["unpaired"] == 1
    width = ours["details"]["high"] - ours["details"]["low"]
    assert width == pytest.approx(2 * 1.96 * differences.std() / np.sqrt(149), rel=0.06)
    assert ours["details"]["share_of_samples_above_0"] == 1
