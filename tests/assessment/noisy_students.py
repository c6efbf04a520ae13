"""Students of several strengths, given by hand: the same people, seen with the more noise the weaker the student."""

from __future__ import annotations

import numpy as np
import pandas as pd

from countenance.assessment.cost import CostModel
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling

from .faces import face, manifest
from .populations import embeddings

SETTINGS = AssessmentConfiguration(
    headline_far=0.1, operating_far=0.1, resampling=Resampling(resamples=40), faces_per_subject=4,
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)  # fmt: skip
PEOPLE, PHOTOS = 36, 4
NOISE = {"alone": 1.6, "fixed_centres": 1.0, "weighted": 0.7, "teacher": 0.2}
ROWS = ["alone", "fixed_centres", "weighted"]
EVERY = manifest(
    *(
        face(f"f-{person}-{photo}", f"p{person:02d}", "validation" if person % 3 == 0 else "test")
        for person in range(PEOPLE)
        for photo in range(PHOTOS)
    ),
    face("nameless"),
)
NAMED = EVERY[EVERY["subject_id"].notna()]


def said_by(row, seed, worse_group=1.0):
    """Embeddings that are noisier the weaker the method; of every other person by ``worse_group`` more."""
    truth = embeddings(PEOPLE, PHOTOS, noise=0.0, seed=2)
    noise = NOISE[row] * np.where(np.arange(PEOPLE * PHOTOS) // PHOTOS % 2, worse_group, 1.0)
    seen = truth + noise[:, None] * 0.4 * np.random.default_rng(seed).normal(size=truth.shape)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    columns = ("face_probability", "landmarks_5", "yaw_deg", "pitch_deg", "roll_deg", "smile_probability",
               "male_probability", "age_years")  # fmt: skip
    table = pd.DataFrame({"face_id": NAMED["face_id"].to_numpy(), "embedding": list(seen.astype(np.float32))})
    return table.assign(**dict.fromkeys(columns))
