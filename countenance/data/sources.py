"""Which sources an ingestion reads, as configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.importers.embedded import EmbeddedImporter
from countenance.data.importers.labelled import Importer
from countenance.data.importers.lfw import LfwImporter
from countenance.data.importers.mtfl import MtflImporter
from countenance.data.importers.utkface import UtkFaceImporter
from countenance.data.splits import SplitConfiguration
from countenance.data.synthesis import PeopleConfiguration
from countenance.errors import ConfigurationError, DataError

_SKIN_TONE_BANDS: Final[dict[str, tuple[int, ...]]] = {"lighter": (1, 2, 3, 4, 5), "darker": (6, 7, 8, 9, 10)}


class EmbeddedSource(Configuration):
    """The embedded people; ``skin_tone_bands`` names bands of the Monk scale (1 to 10)."""

    people: PeopleConfiguration = PeopleConfiguration()
    skin_tone_bands: dict[str, tuple[int, ...]] = Field(default_factory=lambda: dict(_SKIN_TONE_BANDS))


class FolderSource(Configuration):
    """A set that lies in a folder of the user's."""

    folder: str


class Sources(Configuration):
    """Every source that ingestion knows; those that are set are read, in this order."""

    embedded: EmbeddedSource | None = None
    lfw: FolderSource | None = None
    mtfl: FolderSource | None = None
    utkface: FolderSource | None = None


class FaultyDelivery(Configuration):
    """A delivery of labels with one error, for the demonstration: one group's people are merged into one subject."""

    attribute: str
    group: str


class IngestionConfiguration(Configuration):
    """Parameters of the ingestion room."""

    seed: int
    sources: Sources
    splits: SplitConfiguration = SplitConfiguration()
    non_face_share: float = Field(default=0.15, ge=0, le=1)
    subject_secret: str = Field(min_length=8)
    workers: int = Field(default=2, ge=1)
    faulty_delivery: FaultyDelivery | None = None


_FOLDER_IMPORTERS: Final[dict[str, Callable[[Path], Importer]]] = {
    "lfw": LfwImporter,
    "mtfl": MtflImporter,
    "utkface": UtkFaceImporter,
}


def build_importers(configuration: IngestionConfiguration) -> list[Importer]:
    """One importer for each source that is set.

    Raises:
        ConfigurationError: no source is set, or a source's folder is empty text.
        DataError: a source's folder is not there.
    """
    sources = configuration.sources
    importers: list[Importer] = []
    if sources.embedded is not None:
        importers.append(
            EmbeddedImporter(
                sources.embedded.people,
                seed=configuration.seed,
                skin_tone_bands=sources.embedded.skin_tone_bands,
                workers=configuration.workers,
            )
        )
    for name, importer in _FOLDER_IMPORTERS.items():
        source: FolderSource | None = getattr(sources, name)
        if source is not None:
            importers.append(importer(_folder(name, source)))
    if not importers:
        raise ConfigurationError("No source is set: name at least one under 'sources' in parameters_ingestion.yml.")
    return importers


def _folder(name: str, source: FolderSource) -> Path:
    # An unset COUNTENANCE_FACES leaves "/lfw" and the like: say so instead of looking in the file system's root.
    if not source.folder or source.folder == f"/{name}":
        raise ConfigurationError(
            f"The folder of source '{name}' is not set: set COUNTENANCE_FACES to the folder that holds '{name}'."
        )
    folder = Path(source.folder)
    if not folder.is_dir():
        raise DataError(f"The folder {folder} of source '{name}' is not there: set COUNTENANCE_FACES to your copy.")
    return folder
