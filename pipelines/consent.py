"""The door to every training: the consent of the people in the manifest holds now, and for this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd


def consented(manifest: pd.DataFrame, consent: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest as it is, if all that would be trained on may be.

    Raises:
        DataError: some may not be: another purpose, a consent that has run out or is missing.
    """
    from countenance.configuration import narrow
    from countenance.data.consent import ConsentPolicy, training_rows

    policy = narrow(ConsentPolicy, consent, where="parameters_training.yml")
    return training_rows(manifest, policy, now=datetime.now(UTC))
