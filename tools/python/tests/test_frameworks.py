"""PyTorch, Grain and JAX over the loader. Each part is skipped where its package is not installed."""
from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from places import Start, surroundings

import trajpack


def have(module: str) -> bool:
    import importlib.util
    return importlib.util.find_spec(module) is not None


needs_torch = pytest.mark.skipif(not have("torch"), reason="PyTorch is not installed")
needs_torchdata = pytest.mark.skipif(not (have("torch") and have("torchdata")), reason="torchdata is not installed")
needs_jax = pytest.mark.skipif(not have("jax"), reason="JAX is not installed")
needs_grain = pytest.mark.skipif(not have("grain"), reason="Grain is not installed")
METHODS = ["fork", "spawn", "forkserver"]
OPTIONS: dict[str, Any] = {"channels": ["camera", "npc/hp"], "length": 8}


@pytest.fixture
def dataset(wildworld: str) -> trajpack.Dataset:
    return trajpack.open(wildworld)


def key(batch: Any) -> tuple[float, ...]:
    """What tells the windows of a batch apart: camera positions, one a window."""
    return tuple(np.nan_to_num(np.asarray(batch["camera/pos"])).reshape(len(batch["camera/pos"]), -1).sum(1).tolist())


# PyTorch.

@needs_torch
def test_tensors_share_the_batch(dataset: trajpack.Dataset) -> None:
    import torch

    import trajpack.torch
    loader = dataset.windows(batch=4, **OPTIONS)
    batch = loader.next()
    tensors = trajpack.torch.tensors(batch)
    for name, tensor in tensors.items():
        assert tensor.data_ptr() == batch[name].ctypes.data and tuple(tensor.shape) == batch[name].shape
    exchanged = torch.from_dlpack(batch["camera/pos"])
    assert exchanged.data_ptr() == batch["camera/pos"].ctypes.data
    want = batch["camera/pos"].copy()
    del batch, tensors
    loader.close()
    np.testing.assert_array_equal(exchanged.numpy(), want)


@needs_torch
def test_window_loader_is_the_loader(dataset: trajpack.Dataset) -> None:
    import trajpack.torch
    ours = trajpack.torch.WindowLoader(dataset, batch=16, seed=3, **OPTIONS)
    plain = dataset.windows(batch=16, seed=3, **OPTIONS)
    for _ in range(2):
        assert [key(b) for b in ours] == [key(b) for b in plain]
    assert len(ours) == len(plain) and "WindowLoader" in repr(ours)
    doubled = trajpack.torch.WindowLoader(dataset, batch=16, transform=lambda b: b["npc/hp"] * 2, **OPTIONS)
    assert next(iter(doubled)).shape == (16, 8, 2)


@needs_torch
@pytest.mark.parametrize("method", METHODS)
def test_workers_share_the_windows(dataset: trajpack.Dataset, method: str) -> None:
    from torch.utils.data import DataLoader

    import trajpack.torch
    ours = trajpack.torch.WindowLoader(dataset, batch=16, seed=3, drop_last=False, **OPTIONS)
    next(iter(ours))  # the parent's threads run
    ours.set_epoch(0)
    want = sorted(k for b in dataset.windows(batch=16, seed=3, drop_last=False, **OPTIONS) for k in key(b))
    got = [key(b) for b in DataLoader(ours, batch_size=None, num_workers=2, multiprocessing_context=method, timeout=60)]
    assert sorted(k for b in got for k in b) == want
    if method == "fork":
        ours.set_epoch(1)
        again = DataLoader(ours, batch_size=None, num_workers=2, multiprocessing_context=method, timeout=60)
        later = [key(b) for b in again]
        assert sorted(k for b in later for k in b) == want and later != got


@needs_torch
@pytest.mark.parametrize("method", METHODS)
def test_map_style_with_workers(dataset: trajpack.Dataset, method: str) -> None:
    from torch.utils.data import DataLoader

    import trajpack.torch
    windows = trajpack.torch.WindowDataset(dataset, **OPTIONS)
    windows[0]
    loader = DataLoader(windows, batch_size=80, num_workers=2, multiprocessing_context=method, timeout=60)
    got = [k for b in loader for k in key(b)]
    want = [k for b in dataset.windows(batch=1, shuffle=False, drop_last=False, **OPTIONS) for k in key(b)]
    assert got == want and len(windows) == len(want)
    np.testing.assert_array_equal(windows[-1]["npc/hp"], windows[len(want) - 1]["npc/hp"])
    assert len(windows.__getitems__(list(range(100)))) == 100
    with pytest.raises(IndexError):
        windows[len(want)]
    with pytest.raises(trajpack.UsageError, match="DataLoader"):
        trajpack.torch.WindowDataset(dataset, batch=4, **OPTIONS)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("film") / "ds")
    with trajpack.create(path, rate=30) as writer, writer.episode("e") as episode:
        episode.video("cam", np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8))
        episode.extend(x=np.arange(30.0))
    return path


CROPS: dict[str, Any] = {"channels": ["cam"], "length": 4, "crop": (20, 20), "flip": 0.5, "seed": 2}
MASKS: dict[str, Any] = {"channels": ["frames/x"], "length": 4, "plan": {"steps": [
    {"step": "mask", "mechanism": "rows", "amount": 0.5, "seed": 1, "draw": "epoch"}]}}


@needs_torch
@pytest.mark.parametrize("workers", [{}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}])
@pytest.mark.parametrize("options", [CROPS, MASKS], ids=["crops", "masks"])
def test_windows_by_number_are_drawn_anew_in_each_pass(film: str, workers: dict[str, Any], options: dict[str, Any]) -> None:
    import torch
    from torch.utils.data import DataLoader

    import trajpack.torch
    data = trajpack.open(film)
    windows = trajpack.torch.WindowDataset(data, **options)
    name = next(iter(windows.outputs))

    def one(loader: Any) -> Any:
        return torch.cat([batch[name].double().nan_to_num(-1).flatten(1) for batch in loader])

    loader = DataLoader(windows, batch_size=4, **workers)
    passes = [one(loader) for _ in range(3)]
    assert all(p.shape == passes[0].shape for p in passes)
    for a, b in [(0, 1), (1, 2), (0, 2)]:
        assert (passes[a] != passes[b]).any(1).double().mean() > 0.6
    # A named epoch is that of a Loader, with any number of workers.
    windows.set_epoch(5)
    named = one(DataLoader(windows, batch_size=4, **workers))
    reference = trajpack.Loader(data, **options, shuffle="none", batch=64, drop_last=False, epoch=5).next()
    assert reference is not None
    wanted = torch.from_numpy(np.array(reference[name])).double().nan_to_num(-1).flatten(1)
    assert torch.equal(named, wanted)


@needs_torch
@pytest.mark.parametrize("option", ["window_weights", "replacement", "epoch_windows", "block_windows", "block_count", "weights"])
def test_windows_by_number_refuse_options_of_the_order(dataset: trajpack.Dataset, option: str) -> None:
    import trajpack.grain
    import trajpack.torch
    for kind in (trajpack.torch.WindowDataset, trajpack.grain.WindowSource):
        with pytest.raises(trajpack.UsageError, match=f"'{option}' is of the order"):
            kind(dataset, **OPTIONS, **{option: 4})


@needs_torch
def test_state_goes_on_exactly(dataset: trajpack.Dataset) -> None:
    import trajpack.torch
    first = trajpack.torch.WindowLoader(dataset, batch=16, seed=5, **OPTIONS)
    going = iter(first)
    for _ in range(3):
        next(going)
    state = first.state_dict()
    second = pickle.loads(pickle.dumps(trajpack.torch.WindowLoader(dataset, batch=16, seed=5, **OPTIONS)))
    second.load_state_dict(state)
    copied = pickle.loads(pickle.dumps(first))
    rest = [key(b) for b in going]
    assert [key(b) for b in second] == rest and [key(b) for b in copied] == rest


@needs_torchdata
@pytest.mark.parametrize("workers", [0, 2])
def test_stateful_data_loader(dataset: trajpack.Dataset, workers: int) -> None:
    from torchdata.stateful_dataloader import StatefulDataLoader

    import trajpack.torch

    def make() -> Any:
        ours = trajpack.torch.WindowLoader(dataset, batch=16, seed=5, **OPTIONS)
        return StatefulDataLoader(ours, batch_size=None, num_workers=workers)

    whole = [key(b) for b in make()]
    for stop in (1, 4):
        first = make()
        going = iter(first)
        taken = [key(next(going)) for _ in range(stop)]
        state = first.state_dict()
        del going
        second = make()
        second.load_state_dict(state)
        assert taken + [key(b) for b in second] == whole


@needs_torch
def test_ranks_are_taken_from_torch_distributed(wildworld: str, start: Start) -> None:
    code = f"""
import os, sys, torch.distributed as d, trajpack, trajpack.torch
rank = int(sys.argv[1])
d.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
loader = trajpack.open({wildworld!r}).windows(length=8, batch=4)
assert loader.options["rank"] == rank and loader.options["world"] == 2
print([w for b in loader for w in b.windows.tolist()])
d.destroy_process_group()
"""
    meeting = f"{wildworld}-meeting"
    both = [start([sys.executable, "-c", code, r, meeting], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for r in range(2)]
    outs = [p.communicate(timeout=120) for p in both]
    assert all(p.returncode == 0 for p in both), outs
    lists = [eval(out) for out, _ in outs]
    whole = trajpack.open(wildworld).windows(length=8, batch=4).order()[0].tolist()
    assert [w for pair in zip(*lists, strict=True) for w in pair] == whole[:len(lists[0]) * 2]


@needs_torch
def test_pinning_without_an_accelerator_warns(dataset: trajpack.Dataset) -> None:
    import torch

    import trajpack.torch
    if torch.cuda.is_available():
        batch = next(iter(trajpack.torch.WindowLoader(dataset, pin_memory=True, **OPTIONS)))
        assert all(t.is_pinned() for t in batch.values())
    else:
        with pytest.warns(UserWarning, match="pin_memory"):
            loader = trajpack.torch.WindowLoader(dataset, pin_memory=True, batch=16, **OPTIONS)
        assert len(list(loader)) == len(loader)


def test_lent_memory_is_used_and_outlives_the_loader(dataset: trajpack.Dataset) -> None:
    loader = dataset.windows(batch=4, prefetch=1, **OPTIONS)
    lent = []
    for _ in range(3):
        whole = np.zeros(loader.batch_bytes + 64, np.uint8)
        skip = -whole.ctypes.data % 64
        lent.append(whole[skip:skip + loader.batch_bytes])
        loader.lend(lent[-1])
    places = {m.ctypes.data for m in lent}
    plain = dataset.windows(batch=4, **OPTIONS)
    used = 0
    for ours, theirs in zip(loader, plain, strict=True):
        used += ours._memory.ctypes.data in places
        np.testing.assert_array_equal(ours["camera/pos"], theirs["camera/pos"])
    assert used >= 3
    with pytest.raises(trajpack.UsageError, match="64"):
        loader.lend(np.zeros(10, np.uint8))


# JAX and Grain.

@needs_jax
def test_jax_gets_every_batch(wildworld: str) -> None:
    code = """
import sys, numpy as np, trajpack
import trajpack.jax, jax
assert not jax.distributed.is_initialized()
ds = trajpack.open(sys.argv[1])
options = dict(channels=["camera", "npc/hp"], length=8, batch=16, dtype="float32")
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
for sharding in (None, jax.devices()[0], spread):
    for ahead in (0, 2):
        plain = [b.copy() for b in ds.windows(**options)]
        ours = list(trajpack.jax.batches(ds.windows(**options), sharding, ahead=ahead))
        assert len(ours) == len(plain)
        for a, b in zip(ours, plain):
            assert set(a) == set(b)
            for name in a:
                np.testing.assert_array_equal(np.asarray(a[name]), b[name])
for ahead in (0, 2):                  # epochs follow, whether or not the end is asked for
    loader = ds.windows(**options)
    for epoch in range(3):
        ours = [b for _, b in zip(range(len(loader)), trajpack.jax.batches(loader, ahead=ahead))]
        want = list(ds.windows(epoch=epoch, **options))
        assert len(ours) == len(want)
        for a, b in zip(ours, want):
            np.testing.assert_array_equal(np.asarray(a["camera/pos"]), b["camera/pos"])
one = next(trajpack.jax.batches(ds.windows(**options), choose=lambda n: n == "npc/hp"))
assert list(one) == ["npc/hp"] and len(one["npc/hp"].devices()) == 1
for wrong, said in (({"ahead": 1.5}, "'ahead' is 1.5"), ({"ahead": -1}, "0 or more"), ({"choose": "x"}, "'choose' is 'x'")):
    try:
        next(trajpack.jax.batches(ds.windows(**options), **wrong))
    except trajpack.UsageError as error:
        assert said in str(error)
    else:
        raise AssertionError(wrong)
print(len(jax.devices()))
"""
    environment = {**surroundings(), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    # In a process of its own: JAX's threads and the forks of other tests do not go together.
    done = subprocess.run([sys.executable, "-c", code, wildworld], env=environment, capture_output=True, text=True,
                          timeout=200)
    assert done.returncode == 0 and done.stdout.strip() == "4", done.stderr


def test_window_source_is_random_access(dataset: trajpack.Dataset) -> None:
    source = trajpack.grain.WindowSource(dataset, **OPTIONS)
    plain = [b.copy() for b in dataset.windows(batch=1, shuffle=False, drop_last=False, **OPTIONS)]
    assert len(source) == len(plain)
    again = pickle.loads(pickle.dumps(source))
    for i in (0, 5, len(plain) - 1, -1):
        for name, array in source[i].items():
            np.testing.assert_array_equal(array, plain[i][name][0])
            np.testing.assert_array_equal(array, again[i][name])
    with pytest.raises(IndexError):
        source[len(plain)]


@needs_grain
def test_grain_reads_windows(wildworld: str) -> None:
    code = """
import sys, numpy as np, grain, trajpack
source = trajpack.grain.WindowSource(trajpack.open(sys.argv[1]), channels=["camera", "npc/hp"], length=8)
pipeline = grain.MapDataset.source(source).shuffle(seed=1).batch(16)
keys = sorted(float(np.nan_to_num(w).sum()) for b in pipeline for w in b["camera/pos"])
want = sorted(float(np.nan_to_num(source[i]["camera/pos"]).sum()) for i in range(len(source)))
assert len(keys) == len(want) // 16 * 16 or len(keys) == len(want), (len(keys), len(want))
assert set(keys) <= set(want)
print("good")
"""
    environment = {**surroundings(), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code, wildworld], env=environment, capture_output=True, text=True,
                          timeout=200)
    assert done.returncode == 0 and done.stdout.strip() == "good", done.stderr
