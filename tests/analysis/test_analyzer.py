import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest

from countenance.analysis.analyzer import AnalyzedFace, FaceAnalyzer
from countenance.analysis.configuration import AnalyzerConfiguration
from countenance.analysis.model import NetworkModel, open_exported
from countenance.analysis.proposals import best_boxes
from countenance.data.alignment import intersection_over_union
from countenance.errors import DataError
from tests.analysis.oracle import ASPECT, OracleModel, scene
from tests.conftest import picture

Box = tuple[float, float, float, float]


def analyzer(**changes: object) -> FaceAnalyzer:
    return FaceAnalyzer(OracleModel(), AnalyzerConfiguration.model_validate(changes))


def random_boxes(generator: np.random.Generator, height: int, width: int, smallest: float, largest: float) -> list[Box]:
    boxes: list[Box] = []
    for _ in range(200):
        side = float(np.exp(generator.uniform(np.log(smallest), np.log(largest))))
        x, y = generator.uniform([2, 2], [width - ASPECT * side - 2, height - side - 2])
        room = 0.3 * side
        apart = all(
            x + ASPECT * side + room < bx or bx + bw + room < x or y + side + room < by or by + bh + room < y
            for bx, by, bw, bh in boxes
        )
        if apart:
            boxes.append((float(x), float(y), ASPECT * side, side))
        if len(boxes) == 12:
            break
    return boxes


def matched(faces: list[AnalyzedFace], boxes: list[Box]) -> int:
    found = np.stack([face.box_xywh for face in faces]) if faces else np.empty((0, 4), dtype=np.float32)
    return sum(
        bool(len(found) and intersection_over_union(np.array(box, dtype=np.float32), found).max() > 0.5)
        for box in boxes
    )


@pytest.mark.parametrize("seed", range(6))
def test_every_face_of_a_scene_from_32_px_on_is_found_once(seed: int):
    generator = np.random.default_rng(seed)
    height, width = int(generator.integers(200, 700)), int(generator.integers(200, 900))
    boxes = random_boxes(generator, height, width, 32, 0.7 * min(height, width))
    (faces,) = analyzer().analyze([scene(height, width, boxes)])
    assert len(faces) == len(boxes)
    assert matched(faces, boxes) == len(boxes)


def test_what_the_model_says_reaches_the_face():
    box = (50.0, 40.0, 100 * ASPECT, 100.0)
    (faces,) = analyzer().analyze([scene(240, 240, [box], age=63, smile=60)])
    (face,) = faces
    assert face.box_xywh == pytest.approx(np.array(box), abs=3)
    assert face.landmarks.mean(axis=0) == pytest.approx([50 + 50 * ASPECT, 95], abs=8)
    assert face.age_years == pytest.approx(63, abs=1)
    assert face.smile_probability == pytest.approx(1 / (1 + np.exp(-2)), abs=0.03)
    assert face.pose_deg == pytest.approx([10, -5, 0], abs=1)
    assert face.visibility == pytest.approx(np.full(5, 1 / (1 + np.exp(-3))), rel=1e-4)
    assert np.linalg.norm(face.embedding) == pytest.approx(1)
    assert face.face_probability > 0.9


def test_attributes_are_the_mean_of_the_last_box_view_and_the_aligned_view():
    class Opinionated(OracleModel):
        """Says 20 and 30 years of box views, 60 and 70 of the aligned face; male only there."""

        def read(self, views):
            said = dict(super().read(views))
            age, male = next(opinions)
            return said | {"age_years": np.full(len(views), age), "gender_logit": np.full(len(views), male)}

    # Two rounds that decide, each with its mirror image; the aligned face with its mirror image.
    opinions = iter([(99.0, -100.0), (99.0, -100.0), (20.0, -100.0), (30.0, -100.0), (60.0, 100.0), (70.0, 100.0)])
    box = (50.0, 40.0, 100 * ASPECT, 100.0)
    model = FaceAnalyzer(Opinionated(), AnalyzerConfiguration(rounds=2, largest_number_of_faces=1))
    (faces,) = model.analyze([scene(240, 240, [box])])
    assert faces[0].age_years == pytest.approx(45)
    assert faces[0].male_probability == pytest.approx(0.5)


def test_photos_analysed_together_or_alone_give_the_same_faces():
    photos = [scene(200, 300, [(40, 40, 60 * ASPECT, 60)]), scene(90, 80, []), scene(400, 350, [(60, 90, 70, 97)])]
    together = analyzer(batch_size=2).analyze(photos)
    assert [len(faces) for faces in together] == [1, 0, 1]
    for photo, faces in zip(photos, together, strict=True):
        (alone,) = analyzer().analyze([photo])
        assert [face.to_dict(with_embedding=True) for face in alone] == [
            face.to_dict(with_embedding=True) for face in faces
        ]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (30, 40), (240, 320)])
def test_a_photo_without_faces_gives_none_however_small(shape: tuple[int, int]):
    assert analyzer().analyze([np.zeros((*shape, 3), dtype=np.uint8)]) == [[]]


def test_no_photos_give_nothing():
    assert analyzer().analyze([]) == []


def test_a_face_that_fills_its_photo_is_found():
    (faces,) = analyzer().analyze([scene(200, 146, [(3, 3, 140, 193)])])
    assert len(faces) == 1


def test_twelve_megapixels_are_looked_through_in_bounded_batches_and_seconds():
    boxes = [(500.0, 300.0, 200 * ASPECT, 200.0), (2500.0, 1500.0, 900 * ASPECT, 900.0), (200, 2500, 90 * ASPECT, 90.0)]
    model = OracleModel()
    start = time.perf_counter()
    (faces,) = FaceAnalyzer(model).analyze([scene(3000, 4000, boxes)])
    assert time.perf_counter() - start < 5
    assert matched(faces, boxes) == len(faces) == 3
    assert model.largest_batch_px <= 64 * 64**2


def test_faces_smaller_than_asked_for_are_not_found_and_smaller_ones_on_request():
    photo = scene(200, 200, [(80, 80, 14 * ASPECT, 14)])
    assert analyzer().analyze([photo]) == [[]]
    assert len(analyzer(smallest_face_px=10).analyze([photo])[0]) == 1


def test_the_most_probable_faces_are_kept_when_there_are_too_many():
    boxes = [(20.0 + 90 * column, 20.0, 60 * ASPECT, 60.0) for column in range(5)]
    (faces,) = analyzer(largest_number_of_faces=2).analyze([scene(120, 500, boxes)])
    assert len(faces) == 2


def test_a_further_round_moves_a_box_that_began_askew():
    box = (60.0, 60.0, 90 * ASPECT, 90.0)

    class Askew(OracleModel):
        def propose(self, images, *, threshold):
            found = super().propose(images, threshold=threshold)
            found.box_xywh[:, :2] += 0.3 * found.box_xywh[:, 2:]
            return found

    errors = []
    for rounds in (1, 2, 3):
        model = Askew(copies=1)
        ((face,),) = FaceAnalyzer(model, AnalyzerConfiguration(rounds=rounds)).analyze([scene(240, 240, [box])])
        errors.append(np.abs(face.box_xywh - box).max())
    assert errors[0] > 10
    assert max(errors[1:]) < 3


class Doubtful(OracleModel):
    """Says of the one face's views, one after the other, how probable a face is."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__(copies=1)
        self.probabilities = iter(probabilities)

    def read(self, views):
        said = dict(super().read(views))
        probability = next(self.probabilities, 0.5)  # nothing depends on what is said of the aligned face
        return said | {"face_logit": np.full(len(views), np.log(probability / (1 - probability)), np.float32)}


def test_a_face_is_as_probable_as_the_geometric_mean_of_its_last_two_readings():
    # What the first of three rounds says doesn't count, the other two are read mirrored, too.
    said = (0.2, 0.5, 0.9, 0.8, 0.6)
    photo = scene(240, 240, [(60, 60, 90 * ASPECT, 90)])
    thrice = AnalyzerConfiguration(face_threshold=0.67, rounds=3)
    ((face,),) = FaceAnalyzer(Doubtful(*said), thrice).analyze([photo])
    assert face.face_probability == pytest.approx(np.sqrt(np.sqrt(0.5 * 0.9) * np.sqrt(0.8 * 0.6)))
    stricter = thrice.model_copy(update={"face_threshold": 0.69})
    assert FaceAnalyzer(Doubtful(*said), stricter).analyze([photo]) == [[]]


def test_a_single_round_decides_alone():
    photo = scene(240, 240, [(60, 60, 90 * ASPECT, 90)])
    ((face,),) = FaceAnalyzer(Doubtful(0.95, 0.95), AnalyzerConfiguration(rounds=1)).analyze([photo])
    assert face.face_probability == pytest.approx(0.95)


def test_a_place_that_looks_like_no_face_at_first_is_left():
    photo = scene(240, 240, [(60, 60, 90 * ASPECT, 90)])
    model = Doubtful(0.05, 0.99, 0.99, 0.99, 0.99)
    assert FaceAnalyzer(model, AnalyzerConfiguration(rounds=3)).analyze([photo]) == [[]]
    assert model.views_read == 1
    # Whoever asks for anything at all gets it.
    everything = AnalyzerConfiguration(rounds=3, face_threshold=0.0)
    assert len(FaceAnalyzer(Doubtful(0.05, 0.99, 0.99, 0.99, 0.99), everything).analyze([photo])[0]) == 1


def test_an_array_that_is_no_photo_is_refused():
    with pytest.raises(DataError, match=r"Photo 1 is float64 \(4, 4, 3\): give uint8 RGB"):
        analyzer().analyze([np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 4, 3))])
    with pytest.raises(DataError, match="not empty"):
        analyzer().analyze([np.zeros((0, 4, 3), dtype=np.uint8)])


def test_a_face_becomes_json_without_its_embedding_unless_asked():
    ((face,),) = analyzer().analyze([scene(240, 240, [(50, 40, 100 * ASPECT, 100)])])
    plain = json.loads(json.dumps(face.to_dict()))
    assert set(plain) == {
        "box_xywh", "face_probability", "landmark_scheme", "landmarks", "visibility", "pose_deg", "smile_probability",
        "male_probability", "age_years",
    }  # fmt: skip
    assert len(json.loads(json.dumps(face.to_dict(with_embedding=True)))["embedding"]) == 3


def test_a_network_and_its_export_find_the_same_faces(network, exported_folder: Path):
    photos = [picture(120, 160, seed=1), picture(90, 70, seed=2)]
    everything = AnalyzerConfiguration(
        smallest_face_px=16, face_threshold=0.0, proposal_threshold=0.01, largest_number_of_faces=20, rounds=1
    )
    given, again = (
        FaceAnalyzer(model, everything).analyze(photos)
        for model in (NetworkModel(network), open_exported(exported_folder))
    )
    assert [len(faces) for faces in given] == [len(faces) for faces in again]
    assert sum(len(faces) for faces in given) > 0
    for one, other in zip(itertools.chain(*given), itertools.chain(*again), strict=True):
        np.testing.assert_allclose(one.box_xywh, other.box_xywh, atol=0.5)
        np.testing.assert_allclose(one.embedding, other.embedding, atol=0.05)


def test_suppression_of_proposals_by_hand():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [30, 0, 10, 10], [0, 1, 10, 10]], dtype=np.float32)
    scores = np.array([0.5, 0.9, 0.4, 0.5], dtype=np.float32)
    assert best_boxes(boxes, scores, overlap=0.4, most=10).tolist() == [1, 2]
    assert best_boxes(boxes, scores, overlap=0.4, most=1).tolist() == [1]
    assert best_boxes(boxes[:0], scores[:0], overlap=0.4, most=5).tolist() == []
