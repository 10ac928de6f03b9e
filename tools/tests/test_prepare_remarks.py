"""What `trajpack embed` says of values that mislead the choice: few levels, codes for missing values, constants."""
import numpy as np
import pytest
from dynamics import lorenz
from prepare_world import one, run

ROWS = 3000


def series(trajpack, folder, **columns):
    np.savez(folder / "a.npz", **columns)
    run(trajpack, "convert", folder / "a.npz", folder / "ds", "--rate", 100)
    return folder / "ds"


def embed(trajpack, source, *words, code=0):
    import subprocess
    done = subprocess.run([trajpack, "embed", str(source), str(source.parent / "out"), *map(str, words)],
                          capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("levels", [9, 30, 447])
def test_a_discretised_series_has_a_remark(trajpack, tmp_path, levels):
    """The number of distinct values and the share of vectors that coincide, counted by numpy."""
    x = lorenz(ROWS)[:, 0]
    step = np.ptp(x) / (levels - 1)
    rounded = np.round((x - x.min()) / step) * step
    said = embed(trajpack, series(trajpack, tmp_path, x=rounded), "--tau", 10)
    distinct = len(np.unique(rounded))
    assert f"{distinct} distinct values in {ROWS} rows" in said
    dimension = int(said.split("of vectors of ")[1].split()[0])
    vectors = np.stack([rounded[10 * k:ROWS - 10 * (dimension - 1 - k)] for k in range(dimension)], 1)
    _, counts = np.unique(vectors, axis=0, return_counts=True)
    share = counts[counts > 1].sum() / len(vectors)
    assert f"{100 * share:.0f} % coincide" in said


def test_a_series_of_many_values_has_none(trajpack, tmp_path):
    assert "distinct values" not in embed(trajpack, series(trajpack, tmp_path, x=lorenz(ROWS)[:, 0]), "--tau", 10)


def test_a_code_for_a_missing_value_has_a_remark(trajpack, tmp_path):
    x = np.sin(np.arange(ROWS) / 7.3)
    x[-1] = 1e6
    said = embed(trajpack, series(trajpack, tmp_path, x=x))
    assert f"1 of {ROWS} values lie far outside the others, as 1000000.0" in said


def test_a_constant_channel_is_left_out_and_named(trajpack, tmp_path):
    x = lorenz(ROWS)[:, 0]
    source = series(trajpack, tmp_path, x=x, limit=np.full(ROWS, 150.0), zero=np.zeros(ROWS, "i4"))
    said = embed(trajpack, source, "--tau", 10, "--dimension", "auto")
    assert "left out, since constant: series/limit, series/zero" in said
    made = one(source.parent / "out", "a")[1]
    dimension = made["x"][0].shape[1]
    assert dimension > 1
    assert np.array_equal(made["x"][0], np.stack([x[10 * k:ROWS - 10 * (dimension - 1 - k)] for k in range(dimension)], 1))
    # What is left out is kept as it is.
    assert made["limit"][0].shape == made["zero"][0].shape == (len(made["x"][0]),)
    assert (made["limit"][0] == 150).all()


@pytest.mark.parametrize("words", [["--channel", "series/limit"], ["--channel", "series/limit", "--channel", "series/zero"]])
def test_constants_alone_have_no_delay(trajpack, tmp_path, words):
    source = series(trajpack, tmp_path, x=lorenz(ROWS)[:, 0], limit=np.full(ROWS, 150.0), zero=np.zeros(ROWS))
    assert "constant" in embed(trajpack, source, *words, code=1)
    assert not (tmp_path / "out").exists()
