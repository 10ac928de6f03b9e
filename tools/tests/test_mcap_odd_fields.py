"""Fields of messages that are easily lost or rounded without a word: large numbers, empty lists, two types on a topic."""

import json

import numpy as np
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")
from foreign_world import converted, run, texts
from message_world import START, STEP, streams, write

LOW = np.iinfo("i8").min


def of_json(trajpack, tmp_path, messages):
    rows = [(START + i * STEP, START + i * STEP, json.dumps(m).encode()) for i, m in enumerate(messages)]
    outcome, arrays, _ = converted(trajpack, tmp_path, write(tmp_path / "j.mcap", [("/j", "json", "", "", b"", rows)]))
    return outcome, {name.removeprefix("j/"): a for name, a in arrays["j"].items()}, arrays["j"]


def test_whole_numbers_of_64_bits(trajpack, tmp_path):
    large = [2**64 - 1, 2**63, 7]
    outcome, arrays, _ = of_json(
        trajpack,
        tmp_path,
        [{"id": n, "ids": [n, 1], "signed": n, "list": [1.5, n], "fits": [0.5, 2**53]} for n in large[:2]]
        + [{"id": 7, "ids": [7, 1], "signed": -7, "list": [1.5, 7], "fits": [0.5, 2]}],
    )
    assert arrays["id"].dtype == np.uint64 and arrays["id"].tolist() == large
    assert arrays["ids"].dtype == np.uint64 and arrays["ids"].tolist() == [[n, 1] for n in large]
    assert arrays["fits"].tolist() == [[0.5, 2**53]] * 2 + [[0.5, 2]]
    assert "signed" not in arrays and "list" not in arrays
    left = streams(tmp_path / "ds")["j"]["attributes"]["left_out"]
    assert {item["field"] for item in left} == {"signed", "list"}
    assert all("2^53" in item["why"] for item in left)
    assert any("no type holds" in remark for remark in outcome["remarks"])


@pytest.mark.parametrize("first", ["empty", "full"])
def test_a_list_of_objects_without_objects_has_the_length_0(trajpack, tmp_path, first):
    full = {"h": [{"name": "p", "x": 1}, {"name": "p", "x": 2}]}
    messages = [full, {"h": []}, {"h": None}] if first == "full" else [{"h": []}, full, {"h": None}, {"h": []}]
    _, arrays, episode = of_json(trajpack, tmp_path, messages)
    lengths = {"full": [2, 0, np.iinfo("i4").min], "empty": [0, 2, np.iinfo("i4").min, 0]}[first]
    assert arrays["h.x.length"].tolist() == lengths
    assert arrays["h.x"].tolist() == [[1, 2] if n == 2 else [LOW, LOW] for n in lengths]
    expected = {2: '["p","p"]', 0: "[]"}
    assert texts(episode, "j/h.name") == [expected.get(n, "") for n in lengths]


def test_a_list_of_names_alone_is_kept(trajpack, tmp_path):
    lists = [["p", "q"], [], ["q"]]
    messages = [{"h": [{"name": n} for n in names], "v": 1} for names in lists]
    _, _, episode = of_json(trajpack, tmp_path, messages)
    assert [json.loads(text) for text in texts(episode, "j/h.name")] == lists


def test_two_fields_of_one_name_are_left_out_and_named(trajpack, tmp_path):
    outcome, arrays, _ = of_json(trajpack, tmp_path, [{"a.b": i, "a": {"b": 2}, "v": i} for i in range(3)])
    assert arrays["v"].tolist() == [0, 1, 2] and "a.b" not in arrays
    assert any("'a.b'" in remark and "twice" in remark for remark in outcome["remarks"])


def test_two_types_on_a_topic(trajpack, tmp_path):
    """Two channels of one topic; the numbers of each are read as its own type says, and kept as one that holds all."""
    from mcap.writer import Writer
    from mcap_ros2._dynamic import serialize_dynamic

    cases = {
        "int": (("int32", [-3, 2]), ("int64", [2**40, 1]), "int64"),
        "unsigned": (("uint64", [2**64 - 1, 3]), ("int64", [5]), "uint64"),
        "both": (("uint64", [2**64 - 1]), ("int64", [-1]), None),
        "real": (("float32", [0.5]), ("int64", [2**53]), "float64"),
        "rounded": (("float32", [0.5]), ("int64", [2**53 + 1]), None),
        "truth": (("bool", [True]), ("float64", [2.5]), "float64"),
    }
    for name, ((one, these), (other, those), dtype) in cases.items():
        path = tmp_path / f"{name}.mcap"
        with open(path, "wb") as file:
            writer = Writer(file)
            writer.start("ros2")
            at = 0
            for kind, values in ((one, these), (other, those)):
                text = f"{kind} data"
                schema = writer.register_schema("toy/msg/N", "ros2msg", text.encode())
                channel = writer.register_channel("/t", "cdr", schema)
                encode = serialize_dynamic("toy/msg/N", text)["toy/msg/N"]
                for value in values:
                    at += 1
                    writer.add_message(channel, START + at, bytes(encode({"data": value})), START + at, at)
            writer.finish()
        outcome, arrays, _ = converted(trajpack, tmp_path / name, path)
        if dtype is None:
            assert "t/data" not in arrays[name] and any("'data'" in r for r in outcome["remarks"]), name
            continue
        assert arrays[name]["t/data"].dtype == dtype, name
        assert arrays[name]["t/data"].tolist() == these + those, name


def test_lists_of_whole_numbers_come_back_from_an_export(trajpack, tmp_path):
    from mcap.writer import Writer
    from mcap_ros2._dynamic import serialize_dynamic

    text = "int32[] bi\nint8[] small\nbool[] on\nfloat64[] f\n"
    path = tmp_path / "x.mcap"
    with open(path, "wb") as file:
        writer = Writer(file)
        writer.start("ros2")
        channel = writer.register_channel("/x", "cdr", writer.register_schema("toy/msg/X", "ros2msg", text.encode()))
        encode = serialize_dynamic("toy/msg/X", text)["toy/msg/X"]
        for i in range(4):
            row = {"bi": [5] * i, "small": [-7] * i, "on": [True] * i, "f": [0.5] * i}
            writer.add_message(channel, START + i, bytes(encode(row)), START + i, i)
        writer.finish()
    run(trajpack, "convert", path, tmp_path / "ds", "-q")
    run(trajpack, "export", tmp_path / "ds", tmp_path / "out", "--to", "mcap", "-q")
    said = run(trajpack, "convert", tmp_path / "out", tmp_path / "back")
    assert "values.json: " in said and "left out values.json" not in said
    run(trajpack, "diff", tmp_path / "back", tmp_path / "ds")


@pytest.mark.parametrize("encoding, kind, order", [("mono8", "u1", "<"), ("16UC1", "u2", ">"), ("32FC1", "f4", ">")])
def test_rows_of_pictures_with_bytes_behind_them(trajpack, tmp_path, encoding, kind, order):
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    types, random = store.types, np.random.default_rng(0)
    frames = random.integers(0, 200, (3, 4, 6)).astype(order + kind)
    name = "sensor_msgs/msg/Image"
    step = 6 * frames.itemsize + 5
    messages = []
    for i in range(3):
        stamp = types["builtin_interfaces/msg/Time"](sec=START // 10**9, nanosec=i)
        lines = [bytes(line) + b"\xaa" * 5 for line in frames[i]]
        picture = types[name](
            header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="c"),
            height=4,
            width=6,
            encoding=encoding,
            is_bigendian=int(order == ">"),
            step=step,
            data=np.frombuffer(b"".join(lines), "u1"),
        )
        messages.append((START + i, START + i, bytes(store.serialize_cdr(picture, name))))
    schema = store.generate_msgdef(name, ros_version=2)[0].encode()
    path = write(tmp_path / "c.mcap", [("/i", "cdr", name, "ros2msg", schema, messages)])
    _, arrays, _ = converted(trajpack, tmp_path, path)
    assert arrays["c"]["i/data"].dtype == np.dtype(kind)
    np.testing.assert_array_equal(arrays["c"]["i/data"], frames)


def test_fields_of_impossible_numbers_are_one_sentence(trajpack, tmp_path):
    pb = pytest.importorskip("google.protobuf.descriptor_pb2")
    for number in (-1, 0, 2**29):
        file = pb.FileDescriptorProto(name="x.proto", package="x", syntax="proto3")
        file.message_type.add(name="M").field.add(name="a", number=number, type=1, label=1)
        schema = pb.FileDescriptorSet(file=[file]).SerializeToString()
        path = write(tmp_path / "x.mcap", [("/x", "protobuf", "x.M", "protobuf", schema, [(START, START, b"")])])
        said = run(trajpack, "convert", path, tmp_path / "o", fails=True)
        assert f"a field of the number {number}" in said
