import pytest

from countenance.configuration import Configuration, narrow
from countenance.errors import ConfigurationError


class Inner(Configuration):
    learning_rate: float = 0.1


class Outer(Configuration):
    steps: int
    inner: Inner = Inner()
    perhaps: Inner | None = None
    several: tuple[Inner, ...] = ()


def test_an_unknown_key_is_refused_and_the_nearest_known_one_is_suggested():
    with pytest.raises(
        ConfigurationError, match=r"'inner.learnin_rate' in training.yml: did you mean 'learning_rate'\?"
    ):
        narrow(Outer, {"steps": 1, "inner": {"learnin_rate": 1}}, where="training.yml")


@pytest.mark.parametrize(
    ("values", "path"),
    [({"perhaps": {"learnin_rate": 1}}, "perhaps"), ({"several": [{"learnin_rate": 1}]}, "several.0")],
)
def test_the_nearest_key_is_also_suggested_where_a_part_is_optional_or_one_of_several(values: dict, path: str):
    with pytest.raises(ConfigurationError, match=rf"'{path}.learnin_rate' in x.yml: did you mean 'learning_rate'\?"):
        narrow(Outer, {"steps": 1, **values}, where="x.yml")


def test_an_unknown_key_like_no_other_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"the known keys are inner, perhaps, several, steps\."):
        narrow(Outer, {"steps": 1, "zzz": 1}, where="training.yml")


def test_a_missing_key_is_named():
    with pytest.raises(ConfigurationError, match="'steps' is missing in training.yml"):
        narrow(Outer, {}, where="training.yml")


def test_a_wrong_type_names_key_and_place_in_one_line():
    with pytest.raises(ConfigurationError, match=r"'steps' in training\.yml has a wrong value") as caught:
        narrow(Outer, {"steps": "many"}, where="training.yml")
    assert "\n" not in str(caught.value)


def test_a_narrowed_configuration_cannot_be_changed():
    configuration = narrow(Outer, {"steps": 1}, where="training.yml")
    with pytest.raises(ValueError, match="frozen"):
        configuration.steps = 2  # type: ignore[misc]
