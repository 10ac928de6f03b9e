"""Unfinished datasets for tests of journals, and what readers and writers make of them."""
import os
import shutil
import struct
import subprocess

import numpy as np
import read_archive

MAGIC = read_archive.JOURNAL


def grow(path, count, first=0, **options):
    """A writer in a process of its own adds episodes, each acknowledged, and dies before it closes."""
    import trajpack
    child = os.fork()
    if child == 0:
        code = 1
        try:
            writer = trajpack.create(path, mode="a", rate=50, **options)
            for n in range(first, first + count):
                writer.append(f"e{n:03d}", x=np.arange(20.0) + n)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def files(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def lay(folder, contents):
    """Makes a folder of just these files."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, data in contents.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    return str(folder)


def places(journal):
    """Where the records of a whole journal begin, and its end."""
    at, found = len(MAGIC), []
    while at < len(journal):
        found.append(at)
        at += 8 + struct.unpack_from("<I", journal, at)[0]
    return [*found, at]


def read(folder):
    """The ids that a reader sees, or its error; both readers of the archive must agree."""
    import trajpack
    try:
        paths, _ = read_archive.open_dataset(folder)
        second = len(paths)
    except (read_archive.Damaged, OSError, ValueError, KeyError) as error:
        second = str(error)
    try:
        ids = trajpack.open(folder).episodes.ids
    except trajpack.DataError as error:
        assert isinstance(second, str), f"the library refuses ({error}), the second reader takes {second} shards"
        return str(error)
    except trajpack.UsageError as error:
        assert "no shards yet" in str(error), error
        ids = []
    assert not isinstance(second, str), f"the second reader refuses ({second}), the library takes {len(ids)} episodes"
    return ids


def go_on(folder):
    """What a writer that goes on makes of it: the ids afterwards, or its error, which has changed nothing."""
    import trajpack
    before = files(folder)
    try:
        with trajpack.create(folder, mode="a", rate=50) as writer:
            writer.append("new", x=np.arange(3.0))
    except (trajpack.DataError, trajpack.UsageError) as error:
        after = files(folder)
        assert after == before, f"refused ({error}), but {set(before) ^ set(after) or 'a file'} changed"
        return str(error)
    ids = trajpack.open(folder).episodes.ids
    assert ids[-1] == "new"
    return ids[:-1]


def verify(trajpack, folder):
    """(exit code, {name: standing}, sentences) of `trajpack verify --json`."""
    import json
    done = subprocess.run([trajpack, "verify", folder, "--json"], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    if "error" in report:
        report = {"unlisted": []}
    return done.returncode, {u["name"]: u["standing"] for u in report["unlisted"]}, done.stderr
