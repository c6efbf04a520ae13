"""The published files of IJB-B and IJB-C.

Expected in the folder or its subfolder ``meta``, each named after the set (``ijbb_``, ``ijbc_``):
``*_face_tid_mid.txt`` (name, template, medium; a face a line), ``*_template_pair_label.txt`` (template, template,
0 or 1) and, where they are at hand, ``*_name_5pts_score.txt`` (name, x1 y1 ... x5 y5, detector score; line i is face
i), ``*_1N_gallery_*.csv`` and ``*_1N_probe_mixed.csv`` (with a header; template, subject, and more that isn't read).
The protocol's own tables name a template once a photo; it counts once.

Source: Whitelam et al., CVPRW 2017; Maze et al., ICB 2018; the text files are those of the public ArcFace evaluation.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.data.protocols.delimited_text import Column, Kind, read_columns, read_headed_columns
from countenance.data.protocols.protocol_checks import WHOLE_SUBJECTS, DuplicatedPairs, ProtocolOrigins, check_protocol
from countenance.data.protocols.row_origins import TextFile, refuse_row, refuse_rows
from countenance.data.protocols.template_protocol import (
    Gallery,
    Integers,
    Names,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.errors import DataError

_FACES_ENDING: Final = "_face_tid_mid.txt"
_COORDINATES: Final = tuple(f"{axis}{point}" for point in range(1, 6) for axis in "xy")
_FACES: Final[dict[str, Kind]] = {"name": "text", "template": "integer", "medium": "integer"}
_PAIRS: Final[dict[str, Kind]] = {"first template": "integer", "second template": "integer", "label": "label"}
_POINTS: Final[dict[str, Kind]] = {"name": "text", **dict.fromkeys(_COORDINATES, "number"), "detector score": "number"}
_SEARCHED: Final = (
    Column(name="template", kind="integer", headers=("TEMPLATE_ID", "template", "tid")),
    Column(name="subject", kind="integer", headers=("SUBJECT_ID", "subject", "sid"), remedy=WHOLE_SUBJECTS),
)


@dataclass(frozen=True, kw_only=True)
class IjbFiles:
    """Where the files of a set lie; ``name`` is what their names begin with, such as ``ijbc``."""

    name: str
    faces: Path
    pairs: Path
    points: Path | None
    galleries: tuple[Path, ...]
    probes: Path | None

    def paths(self) -> tuple[Path, ...]:
        """All files that there are."""
        optional = [path for path in (self.points, self.probes) if path is not None]
        return (self.faces, self.pairs, *self.galleries, *optional)


def find_ijb_files(folder: Path) -> IjbFiles | None:
    """The files of the set in a folder or its subfolder ``meta``; None where there is no list of faces.

    Raises:
        DataError: there are two sets, or the list of pairs is missing.
    """
    found = sorted(itertools.chain(folder.glob(f"*{_FACES_ENDING}"), (folder / "meta").glob(f"*{_FACES_ENDING}")))
    if not found:
        return None
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(f"{folder} holds {names}: give each set a folder of its own.")
    faces = found[0]
    name = faces.name.removesuffix(_FACES_ENDING)
    pairs = faces.with_name(f"{name}_template_pair_label.txt")
    if not pairs.is_file():
        raise DataError(f"{pairs} is missing: put the list of pairs beside the list of faces.")
    points = faces.with_name(f"{name}_name_5pts_score.txt")
    probes = faces.with_name(f"{name}_1N_probe_mixed.csv")
    return IjbFiles(
        name=name,
        faces=faces,
        pairs=pairs,
        points=points if points.is_file() else None,
        galleries=tuple(sorted(faces.parent.glob(f"{name}_1N_gallery_*.csv"))),
        probes=probes if probes.is_file() else None,
    )


def read_ijb(folder: Path, *, duplicated_pairs: DuplicatedPairs = "refuse") -> TemplateProtocol:
    """Read and check an IJB-B or IJB-C folder.

    Raises:
        DataError: a file is missing, a line can't be read, or the files contradict each other; the text names the file
            and line.
    """
    files = find_ijb_files(folder)
    if files is None:
        raise DataError(f"{folder} holds no *{_FACES_ENDING}: point it at the folder with the set's lists.")
    faces = read_columns(files.faces, _FACES)
    points, scores = (None, None) if files.points is None else _read_points(files.points, faces["name"], files.faces)
    galleries, gallery_origins = [], []
    for path in files.galleries:
        templates, subjects, origin = _read_searched(path)
        galleries.append(Gallery(path.stem.rpartition("_gallery_")[2], templates, subjects))
        gallery_origins.append(origin)
    probes, probe_origin = None, TextFile(files.faces)
    if files.probes is not None:
        templates, subjects, probe_origin = _read_searched(files.probes)
        probes = Probes(templates, subjects)
    protocol = TemplateProtocol(
        name=files.name,
        samples=SampleTable(faces["name"], faces["template"], faces["medium"], points, scores),
        pairs=_read_pairs(files.pairs),
        galleries=tuple(galleries),
        probes=probes,
    )
    origins = ProtocolOrigins(
        samples=TextFile(files.faces),
        points=None if files.points is None else TextFile(files.points),
        pairs=TextFile(files.pairs),
        galleries=tuple(gallery_origins),
        probes=probe_origin,
    )
    check_protocol(protocol, origins, duplicated_pairs=duplicated_pairs)
    return protocol


def _read_pairs(path: Path) -> TemplatePairs:
    columns = read_columns(path, _PAIRS)
    labels = columns.pop("label")
    refuse_rows((labels != 0) & (labels != 1), TextFile(path), "the label is neither 0 nor 1", "mend the line")
    return TemplatePairs(columns["first template"], columns["second template"], labels == 1)


def _read_points(path: Path, faces: Names, faces_path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    columns = read_columns(path, _POINTS)
    names = columns["name"]
    count = min(len(names), len(faces))
    differing = np.flatnonzero(names[:count] != faces[:count])
    origin = TextFile(path)
    if len(differing):
        problem = f"the face is not the one of {TextFile(faces_path).place(int(differing[0]))}"
        remedy = "bring both files into one order, a face a line"
        refuse_row(int(differing[0]), origin, problem, remedy, more=len(differing) - 1)
    if len(names) != len(faces):
        raise DataError(
            f"{path} has {len(names):,} faces and {faces_path} has {len(faces):,}: both need the same faces in one "
            "order, so take them from one release of the set."
        )
    coordinates = np.stack([columns[name] for name in _COORDINATES], axis=1)
    return coordinates.reshape(-1, 5, 2), columns["detector score"]


def _read_searched(path: Path) -> tuple[Integers, Integers, TextFile]:
    """Templates and subjects of a gallery or probe table, each pair of them once, in the order of first mention."""
    columns = read_headed_columns(path, _SEARCHED)
    stacked = np.stack([columns["template"], columns["subject"]], axis=1)
    _, rows = np.unique(stacked, axis=0, return_index=True)
    rows = np.sort(rows).astype(np.int64)
    return columns["template"][rows], columns["subject"][rows], TextFile(path, header_lines=1, rows=rows)
