"""People set apart from training, to judge what is tried: the test people are kept for what is chosen."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd


def with_people_set_apart(manifest: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The manifest with a share of the named training people moved to validation, all faces of each together.

    A validation split that is enough to set a threshold can be too small to tell two students apart. Who is moved
    depends on the seed and the name alone.

    Args:
        manifest: every row.
        share: of the named training people; 0 moves nobody.
        seed: others give other people.
    """
    training = (manifest["split"] == "train") & manifest["subject_id"].notna()
    apart = training & drawn_people(manifest["subject_id"], share, f"set apart {seed}")
    return manifest.assign(split=manifest["split"].mask(apart, "validation"))


def drawn_people(subjects: pd.Series[Any], share: float, key: str) -> pd.Series[bool]:
    """Which rows are of people that are drawn; who is, depends on the key and the name alone.

    Args:
        subjects: of each row; nobody is drawn where it is null.
        share: of the people.
        key: another one draws others, independently.
    """
    position = {
        subject: int.from_bytes(hashlib.blake2b(f"{key}\n{subject}".encode(), digest_size=8).digest())
        for subject in subjects.dropna().unique()
    }
    return subjects.map(position) < share * 2**64
