"""Declarations and a manifest of a few rows, for the tests of what is made of them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from countenance.configuration import narrow
from countenance.data.manifest import MANIFEST_SCHEMA
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.intended_use import IntendedUse

USE: dict[str, Any] = {
    "purpose": "To let people in who enrolled.",
    "domains": ["the door of a laboratory"],
    "out_of_scope": ["searching for people among others (1:N)"],
    "affected": ["people at the door"],
    "setting": "research_only",
    "data_purposes": ["research", "demonstration"],
}
SOURCE: dict[str, Any] = {
    "title": "faces of a test",
    "motivation": "Made for a test.",
    "collection": "Written down by hand.",
    "labelling": "Written down by hand, too.",
    "annotators": "expert-generated",
    "consent": "Nobody is in them.",
    "license_stated_by": "this test",
    "known_gaps": ["There are hardly any."],
}
GOVERNANCE: dict[str, Any] = {
    "model_summary": "It tells faces apart.",
    "intended_use": USE,
    "sources": {"drawn": SOURCE, "photographed": SOURCE},
}


def use(**changes: Any) -> IntendedUse:
    return narrow(IntendedUse, USE | changes, where="a test")


def governance(**changes: Any) -> GovernanceConfiguration:
    return narrow(GovernanceConfiguration, GOVERNANCE | changes, where="a test")


def manifest(*rows: dict[str, Any]) -> pd.DataFrame:
    """A manifest; a row says what differs from a drawn face of nobody in training."""
    usual: dict[str, Any] = dict.fromkeys(MANIFEST_SCHEMA.names)
    usual |= {"source": "drawn", "is_face": True, "license": "Apache-2.0", "purpose": "demonstration", "split": "train"}
    numbered = [
        usual | {"face_id": f"face-{number}", "photo": f"photo-{number}", "photo_sha256": f"{number:064x}"} | row
        for number, row in enumerate(rows)
    ]
    frame = pd.DataFrame(numbered, columns=MANIFEST_SCHEMA.names)
    for column in ("age_years", "yaw_deg"):
        frame[column] = frame[column].astype("float32")
    return frame
