"""Windows chosen and weighed by their values, against the slow reference; draws against their chances."""
from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from choices import passes, weight
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Reference

import trajpack
from trajpack import channel

SOME = settings(max_examples=int(os.environ.get("TRAJPACK_EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
EDGES = {"hp": [-500.0, 0.0, 300.0], "pos": [-0.7, 0.0, 0.7], "rot": [-0.3, 0.3], "yaw": [0.0], "heading": [10.0],
         "mode": [0, 1, 2], "score": [100, 500], "wide": [200, 700], "flag": [0, 1], "plain": [0.0], "count": [300, 800],
         "time": [5.0, 400.0]}


@st.composite
def measures(draw: st.DrawFn, names: list[tuple[str, Any]]) -> tuple[dict[str, Any], Any]:
    stream, one = draw(st.sampled_from(names))
    measure: dict[str, Any] = {"channel": f"{stream}/{one.name}"}
    if one.width > 1 and draw(st.booleans()):
        measure["component"] = draw(st.lists(st.integers(0, one.width - 1), min_size=1, max_size=2, unique=True))
    steps = draw(st.lists(st.sampled_from(["abs", "norm", "change"]), max_size=2))
    if steps:
        measure["of"] = steps
    return measure, one


@st.composite
def conditions(draw: st.DrawFn, names: list[tuple[str, Any]], depth: int = 0) -> dict[str, Any]:
    sort = draw(st.integers(0, 5)) if depth < 2 else 5
    if sort < 2:
        some = [draw(conditions(names, depth + 1)) for _ in range(draw(st.integers(1, 3)))]
        return {["and", "or"][sort]: some}
    if sort == 2:
        return {"not": draw(conditions(names, depth + 1))}
    test, one = draw(measures(names))
    statistic = draw(st.sampled_from(["any", "all", "first", "last", "mean", "min", "max", "std", "missing"]))
    edge = draw(st.sampled_from([0.0, 0.05, 0.2] if statistic == "missing" else EDGES[one.name]))
    rules: list[Any] = [{"min": edge}, {"max": edge}, {"above": edge, "below": edge + 500}]
    if one.categories:
        rules += ["b", ["a", "c"], 1]
    test[statistic] = draw(st.sampled_from(rules))
    return test


def every(reference: Reference) -> range:
    return range(len(reference.windows))


@SOME
@given(st.data(), st.integers(0, 2 ** 32), st.integers(1, 9), st.integers(1, 5), st.sampled_from(["drop", "pad"]),
       st.integers(0, 3))
def test_the_windows_that_pass_are_those_of_the_reference(data: Any, seed: int, length: int, stride: int, edge: str,
                                                          past: int) -> None:
    archive = worlds.archive(seed)
    names = [(s.name, c) for s in archive.streams for c in s.channels]
    test = data.draw(conditions(names))
    options = {"length": length, "stride": stride, "edge": edge, "past": past}
    reference = Reference(archive, channels=["s0"], **options)
    want = [w for w in every(reference) if passes(reference, w, test)]
    with tempfile.TemporaryDirectory() as folder:
        dataset = trajpack.open(archive.write(Path(folder) / "a.h5"))
        if not want:
            with pytest.raises(trajpack.UsageError, match="none of .* windows passes 'windows_where'|no window of"):
                dataset.windows(channels=["s0"], windows_where=test, batch=1, **options)
            return
        loader = dataset.windows(channels=["s0"], windows_where=test, batch=1, threads=2, shuffle=False, **options)
        assert loader.windows == len(want) and loader.choices is not None
        assert loader.choices[0]["candidates"] == len(reference.windows)
        got = [loader.locate(w) for w in range(loader.windows)]
        assert [(e, r) for e, _, r in got] == [(reference.windows[w][0], reference.windows[w][2]) for w in want]


@SOME
@given(st.data(), st.integers(0, 2 ** 32), st.sampled_from(["first", "last", "mean", "min", "max", "std", "missing"]))
def test_weights_are_those_of_the_reference(data: Any, seed: int, statistic: str) -> None:
    archive = worlds.archive(seed)
    measure, _ = data.draw(measures([(s.name, c) for s in archive.streams for c in s.channels if c.name != "time"]))
    measure = {**measure, "of": [*measure.get("of", []), "abs"], "statistic": statistic}
    reference = Reference(archive, channels=["s0"], length=4)
    want = np.array([weight(reference, w, measure) for w in every(reference)])
    with tempfile.TemporaryDirectory() as folder:
        dataset = trajpack.open(archive.write(Path(folder) / "a.h5"))
        options = {"channels": ["s0"], "length": 4, "batch": 1}
        if want.max(initial=0) < 1e-6:  # nothing, or the last bits of something that does not change
            return
        from_channel = dataset.windows(window_weights=measure, epoch_windows=500, **options).order()[0]
        given_ = dataset.windows(window_weights=want.astype(np.float32), epoch_windows=500, **options).order()[0]
        # A last bit of a mean may move a draw at a border.
        assert (from_channel != given_).mean() < 0.02


def test_python_says_what_json_says() -> None:
    fast = channel("s/v").norm().change()
    assert ((abs(channel("s/x")[0]) > 0.1).any() & ~(channel("s/mode") == "run").last()).json == {"and": [
        {"channel": "s/x", "component": [0], "of": ["abs"], "any": {"above": 0.1}},
        {"not": {"channel": "s/mode", "last": "run"}}]}
    assert (fast.mean() >= 2).json == {"channel": "s/v", "of": ["norm", "change"], "mean": {"min": 2}}
    assert (channel("a/b").between(1, 2).all() | (channel("a/b").std() != 0)).json == {"or": [
        {"channel": "a/b", "all": {"min": 1, "max": 2}}, {"not": {"channel": "a/b", "std": 0}}]}
    assert channel("a/b").max().json == {"channel": "a/b", "statistic": "max"}
    for wrong in (lambda: 1 < channel("a/b") < 2, lambda: bool((channel("a/b") > 2).any()),
                  lambda: (channel("a/b") > 2).any() & (channel("a/b") > 1), lambda: channel("a/b") > "x",
                  lambda: channel("a/b") != 2, lambda: abs(channel("a/b"))[0]):
        with pytest.raises(trajpack.UsageError):
            wrong()


@pytest.mark.parametrize(("test", "sentence"), [
    ({"channel": "s0/hpp", "mean": 1}, "did you mean 's0/hp'"), ({"channel": "s0/hp"}, "what is asked of it"),
    ({"channel": "s0/hp", "meen": 1}, "did you mean 'mean'"), ({"mean": 1}, "'channel'"),
    ({"channel": "s0/hp", "mean": {"mim": 1}}, "did you mean 'min'"), ({"and": []}, "not empty"),
    ({"channel": "s0/hp", "mean": {"min": 2, "max": 1}}, "bounds"), ({"channel": "s0/hp", "any": "x"}, "no category"),
    ({"channel": "s0/hp", "component": 1, "any": 1}, "no component 1"), ({"and": [], "or": []}, "alone"),
    ({"channel": "s0/hp", "of": "nrom", "any": 1}, "'norm'"), (3, "must be a test"), ({"not": {"not": []}}, "object"),
])
def test_wrong_tests_are_refused(random_archive: str, test: Any, sentence: str) -> None:
    with pytest.raises(trajpack.UsageError, match=sentence):
        trajpack.open(random_archive).windows(windows_where=test)


def test_the_choice_is_kept_and_a_damaged_file_is_not_believed(random_archive: str, tmp_path: Path) -> None:
    dataset = trajpack.open(random_archive)
    options: dict[str, Any] = {"length": 3, "windows_where": (channel("s0/hp") > 0).any(), "cache_dir": tmp_path / "c"}
    first = dataset.windows(**options)
    assert first.choices is not None and not first.choices[0]["cached"]
    (file,) = (tmp_path / "c").iterdir()
    assert first.choices[0]["cache"] == str(file)
    good = file.read_bytes()
    assert dataset.windows(**options).choices[0]["cached"]  # type: ignore[index]
    other = dataset.windows(**{**options, "length": 4})
    assert other.choices is not None and not other.choices[0]["cached"]
    for bad in (b"", good[:-1], good + b"x", *(good[:i] + bytes([good[i] ^ 4]) + good[i + 1:]
                                               for i in range(0, len(good), 5))):
        file.write_bytes(bad)
        again = dataset.windows(**options)
        assert again.choices is not None and not again.choices[0]["cached"]
        assert again.windows == first.windows and file.read_bytes() == good
    file.unlink()
    file.mkdir()  # nothing can be kept there, which stops nobody
    assert dataset.windows(**options).choices[0]["cache"] is None  # type: ignore[index]


def test_chosen_windows_are_permuted_resumed_and_pickled(random_archive: str) -> None:
    dataset = trajpack.open(random_archive)
    options: dict[str, Any] = {"length": 3, "batch": 4, "channels": ["s0"], "cache_dir": "",
                               "windows_where": (channel("s0/hp") > 0).any(), "seed": 3}
    loader = dataset.windows(**options)
    assert sorted(loader.order()[0].tolist()) == list(range(loader.windows))
    for batch in loader:
        assert ((batch["s0/hp"] > 0).any(1)).all()
    loader.seek(0)
    loader.next()
    again = pickle.loads(pickle.dumps(loader))
    ours, theirs = loader.next(), again.next()
    assert ours is not None and theirs is not None and ours.windows.tolist() == theirs.windows.tolist()
    assert loader.digest != dataset.windows(**{**options, "windows_where": (channel("s0/hp") > 1).any()}).digest


def test_windows_with_damage_are_left_out_or_named(tmp_path: Path) -> None:
    archive = worlds.archive(5, streams=1, episodes=6, most=80)
    path = archive.write(tmp_path / "bad.h5")
    options: dict[str, Any] = {"length": 2, "batch": 1, "windows_where": {"channel": "s0/hp", "missing": {"max": 1}}}
    whole = trajpack.open(path).windows(**options).windows
    data = bytearray(path.read_bytes())
    data[4096 + 40] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(trajpack.DataError, match="chunk 0"):
        trajpack.open(path).windows(**options)
    loader = trajpack.open(path).windows(on_error="skip", cache_dir=tmp_path / "c", **options)
    assert loader.choices is not None
    assert loader.windows + loader.choices[0]["damaged"] == whole and loader.choices[0]["damaged"] > 0
    assert not (tmp_path / "c").exists()
    assert sum(b.count for b in loader) == loader.windows and loader.stats()["skipped"] == 0


# Weights.


def test_draws_follow_the_weights(random_archive: str) -> None:
    dataset = trajpack.open(random_archive)
    options: dict[str, Any] = {"channels": ["s0"], "length": 3, "batch": 8}
    count = dataset.windows(**options).windows
    rng = np.random.default_rng(1)
    weights = rng.random(count).astype(np.float32)
    weights[rng.random(count) < 0.4] = 0
    draws = 200 * count
    order = dataset.windows(window_weights=weights, epoch_windows=draws, seed=5, **options).order()[0].astype(int)
    got = np.bincount(order, minlength=count)
    want = weights.astype("f8") / weights.sum() * draws
    assert (got[weights == 0] == 0).all()
    some = want > 0
    # Pearson's statistic, within six standard deviations of its mean.
    chi = ((got - want)[some] ** 2 / want[some]).sum()
    freedom = some.sum() - 1
    assert abs(chi - freedom) < 6 * np.sqrt(2 * freedom)
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 5 / np.sqrt(draws)


def test_draws_are_the_same_on_any_ranks_and_resume(random_archive: str) -> None:
    dataset = trajpack.open(random_archive)
    count = dataset.windows(channels=["s0"], length=3).windows
    options: dict[str, Any] = {"channels": ["s0"], "length": 3, "seed": 2, "epoch_windows": 96,
                               "window_weights": np.arange(count)}
    order = dataset.windows(batch=1, **options).order()[0].tolist()
    ranks = [dataset.windows(batch=4, rank=r, world_size=3, **options) for r in range(3)]
    union: list[int] = []
    for _ in range(8):
        parts = [r.next().windows.tolist() for r in ranks]  # type: ignore[union-attr]
        union += [p[i] for i in range(4) for p in parts]
    assert union == order
    state = ranks[0].state_dict()
    alone = dataset.windows(batch=6, **options)
    alone.load_state_dict(state)
    again = pickle.loads(pickle.dumps(alone))
    ours, theirs = alone.next(), again.next()
    assert ours is None and theirs is None
    ours, theirs = alone.next(), again.next()
    assert ours is not None and theirs is not None and ours.windows.tolist() == theirs.windows.tolist()
    assert ours.epoch == 1 and ours.windows.tolist() == alone.order(0, 6, epoch=1)[0].tolist() != order[:6]
    with pytest.raises(trajpack.UsageError, match="other weights of windows"):
        dataset.windows(batch=6, **{**options, "window_weights": np.arange(count) + 1}).load_state_dict(state)


def test_weights_in_a_mixture(random_archive: str, wildworld: str) -> None:
    a, b = trajpack.open(random_archive), trajpack.open(wildworld)
    counts = [a.windows(length=2).windows, b.windows(length=2, channels=["camera"], reference="camera").windows]
    assert min(counts) > 40
    chosen = [np.zeros(c) for c in counts]
    chosen[0][7], chosen[1][[3, 4]] = 1, 1
    other = trajpack.open(random_archive)
    pair = {"channels": ["s0"], "length": 2, "batch": 10, "epoch_windows": 60}
    loader = trajpack.mixture([a, other], [2, 1], window_weights=[chosen[0], np.ones(counts[0])], **pair)
    windows, datasets = loader.order()
    assert (datasets == 0).sum() == 40 and (windows[datasets == 0] == 7).all()
    assert len(set(windows[datasets == 1].tolist())) > 10
    with pytest.raises(trajpack.UsageError, match="a list of 2 arrays"):
        trajpack.mixture([a, other], [2, 1], window_weights=chosen[0], **pair)
    with pytest.raises(trajpack.UsageError, match="give 'weights' too"):
        trajpack.mixture([a, other], window_weights=[chosen[0], chosen[0]], **pair)


@pytest.mark.parametrize(("weights", "sentence"), [
    ([-1.0], "is -1.0"), ([np.nan], "nan"), ([0.0], "none can be drawn"), (None, "weights for"),
])
def test_weights_that_are_none(random_archive: str, weights: Any, sentence: str) -> None:
    dataset = trajpack.open(random_archive)
    count = dataset.windows(channels=["s0"], length=3).windows
    given_ = np.ones(count + 1) if weights is None else np.zeros(count) + np.eye(count)[3] * weights[0]
    with pytest.raises(trajpack.UsageError, match=sentence):
        dataset.windows(channels=["s0"], length=3, window_weights=given_)
    with pytest.raises(trajpack.UsageError, match="shuffle"):
        dataset.windows(channels=["s0"], length=3, shuffle=False, window_weights=np.ones(count))
