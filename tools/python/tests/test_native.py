"""Streams at their own rates: every row in the window's time, one after the other, of each entity by itself."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worlds
from choices import within
from reference import Reference

import trajpack


@pytest.mark.parametrize("options", [{"edge": "drop"}, {"edge": "pad", "past": 2}, {"edge": "drop", "stride": 3}])
@pytest.mark.parametrize("seed", range(int(os.environ.get("TRAJPACK_EXAMPLES", "40")) // 8))
def test_rows_at_their_own_rate(tmp_path: Path, seed: int, options: dict[str, Any]) -> None:
    archive = worlds.archive(seed, streams=4)
    others = [s for s in archive.streams[1:] if any(t.stream == s.name for e in archive.episodes for t in e.tracks)]
    options = {"length": 3, **options}
    reference = Reference(archive, **options)
    dataset = trajpack.open(archive.write(tmp_path / "a.h5"))
    compared = 0
    with dataset.windows(align={s.name: "native" for s in archive.streams[1:]}, time=True, shuffle=False, batch=1,
                         drop_last=False, **options) as loader:
        for batch in loader:
            number, base, anchor = reference.windows[int(batch.windows[0])]
            for stream in others:
                peopled = reference.most[stream.name] > 0
                slots = reference._slots(archive.episodes[number], stream.name, base)
                rows = [[(t, r) for t in tracks for r in range(t.rows)
                         if within(reference, base, anchor - reference.past, t, r)] for tracks in slots]
                total = batch[f"padding:{stream.name}"].shape[1]
                most = max(len(r) for r in rows)
                assert most <= total
                inside = np.arange(total) < most
                np.testing.assert_array_equal(~batch[f"padding:{stream.name}"][0], inside)
                times = batch[f"time:{stream.name}"][0].reshape(total, len(slots))
                for s, slot in enumerate(rows):
                    n = len(slot)
                    np.testing.assert_allclose(times[:n, s], [float(t.time(r)) for t, r in slot], rtol=1e-12)
                    assert np.isnan(times[n:, s]).all()
                    if peopled:
                        present = batch[f"present:{stream.name}"][0][:, s]
                        np.testing.assert_array_equal(present, np.arange(total) < n)
                    for channel in stream.channels:
                        got = batch[f"{stream.name}/{channel.name}"][0]
                        got = got[:, s] if peopled else got
                        want = [channel.values(t.data[channel.name][r:r + 1])[0] for t, r in slot]
                        np.testing.assert_array_equal(got[:n], np.array(want).reshape(got[:n].shape))
                        assert not got[n:].any()
                        compared += n
    assert loader.windows == len(reference.windows) and (compared > 0 or not others)
