"""The generic form of a template protocol: one folder of Parquet tables, read in a moment, whatever the set.

Files: ``samples.parquet`` (name, template, medium and, where known, five_points as 10 numbers x1 y1 ... x5 y5 and
detector_score; row i is row i of the embeddings), ``pairs.parquet`` (first, second, mated), where there is a 1:N part
``galleries.parquet`` (gallery, template, subject) and ``probes.parquet`` (template, subject), and ``protocol.json``:
name, format, version, counts, and the sha256 of the files that the protocol was made from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.data.protocols.ijb import find_ijb_files, read_ijb
from countenance.data.protocols.parquet_columns import TableReader
from countenance.data.protocols.protocol_checks import WHOLE_SUBJECTS, DuplicatedPairs, ProtocolOrigins, check_protocol
from countenance.data.protocols.row_origins import ParquetFile, TextFile
from countenance.data.protocols.template_protocol import (
    Gallery,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.errors import DataError
from countenance.storage import file_sha256, write_folder_aside

DESCRIPTION: Final = "protocol.json"
FORMAT: Final = "countenance template protocol"
VERSION: Final = 1


def open_protocol(folder: Path, *, duplicated_pairs: DuplicatedPairs = "refuse") -> TemplateProtocol:
    """Read a protocol folder of either form: Parquet, or the published files of IJB-B or IJB-C.

    Raises:
        DataError: the folder holds neither, or what it holds is unsound.
    """
    if (folder / DESCRIPTION).is_file():
        return read_parquet_protocol(folder, duplicated_pairs=duplicated_pairs)
    if find_ijb_files(folder) is not None:
        return read_ijb(folder, duplicated_pairs=duplicated_pairs)
    raise DataError(
        f"{folder} holds no template protocol: point it at a folder with {DESCRIPTION} or with the *_face_tid_mid.txt "
        "and *_template_pair_label.txt of IJB-B or IJB-C."
    )


def samples_origin(folder: Path) -> TextFile | ParquetFile:
    """Where the samples of a protocol folder of either form are listed.

    Raises:
        DataError: the folder holds neither form.
    """
    if (folder / DESCRIPTION).is_file():
        return ParquetFile(folder / "samples.parquet")
    files = find_ijb_files(folder)
    if files is None:
        raise DataError(f"{folder} holds no template protocol: point it at a folder that does.")
    return TextFile(files.faces)


def convert(folder: Path, out: Path, *, duplicated_pairs: DuplicatedPairs = "refuse") -> TemplateProtocol:
    """Read the published files of a set in ``folder``, check them, and write them to ``out`` as Parquet.

    Raises:
        DataError: the files are unsound, or ``out`` holds something other than a Parquet protocol.
    """
    if folder.resolve().is_relative_to(out.resolve()):
        raise DataError(f"{out} would replace the files that are converted: choose a folder outside of them.")
    _refuse_other_content(out)
    protocol = read_ijb(folder, duplicated_pairs=duplicated_pairs)
    files = find_ijb_files(folder)
    sources = {} if files is None else {path.name: file_sha256(path) for path in files.paths()}
    _write(protocol, out, sources)
    return protocol


def write_parquet_protocol(
    protocol: TemplateProtocol,
    folder: Path,
    *,
    sources: Mapping[str, str] | None = None,
    duplicated_pairs: DuplicatedPairs = "refuse",
) -> None:
    """Check a protocol and write it; the folder appears whole or not at all.

    Args:
        protocol: what to write.
        folder: where; a protocol that is there is replaced.
        sources: file names and sha256 of what the protocol was made from.
        duplicated_pairs: whether a comparison may be listed twice.

    Raises:
        DataError: the protocol is unsound, or the folder holds something other than a Parquet protocol.
    """
    _refuse_other_content(folder)
    check_protocol(protocol, duplicated_pairs=duplicated_pairs)
    _write(protocol, folder, sources or {})


def read_parquet_protocol(folder: Path, *, duplicated_pairs: DuplicatedPairs = "refuse") -> TemplateProtocol:
    """Read and check a Parquet protocol.

    Raises:
        DataError: a file is missing or damaged, the tables don't have the rows that were written, or the protocol is
            unsound; the text names the file and, where there is one, the row (counted from 0).
    """
    description = _read_description(folder / DESCRIPTION)
    galleries, gallery_origins = _read_galleries(folder / "galleries.parquet")
    protocol = TemplateProtocol(
        name=str(description["name"]),
        samples=_read_samples(folder / "samples.parquet"),
        pairs=_read_pairs(folder / "pairs.parquet"),
        galleries=galleries,
        probes=_read_probes(folder / "probes.parquet"),
    )
    counts = protocol.counts()
    differing = [name for name, count in counts.items() if description["counts"].get(name) != count]
    if differing:
        raise DataError(
            f"{folder} holds another number of {differing[0].replace('_', ' ')} than its {DESCRIPTION} says: "
            "write the protocol again."
        )
    origins = ProtocolOrigins(
        samples=ParquetFile(folder / "samples.parquet"),
        pairs=ParquetFile(folder / "pairs.parquet"),
        galleries=gallery_origins,
        probes=ParquetFile(folder / "probes.parquet"),
    )
    check_protocol(protocol, origins, duplicated_pairs=duplicated_pairs)
    return protocol


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: point at a folder that a protocol was written to.") from error
    except ValueError as error:
        raise DataError(f"{path} is not readable JSON: write the protocol again.") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise DataError(f"{path} does not say that this is a {FORMAT}: point at a folder that one was written to.")
    if description.get("version") != VERSION:
        raise DataError(f"{path} is of another version than {VERSION}, the only one known here: write it again.")
    if not isinstance(description.get("name"), str) or not isinstance(description.get("counts"), dict):
        raise DataError(f"{path} has no name or no counts: write the protocol again.")
    return description


def _read_samples(path: Path) -> SampleTable:
    table = TableReader(path)
    return SampleTable(
        names=table.texts("name"),
        templates=table.integers("template"),
        media=table.integers("medium"),
        five_points=table.points("five_points") if table.has("five_points") else None,
        detector_scores=table.numbers("detector_score") if table.has("detector_score") else None,
    )


def _read_pairs(path: Path) -> TemplatePairs:
    table = TableReader(path)
    return TemplatePairs(table.integers("first"), table.integers("second"), table.truths("mated"))


def _read_galleries(path: Path) -> tuple[tuple[Gallery, ...], tuple[ParquetFile, ...]]:
    if not path.exists():
        return (), ()
    table = TableReader(path)
    names, templates, subjects = (
        table.texts("gallery"),
        table.integers("template"),
        table.integers("subject", WHOLE_SUBJECTS),
    )
    galleries, origins = [], []
    for name in dict.fromkeys(names.tolist()):
        rows = np.flatnonzero(names == name)
        galleries.append(Gallery(name, templates[rows], subjects[rows]))
        origins.append(ParquetFile(path, rows))
    return tuple(galleries), tuple(origins)


def _read_probes(path: Path) -> Probes | None:
    if not path.exists():
        return None
    table = TableReader(path)
    return Probes(table.integers("template"), table.integers("subject", WHOLE_SUBJECTS))


def _refuse_other_content(folder: Path) -> None:
    if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} holds something other than a Parquet protocol: choose a new folder.")


def _write(protocol: TemplateProtocol, folder: Path, sources: Mapping[str, str]) -> None:
    description = {
        "format": FORMAT,
        "version": VERSION,
        "name": protocol.name,
        "counts": protocol.counts(),
        "sources": dict(sources),
    }
    with write_folder_aside(folder) as aside:
        for name, columns in _tables(protocol).items():
            pq.write_table(pa.table(columns), aside / f"{name}.parquet", compression="zstd")
        (aside / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _tables(protocol: TemplateProtocol) -> dict[str, dict[str, Any]]:
    samples, pairs = protocol.samples, protocol.pairs
    columns: dict[str, Any] = {
        "name": pa.array(samples.names, pa.string()),
        "template": samples.templates,
        "medium": samples.media,
    }
    if samples.five_points is not None:
        flat = pa.array(np.ascontiguousarray(samples.five_points, dtype=np.float32).ravel())
        columns["five_points"] = pa.FixedSizeListArray.from_arrays(flat, 10)
    if samples.detector_scores is not None:
        columns["detector_score"] = samples.detector_scores
    tables = {"samples": columns, "pairs": {"first": pairs.first, "second": pairs.second, "mated": pairs.mated}}
    if protocol.galleries:
        tables["galleries"] = {
            "gallery": [gallery.name for gallery in protocol.galleries for _ in range(len(gallery))],
            "template": np.concatenate([gallery.templates for gallery in protocol.galleries]),
            "subject": np.concatenate([gallery.subjects for gallery in protocol.galleries]),
        }
    if protocol.probes is not None:
        tables["probes"] = {"template": protocol.probes.templates, "subject": protocol.probes.subjects}
    return tables
