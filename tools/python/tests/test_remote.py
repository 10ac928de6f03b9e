"""Datasets on servers and in buckets: the same bytes, states and reports as those of a local folder, or an error that
names object and range. The servers are on loopback; signatures are judged by botocore."""
from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trajpack
from object_server import Fault, ObjectServer, Request
from places import program, surroundings

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
# Nothing of the machine that runs the tests.
BARE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "HF_TOKEN_PATH": "/nowhere"}


def run(*words: str | os.PathLike[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, in an environment without credentials but these."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "HF_", "TRAJPACK_HTTP"))}
    return subprocess.run([program(), *words], capture_output=True, text=True, timeout=120,
                          env={**kept, **BARE, **environment})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, specimen: str, wildworld: str) -> Path:
    root = tmp_path_factory.mktemp("objects")
    shutil.copytree(specimen, root / "bucket" / "many shards" / "=+ü")
    shutil.copytree(wildworld, root / "bucket" / "ww")
    return root


@pytest.fixture
def web(world: Path) -> Iterator[ObjectServer]:
    with ObjectServer(world) as server:
        yield server


@pytest.fixture
def s3(world: Path) -> Iterator[ObjectServer]:
    pytest.importorskip("botocore")
    with ObjectServer(world, keys={KEY: (SECRET, None)}) as server:
        yield server


def keys(server: ObjectServer, **more: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, **more}




# ---- The same as local


@pytest.mark.parametrize("options", [
    {"length": 16, "batch": 8},
    {"length": 5, "batch": 7, "shuffle": True, "seed": 3},
    {"length": 16, "batch": 4, "shuffle": "block", "seed": 5},
    {"length": 16, "batch": 8, "threads": 1, "mmap": True},
    {"length": 16, "batch": 8, "verify": "never"},
    {"length": 8, "batch": 8, "rate": 10},
], ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items()))
@pytest.mark.parametrize("name", ["ww", "many shards/=+ü"])
def test_windows_are_those_of_a_local_dataset(world: Path, web: ObjectServer, name: str, options: dict[str, Any]) -> None:
    local, remote = trajpack.open(world / "bucket" / name), trajpack.open(f"{web.url}/bucket/{name}")
    assert remote.digest == local.digest and remote.shards == local.shards and len(remote) == len(local)
    if name != "ww":  # streams of many units of time
        options = {**options, "channels": [f"{next(iter(local.streams))}/*"]}
    ours, theirs = local.windows(**options), remote.windows(**options)
    count = 0
    for _ in range(2):
        for a, b in zip(ours, theirs, strict=True):
            assert set(a) == set(b)
            for key in a:
                np.testing.assert_array_equal(np.asarray(a[key]), np.asarray(b[key]), err_msg=key)
            assert ours.state_dict() == theirs.state_dict()
            count += 1
    assert count > 0


def test_a_prepared_view_is_that_of_a_local_dataset(world: Path, web: ObjectServer) -> None:
    plan = {"steps": [{"do": "resample", "rate": 12}]}
    found = []
    for path in (str(world / "bucket" / "ww"), f"{web.url}/bucket/ww"):
        try:
            found.append([{k: np.asarray(v).tobytes() for k, v in b.items()}
                          for b in trajpack.open(path).windows(length=6, batch=4, plan=plan)])
        except trajpack.TrajpackError as error:
            found.append([str(error)])
    assert found[0] == found[1]


@pytest.mark.parametrize("words", [
    ["info"], ["info", "--json"], ["head"], ["verify"], ["validate", "--json"],
    ["evaluate", "--metrics", "smoothness"], ["statistics"], ["sample", "--count", "2", "--seed", "1"],
], ids=" ".join)
def test_commands_say_the_same(world: Path, web: ObjectServer, words: list[str]) -> None:
    command, *options = words
    local, remote = (run(command, path, *options) for path in (world / "bucket" / "ww", f"{web.url}/bucket/ww"))
    assert remote.returncode == local.returncode
    def plain(text: str, path: object) -> str:
        return text.replace(str(path), "DATASET")
    assert plain(remote.stdout, f"{web.url}/bucket/ww") == plain(local.stdout, world / "bucket" / "ww")
    assert plain(remote.stderr, f"{web.url}/bucket/ww") == plain(local.stderr, world / "bucket" / "ww")


def test_bench_and_a_single_shard(web: ObjectServer) -> None:
    assert run("bench", f"{web.url}/bucket/ww", "--rounds", "1").returncode == 0
    assert "3 episodes" in run("info", f"{web.url}/bucket/ww/shard-000000.h5").stdout
    assert trajpack.open(f"{web.url}/bucket/ww/shard-000000.h5").complete


def test_episodes_and_fork(world: Path, web: ObjectServer) -> None:
    local, remote = trajpack.open(world / "bucket" / "ww"), trajpack.open(f"{web.url}/bucket/ww")

    def same() -> bool:
        return all(local.episode(i)["camera"].to_pandas().equals(remote.episode(i)["camera"].to_pandas()) for i in range(len(local)))
    assert same()
    child = os.fork()
    if child == 0:
        os._exit(0 if same() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---- How it asks


def test_requests_of_a_batch_are_joined_and_under_way_together(world: Path) -> None:
    """One thread that inflates, many requests at once; and fewer requests than chunks."""
    here, most, lock = 0, 0, threading.Lock()

    def fault(request: Request) -> None:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        threading.Event().wait(0.05)
        with lock:
            here -= 1
    with ObjectServer(world, fault=fault) as server:
        data = trajpack.open(f"{server.url}/bucket/many shards/=+ü")
        shards, before = len(data.shards), len(server.requests)
        # A manifest, and of each shard its first bytes; an index that these do not hold is a second request.
        assert shards > 1 and before <= 1 + 2 * shards
        most = 0
        loader = data.windows(channels=[f"{next(iter(data.streams))}/*"], length=4, batch=32, shuffle=True, seed=1,
                              threads=1, prefetch=4)
        windows = sum(len(next(iter(b.values()))) for b in loader)
        assert most >= 2, "requests wait for each other"
        asked = len(server.requests) - before
        assert 0 < asked < windows
        assert server.connections < len(server.requests), "no connection is used again"


def test_libcurl_is_loaded_with_the_first_remote_path(world: Path, web: ObjectServer) -> None:
    code = textwrap.dedent("""
        import sys, trajpack
        trajpack.open(sys.argv[1]).windows(length=4, batch=2)
        assert "libcurl" not in open("/proc/self/maps").read()
        trajpack.open(sys.argv[2])
        assert "libcurl" in open("/proc/self/maps").read()
    """)
    subprocess.run([sys.executable, "-c", code, world / "bucket" / "ww", f"{web.url}/bucket/ww"], check=True,
                   env=surroundings())


# ---- What goes wrong


def sometimes(fault: Fault) -> Any:
    """A fault of the first request, and of another one later: the next attempt succeeds."""
    return lambda request: fault if request.number in (0, 4) else None


@pytest.mark.parametrize("fault", [
    Fault(status=500, code="InternalError"), Fault(status=503, code="SlowDown", headers={"Retry-After": "1"}),
    Fault(status=429), Fault(cut=100), Fault(cut=0), Fault(reset=True), Fault(shift=7),
    Fault(status=400, code="RequestTimeout"), Fault(stall=30),
], ids=lambda f: ",".join(f"{k}={v}" for k, v in vars(f).items() if v != getattr(Fault(), k)))
def test_what_passes_is_tried_again(world: Path, fault: Fault) -> None:
    with ObjectServer(world, fault=sometimes(fault)) as server:
        done = run("verify", f"{server.url}/bucket/ww", TRAJPACK_HTTP_TIMEOUT="1")
        assert done.returncode == 0 and "good" in done.stdout, done.stderr
        assert len(server.requests) > 5


@pytest.mark.parametrize("fault, words", [
    (Fault(status=500, code="InternalError"), "status 500, InternalError"),
    (Fault(status=503), "after 3 attempts"), (Fault(cut=10), "after 3 attempts"), (Fault(reset=True), "after 3 attempts"),
    (Fault(shift=3), "other bytes after 3 attempts"), (Fault(stall=30), "after 3 attempts"),
    (Fault(status=403, code="AccessDenied"), "access is denied"), (Fault(status=404, code="NoSuchKey"), "does not exist"),
    (Fault(etag='"another"'), "another object than the one that was opened"), (Fault(whole=True), "ranges of bytes"),
], ids=lambda f: f if isinstance(f, str) else "")
def test_what_stays_names_object_and_range(world: Path, fault: Fault, words: str) -> None:
    """The shard, behind its first bytes."""
    def later(request: Request) -> Fault | None:
        return fault if request.path.endswith(".h5") and not (request.range or "").startswith("bytes=0-") else None
    with ObjectServer(world, fault=later) as server:
        done = run("verify", f"{server.url}/bucket/ww", TRAJPACK_HTTP_TIMEOUT="1", TRAJPACK_HTTP_ATTEMPTS="3")
        assert done.returncode in (2, 3) and words in done.stderr, done.stderr
        assert f"{server.url}/bucket/ww/shard-000000.h5" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_bit_flipped_on_the_way_is_brought_again(world: Path) -> None:
    """The checksum of the chunk finds it; what stays wrong is damage of the chunk."""
    seen: set[str] = set()

    def once(request: Request) -> Fault | None:
        text = request.range or ""
        if not request.path.endswith(".h5") or text.startswith("bytes=0-") or seen or not armed:
            return None
        seen.add(text)
        return Fault(flip=20)
    armed = False
    with ObjectServer(world, fault=once) as server:
        local, remote = trajpack.open(world / "bucket" / "ww"), trajpack.open(f"{server.url}/bucket/ww")
        armed = True
        options = {"length": 8, "batch": 2}
        for a, b in zip(local.windows(**options), remote.windows(**options), strict=True):
            for key in a:
                np.testing.assert_array_equal(np.asarray(a[key]), np.asarray(b[key]))
        assert seen
        server.fault = lambda r: Fault(flip=20)
        with pytest.raises(trajpack.DataError, match="shard-000000.h5.*damaged"):
            list(remote.windows(**options))


def test_an_object_that_changes_is_an_error(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "bucket" / "ww", tmp_path / "ds")
    with ObjectServer(tmp_path) as server:
        data = trajpack.open(f"{server.url}/ds")
        shard = tmp_path / "ds" / "shard-000000.h5"
        shard.write_bytes(shard.read_bytes())
        os.utime(shard, ns=(1, 1))
        with pytest.raises(trajpack.MachineError, match="another object than the one that was opened"):
            list(data.windows(length=8, batch=2))


def test_servers_without_ranges_and_without_data(world: Path, web: ObjectServer) -> None:
    import http.server
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: http.server.SimpleHTTPRequestHandler(
            *a, directory=str(world))) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        done = run("info", f"http://127.0.0.1:{plain.server_address[1]}/bucket/ww")
        plain.shutdown()
    assert done.returncode == 2 and "does not answer ranges of bytes" in done.stderr
    done = run("info", f"{web.url}/bucket/nothing")
    assert done.returncode == 2 and "does not exist" in done.stderr and "manifest.json" in done.stderr
    done = run("info", "http://127.0.0.1:9/x", TRAJPACK_HTTP_ATTEMPTS="2")
    assert done.returncode == 3 and "after 2 attempts" in done.stderr and "connect" in done.stderr
    done = run("info", "http://10.0.0.1/x")
    assert done.returncode == 2 and "TRAJPACK_ALLOW_HTTP=1" in done.stderr
    for wrong in ("https://", "s3://", "s3:///key", "https:///x", "hf://models/a/b", "hf://datasets/a", "s3://a b/c"):
        done = run("info", wrong)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, wrong


def test_nothing_is_written_there(web: ObjectServer, tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        url = f"{web.url}/bucket/ww"
        for words in (["split", url, "--by", "episode", "--fractions", "train=0.5,test=0.5"],
                      ["apply", url, f"{web.url}/new", "--plan", "x"], ["repair", url],
                      ["resample", url, f"{web.url}/new", "--rate", "10"]):
            done = run(*words)
            assert done.returncode == 2, words
        with pytest.raises(trajpack.UsageError):
            trajpack.create(f"{web.url}/new")
        assert not list(tmp_path.iterdir())
    finally:
        os.chdir(here)


# ---- Certificates, secrets


def test_a_certificate_must_verify(world: Path, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out",
                    tmp_path / "crt", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with ObjectServer(world, tls=context) as server:
        done = run("info", f"{server.url}/bucket/ww")
        assert done.returncode == 3 and "certificate does not verify" in done.stderr and "AWS_CA_BUNDLE" in done.stderr
        assert run("verify", f"{server.url}/bucket/ww", AWS_CA_BUNDLE=str(tmp_path / "crt")).returncode == 0


def test_secrets_of_a_url_are_printed_nowhere(world: Path, web: ObjectServer) -> None:
    url = web.url.replace("http://", "http://me:hunter2@") + "/bucket/ww?X-Amz-Signature=5ec7e7"
    texts = []
    for words in (["info"], ["info", "--json"], ["verify"], ["head"], ["validate", "--json"], ["bench", "--rounds", "1"]):
        done = run(words[0], url, *words[1:])
        assert done.returncode in (0, 1) and web.requests[-1].query == "X-Amz-Signature=5ec7e7", done.stderr
        assert web.requests[-1].headers["authorization"].startswith("Basic ")
        texts += [done.stdout, done.stderr]
    texts.append(run("info", url.replace("/ww", "/none")).stderr)
    data = trajpack.open(url)
    loader = data.windows(length=8, batch=2)
    next(iter(loader))
    texts += [repr(data), data.path, data._repr_html_(), json.dumps(loader.state_dict()), repr(loader), str(data.digest)]
    web.fault = lambda r: Fault(status=403, code="AccessDenied")
    with pytest.raises(trajpack.UsageError) as error:
        list(loader)
    texts.append(str(error.value))
    assert not [t for t in texts if "hunter2" in t or "5ec7e7" in t]


# ---- S3


def test_signatures_are_right_for_every_name(s3: ObjectServer, world: Path) -> None:
    for name in ("ww", "many shards/=+ü"):
        done = run("verify", f"s3://bucket/{name}", **keys(s3))
        assert done.returncode == 0, (done.stderr, s3.refusals)
    assert not s3.refusals


def test_a_session_token_is_signed(world: Path) -> None:
    pytest.importorskip("botocore")
    with ObjectServer(world, keys={KEY: (SECRET, "tok/en+==")}) as server:
        done = run("verify", "s3://bucket/ww", **keys(server, AWS_SESSION_TOKEN="tok/en+=="))
        assert done.returncode == 0 and not server.refusals, done.stderr
        done = run("info", "s3://bucket/ww", **keys(server, AWS_SESSION_TOKEN="old"))
        assert done.returncode == 2 and "the credentials have expired" in done.stderr


@pytest.mark.parametrize("change, words", [
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"), ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId"),
    ({"AWS_REGION": "eu-west-1"}, "AWS_REGION"), ({"AWS_REGION": "no region"}, "AWS_REGION"),
    ({"AWS_ACCESS_KEY_ID": ""}, "no credentials were found"), ({"AWS_NO_SIGN_REQUEST": "1"}, "without credentials"),
    ({"AWS_PROFILE": "absent"}, "there is no profile 'absent'"), ({"AWS_ENDPOINT_URL": "ftp://x"}, "AWS_ENDPOINT_URL"),
])
def test_refusals_of_s3(s3: ObjectServer, change: dict[str, str], words: str) -> None:
    done = run("info", "s3://bucket/ww", **{**keys(s3), **change})
    assert done.returncode == 2 and words in done.stderr and SECRET not in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1


def test_other_answers_of_s3(s3: ObjectServer) -> None:
    for fault, words in ((Fault(status=404, code="NoSuchBucket"), "there is no bucket 'bucket'"),
                         (Fault(status=403, code="RequestTimeTooSkewed"), "set the clock"),
                         (Fault(status=301, code="PermanentRedirect"), "another region")):
        s3.fault = lambda r, fault=fault: fault
        done = run("info", "s3://bucket/ww", **keys(s3))
        assert done.returncode in (2, 3) and words in done.stderr, done.stderr


def test_the_region_that_the_bucket_names_is_taken(s3: ObjectServer) -> None:
    s3.region = "eu-west-1"

    def elsewhere(request: Request) -> Fault | None:
        right = "/eu-west-1/s3/" in request.headers.get("authorization", "")
        return None if right else Fault(status=400, code="AuthorizationHeaderMalformed",
                                        headers={"x-amz-bucket-region": "eu-west-1"})
    s3.fault = elsewhere
    assert run("verify", "s3://bucket/ww", **keys(s3)).returncode == 0
    assert not s3.refusals[1:]


def test_profiles(s3: ObjectServer, tmp_path: Path) -> None:
    config, shared = tmp_path / "config", tmp_path / "credentials"
    config.write_text(f"[default]\nregion = us-east-1\n[profile mine]\nendpoint_url = {s3.url}\n# no\n"
                      f"[profile process]\ncredential_process = cat {tmp_path}/answer\nendpoint_url={s3.url}\n")
    shared.write_text(f"[other]\naws_access_key_id=x\n[mine]\naws_access_key_id = {KEY}\naws_secret_access_key={SECRET}\n")
    (tmp_path / "answer").write_text(json.dumps({"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET,
                                                 "Expiration": "2100-01-01T00:00:00Z"}))
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(shared)}
    for name in ("mine", "process"):
        done = run("info", "s3://bucket/ww", **files, AWS_PROFILE=name)
        assert done.returncode == 0, done.stderr
    (tmp_path / "answer").write_text("{}")
    done = run("info", "s3://bucket/ww", **files, AWS_PROFILE="process")
    assert done.returncode == 3 and "credential_process" in done.stderr


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ObjectServer]:
    with ObjectServer(tmp_path) as server:
        yield server


def given(expiration: str = "2100-01-01T00:00:00Z") -> bytes:
    return json.dumps({"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": "t", "Expiration": expiration}).encode()


def test_web_identity(s3: ObjectServer, service: ObjectServer, tmp_path: Path) -> None:
    assert s3.keys is not None
    s3.keys[KEY] = (SECRET, "t")
    (tmp_path / "token").write_text("jwt.of.mine\n")

    def assume(request: Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        assert b"WebIdentityToken=jwt.of.mine" in body and b"RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr" in body
        return 200, {}, (f"<R><Credentials><AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
                         "<SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></R>"
                         ).encode()
    service.extra["/"] = assume
    environment = {"AWS_ENDPOINT_URL_S3": s3.url, "AWS_ENDPOINT_URL_STS": service.url, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                   "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    done = run("verify", "s3://bucket/ww", **environment)
    assert done.returncode == 0, done.stderr
    assert len(service.requests) == 1
    service.extra["/"] = lambda r, b: (400, {}, b"<Error><Code>InvalidIdentityToken</Code></Error>")
    done = run("info", "s3://bucket/ww", **environment)
    assert done.returncode == 3 and "InvalidIdentityToken" in done.stderr and "jwt" not in done.stderr


def test_container_credentials_are_renewed(s3: ObjectServer, service: ObjectServer) -> None:
    """A token that the server says has expired, and one that is about to."""
    assert s3.keys is not None
    s3.keys[KEY] = (SECRET, "t")
    service.extra["/v2"] = lambda r, b: (
        (200, {}, given()) if r.headers.get("authorization") == "secret" else (403, {}, b""))
    environment = {"AWS_ENDPOINT_URL": s3.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/v2/creds",
                   "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret"}
    done = run("verify", "s3://bucket/ww", **environment)
    assert done.returncode == 0 and len(service.requests) == 1, done.stderr
    s3.fault = lambda r: Fault(status=400, code="ExpiredToken") if r.number % 4 == 2 else None
    service.requests.clear()
    done = run("verify", "s3://bucket/ww", **environment)
    assert done.returncode == 0 and len(service.requests) > 1, done.stderr
    s3.fault = None
    service.requests.clear()
    service.extra["/v2"] = lambda r, b: (200, {}, given("2001-01-01T00:00:00+00:00"))
    assert run("info", "s3://bucket/ww", **environment).returncode == 0 and len(service.requests) > 1
    done = run("info", "s3://bucket/ww", **{**environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/x"})
    assert done.returncode == 2 and "plain http://" in done.stderr


def test_instance_metadata(s3: ObjectServer, service: ObjectServer) -> None:
    def answer(request: Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if request.method == "PUT" and request.path == "/latest/api/token":
            assert request.headers["x-aws-ec2-metadata-token-ttl-seconds"]
            return 200, {}, b"session"
        if request.headers.get("x-aws-ec2-metadata-token") != "session":
            return 401, {}, b""
        return 200, {}, b"my-role" if request.path.endswith("/") else given()
    service.extra["/latest"] = answer
    assert s3.keys is not None
    s3.keys[KEY] = (SECRET, "t")
    done = run("verify", "s3://bucket/ww", AWS_ENDPOINT_URL=s3.url, AWS_EC2_METADATA_DISABLED="false",
               AWS_EC2_METADATA_SERVICE_ENDPOINT=service.url)
    assert done.returncode == 0 and len(service.requests) == 3, done.stderr


# ---- The Hub


def test_the_hub_redirects_and_the_redirect_expires(world: Path, tmp_path: Path) -> None:
    """The token stays with the Hub; the address that it gives is kept until it has expired."""
    shutil.copytree(world / "bucket" / "ww", tmp_path / "cdn" / "ww")
    with ObjectServer(tmp_path) as cdn, ObjectServer(tmp_path, bearer="hf_secret") as hub:
        valid = [0]
        prefix = "/datasets/me/moves/resolve/refs/pr/1/data/ww/"

        def there(request: Request) -> Fault | None:
            if request.headers.get("authorization") != "Bearer hf_secret":
                return Fault(status=401)
            assert request.path.startswith(prefix), request.path
            valid[0] += 1
            return Fault(location=f"{cdn.url}/cdn/ww/{request.path.removeprefix(prefix)}?sig={valid[0]}")

        def expires(request: Request) -> Fault | None:
            assert "authorization" not in request.headers
            return Fault(status=403, code="AccessDenied") if request.number == 4 else None
        hub.fault, cdn.fault = there, expires
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secret"}
        path = "hf://datasets/me/moves@refs/pr/1/data/ww"
        done = run("verify", path, **environment)
        assert done.returncode == 0 and len(cdn.requests) > 5, done.stderr
        # One for each file, one for the manifest's statistics, and one again.
        assert 3 <= len(hub.requests) <= 6
        done = run("info", path, HF_ENDPOINT=hub.url)
        assert done.returncode == 2 and "HF_TOKEN" in done.stderr
        assert run("info", path, **{**environment, "HF_TOKEN": "hf_wrong"}).returncode == 2


def test_credentials_of_a_function(s3: ObjectServer) -> None:
    """In a process of its own, with names as boto3 and obstore have them; called again when they have expired."""
    assert s3.keys is not None
    s3.keys[KEY] = (SECRET, "t")
    code = textwrap.dedent(f"""
        import datetime, trajpack
        from trajpack import remote
        calls = []
        def give():
            calls.append(1)
            if len(calls) == 2:
                return {{"access_key_id": "{KEY}", "secret_access_key": "{SECRET}", "token": "t",
                        "expires_at": datetime.datetime(2100, 1, 1)}}
            past = datetime.datetime.now(datetime.timezone.utc)
            return {{"AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}", "SessionToken": "t", "Expiration": past}}
        remote.set_credentials(give)
        for batch in trajpack.open("s3://bucket/ww").windows(length=8, batch=4):
            pass
        assert len(calls) == 2, calls
        remote.set_credentials(lambda: None)
        try:
            trajpack.open("s3://bucket/ww")
        except trajpack.UsageError as error:
            assert "no credentials" in str(error), error
        remote.set_credentials(lambda: 1 / 0)
        try:
            trajpack.open("s3://bucket/ww")
        except trajpack.MachineError as error:
            assert "has failed" in str(error)
        else:
            raise SystemExit("no error")
        remote.set_credentials(None)
    """)
    done = subprocess.run([sys.executable, "-c", code], env={**surroundings(), **BARE, "AWS_ENDPOINT_URL": s3.url},
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "ZeroDivisionError" in done.stderr, done.stderr


# ---- The cache


def epoch(url: str, folder: Path, **more: str) -> str:
    """A digest of all windows, of a process with a cache."""
    code = textwrap.dedent("""
        import hashlib, os, sys, numpy as np, trajpack
        data, digest = trajpack.open(sys.argv[1]), hashlib.sha256()
        verify = os.environ.get("VERIFY", "first")
        for batch in data.windows(length=16, batch=8, shuffle=True, seed=1, verify=verify):
            for name in sorted(batch):
                digest.update(np.ascontiguousarray(batch[name]).tobytes())
        print(digest.hexdigest())
    """)
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=120, check=True,
                          env={**surroundings(), "TRAJPACK_CACHE_DIR": str(folder), **more})
    return done.stdout


def test_what_was_read_is_not_asked_for_again(world: Path, web: ObjectServer, tmp_path: Path) -> None:
    url, cache = f"{web.url}/bucket/ww", tmp_path / "cache"
    want = epoch(str(world / "bucket" / "ww"), cache)
    assert epoch(url, cache) == want
    web.requests.clear()
    assert epoch(url, cache) == want
    assert {r.range for r in web.requests} == {"bytes=0-65535"}, "more than the first bytes of each object"
    # A crash has left blocks that are said to be there and are not.
    for data in cache.glob("*.data"):
        os.truncate(data, 0)
    web.requests.clear()
    assert epoch(url, cache) == want and len(web.requests) > 2
    for data in cache.glob("*.data"):
        with data.open("r+b") as file:
            file.seek(data.stat().st_size // 2)
            file.write(b"\xff" * 1000)
    for m in cache.glob("*.map"):
        m.write_bytes(b"\xff" * 100)
    assert epoch(url, cache) == want
    # Nothing can be kept: reading goes on.
    (tmp_path / "file").write_text("")
    assert epoch(url, tmp_path / "file") == want


@pytest.mark.parametrize("verify", ["always", "never"])
def test_what_was_changed_on_its_way_is_not_kept(world: Path, tmp_path: Path, verify: str) -> None:
    """A chunk whose bits were flipped before they were kept is had again, in this process and in later ones; where chunks
    are not compared, bytes that the disk has changed are still found by their blocks."""
    cache = tmp_path / "cache"
    want = epoch(str(world / "bucket" / "ww"), cache)
    seen: set[str] = set()

    def once(request: Request) -> Fault | None:
        text = request.range or "bytes=0-"
        first = int(text[6:].split("-")[0])
        if verify == "never" or not request.path.endswith(".h5") or len(seen) > 3 or first == 0 \
                or first > (world / request.path.lstrip("/")).stat().st_size // 2:  # the index lies at the end
            return None
        seen.add(text)
        return Fault(flip=900)
    with ObjectServer(world, fault=once) as server:
        url = f"{server.url}/bucket/ww"
        assert epoch(url, cache, VERIFY=verify) == want
        assert seen or verify == "never"
        server.requests.clear()
        assert epoch(url, cache, VERIFY=verify) == want
        assert {r.range for r in server.requests} == {"bytes=0-65535"}
        for data in cache.glob("*.data"):
            stored = bytearray(data.read_bytes())
            stored[len(stored) // 2] ^= 4
            data.write_bytes(bytes(stored))
        for _ in range(2):
            assert epoch(url, cache, VERIFY=verify) == want


def test_another_content_is_another_object_and_the_limit_holds(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "bucket" / "ww", tmp_path / "ds")
    cache, shard = tmp_path / "cache", tmp_path / "ds" / "shard-000000.h5"
    with ObjectServer(tmp_path) as server:
        want = epoch(f"{server.url}/ds", cache)
        for stamp in range(1, 4):
            os.utime(shard, (stamp, stamp))
            assert epoch(f"{server.url}/ds", cache, TRAJPACK_CACHE_BYTES="2MiB") == want
        assert sum(f.stat().st_blocks * 512 for f in cache.glob("*.data")) < 5 << 20
        assert len(list(cache.glob("*.data"))) < 6


def test_processes_share_a_cache(world: Path, web: ObjectServer, tmp_path: Path) -> None:
    want = epoch(str(world / "bucket" / "ww"), tmp_path / "cache")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(epoch(f"{web.url}/bucket/ww", tmp_path / "cache",
                                                                  TRAJPACK_CACHE_BYTES="1MiB"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [want] * 4
