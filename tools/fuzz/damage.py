"""Damaged files of every layout, read whole: each gives an error that says where, or the very values of the original.

    damage.py [--bytes 10000] [--cuts 2400] [--seed 1]

Shards of all codecs and sorts of streams, manifests, journals and side files; 1 to 4 bytes overwritten, or the file cut.
Each is read by the package in a child process: its episodes, clocks, times, every channel, side files. Counted:
values that differ without an error (0 are allowed), signals, reads of more than 20 seconds, errors without a place, and the
highest memory of a child (200 MB are allowed). A journal that is cut behind or within its last record is what a crash
leaves too, before the shard was acknowledged: what is read then must be that earlier state, and it is counted apart. Where
more shards lie there that no record names, it is an error.
"""
import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/python/src"), str(ROOT / "tools/python/tests"), str(ROOT / "tools")]

MOST_SECONDS = 20
MOST_MEMORY = 200 << 10                                     # KiB
BATCH = 100


def everything(path):
    """A digest of all that a reader gets of a dataset, and how many episodes there are."""
    import numpy as np
    import trajpack
    dataset = trajpack.open(path)
    digest = hashlib.sha256()

    def put(*parts):
        for part in parts:
            digest.update(part if isinstance(part, bytes) else repr(part).encode())
            digest.update(b"\0")

    def table(rows):
        put(rows.entity, rows.times.tobytes())
        for name in rows:
            values = rows[name][:]
            put(name, values if isinstance(values, list) else np.ascontiguousarray(values).tobytes())

    put(dataset.schema, dataset.splits, dataset.attributes, dataset.skeletons)
    ids = dataset.episodes.ids
    for id_ in ids:
        episode = dataset.episode(id_)
        put(episode.id, episode.split, episode.metadata, episode.tracks)
        for name, found in episode.streams.items():
            put(name)
            for rows in [found] if isinstance(found, trajpack.Table) else found:
                table(rows)
    put(dataset.side_files, dataset.schemes, [dataset.values.of(n) for n in range(len(ids))])
    return digest.hexdigest(), len(ids)


def journal_of(manifest):
    """The journal of a conversion that was stopped before it wrote this manifest."""
    import read_archive
    document = json.loads(manifest)
    plan = {n: v for n, v in document["source"].items() if n not in ("reading", "left_out")}
    payloads = [json.dumps(r, separators=(",", ":")).encode()
                for r in [plan, *({"type": "shard", **s} for s in document["shards"])]]
    return read_archive.JOURNAL + b"".join(struct.pack("<II", len(p), read_archive.crc32c(p)) + p for p in payloads)


def make_worlds(folder, trajpack):
    """Datasets of all layouts below a folder: {name: {file: bytes}}."""
    import worlds
    found = {}

    def take(name, path):
        found[name] = {p.name: p.read_bytes() for p in sorted(Path(path).iterdir()) if p.is_file()}

    for path in sorted((ROOT / "fixtures/golden").glob("*/*/dataset")):
        take(f"{path.parts[-3]}-{path.parts[-2]}", path)
    for name in [n for n in found if n.endswith("specimen")]:
        files = dict(found[name])
        files["journal"] = journal_of(files.pop("manifest.json"))
        found[f"{name}-unfinished"] = files
    for seed in (3, 5, 8, 13, 21, 34):
        worlds.archive(seed, streams=3, episodes=3, most=40).write(folder / f"world-{seed}.h5")
        found[f"world-{seed}"] = {"shard.h5": (folder / f"world-{seed}.h5").read_bytes()}
    sided = folder / "sided"
    shutil.copytree(ROOT / "fixtures/golden/zstd/wildworld/dataset", sided)
    for words in (["split", "--rule", "train=0:50%", "--rule", "test=50%:"], ["annotate", "--set", "task=hunt"]):
        subprocess.run([trajpack, words[0], sided, *words[1:]], check=True, capture_output=True)
    take("sided", sided)
    made = folder / "many"
    subprocess.run([trajpack, "convert", ROOT / "fixtures/series/episodes.csv", made, "--shard-size", "1KB", "-q"],
                   check=True, capture_output=True)
    take("table", made)
    return found


def spoil(data, chance, cut):
    """A damaged copy of a file that differs from it, and what was done."""
    if cut:
        at = chance.randrange(len(data))
        return data[:at], f"cut to {at} of {len(data)} bytes"
    out = bytearray(data)
    places = [chance.randrange(len(data)) for _ in range(chance.randint(1, 4))]
    for at in places:
        out[at] ^= chance.randrange(1, 256) if chance.random() < 0.5 else 1 << chance.randrange(8)
    return bytes(out), f"bytes {sorted(places)}"


def case(worlds, number, seed, cut):
    chance = random.Random(f"{seed} {number} {cut}")
    name = chance.choice(sorted(worlds))
    file = chance.choice(sorted(worlds[name]))
    data, what = spoil(worlds[name][file], chance, cut)
    return name, file, data, f"{name}/{file}: {what}"


def ends_of_records(journal):
    """The lengths at which a journal ends with a whole record."""
    import read_archive
    at, ends = len(read_archive.JOURNAL), set()
    while at + 8 <= len(journal):
        at += 8 + struct.unpack_from("<I", journal, at)[0]
        ends.add(at)
    return ends


def earlier_states(worlds, place):
    """What is read of unfinished datasets whose last shard was not acknowledged yet: digests by name."""
    import read_archive
    import trajpack
    found = {}
    for name, files in worlds.items():
        if "journal" not in files:
            continue
        for end in sorted(ends_of_records(files["journal"]))[:-1]:
            journal = files["journal"][:end]
            listed = {r["name"] for r in read_archive.journal_records(journal) if r["type"] == "shard"}
            folder = Path(tempfile.mkdtemp(dir=place))
            for file, data in {**files, "journal": journal}.items():
                if file in listed or not file.startswith("shard-"):
                    (folder / file).write_bytes(data)
            try:
                found.setdefault(name, set()).add(everything(folder)[0])
            except trajpack.UsageError:
                pass                                        # no shard at all
            shutil.rmtree(folder)
    return found


def child(worlds, references, earlier, numbers, seed, cut, place, out):
    import trajpack
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        name, file, data, what = case(worlds, number, seed, cut)
        folder = place / name
        path = folder / file
        path.write_bytes(data)
        out.write(f"at {number}\n")
        out.flush()
        signal.alarm(MOST_SECONDS)
        target = path if file == "shard.h5" else folder
        if data == worlds[name][file]:
            result = "same"
        else:
            try:
                found = everything(target)
                if found[0] == references[name][0]:
                    result = "equal"
                elif file == "journal" and cut and found[0] in earlier.get(name, ()):
                    result = "earlier"
                else:
                    result = f"wrong {what}: {found[1]} episodes of {references[name][1]}, and no error"
            except trajpack.TrajpackError as error:
                text = str(error)
                placed = error.place.file is not None or file in text or name in text
                result = "refused" if placed and "\n" not in text else f"unplaced {what}: {text}"
        signal.alarm(0)
        out.write(f"{result}\n")
        path.write_bytes(worlds[name][file])
    out.write(f"memory {max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, before)}\n")
    out.flush()


def hunt(trajpack, count, cut, seed, progress=None):
    """Reads `count` damaged files; a dictionary of counts, and the faults, a sentence each."""
    counts = {"same": 0, "equal": 0, "earlier": 0, "refused": 0}
    faults, memory = [], 0
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as scratch:
        place = Path(scratch) / "read"
        worlds = make_worlds(Path(scratch), trajpack)
        for name, files in worlds.items():
            (place / name).mkdir(parents=True)
            for file, data in files.items():
                (place / name / file).write_bytes(data)
        targets = {n: place / n / ("shard.h5" if "shard.h5" in f else "") for n, f in worlds.items()}
        import concurrent.futures
        with concurrent.futures.ProcessPoolExecutor(1) as pool:      # so that this process never loads the library
            references = {n: pool.submit(everything, t).result() for n, t in targets.items()}
            earlier = pool.submit(earlier_states, worlds, scratch).result()
        numbers = list(range(count))
        while numbers:
            batch = numbers[:BATCH]
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    os.close(reading)
                    with os.fdopen(writing, "w") as out:
                        child(worlds, references, earlier, batch, seed, cut, place, out)
                    code = 0
                finally:
                    os._exit(code)
            os.close(writing)
            done = last = None
            with os.fdopen(reading) as lines:
                for line in lines:
                    word = line.split()[0]
                    if word == "at":
                        last = int(line.split()[1])
                        continue
                    if word == "memory":
                        memory = max(memory, int(line.split()[1]))
                        continue
                    done = last
                    if word in counts:
                        counts[word] += 1
                    else:
                        faults.append(line.strip())
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != 0:
                # What it held is put back, and the next child goes on behind it.
                name, file, _, what = case(worlds, last, seed, cut)
                (place / name / file).write_bytes(worlds[name][file])
                faults.append(f"{what}: " + ("hangs" if status == -signal.SIGALRM else f"ends with {status}"))
                done = last
            numbers = [n for n in numbers if n > done]
            if progress:
                progress(count - len(numbers))
    return counts, faults, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=10_000, dest="bytes_")
    parser.add_argument("--cuts", type=int, default=2_400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trajpack", default=str(ROOT / ".build/release/trajpack"))
    parser.add_argument("--json", action="store_true", help="print counts, faults and the highest memory as JSON")
    given = parser.parse_args()
    bad, reports = 0, {}
    for cut, count in ((False, given.bytes_), (True, given.cuts)):
        counts, faults, memory = hunt(given.trajpack, count, cut, given.seed)
        bad += len(faults) + (memory > MOST_MEMORY)
        reports["cut" if cut else "damaged"] = {"counts": counts, "faults": faults, "memory_kib": memory}
        if given.json:
            continue
        print(f"{'cuts' if cut else 'damaged bytes'}: {count} files: {counts['refused']} refused with a place, "
              f"{counts['equal']} equal, {counts['earlier']} an earlier state of a journal, {counts['same']} not changed, "
              f"{len(faults)} faults; peak {memory / 1024:.0f} MiB", flush=True)
        print("\n".join(faults[:20]))
    if given.json:
        print(json.dumps(reports))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
