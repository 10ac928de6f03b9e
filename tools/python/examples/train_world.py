"""A small model of a world: from pictures, state, skeleton and an action, the next state and the next picture.

    python train_world.py DATASET [EPOCHS]

`DATASET` is made of WildWorld recordings: `trajpack convert recordings DATASET`. It prints the losses of each epoch,
how many windows a second it has used, and which part of the time the model waited for data.
"""
import sys
import time

import torch
from torch import nn

import trajpack
import trajpack.torch

PAST, SIZE = 4, (36, 64)
ACTIONS = ["npc/motion_bank_id", "npc/motion_id"]

dataset = trajpack.open(sys.argv[1])
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
loader = trajpack.torch.WindowLoader(
    dataset, channels=["rgb", "npc/pos", "npc/rot", "npc/hp", "skeleton/npc/joints", *ACTIONS],
    length=PAST + 1, batch=16, seed=1, size=SIZE, layout="TCHW", fill=0, entities={"npc": 1, "skeleton/npc": 1},
    normalize={"npc/pos": "standard", "npc/hp": "standard", "skeleton/npc/joints": "standard"}, dtype="float32")


class World(nn.Module):
    """A picture of four frames, numbers of four rows and an action become the next row and the next frame."""

    def __init__(self, numbers: int, actions: int = 32) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(3 * PAST, 16, 5, 2, 2), nn.GELU(), nn.Conv2d(16, 32, 3, 2, 1), nn.GELU(), nn.Flatten(),
            nn.Linear(32 * (SIZE[0] // 4) * (SIZE[1] // 4), 128))
        self.act = nn.Embedding(1024, actions)
        self.think = nn.Sequential(nn.Linear(128 + numbers * PAST + actions, 256), nn.GELU())
        self.state = nn.Linear(256, numbers)
        self.draw = nn.Sequential(
            nn.Linear(256, 32 * (SIZE[0] // 4) * (SIZE[1] // 4)), nn.GELU(),
            nn.Unflatten(1, (32, SIZE[0] // 4, SIZE[1] // 4)), nn.PixelShuffle(4), nn.Conv2d(2, 3, 3, 1, 1))

    def forward(self, frames, numbers, action):
        seen = self.see(frames.flatten(1, 2))
        thought = self.think(torch.cat([seen, numbers.flatten(1), self.act(action)], 1))
        # What changes is learned, not what stays.
        return numbers[:, -1] + self.state(thought), frames[:, -1] + self.draw(thought)


def tensors(batch):
    """Frames [B, T, 3, H, W] of 0 to 1, numbers [B, T, N], an action [B] of the last known row."""
    frames = batch["rgb"].float() / 255
    numbers = torch.cat([batch[name].flatten(2) for name in
                         ("npc/pos", "npc/rot", "npc/hp", "skeleton/npc/joints")], 2)
    bank, motion = (batch[name].flatten(1)[:, PAST - 1].long() for name in ACTIONS)
    return frames, numbers, (bank * 31 + motion) % 1024


torch.manual_seed(0)
model = None
for epoch in range(epochs):
    loader.set_epoch(epoch)
    losses, windows, waited, begun = torch.zeros(2), 0, 0.0, time.perf_counter()
    asked = begun
    for batch in loader:
        waited += time.perf_counter() - asked
        frames, numbers, action = tensors(batch)
        if model is None:
            model = World(numbers.shape[2])
            optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
        state, picture = model(frames[:, :PAST], numbers[:, :PAST], action)
        both = torch.stack([(state - numbers[:, PAST]).square().mean(), (picture - frames[:, PAST]).square().mean()])
        optimizer.zero_grad()
        both.sum().backward()
        optimizer.step()
        losses += both.detach() * len(frames)
        windows += len(frames)
        asked = time.perf_counter()
    seconds = time.perf_counter() - begun
    state, picture = (losses / windows).tolist()
    print(f"epoch {epoch}: state {state:.4f}, picture {picture:.5f}, {windows / seconds:.0f} windows/s, "
          f"{waited / seconds:.1%} of the time waiting for data", flush=True)
