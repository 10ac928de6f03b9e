"""What verdicts score, how far they agree with people, and the rows that they may name."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import trajpack
from trajpack.evaluate import judge


def test_scores_of_verdicts() -> None:
    segments = [
        judge.Segment(f"{e}:{k}", e, k, k + rows - 1, label=label)
        for e, k, rows, label in (("a", 0, 2, "attack"), ("a", 2, 2, None), ("a", 4, 4, "attack"), ("b", 0, 8, None))
    ]
    said = [True, False, True, False]
    found = judge.following(
        [judge.Verdict.of(s, v, "", **{"class": s.label}) for s, v in zip(segments, said, strict=True)]
    )
    assert found["action.following"].value == 50
    assert found["action.following_by_clip"].value == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert found["action.following_by_frame"].value == pytest.approx(100 * 6 / 16)
    assert found["action.following_class_attack"].value == 100 and found["action.following_class_none"].value == 0


def test_agreement_with_people(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth, said = rng.random(200) < 0.5, rng.random(200) < 0.8
    verdicts = [
        judge.Verdict(str(n), "e", n, n, bool(t == s)) for n, (t, s) in enumerate(zip(truth, said, strict=True))
    ]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps({"id": str(n), "labels": [bool(t), bool(t)]}) + "\n"
                                              for n, t in enumerate(truth)))
    found = judge.agreement(verdicts, judge.read_labels(tmp_path / "l.jsonl"))
    assert found["action.agreement"].value == pytest.approx(said.mean())
    answers = np.array([v.verdict for v in verdicts])
    chance = truth.mean() * answers.mean() + (1 - truth.mean()) * (1 - answers.mean())
    assert found["action.kappa"].value == pytest.approx((said.mean() - chance) / (1 - chance))


def test_scores_refuse_rows_that_count_twice_or_are_not_there(wildworld: str) -> None:
    def verdict(id: str, episode: str, first: int, last: int) -> judge.Verdict:
        return judge.Verdict(id, episode, first, last, True)

    rows = {r["id"]: r["rows"] for r in trajpack.open(wildworld).episodes.records()}
    good = [verdict("a", "000001", 0, 4), verdict("b", "000001", 5, 149), verdict("c", "000002", 0, 4),
            verdict("d", "000001", 0, 5)]
    for extra, part in (
            (verdict("x", "000001", 0, 4), "'a' and 'x' are the same rows 0 to 4 of episode '000001'"),
            (verdict("a", "000001", 9, 10), "'a' comes twice"),
            (verdict("x", "000001", 100, 150), "row 150, but episode '000001' has 150 rows"),
            (verdict("x", "00002", 0, 1), "'00002', which is not there; did you mean '000002'")):
        for found in (lambda v: judge.following(v, rows=rows), lambda v: judge.agreement(v, {"a": [True]}, rows=rows)):
            assert found(good).values()
            with pytest.raises(trajpack.DataError) as error:
                found([*good, extra])
            assert part in str(error.value)
    past = verdict("x", "000001", 100, 150)
    assert judge.following([*good, past])["action.following"].value == 100, "nobody said how long episodes are"
