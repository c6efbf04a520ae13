import pytest

from countenance.errors import ConfigurationError, ModelError
from countenance.governance.intended_use import require_identification

from .declarations import USE, use


def test_a_use_that_declares_no_search_is_for_verification():
    assert use().comparison == "verification"


def test_a_search_is_refused_unless_it_is_declared_and_the_sentence_says_where():
    with pytest.raises(
        ModelError, match=r"Release abc is declared for 1:1 verification only, .*'intended_use.comparison'"
    ):
        require_identification(use(), release="abc")
    require_identification(use(comparison="identification"), release="abc")


def test_a_release_that_is_older_than_the_declaration_does_not_search_either():
    with pytest.raises(ModelError, match="Release abc declares no intended use, so it doesn't search for people"):
        require_identification(None, release="abc")


def test_measuring_identification_asks_for_no_declaration():
    import ast
    import inspect

    from countenance.assessment import identification

    imported = ast.dump(ast.parse(inspect.getsource(identification)))
    assert "governance" not in imported


@pytest.mark.parametrize("field", ["purpose", "domains", "out_of_scope", "affected", "data_purposes", "setting"])
def test_every_field_must_be_there_and_say_something(field):
    with pytest.raises(ConfigurationError, match=f"'{field}' is missing"):
        use_without = {name: value for name, value in USE.items() if name != field}
        from countenance.configuration import narrow
        from countenance.governance.intended_use import IntendedUse

        narrow(IntendedUse, use_without, where="a test")
    for blank in ("", [], [" "], "TODO"):
        with pytest.raises(ConfigurationError, match=f"'{field}"):
            use(**{field: blank})


def test_data_of_another_purpose_are_not_accepted_and_data_without_one_are_not_judged():
    declared = use(data_purposes=["research"])
    assert declared.accepts("research")
    assert declared.accepts(None)
    assert not declared.accepts("advertising")


def test_a_commercial_use_cannot_rest_on_data_for_research():
    with pytest.raises(ConfigurationError, match="data for research can't serve a commercial use; take 'research' out"):
        use(setting="commercial")
    assert use(setting="commercial", data_purposes=["access control"]).setting == "commercial"


@pytest.mark.parametrize("changes", [{"comparison": "1:N"}, {"setting": "any"}, {"comparision": "verification"}])
def test_unknown_words_are_refused(changes):
    with pytest.raises(ConfigurationError):
        use(**changes)
