"""Clips as windows: the nearest row of every instant, against fractions; the laws of order."""
from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from archive import Archive, Channel, Episode, Real, Regular, Stream, Track

import trajpack
from trajpack import channel


def interval(track: Track, row: int) -> Fraction:
    if isinstance(track.clock, Regular):
        return 1 / track.clock.rate
    row = min(row, track.rows - 2)
    return track.time(row + 1) - track.time(row) if row >= 0 else Fraction(0)


def near(track: Track, row: int, distance: Fraction) -> bool:
    """Whether a row is the one at a moment: a thousandth, and at most a quarter of the interval."""
    gap = interval(track, row)
    return distance <= (min(Fraction(1, 1000), gap / 4) if gap else Fraction(1, 1000))


def nearest(track: Track, moment: Fraction) -> int | None:
    """The nearest row, of two the earlier; none that is farther away than half an interval."""
    times = [track.time(i) for i in range(track.rows)]
    if not times:
        return None
    if moment < times[0]:
        early = times[0] - moment
        return 0 if early < interval(track, 0) / 2 or near(track, 0, early) else None
    if moment > times[-1]:
        late = moment - times[-1]
        gap = interval(track, track.rows - 1)
        return track.rows - 1 if late <= gap / 2 or near(track, track.rows - 1, late) else None
    distances = [abs(t - moment) for t in times]
    return distances.index(min(distances))


def expected(episode: Episode, stream: str, moment: Fraction) -> tuple[Track, int] | None:
    found = None
    for track in episode.tracks:
        if track.stream == stream:
            row = nearest(track, moment)
            if row is not None:
                found = (track, row)        # of several tracks the later one counts
    return found


def random_clips(rng: np.random.Generator, world: Archive, count: int) -> list[dict[str, Any]]:
    """Clips of tracks of s0, on rows and between them, at their own rate and at others."""
    out: list[dict[str, Any]] = []
    tracks = [(e, t) for e in world.episodes for t in e.tracks if t.stream == "s0" and t.rows >= 8]
    while len(out) < count:
        episode, track = tracks[rng.integers(len(tracks))]
        rate = [None, track.clock.rate, Fraction(16), Fraction(5), Fraction(24000, 1001)][rng.integers(5)]
        row = int(rng.integers(0, track.rows - 4))
        start = track.time(row) + (Fraction(int(rng.integers(0, 7)), 7) / track.clock.rate if rng.random() < 0.5 else 0)
        step = 1 / (rate or track.clock.rate)
        most = int((track.time(track.rows - 1) - start) / step) + 1
        if most < 2:
            continue
        clip = {"id": f"c{len(out)}", "episode": episode.id, "start": start, "rows": int(rng.integers(1, most + 1))}
        out.append(clip if rate is None else {**clip, "rate": rate})
    return out


def instants(world: Archive, clip: dict[str, Any]) -> list[Fraction]:
    """The moments of a clip's rows. A start within a thousandth of a row is that row; without a rate, or at the
    track's own, and off the rows, it goes on by the period."""
    episode = next(e for e in world.episodes if e.id == clip["episode"])
    for track in episode.tracks:
        if track.stream != "s0" or not track.rows:
            continue
        first, last = track.time(0), track.time(track.rows - 1)
        if not first - Fraction(1, 500) <= clip["start"] <= last + Fraction(1, 500):
            continue
        start = clip["start"]
        on = next((track.time(i) for i in range(track.rows) if near(track, i, abs(track.time(i) - start))), None)
        step = 1 / (clip.get("rate") or track.clock.rate)
        if (on if on is not None else start) + (clip["rows"] - 1) * step <= last + Fraction(1, 1000):
            return [(on if on is not None else start) + k * step for k in range(clip["rows"])]
    raise AssertionError(clip)


def is_log(world: Archive, stream: Stream, one: Channel) -> bool:
    tracks = [t for e in world.episodes for t in e.tracks if t.stream == stream.name]
    sparse = any(not isinstance(t.clock, Regular) for t in tracks) or max((t.rows for t in tracks), default=0) == 1
    return sparse and one.kind in ("label", "categorical", "event")


@pytest.mark.parametrize("seed", range(12))
def test_rows_are_those_nearest_to_each_instant(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    world = worlds.archive(100 + seed, streams=4, episodes=4, most=60)
    ds = trajpack.open(world.write(tmp_path / "world.h5"))
    clips = random_clips(rng, world, 12)
    peopled = {t.stream for e in world.episodes for t in e.tracks if t.entity}
    own = [s for s in world.streams if s.name not in peopled]
    loader = ds.windows(clips=clips, channels=[s.name for s in own], reference="s0", edge="pad", shuffle=False, batch=1,
                        drop_last=False, meta=True)
    assert loader.windows == len(clips)
    compared = 0
    for number, clip in enumerate(clips):
        batch = loader.read([number])
        episode = next(e for e in world.episodes if e.id == clip["episode"])
        moments = instants(world, clip)
        assert batch["meta:clip"][0] == number and ds.episodes[int(batch["meta:episode"][0])].id == clip["episode"]
        for stream in own:
            found = [expected(episode, stream.name, m) for m in moments]
            for one in stream.channels:
                name = f"{stream.name}/{one.name}"
                if name not in batch or is_log(world, stream, one):
                    continue
                padding = batch[f"padding:{name}"][0]
                assert padding[:len(found)].tolist() == [f is None for f in found], (name, clip)
                assert padding[len(found):].all()
                for t, place in enumerate(found):
                    if place is not None:
                        track, row = place
                        want = one.values(track.data[one.name][row:row + 1])[0]
                        np.testing.assert_array_equal(batch[name][0, t], want, err_msg=f"{name} {clip} {t}")
                        compared += 1
    assert compared > 100


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_listed(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    world = worlds.archive(200 + seed, streams=4, episodes=4, most=60)
    ds = trajpack.open(world.write(tmp_path / "world.h5"))
    clips = random_clips(rng, world, 8)
    loader = ds.windows(clips=clips, channels=["s0"], edge="pad", shuffle=False, batch=1)
    for number, (clip, listed) in enumerate(zip(clips, loader.clips(), strict=True)):
        assert (listed["id"], listed["episode"], listed["rows"]) == (clip["id"], clip["episode"], clip["rows"])
        episode = next(e for e in world.episodes if e.id == clip["episode"])
        for stream in world.streams:
            tracks = [t for t in episode.tracks if t.stream == stream.name]
            if any(t.entity for t in tracks):
                with pytest.raises(trajpack.UsageError, match="several entities"):
                    loader.clip_rows(number, stream.name)
                continue
            before = np.cumsum([0] + [t.rows for t in tracks]).tolist()
            want = []
            for moment in instants(world, clip):
                found = [b + r for b, t in zip(before, tracks, strict=False) if (r := nearest(t, moment)) is not None]
                want.append(found[-1] if found else -1)
            assert loader.clip_rows(number, stream.name).tolist() == want
    with pytest.raises(trajpack.UsageError, match="there is no stream 's'; "):
        loader.clip_rows(0, "s")


@pytest.fixture(scope="module")
def ww(wildworld: str) -> trajpack.Dataset:
    return trajpack.open(wildworld)


def test_ties_go_to_the_earlier_row(ww: trajpack.Dataset) -> None:
    """At 16 of 30 rows a second every eighth instant from the fourth on lies halfway between two rows."""
    loader = ww.windows(clips=[("000001", 1.0, 41, 16)], channels=["camera"], batch=1)
    places = [Fraction(30) + Fraction(30 * k, 16) for k in range(41)]
    want = [int(p) + (p - int(p) > Fraction(1, 2)) for p in places]
    assert sum(p - int(p) == Fraction(1, 2) for p in places) == 5
    assert loader.clip_rows(0, "rgb").tolist() == loader.clip_rows(0, "camera").tolist() == want
    position = ww.episode("000001")["camera/pos"][:][want]
    np.testing.assert_array_equal(loader.next()["camera/pos"][0], position)


def test_entities_come_with_their_own_rows(ww: trajpack.Dataset) -> None:
    """The monster of 000002 leaves for a second: its rows are absent at those instants, and nobody else's are."""
    clip = {"episode": "000002", "start": "1.5", "rows": 41, "rate": 16}
    batch = ww.windows(clips=[clip], channels=["skeleton/em_37", "skeleton/npc", "npc/hp"], batch=1).next()
    assert batch["skeleton/npc/joints"].shape[:3] == (1, 41, 2)
    rows = [int(p) + (p - int(p) > Fraction(1, 2)) for p in (45 + Fraction(30 * k, 16) for k in range(41))]
    table = ww.episode("000002")["skeleton/em_37"][0]
    times = {round(float(t) * 30): n for n, t in enumerate(np.asarray(table.times))}
    assert batch["present:skeleton/em_37"][0, :, 0].tolist() == [r in times for r in rows]
    assert 0 < batch["present:skeleton/em_37"].sum() < 41 and batch["present:skeleton/npc"].all()
    joints = np.asarray(table["joints"][:])
    for t, row in enumerate(rows):
        if row in times:
            np.testing.assert_array_equal(batch["skeleton/em_37/joints"][0, t, 0], joints[times[row]])


FORMS = [{"episode": "000001", "start": 1.0, "rows": 30}, {"episode": "000002", "start": 1.5, "rows": 30, "rate": 10,
                                                          "label": "a, \"b\"\nc", "id": "two"}]


def test_every_form_of_a_list_is_the_same(ww: trajpack.Dataset, tmp_path: Path) -> None:
    import pandas
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,episode,start,rows,rate,label\r\n,000001,1.0,30,,\r\n"
                                     b"two,000002,1.5,30.0,10,\"a, \"\"b\"\"\nc\"\r\n")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, FORMS)) + "\n\n")
    (tmp_path / "a.json").write_text(json.dumps({"format": "trajpack.clips/1", "clips": FORMS}, indent=1))
    (tmp_path / "b.json").write_text(json.dumps(FORMS))
    frame = pandas.DataFrame(FORMS)
    tuples = [("000001", 1.0, 30), ("000002", Fraction(3, 2), 3.0, 10, "two", "a, \"b\"\nc")]
    tuples[1] = ("000002", Fraction(3, 2), 30, 10, "two", "a, \"b\"\nc")
    # A frame has float rows and empty cells; seconds make another list of the same windows.
    lists = [FORMS, frame, tuples, tmp_path / "a.csv", tmp_path / "a.jsonl", str(tmp_path / "a.json"),
             tmp_path / "b.json"]
    made = [ww.windows(clips=one, channels=["camera"], batch=2, shuffle=False) for one in lists]
    assert len({loader.digest for loader in made}) == 1
    first = made[0].next()
    for loader in made[1:]:
        assert loader.clips() == made[0].clips()
        np.testing.assert_array_equal(loader.next()["camera/pos"], first["camera/pos"])
    seconds = ww.windows(clips=[("000001", 1.0, 1.0), ("000002", 1.5, 3.0, 10)], channels=["camera"], batch=2,
                         shuffle=False)
    np.testing.assert_array_equal(seconds.next()["camera/pos"], first["camera/pos"])


def test_starts_that_were_rounded_are_those_of_their_rows(ww: trajpack.Dataset) -> None:
    exact = ww.windows(clips=[{"episode": "000001", "start_row": 40, "rows": 9}], channels=["camera"], batch=1)
    for start in (1.333, 1.3333333333333333, Fraction(4, 3), "4/3"):
        for extra in ({}, {"rate": 30}):
            loader = ww.windows(clips=[{"episode": "000001", "start": start, "rows": 9, **extra}], channels=["camera"],
                                batch=1)
            assert loader.clip_rows(0, "camera").tolist() == list(range(40, 49))
    assert exact.clips()[0]["row"] == 40 and exact.clip_rows(0, "rgb").tolist() == list(range(40, 49))


def clips_of(world: str) -> list[dict[str, Any]]:
    return [{"id": f"{e}:{r}", "episode": e, "start_row": r, "rows": 12, "label": "ab"[r % 2]}
            for e in ("000001", "000002", "000003") for r in range(0, 70, 3)]


@pytest.mark.parametrize("shuffle", ["global", False, "block"])
@pytest.mark.parametrize("world", [1, 3])
def test_order_shuffle_resume_and_ranks(ww: trajpack.Dataset, wildworld: str, shuffle: Any, world: int) -> None:
    clips = clips_of(wildworld)
    options = {"clips": clips, "channels": ["camera"], "batch": 4, "seed": 3, "shuffle": shuffle, "drop_last": False,
               "threads": 1, "meta": True}
    whole = ww.windows(**options)
    order = whole.order()[0].tolist()
    assert sorted(order) == list(range(len(clips))) and (shuffle or order == sorted(order))
    ranks = [ww.windows(**options, rank=r, world_size=world) for r in range(world)]
    steps = [list(rank) for rank in ranks]
    union = []
    for step in zip(*steps, strict=True):
        parts = [[] if b.repeated else b["meta:clip"].tolist() for b in step]
        union += [parts[j % world][j // world] for j in range(sum(map(len, parts)))]
    assert union == order
    first = ww.windows(**options)
    for _ in range(5):
        first.next()
    second = ww.windows(**options)
    second.load_state_dict(first.state_dict())
    rest = [b.windows.tolist() for b in iter(second.next, None)]
    assert rest == [b.windows.tolist() for b in iter(first.next, None)]
    other = ww.windows(**{**options, "clips": clips[:-1] + [{**clips[-1], "start_row": 1}]})
    with pytest.raises(trajpack.UsageError, match="other data or with other options"):
        other.load_state_dict(whole.state_dict())


def test_windows_are_named(ww: trajpack.Dataset, wildworld: str) -> None:
    clips = clips_of(wildworld)
    loader = ww.windows(clips=clips, channels=["camera"], batch=48, meta=True, episodes=["000002", "000003"])
    listed = loader.clips()
    assert [c["id"] for c in listed] == [c["id"] for c in clips if c["episode"] != "000001"]
    batch = loader.next()
    for window, number, row, time in zip(batch.windows, batch["meta:clip"], batch["meta:row"], batch["meta:time"],
                                         strict=True):
        clip = clips[number]
        assert listed[window]["id"] == clip["id"] and listed[window]["label"] == clip["label"]
        assert listed[window]["number"] == number and row == clip["start_row"] and time == clip["start_row"] / 30
    episodes, _, rows = loader.locate(batch.windows)
    assert rows.tolist() == batch["meta:row"].tolist() and episodes.tolist() == batch["meta:episode"].tolist()
    assert ww.windows(length=4, channels=["camera"]).clips() is None


def test_past_future_and_short_clips(ww: trajpack.Dataset) -> None:
    clips = [("000001", 1.0, 20, 15), ("000001", 2.0, 8, 15)]
    loader = ww.windows(clips=clips, channels=["camera", "npc/hp"], past=3, future=2, edge="pad", batch=2,
                        shuffle=False)
    batch = loader.next()
    assert loader.length == 25
    assert batch["padding:camera"].sum(1).tolist() == [0, 12] and batch["padding:npc"].sum(1).tolist() == [0, 12]
    position = ww.episode("000001")["camera/pos"][:]
    np.testing.assert_array_equal(batch["camera/pos"][0], position[24:74:2])
    np.testing.assert_array_equal(batch["camera/pos"][1, :13], position[54:80:2])
    assert (batch["camera/pos"][1, 13:] == 0).all() and not batch["present:npc"][1, 13:].any()
    with pytest.raises(trajpack.UsageError, match="clips have 8 to 20 rows.*set 'edge' to 'pad'"):
        ww.windows(clips=clips, channels=["camera"])
    with pytest.raises(trajpack.UsageError, match=r"reaches 3 rows before the first row of its recording"):
        ww.windows(clips=[("000001", 0.0, 20)], past=3, channels=["camera"], batch=1)
    with pytest.raises(trajpack.UsageError, match=r"reaches 5 rows past the last row"):
        ww.windows(clips=[("000001", 4.0, 30)], future=5, channels=["camera"], batch=1)


def test_windows_are_chosen_and_weighed_by_their_values(ww: trajpack.Dataset, wildworld: str) -> None:
    clips = clips_of(wildworld)
    common = {"clips": clips, "channels": ["camera"], "batch": 1}
    everything = ww.windows(**common, windows_where=(channel("npc/hp") > 0).any())
    assert everything.windows == len(clips)
    limit = 110.0
    some = ww.windows(**common, windows_where=channel("npc/hp").mean() > limit)
    means = []
    for clip in clips:
        tables = [t for t in ww.episode(clip["episode"])["npc"]]
        means.append(np.mean(np.concatenate([t["hp"][clip["start_row"]:clip["start_row"] + 12] for t in tables])))
    assert [c["id"] for c in some.clips()] == [c["id"] for c, m in zip(clips, means, strict=True) if m > limit]
    assert 0 < some.windows < len(clips)
    weights = np.zeros(len(clips))
    weights[5] = 1
    weighed = ww.windows(**common, window_weights=weights, meta=True)
    assert {int(b["meta:clip"][0]) for b in weighed} == {5}


def test_mixtures(ww: trajpack.Dataset, tmp_path: Path) -> None:
    def world(name: str, ids: list[str]) -> trajpack.Dataset:
        stream = Stream("s", [Channel("x", "float64")])
        episodes = [Episode(i, [Track("s", 50, Regular(Fraction(0), Fraction(10)), {"x": np.arange(50.0) + 100 * n})])
                    for n, i in enumerate(ids)]
        return trajpack.open(Archive([stream], episodes, statistics=False).write(tmp_path / name))

    one, two = world("one.h5", ["a", "b"]), world("two.h5", ["b", "c"])
    clips = [{"episode": "a", "start": 1.0, "rows": 4}, {"episode": "b", "start": 2.0, "rows": 4, "dataset": 1},
             {"episode": "c", "start": 0.0, "rows": 4}]
    loader = trajpack.mixture([one, two], clips=clips, batch=3, meta=True)
    batch = loader.next()
    numbers = zip(batch.datasets.tolist(), batch["meta:clip"].tolist(), strict=True)
    seen = dict(zip(numbers, batch["s/x"].tolist(), strict=True))
    assert seen == {(0, 0): [10, 11, 12, 13], (1, 1): [20, 21, 22, 23], (1, 2): [100, 101, 102, 103]}
    del clips[1]["dataset"]
    with pytest.raises(trajpack.UsageError, match="which several datasets of the mixture have; say which"):
        trajpack.mixture([one, two], clips=clips)
    with pytest.raises(trajpack.UsageError, match="none of 1 clip of option 'clips' is of this dataset"):
        trajpack.mixture([one, two], clips=clips[:1])


def test_labels_of_logs_hold(tmp_path: Path) -> None:
    """A log's label at an instant is the last one before it, not the nearest, which may lie in the future."""
    x = Stream("x", [Channel("v", "float64")])
    log = Stream("log", [Channel("time", "float64"), Channel("mode", "int32", kind="label"), Channel("w", "float64")])
    tracks = [Track("x", 100, Regular(Fraction(0), Fraction(10)), {"v": np.arange(100.0)}),
              Track("log", 2, Real(), {"time": np.array([1.0, 3.0]), "mode": np.array([7, 8]),
                                       "w": np.array([.5, .75])})]
    ds = trajpack.open(Archive([x, log], [Episode("e", tracks)], statistics=False).write(tmp_path / "log.h5"))
    batch = ds.windows(clips=[("e", 1.0, 12, 2)], reference="x", batch=1).next()
    assert batch["log/mode"][0].tolist() == [7, 7, 7, 7] + [8] * 8
    assert batch["log/w"][0, :4].tolist() == [.5, .5, .5, .75]
