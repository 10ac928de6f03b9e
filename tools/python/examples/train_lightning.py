"""Lightning: the loader goes to `fit` as it is, and its place into every checkpoint.

    python train_lightning.py DATASET
"""
import sys

import lightning
import torch

import trajpack.torch


class Model(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        q = batch["frames/q"]
        return (self.layer(q) - q).square().mean()

    def training_step(self, batch: dict[str, torch.Tensor], number: int) -> torch.Tensor:
        return self.loss(batch)

    def validation_step(self, batch: dict[str, torch.Tensor], number: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch["frames/q"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)


def loader(split: str, shuffle: bool) -> trajpack.torch.WindowLoader:
    return trajpack.torch.WindowLoader(trajpack.open(sys.argv[1]), channels=["frames/q"], length=8, batch=16,
                                       split=split, shuffle=shuffle, drop_last=shuffle)


if __name__ == "__main__":
    devices = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", devices=devices, logger=False,
                                strategy="ddp" if devices > 1 else "auto", enable_progress_bar=False,
                                enable_checkpointing=False, enable_model_summary=False)
    # Made before the trainer has set ranks up: they are taken at the first use.
    train = loader("train", True)
    trainer.fit(Model(), train, loader("val", False))
    if trainer.is_global_zero:
        print(f"{trainer.global_step} steps, {len(train)} batches an epoch")
