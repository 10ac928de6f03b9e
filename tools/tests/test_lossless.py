"""Values from a source to the second reader, bit for bit: numpy arrays and numbers of text."""
import subprocess

import numpy as np
import pandas as pd
import pytest
import read_archive
from conftest import ROOT

SERIES = ROOT / "fixtures" / "series"


def converted(trajpack, source, out, *more):
    """(shard, stream, rows of each episode's first track) of a converted file."""
    subprocess.run([trajpack, "convert", source, out, "--quiet", *more], check=True, capture_output=True)
    shard = read_archive.Shard(read_archive.open_dataset(str(out))[0][0])
    return shard, shard.schema["streams"][0], [shard.tracks[e[5]] for e in shard.episodes.tolist()]


@pytest.mark.parametrize("name", ["lorenz_float64", "batch_float32", "float16", "big_endian_int16", "flags_bool",
                                  "one_channel", "fortran_float64", "big_endian_float64", "version2"])
@pytest.mark.parametrize("codec", ["lz4", "zstd", "gzip", "none"])
def test_arrays(trajpack, tmp_path, name, codec):
    array = np.load(SERIES / f"{name}.npy")
    shard, stream, tracks = converted(trajpack, SERIES / f"{name}.npy", tmp_path / "ds", "--codec", codec)
    channel, = stream["channels"]
    found = [shard.numbers(channel, int(t[4]), int(t[5]))[0] for t in tracks]
    wanted = list(array) if len(tracks) > 1 else [array]
    assert len(found) == len(wanted)
    for values, source in zip(found, wanted):
        assert values.shape == source.shape
        # A half is stored as a single-precision number, which holds it; a truth value as a byte.
        np.testing.assert_array_equal(values.astype(source.dtype), source)
        if source.dtype.kind == "f":
            assert values.astype("f8").tobytes() == source.astype("<f8").tobytes()


@pytest.mark.parametrize("name", ["irregular.tsv", "bom.csv", "ett.csv"])
def test_numbers_of_text(trajpack, tmp_path, name):
    """The numbers that Python's parser, which rounds correctly, reads from the same text."""
    table = pd.read_csv(SERIES / name, sep=None, engine="python", encoding="utf-8-sig", dtype=str,
                        keep_default_na=False)
    shard, stream, (track,) = converted(trajpack, SERIES / name, tmp_path / "ds")
    channels = {c["name"]: c for c in stream["channels"]}
    compared = 0
    for column in table.columns:
        if column in channels and channels[column]["type"] != "bytes" and column != "date":
            values, observed = shard.numbers(channels[column], int(track[4]), int(track[5]))
            for value, seen, text in zip(values.tolist(), observed.tolist(), table[column], strict=True):
                if text.strip().lower() in ("", "nan"):
                    assert value != value or not seen
                else:
                    assert seen and np.float64(value).tobytes() == np.float64(float(text)).tobytes(), (column, text)
                compared += 1
    assert compared >= len(table)
