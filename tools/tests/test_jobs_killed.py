"""Jobs whose workers run at once, are killed and are interrupted: the bytes of one conversion."""
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from jobs_world import call, finish, make, plan, run, runs, whole  # noqa: F401  fixtures
from promise import digests

FULL = os.environ.get("TRAJPACK_CRASH") == "full"


def test_workers_at_once_on_all_tasks(trajpack, runs, whole, tmp_path, start):
    """Four workers, each with all tasks in another order: whoever comes second leaves the task to the first."""
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 6)
    draw = random.Random(7)
    workers = []
    for _ in range(4):
        order = draw.sample(range(count), count)
        workers.append(start([trajpack, "job", "run", job, "-q", "--task", ",".join(map(str, order))],
                             stderr=subprocess.PIPE))
    for worker in workers:
        _, said = worker.communicate(timeout=300)
        assert worker.returncode in (0, 3), said
        assert worker.returncode == 0 or "another process" in said, said
    # Those that stopped at a task of another one may have left tasks that nobody ran.
    run(trajpack, job, f"0-{count - 1}")
    finish(trajpack, job, "--verify")
    assert digests(tmp_path / "ds") == whole


@pytest.mark.parametrize("seed", range(20) if FULL else [0])
def test_killed_workers_lose_and_double_nothing(trajpack, whole, runs, tmp_path, start, seed):
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 3)
    draw = random.Random(seed)
    kills = 0
    begun = time.monotonic()
    run(trajpack, job, 0)
    usual = time.monotonic() - begun
    for number in range(20 if FULL else 6):
        worker = start([trajpack, "job", "run", job, "-q", "--task", f"1-{count - 1}"], stderr=subprocess.DEVNULL)
        if number > 0:  # the first at once, so that it cannot have ended
            time.sleep(draw.uniform(0, 1.5 * usual))
        worker.send_signal(signal.SIGKILL)
        kills += worker.wait() == -signal.SIGKILL
        state = json.loads(call(trajpack, "job", "status", job, "--json").stdout)
        assert all(t["state"] != "damaged" for t in state["missing"]), state
    assert kills > 0
    run(trajpack, job, f"0-{count - 1}")
    finish(trajpack, job, "--verify")
    assert digests(tmp_path / "ds") == whole


def test_one_of_four_workers_is_killed_again_and_again(trajpack, whole, runs, tmp_path, start):
    """Four workers at once, one of them, drawn anew each time, killed at a random moment and started again."""
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 1000)
    draw = random.Random(7)
    kills, wanted = 0, 20 if FULL else 4

    def worker(number):
        tasks = ",".join(str(t) for t in range(count) if t % 4 == number)
        return start([trajpack, "job", "run", job, "-q", "--task", tasks], stderr=subprocess.DEVNULL)
    workers = [worker(n) for n in range(4)]
    while kills < wanted:
        number = draw.randrange(4)
        time.sleep(draw.uniform(0, 0.05))
        workers[number].send_signal(signal.SIGKILL)
        kills += workers[number].wait() == -signal.SIGKILL
        workers[number] = worker(number)
        if all(w.poll() is not None for w in workers):  # all is made: begin again
            shutil.rmtree(job)
            job, count = plan(trajpack, runs, tmp_path, "--tasks", 1000)
            workers = [worker(n) for n in range(4)]
    for one in workers:
        assert one.wait(timeout=300) == 0
    finish(trajpack, job, "--verify")
    assert digests(tmp_path / "ds") == whole


@pytest.mark.parametrize("seed", range(20) if FULL else [0, 1])
def test_a_killed_end_is_gone_on_with(trajpack, whole, runs, tmp_path, start, seed):
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 4)
    run(trajpack, job, f"0-{count - 1}")
    draw = random.Random(seed)
    for _ in range(3):
        worker = start([trajpack, "job", "finish", job, "-q"], stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0, 0.1))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert not (tmp_path / "ds").exists() or digests(tmp_path / "ds") == whole
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole


def test_an_interrupted_worker_goes_on(trajpack, runs, whole, tmp_path, start):
    job, count = plan(trajpack, runs, tmp_path, "--tasks", 2)
    worker = start([trajpack, "job", "run", job, "-q", "--task", "0-1"], stderr=subprocess.PIPE)
    time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=300)
    assert worker.returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM), said
    assert "--resume" not in said
    run(trajpack, job, f"0-{count - 1}")
    finish(trajpack, job)
    assert digests(tmp_path / "ds") == whole


def test_a_plan_that_is_killed_can_be_made_again(trajpack, tmp_path, start):
    """A plan is killed as soon as it writes: what has the name of a job is one, or nothing is there."""
    many = make(tmp_path / "many", 300, 3)
    kills = 0
    for _ in range(20):
        process = start([trajpack, "job", "plan", many, tmp_path / "ds", "--tasks", "2"], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        while process.poll() is None and not any("ds.job" in name for name in os.listdir(tmp_path)):
            pass
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        assert not (tmp_path / "ds.job").exists() or (tmp_path / "ds.job" / "job.json").exists()
        shutil.rmtree(tmp_path / "ds.job", ignore_errors=True)
    assert kills > 0
    call(trajpack, "job", "plan", many, tmp_path / "ds", "--tasks", "2")
    call(trajpack, "job", "run", tmp_path / "ds.job", "--task", "0")
