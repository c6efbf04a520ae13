"""How photos are looked through: what an analyzer is built from."""

from __future__ import annotations

from pydantic import Field

from countenance.configuration import Configuration


class AnalyzerConfiguration(Configuration):
    """What a :class:`~countenance.analysis.analyzer.FaceAnalyzer` looks for, and how hard.

    Attributes:
        smallest_face_px: faces whose longer side is at least so many pixels are looked for. Half of it takes nearly
            four times as long.
        longest_side_px: a photo with a longer side is looked through as if it had been shrunk to this, so that time
            and memory are bounded: in a photo n times as long, faces are looked for from n times ``smallest_face_px``
            on. What is found is still read from the photo's own pixels.
        face_threshold: faces of a lower probability aren't reported.
        proposal_threshold: places of a lower score aren't looked at closely.
        rounds: how often a place is read and its box moved to where the landmarks say; the last two tell whether it is
            a face.
        overlap: boxes that overlap by more than this (intersection over union) are one face.
        batch_size: crops that are read at a time; parts of photos are batched to as many pixels.
        largest_number_of_faces: in one photo; the most probable ones are kept.
    """

    smallest_face_px: float = Field(default=24.0, ge=8.0)
    longest_side_px: int = Field(default=1600, ge=64)
    face_threshold: float = Field(default=0.9, ge=0.0, le=1.0)
    proposal_threshold: float = Field(default=0.5, gt=0.0, le=1.0)
    rounds: int = Field(default=4, ge=1, le=6)
    overlap: float = Field(default=0.4, gt=0.0, lt=1.0)
    batch_size: int = Field(default=64, ge=1)
    largest_number_of_faces: int = Field(default=200, ge=1)
