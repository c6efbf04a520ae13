"""Which sources an ingestion reads, as configuration; and any importer by the name of its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field

from countenance.configuration import Configuration, narrow
from countenance.data.importers.aflw import AflwImporter, AflwSource
from countenance.data.importers.bin_pack import BinPackImporter, BinPackSource
from countenance.data.importers.celeba import CelebaImporter, CelebaSource
from countenance.data.importers.embedded import EmbeddedImporter
from countenance.data.importers.fairface import FairFaceImporter, FairFaceSource
from countenance.data.importers.folder_per_identity import FolderPerIdentityImporter, FolderPerIdentitySource
from countenance.data.importers.imdb_wiki import ImdbWikiImporter, ImdbWikiSource
from countenance.data.importers.labelled import FolderSource, Importer
from countenance.data.importers.lfw import LfwImporter
from countenance.data.importers.mtfl import MtflImporter
from countenance.data.importers.pose_300w_lp import Pose300wLpImporter, Pose300wLpSource
from countenance.data.importers.record_io import RecordIoImporter, RecordIoSource
from countenance.data.importers.utkface import UtkFaceImporter
from countenance.data.importers.wider_face import WiderFaceImporter, WiderFaceSource
from countenance.data.quarantine import LARGEST_QUARANTINED_SHARE
from countenance.data.splits import SplitConfiguration
from countenance.data.synthesis import PeopleConfiguration
from countenance.errors import ConfigurationError, DataError

_SKIN_TONE_BANDS: Final[dict[str, tuple[int, ...]]] = {"lighter": (1, 2, 3, 4, 5), "darker": (6, 7, 8, 9, 10)}


class EmbeddedSource(Configuration):
    """The embedded people; ``skin_tone_bands`` names bands of the Monk scale (1 to 10)."""

    people: PeopleConfiguration = PeopleConfiguration()
    skin_tone_bands: dict[str, tuple[int, ...]] = Field(default_factory=lambda: dict(_SKIN_TONE_BANDS))


def _as_list(value: Any) -> Any:
    if value is None:
        return ()
    return (value,) if isinstance(value, Mapping | Configuration) else value


SourceT = TypeVar("SourceT", bound=FolderSource)
Several = Annotated[tuple[SourceT, ...], BeforeValidator(_as_list)]
"""None, one source, or a list of them (each but one with a ``name`` of its own)."""


class Sources(Configuration):
    """Every source that ingestion knows; those that are set are read, in this order."""

    embedded: EmbeddedSource | None = None
    lfw: Several[FolderSource] = ()
    mtfl: Several[FolderSource] = ()
    utkface: Several[FolderSource] = ()
    celeba: Several[CelebaSource] = ()
    pose_300w_lp: Several[Pose300wLpSource] = ()
    aflw2000: Several[Pose300wLpSource] = ()
    aflw: Several[AflwSource] = ()
    wider_face: Several[WiderFaceSource] = ()
    imdb_wiki: Several[ImdbWikiSource] = ()
    fairface: Several[FairFaceSource] = ()
    folder_per_identity: Several[FolderPerIdentitySource] = ()
    record_io: Several[RecordIoSource] = ()
    bin_pack: Several[BinPackSource] = ()


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
    largest_quarantined_share: float = Field(default=LARGEST_QUARANTINED_SHARE, ge=0, le=1)
    subject_secret: str = Field(min_length=8)
    workers: int = Field(default=2, ge=1)
    faulty_delivery: FaultyDelivery | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of set: how it is configured, and what reads it."""

    source: type[FolderSource]
    build: Callable[[Any], Importer]


def _in_folder(importer: Callable[[Path], Importer]) -> Format:
    def build(source: FolderSource) -> Importer:
        built = importer(Path(source.folder))
        built.name = source.name or built.name
        return built

    return Format(source=FolderSource, build=build)


FORMATS: Final[dict[str, Format]] = {
    "lfw": _in_folder(LfwImporter),
    "mtfl": _in_folder(MtflImporter),
    "utkface": _in_folder(UtkFaceImporter),
    "celeba": Format(source=CelebaSource, build=CelebaImporter),
    "pose_300w_lp": Format(source=Pose300wLpSource, build=Pose300wLpImporter),
    "aflw2000": Format(source=Pose300wLpSource, build=lambda source: Pose300wLpImporter(source, name="aflw2000")),
    "aflw": Format(source=AflwSource, build=AflwImporter),
    "wider_face": Format(source=WiderFaceSource, build=WiderFaceImporter),
    "imdb_wiki": Format(source=ImdbWikiSource, build=ImdbWikiImporter),
    "fairface": Format(source=FairFaceSource, build=FairFaceImporter),
    "folder_per_identity": Format(source=FolderPerIdentitySource, build=FolderPerIdentityImporter),
    "record_io": Format(source=RecordIoSource, build=RecordIoImporter),
    "bin_pack": Format(source=BinPackSource, build=BinPackImporter),
}
"""Every kind of set that lies in a folder, by the name that it has in the configuration."""


def build_importers(configuration: IngestionConfiguration) -> list[Importer]:
    """One importer for each source that is set.

    Raises:
        ConfigurationError: no source is set, a source's folder is empty text, or two sources have one name.
        DataError: a source's folder is not there, or isn't what it should be.
    """
    sources = configuration.sources
    importers: list[Importer] = []
    if sources.embedded is not None:
        importers.append(_embedded(sources.embedded, configuration.seed, configuration.workers))
    for name, format_ in FORMATS.items():
        for source in getattr(sources, name):
            _require_folder(name, source)
            importers.append(format_.build(source))
    if not importers:
        raise ConfigurationError("No source is set: name at least one under 'sources' in parameters_ingestion.yml.")
    names = [importer.name for importer in importers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(
            f"Two sources are called '{twice}': give one of them another 'name' in parameters_ingestion.yml."
        )
    return importers


def build_importer(
    name: str, folder: str, options: Mapping[str, Any] | None = None, *, where: str = "the options"
) -> Importer:
    """The importer of one format.

    Args:
        name: of the format, a key of :data:`FORMATS`.
        folder: where the set lies.
        options: what else its configuration takes.
        where: what the user would mend if an option is wrong.

    Raises:
        ConfigurationError: there is no such format, or an option is unknown or wrong.
        DataError: the folder is not there, or isn't what it should be.
    """
    if name not in FORMATS:
        raise ConfigurationError(f"There is no source '{name}': the known ones are {', '.join(sorted(FORMATS))}.")
    source = narrow(FORMATS[name].source, {**(options or {}), "folder": folder}, where=where)
    _require_folder(name, source)
    return FORMATS[name].build(source)


def _embedded(source: EmbeddedSource, seed: int, workers: int) -> EmbeddedImporter:
    return EmbeddedImporter(source.people, seed=seed, skin_tone_bands=source.skin_tone_bands, workers=workers)


def _require_folder(name: str, source: FolderSource) -> None:
    # An unset COUNTENANCE_FACES leaves "/lfw" and the like: say so instead of looking in the file system's root.
    if not source.folder or source.folder == f"/{name}":
        raise ConfigurationError(
            f"The folder of source '{name}' is not set: set COUNTENANCE_FACES to the folder that holds '{name}'."
        )
    if not Path(source.folder).is_dir():
        raise DataError(
            f"The folder {source.folder} of source '{name}' is not there: set COUNTENANCE_FACES to your copy."
        )
