"""What tests of importers share."""

from __future__ import annotations

from countenance.data.importers.labelled import CorruptRecord, Importer, LabelledPhoto


def labelled(importer: Importer) -> list[LabelledPhoto]:
    """All photos of a source of which no record is corrupt."""
    records = list(importer.photos())
    photos = [record for record in records if isinstance(record, LabelledPhoto)]
    assert len(photos) == len(records) == len(importer)
    return photos


def corrupt(importer: Importer) -> list[CorruptRecord]:
    """The corrupt records of a source."""
    return [record for record in importer.photos() if isinstance(record, CorruptRecord)]
