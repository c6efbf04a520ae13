from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from countenance.data.consent import (
    Consent,
    ConsentPolicy,
    consent_problems,
    require_enrolment_consent,
    training_rows,
)
from countenance.data.manifest import manifest_table, to_frame
from countenance.errors import DataError

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = ConsentPolicy(purposes=("research",))
STRICT = ConsentPolicy(purposes=("research",), consent_id_required=True, expiry_required=True)


def manifest(*changes: dict[str, object]) -> pd.DataFrame:
    row = {
        "source": "s", "photo": "p", "photo_sha256": "0", "is_face": True, "crop": "c", "license": "own",
        "subject_id": "somebody by name", "purpose": "research", "split": "train",
    }  # fmt: skip
    return to_frame(manifest_table([{**row, "face_id": f"face-{at}", **change} for at, change in enumerate(changes)]))


def test_rows_that_serve_the_purpose_are_handed_on_as_they_are():
    rows = manifest({}, {"expires_at": NOW + timedelta(days=1)})
    assert training_rows(rows, POLICY, now=NOW) is rows


@pytest.mark.parametrize(
    ("change", "policy", "reason"),
    [
        ({"purpose": "demonstration"}, POLICY, "their purpose is not among the permitted ones"),
        ({"purpose": None}, POLICY, "their purpose is not among the permitted ones"),
        ({"expires_at": NOW}, POLICY, "their consent has run out"),
        ({"expires_at": NOW - timedelta(days=1)}, POLICY, "their consent has run out"),
        ({"expires_at": NOW + timedelta(days=1)}, STRICT, "they have no consent id"),
        ({"consent_id": "c-1"}, STRICT, "their consent has no end"),
    ],
)
def test_a_training_row_without_a_consent_that_holds_is_refused_and_nobody_is_named(
    change: dict[str, object], policy: ConsentPolicy, reason: str
):
    fine = {"consent_id": "c-0", "expires_at": NOW + timedelta(days=9)}
    with pytest.raises(DataError, match=rf"1 training rows .*{reason} \(face-1\)") as caught:
        training_rows(manifest(fine, change, fine), policy, now=NOW)
    assert "somebody" not in str(caught.value)


def test_what_is_only_measured_on_does_not_stop_a_training():
    rows = manifest({}, {"purpose": "other", "split": "test"}, {"expires_at": NOW, "split": "validation"})
    assert len(training_rows(rows, POLICY, now=NOW)) == 3


def test_who_is_not_named_needs_no_consent_id():
    assert consent_problems(manifest({"subject_id": None}), STRICT, now=NOW) == {}


def test_many_rows_are_counted_and_the_first_three_shown():
    with pytest.raises(DataError, match=r"5 training rows .* \(face-0, face-1, face-2, \.\.\.\)"):
        training_rows(manifest(*[{"purpose": "x"}] * 5), POLICY, now=NOW)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(DataError, match="without a time zone"):
        training_rows(manifest({}), POLICY, now=datetime(2026, 6, 1))


def test_who_agreed_can_be_enrolled():
    consent = Consent(consent_id="c-1", purpose="research", expires_at=NOW + timedelta(seconds=1))
    require_enrolment_consent(consent, STRICT, now=NOW)
    require_enrolment_consent(Consent(consent_id="c-1", purpose="research"), POLICY, now=NOW)


@pytest.mark.parametrize(
    ("consent", "policy", "sentence"),
    [
        (Consent(consent_id=None, purpose="research"), POLICY, "without the id of a consent"),
        (Consent(consent_id="", purpose="research"), POLICY, "without the id of a consent"),
        (Consent(consent_id="c", purpose="marketing"), POLICY, "for another purpose .* ask for one for research"),
        (Consent(consent_id="c", purpose="research", expires_at=NOW), POLICY, "has run out"),
        (Consent(consent_id="c", purpose="research"), STRICT, "says no end"),
        (Consent(consent_id="c", purpose="research", withdrawn=True), POLICY, "was withdrawn"),
        (Consent(consent_id="c", purpose="research", expires_at=datetime(2027, 1, 1)), POLICY, "time zone"),
    ],
)
def test_who_did_not_agree_is_not_enrolled(consent: Consent, policy: ConsentPolicy, sentence: str):
    with pytest.raises(DataError, match=sentence):
        require_enrolment_consent(consent, policy, now=NOW)
