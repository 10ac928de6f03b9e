"""Clips that cannot be windows: each is refused with its number, what is wrong, and what was probably meant."""
from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import Archive, Channel, Episode, Regular, Stream, Track

import trajpack


@pytest.fixture(scope="module")
def ww(wildworld: str) -> trajpack.Dataset:
    return trajpack.open(wildworld)


GOOD = {"episode": "000001", "start": 1.0, "rows": 9}


@pytest.mark.parametrize(("clip", "message"), [
    ({**GOOD, "episode": "00001"}, r"option 'clips': clip 0 is of episode '00001', which the dataset does not have; "
     r"did you mean '000001'\?"),
    ({**GOOD, "rows": 500}, "clip 0 has 500 rows from row 30 on, but episode '000001' has 150 rows of 'camera'"),
    ({**GOOD, "rows": 81, "rate": 16}, r"clip 0 has 81 rows at 16 a unit of time from 1 on, up to 6, but episode "
     r"'000001' has rows of 'camera' from 0 to 4\.966667"),
    ({**GOOD, "start": -1}, "clip 0 begins at -1, but episode '000001' has rows of 'camera' from 0 to"),
    ({**GOOD, "start": 77.5}, "clip 0 begins at 77.5, but"),
    ({"episode": "000001", "start_row": 150, "rows": 1}, "begins at row 150, but episode '000001' has 150 rows"),
    ({**GOOD, "unit": "ms"}, "clip 0 has times in 'ms', but stream 'camera' counts time in 's'; give times in 's'"),
    ({**GOOD, "length": 9}, "clip 0 has the unknown member 'length'; "),
    ({**GOOD, "rate": 0}, "clip 0 has 0 as 'rate', which must be a positive number"),
    ({**GOOD, "rate": "fast"}, "clip 0 has \"fast\" as 'rate'"),
    ({**GOOD, "rows": 0}, "clip 0 has 0 as 'rows', which must be a whole number from 1"),
    ({**GOOD, "rows": 9.5}, "clip 0 has 9.5 as 'rows'"),
    ({**GOOD, "seconds": 2}, "clip 0 has both 'rows' and 'seconds'"),
    ({**GOOD, "start_row": 2}, "clip 0 has both 'start' and 'start_row'"),
    ({"episode": "000001", "start": 1.0}, "clip 0 has no 'rows' and no 'seconds'"),
    ({"episode": "000001", "rows": 1}, r"clip 0 has no 'start' \(a time\) and no 'start_row'"),
    ({"start": 1.0, "rows": 1}, "clip 0 has no 'episode'"),
    ({**GOOD, "seconds": 0.001, "rows": None}, "lasts 0.001 s, which is no number of rows at 30 a second"),
    ({**GOOD, "dataset": 2}, "is of dataset 2, but there is 1 dataset, counted from 0"),
])
def test_what_does_not_fit_is_refused(ww: trajpack.Dataset, clip: dict[str, Any], message: str) -> None:
    with pytest.raises(trajpack.UsageError, match=message):
        ww.windows(clips=[clip], channels=["camera"], batch=1)


def test_all_that_is_wrong_is_counted(ww: trajpack.Dataset, tmp_path: Path) -> None:
    rows = "".join(f"0000{n:02}9,1.0,9\n" for n in range(9))
    (tmp_path / "bad.csv").write_text("episode,start,rows\n000001,1.0,9\n" + rows)
    with pytest.raises(trajpack.UsageError) as error:
        ww.windows(clips=tmp_path / "bad.csv", channels=["camera"])
    text = str(error.value)
    assert text.count("is of episode") == 4 and "line 3 is of episode '0000009'" in text
    assert text.endswith("And 5 more clips are wrong")


@pytest.mark.parametrize(("text", "message"), [
    ("", "is no list of clips: CSV has a header"),
    ("a,b\n1,2\n", "is no list of clips: CSV has a header"),
    ("episode,start,rows\n", "there is no clip in it"),
    ("episode,start,rows\n000001,1\n", "line 2 has 2 cells, and the header 3"),
    ("episode,start,rows,mood\n000001,1,2,3\n", "there is no column 'mood' of clips"),
    (",episode,start,rows\n0,000001,1,2\n", r"a column has no name; .*index=False"),
    ("episode,start,rows\n\"000001,1,2\n", "a quote of line 2 has no end"),
    ("episode,start,rows\n\"000001\"x,1,2\n", "line 2 has text after a quoted cell"),
    ("episode,start,rows\n000001,1,2\n000001,1,3\n", "line 3 and line 2 both have the id '000001@1'"),
    ("[1]", "clip 0 is no object"),
    ("{\"format\": \"other\", \"clips\": []}", "its 'format' is \"other\""),
    ("{\"episode\": \"000001\", \"start\": 1, \"rows\": 2}\n{\n", "line 2 is no JSON"),
    ("[", "is neither CSV, JSON nor JSON lines"),
    ("[]", "there is no clip in it"),
])
def test_files_that_are_no_lists(ww: trajpack.Dataset, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(trajpack.UsageError, match=message):
        ww.windows(clips=tmp_path / "bad.csv", channels=["camera"])


def test_options_that_say_otherwise(ww: trajpack.Dataset, tmp_path: Path) -> None:
    for name, value in (("length", 3), ("duration", 1.0), ("stride", 2), ("rate", 10)):
        with pytest.raises(trajpack.UsageError, match=f"'clips' say where windows begin.*leave '{name}' out"):
            ww.windows(clips=[GOOD], **{name: value})
    with pytest.raises(trajpack.UsageError, match="'align' is \"native\""):
        ww.windows(clips=[GOOD], align={"npc": "native"})
    with pytest.raises(trajpack.UsageError, match="option 'clips': .*none.csv: does not exist"):
        ww.windows(clips=tmp_path / "none.csv")
    for wrong in (3, {"episode": "000001"}, ["000001"], [("000001", 1.0)]):
        with pytest.raises(trajpack.UsageError, match="option 'clips'"):
            ww.windows(clips=wrong)


def test_other_units(tmp_path: Path) -> None:
    stream = Stream("s", [Channel("x", "float64")], time_unit="step")
    track = Track("s", 50, Regular(Fraction(0), Fraction(1)), {"x": np.arange(50.0)})
    ds = trajpack.open(Archive([stream], [Episode("a", [track])], statistics=False).write(tmp_path / "steps.h5"))
    with pytest.raises(trajpack.UsageError, match="has times in 's', but stream 's' counts time in 'step'; say \""
                                                  "unit\": \"step\" if its times are in that, or give 'start_row'"):
        ds.windows(clips=[("a", 3, 4)])
    with pytest.raises(trajpack.UsageError, match="has a length in seconds, but stream 's' counts time in 'step'"):
        ds.windows(clips=[{"episode": "a", "start": 3, "seconds": 4, "unit": "step"}])
    for clip in ({"start": 3, "unit": "step"}, {"start_row": 3}):
        assert ds.windows(clips=[{"episode": "a", "rows": 3, **clip}], batch=1).next()["s/x"][0].tolist() == [3, 4, 5]
