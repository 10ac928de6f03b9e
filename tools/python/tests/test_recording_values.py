"""What is known of recordings: in batches, in conditions, in tables; pandas and numpy as witnesses."""
from __future__ import annotations

import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import program

import trajpack
from trajpack import UsageError, value

LABELS = ["walk", "run", "sit"]


def known(i: int) -> dict[str, Any]:
    """The values of episode ``i``; every fourth has none."""
    if i % 4 == 3:
        return {}
    return {"label": LABELS[i % 3], "theta": 0.25 * i, "n": i - 3, "start": [i, i + 0.5], "task": f"task {i % 5}"}


def make(path: Path, count: int, seed: int, first: int = 0) -> trajpack.Dataset:
    rng = np.random.default_rng(seed)
    about = {"label": LABELS, "theta": {"units": "rad"}, "start": {"shape": [2], "units": "m"}}
    with trajpack.create(path, rate=10, values=about) as writer:
        for i in range(first, first + count):
            rows = int(rng.integers(8, 30))
            with writer.episode(f"e{i:02}", values=known(i), metadata={"env": {"g": 9.8 + i}, "ok": i % 2 == 0}) as e:
                e.extend(x=rng.normal(size=rows))
    return trajpack.open(path)


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> trajpack.Dataset:
    return make(tmp_path_factory.mktemp("values") / "ds", 13, 1)


NAMES = ["label", "theta", "n", "start", "task", "env.g", "rate:frames", "time_unit:frames"]


def check(batch: trajpack.Batch, ids: list[list[str]]) -> None:
    for k in range(batch.count):
        own = ids[int(batch["meta:dataset"][k])][int(batch["meta:episode"][k])]
        want = known(int(own[1:]))
        assert batch["task"][k] == want.get("task")
        assert batch.names("label")[k] == want.get("label")
        assert batch["time_unit:frames"][k] == "s" and batch["rate:frames"][k] == 10
        assert batch["env.g"][k] == 9.8 + int(own[1:])
        for name, missing in (("theta", np.nan), ("n", np.iinfo(np.int64).min), ("start", [np.nan, np.nan])):
            assert batch[f"observed:{name}"][k] == (name in want)
            np.testing.assert_array_equal(batch[name][k], want.get(name, missing))
    assert batch["start"].shape == (batch.count, 2) and batch["label"].dtype == np.int32


@pytest.mark.parametrize("shuffle", ["global", "block", "none"])
def test_batches_carry_the_values_of_each_window(ds: trajpack.Dataset, shuffle: Any) -> None:
    loader = ds.windows(length=5, stride=2, batch=7, values=NAMES, meta=True, shuffle=shuffle, drop_last=False)
    seen = 0
    for batch in loader:
        check(batch, [ds.episodes.ids])
        seen += batch.count
    assert seen == loader.windows
    check(loader.read([5, 0, 3]), [ds.episodes.ids])


def test_a_mixture_has_the_values_of_all(ds: trajpack.Dataset, tmp_path: Path) -> None:
    other = make(tmp_path / "other", 6, 2, first=40)
    plain = tmp_path / "plain"
    with trajpack.create(plain, rate=10) as writer:
        with writer.episode("e03", metadata={"env": {"g": 12.8}}) as episode:  # e03 has no values
            episode.extend(x=np.arange(9.0))
        with writer.episode("e07", values={"label": "swim"}, metadata={"env": {"g": 16.8}}) as episode:
            episode.extend(x=np.arange(9.0))
    third = trajpack.open(plain)
    loader = trajpack.mixture([ds, other, third], length=5, batch=16, meta=True, values=NAMES, drop_last=False)
    ids = [d.episodes.ids for d in (ds, other, third)]
    for batch in loader:
        # A label that one dataset declares as a category and another gives as text is text.
        for k in range(batch.count):
            own = ids[int(batch["meta:dataset"][k])][int(batch["meta:episode"][k])]
            label = "swim" if own == "e07" and batch["meta:dataset"][k] == 2 else known(int(own[1:])).get("label")
            assert batch["label"][k] == label and batch["task"][k] == known(int(own[1:])).get("task")


def test_order_and_resume_do_not_depend_on_values(ds: trajpack.Dataset) -> None:
    bare, full = (ds.windows(length=5, batch=4, seed=3, **more) for more in ({}, {"values": NAMES, "meta": True}))
    assert bare.digest == full.digest
    want = [b.windows.tolist() for b in bare]
    got = []
    iterator = iter(full)
    for _ in range(3):
        got.append(next(iterator).windows.tolist())
    again = ds.windows(length=5, batch=4, seed=3, values=NAMES, meta=True)
    again.load_state_dict(full.state_dict())
    for batch in again:
        got.append(batch.windows.tolist())
        check(batch, [ds.episodes.ids])
    assert got == want
    ranks: list[int] = []
    for rank in range(2):
        for batch in ds.windows(length=5, batch=2, seed=3, rank=rank, world_size=2, values=["task"], meta=True):
            ranks += batch.windows.tolist()
    assert sorted(ranks) == sorted(w for b in want for w in b)


def test_batches_are_pickled_with_their_texts(ds: trajpack.Dataset) -> None:
    batch = next(iter(ds.windows(length=5, batch=4, values=NAMES, meta=True)))
    copy = pickle.loads(pickle.dumps(batch))
    assert copy["task"] == batch["task"] and copy.names("label") == batch.names("label")
    check(copy, [ds.episodes.ids])


def chosen(ds: trajpack.Dataset, **how: Any) -> set[str]:
    ids = ds.episodes.ids
    return {ids[n] for b in ds.windows(length=3, batch=1, meta=True, **how) for n in b["meta:episode"].tolist()}


@pytest.mark.parametrize("where, test, rule", [
    ({"label": "run"}, value("label") == "run", lambda v, i: v.get("label") == "run"),
    ({"label": ["run", "sit"]}, value("label").isin(["run", "sit"]), lambda v, i: v.get("label") in ("run", "sit")),
    ({"theta": {"min": 1, "max": 2}}, value("theta").between(1, 2), lambda v, i: 1 <= v.get("theta", -1) <= 2),
    ({"n": {"max": -1}}, value("n") < 0, lambda v, i: v.get("n", 1) < 0),
    ({"env.g": {"min": 15}}, value("env.g") >= 15, lambda v, i: 9.8 + i >= 15),
    ({"ok": True}, value("ok") == 1, lambda v, i: i % 2 == 0),
    ({"task": "task 2"}, value("task") == "task 2", lambda v, i: v.get("task") == "task 2"),
])
def test_episodes_and_windows_are_chosen_by_values(ds: trajpack.Dataset, where: Any, test: Any, rule: Any) -> None:
    want = {f"e{i:02}" for i in range(13) if rule(known(i), i)}
    assert want and chosen(ds, where=where) == want == chosen(ds, windows_where=test)
    assert chosen(ds, windows_where=~test) == set(ds.episodes.ids) - want


def test_windows_are_weighed_by_a_value(ds: trajpack.Dataset) -> None:
    loader = ds.windows(length=3, batch=8, meta=True, values=["theta"], window_weights=value("theta"))
    for batch in loader:
        assert (batch["theta"] > 0).all()  # a recording without the value, or with 0, is never drawn


def test_the_table_of_values_is_that_of_pandas(ds: trajpack.Dataset) -> None:
    pandas = pytest.importorskip("pandas")
    frame = ds.values.to_pandas()
    want = pandas.DataFrame([known(i) for i in range(13)], index=[f"e{i:02}" for i in range(13)])
    assert list(frame.index) == list(want.index)
    assert frame["theta"].equals(want["theta"].rename_axis("id"))
    assert frame["label"].astype(object).where(frame["label"].notna(), None).tolist() == [
        known(i).get("label") for i in range(13)]
    assert frame["label"].cat.categories.tolist() == LABELS
    assert frame["start.1"].tolist()[:3] == [0.5, 1.5, 2.5]
    assert frame["n"].isna().tolist() == [i % 4 == 3 for i in range(13)]
    assert ds.values.fields["start"].units == "m" and ds.values.fields["theta"].units == "rad"
    assert ds.episodes[1].values["task"] == "task 1" and ds.episodes["e03"].values == {"env.g": 12.8, "ok": 0}


@pytest.mark.parametrize("options, sentence", [
    ({"values": ["labell"]}, "did you mean 'label'"), ({"values": ["frames/x"]}, "name it in 'channels'"),
    ({"values": ["rate:fram"]}, "no stream 'fram'"),
    ({"windows_where": value("labell") == "a"}, "did you mean 'label'"),
    ({"windows_where": value("label") == "runn"}, "did you mean 'run'"),
    ({"windows_where": value("label") == 3}, "is compared with text"),
    ({"windows_where": value("theta") == "a"}, "is a number"),
    ({"windows_where": value("start") == 1}, "no one number"),
])
def test_what_is_no_value_is_refused(ds: trajpack.Dataset, options: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ds.windows(length=3, **options)


@pytest.mark.parametrize("given, sentence", [
    ({"label": "swim"}, "no category 'swim'"), ({"label": 3}, "is no text"), ({"start": [1, 2, 3]}, "the shape"),
    ({"a": object()}, "is a number, a text, or an array"), ({"a\n": 1}, "a value's name"),
    ({"theta": "x"}, "is a text"),
    ({"big": np.zeros(70_000)}, "at most 65,536"),
])
def test_a_writer_refuses_what_is_no_value(tmp_path: Path, given: Any, sentence: str) -> None:
    about = {"label": LABELS, "theta": {"units": "rad"}, "start": {"shape": [2]}}
    with trajpack.create(tmp_path / "w", rate=1, values=about) as writer:
        with pytest.raises(UsageError, match=sentence):
            writer.episode("a", values=given)


def test_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    given = {"inf": np.inf, "low": -np.inf, "tiny": 5e-324, "third": 1 / 3, "wide": 2**62, "half": np.float16(0.5),
             "mixed": np.array([[1.0, np.nan], [np.inf, -0.0]]), "flags": np.array([True, False])}
    with trajpack.create(tmp_path / "n", rate=1) as writer:
        writer.append("a", {"x": np.arange(4.0)}, values_of={**given, "nan": np.nan, "none": None})
    back = trajpack.open(tmp_path / "n").values.of(0)
    assert back.keys() == given.keys()
    for name, want in given.items():
        np.testing.assert_array_equal(back[name], want)
    assert np.signbit(back["mixed"][1, 1])


def test_a_writer_that_goes_on_has_the_values_of_the_dataset(tmp_path: Path) -> None:
    path = tmp_path / "on"
    with trajpack.create(path, rate=1, values={"label": LABELS}) as writer:
        writer.append("a", {"x": np.arange(4.0)}, values_of={"label": "run"})
    with trajpack.create(path, mode="a", rate=1, values={"label": LABELS}) as writer:
        writer.append("b", {"x": np.arange(4.0)}, values_of={"label": "sit"})
        with pytest.raises(UsageError, match="no category 'swim'"):
            writer.episode("c", values={"label": "swim"})
    with pytest.raises(UsageError, match="not declared so there"):
        trajpack.create(path, mode="a", rate=1, values={"label": ["swim"]})
    assert trajpack.open(path).values["label"].tolist() == ["run", "sit"]


def test_a_text_of_rows_holds_until_the_next(tmp_path: Path) -> None:
    """``stream/channel`` of a text is the last at or before the first row that is no ``past``."""
    rng = np.random.default_rng(5)
    path = tmp_path / "texts"
    said: dict[str, list[tuple[float, str]]] = {}
    with trajpack.create(path, rate={"state": 10}) as writer:
        for i in range(4):
            times = np.sort(rng.choice(40, size=5, replace=False)) / 10 if i else np.array([2.0])
            said[f"e{i}"] = [(float(t), f"{i}: {k}") for k, t in enumerate(times)]
            with writer.episode(f"e{i}") as episode:
                episode.extend({"state/x": np.arange(45.0)})
                for t, text in said[f"e{i}"]:
                    episode.append({"caption/text": text}, time=t)
    ds = trajpack.open(path)
    loader = ds.windows(channels=["state"], past=3, length=4, values=["caption/text"], batch=8, meta=True,
                        drop_last=False)
    for batch in loader:
        for k in range(batch.count):
            time = float(batch["meta:time"][k])
            want = [text for t, text in said[f"e{int(batch['meta:episode'][k])}"] if t <= time + 1e-9]
            assert batch["caption/text"][k] == (want[-1] if want else None)


def test_values_that_are_set_later_count(ds: trajpack.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "set"
    make(path, 8, 7)
    before = trajpack.open(path)
    state = before.windows(length=3, batch=2).state_dict()
    kept = before.windows(length=3, batch=2, where={"label": "run"}).state_dict()

    def annotate(*words: str) -> None:
        subprocess.run([program(), "annotate", path, *words, "--quiet"], check=True, capture_output=True, timeout=60)

    annotate("--set", "task=hunt", "--where", "label=run", "--set", "hard=[1,2.5]")
    after = trajpack.open(path)
    assert after.digest == before.digest
    assert chosen(after, where={"task": "hunt"}) == {f"e{i:02}" for i in range(8) if known(i).get("label") == "run"}
    assert chosen(after, where={"task": "hunt"}) == chosen(after, windows_where=value("task") == "hunt")
    assert after.values["task"].tolist() == [
        "hunt" if known(i).get("label") == "run" else known(i).get("task") for i in range(8)]
    batch = next(iter(after.windows(length=3, batch=2, values=["hard"])))
    assert batch["hard"].shape == (2, 2)
    # A state of windows that are not chosen by a value stays valid.
    after.windows(length=3, batch=2).load_state_dict(state)
    after.windows(length=3, batch=2, where={"label": "run"}).load_state_dict(kept)
    annotate("--set", "label=run")
    changed = trajpack.open(path).windows(length=3, batch=2, where={"label": "run"})
    with pytest.raises(UsageError, match="other data or with other options"):
        changed.load_state_dict(kept)
    annotate("--remove", "label")
    assert "label" not in trajpack.open(path).values
    with pytest.raises(UsageError, match="no episode is left"):
        trajpack.open(path).windows(length=3, where={"label": "run"})


@pytest.mark.parametrize(("where", "said"), [
    ({"label": "runn"}, "no recording has the label 'runn'; did you mean 'run'"),
    ({"label": ["runn", "w"]}, "the label 'runn' (did you mean 'run'?), 'w'"), ({"label": 3}, "the label '3'; there are"),
    ({"task": "task 9"}, "no recording has the task 'task 9'; did you mean 'task "), ({"lable": "run"}, "did you mean 'label'"),
    ({"theta": 9.5}, "no recording has the theta '9.5'; it goes from 0.0 to 3.0"),
    ({"theta": {"min": 4}}, "no recording has the value 'theta' in that range; it goes from 0.0 to 3.0"),
    ({"label": {"min": 4}}, "the value 'label' is no number in any recording"),
    ({"env.g": 1}, "no recording has the env.g '1'; it goes from 9.8 to 21.8"),
    ({"label": "run", "theta": {"max": -1}}, "the value 'theta' in that range"),
    ({"ok": "tru"}, "no recording has the ok 'tru'; did you mean 'true'")], ids=str)
def test_conditions_that_nothing_meets_say_what_there_is(ds: trajpack.Dataset, where: Any, said: str) -> None:
    for ask in (lambda: ds.windows(length=3, where=where), lambda: ds.statistics(where=where)):
        with pytest.raises(UsageError, match="no episode is left by .*13\\); .*" + re.escape(said)):
            ask()


def test_conditions_that_each_hold_for_some_are_not_blamed(ds: trajpack.Dataset) -> None:
    with pytest.raises(UsageError, match=r"no episode is left by [^;]*\(of 13\)$"):
        ds.windows(length=3, where={"theta": 0.0, "n": 5})


def test_torch_and_jax_get_values(ds: trajpack.Dataset) -> None:
    torch = pytest.importorskip("torch")
    loader = trajpack.torch.WindowLoader(ds, length=5, batch=4, values=NAMES, meta=True)
    plain = ds.windows(length=5, batch=4, values=NAMES, meta=True)
    for batch, want in zip(loader, plain, strict=True):
        assert batch["task"] == want["task"] and isinstance(batch["task"], list)
        for name in ("label", "theta", "start", "observed:theta"):
            assert torch.equal(batch[name].nan_to_num(-1), torch.from_numpy(want[name]).nan_to_num(-1))


def test_meta_says_who_is_in_each_place(tmp_path: Path) -> None:
    path = tmp_path / "who"
    with trajpack.create(path, rate={"world": 10, "npc": 10}) as writer:
        for i in range(6):
            with writer.episode(f"e{i}", split=["train", "test", None][i % 3]) as episode:
                episode.extend({"world/x": np.arange(12.0)})
                for who in range(1 + i % 3):
                    episode.extend({"npc/hp": np.full(12, float(who))}, entity=("npc", who * 2, 20 + who),
                                   time=np.arange(12) / 10)
    ds = trajpack.open(path)
    for shuffle in (True, False):
        loader = ds.windows(length=4, batch=5, meta=True, shuffle=shuffle, drop_last=False)
        splits, kinds = loader.outputs["meta:split"].categories, loader.outputs["meta:entity:npc"].categories
        assert splits is not None and kinds == ("npc",)
        for batch in loader:
            who = batch["meta:entity:npc"]
            assert who.shape == (batch.count, 3, 3) and who.dtype == np.int64
            for k in range(batch.count):
                i = int(batch["meta:id"][k][1:])
                assert batch.names("meta:split")[k] == ["train", "test", None][i % 3]
                want = [[0, 2 * n, 20 + n] if n <= i % 3 else [-1, -1, -1] for n in range(3)]
                np.testing.assert_array_equal(who[k], want)


def test_a_window_says_the_split_of_a_scheme_and_no_text_from_before_it(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    with trajpack.create(path, rate={"state": 10}) as writer:
        for i in range(3):
            with writer.episode(f"e{i}") as episode:
                episode.extend({"state/x": np.arange(50.0)})
                for k, t in enumerate((0.0, 2.0, 3.6)):
                    episode.append({"caption/text": f"{k}"}, time=t)
    subprocess.run([program(), "split", path, "--rule", "train=0:60%", "--rule", "test=60%:", "--context", "4",
                    "--split-stream", "state"], check=True, capture_output=True, timeout=60)
    ds = trajpack.open(path)
    for split, first in (("train", 0), ("test", 30)):
        loader = ds.windows(channels=["state"], split=split, past=2, length=3, values=["caption/text"], batch=4,
                            meta=True, drop_last=False)
        for batch in loader:
            assert batch.names("meta:split") == [split] * batch.count
            for k, row in enumerate(batch["meta:row"].tolist()):
                assert row >= first and batch["state/x"][k, 2] == row
                # Captions begin at rows 0, 20 and 36; of the test only rows from 30 - 4 on may be seen.
                want = 0 if row < 20 else 1 if row < 36 else 2
                assert batch["caption/text"][k] == (f"{want}" if split == "train" or want == 2 else None)
    both = ds.windows(channels=["state"], length=3, batch=4, meta=True, drop_last=False)
    for batch in both:
        want = ["train" if row < 30 else "test" for row in batch["meta:row"].tolist()]
        assert batch.names("meta:split") == want
