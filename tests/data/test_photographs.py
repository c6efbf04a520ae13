import io
from typing import Any

import cv2
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


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P"])
def test_every_mode_becomes_three_channels(mode: str):
    image = Image.fromarray(picture(10, 12)).convert(mode)
    assert decode_photo(encoded(image, "PNG"), name="x").shape == (10, 12, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_every_usual_format_shows_the_picture(file_format: str):
    image = picture(60, 80)
    decoded = decode_photo(encoded(Image.fromarray(image), file_format), name="x")
    assert np.abs(decoded.astype(int) - image).mean() < 12


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(file_format: str):
    values = np.array([[0, 257, 257 * 100], [257 * 254, 65535, 128]], dtype=np.uint16)
    decoded = decode_photo(encoded(Image.fromarray(values), file_format), name="x")
    assert decoded[..., 0].tolist() == [[0, 1, 100], [254, 255, 0]]
    assert (decoded == decoded[..., :1]).all()


def test_sixteen_bit_colour_is_scaled():
    values = (np.array([[[10, 100, 250]]]) * 257).astype(np.uint16)
    done, png = cv2.imencode(".png", values[..., ::-1])
    assert done
    assert decode_photo(png.tobytes(), name="x").tolist() == [[[10, 100, 250]]]


def test_grey_in_floating_point_runs_from_0_to_1_or_to_255():
    unit = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    bytes_ = Image.fromarray(np.array([[0.0, 127.0, 255.0]], dtype=np.float32))
    assert decode_photo(encoded(unit, "TIFF"), name="x")[0, :, 0].tolist() == [0, 128, 255]
    assert decode_photo(encoded(bytes_, "TIFF"), name="x")[0, :, 0].tolist() == [0, 127, 255]


def test_what_is_transparent_shows_white():
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    # 0.2 of black on white is 204
    expected = [[200, 0, 0], [255, 255, 255], [204, 204, 204]]
    assert decode_photo(encoded(Image.fromarray(rgba), "PNG"), name="x")[0].tolist() == expected


def test_print_colours_become_rgb():
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow make red
    decoded = decode_photo(encoded(image, "JPEG"), name="x")
    assert decoded[4, 4, 0] > 240
    assert decoded[4, 4, 1:].max() < 15


def test_an_empty_file_is_refused_in_one_sentence():
    with pytest.raises(DataError, match=r"^Photo x is empty: restore the file or leave it out\.$"):
        decode_photo(b"", name="x")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_file_cut_anywhere_is_refused(file_format: str):
    whole = encoded(Image.fromarray(picture(60, 80)), file_format)
    for length in range(1, len(whole) * 9 // 10, max(1, len(whole) // 23)):
        with pytest.raises(DataError, match=r"^Photo x is (not an image|truncated or damaged): restore the file"):
            decode_photo(whole[:length], name="x")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded():
    header = encoded(Image.new("1", (14_000, 13_000)), "PNG")
    with pytest.raises(DataError, match=r"^Photo x has more than 178 megapixels: shrink it\.$"):
        decode_photo(header, name="x")


def test_the_content_hash_is_sha256():
    assert photo_sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
