"""A clean delivery for each test of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.pipelines.validation.deliveries")

from tests.pipelines.validation.deliveries import Delivery, clean_delivery  # noqa: E402


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """Nothing is wrong with it; don't change it."""
    return clean_delivery(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def delivery(clean: Delivery, tmp_path: Path) -> Delivery:
    """A copy that a test may spoil."""
    return clean.copy(tmp_path)
