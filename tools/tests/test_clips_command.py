"""`trajpack clips`, `cut`, `actions`, and --clips of `evaluate` and `export`, with numpy and pandas as witnesses."""
import csv
import json
import subprocess
from collections import Counter
from fractions import Fraction

import numpy as np
import pandas
import pytest
from conftest import ROOT, built

import trajpack as tp

ACTION = ["npc/weapon_id", "npc/motion_bank_id", "npc/motion_id"]


def run(*words, code=0):
    done = subprocess.run([built("trajpack"), *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Fatal error" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def ww(tmp_path_factory):
    out = tmp_path_factory.mktemp("clips") / "ww"
    run("convert", ROOT / "fixtures" / "wildworld" / "data_part1", out, "--quiet")
    return out


def nearest(start, rate, length, own=30):
    """The nearest row of every instant, of two the earlier."""
    places = [Fraction(start) + Fraction(own * k) / Fraction(rate) for k in range(length)]
    return [int(p) + (p - int(p) > Fraction(1, 2)) for p in places]


def actions(ds, entity=None):
    """The actions of each episode's entities, as pandas has them."""
    frames = []
    for episode in ds.episodes:
        for table in episode["npc"]:
            if entity is None or table.entity.index == entity:
                frames.append(pandas.DataFrame({c: table[c.split("/")[1]][:] for c in ACTION}).assign(
                    episode=episode.id, row=np.rint(np.asarray(table.times) * 30).astype(int)))
    return pandas.concat(frames, ignore_index=True)


@pytest.mark.parametrize("entity", [None, 0])
def test_actions_are_those_of_a_groupby(ww, entity):
    frame = actions(tp.open(ww), entity)
    words = ["actions", ww, "--json"] + ([] if entity is None else ["--entity", entity])
    found = json.loads(run(*words))
    assert found["channels"] == ACTION and found["data_digest"] == tp.open(ww).digest
    grouped = frame.groupby(ACTION)
    want = pandas.DataFrame({"rows": grouped.size(), "episodes": grouped["episode"].nunique()})
    assert [tuple(e["action"]) for e in found["entries"]] == sorted(want.index)
    assert [e["id"] for e in found["entries"]] == list(range(len(want)))
    for entry in found["entries"]:
        assert (entry["rows"], entry["episodes"]) == tuple(want.loc[tuple(entry["action"])])
    assert found["missing_rows"] == 0 and sum(e["runs"] for e in found["entries"]) < len(frame)


def test_actions_have_names_and_are_kept(ww, tmp_path):
    table = tmp_path / "names.csv"
    table.write_text("a,b,c,class,name\n3,23,*,attack,slash\n*,1,1,move,\"walk, on\"\n")
    copy = tmp_path / "ww"
    subprocess.run(["cp", "-r", ww, copy], check=True)
    text = run("actions", copy, "--names", table, "--save", "moves", "-o", tmp_path / "v.json", "--top", 2)
    assert "vocabulary 'moves': 11 actions" in text and "9 more actions" in text
    made = json.loads((tmp_path / "v.json").read_text())
    for entry in made["entries"]:
        want = "slash" if entry["action"][:2] == [3, 23] else "walk, on" if entry["action"][1:] == [1, 1] else None
        assert entry.get("name") == want
    listed = json.loads((copy / "manifest.json").read_text())["side_files"]
    assert [(s["role"], s["name"]) for s in listed] == [("vocabulary", "moves")]
    assert json.loads((copy / listed[0]["file"]).read_text())["content"] == made
    run("verify", copy)


@pytest.mark.parametrize(("words", "message"), [
    (["--channels", "npc/weapon"], "there is no channel 'npc/weapon'; did you mean 'npc/weapon_id'?"),
    (["--channels", "npc/weapon_id,state/quest.phase"], "different channels of one stream"),
    (["--channels", "npc/pos"], "has no single number a row"),
    (["--channels", "npc/atk,npc/sp"], "an action is made of whole numbers, and 'npc/"),
    (["--split", "train"], "there is no split 'train'"),
    (["--episodes", "9*"], "no episode is left by --split and --episodes"),
])
def test_actions_that_are_refused(ww, words, message):
    assert message in run("actions", ww, *words, code=2)


def test_names_that_are_refused(ww, tmp_path):
    table = tmp_path / "names.csv"
    for text, message in ((b"a,b\n1,2\n", "ends in 'name'"), (b"", "the file is empty; it must begin with a header"),
                          (b"a,name\n1,x\n", "has 1 column of numbers, and actions are"),
                          (b"a,b,c,name\n1,2,x,y\n", "line 2: has 'x' where an action has a whole number or *"),
                          (b"a,b,c,name\n1,2,3,\n", "line 2: has no name"),
                          (b"a,b,c,name\n1,2,3,x\n1,2,4\n", "names.csv: line 3: has 3 cells where 4 are expected"),
                          (b"a,b,c,name\n1,2,3,\xff\n", "line 2: column 'name' is no UTF-8 text"),
                          (b"a,b,c,name\n1,2,3,\"x\n", "names.csv: line 2 (byte 11): a quoted field")):
        table.write_bytes(text)
        assert message in run("actions", ww, "--names", table, code=2)


def proposed(ww, *words):
    return list(csv.DictReader(run("clips", ww, *words).splitlines()))


@pytest.mark.parametrize(("length", "rate", "fewest"), [(41, 16, 2), (20, None, 1), (31, "30000/1001", 1), (10, 5, 0)])
def test_proposals_are_what_they_say(ww, length, rate, fewest):
    """Each has so many runs of actions, the class is that of most rows, and none shares rows with another."""
    words = ["--length", length, "--min-actions", fewest, "--per-class", 3] + (["--rate", rate] if rate else [])
    clips = proposed(ww, *words)
    assert clips and clips == proposed(ww, *words)
    frame = actions(tp.open(ww), 0)
    taken = {}
    for clip in clips:
        start = round(float(clip["start"]) * 30)
        rows = nearest(start, Fraction(rate or 30), length)
        assert clip["rate"] == str(rate or 30)
        own = frame[(frame.episode == clip["episode"])].set_index("row")[ACTION]
        seen = [tuple(own.loc[r]) for r in rows if r in own.index]
        runs = 1 + sum(a != b for a, b in zip(seen, seen[1:], strict=False))
        assert runs >= fewest
        counts = Counter(seen)
        assert counts[tuple(map(int, clip["label"].split("/")))] == max(counts.values())
        for low, high in taken.get(clip["episode"], []):
            assert rows[-1] < low or rows[0] > high
        taken.setdefault(clip["episode"], []).append((rows[0], rows[-1]))
    assert max(Counter(c["label"] for c in clips).values()) <= 3
    assert len(tp.open(ww).windows(clips=clips, channels=["state"], batch=1).clips()) == len(clips)


def test_classes_and_seeds(ww, tmp_path):
    seeds = {json.dumps(proposed(ww, "--length", 10, "--per-class", 1, "--seed", s)) for s in range(6)}
    assert len(seeds) > 1
    note = {c["label"] for c in proposed(ww, "--length", 10, "--class", "state/quest.note")}
    assert note <= {'it says "rrr", twice', "", "the beast is gone"} and note
    made = json.loads(run("clips", ww, "--length", 10, "--per-class", 2, "--json"))
    assert made["clips"] == len(made["list"]) == sum(c["clips"] for c in made["classes"])
    assert all(c["wanted"] == 2 and c["starts"] >= c["clips"] for c in made["classes"])
    for name in ("a.csv", "a.json", "a.jsonl"):
        run("clips", ww, "--length", 10, "-o", tmp_path / name)
    ds = tp.open(ww)
    loaders = [ds.windows(clips=tmp_path / n, channels=["camera"], batch=1) for n in ("a.csv", "a.json", "a.jsonl")]
    assert len({loader.digest for loader in loaders}) == 1


def test_a_list_is_kept_in_the_dataset(ww, tmp_path):
    copy = tmp_path / "ww"
    subprocess.run(["cp", "-r", ww, copy], check=True)
    before = tp.open(copy).digest
    text = run("clips", copy, "--length", 41, "--rate", 16, "--save", "bench", "-o", tmp_path / "c.csv")
    assert "clips" in text
    ds = tp.open(copy)
    assert ds.digest == before
    named, given = (ds.windows(clips=c, channels=["camera"], batch=1) for c in ("bench", tmp_path / "c.csv"))
    assert named.clips() == given.clips() and named.digest == given.digest
    with pytest.raises(tp.UsageError, match="has no clips 'benhc'; did you mean 'bench'"):
        ds.windows(clips="benhc")
    assert json.loads(run("clips", copy, "--list", "bench", "--json"))["clips"]
    run("cut", copy, tmp_path / "cut", "--clips", "bench", "--quiet")
    run("verify", copy)


@pytest.fixture(scope="module")
def bench(ww, tmp_path_factory):
    """A list, and the dataset that is cut by it."""
    folder = tmp_path_factory.mktemp("bench")
    clips = [{"id": "a", "episode": "000001", "start": 1.0, "rows": 41, "rate": 16},
             {"id": "b", "episode": "000002", "start": 1.5, "rows": 30, "label": "own rate"},
             {"id": "c", "episode": "000003", "start_row": 7, "rows": 41, "rate": "24000/1001"}]
    (folder / "clips.json").write_text(json.dumps(clips))
    run("cut", ww, folder / "cut", "--clips", folder / "clips.json", "--quiet")
    run("verify", folder / "cut")
    return folder


def test_cut_gives_the_rows_that_windows_give(ww, bench):
    """Every channel of every stream, entity by entity, absences included."""
    source, cut = tp.open(ww), tp.open(bench / "cut")
    assert cut.episodes.ids == ["a", "b", "c"]
    streams = [s for s in source.streams if s not in ("rgb", "depth")]
    windows = source.windows(clips=bench / "clips.json", channels=streams, reference="state", edge="pad", batch=3,
                             shuffle=False).next()
    for number, length in enumerate([41, 30, 41]):
        whole = cut.windows(channels=streams, reference="state", length=length, batch=1, shuffle=False,
                            episodes="abc"[number], align="nearest").next()
        for name in whole:
            if name.startswith("meta") or whole[name].ndim < 2:
                continue
            ours, own = windows[name][number, :length], whole[name][0]
            # The most entities that an episode of the source has may be more than a clip's.
            if ours.shape != own.shape:
                assert ours.shape[1] > own.shape[1], name
                ours = ours[:, :own.shape[1]]
            np.testing.assert_array_equal(ours, own, err_msg=f"{name} of {'abc'[number]}")


def test_cut_says_where_clips_come_from(ww, bench):
    cut = tp.open(bench / "cut")
    clip = cut.episode("b").metadata["clip"]
    assert (clip["episode"], clip["start"], clip["start_row"], clip["rows"], clip["label"]) == (
        "000002", 1.5, 45, 30, "own rate")
    assert clip["source_digest"] == tp.open(ww).digest and cut.episode("a").metadata["clip"]["rate"] == "16"
    assert cut.episode("b")["state"].times[0] == 0 and clip["times"] == "clip"
    assert (cut.episode("b").metadata["frames"], cut.episode("c").metadata["rate"]) == (30, "24000/1001")
    text = run("cut", ww, bench / "again", "--clips", bench / "clips.json")
    assert "rgb, depth: each video is kept whole" in text
    shards = [p.read_bytes() for p in sorted((bench / "again").glob("*.h5"))]
    assert shards == [p.read_bytes() for p in sorted((bench / "cut").glob("*.h5"))]
    run("cut", ww, bench / "none", "--clips", bench / "clips.json", "--video", "none", "--quiet")
    assert "rgb" not in tp.open(bench / "none").streams


def test_videos_are_whole_and_their_frames_are_named(ww, bench):
    source, cut = tp.open(ww), tp.open(bench / "cut")
    tracks = cut.episode("a")["rgb"].tracks
    frames = tracks[0].metadata["clip"]["rows"]
    assert frames == nearest(30, 16, 41)
    assert cut.episode("b")["rgb"].tracks[0].metadata["clip"] == {"first": 45, "frames": 30}
    assert cut.episode("a")["rgb"]["pts"][:].tolist() == source.episode("000001")["rgb"]["pts"][:].tolist()


def test_export_of_clips(ww, bench, tmp_path):
    run("export", ww, tmp_path / "out", "--to", "npz", "--clips", bench / "clips.json")
    run("export", bench / "cut", tmp_path / "cut", "--to", "npz")
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(tmp_path / "cut")) for p in (tmp_path / "cut").rglob("*") if p.is_file())
    for name in names:
        if name.endswith(".npz"):
            with np.load(tmp_path / "out" / name) as ours, np.load(tmp_path / "cut" / name) as own:
                assert ours.files == own.files
                for key in own.files:
                    np.testing.assert_array_equal(ours[key], own[key])
    text = run("export", ww, tmp_path / "samples", "--to", "wildworld", "--clips", bench / "clips.json")
    assert "videos are left out" in text
    run("convert", tmp_path / "samples", tmp_path / "back", "--quiet")
    assert tp.open(tmp_path / "back").episodes.ids == ["a", "b", "c"]
    assert len(tp.open(tmp_path / "back").episode("a")["camera/pos"][:]) == 41


def moved(ds, out, ids, rows_of):
    """Predictions of camera paths, a file for each id: the recorded ones, moved by a wave that grows."""
    out.mkdir()
    for id in ids:
        episode, rows = rows_of(id)
        camera = ds.episode(episode)["camera"]
        position = np.asarray(camera["pos"][:][rows], float)
        wave = np.sin(np.arange(len(rows)) / 3)[:, None] * np.linspace(0, 0.3, len(rows))[:, None]
        rotation = np.asarray(camera["rot"][:][rows], float)
        np.savez(out / f"{id}.npz", **{"camera/pos": position + wave, "camera/rot": rotation})
    return out


def test_evaluation_of_clips(ww, bench, tmp_path):
    """The figures of the dataset that is cut by the list; a report that can be made again."""
    ds = tp.open(ww)
    rows = {"a": ("000001", nearest(30, 16, 41)), "b": ("000002", list(range(45, 75))),
            "c": ("000003", nearest(7, Fraction(24000, 1001), 41))}
    predictions = moved(ds, tmp_path / "p", "abc", rows.get)
    words = ["--metric", "camera.ate", "--metric", "camera.rpe_translation", "--format", "json"]
    cut = json.loads(run("evaluate", bench / "cut", predictions, *words))
    ours = json.loads(run("evaluate", ww, predictions, "--clips", bench / "clips.json", *words))
    assert [m["episodes"] for m in ours["metrics"]] == [m["episodes"] for m in cut["metrics"]]
    assert ours["episodes"]["evaluated"] == ["a", "b", "c"] and ours["truth"]["digest"] == ds.digest
    assert ours["truth"]["path"] == str(ww)
    (tmp_path / "report.json").write_text(json.dumps(ours))
    run("evaluate", ww, predictions, "--clips", bench / "clips.json", *words, "-o", tmp_path / "report.json")
    assert "the same again, bit for bit" in run("evaluate", "--rerun", tmp_path / "report.json")


def test_predictions_of_recordings_are_cut_alike(ww, bench, tmp_path):
    words = ["--metric", "camera.ate", "--format", "json", "--clips", bench / "clips.json"]
    found = json.loads(run("evaluate", ww, ww, *words))
    assert found["episodes"]["evaluated"] == ["a", "b", "c"]
    assert all(e["value"] == pytest.approx(0, abs=1e-9) for m in found["metrics"] for e in m["episodes"])


def test_lists_are_shown(ww, bench):
    found = json.loads(run("clips", ww, "--list", bench / "clips.json", "--rows", "camera", "--json"))
    assert found["reference"] == "state"
    assert [c["row"] for c in found["clips"]] == [30, 45, 7]
    assert found["clips"][0]["stream_rows"] == nearest(30, 16, 41)
    assert found["clips"][1]["stream_rows"] == list(range(45, 75))
    assert "b: 45-74" in run("clips", ww, "--list", bench / "clips.json", "--rows", "camera")
    assert "own rate" in run("clips", ww, "--list", bench / "clips.json")


@pytest.mark.parametrize(("words", "message"), [
    (["clips", "WW"], "say with --length how many rows a clip has"),
    (["clips", "WW", "--length", 10, "--rate", "fast"], "--rate: 'fast' is no positive number"),
    (["clips", "WW", "--length", 10, "--rows", "rgb"], "--rows is for --list"),
    (["clips", "WW", "--list", "LIST", "--seed", 3], "--list shows a list that there is, and --seed is for making one"),
    (["clips", "WW", "--list", "LIST", "--rows", "npc"], "has rows of several entities"),
    (["clips", "WW", "--length", 10, "--reference", "stat"], "there is no stream 'stat'; did you mean 'state'?"),
    (["cut", "WW", "OUT"], "name the list with --clips"),
    (["cut", "WW", "OUT", "--clips", "BAD"], "clip 0 has 500 rows from row 0 on, but episode '000001' has 150 rows"),
    (["cut", "WW", "OUT", "--clips", "none.csv"], "none.csv"),
    (["export", "WW", "OUT", "--to", "npz", "--clips", "BAD"], "clip 0 has 500 rows"),
    (["evaluate", "WW", "WW", "--metric", "camera.ate", "--clips", "BAD"], "clip 0 has 500 rows"),
])
def test_what_cannot_be_is_refused(ww, bench, tmp_path, words, message):
    bad = tmp_path / "bad.json"
    bad.write_text('[{"episode": "000001", "start": 0, "rows": 500}]')
    places = {"WW": ww, "OUT": tmp_path / "out", "LIST": bench / "clips.json", "BAD": bad}
    assert message in run(*(places.get(w, w) for w in words), code=2)
    assert not (tmp_path / "out").exists()


def test_nothing_fits(ww):
    assert "fits into any recording" in run("clips", ww, "--length", 81, "--rate", 16, code=1)


def test_clips_lie_in_one_split_and_see_no_other(ww, tmp_path):
    """Clips across a border are left out, and no row at or after it is the nearest of an instant before it."""
    copy = tmp_path / "ww"
    subprocess.run(["cp", "-r", ww, copy], check=True)
    run("split", copy, "--name", "half", "--rule", "a=0:50%", "--rule", "b=50%:", "--length", 4)
    ds = tp.open(copy)
    # The border of 000001 is at row 75, at 2.5 s; at 7 rows a second 17/7 s lies nearest to row 73.
    clips = [{"id": f"c{row}", "episode": "000001", "start_row": row, "rows": 10, "rate": 7}
             for row in range(0, 100, 5)]
    whole = ds.windows(clips=clips, channels=["camera"], batch=1).clips()
    parts = {name: ds.windows(clips=clips, channels=["camera"], batch=1, split=name, scheme="half", shuffle=False,
                              drop_last=False, meta=True) for name in "ab"}
    last = {c["id"]: c["start_row"] + Fraction(9 * 30, 7) for c in clips}
    assert len(whole) == len(clips)
    assert [c["id"] for c in parts["a"].clips()] == [c["id"] for c in clips if last[c["id"]] < 75]
    assert [c["id"] for c in parts["b"].clips()] == [c["id"] for c in clips if c["start_row"] >= 75]
    for name, loader in parts.items():
        for number, clip in enumerate(loader.clips()):
            batch = loader.read([number])
            rows = loader.clip_rows(number, "camera")
            seen = rows[~batch["padding:camera"][0]]
            assert (seen < 75).all() if name == "a" else (seen >= 75).all()
            assert batch["meta:row"][0] == clip["row"] == rows[0]
            np.testing.assert_array_equal(batch["camera/pos"][0][rows >= 0],
                                          ds.episode("000001")["camera/pos"][:][rows[rows >= 0]])


def test_what_holds_of_a_cut_comes_along_and_the_rest_is_said(ww, tmp_path):
    """A vocabulary is of channels; a scheme, a list of clips and statistics are of whole recordings."""
    source = tmp_path / "ww"
    subprocess.run(["cp", "-r", ww, source], check=True)
    run("actions", source, "--entity", 0, "--save", "moves")
    run("split", source, "--rule", "train=0:60%", "--rule", "val=60%:", "--quiet")
    run("clips", source, "--length", 21, "--save", "bench", "--quiet")
    told = json.loads(run("cut", source, tmp_path / "cut", "--clips", "bench", "--video", "none", "--json"))
    assert told["carried"] == ["vocabulary 'moves'"]
    assert sorted(t.split(" not carried over")[0] for t in told["not_carried"]) == [
        "clips 'bench' are", "splits 'default' are"]
    part = json.loads(run("cut", source, tmp_path / "part", "--split", "val", "--video", "none", "--json"))
    assert (part["carried"], len(part["not_carried"])) == (told["carried"], 2)
    for path in (tmp_path / "cut", tmp_path / "part"):
        files = json.loads((path / "manifest.json").read_text())["side_files"]
        assert [(f["role"], f["name"]) for f in files] == [("vocabulary", "moves")]
    again = subprocess.run([built("trajpack"), "cut", source, tmp_path / "text", "--clips", "bench", "--video", "none"],
                           capture_output=True, text=True)
    assert again.returncode == 0 and again.stderr.count("not carried over") == 2
