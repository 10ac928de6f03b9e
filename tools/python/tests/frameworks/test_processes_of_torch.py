"""Two processes with gloo, started by torchrun: ranks at the first use, a look on one rank, what shares out twice."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run
from loops import Truth

pytest.importorskip("torch")

BY_HAND = """
import json, os, sys, warnings, torch, torch.distributed as dist
import trajpack, trajpack.torch
from torch.utils.data import DataLoader
arm, out = sys.argv[1:3]
rank = int(os.environ["RANK"])
def make(**options):
    return trajpack.torch.WindowLoader(trajpack.open(arm), **{"channels": ["frames/action"], "length": 8, "batch": 16,
                                                              "seed": 1, "threads": 1, **options})
def first(batch):
    return batch["frames/action"][:, 0].tolist()
told = {}
environment = {name: os.environ.pop(name) for name in ("RANK", "WORLD_SIZE")}
early, used = make(), make()
len(used)
os.environ.update(environment)
told["torchrun"] = len(make())              # before there is a group
dist.init_process_group("gloo")
try:
    next(iter(used))
except trajpack.UsageError as error:
    told["used"] = str(error)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
warnings.simplefilter("ignore")
if rank == 0:
    next(iter(early))                       # a look at the shapes
told["looked"] = []
for epoch in range(3):
    told["looked"].append([])
    for batch in early:
        model(torch.ones(1, 1)).sum().backward()   # would hang where ranks have other numbers of batches
        told["looked"][-1].append(first(batch))
dist.barrier()
workers = DataLoader(make(drop_last=False), batch_size=None, num_workers=2)
if rank == 1:
    next(iter(workers))
told["workers"] = [[first(b) for b in workers] for _ in range(2)]
apart = make(rank=0, world_size=1)          # tensor parallel: all ranks see the same
told["apart"] = [first(b) for b in apart]
one = torch.tensor([len(told["apart"])])
dist.all_reduce(one)
json.dump(told, open(f"{out}/{rank}.json", "w"))
dist.destroy_process_group()
"""


def test_by_hand(arm: str, code: Run, tmp_path: Path) -> None:
    code(BY_HAND, arm, tmp_path, processes=2)
    truth, whole = Truth(arm, 16, True, 2, length=8, seed=1), Truth(arm, 16, True, 1, length=8, seed=1)
    full = Truth(arm, 16, False, 2, length=8, seed=1)
    for rank in range(2):
        told = json.loads((tmp_path / f"{rank}.json").read_text())
        assert told["torchrun"] == len(truth.epoch(0, 0))
        assert f"rank 0 of 1, and the process is now rank {rank} of 2" in told["used"]
        assert told["looked"] == [truth.epoch(e, rank) for e in range(3)]
        assert told["workers"] == [full.epoch(e, rank) for e in range(2)]
        assert told["apart"] == whole.epoch(0, 0)


ACCELERATE = """
import json, os, sys, torch
import trajpack, trajpack.torch
from torch.utils.data import DataLoader
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
arm, out = sys.argv[1:3]
def make(**options):
    return trajpack.torch.WindowLoader(trajpack.open(arm), **{"channels": ["frames/action"], "length": 8, "batch": 16,
                                                              "seed": 1, "threads": 1, **options})
def seen(loader):
    return [batch["frames/action"][:, 0].tolist() for batch in loader]
early = make()
told = {}
accelerator = Accelerator(cpu=True)
told["early"] = seen(accelerator.prepare(early))       # not a DataLoader: given back as it is
def refused(name, accelerator, loader):
    prepared = accelerator.prepare(loader)
    try:
        told[name] = len(seen(prepared))
    except trajpack.UsageError as error:
        told[name] = str(error)
refused("dispatched", accelerator, DataLoader(make(), batch_size=None))
refused("dispatched from workers", accelerator, DataLoader(make(), batch_size=None, num_workers=1,
                                                           multiprocessing_context="spawn"))
told["dealt out"] = seen(accelerator.prepare(DataLoader(make(rank=0, world_size=1), batch_size=None)))
windows = trajpack.torch.WindowDataset(trajpack.open(arm), channels=["frames/action"], length=8)
told["windows"] = seen(accelerator.prepare(DataLoader(windows, batch_size=16, shuffle=True)))
accelerator.dataloader_config = DataLoaderConfiguration(dispatch_batches=False)
refused("sharded", accelerator, DataLoader(make(), batch_size=None))
refused("sharded in batches of one", accelerator, DataLoader(make(), batch_size=1))
state = early.state_dict()
accelerator.register_for_checkpointing(early)
json.dump(told, open(f"{out}/{accelerator.process_index}.json", "w"))
accelerator.end_training()
"""


def test_accelerate(arm: str, code: Run, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    code(ACCELERATE, arm, tmp_path, processes=2)
    truth, whole = Truth(arm, 16, True, 2, length=8, seed=1), Truth(arm, 16, True, 1, length=8, seed=1)
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for rank in range(2):
        assert told[rank]["early"] == truth.epoch(0, rank)
        for name in ("dispatched", "dispatched from workers", "sharded", "sharded in batches of one"):
            assert "prepare" in str(told[rank][name]) and "rank=0 and world_size=1" in told[rank][name], (name, rank)
    union = [w for pair in zip(told[0]["dealt out"], told[1]["dealt out"], strict=True) for b in pair for w in b]
    want = [w for b in whole.epoch(0, 0) for w in b]
    assert union[:len(want)] == want[:len(union)] and len(union) >= len(want) - 16
    windows = [w for t in told for b in t["windows"] for w in b]
    assert set(windows) == set(whole.numbers)
