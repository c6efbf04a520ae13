from pathlib import Path

import numpy as np
import pytest

from countenance.assessment.made_up_protocol import EMBEDDINGS, MadeUpProtocol, ProtocolSize, make_protocol
from countenance.errors import AssessmentError

SMALL = ProtocolSize(images=300, galleries=(9, 8), probes=60, pairs=500, mated=50, dimension=8)


def test_it_is_as_large_as_ijb_c_unless_told_otherwise():
    size = ProtocolSize()
    assert (size.images, size.templates, size.pairs, size.mated) == (469_375, 23_124, 15_658_489, 19_557)
    assert size.scaled(1.0) == size


def test_at_a_quarter_there_are_half_the_templates_and_the_same_part_of_all_pairs():
    size = ProtocolSize().scaled(0.25)
    assert (size.images, size.galleries, size.pairs) == (117_344, (886, 880), 3_914_622)
    full = ProtocolSize()
    parts = [one.pairs / (sum(one.galleries) * one.probes) for one in (size, full)]
    assert parts[0] == pytest.approx(parts[1], rel=1e-3)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, 1e-6])
def test_a_share_that_leaves_nothing_is_refused(share: float):
    with pytest.raises(AssessmentError, match=f"at {share} of the size"):
        ProtocolSize().scaled(share)


def test_what_is_made_is_what_was_asked_for(tmp_path: Path):
    make_protocol(tmp_path, SMALL)
    made = MadeUpProtocol.read(tmp_path)
    embeddings = np.load(tmp_path / EMBEDDINGS)
    assert (embeddings.shape, embeddings.dtype) == ((300, 8), np.float32)
    assert len(made.templates) == len(made.media) == len(made.detector_scores) == 300
    assert set(made.templates) == {*made.gallery_templates, *made.probe_templates}
    assert (len(made.gallery_templates), len(made.probe_templates)) == (17, 60)
    assert np.bincount(made.gallery_numbers).tolist() == [0, 9, 8]
    assert len(set(made.gallery_subjects)) == 17


def test_each_pair_is_there_once_and_its_truth_is_that_of_the_subjects(tmp_path: Path):
    make_protocol(tmp_path, SMALL)
    made = MadeUpProtocol.read(tmp_path)
    subject = dict(zip(made.gallery_templates, made.gallery_subjects, strict=True))
    subject |= dict(zip(made.probe_templates, made.probe_subjects, strict=True))
    pairs = list(zip(made.first, made.second, strict=True))
    assert len(set(pairs)) == len(pairs) == 500
    assert {first for first, _ in pairs} <= set(made.gallery_templates)
    assert [subject[first] == subject[second] for first, second in pairs] == list(made.mated)
    assert made.mated.sum() == 50


def test_a_medium_belongs_to_one_template_and_some_have_several_frames(tmp_path: Path):
    make_protocol(tmp_path, SMALL)
    made = MadeUpProtocol.read(tmp_path)
    both = set(zip(made.media, made.templates, strict=True))
    assert len(both) == len(set(made.media)) < 300


def test_the_same_seed_makes_the_same_files_and_another_seed_others(tmp_path: Path):
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        make_protocol(tmp_path / name, SMALL, seed)
    one, again, other = (np.load(tmp_path / name / EMBEDDINGS) for name in ("one", "again", "other"))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
