"""What `tools/wheel/bare.sh` and tools/tests/test_wheel.py run with an installed wheel, after `trajpack demo DIR`:

    bare_check.py DIR [SAMPLES]     SAMPLES: what tools/wheel/samples.py has made

Everything that docs/packaging.md says of the wheel; ends at the first thing that is not so.
"""
import hashlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import trajpack

TOUR = Path(sys.argv[1])
SAMPLES = Path(sys.argv[2]) if len(sys.argv) > 2 else None
NATIVE = Path(trajpack.__file__).parent / "_native"


def loaded():
    return {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}


def run(*arguments, fails=0, **variables):
    """What the program prints; on the error output where it must end with the code ``fails``."""
    done = subprocess.run(["trajpack", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **variables})
    assert done.returncode == fails, (arguments, done.returncode, done.stdout[-500:] + done.stderr)
    return done.stderr if fails else done.stdout


def check_package():
    dataset = trajpack.open(TOUR / "ww")
    batch = next(iter(dataset.windows(channels=["state", "camera"], duration=0.5, batch=4)))
    assert batch["camera/pos"].shape == (4, 15, 3), batch["camera/pos"].shape
    assert not [p for p in loaded() if "libav" in p or "hdf5" in p], "FFmpeg or libhdf5 is loaded before it is needed"

    frames = dataset.episode("000002")["rgb"][10:12]
    assert frames.shape == (2, 180, 320, 3) and frames.std() > 1
    depth = dataset.episode("000002")["depth"][0]
    assert depth.ndim == 2, depth.shape
    batch = next(iter(dataset.windows(channels=["state", "rgb"], length=2, batch=2)))
    assert batch["rgb"].ndim == 5, batch["rgb"].shape

    draw = np.random.default_rng(1)
    truth = {f"e{n}": {"x": draw.normal(size=(50 + n, 3)), "image": draw.integers(0, 256, (50 + n, 8, 6, 3), "u1")}
             for n in range(3)}
    with trajpack.create(TOUR / "mine", rate=50) as writer:
        for name, values in truth.items():
            writer.append(name, values)
    with trajpack.create(TOUR / "films", rate=50) as writer, writer.episode("e0") as episode:
        episode.video("rgb", truth["e0"]["image"])
    assert np.array_equal(trajpack.open(TOUR / "films").episode("e0")["rgb"].read(), truth["e0"]["image"])
    mine = trajpack.open(TOUR / "mine")
    for name, values in truth.items():
        for channel, data in values.items():
            assert np.array_equal(mine.episode(name)[f"frames/{channel}"][:], data), (name, channel)
    for name in ("libavcodec", "libavformat", "libavutil", "libswscale", "libhdf5"):
        found = [p for p in loaded() if name in p]
        assert found and all(Path(p).parent == NATIVE for p in found), (name, found)


def check_program():
    """The program, too, uses the libraries of the package."""
    run("verify", TOUR / "mine")
    run("convert", "--quiet", "--frame-hashes", TOUR / "recordings", TOUR / "again")
    run("verify", "--frames", TOUR / "again")
    run("frame", TOUR / "again", "000001", "rgb", "3", "-o", TOUR / "three.png")
    run("page", TOUR / "again", "-o", TOUR / "page.html", "--quiet")
    assert "data:image/jpeg;base64," in (TOUR / "page.html").read_text()
    for kind, begins in (("png", b"\x89PNG"), ("gif", b"GIF89a")):
        file = TOUR / f"film.{kind}"
        run("render", TOUR / "again", "000002", "-o", file, "--frames", "0:3" if kind == "gif" else "1", "--quiet")
        assert file.read_bytes().startswith(begins), file
    # The one thing that the wheel leaves to the machine: an encoder of H.264 is under the GPL.
    film = TOUR / "film.mp4"
    if shutil.which("ffmpeg"):
        run("render", TOUR / "again", "000002", "-o", film, "--frames", "0:2", "--quiet")
    else:
        said = run("render", TOUR / "again", "000002", "-o", film, "--frames", "0:2", "--quiet", fails=3)
        assert "'ffmpeg', which is not in PATH" in said and not film.exists(), said


def check_samples():
    """Videos of all codecs and containers, frame for frame, and HDF5 of other software."""
    truth = json.loads((SAMPLES / "truth.json").read_text())
    run("convert", "--quiet", SAMPLES / "videos", TOUR / "videos")
    dataset = trajpack.open(TOUR / "videos")
    assert sorted(dataset.episodes.ids) == sorted(truth["videos"])
    for case, wanted in truth["videos"].items():
        frames = dataset.episode(case)[wanted["stream"]].read(format="native")
        assert hashlib.sha256(np.ascontiguousarray(frames)).hexdigest() == wanted["sha256"], case
    for name, options in (("robomimic", []), ("filters", ["--episodes", "runs/*"])):
        file = SAMPLES / "hdf5" / f"{name}.hdf5"
        run("inspect", file)
        run("convert", "--quiet", file, TOUR / name, *options)
        run("diff", TOUR / name, file)
        made = trajpack.open(TOUR / name)
        assert sorted(made.episodes.ids) == sorted(truth["hdf5"][name])
        for episode, total in truth["hdf5"][name].items():
            steps = made.episode(episode)["steps"]
            channels = ["actions"] if name == "robomimic" else list(steps)
            assert channels
            for channel in channels:
                assert np.isclose(np.nansum(steps[channel][:]), total), (name, episode, channel)
    print(f"{len(truth['videos'])} videos decoded to the bytes that ffmpeg gives; HDF5 of robomimic and 7 filters")


class Objects(http.server.BaseHTTPRequestHandler):
    """The files of TOUR, and ranges of them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = TOUR / self.path.partition("?")[0].lstrip("/")
        data = path.read_bytes() if path.is_file() else None
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        status, part = (404, b"") if data is None else (200, data)
        if data is not None and wanted:
            first = int(wanted[1]) if wanted[1] else max(len(data) - int(wanted[2]), 0)
            last = min(int(wanted[2]) + 1, len(data)) if wanted[1] and wanted[2] else len(data)
            status, part = (206, data[first:last]) if first < len(data) else (416, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(part)))
        if data is not None:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()[:32]}"')
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(part)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def check_remote():
    """Over HTTPS and S3, from a server whose certificate SSL_CERT_FILE names, else the package certifi."""
    authority = SAMPLES / "tls" / "certificate.pem"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, SAMPLES / "tls" / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"https://127.0.0.1:{server.server_port}"
    cache = {"TRAJPACK_CACHE_DIR": str(TOUR / "no-cache"), "NO_PROXY": "*"}
    said = run("info", f"{address}/ww", fails=3, **cache)
    assert "certificate does not verify" in said, said
    trusted = {**cache, "SSL_CERT_FILE": str(authority)}
    assert run("verify", f"{address}/ww", **trusted)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": address}
    assert run("verify", "s3://ww", **trusted, **keys)
    code = ("import sys, numpy, trajpack; there, here = map(trajpack.open, sys.argv[1:]); "
            "assert numpy.array_equal(there.episode('000002')['rgb'][3], here.episode('000002')['rgb'][3]); "
            "assert any('libcurl-trajpack' in l for l in open('/proc/self/maps'))")
    subprocess.run([sys.executable, "-c", code, f"{address}/ww", TOUR / "ww"], check=True, env={**os.environ, **trusted})
    # The machine's own certificates come before those of certifi.
    certifi = Path(trajpack.__file__).parents[1] / "certifi"
    if not certifi.exists() and not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        certifi.mkdir()
        shutil.copyfile(authority, certifi / "cacert.pem")
        assert run("verify", f"{address}/ww", **cache)
        subprocess.run([sys.executable, "-c", code, f"{address}/ww", TOUR / "ww"], check=True, env={**os.environ, **cache})
        shutil.rmtree(certifi)
        print("HTTPS and S3, by SSL_CERT_FILE and by certifi")
    else:
        print("HTTPS and S3, by SSL_CERT_FILE")
    server.shutdown()


def least(*command):
    """The least of several wall times, in ms."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def check_times():
    """Bounds that only a fault passes: 5 ms and a tenth of numpy's import are usual."""
    version = least("trajpack", "--version")
    none, ours, numpy = (least(sys.executable, "-c", code) for code in ("pass", "import trajpack", "import numpy"))
    print(f"trajpack --version {version:.1f} ms; import trajpack {ours - none:.1f} ms, import numpy {numpy - none:.1f} ms")
    assert version < 30 and ours < 1.5 * numpy, (version, ours, numpy)


check_package()
check_program()
if SAMPLES:
    check_samples()
    check_remote()
check_times()
