"""MCAP files that mcap and rosbags write: random ROS 2 types in both byte orders, all forms of file, cut and spoilt."""

import struct
import subprocess

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")
from foreign_world import converted, listed, run, texts
from mcap.reader import make_reader
from mcap.writer import CompressionType
from mcap_ros2.decoder import DecoderFactory
from message_world import START, STEP, World, check, flatten, metadata, streams, write

LATE = 2_000_000


def channel(world, topic="/robot/data", little=True, late=LATE):
    messages = [(int(t) + late, int(t) + late, world.encoded(i, little)) for i, t in enumerate(world.times)]
    return topic, "cdr", f"toy/msg/{world.root}", "ros2msg", world.text.encode(), messages


def plain(item, world, kind):
    """A message of mcap_ros2's as dicts, like those of World."""
    out = {}
    for name, k, form, _ in world.types[kind]:
        v = getattr(item, name)

        def one(x):
            if k == "builtin_interfaces/msg/Time":
                return x.sec * 10**9 + x.nanosec
            if k == "std_msgs/msg/Header":
                return {"stamp": x.stamp.sec * 10**9 + x.stamp.nanosec, "frame_id": x.frame_id}
            return plain(x, world, k.split("/")[-1]) if k.startswith("toy") else x

        out[name] = one(v) if form == "once" else [one(x) for x in v]
    return out


FORMS = [
    dict(),
    dict(compression=CompressionType.LZ4, chunk=300),
    dict(compression=CompressionType.NONE, chunk=900),
    dict(chunking=False),
    dict(use_statistics=False, use_summary_offsets=False, repeat_channels=False, repeat_schemas=False),
    dict(enable_crcs=False),
]


@pytest.mark.parametrize("seed", range(12))
def test_random_types_come_back(trajpack, tmp_path, seed):
    world = World(seed)
    little = seed % 3 != 1
    path = write(tmp_path / "run.mcap", [channel(world, little=little)], **FORMS[seed % len(FORMS)])
    if little:
        # The format's own reader says the same as the values that were written.
        with open(path, "rb") as file:
            for i, (_, _, _, item) in enumerate(
                make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages()
            ):
                own = flatten(world.types[world.root], world.types, plain(item, world, world.root))
                for name, value in flatten(world.types[world.root], world.types, world.values[i]).items():
                    np.testing.assert_array_equal(np.asarray(own[name]), np.asarray(value))
    _, arrays, _ = converted(trajpack, tmp_path, path)
    (episode,) = arrays.values()
    check(episode, tmp_path / "ds", "robot/data", world.expected())
    np.testing.assert_array_equal(episode["robot/data/log_time"], world.times + LATE)
    origin = START if any(f[0] == "header" for f in world.types[world.root]) else START + LATE
    stamps = world.times if origin == START else world.times + LATE
    np.testing.assert_array_equal(episode["robot/data/time"], stamps - origin)
    assert metadata(trajpack, tmp_path / "ds")["start_time_ns"] == origin


STAMPED = (
    "std_msgs/Header header\nfloat64 x\n" + "=" * 80 + "\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\n"
    "string frame_id\n" + "=" * 80 + "\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec"
)


def stamped(time, x):
    data = struct.pack("<4sIII", b"\0\1\0\0", time // 10**9, time % 10**9, 4) + b"map\0"
    return data + bytes(-(len(data) - 4) % 8) + struct.pack("<d", x)


def simple(topic, stamps, logs=None):
    logs = stamps if logs is None else logs
    return (
        topic,
        "cdr",
        "toy/msg/S",
        "ros2msg",
        STAMPED.encode(),
        [(log, log + 5, stamped(stamp, float(i))) for i, (stamp, log) in enumerate(zip(stamps, logs))],
    )


def test_rows_are_sorted_by_the_messages_own_times(trajpack, tmp_path):
    stamps = [START + STEP * i for i in (0, 2, 1, 3, 3)]
    logs = [START + STEP * i + 7 for i in range(5)]
    write(tmp_path / "a.mcap", [simple("/a", stamps, logs)])
    outcome, arrays, _ = converted(trajpack, tmp_path, tmp_path / "a.mcap")
    episode = arrays["a"]
    assert list(episode["a/x"]) == [0, 2, 1, 3, 4]
    assert list(episode["a/log_time"]) == [logs[i] for i in (0, 2, 1, 3, 4)]
    assert list(episode["a/publish_time"]) == [logs[i] + 5 for i in (0, 2, 1, 3, 4)]
    assert any("1 of 5 messages lie before" in r for r in outcome["remarks"])


def test_stamps_of_another_clock_are_said(trajpack, tmp_path):
    stamps = [STEP * (i + 1) for i in range(6)]
    logs = [START + STEP * i for i in range(6)]
    path = write(tmp_path / "sim.mcap", [simple("/sim", stamps, logs)])
    outcome, arrays, _ = converted(trajpack, tmp_path, path)
    assert any("of another clock" in r for r in outcome["remarks"])
    np.testing.assert_array_equal(arrays["sim"]["sim/time"], np.array(logs) - START)
    (tmp_path / "own").mkdir()
    outcome, arrays, _ = converted(trajpack, tmp_path / "own", path, "--time", "stamp")
    np.testing.assert_array_equal(arrays["sim"]["sim/time"], np.array(stamps) - STEP)
    np.testing.assert_array_equal(arrays["sim"]["sim/header.stamp"], stamps)
    assert "--time" in run(trajpack, "convert", path, tmp_path / "no", "--time", "clock", fails=True)


def test_topics_of_several_rates_and_files(trajpack, tmp_path):
    (tmp_path / "runs").mkdir()
    for run_number in (2, 10):
        fast, slow = [START + i * 1_000_000 for i in range(run_number * 20)], [START + i * 10**8 for i in range(3)]
        write(tmp_path / f"runs/run_{run_number}.mcap", [simple("/fast", fast), simple("/slow/x", slow)], chunk=500)
    _, arrays, _ = converted(trajpack, tmp_path, tmp_path / "runs")
    assert {name: (len(a["fast/x"]), len(a["slow/x/x"])) for name, a in arrays.items()} == {
        "run_2": (40, 3),
        "run_10": (200, 3),
    }
    assert [e["id"] for e in listed(trajpack, tmp_path / "ds")] == ["run_2", "run_10"]
    (tmp_path / "some").mkdir()
    _, arrays, _ = converted(trajpack, tmp_path / "some", tmp_path / "runs", "--exclude-members", "/slow/*")
    assert not any(k.startswith("slow") for k in arrays["run_2"])


def test_topics_that_are_not_read_are_named(trajpack, tmp_path):
    junk = ("/raw", "application/octet-stream", "", "", b"", [(START, START, b"xyz")] * 3)
    path = write(tmp_path / "a.mcap", [simple("/a", [START, START + 1]), junk])
    outcome, _, _ = converted(trajpack, tmp_path, path)
    assert any("'/raw'" in r for r in outcome["remarks"])
    left = metadata(trajpack, tmp_path / "ds")["topics_left_out"]
    assert left == [{"topic": "/raw", "messages": 3, "why": left[0]["why"]}]
    alone = write(tmp_path / "b.mcap", [junk])
    assert "/raw" in run(trajpack, "convert", alone, tmp_path / "no", fails=True)


def test_cut_files_say_what_is_read(trajpack, tmp_path):
    whole = write(tmp_path / "a.mcap", [simple("/a", [START + i * STEP for i in range(200)])], chunk=1000).read_bytes()
    for size in (len(whole) - 8, len(whole) // 2, 3000):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "cut.mcap").write_bytes(whole[:size])
        with open(folder / "cut.mcap", "rb") as file:
            from mcap.records import Message
            from mcap.stream_reader import StreamReader

            count = 0
            try:
                for record in StreamReader(file).records:
                    count += isinstance(record, Message)
            except Exception:
                pass
        outcome, arrays, _ = converted(trajpack, folder, folder / "cut.mcap")
        assert len(arrays["cut"]["a/x"]) == count > 0
        assert any("cut" in r or "closing mark" in r for r in outcome["remarks"])
        assert "cut" in metadata(trajpack, folder / "ds")
    (tmp_path / "none.mcap").write_bytes(whole[:60])
    assert "holds no message; it was cut" in run(
        trajpack, "convert", tmp_path / "none.mcap", tmp_path / "o", fails=True
    )


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_one_sentence(trajpack, tmp_path, seed):
    random = np.random.default_rng(seed)
    world = World(seed % 7, messages=30)
    path = write(
        tmp_path / "x.mcap", [channel(world), simple("/s", [START + i for i in range(20)])], **FORMS[seed % len(FORMS)]
    )
    data = bytearray(path.read_bytes())
    for _ in range(int(random.integers(1, 5))):
        data[random.integers(8, len(data))] = random.integers(256)
    path.write_bytes(data)
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 4000000; exec "$@"', "-", trajpack, "convert", path, tmp_path / "o", "-q"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert done.returncode in (0, 1) and len(said) == done.returncode, (done.returncode, done.stderr)
    assert done.returncode == 0 or "x.mcap" in said[0]
    assert done.returncode == 0 or not (tmp_path / "o").exists()


def test_a_flipped_byte_of_the_data_is_found(trajpack, tmp_path):
    whole = write(
        tmp_path / "a.mcap",
        [simple("/a", [START + i * STEP for i in range(50)])],
        compression=CompressionType.NONE,
        chunk=500,
        enable_data_crcs=True,
    ).read_bytes()
    random = np.random.default_rng(1)
    end = whole.rindex(b"\x0f\x04\0\0\0\0\0\0\0")  # the record that ends the data
    for at in random.integers(8, end, 25):
        data = bytearray(whole)
        data[at] ^= 1
        (tmp_path / "a.mcap").write_bytes(data)
        said = run(trajpack, "convert", tmp_path / "a.mcap", tmp_path / "o", "-q", fails=True)
        assert "a.mcap" in said and len(said.splitlines()) == 1


def test_names_that_change_their_order_keep_their_columns(trajpack, tmp_path):
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    kind = "sensor_msgs/msg/JointState"
    text, _ = store.generate_msgdef(kind, ros_version=2)
    random = np.random.default_rng(0)
    truth, messages = [], []
    for i in range(30):
        names = list(random.permutation(["a", "b", "c", "d"]))[: 4 if i % 5 else 3]
        values = {n: float(random.random()) for n in names}
        truth.append([values.get(n, np.nan) for n in "abcd"])
        T = store.types
        head = T["std_msgs/msg/Header"](
            stamp=T["builtin_interfaces/msg/Time"](sec=START // 10**9, nanosec=i), frame_id=""
        )
        message = T[kind](
            header=head,
            name=names,
            position=np.array(list(values.values())),
            velocity=np.array([]),
            effort=np.array([]),
        )
        messages.append((START + i, START + i, bytes(store.serialize_cdr(message, kind))))
    path = write(tmp_path / "j.mcap", [("/joints", "cdr", kind, "ros2msg", text.encode(), messages)])
    _, arrays, _ = converted(trajpack, tmp_path, path)
    stream = streams(tmp_path / "ds")["joints"]
    order = stream["channels"]["position"]["conventions"]["names"]
    assert sorted(order) == list("abcd")
    np.testing.assert_array_equal(arrays["j"]["joints/position"], np.array(truth)[:, ["abcd".index(n) for n in order]])
    assert set(stream["attributes"]["empty"]) == {"velocity", "effort"}


def test_texts_that_repeat_are_categories_and_others_text(trajpack, tmp_path):
    messages = []
    for i in range(8):
        word = ["go", "stop"][i % 2].encode() + b"\0"
        own = f"note {i}".encode() + b"\0"
        data = b"\0\1\0\0" + struct.pack("<I", len(word)) + word
        data += bytes(-(len(data) - 4) % 4) + struct.pack("<I", len(own)) + own
        messages.append((START + i, START + i, data))
    path = write(tmp_path / "t.mcap", [("t", "cdr", "toy/msg/W", "ros2msg", b"string word\nstring own", messages)])
    _, arrays, _ = converted(trajpack, tmp_path, path)
    assert list(arrays["t"]["t/word"]) == [0, 1] * 4
    assert texts(arrays["t"], "t/own") == [f"note {i}" for i in range(8)]


def hostile(trajpack, path, folder):
    """The one sentence that a file gives, in little memory."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=60)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.stderr)"
    )
    done = subprocess.run(
        ["python3", "-c", script, trajpack, "convert", path, folder / "o", "-q"], capture_output=True, text=True
    )
    code, memory, said = done.stdout.split(" ", 2)
    assert code == "1" and len(said.strip().splitlines()) == 1, done
    assert int(memory) < 400_000, memory
    return said


def test_hostile_definitions_end_soon(trajpack, tmp_path):
    """Types that double at every level, that hold themselves, that nest without end."""
    bar = "\n" + "=" * 80 + "\n"
    double = (
        bar.join((f"MSG: toy/T{n}\n" if n else "") + f"T{n + 1} a\nT{n + 1} b" for n in range(22))
        + bar
        + "MSG: toy/T22\nint32 x"
    )
    lists = double.replace("T1 a", "T1[] a").replace("T2 a", "T2[] a").replace("T3 a", "T3[] a")
    for number, (encoding, text, word) in enumerate(
        [
            ("ros2msg", double, "more than"),
            ("ros2msg", lists, "more than"),
            ("ros2msg", "T0 x\nint32 y", "nests without end"),
            ("ros2msg", "Missing x", "lacks the type 'toy/Missing'"),
            ("ros2msg", "wstring x", "wstring"),
            (
                "ros2idl",
                "module toy { module msg { struct T0 { " + "sequence<" * 20000 + " x; }; }; };",
                "nests without end",
            ),
            ("ros2idl", "module toy { module msg { struct T0 {", "ends within a type"),
        ]
    ):
        messages = [(START, START, b"\0\1\0\0" + bytes(8))]
        path = write(tmp_path / f"{number}.mcap", [("/t", "cdr", "toy/msg/T0", encoding, text.encode(), messages)])
        assert word in hostile(trajpack, path, tmp_path)


def test_lengths_that_lie_take_no_memory(trajpack, tmp_path):
    whole = write(tmp_path / "a.mcap", [simple("/a", [START + i for i in range(30)])]).read_bytes()
    at = whole.index(b"\x06", 8 + 9 + 4 + 4 + len("ros2") + len("trajpack tests"))  # the first chunk
    for size in (1 << 40, 1 << 30, 1, 0):
        data = bytearray(whole)
        data[at + 9 + 16 : at + 9 + 24] = struct.pack("<Q", size)
        (tmp_path / "a.mcap").write_bytes(data)
        assert "a.mcap" in hostile(trajpack, tmp_path / "a.mcap", tmp_path)
    lists = b"\0\1\0\0" + struct.pack("<I", 0xFFFFFFF0) + bytes(8)
    path = write(tmp_path / "l.mcap", [("/l", "cdr", "toy/msg/L", "ros2msg", b"float64[] x", [(START, START, lists)])])
    assert "has a list of 4294967280 items in the 8 bytes" in hostile(trajpack, path, tmp_path)
