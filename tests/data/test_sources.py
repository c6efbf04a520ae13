from pathlib import Path
from typing import Any

import pytest

from countenance.configuration import narrow
from countenance.data.importers.labelled import Importer
from countenance.data.sources import FORMATS, IngestionConfiguration, Sources, build_importer, build_importers
from countenance.errors import ConfigurationError, DataError
from tests.conftest import picture, write_jpeg


def built(sources: dict[str, Any]) -> list[Importer]:
    values = {"seed": 1, "subject_secret": "a secret of tests", "sources": sources}
    return build_importers(narrow(IngestionConfiguration, values, where="parameters_ingestion.yml"))


@pytest.fixture
def staff(tmp_path: Path) -> str:
    write_jpeg(tmp_path / "staff" / "a" / "1.jpg", picture(112, 112))
    return str(tmp_path / "staff")


def test_sources_are_read_in_their_order_and_those_set_to_nothing_are_not(
    lfw_folder: Path, utkface_folder: Path, staff: str
):
    sources = {
        "folder_per_identity": {"folder": staff, "aligned": True},
        "utkface": {"folder": str(utkface_folder)},
        "lfw": {"folder": str(lfw_folder)},
        "mtfl": None,
        "embedded": None,
    }
    assert [importer.name for importer in built(sources)] == ["lfw", "utkface", "folder_per_identity"]


def test_two_sets_of_one_format_have_names_of_their_own(staff: str):
    one = {"folder": staff, "aligned": True}
    several = built({"folder_per_identity": [one, {**one, "name": "guests"}]})
    assert [importer.name for importer in several] == ["folder_per_identity", "guests"]
    with pytest.raises(ConfigurationError, match="Two sources are called 'folder_per_identity'"):
        built({"folder_per_identity": [one, one]})


def test_an_unknown_option_of_a_source_is_refused_with_the_nearest_one(staff: str):
    with pytest.raises(ConfigurationError, match=r"'sources.celeba.0.imges'.*did you mean 'images'\?"):
        built({"celeba": {"folder": staff, "imges": "aligned"}})
    with pytest.raises(ConfigurationError, match=r"'margn' in --option: did you mean 'margin'\?"):
        build_importer("fairface", staff, {"margn": "0.25"}, where="--option")


def test_every_source_in_a_folder_is_a_format_and_the_other_way_round():
    assert set(FORMATS) == set(Sources.model_fields) - {"embedded"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_a_folder_that_is_not_a_copy_of_it(name: str, tmp_path: Path):
    with pytest.raises(DataError):
        build_importer(name, str(tmp_path))
    with pytest.raises(DataError, match="is not there"):
        build_importer(name, str(tmp_path / "nowhere"))


def test_options_may_be_text_as_they_come_from_a_command_line(staff: str):
    importer = build_importer("folder_per_identity", staff, {"aligned": "true", "name": "staff"})
    assert (importer.name, len(importer)) == ("staff", 1)


def test_a_format_that_nobody_knows_is_refused(staff: str):
    with pytest.raises(ConfigurationError, match="no source 'celebb': the known ones are aflw, aflw2000"):
        build_importer("celebb", staff)


def test_no_source_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="No source is set"):
        built({})


def test_a_folder_that_an_unset_variable_left_behind_says_which_variable_to_set():
    with pytest.raises(ConfigurationError, match="set COUNTENANCE_FACES"):
        built({"celeba": {"folder": "/celeba"}})


def test_every_format_and_every_option_is_in_the_documentation():
    table = (Path(__file__).parents[2] / "docs" / "importers.md").read_text()
    rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    assert set(rows) == set(FORMATS)
    for name, format_ in FORMATS.items():
        for option in set(format_.source.model_fields) - {"folder", "name"}:
            assert f"`{option}`" in rows[name], (name, option)
