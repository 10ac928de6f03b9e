"""What Python itself refuses: wrong names, wrong kinds of values, each with the package's error and a sentence."""
from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trajpack
from trajpack import signal
from trajpack.evaluate import judge
from trajpack.evaluate.judge.__main__ import main


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> trajpack.Dataset:
    path = tmp_path_factory.mktemp("arm") / "arm"
    with trajpack.create(path, rate=50) as writer:
        writer.append("a", q=np.zeros((20, 3), np.float32), mode=["idle"] * 20)
    return trajpack.open(path)


def loader(arm: trajpack.Dataset, **options: Any) -> trajpack.Loader:
    return arm.windows(channels="frames/q", batch=4, **{"length": 4, **options})


@pytest.mark.parametrize(("ask", "says"), [
    (lambda d: d.windows(lenght=8), "no option 'lenght'; did you mean 'length'"),
    (lambda d: trajpack.Loader(d, lenght=8), "no option 'lenght'; did you mean 'length'"),
    (lambda d: trajpack.mixture([d], shufle=True), "no option 'shufle'; did you mean 'shuffle'"),
    (lambda d: trajpack.Writer("x", rat=3), "no option 'rat'; did you mean 'rate'"),
    (lambda d: d.windows(length=4, world=2), "no option 'world'; did you mean 'world_size'"),
    (lambda d: trajpack.mixture("lor"), "a list of data sets, or {dataset: weight}, not str"),
    (lambda d: trajpack.mixture(d), "a list of data sets"),
    (lambda d: trajpack.mixture(["lor"]), "trajpack.open\\('lor'\\)"),
    (lambda d: trajpack.mixture({"lor": 1.0}), "trajpack.open\\('lor'\\)"),
    (lambda d: trajpack.mixture([d], weights=3), "'weights' is 3, but must be a list"),
    (lambda d: trajpack.Loader(None), "not of NoneType"),
    (lambda d: loader(d, normalize_split="train"), "whose statistics 'normalize' takes, which is not given"),
    (lambda d: loader(d, features=["x"]), "'features' is \\['x'\\], but must be a dict"),
    (lambda d: loader(d, cache_dir=3), "'cache_dir' is 3, but must be a path"),
    (lambda d: loader(d, rank="a", world_size=2), "'rank' is 'a', but must be a whole number"),
    (lambda d: loader(d, rank=1.5, world_size=2), "'rank' is 1.5, but must be a whole number"),
    (lambda d: loader(d, rank=2, world_size=2), "'rank' is 2, but must be below 'world_size', which is 2"),
    (lambda d: loader(d, rank=0, world_size=0), "'world_size' is 0, but must be 1 or more"),
    (lambda d: d.episode(None), "'episode' is None, but must be a whole number"),
    (lambda d: d.episode(0.5), "'episode' is 0.5, but must be a whole number"),
    (lambda d: d.episode(7), "has 1 episode, so there is no number 7"),
    (lambda d: d.episode(0)[3], "a path is a text"),
    (lambda d: d.episode(0)["frames"][3], "no channel '3'"),
    (lambda d: d.episode(0)["frames/q"].read("a"), "'first' is 'a'"),
    (lambda d: d.episode(0)["frames/q"].read(0, 2, "flot32"), "did you mean 'float32'"),
    (lambda d: trajpack.channel("frames/q")["a"], "'component' is 'a'"),
    (lambda d: trajpack.channel("frames/mode").isin("idle"), "isin takes a list"),
    (lambda d: trajpack.channel("frames/q").mean() and True, "neither true nor false"),
    (lambda d: loader(d, windows_where=trajpack.channel("frames/q").mean()), "'windows_where' is a test"),
    (lambda d: loader(d, window_weights=trajpack.channel("frames/q").mean() > 0), "'window_weights' is a number"),
    (lambda d: loader(d).lend(None), "memory that is lent"),
    (lambda d: loader(d).lend(np.zeros((64, 64), np.uint8)[:, ::2]), "lie one after the other"),
])
def test_wrong_names_and_values(arm: trajpack.Dataset, ask: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(trajpack.UsageError, match=says):
        ask(arm)


@pytest.mark.parametrize(("ask", "says"), [
    (lambda one: one.seek(1.5), "'epoch' is 1.5"),
    (lambda one: one.seek(0, one.epoch_windows + 1), "there is no place .*: an epoch has"),
    (lambda one: one.seek(2**70), "does not fit"),          # and is not epoch 0 of some bits
    (lambda one: one.set_epoch("a"), "'epoch' is 'a'"),
    (lambda one: one.order(0, 2, -1), "'epoch' is -1, but must be 0 or more"),
    (lambda one: one.order(0.5), "'first' is 0.5"),
    (lambda one: one.locate(-1), "'window' is -1, but must be 0 or more"),
    (lambda one: one.locate(0, -1), "no data set -1; the loader has 1"),
    (lambda one: one.read([0], 1), "no data set 1; the loader has 1"),
    (lambda one: one.shuffle_quality("a"), "'samples' is 'a'"),
    (lambda one: one.load_state_dict(None), "which is a dict, but NoneType"),
    (lambda one: one.load_state_dict([]), "which is a dict, but list"),
    (lambda one: one.load_state_dict({**one.state_dict(), "epoch": math.inf}), "whole numbers"),
    (lambda one: one.load_state_dict({**one.state_dict(), "position": 1.5}), "whole numbers"),
    (lambda one: one.load_state_dict({**one.state_dict(), "position": "3"}), "whole numbers"),
    (lambda one: one.load_state_dict({**one.state_dict(), "epoch": -1}), "'epoch' is -1"),
    (lambda one: one.load_state_dict({**one.state_dict(), "position": 2**64}), "'position' is 18446744073709551616"),
])
def test_wrong_places(arm: trajpack.Dataset, ask: Callable[[trajpack.Loader], Any], says: str) -> None:
    with loader(arm) as one:
        one.next()
        before = one.state_dict()
        with pytest.raises(trajpack.UsageError, match=says):
            ask(one)
        assert one.state_dict() == before


def test_a_component_of_numpy_is_one(arm: trajpack.Dataset) -> None:
    one = loader(arm, windows_where=(trajpack.channel("frames/q")[np.int64(1)] == 0).all())
    assert one.windows == 17


def test_booleans_of_numpy_are_options(arm: trajpack.Dataset) -> None:
    one = loader(arm, time=np.bool_(True), drop_last=np.bool_(False))
    assert "time:frames" in one.outputs and len(one) == 5


@pytest.mark.parametrize(("options", "says"), [
    ({"rat": 50}, "no option 'rat'; did you mean 'rate'"),
    *(({name: 3}, f"'{name}' is 3, but must be a dict")
      for name in ("schema", "channels", "streams", "skeletons", "attributes")),
    ({"skeletons": {"hand": [(1,)]}}, "a list of pairs of joints"),
    ({"schema": {"q": {"dtype": "i4", "categories": "abc"}}}, "categories are a list of names"),
    ({"schema": {"q": {"dtype": "i4", "missing": "never"}}}, "missing is True or False, not 'never'"),
    ({"schema": {"q": {"dtype": "f4"}}, "streams": {"frames": {"time_unit": 3}}}, "time_unit is a text"),
])
def test_a_writer_that_cannot_be(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(trajpack.UsageError, match=says):
        trajpack.create(tmp_path / "a", **options)
    with pytest.raises(trajpack.UsageError, match="a path is a text"):
        trajpack.create(None)  # type: ignore[arg-type]


def test_an_episode_that_cannot_be(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "a", rate=10) as writer:
        with pytest.raises(trajpack.UsageError, match="'metadata' is 3"):
            writer.episode("x", metadata=3)  # type: ignore[arg-type]
        with pytest.raises(trajpack.UsageError, match="split is a text"):
            writer.episode("x", split=3)  # type: ignore[arg-type]
        episode = writer.episode("x")
        for entity in (3, ("a",), (1, 2)):
            with pytest.raises(trajpack.UsageError, match="an entity is"):
                episode.append(q=1.0, row=0, entity=entity)  # type: ignore[arg-type]
        with pytest.raises(trajpack.UsageError, match="'row' is 0.5"):
            episode.append(q=1.0, row=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("many", [False, True])
def test_a_refused_row_leaves_nothing(tmp_path: Path, many: bool) -> None:
    """Neither rows of the streams before the wrong one, nor names, nor the type of an entity."""
    def give(episode: trajpack.Recording, values: dict[str, Any], **more: Any) -> None:
        if many:
            values = {k: [v] for k, v in values.items()}
            more = {k: [v] if k == "time" else v for k, v in more.items()}
            episode.extend(values, **more)
        else:
            episode.append(values, **more)

    with trajpack.create(tmp_path / "a", rate={"s": 10}) as writer:
        with writer.episode("x") as episode:
            with pytest.raises(trajpack.UsageError, match="give the time"):
                give(episode, {"s/a": 1.0, "t/b": 2.0})
            assert episode.rows == 0
            give(episode, {"s/other": 1.0})
            give(episode, {"t/b": 2.0, "t/c": 3.0}, time=0.5)
            with pytest.raises(trajpack.UsageError, match="give the time"):
                give(episode, {"u/p": 0.0}, entity=("npc", 0))
            give(episode, {"u/p": 0.0}, entity=("npc", 0, 7), time=0.5)
    found = trajpack.open(tmp_path / "a")
    assert found.episode("x")["s/other"][:].tolist() == [1.0] and "s/a" not in found.streams["s"].channels
    assert found.episode("x")["u"][0].entity.type == 7


def test_one_of_a_thing_is_told_in_the_singular(arm: trajpack.Dataset, tmp_path: Path) -> None:
    one = arm.windows(length=20, batch=1, channels="frames/q")
    assert "arm: 1 episode, " in repr(arm) and repr(arm.episodes).startswith("1 episode\n")
    assert "1 episode, " in arm._repr_html_()
    assert "1 window, 1 batch of 1 an epoch" in repr(one) and "Batch of 1 window," in repr(one.next())
    assert repr(arm.episode(0)["frames"]).startswith("frames: 20 rows in 1 track\n")
    with trajpack.create(tmp_path / "b", rate=1) as writer, writer.episode("x") as episode:
        episode.append(q=1.0)
        assert "'x': 1 row, open" in repr(episode) and "b: 0 episodes>" in repr(writer)
    found = trajpack.open(tmp_path / "b")
    assert "frames: 1 row, 1 channel" in repr(found.episode(0)) and "frames: 1 row, " in repr(found)


def test_a_loader_is_pickled_with_its_place(arm: trajpack.Dataset) -> None:
    one = loader(arm)
    one.next()
    assert pickle.loads(pickle.dumps(one)).state_dict() == one.state_dict()


x = np.sin(np.arange(300) * 0.3)
t = np.arange(300) * 0.1


@pytest.mark.parametrize(("ask", "says"), [
    (lambda: signal.resample(x, t, t, gap="a"), "'gap' is 'a', but must be a number"),
    (lambda: signal.resample(x, t, t, breaks=3), "'breaks' is 3, but must be a list"),
    (lambda: signal.resample(x, t, t, angle="a"), "'angle' is 'a', but must be a list"),
    (lambda: signal.resample([[1], [1, 2]], t, t), "rows of different shapes"),
    (lambda: signal.moving_mean(x, t, t, "a"), "'width' is 'a'"),
    (lambda: signal.align(t, t, tolerance="a"), "'tolerance' is 'a'"),
    (lambda: signal.embed(x, 3), "'coordinates' is 3, but must be a list"),
    (lambda: signal.embed(x, [(0,)]), "pairs"),
    (lambda: signal.uniform(2.5, 3), "'dimension' is 2.5"),
    (lambda: signal.hankel(x, "a"), "'rows' is 'a'"),
    (lambda: signal.cao(x, 2, 4, 1, threads=1.5), "'threads' is 1.5"),
    (lambda: signal.cao(x, 2, 4, 1, threads=2**40), "threads"),
    (lambda: signal.false_neighbours(x, 2, 4, 1, ratio="a"), "'ratio' is 'a'"),
    (lambda: signal.pecuzal(x, 10, threshold="a"), "'threshold' is 'a'"),
    (lambda: signal.mask("entries", "a", x), "'amount' is 'a'"),
    (lambda: signal.mask("listed", 0, x, numbers=3), "'numbers' is 3"),
    (lambda: signal.path("natural", t, x, "a"), "'queries' must be one row of times"),
    (lambda: signal.quantise(t, "a", x), "'quantum' is 'a'"),
])
def test_wrong_values_of_signals(ask: Callable[[], Any], says: str) -> None:
    with pytest.raises(trajpack.UsageError, match=says):
        ask()


def test_whole_numbers_of_numpy_are_numbers() -> None:
    two, four = np.int64(2), np.int64(4)
    assert signal.cao(x, two, four, 1, threads=np.int32(1)).dimension == signal.cao(x, 2, 4, 1).dimension
    assert len(signal.false_neighbours(x, two, four, 1, threads=two).either) == 4
    assert signal.uniform(two, four) == [(0, 0), (0, 4)]


def test_options_of_another_judge_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge.write_segments(tmp_path / "s.json", [judge.Segment("e:0-3", "e", 0, 3)])
    base = [str(tmp_path / "s.json"), "--out", str(tmp_path / "v.jsonl"), "--truth", "{episode}", "--prediction", "{episode}"]
    for chosen, option, owner in (("command", "--url", "http"), ("command", "--cache", "http"), ("http", "--command", "command"),
                                  ("file", "--model", "http"), ("http", "--verdicts", "file")):
        assert main([*base, "--judge", chosen, option, str(tmp_path / "thing")]) == 2
        assert f"{option} is for --judge {owner}, not for --judge {chosen}" in capsys.readouterr().err
    with pytest.raises(trajpack.UsageError, match="leave the cache out"):
        judge.Asker(judge.FunctionJudge(lambda r: True), str, str, cache=judge.Cache(tmp_path / "cache"))
    with pytest.raises(trajpack.UsageError, match="No closing quotation"):
        judge.CommandJudge("look 'here")
    with pytest.raises(trajpack.UsageError, match="is a folder; each of its lines holds"):
        judge.read_labels(tmp_path)


def test_a_judge_has_to_answer() -> None:
    class Silent(judge.Judge):
        name = "silent"

    with pytest.raises(TypeError, match="ask"):
        Silent()  # type: ignore[abstract]
