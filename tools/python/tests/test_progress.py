"""The line that says how far a loop has come."""
from __future__ import annotations

import io

import trajpack
from trajpack._progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_nothing_is_printed_before_two_seconds():
    for file in (Terminal(), io.StringIO()):
        clock = Clock()
        line = ProgressLine("epoch 0", 100, file=file, clock=clock)
        for _ in range(100):
            clock.now += 0.019
            line.advance(32, 0.0)
        line.close()
        assert file.getvalue() == ""


def test_plain_lines_where_there_is_no_terminal():
    file, clock = io.StringIO(), Clock()
    line = ProgressLine("epoch 0", 300, file=file, clock=clock)
    for _ in range(300):
        clock.now += 0.1
        line.advance(10, 0.25)
    line.close()
    lines = file.getvalue().splitlines()
    assert len(lines) == 3                                             # at 2, 12 and 22 of 30 seconds
    assert lines[0] == ("epoch 0: 7%, 20 of 300 batches, 100 windows/s, 28 s left, waiting for data 25% of the time")


def test_a_terminal_shows_one_line():
    file, clock = Terminal(), Clock()
    line = ProgressLine("epoch 0", 300, done=100, file=file, clock=clock)
    for _ in range(200):
        clock.now += 1
        line.advance(10, 0.0)
    line.close()
    text = file.getvalue()
    assert text.count("\n") == 1 and text.endswith("epoch 0: 300 batches in 3 min 20 s" + " " * 35 + "\n") or \
        text.rstrip().endswith("epoch 0: 300 batches in 3 min 20 s")
    assert "\repoch 0: 67%, 200 of 300 batches, 10 windows/s, 1 min 40 s left" in text


def test_a_reader_that_has_gone_stops_nothing():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    clock = Clock()
    line = ProgressLine("x", 10, file=Gone(), clock=clock)
    for _ in range(10):
        clock.now += 5
        line.advance(1, 0.0)
    line.close()


def test_the_batches_are_those_of_the_loader(random_archive):
    ds = trajpack.open(random_archive)
    plain, watched = (ds.windows(batch=8, seed=3) for _ in range(2))
    file = io.StringIO()
    assert [b.windows.tolist() for b in watched.progress(file=file)] == [b.windows.tolist() for b in plain]
    assert watched.epoch == 1 and file.getvalue() == ""                # it took less than two seconds
    for _ in watched.progress(file=file):
        break
    assert watched.position == 8                                       # goes on where it was left
