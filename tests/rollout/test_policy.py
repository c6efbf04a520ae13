from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.rollout.policy import RolloutPolicy, read_policy
from countenance.rollout.policy_guards import AlphaShares, Budget


def read(**values: object) -> RolloutPolicy:
    return narrow(RolloutPolicy, values, where="parameters_rollout.yml")


def test_the_defaults_are_a_complete_policy() -> None:
    assert read() == RolloutPolicy()
    assert read().promotion_needs_approval


def test_durations_are_read_as_seconds_or_as_iso_text() -> None:
    assert read(label_delay=5400).label_delay == read(label_delay="PT1H30M").label_delay == timedelta(hours=1.5)


def test_the_hash_is_that_of_the_values_and_of_nothing_else() -> None:
    assert read(steps=[0.05, 0.5]).policy_hash() == read(steps=(0.05, 0.5), alpha=0.05).policy_hash()
    assert read().policy_hash() != read(alpha=0.04).policy_hash()
    assert read().policy_hash() != read(shadow={"labelled": 7}).policy_hash()
    assert len(read().policy_hash()) == 64


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", []),
        ("steps", [0.5, 0.25]),
        ("steps", [0.0, 0.5]),
        ("steps", [0.5, 1.5]),
        ("alpha", 0.0),
        ("non_inferiority_margin", 0.0),
        ("label_delay", -1),
        ("deadline", 0),
        ("on_inconclusive", "promote"),
        ("guarded_groups", ["north", "north"]),
        ("maximum_unlabelled_share", 1.0),
        ("group_minimum", 0),
        ("approvers", 0),
        ("heartbeat", 0),
        ("shadow_drop", 1.5),
        ("required_metrics", ["weather"]),
        ("required_metrics", ["labels", "labels"]),
        ("errors", {"share": 0}),
        ("latency", {"limit_ms": 0, "tolerated": 0.1}),
        ("drift", {"tail_score": float("nan"), "tolerated": 0.1}),
        ("on_active", "promote"),
        ("preconditions", "ignored"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        read(**{key: value})


def test_a_misspelt_key_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"shadow\.labelled"):
        read(shadow={"labelled": 0})
    with pytest.raises(ConfigurationError, match="did you mean 'steps'"):
        read(step_s=[0.1])


def test_the_commented_policy_file_names_every_key_and_is_a_policy() -> None:
    path = Path(__file__).parents[2] / "docs" / "rollout_policy.yml"
    assert read_policy(path).approvers == 2
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(written) == set(RolloutPolicy.model_fields)
    assert set(written["budget"]) == set(Budget.model_fields)


def test_a_policy_of_the_release_before_is_still_read() -> None:
    before = (
        '{"steps":[0.05,0.25],"alpha":0.05,"non_inferiority_margin":0.01,"shadow":{"labelled":400,"dwell":"PT0S"},'
        '"step":{"labelled":300,"dwell":"PT0S"},"bake":{"labelled":300,"dwell":"PT0S"},"label_delay":"PT6M",'
        '"deadline":"P2D","maximum_disagreement":0.1,"maximum_unlabelled_share":0.3,"on_inconclusive":"hold",'
        '"canary_needs_approval":false,"promotion_needs_approval":true,"false_match_tolerance":0.01,'
        '"guarded_groups":["north","south"],"group_minimum":100,"route_by":"subject"}'
    )
    loaded = RolloutPolicy.model_validate_json(before)
    assert (loaded.budget, loaded.heartbeat, loaded.approvers, loaded.on_active) == (None, None, 1, "refuse")
    again = RolloutPolicy.model_validate_json(loaded.model_dump_json())
    assert again == loaded and again.policy_hash() == loaded.policy_hash()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alfa: 0.1", "did you mean 'alpha'"),
        ("alpha: 0.05\nalpha: 0.4", "'alpha' stands twice"),
        ("shadow: {labelled: 5, labelled: 6}", "'labelled' stands twice"),
        ("- alpha", "holds no policy"),
        ("", "holds no policy"),
        ("alpha: [", "cannot be read as YAML"),
        ("deadline: tomorrow", "'deadline'.* has a wrong value"),
        ("budget: {amount: 5}", "'budget.currency' is missing"),
    ],
)
def test_a_policy_file_that_is_wrong_is_refused_in_one_sentence(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "p.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=named) as refused:
        read_policy(path)
    assert "\n" not in str(refused.value)


def test_a_policy_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent.yml cannot be read"):
        read_policy(tmp_path / "absent.yml")


def test_the_shares_of_alpha_sum_to_one_and_every_guard_has_some() -> None:
    assert sum(AlphaShares().model_dump().values()) == pytest.approx(1)
    with pytest.raises(ConfigurationError, match="must sum to 1, not 1.1"):
        read(alpha_split={"overall": 0.5})
    none = {"overall": 1, "groups": 0, "latency": 0, "drift": 0}
    assert read(alpha_split=none).alpha_split.overall == 1
    with pytest.raises(ConfigurationError, match="groups are guarded without a share of alpha"):
        read(alpha_split=none, guarded_groups=["north"])
    with pytest.raises(ConfigurationError, match="'latency' has no share of alpha"):
        read(alpha_split=none, latency={"limit_ms": 100, "tolerated": 0.01})


def test_between_arms_the_champion_keeps_some_traffic() -> None:
    with pytest.raises(ConfigurationError, match="leaves the champion no arm to compare with"):
        read(canary_comparison="arms", steps=[0.5, 1.0])
    assert read(canary_comparison="arms", steps=[0.5, 0.99]) and read(steps=[1.0])


@pytest.mark.parametrize("name", ["deadline", "label_delay", "heartbeat"])
def test_a_duration_that_no_calendar_has_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="longer than a hundred years"):
        read(**{name: "P3000000D"})


def test_a_metric_can_only_be_required_where_its_limits_are_known() -> None:
    with pytest.raises(ConfigurationError, match="asks for latency, which has no limits"):
        read(required_metrics=["latency"])
    limited = read(required_metrics=["labels"], latency={"limit_ms": 100, "tolerated": 0.01})
    assert limited.metrics_needed() == ("labels", "latency")
    assert read().metrics_needed() == ()


def test_a_budget_reckons_with_the_dearer_error() -> None:
    money = {"amount": 100, "currency": "EUR", "worst_excess": 0.02, "requests_per_hour": 50, "horizon": "PT1H"}
    budget = read(budget=money | {"cost_false_match": 40, "cost_false_non_match": 2}).budget
    assert budget is not None and budget.cost_of_an_error == 40
    with pytest.raises(ConfigurationError, match="an error that costs something"):
        read(budget=money | {"cost_false_match": 0, "cost_false_non_match": 0})


def test_a_policy_says_its_limits_in_sentences() -> None:
    said = " ".join(read_policy(Path(__file__).parents[2] / "docs" / "rollout_policy.yml").described())
    for part in ("overall 0.02, groups 0.015", "2,000.00 EUR", "silent for longer than 0:02:00", "2 must be given"):
        assert part in said
