from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act, OperatorKey, keyring, verify

from .scenes import ANNA, NOON, signed

KEYS = keyring([ANNA])


def test_what_an_operator_signed_verifies() -> None:
    verify(signed(Act.PROMOTE, "v2"), KEYS)


@pytest.mark.parametrize(
    "change",
    [
        {"act": Act.ROLL_BACK},
        {"subject": "v3"},
        {"at": NOON + timedelta(seconds=1)},
        {"reason": "Another."},
        {"signature": "0" * 64},
        {"signature": "ü"},
    ],
)
def test_any_change_after_signing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RolloutError, match="wrong signature"):
        verify(replace(signed(Act.PROMOTE, "v2"), **change), KEYS)  # type: ignore[arg-type]


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(RolloutError, match="is not signed"):
        verify(replace(signed(Act.PROMOTE, "v2"), signature=""), KEYS)


def test_an_operator_without_a_known_key_is_refused() -> None:
    with pytest.raises(RolloutError, match="unknown operator"):
        verify(signed(Act.PROMOTE, "v2"), {})


def test_another_key_under_the_same_name_is_refused() -> None:
    impostor = OperatorKey("anna", b"not the secret that anna has")
    with pytest.raises(RolloutError, match="wrong signature"):
        verify(impostor.sign(Act.PROMOTE, subject="v2", at=NOON, reason="Because."), KEYS)


def test_the_same_moment_in_another_time_zone_verifies() -> None:
    approval = signed(Act.PROMOTE, "v2")
    verify(replace(approval, at=approval.at.astimezone(timezone(timedelta(hours=2)))), KEYS)


def test_a_key_never_shows_its_secret() -> None:
    assert "secret" not in repr(ANNA)


def test_keys_and_statements_that_say_too_little_are_refused() -> None:
    with pytest.raises(RolloutError, match="at least 16"):
        OperatorKey("anna", b"short")
    with pytest.raises(RolloutError, match="no name"):
        OperatorKey("", b"a secret that is long enough")
    with pytest.raises(RolloutError, match="gives no reason"):
        ANNA.sign(Act.ABORT, subject="v2", at=NOON, reason=" ")
    with pytest.raises(RolloutError, match="time zone"):
        ANNA.sign(Act.ABORT, subject="v2", at=NOON.replace(tzinfo=None), reason="Because.")
    with pytest.raises(RolloutError, match="Two operator keys"):
        keyring([ANNA, ANNA])


def test_one_person_is_not_two_by_having_two_names() -> None:
    with pytest.raises(RolloutError, match="'anna' and 'bert' have one secret"):
        keyring([ANNA, OperatorKey("bert", ANNA.secret)])
