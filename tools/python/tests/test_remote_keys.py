"""Who may read datasets on servers: certificates, secrets in addresses, the keys of S3 from every place, and the Hub."""
# ruff: noqa: F811  fixtures are imported, and arguments of tests
from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trajpack
from object_server import Fault, ObjectServer, Request
from places import surroundings
from remote_world import BARE, KEY, SECRET, given, keys, run, s3, service, web, world  # noqa: F401  fixtures

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
