"""`trajpack convert` of .npz archives as people have them: members chosen, values of recordings, long arrays cut."""
import json
import subprocess

import numpy as np
import pytest
import read_archive
from table_world import convert, run


def metadata(folder):
    """The metadata of each episode, by the second reader."""
    return {e["id"]: e["metadata"] for s in read_archive.reading(str(folder))["shards"] for e in s["episodes"]}


class Trap:
    """What numpy pickles; reading it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def values(found, name):
    return found[f"series/{name}"]


def test_objects_are_left_out_and_never_read(trajpack, tmp_path):
    rng = np.random.default_rng(1)
    obs = rng.normal(size=(5, 3))
    trap = np.empty((), object)
    trap[()] = Trap(tmp_path / "sprung")
    np.savez(tmp_path / "a.npz", obs=obs, meta=trap, more=np.array([{}, {}], object))
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz")
    assert np.array_equal(values(arrays["a"], "obs"), obs)
    assert {f["file"] for f in out["left_out"]["files"]} == {"a.npz:meta", "a.npz:more"}
    assert all("pickle" in f["why"] for f in out["left_out"]["files"])
    assert not (tmp_path / "sprung").exists()
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "x", "--members", "meta,obs", fails=True)
    assert "'meta' holds Python objects" in said and not (tmp_path / "x").exists()
    np.savez(tmp_path / "b.npz", meta=trap)
    said = run(trajpack, "convert", tmp_path / "b.npz", tmp_path / "x", fails=True)
    assert "no array of numbers" in said and "'meta'" in said


def test_texts_and_numbers_are_values_of_the_recording(trajpack, tmp_path):
    poses = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "a.npz", poses=poses, gender=np.array("fémale"), old=np.array(b"male"),
             big=np.array("ab", ">U9"),
             parts=np.array([["a", ""], ["b\0c", "d"]]), empty=np.array(""), rate=np.array(120.0),
             betas=np.arange(4.0), rows=np.array(list("abcdef")))
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz", "--constant", "bet*")
    assert np.array_equal(values(arrays["a"], "poses"), poses)
    kept = metadata(tmp_path / "ds")["a"]["constants"]
    assert {k: v["value"] for k, v in kept.items()} == {
        "gender": "fémale", "old": "male", "big": "ab", "parts": [["a", ""], ["b\0c", "d"]], "empty": "", "rate": 120.0,
        "betas": [0, 1, 2, 3]}
    assert kept["betas"] == {"dtype": "float64", "shape": [4], "value": [0, 1, 2, 3]}
    assert kept["parts"]["shape"] == [2, 2]
    assert kept["gender"]["dtype"] == "str" and kept["old"]["dtype"] == "bytes"
    assert set(out["reading"][0]["constants"]) == set(kept)
    assert [f["file"] for f in out["left_out"]["files"]] == ["a.npz:rows"]
    np.savez(tmp_path / "bad.npz", x=poses, s=np.array(b"\xff"))
    said = run(trajpack, "convert", tmp_path / "bad.npz", tmp_path / "x", fails=True)
    assert "member 's.npy'" in said and "--exclude-members" in said
    run(trajpack, "convert", tmp_path / "bad.npz", tmp_path / "x", "--exclude-members", "s")


def test_a_vector_that_may_be_a_series_is_refused(trajpack, tmp_path):
    rng = np.random.default_rng(2)
    x, theta, names = rng.normal(size=(4, 6, 1)), rng.normal(size=(4, 2)), np.array(["a", "b", "c", "d"])
    np.savez(tmp_path / "a.npz", x=x, theta=theta, name=names, label=np.arange(4))
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "plain", fails=True)
    assert "'theta' [4, 2]" in said and "--constant" in said and "--leading-axis" in said
    assert not (tmp_path / "plain").exists()
    _, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz", "--constant", "theta")
    kept = metadata(tmp_path / "ds")
    for i in range(4):
        assert np.array_equal(values(arrays[f"a%2f{i}"], "x"), x[i])
        constants = kept[f"a/{i}"]["constants"]
        assert constants["theta"] == {"dtype": "float64", "shape": [2], "value": theta[i].tolist()}
        assert constants["name"]["value"] == names[i] and constants["label"]["value"] == i
    assert not any("theta" in k for k in arrays["a%2f0"])


def test_members_are_chosen(trajpack, tmp_path):
    parts = {"obs/pos": np.ones((5, 3)), "obs/vel": np.ones((5, 3)), "act": np.ones((5, 2)),
             "spec": np.ones(3, complex),
             "when": np.ones(5, "M8[s]"), "tab": np.ones(5, "f8,i4"), "info": np.ones((7, 2))}
    np.savez(tmp_path / "a.npz", **parts)
    for name in ("spec", "tab"):
        np.savez(tmp_path / "b.npz", **{"act": parts["act"], name: parts[name]})
        said = run(trajpack, "convert", tmp_path / "b.npz", tmp_path / "x", fails=True)
        assert f"member '{name}.npy'" in said and f"--exclude-members '{name}'" in said
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz", "--members", "obs*,act", "--exclude-members", "*vel")
    assert {k for k in arrays["a"] if k != "schema"} == {"series/obs/pos", "series/act", "series/time"}
    left_out = {f"a.npz:{n}" for n in ("obs/vel", "spec", "when", "tab", "info")}
    assert {f["file"] for f in out["left_out"]["files"]} == left_out
    for option in ("--members", "--exclude-members", "--constant", "--terminals", "--episode-ends"):
        said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "x", "--exclude-members", "spec,when,tab,info",
                   option, "obz", fails=True)
        assert "'obz'" in said and option in said
    (tmp_path / "t.csv").write_text("time,x\n0,1\n1,2\n")
    said = run(trajpack, "convert", tmp_path / "t.csv", tmp_path / "x", "--members", "x", fails=True)
    assert "--members is for archives" in said


def d4rl(rng, rows):
    p = rng.choice([0.02, 0.2])
    return {"observations": rng.normal(size=(rows, 3)), "rewards": rng.normal(size=rows).astype("f4"),
            "terminals": rng.random(rows) < p,
            "timeouts": (rng.random(rows) < p).astype(rng.choice(["u1", "f4", "?", "i8"]))}


@pytest.mark.parametrize("seed", range(6))
def test_episodes_end_at_terminals(trajpack, tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 200))
    parts = d4rl(rng, rows)
    parts["infos/goal"] = rng.normal(size=(rows, 2, 2))
    np.savez_compressed(tmp_path / "a.npz", **parts)
    ends = np.flatnonzero(parts["terminals"] | (parts["timeouts"] != 0)) + 1
    want = [p for p in np.split(np.arange(rows), ends) if len(p)]
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "said", "--terminals", "terminals|timeouts",
               both=True)
    left = rows - (ends[-1] if len(ends) else 0)
    assert (f"the last {left} row" in said) == (left > 0)
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz", "--terminals", "terminals,timeouts", "--rate", "20")
    assert out["episodes"] == len(want)
    width = len(str(len(want) - 1))
    for number, part in enumerate(want):
        found = arrays[f"a%2f{number:0{width}}"]
        for name, array in parts.items():
            assert np.array_equal(values(found, name), array[part]), name
        assert np.array_equal(values(found, "time"), np.arange(len(part)) / 20)


@pytest.mark.parametrize("seed", range(4))
def test_episodes_end_at_episode_ends(trajpack, tmp_path, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, size=rng.integers(1, 14))
    ends = np.cumsum(lengths)
    rows = int(ends[-1])
    image, action = rng.integers(0, 255, (rows, 4, 5, 3)).astype("u1"), rng.normal(size=(rows, 2))
    np.savez(tmp_path / "a.npz", **{"data/img": image, "data/action": action,
                                    "meta/episode_ends": ends.astype(rng.choice(["i8", "u4"]))})
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "x", "--members", "data/*",
               "--episode-ends", "*/episode_ends", "--segment", "4", "--json")
    assert json.loads(said)["episodes"] == sum(-(-n // 4) for n in lengths)
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.npz", "--episode-ends", "meta/episode_ends")
    assert out["reading"][0]["cut_at"] == ["meta/episode_ends"] and out["episodes"] == len(lengths)
    for found, first, last in zip((arrays[k] for k in sorted(arrays)), ends - lengths, ends, strict=True):
        assert np.array_equal(values(found, "data/img"), image[first:last])
        assert np.array_equal(values(found, "data/action"), action[first:last])


@pytest.mark.parametrize("ends,part", [
    ([4, 4, 10], "does not grow at element 1"), ([0, 10], "does not grow at element 0"), ([6, 4, 10], "does not grow"),
    ([4, 9], "9 as its last end, and there are 10 rows"), ([4, 11], "row 11 (element 1)"), ([], "0 as its last end"),
    ([4.0, 10.0], "list of integers"), ([[4, 10]], "list of integers"), ([-1, 10], "does not grow")])
def test_ends_are_checked(trajpack, tmp_path, ends, part):
    ends = np.array(ends) if len(ends) else np.array(ends, "i8")
    np.savez(tmp_path / "a.npz", x=np.ones((10, 2)), episode_ends=ends)
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", "--episode-ends", "episode_ends", fails=True)
    assert part in said and not (tmp_path / "ds").exists()


def test_terminals_are_checked(trajpack, tmp_path):
    for bad, part in ((np.array([0, 2, 1, 0]), "is 2 at row 1"), (np.array([0, np.nan, 1, 0]), "row 1"),
                      (np.zeros((4, 2)), "one value for each of 4 rows"), (np.zeros(3), "different lengths")):
        np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), done=bad)
        said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", "--terminals", "done", fails=True)
        assert part in said, said
    for other in (("--episode-ends", "done"), ("--leading-axis", "batch")):
        run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds", "--terminals", "done", *other, fails=True)
    assert not (tmp_path / "ds").exists()


def test_tables_are_cut_at_terminals_too(trajpack, tmp_path):
    rows = ["0,1,False,0", "1,2,True,0", "0,3,False,0", "1,4,False,1", "0,5,False,0"]
    (tmp_path / "a.csv").write_text("\n".join(["time,x,done,late", *rows, ""]))
    out, arrays = convert(trajpack, tmp_path, tmp_path / "a.csv", "--terminals", "done,late")
    assert [values(arrays[f"a%2f{i}"], "x").tolist() for i in range(3)] == [[1, 2], [3, 4], [5]]
    assert values(arrays["a%2f1"], "time").tolist() == [0, 1]
    assert any("last 1 row has no end" in r for r in out["remarks"])
    said = run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "x", "--terminals", "x", fails=True)
    assert "line 3" in said and "'2'" in said


def test_hints_name_the_option(trajpack, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", **d4rl(rng, 9))
    said = run(trajpack, "convert", tmp_path / "a.npz", tmp_path / "x", both=True)
    assert "--terminals 'terminals,timeouts'" in said
    np.savez(tmp_path / "b.npz", state=np.ones((9, 2)), episode_ends=np.array([4, 9]))
    assert "--episode-ends 'episode_ends'" in run(trajpack, "convert", tmp_path / "b.npz", tmp_path / "y", both=True)


def test_other_members_are_named(trajpack, tmp_path):
    """A member that is no array is named."""
    import zipfile
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("readme.txt", "hello")
    done = subprocess.run([trajpack, "convert", tmp_path / "a.npz", tmp_path / "ds"], capture_output=True, text=True)
    assert done.returncode == 0 and "a.npz:readme.txt (is no numpy array)" in done.stderr


def test_arrays_that_share_only_their_first_axis_are_refused(trajpack, tmp_path):
    rows = np.arange(6.0)
    np.savez(tmp_path / "robot.npz", state=np.tile(rows[:, None], 4), image=np.tile(rows[:, None, None], (1, 3, 2)))
    convert = [trajpack, "convert", tmp_path / "robot.npz", "--quiet"]
    guessed = subprocess.run([*convert, tmp_path / "a"], capture_output=True, text=True)
    said = subprocess.run([*convert, tmp_path / "b", "--leading-axis", "time"], capture_output=True, text=True)
    assert guessed.returncode == 2 and said.returncode == 0
    assert "if it is time, say --leading-axis time" in guessed.stderr and not (tmp_path / "a").exists()
    assert "leading-axis" not in said.stderr and "1 episode" in said.stdout
