import pytest

from countenance.errors import ConfigurationError

from .declarations import GOVERNANCE, SOURCE, governance


def test_a_source_without_a_statement_is_named():
    with pytest.raises(
        ConfigurationError, match=r"Nothing is stated of the source 'lfw'.*add 'governance.sources.lfw'"
    ):
        governance().statement_on("lfw")
    assert governance().statement_on("drawn").title == "faces of a test"


@pytest.mark.parametrize("field", SOURCE)
def test_a_blank_statement_on_a_source_is_named(field):
    blank = [] if field == "known_gaps" else " "
    sources = {"drawn": SOURCE | {field: blank}}
    with pytest.raises(ConfigurationError, match=f"'sources.drawn.{field}.*' in a test has a wrong value"):
        governance(sources=sources)


def test_a_blank_summary_is_named():
    with pytest.raises(ConfigurationError, match="'model_summary' in a test has a wrong value.*blank"):
        governance(**GOVERNANCE | {"model_summary": "TODO"})


def test_licences_of_ones_own_are_in_the_table():
    own = {"acme-2026": {"title": "contract", "research": True, "commercial": True, "text": "the archive"}}
    assert governance(licenses=own).license_table.find("acme-2026") is not None
    assert governance().license_table.find("acme-2026") is None
