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
