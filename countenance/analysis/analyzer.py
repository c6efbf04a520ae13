"""One call from photos to faces: where they are, and what the seven tasks say of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.analysis.configuration import AnalyzerConfiguration
from countenance.analysis.model import FaceModel
from countenance.analysis.photo_views import PhotoViews
from countenance.analysis.proposals import propose_faces
from countenance.analysis.refinement import LocatedFaces, locate_faces, logistic
from countenance.analysis.suppression import merge_faces
from countenance.data.alignment import five_points
from countenance.errors import DataError

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalyzedFace:
    """One face of a photo. Positions in pixels of the photo (x right, y down, 0 = the centre of the first pixel).

    Attributes:
        box_xywh: [4].
        face_probability: that it is a face.
        landmarks: [K, 2]; scheme: ``"5"``, ``"21"`` or ``"68"``, tells K and the order.
        visibility: [K] probability that the point is visible.
        pose_deg: [3] yaw (> 0: turned towards the image's right), pitch (> 0: up), roll (> 0: clockwise as seen).
        smile_probability: mean over the box view, the aligned view and their mirror images, as are the next two.
        male_probability: the network knows two genders, as its training labels do.
        age_years: apparent age.
        embedding: [D] unit norm, from the aligned face and its mirror image; compares with the same model's alone.
    """

    box_xywh: Floats
    face_probability: float
    landmarks: Floats
    scheme: str
    visibility: Floats
    pose_deg: Floats
    smile_probability: float
    male_probability: float
    age_years: float
    embedding: Floats

    def to_dict(self, *, with_embedding: bool = False) -> dict[str, Any]:
        """Plain JSON types, rounded to what they are good for; the embedding only when asked for."""
        yaw, pitch, roll = (round(float(angle), 1) for angle in self.pose_deg)
        plain: dict[str, Any] = {
            "box_xywh": _rounded(self.box_xywh, 2),
            "face_probability": round(self.face_probability, 4),
            "landmark_scheme": self.scheme,
            "landmarks": [_rounded(point, 2) for point in self.landmarks],
            "visibility": _rounded(self.visibility, 3),
            "pose_deg": {"yaw": yaw, "pitch": pitch, "roll": roll},
            "smile_probability": round(self.smile_probability, 4),
            "male_probability": round(self.male_probability, 4),
            "age_years": round(self.age_years, 1),
        }
        if with_embedding:
            plain["embedding"] = [float(value) for value in self.embedding]
        return plain


class FaceAnalyzer:
    """Finds and reads the faces of photos.

    Args:
        model: a network or its exported files.
        configuration: what is looked for, and how hard.
    """

    def __init__(self, model: FaceModel, configuration: AnalyzerConfiguration | None = None) -> None:
        self.model = model
        self.configuration = configuration or AnalyzerConfiguration()

    def analyze(self, photos: Sequence[Images]) -> list[list[AnalyzedFace]]:
        """The faces of each photo, the most probable first; a photo without a face gives an empty list.

        Photos may differ in size. All of them are looked through together: give as many at a time as fit in memory.

        Args:
            photos: [H, W, 3] uint8 RGB each, as :func:`countenance.data.photographs.decode_photo` gives them.

        Raises:
            DataError: a photo isn't such an array.
        """
        for number, photo in enumerate(photos):
            if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or photo.size == 0:
                raise DataError(
                    f"Photo {number} is {photo.dtype} {photo.shape}: give uint8 RGB, [height, width, 3], not empty."
                )
        views = [PhotoViews(photo) for photo in photos]
        located = self._located(photos, views)
        faces: list[list[AnalyzedFace]] = [[] for _ in photos]
        size = self.configuration.batch_size
        for start in range(0, len(located), size):
            batch = located.take(np.arange(start, min(start + size, len(located))))
            for photo, face in zip(batch.photo, self._read_aligned(views, batch), strict=True):
                faces[photo].append(face)
        return faces

    def _located(self, photos: Sequence[Images], views: Sequence[PhotoViews]) -> LocatedFaces:
        configuration = self.configuration
        located = locate_faces(
            self.model,
            views,
            propose_faces(self.model, photos, configuration),
            rounds=configuration.rounds,
            threshold=configuration.face_threshold,
            batch_size=configuration.batch_size,
        )
        merged = merge_faces(located, scheme=self.model.landmark_scheme, overlap=configuration.overlap)
        # Rows come photo by photo, the most probable first: the rank within the photo is the distance from its start.
        rank = np.arange(len(merged)) - np.searchsorted(merged.photo, merged.photo)
        return merged.take(rank < configuration.largest_number_of_faces)

    def _read_aligned(self, views: Sequence[PhotoViews], faces: LocatedFaces) -> list[AnalyzedFace]:
        scheme = self.model.landmark_scheme
        aligned = np.stack(
            [
                views[photo].aligned_view(five_points(points, scheme), self.model.input_size)
                for photo, points in zip(faces.photo, faces.landmarks, strict=True)
            ]
        )
        said, mirrored = self.model.read(aligned), self.model.read(np.ascontiguousarray(aligned[:, :, ::-1]))
        # The box view was read mirrored, too: two means of two.
        smile = _mean(faces.smile_probability, *(logistic(view["smile_logit"]) for view in (said, mirrored)))
        male = _mean(faces.male_probability, *(logistic(view["gender_logit"]) for view in (said, mirrored)))
        age = _mean(faces.age_years, said["age_years"], mirrored["age_years"])
        embedding = said["embedding"] + mirrored["embedding"]
        embedding = embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)
        return [
            AnalyzedFace(
                box_xywh=faces.box_xywh[row],
                face_probability=float(faces.probability[row]),
                landmarks=faces.landmarks[row],
                scheme=scheme,
                visibility=faces.visibility[row],
                pose_deg=faces.pose_deg[row],
                smile_probability=float(smile[row]),
                male_probability=float(male[row]),
                age_years=float(age[row]),
                embedding=embedding[row],
            )
            for row in range(len(faces))
        ]


def _mean(box: Floats, aligned: Floats, mirrored: Floats) -> Floats:
    return np.asarray((box + (aligned + mirrored) / 2) / 2, dtype=np.float32)


def _rounded(values: Floats, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
