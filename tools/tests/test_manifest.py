"""verify checks all that can be known of a manifest."""
import copy
import json
import random

import pytest
from journal_world import files, lay, verify


@pytest.fixture(scope="module")
def dataset(specimen, tmp_path_factory):
    """Every feature of the format, in several shards, with splits and statistics."""
    import subprocess
    folder = str(tmp_path_factory.mktemp("manifest") / "ds")
    subprocess.run([specimen, folder, "--shard-episodes", "2"], check=True, capture_output=True)
    return files(folder)


def leaves(value, path=()):
    if isinstance(value, dict):
        for name in value:
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from leaves(value[i], (*path, i))
    else:
        yield path, value


def changed(document, path, value):
    document = copy.deepcopy(document)
    here = document
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return document


def other(value, chance):
    if isinstance(value, bool) or value is None:
        return chance.choice([1, "x"])
    if isinstance(value, int):
        return value + chance.choice([-1, 1, 10])
    if isinstance(value, float):
        return value * (1 + 2 ** -50) if value else 5e-324
    return value[:-1] + ("0" if value[-1:] != "0" else "1")


def test_the_whole_dataset_is_good(dataset, tmp_path, trajpack):
    assert verify(trajpack, lay(tmp_path / "ds", dataset))[0] == 0


def test_every_number_of_a_shard(dataset, tmp_path, trajpack):
    document = json.loads(dataset["manifest.json"])
    for name in ("bytes", "episodes", "rows", "sha256"):
        path = ("shards", len(document["shards"]) - 1, name)
        value = document["shards"][-1][name]
        bad = changed(document, path, other(value, random.Random(1)))
        folder = lay(tmp_path / "ds", {**dataset, "manifest.json": json.dumps(bad, indent=1).encode()})
        code, _, said = verify(trajpack, folder)
        assert code == 1 and ("manifest" in said), (name, said)


def test_statistics(dataset, tmp_path, trajpack):
    """Numbers off by the last bits, members renamed, removed, added: none is taken for good."""
    document = json.loads(dataset["manifest.json"])
    assert len(document["statistics"]) > 1
    chance = random.Random(7)
    spots = list(leaves(document["statistics"], ("statistics",)))
    cases = [changed(document, path, other(value, chance)) for path, value in chance.sample(spots, 30)]
    split = sorted(document["statistics"])[-1]
    without = copy.deepcopy(document)
    del without["statistics"][split]
    renamed = copy.deepcopy(document)
    renamed["statistics"][split + "x"] = renamed["statistics"].pop(split)
    more = copy.deepcopy(document)
    more["statistics"]["none"] = {}
    for bad in [*cases, without, renamed, more, {**document, "statistics": {}}]:
        assert bad != document
        folder = lay(tmp_path / "ds", {**dataset, "manifest.json": json.dumps(bad, indent=1).encode()})
        code, _, said = verify(trajpack, folder)
        assert code == 1 and "manifest.json: is damaged: statistics" in said, said
    # The order of writing and the spaces do not matter.
    folder = lay(tmp_path / "ds", {**dataset, "manifest.json": json.dumps(document).encode()})
    assert verify(trajpack, folder)[0] == 0


def test_the_form_of_the_source(trajpack, recordings, tmp_path):
    import subprocess
    made = str(tmp_path / "made")
    subprocess.run([trajpack, "convert", recordings, made, "--quiet"], check=True)
    dataset = files(made)
    document = json.loads(dataset["manifest.json"])
    source = document["source"]
    cases = [("type", "plam"), ("codec", "lz5"), ("shard_bytes", 0), ("recordings", -1), ("digest", "z" * 64),
             ("options", []), ("format", "")]
    for name, value in cases:
        for bad in ({**source, name: value}, {n + ("" if n != name else "?"): v for n, v in source.items()}):
            text = json.dumps({**document, "source": bad}).encode()
            code, _, said = verify(trajpack, lay(tmp_path / "ds", {**dataset, "manifest.json": text}))
            assert code == 1 and "manifest.json: is damaged: source" in said, (bad, said)


def test_the_journals_digests(dataset, tmp_path, trajpack):
    """A byte that only HDF5 looks at: the digest of an unfinished dataset's journal finds it."""
    from journal_world import grow
    folder = str(tmp_path / "ds")
    grow(folder, 3)
    found = files(folder)
    data = bytearray(found["shard-000001.h5"])
    at = data.index(b"\x89HDF\r\n\x1a\n", 4096)
    data[at + 20] ^= 1
    code, _, said = verify(trajpack, lay(folder, {**found, "shard-000001.h5": bytes(data)}))
    assert code == 1 and "shard-000001.h5" in said and "journal" in said, said
