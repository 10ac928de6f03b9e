"""export --to robomimic, read by h5py as robomimic does, and --to minari, read by minari; both come back."""
import json

import h5py
import numpy as np
import pytest
from foreign_world import run

import trajpack as tp


def world(path, rng, *, extra=1, rate=20):
    """Two episodes of actions and T + `extra` observations, with ends, rewards, texts and masks."""
    truth = {}
    with tp.create(path, rate=rate, values={"task": {"type": "text"}, "seed": {"type": "integer"}}) as writer:
        for number, split in enumerate(("train", "valid")):
            n = int(rng.integers(5, 30))
            steps = {
                "actions": rng.normal(size=(n, 3)).astype(np.float32), "rewards": rng.normal(size=n),
                "terminations": np.arange(n) == n - 1, "truncations": np.zeros(n, bool),
                "note": [f"nöte {k}" for k in rng.integers(0, 3, n)],
                "maybe": np.ma.masked_array(rng.integers(0, 9, n).astype(np.int32), rng.random(n) < 0.4),
            }
            obs = {"state": rng.normal(size=(n + extra, 4)), "counts": rng.integers(0, 99, (n + extra, 2)),
                   "flag": rng.random(n + extra) < 0.5,
                   "image": rng.integers(0, 255, (n + extra, 34, 36, 3)).astype(np.uint8)}
            with writer.episode(f"run {number}", split=split, values={"task": "lift", "seed": number}) as episode:
                episode.extend({"steps": steps})
                episode.extend({"obs": obs})
            truth[f"run {number}"] = steps, obs
    return truth


@pytest.mark.parametrize("seed", range(2))
def test_robomimic(trajpack, tmp_path, seed):
    truth = world(tmp_path / "ds", np.random.default_rng(seed))
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "robomimic", "--quiet")
    with h5py.File(tmp_path / "out/demo.hdf5") as file:
        # As robomimic's SequenceDataset does it.
        demos = sorted(file["data"], key=lambda d: int(d[5:]))
        assert demos == ["demo_0", "demo_1"]
        assert [m.decode() for m in file["mask/train"][:]] == ["demo_0"]
        assert [m.decode() for m in file["mask/valid"][:]] == ["demo_1"]
        environment = json.loads(file["data"].attrs["env_args"])
        assert environment["env_kwargs"]["control_freq"] == 20 and {"env_name", "type"} <= set(environment)
        total = 0
        for demo, (steps, obs) in zip(demos, truth.values()):
            group = file["data"][demo]
            n = len(steps["actions"])
            total += n
            assert group.attrs["num_samples"] == n and json.loads(group.attrs["ep_meta"])["lang"] == "lift"
            np.testing.assert_array_equal(group["actions"], steps["actions"])
            np.testing.assert_array_equal(group["rewards"], steps["rewards"])
            assert group["actions"].dtype == np.float32 and group["terminations"].dtype == bool
            for key, rows in obs.items():
                np.testing.assert_array_equal(group["obs"][key], rows[:n])
                np.testing.assert_array_equal(group["next_obs"][key], rows[1:])
                assert group["obs"][key].dtype == rows.dtype
            assert [t.decode() for t in group["note"][:]] == steps["note"]
            mask = np.ma.getmaskarray(steps["maybe"])
            np.testing.assert_array_equal(group["maybe.observed"][:] if mask.any() else ~mask, ~mask)
            np.testing.assert_array_equal(group["maybe"][:][~mask], steps["maybe"].compressed())
        assert file["data"].attrs["total"] == total
    run(trajpack, "convert", tmp_path / "out/demo.hdf5", tmp_path / "back", "--quiet")
    listed = json.loads(run(trajpack, "info", tmp_path / "back", "--episodes", "--json"))
    text = json.dumps(listed)
    assert "demo_0" in text and "valid" in text


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("extra", [0, 1])
def test_minari(trajpack, tmp_path, seed, extra):
    truth = world(tmp_path / "ds", np.random.default_rng(seed), extra=extra)
    said = run(trajpack, "export", tmp_path / "ds", tmp_path / "out/toy-v0", "--to", "minari")
    assert "2 episodes as minari" in said
    document = json.loads((tmp_path / "out/toy-v0/data/metadata.json").read_text())
    assert document["total_episodes"] == 2 and document["data_format"] == "hdf5"
    with h5py.File(tmp_path / "out/toy-v0/data/main_data.hdf5") as file:
        for number, (steps, obs) in enumerate(truth.values()):
            group = file[f"episode_{number}"]
            n = len(steps["actions"]) - (1 - extra)
            assert group.attrs["total_steps"] == n and group.attrs["seed"] == number and group.attrs["id"] == number
            np.testing.assert_array_equal(group["actions"], steps["actions"][:n])
            for key, rows in obs.items():
                np.testing.assert_array_equal(group["observations"][key], rows[:n + 1])
    minari = pytest.importorskip("minari")
    dataset = minari.MinariDataset(tmp_path / "out/toy-v0/data")
    assert dataset.total_steps == document["total_steps"]
    for episode, (steps, obs) in zip(dataset.iterate_episodes(), truth.values()):
        n = len(episode.actions)
        np.testing.assert_array_equal(episode.rewards, steps["rewards"][:n])
        np.testing.assert_array_equal(episode.terminations, steps["terminations"][:n])
        assert episode.truncations.dtype == bool
        for key, rows in obs.items():
            np.testing.assert_array_equal(episode.observations[key], rows[:n + 1])
            assert dataset.observation_space[key].shape == rows.shape[1:]
        assert dataset.action_space.contains(episode.actions[0])


def test_minari_comes_back_equal(trajpack, tmp_path):
    """A dataset of Minari, converted, exported, and compared with what it was."""
    rng = np.random.default_rng(7)
    (tmp_path / "src/data").mkdir(parents=True)
    with h5py.File(tmp_path / "src/data/main_data.hdf5", "w") as file:
        for number in range(3):
            n = int(rng.integers(4, 9))
            group = file.create_group(f"episode_{number}")
            group.attrs.update({"id": number, "total_steps": n, "seed": 7 + number})
            group["observations"] = rng.normal(size=(n + 1, 3))
            group["actions"] = rng.integers(0, 4, n)
            group["rewards"] = rng.normal(size=n)
            group["terminations"], group["truncations"] = np.arange(n) == n - 1, np.zeros(n, bool)
            group["infos/speed"] = rng.normal(size=n + 1)
    (tmp_path / "src/data/metadata.json").write_text(json.dumps({"total_episodes": 3, "dataset_id": "a/b-v1"}))
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "minari", "--quiet")
    (tmp_path / "out/values.json").unlink(missing_ok=True)
    run(trajpack, "diff", tmp_path / "ds", tmp_path / "out", "--quiet")


def test_refusals(trajpack, tmp_path):
    with tp.create(tmp_path / "ds", rate=5) as writer:
        writer.append("e", {"s": {"x": np.arange(4.0)}})
    for name in ("robomimic", "minari"):
        said = run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", name, fails=True)
        assert "has no channel 'actions' or 'action'" in said and "e" in said
        assert not (tmp_path / "out").exists()
        assert [p.name for p in tmp_path.iterdir()] == ["ds"]
