"""`trajpack convert` of folders in which some tables are compressed."""
import gzip
import subprocess

from prepare_world import run


def test_packed_tables_are_not_left_out_without_a_word(trajpack, tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "a.csv").write_text("t,x\n0,1\n1,2\n")
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"t,x\n0,1\n1,2\n"))
    for more in ((), ("--dry-run",)):
        done = subprocess.run([trajpack, "convert", folder, tmp_path / f"out{len(more)}", *more], capture_output=True,
                              text=True)
        assert done.returncode == 0 and "left out b.csv.gz" in done.stderr and "gunzip" in done.stderr
    assert "gzip" in run(trajpack, "convert", folder / "b.csv.gz", tmp_path / "no", code=1)
    (folder / "a.csv").unlink()
    assert "left out b.csv.gz" in run(trajpack, "convert", folder, tmp_path / "no", code=1)
    assert not (tmp_path / "no").exists()
