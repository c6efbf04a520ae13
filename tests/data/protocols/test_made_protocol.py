from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.protocols.made_protocol import MadeProtocol, made_protocol
from countenance.errors import DataError


def manifest(photos: list[int], frames: int = 1) -> pd.DataFrame:
    """Subjects with so many photos each, every photo with so many faces of the subject (frames of a video)."""
    rows: list[dict[str, Any]] = []
    for subject, count in enumerate(photos):
        for photo in range(count):
            for frame in range(frames):
                face = f"face-{len(rows):04d}"
                key = f"photo-{subject}-{photo}"
                rows.append({"face_id": face, "subject_id": f"s{subject:03d}", "photo_sha256": key, "photo": frame})
    rows.append({"face_id": "unknown", "subject_id": None, "photo_sha256": "x", "photo": 0})
    return pd.DataFrame(rows)


def make(faces: pd.DataFrame, seed: int = 0, **options: Any) -> MadeProtocol:
    return made_protocol(faces, generator=np.random.default_rng(seed), **options)


def facts(made: MadeProtocol, faces: pd.DataFrame) -> pd.DataFrame:
    """A row a sample: its template and medium, and the manifest's row behind it."""
    samples = made.protocol.samples
    table = pd.DataFrame({"face_id": made.face_ids, "template": samples.templates, "medium": samples.media})
    return table.merge(faces, on="face_id", how="left", validate="many_to_one")


PHOTOS = [6, 2, 9, 1, 3, 1, 5]


@given(st.lists(st.integers(1, 7), min_size=3, max_size=9), st.integers(0, 99), st.integers(1, 5), st.integers(1, 3))
def test_templates_are_of_one_subject_and_share_no_photo(photos: list[int], seed: int, size: int, frames: int):
    faces = manifest([*photos, 2, 2], frames)
    made = make(faces, seed, samples_per_template=size, frames_per_video=2)
    table = facts(made, faces)
    assert (table.groupby("template")["subject_id"].nunique() == 1).all()
    assert (table.groupby("photo_sha256")["template"].nunique() == 1).all()
    assert (table.groupby("photo_sha256")["medium"].nunique() == 1).all()
    assert (table.groupby("medium")["template"].nunique() == 1).all()
    assert table["template"].value_counts().max() <= size
    assert table["face_id"].is_unique and "unknown" not in set(table["face_id"])

    protocol = made.protocol
    subject_of = dict(zip(table["template"], table["subject_id"], strict=True))
    assert protocol.probes is not None
    for searched in (*protocol.galleries, protocol.probes):
        assert made.subjects[searched.subjects].tolist() == [subject_of[tid] for tid in searched.templates]
    enrolled = [set(gallery.subjects) for gallery in protocol.galleries]
    assert not enrolled[0] & enrolled[1] and abs(len(enrolled[0]) - len(enrolled[1])) <= 1
    assert enrolled[0] | enrolled[1] <= set(protocol.probes.subjects)


def test_all_mated_pairs_are_there_and_all_others_where_they_are_asked_for():
    faces = manifest(PHOTOS)
    made = make(faces)
    protocol, pairs = made.protocol, made.protocol.pairs
    assert protocol.probes is not None
    gallery = np.concatenate([gallery.templates for gallery in protocol.galleries])
    subjects = np.concatenate([gallery.subjects for gallery in protocol.galleries])
    expected = {
        (int(tid), int(probe)): subject == other
        for tid, subject in zip(gallery, subjects, strict=True)
        for probe, other in zip(protocol.probes.templates, protocol.probes.subjects, strict=True)
    }
    assert (
        dict(zip(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True), pairs.mated, strict=True)) == expected
    )
    assert len(pairs) == len(expected)


@given(st.integers(1, 80), st.integers(0, 99))
def test_as_many_non_mated_pairs_are_drawn_as_are_asked_for(wanted: int, seed: int):
    every = make(manifest(PHOTOS), seed).protocol.pairs
    pairs = make(manifest(PHOTOS), seed, non_mated_pairs=wanted).protocol.pairs
    assert pairs.mated.sum() == every.mated.sum()
    assert (~pairs.mated).sum() == min(wanted, (~every.mated).sum())


def test_every_non_mated_pair_is_as_likely():
    faces = manifest([2, 2, 2])
    drawn: dict[tuple[int, int], int] = {}
    for seed in range(300):
        protocol = make(faces, seed, non_mated_pairs=1).protocol
        assert protocol.probes is not None
        subject_of = {
            int(tid): int(subject)
            for searched in (*protocol.galleries, protocol.probes)
            for tid, subject in zip(searched.templates, searched.subjects, strict=True)
        }
        row = int(np.flatnonzero(~protocol.pairs.mated)[0])
        key = (subject_of[int(protocol.pairs.first[row])], subject_of[int(protocol.pairs.second[row])])
        drawn[key] = drawn.get(key, 0) + 1
    assert set(drawn) == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}
    # 50 are expected of each, with a standard deviation of 6.5.
    assert min(drawn.values()) > 25 and max(drawn.values()) < 75


def test_a_subject_with_one_photo_is_a_probe_without_a_mate_or_left_out():
    faces = manifest(PHOTOS)
    with_them, without = (make(faces, single_medium_probes=choice).protocol for choice in (True, False))
    assert with_them.probes is not None and without.probes is not None
    assert set(with_them.probes.subjects) - set(without.probes.subjects) == {3, 5}
    mated = with_them.pairs.second[with_them.pairs.mated]
    alone = with_them.probes.templates[np.isin(with_them.probes.subjects, [3, 5])]
    assert len(alone) == 2 and not np.isin(alone, mated).any()
    assert np.isin(alone, with_them.pairs.second).all()


def test_frames_of_one_photo_or_video_share_a_medium():
    faces = manifest([2, 2], frames=3)
    made = make(faces)
    assert [len(rows) for _, rows in facts(made, faces).groupby("medium")] == [3, 3, 3, 3]
    by_frame = make(faces, medium="face_id", samples_per_template=2)
    assert set(np.bincount(by_frame.protocol.samples.media)[1:]) == {1}


def test_every_second_medium_of_a_template_can_be_a_video():
    made = make(manifest([12, 12]), samples_per_template=6, frames_per_video=3, probes_per_subject=1)
    samples = made.protocol.samples
    sizes = [np.unique(samples.media[samples.templates == tid], return_counts=True)[1].tolist() for tid in (1, 2, 3, 4)]
    assert sizes == [[1, 3, 1, 1]] * 4


def test_the_number_of_probes_and_samples_is_limited():
    made = make(manifest([20, 20]), samples_per_template=3, probes_per_subject=2)
    assert made.protocol.counts() == {
        "samples": 18,
        "templates": 6,
        "pairs": 8,
        "mated_pairs": 4,
        "galleries": {"G1": 1, "G2": 1},
        "probes": 4,
    }


def test_one_seed_gives_one_protocol_in_whichever_order_the_faces_are():
    faces = manifest(PHOTOS)
    one, other = make(faces, 5), make(faces.sample(frac=1, random_state=1), 5)
    assert one.face_ids.tolist() == other.face_ids.tolist()
    np.testing.assert_array_equal(one.protocol.pairs.second, other.protocol.pairs.second)
    assert make(faces, 6).face_ids.tolist() != one.face_ids.tolist()


def test_background_is_no_face():
    faces = manifest([2, 2]).assign(is_face=True)
    faces.loc[0, "is_face"] = False
    with pytest.raises(DataError, match=r"1 subjects have two media \(values of 'photo_sha256'\) and two are needed"):
        make(faces)


@pytest.mark.parametrize(
    ("faces", "options", "text"),
    [
        (manifest([1, 1, 1]), {}, "0 subjects have two media"),
        (manifest([]), {}, "0 subjects have two media"),
        (manifest([2, 2]), {"medium": "video"}, "The manifest has no column 'video'"),
        (manifest([2, 2]).drop(columns="subject_id"), {}, "The manifest has no column 'subject_id'"),
        (manifest([2, 2]).assign(video=None), {"medium": "video"}, "A face has no 'video'"),
        (manifest([2, 2]), {"samples_per_template": 0}, "needs at least 1 sample, probe, non-mated pair and frame"),
    ],
)
def test_what_cannot_give_a_protocol_is_refused(faces: pd.DataFrame, options: dict[str, Any], text: str):
    with pytest.raises(DataError, match=text):
        make(faces, **options)
