import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.governance.statements import is_blank, stated


@pytest.mark.parametrize("text", ["", "  ", "\n", "TODO", " tbd ", "n/a", "N/A.", "-", "???", "None", "todo:"])
def test_white_space_and_placeholders_say_nothing(text):
    assert is_blank(text)
    with pytest.raises(ValueError, match="blank or a placeholder"):
        stated(text)


@pytest.mark.parametrize("text", ["unknown; the package does not say", "not needed", "0", "nobody"])
def test_that_little_is_known_is_a_statement_too(text):
    assert stated(f" {text}\n") == text


@given(st.text())
def test_a_statement_is_the_text_itself_or_refused(text):
    if not is_blank(text):
        assert stated(text) == text.strip()
        assert stated(text)
