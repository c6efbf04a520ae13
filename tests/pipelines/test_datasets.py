import pytest

from countenance.errors import DataError
from pipelines.datasets import JsonDataset, NetworkDataset


def test_a_network_that_was_never_trained_is_an_error_unless_the_entry_is_optional(tmp_path):
    missing = str(tmp_path / "network.safetensors")
    with pytest.raises(Exception, match="missing: run the pipeline that writes it first") as raised:
        NetworkDataset(filepath=missing).load()
    assert isinstance(raised.value, DataError) or isinstance(raised.value.__cause__, DataError)
    assert NetworkDataset(filepath=missing, optional=True).load() is None


def test_a_report_that_is_optional_is_nothing_until_it_is_written(tmp_path):
    entry = JsonDataset(filepath=str(tmp_path / "report.json"), optional=True)
    assert entry.exists() and entry.load() is None
    entry.save({"tasks": {}})
    assert entry.load() == {"tasks": {}}
    assert not JsonDataset(filepath=str(tmp_path / "other.json")).exists()
