"""Analysed photos written out: a table or JSON, and pictures with the faces drawn on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from PIL import Image

from countenance.commands.photo_batches import AnalyzedFile
from countenance.errors import DataError
from countenance.storage import write_aside

if TYPE_CHECKING:
    from countenance.analysis.analyzer import AnalyzedFace

_COLUMNS: Final = ("face", "box x y w h", "sure", "gender", "age", "smile", "yaw", "pitch", "roll")
_WIDTHS: Final = (4, 23, 5, 11, 4, 6, 5, 5, 5)


class FaceListing:
    """Writes each photo as it comes.

    Args:
        stream: where the table or JSON goes.
        as_json: one JSON list, an object a photo, in place of a table.
        with_embeddings: into the JSON.
        draw: a picture file or a folder, or None.
        draw_is_folder: which of both ``draw`` is.
    """

    def __init__(
        self, stream: TextIO, *, as_json: bool, with_embeddings: bool, draw: Path | None, draw_is_folder: bool
    ) -> None:
        self._stream = stream
        self._as_json = as_json
        self._with_embeddings = with_embeddings
        self._draw = draw
        self._draw_is_folder = draw_is_folder
        self._count = 0
        self._drawn: set[str] = set()

    def begin(self) -> None:
        """Write what comes before the first photo."""
        if self._as_json:
            self._stream.write("[")

    def add(self, file: AnalyzedFile) -> None:
        """Write one photo, and draw it."""
        if self._as_json:
            text = json.dumps(self._as_object(file), ensure_ascii=False, allow_nan=False)
            self._stream.write(("," if self._count else "") + "\n" + text)
        elif file.photo is not None:
            self._stream.write(_table(file))
        self._count += 1
        if self._draw is not None and file.photo is not None:
            self._draw_faces(file)

    def end(self) -> None:
        """Write what comes after the last photo."""
        if self._as_json:
            self._stream.write("\n]\n")

    def _as_object(self, file: AnalyzedFile) -> dict[str, Any]:
        if file.photo is None:
            return {"photo": str(file.path), "problem": file.problem}
        height, width = file.photo.shape[:2]
        faces = [face.to_dict(with_embedding=self._with_embeddings) for face in file.faces]
        return {"photo": str(file.path), "width": width, "height": height, "faces": faces}

    def _draw_faces(self, file: AnalyzedFile) -> None:
        from countenance.analysis.drawing import draw_faces

        assert self._draw is not None
        assert file.photo is not None
        path = self._draw / self._free_name(file.path) if self._draw_is_folder else self._draw
        picture = Image.fromarray(draw_faces(file.photo, file.faces))
        file_format = Image.registered_extensions().get(path.suffix.lower(), "PNG")
        try:
            with write_aside(path) as aside:
                picture.save(aside, format=file_format, quality=95)
        except OSError as error:
            raise DataError(f"The picture {path} cannot be written: choose another place with --draw.") from error

    def _free_name(self, path: Path) -> str:
        # Photos of one name from several folders don't replace each other.
        name, number = f"{path.stem}.png", 2
        while name in self._drawn:
            name, number = f"{path.stem}-{number}.png", number + 1
        self._drawn.add(name)
        return name


def _table(file: AnalyzedFile) -> str:
    count = len(file.faces)
    lines = [f"{file.path}: {'no faces' if not count else '1 face' if count == 1 else f'{count} faces'}"]
    if count:
        lines.append(_row(_COLUMNS))
        lines += [_row(_cells(number, face)) for number, face in enumerate(file.faces, start=1)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return ("  " + "  ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))).rstrip()


def _cells(number: int, face: AnalyzedFace) -> tuple[str, ...]:
    male = face.male_probability >= 0.5
    gender = f"male {face.male_probability:.0%}" if male else f"female {1 - face.male_probability:.0%}"
    box = " ".join(f"{value:5.0f}" for value in face.box_xywh)
    angles = tuple(f"{angle:+.0f}" for angle in face.pose_deg)
    yaw, pitch, roll = angles
    return (
        str(number), box, f"{face.face_probability:.2f}", gender, f"{face.age_years:.0f}",
        f"{face.smile_probability:.0%}", yaw, pitch, roll,
    )  # fmt: skip
