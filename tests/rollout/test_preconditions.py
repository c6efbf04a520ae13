import json
import math
import re

import pytest

from countenance.rollout.advance import advance
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.state import RolloutState, Stage
from countenance.rollout.waiting import waits_for

from .machine_scenes import UNEXPOSED, at, evidence
from .scenes import LATER, policy

COMPATIBLE = Preconditions(
    embedding_space="teacher-1", champion_space="teacher-1", cross_model_tar=0.97, required_tar=0.95, threshold=0.41
)


def changed(**values: object) -> Preconditions:
    return Preconditions(**COMPATIBLE.to_dict() | values)


def test_a_measured_compatible_gallery_and_a_threshold_are_all_that_is_needed() -> None:
    assert COMPATIBLE.unmet() == ()
    assert changed(cross_model_tar=0.95).unmet() == ()


def test_a_gallery_that_was_enrolled_again_needs_no_compatibility() -> None:
    assert changed(re_enrolled=True, cross_model_tar=None, required_tar=None).unmet() == ()
    assert changed(re_enrolled=True, cross_model_tar=0.2).unmet() == ()


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (changed(cross_model_tar=0.9499), "reach a TAR of 0.9499 .* and 0.9500 is required"),
        (changed(cross_model_tar=None), "Nobody measured"),
        (changed(required_tar=None), "Nobody measured"),
        (changed(required_tar=0.0), "Nobody measured"),
        (changed(cross_model_tar=math.nan), "Nobody measured"),
        (changed(cross_model_tar=1.5), "Nobody measured"),
        (changed(embedding_space=None), "embedding space is not recorded"),
        (changed(embedding_space=None, re_enrolled=True), "embedding space is not recorded"),
        (changed(threshold=None), "threshold is not recorded"),
        (changed(threshold=math.inf), "threshold is not recorded"),
        (changed(threshold=math.nan), "threshold is not recorded"),
        (Preconditions(), "embedding space"),
    ],
)
def test_what_is_unknown_or_too_low_keeps_the_canary_from_starting(offered: Preconditions, said: str) -> None:

    assert re.search(said, " ".join(offered.unmet()))
    shadow = at(Stage.SHADOW)
    assert advance(shadow, evidence(preconditions=offered), policy(), LATER) == (shadow, ())


@pytest.mark.parametrize("state", [*UNEXPOSED[:2], at(Stage.CANARY, share=0.05), at(Stage.BAKING, share=0.25, step=1)])
def test_where_they_are_required_their_absence_blocks_every_step(state: RolloutState) -> None:
    strict = policy(preconditions="required", promotion_needs_approval=False)
    assert advance(state, evidence(), strict, LATER) == (state, ())
    assert "Nobody recorded whether the gallery fits" in " ".join(waits_for(state, evidence(), strict, LATER))


def test_where_they_are_required_a_canary_starts_with_them() -> None:
    strict = policy(preconditions="required")
    assert advance(at(Stage.SHADOW), evidence(preconditions=COMPATIBLE), strict, LATER)[0].stage is Stage.CANARY


def test_a_shadow_starts_without_them_but_not_against_them() -> None:
    validating, strict = at(Stage.VALIDATING), policy(preconditions="required")
    assert advance(validating, evidence(), strict, LATER)[0].stage is Stage.SHADOW
    against = evidence(preconditions=changed(threshold=None))
    assert advance(validating, against, strict, LATER) == (validating, ())


def test_preconditions_are_kept_as_json() -> None:
    assert Preconditions(**json.loads(json.dumps(COMPATIBLE.to_dict()))) == COMPATIBLE
