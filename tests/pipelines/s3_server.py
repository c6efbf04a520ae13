"""A real S3 store with versions on this machine: SeaweedFS, one process, its data in a temporary folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "versioned"
KEY, SECRET = "the-key-of-a-test", "the-secret-of-a-test"
_READY_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """Where it listens."""

    url: str

    def client(self) -> Any:
        """Of boto3."""
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
        )


def weed() -> str | None:
    """The program, if it is installed."""
    return shutil.which("weed")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server with one bucket that keeps versions, until the block ends."""
    folder.mkdir(parents=True)
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ("s3", "master", "volume", "filer", "admin")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    arguments = [
        f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false",
        "-webdav=false", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-bucket={BUCKET}", *(f"-{name}.port={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([weed() or "weed", "mini", *arguments], stdout=log, stderr=subprocess.STDOUT)
        try:
            server = S3Server(f"http://127.0.0.1:{ports['s3']}")
            _wait_until_ready(server, folder)
            yield server
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(server: S3Server, folder: Path) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    client, end = server.client(), time.monotonic() + _READY_SECONDS
    while True:
        try:
            if any(bucket["Name"] == BUCKET for bucket in client.list_buckets()["Buckets"]):
                client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
                return
        except (BotoCoreError, ClientError):
            pass
        if time.monotonic() > end:
            raise RuntimeError(f"SeaweedFS did not start:\n{(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    """Ports whose number plus 10,000 is free, too: SeaweedFS opens both."""
    found: list[int] = []
    for port in range(18_000, 28_000, 7):
        if all(_is_free(each) for each in (port, port + 10_000)):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("No ports are free.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
