"""The Trainer of transformers: it trains on the loader as it is, and goes on within an epoch.

    python train_hf.py DATASET [CHECKPOINT]          (or under torchrun)
"""
import sys

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

import trajpack.torch


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, q: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.layer(q) - q).square().mean()}


class WindowTrainer(Trainer):
    """The loader goes round the Trainer's DataLoaders, which would batch and share out once more."""

    def get_train_dataloader(self):
        return self.train_dataset


class Place(TrainerCallback):
    """Saves the loader's place beside each checkpoint; it is the same on every rank."""

    def on_save(self, args, state, control, **_):
        if state.is_world_process_zero:
            torch.save(loader.state_dict(), f"{args.output_dir}/checkpoint-{state.global_step}/loader.pt")


loader = trajpack.torch.WindowLoader(
    trajpack.open(sys.argv[1]), channels=["frames/q"], length=8, batch=16, split="train",
    transform=lambda batch: {"q": batch["frames/q"]})
arguments = TrainingArguments("out", num_train_epochs=3, per_device_train_batch_size=16, use_cpu=True, report_to=[],
                              save_steps=40, disable_tqdm=True, logging_strategy="no",
                              ignore_data_skip=True)  # the loader knows where it was
trainer = WindowTrainer(Model(), arguments, train_dataset=loader, callbacks=[Place()])
checkpoint = sys.argv[2] if len(sys.argv) > 2 else None
if checkpoint:
    loader.load_state_dict(torch.load(f"{checkpoint}/loader.pt"))
trainer.train(resume_from_checkpoint=checkpoint)
if trainer.is_world_process_zero():
    print(f"{trainer.state.global_step} steps, {len(loader)} batches an epoch")
