from pathlib import Path

from countenance.reporting.verification_plots import write_verification_plots


def report(**changes: object) -> dict:
    rows = [
        {"far": 0.01, "tar": None, "low": None, "high": None},
        {"far": 0.1, "tar": 0.5, "low": None, "high": None},
        {"far": 0.5, "tar": 1.0, "low": 0.8, "high": 1.0},
    ]
    roc = {"false_accepts": [0, 1, 5, 10], "true_accepts": [1, 2, 4, 4], "non_mated": 10, "mated": 4}
    return {"model": "net", "protocol": {"name": "set"}, "verification": rows, "roc": roc, **changes}


def test_both_curves_are_written_in_both_forms_and_alike_each_time(tmp_path: Path):
    paths = write_verification_plots(report(), tmp_path / "plots")
    assert [path.name for path in paths] == ["det.svg", "det.png", "roc.svg", "roc.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths if path.suffix == ".png")
    svg = paths[2].read_text()
    assert "ROC of net on set" in svg and "var(--" not in svg
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_verification_plots(report(), tmp_path / "plots")] == before


def test_a_model_that_misses_nobody_has_a_roc_curve_and_no_det_curve_is_left(tmp_path: Path):
    write_verification_plots(report(), tmp_path)
    roc = {"false_accepts": [0, 10], "true_accepts": [4, 4], "non_mated": 10, "mated": 4}
    written = write_verification_plots(report(roc=roc, verification=[], model=None), tmp_path)
    assert [path.name for path in written] == ["roc.svg", "roc.png"]
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_report_without_a_curve_has_nothing_to_draw(tmp_path: Path):
    write_verification_plots(report(), tmp_path)
    assert write_verification_plots(report(roc=None), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
