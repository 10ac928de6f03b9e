"""What the values in windows are: rows by rounded times, logs that hold, fills, types, numbers of windows."""
from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import trajpack

FPS = [Fraction(10), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(50), Fraction(60), Fraction(200)]


def recorded(path: Path, streams: dict[str, dict[str, Any]], times: dict[str, Any] | None = None,
             rate: dict[str, Any] | None = None, episodes: int = 1, **options: Any) -> trajpack.Dataset:
    """A data set of equal episodes."""
    with trajpack.create(path, rate=rate or {}, **options) as writer:
        for number in range(episodes):
            with writer.episode(f"{number:03}") as episode:
                for name, columns in streams.items():
                    more = {} if not times or name not in times else {"time": times[name]}
                    episode.extend({name: columns}, **more)
    return trajpack.open(path)


def whole(dataset: trajpack.Dataset, rows: int, **options: Any) -> Any:
    """The one window of all rows."""
    return dataset.windows(length=rows, batch=1, shuffle=False, **options).read([0])


@pytest.mark.parametrize("fps", FPS, ids=str)
def test_offsets_of_seconds_are_rows(tmp_path: Path, fps: Fraction) -> None:
    rows = 400
    data = recorded(tmp_path / "a", {"frames": {"x": np.arange(rows) * 0.5, "code": np.arange(rows)}},
                    rate={"frames": fps})
    steps = np.arange(-4, 12)
    exact = steps / float(fps)
    forms: list[Any] = [exact.tolist(), exact, [Fraction(int(i)) / fps for i in steps], exact.astype("f4"),
                        np.linspace(exact[0], exact[-1], len(exact)), [Decimal(repr(e)) for e in exact.tolist()]]
    forms += [np.round(exact, decimals) for decimals in (3, 4, 5, 6, 9, 12, 15)]
    for offsets in forms:
        loader = data.windows(offsets={"*": offsets}, batch=1, shuffle=False)
        assert loader.between_rows == {} and loader.windows == rows - 15
        start = 4 + int(loader.locate(20)[2]) - 4
        batch = loader.read([20])
        np.testing.assert_array_equal(batch["frames/code"][0], start + steps)
        np.testing.assert_array_equal(batch["frames/x"][0], (start + steps) * 0.5)
    assert data.windows(duration=16 / float(fps), batch=1).length == 16
    assert data.windows(length=np.float64(3), past=np.int8(2), batch=np.uint16(1)).length == 5


def test_offsets_between_rows_are_said(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"frames": {"x": np.arange(90) * 1.0, "code": np.arange(90)}}, rate={"frames": 30})
    offsets = [0.0, 0.05, 0.1, 0.15]
    loader = data.windows(offsets={"*": offsets}, batch=1, shuffle=False)
    assert loader.between_rows == {"frames": [0.05, 0.15]} and "between rows of frames: 0.05, 0.15 s" in repr(loader)
    batch = loader.read([10])
    np.testing.assert_allclose(batch["frames/x"][0], [10, 11.5, 13, 14.5], rtol=1e-12)
    clock = pandas.DataFrame({"t": np.arange(90) / 30, "code": np.arange(90)})
    asked = pandas.DataFrame({"t": 10 / 30 + np.array(offsets) + 1e-9})
    np.testing.assert_array_equal(batch["frames/code"][0], pandas.merge_asof(asked, clock, on="t")["code"])


@pytest.mark.parametrize("fps", FPS, ids=str)
@pytest.mark.parametrize("start", [0.0, 12.3456])
@pytest.mark.parametrize("rounded", [lambda t: np.round(t, 3), lambda t: np.floor(t * 1000) / 1000],
                         ids=["round", "cut"])
@pytest.mark.parametrize("ticks", [False, True])
def test_rounded_stamps_pair_row_by_row(tmp_path: Path, fps: Fraction, start: float, rounded: Any, ticks: bool) -> None:
    rows = 240
    exact = start + np.arange(rows) / float(fps)
    stamps = rounded(exact)
    given: Any = np.round(stamps * 1000).astype(np.int64) if ticks else stamps
    first = np.arange(rows)
    for name, times in {"a": {"action": given}, "b": {"action": given, "obs": exact}, "c": {"obs": given}}.items():
        path = tmp_path / name
        with trajpack.create(path, rate={} if "obs" in times and "action" in times else
                             {"obs" if "action" in times else "action": fps},
                             streams={n: {"tick": "1/1000"} for n in times if ticks and times[n] is given}) as writer:
            with writer.episode("0", start=str(start)) as episode:
                for stream in ("obs", "action"):
                    more = {"time": times[stream]} if stream in times else {}
                    episode.extend({stream: {"row": first, "x": first * 1.0}}, **more)
        data = trajpack.open(path)
        for align in (None, "asof", "nearest"):
            batch = whole(data, rows, channels=["obs/row", "action/row"], reference="obs", align=align)
            np.testing.assert_array_equal(batch["action/row"][0], first)
            assert not batch["padding:action"].any()


@pytest.mark.parametrize("seed", range(6))
def test_logs_are_pandas_as_of_joins(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.integers(1, 60, 150)) / 1000 + 5
    log = np.sort(rng.integers(4000, int(frames[-1] * 1000) - 500, int(rng.integers(1, 12)))) / 1000
    log = np.unique(log)
    codes = rng.integers(0, 9, len(log))
    data = recorded(tmp_path / "a", {"frames": {"x": frames * 2}, "log": {"code": codes, "speed": codes * 1.5}},
                    {"frames": frames, "log": log})
    left = pandas.DataFrame({"t": frames})
    right = pandas.DataFrame({"t": log, "code": codes, "at": log})

    def check(want: pandas.DataFrame, **options: Any) -> None:
        batch = whole(data, 150, channels=["frames/x", "log/code", "log/speed"], reference="frames", tolerance=0,
                      **options)
        gone = want["code"].isna().to_numpy()
        np.testing.assert_array_equal(batch["padding:log/code"][0], gone)
        np.testing.assert_array_equal(batch["log/code"][0][~gone], want["code"].to_numpy()[~gone])
        assert not batch["log/code"][0][gone].any()

    joined = pandas.merge_asof(left, right, on="t")
    check(joined)                                            # labels of explicit times hold to the end by default
    check(joined, hold="end")
    for age in (0.0505, 0.7005, 3.0005):                      # no ties, which floats would round
        check(pandas.merge_asof(left, right, on="t", tolerance=age), max_staleness=age)
    before = joined.copy()                                   # as long as the interval before the last row
    last = log[-1] - log[-2] if len(log) > 1 else 0.0
    since = left["t"] - joined["at"]
    before.loc[(joined["at"] == log[-1]) & (since > 0) & (since >= last - 1e-12), "code"] = np.nan
    check(before, hold="interval")
    # Numbers between rows of the log are no labels: they end with it, unless they are to be held.
    batch = whole(data, 150, channels=["frames/x", "log/speed"], reference="frames", tolerance=0, hold="end")
    after = frames >= log[-1]
    np.testing.assert_allclose(batch["log/speed"][0][after], codes[-1] * 1.5)
    np.testing.assert_allclose(batch["log/speed"][0][(frames >= log[0]) & ~after],
                               np.interp(frames, log, codes * 1.5)[(frames >= log[0]) & ~after])


def test_a_constant_of_an_episode_holds(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"obs": {"x": np.zeros(600)}, "task": {"code": [4]}}, {"task": [0.0]},
                    {"obs": 30}, episodes=2)
    for batch in data.windows(length=30, batch=20):
        assert (batch["task/code"] == 4).all() and not batch["padding:task/code"].any()
    # A regular stream that stops has stopped.
    data = recorded(tmp_path / "b", {"obs": {"x": np.zeros(60)}, "cam": {"code": np.arange(1, 11)}},
                    rate={"obs": 30, "cam": 30})
    assert whole(data, 60)["padding:cam"].sum() == 50
    assert (whole(data, 60, hold={"cam": "end"})["cam/code"][0][10:] == 10).all()


def test_tolerance_zero_is_exact(tmp_path: Path) -> None:
    stamps = np.round(np.arange(60) / 30, 3)
    data = recorded(tmp_path / "a", {"obs": {"x": np.arange(60.0)}, "act": {"a": np.arange(60)}}, {"act": stamps},
                    {"obs": 30})
    exact = whole(data, 60, tolerance=0)["act/a"][0]
    want = pandas.merge_asof(pandas.DataFrame({"t": np.arange(60) / 30 + 1e-9}),
                             pandas.DataFrame({"t": stamps, "a": np.arange(60)}), on="t")["a"]
    np.testing.assert_array_equal(exact, want)
    assert (exact != np.arange(60)).any() and data.windows(length=2, batch=1).tolerance == 0.001
    for wrong in (-1, "soon", float("nan")):
        with pytest.raises(trajpack.UsageError, match="tolerance"):
            data.windows(length=2, batch=1, tolerance=wrong)


def test_missing_integers_take_what_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    channels: dict[str, Any] = {f"s/{t}": {"dtype": t, "missing": True} for t in ("int32", "int64")}
    values = {t: np.ma.masked_array(rng.integers(-90, 90, 64).astype(t), rng.random(64) < 0.3)
              for t in ("int32", "int64")}
    values["int64"] = np.ma.masked_array(values["int64"].data + 2**60 + 1, values["int64"].mask)
    data = recorded(tmp_path / "a", {"s": {**values, "x": np.where(rng.random(64) < 0.3, np.nan, 1.5)}}, rate={"s": 10},
                    channels=channels)
    for fill, options in ((-7, {"fill": -7}), (3, {"fill": {"s/int*": 3, "*": -1.5}})):
        batch = whole(data, 64, **options)
        for name, array in values.items():
            np.testing.assert_array_equal(batch[f"s/{name}"][0], array.filled(fill))
            np.testing.assert_array_equal(batch[f"observed:s/{name}"][0], ~array.mask)
        assert not np.isnan(batch["s/x"]).any()
    plain = whole(data, 64)
    for name, array in values.items():
        assert (plain[f"s/{name}"][0][array.mask] == np.iinfo(name).min).all()
    floats = whole(data, 64, dtype="float32", fill={"s/int32": 0.5})
    assert np.isnan(floats["s/int64"][0][values["int64"].mask]).all()
    assert (floats["s/int32"][0][values["int32"].mask] == 0.5).all()
    for name, dtype in (("int32", "int8"), ("int64", "int32"), ("int32", "uint8"), ("int32", "bool"), ("x", "uint8"),
                        ("int32", "uint64"), ("x", "int16")):
        with pytest.raises(trajpack.UsageError, match="cannot say.*'fill'"):
            data.windows(channels=[f"s/{name}"], dtype=dtype, batch=1)
        batch = whole(data, 64, channels=[f"s/{name}"], dtype=dtype, fill=1)
        assert (batch[f"s/{name}"][0][~batch[f"observed:s/{name}"][0]] == 1).all()
    with pytest.raises(trajpack.UsageError, match=r"'fill': 0\.5 is no int64"):
        data.windows(fill={"s/int64": 0.5}, batch=1)
    with pytest.raises(trajpack.UsageError, match=f"'fill': {2**40} is no int32"):
        data.windows(fill={"s/int32": 2**40}, batch=1)


def test_types_by_sort(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"s": {"x": np.arange(8.0), "id": np.arange(8), "on": np.arange(8) % 2 == 0}},
                    rate={"s": 10})
    batch = whole(data, 8, dtype={"float": np.float32, "bool": "uint8"})
    assert [batch[f"s/{n}"].dtype.name for n in ("x", "id", "on")] == ["float32", "int64", "uint8"]
    assert whole(data, 8, dtype={"s/id": "int16", "int": "int32"})["s/id"].dtype == np.int16

    for name in ("float16", "bfloat16", np.float16):
        with pytest.raises(trajpack.UsageError, match="float16, which batches do not have: take float32"):
            data.windows(dtype=name, batch=1)
    with pytest.raises(trajpack.UsageError, match="no channel matches 'y'"):
        data.windows(dtype={"y": "float32"}, batch=1)


def test_masks_are_named_by_channel(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"s": {"x": np.arange(40.0), "a": np.arange(40), "b": np.arange(40)}},
                    rate={"s": 10})
    loader = data.windows(offsets={"s/x": [-1, 0], "s/a": range(4)}, length=3, edge="pad", batch=2, shuffle=False)
    batch = loader.read([0, 39])
    shapes = {name: batch[name].shape[1] for name in batch if name.startswith("padding")}
    assert shapes == {"padding:s/x": 2, "padding:s/a": 4, "padding:s/b": 3, "padding:s": 3}
    np.testing.assert_array_equal(batch["padding:s/x"], [[True, False], [False, False]])
    np.testing.assert_array_equal(batch["padding:s/a"][1], [False, True, True, True])
    np.testing.assert_array_equal(batch.valid("s/a"), ~batch["padding:s/a"])
    plain = data.windows(length=3, batch=2, shuffle=False).read([0])
    assert [n for n in plain if n.startswith("padding")] == ["padding:s"]
    assert plain["padding:s/a"] is not None and "padding:s/a" in plain and "padding:s/c" not in plain


def test_numbers_of_windows_come_along(tmp_path: Path) -> None:
    one = recorded(tmp_path / "a", {"s": {"x": np.arange(30.0)}}, rate={"s": 10}, episodes=3)
    two = recorded(tmp_path / "b", {"s": {"x": np.arange(20.0)}}, rate={"s": 4}, episodes=2)
    loader = trajpack.mixture([one, two], weights=[2, 1], length=4, past=2, stride=3, batch=5, meta=True, seed=3)
    for batch in loader:
        np.testing.assert_array_equal(batch["meta:window"], batch.windows)
        np.testing.assert_array_equal(batch["meta:dataset"], batch.datasets)
        episodes, _, rows = loader.locate(batch.windows, batch.datasets)
        np.testing.assert_array_equal(batch["meta:episode"], episodes)
        np.testing.assert_array_equal(batch["meta:row"], rows)
        np.testing.assert_array_equal(batch["s/x"][:, 2], rows)
        np.testing.assert_allclose(batch["meta:time"], rows / np.where(batch.datasets == 0, 10, 4))
        singles = [loader.locate(w, d) for w, d in zip(batch.windows.tolist(), batch.datasets.tolist(), strict=True)]
        assert singles == list(zip(*[x.tolist() for x in loader.locate(batch.windows, batch.datasets)], strict=True))
        ids = [loader.datasets[d].episodes[e].id for d, e in zip(batch.datasets, episodes, strict=True)]
        assert batch["meta:id"].shape == (len(ids),) and batch["meta:id"].tolist() == ids
        assert "meta:id" not in list(batch) and "meta:id" in batch and (batch["meta:split"] == -1).all()
        assert {loader.datasets[d].episodes[e].id for d, e in zip(batch.datasets, episodes, strict=True)} <= {
            "000", "001", "002"}
    with pytest.raises(trajpack.UsageError, match="there is no window"):
        loader.locate([0, 10_000])
    with pytest.raises(trajpack.UsageError, match="whole numbers from 0"):
        loader.locate([-1])


def is_constant(x: np.ndarray) -> bool:
    """sklearn/preprocessing/_data.py, _is_constant_feature, on the mean and variance of all values."""
    n, eps = len(x), np.finfo(np.float64).eps
    return bool(x.var() <= n * eps * x.var() + (n * x.mean() * eps) ** 2)


@pytest.mark.parametrize("how", ["standard", "minmax", "quantile"])
def test_constants_become_0(tmp_path: Path, how: str) -> None:
    rng = np.random.default_rng(4)
    constants = [0.1, 0.15, 1 / 3, 5.0, 1.25, 1e15 + 0.3, -7e-9, 123456.789]
    columns = {f"c{i}": np.full(997, c) for i, c in enumerate(constants)}
    columns["steps"] = np.repeat([1e9, 1e9 + 1e-6], [500, 497])         # varies less than its mean is rounded
    columns["small"] = 1e3 + rng.normal(size=997) * 1e-3
    columns["wide"] = rng.normal(size=997) * 1e6
    data = recorded(tmp_path / "a", {"s": columns}, rate={"s": 10})
    batch = whole(data, 997, normalize=how, dtype="float64")
    for name, x in columns.items():
        got = batch[f"s/{name}"][0]
        if is_constant(x):
            assert np.abs(got).max() <= np.abs(x).max() * 1e-14, name
        elif how == "standard":
            np.testing.assert_allclose(got, (x - x.mean()) / x.std(), rtol=1e-6, atol=1e-6)
    assert [is_constant(columns[n]) for n in ("steps", "small", "wide")] == [True, False, False]


def test_statistics_are_of_what_is_chosen(tmp_path: Path) -> None:
    def make(name: str, splits: list[str | None]) -> trajpack.Dataset:
        with trajpack.create(tmp_path / name, rate=10) as writer:
            for number, split in enumerate(splits):
                more = {"split": split} if split else {}
                with writer.episode(str(number), metadata={"level": number}, **more) as e:
                    e.extend({"s": {"x": np.arange(10.0) + 100 * number}})
        return trajpack.open(tmp_path / name)

    def mean(data: trajpack.Dataset, measured: list[int], **options: Any) -> None:
        batch = data.windows(length=10, batch=1, normalize="standard", dtype="float64", shuffle=False,
                             **options).read([0])
        x = np.concatenate([np.arange(10.0) + 100 * e for e in measured])
        got = batch["s/x"][0]
        np.testing.assert_allclose(got[9] - got[0], 9 / x.std(), rtol=1e-9)

    plain = make("plain", [None] * 4)
    mean(plain, [0, 1, 2, 3])
    mean(plain, [0, 1, 2, 3], episodes=["*"])
    for choice, chosen in (({"episodes": ["0", "1"]}, [0, 1]), ({"where": {"level": [2]}}, [2])):
        mean(plain, chosen, **choice)
        mean(plain, [0, 1, 2, 3], normalize_split="all", **choice)
        plain.windows(length=2, batch=1, **choice)
    split = make("split", ["train", "train", "test", "test"])
    for options in ({}, {"split": "test"}, {"split": "train"}, {"episodes": ["2"]}, {"normalize_split": "train"}):
        mean(split, [0, 1], **options)
    mean(split, [2, 3], normalize_split="test")
    mean(split, [0, 1, 2, 3], normalize_split="all", split="train")
    mean(split, [0], episodes=["0", "3"])
    mean(split, [0, 1], episodes=["0", "3"], normalize_split="train")
    other = make("other", ["a", "b", "b"])
    mean(other, [1, 2], split="b")
    with pytest.raises(trajpack.UsageError, match="no statistics of a split 'c'"):
        other.windows(length=2, batch=1, normalize="standard", normalize_split="c")


def test_what_is_not_normalised_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    data = recorded(tmp_path / "a", {"s": {"x": rng.normal(size=20), "rgb": rng.random((20, 2, 2)), "id": np.arange(20),
                                           "q": np.tile([0, 0, 0, 1.0], (20, 1))}}, rate={"s": 10},
                    channels={"s/rgb": {"kind": "image"}, "s/q": {"kind": "quaternion"}})
    loader = data.windows(length=2, batch=1, normalize="standard")
    assert sorted(loader.left_raw) == ["s/id", "s/q", "s/rgb"] and "not normalised: " in repr(loader)
    assert loader.outputs["s/rgb"].dtype == np.float64
    assert data.windows(length=2, batch=1, normalize={"s/*": "standard"}).left_raw == loader.left_raw
    for name in ("s/id", "s/q"):
        with pytest.raises(trajpack.UsageError, match=f"'{name}' is of kind .* cannot be scaled"):
            data.windows(length=2, batch=1, normalize={name: "standard"})
    assert data.windows(length=2, batch=1, normalize={"s/rgb": "standard"}).outputs["s/rgb"].dtype == np.float32


def test_weights_count_from_the_next_epoch(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"s": {"x": np.arange(40.0)}}, rate={"s": 10})

    def only(*windows: int) -> np.ndarray:
        out = np.zeros(40)
        out[list(windows)] = 1
        return out

    def made(weights: Any) -> trajpack.Loader:
        return data.windows(length=1, batch=4, window_weights=weights, seed=5)

    def epoch(loader: trajpack.Loader, number: int) -> set[int]:
        return set(loader.order(epoch=number)[0].tolist())

    loader = made(only(1, 2))
    first = loader.next()
    assert set(first.windows.tolist()) <= {1, 2}
    loader.set_weights(only(7, 8))
    assert epoch(loader, 0) == {1, 2} and epoch(loader, 1) == {7, 8}
    np.testing.assert_array_equal(loader.window_weights, only(1, 2))
    state = loader.state_dict()
    assert {type(v) for v in state.values()} == {int} and state["later_epoch"] == 1
    rest = [set(loader.next().windows.tolist()) for _ in range(9)]
    assert set().union(*rest) == {1, 2}

    again = made(only(1, 2))                                 # it wants those that follow, too
    with pytest.raises(trajpack.UsageError, match="other weights of windows, which count from epoch 1"):
        again.load_state_dict(state)
    with pytest.raises(trajpack.UsageError, match="other weights"):
        again.next()
    with pytest.raises(trajpack.UsageError, match="not the weights that the state was saved with"):
        again.set_weights(only(3))
    again.set_weights(only(7, 8))
    assert [set(again.next().windows.tolist()) for _ in range(9)] == rest
    copied = pickle.loads(pickle.dumps(again))
    assert copied.state_dict() == again.state_dict() and epoch(copied, 1) == {7, 8}

    loader.seek(1)
    loader.next()
    state = loader.state_dict()
    assert state["weights_epoch"] == 1 and state["later_weights"] == 0
    np.testing.assert_array_equal(loader.window_weights, only(7, 8))
    right = made(only(7, 8))
    right.load_state_dict(state)
    assert right.state_dict() == state and right.weights_digest == loader.weights_digest != made(only(1)).weights_digest
    wrong = made(only(1, 2))
    with pytest.raises(trajpack.UsageError, match="other weights"):
        wrong.load_state_dict(state)
    wrong.window_weights = only(7, 8)
    np.testing.assert_array_equal(wrong.next().windows, right.next().windows)
    fresh = made(only(1))
    fresh.set_weights(only(9))                               # nothing was given out yet
    assert epoch(fresh, 0) == {9}
    for bad in (np.ones(3), -np.ones(40), np.full(40, np.nan), "all"):
        with pytest.raises(trajpack.UsageError):
            fresh.set_weights(bad)
    with pytest.raises(trajpack.UsageError, match="without 'window_weights'"):
        data.windows(length=1, batch=4).set_weights(np.ones(40))


def test_drawing_with_replacement(tmp_path: Path) -> None:
    data = recorded(tmp_path / "a", {"s": {"x": np.arange(50.0)}}, rate={"s": 10})
    loader = data.windows(length=1, batch=10, replacement=True, epoch_windows=20_000, seed=1)
    drawn = loader.order()[0]
    counts = np.bincount(drawn.astype(int), minlength=50)
    assert len(drawn) == 20_000 and (np.abs(counts - 400) < 6 * np.sqrt(400)).all()
    assert (drawn != loader.order(epoch=1)[0]).any()
    assert sorted(data.windows(length=1, batch=10).order()[0].tolist()) == list(range(50))
    for wrong in ({"replacement": True, "shuffle": "block"}, {"epoch_windows": 9},
                  {"replacement": False, "window_weights": np.ones(50)}):
        with pytest.raises(trajpack.UsageError, match="replacement"):
            data.windows(length=1, batch=1, **wrong)
