import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from countenance.assessment.ellipse_overlaps import ellipse_overlaps
from countenance.errors import AssessmentError

CIRCLE = np.array([[10.0, 10.0, 0.0, 50.0, 50.0]])


STEP = 0.4


def counted(ellipse: np.ndarray, found: np.ndarray, photo: tuple[float, float] | None = None) -> float:
    """The same overlap, by counting the cells of a fine grid; of a sliver hardly any would be counted."""
    centres = np.arange(-60, 160, STEP) + STEP / 2
    x, y = np.meshgrid(centres, centres)
    first, other = (_inside(region, x, y) for region in (ellipse, found))
    if photo is not None:
        within = (x > 0) & (x < photo[0]) & (y > 0) & (y < photo[1])
        first, other = first & within, other & within
    union = (first | other).sum()
    assume(union * STEP**2 > 600)
    return float((first & other).sum() / union)


def _inside(region: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if len(region) == 4:
        return (x > region[0]) & (x < region[0] + region[2]) & (y > region[1]) & (y < region[1] + region[3])
    major, minor, angle, centre_x, centre_y = region
    along = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
    across = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
    return (along / major) ** 2 + (across / minor) ** 2 < 1


def test_a_circle_in_its_square_covers_pi_quarters_of_it():
    found = np.array(
        [[40.0, 40.0, 20.0, 20.0], [50.0, 40.0, 10.0, 20.0], [45.0, 45.0, 10.0, 10.0], [0.0, 0.0, 9.0, 9.0]]
    )
    overlaps = ellipse_overlaps(CIRCLE, found)[0]
    # Its square; the right half of it; a square within; far away.
    half = math.pi / 2 / (math.pi + 2 - math.pi / 2)
    assert overlaps.tolist() == pytest.approx([math.pi / 4, half, 1 / math.pi, 0.0])


def test_the_major_axis_points_along_the_angle_with_y_downwards():
    ellipse = np.array([[20.0, 2.0, math.pi / 4, 50.0, 50.0]])
    below_right, above_right = [58.0, 58.0, 4.0, 4.0], [58.0, 38.0, 4.0, 4.0]
    overlaps = ellipse_overlaps(ellipse, np.array([below_right, above_right]))[0]
    assert overlaps[0] > 0 and overlaps[1] == 0


def test_an_ellipse_overlaps_itself_wholly_and_another_by_what_they_share():
    ellipse = np.array([[30.0, 20.0, 0.7, 50.0, 40.0]])
    assert ellipse_overlaps(ellipse, ellipse)[0, 0] == pytest.approx(1.0, abs=1e-4)
    within = np.array([[15.0, 10.0, 0.7, 50.0, 40.0]])
    assert ellipse_overlaps(ellipse, within)[0, 0] == pytest.approx(0.25, abs=1e-4)


def test_only_what_lies_in_the_photo_counts_where_its_size_is_given():
    # The centre of the circle is a corner of the photo, the box its quarter's square.
    corner = np.array([[10.0, 10.0, 0.0, 0.0, 0.0]])
    box = np.array([[-10.0, -10.0, 20.0, 20.0], [-30.0, -30.0, 5.0, 5.0]])
    assert ellipse_overlaps(corner, box, photo_size=(100, 80))[0].tolist() == pytest.approx([math.pi / 4, 0.0])
    whole = ellipse_overlaps(corner, corner, photo_size=(100, 80))
    assert whole[0, 0] == pytest.approx(1.0, abs=1e-4)
    outside = np.array([[5.0, 5.0, 0.0, -20.0, -20.0]])
    assert ellipse_overlaps(outside, outside, photo_size=(100, 80)).tolist() == [[0.0]]


def test_no_region_gives_no_overlap():
    assert ellipse_overlaps(np.empty((0, 5)), np.array([[0.0, 0.0, 1.0, 1.0]])).shape == (0, 1)
    assert ellipse_overlaps(CIRCLE, np.empty(0), photo_size=(10, 10)).shape == (1, 0)


@pytest.mark.parametrize(
    ("ellipses", "found", "message"),
    [
        ([[1, 1, 0, 0, 0], [1, 1, np.nan, 0, 0]], [[0, 0, 1, 1]], "In row 1 a labelled ellipse is not finite"),
        ([[1, 1, 0, 0, 0]], [[0, 0, 0, 1]], "In row 0 a found region has no area"),
        ([[0, 1, 0, 0, 0]], [[0, 0, 1, 1]], "In row 0 a labelled ellipse has no area"),
        ([[0, 0, 1, 1]], [[0, 0, 1, 1]], r"give \[N, 5\]"),
    ],
)
def test_what_is_no_region_is_refused_with_its_row(ellipses: list, found: list, message: str):
    with pytest.raises(AssessmentError, match=message):
        ellipse_overlaps(np.array(ellipses, dtype=float), np.array(found, dtype=float))


@given(st.integers(0, 2**16), st.booleans(), st.booleans())
@example(206, True, False)
@settings(max_examples=40)
def test_exact_areas_agree_with_counted_ones(seed: int, box: bool, cut: bool):
    generator = np.random.default_rng(seed)
    ellipse = generator.uniform([10, 8, -4, 10, 10], [40, 30, 4, 90, 90])
    found = generator.uniform([0, 0, 10, 10], [70, 70, 60, 60]) if box else ellipse * generator.uniform(0.7, 1.3, 5)
    photo = (80.0, 60.0) if cut else None
    exact = ellipse_overlaps(ellipse[None], found[None], photo_size=photo)[0, 0]
    assert exact == pytest.approx(counted(ellipse, found, photo), abs=0.015)


@given(st.integers(0, 2**16), st.floats(0.1, 50), st.floats(-500, 500), st.booleans())
def test_an_overlap_depends_neither_on_size_nor_on_place(seed: int, size: float, x: float, box: bool):
    generator = np.random.default_rng(seed)
    ellipses = generator.uniform([10, 8, -4, 10, 10], [40, 30, 4, 90, 90], (3, 5))
    found = generator.uniform([0, 0, 10, 10], [70, 70, 60, 60], (4, 4)) if box else ellipses[::-1] * 1.1
    overlaps = ellipse_overlaps(ellipses, found)
    moved = [1, 1, 0, 0] if box else [0, 0, 0, 1, 1]
    sized = size if box else np.array([size, size, 1, size, size])
    again = ellipse_overlaps(
        ellipses * [size, size, 1, size, size] + np.array([0, 0, 0, x, x]), found * sized + x * np.array(moved)
    )
    np.testing.assert_allclose(again, overlaps, atol=1e-8)
