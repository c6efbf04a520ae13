import pytest

from countenance.assessment.published_anchors import published_figures
from countenance.errors import AssessmentError
from countenance.reporting.comparison_anchors import PUBLISHED_SIZES, anchors_of, known_benchmark
from countenance.reporting.comparison_reports import ComparedProtocol, compared

from .comparison_samples import IJB_C, LFW, MADE, given, pair_report, template_report


def on(protocol: dict, kind: str = "templates") -> ComparedProtocol:
    report = template_report("a", 5.0, protocol) if kind == "templates" else pair_report("a", [0.99, 0.98], protocol)
    return compared([given("candidate", report)])[0]


def test_the_published_files_of_ijb_c_go_with_its_published_figures():
    found = anchors_of(on(IJB_C))
    assert found.benchmark == "IJB-C" and found.same_protocol
    assert sum(len(method.tars) for method in found.methods) == len(published_figures(benchmark="IJB-C"))


def test_the_best_published_method_comes_first_and_numbers_follow_the_rows():
    methods = anchors_of(on(IJB_C)).methods
    assert [method.number for method in methods] == list(range(1, len(methods) + 1))
    at_4 = [method.tars[1e-4] for method in methods]
    assert at_4 == sorted(at_4, reverse=True)
    assert methods[0].figure.method == "SwinFace" and at_4[0] == 0.9673


def test_one_method_on_two_sets_of_training_data_is_two_rows_with_names_of_their_own():
    names = [method.name for method in anchors_of(on(IJB_C)).methods]
    assert {"MobileFaceNet alone, on MS1MV2", "MobileFaceNet alone, on CASIA", "AdaDistill, on CASIA"} <= set(names)
    assert len(names) == len(set(names))


def test_a_protocol_of_its_name_and_other_counts_is_not_the_benchmark():
    found = anchors_of(on({**IJB_C, "pairs": 15_658_490}))
    assert found.methods and not found.same_protocol


def test_a_made_protocol_has_no_published_figures_unless_they_are_asked_for_and_then_they_are_of_another_protocol():
    assert anchors_of(on(MADE)).methods == ()
    found = anchors_of(on(MADE), "IJB-C")
    assert found.benchmark == "IJB-C" and found.methods and not found.same_protocol


def test_a_protocol_with_all_counts_of_the_benchmark_that_the_user_names_is_that_benchmark():
    assert anchors_of(on({**IJB_C, "name": "ours"}), "IJB-C").same_protocol


def test_pairs_are_held_against_accuracies_and_templates_never_are():
    found = anchors_of(on(LFW, "pairs"))
    assert found.benchmark == "LFW" and found.same_protocol
    assert all(method.accuracy is not None and not method.tars for method in found.methods)
    assert anchors_of(on(MADE), "LFW").methods == ()
    assert not anchors_of(on({**LFW, "pairs": 3_000, "mated_pairs": 1_500, "folds": 5}, "pairs")).same_protocol


def test_a_benchmark_is_known_by_its_name_whatever_its_case_and_hyphens():
    assert [known_benchmark(name) for name in ("ijbc", "IJB-C", "agedb_30")] == ["IJB-C", "IJB-C", "AgeDB"]
    with pytest.raises(AssessmentError, match="no published figures on 'IJB-Z': take one of 300W, AFLW, "):
        known_benchmark("IJB-Z")


def test_the_sizes_are_those_of_the_published_lists():
    assert PUBLISHED_SIZES["IJB-C"]["pairs"] == 15_658_489 and PUBLISHED_SIZES["IJB-B"]["mated_pairs"] == 10_270
