"""torchdata: StatefulDataLoader with workers, saved in the middle of an epoch and gone on with.

    python train_torchdata.py DATASET
"""
import sys

from torchdata.stateful_dataloader import StatefulDataLoader

import trajpack.torch


def make() -> StatefulDataLoader:
    loader = trajpack.torch.WindowLoader(
        trajpack.open(sys.argv[1]), channels=["frames/q"], length=8, batch=16, split="train", seed=1)
    return StatefulDataLoader(loader, batch_size=None, num_workers=2)


def main() -> None:
    uninterrupted = [batch["frames/q"].clone() for batch in make()]
    stopped = make()
    taken = []
    for batch in stopped:
        taken.append(batch["frames/q"].clone())
        if len(taken) == 7:
            break
    state = stopped.state_dict()             # with the same number of workers it goes on exactly
    resumed = make()
    resumed.load_state_dict(state)
    taken += [batch["frames/q"].clone() for batch in resumed]
    same = len(taken) == len(uninterrupted) and all(a.equal(b) for a, b in zip(taken, uninterrupted, strict=True))
    print(f"{len(taken)} batches, {'the same' if same else 'OTHERS'} as without a stop")


if __name__ == "__main__":
    main()
