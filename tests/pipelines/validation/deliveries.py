"""A clean delivery of data, to be spoiled in one place, and what the validation room says of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.crop_store import Crop, CropStore, write_crop_store
from countenance.data.photographs import encode_photo
from pipelines.validation.assembly import all_facts, checked_data
from tests.conftest import picture
from tests.data.made_manifests import made_manifest
from tests.pipelines.conftest import PROJECT

ROWS = 120
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def base_parameters(environment: str = "base") -> dict[str, Any]:
    """The parameters of an environment, over those of conf/base."""
    from kedro.config import OmegaConfigLoader

    from pipelines.settings import CONFIG_LOADER_ARGS

    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    parameters: dict[str, Any] = loader["parameters"]
    return parameters


@dataclass
class Delivery:
    """A manifest, the encoded crop of each face by crop key (None: not stored), and the room's parameters."""

    manifest: pd.DataFrame
    crops: dict[str, bytes | None]
    parameters: dict[str, Any]
    folder: Path
    known: dict[str, Any] = field(default_factory=dict)

    def copy(self, folder: Path) -> Delivery:
        """One that may be spoiled."""
        return Delivery(self.manifest.copy(), dict(self.crops), copy.deepcopy(self.parameters), folder)

    def spoil(self, rows: list[int], column: str, value: Any) -> list[str]:
        """Set a column of some rows; their face ids."""
        values = self.manifest[column].astype("object").copy()
        for row in rows:
            values.iat[row] = value
        kept = column in ("box_xywh", "landmarks", "visibility", "yaw_range")
        self.manifest[column] = values if kept else values.astype(self.manifest[column].dtype)
        return self.ids(rows)

    def ids(self, rows: list[int]) -> list[str]:
        """Face ids of rows."""
        return [str(self.manifest["face_id"].iat[row]) for row in rows]

    def facts(self) -> pd.DataFrame:
        """As the room's first node gathers them."""
        with write_crop_store(self.folder / "crops") as store:
            for key, encoded in self.crops.items():
                if encoded is not None:
                    store.add(Crop(crop=key, owner=key, aligned=None, box=encoded))
        crops = CropStore(self.folder / "crops")
        return all_facts(self.manifest, crops, {**self.parameters, "known": self.known_parameters()}, now=NOW)

    def known_parameters(self) -> dict[str, Any]:
        """What is known beside the manifest."""
        return {**self.parameters["known"], **self.known}

    def report(self) -> dict[str, Any]:
        """As the room's second node writes it."""
        return checked_data(self.facts(), self.manifest, self.parameters, str(self.folder / "versions"))


def clean_delivery(folder: Path) -> Delivery:
    """A delivery in which nothing is wrong, but that its groups are small."""
    manifest = made_manifest(ROWS)
    manifest["expires_at"] = pd.Timestamp("2030-01-01", tz="UTC")
    crops = {key: encode_photo(face_picture(row)) for row, key in enumerate(manifest["crop"])}
    return Delivery(manifest, crops, base_parameters()["validation"], folder)


def face_picture(number: int) -> NDArray[np.uint8]:
    """A picture like no other, [112, 112, 3]."""
    return picture(112, 112, seed=number)


def accused(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Findings of bad data by name, but for the sizes of groups, which are small here."""
    return {
        finding["name"]: finding
        for finding in report["findings"]
        if finding["status"] == "bad data" and finding["table"] == "faces"
    }


def named_rows(finding: Mapping[str, Any]) -> list[int]:
    """The row numbers of a finding."""
    return [row["row"] for row in finding["first_rows"]]


def assert_named(report: Mapping[str, Any], name: str, rows: list[int], *, also: tuple[str, ...] = ()) -> None:
    """The report accuses these rows under this name, and nothing else but ``also``."""
    found = accused(report)
    assert set(found) == {name, *also}
    finding = found[name]
    assert named_rows(finding) == rows
    assert finding["broken"] == len(rows)
    assert [row["id"] for row in finding["first_rows"]] == [f"face-{row:07d}" for row in rows]
    assert report["passed"] == all(each["severity"] == "warning" for each in found.values())
