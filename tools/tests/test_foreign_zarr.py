"""Zarr 2 and 3 stores as zarr itself writes them, with every codec that is read; spoilt copies give one sentence each."""
import json
import shutil
import subprocess
import zipfile

import numcodecs
import numpy as np
import pytest
import zarr
from foreign_world import array, converted, run, same
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.storage import LocalStore, ZipStore

DTYPES = ["float16", "float32", "float64", ">f4", ">f8", "int8", "int16", ">i4", "int64", "uint8", "uint16", "uint32", "bool",
          "complex64", "datetime64[us]"]
V2 = [None, numcodecs.Zstd(3), numcodecs.GZip(5), numcodecs.Zlib(5), numcodecs.LZ4(), numcodecs.BZ2(1)] + [
    numcodecs.Blosc(cname, 5, shuffle) for cname in ("lz4", "lz4hc", "blosclz", "zlib", "zstd") for shuffle in (0, 1, 2)]
V3 = [[], [ZstdCodec()], [GzipCodec()], [Crc32cCodec()], [ZstdCodec(), Crc32cCodec()], [GzipCodec(), Crc32cCodec()]] + [
    [BloscCodec(cname=cname, clevel=5, shuffle=shuffle)] for cname in ("lz4", "blosclz", "zlib", "zstd")
    for shuffle in ("noshuffle", "shuffle", "bitshuffle")]


def data(random, shape, dtype):
    kind = np.dtype(dtype)
    if kind.kind == "c":
        return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(kind)
    if kind.kind == "M":
        return random.integers(0, 1 << 50, shape).astype("int64").astype(kind)
    if kind.kind == "f":
        return np.round(random.normal(size=shape), 2).astype(kind)
    # Small steps, so that packing makes them smaller.
    return array(random, shape, kind.newbyteorder("=").name).astype(kind)


def expected(values):
    """As readers get it."""
    kind = values.dtype
    if kind.kind == "c":
        return np.stack([values.real, values.imag], -1).astype("f4" if kind.itemsize == 8 else "f8")
    if kind.kind == "M":
        return values.astype("int64")
    if kind == np.float16:
        return values.astype("f4")
    return values.astype(kind.newbyteorder("="))


def fill(random, dtype):
    kind = np.dtype(dtype).kind
    if kind == "f":
        return float(random.choice([0.0, np.nan, np.inf, -np.inf, -1.5]))
    if kind == "b":
        return bool(random.integers(2))
    return 0 if kind in "cM" else int(random.integers(0, 100))


def write(random, store, version):
    """A replay buffer of random arrays; what each episode must have."""
    lengths = random.integers(1, 40, 4)
    ends = np.cumsum(lengths)
    rows = int(ends[-1])
    root = zarr.create_group(store, zarr_format=version)
    for name in ("data", "meta"):
        root.create_group(name)
    zarr_ends = root.create_array("meta/episode_ends", shape=(4,), dtype="int64", chunks=(3,))
    zarr_ends[:] = ends
    weights = root.create_array("meta/weight", shape=(4,), dtype="float64", chunks=(4,))
    weights[:] = np.arange(4) / 4
    truth = {}
    for number in range(7):
        dtype = DTYPES[random.integers(len(DTYPES))]
        row = [(), (3,), (2, 5)][random.integers(3)]
        shape = (rows, *row)
        chunks = tuple(int(random.integers(1, n + 9)) for n in shape)
        values = data(random, shape, dtype)
        name = f"data/a{number}"
        common = {"shape": shape, "dtype": values.dtype, "fill_value": fill(random, dtype)}
        if np.dtype(dtype).kind == "M":
            common["fill_value"] = 0
        if version == 2:
            separator = str(random.choice([".", "/"]))
            made = root.create_array(
                name, chunks=chunks, compressors=V2[random.integers(len(V2))], order=str(random.choice(["C", "F"])),
                filters=[numcodecs.Shuffle(values.dtype.itemsize)] if random.integers(4) == 0 else None,
                chunk_key_encoding={"name": "v2", "separator": separator}, **common)
        else:
            order = tuple(int(i) for i in random.permutation(len(shape)))
            codecs = V3[random.integers(len(V3))]
            endian = "big" if values.dtype.byteorder == ">" else "little"
            inner = [TransposeCodec(order=order), BytesCodec(endian=endian), *codecs]
            grid = chunks
            if random.integers(2):
                grid = tuple(n * int(random.integers(1, 4)) for n in chunks)
                place = str(random.choice(["start", "end"]))
                inner = [ShardingCodec(chunk_shape=chunks, codecs=inner, index_location=place)]
            made = zarr.create(store=store, path=name, chunks=grid, codecs=inner, zarr_format=3, **common)
        # Some rows are never written, so that whole chunks may be missing.
        begin = int(random.integers(0, rows // 2)) if random.integers(2) else 0
        made[begin:] = values[begin:]
        truth[f"a{number}"] = expected(np.asarray(made[:]))
    return ends, truth


@pytest.mark.parametrize("seed", range(8))
def test_stores_are_what_zarr_reads(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    version = 2 + seed % 2
    if seed % 4 < 2:
        source = tmp_path / "buffer.zarr"
        ends, truth = write(random, LocalStore(source), version)
    else:
        source = tmp_path / "buffer.zarr.zip"
        with ZipStore(source, mode="w") as store:
            ends, truth = write(random, store, version)
    outcome, episodes, values = converted(trajpack, tmp_path, source)
    assert outcome["reading"][0]["type"] == "zarr-replay"
    assert len(episodes) == 4
    for number, (first, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        own = episodes[f"buffer/{number}"]
        for name, column in truth.items():
            same(own[f"steps/{name}"], column[first:end])
        assert values[f"buffer/{number}"]["weight"] == number / 4
    shown = run(trajpack, "inspect", source)
    assert "zarr-replay" in shown and f"Zarr {version}" in shown


def replay(path, rows=30, version=3, **more):
    store = LocalStore(path)
    root = zarr.create_group(store, zarr_format=version)
    for name, values in {"data/state": np.arange(rows * 2.0).reshape(rows, 2), "meta/episode_ends": np.array([10, rows]),
                         **more}.items():
        made = root.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(max(len(values) // 2, 1), *values.shape[1:]))
        made[:] = values
    return path


def test_times_of_a_store(trajpack, tmp_path):
    times = np.r_[np.arange(10) / 10, np.arange(20) / 10 + 5.0]
    source = replay(tmp_path / "a.zarr", **{"data/timestamp": times})
    outcome, episodes, _ = converted(trajpack, tmp_path, source)
    assert "taken as the time" in outcome["remarks"][0]
    same(episodes["a/0"]["steps/time"], times[:10])
    np.testing.assert_allclose(episodes["a/1"]["steps/time"], times[10:])
    shutil.rmtree(tmp_path / "ds")
    shutil.rmtree(tmp_path / "npz")
    _, episodes, _ = converted(trajpack, tmp_path, source, "--time", "none", "--rate", "10")
    same(episodes["a/1"]["steps/timestamp"], times[10:])


def test_stores_of_other_layouts_are_mapped(trajpack, tmp_path):
    root = zarr.create_group(LocalStore(tmp_path / "field.zarr"))
    values = np.arange(2 * 3 * 5 * 4.0).reshape(2, 3, 5, 4)
    root.create_array("X", shape=values.shape, dtype="f8", chunks=(1, 3, 2, 4))[:] = values
    assert "--axes env,traj,time,dim" in run(trajpack, "inspect", tmp_path / "field.zarr")
    _, episodes, _ = converted(trajpack, tmp_path, tmp_path / "field.zarr", "--axes", "env,traj,time,dim")
    same(episodes["field/1/2"]["steps/X"], values[1, 2])


def test_what_is_not_read_is_named(trajpack, tmp_path):
    source = replay(tmp_path / "a.zarr", version=2)
    path = source / "data" / "state"
    for number, change in enumerate([{"compressor": {"id": "imagecodecs_jpegxl"}}, {"dtype": "<U5"},
                                     {"filters": [{"id": "quantize", "digits": 2}]}, {"dtype": [["x", "<f8"]]}]):
        copy = source / "data" / f"odd{number}"
        shutil.copytree(path, copy)
        meta = json.loads((copy / ".zarray").read_text())
        (copy / ".zarray").write_text(json.dumps(meta | change))
    outcome, episodes, _ = converted(trajpack, tmp_path, source)
    reasons = " ".join(left["why"] for left in outcome["left_out"]["files"])
    assert all(word in reasons for word in ("imagecodecs_jpegxl", "<U5", "quantize", "records")), reasons
    assert set(episodes["a/0"]) >= {"steps/state"}


def spoil(path, kind, random):
    """Changes one file of a store."""
    if kind == "cut chunk":
        chunk = path / "data/state/c/0/0"
        chunk.write_bytes(chunk.read_bytes()[:-5])
    elif kind == "flipped chunk":
        chunk = path / "data/state/c/0/0"
        chunk.write_bytes(random.bytes(len(chunk.read_bytes())))
    elif kind == "cut metadata":
        meta = path / "data/state/zarr.json"
        meta.write_text(meta.read_text()[:40])
    elif kind == "version":
        meta = path / "zarr.json"
        meta.write_text(meta.read_text().replace('"zarr_format": 3', '"zarr_format": 4'))
    elif kind == "ends":
        shutil.rmtree(path / "meta/episode_ends")
    elif kind == "length":
        meta = path / "data/state/zarr.json"
        meta.write_text(json.dumps(json.loads(meta.read_text()) | {"shape": [29, 2]}))
    elif kind == "huge":
        meta = path / "data/state/zarr.json"
        meta.write_text(json.dumps(json.loads(meta.read_text()) | {"shape": [1 << 58, 1 << 58]}))


@pytest.mark.parametrize("kind", ["cut chunk", "flipped chunk", "cut metadata", "version", "ends", "length", "huge"])
def test_spoilt_stores_are_one_sentence(trajpack, tmp_path, kind):
    source = replay(tmp_path / "a.zarr")
    spoil(source, kind, np.random.default_rng(0))
    done = subprocess.run([trajpack, "convert", source, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "a.zarr" in done.stderr, done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("seed", range(12))
def test_damaged_archives_are_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    source = replay(tmp_path / "a.zarr")
    path = tmp_path / "x.zarr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            archive.write(file, f"a.zarr/{file.relative_to(source)}")
    raw = bytearray(path.read_bytes())
    if seed % 2:
        raw = raw[:int(random.integers(1, len(raw)))]
    else:
        for _ in range(3):
            raw[random.integers(len(raw))] ^= 1 << random.integers(8)
    path.write_bytes(raw)
    done = subprocess.run([trajpack, "convert", path, tmp_path / "o", "-q"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1) and len(done.stderr.splitlines()) == done.returncode, done.stderr


def test_the_greatest_number_may_fill(trajpack, tmp_path):
    store = replay(tmp_path / "s.zarr")
    group = zarr.open_group(LocalStore(store), mode="a")
    own = group.create_array("data/large", shape=(30,), dtype="u8", chunks=(7,), fill_value=2**64 - 1)
    own[:7] = np.arange(7, dtype="u8")
    _, arrays, _ = converted(trajpack, tmp_path, store, "--rate", "10")
    for episode in arrays.values():
        name = next(key for key in episode if key.endswith("large"))
        assert episode[name].dtype == np.uint64
    found = np.concatenate([arrays[key][next(k for k in arrays[key] if k.endswith("large"))] for key in sorted(arrays)])
    np.testing.assert_array_equal(found, group["data/large"][:])
