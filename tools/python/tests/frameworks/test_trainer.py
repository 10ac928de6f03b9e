"""The Trainer of transformers, and Fabric: which windows they train on."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loops import Truth

torch = pytest.importorskip("torch")

import trajpack  # noqa: E402
import trajpack.torch  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
N = 14                                       # batches of an epoch


def make(arm: str, **options: Any) -> Any:
    return trajpack.torch.WindowLoader(trajpack.open(arm), **{
        "channels": ["frames/action"], "length": 8, "batch": 32, "split": "train", "seed": 1, "threads": 1, **options})


@pytest.mark.parametrize("workers", [None, 2])
def test_transformers(arm: str, tmp_path: Path, workers: int | None) -> None:
    transformers = pytest.importorskip("transformers")
    truth = Truth(arm, 32, True, 1, length=8, split="train", seed=1)

    class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
            self.seen: list[list[int]] = []

        def forward(self, number: Any) -> dict[str, Any]:
            self.seen.append(number[:, 0].tolist())
            return {"loss": self.layer(torch.ones(1, 1)).sum()}

    class Trainer(transformers.Trainer):  # type: ignore[misc, name-defined]
        def get_train_dataloader(self) -> Any:
            return self.train_dataset if workers is None else DataLoader(
                self.train_dataset, batch_size=None, num_workers=workers)

    class Place(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        def __init__(self, loader: Any) -> None:
            self.loader = loader

        def on_save(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            torch.save(self.loader.state_dict(), f"{arguments.output_dir}/checkpoint-{state.global_step}/loader.pt")

    def train(step: int = 0) -> list[list[int]]:
        arguments = transformers.TrainingArguments(
            str(tmp_path / "out"), num_train_epochs=3, per_device_train_batch_size=32, use_cpu=True, report_to=[],
            save_strategy="steps" if workers is None else "no", save_steps=10, disable_tqdm=True,
            logging_strategy="no", ignore_data_skip=True)
        model = Model()
        loader = make(arm, transform=lambda batch: {"number": batch["frames/action"]})
        path = str(tmp_path / "out" / f"checkpoint-{step}") if step else None
        if path:
            loader.load_state_dict(torch.load(f"{path}/loader.pt"))
        trainer = Trainer(model, arguments, train_dataset=loader, callbacks=[Place(loader)])
        trainer.train(resume_from_checkpoint=path)
        assert trainer.state.global_step == 3 * N
        return model.seen

    whole = [b for e in range(3) for b in truth.epoch(e, 0)]
    assert train() == whole
    if workers is None:
        for step in (10, 20, 40):
            assert train(step) == whole[step:]


@pytest.mark.parametrize("workers", [0, 2])
def test_fabric(arm: str, workers: int) -> None:
    lightning = pytest.importorskip("lightning")
    truth = Truth(arm, 32, True, 1, length=8, split="train", seed=1)
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    ours = make(arm)
    batches = fabric.setup_dataloaders(DataLoader(ours, batch_size=None, num_workers=workers))
    for epoch in range(3):
        got = [b["frames/action"][:, 0].tolist() for _, b in zip(range(len(batches)), batches)]
        assert got == truth.epoch(epoch, 0)
    ours.set_epoch(7)
    assert [b["frames/action"][:, 0].tolist() for b in batches] == truth.epoch(7, 0)
