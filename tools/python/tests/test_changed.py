"""A data set that changed since a state was saved, though its shape is the same."""
from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from archive import Archive, Channel, Episode, Regular, Stream, Track

import trajpack

OTHER = "saved with other data or with other options"


def small(value: float) -> Archive:
    x = np.arange(40, dtype=np.float32)
    x[17] = value
    return Archive([Stream("state", [Channel("x")])], [
        Episode("a", [Track("state", 40, Regular(Fraction(0), Fraction(30)), {"x": x})])], codec="none")


def test_a_state_is_refused_by_a_file_with_one_other_value(tmp_path: Path) -> None:
    path = small(1.0).write(tmp_path / "a.h5")
    with trajpack.open(path).windows(length=4, batch=3) as loader:
        loader.next()
        state = loader.state_dict()
        following = loader.next().windows.tolist()
    with trajpack.open(path).windows(length=4, batch=3) as again:
        again.load_state_dict(state)
        assert again.next().windows.tolist() == following
    size = path.stat().st_size
    small(2.0).write(path)
    assert path.stat().st_size == size
    with trajpack.open(path).windows(length=4, batch=3) as changed, pytest.raises(trajpack.UsageError, match=OTHER):
        changed.load_state_dict(state)


def test_a_mixture_knows_which_data_set_changed(tmp_path: Path) -> None:
    paths = [small(1.0).write(tmp_path / f"{name}.h5") for name in "ab"]
    with trajpack.mixture([trajpack.open(p) for p in paths], [1, 1], length=4, batch=3) as loader:
        loader.next()
        state = loader.state_dict()
    small(2.0).write(paths[1])
    with (trajpack.mixture([trajpack.open(p) for p in paths], [1, 1], length=4, batch=3) as changed,
          pytest.raises(trajpack.UsageError, match=OTHER)):
        changed.load_state_dict(state)
