"""What somebody finds who does not know the names: signatures, texts of objects, sentences for mistakes."""
from __future__ import annotations

import copy
import inspect
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trajpack
from trajpack import channel, value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two episodes with a value each."""
    path = tmp_path_factory.mktemp("discover") / "ds"
    with trajpack.create(path, rate=30) as writer:
        for number in range(2):
            with writer.episode(f"e{number}", values={"task": "ab"[number]}) as episode:
                episode.extend(q=np.arange(20.0) + 100 * number, image=np.zeros((20, 4, 4), np.uint8))
    return str(path)


def test_signatures_have_every_option_by_its_name(made: str) -> None:
    def options(function: Any) -> list[str]:
        return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]

    wanted = options(trajpack.Loader)
    assert "channels" in wanted and "normalize" in wanted
    assert options(trajpack.open(made).windows) == wanted
    assert options(trajpack.mixture) == ["epoch_windows", *(n for n in wanted if n != "weights" and n != "epoch_windows")]
    assert options(trajpack.create) == options(trajpack.Writer)
    from trajpack.grain import WindowSource
    order = ("batch", "rank", "world_size", "shuffle", "drop_last", "block_windows", "block_count", "window_weights",
             "replacement", "epoch_windows", "weights")
    assert options(WindowSource) == [n for n in wanted if n not in order]
    for one in (trajpack.Loader, trajpack.open(made).windows, trajpack.create, WindowSource):
        assert "options" not in inspect.signature(one).parameters


def test_type_checkers_see_the_options(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("""
import trajpack
data = trajpack.open("x")
loader: trajpack.Loader = data.windows(length=3, channels=["a"])
writer: trajpack.Writer = trajpack.create("x", rate=3)
other: trajpack.Writer = trajpack.create(path="x", mode="a")
data.windows(lenght=3)
data.windows(length="x")
trajpack.create("x", rte=3)
data.statistics(chanels="x")
""")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--ignore-missing-imports",
                           "--cache-dir", tmp_path / "cache", "user.py"], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "MYPYPATH": str(Path(trajpack.__file__).parents[1])})
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    for line, said in zip(lines, ["user.py:7: .*did you mean \"length\"", "user.py:8: .*incompatible type \"str\"",
                                  "user.py:9: .*did you mean \"rate\"", "user.py:10: .*did you mean \"channels\""],
                          strict=True):
        assert re.match(said, line), line


@pytest.mark.parametrize(("call", "sentence", "option"), [
    (lambda ds, path: ds.statistics(chanels="q"), "no option 'chanels'; did you mean 'channels'", "chanels"),
    (lambda ds, path: ds.statistics(by="tsk"), "no episode has a value 'tsk'; did you mean 'task'", None),
    (lambda ds, path: ds.split(fold=3), "no option 'fold'; did you mean 'folds'", "fold"),
    (lambda ds, path: trajpack.create(path / "new").episode("q", splt="train"), "did you mean 'split'", "splt"),
    (lambda ds, path: ds.windows(length=2, normalize={"method": "standard", "per": "tsk"}), "did you mean 'task'", None),
    (lambda ds, path: ds.windows(length=2, normalize={"method": "standard", "axis": 0}),
     "no member 'axis'; did you mean 'axes'", None),
    (lambda ds, path: ds.windows(offsets={"frames": ["a"]}), "'offsets' has 'a', but must be rows", "offsets"),
    (lambda ds, path: ds.windows(offsets={"frames": ["1/0"]}), "'offsets' has '1/0'", "offsets"),
    (lambda ds, path: ds.windows(length=2, fill=float("nan")), "'fill' is nan, but must be a finite", "fill"),
    (lambda ds, path: ds.windows(length=2, fill={"q": np.float32("inf")}), "'fill' is inf", "fill"),
    (lambda ds, path: ds.windows(length=2, normalize={"method": "minmax", "range": [0, float("nan")]}),
     "'normalize' holds a number that is not finite", "normalize"),
    (lambda ds, path: ds.windows(length=2, episodes=0), r"number 0 is ds.episodes.ids\[0\]", "episodes"),
    (lambda ds, path: ds.windows(length=2, episodes=range(2)), "'episodes' has 0, but must be ids", "episodes"),
    (lambda ds, path: ds.statistics(episodes=[1]), "'episodes' has 1, but must be ids", "episodes"),
    (lambda ds, path: ds.windows(length=2, seed=2**64), "'seed' is 18446744073709551616, but", "seed"),
    (lambda ds, path: trajpack.create(path / "new").episode("q", metadata={"a": {"b": object()}}),
     r"metadata\.a\.b has a value of type object, which is neither", None),
    (lambda ds, path: trajpack.create(path / "new").episode("q", metadata={"a": float("nan")}) .append(x=1),
     "'metadata' holds a number that is not finite", "metadata"),
    (lambda ds, path: ds.windows(length=2, num_workers=3), "no option 'num_workers'; did you mean 'threads'", None),
    (lambda ds, path: ds.windows(delta_timestamps={"q": [0.0]}), "did you mean 'offsets'", "delta_timestamps"),
    (lambda ds, path: ds.windows(length=2, where="task=a"), "'where' is 'task=a', but must be a dict", "where"),
    (lambda ds, path: ds.windows(length=2, entities={"frames": 2}), "stream 'frames' has no entities.*leave it out$",
     "entities"),
    (lambda ds, path: ds.statistics(where="task=a"), "'where' is 'task=a', but must be a dict", "where"),
    (lambda ds, path: ds.windows(length=2, windows_where="q > 1"), "'windows_where' is 'q > 1', but must be a test",
     "windows_where"),
    (lambda ds, path: trajpack.open(None), "a path is a text, not NoneType", None),
    (lambda ds, path: ds.windows(length=2, channels="frames/image", size=8), r"\[height, width\]", None),
    (lambda ds, path: trajpack.create(""), "a path is an empty text", None),
    (lambda ds, path: trajpack.open(""), "a path is an empty text", None),
])
def test_mistakes_have_a_sentence(call: Any, sentence: str, option: str | None, made: str, tmp_path: Path) -> None:
    with pytest.raises(trajpack.UsageError, match=sentence) as said:
        call(trajpack.open(made), tmp_path)
    assert option is None or said.value.place.option == option


def test_tests_of_windows_print_as_they_are_written() -> None:
    speed = channel("state/speed")
    tests = [(abs(speed) > 0.1).any(), (speed[[0, 2]].change().norm() <= 3).all() & ~(channel("m") == "menu").last(),
             speed.mean().between(0, 1) | (value("label") == "run"), value("n").isin([1, 2]), speed.missing() < 0.5]
    for test in tests:
        assert eval(repr(test), {"channel": channel, "value": value}).json == test.json
    assert repr(tests[0]) == "(abs(channel('state/speed')) > 0.1).any()"
    assert [repr(x) for x in (speed[0], speed > 1, speed.mean(), value("w"))] == [
        "channel('state/speed')[0]", "channel('state/speed') > 1", "channel('state/speed').mean()", "value('w')"]


def test_copies_of_statistics_can_be_called(made: str) -> None:
    statistics = trajpack.open(made).statistics
    for one in (copy.copy(statistics), copy.deepcopy(statistics)):
        assert one == statistics and one(channels="frames/q").episodes == 2
    deep = copy.deepcopy(statistics)
    deep[""]["frames/q"]["mean"][0] = -1.0
    assert statistics[""]["frames/q"]["mean"][0] != -1.0
    assert type(pickle.loads(pickle.dumps(statistics))) is dict          # which needs no data set


def test_windows_by_number_say_what_they_are_and_go_back(made: str) -> None:
    from trajpack.grain import WindowSource
    data = trajpack.open(made)
    for per in (None, "episode"):
        source = WindowSource(data, length=4, channels="frames/q", meta=True, normalize={"method": "standard", "per": per})
        assert repr(source).startswith(f"<trajpack.grain.WindowSource of 34 windows of {made}>\n  frames/q: float32 [4]")
        assert list(source.normalization) == ["frames/q"] and source.left_raw == []
        np.testing.assert_allclose(source.denormalize(source[20])["frames/q"], [103, 104, 105, 106], rtol=1e-6)


def test_a_mask_fits_the_values(made: str) -> None:
    loader = trajpack.open(made).windows(length=4, batch=3, channels=["frames/q"], normalize="standard")
    values = loader.next()["frames/q"]
    some = np.array([True, False, True, True])
    back = loader.denormalize(values, "frames/q", mask=some)
    assert back.shape == values.shape and (back[:, 1] == values[:, 1]).all() and (back[:, 0] != values[:, 0]).all()
    for shape in ((3,), (2, 3, 4), (4, 4), (3, 4, 1)):
        with pytest.raises(trajpack.UsageError, match="'mask' has shape .* but must have that of 'frames/q', .3, 4."):
            loader.denormalize(values, "frames/q", mask=np.ones(shape, bool))
