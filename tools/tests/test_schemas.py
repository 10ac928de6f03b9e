"""The JSON Schemas accept what trajpack writes and refuse what breaks them."""
import copy
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import read_archive
from conftest import ROOT
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = {p.name: json.loads(p.read_text()) for p in (ROOT / "schemas").glob("*.schema.json")}
REGISTRY = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in SCHEMAS.values())


def validator(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


@pytest.fixture(scope="module")
def documents(trajpack, specimen, recordings, tmp_path_factory):
    """Every sort of JSON that trajpack writes: (schema, document)."""
    work, found = tmp_path_factory.mktemp("documents"), []
    folders = [work / "ww", work / "specimen", *(p / "dataset" for p in (ROOT / "fixtures" / "golden").glob("*/*"))]
    subprocess.run([trajpack, "convert", recordings, folders[0], "--quiet"], check=True, capture_output=True)
    subprocess.run([specimen, folders[1], "--shard-episodes", "2", "--level", "5"], check=True, capture_output=True)
    for folder in folders:
        found.append(("manifest.schema.json", json.loads((folder / "manifest.json").read_text())))
        found += [("schema.schema.json", read_archive.Shard(str(p)).schema) for p in folder.glob("*.h5")]

    run = [trajpack, "split", folders[0], "--rule", "train=0:60%", "--rule", "test=-20%:", "--context", "2"]
    subprocess.run(run, check=True, capture_output=True)
    found.append(("manifest.schema.json", json.loads((folders[0] / "manifest.json").read_text())))
    for path in folders[0].glob("side-*.json"):
        found.append(("side-file.schema.json", json.loads(path.read_text())))
        found.append(("splits.schema.json", found[-1][1]["content"]))
    about = work / "about.csv"
    about.write_text("id,label,theta,v.0,v.1\n" + "".join(f"00000{i},{'ab'[i % 2]},{i / 3},{i},0.5\n"
                                                          for i in range(1, 6)))
    subprocess.run([trajpack, "annotate", folders[0], "--values", about, "--set", "task=hunt"], check=True,
                   capture_output=True)
    side = json.loads(next(folders[0].glob("side-values-*.json")).read_text())
    found += [("side-file.schema.json", side), ("values.schema.json", side["content"])]

    # A limit on the size of files stops a conversion behind its first shard: the journal stays.
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 << 10, 32 << 10))

    subprocess.run([trajpack, "convert", recordings, work / "stopped", "--shard-size", "1KB", "--chunk-rows", "64"],
                   preexec_fn=limit, capture_output=True)
    records = read_archive.journal_records((work / "stopped" / "journal").read_bytes())
    assert [r["type"] for r in records][:3] == ["plan", "recordings", "shard"]
    found += [("journal-record.schema.json", r) for r in records]
    segments = work / "segments.json"
    subprocess.run([sys.executable, "-m", "trajpack.evaluate.judge", folders[0], "--save-segments", segments], check=True,
                   capture_output=True, env={
                       **os.environ, "PYTHONPATH": str(ROOT / "tools" / "python" / "src"),
                       "TRAJPACK_LIBRARY": str(Path(trajpack).parent / "libtrajpack-c.so")})
    found.append(("segments.schema.json", json.loads(segments.read_text())))
    subprocess.run([trajpack, "job", "plan", recordings, work / "divided", "--tasks", "2", "-q"], check=True,
                   capture_output=True)
    found.append(("job.schema.json", json.loads((work / "divided.job" / "job.json").read_text())))
    clips, words = work / "clips.json", work / "vocabulary.json"
    for command in (["clips", folders[0], "--length", "5", "--rate", "16", "-o", clips], ["actions", folders[0], "-o", words]):
        subprocess.run([trajpack, *command], check=True, capture_output=True)
    found.append(("clips.schema.json", json.loads(clips.read_text())))
    found.append(("clips.schema.json", json.loads(clips.read_text())["clips"]))
    found.append(("vocabulary.schema.json", json.loads(words.read_text())))
    found += [("plan.schema.json", p) for p in SCHEMAS["plan.schema.json"]["examples"]]
    return found + evaluations(trajpack, work)


def evaluations(trajpack, work):
    """Reports of every sort of metric and figure, and the lines of predictions and verdicts that they are of."""
    fixtures, found = ROOT / "fixtures", []
    lines = work / "lines.jsonl"
    with np.load(fixtures / "predictions" / "lorenz-good" / "lorenz_float64.npz") as arrays:
        line = {"episode": "lorenz_float64", "arrays": {"prediction": arrays["prediction"].tolist()}}
    lines.write_text(json.dumps(line))
    verdicts = fixtures / "predictions" / "verdicts.jsonl"
    suites = [w for s in ("camera", "pose", "state", "keypoints", "action", "depth", "control") for w in ("--suite", s)]
    for source, predictions, words in [
        (fixtures / "wildworld" / "data_part1", fixtures / "predictions" / "good",
         [*suites, "--verdicts", verdicts, "--horizons", "10,60", "--partial", "--failed", "skip"]),
        (fixtures / "series" / "lorenz_float64.npy", lines,
         ["--suite", "forecast", "--suite", "attractor", "--window", "20", "--stride", "10", "--seed", "3"]),
    ]:
        archive = work / f"archive-{len(found)}"
        subprocess.run([trajpack, "convert", source, archive, "--quiet"], check=True, capture_output=True)
        done = subprocess.run([trajpack, "evaluate", archive, predictions, *words, "--format", "json"], check=True,
                              capture_output=True, text=True)
        found.append(("report.schema.json", json.loads(done.stdout)))
    assert {f["kind"] for _, r in found for f in r["figures"]} == {"lines", "paths", "dots", "poses"}
    assert found[0][1]["others"] and found[0][1]["metrics"][0]["horizons"] and found[1][1]["request"]["window"]
    found.append(("predictions.schema.json", line))
    return found + [("verdict.schema.json", json.loads(v)) for v in verdicts.read_text().splitlines()]


def test_written(documents):
    assert {name for name, _ in documents} == set(SCHEMAS)
    for name, document in documents:
        errors = [f"{e.json_path}: {e.message}" for e in validator(name).iter_errors(document)]
        assert not errors, (name, errors)


def test_every_required_member_is_needed(documents):
    for name, document in {n: d for n, d in documents}.items():
        for member in SCHEMAS[name].get("required", []):
            changed = copy.deepcopy(document)
            del changed[member]
            assert not validator(name).is_valid(changed), (name, member)


@pytest.mark.parametrize("change", [
    lambda s: s["streams"][0].update(name=""),
    lambda s: s["streams"][0].update(blob=-1),
    lambda s: s["streams"][0]["channels"][0].update(kind="colour"),
    lambda s: s["streams"][0]["channels"][0].update(type="float16"),
    lambda s: s["streams"][0]["channels"][0].update(shape=[0]),
    lambda s: s["streams"][0]["channels"][0].update(shape=[1] * 9),
    lambda s: s["streams"][0]["channels"][0].update(decimals=23),
    lambda s: s["streams"][0]["channels"][0].update(decimals=2, type="int32"),
    lambda s: s["streams"][0]["channels"][0].update(type="bytes", shape=[3]),
    lambda s: s["streams"][0]["channels"][0].update(missing="sometimes"),
    lambda s: s["blocks"][0].update(chunk_rows=0),
    lambda s: s["blocks"][0].update(codec="lzma"),
    lambda s: s["blocks"][0].update(codec="none", shuffle=4),
    lambda s: s["blocks"][0].update(rows=2 ** 48 + 1),
    lambda s: s["blocks"][0].update(path="/index/schema"),
    lambda s: s["blocks"][0].update(type="bytes"),
    lambda s: s.update(skeletons=[{"name": "x", "edges": [[0, 1, 2]]}]),
    lambda s: s.update(splits=["train", "train"]),
])
def test_broken_schema(documents, change):
    document = copy.deepcopy(next(d for n, d in documents if n == "schema.schema.json"))
    change(document)
    assert not validator("schema.schema.json").is_valid(document)


@pytest.mark.parametrize("change", [
    lambda m: m.update(version="3.0"), lambda m: m.update(digest="0" * 63),
    lambda m: m["shards"][0].update(name="shard-/etc/x.h5"), lambda m: m["shards"][0].update(name="x.h5"),
    lambda m: m["shards"][0].update(bytes=10), lambda m: m["shards"][0].pop("sha256"),
    lambda m: m.update(statistics={"": {"a/b": {"count": [1]}}}),
])
def test_broken_manifest(documents, change):
    document = copy.deepcopy(next(d for n, d in documents if n == "manifest.schema.json"))
    change(document)
    assert not validator("manifest.schema.json").is_valid(document)


@pytest.mark.parametrize("change", [
    lambda r: r["truth"].update(digest="0"), lambda r: r["request"].update(widow=3),
    lambda r: r["metrics"][0].update(count=-1), lambda r: r["metrics"][0].update(better="up"),
    lambda r: r["metrics"][0].update(value=None, reason=None), lambda r: r["metrics"][0].update(value="1"),
    lambda r: r["metrics"][0].update(value=1.0, reason="none"), lambda r: r["figures"][0].update(kind="pie"),
    lambda r: r["episodes"].update(cut=[{"episode": "a", "frames": 0}]),
])
def test_broken_report(documents, change):
    document = copy.deepcopy(next(d for n, d in documents if n == "report.schema.json"))
    change(document)
    assert not validator("report.schema.json").is_valid(document)


def test_broken_journal(documents):
    check = validator("journal-record.schema.json")
    shard = next(d for n, d in documents if d.get("type") == "shard")
    assert not check.is_valid({**shard, "sha256": "x"}) and not check.is_valid({"type": "plan"})
    assert check.is_valid({"type": "something new"})
