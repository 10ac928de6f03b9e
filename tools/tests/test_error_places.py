"""An error says where it is to programs, too: `--json` has an object `error`, Python's exceptions have `place`."""
import json
import shutil
import subprocess

import numpy as np
import pytest


@pytest.fixture(scope="module")
def series(tmp_path_factory, trajpack):
    folder = tmp_path_factory.mktemp("places")
    (folder / "good").mkdir()
    lines = "".join(f"{i},{i * 0.5},{i * 2}\n" for i in range(400))
    (folder / "good" / "a.csv").write_text("time,x,y\n" + lines)
    subprocess.run([trajpack, "convert", folder / "good", folder / "data", "--quiet"], check=True)
    return folder


def refused(trajpack, *words):
    """What a command says of its error: the exit code, the object, and the sentence on standard error."""
    done = subprocess.run([trajpack, *map(str, words), "--json"], capture_output=True, text=True)
    error = json.loads(done.stdout)["error"]
    assert error["code"] == done.returncode != 0
    assert error["message"] in done.stderr
    return error


def test_of_a_table(trajpack, series, tmp_path):
    bad = tmp_path / "cut.csv"
    bad.write_text("time,x\n0,1\n1,2\n2\n3,4\n")
    error = refused(trajpack, "convert", bad, tmp_path / "out")
    assert error["place"] == {"file": str(bad), "line": 4, "byte": bad.read_text().index("2\n3")}


def test_of_a_missing_file(trajpack, tmp_path):
    error = refused(trajpack, "info", tmp_path / "none")
    assert error["code"] == 2 and error["place"] == {"file": str(tmp_path / "none")}


@pytest.mark.parametrize("words, option", [
    (["--no-such"], "--no-such"), (["--episode"], "--episode"), (["--json=yes"], "--json"), (["more", "words"], None)])
def test_of_the_command_line(trajpack, series, words, option):
    """The option that is unknown, lacks its value or takes none."""
    error = refused(trajpack, "info", series / "data", *words)
    assert error["code"] == 2 and error["place"] == ({"option": option} if option else {})


def test_of_an_option_with_a_wrong_value(trajpack, series, tmp_path):
    for words, option in ((["--rows", "x"], "--rows"), (["-n", "0"], "-n"), (["--seed", "-1"], "--seed")):
        command = "head" if option in ("--rows", "-n") else "sample"
        error = refused(trajpack, command, series / "data", *words)
        assert error["code"] == 2 and error["place"] == {"option": option}
    error = refused(trajpack, "convert", series / "good")
    assert error["place"] == {"option": "DST"}


@pytest.mark.parametrize("words, option", [
    (["validate", "DATA", "--json", "--format", "sarif"], "--json"),
    (["validate", "DATA", "--select", "no.such"], "--select"), (["validate", "DATA", "--ignore", "no.such"], "--ignore"),
    (["validate", "DATA", "--sample", "7"], "--sample"), (["validate", "DATA", "--split", "none"], "--split"),
    (["validate", "DATA", "--fold", "1"], "--fold"), (["validate", "GOOD", "--frames"], "--frames"),
    (["validate", "GOOD", "--resume", "x"], "--resume"), (["validate", "GOOD", "--rate", "-3"], "--rate"),
    (["annotate", "DATA", "--values-partial", "--set", "a=1"], "--values-partial"),
    (["annotate", "DATA", "--where", "a=1", "--remove", "b"], "--where"),
    (["verify", "DATA", "--sample", "5%"], "--sample"), (["convert", "GOOD", "OUT", "--delimiter", "xy"], "--delimiter"),
    (["convert", "GOOD", "OUT", "--scheme", "a"], "--scheme"),
    (["convert", "GOOD", "OUT", "--values-partial"], "--values-partial"),
    (["validate", "DATA", "--media", "OUT"], "--media"), (["validate", "DATA", "--allow-outside"], "--allow-outside"),
    (["validate", "DATA", "--frames", "--allow-outside"], "--allow-outside"),
    (["split", "DATA", "--stride", "2"], "--stride"),
    # What is no option of the command is none: the name of a file.
    (["info", "--no-such-file--episode"], "--no-such-file--episode"), (["info", "no --episode"], None)])
def test_of_what_a_command_refuses(trajpack, series, tmp_path, words, option):
    names = {"DATA": series / "data", "GOOD": series / "good", "OUT": tmp_path / "out"}
    error = refused(trajpack, *[names.get(word, word) for word in words])
    assert error["code"] == 2 and error["place"].get("option") == option, error


@pytest.mark.parametrize("options, option", [
    (dict(mode="w"), "mode"), (dict(rate=-1), "rate"), (dict(rate="x"), "rate"), (dict(rate={"s": 0}), "rate"),
    (dict(schema={}), "schema"), (dict(schema={"a/b": {}}), "schema"), (dict(schema={"a/b": {"dtype": "float23"}}), "schema"),
    (dict(schema={"a/b": {"dtype": "f4"}}, channels={}), "channels"), (dict(channels={"a/b": 3}), "channels"),
    (dict(channels={"a/b": {"no": 1}}), "channels"), (dict(streams={"s": {"no": 1}}), "streams"),
    (dict(streams={"s": {"rate": 0}}), "streams"), (dict(skeletons={"a": 3}), "skeletons"),
    (dict(skeletons={"a": [(0, "x")]}), "skeletons"), (dict(attributes=3), "attributes"), (dict(values=3), "values"),
    (dict(values={"a": {"no": 1}}), "values"), (dict(codec="zip"), "codec"), (dict(level=99), "level"),
    (dict(chunk_rows=0), "chunk_rows"), (dict(shard_bytes=1), "shard_bytes"), (dict(threads=0), "threads"),
    (dict(commit_every=0), "commit_every"), (dict(no_such=1), "no_such"),
    (dict(schema={"s/x": {"dtype": "f4"}}, streams={"t": {}}), "streams")])
def test_of_an_option_of_create(tmp_path, options, option):
    import trajpack as tp
    with pytest.raises(tp.UsageError) as caught:
        tp.create(tmp_path / "ds", **options)
    assert caught.value.place == tp.ErrorPlace(option=option), caught.value
    assert not (tmp_path / "ds").exists() or not list((tmp_path / "ds").glob("*.h5"))


@pytest.mark.parametrize("options, option", [
    (dict(fail_on="never"), "fail_on"), (dict(select="no.such"), "select"), (dict(select=[3]), "select"),
    (dict(ignore="no.such"), "ignore"), (dict(sample=7), "sample"), (dict(profile="none"), "profile"),
    (dict(rules=[3]), "rules"), (dict(config={"window": 0}), "config"), (dict(config={"rules": [{"id": "a"}]}), "config"),
    (dict(config={"rules": [{"id": "a", "expression": "x +"}]}), "config"), (dict(config={"a": {1, 2}}), "config"),
    (dict(jobs=0), "jobs"), (dict(seed=-1), "seed"), (dict(source="none"), "source")])
def test_of_an_option_of_validate(trajpack, series, monkeypatch, options, option):
    import trajpack as tp
    monkeypatch.setenv("TRAJPACK_PROGRAM", trajpack)
    with pytest.raises(tp.UsageError) as caught:
        tp.validate(series / ("good" if option == "source" else "data"), **options)
    assert caught.value.place.option == option, (caught.value, caught.value.place)
    assert "trajpack-validate-" not in str(caught.value)      # the temporary file of a mapping


@pytest.mark.parametrize("options, option", [
    (dict(length=0), "length"), (dict(no_such=1), "no_such"), (dict(channels=["nothing"]), "channels"),
    (dict(dtype={"a/*": "complex"}), "dtype"), (dict(exclude=["none/*"]), "exclude"),
    (dict(reference="none"), "reference"), (dict(normalize="magic"), "normalize"), (dict(split="none"), "split")])
def test_of_an_option_of_windows(trajpack, series, options, option):
    import trajpack as tp
    try:
        tp.open(series / "data").windows(**options)
    except tp.UsageError as error:
        assert error.place == type(error.place)(option=option), (error, error.place)
    except TypeError:
        assert option == "no_such"
    else:
        raise AssertionError(options)


def test_one_document_only(trajpack, series, tmp_path):
    """A command that prints its report and fails has printed one document."""
    data = tmp_path / "data"
    shutil.copytree(series / "data", data)
    damage(data)
    done = subprocess.run([trajpack, "verify", data, "--json"], capture_output=True, text=True)
    assert done.returncode == 1 and json.loads(done.stdout)["damages"]


def damage(data):
    """Changes a byte of the first chunk; its shard and place."""
    import h5py
    [shard] = data.glob("*.h5")
    with h5py.File(shard) as file:
        found = []
        file.visititems(lambda name, item: found.append((item.id.get_chunk_info(0).byte_offset, name))
                        if isinstance(item, h5py.Dataset) and item.chunks and "streams" in name
                        and item.id.get_num_chunks() else None)
    offset = min(found)[0]
    with open(shard, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))
    return shard.name, offset


def test_of_a_damaged_chunk(trajpack, series, tmp_path):
    import trajpack as tp
    data = tmp_path / "data"
    shutil.copytree(series / "data", data)
    shard, offset = damage(data)
    with pytest.raises(tp.DataError) as caught:
        episode = tp.open(data).episode("a")
        [stream] = episode.streams
        for name in episode[stream].stream.channels:
            np.asarray(episode[stream][name][:])
    place = caught.value.place
    assert (place.file, place.episode, place.byte) == (shard, "a", offset), place
    assert place.stream and place.row == 0 and place.line is None
    with pytest.raises(tp.DataError) as caught:
        for _ in tp.open(data).windows(length=4, batch=2, shuffle=False):
            pass
    assert caught.value.place == place


def test_of_nothing(series):
    import trajpack as tp
    loader = tp.open(series / "data").windows(length=3)
    loader.close()
    with pytest.raises(tp.UsageError) as caught:
        next(iter(loader))
    assert caught.value.place == tp.ErrorPlace()
    with pytest.raises(tp.UsageError) as caught:
        tp.open(series / "none")
    assert caught.value.place == tp.ErrorPlace(file=str(series / "none"))
