"""`trajpack demo`: its recordings are those of fixtures, and its tour finds what it must."""
import filecmp
import subprocess
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "wildworld" / "data_part1"


def run(trajpack, *arguments):
    return subprocess.run([trajpack, "demo", *arguments], capture_output=True, text=True)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_recordings_are_the_fixtures(trajpack, tmp_path):
    """A file that is new in fixtures has to be named in Sources/CDemo/files.h."""
    done = run(trajpack, tmp_path / "tour", "--recordings-only")
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (tmp_path / "tour").iterdir()] == ["recordings"]
    made = tmp_path / "tour" / "recordings"
    assert files(made) == files(RECORDINGS)
    assert filecmp.cmpfiles(made, RECORDINGS, files(made), shallow=False)[0] == files(made)


def test_tour(trajpack, tmp_path):
    done = run(trajpack, tmp_path / "tour")
    assert done.returncode == 0, done.stderr
    for said in ("$ trajpack convert recordings ww", "equal: 3 episodes", "same bytes: 000002/depth.mkv", "exit 1",
                 "ww: good", "frame.png: frame 40 of 150"):
        assert said in done.stdout, said
    assert "is damaged" in done.stderr
    assert (tmp_path / "tour" / "frame.png").read_bytes()[:4] == b"\x89PNG"
    again = run(trajpack, tmp_path / "tour")
    assert again.returncode == 2 and "is not empty" in again.stderr and not again.stdout


def test_refuses_a_file_and_a_missing_parent(trajpack, tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "none" / "tour"):
        done = run(trajpack, place)
        assert done.returncode in (2, 3) and str(place) in done.stderr, done.stderr
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "none").exists()
