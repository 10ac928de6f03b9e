"""`trajpack convert` of tables that gzip has packed: what the unpacked ones give, and damage in one sentence."""
import gzip
import io
import subprocess

import numpy as np
import pytest
from prepare_world import run


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    lines = [f"{i},{'ab'[i * 2 // rows]},{x!r}" for i, x in enumerate(rng.normal(size=rows).tolist())]
    return ("t,who,x\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("options", [(), ("--episode-column", "who"), ("--segment", "7000"), ("--jobs", "4")])
def test_a_packed_table_is_the_table(trajpack, tmp_path, options):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_bytes(table(20_000, ord(name)))
        # Two members, one after the other.
        text = table(20_000, ord(name))
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    for form in ("csv", "csv.gz"):
        run(trajpack, "convert", tmp_path / f"a.{form}", tmp_path / f"b.{form}", tmp_path / f"ds-{form}", *options)
    assert run(trajpack, "diff", tmp_path / "ds-csv", tmp_path / "ds-csv.gz").startswith("equal")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "ab":
        (tmp_path / f"{name}.csv.gz").rename(folder / f"{name}.csv.gz")
    run(trajpack, "convert", folder, tmp_path / "ds-folder", *options)
    assert run(trajpack, "diff", tmp_path / "ds-csv", tmp_path / "ds-folder").startswith("equal")
    if not options or "4" in options:
        assert run(trajpack, "diff", tmp_path / "ds-folder", folder).startswith("equal")


def test_a_fault_is_on_the_line_of_the_text(trajpack, tmp_path):
    text = table(3000).replace(b"\n2000,", b"\n2000,b,1,")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    said = run(trajpack, "convert", tmp_path / "a.csv.gz", tmp_path / "ds", code=1)
    assert "a.csv.gz" in said and "line 2002" in said and not (tmp_path / "ds").exists()


@pytest.mark.parametrize("name,spoil,sentence", [
    ("cut", lambda b: b[:-2000], "in the middle; the file was cut short"),
    ("tail", lambda b: b[:-3], "in the middle; the file was cut short"),
    ("flipped", lambda b: b[:9000] + bytes([b[9000] ^ 0x40]) + b[9001:], "damaged"),
    ("junk", lambda b: b + b"junk that is no member", "damaged"),
    ("empty", lambda b: gzip.compress(b""), "empty"),
    ("header", lambda b: b[:2], "in the middle; the file was cut short")])
def test_damage_is_one_sentence(trajpack, tmp_path, name, spoil, sentence):
    (tmp_path / "a.csv.gz").write_bytes(spoil(gzip.compress(table(20_000))))
    done = subprocess.run([trajpack, "convert", tmp_path / "a.csv.gz", tmp_path / "ds"], capture_output=True, text=True)
    assert done.returncode == 1 and sentence in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "ds").exists()


def test_a_bomb_is_refused_in_little_memory(trajpack, tmp_path):
    """1.2 gigabytes in as many megabytes: refused after the first, of which memory holds little."""
    line = b"0," * 512 + b"0\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(line * (30 << 10), 9) * 40)
    words = f'ulimit -v 1000000; exec "{trajpack}" convert "{tmp_path}/a.csv.gz" "{tmp_path}/ds"'
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert done.returncode == 1 and "which no recording does" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_packed_arrays_are_not_left_out_without_a_word(trajpack, tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "a.csv").write_text("t,x\n0,1\n1,2\n")
    array = io.BytesIO()
    np.save(array, np.zeros(9))
    (folder / "b.npy.gz").write_bytes(gzip.compress(array.getvalue()))
    for more in ((), ("--dry-run",)):
        done = subprocess.run([trajpack, "convert", folder, tmp_path / f"out{len(more)}", *more], capture_output=True,
                              text=True)
        assert done.returncode == 0 and "left out b.npy.gz" in done.stderr and "gunzip" in done.stderr
    assert "an array packed by gzip" in run(trajpack, "convert", folder / "b.npy.gz", tmp_path / "no", code=1)
    (folder / "a.csv").unlink()
    assert "left out b.npy.gz" in run(trajpack, "convert", folder, tmp_path / "no", code=1)
    assert not (tmp_path / "no").exists()
