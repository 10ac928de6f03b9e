"""Windows of a split that cuts episodes, against the slow loader over an archive that was really cut."""
from __future__ import annotations

import copy
import json
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from archive import Archive, Episode, Regular, Track
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import program
from reference import Reference
from test_windows import EXAMPLES, options, same

import trajpack

Span = tuple[Fraction | None, Fraction | None, Fraction | None]  # target from, to, seen from


def run(*arguments: Any, code: int = 0) -> Any:
    done = subprocess.run([program(), "split", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 and "--json" in arguments else done.stderr


def split(archive: Archive, folder: Path, rule: dict[str, Any]) -> trajpack.Dataset:
    archive.write(folder / "a.h5")
    (folder / "rule.json").write_text(json.dumps(rule))
    run(folder / "a.h5", "--into", folder / "ds", "--rules", folder / "rule.json", "--name", "s")
    return trajpack.open(folder / "ds")


def line(episode: Episode, stream: str = "s0") -> list[tuple[Track, int]]:
    """The rows of an episode by which places are counted."""
    tracks = [t for t in episode.tracks if t.stream == stream and t.rows > 0]
    return [(t, i) for t in sorted(tracks, key=lambda t: t.time(0)) for i in range(t.rows)]


def rows_of(track: Track, begin: Fraction | None, end: Fraction | None) -> range:
    inside = [i for i in range(track.rows)
              if (begin is None or track.time(i) >= begin) and (end is None or track.time(i) < end)]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def cut(track: Track, begin: Fraction | None, end: Fraction | None) -> Track:
    rows = rows_of(track, begin, end)
    clock = track.clock
    if isinstance(clock, Regular) and rows:
        clock = Regular(track.time(rows[0]), clock.rate)
    return Track(track.stream, len(rows), clock, {k: v[rows.start:rows.stop] for k, v in track.data.items()},
                 track.entity)


class Cut:
    """What windows of spans hold: of each span, a reference over the archive that was cut to what it may see."""

    def __init__(self, archive: Archive, spans: dict[int, list[Span]], **options: Any) -> None:
        self.windows: list[tuple[int, int, int, Reference, int]] = []
        whole = Reference(archive, **{**options, "where": None})
        low, high = whole._reach()
        stride = options.get("stride", 1)
        for number, episode in enumerate(archive.episodes):
            made = []
            for begin, end, seen in spans.get(number, []):
                own = copy.copy(archive)
                own.episodes = list(archive.episodes)
                own.episodes[number] = Episode(episode.id, [cut(t, seen, end) for t in episode.tracks], episode.split,
                                               episode.metadata)
                reference = Reference(own, **options)
                reference.most, reference.reference, reference.scales = whole.most, whole.reference, whole.scales
                chosen = {n for n, _, _ in Reference(archive, **{**options, "edge": "pad"}).windows}
                made.append((begin, end, seen, reference, own.episodes[number], number in chosen))
            for place, track in enumerate(episode.tracks):
                if track.stream != whole.reference:
                    continue
                # Rows are counted over all tracks of the stream.
                earlier = sum(t.rows for t in episode.tracks[:place] if t.stream == track.stream and t.entity is None)
                for begin, end, seen, reference, shorter, is_chosen in made:
                    visible, target = rows_of(track, seen, end), rows_of(track, begin, end)
                    if not target or not is_chosen:
                        continue
                    first, last = target.start, target.stop
                    if options.get("edge", "drop") == "drop":
                        first, last = max(first, visible.start - low), last - high
                    for anchor in range(first, last, stride):
                        reference.windows.append((number, shorter.tracks[place], anchor - visible.start))
                        row = anchor if track.entity is not None else earlier + anchor
                        self.windows.append((number, anchor, row, reference, len(reference.windows) - 1))


def compare(archive: Archive, rule: dict[str, Any], name: str | list[str], spans: dict[int, list[Span]],
            options: dict[str, Any], fold: int | None = None) -> int:
    truth = Cut(archive, spans, **options)
    with tempfile.TemporaryDirectory() as folder:
        dataset = split(archive, Path(folder), rule)
        choice = {"split": name, "scheme": "s", **({} if fold is None else {"fold": fold})}
        if not truth.windows:
            with pytest.raises(trajpack.UsageError):
                dataset.windows(batch=1, **choice, **options)
            return 0
        with dataset.windows(batch=4, shuffle=False, drop_last=False, time=True, meta=True, threads=2, **choice,
                             **options) as loader:
            assert loader.windows == len(truth.windows)
            seen = 0
            for batch in loader:
                for i, window in enumerate(batch.windows.tolist()):
                    number, anchor, row, reference, own = truth.windows[window]
                    want = reference.window(own)
                    for output, value in want.items():
                        same(f"window {window}, {output}", batch[output][i], value)
                    assert batch["meta:episode"][i] == number and batch["meta:row"][i] == row
                    assert loader.locate(window)[0::2] == (number, anchor)
                    seen += 1
            assert seen == loader.windows
    return seen


def borders(archive: Archive, shares: list[Fraction], context: int) -> Iterator[tuple[int, list[Span]]]:
    """The spans of every episode between shares of its rows, rounded down."""
    for number, episode in enumerate(archive.episodes):
        rows = line(episode)
        at = [int(share * len(rows)) for share in shares]
        spans: list[Span] = []
        for first, last in zip(at, at[1:], strict=False):
            if first >= last:
                spans.append((Fraction(1), Fraction(0), Fraction(1)))
                continue
            begin = None if first == 0 else rows[first][0].time(rows[first][1])
            end = None if last == len(rows) else rows[last][0].time(rows[last][1])
            seen = None if begin is None or first - context < 0 else rows[first - context][0].time(
                rows[first - context][1])
            spans.append((begin, end, seen if context else begin))
        yield number, spans


@st.composite
def loading(draw: st.DrawFn) -> dict[str, Any]:
    out = draw(options())
    out.pop("rate", None)  # a grid counts from the recording's first row: below
    out.pop("normalize", None)
    out["hold"] = draw(st.sampled_from(["interval", "end"]))  # what is sparse is so before it is cut
    if draw(st.booleans()):
        out["past"] = draw(st.integers(1, 6))
    out["length"] = draw(st.integers(1, 5))
    return out


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2 ** 32), loading(), st.integers(0, 6), st.integers(20, 60), st.integers(0, 20),
       st.integers(0, 2))
def test_a_split_is_as_if_the_rest_were_not_there(seed: int, options: dict[str, Any], context: int, first: int,
                                                  more: int, which: int) -> None:
    archive = worlds.archive(seed, most=40)
    archive.episodes = [e for e in archive.episodes if line(e)]
    if not archive.episodes:
        return
    second = min(first + more + 5, 95)
    spans = dict(borders(archive, [Fraction(0), Fraction(first, 100), Fraction(second, 100), Fraction(1)], context))
    if any(all(s[which] == (1, 0, 1) for s in spans.values()) for which in range(3)):
        return  # an empty split is refused
    rule = {"splits": {"a": f":{first}%", "b": f"{first}%:{second}%", "c": f"{second}%:"}, "context": context,
            "stream": "s0"}
    own = {n: [s[which]] for n, s in spans.items() if s[which] != (1, 0, 1)}
    compare(archive, rule, "abc"[which], own, options)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fold", range(3))
def test_folds_of_rows(seed: int, fold: int) -> None:
    """The training rows of the middle fold are two spans; of the others, those that touch are one."""
    archive = worlds.archive(seed, most=50)
    archive.episodes = [e for e in archive.episodes if len(line(e)) >= 3]
    rule = {"folds": 3, "over": "rows", "context": 2, "stream": "s0"}
    spans: dict[int, list[Span]] = {}
    for number, episode in enumerate(archive.episodes):
        rows = line(episode)
        sizes = [len(rows) // 3 + (i < len(rows) % 3) for i in range(3)]
        at = [0, sizes[0], sizes[0] + sizes[1], len(rows)]
        moment = [rows[i][0].time(rows[i][1]) for i in at[:3]]

        def back(i: int, rows: list[tuple[Track, int]] = rows) -> Fraction | None:
            return None if i < 2 else rows[i - 2][0].time(rows[i - 2][1])

        spans[number] = {0: [(moment[1], None, back(at[1]))],
                         1: [(None, moment[1], None), (moment[2], None, back(at[2]))],
                         2: [(None, moment[2], None)]}[fold]
    assert compare(archive, rule, "train", spans, {"length": 2, "past": 2, "hold": "interval"}, fold) > 0


@pytest.mark.parametrize("edge", ["drop", "pad", "clamp"])
def test_a_grid_keeps_the_recordings_beginning(edge: str, tmp_path: Path) -> None:
    """A grid of another rate has the same moments in a split as without, and takes no row from behind it."""
    with trajpack.create(tmp_path / "ds", rate={"s": 10}) as writer:
        writer.append("e", {"s/x": np.arange(100.0), "s/n": np.arange(100)})
    run(tmp_path / "ds", "--rule", "a=0:33", "--rule", "b=33:70", "--context", 3)
    dataset = trajpack.open(tmp_path / "ds")
    with dataset.windows(length=4, rate=25, edge=edge, shuffle=False, batch=1, time=True, split="b") as loader:
        grid = np.arange(0, 9.9 + 1e-9, 1 / 25)
        inside = grid[(grid >= 3.3) & (grid < 7)]
        starts = [b["time:s"][0, 0] for b in loader]
        np.testing.assert_allclose(starts, inside[:len(starts)])
        assert len(starts) == len(inside) - (3 if edge == "drop" else 0)
        for batch in loader:
            taken = batch["s/n"][batch["padding:s"] == 0]
            assert taken.min() >= 30 and taken.max() < 70 and (batch["s/x"] < 70).all()


def test_autoformers_windows(tmp_path: Path) -> None:
    """Dataset_ETT_hour of github.com/thuml/Autoformer, by its formula: border1s, border2s, __getitem__, __len__."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(17_420, 7)).cumsum(0).astype("f4")
    with trajpack.create(tmp_path / "ds", rate={"s": "1/3600"}) as writer:
        writer.append("ett", {"s/x": data})
    month = 30 * 24
    names = {"train": f"0:{12 * month}", "val": f"{12 * month}:{16 * month}", "test": f"{16 * month}:{20 * month}"}
    told = run(tmp_path / "ds", *[a for n, r in names.items() for a in ("--rule", f"{n}={r}")], "--context", 96,
               "--length", 96, "--past", 96, "--json")
    assert [s["windows"] for s in told["splits"]] == [8449, 2785, 2785]
    assert told["in_none"] == {"episodes": 1, "rows": 3020}
    begins = [0, 12 * month - 96, 16 * month - 96]
    ends = [12 * month, 16 * month, 20 * month]
    dataset = trajpack.open(tmp_path / "ds")
    for name, begin, end in zip(names, begins, ends, strict=True):
        part = data[begin:end]
        count = len(part) - 96 - 96 + 1
        with dataset.windows(split=name, past=96, length=96, shuffle=False, batch=256, drop_last=False) as loader:
            assert loader.windows == count
            at = 0
            for batch in loader:
                want = np.stack([part[i:i + 192] for i in range(at, at + len(batch["s/x"]))])
                np.testing.assert_array_equal(batch["s/x"], want)
                at += len(want)
            assert at == count


def test_sequence_of_states(tmp_path: Path) -> None:
    """A state of a loader goes on in a split, on another number of ranks, and is refused in another split."""
    with trajpack.create(tmp_path / "ds", rate={"s": 1}) as writer:
        for i in range(5):
            writer.append(f"e{i}", {"s/x": np.arange(60.0) + 100 * i})
    run(tmp_path / "ds", "--rule", "a=0:50%", "--rule", "b=50%:", "--context", 2)
    dataset = trajpack.open(tmp_path / "ds")
    given: dict[str, Any] = {"length": 3, "past": 2, "batch": 4, "shuffle": True, "seed": 3}
    with dataset.windows(split="b", **given) as loader:
        everything = [w for b in loader for w in b.windows.tolist()]
        loader.set_epoch(0)
        iterator = iter(loader)
        first = [w for _ in range(3) for w in next(iterator).windows.tolist()]
        state = loader.state_dict()
    rest = []
    for rank in range(2):
        with dataset.windows(split="b", **given, rank=rank, world_size=2) as loader:
            loader.load_state_dict(state)
            rest += [w for b in loader for w in b.windows.tolist()]
    assert len(rest) > 100 and sorted(first + rest) == sorted(everything[:len(first) + len(rest)])
    with dataset.windows(split="a", **given) as loader, pytest.raises(trajpack.UsageError, match="other"):
        loader.load_state_dict(state)


def test_states_without_a_split_stay_valid(tmp_path: Path) -> None:
    with trajpack.create(tmp_path / "ds", rate={"s": 1}) as writer:
        writer.append("e", {"s/x": np.arange(60.0)})
    with trajpack.open(tmp_path / "ds").windows(length=3, batch=4) as loader:
        next(iter(loader))
        state = loader.state_dict()
    run(tmp_path / "ds", "--rule", "a=0:50%", "--rule", "b=50%:")
    with trajpack.open(tmp_path / "ds").windows(length=3, batch=4) as loader:
        loader.load_state_dict(state)


def test_windows_are_chosen_by_what_the_split_may_see(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=200)
    with trajpack.create(tmp_path / "ds", rate={"s": 1, "t": 3}) as writer:
        writer.append("e", {"s/x": values, "t/y": np.repeat(values, 3)})
    run(tmp_path / "ds", "--rule", "a=0:90", "--rule", "b=90:160", "--context", 4)
    dataset = trajpack.open(tmp_path / "ds")
    for channel in ("s/x", "t/y"):
        test = trajpack.channel(channel).max() > 1.5
        with dataset.windows(split="b", length=3, past=4, windows_where=test, shuffle=False, batch=1, meta=True,
                             channels="s") as loader:
            rows = [int(b["meta:row"][0]) for b in loader]
        assert rows == [r for r in range(90, 158) if values[r - 4:r + 3].max() > 1.5]


def test_plans_do_not_look_over_borders(tmp_path: Path) -> None:
    values = np.arange(60.0)
    with trajpack.create(tmp_path / "ds", rate={"s": 1}) as writer:
        writer.append("e", {"s/x": values}, split="train")
    run(tmp_path / "ds", "--name", "s", "--rule", "train=0:50%", "--rule", "test=50%:", "--context", 2)
    dataset = trajpack.open(tmp_path / "ds")
    scaled = {"steps": [{"step": "normalize", "channels": ["s/x"],
                         "constants": {"s/x": {"shift": [1.0], "scale": [0.5]}}}]}
    with dataset.windows(split="test", scheme="s", length=3, past=2, batch=1, shuffle=False, plan=scaled) as loader:
        got = np.stack([b["s/x"][0] for b in loader])
    np.testing.assert_allclose(got, np.stack([(values[i:i + 5] - 1) * 0.5 for i in range(28, 56)]))
    filtered = {"steps": [{"step": "resample", "streams": ["s"], "up": 1, "down": 2}]}
    with pytest.raises(trajpack.UsageError, match="from beyond a border"):
        dataset.windows(split="test", scheme="s", length=3, plan=filtered)
    fitted = {"steps": [{"step": "normalize", "channels": ["s/x"]}]}
    train = values[:30]
    scaled_values = (values - train.mean()) / train.std()
    with dataset.windows(split="test", scheme="s", length=3, past=2, batch=1, shuffle=False, plan=fitted) as loader:
        got = np.stack([b["s/x"][0] for b in loader])
    np.testing.assert_allclose(got, np.stack([scaled_values[i:i + 5] for i in range(28, 56)]), rtol=1e-12)
    (tmp_path / "plan.json").write_text(json.dumps(fitted))

    def apply(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program(), "apply", tmp_path / "ds", tmp_path / name, "--plan", tmp_path / "plan.json",
                               *options], capture_output=True, text=True)

    # Two schemes, neither of them the default, and shards that have splits of their own: those count.
    assert apply("own").returncode == 0 and apply("out", "--scheme", "s").returncode == 0
    out = trajpack.open(tmp_path / "out")
    np.testing.assert_allclose(out.episode("e")["s"]["x"][:], scaled_values, rtol=1e-12)
    np.testing.assert_allclose(trajpack.open(tmp_path / "own").episode("e")["s"]["x"][:],
                               (values - values.mean()) / values.std(), rtol=1e-12)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["source"]["options"]["scheme"].startswith("s ")
    unknown = apply("no", "--scheme", "t")
    assert unknown.returncode == 2 and "no split scheme 't'" in unknown.stderr and not (tmp_path / "no").exists()


def test_standardised_by_the_target_rows_of_a_split(tmp_path: Path) -> None:
    """As scikit-learn's StandardScaler, fitted to the training rows, makes them: every bit of float32."""
    from sklearn.preprocessing import StandardScaler

    data = np.random.default_rng(1).normal(size=(17_420, 7)).cumsum(0).astype("f4")
    with trajpack.create(tmp_path / "ds", rate={"s": "1/3600"}) as writer:
        writer.append("ett", {"s/x": data})
    run(tmp_path / "ds", "--rule", "train=0:8640", "--rule", "val=8640:11520", "--rule", "test=11520:14400",
        "--context", 96)
    scaled = StandardScaler().fit(data[:8640].astype("f8")).transform(data.astype("f8")).astype("f4")
    for name, first, count in [("train", 0, 8449), ("val", 8544, 2785), ("test", 11_424, 2785)]:
        with trajpack.open(tmp_path / "ds").windows(split=name, past=96, length=96, shuffle=False, batch=500,
                                                    drop_last=False, normalize="standard") as loader:
            assert loader.windows == count
            at = first
            for batch in loader:
                for window in batch["s/x"]:
                    assert np.array_equal(window, scaled[at:at + 192])
                    at += 1
