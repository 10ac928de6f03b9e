"""DistributedDataParallel by hand, with a checkpoint in the middle of an epoch that goes on exactly.

    torchrun --nproc-per-node=2 train_ddp.py DATASET

`DATASET` has a channel frames/q of three numbers; the test makes one.
"""
import sys
from pathlib import Path

import torch
import torch.distributed as dist

import trajpack.torch

CHECKPOINT = Path("checkpoint.pt")

dist.init_process_group("gloo")
loader = trajpack.torch.WindowLoader(
    trajpack.open(sys.argv[1]), channels=["frames/q"], length=8, batch=16, split="train", seed=1)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 3))
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
first = 0
if CHECKPOINT.exists():                     # every rank loads the same five numbers
    saved = torch.load(CHECKPOINT)
    model.load_state_dict(saved["model"])
    loader.load_state_dict(saved["loader"])
    first = saved["epoch"]

for epoch in range(first, 3):
    loader.set_epoch(epoch)                 # after load_state_dict of this epoch it goes on where it was
    steps = 0
    for batch in loader:
        q = batch["frames/q"]
        loss = (model(q) - q).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
        if epoch == 1 and steps == 5 and not first:
            if dist.get_rank() == 0:
                torch.save({"model": model.state_dict(), "loader": loader.state_dict(), "epoch": epoch}, CHECKPOINT)
    if dist.get_rank() == 0:
        print(f"epoch {epoch}: {steps} of {len(loader)} batches", flush=True)
dist.destroy_process_group()
