import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from countenance.errors import DataError
from countenance.reporting.faces import face_context

from .samples import face


def test_the_picture_travels_within_the_page() -> None:
    shown = face_context(face(), 1)
    kind, data = shown["uri"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (shown["width"], shown["height"]) == (112, 112)
    assert shown["points"][0] == (38.0, 52.0) and len(shown["points"]) == 5


def test_what_is_said_is_held_against_the_label() -> None:
    rows = {row["attribute"]: (row["said"], row["truth"], row["verdict"]) for row in face_context(face(), 1)["rows"]}
    assert rows == {
        "gender": ("male", "female", "wrong"),
        "age": ("41 years", "45 years", "-4 years"),
        "smile": ("smiling (93%)", "not labelled", ""),
        "yaw": ("-12°", "-10°", "-2°"),
    }


def test_a_face_without_labels_or_landmarks_is_shown_all_the_same() -> None:
    said = {"gender": None, "age": float("nan"), "smile": 0.1}
    shown = face_context(replace(face(), landmarks=None, said=said, truth={"smile": False}), 1)
    assert shown["points"] == []
    assert [(row["said"], row["truth"]) for row in shown["rows"]] == [
        ("not said", "not labelled"),
        ("not said", "not labelled"),
        ("not smiling (10%)", "not smiling"),
    ]


def test_a_picture_that_is_no_image_is_an_error() -> None:
    with pytest.raises(DataError, match="Face picture 2 is not an RGB image"):
        face_context(replace(face(), image=np.zeros((112, 112), dtype=np.uint8)), 2)
