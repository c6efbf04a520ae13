from typing import Any

from countenance.reporting.rollout_words import (
    all_words,
    charge_sentence,
    exposure_sentence,
    named,
    outcome_of,
    price_sentence,
    stopped_sentence,
    story_text,
)

from .samples import rollout
from .small_run import NAMES

STORY = {
    "policy_hash": "a",
    "final_stage": "ROLLED_BACK",
    "requests_exposed": 10,
    "people_exposed": 1,
    "wrong_decisions": 0,
    "champion_wrong_decisions": 1,
    "money_lost": 20.0,
    "money_lost_beyond_champion": -5.0,
}


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_first_champion_is_told_as_a_signed_bootstrap() -> None:
    first = flat(story_text(rollout(), names=NAMES).split("\n\n")[0])
    assert first.startswith("v1 student alone (version 1): made champion by a signed bootstrap. Promoted 1 March 2025")
    assert "anna signed 'v1 student alone' as the first champion" in first and "wrongly" not in first


def test_a_promotion_is_told_with_its_stages_people_and_money() -> None:
    promoted, told = rollout()["entries"][1]["story"], flat(story_text(rollout(), names=NAMES).split("\n\n")[1])
    assert told.startswith("v2 AdaDistill (version 2): promoted. Shadow 21 March 2025, 12:00; canary at 5 % 12:")
    assert "canary at 25 %" in told and "; bake " in told and "; promoted " in told
    assert flat(promoted["reason"]) in told
    assert f"of {promoted['people_exposed']} people" in told and f"EUR {promoted['money_lost']:,.2f}" in told


def test_a_rollback_is_told_with_its_reason() -> None:
    told = flat(story_text(rollout(), names=NAMES).split("\n\n")[2])
    assert told.startswith("v3 damaged (version 3): rolled back.") and "harm to group 'south'" in told


def test_the_text_ends_with_who_is_in_charge_and_fits_the_width() -> None:
    text = story_text(rollout(), names=NAMES, width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "v2 AdaDistill is champion. Before it was v1 student alone" in flat(text)
    assert "21 events" in text


def test_a_skipped_candidate_says_why() -> None:
    skipped = rollout()
    sentence = "'student_damaged' was not registered: Failed: no regression of TAR"
    skipped["entries"][2] |= {"story": None, "skipped": sentence, "version": None}
    words = all_words(skipped, NAMES)[2]
    assert (
        words.paragraph == "v3 damaged: not rolled out. 'v3 damaged' was not registered: Failed: no regression of TAR."
    )
    assert stopped_sentence(skipped, NAMES) == "v3 damaged was not rolled out."


def test_without_names_the_keys_are_read_as_words() -> None:
    assert story_text(rollout()).startswith("student alone (version 1)")


def test_nothing_played_is_said() -> None:
    assert story_text({}) == "No candidate is champion.\n"
    assert charge_sentence({"champion": None}, {}) == "No candidate is champion."


def outcome(stage: str, **changes: Any) -> tuple[str, str]:
    return outcome_of({**STORY, "final_stage": stage, **changes})


def test_every_end_has_a_word_and_what_still_runs_says_so() -> None:
    assert outcome("PROMOTED") == ("promoted", "good")
    assert outcome("PROMOTED", policy_hash=None)[0] == "made champion by a signed bootstrap"
    assert outcome("ROLLED_BACK", policy_hash=None) == ("rolled back", "bad")
    assert outcome("ABORTED")[1] == outcome("REJECTED")[1] == "bad"
    assert outcome("INCONCLUSIVE") == ("inconclusive", "open")
    assert outcome("CANARY") == ("still in canary", "open")


def test_counts_of_people_and_errors_read_as_a_sentence() -> None:
    assert exposure_sentence(STORY) == (
        "On trial it answered 10 requests of 1 person, none of them wrongly; "
        "on the same requests the champion would have been wrong 1 time."
    )
    assert exposure_sentence({**STORY, "champion_wrong_decisions": 0}).endswith("would never have been wrong.")
    assert exposure_sentence({**STORY, "requests_exposed": 0}).startswith("It never answered anybody")


def test_money_is_held_against_what_the_champion_would_have_cost() -> None:
    assert price_sentence(STORY, "EUR").endswith("EUR 20.00, EUR 5.00 less than the champion's would have.")
    assert "EUR 5.00 more than" in price_sentence({**STORY, "money_lost_beyond_champion": 5.0}, "EUR")
    assert "as much as" in price_sentence({**STORY, "money_lost_beyond_champion": 0.0}, "EUR")
    assert "no prices were given" in price_sentence({**STORY, "money_lost": None}, "EUR")
    assert price_sentence({**STORY, "requests_exposed": 0}, "EUR") == ""


def test_release_ids_become_names_and_times_become_plain() -> None:
    told = named("'release-two' waits until 2026-01-02T03:04:05+00:00", rollout(), NAMES)
    assert told == "'v2 AdaDistill' waits until 2 January 2026, 03:04 UTC."
