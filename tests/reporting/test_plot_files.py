from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from countenance.assessment.pair_report import PairReport, report_on_scores
from countenance.assessment.pair_scores import PhotoPairScores
from countenance.reporting.plot_files import write_error_plots


def report(mated: bool = True) -> PairReport:
    generator = np.random.default_rng(0)
    truth = np.arange(400) % 2 == (0 if mated else 5)
    scores = generator.normal(2.0 * truth, 1.0)
    subjects = np.arange(400)
    pairs = PhotoPairScores(scores, truth, subjects // 40, subjects, (subjects + ~truth) % 400)
    return report_on_scores(pairs, protocol={"name": "made", "photos": 800}, model="a & b")


def test_curves_are_drawings_of_their_own(tmp_path: Path):
    written = write_error_plots(report().to_dict(), tmp_path / "plots")
    assert [path.name for path in written] == ["det.svg", "roc.svg"]
    for path in written:
        text = path.read_text()
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and "a & b" in "".join(root.itertext())
        # No colour is left to a page, and no stand-in of the drawing either.
        assert "var(" not in text and "#0101" not in text and "#0102" not in text


def test_what_is_not_measurable_is_not_drawn(tmp_path: Path):
    assert write_error_plots(report(mated=False).to_dict(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
