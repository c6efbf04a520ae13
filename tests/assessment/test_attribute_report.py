import json
import math

import pytest

from countenance.assessment.attribute_assessment import AttributeConfiguration
from countenance.assessment.attribute_report import AttributeReport, curve_title, figure_title, report_attributes
from countenance.assessment.intervals import Resampling
from tests.assessment.test_attribute_assessment import everything, labels, said

QUICK = AttributeConfiguration(resampling=Resampling(resamples=50))


def reported(model, truth, **more) -> AttributeReport:
    return report_attributes(model, truth, model="ours", protocol="made", configuration=QUICK, **more)


def test_figures_have_flat_names_and_the_values_worked_by_hand():
    model, truth = everything()
    report = reported(model, truth.drop(columns="yaw_range"), not_found=2)
    values = {name: figure.value for name, figure in report.figures.items()}
    assert values["gender.accuracy"] == 0.5
    assert values["smile.accuracy"] == 0.5
    assert values["age.mean_absolute_error"] == 2.5
    assert values["age.epsilon_error"] == pytest.approx(1 - math.exp(-0.5))
    assert (values["pose.yaw"], values["pose.yaw_within_15"]) == (3.0, 1.0)
    eyes = "landmarks.5.eye_centres"
    assert values[f"{eyes}.error"] == pytest.approx(0.045)
    assert [values[f"{eyes}.yaw_{band}"] for band in ("0_30", "30_60", "60_90")] == [pytest.approx(0.09), None, 0.0]
    assert values[f"{eyes}.yaw_balanced"] is None
    assert (values[f"{eyes}.area_to_0.07"], values[f"{eyes}.failures_beyond_0.07"]) == (0.5, 0.5)
    assert values[f"{eyes}.failures_beyond_0.10"] == 0.0
    assert report.curves["5.eye_centres"].share[0] == 0.5
    assert report.failures == {"faces": 2}


def test_a_report_is_json_and_comes_back_from_it():
    report = reported(*everything(), options={"note": "x"})
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert AttributeReport.from_dict(json.loads(text)).to_dict() == json.loads(text)
    assert (report.kind, report.version, report.options["note"]) == ("attributes", 1, "x")


def test_the_protocol_is_the_same_for_every_model_on_the_same_faces():
    model, truth = everything()
    silent = said({}, {}, {}, {})
    one, other = (reported(said_of, truth).to_dict()["protocol"] for said_of in (model, silent))
    assert one == other
    # The piece of background is in no count.
    assert one == {
        "name": "made",
        "faces": 3,
        "subjects": 2,
        "labelled": {
            "gender": 2, "smiling": 2, "age_years": 2, "age_std": 1, "yaw_deg": 2, "pitch_deg": 1, "roll_deg": 1,
            "landmarks": 2,
        },
    }  # fmt: skip


def test_without_labels_or_answers_there_are_figures_without_values():
    for report in (reported(said({}), labels({})), reported(everything()[0], labels({}, {}, {}, {}))):
        assert {figure.value for name, figure in report.figures.items() if not name.startswith("face.")} == {None}
        assert report.curves == {}
        assert report.protocol["labelled"] == {}


def test_every_figure_and_curve_has_a_title_of_its_own():
    model, truth = everything()
    points = [float(number) for number in range(136)]
    report = reported(
        model.assign(landmarks=[points] * 2 + [None] * 2),
        truth.assign(landmarks=[points] * 2 + [None] * 2, landmark_scheme=["68", "68", None, None], visibility=None),
    )
    titles = [figure_title(name) for name in report.figures]
    assert len(set(titles)) == len(titles) > 40
    assert figure_title("landmarks.68.landmark_extent.yaw_30_60") == (
        "68 points over the points' extent",
        "|yaw| 30 to 60",
    )
    assert figure_title("pose.yaw_within_15") == ("", "yaw off by at most 15 degrees")
    assert {curve_title(name) for name in report.curves} < {heading for heading, _ in titles}
