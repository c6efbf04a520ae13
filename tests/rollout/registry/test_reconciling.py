"""The registry follows the store, whatever happens to either."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.records import DecisionBatch, Look
from countenance.rollout.registry.memory import HAND_EDITED, Memory, remembered, settle
from countenance.rollout.registry.reconciling import reconcile
from countenance.rollout.registry.telling import TAGS_HASH, tags_hash
from countenance.rollout.registry.verification import noted_head, verify_tags
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verdict import judge

from ..scenes import ANNA, LATER, bootstrapped, good_evidence, hours, led_to, promoted, signed
from .board import Board, Killed


def tag(board: Board, release: str, key: str) -> str | None:
    return board.shown.versions[release].tags.get(f"rollout.{key}")


def test_aliases_tags_and_description_say_what_the_store_says(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    reconcile(store, board)
    led_to(store, Stage.CANARY)
    report = reconcile(store, board)
    assert report.aliases == {"champion": "1", "canary": "2"}
    assert board.aliases() == {"champion": "v1", "canary": "v2"}
    assert (tag(board, "v2", "state"), tag(board, "v2", "share"), tag(board, "v2", "step")) == (
        "CANARY",
        "0.05",
        "1 of 2",
    )
    assert tag(board, "v2", "compared_with") == "v1" and "No harm was shown" in (tag(board, "v2", "reason") or "")
    assert float(tag(board, "v2", "e_value.non_inferiority") or 0) > 1e20
    assert tag(board, "v1", "state") == "PROMOTED"
    assert tag(board, "v2", "head") == store.head() == noted_head(board)
    assert "| canary | v2 | 2 | CANARY | 5% |" in board.shown.description
    tags = dict(board.shown.versions["v2"].tags)
    assert tags[TAGS_HASH] == tags_hash(tags)


def test_an_alias_that_nothing_holds_any_more_is_removed(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    reconcile(store, board)
    store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
    reconcile(store, board)
    assert board.aliases() == {"champion": "v1"}
    assert (tag(board, "v2", "state"), tag(board, "v2", "share"), tag(board, "v2", "step")) == (
        "ROLLED_BACK",
        "0",
        None,
    )


def test_a_second_reconciliation_writes_nothing_to_either_side(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    reconcile(store, board)
    assert store.pending_outbox("alias") == ()
    writes, memory = board.writes, remembered(store)
    assert reconcile(store, board).written == 0
    assert (board.writes, remembered(store)) == (writes, memory)


def test_an_edit_by_hand_is_repaired_named_and_told_once(store: RolloutStore) -> None:
    board = Board.of("v1", "v2", "v3")
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    reconcile(store, board)
    messages = len(store.pending_outbox("notify"))
    board.point("champion", "3")
    board.tag("2", "rollout.share", "0.9")
    board.tag("2", "rollout.note", "mine")
    board.tag("2", "owner", "anna")
    report = reconcile(store, board)
    assert report.lines() == (
        "Alias 'champion' was edited by hand in the registry (it pointed at 'v3' where 'v1' belongs) and is put right.",
        "Tag 'rollout.note' of release 'v2' was edited by hand in the registry and is put right.",
        "Tag 'rollout.share' of release 'v2' was edited by hand in the registry and is put right.",
    )
    assert board.aliases()["champion"] == "v1"
    assert (tag(board, "v2", "share"), tag(board, "v2", "note")) == ("0.05", None)
    assert board.shown.versions["v2"].tags["owner"] == "anna"
    told = [event for event in store.events() if event.kind == HAND_EDITED]
    assert [event.payload["message"] for event in told] == list(report.lines())
    assert len(store.pending_outbox("notify")) == messages + 3
    assert reconcile(store, board).edits == () and store.verify_chain() == len(store.events())


def test_what_somebody_typed_into_a_tag_does_not_get_into_the_history(store: RolloutStore) -> None:
    board = Board.of("v1")
    bootstrapped(store)
    reconcile(store, board)
    board.tag("1", "rollout.reason", "because Nemo Nobody said so")
    assert len(reconcile(store, board).edits) == 1
    assert all("Nemo" not in str(event.payload) for event in store.events())


def test_the_same_edit_made_again_after_its_repair_is_told_again(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    reconcile(store, board)
    for _ in range(2):
        board.point("champion", "2")
        assert len(reconcile(store, board).edits) == 1


def test_a_registry_that_was_never_told_anything_was_not_edited(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    board.point("champion", "2")
    board.tag("1", "rollout.state", "CANARY")
    bootstrapped(store)
    assert reconcile(store, board).edits == ()
    assert board.aliases() == {"champion": "v1"} and tag(board, "v1", "state") == "PROMOTED"


def test_the_words_of_people_around_our_part_of_the_description_stay(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    board.describe("Faces at the gate.")
    bootstrapped(store)
    reconcile(store, board)
    board.describe(board.shown.description + "\n\nAsk Anna.")
    promoted(store, "v2")
    assert reconcile(store, board).edits == ()
    assert board.shown.description.startswith("Faces at the gate.") and board.shown.description.endswith("Ask Anna.")
    assert board.shown.description.count("### Rollout") == 1
    board.describe(board.shown.description.replace("PROMOTED", "IN DOUBT"))
    assert [edit.place.kind for edit in reconcile(store, board).edits] == ["description"]
    assert "IN DOUBT" not in board.shown.description


def test_a_registry_that_is_away_keeps_nobody_waiting_and_its_jobs_stay(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    reconcile(store, board)
    board.away = True
    led_to(store, Stage.CANARY)
    waits = []
    for hour in range(1, 4):
        report = reconcile(store, board, now=LATER + hours(hour))
        assert report.away == "The board is away."
        jobs = store.pending_outbox("alias")
        assert report.waiting == len(jobs) == 3
        assert {job.attempts for job in jobs} == {hour} and {job.error for job in jobs} == {"The board is away."}
        waits += [job.next_attempt_at - (LATER + hours(hour)) for job in jobs[:1] if job.next_attempt_at]
    assert waits == sorted(waits) and len(set(waits)) == 3
    assert board.aliases() == {"champion": "v1"}
    board.away = False
    assert reconcile(store, board).edits == ()
    assert board.aliases() == {"champion": "v1", "canary": "v2"} and store.pending_outbox("alias") == ()


def test_a_release_without_a_version_is_named_and_shown_as_soon_as_it_has_one(store: RolloutStore) -> None:
    board = Board.of("v2")
    bootstrapped(store)
    report = reconcile(store, board)
    assert report.unregistered == ("v1",) and "run the registration pipeline" in report.lines()[0]
    (job,) = store.pending_outbox("alias")
    assert (job.alias, job.attempts) == ("champion", 1)
    board.shown = replace(board.shown, versions=Board.of("v2", "v1").shown.versions)
    assert reconcile(store, board).edits == ()
    assert board.aliases() == {"champion": "v1"} and store.pending_outbox("alias") == ()


def test_a_version_that_was_deleted_is_told_of_once(store: RolloutStore) -> None:
    board = Board.of("v1")
    bootstrapped(store)
    reconcile(store, board)
    board.shown = replace(board.shown, versions={}, aliases={})
    report = reconcile(store, board)
    assert [edit.place.key for edit in report.edits if edit.place.kind == "alias"] == ["champion"]
    assert report.unregistered == ("v1",)
    assert [edit for edit in reconcile(store, board).edits if edit.place.kind == "alias"] == []


def test_a_reconciler_that_was_overtaken_reads_both_again(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    reconcile(store, board)
    memory = remembered(store)
    assert memory is not None
    with pytest.raises(RolloutError, match="Another reconciler wrote"):
        settle(store, Memory(revision=memory.revision - 1, shown={}, meant={}), [], LATER)

    class Raced(Board):
        """While it is told of the canary, the canary ends and another reconciler shows that."""

        def set_alias(self, alias: str, version: str) -> None:
            if alias == "canary" and store.active() is not None:
                store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
                reconcile(store, board)
            super().set_alias(alias, version)
            board.shown = self.shown

    led_to(store, Stage.CANARY)
    raced = Raced(board.shown)
    assert reconcile(store, raced).edits == ()
    assert raced.aliases() == {"champion": "v1"} and tag(raced, "v2", "state") == "ROLLED_BACK"


def test_a_tampered_tag_or_alias_is_named(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    assert verify_tags(store, board) == 0
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    reconcile(store, board)
    assert verify_tags(store, board) > 20
    board.tag("2", "rollout.share", "0.9")
    with pytest.raises(RolloutError, match=r"Tag 'rollout.share' of release 'v2' \(version 2\) is not what"):
        verify_tags(store, board)
    reconcile(store, board)
    board.point("canary", "1")
    with pytest.raises(RolloutError, match="Alias 'canary' is not what"):
        verify_tags(store, board)


def test_a_move_that_the_registry_was_not_told_yet_is_no_tampering(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    reconcile(store, board)
    led_to(store, Stage.CANARY)
    assert verify_tags(store, board) > 10


def test_a_memory_that_was_rewritten_together_with_the_registry_is_found(store: RolloutStore) -> None:
    from sqlalchemy import update

    from countenance.rollout import schema
    from countenance.rollout.connection import moving
    from countenance.rollout.registry.projection import Place, to_json

    board = Board.of("v1", "v2")
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    reconcile(store, board)
    memory = remembered(store)
    assert memory is not None
    forged = to_json({**memory.meant, Place("tag", "v2", "rollout.share"): "0.9"})
    board.tag("2", "rollout.share", "0.9")
    with moving(store._engine) as connection:
        connection.execute(update(schema.projection).values(shown=forged, meant=forged))
    with pytest.raises(RolloutError, match=r"Tag 'rollout.share' of release 'v2' \(version 2\)"):
        verify_tags(store, board)


steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "abort", "replace", "reconcile", "away", "die", "edit", "reconcile"]),
        st.integers(0, 25),
    ),
    max_size=10,
)


@settings(max_examples=5, deadline=None)
@given(steps)
def test_after_any_history_of_kills_and_outages_the_registry_is_right_and_only_edits_are_told(
    taken: list[tuple[str, int]],
) -> None:
    lived_through(taken)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(steps)
def test_after_any_of_many_histories_the_registry_is_right(taken: list[tuple[str, int]]) -> None:
    lived_through(taken)


def lived_through(taken: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder, RolloutStore.open(f"sqlite:///{folder}/rollouts.db", keys=[ANNA]) as store:
        board = Board.of("v1", *(f"v{number}" for number in range(2, 14)))
        bootstrapped(store)
        reconcile(store, board)
        edited = told = 0
        for number, (what, after) in enumerate(taken, start=2):
            now = LATER + hours(number)
            active = store.active()
            if what == "start" and active is None:
                led_to(store, Stage.CANARY, f"v{number}")
            elif what == "abort" and active is not None:
                store.command(signed(Act.ABORT, active.state.release, now), now=now)
            elif what == "replace":
                bootstrapped(store, f"v{number}", now)
            elif what == "edit":
                told += len(reconcile(store, board).edits)
                board.point("favourite", "1")
                board.point("shadow", "1")
                edited += 1
                told += len(reconcile(store, board).edits)
            else:
                board.away, board.dies = what == "away", what == "die"
                board.writes_left = None if what == "reconcile" else after
                with suppress(Killed):
                    told += len(reconcile(store, board).edits)
                board.away, board.writes_left = False, None
        told += len(reconcile(store, board).edits)
        assert told == edited
        standing = store.standing()
        held = {"champion": standing.champion, "previous": standing.previous}
        held["canary"] = None if standing.active is None else standing.active.state.release
        assert {alias: name for alias, name in board.aliases().items() if alias != "favourite"} == {
            alias: name for alias, name in held.items() if name is not None
        }
        assert store.pending_outbox("alias") == () and store.verify_chain() == len(store.events())
        assert reconcile(store, board).written == 0 and verify_tags(store, board) > 0


def test_tags_follow_the_looks_between_moves(store: RolloutStore) -> None:
    board = Board.of("v1", "v2")
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    reconcile(store, board)
    measured = good_evidence()
    assert record.policy is not None
    batch = DecisionBatch(
        release="v2",
        first_at=LATER,
        last_at=LATER,
        requests=40,
        new_people=7,
        false_matches=0,
        false_non_matches=1,
        champion_false_matches=0,
        champion_false_non_matches=1,
    )
    look = Look(
        number=1,
        at=LATER,
        stage=Stage.CANARY,
        stage_key="canary:1",
        share=0.05,
        measured=measured,
        verdict=judge(measured, record.policy).summary(),
        batches=(batch,),
    )
    store.observe(record, look)
    assert reconcile(store, board).edits == ()
    assert (tag(board, "v2", "looks"), tag(board, "v2", "people_exposed"), tag(board, "v2", "requests_exposed")) == (
        "1",
        "7",
        "40",
    )
    assert tag(board, "v2", "labelled") == "8040" and "Evidence after look 1" in board.shown.description
    assert verify_tags(store, board) > 20 and reconcile(store, board).written == 0
