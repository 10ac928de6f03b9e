"""`trajpack convert` of tables: dates and times as people write them, against pandas."""
import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from table_world import one, refused, run


@pytest.mark.parametrize("cells,options,dates,form", [
    (["2016-12-31 23:00:00 UTC", "2016-12-31 23:10:00 UTC"], (), None, "YYYY-MM-DD hh:mm:ss UTC"),
    (["20161231T230000Z", "20161231T231000Z"], (), None, "%Y%m%dT%H%M%S%z|Z|0"),
    (["2016-12-31t23:00:00z", "2016-12-31t23:10:00z"], (), None, "YYYY-MM-DDthh:mm:ssz"),
    (["28/02/2016 23:00", "29/02/2016 00:00", "01/03/2016 01:00"], (), "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M"),
    (["2/28/2016", "2/29/2016", "3/1/2016"], (), "%m/%d/%Y", "%-m/%-d/%Y"),
    (["01.02.2016", "02.03.2016"], ("--time-format", "dmy"), "%d.%m.%Y", "%d.%m.%Y"),
    (["01.02.2016", "02.03.2016"], ("--time-format", "mdy"), "%m.%d.%Y", "%m.%d.%Y"),
    (["01/02/16 1:05", "02/02/16 2:15"], ("--time-format", "%d/%m/%y %H:%M"), "%d/%m/%y %H:%M", "%d/%m/%y %-H:%M"),
    (["1949-01", "1949-02", "1949-04"], (), "%Y-%m", "%Y-%m"),
    (["20160130", "20160131", "20160201"], (), "%Y%m%d", "%Y%m%d"),
    (["2016-12-31 11:00:00 PM", "2017-01-01 12:30:00 AM"], (), "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M:%S %p"),
    (["31-Dec-2016 23:00:00.250", "01-Jan-2017 00:00:00.500"], (), "%d-%b-%Y %H:%M:%S.%f",
     "%d-%b-%Y %H:%M:%S.%f||3"),
    (["2016-12-31 23:00:00,250", "2016-12-31 23:00:01,500"], (), "%Y-%m-%d %H:%M:%S,%f", "%Y-%m-%d %H:%M:%S,%f||3")])
def test_dates_of_many_forms(trajpack, tmp_path, cells, options, dates, form):
    text = "date;x\n" + "".join(f"{c};{i}\n" for i, c in enumerate(cells))
    reading, arrays = one(trajpack, tmp_path, text, *options)
    assert reading["time"] == {"column": "date", "date": form, "unit": "s"}
    want = pd.to_datetime(cells, format=dates, utc=True).as_unit("ms").asi8
    assert np.array_equal(arrays["time"], [float(Fraction(int(w), 1000)) for w in want])
    run(trajpack, "export", "--quiet", tmp_path / "ds", tmp_path / "csv", "--to", "csv")
    lines = next((tmp_path / "csv").rglob("*.csv")).read_text().splitlines()[1:]
    assert [line.rsplit(",", 1)[0].strip('"') for line in lines] == cells


def test_dates_that_may_be_read_in_two_ways_are_refused(trajpack, tmp_path):
    said = refused(trajpack, tmp_path, "date,x\n01/02/2016,1\n02/03/2016,2\n")
    assert "--time-format dmy" in said and "mdy" in said
    # A day after the twelfth, far below, decides.
    text = "date,x\n" + "".join(f"{d.day:02}/{d.month:02}/{d.year},{i}\n" for i, d in enumerate(
        pd.date_range("2016-01-01", periods=300, freq="D")))
    _, arrays = one(trajpack, tmp_path, text)
    assert np.array_equal(np.diff(arrays["time"]), np.full(299, 86_400.0))


def test_day_and_time_of_day_belong_together(trajpack, tmp_path):
    text = "Date;Time;P;\n10/03/2004;18.00.00;2,6;\n13/03/2004;19.00.00;2;\n;;;\n"
    reading, arrays = one(trajpack, tmp_path, text)
    assert reading["time"]["time_of_day"] == "Time" and reading["empty_rows"] == 1
    want = pd.to_datetime(["2004-03-10 18:00:00", "2004-03-13 19:00:00"])
    assert np.array_equal(arrays["time"], (want - pd.Timestamp(0)) / pd.Timedelta("1s"))
    assert np.array_equal(arrays["P"], [2.6, 2])


@pytest.mark.parametrize("header,taken", [("ds,y", "ds"), (",y", "column1"), ("Month,y", "Month"), ("y,ds", None)])
def test_the_only_column_of_dates_is_the_time_or_is_named(trajpack, tmp_path, header, taken):
    rows = [("2012-01-01", "1.5"), ("2012-01-02", "2.5"), ("2012-01-03", "3.5")]
    rows = [r[::-1] if taken is None else r for r in rows]
    reading, _ = one(trajpack, tmp_path, header + "\n" + "".join(",".join(r) + "\n" for r in rows))
    assert (reading["time"] or {}).get("column") == taken
    if taken is None:
        assert reading["text"] == ["ds"]
        out = json.loads(run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "b", "--json"))
        assert "--time 'ds'" in out["remarks"][0]


@pytest.mark.parametrize("text,option", [
    ("episode_index,timestamp,x\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n", "--episode-column 'episode_index'"),
    ("time,x\n0,1\n1,2\n0,3\n1,4\n", "--segment 2"),
    ("time,x\n0,1\n1,2\n0.5,3\n1,4\n2,5\n", "--time none")])
def test_times_that_go_back_name_what_mends_it(trajpack, tmp_path, text, option):
    said = refused(trajpack, tmp_path, text)
    assert option in said and "--time none" in said
    run(trajpack, "convert", tmp_path / "a.csv", tmp_path / "ds", *option.replace("'", "").split())


def test_nanoseconds_come_back_from_csv(trajpack, tmp_path):
    rng = np.random.default_rng(0)
    stamps = 1601772846458691579 + np.cumsum(rng.integers(0, 10**9, 500))
    one(trajpack, tmp_path, "timestamp,x\n" + "".join(f"{t},{i}\n" for i, t in enumerate(stamps)))
    run(trajpack, "export", "--quiet", tmp_path / "ds", tmp_path / "csv", "--to", "csv")
    table = pd.read_csv(next((tmp_path / "csv").rglob("*.csv")))
    assert np.array_equal(table["time"], stamps)
