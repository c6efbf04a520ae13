from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from countenance.assessment import protocol_digest
from countenance.assessment.protocol_digest import protocol_sha256
from countenance.data.protocols.ijb import read_ijb
from countenance.data.protocols.parquet_protocol import convert, read_parquet_protocol
from countenance.data.protocols.template_protocol import Gallery, TemplateProtocol
from tests.data.protocols.published import small_protocol, write_published


def test_one_protocol_has_one_digest_in_either_form(tmp_path: Path):
    folder = write_published(small_protocol(), tmp_path / "published")
    convert(folder, tmp_path / "tables")
    expected = protocol_sha256(small_protocol())
    assert protocol_sha256(read_ijb(folder)) == protocol_sha256(read_parquet_protocol(tmp_path / "tables")) == expected


def changed(values: np.ndarray) -> np.ndarray:
    found = values.copy()
    found[-1] = not found[-1] if found.dtype == bool else found[-1] + 1
    return found


OTHERS: dict[str, Callable[[TemplateProtocol], TemplateProtocol]] = {
    "a template of a sample": lambda one: replace(
        one, samples=replace(one.samples, templates=changed(one.samples.templates))
    ),
    "a medium": lambda one: replace(one, samples=replace(one.samples, media=changed(one.samples.media))),
    "a first template": lambda one: replace(one, pairs=replace(one.pairs, first=changed(one.pairs.first))),
    "a second template": lambda one: replace(one, pairs=replace(one.pairs, second=changed(one.pairs.second))),
    "a label": lambda one: replace(one, pairs=replace(one.pairs, mated=changed(one.pairs.mated))),
    "a gallery's name": lambda one: replace(one, galleries=(one.galleries[0], replace(one.galleries[1], name="G3"))),
    "an enrolled subject": lambda one: replace(
        one, galleries=(one.galleries[0], Gallery("G2", one.galleries[1].templates, np.array([8])))
    ),
    "a probe": lambda one: replace(one, probes=replace(one.probes, templates=changed(one.probes.templates))),
    "whose a probe is": lambda one: replace(one, probes=replace(one.probes, subjects=changed(one.probes.subjects))),
    "no probes": lambda one: replace(one, probes=None),
    "the galleries' order": lambda one: replace(one, galleries=one.galleries[::-1]),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_list_of_the_same_size_has_another_digest(what: str):
    assert protocol_sha256(OTHERS[what](small_protocol())) != protocol_sha256(small_protocol())


def test_neither_the_type_of_numbers_nor_the_size_of_parts_matters(monkeypatch: pytest.MonkeyPatch):
    one = small_protocol()
    expected = protocol_sha256(one)
    narrow = replace(one.samples, templates=one.samples.templates.astype(np.int16))
    assert protocol_sha256(replace(one, samples=narrow)) == expected
    monkeypatch.setattr(protocol_digest, "_PART", 2)
    assert protocol_sha256(one) == expected


def test_subjects_may_be_texts():
    one = small_protocol()
    named = [Gallery("G1", np.array([10]), np.array(names, dtype=object)) for names in (["ann"], ["bob"])]
    first, second = (protocol_sha256(replace(one, galleries=(gallery,))) for gallery in named)
    assert first != second
