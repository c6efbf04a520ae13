"""How often each person's photos should come in training so that every group comes as often as any other.

Made where groups may be known, from the protected attributes; what leaves that place is one number a person, from a
few: training reads weights, never groups. (Two numbers still part people in two: the table of weights is kept with the
run and not handed on.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import AssessmentError


class BalanceConfiguration(Configuration):
    """How far groups are balanced.

    Attributes:
        strength: 1 makes every group come equally often, 0 leaves each as it is, between is between.
        most: no photo comes more than this many times as often as it would; a group of few people seen again and again
            would be learned by heart.
    """

    strength: float = Field(default=1.0, ge=0.0, le=1.0)
    most: float = Field(default=4.0, ge=1.0)


DEFAULT_BALANCE = BalanceConfiguration()


def balanced_weights(
    subjects: Sequence[str | None],
    groups: Mapping[str, str],
    configuration: BalanceConfiguration = DEFAULT_BALANCE,
) -> dict[str, float]:
    """Return how often each subject's photos should come, relative to their number; 1 on average over the photos.

    Args:
        subjects: the subject of each training photo, [N]; a photo of nobody known keeps weight 1.
        groups: subject -> group; a subject of no known group keeps weight 1.
        configuration: how far.

    Returns:
        subject -> weight, for every subject with a photo and a known group.

    Raises:
        AssessmentError: no photo is of a subject whose group is known.
    """
    known = [str(subject) for subject in subjects if subject is not None and str(subject) in groups]
    if not known:
        raise AssessmentError("Nobody among the training photos is in a known group: there is nothing to balance.")
    names, photos = np.unique([groups[subject] for subject in known], return_counts=True)
    wanted = (photos.mean() / photos) ** configuration.strength
    # What is capped is taken from nobody else: the others keep their proportions.
    weights = np.minimum(wanted, configuration.most)
    weights *= photos.sum() / (weights * photos).sum()
    weights = np.minimum(weights, configuration.most)
    of_group = dict(zip(names.tolist(), weights.tolist(), strict=True))
    return {subject: float(of_group[groups[subject]]) for subject in dict.fromkeys(known)}
