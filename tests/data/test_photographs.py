import io

import numpy as np
import pytest
from PIL import Image

from countenance.data.photographs import decode_photo, encode_photo, photo_sha256
from countenance.errors import DataError
from tests.conftest import picture


def test_a_truncated_photo_is_refused_in_one_sentence():
    encoded = encode_photo(picture(120, 90))
    with pytest.raises(DataError, match=r"^Photo lfw/x\.jpg is truncated or damaged: restore the file"):
        decode_photo(encoded[: len(encoded) // 2], name="lfw/x.jpg")


def test_text_is_no_photo():
    with pytest.raises(DataError, match="is not an image"):
        decode_photo(b"photo,age\n1.jpg,3\n", name="faces.csv")


def test_a_photo_comes_back_in_rgb_and_in_its_own_size():
    image = picture(60, 80)
    decoded = decode_photo(encode_photo(image), name="x")
    assert decoded.shape == (60, 80, 3)
    assert np.abs(decoded.astype(int) - image).mean() < 3


def test_an_orientation_tag_turns_the_photo_upright():
    image = Image.fromarray(picture(20, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    assert decode_photo(buffer.getvalue(), name="x").shape == (40, 20, 3)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_every_mode_becomes_three_channels(mode: str):
    buffer = io.BytesIO()
    pixels = np.full((10, 12), 9, dtype=np.uint16)
    image = Image.fromarray(pixels) if mode == "I;16" else Image.fromarray(picture(10, 12)).convert(mode)
    image.save(buffer, "PNG")
    assert decode_photo(buffer.getvalue(), name="x").shape == (10, 12, 3)


def test_the_content_hash_is_sha256():
    assert photo_sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
