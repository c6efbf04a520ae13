import pytest

from countenance.errors import DataError
from pipelines.datasets import NetworkDataset


def test_a_network_that_was_never_trained_is_an_error_unless_the_entry_is_optional(tmp_path):
    missing = str(tmp_path / "network.safetensors")
    with pytest.raises(Exception, match="missing: run the pipeline that writes it first") as raised:
        NetworkDataset(filepath=missing).load()
    assert isinstance(raised.value, DataError) or isinstance(raised.value.__cause__, DataError)
    assert NetworkDataset(filepath=missing, optional=True).load() is None
