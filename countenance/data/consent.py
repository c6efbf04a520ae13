"""Consent: what a face, or a person to be enrolled, may be used for, and until when.

The manifest carries ``purpose``, ``consent_id`` and ``expires_at`` a row. They are checked when a training starts, not
only when data are imported: between the two, a consent may run out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.manifest_gaps import is_blank
from countenance.errors import DataError

_SHOWN: Final = 3


class ConsentPolicy(Configuration):
    """What is asked of a row's consent.

    Attributes:
        purposes: a row serves one of these, or is not used; a row without a purpose is not used either.
        consent_id_required: whether every named person needs the reference of a consent.
        expiry_required: whether every named person's consent needs a day on which it ends.
    """

    purposes: tuple[str, ...] = Field(min_length=1)
    consent_id_required: bool = False
    expiry_required: bool = False


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What one person agreed to.

    Attributes:
        consent_id: the reference under which the agreement is kept; never a name.
        purpose: what for.
        expires_at: until when, with a time zone; None for no end.
        withdrawn: whether it was taken back.
    """

    consent_id: str | None
    purpose: str | None
    expires_at: datetime | None = None
    withdrawn: bool = False


def training_rows(manifest: pd.DataFrame, policy: ConsentPolicy, *, now: datetime) -> pd.DataFrame:
    """The manifest as it is, if every row that is trained on may be.

    Rows of other splits are not looked at: they are used to measure, and the validation room looks at all of them.

    Args:
        manifest: all of it.
        policy: what is asked.
        now: with a time zone; a consent that ends at this very moment has ended.

    Raises:
        DataError: some may not be; the text says why, how many, and the ids of the first faces.
    """
    _require_zone(now)
    problems = consent_problems(manifest[manifest["split"] == "train"], policy, now=now)
    for problem, faces in problems.items():
        shown = ", ".join(faces[:_SHOWN]) + (", ..." if len(faces) > _SHOWN else "")
        raise DataError(
            f"{len(faces)} training rows may not be trained on, because {problem} ({shown}): erase these people with "
            "`countenance erase-subject`, import again with their new consent, or change 'consent' in "
            "parameters_training.yml."
        )
    return manifest


def consent_problems(rows: pd.DataFrame, policy: ConsentPolicy, *, now: datetime) -> Mapping[str, list[str]]:
    """The ids of faces that may not be used, by the reason; a reason that hits nobody is left out.

    Args:
        rows: of a manifest.
        policy: what is asked.
        now: with a time zone.
    """
    named = rows["subject_id"].notna()
    unnamed_consent = rows["consent_id"].isna() | is_blank(rows["consent_id"])
    missing: Mapping[str, pd.Series[bool]] = {
        "their purpose is not among the permitted ones": ~rows["purpose"].isin(policy.purposes),
        "their consent has run out": rows["expires_at"].notna() & (rows["expires_at"] <= pd.Timestamp(now)),
        "they have no consent id": named & unnamed_consent & policy.consent_id_required,
        "their consent has no end": named & rows["expires_at"].isna() & policy.expiry_required,
    }
    return {reason: _faces(rows, hit.to_numpy(dtype=bool)) for reason, hit in missing.items() if hit.any()}


def require_enrolment_consent(consent: Consent, policy: ConsentPolicy, *, now: datetime) -> None:
    """Refuse to enrol a person into a gallery without a consent that holds now, and for this.

    For an enrolment a reference is always asked for, whatever the policy says of training.

    Raises:
        DataError: why not, and what to do; it names nobody.
    """
    _require_zone(now)
    if consent.withdrawn:
        raise DataError("The consent was withdrawn, so the person can't be enrolled: ask for a new one.")
    if not (consent.consent_id or "").strip():
        raise DataError("The person can't be enrolled without the id of a consent: record one and give its id.")
    if consent.purpose not in policy.purposes:
        raise DataError(
            "The consent is for another purpose than this gallery's, so the person can't be enrolled: ask for one for "
            f"{' or '.join(policy.purposes)}."
        )
    if consent.expires_at is None:
        if policy.expiry_required:
            raise DataError("The consent says no end, so the person can't be enrolled: record until when it holds.")
        return
    _require_zone(consent.expires_at)
    if consent.expires_at <= now:
        raise DataError("The consent has run out, so the person can't be enrolled: ask for a new one.")


def _faces(rows: pd.DataFrame, hit: NDArray[np.bool_]) -> list[str]:
    return [str(face) for face in rows.loc[hit, "face_id"]]


def _require_zone(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise DataError("A moment without a time zone can't be compared with a consent's end: give it in UTC.")
