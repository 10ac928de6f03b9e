"""What can be seen of a loader while it works: its counters, and how random its order is."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from . import _ffi, _options
from ._passes import Passes
from ._words import counted, lines_of

if TYPE_CHECKING:
    from .batch import Batch


class Watched(Passes):
    """What a loader tells of its work."""

    def stats(self) -> dict[str, Any]:
        """``batches``, ``windows``, ``skipped``, ``bytes_read``, ``bytes_inflated``, ``chunks``, ``cache_hits``,
        ``cache_bytes``, ``wait_data_seconds`` (the consumer waited), ``wait_consumer_seconds`` (the loader did),
        ``seconds``, ``threads``, ``last_error``; and ``windows_per_second``, ``bytes_per_second`` of what was given
        out."""
        with self._life:
            out: dict[str, Any] = _ffi.text("tp_loader_stats", self._open())
        seconds = out.get("seconds") or 0.0
        out["windows_per_second"] = out["windows"] / seconds if seconds else 0.0
        out["bytes_per_second"] = out["windows_per_second"] * self.batch_bytes / self.batch_size
        return out

    def progress(self, label: str | None = None, file: TextIO | None = None) -> Iterator[Batch]:
        """The batches of the epoch, as ``for batch in loader`` gives them, with a line that says how far it has come::

            for batch in loader.progress("epoch 3"):
                ...

        It is drawn over itself on a terminal; elsewhere a plain line comes every ten seconds. Nothing is printed in the
        first two seconds. ``file``: instead of standard error.
        """
        from ._progress import ProgressLine
        batches = iter(self)
        step = self.batch_size * self._settle()[1]
        line = ProgressLine(label or f"epoch {self.epoch}", len(self), self.position // step, file)
        try:
            for batch in batches:
                yield batch
                stats = self.stats()
                line.advance(batch.count, stats["wait_data_seconds"] / max(stats["seconds"], 1e-9))
        finally:
            line.close()

    def shuffle_quality(self, samples: int = 65536) -> dict[str, float]:
        """How random the order is, from up to ``samples`` places of this epoch against what a true permutation has.

        ``neighbour_distance``: the mean distance between one window and the next, in thirds of all windows (1 for a
        permutation, 0 for none). ``batch_spread``: the mean distance between the smallest and largest window of a
        batch, against ``(B - 1) / (B + 1)`` of all (1 for a permutation).
        """
        count = min(_options.whole(samples, "samples", 0), self.epoch_windows)
        windows, datasets = self.order(0, count)
        sizes = np.bincount(datasets, minlength=1)
        chosen = windows[datasets == int(sizes.argmax())].astype(np.float64)
        total = float(self.window_counts[int(sizes.argmax())])
        b = self.batch_size
        whole = chosen[:len(chosen) // b * b].reshape(-1, b) if b > 1 else chosen[:0].reshape(0, 1)
        spread = (whole.max(1) - whole.min(1)).mean() / total * (b + 1) / (b - 1) if len(whole) else float("nan")
        distance = np.abs(np.diff(chosen)).mean() / total * 3 if len(chosen) > 1 else float("nan")
        return {"neighbour_distance": float(distance), "batch_spread": float(spread)}

    def __repr__(self) -> str:
        if not self._free.alive:
            return "<trajpack.Loader, closed>"
        _, world = self._place or self._looked_up()
        steps = self._batches(self.epoch_windows, world)
        lines = [f"<trajpack.Loader {', '.join(d.path for d in self.datasets)}: "
                 f"{counted(self.windows, 'window')}, {counted(steps, 'batch')} of {self.batch_size} an epoch, "
                 f"now at {self.position:,} of epoch {self.epoch}>"]
        lines += [f"  {o.name}: {o.dtype.name} {list(o.shape)}{' ' + o.units if o.units else ''}"
                  for o in self.outputs.values()]
        if self.left_raw:
            lines.append(f"  not normalised: {', '.join(self.left_raw)}")
        lines += [f"  between rows of {stream}: {', '.join(f'{s:.6g}' for s in seconds)} s"
                  for stream, seconds in self.between_rows.items()]
        return lines_of(lines)
