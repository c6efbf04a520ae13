import pytest

from countenance.rollout.decisions.decision import draw_for_audit

SALT = b"the salt of an audit"


def drawn(share: float, count: int = 4000, salt: bytes = SALT) -> list[bool]:
    return [draw_for_audit(f"r{n}", probability=share, salt=salt, discordant=False)[1] for n in range(count)]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_so_many_are_drawn_as_the_probability_says(share: float) -> None:
    # Within four standard deviations of a binomial count.
    assert abs(sum(drawn(share)) / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5


def test_everybody_draws_alike_and_a_larger_share_only_adds() -> None:
    assert drawn(0.2) == drawn(0.2)
    assert all(more or not less for less, more in zip(drawn(0.2), drawn(0.4), strict=True))
    assert drawn(0.2) != drawn(0.2, salt=b"the salt of another audit")


def test_a_disagreement_is_always_drawn_and_its_probability_says_so() -> None:
    assert draw_for_audit("r", probability=0.001, salt=SALT, discordant=True) == (1.0, True)
    assert draw_for_audit("r", probability=1.0, salt=SALT, discordant=False) == (1.0, True)
    assert draw_for_audit("r1", probability=0.3, salt=SALT, discordant=False)[0] == 0.3
