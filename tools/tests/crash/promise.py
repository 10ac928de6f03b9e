"""What trajpack promises of a dataset that a crash has interrupted, and how it is checked.

At whatever point the writer stopped: a shard that was acknowledged (its journal record, or the manifest, is
durable) is listed and has its bytes; everything that is listed verifies; the folder opens; and the same
command with --resume ends in the same bytes as a run that nothing stopped.
"""
import hashlib
import json
import os
import shutil
import subprocess

import read_archive


class Broken(AssertionError):
    """The promise is broken; says how."""


class Writer:
    """The conversion under test."""

    def __init__(self, trajpack, recordings):
        self.trajpack, self.recordings = trajpack, recordings

    def command(self, destination, *more):
        # A shard for each recording, so that there are many moments between two.
        return [self.trajpack, "convert", self.recordings, destination, "--shard-size", "1KB", "--quiet", *more]

    def run(self, destination, *more):
        done = subprocess.run(self.command(destination, *more), capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"convert {' '.join(more)} ends with {done.returncode}: {done.stderr.strip()}")


def digests(folder):
    """The sha256 of every file of a folder, and of the folders in it."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents(folder).items())}


def shown(files):
    """The files of the dataset that a reader sees: those of a replacement that was committed come first."""
    prefix = ".replacement/"
    if prefix + "manifest.json" not in files:
        return files
    own = {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}
    return {**{name: content for name, content in files.items() if name.startswith("shard-")}, **own}


def listed(files):
    """The shards that a folder's files list, as {name: sha256}; `files` are {name: bytes}."""
    files = shown(files)
    if "manifest.json" in files:
        entries = json.loads(files["manifest.json"])["shards"]
    elif "journal" in files:
        entries = [r for r in read_archive.journal_records(files["journal"]) if r["type"] == "shard"]
    else:
        return {}
    return {entry["name"]: entry["sha256"] for entry in entries}


def check_listing(files, acknowledged):
    """The cheap half, without a program: what was acknowledged is listed, what is listed is whole."""
    try:
        found = listed(files)
    except (ValueError, KeyError, read_archive.Damaged) as error:
        raise Broken(f"the folder does not open: {error}") from error
    files = shown(files)
    for name, digest in acknowledged.items():
        if found.get(name) != digest:
            raise Broken(f"{name} was acknowledged but is not listed")
    for name, digest in found.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest:
            raise Broken(f"{name} is listed but has other bytes")


def contents(folder):
    """The files of a folder, and of the folders in it, as {name: bytes}."""
    files = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, folder)] = file.read()
    return files


def check_folder(writer, folder, reference, acknowledged={}, going_on="--resume"):
    """The whole promise, by the program itself, on a folder on disk; the folder is changed."""
    files = contents(folder)
    check_listing(files, acknowledged)
    if "manifest.json" in files or "journal" in files:
        done = subprocess.run([writer.trajpack, "verify", folder, "--quiet"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"verify ends with {done.returncode}: {done.stdout}{done.stderr}")
    writer.run(folder, going_on)
    found = digests(folder)
    if found != reference:
        names = sorted(n for n in {*found, *reference} if found.get(n) != reference.get(n))
        raise Broken(f"the folder after {going_on} differs in {names}")


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder
