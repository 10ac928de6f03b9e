"""Lightning: what a Trainer does with the loaders, on one process and on two."""
from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from loops import Truth, first

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")

import trajpack  # noqa: E402
import trajpack.torch  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("error:Length of IterableDataset")]
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.trained: dict[int, list[list[int]]] = {}
        self.validated: list[tuple[bool, list[list[int]]]] = []

    def training_step(self, batch: Any, number: int) -> Any:
        self.trained.setdefault(self.current_epoch, []).append(first(batch))
        return self.layer(torch.ones(1, 1)).sum()

    def on_validation_start(self) -> None:
        self.validated.append((self.trainer.sanity_checking, []))

    def validation_step(self, batch: Any, number: int) -> None:
        self.validated[-1][1].append(first(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 1e-6)


def make(arm: str, kind: str, **options: Any) -> Any:
    ours = trajpack.torch.WindowLoader(trajpack.open(arm), **{
        "channels": ["frames/action"], "length": 8, "batch": 32, "split": "train", "seed": 1, "threads": 1, **options})
    if kind == "plain":
        return ours
    workers = int(kind[-1])
    if kind.startswith("stateful"):
        from torchdata.stateful_dataloader import StatefulDataLoader
        return StatefulDataLoader(ours, batch_size=None, num_workers=workers)
    return DataLoader(ours, batch_size=None, num_workers=workers, persistent_workers=kind.startswith("persistent"))


def fit(train: Any, validation: Any = None, path: str | None = None, **options: Any) -> Model:
    model = Model()
    trainer = lightning.Trainer(**{
        "max_epochs": 3, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, **options})
    trainer.fit(model, train, validation, ckpt_path=path)
    model.steps = trainer.global_step
    return model


@pytest.mark.parametrize("kind", ["plain", "workers0", "workers3", "persistent2"])
def test_epochs_and_validations_are_whole(arm: str, kind: str) -> None:
    truth = Truth(arm, 32, True, 1, length=8, split="train", seed=1)
    checked = Truth(arm, 8, False, 1, length=8, split="val", shuffle=False).epoch(0, 0)
    val = {"split": "val", "shuffle": False, "batch": 8, "drop_last": False}
    for options in ({}, {"val_check_interval": 0.5}, {"limit_val_batches": 3}):
        model = fit(make(arm, kind), make(arm, kind, **val), **options)
        assert model.trained == {e: truth.epoch(e, 0) for e in range(3)} and model.steps == 3 * 14
        sanity, *validations = model.validated
        assert sanity == (True, checked[:2])
        limit = options.get("limit_val_batches")
        assert validations == [(False, checked[:limit])] * (6 if "val_check_interval" in options else 3)


def test_some_batches_of_each_epoch(arm: str) -> None:
    truth = Truth(arm, 32, True, 1, length=8, split="train", seed=1)
    for kind in ("plain", "workers2"):
        model = fit(make(arm, kind), limit_train_batches=4)
        assert model.trained == {e: truth.epoch(e, 0)[:4] for e in range(3)}
    model = fit(make(arm, "plain", shuffle=False), overfit_batches=2)
    assert len({str(v) for v in model.trained.values()}) == 1 and len(model.trained[0]) == 2


@pytest.mark.parametrize("kind", ["plain", "stateful0", "stateful2"])
def test_a_checkpoint_in_the_middle_of_an_epoch(arm: str, kind: str, tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint
    for step in (20, 28):                    # within the second epoch, and at its end
        folder = tmp_path / str(step)
        whole = fit(make(arm, kind), max_steps=40, max_epochs=-1)
        saver = ModelCheckpoint(dirpath=folder, every_n_train_steps=step)
        part = fit(make(arm, kind), max_steps=step, max_epochs=-1, enable_checkpointing=True, callbacks=[saver])
        [saved] = folder.glob("*.ckpt")
        rest = fit(make(arm, kind), path=str(saved), max_steps=40, max_epochs=-1)

        def flat(model: Model) -> list[list[int]]:
            return [b for epoch in sorted(model.trained) for b in model.trained[epoch]]

        assert flat(part) + flat(rest) == flat(whole) and len(flat(whole)) == 40


SCRIPT = """
import json, sys, logging, torch, lightning
sys.path[:0] = sys.argv[4].split(":")
import trajpack.torch
from torch.utils.data import DataLoader
from test_lightning import Model, make
arm, kind, out = sys.argv[1:4]
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
class Told(Model):
    def on_train_end(self):
        json.dump(self.trained, open(f"{out}/{kind}-{self.global_rank}.json", "w"))
if __name__ == "__main__":
    early = make(arm, kind, batch=16)      # before there are processes
    trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", devices=2, strategy="ddp", logger=False,
                                enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(Told(), early)
"""


@pytest.mark.parametrize("kind", ["plain", "workers2"])
def test_two_processes_share_each_epoch(arm: str, code: Run, tmp_path: Path, kind: str) -> None:
    here = Path(__file__).parent
    code(SCRIPT, arm, kind, tmp_path, f"{here}:{here.parent}")
    truth = Truth(arm, 16, True, 2, length=8, split="train", seed=1)
    for rank in range(2):
        told = json.loads((tmp_path / f"{kind}-{rank}.json").read_text())
        assert told == {str(e): truth.epoch(e, rank) for e in range(3)}
