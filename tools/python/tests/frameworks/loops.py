"""The rules of a loop over windows, from the order alone, for comparing."""
from __future__ import annotations

from typing import Any

import trajpack


def first(batch: Any) -> list[int]:
    """The numbers of a batch's windows: the action of their first rows."""
    return batch["frames/action"][:, 0].tolist()  # type: ignore[no-any-return]


class Truth:
    """The batches of each rank and epoch, made with no rank and no batch of the loader."""

    def __init__(self, path: str, batch: int, drop: bool, world: int, **options: Any) -> None:
        dataset = trajpack.open(path)
        self.batch, self.drop, self.world = batch, drop, world
        self.loader = dataset.windows(channels=["frames/action"], rank=0, world_size=1, batch=1, **options)
        plain = dataset.windows(channels=["frames/action"], rank=0, world_size=1, batch=1, drop_last=False,
                                **{**options, "shuffle": False})
        self.numbers = [first(b)[0] for b in plain]

    def epoch(self, epoch: int, rank: int) -> list[list[int]]:
        order = [self.numbers[w] for w in self.loader.order(epoch=epoch)[0].tolist()]
        step, out = self.batch * self.world, []
        for at in range(0, len(order), step):
            part = order[at:at + step]
            if len(part) == step or not self.drop:
                out.append(part[rank::self.world] or [part[rank % len(part)]])
        return out

    def whole(self, epoch: int) -> list[int]:
        """The windows of an epoch, those that no batch has left out."""
        order = [self.numbers[w] for w in self.loader.order(epoch=epoch)[0].tolist()]
        step = self.batch * self.world
        return order[:len(order) // step * step] if self.drop else order
