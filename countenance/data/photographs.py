"""Reading a photo's bytes: every bit of it, upright, in RGB, or one clear sentence."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from countenance.errors import DataError


def decode_photo(encoded: bytes, *, name: str) -> NDArray[np.uint8]:
    """Decode a whole photo; [H, W, 3] RGB, turned upright by its EXIF orientation.

    Pillow decodes, because OpenCV fills the missing part of a truncated file with grey and says nothing.

    Raises:
        DataError: the bytes are truncated or no image.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGB"), dtype=np.uint8)
    except UnidentifiedImageError as error:
        raise DataError(f"Photo {name} is not an image: remove it from the labels or restore the file.") from error
    except (OSError, SyntaxError) as error:
        raise DataError(
            f"Photo {name} is truncated or damaged: restore the file or remove it from the labels."
        ) from error


def read_photo_bytes(path: Path) -> bytes:
    """The bytes of a photo file.

    Raises:
        DataError: there is no such file.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"Photo {path} cannot be read: restore the file or remove it from the labels.") from error


def encode_photo(image: NDArray[np.uint8]) -> bytes:
    """Encode a photo or crop [H, W, 3] RGB as a JPEG of quality 95 without chroma subsampling."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY,
        95,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
    if not done:
        raise DataError("OpenCV could not encode a picture: check that it is an 8-bit image.")
    return encoded.tobytes()


def photo_sha256(encoded: bytes) -> str:
    """The content hash by which a photo is recognised in another source or under another name."""
    return hashlib.sha256(encoded).hexdigest()
