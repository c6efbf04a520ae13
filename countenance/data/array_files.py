"""Arrays in ``.npy`` files, mapped into memory, with a clear word on whatever else a file may be."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError

_MAGIC: Final = b"\x93NUMPY"


def map_array(path: Path) -> NDArray[Any]:
    """Map the array of a ``.npy`` file, to be read only.

    Raises:
        FileNotFoundError: there is nothing.
        DataError: it is a folder, empty, cut short, an archive of arrays, or something else.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the .npy file that holds the embeddings.")
    try:
        with path.open("rb") as stream:
            begins = stream.read(len(_MAGIC))
        if not begins:
            raise DataError(f"{path} is an empty file: write the embeddings again.")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}): see to it that it can.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if begins == _MAGIC:
            raise DataError(
                f"{path} is cut short, damaged or holds no numbers: copy it again, or write the embeddings again."
            ) from error
        raise DataError(f"{path} is no .npy file: write it with countenance embed or numpy.save.") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path} is an archive of arrays (.npz): write the one of the embeddings with numpy.save.")
    return array
