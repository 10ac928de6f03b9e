"""Statistics of any part of a dataset, and what is normalized by them: numpy, pandas and scikit-learn as witnesses."""
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import trajpack

PROBABILITIES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
SPLITS = ["train", "train", "test", "val", "train", "test"]
SUBJECTS = ["b", "a", "b", "a", "a", "b"]


class World:
    """Recordings of two streams, and every value of them."""

    def __init__(self, path: Path, seed: int = 0, factor: int = 1, **options: Any) -> None:
        rng = np.random.default_rng(seed)
        self.episodes: list[dict[str, np.ndarray]] = []
        with trajpack.create(path, rate={"s": 10, "slow": 2}, **options) as writer:
            for number, (split, subject) in enumerate(zip(SPLITS, SUBJECTS, strict=True)):
                rows = int(rng.integers(40, 400)) * factor
                x = np.exp(rng.normal(size=rows) * 2).astype("f4") + number
                x[rng.random(rows) < 0.05] = np.nan
                u = rng.normal(size=(rows, 2, 3, 4)) * np.array([1, 50])[:, None, None] + 7
                n = rng.integers(-5, 1000, rows)
                y = rng.standard_cauchy((rows // 5, 2))
                self.episodes.append({"s/x": x, "s/u": u, "s/n": n, "slow/y": y})
                with writer.episode(f"e{number}", split=split, metadata={"subject": subject, "n": number}) as e:
                    e.extend({"s": {"x": x, "u": u, "n": n}, "slow": {"y": y}})
        self.data = trajpack.open(path)

    def rows(self, path: str, episodes: list[int]) -> np.ndarray:
        return np.concatenate([self.episodes[e][path] for e in episodes]).astype("f8")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("statistics") / "w")


def check(found: dict[str, Any], columns: list[np.ndarray], exact: bool = True) -> None:
    assert len(found["count"]) == len(columns)
    for i, column in enumerate(columns):
        flat = column.reshape(-1)
        x = flat[np.isfinite(flat)]
        assert found["count"][i] == x.size and found["missing"][i] == np.isnan(flat).sum()
        assert found["min"][i] == x.min() and found["max"][i] == x.max()
        np.testing.assert_allclose(found["mean"][i], math.fsum(x) / x.size, rtol=2.3e-16)
        np.testing.assert_allclose(found["std"][i], x.std(), rtol=1e-12, atol=1e-15 * abs(x).max())
        if exact and "quantiles" in found:
            np.testing.assert_array_equal(found["quantiles"][i], np.quantile(x, PROBABILITIES))
            assert found["quantiles_exact"][i]


CHOICES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4, 5]), ({"split": "train"}, [0, 1, 4]), ({"split": ["test", "val"]}, [2, 3, 5]),
    ({"episodes": ["e1", "e5"]}, [1, 5]), ({"where": {"subject": "b"}}, [0, 2, 5]),
    ({"where": {"n": {"min": 2}}, "split": "train"}, [4]),
]


@pytest.mark.parametrize(("choice", "episodes"), CHOICES, ids=lambda c: str(c))
def test_numpy_agrees(world: World, choice: dict[str, Any], episodes: list[int]) -> None:
    found = world.data.statistics(channels=["s/x", "s/n", "slow/y", "s/u"], **choice)
    assert found.episodes == len(episodes) and found.rows["s"] == len(world.rows("s/x", episodes))
    check(found["s/x"], [world.rows("s/x", episodes)])
    check(found["s/n"], [world.rows("s/n", episodes)])
    check(found["slow/y"], list(world.rows("slow/y", episodes).T))
    check(found["s/u"], list(world.rows("s/u", episodes).reshape(-1, 24).T))


@pytest.mark.parametrize(("axes", "reduced"), [(0, (0, 2, 3)), ([0, 2], (0, 2)), ([-1], (0, 1, 2)), ([], (0, 1, 2, 3))])
def test_axes_keep_statistics_of_their_own(world: World, axes: Any, reduced: tuple[int, ...]) -> None:
    found = world.data.statistics(channels="s/u", axes=axes)["s/u"]
    u = world.rows("s/u", list(range(6)))
    kept = [a for a in range(4) if a not in reduced]
    columns = np.moveaxis(u, kept, range(len(kept))).reshape(int(np.prod([u.shape[a] for a in kept], initial=1)), -1)
    check(found, list(columns))
    assert world.data.statistics(channels=["s/*"], axes={"s/u": axes})["s/u"] == found


def test_rows_are_those_of_the_time(world: World) -> None:
    rows = 23, 71                                              # s has 10 rows a second, slow 2
    found = world.data.statistics(channels=["s/x", "slow/y"], rows=slice(*rows))
    check(found["s/x"], [np.concatenate([e["s/x"][slice(*rows)] for e in world.episodes]).astype("f8")])
    first, end = math.ceil(rows[0] / 5), math.ceil(rows[1] / 5)
    lasts = [end if len(e["s/x"]) > rows[1] else None for e in world.episodes]
    check(found["slow/y"], list(np.concatenate([e["slow/y"][first:n] for e, n in zip(world.episodes, lasts,
                                                                                    strict=True)]).T))
    own = world.data.statistics(channels=["slow/y"], rows=(3, None))["slow/y"]
    check(own, list(np.concatenate([e["slow/y"][3:] for e in world.episodes]).T))
    by = world.data.statistics(channels=["s/x"], rows=(100, 300), by="episode")
    assert list(by) == [f"e{i}" for i, e in enumerate(world.episodes) if len(e["s/x"]) > 100]


def test_groups_are_those_of_pandas(world: World) -> None:
    frame = pandas.concat([pandas.DataFrame({"subject": s, "id": f"e{i}", "n": e["s/n"].astype("f8")})
                           for i, (s, e) in enumerate(zip(SUBJECTS, world.episodes, strict=True))])
    for by, column in (("subject", "subject"), ("episode", "id")):
        found = world.data.statistics(channels="s/n", by=by)
        groups = frame.groupby(column)["n"]
        assert list(found) == sorted(groups.groups)
        table = found.to_pandas().reset_index().set_index(by)
        np.testing.assert_allclose(table["mean"], groups.mean(), rtol=1e-14)
        np.testing.assert_allclose(table["std"], groups.std(ddof=0), rtol=1e-12)
        np.testing.assert_array_equal(table["q0.25"], groups.quantile(0.25))
    assert list(world.data.statistics(channels="s/n", by="n")) == list(range(6))


def test_a_union_is_the_merge(world: World) -> None:
    one, two, both = (world.data.statistics(channels=["s/x"], quantiles=False, episodes=e)["s/x"]
                      for e in (["e0", "e3"], ["e1", "e2"], ["e0", "e0", "e1", "e2", "e3"]))
    (n, m), (a, b), (s, t) = ([x[k][0] for x in (one, two)] for k in ("count", "mean", "std"))
    assert both["count"][0] == n + m and both["min"][0] == min(one["min"][0], two["min"][0])
    mean = (n * a + m * b) / (n + m)
    np.testing.assert_allclose(both["mean"][0], mean, rtol=1e-14)
    variance = (n * (s * s + a * a) + m * (t * t + b * b)) / (n + m) - mean ** 2
    np.testing.assert_allclose(both["std"][0], math.sqrt(variance), rtol=1e-12)


def test_threads_and_shards_change_no_bit(tmp_path: Path) -> None:
    world, cut = World(tmp_path / "whole", factor=20), World(tmp_path / "cut", factor=20, shard_bytes=1 << 20)
    assert len(cut.data.shards) > 2 and len(world.data.shards) == 1
    for options in ({}, {"by": "subject"}, {"rows": (7, 90)}):
        first = world.data.statistics(threads=1, **options)
        assert first == world.data.statistics(threads=4, **options) == cut.data.statistics(threads=3, **options)
        assert first.digests[1] == cut.data.statistics(**options).digests[1]


@pytest.mark.parametrize("shape", ["skewed", "heavy", "sorted", "constant"])
def test_ranks_of_many_values(tmp_path: Path, shape: str) -> None:
    rng = np.random.default_rng(5)
    n = 260_000
    x = {"skewed": np.exp(-9 * rng.random(n)), "heavy": rng.standard_cauchy(n), "sorted": np.arange(n) / 7,
         "constant": np.full(n, 0.1)}[shape]
    with trajpack.create(tmp_path / "a", rate=100) as writer, writer.episode("0") as e:
        e.extend({"s": {"x": x}})
    data = trajpack.open(tmp_path / "a")
    found = data.statistics()["s/x"]
    check(found, [x], exact=False)
    assert found["quantiles_exact"] == [False]
    for p, q in zip(PROBABILITIES, found["quantiles"][0], strict=True):
        assert (x < q).mean() - 0.001 <= p <= (x <= q).mean() + 0.001
    assert data.statistics()["s/x"] == found
    few = data.statistics(rows=(0, 100_000))["s/x"]
    check(few, [x[:100_000]])


@pytest.mark.parametrize(("options", "words"), [
    ({"split": "tarin"}, "no split 'tarin'.*train"), ({"episodes": ["zzz"]}, "there is no episode 'zzz'"),
    ({"channels": "s/xx"}, "no channel matches 's/xx'"), ({"rows": (5, 5)}, "first below end"),
    ({"rows": (-1, 5)}, "from 0 to"), ({"rows": slice(0, 9, 2)}, "step of 2"), ({"rows": (10**6, None)}, "no episode is left"),
    ({"channels": "s/u", "axes": 3}, "no axis 3"), ({"axes": 0}, "no axis 0"), ({"by": "nothing"}, "has a value 'nothing'"),
    ({"rows": (0, 9), "reference": "q"}, "no stream 'q'"), ({"axes": {"s/q": 0}}, "no channel matches 's/q'"),
])
def test_mistakes_are_said(world: World, options: dict[str, Any], words: str) -> None:
    with pytest.raises(trajpack.UsageError, match=words):
        world.data.statistics(**options)


# What is normalized by them.

def values(data: trajpack.Dataset, path: str, **options: Any) -> dict[int, np.ndarray]:
    """The rows of each episode as windows give them."""
    out: dict[int, list[np.ndarray]] = {}
    loader = data.windows(channels=[path], length=1, batch=64, shuffle=False, drop_last=False, dtype="float64", **options)
    for batch in loader:
        for e, row in zip(loader.locate(batch.windows)[0].tolist(), batch[path][:, 0], strict=True):
            out.setdefault(e, []).append(row)
    return {e: np.stack(rows) for e, rows in out.items()}


SCALERS = {"standard": StandardScaler, "minmax": lambda: MinMaxScaler((-1, 1)), "robust": RobustScaler}


@pytest.mark.parametrize("method", SCALERS)
@pytest.mark.parametrize(("options", "fitted"), [
    ({}, [0, 1, 4]), ({"episodes": ["e0", "e4", "e5"]}, [0, 4]), ({"where": {"subject": "a"}}, [1, 4]),
    ({"split": "test"}, [0, 1, 4]), ({"normalize_split": "test"}, [2, 5]), ({"normalize_split": "all"}, [0, 1, 2, 3, 4, 5]),
    ({"episodes": ["e0"], "normalize_split": "all"}, [0, 1, 2, 3, 4, 5]), ({"split": ["train", "test"]}, [0, 1, 4]),
])
def test_sklearn_agrees(world: World, method: str, options: dict[str, Any], fitted: list[int]) -> None:
    for path in ("s/x", "slow/y"):
        scaler = SCALERS[method]().fit(world.rows(path, fitted).reshape(-1, 1 if path == "s/x" else 2))
        for e, got in values(world.data, path, normalize=method, **options).items():
            raw = world.episodes[e][path].astype("f8")
            want = scaler.transform(raw.reshape(len(raw), -1)).reshape(raw.shape)
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ends", [(0, 1), (-3, 0.5), (2, 7)])
def test_ranges(world: World, ends: tuple[float, float]) -> None:
    rows = world.rows("slow/y", [0, 1, 4])
    scaler = MinMaxScaler(ends).fit(rows)
    low, high = np.quantile(rows, [0.01, 0.99], axis=0)
    rule = {"range": list(ends)}
    for e, got in values(world.data, "slow/y", normalize={"method": "minmax", **rule}).items():
        raw = world.episodes[e]["slow/y"].astype("f8")
        np.testing.assert_allclose(got, scaler.transform(raw), rtol=1e-9, atol=1e-9)
    for e, got in values(world.data, "slow/y", normalize={"slow/*": {"method": "quantile", **rule}}).items():
        raw = world.episodes[e]["slow/y"].astype("f8")
        want = ends[0] + (raw - low) / (high - low) * (ends[1] - ends[0])
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
    loader = world.data.windows(channels=["slow/y"], length=1, batch=4, normalize={"method": "minmax", **rule},
                                dtype="float64")
    batch = next(iter(loader))
    plain = world.data.windows(channels=["slow/y"], length=1, batch=4, dtype="float64").read(batch.windows.tolist())
    np.testing.assert_allclose(loader.denormalize(batch["slow/y"], "slow/y"), plain["slow/y"], rtol=1e-9, atol=1e-9)
    for wrong in ({"method": "standard", **rule}, {"method": "minmax", "range": [1, 0]}, {"method": "minmax", "range": 3}):
        with pytest.raises(trajpack.UsageError, match="range"):
            world.data.windows(channels=["slow/y"], length=1, normalize={"slow/y": wrong})


@pytest.mark.parametrize("axes", [0, [0, 2], []])
def test_axes_of_fields(world: World, axes: Any) -> None:
    kept = [1 + a for a in ([axes] if isinstance(axes, int) else axes)]
    over = tuple(a for a in range(4) if a not in kept)
    u = world.rows("s/u", [0, 1, 4])
    for rule in ({"method": "standard", "axes": axes}, {"s/u": {"axes": axes}}):
        for e, got in values(world.data, "s/u", normalize=rule).items():
            want = (world.episodes[e]["s/u"] - u.mean(over, keepdims=True)[0]) / u.std(over, keepdims=True)[0]
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_each_recording_by_itself(world: World) -> None:
    for e, got in values(world.data, "slow/y", normalize={"method": "standard", "per": "episode"}).items():
        np.testing.assert_allclose(got, StandardScaler().fit_transform(world.episodes[e]["slow/y"]), rtol=1e-9, atol=1e-9)


def test_each_value_by_its_training_rows(world: World) -> None:
    train = {"a": [1, 4], "b": [0]}
    rule = {"slow/y": {"method": "robust", "per": "subject"}}
    found = values(world.data, "slow/y", normalize=rule)
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    for e, got in found.items():
        scaler = RobustScaler().fit(world.rows("slow/y", train[SUBJECTS[e]]))
        np.testing.assert_allclose(got, scaler.transform(world.episodes[e]["slow/y"]), rtol=1e-9, atol=1e-9)
    with pytest.raises(trajpack.UsageError, match="'e2' has 'n' 2, and no episode with it is in split 'train'"):
        world.data.windows(length=1, batch=1, normalize={"method": "standard", "per": "n"})


@pytest.mark.parametrize("rule", ["standard", "minmax", "robust", "quantile", {"method": "standard", "per": "episode"},
                                  {"method": "minmax", "per": "subject"}], ids=str)
def test_denormalize_gives_the_values_back(world: World, rule: Any) -> None:
    common: dict[str, Any] = dict(length=7, batch=16, channels=["s/x", "s/u", "slow/y"], edge="pad", seed=3)
    rule = {"s/u": {"method": "standard", "axes": 0}, "*": rule}
    for dtype, close in (("float32", 1e-6), ("float64", 1e-13)):
        loader = world.data.windows(normalize=rule, fill=-9.5, dtype=dtype, **common)
        raw = world.data.windows(fill=-9.5, dtype=dtype, **common)
        for batch, want in zip(loader, raw, strict=True):
            back = loader.denormalize(batch)
            assert set(back) == set(batch)
            for path in common["channels"]:
                assert back[path].dtype == batch[path].dtype
                valid, shift = batch.valid(path), np.abs(loader.normalization[path]["shift"]).max()
                np.testing.assert_allclose(back[path][valid], want[path][valid], rtol=4 * close, atol=4 * close * shift)
                np.testing.assert_array_equal(back[path][~valid], batch[path][~valid])     # what stands there stays
                alone = loader.denormalize(batch[path], path, windows=batch.windows, mask=valid)
                np.testing.assert_array_equal(alone, back[path])
            break
    if "per" in str(rule):
        with pytest.raises(trajpack.UsageError, match=r"windows=batch\.windows"):
            loader.denormalize(batch["s/x"], "s/x")
        places = world.data.windows(normalize=rule, meta=True, **common)
        one = next(iter(places))
        np.testing.assert_array_equal(places.denormalize(dict(one))["s/x"], places.denormalize(one)["s/x"])


def test_denormalize_features_and_predictions(world: World) -> None:
    loader = world.data.windows(length=5, batch=8, channels=["s/x", "s/n", "slow/y"], normalize={"slow/y": "standard"},
                                features={"z": ["s/x", "slow/y"]}, seed=1)
    raw = world.data.windows(length=5, batch=8, channels=["s/x", "s/n", "slow/y"],
                             features={"z": ["s/x", "slow/y"]}, seed=1)
    batch, want = next(iter(loader)), next(iter(raw))
    np.testing.assert_allclose(loader.denormalize(batch)["z"], want["z"], rtol=1e-5, atol=1e-5)
    for shape in ((3,), (2, 3), (4, 5, 6, 3)):                 # what a model predicts has axes of its own
        z = np.random.default_rng(0).normal(size=shape).astype("f4")
        back = loader.denormalize(z, "z")
        of = loader.normalization["slow/y"]
        np.testing.assert_array_equal(back[..., 0], z[..., 0])
        np.testing.assert_allclose(back[..., 1:], z[..., 1:] / of["scale"] + of["shift"], rtol=1e-6)
    with pytest.raises(trajpack.UsageError, match="does not end in that of a row"):
        world.data.windows(length=5, batch=8, normalize="standard").denormalize(np.zeros((3, 3)), "slow/y")
    with pytest.raises(trajpack.UsageError, match="no output 'slow/z'.*slow/y"):
        loader.denormalize(np.zeros(2), "slow/z")
    with pytest.raises(trajpack.UsageError, match="int64, and normalized values are floats"):
        loader.denormalize(np.zeros((3, 3), int), "z")


def test_a_pickled_loader_normalizes_alike(world: World) -> None:
    import pickle
    loader = world.data.windows(length=5, batch=8, normalize={"method": "robust", "per": "subject"}, shuffle=False)
    again = pickle.loads(pickle.dumps(loader))
    np.testing.assert_array_equal(next(iter(loader))["s/x"], next(iter(again))["s/x"])


@pytest.mark.parametrize(("options", "words"), [
    ({"normalize": {"s/x": {"method": "zzz"}}}, "normalize.s/x.method"), ({"normalize": {"s/u": {"axes": 9}}}, "no axis 9"),
    ({"normalize": {"s/x": {"pre": "episode"}}}, "no member 'pre'.*per"), ({"normalize": "robsut"}, "'robust'"),
    ({"normalize": {"method": "standard", "per": "zzz"}}, "has a value 'zzz'"),
])
def test_mistakes_of_normalize_are_said(world: World, options: dict[str, Any], words: str) -> None:
    with pytest.raises(trajpack.UsageError, match=words):
        world.data.windows(length=1, batch=1, **options)


def test_saved_statistics_are_found(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    before = world.data.statistics(episodes=["e0", "e4"], save=True)
    by = world.data.statistics(channels="s/x", by="subject", save=True)
    assert not before.saved and len(list((tmp_path / "w").glob("side-statistics-*.json"))) == 2
    again = trajpack.open(tmp_path / "w")
    assert again.digest == world.data.digest
    found = again.statistics(where={"n": [0, 4]})          # said otherwise, the same rows
    assert found.saved and found == before and found.rows == before.rows
    assert again.statistics(channels="s/x", by="subject").saved and again.statistics(channels="s/x", by="subject") == by
    for other in ({}, {"episodes": ["e0"]}, {"episodes": ["e0", "e4"], "rows": (0, 9)}, {"episodes": ["e0", "e4"], "axes": []}):
        more = {"channels": "s/u"} if "axes" in other else {}
        assert not again.statistics(**other, **more).saved
    options: dict[str, Any] = dict(length=3, batch=8, episodes=["e0", "e4"], shuffle=False, normalize="robust")
    one, two = next(iter(world.data.windows(**options))), next(iter(again.windows(**options)))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    # It is the file that was used.
    file = next(f for f in (tmp_path / "w").glob("side-statistics-*.json") if '"by":null' in f.read_text().replace(" ", ""))
    file.write_text(file.read_text().replace("e", "f", 1))
    with pytest.raises(trajpack.DataError, match="is damaged"):
        again.statistics(where={"n": [0, 4]})
    with pytest.raises(trajpack.UsageError, match="single shard"):
        trajpack.open(next((tmp_path / "w").glob("shard-*.h5"))).statistics(save=True)


# Splits that cut recordings.

@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The rule of Autoformer's loader for an hourly table, a tenth of its length."""
    import subprocess

    from places import program
    path = tmp_path_factory.mktemp("split") / "ett"
    x = np.cumsum(np.random.default_rng(9).normal(size=(1742, 3)), 0) * np.array([1, 30, 0.01])
    with trajpack.create(path, rate=1) as writer, writer.episode("0") as episode:
        episode.extend({"s": {"x": x}})
    subprocess.run([program(), "split", path, "--rule", "train=0:864", "--rule", "val=864:1152", "--rule", "test=1152:1440",
                    "--context", "12"], check=True, capture_output=True)
    return path, x


def test_statistics_of_target_rows(table: tuple[Path, np.ndarray]) -> None:
    data, x = trajpack.open(table[0]), table[1]
    for split, rows in (("train", slice(0, 864)), ("val", slice(864, 1152)), (["val", "test"], slice(864, 1440))):
        found = data.statistics(split=split)
        check(found["s/x"], list(x[rows].T))
        assert data.statistics(rows=rows).digests == found.digests
    check(data.statistics(split="val", rows=(1000, 1300))["s/x"], list(x[1000:1152].T))
    check(data.statistics()["s/x"], list(x.T))
    with pytest.raises(trajpack.UsageError, match="no split 'tset'"):
        data.statistics(split="tset")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_normalized_as_autoformer_does(table: tuple[Path, np.ndarray], split: str) -> None:
    data, x = trajpack.open(table[0]), table[1]
    scaled = StandardScaler().fit(x[:864]).transform(x).astype("f4")
    loader = data.windows(past=12, length=12, split=split, normalize="standard", batch=64, shuffle=False, drop_last=False)
    first, end = {"train": (0, 864), "val": (852, 1152), "test": (1140, 1440)}[split]
    got = np.concatenate([b["s/x"] for b in loader])
    want = np.stack([scaled[i:i + 24] for i in range(first, end - 23)])
    assert got.shape == want.shape
    assert (got == want).mean() > 0.999 and np.abs(got - want).max() <= np.spacing(np.float32(8))
    back = loader.denormalize(got, "s/x")
    np.testing.assert_allclose(back, np.stack([x[i:i + 24] for i in range(first, end - 23)]), rtol=1e-5, atol=1e-4)


def test_which_rows_a_cut_recording_is_normalized_by(table: tuple[Path, np.ndarray]) -> None:
    data, x = trajpack.open(table[0]), table[1]
    for options, rows in (({"normalize_split": "val"}, slice(864, 1152)), ({"normalize_split": "all"}, slice(None)),
                          ({}, slice(0, 864)), ({"split": "test"}, slice(0, 864))):
        for rule in ("standard", "robust"):
            scaler = {"standard": StandardScaler, "robust": RobustScaler}[rule]().fit(x[rows])
            loader = data.windows(length=1, batch=1, normalize=rule, **options)
            of = loader.normalization["s/x"]
            np.testing.assert_allclose(of["shift"], scaler.mean_ if rule == "standard" else scaler.center_, rtol=1e-12)
            np.testing.assert_allclose(1 / of["scale"], scaler.scale_, rtol=1e-12)
    each = data.windows(length=1, batch=1, split="val", normalize={"method": "standard", "per": "episode"})
    np.testing.assert_allclose(each.normalization["s/x"]["shift"][0], x[:864].mean(0), rtol=1e-12)
