"""Links that lead nowhere, pipes, sockets, devices and folders where a file is expected: never an absent file.

Every member of every format, and what else a command reads, is put in the place of the real one; the command
must fail and name it. A link that leads somewhere is a file like any other.
"""
import json
import os
import shutil
import socket
import subprocess

import numpy as np
import pytest

KINDS = ["broken link", "loop", "pipe", "socket", "device", "folder"]


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, **options)


def spoil(path, kind):
    """Puts something that is no file in the place of `path`."""
    if os.path.lexists(path):
        os.remove(path)
    if kind == "broken link":
        os.symlink("nowhere/of/annex", path)
    elif kind == "loop":
        os.symlink(os.path.basename(path), path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(os.path.dirname(path))          # a socket's path may have a hundred bytes
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.basename(path))
        finally:
            os.chdir(here)
    elif kind == "device":
        os.symlink("/dev/zero", path)
    else:
        os.mkdir(path)


@pytest.fixture(scope="module")
def samples(recordings, tmp_path_factory):
    """Two samples of WildWorld with all four files; the videos are looked at only where one is whole."""
    out = tmp_path_factory.mktemp("samples") / "data_part1"
    for name in sorted(os.listdir(recordings))[:2]:
        if os.path.isdir(os.path.join(recordings, name)):
            shutil.copytree(os.path.join(recordings, name), out / name)
    for name in ("skeleton_edges.json",):
        if os.path.exists(os.path.join(recordings, name)):
            shutil.copy(os.path.join(recordings, name), out / name)
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("member", ["state.csv", "skeleton.npz", "rgb.mp4", "depth.mkv", "skeleton_edges.json"])
def test_members_of_wildworld(trajpack, samples, tmp_path, member, kind):
    source = tmp_path / "data_part1"
    shutil.copytree(samples, source)
    sample = sorted(p for p in source.iterdir() if p.is_dir())[1]
    path = (source if member == "skeleton_edges.json" else sample) / member
    good = tmp_path / "good"
    assert run(trajpack, "convert", source, good).returncode == 0
    spoil(str(path), kind)
    done = run(trajpack, "convert", source, tmp_path / "ds")
    assert done.returncode == 1 and member in done.stderr and done.stdout == "", done.stderr
    assert not (tmp_path / "ds").exists()
    compared = run(trajpack, "diff", good, source)
    assert compared.returncode == 1 and member in compared.stderr, compared.stderr
    # The sample by itself, too.
    if member != "skeleton_edges.json":
        alone = run(trajpack, "convert", sample, tmp_path / "ds")
        assert alone.returncode == 1 and member in alone.stderr, alone.stderr
    if member in ("rgb.mp4", "depth.mkv"):
        # Videos that are left out need not be there.
        assert run(trajpack, "convert", source, tmp_path / "ds", "--video", "drop").returncode == 0


def test_a_sample_that_is_a_link(trajpack, samples, tmp_path):
    source = tmp_path / "data_part1"
    shutil.copytree(samples, source)
    os.symlink(sorted(p for p in samples.iterdir() if p.is_dir())[0], source / "900000")
    assert run(trajpack, "convert", source, tmp_path / "with").returncode == 0
    os.remove(source / "900000")
    os.symlink(tmp_path / "not fetched", source / "900000")
    done = run(trajpack, "convert", source, tmp_path / "ds")
    assert done.returncode == 1 and "900000" in done.stderr and "there is nothing" in done.stderr


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "folder"])
@pytest.mark.parametrize("name", ["b.csv", "b.tsv", "b.npy", "b.npz", "b.json", "b.csv.gz", "b.json.gz"])
def test_series_in_a_folder(trajpack, tmp_path, name, kind):
    source = tmp_path / "series"
    source.mkdir()
    np.save(source / "a.npy", np.zeros((5, 2)))
    options = ("--rate", "1")
    good = tmp_path / "good"
    assert run(trajpack, "convert", source, good, *options).returncode == 0
    spoil(str(source / name), kind)
    done = run(trajpack, "convert", source, tmp_path / "ds", *options)
    assert done.returncode == 1 and name in done.stderr, done.stderr
    compared = run(trajpack, "diff", good, source)
    assert compared.returncode == 1 and name in compared.stderr, compared.stderr
    direct = run(trajpack, "convert", source / name, tmp_path / "ds", *options)
    assert direct.returncode == 1 and name in direct.stderr, direct.stderr
    (source / "a.npy").unlink()
    alone = run(trajpack, "convert", source, tmp_path / "ds", *options)
    assert alone.returncode == 1 and name in alone.stderr, alone.stderr
    # Hidden names are nobody's data: editors leave broken links of such names.
    os.rename(source / name, source / f".#{name}")
    np.save(source / "a.npy", np.zeros((5, 2)))
    assert run(trajpack, "convert", source, tmp_path / "ds", *options).returncode == 0


@pytest.fixture(scope="module")
def world(trajpack, tmp_path_factory):
    """A dataset of one stream, and predictions of its two episodes."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "source").mkdir()
    for name in ("a", "b"):
        np.savez(folder / "source" / f"{name}.npz", x=np.arange(20.0).reshape(10, 2))
    done = run(trajpack, "convert", folder / "source", folder / "ds", "--rate", "1")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_plans(trajpack, world, tmp_path, kind):
    spoil(str(tmp_path / "plan.json"), kind)
    done = run(trajpack, "apply", "--plan", tmp_path / "plan.json", world / "ds", tmp_path / "out")
    assert done.returncode in (1, 2) and "plan.json" in done.stderr and not (tmp_path / "out").exists(), done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.csv", "a.jsonl"])
def test_predictions(trajpack, world, tmp_path, name, kind):
    predictions = tmp_path / "predictions"
    shutil.copytree(world / "source", predictions)
    if kind != "folder":
        (predictions / "a.npz").unlink()
        spoil(str(predictions / name), kind)
        # With --partial an absent file is a missing episode; one that is there but no file is not absent.
        done = run(trajpack, "evaluate", world / "ds", predictions, "--metric", "forecast.mse", "--partial")
        assert done.returncode == 1 and name in done.stderr, done.stderr
    alone = tmp_path / name
    spoil(str(alone), kind)
    done = run(trajpack, "evaluate", world / "ds", alone, "--metric", "forecast.mse")
    assert done.returncode in (1, 2) and name in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["manifest.json", "shard-000000.h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_datasets(trajpack, world, tmp_path, name, kind):
    """A file of a dataset: each command names it."""
    dataset = tmp_path / "ds"
    shutil.copytree(world / "ds", dataset)
    spoil(str(dataset / name), kind)
    for command in (("info",), ("verify",), ("head",), ("diff", world / "ds")):
        if command[0] == "diff" and (name, kind) == ("manifest.json", "folder"):
            continue                                      # no dataset then, but a folder of recordings
        done = run(trajpack, command[0], *command[1:], dataset)
        assert done.returncode in (1, 2) and name in done.stderr, (command, done.stderr)


def test_unreadable_files(trajpack, world, tmp_path):
    """A file without permission is named; as root everything may be read, so another user tries."""
    source = tmp_path / "source"
    shutil.copytree(world / "source", source)
    for path in [tmp_path, *tmp_path.parents]:
        if str(path).startswith("/tmp/"):
            os.chmod(path, 0o777)
    os.chmod(source / "b.npz", 0)
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    done = run(trajpack, "convert", source, tmp_path / "ds", "--rate", "1", **as_nobody)
    assert done.returncode == 3 and "b.npz" in done.stderr and "permission denied" in done.stderr, done.stderr
    (source / "a.npz").unlink()
    for place in (source, source / "b.npz"):
        done = run(trajpack, "convert", place, tmp_path / "ds", "--rate", "1", **as_nobody)
        assert done.returncode == 3 and "b.npz" in done.stderr and "permission denied" in done.stderr, done.stderr
    os.chmod(source / "b.npz", 0o644)
    os.chmod(source, 0)
    done = run(trajpack, "convert", source, tmp_path / "ds", "--rate", "1", **as_nobody)
    assert done.returncode == 3 and "permission denied" in done.stderr, done.stderr
    os.chmod(source, 0o755)


def test_links_that_lead_somewhere_are_files(trajpack, world, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.npz", "b.npz"):
        os.symlink(world / "source" / name, source / name)
    assert run(trajpack, "convert", source, tmp_path / "ds", "--rate", "1").returncode == 0
    shards = [json.loads((d / "manifest.json").read_text())["shards"] for d in (tmp_path / "ds", world / "ds")]
    assert shards[0] == shards[1]


def test_what_is_not_a_source(trajpack, world, tmp_path):
    """A dataset, a folder of shards, foreign HDF5: what it is, and no command that would refuse it too."""
    import h5py
    done = run(trajpack, "convert", world / "ds", tmp_path / "out")
    assert done.returncode == 2 and "is a trajpack dataset already" in done.stderr
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(world / "ds" / "shard-000000.h5", bare)
    done = run(trajpack, "verify", bare)
    assert done.returncode == 2 and "run 'trajpack repair" in done.stderr and "convert" not in done.stderr
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = np.zeros(3)
    for command in ("info", "verify", "head"):
        done = run(trajpack, command, tmp_path / "foreign.h5")
        assert done.returncode == 1 and "does not read other HDF5" in done.stderr, done.stderr
    broken = tmp_path / "broken"
    shutil.copytree(world / "ds", broken)
    for content in (b"", bytes(300)):
        (broken / "manifest.json").write_bytes(content)
        done = run(trajpack, "info", broken)
        assert done.returncode == 1 and "manifest.json" in done.stderr and "restore it from a copy" in done.stderr


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "/dev/null"])
def test_an_unusable_tmpdir_is_named(trajpack, world, tmp_path, folder):
    np.savez_compressed(tmp_path / "big.npz", x=np.random.default_rng(1).integers(0, 9, (9_000_000,)).astype("i8"))
    environment = {**os.environ, "TMPDIR": folder}
    done = run(trajpack, "convert", tmp_path / "big.npz", tmp_path / "ds", "--rate", "1", env=environment)
    assert done.returncode == 3 and f"{folder}, which TMPDIR names" in done.stderr and "set TMPDIR" in done.stderr, done.stderr
    done = run(trajpack, "diff", world / "ds", world / "source", env=environment)
    assert done.returncode == 3 and f"{folder}, which TMPDIR names" in done.stderr, done.stderr


def episodes(trajpack, dataset):
    done = run(trajpack, "info", dataset, "--episodes", "--json")
    assert done.returncode == 0, done.stderr
    return sorted(json.loads(line)["id"] for line in done.stdout.splitlines()) if done.stdout[0] == "{" else sorted(
        e["id"] for e in json.loads(done.stdout))


@pytest.fixture(params=["series", "poses", "trees", "messages"])
def source(request, tmp_path):
    """A folder of each way in which sources are walked through, and the ids of its recordings."""
    folder = tmp_path / "src"
    (folder / "deep").mkdir(parents=True)
    for name in ("ep000", "deep/ep001"):
        place = folder / name
        if request.param == "series":
            np.savez(f"{place}.npz", x=np.arange(20.0).reshape(10, 2))
        elif request.param == "poses":
            (folder / f"{name}.tum").write_text("".join(f"{i} 0 0 {i} 0 0 0 1\n" for i in range(5)))
        elif request.param == "trees":
            import h5py
            with h5py.File(f"{place}.h5", "w") as file:
                for n in range(2):
                    file[f"data/demo_{n}/obs/x"] = np.zeros((4, 2))
                    file[f"data/demo_{n}/actions"] = np.zeros((4, 2))
        else:
            from mcap.writer import Writer
            with open(f"{place}.mcap", "wb") as out:
                writer = Writer(out)
                writer.start()
                form = b'{"type":"object","properties":{"x":{"type":"number"}}}'
                schema = writer.register_schema("S", "jsonschema", form)
                channel = writer.register_channel("/x", "json", schema)
                for i in range(5):
                    writer.add_message(channel, i * 1000, b'{"x": 1.5}', i * 1000)
                writer.finish()
    return folder


def rate(source):
    return ("--rate", "1") if list(source.glob("*.npz")) else ()


@pytest.mark.parametrize("at", ["self", "deep/up"])
def test_a_link_to_the_top_folder_doubles_nothing(trajpack, source, tmp_path, at):
    done = run(trajpack, "convert", source, tmp_path / "once", *rate(source))
    assert done.returncode == 0, done.stderr
    os.symlink(source, source / at)
    done = run(trajpack, "convert", source, tmp_path / "ds", *rate(source))
    assert done.returncode == 0, done.stderr
    assert episodes(trajpack, tmp_path / "ds") == episodes(trajpack, tmp_path / "once")


def test_a_folder_that_is_named_twice_is_refused(trajpack, source, tmp_path):
    os.symlink(source, tmp_path / "link")
    for second in (source, tmp_path / "link", f"{source}/deep/.."):
        done = run(trajpack, "convert", source, second, tmp_path / "ds", *rate(source))
        assert done.returncode == 2 and "is the same folder as" in done.stderr, done.stderr
        assert not (tmp_path / "ds").exists()
