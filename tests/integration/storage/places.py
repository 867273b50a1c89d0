"""The storages that files are written to in these tests: how each is opened, and how it is looked into from outside."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import objects
from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way, storages

Given = tuple[dict[str, Any], str, dict[str, Any]]


@dataclass
class Place:
    """
    A storage with a folder to write to. ``given`` is what it is opened with, by an endpoint; ``files`` are all its
    keys, ``unfinished`` those of what was begun and is no file, as its own client has them.
    """

    name: str
    kind: str
    origin: str
    given: Callable[[str], Given]
    read: Callable[[str], bytes]
    files: Callable[[], list[str]]
    unfinished: Callable[[], list[str]]
    seed: Callable[[str, bytes], None]
    wrong_keys: Mapping[str, str]
    wrong_place: Mapping[str, str]
    is_begin: Callable[[str, str], bool] = lambda method, target: False
    is_part: Callable[[str, str], bool] = lambda method, target: False
    is_last: Callable[[str, str], bool] = lambda method, target: False
    options: dict[str, Any] = field(default_factory=dict)

    def open(self, endpoint: str = "", *, auth: Mapping[str, str] = {}, place: Mapping[str, str] = {}):
        where, auth_type, credentials = self.given(endpoint or self.origin)
        way = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard(), **self.options)
        return storages.get(self.kind).open({**where, **place}, auth_type, {**credentials, **auth}, way)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_answer(url: str, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """Wait until a server answers, with whatever it says."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} was not answered: {((process.stderr and process.stderr.read()) or b'')[-2000:]!r}")


@contextlib.contextmanager
def running(command, url: str, **options: Any) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    try:
        await_answer(url, process)
        yield
    finally:
        process.kill()
        process.communicate()


# -- S3 -----------------------------------------------------------------------------------------------------------


def s3_client(endpoint: str, access_key: str, secret_key: str):
    """Make Amazon's own client, to look from outside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2})
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )


def s3_place(name: str, endpoint: str, access_key: str, secret_key: str, bucket: str, **more: Any) -> Place:
    client = s3_client(endpoint, access_key, secret_key)
    quietly = warnings.catch_warnings

    def call(method: str, **said: Any) -> Any:
        with quietly():
            warnings.simplefilter("ignore")
            return getattr(client, method)(Bucket=bucket, **said)

    def given(origin: str) -> Given:
        place = {"bucket": bucket, "path": "/drop/people/", "x-headrace": {"endpoint": origin, "region": "us-east-1"}}
        return place, "S3", {"accessId": access_key, "secretKey": secret_key}

    return Place(
        name,
        "FILE_BASED_S3",
        endpoint,
        given,
        read=lambda key: call("get_object", Key=f"drop/people/{key}")["Body"].read(),
        files=lambda: [one["Key"] for one in call("list_objects_v2", Prefix="drop/").get("Contents", [])],
        unfinished=lambda: [one["Key"] for one in call("list_multipart_uploads").get("Uploads") or []],
        seed=lambda key, data: call("put_object", Key=f"drop/people/{key}", Body=data),
        wrong_keys={"secretKey": "wrong" * 8},
        wrong_place={"bucket": "nobody-has-made-this"},
        is_begin=lambda method, target: method == "POST" and "uploads" in target,
        is_part=lambda method, target: method == "PUT" and "partNumber" in target,
        is_last=lambda method, target: method == "POST" and "uploadId" in target,
        **more,
    )


@contextlib.contextmanager
def seaweed() -> Iterator[Place]:
    with objects.server(volumes=40) as found:
        yield s3_place("seaweedfs", found.endpoint, objects.WRITER, objects.WRITER_SECRET, "lake")


@contextlib.contextmanager
def moto() -> Iterator[Place]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, f"{origin}/moto-api/", env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"}):
        s3_client(origin, "AKIAEXAMPLE", "secret").create_bucket(Bucket="people")
        yield s3_place("moto", origin, "AKIAEXAMPLE", "secret" * 6, "people")
