"""Objects in S3, with all their versions: what is deleted there otherwise only gets a delete marker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from countenance.erasure.project import StoredObject, content_id_of
from countenance.errors import DataError


@dataclass(frozen=True)
class S3Place:
    """Everything under a prefix of a bucket.

    Attributes:
        name: see :class:`countenance.erasure.project.ObjectPlace`.
        client: of boto3.
        bucket, prefix: where.
        downloads: a folder for what is being looked at.
    """

    name: str
    client: Any = field(repr=False)
    bucket: str
    prefix: str
    downloads: Path

    def objects(self) -> Iterator[StoredObject]:
        """Every version of every object; uploads that were not finished are given up first, since none can be read."""
        self._abort_uploads()
        for page in self._pages():
            for version in page.get("Versions", []):
                yield S3Version(self, version["Key"], version["VersionId"], int(version["Size"]))

    def tidy(self) -> int:
        """Remove the delete markers of keys that have no version left."""
        keys: set[str] = set()
        markers: list[tuple[str, str]] = []
        for page in self._pages():
            keys.update(version["Key"] for version in page.get("Versions", []))
            markers += [(marker["Key"], marker["VersionId"]) for marker in page.get("DeleteMarkers", [])]
        orphans = [(key, version) for key, version in markers if key not in keys]
        for key, version in orphans:
            self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
        return len(orphans)

    def _pages(self) -> Iterator[Mapping[str, Any]]:
        pages = self.client.get_paginator("list_object_versions")
        yield from pages.paginate(Bucket=self.bucket, Prefix=self.prefix)

    def _abort_uploads(self) -> None:
        pages = self.client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
            for upload in page.get("Uploads", []):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])


@dataclass(frozen=True)
class S3Version:
    """One version of an object."""

    place: S3Place
    key: str
    version: str
    size: int

    @property
    def name(self) -> str:
        """Its key and version."""
        return f"{self.key} ({self.version})"

    @property
    def content_id(self) -> str | None:
        """What its key says."""
        return content_id_of(self.key)

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        if self.size == 0:
            return b""
        got = self.place.client.get_object(**self._address(), Range=f"bytes=0-{count - 1}")
        content: bytes = got["Body"].read()
        return content

    @contextmanager
    def content(self) -> Iterator[Path]:
        """A download, which is removed again."""
        self.place.downloads.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.place.downloads) as file:
            self.place.client.download_fileobj(self.place.bucket, self.key, file, ExtraArgs={"VersionId": self.version})
            file.flush()
            yield Path(file.name)

    def delete(self) -> None:
        """Remove this version for good."""
        self.place.client.delete_object(**self._address())

    def _address(self) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.key, "VersionId": self.version}


def s3_place(name: str, url: str, settings: Mapping[str, Any], downloads: Path) -> S3Place:
    """A place in S3, as the configuration of a DVC remote describes it.

    Args:
        name: as the receipt calls it.
        url: ``s3://bucket/prefix``.
        settings: of the remote: ``endpointurl``, ``region``, ``profile``, keys and so on; the environment otherwise.
        downloads: a folder for what is being looked at.

    Raises:
        DataError: boto3 isn't installed.
    """
    try:
        import boto3
    except ImportError as error:
        raise DataError(f"{url} can't be purged without boto3: install the project's 'pipelines' extra.") from error
    session = boto3.session.Session(
        aws_access_key_id=settings.get("access_key_id"),
        aws_secret_access_key=settings.get("secret_access_key"),
        aws_session_token=settings.get("session_token"),
        region_name=settings.get("region"),
        profile_name=settings.get("profile"),
    )
    client = session.client(
        "s3",
        endpoint_url=settings.get("endpointurl"),
        use_ssl=settings.get("use_ssl", True),
        verify=settings.get("ssl_verify"),
    )
    parsed = urlparse(url)
    prefix = parsed.path.strip("/")
    return S3Place(name, client, parsed.netloc, f"{prefix}/" if prefix else "", downloads)
