"""A teacher in a file, asked by three rooms: what it said of a crop is kept for all of them."""

from __future__ import annotations

import logging

import pytest

from countenance.learning.teachers.features import read_features
from tests.learning.recognisers import segments, write_recogniser
from tests.pipelines.conftest import Chain


@pytest.mark.slow
def test_what_a_teacher_said_in_one_room_is_reused_in_the_others(chain: Chain, caplog: pytest.LogCaptureFixture):
    path = write_recogniser(chain.folder / "teacher.onnx", batch="n")
    teacher = {"path": str(path), "precision": "float32", "threads": 1}
    small = {"embedding_dimension": 4}
    parameters = {
        "training": {"recognition": {"teacher": teacher}, "network": small},
        "distillation": {"teacher": teacher, "network": small, "distilled": {"teacher_sees": "augmented"}},
    }
    cache = chain.data / "05_model_input" / "teacher_cache"
    before = set(segments(cache))
    with caplog.at_level(logging.INFO):
        chain.run("training", **parameters)
        kept = set(segments(cache)) - before
        chain.run("distillation", "evaluation", **parameters)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("teacher teacher.onnx")]
    assert len(kept) == 1 and len(lines) == 3
    assert " 0 from the cache" in lines[0]
    assert lines[1].endswith(" 0 looked at now")
    assert " 0 from the cache" in lines[2]  # the held-out faces are others
    known = read_features(chain.data / "05_model_input" / "recognition_features.arrow")
    taught = read_features(chain.data / "05_model_input" / "teacher_features.arrow")
    assert set(taught.face_ids) <= set(known.face_ids)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        chain.run("evaluation", **parameters)
    assert any(record.getMessage().endswith(" 0 looked at now") for record in caplog.records)
