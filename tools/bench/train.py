#!/usr/bin/env python3
"""Trains a small network on windows and measures which part of a step waits for data.

The network predicts the next state of every frame from state, action and camera with a GRU, on this machine's processor:
`--hidden` sets how much work a step is. The same loop reads from trajpack (no worker process) and from peers in workers of
torch's DataLoader; every step is clocked in two parts, getting the batch and using it.

    train.py [--steps 60] [--hidden 128] [--rounds 3] [--workers 2] [--work DIR] [--only trajpack,...]
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import loader as bench      # noqa: E402
import peers                # noqa: E402


class Step:
    """A GRU over frames, its optimiser, and one step of training."""

    def __init__(self, hidden):
        import torch
        torch.manual_seed(0)
        self.torch = torch
        self.net = torch.nn.GRU(64 + 1 + 11, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, 64)
        self.optimiser = torch.optim.AdamW([*self.net.parameters(), *self.head.parameters()], 1e-3)

    def __call__(self, batch):
        torch = self.torch
        state, action, camera = batch["state"], batch["action"].reshape(*batch["state"].shape[:2], 1), batch["camera"]
        x = torch.cat([state, action.float() / 455, camera], 2)
        hidden, _ = self.net(x[:, :-1])
        loss = torch.nn.functional.mse_loss(self.head(hidden), state[:, 1:])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def batches(name, options):
    """Batches of tensors without end, by the short names of the channels."""
    import torch
    kind = peers.PEERS[name]
    if issubclass(kind, peers.Trajpack):
        source = kind(options.work, options.count, "any")
    else:
        kind(options.work, options.count, "any").batch()
        source = bench.Workers(kind, options.work, options.count, "any", options.workers)
    while True:
        yield {key.rpartition("/")[2]: value if torch.is_tensor(value) else torch.from_numpy(value)
               for key, value in source.batch().items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trajpack-bench")
    parser.add_argument("--only", default="trajpack,h5py zstd own chunks,numpy memory map")
    options = parser.parse_args()
    names = options.only.split(",")
    sources = {name: batches(name, options) for name in names}
    step = Step(options.hidden)
    for source in sources.values():
        for _ in range(5):
            step(next(source))
    found, losses = {name: [] for name in names}, {name: [] for name in names}
    for _ in range(options.rounds):
        for name, source in sources.items():
            waited = worked = 0.0
            for _ in range(options.steps):
                a = time.perf_counter()
                batch = next(source)
                b = time.perf_counter()
                losses[name].append(step(batch))
                waited, worked = waited + b - a, worked + time.perf_counter() - b
            found[name].append((waited / options.steps * 1000, worked / options.steps * 1000))
    print(f"{'source':28} {'wait ms':>9} {'step ms':>9} {'waiting':>8} {'steps/s':>8}   loss, first and last")
    for name, rows in found.items():
        waited, worked = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:28} {waited:9.3f} {worked:9.1f} {waited / (waited + worked):8.2%} {1000 / (waited + worked):8.1f}"
              f"   {losses[name][0]:.3f} {losses[name][-1]:.3f}")


if __name__ == "__main__":
    main()
