"""Pictures of faces with what the champion says of them, drawn for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from countenance.errors import DataError
from countenance.reporting.wording import finite

_NOT_LABELLED: Final = "not labelled"
_UNITS: Final = {"yaw": "°", "pitch": "°", "roll": "°", "age": " years"}
_JPEG_QUALITY: Final = 92


@dataclass(frozen=True, kw_only=True, eq=False)
class FacePicture:
    """One face and what is said of it.

    Attributes:
        image: [H, W, 3] uint8 RGB, a crop.
        landmarks: [K, 2] or [2K], pixels of the crop; None where there are none.
        said: attribute -> what the model says, e.g. ``{"gender": "male", "age": 41.2, "smile": 0.93, "yaw": -12.0}``;
            ``smile`` is a probability, angles are in degrees, the age in years.
        truth: attribute -> label; absent or None = not labelled. ``smile`` is a boolean.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.floating[Any]] | None
    said: Mapping[str, Any]
    truth: Mapping[str, Any]


def face_context(face: FacePicture, number: int) -> dict[str, Any]:
    """A face for the template: a data URI, its size, the landmarks and a row an attribute.

    Raises:
        DataError: the image is not [H, W, 3] uint8.
    """
    if face.image.dtype != np.uint8 or face.image.ndim != 3 or face.image.shape[2] != 3:
        raise DataError(f"Face picture {number} is not an RGB image of bytes: give [height, width, 3] uint8.")
    points = [] if face.landmarks is None else np.asarray(face.landmarks, dtype=np.float64).reshape(-1, 2).tolist()
    return {
        "uri": data_uri(face.image),
        "height": face.image.shape[0],
        "width": face.image.shape[1],
        "points": [(round(x, 1), round(y, 1)) for x, y in points],
        "rows": [_row(attribute, said, face.truth.get(attribute)) for attribute, said in face.said.items()],
    }


def data_uri(image: NDArray[np.uint8]) -> str:
    """The image as a JPEG within a ``data:`` address."""
    written = io.BytesIO()
    Image.fromarray(image).save(written, format="JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"


def _row(attribute: str, said: Any, truth: Any) -> dict[str, str]:
    verdict = ""
    if attribute == "smile" and finite(said) is not None:
        label = None if finite(truth) is None else bool(truth)
        shown = f"{'smiling' if said > 0.5 else 'not smiling'} ({said:.0%})"
        known = _NOT_LABELLED if label is None else ("smiling" if label else "not smiling")
        verdict = "" if label is None else _right((said > 0.5) == label)
    elif finite(said) is not None:
        unit, number = _UNITS.get(attribute, ""), finite(truth)
        shown = f"{said:.0f}{unit}"
        known = _NOT_LABELLED if number is None else f"{number:.0f}{unit}"
        verdict = "" if number is None else f"{said - number:+.0f}{unit}"
    else:
        shown = "not said" if said is None or isinstance(said, float) else str(said)
        known = _NOT_LABELLED if truth is None else str(truth)
        verdict = "" if truth is None or said is None else _right(str(said) == str(truth))
    return {"attribute": attribute, "said": shown, "truth": known, "verdict": verdict}


def _right(right: bool) -> str:
    return "right" if right else "wrong"
