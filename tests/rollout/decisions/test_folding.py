from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countenance.rollout.decisions import intake
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.folding import Folded, fold
from countenance.rollout.decisions.labels import sign_label
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore

from ..scenes import ANNA, GROUPS, NOON, bootstrapped, hours, policy
from .oracle import Sums, everything
from .requests import DELAY, SECRET, asked, begun, labelled, told

MINUTE = timedelta(minutes=1)


def folded(store: RolloutStore, record: RolloutRecord, cursor: Cursor | None, minute: float, **limits: int) -> Folded:
    return fold(store, record, cursor or Cursor(), NOON + minute * MINUTE, **limits)


def rows_of(look: Folded) -> int:
    return sum(len(batch.labelled) for batch in look.batches)


def test_a_label_that_came_early_counts_when_its_decision_is_old_enough(service: RolloutStore) -> None:
    record, decision = begun(service), asked()
    intake.record(service, [decision], now=NOON)
    labelled(service, [decision], now=NOON + MINUTE)
    early = folded(service, record, None, 5)
    assert (rows_of(early), early.batches[0].scored, early.batches[0].due) == (0, 1, 0)
    ripe = folded(service, record, early.cursor, 6)
    assert (rows_of(ripe), ripe.batches[0].scored, ripe.batches[0].due) == (1, 0, 1)
    assert rows_of(folded(service, record, ripe.cursor, 60)) == 0


def test_a_label_that_comes_late_counts_when_it_comes(service: RolloutStore) -> None:
    record, decision = begun(service), asked()
    intake.record(service, [decision], now=NOON)
    due = folded(service, record, None, 30)
    assert (rows_of(due), due.batches[0].due) == (0, 1)
    labelled(service, [decision], now=NOON + 40 * MINUTE)
    late = folded(service, record, due.cursor, 40)
    assert (rows_of(late), late.batches[0].due) == (1, 0)
    assert rows_of(folded(service, record, late.cursor, 60)) == 0


def test_a_request_without_a_label_is_due_and_nothing_else(service: RolloutStore) -> None:
    record = begun(service)
    intake.record(service, [asked(), asked(by_candidate=True)], now=NOON)
    look = folded(service, record, None, 60).batches[0]
    assert (look.due, look.due_by_candidate, len(look.labelled)) == (2, 1, 0)


def test_a_request_that_was_not_drawn_is_not_due_and_its_label_is_no_evidence(service: RolloutStore) -> None:
    record = begun(service)
    drawn, passed = asked(audit_probability=0.25), asked(audit_probability=0.25, audited=False)
    intake.record(service, [drawn, passed], now=NOON)
    labelled(service, [drawn, passed], now=NOON)
    look = folded(service, record, None, 60).batches[0]
    assert (look.due, look.labelled.weight.tolist()) == (1, [4.0])


def test_what_a_row_says_is_what_the_batch_says(service: RolloutStore) -> None:
    record = begun(service)
    wrong = asked(candidate_match=False, by_candidate=True, group="south", stage_key="canary:1", audit_probability=0.5)
    alone = asked(candidate_match=None, group="somebody else", shadow_dropped=True)
    intake.record(service, [wrong, alone], now=NOON)
    labelled(service, [wrong], now=NOON)
    labelled(service, [alone], mated=False, now=NOON)
    look = folded(service, record, None, 60)
    batch, rows = look.batches[0], look.batches[0].labelled
    assert rows.candidate_wrong.tolist() == [1, -1] and rows.champion_wrong.tolist() == [0, 1]
    assert rows.group.tolist() == ["south", None] and rows.stage.tolist() == ["canary:1", "registered"]
    assert rows.by_candidate.tolist() == [True, False] and rows.mated.tolist() == [True, False]
    assert (batch.scored, batch.disagreed, batch.shadow_dropped, batch.due_disagreed) == (1, 1, 1, 2.0)
    assert look.cursor.exposed_requests == 1


def test_a_request_that_the_candidate_failed_to_answer_is_held_against_it_at_worst(service: RolloutStore) -> None:
    record = begun(service)
    failed = asked(candidate_match=None, by_candidate=True, failed=True, stage_key="canary:1", audit_probability=0.5)
    theirs = asked(champion_match=None, failed=True, stage_key="canary:1")
    intake.record(service, [failed, theirs, asked()], now=NOON)
    assert folded(service, record, None, 60).batches[0].due_disagreed == 2.0


def test_the_answered_requests_and_the_errors_that_became_known_are_told(service: RolloutStore) -> None:
    record = begun(service)
    good = asked(by_candidate=True, routing_key="a", stage_key="canary:1")
    bad = asked(by_candidate=True, routing_key="b", stage_key="canary:1", candidate_match=False)
    theirs = asked(routing_key="c", stage_key="canary:1")
    intake.record(service, [good, bad, theirs], now=NOON)
    first = folded(service, record, None, 1)
    assert [(batch.release, batch.requests, batch.new_people) for batch in first.answered] == [
        ("v2", 2, 2),
        ("v1", 1, 0),
    ]
    again = asked(by_candidate=True, routing_key="a", stage_key="canary:1")
    intake.record(service, [again], now=NOON + 2 * MINUTE)
    labelled(service, [good, bad], now=NOON + 2 * MINUTE)
    (second,) = folded(service, record, first.cursor, 7).answered
    assert (second.release, second.requests, second.new_people) == ("v2", 1, 0)
    assert (second.false_non_matches, second.champion_false_non_matches, second.false_matches) == (1, 0, 0)


def test_people_are_sites_where_routing_is_by_site(service: RolloutStore) -> None:
    record = begun(service, under=policy(route_by="site"))
    first = [asked(by_candidate=True, site=site) for site in ("north gate", "south gate", "north gate")]
    intake.record(service, first, now=NOON)
    look = folded(service, record, None, 1)
    assert look.answered[0].new_people == 2
    intake.record(
        service, [asked(by_candidate=True, site="south gate"), asked(by_candidate=True, site="east")], now=NOON + MINUTE
    )
    assert folded(service, record, look.cursor, 2).answered[0].new_people == 1


def test_a_look_takes_no_more_than_it_may_and_says_that_it_is_behind(service: RolloutStore) -> None:
    record = begun(service)
    decisions = [asked() for _ in range(25)]
    intake.record(service, decisions, now=NOON)
    labelled(service, decisions, now=NOON)
    cursor, seen, behind = Cursor(), [], True
    while behind:
        look = folded(service, record, cursor, 60, rows=10)
        cursor, behind = look.cursor, look.behind
        seen.append((look.batches[0].scored, rows_of(look)))
    assert seen == [(10, 10), (10, 10), (5, 5)]
    assert not folded(service, record, cursor, 61).anything


def test_a_label_beyond_what_one_look_takes_waits_though_its_decision_ripened_meanwhile(service: RolloutStore) -> None:
    record = begun(service)
    old, new = [asked() for _ in range(4)], asked()
    intake.record(service, old, now=NOON)
    first = folded(service, record, None, 60)
    intake.record(service, [new], now=NOON + hours(1))
    labelled(service, [*old, new], now=NOON + hours(1))
    cursor, counted, behind = first.cursor, [], True
    while behind:
        look = folded(service, record, cursor, 120, rows=2)
        cursor, behind = look.cursor, look.behind
        counted.append(rows_of(look))
    assert counted == [2, 2, 1]


def test_labels_of_another_model_are_passed_by_however_many_there_are(service: RolloutStore, url: str) -> None:
    record, mine = begun(service), asked()
    intake.record(service, [mine], now=NOON)
    cursor = folded(service, record, None, 60).cursor
    with RolloutStore.open(url, model="another", keys=[ANNA]) as other:
        theirs = [asked() for _ in range(20)]
        intake.record(other, theirs, now=NOON)
        labels = [
            sign_label(each.decision_id, mated=True, source="gate", secret=SECRET, model="another") for each in theirs
        ]
        intake.label_all(other, labels, SECRET, now=NOON)
    labelled(service, [mine], now=NOON + hours(1))
    seen, look = [], None
    while look is None or look.behind:
        look = folded(service, record, cursor, 120, rows=10)
        assert look.anything  # or the controller would stand still before them
        cursor = look.cursor
        seen.append(rows_of(look))
    assert seen == [0, 0, 1]


def test_labels_of_earlier_rollouts_cost_a_new_one_nothing(service: RolloutStore) -> None:
    begun(service)
    decisions = [asked() for _ in range(30)]
    intake.record(service, decisions, now=NOON)
    labelled(service, decisions, now=NOON)
    record = begun(service, "v3", under=policy(on_active="supersede"), now=NOON + hours(1))
    mine = asked(candidate="v3")
    intake.record(service, [mine], now=NOON + hours(1))
    look = folded(service, record, None, 120, rows=10)
    assert (look.batches[0].due, rows_of(look), look.behind, look.cursor.label) == (1, 0, False, 30)
    labelled(service, [mine], now=NOON + hours(2))
    assert rows_of(folded(service, record, look.cursor, 120, rows=10)) == 1


def test_between_arms_a_batch_has_one_weight_among_those_only_one_model_scored(service: RolloutStore) -> None:
    record = begun(service, under=policy(canary_comparison="arms"))
    shares = (1.0, 0.5, 0.25, 0.5)
    alone = [asked(candidate_match=None, audit_probability=share, stage_key="canary:1") for share in shares]
    pair = asked(audit_probability=0.125)
    intake.record(service, [*alone, pair], now=NOON)
    labelled(service, [*alone, pair], now=NOON)
    look = folded(service, record, None, 60)
    assert [batch.labelled.weight.tolist() for batch in look.batches] == [[1.0, 8.0], [2.0, 2.0], [4.0]]
    assert [batch.due for batch in look.batches] == [5, 0, 0]


def test_a_request_without_a_time_is_no_measurement_of_latency(service: RolloutStore) -> None:
    record = begun(service, under=policy(latency={"limit_ms": 100, "tolerated": 0.01}))
    times = [{"candidate_ms": 99.0}, {"candidate_ms": 101.0}, {}, {"candidate_match": None, "failed": True}]
    intake.record(service, [asked(by_candidate=True, **given) for given in times], now=NOON)
    served = folded(service, record, None, 1).batches[0].served["candidate"]
    assert (served.requests, served.slow, served.errors) == (3, 2, 1)


def test_the_tail_is_a_random_sample_though_every_disagreement_is_labelled(service: RolloutStore) -> None:
    record = begun(service, under=policy(drift={"tail_score": 0.5, "tolerated": 0.2}))
    alike = [
        asked(candidate_score=0.1, candidate_match=False, champion_match=False, audit_probability=0.1, audited=False)
        for _ in range(900)
    ]
    drawn = [
        asked(candidate_score=0.1, candidate_match=False, champion_match=False, audit_probability=0.1)
        for _ in range(100)
    ]
    apart = [asked(candidate_score=0.9, candidate_match=True, champion_match=False) for _ in range(200)]
    intake.record(service, [*alike, *drawn, *apart], now=NOON)
    labelled(service, [*drawn, *apart], mated=False, now=NOON)
    batch = folded(service, record, None, 60).batches[0]
    # In truth 200 of 1,200 lie in the tail; a tenth of either kind is watched. Unthinned it would be 200 of 300.
    assert batch.tail_watched - batch.tail_above == 100
    assert 8 <= batch.tail_above <= 35


def test_money_is_summed_as_labels_come(service: RolloutStore) -> None:
    budget = {
        "amount": 1000,
        "currency": "EUR",
        "cost_false_match": 50,
        "cost_false_non_match": 3,
        "worst_excess": 0.1,
        "requests_per_hour": 100,
        "horizon": 3600,
    }
    record = begun(service, under=policy(budget=budget))
    let_in = asked(by_candidate=True, candidate_match=True, champion_match=False, audit_probability=0.5)
    spared = asked(by_candidate=True, candidate_match=True, champion_match=False)
    shadowed = asked(candidate_match=False)
    intake.record(service, [let_in, spared, shadowed], now=NOON)
    labelled(service, [let_in], mated=False, now=NOON)
    labelled(service, [spared, shadowed], now=NOON)
    cursor = folded(service, record, None, 60).cursor
    assert cursor.spending.paired == 2 * 50 - 3  # weight 2 x 50 for the stranger, less 3 for whom it did not turn away
    assert cursor.spending.excess() == 97
    assert cursor.exposed_requests == 2


def test_a_cursor_is_small_and_survives_being_written(service: RolloutStore) -> None:
    record = begun(service)
    decisions = [asked(by_candidate=True) for _ in range(200)]
    intake.record(service, decisions, now=NOON)
    labelled(service, decisions, now=NOON)
    cursor = folded(service, record, None, 60).cursor
    assert Cursor.from_json(cursor.to_json()) == cursor and Cursor.from_json(None) == Cursor()
    assert len(cursor.to_json()) < 500


MATCHES = st.sampled_from([True, False, None])
PROBABILITIES = st.sampled_from([(1.0, True), (0.5, True), (0.5, False), (0.125, True), (0.125, False)])
ARRIVAL = st.fixed_dictionaries(
    {
        "candidate_match": MATCHES,
        "champion_match": MATCHES,
        "by_candidate": st.booleans(),
        "group": st.sampled_from([*GROUPS, "unguarded", None]),
        "stage_key": st.sampled_from(["shadow", "canary:1", "canary:2", "baking"]),
        "shadow_dropped": st.booleans(),
        "candidate_ms": st.sampled_from([None, 50.0, 150.0]),
        "audit": PROBABILITIES,
    }
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.lists(ARRIVAL, min_size=1, max_size=6)),
        st.tuples(st.just("label"), st.lists(st.tuples(st.integers(0, 200), st.booleans()), min_size=1, max_size=5)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 3.0, 6.0, 20.0])),
        st.tuples(st.just("look"), st.just(True)),
        st.tuples(st.just("look, and die before it is kept"), st.just(False)),
    ),
    max_size=25,
)


class Service:
    """One store for all examples; each is a rollout of its own, which supersedes the one before."""

    def __init__(self, store: RolloutStore):
        self.store = store
        self.numbers = count(2)
        self.now = NOON

    def rollout(self, rules: RolloutPolicy) -> tuple[RolloutRecord, str]:
        release = f"v{next(self.numbers)}"
        self.now += hours(1)
        return begun(self.store, release, under=rules, now=self.now), release


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    path: Path = tmp_path_factory.mktemp("folding") / "rollouts.db"
    with RolloutStore.open(f"sqlite:///{path}", keys=[ANNA]) as store:
        bootstrapped(store)
        yield Service(store)


@pytest.fixture
def shared_postgresql(postgresql_url: str) -> Iterator[Service]:
    with RolloutStore.open(postgresql_url, keys=[ANNA]) as store:
        bootstrapped(store)
        yield Service(store)


def arrival(release: str, given: dict[str, Any]) -> Any:
    values = dict(given)
    probability, audited = values.pop("audit")
    answer = values["candidate_match"] if values["by_candidate"] else values["champion_match"]
    return asked(candidate=release, failed=answer is None, audit_probability=probability, audited=audited, **values)


def run(service: Service, events: list[tuple[str, Any]], rows: int, rules: RolloutPolicy) -> None:
    """Play ``events``; whenever a look is not behind, all that was folded so far is all that there is."""
    record, release = service.rollout(rules)
    store, cursor, sums = service.store, Cursor(), Sums()
    decisions: list[Any] = []
    has_label: set[str] = set()

    def caught_up(now: datetime) -> None:
        nonlocal cursor
        behind = True
        while behind:
            look = fold(store, record, cursor, now, rows=rows)
            cursor, behind = Cursor.from_json(look.cursor.to_json()), look.behind
            sums.add(look.batches)
        assert sums.told() == everything(store, record, rules, now).told()

    for kind, what in events:
        if kind == "arrive":
            new = [arrival(release, given) for given in what]
            decisions += new
            intake.record(store, new, now=service.now)
        elif kind == "label" and decisions:
            chosen = {decisions[number % len(decisions)].decision_id: mated for number, mated in what}
            unlabelled = [item for item in decisions if item.decision_id in chosen.keys() - has_label]
            has_label |= chosen.keys()
            messages = [told(item, chosen[item.decision_id]) for item in unlabelled]
            intake.label_all(store, [*messages, *messages], SECRET, now=service.now)
        elif kind == "wait":
            service.now += timedelta(minutes=what)
        elif what:
            caught_up(service.now)
        else:
            fold(store, record, cursor, service.now, rows=rows)  # nothing of it is kept
    service.now += DELAY
    caught_up(service.now)


RULES = policy(on_active="supersede")
ARMS = policy(on_active="supersede", canary_comparison="arms", latency={"limit_ms": 100, "tolerated": 0.01})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, rows=st.sampled_from([2, 3, 7, 5000]), rules=st.sampled_from([RULES, ARMS]))
def test_whatever_comes_in_whatever_order_counts_exactly_once(
    shared: Service, events: list[tuple[str, Any]], rows: int, rules: RolloutPolicy
) -> None:
    run(shared, events, rows, rules)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, rows=st.sampled_from([3, 5000]), rules=st.sampled_from([RULES, ARMS]))
def test_so_it_does_on_postgresql(
    shared_postgresql: Service, events: list[tuple[str, Any]], rows: int, rules: RolloutPolicy
) -> None:
    run(shared_postgresql, events, rows, rules)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, rows=st.sampled_from([2, 3, 7, 5000]), rules=st.sampled_from([RULES, ARMS]))
def test_over_two_thousand_histories_it_still_does(
    shared: Service, events: list[tuple[str, Any]], rows: int, rules: RolloutPolicy
) -> None:
    run(shared, events, rows, rules)
