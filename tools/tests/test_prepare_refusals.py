"""What `trajpack resample`, `embed`, `mask` and `apply` refuse: one sentence, and nothing left behind."""
import json
import subprocess

import pytest
from prepare_world import read, run


@pytest.mark.parametrize("words, code, sentence", [
    (["resample"], 2, "must say once where to go"),
    (["resample", "--rate", "0"], 2, "rate above 0"),
    (["resample", "--rate", "5", "--onto", "series"], 2, "must say once where to go"),
    (["resample", "--rate", "5", "--stream", "serie"], 2, "there is no stream 'serie'; did you mean 'series'?"),
    (["resample", "--onto", "camera"], 2, "there is no stream 'camera'"),
    (["resample", "--rate", "5", "--bin", "mean"], 2, "'series/mode': the mean of values of kind label means"),
    (["resample", "--rate", "5", "--method", "series/mode=linear"], 2, "'series/mode': a channel of kind label"),
    (["resample", "--rate", "5", "--method", "linera"], 2, "did you mean 'linear'?"),
    (["resample", "--rate", "5", "--method", "kind:quaternion=squad"], 2, "their order is not declared"),
    (["resample", "--rate", "5", "--padding", "line"], 2, "--padding line: is for --method polyphase"),
    (["resample", "--rate", "5", "--padding", "hold"], 2, "--padding hold: is for --method polyphase"),
    (["resample", "--rate", "5", "--shard-size", "0"], 2, "--shard-size: 0 bytes hold no episode"),
    (["resample", "--rate", "5", "--gap=-1"], 2, "gap is \"-1\", but must be a length of time"),
    (["embed", "--channel", "series/mode", "--tau", "1", "--dimension", "2"], 2, "is label, whose delays mean nothing"),
    (["embed", "--tau", "100", "--dimension", "4"], 2,
     "episode 'b', stream 'series': 257 rows in a run, and a vector spans 301"),
    (["embed", "--coordinate", "series/x[3]:1"], 2, "coordinate 3 of 'series/x' is no number"),
    (["embed", "--method", "pecuzal", "--tau", "3"], 2, "tau is 3, but must be left out: it is for method 'uniform'"),
    (["embed", "--method", "mdop", "--coordinate", "series/x:3"], 2, "must be left out with 'coordinates'"),
    (["embed", "--method", "mdop", "--channel", "series/mode"], 2, "is label, whose delays mean nothing"),
    (["mask", "--amount", "1.5"], 2, "from 0 to 1"),
    (["mask", "--mechanism", "channels", "--count", "99"], 2, "99 of"),
    (["mask", "--mechanism", "blocks", "--amount", ".5", "--length", "300"], 2, "episode 'b'"),
    (["mask", "--mechanism", "drivers", "--amount", ".5"], 2, "has no drivers"),
    (["mask", "--amount", ".5", "--length", "3"], 2, "has no member 'length'"),
    (["apply"], 2, "--plan"),
    (["apply", "--plan", "/nowhere"], 2, "/nowhere: does not exist"),
])
def test_refusals(trajpack, source, tmp_path, words, code, sentence):
    done = subprocess.run([trajpack, words[0], source, tmp_path / "out", *words[1:]], capture_output=True, text=True)
    assert done.returncode == code and sentence in done.stderr, done.stderr
    assert not (tmp_path / "out").exists(), "something was left behind"


def test_the_source_is_never_written(trajpack, source):
    before = {p.name: p.read_bytes() for p in source.iterdir()}
    for destination, path in [(source, source), (source, source / "shard-000000.h5"), (f"{source}/.", source)]:
        assert "is the source itself" in run(
            trajpack, "mask", path, destination, "--amount", 1, "--overwrite", code=2)
    link = source.parent / "another-way"
    link.symlink_to(source)
    for destination in (source / "sub", source / "a" / "b", f"{source}/../{source.name}/sub", link / "sub"):
        for path in (source, source / "shard-000000.h5"):
            assert "lies in the source" in run(trajpack, "mask", path, destination, "--amount", .1, code=2)
            assert "lies in the source" in run(trajpack, "export", path, destination, "--to", "npz", code=2)
    link.unlink()
    assert before == {p.name: p.read_bytes() for p in source.iterdir()}


def test_times_that_go_back_are_refused(trajpack, tmp_path):
    (tmp_path / "bad.csv").write_text("time,x\n0,1\n1,2\n1,3\n2.5,4\n")
    run(trajpack, "convert", tmp_path / "bad.csv", tmp_path / "bad")
    error = run(trajpack, "resample", tmp_path / "bad", tmp_path / "out", "--rate", 2, code=1)
    assert "episode 'bad'" in error and "do not increase at row 2" in error and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words,said", [
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/xx=2"), "'a/x'"),
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/x=1", "--channel", "a/x"),
     "no channel is left to mask"),
    (("mask", "--mechanism", "drivers", "--amount", ".3", "--driver", "a/x=1", "--channel", "a/hit",
      "--driver", "a/hit=1"), "no channel is left to mask"),
    (("embed", "--tau", "a/nope=4"), "no channel 'a/nope'"),
    (("embed", "--channel", "a/x", "--tau", "2", "--dimension", "a/xx=3", "--dimension", "2"), "mean 'a/x'"),
    (("embed", "--channel", "a/x", "--dimension", "2", "--tau", "a/hit=3", "--tau", "2"), "leaves 'a/hit' alone"),
    (("resample", "--rate", "50", "--method", "a/xx=linear"), "mean 'a/x'"),
    (("resample", "--rate", "50", "--bin", "a/modes=max"), "mean 'a/mode'"),
    (("resample", "--rate", "50", "--method", "q=slerp"), "no channel 'q'"),
])
def test_names_that_match_nothing_are_refused(trajpack, source, tmp_path, words, said):
    stream = next(key[1] for key in read(source))
    words = [w.replace("a/", f"{stream}/") for w in words]
    said = said.replace("a/", f"{stream}/")
    done = run(trajpack, words[0], source, tmp_path / "out", *words[1:], code=2)
    assert said in done and not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_refused_first(trajpack, source, tmp_path):
    (tmp_path / "plan.json").write_text('{"steps": [{"step": "mask", "amount": 0.1}]}')
    (tmp_path / "file").write_text("")
    for words in (("resample", "--rate", "50"), ("mask", "--amount", ".1"), ("embed", "--tau", "2", "--dimension", "2"),
                  ("apply", "--plan", tmp_path / "plan.json")):
        for folder, said, code in ((tmp_path / "none", "does not exist", 2), (tmp_path / "file", "is no folder", 2),
                                   ("/proc", "no file can be made in /proc", 2)):
            done = run(trajpack, words[0], source, tmp_path / "out", *words[1:], "--report", f"{folder}/report.json",
                       code=code)
            assert "--report" in done and said in done and not (tmp_path / "out").exists()
    run(trajpack, "mask", source, tmp_path / "new" / "out", "--amount", ".1", "--report", tmp_path / "new" / "r.json")
    assert json.loads((tmp_path / "new" / "r.json").read_text())["plan"]


def test_sentences_say_what_people_write(trajpack, source, tmp_path):
    stream = next(key[1] for key in read(source))
    done = run(trajpack, "resample", source, tmp_path / "out", "--rate", "50", "--method", f"{stream}/x=slerp",
               "--method", "auto", code=2)
    assert "cannot be resampled by slerp" in done
    done = run(trajpack, "resample", source, tmp_path / "out", "--rate", "50", "--method", f"{stream}/q=natural",
               "--method", "auto", code=2)
    assert "cannot be resampled by natural" in done
    (tmp_path / "plan.json").write_text('{"steps": [{"step": "quantise", "quantum": 0}]}')
    done = run(trajpack, "apply", source, tmp_path / "out", "--plan", tmp_path / "plan.json", code=2)
    assert "quantum is 0" in done and "a time above 0" in done and "rate" not in done
