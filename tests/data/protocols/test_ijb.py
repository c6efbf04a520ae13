from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from countenance.data.protocols.ijb import find_ijb_files, read_ijb
from countenance.data.protocols.template_protocol import TemplateProtocol
from countenance.errors import DataError
from tests.data.protocols.published import (
    assert_same,
    change_line,
    protocols,
    small_protocol,
    write_lines,
    write_published,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_published(small_protocol(), tmp_path / "ijb")


@given(protocols())
def test_a_protocol_comes_back_from_its_published_files(protocol: TemplateProtocol):
    with tempfile.TemporaryDirectory() as folder:
        assert_same(read_ijb(write_published(protocol, Path(folder) / "ijb")), protocol)


def test_the_files_may_lie_in_the_folder_itself(folder: Path):
    assert_same(read_ijb(folder / "meta"), small_protocol())


def test_points_and_the_one_to_many_part_are_optional(folder: Path):
    for name in ("name_5pts_score.txt", "1N_gallery_G1.csv", "1N_gallery_G2.csv", "1N_probe_mixed.csv"):
        (folder / "meta" / f"ijbx_{name}").unlink()
    assert_same(read_ijb(folder), replace(small_protocol(points=False), galleries=(), probes=None))


def test_other_lists_of_points_are_left_alone(folder: Path):
    (folder / "meta" / "ijbx_name_5pts_score_retina.txt").write_text("not read\n")
    files = find_ijb_files(folder)
    assert files is not None
    assert files.points is not None and files.points.name == "ijbx_name_5pts_score.txt"
    assert [path.name for path in files.galleries] == ["ijbx_1N_gallery_G1.csv", "ijbx_1N_gallery_G2.csv"]
    assert len(files.paths()) == 6


def test_a_gallery_that_names_a_template_once_a_photo_counts_it_once(folder: Path):
    write_lines(
        folder / "meta" / "ijbx_1N_probe_mixed.csv",
        [
            "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X",
            '21,9,"img/1, left.png",4,17',
            "11,7,frames/2.png,5,",
            "21,9,img/3.png,6,1",
            "12,7,img/4.png,7,2",
        ],
    )
    probes = read_ijb(folder).probes
    assert probes is not None
    assert probes.templates.tolist() == [21, 11, 12] and probes.subjects.tolist() == [9, 7, 7]


@pytest.mark.parametrize(
    ("file", "number", "line", "text"),
    [
        ("face_tid_mid.txt", 3, "3.jpg 11", r"face_tid_mid.txt, line 3, holds 2 values where 3 belong"),
        ("face_tid_mid.txt", 3, "3.jpg 11 -1", r"face_tid_mid.txt, line 3, a sample of template 11 has no medium"),
        ("face_tid_mid.txt", 3, "3.jpg x 1", r"face_tid_mid.txt, line 3, holds a template that is not a whole number"),
        (
            "face_tid_mid.txt",
            6,
            "6.jpg 22 5",
            r"gallery_G2.csv, line 2, the gallery names template 20, which has no samp",
        ),
        (
            "face_tid_mid.txt",
            5,
            "5.jpg 13 4",
            r"probe_mixed.csv, line 3, the probe list names template 12, which has no",
        ),
        (
            "template_pair_label.txt",
            2,
            "10 99 0",
            r"pair_label.txt, line 2, a pair names template 99, which has no sample",
        ),
        (
            "template_pair_label.txt",
            2,
            "99 10 0",
            r"pair_label.txt, line 2, a pair names template 99, which has no sample",
        ),
        ("template_pair_label.txt", 2, "10 10 1", r"pair_label.txt, line 2, template 10 is compared with itself"),
        (
            "template_pair_label.txt",
            2,
            "10 12 2",
            r"pair_label.txt, line 2, the label is neither 0 nor 1: mend the line",
        ),
        ("template_pair_label.txt", 2, "10 12 yes", r"pair_label.txt, line 2, holds a label that is not 0 or 1"),
        ("template_pair_label.txt", 2, "10 12", r"pair_label.txt, line 2, holds 2 values where 3 belong"),
        (
            "template_pair_label.txt",
            5,
            "21 10 0",
            r"pair_label.txt, line 5, templates 21 and 10 are compared as in .*pair_label.txt, line 3 already",
        ),
        ("template_pair_label.txt", 2, "10 12 0", r"pair_label.txt, line 2, .* labelled non-mated, but the galleries"),
        (
            "name_5pts_score.txt",
            4,
            "9.jpg" + " 1" * 11,
            r"5pts_score.txt, line 4, .* not the one of .*tid_mid.txt, line 4",
        ),
        ("name_5pts_score.txt", 4, "4.jpg" + " 1" * 10, r"5pts_score.txt, line 4, holds 11 values where 12 belong"),
        ("name_5pts_score.txt", 4, "4.jpg" + " 1" * 10 + " nan", r"5pts_score.txt, line 4, a detector score is not"),
        ("name_5pts_score.txt", 4, "4.jpg nan" + " 1" * 10, r"5pts_score.txt, line 4, a point is not a finite number"),
        ("name_5pts_score.txt", 4, "4.jpg 1e99" + " 1" * 10, r"5pts_score.txt, line 4, a point is not a finite number"),
        ("name_5pts_score.txt", 4, "4.jpg a" + " 1" * 10, r"5pts_score.txt, line 4, holds a x1 that is not a number"),
        ("name_5pts_score.txt", 7, None, r"5pts_score.txt has 6 faces and .*tid_mid.txt has 7: both need the same"),
        ("name_5pts_score.txt", 2, None, r"5pts_score.txt, line 2, .* of .*tid_mid.txt, line 2 \(and 4 more like it\)"),
        ("1N_probe_mixed.csv", 3, "12,9", r"pair_label.txt, line 2, the pair of templates 10 and 12 is labelled mated"),
        ("1N_probe_mixed.csv", 3, "10,9", r"probe_mixed.csv, line 3, template 10 belongs to another subject"),
        (
            "1N_probe_mixed.csv",
            3,
            "12,a",
            r"line 3, holds a subject that is not a whole number: number the subjects from zero upwards",
        ),
        ("1N_probe_mixed.csv", 1, "a,b", r"probe_mixed.csv, line 1, names no column 'TEMPLATE_ID'"),
    ],
)
def test_every_problem_is_told_with_its_file_and_line(
    folder: Path, file: str, number: int, line: str | None, text: str
):
    change_line(folder / "meta" / f"ijbx_{file}", number, line)
    with pytest.raises(DataError, match=text) as caught:
        read_ijb(folder)
    assert str(caught.value).count(". ") == 0 and str(caught.value).endswith(".")


def test_two_subjects_of_one_template_in_one_table_are_told_with_the_later_line(folder: Path):
    path = folder / "meta" / "ijbx_1N_probe_mixed.csv"
    write_lines(path, ["template,subject", "11,7", "12,7", "12,7", "11,7", "", "12,9"])
    with pytest.raises(DataError, match="probe_mixed.csv, line 7, template 12 belongs to another subject"):
        read_ijb(folder)


def test_lines_are_counted_with_empty_ones(folder: Path):
    path = folder / "meta" / "ijbx_template_pair_label.txt"
    write_lines(path, ["", "10 11 1", "", "10 10 1"])
    with pytest.raises(DataError, match="pair_label.txt, line 4, template 10 is compared with itself"):
        read_ijb(folder)


def test_a_pair_that_a_published_list_repeats_can_be_kept(folder: Path):
    path = folder / "meta" / "ijbx_template_pair_label.txt"
    path.write_text(path.read_text() + "11 10 1\n")
    with pytest.raises(DataError, match="or count both with --duplicated-pairs keep"):
        read_ijb(folder)
    assert len(read_ijb(folder, duplicated_pairs="keep").pairs) == 6


def test_a_folder_that_is_none_or_two_sets_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"holds no \*_face_tid_mid.txt"):
        read_ijb(tmp_path)
    write_lines(folder / "meta" / "ijby_face_tid_mid.txt", ["1.jpg 1 1"])
    with pytest.raises(
        DataError, match=r"holds ijbx_face_tid_mid.txt and ijby_face_tid_mid.txt: give each set a folder"
    ):
        read_ijb(folder)
    (folder / "meta" / "ijbx_face_tid_mid.txt").unlink()
    with pytest.raises(DataError, match=r"ijby_template_pair_label.txt is missing"):
        read_ijb(folder)


def test_files_that_hold_no_row_are_refused(folder: Path):
    (folder / "meta" / "ijbx_template_pair_label.txt").write_text("")
    with pytest.raises(DataError, match="ijbx_template_pair_label.txt has no rows"):
        read_ijb(folder)


def test_arrays_have_the_types_of_the_contract(folder: Path):
    protocol = read_ijb(folder)
    samples = protocol.samples
    assert samples.names.dtype == np.object_ and samples.templates.dtype == np.int64 and samples.media.dtype == np.int64
    assert samples.five_points is not None and samples.five_points.dtype == np.float32
    assert samples.five_points.shape == (7, 5, 2) and samples.five_points[1, 2].tolist() == [3.5, 3.75]
    assert samples.detector_scores is not None and samples.detector_scores.dtype == np.float32
    assert protocol.pairs.mated.dtype == np.bool_
