"""Lightning Fabric: a DataLoader around the loader, which Fabric leaves as it is; or the loader itself.

    python train_fabric.py DATASET [PROCESSES]
"""
import sys

import lightning
import torch
from torch.utils.data import DataLoader

import trajpack.torch


def main() -> None:
    devices = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    fabric = lightning.Fabric(accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto")
    fabric.launch()
    loader = trajpack.torch.WindowLoader(
        trajpack.open(sys.argv[1]), channels=["frames/q"], length=8, batch=16, split="train")
    model = torch.nn.Linear(3, 3)
    model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), 1e-3))
    batches = fabric.setup_dataloaders(DataLoader(loader, batch_size=None))  # moves the batches to the device
    steps = 0
    for epoch in range(3):
        loader.set_epoch(epoch)
        for batch in batches:
            q = batch["frames/q"]
            loss = (model(q) - q).square().mean()
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            steps += 1
    fabric.print(f"{steps} steps, {len(loader)} batches an epoch")


if __name__ == "__main__":
    main()
