"""Reports of `trajpack evaluate`: their forms, making them again, comparing them, and the list of metrics."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import built
from evaluate_command import PREDICTIONS, by_episode, figures, lorenz, report, run, suites, world  # noqa: F401


def test_rerun(world, tmp_path):
    out = tmp_path / "report.json"
    words = [*suites(), "--seed", 7, "--failed", "skip", "--verdicts", PREDICTIONS / "verdicts.jsonl"]
    run(world, PREDICTIONS / "good", *words, "-o", out)
    assert "bit for bit" in run("--rerun", out)
    again = tmp_path / "again.json"
    run("--rerun", out, "-o", again)
    assert again.read_bytes() == out.read_bytes()
    # Inputs that have moved are the same; inputs that have changed are not.
    moved = shutil.copytree(PREDICTIONS / "good", tmp_path / "moved")
    assert "bit for bit" in run("--rerun", out, world, moved)
    assert "the predictions changed" in run("--rerun", out, world, PREDICTIONS / "bad", code=1)
    document = json.loads(out.read_text())
    document["metrics"][0]["value"] *= 1.0000001
    out.write_text(json.dumps(document))
    assert f"first figure that differs is {document['metrics'][0]['name']}" in run("--rerun", out, code=1)
    out.write_text(out.read_text()[:100])
    assert "report.json" in run("--rerun", out, code=1)


def test_compare(world, tmp_path):
    for model in ("good", "bad"):
        run(world, PREDICTIONS / model, "--suite", "camera", "--suite", "state", "-o", tmp_path / f"{model}.json")
    found = json.loads(run("compare", tmp_path / "good.json", tmp_path / "bad.json", "--format", "json"))
    assert found["models"] == ["good", "bad"] and found["options"]["bootstrap"] == 10000
    good, bad = (figures(json.loads((tmp_path / f"{m}.json").read_text())) for m in ("good", "bad"))
    for row in found["metrics"]:
        name, difference = row["name"], row["differences"][0]
        assert row["values"] == [good[name]["value"], bad[name]["value"]]
        apart = [by_episode(bad[name])[e] - v for e, v in by_episode(good[name]).items()]
        assert difference["value"] == pytest.approx(np.mean(apart)) and difference["episodes"] == 3
        # The bootstrap of three differences has few means: those of all 27 samples.
        means = sorted(np.mean([apart[i], apart[j], apart[k]]) for i in range(3) for j in range(3) for k in range(3))
        for end in ("low", "high"):
            assert min(abs(difference[end] - m) for m in means) < 1e-9 or means[0] <= difference[end] <= means[-1]
    ate = next(r for r in found["metrics"] if r["name"] == "camera.ate.rmse")["differences"][0]
    assert ate["better"] is False and ate["low"] > 0
    same = json.loads(run("compare", tmp_path / "good.json", tmp_path / "good.json", "--format", "json"))
    assert all(r["differences"][0]["value"] == 0 for r in same["metrics"])
    run(world, PREDICTIONS / "bad", "--suite", "camera", "--set", "alignment=none", "-o", tmp_path / "other.json")
    other = json.loads(run("compare", tmp_path / "good.json", tmp_path / "other.json", "--format", "json"))
    reasons = {r["name"]: r["differences"][0]["reason"] for r in other["metrics"]}
    assert reasons["camera.ate.rmse"] == "the option 'alignment' differs"


def test_formats(world, lorenz, tmp_path):
    words = [world, PREDICTIONS / "good", *suites()]
    page = run(*words, "--format", "html")
    assert page.startswith("<!doctype html>") and page.count("<svg") > 8
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page and "@import" not in page
    assert "prefers-color-scheme" in page and "16966" in page
    document = report(*words)
    assert document["truth"]["digest"] in page and document["predictions"]["digest"] in page
    kinds = {f["kind"] for f in document["figures"]}
    assert kinds >= {"paths", "dots", "lines", "poses"}
    rows = run(*words, "--format", "csv").splitlines()
    assert rows[0] == "metric,episode,horizon,value,count,unit,better,reason,of"
    whole = dict(r.split(",")[::3][:2] for r in rows[1:] if r.split(",")[1] == "" and '"' not in r)
    assert float(whole["camera.ate.rmse"]) == figures(document)["camera.ate.rmse"]["value"]
    assert "| camera.ate.rmse |" in run(*words, "--format", "markdown")
    assert "camera.ate.rmse" in run(*words)
    for name in ("a.html", "a.md", "a.csv", "a.txt", "a.json"):
        run(*words, "-o", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert not list(tmp_path.glob(".tmp*"))
    assert "--format" in run(*words, "-o", tmp_path / "a.pdf", code=2)


def test_list_and_describe():
    listed = run("--list")
    entries = json.loads(run("--list", "--format", "json"))
    assert len(entries) >= 29
    for entry in entries:
        assert entry["name"] in listed
        text = run("--describe", entry["name"])
        for item in entry["inputs"] + entry["options"]:
            assert item["name"] in text
    assert "camera.path" in run("--describe", "camera.ate.rmse")


def test_what_is_no_file_stays_what_it_is(world, tmp_path):
    """A report is written through a link; a full device is an error, and stays a device."""
    words = [built("trajpack"), "evaluate", world, PREDICTIONS / "good", "--metric", "camera.ate", "--format", "json", "--quiet"]
    (tmp_path / "link").symlink_to(tmp_path / "report.json")
    (tmp_path / "report.json").write_text("old")
    subprocess.run([*words, "-o", tmp_path / "link"], check=True)
    assert (tmp_path / "link").is_symlink() and json.loads((tmp_path / "report.json").read_text())["metrics"]
    done = subprocess.run([*words, "-o", "/dev/full"], capture_output=True, text=True)
    assert done.returncode == 3 and "/dev/full" in done.stderr and Path("/dev/full").is_char_device()
