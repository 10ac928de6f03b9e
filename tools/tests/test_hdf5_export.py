"""export --to robomimic, read by h5py as robomimic does, and --to minari, read by minari; both come back."""
import io
import json
import subprocess

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
            np.testing.assert_array_equal(group["maybe.observed"][:], ~mask)
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


def exported(trajpack, *arguments):
    """What an export that succeeds says beside its outcome."""
    done = subprocess.run([trajpack, "export", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("form", ["robomimic", "minari"])
def test_masks_are_there_in_every_episode(trajpack, tmp_path, form):
    """Also where all values were observed; and the sentence is said once, not once an episode."""
    with tp.create(tmp_path / "ds", rate=5, channels={"steps/maybe": {"missing": True, "dtype": "int32"}}) as writer:
        for number in range(6):
            mask = np.arange(4) == 1 if number == 2 else np.zeros(4, bool)
            writer.append(f"e{number}", {"steps": {
                "actions": np.zeros(4), "maybe": np.ma.masked_array(np.arange(4, dtype=np.int32), mask)}, "obs": {"x": np.zeros(5)}})
    said = exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", form)
    assert said.count("values that were not observed are 0") == 1, said
    with h5py.File(next((tmp_path / "out").rglob("*.hdf5"))) as file:
        for number in range(6):
            group = file[f"data/demo_{number}"] if form == "robomimic" else file[f"episode_{number}/infos"]
            assert group["maybe.observed"][:].tolist() == [True, number != 2, True, True]


def test_minari_leaves_out_streams_of_other_lengths(trajpack, tmp_path):
    """What has neither a row a step nor one more is no observation; it neither cuts the episode nor lies beside it."""
    n = 12
    rows = {"fast": 5 * n, "slow": n // 3, "state": n + 1}
    with tp.create(tmp_path / "ds", rate={"steps": 10, "obs/fast": 50, "obs/slow": 3, "obs/state": 10, "gps": 2}) as writer:
        with writer.episode("e") as episode:
            episode.extend({"steps": {"actions": np.arange(n) * 1.0, "rewards": np.ones(n)}})
            for name, count in rows.items():
                episode.extend({f"obs/{name}": {name: np.arange(count) * 1.0}})
            episode.extend({"gps": {"lat": np.arange(3.0)}})
    said = exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", "minari")
    for name in ("obs/fast", "obs/slow", "gps/lat"):
        assert f"'{name}' is left out: it has another number of rows" in said, said
    with h5py.File(tmp_path / "out/data/main_data.hdf5") as file:
        group = file["episode_0"]
        assert group.attrs["total_steps"] == n
        assert list(group["observations"]) == ["state"] and "infos" not in group
        assert group["observations/state"][:].tolist() == list(range(n + 1)) and len(group["actions"]) == n
    with tp.create(tmp_path / "no", rate={"steps": 10, "obs": 50}) as writer:
        writer.append("e", {"steps": {"actions": np.zeros(4)}, "obs": {"x": np.zeros(20)}})
    said = run(trajpack, "export", tmp_path / "no", tmp_path / "none", "--to", "minari", fails=True)
    assert "has no observations with a row for each of its 4 actions" in said and not (tmp_path / "none").exists()


@pytest.mark.parametrize("form", ["robomimic", "minari"])
def test_channels_of_one_role(trajpack, tmp_path, form):
    """None vanishes, none is another's: the one that is called as the format does has the role."""
    n = 6
    channels = {name: np.full(n, number + 1.0) for number, name in enumerate([
        "reward", "rewards", "action", "actions", "done", "terminals", "obs/x", "observations/x", "observation.a.b",
        "observation.a_b"])}
    with tp.create(tmp_path / "ds", rate=5) as writer:
        writer.append("e", {"steps": channels})
    said = exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", form)
    found = {}
    with h5py.File(next((tmp_path / "out").rglob("*.hdf5"))) as file:
        group = file["data/demo_0" if form == "robomimic" else "episode_0"]
        group.visititems(lambda name, item: found.update({name: item[0]}) if isinstance(item, h5py.Dataset) else None)
    place = "obs" if form == "robomimic" else "observations"
    assert found["actions"] == channels["actions"][0] and found["rewards"] == channels["rewards"][0]
    assert found[f"{place}/x"] == channels["obs/x"][0] and found[f"{place}/x_2"] == channels["observations/x"][0]
    assert found[f"{place}/a_b"] == channels["observation.a.b"][0] and found[f"{place}/a_b_2"] == channels["observation.a_b"][0]
    assert set(found.values()) >= {v[0] for v in channels.values()}
    assert "'reward' is written beside the others, as 'rewards' is the rewards" in said
    assert f"'observations/x' is written as '{place}/x_2'" in said
    if form == "minari":
        assert found["terminations"] == channels["terminals"][0] and found["infos/done"] == channels["done"][0]


@pytest.mark.parametrize("form", ["robomimic", "minari"])
def test_the_channel_that_was_asked_for_has_the_role(trajpack, tmp_path, form):
    """As --map says, where another one is called as the format does."""
    n = 6
    with tp.create(tmp_path / "ds", rate=5) as writer:
        writer.append("e", {"steps": {"actions": np.zeros(n), "actions_abs": np.ones(n), "obs/x": np.arange(n) * 1.0}})
    said = exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", form, "--map", "actions=actions_abs")
    with h5py.File(next((tmp_path / "out").rglob("*.hdf5"))) as file:
        group = file["data/demo_0" if form == "robomimic" else "episode_0"]
        assert set(group["actions"][:].tolist()) == {1.0}
    assert "'steps/actions' is written beside the others, as 'steps/actions_abs' is the actions" in said, said
    for words, why in [("a=obs/x --map a=actions", "another --map gives the name 'a'"),
                       ("a=obs/x --map b=steps/obs/x", "has a name already")]:
        said = run(trajpack, "export", tmp_path / "ds", tmp_path / "no", "--to", form, "--map", *words.split(), fails=True)
        assert why in said and not (tmp_path / "no").exists(), said


def test_rates_of_robomimic(trajpack, tmp_path):
    """control_freq is the rate of the actions, whatever stream comes first; --rate is no other one."""
    with tp.create(tmp_path / "ds", rate={"a": 100, "steps": 20}) as writer:
        with writer.episode("e") as episode:
            episode.extend({"a": {"x": np.zeros(50)}})
            episode.extend({"steps": {"actions": np.zeros(10), "obs/y": np.zeros(10)}})
    exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", "robomimic")
    with h5py.File(tmp_path / "out/demo.hdf5") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["control_freq"] == 20
    said = run(trajpack, "export", tmp_path / "ds", tmp_path / "no", "--to", "robomimic", "--rate", "50", fails=True)
    assert "--rate: the rows of all streams have times in seconds" in said and not (tmp_path / "no").exists()
    with tp.create(tmp_path / "steps", streams={"steps": {"time_unit": "step"}}) as writer:
        writer.append("e", {"steps": {"actions": np.zeros(4), "obs/y": np.zeros(4)}}, time=np.arange(4.0))
    exported(trajpack, tmp_path / "steps", tmp_path / "rated", "--to", "robomimic", "--rate", "15")
    with h5py.File(tmp_path / "rated/demo.hdf5") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["control_freq"] == 15
    with tp.create(tmp_path / "parts", rate=5) as writer:
        writer.append("e", {"steps": {"actions/arm": np.zeros(4), "actions/hand": np.zeros(4), "obs/x": np.zeros(4)}})
    said = run(trajpack, "export", tmp_path / "parts", tmp_path / "no", "--to", "robomimic", fails=True)
    assert "has the actions 'actions/arm', 'actions/hand'" in said
    exported(trajpack, tmp_path / "parts", tmp_path / "named", "--to", "robomimic", "--map", "actions=actions/arm")
    with h5py.File(tmp_path / "named/demo.hdf5") as file:
        assert set(file["data/demo_0"]) == {"actions", "action_dict", "obs"}


def test_attributes_of_robomimic_come_back(trajpack, tmp_path):
    """Long texts, as the models of robosuite are, names with a slash, and the arguments of the environment."""
    model = "<mujoco>" + "x" * 9000 + "</mujoco>"
    arguments = {"env_name": "Lift", "type": 1, "env_kwargs": {"robots": ["Panda"], "more": "y" * 6000}}
    for name in ("a", "b"):
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            data = file.create_group("data")
            data.attrs["env_args"] = json.dumps(arguments)
            data.attrs["seen"] = name
            demo = data.create_group("demo_0")
            demo.attrs.update({"num_samples": 5, "model_file": model, "a/b": 3})
            demo["actions"], demo["obs/x"] = np.zeros((5, 2)), np.zeros((5, 3))
    run(trajpack, "convert", tmp_path / "a.hdf5", tmp_path / "ds", "--quiet", "--rate", "20")
    exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", "robomimic")
    with h5py.File(tmp_path / "out/demo.hdf5") as file:
        demo = file["data/demo_0"]
        assert demo.attrs["model_file"] == model and demo.attrs["a/b"] == 3 and set(demo) == {"actions", "obs"}
        assert file["data"].attrs["seen"] == "a"
        # The rate that was given with the conversion is in the arguments, which had none.
        assert json.loads(file["data"].attrs["env_args"]) == {
            **arguments, "env_kwargs": {**arguments["env_kwargs"], "control_freq": 20}}
    done = subprocess.run([trajpack, "convert", tmp_path / "a.hdf5", tmp_path / "b.hdf5", tmp_path / "two", "--rate", "20"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "'data/seen'" in done.stderr + done.stdout, done
    exported(trajpack, tmp_path / "two", tmp_path / "both", "--to", "robomimic")
    with h5py.File(tmp_path / "both/demo.hdf5") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "Lift" and "seen" not in file["data"].attrs


def test_pictures_have_the_steps_of_their_recording(trajpack, tmp_path):
    """Pictures of a recording without a rate are counted in steps, too, so that --rate places them beside the state."""
    image = pytest.importorskip("PIL.Image")
    make_reader = pytest.importorskip("mcap.reader").make_reader
    rng = np.random.default_rng(1)
    files = []
    for _ in range(5):
        out = io.BytesIO()
        image.fromarray(rng.integers(0, 255, (32, 48, 3)).astype(np.uint8)).save(out, "JPEG")
        files.append(np.frombuffer(out.getvalue(), np.uint8))
    (tmp_path / "src/data").mkdir(parents=True)
    with h5py.File(tmp_path / "src/data/main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group.attrs.update({"id": 0, "total_steps": 4})
        pictures = group.create_dataset("observations/image", 5, h5py.vlen_dtype(np.uint8))
        for row, data in enumerate(files):
            pictures[row] = data
        group["observations/state"], group["actions"], group["rewards"] = np.zeros((5, 2)), np.zeros(4), np.zeros(4)
        group["terminations"], group["truncations"] = np.zeros(4, bool), np.zeros(4, bool)
    (tmp_path / "src/data/metadata.json").write_text(json.dumps({"total_episodes": 1}))
    run(trajpack, "convert", tmp_path / "src", tmp_path / "ds", "--quiet")
    exported(trajpack, tmp_path / "ds", tmp_path / "out", "--to", "mcap", "--rate", "50")
    times = {}
    with open(tmp_path / "out/episode_0.mcap", "rb") as file:
        for _, channel, message in make_reader(file).iter_messages():
            times.setdefault(channel.topic, []).append(message.log_time)
    assert set(times) == {"/observations/image", "/observations", "/steps"}
    assert times["/observations/image"] == times["/observations"] == [k * 20_000_000 for k in range(5)]
    exported(trajpack, tmp_path / "ds", tmp_path / "hub", "--to", "lerobot", "--rate", "50")
    assert '"observations.image"' in (tmp_path / "hub/meta/info.json").read_text()


@pytest.mark.parametrize("cache", [None, "all"])
def test_robomimic_itself_reads_it(trajpack, tmp_path, cache):
    """Its SequenceDataset, by the masks, with stacked frames and next observations."""
    torch_data = pytest.importorskip("robomimic.utils.dataset", exc_type=ImportError)
    from robomimic.utils import obs_utils
    truth = world(tmp_path / "ds", np.random.default_rng(3))
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "robomimic", "--quiet")
    obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": ["state"], "rgb": ["image"]}})
    for split, (steps, obs) in zip(("train", "valid"), truth.values()):
        data = torch_data.SequenceDataset(
            hdf5_path=str(tmp_path / "out/demo.hdf5"), obs_keys=("state", "image"), dataset_keys=("actions", "rewards"),
            frame_stack=2, seq_length=3, pad_frame_stack=True, pad_seq_length=True, get_pad_mask=True, goal_mode=None,
            hdf5_cache_mode=cache, hdf5_use_swmr=True, hdf5_normalize_obs=False, filter_by_attribute=split, load_next_obs=True)
        n = len(steps["actions"])
        assert len(data) == n
        for row in (1, n - 1):
            item = data[row]
            rows = np.minimum(np.arange(row - 1, row + 3), n - 1)
            np.testing.assert_array_equal(item["actions"], steps["actions"][rows])
            np.testing.assert_array_equal(item["obs"]["image"], obs["image"][rows])
            np.testing.assert_array_equal(item["next_obs"]["state"].astype("f4"), obs["state"][rows + 1].astype("f4"))
