"""Jobs of other commands than convert: the bytes, or the report, of one run of the command."""
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from promise import digests

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--shard-size", "20KB")
PLAN = {"steps": [{"step": "resample", "streams": "*", "rate": 20}, {"step": "mask", "amount": 0.2, "seed": 3}]}


def call(trajpack, *words, code=0, **options):
    done = subprocess.run([trajpack, *map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="module")
def tables(trajpack, tmp_path_factory):
    """A dataset of twelve recordings in several shards, with a value, a split scheme and some strange numbers."""
    work = tmp_path_factory.mktemp("tables")
    (work / "runs").mkdir()
    draw = random.Random(5)
    for k in range(12):
        rows = [f"{i / 50:.2f},{draw.gauss(0, 1):.4f},{draw.gauss(5, 2):.3f}" for i in range(150 + 10 * k)]
        if k == 7:
            rows[20] = "0.40,900.5,5.0"
        if k == 9:
            rows[30] = "0.60,,5.0"
        (work / "runs" / f"run{k:02d}.csv").write_text("time,x,y\n" + "\n".join(rows) + "\n")
    call(trajpack, "convert", "-q", work / "runs", work / "ds", "--shard-size", "10KB")
    call(trajpack, "split", "-q", work / "ds", "--folds", 3, "--name", "three")
    (work / "plan.json").write_text(json.dumps(PLAN))
    return work


def divided(trajpack, tables, tmp_path, command, *words):
    """Plans a job, runs its tasks in another order and some twice, and finishes it."""
    made = json.loads(call(trajpack, "job", "plan", command, *words, "--tasks", 4, "--json", cwd=tmp_path).stdout)
    assert made["tasks"] >= 3, made
    order = list(range(made["tasks"]))[::-1] + [1]
    for task in order:
        call(trajpack, "job", "run", made["job"], "--task", task, "-q", cwd=tmp_path)
    return call(trajpack, "job", "finish", made["job"], "-q", cwd=tmp_path)


COMMANDS = {
    "apply": ["--plan", "{tables}/plan.json"],
    "resample": ["--rate", "25", "--method", "linear"],
    "mask": ["--mechanism", "rows", "--amount", "0.3", "--seed", "4"],
    "embed": ["--tau", "3", "--dimension", "2"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_job_gives_the_bytes_of_one_run(trajpack, tables, tmp_path, command):
    words = [w.format(tables=tables) for w in COMMANDS[command]]
    source = os.path.relpath(tables / "ds", tmp_path)
    divided(trajpack, tables, tmp_path, command, source, "many", *words, *SMALL)
    call(trajpack, command, "-q", source, "one", *words, *SMALL, cwd=tmp_path)
    assert digests(tmp_path / "many") == digests(tmp_path / "one")
    assert len([n for n in digests(tmp_path / "one") if n.startswith("shard-")]) >= 3


def test_a_job_of_transcode_gives_the_bytes_of_one_run(trajpack, tmp_path):
    source = ROOT / "fixtures" / "wildworld" / "data_part1"
    call(trajpack, "convert", "-q", source, tmp_path / "ds", "--shard-size", "1KB")
    words = ["--stream", "depth", "--to", "chunks", "--shard-size", "1KB"]
    divided(trajpack, None, tmp_path, "transcode", "ds", "many", *words)
    call(trajpack, "transcode", "-q", "ds", "one", *words, cwd=tmp_path)
    assert digests(tmp_path / "many") == digests(tmp_path / "one")


def test_what_tasks_would_choose_again_is_refused(trajpack, tables, tmp_path):
    done = call(trajpack, "job", "plan", "embed", tables / "ds", "out", "--tasks", 2, code=2, cwd=tmp_path)
    assert "--print-plan" in done.stderr
    printed = call(trajpack, "embed", tables / "ds", "out", "--fold", 0, "--print-plan", "-q", cwd=tmp_path).stdout
    (tmp_path / "plan.json").write_text(printed)
    divided(trajpack, tables, tmp_path, "apply", tables / "ds", "out", "--plan", "plan.json", *SMALL)
    call(trajpack, "apply", "-q", tables / "ds", "one", "--plan", "plan.json", *SMALL, cwd=tmp_path)
    assert digests(tmp_path / "out") == digests(tmp_path / "one")


def test_a_plan_that_changed_is_refused(trajpack, tables, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(PLAN))
    call(trajpack, "job", "plan", "apply", tables / "ds", "out", "--plan", plan, "--tasks", 2, *SMALL, cwd=tmp_path)
    plan.write_text(json.dumps({"steps": PLAN["steps"][:1]}))
    done = call(trajpack, "job", "run", tmp_path / "out.job", "--task", 0, code=1)
    assert "have changed" in done.stderr and not (tmp_path / "out").exists()


def test_a_source_of_the_name_of_a_command(trajpack, tables, tmp_path):
    os.symlink(tables / "runs", tmp_path / "apply")
    made = json.loads(call(trajpack, "job", "plan", "./apply", "out", "--tasks", 2, "--json", cwd=tmp_path).stdout)
    assert made["recordings"] == 12


@pytest.mark.parametrize("words", [
    [], ["--format", "json"], ["--sample", "60%", "--seed", "3"], ["--select", "values", "--fail-on", "warning"],
    ["--format", "sarif", "--ignore", "time"], ["--hdf5", "--select", "container"],
    ["--select", "learning", "--scheme", "three", "--fold", "1"]])
def test_a_validation_gives_the_report_of_one_run(trajpack, tables, tmp_path, words):
    ds = os.path.relpath(tables / "ds", tmp_path)
    one = subprocess.run([trajpack, "validate", ds, *words], capture_output=True, text=True, cwd=tmp_path)
    assert one.returncode in (0, 1)
    made = json.loads(
        call(trajpack, "job", "plan", "validate", ds, "check", *words, "--tasks", 3, "--json", cwd=tmp_path).stdout)
    assert made["tasks"] == 3 and made["array"] == "0-2"
    for task in (2, 0, 0):
        call(trajpack, "job", "run", "check", "--task", task, "-q", cwd=tmp_path)
    early = call(trajpack, "job", "finish", "check", "--json", code=1, cwd=tmp_path)
    assert json.loads(early.stdout)["resubmit"] == "1"
    assert "to be run: 1" in call(trajpack, "job", "status", "check", cwd=tmp_path).stdout
    call(trajpack, "job", "run", "check", "--task", 1, "-q", cwd=tmp_path)
    for _ in range(2):
        done = subprocess.run([trajpack, "job", "finish", "check", "-q"], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (one.returncode, one.stdout)


def test_a_validation_reads_nothing_again(trajpack, tables, tmp_path):
    """The end puts together what tasks have kept: damage that came afterwards is not seen."""
    ds = tmp_path / "ds"
    subprocess.run(["cp", "-r", tables / "ds", ds], check=True)
    call(trajpack, "job", "plan", "validate", ds, "check", "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "run", "check", "--task", "0-1", "-q", cwd=tmp_path)
    whole = subprocess.run([trajpack, "job", "finish", "check", "-q"], capture_output=True, text=True, cwd=tmp_path)
    shard = sorted(ds.glob("shard-*"))[1]
    stored = bytearray(shard.read_bytes())
    import h5py
    with h5py.File(shard) as file:
        place = []
        file.visititems(lambda name, item: place.append(item.id.get_chunk_info(0).byte_offset)
                        if isinstance(item, h5py.Dataset) and item.chunks and item.id.get_num_chunks() else None)
    stored[min(place)] ^= 255
    shard.write_bytes(bytes(stored))
    again = subprocess.run([trajpack, "job", "finish", "check", "-q"], capture_output=True, text=True, cwd=tmp_path)
    assert again.stdout == whole.stdout
    one = subprocess.run([trajpack, "validate", ds, "-q"], capture_output=True, text=True)
    assert "container.damage" in one.stdout and one.stdout != whole.stdout


def test_a_validation_of_changed_data_is_refused(trajpack, tables, tmp_path):
    ds = tmp_path / "ds"
    subprocess.run(["cp", "-r", tables / "ds", ds], check=True)
    call(trajpack, "job", "plan", "validate", ds, "check", "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "run", "check", "--task", 0, "-q", cwd=tmp_path)
    for name in os.listdir(ds):
        os.remove(ds / name)
    os.rmdir(ds)
    call(trajpack, "mask", "-q", tables / "ds", ds, "--amount", "0.5")
    done = call(trajpack, "job", "run", "check", "--task", 0, code=2, cwd=tmp_path)
    assert "other data" in done.stderr


def test_a_task_of_a_validation_that_is_killed_goes_on(trajpack, tables, tmp_path):
    one = subprocess.run([trajpack, "validate", tables / "ds"], capture_output=True, text=True)
    call(trajpack, "job", "plan", "validate", tables / "ds", "check", "--tasks", 2, cwd=tmp_path)
    for wait in (0.0, 0.01, 0.02, 0.05):
        process = subprocess.Popen([trajpack, "job", "run", "check", "--task", "0-1", "-q"], cwd=tmp_path,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    call(trajpack, "job", "run", "check", "--task", "0-1", "-q", cwd=tmp_path)
    done = subprocess.run([trajpack, "job", "finish", "check", "-q"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (one.returncode, one.stdout)


def test_the_files_have_their_schema(trajpack, tables, guesses, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    documents = [json.loads(path.read_text()) for path in (ROOT / "schemas").glob("*.schema.json")]
    registry = referencing.Registry().with_resources(
        [(d["$id"], referencing.Resource.from_contents(d)) for d in documents if "$id" in d])
    check = jsonschema.Draft202012Validator(
        json.loads((ROOT / "schemas" / "job.schema.json").read_text()), registry=registry)
    call(trajpack, "job", "plan", "mask", tables / "ds", "out", "--amount", "0.5", "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "plan", "validate", tables / "ds", "check", "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "plan", "evaluate", tables / "ds", guesses, "scores", "--metric", "forecast.errors",
         "--tasks", 2, cwd=tmp_path)
    for job, command in (("out.job", "mask"), ("check", "validate"), ("scores", "evaluate")):
        document = json.loads((tmp_path / job / "job.json").read_text())
        check.validate(document)
        assert document["command"] == command


# ---- Evaluations


@pytest.fixture(scope="module")
def guesses(trajpack, tables, tmp_path_factory):
    """Predictions: the same recordings with noise, one of them with a number that is none."""
    folder = tmp_path_factory.mktemp("guesses") / "runs"
    folder.mkdir()
    draw = random.Random(8)
    for path in sorted((tables / "runs").glob("*.csv")):
        head, *rows = path.read_text().splitlines()
        cells = [row.split(",") for row in rows]
        out = [f"{t},{float(x) + draw.gauss(0, 0.3):.4f},{float(y or 5) + draw.gauss(0, 0.2):.3f}" for t, x, y in
               [(c[0], c[1] or "0", c[2]) for c in cells]]
        (folder / path.name).write_text("\n".join([head, *out]) + "\n")
    call(trajpack, "convert", "-q", folder, folder.parent / "ds")
    return folder.parent / "ds"


def sentence(done):
    """What was said, without the command that says it."""
    return done.stderr.partition(": ")[2] if done.returncode else done.stderr


EVALUATIONS = [
    ["--metric", "forecast.errors", "--format", "json"],
    ["--metric", "forecast.errors", "--metric", "forecast.dtw", "--window", "20", "--stride", "15",
     "--horizons", "5,20", "--format", "json"],
    ["--metric", "state.alignment", "--format", "json"],                      # ranges of all episodes together
    ["--suite", "forecast", "--partial", "--format", "csv"],                  # metrics that are refused, too
    ["--metric", "forecast.errors", "--failed", "skip", "--episodes", "run0*"],
    ["--metric", "forecast.intervals", "--split", "test", "--scheme", "three", "--fold", "1", "--train-split", "train",
     "--set", "prediction=truth"],                                            # refused
]


@pytest.mark.parametrize("words", EVALUATIONS, ids=lambda w: w[1])
def test_an_evaluation_gives_the_report_of_one_run(trajpack, tables, guesses, tmp_path, words):
    """Whatever the number of tasks and their order; what is refused is refused with the same sentence."""
    inputs = [os.path.relpath(tables / "ds", tmp_path), os.path.relpath(guesses, tmp_path)]
    one = subprocess.run([trajpack, "evaluate", *inputs, *words, "-q"], capture_output=True, text=True, cwd=tmp_path)
    draw = random.Random(str(words))
    for tasks in (1, 3, 100):
        job = f"scores{tasks}"
        plan = [trajpack, "job", "plan", "evaluate", *inputs, job, *words, "--tasks", str(tasks), "--json"]
        planned = subprocess.run(plan, capture_output=True, text=True, cwd=tmp_path)
        if planned.returncode:
            assert (planned.returncode, sentence(planned)) == (one.returncode, sentence(one))
            continue
        count = json.loads(planned.stdout)["tasks"]
        order = draw.sample(range(count), count)
        for number, task in enumerate(order):
            if number + 1 == count:
                early = call(trajpack, "job", "finish", job, "--json", code=1, cwd=tmp_path)
                assert json.loads(early.stdout)["resubmit"] == str(task)
            call(trajpack, "job", "run", job, "--task", task, "-q", cwd=tmp_path)
        call(trajpack, "job", "run", job, "--task", order[0], "-q", cwd=tmp_path)
        for _ in range(2):
            done = subprocess.run([trajpack, "job", "finish", job, "-q"], capture_output=True, text=True, cwd=tmp_path)
            assert (done.returncode, done.stdout, sentence(done)) == (one.returncode, one.stdout, sentence(one))


def test_scores_of_tasks_are_taken(trajpack, tables, guesses, tmp_path):
    """The end computes no episode again: a figure that is changed in a task's file is in the report. What is damaged is
    named and made again."""
    import hashlib
    inputs = [str(tables / "ds"), str(guesses)]
    words = ["--metric", "forecast.errors", "--failed", "skip", "--format", "json"]
    one = call(trajpack, "evaluate", *inputs, *words).stdout
    call(trajpack, "job", "plan", "evaluate", *inputs, "scores", *words, "--tasks", 4, cwd=tmp_path)
    said = call(trajpack, "job", "status", "scores", cwd=tmp_path).stdout
    assert "0 of 4 tasks complete, 0 of 12 episodes durable" in said
    call(trajpack, "job", "run", "scores", "--task", "0-3", "-q", cwd=tmp_path)
    file = tmp_path / "scores" / "task-000001.scores"
    whole = file.read_bytes()
    head, body = whole.split(b"\n", 1)
    changed = body.replace(b"forecast.mse", b"forecast.xxx")
    assert changed != body
    file.write_bytes(head + b"\n" + changed)
    left = call(trajpack, "job", "finish", "scores", "--json", code=1, cwd=tmp_path).stdout
    assert json.loads(left)["resubmit"] == "1"
    again = json.loads(head)
    again["sha256"] = hashlib.sha256(changed).hexdigest()
    file.write_bytes(json.dumps(again).encode() + b"\n" + changed)
    assert call(trajpack, "job", "finish", "scores", "-q", cwd=tmp_path).stdout != one
    file.write_bytes(whole[:-40])
    call(trajpack, "job", "run", "scores", "--task", 1, "-q", cwd=tmp_path)
    assert file.read_bytes() == whole
    assert call(trajpack, "job", "finish", "scores", "-q", cwd=tmp_path).stdout == one


def test_evaluations_that_changed_or_are_refused(trajpack, tables, guesses, tmp_path):
    own = tmp_path / "guesses"
    subprocess.run(["cp", "-r", guesses, own], check=True)
    words = ["--metric", "forecast.errors", "--failed", "skip"]
    call(trajpack, "job", "plan", "evaluate", tables / "ds", own, "scores", *words, "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "run", "scores", "--task", "0-1", "-q", cwd=tmp_path)
    subprocess.run(["rm", "-r", own], check=True)
    call(trajpack, "resample", "-q", guesses, own, "--rate", "50", "--method", "linear")
    early = call(trajpack, "job", "finish", "scores", code=1, cwd=tmp_path)
    assert "2 of 2 tasks are not complete" in early.stderr and "other data" in early.stderr
    for more, said in [(["--clips", "x.csv", "--tasks", "2"], "cut them once"), ([], "give --tasks"),
                       (["--tasks", "2", "--csv-escape-formulas", "--format", "json"], "--csv-escape-formulas"),
                       (["--tasks", "2", "a", "b"], "not 5 paths")]:
        refused = call(trajpack, "job", "plan", "evaluate", tables / "ds", guesses, "new", *words, *more, code=2,
                       cwd=tmp_path)
        assert said in refused.stderr and not (tmp_path / "new").exists(), refused.stderr


def test_the_end_of_a_job_writes_what_was_planned(trajpack, tables, guesses, tmp_path):
    """--json changes no file, and no format that the plan named; what a report has no use for is refused."""
    inputs = [str(tables / "ds"), str(guesses), "--metric", "forecast.errors", "--failed", "skip"]

    def planned(name, *words):
        call(trajpack, "job", "plan", "evaluate", *inputs[:2], name, *inputs[2:], *words, "--tasks", 2, cwd=tmp_path)
        call(trajpack, "job", "run", name, "--task", "0-1", "-q", cwd=tmp_path)

    planned("page", "-o", "many.html")
    call(trajpack, "evaluate", *inputs, "-o", "one.html", cwd=tmp_path)
    done = call(trajpack, "job", "finish", "page", "--json", "-q", cwd=tmp_path)
    assert json.loads(done.stdout)["finished"] is True
    assert (tmp_path / "many.html").read_bytes() == (tmp_path / "one.html").read_bytes()
    planned("table", "--format", "csv")
    refused = json.loads(call(trajpack, "job", "finish", "table", "--json", code=2, cwd=tmp_path).stdout)
    assert refused["error"]["place"]["option"] == "--json" and "--format csv" in refused["error"]["message"]
    planned("words")
    found = json.loads(call(trajpack, "job", "finish", "words", "--json", "-q", cwd=tmp_path).stdout)
    assert found == json.loads(call(trajpack, "evaluate", *inputs, "--format", "json").stdout)
    for words in (["finish", "words", "--verify"], ["finish", "words", "-j", "2"],
                  ["run", "words", "--task", "0", "--jobs", "2"]):
        assert "leave out --" in call(trajpack, "job", *words, code=2, cwd=tmp_path).stderr
    call(trajpack, "job", "plan", "validate", tables / "ds", "check", "--format", "sarif", "--tasks", 2, cwd=tmp_path)
    call(trajpack, "job", "run", "check", "--task", "0-1", "-q", cwd=tmp_path)
    assert "--format sarif" in call(trajpack, "job", "finish", "check", "--json", code=2, cwd=tmp_path).stderr
