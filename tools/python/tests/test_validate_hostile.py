"""`trajpack validate` in CI and on damaged files: SARIF by its schema, our own fixtures, and bytes that flipped."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from fault_world import clean, write
from places import ROOT, program

# The parts of the published schema of SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) that our output touches: members
# that must be there, those that may be (`additionalProperties` is false there), types, enumerations and least numbers.
_MESSAGE = {"type": "object", "additionalProperties": False, "minProperties": 1, "properties": {
    "text": {"type": "string"}, "markdown": {"type": "string"}, "id": {"type": "string"},
    "arguments": {"type": "array"}, "properties": {"type": "object"}}}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_TEXT = {"type": "object", "required": ["text"], "additionalProperties": False,
         "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}}}
_RULE = {"type": "object", "required": ["id"], "additionalProperties": False, "properties": {
    "id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": _TEXT, "fullDescription": _TEXT,
    "help": _TEXT, "helpUri": {"type": "string", "format": "uri"}, "properties": {"type": "object"},
    "defaultConfiguration": {"type": "object", "additionalProperties": False, "properties": {
        "enabled": {"type": "boolean"}, "level": _LEVEL, "rank": {"type": "number"}}}}}
_LOCATION = {"type": "object", "additionalProperties": False, "properties": {
    "id": {"type": "integer", "minimum": -1}, "message": _MESSAGE, "annotations": {"type": "array"},
    "logicalLocations": {"type": "array", "uniqueItems": True, "items": {
        "type": "object", "additionalProperties": False, "properties": {
            "name": {"type": "string"}, "index": {"type": "integer"}, "fullyQualifiedName": {"type": "string"},
            "decoratedName": {"type": "string"}, "parentIndex": {"type": "integer"}, "kind": {"type": "string"}}}},
    "physicalLocation": {"type": "object", "additionalProperties": False, "properties": {
        "artifactLocation": {"type": "object", "additionalProperties": False, "properties": {
            "uri": {"type": "string", "format": "uri-reference"}, "uriBaseId": {"type": "string"},
            "index": {"type": "integer"}, "description": _MESSAGE}},
        "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}},
        "contextRegion": {"type": "object"}, "address": {"type": "object"}}}}}
_RESULT = {"type": "object", "required": ["message"], "additionalProperties": False, "properties": {
    "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": -1}, "level": _LEVEL,
    "kind": {"type": "string"}, "message": _MESSAGE, "properties": {"type": "object"},
    "locations": {"type": "array", "items": _LOCATION}, "relatedLocations": {"type": "array", "items": _LOCATION},
    "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
    "fingerprints": {"type": "object", "additionalProperties": {"type": "string"}}}}
SARIF: dict[str, Any] = {"type": "object", "required": ["version", "runs"], "additionalProperties": False, "properties": {
    "$schema": {"type": "string", "format": "uri"}, "version": {"enum": ["2.1.0"]},
    "runs": {"type": "array", "items": {"type": "object", "required": ["tool"], "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
            "type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "version": {"type": "string"},
                "rules": {"type": "array", "uniqueItems": True, "items": _RULE}}}}},
        "invocations": {"type": "array", "items": {"type": "object", "required": ["executionSuccessful"], "properties": {
            "executionSuccessful": {"type": "boolean"}, "toolExecutionNotifications": {"type": "array", "items": {
                "type": "object", "required": ["message"], "properties": {"message": _MESSAGE, "level": _LEVEL}}}}}},
        "results": {"type": "array", "items": _RESULT}}}}}}


def run(*words: Any, cwd: Any = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program(), "validate", "-q", *map(str, words)], capture_output=True, cwd=cwd, check=False,
                          timeout=60)


def test_sarif_keeps_to_its_schema(tmp_path: Path) -> None:
    episodes = [clean(n) for n in range(3)]
    episodes[1]["state"]["temp"][5] = np.inf
    episodes[2]["times"][50] = episodes[2]["times"][49]
    write(tmp_path / "ds", episodes)
    (tmp_path / "bad.csv").write_text("time,a\n0,1\n1,2,3,4\n2,3\n")
    done = run("ds", "bad.csv", "--format", "sarif", cwd=tmp_path)
    document = json.loads(done.stdout)
    jsonschema.validate(document, SARIF)
    # The whole published schema, where it is at hand (OASIS, sarif-2.1/schema/sarif-schema-2.1.0.json).
    if schema := os.environ.get("TRAJPACK_SARIF_SCHEMA"):
        jsonschema.validate(document, json.loads(Path(schema).read_text()),
                            format_checker=jsonschema.FormatChecker())
    results = document["runs"][0]["results"]
    assert {r["ruleId"] for r in results} == {"values.infinite", "time.duplicate", "container.unreadable"}
    for result in results:             # what GitHub asks for beyond the schema: a place in the repository, and one print
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri and not uri.startswith(("/", "file:")) and ".." not in uri
    assert len({r["partialFingerprints"]["trajpack/v1"] for r in results}) == len(results)
    del document["runs"][0]["results"][0]["message"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SARIF)


def test_golden_archives_of_this_project() -> None:
    """The project's CI validates its own fixtures. They hold corner cases of numbers on purpose: just these are errors."""
    known = {("values.infinite", "crit_atk_rate"), ("values.nan", "whole decimal"),
             ("geometry.quaternion-norm", "rotation")}
    folders = sorted({p.parent for p in (ROOT / "fixtures" / "golden").rglob("manifest.json")})
    assert folders
    done = run(*folders, "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert len(report["datasets"]) == len(folders) and all(d["episodes"] for d in report["datasets"])
    errors = {(f["rule"], f.get("channel")) for f in report["findings"] if f["severity"] == "error"}
    assert errors == known


@pytest.mark.parametrize("seed", range(2))
def test_damaged_bytes_are_findings_and_never_a_trap(tmp_path: Path, seed: int) -> None:
    """Flipped bytes and cut files, of shards and of the manifest: a report that names damage, or one sentence."""
    rng = np.random.default_rng(seed)
    source = tmp_path / "ds"
    write(source, [clean(n) for n in range(2)])
    whole = {p.name: p.read_bytes() for p in source.iterdir() if p.is_file()}
    names = [n for n in sorted(whole) if n == "manifest.json" or n.endswith(".h5")]
    for _ in range(25):
        name = names[rng.integers(len(names))]
        data = bytearray(whole[name])
        if rng.integers(4) == 0:
            del data[int(rng.integers(len(data))):]
        else:
            for _ in range(rng.integers(1, 5)):
                data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        (source / name).write_bytes(data)
        done = run(source, "--format", "json")
        assert done.returncode in (0, 1, 2), (done.returncode, done.stderr)
        if done.returncode == 2:
            assert done.stderr.count(b"\n") == 1
        else:
            report = json.loads(done.stdout)
            told = {f["rule"].partition(".")[0] for f in report["findings"]}
            # Bytes between the parts of a file, which nothing reads, may flip unseen; values may not.
            assert told <= {"container"}, report["findings"]
        (source / name).write_bytes(whole[name])
    assert json.loads(run(source, "--format", "json").stdout)["findings"] == []
