"""Reading a photo's bytes: every bit of it, upright, in RGB, or one clear sentence."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from countenance.errors import DataError

# What Pillow's decoders were seen to raise for damaged files, beside "no image".
_DAMAGES: Final = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error)


def decode_photo(encoded: bytes, *, name: object) -> NDArray[np.uint8]:
    """Decode a whole photo (JPEG, PNG, WebP, BMP, TIFF, ...); [H, W, 3] RGB, turned upright by its EXIF orientation.

    Grey becomes RGB, 16 bits a channel are scaled to 8, CMYK is converted, what is transparent shows white. Of several
    pages or frames, the first is taken. Colour profiles aren't applied.

    Pillow decodes, because OpenCV fills the missing part of a truncated file with grey and says nothing.

    Raises:
        DataError: the bytes are truncated, no image, or an image of more than 178 megapixels.
    """
    if not encoded:
        raise DataError(f"Photo {name} is empty: restore the file or leave it out.")
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
            return _eight_bit_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise DataError(f"Photo {name} is not an image: restore the file or leave it out.") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"Photo {name} has more than 178 megapixels: shrink it.") from error
    except _DAMAGES as error:
        raise DataError(f"Photo {name} is truncated or damaged: restore the file or leave it out.") from error


def _eight_bit_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        # 16-bit grey comes as I;16 or, from some files, as I; F has no agreed range: 0 to 1, unless values exceed it.
        white = 65535.0 if image.mode.startswith("I") else 1.0 if values.max() <= 1.0 else 255.0
        grey = np.clip(np.rint(np.nan_to_num(values) * (255.0 / white)), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def read_photo_bytes(path: Path) -> bytes:
    """The bytes of a photo file.

    Raises:
        DataError: there is no such file.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"Photo {path} cannot be read: restore the file or leave it out.") from error


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
