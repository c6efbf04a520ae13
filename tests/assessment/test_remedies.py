from countenance.assessment.gates import at_most
from countenance.assessment.remedies import REMEDY, with_remedies


def test_a_gate_that_fails_on_a_group_says_what_to_try_and_how_to_measure_it():
    (failed,) = with_remedies([at_most("FMR of every group", 0.2, 0.15, 0.3, 0.1, "proportion")])
    assert failed.reason == f"FMR of every group is 0.2 [0.15, 0.3], all over the limit 0.1. {REMEDY}"
    assert "balanced: true" in REMEDY and "kedro run --pipelines mitigation,reporting" in REMEDY


def test_a_gate_that_passes_or_has_nothing_to_do_with_groups_is_left_as_it_is():
    gates = (
        at_most("FMR of every group", 0.02, 0.01, 0.03, 0.1, "proportion"),
        at_most("FNMR disparity", 2.0, 1.0, 3.0, 1.5, "ratio"),
        at_most("model size", 9.0, 9.0, 9.0, 8.0, "bytes"),
    )
    assert with_remedies(gates) == gates
