"""--overwrite from outside: the old dataset stays whole until the new one takes its place, whatever comes between.

Every write boundary of it is in crash/test_crash.py; here are errors, signals, readers at work, writers that
come next, disks without room and file systems without hard links.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import read_archive
from promise import contents, digests

SMALL = ("--shard-size", "1KB", "--rate", "10")


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)


def series(folder, values, count=6):
    """Some recordings of ten rows."""
    os.makedirs(folder)
    for n in range(count):
        np.save(folder / f"r{n}.npy", np.arange(20.0).reshape(10, 2) + 100 * n + values)
    return folder


@pytest.fixture
def world(trajpack, tmp_path):
    """Two sources, the dataset of each, and a dataset `ds` of the first that is to be overwritten."""
    class World:
        a, b = series(tmp_path / "a", 0.25), series(tmp_path / "b", 0.5, count=4)
        ds = tmp_path / "ds"

        @staticmethod
        def convert(source, destination, *options, **more):
            return run(trajpack, "convert", source, destination, *SMALL, *options, **more)
    for source, name in [(World.a, "of_a"), (World.b, "of_b")]:
        assert World.convert(source, tmp_path / name).returncode == 0
        setattr(World, name, digests(tmp_path / name))
    assert World.convert(World.a, World.ds).returncode == 0
    return World


def info(trajpack, folder):
    done = run(trajpack, "info", folder, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_error_leaves_the_old_dataset(world, trajpack):
    good = world.b.joinpath("r2.npy").read_bytes()
    world.b.joinpath("r2.npy").write_bytes(good[:100])
    world.b.joinpath("r3.npy").write_bytes(b"damaged")
    done = world.convert(world.b, world.ds, "--overwrite")
    assert done.returncode == 1
    # Both are refused at once, before a shard is written.
    assert digests(world.ds) == world.of_a


def test_a_late_error_leaves_the_old_dataset_and_a_resumption(world, trajpack, tmp_path):
    """A row that cannot be read is found only when its shard is written."""
    rows = ["t,x"] + [f"{n},{n}.5" for n in range(60)]
    tables = tmp_path / "tables"
    tables.mkdir()
    for n in range(5):
        tables.joinpath(f"t{n}.csv").write_text("\n".join(rows) + "\n")
    tables.joinpath("t3.csv").write_text("\n".join(rows[:-1] + ["59,x59"]) + "\n")

    def convert(*options):
        return run(trajpack, "convert", tables, world.ds, "--shard-size", "100", "--time", "t", *options)
    done = convert("--overwrite")
    assert done.returncode == 1 and "t3.csv" in done.stderr, done.stderr
    kept = digests(world.ds)
    hidden = {n for n in kept if n.startswith(".tmp-replacement/")}
    assert {n: d for n, d in kept.items() if n not in hidden} == world.of_a
    assert run(trajpack, "verify", world.ds).returncode == 0
    if hidden:
        assert "is as it was; the same command with --resume instead of --overwrite goes on" in done.stderr
    # The file was mended: what was begun is gone on with. With other options it is not, and that is said.
    tables.joinpath("t3.csv").write_text("\n".join(rows) + "\n")
    if hidden:
        refused = convert("--resume", "--codec", "none")
        assert refused.returncode == 2 and "--overwrite to begin again" in refused.stderr, refused.stderr
        assert convert("--resume").returncode == 0
    else:
        assert convert("--overwrite").returncode == 0
    fresh = tmp_path / "fresh"
    assert run(trajpack, "convert", tables, fresh, "--shard-size", "100", "--time", "t").returncode == 0
    assert digests(world.ds) == digests(fresh)


def test_a_hidden_folder_is_gone_on_with_or_dropped(world, trajpack, tmp_path):
    hidden = world.ds / ".tmp-replacement"
    assert world.convert(world.b, hidden).returncode == 0      # all but the swap
    assert info(trajpack, world.ds)["episodes"] == 6
    refused = world.convert(world.b, world.ds)
    assert refused.returncode == 2 and "holds a dataset already" in refused.stderr
    # Another plan's resumption is refused, the dataset's own drops what was begun and says so.
    assert world.convert(world.b, world.ds, "--resume", "--codec", "none").returncode == 2
    done = world.convert(world.a, world.ds, "--resume")
    assert done.returncode == 0 and "is dropped" in done.stderr
    assert digests(world.ds) == world.of_a
    assert world.convert(world.b, hidden).returncode == 0
    assert world.convert(world.b, world.ds, "--resume").returncode == 0
    assert digests(world.ds) == world.of_b


def test_a_writer_ends_what_was_begun(world, trajpack, tmp_path):
    """Python that adds an episode drops a replacement that is not complete, and ends one that is."""
    code = "import sys, trajpack; trajpack.create(sys.argv[1], mode='a').close()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    hidden = world.ds / ".tmp-replacement"
    assert world.convert(world.b, hidden).returncode == 0
    done = run(sys.executable, "-c", code, world.ds, env=environment)
    assert done.returncode == 0, done.stderr
    assert digests(world.ds) == world.of_a
    assert world.convert(world.b, hidden).returncode == 0
    hidden.rename(world.ds / ".replacement")                    # committed, and nothing more
    assert info(trajpack, world.ds)["episodes"] == 4
    paths, whole = read_archive.open_dataset(str(world.ds))
    assert all(".replacement" in path for path in paths) and whole["complete"]
    assert run(trajpack, "verify", world.ds).returncode == 0
    done = run(sys.executable, "-c", code, world.ds, env=environment)
    assert done.returncode == 0, done.stderr
    assert digests(world.ds) == world.of_b


@pytest.mark.parametrize("name, code, sentence", [
    ("SIGINT", 130, "stopping"), ("SIGTERM", 143, "stopped by a signal"), ("SIGHUP", 129, "stopped by a signal")])
def test_signals(world, trajpack, tmp_path, name, code, sentence):
    """A signal leaves the old dataset; --resume instead of --overwrite ends in the new one."""
    many = series(tmp_path / "many", 1.5, count=200)
    fresh = tmp_path / "fresh"
    assert world.convert(many, fresh).returncode == 0
    # What starts the tests may have it ignored, as nohup does.
    process = subprocess.Popen(
        [trajpack, "convert", many, world.ds, *SMALL, "--overwrite"], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_DFL))
    inner = world.ds / ".tmp-replacement"
    while process.poll() is None and not inner.joinpath("shard-000003.h5").exists():
        time.sleep(0.001)
    process.send_signal(getattr(signal, name))
    said = process.communicate()[1]
    assert process.returncode == code, said
    assert sentence in said and "--resume instead of --overwrite" in said, said
    assert ("Ctrl-C" in said) == (name == "SIGINT")
    left = digests(world.ds)
    assert {n: d for n, d in left.items() if not n.startswith(".tmp-")} == world.of_a
    assert not [n for n in left if "/.tmp-" in n], "something half-written is left"
    assert world.convert(many, world.ds, "--resume").returncode == 0
    assert digests(world.ds) == digests(fresh)


def test_readers_see_one_or_the_other(world, trajpack):
    """Readers that open the dataset again and again while it is replaced get the one or the other, whole."""
    counts = {6: 0, 4: 0}
    failures, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            done = run(trajpack, "info", world.ds, "--json")
            if done.returncode:
                failures.append(done.stderr)
            else:
                counts[json.loads(done.stdout)["episodes"]] += 1
            done = run(trajpack, "diff", world.ds, world.ds)
            if done.returncode and "has been replaced by another dataset since it was opened" not in done.stderr:
                failures.append(done.stdout + done.stderr)
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        source = (world.b, world.a)[turn % 2]
        done = world.convert(source, world.ds, "--overwrite")
        assert done.returncode == 0, done.stderr
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert min(counts.values()) > 0, counts


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>
int link(const char *a, const char *b) { (void)a, (void)b; errno = EPERM; return -1; }
int statvfs(const char *path, struct statvfs *out) {
  int (*real)(const char *, struct statvfs *) = dlsym(RTLD_NEXT, "statvfs");
  int rc = real(path, out);
  out->f_bavail = 1;
  out->f_frsize = 512;
  return rc;
}
int statvfs64(const char *path, struct statvfs64 *out) {
  int (*real)(const char *, struct statvfs64 *) = dlsym(RTLD_NEXT, "statvfs64");
  int rc = real(path, out);
  out->f_bavail = 1;
  out->f_frsize = 512;
  return rc;
}
"""


def test_no_hard_links_and_no_room(world, trajpack, tmp_path):
    """Without hard links shards are moved; too small a disk is said before the work begins."""
    (tmp_path / "shim.c").write_text(SHIM)
    library = tmp_path / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "shim.c", "-ldl"], check=True)
    assert "needs room" not in world.convert(world.b, world.ds, "--overwrite").stderr
    assert digests(world.ds) == world.of_b
    done = world.convert(world.a, world.ds, "--overwrite", env={**os.environ, "LD_PRELOAD": str(library)})
    assert done.returncode == 0
    assert "the disk has 512 left; --overwrite needs room for both until the new one is complete" in done.stderr
    assert digests(world.ds) == world.of_a


def test_links_of_our_names_lead_nowhere(world, tmp_path):
    """Where a link has the name of the hidden folder, the link goes and what it leads to stays."""
    victim = tmp_path / "victim"
    shutil.copytree(world.ds, victim)
    before = contents(victim)
    os.symlink(victim, world.ds / ".tmp-replacement")
    assert world.convert(world.b, world.ds, "--overwrite").returncode == 0
    assert digests(world.ds) == world.of_b
    assert contents(victim) == before


def test_a_folder_that_is_no_dataset_is_left_alone(world, tmp_path):
    """Folders of the hidden names in somebody else's folder are not ours."""
    other = tmp_path / "other"
    shutil.copytree(world.ds, other / ".tmp-replacement")
    shutil.copytree(world.ds, other / ".replacement" / "deeper")
    before = contents(other)
    for option in ("--overwrite", "--resume"):
        done = world.convert(world.b, other, option)
        assert done.returncode == 2 and "is not empty" in done.stderr, done.stderr
    assert contents(other) == before


@pytest.mark.parametrize("command", [("resample", "--rate", "5"), ("embed", "--tau", "2", "--dimension", "2"),
                                     ("mask", "--amount", "0.2")])
def test_prepared_datasets_too(world, trajpack, tmp_path, command):
    """The commands that prepare datasets write by the same rules."""
    word, *options = command
    fresh, out = tmp_path / "fresh", tmp_path / "out"
    done = run(trajpack, word, world.ds, fresh, *options)
    assert done.returncode == 0, done.stderr
    shutil.copytree(world.ds, out)
    shutil.copytree(fresh, out / ".replacement")                # as a crash after the commit leaves it
    assert run(trajpack, word, world.ds, out, *options, "--resume").returncode == 0
    assert digests(out) == digests(fresh)
    shutil.rmtree(out)
    shutil.copytree(world.ds, out)
    assert run(trajpack, word, world.ds, out, *options, "--overwrite").returncode == 0
    assert digests(out) == digests(fresh)
