"""accelerate: the loader is not prepared, for it gives each process its own part already.

    torchrun --nproc-per-node=2 train_accelerate.py DATASET
"""
import sys

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

import trajpack.torch

accelerator = Accelerator(cpu=True)
dataset = trajpack.open(sys.argv[1])
model = torch.nn.Linear(3, 3)
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
loader = trajpack.torch.WindowLoader(dataset, channels=["frames/q"], length=8, batch=16, split="train")
model, optimizer = accelerator.prepare(model, optimizer)     # and not the loader
# Validation with torch's own sampler: windows by number, which accelerate may share out.
windows = trajpack.torch.WindowDataset(dataset, channels=["frames/q"], length=8, split="val")
validation = accelerator.prepare(DataLoader(windows, batch_size=16))

for epoch in range(3):
    loader.set_epoch(epoch)
    for batch in loader:
        q = batch["frames/q"].to(accelerator.device)
        loss = (model(q) - q).square().mean()
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
count = 0
for batch in validation:
    count += len(accelerator.gather_for_metrics(batch["frames/q"]))
accelerator.print(f"{len(loader)} batches an epoch on each of {accelerator.num_processes} processes; "
                  f"{count} of {len(windows)} windows validated")
accelerator.end_training()
