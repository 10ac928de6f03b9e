"""Spoilt shards: no command traps, hangs, takes more memory than bounded, or is silently wrong.

Seeded, so a failure comes back with the number it names. TRAJPACK_FUZZ=N makes N mutants of each kind, TRAJPACK_SEED=S
begins at another seed. A mutant that failed is kept in tools/fuzz/found (ignored by git).
"""
import hashlib
import os
import random
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "fuzz"))

import mutate                                                                                    # noqa: E402

COUNT = int(os.environ.get("TRAJPACK_FUZZ", "24"))
SEED = int(os.environ.get("TRAJPACK_SEED", "1"))
FOUND = ROOT / "tools" / "fuzz" / "found"


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def run(trajpack, *words):
    return subprocess.run(
        [trajpack, *map(str, words)], capture_output=True, text=True, errors="replace", timeout=120, preexec_fn=limits,
        env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})


def files_of(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def convert(trajpack, source, out, *more):
    assert run(trajpack, "convert", source, out, "--quiet", *more).returncode == 0
    return (out / "shard-000000.h5").read_bytes()


@pytest.fixture(scope="module")
def shards(trajpack, recordings, tmp_path_factory):
    """Small shards of all sorts: with video, with text, with splits of chunks; and the export of each."""
    out = tmp_path_factory.mktemp("shards")
    fixtures = ROOT / "fixtures" / "wildworld"
    made = [
        convert(trajpack, fixtures, out / "all"),
        convert(trajpack, fixtures, out / "rows", "--chunk-rows", "7", "--video", "link"),
        convert(trajpack, recordings, out / "bare", "--codec", "none"),
    ]
    exports = []
    for number, data in enumerate(made):
        path = out / f"{number}.h5"
        path.write_bytes(data)
        assert run(trajpack, "export", path, out / f"export{number}", "--to", "wildworld").returncode == 0
        exports.append(files_of(out / f"export{number}"))
    return [(data, path, export) for data, path, export in
            zip(made, [out / f"{n}.h5" for n in range(len(made))], exports)]


def look(trajpack, mutant, original, folder):
    """Every reading command on a file; what each did, or the reason for which that is a fault."""
    commands = [
        ("verify", mutant), ("info", mutant), ("info", mutant, "--json"), ("info", mutant, "--episodes"),
        ("info", mutant, "--episode", "000001"), ("info", mutant, "--episode", "000001", "--json"),
        ("export", mutant, folder / "export", "--to", "wildworld"), ("diff", mutant, original)]
    done = []
    for words in commands:
        try:
            outcome = run(trajpack, *words)
        except subprocess.TimeoutExpired:
            return done, f"{words[0]} hangs"
        if outcome.returncode not in (0, 1, 2, 3) or "Fatal error" in outcome.stderr:
            return done, f"{' '.join(map(str, words))} ends with {outcome.returncode}: {outcome.stderr[-400:]}"
        if outcome.returncode != 0 and outcome.stderr.strip().count("\n") > 0 and words[0] != "verify":
            return done, f"{words[0]} says more than a sentence: {outcome.stderr[-400:]}"
        if any(ord(c) < 32 and c not in "\n" for c in outcome.stdout + outcome.stderr):
            return done, f"{words[0]} lets a control character through"
        if outcome.returncode == 3 and "file too large" not in outcome.stderr.lower():
            return done, f"{words[0]} blames the machine: {outcome.stderr}"
        done.append(outcome)
    return done, None


def hunt(trajpack, shards, tmp_path, spoil, judge):
    def one(seed):
        source = random.Random(f"{spoil.__name__} {seed}")
        data, original, export = source.choice(shards)
        mutant, what = spoil(data, source)
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = folder / "mutant.h5"
        path.write_bytes(mutant)
        done, fault = look(trajpack, path, original, folder)
        fault = fault or judge(data, mutant, done, export, folder)
        if fault:
            FOUND.mkdir(parents=True, exist_ok=True)
            (FOUND / f"{spoil.__name__}-{seed}.h5").write_bytes(mutant)
            return f"seed {seed} ({what}): {fault}"
        subprocess.run(["rm", "-rf", folder], check=True)
        return None

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        faults = [f for f in pool.map(one, range(SEED, SEED + COUNT)) if f]
    assert not faults, f"{len(faults)} of {COUNT}:\n" + "\n".join(faults)


def test_damage_is_never_silent(trajpack, shards, tmp_path):
    def judge(data, mutant, done, export, folder):
        exported = done[6]
        if exported.returncode == 0 and files_of(folder / "export") != export:
            return "export gives other values and says nothing"
        if done[7].returncode == 0 and exported.returncode != 0:
            return "diff says equal where export sees damage"
        return None

    hunt(trajpack, shards, tmp_path, mutate.damage, judge)


def test_forgery_is_harmless(trajpack, shards, tmp_path):
    hunt(trajpack, shards, tmp_path, mutate.forge, lambda *_: None)


def test_the_forger_changes_nothing_by_itself(trajpack, shards, tmp_path):
    """Taken apart and put together, a shard is as good as before: so the forgeries reach what they aim at."""
    for number, (data, original, export) in enumerate(shards):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(mutate.Forgery(data).bytes())
        done, fault = look(trajpack, path, original, tmp_path / f"out{number}")
        assert fault is None and all(o.returncode == 0 for o in done[:4]), (fault, [o.stderr for o in done])
        assert done[6].returncode == 0 and done[7].returncode == 0
        assert files_of(tmp_path / f"out{number}" / "export") == export
